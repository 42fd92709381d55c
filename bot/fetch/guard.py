"""Downloads that can do no harm, wherever the link leads.

Only https, or a host that the operator allowed (``ALLOWED_FETCH_HOSTS``). The name is resolved once, every address is
checked, and the connection goes to the checked one. A redirect is a new link, looked at as the first one was. A whole
deadline and a minimum rate bound each download, since httpx's read timeout alone does not fire on a server that drips.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from datetime import datetime
from functools import cache

import httpx

from bot.domain.patience import asked_wait
from bot.fetch.addresses import Resolve, is_public, look_up
from bot.fetch.links import Link, follow, parse, refusal
from bot.ports import Clock, Download, FetchError, FileTooLarge, LinkExpired, LinkRedirected, LinkRefused

DEADLINE_SECONDS = 600.0
MINIMUM_BYTES_PER_SECOND = 20_000
RATE_GRACE_SECONDS = 10.0
"""A slow start is no drip: the minimum rate counts from here."""
ANSWER_SECONDS = 30.0
"""Until the last answer's headers are there, over all hops: a name server can hang, and a server drip these as well."""
CONNECT_SECONDS = 10.0
STALL_SECONDS = 20.0
"""Without a byte."""
MOST_REDIRECTS = 3
LONGEST_PAUSE_SECONDS = 600.0
"""What asks for more in Retry-After has a broken header."""

_DEAD_LINK = frozenset({401, 403, 404, 410, 451})
_PLAIN = frozenset({"", "identity"})


class GuardedFetcher:
    """``bot.ports.Fetcher`` over httpx. ``allowed_hosts``: ``host`` or ``host:port``, an IPv6 address in brackets."""

    def __init__(
        self, *, clock: Clock, allowed_hosts: frozenset[str] = frozenset(), resolve: Resolve = look_up
    ) -> None:
        self._clock = clock
        self._allowed = frozenset(host.lower() for host in allowed_hosts)
        self._resolve = resolve
        # The bare transport: a client keeps cookies, and stumbles over redirects that it was told not to follow.
        self._transport = httpx.AsyncHTTPTransport(
            verify=_certificates(),
            limits=httpx.Limits(max_connections=20, max_keepalive_connections=0),
        )
        self._timeout = httpx.Timeout(STALL_SECONDS, connect=CONNECT_SECONDS).as_dict()

    def open(
        self, url: str, *, largest: int | None = None, bearer: str | None = None
    ) -> AbstractAsyncContextManager[Download]:
        """See ``bot.ports.Fetcher``."""
        return self._open(url, largest, bearer)

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    @asynccontextmanager
    async def _open(self, url: str, largest: int | None, bearer: str | None) -> AsyncIterator[Download]:
        began = self._clock.monotonic()
        link, response = await self._final(url, bearer)
        try:
            _check_status(link, response, self._clock.now())
            announced = _announced(response)
            if largest is not None and announced is not None and announced > largest:
                raise FileTooLarge(largest=largest, size=announced)
            async with aclosing(self._chunks(link, response, largest, began)) as chunks:
                yield _Body(response, chunks)
        finally:
            await response.aclose()

    async def _final(self, url: str, bearer: str | None) -> tuple[Link, httpx.Response]:
        """The first answer that is no redirect, with its body unread."""
        link = parse(url)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                for _ in range(1 + MOST_REDIRECTS):
                    response = await self._transport.handle_async_request(await self._request(link, bearer))
                    if not response.has_redirect_location:
                        return link, response
                    await response.aclose()
                    link = _next(link, response, bearer)
        except (httpx.HTTPError, OSError) as error:
            raise FetchError(f"The download from {link.host} did not begin ({type(error).__name__}).") from error
        raise LinkRefused(f"The link redirects more than {MOST_REDIRECTS} times.", "Give the one that it ends at.")

    async def _request(self, link: Link, bearer: str | None) -> httpx.Request:
        """The request for a link that may be fetched. Raises LinkRefused for any other, FetchError."""
        headers = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "Dailies"}
        if bearer is not None:
            headers["Authorization"] = f"Bearer {bearer}"
        if self._is_allowed(link):
            return httpx.Request("GET", link.url, headers=headers, extensions={"timeout": self._timeout})
        if not link.is_https:
            raise refusal("The link is not https.")
        # The connection goes to the checked address; name and certificate stay those of the host.
        headers["Host"] = link.url.netloc.decode("ascii")
        checked = link.url.copy_with(host=await self._public_address(link))
        extensions = {"timeout": self._timeout, "sni_hostname": link.host}
        return httpx.Request("GET", checked, headers=headers, extensions=extensions)

    def _is_allowed(self, link: Link) -> bool:
        return link.bracketed in self._allowed or f"{link.bracketed}:{link.port}" in self._allowed

    async def _public_address(self, link: Link) -> str:
        try:
            addresses = await self._resolve(link.host, link.port)
        except UnicodeError as error:
            raise refusal("The link names no possible host.") from error
        except OSError as error:
            raise FetchError(f"{link.host} has no address now.", "Look whether the link is right.") from error
        if not addresses:
            raise FetchError(f"{link.host} has no address now.", "Look whether the link is right.")
        if not all(is_public(address) for address in addresses):
            raise refusal(f"The link leads to {link.host}, whose address is not public.")
        return addresses[0]

    async def _chunks(
        self, link: Link, response: httpx.Response, largest: int | None, began: float
    ) -> AsyncGenerator[bytes, None]:
        received, body = 0, response.aiter_raw()
        body_began = self._clock.monotonic()
        while True:
            try:
                chunk = await anext(body)
            except StopAsyncIteration:
                break
            except (httpx.HTTPError, httpx.StreamError, OSError) as error:
                raise FetchError(f"The download from {link.host} broke off ({type(error).__name__}).") from error
            received += len(chunk)
            if largest is not None and received > largest:
                raise FileTooLarge(largest=largest)
            now = self._clock.monotonic()
            _check_pace(link, now - began, now - body_began, received)
            yield chunk
        announced = _announced(response)
        if announced not in {None, received}:
            raise FetchError(f"Of {announced:,} bytes that {link.host} announced, {received:,} came.")


@cache
def _certificates() -> ssl.SSLContext:
    """Whom we trust to be who they say: read once, since that takes longer than most downloads."""
    return httpx.create_ssl_context(trust_env=False)


class _Body:
    """``bot.ports.Download``: the chunks with what the server says of them."""

    def __init__(self, response: httpx.Response, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self._type = response.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def content_type(self) -> str:
        return str(self._type)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._chunks

    async def __anext__(self) -> bytes:
        return await anext(self._chunks)


def _next(link: Link, response: httpx.Response, bearer: str | None) -> Link:
    """Where a redirect leads. A credential goes no further by itself. Raises LinkRefused."""
    location = follow(link, response.headers["location"])
    if bearer is not None:
        raise LinkRedirected(f"{link.host} answered that the file lies elsewhere.", location=location)
    return parse(location)


def _announced(response: httpx.Response) -> int | None:
    text = response.headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() else None


def _check_status(link: Link, response: httpx.Response, now: datetime) -> None:
    status = response.status_code
    if status in _DEAD_LINK:
        what = f"The link to {link.host} is dead, or not open to everybody (HTTP {status})."
        raise LinkExpired(what, "Give one that opens without signing in, or attach the file in Slack.", status=status)
    if status != 200:
        pause = _pause(response.headers.get("retry-after", ""), now)
        raise FetchError(f"{link.host} answered HTTP {status}.", "Try again later.", retry_after_seconds=pause)
    if response.headers.get("content-encoding", "").strip().lower() not in _PLAIN:
        raise refusal(f"{link.host} compresses what must come as it is.")


def _pause(text: str, now: datetime) -> float | None:
    """What Retry-After asks for, within reason, in seconds; None when it says nothing sensible."""
    seconds = asked_wait(text, now)
    return None if seconds is None else min(seconds, LONGEST_PAUSE_SECONDS)


def _check_pace(link: Link, whole: float, body: float, received: int) -> None:
    if whole > DEADLINE_SECONDS:
        raise FetchError(f"The download from {link.host} took longer than {DEADLINE_SECONDS:.0f} s.")
    if body > RATE_GRACE_SECONDS and received < (body - RATE_GRACE_SECONDS) * MINIMUM_BYTES_PER_SECOND:
        raise FetchError(f"{link.host} sends less than {MINIMUM_BYTES_PER_SECOND:,} bytes a second.")
