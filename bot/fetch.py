"""Guarded downloads of links that we did not make: a provider's answer says where a clip lies.

Only https, or a host that the operator allowed (``ALLOWED_FETCH_HOSTS``). The name is resolved once, every address is
checked, and the connection goes to the checked one; redirects are not followed. A whole deadline and a minimum rate
bound each download, since httpx's read timeout alone does not fire on a server that drips.
"""

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import httpx

from bot.ports import Clock, FetchError, LinkExpired, LinkRefused

DEADLINE_SECONDS = 600.0
MINIMUM_BYTES_PER_SECOND = 20_000
RATE_GRACE_SECONDS = 10.0
"""A slow start is no drip: the minimum rate counts from here."""
ANSWER_SECONDS = 30.0
"""Until the answer's headers are there: a server can drip these as well."""

_NOT_PUBLIC_V4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # carriers' NAT
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local, and the metadata of clouds
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",
    )
)
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
"""All that is given out. IPv4-mapped and -compatible, link-local, site-local, unique local and multicast addresses
lie outside."""
_NOT_PUBLIC_V6 = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # Teredo, ORCHID and others of the protocol's own
        "2001:db8::/32",
        "2002::/16",  # 6to4: carries any IPv4 address
        "3fff::/20",
    )
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""Carries an IPv4 address in its last 32 bits; how a host without IPv4 reaches a public one (RFC 6052)."""

_DEAD_LINK = frozenset({403, 404, 410})


@dataclass(frozen=True, kw_only=True)
class _Target:
    url: httpx.URL
    address: str | None
    """The checked address to connect to; None for a host that the operator allowed."""


class GuardedFetcher:
    """Downloads over httpx. ``allowed_hosts`` are ``host`` or ``host:port``, an IPv6 address in brackets."""

    def __init__(self, *, clock: Clock, allowed_hosts: frozenset[str] = frozenset()) -> None:
        self._clock = clock
        self._allowed = frozenset(host.lower() for host in allowed_hosts)
        self._client = httpx.AsyncClient(
            limits=httpx.Limits(max_connections=20, max_keepalive_connections=0),
            timeout=httpx.Timeout(20, connect=10),
            follow_redirects=False,
            trust_env=False,
        )

    def open(self, url: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The body in chunks. Raises FetchError, LinkRefused or LinkExpired, also while the chunks are read."""
        return self._open(url)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    @asynccontextmanager
    async def _open(self, url: str) -> AsyncIterator[AsyncIterator[bytes]]:
        target = await self._checked(url)
        request = _request(self._client, target)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                response = await self._client.send(request, stream=True)
        except (httpx.HTTPError, OSError) as error:
            raise FetchError(f"the download did not begin: {type(error).__name__}") from error
        try:
            _check_status(response)
            yield self._chunks(response)
        finally:
            await response.aclose()

    async def _chunks(self, response: httpx.Response) -> AsyncIterator[bytes]:
        began, received = self._clock.monotonic(), 0
        chunks = response.aiter_raw().__aiter__()
        while True:
            try:
                chunk = await anext(chunks)
            except StopAsyncIteration:
                break
            except (httpx.HTTPError, httpx.StreamError, OSError) as error:
                raise FetchError(f"the download broke off: {type(error).__name__}") from error
            received += len(chunk)
            _check_rate(self._clock.monotonic() - began, received)
            yield chunk
        announced = response.headers.get("content-length", "")
        if announced.isdigit() and int(announced) != received:
            raise FetchError(f"{received} bytes came of {announced} announced")

    async def _checked(self, url: str) -> _Target:
        try:
            parsed = httpx.URL(url)
            host = parsed.host
        except (httpx.InvalidURL, ValueError) as error:  # the latter for names that are no host names
            raise LinkRefused("the link is not a URL") from error
        if parsed.userinfo or not host:
            raise LinkRefused("the link carries credentials or names no host")
        if parsed.port is not None and not 0 < parsed.port < 65_536:
            raise LinkRefused("the link names an impossible port")
        if self._is_allowed(parsed):
            return _Target(url=parsed, address=None)
        if parsed.scheme != "https":
            raise LinkRefused("the link is not https")
        return _Target(url=parsed, address=await _public_address(host, parsed.port or 443))

    def _is_allowed(self, url: httpx.URL) -> bool:
        if url.scheme not in {"http", "https"}:
            return False
        port = url.port or (443 if url.scheme == "https" else 80)
        host = f"[{url.host}]" if ":" in url.host else url.host
        return host in self._allowed or f"{host}:{port}" in self._allowed


def _request(client: httpx.AsyncClient, target: _Target) -> httpx.Request:
    headers = {"Accept": "video/mp4, */*;q=0.1", "Accept-Encoding": "identity"}
    if target.address is None:
        return client.build_request("GET", target.url, headers=headers)
    # The connection goes to the checked address; name and certificate stay those of the host.
    headers["Host"] = target.url.netloc.decode("ascii")
    return client.build_request(
        "GET",
        target.url.copy_with(host=target.address),
        headers=headers,
        extensions={"sni_hostname": target.url.host},
    )


def _check_status(response: httpx.Response) -> None:
    if response.status_code in _DEAD_LINK:
        raise LinkExpired(f"the link is dead (HTTP {response.status_code})")
    if response.is_redirect:
        raise LinkRefused("the link redirects elsewhere")
    if response.status_code != 200:
        raise FetchError(f"the server answered HTTP {response.status_code}")
    if response.headers.get("content-encoding", "identity").lower() not in {"", "identity"}:
        raise FetchError("the server compressed what must come as it is")


def _check_rate(seconds: float, received: int) -> None:
    if seconds > DEADLINE_SECONDS:
        raise FetchError(f"the download took longer than {DEADLINE_SECONDS:.0f} s")
    if seconds > RATE_GRACE_SECONDS and received < (seconds - RATE_GRACE_SECONDS) * MINIMUM_BYTES_PER_SECOND:
        raise FetchError(f"the download is slower than {MINIMUM_BYTES_PER_SECOND:,} bytes a second")


async def _public_address(host: str, port: int) -> str:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise LinkRefused("the link names no possible host") from error
    except OSError as error:
        raise FetchError("the link's host has no address") from error
    addresses = [str(entry[4][0]) for entry in found]
    if not addresses:
        raise FetchError("the link's host has no address")
    if not all(is_public(address) for address in addresses):
        raise LinkRefused("the link points to an address that is not public")
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether an address can only lie on the open internet. By a table of our own: ``is_global`` lets multicast, NAT64,
    6to4 and IPv4-compatible addresses pass, which can all lead back inside."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address) and parsed in _NAT64:
        parsed = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
    if isinstance(parsed, ipaddress.IPv4Address):
        return not any(parsed in network for network in _NOT_PUBLIC_V4)
    return parsed in _PUBLIC_V6 and not any(parsed in network for network in _NOT_PUBLIC_V6)
