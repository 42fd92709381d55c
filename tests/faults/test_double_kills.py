"""Two deaths on one bot, at any two calls and moments, as the seed of the run draws them: ``pytest --seed N`` repeats
them."""

import pytest

from tests.faults.conftest import Perform
from tests.faults.kills import DOUBLE_KILLS, MOMENTS, POINTS, death, double_kills, on_one_ask
from tests.faults.scripts import Script
from tests.support.storm import STRUCK_AT_LEAST

pytestmark = pytest.mark.timeout(300)


@pytest.mark.storm
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("number", range(1, DOUBLE_KILLS + 1))
async def test_two_deaths_drawn_by_chance_cost_no_more_than_one(perform: Perform, seed: int, number: int) -> None:
    await perform(double_kills(seed)[number - 1])


def test_the_same_seed_draws_the_same_deaths_and_another_others() -> None:
    assert double_kills(7) == double_kills(7)
    assert double_kills(7) != double_kills(8)


@pytest.mark.parametrize("seed", [7, 20261121, 20261122])
def test_most_are_drawn_to_fall_on_one_ask_and_none_is_left_out(seed: int) -> None:
    drawn = double_kills(seed)
    assert STRUCK_AT_LEAST * 1.1 < sum(map(on_one_ask, drawn)) < DOUBLE_KILLS
    for deaths in zip(*(script.deaths for script in drawn), strict=True):
        assert {one.point for one in deaths} == {*POINTS}
        assert {one.skip for one in deaths} == {0, 1}
        assert len({(one.phase, one.details.get("after_ms")) for one in deaths}) == len(MOMENTS)


FOLLOWS = [
    ("create before, create amid", True),
    ("create amid, create before", False),
    ("slack:chat.postMessage amid, slack:chat.postMessage amid", False),
    ("download amid, get amid", False),
    ("download amid, download amid", True),
    ("create amid, get amid", False),
    ("create amid, slack:chat.update amid", True),
    ("2nd create amid, slack:chat.update amid", False),
    ("get amid, 2nd slack:files.info amid", False),
    ("slack:upload after 100 ms, slack:files.info amid", False),
    ("slack:upload after 100 ms, slack:chat.update amid", True),
]


@pytest.mark.parametrize(("names", "follows"), FOLLOWS)
def test_what_follows_on_one_ask(names: str, follows: bool) -> None:
    """For one take of a provider that tells nobody of an order whose answer is lost."""
    every = [death(point, moment, skip=skip) for point in POINTS for moment in MOMENTS for skip in (0, 1)]
    named = {one.name: one for one in every}
    first, second = (named[name] for name in names.split(", "))
    script = Script(name=names, family="double kills", provider="empiriolabs", deaths=(first, second))
    assert on_one_ask(script) is follows
