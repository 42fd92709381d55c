"""The rows F74 to F78 of the fault matrix: what is said in Slack."""

import asyncio
import time

import pytest

from tests.faults.rig import Rig
from tests.sandbox.driver import Json

pytestmark = pytest.mark.timeout(180)

storm = pytest.mark.storm


@storm
@pytest.mark.row("F75")
@pytest.mark.parametrize("times", [1, 3])
async def test_f75_a_card_that_is_deleted_again_and_again_is_posted_again_and_the_clip_stands_once(
    rig: Rig, times: int
) -> None:
    await rig.settings(render_seconds=3)
    await rig.start()
    await rig.accepted()
    await rig.charged()
    gone: set[str] = set()
    for _ in range(times):
        card = await rig.card_where(lambda card: card.ts not in gone, within=40, what="another card stands")
        gone.add(card.ts)
        await rig.studio.delete("maya", card.ts, channel=rig.channel)
    await rig.delivered()


@storm
@pytest.mark.row("F77")
@pytest.mark.parametrize("dead", [{"response_url_uses": 0}, {"response_url_seconds": 0}], ids=["used up", "too old"])
async def test_f77_who_cannot_be_answered_where_they_asked_is_told_directly(rig: Rig, dead: Json) -> None:
    await rig.studio.configure(**dead)
    await rig.start()
    await rig.shut_out("kicked")
    posts = await rig.posts()
    await rig.accepted()
    await rig.told("maya", "Nothing was ordered or charged")
    assert len(await rig.private("maya", "Nothing was ordered or charged")) == 1
    assert rig.play.sums()["held_micro_usd"] == 0
    assert await rig.posts() == posts


@pytest.mark.row("F78")
async def test_f78_what_the_bot_says_itself_asks_for_nothing(rig: Rig) -> None:
    """In a direct conversation every message is read as an ask, and Slack tells the bot of its own ones too."""
    await rig.start()
    before, began = await _told_of(rig), time.time()
    await rig.studio.say("maya", f"a red panda {rig.marker} --takes 2", channel="dm")
    await rig.play.until_rows("select 1 from jobs where state = 'delivered' group by state having count(*) = 2")
    (job,) = rig.bot.rows("select channel from jobs limit 1")
    messages = await rig.studio.messages(channel=str(job["channel"]))
    said = [one for one in messages if one.get("bot_id") and float(one["ts"]) >= began]
    assert len(said) >= 3, "the card and two clips"
    async with asyncio.timeout(20):
        while await _told_of(rig) - before < len(said) + 1:
            await asyncio.sleep(0.1)
    assert len(rig.bot.rows("select id from asks")) == 1
    assert len((await rig.history()).charges) == 2


async def _told_of(rig: Rig) -> int:
    """How many messages, anybody's, the bot has acknowledged that it was told of."""
    events = (await rig.studio.get("/state", deliveries=1_000_000))["events"]
    return sum(one["type"] == "message" and one["acked"] for one in events)
