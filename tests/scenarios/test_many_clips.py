"""Clips by the hundred at once, and one that is very large: each arrives once and whole, and the bot stays small."""

import asyncio
import contextlib
import hashlib
import json
import statistics
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.scenarios.bot import UNHURRIED_SECONDS, Stage
from tests.scenarios.conftest import HTTP_IN_THE_STORM, MakeStage
from tests.support.memory import LARGE_RISE_KB, forget_peak, resident_kb
from tests.support.stamps import stamp_of

TAKES = 4
WARM_UP = 8
"""Clips before anything is measured: the first ones load modules and fill pools."""

FLAT_KB = 8_192
"""How much larger the bot may be over the last third than over the first: what pools and the allocator keep."""

MOST_FILES = 200
"""Open files and sockets of the bot, with forty orders in flight."""

LARGE = 96 * 1024 * 1024


# What Slack sends is fifty commands, and all else is alike in both modes: over HTTP the half minute is for the storm.
@HTTP_IN_THE_STORM
@pytest.mark.timeout(180)
@pytest.mark.parametrize("clips", [40, pytest.param(200, marks=pytest.mark.storm)])
async def test_many_clips_at_once_arrive_once_each_as_their_own_and_the_bot_stays_small(
    stage: MakeStage, tmp_path: Path, clips: int
) -> None:
    async with stage(
        tmp_path,
        PROVIDER_CONCURRENCY="40",
        MAX_RUNNING_PER_PERSON="40",
        CONFIRM_ABOVE_USD="100",
        POLL_INTERVAL_SECONDS="1",
    ) as play:
        await play.provider(fidelity="cached", render_seconds=[0.2, 0.9])
        await play.studio.slash("maya", f"/clip a warm-up --takes {WARM_UP}")
        await play.clips(WARM_UP)
        await play.at_rest()
        await play.studio.configure(ack_timeout=UNHURRIED_SECONDS)

        async with watching(play.bot.pid) as seen:
            for number in range(clips // TAKES):
                answer = await play.studio.slash("maya", f"/clip shot {number} of the reel --takes {TAKES}")
                assert "is accepted" in answer["payload"]["text"], answer
            await play.at_rest(timeout=150)

        await each_clip_is_its_own(play, clips + WARM_UP)
        assert len(await play.ledger()) == clips + WARM_UP
        assert play.sums()["held_micro_usd"] == 0
        assert seen.growth_kb() <= FLAT_KB, seen.resident_kb
        assert max(seen.files) <= MOST_FILES


@HTTP_IN_THE_STORM
@pytest.mark.storm
async def test_a_very_large_clip_passes_through_without_being_held_in_memory(stage: MakeStage, tmp_path: Path) -> None:
    async with stage(tmp_path) as play:
        await play.provider(fidelity="cached")
        await peak_kb(play, "a warm-up")
        ordinary = await peak_kb(play, "an ordinary clip")
        await play.studio.fault("hiapi:outcome", "do", "padded", bytes=LARGE)

        peak = await peak_kb(play, "an epic")

        large = (await play.clips(3))[-1]
        assert large["files"][0]["size"] > LARGE
        (job,) = play.bot.rows("select * from jobs where recipe like '%an epic%'")
        contents = await play.studio.file(large["files"][0]["id"])
        assert hashlib.sha256(contents).hexdigest() == job["clip_sha256"]
        assert peak - ordinary <= LARGE_RISE_KB


async def each_clip_is_its_own(play: Stage, count: int) -> None:
    """Every job's clip stands once, in the thread of its ask, with the bytes that the provider made for it."""
    jobs = play.bot.rows("select jobs.*, threads.root_ts from jobs join threads on threads.id = jobs.thread_id")
    assert {job["state"] for job in jobs} == {"delivered"}
    messages = {message["ts"]: message for message in await play.clip_messages()}
    assert len(messages) == len(jobs) == count
    for job in jobs:
        message = messages[job["message_ts"]]
        (file,) = message["files"]
        assert message["thread_ts"] == job["root_ts"]
        assert file["name"] == f"dailies-{job['number']}-480p-{job['id']}.mp4"
        contents = await play.studio.file(file["id"])
        prompt = json.loads(job["recipe"])["prompt"]
        assert stamp_of(contents) == {"task_id": job["task_id"], "prompt": prompt}


@dataclass
class Seen:
    """A process over time: kilobytes that are resident, and open files."""

    resident_kb: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)

    def growth_kb(self) -> float:
        """From the first third to the last, by their medians."""
        third = len(self.resident_kb) // 3
        assert third >= 5, self.resident_kb
        return statistics.median(self.resident_kb[-third:]) - statistics.median(self.resident_kb[:third])


@contextlib.asynccontextmanager
async def watching(pid: int) -> AsyncIterator[Seen]:
    """Look at a process four times a second while the block runs."""
    seen = Seen()

    async def look() -> None:
        while True:
            seen.resident_kb.append(resident_kb(pid, "VmRSS"))
            seen.files.append(len(list(Path(f"/proc/{pid}/fd").iterdir())))
            await asyncio.sleep(0.25)

    task = asyncio.create_task(look())
    try:
        yield seen
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def peak_kb(play: Stage, prompt: str) -> int:
    """The bot's peak while it makes and delivers one clip."""
    forget_peak(play.bot.pid)
    await play.studio.slash("maya", f"/clip {prompt}")
    await play.until_rows("select 1 from jobs where recipe like ? and state = 'delivered'", f"%{prompt}%")
    return resident_kb(play.bot.pid, "VmHWM")
