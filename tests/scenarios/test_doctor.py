"""``dailies doctor`` over set-ups that are broken in one way each: it finds that, says how to mend it, shows no secret
and spends nothing. All cases share one sandbox."""

import contextlib
import re
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bot.doctor import examine
from bot.sandbox.slack.settings import BOT_SCOPES
from bot.settings import Settings
from tests.sandbox.driver import Workspace, start_sandbox
from tests.scenarios.bot import Bot, Stage, environment, stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

LINE = re.compile(r"(ok|warn|FAIL) +([^:]+): (.+)")
NOBODY = "http://127.0.0.1:9"
"""Nothing listens there."""

PASSWORD = "a-password-nobody-may-see"
SECRETS = re.compile(r"TOKEN|SECRET|KEY")
IN_ORDER = {"BUDGET_USER_DAY_USD": "10"}


@dataclass(frozen=True, kw_only=True)
class Report:
    """What the doctor printed, by name."""

    out: str
    levels: dict[str, str]
    lines: dict[str, str]

    def bad(self) -> dict[str, str]:
        """Everything that is not in order."""
        return {name: level for name, level in self.levels.items() if level != "ok"}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def studio(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Workspace]:
    """One pretend Slack and provider."""
    async with start_sandbox(data=tmp_path_factory.mktemp("sandbox")) as workspace:
        yield workspace


def bot_in(place: Path, studio: Workspace, settings: Mapping[str, str]) -> Bot:
    """A set-up that is in order but for these settings."""
    place.mkdir(exist_ok=True)
    return Bot(place=place, environment=environment(place, studio.environment, **{**IN_ORDER, **settings}))


async def commanded(bot: Bot) -> tuple[int, Report]:
    """Run ``dailies doctor`` there; its exit code and what it printed."""
    code, out, err = await bot.command("doctor")
    report = read(out, bot)
    assert err == ""
    assert code == (1 if "FAIL" in report.levels.values() else 0)
    return code, report


async def examined(bot: Bot) -> Report:
    """The same in this process, which is quicker."""
    given = {name.lower(): value for name, value in bot.environment.items() if value}
    with contextlib.chdir(bot.place):
        known = {name: value for name, value in given.items() if name in Settings.model_fields}
        findings = await examine(Settings.model_validate(known))
    return read("\n".join(finding.line() for finding in findings), bot)


def read(out: str, bot: Bot) -> Report:
    """Whatever is wrong: every line is a finding, those that are not in order say how to mend it, and no secret is in
    them."""
    found = [LINE.fullmatch(line) for line in out.splitlines()]
    assert all(found), out
    lines = {match[2]: match[3] for match in found if match}
    levels = {match[2]: match[1] for match in found if match}
    given = [value for name, value in bot.environment.items() if SECRETS.search(name) and value]
    assert [value for value in [*given, PASSWORD] if value in out] == []
    assert all(("Mend: " in line) == (levels[name] != "ok") for name, line in lines.items())
    return Report(out=out, levels=levels, lines=lines)


async def test_a_set_up_in_order_is_found_in_order_and_nothing_was_spent(studio: Workspace, tmp_path: Path) -> None:
    bot = bot_in(tmp_path, studio, {})
    assert (await bot.command("migrate"))[0] == 0
    before = len(await studio.calls())

    code, report = await commanded(bot)

    assert (code, report.bad()) == (0, {})
    assert list(report.levels) == [
        "settings", "database", "media", "caps", "prices", "provider hiapi", "slack token", "slack scopes",
        "app token", "clock", "port",
    ]  # fmt: skip
    calls = [call["method"] for call in await studio.calls()][before:]
    assert calls == ["auth.test", "apps.connections.open"]
    assert (await studio.get("/providers/hiapi/requests")).get("create", 0) == 0
    assert not bot.media.exists()


BROKEN: dict[str, tuple[dict[str, str], str, str, str]] = {
    # what is set, the line that fails, what it says, how it is mended
    "no bot token": ({"SLACK_BOT_TOKEN": ""}, "slack", "SLACK_BOT_TOKEN", "environment or .env"),
    "no way in": (
        {"SLACK_APP_TOKEN": "", "SLACK_SIGNING_SECRET": ""}, "slack", "SLACK_SIGNING_SECRET", "environment or .env"
    ),
    "a wrong bot token": (
        {"SLACK_BOT_TOKEN": "xoxb-made-up-word"}, "slack token", "Slack answers invalid_auth", "SLACK_BOT_TOKEN"
    ),
    "a Slack that cannot be reached": (
        {"SLACK_API_URL": f"{NOBODY}/api/"}, "slack token", "cannot be reached", "SLACK_API_URL"
    ),
    "a wrong app token": (
        {"SLACK_APP_TOKEN": "xapp-made-up-word"}, "app token", "invalid_auth", "connections:write"
    ),
    "no provider key": ({"HIAPI_API_KEY": ""}, "provider", "HIAPI_API_KEY", "environment or .env"),
    "a wrong provider key": (
        {"HIAPI_API_KEY": "made-up-word"}, "provider hiapi", "it refuses the key", "correct HIAPI_API_KEY"
    ),
    "a provider that cannot be reached": (
        {"HIAPI_BASE_URL": NOBODY}, "provider hiapi", "cannot be reached", "HIAPI_BASE_URL"
    ),
    "a provider that there is not": ({"PROVIDERS": "hiapi,acme"}, "provider", "PROVIDERS names acme", ".env"),
    "a database of another kind": (
        {"DATABASE_URL": f"mysql://me:{PASSWORD}@127.0.0.1/clips"}, "database", "'mysql'", "DATABASE_URL"
    ),
    "a database server that is not there": (
        {"DATABASE_URL": f"postgresql://me:{PASSWORD}@127.0.0.1:9/clips"}, "database", "did not answer", "DATABASE_URL"
    ),
    "a database that is no database": (
        {"DATABASE_URL": "sqlite:///prices.toml"}, "database", "SQLITE_NOTADB", "DATABASE_URL"
    ),
    "a database in what is no folder": (
        {"DATABASE_URL": "sqlite:///prices.toml/dailies.db"}, "database", "is no folder", "DATABASE_URL"
    ),
    "a media store of another kind": ({"MEDIA_URL": "ftp://x/y"}, "media", "'ftp'", "MEDIA_URL"),
    "a media folder in what is no folder": ({"MEDIA_URL": "file:prices.toml/clips"}, "media", "no folder", "MEDIA_URL"),
    "a media folder that is a file": ({"MEDIA_URL": "file:prices.toml"}, "media", "media folder", "MEDIA_URL"),
    "a disk too small for a clip": (
        {"MEDIA_URL": "file:.", "MAX_CLIP_MB": "1000000000"}, "media", "less than one clip", "make room"
    ),
    "a price file that is not there": ({"PRICE_FILE": "none.toml"}, "prices", "none.toml", "PRICE_FILE"),
}  # fmt: skip


ALSO = {"a Slack that cannot be reached": {"app token"}}
"""Otherwise one cause is one failing line."""


@pytest.mark.parametrize("case", BROKEN)
async def test_what_is_broken_is_found_with_its_mend(studio: Workspace, tmp_path: Path, case: str) -> None:
    settings, name, says, mend = BROKEN[case]

    report = await examined(bot_in(tmp_path, studio, settings))

    text, _, advice = report.lines[name].partition("Mend: ")
    assert report.levels[name] == "FAIL", report.out
    assert says in text
    assert mend in advice
    failing = {other for other, level in report.levels.items() if level == "FAIL"}
    assert failing == {name, *ALSO.get(case, ())}


async def test_settings_that_cannot_be_read_are_the_only_finding(studio: Workspace, tmp_path: Path) -> None:
    bot = bot_in(tmp_path, studio, {"BUDGET_USER_DAY_USD": "many", "SLACK_BOT_TOKEN": "xoxb-made-up-word"})
    code, report = await commanded(bot)
    assert (code, report.levels) == (1, {"settings": "FAIL"})
    assert "BUDGET_USER_DAY_USD" in report.lines["settings"]
    assert ".env.example" in report.lines["settings"]


async def test_the_exit_code_tells_a_script_that_something_fails(studio: Workspace, tmp_path: Path) -> None:
    code, report = await commanded(bot_in(tmp_path, studio, {"HIAPI_API_KEY": "made-up-word"}))
    assert (code, report.levels["provider hiapi"]) == (1, "FAIL")


async def test_a_price_file_that_cannot_be_read_as_one_is_named(studio: Workspace, tmp_path: Path) -> None:
    bot = bot_in(tmp_path, studio, {})
    (tmp_path / "prices.toml").write_text('[hiapi.mini]\n"480p" = "cheap"\n', encoding="utf-8")
    report = await examined(bot)
    assert report.bad() == {"database": "warn", "prices": "FAIL"}
    assert 'the price of "480p" must be US dollars' in report.lines["prices"]


async def test_missing_scopes_are_named_one_by_one(studio: Workspace, tmp_path: Path) -> None:
    lacking = {"files:write", "reactions:read", "users:read"}
    await studio.post("/token", scopes=[scope for scope in BOT_SCOPES if scope not in lacking])
    try:
        report = await examined(bot_in(tmp_path, studio, {}))
    finally:
        await studio.post("/token", scopes=list(BOT_SCOPES))
    assert report.levels["slack scopes"] == "FAIL"
    assert "the token lacks files:write, reactions:read, users:read." in report.lines["slack scopes"]
    assert "nobody may spend" in report.lines["slack scopes"]
    assert "dailies manifest" in report.lines["slack scopes"]


async def test_without_the_scopes_that_read_channels_mentions_are_enough(studio: Workspace, tmp_path: Path) -> None:
    await studio.post("/token", scopes=[scope for scope in BOT_SCOPES if not scope.endswith(":history")])
    try:
        smart = await examined(bot_in(tmp_path, studio, {}))
        mention = await examined(bot_in(tmp_path, studio, {"THREAD_REPLIES": "mention"}))
    finally:
        await studio.post("/token", scopes=list(BOT_SCOPES))
    assert (smart.levels["slack scopes"], mention.levels["slack scopes"]) == ("FAIL", "ok")


@pytest.mark.parametrize(("hours", "word"), [(-1, "ahead of"), (1, "behind")])
async def test_a_clock_that_is_off_is_a_warning(studio: Workspace, tmp_path: Path, hours: int, word: str) -> None:
    there = datetime.now(UTC) + timedelta(hours=hours)
    answer: dict[str, Any] = {"ok": True, "team_id": "T1", "user_id": "U1", "bot_id": "B1"}
    headers = {"Date": format_datetime(there, usegmt=True), "x-oauth-scopes": ",".join(BOT_SCOPES)}
    await studio.fault("slack:auth.test", "before", "status", status=200, body=answer, headers=headers)
    report = await examined(bot_in(tmp_path, studio, {}))
    assert report.bad() == {"database": "warn", "clock": "warn"}
    assert re.search(rf"it is 3[56]\d\d s {word} Slack's\. Mend: .*NTP", report.lines["clock"])


async def test_a_port_that_somebody_else_has_is_found(studio: Workspace, tmp_path: Path) -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        report = await examined(bot_in(tmp_path, studio, {"HTTP_PORT": str(port)}))
    assert report.levels["port"] == "FAIL"
    assert f"127.0.0.1:{port} cannot be listened on" in report.lines["port"]
    assert "HTTP_PORT" in report.lines["port"]


async def test_what_only_could_be_better_does_not_fail(studio: Workspace, tmp_path: Path) -> None:
    """No cap, no prices of one's own, no tables yet, HTTP mode with an odd secret."""
    settings = {"BUDGET_USER_DAY_USD": "", "PRICE_FILE": "", "SLACK_APP_TOKEN": ""}
    code, report = await commanded(bot_in(tmp_path, studio, settings))
    assert code == 0
    assert report.bad() == dict.fromkeys(["database", "caps", "prices", "signing secret"], "warn")
    assert "BUDGET_WORKSPACE_MONTH_USD" in report.lines["caps"]
    assert "PRICE_FILE" in report.lines["prices"]
    assert "dailies migrate" in report.lines["database"]


async def test_a_secret_of_slacks_shape_is_taken_in_http_mode(studio: Workspace, tmp_path: Path) -> None:
    settings = {"SLACK_APP_TOKEN": "", "SLACK_SIGNING_SECRET": "0123456789abcdef" * 2}
    report = await examined(bot_in(tmp_path, studio, settings))
    assert report.bad() == {"database": "warn"}
    assert "HTTP mode" in report.lines["signing secret"]


async def test_beside_a_running_bot_everything_is_in_order(tmp_path: Path) -> None:
    async with stage(tmp_path, BUDGET_USER_DAY_USD="10") as play:
        port = (await play.bot.origin()).rpartition(":")[2]
        beside = replace(play.bot, environment={**play.bot.environment, "HTTP_PORT": port})
        report = await examined(beside)
        assert report.bad() == {}
        assert f"as process {play.bot.pid}" in report.lines["database"]
        assert "serves on" in report.lines["port"]
        await still_works(play)


async def still_works(play: Stage) -> None:
    """The bot that was looked at makes a clip."""
    assert (await play.studio.slash("maya", "/clip a red panda surfing"))["acked"]
    assert len(await play.clips(1)) == 1
