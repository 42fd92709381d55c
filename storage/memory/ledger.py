"""``bot.ports.Ledger`` in memory."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, tzinfo
from operator import attrgetter

from bot.domain.budget import (
    Cap,
    Entry,
    EntryKind,
    Hold,
    UsageRow,
    committed,
    release_entry,
    settle_entry,
)
from storage.accounting import check_cap, counts_under, hold_entries
from storage.memory.tables import Tables

_USAGE_KEY = attrgetter("workspace", "month", "channel", "person", "provider", "tier")
_OLDEST = attrgetter("at", "job_id", "attempt")


class MemoryLedger:
    """The ledger; ``zone`` is the calendar of holds that come without a cap."""

    def __init__(self, tables: Tables, zone: tzinfo) -> None:
        self._rows, self._zone = tables.ledger, zone

    async def hold(self, holds: Sequence[Hold], caps: Sequence[Cap]) -> None:
        fresh = [
            entry
            for entry in hold_entries(holds, caps, self._zone)
            if (entry.workspace, entry.job_id, entry.attempt, False) not in self._rows
        ]
        for workspace in sorted({entry.workspace for entry in fresh}):
            for cap in caps:
                check_cap(cap, workspace, await self.committed(cap, workspace), fresh)
        for entry in fresh:
            self._rows[entry.workspace, entry.job_id, entry.attempt, False] = entry

    async def settle(self, workspace: str, job_id: str, attempt: int, cost_micro_usd: int, at: datetime) -> bool:
        held = self._rows.get((workspace, job_id, attempt, False))
        return held is not None and self._close(settle_entry(held, cost_micro_usd, at))

    async def release(self, workspace: str, job_id: str, attempt: int, at: datetime) -> bool:
        held = self._rows.get((workspace, job_id, attempt, False))
        return held is not None and self._close(release_entry(held, at))

    async def committed(self, cap: Cap, workspace: str) -> int:
        return committed(entry for entry in self._rows.values() if counts_under(cap, workspace, entry))

    async def entries(self, workspace: str | None = None, job_id: str | None = None) -> tuple[Entry, ...]:
        chosen = [
            entry
            for entry in self._rows.values()
            if workspace in {None, entry.workspace} and job_id in {None, entry.job_id}
        ]
        return tuple(sorted(chosen, key=lambda entry: (*_OLDEST(entry), entry.kind is not EntryKind.HOLD)))

    async def usage(self, month: str) -> tuple[UsageRow, ...]:
        groups: dict[tuple[str, ...], list[Entry]] = defaultdict(list)
        for entry in self._rows.values():
            if entry.month == month:
                groups[_USAGE_KEY(entry)].append(entry)
        return tuple(_usage(groups[key]) for key in sorted(groups))

    def _close(self, entry: Entry) -> bool:
        key = (entry.workspace, entry.job_id, entry.attempt, True)
        return self._rows.setdefault(key, entry) is entry


def _usage(entries: Sequence[Entry]) -> UsageRow:
    first = entries[0]
    return UsageRow(
        workspace=first.workspace,
        month=first.month,
        channel=first.channel,
        person=first.person,
        provider=first.provider,
        tier=first.tier,
        held_micro_usd=sum(entry.held_micro_usd for entry in entries),
        settled_micro_usd=sum(entry.settled_micro_usd for entry in entries),
        released_micro_usd=sum(entry.released_micro_usd for entry in entries),
        clips=sum(entry.kind is EntryKind.SETTLE and entry.settled_micro_usd > 0 for entry in entries),
    )
