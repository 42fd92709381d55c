"""The page's WebSocket: every onlooker gets the whole state once, and from then on what changes."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web

from ..changes import Changes
from .drawing import Json
from .feed import Feed

_PAUSE_SECONDS = 0.04
"""A burst of changes goes out as one message."""

_REST = 9
"""So many times as long as a look took does the next one wait: with thousands of messages, too, the server has
nine tenths of its time for others."""

_LOOK_SECONDS = 1.0
"""Some things change without a sign (a fault that fired): they are looked at this often."""

_BACKLOG = 256
"""Messages that may wait for one slow onlooker. Past it the socket is closed, and the page starts afresh."""

_HEARTBEAT_SECONDS = 20.0
_ENDINGS = frozenset({WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR})


@dataclass(kw_only=True, eq=False)
class _Onlooker:
    """One open page."""

    socket: web.WebSocketResponse
    waiting: asyncio.Queue[str] = field(default_factory=lambda: asyncio.Queue(_BACKLOG))
    sender: asyncio.Task[None] | None = None

    async def send(self) -> None:
        """Send what waits, for ever; the socket ends with it."""
        try:
            while True:
                await self.socket.send_str(await self.waiting.get())
        except ConnectionError:
            return
        finally:
            await self.socket.close()


class Live:
    """All open pages. The state is compared once for all of them, and only while there are any."""

    def __init__(self, feed: Feed, changes: Changes) -> None:
        self._feed = feed
        self._changes = changes
        self._onlookers: set[_Onlooker] = set()
        self._pump: asyncio.Task[None] | None = None

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """``GET /page/live``."""
        socket = web.WebSocketResponse(heartbeat=_HEARTBEAT_SECONDS)
        await socket.prepare(request)
        onlooker = _Onlooker(socket=socket)
        self._tell_changes()  # the others first: comparing anew below would swallow what they have not heard
        onlooker.waiting.put_nowait(_text(self._feed.state()))
        onlooker.sender = asyncio.create_task(onlooker.send())
        self._onlookers.add(onlooker)
        if self._pump is None or self._pump.done():
            self._pump = asyncio.create_task(self._watch())
        try:
            while (await socket.receive()).type not in _ENDINGS:
                continue
        finally:
            self._onlookers.discard(onlooker)
            onlooker.sender.cancel()
            await asyncio.gather(onlooker.sender, return_exceptions=True)
        return socket

    async def _watch(self) -> None:
        seen, pause = self._changes.seq, _PAUSE_SECONDS
        while self._onlookers:
            seen = await self._changes.wait(seen, _LOOK_SECONDS)
            await asyncio.sleep(pause)
            started = time.monotonic()
            self._tell_changes()
            pause = max(_PAUSE_SECONDS, _REST * (time.monotonic() - started))

    def _tell_changes(self) -> None:
        if not self._onlookers:
            return
        change = self._feed.changes()
        if change is None:
            return
        text = _text(change)
        for onlooker in tuple(self._onlookers):
            try:
                onlooker.waiting.put_nowait(text)
            except asyncio.QueueFull:
                self._onlookers.discard(onlooker)
                if onlooker.sender is not None:
                    onlooker.sender.cancel()

    async def close(self, _app: web.Application) -> None:
        """Ends every page's socket when the server goes down."""
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)
        await asyncio.gather(*(one.socket.close() for one in tuple(self._onlookers)))


def _text(message: Json) -> str:
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False)
