"""Driver errors, translated where they happen: nobody outside ``storage`` sees SQLAlchemy, SQLite or
psycopg."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from bot.ports import StorageBusy, StorageError
from storage.errors import CommitUnknown, Inconsistent, NotWritable

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_POSTGRES_UNWRITABLE = {"53100": "the disk is full", "25006": "it is read-only"}
_POSTGRES_BUSY = {
    "40001",  # serialization_failure
    "40P01",  # deadlock_detected
    "53200",  # out_of_memory
    "53300",  # too_many_connections
    "55P03",  # lock_not_available
    "57014",  # query_canceled: statement_timeout
    "57P01",  # admin_shutdown
    "57P02",  # crash_shutdown
    "57P03",  # cannot_connect_now
    "25P03",  # idle_in_transaction_session_timeout
}
_INTEGRITY = "23"
_CONNECTION = "08"

# https://www.sqlite.org/rescode.html; an extended name begins with the plain one.
_SQLITE_UNWRITABLE = {
    "SQLITE_FULL": "the disk is full",
    "SQLITE_READONLY": "it is read-only",
    "SQLITE_IOERR": "input/output error",
    "SQLITE_CANTOPEN": "the file cannot be opened",
}
_SQLITE_BUSY = ("SQLITE_BUSY", "SQLITE_LOCKED")


@contextmanager
def translating(*, committing: bool = False) -> Iterator[None]:
    """Raises StorageError or a subclass in place of what the drivers raise. ``committing`` says that a
    connection lost here leaves the outcome unknown."""
    try:
        yield
    except DBAPIError as error:
        raise _translated(error, committing=committing) from error
    except (SQLAlchemyError, TimeoutError, asyncio.InvalidStateError) as error:
        raise _away(committing=committing) from error


def _translated(error: DBAPIError, *, committing: bool) -> StorageError:
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        return _from_sqlite(cause)
    if isinstance(cause, psycopg.Error) and cause.sqlstate is not None:
        return _from_postgres(cause, cause.sqlstate, committing=committing)
    # No code: the server did not answer, so the connection is gone.
    return _away(committing=committing)


def _away(*, committing: bool) -> StorageError:
    if committing:
        return CommitUnknown()
    return StorageBusy("The database did not answer in time.")


def _from_sqlite(cause: sqlite3.Error) -> StorageError:
    name = getattr(cause, "sqlite_errorname", "")
    if name.startswith(_SQLITE_BUSY):
        return StorageBusy("The database is locked by another process.")
    for code, why in _SQLITE_UNWRITABLE.items():
        if name.startswith(code):
            return NotWritable(why)
    if name.startswith("SQLITE_CONSTRAINT"):
        # The message names columns, never values.
        return Inconsistent(str(cause))
    return StorageError(f"SQLite refused: {name or cause}.")


def _from_postgres(cause: psycopg.Error, code: str, *, committing: bool) -> StorageError:
    if code.startswith(_CONNECTION) or code in {"57P01", "57P02"}:
        return _away(committing=committing)
    if code in _POSTGRES_BUSY:
        return StorageBusy("The database is busy.")
    if code in _POSTGRES_UNWRITABLE:
        return NotWritable(_POSTGRES_UNWRITABLE[code])
    if code.startswith(_INTEGRITY):
        return Inconsistent(cause.diag.constraint_name or code)
    return StorageError(f"PostgreSQL refused with {code}.")
