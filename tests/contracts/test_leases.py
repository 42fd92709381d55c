"""``bot.ports.Leases``, on every implementation."""

import asyncio

from bot.domain.job import Ownership
from bot.ports import Storage
from tests.contracts.records import LEASE, NOW, a_job, later, put, registered


async def test_every_registration_has_a_higher_epoch_than_all_before(storage: Storage) -> None:
    epochs = [
        (await registered(storage, owner, alone=alone)).epoch
        for owner, alone in [("one", False), ("two", False), ("one", False), ("three", True), ("two", True)]
    ]

    assert epochs == sorted(set(epochs))


async def test_an_epoch_is_not_given_again_after_everybody_let_go(storage: Storage) -> None:
    first = await registered(storage)
    async with storage.begin() as tx:
        await tx.leases.release(first, later(1))

    assert (await registered(storage, "process-2")).epoch > first.epoch


async def test_epochs_differ_among_processes_that_start_at_once(replicas: tuple[Storage, Storage]) -> None:
    starts = (registered(replicas[number % 2], f"process-{number}") for number in range(10))

    assert len({ownership.epoch for ownership in await asyncio.gather(*starts)}) == 10


async def test_a_lease_holds_until_its_time_and_can_be_prolonged(storage: Storage) -> None:
    ours = await registered(storage)
    async with storage.begin() as tx:
        assert await tx.leases.holds(ours, later(5.999999))
        assert not await tx.leases.holds(ours, NOW + LEASE)
        assert await tx.leases.renew(ours, later(12))
    async with storage.read() as tx:
        assert await tx.leases.holds(ours, later(11))
        assert not await tx.leases.holds(ours, later(12))


async def test_a_lease_is_lost_to_a_newer_registration_of_the_same_name(storage: Storage) -> None:
    old = await registered(storage)
    new = await registered(storage)
    async with storage.begin() as tx:
        assert not await tx.leases.renew(old, later(60))
        assert not await tx.leases.holds(old, NOW)
        assert await tx.leases.holds(new, NOW)


async def test_a_lease_that_was_let_go_cannot_be_prolonged(storage: Storage) -> None:
    ours = await registered(storage)
    async with storage.begin() as tx:
        await tx.leases.release(ours, later(1))
        assert not await tx.leases.holds(ours, later(1))
        assert not await tx.leases.renew(ours, later(60))


async def test_who_is_alone_ends_every_other_lease(storage: Storage) -> None:
    dead = await registered(storage, "dead")
    ours = await registered(storage, "ours", alone=True)
    async with storage.begin() as tx:
        assert not await tx.leases.holds(dead, NOW)
        assert not await tx.leases.renew(dead, later(60))
        assert await tx.leases.holds(ours, NOW)


async def test_who_is_not_alone_leaves_other_leases(storage: Storage) -> None:
    other = await registered(storage, "other")
    await registered(storage, "ours")
    async with storage.begin() as tx:
        assert await tx.leases.holds(other, NOW)
        assert await tx.leases.renew(other, later(60))


async def test_a_process_that_slept_keeps_its_lease_as_long_as_nobody_took_over(storage: Storage) -> None:
    ours = await registered(storage)
    async with storage.begin() as tx:
        assert not await tx.leases.holds(ours, later(30))
        assert await tx.leases.renew(ours, later(36))


async def test_a_process_that_slept_cannot_prolong_a_lease_that_was_taken_over(storage: Storage) -> None:
    """It asks right before each effect; the answer must not depend on whether its rows were read again
    yet."""
    sleeper, other = await registered(storage, "sleeper"), await registered(storage, "other")
    async with storage.begin() as tx:
        await put(tx, a_job())
        await tx.jobs.claim(sleeper, 10, NOW)
        await tx.leases.renew(other, later(60))
    async with storage.begin() as tx:
        assert [job.id for job in await tx.jobs.claim(other, 10, later(30))] == ["j1"]
    async with storage.begin() as tx:
        assert not await tx.leases.renew(sleeper, later(36))


async def test_an_unknown_lease_is_nobodys(storage: Storage) -> None:
    stranger = Ownership(owner="stranger", epoch=1)
    async with storage.begin() as tx:
        await tx.leases.release(stranger, NOW)
        assert not await tx.leases.renew(stranger, later(60))
        assert not await tx.leases.holds(stranger, NOW)
