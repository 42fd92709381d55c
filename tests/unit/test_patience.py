"""Every waiting time: bounds, growth, and what a provider may say about it."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain import patience
from bot.domain.patience import backoff, poll_gap, share_check_gap, throttle_wait

CHANCES = st.floats(min_value=0, max_value=1, exclude_max=True)


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


@pytest.mark.parametrize(
    ("tries", "wait"), [(0, 0.5), (1, 0.5), (2, 1), (3, 2), (4, 4), (7, 32), (8, 40), (9, 40), (10_000, 40)]
)
def test_a_backoff_doubles_up_to_its_ceiling(tries: int, wait: float) -> None:
    assert backoff(tries, 0.0) == seconds(wait)


def test_a_backoff_begins_and_ends_where_it_is_told() -> None:
    assert [backoff(tries, 0.0, first=2, ceiling=10) for tries in (1, 2, 3, 4)] == [*map(seconds, (2, 4, 8, 10))]


@given(tries=st.integers(min_value=0), chance=CHANCES)
def test_chance_takes_at_most_a_quarter_off(tries: int, chance: float) -> None:
    whole = backoff(tries, 0.0)
    assert whole * 0.75 <= backoff(tries, chance) <= whole


@pytest.mark.parametrize(("said", "waited"), [(0.0, 0.2), (0.05, 0.2), (1, 1), (2.5, 2.5), (900, 900), (3600, 3600)])
def test_what_the_provider_says_is_honoured(said: float, waited: float) -> None:
    assert throttle_wait(said, 5, 0.0) == seconds(waited)


@pytest.mark.parametrize("said", [None, -5.0, 3600.1, 1e9, float("inf"), float("nan")])
def test_what_cannot_be_meant_becomes_a_backoff(said: float | None) -> None:
    assert throttle_wait(said, 1, 0.0) == seconds(2)
    assert throttle_wait(said, 2, 0.0) == seconds(4)
    assert throttle_wait(said, 0, 0.0) == seconds(2)


@given(said=st.one_of(st.none(), st.floats()), tries=st.integers(0, 50), chance=CHANCES)
def test_a_throttled_order_neither_hammers_nor_sleeps_for_ever(said: float | None, tries: int, chance: float) -> None:
    assert seconds(0.2) <= throttle_wait(said, tries, chance) <= seconds(3600)


@pytest.mark.parametrize(("waited", "gap"), [(0, 1), (5, 1), (10, 1), (50, 5), (200, 20), (3600, 20)])
def test_a_task_is_looked_at_after_a_tenth_of_what_it_took_so_far(waited: float, gap: float) -> None:
    assert poll_gap(seconds(waited)) == seconds(gap)


def test_a_fixed_interval_overrides() -> None:
    assert poll_gap(seconds(3600), seconds(0.1)) == seconds(0.1)


@pytest.mark.parametrize(("waited", "gap"), [(0, 0.25), (0.5, 0.25), (2, 1), (8, 4), (60, 4)])
def test_a_share_is_looked_for_often_at_first(waited: float, gap: float) -> None:
    assert share_check_gap(seconds(waited)) == seconds(gap)


def test_the_promised_times_are_kept() -> None:
    assert seconds(60) > patience.SUBMIT_DEADLINE, "an order of unknown outcome is on the card within a minute"
    assert seconds(30) > patience.CREDIT_PROBE, "a paused provider is probed within half a minute"
    assert seconds(60) > seconds(patience.LONGEST_GAP_SECONDS) + patience.SHARE_WAIT / 2, "what was away is done"
    assert seconds(60) > patience.SHARE_WAIT * 2, "a dropped file is noticed and sent again within a minute"
