"""The tables. Rows stay inside ``storage``; ``storage.rows`` turns them into values and back.

Every key begins with the workspace. Enums are stored by value, as text; money is 64-bit micro-dollars;
datetimes are SQLModel's own UTC type, which comes back aware on both engines (a column of our own would
not). Annotations here must be real objects, because SQLModel reads them.
"""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, ForeignKeyConstraint, Index, MetaData, text
from sqlmodel import Field, SQLModel

from bot.domain.job import FINAL
from storage import append_only

_FINAL_WORDS = ", ".join(f"'{state.value}'" for state in sorted(FINAL))

TO_BE_MOVED = text(f"(state NOT IN ({_FINAL_WORDS}) OR wish IS NOT NULL)")
"""Jobs that somebody must own. Literal on purpose, here and below: a partial index serves only a query
that repeats its predicate word for word, not one with parameters."""

ATTENTION = text("(cancel_by IS NOT NULL OR wish IS NOT NULL OR state = 'waiting')")
"""Jobs that may carry a person's word which their runner has not seen."""

CARD_BEHIND = text("card_version < version")
"""Asks whose card is to be posted or redrawn."""

LIVE_KEY = text("live AND unique_key IS NOT NULL")
"""Asks whose unique key is taken."""

TO_BE_TOLD = text("(posted_ts IS NULL AND NOT given_up)")
"""Announcements that are still to be posted."""


def _partial(name: str, *columns: str, where: Any, unique: bool = False) -> Index:
    return Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


class Row(SQLModel):
    """The base of all tables, with names for every constraint so that a migration can find them on both
    engines."""

    metadata: ClassVar[MetaData] = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class InboxRow(Row, table=True):
    """An outside event that was taken."""

    __tablename__ = "inbox"
    __table_args__ = (Index("ix_inbox_at", "at"),)

    workspace: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    at: datetime


class ThreadRow(Row, table=True):
    """``bot.domain.job.Thread``."""

    __tablename__ = "threads"
    __table_args__ = (Index("uq_threads_root", "workspace", "channel", "root_ts", unique=True),)

    workspace: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    channel: str
    root_ts: str | None
    next_number: int
    created_at: datetime


class AskRow(Row, table=True):
    """``bot.domain.job.Ask``; its ``root_ts`` stands in the thread."""

    __tablename__ = "asks"
    __table_args__ = (
        ForeignKeyConstraint(["workspace", "thread_id"], ["threads.workspace", "threads.id"]),
        _partial("uq_asks_live_key", "workspace", "unique_key", where=LIVE_KEY, unique=True),
        _partial("ix_asks_card_behind", "created_at", "id", where=CARD_BEHIND),
        Index("ix_asks_card", "workspace", "channel", "card_ts"),
        Index("ix_asks_thread", "workspace", "thread_id"),
    )

    workspace: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    thread_id: str
    channel: str
    person: str
    kind: str
    door: str
    text: str
    created_at: datetime
    parent_job: str | None
    method: str | None
    unique_key: str | None
    notes: list[str] = Field(sa_type=JSON)
    gate: str | None
    decide_by: datetime | None
    decision: str | None
    decided_by: str | None
    reply_url: str | None
    card_posting: bool
    card_ts: str | None
    version: int
    card_version: int
    live: bool
    owner: str | None
    epoch: int


class SupporterRow(Row, table=True):
    """``bot.domain.job.Supporter`` of an ask."""

    __tablename__ = "supporters"
    __table_args__ = (ForeignKeyConstraint(["workspace", "ask_id"], ["asks.workspace", "asks.id"]),)

    workspace: str = Field(primary_key=True)
    ask_id: str = Field(primary_key=True)
    person: str = Field(primary_key=True)
    at: datetime


class JobRow(Row, table=True):
    """``bot.domain.job.Job``. The recipe is one JSON object, since nothing is ever searched by its parts."""

    __tablename__ = "jobs"
    __table_args__ = (
        ForeignKeyConstraint(["workspace", "ask_id"], ["asks.workspace", "asks.id"]),
        ForeignKeyConstraint(["workspace", "thread_id"], ["threads.workspace", "threads.id"]),
        # The one key without a workspace: providers do not know workspaces, and a task is paid for once.
        Index("uq_jobs_task", "provider", "task_id", unique=True),
        _partial("ix_jobs_to_be_moved", "created_at", "id", where=TO_BE_MOVED),
        _partial("ix_jobs_attention", "owner", "epoch", where=ATTENTION),
        Index("ix_jobs_ask", "workspace", "ask_id", "number"),
        Index("ix_jobs_thread", "workspace", "thread_id", "number"),
        Index("ix_jobs_message", "workspace", "channel", "message_ts"),
        Index("ix_jobs_queue", "provider", "state", "created_at"),
        Index("ix_jobs_payer", "workspace", "person", "state", "created_at"),
        Index("ix_jobs_age", "created_at", "id"),
    )

    workspace: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    ask_id: str
    thread_id: str
    channel: str
    person: str
    number: int
    take: int
    takes: int
    recipe: dict[str, Any] = Field(sa_type=JSON)
    provider: str
    model: str
    state: str
    price_micro_usd: int = Field(sa_type=BigInteger)
    price_assumed: bool
    stage: str
    as_final_micro_usd: int | None = Field(sa_type=BigInteger)
    created_at: datetime
    updated_at: datetime
    due_at: datetime
    named: bool
    free_ratio: str | None
    wait_reason: str | None
    attempt: int
    tries: int
    task_id: str | None
    submitted_at: datetime | None
    rendering_since: datetime | None
    rendered_at: datetime | None
    finished_at: datetime | None
    output_url: str | None
    output_expires_at: datetime | None
    cost_micro_usd: int | None = Field(sa_type=BigInteger)
    reordered: bool
    clip_key: str | None
    clip_sha256: str | None
    clip_bytes: int | None = Field(sa_type=BigInteger)
    file_id: str | None
    shared_at: datetime | None
    message_ts: str | None
    progress: str
    trouble: str | None
    failure_kind: str | None
    failure_detail: str | None
    owner: str | None
    epoch: int
    version: int
    cancel_by: str | None
    wish: str | None
    wish_by: str | None
    wish_micro_usd: int | None = Field(sa_type=BigInteger)


class AttemptRow(Row, table=True):
    """``bot.domain.job.Attempt``."""

    __tablename__ = "attempts"
    __table_args__ = (
        ForeignKeyConstraint(["workspace", "job_id"], ["jobs.workspace", "jobs.id"]),
        Index("uq_attempts_key", "workspace", "key", unique=True),
        # As with tasks, no workspace: who calls knows nothing but the token.
        Index("ix_attempts_callback_token", "callback_token"),
    )

    workspace: str = Field(primary_key=True)
    job_id: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    key: str
    body: bytes
    callback_token: str
    intended_at: datetime
    path: str


class EvidenceRow(Row, table=True):
    """``bot.domain.job.Evidence``. ``seq`` only gives the order; nobody looks a line up by it."""

    __tablename__ = "evidence"
    __table_args__ = (
        ForeignKeyConstraint(["workspace", "job_id"], ["jobs.workspace", "jobs.id"]),
        Index("ix_evidence_job", "workspace", "job_id", "seq"),
    )

    seq: int | None = Field(default=None, primary_key=True)
    workspace: str
    job_id: str
    attempt: int
    kind: str
    value: str
    at: datetime


class TimelineRow(Row, table=True):
    """``bot.domain.job.TimelineEntry``. ``seq`` as in ``EvidenceRow``."""

    __tablename__ = "timeline"
    __table_args__ = (
        ForeignKeyConstraint(["workspace", "job_id"], ["jobs.workspace", "jobs.id"]),
        Index("ix_timeline_job", "workspace", "job_id", "seq"),
    )

    seq: int | None = Field(default=None, primary_key=True)
    workspace: str
    job_id: str
    at: datetime
    event: str
    state: str
    detail: str


class CapRow(Row, table=True):
    """Holds nothing: it is what concurrent holds under the same cap lock on engines with row locks."""

    __tablename__ = "caps"

    workspace: str = Field(primary_key=True)
    scope: str = Field(primary_key=True)
    subject: str = Field(primary_key=True)
    period: str = Field(primary_key=True)


class LedgerRow(Row, table=True):
    """``bot.domain.budget.Entry``. The key is what allows one hold and one closing row for each attempt
    of a job, and lets one of two adjustments at once through."""

    __tablename__ = "ledger"
    __table_args__ = (
        Index("ix_ledger_month", "month", "workspace", "channel"),
        Index("ix_ledger_day", "workspace", "person", "day"),
    )

    workspace: str = Field(primary_key=True)
    job_id: str = Field(primary_key=True)
    attempt: int = Field(primary_key=True)
    seq: int = Field(primary_key=True)
    kind: str
    channel: str
    person: str
    provider: str
    tier: str
    stage: str
    as_final_micro_usd: int | None = Field(sa_type=BigInteger)
    price_assumed: bool
    month: str
    day: str
    held_micro_usd: int = Field(sa_type=BigInteger)
    settled_micro_usd: int = Field(sa_type=BigInteger)
    released_micro_usd: int = Field(sa_type=BigInteger)
    at: datetime


class AuditRow(Row, table=True):
    """``bot.domain.audit.AuditEntry``. ``seq`` gives the order in which lines were written. It refers to
    nothing, since it is to outlive what it speaks of."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_workspace", "workspace", "seq"), Index("ix_audit_at", "at"))

    seq: int | None = Field(default=None, primary_key=True)
    workspace: str
    at: datetime
    act: str
    person: str | None
    channel: str | None
    ask_id: str | None
    job_id: str | None
    provider: str | None
    task_id: str | None
    micro_usd: int | None = Field(sa_type=BigInteger)
    price_assumed: bool
    detail: str


class PreferencesRow(Row, table=True):
    """``bot.domain.preferences.PreferencesVersion``. The key is what lets one of two changes at once
    through."""

    __tablename__ = "preferences"

    workspace: str = Field(primary_key=True)
    subject: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    values: dict[str, str] = Field(sa_type=JSON)
    changed_by: str | None
    at: datetime


class AnnouncementRow(Row, table=True):
    """``bot.domain.announcement.Announcement``. The key is what lets the same news be told once."""

    __tablename__ = "announcements"
    __table_args__ = (_partial("ix_announcements_to_be_told", "due_at", "created_at", "key", where=TO_BE_TOLD),)

    workspace: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    topic: str
    to: str
    created_at: datetime
    due_at: datetime
    job_id: str | None
    facts: dict[str, Any] = Field(sa_type=JSON)
    posting: bool
    posted_ts: str | None
    given_up: bool
    tries: int
    owner: str | None
    epoch: int


class KeptFileRow(Row, table=True):
    """``bot.domain.kept_file.KeptFile``. The key is what lets a file be fetched once."""

    __tablename__ = "kept_files"
    __table_args__ = (Index("ix_kept_files_url", "workspace", "url"),)

    workspace: str = Field(primary_key=True)
    source: str = Field(primary_key=True)
    limits: str = Field(primary_key=True)
    url: str
    kind: str
    name: str
    mime: str
    size: int = Field(sa_type=BigInteger)
    sha256: str
    width: int | None
    height: int | None
    seconds: float | None
    mends: list[str] = Field(sa_type=JSON)
    at: datetime


class OutageRow(Row, table=True):
    """``bot.domain.outage.Outage``. Providers belong to no workspace."""

    __tablename__ = "outages"

    provider: str = Field(primary_key=True)
    kind: str
    detail: str
    since: datetime


class LeaseRow(Row, table=True):
    """A process that may move jobs until then. Processes belong to no workspace. ``until`` is None once
    it let go, or once another process took over what it owned: such a lease cannot be prolonged."""

    __tablename__ = "leases"

    owner: str = Field(primary_key=True)
    epoch: int
    until: datetime | None


append_only.guard(Row.metadata)
