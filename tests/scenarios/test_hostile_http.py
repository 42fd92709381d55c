"""Whatever is sent to the door in HTTP mode: the right status, one short line in the log, no effect, and the bot goes
on. All cases meet the same running bot."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import pytest_asyncio

from handlers.verification import signature
from tests.sandbox.driver import Json
from tests.scenarios.bot import Stage, stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATH = "/slack/events"
TIME, SIGN = "X-Slack-Request-Timestamp", "X-Slack-Signature"
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MARK = "a-lighthouse-that-nobody-may-see"
"""In every body and in hostile headers: nothing of it may come into the log."""

LONGEST_LINE = 300
SLOW_SECONDS = 5.0
"""How long the bot waits for a body."""


@dataclass(frozen=True, kw_only=True)
class Door:
    """The bot's address and Slack's secret."""

    play: Stage
    port: int
    secret: bytes

    def signed(self, body: bytes, *, at: float | None = None, secret: bytes | None = None) -> dict[str, str]:
        """Slack's two headers for a body."""
        timestamp = str(int(time.time() if at is None else at))
        sign = signature(self.secret if secret is None else secret, timestamp.encode(), body)
        return {TIME: timestamp, SIGN: sign.decode()}

    async def send(self, *pieces: bytes, pause: float = 0.0, within: float = 10.0) -> list[int]:
        """Send these bytes, with a pause between them; the statuses of all answers until the bot hangs up."""
        return [status for status, _ in await self.answers(*pieces, pause=pause, within=within)]

    async def answers(self, *pieces: bytes, pause: float = 0.0, within: float = 10.0) -> list[tuple[int, bytes]]:
        """As ``send``, with the bodies."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            async with asyncio.timeout(within):
                for number, piece in enumerate(pieces):
                    if number:
                        await asyncio.sleep(pause)
                    writer.write(piece)
                    await writer.drain()
                return _parsed(await reader.read())
        finally:
            writer.close()

    def log(self) -> list[str]:
        """The lines that the bot has logged, without its everyday work."""
        lines = self.play.bot.log().splitlines()
        return [line for line in lines if '"logger": "apscheduler' not in line]

    def effects(self) -> list[Any]:
        """What a request could leave behind: rows of ours, orders at the provider."""
        tables = ("asks", "jobs", "inbox", "ledger", "timeline")
        return [self.play.bot.rows(f"select * from {table}") for table in tables]


def _parsed(answer: bytes) -> list[tuple[int, bytes]]:
    found = []
    for part in answer.split(b"HTTP/1.1 ")[1:]:
        head, _, body = part.partition(b"\r\n\r\n")
        found.append((int(head.split()[0]), body))
    return found


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def door(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Door]:
    """One bot for all cases; after them it still makes a clip."""
    place: Path = tmp_path_factory.mktemp("hostile")
    async with stage(place, mode="http") as play:
        origin = await play.bot.origin()
        secret = play.studio.environment["SLACK_SIGNING_SECRET"].encode()
        yield Door(play=play, port=int(origin.rpartition(":")[2]), secret=secret)
        assert play.bot.running()
        await play.studio.slash("maya", "/clip a red panda surfing")
        assert len(await play.clips(1)) == 1


def http(
    body: bytes = b"",
    *,
    method: str = "POST",
    path: str = PATH,
    type_: str | None = JSON,
    length: str | None = "",
    more: dict[str, str] | list[tuple[str, str]] | None = None,
) -> bytes:
    """One request's bytes. ``length`` empty: the true one; None: no header."""
    headers = [("Host", "bot.example"), ("Connection", "close")]
    if type_ is not None:
        headers.append(("Content-Type", type_))
    if length is not None:
        headers.append(("Content-Length", length or str(len(body))))
    headers += list(more.items()) if isinstance(more, dict) else more or []
    head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers) + "\r\n"
    return head.encode("latin-1") + body


def command() -> bytes:
    """A slash command that would make a job."""
    fields = {
        "command": "/clip",
        "text": MARK,
        "team_id": "T0DAILIES1",
        "channel_id": "C0DAILIES1",
        "user_id": "U0MAYA0001",
        "trigger_id": f"1.2.{MARK}",
    }
    return urlencode(fields).encode()


def event() -> bytes:
    """An event as Slack sends it."""
    wrapped = {"type": "event_callback", "event_id": "Ev1", "event": {"type": "app_mention", "text": MARK}}
    return json.dumps(wrapped).encode()


def forged(headers: dict[str, str] | list[tuple[str, str]]) -> bytes:
    """The command with these headers of Slack's."""
    return http(command(), type_=FORM, more=headers)


Make = Callable[[Door], bytes]

UNVERIFIED: dict[str, Make] = {
    "no headers of Slack's": lambda door: http(command(), type_=FORM),
    "no timestamp": lambda door: forged({SIGN: door.signed(command())[SIGN]}),
    "no signature": lambda door: forged({TIME: str(int(time.time()))}),
    "another secret": lambda door: forged(door.signed(command(), secret=b"guessed")),
    "an empty secret": lambda door: forged(door.signed(command(), secret=b"")),
    "another body": lambda door: http(command() + b"&x=1", type_=FORM, more=door.signed(command())),
    "an empty body for a signed one": lambda door: http(b"", type_=FORM, more=door.signed(command())),
    "a timestamp that was not signed": lambda door: forged(door.signed(command()) | {TIME: str(int(time.time()) - 30)}),
    "a timestamp that is no number": lambda door: forged(door.signed(command()) | {TIME: MARK}),
    "a timestamp with a fraction": lambda door: forged(door.signed(command()) | {TIME: f"{time.time():.3f}"}),
    "a timestamp of four thousand digits": lambda door: forged(door.signed(command()) | {TIME: "9" * 4400}),
    "a timestamp beyond ASCII": lambda door: forged(door.signed(command()) | {TIME: "1²³"}),
    "a signature beyond ASCII": lambda door: forged(door.signed(command()) | {SIGN: f"v0={'é' * 64}"}),
    "a signature in capitals": lambda door: forged(
        {name: value.upper() for name, value in door.signed(command()).items()}
    ),
    "a signature of another version": lambda door: forged(
        door.signed(command()) | {SIGN: door.signed(command())[SIGN].replace("v0", "v1")}
    ),
    "a signature cut short": lambda door: forged(door.signed(command()) | {SIGN: door.signed(command())[SIGN][:-1]}),
    "two signatures, one of them good": lambda door: forged(
        [(SIGN, f"v0={'0' * 64}"), *door.signed(command()).items()]
    ),
    "two timestamps, one of them good": lambda door: forged([*door.signed(command()).items(), (TIME, "1")]),
    "an unsigned challenge": lambda door: http(json.dumps({"type": "url_verification", "challenge": MARK}).encode()),
    "an unsigned certificate check": lambda door: http(b"ssl_check=1&token=x", type_=FORM),
    "unsigned and of a wrong type": lambda door: http(command(), type_="text/plain"),
    "unsigned and broken": lambda door: http(b"{" + MARK.encode()),
}


@pytest.mark.parametrize("case", UNVERIFIED)
async def test_what_slack_did_not_sign_is_refused(door: Door, case: str) -> None:
    await without_effect(door, 401, UNVERIFIED[case](door))


@pytest.mark.parametrize("minutes", [-6, 6])
async def test_a_signed_request_from_six_minutes_away_is_refused_and_the_log_speaks_of_clocks(
    door: Door, minutes: int
) -> None:
    signed = door.signed(command(), at=time.time() + 60 * minutes)

    line = await without_effect(door, 401, http(command(), type_=FORM, more=signed))

    assert line["why"] == "clock"
    assert line["apart_seconds"] == pytest.approx(-60 * minutes, abs=3)


def by_slack(door: Door, body: bytes, type_: str | None = JSON, more: dict[str, str] | None = None) -> bytes:
    """A request with a good signature."""
    return http(body, type_=type_, more=door.signed(body) | (more or {}))


SIGNED: dict[str, tuple[int, Make]] = {
    "plain text": (415, lambda door: by_slack(door, command(), "text/plain")),
    "a multipart form": (415, lambda door: by_slack(door, command(), "multipart/form-data; boundary=x")),
    "no content type": (415, lambda door: by_slack(door, command(), None)),
    "a compressed body": (415, lambda door: by_slack(door, command(), FORM, {"Content-Encoding": "gzip"})),
    "broken JSON": (400, lambda door: by_slack(door, b'{"type": "event_callback", ' + MARK.encode())),
    "JSON that is a list": (400, lambda door: by_slack(door, json.dumps([MARK]).encode())),
    "JSON that is null": (400, lambda door: by_slack(door, b"null")),
    "JSON a hundred thousand deep": (400, lambda door: by_slack(door, b"[" * 100_000)),
    "JSON that is not UTF-8": (400, lambda door: by_slack(door, b'{"type": "\xff\xfe\xfd"}')),
    "no JSON at all": (400, lambda door: by_slack(door, b"")),
    "a payload that is not JSON": (400, lambda door: by_slack(door, urlencode({"payload": MARK}).encode(), FORM)),
    "a payload that is a list": (400, lambda door: by_slack(door, urlencode({"payload": "[1]"}).encode(), FORM)),
    "an empty payload": (400, lambda door: by_slack(door, b"payload=", FORM)),
    "a form that is not UTF-8": (400, lambda door: by_slack(door, b"command=%ff%fe", FORM)),
    "an event that is a word": (
        400, lambda door: by_slack(door, json.dumps({"type": "event_callback", "event": MARK}).encode())
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SIGNED)
async def test_what_slack_signed_and_cannot_be_read_is_refused(door: Door, case: str) -> None:
    status, make = SIGNED[case]
    await without_effect(door, status, make(door))


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_only_posts_are_taken(door: Door, method: str) -> None:
    await without_effect(door, 405, http(command(), method=method, type_=FORM, more=door.signed(command())))


PATHS = [
    "/slack/events/",
    "//slack/events",
    "/slack//events",
    "/slack/./events",
    "/x/../slack/events",
    "/slack%2Fevents",
    "/%73lack/events",
    "/slack/events;x",
    "/SLACK/EVENTS",
    "/slack/events%00",
    "/slack",
]


@pytest.mark.parametrize("path", PATHS)
async def test_another_path_is_not_the_door_even_with_a_good_signature(door: Door, path: str) -> None:
    before = door.effects()
    assert await door.send(http(command(), path=path, type_=FORM, more=door.signed(command()))) == [404]
    assert door.effects() == before


LARGE = command() + b"&filler=" + b"x" * 1_000_000


async def test_a_body_over_a_megabyte_is_refused_though_signed(door: Door) -> None:
    await without_effect(door, 413, by_slack(door, LARGE, FORM))


async def test_an_announced_megabyte_is_refused_before_it_comes(door: Door) -> None:
    """Nothing follows the headers, and the answer does not wait for it."""
    began = time.monotonic()
    await without_effect(door, 413, http(b"", length="999999999", more=door.signed(b"")))
    assert time.monotonic() - began < SLOW_SECONDS


async def test_a_body_over_a_megabyte_that_tells_no_length_is_refused(door: Door) -> None:
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in pieces_of(LARGE, 64_000)) + b"0\r\n\r\n"
    head = http(b"", type_=FORM, length=None, more=door.signed(LARGE) | {"Transfer-Encoding": "chunked"})
    await without_effect(door, 413, head + chunks)


async def test_a_body_in_chunks_is_verified_as_a_whole(door: Door) -> None:
    head = http(b"", type_=FORM, length=None, more=door.signed(command()) | {"Transfer-Encoding": "chunked"})
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in pieces_of(command() + b"!", 7))
    await without_effect(door, 401, head + chunks + b"0\r\n\r\n")


async def test_a_length_that_is_too_short_cuts_the_body_that_is_verified(door: Door) -> None:
    request = http(command(), type_=FORM, length="10", more=door.signed(command()))
    before = door.effects()
    assert (await door.send(request))[0] == 401
    assert door.effects() == before


async def test_a_body_that_does_not_come_is_given_up(door: Door) -> None:
    request = http(command()[:10], type_=FORM, length=str(len(command())), more=door.signed(command()))
    await without_effect(door, 408, request)


async def test_a_body_that_drips_is_given_up_by_its_whole_time(door: Door) -> None:
    """Each byte comes soon after the last; all of them would take a minute."""
    head = http(b"", type_=FORM, length=str(len(command())), more=door.signed(command()))
    began = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(head)
    dripping = asyncio.create_task(drip(writer, command()))
    async with asyncio.timeout(SLOW_SECONDS + 5):
        status = (await reader.readline()).split()[1]
    dripping.cancel()
    await asyncio.gather(dripping, return_exceptions=True)
    writer.close()
    assert status == b"408"
    assert time.monotonic() - began < SLOW_SECONDS + 3


async def test_a_sender_that_hangs_up_in_the_middle_leaves_nothing(door: Door) -> None:
    before, lines = door.effects(), len(door.log())
    _, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(http(command()[:10], type_=FORM, length=str(len(command())), more=door.signed(command())))
    await writer.drain()
    writer.close()
    new = await until_logged(door, lines)
    assert [line["event"] for line in new] == ["slack.left"]
    assert door.effects() == before


MALFORMED = {
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64,
    "two different lengths": http(b"abc", length="3", more={"content-length": "30"}),
    "a length that is no number": http(b"abc", length="many"),
    "a negative length": http(b"abc", length="-1"),
    "a header without a name": b"POST /slack/events HTTP/1.1\r\nHost: x\r\n: x\r\n\r\n",
    "a chunk size that is no number": http(b"zz\r\n", length=None, more={"Transfer-Encoding": "chunked"}),
}


@pytest.mark.parametrize("case", MALFORMED)
async def test_what_is_not_http_is_refused(door: Door, case: str) -> None:
    before = door.effects()
    assert (await door.send(MALFORMED[case]))[0] in {400, 401}
    assert door.effects() == before


async def test_a_header_without_measure_is_refused(door: Door) -> None:
    request = http(command(), type_=FORM, more=door.signed(command()) | {"X-Filler": MARK * 5000})
    before = door.effects()
    assert await door.send(request) == [431]
    assert door.effects() == before
    assert MARK not in door.play.bot.log()


async def test_requests_in_one_piece_are_judged_one_by_one(door: Door) -> None:
    """Between two forged ones stands a good challenge; its answer does not open the door for its neighbours."""
    challenge = json.dumps({"type": "url_verification", "challenge": "spoken"}).encode()
    forged = http(command(), type_=FORM).replace(b"Connection: close\r\n", b"")
    good = by_slack(door, challenge).replace(b"Connection: close\r\n", b"")
    before = door.effects()

    answers = await door.answers(good + good + forged)

    assert [status for status, _ in answers] == [200, 200, 401]
    assert json.loads(answers[0][1]) == {"challenge": "spoken"}
    assert door.effects() == before


async def test_a_look_at_the_certificate_is_answered_and_does_nothing(door: Door) -> None:
    before, lines = door.effects(), len(door.log())
    assert await door.answers(http(method="GET", path=f"{PATH}?ssl_check=1", length=None)) == [(200, b"")]
    assert await door.send(by_slack(door, b"ssl_check=1&token=x", FORM)) == [200]
    assert (door.effects(), len(door.log())) == (before, lines)


async def test_headers_that_steer_bolt_from_outside_are_not_passed_on(door: Door) -> None:
    """Bolt has a header that makes it skip the listener; with it a command would be answered and lost."""
    steering = {"X-Slack-Bolt-Lazy-Only": "1", "X-Slack-Bolt-Lazy-Function-Name": "clip"}
    body = urlencode({"command": "/clip", "text": "help", "channel_id": "C0DAILIES1", "user_id": "U1",
                      "team_id": "T0DAILIES1", "trigger_id": "1.2.steer"}).encode()  # fmt: skip
    ((status, answer),) = await door.answers(by_slack(door, body, FORM, steering))
    assert status == 200
    assert "/clip" in json.loads(answer)["text"]


async def test_what_nobody_listens_to_is_answered_so_that_slack_does_not_send_it_again(door: Door) -> None:
    payload = {
        "type": "block_actions",
        "actions": [{"type": "button", "action_id": "nobody.knows"}],
        "user": {"id": "U1"},
    }
    body = urlencode({"payload": json.dumps(payload)}).encode()
    assert await door.send(by_slack(door, body, FORM)) == [200]


async def without_effect(door: Door, status: int, request: bytes) -> Json:
    """The request gets that status alone, one short line in the log with nothing of it, and changes nothing; the
    line."""
    before, lines = door.effects(), len(door.log())

    answered = await door.send(request)

    assert answered == [status]
    new = await until_logged(door, lines)
    assert [line["event"] for line in new] == ["slack.refused"]
    assert len(door.log()[lines]) < LONGEST_LINE
    assert MARK not in door.play.bot.log()
    assert door.effects() == before
    return new[0]


async def until_logged(door: Door, lines: int) -> list[Json]:
    """The lines after the first ``lines``, once there are any."""
    async with asyncio.timeout(10):
        while len(door.log()) <= lines:
            await asyncio.sleep(0.02)
    return [json.loads(line) for line in door.log()[lines:]]


def pieces_of(body: bytes, size: int) -> list[bytes]:
    """The body in parts."""
    return [body[start : start + size] for start in range(0, len(body), size)]


async def drip(writer: asyncio.StreamWriter, body: bytes) -> None:
    """One byte at a time, slowly."""
    for byte in body:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.3)
