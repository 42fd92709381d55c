"""``bot.ports.Storage`` over SQLite or PostgreSQL, and how it is opened."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from bot.ports import StorageBusy
from storage import migrations
from storage.announcements import SqlAnnouncements
from storage.audit import SqlAudit
from storage.driver_errors import translating
from storage.engines import (
    BUSY_SECONDS,
    Place,
    place_of,
    plain_engine,
    reading_engine,
    writing_engine,
)
from storage.errors import NotWritable, SchemaOutdated
from storage.files import SqlFiles
from storage.inbox import SqlInbox
from storage.jobs import SqlJobs
from storage.leases import SqlLeases
from storage.ledger import SqlLedger
from storage.lock import exclusive
from storage.outages import SqlOutages
from storage.preferences import SqlPreferences
from storage.sql import Sql, opened


@dataclass(frozen=True, kw_only=True)
class SqlTransaction:
    """``bot.ports.Transaction``: every port over one open transaction."""

    inbox: SqlInbox
    jobs: SqlJobs
    ledger: SqlLedger
    audit: SqlAudit
    preferences: SqlPreferences
    announcements: SqlAnnouncements
    files: SqlFiles
    outages: SqlOutages
    leases: SqlLeases


class Database:
    """``bot.ports.Storage``. ``alone`` is True while this process holds the lock of its SQLite file."""

    def __init__(self, *, writing: AsyncEngine, reading: AsyncEngine, queued: bool, alone: bool, zone: tzinfo) -> None:
        self._writing, self._reading, self._zone = writing, reading, zone
        self._turn = asyncio.Semaphore(1 if queued else 1_000)
        self.alone = alone

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[SqlTransaction]:
        """See ``bot.ports.Storage``. Writers on SQLite wait here in order, and share one deadline with
        the wait for other processes."""
        deadline = asyncio.get_running_loop().time() + BUSY_SECONDS
        async with self._in_turn(deadline), opened(self._writing, deadline) as sql:
            yield self._transaction(sql)
            await sql.commit()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[SqlTransaction]:
        """See ``bot.ports.Storage``. All reads of the block see one moment; a write raises NotWritable."""
        deadline = asyncio.get_running_loop().time() + BUSY_SECONDS
        async with opened(self._reading, deadline) as sql:
            yield self._transaction(sql)

    def _transaction(self, sql: Sql) -> SqlTransaction:
        return SqlTransaction(
            inbox=SqlInbox(sql),
            jobs=SqlJobs(sql),
            ledger=SqlLedger(sql, self._zone),
            audit=SqlAudit(sql, self._zone),
            preferences=SqlPreferences(sql),
            announcements=SqlAnnouncements(sql),
            files=SqlFiles(sql),
            outages=SqlOutages(sql),
            leases=SqlLeases(sql),
        )

    @asynccontextmanager
    async def _in_turn(self, deadline: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout_at(deadline):
                await self._turn.acquire()
        except TimeoutError as error:
            raise StorageBusy("Too many writes are waiting.") from error
        try:
            yield
        finally:
            self._turn.release()


@asynccontextmanager
async def open_storage(url: str, *, alone: bool, zone: tzinfo = UTC) -> AsyncIterator[Database]:
    """The database at ``url`` (``sqlite:///FILE`` or ``postgresql://…``), closed when the block ends.

    ``alone`` is what the process that moves jobs passes: on SQLite it takes the lock of the file for as
    long as the block lasts (AlreadyRunning when another process has it) and brings the schema up to
    date; on PostgreSQL, which many processes share, it only does the latter. Without it the schema must
    be there: SchemaOutdated. ``zone`` is the calendar of holds that come without a cap, and of the
    audit's months. Raises UnsupportedUrl, StorageBusy.
    """
    place = place_of(url)
    async with AsyncExitStack() as stack:
        if alone:
            _make_folder(place)
            if place.file is not None:
                stack.enter_context(exclusive(place.file))
            await asyncio.to_thread(_migrate, place)
        else:
            await asyncio.to_thread(_check_schema, place)
        writing, reading = writing_engine(place), reading_engine(place)
        stack.push_async_callback(writing.dispose)
        stack.push_async_callback(reading.dispose)
        yield Database(
            writing=writing,
            reading=reading,
            queued=place.sqlite,
            alone=alone and place.sqlite,
            zone=zone,
        )


async def migrate(url: str) -> None:
    """Bring the database at ``url`` to this release's schema, making the file and its folder where there
    is none. Safe to run twice, and from several processes at once. Raises UnsupportedUrl, StorageBusy,
    NotWritable."""
    place = place_of(url)
    _make_folder(place)
    await asyncio.to_thread(_migrate, place)


def _make_folder(place: Place) -> None:
    if place.file is None:
        return
    folder = place.file.absolute().parent
    try:
        # Prompts, links and people's ids are in there: for this user alone.
        _make_private(folder)
    except OSError as error:
        raise NotWritable(f"the folder {folder} cannot be made") from error


def _make_private(folder: Path) -> None:
    if not folder.is_dir():
        _make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def _migrate(place: Place) -> None:
    engine = plain_engine(place, writing=True)
    try:
        with translating(), engine.begin() as connection:
            migrations.upgrade(connection)
    finally:
        engine.dispose()


def _check_schema(place: Place) -> None:
    wanted = migrations.newest()
    if place.file is not None and not place.file.is_file():
        # Looking must not create an empty database.
        raise SchemaOutdated(None, wanted)
    engine = plain_engine(place, writing=False)
    try:
        with translating(), engine.connect() as connection:
            migrations.refuse_unknown(connection)
            found = migrations.current(connection)
    finally:
        engine.dispose()
    if found != wanted:
        raise SchemaOutdated(found, wanted)
