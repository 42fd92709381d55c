"""A request's whole body, bounded in size and time, before an application looks at it."""

import asyncio
from collections.abc import Iterable

from starlette.types import Message, Receive, Scope

from bot.web.limits import DRAIN_SECONDS, DRAINED_BYTES, LARGEST_BODY, READ_SECONDS, SMALL_BODY

REFUSED = "dailies.refused"
"""Set in a request's ``state`` by the connection when it has answered by itself, and has logged that: the sender whom
an application then takes for gone has not hung up."""

_MOST_DIGITS = 12


class BodyRefused(Exception):
    """The request is to be answered with ``status`` (408, 413 or 503); ``why`` is a word of ours."""

    def __init__(self, status: int, why: str) -> None:
        self.status, self.why = status, why
        super().__init__(f"{status}: {why}")


class SenderLeft(Exception):
    """The sender hung up before the end of its body."""


class Allowance:
    """Bytes that all large bodies together may take of the memory: anybody can send them, and who they are is known
    only when they are whole."""

    def __init__(self, most: int) -> None:
        self._left = most

    def take(self, size: int) -> bool:
        """Whether so many bytes were left; they are taken then."""
        if size > self._left:
            return False
        self._left -= size
        return True

    def give_back(self, size: int) -> None:
        """These bytes are not held any more."""
        self._left += size


class WholeBody:
    """A ``receive`` of ASGI that gives the whole body in its first message.

    Nothing is read before it is asked for: an application that refuses a request by its method or headers does so at
    once. Asking raises BodyRefused or SenderLeft, which an application lets pass. What is beyond SMALL_BODY counts
    against the ``allowance`` until ``let_go``.
    """

    def __init__(self, scope: Scope, receive: Receive, allowance: Allowance) -> None:
        self._headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
        self._receive = receive
        self._allowance, self._taken = allowance, 0
        self._given = False

    async def __call__(self) -> Message:
        """The body, and afterwards whatever follows it."""
        if self._given:
            return await self._receive()
        self._given = True
        return {"type": "http.request", "body": await self._read(), "more_body": False}

    def let_go(self) -> None:
        """Nobody needs the body any more."""
        self._allowance.give_back(self._taken)
        self._taken = 0

    async def _read(self) -> bytes:
        """The body, counted as it comes: what Content-Length says is only a reason to be shorter with it. What is
        refused is read on for a while, and thrown away."""
        refusal = _too_large() if self._announces_too_much() else None
        if refusal and self._asks_first():
            raise refusal
        body, size, more = bytearray(), 0, True
        try:
            async with asyncio.timeout(DRAIN_SECONDS if refusal else READ_SECONDS) as patience:
                while more and size <= LARGEST_BODY + DRAINED_BYTES:
                    chunk, more = await self._chunk()
                    size += len(chunk)
                    if refusal:
                        continue
                    if refusal := self._beyond_bounds(size):
                        body.clear()
                        self.let_go()
                        patience.reschedule(asyncio.get_running_loop().time() + DRAIN_SECONDS)
                    else:
                        body += chunk
        except TimeoutError:
            refusal = refusal or BodyRefused(408, "body too slow")
        if refusal:
            raise refusal
        return bytes(body)

    def _beyond_bounds(self, size: int) -> BodyRefused | None:
        """What speaks against a body that has this size already."""
        if size > LARGEST_BODY:
            return _too_large()
        further = max(0, size - SMALL_BODY) - self._taken
        if not self._allowance.take(further):
            return BodyRefused(503, "too many bodies")
        self._taken += further
        return None

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


def _too_large() -> BodyRefused:
    return BodyRefused(413, "body too large")
