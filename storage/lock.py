"""One process runs on a SQLite file: an operating system's lock on a file beside it, gone when the
process is.

Who runs holds the lock exclusively. Who only wants to know takes it shared for a moment, and a process that starts
in that moment can tell the two apart: so looking never keeps anybody from running.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.errors import AlreadyRunning, NotWritable

_LOOKING_SECONDS = 1.0
"""Far longer than anybody looks. Who holds the lock shared for longer than that was stopped while looking."""
_PAUSE_SECONDS = 0.002


@contextmanager
def exclusive(database: Path) -> Iterator[None]:
    """Hold the lock ``<database>.lock`` for the block. Raises AlreadyRunning when another process has
    it, NotWritable.

    The file stays afterwards: removing it would let a third process lock a new one while a second waits
    on the old. What it says is only for people; the lock itself is what counts, and the system frees it
    even after kill -9.
    """
    path = _beside(database)
    # Not inherited by child processes (PEP 446), so nobody but us keeps it.
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise NotWritable(f"the lock file {path} cannot be opened") from error
    try:
        if not _taken(descriptor):
            raise AlreadyRunning(database, _pid(descriptor))
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            raise NotWritable(f"the lock file {path} cannot be written") from error
        yield
    finally:
        os.close(descriptor)


def ensure_free(database: Path) -> None:
    """Raises AlreadyRunning when a process runs on the file at this moment. It makes and changes nothing, and a
    process that starts meanwhile is not disturbed. Raises OSError when the lock file is not to be read."""
    try:
        descriptor = os.open(_beside(database), os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        if not _flock(descriptor, fcntl.LOCK_SH):
            raise AlreadyRunning(database, _pid(descriptor))
    finally:
        os.close(descriptor)


def _beside(database: Path) -> Path:
    # The file itself, whatever it is called: a link to it must not get a lock of its own.
    real = database.resolve()
    return real.with_name(f"{real.name}.lock")


def _taken(descriptor: int) -> bool:
    """Take the lock exclusively; False when a process runs. Those who only look are waited for."""
    deadline = time.monotonic() + _LOOKING_SECONDS
    while not _flock(descriptor, fcntl.LOCK_EX):
        # Beside a holder that runs there is no shared lock either; beside one that looks there is.
        if not _flock(descriptor, fcntl.LOCK_SH) or time.monotonic() >= deadline:
            return False
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        time.sleep(_PAUSE_SECONDS)
    return True


def _flock(descriptor: int, kind: int) -> bool:
    """Take the lock in that kind if it is to be had at once."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _pid(descriptor: int) -> int | None:
    written = os.pread(descriptor, 32, 0).strip()
    return int(written) if written.isdigit() else None
