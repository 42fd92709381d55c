"""Links that were made to lead us inside, over redirects and lying name servers too. A listener on this machine counts:
none of them ever connects to it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from bot.fetch import GuardedFetcher, guard
from bot.fetch.addresses import look_up
from bot.fetch.links import parse
from bot.ports import FetchError, FileTooLarge, LinkExpired, LinkRedirected, LinkRefused
from tests.support.clock import SettableClock
from tests.support.loopback import (
    Answer,
    Asked,
    Loopback,
    answering,
    dripping,
    endless,
    sending,
    serving,
    silent,
    whole,
)

PICTURE = bytes(range(256)) * 64
SECRET = "signature=do-not-tell"

MALFORMED = [
    "",
    " ",
    "https",
    "https:",
    "https:/",
    "https://",
    "https:///x",
    "https:127.0.0.1:{port}/x",
    "https:/127.0.0.1:{port}/x",
    "https:///127.0.0.1:{port}/x",
    "//127.0.0.1:{port}/x",
    "127.0.0.1:{port}/x",
    "///127.0.0.1:{port}/x",
    "\\\\127.0.0.1:{port}\\x",
    "https:\\\\127.0.0.1:{port}\\x",
    "https://127.0.0.1:{port}\\x",
    "https://cdn.example\\@127.0.0.1:{port}/x",
    "https://127.0.0.1:{port}\\@cdn.example/x",
    "https://cdn.example@127.0.0.1:{port}/x",
    "https://cdn.example:443@127.0.0.1:{port}/x",
    "https://user:password@cdn.example:{port}/x",
    "https://@127.0.0.1:{port}/x",
    "https://:@127.0.0.1:{port}/x",
    "https://cdn.example#@127.0.0.1:{port}/x ",
    "https://cdn.example%40127.0.0.1:{port}/x",
    "https://127.0.0.1%2f@cdn.example:{port}/x",
    "https://%31%32%37.0.0.1:{port}/x",
    "https://127.0.0.1%00.cdn.example:{port}/x",
    "https://127.0.0.1%09:{port}/x",
    "https://127.0.0.1\t:{port}/x",
    "https://127.0.0.1\n:{port}/x",
    "ht\ntps://127.0.0.1:{port}/x",
    "https://127.0.0.1:{port}/x\r\nHost: cdn.example",
    "\x01https://127.0.0.1:{port}/x",
    "https://127.0.0.1\x00.cdn.example:{port}/x",
    "https://127.0.0.1\u00ad:{port}/x",
    "https://127.0.0.1\u200b:{port}/x",
    "https://127.0.0.1 :{port}/x",
    "https://127.0.0.1.:{port}/x",
    "https://localhost.:{port}/x",
    "https://.localhost:{port}/x",
    "https://local..host:{port}/x",
    "https://127.1:{port}/x",
    "https://127.0.1:{port}/x",
    "https://0127.0.0.1:{port}/x",
    "https://0177.0.0.1:{port}/x",
    "https://0x7f.0.0.1:{port}/x",
    "https://0x7f.1:{port}/x",
    "https://0X7F000001:{port}/x",
    "https://2130706433:{port}/x",
    "https://017700000001:{port}/x",
    "https://127.0.0.0x1:{port}/x",
    "https://1.127.0.0.1:{port}/x",
    "https://256.0.0.1:{port}/x",
    "https://0:{port}/x",
    "https://\uff11\uff12\uff17.0.0.1:{port}/x",
    "https://\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3:{port}/x",
    "https://xn--:{port}/x",
    "https://[127.0.0.1]:{port}/x",
    "https://[::1:{port}/x",
    "https://::1:{port}/x",
    "https://[::1]{port}/x",
    "https://[::1].cdn.example:{port}/x",
    "https://[fe80::1%25lo]:{port}/x",
    "https://[::1%25]:{port}/x",
    "https://[v1.127.0.0.1]:{port}/x",
    "https://127.0.0.1:{port}:{port}/x",
    "https://127.0.0.1:0/x",
    "https://127.0.0.1:65536/x",
    "https://127.0.0.1:99999/x",
    "https://127.0.0.1:-1/x",
    "https://127.0.0.1:+{port}/x",
    "https://127.0.0.1:0x50/x",
    "https://127.0.0.1:\uff14\uff14\uff13/x",
    "https://" + "a" * 64 + ".example:{port}/x",
    "https://" + "a." * 200 + "example:{port}/x",
    "https://127.0.0.1:{port}/" + "a" * 9000,
    "ftp://127.0.0.1:{port}/x",
    "gopher://127.0.0.1:{port}/_GET",
    "file:///etc/passwd",
    "file://127.0.0.1/etc/passwd",
    "data:image/png;base64,iVBORw0KGgo=",
    "javascript:fetch('https://127.0.0.1:{port}')",
    "ws://127.0.0.1:{port}/x",
    "dict://127.0.0.1:{port}/x",
    "ldap://127.0.0.1:{port}/x",
    "jar:https://127.0.0.1:{port}!/x",
    "unix:///var/run/docker.sock",
    "slack:F0123456789",
    "stored:0123.png",
]
"""What is no plain link to a server at all."""

LEADING_INSIDE = [
    "https://127.0.0.1:{port}/x",
    "https://127.255.255.254:{port}/x",
    "https://0.0.0.0:{port}/x",
    "https://10.0.0.1:{port}/x",
    "https://172.16.0.1:{port}/x",
    "https://192.168.0.1:{port}/x",
    "https://100.64.0.1:{port}/x",
    "https://169.254.169.254/latest/meta-data/",
    "https://[::1]:{port}/x",
    "https://[::]:{port}/x",
    "https://[0:0:0:0:0:0:0:1]:{port}/x",
    "https://[::127.0.0.1]:{port}/x",
    "https://[::ffff:127.0.0.1]:{port}/x",
    "https://[::ffff:7f00:1]:{port}/x",
    "https://[64:ff9b::7f00:1]:{port}/x",
    "https://[64:ff9b::127.0.0.1]:{port}/x",
    "https://[2002:7f00:1::]:{port}/x",
    "https://[2001:0:7f00:1::]:{port}/x",
    "https://[fe80::1]:{port}/x",
    "https://[fd00::1]:{port}/x",
    "https://[ff02::1]:{port}/x",
    "https://127\u30020\u30020\u30021:{port}/x",
    "https://localhost:{port}/x",
    "HTTPS://LOCALHOST:{port}/x",
    "https://cdn.example:{port}/x",
    "https://b\u00fccher.example:{port}/x",
    "https://xn--bcher-kva.example:{port}/x",
    "https://cdn.example:{port}/x#@8.8.8.8/",
    "https://cdn.example:{port}?@8.8.8.8/",
]
"""Plain links whose address, or the one that a name server gives, is not public."""

IN_PLAIN_HTTP = ["http://127.0.0.1:{port}/x", "http://localhost:{port}/x", "http://cdn.example:{port}/x"]

ANSWERS: dict[str, list[str]] = {
    "inside": ["127.0.0.1"],
    "inside behind a public one": ["8.8.8.8", "127.0.0.1"],
    "inside before a public one": ["127.0.0.1", "8.8.8.8"],
    "one of many": ["8.8.8.8", "8.8.4.4", "1.1.1.1", "192.168.1.1"],
    "inside in the other family": ["8.8.8.8", "::1"],
    "mapped": ["::ffff:127.0.0.1"],
    "mapped beside a public one": ["2606:4700::1111", "::ffff:10.0.0.1"],
    "translated": ["64:ff9b::7f00:1"],
    "6to4": ["2002:7f00:1::1"],
    "Teredo": ["2001::7f00:1"],
    "unique local": ["fd00::1"],
    "link-local with a zone": ["fe80::1%lo"],
    "metadata": ["169.254.169.254"],
    "unspecified": ["0.0.0.0"],
    "multicast": ["224.0.0.1"],
    "broadcast": ["255.255.255.255"],
}


class LyingNames:
    """A name server under an attacker's control: it gives these answers in turn, the last one for ever. An address is
    its own answer, as for every resolver."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.asked: list[str] = []
        self._answers = list(answers)

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        if host.replace(".", "").isdigit() or ":" in host:
            return [host]
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


@pytest.fixture
async def listener() -> AsyncIterator[Loopback]:
    """Would answer anybody."""
    async with serving(answering(200, PICTURE)) as server:
        yield server


@pytest.fixture
async def outside() -> AsyncIterator[AsyncExitStack]:
    """Closes what a test opens."""
    async with AsyncExitStack() as stack:
        yield stack


def made(stack: AsyncExitStack, names: LyingNames | None = None, *, allowed: Sequence[str] = ()) -> GuardedFetcher:
    fetcher = GuardedFetcher(
        clock=SettableClock(), allowed_hosts=frozenset(allowed), resolve=names or LyingNames(["127.0.0.1"])
    )
    stack.push_async_callback(fetcher.close)
    return fetcher


async def download(fetcher: GuardedFetcher, url: str, **limits: Any) -> bytes:
    async with fetcher.open(url, **limits) as chunks:
        return b"".join([chunk async for chunk in chunks])


# --- links -----------------------------------------------------------------------------------------------------------


def test_the_table_is_long_enough() -> None:
    assert len({*MALFORMED, *LEADING_INSIDE, *IN_PLAIN_HTTP}) >= 120


@pytest.mark.parametrize("url", MALFORMED)
def test_what_is_no_plain_link_is_not_even_looked_up(url: str) -> None:
    with pytest.raises(LinkRefused) as caught:
        parse(url.replace("{port}", "8443"))
    assert caught.value.lasting
    assert caught.value.mend


async def test_no_hostile_link_connects(listener: Loopback, outside: AsyncExitStack) -> None:
    """Every name leads to the listener: whatever is not refused is counted."""
    fetcher = made(outside)
    for form in [*MALFORMED, *LEADING_INSIDE, *IN_PLAIN_HTTP]:
        with pytest.raises(LinkRefused):
            await download(fetcher, form.replace("{port}", str(listener.port)))
    assert listener.accepted == 0


async def test_the_systems_own_names_lead_nowhere_inside_either(listener: Loopback, outside: AsyncExitStack) -> None:
    fetcher = GuardedFetcher(clock=SettableClock(), resolve=look_up)
    outside.push_async_callback(fetcher.close)
    for host in ("localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]"):
        with pytest.raises(LinkRefused, match="not public"):
            await download(fetcher, f"https://{host}:{listener.port}/x")
    assert listener.accepted == 0


async def test_plain_http_is_refused_though_the_host_is_public(outside: AsyncExitStack) -> None:
    names = LyingNames(["8.8.8.8"])
    first = await outside.enter_async_context(serving(answering(302, b"", location="http://cdn.example/x")))
    fetcher = made(outside, names, allowed=[f"127.0.0.1:{first.port}"])
    for url in ("http://cdn.example/x", "http://8.8.8.8/x", "http://cdn.example:443/x", first.origin):
        with pytest.raises(LinkRefused, match="not https"):
            await download(fetcher, url)
    assert (names.asked, len(first.asked)) == ([], 1)


async def test_what_leads_inside_is_named_by_its_host_alone(outside: AsyncExitStack) -> None:
    with pytest.raises(LinkRefused) as caught:
        await download(made(outside), f"https://cdn.example:8443/private/path.png?{SECRET}#{SECRET}")
    assert str(caught.value) == (
        "The link leads to cdn.example, whose address is not public. "
        "Give a public https link to the file, or attach it in Slack."
    )


# --- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("addresses", ANSWERS.values(), ids=ANSWERS)
async def test_one_inner_address_among_the_answers_is_enough(
    listener: Loopback, outside: AsyncExitStack, addresses: list[str]
) -> None:
    names = LyingNames(addresses)
    with pytest.raises(LinkRefused, match="not public"):
        await download(made(outside, names), f"https://cdn.example:{listener.port}/x")
    assert (names.asked, listener.accepted) == (["cdn.example"], 0)


@pytest.mark.row("F55")
async def test_a_second_answer_is_never_asked_for(
    listener: Loopback, outside: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: public for the check, inside for the connection."""
    gone_to: list[httpx.URL] = []

    async def refuse(_: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        gone_to.append(request.url)
        raise httpx.ConnectError("nothing leaves this machine")

    names = LyingNames(["8.8.8.8"], ["127.0.0.1"])
    fetcher = made(outside, names)
    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", refuse)
    with pytest.raises(FetchError, match="did not begin"):
        await download(fetcher, f"https://cdn.example:{listener.port}/x")
    assert [url.host for url in gone_to] == ["8.8.8.8"]
    with pytest.raises(LinkRefused, match="not public"):
        await download(fetcher, f"https://cdn.example:{listener.port}/x")
    assert (names.asked, listener.accepted) == (["cdn.example"] * 2, 0)


async def test_no_answer_may_become_one(outside: AsyncExitStack) -> None:
    with pytest.raises(FetchError, match="no address") as caught:
        await download(made(outside, LyingNames([])), "https://cdn.example/x")
    assert not caught.value.lasting


async def test_a_name_server_may_not_hang(outside: AsyncExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(_: str, __: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    monkeypatch.setattr(guard, "ANSWER_SECONDS", 0.05)
    fetcher = GuardedFetcher(clock=SettableClock(), resolve=never)
    outside.push_async_callback(fetcher.close)
    with pytest.raises(FetchError, match=r"did not begin \(TimeoutError\)") as caught:
        await download(fetcher, "https://cdn.example/x")
    assert not caught.value.lasting


# --- redirects -------------------------------------------------------------------------------------------------------


def leading(*locations: str, status: int = 302, **headers: str) -> Answer:
    """Redirects to each in turn, then gives the picture."""
    left = list(locations)

    async def answer(writer: asyncio.StreamWriter, _: Asked) -> None:
        hop = left.pop(0) if left else None
        writer.write(whole(200, PICTURE) if hop is None else whole(status, b"", location=hop, **headers))

    return answer


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_followed(outside: AsyncExitStack, status: int) -> None:
    server = await outside.enter_async_context(serving(leading("/there", status=status)))
    fetcher = made(outside, allowed=[f"127.0.0.1:{server.port}"])
    assert await download(fetcher, f"{server.origin}/here?{SECRET}") == PICTURE
    assert [asked.target for asked in server.asked] == [f"/here?{SECRET}", "/there"]


async def test_where_a_redirect_leads_is_worked_out_as_browsers_do(outside: AsyncExitStack) -> None:
    server = await outside.enter_async_context(serving(leading("b/c.png?x=1#part", "../d.png", "?only=query")))
    fetcher = made(outside, allowed=[f"127.0.0.1:{server.port}"])
    assert await download(fetcher, f"{server.origin}/a/a.png") == PICTURE
    assert [asked.target for asked in server.asked] == ["/a/a.png", "/a/b/c.png?x=1", "/a/d.png", "/a/d.png?only=query"]


async def test_nothing_is_carried_from_hop_to_hop(outside: AsyncExitStack) -> None:
    """Neither a cookie, nor where we came from, nor the other host's name."""
    second = await outside.enter_async_context(serving(answering(200, PICTURE)))
    first = await outside.enter_async_context(
        serving(leading("/again", f"{second.origin}/x", set_cookie="session=1; Path=/; Domain=127.0.0.1"))
    )
    fetcher = made(outside, allowed=["127.0.0.1"])
    for _ in range(2):
        assert await download(fetcher, first.origin) == PICTURE
    assert len(first.asked) == 3
    for asked in [*first.asked, *second.asked]:
        assert not {"cookie", "referer", "authorization", "origin"} & asked.headers.keys()
        assert asked.headers["accept-encoding"] == "identity"
    assert {asked.headers["host"] for asked in second.asked} == {f"127.0.0.1:{second.port}"}


HOSTILE_HOPS = [
    *LEADING_INSIDE,
    *IN_PLAIN_HTTP,
    "//127.0.0.1:{port}/x",
    "//localhost:{port}",
    "https:\\127.0.0.1:{port}\\x",
    "/\\127.0.0.1:{port}/x",
    "https:127.0.0.1:{port}/x",
    "https:///127.0.0.1:{port}/x",
    "https://cdn.example\\@127.0.0.1:{port}/x",
    "https://cdn.example@127.0.0.1:{port}/x",
    "https://127.1:{port}/x",
    "https://2130706433:{port}/x",
    "https://127.0.0.1.:{port}/x",
    "https://127.0.0.1:0/x",
    "https://127.0.0.1:99999/x",
    "https://[::1",
    "https://xn--:{port}/x",
    "http://[::ffff:127.0.0.1]:{port}/x",
    "file:///etc/passwd",
    "ftp://127.0.0.1:{port}/x",
    "gopher://127.0.0.1:{port}/_x",
    "data:text/plain,x",
    "https://%31%32%37.0.0.1:{port}/x",
    "https://cdn.example:{port}/" + "a" * 9000,
]


@pytest.mark.row("F55")
async def test_no_hostile_redirect_connects(listener: Loopback, outside: AsyncExitStack) -> None:
    """The first hop is one that the operator allowed, which allows nothing to where it leads."""
    hop = ""

    async def leading_on(writer: asyncio.StreamWriter, _: Asked) -> None:
        writer.write(f"HTTP/1.1 302 Found\r\nlocation: {hop}\r\ncontent-length: 0\r\n\r\n".encode())

    first = await outside.enter_async_context(serving(leading_on))
    fetcher = made(outside, allowed=[f"127.0.0.1:{first.port}"])
    for form in HOSTILE_HOPS:
        hop = form.replace("{port}", str(listener.port))
        with pytest.raises(LinkRefused) as caught:
            await download(fetcher, first.origin)
        assert caught.value.lasting, form
    assert (len(first.asked), listener.accepted) == (len(HOSTILE_HOPS), 0)


async def test_three_redirects_are_enough_for_anybody(outside: AsyncExitStack) -> None:
    server = await outside.enter_async_context(serving(leading(*["/again"] * 4)))
    with pytest.raises(LinkRefused, match="more than 3 times"):
        await download(made(outside, allowed=[f"127.0.0.1:{server.port}"]), server.origin)
    assert len(server.asked) == 4


async def test_a_circle_ends(outside: AsyncExitStack) -> None:
    server = await outside.enter_async_context(serving(answering(307, b"", location="/")))
    with pytest.raises(LinkRefused, match="more than 3 times"):
        await download(made(outside, allowed=[f"127.0.0.1:{server.port}"]), server.origin)
    assert len(server.asked) == 4


async def test_all_hops_share_one_deadline(outside: AsyncExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    async def slowly(writer: asyncio.StreamWriter, _: Asked) -> None:
        await asyncio.sleep(0.1)
        writer.write(whole(302, b"", location="/on"))

    monkeypatch.setattr(guard, "ANSWER_SECONDS", 0.25)
    server = await outside.enter_async_context(serving(slowly))
    with pytest.raises(FetchError, match=r"did not begin \(TimeoutError\)"):
        await download(made(outside, allowed=["127.0.0.1"]), server.origin)
    assert len(server.asked) <= 3


@pytest.mark.parametrize("location", ["/on", "https://cdn.example/on"])
async def test_a_token_goes_to_one_host_and_no_further(outside: AsyncExitStack, location: str) -> None:
    server = await outside.enter_async_context(serving(leading(location)))
    with pytest.raises(LinkRedirected) as caught:
        await download(made(outside, allowed=["127.0.0.1"]), server.origin, bearer="xoxb-test")
    assert [asked.headers["authorization"] for asked in server.asked] == ["Bearer xoxb-test"]
    assert caught.value.location == (location if location.startswith("https") else f"{server.origin}{location}")
    assert "/on" not in str(caught.value)


# --- size and pace ---------------------------------------------------------------------------------------------------


async def test_what_announces_too_much_is_not_read(outside: AsyncExitStack) -> None:
    async def announce(writer: asyncio.StreamWriter, _: Asked) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 30000001\r\n\r\n")

    server = await outside.enter_async_context(serving(announce))
    with pytest.raises(FileTooLarge) as caught:
        await download(made(outside, allowed=["127.0.0.1"]), server.origin, largest=30_000_000)
    assert str(caught.value) == "The file has 30.1 MB; at most 30 MB can be taken. Give a smaller one."
    assert caught.value.lasting
    async with asyncio.timeout(5):
        await server.left.wait()


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n40000\r\n"]
)
async def test_what_announces_nothing_is_read_up_to_the_limit(outside: AsyncExitStack, head: bytes) -> None:
    server = await outside.enter_async_context(serving(endless(head)))
    received = 0

    async def count() -> None:
        nonlocal received
        async with made(outside, allowed=["127.0.0.1"]).open(server.origin, largest=200_000) as chunks:
            async for chunk in chunks:
                received += len(chunk)

    with pytest.raises(FileTooLarge, match=r"^The file is larger; at most 0\.2 MB can be taken\."):
        await count()
    assert received <= 200_000
    async with asyncio.timeout(5):
        await server.left.wait()


async def test_the_limit_itself_is_allowed(outside: AsyncExitStack) -> None:
    server = await outside.enter_async_context(serving(answering(200, PICTURE)))
    fetcher = made(outside, allowed=["127.0.0.1"])
    assert await download(fetcher, server.origin, largest=len(PICTURE)) == PICTURE
    with pytest.raises(FileTooLarge, match="has 16,384 bytes; at most 16,383 bytes"):
        await download(fetcher, server.origin, largest=len(PICTURE) - 1)


@pytest.mark.parametrize("length", ["-1", "1e9", "16384, 1", "0x10", "\u0663"])
async def test_a_length_that_is_none_is_an_error(outside: AsyncExitStack, length: str) -> None:
    raw = f"HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n".encode() + PICTURE
    server = await outside.enter_async_context(serving(sending(raw, close=True)))
    with pytest.raises(FetchError, match="did not begin"):
        await download(made(outside, allowed=["127.0.0.1"]), server.origin, largest=len(PICTURE))


@pytest.mark.row("F56")
async def test_a_body_that_stalls_is_given_up(outside: AsyncExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    async def half(writer: asyncio.StreamWriter, asked: Asked) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhello")
        await silent(writer, asked)

    monkeypatch.setattr(guard, "STALL_SECONDS", 0.05)
    server = await outside.enter_async_context(serving(half))
    with pytest.raises(FetchError, match=r"broke off \(ReadTimeout\)") as caught:
        await download(made(outside, allowed=["127.0.0.1"]), server.origin)
    assert not caught.value.lasting


async def test_endless_headers_are_not_kept(outside: AsyncExitStack) -> None:
    async def flood(writer: asyncio.StreamWriter, _: Asked) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"x-more: " + b"y" * 8000 + b"\r\n")
            await writer.drain()

    server = await outside.enter_async_context(serving(flood))
    with pytest.raises(FetchError, match=r"did not begin \(RemoteProtocolError\)"):
        await download(made(outside, allowed=["127.0.0.1"]), server.origin)


# --- words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "kind", "wait"),
    [
        (answering(403, b"<Error/>"), LinkExpired, None),
        (answering(503, b"", retry_after="7"), FetchError, 7.0),
        (answering(429, b"", retry_after="1e9"), FetchError, 600.0),
        (answering(429, b"", retry_after="-3"), FetchError, None),
        (answering(429, b"", retry_after="nan"), FetchError, None),
        (answering(429, b"", retry_after="soon"), FetchError, None),
        (answering(429, b"", retry_after="Thu, 01 Jan 2099 00:00:00 GMT"), FetchError, 600.0),
        (answering(429, b"", retry_after="Thu, 01 Jan 1970 00:00:00 GMT"), FetchError, None),
        (answering(429, b"", retry_after="no day at all GMT"), FetchError, None),
        (answering(429, b"", retry_after="01 Jan 2099 00:00:00 xGMT"), FetchError, 600.0),
        (answering(429, b"", retry_after="Thu, 01 Jan 2099 00:00:00 -0000 GMT"), FetchError, 600.0),
        (answering(200, PICTURE, content_encoding="gzip"), LinkRefused, None),
        (answering(200, PICTURE, content_length="16385"), FetchError, None),
        (sending(b"nonsense", close=True), FetchError, None),
        (answering(302, b"", location=f"https://10.0.0.1/x?{SECRET}"), LinkRefused, None),
        (answering(302, b"", location=f"https://x:y@cdn.example/?{SECRET}"), LinkRefused, None),
    ],
)
async def test_no_error_tells_more_of_a_link_than_its_host(
    outside: AsyncExitStack, answer: Answer, kind: type[FetchError], wait: float | None
) -> None:
    async def closing(writer: asyncio.StreamWriter, asked: Asked) -> None:
        await answer(writer, asked)
        writer.close()

    server = await outside.enter_async_context(serving(closing))
    with pytest.raises(FetchError) as caught:
        await download(made(outside, allowed=["127.0.0.1"]), f"{server.origin}/path/of/it?{SECRET}")
    error = caught.value
    assert (type(error), error.lasting, error.retry_after_seconds) == (kind, kind is not FetchError, wait)
    for hidden in ("do-not-tell", "path/of/it", "10.0.0.1/x"):
        assert hidden not in f"{error} {error!r} {error.what} {error.mend}"


async def test_the_media_type_is_told_plainly(outside: AsyncExitStack) -> None:
    server = await outside.enter_async_context(serving(answering(200, PICTURE, content_type="Text/HTML; charset=x")))
    async with made(outside, allowed=["127.0.0.1"]).open(server.origin) as chunks:
        assert chunks.content_type == "text/html"
    drip = await outside.enter_async_context(serving(dripping(b"HTTP/1.1 200 OK\r\n\r\nxx")))
    async with made(outside, allowed=["127.0.0.1"]).open(drip.origin) as chunks:
        assert (chunks.content_type, (await anext(chunks))[:1]) == ("", b"x")
