"""The schema's history, on both engines."""

import stat
import subprocess
import sys
from dataclasses import asdict, replace
from datetime import UTC
from pathlib import Path
from typing import cast

import pytest
from alembic import command
from sqlalchemy import Engine, Index, MetaData, text

from bot.domain.budget import EntryKind, Stage, hold_entry, release_entry, settle_entry
from bot.domain.job import AskKind, State, WaitReason
from bot.domain.recipe import MediaKind, MediaRole, Medium
from storage import NotWritable, SchemaNewer, SchemaOutdated, migrate, migrations, open_storage
from storage.engines import place_of, plain_engine
from storage.migrations.__main__ import main
from storage.migrations.check import differences
from storage.rows import ask_to_row, entry_to_row, job_to_row
from storage.tables import JobRow, Row
from tests.contracts.records import (
    FULL_ASK,
    FULL_ATTEMPT,
    FULL_EVIDENCE,
    FULL_JOB,
    FULL_THREAD,
    NOW,
    a_hold,
    assert_same,
    entry_for,
    later,
)
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


@pytest.mark.row("F89")
@pytest.mark.jobs_set_by_hand(reason="its jobs and its ledger have nothing to do with each other")
async def test_what_an_earlier_release_wrote_is_brought_forward(empty_url: str) -> None:
    """Rows as the first schema has them; afterwards everything is there, and clips know which pass they belong to."""
    engine = plain_engine(place_of(empty_url), writing=True)
    kept = _write_as_0001(engine)
    await migrate(empty_url)
    await migrate(empty_url)
    assert {table: _rows(engine, table) for table in kept} == kept
    engine.dispose()

    async with open_storage(empty_url, alone=False) as storage, storage.begin() as tx:
        jobs = {job_id: await tx.jobs.job("T1", job_id) for job_id in ("j1", "j2", "j3")}
        unchosen = replace(FULL_JOB, free_ratio=None, wish_micro_usd=None, progress="")
        assert_same(jobs["j1"], replace(unchosen, stage=Stage.DRAFT, as_final_micro_usd=None))
        assert_same(await tx.jobs.attempt("T1", "j1", 2), replace(FULL_ATTEMPT, path=""))
        assert {job_id: job.stage for job_id, job in jobs.items()} == {
            "j1": Stage.DRAFT,
            "j2": Stage.FINAL,
            "j3": Stage.DRAFT,
        }
        assert [job.reordered for job in jobs.values()] == [True, False, False]
        entries = await tx.ledger.entries()
        assert [(one.job_id, one.attempt, one.seq, one.kind, one.stage) for one in entries] == [
            ("j1", 1, 0, EntryKind.HOLD, Stage.DRAFT),
            ("j1", 1, 1, EntryKind.RELEASE, Stage.DRAFT),
            ("j1", 2, 0, EntryKind.HOLD, Stage.DRAFT),
            ("j2", 1, 0, EntryKind.HOLD, Stage.FINAL),
            ("j2", 1, 1, EntryKind.SETTLE, Stage.FINAL),
        ]
        assert entries[-1].settled_micro_usd == 7_000_000_000_000
        assert entries[-1].at == later(60.000001)
        assert {one.as_final_micro_usd for one in entries} == {None}
        assert {one.price_assumed for one in entries} == {True}
        # What was accepted before is settled and adjusted like everything else, and a further order is a row.
        assert await tx.ledger.settle("T1", "j1", 2, 5, later(99))
        assert await tx.ledger.adjust("T1", "j2", 1, 6, later(99))
        assert not await tx.ledger.settle("T1", "j2", 1, 7, later(99))


def _write_as_0001(engine: Engine) -> dict[str, list[tuple[object, ...]]]:
    """Bring the database to the first schema and fill its tables; the rows of those that are to stay as they are."""
    with engine.begin() as connection:
        command.upgrade(migrations._config(connection), "0001")
        tables = MetaData()
        tables.reflect(connection)

        def insert(table: str, *rows: dict[str, object]) -> None:
            for row in rows:
                connection.execute(tables.tables[table].insert().values(row))

        thread = FULL_THREAD
        insert("threads", asdict(thread))
        ask = dict(ask_to_row(FULL_ASK))
        asks = [("a1", AskKind.DRAFT), ("a2", AskKind.PROMOTION), ("a3", AskKind.VARIANT)]
        insert("asks", *(ask | {"id": ask_id, "kind": kind.value} for ask_id, kind in asks))
        insert("supporters", {"workspace": "T1", "ask_id": "a2", "person": "U5", "at": NOW})
        later_columns = {
            "stage",
            "as_final_micro_usd",
            "named",
            "reordered",
            "free_ratio",
            "wish_micro_usd",
            "progress",
        }
        job = {name: value for name, value in job_to_row(FULL_JOB) if name not in later_columns}
        insert("jobs", *(job | {"id": f"j{n}", "ask_id": f"a{n}", "task_id": f"task-{n}"} for n in (1, 2, 3)))
        insert("attempts", {name: value for name, value in asdict(FULL_ATTEMPT).items() if name != "path"})
        insert("evidence", asdict(FULL_EVIDENCE) | {"kind": FULL_EVIDENCE.kind.value})
        again = {"event": "Reordered", "state": FULL_JOB.state.value}
        insert("timeline", asdict(entry_for(FULL_JOB)) | again)
        insert("inbox", {"workspace": "T1", "key": "event", "at": NOW})
        insert("caps", {"workspace": "T1", "scope": "workspace_month", "subject": "T1", "period": "2026-11"})
        insert("leases", {"owner": "process-1", "epoch": 3, "until": None})
        hold = hold_entry(a_hold(micro_usd=8_000_000_000_000), UTC)
        for entry in (
            hold,
            release_entry(hold, later(1)),
            replace(hold, attempt=2, at=later(2)),
            replace(hold, job_id="j2", at=later(3)),
            settle_entry(replace(hold, job_id="j2"), 7_000_000_000_000, later(60.000001)),
        ):
            row = dict(entry_to_row(entry))
            closing = bool(row.pop("seq"))
            insert(
                "ledger", {name: row[name] for name in row if name in tables.tables["ledger"].c} | {"closing": closing}
            )
    kept = ("threads", "asks", "supporters", "evidence", "timeline", "inbox", "caps", "leases")
    return {table: _rows(engine, table) for table in kept}


def _rows(engine: Engine, table: str) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        return sorted((tuple(row) for row in connection.execute(text(f"SELECT * FROM {table}"))), key=str)


@pytest.mark.row("F89")
async def test_the_way_back_keeps_what_the_earlier_release_knew(empty_url: str) -> None:
    """Adjustments become part of what closed the hold."""
    await migrate(empty_url)
    async with open_storage(empty_url, alone=False) as storage, storage.begin() as tx:
        await tx.ledger.hold([a_hold(), a_hold(attempt=2), a_hold(attempt=3)], [])
        await tx.ledger.settle("T1", "j1", 1, 1_000_000, later(1))
        await tx.ledger.adjust("T1", "j1", 1, 2_500_000, later(2))
        await tx.ledger.release("T1", "j1", 2, later(1))

    engine = plain_engine(place_of(empty_url), writing=True)
    with engine.begin() as connection:
        command.downgrade(migrations._config(connection), "0001")
        rows = connection.execute(
            text(
                "SELECT attempt, closing, kind, held_micro_usd, settled_micro_usd, released_micro_usd "
                "FROM ledger ORDER BY attempt, closing"
            )
        )
        assert [tuple(row) for row in rows] == [
            (1, False, "hold", 2_000_000, 0, 0),
            (1, True, "settle", -2_000_000, 2_500_000, 0),
            (2, False, "hold", 2_000_000, 0, 0),
            (2, True, "release", -2_000_000, 0, 2_000_000),
            (3, False, "hold", 2_000_000, 0, 0),
        ]
    engine.dispose()
    await migrate(empty_url)
    async with open_storage(empty_url, alone=False) as storage, storage.read() as tx:
        assert len(await tx.ledger.entries("T1", "j1")) == 5


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


@pytest.mark.jobs_set_by_hand(reason="its job has a price of its own")
async def test_the_earlier_release_orders_nothing_with_addresses_that_it_does_not_know(empty_url: str) -> None:
    """It knows no such reason to wait, and no addresses but links: what has others is to be stopped by it, which gives
    back the money and says so on the card; what was ordered goes on."""
    await migrate(empty_url)
    waits, queued = (State.WAITING, WaitReason.PREPARING), (State.QUEUED, None)
    gate = (State.WAITING, WaitReason.CONFIRMATION)
    jobs = {
        "linked": (*waits, "https://files.example/a.png"),
        "attached": (*waits, "slack:F0123"),
        "prepared": (*queued, "stored:abc.png"),
        "unconfirmed": (*gate, "clip:j1#first"),
        "stopped": (*waits, "slack:F0124"),
        "ordered": (State.RENDERING, None, "stored:abd.png"),
        "plain": (*queued, None),
    }
    async with open_storage(empty_url, alone=False) as storage, storage.begin() as tx:
        await tx.jobs.add_thread(FULL_THREAD)
        await tx.jobs.add_ask(FULL_ASK)
        for number, (job_id, (state, reason, url)) in enumerate(jobs.items()):
            media = () if url is None else (Medium(role=MediaRole.FIRST, kind=MediaKind.IMAGE, url=url),)
            recipe = replace(FULL_JOB.recipe, prompt='"url": "slack:" and "stored:" are addresses', media=media)
            one = replace(FULL_JOB, id=job_id, number=number, task_id=job_id, cancel_by=None)
            one = replace(one, state=state, wait_reason=reason, recipe=recipe)
            await tx.jobs.add(one, entry_for(one))
        await tx.jobs.request_cancel("T1", "stopped", "U9")

    engine = plain_engine(place_of(empty_url), writing=True)
    with engine.begin() as connection:
        command.downgrade(migrations._config(connection), "0003")
        rows = connection.execute(text("SELECT id, state, wait_reason, cancel_by FROM jobs"))
        found = {row[0]: tuple(row[1:]) for row in rows}
    engine.dispose()
    assert found == {
        "linked": ("queued", None, None),
        "attached": ("queued", None, "U1"),
        "prepared": ("queued", None, "U1"),
        "unconfirmed": ("waiting", "confirmation", "U1"),
        "stopped": ("queued", None, "U9"),
        "ordered": ("rendering", None, None),
        "plain": ("queued", None, None),
    }
    await migrate(empty_url)
