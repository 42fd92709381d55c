"""The rows F86 to F90 of the fault matrix: what we stand on."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest

from bot.domain.budget import EntryKind
from bot.domain.events import Rendered, Stored, Uploaded
from bot.domain.job import Job, State
from bot.ports import Chat, OrderAccepted, Share, TaskFinished
from bot.services.bench import Later
from bot.services.delivering import Delivering
from tests.faults.acts import locked
from tests.faults.rig import Rig, answer_of
from tests.sandbox.driver import Json
from tests.support.clock import START
from tests.support.cutting import Way, cutting
from tests.support.links import WHOLE, Behind
from tests.support.ordering import Desk, desk
from tests.support.postgres import Postgres, running_postgres
from tests.support.verdict import ACK_SECONDS, Asked, Column, Terms, judge

pytestmark = pytest.mark.timeout(180)

storm = pytest.mark.storm


# --- F88: clocks -----------------------------------------------------------------------------------------------------

STEPS = {
    "an hour on": timedelta(hours=1),
    "an hour back": timedelta(hours=-1),
    "ten years on": timedelta(days=3_652),
    "a leap second back": timedelta(seconds=-1),
}


@asynccontextmanager
async def rendering() -> AsyncIterator[Desk]:
    """A task at work, looked at once."""
    async with desk(OrderAccepted(task_id="tk-1")) as one:
        await one.submit()
        await one.rendering.poll(await one.job(), await one.ask())
        yield one


def set_otherwise(one: Desk, by: timedelta) -> None:
    """The wall clock is set; no time passes."""
    one.clock.step(one.clock.now() + by)


@pytest.mark.row("F88")
@pytest.mark.parametrize("by", STEPS.values(), ids=STEPS)
async def test_f88_a_clock_that_is_set_makes_no_render_late_and_gives_none_up(by: timedelta) -> None:
    """Its task is looked at as often as before, is not called late, and its clip is fetched although the link should
    have died long ago: what is dead, who serves it says."""
    async with rendering() as one:
        one.clock.advance(30)
        set_otherwise(one, by)
        for _ in range(5):
            later = await one.rendering.poll(await one.job(), await one.ask())
            assert isinstance(later, Later)
            assert 0 < later.seconds <= 20
            one.clock.advance(later.seconds)
        assert (await one.job()).state is State.RENDERING
        assert await one.money() == [EntryKind.HOLD]

        one.provider.report = TaskFinished(url="https://cdn.example/1.mp4", expires_at=START + timedelta(days=7))
        await one.rendering.poll(await one.job(), await one.ask())
        fetching = replace(one.rendering, bench=replace(one.rendering.bench, fetcher=Behind(WHOLE)))
        await fetching.fetch(await one.job(), await one.ask())
        assert (await one.job()).state is State.DELIVERING


@pytest.mark.row("F88")
async def test_f88_what_was_late_when_the_clock_was_set_is_not_given_up_for_it() -> None:
    async with rendering() as one:
        one.clock.advance(1_800)
        await one.rendering.poll(await one.job(), await one.ask())
        assert (await one.job()).state is State.LATE
        set_otherwise(one, STEPS["ten years on"])
        await one.rendering.poll(await one.job(), await one.ask())
        assert (await one.job()).state is State.LATE


class Undecided:
    """Slack, with a file that it never shares; what was deleted there."""

    def __init__(self) -> None:
        self.deleted: list[str] = []

    async def find_share(self, file_id: str, channel: str) -> Share | None:
        return None

    async def delete_file(self, file_id: str) -> None:
        self.deleted.append(file_id)


@pytest.mark.row("F88", "F66")
@pytest.mark.parametrize("by", STEPS.values(), ids=STEPS)
async def test_f88_a_share_that_slack_drops_is_missed_within_a_minute_whatever_the_clock_does(by: timedelta) -> None:
    """Deleted first, so that it cannot come after all; and not looked for more often than ever."""
    async with rendering() as one:
        chat, moves = Undecided(), one.rendering.bench.moves
        for event in (
            Rendered(url="https://cdn.example/1.mp4", expires_at=START, cost_micro_usd=None),
            Stored(key="clips/T1/1.mp4", sha256="1", size=9),
            Uploaded(file_id="F1"),
        ):
            await moves.move(await one.job(), one.lease.ownership, event)
        bench = replace(one.rendering.bench, chat=cast(Chat, chat))
        delivering = Delivering(bench=bench, promote=_nobody)
        one.clock.advance(5)
        set_otherwise(one, by)
        began, looks = one.clock.monotonic(), 0
        while (await one.job()).file_id is not None:
            assert one.clock.monotonic() - began <= 60
            result = await delivering.deliver(await one.job(), await one.ask())
            looks += 1
            one.clock.advance(result.seconds if isinstance(result, Later) else 0.0)
        assert chat.deleted == ["F1"]
        assert looks <= 15


async def _nobody(job: Job, person: str) -> None:
    raise AssertionError("nobody reacts here")


# --- F86, F87: the database ------------------------------------------------------------------------------------------

COMMITS = 40
"""More than a clip takes from its command to its end."""


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """A real server."""
    with running_postgres() as server:
        yield server


@pytest.fixture
async def way(postgres: Postgres) -> AsyncIterator[Way]:
    """A way to an empty database that can be cut."""
    with postgres.database() as url:
        async with cutting(url) as opened:
            yield opened


TAKEN = "is accepted", "was asked for already"
"""How an answer says that there is something of an ask."""


async def _asked(rig: Rig, word: str) -> Asked:
    """An ask while commits are cut. One that was accepted has one clip, charged once."""
    answer = answer_of(await rig.ask(word))
    if any(words in answer for words in TAKEN):
        await rig.card_where(lambda card: word in card.text and card.ended, within=90, what=f"{word} has ended")
        assert len([one for one in (await rig.history()).charges if word in one["prompt"]]) == 1
    return Asked(words=word, answer=answer)


@pytest.mark.timeout(600)
@pytest.mark.row("F86")
@pytest.mark.parametrize(
    ("numbers", "answered"),
    [
        pytest.param((5, 8), True, id="some, made"),
        pytest.param((5, 8), False, id="some, not made", marks=storm),
        pytest.param(range(1, COMMITS), True, id="all, made", marks=storm),
        pytest.param(range(1, COMMITS), False, id="all, not made", marks=storm),
    ],
)
async def test_f86_a_connection_cut_at_a_commit_doubles_and_loses_nothing(
    rig: Rig, way: Way, answered: bool, numbers: Sequence[int]
) -> None:
    """One life, in which the n-th commit after each ask is cut. What was accepted ends in its clip; of what is said not
    to be there is none; of one of which nobody knew, there is none, or one that stands and was charged once."""
    await rig.start(DATABASE_URL=way.url)
    asks = []
    for number in numbers:
        way.cut_commit(number, answered=answered)
        asks.append(await _asked(rig, f"cut{number}x"))
    assert way.cuts >= len(numbers) // 2
    await asyncio.sleep(3)  # What was made of an ask that nobody promised shows by now.
    taken = sum(any(words in asked.answer for words in TAKEN) for asked in asks)
    cards = await rig.ended(asks=taken)
    history = await rig.check(clips=len(cards), asks=len(cards))
    assert taken <= len(cards) <= len(numbers)
    assert judge(history, Terms(asks=asks)).count(Column.UNTRUE_WORDS) == 0


@storm
@pytest.mark.row("F86")
@pytest.mark.parametrize("answered", [True, False], ids=["made", "not made"])
async def test_f86_nobody_is_told_what_cannot_be_read_back(rig: Rig, way: Way, answered: bool) -> None:
    """The server stays away after the cut, so that who asked cannot be told any more whether it was written."""
    await rig.start(DATABASE_URL=way.url)
    way.cut_commit(1, answered=answered, stays_away=True, of=b"INSERT INTO asks")
    answer = answer_of(await rig.ask("first"))
    assert way.closed
    assert "not known whether" in answer
    way.closed = False
    if not answered:
        await asyncio.sleep(3)  # What was made of it would show by now.
        assert await rig.cards() == []
        await rig.accepted("first")
    await rig.ended()
    history = await rig.check()
    judge(history, Terms(asks=[Asked(words="first", answer=answer)])).raise_if_broken()


async def _away(rig: Rig, seconds: float) -> None:
    """While the database cannot be reached an ask is answered in time, and nothing is accepted."""
    began = time.monotonic()
    answer = await rig.ask("too late")
    assert answer["acked"]
    assert answer["ack_seconds"] < ACK_SECONDS
    await rig.told("maya", "nothing was")
    await asyncio.sleep(max(0.0, seconds - (time.monotonic() - began)))


async def _rendered(rig: Rig) -> None:
    """What was accepted before is ready at the provider by now."""

    def ready(state: Json) -> bool:
        ours = [task for task in state["providers"]["hiapi"]["tasks"] if rig.marker in task["prompt"]]
        return bool(ours) and all(task["completed"] is not None for task in ours)

    await rig.studio.wait_until(ready, timeout=60, what="the provider has rendered")


async def _goes_on(rig: Rig) -> None:
    """What was accepted before comes, and what is asked for now."""
    await rig.ended(within=150)
    await rig.accepted("afterwards")
    await rig.ended(asks=2)
    await rig.check(clips=2, asks=2)
    assert "Traceback" not in rig.bot.log()


@storm
@pytest.mark.row("F87", "F90")
@pytest.mark.parametrize("seconds", [6, 75])
async def test_f87_f90_postgresql_may_be_away_for_a_while(rig: Rig, way: Way, seconds: float) -> None:
    """As while it is started again: everybody is cut off, and nobody gets through. The longest wait of ours is a
    minute."""
    await rig.settings(render_seconds=3)
    await rig.start(DATABASE_URL=way.url)
    await rig.accepted()
    await rig.charged()
    way.closed = True
    await _away(rig, seconds)
    await _rendered(rig)
    way.closed = False
    await _goes_on(rig)


@storm
@pytest.mark.row("F87", "F90")
@pytest.mark.parametrize("seconds", [30, 75])
async def test_f87_f90_a_locked_database_pauses_everything_and_loses_nothing(rig: Rig, seconds: float) -> None:
    await rig.settings(render_seconds=3)
    await rig.start()
    await rig.accepted()
    await rig.charged()
    with locked(rig):
        await _away(rig, seconds)
        await _rendered(rig)
    await _goes_on(rig)
    sums = rig.play.sums()
    assert sums["held_micro_usd"] == 0, sums


# --- F90: nobody but one is away -------------------------------------------------------------------------------------


@storm
@pytest.mark.row("F90")
async def test_f90_a_provider_that_is_away_for_longer_than_it_is_ever_waited_delays_and_doubles_nothing(
    rig: Rig,
) -> None:
    """Nothing of it answers, neither orders nor looks nor downloads: one clip is at work then, one is asked for while
    it is away, and one afterwards."""
    posts = await rig.posts()
    await rig.settings(render_seconds=3)
    await rig.start()
    await rig.accepted("before")
    await rig.charged()
    await rig.arm("hiapi:*", "before", "reset", times=-1)
    await rig.accepted("meanwhile")
    await asyncio.sleep(75)  # The time is the subject.
    sent = await rig.posts() - posts
    assert sent <= 12, "nobody answers, and few ask"
    await rig.studio.heal()
    await rig.ended(asks=2, within=150)
    await rig.accepted("afterwards")
    await rig.ended(asks=3)
    await rig.books_balance(await rig.check(clips=3, asks=3))
