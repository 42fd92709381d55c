"""``bot.ports.Scratch``: folders beside the media store, each locked by the process that works in it."""

import asyncio
import contextlib
import fcntl
import os
import secrets
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import FileIO
from pathlib import Path
from typing import Literal

from bot.ports import Scratch
from storage.clips import BATCH_BYTES, append, batches, folder_of, in_thread, translating


def open_scratch(url: str) -> Scratch:
    """A place for files that are worked on, below the folder of the media store at ``url``, where there is room for
    media. Raises UnsupportedUrl, ClipsUnavailable."""
    with translating():
        return FolderScratch(folder_of(url).absolute() / "scratch")


class FolderScratch:
    """Folders with names of their own, removed when their block ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @asynccontextmanager
    async def room(self) -> AsyncIterator[Path]:
        """See ``bot.ports.Scratch``."""
        path = self._folder / secrets.token_hex(16)
        with translating():
            lock = _locked(path)
        try:
            yield path
        finally:
            os.close(lock)
            # To its end, also when our task is cancelled: what is left is the next start's.
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, path, ignore_errors=True))

    async def write(self, path: Path, chunks: AsyncIterator[bytes], *, limit_bytes: int) -> int:
        """See ``bot.ports.Scratch``."""
        written = 0
        with translating():
            file = _opened(path, "xb")
        try:
            async for batch in batches(chunks, limit_bytes):
                written += len(batch)
                with translating():
                    await in_thread(append, file, batch)
        finally:
            file.close()
        return written

    async def read(self, path: Path) -> AsyncIterator[bytes]:
        """See ``bot.ports.Scratch``."""
        with translating():
            file = _opened(path, "rb")
        try:
            while batch := await in_thread(file.read, BATCH_BYTES):
                yield batch
        finally:
            file.close()

    async def sweep(self) -> int:
        """See ``bot.ports.Scratch``. A folder in which a living process works is locked by it and stays."""
        return await asyncio.to_thread(_sweep, self._folder)


def _locked(path: Path) -> int:
    """Make the folder, and hold its lock by the descriptor that is returned: the system drops it when we are killed."""
    path.mkdir(mode=0o700)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _opened(path: Path, mode: Literal["xb", "rb"]) -> FileIO:
    return path.open(mode, buffering=0)


def _sweep(folder: Path) -> int:
    removed = 0
    with translating():
        for path in folder.iterdir():
            with contextlib.suppress(FileNotFoundError, BlockingIOError):
                descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(path)
                    removed += 1
                finally:
                    os.close(descriptor)
    return removed
