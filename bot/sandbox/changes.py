"""A counter of visible changes, so that tests and pages can wait for one instead of asking again and
again."""

from __future__ import annotations

import asyncio


class Changes:
    """Counts what became visible; `wait` returns when there is more than the caller has seen."""

    def __init__(self) -> None:
        self.seq = 0
        self._event = asyncio.Event()

    def mark(self) -> None:
        """Something visible changed."""
        self.seq += 1
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, after: int, timeout: float) -> int:
        """The counter, once it passes ``after`` or ``timeout`` seconds have gone."""
        try:
            async with asyncio.timeout(timeout):
                while self.seq <= after:
                    await self._event.wait()
        except TimeoutError:
            return self.seq
        return self.seq
