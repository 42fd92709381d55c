"""The real clock."""

import asyncio
import random
import secrets
import time
from datetime import UTC, datetime


class SystemClock:
    """Time, waiting and randomness as this machine has them."""

    def now(self) -> datetime:
        """The time, UTC and aware."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never step back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""
        await asyncio.sleep(seconds)

    def random_bits(self, count: int) -> int:
        """Unguessable bits."""
        return secrets.randbits(count)

    def chance(self) -> float:
        """A number in [0, 1) for spreading retries."""
        return random.random()  # noqa: S311 - spreads retries; nothing secret depends on it
