"""The one place where a job's move is written: state, timeline, money, audit and the card's version together."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import structlog

from bot.domain.events import Event
from bot.domain.job import Evidence, EvidenceKind, Job, Ownership, State, TimelineEntry, Wish
from bot.domain.lifecycle import transition
from bot.domain.patience import backoff
from bot.ports import Clock, Storage, StorageError, Transaction
from bot.services.paying import pay

log = structlog.get_logger(__name__)


class Moves:
    """Writes what happened to jobs that this process owns. ``moved`` is called with each job after its commit."""

    def __init__(self, *, storage: Storage, clock: Clock, moved: Callable[[Job, Job], None]) -> None:
        self._storage = storage
        self._clock = clock
        self._moved = moved

    async def move(self, job: Job, ownership: Ownership, *events: Event, detail: str = "") -> Job:
        """Write the events in one transaction and return the job as it is then. Raises Fenced, StorageError."""
        async with self._storage.begin() as tx:
            after = await self.write(tx, job, ownership, *events, detail=detail)
        self._moved(job, after)
        return after

    async def write(self, tx: Transaction, job: Job, ownership: Ownership, *events: Event, detail: str = "") -> Job:
        """The same within a transaction of the caller's, who calls ``announce`` after the commit."""
        now = self._clock.now()
        current = job
        for event in events:
            after = await pay(tx, current, event, transition(current, event, now))
            entry = TimelineEntry(
                workspace=job.workspace,
                job_id=job.id,
                at=now,
                event=type(event).__name__,
                state=after.state,
                detail=detail,
            )
            after = await tx.jobs.save(after, ownership, entry)
            current = after
        # A wish is consumed by the move it led to, but for the one that waits for the message to be known.
        if job.wish is not None and job.wish is not Wish.SEE_REACTIONS:
            await tx.jobs.clear_wish(job.workspace, job.id, job.wish, job.cancel_by)
            # What is pressed from now on is another wish, and not used up by the next move.
            current = replace(current, wish=None, wish_by=None)
        if job.wish is Wish.DELIVER_AGAIN and current.state in {State.DELIVERING, State.DELIVERED}:
            # Who reacted before the clip's message was known found no room beside it, or lost it to it.
            await tx.jobs.wish(job.workspace, job.id, Wish.SEE_REACTIONS, job.wish_by or "")
        if _visible(job, current):
            await tx.jobs.redraw(job.workspace, job.ask_id)
        if _moves_others_up_or_down(job, current):
            await tx.jobs.redraw_line(current.workspace, current.person)
        if current.state in {State.FAILED, State.CANCELLED}:
            await _retire_if_over(tx, current)
        return current

    def announce(self, before: Job, after: Job) -> None:
        """Tell the runner that a move written by ``write`` is committed."""
        self._moved(before, after)

    async def insist(self, work: Callable[[], Awaitable[Job]]) -> Job:
        """Do the work again and again while storage cannot: for knowledge that was paid for. Fenced is passed on."""
        tries = 0
        while True:
            try:
                return await work()
            except StorageError as error:
                if not error.may_pass:
                    raise
                tries += 1
                log.warning("storage.insisting", tries=tries, error=str(error))
                await self._clock.sleep(backoff(tries, self._clock.chance(), ceiling=10).total_seconds())

    async def learn(self, job: Job, kind: EvidenceKind, value: str) -> None:
        """Add evidence on the job's present attempt; needs no ownership."""
        async with self._storage.begin() as tx:
            await tx.jobs.add_evidence(evidence_of(job, kind, value, self._clock))


def evidence_of(job: Job, kind: EvidenceKind, value: str, clock: Clock) -> Evidence:
    """One thing learned now about the job's present attempt."""
    return Evidence(
        workspace=job.workspace, job_id=job.id, attempt=job.attempt, kind=kind, value=value[:500], at=clock.now()
    )


async def _retire_if_over(tx: Transaction, job: Job) -> None:
    siblings = await tx.jobs.of_ask(job.workspace, job.ask_id)
    if not all(sibling.state in {State.FAILED, State.CANCELLED} for sibling in siblings):
        return
    await tx.jobs.retire(job.workspace, job.ask_id)
    ask = await tx.jobs.ask(job.workspace, job.ask_id)
    if ask.parent_job is not None:
        # A new generation of the parent's buttons: what was undone or failed may be asked for again.
        parent = await tx.jobs.job(job.workspace, ask.parent_job)
        await tx.jobs.redraw(parent.workspace, parent.ask_id)


def _moves_others_up_or_down(before: Job, after: Job) -> bool:
    """Whether the cards of what waits in the same person's line show another place now: it left the queue, or came
    into it, before them perhaps. Back from an order that was not taken it only stands again where it stood."""
    came = before.state is State.WAITING and after.state is State.QUEUED
    return came or (before.state is State.QUEUED and after.state is not State.QUEUED)


def _visible(before: Job, after: Job) -> bool:
    """Whether the card shows any of what changed."""
    return _shown(before) != _shown(after)


def _shown(job: Job) -> tuple[object, ...]:
    return job.state, job.wait_reason, job.progress, job.trouble, job.attempt
