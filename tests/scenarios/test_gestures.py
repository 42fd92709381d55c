"""Reactions, buttons and replies: what each makes, what it costs, and what it must leave alone."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.sandbox.driver import Json, buttons, channel_in
from tests.scenarios.bot import Stage, stage

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(60)]

DRAFT, FINAL = 320_000, 600_000
"""Micro-dollars of four seconds at 480p and at 720p."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def play(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """One workspace and one bot; each test has a prompt, and so an ask and a thread, of its own."""
    place: Path = tmp_path_factory.mktemp("gestures")
    async with stage(place, PROMOTE_UNDO_SECONDS="1.5", PROVIDER_CONCURRENCY="10") as made:
        await made.provider(fidelity="cached", render_seconds=[0.05, 0.1])
        yield made


# --- promotions ------------------------------------------------------------------------------------------------------


async def test_a_rocket_taken_back_within_the_window_makes_no_final(play: Stage) -> None:
    clip = await draft(play, "a fox in snow")
    await play.studio.react("ben", clip, "rocket")
    await reply_card(play, clip, "Final of #1")
    await play.studio.react("ben", clip, "rocket", remove=True)

    await reply_card(play, clip, "This was taken back before anything was ordered. Nothing was charged.")

    assert await play.until_rows("select 1 from jobs where number = 2 and state = 'cancelled'")
    assert await spent(play, "a fox in snow") == DRAFT


async def test_a_rocket_that_one_of_two_people_takes_back_is_paid_by_the_other(play: Stage) -> None:
    clip = await draft(play, "an owl at dusk")
    await play.studio.react("ben", clip, "rocket")
    await play.studio.react("chloe", clip, "rocket")
    await reply_card(play, clip, "Final of #1")
    await play.studio.react("ben", clip, "rocket", remove=True)

    await clips_of(play, clip, 2)

    assert await spent(play, "an owl at dusk") == DRAFT + FINAL
    assert await payer_of(play, "an owl at dusk", 2) == await play.person_id("chloe")


async def test_undo_stops_a_promotion_for_free_and_is_for_those_who_asked(play: Stage) -> None:
    clip = await draft(play, "a whale breaching")
    await play.studio.react("ben", clip, "rocket")
    card = await reply_card(play, clip, "Final of #1")
    await play.studio.click("dev", card, "clip.undo")
    await play.ephemeral("dev", "may undo this")

    await play.studio.click("ben", card, "clip.undo")

    ended = await reply_card(play, clip, "before anything was ordered. Nothing was charged.")
    assert "clip.undo" not in buttons(ended)
    assert await spent(play, "a whale breaching") == DRAFT


async def test_the_promote_button_works_once_however_often_it_is_pressed(play: Stage) -> None:
    clip = await draft(play, "a tram in Lisbon")
    card = await card_with(play, clip, "clip.promote")

    await asyncio.gather(*(play.studio.click("chloe", card, "clip.promote", stale=True) for _ in range(3)))

    _, final = await clips_of(play, clip, 2)
    assert "Final of #1" in final["text"]
    assert await spent(play, "a tram in Lisbon") == DRAFT + FINAL
    assert await payer_of(play, "a tram in Lisbon", 2) == await play.person_id("chloe")


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


async def test_a_rocket_on_anything_but_a_draft_costs_nothing(play: Stage) -> None:
    """On a final: a hint. On somebody's words, on a card, by the bot itself: nothing at all."""
    clip = await draft(play, "a kite")
    await play.studio.say("maya", "promote #1", thread=clip)
    final = (await clips_of(play, clip, 2))[1]
    await play.until_rows("select 1 from jobs where message_ts = ? and state = 'delivered'", final["ts"])
    words = await play.studio.say("ben", "what a kite")

    await play.studio.react("ben", final, "rocket")
    hint = await play.ephemeral("ben", "is a final already")
    await play.studio.react("ben", words, "rocket")
    await play.studio.react("ben", await play.card("a kite"), "rocket")
    await play.studio.react("dailies", clip, "rocket")
    await heard(play)

    assert "Nothing was charged" in hint["text"]
    assert await spent(play, "a kite") == DRAFT + FINAL
    assert len(jobs_of(play, "a kite")) == 2


async def test_one_rocket_delivered_often_and_again_after_a_restart_makes_one_final(tmp_path: Path) -> None:
    async with stage(tmp_path) as own:
        await own.provider(fidelity="cached")
        clip = await draft(own, "a heron")
        await own.studio.react("ben", clip, "rocket", copies=4)
        await clips_of(own, clip, 2)
        await own.at_rest()
        assert await own.bot.terminate() == 0
        await own.start_bot()

        again = await own.studio.post("/redeliver", last=20)
        assert again["redelivered"]
        await heard(own)
        await own.at_rest()

        assert len(await own.clip_messages()) == 2
        assert await spent(own, "a heron") == DRAFT + FINAL
        assert len(own.bot.rows("select 1 from asks")) == 2


async def test_a_promotion_above_the_limit_is_confirmed_and_paid_by_whoever_presses(tmp_path: Path) -> None:
    async with stage(tmp_path, CONFIRM_ABOVE_USD="0.5") as own:
        await own.provider(fidelity="cached")
        clip = await draft(own, "a barn at dawn")
        await own.studio.react("ben", clip, "rocket")
        card = await reply_card(own, clip, "Press *Confirm* to spend it")
        assert own.sums()["held_micro_usd"] == 0

        await asyncio.gather(
            *(own.studio.click(person, card, "clip.confirm", stale=True) for person in ("chloe", "chloe"))
        )

        await clips_of(own, clip, 2)
        assert await spent(own, "a barn at dawn") == DRAFT + FINAL
        assert await payer_of(own, "a barn at dawn", 2) == await own.person_id("chloe")
        await reply_card(own, clip, f"Confirmed by <@{await own.person_id('chloe')}>, who pays.")


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
    longer = (await clips_of(play, clip, 3))[2]
    assert "Variant of #2" in longer["text"]
    assert "8 s" in longer["text"]

    await play.studio.say("dev", "@dailies #1 same but at night", thread=clip)
    night = (await clips_of(play, clip, 4))[3]
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


@pytest.mark.parametrize(("mode", "made_of_mention"), [("mention", True), ("off", False)])
async def test_thread_replies_can_be_narrowed_and_switched_off(
    tmp_path: Path, mode: str, made_of_mention: bool
) -> None:
    async with stage(tmp_path, THREAD_REPLIES=mode) as own:
        await own.provider(fidelity="cached")
        clip = await draft(own, "a bridge")
        await own.studio.say("ben", "9:16", thread=clip)
        await own.studio.say("ben", "promote #1", thread=clip)
        await heard(own)
        assert len(jobs_of(own, "a bridge")) == 1

        await own.studio.say("ben", "@dailies 9:16", thread=clip)
        await heard(own)
        assert len(jobs_of(own, "a bridge")) == 1 + made_of_mention


# --- cancelling ------------------------------------------------------------------------------------------------------


async def test_cancelling_what_waits_in_the_queue_releases_its_hold(tmp_path: Path) -> None:
    """One place at the provider, taken for long: the second ask is stopped before anything of it is ordered."""
    async with stage(tmp_path, PROVIDER_CONCURRENCY="1") as own:
        await own.provider(fidelity="cached", render_seconds=[8, 8])
        await own.studio.slash("maya", "/clip the first")
        await own.until_rows("select 1 from jobs where state = 'rendering'")
        await own.studio.slash("maya", "/clip the second")
        card = await own.card("the second")

        await own.studio.react("ben", card, "x")
        await heard(own)
        assert jobs_of(own, "the second")[0]["cancel_by"] is None
        await own.studio.react("maya", card, "x")

        await own.until_rows("select 1 from jobs where state = 'cancelled'")
        await own.card("Nothing was charged.")
        sums = own.sums()
        assert (sums["held_micro_usd"], sums["released_micro_usd"]) == (DRAFT, DRAFT)
        assert [charge["prompt"] for charge in await own.ledger()] == ["the first"]


async def test_cancelling_what_is_being_rendered_keeps_the_paid_clip_and_posts_it_only_when_wanted(play: Stage) -> None:
    await play.provider(render_seconds=[1.5, 1.5])
    await play.studio.slash("maya", "/clip a glacier")
    card = await play.card("a glacier")
    await play.until_rows("select 1 from jobs where state = 'rendering'")
    await play.studio.click("maya", card, "clip.cancel")

    kept = await card_with(play, card, "clip.deliver_again")
    assert await clips_of(play, card, 0) == []
    assert await spent(play, "a glacier") == DRAFT
    assert "$0.32" in kept["text"]

    await asyncio.gather(*(play.studio.click("ben", kept, "clip.deliver_again", stale=True) for _ in range(2)))
    await clips_of(play, card, 1)
    await play.at_rest()
    assert len(await clips_of(play, card, 1)) == 1
    assert await spent(play, "a glacier") == DRAFT
    await play.provider(render_seconds=[0.05, 0.1])


async def test_cancelling_while_the_clip_is_downloaded_keeps_it_and_posts_it_only_when_wanted(play: Stage) -> None:
    await play.studio.fault("hiapi:download", "before", "delay", seconds=2)
    await play.studio.slash("maya", "/clip a waterfall")
    card = await play.card("a waterfall")
    await play.until_rows("select 1 from jobs where state = 'downloading' and recipe like '%a waterfall%'")
    await play.studio.click("maya", card, "clip.cancel", stale=True)

    kept = await card_with(play, card, "clip.deliver_again")
    (job,) = jobs_of(play, "a waterfall")
    assert (job["state"], job["file_id"]) == ("cancelled", None)
    assert (play.bot.media / job["clip_key"]).stat().st_size == job["clip_bytes"]
    assert await clips_of(play, card, 0) == []

    await asyncio.gather(*(play.studio.click("ben", kept, "clip.deliver_again", stale=True) for _ in range(2)))
    await clips_of(play, card, 1)
    await play.at_rest()
    assert len(await clips_of(play, card, 1)) == 1
    assert await spent(play, "a waterfall") == DRAFT


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


async def test_a_channel_archived_meanwhile_gets_its_clip_when_it_is_back(play: Stage) -> None:
    await play.provider(render_seconds=[1.0, 1.0])
    place = (await play.studio.post("/channel", action="create", name="pop-up", members=["maya", "dailies"]))["channel"]
    await play.studio.slash("maya", "/clip a parade", channel=place)
    await play.until_rows("select 1 from jobs where state = 'rendering'")
    await play.studio.post("/channel", action="archive", channel=place)

    told = await play.ephemeral("maya", "Slack does not let it into its thread", channel=place)
    assert "a parade" in told["text"]
    assert "$0.32 was charged for it" in told["text"]
    await play.provider(render_seconds=[0.05, 0.1])
    await play.studio.post("/channel", action="unarchive", channel=place)

    await play.clips(1, channel=place, timeout=40)
    assert await spent(play, "a parade") == DRAFT


@pytest.mark.parametrize("channel", ["#private", "dm"])
async def test_it_works_in_private_channels_and_in_direct_messages(play: Stage, channel: str) -> None:
    prompt = f"a secret garden, {channel.strip('#')}"
    await play.studio.slash("maya", f"/clip {prompt}", channel=channel)
    place = play.bot.rows("select channel from jobs order by created_at desc limit 1")[0]["channel"]
    (clip,) = await play.clips(1, channel=place)
    assert clip["channel"] == place

    await play.studio.react("maya", clip, "rocket", channel=place)

    _, final = await play.clips(2, channel=place)
    assert "Final of #1" in final["text"]
    assert await spent(play, prompt) == DRAFT + FINAL


# --- looking ---------------------------------------------------------------------------------------------------------


async def draft(play: Stage, prompt: str) -> Json:
    """One draft's clip, once the bot knows its message."""
    await play.studio.slash("maya", f"/clip {prompt}")
    (clip,) = await clips_of(play, await play.card(prompt), 1)
    await play.until_rows("select 1 from jobs where message_ts = ? and state = 'delivered'", clip["ts"])
    return clip


async def clips_of(play: Stage, message: Json, count: int) -> list[Json]:
    """The clips in a message's thread, by number, once there are that many."""
    root = message.get("thread_ts") or message["ts"]

    def standing(state: Json) -> list[Json] | None:
        place = channel_in(state, message["channel"])["messages"]
        found = [one for one in place if one.get("files") and one.get("thread_ts") == root and not one["deleted"]]
        return found if len(found) >= count else None

    if count == 0:
        return [one for one in await play.studio.thread(message) if one.get("files")]
    return await play.studio.wait_until(standing, timeout=30, what=f"{count} clips in the thread")


async def reply_card(play: Stage, clip: Json, text: str) -> Json:
    """The card in a clip's thread that says this."""
    return await play.studio.message_where(
        lambda one: one.get("thread_ts") == clip["thread_ts"] and not one.get("files") and text in one["text"],
        channel=clip["channel"],
        timeout=15,
        what=f"a card in the thread says “{text}”",
    )


async def card_with(play: Stage, message: Json, action_id: str) -> Json:
    """The card at the root of a message's thread, once it has that button."""
    root = message.get("thread_ts") or message["ts"]
    return await play.studio.message_where(
        lambda one: one["ts"] == root and action_id in buttons(one),
        channel=message["channel"],
        timeout=15,
        what=f"the card has {action_id}",
    )


async def heard(play: Stage) -> None:
    """Wait until the bot has acknowledged every event so far: it does so when it has acted on it."""
    await play.studio.wait_until(
        lambda state: all(event["acked"] or event["given_up"] for event in state["events"]),
        what="every event is acknowledged",
    )


async def spent(play: Stage, prompt: str) -> int:
    """What the provider has charged for this prompt, in micro-dollars."""
    return sum(charge["micro_usd"] for charge in await play.ledger() if charge["prompt"] == prompt)


def jobs_of(play: Stage, prompt: str) -> list[Json]:
    """The jobs of this prompt."""
    return play.bot.rows("select * from jobs where recipe like ? order by number", f"%{prompt}%")


async def payer_of(play: Stage, prompt: str, number: int) -> str:
    """Whose allowance a job was settled against."""
    (job,) = [job for job in jobs_of(play, prompt) if job["number"] == number]
    (row,) = await play.until_rows("select person from ledger where job_id = ? and settled_micro_usd > 0", job["id"])
    return str(row["person"])
