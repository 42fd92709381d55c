"""A request's whole body, bounded in size and time, before an application looks at it."""

import asyncio
from collections.abc import Iterable

from starlette.types import Message, Receive, Scope

from bot.web.limits import DRAIN_SECONDS, DRAINED_BYTES, LARGEST_BODY, READ_SECONDS

REFUSED = "dailies.refused"
"""Set in a request's ``state`` by the connection when it has answered by itself, and has logged that: the sender whom
an application then takes for gone has not hung up."""

_MOST_DIGITS = 12


class BodyRefused(Exception):
    """The request is to be answered with ``status`` (408 or 413); ``why`` is a word of ours."""

    def __init__(self, status: int, why: str) -> None:
        self.status, self.why = status, why
        super().__init__(f"{status}: {why}")


class SenderLeft(Exception):
    """The sender hung up before the end of its body."""


class WholeBody:
    """A ``receive`` of ASGI that gives the whole body in its first message.

    Nothing is read before it is asked for: an application that refuses a request by its method does so at once.
    Asking raises BodyRefused or SenderLeft, which an application lets pass.
    """

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
        self._receive = receive
        self._given = False

    async def __call__(self) -> Message:
        """The body, and afterwards whatever follows it."""
        if self._given:
            return await self._receive()
        self._given = True
        return {"type": "http.request", "body": await self._read(), "more_body": False}

    async def _read(self) -> bytes:
        """The body, counted as it comes: what Content-Length says is only a reason to be shorter with it."""
        too_large = self._announces_too_much()
        if too_large and self._asks_first():
            raise BodyRefused(413, "body too large")
        body, size, more = bytearray(), 0, True
        try:
            async with asyncio.timeout(DRAIN_SECONDS if too_large else READ_SECONDS):
                while more and size <= LARGEST_BODY + DRAINED_BYTES:
                    chunk, more = await self._chunk()
                    size += len(chunk)
                    if too_large := too_large or size > LARGEST_BODY:
                        body.clear()
                    else:
                        body += chunk
        except TimeoutError:
            if not too_large:
                raise BodyRefused(408, "body too slow") from None
        if too_large:
            raise BodyRefused(413, "body too large")
        return bytes(body)

    async def _chunk(self) -> tuple[bytes, bool]:
        """The next piece, and whether more follows."""
        message = await self._receive()
        if message["type"] != "http.request":
            raise SenderLeft
        return message.get("body", b""), message.get("more_body", False)

    def _announces_too_much(self) -> bool:
        announced = next((value for name, value in self._headers if name == b"content-length"), b"")
        # Digits are counted first, since `int` raises for thousands of them.
        return announced.isdigit() and (len(announced) > _MOST_DIGITS or int(announced) > LARGEST_BODY)

    def _asks_first(self) -> bool:
        """``Expect: 100-continue``: reading would tell the sender to go on."""
        return any(name == b"expect" and value.lower() == b"100-continue" for name, value in self._headers)
