"""Time that stands still until a test moves it."""

import asyncio
import random
from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 20, 21, 30, 15, 123456, tzinfo=UTC)
"""When a settable clock begins: an ordinary Friday, some hours before the day ends."""


class SettableClock:
    """``bot.ports.Clock`` for tests. Sleeping moves it on at once; randomness follows from the seed, so that a run
    can be repeated."""

    def __init__(self, now: datetime = START, *, seed: int = 0, chance: float = 0.0) -> None:
        self.slept: list[float] = []
        """Every wait that was asked for, in seconds."""
        self._now = now
        self._monotonic = 1000.0
        self._random = random.Random(seed)
        self._chance = chance

    def now(self) -> datetime:
        """The time that was set, UTC and aware."""
        return self._now

    def monotonic(self) -> float:
        """Seconds that only ``advance`` and ``sleep`` move: a stepped wall clock does not."""
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        """Let others run once, and be that much later."""
        self.slept.append(seconds)
        self.advance(seconds)
        await asyncio.sleep(0)

    def random_bits(self, count: int) -> int:
        """That many bits, the same in every run with this seed."""
        return self._random.getrandbits(count)

    def chance(self) -> float:
        """The number given at the start: without spread unless a test asks for one."""
        return self._chance

    def advance(self, seconds: float) -> None:
        """So many seconds pass."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds

    def step(self, now: datetime) -> None:
        """The wall clock is set otherwise, as an operator or a time server does; no time passes."""
        self._now = now
