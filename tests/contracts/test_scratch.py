"""``bot.ports.Scratch`` in a folder: nothing stays of it, however its block or its process ends."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.ports import ClipTooLarge, Scratch
from storage import open_scratch

ROOT = Path(__file__).resolve().parents[2]
DIES_AT_WORK = """
import asyncio, os, signal, sys
from storage import open_scratch

async def work():
    async with open_scratch(sys.argv[1]).room() as room:
        (room / "half").write_bytes(b"abc")
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(work())
"""


async def stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    return open_scratch(f"file:{tmp_path}")


def left(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "scratch").iterdir())


async def test_a_file_comes_back_and_is_gone_with_its_room(scratch: Scratch, tmp_path: Path) -> None:
    async with scratch.room() as room, scratch.room() as other:
        assert await scratch.write(room / "a", stream(b"ab", b"", b"c"), limit_bytes=3) == 3
        assert b"".join([chunk async for chunk in scratch.read(room / "a")]) == b"abc"
        assert room != other
        assert room.stat().st_mode & 0o077 == 0, "nobody else may look"
    assert left(tmp_path) == []


async def test_what_is_too_large_is_not_written_to_its_end(scratch: Scratch) -> None:
    async with scratch.room() as room:
        with pytest.raises(ClipTooLarge):
            await scratch.write(room / "a", stream(b"ab", b"cd"), limit_bytes=3)


async def test_what_goes_wrong_in_a_room_is_passed_on_and_nothing_stays(scratch: Scratch, tmp_path: Path) -> None:
    async def fail() -> None:
        async with scratch.room() as room:
            (room / "half").write_bytes(b"abc")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert left(tmp_path) == []


async def test_only_what_dead_processes_left_is_swept(scratch: Scratch, tmp_path: Path) -> None:
    program = (sys.executable, "-c", DIES_AT_WORK, f"file:{tmp_path}")
    assert await (await asyncio.create_subprocess_exec(*program, cwd=ROOT)).wait() == -9
    assert len(left(tmp_path)) == 1

    async with scratch.room() as room:
        assert await scratch.sweep() == 1
        assert left(tmp_path) == [room]
    assert await scratch.sweep() == 0
