"""Killed, started, and killed again before it was done: pairs of deaths on one ask."""

import pytest

from tests.faults.rig import Rig

pytestmark = pytest.mark.timeout(180)

PAIRS = [
    ("slack:chat.postMessage", "before", "slack:chat.postMessage", "amid"),
    ("slack:chat.postMessage", "amid", "slack:conversations.history", "amid"),
    ("slack:chat.postMessage", "amid", "hiapi:create", "amid"),
    ("hiapi:create", "before", "hiapi:create", "amid"),
    ("hiapi:create", "amid", "hiapi:create", "amid"),
    ("hiapi:create", "amid", "slack:files.completeUploadExternal", "amid"),
    ("hiapi:create", "after", "hiapi:get", "after"),
    ("hiapi:download", "amid", "hiapi:download", "amid"),
    ("hiapi:download", "amid", "slack:upload", "amid_request"),
    ("slack:upload", "amid", "slack:files.completeUploadExternal", "before"),
    ("slack:files.completeUploadExternal", "before", "slack:files.info", "amid"),
    ("slack:files.completeUploadExternal", "amid", "slack:files.info", "before"),
    ("slack:files.completeUploadExternal", "after", "slack:files.info", "amid"),
    ("slack:files.info", "amid", "slack:chat.update", "amid"),
]
QUICK = {4}
"""The pair of every run: twice in the order, which nothing may repeat."""


@pytest.mark.parametrize(
    ("first", "when", "second", "then"),
    [pytest.param(*pair, marks=() if index in QUICK else pytest.mark.storm) for index, pair in enumerate(PAIRS)],
)
async def test_two_deaths_cost_no_more_than_one(rig: Rig, first: str, when: str, second: str, then: str) -> None:
    await rig.start()
    await rig.arm(first, when)
    await rig.ask()
    await rig.died()
    await rig.studio.heal()
    await rig.arm(second, then)
    await rig.bot.start()
    await rig.studio.bot_is(rig.bot.pid)
    await rig.died()
    await rig.restart()
    await rig.delivered()


@pytest.mark.storm
@pytest.mark.parametrize("deaths", [4])
async def test_dying_at_every_status_request_still_ends_in_one_clip(rig: Rig, deaths: int) -> None:
    """The bot gets no further than its first look at the task, again and again."""
    await rig.start()
    await rig.arm("hiapi:get", "amid")
    await rig.ask()
    for _ in range(deaths):
        await rig.died()
        await rig.arm("hiapi:get", "amid")
        await rig.bot.start()
        await rig.studio.bot_is(rig.bot.pid)
    await rig.died()
    await rig.restart()
    await rig.delivered()
