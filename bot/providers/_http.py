"""What every vendor needs of HTTP: clients, the classes of a billed POST, and ``Retry-After`` in every form."""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import httpx

from bot.domain.patience import SUBMIT_DEADLINE, asked_wait
from bot.ports import OrderNotSent, OrderUnknown

LARGEST_ANSWER = 1_000_000
"""Bytes read of an API answer; an endless one must not fill the memory."""

_LINK = re.compile(r"(\b[a-z][a-z0-9+.-]{0,20}://)(?:[^\s/@]*@)?([^\s/?#]+)[/?#]\S*", re.IGNORECASE)
"""Scheme, whoever may stand before the host, host; and a path or a query behind it."""

_INLINE = re.compile(r"\bdata:[^\s,]*,\S*", re.IGNORECASE)
"""A file that was written into the order."""

READ_DEADLINE_SECONDS = 20.0
"""Whole deadline of a status request: httpx's read timeout alone does not fire on a drip."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A whole HTTP answer. ``body`` is at most LARGEST_ANSWER bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def without(self, secret: str) -> "Answer":
        """The same with our key hidden, should the provider repeat it in its words."""
        return replace(self, body=self.body.replace(secret.encode(), b"[hidden]")) if secret else self

    def json(self) -> object:
        """The decoded body; None when it is not JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):  # the latter for brackets within brackets without end
            return None


def billing_client() -> httpx.AsyncClient:
    """For billed POSTs alone: every request gets a fresh connection, because a kept one that the server closes as
    it is used makes the outcome unknown; and no redirect is followed, because that would send key and body on."""
    return httpx.AsyncClient(
        limits=httpx.Limits(max_connections=20, max_keepalive_connections=0),
        timeout=httpx.Timeout(SUBMIT_DEADLINE.total_seconds(), connect=10, pool=5),
        follow_redirects=False,
        trust_env=False,
    )


def reading_client() -> httpx.AsyncClient:
    """For status requests: a small pool, since httpx slows down sharply with many connections (encode/httpx#3215)."""
    return httpx.AsyncClient(
        limits=httpx.Limits(max_connections=10, max_keepalive_connections=10),
        timeout=httpx.Timeout(READ_DEADLINE_SECONDS, connect=10),
        follow_redirects=False,
        trust_env=False,
    )


async def post_billed(
    client: httpx.AsyncClient, url: str, *, body: bytes, headers: Mapping[str, str]
) -> Answer | OrderNotSent | OrderUnknown:
    """Send a billed POST once. Only a failure to connect, and a request that cannot be put into HTTP, are known not to
    have reached the provider; everything else that is not a whole answer is of unknown outcome."""
    try:
        async with asyncio.timeout(SUBMIT_DEADLINE.total_seconds()):
            return await _answer(client, "POST", url, headers=headers, content=body)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.LocalProtocolError) as error:
        return OrderNotSent(why=_named(error))
    except (httpx.HTTPError, httpx.StreamError, TimeoutError, OSError) as error:
        return OrderUnknown(why=_named(error))


async def get(client: httpx.AsyncClient, url: str, *, headers: Mapping[str, str]) -> Answer | str:
    """Send a GET once under a whole deadline; the reason as text when no whole answer came."""
    return await send(client, "GET", url, headers=headers)


async def send(client: httpx.AsyncClient, method: str, url: str, *, headers: Mapping[str, str]) -> Answer | str:
    """Send a request without a body, of which nothing is billed, as ``get`` does."""
    try:
        async with asyncio.timeout(READ_DEADLINE_SECONDS):
            return await _answer(client, method, url, headers=headers, content=None)
    except (httpx.HTTPError, httpx.StreamError, TimeoutError, OSError) as error:
        return _named(error)


async def _answer(
    client: httpx.AsyncClient, method: str, url: str, *, headers: Mapping[str, str], content: bytes | None
) -> Answer:
    async with client.stream(method, url, headers=dict(headers), content=content) as response:
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > LARGEST_ANSWER:
                raise httpx.DecodingError("the answer is larger than any real one")
        return Answer(status=response.status_code, headers=response.headers, body=bytes(body))


def _named(error: Exception) -> str:
    return type(error).__name__


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """What the header ``Retry-After`` asks for; see ``asked_wait``."""
    text = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    return asked_wait(text, now)


def as_mapping(value: object) -> Mapping[str, object]:
    """The value if it is a JSON object, else an empty one: providers answer null, lists and text where they should
    not, and a decoder must not fall over that."""
    return value if isinstance(value, dict) else {}


def as_text(value: object) -> str:
    """A string or a whole number as text, trimmed; everything else is empty."""
    if isinstance(value, bool):
        return ""
    return str(value).strip() if isinstance(value, str | int) else ""


def failure_text(message: str, code: str) -> str:
    """The provider's words and code, for a person. Of a link in them only the host is kept: whoever has a signed link
    has the file; and nobody reads a file that stands in words."""
    words = _INLINE.sub("data:…", _LINK.sub(r"\1\2/…", message))
    return f"{words} ({code})" if words and code else words or code
