"""Who looks whether Dailies runs never keeps it from running."""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from storage import AlreadyRunning
from storage.lock import ensure_free, exclusive

STARTS = 50
LOOKERS = 3


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A file that somebody ran on before, so that its lock file lies there."""
    path = tmp_path / "dailies.db"
    with exclusive(path):
        assert path.with_name("dailies.db.lock").exists()
    return path


@contextmanager
def looked_at(database: Path) -> Iterator[list[int | None]]:
    """Others look without a pause; the list is of those that they saw running."""
    seen: list[int | None] = []
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            try:
                ensure_free(database)
            except AlreadyRunning as running:
                seen.append(running.pid)

    threads = [threading.Thread(target=look) for _ in range(LOOKERS)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_starting_fifty_times_while_others_look_always_works(database: Path) -> None:
    with looked_at(database) as seen:
        for _ in range(STARTS):
            before, deadline = len(seen), time.monotonic() + 5
            with exclusive(database):
                while len(seen) == before:
                    assert time.monotonic() < deadline, "nobody saw it running"

    # None: it was seen between taking the lock and saying who it is.
    assert os.getpid() in seen
    assert set(seen) <= {os.getpid(), None}
    ensure_free(database)


def test_a_start_in_the_very_moment_of_a_look_waits_for_its_end(database: Path) -> None:
    with closing(database.with_name("dailies.db.lock").open("rb")) as looker:
        fcntl.flock(looker, fcntl.LOCK_SH)
        end = threading.Timer(0.1, fcntl.flock, [looker, fcntl.LOCK_UN])
        end.start()
        with exclusive(database):
            end.join()
            with pytest.raises(AlreadyRunning):
                ensure_free(database)


def test_two_that_look_at_once_do_not_see_one_another(database: Path) -> None:
    with closing(database.with_name("dailies.db.lock").open("rb")) as looker:
        fcntl.flock(looker, fcntl.LOCK_SH)
        ensure_free(database)


def test_a_look_that_never_ends_is_not_waited_for_for_ever(database: Path) -> None:
    with closing(database.with_name("dailies.db.lock").open("rb")) as looker:
        fcntl.flock(looker, fcntl.LOCK_SH)
        began = time.monotonic()
        with pytest.raises(AlreadyRunning), exclusive(database):
            pytest.fail("the lock is not to be had")
    assert time.monotonic() - began < 3


def test_a_start_beside_one_that_runs_is_refused_at_once(database: Path) -> None:
    with exclusive(database):
        began = time.monotonic()
        with pytest.raises(AlreadyRunning), exclusive(database):
            pytest.fail("locked twice")
    assert time.monotonic() - began < 0.5


def test_looking_makes_and_changes_nothing(tmp_path: Path, database: Path) -> None:
    lock = database.with_name("dailies.db.lock")
    before = lock.read_bytes(), lock.stat().st_mtime_ns

    ensure_free(database)
    ensure_free(tmp_path / "other.db")

    assert (lock.read_bytes(), lock.stat().st_mtime_ns) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dailies.db.lock"]
