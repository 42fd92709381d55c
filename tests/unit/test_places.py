"""Who waits for a provider's place, and pauses while it refuses our key or our credit."""

import pytest

from bot.domain.patience import CREDIT_PROBE
from bot.services.places import Places
from tests.support.clock import SettableClock

PROBE = CREDIT_PROBE.total_seconds()


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def places(clock: SettableClock) -> Places:
    return Places(clock)


def test_who_waits_longest_is_next(places: Places) -> None:
    assert places.next("hiapi") is None
    for job in ("01C", "01A", "01B"):
        places.wait("hiapi", "T1", job)
    assert places.next("hiapi") == ("T1", "01A")
    places.leave("hiapi", "01A")
    assert places.next("hiapi") == ("T1", "01B")


def test_who_waits_twice_waits_once(places: Places) -> None:
    places.wait("hiapi", "T1", "01A")
    places.wait("hiapi", "T1", "01A")
    places.leave("hiapi", "01A")
    assert places.next("hiapi") is None


def test_each_provider_has_its_own_line(places: Places) -> None:
    places.wait("hiapi", "T1", "01A")
    assert places.next("muapi") is None
    places.leave("muapi", "01A")
    assert places.next("hiapi") == ("T1", "01A")


def test_leaving_without_having_waited_is_no_matter(places: Places) -> None:
    places.leave("hiapi", "01A")
    assert places.next("hiapi") is None


def test_a_pause_is_news_once(places: Places) -> None:
    assert places.pause("hiapi", "out_of_credit") is True
    assert places.pause("hiapi", "out_of_credit") is False
    assert places.pause("muapi", "out_of_credit") is True


def test_a_paused_provider_gets_no_orders(places: Places) -> None:
    assert places.paused("hiapi", "01A") is None
    places.pause("hiapi", "key_refused")
    assert places.paused("hiapi", "01A") == "key_refused"
    assert places.paused("muapi", "01A") is None


def test_one_job_at_a_time_probes_a_paused_provider(places: Places, clock: SettableClock) -> None:
    places.pause("hiapi", "out_of_credit")
    assert not places.may_probe("hiapi", "01A")
    clock.advance(PROBE - 0.1)
    assert not places.may_probe("hiapi", "01A")
    clock.advance(0.1)
    assert places.may_probe("hiapi", "01B")
    assert not places.may_probe("hiapi", "01A"), "another one is trying"
    assert places.paused("hiapi", "01B") is None, "the prober may order"
    assert places.paused("hiapi", "01A") == "out_of_credit"


def test_a_prober_that_is_never_heard_of_again_is_followed_by_another(places: Places, clock: SettableClock) -> None:
    places.pause("hiapi", "out_of_credit")
    clock.advance(PROBE)
    assert places.may_probe("hiapi", "01B")
    clock.advance(PROBE)
    assert places.may_probe("hiapi", "01A")
    assert places.paused("hiapi", "01B") == "out_of_credit"


def test_a_refused_probe_prolongs_the_pause(places: Places, clock: SettableClock) -> None:
    places.pause("hiapi", "out_of_credit")
    clock.advance(PROBE)
    assert places.may_probe("hiapi", "01A")
    places.pause("hiapi", "out_of_credit")
    assert places.paused("hiapi", "01A") == "out_of_credit"
    assert not places.may_probe("hiapi", "01A")


def test_an_order_that_goes_through_ends_the_pause_for_all(places: Places) -> None:
    assert places.resume("hiapi") is False
    places.pause("hiapi", "out_of_credit")
    assert places.resume("hiapi") is True
    assert places.paused("hiapi", "01A") is None
    assert places.may_probe("hiapi", "01A")
    assert places.pause("hiapi", "out_of_credit") is True


def test_without_a_pause_anybody_may_order(places: Places) -> None:
    assert places.may_probe("hiapi", "01A")
    assert places.may_probe("hiapi", "01B")
