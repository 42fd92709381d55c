"""Cards that are posted late, found instead of posted, or posted nowhere."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.job import Job, State
from bot.domain.lineage import Changes
from bot.domain.notice import Notice
from bot.domain.patience import LONGEST_GAP_SECONDS
from bot.ports import (
    Card,
    ChatError,
    ChatForbidden,
    ChatRefused,
    ChatUnauthorized,
    ChatUnknown,
    MessageGone,
    OrderOutcome,
)
from bot.services.answers import Taken
from bot.services.bench import Later
from bot.services.cards import Cards
from bot.services.policy import Policy
from tests.support.ordering import NOT_SENT, PRICE, REFUSED, SENDER, STARVED, TAKEN, THROTTLED, Desk, desk

ARCHIVED = ChatRefused("is_archived")
MISSING = ChatForbidden("missing_scope")
DAY = timedelta(days=1)


async def test_a_token_that_is_revoked_for_a_while_ends_no_ask() -> None:
    """Of a post of unknown outcome it keeps us from knowing more, and that is no reason to post blindly."""
    async with desk() as one:
        taken = await whale(one)
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
        taken = await whale(one)
        one.clock.advance(700)
        await one.deciding.decide(await one.now(taken.jobs[0]), taken.ask)
        assert (await one.now(taken.jobs[0])).state is State.CANCELLED

        cards = cards_of(one)
        await cards.step("T1", taken.ask.id)
        async with one.storage.read() as tx:
            assert (await tx.jobs.ask("T1", taken.ask.id)).card_ts == f"3.{taken.ask.id}"


async def test_who_presses_before_it_is_written_down_that_the_card_stands_is_not_kept_waiting() -> None:
    """What is next for the clips follows from how they are then, and not from how they were when the card was drawn."""
    async with desk() as one:
        taken = await whale(one)
        post, told = one.chat.post_card, list[Job]()

        async def pressed_at_once(card: Card) -> str:
            ts = await post(card)
            await one.presses.cancel(replace(SENDER, key="press"), taken.ask.id)
            return ts

        one.chat.post_card = pressed_at_once  # type: ignore[method-assign] # the same call, and a press
        cards = replace(cards_of(one), posted=told.extend)
        await cards.step("T1", taken.ask.id)
        assert [job.cancel_by for job in told] == ["U1"]


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
        taken = await whale(one)
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
        taken = await whale(one)
        cards = cards_of(one)
        one.chat.no_card, one.chat.blind, one.chat.deaf = ARCHIVED, None, list(troubles)
        steps = 1
        while await cards.step("T1", taken.ask.id) is not None:
            steps += 1
        assert one.chat.told == ([(taken.ask.id, Notice.NOT_IN_CHANNEL)] if told else [])
        assert steps == len(troubles) + told
        assert await one.stale(*taken.jobs) == []


# --- cards that were deleted, where Slack takes no other --------------------------------------------------------------


async def test_a_deleted_card_over_paid_work_stands_anew_as_soon_as_slack_lets_it() -> None:
    """All of it has ended: that it cost nothing would be untrue."""
    async with desk(TAKEN) as one:
        job, cards = await one.submit(), cards_of(one)
        await one.end(job, cost_micro_usd=PRICE)
        deleted(one)
        await refused(one, cards, times=5)
        assert one.chat.told == [(job.ask_id, Notice.CARD_REFUSED)]
        one.chat.no_card = None
        assert await cards.step("T1", job.ask_id) is None
        assert (await one.ask()).card_ts == f"3.{job.ask_id}"
        assert await one.stale(job) == []


@pytest.mark.parametrize("restarted", [False, True], ids=["same process", "restarted"])
@pytest.mark.parametrize("error", [ARCHIVED, ChatError("ratelimited")])
async def test_a_post_that_slack_refused_is_made_where_nobody_may_look_for_it(
    restarted: bool, error: ChatError
) -> None:
    """Of two posts of unknown outcome no third is made; what Slack refused is neither."""
    async with desk(TAKEN) as one:
        job, cards = await one.submit(), cards_of(one)
        deleted(one, blind=MISSING)
        await refused(one, cards, times=5)
        if restarted:
            cards = cards_of(one)
        one.chat.no_card = error
        await refused(one, cards, times=5)
        one.chat.no_card = None
        assert await cards.step("T1", job.ask_id) is None
        assert (await one.ask()).card_ts == f"3.{job.ask_id}"


async def test_a_first_card_of_unknown_outcome_is_made_once_more_however_often_slack_has_no_time() -> None:
    async with desk() as one:
        taken = await whale(one)
        cards = cards_of(one)
        one.chat.blind = MISSING
        for error in (ChatUnknown("timeout"), ChatError("ratelimited"), ChatError("unreachable"), None):
            one.chat.no_card = error
            await cards.step("T1", taken.ask.id)
        assert one.chat.told == []
        async with one.storage.read() as tx:
            assert (await tx.jobs.ask("T1", taken.ask.id)).card_ts == f"3.{taken.ask.id}"


async def test_a_refused_card_over_what_is_over_is_tried_at_growing_gaps_up_to_half_an_hour() -> None:
    async with desk(TAKEN) as one:
        await one.end(await one.submit(), cost_micro_usd=PRICE)
        gaps = await gaps_of_a_refused_card(one, 40)
        assert max(gaps[:10]) == LONGEST_GAP_SECONDS
        assert gaps[-1] == 1800.0


async def test_a_refused_card_is_tried_more_often_while_a_clip_goes_on() -> None:
    """That Slack may take the clip is seen by its card first; what is refused for hours is left alone for longer."""
    async with desk(TAKEN) as one:
        await one.submit()
        gaps = await gaps_of_a_refused_card(one, 60)
        assert gaps[:7] == [0.0, 5.0, 10.0, 20.0, 40.0, 80.0, 120.0]
        assert all(gap < max(120.0, sum(gaps[:number]) / 10) + 0.001 for number, gap in enumerate(gaps))
        assert gaps[-1] == 300.0


async def gaps_of_a_refused_card(one: Desk, tries: int) -> list[float]:
    """Seconds after each of so many tries of the card of that desk, which somebody deleted."""
    cards, gaps = cards_of(one), list[float]()
    deleted(one)
    for _ in range(tries):
        later = await cards.step("T1", (await one.ask()).id)
        assert later is not None
        gaps.append(later.seconds)
        one.clock.advance(later.seconds)
    return gaps


async def test_who_paid_for_what_no_card_shows_is_told_when_they_can_be() -> None:
    async with desk(TAKEN) as one:
        cards = cards_of(one)
        await one.submit()
        deleted(one)
        one.chat.deaf = [ChatError("ratelimited"), ChatUnknown("timeout")]
        await refused(one, cards, times=5)
        assert one.chat.told == [((await one.ask()).id, Notice.CARD_REFUSED)]


async def test_clips_that_wait_below_a_deleted_card_end_where_no_other_may_stand() -> None:
    """One beside them is paid for: of those nobody could say what they cost, or stop them."""
    async with desk(TAKEN, policy=Policy(takes=2, confirm_above_micro_usd=5_000_000)) as one:
        job, cards = await one.submit(), cards_of(one)
        deleted(one)
        await refused(one, cards, times=5)
        async with one.storage.read() as tx:
            clips = await tx.jobs.of_ask("T1", job.ask_id)
        assert [clip.state for clip in clips] == [State.RENDERING, State.FAILED]


@pytest.mark.parametrize("answer", [STARVED, NOT_SENT, THROTTLED, REFUSED])
async def test_an_ask_that_was_ordered_in_vain_ends_with_a_word_like_one_that_never_was(answer: OrderOutcome) -> None:
    """Nothing was taken, and nothing is to come: there is no card to wait for."""
    async with desk(answer) as one:
        job, cards = await one.submit(), cards_of(one)
        deleted(one)
        await refused(one, cards, times=1)
        assert await cards.step("T1", job.ask_id) is None
        assert one.chat.told == [(job.ask_id, Notice.NOT_IN_CHANNEL)]
        assert ((await one.job()).state, (await one.job()).cost_micro_usd) == (State.FAILED, 0)


@pytest.mark.parametrize("where", ["no_edit", "no_card"])
async def test_a_card_that_slack_refuses_is_given_up_after_a_day_by_both_clocks(where: str) -> None:
    """A leap of the wall clock is no day: what came of the clips is told when Slack lets us."""
    async with desk(TAKEN) as one:
        job, cards = await one.submit(), cards_of(one)
        await one.end(job, cost_micro_usd=PRICE)
        deleted(one)
        one.chat.no_card = None
        setattr(one.chat, where, ARCHIVED)
        one.clock.step(one.clock.now() + DAY)
        await refused(one, cards, times=8)
        one.clock.step(one.clock.now() - DAY)
        one.clock.advance(DAY.total_seconds())
        assert await cards.step("T1", job.ask_id) is None
        assert await one.stale(job) == []


@pytest.mark.parametrize("where", ["no_edit", "no_card"])
async def test_a_card_of_clips_that_go_on_is_never_given_up(where: str) -> None:
    """A clip waits for the card whose thread it is to stand in."""
    async with desk(TAKEN) as one:
        cards = cards_of(one)
        await one.submit()
        deleted(one)
        one.chat.no_card = None
        setattr(one.chat, where, ARCHIVED)
        await refused(one, cards, times=8)
        one.clock.advance(7 * DAY.total_seconds())
        await refused(one, cards, times=1)


def deleted(one: Desk, *, blind: ChatError | None = None) -> None:
    """Somebody deleted the cards of that desk, and archived the channel; its history can be read unless ``blind``."""
    one.chat.no_edit, one.chat.no_card, one.chat.blind = MessageGone("message_not_found"), ARCHIVED, blind


async def refused(one: Desk, cards: Cards, *, times: int) -> None:
    """So many steps in which the card is not brought up to date."""
    for _ in range(times):
        later = await cards.step("T1", (await one.ask()).id)
        assert later is not None
        one.clock.advance(later.seconds)


def cards_of(one: Desk) -> Cards:
    """Whoever posts and redraws the cards of that desk."""
    return Cards(bench=one.ordering.bench, rerouting=one.ordering.rerouting, posted=lambda jobs: None)


async def whale(one: Desk) -> Taken:
    """A further draft, ours, whose card does not stand yet."""
    taken = await one.intake.draft(replace(SENDER, key="command:2"), "a whale", Changes())
    assert isinstance(taken, Taken)
    await one.claim()
    return taken
