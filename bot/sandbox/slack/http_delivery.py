"""Slack over HTTP: signed requests to the app's Request URL, and the choice between them and Socket Mode.

https://docs.slack.dev/apis/events-api/using-http-request-urls
https://docs.slack.dev/authentication/verifying-requests-from-slack

The faults at point ``slack:envelope`` (see ``sockets``) are taken here too: ``slow``, and ``kill`` once the request is
on the wire (``sent``) or its answer has come back (``acked``).
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import secrets
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from urllib.parse import urlencode

import aiohttp

from ..faults import Faults
from .calls import SIGNING_SECRET
from .settings import Settings
from .sockets import (
    Acknowledgement,
    Envelope,
    EnvelopeType,
    NoAcknowledgement,
    NotConnected,
    SocketMode,
    Undelivered,
    figure,
)
from .wire import Json, Misuse

_FORM = "application/x-www-form-urlencoded"
_USER_AGENT = "Slackbot 1.0 (+https://api.slack.com/robots)"
_VERIFY_SECONDS = 3.0


class RefusedByApp(Undelivered):
    """The app answered with a status that is no success."""

    reason = "http_error"

    def __init__(self, status: int, *, again: bool) -> None:
        self.status = status
        self.again = again
        super().__init__(f"the app answered {status}")


class HttpDelivery:
    """Requests to the app's one URL. Each delivery is noted in ``log`` beside those over sockets, as socket 0."""

    def __init__(
        self,
        *,
        faults: Faults,
        settings: Callable[[], Settings],
        changed: Callable[[], None],
        log: deque[Envelope],
    ) -> None:
        self._faults = faults
        self._settings = settings
        self._changed = changed
        self._log = log
        self._session: aiohttp.ClientSession | None = None
        self._answering = ""

    @property
    def is_answered(self) -> bool:
        """Whether the app took the last request to the URL that is set now: the challenge, or a delivery."""
        return bool(self._answering) and self._answering == self._settings().delivery.url

    def forget_answers(self) -> None:
        """Another process is the app from now on: what the one before it took says nothing about it."""
        self._answering = ""

    async def deliver(
        self,
        kind: EnvelopeType,
        payload: Json,
        *,
        timeout: float,
        event_id: str | None = None,
        retry_attempt: int = 0,
        retry_reason: str = "",
    ) -> Acknowledgement:
        """Posts one request and waits for the answer. Raises `NotConnected` when nobody takes it,
        `NoAcknowledgement` after ``timeout`` seconds, `RefusedByApp` for any other status than 2xx."""
        fault = self._faults.take("slack:envelope", "do", {"type": kind, "event_id": event_id or ""})
        if fault is not None and fault["kind"] == "slow":
            await asyncio.sleep(figure(fault, "seconds", 1.0))
        content_type, body = _encoded(kind, payload)
        headers = self._headers(content_type, body)
        if retry_attempt:
            headers |= {"X-Slack-Retry-Num": str(retry_attempt), "X-Slack-Retry-Reason": retry_reason}
        envelope = Envelope(
            id=str(uuid.uuid4()),
            type=kind,
            socket=0,
            sent_at=time.time(),
            event_id=event_id,
            retry_attempt=retry_attempt,
        )
        self._log.append(envelope)
        killing = fault if fault is not None and fault["kind"] == "kill" else None
        url = self._settings().delivery.url
        try:
            acknowledgement = await self._exchange(envelope, headers, body, timeout, killing)
        except Undelivered:
            self._note_answer("")
            raise
        self._note_answer(url)
        return acknowledgement

    async def verify_url(self) -> None:
        """Asks the URL to return a challenge, as Slack does when it is set. Raises `Misuse`."""
        challenge = secrets.token_hex(20)
        url = self._settings().delivery.url
        self._note_answer("")
        body = json.dumps(
            {"type": "url_verification", "token": "sandbox-verification-token", "challenge": challenge}
        ).encode()
        try:
            status, answer, _ = await self._post(self._headers("application/json", body), body, _VERIFY_SECONDS)
        except (aiohttp.ClientError, TimeoutError) as problem:
            raise Misuse("url_verification_failed", type(problem).__name__) from problem
        if status != 200 or challenge not in answer:
            raise Misuse("url_verification_failed", f"status {status} without the challenge")
        self._note_answer(url)

    def _note_answer(self, url: str) -> None:
        if url != self._answering:
            self._answering = url
            self._changed()

    def _headers(self, content_type: str, body: bytes) -> dict[str, str]:
        stamp = str(int(time.time() + self._settings().delivery.clock_ahead))
        signed = hmac.new(SIGNING_SECRET.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256)
        return {
            "Content-Type": content_type,
            "User-Agent": _USER_AGENT,
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": f"v0={signed.hexdigest()}",
        }

    async def _exchange(
        self,
        envelope: Envelope,
        headers: Mapping[str, str],
        body: bytes,
        limit: float,
        killing: Mapping[str, object] | None,
    ) -> Acknowledgement:
        started = time.monotonic()
        sent = asyncio.Event()
        posting = asyncio.create_task(self._post(headers, body, limit, sent))
        # Also when nothing could be sent: then there is nobody to be killed.
        posting.add_done_callback(lambda _: sent.set())
        try:
            await sent.wait()
            await self._kill_if(killing, "sent")
            status, answer, answered = await posting
        except TimeoutError as problem:
            raise NoAcknowledgement(limit, reason="http_timeout") from problem
        except aiohttp.ClientError as problem:
            raise NotConnected from problem
        finally:
            posting.cancel()
        if not 200 <= status < 300:
            raise RefusedByApp(status, again=answered.get("X-Slack-No-Retry") != "1")
        envelope.acked = True
        envelope.ack_seconds = round(time.monotonic() - started, 4)
        self._changed()
        await self._kill_if(killing, "acked")
        return Acknowledgement(payload=_said(answer), seconds=envelope.ack_seconds)

    async def _post(
        self, headers: Mapping[str, str], body: bytes, limit: float, sent: asyncio.Event | None = None
    ) -> tuple[int, str, Mapping[str, str]]:
        if self._session is None:
            tracing = aiohttp.TraceConfig()
            tracing.on_request_chunk_sent.append(_note_sent)
            # A connection of its own for each: one that a killed app left behind would fail the next delivery.
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, force_close=True), trace_configs=[tracing], trust_env=False
            )
        async with self._session.post(
            self._settings().delivery.url,
            data=body,
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=limit),
            allow_redirects=False,
            trace_request_ctx=sent,
        ) as response:
            return response.status, await response.text(), response.headers

    async def _kill_if(self, killing: Mapping[str, object] | None, moment: str) -> None:
        if killing is not None and killing.get("when", "sent") == moment:
            await asyncio.sleep(figure(killing, "after_ms", 0.0) / 1000)
            await self._faults.kill_bot()

    async def close(self) -> None:
        """Lets go of the connections."""
        if self._session is not None:
            await self._session.close()


async def _note_sent(
    _: aiohttp.ClientSession, context: SimpleNamespace, __: aiohttp.TraceRequestChunkSentParams
) -> None:
    """Called by aiohttp right before it writes; whoever waits for the event runs after that."""
    if isinstance(context.trace_request_ctx, asyncio.Event):
        context.trace_request_ctx.set()


def _encoded(kind: EnvelopeType, payload: Json) -> tuple[str, bytes]:
    """The media type and the bytes of a payload."""
    if kind == "events_api":
        return "application/json", json.dumps(payload).encode()
    fields = payload if kind == "slash_commands" else {"payload": json.dumps(payload)}
    return _FORM, urlencode(fields).encode()


def _said(answer: str) -> Json | None:
    """What the app said with its answer: a JSON object, or text for a command."""
    if not answer:
        return None
    try:
        said = json.loads(answer)
    except ValueError:
        return {"text": answer}
    return said if isinstance(said, dict) else {"text": answer}


class Delivery:
    """Brings payloads to the app the way that the settings say at that moment."""

    def __init__(self, *, sockets: SocketMode, http: HttpDelivery, settings: Callable[[], Settings]) -> None:
        self._sockets = sockets
        self._http = http
        self._settings = settings

    async def deliver(
        self,
        kind: EnvelopeType,
        payload: Json,
        *,
        accepts_response: bool,
        event_id: str | None = None,
        retry_attempt: int = 0,
        retry_reason: str = "",
    ) -> Acknowledgement:
        """Delivers once, within the time that Slack allows. Raises `Undelivered`."""
        settings = self._settings()
        if settings.delivery.mode == "http":
            return await self._http.deliver(
                kind,
                payload,
                timeout=settings.ack_timeout,
                event_id=event_id,
                retry_attempt=retry_attempt,
                retry_reason=retry_reason,
            )
        return await self._sockets.deliver(
            kind,
            payload,
            accepts_response=accepts_response,
            timeout=settings.ack_timeout,
            event_id=event_id,
            retry_attempt=retry_attempt,
            retry_reason=retry_reason,
        )
