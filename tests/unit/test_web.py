"""The server's own patience, memory and words: what no application has to look after."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.testing import capture_logs

from bot.web import body, connection, crowd, server
from bot.web import site as site_module
from bot.web.body import Allowance, BodyRefused, SenderLeft, WholeBody
from bot.web.health import health_app
from bot.web.limits import LARGEST_BODY, LONGEST_PATH, MOST_BODY_BYTES, SMALL_BODY
from bot.web.server import serving
from bot.web.site import Site, shown_path

HOST = "127.0.0.1"


async def silent(_: Scope, receive: Receive, send: Send) -> None:
    """Answers when it has the whole body, which it does not look at."""
    await receive()
    await PlainTextResponse("heard")({"type": "http", "method": "POST"}, receive, send)


@asynccontextmanager
async def conversation() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to a site with one application behind ``/door``."""
    site = Site(exact={"/door": silent}, otherwise=health_app(needed={}, watched={}))
    async with serving(site, HOST, 0) as port, asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(HOST, port)
        try:
            yield reader, writer
        finally:
            writer.close()


async def told(*pieces: bytes) -> bytes:
    """Everything that is answered to these pieces."""
    async with conversation() as (reader, writer):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        return await reader.read()


WHOLE = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
HALF = b"GET /healthz HTTP/1.1\r\nHost:"


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def connections(site: ASGIApp, *sent: bytes) -> AsyncIterator[tuple[int, list[Connection]]]:
    """The port of a site, and a connection for each of these beginnings, in their order; they outlast the server."""
    async with asyncio.timeout(10):
        opened = []
        try:
            async with serving(site, HOST, 0) as port:
                for one in sent:
                    opened.append(await asyncio.open_connection(HOST, port))
                    opened[-1][1].write(one)
                yield port, opened
        finally:
            for _, writer in opened:
                writer.close()


async def asked(port: int, sent: bytes) -> bytes:
    """Everything that a new connection is answered, until the server closes it; nothing when it is reset."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(sent)
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize(("sent", "answers"), [([HALF], 1), ([WHOLE, HALF], 2), ([WHOLE + HALF], 2)])
async def test_slow_headers_are_answered_and_logged_once(
    monkeypatch: pytest.MonkeyPatch, sent: list[bytes], answers: int
) -> None:
    monkeypatch.setattr(connection, "HEADERS_SECONDS", 0.2)
    with capture_logs() as lines:
        answer = await told(*sent)
    assert answer.count(b"HTTP/1.1 ") == answers
    assert b"HTTP/1.1 408 " in answer
    assert lines == [{"event": "http.refused", "log_level": "warning", "status": 408, "why": "headers too slow"}]


async def test_who_connects_and_says_nothing_is_let_go_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """A load balancer does so every few seconds to see whether the port is open."""
    monkeypatch.setattr(connection, "HEADERS_SECONDS", 0.1)
    with capture_logs() as lines:
        assert await told() == b""
    assert lines == []


BROKEN = b"POST /door HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"


@pytest.mark.parametrize(("following", "why"), [(HALF, "headers too slow"), (BROKEN, "not HTTP")])
async def test_an_answer_under_way_is_not_mistaken_for_that_to_a_following_request(
    monkeypatch: pytest.MonkeyPatch, following: bytes, why: str
) -> None:
    """A status between an earlier request and its answer would be taken for that answer."""
    monkeypatch.setattr(connection, "HEADERS_SECONDS", 0.2)
    hold = asyncio.Event()

    async def held(scope: Scope, receive: Receive, send: Send) -> None:
        await hold.wait()
        await PlainTextResponse("late")(scope, receive, send)

    site = Site(exact={"/held": held}, otherwise=health_app(needed={}, watched={}))
    with capture_logs() as lines:
        async with serving(site, HOST, 0) as port, asyncio.timeout(10):
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(WHOLE.replace(b"/healthz", b"/held") + following)
            assert await reader.read() == b""
            hold.set()
            writer.close()
    assert [line["why"] for line in lines] == [why]


async def test_broken_chunks_are_one_refusal_also_for_the_application_that_reads_them() -> None:
    with capture_logs() as lines:
        answer = await told(
            b"POST /door HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", b"zz\r\n"
        )
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert [line["why"] for line in lines] == ["not HTTP"]


async def test_a_body_that_nobody_reads_and_that_breaks_after_the_answer_is_not_answered_again() -> None:
    begun = b"POST /nowhere HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with capture_logs() as lines:
        async with conversation() as (reader, writer):
            writer.write(begun)
            answer = await reader.readuntil(b"\r\n\r\n")
            writer.write(b"zz\r\n")
            answer += await reader.read()
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert [line["why"] for line in lines] == ["not found"]


async def test_an_upgrade_is_declined_by_an_ordinary_answer_and_nothing_more_is_read() -> None:
    upgrade = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    with capture_logs() as lines:
        answer = await told(upgrade + WHOLE)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert lines == []


# --- bodies ----------------------------------------------------------------------------------------------------------


class Pieces:
    """A ``receive`` that gives these pieces, and waits for ever when they are used up."""

    def __init__(self, *pieces: bytes, gone: bool = False, complete: bool = True) -> None:
        self._messages: list[Message] = [
            {"type": "http.request", "body": piece, "more_body": not complete or number < len(pieces)}
            for number, piece in enumerate(pieces, start=1)
        ]
        self._gone = gone
        self.asked = 0

    async def __call__(self) -> Message:
        self.asked += 1
        if self._messages:
            return self._messages.pop(0)
        if not self._gone:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}


def whole(receive: Receive, **headers: str) -> WholeBody:
    """The whole body behind a ``receive``, for a request with these headers."""
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return WholeBody({"type": "http", "headers": raw}, receive, Allowance(MOST_BODY_BYTES))


async def test_a_body_comes_whole_and_then_what_follows_it() -> None:
    receive = whole(Pieces(b"a red ", b"panda", gone=True))
    assert await receive() == {"type": "http.request", "body": b"a red panda", "more_body": False}
    assert await receive() == {"type": "http.disconnect"}


async def test_the_largest_body_is_taken_and_one_byte_more_is_not() -> None:
    assert len((await whole(Pieces(b"x" * LARGEST_BODY))())["body"]) == LARGEST_BODY
    for pieces in (Pieces(b"x" * (LARGEST_BODY + 1)), Pieces(b"x" * LARGEST_BODY, b"x")):
        with pytest.raises(BodyRefused, match="413"):
            await whole(pieces)()


@pytest.mark.parametrize("length", ["1000001", "9" * 5000])
async def test_who_announces_too_much_and_asks_first_is_not_told_to_go_on(length: str) -> None:
    pieces = Pieces(b"x")
    with pytest.raises(BodyRefused, match="413"):
        await whole(pieces, content_length=length, expect="100-Continue")()
    assert pieces.asked == 0


@pytest.mark.parametrize("length", ["0", "", "many", "-1"])
async def test_what_a_length_says_is_no_reason_to_believe_it(length: str) -> None:
    with pytest.raises(BodyRefused, match="413"):
        await whole(Pieces(b"x" * LARGEST_BODY, b"x"), content_length=length)()


async def test_a_body_without_end_is_not_read_without_end() -> None:
    endless = Pieces(*[b"x" * LARGEST_BODY] * 20, complete=False)
    with pytest.raises(BodyRefused, match="413"):
        await whole(endless)()
    assert endless.asked < 10


async def test_a_body_that_stops_is_too_slow_or_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "READ_SECONDS", 0.1)
    with pytest.raises(BodyRefused, match="408"):
        await whole(Pieces(b"x", complete=False))()
    with pytest.raises(BodyRefused, match="413"):
        await whole(Pieces(b"x" * LARGEST_BODY, b"x", complete=False))()


async def test_a_sender_that_hangs_up_has_no_body() -> None:
    with pytest.raises(SenderLeft):
        await whole(Pieces(b"x", gone=True, complete=False))()


LARGE = b"POST /door HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\nConnection: close\r\n\r\n" + b"x" * 250_000
SMALL = b"POST /door HTTP/1.1\r\nHost: x\r\nContent-Length: 64000\r\nConnection: close\r\n\r\n" + b"x" * SMALL_BODY


async def test_large_bodies_under_way_share_a_bound_and_leave_room_for_small_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Five of 250 kB, of which two fit; whoever is refused is answered at once, in one line."""
    monkeypatch.setattr(site_module, "MOST_BODY_BYTES", 500_000)
    monkeypatch.setattr(body, "DRAIN_SECONDS", 0.1)
    monkeypatch.setattr(body, "READ_SECONDS", 2.0)
    site = Site(exact={"/door": silent}, otherwise=health_app(needed={}, watched={}))
    with capture_logs() as lines:
        async with connections(site, *[LARGE] * 5) as (port, opened):
            while not lines:
                await asyncio.sleep(0.01)
            small = await asked(port, SMALL)
            for _, writer in opened:
                writer.write(b"x" * 50_000)
            answers = [await reader.read(12) for reader, _ in opened]
            later = await asked(port, LARGE + b"x" * 50_000)
    assert small.endswith(b"heard")
    assert sorted(answers) == [b"HTTP/1.1 200"] * 2 + [b"HTTP/1.1 503"] * 3
    assert later.endswith(b"heard"), "what bodies held is free again"
    assert [(line["status"], line["why"]) for line in lines] == [(503, "too many bodies")] * 3


# --- the end of the program ------------------------------------------------------------------------------------------


async def test_a_stop_tells_everybody_who_is_still_sending_and_waits_for_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connection, "LINGER_SECONDS", 0.1)
    half_a_body = b"POST /door HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc"
    site = Site(exact={"/door": silent}, otherwise=health_app(needed={}, watched={}))
    with capture_logs() as lines:
        async with asyncio.timeout(10), connections(site, *[half_a_body, HALF, b""] * 20) as (_, opened):
            await asyncio.sleep(0.2)
            leaving = [asyncio.create_task(reader.read()) for reader, _ in opened]
            began = time.monotonic()
        answers = await asyncio.gather(*leaving, return_exceptions=True)
    assert time.monotonic() - began < 1.8, "two seconds are for answers under way"
    told_so = [answer for answer in answers[::3] if isinstance(answer, bytes)]
    assert [answer[:12] for answer in told_so] == [b"HTTP/1.1 503"] * 20
    assert lines == [{"event": "http.refused", "log_level": "warning", "status": 503, "why": "stopping"}] * 20
    assert "Exception" not in caplog.text


@pytest.mark.parametrize(("begins", "line"), [(False, "http.refused"), (True, "http.cut")])
async def test_an_application_that_does_not_end_is_one_line_at_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, begins: bool, line: str
) -> None:
    monkeypatch.setattr(server, "STOP_SECONDS", 0.1)

    async def stuck(_: Scope, __: Receive, send: Send) -> None:
        if begins:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.Event().wait()

    for site in (Site(exact={"/healthz": stuck}, otherwise=silent), Site(exact={}, otherwise=stuck)):
        with capture_logs() as lines:
            async with connections(site, WHOLE) as (_, [(reader, _)]):
                answer = asyncio.create_task(reader.read(12))
                await asyncio.sleep(0.1)
            assert await answer == (b"HTTP/1.1 200" if begins else b"HTTP/1.1 503")
        assert [(one["event"], one["why"], one["path"]) for one in lines] == [(line, "stopping", "/healthz")]
    assert "Traceback" not in caplog.text


# --- too many connections --------------------------------------------------------------------------------------------


async def test_those_who_say_nothing_make_room_for_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of twenty where four have room: the longest silent ones go, and one line speaks of all."""
    monkeypatch.setattr(crowd, "MOST_CONNECTIONS", 4)
    site = Site(exact={}, otherwise=health_app(needed={}, watched={}))
    with capture_logs() as lines:
        async with connections(site, WHOLE, *[b"", HALF] * 10) as (port, opened):
            began = time.monotonic()
            gone = await asyncio.gather(*(reader.read() for reader, _ in opened[:-4]), return_exceptions=True)
            assert (await asked(port, WHOLE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")))[
                :12
            ] == b"HTTP/1.1 200"
            assert time.monotonic() - began < 3, "nobody has waited for their patience to end"
            assert not opened[-1][0].at_eof()
    assert [answer for answer in gone[1:] if answer and isinstance(answer, bytes)] == []
    assert [(line["event"], line["turned_away"]) for line in lines] == [("http.crowded", 1)]


async def test_whoever_has_a_request_under_way_stays_and_the_newcomer_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "MOST_CONNECTIONS", 3)
    half_a_body = b"POST /door HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\nConnection: close\r\n\r\nabc"
    site = Site(exact={"/door": silent}, otherwise=health_app(needed={}, watched={}))
    async with connections(site, *[half_a_body] * 3) as (port, opened):
        await asyncio.sleep(0.2)
        assert await asked(port, WHOLE) == b""
        for _, writer in opened:
            writer.write(b"def")
        assert [(await reader.read())[-5:] for reader, _ in opened] == [b"heard"] * 3


async def test_an_answer_that_nobody_takes_is_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "ANSWER_SECONDS", 0.2)
    ended = asyncio.Event()

    async def generous(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x" * 16_000_000, "more_body": True})
        await send({"type": "http.response.body", "body": b"and more", "more_body": False})
        ended.set()

    async with connections(generous, WHOLE):
        async with asyncio.timeout(5):
            await ended.wait()


# --- paths in the log ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"", ""),
        (b"/slack/event", "/slack/event"),
        (b"/slack%0aevents", "/slack%0aevents"),
        (b"/media/" + b"t" * 43, f"/media/{'t' * 12}…"),
        (b'/\xff\n"', "/%FF%0A%22"),
    ],
)
def test_a_path_is_shown_as_it_was_sent_without_what_could_be_a_secret(raw: bytes, shown: str) -> None:
    assert shown_path(raw) == shown


@given(st.binary(max_size=300))
def test_no_path_makes_a_line_long_or_two_of_it(raw: bytes) -> None:
    shown = shown_path(raw)
    assert len(shown) <= LONGEST_PATH + 1
    assert shown.isprintable()
