"""The database is locked, the disk is full, the process dies with jobs in every state."""

import asyncio
import time

import httpx
import pytest

from tests.faults.acts import full_disk, locked
from tests.faults.rig import Rig
from tests.sandbox.driver import NeverHappened
from tests.support.verdict import ACK_SECONDS

pytestmark = pytest.mark.timeout(180)


@pytest.mark.row("F07")
async def test_while_the_database_is_locked_an_ask_is_answered_in_time_and_truly(rig: Rig) -> None:
    """Five seconds long nothing can be written: the answer comes within Slack's limit and accepts nothing that is not
    on disk. Afterwards the bot goes on without a restart."""
    await rig.start()
    with locked(rig):
        since = time.monotonic()
        answer = await rig.ask("while locked")
        assert answer["acked"]
        assert answer["ack_seconds"] < ACK_SECONDS
        await asyncio.sleep(5 - (time.monotonic() - since))
    await rig.told("maya", "nothing was accepted")
    assert rig.bot.rows("select id from asks") == []
    await rig.accepted("afterwards")
    await rig.delivered()


@pytest.mark.row("F87")
@pytest.mark.storm
async def test_an_order_taken_while_the_database_is_locked_is_not_lost(rig: Rig) -> None:
    """The provider answers, and the task cannot be written down at once: it is, as soon as that is possible."""
    await rig.start()
    posts = await rig.posts()
    await rig.arm("hiapi:create", "amid", "delay", seconds=0.7)
    await rig.accepted()
    await rig.posted(posts + 1)
    with locked(rig):
        await asyncio.sleep(5)  # The time is the subject.
    await rig.delivered()
    assert await rig.posts() - posts == 1


@pytest.mark.row("F58")
@pytest.mark.storm
async def test_a_media_folder_that_takes_nothing_delays_a_clip_and_says_so(rig: Rig) -> None:
    await rig.studio.post("/providers/hiapi/settings", render_seconds=1.5)
    await rig.start()
    await rig.accepted()
    await rig.charged()
    unfinished, aside = rig.bot.media / "unfinished", rig.bot.media / "aside"
    unfinished.rename(aside)
    unfinished.touch()
    await rig.says("our own storage could not take or give it")
    unfinished.unlink()
    aside.rename(unfinished)
    await rig.delivered()


@pytest.mark.row("F08")
async def test_a_full_disk_delays_everything_and_loses_nothing(rig: Rig) -> None:
    """No file of the bot's may grow any more, neither database nor clips; later there is room again. What was paid
    for meanwhile is delivered, and what was not accepted was not charged."""
    await rig.studio.post("/providers/hiapi/settings", render_seconds=3)
    await rig.start()
    await rig.accepted()
    await rig.charged()
    with full_disk(rig):
        answer = await rig.ask("too late")
        assert answer["acked"]
        assert answer["ack_seconds"] < ACK_SECONDS
        await rig.told("maya", "nothing was")
        assert not (await rig.history()).clips
        await _readiness(rig, 503)
    await _readiness(rig, 200)
    await rig.delivered()
    await rig.accepted("afterwards")
    await rig.ended(asks=2)
    await rig.books_balance(await rig.check(clips=2, asks=2))


async def _readiness(rig: Rig, status: int, *, within: float = 20.0) -> None:
    """Wait until the bot says by this status whether it can work."""
    deadline = time.monotonic() + within
    address = f"{await rig.bot.origin()}/readyz"
    async with httpx.AsyncClient(trust_env=False) as http:
        while (answer := await http.get(address)).status_code != status:
            if time.monotonic() > deadline:
                raise NeverHappened(f"/readyz answers {status}; it answers {answer.status_code} {answer.text}", within)
            await asyncio.sleep(0.1)


@pytest.mark.storm
async def test_a_death_with_jobs_in_every_state_is_followed_by_every_clip(rig: Rig) -> None:
    await rig.start(HIAPI_CONCURRENCY="3")
    await rig.arm("hiapi:create", "amid", "hang", match={"prompt": "unanswered"})
    await rig.arm("hiapi:outcome", "do", "slow", factor=60, match={"prompt": "drawing"})
    await rig.arm("hiapi:download", "before", "hang", match={"prompt": "loading"})
    await rig.arm("slack:files.completeUploadExternal", "amid", "hang", match={"files": "posting"})
    prompts = ("ready", "posting", "loading", "unanswered", "drawing", "another drawing", "costly --takes 4")
    for prompt in prompts[:2]:
        await rig.accepted(prompt)
    await _states(rig, {"delivered", "delivering"})
    for prompt in prompts[2:]:
        await rig.accepted(prompt)
    wanted = {"delivered", "delivering", "downloading", "submitting", "rendering", "waiting"}
    await _states(rig, wanted)
    await rig.accepted("queued")
    await _states(rig, wanted | {"queued"})
    await rig.bot.kill()
    await rig.studio.heal()
    await rig.restart(HIAPI_CONCURRENCY="3")
    await rig.studio.connected(1)
    waiting = await rig.card_where(lambda card: "*Confirm*" in card.text, within=40, what="a card asks for a yes")
    await rig.studio.click("maya", waiting.ts, "clip.confirm", channel=rig.channel)
    await rig.ended(asks=8, within=90)
    await rig.books_balance(await rig.check(clips=11, asks=8))


async def _states(rig: Rig, wanted: set[str], *, within: float = 40.0) -> None:
    """Wait until the jobs stand in exactly these states."""
    deadline = time.monotonic() + within
    while (found := {row["state"] for row in rig.bot.rows("select distinct state from jobs")}) != wanted:
        if time.monotonic() > deadline:
            raise NeverHappened(f"jobs are {sorted(wanted)}; they are {sorted(found)}", within)
        await asyncio.sleep(0.05)
