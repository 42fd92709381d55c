"""The rows F39 to F51 of the fault matrix: while the provider works.

What is about hours is played over the services with a clock that only the test moves; what is about both sides is
played with the real bot.
"""

import asyncio
import json
import math
import random
import statistics
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.budget import EntryKind
from bot.domain.failure import Failure, FailureKind
from bot.domain.job import State
from bot.domain.patience import LATE_GAP, TASK_GRACE
from bot.ports import (
    LinkExpired,
    OrderAccepted,
    TaskFailed,
    TaskFinished,
    TaskMissing,
    TaskReport,
    TaskRunning,
    TaskUnreadable,
)
from bot.services.bench import Later
from bot.services.policy import Policy
from tests.faults.conftest import RigOf
from tests.faults.crowd import AtWork, at_work, multiply
from tests.faults.rig import PROVIDERS, Rig
from tests.sandbox.driver import PATIENCE_SECONDS
from tests.support.adapters import ADAPTERS
from tests.support.links import WHOLE, Behind
from tests.support.ordering import Desk, desk
from tests.support.storm import FIRST_PROGRESS_SECONDS
from tests.support.verdict import ACK_SECONDS

pytestmark = pytest.mark.timeout(180)

storm = pytest.mark.storm

CLIP = "https://cdn.example/1.mp4"
DEAD = LinkExpired("The link to cdn.example is dead.", "", status=403)
LIFETIME = timedelta(days=7)
"""Of what HiAPI renders."""


@asynccontextmanager
async def ordered(policy: Policy | None = None) -> AsyncIterator[Desk]:
    """A task that the provider has just taken."""
    async with desk(OrderAccepted(task_id="tk-1"), policy=policy) as one:
        await one.submit()
        yield one


async def look(one: Desk) -> float | None:
    """Look at the task as the runner does, and let the time pass that it waits afterwards: its seconds, or None where
    nothing is left to look at."""
    result = await one.rendering.poll(await one.job(), await one.ask())
    job = await one.job()
    if job.state not in {State.RENDERING, State.LATE}:
        return None
    seconds = result.seconds if isinstance(result, Later) else (job.due_at - one.clock.now()).total_seconds()
    one.clock.advance(seconds)
    return seconds


async def looks(one: Desk, until: Callable[[float], bool] = lambda waited: False) -> list[float]:
    """Look again and again, until the time that has passed is enough or the task has ended; the gaps."""
    gaps: list[float] = []
    while not until(sum(gaps)) and (gap := await look(one)) is not None:
        gaps.append(gap)
    return gaps


# --- F39: looks that fail --------------------------------------------------------------------------------------------

BAD_LOOKS: tuple[TaskReport, ...] = (
    TaskUnreadable(why="HTTP 503"),
    TaskUnreadable(why="ReadTimeout"),
    TaskUnreadable(why="not JSON"),
    TaskUnreadable(why="HTTP 429", retry_after_seconds=90.0),
)


@pytest.mark.row("F39")
async def test_f39_looks_that_fail_for_half_an_hour_delay_a_clip_and_no_more() -> None:
    """With growing gaps up to a minute, none shorter than the provider asked for, and not one more order."""
    async with ordered() as one:
        gaps: list[float] = []
        while sum(gaps) < 1_800:
            report = BAD_LOOKS[len(gaps) % len(BAD_LOOKS)]
            one.provider.report = report
            gap = await look(one)
            assert gap is not None
            gaps.append(gap)
            if isinstance(report, TaskUnreadable) and report.retry_after_seconds is not None:
                assert gap >= report.retry_after_seconds
        own = [gap for number, gap in enumerate(gaps) if number % len(BAD_LOOKS) != len(BAD_LOOKS) - 1]
        assert own == sorted(own)
        assert len(gaps) < 40, "the provider is not stormed"
        assert await one.money() == [EntryKind.HOLD]

        one.provider.report = TaskFinished(url=CLIP, expires_at=None)
        await look(one)
        assert (await one.job()).state is State.DOWNLOADING
        assert len(one.provider.orders) == 1
        assert await one.money() == [EntryKind.HOLD, EntryKind.SETTLE]


# --- F40, F48: ends that are taken back ------------------------------------------------------------------------------


@storm
@pytest.mark.row("F40", "F48")
@pytest.mark.parametrize("then", ["running", "queued", "failed"])
async def test_f40_f48_a_task_that_is_unfinished_or_failed_again_was_finished(rig: Rig, then: str) -> None:
    """It is looked at after its end because the download is refused: its clip comes all the same, once and whole."""
    await rig.start()
    await rig.arm("hiapi:outcome", "do", "regress", states=["running", "queued", "succeeded", then, then, then])
    await rig.arm("hiapi:download", "before", "status", status=403, times=2)
    await rig.accepted()
    await rig.delivered()
    assert await rig.fired() == 3


@pytest.mark.row("F48")
async def test_f48_what_ended_as_a_clip_is_no_failure_because_a_later_look_says_so() -> None:
    """The end that was seen first counts: its money stays spent, and the clip is fetched as soon as it can be."""
    async with ordered() as one:
        behind = Behind(DEAD, DEAD, DEAD, WHOLE)
        fetching = replace(one.rendering, bench=replace(one.rendering.bench, fetcher=behind))
        one.provider.report = TaskFinished(url=CLIP, expires_at=None)
        await fetching.poll(await one.job(), await one.ask())
        one.provider.report = TaskFailed(failure=Failure(kind=FailureKind.PROVIDER, detail="no"), charged=False)
        looked = len(one.provider.looked)
        for _ in range(3):
            await fetching.fetch(await one.job(), await one.ask())
            assert (await one.job()).state is State.DOWNLOADING
            assert await one.money() == [EntryKind.HOLD, EntryKind.SETTLE]
        assert len(one.provider.looked) - looked == 3, (
            "each time it was asked for a living link, and said that it failed"
        )

        await fetching.fetch(await one.job(), await one.ask())
        assert (await one.job()).state is State.DELIVERING
        assert await one.money() == [EntryKind.HOLD, EntryKind.SETTLE]


# --- F41: words that nobody knows ------------------------------------------------------------------------------------

_HELD_IN: Mapping[str, Callable[[dict[str, object]], object]] = {
    "apimart": lambda task: {"code": 200, "data": {"id": "t1", **task}},
    "empiriolabs": lambda task: {"job_id": "t1", **task},
    "hiapi": lambda task: {"code": 200, "data": {"taskId": "t1", **task}},
    "muapi": lambda task: {"id": "t1", **task},
    "seedanceapi": lambda task: {"code": 200, "data": {"task_id": "t1", **task}},
}
"""How each provider's answer holds a task."""

ODD_STATES: Mapping[str, dict[str, object]] = {
    "unknown": {"status": "reviewing"},
    "upper case": {"status": "PROCESSING"},
    "missing": {},
    "null": {"status": None},
    "number": {"status": 7},
    "list": {"status": ["failed"]},
    "object": {"status": {"state": "failed"}},
    "empty": {"status": ""},
}


@pytest.mark.row("F41")
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("odd", ODD_STATES)
def test_f41_a_state_that_cannot_be_read_is_no_end(provider: str, odd: str) -> None:
    body = json.dumps(_HELD_IN[provider](ODD_STATES[odd])).encode()
    report = next(one for one in ADAPTERS if one.name == provider).seen(200, body)
    assert isinstance(report, TaskRunning | TaskUnreadable)


@pytest.mark.row("F41")
async def test_f41_odd_answers_are_warned_of_once_each_and_waited_out() -> None:
    async with ordered() as one:
        for report in (TaskRunning(odd="reviewing"), TaskUnreadable(why="no status"), TaskRunning(odd="reviewing")) * 5:
            one.provider.report = report
            assert await look(one) is not None
        (watch,) = one.rendering._watches.values()
        assert watch.warned == {"unknown status reviewing", "no status"}
        one.provider.report = TaskFinished(url=CLIP, expires_at=None)
        await look(one)
        assert (await one.job()).state is State.DOWNLOADING


# --- F43: tasks that are not found -----------------------------------------------------------------------------------


@pytest.mark.row("F43")
async def test_f43_a_task_unknown_for_ten_seconds_is_waited_for() -> None:
    async with ordered() as one:
        one.provider.report = TaskMissing()
        await looks(one, lambda waited: waited >= 10)
        one.provider.report = TaskRunning()
        await look(one)
        one.provider.report = TaskMissing()
        await looks(one, lambda waited: waited >= TASK_GRACE.total_seconds() - 4)
        assert (await one.job()).state is State.RENDERING, "the grace begins anew once the task was seen"
        one.provider.report = TaskFinished(url=CLIP, expires_at=None)
        await look(one)
        assert (await one.job()).state is State.DOWNLOADING


@pytest.mark.row("F43")
async def test_f43_a_task_unknown_for_a_minute_is_lost_and_counts_as_charged() -> None:
    async with ordered() as one:
        one.provider.report = TaskMissing()
        waited = sum(await looks(one))
        job = await one.job()
        assert TASK_GRACE.total_seconds() <= waited <= TASK_GRACE.total_seconds() + 4
        assert job.failure is not None
        assert (job.state, job.failure.kind) == (State.FAILED, FailureKind.TASK_LOST)
        assert job.cost_micro_usd == job.price_micro_usd
        assert await one.money() == [EntryKind.HOLD, EntryKind.SETTLE]


@storm
@pytest.mark.row("F43")
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_f43_each_provider_may_take_ten_seconds_to_find_its_task(rig_of: RigOf, provider: str) -> None:
    rig = await rig_of(provider)
    await rig.start()
    await rig.arm(rig.point("outcome"), "do", "late_visible", seconds=10)
    await rig.accepted()
    await rig.delivered()


# --- F47, F51: how soon an end is seen -------------------------------------------------------------------------------

MEDIAN_SECONDS, SPREAD = 60.0, 0.5
"""Of the renders of a draft: half within a minute, nineteen of twenty within some two and a quarter."""


async def seen_after(one: Desk, render_seconds: float) -> float:
    """How long after its end a render of so many seconds is seen to be finished, with looks alone."""
    end = one.clock.monotonic() + render_seconds
    one.provider.report = TaskRunning()
    while one.clock.monotonic() < end:
        await look(one)
    one.provider.report = TaskFinished(url=CLIP, expires_at=None)
    seen = one.clock.monotonic()
    await look(one)
    assert (await one.job()).state is State.DOWNLOADING
    return seen - end


@pytest.mark.row("F47")
async def test_f47_without_any_call_nineteen_of_twenty_ends_are_seen_within_ten_seconds() -> None:
    chance = random.Random(47)
    delays = []
    for _ in range(400):
        async with ordered() as one:
            delays.append(await seen_after(one, chance.lognormvariate(math.log(MEDIAN_SECONDS), SPREAD)))
    assert statistics.quantiles(delays, n=20)[-1] <= 10.0


@pytest.mark.row("F51")
@pytest.mark.parametrize("times", [4.0, 0.5], ids=["four times as slow", "twice as fast"])
async def test_f51_the_gaps_follow_a_provider_that_slows_down_or_speeds_up(times: float) -> None:
    """Nothing is given up or late, and looks grow much slower in number than the time does."""
    async with ordered() as one:
        render = MEDIAN_SECONDS * times
        assert await seen_after(one, render) <= max(1.0, render / 10)
        assert len(one.provider.looked) <= 12 * math.log(render)
        assert await one.money() == [EntryKind.HOLD, EntryKind.SETTLE]


# --- F49: no end -----------------------------------------------------------------------------------------------------


@pytest.mark.row("F49")
async def test_f49_what_never_ends_is_late_watched_slowly_and_counted_when_nothing_can_be_left_of_it() -> None:
    """Late after the limit, with its money held all the while; given up when the provider would have thrown the clip
    away. A clip that comes before that is fetched."""
    async with ordered(Policy(job_timeout=timedelta(minutes=30))) as one:
        await looks(one, lambda waited: waited >= 1_800)
        await look(one)
        assert (await one.job()).state is State.LATE
        gaps = await looks(one, lambda waited: waited >= 86_400)
        assert set(gaps) == {LATE_GAP.total_seconds()}
        assert await one.money() == [EntryKind.HOLD]

        gaps += await looks(one)
        job = await one.job()
        assert sum(gaps) >= (LIFETIME - timedelta(hours=1)).total_seconds()
        assert job.failure is not None
        assert (job.state, job.failure.kind) == (State.FAILED, FailureKind.COUNTED_AS_SPENT)
        assert await one.money() == [EntryKind.HOLD, EntryKind.SETTLE]


@pytest.mark.row("F49")
async def test_f49_what_is_late_still_arrives() -> None:
    async with ordered(Policy(job_timeout=timedelta(minutes=30))) as one:
        await looks(one, lambda waited: waited >= 7_200)
        assert (await one.job()).state is State.LATE
        one.provider.report = TaskFinished(url=CLIP, expires_at=None)
        await look(one)
        assert (await one.job()).state is State.DOWNLOADING


# --- F50: a death with thousands in flight ---------------------------------------------------------------------------


@pytest.mark.row("F50")
@storm
@pytest.mark.parametrize("crowd", [500, 10_000])
async def test_f50_a_death_with_thousands_in_flight_is_followed_by_progress_at_once(rig_of: RigOf, crowd: int) -> None:
    """One of them is real and ends; of the others it is only seen that each is looked at. Meanwhile people are
    answered in time."""
    rig = await rig_of("hiapi", "muapi")
    many = {
        "HIAPI_CONCURRENCY": "100",
        "MUAPI_CONCURRENCY": "20000",
        "MAX_RUNNING_PER_PERSON": "20000",
        "POLL_INTERVAL_SECONDS": "20",
        "CONFIRM_ABOVE_USD": "9",
    }
    await rig.start(**many)
    await rig.studio.post("/providers/muapi/settings", render_seconds=3_600)
    elsewhere = f"{rig.marker}-crowd"
    bot_user = (await rig.studio.state())["bot"]["user_id"]
    await rig.studio.post("/channel", action="create", name=elsewhere, members=["ben", bot_user])
    await rig.studio.slash("ben", "/clip one of a crowd --provider muapi", channel=f"#{elsewhere}")
    (copied,) = await rig.play.until_rows("select id from jobs where state = 'rendering'")
    await rig.settings(render_seconds=2)
    await rig.accepted("--provider hiapi")
    await rig.charged()
    await rig.bot.kill()
    multiply(rig.bot.database, str(copied["id"]), crowd)

    async with at_work() as muapi:
        waits = []
        for _ in range(3):
            muapi.looked.clear()
            await rig.bot.start(**many, MUAPI_BASE_URL=muapi.origin)
            waits.append(await _first_look(rig, muapi))
            if min(waits) <= FIRST_PROGRESS_SECONDS:
                break
            await rig.bot.kill()
        assert min(waits) <= FIRST_PROGRESS_SECONDS
        await rig.studio.connected(1)
        answer = await rig.accepted("meanwhile --provider hiapi")
        assert answer["ack_seconds"] < ACK_SECONDS
        await rig.ended(asks=2)
        await rig.check(clips=2, asks=2)
        async with asyncio.timeout(120):
            while len(muapi.looked) < crowd:
                await asyncio.sleep(0.2)


async def _first_look(rig: Rig, muapi: AtWork) -> float:
    """Seconds from the bot's start to its first look at one of the crowd. What a busy machine adds is not the bot's:
    whoever asks takes the best of some."""
    await rig.logged("dailies.started")
    began = time.monotonic()
    while not muapi.looked:
        assert time.monotonic() - began < PATIENCE_SECONDS, rig.bot.log()[-2000:]
        await asyncio.sleep(0.01)
    return time.monotonic() - began
