"""What people take back: rockets, promotions within their undo window, and asks at every step before the clip."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.sandbox.driver import Json, buttons
from tests.scenarios.bot import Stage
from tests.scenarios.conftest import HTTP_IN_THE_STORM, MakeStage
from tests.scenarios.threads import (
    DRAFT,
    FINAL,
    card_says,
    card_with,
    clips_of,
    draft,
    heard,
    jobs_of,
    money_of,
    payer_of,
    reply_card,
    spent,
)

pytestmark = [HTTP_IN_THE_STORM, pytest.mark.asyncio(loop_scope="module")]

PLACES = 2
"""How much the provider does at once."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def play(stage: MakeStage, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """One workspace and one bot; each test has a prompt, and so an ask and a thread, of its own."""
    place: Path = tmp_path_factory.mktemp("taking-back")
    async with stage(place, PROMOTE_UNDO_SECONDS="4", PROVIDER_CONCURRENCY=str(PLACES)) as made:
        await made.provider(fidelity="cached", render_seconds=[0.05, 0.1])
        yield made


@pytest.mark.row("F80")
async def test_a_rocket_taken_back_within_the_window_counts_no_more(play: Stage) -> None:
    """Drafts side by side: when nobody's rocket is left there is no final; when one is left, its owner pays; and so
    when Slack delivers each event three times."""
    await asyncio.gather(
        the_only_rocket_is_taken_back(play),
        one_of_two_rockets_is_taken_back(play),
        every_event_comes_three_times(play),
    )


async def the_only_rocket_is_taken_back(play: Stage) -> None:
    clip = await draft(play, "a fox in snow")
    await play.studio.react("ben", clip, "rocket")
    await reply_card(play, clip, "Final of #1")
    await play.studio.react("ben", clip, "rocket", remove=True)

    await reply_card(play, clip, "This was taken back before anything was ordered. Nothing was charged.")

    assert [job["state"] for job in jobs_of(play, "a fox in snow")] == ["delivered", "cancelled"]
    assert await spent(play, "a fox in snow") == DRAFT


async def one_of_two_rockets_is_taken_back(play: Stage) -> None:
    clip = await draft(play, "an owl at dusk")
    await play.studio.react("ben", clip, "rocket")
    await play.studio.react("chloe", clip, "rocket")
    await reply_card(play, clip, "Final of #1")
    await play.studio.react("ben", clip, "rocket", remove=True)

    await clips_of(play, clip, 2)

    assert await spent(play, "an owl at dusk") == DRAFT + FINAL
    assert await payer_of(play, "an owl at dusk", 2) == await play.person_id("chloe")


async def every_event_comes_three_times(play: Stage) -> None:
    """Ben's rocket is taken back, Chloe's stands in the end: one final, and she pays."""
    clip = await draft(play, "a badger at noon")
    for person, remove in (("ben", False), ("chloe", False), ("ben", True), ("chloe", True), ("chloe", False)):
        await play.studio.react(person, clip, "rocket", remove=remove, copies=3)

    await clips_of(play, clip, 2)
    await play.at_rest("a badger at noon")

    assert [job["state"] for job in jobs_of(play, "a badger at noon")] == ["delivered"] * 2
    assert await spent(play, "a badger at noon") == DRAFT + FINAL
    assert await payer_of(play, "a badger at noon", 2) == await play.person_id("chloe")


@pytest.mark.row("F80")
async def test_a_rocket_taken_back_too_late_is_paid_and_one_heard_of_too_late_is_not(play: Stage) -> None:
    """Two drafts side by side: one rocket is taken back after the order, of the other its removal is heard of first."""
    await asyncio.gather(it_is_taken_back_after_the_order(play), its_removal_is_heard_of_first(play))


async def its_removal_is_heard_of_first(play: Stage) -> None:
    clip = await draft(play, "a hare at dawn")
    added = {"type": "reaction_added", "user": await play.person_id("dev")}
    late = await play.studio.fault("slack:event", "do", "delay", seconds=1, match=added)
    await play.studio.react("dev", clip, "rocket")
    await play.studio.react("dev", clip, "rocket", remove=True)
    await play.studio.wait_until(removed_before_added, what="the removal is acknowledged and the rocket not sent yet")

    await reply_card(play, clip, "This was taken back before anything was ordered. Nothing was charged.")

    await play.studio.heal(late)
    assert [job["state"] for job in jobs_of(play, "a hare at dawn")] == ["delivered", "cancelled"]
    assert await spent(play, "a hare at dawn") == DRAFT


def removed_before_added(state: Json) -> bool:
    """Whether every removal so far was acknowledged, while a rocket was not even sent."""
    removals = [event["acked"] for event in state["events"] if event["type"] == "reaction_removed"]
    return all(removals) and any(
        event["attempts"] == 0 for event in state["events"] if event["type"] == "reaction_added"
    )


async def it_is_taken_back_after_the_order(play: Stage) -> None:
    """While the final is rendered, and again when it stands; each event comes twice, and is answered once."""
    slow = await play.studio.fault(
        "hiapi:outcome", "do", "slow", factor=15, match={"prompt": "a lynx", "resolution": "720p"}
    )
    clip = await draft(play, "a lynx")
    await play.studio.react("ben", clip, "rocket")
    await play.until_rows("select 1 from jobs where state = 'rendering' and recipe like '%a lynx%'")

    await play.studio.react("ben", clip, "rocket", remove=True, copies=2)
    told = await play.ephemeral("ben", "too late for final #2")
    await clips_of(play, clip, 2)
    await play.at_rest("a lynx")
    await play.studio.react("ben", clip, "rocket")
    await play.studio.react("ben", clip, "rocket", remove=True, copies=2)
    told_again = await play.ephemeral("ben", "Final #2 is made already")
    await heard(play)

    assert "nothing is given back" in told["text"]
    assert "gives nothing of its price back" in told_again["text"]
    words = ("final #2", "Final #2")
    assert sum(any(word in one["text"] for word in words) for one in await play.studio.ephemerals()) == 2
    assert [job["state"] for job in jobs_of(play, "a lynx")] == ["delivered"] * 2
    assert money_of(play, "a lynx") == {"held": 0, "settled": DRAFT + FINAL, "released": 0}
    assert await spent(play, "a lynx") == DRAFT + FINAL
    await play.studio.heal(slow)


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


@pytest.mark.row("F80")
async def test_cancelling_after_the_order_keeps_the_paid_clip_and_posts_it_only_when_wanted(play: Stage) -> None:
    """Two asks side by side: one is cancelled while it is rendered, the other while it is downloaded."""
    await play.studio.fault("hiapi:outcome", "do", "slow", factor=20, match={"prompt": "a glacier"})
    await play.studio.fault("hiapi:download", "before", "delay", seconds=2, match={"prompt": "a waterfall"})

    rendered, downloaded = await asyncio.gather(
        cancelled_amid(play, "a glacier", "rendering"), cancelled_amid(play, "a waterfall", "downloading")
    )

    for card in (rendered, downloaded):
        assert "$0.32" in card["text"]
        await asyncio.gather(*(play.studio.click("ben", card, "clip.deliver_again", stale=True) for _ in range(2)))
    for prompt, card in (("a glacier", rendered), ("a waterfall", downloaded)):
        await clips_of(play, card, 1)
        await play.at_rest(prompt)
        assert len(await clips_of(play, card, 1)) == 1
        assert await spent(play, prompt) == DRAFT


async def cancelled_amid(play: Stage, prompt: str, state: str) -> Json:
    """Ask, cancel in this state, and wait for the card that offers the clip: it is paid, kept, and not posted."""
    await play.studio.slash("maya", f"/clip {prompt}")
    card = await play.card(prompt)
    await play.until_rows("select 1 from jobs where state = ? and recipe like ?", state, f"%{prompt}%")
    await play.studio.click("maya", card, "clip.cancel", stale=True)

    kept = await card_with(play, card, "clip.deliver_again")

    (job,) = jobs_of(play, prompt)
    assert (job["state"], job["file_id"]) == ("cancelled", None)
    assert (play.bot.media / job["clip_key"]).stat().st_size == job["clip_bytes"]
    assert await clips_of(play, card, 0) == []
    assert await spent(play, prompt) == DRAFT
    return kept


@pytest.mark.row("F80")
async def test_a_rocket_taken_back_while_its_final_waits_for_a_place_costs_nothing(play: Stage) -> None:
    """The window is over and the money held: the reactions are read once more when the place is free."""
    clip = await draft(play, "a heron")
    busy = await play.studio.fault("hiapi:outcome", "do", "slow", factor=60, match={"prompt": "two boats"})
    await play.studio.slash("maya", f"/clip two boats --takes {PLACES}")
    taken = "select count(*) from jobs where state = 'rendering' and recipe like '%two boats%'"
    await play.until_rows(f"select 1 where ({taken}) = ?", PLACES)
    await play.studio.react("ben", clip, "rocket")
    await play.until_rows("select 1 from jobs where state = 'queued' and recipe like '%a heron%'")

    await play.studio.react("ben", clip, "rocket", remove=True)
    await play.ephemeral("ben", "once more right before its order")

    await reply_card(play, clip, "no longer stood")
    assert [job["state"] for job in jobs_of(play, "a heron")] == ["delivered", "cancelled"]
    assert money_of(play, "a heron") == {"held": 0, "settled": DRAFT, "released": FINAL}
    assert await spent(play, "a heron") == DRAFT
    await play.at_rest("two boats")
    await play.studio.heal(busy)


async def test_cancelling_what_waits_in_the_queue_releases_its_hold(play: Stage) -> None:
    """The provider's places are taken: the next ask is stopped before anything of it is ordered. Stands last, since
    the places stay taken."""
    await play.studio.fault("hiapi:outcome", "do", "never_ends", times=PLACES, match={"prompt": "the first"})
    await play.studio.slash("maya", f"/clip the first --takes {PLACES}")
    taken = "select count(*) from jobs where state = 'rendering' and recipe like '%the first%'"
    await play.until_rows(f"select 1 where ({taken}) = ?", PLACES)
    await play.studio.slash("maya", "/clip the second")
    card = await play.card("the second")

    await play.studio.react("ben", card, "x")
    await heard(play)
    assert jobs_of(play, "the second")[0]["cancel_by"] is None
    await play.studio.react("maya", card, "x")

    await play.until_rows("select 1 from jobs where state = 'cancelled' and recipe like '%the second%'")
    await card_says(play, card, "Nothing was charged.")
    assert money_of(play, "the second") == {"held": 0, "settled": 0, "released": DRAFT}
    assert money_of(play, "the first") == {"held": PLACES * DRAFT, "settled": 0, "released": 0}
    assert await spent(play, "the first") == PLACES * DRAFT
    assert await spent(play, "the second") == 0
