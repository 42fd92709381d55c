"""One process runs on a SQLite file: an operating system's lock on a file beside it, gone when the
process is."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.errors import AlreadyRunning, NotWritable


@contextmanager
def exclusive(database: Path) -> Iterator[None]:
    """Hold the lock ``<database>.lock`` for the block. Raises AlreadyRunning when another process has
    it, NotWritable.

    The file stays afterwards: removing it would let a third process lock a new one while a second waits
    on the old. What it says is only for people; the lock itself is what counts, and the system frees it
    even after kill -9.
    """
    # The file itself, whatever it is called: a link to it must not get a lock of its own.
    real = database.resolve()
    path = real.with_name(f"{real.name}.lock")
    # Not inherited by child processes (PEP 446), so nobody but us keeps it.
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise NotWritable(f"the lock file {path} cannot be opened") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunning(database, _pid(descriptor)) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _pid(descriptor: int) -> int | None:
    written = os.pread(descriptor, 32, 0).strip()
    return int(written) if written.isdigit() else None
