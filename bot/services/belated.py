"""Orders that were given up, or ordered again, and that the provider had taken after all; tasks that it knew no more
and that are there again, or that it had called failed and that have a clip: it is paid for, and is kept.

Such a clip becomes a job of its own beside the one that it was ordered for, which may have another clip by now. Nothing
is held for it: its order was counted as spent when nobody knew, and only what it cost beyond that is booked. It is
fetched at once and not posted: nobody waits for it any more, and *Deliver again* posts it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import structlog

from bot.domain.audit import Act, AuditEntry
from bot.domain.budget import Entry
from bot.domain.capabilities import Capabilities
from bot.domain.failure import Failure, FailureKind
from bot.domain.ids import new_id
from bot.domain.job import Attempt, Evidence, EvidenceKind, Job, State, TimelineEntry
from bot.ports import (
    Clock,
    Provider,
    TaskFinished,
    TaskMissing,
    TaskRunning,
    TaskUnreadable,
    Transaction,
)
from bot.services.holds import hold_for
from bot.services.news import tell_overbilled
from bot.services.policies import Policies

log = structlog.get_logger(__name__)


def nobody_waits(job: Job, attempt: Attempt) -> bool:
    """Whether the order is none that its job is still about: it was ordered again since, given up before its task was
    known, or has ended without a clip, as far as its provider said then."""
    unknown = job.failure is not None and job.failure.kind is FailureKind.COUNTED_AS_SPENT
    return attempt.number < job.attempt or (job.state is State.FAILED and (unknown or job.task_id is not None))


class NotYet(Exception):
    """The provider does not say now how the task ended."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """A task that a provider has finished."""

    provider: str
    task_id: str
    clip: TaskFinished


@dataclass(frozen=True, kw_only=True)
class _Account:
    """What is booked for one order."""

    provider: str
    held_micro_usd: int
    counted_micro_usd: int


@dataclass(frozen=True, kw_only=True)
class Belated:
    """Finds such clips. Called when a provider calls about such an order."""

    providers: Mapping[str, Provider]
    policies: Policies
    clock: Clock

    async def look(self, job: Job, attempt: Attempt, provider: str, task_id: str) -> Found | None:
        """The clip of a task that somebody spoke of, if the provider has one. Raises NotYet when it does not say; of a
        task that it does not know, while the output of such an order could be there."""
        report = await self.providers[provider].look(task_id)
        gone_at = attempt.intended_at + self._can(job, provider).output_lifetime
        missing = isinstance(report, TaskMissing) and self.clock.now() < gone_at
        if missing or isinstance(report, TaskRunning | TaskUnreadable):
            raise NotYet(task_id)
        return Found(provider=provider, task_id=task_id, clip=report) if isinstance(report, TaskFinished) else None

    async def take(self, tx: Transaction, job: Job, attempt: Attempt, found: Found) -> Job | None:
        """Write down the job that fetches the clip of that order; None where it is another clip's already, or where
        the order was another provider's."""
        entries = await tx.ledger.entries(job.workspace, job.id)
        account = _account(entry for entry in entries if entry.attempt == attempt.number)
        if account is None or account.provider != found.provider:
            return None
        other = await tx.jobs.by_task(found.provider, found.task_id)
        # A task has one row: that of a job which gave it up keeps it, and is no other clip's.
        given_up = other is not None and other.id == job.id and attempt.number == job.attempt
        taken = given_up and not await tx.inbox.take(job.workspace, f"belated:{attempt.key}", self.clock.now())
        if taken or (other is not None and not given_up):
            log.info("belated.known", job=job.id, other=other.id if other else "", task=found.task_id)
            return None
        cost = account.held_micro_usd if found.clip.cost_micro_usd is None else found.clip.cost_micro_usd
        beside = replace(
            self._beside(job, found),
            task_id=None if given_up else found.task_id,
            number=await tx.jobs.take_numbers(job.workspace, job.thread_id, 1),
            submitted_at=attempt.intended_at,
            rendering_since=attempt.intended_at,
            cost_micro_usd=max(0, cost - account.counted_micro_usd) or None,
        )
        await tx.jobs.add(beside, _first_line(beside, attempt))
        await tx.jobs.add_evidence(_task_of(beside, found))
        await _book(tx, beside, attempt, found)
        if cost > account.held_micro_usd:
            policy = await self.policies.within(tx, job.workspace, job.channel)
            held = replace(beside, price_micro_usd=account.held_micro_usd)
            await tell_overbilled(tx, held, cost, policy, beside.created_at)
        note = f"An order of #{job.number} that nobody waited for any more was taken after all: its clip is"
        await tx.jobs.add_note(job.workspace, job.ask_id, f"{note} #{beside.number}.")
        log.warning("belated.found", job=job.id, beside=beside.id, provider=found.provider, task=found.task_id)
        return beside

    def _beside(self, job: Job, found: Found) -> Job:
        """A job like that one, for a clip that is ready."""
        now, can = self.clock.now(), self._can(job, found.provider)
        return Job(
            workspace=job.workspace,
            id=new_id(now, self.clock.random_bits),
            ask_id=job.ask_id,
            thread_id=job.thread_id,
            channel=job.channel,
            person=job.person,
            number=job.number,
            take=1,
            takes=1,
            recipe=job.recipe,
            provider=found.provider,
            model=can.model,
            state=State.DOWNLOADING,
            price_micro_usd=0,
            price_assumed=False,
            stage=job.stage,
            as_final_micro_usd=None,
            created_at=now,
            updated_at=now,
            due_at=now,
            named=job.named,
            rendered_at=now,
            output_url=found.clip.url,
            output_expires_at=found.clip.expires_at or now + can.output_lifetime,
            failure=Failure(kind=FailureKind.NOBODY_WAITED, detail=f"#{job.number}"),
        )

    def _can(self, job: Job, provider: str) -> Capabilities:
        """What the provider can in the job's tier, or in any where it has another by now."""
        tiers = self.providers[provider].capabilities
        return next((can for can in tiers if can.tier == job.recipe.tier), tiers[0])


def _first_line(beside: Job, attempt: Attempt) -> TimelineEntry:
    return TimelineEntry(
        workspace=beside.workspace,
        job_id=beside.id,
        at=beside.created_at,
        event="belated",
        state=beside.state,
        detail=f"order {attempt.key} was taken after all",
    )


def _task_of(beside: Job, found: Found) -> Evidence:
    """Where its task is to be looked for, should its link be dead when it is fetched."""
    return Evidence(
        workspace=beside.workspace,
        job_id=beside.id,
        attempt=beside.attempt,
        kind=EvidenceKind.TASK_ID,
        value=found.task_id,
        at=beside.created_at,
    )


async def _book(tx: Transaction, beside: Job, attempt: Attempt, found: Found) -> None:
    """Nothing is held, and what it cost beyond what was counted already is spent."""
    now, more = beside.created_at, beside.cost_micro_usd or 0
    await tx.ledger.hold([hold_for(beside, now)], ())
    await tx.ledger.settle(beside.workspace, beside.id, beside.attempt, more, now)
    line = AuditEntry(
        workspace=beside.workspace,
        at=now,
        act=Act.ORDERED,
        channel=beside.channel,
        ask_id=beside.ask_id,
        job_id=beside.id,
        provider=beside.provider,
        task_id=found.task_id,
        micro_usd=0,
        detail=f"order {attempt.key} was taken after all",
    )
    await tx.audit.add(line)
    if more:
        await tx.audit.add(replace(line, act=Act.CHARGED, micro_usd=more, detail="beyond what was counted already"))


def _account(entries: Iterable[Entry]) -> _Account | None:
    rows = sorted(entries, key=lambda entry: entry.seq)
    if not rows:
        return None
    return _Account(
        provider=rows[0].provider,
        held_micro_usd=rows[0].held_micro_usd,
        counted_micro_usd=sum(row.settled_micro_usd for row in rows),
    )
