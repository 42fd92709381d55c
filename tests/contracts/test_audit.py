"""``bot.ports.Audit``, on every implementation."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.domain.audit import Act, AuditEntry
from bot.ports import Storage, StorageBusy
from storage import MemoryStorage, open_storage
from tests.contracts.records import NOW, assert_same, later

FULL = AuditEntry(
    workspace="T1",
    at=NOW,
    act=Act.ORDERED,
    person="U1",
    channel="C1",
    ask_id="a1",
    job_id="j1",
    provider="hiapi",
    task_id="task-1",
    micro_usd=9_000_000_000_000,  # past 32 bits, as all money may be
    price_assumed=True,
    detail="a café — “at night” 🦊\n%_'\"",
)


def a_line(detail: str = "", **changes: Any) -> AuditEntry:
    """Something that Dailies did by itself."""
    return replace(AuditEntry(workspace="T1", at=NOW, act=Act.CHARGED, detail=detail), **changes)


async def write(storage: Storage, *lines: AuditEntry) -> None:
    async with storage.begin() as tx:
        await tx.audit.add(*lines)


async def details(storage: Storage, **chosen: Any) -> list[str]:
    async with storage.read() as tx:
        return [line.detail for line in await tx.audit.entries(**chosen)]


async def test_a_line_comes_back_with_every_field(storage: Storage) -> None:
    await write(storage, FULL, a_line())

    async with storage.read() as tx:
        assert_same(await tx.audit.entries(), (FULL, a_line()))


async def test_lines_stand_in_the_order_in_which_they_were_written(storage: Storage) -> None:
    """Whatever the clock said: two processes' clocks may differ."""
    await write(storage, a_line("1", at=later(9)), a_line("2"), a_line("3", at=later(5)))
    await write(storage)
    await write(storage, a_line("4", at=later(-60)))

    assert await details(storage) == ["1", "2", "3", "4"]


async def test_the_newest_so_many_are_still_oldest_first(storage: Storage) -> None:
    await write(storage, *(a_line(str(number)) for number in range(5)))

    assert await details(storage, limit=2) == ["3", "4"]
    assert await details(storage, limit=5) == await details(storage, limit=99) == ["0", "1", "2", "3", "4"]
    assert await details(storage, limit=0) == []


async def test_lines_can_be_had_by_workspace(storage: Storage) -> None:
    await write(storage, a_line("ours"), a_line("theirs", workspace="T2"), a_line("ours too"))

    assert await details(storage, workspace="T1") == ["ours", "ours too"]
    assert await details(storage, workspace="T1", limit=1) == ["ours too"]
    assert await details(storage, workspace="T3") == []


@pytest.mark.parametrize(
    ("month", "found"),
    [
        ("2026-11", ["first", "last"]),
        ("2026-12", ["december", "silvester"]),
        ("2027-01", ["new year"]),
        ("2026-10", []),
    ],
)
async def test_a_month_begins_and_ends_at_midnight_utc(storage: Storage, month: str, found: list[str]) -> None:
    await write(
        storage,
        a_line("first", at=datetime(2026, 11, 1, tzinfo=UTC)),
        a_line("last", at=datetime(2026, 11, 30, 23, 59, 59, 999_999, tzinfo=UTC)),
        a_line("december", at=datetime(2026, 12, 1, tzinfo=UTC)),
        a_line("silvester", at=datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
        a_line("new year", at=datetime(2027, 1, 1, tzinfo=UTC)),
    )

    assert await details(storage, month=month) == found
    assert await details(storage, month=month, limit=1) == found[-1:]


async def test_what_is_rolled_back_was_never_done(storage: Storage) -> None:
    await write(storage, a_line("kept"))

    async def fail() -> None:
        async with storage.begin() as tx:
            await tx.audit.add(a_line("dropped"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await details(storage) == ["kept"]


async def test_of_writers_at_once_no_line_is_lost_and_each_ones_order_is_kept(
    replicas: tuple[Storage, Storage],
) -> None:
    async def work(writer: int) -> None:
        for number in range(10):
            while True:
                try:
                    await write(replicas[writer % 2], *(a_line(f"{writer}/{number}/{part}") for part in "ab"))
                except StorageBusy:  # a slow machine
                    continue
                break

    await asyncio.gather(*(work(writer) for writer in range(6)))

    by_writer: dict[str, list[str]] = defaultdict(list)
    for detail in await details(replicas[0]):
        by_writer[detail.partition("/")[0]].append(detail)
    assert by_writer == {
        str(writer): [f"{writer}/{number}/{part}" for number in range(10) for part in "ab"] for writer in range(6)
    }


async def test_a_month_follows_the_calendar_of_the_operator(any_url: str | None) -> None:
    """With summer time: Berlin's October is an hour longer than its days."""
    async with _opened(any_url, ZoneInfo("Europe/Berlin")) as storage:
        await write(
            storage,
            a_line("september", at=datetime(2026, 9, 30, 21, 59, 59, 999_999, tzinfo=UTC)),
            a_line("october", at=datetime(2026, 9, 30, 22, tzinfo=UTC)),
            a_line("the last of october", at=datetime(2026, 10, 31, 22, 59, 59, 999_999, tzinfo=UTC)),
            a_line("november", at=datetime(2026, 10, 31, 23, tzinfo=UTC)),
        )
        assert await details(storage, month="2026-10") == ["october", "the last of october"]
        assert await details(storage, month="2026-11") == ["november"]


@asynccontextmanager
async def _opened(url: str | None, zone: tzinfo) -> AsyncIterator[Storage]:
    if url is None:
        yield MemoryStorage(zone)
        return
    async with open_storage(url, alone=False, zone=zone) as storage:
        yield storage
