"""Whatever is sent to the bot over HTTP: the right status, exactly one short line in the log with nothing of the
request's words in it, no effect, and the bot goes on. One table; all its rows meet the same running bot."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
import pytest_asyncio

from tests.sandbox.driver import Json
from tests.scenarios.bot import Stage, stage
from tests.support.hostile import PATH, answers, challenge, command, request, signed
from tests.support.hostile_cases import CASES, Make
from tests.support.hostile_crowd import flooding, open_files
from tests.support.oddities import FORM, JUST_FITS, MARK, ODDITIES

pytestmark = pytest.mark.asyncio(loop_scope="module")

LONGEST_LINE = 300
SLOW_SECONDS = 5.0
"""How long the bot waits for headers, and for a body."""

FEW_FILES = 256
"""May be open in the bot: far fewer than a crowd of connections would take."""

BARRIER = request(b"")
"""It has a line of its own (401), after everything that was logged before it."""


@dataclass(frozen=True, kw_only=True)
class Door:
    """The bot's address and Slack's secret."""

    play: Stage
    port: int
    secret: bytes

    def signed(self, body: bytes) -> dict[str, str]:
        """Slack's two headers for a body."""
        return signed(self.secret, body)

    async def send(self, sent: bytes, *, drip: bytes = b"", within: float = 10.0) -> list[tuple[int, bytes]]:
        """Send these bytes, then ``drip`` one at a time; status and body of all answers until the bot hangs up."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(sent)
        dripping = asyncio.create_task(_drip(writer, drip))
        try:
            async with asyncio.timeout(within):
                return answers(await reader.read())
        finally:
            dripping.cancel()
            await asyncio.gather(dripping, return_exceptions=True)
            writer.close()

    async def hang_up_after(self, sent: bytes) -> None:
        """Send these bytes and close the connection without waiting for an answer."""
        _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(sent)
        await writer.drain()
        writer.close()

    def log(self) -> list[str]:
        """The lines that the bot has logged, without its everyday work."""
        lines = self.play.bot.log().splitlines()
        return [line for line in lines if '"logger": "apscheduler' not in line]

    async def effects(self) -> list[Any]:
        """What a request could leave behind: rows of ours, orders and charges at the provider."""
        tables = ("asks", "jobs", "inbox", "ledger", "timeline")
        rows = [self.play.bot.rows(f"select * from {table}") for table in tables]
        return [*rows, await self.play.studio.get("/providers/hiapi/ledger")]

    async def healthy(self) -> bool:
        """Whether the bot says that it is."""
        async with httpx.AsyncClient(trust_env=False) as http:
            return (await http.get(f"http://127.0.0.1:{self.port}/healthz")).status_code == 200


async def _drip(writer: asyncio.StreamWriter, body: bytes) -> None:
    for byte in body:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.3)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def door(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Door]:
    """One bot for all cases; after them it still makes a clip, its log holds no line that nobody looked at, and it
    stops as it should in the middle of bodies."""
    place: Path = tmp_path_factory.mktemp("hostile")
    async with stage(place, mode="http", start=False) as play:
        with open_files(FEW_FILES):
            await play.start_bot()
        origin = await play.bot.origin()
        secret = play.studio.environment["SLACK_SIGNING_SECRET"].encode()
        one = Door(play=play, port=int(origin.rpartition(":")[2]), secret=secret)
        yield one
        assert play.bot.running()
        assert MARK not in play.bot.log()
        assert [line for line in one.log() if len(line) > LONGEST_LINE] == []
        await play.studio.slash("maya", "/clip a red panda surfing")
        assert len(await play.clips(1)) == 1
        await stops_among_bodies_under_way(one)


async def stops_among_bodies_under_way(door: Door) -> None:
    """Each sender is told, or cut off; each is one line, and the bot ends in time and well."""
    unfinished = request(command()[:9], content_type=FORM, length="99", headers=door.signed(b""), close=False)
    slow = [asyncio.create_task(door.send(unfinished)) for _ in range(60)]
    await asyncio.sleep(0.3)
    before = len(door.log())
    assert await door.play.bot.terminate() == 0
    assert [[status for status, _ in one] for one in await asyncio.gather(*slow)] == [[503]] * 60
    lines = [json.loads(line) for line in door.log()[before:]]
    assert [line["why"] for line in lines if line["event"] == "http.refused"] == ["stopping"] * 60
    assert "Traceback" not in door.play.bot.log()


@pytest.mark.parametrize("name", CASES)
async def test_it_gets_its_status_and_one_short_line_and_changes_nothing(door: Door, name: str) -> None:
    case = CASES[name]
    effects, lines = await door.effects(), len(door.log())

    answered = await door.send(case.make(door.secret))

    assert [status for status, _ in answered] == [case.status]
    (line,) = await new_lines(door, lines)
    if case.status == 200:
        assert line["event"] == "slack.unhandled"
    else:
        assert (line["event"], line["why"], line["status"]) == (case.event, case.why, case.status)
    assert await door.effects() == effects
    assert await door.healthy()


SLOW: dict[str, tuple[Make, bytes, str]] = {
    "a body that does not come": (
        lambda secret: request(length=str(len(command())), content_type=FORM, headers=signed(secret, command())),
        b"",
        "body too slow",
    ),
    "a body that drips": (
        lambda secret: request(length=str(len(command())), content_type=FORM, headers=signed(secret, command())),
        command(),
        "body too slow",
    ),
    "headers that stop": (lambda _: request()[:40], b"", "headers too slow"),
    "headers that drip": (lambda _: request()[:40], b"X-Mark: " + MARK.encode() * 9, "headers too slow"),
    "headers that stop after a request": (
        lambda _: request(path="/healthz", method="GET", length=None, close=False) + request()[:40],
        b"",
        "headers too slow",
    ),
}


async def test_what_is_slow_is_answered_by_its_whole_time_however_its_bytes_come(door: Door) -> None:
    """All of them at once; every byte that drips comes soon after the last, and all of them would take minutes."""
    effects, lines, began = await door.effects(), len(door.log()), time.monotonic()

    answered = await asyncio.gather(*(door.send(make(door.secret), drip=drip) for make, drip, _ in SLOW.values()))

    assert SLOW_SECONDS - 0.5 < time.monotonic() - began < SLOW_SECONDS + 3
    statuses = [[status for status, _ in one] for one in answered]
    assert dict(zip(SLOW, statuses, strict=True)) == {
        name: [200, 408] if name == "headers that stop after a request" else [408] for name in SLOW
    }
    logged = [(line["event"], line["status"], line["why"]) for line in await new_lines(door, lines)]
    assert sorted(logged) == sorted(("http.refused", 408, why) for _, _, why in SLOW.values())
    assert await door.effects() == effects
    assert await door.healthy()


async def test_a_sender_that_hangs_up_in_the_middle_leaves_one_line(door: Door) -> None:
    effects, lines = await door.effects(), len(door.log())
    body = command()
    await door.hang_up_after(request(body[:10], content_type=FORM, length=str(len(body)), headers=door.signed(body)))
    async with asyncio.timeout(5):
        while len(door.log()) == lines:
            await asyncio.sleep(0.02)
    (line,) = await new_lines(door, lines)
    assert line["event"] == "http.left"
    assert await door.effects() == effects


async def test_a_refused_path_is_named_shortly_without_what_could_be_a_secret(door: Door) -> None:
    """Whoever set a wrong Request URL finds the path in the log; words in it, and everything behind ``?``, are cut."""
    lines = len(door.log())
    for path in ("/slack/event", f"/media/{'t' * 60}/x?token={MARK}", "/" + "a/" * 60, "/slack%0aevents"):
        await door.send(request(method="GET", path=path, length=None))
    named = [line["path"] for line in await new_lines(door, lines)]
    assert named == ["/slack/event", f"/media/{'t' * 12}…/x", ("/" + "a/" * 60)[:60] + "…", "/slack%0aevents"]


async def test_the_clock_is_named_with_how_far_it_is_away(door: Door) -> None:
    lines = len(door.log())
    await door.send(CASES["six minutes ago"].make(door.secret))
    (line,) = await new_lines(door, lines)
    assert line["apart_seconds"] == pytest.approx(360, abs=3)


async def test_requests_in_one_piece_are_judged_one_by_one(door: Door) -> None:
    """Beside a good challenge stands a forged command; the answer to one does not open the door for its neighbour."""
    good = request(challenge("spoken"), headers=door.signed(challenge("spoken")), close=False)
    effects, lines = await door.effects(), len(door.log())

    answered = await door.send(good + good + request(command(), content_type=FORM))

    assert [status for status, _ in answered] == [200, 200, 401]
    assert json.loads(answered[0][1]) == {"challenge": "spoken"}
    assert len(await new_lines(door, lines)) == 1
    assert await door.effects() == effects


async def test_a_look_at_the_certificate_is_answered_and_does_nothing(door: Door) -> None:
    effects, lines = await door.effects(), len(door.log())
    asked = b"ssl_check=1&token=x"
    assert await door.send(request(method="GET", path=f"{PATH}?ssl_check=1", length=None)) == [(200, b"")]
    assert await door.send(request(asked, content_type=FORM, headers=door.signed(asked))) == [(200, b"")]
    assert await new_lines(door, lines) == []
    assert await door.effects() == effects


async def test_headers_that_steer_bolt_from_outside_are_not_passed_on(door: Door) -> None:
    """Bolt has a header that makes it skip the listener; with it a command would be answered and lost."""
    steering = {"X-Slack-Bolt-Lazy-Only": "1", "X-Slack-Bolt-Lazy-Function-Name": "clip"}
    body = urlencode({"command": "/clip", "text": "help", "channel_id": "C0DAILIES1", "user_id": "U1",
                      "team_id": "T0DAILIES1", "trigger_id": "1.2.steer"}).encode()  # fmt: skip
    ((status, answer),) = await door.send(request(body, content_type=FORM, headers=door.signed(body) | steering))
    assert status == 200
    assert "/clip" in json.loads(answer)["text"]


async def test_unsigned_bodies_of_any_size_are_answered_without_being_read(door: Door) -> None:
    """Also by who sends all of it before listening: the answer must not be lost in a broken connection."""
    large = request(b"x" * 900_000, close=False) + request(close=True)
    lines = len(door.log())
    assert [status for status, _ in await door.send(large)] == [401, 401]
    assert [line["why"] for line in await new_lines(door, lines)] == ["no request-timestamp"] * 2


async def test_a_crowd_that_says_nothing_shuts_nobody_out(door: Door) -> None:
    """More connections than the bot may have files, all the time: Slack's requests are answered among them."""
    lines, spoken = len(door.log()), challenge("spoken")
    with flooding(door.port, most=2 * FEW_FILES) as flood:
        await asyncio.to_thread(lambda: wait_for(lambda: flood.opened > 2 * FEW_FILES))
        for _ in range(5):
            began = time.monotonic()
            ((status, _),) = await door.send(request(spoken, headers=door.signed(spoken)))
            assert status == 200
            assert time.monotonic() - began < 3, "Slack waits for so long"
    logged = await new_lines(door, lines)
    assert {line["event"] for line in logged} == {"http.crowded"}
    assert await door.healthy()


@pytest.mark.storm
@pytest.mark.timeout(120)
@pytest.mark.parametrize("claim", [False, True])
async def test_a_flood_of_real_size_costs_neither_clips_nor_memory_nor_log(tmp_path: Path, claim: bool) -> None:
    """Ten seconds of connections with commands among them, and then 480 bodies of a megabyte, unsigned or signed with
    another secret."""
    async with stage(tmp_path, mode="http", start=False) as play:
        with open_files(1024):
            await play.start_bot()
        door = Door(play=play, port=int((await play.bot.origin()).rpartition(":")[2]), secret=b"guessed")
        with flooding(door.port, most=900) as flood:
            for prompt in ("a red panda", "an otter"):
                await play.studio.slash("maya", f"/clip {prompt}")
                await asyncio.sleep(5)
            assert flood.opened > 2000
        assert len(await play.clips(2)) == 2
        assert play.bot.log().count("http.crowded") < 20
        assert "system resource" not in play.bot.log()

        before, most = resident(play.bot.pid), 0
        body = b"x" * 999_999
        sent = request(body, headers=door.signed(body) if claim else {}, length="1000000")
        senders = asyncio.gather(*(door.send(sent, within=60) for _ in range(480)), return_exceptions=True)
        while not senders.done():
            most = max(most, resident(play.bot.pid))
            await asyncio.sleep(0.05)
        assert most - before < 150_000_000
        assert await door.healthy()
        assert "Traceback" not in play.bot.log()


def resident(pid: int) -> int:
    """Bytes of memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * 4096


def wait_for(happened: Callable[[], bool]) -> None:
    """Return when it has happened, within ten seconds."""
    deadline = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


async def test_the_table_is_as_long_as_promised_and_reaches_the_limit() -> None:
    assert len(CASES) > 100
    assert len(ODDITIES["a byte less than a megabyte"].body) == JUST_FITS


async def new_lines(door: Door, before: int) -> list[Json]:
    """The lines after the first ``before``, up to a line that is made on purpose and left out; each is short."""
    assert [status for status, _ in await door.send(BARRIER)] == [401]
    async with asyncio.timeout(10):
        while not (new := door.log()[before:]) or '"no request-timestamp"' not in new[-1]:
            await asyncio.sleep(0.02)
    assert [line for line in new if len(line) > LONGEST_LINE] == []
    assert MARK not in "".join(new)
    return [json.loads(line) for line in new[:-1]]
