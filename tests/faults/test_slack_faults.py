"""Slack forgets, doubts, refuses and goes away: one clip and one card stand, and the person is told what holds it."""

import asyncio
from collections.abc import Mapping

import pytest

from bot.sandbox.slack.settings import BOT_SCOPES
from tests.faults.rig import Harm, Rig

pytestmark = pytest.mark.timeout(180)

storm = pytest.mark.storm

CALLS = (
    "chat.postMessage",
    "files.getUploadURLExternal",
    "upload",
    "files.completeUploadExternal",
    "files.info",
    "chat.update",
)
"""What the bot calls between an ask and its delivered clip."""

HARM: Mapping[str, Harm] = {
    "429": ("before", "ratelimit", {"retry_after": "1"}),
    "503": ("before", "status", {"status": 503}),
    "500 done": ("amid", "status", {"status": 500}),
    "reset": ("before", "reset", {}),
    "reset done": ("amid", "reset", {}),
    "half done": ("amid", "half_body", {}),
    "page done": ("amid", "html", {}),
    "garbage": ("before", "garbage", {}),
    "internal_error done": ("amid", "status", {"status": 200, "body": {"ok": False, "error": "internal_error"}}),
}
"""*done*: Slack has processed the call, and only its answer is lost."""


# --- every call, once ------------------------------------------------------------------------------------------------


@pytest.mark.row("F62", "F63", "F65", "F74")
@pytest.mark.parametrize(
    "harm", [pytest.param(one, marks=() if one == "reset done" else storm, id=one) for one in HARM]
)
async def test_every_call_may_go_wrong_once(rig: Rig, harm: str) -> None:
    phase, kind, action = HARM[harm]
    await rig.start()
    for call in CALLS:
        await rig.arm(f"slack:{call}", phase, kind, **action)
    await rig.accepted()
    await rig.delivered(within=100)
    assert await rig.fired() == len(CALLS)


@pytest.mark.row("F62", "F63", "F65", "F74")
@storm
@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize("call", CALLS)
async def test_a_call_may_go_wrong_twice(rig: Rig, call: str, harm: str) -> None:
    phase, kind, action = HARM[harm]
    await rig.start()
    await rig.arm(f"slack:{call}", phase, kind, times=2, **action)
    await rig.accepted()
    await rig.delivered(within=100)


@pytest.mark.row("F74")
@storm
async def test_a_card_whose_answer_never_comes_stands_once(rig: Rig) -> None:
    """Slack has posted it and says nothing: it is found in the channel, not posted again."""
    await rig.start()
    await rig.arm("slack:chat.postMessage", "amid", "hang")
    await rig.accepted()
    await rig.delivered(within=60)


@pytest.mark.row("F74")
@storm
async def test_a_card_that_slack_posts_after_our_time_out_stands_once(rig: Rig) -> None:
    """We wait 15 seconds for the answer; a look after them finds nothing yet."""
    await rig.start()
    await rig.arm("slack:chat.postMessage", "before", "delay", seconds=18, kept=True)
    await rig.accepted()
    await rig.delivered(within=60)
    assert await rig.fired() == 1


@pytest.mark.row("F74")
@storm
async def test_a_card_that_slack_has_in_hand_at_a_kill_stands_once(rig: Rig) -> None:
    """The new process looks before it is posted."""
    await rig.start()
    await rig.arm("slack:chat.postMessage", "before", "delay", seconds=5, kept=True)
    await rig.accepted()
    while not await rig.fired():
        await asyncio.sleep(0.02)
    await rig.bot.kill()
    assert await rig.cards() == []
    await rig.restart()
    await rig.delivered(within=60)


@pytest.mark.row("F74")
@storm
async def test_a_card_is_read_back_also_when_reading_fails_at_first(rig: Rig) -> None:
    await rig.start()
    await rig.arm("slack:chat.postMessage", "amid", "reset")
    await rig.arm("slack:conversations.history", "before", "status", status=503, times=2)
    await rig.accepted()
    await rig.delivered()
    assert await rig.fired() == 3


@pytest.mark.row("F74")
async def test_a_card_that_cannot_be_read_back_is_repeated_once_and_then_given_up(rig: Rig) -> None:
    """Without the scopes that let us look, the card may stand twice, and never more often; nothing is ordered."""
    readable = [scope for scope in BOT_SCOPES if not scope.endswith(":history")]
    await rig.studio.post("/token", scopes=readable)
    posts = await rig.posts()
    await rig.start()
    await rig.arm("slack:chat.postMessage", "amid", "reset", times=-1)
    await rig.accepted()
    told = await rig.told("maya", "Slack did not say whether the card of your ask")
    assert "Nothing was ordered or charged" in told["text"]
    assert await rig.fired() == 2
    assert rig.bot.rows("select state, task_id from jobs") == [{"state": "failed", "task_id": None}]
    sums = rig.play.sums()
    assert (sums["held_micro_usd"], sums["settled_micro_usd"]) == (0, 0)
    assert await rig.posts() == posts
    assert len(await rig.private("maya", "Slack did not say")) == 1


@pytest.mark.storm
@pytest.mark.row("F71")
async def test_a_share_that_slack_has_no_time_for_is_sent_again_when_it_asked(rig: Rig) -> None:
    """429 says that nothing was done: nothing is waited for but the time that Slack named."""
    await rig.start()
    await rig.arm("slack:files.completeUploadExternal", "before", "ratelimit", retry_after="2")
    await rig.accepted()
    await rig.delivered(within=22)


# --- shares ----------------------------------------------------------------------------------------------------------


@pytest.mark.storm
@pytest.mark.row("F66")
async def test_a_share_that_slack_drops_is_sent_again_within_a_minute(rig: Rig) -> None:
    await rig.start()
    await rig.arm("slack:share", "do", "drop")
    await rig.accepted()
    await rig.delivered(within=60)
    assert await _deleted_files(rig) == 1


@pytest.mark.row("F67")
@storm
async def test_a_share_that_comes_late_does_not_stand_beside_another(rig: Rig) -> None:
    """After 45 seconds Slack would show the first file: it was deleted before the second was sent."""
    await rig.start()
    await rig.arm("slack:share", "do", "delay", seconds=45)
    await rig.accepted()
    await rig.delivered(within=60)
    (channel,) = (await rig.studio.get("/state", channel=rig.channel))["channels"]
    shares = await rig.studio.calls("files.completeUploadExternal")
    first = next(call for call in shares if call["arguments"].get("channel_id") == channel)
    await rig.wall_clock(first["at"] + 47)
    await rig.check()


@pytest.mark.row("F67")
@storm
async def test_a_share_that_comes_within_seconds_is_waited_for(rig: Rig) -> None:
    await rig.start()
    await rig.arm("slack:share", "do", "delay", seconds=8)
    await rig.accepted()
    await rig.delivered()
    assert await _deleted_files(rig) == 0


async def _deleted_files(rig: Rig) -> int:
    """How many files of this case's job were deleted again."""
    names = {row["id"] for row in rig.bot.rows("select id from jobs")}
    files = (await rig.studio.state())["files"].values()
    return sum(1 for file in files if file["deleted"] and any(name in file["name"] for name in names))


# --- the place -------------------------------------------------------------------------------------------------------


@pytest.mark.row("F68")
@storm
@pytest.mark.parametrize("how", ["kicked", "archived"])
async def test_a_clip_that_may_not_be_posted_is_kept_told_and_posted_when_it_may(rig: Rig, how: str) -> None:
    await rig.studio.post("/providers/hiapi/settings", render_seconds=1.5)
    await rig.start()
    await rig.accepted()
    await rig.charged()
    await rig.shut_out(how)
    told = await rig.told("maya", "does not let it into its thread")
    assert "It is tried again by itself" in told["text"]
    assert rig.bot.rows("select state from jobs") == [{"state": "delivering"}]
    await rig.let_in(how)
    await rig.delivered()
    assert len(await rig.private("maya", "does not let it into its thread")) == 1, "told once, not at every try"


async def test_where_the_card_may_not_be_posted_nothing_is_ordered(rig: Rig) -> None:
    await rig.start()
    await rig.shut_out("kicked")
    posts = await rig.posts()
    await rig.accepted()
    await rig.told("maya", "Nothing was ordered or charged")
    sums = rig.play.sums()
    assert (sums["held_micro_usd"], sums["settled_micro_usd"]) == (0, 0)
    assert await rig.posts() == posts


@pytest.mark.row("F69")
@storm
async def test_a_revoked_token_keeps_the_clip_until_there_is_a_good_one(rig: Rig) -> None:
    await rig.studio.post("/providers/hiapi/settings", render_seconds=1.5)
    await rig.start()
    await rig.accepted()
    await rig.charged()
    await rig.studio.post("/token", refuse="token_revoked")
    await rig.logged("clip.not_delivered")
    calls = len(await rig.studio.calls("files.getUploadURLExternal"))
    await asyncio.sleep(5)  # The time is the subject: a dead token is not hammered.
    assert len(await rig.studio.calls("files.getUploadURLExternal")) - calls <= 1
    await rig.studio.post("/token", refuse=None)
    await rig.delivered()


@pytest.mark.row("F72", "F90")
@storm
async def test_slack_may_be_away_for_twenty_seconds(rig: Rig) -> None:
    await rig.studio.post("/providers/hiapi/settings", render_seconds=1.5)
    await rig.start()
    await rig.accepted()
    await rig.charged()
    await rig.arm("slack:*", "before", "reset", times=-1)
    await rig.studio.post("/sockets", action="kill")
    await asyncio.sleep(20)  # The time is the subject.
    await rig.studio.heal()
    await rig.delivered(within=60)
    await rig.accepted("afterwards")
    await rig.ended(asks=2)
    await rig.check(clips=2, asks=2)


# --- people delete ---------------------------------------------------------------------------------------------------


@pytest.mark.row("F70", "F75")
async def test_a_deleted_card_is_posted_again_once_and_the_clip_comes(rig: Rig) -> None:
    """The card was its thread's root: the clip stands in the new card's thread."""
    await rig.studio.post("/providers/hiapi/settings", render_seconds=2)
    await rig.start()
    await rig.accepted()
    await rig.charged()
    card = await rig.card()
    await rig.studio.delete("maya", card.ts, channel=rig.channel)
    await rig.delivered()


@pytest.mark.row("F70", "F75")
@storm
async def test_a_card_deleted_over_its_clips_is_posted_again_once(rig: Rig) -> None:
    """A root with replies stays as a tombstone: the next clips of its thread still come, and one card says so."""
    await rig.start()
    await rig.arm("hiapi:outcome", "do", "slow", factor=20)
    await rig.accepted("--takes 2")
    await rig.play.clips(1, channel=rig.channel)
    card = await rig.card()
    await rig.studio.delete("maya", card.ts, channel=rig.channel)
    await rig.ended()
    history = await rig.history()
    assert len(history.clips) == 2
    assert len(history.cards) == 1
    assert len(history.paid) == 2
    await rig.books_balance(history)


@pytest.mark.row("F70", "F75")
async def test_a_last_word_is_said_on_a_new_card_when_the_old_one_was_deleted(rig: Rig) -> None:
    """The render fails: with the card gone nobody would ever hear of it."""
    await rig.studio.post("/providers/hiapi/settings", render_seconds=2)
    await rig.start()
    await rig.arm("hiapi:outcome", "do", "fail", reason="policy")
    await rig.accepted()
    await rig.charged()
    card = await rig.card()
    await rig.studio.delete("maya", card.ts, channel=rig.channel)
    await rig.says("refused this prompt")
    await rig.check(clips=0)


@storm
async def test_a_card_that_could_not_be_edited_is_edited_when_it_can(rig: Rig) -> None:
    """The render fails while the app is shut out; let in again, the card says so within a minute."""
    await rig.studio.post("/providers/hiapi/settings", render_seconds=2)
    await rig.start()
    await rig.arm("hiapi:outcome", "do", "fail", reason="policy")
    await rig.accepted()
    await rig.charged()
    await rig.shut_out("kicked")
    await rig.logged("card.not_drawn")
    await rig.let_in("kicked")
    await rig.says("refused this prompt", within=60)
    await rig.check(clips=0)


@pytest.mark.row("F70", "F75")
@storm
async def test_a_deleted_root_is_replaced_also_across_a_kill(rig: Rig) -> None:
    await rig.studio.post("/providers/hiapi/settings", render_seconds=2)
    await rig.start()
    await rig.accepted()
    await rig.charged()
    card = await rig.card()
    await rig.studio.delete("maya", card.ts, channel=rig.channel)
    await rig.arm("slack:chat.postMessage", "amid")
    await rig.died()
    await rig.restart()
    await rig.delivered()


# --- reactions -------------------------------------------------------------------------------------------------------


@storm
async def test_an_undo_window_ends_only_once_the_reactions_can_be_read(rig: Rig) -> None:
    await rig.start()
    await rig.accepted()
    await rig.ended()
    (clip,) = await rig.play.clips(1, channel=rig.channel)
    await rig.arm("slack:reactions.get", "before", "status", status=503, times=2)
    await rig.studio.react("ben", clip, "rocket", channel=rig.channel)
    await rig.play.clips(2, channel=rig.channel)
    await rig.ended(asks=2)
    assert await rig.fired() == 2
    await rig.books_balance(await rig.check(clips=2, asks=2))
