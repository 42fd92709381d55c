"""An HTTP server in the same event loop as everything else; the order of stopping is ours, not the server's."""

import asyncio
import contextlib
import functools
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn
from starlette.types import ASGIApp

from bot.web.connection import GuardedConnection
from bot.web.crowd import Crowd, most_accepted, most_connections
from bot.web.limits import BACKLOG, LAST_WORDS_SECONDS, MOST_ANSWERS, RECEIVE_BUFFER, STOP_SECONDS


class _QuietServer(uvicorn.Server):
    """uvicorn without its own handling of signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are taken by the program."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """More may wait than are accepted at once: asyncio has told the kernel only of these."""
        await super().startup(sockets=sockets)
        for listener in sockets or []:
            listener.listen(BACKLOG)


class CannotListen(Exception):
    """The address is taken or not ours."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        super().__init__(f"Cannot listen on {host}:{port}. Set HTTP_HOST and HTTP_PORT to an address that is free.")


@contextlib.asynccontextmanager
async def serving(app: ASGIApp, host: str, port: int) -> AsyncIterator[int]:
    """Serve for the block; yields the port in use. Raises CannotListen."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=functools.partial(GuardedConnection, crowd=Crowd(most_connections())),  # type: ignore[arg-type] # is called
        ws="none",
        proxy_headers=False,
        server_header=False,
        limit_concurrency=MOST_ANSWERS,
        backlog=most_accepted(),
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    server = _QuietServer(config)
    listener = _listener(host, port)
    task = asyncio.create_task(server.serve(sockets=[listener]), name="http")
    try:
        yield int(listener.getsockname()[1])
    finally:
        server.should_exit = True
        await task
        if stopped := server.server_state.tasks:
            await asyncio.wait(stopped, timeout=LAST_WORDS_SECONDS)


def _listener(host: str, port: int) -> socket.socket:
    """Connections are taken from here on, and wait until the server has started."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise CannotListen(host, port) from error
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)  # of each connection, too
    return listener
