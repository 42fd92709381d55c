"""Slack over HTTP: ``POST /slack/events`` takes events, commands and interactivity.

Nothing of a request is parsed, stored or logged before its signature is verified, and of one that cannot be verified
whatever its body is, no body is read. What is verified goes through Bolt
as an envelope of Socket Mode does: already parsed, because Bolt's own reading of a form takes any text with the word
"payload" in it for an interaction, and would lose ``/clip a payload drop``.

How large a body may be and how long it may take is the server's care: ``receive`` gives it whole.

https://docs.slack.dev/apis/events-api/using-http-request-urls
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from slack_bolt.async_app import AsyncApp
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from handlers.dispatch import dispatch, keep_values_out_of_the_log
from handlers.payload import Unreadable, read_payload
from handlers.shapes import Misshapen, shaped
from handlers.verification import ClockApart, NotVerified, look_at_claim, verify

log = structlog.get_logger(__name__)

PATH = "/slack/events"

_Headers = tuple[tuple[bytes, bytes], ...]

_SETTLE_SECONDS = 2.0
_RETRY_HEADERS = {b"x-slack-retry-num", b"x-slack-retry-reason"}


class _Refused(Exception):
    """The request is answered with ``status`` and goes no further. ``why`` and ``facts`` are words of ours."""

    def __init__(self, status: int, why: str, **facts: object) -> None:
        self.status, self.why, self.facts = status, why, facts
        super().__init__(f"{status}: {why}")


@dataclass(frozen=True, kw_only=True)
class _Request:
    """One request with its whole body; header names are in lower case."""

    headers: _Headers
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
        keep_values_out_of_the_log(app)
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
        with _refusing_doubts():
            look_at_claim(headers, self._now())  # most who find the address have nothing to show: no body is read
        request = _Request(headers=headers, body=(await receive())["body"])
        with _refusing_doubts():
            verify(self._secret, request.headers, request.body, self._now())
        try:
            return await self._take(request)
        except Unreadable as reason:
            raise _Refused(reason.status, reason.why, **({"what": reason.what} if reason.what else {})) from reason
        except Misshapen as reason:
            raise _Refused(400, "payload", what=reason.field) from reason

    async def _take(self, request: _Request) -> Response:
        """Answer what Slack signed. Raises Unreadable, Misshapen or _Refused."""
        body = read_payload(
            content_type=request.header(b"content-type"),
            content_encoding=request.header(b"content-encoding"),
            body=request.body,
        )
        if body.get("type") == "url_verification":
            return JSONResponse({"challenge": shaped(body)["challenge"]})
        app = self._app
        if app is None:
            raise _Refused(503, "not connected")
        retry = {name.decode(): value.decode("latin-1") for name, value in request.headers if name in _RETRY_HEADERS}
        task = asyncio.create_task(_run(app, body, retry))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        # A sender that hangs up must not stop a listener between two of its lines.
        return await asyncio.shield(task)


@contextlib.contextmanager
def _refusing_doubts() -> Iterator[None]:
    """What verification says, as the answer to the request."""
    try:
        yield
    except ClockApart as apart:
        # Mostly a machine whose clock nobody sets: the line must lead there.
        raise _Refused(401, "clock", apart_seconds=round(apart.seconds)) from apart
    except NotVerified as doubt:
        raise _Refused(401, doubt.why) from doubt
    except Exception as error:
        raise _Refused(401, "verification failed", error=type(error).__name__) from error


async def _run(app: AsyncApp, body: Mapping[str, Any], headers: Mapping[str, str]) -> Response:
    """The answer leaves when the listener has ended, which is after its commit."""
    answer = await dispatch(app, body, headers)
    return Response(content=answer.body, status_code=answer.status, headers=answer.first_headers_without_set_cookie())


def _refusal(status: int) -> Response:
    """The connection stays, within the server's patience: whoever is still sending a body that nobody reads would see
    it break instead of the answer."""
    return Response(status_code=status, headers={"allow": "POST"} if status == 405 else None)
