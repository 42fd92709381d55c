"""The ledger, the audit and the preferences are only ever added to: the database itself refuses anything else, also to
whoever opens it with another program."""

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from bot.domain.audit import Act, AuditEntry
from bot.domain.preferences import PreferencesVersion
from storage import Database
from storage.engines import place_of, plain_engine
from tests.contracts.records import NOW, a_hold

WAYS = {
    "changing": "UPDATE {table} SET workspace = 'T2'",
    "taking away": "DELETE FROM {table}",
    "emptying": "TRUNCATE {table}",
}


@pytest.fixture
async def kept(database: Database) -> Database:
    """A database with a row in each of the tables."""
    async with database.begin() as tx:
        await tx.ledger.hold([a_hold()], ())
        await tx.audit.add(AuditEntry(workspace="T1", at=NOW, act=Act.ASKED))
        await tx.preferences.put(
            PreferencesVersion(workspace="T1", subject="C1", version=1, values={}, changed_by=None, at=NOW)
        )
    return database


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("table", ["ledger", "audit", "preferences"])
async def test_what_was_written_stays(kept: Database, url: str, table: str, way: str) -> None:
    engine = plain_engine(place_of(url), writing=True)
    if way.startswith("TRUNCATE") and engine.dialect.name == "sqlite":
        way = WAYS["taking away"]  # SQLite has no other word for it
    try:
        before = _rows(engine, table)
        assert before
        with pytest.raises(DBAPIError, match=f"{table} is append-only"), engine.begin() as connection:
            connection.execute(text(way.format(table=table)))
        assert _rows(engine, table) == before
    finally:
        engine.dispose()


def _rows(engine: Engine, table: str) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(f"SELECT * FROM {table}"))]
