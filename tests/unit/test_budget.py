"""Caps, their periods in every calendar, and the ledger's arithmetic."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.budget import (
    Caps,
    Entry,
    EntryKind,
    OverCap,
    Scope,
    caps_on,
    committed,
    day_of,
    hold_entry,
    month_of,
    release_entry,
    settle_entry,
)
from tests.support.values import PRICE, a_cap, a_hold, at

BERLIN, AUCKLAND, HONOLULU = ZoneInfo("Europe/Berlin"), ZoneInfo("Pacific/Auckland"), ZoneInfo("Pacific/Honolulu")
MONEY = st.integers(0, 10**12)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds
ZONES = st.sampled_from([UTC, BERLIN, AUCKLAND, HONOLULU, timezone(timedelta(hours=14))])


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "zone", "month", "day"),
    [
        (utc("2026-11-20 12:00:00"), UTC, "2026-11", "2026-11-20"),
        (utc("2026-11-30 23:59:59"), UTC, "2026-11", "2026-11-30"),
        (utc("2026-12-01 00:00:00"), UTC, "2026-12", "2026-12-01"),
        (utc("2026-11-30 23:30:00"), BERLIN, "2026-12", "2026-12-01"),
        (utc("2026-12-31 23:30:00"), BERLIN, "2027-01", "2027-01-01"),
        (utc("2027-01-01 09:59:00"), HONOLULU, "2026-12", "2026-12-31"),
        (utc("2028-02-29 10:00:00"), AUCKLAND, "2028-02", "2028-02-29"),
        (utc("2028-02-29 11:00:00"), AUCKLAND, "2028-03", "2028-03-01"),
    ],
)
def test_periods_follow_the_calendar_of_the_zone(now: datetime, zone: ZoneInfo, month: str, day: str) -> None:
    assert (month_of(now, zone), day_of(now, zone)) == (month, day)
    caps = caps_on(Caps(), workspace="T1", channel="C1", person="U1", now=now, zone=zone)
    assert {cap.scope: cap.period for cap in caps} == {
        Scope.WORKSPACE_MONTH: month,
        Scope.CHANNEL_MONTH: month,
        Scope.PERSON_DAY: day,
    }


@pytest.mark.parametrize(
    ("now", "zone", "next_day", "next_month"),
    [
        (utc("2026-11-20 12:00:00"), UTC, utc("2026-11-21 00:00:00"), utc("2026-12-01 00:00:00")),
        (utc("2026-12-31 23:59:59"), UTC, utc("2027-01-01 00:00:00"), utc("2027-01-01 00:00:00")),
        (utc("2028-01-31 00:00:00"), UTC, utc("2028-02-01 00:00:00"), utc("2028-02-01 00:00:00")),
        (utc("2028-02-29 12:00:00"), UTC, utc("2028-03-01 00:00:00"), utc("2028-03-01 00:00:00")),
        # Berlin leaves summer time on 25 October 2026: that day has 25 hours, and November begins at 23:00 UTC.
        (utc("2026-10-25 00:30:00"), BERLIN, utc("2026-10-25 23:00:00"), utc("2026-10-31 23:00:00")),
        (utc("2026-03-29 00:30:00"), BERLIN, utc("2026-03-29 22:00:00"), utc("2026-03-31 22:00:00")),
    ],
)
def test_a_cap_renews_when_its_period_ends(
    now: datetime, zone: ZoneInfo, next_day: datetime, next_month: datetime
) -> None:
    caps = caps_on(Caps(), workspace="T1", channel="C1", person="U1", now=now, zone=zone)
    renews = {cap.scope: cap.renews_at.astimezone(UTC) for cap in caps}
    assert renews == {
        Scope.WORKSPACE_MONTH: next_month,
        Scope.CHANNEL_MONTH: next_month,
        Scope.PERSON_DAY: next_day,
    }


@given(now=MOMENTS, zone=ZONES)
def test_a_cap_renews_soon_and_then_has_another_period(now: datetime, zone: ZoneInfo) -> None:
    for cap in caps_on(Caps(), workspace="T1", channel="C1", person="U1", now=now, zone=zone):
        longest = timedelta(hours=25) if cap.scope is Scope.PERSON_DAY else timedelta(days=31, hours=1)
        assert timedelta(0) < cap.renews_at.astimezone(UTC) - now <= longest
        after = caps_on(Caps(), workspace="T1", channel="C1", person="U1", now=cap.renews_at, zone=zone)
        assert next(one for one in after if one.scope is cap.scope).period > cap.period


def test_each_cap_has_its_subject_and_limit() -> None:
    limits = Caps(workspace_month_micro_usd=3, channel_month_micro_usd=2, person_day_micro_usd=1)
    caps = caps_on(limits, workspace="T1", channel="C1", person="U1", now=at(), zone=UTC)
    assert [(cap.scope, cap.subject, cap.limit_micro_usd) for cap in caps] == [
        (Scope.CHANNEL_MONTH, "C1", 2),
        (Scope.PERSON_DAY, "U1", 1),
        (Scope.WORKSPACE_MONTH, "T1", 3),
    ]


def test_caps_without_a_limit_are_there_all_the_same() -> None:
    caps = caps_on(Caps(), workspace="T1", channel="C1", person="U1", now=at(), zone=UTC)
    assert [cap.limit_micro_usd for cap in caps] == [None, None, None]


@given(one=st.tuples(*[st.sampled_from(["A", "B", "C"])] * 3), other=st.tuples(*[st.sampled_from(["A", "B", "C"])] * 3))
def test_rows_are_locked_in_one_order_by_everybody(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    """Two asks that share any rows meet them in the same order, so that they cannot wait for each other."""

    def keys(names: tuple[str, ...]) -> list[tuple[str, str]]:
        workspace, channel, person = names
        caps = caps_on(Caps(), workspace=workspace, channel=channel, person=person, now=at(), zone=UTC)
        return [(cap.scope.value, cap.subject) for cap in caps]

    shared = [key for key in keys(one) if key in keys(other)]
    assert shared == [key for key in keys(other) if key in keys(one)]


def test_over_a_cap_says_what_is_left() -> None:
    error = OverCap(a_cap(limit=1_000_000), 900_000, 320_000)
    assert error.left_micro_usd == 100_000
    assert str(error) == (
        "This would cost $0.32, and $0.10 of $1.00 is left for this workspace for the month. "
        "The cap renews 2026-11-21 21:30 UTC."
    )
    assert OverCap(a_cap(limit=1_000_000), 1_200_000, 1).left_micro_usd == 0


def test_a_hold_sets_money_aside_in_its_period() -> None:
    entry = hold_entry(a_hold(at=utc("2026-11-30 23:30:00")), BERLIN)
    assert (entry.kind, entry.month, entry.day) == (EntryKind.HOLD, "2026-12", "2026-12-01")
    assert (entry.held_micro_usd, entry.settled_micro_usd, entry.released_micro_usd) == (PRICE, 0, 0)
    assert (entry.workspace, entry.channel, entry.person, entry.provider, entry.tier) == (
        "T1",
        "C1",
        "U1",
        "hiapi",
        "mini",
    )


@pytest.mark.parametrize(
    ("cost", "settled", "released"),
    [(PRICE, PRICE, 0), (300_000, 300_000, 20_000), (0, 0, PRICE), (400_000, 400_000, 0)],
    ids=["as held", "less", "nothing", "more"],
)
def test_settling_tells_the_truth(cost: int, settled: int, released: int) -> None:
    held = hold_entry(a_hold(), UTC)
    closed = settle_entry(held, cost, at(60))
    assert (closed.held_micro_usd, closed.settled_micro_usd, closed.released_micro_usd) == (-PRICE, settled, released)
    assert closed == replace(
        held,
        seq=1,
        kind=EntryKind.SETTLE,
        held_micro_usd=-PRICE,
        settled_micro_usd=settled,
        released_micro_usd=released,
        at=at(60),
    )
    assert committed([held, closed]) == cost


@pytest.mark.row("F14")
def test_a_job_stays_in_the_period_in_which_it_was_accepted() -> None:
    held = hold_entry(a_hold(at=utc("2026-11-30 23:59:00")), UTC)
    for closed in (settle_entry(held, 1, utc("2026-12-01 00:00:00")), release_entry(held, utc("2026-12-01 00:00:00"))):
        assert (closed.month, closed.day) == ("2026-11", "2026-11-30")


def test_releasing_gives_all_of_it_back() -> None:
    held = hold_entry(a_hold(), UTC)
    closed = release_entry(held, at(60))
    assert closed.kind is EntryKind.RELEASE
    assert (closed.held_micro_usd, closed.settled_micro_usd, closed.released_micro_usd) == (-PRICE, 0, PRICE)
    assert committed([held, closed]) == 0


ENDS = st.lists(st.tuples(MONEY, st.sampled_from(["open", "release", "settle"]), MONEY), max_size=20)


@given(ends=ENDS)
def test_sums_are_kept_whatever_becomes_of_the_holds(ends: list[tuple[int, str, int]]) -> None:
    """Held is what is open, settled what was charged, and every hold is accounted for once."""
    rows: list[Entry] = []
    for number, (held, end, cost) in enumerate(ends):
        entry = hold_entry(a_hold(job_id=f"j{number}", micro_usd=held), UTC)
        rows.append(entry)
        if end == "release":
            rows.append(release_entry(entry, at(1)))
        if end == "settle":
            rows.append(settle_entry(entry, cost, at(1)))
    charged = sum(cost for _, end, cost in ends if end == "settle")
    still_open = sum(held for held, end, _ in ends if end == "open")
    given_back = sum(held for held, end, _ in ends if end == "release")
    unused = sum(max(0, held - cost) for held, end, cost in ends if end == "settle")
    assert sum(row.held_micro_usd for row in rows) == still_open
    assert sum(row.settled_micro_usd for row in rows) == charged
    assert sum(row.released_micro_usd for row in rows) == given_back + unused
    assert committed(rows) == still_open + charged


@given(prices=st.lists(MONEY, min_size=1, max_size=20))
def test_committed_money_only_grows_with_holds(prices: list[int]) -> None:
    rows = [hold_entry(a_hold(job_id=f"j{n}", micro_usd=price), UTC) for n, price in enumerate(prices)]
    sums = [committed(rows[:count]) for count in range(len(rows) + 1)]
    assert all(before <= after for before, after in pairwise(sums))
    assert sums[-1] == sum(prices)
