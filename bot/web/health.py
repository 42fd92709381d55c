"""``/healthz`` and ``/readyz``, for whatever watches the process."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from bot.web.limits import PROBE_SECONDS

Probe = Callable[[], Awaitable[str]]
"""Answers ``up``, or what is wrong, in a few words without secrets."""


class Remembered:
    """A probe that is asked once for all who want to know at the same time, and whose answer then counts for
    PROBE_SECONDS: one that takes the database's only writer's place must not be anybody's to repeat at will. ``now``
    is in seconds from any beginning."""

    def __init__(self, probe: Probe, now: Callable[[], float] = time.monotonic) -> None:
        self._probe, self._now = probe, now
        self._asking = asyncio.Lock()
        self._state = ""
        self._until = now()

    async def __call__(self) -> str:
        async with self._asking:
            if not self._state or self._now() >= self._until:
                self._state = await self._probe()
                # From the answer on: whoever has waited for a slow one must not start the next.
                self._until = self._now() + PROBE_SECONDS
            return self._state


def health_app(*, needed: Mapping[str, Probe], watched: Mapping[str, Probe], more: Sequence[Route] = ()) -> Starlette:
    """``needed`` parts make the process ready; they are remembered, since asking them is work. ``watched`` ones are
    only named, since being unready would take callbacks away just because Slack is down. ``more`` routes are served
    beside."""
    needed = {name: Remembered(probe) for name, probe in needed.items()}

    async def healthz(_: Request) -> JSONResponse:
        return JSONResponse({"status": "up"})

    async def readyz(_: Request) -> JSONResponse:
        states = {name: await probe() for name, probe in {**needed, **watched}.items()}
        ready = all(states[name] == "up" for name in needed)
        return JSONResponse({"ready": ready, "parts": states}, status_code=200 if ready else 503)

    app = Starlette(routes=[Route("/healthz", healthz), Route("/readyz", readyz), *more])
    app.router.redirect_slashes = False  # a path is what it says, or it is not there
    return app
