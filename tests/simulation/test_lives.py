"""Lives under the virtual clock: every promise is kept in each, a seed replays, and a broken wiring is found."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from bot.domain.announcement import Announcement
from bot.domain.failure import Failure, FailureKind
from bot.domain.job import Ask, Decision, Job
from bot.domain.recipe import Recipe
from bot.ports import (
    Card,
    MessageGone,
    Order,
    OrderAccepted,
    OrderOutcome,
    OrderRefused,
    OrderUnknown,
    Share,
    StorageBusy,
)
from bot.services import cards, ordering
from bot.services.ordering import Ordering
from bot.services.submitting import Submitting
from storage.memory.jobs import MemoryJobs
from tests.simulation import storage
from tests.simulation.__main__ import outcomes
from tests.simulation.chat import WorkspaceChat
from tests.simulation.core import House
from tests.simulation.life import as_it_is, live
from tests.simulation.slack_books import settled
from tests.simulation.vendor import Vendor

JOBS = 10
SEEDS_EACH = 20
STORM_SEEDS = int(os.environ.get("SEEDS", "10000"))
MOST_SEEDS = 200
"""A wiring that is broken is found within so many lives."""


@pytest.mark.row("F90")
@pytest.mark.parametrize("first", range(1, 41, SEEDS_EACH))
def test_every_promise_is_kept_in_every_life(first: int) -> None:
    lives = [live(seed, jobs=JOBS) for seed in range(first, first + SEEDS_EACH)]
    assert {life.seed: life.broken for life in lives if life.broken} == {}
    for count in ("kills", "charges", "clips"):
        assert sum(getattr(life, count) for life in lives) > 0, count


@pytest.mark.storm
@pytest.mark.timeout(7200)
def test_every_promise_is_kept_in_ten_thousand_lives() -> None:
    broken = {one.seed: one.broken for one in outcomes(range(1, STORM_SEEDS + 1), 20, os.cpu_count() or 1)}
    assert len(broken) == STORM_SEEDS
    assert {seed: sentences for seed, sentences in broken.items() if sentences} == {}


@pytest.mark.parametrize("hash_seed", ["0", "4711"])
def test_a_seed_replays_in_any_process(hash_seed: str) -> None:
    """With another order of sets, and after other lives."""
    seed = 7
    told = subprocess.run(
        [sys.executable, "-m", "tests.simulation", "--jobs", str(JOBS), "--seed", str(seed), "--trace"],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    lived = live(seed, jobs=JOBS)
    assert told.splitlines()[:-1] == list(lived.lines)
    assert lived.digest in told
    assert live(seed, jobs=JOBS) == lived


# --- wirings that break a promise ------------------------------------------------------------------------------------


class Repeats(Vendor):
    """Sends an order again that was not answered properly: as most clients do by themselves."""

    async def submit(self, order: Order) -> OrderOutcome:
        outcome = await super().submit(order)
        return await super().submit(order) if isinstance(outcome, OrderUnknown) else outcome


class Mishears(Vendor):
    """Makes nothing of an answer that was whole."""

    async def submit(self, order: Order) -> OrderOutcome:
        outcome = await super().submit(order)
        return OrderUnknown(why="who knows") if isinstance(outcome, OrderAccepted) else outcome


class GivesUp(Vendor):
    """Orders nothing, and says that it was refused."""

    async def submit(self, order: Order) -> OrderOutcome:
        return OrderRefused(failure=Failure(kind=FailureKind.PROVIDER, detail="never asked"))


class Forgets(WorkspaceChat):
    """Never finds what it posted."""

    async def find_card(self, ask: Ask) -> str | None:
        return None

    async def find_announcement(self, announcement: Announcement) -> str | None:
        return None


class Believes(WorkspaceChat):
    """Takes Slack's *ok* for a message that stands."""

    async def find_share(self, file_id: str, channel: str) -> Share | None:
        return Share(message_ts=f"of {file_id}", public=True)


class Lingers(WorkspaceChat):
    """Leaves a file where it is before it is sent again."""

    async def delete_file(self, file_id: str) -> None:
        return None


class Overlooks(WorkspaceChat):
    """Never posts a card again that was deleted when every row of it had a last word, whatever comes after that."""

    async def update_card(self, card: Card) -> None:
        try:
            await super().update_card(card)
        except MessageGone:
            deleted = self._books.messages[card.ask.card_ts or ""].card
            if deleted is None or not all(map(settled, deleted.jobs)):
                raise


class Miscounts(WorkspaceChat):
    """Sees one reaction where there are several."""

    async def reactors(self, channel: str, ts: str, names: Sequence[str]) -> tuple[str, ...]:
        return (await super().reactors(channel, ts, names))[:1]


def repeating(house: House) -> House:
    return replace(house, vendor=Repeats)


def mishearing(house: House) -> House:
    return replace(house, vendor=Mishears)


def giving_up(house: House) -> House:
    return replace(house, vendor=GivesUp)


def forgetting(house: House) -> House:
    return replace(house, chat=Forgets)


def believing(house: House) -> House:
    return replace(house, chat=Believes)


def lingering(house: House) -> House:
    return replace(house, chat=Lingers)


def overlooking(house: House) -> House:
    return replace(house, chat=Overlooks)


def miscounting(house: House) -> House:
    return replace(house, chat=Miscounts)


def one_at_a_time(house: House) -> House:
    return replace(house, policy=replace(house.policy, default_concurrency=1))


@pytest.mark.parametrize(
    ("change", "promise"),
    [
        (repeating, "I1"),
        (mishearing, "I7"),
        (giving_up, "I4"),
        (forgetting, "I3"),
        (believing, "I9"),
        pytest.param(overlooking, "I4: the deleted card says", marks=pytest.mark.storm),
        (miscounting, "I4: nothing in the books made clip"),
        (one_at_a_time, "I4: nothing was done for"),
        pytest.param(lingering, "I3", marks=pytest.mark.storm),
    ],
)
def test_a_wiring_that_breaks_a_promise_is_found(change: Callable[[House], House], promise: str) -> None:
    _see_broken(promise, change)


def test_reactions_that_are_not_read_once_more_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object) -> None:
        return None

    monkeypatch.setattr(ordering, "recheck", never)
    # Few wait in line just when somebody thinks again: the search begins shortly before a life in which one does.
    _see_broken("I1", first=312)


def test_an_order_after_a_cancel_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever presses is told that it was taken, and the runner is not."""

    async def forget(*_: object) -> None:
        return None

    monkeypatch.setattr(MemoryJobs, "request_cancel", forget)
    _see_broken("I1: order")


def test_an_order_after_an_undo_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    decide = MemoryJobs.decide

    async def forget(self: MemoryJobs, workspace: str, ask_id: str, decision: Decision, person: str | None) -> bool:
        stopped_by_somebody = decision is Decision.STOP and person is not None
        return stopped_by_somebody or await decide(self, workspace, ask_id, decision, person)

    monkeypatch.setattr(MemoryJobs, "decide", forget)
    _see_broken("I1: order")


def test_a_denial_of_what_was_written_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit of unknown outcome is called one that was not made."""
    monkeypatch.setattr(storage, "CommitUnknown", StorageBusy)
    # Few commits are in doubt: the search begins shortly before a life in which one of an ask is.
    _see_broken("I9: it was said that nothing came of", first=21)


def test_a_word_that_all_was_free_about_what_was_charged_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cards, "_was_ordered", lambda card: False)
    # Few cards are deleted just where Slack takes no other: the search begins shortly before a life in which one is.
    _see_broken("I9: it was said that nothing of", first=830)


def test_an_order_after_a_polite_stop_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Orders whose files take a while are in hand when the stop comes, and go on to be sent."""
    hand = Ordering._hand

    async def slowly(self: Ordering, job: Job) -> Recipe:
        await asyncio.sleep(5.0)
        return await hand(self, job)

    # Few stops come just then: the search begins at a life in which one does.
    seed = 21
    monkeypatch.setattr(Ordering, "_hand", slowly)
    assert live(seed, jobs=JOBS).broken == ()
    monkeypatch.setattr(Submitting, "close", lambda self: None)
    _see_broken("I1: order", first=seed)


def test_an_order_that_never_left_and_is_called_uncertain_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Submitting, "_take_back", Submitting._resolve)
    # Few commits are in doubt: the search begins shortly before a life in which one of an intention is.
    _see_broken("I7: order", first=40)


def _see_broken(promise: str, change: Callable[[House], House] = as_it_is, *, first: int = 1) -> None:
    for seed in range(first, first + MOST_SEEDS):
        if any(sentence.startswith(promise) for sentence in live(seed, jobs=JOBS, change=change).broken):
            return
    pytest.fail(f"nothing of it was seen in {MOST_SEEDS} lives")
