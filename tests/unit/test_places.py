"""Who waits for a provider's place or for a job of their own, and whose turn it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.job import Job
from bot.services.places import Places
from tests.support.values import a_job


@pytest.fixture
def offered() -> list[str]:
    return []


@pytest.fixture
def places(offered: list[str]) -> Places:
    return Places(lambda one: offered.append(one.id))


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


def test_who_goes_to_another_provider_holds_nobody_up_where_they_stood(places: Places) -> None:
    places.wait(job("01A"))
    places.wait(job("01B", person="U2"))
    assert not places.in_turn(job("01B", person="U2"))

    places.wait(job("01A", provider="muapi"))

    assert places.in_turn(job("01B", person="U2"))
    assert not places.in_turn(job("01C", person="U3", provider="muapi"))


def test_a_job_that_another_pays_waits_in_the_turn_of_that_one(places: Places) -> None:
    places.wait(job("01A", person="U2"))
    places.wait(job("01B"))
    places.take(job("019"))  # a turn of U1's
    places.wait(job("01A"))

    assert places.in_turn(job("01A"))
    assert not places.in_turn(job("01C"))
    assert places.in_turn(job("01C", person="U2"))


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


def test_one_clip_does_not_wait_for_a_batch(places: Places, offered: list[str]) -> None:
    """Maya's twelve came first and have five places; Ben's only one is next."""
    batch = [job(f"01A{number:02}") for number in range(12)]
    for one in batch[:5]:
        places.take(one)
    for one in batch[5:]:
        places.wait(one)
    bens = job("01B", person="U2")
    assert places.in_turn(bens)
    places.wait(bens)
    places.freed(batch[0])
    assert offered == ["01B"]
    places.take(bens)
    assert places.in_turn(batch[5])


@given(st.lists(st.sampled_from(["U1", "U2", "U3", "U4"]), min_size=1, max_size=24))
def test_nobody_has_a_second_turn_before_everybody_who_waits_has_had_one(people: list[str]) -> None:
    offered: list[Job] = []
    places = Places(offered.append)
    for number, person in enumerate(people):
        places.wait(job(f"01{number:03}", person=person))
    waiting = {person: people.count(person) for person in people}
    had: list[str] = []
    for _ in people:
        places.freed(job("00", person="U9"))
        chosen = offered.pop()
        assert places.in_turn(chosen)
        places.take(chosen)
        had.append(chosen.person)
        waiting[chosen.person] -= 1
        turns = {person: had.count(person) for person in set(people)}
        for person, left in waiting.items():
            assert not left or turns[person] >= max(turns.values()) - 1, (had, waiting)
    places.freed(job("00", person="U9"))
    assert offered == []
    assert sorted(had) == sorted(people)


@given(st.lists(st.sampled_from(["U1", "U2", "U3"]), max_size=20))
def test_who_waits_is_not_overtaken_by_those_who_come_later_for_ever(newcomers: list[str]) -> None:
    """Ben had a turn and waits for another; people who come after him go behind him."""
    offered: list[Job] = []
    places = Places(offered.append)
    places.take(job("00A", person="U8"))
    places.wait(job("00B", person="U8"))
    places.take(job("00C", person="U9"))
    for number, person in enumerate(newcomers):
        places.wait(job(f"01{number:03}", person=person))
    places.freed(job("00A", person="U8"))
    assert offered[-1].person == "U8"
