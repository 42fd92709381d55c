"""What becomes of an order, for everything that a provider can answer: the first POST of an attempt, and a repeat; and
what is looked at before it is sent: whether the people behind it still stand, whether there is a place, and money."""

import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from bot.domain.access import Member
from bot.domain.announcement import ADMINS, Announcement, Topic
from bot.domain.audit import Act
from bot.domain.budget import Caps, EntryKind, Stage
from bot.domain.events import RenderFailed
from bot.domain.failure import Failure, FailureKind
from bot.domain.job import Ask, Decision, EvidenceKind, Gate, Job, State, WaitReason, Wish
from bot.domain.lineage import Changes
from bot.domain.notice import Notice
from bot.domain.pricing import Price, PriceTable
from bot.domain.recipe import Recipe, Resolution
from bot.ports import (
    Card,
    ChatError,
    ChatForbidden,
    ChatRefused,
    ChatUnauthorized,
    ChatUnknown,
    Order,
    OrderAccepted,
    OrderInFlight,
    OrderNotSent,
    OrderOutcome,
    OrderRefused,
    OrderThrottled,
    OrderUnknown,
    TaskFinished,
    TaskMissing,
    TaskReport,
    TaskRunning,
    TaskUnreadable,
)
from bot.providers.hiapi import capabilities, encode
from bot.services.answers import NothingToDo, Taken
from bot.services.balances import Balances
from bot.services.bench import Bench, Later
from bot.services.cards import Cards
from bot.services.circuit import RUN, Circuit, Lane
from bot.services.deciding import Deciding
from bot.services.doorbell import Doorbell
from bot.services.gatekeeper import Gatekeeper
from bot.services.handing import Handing
from bot.services.intake import Intake
from bot.services.lease import Lease
from bot.services.looking import Looking
from bot.services.moving import Moves, evidence_of
from bot.services.ordering import Ordering
from bot.services.places import Places
from bot.services.policies import Policies
from bot.services.policy import Policy
from bot.services.presses import Presses
from bot.services.rendering import Rendering
from bot.services.rerouting import Rerouting, reroute_note
from bot.services.routing import Route, Router
from bot.services.taking import Sender, Taking
from handlers.blocks.announcements import announcement
from handlers.blocks.states import money_sentence
from storage import MemoryClips, MemoryStorage
from tests.support.clock import SettableClock
from tests.support.services import RATES
from tests.support.values import a_job
from tests.support.vendors import Declared
from tests.support.workbench import Signs

CHANNEL = "C1"
PRICE = 570_000
"""What each of these asks is held at: nobody has said what the provider charges."""
SENDER = Sender(workspace="T1", channel=CHANNEL, person="U1", key="command:1")


class ScriptedProvider(Declared):
    """Answers orders as told, and remembers what it was sent: the far end of the port, at which the real adapter's
    own tests begin."""

    def __init__(self, answers: list[OrderOutcome], *, idempotent: bool = True, name: str = "hiapi") -> None:
        super().__init__(replace(capabilities(idempotent=idempotent), provider=name))
        self.answers = answers
        self.orders: list[Order] = []
        self.report: TaskReport = TaskRunning()
        self.looked: list[str] = []
        self.health: Failure | None = None
        self.checks = 0

    async def check(self) -> Failure | None:
        self.checks += 1
        return self.health

    def order(self, recipe: Recipe, key: str, callback_url: str | None = None) -> Order:
        return Order(key=key, body=encode(recipe, self.capabilities[0], callback_url))

    async def submit(self, order: Order) -> OrderOutcome:
        self.orders.append(order)
        return self.answers.pop(0)

    async def look(self, task_id: str) -> TaskReport:
        self.looked.append(task_id)
        return self.report


@dataclass
class RecordingChat:
    """Remembers what it told of which ask; knows who reacts to everything."""

    told: list[tuple[str, Notice]] = field(default_factory=list)
    reacting: tuple[str, ...] = ()
    names: list[tuple[str, ...]] = field(default_factory=list)
    no_card: ChatError | None = None
    """Why Slack takes no card."""
    blind: ChatError | None = field(default_factory=lambda: ChatForbidden("missing_scope"))
    """Why it does not say whether a card stands; None where it says that none does."""
    standing: str | None = None
    """The card that is found, when it is looked for in the right place."""
    below: str | None = None
    """The root of the thread where it stands; None for the channel itself."""
    drawn: list[Card] = field(default_factory=list)
    """What cards were changed to."""
    deaf: list[ChatError] = field(default_factory=list)
    """Why nobody is told, one time after the other."""

    async def tell(self, ask: Ask, notice: Notice, job: Job | None = None) -> None:
        if self.deaf:
            raise self.deaf.pop(0)
        self.told.append((ask.id, notice))

    async def reactors(self, channel: str, ts: str, names: Sequence[str]) -> tuple[str, ...]:
        self.names.append(tuple(names))
        return self.reacting

    async def post_card(self, card: Card) -> str:
        if self.no_card is not None:
            raise self.no_card
        return f"3.{card.ask.id}"

    async def find_card(self, ask: Ask) -> str | None:
        if self.blind is not None:
            raise self.blind
        return self.standing if ask.root_ts == self.below else None

    async def update_card(self, card: Card) -> None:
        self.drawn.append(card)


@dataclass
class People:
    """Everybody is a member but those who are named otherwise."""

    guests: set[str] = field(default_factory=set)
    unreachable: set[str] = field(default_factory=set)

    async def member(self, person: str) -> Member | None:
        if person in self.unreachable:
            raise ChatError("timeout")
        return Member(person=person, guest=person in self.guests)

    async def admins(self) -> tuple[str, ...]:
        return ("UADMIN",)


@dataclass
class Desk:
    """A job that waits to be ordered, and the steps that order it."""

    provider: ScriptedProvider
    clock: SettableClock
    storage: MemoryStorage
    deciding: Deciding
    ordering: Ordering
    rendering: Rendering
    intake: Intake
    lease: Lease
    chat: RecordingChat
    people: People
    job_id: str
    offered: list[str]
    """Jobs whose turn it may be, as they were told."""

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

    async def another(self, person: str, key: str) -> Job:
        """A further draft, ours, whose card stands."""
        taken = await self.intake.draft(replace(SENDER, person=person, key=key), "a whale", Changes())
        assert isinstance(taken, Taken)
        async with self.storage.begin() as tx:
            await tx.jobs.card_posted("T1", taken.ask.id, f"2.{taken.jobs[0].id}", 1)
        await self.claim()
        return taken.jobs[0]

    async def order(self, job: Job) -> Job:
        """Take that job's step in the queue."""
        async with self.storage.read() as tx:
            now, ask = await tx.jobs.job("T1", job.id), await tx.jobs.ask("T1", job.ask_id)
        await self.ordering.submit(now, ask)
        return await self.now(job)

    async def now(self, job: Job) -> Job:
        async with self.storage.read() as tx:
            return await tx.jobs.job("T1", job.id)

    async def drawn(self, *jobs: Job) -> None:
        """The cards of these jobs show how things are."""
        async with self.storage.begin() as tx:
            for job in jobs:
                ask = await tx.jobs.ask("T1", job.ask_id)
                await tx.jobs.card_drawn("T1", ask.id, ask.version)

    async def stale(self, *jobs: Job) -> list[Job]:
        """Those of these jobs whose cards are to be drawn again."""
        async with self.storage.read() as tx:
            asks = [await tx.jobs.ask("T1", job.ask_id) for job in jobs]
        return [job for job, ask in zip(jobs, asks, strict=True) if ask.version > ask.card_version]

    async def end(self, job: Job) -> None:
        """Its render fails, at no cost."""
        now = await self.now(job)
        failed = RenderFailed(failure=Failure(kind=FailureKind.PROVIDER), cost_micro_usd=0)
        after = await self.ordering.bench.moves.move(now, self.lease.ownership, failed)
        self.ordering.bench.places.freed(after)

    async def news(self) -> list[Announcement]:
        async with self.storage.begin() as tx:
            return await tx.announcements.claim(self.lease.ownership, 10, self.clock.now())

    @property
    def presses(self) -> Presses:
        bench = self.ordering.bench
        return Presses(
            storage=self.storage,
            policies=bench.policies,
            gatekeeper=bench.gatekeeper,
            clock=self.clock,
            wake=lambda: None,
        )

    async def entries(self) -> list[tuple[EntryKind, str]]:
        """The whole ledger: what was booked, and who pays."""
        async with self.storage.read() as tx:
            return [(entry.kind, entry.person) for entry in await tx.ledger.entries()]

    async def claim(self) -> None:
        """Own what is new, as the runner does."""
        async with self.storage.begin() as tx:
            await tx.jobs.claim(self.lease.ownership, 10, self.clock.now())

    async def money(self) -> list[EntryKind]:
        async with self.storage.read() as tx:
            return [entry.kind for entry in await tx.ledger.entries(job_id=self.job_id)]


@asynccontextmanager
async def desk(
    *answers: OrderOutcome,
    idempotent: bool = True,
    policy: Policy | None = None,
    other: ScriptedProvider | None = None,
    named: str | None = None,
) -> AsyncIterator[Desk]:
    """One accepted ask whose card stands, with a provider that will answer so, and perhaps another one."""
    clock, storage, policy = SettableClock(), MemoryStorage(), policy or Policy()
    chat = RecordingChat()
    provider = ScriptedProvider(answers=list(answers), idempotent=idempotent)
    providers = {one.name: one for one in (provider, other) if one is not None}
    circuit = Circuit(clock)
    router = Router(providers, PriceTable(RATES if other else None), healthy=circuit.healthy)
    lease = Lease(storage=storage, clock=clock, alone=True)
    await lease.register()
    people, offered = People(), list[str]()
    policies = Policies(storage=storage, operator=policy)
    gatekeeper = Gatekeeper(directory=people, clock=clock)
    intake = Intake(
        storage=storage,
        router=router,
        policies=policies,
        gatekeeper=gatekeeper,
        taking=Taking(storage=storage, clock=clock, wake=lambda: None),
        doorbell=Doorbell(),
    )
    taken = await intake.draft(SENDER, "a red panda surfing", Changes(), provider=named)
    assert isinstance(taken, Taken)
    async with storage.begin() as tx:
        await tx.jobs.card_posted("T1", taken.ask.id, "1.0", 1)
    bench = Bench(
        storage=storage,
        clips=MemoryClips(),
        fetcher=None,  # type: ignore[arg-type] # nothing is fetched while ordering
        chat=chat,  # type: ignore[arg-type] # of all that a chat can do, ordering needs these two
        providers=providers,
        router=router,
        policy=policy,
        policies=policies,
        gatekeeper=gatekeeper,
        directory=people,
        clock=clock,
        lease=lease,
        moves=Moves(storage=storage, clock=clock, moved=lambda before, after: None),
        places=Places(lambda job: offered.append(job.id)),
        circuit=circuit,
        ring=lambda: None,
        public_url="https://dailies.example",
    )
    balances = Balances(
        providers=providers, router=router, storage=storage, policies=policies, clock=clock, wake=lambda: None
    )
    rerouting = Rerouting(bench=bench)
    made = Desk(
        provider=provider,
        clock=clock,
        storage=storage,
        deciding=Deciding(bench=bench, rerouting=rerouting),
        ordering=Ordering(
            bench=bench,
            rerouting=rerouting,
            balances=balances,
            handing=Handing(storage=storage, clips=bench.clips, links=Signs(), clock=clock),
        ),
        rendering=Rendering(bench=bench, looking=Looking(providers=providers, clock=clock)),
        intake=intake,
        lease=lease,
        chat=chat,
        people=people,
        job_id=taken.jobs[0].id,
        offered=offered,
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


@pytest.mark.parametrize(("replayed", "told"), [(False, True), (True, False), (None, False)])
async def test_a_repeat_that_is_taken_as_a_new_order_is_told_of(replayed: bool | None, told: bool) -> None:
    """It may be charged beside the first, and only somebody who looks at the account can know."""
    async with desk(LOST, OrderAccepted(task_id="tk-1", replayed=replayed)) as one:
        assert (await one.submit()).state is State.SUBMITTING
        assert (await one.resolve()).state is State.RENDERING

        news = await one.news()
        assert [(one.topic, one.to) for one in news] == ([(Topic.TAKEN_ANEW, ADMINS)] if told else [])
        async with one.storage.read() as tx:
            acts = [(line.act, line.task_id, line.micro_usd) for line in await tx.audit.entries()]
        assert ((Act.TAKEN_ANEW, "tk-1", PRICE) in acts) is told
        if told:
            words = announcement(news[0]).text
            assert "HiAPI took the repeated order of clip #1 in <#C1> as a new one" in words
            assert "`tk-1`" in words
            assert "$0.57" in words


async def test_a_first_order_is_new_and_nothing_is_told_of_it() -> None:
    async with desk(OrderAccepted(task_id="tk-1", replayed=False)) as one:
        assert (await one.submit()).state is State.RENDERING
        assert await one.news() == []


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
        await one.ordering._intend(await one.job(), (await one.job()).recipe)

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


@pytest.mark.jobs_set_by_hand(reason="the other clip is a copy, and nothing was held for it")
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

        await one.deciding.decide(starved, await one.ask())
        job = await one.submit()

        assert job.state is State.RENDERING
        assert await one.money() == [EntryKind.HOLD, EntryKind.RELEASE, EntryKind.HOLD]
        first, second = one.provider.orders
        assert first.key != second.key


async def test_while_a_provider_starves_one_order_at_a_time_is_tried() -> None:
    """A queue of orders is not sent one after the other into the same refusal."""
    async with desk(STARVED) as one:
        starved = await one.submit()

        await one.deciding.decide(starved, await one.ask())

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

        await one.deciding.decide(pair.jobs[0], pair.ask)

        async with one.storage.read() as tx:
            ended = [await tx.jobs.job("T1", job.id) for job in pair.jobs]
            held = [await tx.ledger.entries(job_id=job.id) for job in pair.jobs]
        assert [job.state for job in ended] == [State.FAILED, State.FAILED]
        assert [job.failure and job.failure.kind for job in ended] == [FailureKind.OVER_CAP, FailureKind.OVER_CAP]
        assert [list(entries) for entries in held] == [[], []]
        assert one.chat.told == [(pair.ask.id, Notice.OVER_CAP)]
        words = {job.failure.detail for job in ended if job.failure}
        left = "This would cost $1.14 at an assumed price, and $0.86 of $2.00 is left for its payer for the day."
        assert words == {f"{left} The cap renews 2026-11-21 00:00 UTC."}
        async with one.storage.read() as tx:
            over = await tx.jobs.ask("T1", pair.ask.id)
        assert (over.decision, over.live) == (Decision.STOP, False)
        with pytest.raises(NothingToDo):
            await one.presses.undo(replace(sender, key="undo"), pair.ask.id)
        async with one.storage.read() as tx:
            assert Act.UNDONE not in {line.act for line in await tx.audit.entries()}


@pytest.mark.parametrize(
    ("refusals", "gate", "decision"),
    [
        ([ChatRefused("not_in_channel")], Gate.CONFIRMATION, Decision.STOP),
        ([ChatUnknown("timeout"), ChatUnknown("timeout"), None], Gate.CONFIRMATION, Decision.STOP),
        ([ChatRefused("not_in_channel")], None, None),
    ],
)
async def test_an_ask_whose_card_stands_nowhere_is_over_with_its_question(
    refusals: list[ChatError | None], gate: Gate | None, decision: Decision | None
) -> None:
    """Also where the posts of two cards had an unknown outcome, so that cards may stand which can still be pressed."""
    async with desk(policy=Policy(confirm_above_micro_usd=600_000)) as one:
        before = await one.entries()
        sender = replace(SENDER, key="command:2")
        taken = await one.intake.draft(sender, "a whale", Changes(takes=2 if gate else 1))
        assert isinstance(taken, Taken)
        assert taken.ask.gate is gate
        await one.claim()
        cards = Cards(bench=one.ordering.bench, rerouting=one.ordering.rerouting, posted=lambda jobs: None)
        for refusal in refusals:
            one.chat.no_card = refusal
            await cards.step("T1", taken.ask.id)

        ended = [await one.now(job) for job in taken.jobs]
        async with one.storage.read() as tx:
            ask = await tx.jobs.ask("T1", taken.ask.id)
        assert {job.state for job in ended} == {State.FAILED}
        assert (ask.decision, ask.live) == (decision, False)
        with pytest.raises(NothingToDo):
            await one.presses.confirm(replace(sender, key="press"), taken.ask.id)
        booked = await one.entries()
        fresh = [(EntryKind.HOLD, "U1"), (EntryKind.RELEASE, "U1")] if gate is None else []
        assert sorted(booked) == sorted([*before, *fresh])


async def test_a_token_that_is_revoked_for_a_while_ends_no_ask() -> None:
    """Of a post of unknown outcome it keeps us from knowing more, and that is no reason to post blindly."""
    async with desk() as one:
        taken = await one.intake.draft(replace(SENDER, key="command:2"), "a whale", Changes())
        assert isinstance(taken, Taken)
        await one.claim()
        cards = Cards(bench=one.ordering.bench, rerouting=one.ordering.rerouting, posted=lambda jobs: None)
        one.chat.no_card, one.chat.blind = ChatUnknown("timeout"), ChatUnauthorized("token_revoked")
        for _ in range(4):
            assert await cards.step("T1", taken.ask.id) is not None
        one.chat.no_card = None
        await cards.step("T1", taken.ask.id)
        async with one.storage.read() as tx:
            ask = await tx.jobs.ask("T1", taken.ask.id)
        assert ((await one.now(taken.jobs[0])).state, ask.card_ts) == (State.QUEUED, None)


async def test_an_ask_that_ended_before_its_card_stood_has_one_all_the_same() -> None:
    """Nobody could confirm it while we were down for longer than its offer was good."""
    async with desk(policy=Policy(confirm_above_micro_usd=1)) as one:
        taken = await one.intake.draft(replace(SENDER, key="command:2"), "a whale", Changes())
        assert isinstance(taken, Taken)
        await one.claim()
        one.clock.advance(700)
        await one.deciding.decide(await one.now(taken.jobs[0]), taken.ask)
        assert (await one.now(taken.jobs[0])).state is State.CANCELLED

        cards = Cards(bench=one.ordering.bench, rerouting=one.ordering.rerouting, posted=lambda jobs: None)
        await cards.step("T1", taken.ask.id)
        async with one.storage.read() as tx:
            assert (await tx.jobs.ask("T1", taken.ask.id)).card_ts == f"3.{taken.ask.id}"


async def test_a_card_that_was_sent_before_its_thread_had_a_root_is_found_in_the_channel() -> None:
    async with desk() as one:
        taken = await one.intake.mention(replace(SENDER, key="mention"), "5.0", "a whale", Changes())
        assert isinstance(taken, Taken)
        await one.claim()
        cards = Cards(bench=one.ordering.bench, rerouting=one.ordering.rerouting, posted=lambda jobs: None)
        one.chat.no_card, one.chat.blind, one.chat.standing = ChatUnknown("timeout"), None, "3.0"
        for _ in range(2):
            await cards.step("T1", taken.ask.id)
        async with one.storage.read() as tx:
            assert (await tx.jobs.ask("T1", taken.ask.id)).card_ts == "3.0"


async def test_a_card_that_is_found_shows_what_was_when_it_was_sent_and_is_drawn_again() -> None:
    """Its post was never answered, and somebody took the ask back before it was found."""
    async with desk() as one:
        taken = await one.intake.draft(replace(SENDER, key="command:2"), "a whale", Changes())
        assert isinstance(taken, Taken)
        await one.claim()
        cards = Cards(bench=one.ordering.bench, rerouting=one.ordering.rerouting, posted=lambda jobs: None)
        one.chat.no_card = ChatUnknown("timeout")
        await cards.step("T1", taken.ask.id)
        await one.presses.cancel(replace(SENDER, key="press"), taken.ask.id)

        one.chat.blind, one.chat.standing = None, "3.0"
        assert await cards.step("T1", taken.ask.id) == Later(seconds=0.0)
        assert await cards.step("T1", taken.ask.id) is None
        assert [(card.ask.card_ts, card.jobs[0].cancel_by) for card in one.chat.drawn] == [("3.0", "U1")]
        assert await one.stale(*taken.jobs) == []


@pytest.mark.parametrize(
    ("troubles", "told"),
    [
        ([ChatError("ratelimited"), ChatUnknown("timeout"), ChatUnauthorized("token_revoked")], True),
        ([ChatRefused("user_not_found")], False),
    ],
)
async def test_who_has_no_card_is_told_as_soon_as_they_can_be(troubles: list[ChatError], told: bool) -> None:
    async with desk() as one:
        taken = await one.intake.draft(replace(SENDER, key="command:2"), "a whale", Changes())
        assert isinstance(taken, Taken)
        await one.claim()
        cards = Cards(bench=one.ordering.bench, rerouting=one.ordering.rerouting, posted=lambda jobs: None)
        one.chat.no_card, one.chat.blind, one.chat.deaf = ChatRefused("is_archived"), None, list(troubles)
        steps = 1
        while await cards.step("T1", taken.ask.id) is not None:
            steps += 1
        assert one.chat.told == ([(taken.ask.id, Notice.NOT_IN_CHANNEL)] if told else [])
        assert steps == len(troubles) + told
        assert await one.stale(*taken.jobs) == []


async def test_who_has_nothing_left_does_not_keep_others_from_paying() -> None:
    """Ben asked first and has spent his day; Chloé stands behind the final too, and has not."""
    async with desk(policy=replace(CHEAP, caps=Caps(person_day_micro_usd=2_000_000))) as one:
        final, ask = await promotion(one, "U2", "U3")
        for number in range(2):
            await one.another("U2", f"spent:{number}")

        await one.deciding.decide(final, ask)

        async with one.storage.read() as tx:
            decided, paid = await tx.jobs.ask("T1", ask.id), await tx.ledger.entries(job_id=final.id)
        assert (decided.decision, decided.person) == (Decision.GO, "U3")
        assert [(entry.kind, entry.person) for entry in paid] == [(EntryKind.HOLD, "U3")]


async def test_when_nobody_behind_a_final_has_enough_left_the_asker_is_told() -> None:
    async with desk(policy=replace(CHEAP, caps=Caps(person_day_micro_usd=2_000_000))) as one:
        final, ask = await promotion(one, "U2", "U3")
        for number, person in enumerate(("U2", "U2", "U3", "U3")):
            await one.another(person, f"spent:{number}")

        await one.deciding.decide(final, ask)

        ended = await one.now(final)
        assert ended.failure is not None
        assert (ended.state, ended.failure.kind) == (State.FAILED, FailureKind.OVER_CAP)
        assert one.chat.told == [(ask.id, Notice.OVER_CAP)]


async def test_money_that_is_gone_when_credit_is_back_says_when_there_is_some_again() -> None:
    async with desk(STARVED, policy=Policy(caps=Caps(channel_month_micro_usd=600_000))) as one:
        assert (await one.submit()).state is State.WAITING
        await one.another("U2", "command:2")
        one.clock.advance(3600)

        await one.deciding.decide(await one.job(), await one.ask())

        ended = await one.job()
        assert ended.failure == Failure(
            kind=FailureKind.OVER_CAP,
            detail="This would cost $0.57 at an assumed price, and $0.03 of $0.60 is left for this channel for the "
            "month. The cap renews 2026-12-01 00:00 UTC.",
        )


# --- who stands behind a promotion -----------------------------------------------------------------------------------


CHEAP = Policy(confirm_above_micro_usd=2_000_000)
"""Under which a final needs no button."""


async def promotion(one: Desk, *people: str) -> tuple[Job, Ask]:
    """The final of the first clip, asked for by these people's reactions, at the end of its window."""
    async with one.storage.begin() as tx:
        draft = await tx.jobs.job("T1", one.job_id)
        cost = draft.price_micro_usd
        stands = replace(draft, state=State.DELIVERED, message_ts="1.5", cost_micro_usd=cost)
        await tx.ledger.settle("T1", one.job_id, 1, cost, one.clock.now())
        (timeline,) = await tx.jobs.timeline("T1", one.job_id)
        await tx.jobs.save(stands, one.lease.ownership, timeline)
    for person in people:
        await one.intake.promote_message(replace(SENDER, person=person, key=f"event:{person}"), "1.5")
        one.clock.advance(1)
    await one.claim()
    async with one.storage.read() as tx:
        (final,) = [job for job in await tx.jobs.in_thread("T1", stands.thread_id) if job.stage is Stage.FINAL]
        ask = await tx.jobs.ask("T1", final.ask_id)
    one.clock.advance(25)
    one.chat.reacting = people
    return final, ask


async def test_the_earliest_eligible_who_still_stands_pays() -> None:
    async with desk(policy=CHEAP) as one:
        final, ask = await promotion(one, "U2", "U3", "U4")
        one.chat.reacting = ("U4", "U3")
        one.people.guests = {"U3"}
        one.clock.advance(600)

        await one.deciding.decide(final, ask)

        async with one.storage.read() as tx:
            decided, paid = await tx.jobs.ask("T1", ask.id), await tx.ledger.entries(job_id=final.id)
        assert (decided.decision, decided.person) == (Decision.GO, "U4")
        assert [(entry.kind, entry.person) for entry in paid] == [(EntryKind.HOLD, "U4")]
        assert one.chat.names == [("rocket",)]


@pytest.mark.parametrize(
    ("standing", "guests", "stops", "said"),
    [
        (("U2", "U3"), set(), False, None),
        (("U2",), set(), True, "1 of 2"),
        (("U2", "U3"), {"U3"}, True, "1 of 2"),
        ((), set(), True, "0 of 2"),
    ],
)
async def test_a_promotion_needs_as_many_as_the_channel_says(
    standing: tuple[str, ...], guests: set[str], stops: bool, said: str | None
) -> None:
    async with desk(policy=replace(CHEAP, quorum=2)) as one:
        final, ask = await promotion(one, "U2", "U3")
        one.chat.reacting, one.people.guests = standing, guests
        one.clock.advance(600)

        await one.deciding.decide(final, ask)

        ended = await one.now(final)
        async with one.storage.read() as tx:
            paid = await tx.ledger.entries(job_id=final.id)
        assert (ended.state is State.CANCELLED) is stops
        assert (ended.failure.detail if ended.failure else None) == said
        assert bool(paid) is not stops


async def test_somebody_whom_slack_cannot_name_is_asked_for_again_and_then_does_not_count() -> None:
    async with desk(policy=CHEAP) as one:
        final, ask = await promotion(one, "U2")
        one.people.unreachable = {"U2"}
        one.clock.advance(3600)
        late = replace(ask, decide_by=one.clock.now())

        assert isinstance(await one.deciding.decide(final, late), Later)
        one.clock.advance(40)
        await one.deciding.decide(final, late)

        ended = await one.now(final)
        assert ended.state is State.CANCELLED
        assert ended.failure == Failure(kind=FailureKind.TOO_FEW, detail="0 of 1")


# --- places ----------------------------------------------------------------------------------------------------------


async def test_a_persons_further_jobs_wait_while_other_peoples_go_on() -> None:
    """One may run at once: the second and third wait in order, Ben's overtakes both, and each end lets one more go."""
    takes = [OrderAccepted(task_id=f"tk-{number}") for number in range(4)]
    async with desk(*takes, policy=Policy(running_per_person=1)) as one:
        first = await one.job()
        second, third = await one.another("U1", "command:2"), await one.another("U1", "command:3")
        bens = await one.another("U2", "command:4")

        assert (await one.order(first)).state is State.RENDERING
        assert [(await one.order(job)).state for job in (third, second)] == [State.QUEUED] * 2
        assert (await one.order(bens)).state is State.RENDERING
        async with one.storage.read() as tx:
            shown = await tx.jobs.ask("T1", second.ask_id)
            assert await tx.jobs.ahead_of_payer(third) == 1
        assert shown.version > shown.card_version, "its card says which in line it is"

        await one.end(first)

        assert one.offered == [second.id]
        assert [(await one.order(job)).state for job in (third, second)] == [State.QUEUED, State.RENDERING]


async def test_whoever_is_further_back_in_a_persons_line_moves_up_on_their_cards_too() -> None:
    """One may run at once and four want to: the second is taken back, then the third begins; each time the cards of
    all that still wait are drawn again."""
    takes = [OrderAccepted(task_id=f"tk-{number}") for number in range(2)]
    async with desk(*takes, policy=Policy(running_per_person=1)) as one:
        first = await one.job()
        more = [await one.another("U1", f"command:{number}") for number in (2, 3, 4)]
        second, third, fourth = sorted(more, key=lambda job: job.id)
        bens = await one.another("U2", "command:5")
        for job in (first, second, third, fourth):
            await one.order(job)
        assert await one.stale(second, third, fourth, bens) == [second, third, fourth]
        await one.drawn(first, second, third, fourth)

        async with one.storage.begin() as tx:
            await tx.jobs.request_cancel("T1", second.id, "U1")
        assert (await one.order(second)).state is State.CANCELLED
        one.ordering.bench.places.leave(second)  # as the runner does with what it hears of
        assert await one.stale(third, fourth, bens) == [third, fourth]

        await one.drawn(third, fourth)
        await one.end(first)
        assert (await one.order(third)).state is State.RENDERING
        assert await one.stale(fourth, bens) == [fourth]


async def test_an_uncertain_job_frees_its_persons_place() -> None:
    async with desk(LOST, TAKEN, idempotent=False, policy=Policy(running_per_person=1)) as one:
        second = await one.another("U1", "command:2")
        assert (await one.submit()).state is State.UNCERTAIN

        assert (await one.order(second)).state is State.RENDERING


# --- money that is gone ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("caps", "later"),
    [
        (Caps(person_day_micro_usd=2 * PRICE), timedelta(days=1)),
        (Caps(channel_month_micro_usd=2 * PRICE), timedelta(days=31)),
    ],
    ids=["day", "month"],
)
async def test_what_waits_over_midnight_is_measured_against_the_day_its_money_was_held_on(
    caps: Caps, later: timedelta
) -> None:
    """Both fitted when they were asked for, and the first was billed double. A new day has room, but not for what the
    day before has no money for."""
    async with desk(OrderAccepted(task_id="tk-1", cost_micro_usd=2 * PRICE), TAKEN, policy=Policy(caps=caps)) as one:
        second = await one.another("U1", "command:2")
        assert (await one.submit()).state is State.RENDERING
        one.clock.advance(later.total_seconds())

        stopped = await one.order(second)

        assert stopped.failure is not None
        assert (stopped.state, stopped.failure.kind) == (State.FAILED, FailureKind.OVER_CAP)
        assert len(one.provider.orders) == 1
        third = await one.another("U1", "command:3")
        assert (await one.now(third)).state is State.QUEUED, "asked for today, it has today's room"


async def test_a_provider_that_bills_double_stops_what_is_queued_and_the_admins_are_told_once() -> None:
    """Three fit at the price; the first two cost double, and the third is not ordered any more."""
    double = [OrderAccepted(task_id=f"tk-{number}", cost_micro_usd=1_200_000) for number in range(2)]
    limits = Policy(caps=Caps(channel_month_micro_usd=2_500_000))
    async with desk(*double, policy=limits) as one:
        second, third = await one.another("U2", "command:2"), await one.another("U3", "command:3")

        assert [(await one.order(job)).state for job in (await one.job(), second)] == [State.RENDERING] * 2
        ended = await one.order(third)

        assert ended.state is State.FAILED
        assert ended.failure is not None
        assert ended.failure.kind is FailureKind.OVER_CAP
        assert "billed more than its price" in ended.failure.detail
        assert (
            "This would cost $0.57 at an assumed price, and $0.10 of $2.50 is left for this channel for the month. "
            "The cap renews 2026-12-01 00:00 UTC." in ended.failure.detail
        )
        assert len(one.provider.orders) == 2
        async with one.storage.read() as tx:
            entries = await tx.ledger.entries()
        assert sum(entry.held_micro_usd for entry in entries) == 0
        assert sum(entry.settled_micro_usd for entry in entries) == 2_400_000
        news = await one.news()
        assert sorted((one.topic, one.to) for one in news) == [(Topic.CAP_NEAR, ADMINS), (Topic.OVERBILLED, ADMINS)]
        (overbilled,) = [one for one in news if one.topic is Topic.OVERBILLED]
        assert (overbilled.facts["held_micro_usd"], overbilled.facts["charged_micro_usd"]) == (570_000, 1_200_000)


@pytest.mark.parametrize(("cost", "told"), [(570_001, True), (570_000, False), (100_000, False), (None, False)])
async def test_a_cost_that_is_known_only_at_the_end_is_told_of_when_it_is_more_than_was_held(
    cost: int | None, told: bool
) -> None:
    async with desk(TAKEN) as one:
        await one.submit()
        one.provider.report = TaskFinished(url="https://cdn.example/1.mp4", expires_at=None, cost_micro_usd=cost)

        await one.rendering.poll(await one.job(), await one.ask())

        assert (await one.job()).cost_micro_usd == (570_000 if cost is None else cost)
        assert [news.topic for news in await one.news()] == ([Topic.OVERBILLED] if told else [])


@pytest.mark.parametrize(("cap", "told"), [(712_500, True), (712_501, False), (None, False)])
async def test_the_admins_are_told_when_four_fifths_of_a_cap_are_held(cap: int | None, told: bool) -> None:
    """A draft is held at fifty-seven cents."""
    async with desk(policy=Policy(caps=Caps(workspace_month_micro_usd=cap))) as one:
        news = await one.news()
        assert [one.facts["committed_micro_usd"] for one in news] == ([570_000] if told else [])


# --- providers that take no orders -----------------------------------------------------------------------------------


DOWN = OrderNotSent(why="ConnectError")


async def notes(one: Desk) -> tuple[str, ...]:
    return (await one.ask()).notes


async def test_an_order_that_nobody_named_a_provider_for_goes_to_another_when_its_own_starves() -> None:
    """One hold is released and the other taken in the same breath, and the card says so; the channel need not know."""
    muapi = ScriptedProvider([OrderAccepted(task_id="mu-1")], idempotent=False, name="muapi")
    async with desk(STARVED, other=muapi) as one:
        one.ordering.bench.router._prices._own["muapi", "mini", Resolution.P720, False] = replace(
            RATES["hiapi", "mini", Resolution.P720, False], per_second_micro_usd=200_000
        )
        moved = await one.submit()

        assert (moved.state, moved.provider, moved.attempt) == (State.QUEUED, "muapi", 2)
        assert await one.money() == [EntryKind.HOLD, EntryKind.RELEASE, EntryKind.HOLD]
        assert (moved.price_micro_usd, moved.as_final_micro_usd) == (320_000, 800_000), "each at Muapi's price"
        (note,) = await notes(one)
        assert note == "HiAPI takes no orders now and charged nothing: made by Muapi at $0.32 a clip."
        assert await one.news() == []
        rendering = await one.submit()
        assert (rendering.state, rendering.task_id) == (State.RENDERING, "mu-1")
        muapi.report = TaskFinished(url="https://cdn.example/1.mp4", expires_at=None)
        await one.rendering.poll(rendering, await one.ask())
        paid = await one.job()
        assert (paid.attempt, paid.cost_micro_usd) == (2, 320_000)
        assert money_sentence(paid) == "$0.32 was charged.", "one order, of which nobody is in doubt"
        assert (len(one.provider.orders), len(muapi.orders)) == (1, 1)


async def test_a_reroute_among_pretend_providers_says_that_nothing_is_charged() -> None:
    first = a_job(provider="pretend-hiapi")
    tier = capabilities()
    route = Route(
        can=replace(tier, provider="pretend-muapi"), price=Price(micro_usd=320_000, assumed=True), recipe=first.recipe
    )
    assert reroute_note(first, route, there=False) == (
        "Pretend HiAPI is not set up here any more and charged nothing: made by Pretend Muapi at $0.32 a clip "
        "(pretend: nothing is charged)."
    )
    real = replace(route, can=replace(tier, provider="muapi"))
    assert reroute_note(first, real, there=True).endswith(
        "made by Muapi at $0.32 a clip (assumed: Muapi publishes no price)."
    )


async def test_an_order_that_may_have_been_charged_never_goes_to_another_provider() -> None:
    muapi = ScriptedProvider([], name="muapi")
    async with desk(LOST, idempotent=False, other=muapi) as one:
        for _ in range(RUN):
            one.ordering.bench.circuit.stumbled("hiapi", "HTTP 502")
        one.ordering.bench.circuit.accepted("hiapi", one.clock.now())
        job = await one.submit()

        assert (job.state, job.provider) == (State.UNCERTAIN, "hiapi")
        assert await one.money() == [EntryKind.HOLD]
        assert muapi.orders == []


async def test_who_named_the_provider_waits_for_it_and_may_press_for_another() -> None:
    muapi = ScriptedProvider([TAKEN], name="muapi")
    async with desk(STARVED, other=muapi, named="hiapi") as one:
        waiting = await one.submit()
        assert (waiting.state, waiting.wait_reason) == (State.WAITING, WaitReason.PROVIDER_CREDIT)
        await one.deciding.decide(waiting, await one.ask())
        assert (await one.job()).provider == "hiapi"

        async with one.storage.begin() as tx:
            await tx.jobs.wish("T1", one.job_id, Wish.USE_ANOTHER_PROVIDER, "U1")
        await one.deciding.decide(await one.job(), await one.ask())

        moved = await one.job()
        assert (moved.state, moved.provider, moved.wish) == (State.QUEUED, "muapi", None)
        assert await one.money() == [EntryKind.HOLD, EntryKind.RELEASE, EntryKind.HOLD]


async def test_a_press_for_another_provider_where_there_is_none_is_answered_on_the_card_and_waits_on() -> None:
    async with desk(STARVED, named="hiapi") as one:
        await one.submit()
        async with one.storage.begin() as tx:
            await tx.jobs.wish("T1", one.job_id, Wish.USE_ANOTHER_PROVIDER, "U1")
        await one.deciding.decide(await one.job(), await one.ask())

        job = await one.job()
        assert (job.state, job.wish) == (State.WAITING, None)
        assert await notes(one) == (
            "No other provider than HiAPI takes this now, or its price does not fit under a cap.",
        )
        assert await one.money() == [EntryKind.HOLD, EntryKind.RELEASE]


async def test_a_dearer_provider_is_not_taken_without_a_question() -> None:
    muapi = ScriptedProvider([TAKEN], name="muapi")
    async with desk(STARVED, other=muapi, policy=Policy(confirm_above_micro_usd=330_000)) as one:
        one.ordering.bench.router._prices._own["muapi", "mini", Resolution.P480, False] = replace(
            RATES["hiapi", "mini", Resolution.P480, False], per_second_micro_usd=90_000
        )
        assert (await one.submit()).state is State.WAITING


async def test_a_channel_is_told_once_that_its_clips_wait_and_once_that_they_go_on() -> None:
    """However many clips wait there, and however often they are tried; the admins hear of it too."""
    async with desk(STARVED, STARVED, TAKEN, OrderAccepted(task_id="tk-2")) as one:
        second = await one.another("U2", "command:2")
        await one.submit()
        await one.order(second)
        assert (await one.now(second)).state is State.WAITING, "it is not even sent"
        one.clock.advance(30)
        await one.deciding.decide(await one.job(), await one.ask())
        await one.submit()
        assert sorted((news.topic, news.to) for news in await one.news()) == [
            (Topic.PROVIDER_PAUSED, CHANNEL),
            (Topic.PROVIDER_PAUSED, ADMINS),
        ]
        one.clock.advance(30)
        await one.deciding.decide(await one.job(), await one.ask())
        assert (await one.submit()).state is State.RENDERING
        async with one.storage.read() as tx:
            now, ask = await tx.jobs.job("T1", second.id), await tx.jobs.ask("T1", second.ask_id)
        await one.deciding.decide(now, ask)
        assert (await one.order(second)).state is State.RENDERING
        topics = [news.topic for news in await one.news()]
        assert (topics.count(Topic.PROVIDER_PAUSED), topics.count(Topic.PROVIDER_RESUMED)) == (2, 1)
        assert len(one.provider.orders) == 4


async def test_a_run_of_orders_that_reach_nobody_pauses_the_provider_with_nothing_held() -> None:
    async with desk(*[DOWN] * RUN) as one:
        for _ in range(RUN):
            assert (await one.submit()).state is State.QUEUED
        waiting = await one.submit()

        assert (waiting.state, waiting.wait_reason) == (State.WAITING, WaitReason.PROVIDER_DOWN)
        assert await one.money() == [EntryKind.HOLD, EntryKind.RELEASE]
        assert len(one.provider.orders) == RUN


async def test_a_wait_that_the_provider_asked_one_order_for_is_kept_by_all() -> None:
    async with desk(OrderThrottled(retry_after_seconds=40.0), TAKEN) as one:
        second = await one.another("U2", "command:2")
        await one.submit()

        assert (await one.order(second)).state is State.QUEUED
        assert len(one.provider.orders) == 1
        assert one.ordering.bench.circuit.wait("hiapi", Lane.ORDERS) == 40
        one.clock.advance(41)
        assert (await one.order(second)).state is State.RENDERING


@pytest.mark.parametrize("said", [0.5, 90.0, 900.0, 3600.0])
async def test_a_throttled_order_is_not_sent_before_the_provider_said(said: float) -> None:
    async with desk(OrderThrottled(retry_after_seconds=said), TAKEN) as one:
        throttled = await one.submit()
        assert throttled.due_at == one.clock.now() + timedelta(seconds=said)
        one.clock.advance(said - 0.1)
        assert (await one.submit()).state is State.QUEUED
        assert len(one.provider.orders) == 1
        one.clock.advance(0.2)
        await one.lease.renew()
        assert (await one.submit()).state is State.RENDERING


# --- callbacks -------------------------------------------------------------------------------------------------------


async def called(one: Desk, task_id: str) -> None:
    """Somebody who has the order's token speaks of that task."""
    async with one.storage.begin() as tx:
        job = await tx.jobs.job("T1", one.job_id)
        await tx.jobs.add_evidence(evidence_of(job, EvidenceKind.CALLED, task_id, one.clock))


async def test_an_order_says_where_its_end_may_be_told_and_no_two_say_the_same() -> None:
    async with desk(TAKEN, OrderAccepted(task_id="tk-2")) as one:
        await one.submit()
        await one.order(await one.another("U2", "command:2"))

        urls = [json.loads(order.body)["callback"]["url"] for order in one.provider.orders]
        assert all(re.fullmatch(r"https://dailies\.example/callbacks/hiapi/[0-9a-f]{32}", url) for url in urls)
        assert len(set(urls)) == 2


async def test_a_lost_answer_is_found_by_a_callback_and_adopted_when_the_provider_has_the_task() -> None:
    async with desk(LOST, idempotent=False) as one:
        uncertain = await one.submit()
        assert uncertain.state is State.UNCERTAIN
        await called(one, "tk-7")

        await one.ordering.watch(await one.job(), await one.ask())

        job = await one.job()
        assert (job.state, job.task_id) == (State.RENDERING, "tk-7")
        assert one.provider.looked == ["tk-7"]
        assert len(one.provider.orders) == 1


async def test_a_callback_before_the_end_of_an_order_spares_it_from_being_uncertain() -> None:
    async with desk(LOST, idempotent=False) as one:
        await one.ordering._intend(await one.job(), (await one.job()).recipe)
        await called(one, "tk-7")

        job = await one.resolve()

        assert (job.state, job.task_id) == (State.RENDERING, "tk-7")
        assert one.provider.orders == []


@pytest.mark.parametrize("report", [TaskMissing(), TaskUnreadable(why="HTTP 500")])
async def test_a_task_that_the_provider_does_not_show_us_is_not_adopted(report: TaskReport) -> None:
    async with desk(LOST, idempotent=False) as one:
        await one.submit()
        one.provider.report = report
        await called(one, "forged")

        later = await one.ordering.watch(await one.job(), await one.ask())

        assert (await one.job()).state is State.UNCERTAIN
        assert later == Later(seconds=3.0)
        one.clock.advance(120)
        assert await one.ordering.watch(await one.job(), await one.ask()) == Later(seconds=60.0)


async def test_a_task_of_another_clip_is_never_adopted_whoever_speaks_of_it() -> None:
    async with desk(TAKEN, LOST, idempotent=False) as one:
        await one.submit()
        second = await one.another("U2", "command:2")
        await one.order(second)
        one.job_id = second.id
        await called(one, "tk-1")

        await one.ordering.watch(await one.job(), await one.ask())

        assert ((await one.job()).state, one.provider.looked) == (State.UNCERTAIN, [])
