"""Files on their way through the whole bot: fetched from where a person's link leads, mended, kept, and handed to the
provider the best way it has, which the provider then really fetches."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.scenarios.bot import Stage
from tests.scenarios.conftest import HTTP_IN_THE_STORM, MakeStage
from tests.support.files import picture
from tests.support.loopback import unused_port

pytestmark = [HTTP_IN_THE_STORM, pytest.mark.timeout(120)]


@dataclass
class Shelf:
    """A site with pictures: how often each was fetched, and which one never comes while ``held`` is not set."""

    folder: Path
    origin: str
    fetched: list[str] = field(default_factory=list)
    held: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        self.fetched.append(name)
        if name.startswith("slow"):
            await self.held.wait()
        return web.FileResponse(self.folder / name)


@asynccontextmanager
async def shelf(folder: Path) -> AsyncIterator[Shelf]:
    """Its site on loopback."""
    folder.mkdir()
    port = unused_port()
    made = Shelf(folder, f"http://127.0.0.1:{port}")
    app = web.Application()
    app.router.add_get("/{name}", made.serve)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield made
    finally:
        made.held.set()
        await runner.cleanup()


async def order_of(play: Stage, prompt: str) -> str:
    """What the provider was sent for the first clip of that prompt."""
    (row, *_) = play.bot.rows("select body from attempts join jobs on id = job_id where recipe like ?", f"%{prompt}%")
    return bytes(row["body"]).decode()


async def test_a_picture_behind_a_link_is_mended_kept_and_given_the_best_way(tmp_path: Path, stage: MakeStage) -> None:
    port = unused_port()
    given: dict[str, Any] = {
        "HTTP_PORT": str(port),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "PROVIDERS": "hiapi,apimart",
    }
    async with shelf(tmp_path / "site") as site, stage(tmp_path, start=False, **given) as play:
        picture(site.folder / "turned.jpeg", 800, 600, turn=6)
        picture(site.folder / "mouse.png", 120, 90)
        for slow in ("slow.jpg", "slow-too.jpg"):
            (site.folder / slow).write_bytes((site.folder / "turned.jpeg").read_bytes())
        hosts = f"{play.bot.environment['ALLOWED_FETCH_HOSTS']},{site.origin.removeprefix('http://')}"
        await play.start_bot(ALLOWED_FETCH_HOSTS=hosts)

        await play.studio.slash("maya", f"/clip by link --first {site.origin}/turned.jpeg --provider hiapi --takes 2")
        await play.clips(2)
        await play.studio.message_where(
            lambda one: "turned.jpeg: turned upright" in json.dumps(one.get("blocks")), what="what was mended is said"
        )
        assert site.fetched == ["turned.jpeg"], "the takes of one ask share what was fetched"
        assert f"http://127.0.0.1:{port}/media/" in await order_of(play, "by link")

        await play.studio.slash("ben", f"/clip held up --first {site.origin}/slow-too.jpg --provider hiapi --takes 3")
        held_up = await play.card("Preparing slow-too.jpg")

        await play.studio.slash("maya", f"/clip by upload --first {site.origin}/turned.jpeg --provider apimart")
        await play.clips(3)
        body = await order_of(play, "by upload")
        assert "/media/" not in body
        assert site.origin not in body

        await play.studio.react("ben", held_up, "x")
        await play.until_rows("select 1 where 3 = (select count(*) from jobs where state = 'cancelled')")
        assert site.fetched.count("slow-too.jpg") == 1, "the takes wait for one another, and nobody for them"

        charged = len(await play.ledger())
        await play.studio.slash("maya", f"/clip too small --first {site.origin}/mouse.png --provider hiapi")
        card = await play.card("mouse.png is 120×90 pixels")
        assert "Nothing was charged" in card["text"]
        assert len(await play.ledger()) == charged == 2

        await play.studio.slash("maya", f"/clip killed --first {site.origin}/slow.jpg --provider hiapi")
        await play.card("Preparing slow.jpg")
        os.kill(play.bot.pid, signal.SIGKILL)
        await play.bot.gone()
        assert len(list((play.bot.media / "scratch").iterdir())) == 1
        site.held.set()
        await play.start_bot(ALLOWED_FETCH_HOSTS=hosts)
        await play.clips(4)
        await play.at_rest()
        assert list((play.bot.media / "scratch").iterdir()) == []
        assert site.fetched.count("slow.jpg") == 2
        assert len(await play.ledger()) == charged + 1

        kept = {json.loads(row["recipe"])["media"][0]["url"] for row in play.bot.rows("select recipe from jobs")}
        (stored,) = {url for url in kept if url.startswith("stored:")}
        assert len(kept) == 3, "the same bytes are one file; what was refused or stopped is where it was"
        assert len(list((play.bot.media / "references").rglob(stored.removeprefix("stored:")))) == 1
        assert "/media/" not in play.bot.log()
