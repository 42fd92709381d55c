"""Engines for both databases, with the traps of their drivers closed.

SQLite: the driver's own transactions begin late and deferred, and two of them lose updates silently. So
the driver is told to leave transactions alone, and ours begin with ``BEGIN IMMEDIATE``. PostgreSQL runs
at READ COMMITTED; what must be atomic takes a row lock or an advisory lock by itself.
"""

import re
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from storage.errors import UnsupportedUrl

BUSY_SECONDS = 2.0
"""How long a transaction waits for its turn. Slack gives a command 3 seconds, and the answer needs some
of them."""

MIGRATION_SECONDS = 60.0
"""How long one process waits for another one's migration."""

LARGEST_PORT = 65535

BUSY_MILLISECONDS = "busy_milliseconds"
"""The execution option that tells SQLite how long its BEGIN may wait for another process."""

_POSTGRES_SESSION = {
    # Below the lease's 6 seconds: a process that froze in a transaction must not hold its locks for longer.
    "idle_in_transaction_session_timeout": "5s",
    "lock_timeout": f"{BUSY_SECONDS:.0f}s",
    "statement_timeout": f"{BUSY_SECONDS + 1:.0f}s",
    "timezone": "UTC",
}
_POSTGRES_READER = _POSTGRES_SESSION | {
    # One snapshot for all reads of a block, as SQLite gives it.
    "default_transaction_isolation": "repeatable\\ read",
    "default_transaction_read_only": "on",
}
_POSTGRES_NETWORK = {
    "connect_timeout": 2,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


_SUPPORTED = "sqlite:///FILE and postgresql://…"
_KIND = re.compile(r"[a-z][a-z0-9+.-]*(?=://)", re.IGNORECASE)


class MalformedUrl(UnsupportedUrl):
    """A DATABASE_URL that cannot be taken apart. ``why`` says which part is wrong; no part is repeated, since any of
    them may be a password that stands where it should not."""

    def __init__(self, variable: str, scheme: str, why: str) -> None:
        super().__init__(variable, scheme, _SUPPORTED)
        self.why = why

    def __str__(self) -> str:
        return f"{self.variable} {self.why}; supported are {self.supported}."


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the database is. ``file`` is the SQLite file, None on PostgreSQL."""

    url: URL
    file: Path | None

    @property
    def sqlite(self) -> bool:
        """True for a SQLite file."""
        return self.file is not None


def place_of(database_url: str) -> Place:
    """``sqlite:///relative.db``, ``sqlite:////absolute.db`` or ``postgresql://…``. Raises UnsupportedUrl."""
    variable, kind = "DATABASE_URL", _KIND.match(database_url)
    if kind is None:
        raise MalformedUrl(variable, "", "does not begin with a kind and “://”")
    try:
        url = make_url(database_url)
    except ArgumentError:
        # The cause would repeat the URL, which may hold a password.
        raise MalformedUrl(variable, kind[0], "cannot be read as an address") from None
    except ValueError:
        why = "has a port that is no number (in a password @ : / are written %40 %3A %2F)"
        raise MalformedUrl(variable, kind[0], why) from None
    match url.get_backend_name():
        case "sqlite" if url.host or url.username:
            raise MalformedUrl(variable, kind[0], "has two slashes, and a file needs three, or four from the root")
        case "sqlite" if url.database and url.database != ":memory:":
            return Place(url=url, file=Path(url.database))
        case "postgresql" | "postgres":
            if url.port is not None and not 1 <= url.port <= LARGEST_PORT:
                raise MalformedUrl(variable, kind[0], f"has a port that is not within 1 and {LARGEST_PORT}")
            return Place(url=url, file=None)
    raise UnsupportedUrl(variable, url.drivername, _SUPPORTED)


def writing_engine(place: Place) -> AsyncEngine:
    """The engine whose transactions write."""
    if not place.sqlite:
        return _postgres(place, _POSTGRES_SESSION, size=8)
    # One connection: writers of this process queue for it in order, instead of polling the file's lock.
    engine = create_async_engine(place.url.set(drivername="sqlite+aiosqlite"), pool_size=1, max_overflow=0)
    _close_sqlite_traps(engine.sync_engine, begin="BEGIN IMMEDIATE")
    return engine


def reading_engine(place: Place) -> AsyncEngine:
    """The engine for reading beside the writers."""
    if not place.sqlite:
        return _postgres(place, _POSTGRES_READER, size=4)
    engine = create_async_engine(
        place.url.set(drivername="sqlite+aiosqlite"), pool_size=4, max_overflow=4, pool_timeout=BUSY_SECONDS
    )
    _close_sqlite_traps(engine.sync_engine, begin="BEGIN", query_only=True)
    return engine


def plain_engine(place: Place, *, writing: bool) -> Engine:
    """A synchronous engine, for migrations, which wait long for others', and for looking at the schema, which does
    not: nobody keeps it from being read for long but a program that has no business there."""
    patience = MIGRATION_SECONDS if writing else BUSY_SECONDS
    if not place.sqlite:
        arguments = _POSTGRES_NETWORK | {"options": f"-c lock_timeout={patience:.0f}s"}
        url = place.url.set(drivername="postgresql+psycopg")
        return create_engine(url, poolclass=NullPool, connect_args=arguments)
    engine = create_engine(
        place.url.set(drivername="sqlite+pysqlite"),
        poolclass=NullPool,
        execution_options={BUSY_MILLISECONDS: int(patience * 1000)},
    )
    _close_sqlite_traps(engine, begin="BEGIN IMMEDIATE" if writing else "BEGIN", query_only=not writing)
    return engine


def _postgres(place: Place, session: dict[str, str], *, size: int) -> AsyncEngine:
    options = " ".join(f"-c {name}={value}" for name, value in session.items())
    return create_async_engine(
        place.url.set(drivername="postgresql+psycopg"),
        pool_size=size,
        max_overflow=size,
        pool_timeout=BUSY_SECONDS,
        pool_pre_ping=True,  # after a restart of the server the first ask must not fail
        connect_args=_POSTGRES_NETWORK | {"options": options},
    )


def _write_ahead(cursor: Any) -> None:
    """Switch the file to a write-ahead log. The first switch needs the file for itself for a moment, and SQLite does
    not wait for that by its own timeout when another process is making the same new database."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _close_sqlite_traps(engine: Engine, *, begin: str, query_only: bool = False) -> None:
    @event.listens_for(engine, "connect")
    def connected(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        # Any: isolation_level is the SQLite driver's own.
        driver: Any = connection
        driver.isolation_level = None
        cursor = driver.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000:.0f}")
        _write_ahead(cursor)
        # FULL: a commit outlives a power cut, not only the process. An accepted ask is a promise, and a
        # lost task id is a paid clip nobody fetches; the price is one fsync a commit.
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute(f"PRAGMA query_only = {'ON' if query_only else 'OFF'}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        patience = connection.get_execution_options().get(BUSY_MILLISECONDS)
        if patience is not None:
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {int(patience)}")
        connection.exec_driver_sql(begin)
