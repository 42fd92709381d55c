"""The state of the memory database: dictionaries of frozen values, so that a copy of them is a snapshot."""

from dataclasses import dataclass, field, fields, replace
from datetime import datetime

from bot.domain.announcement import Announcement
from bot.domain.audit import AuditEntry
from bot.domain.budget import Entry
from bot.domain.job import Ask, Attempt, Evidence, Job, Ownership, Supporter, Thread, TimelineEntry
from bot.domain.kept_file import KeptFile
from bot.domain.outage import Outage
from bot.domain.preferences import PreferencesVersion

Key = tuple[str, str]
"""Workspace and id."""


@dataclass(frozen=True, kw_only=True)
class Lease:
    """``storage.tables.LeaseRow``."""

    epoch: int
    until: datetime | None


@dataclass(frozen=True, kw_only=True)
class Tables:
    """All that is stored. Collections are changed in place by the transaction that owns this copy."""

    inbox: dict[Key, datetime] = field(default_factory=dict)
    threads: dict[Key, Thread] = field(default_factory=dict)
    asks: dict[Key, Ask] = field(default_factory=dict)
    supporters: dict[tuple[str, str, str], Supporter] = field(default_factory=dict)
    jobs: dict[Key, Job] = field(default_factory=dict)
    attempts: dict[tuple[str, str, int], Attempt] = field(default_factory=dict)
    evidence: list[Evidence] = field(default_factory=list)
    timeline: list[TimelineEntry] = field(default_factory=list)
    ledger: dict[tuple[str, str, int, int], Entry] = field(default_factory=dict)
    """By workspace, job, attempt and ``seq``."""
    audit: list[AuditEntry] = field(default_factory=list)
    preferences: dict[Key, tuple[PreferencesVersion, ...]] = field(default_factory=dict)
    """By workspace and subject, oldest first."""
    announcements: dict[Key, Announcement] = field(default_factory=dict)
    files: dict[tuple[str, str, str], KeptFile] = field(default_factory=dict)
    """By workspace, source and limits."""
    outages: dict[str, Outage] = field(default_factory=dict)
    """By provider."""
    leases: dict[str, Lease] = field(default_factory=dict)

    def copy(self) -> "Tables":
        """Another one with the same values."""
        return Tables(**{name: getattr(self, name).copy() for name in _COLLECTIONS})

    def valid(self, owner: str | None, epoch: int, now: datetime) -> bool:
        """Whether that owner's lease is valid at ``now`` under that epoch."""
        lease = self.leases.get(owner or "")
        return lease is not None and lease.epoch == epoch and lease.until is not None and lease.until > now

    def end_lapsed(self, now: datetime) -> None:
        """As in ``storage.leases``."""
        for owner, lease in self.leases.items():
            if lease.until is not None and lease.until <= now:
                self.leases[owner] = replace(lease, until=None)

    def free_for(self, ownership: Ownership, row: Ask | Job | Announcement, now: datetime) -> bool:
        """Whether a job, an ask or an announcement has no owner, or one whose lease is not valid; never our own."""
        if row.owner is None:
            return True
        return not owned_by(ownership, row) and not self.valid(row.owner, row.epoch, now)


_COLLECTIONS = tuple(one.name for one in fields(Tables))


def owned_by(ownership: Ownership, row: Ask | Job | Announcement) -> bool:
    """Whether a job, an ask or an announcement is ours, under our present epoch."""
    return (row.owner, row.epoch) == (ownership.owner, ownership.epoch)
