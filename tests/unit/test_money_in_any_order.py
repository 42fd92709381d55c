"""Whatever people press and providers answer, in whatever order: the ledger stays sound, no cap is passed, and every
balance is what a list kept by hand says.

The real use-cases write: what people do goes through ``Intake`` and ``Presses``, what becomes of jobs that wait through
``Deciding``, and of all others through ``Moves``. The list by hand knows nothing of rows: it says of each order what it
was held at, and what it came to.
"""

import asyncio
import shutil
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from itertools import product
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from bot.domain.budget import Cap, Caps, Entry, OverCap, Scope, caps_on
from bot.domain.events import (
    Accepted,
    Declined,
    DeliveryWished,
    Event,
    Hindered,
    Kept,
    Lapsed,
    NotSent,
    Overdue,
    Prepared,
    Progressed,
    Refused,
    Rendered,
    RenderFailed,
    Reordered,
    Shared,
    Starved,
    Stopped,
    Stored,
    SubmitIntended,
    Throttled,
    Unknown,
    WrittenOff,
)
from bot.domain.failure import Failure, FailureKind
from bot.domain.job import AWAITS_PROVIDER, FINAL, Ask, Decision, Door, Gate, Job, State, WaitReason, Wish
from bot.domain.ledger_check import unsound
from bot.domain.lifecycle import Action, first_state, next_action
from bot.domain.lineage import Changes
from bot.domain.notice import Notice
from bot.domain.pricing import PriceTable
from bot.domain.recipe import MediaKind, MediaRole, Medium
from bot.domain.trouble import Trouble
from bot.ports import Fenced, Storage
from bot.services.answers import AlreadyTaken, Estimated, NothingToDo, NotPromotable, NotYours, Taken
from bot.services.bench import Bench, StepResult
from bot.services.circuit import Circuit
from bot.services.deciding import Deciding
from bot.services.gatekeeper import Gatekeeper
from bot.services.lease import Lease
from bot.services.moving import Moves
from bot.services.places import Places
from bot.services.policy import Policy
from bot.services.rerouting import Rerouting
from bot.services.routing import Router
from bot.services.taking import Sender
from storage import MemoryClips, MemoryStorage, migrate, open_storage
from tests.support.clock import SettableClock
from tests.support.counter import RATES, VENDOR, Counter, Everybody
from tests.support.values import PRICE, at
from tests.support.vendors import Declared

_T = TypeVar("_T")

PEOPLE, CHANNELS = ("U1", "U2", "U3"), ("C1", "C2")
CAPS = Caps(workspace_month_micro_usd=9 * PRICE, channel_month_micro_usd=7 * PRICE, person_day_micro_usd=5 * PRICE + 1)
POLICY = Policy(
    caps=CAPS,
    confirm_above_micro_usd=2 * PRICE,
    undo=timedelta(seconds=1),
    confirmation_valid=timedelta(seconds=5),  # so that whatever happens, it is still the same day
)
LATER = at(3600)
WHY = Failure(kind=FailureKind.PROVIDER)
PICTURE = Medium(role=MediaRole.FIRST, kind=MediaKind.IMAGE, url="slack:F1")
PRESSES = ("confirm", "undo", "cancel", "check_again", "give_up", "order_again", "deliver_again")
LUCK = st.integers(0, 2**32).map(Random)
"""What becomes of a job is thrown with dice: what a provider answers does not follow from what it answered before."""


@dataclass
class Order:
    """One order as the list by hand has it."""

    person: str
    channel: str
    held: int
    came_to: int | None = None
    """None while nobody knows: then what is held counts."""
    lowest: int = 0
    """The least that it ever counted: what a provider says beyond that was never asked of any cap."""

    @property
    def counts(self) -> int:
        return self.held if self.came_to is None else self.came_to

    def comes_to(self, cost: int) -> None:
        self.came_to = cost
        self.lowest = min(self.lowest, cost)

    def under(self, scope: Scope, subject: str) -> bool:
        return (
            subject in {"T1", self.person, self.channel}
            and {
                Scope.WORKSPACE_MONTH: subject == "T1",
                Scope.CHANNEL_MONTH: subject == self.channel,
                Scope.PERSON_DAY: subject == self.person,
            }[scope]
        )


class Slack:
    """Says who stands behind a reaction; nobody listens to what is told."""

    def __init__(self) -> None:
        self.standing: tuple[str, ...] = PEOPLE

    async def reactors(self, channel: str, ts: str, names: Sequence[str]) -> tuple[str, ...]:
        return self.standing

    async def tell(self, ask: Ask, notice: Notice, job: Job | None = None) -> None:
        return None


class Well(Declared):
    """Whatever became of an order, it answers a question that costs nothing."""

    async def check(self) -> Failure | None:
        return None


class Money(RuleBasedStateMachine):
    """Three people, two channels, one runner that may not have seen yet what people pressed."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.resources = AsyncExitStack()
        self.clock = SettableClock()
        self.storage = self.run(self._open())
        self.counter = Counter.over(self.storage, POLICY, self.clock)
        self.moves = Moves(storage=self.storage, clock=self.clock, moved=lambda before, after: None)
        self.slack = Slack()
        self.lease = Lease(storage=self.storage, clock=self.clock, alone=True)
        self.events = 0
        self.orders: dict[tuple[str, int], Order] = {}
        self.seen: dict[str, Job] = {}
        """The runner's own copies."""
        self.runner = self.run(self.lease.register())
        bench = self._bench()
        self.deciding = Deciding(bench=bench, rerouting=Rerouting(bench=bench))

    async def _open(self) -> Storage:
        return MemoryStorage()

    def _bench(self) -> Bench:
        router, people = Router({"hiapi": VENDOR}, PriceTable(RATES), links=True), Everybody()
        return Bench(
            storage=self.storage,
            clips=MemoryClips(),
            fetcher=None,  # type: ignore[arg-type] # nothing is fetched while it is decided
            chat=self.slack,  # type: ignore[arg-type] # of all that a chat can do, deciding needs these two
            providers={"hiapi": Well(VENDOR.capabilities[0])},
            router=router,
            policy=POLICY,
            policies=self.counter.policies,
            gatekeeper=Gatekeeper(directory=people, clock=self.clock),
            directory=people,
            clock=self.clock,
            lease=self.lease,
            moves=self.moves,
            places=Places(lambda job: None),
            circuit=Circuit(self.clock),
            ring=lambda: None,
        )

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        self.run(self.resources.aclose())
        self.loop.close()

    # --- people ------------------------------------------------------------------------------------------------------

    @precondition(lambda self: sum(not job.finished for job in self.seen.values()) < 6)
    @rule(
        person=st.sampled_from(PEOPLE), channel=st.sampled_from(CHANNELS), takes=st.integers(1, 3), file=st.booleans()
    )
    def ask(self, person: str, channel: str, takes: int, file: bool) -> None:
        changes = Changes(takes=takes, media=(PICTURE,) if file else ())
        self._taken(person, channel, self.counter.intake.draft(self._sender(person, channel), "a fox", changes))

    @precondition(lambda self: len(self.seen) < 6)
    @rule(person=st.sampled_from(PEOPLE), channel=st.sampled_from(CHANNELS))
    def get_a_clip(self, person: str, channel: str) -> None:
        """Nothing goes wrong."""
        known = set(self.seen)
        self._taken(person, channel, self.counter.intake.draft(self._sender(person, channel), "a fox", Changes()))
        for job in [job for name, job in self.seen.items() if name not in known and job.state is State.QUEUED]:
            for event in (
                SubmitIntended(),
                Accepted(task_id=f"task of {job.id}", cost_micro_usd=None),
                Rendered(url="https://clip.example", expires_at=LATER, cost_micro_usd=None),
                Stored(key="clips/a.mp4", sha256="a", size=1),
                Shared(message_ts=f"2.{job.id}"),
            ):
                before = self.seen[job.id]
                self._moved(before, event, self.run(self.moves.move(before, self.runner, event)))

    @precondition(lambda self: self._some(State.DELIVERED))
    @rule(people=st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=3, unique=True), which=st.integers(0, 63))
    def react(self, people: list[str], which: int) -> None:
        """Some people want the final of one clip."""
        job = self._chosen(which, State.DELIVERED)
        for person in people:
            asking = self.counter.intake.promote_message(self._sender(person, job.channel), job.message_ts or "")
            with suppress(NotPromotable):
                self._taken(person, job.channel, asking)

    @precondition(lambda self: self._some(State.DELIVERING, State.DELIVERED))
    @rule(person=st.sampled_from(PEOPLE), which=st.integers(0, 63))
    def promote(self, person: str, which: int) -> None:
        job = self._chosen(which, State.DELIVERING, State.DELIVERED)
        sender = self._sender(person, job.channel)
        with suppress(NotPromotable):
            self._taken(person, job.channel, self.counter.intake.promote_job(sender, job.id))

    @precondition(lambda self: self._some(State.WAITING))
    @rule(person=st.sampled_from(PEOPLE), which=st.integers(0, 63), button=st.sampled_from(["confirm", "undo"]))
    def answer(self, person: str, which: int, button: str) -> None:
        self._press(person, self._chosen(which, State.WAITING), button)

    @precondition(lambda self: self._some(State.UNCERTAIN))
    @rule(person=st.sampled_from(PEOPLE), which=st.integers(0, 63), button=st.sampled_from(["give_up", "order_again"]))
    def do_not_wait(self, person: str, which: int, button: str) -> None:
        self._press(person, self._chosen(which, State.UNCERTAIN), button)

    @precondition(lambda self: self.seen)
    @rule(person=st.sampled_from(PEOPLE), which=st.integers(0, 63), button=st.sampled_from(PRESSES))
    def press_anything(self, person: str, which: int, button: str) -> None:
        self._press(person, self._chosen(which), button)

    def _press(self, person: str, job: Job, button: str) -> None:
        about = job.ask_id if button in {"confirm", "undo", "cancel"} else job.id
        jobs = self.run(self._jobs_of(job.ask_id))
        try:
            answer = self.run(getattr(self.counter.presses, button)(self._sender(person, job.channel), about))
        except (NothingToDo, NotYours):
            return
        except OverCap as over:
            self._is_over(over, person, job.channel)
            return
        if isinstance(answer, AlreadyTaken):
            return
        if button == "confirm":
            for one in jobs:
                if one.state is State.WAITING:
                    self._held(one, person)
        if button == "order_again":
            self._held(replace(job, attempt=self.run(self._now(job)).attempt + 1), person)

    # --- the runner --------------------------------------------------------------------------------------------------

    @precondition(lambda self: self._some(State.WAITING))
    @rule(which=st.integers(0, 63), luck=LUCK)
    def look_at_a_gate(self, which: int, luck: Random) -> None:
        """The runner decides on what waits."""
        job = self._chosen(which, State.WAITING)
        self._refresh(job)
        if next_action(self.seen[job.id]) is Action.DECIDE:
            self._decide(self.seen[job.id], luck)

    @precondition(lambda self: self.seen)
    @rule(which=st.integers(0, 63), luck=LUCK)
    def go_on(self, which: int, luck: Random) -> None:
        """Some steps of one job, which the runner may have to look at again, or not."""
        job = self._chosen(which)
        if luck.random() < 0.5:
            self._refresh(job)
        for _ in range(luck.randint(1, 5)):
            self._step(self.seen[job.id], luck)
            self.the_books_are_sound()

    def _step(self, job: Job, luck: Random) -> None:
        cost = luck.choice([None, 0, luck.randint(1, 3 * PRICE), job.price_micro_usd])
        try:
            preparing = job.wait_reason is WaitReason.PREPARING
            if job.state is State.WAITING and not preparing and luck.random() < 0.8:
                self._decide(job, luck)
                return
            possible = self._possible(job, cost)
            if possible:
                event = luck.choice(possible)
                self._moved(job, event, self.run(self.moves.move(job, self.runner, event)))
        except Fenced:
            self._refresh(job)

    def _possible(self, job: Job, cost: int | None) -> list[Event]:
        """What can become of it now, as the steps of the runner have it."""
        self.events += 1
        accepted = Accepted(task_id=f"task-{self.events}", cost_micro_usd=cost)
        starved, refused = Starved(failure=WHY, due_at=LATER), Refused(failure=WHY)
        written_off = WrittenOff(failure=WHY, cost_micro_usd=job.price_micro_usd)
        ends: list[Event] = [
            Rendered(url="https://clip.example", expires_at=LATER, cost_micro_usd=cost),
            RenderFailed(failure=WHY, cost_micro_usd=cost),
            RenderFailed(failure=WHY, cost_micro_usd=0),
            Stopped(cost_micro_usd=cost),
            written_off,
        ]
        again = job.wish is Wish.ORDER_AGAIN
        uncertain: list[Event] = [Reordered(person=job.wish_by or "")] if again else [written_off, _hindered()]
        kept = Kept(key="clips/a.mp4", sha256="a", size=1)
        ready = replace(job.recipe, media=tuple(replace(one, url="stored:a.png") for one in job.recipe.media))
        prepared: list[Event] = [
            *(Prepared(recipe=ready), Prepared(recipe=ready), Progressed(progress="a.png")),
            *(_hindered(), Declined(), starved),
        ]
        choices: dict[State, list[Event]] = {
            # Slack takes no card of it, whatever was asked on it.
            State.WAITING: [refused, *(prepared if job.wait_reason is WaitReason.PREPARING else [])],
            State.QUEUED: [
                *(SubmitIntended(), SubmitIntended(), SubmitIntended()),
                *(Declined(), starved, refused, _hindered()),
            ],
            State.SUBMITTING: [
                accepted,
                Lapsed(due_at=LATER),
                accepted,
                Lapsed(due_at=LATER),
                Unknown(due_at=LATER),
                Throttled(due_at=LATER),
                starved,
                refused,
                NotSent(due_at=LATER),
            ],
            State.UNCERTAIN: [*uncertain, accepted],
            State.RENDERING: [*ends, Overdue(due_at=LATER)],
            State.LATE: ends,
            State.DOWNLOADING: [Stored(key="clips/a.mp4", sha256="a", size=1), kept, written_off],
            State.DELIVERING: [Shared(message_ts=f"1.{self.events}"), _hindered(), kept],
            State.CANCELLED: [DeliveryWished()] if job.wish is Wish.DELIVER_AGAIN else [],
        }
        return choices.get(job.state, [])

    def _decide(self, job: Job, luck: Random) -> None:
        """What the runner does with a job that waits, and what follows from it for the list by hand."""
        ask, jobs = self.run(self._ask(job.ask_id)), self.run(self._jobs_of(job.ask_id))
        if ask.decide_by is not None and (ask.gate is Gate.UNDO or luck.random() < 0.1):
            self.clock.advance(max(0.0, (ask.decide_by - self.clock.now()).total_seconds()))
        self.slack.standing = tuple(person for person in PEOPLE if luck.random() < 0.7)
        payers = self._payers(ask)
        room = [payer for payer in payers if self._room(payer, [one for one in jobs if not one.finished])]
        credit = job.wait_reason in AWAITS_PROVIDER and not (job.cancel_by or ask.decision is Decision.STOP)

        after = self.run(self.deciding.decide(job, ask))

        decided = self.run(self._ask(job.ask_id))
        for one in jobs:
            self._refresh(one)
            order = self.orders.get((one.id, one.attempt))
            if order is not None and order.came_to is None and self.seen[one.id].finished:
                order.comes_to(0)  # confirmed, and stopped before it was let into the queue
        if credit:
            self._credit_tried(job, after)
        elif ask.decision is None and decided.decision is Decision.GO:
            assert decided.person == room[0], "the first pays whose own allowance has room"
            for one in jobs:
                if not one.finished:
                    self._held(one, decided.person)
        elif isinstance(after, Job) and after.failure is not None and after.failure.kind is FailureKind.OVER_CAP:
            assert payers, "nobody was to pay"
            assert room == [], "it would have fitted"

    def _credit_tried(self, job: Job, after: StepResult) -> None:
        if isinstance(after, Job) and (after.state, after.wait_reason) == first_state(job.recipe):
            self._held(job, job.person)
        elif isinstance(after, Job):
            assert after.state is State.FAILED
            assert not self._room(job.person, [job]), "it would have fitted"

    def _payers(self, ask: Ask) -> list[str]:
        """Who may have to pay at the end of a window, in their order."""
        if ask.gate is not Gate.UNDO:
            return []
        if ask.door is not Door.REACTION:
            return [ask.person]
        supporters = self.run(self._supporters(ask.id))
        return [person for person in supporters if person in self.slack.standing]

    def _room(self, payer: str, jobs: Sequence[Job]) -> bool:
        price, channel = sum(job.price_micro_usd for job in jobs), jobs[0].channel if jobs else ""
        return all(self._sum(scope, subject) + price <= limit for scope, subject, limit in _caps(payer, channel))

    # --- the list by hand --------------------------------------------------------------------------------------------

    def _held(self, job: Job, payer: str) -> None:
        price = job.price_micro_usd
        assert (job.id, job.attempt) not in self.orders
        self.orders[job.id, job.attempt] = Order(payer, job.channel, held=price, lowest=price)
        for scope, subject, limit in _caps(payer, job.channel):
            assert self._sum(scope, subject) <= limit, f"{scope} of {subject} was passed"

    def _is_over(self, over: OverCap, person: str, channel: str) -> None:
        cap = over.cap
        assert (cap.scope, cap.subject, cap.limit_micro_usd) in _caps(person, channel)
        committed = self._sum(cap.scope, cap.subject)
        assert over.committed_micro_usd == committed
        assert committed + over.asked_micro_usd > (cap.limit_micro_usd or 0)

    def _moved(self, job: Job, event: Event, after: Job) -> None:
        self.seen[job.id] = after
        order, price = self.orders.get((job.id, job.attempt)), job.price_micro_usd
        match event:
            case Declined() | Starved() | Refused() if order:
                order.comes_to(0)
            case Accepted(cost_micro_usd=cost):
                second = self.orders.get((job.id, job.attempt + 1))
                if second is not None:
                    second.comes_to(0)
                if cost:  # nothing charged yet is no word on what it will cost
                    self.orders[job.id, job.attempt].comes_to(cost)
            case Rendered(cost_micro_usd=cost) | RenderFailed(cost_micro_usd=cost) | Stopped(cost_micro_usd=cost) if (
                order
            ):
                known = price if order.came_to is None else order.came_to
                order.comes_to(known if cost is None else cost)
            case WrittenOff() | Reordered() if order and order.came_to is None:
                order.comes_to(price)
            case _:
                return

    def _sum(self, scope: Scope, subject: str) -> int:
        return sum(order.counts for order in self.orders.values() if order.under(scope, subject))

    # --- what always holds -------------------------------------------------------------------------------------------

    @invariant()
    def the_books_are_sound(self) -> None:
        entries, jobs = self.run(self._books())
        breaches = unsound(entries, jobs)
        assert breaches == (), breaches

    @invariant()
    def balances_are_those_of_the_list(self) -> None:
        rows, _ = self.run(self._books())
        assert sum(row.held_micro_usd for row in rows) == sum(
            order.held for order in self.orders.values() if order.came_to is None
        )
        assert sum(row.settled_micro_usd for row in rows) == sum(
            order.came_to for order in self.orders.values() if order.came_to is not None
        )
        for cap, committed in self.run(self._balances()):
            orders = [order for order in self.orders.values() if order.under(cap.scope, cap.subject)]
            assert committed == sum(order.counts for order in orders)
            # Past a cap only by what providers billed beyond what they said, or said again after giving it back.
            assert committed - sum(order.counts - order.lowest for order in orders) <= (cap.limit_micro_usd or 0)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _sender(self, person: str, channel: str) -> Sender:
        self.events += 1
        return Sender(workspace="T1", channel=channel, person=person, key=f"event-{self.events}")

    def _taken(
        self, person: str, channel: str, asking: Coroutine[Any, Any, Taken | Estimated | AlreadyTaken | None]
    ) -> None:
        try:
            taken = self.run(asking)
        except OverCap as over:
            self._is_over(over, person, channel)
            return
        if isinstance(taken, Taken):
            self.seen |= {job.id: job for job in self.run(self._claim())}
            for job in taken.jobs if taken.ask.gate is None else ():
                self._held(job, person)

    def _some(self, *states: State) -> bool:
        return any(job.state in states for job in self.seen.values())

    def _chosen(self, which: int, *states: State) -> Job:
        """A job in one of these states, as far as the runner has seen; of any, mostly one that is not done yet."""
        wanted = set(states or (set(State) - FINAL if which % 4 else State))
        names = sorted(name for name, job in self.seen.items() if job.state in wanted) or sorted(self.seen)
        return self.seen[names[which // 4 % len(names)]]

    def _refresh(self, job: Job) -> None:
        self.seen[job.id] = self.run(self._now(job))

    async def _claim(self) -> list[Job]:
        async with self.storage.begin() as tx:
            return await tx.jobs.claim(self.runner, 1_000, self.clock.now())

    async def _now(self, job: Job) -> Job:
        async with self.storage.read() as tx:
            return await tx.jobs.job("T1", job.id)

    async def _ask(self, ask_id: str) -> Ask:
        async with self.storage.read() as tx:
            return await tx.jobs.ask("T1", ask_id)

    async def _jobs_of(self, ask_id: str) -> tuple[Job, ...]:
        async with self.storage.read() as tx:
            return await tx.jobs.of_ask("T1", ask_id)

    async def _supporters(self, ask_id: str) -> list[str]:
        async with self.storage.read() as tx:
            return [supporter.person for supporter in await tx.jobs.supporters("T1", ask_id)]

    async def _books(self) -> tuple[tuple[Entry, ...], list[Job]]:
        async with self.storage.read() as tx:
            return await tx.ledger.entries(), [job for job, _ in await tx.jobs.listing(state=None, limit=10_000)]

    async def _balances(self) -> list[tuple[Cap, int]]:
        """What counts under each cap of everybody in every channel."""
        now = self.clock.now()
        caps = {
            cap
            for person, channel in product(PEOPLE, CHANNELS)
            for cap in caps_on(CAPS, workspace="T1", channel=channel, person=person, now=now, zone=UTC)
        }
        async with self.storage.read() as tx:
            return [(cap, await tx.ledger.committed(cap, "T1")) for cap in caps]


class MoneyOnFile(Money):
    """The same over SQLite: each run on a copy of an empty database."""

    template: Path

    async def _open(self) -> Storage:
        folder = Path(self.resources.enter_context(TemporaryDirectory()))
        shutil.copyfile(self.template, folder / "dailies.db")
        return await self.resources.enter_async_context(open_storage(f"sqlite:///{folder / 'dailies.db'}", alone=False))


def _caps(person: str, channel: str) -> list[tuple[Scope, str, int]]:
    return [
        (Scope.WORKSPACE_MONTH, "T1", CAPS.workspace_month_micro_usd or 0),
        (Scope.CHANNEL_MONTH, channel, CAPS.channel_month_micro_usd or 0),
        (Scope.PERSON_DAY, person, CAPS.person_day_micro_usd or 0),
    ]


def _hindered() -> Hindered:
    return Hindered(due_at=LATER, trouble=Trouble.NO_NEWS)


def _run(examples: int, steps: int, machine: type[Money] = Money) -> None:
    run_state_machine_as_test(
        machine, settings=settings(max_examples=examples, stateful_step_count=steps, deadline=None)
    )


def test_the_ledger_is_sound_whatever_happens() -> None:
    _run(examples=60, steps=40)


def test_the_ledger_is_sound_whatever_happens_on_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    template = tmp_path / "dailies.db"
    asyncio.run(migrate(f"sqlite:///{template}"))
    monkeypatch.setattr(MoneyOnFile, "template", template, raising=False)
    _run(examples=3, steps=20, machine=MoneyOnFile)


@pytest.mark.storm
@pytest.mark.timeout(600)
def test_the_ledger_is_sound_whatever_happens_for_long() -> None:
    _run(examples=1_500, steps=80)
