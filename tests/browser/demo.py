"""The demo as people start it: a process that names its address and starts a killed bot again."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

_STOP_SECONDS = 20.0
_ADDRESS = re.compile(r"Open (http://127\.0\.0\.1:\d+)/")


@dataclass(frozen=True, kw_only=True)
class Demo:
    """A running demo: its address, and every line that it has written so far."""

    origin: str
    said: list[str]


class DemoEnded(Exception):
    """The demo ended before it named its address; ``said`` is what it said."""

    def __init__(self, said: Sequence[str]) -> None:
        self.said = said
        super().__init__("the demo ended before it could be opened:\n" + "".join(said))


@asynccontextmanager
async def running(
    *command: str, place: Path, environment: Mapping[str, str] | None = None, within: float = 40.0
) -> AsyncIterator[Demo]:
    """The demo that a command starts in a folder, once it has named its address, within so many seconds.
    ``environment`` comes on top of the caller's, without its virtual environment. Its whole group of processes is told
    to end with the block. Raises DemoEnded, TimeoutError."""
    inherited = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHONPATH"}}
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=place,
        env={**inherited, **(environment or {})},
        start_new_session=True,
    )
    said: list[str] = []
    named: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    listening = asyncio.create_task(_listen(process, said, named))
    try:
        async with asyncio.timeout(within):
            origin = await named
        yield Demo(origin=origin, said=said)
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGTERM)
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
            await listening


async def _listen(process: asyncio.subprocess.Process, said: list[str], named: asyncio.Future[str]) -> None:
    """Everything to the end, so that nobody waits for room in the pipe."""
    while process.stdout and (line := (await process.stdout.readline()).decode()):
        said.append(line)
        if (found := _ADDRESS.search(line)) and not named.done():
            named.set_result(found[1])
    if not named.done():
        named.set_exception(DemoEnded(said))
