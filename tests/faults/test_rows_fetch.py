"""The rows F52 to F61 of the fault matrix: from the provider's link to our disk."""

import asyncio
import resource
import sqlite3
from collections.abc import Mapping
from contextlib import AsyncExitStack, closing, suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.job import State
from bot.ports import LinkExpired, OrderAccepted, TaskFinished
from bot.services.agenda import PLACES, Line
from tests.faults.acts import locked
from tests.faults.conftest import RigOf
from tests.faults.ensemble import events
from tests.faults.rig import Harm, Rig
from tests.sandbox.driver import PATIENCE_SECONDS, Json
from tests.support.ageing import age
from tests.support.links import WHOLE, Behind
from tests.support.memory import LARGE_RISE_KB, forget_peak, resident_kb
from tests.support.ordering import desk

pytestmark = pytest.mark.timeout(1_200)

storm = pytest.mark.storm

FETCHED_AT_ONCE = PLACES[Line.FETCH]

DEAD = LinkExpired("The link to cdn.example is dead.", "", status=403)


# --- F54: links that expired -----------------------------------------------------------------------------------------


@pytest.mark.row("F54")
async def test_f54_fresh_links_that_are_dead_too_are_asked_for_with_growing_gaps() -> None:
    """The first fresh one is fetched at once. A provider that signs every look anew and serves nothing is not asked
    more often for it."""
    async with desk(OrderAccepted(task_id="tk-1")) as one:
        await one.submit()
        behind = Behind(DEAD)
        fetching = replace(one.rendering, bench=replace(one.rendering.bench, fetcher=behind))
        waits: list[float] = []
        for number in range(50):
            one.provider.report = TaskFinished(url=f"https://cdn.example/{number}.mp4", expires_at=None)
            job = await one.job()
            step = fetching.poll if job.state is State.RENDERING else fetching.fetch
            await step(job, await one.ask())
            job = await one.job()
            waits.append((job.due_at - one.clock.now()).total_seconds())
            one.clock.advance(waits[-1])
        assert waits[:2] == [0, 0]
        assert waits[2:] == sorted(waits[2:])
        assert waits[2] > 0
        assert waits[-1] == 30.0

        behind._there = [WHOLE]
        await fetching.fetch(await one.job(), await one.ask())
        assert (await one.job()).state is State.DELIVERING


# --- F52, F53, F54: what comes instead of a clip ---------------------------------------------------------------------

PLENTY = {"CONFIRM_ABOVE_USD": "900", "MAX_RUNNING_PER_PERSON": "1000", "HIAPI_CONCURRENCY": "1000"}

ONLY_FTYP = "\0\0\0\x10ftypisom\0\0\0\0"
XML = '<?xml version="1.0"?><Error><Code>InternalError</Code></Error>'

INSTEAD: Mapping[str, Harm] = {
    "half of it": ("amid", "half_body", {}),
    "chunks cut short": ("amid", "half_body", {"chunked": True}),
    "a shorter whole": ("amid", "truncate", {"fraction": 0.5}),
    "a page": ("before", "html", {}),
    "an error in XML": ("before", "status", {"status": 200, "body": XML, "content_type": "application/xml"}),
    "nothing": ("before", "status", {"status": 200, "body": ""}),
    "ftyp alone": ("before", "status", {"status": 200, "body": ONLY_FTYP, "content_type": "video/mp4"}),
    "gone": ("before", "status", {"status": 410}),
    "forbidden": ("before", "status", {"status": 403}),
    "away": ("before", "status", {"status": 503}),
}


@pytest.mark.row("F52", "F53", "F54", "F56")
async def test_f52_f53_f54_f56_whatever_comes_instead_of_a_clip_is_not_delivered_and_fetched_again(rig: Rig) -> None:
    """Ten clips at once, each with a trouble of its own: all come whole, and nothing unfinished stays."""
    await rig.start(**PLENTY)
    for word, (phase, kind, action) in INSTEAD.items():
        await rig.arm("hiapi:download", phase, kind, match={"prompt": word}, **action)
        await rig.accepted(word)
    await rig.ended(asks=len(INSTEAD))
    await rig.books_balance(await rig.check(clips=len(INSTEAD), asks=len(INSTEAD)))
    assert await rig.fired() == len(INSTEAD)
    assert not list((rig.bot.media / "unfinished").iterdir())


@storm
@pytest.mark.row("F53")
@pytest.mark.parametrize("what", ["an error in XML", "ftyp alone", "nothing", "a page"])
async def test_f53_what_is_never_a_clip_is_said_to_be_none(rig: Rig, what: str) -> None:
    phase, kind, action = INSTEAD[what]
    await rig.start()
    await rig.arm("hiapi:download", phase, kind, times=-1, **action)
    await rig.accepted()
    card = await rig.says("not a whole video")
    assert "rendered and charged" in card.text
    assert not (await rig.history()).clips
    assert not list(rig.bot.media.glob("clips/*/*"))


# --- F55: links that lead inside -------------------------------------------------------------------------------------


INSIDE: Mapping[str, str] = {
    "https://127.0.0.1:{port}/clip.mp4": "The link leads to 127.0.0.1, whose address is not public.",
    "http://127.0.0.1:{port}/clip.mp4": "The link is not https.",
    "http://[::1]:{port}/clip.mp4": "The link is not https.",
    "https://[::1]:{port}/clip.mp4": "The link leads to ::1, whose address is not public.",
    "https://[::ffff:7f00:1]:{port}/clip.mp4": "The link leads to ::ffff:7f00:1, whose address is not public.",
    "https://[64:ff9b::7f00:1]:{port}/x": "The link leads to 64:ff9b::7f00:1, whose address is not public.",
    "https://169.254.169.254/latest/meta-data": "The link leads to 169.254.169.254, whose address is not public.",
    "https://10.0.0.1/clip.mp4": "The link leads to 10.0.0.1, whose address is not public.",
    "https://localhost:{port}/clip.mp4": "The link leads to localhost, whose address is not public.",
}
"""Where a download may be sent, and why nobody goes there."""


@storm
@pytest.mark.row("F55")
async def test_f55_a_download_that_is_sent_inside_goes_nowhere_and_is_said_on_the_card(rig: Rig) -> None:
    """A clip for each place, which the guard refuses by its own word: where nobody listens, that nothing came would
    show nothing. Each clip comes when its link leads to it again."""
    places = {f"no {number} of {len(INSIDE)}": location for number, location in enumerate(INSIDE)}
    visits: list[asyncio.StreamWriter] = []
    async with AsyncExitStack() as listening:
        port = await _listening_on_loopback(listening, visits)
        await rig.start(**PLENTY)
        for word, location in places.items():
            sent: Json = {"match": {"prompt": word}, "location": location.format(port=port), "times": -1}
            await rig.arm("hiapi:download", "before", "redirect", **sent)
        await asyncio.gather(*(rig.accepted(word) for word in places))
        await rig.every_card_says("could not be downloaded from HiAPI so far", asks=len(INSIDE))
        assert {location: _why_not_fetched(rig, word) for word, location in places.items()} == INSIDE
        await rig.studio.heal()
        await rig.ended(asks=len(INSIDE))
    await rig.books_balance(await rig.check(clips=len(INSIDE), asks=len(INSIDE)))
    assert visits == []


async def _listening_on_loopback(listening: AsyncExitStack, visits: list[asyncio.StreamWriter]) -> int:
    """Listen on 127.0.0.1, and at the same port on ::1 where this machine has it; the port."""

    def visit(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visits.append(writer)

    server = await listening.enter_async_context(await asyncio.start_server(visit, "127.0.0.1", 0))
    port: int = server.sockets[0].getsockname()[1]
    with suppress(OSError):
        await listening.enter_async_context(await asyncio.start_server(visit, "::1", port))
    return port


def _why_not_fetched(rig: Rig, word: str) -> str:
    """The first sentence of what the log says each time that the clip of this prompt is not fetched; it is one."""
    (job,) = rig.bot.rows("select id from jobs where recipe like ?", f"%{word}%")
    details = {one["detail"] for one in events(rig.bot.log(), "clip.not_fetched") if one["job"] == job["id"]}
    (detail,) = details
    return str(detail).partition(" Give ")[0]


# --- F56, F57: too slow and too much ---------------------------------------------------------------------------------


@storm
@pytest.mark.row("F56")
async def test_f56_clips_that_drip_are_given_up_and_hold_up_nobody_else(rig: Rig) -> None:
    """As many drip as are fetched at once. Another's clip comes meanwhile, and theirs when the drip is over."""
    await rig.start(**PLENTY)
    await rig.arm("hiapi:download", "amid", "drip", bytes_per_second=1, times=-1, match={"prompt": "dripping"})
    await rig.accepted("dripping --takes 4")
    await rig.logged("clip.not_fetched", within=60)
    await rig.accepted("another")
    await rig.play.clips(1, channel=rig.channel, timeout=60)
    await rig.studio.heal()
    await rig.ended(asks=2, within=120)
    await rig.books_balance(await rig.check(clips=5, asks=2))


@storm
@pytest.mark.row("F57")
async def test_f57_a_film_without_an_end_is_cut_at_the_limit_and_not_held_in_memory(rig: Rig) -> None:
    film = ONLY_FTYP + "\x40\0\0\0mdat" + "frames " * 9_000_000
    await rig.start(MAX_CLIP_MB="50")
    await rig.accepted("a warm-up")
    await rig.ended()
    forget_peak(rig.bot.pid)
    before = resident_kb(rig.bot.pid, "VmHWM")
    await rig.arm("hiapi:download", "before", "status", times=-1, status=200, body=film)
    await rig.accepted("too much")
    await rig.card_where(lambda card: "larger than Dailies may store" in card.text, within=60, what="it is too large")
    assert resident_kb(rig.bot.pid, "VmHWM") - before <= LARGE_RISE_KB
    assert not list((rig.bot.media / "unfinished").iterdir())


# --- F58, F59: our own disk, and a death over it ---------------------------------------------------------------------


async def _fetching(rig: Rig) -> None:
    await rig.play.until_rows("select 1 from jobs where state = 'downloading'")


@storm
@pytest.mark.row("F58")
async def test_f58_a_disk_without_room_delays_a_clip_says_so_and_leaves_nothing_half_made(rig: Rig) -> None:
    """The system refuses the clip's bytes past some thousand; the database, which grew before, is written all the
    while."""
    await rig.start()
    await rig.accepted("a warm-up")
    await rig.ended()
    kind = resource.RLIMIT_FSIZE
    room = resource.prlimit(rig.bot.pid, kind)
    await rig.arm("hiapi:outcome", "do", "padded", bytes=20_000_000)
    resource.prlimit(rig.bot.pid, kind, (10_000_000, room[1]))
    await rig.accepted("no room")
    await rig.card_where(
        lambda card: "our own storage could not take" in card.text, within=PATIENCE_SECONDS, what="the disk is full"
    )
    assert not list((rig.bot.media / "unfinished").iterdir())
    resource.prlimit(rig.bot.pid, kind, room)
    await rig.ended(asks=2)
    history = await rig.history()
    rendered = [next(rig.rendered.rglob(f"{charge['task_id']}.mp4")).read_bytes() for charge in history.paid]
    assert sorted(clip.content for clip in history.clips) == sorted(rendered)
    await rig.books_balance(history)


@storm
@pytest.mark.row("F59")
async def test_f59_a_death_between_the_clips_name_and_its_row_fetches_it_again_and_leaves_one_file(rig: Rig) -> None:
    """Nothing can be written in the database while the clip comes: its file has its lasting name, and no row knows."""
    await rig.start()
    await rig.arm("hiapi:download", "amid", "delay", seconds=1)
    await rig.accepted()
    await _fetching(rig)
    with locked(rig):
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (kept := list(rig.bot.media.glob("clips/*/*"))):
                await asyncio.sleep(0.02)
        await rig.bot.kill()
    assert rig.bot.rows("select clip_key from jobs") == [{"clip_key": None}]
    await rig.restart()
    await rig.delivered()
    assert list(rig.bot.media.glob("clips/*/*")) == kept
    assert not list((rig.bot.media / "unfinished").iterdir())


# --- F60, F61: away for a day ----------------------------------------------------------------------------------------


@storm
@pytest.mark.row("F60")
@pytest.mark.parametrize("clips", [12, 300])
async def test_f60_after_a_day_away_what_dies_first_is_fetched_first_and_all_of_it_comes(
    rig_of: RigOf, clips: int
) -> None:
    """Of a provider that keeps outputs for a day: down for 23 hours with so many clips to fetch. Those of the second
    half were rendered first, and so have less time left."""
    rig = await rig_of("apimart")
    settings = {**PLENTY, "APIMART_CONCURRENCY": "1000"}
    await rig.start(**settings)
    await rig.arm("apimart:download", "before", "status", status=503, times=-1)
    for _ in range(clips // 4):
        await rig.accepted("--takes 4")
    ready = f"select 1 from jobs where state = 'downloading' group by state having count(*) = {clips}"
    await rig.play.until_rows(ready, timeout=300)
    await rig.bot.kill()
    await rig.studio.heal()
    age(rig.bot.database, timedelta(hours=23))
    with closing(sqlite3.connect(rig.bot.database)) as connection, connection:
        # By the order of their making the last would be the last: made the first by the time that is left.
        connection.execute(
            "update jobs set output_expires_at = datetime(output_expires_at, '-' || number || ' seconds')"
        )
    order = {row["id"]: at for at, row in enumerate(rig.bot.rows("select id from jobs order by output_expires_at"))}
    await rig.restart(**settings)
    await rig.ended(asks=clips // 4, within=900)
    stored = [order[one["job"]] for one in events(rig.bot.log(), "clip.stored")]
    assert len(stored) == clips
    assert all(abs(place - wanted) <= FETCHED_AT_ONCE for place, wanted in enumerate(stored)), stored
    await rig.books_balance(await rig.check(clips=clips, asks=clips // 4))


@pytest.mark.storm
@pytest.mark.row("F61")
async def test_f61_after_more_than_a_day_away_a_clip_that_is_gone_is_said_to_be(rig_of: RigOf) -> None:
    """Its task is asked for a fresh link first; then the card says of each clip that it is lost and was charged."""
    rig = await rig_of("apimart")
    await rig.settings(expire_seconds=2)
    await rig.start()
    await rig.arm("apimart:download", "before", "status", status=503, times=-1)
    await rig.accepted("--takes 2")
    await rig.play.until_rows("select 1 from jobs where state = 'downloading' group by state having count(*) = 2")
    await rig.bot.kill()
    await rig.studio.heal()
    age(rig.bot.database, timedelta(hours=25))
    looks = (await rig.requests())["get"]
    await asyncio.sleep(2)  # The provider's own time: its links are dead, and it gives no fresh ones.
    await rig.restart()
    (card,) = await rig.ended(within=180)  # A minute, in which our clock is doubted, and the gaps between looks.
    assert set(card.rows.values()) == {"failed"}
    assert card.text.count("was charged") == 2, card.text
    assert card.text.count("deleted it before it could be downloaded") == 2
    assert (await rig.requests())["get"] - looks >= 2
    await rig.books_balance(await rig.check(clips=0, charges=2))


@storm
@pytest.mark.row("F61")
async def test_f61_after_more_than_a_day_away_a_fresh_link_still_brings_the_clip(rig_of: RigOf) -> None:
    rig = await rig_of("apimart")
    await rig.settings(expire_seconds=2, re_sign=True)
    await rig.start()
    await rig.arm("apimart:download", "before", "status", status=503, times=-1)
    await rig.accepted("--takes 2")
    await rig.play.until_rows("select 1 from jobs where state = 'downloading' group by state having count(*) = 2")
    await rig.bot.kill()
    await rig.studio.heal()
    age(rig.bot.database, timedelta(hours=25))
    await asyncio.sleep(2)  # As above.
    await rig.restart()
    await rig.delivered(clips=2)
