"""Whose order a paused provider is tried with, and how often: over minutes, each job looked at when it is due."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta

from bot.domain.failure import Failure, FailureKind
from bot.domain.job import Job, State, WaitReason, Wish
from bot.domain.patience import CREDIT_PROBE
from bot.ports import Order, OrderAccepted, OrderOutcome
from bot.services.bench import Later
from bot.services.circuit import LOOK_GAP, RUN, Circuit
from bot.services.policy import Policy
from tests.support.clock import SettableClock
from tests.support.ordering import LOST, STARVED, Desk, ScriptedProvider, desk

PROBE = CREDIT_PROBE.total_seconds()
ROOMY = Policy(default_concurrency=100)
TO_BE_ORDERED = {State.WAITING, State.QUEUED}


def answering(one: Desk, answer: Callable[[Order], OrderOutcome]) -> None:
    """From now on the provider answers each order so."""

    async def submit(order: Order) -> OrderOutcome:
        one.provider.orders.append(order)
        return answer(order)

    one.provider.submit = submit  # type: ignore[method-assign]


def taken(order: Order) -> OrderOutcome:
    return OrderAccepted(task_id=f"tk-{order.key}")


async def several(one: Desk, count: int) -> list[Job]:
    """So many further drafts, each of a person of its own."""
    return [await one.another(f"U{number}", f"command:{number}") for number in range(2, 2 + count)]


async def work(one: Desk, jobs: Iterable[Job], *, seconds: int) -> None:
    """Take each job's step when it is due, as the runner does; in one moment in the order given."""
    due = {job.id: one.clock.monotonic() for job in jobs}
    for _ in range(seconds):
        await one.lease.renew()
        for job in jobs:
            now = await one.now(job)
            if now.state not in TO_BE_ORDERED or one.clock.monotonic() < due[job.id]:
                continue
            async with one.storage.read() as tx:
                ask = await tx.jobs.ask("T1", now.ask_id)
            step = one.deciding.decide if now.state is State.WAITING else one.ordering.submit
            result = await step(now, ask)
            wait = timedelta(seconds=result.seconds) if isinstance(result, Later) else result.due_at - one.clock.now()
            due[job.id] = one.clock.monotonic() + wait.total_seconds()
        one.clock.advance(1)


async def test_an_order_that_is_never_taken_keeps_no_other_from_being_tried() -> None:
    """A balance between the prices of two clips, or a key that may not use one model."""
    async with desk(policy=ROOMY) as one:
        dear = await one.job()
        answering(one, lambda order: STARVED if order.key.startswith(dear.id) else taken(order))
        others = await several(one, 3)
        await work(one, [dear, *others], seconds=90)
        assert [(await one.now(job)).state for job in others] == [State.RENDERING] * 3
        assert (await one.job()).state is State.WAITING

        # Whom the provider refuses again and again while it takes what others order asks less and less often.
        orders = len(one.provider.orders)
        for number in range(10):
            later = await one.another(f"U{number}", f"later:{number}")
            await work(one, [dear, later], seconds=60)
            assert (await one.now(later)).state is State.RENDERING
        assert len(one.provider.orders) - orders <= 10 + 5

        answering(one, taken)
        await work(one, [dear], seconds=600)
        assert (await one.job()).state is State.RENDERING


async def test_who_waits_alone_is_tried_as_often_as_ever_and_all_go_on_as_soon_as_there_is_credit() -> None:
    async with desk(policy=ROOMY) as one:
        answering(one, lambda order: STARVED)
        jobs = [await one.job(), *await several(one, 3)]
        await work(one, jobs, seconds=600)
        tried = [order.key.partition("-")[0] for order in one.provider.orders]
        assert 600 / 30 <= len(tried) <= 600 / PROBE + 1
        assert {tried.count(job.id) for job in jobs} <= {len(tried) // 4, len(tried) // 4 + 1}, "each in its turn"

        answering(one, taken)
        await work(one, jobs, seconds=30)
        assert {(await one.now(job)).state for job in jobs} == {State.RENDERING}


async def test_a_provider_that_loses_what_it_is_sent_is_sent_less_and_less_although_it_answers_questions() -> None:
    """Each order that goes unanswered may be charged, and is uncertain, where no key proves anything."""
    async with desk(idempotent=False, policy=ROOMY) as one:
        answering(one, lambda order: LOST)
        jobs = [await one.job(), *await several(one, RUN + 10)]
        await work(one, jobs, seconds=600)
        assert RUN < len(one.provider.orders) <= RUN + 5
        assert one.provider.checks >= 600 / 30

        # One that is answered ends it for all.
        answering(one, taken)
        await work(one, jobs, seconds=640)
        assert not {(await one.now(job)).state for job in jobs} & TO_BE_ORDERED


async def test_where_a_key_makes_repeating_safe_a_silent_provider_is_tried_as_often_as_ever() -> None:
    async with desk(policy=ROOMY) as one:
        for _ in range(RUN):
            one.ordering.bench.circuit.stumbled("hiapi", "HTTP 502")
        answering(one, lambda order: LOST)
        jobs = [await one.job(), *await several(one, 7)]
        await work(one, jobs, seconds=160)
        assert len(one.provider.orders) >= 160 / 30


async def test_who_may_not_order_yet_has_no_turn_at_a_paused_provider_that_others_could_use() -> None:
    """Somebody's clips wait for the end of another of theirs, and no order of them was ever refused."""
    async with desk(policy=replace(ROOMY, running_per_person=1)) as one:
        answering(one, taken)
        running = await one.job()
        await work(one, [running], seconds=1)
        assert (await one.now(running)).state is State.RENDERING

        answering(one, lambda order: STARVED)
        (refused,) = await several(one, 1)
        await work(one, [refused], seconds=1)
        held_back = [await one.another("U1", f"more:{number}") for number in range(12)]
        await work(one, [*held_back, refused], seconds=60)
        answering(one, taken)
        await work(one, [*held_back, refused], seconds=30)
        assert (await one.now(refused)).state is State.RENDERING


def test_a_turn_that_could_not_be_used_is_a_turn() -> None:
    """Slack does not say who stands behind it, say, so that nothing was ordered: next time others come first."""
    clock, tried = SettableClock(), list[str]()
    circuit = Circuit(clock)
    circuit.refused("hiapi", Failure(kind=FailureKind.OUT_OF_CREDIT), "refused before")
    for _ in range(20):
        clock.advance(LOOK_GAP.total_seconds())
        tried += [one for one in ("never refused", "refused before") if circuit.may_probe("hiapi", one)]
    assert tried == ["never refused", "refused before"] * 2 + ["never refused"]


async def test_who_may_not_order_yet_waits_in_line_once_the_provider_takes_orders_again() -> None:
    """Its card says which in line it is, and its money is held; nothing waits for credit that is there."""
    async with desk(policy=replace(ROOMY, running_per_person=1)) as one:
        held_back = await held_back_at_a_paused_provider(one)
        answering(one, taken)
        one.ordering.bench.circuit.accepted("hiapi", one.clock.now())
        await work(one, [held_back], seconds=10)
        now = await one.now(held_back)
        assert (now.state, now.wait_reason, now.failure) == (State.QUEUED, None, None)


async def test_who_may_not_order_yet_may_wish_for_another_provider_as_soon_as_anybody() -> None:
    other = ScriptedProvider(answers=[], name="muapi")
    async with desk(policy=replace(ROOMY, running_per_person=1), other=other, named="hiapi") as one:
        held_back = await held_back_at_a_paused_provider(one)
        await work(one, [held_back], seconds=300)
        async with one.storage.begin() as tx:
            await tx.jobs.wish("T1", held_back.id, Wish.USE_ANOTHER_PROVIDER, "U1", held_back.price_micro_usd)
        await work(one, [held_back], seconds=10)
        assert (await one.now(held_back)).provider == "muapi"


async def test_a_wish_that_cannot_be_met_orders_nothing_in_the_same_breath() -> None:
    """The card says so."""
    other = ScriptedProvider(answers=[], name="muapi")
    async with desk(policy=ROOMY, other=other, named="hiapi") as one:
        answering(one, lambda order: STARVED)
        job = await one.job()
        await work(one, [job], seconds=1)
        one.clock.advance(10 * PROBE)
        answering(one, taken)
        async with one.storage.begin() as tx:
            await tx.jobs.wish("T1", job.id, Wish.USE_ANOTHER_PROVIDER, "U1", 1)
        await one.deciding.decide(await one.now(job), await one.ask())
        now = await one.now(job)
        assert (now.state, now.wish) == (State.WAITING, None)
        assert any("Not sent elsewhere" in note for note in (await one.ask()).notes)
        await work(one, [job], seconds=10)
        assert (await one.now(job)).state is State.RENDERING


async def held_back_at_a_paused_provider(one: Desk) -> Job:
    """A clip of somebody of whom another one runs; its provider has no credit."""
    answering(one, taken)
    running = await one.job()
    await work(one, [running], seconds=1)
    assert (await one.now(running)).state is State.RENDERING
    one.ordering.bench.circuit.refused("hiapi", Failure(kind=FailureKind.OUT_OF_CREDIT))
    held_back = await one.another("U1", "more", "hiapi")
    await work(one, [held_back], seconds=10)
    now = await one.now(held_back)
    assert (now.state, now.provider, now.wait_reason) == (State.WAITING, "hiapi", WaitReason.PROVIDER_CREDIT)
    return held_back
