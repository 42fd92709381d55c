"""The emulated providers in this process, with their back door open, and what tests of them need around them.

async with backstage(tmp_path) as stage, shelf(tmp_path) as media, listening() as ear:
    stage.fault("apimart:create", "amid", "reset")
    ... a client asks stage.base("apimart") for something made of f"{media}/first.png" ...
    assert len(await stage.charges("apimart")) == 1
"""

import asyncio
import io
import time
import wave
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from aiohttp import web

from bot.sandbox.faults import Faults
from bot.sandbox.providers import Providers, make_providers
from bot.sandbox.render.clip import ClipSpec, encode, scene_of
from bot.sandbox.render.sound import SAMPLE_RATE, melody

QUICK: Mapping[str, object] = {"render_seconds": 0, "fidelity": "cached", "callback_retries": [0.05, 0.05]}
"""Renders take no time by the clock, and all clips of a size share one encode."""

Json = dict[str, Any]


@asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[str]:
    """An application on a port of its own; gives its origin."""
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@dataclass(kw_only=True)
class Backstage:
    """All emulated providers, their faults and their books."""

    providers: Providers
    faults: Faults
    control: httpx.AsyncClient
    news: list[None]
    """An entry for each time that onlookers were told to look again."""

    def base(self, name: str) -> str:
        """Where a client finds a provider, without a version in the path."""
        return self.providers.credentials()[f"{name.upper()}_BASE_URL"]

    def key(self, name: str) -> str:
        """The key that a provider takes."""
        return self.providers.credentials()[f"{name.upper()}_API_KEY"]

    def fault(self, point: str, phase: str, kind: str, *, times: int = 1, **action: Any) -> None:
        """Let the next call at that point go wrong."""
        self.faults.add({"point": point, "phase": phase, "times": times, "action": {"kind": kind, **action}})

    def outcome(self, name: str, kind: str, **action: Any) -> None:
        """Let a provider's next render end so."""
        self.fault(f"{name}:outcome", "do", kind, **action)

    async def settings(self, name: str, **changes: Any) -> httpx.Response:
        """Turn a provider's dials."""
        return await self.control.post(f"/{name}/settings", json=changes)

    async def charges(self, name: str) -> list[Json]:
        """What a provider has charged, oldest first."""
        charges: list[Json] = (await self.control.get(f"/{name}/ledger")).json()["charges"]
        return charges

    async def balance(self, name: str) -> int:
        """What is left, in micro-dollars."""
        return int((await self.control.get(f"/{name}/ledger")).json()["balance_micro_usd"])

    async def tasks(self, name: str) -> list[Json]:
        """Every task with its request as it came, oldest first."""
        tasks: list[Json] = (await self.control.get(f"/{name}/tasks")).json()["tasks"]
        return tasks

    async def requests(self, name: str) -> dict[str, int]:
        """How many calls of each kind came."""
        counted: dict[str, int] = (await self.control.get(f"/{name}/requests")).json()
        return counted


@asynccontextmanager
async def backstage(data: Path) -> AsyncIterator[Backstage]:
    """All providers until the block ends, turned to QUICK. Clips of equal size below ``data`` are encoded once."""
    faults = Faults()
    news: list[None] = []
    providers = make_providers(data_dir=data, faults=faults, changed=lambda: news.append(None))
    back_door = web.Application()
    back_door.add_routes(providers.control_routes)
    async with served(providers.app) as origin, served(back_door) as back_origin:
        await providers.start(origin)
        async with httpx.AsyncClient(base_url=back_origin, trust_env=False) as control:
            stage = Backstage(providers=providers, faults=faults, control=control, news=news)
            for name in providers.snapshot():
                (await stage.settings(name, **QUICK)).raise_for_status()
            yield stage
        faults.clear()
        await providers.close()


@asynccontextmanager
async def shelf(folder: Path, more: Mapping[str, bytes] | None = None) -> AsyncIterator[str]:
    """Real media behind a server: any name ending in .png is a 752x560 picture, .mp4 a film of 4 s, .wav a melody of
    4 s; ``more`` are further files by name. Gives the server's origin."""
    made = await asyncio.to_thread(_media, folder)
    others = dict(more or {})

    async def give(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        data = others.get(name) or made.get(Path(name).suffix)
        return web.Response(status=404) if data is None or name.startswith("missing") else web.Response(body=data)

    app = web.Application()
    app.router.add_get("/{name}", give)
    async with served(app) as origin:
        yield origin


def _media(folder: Path) -> dict[str, bytes]:
    """The files by suffix, made by the sandbox's renderer."""
    spec = ClipSpec(task_id="shelf", prompt="a mug", resolution="480p", ratio="4:3", seconds=4, audio=True)
    film = folder / "shelf.mp4"
    if not film.exists():
        encode(spec, film)
    picture = io.BytesIO()
    scene_of(spec).photograph(0).save(picture, format="PNG")
    return {".png": picture.getvalue(), ".mp4": film.read_bytes(), ".wav": sound(4)}


def sound(seconds: int) -> bytes:
    """A melody as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(SAMPLE_RATE)
        writer.writeframes((melody("shelf", seconds) * 32_767).astype("<i2").tobytes())
    return file.getvalue()


@dataclass(kw_only=True)
class Ear:
    """A listener for callbacks, answering with the statuses in ``answers`` and then with 200."""

    url: str = ""
    heard: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    async def wait(self, count: int) -> list[tuple[Mapping[str, str], bytes]]:
        """Headers and bodies of the callbacks, once there are so many."""
        deadline = time.monotonic() + 10
        while len(self.heard) < count:
            assert time.monotonic() < deadline, f"heard {len(self.heard)} of {count}"
            await asyncio.sleep(0.01)
        return list(self.heard)


@asynccontextmanager
async def listening() -> AsyncIterator[Ear]:
    """A listener on a port of its own."""
    ear = Ear()

    async def hear(request: web.Request) -> web.Response:
        ear.heard.append((dict(request.headers), await request.read()))
        return web.Response(status=ear.answers.pop(0) if ear.answers else 200)

    app = web.Application()
    app.router.add_post("/callbacks/secret", hear)
    async with served(app) as origin:
        ear.url = f"{origin}/callbacks/secret"
        yield ear
