"""``dailies`` with an environment that fails on order: ``python -m tests.faults.failing_bot run``.

Nothing of the product is changed. What it stands on is: the database driver, Python's file calls, the HTTP clients.
Each operation belongs to a kind, and of a kind the n-th fails: alone, or with each so many later one, or with all that
come within some seconds:

    begin     a transaction of the database cannot begin: it is locked
    write     INSERT, UPDATE, DELETE or DDL: input/output error, and the transaction is lost, as SQLite does it
    select    SELECT: the same, in a transaction that only reads or in one that writes
    commit    the disk is full, and the transaction is lost
    file      a file or folder cannot be made, opened for writing, written or cut: the disk is full
    fsync     input/output error
    rename    a file cannot be given a name, by a rename or a link: input/output error
    read      a file or folder cannot be opened for reading, or one of the media store not be read: input/output error
    unsent    no connection to Slack or to the provider
    lost      the request was processed, and the connection closes without an answer
    ack       a message on Slack's socket cannot be sent

Which files these are says ``tests.faults.failing_files``.

The file that FAILING_PLAN names says what fails: a JSON list of what ``Failure`` says. It is read at the start, and
anew after each SIGUSR1, from which counting begins again. Whatever is read and whatever fails is a line of JSON in the
file that FAILING_REPORT names.
"""

import errno
import functools
import itertools
import json
import os
import signal
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import httpx
from aiohttp.connector import BaseConnector

from tests.faults.failing_files import break_files

KINDS = ("begin", "write", "select", "commit", "file", "fsync", "rename", "read", "unsent", "lost", "ack")

_SQL_KINDS = {"BEGIN": "begin", "SELECT": "select"} | dict.fromkeys(
    ("INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP"), "write"
)


@dataclass
class Failure:
    """The ``nth`` operation of a kind fails, and with ``every`` each so many later one; with ``seconds``, all of that
    kind from the nth on for so long."""

    kind: str
    nth: int
    every: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        more = f" and each {self.every} later" if self.every else ""
        return f"{self.kind} {self.nth}{more}" + (f" for {self.seconds:g} s" if self.seconds else "")


class Count:
    """The operations of a failure's kind so far; they come from several threads."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        self._numbers = itertools.count(1)
        self._began: float | None = None

    def strikes(self) -> int | None:
        """Count an operation; its number if it is to fail."""
        number, now = next(self._numbers), time.monotonic()
        past = number - self.failure.nth
        if past == 0:
            self._began = now
        due = past == 0 or (past > 0 and self.failure.every > 0 and past % self.failure.every == 0)
        lasts = self._began is not None and now - self._began < self.failure.seconds
        return number if due or lasts else None


class Plan:
    """What is to fail now."""

    def __init__(self, plan: Path, report: Path) -> None:
        self._plan = plan
        self._report = os.open(report, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._counts: list[Count] = []
        self.read()

    def read(self, *_: object) -> None:
        """Begin anew with what the file says; also as a handler of signals."""
        self._counts = [Count(Failure(**one)) for one in json.loads(self._plan.read_text(encoding="utf-8"))]
        self._say(read=len(self._counts))

    def fails(self, kind: str, what: str) -> bool:
        """Whether this operation is to fail; ``what`` says which one it is, for whoever reads the report."""
        of_kind = (one for one in self._counts if one.failure.kind == kind)
        struck = [number for one in of_kind if (number := one.strikes()) is not None]
        if struck:
            self._say(kind=kind, number=struck[0], what=what)
        return bool(struck)

    def _say(self, **facts: object) -> None:
        os.write(self._report, f"{json.dumps(facts)}\n".encode())


def break_database(plan: Plan) -> None:
    """Every connection that the drivers make from now on."""

    class Cursor(sqlite3.Cursor):
        """Statements that fail take their transaction with them, but for the BEGIN of one that never was."""

        def execute(self, sql: str, *parameters: Any) -> "Cursor":
            self._pass(sql)
            return super().execute(sql, *parameters)

        def executemany(self, sql: str, rows: Any, /) -> "Cursor":
            self._pass(sql)
            return super().executemany(sql, rows)

        def _pass(self, sql: str) -> None:
            kind = _SQL_KINDS.get(sql.split(None, 1)[0].upper(), "")
            if not kind or not plan.fails(kind, " ".join(sql.split())[:160]):
                return
            if kind == "begin":
                raise _from_sqlite("SQLITE_BUSY", "database is locked")
            self.connection.rollback()
            raise _from_sqlite("SQLITE_IOERR_WRITE" if kind == "write" else "SQLITE_IOERR_READ", "disk I/O error")

    class Connection(sqlite3.Connection):
        """Commits that fail leave nothing behind."""

        def cursor(self, factory: Any = Cursor) -> Any:
            return super().cursor(factory)

        def commit(self) -> None:
            if self.in_transaction and plan.fails("commit", "COMMIT"):
                self.rollback()
                raise _from_sqlite("SQLITE_FULL", "database or disk is full")
            super().commit()

    connect = functools.partial(sqlite3.connect, factory=Connection)
    for module in (sqlite3, sqlite3.dbapi2):
        _put(module, "connect", connect)


def _from_sqlite(name: str, text: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorname = name
    return error


def break_network(plan: Plan) -> None:
    """httpx, which speaks to providers and uploads clips, and aiohttp, which speaks Slack's Web API and its socket."""
    really_handle = httpx.AsyncHTTPTransport.handle_async_request
    really_connect, really_request = BaseConnector.connect, aiohttp.ClientSession._request
    really_send = aiohttp.ClientWebSocketResponse.send_str

    async def handle(self: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        what = f"{request.method} {request.url.path}"
        if plan.fails("unsent", what):
            raise httpx.ConnectError("no connection", request=request)
        response = await really_handle(self, request)
        if plan.fails("lost", what):
            await response.aclose()
            raise httpx.ReadError("the connection was reset", request=request)
        return response

    async def connect(self: BaseConnector, request: Any, *more: Any, **named: Any) -> Any:
        if plan.fails("unsent", f"{request.method} {request.url.path}"):
            refused = ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
            raise aiohttp.ClientConnectorError(request.connection_key, refused)
        return await really_connect(self, request, *more, **named)

    async def request(self: aiohttp.ClientSession, method: str, url: Any, **options: Any) -> Any:
        answer = await really_request(self, method, url, **options)
        if plan.fails("lost", f"{method} {urlsplit(str(url)).path}"):
            answer.close()
            raise aiohttp.ServerDisconnectedError
        return answer

    async def send_str(self: aiohttp.ClientWebSocketResponse, data: str, compress: int | None = None) -> None:
        if plan.fails("ack", data[:80]):
            raise ConnectionResetError("Cannot write to closing transport")
        await really_send(self, data, compress)

    _put(httpx.AsyncHTTPTransport, "handle_async_request", handle)
    _put(BaseConnector, "connect", connect)
    _put(aiohttp.ClientSession, "_request", request)
    _put(aiohttp.ClientWebSocketResponse, "send_str", send_str)


def _put(owner: object, name: str, replacement: Callable[..., Any]) -> None:
    """In place of what a module or a class has under that name."""
    setattr(owner, name, replacement)


def main() -> None:
    """Break everything, then be ``dailies``."""
    plan = Plan(Path(os.environ["FAILING_PLAN"]), Path(os.environ["FAILING_REPORT"]))
    signal.signal(signal.SIGUSR1, plan.read)
    break_database(plan)
    break_files(plan.fails)
    break_network(plan)
    from bot.__main__ import main as dailies  # noqa: PLC0415 - only now, over what was broken

    dailies()


if __name__ == "__main__":
    main()
