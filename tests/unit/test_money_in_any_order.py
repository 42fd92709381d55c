"""Whatever people press and providers answer, in whatever order: the ledger stays sound, no cap is passed, and every
balance is what a list kept by hand says.

The real use-cases write: what people do goes through ``Intake`` and ``Presses``, what becomes of jobs through
``Moves``. The list by hand knows nothing of rows: it says of each order what it was held at, and what it came to.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC
from itertools import product
from random import Random
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from bot.domain.budget import Cap, Caps, OverCap, Scope, caps_on
from bot.domain.failure import Failure, FailureKind
from bot.domain.job import FINAL, Ask, Decision, Gate, Job, Ownership, State, WaitReason, Wish
from bot.domain.ledger_check import unsound
from bot.domain.lifecycle import (
    Accepted,
    Declined,
    DeliveryWished,
    Event,
    Hindered,
    Kept,
    Lapsed,
    NotSent,
    Opened,
    Overdue,
    Refused,
    Rendered,
    RenderFailed,
    Reordered,
    Shared,
    Starved,
    Stored,
    SubmitIntended,
    Throttled,
    Unknown,
    WrittenOff,
)
from bot.domain.lineage import Changes
from bot.domain.trouble import Trouble
from bot.ports import Fenced
from bot.services.answers import AlreadyTaken, Estimated, NothingToDo, NotPromotable, NotYours, Taken
from bot.services.holds import hold
from bot.services.moving import Moves
from bot.services.policy import Policy
from bot.services.taking import Sender
from storage import MemoryStorage
from tests.support.clock import SettableClock
from tests.support.counter import Counter
from tests.support.values import PRICE, at

_T = TypeVar("_T")

PEOPLE, CHANNELS = ("U1", "U2", "U3"), ("C1", "C2")
CAPS = Caps(workspace_month_micro_usd=9 * PRICE, channel_month_micro_usd=7 * PRICE, person_day_micro_usd=5 * PRICE + 1)
POLICY = Policy(caps=CAPS, confirm_above_micro_usd=2 * PRICE)
LATER = at(3600)
WHY = Failure(kind=FailureKind.PROVIDER)
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


class Money(RuleBasedStateMachine):
    """Three people, two channels, one runner that may not have seen yet what people pressed."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = SettableClock()
        self.storage = MemoryStorage()
        self.counter = Counter.over(self.storage, POLICY, self.clock)
        self.moves = Moves(storage=self.storage, clock=self.clock, moved=lambda before, after: None)
        self.events = 0
        self.orders: dict[tuple[str, int], Order] = {}
        self.seen: dict[str, Job] = {}
        """The runner's own copies."""
        self.runner = self.run(self._register())

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        self.loop.close()

    # --- people ------------------------------------------------------------------------------------------------------

    @precondition(lambda self: sum(not job.finished for job in self.seen.values()) < 6)
    @rule(person=st.sampled_from(PEOPLE), channel=st.sampled_from(CHANNELS), takes=st.integers(1, 3))
    def ask(self, person: str, channel: str, takes: int) -> None:
        changes = Changes(takes=takes)
        self._taken(person, channel, self.counter.intake.draft(self._sender(person, channel), "a fox", changes))

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
            if job.state is State.WAITING and luck.random() < 0.8:
                self._decide(job)
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
            written_off,
        ]
        again = job.wish is Wish.ORDER_AGAIN
        uncertain: list[Event] = [Reordered(person=job.wish_by or "")] if again else [written_off, _hindered()]
        kept = Kept(key="clips/a.mp4", sha256="a", size=1)
        choices: dict[State, list[Event]] = {
            # Slack takes no card of it, whatever was asked on it.
            State.WAITING: [refused],
            State.QUEUED: [SubmitIntended(), SubmitIntended(), SubmitIntended(), Declined(), starved, refused],
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

    def _decide(self, job: Job) -> None:
        ask = self.run(self._ask(job.ask_id))
        if job.cancel_by or ask.decision is Decision.STOP:
            self._moved(job, Declined(), self.run(self.moves.move(job, self.runner, Declined())))
        elif job.wait_reason is WaitReason.PROVIDER_CREDIT:
            self._try_credit(job)
        elif ask.decision is Decision.GO:
            opened = Opened(person=ask.person)
            self._moved(job, opened, self.run(self.moves.move(job, self.runner, opened)))
        elif ask.gate is Gate.UNDO:
            self._window_over(job)

    def _try_credit(self, job: Job) -> None:
        async def try_credit() -> Job:
            async with self.storage.begin() as tx:
                await hold(tx, [job], POLICY, self.clock.now())
                return await self.moves.write(tx, job, self.runner, Opened(person=job.person))

        try:
            after = self.run(try_credit())
        except OverCap as over:
            self._is_over(over, job.person, job.channel)
            refused = Refused(failure=WHY)
            self._moved(job, refused, self.run(self.moves.move(job, self.runner, refused)))
        else:
            self._held(job, job.person)
            self.seen[job.id] = after

    def _window_over(self, job: Job) -> None:
        jobs = self.run(self._jobs_of(job.ask_id))
        paid = [one for one in jobs if not one.finished]

        async def go() -> None:
            async with self.storage.begin() as tx:
                await hold(tx, paid, POLICY, self.clock.now())
                assert await tx.jobs.decide("T1", job.ask_id, Decision.GO, job.person)

        try:
            self.run(go())
        except OverCap as over:
            self._is_over(over, job.person, job.channel)
        else:
            for one in paid:
                self._held(one, job.person)

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
            case Rendered(cost_micro_usd=cost) | RenderFailed(cost_micro_usd=cost) if order:
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
        tables = self.storage._tables
        breaches = unsound(tables.ledger.values(), tables.jobs.values())
        assert breaches == (), breaches

    @invariant()
    def balances_are_those_of_the_list(self) -> None:
        rows = list(self.storage._tables.ledger.values())
        assert sum(row.held_micro_usd for row in rows) == sum(
            order.held for order in self.orders.values() if order.came_to is None
        )
        assert sum(row.settled_micro_usd for row in rows) == sum(
            order.came_to for order in self.orders.values() if order.came_to is not None
        )
        for person, channel in product(PEOPLE, CHANNELS):
            for cap in caps_on(CAPS, workspace="T1", channel=channel, person=person, now=self.clock.now(), zone=UTC):
                committed = self.run(self._committed(cap))
                orders = [order for order in self.orders.values() if order.under(cap.scope, cap.subject)]
                assert committed == sum(order.counts for order in orders)
                # Past a cap only by what providers billed beyond what they said, or said again after giving it back.
                assert committed - sum(order.counts - order.lowest for order in orders) <= (cap.limit_micro_usd or 0)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _sender(self, person: str, channel: str) -> Sender:
        self.events += 1
        return Sender(workspace="T1", channel=channel, person=person, key=f"event-{self.events}")

    def _taken(self, person: str, channel: str, asking: Coroutine[Any, Any, Taken | Estimated | AlreadyTaken]) -> None:
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

    async def _register(self) -> Ownership:
        async with self.storage.begin() as tx:
            return await tx.leases.register("process-1", self.clock.now(), at(10**7), alone=True)

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

    async def _committed(self, cap: Cap) -> int:
        async with self.storage.read() as tx:
            return await tx.ledger.committed(cap, "T1")


def _caps(person: str, channel: str) -> list[tuple[Scope, str, int]]:
    return [
        (Scope.WORKSPACE_MONTH, "T1", CAPS.workspace_month_micro_usd or 0),
        (Scope.CHANNEL_MONTH, channel, CAPS.channel_month_micro_usd or 0),
        (Scope.PERSON_DAY, person, CAPS.person_day_micro_usd or 0),
    ]


def _hindered() -> Hindered:
    return Hindered(due_at=LATER, trouble=Trouble.NO_NEWS)


def _run(examples: int, steps: int) -> None:
    run_state_machine_as_test(Money, settings=settings(max_examples=examples, stateful_step_count=steps, deadline=None))


def test_the_ledger_is_sound_whatever_happens() -> None:
    _run(examples=60, steps=40)


@pytest.mark.storm
@pytest.mark.timeout(600)
def test_the_ledger_is_sound_whatever_happens_for_long() -> None:
    _run(examples=1_500, steps=80)
