"""Providers' calls to us: early, late, several times, lost, and made up by strangers."""

import random
from collections.abc import Callable

from bot.ports import StorageError
from bot.services.callbacks import Heard
from tests.simulation.core import Core
from tests.simulation.vendor import SIGNATURE, call_body
from tests.simulation.vendor_books import CALLBACK_DELAYS, Task
from tests.simulation.world import World

_FORGED = f"{0:032x}"


class Callers:
    """Delivers what providers and strangers call. ``core`` gives the running process, if there is one."""

    def __init__(self, world: World, core: Callable[[], Core | None]) -> None:
        self._world, self._core = world, core
        self._chances: random.Random = world.stream("callers")
        self.believed: list[str] = []
        """Forged calls that were taken."""

    def tell(self, task: Task, when: str) -> None:
        """A provider has something to call about, now or when the task has ended."""
        if self._chances.random() < 0.2:
            return
        for number in range(self._chances.choice((1, 1, 1, 3))):
            if when == "early":
                self._later(0.0, task, number, 0)
            self._later(max(0.0, task.ends_at - self._world.now), task, number + 10, 0)
        if self._chances.random() < 0.3:
            self._world.loop.call_later(self._chances.uniform(0, 60), self._forge, task)

    def _later(self, seconds: float, task: Task, number: int, tries: int) -> None:
        self._world.loop.call_later(seconds + CALLBACK_DELAYS[0], self._call, task, number, tries)

    def _call(self, task: Task, number: int, tries: int) -> None:
        core = self._core()
        if core is None or not core.process.alive:
            self._again(task, number, tries)
            return
        core.process.start(self._hear(core, task, number, tries), f"call about {task.id}")

    async def _hear(self, core: Core, task: Task, number: int, tries: int) -> None:
        provider, _, token = (task.callback or "").rpartition("/callbacks/")[2].partition("/")
        try:
            heard = await core.callbacks.hear(provider, token, {"signature": SIGNATURE}, call_body(task, number))
        except StorageError:
            heard = Heard.NOT_YET
        core.process.gate("any", f"call {number} about {task.id}: {heard.value}")
        if heard is Heard.NOT_YET:
            self._again(task, number, tries)
        elif heard is Heard.TAKEN and task.called_at is None:
            task.called_at = self._world.now

    def _again(self, task: Task, number: int, tries: int) -> None:
        if tries + 1 < len(CALLBACK_DELAYS):
            self._later(CALLBACK_DELAYS[tries + 1], task, number, tries + 1)

    def _forge(self, task: Task) -> None:
        """A stranger calls: without a signature where there is one, or with a token that no order has."""
        core = self._core()
        if core is None or not core.process.alive:
            return
        provider, _, token = (task.callback or "").rpartition("/callbacks/")[2].partition("/")
        signed = self._chances.random() < 0.5

        async def call(core: Core) -> None:
            headers = {"signature": SIGNATURE} if signed else {"signature": "mine"}
            try:
                heard = await core.callbacks.hear(provider, _FORGED if signed else token, headers, call_body(task, 99))
            except StorageError:
                return
            if heard is Heard.TAKEN:
                self.believed.append(task.id)

        core.process.start(call(core), "forged call")
