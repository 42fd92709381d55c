"""Thousands of jobs in flight, without thousands of commands: a job that stands in the bot's SQLite file, copied with
its ask, its thread and its money while the bot is down.

The copies' tasks are asked for at a provider of the test's own, which has every task at work and counts the looks.
"""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from tests.support.backstage import served

_KEYS: dict[str, dict[str, str | None]] = {
    "threads": {"id": "thread", "root_ts": "root"},
    "asks": {"id": "ask", "thread_id": "thread", "unique_key": None, "card_ts": "root"},
    "jobs": {"id": "job", "ask_id": "ask", "thread_id": "thread", "task_id": "task"},
    "attempts": {"job_id": "job", "key": "key", "callback_token": "key"},
    "ledger": {"job_id": "job"},
}
"""The columns that tell one copy from the other, by what is put there."""

_WHERE = {
    "threads": "id = (select thread_id from jobs where id = :job)",
    "asks": "id = (select ask_id from jobs where id = :job)",
    "jobs": "id = :job",
    "attempts": "job_id = :job",
    "ledger": "job_id = :job",
}


def multiply(database: Path, job: str, count: int) -> None:
    """So many copies of that job, each in a thread of its own, its task ``crowd-N`` and its card up to date. Nobody may
    have the file open."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.row_factory = sqlite3.Row
        for table, keys in _KEYS.items():
            for row in connection.execute(f"select * from {table} where {_WHERE[table]}", {"job": job}).fetchall():
                columns = ", ".join(row.keys())
                places = ", ".join(f":{column}" for column in row.keys())  # noqa: SIM118 - a row iterates over values
                connection.executemany(
                    f"insert into {table} ({columns}) values ({places})",
                    ({**dict(row), **_named(keys, number)} for number in range(count)),
                )
        connection.execute("update asks set card_version = version where id like 'crowd-%'")


def _named(keys: dict[str, str | None], number: int) -> dict[str, str | None]:
    words = {
        "thread": f"crowd-thread-{number}",
        "root": f"1000000000.{number:06}",
        "ask": f"crowd-ask-{number}",
        "job": f"crowd-job-{number}",
        "task": f"crowd-{number}",
        "key": f"crowd-key-{number}",
    }
    return {column: None if word is None else words[word] for column, word in keys.items()}


@dataclass(kw_only=True)
class AtWork:
    """A provider that speaks as Muapi does, and whose every task is at work for ever."""

    origin: str = ""
    looked: set[str] = field(default_factory=set)
    """The tasks that were asked for."""


@asynccontextmanager
async def at_work() -> AsyncIterator[AtWork]:
    """Serves until the block ends."""
    seen = AtWork()

    async def look(request: web.Request) -> web.Response:
        task = request.path.split("/")[-2]
        seen.looked.add(task)
        return web.json_response({"id": task, "status": "processing"})

    app = web.Application()
    app.router.add_get("/{anything:.*}", look)
    async with served(app) as origin:
        seen.origin = origin
        yield seen
