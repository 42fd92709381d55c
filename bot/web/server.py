"""An HTTP server in the same event loop as everything else; the order of stopping is ours, not the server's."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn
from starlette.types import ASGIApp

from bot.web.connection import GuardedConnection
from bot.web.limits import BACKLOG, MOST_CONNECTIONS, STOP_SECONDS


class _QuietServer(uvicorn.Server):
    """uvicorn without its own handling of signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are taken by the program."""
        yield


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
        http=GuardedConnection,
        ws="none",
        proxy_headers=False,
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,
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


def _listener(host: str, port: int) -> socket.socket:
    """Connections are taken from here on, and wait until the server has started."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise CannotListen(host, port) from error
