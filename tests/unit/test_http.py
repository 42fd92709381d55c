"""HTTP as every vendor needs it: what a billed POST may turn out to be, and ``Retry-After`` in every form."""

import asyncio
import gzip
import socket
import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.ports import OrderNotSent, OrderUnknown
from bot.providers import _http
from bot.providers._http import (
    LARGEST_ANSWER,
    as_mapping,
    as_text,
    billing_client,
    failure_text,
    get,
    post_billed,
    reading_client,
    retry_after,
)
from tests.support.clock import START
from tests.support.loopback import (
    Answer,
    Loopback,
    answering,
    dripping,
    endless,
    reset,
    sending,
    serving,
    silent,
    unused_port,
    whole,
)

Clients = Callable[[], httpx.AsyncClient]
OK = {"code": 200, "data": {"taskId": "tk-1"}}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines that a test can wait for; clients made afterwards have them too."""
    monkeypatch.setattr(_http, "SUBMIT_DEADLINE", timedelta(seconds=0.3))
    monkeypatch.setattr(_http, "READ_DEADLINE_SECONDS", 0.3)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with billing_client() as opened:
        yield opened


async def post(client: httpx.AsyncClient, url: str) -> _http.Answer | OrderNotSent | OrderUnknown:
    return await post_billed(client, url, body=b'{"model":"m"}', headers={"Authorization": "Bearer secret"})


async def posted_to(answer: Answer, client: httpx.AsyncClient) -> tuple[object, Loopback]:
    async with serving(answer) as server:
        outcome = await post(client, f"{server.origin}/v1/tasks")
    return outcome, server


# --- the billed POST -------------------------------------------------------------------------------------------------


async def test_a_whole_answer_is_handed_on(client: httpx.AsyncClient) -> None:
    outcome, server = await posted_to(answering(201, OK, retry_after="7"), client)
    assert isinstance(outcome, _http.Answer)
    assert (outcome.status, outcome.json(), outcome.headers["Retry-After"]) == (201, OK, "7")
    (asked,) = server.asked
    assert (asked.method, asked.target, asked.body) == ("POST", "/v1/tasks", b'{"model":"m"}')
    assert asked.headers["authorization"] == "Bearer secret"


@pytest.mark.parametrize("status", [500, 502, 503, 504, 520, 524])
async def test_a_servers_own_failure_is_an_answer_and_no_proof_that_nothing_was_done(
    client: httpx.AsyncClient, status: int
) -> None:
    outcome, server = await posted_to(answering(status, {"code": status}), client)
    assert isinstance(outcome, _http.Answer)
    assert (outcome.status, len(server.asked)) == (status, 1)


@pytest.mark.row("F21")
async def test_a_refused_connection_never_left(client: httpx.AsyncClient) -> None:
    assert await post(client, f"http://127.0.0.1:{unused_port()}/") == OrderNotSent(why="ConnectError")


@pytest.mark.row("F21")
async def test_a_host_without_an_address_never_left(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "no such host")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert await post(client, "http://nobody.invalid/") == OrderNotSent(why="ConnectError")


@pytest.mark.row("F21")
async def test_without_tls_the_request_never_left(client: httpx.AsyncClient) -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await post(client, f"https://127.0.0.1:{port}/") == OrderNotSent(why="ConnectError")


HALF = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n" + b'{"code":200'
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"
UNREADABLE: dict[str, Answer] = {
    "reset": reset,
    "closed without a word": sending(b"", close=True),
    "half a body": sending(HALF, close=True),
    "a chunk missing": sending(CHUNKED, close=True),
    "headers cut off": sending(b"HTTP/1.1 200 OK\r\ncontent-", close=True),
    "not HTTP": sending(b"220 mail.example ESMTP\r\n", close=True),
    "not gzip": answering(200, b"plain", content_encoding="gzip"),
    "gzip cut off": sending(whole(200, gzip.compress(bytes(500))[:12], content_encoding="gzip")[:-4], close=True),
    "endless": endless(b"HTTP/1.1 200 OK\r\n\r\n"),
    "endless chunked": endless(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffff\r\n"),
    "larger than any": answering(200, b" " * (LARGEST_ANSWER + 1)),
}


@pytest.mark.parametrize("answer", UNREADABLE.values(), ids=UNREADABLE)
async def test_everything_that_is_no_whole_answer_is_of_unknown_outcome(
    client: httpx.AsyncClient, answer: Answer
) -> None:
    outcome, server = await posted_to(answer, client)
    assert isinstance(outcome, OrderUnknown)
    assert outcome.why
    assert outcome.repeatable
    assert len(server.asked) == 1, "the request had arrived, and was not sent again"


@pytest.mark.row("F33", "F34")
@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "answer",
    [
        silent,
        dripping(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{ "),
        dripping(b"HTTP/1.1 200 OK\r\nx-slow: ...."),
    ],
    ids=["hang", "a body that drips", "headers that drip"],
)
async def test_a_whole_deadline_bounds_it(answer: Answer) -> None:
    """httpx's read timeout alone does not fire on a server that drips."""
    async with billing_client() as client:
        began = asyncio.get_running_loop().time()
        outcome, server = await posted_to(answer, client)
        assert asyncio.get_running_loop().time() - began < 30, "far below httpx's own and the real deadline"
    assert isinstance(outcome, OrderUnknown)
    assert outcome.why in {"TimeoutError", "ReadTimeout"}
    assert len(server.asked) <= 1, "on a busy machine the deadline may pass before the request arrives"


async def test_the_largest_answer_is_still_read(client: httpx.AsyncClient) -> None:
    outcome, _ = await posted_to(answering(200, b" " * LARGEST_ANSWER), client)
    assert isinstance(outcome, _http.Answer)
    assert len(outcome.body) == LARGEST_ANSWER


@pytest.mark.row("F35")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(client: httpx.AsyncClient, status: int) -> None:
    """It would send key and body on to another host."""
    async with serving(answering(200, OK)) as elsewhere:
        outcome, server = await posted_to(answering(status, b"", location=f"{elsewhere.origin}/v1/tasks"), client)
    assert isinstance(outcome, _http.Answer)
    assert outcome.status == status
    assert (len(server.asked), elsewhere.accepted) == (1, 0)


async def test_every_post_has_a_fresh_connection(client: httpx.AsyncClient) -> None:
    """A kept one that the server closes just as it is used makes the outcome unknown."""
    async with serving(answering(200, OK)) as server:
        for _ in range(3):
            assert isinstance(await post(client, server.origin), _http.Answer)
        assert server.accepted == 3


async def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{unused_port()}")
    async with billing_client() as client:
        outcome, _ = await posted_to(answering(200, OK), client)
    assert isinstance(outcome, _http.Answer)


async def test_a_stopped_post_is_cancelled_rather_than_answered(client: httpx.AsyncClient) -> None:
    async with serving(silent) as server:
        posting = asyncio.create_task(post(client, server.origin))
        async with asyncio.timeout(5):
            while not server.asked:
                await asyncio.sleep(0.01)
        posting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await posting


# --- reading ---------------------------------------------------------------------------------------------------------


async def test_status_requests_share_a_connection() -> None:
    async with reading_client() as client, serving(answering(200, OK)) as server:
        for _ in range(3):
            answer = await get(client, server.origin, headers={})
            assert isinstance(answer, _http.Answer)
            assert answer.json() == OK
        assert server.accepted == 1


@pytest.mark.parametrize("answer", UNREADABLE.values(), ids=UNREADABLE)
async def test_a_reading_that_fails_gives_its_reason(answer: Answer) -> None:
    async with reading_client() as client, serving(answer) as server:
        said = await get(client, server.origin, headers={})
    assert isinstance(said, str)
    assert said.endswith(("Error", "Timeout"))


@pytest.mark.usefixtures("quick")
async def test_a_reading_has_a_whole_deadline() -> None:
    async with (
        reading_client() as client,
        serving(dripping(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{ ")) as server,
    ):
        assert await get(client, server.origin, headers={}) in {"TimeoutError", "ReadTimeout"}


async def test_a_reading_of_nobody_gives_its_reason() -> None:
    async with reading_client() as client:
        assert await get(client, f"http://127.0.0.1:{unused_port()}", headers={}) == "ConnectError"


# --- Retry-After -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1", 1.0),
        ("120", 120.0),
        ("0", 0.0),
        ("2.5", 2.5),
        ("  7 ", 7.0),
        ("1e9", 1e9),
        ("Fri, 20 Nov 2026 21:31:15 GMT", 59.876544),
        ("Friday, 20-Nov-26 21:31:15 GMT", 59.876544),
        ("Fri, 20 Nov 2026 22:31:15 +0100", 59.876544),
        ("20 Nov 2026 21:31:15", 59.876544),
        ("Fri, 20 Nov 2026 21:29:15 GMT", None),
        ("-5", None),
        ("inf", None),
        ("nan", None),
        ("abc", None),
        ("soon, please", None),
        ("Fri, 20 Nov 99999999999 21:31:15 GMT", None),
        ("Fri, 99 Nov 2026 21:31:15 GMT", None),
        ("", None),
        ("   ", None),
    ],
)
def test_retry_after_in_every_form(text: str, seconds: float | None) -> None:
    read = retry_after({"Retry-After": text}, START)
    assert read == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize("name", ["retry-after", "Retry-After", "RETRY-AFTER"])
def test_retry_after_is_found_however_it_is_written(name: str) -> None:
    assert retry_after(httpx.Headers({name: "3"}), START) == 3.0
    assert retry_after({name: "3"}, START) == 3.0


def test_without_the_header_nothing_is_said() -> None:
    assert retry_after({"X-Other": "3"}, START) is None


@given(st.text())
def test_no_text_makes_it_stumble(text: str) -> None:
    read = retry_after({"Retry-After": text}, START)
    assert read is None or 0 <= read < float("inf")


@given(
    st.from_regex(
        r"[A-Z][a-z]{2}, \d{1,12} (Jan|Nov|Foo) \d{1,12} \d{1,9}:\d{1,9}:\d{1,9} (GMT|[+-]\d{4,9})", fullmatch=True
    )
)
def test_no_date_makes_it_stumble(text: str) -> None:
    read = retry_after({"Retry-After": text}, START)
    assert read is None or 0 <= read < float("inf")


# --- what providers put where it does not belong ---------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b"\xff\xfe", b"[" * 200_000, b"9" * 5000, b"nul"])
def test_a_body_that_is_no_json_is_none(body: bytes) -> None:
    assert _http.Answer(status=200, headers={}, body=body).json() is None


@pytest.mark.parametrize("value", [None, 1, "text", [{"a": 1}], True])
def test_only_an_object_is_a_mapping(value: object) -> None:
    assert as_mapping(value) == {}
    assert as_mapping({"a": value}) == {"a": value}


@pytest.mark.parametrize(
    ("value", "text"),
    [("id", "id"), (" id\n", "id"), (7, "7"), (True, ""), (None, ""), (1.5, ""), ([], ""), ({}, ""), ("", "")],
)
def test_only_text_and_whole_numbers_are_text(value: Any, text: str) -> None:
    assert as_text(value) == text


def test_words_and_code_of_a_failure() -> None:
    assert failure_text("no faces", "TASK_FAILED") == "no faces (TASK_FAILED)"
    assert failure_text("no faces", "") == "no faces"
    assert failure_text("", "TASK_FAILED") == "TASK_FAILED"
    assert failure_text("", "") == ""


@pytest.mark.parametrize("unit", ["a.", "a-", "://a", "a://x@"])
def test_endless_words_are_cut_in_no_time(unit: str) -> None:
    """An answer may be a megabyte of anything: a search that tried every letter anew would hold up everybody."""
    words = unit * (1_000_000 // len(unit))
    began = time.process_time()
    failure_text(words, "")
    assert time.process_time() - began < 2


def test_of_a_link_in_a_providers_words_only_the_host_is_kept() -> None:
    """Whoever has a signed link has the file."""
    said = failure_text("cannot read https://user:word@files.example/a.png?signature=1, sorry", "")
    assert "signature" not in said
    assert "word" not in said
    assert said.startswith("cannot read https://files.example/…")
