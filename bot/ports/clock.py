"""The time, waiting and randomness."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time for records, waiting for the loops, and randomness; a simulation brings its own."""

    def now(self) -> datetime:
        """The time, UTC and aware."""

    def monotonic(self) -> float:
        """Seconds that never step back; only differences mean anything."""

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""

    def random_bits(self, count: int) -> int:
        """That many random bits as an integer, unguessable in the real clock."""

    def chance(self) -> float:
        """A number in [0, 1) for spreading retries."""
