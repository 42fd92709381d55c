"""``bot.ports.Clips``, on every implementation, and what only a folder can do wrong."""

import asyncio
import errno
import fcntl
import hashlib
import os
import re
import subprocess
import sys
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.ports import Clips, ClipsUnavailable, ClipTooLarge, Shelf
from storage import UnsupportedUrl, open_clips

ROOT = Path(__file__).resolve().parents[2]
MEGABYTE = 1_000_000
LIMIT = 10 * MEGABYTE


async def stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def content(clips: Clips, key: str) -> bytes:
    return b"".join([chunk async for chunk in clips.open(key)])


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "media"


@pytest.fixture
def folder_clips(folder: Path) -> Clips:
    return open_clips(f"file:{folder}")


async def test_a_clip_comes_back_byte_for_byte_under_its_hash(clips: Clips) -> None:
    chunks = [os.urandom(size) for size in (1, 70_000, 0, 3_000_000, 17)]
    digest = hashlib.sha256(b"".join(chunks)).hexdigest()

    stored = await clips.put("T1", stream(*chunks), limit_bytes=LIMIT)

    assert (stored.key, stored.sha256, stored.size) == (f"clips/T1/{digest}.mp4", digest, 3_070_018)
    assert await content(clips, stored.key) == b"".join(chunks)
    assert await clips.size(stored.key) == 3_070_018


async def test_a_large_clip_is_read_in_chunks(clips: Clips) -> None:
    stored = await clips.put("T1", stream(*[bytes(MEGABYTE)] * 9), limit_bytes=LIMIT)

    assert max([len(chunk) async for chunk in clips.open(stored.key)]) < 4 * MEGABYTE


@pytest.mark.parametrize(
    ("start", "stop"),
    [(0, None), (0, 1), (1, None), (2_500_000, None), (999_999, 1_000_001), (2_999_999, 3_000_000), (0, 3_000_000)],
)
async def test_a_part_of_a_clip_is_read_alone(clips: Clips, start: int, stop: int | None) -> None:
    whole = os.urandom(3 * MEGABYTE)
    stored = await clips.put("T1", stream(whole), limit_bytes=LIMIT)

    assert b"".join([chunk async for chunk in clips.open(stored.key, start=start, stop=stop)]) == whole[start:stop]


async def test_storing_the_same_bytes_twice_is_one_clip(clips: Clips) -> None:
    first = await clips.put("T1", stream(b"ab", b"c"), limit_bytes=LIMIT)
    assert await clips.put("T1", stream(b"abc"), limit_bytes=LIMIT) == first
    assert await content(clips, first.key) == b"abc"


async def test_workspaces_have_copies_of_their_own(clips: Clips) -> None:
    first = await clips.put("T1", stream(b"abc"), limit_bytes=LIMIT)
    assert (await clips.put("T2", stream(b"abc"), limit_bytes=LIMIT)).key != first.key


async def test_an_unknown_clip_is_a_key_error(clips: Clips) -> None:
    unknown = f"clips/T1/{'0' * 64}.mp4"
    assert await clips.size(unknown) is None
    with pytest.raises(KeyError):
        await content(clips, unknown)


@pytest.mark.parametrize("key", ["", "../secret", "clips/../../etc/passwd", f"clips/T1/{'0' * 64}.mp4/x"])
async def test_a_key_that_is_none_of_ours_is_a_key_error(clips: Clips, key: str) -> None:
    with pytest.raises(KeyError):
        await clips.size(key)
    with pytest.raises(KeyError):
        await content(clips, key)


@pytest.mark.parametrize("workspace", ["", "../T1", "a/b", "T1\0"])
async def test_a_workspace_that_is_no_name_is_refused(clips: Clips, workspace: str) -> None:
    with pytest.raises(ValueError, match=r"^"):
        await clips.put(workspace, stream(b"abc"), limit_bytes=LIMIT)


async def test_a_clip_of_exactly_the_limit_fits_and_one_byte_more_does_not(clips: Clips) -> None:
    assert (await clips.put("T1", stream(b"abc"), limit_bytes=3)).size == 3
    with pytest.raises(ClipTooLarge):
        await clips.put("T1", stream(b"abc", b"d"), limit_bytes=3)
    assert await clips.size(f"clips/T1/{hashlib.sha256(b'abcd').hexdigest()}.mp4") is None


@pytest.mark.row("F57")
async def test_a_stream_over_the_limit_is_not_read_to_its_end(clips: Clips) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(100_000)

    with pytest.raises(ClipTooLarge):
        await clips.put("T1", endless(), limit_bytes=MEGABYTE)


async def test_what_the_stream_raises_is_passed_on_as_it_is(clips: Clips) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield bytes(2 * MEGABYTE)
        raise ConnectionResetError(errno.ECONNRESET, "reset")

    with pytest.raises(ConnectionResetError):
        await clips.put("T1", broken(), limit_bytes=LIMIT)


async def test_clips_are_stored_at_the_same_time(clips: Clips) -> None:
    async def put(number: int) -> int:
        return (await clips.put("T1", stream(bytes([number]) * MEGABYTE, b"x"), limit_bytes=LIMIT)).size

    assert await asyncio.gather(*(put(number % 4) for number in range(12))) == [MEGABYTE + 1] * 12


# The folder


@pytest.mark.parametrize("failure", [ConnectionResetError, asyncio.CancelledError])
async def test_a_stream_that_breaks_leaves_no_file(
    folder_clips: Clips, folder: Path, failure: type[BaseException]
) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield bytes(2 * MEGABYTE)
        assert len(files(folder)) == 1
        raise failure

    with pytest.raises(failure):
        await folder_clips.put("T1", broken(), limit_bytes=LIMIT)
    assert files(folder) == []


async def test_a_task_cancelled_anywhere_leaves_no_half_clip(folder_clips: Clips, folder: Path) -> None:
    chunks = [bytes([number]) * 400_000 for number in range(12)]
    whole = hashlib.sha256(b"".join(chunks)).hexdigest()

    for number in range(30):
        task = asyncio.create_task(folder_clips.put("T1", stream(*chunks), limit_bytes=LIMIT))
        await asyncio.wait({task}, timeout=number * 0.002)
        task.cancel()
        await asyncio.wait({task})
        assert set(files(folder)) <= {f"clips/T1/{whole}.mp4"}
        for path in folder.rglob("*.mp4"):
            assert path.stat().st_size == 12 * 400_000
            path.unlink()


@pytest.mark.row("F58")
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
async def test_a_failing_disk_is_told_and_nothing_stays(
    folder_clips: Clips, folder: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def failing(file: object, batch: bytes) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("storage.clips.append", failing)
    with pytest.raises(ClipsUnavailable, match=errno.errorcode[code]):
        await folder_clips.put("T1", stream(b"abc"), limit_bytes=LIMIT)
    assert files(folder) == []


@pytest.mark.row("F58")
async def test_an_fsync_that_fails_keeps_nothing(
    folder_clips: Clips, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a failed fsync the bytes may be gone although a later fsync succeeds."""

    def failing(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(ClipsUnavailable, match="EIO"):
        await folder_clips.put("T1", stream(b"abc"), limit_bytes=LIMIT)
    assert files(folder) == []


async def test_file_and_directories_are_on_the_disk_before_the_clip_is_announced(
    folder_clips: Clips, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync

    def recording(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", recording)
    await folder_clips.put("T1", stream(b"abc"), limit_bytes=LIMIT)

    assert synced[0].endswith(".part")
    assert synced[1:] == [str(folder / "clips" / "T1"), str(folder / "clips"), str(folder)]


async def test_a_truncated_clip_is_mended_by_storing_it_again(folder_clips: Clips, folder: Path) -> None:
    stored = await folder_clips.put("T1", stream(b"abc"), limit_bytes=LIMIT)
    (folder / stored.key).write_bytes(b"a")

    assert await folder_clips.put("T1", stream(b"abc"), limit_bytes=LIMIT) == stored
    assert await content(folder_clips, stored.key) == b"abc"


@pytest.mark.row("F59")
async def test_sweeping_removes_what_dead_processes_left_and_spares_the_living(
    folder_clips: Clips, folder: Path
) -> None:
    (folder / "unfinished" / "dead.part").write_bytes(b"abc")
    stored = await folder_clips.put("T1", stream(b"abc"), limit_bytes=LIMIT)

    with (folder / "unfinished" / "living.part").open("wb") as living:
        fcntl.flock(living, fcntl.LOCK_EX)
        assert await folder_clips.sweep() == 1
        assert files(folder) == [stored.key, "unfinished/living.part"]
    assert await folder_clips.sweep() == 1
    assert await folder_clips.sweep() == 0
    assert files(folder) == [stored.key]


WRITER = """
import asyncio, sys
from storage import open_clips

async def endless():
    while True:
        yield bytes(500_000)
        print("written", flush=True)

asyncio.run(open_clips(sys.argv[1]).put("T1", endless(), limit_bytes=10**12))
"""


def killed_while_writing(url: str) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER, url], cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for _ in range(5):
            assert writer.stdout.readline() == "written\n"
        writer.kill()


@pytest.mark.row("F59")
async def test_a_process_killed_while_it_stores_leaves_only_what_the_next_one_sweeps(
    folder_clips: Clips, folder: Path
) -> None:
    await asyncio.to_thread(killed_while_writing, f"file:{folder}")

    assert [name.partition("/")[0] for name in files(folder)] == ["unfinished"]
    assert await folder_clips.sweep() == 1
    assert files(folder) == []


@pytest.mark.row("F57")
async def test_memory_stays_flat_while_a_large_clip_passes(folder_clips: Clips) -> None:
    async def large() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield bytes(MEGABYTE)

    tracemalloc.start()
    stored = await folder_clips.put("T1", large(), limit_bytes=300 * MEGABYTE)
    total = 0
    async for chunk in folder_clips.open(stored.key):
        total += len(chunk)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert total == stored.size == 200 * MEGABYTE
    assert peak < 16 * MEGABYTE


async def test_the_loop_goes_on_while_a_clip_is_stored(folder_clips: Clips) -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await folder_clips.put("T1", stream(*[bytes(MEGABYTE)] * 60), limit_bytes=100 * MEGABYTE)
    counting.cancel()

    assert turns > 100


@pytest.mark.parametrize("name", ["media", "with space", "ünïcode", "100%25"])
async def test_a_folder_may_be_relative_and_have_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    clips = open_clips(f"file:data/{name}")
    stored = await clips.put("T1", stream(b"abc"), limit_bytes=LIMIT)

    assert await content(clips, stored.key) == b"abc"
    assert await open_clips((tmp_path / "data" / name.replace("%25", "%")).as_uri()).size(stored.key) == 3


@pytest.mark.parametrize("url", ["", "data/media", "ftp://host/x", "file:", "file://host/x"])
def test_an_url_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(UnsupportedUrl):
        open_clips(url)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ClipsUnavailable):
        open_clips(f"file:{tmp_path / 'file' / 'media'}")


async def test_what_people_gave_stands_on_a_shelf_of_its_own(clips: Clips) -> None:
    picture = await clips.put("T1", stream(b"abc"), limit_bytes=LIMIT, shelf=Shelf.REFERENCES, suffix="jpg")
    clip = await clips.put("T1", stream(b"abc"), limit_bytes=LIMIT)

    assert picture.key == f"references/T1/{picture.sha256}.jpg"
    assert (clip.key, clip.sha256) == (f"clips/T1/{picture.sha256}.mp4", picture.sha256)
    assert await content(clips, picture.key) == b"abc"
    for suffix in ("", "j", "../jpg", "JPG", "jpg\n", "jpeg00"):
        with pytest.raises(ValueError, match=rf"^{re.escape(suffix)}$"):
            await clips.put("T1", stream(b"abc"), limit_bytes=LIMIT, shelf=Shelf.REFERENCES, suffix=suffix)
