"""Callbacks on their way out: sent, signed, sent again until they are answered with 2xx.

Fault point ``<provider>:callback``, phase ``do``, taken when a task with a callback is created:

``lose``       never sent
``duplicate``  {times = 3} sent so often, all at once
``early``      the request that creates the task is answered only after the callback
``forge``      {url = "http://127.0.0.1:9/forged.mp4"} at once, another's word: success, with this URL,
               falsely signed; the true one follows
``stale``      {age = 3600} signed, but so many seconds ago
``late``       {seconds = 3600} sent so many seconds after the end; sooner when the rules are cleared
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import aiohttp

KINDS = frozenset({"lose", "duplicate", "early", "forge", "stale", "late"})

_TIMEOUT = aiohttp.ClientTimeout(total=10)

Sign = Callable[[bytes], Mapping[str, str]]
"""The headers that prove a body, made anew for each try."""


async def deliver(
    session: aiohttp.ClientSession,
    url: str,
    body: bytes,
    sign: Sign,
    *,
    pauses: Sequence[float],
    copies: int = 1,
    tried: Callable[[], None],
) -> None:
    """Send `copies` of a callback at once, each until it is answered with 2xx or `pauses` are used up.

    `tried` is called for every attempt.
    """

    async def one() -> None:
        for pause in (*pauses, None):
            tried()
            if await _accepted(session, url, body, sign) or pause is None:
                return
            await asyncio.sleep(pause)

    await asyncio.gather(*(one() for _ in range(copies)))


async def _accepted(session: aiohttp.ClientSession, url: str, body: bytes, sign: Sign) -> bool:
    headers = {"Content-Type": "application/json", **sign(body)}
    try:
        async with session.post(url, data=body, headers=headers, timeout=_TIMEOUT, allow_redirects=False) as answer:
            return 200 <= answer.status < 300
    except (aiohttp.ClientError, TimeoutError):
        return False
