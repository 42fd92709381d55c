"""What is left at a provider is asked rarely, and is news when it is less than ten of its dearest clips."""

import asyncio
from dataclasses import replace

import pytest

from bot.domain.announcement import ADMINS, Topic
from bot.domain.capabilities import Capabilities
from bot.domain.job import Job
from bot.domain.pricing import PriceTable
from bot.domain.recipe import Resolution
from bot.ports import Credit
from bot.services.balances import Balances
from bot.services.routing import Router
from storage import MemoryStorage
from tests.support.services import RATES, House
from tests.support.values import a_job, at, capabilities
from tests.support.vendors import Declared

DEAREST = 15 * 150_000
"""Fifteen seconds at 720p."""


class Till(Declared):
    """A provider that says what is left."""

    def __init__(self, can: Capabilities, left: int | None) -> None:
        super().__init__(can)
        self.left, self.asked = left, 0

    async def balance(self) -> Credit | None:
        self.asked += 1
        return Credit(micro_usd=self.left)


def balances(house: House, till: Till) -> Balances:
    router = Router({"hiapi": till}, PriceTable(RATES))
    return Balances(
        providers={"hiapi": till},
        router=router,
        storage=house.storage,
        policies=house.policies(),
        clock=house.clock,
        wake=house.bell.ring,
    )


async def told(house: House) -> list[tuple[Topic, str, object]]:
    async with house.storage.begin() as tx:
        ours = await tx.leases.register("p", house.clock.now(), at(10**6), alone=True)
        news = await tx.announcements.claim(ours, 10, house.clock.now())
    return [(one.topic, one.to, one.facts["left_micro_usd"]) for one in news]


async def settle() -> None:
    """Let what was begun beside us end."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*(task for task in others if task.get_name().startswith("balance:")))


async def ordered(one: Balances, job: Job, *, anew: bool = False) -> None:
    one.ask(job, anew=anew)
    await settle()


@pytest.mark.parametrize(("left", "low"), [(10 * DEAREST - 1, True), (10 * DEAREST, False), (None, False)])
async def test_the_admins_are_told_once_a_day_when_little_is_left(left: int | None, low: bool) -> None:
    house, till = House(storage=MemoryStorage()), Till(capabilities(balance=True), left)
    one = balances(house, till)
    await one.look(a_job())
    await one.look(a_job())
    assert await told(house) == ([(Topic.LOW_BALANCE, ADMINS, left)] if low else [])


async def test_it_is_asked_hourly_while_orders_go_and_at_once_when_credit_runs_out() -> None:
    house, till = House(storage=MemoryStorage()), Till(capabilities(balance=True), None)
    one = balances(house, till)
    asked = []
    for seconds, anew in [(0, False), (60, False), (1, True), (1, True), (3600, False)]:
        house.clock.advance(seconds)
        await ordered(one, a_job(), anew=anew)
        asked.append(till.asked)
    assert asked == [1, 1, 2, 2, 3]
    await one.close()


async def test_a_provider_that_cannot_say_it_is_not_asked() -> None:
    house, till = House(storage=MemoryStorage()), Till(capabilities(), 0)
    await ordered(balances(house, till), a_job(), anew=True)
    assert till.asked == 0


async def test_the_dearest_clip_is_that_of_the_longest_at_the_dearest_resolution() -> None:
    router = Router({"hiapi": Till(capabilities(resolutions=frozenset(Resolution)), 0)}, PriceTable(RATES))
    assert router.dearest("hiapi") == DEAREST, "no price is known for 1080p"


async def test_the_dearest_clip_is_one_with_a_video_given_where_that_costs_more() -> None:
    takes, rates = Till(capabilities(reference_videos=1), 0), dict(RATES)
    rates["hiapi", "mini", Resolution.P480, True] = replace(
        RATES["hiapi", "mini", Resolution.P720, False], per_second_micro_usd=400_000
    )
    assert Router({"hiapi": takes}, PriceTable(rates)).dearest("hiapi") == 15 * 400_000


async def test_a_balance_that_could_not_be_asked_is_asked_again_in_a_minute() -> None:
    class Mute(Till):
        async def balance(self) -> Credit | None:
            self.asked += 1
            return None

    house, till = House(storage=MemoryStorage()), Mute(capabilities(balance=True), None)
    one = balances(house, till)
    asked = []
    for seconds in (0, 59, 1):
        house.clock.advance(seconds)
        await ordered(one, a_job())
        asked.append(till.asked)
    assert asked == [1, 1, 2]
