"""When a process may do what cannot be taken back: its lease was renewed just now, or its row says that it holds."""

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from bot.domain.job import Ownership
from bot.ports import Fenced
from bot.services.lease import TRUSTED_SECONDS, VALID, Lease
from storage import MemoryStorage
from tests.support.clock import SettableClock


@dataclass
class Held:
    """A lease just registered, in a process that may sleep too long."""

    clock: SettableClock
    storage: MemoryStorage
    lease: Lease
    ownership: Ownership

    async def taken_over(self) -> None:
        """Another process took what lapsed: the row has ended."""
        async with self.storage.begin() as tx:
            await tx.leases.release(self.ownership, self.clock.now())

    async def holds(self) -> bool:
        async with self.storage.read() as tx:
            return await tx.leases.holds(self.ownership, self.clock.now())


@pytest.fixture
async def held() -> Held:
    clock, storage = SettableClock(), MemoryStorage()
    lease = Lease(storage=storage, clock=clock, alone=False)
    return Held(clock=clock, storage=storage, lease=lease, ownership=await lease.register())


async def test_a_process_that_slept_learns_before_its_next_effect_that_it_was_given_up(held: Held) -> None:
    held.clock.advance(VALID.total_seconds() + 1)
    await held.taken_over()
    with pytest.raises(Fenced):
        await held.lease.fresh(held.ownership)


async def test_who_was_not_renewed_just_now_proves_it_anew_from_the_row(held: Held) -> None:
    """And has it for as long as after a renewal from then on."""
    held.clock.advance(VALID.total_seconds() - 1)
    await held.lease.fresh(held.ownership)
    held.clock.advance(2)
    assert await held.holds()


async def test_a_renewal_just_now_is_trusted_without_a_look(held: Held) -> None:
    """Effects follow one another closely, and nobody takes over what is valid for so much longer."""
    assert timedelta(seconds=TRUSTED_SECONDS) * 2 < VALID
    held.clock.advance(TRUSTED_SECONDS)
    await held.taken_over()
    await held.lease.fresh(held.ownership)


async def test_what_was_read_under_another_epoch_is_fenced_however_young_the_lease_is(held: Held) -> None:
    with pytest.raises(Fenced):
        await held.lease.fresh(replace(held.ownership, epoch=held.ownership.epoch - 1))


async def test_a_lease_that_was_lost_begins_a_new_epoch(held: Held) -> None:
    await held.taken_over()
    await held.lease.renew()
    assert held.lease.ownership.epoch == held.ownership.epoch + 1
    with pytest.raises(Fenced):
        await held.lease.fresh(held.ownership)
    await held.lease.fresh(held.lease.ownership)
