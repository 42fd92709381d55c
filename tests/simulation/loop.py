"""An event loop whose time is no time at all: when nothing is ready it leaps to the next timer.

What runs on it touches no socket and no thread, so that one seed always gives the same order of steps.
"""

import asyncio
from asyncio.base_events import BaseEventLoop
from typing import Any

_STEP = 1e-6
"""Whatever is done takes a little time: who asks for less than a float can tell would otherwise ask for ever."""


class Stuck(Exception):
    """Nothing is ready and no timer is set, so that nothing can ever happen again: somebody waits for what nobody will
    do."""

    def __init__(self, at: float, waiting: list[str]) -> None:
        self.at, self.waiting = at, waiting
        super().__init__(f"After {at:.3f} virtual seconds nothing can happen any more. Waiting: {', '.join(waiting)}")


class VirtualLoop(BaseEventLoop):
    """``asyncio``'s own loop without sockets; ``time`` is what the leaps came to."""

    _selector: Any

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._selector = _Leap(self)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now

    def leap(self, seconds: float) -> None:
        """So much later, at once."""
        self._now += seconds

    def next_timer(self) -> float | None:
        """When the earliest timer is due; None when none is set."""
        timers: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
        return min((timer.when() for timer in timers if not timer.cancelled()), default=None)

    def _process_events(self, event_list: list[Any]) -> None:
        """Nothing is ever read or written here."""

    def _write_to_self(self) -> None:
        """Nobody sleeps who would have to be woken."""


class _Leap:
    """What stands where a loop waits for its sockets."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        """Be later instead of waiting. Raises Stuck."""
        if timeout is None:
            tasks = asyncio.all_tasks(self._loop)
            raise Stuck(self._loop.time(), sorted(task.get_name() for task in tasks))
        self._loop.leap(timeout + _STEP)
        return []
