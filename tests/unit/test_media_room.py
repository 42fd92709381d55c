"""The media room itself: no file and no accident stops it."""

import asyncio
import errno
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from bot.domain.forms import Form
from bot.domain.recipe import MediaKind
from bot.domain.reference import SEEDANCE_LIMITS, FileLimits
from bot.media import ProcessMediaRoom, work, worker
from bot.media.messages import FrameTask, HinderedAnswer, PreparedAnswer, RefusedAnswer, Task
from bot.media.process import Worker
from bot.ports import MediaRoom, MediaRoomBusy, MediaRoomTimeout, PreparedFile, UnusableFile
from tests.support import files as f

pytestmark = pytest.mark.asyncio(loop_scope="module")

DEADLINE = 20.0
BROKEN = RefusedAnswer(figure="cannot be read", limit="it is damaged or not what it says it is")
STRANGER = PreparedFile(path=Path("/etc/passwd"), kind=MediaKind.IMAGE, form=Form.PNG, size=1, sha256="0" * 64)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[ProcessMediaRoom]:
    """A room for what does not harm it."""
    room = ProcessMediaRoom()
    yield room
    await room.close()


@pytest_asyncio.fixture(loop_scope="module")
async def make_room() -> AsyncIterator[Callable[..., ProcessMediaRoom]]:
    """Rooms of one's own, closed afterwards."""
    made: list[ProcessMediaRoom] = []

    def make(*, seconds: float = 60, memory_bytes: int = 1 << 30, patience: float = 60) -> ProcessMediaRoom:
        made.append(ProcessMediaRoom(workers=1, seconds=seconds, memory_bytes=memory_bytes, patience=patience))
        return made[-1]

    yield make
    for room in made:
        await room.close()


@pytest.fixture
def panda(tmp_path: Path) -> Path:
    return f.picture(tmp_path / "panda.heic", 400, 300)


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "into"
    folder.mkdir()
    return folder


async def prepare(
    room: MediaRoom,
    file: Path,
    into: Path,
    *,
    wanted: MediaKind = MediaKind.IMAGE,
    limits: FileLimits = SEEDANCE_LIMITS,
) -> PreparedFile:
    return await room.prepare(file, name=file.name, wanted=wanted, limits=limits, into=into)


async def one_pid(room: ProcessMediaRoom) -> int:
    """Of the only worker, as soon as there is one."""
    async with asyncio.timeout(DEADLINE):
        while not room.pids:
            await asyncio.sleep(0.01)
    (pid,) = room.pids
    return pid


async def gone(pid: int) -> None:
    """Wait until the process is no more; one that has ended and that nobody has asked about is none either."""
    async with asyncio.timeout(DEADLINE):
        while runs(pid):
            await asyncio.sleep(0.02)


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_a_worker_that_hangs_is_ended_and_the_next_file_goes_through(
    make_room: Callable[..., ProcessMediaRoom], panda: Path, into: Path
) -> None:
    room = make_room(seconds=8)
    await prepare(room, panda, into)
    hanging = await one_pid(room)
    quick = ProcessMediaRoom(workers=1, seconds=0.3)
    quick._idle, room._idle = room._idle, []
    os.kill(hanging, signal.SIGSTOP)
    with pytest.raises(MediaRoomTimeout, match=r"^The file was not ready after 0\.3 s\.$"):
        await prepare(quick, panda, into)
    await gone(hanging)
    assert quick.pids == frozenset()
    assert (await prepare(room, panda, into)).form is Form.JPEG


async def test_a_worker_that_is_killed_costs_nothing_but_time(
    make_room: Callable[..., ProcessMediaRoom], panda: Path, into: Path
) -> None:
    room = make_room()
    await prepare(room, panda, into)
    first = await one_pid(room)
    os.kill(first, signal.SIGSTOP)
    under_way = asyncio.create_task(prepare(room, panda, into))
    await asyncio.sleep(0)
    os.kill(first, signal.SIGKILL)
    assert (await under_way).form is Form.JPEG
    assert await one_pid(room) != first


async def test_a_file_that_ends_every_worker_is_unusable_and_no_outage(
    make_room: Callable[..., ProcessMediaRoom], panda: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, ended = make_room(), []
    whole = Worker.ask

    async def deadly(self: Worker, *args: object) -> object:
        os.kill(self.pid, signal.SIGKILL)
        ended.append(self.pid)
        await gone(self.pid)
        return await whole(self, *args)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(Worker, "ask", deadly)
        with pytest.raises(UnusableFile) as caught:
            await prepare(room, panda, into)
    assert str(caught.value) == "panda.heic cannot be read; opening it breaks what reads it."
    assert len(set(ended)) == 2
    assert (await prepare(room, panda, into)).form is Form.JPEG


async def test_a_file_that_eats_memory_is_refused_within_the_bound(
    make_room: Callable[..., ProcessMediaRoom], panda: Path, tmp_path: Path, into: Path
) -> None:
    room = make_room(memory_bytes=150 << 20)
    with pytest.raises(UnusableFile) as caught:
        await prepare(room, f.picture(tmp_path / "wall.png", 7000, 5000), into)
    assert str(caught.value) == "wall.png needs more memory than one file is given; a smaller one may do."
    status = Path(f"/proc/{await one_pid(room)}/status").read_text().split()
    assert int(status[status.index("VmHWM:") + 1]) * 1024 < 250 << 20
    assert list(into.iterdir()) == []
    assert (await prepare(room, panda, into)).form is Form.JPEG


async def test_who_stops_waiting_stops_the_work(
    make_room: Callable[..., ProcessMediaRoom], panda: Path, into: Path
) -> None:
    room = make_room()
    await prepare(room, panda, into)
    for left in into.iterdir():
        left.unlink()
    pid = await one_pid(room)
    os.kill(pid, signal.SIGSTOP)
    under_way = asyncio.create_task(prepare(room, panda, into))
    await asyncio.sleep(0)
    under_way.cancel()
    with pytest.raises(asyncio.CancelledError):
        await under_way
    await gone(pid)
    assert list(into.iterdir()) == []
    assert (await prepare(room, panda, into)).form is Form.JPEG


async def test_no_more_at_once_than_there_are_places_and_nobody_waits_for_ever(
    make_room: Callable[..., ProcessMediaRoom], panda: Path, into: Path
) -> None:
    room = make_room(patience=0.2)
    await prepare(room, panda, into)
    pid = await one_pid(room)
    os.kill(pid, signal.SIGSTOP)
    under_way = asyncio.create_task(prepare(room, panda, into))
    await asyncio.sleep(0)
    with pytest.raises(MediaRoomBusy, match=r"^No place for this file became free within 0\.2 s\.$"):
        await prepare(room, panda, into)
    os.kill(pid, signal.SIGCONT)
    assert (await under_way).form is Form.JPEG


async def test_the_loop_stays_free_while_a_worker_works(shared: ProcessMediaRoom, tmp_path: Path, into: Path) -> None:
    wall = f.picture(tmp_path / "wall.jpeg", 6100, 2500)
    under_way = asyncio.create_task(prepare(shared, wall, into))
    longest, last = 0.0, time.monotonic()
    while not under_way.done():
        await asyncio.sleep(0.005)
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    assert (await under_way).width == 6000
    assert longest < 0.5


async def test_closing_ends_what_is_under_way_and_says_so(
    make_room: Callable[..., ProcessMediaRoom], panda: Path, into: Path
) -> None:
    room = make_room()
    await prepare(room, panda, into)
    pid = await one_pid(room)
    os.kill(pid, signal.SIGSTOP)
    under_way = asyncio.create_task(prepare(room, panda, into))
    await asyncio.sleep(0)
    await room.close()
    with pytest.raises(MediaRoomBusy):
        await under_way
    await gone(pid)
    with pytest.raises(MediaRoomBusy):
        await prepare(room, panda, into)


@pytest.mark.parametrize("python", ["/nowhere/python", "/bin/true"])
async def test_where_no_worker_can_begin_no_file_is_blamed(
    make_room: Callable[..., ProcessMediaRoom], panda: Path, into: Path, monkeypatch: pytest.MonkeyPatch, python: str
) -> None:
    room = make_room()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "executable", python)
        with pytest.raises(MediaRoomBusy):
            await prepare(room, panda, into)
    assert (await prepare(room, panda, into)).form is Form.JPEG


async def test_a_worker_cannot_have_another_file_sent(
    make_room: Callable[..., ProcessMediaRoom], panda: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def taken_over(_self: Worker, *_args: object) -> PreparedAnswer:
        return PreparedAnswer(prepared=STRANGER)

    monkeypatch.setattr(Worker, "ask", taken_over)
    with pytest.raises(UnusableFile):
        await prepare(make_room(), panda, into)


async def test_a_worker_cannot_have_another_file_sent_by_a_link_to_it(
    make_room: Callable[..., ProcessMediaRoom],
    panda: Path,
    tmp_path: Path,
    into: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = tmp_path / "other.png"
    other.write_bytes(b"of somebody else")

    async def taken_over(_self: Worker, task: Task, _seconds: float) -> PreparedAnswer:
        made = task.output.with_suffix(".png")
        made.symlink_to(other)
        return PreparedAnswer(prepared=replace(STRANGER, path=made))

    monkeypatch.setattr(Worker, "ask", taken_over)
    with pytest.raises(UnusableFile):
        await prepare(make_room(), panda, into)
    assert (list(into.iterdir()), other.read_bytes()) == ([], b"of somebody else")


async def test_a_worker_is_told_no_secret(
    make_room: Callable[..., ProcessMediaRoom], panda: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "a-secret")
    monkeypatch.setenv("HIAPI_API_KEY", "another-secret")
    room = make_room()
    await prepare(room, panda, into)
    assert b"secret" not in Path(f"/proc/{await one_pid(room)}/environ").read_bytes()


LONELY = """
import asyncio, os, sys
from pathlib import Path
from bot.domain.recipe import MediaKind
from bot.domain.reference import SEEDANCE_LIMITS
from bot.media import ProcessMediaRoom

async def main() -> None:
    room = ProcessMediaRoom(workers=1)
    file, into = map(Path, sys.argv[1:])
    await room.prepare(file, name="", wanted=MediaKind.IMAGE, limits=SEEDANCE_LIMITS, into=into)
    print(*room.pids, flush=True)
    os.kill(os.getpid(), 9)

asyncio.run(main())
"""


async def test_a_worker_ends_with_a_bot_that_was_killed(panda: Path, into: Path) -> None:
    bot = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LONELY, panda, into, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    out, _ = await bot.communicate()
    assert bot.returncode == -signal.SIGKILL
    await gone(int(out))


@pytest.mark.parametrize(
    ("trouble", "answer"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), HinderedAnswer()),
        (OSError(errno.EIO, "Input/output error"), BROKEN),
        (MemoryError(), RefusedAnswer(figure="needs more memory than one file is given", limit="a smaller one may do")),
        (IndexError("out of a broken file"), BROKEN),
    ],
    ids=["full disk", "unreadable", "memory", "anything"],
)
async def test_a_full_disk_is_not_blamed_on_the_file(
    monkeypatch: pytest.MonkeyPatch, panda: Path, trouble: Exception, answer: object
) -> None:
    def broken(*_args: object, **_options: object) -> None:
        raise trouble

    monkeypatch.setattr(work, "frame", broken)
    assert worker._done(FrameTask(file=panda, last=True, output=panda, seconds=5)) == answer


async def test_a_hindered_worker_is_asked_again_later(
    make_room: Callable[..., ProcessMediaRoom], panda: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hindered(_self: Worker, *_args: object) -> HinderedAnswer:
        return HinderedAnswer()

    room = make_room()
    with monkeypatch.context() as patched:
        patched.setattr(Worker, "ask", hindered)
        with pytest.raises(MediaRoomBusy):
            await prepare(room, panda, into)
    assert (await prepare(room, panda, into)).form is Form.JPEG
