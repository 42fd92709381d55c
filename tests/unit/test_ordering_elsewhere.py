"""What becomes of orders whose provider takes none: they go to another, or wait and are told of."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.announcement import ADMINS, Topic
from bot.domain.budget import EntryKind
from bot.domain.job import State, WaitReason, Wish
from bot.domain.pricing import Price
from bot.domain.recipe import Resolution
from bot.ports import (
    OrderAccepted,
    OrderNotSent,
    OrderThrottled,
    TaskFinished,
)
from bot.providers.hiapi import capabilities
from bot.services.circuit import RUN, Lane
from bot.services.policy import Policy
from bot.services.rerouting import reroute_note
from bot.services.routing import Route
from handlers.blocks.states import money_sentence
from tests.support.ordering import CHANNEL, LOST, STARVED, TAKEN, ScriptedProvider, desk, notes
from tests.support.services import RATES
from tests.support.values import a_job

# --- providers that take no orders -----------------------------------------------------------------------------------


DOWN = OrderNotSent(why="ConnectError")


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
