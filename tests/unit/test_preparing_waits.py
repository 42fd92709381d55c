"""How long files are waited for before an order, how that is said, and who can stop it."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.budget import EntryKind
from bot.domain.job import State
from bot.domain.recipe import MediaRole
from bot.domain.trouble import Trouble
from bot.ports import (
    Asker,
    Fenced,
    FetchError,
    MediaRoomBusy,
    MediaRoomTimeout,
    SourceFile,
    StorageError,
)
from bot.services.preparing import LEAST_TRY, TRIED_FOR
from tests.support.workbench import FOX, PANDA, SMALL, WIDER, medium, workbench

HELD, RELEASED = EntryKind.HOLD, EntryKind.RELEASE
LAST = MediaRole.LAST


# --- slow, and stopped meanwhile -------------------------------------------------------------------------------------


async def test_who_asked_can_stop_a_file_that_does_not_come(tmp_path: Path) -> None:
    async with workbench(tmp_path) as bench:
        bench.gave("F1", PANDA)
        bench.outside.held = asyncio.Event()
        job, sibling = await bench.asks(medium("slack:F1"), takes=2)
        step = asyncio.create_task(bench.prepare(job))
        await asyncio.wait_for(bench.outside.waiting.wait(), 5)
        assert await bench.prepare(sibling) == sibling, "it waits, and takes no place meanwhile"

        bench.preparing.called_off(await bench.job(job.id))  # nobody did
        async with bench.storage.begin() as tx:
            await tx.jobs.request_cancel("T1", job.id, "U1")
        bench.preparing.called_off(await bench.job(job.id))
        cancelled = await asyncio.wait_for(step, 5)
        assert (cancelled.state, await bench.money(job)) == (State.CANCELLED, [(HELD, "hiapi"), (RELEASED, "hiapi")])
        assert list((tmp_path / "scratch").iterdir()) == []

        bench.outside.held.set()
        assert (await bench.prepare(sibling)).state is State.QUEUED


async def test_all_files_of_a_clip_have_one_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.services.preparing.LEAST_TRY", timedelta(milliseconds=300))
    async with workbench(tmp_path) as bench:
        bench.gave("F1", PANDA)
        bench.outside.held = asyncio.Event()
        jobs, (again,) = await bench.asks(medium("slack:F1"), takes=3), await bench.asks(medium("slack:F1"))
        bench.clock.advance(TRIED_FOR.total_seconds())
        for job in jobs:
            refused = await asyncio.wait_for(bench.prepare(job), 5)
            assert refused.failure is not None
            assert refused.failure.detail == "panda.heic could not be fetched and checked within 1 minute."
            assert await bench.money(job) == [(HELD, "hiapi"), (RELEASED, "hiapi")]
        assert bench.outside.fetched == ["F1"], "for the other takes it is not waited once more"
        bench.outside.held.set()
        monkeypatch.setattr("bot.services.preparing.LEAST_TRY", timedelta(minutes=1))
        assert (await bench.prepare(again)).state is State.QUEUED


async def test_after_a_long_stop_a_file_is_still_tried(tmp_path: Path) -> None:
    async with workbench(tmp_path) as bench:
        bench.gave("F1", PANDA)
        job, other = [(await bench.asks(medium("slack:F1")))[0] for _ in range(2)]
        bench.clock.advance(10 * TRIED_FOR.total_seconds())
        assert (await bench.prepare(job)).state is State.QUEUED

        bench.outside.troubles = [FetchError("Slack did not answer.") for _ in range(2)]
        assert (await bench.prepare(other)).state is State.WAITING, "one hiccup after the stop is no reason"
        bench.clock.advance(LEAST_TRY.total_seconds())
        refused = await bench.prepare(other)
        assert refused.failure is not None
        assert refused.failure.detail == "Slack did not answer. That was tried for 1 minute."


async def test_the_file_in_hand_is_named_when_the_time_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slack may not even have told what it is called; the card still has the one before."""
    async with workbench(tmp_path) as bench:
        bench.gave("F1", PANDA)
        bench.gave("F2", FOX)
        (job,) = await bench.asks(medium("slack:F1"), medium("slack:F2", LAST))
        describe, hiccups = bench.outside.describe, [FetchError("Slack did not answer.")]

        async def told(file_id: str, asker: Asker | None = None) -> SourceFile:
            if file_id == "F2":
                if hiccups:
                    raise hiccups.pop()
                await asyncio.Event().wait()
            return await describe(file_id, asker)

        monkeypatch.setattr(bench.outside, "describe", told)
        assert (await bench.prepare(job)).progress == "panda.heic (1 of 2)"
        bench.clock.advance(TRIED_FOR.total_seconds())
        monkeypatch.setattr("bot.services.preparing.LEAST_TRY", timedelta(milliseconds=300))
        refused = await asyncio.wait_for(bench.prepare(job), 5)
        assert refused.failure is not None
        assert refused.failure.detail == "The last frame (2 of 2) could not be fetched and checked within 15 minutes."


# --- not now ---------------------------------------------------------------------------------------------------------


async def test_what_passes_is_tried_again_and_said(tmp_path: Path) -> None:
    async with workbench(tmp_path) as bench:
        bench.gave("F1", PANDA)
        bench.outside.troubles = [FetchError("Slack did not answer.", retry_after_seconds=30.0)]
        bench.room.busy = [MediaRoomBusy(300)]
        (job,) = await bench.asks(medium("slack:F1"))

        away = await bench.prepare(job)
        assert (away.state, away.trouble, away.tries) == (State.WAITING, Trouble.FILE_AWAY, 1)
        assert (away.due_at - bench.clock.now()).total_seconds() == 30.0

        unchecked = await bench.prepare(job)
        assert (unchecked.trouble, unchecked.tries) == (Trouble.FILE_NOT_CHECKED, 2)
        assert unchecked.progress == "panda.heic"

        ready = await bench.prepare(job)
        assert (ready.state, ready.trouble, ready.tries) == (State.QUEUED, None, 0)
        assert await bench.money(job) == [(HELD, "hiapi")]


async def test_after_a_while_it_is_said_that_it_was_tried_for_long_enough(tmp_path: Path) -> None:
    async with workbench(tmp_path) as bench:
        bench.gave("F1", PANDA)
        bench.outside.troubles = [FetchError("Slack did not answer.") for _ in range(3)]
        (job,) = await bench.asks(medium("slack:F1"))
        assert (await bench.prepare(job)).state is State.WAITING
        bench.clock.advance(TRIED_FOR.total_seconds() - 1)
        assert (await bench.prepare(job)).state is State.WAITING
        bench.clock.advance(1)
        refused = await bench.prepare(job)
        assert refused.failure is not None
        assert refused.failure.detail == "Slack did not answer. That was tried for 15 minutes."
        assert bench.preparing._watches == {}
        assert await bench.money(job) == [(HELD, "hiapi"), (RELEASED, "hiapi")]


async def test_a_host_that_asks_for_more_time_than_there_is_gets_what_is_left(tmp_path: Path) -> None:
    """It is tried once more at the end, and nobody waits longer for it than for any other."""
    async with workbench(tmp_path) as bench:
        bench.gave("F1", PANDA)
        bench.outside.troubles = [FetchError("files.example is busy.", retry_after_seconds=3000.0) for _ in range(2)]
        (job,) = await bench.asks(medium("slack:F1"))
        bench.clock.advance(60)
        waiting = await bench.prepare(job)
        assert waiting.due_at - bench.clock.now() == TRIED_FOR - timedelta(seconds=60)
        bench.clock.advance((waiting.due_at - bench.clock.now()).total_seconds())
        assert (await bench.prepare(job)).state is State.FAILED


@pytest.mark.parametrize("days", [-2, 2])
async def test_a_clock_that_is_set_otherwise_neither_ends_nor_prolongs_the_tries(tmp_path: Path, days: int) -> None:
    async with workbench(tmp_path) as bench:
        bench.gave("F1", PANDA)
        bench.outside.troubles = [FetchError("Slack did not answer.") for _ in range(3)]
        (job,) = await bench.asks(medium("slack:F1"))
        states = []
        for seconds in (0, TRIED_FOR.total_seconds() - 1, 1):
            bench.clock.advance(seconds)
            states.append((await bench.prepare(job)).state)
            bench.clock.step(bench.clock.now() + timedelta(days=days))
        assert states == [State.WAITING, State.WAITING, State.FAILED]


async def test_a_clock_that_was_set_back_before_gives_no_more_time_than_any(tmp_path: Path) -> None:
    async with workbench(tmp_path) as bench:
        bench.gave("F1", PANDA)
        bench.outside.troubles = [FetchError("Slack did not answer.") for _ in range(2)]
        (job,) = await bench.asks(medium("slack:F1"))
        bench.clock.step(bench.clock.now() - timedelta(days=2))
        assert (await bench.prepare(job)).state is State.WAITING
        bench.clock.advance(TRIED_FOR.total_seconds())
        assert (await bench.prepare(job)).state is State.FAILED


async def test_each_provider_has_the_whole_time_and_nothing_is_remembered_after_it(tmp_path: Path) -> None:
    async with workbench(tmp_path, muapi={"limits": WIDER}) as bench:
        bench.gave("F1", replace(SMALL, only_under=WIDER))
        (job,) = await bench.asks(medium("slack:F1"))
        bench.outside.troubles = [FetchError("Slack did not answer.")]
        assert (await bench.prepare(job)).provider == "hiapi"
        bench.clock.advance(TRIED_FOR.total_seconds() - 1)
        assert (await bench.prepare(job)).provider == "muapi"
        bench.clock.advance(2)
        bench.outside.troubles = [FetchError("Slack did not answer.")]
        assert (await bench.prepare(job)).state is State.WAITING
        assert (await bench.prepare(job)).state is State.QUEUED
        assert bench.preparing._watches == {}


async def test_what_nobody_foresaw_counts_as_a_try_and_ends_in_words(tmp_path: Path) -> None:
    async with workbench(tmp_path) as bench:
        bench.gave("F1", PANDA)
        bench.room.busy = [TypeError("a defect of ours") for _ in range(2)]
        (job,) = await bench.asks(medium("slack:F1"))
        hindered = await bench.prepare(job)
        assert (hindered.state, hindered.trouble, hindered.tries) == (State.WAITING, Trouble.FILE_NOT_CHECKED, 1)
        assert hindered.due_at > bench.clock.now()

        bench.clock.advance(TRIED_FOR.total_seconds())
        refused = await bench.prepare(job)
        assert refused.failure is not None
        assert refused.failure.detail == "Something went wrong with the files here. That was tried for 15 minutes."
        assert await bench.money(job) == [(HELD, "hiapi"), (RELEASED, "hiapi")]


@pytest.mark.parametrize("error", [Fenced(), StorageError()], ids=["fenced", "storage"])
async def test_what_the_runner_knows_how_to_take_is_left_to_it(tmp_path: Path, error: Exception) -> None:
    async with workbench(tmp_path) as bench:
        bench.gave("F1", PANDA)
        bench.room.busy = [error]
        (job,) = await bench.asks(medium("slack:F1"))
        with pytest.raises(type(error)):
            await bench.prepare(job)
        assert (await bench.job(job.id)).tries == 0


async def test_a_file_over_which_the_room_runs_out_of_time_again_and_again_is_at_fault(tmp_path: Path) -> None:
    async with workbench(tmp_path) as bench:
        bench.gave("F1", PANDA)
        bench.room.busy = [MediaRoomTimeout(180) for _ in range(3)]
        (job,) = await bench.asks(medium("slack:F1"))
        states = [(await bench.prepare(job)).state for _ in range(3)]
        assert states == [State.WAITING, State.WAITING, State.FAILED]


async def test_a_download_that_failed_says_nothing_about_the_time_that_a_file_takes_to_read(tmp_path: Path) -> None:
    async with workbench(tmp_path) as bench:
        bench.gave("F1", PANDA)
        bench.outside.troubles = [FetchError("Slack did not answer.") for _ in range(2)]
        bench.room.busy = [MediaRoomTimeout(180)]
        (job,) = await bench.asks(medium("slack:F1"))
        for _ in range(3):
            assert (await bench.prepare(job)).state is State.WAITING
        assert (await bench.prepare(job)).state is State.QUEUED


async def test_a_full_disk_is_no_fault_of_the_file(tmp_path: Path) -> None:
    async with workbench(tmp_path) as bench:
        bench.gave("F1", PANDA)
        (job,) = await bench.asks(medium("slack:F1"))
        (tmp_path / "scratch").rmdir()
        hindered = await bench.prepare(job)
        (tmp_path / "scratch").mkdir()
        assert (hindered.state, hindered.trouble) == (State.WAITING, Trouble.FILE_NOT_CHECKED)
        assert (await bench.prepare(job)).state is State.QUEUED
