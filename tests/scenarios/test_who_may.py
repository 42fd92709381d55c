"""Who may spend, in the real Slack: guests, strangers, denied people and closed channels spend nothing, are told so in
words, and somebody who may succeeds in the same place."""

from collections.abc import Awaitable
from pathlib import Path

import pytest

from tests.sandbox.driver import Json, buttons, root_of
from tests.scenarios.bot import Stage
from tests.scenarios.conftest import HTTP_IN_THE_STORM, MakeStage

pytestmark = [HTTP_IN_THE_STORM]

DRAFT, FINAL = 320_000, 600_000
"""Micro-dollars of four seconds at 480p and at 720p."""
KEPT_OUT = {
    "gus": "You are a guest",
    "olga": "You are from another organisation",
    "dev": "taken spending away from you",
}


@pytest.mark.row("F82")
async def test_who_may_spend_from_the_first_ask_to_the_last_press(stage: MakeStage, tmp_path: Path) -> None:
    async with stage(tmp_path, CONFIRM_ABOVE_USD="0.5") as play:
        await play.provider(fidelity="cached")
        await changed(play, "people.deny+=@dev channels.deny=#dailies-two")

        await nobody_kept_out_asks(play)
        clip = await a_maker_asks(play)
        await nobody_kept_out_touches(play, clip)
        await a_promotion_is_confirmed_by_whoever_may(play, clip)
        await a_guest_is_let_in(play)
        await a_closed_channel_is_closed_for_admins(play)
        await while_slack_does_not_say_nobody_new_spends(play)

        await play.at_rest()
        spent = play.sums()["settled_micro_usd"]
        assert spent == 2 * DRAFT + FINAL
        assert sum(charge["micro_usd"] for charge in await play.ledger()) == spent


async def nobody_kept_out_asks(play: Stage) -> None:
    for person, words in KEPT_OUT.items():
        answer = await play.studio.slash(person, "/clip a red panda")
        assert words in said(answer)
        assert "Nothing was charged" in said(answer)
        assert "`/clip-settings workspace " in said(answer)
        price = await play.studio.slash(person, "/clip a red panda --estimate")
        assert "Estimate: $0.32" in said(price)
    assert play.bot.rows("select 1 from asks") == []


async def a_maker_asks(play: Stage) -> Json:
    """The clip, once the bot knows its message."""
    await play.studio.slash("ben", "/clip a lighthouse")
    (clip,) = await play.clips(1)
    await play.until_rows("select 1 from jobs where message_ts = ? and state = 'delivered'", clip["ts"])
    return clip


async def nobody_kept_out_touches(play: Stage, clip: Json) -> None:
    root = root_of(clip)
    card = await play.studio.message_where(lambda one: one["ts"] == root and "clip.promote" in buttons(one))
    for person, words in KEPT_OUT.items():
        await refused(play, person, words, play.studio.react(person, clip, "rocket"))
        await refused(play, person, words, play.studio.say(person, "#1 9:16", thread=root))
        await refused(play, person, words, play.studio.click(person, card, "clip.promote"))
    assert len(play.bot.rows("select 1 from asks")) == 1


async def a_promotion_is_confirmed_by_whoever_may(play: Stage, clip: Json) -> None:
    """Above the limit: ben asked for the draft, chloe for the final; maya presses, and pays."""
    await play.studio.react("chloe", clip, "rocket")
    card = await play.card("whoever may spend here can confirm it, and then pays")
    await refused(play, "gus", KEPT_OUT["gus"], play.studio.click("gus", card, "clip.confirm"))
    assert len(play.bot.rows("select 1 from ledger where kind = 'hold'")) == 1

    await play.studio.click("maya", card, "clip.confirm")
    await play.clips(2)
    (final,) = play.bot.rows("select person from jobs where number = 2")
    assert final["person"] == await play.person_id("maya")
    await play.card(f"Confirmed by <@{final['person']}>, who pays.")


async def a_guest_is_let_in(play: Stage) -> None:
    """By the setting that the refusal names; no restart."""
    await changed(play, "guests.allow+=@gus")
    await play.studio.slash("gus", "/clip a paper boat")
    await play.clips(3)
    (job,) = play.bot.rows("select state from jobs where person = ?", await play.person_id("gus"))
    assert job["state"] in {"delivering", "delivered"}


async def a_closed_channel_is_closed_for_admins(play: Stage) -> None:
    answer = await play.studio.slash("maya", "/clip a red panda", channel="#dailies-two")
    assert "No clips are paid for in this channel" in said(answer)
    assert "channels.deny-=" in said(answer)


async def while_slack_does_not_say_nobody_new_spends(play: Stage) -> None:
    """Somebody whom the bot has not met yet; whom it knows, it goes on knowing."""
    await play.studio.post("/user", action="create", name="ada")
    await play.studio.post("/channel", action="join", channel="#dailies", user="ada")
    await play.studio.fault("slack:users.info", "before", "status", status=503, times=1)
    unknown = await play.studio.slash("ada", "/clip a red panda")
    assert "Slack did not say just now who you are" in said(unknown)
    priced = await play.studio.slash("ada", "/clip a red panda --takes 2")
    assert "Press *Confirm* on its card" in said(priced)
    ada = await play.person_id("ada")
    assert len(play.bot.rows("select 1 from asks where person = ?", ada)) == 1
    card = await play.card(f"only <@{ada}> can confirm it")
    await play.studio.click("ada", card, "clip.cancel")


# --- helpers --------------------------------------------------------------------------------------------------------


async def changed(play: Stage, assignments: str) -> None:
    """The workspace's owner sets that for all of it."""
    answer = await play.studio.slash("maya", f"/clip-settings workspace {assignments}")
    assert "Changed for the whole workspace" in said(answer)


def said(answer: Json) -> str:
    """The words that came with a command's acknowledgement."""
    return str(answer["payload"]["text"])


async def refused(play: Stage, person: str, words: str, act: Awaitable[object]) -> None:
    """Do it, and wait until that person is told once more why not."""
    identity = await play.person_id(person)

    def count(state: Json) -> int:
        shown = [one for place in state["channels"].values() for one in place["ephemerals"] if one["user"] == identity]
        return sum(words in one["text"] and "Nothing was charged" in one["text"] for one in shown)

    before = count(await play.studio.state())
    await act
    await play.studio.wait_until(lambda state: count(state) > before, what=f"{person} is told “{words}”")
