"""One process of the bot, which can be killed between any two awaits.

A killed process does nothing more: its tasks are thrown away, and whatever their ``finally`` blocks still try is
refused, since every port of a process is a ``gate`` that stands open while it lives.
"""

import asyncio
import contextvars
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from tests.simulation.loop import VirtualLoop
from tests.simulation.world import World

T = TypeVar("T")

POINTS = (
    "order.send",
    "order.done",
    "card.send",
    "card.done",
    "update.send",
    "share.send",
    "share.done",
    "upload.send",
    "announce.done",
    "fetch.open",
    "fetch.end",
    "look.done",
    "read",
    "commit",
    "committed",
    "any",
)
"""Where a process can be killed: before a call is sent, after it was processed and before its answer is heard, before a
transaction is written and right after."""

_PROCESS: contextvars.ContextVar["Process | None"] = contextvars.ContextVar("process", default=None)


@dataclass(frozen=True, kw_only=True)
class Doom:
    """The n-th time that it passes this point a process is killed."""

    point: str
    count: int


class Process:
    """What is alive or not. ``ended`` is set when it was killed."""

    def __init__(self, world: World, number: int, doom: Doom | None) -> None:
        self.world, self.number = world, number
        self.alive = True
        self.ended = asyncio.Event()
        self.passed: Counter[str] = Counter()
        self._doom = doom
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._context = contextvars.copy_context()
        self._context.run(_PROCESS.set, self)

    def start(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Begin a task of this process; so is every task that it begins."""
        return self.world.loop.create_task(work, name=name, context=self._context.copy())

    def adopt(self, task: asyncio.Task[Any]) -> None:
        """The task dies with the process."""
        self._tasks[task] = None
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and not self.alive:
            task.exception()

    def kill(self, why: str) -> None:
        """Nothing more is done."""
        if not self.alive:
            return
        self.world.note(f"p{self.number} killed at {why}")
        self.end()

    def end(self) -> None:
        """Throw everything away, without a word in the record."""
        if self.alive:
            self.world.loss(self.number)
        self.alive = False
        self.ended.set()
        running = asyncio.current_task(self.world.loop)
        for task in list(self._tasks):
            if task is not running:
                task.cancel()

    # --- what ports call -------------------------------------------------------------------------------------------

    def gate(self, point: str, what: str = "") -> None:
        """The process comes past this point. Raises CancelledError when it is dead, or dies here."""
        if not self.alive:
            raise asyncio.CancelledError
        self.passed[point] += 1
        self.passed["any"] += 1
        doom = self._doom
        if doom is not None and self.passed[doom.point] >= doom.count and not self.world.healed:
            self._doom = None
            self.kill(point)
            raise asyncio.CancelledError
        if what:
            self.world.note(f"p{self.number} {what}")

    async def wait(self, seconds: float) -> None:
        """Something takes its time."""
        await asyncio.sleep(seconds)
        if not self.alive:
            raise asyncio.CancelledError


def adopting(loop: VirtualLoop) -> None:
    """Let every task of the loop belong to the process that began it."""

    def make(loop: Any, work: Any, context: contextvars.Context | None = None) -> asyncio.Task[Any]:
        owner = _PROCESS.get() if context is None else context.get(_PROCESS)
        task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, context=context)
        if owner is not None:
            owner.adopt(task)
        return task

    loop.set_task_factory(make)
