"""What is due when: one entry a key, each line with its own places, the most urgent first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.services.agenda import PLACES, Agenda, Key, Line


def key(name: str) -> Key:
    return Key(kind="job", workspace="T1", id=name)


def started(agenda: Agenda, now: float) -> list[str]:
    return [one.id for one, _ in agenda.start_due(now)]


@pytest.fixture
def agenda() -> Agenda:
    return Agenda()


def test_a_key_starts_when_it_is_due_and_not_before(agenda: Agenda) -> None:
    agenda.put(key("a"), Line.POLL, 10.0)
    assert agenda.next_due() == 10.0
    assert started(agenda, 9.9) == []
    assert agenda.start_due(10.0) == [(key("a"), Line.POLL)]
    assert agenda.next_due() is None


def test_a_key_starts_once_until_it_is_put_again(agenda: Agenda) -> None:
    agenda.put(key("a"), Line.POLL, 0.0)
    assert started(agenda, 1.0) == ["a"]
    assert started(agenda, 2.0) == []
    agenda.finish(key("a"))
    assert started(agenda, 3.0) == []
    assert not agenda.knows(key("a"))


def test_what_is_put_again_replaces_what_was_planned(agenda: Agenda) -> None:
    agenda.put(key("a"), Line.POLL, 5.0)
    agenda.put(key("a"), Line.FETCH, 7.0)
    assert len(agenda) == 1
    assert started(agenda, 6.0) == []
    assert agenda.start_due(7.0) == [(key("a"), Line.FETCH)]


def test_what_is_put_earlier_is_earlier(agenda: Agenda) -> None:
    agenda.put(key("a"), Line.POLL, 50.0)
    agenda.put(key("a"), Line.POLL, 5.0)
    assert agenda.next_due() == 5.0
    assert started(agenda, 5.0) == ["a"]
    assert started(agenda, 50.0) == []


def test_what_is_put_while_it_runs_starts_after_it_ended(agenda: Agenda) -> None:
    agenda.put(key("a"), Line.POLL, 0.0)
    agenda.start_due(0.0)
    agenda.put(key("a"), Line.POLL, 9.0)
    agenda.put(key("a"), Line.FETCH, 0.0)
    assert (agenda.knows(key("a")), agenda.waits(key("a"))) == (True, False)
    assert started(agenda, 1.0) == []
    agenda.finish(key("a"))
    assert agenda.waits(key("a"))
    assert agenda.start_due(1.0) == [(key("a"), Line.FETCH)]


@pytest.mark.parametrize("early", [True, False], ids=["before the plan", "after the plan"])
def test_news_of_a_key_that_runs_is_looked_at_when_it_has_ended(agenda: Agenda, early: bool) -> None:
    """What the step plans was decided without the news."""
    agenda.put(key("a"), Line.SUBMIT, 0.0)
    agenda.start_due(0.0)
    if early:
        agenda.look(key("a"), Line.SUBMIT, 1.0)
    agenda.put(key("a"), Line.DECIDE, 60.0)
    if not early:
        agenda.look(key("a"), Line.SUBMIT, 1.0)
    agenda.finish(key("a"))
    assert agenda.start_due(1.0) == [(key("a"), Line.DECIDE)]
    agenda.put(key("a"), Line.DECIDE, 60.0)
    agenda.finish(key("a"))
    assert started(agenda, 59.0) == []


def test_news_sends_no_order_sooner_and_revives_nothing_that_is_over(agenda: Agenda) -> None:
    """An order waits as long as its provider asked for."""
    for name in "ab":
        agenda.put(key(name), Line.SUBMIT, 0.0)
    agenda.start_due(0.0)
    for name in "ab":
        agenda.look(key(name), Line.SUBMIT, 1.0)
    agenda.put(key("a"), Line.SUBMIT, 60.0)
    for name in "ab":
        agenda.finish(key(name))
    assert (started(agenda, 59.0), agenda.knows(key("b"))) == ([], False)
    assert started(agenda, 60.0) == ["a"]


def test_news_of_a_key_that_does_not_run_is_looked_at_now(agenda: Agenda) -> None:
    agenda.put(key("a"), Line.DECIDE, 60.0)
    agenda.look(key("a"), Line.DECIDE, 1.0)
    assert started(agenda, 1.0) == ["a"]


def test_a_dropped_key_does_not_start(agenda: Agenda) -> None:
    agenda.put(key("a"), Line.POLL, 0.0)
    agenda.put(key("b"), Line.POLL, 1.0)
    agenda.drop(key("a"))
    agenda.drop(key("unknown"))
    assert not agenda.knows(key("a"))
    assert (len(agenda), agenda.next_due()) == (1, 1.0)
    assert started(agenda, 5.0) == ["b"]


def test_a_key_dropped_while_it_waits_for_a_place_does_not_start() -> None:
    agenda = Agenda({**PLACES, Line.FETCH: 1})
    for name in "ab":
        agenda.put(key(name), Line.FETCH, 0.0)
    assert started(agenda, 0.0) == ["a"]
    agenda.drop(key("b"))
    agenda.finish(key("a"))
    assert started(agenda, 1.0) == []


@pytest.mark.parametrize("line", Line)
def test_each_line_has_its_own_places(line: Line) -> None:
    """A provider that hangs does not keep finished clips from the thread."""
    agenda = Agenda()
    for full in Line:
        for number in range(PLACES[full] + 5):
            agenda.put(Key(kind=full.value, workspace="T1", id=str(number)), full, 0.0)
    begun = agenda.start_due(0.0)
    assert sum(one is line for _, one in begun) == PLACES[line]
    assert agenda.start_due(1.0) == []
    agenda.finish(Key(kind=line.value, workspace="T1", id="0"))
    assert [one for _, one in agenda.start_due(1.0)] == [line]


def test_every_line_has_places() -> None:
    assert set(PLACES) == set(Line)
    assert min(PLACES.values()) >= 1


def test_the_most_urgent_of_those_due_goes_first() -> None:
    agenda = Agenda({**PLACES, Line.FETCH: 1})
    agenda.put(key("late expiry"), Line.FETCH, 0.0, urgency=900.0)
    agenda.put(key("early expiry"), Line.FETCH, 1.0, urgency=100.0)
    agenda.put(key("not yet due"), Line.FETCH, 50.0, urgency=1.0)
    order = []
    for _ in range(2):
        (only,) = started(agenda, 2.0)
        order.append(only)
        agenda.finish(key(only))
    assert order == ["early expiry", "late expiry"]
    assert started(agenda, 50.0) == ["not yet due"]


def test_without_urgency_those_due_first_go_first_and_then_those_put_first(agenda: Agenda) -> None:
    agenda.put(key("c"), Line.POLL, 2.0)
    agenda.put(key("a"), Line.POLL, 1.0)
    agenda.put(key("b"), Line.POLL, 1.0)
    assert started(agenda, 3.0) == ["a", "b", "c"]


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["put", "drop", "finish", "start"]),
        st.sampled_from("abcd"),
        st.sampled_from([Line.POLL, Line.FETCH]),
        st.floats(0, 10),
    ),
    max_size=60,
)


@given(acts=ACTS)
def test_nothing_is_lost_doubled_or_early_whatever_happens(acts: list[tuple[str, str, Line, float]]) -> None:
    """Against the plainest model: what is planned, what runs, and what is to follow it."""
    agenda = Agenda({**PLACES, Line.POLL: 2, Line.FETCH: 1})
    planned: dict[str, tuple[Line, float]] = {}
    running: dict[str, Line] = {}
    follows: dict[str, tuple[Line, float]] = {}
    now = 0.0
    for act, name, line, number in acts:
        if act == "put":
            agenda.put(key(name), line, now + number)
            (follows if name in running else planned)[name] = (line, now + number)
        elif act == "drop":
            agenda.drop(key(name))
            planned.pop(name, None)
        elif act == "finish" and name in running:
            agenda.finish(key(name))
            del running[name]
            if name in follows:
                planned[name] = follows.pop(name)
        elif act == "start":
            now += number
            for begun, in_line in agenda.start_due(now):
                due_line, due = planned.pop(begun.id)
                assert (in_line, due <= now) == (due_line, True)
                running[begun.id] = in_line
            for kind, places in ((Line.POLL, 2), (Line.FETCH, 1)):
                busy = sum(one is kind for one in running.values())
                waiting = sum(one is kind and due <= now for one, due in planned.values())
                assert busy <= places
                assert busy == places or not waiting
    assert len(agenda) == len(planned) + len(running)
    assert all(agenda.knows(key(name)) for name in {*planned, *running})


def whose(name: str, person: str) -> Key:
    return Key(kind="job", workspace="T1", id=name, person=person)


def test_one_persons_files_leave_places_to_the_others(agenda: Agenda) -> None:
    for name in ("ben 1", "ben 2", "ben 3", "ben 4"):
        agenda.put(whose(name, "U1"), Line.PREPARE, 0.0)
    assert started(agenda, 1.0) == ["ben 1", "ben 2"]
    agenda.put(whose("ben 0", "U1"), Line.PREPARE, -1.0)
    for name in ("maya 1", "maya 2"):
        agenda.put(whose(name, "U2"), Line.PREPARE, 1.0)
    assert started(agenda, 2.0) == ["maya 1", "maya 2"]
    agenda.finish(whose("ben 2", "U1"))
    assert started(agenda, 3.0) == ["ben 0"], "and goes by urgency among their own"
    assert agenda.knows(whose("ben 3", ""))


def test_people_with_fewer_files_under_way_go_first() -> None:
    agenda = Agenda({**PLACES, Line.PREPARE: 3})
    for name, person in (("ben 1", "U1"), ("ben 2", "U1"), ("maya 1", "U2"), ("maya 2", "U2")):
        agenda.put(whose(name, person), Line.PREPARE, 0.0)
    assert sorted(started(agenda, 1.0)) == ["ben 1", "ben 2", "maya 1"]


def test_other_lines_know_no_persons(agenda: Agenda) -> None:
    for number in range(3):
        agenda.put(whose(str(number), "U1"), Line.FETCH, 0.0)
    assert len(started(agenda, 1.0)) == 3
