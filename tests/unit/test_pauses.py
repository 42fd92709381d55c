"""A provider that takes no orders, seen from its jobs: when one is tried, and what channels hear of it."""

import pytest

from bot.domain.announcement import Topic
from bot.domain.failure import Failure, FailureKind
from bot.domain.job import EvidenceKind, State, WaitReason
from bot.domain.outage import Outage
from bot.domain.patience import CREDIT_PROBE
from bot.ports import OrderAccepted, OrderNotSent, OrderRefused
from bot.services.circuit import DOUBTS, RUN
from bot.services.moving import evidence_of
from tests.support.ordering import LOST, STARVED, TAKEN, Desk, ScriptedProvider, desk

PROBE = CREDIT_PROBE.total_seconds()
DOWN = Failure(kind=FailureKind.PROVIDER, detail="it answered HTTP 502")
BROKE = Failure(kind=FailureKind.OUT_OF_CREDIT)


async def pause(one: Desk, *, name: str = "hiapi") -> None:
    """Orders in a row were not answered."""
    for _ in range(RUN):
        one.ordering.bench.circuit.stumbled(name, "HTTP 502")


async def decide(one: Desk) -> State:
    """One look at the waiting job; its state then."""
    await one.deciding.decide(await one.job(), await one.ask())
    return (await one.job()).state


async def test_a_provider_that_answered_no_order_gets_none_until_it_answers_something() -> None:
    """Each order that it does not answer would be uncertain, and may be charged."""
    async with desk(TAKEN) as one:
        await pause(one)
        assert (await one.submit()).wait_reason is WaitReason.PROVIDER_DOWN
        one.provider.health = DOWN
        for tries in range(1, DOUBTS):
            one.clock.advance(PROBE)
            assert await decide(one) is State.WAITING
            assert (one.provider.checks, one.provider.orders) == (tries, [])
        one.provider.health = None
        one.clock.advance(PROBE)
        assert await decide(one) is State.QUEUED
        assert (await one.submit()).state is State.RENDERING
        assert one.ordering.bench.circuit.healthy("hiapi")


async def test_a_question_that_a_provider_never_answers_does_not_keep_orders_from_it_for_ever() -> None:
    async with desk(TAKEN) as one:
        await pause(one)
        await one.submit()
        one.provider.health = DOWN
        states = []
        for _ in range(DOUBTS):
            one.clock.advance(PROBE)
            states.append(await decide(one))
        assert states == [State.WAITING] * (DOUBTS - 1) + [State.QUEUED]


async def test_an_empty_account_is_tried_by_an_order_whose_refusal_costs_nothing() -> None:
    async with desk(STARVED, TAKEN) as one:
        await one.submit()
        one.provider.health = DOWN
        one.clock.advance(PROBE)
        assert await decide(one) is State.QUEUED
        assert one.provider.checks == 0


async def test_a_provider_that_everything_was_moved_away_from_is_tried_by_a_later_order() -> None:
    muapi = ScriptedProvider([OrderAccepted(task_id="mu-1")], idempotent=False, name="muapi")
    async with desk(STARVED, TAKEN, other=muapi) as one:
        await one.submit()
        assert (await one.submit()).task_id == "mu-1"
        early = await one.another("U2", "command:2")
        assert early.provider == "muapi", "it is known to take no orders"
        for _ in range(2):
            one.clock.advance(PROBE)
            await one.lease.renew()
        later = await one.another("U2", "command:3")
        assert later.provider == "hiapi"
        assert (await one.order(later)).state is State.RENDERING
        assert one.ordering.bench.circuit.pause("hiapi") is None


async def test_after_a_restart_a_channel_that_was_told_is_not_told_again_and_hears_the_end() -> None:
    async with desk(STARVED, TAKEN) as one:
        circuit = one.ordering.bench.circuit
        circuit.remember("hiapi", BROKE, ("T1", "C1"))
        assert circuit.may_probe("hiapi", one.job_id)
        assert (await one.submit()).state is State.WAITING
        assert [news.topic for news in await one.news()] == []
        one.clock.advance(PROBE)
        await decide(one)
        await one.submit()
        assert [news.topic for news in await one.news()] == [Topic.PROVIDER_RESUMED]


async def test_a_task_found_by_a_callback_does_not_end_a_pause() -> None:
    """It was ordered before: whether orders are taken now it does not say."""
    async with desk(LOST, idempotent=False) as one:
        job = await one.submit()
        one.ordering.bench.circuit.refused("hiapi", BROKE)
        async with one.storage.begin() as tx:
            await tx.jobs.add_evidence(evidence_of(job, EvidenceKind.CALLED, "tk-7", one.clock))
        await one.submitting.watch(await one.job(), await one.ask())
        assert (await one.job()).task_id == "tk-7"
        assert one.ordering.bench.circuit.paused("hiapi", "another") == BROKE


@pytest.mark.parametrize("orders", [RUN - 1, RUN])
async def test_orders_that_were_never_sent_make_a_run_like_others(orders: int) -> None:
    async with desk(*[OrderNotSent(why="ConnectError")] * orders) as one:
        for _ in range(orders):
            await one.submit()
        assert one.ordering.bench.circuit.healthy("hiapi") is (orders < RUN)


async def standing(one: Desk) -> list[tuple[str, FailureKind]]:
    async with one.storage.read() as tx:
        return [(outage.provider, outage.failure.kind) for outage in await tx.outages.standing()]


async def test_a_pause_is_written_down_for_others_until_an_order_goes_through() -> None:
    muapi = ScriptedProvider([OrderAccepted(task_id="mu-1")], idempotent=False, name="muapi")
    async with desk(STARVED, TAKEN, other=muapi) as one:
        await one.submit()
        assert await standing(one) == [("hiapi", FailureKind.OUT_OF_CREDIT)], "though its clip went elsewhere"
        assert (await one.submit()).task_id == "mu-1"
        assert len(await standing(one)) == 1, "what another takes says nothing"
        for _ in range(2):
            one.clock.advance(PROBE)
            await one.lease.renew()
        later = await one.another("U2", "command:2")
        assert (await one.order(later)).state is State.RENDERING
        assert await standing(one) == []


async def test_the_reason_that_is_written_down_is_the_last_one() -> None:
    async with desk(STARVED, OrderRefused(failure=Failure(kind=FailureKind.KEY_REFUSED))) as one:
        await one.submit()
        one.clock.advance(PROBE)
        await decide(one)
        await one.submit()
        assert await standing(one) == [("hiapi", FailureKind.KEY_REFUSED)]


async def test_a_run_without_answers_is_written_down_though_nothing_waits_yet() -> None:
    async with desk(*[OrderNotSent(why="ConnectError")] * RUN) as one:
        for _ in range(RUN):
            await one.submit()
        assert await standing(one) == [("hiapi", FailureKind.PROVIDER)]


async def test_what_was_paused_before_a_start_is_tried_by_the_first_who_comes_and_by_no_second() -> None:
    async with desk(TAKEN) as one:
        circuit = one.ordering.bench.circuit
        circuit.restore([Outage(provider="hiapi", failure=BROKE, since=one.clock.now())])
        pause = circuit.pause("hiapi")
        assert pause is not None
        assert (pause.failure, pause.since) == (BROKE, one.clock.now())
        assert circuit.healthy("hiapi")
        assert circuit.paused("hiapi", "another") == BROKE
        assert (await one.submit()).state is State.RENDERING
        assert circuit.pause("hiapi") is None
        circuit.remember("hiapi", BROKE, ("T1", "C1"))
        assert circuit.pause("hiapi") is None, "it took an order since"
