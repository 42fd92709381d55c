"""Slack's time and identifiers."""

from __future__ import annotations

import random
import string
import time
from collections.abc import Callable

_ALPHABET = string.ascii_uppercase + string.digits


class Clock:
    """Gives timestamps ("1700000000.000100": seconds and microseconds) that never repeat and never go
    back."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._last_micros = 0

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._now()

    def ts(self) -> str:
        """The next timestamp of this workspace; it is also an identity, as on Slack."""
        self._last_micros = max(int(self._now() * 1_000_000), self._last_micros + 1)
        seconds, micros = divmod(self._last_micros, 1_000_000)
        return f"{seconds}.{micros:06d}"


class Identifiers:
    """Gives identifiers of Slack's shape: a prefix for the kind, then capitals and digits."""

    def __init__(self) -> None:
        self._random = random.SystemRandom()
        self._given: set[str] = set()

    def new(self, prefix: str, length: int = 9) -> str:
        """An identifier that was not given before, such as ``F0ABC123DEF`` for ``F``."""
        while True:
            candidate = f"{prefix}0{''.join(self._random.choices(_ALPHABET, k=length))}"
            if candidate not in self._given:
                self._given.add(candidate)
                return candidate

    def secret(self, length: int = 24) -> str:
        """An unguessable word for tickets and one-time addresses."""
        return "".join(self._random.choices(string.ascii_letters + string.digits, k=length))
