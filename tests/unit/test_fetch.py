"""Guarded downloads: where nobody goes, and what is never taken for a whole clip."""

import asyncio
import gzip
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from bot.fetch import GuardedFetcher, guard, is_public
from bot.ports import FetchError, LinkExpired, LinkRefused
from tests.support import loopback
from tests.support.clock import SettableClock
from tests.support.loopback import (
    Asked,
    answering,
    dripping,
    endless,
    reset,
    sending,
    serving,
    silent,
    unused_port,
)

CLIP = bytes(range(256)) * 1000
PRIVATE = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.127.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:808:808::1",
    "2001:0:7f00:1::",
    "2001:db8::1",
    "3fff::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "5f00::1",
]
PUBLIC = ["8.8.8.8", "100.128.0.1", "172.32.0.1", "2606:4700::1111", "2a00:1450::1", "64:ff9b::8.8.8.8"]

Resolve = Callable[[str], None]


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
async def fetcher(clock: SettableClock) -> AsyncIterator[GuardedFetcher]:
    """One that may go to this machine in plain http."""
    opened = GuardedFetcher(clock=clock, allowed_hosts=frozenset({"127.0.0.1"}))
    yield opened
    await opened.close()


@pytest.fixture
async def strict(clock: SettableClock) -> AsyncIterator[GuardedFetcher]:
    """One that may go nowhere but to public hosts."""
    opened = GuardedFetcher(clock=clock)
    yield opened
    await opened.close()


@pytest.fixture
def resolves(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Makes every name resolve to these addresses; returns the list of the names that were asked for."""
    names: list[str] = []

    def to(*addresses: str) -> list[str]:
        def found(host: str, port: int, *_: object, **__: object) -> list[tuple[Any, ...]]:
            host.encode("idna")  # as the real one does: it raises for labels that are too long
            names.append(host)
            return [
                (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port))
                for one in addresses
            ]

        monkeypatch.setattr(socket, "getaddrinfo", found)
        return names

    return to


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[httpx.Request]:
    """Every request that would have left this machine, refused."""
    sent: list[httpx.Request] = []

    async def refuse(_: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        sent.append(request)
        raise httpx.ConnectError("nothing leaves this machine")

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", refuse)
    return sent


async def download(fetcher: GuardedFetcher, url: str, each: Callable[[bytes], None] | None = None) -> bytes:
    received = bytearray()
    async with fetcher.open(url) as chunks:
        async for chunk in chunks:
            received += chunk
            if each is not None:
                each(chunk)
    return bytes(received)


# --- where we go -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_leads_inside_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_on_the_open_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.row("F55")
@pytest.mark.parametrize("address", PRIVATE)
async def test_a_name_that_leads_inside_is_refused_without_a_connection(
    strict: GuardedFetcher,
    resolves: Callable[..., list[str]],
    connections: list[httpx.Request],
    address: str,
) -> None:
    names = resolves(address)
    with pytest.raises(LinkRefused, match="not public"):
        await download(strict, "https://cdn.example/clip.mp4")
    assert (names, connections) == (["cdn.example"], [])


@pytest.mark.row("F55")
@pytest.mark.parametrize(("address", "connected"), [("8.8.8.8", "8.8.8.8"), ("2606:4700::1111", "[2606:4700::1111]")])
async def test_the_connection_goes_to_the_checked_address_with_the_hosts_own_name(
    strict: GuardedFetcher,
    resolves: Callable[..., list[str]],
    connections: list[httpx.Request],
    address: str,
    connected: str,
) -> None:
    """A second look-up could answer otherwise (DNS rebinding)."""
    names = resolves(address)
    with pytest.raises(FetchError):
        await download(strict, "https://cdn.example:8443/clip.mp4?signature=1")
    (request,) = connections
    assert str(request.url) == f"https://{connected}:8443/clip.mp4?signature=1"
    assert request.headers["host"] == "cdn.example:8443"
    assert request.extensions["sni_hostname"] == "cdn.example"
    assert names == ["cdn.example"]


async def test_a_name_without_an_address_may_have_one_later(
    strict: GuardedFetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(FetchError, match="no address") as caught:
        await download(strict, "https://cdn.example/x")
    assert not isinstance(caught.value, LinkRefused)


async def test_a_name_with_no_addresses_at_all_has_none(
    strict: GuardedFetcher, resolves: Callable[..., list[str]]
) -> None:
    resolves()
    with pytest.raises(FetchError, match="no address"):
        await download(strict, "https://cdn.example/x")


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    "case",
    [
        ("media.test", "media.test", True),
        ("media.test", "media.test:9000", True),
        ("media.test", "MEDIA.test", True),
        ("Media.Test:9000", "media.test:9000", True),
        ("[::1]", "[::1]:9000", True),
        ("[::1]:9000", "[::1]:9000", True),
        ("[::1]:9000", "[::1]:9001", False),
        ("media.test:9000", "media.test:9000", True),
        ("media.test:9000", "media.test:9001", False),
        ("media.test:9000", "media.test", False),
        ("media.test", "other.test", False),
        ("media.test", "evil.media.test", False),
        ("media.test", "media.test.evil", False),
    ],
)
async def test_an_allowed_host_is_taken_as_it_is_and_no_other(
    clock: SettableClock,
    resolves: Callable[..., list[str]],
    connections: list[httpx.Request],
    scheme: str,
    case: tuple[str, str, bool],
) -> None:
    allowed, place, may = case
    resolves("127.0.0.1")
    fetcher = GuardedFetcher(clock=clock, allowed_hosts=frozenset({allowed}))
    with pytest.raises(FetchError) as caught:
        await download(fetcher, f"{scheme}://{place}/clip.mp4")
    assert isinstance(caught.value, LinkRefused) is not may
    assert len(connections) == (1 if may else 0)
    await fetcher.close()


@pytest.mark.parametrize(("scheme", "port"), [("http", 80), ("https", 443)])
async def test_an_allowed_port_may_be_the_schemes_own(
    clock: SettableClock, connections: list[httpx.Request], scheme: str, port: int
) -> None:
    fetcher = GuardedFetcher(clock=clock, allowed_hosts=frozenset({f"media.test:{port}"}))
    with pytest.raises(FetchError, match="did not begin"):
        await download(fetcher, f"{scheme}://media.test/clip.mp4")
    assert len(connections) == 1
    await fetcher.close()


async def test_credentials_are_refused_at_an_allowed_host_too(fetcher: GuardedFetcher) -> None:
    async with serving(answering(200, CLIP)) as server:
        with pytest.raises(LinkRefused, match="credentials"):
            await download(fetcher, f"http://user:password@127.0.0.1:{server.port}/")
    assert server.accepted == 0


async def test_an_allowed_host_may_not_speak_other_protocols(fetcher: GuardedFetcher) -> None:
    with pytest.raises(LinkRefused):
        await download(fetcher, "ftp://127.0.0.1/clip.mp4")


# --- what comes ------------------------------------------------------------------------------------------------------


async def test_a_whole_clip_comes_as_it_is(fetcher: GuardedFetcher) -> None:
    async with serving(answering(200, CLIP, content_type="video/mp4")) as server:
        assert await download(fetcher, f"{server.origin}/clip.mp4?signature=1") == CLIP
    (asked,) = server.asked
    assert (asked.method, asked.target) == ("GET", "/clip.mp4?signature=1")
    assert asked.headers["accept-encoding"] == "identity"
    assert "authorization" not in asked.headers
    assert "cookie" not in asked.headers


async def test_a_clip_of_unannounced_length_comes_whole(fetcher: GuardedFetcher) -> None:
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    async with serving(sending(chunked)) as server:
        assert await download(fetcher, server.origin) == b"hello"


@pytest.mark.row("F54")
@pytest.mark.parametrize("status", [401, 403, 404, 410, 451])
async def test_a_dead_link_is_expired(fetcher: GuardedFetcher, status: int) -> None:
    async with serving(answering(status, b"<Error>Request has expired</Error>")) as server:
        with pytest.raises(LinkExpired, match=str(status)):
            await download(fetcher, server.origin)


@pytest.mark.parametrize("status", [201, 204, 206, 300, 302, 304, 400, 416, 429, 500, 502, 503, 520])
async def test_any_other_status_may_pass(fetcher: GuardedFetcher, status: int) -> None:
    async with serving(answering(status, b"")) as server:
        with pytest.raises(FetchError, match=f"HTTP {status}") as caught:
            await download(fetcher, server.origin)
    assert type(caught.value) is FetchError


@pytest.mark.row("F57")
@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "GZIP", "identity, gzip"])
async def test_a_compressed_body_is_not_taken(fetcher: GuardedFetcher, encoding: str) -> None:
    async with serving(answering(200, gzip.compress(CLIP), content_encoding=encoding)) as server:
        with pytest.raises(FetchError, match="compresses"):
            await download(fetcher, server.origin)


@pytest.mark.parametrize("encoding", ["identity", "", "Identity"])
async def test_a_body_that_says_it_is_plain_is_plain(fetcher: GuardedFetcher, encoding: str) -> None:
    async with serving(answering(200, CLIP, content_encoding=encoding)) as server:
        assert await download(fetcher, server.origin) == CLIP


BROKEN: dict[str, loopback.Answer] = {
    "short": sending(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhello", close=True),
    "a chunk missing": sending(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n", close=True),
    "reset": reset,
    "closed": sending(b"", close=True),
    "no HTTP": sending(b"hello\r\n\r\n", close=True),
}


@pytest.mark.row("F52")
@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
async def test_a_broken_download_is_an_error_and_never_a_short_clip(
    fetcher: GuardedFetcher, answer: loopback.Answer
) -> None:
    async with serving(answer) as server:
        with pytest.raises(FetchError, match=r"did not begin|broke off") as caught:
            await download(fetcher, server.origin)
    assert type(caught.value) is FetchError


async def test_nobody_there_may_pass(fetcher: GuardedFetcher) -> None:
    with pytest.raises(FetchError, match=r"did not begin \(ConnectError\)"):
        await download(fetcher, f"http://127.0.0.1:{unused_port()}/")


@pytest.mark.parametrize("answer", [silent, dripping(b"HTTP/1.1 200 OK\r\nx-slow: ...")], ids=["silence", "a drip"])
async def test_headers_have_a_deadline(
    fetcher: GuardedFetcher, answer: loopback.Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "ANSWER_SECONDS", 0.3)
    async with serving(answer) as server:
        with pytest.raises(FetchError, match=r"did not begin \(TimeoutError\)"):
            await download(fetcher, server.origin)


def slow(clock: SettableClock) -> loopback.Answer:
    """Sends a byte for ever, each after a second of the clock."""

    async def answer(writer: asyncio.StreamWriter, _: Asked) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            clock.advance(1)
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.001)

    return answer


@pytest.mark.row("F56")
async def test_a_drip_is_given_up(fetcher: GuardedFetcher, clock: SettableClock) -> None:
    async with serving(slow(clock)) as server:
        with pytest.raises(FetchError, match="less than 20,000 bytes a second"):
            await download(fetcher, server.origin)
        async with asyncio.timeout(5):
            await server.left.wait()


async def test_a_slow_start_is_no_drip(fetcher: GuardedFetcher, clock: SettableClock) -> None:
    async def answer(writer: asyncio.StreamWriter, _: Asked) -> None:
        clock.advance(9.9)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello")

    async with serving(answer) as server:
        assert await download(fetcher, server.origin) == b"hello"


@pytest.mark.row("F56")
async def test_a_download_has_a_whole_deadline_however_fast(fetcher: GuardedFetcher, clock: SettableClock) -> None:
    async with serving(endless(b"HTTP/1.1 200 OK\r\n\r\n")) as server:
        with pytest.raises(FetchError, match="longer than 600 s"):
            await download(fetcher, server.origin, each=lambda chunk: clock.advance(len(chunk) / 40_000))


@pytest.mark.row("F57")
async def test_leaving_an_endless_body_closes_the_connection(fetcher: GuardedFetcher) -> None:
    async with serving(endless(b"HTTP/1.1 200 OK\r\n\r\n")) as server:
        async with fetcher.open(server.origin) as chunks:
            assert await anext(chunks)
        async with asyncio.timeout(5):
            await server.left.wait()


async def test_a_proxy_of_the_environment_is_not_asked(clock: SettableClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{unused_port()}")
    fetcher = GuardedFetcher(clock=clock, allowed_hosts=frozenset({"127.0.0.1"}))
    async with serving(answering(200, CLIP)) as server:
        assert await download(fetcher, server.origin) == CLIP
    await fetcher.close()


def test_certificates_are_checked(clock: SettableClock) -> None:
    context = httpx.AsyncClient(trust_env=False)._transport._pool._ssl_context  # type: ignore[attr-defined]
    ours = GuardedFetcher(clock=clock)._transport._pool._ssl_context
    assert ours is not None
    assert ours.verify_mode == context.verify_mode == ssl.CERT_REQUIRED
    assert ours.check_hostname
