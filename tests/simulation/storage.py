"""The database and the media store as one process has them: they may be busy or full, a commit may end in doubt, and a
transaction of a killed process is never written."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from bot.ports import (
    ClipsUnavailable,
    CommitUnknown,
    Shelf,
    StorageBusy,
    StorageError,
    StoredClip,
    Transaction,
)
from storage import MemoryClips, MemoryStorage
from storage.memory.tables import Tables
from tests.simulation.process import Process
from tests.simulation.world import CLIPS, STORAGE

_SLOW = 0.1
"""How often a transaction takes time at all."""
TROUBLES = *("busy",) * 7, "full", "in doubt", "in doubt, written"
"""What can become of a transaction."""


class Disk:
    """What is on disk: it outlives every process."""

    def __init__(self) -> None:
        self._storage = MemoryStorage()
        self.clips = MemoryClips()

    @property
    def tables(self) -> Tables:
        """As the last commit left them."""
        return self._storage._tables

    def open(self) -> MemoryStorage:
        """As a new process finds it. What an earlier one had in hand is not written any more, and locks nobody out."""
        opened = MemoryStorage()
        opened._tables = self.tables
        self._storage = opened
        return opened


class ProcessStorage:
    """``bot.ports.Storage``. ``committed`` is called with the tables after each commit."""

    alone = True

    def __init__(self, process: Process, disk: Disk, committed: Callable[[Tables], None]) -> None:
        self._process, self._world = process, process.world
        self._storage = disk.open()
        self._committed = committed
        self._chances = process.world.stream(f"{STORAGE}/{process.number}")

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        """See ``bot.ports.Storage``."""
        trouble = await self._opened()
        async with self._storage.begin() as tx:
            yield tx
            self._process.gate("commit")
            if trouble == "full":
                raise StorageError("The disk is full.")
            if trouble == "in doubt":
                raise CommitUnknown
        try:
            self._committed(self._storage._tables)
        except CommitUnknown:
            self._world.mishap(self._process.number)
            raise
        self._process.gate("committed", "commit")
        if trouble == "in doubt, written":
            raise CommitUnknown

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """See ``bot.ports.Storage``."""
        await self._opened()
        async with self._storage.read() as tx:
            yield tx

    async def _opened(self) -> str:
        """What is going to go wrong. Raises StorageBusy."""
        self._process.gate("read")
        if self._chances.random() < _SLOW:
            await self._process.wait(self._chances.uniform(0.0, 0.05))
        trouble = self.trouble()
        if trouble:
            self._world.mishap(self._process.number)
        if trouble == "busy":
            await self._process.wait(self._chances.uniform(0.0, 2.0))
            raise StorageBusy("The database is locked.")
        return trouble

    def trouble(self) -> str:
        """What goes wrong with the next transaction; empty when nothing does."""
        bad = self._world.weather.bad(STORAGE, self._world.now)
        return self._chances.choice(TROUBLES) if bad else ""


class ProcessClips:
    """``bot.ports.Clips``."""

    def __init__(self, process: Process, disk: Disk) -> None:
        self._process, self._clips = process, disk.clips

    async def put(
        self,
        workspace: str,
        chunks: AsyncIterator[bytes],
        *,
        limit_bytes: int,
        shelf: Shelf = Shelf.CLIPS,
        suffix: str = "mp4",
    ) -> StoredClip:
        self._process.gate("any")
        stored = await self._clips.put(
            workspace, self._failing(chunks), limit_bytes=limit_bytes, shelf=shelf, suffix=suffix
        )
        self._process.gate("fetch.end", f"kept {stored.sha256[:8]}")
        return stored

    async def _failing(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            self._see()
            yield chunk

    async def open(self, key: str, *, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        self._process.gate("any")
        self._see()
        async for chunk in self._clips.open(key, start=start, stop=stop):
            yield chunk

    async def size(self, key: str) -> int | None:
        self._process.gate("any")
        return await self._clips.size(key)

    async def sweep(self) -> int:
        return await self._clips.sweep()

    def _see(self) -> None:
        if self._process.world.weather.bad(CLIPS, self._process.world.now):
            raise ClipsUnavailable("The media folder answered ENOSPC: No space left on device.")
