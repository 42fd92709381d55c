"""A database that is locked, full, read-only, restarted or gone: what storage says, and that it recovers
by itself."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import event, text

from bot.ports import StorageBusy
from storage import CommitUnknown, Database, NotWritable, migrate, open_storage
from storage.engines import place_of
from tests.contracts.records import NOW, a_cap, a_hold, a_job, put
from tests.support.postgres import Postgres


@pytest.fixture
async def sqlite(sqlite_url: str) -> AsyncIterator[Database]:
    async with open_storage(sqlite_url, alone=False) as opened:
        yield opened


@pytest.fixture
async def postgres_database(postgres_url: str) -> AsyncIterator[Database]:
    async with open_storage(postgres_url, alone=False) as opened:
        yield opened


async def take(database: Database, key: str) -> bool:
    async with database.begin() as tx:
        return await tx.inbox.take("T1", key, NOW)


# SQLite


@pytest.mark.row("F87")
async def test_a_file_locked_by_another_program_is_busy_within_two_seconds_and_readable(
    sqlite: Database, sqlite_url: str
) -> None:
    file = place_of(sqlite_url).file
    assert file is not None
    with sqlite3.connect(file, isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        loop = asyncio.get_running_loop()
        began = loop.time()
        answers = await asyncio.gather(*(take(sqlite, str(each)) for each in range(5)), return_exceptions=True)
        waited = loop.time() - began
        async with sqlite.read() as tx:
            assert await tx.jobs.find("") == ()
        other.execute("ROLLBACK")
    other.close()

    assert [type(answer) for answer in answers] == [StorageBusy] * 5
    assert 1.5 < waited < 2.9
    assert await take(sqlite, "0")


async def pragma(database: Database, statement: str) -> None:
    """On the one connection that writes, outside any transaction."""
    async with database._writing.connect() as connection:
        raw = await connection.get_raw_connection()
        driver: Any = raw.driver_connection
        await driver.execute(statement)


async def test_a_full_disk_is_told_and_the_next_write_works_once_there_is_room(sqlite: Database) -> None:
    await pragma(sqlite, "PRAGMA max_page_count = 1")  # SQLite's own limit, raised to the present size

    with pytest.raises(NotWritable, match="disk is full"):
        async with sqlite.begin() as tx:
            await put(tx, a_job(model="m" * 100_000))
    async with sqlite.read() as tx:
        assert await tx.jobs.find("") == ()

    await pragma(sqlite, "PRAGMA max_page_count = 1000000")
    async with sqlite.begin() as tx:
        await put(tx, a_job(model="m" * 100_000))


@pytest.mark.row("F87")
async def test_a_read_only_file_is_told(sqlite: Database) -> None:
    await pragma(sqlite, "PRAGMA query_only = ON")
    with pytest.raises(NotWritable, match="read-only"):
        await take(sqlite, "event")

    await pragma(sqlite, "PRAGMA query_only = OFF")
    assert await take(sqlite, "event")


async def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(NotWritable, match="cannot be opened"):
        async with open_storage(f"sqlite:///{tmp_path / 'folder.db'}", alone=True):
            pytest.fail("opened a folder")


async def test_a_commit_is_flushed_to_the_disk_and_references_are_checked(sqlite: Database) -> None:
    """FULL is what lets an accepted ask outlive a power cut."""
    async with sqlite._writing.connect() as connection:
        settings = [
            (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar_one()
            for name in ("synchronous", "journal_mode", "foreign_keys")
        ]
    assert settings == [2, "wal", 1]


# PostgreSQL


async def killed(postgres: Postgres, database: Database) -> None:
    """End the database's connections from outside, as a restart of the server does."""
    async with database._writing.connect() as connection:
        name = (await connection.execute(text("SELECT current_database()"))).scalar_one()
    with psycopg.connect(postgres.url, autocommit=True) as connection_of_ours:
        end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s"
        connection_of_ours.execute(end, [name])


@pytest.mark.row("F87")
async def test_after_a_restart_of_the_server_the_next_ask_works(
    postgres: Postgres, postgres_database: Database
) -> None:
    assert await take(postgres_database, "before")
    await killed(postgres, postgres_database)

    assert await take(postgres_database, "after")
    assert not await take(postgres_database, "before")


@pytest.mark.row("F87")
async def test_a_connection_lost_in_a_block_is_busy_and_nothing_was_written(
    postgres: Postgres, postgres_database: Database
) -> None:
    async def lose() -> None:
        async with postgres_database.begin() as tx:
            await tx.inbox.take("T1", "event", NOW)
            await killed(postgres, postgres_database)
            await tx.inbox.take("T1", "another", NOW)

    with pytest.raises(StorageBusy):
        await lose()

    assert await take(postgres_database, "event")


@pytest.mark.row("F86")
@pytest.mark.parametrize("arrived", [True, False], ids=["written", "not written"])
async def test_a_connection_lost_at_the_commit_is_of_unknown_outcome(
    postgres: Postgres, postgres_database: Database, arrived: bool
) -> None:
    """Whether the server had it or not, we cannot know: the answer is the same, and reading back tells."""

    def lose(connection: Any) -> None:
        driver = connection.connection.driver_connection
        pid = driver.info.backend_pid
        if arrived:
            driver.pgconn.send_query(b"COMMIT")
            driver.pgconn.flush()
            wait_until(lambda: not in_transaction(postgres, pid))
        driver.pgconn.finish()

    engine = postgres_database._writing.sync_engine
    event.listen(engine, "commit", lose)
    with pytest.raises(CommitUnknown):
        await take(postgres_database, "event")
    event.remove(engine, "commit", lose)

    assert await take(postgres_database, "event") is not arrived


def in_transaction(postgres: Postgres, pid: int) -> bool:
    """Whether that backend is inside a transaction."""
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        row = connection.execute("SELECT state FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone()
    return row is not None and row[0] != "idle"


def wait_until(true: Callable[[], bool]) -> None:
    """Look again and again, for 10 seconds at most."""
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline


async def test_a_process_that_freezes_in_a_block_does_not_hold_its_locks_for_ever(
    postgres_database: Database,
) -> None:
    """The server ends its connection before its lease has lapsed, so that who takes over is not kept
    waiting."""
    async with postgres_database._writing.connect() as connection:
        shown = await connection.execute(text("SHOW idle_in_transaction_session_timeout"))
    assert shown.scalar_one() == "5s"


async def test_a_lock_that_is_held_too_long_is_busy(postgres_url: str, postgres_database: Database) -> None:
    caps = [a_cap()]
    async with open_storage(postgres_url, alone=False) as other, other.begin() as tx:
        await tx.ledger.hold([a_hold()], caps)
        with pytest.raises(StorageBusy):
            async with postgres_database.begin() as waiting:
                await waiting.ledger.hold([a_hold(job_id="j2")], caps)


@pytest.mark.half_made_ledger(reason="its database is gone before its books could be looked at")
async def test_a_read_only_server_is_told(postgres: Postgres) -> None:
    with postgres.database() as url:
        await migrate(url)
        with psycopg.connect(url, autocommit=True) as connection:
            name = sql.Identifier(connection.info.dbname)
            connection.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name))
        async with open_storage(url, alone=False) as database:
            with pytest.raises(NotWritable, match="read-only"):
                await take(database, "event")


async def test_a_server_that_is_not_there_is_busy() -> None:
    with pytest.raises(StorageBusy):
        async with open_storage("postgresql://nobody@127.0.0.1:1/none", alone=False):
            pytest.fail("opened a server that is not there")
