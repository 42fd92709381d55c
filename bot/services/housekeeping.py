"""What is kept for a while only: keys of outside events, by which a second delivery is known."""

from datetime import timedelta

import structlog

from bot.ports import Clock, Storage, StorageError

log = structlog.get_logger(__name__)

SWEEP_EVERY_SECONDS = 3600.0

EVENTS_KEPT = timedelta(days=30)
"""Slack delivers an event again within the hour; providers call about a task for as long as they keep its clip, which
is a week where it is longest."""

_STEADY = timedelta(minutes=5)


class Housekeeping:
    """``sweep`` is called by a timer."""

    def __init__(self, *, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock
        self._wall, self._monotonic = clock.now(), clock.monotonic()

    async def sweep(self) -> None:
        """Forget the keys of old events. Not when the clock was set since the last time: by one that is years ahead
        every key is old, and what is delivered again would be charged again."""
        if not self._clock_is_steady():
            log.warning("inbox.kept", why="the clock was set")
            return
        try:
            async with self._storage.begin() as tx:
                forgotten = await tx.inbox.forget_before(self._clock.now() - EVENTS_KEPT)
        except StorageError as error:
            log.warning("inbox.kept", why=str(error))
            return
        if forgotten:
            log.info("inbox.swept", forgotten=forgotten)

    def _clock_is_steady(self) -> bool:
        wall, monotonic = self._clock.now(), self._clock.monotonic()
        by_wall, by_monotonic = wall - self._wall, timedelta(seconds=monotonic - self._monotonic)
        self._wall, self._monotonic = wall, monotonic
        return abs(by_wall - by_monotonic) < _STEADY
