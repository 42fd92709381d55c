"""The part of ``bot.ports.Jobs`` about threads, asks and their cards, in SQL."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, TextClause, and_, or_, tuple_
from sqlmodel import col, select, update

from bot.domain.job import Ask, Decision, Ownership, State, Supporter, Thread
from bot.ports import AlreadyLive
from storage.leases import end_lapsed, free_for, owned_by
from storage.rows import ask_from_row, ask_to_row, supporter_from_row, thread_from_row, thread_to_row
from storage.sql import Sql
from storage.tables import CARD_BEHIND, LIVE_KEY, AskRow, JobRow, SupporterRow, ThreadRow

_THREAD_OF_ASK = and_(col(ThreadRow.workspace) == col(AskRow.workspace), col(ThreadRow.id) == col(AskRow.thread_id))


class SqlAsks:
    """Threads, asks, cards and supporters."""

    def __init__(self, sql: Sql) -> None:
        self._sql = sql

    async def add_thread(self, thread: Thread) -> None:
        await self._sql.insert(thread_to_row(thread))

    async def open_thread(self, thread: Thread) -> Thread:
        root = ("workspace", "channel", "root_ts")
        if await self._sql.insert_new(thread_to_row(thread), index=root):
            return thread
        return await self.find_thread(thread.workspace, thread.channel, thread.root_ts or "") or thread

    async def thread(self, workspace: str, thread_id: str) -> Thread:
        row = await self._sql.scalar(select(ThreadRow).where(*_thread(workspace, thread_id)))
        if row is None:
            raise KeyError(thread_id)
        return thread_from_row(row)

    async def find_thread(self, workspace: str, channel: str, root_ts: str) -> Thread | None:
        root = (
            col(ThreadRow.workspace) == workspace,
            col(ThreadRow.channel) == channel,
            col(ThreadRow.root_ts) == root_ts,
        )
        row = await self._sql.scalar(select(ThreadRow).where(*root))
        return None if row is None else thread_from_row(row)

    async def take_numbers(self, workspace: str, thread_id: str, count: int) -> int:
        taken = (
            update(ThreadRow)
            .where(*_thread(workspace, thread_id))
            .values(next_number=col(ThreadRow.next_number) + count)
            .returning(col(ThreadRow.next_number))
        )
        following: int | None = await self._sql.scalar(taken)
        if following is None:
            raise KeyError(thread_id)
        return following - count

    async def add_ask(self, ask: Ask) -> None:
        new = await self._sql.insert_new(ask_to_row(ask), index=("workspace", "unique_key"), where=LIVE_KEY)
        if not new:
            raise AlreadyLive(ask.unique_key or "")

    async def ask(self, workspace: str, ask_id: str) -> Ask:
        found = await self._asks(*_ask(workspace, ask_id))
        if not found:
            raise KeyError(ask_id)
        return found[0]

    async def live_ask(self, workspace: str, unique_key: str) -> Ask | None:
        found = await self._asks(LIVE_KEY, col(AskRow.workspace) == workspace, col(AskRow.unique_key) == unique_key)
        return found[0] if found else None

    async def find_card(self, workspace: str, channel: str, card_ts: str) -> Ask | None:
        card = (col(AskRow.channel) == channel, col(AskRow.card_ts) == card_ts)
        found = await self._asks(col(AskRow.workspace) == workspace, *card)
        return found[0] if found else None

    async def decide(self, workspace: str, ask_id: str, decision: Decision, person: str | None) -> bool:
        jobs = (col(JobRow.workspace) == workspace, col(JobRow.ask_id) == ask_id)
        # Jobs before their ask, the order in which a move locks them.
        await self._sql.rows(select(JobRow.id).where(*jobs).order_by(col(JobRow.id)).with_for_update())
        undecided = (*_ask(workspace, ask_id), col(AskRow.decision).is_(None))
        passed = (
            update(AskRow)
            .where(*undecided)
            .values(decision=decision.value, decided_by=person, version=col(AskRow.version) + 1)
        )
        if await self._sql.run(passed) == 0:
            return False
        if decision is Decision.GO and person is not None:
            await self._sql.run(update(AskRow).where(*_ask(workspace, ask_id)).values(person=person))
            # A save that has read the former payer must not write that one back: the new version fences it.
            payer = {"person": person, "version": col(JobRow.version) + 1}
            await self._sql.run(update(JobRow).where(*jobs).values(**payer))
        return True

    async def pass_on(self, workspace: str, ask_id: str, person: str) -> None:
        await self._change(workspace, ask_id, person=person, version=col(AskRow.version) + 1)

    async def retire(self, workspace: str, ask_id: str) -> None:
        await self._change(workspace, ask_id, live=False)

    async def redraw(self, workspace: str, ask_id: str) -> None:
        await self._change(workspace, ask_id, version=col(AskRow.version) + 1)

    async def add_note(self, workspace: str, ask_id: str, note: str) -> None:
        ask = await self.ask(workspace, ask_id)
        if note not in ask.notes:
            notes = [*ask.notes, note]
            await self._change(workspace, ask_id, notes=notes, version=col(AskRow.version) + 1)

    async def redraw_line(self, workspace: str, person: str) -> None:
        theirs = (col(JobRow.workspace) == workspace, col(JobRow.person) == person)
        queued = select(JobRow.ask_id).where(*theirs, col(JobRow.state) == State.QUEUED.value)
        # Whoever waited here, with a row of its own locked, could wait for somebody who waits for that row.
        free = (
            select(AskRow.id)
            .where(col(AskRow.workspace) == workspace, col(AskRow.id).in_(queued))
            .with_for_update(skip_locked=True, key_share=True)
            .cte("free")
        )
        line = (col(AskRow.workspace) == workspace, col(AskRow.id).in_(select(free.c.id)))
        await self._sql.run(update(AskRow).where(*line).values(version=col(AskRow.version) + 1))

    async def support(self, workspace: str, ask_id: str, supporter: Supporter) -> None:
        row = SupporterRow(workspace=workspace, ask_id=ask_id, person=supporter.person, at=supporter.at)
        await self._sql.insert_new(row, index=("workspace", "ask_id", "person"))

    async def supporters(self, workspace: str, ask_id: str) -> tuple[Supporter, ...]:
        of_ask = (col(SupporterRow.workspace) == workspace, col(SupporterRow.ask_id) == ask_id)
        earliest = (col(SupporterRow.at), col(SupporterRow.person))
        rows = await self._sql.scalars(select(SupporterRow).where(*of_ask).order_by(*earliest))
        return tuple(supporter_from_row(row) for row in rows)

    async def claim_cards(
        self, ownership: Ownership, limit: int, now: datetime, *, after: Ask | None = None
    ) -> list[Ask]:
        await end_lapsed(self._sql, now)
        available = free_for(AskRow, ownership, now) | owned_by(AskRow, ownership)
        younger = () if after is None else (_younger(after),)
        behind = (
            select(AskRow.workspace, AskRow.id)
            .where(CARD_BEHIND, available, *younger)
            .order_by(col(AskRow.created_at), col(AskRow.id))
            .limit(limit)
            .with_for_update(skip_locked=True, key_share=True)
            .cte("behind")
        )
        claimed = (
            update(AskRow)
            .where(tuple_(AskRow.workspace, AskRow.id).in_(select(behind.c.workspace, behind.c.id)))
            .values(owner=ownership.owner, epoch=ownership.epoch)
            .returning(col(AskRow.workspace), col(AskRow.id))
        )
        return await self._asks_of({(workspace, ask_id) for workspace, ask_id in await self._sql.rows(claimed)})

    async def card_intended(self, workspace: str, ask_id: str) -> None:
        await self._change(workspace, ask_id, card_posting=True)

    async def card_posted(self, workspace: str, ask_id: str, card_ts: str, version: int) -> None:
        await self._change(workspace, ask_id, card_posting=False, card_ts=card_ts, card_version=version)
        thread_of_ask = select(AskRow.thread_id).where(*_ask(workspace, ask_id)).scalar_subquery()
        rootless = (
            col(ThreadRow.workspace) == workspace,
            col(ThreadRow.id) == thread_of_ask,
            col(ThreadRow.root_ts).is_(None),
        )
        await self._sql.run(update(ThreadRow).where(*rootless).values(root_ts=card_ts))

    async def card_drawn(self, workspace: str, ask_id: str, version: int) -> None:
        await self._change(workspace, ask_id, card_version=version)

    async def thread_gone(self, workspace: str, ask_id: str, root_ts: str) -> None:
        thread_of_ask = select(AskRow.thread_id).where(*_ask(workspace, ask_id)).scalar_subquery()
        still_this = (
            col(ThreadRow.workspace) == workspace,
            col(ThreadRow.id) == thread_of_ask,
            col(ThreadRow.root_ts) == root_ts,
        )
        await self._sql.run(update(ThreadRow).where(*still_this).values(root_ts=None))
        await self._change(workspace, ask_id, card_posting=True, card_ts=None, card_version=0)

    async def card_lost(self, workspace: str, ask_id: str) -> None:
        await self._change(workspace, ask_id, card_posting=False, card_ts=None, card_version=0)

    async def _asks_of(self, keys: Collection[tuple[str, str]]) -> list[Ask]:
        """Asks by workspace and id, oldest first."""
        # Not as pairs: SQLite reads the whole table for a list of those.
        workspaces, ids = {workspace for workspace, _ in keys}, {ask_id for _, ask_id in keys}
        found = await self._asks(col(AskRow.workspace).in_(workspaces), col(AskRow.id).in_(ids)) if keys else []
        return [ask for ask in found if (ask.workspace, ask.id) in keys]

    async def _asks(self, *conditions: ColumnElement[bool] | TextClause) -> list[Ask]:
        """Asks with their threads' roots, oldest first."""
        statement = (
            select(AskRow, ThreadRow.root_ts)
            .join(ThreadRow, _THREAD_OF_ASK)
            .where(*conditions)
            .order_by(col(AskRow.created_at), col(AskRow.id))
        )
        return [ask_from_row(row, root_ts) for row, root_ts in await self._sql.rows(statement)]

    async def _change(self, workspace: str, ask_id: str, **values: object) -> None:
        await self._sql.run(update(AskRow).where(*_ask(workspace, ask_id)).values(**values))


def _ask(workspace: str, ask_id: str) -> tuple[ColumnElement[bool], ...]:
    return col(AskRow.workspace) == workspace, col(AskRow.id) == ask_id


def _younger(than: Ask) -> ColumnElement[bool]:
    later, as_old = col(AskRow.created_at) > than.created_at, col(AskRow.created_at) == than.created_at
    return or_(later, and_(as_old, col(AskRow.id) > than.id))


def _thread(workspace: str, thread_id: str) -> tuple[ColumnElement[bool], ...]:
    return col(ThreadRow.workspace) == workspace, col(ThreadRow.id) == thread_id
