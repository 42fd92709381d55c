"""Who has to go when too many are connected, and how many are too many."""

import resource

import pytest
from structlog.testing import capture_logs

from bot.web.crowd import Crowd, most_accepted, most_connections
from bot.web.limits import MOST_CONNECTIONS


class Standing:
    """A guest that notes when it is turned away."""

    def __init__(self, crowd: Crowd) -> None:
        self.gone = False
        crowd.came(self)

    def turn_away(self) -> None:
        self.gone = True


def test_the_crowd_sends_away_the_longest_idle_and_speaks_of_it_once_a_second() -> None:
    seconds = [0.0]
    guests = Crowd(3, now=lambda: seconds[0])
    first, second, third = (Standing(guests) for _ in range(3))
    guests.asked(first)
    with capture_logs() as lines:
        fourth = Standing(guests)
        assert (first.gone, second.gone, third.gone, fourth.gone) == (False, True, False, False)
        guests.answered(first)
        guests.left(third)
        fifth = Standing(guests)
        assert not fifth.gone
        sixth = Standing(guests)
        assert (fourth.gone, first.gone) == (True, False), "idle since it was answered, not since it came"
        for guest in (first, fifth, sixth):
            guests.asked(guest)
        assert Standing(guests).gone, "all others are busy"
        assert [line["turned_away"] for line in lines] == [1]
        seconds[0] = 1.0
        Standing(guests)
    assert [line["turned_away"] for line in lines] == [1, 3]


@pytest.mark.parametrize("soft", [64, 256, 1024, 20_000, resource.RLIM_INFINITY])
def test_connections_never_take_all_files_that_may_be_open(monkeypatch: pytest.MonkeyPatch, soft: int) -> None:
    """Those of four turns of the loop may be open beside the most."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, soft))
    most = most_connections() + 4 * most_accepted()
    assert 0 < most <= (MOST_CONNECTIONS * 2 if soft == resource.RLIM_INFINITY else soft * 5 // 8)
