"""The demo page: the pretend workspace in a browser, drawn from the sandbox's state and driven by its control API.

``GET /``                        the page
``GET /page/static/…``           its scripts and styles
``GET /page/live``               WebSocket: the whole state, afterwards what changes (`feed`)
``GET /page/file/{id}/{name}``   a file's bytes, with ranges, so that clips play and can be wound
``GET /page/samples``, ``GET /page/sample/{name}``   files to attach with one click (`samples`)
"""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from ..changes import Changes
from ..faults import Faults
from ..providers import Providers
from ..slack.slack import Slack
from .feed import Feed
from .files import FilePage
from .guard import refuse_strangers
from .live import Live
from .samples import Samples

__all__ = ["STATIC", "Page", "refuse_strangers"]

STATIC = Path(__file__).parent / "static"

_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


class Page:
    """The routes of the page for one sandbox."""

    def __init__(self, *, slack: Slack, providers: Providers, faults: Faults, changes: Changes) -> None:
        self._live = Live(Feed(slack=slack, providers=providers, faults=faults), changes)
        self._files = FilePage(slack.workspace)
        self._samples = Samples()

    def mount(self, app: web.Application) -> None:
        """Adds ``/`` and everything below ``/page/``."""
        app.router.add_get("/", _index)
        inner = web.Application()
        inner.on_response_prepare.append(_add_headers)
        inner.on_shutdown.append(self._live.close)
        inner.add_routes(
            [
                web.get("/live", self._live.serve),
                web.get("/file/{file_id}/{name}", self._files.serve),
                web.get("/samples", self._samples.listing),
                web.get("/sample/{name}", self._samples.serve),
                web.static("/static", STATIC),
            ]
        )
        app.add_subapp("/page/", inner)


async def _index(_request: web.Request) -> web.StreamResponse:
    return web.FileResponse(STATIC / "index.html", headers=_HEADERS)


async def _add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
