"""Who waits for a provider's place or for a job of their own, and pauses while it refuses our key or our credit."""

import pytest

from bot.domain.job import Job
from bot.domain.patience import CREDIT_PROBE
from bot.services.places import Places
from tests.support.clock import SettableClock
from tests.support.values import a_job

PROBE = CREDIT_PROBE.total_seconds()


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def offered() -> list[str]:
    return []


@pytest.fixture
def places(clock: SettableClock, offered: list[str]) -> Places:
    return Places(clock, lambda one: offered.append(one.id))


def job(job_id: str, *, person: str = "U1", provider: str = "hiapi") -> Job:
    return a_job(id=job_id, person=person, provider=provider)


def test_who_waits_longest_is_next(places: Places, offered: list[str]) -> None:
    for one in ("01C", "01A", "01B"):
        assert places.in_turn(job("01A"))
        places.wait(job(one))
    assert [places.in_turn(job(one)) for one in ("01A", "01B")] == [True, False]
    places.freed(job("019"))
    places.leave(job("01A"))
    places.freed(job("01A"))
    assert offered == ["01A", "01B"]


def test_who_waits_twice_waits_once(places: Places, offered: list[str]) -> None:
    places.wait(job("01A"))
    places.wait(job("01A"))
    places.leave(job("01A"))
    places.freed(job("019"))
    assert offered == []


def test_each_provider_has_its_own_line(places: Places) -> None:
    places.wait(job("01A"))
    assert places.in_turn(job("01B", provider="muapi"))
    places.leave(job("01A", provider="muapi"))
    assert places.in_turn(job("01B", provider="muapi"))


def test_leaving_without_having_waited_is_no_matter(places: Places) -> None:
    places.leave(job("01A"))
    assert places.in_turn(job("01B"))


def test_who_is_held_back_by_their_own_limit_holds_nobody_else_up(places: Places, offered: list[str]) -> None:
    """Maya's job waits longest for a place; as it turns out that as many of hers run as may, Ben's is next at once."""
    mine, bens = job("01A"), job("01B", person="U2")
    places.wait(mine)
    places.wait(bens)
    assert not places.in_turn(bens)

    assert places.hold_back(mine)

    assert offered == ["01B"]
    assert places.in_turn(bens)
    assert not places.hold_back(mine), "that is no news the second time"


def test_a_persons_jobs_go_in_their_order_as_places_of_theirs_become_free(places: Places, offered: list[str]) -> None:
    first, second, third = job("01A"), job("01B"), job("01C")
    places.hold_back(second)
    places.hold_back(first)
    assert [places.held_back(one) for one in (first, second, third)] == [False, True, True]
    assert not places.held_back(job("01D", person="U2"))

    places.freed(job("019"))
    places.freed(job("018", person="U2"))
    places.leave(first)
    places.freed(first)

    assert offered == ["01A", "01B"]


def test_a_job_that_another_pays_by_now_is_found_in_its_line_all_the_same(places: Places, offered: list[str]) -> None:
    places.hold_back(job("01A"))
    places.leave(job("01A", person="U9"))
    places.freed(job("019"))
    assert offered == []


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
