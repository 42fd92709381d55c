"""How an emulated service misbehaves on the wire: what `bot.sandbox.faults` orders, done to one HTTP call."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from aiohttp import hdrs, web
from multidict import CIMultiDict

_BLOCK = 64 * 1024
_LOGIN_PAGE = "<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Sign in</h1></body></html>"


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One request to go wrong.

    `kill` ends the bot, `released` says whether a hanging call is to be let go, `error_body` gives the
    service's own JSON for a status.
    """

    request: web.Request
    kill: Callable[[], Awaitable[None]]
    released: Callable[[], bool]
    error_body: Callable[[web.Request, int], object] | None


async def unprocessed(call: Call, action: Mapping[str, object], *, half: bool) -> web.StreamResponse | None:
    """Act before the service has seen the call. None: go on as if nothing had been."""
    if half:
        await _read(call.request, share=0.5)
    elif action.get("read_body"):
        await _read(call.request, share=1.0)
    if action["kind"] == "delay":
        kept = bool(action.get("kept"))
        if kept:
            # Of who has left nothing can be read any more; what was read is there for the handler too.
            await call.request.read()
        await _pause(call, _number(action, "seconds", 0), for_client=not kept)
        return None
    return await _instead(call, action)


async def processed(call: Call, action: Mapping[str, object], response: web.StreamResponse) -> web.StreamResponse:
    """Act on a call that is processed; what is returned takes the place of `response`."""
    kind = action["kind"]
    if kind == "delay":
        await _pause(call, _number(action, "seconds", 0))
        return response
    if response.prepared:
        return await _drop_only(call, kind, response)
    drops_file = isinstance(response, web.FileResponse) and kind in ("kill", "reset", "close")
    if drops_file or kind in ("half_body", "drip", "truncate"):
        return await _mutilate(call, action, _Body.of(call.request, response))
    return await _instead(call, action)


async def answered(call: Call, action: Mapping[str, object], response: web.StreamResponse) -> None:
    """Write `response` in full, then act `after_ms` milliseconds later."""
    await response.prepare(call.request)
    await response.write_eof()
    await asyncio.sleep(_number(action, "after_ms", 0) / 1000)
    await _drop_only(call, action["kind"], response)


async def _instead(call: Call, action: Mapping[str, object]) -> web.StreamResponse:
    """Drop the connection without a byte, or answer something else."""
    kind = action["kind"]
    if kind in ("kill", "reset", "close"):
        return await _drop_only(call, kind, web.Response())
    if kind == "hang":
        await _pause(call, _number(action, "seconds", 3600))
        return await _drop_only(call, "close", web.Response())
    if kind == "endless":
        return await _endless(call.request)
    return _other_answer(call, action)


def _other_answer(call: Call, action: Mapping[str, object]) -> web.Response:
    match action["kind"]:
        case "status":
            return _status(call, action, int(_number(action, "status", 500)))
        case "ratelimit":
            response = _status(call, action, 429)
            if action["retry_after"] is not None:
                response.headers[hdrs.RETRY_AFTER] = str(action["retry_after"])
            return response
        case "html":
            status = int(_number(action, "status", 200))
            return web.Response(status=status, text=str(action.get("body", _LOGIN_PAGE)), content_type="text/html")
        case "redirect":
            status = int(_number(action, "status", 307))
            return web.Response(status=status, headers={hdrs.LOCATION: str(action["location"])})
        case "garbage":
            return web.Response(text='{"code": 200, "data": {"taskId": "tk-', content_type="application/json")
        case kind:
            raise ValueError(f"no fault of the kind {kind!r}")


def _status(call: Call, action: Mapping[str, object], status: int) -> web.Response:
    """An answer with this status; its body the action's, or else the service's own, or else a plain word."""
    body = action.get("body")
    if body is None and "body" not in action:
        body = HTTPStatus(status).phrase if status in set(HTTPStatus) else str(status)
        if call.error_body is not None:
            body = call.error_body(call.request, status)
    as_json = not isinstance(body, str)
    response = web.Response(
        status=status,
        text=json.dumps(body) if as_json else str(body),
        content_type=str(action.get("content_type", "application/json" if as_json else "text/plain")),
    )
    headers = action.get("headers")
    if isinstance(headers, Mapping):
        response.headers.update({str(name): str(value) for name, value in headers.items()})
    return response


async def _drop_only(call: Call, kind: object, response: web.StreamResponse) -> web.StreamResponse:
    """Kill, reset or close; the server's own attempt to send `response` then finds the connection gone."""
    transport = call.request.transport
    if kind == "kill":
        await call.kill()
        kind = "reset"
    # Who was killed may have closed its end meanwhile, and with it ours.
    if transport is not None and not transport.is_closing():
        if kind == "reset":
            # Without lingering, closing a socket sends RST instead of FIN.
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
        elif kind == "close":
            transport.close()
    return response


async def _read(request: web.Request, *, share: float) -> None:
    """Read and forget this share of the request's body, as far as its length is known."""
    limit = request.content_length
    goal = None if limit is None else int(limit * share)
    seen = 0
    while goal is None or seen < goal:
        block = await request.content.read(_BLOCK if goal is None else min(_BLOCK, goal - seen))
        if not block:
            return
        seen += len(block)


async def _pause(call: Call, seconds: float, *, for_client: bool = True) -> None:
    """Wait, but no longer than the rules stand, nor, where it is ``for_client``, than the client does."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while (left := end - loop.time()) > 0 and not call.released():
        transport = call.request.transport
        if for_client and (transport is None or transport.is_closing()):
            return
        await asyncio.sleep(min(left, 0.02))


async def _endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={hdrs.CONTENT_TYPE: "video/mp4"})
    await response.prepare(request)
    while True:  # ends with the connection: writing to one that is gone raises
        await response.write(bytes(_BLOCK))
        await asyncio.sleep(0)


def _number(action: Mapping[str, object], name: str, default: float) -> float:
    value = action.get(name, default)
    if isinstance(value, (int, float)):
        return float(value)
    raise ValueError(f"fault action: {name} must be a number, not {value!r}")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Body:
    """An answer that has not been sent: its head, and its `size` bytes from `offset` in `source`."""

    status: int
    headers: CIMultiDict[str]
    source: bytes | Path
    offset: int
    size: int

    @classmethod
    def of(cls, request: web.Request, response: web.StreamResponse) -> _Body:
        """Take apart what a handler has returned; of a file the range that the request asks for."""
        headers = CIMultiDict(response.headers)
        headers.popall(hdrs.CONTENT_LENGTH, None)
        if isinstance(response, web.FileResponse):
            path = response._path  # noqa: SLF001 - aiohttp has no public word for it
            total = path.stat().st_size
            start, stop, _ = request.http_range.indices(total)
            partial = hdrs.RANGE in request.headers
            if partial:
                headers[hdrs.CONTENT_RANGE] = f"bytes {start}-{stop - 1}/{total}"
            return cls(
                status=206 if partial else response.status,
                headers=headers,
                source=path,
                offset=start,
                size=stop - start,
            )
        body = response.body if isinstance(response, web.Response) else b""
        data = bytes(body) if isinstance(body, (bytes, bytearray)) else b""
        return cls(status=response.status, headers=headers, source=data, offset=0, size=len(data))

    async def blocks(self, size: int, block: int = _BLOCK) -> AsyncIterator[bytes]:
        """The first `size` bytes."""
        if isinstance(self.source, bytes):
            for at in range(0, size, block):
                yield self.source[at : min(at + block, size)]
            return
        with self.source.open("rb") as file:
            file.seek(self.offset)
            while size > 0 and (data := file.read(min(block, size))):
                size -= len(data)
                yield data


async def _mutilate(call: Call, action: Mapping[str, object], body: _Body) -> web.StreamResponse:
    """Send only a part of an answer, or all of it slowly."""
    kind = action["kind"]
    response = web.StreamResponse(status=body.status, headers=body.headers)
    sent, block, pause = body.size // 2, _BLOCK, 0.0
    if kind == "truncate":
        sent = int(body.size * _number(action, "fraction", 0.5))
    elif kind == "drip":
        sent = body.size
        speed = _number(action, "bytes_per_second", 1)
        block = max(1, int(speed / 10))
        pause = block / speed
    if kind == "half_body" and action.get("chunked"):
        response.enable_chunked_encoding()
    else:
        response.content_length = sent if kind == "truncate" else body.size
    await response.prepare(call.request)
    async for data in body.blocks(sent, block):
        await response.write(data)
        await asyncio.sleep(pause)
    if kind in ("drip", "truncate"):
        await response.write_eof()
        return response
    return await _drop_only(call, "close" if kind == "half_body" else kind, response)
