"""The schema's history, on both engines."""

import stat
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import Index, text

from storage import NotWritable, SchemaNewer, SchemaOutdated, migrate, migrations, open_storage
from storage.engines import place_of, plain_engine
from storage.migrations.__main__ import main
from storage.migrations.check import differences
from storage.tables import JobRow, Row
from tests.contracts.records import NOW
from tests.support.postgres import Postgres


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> object:
    """A database without tables, of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    server = cast(Postgres, request.getfixturevalue("postgres"))
    with server.database() as url:
        yield url


def test_the_migrations_build_the_declared_tables(empty_url: str) -> None:
    engine = plain_engine(place_of(empty_url), writing=True)

    assert differences(engine) == []
    engine.dispose()


def test_a_forgotten_migration_is_noticed(empty_url: str) -> None:
    table = Row.metadata.tables["jobs"]
    only = text("take > 1")
    forgotten = Index("ix_forgotten", table.c.person, sqlite_where=only, postgresql_where=only)
    engine = plain_engine(place_of(empty_url), writing=True)
    try:
        (line,) = differences(engine)
    finally:
        table.indexes.remove(forgotten)
        engine.dispose()

    assert line.startswith("only in the declared tables: jobs: index ix_forgotten")


def test_the_check_is_a_command(empty_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", empty_url]) == 0
    assert main([]) == 0
    assert capsys.readouterr().out == ""


async def test_migrating_twice_is_harmless(empty_url: str) -> None:
    await migrate(empty_url)
    async with open_storage(empty_url, alone=False) as storage, storage.begin() as tx:
        await tx.inbox.take("T1", "event", NOW)
    await migrate(empty_url)
    async with open_storage(empty_url, alone=False) as storage, storage.begin() as tx:
        assert not await tx.inbox.take("T1", "event", NOW)


def test_processes_may_migrate_at_once(empty_url: str) -> None:
    command = "import asyncio, sys, storage; asyncio.run(storage.migrate(sys.argv[1]))"
    processes = [subprocess.Popen([sys.executable, "-c", command, empty_url]) for _ in range(2)]

    assert [process.wait(30) for process in processes] == [0, 0]


async def test_a_database_without_tables_says_what_to_do(empty_url: str, tmp_path: Path) -> None:
    with pytest.raises(SchemaOutdated, match="run `dailies migrate`"):
        async with open_storage(empty_url, alone=False):
            pytest.fail("opened a database without tables")
    assert not (tmp_path / "empty.db").exists()


async def test_an_older_schema_is_named(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a later release would see it: it needs a revision that this one does not have."""
    await migrate(empty_url)
    found, wanted = migrations.newest(), "of a later release"
    monkeypatch.setattr(migrations, "newest", lambda: wanted)

    with pytest.raises(SchemaOutdated) as refusal:
        async with open_storage(empty_url, alone=False):
            pytest.fail("opened an older schema")
    assert (refusal.value.found, refusal.value.wanted) == (found, wanted)


async def test_a_schema_of_a_newer_release_is_left_alone(empty_url: str) -> None:
    await migrate(empty_url)
    engine = plain_engine(place_of(empty_url), writing=True)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()

    with pytest.raises(SchemaNewer, match="Run the release that wrote it"):
        await migrate(empty_url)
    with pytest.raises(SchemaNewer):
        async with open_storage(empty_url, alone=False):
            pytest.fail("it was opened")


async def test_a_migration_that_fails_leaves_nothing(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail_halfway(connection: object) -> None:
        real(connection)  # type: ignore[arg-type]
        raise ZeroDivisionError

    real = migrations.upgrade
    monkeypatch.setattr(migrations, "upgrade", fail_halfway)
    with pytest.raises(ZeroDivisionError):
        await migrate(empty_url)

    engine = plain_engine(place_of(empty_url), writing=False)
    with engine.connect() as connection:
        assert migrations.current(connection) is None
        assert not engine.dialect.has_table(connection, str(JobRow.__tablename__))
    engine.dispose()


async def test_the_folder_of_the_file_is_made_for_this_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "data" / "dailies.db"
    await migrate(f"sqlite:///{path}")

    assert [stat.S_IMODE(folder.stat().st_mode) for folder in (path.parent, path.parent.parent)] == [0o700, 0o700]


async def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotWritable, match="cannot be made"):
        await migrate(f"sqlite:///{tmp_path / 'file' / 'dailies.db'}")


async def test_a_relative_file_is_below_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    await migrate("sqlite:///data/dailies.db")

    assert (tmp_path / "data" / "dailies.db").stat().st_size > 0
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
