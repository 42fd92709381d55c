"""One process runs on a SQLite file."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from storage import AlreadyRunning, NotWritable, open_storage
from storage.lock import exclusive

ROOT = Path(__file__).resolve().parents[2]

RUN = """
import asyncio, sys
from storage import open_storage

async def main():
    async with open_storage(sys.argv[1], alone=True):
        print("running", flush=True)
        sys.stdin.read()

asyncio.run(main())
"""


def start(path: Path) -> subprocess.Popen[str]:
    """A process that runs on the file."""
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, f"sqlite:///{path}"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n"
    return process


async def test_a_second_run_is_refused_with_the_first_ones_pid_and_others_still_read(tmp_path: Path) -> None:
    path = tmp_path / "dailies.db"
    with start(path) as first:
        with pytest.raises(AlreadyRunning) as refusal:
            async with open_storage(f"sqlite:///{path}", alone=True):
                pytest.fail("two processes run on one file")
        async with open_storage(f"sqlite:///{path}", alone=False) as storage, storage.read() as tx:
            assert await tx.jobs.find("") == ()
        alone = storage.alone
        first.kill()

    assert (refusal.value.pid, refusal.value.path) == (first.pid, path)
    assert f"process {first.pid}" in str(refusal.value)
    assert str(path) in str(refusal.value)
    assert not alone


async def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    path = tmp_path / "dailies.db"
    with start(path) as first:
        first.kill()

    async with open_storage(f"sqlite:///{path}", alone=True) as storage:
        assert storage.alone


def test_the_lock_is_free_after_its_block(tmp_path: Path) -> None:
    for _ in range(2):
        with exclusive(tmp_path / "dailies.db"):
            assert (tmp_path / "dailies.db.lock").read_text() == f"{os.getpid()}\n"


def test_a_lock_within_one_process_excludes_too(tmp_path: Path) -> None:
    with exclusive(tmp_path / "dailies.db"), pytest.raises(AlreadyRunning), exclusive(tmp_path / "dailies.db"):
        pytest.fail("locked twice")


def test_a_link_to_the_file_has_no_lock_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link.db"
    link.symlink_to(tmp_path / "dailies.db")
    with exclusive(tmp_path / "dailies.db"), pytest.raises(AlreadyRunning), exclusive(link):
        pytest.fail("locked twice")
    assert list((tmp_path / "elsewhere").iterdir()) == [link]


def test_a_holder_that_has_not_said_its_pid_yet_is_told_of_without_one(tmp_path: Path) -> None:
    with exclusive(tmp_path / "dailies.db"):
        (tmp_path / "dailies.db.lock").write_text("")
        with pytest.raises(AlreadyRunning, match="another process") as refusal, exclusive(tmp_path / "dailies.db"):
            pytest.fail("locked twice")
    assert refusal.value.pid is None


def test_a_folder_that_takes_no_lock_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotWritable, match="lock"), exclusive(tmp_path / "missing" / "dailies.db"):
        pytest.fail("locked nothing")


@pytest.mark.parametrize("call", ["ftruncate", "pwrite"])
def test_a_disk_that_takes_no_pid_is_told_and_leaves_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as broken:
        broken.setattr(os, call, full)
        with (
            pytest.raises(NotWritable, match=r"the lock file .* cannot be written"),
            exclusive(tmp_path / "dailies.db"),
        ):
            pytest.fail("started without a word")
    with exclusive(tmp_path / "dailies.db"):
        assert (tmp_path / "dailies.db.lock").read_text() == f"{os.getpid()}\n"
