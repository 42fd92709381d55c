"""How intake tells the runner that there is something to do, without either holding the other."""

import asyncio


class Doorbell:
    """Rung by whoever committed something; answered by the runner's loop. Ringing twice is once; it begins rung, since
    a fresh process has everything to look at."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()
        self._rung.set()

    def ring(self) -> None:
        """There is something to do."""
        self._rung.set()

    def answer(self) -> bool:
        """Whether it was rung since the last answer: what it was rung for is looked at now."""
        rung = self._rung.is_set()
        self._rung.clear()
        return rung

    async def rung(self) -> None:
        """Return when it is rung."""
        await self._rung.wait()
