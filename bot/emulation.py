"""The emulated world as a child process: a pretend Slack and pretend providers, which say where they listen.

Nothing here imports it; it is reached over HTTP alone, and ends with us, even when we are killed.
"""

import asyncio
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_READY_SECONDS = 30.0
_STOP_SECONDS = 12.0
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "VIRTUAL_ENV")


class EmulationFailed(Exception):
    """The emulation did not start, or ended by itself."""


@dataclass(frozen=True, kw_only=True)
class Emulation:
    """A running emulation: the origin of its pretend Slack, and the environment in which a bot finds all of it."""

    process: asyncio.subprocess.Process
    slack: str
    environment: Mapping[str, str]

    @property
    def hosts(self) -> frozenset[str]:
        """Where its clips lie: loopback, from which nothing is fetched otherwise."""
        return frozenset(self.environment["ALLOWED_FETCH_HOSTS"].split(","))

    async def ended(self) -> int:
        """Wait until it has ended; its exit code."""
        return await self.process.wait()


@contextlib.asynccontextmanager
async def emulation(
    *, workspace: Mapping[str, Any] | None = None, folder: Path | None = None
) -> AsyncIterator[Emulation]:
    """An emulation with its files in that folder, or in one that goes with it; ``workspace`` are settings of the
    pretend Slack. Raises EmulationFailed when it does not start."""
    place = ("--data", str(folder / "sandbox")) if folder else ()
    with tempfile.TemporaryFile() as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-P", "-m", "bot.sandbox", "--exit-with-parent", *place),
            *("--config", json.dumps(workspace or {})),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            cwd=folder,
            env=clean_environment({}),
        )
        try:
            line = b""
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_READY_SECONDS):
                    line = await process.stdout.readline() if process.stdout else b""
            if not line:
                log.seek(0)
                raise EmulationFailed(f"The sandbox did not start.\n{tail(log.read())}")
            ready = json.loads(line)
            yield Emulation(process=process, slack=str(ready["slack"]), environment=dict(ready["env"]))
        finally:
            await end(process)


def clean_environment(more: Mapping[str, str]) -> dict[str, str]:
    """Nothing of the caller's settings; enough to find Python and this program."""
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**kept, "PYTHONPATH": str(Path(__file__).resolve().parents[1]), **more}


async def end(process: asyncio.subprocess.Process) -> None:
    """End a process that we started: politely, then for good."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def tail(log: bytes) -> str:
    """The last lines of a log, for whoever asks why."""
    return "\n".join(["The end of the log:", *log.decode(errors="replace").splitlines()[-15:]])
