"""The rows F86 to F90 of the fault matrix: what we stand on."""

from collections.abc import AsyncIterator
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
from tests.support.clock import START
from tests.support.links import WHOLE, Behind
from tests.unit.test_ordering import Desk, desk

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
