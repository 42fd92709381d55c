"""``bot.ports.Audit`` in memory."""

from datetime import tzinfo

from bot.domain.audit import AuditEntry
from storage.audit import bounds
from storage.memory.tables import Tables


class MemoryAudit:
    """Lines that are only ever added; ``zone`` is the calendar of the months that are asked for."""

    def __init__(self, tables: Tables, zone: tzinfo) -> None:
        self._lines, self._zone = tables.audit, zone

    async def add(self, *entries: AuditEntry) -> None:
        self._lines.extend(entries)

    async def entries(
        self, *, workspace: str | None = None, month: str | None = None, limit: int | None = None
    ) -> tuple[AuditEntry, ...]:
        chosen = [line for line in self._lines if workspace in {None, line.workspace}]
        if month is not None:
            first, end = bounds(month, self._zone)
            chosen = [line for line in chosen if first <= line.at < end]
        return tuple(chosen if limit is None else chosen[max(0, len(chosen) - limit) :])
