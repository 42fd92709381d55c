"""A polite stop: nothing is ordered from then on, and what was about to be is taken back."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.domain.budget import EntryKind
from bot.domain.job import Job, Ownership, State
from bot.services import runner as running
from bot.services.runner import Runner
from tests.support.ordering import LOST, TAKEN, desk
from tests.support.runners import a_runner
from tests.support.workbench import Given, Workbench, medium, workbench

SOON = 2.0
"""Seconds, by the clock: far below what a billed order in flight is given."""


class Held:
    """A call that has begun and ends when it is let go."""

    def __init__(self) -> None:
        self.begun, self.over = asyncio.Event(), asyncio.Event()

    async def __call__(self) -> None:
        self.begun.set()
        await self.over.wait()


@asynccontextmanager
async def uploading(place: Path) -> AsyncIterator[tuple[Workbench, Runner, Job, Held]]:
    """A running process that hands over the file of a clip, which takes as long as a test says."""
    async with workbench(place) as one:
        one.gave("F1", Given(name="panda.jpg"))
        (job,) = await one.asks(medium("slack:F1"), provider="muapi")
        await one.prepare(job)
        uploaded, held = one.muapi.upload, Held()

        async def slowly(*given: object, **more: object) -> object:
            await held()
            return await uploaded(*given, **more)  # type: ignore[arg-type] # as it was called

        one.muapi.upload = slowly  # type: ignore[method-assign,assignment] # the same call, later
        runner = await a_runner(one)
        working = asyncio.create_task(runner.run())
        async with asyncio.timeout(SOON):
            await held.begun.wait()
        yield one, runner, job, held
        async with asyncio.timeout(SOON):
            await working


async def test_an_order_whose_files_are_handed_over_at_a_stop_is_not_sent(tmp_path: Path) -> None:
    async with uploading(tmp_path) as (one, runner, job, held):
        stopping = asyncio.create_task(runner.stop())
        await asyncio.sleep(0)
        held.over.set()
        async with asyncio.timeout(SOON):
            await stopping

        assert one.muapi.orders == []
        assert (await one.job(job.id)).state is State.QUEUED


async def test_a_stop_does_not_wait_for_an_upload_as_for_an_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is billed for it, and the next start makes it anew."""
    monkeypatch.setattr(running, "STEP_GRACE_SECONDS", 0.05)
    async with uploading(tmp_path) as (one, runner, job, _):
        async with asyncio.timeout(SOON):
            await runner.stop()

        assert one.muapi.orders == []
        assert (await one.job(job.id)).state is State.QUEUED


async def test_an_order_on_its_way_at_a_stop_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "STEP_GRACE_SECONDS", 0.05)
    async with workbench(tmp_path) as one:
        (job,) = await one.asks(provider="muapi")
        sent, held = one.muapi.submit, Held()

        async def slowly(order: object) -> object:
            await held()
            return await sent(order)  # type: ignore[arg-type] # as it was called

        one.muapi.submit = slowly  # type: ignore[method-assign,assignment] # the same call, later
        runner = await a_runner(one)
        working = asyncio.create_task(runner.run())
        async with asyncio.timeout(SOON):
            await held.begun.wait()
        stopping = asyncio.create_task(runner.stop())
        await asyncio.sleep(0.2)
        assert not stopping.done()
        held.over.set()
        async with asyncio.timeout(SOON):
            await asyncio.gather(stopping, working)

        assert (await one.job(job.id)).state is State.RENDERING


async def test_what_is_claimed_during_a_stop_is_not_begun(tmp_path: Path) -> None:
    async with workbench(tmp_path) as one:
        (job,) = await one.asks(provider="muapi")
        runner = await a_runner(one)
        async with one.storage.begin():
            # Claiming waits for this transaction, and the stop comes in between.
            working = asyncio.create_task(runner.run())
            await asyncio.sleep(0.01)
            async with asyncio.timeout(SOON):
                await runner.stop()
        async with asyncio.timeout(SOON):
            await working
        await asyncio.sleep(0.01)

        assert one.muapi.orders == []
        assert (await one.job(job.id)).state is State.QUEUED


@pytest.mark.parametrize("idempotent", [True, False])
async def test_an_order_that_is_written_down_and_not_sent_at_a_stop_is_taken_back(
    idempotent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the key proves nothing: nobody is asked about what never left."""
    async with desk(TAKEN, idempotent=idempotent) as one:
        proofs = itertools.count(1)

        async def stopped_since_the_intention(_: Ownership) -> None:
            if next(proofs) > 1:
                one.submitting.close()

        monkeypatch.setattr(one.lease, "fresh", stopped_since_the_intention)
        job = await one.submit()
        assert next(proofs) == 3, "right before the intention, and right before the POST"

        assert (job.state, one.provider.orders) == (State.QUEUED, [])
        assert await one.money() == [EntryKind.HOLD]


async def test_an_order_is_not_repeated_after_a_stop() -> None:
    async with desk(LOST) as one:
        await one.submit()
        one.submitting.close()

        job = await one.resolve()

        assert (job.state, len(one.provider.orders)) == (State.SUBMITTING, 1)
