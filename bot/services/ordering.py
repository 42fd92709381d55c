"""From the queue to the provider's task: submit, resolve, watch. Everything that can cost money is here.

The intention of a POST is on disk before it is sent. Found again after a crash, it is never a reason for a new order:
it is repeated under its key with its bytes where the provider is verified to honour that, and is otherwise uncertain
until evidence or a person decides.
"""

import asyncio
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from bot.domain.budget import OverCap
from bot.domain.capabilities import Idempotency
from bot.domain.events import (
    Accepted,
    Declined,
    Hindered,
    Lapsed,
    NotSent,
    Refused,
    Reordered,
    SubmitIntended,
    Throttled,
    Unknown,
    WrittenOff,
)
from bot.domain.failure import Failure, FailureKind
from bot.domain.job import Ask, Attempt, Decision, Evidence, EvidenceKind, Job, State, Wish
from bot.domain.patience import TASK_GRACE, backoff, throttle_wait
from bot.domain.recipe import Recipe
from bot.domain.trouble import Trouble
from bot.ports import (
    ChatError,
    ChatRefused,
    ChatUnauthorized,
    CommitUnknown,
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
    Transaction,
    UploadRefused,
)
from bot.services.ages import Age
from bot.services.balances import Balances
from bot.services.bench import Bench, Later, StepResult
from bot.services.circuit import LOOK_GAP, STARVING, Lane
from bot.services.handing import Handing, NotHanded, NotTaken
from bot.services.holds import see_still_fits, tell_of_cost
from bot.services.moving import evidence_of
from bot.services.news import tell_taken_anew
from bot.services.paying import book_taken_anew
from bot.services.policy import Policy
from bot.services.rechecking import recheck
from bot.services.rerouting import Rerouting
from bot.services.standing import Unnamed, for_reactions_alone, until_told

log = structlog.get_logger(__name__)

_FULL = Later(seconds=5.0)
_NOBODY_TO_ASK = Later(seconds=60.0)
_NotAccepted = OrderNotSent | OrderRefused | OrderThrottled | OrderInFlight | OrderUnknown
_OVERDRAWN = "A provider billed more than its price, or the cap was lowered."
_UNTOLD_FIRST_SECONDS, _UNTOLD_CEILING_SECONDS = 3.0, 30.0
"""So long after a refusal to say who stands behind a final Slack is asked again: the first time, and at most."""
_MOST_HANDED = 10
"""So often in a row a file is offered to a provider that does not take it just then."""
_MOST_CALLED = 5
"""So many different tasks that callbacks of one order speak of are looked for: a provider names one."""


class _PersonFull(Exception):
    """As many jobs of the person run as may at once."""


class _Stopped(Exception):
    """Somebody cancelled the job while its order was made ready."""

    def __init__(self, by: str) -> None:
        self.by = by
        super().__init__(by)


class _ProviderFull(Exception):
    """As many jobs run at the provider as may at once."""


class _Closed(Exception):
    """No order is sent any more."""


@dataclass(frozen=True, kw_only=True)
class Ordering:
    """The steps before a task exists."""

    bench: Bench
    rerouting: Rerouting
    balances: Balances
    handing: Handing
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

    def bills(self, job_id: str) -> bool:
        """Whether the job's step has an order in hand: cut off, it leaves behind what nobody knows the end of."""
        return job_id in self._billing

    # --- QUEUED ------------------------------------------------------------------------------------------------------

    async def submit(self, job: Job, ask: Ask) -> StepResult:
        """Take one of the provider's places, write the intention, send the billed POST."""
        if job.cancel_by or ask.decision is Decision.STOP:
            return await self.bench.move(job, Declined(), detail=job.cancel_by or "")
        if ask.card_ts is None:
            return Later(seconds=1.0)
        if failure := await self.rerouting.in_vain(job):
            return await self.rerouting.starve(job, failure, again=LOOK_GAP)
        if self.bench.places.held_back(job):
            return await self._hold_back(job)
        if quiet := self.bench.circuit.wait(job.provider, Lane.ORDERS):
            return self._wait(job, Later(seconds=quiet))
        if not self.bench.places.in_turn(job):
            return self._wait(job)
        try:
            return self._still_in_doubt(await self._take_place(job, ask))
        finally:
            self._billing.discard(job.id)

    async def _take_place(self, job: Job, ask: Ask) -> StepResult:
        """Hand over the files, see that it is still wanted, take a place if there is one, and send the order."""
        try:
            recipe = await self._hand(job)
            if (rechecked := await self._recheck(job, ask)) is not None:
                self.bench.places.leave(job)
                return rechecked
            self._billing.add(job.id)
            # It is proved again right before the POST; a lease that is found lapsed here leaves no order in doubt.
            await self.bench.prove(job)
            moved, attempt = await self._intend(job, recipe)
        except CommitUnknown:
            self._unsent[job.id] = job.attempt, job.epoch
            raise
        except ChatError as error:
            return await self._not_told(job, ask, error)
        except NotHanded as error:
            return await self._not_handed(job, error)
        except NotTaken as error:
            return await self._not_taken(job, error.failure)
        except _Stopped as error:
            return await self.bench.move(job, Declined(), detail=error.by)
        except _PersonFull:
            return await self._hold_back(job)
        except (_ProviderFull, _Closed):
            return self._wait(job)
        if attempt is None:
            self.bench.places.leave(job)
        else:
            self.bench.places.take(job)
        self.bench.moves.announce(job, moved)
        return moved if attempt is None else await self._send(moved, attempt, first=True)

    async def _hand(self, job: Job) -> Recipe:
        """What the provider is to be sent: its files are handed over, which may take a while. Raises NotHanded,
        NotTaken."""
        if not job.recipe.media:
            return job.recipe
        return await self.handing.hand(job, self.bench.can(job), self.bench.providers[job.provider])

    async def _recheck(self, job: Job, ask: Ask) -> Job | None:
        """As ``rechecking.recheck`` says, once there seems to be a place: what waits is looked at every few seconds,
        and Slack is not asked each time. Raises ChatError, _PersonFull, _ProviderFull."""
        if not for_reactions_alone(job, ask):
            return None
        async with self.bench.storage.read() as tx:
            await _see_room(tx, job, await self.bench.policies.within(tx, job.workspace, job.channel))
        return await recheck(self.bench, job, ask)

    async def _not_told(self, job: Job, ask: Ask, error: ChatError) -> StepResult:
        """Slack does not say who stands behind it, for which others need not wait. Where it refuses to, or does not
        know people, that may last: the card says so."""
        self.bench.places.leave(job)
        if not isinstance(error, ChatRefused | ChatUnauthorized | Unnamed):
            return until_told(ask, error)
        wait = backoff(
            job.tries + 1, self.bench.clock.chance(), first=_UNTOLD_FIRST_SECONDS, ceiling=_UNTOLD_CEILING_SECONDS
        )
        hindered = Hindered(due_at=self.bench.clock.now() + wait, trouble=Trouble.REACTIONS_UNREAD)
        return await self.bench.move(job, hindered, detail=error.code)

    async def _not_handed(self, job: Job, error: NotHanded) -> Job:
        """Tried again after a while, and not for ever."""
        self.bench.places.leave(job)
        log.warning("file.not_handed", job=job.id, provider=job.provider, tries=job.tries + 1, why=error.why)
        if job.tries + 1 >= _MOST_HANDED:
            why = f"{job.provider} did not take its file in {_MOST_HANDED} tries."
            return await self._not_taken(job, Failure(kind=FailureKind.UNUSABLE_FILE, detail=why))
        due = self._after_throttle(job, error.retry_after_seconds)
        return await self.bench.move(job, Hindered(due_at=due, trouble=Trouble.FILE_NOT_TAKEN), detail=error.why)

    async def _not_taken(self, job: Job, failure: Failure) -> Job:
        """Nothing was ordered: another provider may be given the file, where nobody named this one. A refusal that says
        nothing about the file is one of the account, and pauses the provider as that of an order does."""
        if failure.kind in STARVING:
            if self.bench.circuit.refused(job.provider, failure):
                log.error("provider.paused", provider=job.provider, outcome=UploadRefused.__name__)
            return await self._starve(job, failure)
        moved = await self.rerouting.with_files(job, failure)
        return moved or await self.bench.move(job, Refused(failure=failure), detail=failure.detail)

    def _wait(self, job: Job, later: Later = _FULL) -> Later:
        """There is no place at the provider, it is others' turn, or it asked us to wait."""
        self.bench.places.wait(job)
        return later

    async def _hold_back(self, job: Job) -> Later:
        """So many of this person's jobs run already: the card says which in line this one is."""
        if self.bench.places.hold_back(job):
            async with self.bench.storage.begin() as tx:
                await tx.jobs.redraw(job.workspace, job.ask_id)
        return _FULL

    async def _intend(self, job: Job, recipe: Recipe) -> tuple[Job, Attempt | None]:
        """Write the intention of the order, which takes a place; counting and taking is one transaction over all
        processes. Without an attempt the job has ended, since the money is gone. Raises _Stopped, _PersonFull,
        _ProviderFull, _Closed."""
        if self._closed.is_set():
            raise _Closed
        key, token = f"{job.id}-{job.attempt}", secrets.token_hex(16)
        order = self.bench.providers[job.provider].order(recipe, key, self._callback_url(job, token))
        async with self.bench.storage.begin() as tx:
            policy = await self.bench.policies.within(tx, job.workspace, job.channel)
            await tx.jobs.lock_person(job.workspace, job.person)
            await tx.jobs.lock_provider(job.provider)
            # Files were handed over and Slack was asked in the meantime, and people think again.
            if stopped_by := (await tx.jobs.job(job.workspace, job.id)).cancel_by:
                raise _Stopped(stopped_by)
            await _see_room(tx, job, policy)
            try:
                await see_still_fits(tx, job, policy, self.bench.clock.now())
            except OverCap as over:
                log.warning("order.overdrawn", job=job.id, provider=job.provider)
                refused = Refused(failure=Failure(kind=FailureKind.OVER_CAP, detail=f"{_OVERDRAWN} {over}"))
                return await self.bench.moves.write(tx, job, self.bench.ownership, refused, detail="over a cap"), None
            await tx.jobs.add_attempt(
                Attempt(
                    workspace=job.workspace,
                    job_id=job.id,
                    number=job.attempt,
                    key=key,
                    body=order.body,
                    path=order.path,
                    callback_token=token,
                    intended_at=self.bench.clock.now(),
                )
            )
            moved = await self.bench.moves.write(tx, job, self.bench.ownership, SubmitIntended(), detail=key)
            attempt = await tx.jobs.attempt(job.workspace, job.id, job.attempt)
        if attempt is None:
            raise Fenced("the intention was not written")
        return moved, attempt

    def _callback_url(self, job: Job, token: str) -> str | None:
        """Where the provider may tell us of the end of this order, where it does and can reach us."""
        if not self.bench.public_url or self.bench.can(job).callback is None:
            return None
        return f"{self.bench.public_url}/callbacks/{job.provider}/{token}"

    # --- SUBMITTING --------------------------------------------------------------------------------------------------

    async def resolve(self, job: Job, _: Ask) -> StepResult:
        """Find out what became of an intended POST: by evidence, or by asking again under the same key."""
        never_left = self._unsent.get(job.id) == (job.attempt, job.epoch)
        return self._still_in_doubt(await (self._take_back(job) if never_left else self._resolve(job)))

    async def _take_back(self, job: Job) -> Job:
        """The intention is on disk, as we did not hear, and so did not send its order. Nobody else did while our lease
        was never lost, which is proved first. Raises Fenced, StorageError."""
        await self.bench.prove(job)
        return await self.bench.move(job, NotSent(due_at=self._after(job)), detail="its intention was in doubt")

    async def _resolve(self, job: Job) -> StepResult:
        async with self.bench.storage.read() as tx:
            attempt = await tx.jobs.attempt(job.workspace, job.id, job.attempt)
            evidence = await tx.jobs.evidence(job.workspace, job.id)
        for piece in evidence:
            if piece.attempt == job.attempt and piece.kind is EvidenceKind.TASK_ID:
                return await self.bench.move(job, Accepted(task_id=piece.value), detail=piece.value)
        if (task_id := await self._called_about(job, evidence)) is not None:
            return await self._accept(job, OrderAccepted(task_id=task_id))
        if attempt is None or not self._may_repeat(job, attempt):
            return await self._lapse(job, "found with an unknown outcome")
        if not self.bench.has(job.provider):
            return _NOBODY_TO_ASK
        self._billing.add(job.id)
        try:
            return await self._send(job, attempt, first=False)
        finally:
            self._billing.discard(job.id)

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

    async def _send(self, job: Job, attempt: Attempt, *, first: bool) -> StepResult:
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
                return await self._starve(job, failure)
            case OrderRefused(failure=failure):
                down = failure.kind is FailureKind.PROVIDER
                moved = await self.rerouting.instead(job, failure) if down else None
                return moved or await self.bench.move(job, Refused(failure=failure), detail=failure.detail)

    async def _starve(self, job: Job, failure: Failure) -> Job:
        """The account takes nothing now: how it stands is asked anew, and the job goes elsewhere or waits."""
        self.balances.ask(job, anew=True)
        return await self.rerouting.starve(job, failure)

    async def _conclude_unknown(self, job: Job, attempt: Attempt, outcome: OrderUnknown) -> Job:
        await self.bench.moves.learn(job, EvidenceKind.UNKNOWN, outcome.why)
        async with self.bench.storage.read() as tx:
            evidence = await tx.jobs.evidence(job.workspace, job.id)
        if (task_id := await self._called_about(job, evidence)) is not None:
            return await self._accept(job, OrderAccepted(task_id=task_id))
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
        return self._still_in_doubt(await self._watch(job))

    async def _watch(self, job: Job) -> StepResult:
        async with self.bench.storage.read() as tx:
            evidence = await tx.jobs.evidence(job.workspace, job.id)
        for piece in evidence:
            if piece.attempt == job.attempt and piece.kind is EvidenceKind.TASK_ID:
                return await self.bench.move(job, Accepted(task_id=piece.value), detail=piece.value)
        if (task_id := await self._called_about(job, evidence)) is not None:
            return await self._accept(job, OrderAccepted(task_id=task_id))
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

    def let_go(self, job: Job) -> None:
        """Another process has the job's order in hand now, or it is in doubt no more."""
        self._ages.pop(job.id, None)
        self._unsent.pop(job.id, None)

    def _still_in_doubt(self, result: StepResult) -> StepResult:
        if isinstance(result, Job) and result.state not in {State.SUBMITTING, State.UNCERTAIN}:
            self.let_go(result)
        return result

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


async def _see_room(tx: Transaction, job: Job, policy: Policy) -> None:
    """See that neither its person nor its provider has as much running as may. Raises _PersonFull, _ProviderFull."""
    if await tx.jobs.running_of(job.workspace, job.person) >= policy.running_per_person:
        raise _PersonFull
    if await tx.jobs.in_flight(job.provider) >= policy.places(job.provider):
        raise _ProviderFull


def _names_a_task(piece: Evidence) -> bool:
    return piece.kind is EvidenceKind.CALLED and bool(piece.value)
