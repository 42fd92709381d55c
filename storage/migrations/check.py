"""Do the migrations build exactly the tables that ``storage.tables`` declares? Partial indexes are
compared too, which Alembic's own comparison leaves out."""

from collections.abc import Callable, Iterator

from sqlalchemy import Connection, Engine, inspect
from sqlalchemy.engine.reflection import Inspector

from storage.migrations import upgrade
from storage.tables import Row


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
            for line in _described(inspector, table)
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
