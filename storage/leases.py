"""``bot.ports.Leases`` in SQL."""

from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, func
from sqlmodel import col, delete, select, update

from bot.domain.job import Ownership
from storage.sql import Sql
from storage.tables import AnnouncementRow, AskRow, JobRow, LeaseRow

_Owned = type[JobRow] | type[AskRow] | type[AnnouncementRow]


class SqlLeases:
    """One row a process."""

    def __init__(self, sql: Sql) -> None:
        self._sql = sql

    async def register(
        self,
        owner: str,
        now: datetime,  # noqa: ARG002 - the port's; here leases end by being taken over, not by the clock
        until: datetime,
        *,
        alone: bool,
    ) -> Ownership:
        await self._sql.lock("leases")
        highest = await self._sql.scalar(select(func.max(LeaseRow.epoch)))
        epoch = (highest or 0) + 1
        # Ended leases have no use but their epoch, which the new row surpasses.
        useless = delete(LeaseRow)
        if not alone:
            useless = useless.where((col(LeaseRow.owner) == owner) | col(LeaseRow.until).is_(None))
        await self._sql.run(useless)
        await self._sql.insert(LeaseRow(owner=owner, epoch=epoch, until=until))
        return Ownership(owner=owner, epoch=epoch)

    async def renew(self, ownership: Ownership, until: datetime) -> bool:
        still_ours = (*_of(ownership), col(LeaseRow.until).is_not(None))
        return await self._sql.run(update(LeaseRow).where(*still_ours).values(until=until)) == 1

    async def holds(self, ownership: Ownership, now: datetime) -> bool:
        current = select(LeaseRow).where(*_of(ownership), col(LeaseRow.until) > now)
        return await self._sql.scalar(current) is not None

    async def release(
        self,
        ownership: Ownership,
        now: datetime,  # noqa: ARG002 - as above
    ) -> None:
        await self._sql.run(update(LeaseRow).where(*_of(ownership)).values(until=None))


async def end_lapsed(sql: Sql, now: datetime) -> None:
    """End the leases that are not valid at ``now``, before their rows are taken over.

    A process that slept then learns from its next ``renew`` that it was given up, before it does
    anything that cannot be taken back. A renewal under way is either seen here or refused: both change
    the same row.
    """
    await sql.run(update(LeaseRow).where(col(LeaseRow.until) <= now).values(until=None))


def free_for(row: _Owned, ownership: Ownership, now: datetime) -> ColumnElement[bool]:
    """The condition that a job, an ask or an announcement has no owner, or one whose lease is not valid
    at ``now``; never our own."""
    valid = exists().where(
        col(LeaseRow.owner) == col(row.owner),
        col(LeaseRow.epoch) == col(row.epoch),
        col(LeaseRow.until) > now,
    )
    return col(row.owner).is_(None) | and_(~owned_by(row, ownership), ~valid)


def owned_by(row: _Owned, ownership: Ownership) -> ColumnElement[bool]:
    """The condition that a job, an ask or an announcement is ours, under our present epoch."""
    return and_(col(row.owner) == ownership.owner, col(row.epoch) == ownership.epoch)


def _of(ownership: Ownership) -> tuple[ColumnElement[bool], ...]:
    return col(LeaseRow.owner) == ownership.owner, col(LeaseRow.epoch) == ownership.epoch
