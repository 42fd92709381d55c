"""``dailies doctor`` over set-ups that are broken in one way each: it finds that and nothing else, says exactly how to
mend it, shows no secret and spends nothing. All cases share one sandbox."""

import contextlib
import os
import re
import shutil
import socket
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import pytest_asyncio

from bot.doctor import examine, unreadable
from bot.sandbox.slack.settings import BOT_SCOPES
from bot.settings import BadSetting, Settings
from storage import migrate
from tests.sandbox.driver import Workspace, start_sandbox
from tests.scenarios.bot import Bot, Stage, environment, stage
from tests.scenarios.broken_setups import BROKEN, IN_SETTINGS, PASSWORD, WITHOUT_TOKEN

pytestmark = pytest.mark.asyncio(loop_scope="module")

LINE = re.compile(r"(ok|skip|warn|FAIL) +([^:]+): (.+?)(?: Mend: (.+))?")
SECRETS = re.compile(r"TOKEN|SECRET|KEY")
IN_ORDER: dict[str, Any] = {"BUDGET_USER_DAY_USD": "10", "PUBLIC_URL": "https://dailies.example.com"}

NAMES = [
    "settings", "database", "media", "caps", "prices", "provider hiapi", "modes", "files", "slack token",
    "slack scopes", "app token", "clock", "port",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Line:
    """One finding as it was printed."""

    level: str
    text: str
    mend: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """What the doctor printed, by name."""

    out: str
    lines: dict[str, Line]

    def bad(self) -> dict[str, str]:
        """The levels of everything that is to be mended."""
        return {name: line.level for name, line in self.lines.items() if line.level in {"warn", "FAIL"}}

    def skipped(self) -> frozenset[str]:
        """What could not be looked at."""
        return frozenset(name for name, line in self.lines.items() if line.level == "skip")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def studio(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Workspace]:
    """One pretend Slack and provider."""
    async with start_sandbox(data=tmp_path_factory.mktemp("sandbox")) as workspace:
        yield workspace


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that is in order, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "dailies.db"
    await migrate(f"sqlite:///{path}")
    return path


def bot_in(place: Path, studio: Workspace, settings: Mapping[str, str], database: Path | None = None) -> Bot:
    """A set-up that is in order but for these settings; without ``database`` it was never migrated."""
    place.mkdir(exist_ok=True)
    if database is not None:
        shutil.copy(database, place / "dailies.db")
    return Bot(place=place, environment=environment(place, studio.environment, **{**IN_ORDER, **settings}))


async def commanded(bot: Bot) -> tuple[int, Report]:
    """Run ``dailies doctor`` there; its exit code and what it printed."""
    code, out, err = await bot.command("doctor")
    report = read(out, bot)
    assert err == ""
    assert code == (1 if "FAIL" in report.bad().values() else 0)
    return code, report


async def examined(bot: Bot) -> Report:
    """The same in this process, which is quicker."""
    with contextlib.chdir(bot.place), patch.dict(os.environ, bot.environment, clear=True):
        try:
            findings = await examine(Settings())
        except BadSetting as error:
            findings = [unreadable(error)]
    return read("\n".join(finding.line() for finding in findings), bot)


def read(out: str, bot: Bot) -> Report:
    """Whatever is wrong: every line is a finding, those that are not in order say how to mend it, and no secret is in
    them."""
    found = [LINE.fullmatch(line) for line in out.splitlines()]
    assert all(found), out
    lines = {match[2]: Line(level=match[1], text=match[3], mend=match[4] or "") for match in found if match}
    given = [value for name, value in bot.environment.items() if SECRETS.search(name) and value]
    assert [value for value in [*given, PASSWORD] if value in out] == []
    assert all(bool(line.mend) == (line.level in {"warn", "FAIL"}) for line in lines.values()), out
    return Report(out=out, lines=lines)


async def test_a_set_up_in_order_is_found_in_order_and_nothing_was_spent(
    studio: Workspace, tmp_path: Path, migrated: Path
) -> None:
    bot = bot_in(tmp_path, studio, {}, migrated)
    before = len(await studio.calls())

    code, report = await commanded(bot)

    assert (code, report.bad(), report.skipped()) == (0, {}, frozenset())
    assert list(report.lines) == NAMES
    calls = [call["method"] for call in await studio.calls()][before:]
    assert calls == ["auth.test", "apps.connections.open"]
    assert (await studio.get("/providers/hiapi/requests")).get("create", 0) == 0
    assert not bot.media.exists()
    assert not (tmp_path / "dailies.db.lock").exists()


# --- what is broken, and the one line that says so -------------------------------------------------------------------


@pytest.mark.parametrize("case", BROKEN)
async def test_what_is_broken_is_found_with_its_mend_and_nothing_else_is(
    studio: Workspace, tmp_path: Path, migrated: Path, case: str
) -> None:
    broken = BROKEN[case]
    bot = bot_in(tmp_path, studio, broken.settings, migrated)
    if broken.fault is not None:
        point, kind, rule = broken.fault
        await studio.fault(point, "before", kind, **rule)

    began = time.monotonic()
    with broken.around(tmp_path):
        report = await examined(bot)

    line = report.lines.get(broken.line, Line(level="", text=report.out, mend=""))
    assert report.bad() == {broken.line: broken.level}, report.out
    assert broken.says.replace("{place}", str(tmp_path)) in line.text
    assert line.mend == broken.mend.replace("{place}", str(tmp_path))
    assert report.skipped() == broken.skipped
    assert time.monotonic() - began < 8
    assert [rule for rule in await studio.faults() if not rule["fired"]] == []


@pytest.mark.parametrize(
    ("case", "command"),
    [
        (".env is a folder", "run"),
        ("a port that is a word", "run"),
        ("a port that is too large", "migrate"),
        ("a provider misspelt beside a price", "run"),
    ],
)
async def test_the_other_commands_say_it_in_a_line_and_end(
    studio: Workspace, tmp_path: Path, case: str, command: str
) -> None:
    """A process each, since it is about what main() catches."""
    bot = bot_in(tmp_path, studio, BROKEN[case].settings)
    with BROKEN[case].around(tmp_path):
        code, out, err = await bot.command(command)
    (said,) = [line for line in err.splitlines() if not line.startswith("{")]
    assert (code, out) == (1, "")
    assert said.startswith("dailies: ")
    assert BROKEN[case].says.split(";")[0] in said
    assert PASSWORD not in err


# --- what takes more than a row to say -------------------------------------------------------------------------------


async def test_settings_that_cannot_be_read_are_the_only_finding(studio: Workspace, tmp_path: Path) -> None:
    wrong = {
        "BUDGET_USER_DAY_USD": "many",
        "SLACK_BOT_TOKEN": "xoxb-made-up-word",
        "HIAPI_BASE_URL": "api.hiapi.ai",
        "SLACK_API_URL": f"https://me:{PASSWORD}@slack.com/api/",
        "REACTION_PROMOTE": "x",
        "ADMIN_USERS": "@maya",
    }
    (tmp_path / ".env").write_text(f"HIAPI_API_KEY {PASSWORD}\n", encoding="utf-8")
    code, report = await commanded(bot_in(tmp_path, studio, wrong))
    assert (code, report.bad()) == (1, {"settings": "FAIL"})
    said = report.lines["settings"]
    assert "BUDGET_USER_DAY_USD: Input should be a valid number" in said.text
    assert "HIAPI_BASE_URL: it is no address such as https://" in said.text
    assert "SLACK_API_URL: it must not hold a user or a password" in said.text
    assert "REACTION_CANCEL: it and REACTION_PROMOTE (when unset: rocket) must not name the same reaction" in said.text
    assert "ADMIN_USERS: it takes member ids" in said.text
    assert said.text.endswith(".")
    assert said.mend == IN_SETTINGS


async def test_the_exit_code_tells_a_script_that_something_fails(
    studio: Workspace, tmp_path: Path, migrated: Path
) -> None:
    code, report = await commanded(bot_in(tmp_path, studio, {"HIAPI_API_KEY": "made-up-word"}, migrated))
    assert (code, report.bad()) == (1, {"provider hiapi": "FAIL"})


async def test_missing_scopes_are_named_one_by_one(studio: Workspace, tmp_path: Path, migrated: Path) -> None:
    lacking = {"files:write", "reactions:read", "users:read"}
    await studio.post("/token", scopes=[scope for scope in BOT_SCOPES if scope not in lacking])
    try:
        socket_mode = await examined(bot_in(tmp_path, studio, {}, migrated))
        over_http = {"SLACK_APP_TOKEN": "", "SLACK_SIGNING_SECRET": "0123456789abcdef" * 2, "THREAD_REPLIES": "mention"}
        http_mode = await examined(bot_in(tmp_path, studio, over_http))
    finally:
        await studio.post("/token", scopes=list(BOT_SCOPES))
    assert socket_mode.bad() == http_mode.bad() == {"slack scopes": "FAIL"}
    lacks = "the token lacks files:write, reactions:read, users:read."
    nobody = "Without users:read Slack does not say who people are, and nobody may spend."
    assert socket_mode.lines["slack scopes"].text == f"{lacks} {nobody}"
    mend = "Paste the output of `{}` under App Manifest of the app, and install it anew under Install App."
    assert socket_mode.lines["slack scopes"].mend == mend.format("dailies manifest")
    own = "dailies manifest --http https://YOUR-HOST --replies mention"
    assert http_mode.lines["slack scopes"].mend == mend.format(own)


async def test_without_the_scopes_that_read_channels_mentions_are_enough(studio: Workspace, tmp_path: Path) -> None:
    await studio.post("/token", scopes=[scope for scope in BOT_SCOPES if not scope.endswith(":history")])
    try:
        smart = await examined(bot_in(tmp_path, studio, {}))
        mention = await examined(bot_in(tmp_path, studio, {"THREAD_REPLIES": "mention"}))
    finally:
        await studio.post("/token", scopes=list(BOT_SCOPES))
    assert (smart.lines["slack scopes"].level, mention.lines["slack scopes"].level) == ("FAIL", "ok")


@pytest.mark.parametrize(("hours", "word"), [(-1, "ahead of"), (1, "behind")])
async def test_a_clock_that_is_off_is_a_warning(
    studio: Workspace, tmp_path: Path, migrated: Path, hours: int, word: str
) -> None:
    there = datetime.now(UTC) + timedelta(hours=hours)
    answer: dict[str, Any] = {"ok": True, "team_id": "T1", "user_id": "U1", "bot_id": "B1"}
    headers = {"Date": format_datetime(there, usegmt=True), "x-oauth-scopes": ",".join(BOT_SCOPES)}
    await studio.fault("slack:auth.test", "before", "status", status=200, body=answer, headers=headers)
    report = await examined(bot_in(tmp_path, studio, {}, migrated))
    assert report.bad() == {"clock": "warn"}
    assert re.fullmatch(rf"it is 3[56]\d\d s {word} Slack's\.", report.lines["clock"].text)
    assert "NTP" in report.lines["clock"].mend


async def test_a_persons_token_is_told_from_a_bots(studio: Workspace, tmp_path: Path, migrated: Path) -> None:
    answer = {"ok": True, "team_id": "T1", "user_id": "U1"}
    await studio.fault("slack:auth.test", "before", "status", status=200, body=answer)
    report = await examined(bot_in(tmp_path, studio, {}, migrated))
    assert (report.bad(), report.skipped()) == ({"slack token": "FAIL"}, WITHOUT_TOKEN)
    assert report.lines["slack token"].text == "it is a person's token, and not the app's."
    assert "Bot User OAuth Token" in report.lines["slack token"].mend


async def test_a_port_that_somebody_else_has_is_found(studio: Workspace, tmp_path: Path, migrated: Path) -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        report = await examined(bot_in(tmp_path, studio, {"HTTP_PORT": str(port)}, migrated))
    assert report.bad() == {"port": "FAIL"}
    assert report.lines["port"] == Line(
        level="FAIL",
        text=f"nothing can listen on 127.0.0.1:{port}: Address already in use.",
        mend=f"End the program that listens there (`lsof -i :{port}` shows it), or set HTTP_PORT to another port.",
    )


async def test_a_set_up_that_is_merely_new_does_not_fail(studio: Workspace, tmp_path: Path) -> None:
    """No cap, no prices of one's own, no tables yet, HTTP mode with an odd secret."""
    settings = {"BUDGET_USER_DAY_USD": "", "PRICE_FILE": "", "SLACK_APP_TOKEN": ""}
    code, report = await commanded(bot_in(tmp_path, studio, settings))
    assert code == 0
    assert report.bad() == dict.fromkeys(["database", "caps", "prices", "signing secret"], "warn")


async def test_a_secret_of_slacks_shape_is_taken_in_http_mode(
    studio: Workspace, tmp_path: Path, migrated: Path
) -> None:
    settings = {"SLACK_APP_TOKEN": "", "SLACK_SIGNING_SECRET": "0123456789abcdef" * 2}
    report = await examined(bot_in(tmp_path, studio, settings, migrated))
    assert report.bad() == {}
    assert "HTTP mode" in report.lines["signing secret"].text


async def test_a_file_env_with_a_mark_at_its_beginning_is_read(
    studio: Workspace, tmp_path: Path, migrated: Path
) -> None:
    """Editors on Windows put one before UTF-8; it is not part of the first name."""
    bot = bot_in(tmp_path, studio, {"BUDGET_USER_DAY_USD": ""}, migrated)
    (tmp_path / ".env").write_bytes(b"\xef\xbb\xbfBUDGET_USER_DAY_USD=3\n")
    assert (await examined(bot)).bad() == {}


async def test_beside_a_running_bot_everything_is_in_order(tmp_path: Path) -> None:
    async with stage(tmp_path, **IN_ORDER) as play:
        port = (await play.bot.origin()).rpartition(":")[2]
        beside = replace(play.bot, environment={**play.bot.environment, "HTTP_PORT": port})
        report = await examined(beside)
        assert (report.bad(), report.skipped()) == ({}, frozenset())
        assert f"as process {play.bot.pid}" in report.lines["database"].text
        assert "serves on" in report.lines["port"].text
        await still_works(play)


async def still_works(play: Stage) -> None:
    """The bot that was looked at makes a clip."""
    assert (await play.studio.slash("maya", "/clip a red panda surfing"))["acked"]
    assert len(await play.clips(1)) == 1
