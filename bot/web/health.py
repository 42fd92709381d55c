"""``/healthz`` and ``/readyz``, for whatever watches the process."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

Probe = Callable[[], Awaitable[str]]
"""Answers ``up``, or what is wrong, in a few words without secrets."""


def health_app(*, needed: Mapping[str, Probe], watched: Mapping[str, Probe], more: Sequence[Route] = ()) -> Starlette:
    """``needed`` parts make the process ready; ``watched`` ones are only named, since being unready would take
    callbacks away just because Slack is down. ``more`` routes are served beside."""

    async def healthz(_: Request) -> JSONResponse:
        return JSONResponse({"status": "up"})

    async def readyz(_: Request) -> JSONResponse:
        states = {name: await probe() for name, probe in {**needed, **watched}.items()}
        ready = all(states[name] == "up" for name in needed)
        return JSONResponse({"ready": ready, "parts": states}, status_code=200 if ready else 503)

    app = Starlette(routes=[Route("/healthz", healthz), Route("/readyz", readyz), *more])
    app.router.redirect_slashes = False  # a path is what it says, or it is not there
    return app
