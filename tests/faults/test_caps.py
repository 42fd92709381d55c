"""Three asks where there is money for one: no death and no doubt lets the provider charge more than the cap."""

import pytest

from tests.faults.caps import IN_DOUBT, every_cap
from tests.faults.conftest import Perform
from tests.faults.kills import POINTS
from tests.faults.rig import PROVIDERS

pytestmark = pytest.mark.timeout(300)

EVERY_CAP = {script.name: script for script in every_cap()}

EVERY_RUN = ("muapi, create, after 1 ms",)


@pytest.mark.row("F11", "F12", "F15")
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in EVERY_RUN else pytest.mark.storm) for name in EVERY_CAP]
)
async def test_nothing_is_charged_beyond_the_cap_of_a_channel(perform: Perform, name: str) -> None:
    await perform(EVERY_CAP[name])


def test_every_call_and_every_doubt_meets_a_cap_at_every_provider() -> None:
    kills = [script for script in EVERY_CAP.values() if script.deaths]
    assert {(script.provider, script.deaths[0].point) for script in kills} == {
        (provider, point) for provider in PROVIDERS for point in POINTS
    }
    doubts = {script.name.split(",")[0] for script in EVERY_CAP.values() if not script.deaths}
    assert doubts == set(IN_DOUBT)
    assert set(EVERY_RUN) <= set(EVERY_CAP)
