"""Which pass a clip belongs to, adjustments of the ledger, the audit, preferences, announcements."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ALIKE = (
    "workspace, job_id, attempt, kind, channel, person, provider, tier, month, day, "
    "held_micro_usd, settled_micro_usd, released_micro_usd, at"
)
_PROMOTED = "EXISTS (SELECT 1 FROM asks WHERE asks.workspace = {0}.workspace AND asks.id = {1} AND kind = 'promotion')"
_OF_JOB = "(SELECT {0} FROM jobs WHERE jobs.workspace = ledger_before.workspace AND jobs.id = ledger_before.job_id)"
_NO = "(1 = 0)"
"""False, as both engines write it."""
_REFUSE_TO_CHANGE = """
CREATE FUNCTION refuse_to_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END
$$
"""


def upgrade() -> None:
    _stages_of_jobs()
    _ledger_by_seq()
    op.create_table(
        "audit",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("act", sa.String(), nullable=False),
        sa.Column("person", sa.String(), nullable=True),
        sa.Column("channel", sa.String(), nullable=True),
        sa.Column("ask_id", sa.String(), nullable=True),
        sa.Column("job_id", sa.String(), nullable=True),
        sa.Column("provider", sa.String(), nullable=True),
        sa.Column("task_id", sa.String(), nullable=True),
        sa.Column("micro_usd", sa.BigInteger(), nullable=True),
        sa.Column("price_assumed", sa.Boolean(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_audit"),
    )
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_index("ix_audit_workspace", "audit", ["workspace", "seq"])
    op.create_table(
        "preferences",
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "subject", "version", name="pk_preferences"),
    )
    op.create_table(
        "announcements",
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("to", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("job_id", sa.String(), nullable=True),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("posting", sa.Boolean(), nullable=False),
        sa.Column("posted_ts", sa.String(), nullable=True),
        sa.Column("given_up", sa.Boolean(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "key", name="pk_announcements"),
    )
    op.create_index(
        "ix_announcements_to_be_told",
        "announcements",
        ["due_at", "created_at", "key"],
        sqlite_where=sa.text("(posted_ts IS NULL AND NOT given_up)"),
        postgresql_where=sa.text("(posted_ts IS NULL AND NOT given_up)"),
    )
    _guard("ledger", "audit", "preferences")


def downgrade() -> None:
    for table in ("announcements", "preferences", "audit"):
        op.drop_table(table)
    _ledger_by_closing()
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_to_change()")
    op.drop_index("ix_jobs_payer", "jobs")
    op.drop_column("jobs", "as_final_micro_usd")
    op.drop_column("jobs", "stage")


def _guard(*tables: str) -> None:
    """From here on rows are only added. Tables take their triggers with them when they are dropped."""
    if op.get_context().dialect.name == "postgresql":
        op.execute(_REFUSE_TO_CHANGE)
        for table in tables:
            op.execute(
                f"CREATE TRIGGER {table}_refuses_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change()"
            )
        return
    for table in tables:
        for verb in ("update", "delete"):
            op.execute(
                f"CREATE TRIGGER {table}_refuses_{verb} BEFORE {verb.upper()} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )


def _stages_of_jobs() -> None:
    # In place, since other tables refer to this one: SQLite can add a column, if only with a default. What the clips
    # of earlier releases would have cost as finals is not known, and stays so.
    op.add_column("jobs", sa.Column("stage", sa.String(), nullable=False, server_default="draft"))
    op.add_column("jobs", sa.Column("as_final_micro_usd", sa.BigInteger(), nullable=True))
    op.execute(f"UPDATE jobs SET stage = 'final' WHERE {_PROMOTED.format('jobs', 'jobs.ask_id')}")  # noqa: S608 - constants
    if op.get_context().dialect.name == "postgresql":
        op.alter_column("jobs", "stage", server_default=None)
    op.create_index("ix_jobs_payer", "jobs", ["workspace", "person", "state", "created_at"])


def _ledger_by_seq() -> None:
    """The hold is row 0 and what closes it row 1, where a flag said so before: now there can be further rows."""
    op.execute("CREATE TABLE ledger_before AS SELECT * FROM ledger")
    op.drop_table("ledger")
    _create_ledger(
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("as_final_micro_usd", sa.BigInteger(), nullable=True),
        sa.Column("price_assumed", sa.Boolean(), nullable=False),
    )
    stage = f"CASE WHEN {_PROMOTED.format('ledger_before', _OF_JOB.format('ask_id'))} THEN 'final' ELSE 'draft' END"
    assumed = _OF_JOB.format("price_assumed")
    op.execute(
        f"INSERT INTO ledger ({_ALIKE}, seq, stage, price_assumed) "  # noqa: S608 - constants
        f"SELECT {_ALIKE}, CASE WHEN closing THEN 1 ELSE 0 END, {stage}, COALESCE({assumed}, {_NO}) FROM ledger_before"
    )
    op.drop_table("ledger_before")


def _ledger_by_closing() -> None:
    """All rows after the hold become one, which closes it with their sums."""
    op.execute("CREATE TABLE ledger_before AS SELECT * FROM ledger")
    op.drop_table("ledger")
    _create_ledger(sa.Column("closing", sa.Boolean(), nullable=False))
    same = "workspace, job_id, attempt, channel, person, provider, tier, month, day"
    sums = ", ".join(f"SUM({name}_micro_usd)" for name in ("held", "settled", "released"))
    kind = "CASE WHEN SUM(settled_micro_usd) > 0 OR MAX(kind) = 'settle' THEN 'settle' ELSE 'release' END"
    op.execute(
        f"INSERT INTO ledger ({_ALIKE}, closing) SELECT {_ALIKE}, seq > 0 FROM ledger_before WHERE seq = 0"  # noqa: S608 - constants
    )
    op.execute(
        f"INSERT INTO ledger ({same}, kind, held_micro_usd, settled_micro_usd, released_micro_usd, at, closing) "  # noqa: S608 - constants
        f"SELECT {same}, {kind}, {sums}, MIN(at), MIN(seq) > 0 FROM ledger_before WHERE seq > 0 GROUP BY {same}"
    )
    op.drop_table("ledger_before")


def _create_ledger(*columns: "sa.Column[str] | sa.Column[int] | sa.Column[bool]") -> None:
    op.create_table(
        "ledger",
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        *columns,
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
        sa.PrimaryKeyConstraint("workspace", "job_id", "attempt", columns[0].name, name="pk_ledger"),
    )
    op.create_index("ix_ledger_day", "ledger", ["workspace", "person", "day"])
    op.create_index("ix_ledger_month", "ledger", ["month", "workspace", "channel"])
