"""``bot.ports.Inbox``, on every implementation."""

import asyncio

import pytest

from bot.ports import Storage
from tests.contracts.records import NOW, later


@pytest.mark.row("F03")
async def test_an_event_is_taken_once_in_each_workspace(storage: Storage) -> None:
    async with storage.begin() as tx:
        assert not await tx.inbox.was_taken("T1", "event")
        assert await tx.inbox.take("T1", "event", NOW)
        assert not await tx.inbox.take("T1", "event", NOW)
        assert not await tx.inbox.was_taken("T2", "event")
        assert await tx.inbox.take("T2", "event", NOW)
    async with storage.read() as tx:
        assert [await tx.inbox.was_taken(one, "event") for one in ("T1", "T2", "T3")] == [True, True, False]
    async with storage.begin() as tx:
        assert not await tx.inbox.take("T1", "event", later(5))


async def test_an_event_whose_transaction_failed_can_be_taken_again(storage: Storage) -> None:
    async def taken_and_failed() -> None:
        async with storage.begin() as tx:
            await tx.inbox.take("T1", "event", NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await taken_and_failed()
    async with storage.begin() as tx:
        assert await tx.inbox.take("T1", "event", NOW)


async def test_old_keys_are_forgotten_and_newer_ones_stay(storage: Storage) -> None:
    async with storage.begin() as tx:
        for seconds in range(5):
            await tx.inbox.take("T1", f"event {seconds}", later(seconds))
    async with storage.begin() as tx:
        assert await tx.inbox.forget_before(later(3)) == 3
    async with storage.begin() as tx:
        assert await tx.inbox.take("T1", "event 2", NOW)
        assert not await tx.inbox.take("T1", "event 3", NOW)


async def test_of_deliveries_at_the_same_moment_one_wins(replicas: tuple[Storage, Storage]) -> None:
    async def deliver(number: int) -> bool:
        async with replicas[number % 2].begin() as tx:
            return await tx.inbox.take("T1", "event", NOW)

    assert sorted(await asyncio.gather(*(deliver(number) for number in range(20)))) == [False] * 19 + [True]
