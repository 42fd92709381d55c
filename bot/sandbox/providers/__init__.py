"""The emulated video providers: real HTTP, real charges in a ledger, real MP4s, one port."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import aiohttp
from aiohttp import web
from aiohttp.typedefs import Handler

from bot.sandbox.faults import Faults
from bot.sandbox.providers.apimart import Apimart
from bot.sandbox.providers.control import control_routes
from bot.sandbox.providers.empiriolabs import Empiriolabs
from bot.sandbox.providers.face import Face
from bot.sandbox.providers.farm import Farm
from bot.sandbox.providers.hiapi import Hiapi
from bot.sandbox.providers.muapi import Muapi
from bot.sandbox.providers.outputs import Link, OutputStore
from bot.sandbox.providers.seedanceapi import Seedanceapi
from bot.sandbox.render import Renderer

__all__ = ["Providers", "make_providers"]

FACES: tuple[type[Face], ...] = (Hiapi, Apimart, Muapi, Seedanceapi, Empiriolabs)
"""Every provider there is, in the order in which pages list them."""

_LARGEST_REQUEST = 64 * 1024 * 1024


class Providers:
    """All emulated providers.

    `app` is to be served on a port of its own, whose origin `start` is told; `control_routes` are for another
    application, below ``/control/providers``.
    """

    def __init__(self, *, data_dir: Path, faults: Faults, changed: Callable[[], None]) -> None:
        self._outputs = OutputStore()
        self._renderer = Renderer(data_dir / "clips")
        self._session: aiohttp.ClientSession | None = None
        self._faces: Mapping[str, Face] = {
            face.name: face(
                Farm(
                    face.name,
                    settings=face.settings,
                    folder=data_dir / face.name,
                    renderer=self._renderer,
                    outputs=self._outputs,
                    faults=faults,
                    changed=changed,
                ),
                self._the_session,
            )
            for face in FACES
        }
        self._points = {
            handler: f"{name}:{point}" for name, face in self._faces.items() for handler, point in face.points.items()
        }
        guard = faults.middleware(self._point_of, facts_of=self._facts_of, error_body=self._error_body)
        self.app = web.Application(middlewares=[self._count, guard], client_max_size=_LARGEST_REQUEST)
        self.app.add_routes([route for face in self._faces.values() for route in face.routes()])
        self.app.router.add_get("/outputs/{token}/{name}", self._outputs.download)
        self.control_routes: list[web.AbstractRouteDef] = [
            route for face in self._faces.values() for route in control_routes(face.farm)
        ]

    async def start(self, origin: str) -> None:
        """Begin; `origin` is where `app` is served, such as ``http://127.0.0.1:4001``."""
        self._outputs.origin = origin
        self._session = aiohttp.ClientSession()

    async def close(self) -> None:
        """Stop everything under way and end the rendering processes."""
        for face in self._faces.values():
            await face.farm.close()
        await self._renderer.close()
        if self._session is not None:
            await self._session.close()

    def credentials(self) -> dict[str, str]:
        """The environment in which a client finds these providers."""
        given = {}
        for name, face in self._faces.items():
            given[f"{name.upper()}_BASE_URL"] = f"{self._outputs.origin}/{name}"
            given[f"{name.upper()}_API_KEY"] = face.api_key
        return given

    def snapshot(self) -> dict[str, object]:
        """Everything about every provider, by name."""
        return {name: face.farm.snapshot() for name, face in self._faces.items()}

    def _the_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("the providers have not been started")
        return self._session

    def _point_of(self, request: web.Request) -> str | None:
        point = self._points.get(request.match_info.handler)
        if point is None and (link := self._link(request)) is not None:
            return f"{link.provider}:download"
        return point

    async def _facts_of(self, request: web.Request) -> Mapping[str, object]:
        link = self._link(request)
        if link is not None:
            return {"prompt": link.prompt, "task_id": link.task_id, "name": link.name}
        return await self._face(request).facts(request)

    def _error_body(self, request: web.Request, status: int) -> object:
        link = self._link(request)
        return "" if link is not None else self._face(request).error_body(status)

    def _face(self, request: web.Request) -> Face:
        return self._faces[self._points[request.match_info.handler].partition(":")[0]]

    def _link(self, request: web.Request) -> Link | None:
        return self._outputs.find(request) if "token" in request.match_info else None

    @web.middleware
    async def _count(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Count what comes in, also what a fault then eats."""
        point = self._point_of(request)
        if point is not None:
            name, _, kind = point.partition(":")
            self._faces[name].farm.requests[kind] += 1
        return await handler(request)


def make_providers(*, data_dir: Path, faults: Faults, changed: Callable[[], None]) -> Providers:
    """The providers of one sandbox; files go below `data_dir`, `changed` is called when there is news."""
    return Providers(data_dir=data_dir, faults=faults, changed=changed)
