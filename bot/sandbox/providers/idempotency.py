"""Answers kept by idempotency key, as a provider keeps them that bills each key once."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field


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

    def begin(self, key: str, body: bytes) -> Remembered:
        """Remember a key whose request is being worked on."""
        self._known[key] = Remembered(digest=hashlib.sha256(body).digest())
        return self._known[key]

    def drop(self, key: str) -> None:
        """Forget a key whose request was refused."""
        self._known.pop(key, None)
