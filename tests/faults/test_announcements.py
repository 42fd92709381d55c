"""Killed around the post of an announcement: it stands once."""

import pytest

from tests.faults.rig import Rig
from tests.sandbox.driver import Json

pytestmark = pytest.mark.timeout(120)

MAYA = "U0MAYA0001"
SETTINGS = {"BUDGET_CHANNEL_MONTH_USD": "0.35", "ADMIN_USERS": MAYA}
"""A draft of $0.32 takes more than four fifths of the cap."""


@pytest.mark.storm
@pytest.mark.parametrize("when", ["amid", "before", "after"])
async def test_a_warning_whose_post_was_cut_off_stands_once(rig: Rig, when: str) -> None:
    await rig.start(**SETTINGS)
    await rig.arm("slack:chat.postMessage", when, match={"text": "is held or spent"})
    await rig.ask()
    await rig.died()
    await rig.restart(**SETTINGS)
    await rig.delivered()

    left = "select 1 from announcements where posted_ts is null and not given_up"
    await rig.play.until_rows(f"select 1 where not exists ({left})")
    assert len(warnings(await rig.studio.state(), channel=rig.channel_id)) == 1
    assert rig.bot.rows("select 1 from announcements where given_up") == []


def warnings(state: Json, *, channel: str) -> list[Json]:
    """What the admin was told of that channel's cap."""
    return [
        message
        for place in state["channels"].values()
        if place["kind"] == "im" and MAYA in place["members"]
        for message in place["messages"]
        if f"the cap of <#{channel}>" in message["text"] and not message["deleted"]
    ]
