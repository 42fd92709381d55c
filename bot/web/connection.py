"""One HTTP connection with patience and memory that end, and one line in the log for what it refuses: uvicorn's own
has no limit before a request's headers are complete."""

import asyncio
from enum import Enum, auto
from typing import Any

import httptools
import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from bot.web.body import REFUSED
from bot.web.crowd import Crowd
from bot.web.limits import ANSWER_SECONDS, BODY_SECONDS, HEADERS_SECONDS, LARGEST_HEADERS, LINGER_SECONDS

log = structlog.get_logger(__name__)


class _Phase(Enum):
    """What the next byte belongs to."""

    NOTHING = auto()
    """No request yet, or none after the last."""

    HEADERS = auto()
    BODY = auto()

    DEAF = auto()
    """Nobody: it is thrown away until the connection closes."""


class GuardedConnection(HttpToolsProtocol):
    """Answers 408 to headers that are slow, 431 to large ones and 400 to what is not HTTP; hangs up on bodies that
    outlast their answer, on who does not take an answer, and on who connects and says nothing, as a load balancer does
    to see whether the port is open. It is one of a ``crowd``, which may send it away."""

    def __init__(self, *arguments: Any, crowd: Crowd, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._crowd = crowd
        self._deadline: asyncio.TimerHandle | None = None
        self._taking: asyncio.TimerHandle | None = None
        self._phase = _Phase.NOTHING
        self._header_bytes = 0

    # What asyncio calls.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        super().connection_made(transport)
        self._expect_headers()
        self._crowd.came(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._crowd.left(self)
        self._forget_deadline()
        self._answer_is_taken()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._taking = self.loop.call_later(ANSWER_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        self._answer_is_taken()
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        if self._phase in {_Phase.NOTHING, _Phase.HEADERS}:
            room = LARGEST_HEADERS - self._header_bytes
            head, data = data[:room], data[room:]
            self._header_bytes += len(head)
            if self._deadline is None:
                self._expect_headers()
            self._feed(head)
            # The count begins anew where headers end, so that this speaks of headers alone.
            if self._header_bytes >= LARGEST_HEADERS:
                self._refuse(431, "headers too large")
        if data:
            self._feed(data)

    def _feed(self, data: bytes) -> None:
        if self._phase is _Phase.DEAF or self.transport.is_closing():
            return
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # The request is answered as if it had not asked; what follows it is in another protocol.
            self._phase = _Phase.DEAF
            self.cycle.keep_alive = False
        except httptools.HttpParserError:
            self._refuse(400, "not HTTP")

    # What the parser calls.

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._phase = _Phase.HEADERS
        self._expect_headers()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()  # raises for an address that is none, and is then as if it had not been called
        self._crowd.asked(self)
        self._forget_deadline()
        self._phase, self._header_bytes = _Phase.BODY, 0
        # Silent, since whoever reads a body answers a slow one sooner, and whoever does not has answered.
        self._deadline = self.loop.call_later(BODY_SECONDS, self.transport.close)

    def on_message_complete(self) -> None:
        # A following request's bytes start the next deadline; an idle connection has uvicorn's keep-alive timeout.
        self._forget_deadline()
        self._phase = _Phase.NOTHING
        super().on_message_complete()

    # What uvicorn and the crowd call.

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete:  # that of the newest request: no other one waits
            self._crowd.answered(self)

    def shutdown(self) -> None:
        """Whoever is still sending a body is told at once: when it is whole, nobody would be there for it."""
        if self._phase is _Phase.BODY and not self._is_answered() and self._may_answer():
            self._refuse(503, "stopping")
        else:
            super().shutdown()

    def turn_away(self) -> None:
        """Close at once and without a word."""
        self.transport.abort()

    # What time calls.

    def timeout_keep_alive_handler(self) -> None:
        """Nothing came after an answer; when something has come, its own deadline counts."""
        if self._phase is _Phase.NOTHING:
            super().timeout_keep_alive_handler()

    def _headers_are_late(self) -> None:
        if self._phase is _Phase.HEADERS:
            self._refuse(408, "headers too slow")
        else:
            self.transport.close()

    def _expect_headers(self) -> None:
        self._forget_deadline()
        self._deadline = self.loop.call_later(HEADERS_SECONDS, self._headers_are_late)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _answer_is_taken(self) -> None:
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None

    def _refuse(self, status: int, why: str) -> None:
        """Answer without an application, log it, and close."""
        if self._phase is _Phase.DEAF or self.transport.is_closing():
            return
        if self._is_answered():
            self.transport.close()
            return
        log.warning("http.refused", status=status, why=why)
        if self._may_answer():
            self._answer(status)
            # Who is still sending when we close sees a broken connection instead of the answer: listen for a moment.
            self.transport.write_eof()
            self._forget_deadline()
            self._deadline = self.loop.call_later(LINGER_SECONDS, self.transport.close)
        else:
            self.transport.close()
        self._phase = _Phase.DEAF

    def _is_answered(self) -> bool:
        """Whether the request has its answer, and its line in the log if it needs one, before the end of its body."""
        return self._phase is _Phase.BODY and self.cycle.response_complete

    def _may_answer(self) -> bool:
        """Whether the next bytes to the sender would be the answer to what is refused: not while an earlier request,
        or a part of this one's answer, is under way."""
        if self.cycle is None or self.cycle.response_complete:  # type: ignore[redundant-expr] # uvicorn hides its None
            return True
        return self._phase is _Phase.BODY and not self.cycle.response_started and not self.pipeline

    def _answer(self, status: int) -> None:
        if self._phase is _Phase.BODY:
            # The application is told that the sender has left; whatever it says now is not sent.
            self.scope["state"][REFUSED] = True
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.write(STATUS_LINE[status] + b"content-length: 0\r\nconnection: close\r\n\r\n")
