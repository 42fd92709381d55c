"""What becomes of an order when the connection to the database breaks at a commit of its step, so that nobody is told
whether it was made."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from bot.domain.budget import EntryKind
from bot.domain.job import Job, State
from bot.ports import CommitUnknown, Fenced, OrderOutcome
from bot.services.moving import Moves
from bot.services.submitting import Submitting
from tests.support.breaking import Breaking
from tests.support.ordering import LOST, SENDER, TAKEN, Desk, desk


@asynccontextmanager
async def intended_in_doubt(
    *outcomes: OrderOutcome, idempotent: bool = False, written: bool = True
) -> AsyncIterator[Desk]:
    """An order whose connection to the database broke at the commit of its intention, ``written`` or not: so it was not
    sent. ``outcomes`` are for what is sent after that."""
    async with desk(*outcomes, idempotent=idempotent) as started:
        bench = replace(started.ordering.bench, storage=Breaking(started.storage, written=written))
        submitting = replace(started.submitting, bench=bench)
        ordering = replace(started.ordering, bench=bench, submitting=submitting)
        one = replace(started, ordering=ordering, submitting=submitting)
        with pytest.raises(CommitUnknown):
            await one.submit()
        yield one


@pytest.mark.row("F86")
@pytest.mark.parametrize("idempotent", [True, False])
async def test_an_order_is_taken_back_by_who_knows_that_it_never_left(idempotent: bool) -> None:
    """Its intention is on disk and its commit was in doubt: who did not hear of that sent nothing."""
    async with intended_in_doubt(TAKEN, idempotent=idempotent) as one:
        assert (await one.job()).state is State.SUBMITTING

        job = await one.resolve()
        assert (job.state, job.trouble, one.provider.orders) == (State.QUEUED, None, [])
        assert await one.money() == [EntryKind.HOLD]

        one.clock.advance(60)
        assert (await one.submit()).state is State.RENDERING
        assert one.submitting._unsent == {}


@pytest.mark.row("F86")
@pytest.mark.parametrize("written", [True, False])
async def test_an_order_that_was_sent_after_all_is_not_taken_back(written: bool) -> None:
    """What was in doubt before it says nothing of the order that was sent since."""
    async with intended_in_doubt(LOST, written=written) as one:
        if written:
            await one.resolve()
            one.clock.advance(60)
        with pytest.MonkeyPatch.context() as broken:
            broken.setattr(Submitting, "_conclude_unknown", never)
            with pytest.raises(Fenced):
                await one.submit()
        assert (await one.resolve()).state is State.UNCERTAIN
        assert len(one.provider.orders) == 1


async def never(*_: object) -> Job:
    """Its outcome is not written."""
    raise Fenced("somebody moved it")


@pytest.mark.row("F86")
@pytest.mark.parametrize("known", [True, False])
async def test_who_lost_its_lease_does_not_say_that_nothing_left(known: bool) -> None:
    """Another process may have sent the order in the meantime."""
    async with intended_in_doubt() as one:
        if not known:
            async with one.storage.begin() as tx:
                await tx.leases.release(one.lease.ownership, one.clock.now())
            one.clock.advance(2)
            with pytest.raises(Fenced):
                await one.resolve()
        await one.lease.register()
        await one.claim()
        assert (await one.resolve()).state is State.UNCERTAIN


@pytest.mark.row("F86")
async def test_who_finds_its_lease_lapsed_writes_no_intention_that_nobody_keeps() -> None:
    """Nobody got through to renew it, and the first to get through again is an order."""
    async with desk(TAKEN, idempotent=False) as one:
        async with one.storage.begin() as tx:
            await tx.leases.release(one.lease.ownership, one.clock.now())
        one.clock.advance(2)
        with pytest.raises(Fenced):
            await one.submit()
        assert ((await one.job()).state, one.provider.orders) == (State.QUEUED, [])

        await one.lease.register()
        await one.claim()
        assert (await one.submit()).state is State.RENDERING


async def test_an_order_given_again_is_as_old_as_itself() -> None:
    """That it was given again was in doubt, too: it is as new as any, and not given up with the one before."""
    async with desk(LOST, LOST, idempotent=False) as one:
        (can,) = one.provider.capabilities
        await one.submit()
        one.clock.advance(can.output_lifetime.total_seconds() - 60)
        await one.submitting.watch(await one.job(), await one.ask())
        await one.presses.order_again(replace(SENDER, key="press:1"), one.job_id)
        moves = Moves(storage=Breaking(one.storage, written=True), clock=one.clock, moved=lambda before, after: None)
        broken = replace(one.submitting, bench=replace(one.submitting.bench, moves=moves))
        with pytest.raises(CommitUnknown):
            await broken.watch(await one.job(), await one.ask())
        assert ((await one.job()).state, (await one.job()).attempt) == (State.QUEUED, 2)

        assert (await one.submit()).state is State.UNCERTAIN
        one.clock.advance(60)
        await one.submitting.watch(await one.job(), await one.ask())
        assert (await one.job()).state is State.UNCERTAIN
        assert len(one.submitting._ages) == 1
