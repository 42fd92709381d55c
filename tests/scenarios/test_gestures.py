"""Reactions, buttons and replies: what each makes, what it costs, and what it must leave alone.

What people take back stands in test_taking_back.py.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.sandbox.driver import Json
from tests.scenarios.bot import Stage, number_of
from tests.scenarios.conftest import HTTP_IN_THE_STORM, MakeStage
from tests.scenarios.threads import (
    DRAFT,
    FINAL,
    card_with,
    clips_of,
    draft,
    heard,
    heard_again,
    jobs_of,
    money_of,
    payer_of,
    reply_card,
    spent,
)

pytestmark = [HTTP_IN_THE_STORM, pytest.mark.asyncio(loop_scope="module")]

SLACKS_PATIENCE = {"ack_timeout": 3.0}
"""Seconds in which Slack wants its answer."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def play(stage: MakeStage, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """One workspace and one bot; each test has a prompt, and so an ask and a thread, of its own."""
    place: Path = tmp_path_factory.mktemp("gestures")
    async with stage(place, PROMOTE_UNDO_SECONDS="0.3", PROVIDER_CONCURRENCY="10") as made:
        await made.provider(fidelity="cached", render_seconds=[0.05, 0.1])
        yield made


# --- promotions ------------------------------------------------------------------------------------------------------


@pytest.mark.row("F79")
async def test_the_promote_button_works_once_however_often_it_is_pressed(play: Stage) -> None:
    clip = await draft(play, "a tram in Lisbon")
    card = await card_with(play, clip, "clip.promote")

    await asyncio.gather(*(play.studio.click("chloe", card, "clip.promote", stale=True) for _ in range(3)))

    _, final = await clips_of(play, clip, 2)
    assert "Final of #1" in final["text"]
    assert await spent(play, "a tram in Lisbon") == DRAFT + FINAL
    assert await payer_of(play, "a tram in Lisbon", 2) == await play.person_id("chloe")


@pytest.mark.row("F79")
async def test_two_people_and_three_changes_of_mind_at_once_make_one_final(play: Stage) -> None:
    """The bot stands still meanwhile, so that all of it reaches it in one moment, in whatever order."""
    clip = await draft(play, "a lantern")
    with standing_still(play):
        await asyncio.gather(play.studio.react("chloe", clip, "rocket"), toggles(play, "ben", clip, times=3))
        assert [event["acked"] for event in (await play.studio.state())["events"][-7:]] == [False] * 7
    await clips_of(play, clip, 2)
    await heard(play)
    await play.at_rest("a lantern")

    assert [job["state"] for job in jobs_of(play, "a lantern")] == ["delivered"] * 2
    assert await spent(play, "a lantern") == DRAFT + FINAL
    assert await payer_of(play, "a lantern", 2) == await play.person_id("chloe"), "whose rocket stands"


async def toggles(play: Stage, person: str, clip: Json, *, times: int) -> None:
    """A rocket, and off again, one after the other without a pause: Slack itself takes neither twice."""
    for _ in range(times):
        await play.studio.react(person, clip, "rocket")
        await play.studio.react(person, clip, "rocket", remove=True)


@pytest.mark.row("F81")
async def test_a_rocket_before_the_bot_knows_the_message_is_not_lost(play: Stage) -> None:
    """The clip stands in the thread while Slack keeps the bot waiting for its message; the reaction comes then."""
    await play.studio.fault("slack:files.info", "amid", "status", status=503, times=4)
    await play.studio.slash("maya", "/clip a comet")
    root = await play.card("a comet")
    clip = (await clips_of(play, root, 1))[0]
    assert play.bot.rows("select 1 from jobs where message_ts = ?", clip["ts"]) == []

    await play.studio.react("dev", clip, "rocket", copies=3)

    _, final = await clips_of(play, clip, 2)
    assert "Final of #1" in final["text"]
    assert await spent(play, "a comet") == DRAFT + FINAL
    await play.studio.heal()


@pytest.mark.row("F82")
async def test_a_rocket_on_anything_but_a_draft_costs_nothing(play: Stage) -> None:
    """On a final, and on our cards, also of what failed or was cancelled: a hint. On somebody's words, in a reply or
    elsewhere, and by the bot itself: nothing at all."""
    await play.studio.fault("hiapi:outcome", "do", "fail", match={"prompt": "a torn kite"})
    await play.studio.slash("maya", "/clip a torn kite")
    await play.studio.slash("maya", "/clip a dear kite --takes 4")
    await play.studio.click("maya", await play.card("a dear kite"), "clip.cancel", stale=True)
    clip = await draft(play, "a kite")
    await play.studio.say("maya", "promote #1", thread=clip)
    final = (await clips_of(play, clip, 2))[1]
    await play.until_rows("select 1 from jobs where message_ts = ? and state = 'delivered'", final["ts"])
    await play.until_rows("select 1 from jobs where state = 'failed' and recipe like '%a torn kite%'")
    await play.until_rows("select 1 from jobs where state = 'cancelled' and recipe like '%a dear kite%'")
    before = await spent(play, "a kite"), len(play.bot.rows("select 1 from asks"))
    told = len(await play.studio.ephemerals())

    for person, words in (
        ("chloe", await play.studio.say("ben", "what a kite", thread=clip)),
        ("chloe", await play.studio.say("ben", "rockets are fun")),
        ("dailies", clip),
    ):
        await play.studio.react(person, words, "rocket")
    await heard(play)
    assert len(await play.studio.ephemerals()) == told

    await play.studio.react("ben", final, "rocket")
    hints = [await play.ephemeral("ben", "is a final already")]
    for person, card in (
        ("dev", await play.card("a kite")),
        ("maya", await reply_card(play, clip, "Final of #1")),
        ("chloe", await play.card("a torn kite")),
        ("olga", await play.card("a dear kite")),
    ):
        await play.studio.react(person, card, "rocket", copies=2)
        hints.append(await play.ephemeral(person, "react to the clip itself"))
    await play.studio.say("ben", "promote #1", thread=await play.card("a torn kite"))
    hints.append(await play.ephemeral("ben", "was never posted"))
    await heard(play)

    assert [hint["text"] for hint in hints if "Nothing was charged" not in hint["text"]] == []
    assert len(await play.studio.ephemerals()) == told + len(hints), "each is told once"
    assert (await spent(play, "a kite"), len(play.bot.rows("select 1 from asks"))) == before
    assert before[0] == DRAFT + FINAL
    await play.studio.heal()


@pytest.mark.row("F03", "F04")
async def test_however_slack_delivers_the_rockets_each_draft_gets_one_final(play: Stage) -> None:
    """Four times, late, only with a retry, while the bot stands still; and all of them again after a restart."""
    prompts = ("a heron", "a stork", "a crane", "an egret")
    drafts = dict(zip(prompts, await asyncio.gather(*(draft(play, prompt) for prompt in prompts)), strict=True))
    for person, fault in (
        ("ben", {"kind": "duplicate", "times": 4}),
        ("chloe", {"kind": "lose_first"}),
        ("dev", {"kind": "delay", "seconds": 0.5}),
    ):
        match = {"reaction": "rocket", "user": await play.person_id(person)}
        await play.studio.post("/faults", point="slack:event", phase="do", action=fault, match=match)

    for person, clip in zip(("ben", "chloe", "dev"), drafts.values(), strict=False):
        await play.studio.react(person, clip, "rocket")
    await play.studio.configure(ack_timeout=0.4)
    with standing_still(play):
        await play.studio.react("maya", drafts["an egret"], "rocket")
        await play.studio.wait_until(retried_twice, what="Slack has sent its last event again")
    await play.studio.configure(**SLACKS_PATIENCE)

    for clip in drafts.values():
        await clips_of(play, clip, 2)
    await play.at_rest()
    assert [fault["fired"] for fault in await play.studio.faults()] == [1, 1, 1]
    await play.studio.heal()
    asks = play.bot.rows("select id from asks")
    assert await play.bot.terminate() == 0
    await play.start_bot()
    await heard_again(play, last=20)
    await play.at_rest()

    assert play.bot.rows("select id from asks") == asks
    for prompt, clip in drafts.items():
        assert len(await clips_of(play, clip, 2)) == 2
        assert len(jobs_of(play, prompt)) == 2
        assert await spent(play, prompt) == DRAFT + FINAL


@contextlib.contextmanager
def standing_still(play: Stage) -> Iterator[None]:
    """The bot's process is stopped for the block, with its connections open."""
    os.kill(play.bot.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(play.bot.pid, signal.SIGCONT)


def retried_twice(state: Json) -> bool:
    """Whether the last event went unanswered twice and was sent once more."""
    return bool(state["events"][-1]["attempts"] >= 3)


async def test_a_promotion_above_the_limit_is_confirmed_and_paid_by_whoever_presses(play: Stage) -> None:
    """Eight seconds: the draft is below the usual limit of a dollar, its final above it."""
    clip = await draft(play, "a barn at dawn", options="--dur 8")
    await play.studio.react("ben", clip, "rocket")
    card = await reply_card(play, clip, "Press *Confirm* to spend it")
    assert money_of(play, "a barn at dawn")["held"] == 0

    await asyncio.gather(*(play.studio.click(person, card, "clip.confirm", stale=True) for person in ("chloe",) * 2))

    await clips_of(play, clip, 2)
    assert await spent(play, "a barn at dawn") == 2 * DRAFT + 2 * FINAL
    assert await payer_of(play, "a barn at dawn", 2) == await play.person_id("chloe")
    await reply_card(play, clip, f"Confirmed by <@{await play.person_id('chloe')}>, who pays.")


# --- replies ---------------------------------------------------------------------------------------------------------


async def test_replies_make_variants_of_the_clip_they_mean(play: Stage) -> None:
    """Alone, a clip needs no number; beside another it does. A named bot takes words; words alone are chat."""
    clip = await draft(play, "a mug of tea")

    await play.studio.say("ben", "9:16", thread=clip)
    tall = (await clips_of(play, clip, 2))[1]
    assert "Variant of #1" in tall["text"]
    assert "9:16" in tall["text"]

    await play.studio.say("ben", "9:16", thread=clip)
    asked = await play.ephemeral("ben", "There are several clips here (#1 and #2)")
    assert "Nothing was charged" in asked["text"]

    await play.studio.say("ben", "#2 8s", thread=clip)
    await reply_card(play, clip, "Variant of #2")
    await play.studio.say("dev", "@dailies #1 same but at night", thread=clip)
    _, _, longer, night = sorted(await clips_of(play, clip, 4), key=number_of)
    assert "Variant of #2" in longer["text"]
    assert "8 s" in longer["text"]
    assert "Variant of #1" in night["text"]
    assert "same but at night" in night["text"]

    charges = [charge for charge in await play.ledger() if charge["prompt"].startswith("a mug of tea")]
    assert sorted(charge["seconds"] for charge in charges) == [4, 4, 4, 8]


async def test_chat_in_a_thread_of_ours_costs_nothing_and_gets_no_answer(play: Stage) -> None:
    clip = await draft(play, "a canal")
    told = len(await play.studio.ephemerals())
    chat = ("+1", "thanks", "#1", "#1 is the winner", "love #1, 9:16 is too narrow", "30s", "— no way", "1. this one")
    for words in chat:
        await play.studio.say("ben", words, thread=clip)
    await heard(play)

    assert len(jobs_of(play, "a canal")) == 1
    assert len(await play.studio.ephemerals()) == told

    await play.studio.say("ben", "@dailies thanks", thread=clip)
    await play.ephemeral("ben", "makes one draft")
    assert len(jobs_of(play, "a canal")) == 1


async def test_a_thread_that_is_not_ours_is_left_alone(play: Stage) -> None:
    root = await play.studio.say("maya", "which format for the campaign?")
    before, told = len(play.bot.rows("select 1 from jobs")), len(await play.studio.ephemerals())
    for words in ("9:16", "#1 9:16", "promote #1", "#1 30s"):
        await play.studio.say("ben", words, thread=root)
    await heard(play)

    assert len(play.bot.rows("select 1 from jobs")) == before
    assert len(await play.studio.ephemerals()) == told
    assert [one for one in await play.studio.thread(root) if one.get("bot_id")] == []


async def test_thread_replies_can_be_narrowed_and_switched_off(stage: MakeStage, tmp_path: Path) -> None:
    """Narrowed, only what names the bot counts; after a restart with replies switched off, not even that."""
    async with stage(tmp_path, THREAD_REPLIES="mention", PROMOTE_UNDO_SECONDS="0.3") as own:
        await own.provider(fidelity="cached")
        clip = await draft(own, "a bridge")
        for words, jobs in (("9:16", 1), ("promote #1", 1), ("@dailies 9:16", 2)):
            await own.studio.say("ben", words, thread=clip)
            await heard(own)
            assert len(jobs_of(own, "a bridge")) == jobs, words

        assert await own.bot.terminate() == 0
        await own.start_bot(THREAD_REPLIES="off")
        for words in ("9:16", "promote #1", "@dailies 1:1"):
            await own.studio.say("ben", words, thread=clip)
        await heard(own)
        assert len(jobs_of(own, "a bridge")) == 2


# --- places ----------------------------------------------------------------------------------------------------------


async def test_in_a_channel_without_the_bot_the_asker_is_told_how_to_invite_it(play: Stage) -> None:
    await play.studio.slash("maya", "/clip a lobby", channel="#lobby")

    told = await play.ephemeral("maya", "/invite @Dailies", channel="#lobby")

    assert "Nothing was ordered or charged" in told["text"]
    (job,) = await play.until_rows("select * from jobs where state = 'failed' and recipe like '%a lobby%'")
    assert job["task_id"] is None
    assert play.bot.rows(
        "select sum(held_micro_usd) as held, sum(settled_micro_usd) as settled from ledger where job_id = ?", job["id"]
    ) == [{"held": 0, "settled": 0}]
    assert await spent(play, "a lobby") == 0
    assert [one for one in await play.studio.messages(channel="#lobby") if one.get("bot_id")] == []


@pytest.mark.storm
async def test_it_works_wherever_it_is_and_in_an_archived_channel_once_that_is_back(play: Stage) -> None:
    """A channel is archived under a clip, which is tried again seconds later; meanwhile a private channel and a
    direct message get theirs."""
    place = (await play.studio.post("/channel", action="create", name="pop-up", members=["maya", "dailies"]))["channel"]
    await play.studio.fault("hiapi:outcome", "do", "slow", factor=15, match={"prompt": "a parade"})
    await play.studio.slash("maya", "/clip a parade", channel=place)
    await play.until_rows("select 1 from jobs where state = 'rendering' and recipe like '%a parade%'")
    await play.studio.post("/channel", action="archive", channel=place)
    told = await play.ephemeral("maya", "Slack does not let it into its thread", channel=place)
    assert "a parade" in told["text"]
    assert "$0.32 was charged for it" in told["text"]
    await play.studio.post("/channel", action="unarchive", channel=place)

    await asyncio.gather(*(a_draft_and_its_final_stand_in(play, channel) for channel in ("#private", "dm")))

    await play.clips(1, channel=place, timeout=40)
    assert await spent(play, "a parade") == DRAFT


async def a_draft_and_its_final_stand_in(play: Stage, channel: str) -> None:
    prompt = f"a secret garden, {channel.strip('#')}"
    await play.studio.slash("maya", f"/clip {prompt}", channel=channel)
    place = jobs_of(play, prompt)[0]["channel"]
    (clip,) = await play.clips(1, channel=place)
    assert clip["channel"] == place

    await play.studio.react("maya", clip, "rocket", channel=place)

    _, final = await play.clips(2, channel=place)
    assert "Final of #1" in final["text"]
    assert await spent(play, prompt) == DRAFT + FINAL
