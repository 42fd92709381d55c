"""What the operator sets: read from the environment or ``.env``, checked, and never shown where it is secret."""

import os
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from bot.configuration import make_policy, set_by_operator
from bot.domain.access import AccessRules
from bot.domain.budget import Caps, month_of
from bot.domain.preference_keys import KEYS, Replies
from bot.settings import BadSetting, Settings, micro_usd, misspelt_settings, read_prices, unread_lines

A_RESOLUTION = "Use one of 480p, 720p, 1080p, or one of them with +video."


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no ``.env`` lies."""
    monkeypatch.chdir(tmp_path)


def read(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Settings()


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("SLACK_API_URL", "http://127.0.0.1:1/api", "http://127.0.0.1:1/api/"),
        ("SLACK_API_URL", "http://127.0.0.1:1/api/", "http://127.0.0.1:1/api/"),
        ("HTTP_PORT", "0", 0),
        ("HIAPI_IDEMPOTENCY", "false", False),
        ("HIAPI_CONCURRENCY", "2", 2),
        ("MUAPI_AUTH", "X-API-Key", "x-api-key"),
        ("APIMART_DIALECT", "Docs", "docs"),
        ("EMPIRIOLABS_CANCEL_PATH", "none", "none"),
        ("EMPIRIOLABS_USAGE_PATH", "/v1/account/usage", "/v1/account/usage"),
        ("EMPIRIOLABS_USAGE_PATH", "https://platform.example.com/usage", "https://platform.example.com/usage"),
        ("EMPIRIOLABS_JOB_PATH", "/v2/jobs/{job_id}/state", "/v2/jobs/{job_id}/state"),
        ("POLL_INTERVAL_SECONDS", "0.5", 0.5),
        ("BUDGET_USER_DAY_USD", "2.50", 2.5),
        ("BUDGET_USER_DAY_USD", "0", 0.0),
        ("PROVIDERS", "hiapi, muapi ,", ("hiapi", "muapi")),
        ("REACTION_PROMOTE", ":rocket:,ship", ("rocket", "ship")),
        ("REACTION_CANCEL", "", ("x",)),
        ("REACTION_CANCEL", " , ", ()),
        ("ADMIN_USERS", "U1,U2", ("U1", "U2")),
        ("ALLOWED_FETCH_HOSTS", "127.0.0.1:9000, [::1]:9000", ("127.0.0.1:9000", "[::1]:9000")),
        ("THREAD_REPLIES", "Mention", "mention"),
        ("LOG_LEVEL", "DEBUG", "debug"),
        ("LOG_FORMAT", "JSON", "json"),
        ("LOG_FORMAT", "", None),
        ("PRICE_FILE", "prices.toml", Path("prices.toml")),
        ("MAX_CLIP_MB", "1", 1),
        ("HIAPI_BASE_URL", " https://[::1]:8443/v1 ", "https://[::1]:8443/v1"),
    ],
)
def test_a_setting_is_read(monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: object) -> None:
    assert getattr(read(monkeypatch, **{name: text}), name.lower()) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("HTTP_PORT", "65536"),
        ("HTTP_PORT", "-1"),
        ("HTTP_PORT", "http"),
        ("HIAPI_IDEMPOTENCY", "perhaps"),
        ("HIAPI_CONCURRENCY", "0"),
        ("EMPIRIOLABS_CONCURRENCY", "0"),
        ("MUAPI_AUTH", "basic"),
        ("APIMART_DIALECT", "latin"),
        ("SEEDANCEAPI_API_KEY", "two words"),
        ("SEEDANCEAPI_BASE_URL", "seedanceapi.org"),
        ("APIMART_RESPONSE_VERSION", "latest"),
        ("APIMART_RESPONSE_VERSION", "2026-07-27\n"),
        ("EMPIRIOLABS_JOB_PATH", "none"),
        ("EMPIRIOLABS_JOB_PATH", "/v1/jobs"),
        ("EMPIRIOLABS_JOBS_PATH", "/v1/jobs/{job_id}"),
        ("EMPIRIOLABS_USAGE_PATH", "usage"),
        ("EMPIRIOLABS_USAGE_PATH", "https:///usage"),
        ("EMPIRIOLABS_USAGE_PATH", "ftp://platform.example.com/usage"),
        ("EMPIRIOLABS_USAGE_PATH", "https://me:word@platform.example.com/usage"),
        ("EMPIRIOLABS_USAGE_PATH", "https://platform.example.com/usage?source=api"),
        ("EMPIRIOLABS_JOBS_PATH", "https://platform.example.com/jobs"),
        ("PROVIDER_CONCURRENCY", "0"),
        ("PROVIDER_CONCURRENCY", "1.5"),
        ("POLL_INTERVAL_SECONDS", "0"),
        ("JOB_TIMEOUT_SECONDS", "0"),
        ("JOB_TIMEOUT_SECONDS", "inf"),
        ("BUDGET_WORKSPACE_MONTH_USD", "-1"),
        ("BUDGET_WORKSPACE_MONTH_USD", "inf"),
        ("BUDGET_WORKSPACE_MONTH_USD", "nan"),
        ("BUDGET_CHANNEL_MONTH_USD", "ten"),
        ("BUDGET_USER_DAY_USD", "$5"),
        ("CONFIRM_ABOVE_USD", "-0.01"),
        ("PROMOTE_UNDO_SECONDS", "-1"),
        ("REACTION_PROMOTE", ","),
        ("ADMIN_USERS", "@maya"),
        ("ADMIN_USERS", "U1,maya"),
        ("ADMIN_USERS", "<@U1>"),
        ("THREAD_REPLIES", "sometimes"),
        ("LOG_LEVEL", "loud"),
        ("LOG_FORMAT", "xml"),
        ("MAX_CLIP_MB", "0"),
        ("MAX_RUNNING_PER_PERSON", "0"),
        ("SLACK_API_URL", "slack.com/api/"),
        ("SLACK_API_URL", "https:///api/"),
        ("HIAPI_BASE_URL", "ftp://api.example.com"),
        ("HIAPI_BASE_URL", "https://api.example.com:port"),
        ("HIAPI_BASE_URL", "https://api.example.com:65536"),
        ("HIAPI_BASE_URL", "https://[::1"),
        ("HIAPI_BASE_URL", "https://api.example.com:0"),
        ("HIAPI_BASE_URL", "https://key@api.example.com"),
        ("SLACK_API_URL", "https://me:pw@slack.com/api/"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        read(monkeypatch, **{name: text})
    assert [fault["loc"] for fault in caught.value.errors()] == [(name.lower(),)]


@pytest.mark.parametrize(
    "reactions",
    [
        {"REACTION_PROMOTE": "x"},
        {"REACTION_CANCEL": ":rocket:"},
        {"REACTION_PROMOTE": "ship, no_entry", "REACTION_CANCEL": "wave,no_entry"},
    ],
)
def test_a_reaction_that_would_order_and_cancel_at_once_is_refused(
    monkeypatch: pytest.MonkeyPatch, reactions: dict[str, str]
) -> None:
    """One of the two may be the default, which nobody wrote."""
    with pytest.raises(ValidationError) as caught:
        read(monkeypatch, **reactions)
    (fault,) = caught.value.errors()
    assert fault["loc"] == ("reaction_cancel",)
    assert fault["msg"] == "it and REACTION_PROMOTE (when unset: rocket) must not name the same reaction"


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("HIAPI_API_KEY", "two words", "it holds characters that no key has"),
        ("HIAPI_BASE_URL", "api.hiapi.ai", "it is no address such as https://"),
        ("SLACK_API_URL", "https://me:pw@slack.com/api/", "it must not hold a user or a password"),
        ("ADMIN_USERS", "@maya", "it takes member ids such as U024BE7LH, and no names"),
    ],
)
def test_a_refusal_of_our_own_is_in_our_own_words_and_repeats_nothing(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, why: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        read(monkeypatch, **{name: text})
    (fault,) = caught.value.errors()
    assert fault["msg"].startswith(why)
    assert text not in fault["msg"]


def test_a_file_is_read_and_the_environment_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("HTTP_PORT=4000\nMAX_CLIP_MB=7\nUNKNOWN=1\n", encoding="utf-8")
    settings = read(monkeypatch, HTTP_PORT="5000")
    assert (settings.http_port, settings.max_clip_mb) == (5000, 7)


def test_a_mark_at_the_beginning_of_the_file_is_no_part_of_the_first_name() -> None:
    Path(".env").write_bytes("\ufeffHTTP_PORT=4000\n".encode())
    assert Settings().http_port == 4000


def make_folder() -> None:
    Path(".env").mkdir()


def make_latin() -> None:
    Path(".env").write_bytes("HTTP_PORT=1\r\n\nHIAPI_API_KEY=a-secret-\xe9\n".encode("latin-1"))


def make_sixteen_bits() -> None:
    Path(".env").write_bytes("HIAPI_API_KEY=a-secret-word\n".encode("utf-16"))


def make_circle() -> None:
    Path(".env").symlink_to(".env")


def make_dangling_link() -> None:
    Path(".env").symlink_to("nowhere")


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (make_folder, r"\.env is a folder, so nothing in it is read\."),
        (make_latin, r"\.env cannot be read: line 3 is not UTF-8\."),
        (make_sixteen_bits, r"\.env cannot be read: line 1 is not UTF-8\."),
        (make_circle, r"\.env cannot be read: Too many levels of symbolic links\."),
        (make_dangling_link, r"\.env cannot be read: No such file or directory\."),
    ],
)
def test_a_file_that_cannot_be_read_is_said_and_not_passed_over(make: Callable[[], None], what: str) -> None:
    make()
    with pytest.raises(BadSetting) as caught:
        Settings()
    assert re.fullmatch(what, caught.value.what)
    assert "text file in UTF-8" in caught.value.mend
    assert str(caught.value) == f"{caught.value.what} {caught.value.mend}"
    assert caught.value.__cause__ is None or "a-secret" not in repr(caught.value.__cause__)


def test_a_file_that_this_user_may_not_read_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused by hand, since whoever may do everything may read everything."""

    def refuse(path: Path, **_: Any) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    Path(".env").touch()
    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(BadSetting, match=r"\.env cannot be read: Permission denied\. Make it"):
        Settings()


def test_a_pipe_is_left_to_be_read_once() -> None:
    """Keepers of secrets offer ``.env`` as a pipe, and what was read from it is gone."""
    os.mkfifo(".env")
    writer = threading.Thread(target=lambda: Path(".env").write_text("HTTP_PORT=4000\n", encoding="utf-8"))
    writer.start()
    assert Settings().http_port == 4000
    writer.join()


def test_another_file_or_none_is_the_callers_own_affair() -> None:
    make_folder()
    assert Settings(_env_file=None).http_port == 3000


def test_names_that_are_nearly_a_settings_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("BUDGET_USER_DAILY_USD=5\nMUAPI_API_KYE=x\nAWS_REGION=x\nHTTP_PORT=1\n", encoding="utf-8")
    monkeypatch.setenv("SLACK_BOT_TOKN", "x")
    assert misspelt_settings() == {
        "BUDGET_USER_DAILY_USD": "BUDGET_USER_DAY_USD",
        "MUAPI_API_KYE": "MUAPI_API_KEY",
        "SLACK_BOT_TOKN": "SLACK_BOT_TOKEN",
    }


@pytest.mark.parametrize(
    ("contents", "lines"),
    [
        ("", ()),
        ("# a note\n\nHTTP_PORT=4000 # why\nexport LOG_LEVEL=info\nPRICE_FILE=\nOTHER='one\ntwo'\n", ()),
        ("HTTP_PORT=4000\nHIAPI_API_KEY a-secret-word\n", (2,)),
        ("\ufeffHIAPI_API_KEY: a-secret-word\r\n\r\n\r\nLOG_LEVEL\r\nHTTP_PORT=4000", (1, 4)),
        ('HTTP_PORT=4000\nHIAPI_API_KEY="never closed\n', (2,)),
    ],
)
def test_lines_that_set_nothing_are_found_and_nobody_else_speaks_of_them(
    contents: str, lines: tuple[int, ...], caplog: pytest.LogCaptureFixture
) -> None:
    Path(".env").write_text(contents, encoding="utf-8", newline="")
    Settings()
    misspelt_settings()
    assert unread_lines() == lines
    assert caplog.records == []


def test_without_a_file_no_line_is_found(tmp_path: Path) -> None:
    """And a pipe is not read a second time, since what was read from it is gone."""
    assert unread_lines() == ()
    os.mkfifo(tmp_path / ".env")
    assert unread_lines() == ()


@pytest.mark.parametrize(
    ("text", "what", "mend"),
    [
        ('[hiapy.mini]\n"480p" = 1', 'there is no provider "hiapy".', 'Write "hiapi" instead.'),
        ('[HiAPI.mini]\n"480p" = 1', 'there is no provider "HiAPI".', 'Write "hiapi" instead.'),
        (
            '[sora.mini]\n"480p" = 1',
            'there is no provider "sora".',
            "Use one of apimart, empiriolabs, hiapi, muapi, seedanceapi.",
        ),
        ('[hiapi.minni]\n"480p" = 1', 'there is no tier "minni".', 'Write "mini" instead.'),
        ('[hiapi.Standart]\n"480p" = 1', 'there is no tier "Standart".', 'Write "standard" instead.'),
        ('[hiapi.lite-9]\n"480p" = 1', 'there is no tier "lite-9".', "Use one of fast, mini, standard, vip."),
        ('[hiapi.mini]\n"480+video" = 1', '"480+video" is not a resolution.', A_RESOLUTION),
        (
            '[hiapi.mini]\n"480p+video" = "1"',
            'the price of "480p+video" must be US dollars per second, such as 0.08.',
            "Write it as a plain number, without quotes or a currency.",
        ),
    ],
)
def test_a_price_under_a_name_that_nobody_has_is_refused_with_the_nearest(text: str, what: str, mend: str) -> None:
    path = Path("prices.toml")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadSetting) as caught:
        read_prices(path)
    assert (caught.value.what, caught.value.mend) == (f"PRICE_FILE prices.toml: {what}", mend)


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {
        "SLACK_BOT_TOKEN": "xoxb-made-up",
        "SLACK_APP_TOKEN": "xapp-made-up",
        "SLACK_SIGNING_SECRET": "made-up",
        "HIAPI_API_KEY": "made-up",
        "DATABASE_URL": "postgresql://u:made-up@127.0.0.1/d",
    }
    settings = read(monkeypatch, **secrets)
    assert "made-up" not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    for name, secret in secrets.items():
        value = getattr(settings, name.lower())
        assert isinstance(value, SecretStr)
        assert value.get_secret_value() == secret


def test_settings_do_not_change() -> None:
    settings = Settings()
    with pytest.raises(ValidationError):
        settings.http_port = 1  # type: ignore[misc] # mypy knows it as well


@pytest.mark.parametrize(
    ("dollars", "micro"), [(None, None), (0.0, 0), (0.32, 320_000), (1.1, 1_100_000), (0.0000014, 1)]
)
def test_dollars_become_whole_micro_dollars(dollars: float | None, micro: int | None) -> None:
    assert micro_usd(dollars) == micro


def test_the_policy_is_what_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = make_policy(
        read(
            monkeypatch,
            BUDGET_WORKSPACE_MONTH_USD="100",
            BUDGET_CHANNEL_MONTH_USD="20",
            BUDGET_USER_DAY_USD="1.5",
            CONFIRM_ABOVE_USD="0",
            PROMOTE_UNDO_SECONDS="5",
            ADMIN_USERS="U1,U2",
            MAX_RUNNING_PER_PERSON="3",
            THREAD_REPLIES="mention",
            REACTION_CANCEL=":x:, no_entry",
            REACTION_PROMOTE="ship",
            HIAPI_CONCURRENCY="2",
            PROVIDER_CONCURRENCY="9",
            JOB_TIMEOUT_SECONDS="60",
            POLL_INTERVAL_SECONDS="0.5",
            MAX_CLIP_MB="3",
        )
    )
    assert policy.caps == Caps(
        workspace_month_micro_usd=100_000_000, channel_month_micro_usd=20_000_000, person_day_micro_usd=1_500_000
    )
    facts: dict[str, Any] = {
        "confirm_above_micro_usd": 0,
        "undo": timedelta(seconds=5),
        "access": AccessRules(admins=frozenset({"U1", "U2"})),
        "running_per_person": 3,
        "replies": Replies.MENTION,
        "cancel_emoji": ("x", "no_entry"),
        "promote_emoji": ("ship",),
        "job_timeout": timedelta(seconds=60),
        "poll_interval": timedelta(seconds=0.5),
        "largest_clip_bytes": 3_000_000,
    }
    assert {name: getattr(policy, name) for name in facts} == facts
    assert (policy.places("hiapi"), policy.places("muapi")) == (2, 9)


@pytest.mark.parametrize("name", ["Europe/Berlin", ":Europe/Berlin", " Europe/Berlin "])
def test_caps_follow_the_calendar_that_tz_names(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    policy = make_policy(read(monkeypatch, TZ=name))
    assert month_of(datetime(2026, 10, 31, 23, tzinfo=UTC), policy.zone) == "2026-11"


@pytest.mark.parametrize("name", ["", "UTC"])
def test_without_tz_months_are_utc(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert make_policy(read(monkeypatch, TZ=name)).zone is UTC


@pytest.mark.parametrize("name", ["Mars/Olympus", "/etc/passwd", "../UTC", "Europe", "CET-1CEST", "\x01"])
def test_a_tz_that_is_no_zone_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with pytest.raises(BadSetting) as caught:
        make_policy(read(monkeypatch, TZ=name))
    assert "TZ" in caught.value.what
    assert "Europe/Berlin" in caught.value.mend


def test_without_settings_there_is_no_cap_and_a_question_above_a_dollar() -> None:
    policy = make_policy(Settings())
    assert (policy.caps, policy.confirm_above_micro_usd, policy.poll_interval) == (Caps(), 1_000_000, None)
    assert policy.undo == timedelta(seconds=20)


def test_what_the_operator_set_is_told_from_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty line in ``.env`` sets nothing."""
    assert set_by_operator(Settings()) == frozenset()
    settings = read(monkeypatch, BUDGET_USER_DAY_USD="0", PROMOTE_UNDO_SECONDS="20", REACTION_PROMOTE="", HTTP_PORT="1")
    assert set_by_operator(settings) == {"cap.person.day", "undo.seconds"}
    everything = {
        "PROMOTE_UNDO_SECONDS": "1",
        "THREAD_REPLIES": "off",
        "REACTION_PROMOTE": "ship",
        "REACTION_CANCEL": "no_entry",
        "CONFIRM_ABOVE_USD": "1",
        "BUDGET_CHANNEL_MONTH_USD": "1",
        "BUDGET_USER_DAY_USD": "1",
        "BUDGET_WORKSPACE_MONTH_USD": "1",
        "MAX_RUNNING_PER_PERSON": "1",
        "ADMIN_USERS": "U1",
    }
    found = set_by_operator(read(monkeypatch, **everything))
    assert len(found) == len(everything)
    assert found <= set(KEYS)
