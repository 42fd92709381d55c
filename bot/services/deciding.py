"""The gate before an order: confirmations, undo windows, and waiting for a provider's credit. Money is held here when
a promotion's window closes and when an order is tried anew; nothing is ordered."""

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

import structlog

from bot.domain.budget import OverCap
from bot.domain.events import Declined, Event, Opened, Refused
from bot.domain.failure import Failure, FailureKind
from bot.domain.job import AWAITS_PROVIDER, Ask, Decision, Door, Gate, Job, State, Wish
from bot.domain.notice import Notice
from bot.ports import ChatError, Transaction
from bot.services.bench import Bench, Later, StepResult
from bot.services.circuit import LOOK_GAP
from bot.services.holds import hold, paid_by_first
from bot.services.policy import Policy
from bot.services.rerouting import Rerouting
from bot.services.standing import until_told, who_stands

log = structlog.get_logger(__name__)

_ASK_AGAIN = timedelta(seconds=30)
"""For so long after its window a promotion waits for Slack to say who the people behind it are; then unknown is no."""


@dataclass(frozen=True, kw_only=True)
class Deciding:
    """The steps of a waiting job."""

    bench: Bench
    rerouting: Rerouting

    async def decide(self, job: Job, ask: Ask) -> StepResult:
        """See whether the gate is passed, or the provider may have credit again."""
        if job.cancel_by or ask.decision is Decision.STOP:
            return await self.bench.move(job, Declined(), detail=ask.decided_by or job.cancel_by or "")
        if job.wait_reason in AWAITS_PROVIDER:
            return await self._try_provider(job)
        if ask.decision is Decision.GO:
            return await self.bench.move(job, Opened(person=ask.person), detail=ask.person)
        now = self.bench.clock.now()
        if ask.decide_by is not None and now < ask.decide_by:
            return Later.until(ask.decide_by, now)
        if ask.gate is Gate.CONFIRMATION:
            return await self._stop(job, ask, Declined())
        if ask.door is not Door.REACTION:
            return await self._go(job, ask, (ask.person,))
        return await self._count(job, ask)

    # --- the end of a window -----------------------------------------------------------------------------------------

    async def _count(self, job: Job, ask: Ask) -> StepResult:
        """A promotion by reaction goes ahead when enough eligible people still stand behind it; of them the earliest
        whose own allowance has room pays."""
        policy = await self.bench.policies.of(ask.workspace, ask.channel)
        try:
            standing = await who_stands(self.bench, ask, policy)
        except ChatError as error:
            return until_told(ask, error)
        if len(standing.eligible) >= policy.quorum:
            return await self._go(job, ask, standing.eligible)
        window = ask.decide_by or ask.created_at
        if standing.unknown and self.bench.clock.now() < window + _ASK_AGAIN:
            return Later(seconds=2.0)
        if not standing.anybody and policy.quorum == 1:
            return await self._stop(job, ask, Declined())
        detail = f"{len(standing.eligible)} of {policy.quorum}"
        return await self._stop(job, ask, Declined(failure=Failure(kind=FailureKind.TOO_FEW, detail=detail)))

    async def _go(self, job: Job, ask: Ask, payers: tuple[str, ...]) -> StepResult:
        """The window is over: hold the money of all its jobs, and go."""
        try:
            await paid_by_first(payers, partial(self._hold, ask))
        except OverCap as over:
            return await self._refuse_over_cap(job, ask, over)
        return Later(seconds=0.0)

    async def _hold(self, ask: Ask, payer: str) -> None:
        """Pass the gate with that person's money, unless it is decided already. Raises OverCap."""
        async with self.bench.storage.begin() as tx:
            now = self.bench.clock.now()
            current = await tx.jobs.ask(ask.workspace, ask.id)
            if current.decision is None:
                jobs = await tx.jobs.of_ask(ask.workspace, ask.id)
                paid = [replace(one, person=payer) for one in jobs if not one.finished]
                await hold(tx, paid, await self._policy(tx, ask), now)
                await tx.jobs.decide(ask.workspace, ask.id, Decision.GO, payer)

    async def _stop(self, job: Job, ask: Ask, declined: Declined) -> StepResult:
        """The question was not answered, or too few stand behind it: the whole ask ends, with what the card says."""
        async with self.bench.storage.begin() as tx:
            if not await tx.jobs.decide(ask.workspace, ask.id, Decision.STOP, None):
                # Somebody pressed at the last moment: what they decided holds.
                return Later(seconds=0.0)
            ended = await self._end_waiting(tx, ask, declined)
        return self._announced(job, ended)

    async def _refuse_over_cap(self, job: Job, ask: Ask, over: OverCap) -> StepResult:
        """The money no longer fits: the whole ask ends, and its asker is told once."""
        async with self.bench.storage.begin() as tx:
            if not await tx.jobs.decide(ask.workspace, ask.id, Decision.STOP, None):
                # Somebody pressed at the last moment: what they decided holds.
                return Later(seconds=0.0)
            refused = Refused(failure=Failure(kind=FailureKind.OVER_CAP, detail=str(over)))
            ended = await self._end_waiting(tx, ask, refused)
        ours = self._announced(job, ended)
        try:
            await self.bench.chat.tell(ask, Notice.OVER_CAP, ours)
        except ChatError as error:
            log.info("notice.not_told", ask=ask.id, error=error.code)
        return ours

    async def _end_waiting(self, tx: Transaction, ask: Ask, event: Event) -> list[tuple[Job, Job]]:
        """Write the event for every waiting job of the ask that is ours; each as it was and as it is. Another
        process's see for themselves how the ask ended."""
        ours = self.bench.ownership
        waiting = [
            one
            for one in await tx.jobs.of_ask(ask.workspace, ask.id)
            if one.state is State.WAITING and (one.owner, one.epoch) == (ours.owner, ours.epoch)
        ]
        return [(one, await self.bench.moves.write(tx, one, ours, event)) for one in waiting]

    def _announced(self, job: Job, ended: list[tuple[Job, Job]]) -> Job:
        for before, after in ended:
            self.bench.moves.announce(before, after)
        return next((after for _, after in ended if after.id == job.id), job)

    # --- a provider that takes no orders ---------------------------------------------------------------------------

    async def _try_provider(self, job: Job) -> StepResult:
        """Another provider may take it, where that is nobody's choice or somebody's wish. Else one job at a time sees
        whether this one takes orders again, with a hold of its own."""
        circuit, rerouting = self.bench.circuit, self.rerouting
        if job.failure is not None:
            circuit.remember(job.provider, job.failure, (job.workspace, job.channel))
        wished = job.wish is Wish.USE_ANOTHER_PROVIDER
        if wished or not circuit.healthy(job.provider):
            moved = await (rerouting.wished_elsewhere(job) if wished else rerouting.elsewhere(job))
            if moved is not None:
                return moved
            if wished:
                # The card says why not, and that nothing was ordered: nothing is in the same breath.
                return Later(seconds=LOOK_GAP.total_seconds())
        # Of a paused provider's turns none is for who could not be ordered now.
        paused = circuit.pause(job.provider) is not None
        if (paused and await self._person_full(job)) or await rerouting.in_vain(job) is not None:
            return Later(seconds=LOOK_GAP.total_seconds())
        now = self.bench.clock.now()
        try:
            async with self.bench.storage.begin() as tx:
                policy = await self.bench.policies.within(tx, job.workspace, job.channel)
                await hold(tx, [job], policy, now)
                after = await self.bench.moves.write(tx, job, self.bench.ownership, Opened(person=job.person))
        except OverCap as over:
            return await self.bench.move(job, Refused(failure=Failure(kind=FailureKind.OVER_CAP, detail=str(over))))
        self.bench.moves.announce(job, after)
        return after

    # --- inside ------------------------------------------------------------------------------------------------------

    async def _person_full(self, job: Job) -> bool:
        """Whether as many of its person's jobs run as may at once."""
        async with self.bench.storage.read() as tx:
            policy = await self.bench.policies.within(tx, job.workspace, job.channel)
            return await tx.jobs.running_of(job.workspace, job.person) >= policy.running_per_person

    async def _policy(self, tx: Transaction, ask: Ask) -> Policy:
        return await self.bench.policies.within(tx, ask.workspace, ask.channel)
