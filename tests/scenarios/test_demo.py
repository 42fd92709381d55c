"""``dailies demo``: the whole path without an account, and nothing of the caller's touched."""

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import av
import pytest

from bot.demo import DemoFailed, as_read, see_that_one_can_come
from bot.domain.failure import Failure, FailureKind
from bot.domain.job import Job, State, WaitReason
from tests.sandbox.driver import Workspace
from tests.scenarios.bot import ROOT
from tests.support.values import a_job

REAL_KEYS = {
    "SLACK_BOT_TOKEN": "xoxb-of-a-real-workspace",
    "SLACK_APP_TOKEN": "xapp-of-a-real-workspace",
    "HIAPI_API_KEY": "a-real-key-with-real-money",
    "PROVIDER_CONCURRENCY": "nonsense that would stop a bot that read it",
}

SIZE_480P = (864, 496)
"""What Seedance 2.0 makes of 480p at 16:9: both sides are multiples of sixteen."""


@pytest.mark.timeout(120)
async def test_headless_writes_a_whole_clip_and_leaves_the_callers_keys_alone(tmp_path: Path) -> None:
    """The caller's environment and ``.env`` are full of real keys and of addresses where real Slack and a real
    provider would be: nobody calls there."""
    async with a_real_service() as (origin, callers):
        real = {
            **REAL_KEYS,
            "SLACK_API_URL": f"{origin}/api/",
            "HIAPI_BASE_URL": f"{origin}/hiapi",
            "DATABASE_URL": f"sqlite:///{tmp_path / 'real.db'}",
            "MEDIA_URL": f"file:{tmp_path / 'real-media'}",
        }
        (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in real.items()), encoding="utf-8")
        process = await demo("--headless", "a red panda surfing", "--out", "clips", place=tmp_path, environment=real)
        async with asyncio.timeout(100):
            out, err = await process.communicate()

        assert process.returncode == 0, err.decode()
        assert callers == []
    path = tmp_path / out.decode().splitlines()[-1]
    assert path.parent == tmp_path / "clips"
    assert sorted(one.name for one in tmp_path.iterdir()) == [".env", "clips"]
    assert [secret for secret in REAL_KEYS.values() if secret in err.decode() + out.decode()] == []
    assert_plays(path)


@pytest.mark.timeout(110)
async def test_headless_says_at_once_when_no_clip_can_come(tmp_path: Path) -> None:
    """A price, and what waits for a press: nobody presses anything here. Long before the demo's own patience ends."""
    priced, waiting = await asyncio.gather(
        headless("a cat --estimate", tmp_path), headless("a cat --takes 8 --final --dur 15", tmp_path)
    )
    assert priced.code == waiting.code == 1
    assert priced.out == waiting.out == ""
    assert "Estimate: $0.28" in priced.err
    assert priced.err.splitlines()[-1] == "dailies: No clip comes of that: the bot answered, and nothing was ordered."
    assert "dailies: It waits for Confirm, which nobody presses here." in waiting.err.splitlines()[-1]
    assert re.search(r"Press \*Confirm\* on its card until \d{4}-\d\d-\d\d \d\d:\d\d UTC\.", waiting.err)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.timeout(90)
async def test_a_demo_that_is_told_to_end_leaves_nothing_behind(tmp_path: Path) -> None:
    """Both forms: the page while it starts, when not all of it is there yet, headless while its clip is made."""
    codes = await asyncio.gather(stopped(tmp_path, "headless", "--headless", "a cat"), stopped(tmp_path, "page"))
    assert list(codes) == [1, 0]
    assert [list(folder.iterdir()) for folder in sorted(tmp_path.iterdir())] == [[], []]


@pytest.mark.parametrize(
    ("states", "says"),
    [
        ([], "No clip comes of that: the bot answered, and nothing was ordered."),
        ([State.WAITING, State.WAITING], "It waits for Confirm, which nobody presses here."),
        (
            [State.FAILED],
            "No clip comes of that. HiAPI refused this prompt under its content rules. Nothing was charged.",
        ),
        ([State.CANCELLED, State.CANCELLED], "No clip comes of that. Stopped before it was ordered."),
    ],
)
def test_no_clip_can_come_of_jobs_that_wait_for_a_press_or_are_over(states: list[State], says: str) -> None:
    refused = Failure(kind=FailureKind.POLICY)
    waits = WaitReason.CONFIRMATION
    with pytest.raises(DemoFailed) as told:
        see_that_one_can_come([a_job(state, wait_reason=waits, failure=refused, cost_micro_usd=0) for state in states])
    assert str(told.value).startswith(says)


@pytest.mark.parametrize(
    "jobs",
    [
        [a_job(State.QUEUED)],
        [a_job(State.DELIVERED)],
        [a_job(State.UNCERTAIN)],
        [a_job(State.FAILED), a_job(State.RENDERING)],
        [a_job(State.WAITING, wait_reason=WaitReason.PROVIDER_CREDIT)],
    ],
)
def test_a_clip_can_come_of_whatever_goes_on(jobs: list[Job]) -> None:
    see_that_one_can_come(jobs)


def test_a_terminal_shows_times_links_and_signs_as_they_are_read() -> None:
    message = (
        "*Confirm* until <!date^1795262040^{time}|2026-11-21 01:14 UTC>: <https://a.example/?x&amp;y|here>, 1 &lt; 2"
    )
    assert as_read(message) == "*Confirm* until 2026-11-21 01:14 UTC: here, 1 < 2"


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A headless demo that has ended."""

    code: int | None
    out: str
    err: str


async def headless(prompt: str, place: Path) -> Ended:
    """``dailies demo --headless``, to its end."""
    process = await demo("--headless", prompt, place=place)
    async with asyncio.timeout(90):
        out, err = await process.communicate()
    return Ended(code=process.returncode, out=out.decode(), err=err.decode())


async def stopped(place: Path, name: str, *arguments: str) -> int | None:
    """A demo that is sent SIGTERM as soon as it has made its folder, a headless one as soon as it has typed its line;
    its exit code."""
    temporary = place / name
    temporary.mkdir()
    process = await demo(*arguments, place=place, environment={"TMPDIR": str(temporary)})
    async with asyncio.timeout(80):
        while not list(temporary.iterdir()):
            await asyncio.sleep(0.02)
        if arguments and process.stderr is not None:
            assert (await process.stderr.readline()).startswith(b"maya: ")
        process.terminate()
        await process.communicate()
    return process.returncode


@pytest.mark.timeout(90)
async def test_a_bot_killed_from_the_page_comes_back_and_a_killed_demo_takes_its_children_with_it(
    tmp_path: Path,
) -> None:
    """What the page's drawer does: a prompt, a SIGKILL amid its render, and the clip all the same, for one charge. Then
    the demo itself is killed."""
    process = await demo(place=tmp_path)
    try:
        people = Workspace(slack=await address(process), providers="", environment={})
        await people.slash("maya", "/clip a lighthouse at dusk")
        await people.wait_until(lambda state: state["providers"]["hiapi"]["ledger"], what="the order is taken")
        await people.post("/bot/kill")

        await people.message_where(lambda one: bool(one.get("files")), timeout=60, what="the clip stands")
        assert len((await people.state())["providers"]["hiapi"]["ledger"]) == 1

        await people.slash("maya", "/clip a lighthouse at dawn --provider muapi")
        await people.wait_until(
            lambda state: state["providers"]["muapi"]["ledger"], what="another provider has charged"
        )
        await people.close()

        children = descendants(process.pid)
        assert len(children) >= 2
    finally:
        process.kill()
        await process.wait()

    async with asyncio.timeout(15):
        while [pid for pid in children if alive(pid)]:
            await asyncio.sleep(0.1)


async def address(process: asyncio.subprocess.Process) -> str:
    """Where the demo says that it can be opened."""
    assert process.stderr is not None
    async with asyncio.timeout(40):
        while line := (await process.stderr.readline()).decode():
            if found := re.search(r"Open (http://127\.0\.0\.1:\d+)/", line):
                return found[1]
    raise AssertionError(f"the demo ended with {process.returncode}")


def assert_plays(path: Path) -> None:
    """Decodes it to the end: four seconds at 24 frames a second in 480p, with sound all the way."""
    with av.open(str(path)) as clip:
        video, audio = clip.streams.video[0], clip.streams.audio[0]
        assert video.average_rate == 24
        assert (video.width, video.height) == SIZE_480P
        assert video.codec_context.name == "h264"
        assert video.pix_fmt == "yuv420p"
        assert sum(1 for _ in clip.decode(video)) == 96
        clip.seek(0)
        samples = sum(frame.samples for frame in clip.decode(audio))
        assert samples / audio.rate == pytest.approx(4.0, abs=0.1)


async def demo(*arguments: str, place: Path, environment: dict[str, str] | None = None) -> asyncio.subprocess.Process:
    """``dailies demo`` in a folder, with these settings in the caller's environment."""
    inherited = {"PATH": os.environ["PATH"], "HOME": str(place), "PYTHONPATH": str(ROOT), "TMPDIR": str(place.parent)}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "bot", "demo", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=place,
        env={**inherited, **(environment or {})},
    )


@contextlib.asynccontextmanager
async def a_real_service() -> AsyncIterator[tuple[str, list[str]]]:
    """Stands where the real ones would, and writes down who comes: its address and the first lines it was sent."""
    callers: list[str] = []

    async def called(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        callers.append((await reader.readline()).decode())
        writer.close()

    server = await asyncio.start_server(called, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", callers


def descendants(pid: int) -> list[int]:
    """The processes that a process has started, and those that they have."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text(encoding="ascii").split()):
            found += [child, *descendants(child)]
    return found


def alive(pid: int) -> bool:
    """Whether a process still runs; one that has ended and is not yet waited for does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] not in {"Z", "X"}
