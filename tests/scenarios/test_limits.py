"""Limits while clips are being made: providers that bill otherwise, one person's many clips, how many must want a
final, and who hears of it."""

import asyncio
import itertools
from pathlib import Path

import pytest

from tests.sandbox.driver import CHANNEL, Json, channel_in
from tests.scenarios.bot import Stage
from tests.scenarios.conftest import HTTP_IN_THE_STORM, MakeStage

DRAFT = 320_000
"""Micro-dollars that a draft is held at."""
OTHER = "#dailies-two"
MAYA = "U0MAYA0001"
ASKS = 7


async def told_directly(play: Stage, person: str, words: str) -> list[Json]:
    """Wait until the bot wrote that to the person; everything that it wrote to them."""

    def written(state: Json) -> list[Json] | None:
        messages = [
            message
            for channel in state["channels"].values()
            if channel["kind"] == "im" and person in channel["members"]
            for message in channel["messages"]
        ]
        return messages if any(words in message["text"] for message in messages) else None

    return await play.studio.wait_until(written, what=f"{person} is told “{words}” directly")


async def the_figures_are_true(play: Stage) -> int:
    """Our ledger and the provider's say the same; what was spent, in micro-dollars."""
    charged = sum(int(charge["micro_usd"]) for charge in await play.ledger())
    sums = play.sums()
    assert sums["held_micro_usd"] == 0, sums
    assert sums["settled_micro_usd"] == charged, sums
    return charged


@pytest.mark.row("F13")
@HTTP_IN_THE_STORM
@pytest.mark.timeout(90)
async def test_a_provider_that_bills_double_is_stopped_at_the_cap_and_the_figures_stay_true(
    stage: MakeStage, tmp_path: Path
) -> None:
    """Seven drafts fit under the cap at the price. The provider charges half in one channel, which frees the rest; then
    double: what is queued when that shows is not ordered any more, new asks are refused, the admin hears of it once."""
    async with stage(tmp_path, BUDGET_CHANNEL_MONTH_USD="2.30", PROVIDER_CONCURRENCY="2", ADMIN_USERS=MAYA) as play:
        await play.provider(fidelity="cached", bills=0.5, tells_cost="end")
        await play.studio.slash("ben", "/clip a lighthouse at half price", channel=OTHER)
        await play.at_rest()
        assert await the_figures_are_true(play) == DRAFT // 2
        await play.card("Cost $0.16.", channel=OTHER)

        await play.provider(bills=2, tells_cost="order", render_seconds=[0.6, 0.8])
        answers = await asyncio.gather(
            *(play.studio.slash(person, f"/clip a lighthouse, number {number}") for number, person in enumerate(_FEW))
        )
        assert all("is accepted" in answer["payload"]["text"] for answer in answers), answers
        await play.at_rest(timeout=40)

        spent = await the_figures_are_true(play) - DRAFT // 2
        done = play.bot.rows("select state, failure_kind from jobs where channel = 'C0DAILIES1' order by number")
        made = [job for job in done if job["state"] == "delivered"]
        stopped = [job for job in done if job["failure_kind"] == "over_cap"]
        assert len(made) + len(stopped) == ASKS
        assert stopped
        assert spent == len(made) * 2 * DRAFT
        assert spent <= 2_300_000 + 2 * DRAFT, "no more than what was under way when it showed is over the cap"
        card = await play.card("A provider billed more than its price")
        assert "no longer fits under a spending cap" in card["text"]
        assert "Nothing was charged" in card["text"]

        refused = await play.studio.slash("dev", "/clip one more")
        assert "of $2.30 is left for this channel for the month" in refused["payload"]["text"]
        await nothing_left_to_tell(play)
        told = [one["text"] for one in await told_directly(play, MAYA, "charged $0.64 for clip")]
        assert sum("which was held at $0.32" in text for text in told) == 1
        assert sum("of the cap of <#C0DAILIES1> for the month is held or spent" in text for text in told) == 1
        assert len(told) == 2, told


_FEW = ("maya", "ben", "chloe", "dev", "maya", "ben", "chloe")


async def nothing_left_to_tell(play: Stage) -> None:
    """Wait until every announcement is posted or given up."""
    left = "select 1 from announcements where posted_ts is null and not given_up"
    await play.until_rows(f"select 1 where not exists ({left})")


@pytest.mark.storm
@HTTP_IN_THE_STORM
@pytest.mark.timeout(90)
async def test_one_persons_many_clips_take_turns_and_a_final_takes_two_people_and_is_announced(
    stage: MakeStage, tmp_path: Path
) -> None:
    """Maya's second and third clip wait for her first, each saying which in line it is; Ben's does not wait. Then the
    channel asks for two rockets: one alone makes no final, two make one, which is linked in the winners' channel; in a
    channel that Dailies is not in, the admins hear that it cannot be."""
    async with stage(tmp_path, MAX_RUNNING_PER_PERSON="1", PROMOTE_UNDO_SECONDS="2", ADMIN_USERS=MAYA) as play:
        await play.provider(fidelity="cached", render_seconds=[2, 2])
        for name in ("first", "second", "third"):
            await play.studio.slash("maya", f"/clip mayas {name}")
        await play.studio.slash("ben", "/clip bens only")
        await play.card("1 clip of yours is running, as many as may at once; this is next")
        await play.card("1 clip of yours is running, as many as may at once; this is 2nd in line")
        await play.at_rest()
        tasks = {one["prompt"]: one for one in (await play.studio.get("/providers/hiapi/tasks"))["tasks"]}
        mine = [tasks[f"mayas {name}"] for name in ("first", "second", "third")]
        assert [one["created"] for one in mine] == sorted(one["created"] for one in mine)
        assert all(one["completed"] <= after["created"] for one, after in itertools.pairwise(mine))
        assert tasks["bens only"]["created"] < mine[0]["completed"]

        await play.provider(render_seconds=[0.1, 0.2])
        await configure(play, "quorum=2", "winners.channel=C0DAILIES2")
        drafts = await play.clips(4)
        await play.studio.react("maya", drafts[0], "rocket")
        await play.card("the reactions of 1 of 2 people who may spend here stood")
        await play.studio.react("ben", drafts[0], "rocket")
        await play.studio.react("maya", drafts[0], "rocket", remove=True)
        await play.studio.react("maya", drafts[0], "rocket")
        await linked_final(play, OTHER)

        await configure(play, "quorum=1", "winners.channel=C0LOBBY004")
        await play.studio.react("ben", drafts[1], "rocket")
        await told_directly(play, MAYA, "does not let Dailies post in <#C0LOBBY004>, the winners' channel")
        await play.at_rest()
        await nothing_left_to_tell(play)
        await the_figures_are_true(play)


async def configure(play: Stage, *assignments: str) -> None:
    """The operator changes the channel's settings beside the running bot."""
    code, out, err = await play.bot.command("settings", "C0DAILIES1", *assignments)
    assert code == 0, (out, err)


async def linked_final(play: Stage, where: str) -> None:
    """Wait for the link to a final in that channel, which is the only one, and leads to a clip of Ben's."""

    def linked(state: Json) -> list[Json] | None:
        found = [one for one in channel_in(state, where)["messages"] if "Final" in one["text"]]
        return found or None

    (message,) = await play.studio.wait_until(linked, what=f"a final is linked in {where}")
    places = [f"/archives/C0DAILIES1/p{clip['ts'].replace('.', '')}" for clip in await play.clip_messages(CHANNEL)]
    assert any(place in message["text"] for place in places), (message, places)
    assert "<@U0BEN00002>" in message["text"], "the earliest who still stood pays, and is named"
