"""What Slack refuses until somebody mends it: it is tried again in gaps that grow, since a try may send the whole clip,
and at once where there is reason to think that it is mended."""

import asyncio
from datetime import timedelta
from itertools import cycle, pairwise

import pytest

from bot.domain.job import State
from bot.domain.lineage import Changes
from bot.ports import Card, ChatError, ChatRefused, ChatUnauthorized, ChatUnknown, ClipPost, Slot
from storage.memory.tables import Tables
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


async def rendering(stage: Stage, core: Core) -> None:
    """A clip that is under way."""
    await core.intake.draft(by("ask"), "a red panda", Changes())
    await stage.until(lambda jobs: bool(jobs) and jobs[0].state is State.RENDERING)


async def fails_otherwise_each_time(stage: Stage, seconds: float) -> None:
    """For so long Slack refuses a clip and does not answer by turns."""
    asked, began = stage.chat.asked, stage.world.now
    while stage.world.now < began + seconds:
        await asyncio.sleep(0.1)
        if stage.chat.asked != asked:
            asked, other = stage.chat.asked, isinstance(stage.chat.refusal, ChatRefused)
            await asyncio.sleep(0.5)
            stage.chat.refusal = ChatUnknown("timeout") if other else ChatRefused("is_archived")


def shown(stage: Stage) -> State:
    """What the one card says of its clip."""
    (card,) = stage.slack.cards()
    assert card.card is not None
    return card.card.jobs[0].state


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
@pytest.mark.parametrize(("asked", "kept_for"), [(300.0, 300.0), (1e6, HOUR)])
def test_slack_is_left_alone_for_as_long_as_it_asked_also_for_minutes(asked: float, kept_for: float) -> None:
    """More than an hour cannot be meant."""

    async def story(stage: Stage, core: Core) -> None:
        stage.chat.refusal = ChatError("ratelimited", retry_after_seconds=asked)
        await kept(stage, core)
        stage.chat.refusal = None
        await asyncio.sleep(kept_for - 10.0)
        assert (stage.chat.asked, stage.jobs[0].state) == (1, State.DELIVERING)
        await asyncio.sleep(15.0)
        assert stage.jobs[0].state is State.DELIVERED

    Stage().play(story)


@pytest.mark.row("F68")
def test_many_other_failures_before_it_make_the_gaps_of_a_refusal_little_longer() -> None:
    async def story(stage: Stage, core: Core) -> None:
        stage.chat.refusal = ChatUnknown("timeout")
        await kept(stage, core)
        await asyncio.sleep(HOUR / 4)
        stage.chat.refusal = ChatRefused("is_archived")
        began = hindered(stage)[-1]
        await asyncio.sleep(400.0)
        first, second, third, *_ = (moment for moment in hindered(stage) if moment > began)
        assert second - first < 121.0
        assert third - second < 241.0

    Stage().play(story)


@pytest.mark.row("F68", "F72")
def test_refusals_and_other_failures_by_turns_leave_slack_alone_too() -> None:
    async def story(stage: Stage, core: Core) -> None:
        stage.chat.refusal = ChatRefused("is_archived")
        await kept(stage, core)
        await fails_otherwise_each_time(stage, HOUR)
        assert stage.chat.asked < 80

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
@pytest.mark.parametrize("refused_for", [0.3 * HOUR, 4 * HOUR])
def test_a_card_over_a_clip_that_is_refused_asks_for_it_and_is_not_tried_all_the_time(refused_for: float) -> None:
    """It costs little to try, and where Slack takes the card it takes the clip, which is long."""

    async def story(stage: Stage, core: Core) -> None:
        await rendering(stage, core)
        stage.slack.refused_until["C1"] = stage.world.now + refused_for
        await asyncio.sleep(refused_for / 2)
        cards, clips = stage.called("slack update"), stage.called("slack upload")
        await asyncio.sleep(refused_for / 2)
        assert 0 < stage.called("slack update") - cards <= max(12, refused_for / 2 / 225)
        assert stage.called("slack upload") - clips <= 6

        await asyncio.sleep(min(max(120.0, refused_for / 10), 300.0) + 10.0)
        assert stage.jobs[0].state is State.DELIVERED
        assert shown(stage) is State.DELIVERED

    Stage().play(story)


@pytest.mark.row("F68")
def test_where_cards_are_taken_and_clips_are_not_the_one_does_not_drive_the_other() -> None:
    """Uploads are disabled in the workspace: each try is news for the card, which is taken each time."""

    async def story(stage: Stage, core: Core) -> None:
        stage.chat.refusal = ChatRefused("file_uploads_disabled")
        await kept(stage, core)
        await asyncio.sleep(10.0)
        assert stage.chat.asked == 1
        await asyncio.sleep(HOUR)
        assert stage.chat.asked < 12

    Stage().play(story)


@pytest.mark.row("F68", "F70")
def test_where_slack_takes_a_card_again_the_clips_follow_at_once() -> None:
    """Somebody deleted the card, too: whichever of the two is tried first brings the other."""

    async def story(stage: Stage, core: Core) -> None:
        await rendering(stage, core)
        stage.slack.refused_until["C1"] = stage.world.now + HOUR
        (card,) = stage.slack.cards()
        card.deleted = True
        await asyncio.sleep(1.1 * HOUR)
        assert stage.jobs[0].state is State.DELIVERED
        (card,), (clip,) = stage.slack.cards(), stage.slack.clips()
        assert 0.0 < clip.at - card.at < 10.0
        assert clip.thread_ts == card.ts

    Stage().play(story)


@pytest.mark.row("F68")
@pytest.mark.parametrize("step", ["reserve", "share"])
def test_whoever_presses_deliver_again_too_early_does_not_wait_longer_for_it(step: str) -> None:
    async def story(stage: Stage, core: Core) -> None:
        await rendering(stage, core)
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


@pytest.mark.row("F68")
def test_a_card_that_is_taken_while_its_clip_is_refused_is_not_forgotten() -> None:
    async def story(stage: Stage, core: Core) -> None:
        stage.chat.refusal = ChatRefused("is_archived")
        await kept(stage, core)
        reserve = stage.chat.reserve

        async def taken_meanwhile(post: ClipPost, size: int) -> Slot:
            stage.chat.reserve = reserve  # type: ignore[method-assign]
            stage.chat.refusal = None
            core.runner._card_posted(tuple(stage.jobs))
            raise ChatRefused("is_archived")

        stage.chat.reserve = taken_meanwhile  # type: ignore[method-assign]
        await stage.until(lambda _: stage.chat.refusal is None)
        await asyncio.sleep(5.0)
        assert stage.jobs[0].state is State.DELIVERED

    Stage().play(story)


@pytest.mark.row("F68")
def test_a_press_on_deliver_again_while_the_one_before_is_acted_upon_is_not_lost() -> None:
    async def story(stage: Stage, core: Core) -> None:
        await rendering(stage, core)
        stage.slack.refused_until["C1"] = 2 * HOUR
        await stage.until(lambda jobs: jobs[0].trouble is not None)
        await asyncio.sleep(HOUR)
        share = stage.chat.share

        async def pressed_meanwhile(file_id: str, post: ClipPost) -> None:
            stage.chat.share = share  # type: ignore[method-assign]
            await core.presses.deliver_again(by("second press"), stage.jobs[0].id)
            try:
                await share(file_id, post)
            finally:
                stage.slack.refused_until.clear()

        stage.chat.share = pressed_meanwhile  # type: ignore[method-assign]
        await core.presses.deliver_again(by("press"), stage.jobs[0].id)
        await asyncio.sleep(8.0)
        assert stage.jobs[0].state is State.DELIVERED

    Stage().play(story)


@pytest.mark.row("F88")
@pytest.mark.parametrize("state", [State.RENDERING, State.DOWNLOADING, State.DELIVERING], ids=str)
def test_a_clock_that_is_set_back_in_the_very_commit_keeps_no_clip_waiting(state: State) -> None:
    stage = Stage()

    def committed(tables: Tables) -> None:
        if not stage.world.clock_moved and any(job.state is state for job in tables.jobs.values()):
            stage.world.set_clock(timedelta(hours=-2))

    async def story(stage: Stage, core: Core) -> None:
        await core.intake.draft(by("ask"), "a red panda", Changes())
        await asyncio.sleep(80.0)
        assert stage.jobs[0].state is State.DELIVERED

    stage.played_with(committed).play(story)


@pytest.mark.row("F68", "F71")
def test_a_card_that_slack_had_no_time_for_brings_no_clip_that_it_refuses() -> None:
    """Or the clip would be sent each time when the card is drawn, whatever its gaps are."""

    async def story(stage: Stage, core: Core) -> None:
        update, refused = stage.chat.update_card, cycle([True, False])

        async def busy(card: Card) -> None:
            if next(refused):
                raise ChatError("ratelimited", retry_after_seconds=1.0)
            await update(card)

        stage.chat.update_card = busy  # type: ignore[method-assign]
        stage.chat.refusal = ChatRefused("file_uploads_disabled")
        await kept(stage, core)
        await fails_otherwise_each_time(stage, HOUR)
        assert stage.chat.asked < 80

    Stage().play(story)


@pytest.mark.row("F68", "F69")
@pytest.mark.parametrize(
    ("meanwhile", "end"),
    [
        ("pressed", State.DELIVERED),
        ("cancelled", State.CANCELLED),
        ("a look failed", State.DELIVERED),
        ("the card was deleted", State.DELIVERED),
    ],
)
def test_a_card_that_was_refused_for_hours_says_at_once_how_a_press_ended(meanwhile: str, end: State) -> None:
    async def story(stage: Stage, core: Core) -> None:
        await rendering(stage, core)
        stage.slack.refused_until["C1"] = stage.world.now + 10 * HOUR
        if meanwhile == "the card was deleted":
            stage.slack.cards()[0].deleted = True
        await asyncio.sleep(5 * HOUR)
        stage.slack.refused_until.clear()
        if meanwhile == "a look failed":
            stage.chat.blind = ChatError("internal_error")
        if meanwhile == "cancelled":
            await core.presses.cancel(by("press"), stage.jobs[0].ask_id)
        else:
            await core.presses.deliver_again(by("press"), stage.jobs[0].id)
        await asyncio.sleep(3.0)
        stage.chat.blind = None
        await asyncio.sleep(12.0)
        assert shown(stage) is end

    Stage().play(story)


@pytest.mark.row("F69")
def test_a_clip_that_is_sent_is_looked_for_once_a_minute_while_slack_refuses_to_say() -> None:
    """A look carries no clip, and whoever presses *Deliver again* meanwhile waits no longer than that."""

    async def story(stage: Stage, core: Core) -> None:
        stage.chat.blind = ChatUnauthorized("token_revoked")
        await kept(stage, core)
        await asyncio.sleep(3 * HOUR)
        stage.chat.blind = None
        await core.presses.deliver_again(by("press"), stage.jobs[0].id)
        await asyncio.sleep(65.0)
        assert (stage.jobs[0].state, len(stage.slack.clips())) == (State.DELIVERED, 1)

    Stage().play(story)
