"""``bot.ports.Ledger`` in memory."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from operator import attrgetter

from bot.domain.budget import (
    Cap,
    Entry,
    Hold,
    Stage,
    UsageRow,
    adjust_entry,
    committed,
    release_entry,
    settle_entry,
)
from storage.accounting import check_cap, counts_under, hold_entries
from storage.memory.tables import Tables

_USAGE_KEY = attrgetter("workspace", "month", "channel", "person", "provider", "tier", "stage")
_OLDEST = attrgetter("at", "job_id", "attempt", "seq")


class MemoryLedger:
    """The ledger; ``zone`` is the calendar of holds that come without a cap."""

    def __init__(self, tables: Tables, zone: tzinfo) -> None:
        self._rows, self._zone = tables.ledger, zone

    async def hold(self, holds: Sequence[Hold], caps: Sequence[Cap]) -> None:
        fresh = [
            entry
            for entry in hold_entries(holds, caps, self._zone)
            if (entry.workspace, entry.job_id, entry.attempt, 0) not in self._rows
        ]
        for workspace in sorted({entry.workspace for entry in fresh}):
            for cap in caps:
                check_cap(cap, workspace, await self.committed(cap, workspace), fresh)
        for entry in fresh:
            self._add(entry)

    async def settle(self, workspace: str, job_id: str, attempt: int, cost_micro_usd: int, at: datetime) -> bool:
        held = self._rows.get((workspace, job_id, attempt, 0))
        return held is not None and self._add(settle_entry(held, cost_micro_usd, at))

    async def release(self, workspace: str, job_id: str, attempt: int, at: datetime) -> bool:
        held = self._rows.get((workspace, job_id, attempt, 0))
        return held is not None and self._add(release_entry(held, at))

    async def adjust(self, workspace: str, job_id: str, attempt: int, cost_micro_usd: int, at: datetime) -> bool:
        key = (workspace, job_id, attempt)
        rows = [entry for entry in self._rows.values() if (entry.workspace, entry.job_id, entry.attempt) == key]
        adjusted = adjust_entry(sorted(rows, key=attrgetter("seq")), cost_micro_usd, at)
        return adjusted is not None and self._add(adjusted)

    async def committed(self, cap: Cap, workspace: str) -> int:
        return committed(entry for entry in self._rows.values() if counts_under(cap, workspace, entry))

    async def assumed(self, cap: Cap, workspace: str) -> int:
        counted = [entry for entry in self._rows.values() if counts_under(cap, workspace, entry)]
        return sum(map(_assumed, _by_attempt(counted).values()))

    async def entries(self, workspace: str | None = None, job_id: str | None = None) -> tuple[Entry, ...]:
        chosen = [
            entry
            for entry in self._rows.values()
            if workspace in {None, entry.workspace} and job_id in {None, entry.job_id}
        ]
        return tuple(sorted(chosen, key=_OLDEST))

    async def usage(self, month: str) -> tuple[UsageRow, ...]:
        groups: dict[tuple[str, ...], list[Entry]] = defaultdict(list)
        for entry in self._rows.values():
            if entry.month == month:
                groups[_USAGE_KEY(entry)].append(entry)
        return tuple(_usage(groups[key]) for key in sorted(groups))

    async def places(self) -> tuple[tuple[str, str], ...]:
        return tuple(sorted({(entry.workspace, entry.channel) for entry in self._rows.values()}))

    def _add(self, entry: Entry) -> bool:
        key = (entry.workspace, entry.job_id, entry.attempt, entry.seq)
        return self._rows.setdefault(key, entry) is entry


def _usage(entries: Sequence[Entry]) -> UsageRow:
    first = entries[0]
    attempts = _by_attempt(entries)
    costs = {key: sum(entry.settled_micro_usd for entry in rows) for key, rows in attempts.items()}
    paid = {key: cost for key, cost in costs.items() if cost > 0}
    as_final = {key: attempts[key][0].as_final_micro_usd for key in paid if first.stage is not Stage.DIRECT}
    known = {key: price for key, price in as_final.items() if price is not None}
    return UsageRow(
        workspace=first.workspace,
        month=first.month,
        channel=first.channel,
        person=first.person,
        provider=first.provider,
        tier=first.tier,
        stage=first.stage,
        held_micro_usd=sum(entry.held_micro_usd for entry in entries),
        settled_micro_usd=sum(entry.settled_micro_usd for entry in entries),
        released_micro_usd=sum(entry.released_micro_usd for entry in entries),
        assumed_micro_usd=sum(map(_assumed, attempts.values())),
        clips=len(paid),
        as_final_micro_usd=sum(known.values()) if first.stage is Stage.DRAFT else 0,
        compared_micro_usd=sum(paid[key] for key in known),
        compared_clips=len(known),
    )


def _by_attempt(entries: Iterable[Entry]) -> dict[tuple[str, int], list[Entry]]:
    attempts: dict[tuple[str, int], list[Entry]] = defaultdict(list)
    for entry in entries:
        attempts[entry.job_id, entry.attempt].append(entry)
    return attempts


def _assumed(attempt: Sequence[Entry]) -> int:
    """What of one attempt's money rests on an assumed price."""
    price, total = max(entry.held_micro_usd for entry in attempt), committed(attempt)
    return total if attempt[0].price_assumed and total == price else 0
