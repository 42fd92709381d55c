"""What is looked at before an order is sent: whether the people behind it still stand, whether there is a place, and
money."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.domain.announcement import ADMINS, Topic
from bot.domain.budget import Caps, EntryKind, Stage
from bot.domain.failure import Failure, FailureKind
from bot.domain.job import Ask, Decision, Job, State
from bot.domain.lineage import Changes
from bot.domain.notice import Notice
from bot.domain.trouble import Trouble
from bot.ports import (
    ChatError,
    ChatForbidden,
    ChatRefused,
    OrderAccepted,
    TaskFinished,
)
from bot.services.answers import Taken, TakenBackBeforeOrder, TooLateToTakeBack
from bot.services.bench import Later
from bot.services.circuit import Lane
from bot.services.gatekeeper import SERVES_FOR_SECONDS
from bot.services.policy import Policy
from tests.support.ordering import LOST, PRICE, SENDER, TAKEN, Desk, desk

# --- who stands behind a promotion -----------------------------------------------------------------------------------


CHEAP = Policy(confirm_above_micro_usd=2_000_000)
"""Under which a final needs no button."""


async def promotion(one: Desk, *people: str, at: datetime | None = None) -> tuple[Job, Ask]:
    """The final of the first clip, asked for by these people's reactions, at the end of its window. ``at``: when they
    reacted, by Slack."""
    async with one.storage.begin() as tx:
        draft = await tx.jobs.job("T1", one.job_id)
        cost = draft.price_micro_usd
        stands = replace(draft, state=State.DELIVERED, message_ts="1.5", cost_micro_usd=cost)
        await tx.ledger.settle("T1", one.job_id, 1, cost, one.clock.now())
        (timeline,) = await tx.jobs.timeline("T1", one.job_id)
        await tx.jobs.save(stands, one.lease.ownership, timeline)
    for person in people:
        await one.intake.promote_message(replace(SENDER, person=person, key=f"event:{person}", at=at), "1.5")
        one.clock.advance(1)
    await one.claim()
    async with one.storage.read() as tx:
        (final,) = [job for job in await tx.jobs.in_thread("T1", stands.thread_id) if job.stage is Stage.FINAL]
        ask = await tx.jobs.ask("T1", final.ask_id)
    one.clock.advance(25)
    one.chat.reacting = people
    return final, ask


async def decide(one: Desk, final: Job) -> None:
    """Take the final's steps at the end of its window: the money is held, then it goes on."""
    for _ in range(2):
        async with one.storage.read() as tx:
            now, ask = await tx.jobs.job("T1", final.id), await tx.jobs.ask("T1", final.ask_id)
        if now.state is State.WAITING:
            await one.deciding.decide(now, ask)


async def queued(one: Desk, final: Job) -> None:
    """It is decided, its card stands, and it waits for its place."""
    await decide(one, final)
    async with one.storage.begin() as tx:
        await tx.jobs.card_posted("T1", final.ask_id, "2.1", 1)


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


LATE = timedelta(minutes=5)


@pytest.mark.row("F80")
@pytest.mark.parametrize("stands", [True, False])
async def test_a_rocket_that_is_heard_of_five_minutes_late_counts_as_it_stands_then(stands: bool) -> None:
    """Its window begins when it is heard of. Delivered once more after that, it changes nothing."""
    async with desk(TAKEN, policy=CHEAP) as one:
        when = one.clock.now()
        one.clock.advance(LATE.total_seconds())
        final, ask = await promotion(one, "U2", at=when)
        assert ask.decide_by == when + LATE + timedelta(seconds=20)
        one.chat.reacting = ("U2",) if stands else ()

        await decide(one, final)
        await one.intake.promote_message(replace(SENDER, person="U2", key="event:U2", at=when), "1.5")

        async with one.storage.read() as tx:
            decided, paid = await tx.jobs.ask("T1", ask.id), await tx.ledger.entries(job_id=final.id)
            finals = [job for job in await tx.jobs.in_thread("T1", final.thread_id) if job.stage is Stage.FINAL]
        assert decided.decision is (Decision.GO if stands else Decision.STOP)
        assert [(entry.kind, entry.person) for entry in paid] == ([(EntryKind.HOLD, "U2")] if stands else [])
        assert [job.state for job in finals] == [State.QUEUED if stands else State.CANCELLED]


@pytest.mark.row("F80")
async def test_a_rocket_taken_back_after_the_order_gives_nothing_back_and_who_pays_is_told() -> None:
    """Also of what happened within the window and is heard of five minutes late: nothing is said of that, since who
    stood at the end of the window was asked of Slack."""
    async with desk(TAKEN, policy=CHEAP) as one:
        final, ask = await promotion(one, "U2", "U3")
        assert ask.decide_by is not None
        after = ask.decide_by + timedelta(seconds=1)
        presses, sender = one.presses, replace(SENDER, person="U2", key="back", at=after)
        await presses.reaction_removed(sender, "1.5")  # Nothing is decided yet.
        await queued(one, final)
        ordered = await one.order(await one.now(final))
        assert ordered.state is State.RENDERING
        async with one.storage.read() as tx:
            money = await tx.ledger.entries(job_id=final.id)
        one.chat.reacting = ()
        one.clock.advance(LATE.total_seconds())

        with pytest.raises(TooLateToTakeBack):
            await presses.reaction_removed(sender, "1.5")
        await presses.reaction_removed(replace(sender, at=ask.decide_by - timedelta(seconds=1)), "1.5")
        await presses.reaction_removed(replace(sender, person="U3"), "1.5")
        await presses.reaction_removed(sender, "1.6")

        async with one.storage.read() as tx:
            assert await tx.ledger.entries(job_id=final.id) == money
        assert await one.now(final) == ordered
        with pytest.raises(TooLateToTakeBack):
            await presses.reaction_removed(replace(sender, at=None), "1.5")
        await one.end(ordered)
        await presses.reaction_removed(sender, "1.5")


@pytest.mark.row("F80")
async def test_a_rocket_taken_back_while_its_final_waits_for_a_place_is_not_ordered() -> None:
    """Reactions are read once more right before the order."""
    async with desk(TAKEN, policy=CHEAP) as one:
        final, ask = await promotion(one, "U2")
        assert ask.decide_by is not None
        await queued(one, final)
        one.chat.reacting = ()
        after = replace(SENDER, person="U2", key="back", at=ask.decide_by + timedelta(seconds=1))
        with pytest.raises(TakenBackBeforeOrder):
            await one.presses.reaction_removed(after, "1.5")

        ended = await one.order(await one.now(final))

        async with one.storage.read() as tx:
            paid, known = await tx.ledger.entries(job_id=final.id), await tx.jobs.ask("T1", ask.id)
            live = await tx.jobs.live_ask("T1", ask.unique_key or "")
        assert ended.state is State.CANCELLED
        assert [entry.kind for entry in paid] == [EntryKind.HOLD, EntryKind.RELEASE]
        assert len(one.provider.orders) == 0
        assert "no longer stood" in " ".join(known.notes)
        assert live is None, "it may be asked for anew"


@pytest.mark.row("F80")
async def test_who_reacts_while_the_final_waits_for_a_place_stands_behind_it_too() -> None:
    async with desk(TAKEN, policy=CHEAP) as one:
        final, _ = await promotion(one, "U2")
        await queued(one, final)
        await one.intake.promote_message(replace(SENDER, person="U3", key="event:U3"), "1.5")
        one.chat.reacting = ("U3",)

        passed = await one.order(final)

        assert (passed.state, passed.person) == (State.QUEUED, "U3")


async def test_slack_is_asked_who_reacts_only_when_there_is_a_place() -> None:
    async with desk(policy=replace(CHEAP, running_per_person=1)) as one:
        final, _ = await promotion(one, "U2")
        await queued(one, final)
        other = await one.intake.draft(replace(SENDER, person="U2", key="command:2"), "a whale", Changes())
        assert isinstance(other, Taken)
        await one.claim()
        async with one.storage.begin() as tx:
            running = replace(await tx.jobs.job("T1", other.jobs[0].id), state=State.RENDERING)
            (timeline,) = await tx.jobs.timeline("T1", running.id)
            await tx.jobs.save(running, one.lease.ownership, timeline)
        one.chat.names.clear()

        waits = await one.order(await one.now(final))

        assert (waits.state, one.chat.names) == (State.QUEUED, [])


@pytest.mark.row("F80")
async def test_when_the_payer_takes_the_rocket_back_before_the_order_the_next_who_may_and_can_pays() -> None:
    """U3 has no allowance left, U4 is a guest, U5 pays; the order goes out once, under a key of its own."""
    policy = replace(CHEAP, caps=Caps(person_day_micro_usd=3 * PRICE))
    async with desk(TAKEN, policy=policy) as one:
        final, ask = await promotion(one, "U2", "U3", "U4", "U5")
        await queued(one, final)
        assert final.price_micro_usd > PRICE
        await one.intake.draft(replace(SENDER, person="U3", key="dear"), "a whale", Changes(takes=2))
        one.chat.reacting, one.people.guests = ("U3", "U4", "U5"), {"U4"}
        one.clock.advance(600)

        passed = await one.order(final)
        ordered = await one.order(passed)

        async with one.storage.read() as tx:
            paid, known = await tx.ledger.entries(job_id=final.id), await tx.jobs.ask("T1", ask.id)
        assert (passed.state, ordered.state) == (State.QUEUED, State.RENDERING)
        assert (passed.person, known.person) == ("U5", "U5")
        assert [(entry.kind, entry.person) for entry in paid] == [
            (EntryKind.HOLD, "U2"),
            (EntryKind.RELEASE, "U2"),
            (EntryKind.HOLD, "U5"),
        ]
        assert [order.key for order in one.provider.orders] == [f"{final.id}-2"]


@pytest.mark.row("F80")
async def test_a_final_waits_until_slack_tells_who_reacts() -> None:
    async with desk(TAKEN, policy=CHEAP) as one:
        final, _ = await promotion(one, "U2", "U3")
        await queued(one, final)
        one.chat.reacting = ("U3",)
        one.chat.silent = ChatError("away")
        before = await one.now(final)

        assert await one.order(final) == before
        assert (before.state, before.person) == (State.QUEUED, "U2")
        one.chat.silent = None
        passed = await one.order(final)

        assert (passed.state, passed.person) == (State.QUEUED, "U3")
        assert (await one.order(passed)).state is State.RENDERING


@pytest.mark.row("F80")
@pytest.mark.parametrize(
    ("quorum", "still", "state"),
    [
        (2, ("U2",), State.CANCELLED),
        (1, ("U2", "U3"), State.RENDERING),
        (2, ("U2", "U3"), State.RENDERING),
    ],
)
async def test_of_whom_slack_does_not_say_who_they_are_stands_in_for_nobody_who_took_the_rocket_back(
    quorum: int, still: tuple[str, ...], state: State
) -> None:
    """U2 was to pay, and right before the order nobody can be named any more."""
    async with desk(TAKEN, policy=replace(CHEAP, quorum=quorum)) as one:
        final, _ = await promotion(one, "U2", "U3")
        await queued(one, final)
        one.clock.advance(SERVES_FOR_SECONDS)
        one.chat.reacting, one.people.unreachable = still, {"U2", "U3"}

        ended = await one.order(await one.now(final))

        assert (ended.state, len(one.provider.orders)) == (state, state is State.RENDERING)
        assert ended.person == "U2"


@pytest.mark.row("F80")
@pytest.mark.parametrize("named", [True, False])
async def test_while_slack_does_not_say_whether_who_still_stands_may_pay_a_final_waits_and_its_card_says_so(
    named: bool,
) -> None:
    """U2 was to pay and took theirs back; U3 still stands. For half a minute Slack is asked who that is."""
    async with desk(TAKEN, policy=CHEAP) as one:
        final, ask = await promotion(one, "U2", "U3")
        await queued(one, final)
        one.clock.advance(SERVES_FOR_SECONDS)
        one.chat.reacting, one.people.unreachable = ("U3",), {"U3"}
        began = one.clock.now()

        waits = await one.order(final)

        assert (waits.state, waits.trouble) == (State.QUEUED, Trouble.REACTIONS_UNREAD)
        if named:
            one.people.unreachable = set()
            passed = await one.order(waits)
            ordered = await one.order(passed)
            assert (ordered.state, ordered.person, ordered.trouble) == (State.RENDERING, "U3", None)
            return
        while waits.state is State.QUEUED:
            one.clock.step(waits.due_at)
            waits = await one.order(waits)
        async with one.storage.read() as tx:
            known = await tx.jobs.ask("T1", ask.id)
        assert (waits.state, one.provider.orders) == (State.CANCELLED, [])
        assert timedelta(seconds=15) < one.clock.now() - began < timedelta(seconds=60)
        assert "did not say whether" in " ".join(known.notes)


@pytest.mark.row("F80")
@pytest.mark.parametrize("why", [ChatRefused("not_in_channel"), ChatForbidden("missing_scope")])
async def test_where_slack_refuses_to_say_who_reacts_it_is_asked_in_growing_gaps_and_the_card_says_so(
    why: ChatError,
) -> None:
    async with desk(TAKEN, policy=CHEAP) as one:
        final, _ = await promotion(one, "U2")
        await queued(one, final)
        one.chat.silent, gaps = why, list[float]()
        for _ in range(4):
            waits = await one.order(final)
            assert (waits.state, waits.trouble) == (State.QUEUED, Trouble.REACTIONS_UNREAD)
            gaps.append((waits.due_at - one.clock.now()).total_seconds())
            one.clock.step(waits.due_at)
        assert gaps == sorted(gaps)
        assert gaps[0] < 10 < gaps[-1] <= 30
        one.chat.silent = None

        ordered = await one.order(final)

        assert (ordered.state, ordered.trouble) == (State.RENDERING, None)


async def test_who_cancels_while_reactions_are_read_right_before_the_order_pays_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with desk(TAKEN, policy=CHEAP) as one:
        final, ask = await promotion(one, "U2")
        await queued(one, final)

        async def while_cancelled(channel: str, ts: str, names: Sequence[str]) -> tuple[str, ...]:
            await one.presses.cancel(replace(SENDER, person="U2", key="cancel"), ask.id)
            return ("U2",)

        monkeypatch.setattr(one.chat, "reactors", while_cancelled)
        ended = await one.order(final)

        async with one.storage.read() as tx:
            paid = await tx.ledger.entries(job_id=final.id)
        assert (ended.state, one.provider.orders) == (State.CANCELLED, [])
        assert [entry.kind for entry in paid] == [EntryKind.HOLD, EntryKind.RELEASE]


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


async def test_before_its_window_is_over_nothing_of_a_promotion_is_held() -> None:
    """So long it can be taken back, and costs nothing."""
    async with desk(policy=CHEAP) as one:
        final, ask = await promotion(one, "U2")
        assert ask.decide_by is not None
        one.clock.step(ask.decide_by - timedelta(seconds=1))
        booked = await one.entries()

        assert await one.deciding.decide(final, ask) == Later(seconds=1.0)
        assert await one.entries() == booked

        one.clock.advance(1)
        await one.deciding.decide(final, ask)
        assert len(await one.entries()) == len(booked) + 1


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


async def test_what_is_cancelled_while_its_provider_takes_nothing_ends_at_once() -> None:
    async with desk() as one:
        one.ordering.bench.circuit.slow("hiapi", Lane.ORDERS, 300)
        assert (await one.submit()).state is State.QUEUED
        async with one.storage.begin() as tx:
            await tx.jobs.request_cancel("T1", one.job_id, "U1")

        assert (await one.submit()).state is State.CANCELLED
        assert await one.money() == [EntryKind.HOLD, EntryKind.RELEASE]


async def test_an_uncertain_job_frees_its_persons_place() -> None:
    async with desk(LOST, TAKEN, idempotent=False, policy=Policy(running_per_person=1)) as one:
        second = await one.another("U1", "command:2")
        assert (await one.submit()).state is State.UNCERTAIN

        assert (await one.order(second)).state is State.RENDERING


# --- money that is gone ----------------------------------------------------------------------------------------------


@pytest.mark.row("F14")
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
