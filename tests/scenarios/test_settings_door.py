"""Settings in a real workspace: maya is an admin and changes what holds, ben is a maker and meets it."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.sandbox.driver import CHANNEL, Json, channel_in
from tests.scenarios.bot import Stage
from tests.scenarios.conftest import HTTP_IN_THE_STORM, MakeStage

pytestmark = HTTP_IN_THE_STORM

OTHER = "dailies-two"
DRAFT, FINAL = 320_000, 600_000
"""Micro-dollars of four seconds at 480p and at 720p."""


@pytest.mark.timeout(90)
async def test_what_an_admin_sets_counts_for_the_next_ask_and_a_maker_only_looks(
    stage: MakeStage, tmp_path: Path
) -> None:
    async with stage(tmp_path) as play:
        await play.provider(fidelity="cached", render_seconds=[0.05, 0.1])
        await a_maker_may_look_and_not_change(play)
        await presets_emoji_and_replies_are_the_channels(play)
        await a_cap_holds_at_once(play)
        await the_operator_does_the_same_at_a_shell(play)


async def a_maker_may_look_and_not_change(play: Stage) -> None:
    assert "`takes` 1 (default)" in await typed(play, "ben", "/clip-settings")
    assert "`undo.seconds` 1 s (by whoever runs Dailies)" in await typed(play, "ben", "/clip settings")
    refused = await typed(play, "ben", "/clip-settings takes=8 cap.person.day=1000")
    assert "Changed" not in refused
    assert play.bot.rows("select 1 from preferences") == []
    assert "cannot be “12”" in await typed(play, "maya", "/clip-settings takes=12")
    assert "The nearest is `takes`" in await typed(play, "maya", "/clip-settings taeks=2")


async def presets_emoji_and_replies_are_the_channels(play: Stage) -> None:
    """Curly quotes are a phone's, and Slack escapes the ampersand."""
    told = await typed(
        play, "maya", "/clip-settings takes=2 draft.ratio=9:16 emoji.promote=:ship: replies=off look=“soft & warm”"
    )
    assert "`emoji.promote`: not set → :ship:" in told
    assert "`takes` 2 (for this channel)" in await typed(play, "ben", "/clip-settings")

    await play.studio.slash("ben", "/clip a red fox")
    first, second = await play.clips(2)
    assert "9:16" in first["text"]
    card = await play.card("a red fox")
    assert ":ship:" in json.dumps(card["blocks"])
    assert ":rocket:" not in json.dumps(card["blocks"])

    await play.studio.say("ben", "#1 1:1", thread=first)
    await play.studio.react("ben", first, "rocket")
    await heard(play)
    assert len(play.bot.rows("select 1 from asks")) == 1
    await play.studio.react("ben", second, "ship")
    final = (await play.clips(3))[2]
    assert "Final of #2" in final["text"]
    await play.at_rest()


async def a_cap_holds_at_once(play: Stage) -> None:
    """Spent so far: two drafts and a final. In the other channel nothing differs."""
    assert sum(charge["micro_usd"] for charge in await play.ledger()) == 2 * DRAFT + FINAL
    await typed(play, "maya", "/clip-settings cap.channel.month=$1.50")
    refused = await typed(play, "ben", "/clip a blue fox")
    assert "$0.26 of $1.50 is left for this channel for the month" in refused
    assert "16:9" in await typed(play, "ben", "/clip a blue fox --estimate", channel=OTHER)


async def the_operator_does_the_same_at_a_shell(play: Stage) -> None:
    """Beside the running bot, which takes it up without a restart."""
    place = channel_in(await play.studio.state(), CHANNEL)["id"]
    set_, wrong = await asyncio.gather(
        play.bot.command("settings", "workspace", "takes=3", "people.deny+=U0DEV00004", "--json"),
        play.bot.command("settings", place, "takes=many"),
    )
    made = json.loads(set_[1])
    assert (set_[0], made["subject"], made["version"]) == (0, "workspace", 1)
    assert [one["key"] for one in made["changed"]] == ["people.deny", "takes"]
    rows = {row["key"]: (row["value"], row["from"]) for row in made["settings"]}
    assert rows["takes"] == ("3", "workspace")
    assert rows["undo.seconds"] == ("1 s", "environment")
    assert (wrong[0], wrong[1], len(wrong[2].splitlines())) == (1, "", 1)
    assert "“many”" in wrong[2]

    assert "3 takes" in await typed(play, "ben", "/clip a green fox --estimate", channel=OTHER)
    assert "<@U0DEV00004>" in await typed(play, "maya", "/clip-settings workspace")
    assert "accepted" not in await typed(play, "dev", "/clip a green fox")
    people = {row["person"] for row in play.bot.rows("select person from audit where act = 'configured'")}
    assert people == {None, await play.person_id("maya")}


async def typed(play: Stage, person: str, line: str, *, channel: str = CHANNEL) -> str:
    """A command's private answer."""
    answer = await play.studio.slash(person, line, channel=channel)
    assert answer["acked"], answer
    assert answer["payload"]["response_type"] == "ephemeral"
    blocks: list[Json] = answer["payload"]["blocks"]
    return "\n".join(block["text"]["text"] for block in blocks)


async def heard(play: Stage) -> None:
    """Wait until the bot has acknowledged every event so far: it does so when it has acted on it."""
    await play.studio.wait_until(
        lambda state: all(event["acked"] or event["given_up"] for event in state["events"]),
        what="every event is acknowledged",
    )
