"""Clips on their way into the thread while Slack does not take or show them: what people press meanwhile is heard once,
rockets are not forgotten, and Slack is left alone for as long as it asked."""

import asyncio
from dataclasses import replace

import pytest

from bot.domain.access import Why
from bot.domain.job import State, Wish
from bot.domain.lineage import Changes
from bot.ports import ChatError, ChatForbidden, ChatRefused, ChatUnauthorized, MessageGone
from bot.services.answers import NotAllowed
from tests.simulation.chat import GUEST
from tests.simulation.core import Core
from tests.simulation.stage import Stage, by, unseen


def test_a_clip_that_slack_does_not_take_is_kept_when_its_ask_is_cancelled() -> None:
    """Nothing is tried for it any more, neither at once nor ever; it is there for whoever wants it after all."""

    async def story(stage: Stage, core: Core) -> None:
        stage.chat.refusal = ChatRefused("file_uploads_disabled", retry_after_seconds=30.0)
        await core.intake.draft(by("ask"), "a red panda", Changes(takes=2))
        await stage.until(lambda jobs: bool(jobs) and all(job.trouble is not None for job in jobs))
        asked, tried = stage.chat.asked, stage.events()["Hindered"]
        await core.presses.cancel(by("cancel"), stage.jobs[0].ask_id)
        await asyncio.sleep(60.0)
        assert (stage.chat.asked, stage.events()["Hindered"]) == (asked, tried)
        assert [(job.state, job.clip_key is not None) for job in stage.jobs] == [(State.CANCELLED, True)] * 2

        stage.chat.refusal = None
        await core.presses.deliver_again(by("again"), stage.jobs[1].id)
        await stage.until(lambda jobs: jobs[1].state is State.DELIVERED)
        assert stage.jobs[0].state is State.CANCELLED

    Stage().play(story)


def test_a_rocket_is_not_forgotten_for_a_press_on_deliver_again() -> None:
    """It was given before anybody knew the clip's message. A clip has room for one wish."""

    async def story(stage: Stage, core: Core) -> None:
        clip = await unseen(stage, core)
        clip.react("U2", stage.world.now)
        assert await core.intake.promote_message(by("rocket", "U2"), clip.ts) is None
        await core.presses.deliver_again(by("again"), stage.jobs[0].id)
        stage.chat.blind = None
        await stage.until(lambda _: bool(stage.finals))
        assert stage.finals == [(stage.jobs[0].id, ("U2",))]
        assert [job.wish for job in stage.jobs] == [None, None]

    Stage().play(story)


def test_whose_early_rocket_is_refused_is_told_why() -> None:
    async def story(stage: Stage, core: Core) -> None:
        clip = await unseen(stage, core)
        clip.react(GUEST, stage.world.now)
        assert await core.intake.promote_message(by("rocket", GUEST), clip.ts) is None
        stage.chat.blind = None
        await stage.until(lambda jobs: jobs[0].state is State.DELIVERED and jobs[0].wish is None)
        await asyncio.sleep(5.0)
        ((channel, person, error),) = stage.slack.explained
        assert (channel, person, str(error)) == ("C1", GUEST, str(NotAllowed(Why.GUEST)))
        assert stage.finals == []

    Stage().play(story)


def test_a_wish_that_nothing_can_come_of_any_more_is_forgotten() -> None:
    """A rocket was given while a clip was shared, which came to nothing, and then nobody wanted it."""

    async def story(stage: Stage, core: Core) -> None:
        stage.chat.blind = MessageGone("file_not_found")
        await core.intake.draft(by("ask"), "a red panda", Changes())
        await stage.until(lambda jobs: bool(jobs) and jobs[0].file_id is not None)
        stage.chat.refusal = ChatRefused("file_uploads_disabled")
        assert await core.intake.promote_message(by("rocket", "U2"), "1.0") is None
        await stage.until(lambda jobs: jobs[0].file_id is None and jobs[0].tries > 3)
        assert [job.wish for job in stage.jobs] == [Wish.SEE_REACTIONS]
        await core.presses.cancel(by("cancel"), stage.jobs[0].ask_id)
        await asyncio.sleep(5.0)
        assert (stage.jobs[0].state, stage.jobs[0].wish) == (State.CANCELLED, None)

    Stage().play(story)


def test_deliver_again_of_a_clip_that_came_to_stand_that_very_moment_is_over() -> None:
    """What stands is not sent again, but rockets may have found no room beside that press."""

    async def story(stage: Stage, core: Core) -> None:
        clip = await unseen(stage, core)
        clip.react("U2", stage.world.now)
        stage.chat.blind = None
        await stage.until(lambda jobs: jobs[0].state is State.DELIVERED)
        job = stage.jobs[0]
        stage.disk.tables.jobs[job.workspace, job.id] = replace(job, wish=Wish.DELIVER_AGAIN, wish_by="U1")
        await stage.until(lambda _: bool(stage.finals))
        await asyncio.sleep(5.0)
        assert (stage.jobs[0].wish, len(stage.slack.clips())) == (None, 1)

    Stage().play(story)


@pytest.mark.parametrize("refusal", [ChatForbidden("missing_scope"), ChatRefused("channel_not_found")], ids=str)
def test_a_slack_that_never_says_who_reacts_is_not_asked_for_ever(refusal: ChatError) -> None:
    async def story(stage: Stage, core: Core) -> None:
        clip = await unseen(stage, core)
        clip.react("U2", stage.world.now)
        assert await core.intake.promote_message(by("rocket", "U2"), clip.ts) is None
        stage.chat.blind, stage.chat.busy = None, refusal
        await stage.until(lambda _: stage.chat.looked > 0)
        await asyncio.sleep(30.0)
        assert (stage.chat.looked, stage.jobs[0].state, stage.jobs[0].wish) == (1, State.DELIVERED, None)

    Stage().play(story)


@pytest.mark.parametrize("wish", [Wish.SEE_REACTIONS, Wish.DELIVER_AGAIN])
@pytest.mark.parametrize(
    "why", [ChatError("ratelimited", retry_after_seconds=30.0), ChatUnauthorized("token_revoked")], ids=str
)
def test_who_reacted_is_asked_again_in_good_time_whatever_goes_on_meanwhile(wish: Wish, why: ChatError) -> None:
    """When Slack said so; no sooner than somebody can give us a new token. Also where *Deliver again* was pressed of a
    clip that came to stand that very moment."""

    async def story(stage: Stage, core: Core) -> None:
        clip = await unseen(stage, core)
        clip.react("U2", stage.world.now)
        stage.chat.blind, stage.chat.busy = None, why
        await stage.until(lambda jobs: jobs[0].state is State.DELIVERED)
        job = stage.jobs[0]
        stage.disk.tables.jobs[job.workspace, job.id] = replace(job, wish=wish, wish_by="U2")
        core.runner.wake()
        await stage.until(lambda _: stage.chat.looked > 0)
        for _ in range(50):
            await asyncio.sleep(0.5)
            core.runner.wake()
        assert stage.chat.looked == 1
        stage.chat.busy = None
        await stage.until(lambda _: bool(stage.finals))
        assert stage.chat.looked == 2

    Stage().play(story)
