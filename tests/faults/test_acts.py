"""What is done to a bot besides asking is undone when the last who does it has ended."""

import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from tests.faults.acts import full_disk
from tests.faults.rig import Rig


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """One that does nothing."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        yield child
        child.kill()


def _rig(process: subprocess.Popen[bytes], folder: Path) -> Rig:
    return cast("Rig", SimpleNamespace(bot=SimpleNamespace(pid=process.pid, database=folder / "dailies.db")))


def _room(process: subprocess.Popen[bytes]) -> tuple[int, int]:
    return resource.prlimit(process.pid, resource.RLIMIT_FSIZE)


@pytest.mark.parametrize("first", [0, 1])
def test_two_full_disks_at_once_end_with_the_later(
    process: subprocess.Popen[bytes], first: int, tmp_path: Path
) -> None:
    rig, before = _rig(process, tmp_path), _room(process)
    disks = [ExitStack(), ExitStack()]
    for disk in disks:
        disk.enter_context(full_disk(rig))
        assert _room(process) == (0, before[1])
    disks[first].close()
    assert _room(process) == (0, before[1])
    disks[1 - first].close()
    assert _room(process) == before


def test_a_full_disk_outlives_its_process_and_harms_no_other(process: subprocess.Popen[bytes], tmp_path: Path) -> None:
    rig = _rig(process, tmp_path)
    with full_disk(rig):
        process.kill()
        process.wait()
        with full_disk(rig):
            assert process.returncode
    with full_disk(rig):
        assert process.returncode
