"""Alembic runs this for every command; the connection, and with it the transaction, is the caller's."""

from alembic import context

from storage.tables import Row

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Row.metadata,
    compare_type=True,
    render_as_batch=True,  # SQLite cannot alter a column in place
)
context.run_migrations()
