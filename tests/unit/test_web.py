"""The server's own patience, memory and words: what no application has to look after."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send
from structlog.testing import capture_logs

from bot.web import body, connection
from bot.web.body import BodyRefused, SenderLeft, WholeBody
from bot.web.health import health_app
from bot.web.limits import LARGEST_BODY, LONGEST_PATH
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


async def test_an_answer_under_way_is_not_mistaken_for_that_to_a_following_request(
    monkeypatch: pytest.MonkeyPatch,
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
            writer.write(WHOLE.replace(b"/healthz", b"/held") + HALF)
            assert await reader.read() == b""
            hold.set()
            writer.close()
    assert [line["why"] for line in lines] == ["headers too slow"]


async def test_broken_chunks_are_one_refusal_also_for_the_application_that_reads_them() -> None:
    with capture_logs() as lines:
        answer = await told(
            b"POST /door HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", b"zz\r\n"
        )
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert [line["why"] for line in lines] == ["not HTTP"]


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
    return WholeBody({"type": "http", "headers": raw}, receive)


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
