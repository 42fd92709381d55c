"""What becomes of an order, for everything that a provider can answer: the first POST of an attempt, and a repeat."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from bot.domain.budget import Caps, EntryKind
from bot.domain.capabilities import Capabilities
from bot.domain.failure import Failure, FailureKind
from bot.domain.job import Ask, Gate, Job, State, WaitReason
from bot.domain.lineage import Changes
from bot.domain.notice import Notice
from bot.domain.pricing import PriceTable
from bot.domain.recipe import Recipe
from bot.ports import (
    Order,
    OrderAccepted,
    OrderInFlight,
    OrderNotSent,
    OrderOutcome,
    OrderRefused,
    OrderThrottled,
    OrderUnknown,
    TaskReport,
    TaskRunning,
)
from bot.providers.hiapi import capabilities, encode
from bot.services.answers import Taken
from bot.services.bench import Bench
from bot.services.intake import Intake, Sender
from bot.services.lease import Lease
from bot.services.moving import Moves
from bot.services.ordering import Ordering
from bot.services.places import Places
from bot.services.policy import Policy
from bot.services.routing import Router
from storage import MemoryClips, MemoryStorage
from tests.support.clock import SettableClock

CHANNEL = "C1"


@dataclass
class ScriptedProvider:
    """Answers orders as told, and remembers what it was sent: the far end of the port, at which the real adapter's
    own tests begin."""

    answers: list[OrderOutcome]
    idempotent: bool = True
    name: str = "hiapi"
    orders: list[Order] = field(default_factory=list)

    @property
    def capabilities(self) -> tuple[Capabilities, ...]:
        return (capabilities(idempotent=self.idempotent),)

    def order(self, recipe: Recipe, key: str) -> Order:
        return Order(key=key, body=encode(recipe, "seedance-2.0-mini"))

    async def submit(self, order: Order) -> OrderOutcome:
        self.orders.append(order)
        return self.answers.pop(0)

    async def look(self, task_id: str) -> TaskReport:
        return TaskRunning()


@dataclass
class RecordingChat:
    """Remembers what it told of which ask; nobody reacts to anything."""

    told: list[tuple[str, Notice]] = field(default_factory=list)

    async def tell(self, ask: Ask, notice: Notice, job: Job | None = None) -> None:
        self.told.append((ask.id, notice))

    async def reactors(self, channel: str, ts: str, names: Sequence[str]) -> tuple[str, ...]:
        return ()


@dataclass
class Desk:
    """A job that waits to be ordered, and the steps that order it."""

    provider: ScriptedProvider
    clock: SettableClock
    storage: MemoryStorage
    ordering: Ordering
    intake: Intake
    lease: Lease
    chat: RecordingChat
    job_id: str

    async def job(self) -> Job:
        async with self.storage.read() as tx:
            return await tx.jobs.job("T1", self.job_id)

    async def ask(self) -> Ask:
        async with self.storage.read() as tx:
            return await tx.jobs.ask("T1", (await self.job()).ask_id)

    async def submit(self) -> Job:
        await self.ordering.submit(await self.job(), await self.ask())
        return await self.job()

    async def resolve(self) -> Job:
        await self.ordering.resolve(await self.job(), await self.ask())
        return await self.job()

    async def claim(self) -> None:
        """Own what is new, as the runner does."""
        async with self.storage.begin() as tx:
            await tx.jobs.claim(self.lease.ownership, 10, self.clock.now())

    async def money(self) -> list[EntryKind]:
        async with self.storage.read() as tx:
            return [entry.kind for entry in await tx.ledger.entries(job_id=self.job_id)]


@asynccontextmanager
async def desk(*answers: OrderOutcome, idempotent: bool = True, policy: Policy | None = None) -> AsyncIterator[Desk]:
    """One accepted ask whose card stands, with a provider that will answer so."""
    clock, storage, policy = SettableClock(), MemoryStorage(), policy or Policy()
    chat = RecordingChat()
    provider = ScriptedProvider(answers=list(answers), idempotent=idempotent)
    router = Router({"hiapi": provider}, PriceTable())
    lease = Lease(storage=storage, clock=clock, alone=True)
    await lease.register()
    intake = Intake(storage=storage, router=router, policy=policy, clock=clock, wake=lambda: None)
    sender = Sender(workspace="T1", channel=CHANNEL, person="U1", key="command:1")
    taken = await intake.draft(sender, "a red panda surfing", Changes())
    assert isinstance(taken, Taken)
    async with storage.begin() as tx:
        await tx.jobs.card_posted("T1", taken.ask.id, "1.0", 1)
    bench = Bench(
        storage=storage,
        clips=MemoryClips(),
        fetcher=None,  # type: ignore[arg-type] # nothing is fetched while ordering
        chat=chat,  # type: ignore[arg-type] # of all that a chat can do, ordering needs these two
        providers={"hiapi": provider},
        router=router,
        policy=policy,
        clock=clock,
        lease=lease,
        moves=Moves(storage=storage, clock=clock, moved=lambda before, after: None),
        places=Places(clock),
    )
    ordering = Ordering(bench=bench)
    made = Desk(
        provider=provider,
        clock=clock,
        storage=storage,
        ordering=ordering,
        intake=intake,
        lease=lease,
        chat=chat,
        job_id=taken.jobs[0].id,
    )
    await made.claim()
    yield made


REFUSED = OrderRefused(failure=Failure(kind=FailureKind.POLICY, detail="no"))
STARVED = OrderRefused(failure=Failure(kind=FailureKind.OUT_OF_CREDIT))
LOST = OrderUnknown(why="ReadTimeout")
TAKEN = OrderAccepted(task_id="tk-1")


@pytest.mark.parametrize(
    ("outcome", "state", "released"),
    [
        (TAKEN, State.RENDERING, False),
        (OrderNotSent(why="ConnectError"), State.QUEUED, False),
        (OrderThrottled(retry_after_seconds=3.0), State.QUEUED, False),
        (REFUSED, State.FAILED, True),
        (STARVED, State.WAITING, True),
        (OrderInFlight(retry_after_seconds=None), State.SUBMITTING, False),
        (LOST, State.SUBMITTING, False),
        (OrderUnknown(why="mismatch", repeatable=False), State.UNCERTAIN, False),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, bool | State) else str(value),
)
async def test_the_first_answer_decides_state_and_money(outcome: OrderOutcome, state: State, released: bool) -> None:
    """What is refused at the first POST was never charged; what is unknown keeps its hold."""
    async with desk(outcome) as one:
        job = await one.submit()

        assert job.state is state
        assert (EntryKind.RELEASE in await one.money()) is released
        assert len(one.provider.orders) == 1


@pytest.mark.parametrize(
    ("repeat", "state"),
    [
        (TAKEN, State.RENDERING),
        (REFUSED, State.UNCERTAIN),
        (STARVED, State.SUBMITTING),
        (OrderNotSent(why="ConnectError"), State.SUBMITTING),
        (OrderThrottled(retry_after_seconds=None), State.SUBMITTING),
        (OrderInFlight(retry_after_seconds=1.0), State.SUBMITTING),
        (LOST, State.SUBMITTING),
        (OrderUnknown(why="mismatch", repeatable=False), State.UNCERTAIN),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, State) else str(value),
)
async def test_after_an_unknown_outcome_nothing_is_released_whatever_the_repeat_says(
    repeat: OrderOutcome, state: State
) -> None:
    """The first POST may have been billed: a refusal of the second proves nothing about it."""
    async with desk(LOST, repeat) as one:
        await one.submit()
        job = await one.resolve()

        assert job.state is state
        assert EntryKind.RELEASE not in await one.money()
        first, second = one.provider.orders
        assert first == second


async def test_a_throttled_repeat_waits_as_long_as_the_provider_asked() -> None:
    async with desk(LOST, OrderThrottled(retry_after_seconds=50.0)) as one:
        await one.submit()
        job = await one.resolve()

        assert job.state is State.SUBMITTING
        assert job.due_at >= one.clock.now() + timedelta(seconds=50)


async def test_a_provider_without_a_verified_key_is_never_asked_twice() -> None:
    async with desk(LOST, idempotent=False) as one:
        job = await one.submit()

        assert job.state is State.UNCERTAIN
        assert len(one.provider.orders) == 1


async def test_an_intention_found_without_an_answer_is_uncertain_where_the_key_proves_nothing() -> None:
    """As after a kill: the row says "about to", and nobody knows more."""
    async with desk(TAKEN, idempotent=False) as one:
        await one.ordering._intend(await one.job())

        job = await one.resolve()

        assert job.state is State.UNCERTAIN
        assert one.provider.orders == []


async def test_a_key_is_not_relied_upon_longer_than_the_provider_remembers_it() -> None:
    async with desk(LOST, TAKEN) as one:
        await one.submit()
        one.clock.advance(23 * 3600 + 60)

        job = await one.resolve()

        assert job.state is State.UNCERTAIN
        assert len(one.provider.orders) == 1


async def test_a_task_that_another_clip_has_is_never_adopted() -> None:
    """Delivering one person's clip to another would be worse than asking people."""
    async with desk(TAKEN) as one:
        await one.submit()
        first = await one.job()
        async with one.storage.begin() as tx:
            timeline = await tx.jobs.timeline("T1", first.id)
            twin = replace(first, id=first.id[:-1] + "Z", state=State.QUEUED, task_id=None, number=2, version=1)
            await tx.jobs.add(twin, replace(timeline[0], job_id=twin.id))
        one.job_id, one.provider.answers = twin.id, [TAKEN]

        job = await one.submit()

        assert (job.state, job.task_id) == (State.UNCERTAIN, None)


async def test_an_order_that_starved_is_tried_anew_with_a_key_and_a_hold_of_its_own() -> None:
    """The released hold stays released; the new attempt is paid for by a new one."""
    async with desk(STARVED, TAKEN) as one:
        starved = await one.submit()
        assert (starved.wait_reason, starved.attempt) == (WaitReason.PROVIDER_CREDIT, 2)
        one.clock.advance(30)

        await one.ordering.decide(starved, await one.ask())
        job = await one.submit()

        assert job.state is State.RENDERING
        assert await one.money() == [EntryKind.HOLD, EntryKind.RELEASE, EntryKind.HOLD]
        first, second = one.provider.orders
        assert first.key != second.key


async def test_while_a_provider_starves_one_order_at_a_time_is_tried() -> None:
    """A queue of orders is not sent one after the other into the same refusal."""
    async with desk(STARVED) as one:
        starved = await one.submit()

        await one.ordering.decide(starved, await one.ask())

        assert (await one.job()).state is State.WAITING
        assert len(one.provider.orders) == 1


async def test_an_ask_over_its_cap_at_the_end_of_its_window_ends_whole_and_is_told_once() -> None:
    """It fitted when it was asked; other work took the money meanwhile, and only one of its two takes would fit."""
    limits = Policy(caps=Caps(person_day_micro_usd=2_000_000), confirm_above_micro_usd=2_000_000)
    async with desk(policy=limits) as one:
        sender = Sender(workspace="T1", channel=CHANNEL, person="U1", key="reply:1")
        pair = await one.intake.variant(sender, "1.0", 1, Changes(takes=2), "x2")
        assert isinstance(pair, Taken)
        assert pair.ask.gate is Gate.UNDO
        await one.intake.draft(replace(sender, key="command:2"), "a whale", Changes())
        await one.claim()
        one.clock.advance(20)

        await one.ordering.decide(pair.jobs[0], pair.ask)

        async with one.storage.read() as tx:
            ended = [await tx.jobs.job("T1", job.id) for job in pair.jobs]
            held = [await tx.ledger.entries(job_id=job.id) for job in pair.jobs]
        assert [job.state for job in ended] == [State.FAILED, State.FAILED]
        assert [job.failure and job.failure.kind for job in ended] == [FailureKind.OVER_CAP, FailureKind.OVER_CAP]
        assert [list(entries) for entries in held] == [[], []]
        assert one.chat.told == [(pair.ask.id, Notice.OVER_CAP)]
