"""Do the migrations build exactly the tables that ``storage.tables`` declares? Partial indexes are
and triggers are compared too, which Alembic's own comparison leaves out."""

from collections.abc import Callable, Iterator

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.engine.reflection import Inspector

from storage.migrations import upgrade
from storage.tables import Row

_TRIGGERS = {
    "sqlite": text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :table"),
    "postgresql": text(
        "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal AND tgrelid = to_regclass(:table)"
    ),
}
"""Name and definition of each trigger of a table."""


def differences(engine: Engine) -> list[str]:
    """What the two ways of building the tables do not share, one line each; empty when nothing. The
    database must be empty and is left so."""
    migrated = _built(engine, upgrade)
    declared = _built(engine, Row.metadata.create_all)
    return sorted(
        [f"only in the migrations: {line}" for line in migrated - declared]
        + [f"only in the declared tables: {line}" for line in declared - migrated]
    )


def _built(engine: Engine, build: Callable[[Connection], None]) -> set[str]:
    with engine.connect() as connection, connection.begin() as transaction:
        build(connection)
        inspector = inspect(connection)
        lines = {
            f"{table}: {line}"
            for table in inspector.get_table_names()
            if table != "alembic_version"
            for line in (*_described(inspector, table), *_triggers(connection, table))
        }
        transaction.rollback()
    return lines


def _described(inspector: Inspector, table: str) -> Iterator[str]:
    for column in inspector.get_columns(table):
        yield f"column {column['name']} {column['type']!r} {'null' if column['nullable'] else 'not null'}"
    yield f"primary key {sorted(inspector.get_pk_constraint(table).items(), key=str)}"
    for key in inspector.get_foreign_keys(table):
        yield f"foreign key {sorted(key.items(), key=str)}"
    for index in inspector.get_indexes(table):
        where = sorted((name, str(value)) for name, value in index.get("dialect_options", {}).items())
        yield f"index {index['name']} {index['column_names']} unique={bool(index['unique'])} {where}"


def _triggers(connection: Connection, table: str) -> Iterator[str]:
    for name, definition in connection.execute(_TRIGGERS[connection.dialect.name], {"table": table}):
        yield f"trigger {name} {definition}"
