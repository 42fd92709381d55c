"""Rows to values and back: pure functions, nothing else knows both."""

from dataclasses import asdict, fields
from types import MappingProxyType
from typing import Any

from bot.domain.announcement import Announcement, Topic
from bot.domain.audit import Act, AuditEntry
from bot.domain.budget import Entry, EntryKind, Stage
from bot.domain.failure import Failure, FailureKind
from bot.domain.job import (
    Ask,
    AskKind,
    Attempt,
    Decision,
    Door,
    Evidence,
    EvidenceKind,
    Gate,
    Job,
    State,
    Supporter,
    Thread,
    TimelineEntry,
    WaitReason,
    Wish,
)
from bot.domain.kept_file import KeptFile
from bot.domain.lineage import Method
from bot.domain.preferences import PreferencesVersion
from bot.domain.recipe import MediaKind, MediaRole, Medium, Ratio, Recipe, Resolution
from bot.domain.trouble import Trouble
from storage.tables import (
    AnnouncementRow,
    AskRow,
    AttemptRow,
    AuditRow,
    EvidenceRow,
    JobRow,
    KeptFileRow,
    LedgerRow,
    PreferencesRow,
    SupporterRow,
    ThreadRow,
    TimelineRow,
)

JOB_KEY = frozenset({"workspace", "id"})
JOB_FLAGS = frozenset({"cancel_by", "wish", "wish_by", "wish_micro_usd"})
"""Written by people, never by a save."""


def recipe_to_json(recipe: Recipe) -> dict[str, Any]:
    """The recipe as JSON has it: enums by value."""
    media = [{"role": one.role.value, "kind": one.kind.value, "url": one.url} for one in recipe.media]
    return asdict(recipe) | {"resolution": recipe.resolution.value, "ratio": recipe.ratio.value, "media": media}


def recipe_from_json(stored: dict[str, Any]) -> Recipe:
    """The recipe as it was. A field that a later release added has its default in older rows."""
    media = tuple(
        Medium(role=MediaRole(one["role"]), kind=MediaKind(one["kind"]), url=one["url"])
        for one in stored.get("media", ())
    )
    return Recipe(
        **stored | {"resolution": Resolution(stored["resolution"]), "ratio": Ratio(stored["ratio"]), "media": media},
    )


def thread_to_row(thread: Thread) -> ThreadRow:
    """The row of a thread."""
    return ThreadRow(**asdict(thread))


def thread_from_row(row: ThreadRow) -> Thread:
    """The thread of a row."""
    return Thread(**row.model_dump())


def ask_to_row(ask: Ask) -> AskRow:
    """The row of an ask; ``root_ts`` stands in its thread's row."""
    values = asdict(ask)
    del values["root_ts"]
    return AskRow(
        **values
        | {
            "kind": ask.kind.value,
            "door": ask.door.value,
            "method": ask.method and ask.method.value,
            "gate": ask.gate and ask.gate.value,
            "decision": ask.decision and ask.decision.value,
            "notes": list(ask.notes),
        }
    )


def ask_from_row(row: AskRow, root_ts: str | None) -> Ask:
    """The ask of a row and of its thread's root."""
    return Ask(
        **row.model_dump()
        | {
            "root_ts": root_ts,
            "kind": AskKind(row.kind),
            "door": Door(row.door),
            "method": row.method and Method(row.method),
            "gate": row.gate and Gate(row.gate),
            "decision": row.decision and Decision(row.decision),
            "notes": tuple(row.notes),
        }
    )


def supporter_from_row(row: SupporterRow) -> Supporter:
    """The supporter of a row."""
    return Supporter(person=row.person, at=row.at)


def job_to_row(job: Job) -> JobRow:
    """The row of a job."""
    values = asdict(job)
    del values["failure"]
    return JobRow(
        **values
        | {
            "recipe": recipe_to_json(job.recipe),
            "state": job.state.value,
            "stage": job.stage.value,
            "free_ratio": job.free_ratio and job.free_ratio.value,
            "wait_reason": job.wait_reason and job.wait_reason.value,
            "failure_kind": job.failure and job.failure.kind.value,
            "failure_detail": job.failure and job.failure.detail,
            "trouble": job.trouble and job.trouble.value,
            "wish": job.wish and job.wish.value,
        }
    )


def job_from_row(row: JobRow) -> Job:
    """The job of a row."""
    values = row.model_dump(exclude={"failure_kind", "failure_detail"})
    return Job(
        **values
        | {
            "recipe": recipe_from_json(row.recipe),
            "state": State(row.state),
            "stage": Stage(row.stage),
            "free_ratio": row.free_ratio and Ratio(row.free_ratio),
            "wait_reason": row.wait_reason and WaitReason(row.wait_reason),
            "failure": row.failure_kind
            and Failure(kind=FailureKind(row.failure_kind), detail=row.failure_detail or ""),
            "trouble": row.trouble and Trouble(row.trouble),
            "wish": row.wish and Wish(row.wish),
        }
    )


def attempt_to_row(attempt: Attempt) -> AttemptRow:
    """The row of an attempt."""
    return AttemptRow(**asdict(attempt))


def attempt_from_row(row: AttemptRow) -> Attempt:
    """The attempt of a row."""
    return Attempt(**row.model_dump())


def evidence_to_row(evidence: Evidence) -> EvidenceRow:
    """The row of a piece of evidence."""
    return EvidenceRow(**asdict(evidence) | {"kind": evidence.kind.value})


def evidence_from_row(row: EvidenceRow) -> Evidence:
    """The evidence of a row."""
    return Evidence(**row.model_dump(exclude={"seq"}) | {"kind": EvidenceKind(row.kind)})


def timeline_to_row(entry: TimelineEntry) -> TimelineRow:
    """The row of a line of a timeline."""
    return TimelineRow(**asdict(entry) | {"state": entry.state.value})


def timeline_from_row(row: TimelineRow) -> TimelineEntry:
    """The line of a timeline of a row."""
    return TimelineEntry(**row.model_dump(exclude={"seq"}) | {"state": State(row.state)})


def entry_to_row(entry: Entry) -> LedgerRow:
    """The row of a ledger entry."""
    return LedgerRow(**asdict(entry) | {"kind": entry.kind.value, "stage": entry.stage.value})


def entry_from_row(row: LedgerRow) -> Entry:
    """The ledger entry of a row."""
    return Entry(**row.model_dump() | {"kind": EntryKind(row.kind), "stage": Stage(row.stage)})


def audit_to_row(entry: AuditEntry) -> AuditRow:
    """The row of a line of the audit."""
    return AuditRow(**asdict(entry) | {"act": entry.act.value})


def audit_from_row(row: AuditRow) -> AuditEntry:
    """The line of the audit of a row."""
    return AuditEntry(**row.model_dump(exclude={"seq"}) | {"act": Act(row.act)})


def preferences_to_row(version: PreferencesVersion) -> PreferencesRow:
    """The row of a version of preferences."""
    return PreferencesRow(**_shallow(version) | {"values": dict(version.values)})


def preferences_from_row(row: PreferencesRow) -> PreferencesVersion:
    """The version of preferences of a row."""
    return PreferencesVersion(**row.model_dump() | {"values": MappingProxyType(row.values)})


def announcement_to_row(announcement: Announcement) -> AnnouncementRow:
    """The row of an announcement."""
    plain = {"topic": announcement.topic.value, "facts": dict(announcement.facts)}
    return AnnouncementRow(**_shallow(announcement) | plain)


def announcement_from_row(row: AnnouncementRow) -> Announcement:
    """The announcement of a row."""
    return Announcement(**row.model_dump() | {"topic": Topic(row.topic), "facts": MappingProxyType(row.facts)})


def kept_file_to_row(file: KeptFile) -> KeptFileRow:
    """The row of a kept file."""
    return KeptFileRow(**asdict(file) | {"kind": file.kind.value, "mends": list(file.mends)})


def kept_file_from_row(row: KeptFileRow) -> KeptFile:
    """The kept file of a row."""
    return KeptFile(**row.model_dump() | {"kind": MediaKind(row.kind), "mends": tuple(row.mends)})


def _shallow(value: PreferencesVersion | Announcement) -> dict[str, Any]:
    """Its fields as they are; ``asdict`` would try to copy a mapping that cannot be changed, and fail."""
    return {field.name: getattr(value, field.name) for field in fields(value)}
