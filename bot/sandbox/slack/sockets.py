"""Socket Mode: tickets, connections, envelopes and their acknowledgements.

https://docs.slack.dev/apis/events-api/using-socket-mode

Faults taken here, at point ``slack:envelope``, phase ``do`` (facts: type, event_id):

``slow``  {seconds = 1} the envelope is sent that much later
``kill``  {when = "sent" | "acked", after_ms = 0} SIGKILL to the bot once the envelope is on the wire, or once
          its acknowledgement has come back
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import WSCloseCode, WSMsgType, web

from ..faults import Faults
from .wire import Json

EnvelopeType = Literal["events_api", "slash_commands", "interactive"]
_KEPT_ENVELOPES = 20_000


class Undelivered(Exception):
    """A payload that the app did not acknowledge. ``reason`` is Slack's word for it, which comes with the retry;
    ``again`` is False when the app asked for none."""

    reason = "unknown_error"
    again = True


class NotConnected(Undelivered):
    """No socket of the app is open, or nobody answers at its URL."""

    reason = "connection_failed"


class NoAcknowledgement(Undelivered):
    """The app did not acknowledge within the time that Slack allows."""

    def __init__(self, seconds: float, *, reason: str = "timeout") -> None:
        self.seconds = seconds
        self.reason = reason
        super().__init__(f"no acknowledgement in {seconds} s")


@dataclass(kw_only=True)
class Envelope:
    """One delivery over one socket (0: over HTTP), as it went."""

    id: str
    type: EnvelopeType
    socket: int
    sent_at: float
    event_id: str | None = None
    retry_attempt: int = 0
    acked: bool = False
    ack_seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class Acknowledgement:
    """The app's answer to an envelope; ``payload`` is what it said with it, if anything."""

    payload: Json | None
    seconds: float


@dataclass(kw_only=True, eq=False)
class Connection:
    """One open WebSocket of the app."""

    number: int
    socket: web.WebSocketResponse
    opened_at: float
    transport: asyncio.Transport | None
    waiting: dict[str, asyncio.Future[Json | None]] = field(default_factory=dict)


class SocketMode:
    """All sockets of the app. Each envelope goes to exactly one of them, in turn."""

    def __init__(self, *, faults: Faults, changed: Callable[[], None], app_id: str) -> None:
        self._faults = faults
        self._changed = changed
        self._app_id = app_id
        self._tickets: set[str] = set()
        self._connections: list[Connection] = []
        self._turn = 0
        self._opened = 0
        self.max_sockets = 10
        self.envelopes: deque[Envelope] = deque(maxlen=_KEPT_ENVELOPES)

    @property
    def connections(self) -> tuple[Connection, ...]:
        """The open sockets, oldest first."""
        return tuple(self._connections)

    def ticket(self) -> str:
        """A ticket for one connection, as ``apps.connections.open`` hands it out."""
        ticket = uuid.uuid4().hex
        self._tickets.add(ticket)
        return ticket

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """The WebSocket endpoint: takes the ticket, says hello, reads acknowledgements until the end."""
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.Response(status=403, text="invalid or used ticket")
        self._tickets.remove(ticket)
        socket = web.WebSocketResponse(heartbeat=None)
        await socket.prepare(request)
        if len(self._connections) >= self.max_sockets:
            await socket.send_json(_farewell("too_many_websockets"))
            await socket.close()
            return socket
        self._opened += 1
        connection = Connection(number=self._opened, socket=socket, opened_at=time.time(), transport=request.transport)
        await socket.send_json(self._hello())
        self._connections.append(connection)
        self._changed()
        try:
            await self._read(connection)
        finally:
            self._connections.remove(connection)
            self._changed()
        return socket

    def _hello(self) -> Json:
        return {
            "type": "hello",
            "num_connections": len(self._connections) + 1,
            "debug_info": {
                "host": "applink-sandbox",
                "build_number": 1,
                "approximate_connection_time": 18060,
            },
            "connection_info": {"app_id": self._app_id},
        }

    async def _read(self, connection: Connection) -> None:
        async for message in connection.socket:
            if message.type is not WSMsgType.TEXT:
                continue
            try:
                answer = json.loads(message.data)
            except ValueError:
                continue  # Slack ignores what is not JSON
            if not isinstance(answer, dict):
                continue
            waiting = connection.waiting.pop(str(answer.get("envelope_id")), None)
            if waiting is not None and not waiting.done():
                payload = answer.get("payload")
                waiting.set_result(payload if isinstance(payload, dict) else _worded(payload))

    async def deliver(
        self,
        kind: EnvelopeType,
        payload: Json,
        *,
        accepts_response: bool,
        timeout: float,
        event_id: str | None = None,
        retry_attempt: int = 0,
        retry_reason: str = "",
    ) -> Acknowledgement:
        """Sends one envelope over one socket and waits for its acknowledgement.

        Raises `NotConnected` when there is no socket and `NoAcknowledgement` after ``timeout`` seconds.
        """
        fault = self._faults.take("slack:envelope", "do", {"type": kind, "event_id": event_id or ""})
        if fault is not None and fault["kind"] == "slow":
            await asyncio.sleep(figure(fault, "seconds", 1.0))
        connection = self._next_connection()
        envelope = Envelope(
            id=str(uuid.uuid4()),
            type=kind,
            socket=connection.number,
            sent_at=time.time(),
            event_id=event_id,
            retry_attempt=retry_attempt,
        )
        frame: Json = {
            "envelope_id": envelope.id,
            "type": kind,
            "payload": payload,
            "accepts_response_payload": accepts_response,
        }
        if kind == "events_api":
            frame |= {"retry_attempt": retry_attempt, "retry_reason": retry_reason}
        killing = fault if fault is not None and fault["kind"] == "kill" else None
        return await self._exchange(connection, envelope, frame, timeout, killing)

    def _next_connection(self) -> Connection:
        alive = [one for one in self._connections if not one.socket.closed]
        if not alive:
            raise NotConnected
        self._turn += 1
        return alive[self._turn % len(alive)]

    async def _exchange(
        self,
        connection: Connection,
        envelope: Envelope,
        frame: Json,
        limit: float,
        killing: Mapping[str, object] | None,
    ) -> Acknowledgement:
        waiting: asyncio.Future[Json | None] = asyncio.get_running_loop().create_future()
        connection.waiting[envelope.id] = waiting
        self.envelopes.append(envelope)
        started = time.monotonic()
        try:
            async with asyncio.timeout(limit):
                await connection.socket.send_json(frame)
                await self._kill_if(killing, "sent")
                payload = await waiting
        except (TimeoutError, ConnectionError) as problem:
            # A socket that died under the envelope looks to Slack like an app that keeps silent.
            await asyncio.sleep(max(0.0, limit - (time.monotonic() - started)))
            raise NoAcknowledgement(limit) from problem
        finally:
            connection.waiting.pop(envelope.id, None)
        envelope.acked = True
        envelope.ack_seconds = round(time.monotonic() - started, 4)
        self._changed()
        await self._kill_if(killing, "acked")
        return Acknowledgement(payload=payload, seconds=envelope.ack_seconds)

    async def _kill_if(self, killing: Mapping[str, object] | None, moment: str) -> None:
        if killing is not None and killing.get("when", "sent") == moment:
            await asyncio.sleep(figure(killing, "after_ms", 0.0) / 1000)
            await self._faults.kill_bot()

    async def disconnect(self, reason: str) -> int:
        """Asks every connected client to go (``warning``, ``refresh_requested``, …); says how many there
        were."""
        asked = self.connections
        for connection in asked:
            await connection.socket.send_json(_farewell(reason))
        return len(asked)

    async def kill(self) -> int:
        """Cuts every connection without a goodbye; says how many there were."""
        cut = self.connections
        for connection in cut:
            if connection.transport is not None:
                connection.transport.abort()
        return len(cut)

    async def close(self) -> None:
        """Closes every socket as a server that goes down does."""
        for connection in self.connections:
            await connection.socket.close(code=WSCloseCode.GOING_AWAY)


def _farewell(reason: str) -> Json:
    return {"type": "disconnect", "reason": reason, "debug_info": {"host": "applink-sandbox"}}


def _worded(payload: Any) -> Json | None:
    """Bolt sends a bare string as the payload of ``ack("text")``; Slack takes it for the text."""
    return {"text": payload} if isinstance(payload, str) and payload else None


def figure(action: Mapping[str, object], name: str, default: float) -> float:
    """A number of a fault's action."""
    return float(str(action.get(name, default)))
