"""From an intention on disk to the provider's task: the billed POST, what its answer says, and orders in doubt.

An intention that is found after a crash is never a reason for a new order: it is repeated under its key with its bytes
where the provider is verified to honour that, and is otherwise uncertain until evidence or a person decides.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from bot.domain.capabilities import Idempotency
from bot.domain.events import (
    Accepted,
    Hindered,
    Lapsed,
    NotSent,
    Refused,
    Reordered,
    Throttled,
    Unknown,
    WrittenOff,
)
from bot.domain.failure import Failure, FailureKind
from bot.domain.job import Ask, Attempt, Evidence, EvidenceKind, Job, State, Wish
from bot.domain.patience import TASK_GRACE, backoff, throttle_wait
from bot.domain.trouble import Trouble
from bot.ports import (
    Fenced,
    Order,
    OrderAccepted,
    OrderInFlight,
    OrderNotSent,
    OrderOutcome,
    OrderRefused,
    OrderThrottled,
    OrderUnknown,
    StorageError,
    TaskFailed,
    TaskFinished,
    TaskRunning,
)
from bot.services.ages import Age
from bot.services.balances import Balances
from bot.services.bench import Bench, Later, StepResult
from bot.services.circuit import STARVING, Lane
from bot.services.holds import tell_of_cost
from bot.services.moving import evidence_of
from bot.services.news import tell_taken_anew
from bot.services.paying import book_taken_anew
from bot.services.rerouting import Rerouting

log = structlog.get_logger(__name__)

_NOBODY_TO_ASK = Later(seconds=60.0)
_MOST_CALLED = 5
"""So many different tasks that callbacks of one order speak of are looked for: a provider names one."""
_NotAccepted = OrderNotSent | OrderRefused | OrderThrottled | OrderInFlight | OrderUnknown


@dataclass(frozen=True, kw_only=True)
class Submitting:
    """The steps of what is intended or in doubt, and the POST itself."""

    bench: Bench
    rerouting: Rerouting
    balances: Balances
    _closed: asyncio.Event = field(default_factory=asyncio.Event)
    _billing: set[str] = field(default_factory=set)
    """Jobs whose intention is being written, or whose order is on its way."""
    _ages: dict[str, tuple[int, Age]] = field(default_factory=dict)
    """Of orders in doubt, by job: which attempt it is, and its age."""
    _unsent: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Attempt and epoch, by job, of intentions that may be on disk and whose order this process did not send."""

    def close(self) -> None:
        """Send no order any more. What is written down and not sent is taken back."""
        self._closed.set()

    @property
    def closed(self) -> bool:
        """Whether no order is sent any more."""
        return self._closed.is_set()

    def bills(self, job_id: str) -> bool:
        """Whether the job's step has an order in hand: cut off, it leaves behind what nobody knows the end of."""
        return job_id in self._billing

    @contextmanager
    def in_hand(self, job: Job) -> Iterator[None]:
        """Its intention is being written, or its order is on its way."""
        self._billing.add(job.id)
        try:
            yield
        finally:
            self._billing.discard(job.id)

    def unheard(self, job: Job) -> None:
        """Its intention may be on disk, as nobody told us, and its order was not sent."""
        self._unsent[job.id] = job.attempt, job.epoch

    def let_go(self, job: Job) -> None:
        """Another process has the job's order in hand now, or it is in doubt no more."""
        self._ages.pop(job.id, None)
        self._unsent.pop(job.id, None)

    def settle(self, result: StepResult) -> StepResult:
        """The same result; what was kept about an order in doubt goes with the doubt."""
        if isinstance(result, Job) and result.state not in {State.SUBMITTING, State.UNCERTAIN}:
            self.let_go(result)
        return result

    # --- SUBMITTING --------------------------------------------------------------------------------------------------

    async def resolve(self, job: Job, _: Ask) -> StepResult:
        """Find out what became of an intended POST: by evidence, or by asking again under the same key."""
        never_left = self._unsent.get(job.id) == (job.attempt, job.epoch)
        return self.settle(await (self._take_back(job) if never_left else self._resolve(job)))

    async def _take_back(self, job: Job) -> Job:
        """The intention is on disk, as we did not hear, and so did not send its order. Nobody else did while our lease
        was never lost, which is proved first. Raises Fenced, StorageError."""
        await self.bench.prove(job)
        return await self.bench.move(job, NotSent(due_at=self._after(job)), detail="its intention was in doubt")

    async def _resolve(self, job: Job) -> StepResult:
        async with self.bench.storage.read() as tx:
            attempt = await tx.jobs.attempt(job.workspace, job.id, job.attempt)
            evidence = await tx.jobs.evidence(job.workspace, job.id)
        if (found := await self._found(job, evidence)) is not None:
            return found
        if attempt is None or not self._may_repeat(job, attempt):
            return await self._lapse(job, "found with an unknown outcome")
        if not self.bench.has(job.provider):
            return _NOBODY_TO_ASK
        return await self.send(job, attempt, first=False)

    def _may_repeat(self, job: Job, attempt: Attempt) -> bool:
        """Whether its key surely counts still, by either clock: one that the provider has forgotten is a new order. An
        intention from far ahead says that the wall clock was wrong, and nothing of how old it is."""
        idempotency, clock = self._verified(job), self.bench.clock
        if idempotency is None:
            return False
        by_wall_clock = abs(clock.now() - attempt.intended_at)
        return max(by_wall_clock, self._age(job).now(clock)) < idempotency.window

    def _verified(self, job: Job) -> Idempotency | None:
        """How long a repeat under the same key is safe at the job's provider; None where that is not known to be."""
        idempotency = self.bench.can(job).idempotency
        return idempotency if idempotency is not None and idempotency.verified else None

    async def send(self, job: Job, attempt: Attempt, *, first: bool = True) -> StepResult:
        """Send the order whose intention is on disk, and write down what is said to it. ``first`` says that nothing of
        this attempt was ever on its way. Raises Fenced."""
        with self.in_hand(job):
            sent_at = self.bench.clock.now()
            self._unsent.pop(job.id, None)
            # It is as old as we have known of it, also if the wall clock is set before anybody knows what became of it.
            self._age(job)
            try:
                outcome = await self._post(job, attempt)
            except asyncio.CancelledError:
                await asyncio.shield(self.bench.moves.learn(job, EvidenceKind.UNKNOWN, "stopped while waiting"))
                raise
            if isinstance(outcome, OrderAccepted):
                return await self.bench.moves.insist(lambda: self._accept(job, outcome, sent_at, repeated=not first))
            return await self.bench.moves.insist(lambda: self._conclude(job, attempt, outcome, first=first))

    async def _post(self, job: Job, attempt: Attempt) -> OrderOutcome:
        try:
            await self.bench.prove(job)
        except Fenced:
            raise
        except StorageError:
            return OrderNotSent(why="the database was away right before the order", tried=False)
        if self._closed.is_set():
            return OrderNotSent(why="this process was stopped right before the order", tried=False)
        order = Order(key=attempt.key, body=attempt.body, path=attempt.path)
        outcome = await self.bench.providers[job.provider].submit(order)
        if self._note_health(job, outcome):
            log.error("provider.paused", provider=job.provider, outcome=type(outcome).__name__)
            await self.rerouting.paused(job.provider)
        return outcome

    def _note_health(self, job: Job, outcome: OrderOutcome) -> bool:
        """What the answer says about the provider, whatever it means for this order; True when it takes no orders from
        now on. That an order goes through counts when it is on disk."""
        circuit, paused = self.bench.circuit, False
        match outcome:
            case OrderNotSent(why=why):
                paused = circuit.stumbled(job.provider, why)
            case OrderUnknown(why=why, repeatable=True):
                paused = circuit.stumbled(job.provider, why, lost_by=None if self._verified(job) else job.id)
            case OrderRefused(failure=failure) if failure.kind in STARVING:
                paused = circuit.refused(job.provider, failure, job.id)
            case OrderRefused(failure=failure) if failure.kind is FailureKind.PROVIDER:
                paused = circuit.stumbled(job.provider, failure.detail)
            case OrderAccepted():
                return False
            case OrderThrottled(retry_after_seconds=wait):
                circuit.answered(job.provider)
                circuit.slow(job.provider, Lane.ORDERS, self._throttle(job, wait).total_seconds())
            case _:
                circuit.answered(job.provider)
        return paused

    async def _conclude(self, job: Job, attempt: Attempt, outcome: _NotAccepted, *, first: bool) -> Job:
        if isinstance(outcome, OrderInFlight):
            due = self._after_throttle(job, outcome.retry_after_seconds)
            return await self.bench.move(job, Unknown(due_at=due), detail="still in hand at the provider")
        if isinstance(outcome, OrderUnknown):
            return await self._conclude_unknown(job, attempt, outcome)
        return await (self._conclude_first(job, outcome) if first else self._conclude_repeat(job, outcome))

    async def _conclude_first(self, job: Job, outcome: OrderNotSent | OrderThrottled | OrderRefused) -> Job:
        """Nothing of this attempt was ever on its way, so what the provider says is proof."""
        match outcome:
            case OrderNotSent(why=why, tried=tried):
                trouble = Trouble.PROVIDER_UNREACHABLE if tried else None
                return await self.bench.move(job, NotSent(due_at=self._after(job), trouble=trouble), detail=why)
            case OrderThrottled(retry_after_seconds=wait):
                return await self.bench.move(job, Throttled(due_at=self._after_throttle(job, wait)))
            case OrderRefused(failure=failure) if failure.kind in STARVING:
                return await self.starve(job, failure)
            case OrderRefused(failure=failure):
                down = failure.kind is FailureKind.PROVIDER
                moved = await self.rerouting.instead(job, failure) if down else None
                return moved or await self.bench.move(job, Refused(failure=failure), detail=failure.detail)

    async def starve(self, job: Job, failure: Failure) -> Job:
        """The account takes nothing now: how it stands is asked anew, and the job goes elsewhere or waits."""
        self.balances.ask(job, anew=True)
        return await self.rerouting.starve(job, failure)

    async def _conclude_unknown(self, job: Job, attempt: Attempt, outcome: OrderUnknown) -> Job:
        await self.bench.moves.learn(job, EvidenceKind.UNKNOWN, outcome.why)
        async with self.bench.storage.read() as tx:
            evidence = await tx.jobs.evidence(job.workspace, job.id)
        if (found := await self._found(job, evidence)) is not None:
            return found
        if outcome.repeatable and self._may_repeat(job, attempt):
            return await self.bench.move(job, Unknown(due_at=self._after(job)), detail=outcome.why)
        return await self._lapse(job, outcome.why)

    async def _conclude_repeat(self, job: Job, outcome: OrderNotSent | OrderThrottled | OrderRefused) -> Job:
        """An earlier POST under this key may have been charged, so a refusal of this one proves nothing about that
        one. What may pass (not sent, throttled, no credit) is asked again; a refusal for good is for people."""
        if isinstance(outcome, OrderRefused) and outcome.failure.kind not in STARVING:
            return await self._lapse(job, outcome.failure.detail)
        due = self._after(job)
        if isinstance(outcome, OrderThrottled):
            due = self._after_throttle(job, outcome.retry_after_seconds)
        return await self.bench.move(job, Unknown(due_at=due), detail=type(outcome).__name__)

    async def _accept(
        self, job: Job, outcome: OrderAccepted, sent_at: datetime | None = None, *, repeated: bool = False
    ) -> Job:
        """The order has a task. ``sent_at`` is when it was sent, where the provider has just answered it; None where
        its task was found otherwise, which says nothing about whether orders are taken now. ``repeated`` says that the
        same was sent before."""
        try:
            async with self.bench.storage.begin() as tx:
                other = await tx.jobs.by_task(job.provider, outcome.task_id)
                if other is None or other.id == job.id:
                    evidence = evidence_of(job, EvidenceKind.TASK_ID, outcome.task_id, self.bench.clock)
                    await tx.jobs.add_evidence(evidence)
                    accepted = Accepted(task_id=outcome.task_id, cost_micro_usd=outcome.cost_micro_usd)
                    moved = await self.bench.moves.write(
                        tx, job, self.bench.ownership, accepted, detail=outcome.task_id
                    )
                    policy = await self.bench.policies.within(tx, job.workspace, job.channel)
                    await tell_of_cost(tx, moved, outcome.cost_micro_usd, policy)
                    if repeated and outcome.replayed is False:
                        await book_taken_anew(tx, moved)
                        await tell_taken_anew(tx, moved)
                    if sent_at is not None:
                        await tx.outages.end(job.provider, sent_at)
        except Fenced:
            # The job is another's by now; what was paid for must be known to it all the same.
            await self.bench.moves.learn(job, EvidenceKind.TASK_ID, outcome.task_id)
            raise
        if other is not None and other.id != job.id:
            log.error("order.foreign_task", job=job.id, other=other.id, task=outcome.task_id)
            return await self._lapse(job, "the provider named a task that another clip has")
        self.bench.moves.announce(job, moved)
        if sent_at is not None and (pause := self.bench.circuit.accepted(job.provider, sent_at, job.id)) is not None:
            await self.rerouting.resumed(job.provider, pause)
        self.balances.ask(job)
        return moved

    async def _found(self, job: Job, evidence: tuple[Evidence, ...]) -> Job | None:
        """Go on with the order's task, where the provider's answer or a call of it has told which one that is."""
        for piece in evidence:
            if piece.attempt == job.attempt and piece.kind is EvidenceKind.TASK_ID:
                return await self.bench.move(job, Accepted(task_id=piece.value), detail=piece.value)
        if (task_id := await self._called_about(job, evidence)) is not None:
            return await self._accept(job, OrderAccepted(task_id=task_id))
        return None

    async def _called_about(self, job: Job, evidence: tuple[Evidence, ...]) -> str | None:
        """A task that a callback of this order spoke of, and that the provider has and no other clip. What calls proves
        nothing; the provider's own answer does."""
        called = [piece.value for piece in evidence if piece.attempt == job.attempt and _names_a_task(piece)]
        for task_id in list(dict.fromkeys(called))[:_MOST_CALLED]:
            async with self.bench.storage.read() as tx:
                other = await tx.jobs.by_task(job.provider, task_id)
            if other is not None and other.id != job.id:
                log.warning("callback.foreign_task", job=job.id, other=other.id, task=task_id)
                continue
            report = await self.bench.look(job.provider, task_id)
            if isinstance(report, TaskRunning | TaskFinished | TaskFailed):
                return task_id
        return None

    async def _lapse(self, job: Job, why: str) -> Job:
        due = self.bench.clock.now() + self.bench.can(job).output_lifetime
        self._age(job)
        log.warning("order.uncertain", job=job.id, provider=job.provider, why=why)
        return await self.bench.move(job, Lapsed(due_at=due), detail=why)

    # --- UNCERTAIN ---------------------------------------------------------------------------------------------------

    async def watch(self, job: Job, _: Ask) -> StepResult:
        """Look for evidence of an uncertain order, and for what a person pressed."""
        return self.settle(await self._watch(job))

    async def _watch(self, job: Job) -> StepResult:
        async with self.bench.storage.read() as tx:
            evidence = await tx.jobs.evidence(job.workspace, job.id)
        if (found := await self._found(job, evidence)) is not None:
            return found
        end = (job.submitted_at or job.created_at) + self.bench.can(job).output_lifetime
        if job.wish is Wish.ORDER_AGAIN:
            return await self.bench.move(job, Reordered(person=job.wish_by or job.person), detail=job.wish_by or "")
        if job.wish is Wish.GIVE_UP or job.cancel_by or self._is_over(job):
            failure = Failure(kind=FailureKind.COUNTED_AS_SPENT)
            return await self.bench.move(job, WrittenOff(failure=failure, cost_micro_usd=job.price_micro_usd))
        if job.wish is Wish.CHECK_AGAIN:
            return await self.bench.move(
                job, Hindered(due_at=end, trouble=Trouble.NO_NEWS), detail="nothing new is known"
            )
        return self._until_looked_for_again(job, evidence)

    def _is_over(self, job: Job) -> bool:
        """Whether nothing of the order can be left at the provider. The wall clock at our start may have been ahead:
        what this process has not watched for as long as makes a render late is not given up, and people may decide."""
        age, clock = self._age(job), self.bench.clock
        return (
            age.reached(self.bench.can(job).output_lifetime, clock) and age.seen(clock) >= self.bench.policy.job_timeout
        )

    def _until_looked_for_again(self, job: Job, evidence: tuple[Evidence, ...]) -> Later:
        """A task that was spoken of just now may not be found at once."""
        called = [piece.at for piece in evidence if piece.attempt == job.attempt and _names_a_task(piece)]
        young = bool(called) and self.bench.clock.now() - called[-1] < TASK_GRACE
        return Later(seconds=3.0 if young else 60.0)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _age(self, job: Job) -> Age:
        """How old the job's order is, which is in doubt."""
        attempt, age = self._ages.get(job.id, (0, None))
        if age is None or attempt != job.attempt:
            age = Age.of(job.submitted_at or job.created_at, self.bench.clock)
            self._ages[job.id] = job.attempt, age
        return age

    def _after_throttle(self, job: Job, retry_after_seconds: float | None) -> datetime:
        return self.bench.clock.now() + self._throttle(job, retry_after_seconds)

    def _throttle(self, job: Job, retry_after_seconds: float | None) -> timedelta:
        return throttle_wait(retry_after_seconds, job.tries + 1, self.bench.clock.chance())

    def _after(self, job: Job) -> datetime:
        return self.bench.clock.now() + backoff(job.tries + 1, self.bench.clock.chance())


def _names_a_task(piece: Evidence) -> bool:
    return piece.kind is EvidenceKind.CALLED and bool(piece.value)
