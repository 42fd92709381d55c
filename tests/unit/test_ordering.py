"""What becomes of an order, for everything that a provider can answer: the first POST of an attempt, and a repeat."""

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.announcement import ADMINS, Topic
from bot.domain.audit import Act
from bot.domain.budget import Caps, EntryKind
from bot.domain.failure import Failure, FailureKind
from bot.domain.job import Attempt, Decision, Gate, Job, Ownership, State, WaitReason
from bot.domain.lineage import Changes
from bot.domain.notice import Notice
from bot.domain.recipe import Recipe
from bot.domain.trouble import Trouble
from bot.ports import (
    ChatError,
    ChatRefused,
    ChatUnknown,
    CommitUnknown,
    Fenced,
    Order,
    OrderAccepted,
    OrderInFlight,
    OrderNotSent,
    OrderOutcome,
    OrderThrottled,
    OrderUnknown,
    StorageBusy,
    StorageError,
)
from bot.services.answers import NothingToDo, Taken
from bot.services.bench import Later
from bot.services.cards import Cards
from bot.services.policy import Policy
from bot.services.taking import Sender
from handlers.blocks.announcements import announcement
from storage import NotWritable
from tests.support.ordering import (
    CHANNEL,
    LOST,
    PRICE,
    REFUSED,
    SENDER,
    STARVED,
    TAKEN,
    Desk,
    desk,
)


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


async def test_nothing_is_ordered_before_the_card_stands() -> None:
    """What is paid for must have a place where it is told of."""
    async with desk(TAKEN) as one:
        taken = await one.intake.draft(replace(SENDER, key="command:2"), "a whale", Changes())
        assert isinstance(taken, Taken)
        await one.claim()

        assert (await one.order(taken.jobs[0])).state is State.QUEUED
        assert one.provider.orders == []


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


@pytest.mark.row("F37")
async def test_a_key_is_not_relied_upon_longer_than_the_provider_remembers_it() -> None:
    async with desk(LOST, TAKEN) as one:
        await one.submit()
        one.clock.advance(23 * 3600 + 60)

        job = await one.resolve()

        assert job.state is State.UNCERTAIN
        assert len(one.provider.orders) == 1


@pytest.mark.row("F36")
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


@pytest.mark.row("F88")
async def test_a_clock_that_is_set_back_within_a_window_puts_nobody_to_sleep_for_longer_than_a_minute() -> None:
    """The step sleeps by the monotonic clock, and the wall clock may be put right at any moment."""
    async with desk(policy=Policy(confirm_above_micro_usd=2_000_000)) as one:
        sender = Sender(workspace="T1", channel=CHANNEL, person="U1", key="reply:1")
        pair = await one.intake.variant(sender, "1.0", 1, Changes(takes=2), "x2")
        assert isinstance(pair, Taken)
        assert await one.deciding.decide(pair.jobs[0], pair.ask) == Later(seconds=20.0)
        one.clock.step(one.clock.now() - timedelta(hours=1))
        assert await one.deciding.decide(pair.jobs[0], pair.ask) == Later(seconds=60.0)


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


@pytest.mark.row("F22")
async def test_an_uncertain_order_of_which_nobody_speaks_is_counted_as_spent_in_the_end() -> None:
    """As long as the provider would have its clip, it may still be heard of; its money is not free before or after."""
    async with desk(LOST, idempotent=False) as one:
        await one.submit()
        (can,) = one.provider.capabilities
        one.clock.advance(can.output_lifetime.total_seconds() - 1)
        await one.submitting.watch(await one.job(), await one.ask())
        assert (await one.job()).state is State.UNCERTAIN
        one.clock.advance(1)

        await one.submitting.watch(await one.job(), await one.ask())

        job = await one.job()
        assert job.failure is not None
        assert (job.state, job.failure.kind) == (State.FAILED, FailureKind.COUNTED_AS_SPENT)
        async with one.storage.read() as tx:
            entries = await tx.ledger.entries()
        assert sum(entry.settled_micro_usd for entry in entries) == job.price_micro_usd
        assert len(one.provider.orders) == 1


def begin_anew(one: Desk) -> None:
    """What a process saw is forgotten with it."""
    one.submitting._ages.clear()


TEN_YEARS = timedelta(days=3650)


@pytest.mark.row("F88", "F26")
@pytest.mark.parametrize("restarted", [False, True])
async def test_a_clock_that_is_set_ahead_gives_no_order_in_doubt_up(restarted: bool) -> None:
    """People may decide, and a callback may tell of it; who starts under that clock leaves them as long as it takes a
    render to be late."""
    async with desk(LOST) as one:
        await one.submit()
        one.clock.step(one.clock.now() + TEN_YEARS)
        assert (await one.resolve()).state is State.UNCERTAIN
        if restarted:
            begin_anew(one)
        limit = one.ordering.bench.policy.job_timeout.total_seconds()
        for wait in (0.0, limit - 1):
            one.clock.advance(wait)
            await one.submitting.watch(await one.job(), await one.ask())
            assert (await one.job()).state is State.UNCERTAIN
        one.clock.advance(1)
        await one.submitting.watch(await one.job(), await one.ask())
        assert (await one.job()).state is (State.FAILED if restarted else State.UNCERTAIN)
        assert len(one.submitting._ages) == (0 if restarted else 1)


@pytest.mark.row("F88")
async def test_who_started_under_a_clock_that_was_ahead_gives_nothing_up_once_it_is_right() -> None:
    async with desk(LOST, idempotent=False) as one:
        await one.submit()
        right = one.clock.now()
        one.clock.step(right + TEN_YEARS)
        begin_anew(one)
        await one.submitting.watch(await one.job(), await one.ask())
        one.clock.step(right)
        one.clock.advance(one.ordering.bench.policy.job_timeout.total_seconds())
        await one.submitting.watch(await one.job(), await one.ask())
        assert (await one.job()).state is State.UNCERTAIN


@pytest.mark.row("F88")
async def test_an_order_that_was_sent_by_a_clock_years_behind_is_not_years_old_when_that_is_right() -> None:
    """It is put right while the order is on its way, and the answer is lost."""
    async with desk(LOST, idempotent=False) as one:
        right, submit = one.clock.now(), one.provider.submit
        one.clock.step(right - TEN_YEARS)

        async def slowly(order: Order) -> OrderOutcome:
            one.clock.step(right)
            return await submit(order)

        one.provider.submit = slowly  # type: ignore[method-assign] # the same call, by another clock
        await one.submit()
        one.clock.advance(one.ordering.bench.policy.job_timeout.total_seconds())
        await one.submitting.watch(await one.job(), await one.ask())
        assert (await one.job()).state is State.UNCERTAIN


async def test_of_an_order_that_was_taken_no_age_is_kept() -> None:
    async with desk(TAKEN) as one:
        await one.submit()
        assert one.submitting._ages == {}


@pytest.mark.row("F88", "F37")
async def test_a_clock_that_is_set_back_makes_no_key_younger() -> None:
    async with desk(LOST, TAKEN) as one:
        await one.submit()
        one.clock.step(one.clock.now() - timedelta(hours=5))
        one.clock.advance(23 * 3600 + 60)
        assert (await one.resolve()).state is State.UNCERTAIN
    async with desk(LOST, TAKEN) as one:
        right = one.clock.now()
        one.clock.step(right + TEN_YEARS)
        await one.submit()
        begin_anew(one)
        one.clock.step(right)
        one.clock.advance(23 * 3600 + 60)
        assert (await one.resolve()).state is State.UNCERTAIN, "it was intended ten years from now"


async def test_an_order_that_was_intended_under_an_older_lease_is_not_sent() -> None:
    """Between the intention and the order this process began a new epoch: whoever claims the job decides now."""
    async with desk(TAKEN) as one:
        await one.submit()
        async with one.storage.read() as tx:
            attempt = await tx.jobs.attempt("T1", one.job_id, 1)
        assert attempt is not None
        job = await one.job()
        await one.lease.register()

        with pytest.raises(Fenced):
            await one.submitting._post(job, attempt)
        assert len(one.provider.orders) == 1


@pytest.mark.parametrize(
    "trouble", [StorageBusy("locked"), NotWritable("the disk is full"), CommitUnknown(), StorageError("?")], ids=repr
)
@pytest.mark.parametrize("idempotent", [True, False])
async def test_an_order_that_never_left_since_the_database_was_away_is_taken_back(
    trouble: StorageError, idempotent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is wrong with it: also where the key proves nothing, nobody is asked about what never left."""
    async with desk(TAKEN, idempotent=idempotent) as one:
        proofs = itertools.count(1)

        async def away_since_the_intention(_: Ownership) -> None:
            if next(proofs) > 1:
                raise trouble

        with monkeypatch.context() as broken:
            broken.setattr(one.lease, "fresh", away_since_the_intention)
            job = await one.submit()
        assert (job.state, one.provider.orders) == (State.QUEUED, [])
        assert await one.money() == [EntryKind.HOLD]
        assert job.trouble is None, "nobody tried to reach the provider"

        one.clock.advance(60)
        assert (await one.submit()).state is State.RENDERING


async def test_of_an_order_that_a_polite_stop_took_back_nobody_says_that_its_provider_was_away() -> None:
    async with desk(TAKEN) as one:
        begin = one.ordering._intend

        async def stopped_right_after(job: Job, recipe: Recipe) -> tuple[Job, Attempt | None]:
            intended = await begin(job, recipe)
            one.submitting.close()
            return intended

        object.__setattr__(one.ordering, "_intend", stopped_right_after)
        job = await one.submit()
        assert (job.state, job.trouble, one.provider.orders) == (State.QUEUED, None, [])
    async with desk(OrderNotSent(why="ConnectError")) as one:
        assert (await one.submit()).trouble is Trouble.PROVIDER_UNREACHABLE
