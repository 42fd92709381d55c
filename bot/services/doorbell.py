"""How intake tells the runner that there is something to do, without either holding the other."""

import asyncio


class Doorbell:
    """Rung by whoever committed something; heard by the runner's loop. Ringing twice is once."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """There is something to do."""
        self._rung.set()

    def reset(self) -> None:
        """What was rung for is about to be looked at."""
        self._rung.clear()

    async def rung(self) -> None:
        """Return when it was rung since the last reset."""
        await self._rung.wait()
