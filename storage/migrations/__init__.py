"""The schema's history. ``upgrade`` brings any database to the newest revision, from an installed
package too."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from storage.errors import SchemaNewer
from storage.sql import advisory_key


def upgrade(connection: Connection) -> None:
    """Run what is missing inside the connection's transaction: all of it or nothing. Any number of
    processes may call this at once; SQLite's BEGIN IMMEDIATE and PostgreSQL's advisory lock let them
    pass one by one."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": advisory_key("migrations")})
    refuse_unknown(connection)
    command.upgrade(_config(connection), "head")


def newest() -> str:
    """The revision that this release needs."""
    head = ScriptDirectory.from_config(_config(None)).get_current_head()
    assert head is not None  # noqa: S101 - the package carries at least its first revision
    return head


def current(connection: Connection) -> str | None:
    """The revision of the database; None before the first migration."""
    return MigrationContext.configure(connection).get_current_revision()


def refuse_unknown(connection: Connection) -> None:
    """Raises SchemaNewer when the database is at a revision that this release does not have."""
    found = current(connection)
    known = {script.revision for script in ScriptDirectory.from_config(_config(None)).walk_revisions()}
    if found is not None and found not in known:
        raise SchemaNewer(found)


def _config(connection: Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
