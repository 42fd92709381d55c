"""Which application answers which path, and one short line in the log for each request that none of them takes."""

import asyncio
from collections.abc import Mapping
from urllib.parse import quote

import structlog
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.web.body import REFUSED, Allowance, BodyRefused, SenderLeft, WholeBody
from bot.web.limits import LONGEST_PATH, LONGEST_SEGMENT, MOST_BODY_BYTES

log = structlog.get_logger(__name__)

_PLAIN = "/%;:=@&+$,!*'()"
"""In a path beside letters, digits and ``-._~`` (RFC 3986); a percent sign already escapes something."""

_REASONS = {404: "not found", 405: "method"}


class Site:
    """``exact`` applications behind their paths, ``under`` those behind the paths that begin so, and ``otherwise`` for
    every other request.

    A path counts as it was sent, byte for byte: ``/slack/events/`` and ``/slack%2Fevents`` are other paths, because a
    proxy that guards one of them may not know that they would mean the same here.

    All but the last get whole, bounded bodies (`WholeBody`). A path that is not there is logged at ``info``, not at
    ``debug``: whoever gave Slack a wrong Request URL must find the reason, and scanners get no more than one line a
    request out of it.
    """

    def __init__(
        self, *, exact: Mapping[str, ASGIApp], otherwise: ASGIApp, under: Mapping[str, ASGIApp] | None = None
    ) -> None:
        self._exact = {path.encode(): app for path, app in exact.items()}
        self._under = {path.encode(): app for path, app in (under or {}).items()}
        self._otherwise = otherwise
        self._allowance = Allowance(MOST_BODY_BYTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and answer it when it is stopped: the server's patience with its own end is over then,
        and what it would write about that is a traceback for each request."""
        answer = _Answer(send)
        try:
            await self._pass_on(scope, receive, answer)
        except asyncio.CancelledError:
            refusal = BodyRefused(503, "stopping")
            if answer.begun:
                log.warning("http.cut", why=refusal.why, **_asked(scope))
            else:
                await _refuse(refusal, scope, receive, answer)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        if REFUSED in scope.get("state", {}):
            return  # what came in one piece with the headers was no HTTP
        app = self._find(scope.get("raw_path") or b"")
        if app is None:
            await self._otherwise(scope, receive, _noting(scope, send))
            return
        body = WholeBody(scope, receive, self._allowance)
        try:
            await app(scope, body, send)
        except BodyRefused as refusal:
            await _refuse(refusal, scope, receive, send)
        except SenderLeft:
            if REFUSED not in scope.get("state", {}):
                log.info("http.left", why="the sender hung up before the end of the body", **_asked(scope))
        finally:
            body.let_go()

    def _find(self, raw_path: bytes) -> ASGIApp | None:
        if (app := self._exact.get(raw_path)) is not None:
            return app
        return next((app for path, app in self._under.items() if raw_path.startswith(path)), None)


class _Answer:
    """``send``, and whether anything was sent."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False

    async def __call__(self, message: Message) -> None:
        self.begun = True
        await self._send(message)


async def _refuse(refusal: BodyRefused, scope: Scope, receive: Receive, send: Send) -> None:
    log.warning("http.refused", status=refusal.status, why=refusal.why, **_asked(scope))
    await Response(status_code=refusal.status, headers={"connection": "close"})(scope, receive, send)


def _noting(scope: Scope, send: Send) -> Send:
    """``send``, with a line for what is not there; an unready part is no refusal, and is asked for all the time."""

    async def noting(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] in _REASONS:
            log.info("http.refused", status=message["status"], why=_REASONS[message["status"]], **_asked(scope))
        await send(message)

    return noting


def _asked(scope: Scope) -> dict[str, str]:
    """Method and path for a line of the log. The parser knows all methods; a path can be anything."""
    return {"method": scope["method"], "path": shown_path(scope.get("raw_path") or b"")}


def shown_path(raw_path: bytes) -> str:
    """A path, escaped as it was sent and where it was not, with long segments and a long rest cut off. It never has
    a query."""
    segments = quote(raw_path, safe=_PLAIN).split("/")
    path = "/".join(one if len(one) <= LONGEST_SEGMENT else f"{one[:12]}…" for one in segments)
    return path if len(path) <= LONGEST_PATH else f"{path[:LONGEST_PATH]}…"
