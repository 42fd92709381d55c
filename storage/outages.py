"""``bot.ports.Outages`` in SQL."""

from datetime import datetime

from sqlmodel import col, delete, select, update

from bot.domain.failure import Failure, FailureKind
from bot.domain.outage import Outage
from storage.sql import Sql
from storage.tables import OutageRow


class SqlOutages:
    """Providers that take no orders."""

    def __init__(self, sql: Sql) -> None:
        self._sql = sql

    async def note(self, outage: Outage) -> None:
        why = {"kind": outage.failure.kind.value, "detail": outage.failure.detail}
        row = OutageRow(provider=outage.provider, since=outage.since, **why)
        if not await self._sql.insert_new(row, index=("provider",)):
            await self._sql.run(update(OutageRow).where(col(OutageRow.provider) == outage.provider).values(**why))

    async def end(self, provider: str, sent_at: datetime) -> None:
        over = (col(OutageRow.provider) == provider, col(OutageRow.since) <= sent_at)
        await self._sql.run(delete(OutageRow).where(*over))

    async def standing(self) -> tuple[Outage, ...]:
        rows = await self._sql.scalars(select(OutageRow).order_by(col(OutageRow.provider)))
        return tuple(
            Outage(
                provider=row.provider,
                failure=Failure(kind=FailureKind(row.kind), detail=row.detail),
                since=row.since,
            )
            for row in rows
        )
