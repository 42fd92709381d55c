"""``bot.ports.Audit`` in SQL."""

from datetime import datetime, timedelta, tzinfo

from sqlmodel import col, select

from bot.domain.audit import AuditEntry
from storage.rows import audit_from_row, audit_to_row
from storage.sql import Sql
from storage.tables import AuditRow


class SqlAudit:
    """Lines that are only ever added; ``zone`` is the calendar of the months that are asked for."""

    def __init__(self, sql: Sql, zone: tzinfo) -> None:
        self._sql, self._zone = sql, zone

    async def add(self, *entries: AuditEntry) -> None:
        for entry in entries:
            await self._sql.insert(audit_to_row(entry))

    async def entries(
        self, *, workspace: str | None = None, month: str | None = None, limit: int | None = None
    ) -> tuple[AuditEntry, ...]:
        newest = select(AuditRow).order_by(col(AuditRow.seq).desc()).limit(limit)
        if workspace is not None:
            newest = newest.where(col(AuditRow.workspace) == workspace)
        if month is not None:
            first, end = bounds(month, self._zone)
            newest = newest.where(col(AuditRow.at) >= first, col(AuditRow.at) < end)
        return tuple(audit_from_row(row) for row in reversed(await self._sql.scalars(newest)))


def bounds(month: str, zone: tzinfo) -> tuple[datetime, datetime]:
    """When a month such as ``2026-11`` begins, and when the next one does, by the calendar of ``zone``."""
    first = datetime.strptime(month, "%Y-%m").replace(tzinfo=zone)
    return first, (first + timedelta(days=32)).replace(day=1)
