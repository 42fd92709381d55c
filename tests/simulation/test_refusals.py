"""What Slack refuses until somebody mends it: it is tried again in gaps that grow, since each try sends the whole clip,
and at once where there is reason to think that it is mended."""

import asyncio
from itertools import pairwise

import pytest

from bot.domain.job import State
from bot.domain.lineage import Changes
from bot.ports import ChatError, ChatRefused, ChatUnauthorized, ChatUnknown
from tests.simulation.core import Core
from tests.simulation.stage import Stage, by

HOUR = 3600.0


def gaps(moments: list[float]) -> list[float]:
    """Seconds between one and the next."""
    return [later - sooner for sooner, later in pairwise(moments)]


def hindered(stage: Stage) -> list[float]:
    """When something was in the way of a clip, in seconds from any moment."""
    return [entry.at.timestamp() for entry in stage.disk.tables.timeline if entry.event == "Hindered"]


async def kept(stage: Stage, core: Core) -> None:
    """A clip that Slack does not take."""
    await core.intake.draft(by("ask"), "a red panda", Changes())
    await stage.until(lambda jobs: bool(jobs) and jobs[0].trouble is not None)


@pytest.mark.row("F68", "F69")
@pytest.mark.parametrize("why", [ChatRefused("is_archived"), ChatUnauthorized("token_revoked")], ids=str)
def test_what_slack_refuses_is_tried_again_in_gaps_that_grow_to_half_an_hour(why: ChatError) -> None:
    async def story(stage: Stage, core: Core) -> None:
        stage.chat.refusal = why
        await kept(stage, core)
        await asyncio.sleep(4 * HOUR)
        tried = gaps(hindered(stage))
        assert tried[0] < 20.0
        assert all(later > sooner for sooner, later in pairwise(tried[:7])), tried
        assert all(1300 < gap < 1810 for gap in tried[7:]), tried
        assert len(tried) > 10

    Stage().play(story)


@pytest.mark.row("F71")
def test_slack_is_left_alone_for_as_long_as_it_asked_also_for_minutes() -> None:
    async def story(stage: Stage, core: Core) -> None:
        stage.chat.refusal = ChatError("ratelimited", retry_after_seconds=300.0)
        await kept(stage, core)
        stage.chat.refusal = None
        await asyncio.sleep(290.0)
        assert (stage.chat.asked, stage.jobs[0].state) == (1, State.DELIVERING)
        await asyncio.sleep(15.0)
        assert stage.jobs[0].state is State.DELIVERED

    Stage().play(story)


@pytest.mark.row("F68")
def test_other_troubles_before_it_make_the_gaps_of_a_refusal_no_longer() -> None:
    """And the other way round: who was let in again after hours is not kept waiting for a time-out."""

    async def story(stage: Stage, core: Core) -> None:
        stage.chat.refusal = ChatUnknown("timeout")
        await kept(stage, core)
        await asyncio.sleep(HOUR / 4)
        stage.chat.refusal = ChatRefused("is_archived")
        began = hindered(stage)[-1]
        await asyncio.sleep(100.0)
        first, second, third = (moment for moment in hindered(stage) if moment > began)
        assert second - first < 20.0
        assert third - second < 40.0

        await asyncio.sleep(HOUR)
        stage.chat.refusal = ChatUnknown("timeout")
        await asyncio.sleep(HOUR / 2)
        stage.chat.refusal = None
        await asyncio.sleep(41.0)
        assert stage.jobs[0].state is State.DELIVERED

    Stage().play(story)


@pytest.mark.row("F68", "F69")
@pytest.mark.parametrize("why", [ChatRefused("is_archived"), ChatUnauthorized("token_revoked")], ids=str)
def test_whoever_starts_us_may_have_mended_what_slack_refused(why: ChatError) -> None:
    """With a new token, say: what waited for half an hour is tried at once."""

    async def story(stage: Stage, core: Core) -> None:
        stage.chat.refusal = why
        await kept(stage, core)
        await asyncio.sleep(2 * HOUR)
        await stage.start_anew()
        await asyncio.sleep(5.0)
        assert stage.jobs[0].state is State.DELIVERED

    Stage().play(story)


@pytest.mark.row("F68")
def test_a_card_over_a_clip_that_is_refused_for_hours_is_not_tried_all_the_time() -> None:
    """Each try of the clip is news for the card, and is no reason to try that more often."""

    async def story(stage: Stage, core: Core) -> None:
        await core.intake.draft(by("ask"), "a red panda", Changes())
        await stage.until(lambda jobs: bool(jobs) and jobs[0].state is State.RENDERING)
        stage.slack.refused_until["C1"] = stage.world.now + 6 * HOUR
        await asyncio.sleep(HOUR)
        before = stage.called("slack update")
        await asyncio.sleep(4 * HOUR)
        assert 0 < stage.called("slack update") - before < 15

        await asyncio.sleep(HOUR + 1900.0)
        assert stage.jobs[0].state is State.DELIVERED
        (card,) = [one for one in stage.slack.messages.values() if one.card is not None]
        assert card.card is not None
        assert card.card.jobs[0].state is State.DELIVERED

    Stage().play(story)


@pytest.mark.row("F68", "F70")
@pytest.mark.parametrize("hours", [1.0, 1.5])
def test_where_slack_takes_a_card_again_the_clips_follow_at_once(hours: float) -> None:
    """Somebody deleted the card, too: whichever of the two is tried first brings the other."""

    async def story(stage: Stage, core: Core) -> None:
        await core.intake.draft(by("ask"), "a red panda", Changes())
        await stage.until(lambda jobs: bool(jobs) and jobs[0].state is State.RENDERING)
        stage.slack.refused_until["C1"] = stage.world.now + hours * HOUR
        (card,) = stage.slack.cards()
        card.deleted = True
        await asyncio.sleep((hours + 0.6) * HOUR)
        assert stage.jobs[0].state is State.DELIVERED
        (card,), (clip,) = stage.slack.cards(), stage.slack.clips()
        assert 0.0 < clip.at - card.at < 10.0
        assert clip.thread_ts == card.ts

    Stage().play(story)


@pytest.mark.row("F68")
@pytest.mark.parametrize("step", ["reserve", "share"])
def test_whoever_presses_deliver_again_too_early_does_not_wait_longer_for_it(step: str) -> None:
    async def story(stage: Stage, core: Core) -> None:
        await core.intake.draft(by("ask"), "a red panda", Changes())
        await stage.until(lambda jobs: bool(jobs) and jobs[0].state is State.RENDERING)
        if step == "reserve":
            stage.chat.refusal = ChatRefused("file_uploads_disabled")
        else:
            stage.slack.refused_until["C1"] = HOUR
        await stage.until(lambda jobs: jobs[0].trouble is not None)
        for press in range(8):
            await core.presses.deliver_again(by(f"press {press}"), stage.jobs[0].id)
            await asyncio.sleep(5.0)
        stage.chat.refusal = None
        stage.slack.refused_until.clear()
        await asyncio.sleep(15.0)
        assert stage.jobs[0].state is State.DELIVERED

    Stage().play(story)
