"""The one place where a move is written: state, timeline, money, audit, wishes and the card's version, together or not
at all."""

from dataclasses import dataclass, field, replace

import pytest

from bot.domain.audit import Act
from bot.domain.events import (
    Accepted,
    Declined,
    DeliveryWished,
    Event,
    Hindered,
    Kept,
    Lapsed,
    LinkRenewed,
    NotSent,
    Opened,
    Overdue,
    PassedOn,
    Prepared,
    Progressed,
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
    Unshared,
    Uploaded,
    WrittenOff,
)
from bot.domain.failure import Failure, FailureKind
from bot.domain.job import AskKind, EvidenceKind, Job, Ownership, State, TimelineEntry, WaitReason, Wish
from bot.domain.lifecycle import IllegalTransition, drawn, transition
from bot.domain.trouble import Trouble
from bot.ports import Fenced, StorageBusy
from bot.services.moving import Moves
from storage import MemoryStorage
from tests.support.clock import SettableClock
from tests.support.values import PRICE, a_hold, a_job, a_recipe, a_thread, an_ask, at

POLICY, BROKE = Failure(kind=FailureKind.POLICY), Failure(kind=FailureKind.OUT_OF_CREDIT)
OURS = Ownership(owner="process-1", epoch=1)
HELD, SETTLED, RELEASED = (PRICE, 0, 0), (0, PRICE, 0), (0, 0, PRICE)
CHARGED = frozenset({State.DOWNLOADING, State.DELIVERING, State.DELIVERED, State.CANCELLED})
"""States of a clip that was rendered and paid; of the cancelled ones, those that are kept."""

MONEY: list[tuple[Event, tuple[int, int, int]]] = [
    (Opened(person="U1"), HELD),
    (Declined(), RELEASED),
    (Starved(failure=BROKE, due_at=at(20)), RELEASED),
    (SubmitIntended(), HELD),
    (NotSent(due_at=at(1)), HELD),
    (Throttled(due_at=at(1)), HELD),
    (Unknown(due_at=at(1)), HELD),
    (Lapsed(due_at=at(1)), HELD),
    (Accepted(task_id="tk-1"), HELD),
    (Accepted(task_id="tk-1", cost_micro_usd=2 * PRICE), (0, 2 * PRICE, 0)),
    (Accepted(task_id="tk-1", cost_micro_usd=300_000), (0, 300_000, 20_000)),
    (Accepted(task_id="tk-1", cost_micro_usd=0), HELD),
    (Refused(failure=POLICY), RELEASED),
    (Reordered(person="U9"), (PRICE, PRICE, 0)),
    (PassedOn(person="U9"), (PRICE, 0, PRICE)),
    (Overdue(due_at=at(1)), HELD),
    (Rendered(url="https://cdn.example/1.mp4", expires_at=at(9), cost_micro_usd=PRICE), SETTLED),
    (Rendered(url="https://cdn.example/1.mp4", expires_at=at(9), cost_micro_usd=300_000), (0, 300_000, 20_000)),
    (Rendered(url="https://cdn.example/1.mp4", expires_at=at(9), cost_micro_usd=400_000), (0, 400_000, 0)),
    (Rendered(url="https://cdn.example/1.mp4", expires_at=at(9), cost_micro_usd=None), SETTLED),
    (Rendered(url="https://cdn.example/1.mp4", expires_at=at(9), cost_micro_usd=0), RELEASED),
    (RenderFailed(failure=POLICY, cost_micro_usd=0), RELEASED),
    (RenderFailed(failure=POLICY, cost_micro_usd=PRICE), SETTLED),
    (RenderFailed(failure=POLICY, cost_micro_usd=None), SETTLED),
    (WrittenOff(failure=POLICY, cost_micro_usd=PRICE), SETTLED),
    (Hindered(due_at=at(1), trouble=Trouble.NO_NEWS), HELD),
    (Progressed(progress="panda.heic"), HELD),
    (Prepared(recipe=a_recipe(seconds=9)), HELD),
    (LinkRenewed(url="https://cdn.example/2.mp4", expires_at=at(9), due_at=at(1)), SETTLED),
    (Stored(key="clips/abc.mp4", sha256="abc", size=9), SETTLED),
    (Kept(key="clips/abc.mp4", sha256="abc", size=9), SETTLED),
    (DeliveryWished(), SETTLED),
    (Uploaded(file_id="F1"), SETTLED),
    (Unshared(due_at=at(1)), SETTLED),
    (Shared(message_ts="1700000002.000300"), SETTLED),
]
CASES = [
    (state, event, SETTLED if state in CHARGED else money)
    for event, money in MONEY
    for state in State
    if drawn(state, type(event))
]


@dataclass
class Desk:
    """Moves over a database in memory with one ask, whose jobs are ours."""

    storage: MemoryStorage = field(default_factory=MemoryStorage)
    clock: SettableClock = field(default_factory=SettableClock)
    moved: list[tuple[State, State]] = field(default_factory=list)

    @property
    def moves(self) -> Moves:
        return Moves(storage=self.storage, clock=self.clock, moved=self.announce)

    def announce(self, before: Job, after: Job) -> None:
        self.moved.append((before.state, after.state))

    async def begin(self, *states: State, parent: bool = False, reason: WaitReason | None = None) -> tuple[Job, ...]:
        """Records jobs j1, j2 … in these states, waiting for that, each with a hold that is settled where its clip is
        there; with ``parent`` also the ask of another clip."""
        kind = AskKind.PROMOTION if parent else AskKind.DRAFT
        async with self.storage.begin() as tx:
            assert await tx.leases.register("process-1", at(), at(10**6), alone=True) == OURS
            await tx.jobs.add_thread(a_thread())
            if parent:
                await tx.jobs.add_ask(an_ask(id="a0"))
                await tx.jobs.add(a_job(State.DELIVERED, id="j0", ask_id="a0"), first_line("j0"))
            await tx.jobs.add_ask(an_ask(kind=kind, parent_job="j0" if parent else None, unique_key="final:j0"))
            for number, state in enumerate(states, start=1):
                job = a_job(
                    state, id=f"j{number}", number=number, owner=OURS.owner, epoch=OURS.epoch, wait_reason=reason
                )
                if state in CHARGED:
                    job = replace(job, cost_micro_usd=PRICE, clip_key="clips/abc.mp4")
                await tx.jobs.add(job, first_line(job.id))
                await tx.ledger.hold([a_hold(job_id=job.id)], ())
                if state in CHARGED:
                    await tx.ledger.settle("T1", job.id, 1, PRICE, at())
        return tuple([await self.job(f"j{number}") for number in range(1, len(states) + 1)])

    async def job(self, job_id: str = "j1") -> Job:
        async with self.storage.read() as tx:
            return await tx.jobs.job("T1", job_id)

    async def version(self, ask_id: str = "a1") -> int:
        """Of the ask's card."""
        async with self.storage.read() as tx:
            return (await tx.jobs.ask("T1", ask_id)).version

    async def live(self) -> bool:
        async with self.storage.read() as tx:
            return (await tx.jobs.ask("T1", "a1")).live

    async def money(self) -> tuple[int, int, int]:
        """What is held, settled and released altogether."""
        async with self.storage.read() as tx:
            rows = await tx.ledger.entries()
        held = sum(row.held_micro_usd for row in rows)
        return held, sum(row.settled_micro_usd for row in rows), sum(row.released_micro_usd for row in rows)

    async def hold(self, attempt: int, person: str = "U1") -> None:
        async with self.storage.begin() as tx:
            await tx.ledger.hold([a_hold(attempt=attempt, person=person)], ())

    async def audit(self) -> list[tuple[Act, int | None, str | None]]:
        """What was done, at what price, under which task."""
        async with self.storage.read() as tx:
            return [(line.act, line.micro_usd, line.task_id) for line in await tx.audit.entries()]

    async def timeline(self, job_id: str = "j1") -> list[tuple[str, State, str]]:
        async with self.storage.read() as tx:
            return [(line.event, line.state, line.detail) for line in await tx.jobs.timeline("T1", job_id)][1:]


def _reason(state: State, event: Event) -> WaitReason | None:
    """What a job waits for that takes the event."""
    preparing = isinstance(event, Hindered | Progressed | Prepared | Starved)
    return WaitReason.PREPARING if state is State.WAITING and preparing else None


def first_line(job_id: str) -> TimelineEntry:
    return TimelineEntry(workspace="T1", job_id=job_id, at=at(), event="accepted", state=State.QUEUED)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.mark.parametrize(
    ("state", "event", "money"), CASES, ids=[f"{state.value}-{type(event).__name__}" for state, event, _ in CASES]
)
async def test_every_event_means_this_for_the_money(
    desk: Desk, state: State, event: Event, money: tuple[int, int, int]
) -> None:
    (job,) = await desk.begin(state, reason=_reason(state, event))
    if isinstance(event, Reordered | PassedOn):
        await desk.hold(2, event.person)
    desk.clock.advance(5)
    after = await desk.moves.move(job, OURS, event, detail="why")
    expected = transition(job, event, at(5))
    # What a clip cost is the ledger's word, once its order has ended.
    spent = 0 if isinstance(event, Accepted) else money[1]
    assert after == replace(expected, version=job.version + 1, cost_micro_usd=spent or expected.cost_micro_usd)
    assert await desk.job() == after
    assert await desk.money() == money
    assert await desk.timeline() == [(type(event).__name__, after.state, "why")]
    assert desk.moved == [(state, after.state)]


async def test_money_that_was_settled_is_not_moved_again(desk: Desk) -> None:
    (job,) = await desk.begin(State.RENDERING)
    job = await desk.moves.move(
        job, OURS, Rendered(url="https://cdn.example/1.mp4", expires_at=at(9), cost_micro_usd=PRICE)
    )
    await desk.moves.move(job, OURS, WrittenOff(failure=POLICY, cost_micro_usd=PRICE))
    assert await desk.money() == SETTLED


async def test_an_order_after_starving_is_paid_from_its_own_hold(desk: Desk) -> None:
    (job,) = await desk.begin(State.SUBMITTING)
    job = await desk.moves.move(job, OURS, Starved(failure=BROKE, due_at=at(20)))
    await desk.hold(job.attempt)
    done = Rendered(url="https://cdn.example/1.mp4", expires_at=at(9), cost_micro_usd=PRICE)
    await desk.moves.move(job, OURS, Opened(person="U1"), SubmitIntended(), Accepted(task_id="tk-1"), done)
    assert await desk.money() == (0, PRICE, PRICE)


async def test_a_second_order_settles_the_first_and_is_paid_from_its_own_hold(desk: Desk) -> None:
    (job,) = await desk.begin(State.UNCERTAIN)
    await desk.hold(2, "U9")
    job = await desk.moves.move(job, OURS, Reordered(person="U9"))
    assert await desk.money() == (PRICE, PRICE, 0)
    await desk.moves.move(job, OURS, Declined())
    assert await desk.money() == (0, PRICE, PRICE)


async def test_an_order_found_after_all_gives_the_second_ones_money_back(desk: Desk) -> None:
    (job,) = await desk.begin(State.UNCERTAIN)
    await desk.hold(2)
    await desk.moves.move(job, OURS, Accepted(task_id="tk-1"))
    assert await desk.money() == (PRICE, 0, PRICE)


# --- what a provider says, and says otherwise later -------------------------------------------------------------------


def rendered(cost: int | None) -> Rendered:
    return Rendered(url="https://cdn.example/1.mp4", expires_at=at(9), cost_micro_usd=cost)


async def test_a_cost_that_the_answer_to_the_order_names_counts_at_once_and_stays(desk: Desk) -> None:
    (job,) = await desk.begin(State.SUBMITTING)
    job = await desk.moves.move(job, OURS, Accepted(task_id="tk-1", cost_micro_usd=2 * PRICE))
    assert await desk.money() == (0, 2 * PRICE, 0)
    assert job.cost_micro_usd is None, "the card speaks of this order's cost once it has ended"
    job = await desk.moves.move(job, OURS, rendered(None))
    assert await desk.money() == (0, 2 * PRICE, 0), "silence later is not the table's price"
    assert job.cost_micro_usd == 2 * PRICE
    assert await desk.audit() == [(Act.ORDERED, PRICE, "tk-1"), (Act.CHARGED, 2 * PRICE, "tk-1")]


@pytest.mark.parametrize(("cost", "released"), [(3 * PRICE, 0), (PRICE // 2, PRICE // 2)], ids=["more", "less"])
async def test_another_cost_later_adjusts_what_was_settled(desk: Desk, cost: int, released: int) -> None:
    (job,) = await desk.begin(State.SUBMITTING)
    job = await desk.moves.move(job, OURS, Accepted(task_id="tk-1", cost_micro_usd=PRICE))
    job = await desk.moves.move(job, OURS, rendered(cost))
    assert await desk.money() == (0, cost, released)
    assert job.cost_micro_usd == cost
    assert (await desk.audit())[1:] == [(Act.CHARGED, PRICE, "tk-1"), (Act.CHARGED, cost, "tk-1")]


async def test_the_same_cost_again_is_no_news(desk: Desk) -> None:
    (job,) = await desk.begin(State.SUBMITTING)
    job = await desk.moves.move(job, OURS, Accepted(task_id="tk-1", cost_micro_usd=PRICE), rendered(PRICE))
    async with desk.storage.read() as tx:
        assert len(await tx.ledger.entries("T1", job.id)) == 2
    assert [act for act, _, _ in await desk.audit()] == [Act.ORDERED, Act.CHARGED]


async def test_money_that_a_failed_render_gives_back_is_counted_back(desk: Desk) -> None:
    (job,) = await desk.begin(State.SUBMITTING)
    job = await desk.moves.move(job, OURS, Accepted(task_id="tk-1", cost_micro_usd=2 * PRICE))
    job = await desk.moves.move(job, OURS, RenderFailed(failure=POLICY, cost_micro_usd=0))
    assert await desk.money() == RELEASED
    assert job.cost_micro_usd == 0
    assert (await desk.audit())[-1] == (Act.RELEASED, 2 * PRICE, "tk-1"), "what came back, not what it was held at"


async def test_a_failed_render_that_is_charged_costs_what_was_said_before(desk: Desk) -> None:
    (job,) = await desk.begin(State.SUBMITTING)
    job = await desk.moves.move(job, OURS, Accepted(task_id="tk-1", cost_micro_usd=2 * PRICE))
    job = await desk.moves.move(job, OURS, RenderFailed(failure=POLICY, cost_micro_usd=None))
    assert (await desk.money(), job.cost_micro_usd) == ((0, 2 * PRICE, 0), 2 * PRICE)


async def test_a_clip_that_is_lost_after_its_cost_was_known_costs_just_that(desk: Desk) -> None:
    (job,) = await desk.begin(State.SUBMITTING)
    job = await desk.moves.move(job, OURS, Accepted(task_id="tk-1", cost_micro_usd=2 * PRICE))
    job = await desk.moves.move(job, OURS, WrittenOff(failure=POLICY, cost_micro_usd=PRICE))
    assert (await desk.money(), job.cost_micro_usd) == ((0, 2 * PRICE, 0), 2 * PRICE)


async def test_a_job_costs_what_all_its_orders_cost(desk: Desk) -> None:
    (job,) = await desk.begin(State.UNCERTAIN)
    await desk.hold(2, "U9")
    job = await desk.moves.move(job, OURS, Reordered(person="U9"))
    accepted = Accepted(task_id="tk-2", cost_micro_usd=2 * PRICE)
    job = await desk.moves.move(job, OURS, SubmitIntended(), accepted, rendered(2 * PRICE))
    assert (await desk.money(), job.cost_micro_usd) == ((0, 3 * PRICE, 0), 3 * PRICE)


# --- audit -----------------------------------------------------------------------------------------------------------

LINES: list[tuple[State, Event, list[Act]]] = [
    (State.SUBMITTING, Accepted(task_id="tk-1"), [Act.ORDERED]),
    (State.SUBMITTING, Lapsed(due_at=at(1)), [Act.UNCERTAIN]),
    (State.SUBMITTING, Refused(failure=POLICY), [Act.RELEASED]),
    (State.SUBMITTING, Starved(failure=BROKE, due_at=at(20)), [Act.RELEASED]),
    (State.SUBMITTING, Throttled(due_at=at(1)), []),
    (State.QUEUED, Declined(), [Act.RELEASED]),
    (State.QUEUED, SubmitIntended(), []),
    (State.QUEUED, PassedOn(person="U9"), [Act.RELEASED]),
    (State.UNCERTAIN, Reordered(person="U9"), [Act.CHARGED]),
    (State.UNCERTAIN, WrittenOff(failure=POLICY, cost_micro_usd=PRICE), [Act.CHARGED]),
    (State.RENDERING, rendered(None), [Act.CHARGED]),
    (State.RENDERING, RenderFailed(failure=POLICY, cost_micro_usd=0), [Act.RELEASED]),
    (State.RENDERING, RenderFailed(failure=POLICY, cost_micro_usd=PRICE), [Act.CHARGED]),
    (State.DELIVERING, Shared(message_ts="1700000002.000300"), []),
]


@pytest.mark.parametrize(
    ("state", "event", "acts"), LINES, ids=[f"{state.value}-{type(event).__name__}" for state, event, _ in LINES]
)
async def test_every_move_of_money_leaves_a_line(desk: Desk, state: State, event: Event, acts: list[Act]) -> None:
    (job,) = await desk.begin(state, reason=_reason(state, event))
    if isinstance(event, Reordered | PassedOn):
        await desk.hold(2, event.person)
    desk.clock.advance(5)
    after = await desk.moves.move(job, OURS, event)
    async with desk.storage.read() as tx:
        lines = await tx.audit.entries()
    assert [line.act for line in lines] == acts
    for line in lines:
        assert (line.workspace, line.channel, line.ask_id, line.job_id) == ("T1", "C1", "a1", "j1")
        assert (line.provider, line.task_id, line.micro_usd) == ("hiapi", after.task_id, PRICE)
        assert (line.person, line.at) == (None, at(5)), "nobody did it: Dailies acts by itself"


async def test_a_gate_that_is_closed_before_any_hold_leaves_no_line_of_money(desk: Desk) -> None:
    (job,) = await desk.begin(State.QUEUED)
    job = await desk.moves.move(job, OURS, Starved(failure=BROKE, due_at=at(20)))
    await desk.moves.move(job, OURS, Declined())
    assert [act for act, _, _ in await desk.audit()] == [Act.RELEASED], "the second attempt had no hold"


async def test_an_order_found_after_all_says_what_became_of_the_second_ones_money(desk: Desk) -> None:
    (job,) = await desk.begin(State.UNCERTAIN)
    await desk.hold(2)
    await desk.moves.move(job, OURS, Accepted(task_id="tk-1"))
    assert [act for act, _, _ in await desk.audit()] == [Act.RELEASED, Act.ORDERED]


async def test_events_of_one_move_are_written_together(desk: Desk) -> None:
    (job,) = await desk.begin(State.QUEUED)
    after = await desk.moves.move(job, OURS, SubmitIntended(), Accepted(task_id="tk-1"))
    assert (after.state, desk.moved) == (State.RENDERING, [(State.QUEUED, State.RENDERING)])
    assert [event for event, _, _ in await desk.timeline()] == ["SubmitIntended", "Accepted"]


async def test_a_move_that_is_not_drawn_writes_nothing(desk: Desk) -> None:
    (job,) = await desk.begin(State.QUEUED)
    with pytest.raises(IllegalTransition):
        await desk.moves.move(job, OURS, SubmitIntended(), Declined())
    assert (await desk.job(), await desk.money(), await desk.timeline(), desk.moved) == (job, HELD, [], [])
    assert await desk.audit() == []


@pytest.mark.parametrize(
    "ownership", [Ownership(owner="process-1", epoch=2), Ownership(owner="process-2", epoch=1)], ids=["epoch", "owner"]
)
async def test_a_job_that_is_no_longer_ours_is_not_moved(desk: Desk, ownership: Ownership) -> None:
    (job,) = await desk.begin(State.QUEUED)
    with pytest.raises(Fenced):
        await desk.moves.move(job, ownership, Declined())
    assert (await desk.job(), await desk.money(), desk.moved, await desk.audit()) == (job, HELD, [], [])


async def test_a_job_that_was_moved_meanwhile_is_not_moved(desk: Desk) -> None:
    (job,) = await desk.begin(State.QUEUED)
    await desk.moves.move(job, OURS, SubmitIntended())
    with pytest.raises(Fenced):
        await desk.moves.move(job, OURS, Declined())
    assert ((await desk.job()).state, await desk.money()) == (State.SUBMITTING, HELD)


async def test_a_move_within_a_callers_transaction_is_announced_by_the_caller(desk: Desk) -> None:
    (job,) = await desk.begin(State.QUEUED)
    async with desk.storage.begin() as tx:
        after = await desk.moves.write(tx, job, OURS, SubmitIntended())
    assert desk.moved == []
    desk.moves.announce(job, after)
    assert desk.moved == [(State.QUEUED, State.SUBMITTING)]


# --- wishes, cards, asks ---------------------------------------------------------------------------------------------


async def wish(desk: Desk, wanted: Wish) -> None:
    async with desk.storage.begin() as tx:
        await tx.jobs.wish("T1", "j1", wanted, "U2")


async def test_a_wish_is_used_up_by_the_move_it_led_to(desk: Desk) -> None:
    await desk.begin(State.UNCERTAIN)
    await wish(desk, Wish.CHECK_AGAIN)
    await desk.moves.move(await desk.job(), OURS, Hindered(due_at=at(1), trouble=Trouble.NO_NEWS))
    assert ((await desk.job()).wish, (await desk.job()).wish_by) == (None, None)


async def test_a_wish_pressed_since_the_job_was_read_stays(desk: Desk) -> None:
    await desk.begin(State.UNCERTAIN)
    await wish(desk, Wish.CHECK_AGAIN)
    read = await desk.job()
    await wish(desk, Wish.GIVE_UP)
    await desk.moves.move(read, OURS, Hindered(due_at=at(1), trouble=Trouble.NO_NEWS))
    assert (await desk.job()).wish is Wish.GIVE_UP


async def test_a_wish_to_see_reactions_waits_for_the_message(desk: Desk) -> None:
    await desk.begin(State.DELIVERING)
    await wish(desk, Wish.SEE_REACTIONS)
    await desk.moves.move(await desk.job(), OURS, Shared(message_ts="1700000002.000300"))
    assert (await desk.job()).wish is Wish.SEE_REACTIONS


@pytest.mark.parametrize(
    "event", [Hindered(due_at=at(1), trouble=Trouble.SLACK_AWAY), Shared(message_ts="1700000002.000300")]
)
async def test_a_clip_that_somebody_had_delivered_again_has_its_reactions_looked_at(desk: Desk, event: Event) -> None:
    """Who reacted before its message was known may have found no room beside that wish, or lost it for that."""
    await desk.begin(State.DELIVERING)
    await wish(desk, Wish.DELIVER_AGAIN)
    await desk.moves.move(await desk.job(), OURS, event)
    assert ((await desk.job()).wish, (await desk.job()).wish_by) == (Wish.SEE_REACTIONS, "U2")


async def test_a_card_is_drawn_again_for_what_it_shows_and_for_nothing_else(desk: Desk) -> None:
    (job,) = await desk.begin(State.DELIVERING)
    job = await desk.moves.move(job, OURS, Uploaded(file_id="F1"))
    assert await desk.version() == 1, "the step within a state is not shown"
    job = await desk.moves.move(job, OURS, Hindered(due_at=at(1), trouble=Trouble.SLACK_AWAY))
    assert await desk.version() == 2
    job = await desk.moves.move(job, OURS, Hindered(due_at=at(2), trouble=Trouble.SLACK_AWAY))
    assert await desk.version() == 2, "the same trouble again is not news"
    await desk.moves.move(job, OURS, Shared(message_ts="1700000002.000300"))
    assert await desk.version() == 3


async def test_an_ask_is_over_when_none_of_its_jobs_can_come_any_more(desk: Desk) -> None:
    first, second, third = await desk.begin(State.QUEUED, State.WAITING, State.RENDERING)
    await desk.moves.move(first, OURS, Refused(failure=POLICY))
    await desk.moves.move(second, OURS, Declined())
    assert await desk.live()
    await desk.moves.move(third, OURS, RenderFailed(failure=POLICY, cost_micro_usd=0))
    assert not await desk.live()


async def test_an_ask_with_a_delivered_clip_stays_live(desk: Desk) -> None:
    first, second = await desk.begin(State.DELIVERING, State.QUEUED)
    await desk.moves.move(first, OURS, Shared(message_ts="1700000002.000300"))
    await desk.moves.move(second, OURS, Declined())
    assert await desk.live()


async def test_when_a_promotion_is_over_its_drafts_buttons_are_drawn_anew(desk: Desk) -> None:
    (job,) = await desk.begin(State.WAITING, parent=True)
    await desk.moves.move(job, OURS, Declined())
    assert not await desk.live()
    assert await desk.version("a0") == 2


# --- knowledge that was paid for -------------------------------------------------------------------------------------


async def test_insisting_goes_on_while_storage_is_busy_and_waits_longer_each_time(desk: Desk) -> None:
    failures = iter([StorageBusy(), StorageBusy(), StorageBusy()])

    async def work() -> Job:
        for failure in failures:
            raise failure
        return a_job()

    assert await desk.moves.insist(work) == a_job()
    assert desk.clock.slept == [0.5, 1.0, 2.0]


async def test_insisting_ends_when_the_job_is_anothers(desk: Desk) -> None:
    async def work() -> Job:
        raise Fenced("taken over")

    with pytest.raises(Fenced):
        await desk.moves.insist(work)
    assert desk.clock.slept == []


async def test_what_is_learned_is_kept_whoever_owns_the_job(desk: Desk) -> None:
    (job,) = await desk.begin(State.SUBMITTING)
    await desk.moves.learn(replace(job, owner="process-2", epoch=9, attempt=3), EvidenceKind.UNKNOWN, "x" * 900)
    async with desk.storage.read() as tx:
        (piece,) = await tx.jobs.evidence("T1", "j1")
    assert (piece.kind, piece.attempt, piece.value, piece.at) == (EvidenceKind.UNKNOWN, 3, "x" * 500, at())
