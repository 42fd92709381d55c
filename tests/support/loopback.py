"""A real server on 127.0.0.1 that answers as a test says, down to single bytes and broken connections.

async with serving(answering(200, b'{"code": 200}')) as server:
    ... a client asks server.origin ...
    assert server.accepted == 1
"""

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One whole request. Names of headers are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(kw_only=True)
class Loopback:
    """What the server saw. ``accepted`` counts connections, ``asked`` has every whole request in order."""

    port: int = 0
    accepted: int = 0
    asked: list[Asked] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a client has left."""

    @property
    def origin(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return f"http://127.0.0.1:{self.port}"


Answer = Callable[[asyncio.StreamWriter, Asked], Awaitable[None]]
"""Writes an answer, or does whatever else a server may do."""


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[Loopback]:
    """Serve until the block ends. A connection is kept and used for the next request unless the answer closes it."""
    seen = Loopback()
    conversations: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.accepted += 1
        try:
            while (asked := await _read(reader)) is not None:
                seen.asked.append(asked)
                await answer(writer, asked)
                await writer.drain()
        except OSError:
            seen.left.set()
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            seen.left.set()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(talk(reader, writer))
        conversations.add(task)
        task.add_done_callback(conversations.discard)

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    seen.port = server.sockets[0].getsockname()[1]
    try:
        yield seen
    finally:
        server.close()
        for task in list(conversations):
            task.cancel()
        await asyncio.gather(*conversations, return_exceptions=True)
        await server.wait_closed()


def unused_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def whole(status: int, body: bytes | object = b"", **headers: str) -> bytes:
    """An answer with its length. A body that is not bytes is sent as JSON; ``_`` in names of headers stands for a
    dash."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {value}" for name, value in given.items())]
    if not {"content-length", "transfer-encoding"} & set(given):
        lines.append(f"content-length: {len(content)}")
    return "\r\n".join([*lines, "", ""]).encode() + content


def answering(status: int, body: bytes | object = b"", **headers: str) -> Answer:
    """Answers every request so; see ``whole``."""
    return sending(whole(status, body, **headers))


def sending(data: bytes, *, close: bool = False) -> Answer:
    """Sends these very bytes; ``close`` ends the connection in an orderly way after them."""

    async def answer(writer: asyncio.StreamWriter, _: Asked) -> None:
        writer.write(data)
        await writer.drain()
        if close:
            writer.close()

    return answer


async def reset(writer: asyncio.StreamWriter, _: Asked) -> None:
    """Tears the connection down with a TCP RST."""
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def silent(_: asyncio.StreamWriter, __: Asked) -> None:
    """Takes the request and never says a word."""
    await asyncio.Event().wait()


def dripping(data: bytes, *, every: float = 0.01) -> Answer:
    """Sends a byte at a time, for ever: the last one again and again."""

    async def answer(writer: asyncio.StreamWriter, _: Asked) -> None:
        for byte in data:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(every)
        while True:
            writer.write(data[-1:])
            await writer.drain()
            await asyncio.sleep(every)

    return answer


def endless(head: bytes) -> Answer:
    """Sends the head, then as much as anybody takes."""

    async def answer(writer: asyncio.StreamWriter, _: Asked) -> None:
        writer.write(head)
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()

    return answer


async def _read(reader: asyncio.StreamReader) -> Asked | None:
    """The next request; None when the client has left."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(method=method, target=target, headers=headers, body=body)
