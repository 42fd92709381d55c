"""Tables to which rows are only ever added. The database itself refuses anything else, whoever asks: a mistake of ours,
or a person with a database client. What has to be put right is put right by a further row."""

from sqlalchemy import Connection, MetaData, Table, event, text

TABLES = ("ledger", "audit", "preferences")

_REFUSE = "refuse_to_change"


def _sqlite_triggers(table: str) -> tuple[str, ...]:
    """Statements that guard a table on SQLite. https://www.sqlite.org/lang_createtrigger.html"""
    return tuple(
        f"CREATE TRIGGER {table}_refuses_{verb} BEFORE {verb.upper()} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        for verb in ("update", "delete")
    )


def _postgres_triggers(table: str) -> tuple[str, ...]:
    """Statements that guard a table on PostgreSQL, which has to have ``_POSTGRES_FUNCTION``. For each statement and not
    for each row: also one that would meet no row is refused, and TRUNCATE knows no rows."""
    change = "UPDATE OR DELETE OR TRUNCATE"
    return (
        f"CREATE TRIGGER {table}_refuses_change BEFORE {change} ON {table} FOR STATEMENT EXECUTE FUNCTION {_REFUSE}()",
    )


_POSTGRES_FUNCTION = f"""
CREATE OR REPLACE FUNCTION {_REFUSE}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END
$$
"""


def guard(metadata: MetaData) -> None:
    """Have the tables guarded as soon as they are made from their declaration."""
    for name in TABLES:
        event.listen(metadata.tables[name], "after_create", _guard)


def _guard(table: Table, connection: Connection, **_: object) -> None:
    postgres = connection.dialect.name == "postgresql"
    statements = (_POSTGRES_FUNCTION, *_postgres_triggers(table.name)) if postgres else _sqlite_triggers(table.name)
    for statement in statements:
        connection.execute(text(statement))
