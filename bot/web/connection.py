"""One HTTP connection with patience and memory that end: uvicorn's own has no limit before a request's headers are
complete."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADERS_SECONDS = 5.0
"""From a connection's (or the next request's) first moment to the end of its headers."""

BODY_SECONDS = 8.0
"""From there to the end of its body; a place that answers slow bodies itself does so sooner."""

LARGEST_HEADERS = 32_000
"""Bytes of a request before its body; Slack sends about one thousand."""

_LINGER_SECONDS = 1.0


class GuardedConnection(HttpToolsProtocol):
    """Hangs up on headers and bodies that are slow, and answers 431 to headers that are large."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._deadline: asyncio.TimerHandle | None = None
        self._header_bytes = 0
        self._in_headers = True
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        super().connection_made(transport)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if self._in_headers:
            room = LARGEST_HEADERS - self._header_bytes
            head, data = data[:room], data[room:]
            self._header_bytes += len(head)
            if self._deadline is None:
                self._expect_headers()
            super().data_received(head)
            # The count begins anew where headers end, so that this speaks of headers alone.
            if self._header_bytes >= LARGEST_HEADERS and not self.transport.is_closing():
                self._refuse_headers()
                return
        if data and not self.transport.is_closing():
            super().data_received(data)

    def on_headers_complete(self) -> None:
        self._forget_deadline()
        self._in_headers, self._header_bytes = False, 0
        # Whatever the path: a body that never ends would hold one of the connections, also after its answer.
        self._deadline = self.loop.call_later(BODY_SECONDS, self.transport.close)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        # A following request's bytes start the next deadline; an idle connection has uvicorn's keep-alive timeout.
        self._forget_deadline()
        self._in_headers = True
        super().on_message_complete()

    def _expect_headers(self) -> None:
        self._forget_deadline()
        self._deadline = self.loop.call_later(HEADERS_SECONDS, self.transport.close)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse_headers(self) -> None:
        self.logger.warning("The headers of a request are too large.")
        self.transport.write(
            b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        )
        # Who is still sending when we close sees a broken connection instead of the answer: read on for a moment.
        self._refused = True
        self.transport.write_eof()
        self._forget_deadline()
        self._deadline = self.loop.call_later(_LINGER_SECONDS, self.transport.close)
