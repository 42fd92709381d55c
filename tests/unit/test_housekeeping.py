"""Keys of outside events are kept as long as they may come again, and not for ever."""

from datetime import timedelta
from typing import NoReturn

import pytest

from bot.ports import StorageBusy
from bot.services.housekeeping import EVENTS_KEPT, Housekeeping
from storage import MemoryStorage
from tests.support.clock import START, SettableClock

DAY = timedelta(days=1)


async def taken(storage: MemoryStorage, *ages: timedelta) -> None:
    """An event of each age was taken."""
    async with storage.begin() as tx:
        for number, age in enumerate(ages):
            assert await tx.inbox.take("T1", f"event:{number}", START - age)


async def kept(storage: MemoryStorage, *numbers: int) -> list[bool]:
    """Whether each is known."""
    async with storage.read() as tx:
        return [await tx.inbox.was_taken("T1", f"event:{number}") for number in numbers]


async def test_old_events_are_forgotten_and_young_ones_are_not() -> None:
    storage, clock = MemoryStorage(), SettableClock()
    await taken(storage, EVENTS_KEPT + DAY, EVENTS_KEPT - DAY, timedelta(0))

    await Housekeeping(storage=storage, clock=clock).sweep()

    assert await kept(storage, 0, 1, 2) == [False, True, True]


@pytest.mark.row("F88")
async def test_a_clock_that_was_set_ahead_makes_no_event_old() -> None:
    storage, clock = MemoryStorage(), SettableClock()
    await taken(storage, timedelta(0))
    housekeeping = Housekeeping(storage=storage, clock=clock)

    clock.step(START + timedelta(days=3650))
    await housekeeping.sweep()
    clock.step(START)
    await housekeeping.sweep()

    assert await kept(storage, 0) == [True]


async def test_a_long_time_that_really_passed_makes_events_old() -> None:
    storage, clock = MemoryStorage(), SettableClock()
    await taken(storage, timedelta(0))
    housekeeping = Housekeeping(storage=storage, clock=clock)

    clock.advance((EVENTS_KEPT + DAY).total_seconds())
    await housekeeping.sweep()

    assert await kept(storage, 0) == [False]


async def test_a_database_that_is_away_is_waited_for_until_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    storage, clock = MemoryStorage(), SettableClock()
    await taken(storage, EVENTS_KEPT + DAY)
    housekeeping = Housekeeping(storage=storage, clock=clock)

    def away() -> NoReturn:
        raise StorageBusy("locked")

    with monkeypatch.context() as locked:
        locked.setattr(storage, "begin", away)
        await housekeeping.sweep()
    assert await kept(storage, 0) == [True]

    await housekeeping.sweep()
    assert await kept(storage, 0) == [False]
