"""Secrets never reach a log line, whoever logs them and wherever they stand."""

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog
from pydantic import SecretStr

from bot.log import HIDDEN, configure, redact

BOT, APP, KEY = "xoxb-made-up-bot-token", "xapp-made-up-app-token", "made-up-provider-key"
SIGNED = "https://cdn.example/clip.mp4?X-Signature=made-up-signature&Expires=1"
ANSWER_URL = "https://hooks.slack.com/commands/T1/2/made-up-answer"
UPLOAD_URL = "https://files.slack.com/upload/v1/made-up-upload"
MEDIA_URL = "https://dailies.example/media/bWFkZS11cC1saW5rLW9mLWEtZmlsZQ_made-up.png"
DATABASE = "postgresql://dailies:made-up-password@db.example/dailies"
SECRETS = (
    BOT,
    APP,
    "xoxe.xoxp-1-made-up",
    f"Bearer {KEY}",
    f"authorization: bearer {KEY}",
    SIGNED,
    ANSWER_URL,
    UPLOAD_URL,
    MEDIA_URL,
    DATABASE,
    "https://made-up-user@host.example/x",
    "postgres://u:made-up/with@odd@host.example/x",
    "wss://wss-primary.slack.com/link/?ticket=made-up-ticket&app_id=made-up",
)


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Logging set up as in production; gives the lines so far, each checked to be one JSON object."""
    root, level, handlers = logging.getLogger(), logging.getLogger().level, logging.getLogger().handlers[:]
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    configure("debug", "json")
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def assert_clean(value: object) -> None:
    assert "made-up" not in str(value), value


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("wrapped", ["{}", "before {} after", '"{}"', "<{}>", "({})", "token={}"])
def test_a_secret_is_hidden_wherever_it_stands_in_a_text(secret: str, wrapped: str) -> None:
    hidden = redact(wrapped.format(secret))
    assert_clean(hidden)
    assert HIDDEN in str(hidden)


@pytest.mark.parametrize(
    "text",
    [
        "clip.stored",
        "Is it dusk? Yes.",
        "a red panda @ dawn: nice",
        "https://docs.slack.dev/reference",
        "http://127.0.0.1:3000/healthz",
        "2026-11-20 21:30:15",
        "",
    ],
)
def test_ordinary_words_stay(text: str) -> None:
    assert redact(text) == text


def test_what_is_around_a_secret_stays_readable() -> None:
    assert redact(f"GET {SIGNED} failed") == f"GET https://cdn.example/clip.mp4?{HIDDEN} failed"
    assert redact(DATABASE) == f"postgresql://{HIDDEN}@db.example/dailies"


@pytest.mark.parametrize("secret", SECRETS)
def test_containers_are_walked(secret: str) -> None:
    nested = {"a": [secret, {"b": (secret, {"c": secret})}], "d": {secret}, secret: 1, "e": frozenset({secret})}
    assert_clean(redact(nested))


@pytest.mark.parametrize("secret", SECRETS)
def test_a_value_of_any_class_is_written_without_its_secret(secret: str) -> None:
    class Thing:
        def __repr__(self) -> str:
            return f"Thing({secret})"

    for value in (ValueError(secret), secret.encode(), Thing(), SecretStr(secret)):
        assert_clean(redact(value))
        assert_clean(redact({"value": value}))


@pytest.mark.parametrize("value", [None, True, 7, 2.5, datetime(2026, 11, 20, tzinfo=UTC)])
def test_figures_and_times_keep_their_kind(value: object) -> None:
    assert redact(value) == value
    assert type(redact(value)) is type(value)


@pytest.mark.parametrize("secret", SECRETS)
def test_no_line_of_ours_holds_a_secret(lines: Callable[[], list[dict[str, Any]]], secret: str) -> None:
    log = structlog.get_logger("bot.test")
    log.info("event.happened", field=secret, nested={"deep": [secret]}, error=ValueError(secret), count=3)
    text = f"a text with {secret}"
    with structlog.contextvars.bound_contextvars(context=secret):
        log.warning(text)
    first, second = lines()
    assert (first["event"], first["level"], first["logger"], first["count"]) == (
        "event.happened",
        "info",
        "bot.test",
        3,
    )
    assert_clean(first)
    assert_clean(second)


@pytest.mark.parametrize("secret", SECRETS)
def test_no_traceback_holds_a_secret(lines: Callable[[], list[dict[str, Any]]], secret: str) -> None:
    log = structlog.get_logger("bot.test")
    try:
        try:
            raise KeyError(secret)
        except KeyError as inner:
            raise ValueError(f"outer {secret}") from inner
    except ValueError as error:
        log.exception("step.failed")
        log.warning("step.failed", exc_info=error)
        logging.getLogger("library").exception("a library failed")
    for line in lines():
        assert "ValueError" in line["exception"]
        assert_clean(line)
    assert len(lines()) == 3


@pytest.mark.parametrize("secret", SECRETS)
def test_no_line_of_a_library_holds_a_secret(lines: Callable[[], list[dict[str, Any]]], secret: str) -> None:
    library = logging.getLogger("library")
    library.warning("sending %s to %s", secret, {"nested": secret})
    library.warning("with a field", extra={"field": secret})
    library.warning(secret)
    assert len(lines()) == 3
    for line in lines():
        assert line["logger"] == "library"
        assert_clean(line)


def test_everyday_lines_of_libraries_are_left_out(lines: Callable[[], list[dict[str, Any]]]) -> None:
    for name in ("httpx", "slack_sdk.web", "slack_bolt.app", "apscheduler.executors", "aiosqlite", "uvicorn.error"):
        logging.getLogger(name).info("an everyday line")
        logging.getLogger(name).warning("a warning")
    assert [line["event"] for line in lines()] == ["a warning"] * 6


def test_times_are_utc_and_sortable(lines: Callable[[], list[dict[str, Any]]]) -> None:
    structlog.get_logger("bot.test").info("event.happened")
    (line,) = lines()
    assert datetime.fromisoformat(line["timestamp"]).utcoffset() == datetime.now(UTC).utcoffset()


@pytest.mark.parametrize(("form", "is_json"), [("text", False), ("json", True), ("", True)])
@pytest.mark.usefixtures("lines")
def test_text_is_for_a_terminal(monkeypatch: pytest.MonkeyPatch, form: str, is_json: bool) -> None:
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    configure("info", form)
    log = structlog.get_logger("bot.text")
    log.debug("too quiet")
    log.warning("event.happened", field=SIGNED)
    (line,) = written.getvalue().splitlines()
    assert line.startswith("{") is is_json
    assert "event.happened" in line
    assert_clean(line)
