"""A way to PostgreSQL that is cut when a test says so: a proxy on 127.0.0.1 before the server.

async with cutting(url) as way:
    way.cut_commit(3, answered=True)    # the third COMMIT from now is made, and nobody hears of it
    ... a client works on way.url ...
    way.closed = True                   # nobody gets through, and whoever was through is cut off
"""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from sqlalchemy import make_url

_BEGIN = b"BEGIN"
_COMMIT = b"COMMIT\0"
_QUERY = b"Q"


@dataclass
class Way:
    """The proxy. ``commits`` counts those that were asked for, ``cuts`` the connections that were cut at one."""

    socket: str
    url: str = ""
    commits: int = 0
    cuts: int = 0
    _cut_at: int = 0
    _answered: bool = False
    _stays_away: bool = False
    _of: bytes = b""
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _closed: bool = False

    def cut_commit(self, number: int, *, answered: bool, stays_away: bool = False, of: bytes = b"") -> None:
        """Cut the connection at that COMMIT from now, 1 being the next: before the server has it, or once it is made
        and before its answer is heard (``answered``). With ``stays_away`` nobody gets through from then on. Only
        transactions in which ``of`` was said count."""
        self._cut_at, self._answered = self.commits + number, answered
        self._stays_away, self._of = stays_away, of

    @property
    def closed(self) -> bool:
        """Whether nobody gets through."""
        return self._closed

    @closed.setter
    def closed(self, closed: bool) -> None:
        self._closed = closed
        if closed:
            for writer in list(self._open):
                writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either side leaves or it is cut."""
        if self._closed:
            writer.transport.abort()
            return
        theirs, ours = await asyncio.open_unix_connection(self.socket)
        self._open |= {writer, ours}
        silent = asyncio.Event()
        asking = asyncio.create_task(self._ask(reader, ours, silent))
        answering = asyncio.create_task(self._answer(theirs, writer, silent))
        try:
            await asyncio.wait({asking, answering}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (asking, answering):
                task.cancel()
            await asyncio.gather(asking, answering, return_exceptions=True)
            self._open -= {writer, ours}
            self.closed |= silent.is_set() and self._stays_away
            for one in (writer, ours):
                one.transport.abort()

    async def _ask(self, reader: asyncio.StreamReader, ours: asyncio.StreamWriter, silent: asyncio.Event) -> None:
        """What the client says, message by message (protocol 3.0: the first has no letter before its length)."""
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            letter, said = b"", b""
            while True:
                head = await reader.readexactly(4)
                body = await reader.readexactly(struct.unpack(">I", head)[0] - 4)
                said = body if body.startswith(_BEGIN) else said + body
                if letter == _QUERY and body == _COMMIT and self._of in said:
                    self.commits += 1
                    if self.commits == self._cut_at:
                        self.cuts += 1
                        silent.set()
                        if not self._answered:
                            return
                ours.write(letter + head + body)
                await ours.drain()
                letter = await reader.readexactly(1)

    async def _answer(self, theirs: asyncio.StreamReader, writer: asyncio.StreamWriter, silent: asyncio.Event) -> None:
        """What the server says, up to what nobody is to hear."""
        with contextlib.suppress(OSError):
            while (data := await theirs.read(65_536)) and not silent.is_set():
                writer.write(data)
                await writer.drain()


@asynccontextmanager
async def cutting(url: str) -> AsyncIterator[Way]:
    """A way to the database at that URL, whose server listens on a Unix socket."""
    folder = parse_qs(urlsplit(url).query)["host"][0]
    way = Way(socket=f"{folder}/.s.PGSQL.5432")
    server = await asyncio.start_server(way.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    address = make_url(url).set(host="127.0.0.1", port=port, query={"sslmode": "disable", "gssencmode": "disable"})
    way.url = address.render_as_string(hide_password=False)
    try:
        yield way
    finally:
        way.closed = True
        server.close()
        await server.wait_closed()
