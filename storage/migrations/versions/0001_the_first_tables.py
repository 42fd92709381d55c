"""The first tables: events, threads, asks, jobs, what is known of them, money, leases."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "caps",
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("period", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "scope", "subject", "period", name="pk_caps"),
    )
    op.create_table(
        "inbox",
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "key", name="pk_inbox"),
    )
    op.create_index("ix_inbox_at", "inbox", ["at"])

    op.create_table(
        "leases",
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("owner", name="pk_leases"),
    )
    op.create_table(
        "ledger",
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("closing", sa.Boolean(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("tier", sa.String(), nullable=False),
        sa.Column("month", sa.String(), nullable=False),
        sa.Column("day", sa.String(), nullable=False),
        sa.Column("held_micro_usd", sa.BigInteger(), nullable=False),
        sa.Column("settled_micro_usd", sa.BigInteger(), nullable=False),
        sa.Column("released_micro_usd", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "job_id", "attempt", "closing", name="pk_ledger"),
    )
    op.create_index("ix_ledger_day", "ledger", ["workspace", "person", "day"])
    op.create_index("ix_ledger_month", "ledger", ["month", "workspace", "channel"])

    op.create_table(
        "threads",
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("root_ts", sa.String(), nullable=True),
        sa.Column("next_number", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "id", name="pk_threads"),
    )
    op.create_index("uq_threads_root", "threads", ["workspace", "channel", "root_ts"], unique=True)

    op.create_table(
        "asks",
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("thread_id", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("door", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("parent_job", sa.String(), nullable=True),
        sa.Column("method", sa.String(), nullable=True),
        sa.Column("unique_key", sa.String(), nullable=True),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.Column("gate", sa.String(), nullable=True),
        sa.Column("decide_by", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision", sa.String(), nullable=True),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("reply_url", sa.String(), nullable=True),
        sa.Column("card_posting", sa.Boolean(), nullable=False),
        sa.Column("card_ts", sa.String(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("card_version", sa.Integer(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("owner", sa.String(), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace", "thread_id"], ["threads.workspace", "threads.id"], name="fk_asks_threads"
        ),
        sa.PrimaryKeyConstraint("workspace", "id", name="pk_asks"),
    )
    op.create_index("ix_asks_card", "asks", ["workspace", "channel", "card_ts"])
    op.create_index(
        "ix_asks_card_behind",
        "asks",
        ["created_at", "id"],
        sqlite_where=sa.text("card_version < version"),
        postgresql_where=sa.text("card_version < version"),
    )
    op.create_index("ix_asks_thread", "asks", ["workspace", "thread_id"])
    op.create_index(
        "uq_asks_live_key",
        "asks",
        ["workspace", "unique_key"],
        unique=True,
        sqlite_where=sa.text("live AND unique_key IS NOT NULL"),
        postgresql_where=sa.text("live AND unique_key IS NOT NULL"),
    )

    op.create_table(
        "jobs",
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("ask_id", sa.String(), nullable=False),
        sa.Column("thread_id", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("take", sa.Integer(), nullable=False),
        sa.Column("takes", sa.Integer(), nullable=False),
        sa.Column("recipe", sa.JSON(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("price_micro_usd", sa.BigInteger(), nullable=False),
        sa.Column("price_assumed", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("wait_reason", sa.String(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.String(), nullable=True),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rendering_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rendered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("output_url", sa.String(), nullable=True),
        sa.Column("output_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cost_micro_usd", sa.BigInteger(), nullable=True),
        sa.Column("clip_key", sa.String(), nullable=True),
        sa.Column("clip_sha256", sa.String(), nullable=True),
        sa.Column("clip_bytes", sa.BigInteger(), nullable=True),
        sa.Column("file_id", sa.String(), nullable=True),
        sa.Column("shared_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("message_ts", sa.String(), nullable=True),
        sa.Column("trouble", sa.String(), nullable=True),
        sa.Column("failure_kind", sa.String(), nullable=True),
        sa.Column("failure_detail", sa.String(), nullable=True),
        sa.Column("owner", sa.String(), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("cancel_by", sa.String(), nullable=True),
        sa.Column("wish", sa.String(), nullable=True),
        sa.Column("wish_by", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["workspace", "ask_id"], ["asks.workspace", "asks.id"], name="fk_jobs_asks"),
        sa.ForeignKeyConstraint(
            ["workspace", "thread_id"], ["threads.workspace", "threads.id"], name="fk_jobs_threads"
        ),
        sa.PrimaryKeyConstraint("workspace", "id", name="pk_jobs"),
    )
    op.create_index("ix_jobs_age", "jobs", ["created_at", "id"])
    op.create_index("ix_jobs_ask", "jobs", ["workspace", "ask_id", "number"])
    op.create_index(
        "ix_jobs_attention",
        "jobs",
        ["owner", "epoch"],
        sqlite_where=sa.text("(cancel_by IS NOT NULL OR wish IS NOT NULL OR state = 'waiting')"),
        postgresql_where=sa.text("(cancel_by IS NOT NULL OR wish IS NOT NULL OR state = 'waiting')"),
    )
    op.create_index("ix_jobs_message", "jobs", ["workspace", "channel", "message_ts"])
    op.create_index("ix_jobs_queue", "jobs", ["provider", "state", "created_at"])
    op.create_index("ix_jobs_thread", "jobs", ["workspace", "thread_id", "number"])
    op.create_index(
        "ix_jobs_to_be_moved",
        "jobs",
        ["created_at", "id"],
        sqlite_where=sa.text("(state NOT IN ('cancelled', 'delivered', 'failed') OR wish IS NOT NULL)"),
        postgresql_where=sa.text("(state NOT IN ('cancelled', 'delivered', 'failed') OR wish IS NOT NULL)"),
    )
    op.create_index("uq_jobs_task", "jobs", ["provider", "task_id"], unique=True)

    op.create_table(
        "supporters",
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("ask_id", sa.String(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["workspace", "ask_id"], ["asks.workspace", "asks.id"], name="fk_supporters_asks"),
        sa.PrimaryKeyConstraint("workspace", "ask_id", "person", name="pk_supporters"),
    )
    op.create_table(
        "attempts",
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("callback_token", sa.String(), nullable=False),
        sa.Column("intended_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["workspace", "job_id"], ["jobs.workspace", "jobs.id"], name="fk_attempts_jobs"),
        sa.PrimaryKeyConstraint("workspace", "job_id", "number", name="pk_attempts"),
    )
    op.create_index("uq_attempts_key", "attempts", ["workspace", "key"], unique=True)

    op.create_table(
        "evidence",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["workspace", "job_id"], ["jobs.workspace", "jobs.id"], name="fk_evidence_jobs"),
        sa.PrimaryKeyConstraint("seq", name="pk_evidence"),
    )
    op.create_index("ix_evidence_job", "evidence", ["workspace", "job_id", "seq"])

    op.create_table(
        "timeline",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["workspace", "job_id"], ["jobs.workspace", "jobs.id"], name="fk_timeline_jobs"),
        sa.PrimaryKeyConstraint("seq", name="pk_timeline"),
    )
    op.create_index("ix_timeline_job", "timeline", ["workspace", "job_id", "seq"])


def downgrade() -> None:
    for table in (
        "timeline",
        "evidence",
        "attempts",
        "supporters",
        "jobs",
        "asks",
        "threads",
        "ledger",
        "leases",
        "inbox",
        "caps",
    ):
        op.drop_table(table)
