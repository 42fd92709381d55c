"""How old something is, whatever becomes of the wall clock."""

from datetime import timedelta

import pytest

from bot.services.ages import Age
from tests.support.clock import SettableClock

HOUR, YEAR = timedelta(hours=1), timedelta(days=365)


@pytest.mark.row("F88")
@pytest.mark.parametrize("first_seen_under", [YEAR, 2 * YEAR, timedelta()], ids=repr)
def test_what_was_born_under_a_clock_that_was_ahead_grows_old_once_it_is_right(first_seen_under: timedelta) -> None:
    """Else it would keep its place and its hold until that year. What was not watched may be younger than it seems."""
    clock = SettableClock()
    right = clock.now()
    clock.step(right + first_seen_under)
    age = Age.of(right + YEAR, clock)
    clock.step(right)

    clock.advance(HOUR.total_seconds() - 1)
    assert not age.reached(HOUR, clock)
    clock.advance(1)
    assert age.reached(HOUR, clock)


@pytest.mark.row("F88")
def test_what_is_young_by_a_clock_that_was_put_right_is_not_old() -> None:
    clock = SettableClock()
    right = clock.now()
    clock.step(right + YEAR)
    age = Age.of(right, clock)
    assert age.reached(HOUR, clock)
    clock.step(right)
    assert not age.reached(HOUR, clock)
