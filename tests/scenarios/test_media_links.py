"""Signed links of the real program: a provider has its file with Slack away, after a kill, and from many at once; the
link itself stands in no log."""

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from bot.links import make_links
from bot.settings import Settings
from storage import open_clips
from tests.scenarios.bot import Bot, environment

AWAY = "http://127.0.0.1:9"
"""Where nobody listens: neither Slack nor the provider is there."""
CONTENT = os.urandom(1_000_000) * 3


async def stream() -> AsyncIterator[bytes]:
    yield CONTENT


async def test_links_work_with_slack_away_and_outlive_a_kill(tmp_path: Path) -> None:
    nobody = {"SLACK_BOT_TOKEN": "xoxb-nobody", "SLACK_APP_TOKEN": "xapp-nobody", "HIAPI_API_KEY": "key"}
    away = {"SLACK_API_URL": f"{AWAY}/api/", "HIAPI_BASE_URL": AWAY, "LOG_LEVEL": "debug"}
    more = {"PUBLIC_URL": "https://dailies.example.com", **away}
    bot = Bot(place=tmp_path, environment=environment(tmp_path, nobody, **more))
    stored = await open_clips(bot.environment["MEDIA_URL"]).put("T1", stream(), limit_bytes=10_000_000)
    await bot.start()
    try:
        origin = await bot.origin()
        assert (tmp_path / "dailies.db.key").stat().st_mode & 0o777 == 0o600
        known = {name: bot.environment[name] for name in ("PUBLIC_URL", "DATABASE_URL", "MEDIA_URL")}
        links = make_links(Settings(_env_file=None, **{name.lower(): value for name, value in known.items()}))
        now = datetime.now(UTC)
        alive = links.link("T1", stored.key, "video/mp4", now=now)
        dead = links.link("T1", stored.key, "video/mp4", now=now - timedelta(days=5))
        assert alive is not None
        assert dead is not None
        path, expired = urlsplit(alive).path, urlsplit(dead).path

        async with httpx.AsyncClient(base_url=origin, trust_env=False, timeout=30) as http:
            assert (await http.get("/readyz")).json()["parts"]["slack"] != "up"
            answers = await asyncio.gather(*(http.get(path) for _ in range(50)))
            assert {(answer.status_code, answer.content == CONTENT) for answer in answers} == {(200, True)}
            assert [(await http.get(one)).status_code for one in (expired, path[:-4], f"{path}x")] == [404] * 3

        await bot.kill()
        await bot.start()
        async with httpx.AsyncClient(base_url=await bot.origin(), trust_env=False, timeout=30) as http:
            part = await http.get(path, headers={"range": "bytes=-1000"})
            assert (part.status_code, part.content) == (206, CONTENT[-1000:])
        assert await bot.terminate() == 0
        log = bot.log()
        assert log.count("media.refused") == 3
        key = (tmp_path / "dailies.db.key").read_text().strip()
        assert [one for one in (path[7:40], expired[7:40], path[-40:], key) if one in log] == []
    finally:
        if bot.running():
            await bot.kill()
