"""The path of an order, its attempt by the token of a callback, and whether somebody named the provider."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Orders of earlier releases had no path of their own. Which providers people named then is not known: what is
    # unfinished stays where it is.
    op.add_column("attempts", sa.Column("path", sa.String(), nullable=False, server_default=""))
    op.create_index("ix_attempts_callback_token", "attempts", ["callback_token"])
    op.add_column("jobs", sa.Column("named", sa.Boolean(), nullable=False, server_default=sa.true()))
    if op.get_context().dialect.name == "postgresql":
        op.alter_column("attempts", "path", server_default=None)
        op.alter_column("jobs", "named", server_default=None)


def downgrade() -> None:
    op.drop_column("jobs", "named")
    op.drop_index("ix_attempts_callback_token", "attempts")
    op.drop_column("attempts", "path")
