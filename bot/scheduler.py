"""The ticks. APScheduler holds a handful of interval timers that wake services and return; it stores nothing, since
truth is in rows and its job stores must not be shared between processes (APScheduler's user guide, FAQ)."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping

from apscheduler.schedulers.asyncio import AsyncIOScheduler

WAKE_EVERY_SECONDS = 1.0
"""How soon a row written by another process is seen; our own commits wake the runner themselves."""


Tick = Callable[[], Awaitable[None]]


def start_ticks(*, wake: Callable[[], None], every: Mapping[str, tuple[Tick, float]]) -> AsyncIOScheduler:
    """Start the timers; ``every`` says by name what else is called, and after how many seconds each. The caller shuts
    the scheduler down."""
    scheduler = AsyncIOScheduler(timezone="UTC", job_defaults={"coalesce": True, "max_instances": 1})
    scheduler.add_job(_tick(wake), "interval", seconds=WAKE_EVERY_SECONDS, id="wake", misfire_grace_time=None)
    for name, (tick, seconds) in every.items():
        scheduler.add_job(_unless_shut_down(tick), "interval", seconds=seconds, id=name, misfire_grace_time=None)
    scheduler.start()
    return scheduler


def _unless_shut_down(tick: Tick) -> Tick:
    async def whole() -> None:
        """A beat that the shutdown cuts off is no failure, as which APScheduler would log it."""
        with contextlib.suppress(asyncio.CancelledError):
            await tick()

    return whole


def _tick(wake: Callable[[], None]) -> Tick:
    async def tick() -> None:
        """On the loop's own thread: a plain function would run in APScheduler's thread pool."""
        wake()

    return tick
