"""Which flags make the runner look at a job before it is due: what a person pressed, where it changes what is next.

A flag that changes nothing has to be passed over: it stands until the job moves, and would have its provider or Slack
asked at every wake.
"""

import pytest

from bot.domain.job import State, WaitReason, Wish
from bot.services.runner import _needs_attention
from tests.support.values import a_job

UNDER_WAY = (State.SUBMITTING, State.RENDERING, State.LATE, State.DOWNLOADING)


@pytest.mark.parametrize("wish", [Wish.CHECK_AGAIN, Wish.ORDER_AGAIN, Wish.GIVE_UP])
def test_what_is_pressed_on_an_order_in_doubt_is_news_while_it_is_in_doubt(wish: Wish) -> None:
    assert _needs_attention(a_job(State.UNCERTAIN, wish=wish))
    for state in UNDER_WAY:
        assert not _needs_attention(a_job(state, wish=wish)), f"its task was found, and it is {state.value}"


def test_a_clip_is_delivered_again_at_once_unless_it_is_on_its_way() -> None:
    assert _needs_attention(a_job(State.DELIVERING, wish=Wish.DELIVER_AGAIN))
    assert not _needs_attention(a_job(State.DELIVERING, wish=Wish.DELIVER_AGAIN, file_id="F1"))
    assert _needs_attention(a_job(State.CANCELLED, wish=Wish.DELIVER_AGAIN, clip_key="T1/clips/1.mp4"))


def test_a_cancel_is_news_to_what_is_not_ordered_yet_and_to_what_is_not_posted_yet() -> None:
    for state in (State.QUEUED, State.UNCERTAIN):
        assert _needs_attention(a_job(state, cancel_by="U1"))
    assert _needs_attention(a_job(State.WAITING, wait_reason=WaitReason.PREPARING, cancel_by="U1"))
    assert _needs_attention(a_job(State.DELIVERING, cancel_by="U1"))
    assert not _needs_attention(a_job(State.DELIVERING, cancel_by="U1", file_id="F1"))
    for state in UNDER_WAY:
        assert not _needs_attention(a_job(state, cancel_by="U1"))


def test_an_early_reaction_waits_for_the_message_of_its_clip() -> None:
    assert not _needs_attention(a_job(State.DELIVERING, wish=Wish.SEE_REACTIONS, file_id="F1"))
    assert _needs_attention(a_job(State.DELIVERED, wish=Wish.SEE_REACTIONS))


@pytest.mark.parametrize("wish", list(Wish))
def test_what_was_pressed_in_the_last_moment_is_taken_away_once(wish: Wish) -> None:
    assert _needs_attention(a_job(State.FAILED, wish=wish))
    assert not _needs_attention(a_job(State.FAILED, cancel_by="U1"))
