"""``GET /media/{token}``: what a signed link of ours leads to, for providers that fetch files and for people.

Whoever has no valid link learns nothing: a forged token, an expired one, and a file that is gone are the same 404. No
line of the log holds a token. A file is named by its hash, so that it never changes under its address.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import structlog
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bot.ports import Clips, ClipsUnavailable, Clock, Links
from bot.web.body import BodyRefused, SenderLeft
from bot.web.limits import DOWNLOAD_SECONDS, MOST_DOWNLOADS, PIECE_BYTES
from bot.web.ranges import Unsatisfiable, part_of

log = structlog.get_logger(__name__)

PREFIX = "/media/"

_ALWAYS = {
    "accept-ranges": "bytes",
    "cache-control": "private, max-age=3600",
    "content-security-policy": "default-src 'none'; sandbox",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class _Refused(Exception):
    """The request is to be answered with this status."""

    def __init__(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        self.status, self.headers = status, headers
        super().__init__(str(status))


@dataclass(frozen=True, kw_only=True)
class _File:
    """A file of the media store; ``size`` in bytes."""

    key: str
    mime: str
    size: int

    @property
    def _name(self) -> str:
        return self.key.rpartition("/")[2]

    @property
    def etag(self) -> str:
        """By the hash of its bytes."""
        return f'"{self._name.partition(".")[0]}"'

    def headers(self, part: tuple[int, int] | None) -> dict[str, str]:
        """Of an answer with the whole file, or with that part of it."""
        start, stop = part or (0, self.size)
        digest, _, suffix = self._name.partition(".")
        named = {"content-range": f"bytes {start}-{stop - 1}/{self.size}"} if part else {}
        return (
            _ALWAYS
            | named
            | {
                "content-type": self.mime,
                "content-length": str(stop - start),
                "content-disposition": f'attachment; filename="dailies-{digest[:12]}.{suffix}"',
                "etag": self.etag,
            }
        )


class MediaEndpoint:
    """The ASGI application under PREFIX. It needs the media store and nothing else: with Slack and the database away it
    goes on. At most ``most`` files are sent at once; further requests are answered 503, and may come again."""

    def __init__(self, *, links: Links, clips: Clips, clock: Clock, most: int = MOST_DOWNLOADS) -> None:
        self._links, self._clips, self._clock = links, clips, clock
        self._places = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            await self._answer(scope, receive, send)
        except _Refused as refused:
            log.info("media.refused", status=refused.status)
            await Response(status_code=refused.status, headers=refused.headers)(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises _Refused as long as nothing is sent."""
        if scope["method"] not in {"GET", "HEAD"}:
            raise _Refused(405, {"allow": "GET, HEAD", "connection": "close"})
        try:
            file = await self._find(scope)
            if scope["method"] == "HEAD":
                await Response(headers=file.headers(None))(scope, receive, send)
                return
            part = _asked_part(file, Headers(scope=scope))
            if self._places <= 0:
                raise _Refused(503, {"retry-after": "1"})
            self._places -= 1
            try:
                await self._give(file, part, receive, send)
            finally:
                self._places += 1
        except ClipsUnavailable as error:
            log.warning("media.store_away", error=str(error))
            raise _Refused(503, {"retry-after": "5"}) from error

    async def _find(self, scope: Scope) -> _File:
        """The file behind the link. Raises _Refused, ClipsUnavailable."""
        token = bytes(scope.get("raw_path") or b"").decode("latin-1").removeprefix(PREFIX)
        linked = self._links.follow(token, now=self._clock.now())
        if linked is None:
            raise _Refused(404)
        try:
            size = await self._clips.size(linked.key)
        except KeyError:
            size = None  # a key of an earlier release
        if size is None:
            raise _Refused(404)
        return _File(key=linked.key, mime=linked.mime, size=size)

    async def _give(self, file: _File, part: tuple[int, int] | None, receive: Receive, send: Send) -> None:
        """Send the file, or that part of it. The first bytes are read before anything is sent, so that a store that is
        away is an answer. Raises _Refused, ClipsUnavailable."""
        pieces = self._pieces(file, part)
        try:
            piece = await anext(pieces, b"")
        except KeyError:
            raise _Refused(404) from None
        headers = [(name.encode(), value.encode()) for name, value in file.headers(part).items()]
        await send({"type": "http.response.start", "status": 206 if part else 200, "headers": headers})
        leaving = asyncio.create_task(_left(receive))
        try:
            async with asyncio.timeout(DOWNLOAD_SECONDS):
                while piece and not leaving.done():
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                    piece = await anext(pieces, b"")
        except (ClipsUnavailable, KeyError, TimeoutError) as error:
            # The end is missing, and the server closes the connection: whoever downloads sees that.
            log.warning("media.cut", why=type(error).__name__)
        else:
            if not leaving.done():
                await send({"type": "http.response.body", "body": b""})
        finally:
            leaving.cancel()

    async def _pieces(self, file: _File, part: tuple[int, int] | None) -> AsyncIterator[bytes]:
        start, stop = part or (0, None)
        async for chunk in self._clips.open(file.key, start=start, stop=stop):
            whole = memoryview(chunk)
            for begin in range(0, len(whole), PIECE_BYTES):
                yield bytes(whole[begin : begin + PIECE_BYTES])


def _asked_part(file: _File, headers: Headers) -> tuple[int, int] | None:
    """What part of the file is asked for; None for all of it. Raises _Refused."""
    wanted = headers.getlist("range")
    if len(wanted) != 1 or headers.get("if-range", file.etag) != file.etag:
        return None
    try:
        return part_of(wanted[0], file.size)
    except Unsatisfiable:
        raise _Refused(416, {"content-range": f"bytes */{file.size}"}) from None


async def _left(receive: Receive) -> None:
    """Ends when whoever asked has hung up: to go on reading the file would be for nobody."""
    with contextlib.suppress(BodyRefused, SenderLeft):
        while (await receive())["type"] != "http.disconnect":
            continue
