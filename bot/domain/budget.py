"""Caps and the ledger's arithmetic. Money is integer micro-dollars; a period is a calendar day or month.

A hold is taken at the highest price before anything is ordered. It is settled with what was really charged, or
released on proof that nothing was. What counts against a cap is everything held and everything settled.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum

from bot.domain.pricing import dollars


class Scope(StrEnum):
    """Whom a cap binds, and for how long."""

    WORKSPACE_MONTH = "workspace_month"
    CHANNEL_MONTH = "channel_month"
    PERSON_DAY = "person_day"


class Stage(StrEnum):
    """Which of the two passes a clip belongs to; the ledger keeps it, so that the saving can be worked out."""

    DRAFT = "draft"
    """Made to be chosen from: a take, or a variant of one."""
    FINAL = "final"
    """The promotion of a draft."""
    DIRECT = "direct"
    """Rendered properly without a draft (``--final``), or a variant of a clip that was."""


@dataclass(frozen=True, kw_only=True)
class Caps:
    """The limits in force; None is no limit."""

    workspace_month_micro_usd: int | None = None
    channel_month_micro_usd: int | None = None
    person_day_micro_usd: int | None = None

    def lowest(self, other: "Caps") -> "Caps":
        """Of each limit the lower one: an admin's and the environment's both bind."""
        return Caps(
            workspace_month_micro_usd=_lower(self.workspace_month_micro_usd, other.workspace_month_micro_usd),
            channel_month_micro_usd=_lower(self.channel_month_micro_usd, other.channel_month_micro_usd),
            person_day_micro_usd=_lower(self.person_day_micro_usd, other.person_day_micro_usd),
        )


@dataclass(frozen=True, kw_only=True)
class Cap:
    """One limit as it binds one ask. ``subject`` is a workspace, channel or person id; ``period`` is ``2026-11`` for
    a month and ``2026-11-20`` for a day. ``limit_micro_usd`` is None where there is no limit (its row is locked and
    summed all the same, so that a limit set later counts what came before)."""

    scope: Scope
    subject: str
    period: str
    limit_micro_usd: int | None
    renews_at: datetime


def whose(
    scope: Scope, *, workspace: str = "this workspace", channel: str = "this channel", person: str = "you"
) -> str:
    """Whom a cap of that scope binds and for how long, in words: ``this channel for the month``. Whoever is not the
    reader, or stands elsewhere, is named by the caller."""
    match scope:
        case Scope.WORKSPACE_MONTH:
            return f"{workspace} for the month"
        case Scope.CHANNEL_MONTH:
            return f"{channel} for the month"
        case Scope.PERSON_DAY:
            return f"{person} for the day"


def moment(at: datetime) -> str:
    """``2026-12-01 00:00 UTC``: a moment in its own zone, for words that everybody reads alike."""
    return f"{at:%Y-%m-%d %H:%M %Z}"


class OverCap(Exception):
    """The ask does not fit under a cap. Nothing was held. Its sentence is for whoever may read of the ask: what is to
    be kept or logged. ``words`` is the same for one reader."""

    def __init__(self, cap: Cap, committed_micro_usd: int, asked_micro_usd: int, *, assumed: bool = False) -> None:
        self.cap, self.committed_micro_usd, self.asked_micro_usd = cap, committed_micro_usd, asked_micro_usd
        self.assumed = assumed
        """The provider publishes no price for what was asked."""
        super().__init__(self.words(person="its payer", when=moment))

    def words(self, *, person: str, when: Callable[[datetime], str]) -> str:
        """What it would cost, what is left for whom, and when there is more: a person's cap is that of ``person``, and
        ``when`` writes the moment."""
        assumed = " at an assumed price" if self.assumed else ""
        return (
            f"This would cost {dollars(self.asked_micro_usd)}{assumed}, and {dollars(self.left_micro_usd)} of "
            f"{dollars(self.cap.limit_micro_usd or 0)} is left for {whose(self.cap.scope, person=person)}. "
            f"The cap renews {when(self.cap.renews_at)}."
        )

    @property
    def left_micro_usd(self) -> int:
        """What could still be spent under this cap; never below zero."""
        return max(0, (self.cap.limit_micro_usd or 0) - self.committed_micro_usd)


@dataclass(frozen=True, kw_only=True)
class Hold:
    """Money to be set aside for one attempt of one job."""

    workspace: str
    job_id: str
    attempt: int
    channel: str
    person: str
    provider: str
    tier: str
    stage: Stage
    as_final_micro_usd: int | None
    """For a draft: what the same clip would be held at as a final; None where that is not known. For the final of a
    draft where it is: its own price. None for what has no draft."""
    price_assumed: bool
    """The provider publishes no price, so it is held at the dearest of others."""
    micro_usd: int
    at: datetime


class EntryKind(StrEnum):
    """What a ledger row records."""

    HOLD = "hold"
    SETTLE = "settle"
    RELEASE = "release"
    ADJUST = "adjust"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One ledger row, never changed. The three amounts are what the row adds to the three sums: a hold adds to
    ``held``; settling takes the hold away again and adds to ``settled`` (and what was not needed to ``released``);
    releasing moves the hold to ``released``; an adjustment adds the difference to what was settled, and takes from
    or gives to ``released`` accordingly. Month and day are the hold's own, so that a job stays in the period in
    which it was accepted."""

    workspace: str
    job_id: str
    attempt: int
    seq: int
    """Counts the rows of one attempt: 0 is the hold, 1 closes it, 2 and more adjust it."""
    kind: EntryKind
    channel: str
    person: str
    provider: str
    tier: str
    stage: Stage
    as_final_micro_usd: int | None
    """As in the hold; the same on every row of the attempt."""
    price_assumed: bool
    """As in the hold; the same on every row of the attempt."""
    month: str
    day: str
    held_micro_usd: int
    settled_micro_usd: int
    released_micro_usd: int
    at: datetime


@dataclass(frozen=True, kw_only=True)
class UsageRow:
    """Sums over a month for one workspace, channel, person, provider, tier and stage."""

    workspace: str
    month: str
    channel: str
    person: str
    provider: str
    tier: str
    stage: Stage
    held_micro_usd: int
    settled_micro_usd: int
    released_micro_usd: int
    assumed_micro_usd: int
    """Of what is held and settled: what rests on an assumed price. What was settled at another figure than was held
    was named by the provider, and rests on none."""
    clips: int
    """Attempts that cost something."""
    as_final_micro_usd: int
    """What the drafts among those attempts would have been held at as finals, as far as that is known."""
    compared_micro_usd: int
    """What those drafts whose price as a final is known, and the finals of such drafts, really cost."""
    compared_clips: int
    """How many those are."""


def must_fit(cap: Cap, committed_micro_usd: int, asked_micro_usd: int, *, assumed: bool = False) -> None:
    """The one rule of a cap: what is asked, maybe at an assumed price, must fit beside what is held and spent already.
    Raises OverCap."""
    limit = cap.limit_micro_usd
    if limit is not None and asked_micro_usd and committed_micro_usd + asked_micro_usd > limit:
        raise OverCap(cap, committed_micro_usd, asked_micro_usd, assumed=assumed)


def month_of(at: datetime, zone: tzinfo) -> str:
    """``2026-11``, as the calendar of ``zone`` has it."""
    return at.astimezone(zone).strftime("%Y-%m")


def day_of(at: datetime, zone: tzinfo) -> str:
    """``2026-11-20``, as the calendar of ``zone`` has it."""
    return at.astimezone(zone).strftime("%Y-%m-%d")


def caps_on(caps: Caps, *, workspace: str, channel: str, person: str, now: datetime, zone: tzinfo) -> tuple[Cap, ...]:
    """The caps that bind an ask made now, in the order in which their rows are to be locked."""
    local = now.astimezone(zone)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    next_month = (midnight.replace(day=1) + timedelta(days=32)).replace(day=1)
    month, day = month_of(now, zone), day_of(now, zone)
    found = (
        Cap(
            scope=Scope.WORKSPACE_MONTH,
            subject=workspace,
            period=month,
            limit_micro_usd=caps.workspace_month_micro_usd,
            renews_at=next_month,
        ),
        Cap(
            scope=Scope.CHANNEL_MONTH,
            subject=channel,
            period=month,
            limit_micro_usd=caps.channel_month_micro_usd,
            renews_at=next_month,
        ),
        Cap(
            scope=Scope.PERSON_DAY,
            subject=person,
            period=day,
            limit_micro_usd=caps.person_day_micro_usd,
            renews_at=midnight + timedelta(days=1),
        ),
    )
    return tuple(sorted(found, key=lambda cap: (cap.scope.value, cap.subject, cap.period)))


def committed(entries: Iterable[Entry]) -> int:
    """What counts against a cap: everything held and everything settled."""
    return sum(entry.held_micro_usd + entry.settled_micro_usd for entry in entries)


def hold_entry(hold: Hold, zone: tzinfo) -> Entry:
    """The row that sets money aside."""
    return Entry(
        workspace=hold.workspace,
        job_id=hold.job_id,
        attempt=hold.attempt,
        seq=0,
        kind=EntryKind.HOLD,
        channel=hold.channel,
        person=hold.person,
        provider=hold.provider,
        tier=hold.tier,
        stage=hold.stage,
        as_final_micro_usd=hold.as_final_micro_usd,
        price_assumed=hold.price_assumed,
        month=month_of(hold.at, zone),
        day=day_of(hold.at, zone),
        held_micro_usd=hold.micro_usd,
        settled_micro_usd=0,
        released_micro_usd=0,
        at=hold.at,
    )


def settle_entry(held: Entry, cost_micro_usd: int, at: datetime) -> Entry:
    """The row that closes a hold with what was charged. A provider may charge more than was held; then nothing is
    released and the sums say the truth."""
    return _closing(held, EntryKind.SETTLE, cost_micro_usd, at)


def release_entry(held: Entry, at: datetime) -> Entry:
    """The row that closes a hold on proof that nothing was charged."""
    return _closing(held, EntryKind.RELEASE, 0, at)


def adjust_entry(attempt: Sequence[Entry], cost_micro_usd: int, at: datetime) -> Entry | None:
    """The row that brings a closed attempt (all its rows so far) to another cost; None when it is closed at that cost
    already, or not closed."""
    if len(attempt) < 2:
        return None
    held, settled = attempt[0].held_micro_usd, sum(entry.settled_micro_usd for entry in attempt)
    if settled == cost_micro_usd:
        return None
    released = sum(entry.released_micro_usd for entry in attempt)
    return replace(
        attempt[0],
        seq=len(attempt),
        kind=EntryKind.ADJUST,
        held_micro_usd=0,
        settled_micro_usd=cost_micro_usd - settled,
        released_micro_usd=max(0, held - cost_micro_usd) - released,
        at=at,
    )


def _closing(held: Entry, kind: EntryKind, cost_micro_usd: int, at: datetime) -> Entry:
    return replace(
        held,
        seq=1,
        kind=kind,
        held_micro_usd=-held.held_micro_usd,
        settled_micro_usd=cost_micro_usd,
        released_micro_usd=max(0, held.held_micro_usd - cost_micro_usd),
        at=at,
    )


def _lower(one: int | None, other: int | None) -> int | None:
    return min((limit for limit in (one, other) if limit is not None), default=None)
