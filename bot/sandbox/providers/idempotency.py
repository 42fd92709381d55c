"""Answers kept by idempotency key, as a provider keeps them that bills each key once."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web


@dataclass(kw_only=True, slots=True)
class Remembered:
    """One key: the hash of the body that it came with, and the answer once there is one."""

    digest: bytes
    since: float = field(default_factory=time.time)
    answer: bytes | None = None

    def same(self, body: bytes) -> bool:
        """Whether this is byte for byte the body that the key came with first."""
        return hashlib.sha256(body).digest() == self.digest


class Keys:
    """The keys of one account."""

    def __init__(self) -> None:
        self._known: dict[str, Remembered] = {}

    def find(self, key: str, *, window: float) -> Remembered | None:
        """A key that came within the last `window` seconds."""
        known = self._known.get(key)
        if known is not None and time.time() - known.since >= window:
            del self._known[key]
            return None
        return known

    async def keep(
        self, key: str, body: bytes, create: Callable[[], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Answer a request with a new key, and remember the answer; a key whose request was refused is forgotten."""
        known = self._known[key] = Remembered(digest=hashlib.sha256(body).digest())
        try:
            answer = await create()
        except BaseException:
            self._known.pop(key, None)
            raise
        if answer.status != 200:
            self._known.pop(key, None)
        elif isinstance(answer, web.Response) and isinstance(answer.body, bytes):
            known.answer = answer.body
        return answer
