"""The ticks. APScheduler holds a handful of interval timers that wake services and return; it stores nothing, since
truth is in rows and its job stores must not be shared between processes (APScheduler's user guide, FAQ)."""

from collections.abc import Awaitable, Callable

from apscheduler.schedulers.asyncio import AsyncIOScheduler

WAKE_EVERY_SECONDS = 1.0
"""How soon a row written by another process is seen; our own commits wake the runner themselves."""


def start_ticks(
    *, wake: Callable[[], None], renew: Callable[[], Awaitable[None]], renew_every: float
) -> AsyncIOScheduler:
    """Start the timers; the caller shuts the scheduler down."""
    scheduler = AsyncIOScheduler(timezone="UTC", job_defaults={"coalesce": True, "max_instances": 1})
    scheduler.add_job(_tick(wake), "interval", seconds=WAKE_EVERY_SECONDS, id="wake", misfire_grace_time=None)
    scheduler.add_job(renew, "interval", seconds=renew_every, id="renew", misfire_grace_time=None)
    scheduler.start()
    return scheduler


def _tick(wake: Callable[[], None]) -> Callable[[], Awaitable[None]]:
    async def tick() -> None:
        """On the loop's own thread: a plain function would run in APScheduler's thread pool."""
        wake()

    return tick
