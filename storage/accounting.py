"""What every implementation of the ledger shares: which entries a hold writes, and what counts under a
cap."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import tzinfo

from bot.domain.budget import Cap, Entry, Hold, Scope, hold_entry, must_fit

MONTHLY = frozenset({Scope.WORKSPACE_MONTH, Scope.CHANNEL_MONTH})


def hold_entries(holds: Sequence[Hold], caps: Sequence[Cap], zone: tzinfo) -> list[Entry]:
    """The rows of these holds. Their month and day are those of the caps they are measured against, so
    that the two cannot disagree around midnight or over a time zone; ``zone`` is the calendar where
    there is no cap."""
    month = next((cap.period for cap in caps if cap.scope in MONTHLY), None)
    day = next((cap.period for cap in caps if cap.scope is Scope.PERSON_DAY), None)
    rows = (hold_entry(hold, zone) for hold in holds)
    return [replace(row, month=month or row.month, day=day or row.day) for row in rows]


def counts_under(cap: Cap, workspace: str, entry: Entry) -> bool:
    """Whether the entry counts against that cap of that workspace."""
    if entry.workspace != workspace:
        return False
    match cap.scope:
        case Scope.WORKSPACE_MONTH:
            return entry.month == cap.period
        case Scope.CHANNEL_MONTH:
            return entry.channel == cap.subject and entry.month == cap.period
        case Scope.PERSON_DAY:
            return entry.person == cap.subject and entry.day == cap.period


def check_cap(cap: Cap, workspace: str, committed_micro_usd: int, fresh: Iterable[Entry]) -> None:
    """Raises OverCap when the fresh holds do not fit under the cap beside what is committed."""
    counting = [entry for entry in fresh if counts_under(cap, workspace, entry)]
    asked = sum(entry.held_micro_usd for entry in counting)
    must_fit(cap, committed_micro_usd, asked, assumed=any(entry.price_assumed for entry in counting))
