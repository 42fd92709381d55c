"""``bot.ports.Jobs`` in SQL: jobs here; threads and asks, attempts and evidence in the modules it builds
on."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, func, or_, tuple_
from sqlalchemy import select as select_columns
from sqlmodel import col, select, update

from bot.domain.job import FINAL, IN_FLIGHT, PAST_GATE, Ask, Decision, Job, Ownership, State, TimelineEntry, Wish
from bot.ports import Fenced
from storage.asks import SqlAsks
from storage.attempts import SqlAttempts
from storage.errors import Inconsistent, TaskTaken
from storage.leases import end_lapsed, free_for, owned_by
from storage.rows import JOB_FLAGS, JOB_KEY, job_from_row, job_to_row, timeline_to_row
from storage.tables import ATTENTION, TO_BE_MOVED, AskRow, JobRow

_AGE = (col(JobRow.created_at), col(JobRow.id))
_FINAL_WORDS = sorted(state.value for state in FINAL)
_IN_FLIGHT_WORDS = sorted(state.value for state in IN_FLIGHT)


class SqlJobs(SqlAsks, SqlAttempts):
    """All of the port."""

    async def add(self, job: Job, entry: TimelineEntry) -> None:
        try:
            await self._sql.insert(job_to_row(job))
        except Inconsistent as error:
            raise _taken(job) or error from error
        await self._sql.insert(timeline_to_row(entry))

    async def job(self, workspace: str, job_id: str) -> Job:
        found = await self._jobs(*_job(workspace, job_id))
        if not found:
            raise KeyError(job_id)
        return found[0]

    async def of_ask(self, workspace: str, ask_id: str) -> tuple[Job, ...]:
        of_ask = (col(JobRow.workspace) == workspace, col(JobRow.ask_id) == ask_id)
        return await self._jobs(*of_ask, by_number=True)

    async def in_thread(self, workspace: str, thread_id: str) -> tuple[Job, ...]:
        in_thread = (col(JobRow.workspace) == workspace, col(JobRow.thread_id) == thread_id)
        return await self._jobs(*in_thread, by_number=True)

    async def by_message(self, workspace: str, channel: str, message_ts: str) -> Job | None:
        message = (col(JobRow.channel) == channel, col(JobRow.message_ts) == message_ts)
        found = await self._jobs(col(JobRow.workspace) == workspace, *message)
        return found[0] if found else None

    async def being_shared(self, workspace: str, channel: str) -> tuple[Job, ...]:
        place = (col(JobRow.workspace) == workspace, col(JobRow.channel) == channel)
        shared = (col(JobRow.state) == State.DELIVERING, col(JobRow.file_id).is_not(None))
        return await self._jobs(*place, *shared)

    async def by_task(self, provider: str, task_id: str) -> Job | None:
        found = await self._jobs(col(JobRow.provider) == provider, col(JobRow.task_id) == task_id)
        return found[0] if found else None

    async def find(self, job_id_prefix: str) -> tuple[Job, ...]:
        # Not LIKE, which ignores case on SQLite only.
        return await self._jobs(func.substr(JobRow.id, 1, len(job_id_prefix)) == job_id_prefix)

    async def listing(self, *, state: State | None, limit: int) -> tuple[tuple[Job, Ask], ...]:
        statement = select(JobRow).order_by(*(column.desc() for column in _AGE)).limit(limit)
        if state is not None:
            statement = statement.where(col(JobRow.state) == state.value)
        jobs = [job_from_row(row) for row in await self._sql.scalars(statement)]
        asks = await self._asks_of({(job.workspace, job.ask_id) for job in jobs})
        by_key = {(ask.workspace, ask.id): ask for ask in asks}
        return tuple((job, by_key[job.workspace, job.ask_id]) for job in jobs)

    async def save(self, job: Job, ownership: Ownership, entry: TimelineEntry) -> Job:
        saved = replace(job, version=job.version + 1, owner=ownership.owner, epoch=ownership.epoch)
        as_read = (
            *_job(job.workspace, job.id),
            owned_by(JobRow, ownership),
            col(JobRow.version) == job.version,
        )
        values = job_to_row(saved).model_dump(exclude=set(JOB_KEY | JOB_FLAGS))
        try:
            changed = await self._sql.run(update(JobRow).where(*as_read).values(**values))
        except Inconsistent as error:
            raise _taken(job) or error from error
        if changed == 0:
            raise Fenced(f"job {job.id} was moved or taken over since it was read")
        await self._sql.insert(timeline_to_row(entry))
        return saved

    async def request_cancel(self, workspace: str, job_id: str, person: str) -> None:
        unasked = (*_job(workspace, job_id), col(JobRow.cancel_by).is_(None))
        await self._sql.run(update(JobRow).where(*unasked).values(cancel_by=person))

    async def wish(self, workspace: str, job_id: str, wish: Wish, person: str, micro_usd: int | None = None) -> None:
        flag: dict[str, object] = {"wish": wish.value, "wish_by": person, "wish_micro_usd": micro_usd}
        if wish is Wish.ORDER_AGAIN:
            flag["version"] = col(JobRow.version) + 1
        await self._sql.run(update(JobRow).where(*_job(workspace, job_id)).values(**flag))

    async def clear_wish(self, workspace: str, job_id: str, wish: Wish, cancel_by: str | None = None) -> None:
        seen = (*_job(workspace, job_id), col(JobRow.wish) == wish.value)
        cleared: dict[str, object] = {"wish": None, "wish_by": None, "wish_micro_usd": None}
        if wish is Wish.DELIVER_AGAIN and cancel_by is not None:
            cleared["cancel_by"] = func.nullif(JobRow.cancel_by, cancel_by)
        await self._sql.run(update(JobRow).where(*seen).values(**cleared))

    async def claim(self, ownership: Ownership, limit: int, now: datetime) -> list[Job]:
        await end_lapsed(self._sql, now)
        free = (
            select(JobRow.workspace, JobRow.id)
            .where(TO_BE_MOVED, free_for(JobRow, ownership, now))
            .order_by(*_AGE)
            .limit(limit)
            .with_for_update(skip_locked=True, key_share=True)
            .cte("free")  # picked once: PostgreSQL does not inline a query that locks
        )
        claimed = (
            update(JobRow)
            .where(tuple_(JobRow.workspace, JobRow.id).in_(select(free.c.workspace, free.c.id)))
            .values(owner=ownership.owner, epoch=ownership.epoch)
            .returning(JobRow)
        )
        jobs = [job_from_row(row) for row in await self._sql.scalars(claimed)]
        return sorted(jobs, key=lambda job: (job.created_at, job.id))

    async def flagged(self, ownership: Ownership, limit: int) -> list[Job]:
        statement = (
            select(JobRow).where(owned_by(JobRow, ownership), ATTENTION, _has_news()).order_by(*_AGE).limit(limit)
        )
        return [job_from_row(row) for row in await self._sql.scalars(statement)]

    async def lock_provider(self, provider: str) -> None:
        await self._sql.lock(f"provider/{provider}")

    async def in_flight(self, provider: str) -> int:
        return await self._count(col(JobRow.provider) == provider, col(JobRow.state).in_(_IN_FLIGHT_WORDS))

    async def lock_person(self, workspace: str, person: str) -> None:
        await self._sql.lock(f"person/{workspace}/{person}")

    async def running_of(self, workspace: str, person: str) -> int:
        running = col(JobRow.state).in_(_IN_FLIGHT_WORDS)
        return await self._count(col(JobRow.workspace) == workspace, col(JobRow.person) == person, running)

    async def count_by_state(self) -> Mapping[tuple[str, State], int]:
        group = (col(JobRow.provider), col(JobRow.state))
        counted = select_columns(*group, func.count()).group_by(*group)
        return {(provider, State(state)): int(count) for provider, state, count in await self._sql.rows(counted)}

    async def ahead(self, job: Job) -> int:
        return await self._older(job, col(JobRow.provider) == job.provider)

    async def ahead_of_payer(self, job: Job) -> int:
        return await self._older(job, col(JobRow.workspace) == job.workspace, col(JobRow.person) == job.person)

    async def _older(self, job: Job, *alike: ColumnElement[bool]) -> int:
        """Queued jobs that were accepted before this one."""
        same_time = and_(col(JobRow.created_at) == job.created_at, col(JobRow.id) < job.id)
        older = or_(col(JobRow.created_at) < job.created_at, same_time)
        return await self._count(col(JobRow.state) == State.QUEUED.value, older, *alike)

    async def _jobs(self, *conditions: ColumnElement[bool], by_number: bool = False) -> tuple[Job, ...]:
        order = (col(JobRow.number), col(JobRow.id)) if by_number else _AGE
        rows = await self._sql.scalars(select(JobRow).where(*conditions).order_by(*order))
        return tuple(job_from_row(row) for row in rows)

    async def _count(self, *conditions: ColumnElement[bool]) -> int:
        return int(await self._sql.scalar(select(func.count()).select_from(JobRow).where(*conditions)))


def _job(workspace: str, job_id: str) -> tuple[ColumnElement[bool], ...]:
    return col(JobRow.workspace) == workspace, col(JobRow.id) == job_id


def _has_news() -> ColumnElement[bool]:
    """The condition that people left a word which the job's runner is to act upon.

    A job that waits for its provider, or for its files, has passed its gate already: that GO is
    no news, a STOP would be."""
    asked_to_stop = and_(col(JobRow.cancel_by).is_not(None), col(JobRow.state).not_in(_FINAL_WORDS))
    # Nothing is NULL in it, as a comparison with a missing reason would be.
    waits_for_it = func.coalesce(JobRow.wait_reason, "").in_(sorted(reason.value for reason in PAST_GATE))
    decided = exists().where(
        col(AskRow.workspace) == col(JobRow.workspace),
        col(AskRow.id) == col(JobRow.ask_id),
        or_(
            col(AskRow.decision) == Decision.STOP.value,
            and_(col(AskRow.decision) == Decision.GO.value, ~waits_for_it),
        ),
    )
    gate_passed = and_(col(JobRow.state) == State.WAITING.value, decided)
    return or_(asked_to_stop, col(JobRow.wish).is_not(None), gate_passed)


def _taken(job: Job) -> TaskTaken | None:
    """A job collides over its provider's task, when it has one: its other keys do not change."""
    return None if job.task_id is None else TaskTaken(job.provider, job.task_id)
