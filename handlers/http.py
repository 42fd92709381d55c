"""Slack over HTTP: ``POST /slack/events`` takes events, commands and interactivity.

Nothing of a request is parsed, stored or logged before its signature is verified. What is verified goes through Bolt
as an envelope of Socket Mode does: already parsed, because Bolt's own reading of a form takes any text with the word
"payload" in it for an interaction, and would lose ``/clip a payload drop``.

https://docs.slack.dev/apis/events-api/using-http-request-urls
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import structlog
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from handlers.verification import ClockApart, NotVerified, verify

log = structlog.get_logger(__name__)

PATH = "/slack/events"

LARGEST_BODY = 1_000_000
"""Bytes. Slack's own largest, a view with its state, is a quarter of that."""

READ_SECONDS = 5.0
"""For a whole body. Slack itself waits 3 seconds for the answer."""

_DRAINED_BYTES = 4_000_000
"""Of a body that is too large, so much more is read and thrown away: who is still sending when the connection closes
sees a broken connection instead of the answer."""

_DRAIN_SECONDS = 1.0

_SETTLE_SECONDS = 2.0
_RETRY_HEADERS = {b"x-slack-retry-num", b"x-slack-retry-reason"}
_Json = dict[str, Any]


class _Refused(Exception):
    """The request is answered with ``status`` and goes no further. ``why`` is a word of ours."""

    def __init__(self, status: int, why: str, **facts: object) -> None:
        self.status, self.why, self.facts = status, why, facts
        super().__init__(f"{status}: {why}")


class _Left(Exception):
    """The sender hung up before the end of its body."""


@dataclass(frozen=True, kw_only=True)
class _Request:
    """One request with its whole body; header names are in lower case."""

    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def header(self, name: bytes) -> str:
        """The value of a header, empty when it is absent."""
        return next((value.decode("latin-1") for key, value in self.headers if key == name), "")


class SlackEndpoint:
    """The ASGI application behind PATH. Until ``connect`` and after ``close`` it answers 503 to what Slack signed, so
    that Slack sends it again; ``now`` is Unix time."""

    def __init__(self, *, signing_secret: str, now: Callable[[], float] = time.time) -> None:
        self._secret = signing_secret.encode()
        self._now = now
        self._app: AsyncApp | None = None
        self._running: set[asyncio.Task[Response]] = set()

    @property
    def connected(self) -> bool:
        """Whether requests are taken."""
        return self._app is not None

    def connect(self, app: AsyncApp) -> None:
        """Take requests from now on, with these listeners."""
        self._app = app

    async def close(self) -> None:
        """Take no request any more, and let those under way finish, shortly."""
        self._app = None
        if self._running:
            await asyncio.wait(self._running, timeout=_SETTLE_SECONDS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            response = await self._respond(scope, receive)
        except _Left:
            log.info("slack.left", why="the sender hung up before the end of the body")
            return
        except _Refused as refusal:
            log.warning("slack.refused", status=refusal.status, why=refusal.why, **refusal.facts)
            response = _refusal(refusal.status)
        await response(scope, receive, send)

    async def _respond(self, scope: Scope, receive: Receive) -> Response:
        method = scope["method"]
        if method == "GET" and b"ssl_check=1" in scope["query_string"].split(b"&"):
            return Response()  # Slack looks whether our certificate is good; there is nothing in it to act upon
        if method != "POST":
            raise _Refused(405, "method")
        headers = tuple((bytes(name), bytes(value)) for name, value in scope["headers"])
        request = _Request(headers=headers, body=await _read(headers, receive))
        self._verify(request)
        body = _payload(request.header(b"content-type"), request.header(b"content-encoding"), request.body)
        if body.get("type") == "url_verification":
            return JSONResponse({"challenge": body.get("challenge")})
        return await self._dispatch(body, request)

    def _verify(self, request: _Request) -> None:
        try:
            verify(self._secret, request.headers, request.body, self._now())
        except ClockApart as apart:
            # Mostly a machine whose clock nobody sets: the line must lead there.
            raise _Refused(401, "clock", apart_seconds=round(apart.seconds)) from apart
        except NotVerified as doubt:
            raise _Refused(401, doubt.why) from doubt
        except Exception as error:
            raise _Refused(401, "verification failed", error=type(error).__name__) from error

    async def _dispatch(self, body: _Json, request: _Request) -> Response:
        """Run the listener; the answer leaves when it has ended, which is after its commit."""
        app = self._app
        if app is None:
            raise _Refused(503, "not connected")
        retry = {name.decode(): value.decode("latin-1") for name, value in request.headers if name in _RETRY_HEADERS}
        task = asyncio.create_task(_run(app, body, retry))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        # A sender that hangs up must not stop a listener between two of its lines.
        return await asyncio.shield(task)


async def _run(app: AsyncApp, body: _Json, headers: Mapping[str, str]) -> Response:
    try:
        answer = await app.async_dispatch(AsyncBoltRequest(mode="socket_mode", body=body, headers=dict(headers)))
    except Exception:
        # Bolt reads some fields outside its own care. Slack sends an event again after this answer.
        log.exception("slack.failed")
        return Response(status_code=500)
    if answer.status == 404:
        # Nobody of ours listens to it. Slack counts a 404 as a failure and would send it again.
        log.info("slack.unhandled", type=str(body.get("type") or "")[:40])
        return Response()
    return _as_response(answer)


def _as_response(answer: BoltResponse) -> Response:
    return Response(content=answer.body, status_code=answer.status, headers=answer.first_headers_without_set_cookie())


def _refusal(status: int) -> Response:
    headers = {"connection": "close"}
    if status == 405:
        headers["allow"] = "POST"
    return Response(status_code=status, headers=headers)


async def _read(headers: tuple[tuple[bytes, bytes], ...], receive: Receive) -> bytes:
    """The whole body, counted as it comes: what Content-Length says is only a reason to be shorter with it."""
    announced = next((value for name, value in headers if name == b"content-length"), b"")
    too_large = announced.isdigit() and (len(announced) > 12 or int(announced) > LARGEST_BODY)
    body, size = bytearray(), 0
    try:
        async with asyncio.timeout(_DRAIN_SECONDS if too_large else READ_SECONDS):
            while size <= LARGEST_BODY + _DRAINED_BYTES:
                chunk, more = await _chunk(receive)
                size += len(chunk)
                if size > LARGEST_BODY:
                    too_large = True
                    body.clear()
                if not too_large:
                    body += chunk
                if not more:
                    break
    except TimeoutError:
        if not too_large:
            raise _Refused(408, "body too slow") from None
    if too_large:
        raise _Refused(413, "body too large")
    return bytes(body)


async def _chunk(receive: Receive) -> tuple[bytes, bool]:
    """The next piece of the body, and whether more follows. Raises _Left."""
    message = await receive()
    if message["type"] != "http.request":
        raise _Left
    return message.get("body", b""), message.get("more_body", False)


def _payload(content_type: str, content_encoding: str, body: bytes) -> _Json:
    """The payload of a verified request: a JSON object, the JSON object in a form's field ``payload``, or the form.
    Raises _Refused."""
    media_type = content_type.partition(";")[0].strip().lower()
    if content_encoding.strip().lower() not in {"", "identity"}:
        raise _Refused(415, "content encoding")
    if media_type == "application/json":
        return _object(body)
    if media_type != "application/x-www-form-urlencoded":
        raise _Refused(415, "content type")
    try:
        form = dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, errors="strict"))
    except ValueError:
        raise _Refused(400, "unreadable form") from None
    return _object(form["payload"].encode()) if "payload" in form else form


def _object(text: bytes) -> _Json:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise _Refused(400, "unreadable JSON") from None
    if not isinstance(value, dict):
        raise _Refused(400, "not a JSON object")
    if not isinstance(value.get("event", {}), dict):
        raise _Refused(400, "not an event")
    return value
