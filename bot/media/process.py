"""One worker as the room sees it: a child process that answers one task at a time, or does not."""

import asyncio
import contextlib
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from bot.media.messages import ANSWERS, READY, TASKS, Answer, Task

_START_SECONDS = 30.0
_LONGEST_LINE = 1 << 20  # bytes; an answer has a few hundred


class CannotStart(Exception):
    """No worker can be had now: the system has no place for one, or it does not begin."""


class WorkerDied(Exception):
    """The worker ended, or spoke nonsense, instead of answering; it is gone."""


class Worker:
    """A running worker. Whoever has asked it something and did not get the answer ends it."""

    def __init__(self, process: Process) -> None:
        if process.stdin is None or process.stdout is None:
            raise CannotStart
        self._process = process
        self._tasks, self._lines = process.stdin, process.stdout
        self.answered = 0

    @classmethod
    async def start(cls, memory_bytes: int, environment: Mapping[str, str]) -> Self:
        """Start one and wait until it is ready. Raises CannotStart, which says nothing about any file."""
        try:
            worker = cls(await cls._process_of(memory_bytes, environment))
        except OSError as error:
            raise CannotStart from error
        try:
            async with asyncio.timeout(_START_SECONDS):
                ready = await worker._lines.readline() == READY
        except (TimeoutError, OSError, ValueError):
            ready = False
        except asyncio.CancelledError:
            await worker.end()
            raise
        if not ready:
            await worker.end()
            raise CannotStart
        return worker

    @staticmethod
    async def _process_of(memory_bytes: int, environment: Mapping[str, str]) -> Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-P", "-m", "bot.media.worker", str(memory_bytes)),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env=environment,
            limit=_LONGEST_LINE,
            start_new_session=True,  # an interrupt at the terminal is for the bot, which ends its workers itself
        )

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it can be asked."""
        return self._process.returncode is None

    async def ask(self, task: Task, seconds: float) -> Answer:
        """Its answer. Raises WorkerDied, TimeoutError after so many seconds; the worker is ended then, and also when
        the caller is cancelled."""
        try:
            async with asyncio.timeout(seconds):
                self._tasks.write(TASKS.dump_json(task) + b"\n")
                await self._tasks.drain()
                answer = ANSWERS.validate_json(await self._lines.readline())
        except (TimeoutError, asyncio.CancelledError):
            await self.end()
            raise
        except (OSError, ValueError) as error:  # ValueError: what it says is no answer, or one without end
            await self.end()
            raise WorkerDied from error
        self.answered += 1
        return answer

    async def end(self) -> None:
        """Kill it: whatever it has in hand is worth nothing without us."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await asyncio.shield(self._process.wait())


def clean_environment(found: Mapping[str, str]) -> dict[str, str]:
    """What a worker is told of the bot's environment: where Python is and where to put temporary files, and nothing
    that is secret. Libraries are kept from starting threads, each of which would take memory."""
    passed_on = ("PATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "VIRTUAL_ENV")
    kept = {name: found[name] for name in passed_on if name in found}
    root = str(Path(__file__).resolve().parents[2])
    quiet = {"PYTHONDONTWRITEBYTECODE": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return {**kept, **quiet, "PYTHONPATH": root}
