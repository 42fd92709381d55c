"""Cards that are posted late, found instead of posted, or posted nowhere."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.job import State
from bot.domain.lineage import Changes
from bot.domain.notice import Notice
from bot.ports import ChatError, ChatRefused, ChatUnauthorized, ChatUnknown, MessageGone
from bot.services.answers import Taken
from bot.services.bench import Later
from bot.services.cards import Cards
from bot.services.policy import Policy
from tests.support.ordering import SENDER, TAKEN, Desk, desk

ARCHIVED = ChatRefused("is_archived")
DAY = timedelta(days=1)


async def test_a_token_that_is_revoked_for_a_while_ends_no_ask() -> None:
    """Of a post of unknown outcome it keeps us from knowing more, and that is no reason to post blindly."""
    async with desk() as one:
        taken = await one.intake.draft(replace(SENDER, key="command:2"), "a whale", Changes())
        assert isinstance(taken, Taken)
        await one.claim()
        cards = cards_of(one)
        one.chat.no_card, one.chat.blind = ChatUnknown("timeout"), ChatUnauthorized("token_revoked")
        for _ in range(4):
            assert await cards.step("T1", taken.ask.id) is not None
        one.chat.no_card = None
        await cards.step("T1", taken.ask.id)
        async with one.storage.read() as tx:
            ask = await tx.jobs.ask("T1", taken.ask.id)
        assert ((await one.now(taken.jobs[0])).state, ask.card_ts) == (State.QUEUED, None)


async def test_an_ask_that_ended_before_its_card_stood_has_one_all_the_same() -> None:
    """Nobody could confirm it while we were down for longer than its offer was good."""
    async with desk(policy=Policy(confirm_above_micro_usd=1)) as one:
        taken = await one.intake.draft(replace(SENDER, key="command:2"), "a whale", Changes())
        assert isinstance(taken, Taken)
        await one.claim()
        one.clock.advance(700)
        await one.deciding.decide(await one.now(taken.jobs[0]), taken.ask)
        assert (await one.now(taken.jobs[0])).state is State.CANCELLED

        cards = cards_of(one)
        await cards.step("T1", taken.ask.id)
        async with one.storage.read() as tx:
            assert (await tx.jobs.ask("T1", taken.ask.id)).card_ts == f"3.{taken.ask.id}"


async def test_a_card_that_was_sent_before_its_thread_had_a_root_is_found_in_the_channel() -> None:
    async with desk() as one:
        taken = await one.intake.mention(replace(SENDER, key="mention"), "5.0", "a whale", Changes())
        assert isinstance(taken, Taken)
        await one.claim()
        cards = cards_of(one)
        one.chat.no_card, one.chat.blind, one.chat.standing = ChatUnknown("timeout"), None, "3.0"
        for _ in range(2):
            await cards.step("T1", taken.ask.id)
        async with one.storage.read() as tx:
            assert (await tx.jobs.ask("T1", taken.ask.id)).card_ts == "3.0"


async def test_a_card_that_is_found_shows_what_was_when_it_was_sent_and_is_drawn_again() -> None:
    """Its post was never answered, and somebody took the ask back before it was found."""
    async with desk() as one:
        taken = await one.intake.draft(replace(SENDER, key="command:2"), "a whale", Changes())
        assert isinstance(taken, Taken)
        await one.claim()
        cards = cards_of(one)
        one.chat.no_card = ChatUnknown("timeout")
        await cards.step("T1", taken.ask.id)
        await one.presses.cancel(replace(SENDER, key="press"), taken.ask.id)

        one.chat.blind, one.chat.standing = None, "3.0"
        assert await cards.step("T1", taken.ask.id) == Later(seconds=0.0)
        assert await cards.step("T1", taken.ask.id) is None
        assert [(card.ask.card_ts, card.jobs[0].cancel_by) for card in one.chat.drawn] == [("3.0", "U1")]
        assert await one.stale(*taken.jobs) == []


@pytest.mark.parametrize(
    ("troubles", "told"),
    [
        ([ChatError("ratelimited"), ChatUnknown("timeout"), ChatUnauthorized("token_revoked")], True),
        ([ChatRefused("user_not_found")], False),
    ],
)
async def test_who_has_no_card_is_told_as_soon_as_they_can_be(troubles: list[ChatError], told: bool) -> None:
    async with desk() as one:
        taken = await one.intake.draft(replace(SENDER, key="command:2"), "a whale", Changes())
        assert isinstance(taken, Taken)
        await one.claim()
        cards = cards_of(one)
        one.chat.no_card, one.chat.blind, one.chat.deaf = ARCHIVED, None, list(troubles)
        steps = 1
        while await cards.step("T1", taken.ask.id) is not None:
            steps += 1
        assert one.chat.told == ([(taken.ask.id, Notice.NOT_IN_CHANNEL)] if told else [])
        assert steps == len(troubles) + told
        assert await one.stale(*taken.jobs) == []


async def test_a_deleted_card_over_paid_work_stands_anew_as_soon_as_slack_lets_it() -> None:
    """All of it has ended: that it cost nothing would be untrue, and what came of it is said nowhere else."""
    async with desk(TAKEN) as one:
        job, cards = await one.submit(), cards_of(one)
        await one.end(job)
        one.chat.no_edit, one.chat.no_card, one.chat.blind = MessageGone("message_not_found"), ARCHIVED, None
        for _ in range(5):
            later = await cards.step("T1", job.ask_id)
            assert later is not None
            one.clock.advance(later.seconds)
        assert one.chat.told == []
        one.chat.no_card = None
        assert await cards.step("T1", job.ask_id) is None
        assert (await one.ask()).card_ts == f"3.{job.ask_id}"
        assert await one.stale(job) == []


async def test_clips_that_wait_below_a_deleted_card_end_where_no_other_may_stand() -> None:
    """One beside them is paid for: of those nobody can say, or stop, what they cost."""
    async with desk(TAKEN, policy=Policy(takes=2, confirm_above_micro_usd=5_000_000)) as one:
        job, cards = await one.submit(), cards_of(one)
        one.chat.no_edit, one.chat.no_card, one.chat.blind = MessageGone("message_not_found"), ARCHIVED, None
        for _ in range(5):
            later = await cards.step("T1", job.ask_id)
            assert later is not None
            one.clock.advance(later.seconds)
        async with one.storage.read() as tx:
            clips = await tx.jobs.of_ask("T1", job.ask_id)
        assert [clip.state for clip in clips] == [State.RENDERING, State.FAILED]
        assert one.chat.told == []


@pytest.mark.parametrize("refused", ["no_edit", "no_card"])
async def test_a_card_that_slack_refuses_is_given_up_after_a_day_by_both_clocks(refused: str) -> None:
    """A leap of the wall clock is no day: what came of the clips is told when Slack lets us."""
    async with desk(TAKEN) as one:
        job, cards = await one.submit(), cards_of(one)
        await one.end(job)
        one.chat.no_edit, one.chat.blind = MessageGone("message_not_found"), None
        setattr(one.chat, refused, ARCHIVED)
        one.clock.step(one.clock.now() + DAY)
        for _ in range(8):
            later = await cards.step("T1", job.ask_id)
            assert later is not None
            one.clock.advance(later.seconds)
        one.clock.step(one.clock.now() - DAY)
        one.clock.advance(DAY.total_seconds())
        assert await cards.step("T1", job.ask_id) is None
        assert (one.chat.told, await one.stale(job)) == ([], [])


def cards_of(one: Desk) -> Cards:
    """Whoever posts and redraws the cards of that desk."""
    return Cards(bench=one.ordering.bench, rerouting=one.ordering.rerouting, posted=lambda jobs: None)
