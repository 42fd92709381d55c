"""``bot.ports.Storage`` in memory, for simulations and fast tests: the same promises, kept by copying."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, tzinfo

from bot.ports import StorageBusy
from storage.engines import BUSY_SECONDS
from storage.memory.announcements import MemoryAnnouncements
from storage.memory.audit import MemoryAudit
from storage.memory.files import MemoryFiles
from storage.memory.inbox import MemoryInbox
from storage.memory.jobs import MemoryJobs
from storage.memory.leases import MemoryLeases
from storage.memory.ledger import MemoryLedger
from storage.memory.outages import MemoryOutages
from storage.memory.preferences import MemoryPreferences
from storage.memory.tables import Tables


@dataclass(frozen=True, kw_only=True)
class MemoryTransaction:
    """``bot.ports.Transaction`` over one copy of the tables."""

    inbox: MemoryInbox
    jobs: MemoryJobs
    ledger: MemoryLedger
    audit: MemoryAudit
    preferences: MemoryPreferences
    announcements: MemoryAnnouncements
    files: MemoryFiles
    outages: MemoryOutages
    leases: MemoryLeases


class MemoryStorage:
    """Transactions one after the other, each on a copy that replaces the tables when its block ends well."""

    def __init__(self, zone: tzinfo = UTC) -> None:
        self._tables, self._zone = Tables(), zone
        self._turn = asyncio.Lock()
        self.alone = True

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[MemoryTransaction]:
        """See ``bot.ports.Storage``."""
        try:
            async with asyncio.timeout(BUSY_SECONDS):
                await self._turn.acquire()
        except TimeoutError as error:
            raise StorageBusy("Too many writes are waiting.") from error
        try:
            copy = self._tables.copy()
            yield self._transaction(copy)
            self._tables = copy
        finally:
            self._turn.release()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[MemoryTransaction]:
        """See ``bot.ports.Storage``. What is written here is forgotten."""
        yield self._transaction(self._tables.copy())

    def _transaction(self, tables: Tables) -> MemoryTransaction:
        return MemoryTransaction(
            inbox=MemoryInbox(tables),
            jobs=MemoryJobs(tables),
            ledger=MemoryLedger(tables, self._zone),
            audit=MemoryAudit(tables, self._zone),
            preferences=MemoryPreferences(tables),
            announcements=MemoryAnnouncements(tables),
            files=MemoryFiles(tables),
            outages=MemoryOutages(tables),
            leases=MemoryLeases(tables),
        )
