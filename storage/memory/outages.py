"""``bot.ports.Outages`` in memory."""

from dataclasses import replace
from datetime import datetime

from bot.domain.outage import Outage
from storage.memory.tables import Tables


class MemoryOutages:
    """Providers that take no orders."""

    def __init__(self, tables: Tables) -> None:
        self._outages = tables.outages

    async def note(self, outage: Outage) -> None:
        first = self._outages.get(outage.provider, outage)
        self._outages[outage.provider] = replace(outage, since=first.since)

    async def end(self, provider: str, sent_at: datetime) -> None:
        outage = self._outages.get(provider)
        if outage is not None and outage.since <= sent_at:
            del self._outages[provider]

    async def standing(self) -> tuple[Outage, ...]:
        return tuple(sorted(self._outages.values(), key=lambda outage: outage.provider))
