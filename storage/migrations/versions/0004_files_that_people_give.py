"""Files that people gave, and what a job is at while they are prepared."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "kept_files",
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("limits", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("mime", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("seconds", sa.Float(), nullable=True),
        sa.Column("mends", sa.JSON(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "source", "limits", name="pk_kept_files"),
    )
    op.create_index("ix_kept_files_url", "kept_files", ["workspace", "url"])
    op.add_column("jobs", sa.Column("progress", sa.String(), nullable=False, server_default=""))
    if op.get_context().dialect.name == "postgresql":
        op.alter_column("jobs", "progress", server_default=None)


def downgrade() -> None:
    # The release before knows no addresses but links, and would order with these. A wish to stop it is what it acts on
    # before it orders: it gives the money back, writes the audit and says so on the card.
    ours = " OR ".join(f"""CAST(recipe AS TEXT) LIKE '%"url": "{scheme}:%'""" for scheme in ("slack", "clip", "stored"))
    op.execute(
        "UPDATE jobs SET cancel_by = person "  # noqa: S608 - constants
        f"WHERE cancel_by IS NULL AND state IN ('waiting', 'queued') AND ({ours})"
    )
    # Nor does it know this reason to wait. What waits for its files has its gate behind it and its money held, as what
    # is queued; a link it orders with as it is.
    op.execute("UPDATE jobs SET state = 'queued', wait_reason = NULL WHERE wait_reason = 'preparing'")
    op.drop_column("jobs", "progress")
    op.drop_table("kept_files")
