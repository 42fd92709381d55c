"""The pretend render farm behind one provider: tasks that move by the clock, charges, files at the end."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from bot.sandbox.faults import Faults
from bot.sandbox.providers.ledger import Ledger
from bot.sandbox.providers.outcomes import Failure, Outcome, Stage
from bot.sandbox.providers.outputs import Link, OutputStore
from bot.sandbox.providers.settings import ProviderSettings
from bot.sandbox.render import ClipSpec, Renderer, damage, pad

_log = logging.getLogger(__name__)

_NAMES = {"video": "0.mp4", "last_frame": "last.jpg", "thumbnail": "thumb.jpg"}
_QUEUED_UNTIL, _RUNNING_UNTIL = 0.15, 0.9
"""Shares of a render's time that are told as queued and, after that, as running; the rest is storing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What a request asks of the farm, in no provider's dialect.

    `key` is its idempotency key, `kind` a word for the ledger ("text", "frames", "references"),
    `callback_url` where the end is to be announced, and `recorded` the request as it came, for the tests.
    """

    model: str
    prompt: str
    resolution: str
    ratio: str
    seconds: int
    audio: bool
    kind: str
    video_input: bool
    background: Path | None
    last_frame: bool
    key: str | None
    callback_url: str | None
    recorded: dict[str, object]

    def facts(self) -> dict[str, object]:
        """What a fault rule may match."""
        return {
            "prompt": self.prompt,
            "resolution": self.resolution,
            "key": self.key or "",
            "model": self.model,
            "audio": "true" if self.audio else "false",
        }


@dataclass(kw_only=True, slots=True)
class Task:
    """One task. Times are unix seconds; `seconds` is how long it takes by the clock; `announced` is set when
    it has ended and whoever waits for that has been told."""

    id: str
    order: Order
    outcome: Outcome
    created: float
    seconds: float
    completed: float | None = None
    failure: Failure | None = None
    links: dict[str, Link] = field(default_factory=dict)
    reads_at_work: int = 0
    reads_at_end: int = 0
    announced: asyncio.Event = field(default_factory=asyncio.Event)

    def stage(self, now: float) -> Stage:
        """Where the task truly stands."""
        if self.completed is not None:
            return Stage.FAILED if self.failure else Stage.SUCCEEDED
        share = (now - self.created) / self.seconds if self.seconds else 1.0
        if share < _QUEUED_UNTIL:
            return Stage.QUEUED
        return Stage.RUNNING if share < _RUNNING_UNTIL else Stage.STORING


class Farm:
    """The tasks, money and files of one provider.

    `finished` is awaited when a task has ended (a dialect sends its callbacks there); it runs in the task's
    own background job and may take its time.
    """

    def __init__(
        self,
        name: str,
        *,
        settings: ProviderSettings,
        folder: Path,
        renderer: Renderer,
        outputs: OutputStore,
        faults: Faults,
        changed: Callable[[], None],
    ) -> None:
        self.name = name
        self.ledger = Ledger()
        self.requests: Counter[str] = Counter()
        self.faults = faults
        self.changed = changed
        self.finished: Callable[[Task], Awaitable[None]] | None = None
        self._folder = folder
        self._renderer = renderer
        self._outputs = outputs
        self._tasks: dict[str, Task] = {}
        self._jobs: set[asyncio.Task[None]] = set()
        self.use(settings)

    def use(self, settings: ProviderSettings) -> None:
        """Work by these settings from now on; what is under way keeps its own."""
        self.settings = settings
        self._chance = random.Random(settings.seed)  # noqa: S311 - render times, not secrets

    @property
    def folder(self) -> Path:
        """A folder for this provider's files."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder

    def price(self, order: Order) -> int:
        """What an order costs, in micro-dollars."""
        return self.settings.price(order.model, order.resolution, order.seconds, video_input=order.video_input)

    def admit(self, task_id: str, order: Order) -> Task:
        """Charge an order and begin it. Raises `NoFunds`; then nothing has happened."""
        outcome = Outcome.of(self.faults.take(f"{self.name}:outcome", "do", order.facts()))
        for _ in range(2 if outcome.kind == "bill_double" else 1):
            self.ledger.charge(
                task_id=task_id,
                key=order.key,
                micro_usd=outcome.billed(self.price(order)),
                resolution=order.resolution,
                seconds=order.seconds,
                kind=order.kind,
                prompt=order.prompt,
            )
        task = Task(
            id=task_id,
            order=order,
            outcome=outcome,
            created=time.time(),
            seconds=outcome.stretched(self._chance.uniform(*self.settings.render_seconds)),
        )
        self._tasks[task_id] = task
        self.background(self._live(task))
        self.changed()
        return task

    def stop(self, task: Task, failure: Failure) -> bool:
        """End a task that is under way with this failure, at once; False when it has ended already."""
        if task.completed is not None:
            return False
        self._end(task, failure)
        return True

    def background(self, work: Coroutine[object, object, None]) -> None:
        """Let something run until it ends or the farm closes."""
        job = asyncio.create_task(work)
        self._jobs.add(job)
        job.add_done_callback(self._retire)

    def find(self, task_id: str) -> Task | None:
        """The task as a read finds it: None if it is unknown or hidden by its outcome."""
        task = self._tasks.get(task_id)
        if task is None or task.outcome.hides(time.time() - task.created):
            return None
        return task

    def latest(self) -> Task | None:
        """The task created last, hidden or not."""
        return self._tasks[next(reversed(self._tasks))] if self._tasks else None

    def newest_first(self) -> list[Task]:
        """All tasks that a read finds."""
        return [task for task_id in reversed(self._tasks) if (task := self.find(task_id)) is not None]

    def links_of(self, task: Task) -> Iterable[tuple[str, Link]]:
        """Kinds and links of a finished task's files, the clip first; renewed if they may be signed again."""
        for kind, link in task.links.items():
            if self.settings.re_sign and time.time() >= link.expires:
                task.links[kind] = self._publish(task, link.name, link.path)
        return list(task.links.items())

    def url(self, link: Link) -> str:
        """The address of a file."""
        return self._outputs.url(link)

    def snapshot(self) -> dict[str, object]:
        """The whole farm for an onlooker, as JSON has it."""
        return {
            "balance_micro_usd": self.ledger.balance,
            "ledger": self.ledger.listing(),
            "requests": dict(self.requests),
            "tasks": self.describe(recorded=False),
        }

    def describe(self, *, recorded: bool) -> list[dict[str, object]]:
        """Every task, hidden or not, oldest first; `recorded` adds its request as it came and the answer."""
        return [self._about(task) | (task.order.recorded if recorded else {}) for task in self._tasks.values()]

    def _about(self, task: Task) -> dict[str, object]:
        return {
            "id": task.id,
            "stage": task.stage(time.time()),
            "created": task.created,
            "completed": task.completed,
            "render_seconds": task.seconds,
            "outcome": task.outcome.kind,
            "failure": None if task.failure is None else task.failure.message,
            "urls": [self.url(link) for link in task.links.values()],
            "prompt": task.order.prompt,
            "key": task.order.key,
        }

    async def close(self) -> None:
        """Stop all work under way."""
        jobs = list(self._jobs)
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)

    async def _live(self, task: Task) -> None:
        """A task from its beginning to its end."""
        failure = task.outcome.failure(audio=task.order.audio)
        files: dict[str, Path] = {}
        if failure is None and task.outcome.kind != "never_ends":
            files = await self._make(task)
        await asyncio.sleep(task.created + task.seconds - time.time())
        if task.outcome.kind == "never_ends" or task.completed is not None:
            return
        for kind, path in files.items():
            task.links[kind] = self._publish(task, _NAMES[kind], path)
        self._end(task, failure)
        if self.finished is not None:
            await self.finished(task)
        task.announced.set()

    def _end(self, task: Task, failure: Failure | None) -> None:
        """Close a task and its charge."""
        task.failure = failure
        task.completed = time.time()
        if failure is not None and failure.refund:
            self.ledger.refund(task.id)
        else:
            self.ledger.settle(task.id)
        self.changed()

    async def _make(self, task: Task) -> dict[str, Path]:
        """The files of a task, by kind, the clip first."""
        order, outcome = task.order, task.outcome
        spec = ClipSpec(
            task_id=task.id,
            prompt=order.prompt,
            resolution=order.resolution,
            ratio=order.ratio,
            seconds=order.seconds,
            audio=order.audio,
            background=order.background,
        )
        clip = self.folder / f"{task.id}.mp4"
        await self._renderer.render(spec, clip, fidelity=self.settings.fidelity)
        if outcome.padding:
            await asyncio.to_thread(pad, clip, outcome.padding)
        if outcome.kind == "corrupt":
            await asyncio.to_thread(damage, clip, str(outcome.details.get("how", "truncated")))
        files = {"video": clip}
        if order.last_frame or outcome.kind == "extra_outputs":
            files["last_frame"] = self.folder / f"{task.id}.last.jpg"
        if outcome.kind == "extra_outputs":
            files["thumbnail"] = self.folder / f"{task.id}.thumb.jpg"
        for path in list(files.values())[1:]:
            await self._renderer.still(spec, path)
        return files

    def _retire(self, job: asyncio.Task[None]) -> None:
        self._jobs.discard(job)
        if not job.cancelled() and (error := job.exception()) is not None:
            _log.error("sandbox render broke", exc_info=error)

    def _publish(self, task: Task, name: str, path: Path) -> Link:
        return self._outputs.publish(
            provider=self.name,
            task_id=task.id,
            prompt=task.order.prompt,
            name=name,
            path=path,
            seconds=self.settings.expire_seconds,
        )
