"""The path of an order, its attempt by the token of a callback, what people chose of a clip (its provider, its ratio,
another order, what it may cost elsewhere), and providers that take no orders."""

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
    op.add_column("jobs", sa.Column("free_ratio", sa.String(), nullable=True))
    op.add_column("jobs", sa.Column("wish_micro_usd", sa.BigInteger(), nullable=True))
    op.add_column("jobs", sa.Column("reordered", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute(
        "UPDATE jobs SET reordered = true WHERE EXISTS (SELECT 1 FROM timeline "
        "WHERE timeline.workspace = jobs.workspace AND timeline.job_id = jobs.id AND timeline.event = 'Reordered')"
    )
    op.create_table(
        "outages",
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("provider", name="pk_outages"),
    )
    if op.get_context().dialect.name == "postgresql":
        op.alter_column("attempts", "path", server_default=None)
        op.alter_column("jobs", "named", server_default=None)
        op.alter_column("jobs", "reordered", server_default=None)


def downgrade() -> None:
    op.drop_table("outages")
    op.drop_column("jobs", "reordered")
    op.drop_column("jobs", "wish_micro_usd")
    op.drop_column("jobs", "free_ratio")
    op.drop_column("jobs", "named")
    op.drop_index("ix_attempts_callback_token", "attempts")
    op.drop_column("attempts", "path")
