"""``bot.ports.Ledger`` in SQL: rows are only added, balances are sums."""

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func
from sqlalchemy import select as select_columns
from sqlmodel import col, select

from bot.domain.budget import (
    Cap,
    Entry,
    Hold,
    Scope,
    Stage,
    UsageRow,
    adjust_entry,
    release_entry,
    settle_entry,
)
from storage.accounting import check_cap, hold_entries
from storage.rows import entry_from_row, entry_to_row
from storage.sql import Sql
from storage.tables import CapRow, LedgerRow

_USAGE_KEYS = ("workspace", "month", "channel", "person", "provider", "tier", "stage")
_USAGE_SUMS = ("held_micro_usd", "settled_micro_usd", "released_micro_usd")
_USAGE_COUNTS = ("assumed_micro_usd", "clips", "as_final_micro_usd", "compared_micro_usd", "compared_clips")


class SqlLedger:
    """The ledger; ``zone`` is the calendar of holds that come without a cap."""

    def __init__(self, sql: Sql, zone: tzinfo) -> None:
        self._sql, self._zone = sql, zone

    async def hold(self, holds: Sequence[Hold], caps: Sequence[Cap]) -> None:
        entries = hold_entries(holds, caps, self._zone)
        workspaces = sorted({entry.workspace for entry in entries})
        for workspace in workspaces:
            for cap in caps:
                await self._lock(cap, workspace)
        fresh = [entry for entry in entries if await self._held(entry) is None]
        for workspace in workspaces:
            for cap in caps:
                check_cap(cap, workspace, await self.committed(cap, workspace), fresh)
        for entry in fresh:
            await self._sql.insert_new(entry_to_row(entry))

    async def settle(self, workspace: str, job_id: str, attempt: int, cost_micro_usd: int, at: datetime) -> bool:
        held = await self._hold_of(workspace, job_id, attempt)
        return held is not None and await self._close(settle_entry(held, cost_micro_usd, at))

    async def release(self, workspace: str, job_id: str, attempt: int, at: datetime) -> bool:
        held = await self._hold_of(workspace, job_id, attempt)
        return held is not None and await self._close(release_entry(held, at))

    async def adjust(self, workspace: str, job_id: str, attempt: int, cost_micro_usd: int, at: datetime) -> bool:
        # One at a time, each on what the one before it wrote: the hold's row is what they wait for.
        if await self._hold_of(workspace, job_id, attempt, lock=True) is None:
            return False
        rows = select(LedgerRow).where(*_attempt(workspace, job_id, attempt)).order_by(col(LedgerRow.seq))
        so_far = [entry_from_row(row) for row in await self._sql.scalars(rows)]
        adjusted = adjust_entry(so_far, cost_micro_usd, at)
        return adjusted is not None and await self._close(adjusted)

    async def committed(self, cap: Cap, workspace: str) -> int:
        total = func.sum(col(LedgerRow.held_micro_usd) + col(LedgerRow.settled_micro_usd))
        return int(await self._sql.scalar(select(total).where(_under(cap, workspace))) or 0)

    async def assumed(self, cap: Cap, workspace: str) -> int:
        attempt = col(LedgerRow.job_id), col(LedgerRow.attempt)
        price = func.max(col(LedgerRow.held_micro_usd)).label("price")
        total = func.sum(col(LedgerRow.held_micro_usd) + col(LedgerRow.settled_micro_usd)).label("total")
        counted = select_columns(*attempt, price, total).where(_under(cap, workspace), col(LedgerRow.price_assumed))
        one = counted.group_by(*attempt).subquery().c
        return int(await self._sql.scalar(select_columns(func.sum(one.total)).where(one.total == one.price)) or 0)

    async def entries(self, workspace: str | None = None, job_id: str | None = None) -> tuple[Entry, ...]:
        statement = select(LedgerRow).order_by(
            col(LedgerRow.at), col(LedgerRow.job_id), col(LedgerRow.attempt), col(LedgerRow.seq)
        )
        if workspace is not None:
            statement = statement.where(col(LedgerRow.workspace) == workspace)
        if job_id is not None:
            statement = statement.where(col(LedgerRow.job_id) == job_id)
        return tuple(entry_from_row(row) for row in await self._sql.scalars(statement))

    async def usage(self, month: str) -> tuple[UsageRow, ...]:
        names = ("job_id", "attempt", *_USAGE_KEYS, "as_final_micro_usd", "price_assumed")
        same = [col(getattr(LedgerRow, name)) for name in names]
        of_attempt = [func.sum(col(getattr(LedgerRow, name))).label(name) for name in _USAGE_SUMS]
        of_attempt.append(func.max(col(LedgerRow.held_micro_usd)).label("price"))
        # First by attempt: whether one cost anything is known from all its rows together.
        attempts = select_columns(*same, *of_attempt).where(col(LedgerRow.month) == month).group_by(*same).subquery()
        one = attempts.c
        paid = one.settled_micro_usd > 0
        compared = and_(paid, one.stage != Stage.DIRECT.value, one.as_final_micro_usd.is_not(None))
        total = one.held_micro_usd + one.settled_micro_usd
        counts = (
            (and_(one.price_assumed, total == one.price), total),
            (paid, 1),
            (and_(compared, one.stage == Stage.DRAFT.value), one.as_final_micro_usd),
            (compared, one.settled_micro_usd),
            (compared, 1),
        )
        group = [one[name] for name in _USAGE_KEYS]
        sums = [func.sum(one[name]).label(name) for name in _USAGE_SUMS]
        sums += [
            func.sum(case((condition, value), else_=0)).label(name)
            for name, (condition, value) in zip(_USAGE_COUNTS, counts, strict=True)
        ]
        statement = select_columns(*group, *sums).group_by(*group).order_by(*group)
        return tuple(_usage(row._asdict()) for row in await self._sql.rows(statement))

    async def places(self) -> tuple[tuple[str, str], ...]:
        pairs = select_columns(col(LedgerRow.workspace), col(LedgerRow.channel)).distinct()
        return tuple(sorted((row.workspace, row.channel) for row in await self._sql.rows(pairs)))

    async def _lock(self, cap: Cap, workspace: str) -> None:
        """Keep other holds under this cap waiting until our transaction ends."""
        row = CapRow(workspace=workspace, scope=cap.scope.value, subject=cap.subject, period=cap.period)
        await self._sql.insert_new(row)
        same = (
            col(CapRow.workspace) == workspace,
            col(CapRow.scope) == cap.scope.value,
            col(CapRow.subject) == cap.subject,
            col(CapRow.period) == cap.period,
        )
        await self._sql.scalar(select(CapRow).where(*same).with_for_update())

    async def _held(self, entry: Entry) -> Entry | None:
        return await self._hold_of(entry.workspace, entry.job_id, entry.attempt)

    async def _hold_of(self, workspace: str, job_id: str, attempt: int, *, lock: bool = False) -> Entry | None:
        hold = select(LedgerRow).where(*_attempt(workspace, job_id, attempt), col(LedgerRow.seq) == 0)
        row = await self._sql.scalar(hold.with_for_update() if lock else hold)
        return None if row is None else entry_from_row(row)

    async def _close(self, entry: Entry) -> bool:
        return await self._sql.insert_new(entry_to_row(entry))


def _attempt(workspace: str, job_id: str, attempt: int) -> tuple[ColumnElement[bool], ...]:
    return (
        col(LedgerRow.workspace) == workspace,
        col(LedgerRow.job_id) == job_id,
        col(LedgerRow.attempt) == attempt,
    )


def _under(cap: Cap, workspace: str) -> ColumnElement[bool]:
    """``storage.accounting.counts_under`` as a condition."""
    ours = col(LedgerRow.workspace) == workspace
    match cap.scope:
        case Scope.WORKSPACE_MONTH:
            return and_(ours, col(LedgerRow.month) == cap.period)
        case Scope.CHANNEL_MONTH:
            return and_(ours, col(LedgerRow.channel) == cap.subject, col(LedgerRow.month) == cap.period)
        case Scope.PERSON_DAY:
            return and_(ours, col(LedgerRow.person) == cap.subject, col(LedgerRow.day) == cap.period)


def _usage(row: dict[str, Any]) -> UsageRow:
    # PostgreSQL adds up 64-bit integers as decimals.
    whole = {name: int(row[name]) for name in (*_USAGE_SUMS, *_USAGE_COUNTS)}
    return UsageRow(**row | whole | {"stage": Stage(row["stage"])})
