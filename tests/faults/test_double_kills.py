"""Two deaths on one bot, at any two calls and moments, as the seed of the run draws them: ``pytest --seed N`` repeats
them."""

import pytest

from tests.faults.conftest import Perform
from tests.faults.kills import DOUBLE_KILLS, double_kills

pytestmark = pytest.mark.timeout(300)


@pytest.mark.storm
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("number", range(1, DOUBLE_KILLS + 1))
async def test_two_deaths_drawn_by_chance_cost_no_more_than_one(perform: Perform, seed: int, number: int) -> None:
    await perform(double_kills(seed)[number - 1])


def test_the_same_seed_draws_the_same_deaths_and_another_others() -> None:
    assert double_kills(7) == double_kills(7)
    assert double_kills(7) != double_kills(8)
