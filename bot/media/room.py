"""The media room as a pool of processes: few at once, each with limits, ended and replaced when it does not answer."""

import asyncio
import contextlib
import os
import secrets
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Literal

from bot.domain.recipe import MediaKind
from bot.domain.reference import FileLimits
from bot.media.messages import (
    Answer,
    FrameTask,
    HinderedAnswer,
    PreparedAnswer,
    PrepareTask,
    RefusedAnswer,
    Task,
)
from bot.media.process import CannotStart, Worker, WorkerDied, clean_environment
from bot.ports.media import MediaRoomBusy, MediaRoomTimeout, PreparedFile, UnusableFile

_TRIES = 2  # a worker may be ended by others (the system, short of memory); a file that ends two is the cause
_TASKS_OF_ONE = 200  # after which a worker is replaced: readers of many formats leave something behind
_GRACE = 5.0  # seconds after which a worker ends itself: it is for workers whose room has gone
_BREAKS = ("cannot be read", "opening it breaks what reads it")


class ProcessMediaRoom:
    """Fulfils ``bot.ports.MediaRoom``.

    ``workers`` files are under way at once, each for at most ``seconds`` in a process that may take ``memory_bytes``;
    whoever comes later waits for at most ``patience`` seconds. Workers start when they are needed.
    """

    def __init__(
        self, *, workers: int = 2, seconds: float = 180, memory_bytes: int = 1 << 30, patience: float = 300
    ) -> None:
        self._places = asyncio.Semaphore(workers)
        self._seconds = seconds
        self._memory_bytes = memory_bytes
        self._patience = patience
        self._idle: list[Worker] = []
        self._at_work: set[Worker] = set()
        self._closed = False

    @property
    def pids(self) -> frozenset[int]:
        """Of its processes."""
        return frozenset(worker.pid for worker in (*self._idle, *self._at_work))

    async def prepare(
        self, file: Path, *, name: str, wanted: MediaKind, limits: FileLimits, into: Path
    ) -> PreparedFile:
        """See ``bot.ports.MediaRoom``."""
        source, output = _whole(file), _new_in(into)

        def task(seconds: float) -> Task:
            return PrepareTask(file=source, wanted=wanted, limits=limits, output=output, seconds=seconds)

        return await self._new_file(task, name=name, source=source, output=output)

    async def frame(self, clip: Path, which: Literal["first", "last"], *, name: str, into: Path) -> PreparedFile:
        """See ``bot.ports.MediaRoom``."""
        source, output = _whole(clip), _new_in(into)

        def task(seconds: float) -> Task:
            return FrameTask(file=source, last=which == "last", output=output, seconds=seconds)

        return await self._new_file(task, name=name, source=source, output=output)

    async def close(self) -> None:
        """See ``bot.ports.MediaRoom``."""
        self._closed = True
        for worker in (*self._idle, *self._at_work):
            await worker.end()
        self._idle.clear()

    async def _new_file(self, task: Callable[[float], Task], *, name: str, source: Path, output: Path) -> PreparedFile:
        """The file that a worker says it has made; what it has left behind otherwise is removed."""
        keep: Path | None = None
        try:
            answer = await self._answer(task)
            if isinstance(answer, HinderedAnswer):
                raise MediaRoomBusy(0)
            if isinstance(answer, PreparedAnswer) and _is_ours(answer.prepared.path, source, output):
                keep = answer.prepared.path
                return answer.prepared
        finally:
            _remove(output, but=keep)
        figure, limit = (answer.figure, answer.limit) if isinstance(answer, RefusedAnswer) else _BREAKS
        raise UnusableFile(name=name, figure=figure, limit=limit)

    async def _answer(self, task: Callable[[float], Task]) -> Answer:
        """What a worker says. Raises MediaRoomBusy."""
        async with self._place():
            for _ in range(_TRIES):
                worker = await self._worker()
                try:
                    answer = await worker.ask(task(self._seconds + _GRACE), self._seconds)
                except WorkerDied:
                    continue
                except TimeoutError as error:
                    raise MediaRoomTimeout(self._seconds) from error
                finally:
                    await self._put_back(worker)
                return answer
            if self._closed:
                raise MediaRoomBusy(0)
            return RefusedAnswer(figure=_BREAKS[0], limit=_BREAKS[1])

    @contextlib.asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._patience):
                await self._places.acquire()
        except TimeoutError as error:
            raise MediaRoomBusy(self._patience) from error
        try:
            yield
        finally:
            self._places.release()

    async def _worker(self) -> Worker:
        """One that is at work from now on: an idle one that still runs, else a new one."""
        if self._closed:
            raise MediaRoomBusy(0)
        while self._idle:
            worker = self._idle.pop()
            if worker.running:
                break
        else:
            try:
                worker = await Worker.start(self._memory_bytes, clean_environment(os.environ))
            except CannotStart as error:
                raise MediaRoomBusy(0) from error
        self._at_work.add(worker)
        return worker

    async def _put_back(self, worker: Worker) -> None:
        self._at_work.discard(worker)
        if worker.running and worker.answered < _TASKS_OF_ONE and not self._closed:
            self._idle.append(worker)
        else:
            await worker.end()


def _whole(file: Path) -> Path:
    """The same file for a process that stands elsewhere."""
    return file.absolute()


def _new_in(folder: Path) -> Path:
    """A name of ours, to which the worker adds a suffix: what people call a file never names one."""
    return folder.absolute() / f"prepared-{secrets.token_hex(8)}"


def _is_ours(path: Path, source: Path, output: Path) -> bool:
    """Whether a worker names a file that it was told of: one that a file has taken over must not get others sent."""
    return path == source or (path.parent == output.parent and path.stem == output.name and not path.is_symlink())


def _remove(output: Path, *, but: Path | None) -> None:
    for left in output.parent.glob(f"{output.name}.*"):
        if left != but:
            left.unlink(missing_ok=True)
