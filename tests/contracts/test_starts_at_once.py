"""Two processes start one person's jobs: how many run is counted and taken as one, over both of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bot.domain.job import Job, State
from bot.domain.lineage import Changes
from bot.domain.pricing import PriceTable
from bot.domain.recipe import Recipe
from bot.ports import Order, OrderAccepted, OrderOutcome, Storage, StorageBusy, TaskReport, TaskRunning
from bot.providers.hiapi import capabilities
from bot.services.answers import Taken
from bot.services.balances import Balances
from bot.services.bench import Bench
from bot.services.circuit import Circuit
from bot.services.gatekeeper import Gatekeeper
from bot.services.handing import Handing
from bot.services.lease import Lease
from bot.services.moving import Moves
from bot.services.ordering import Ordering
from bot.services.places import Places
from bot.services.policies import Policies
from bot.services.policy import Policy
from bot.services.rerouting import Rerouting
from bot.services.routing import Router
from bot.services.submitting import Submitting
from storage import MemoryClips, open_storage
from tests.support.clock import SettableClock
from tests.support.services import House, People
from tests.support.values import a_sender
from tests.support.vendors import Declared
from tests.support.workbench import Signs

POLICY = Policy(running_per_person=1)


class Renders(Declared):
    """A provider that takes every order."""

    def __init__(self) -> None:
        super().__init__(capabilities(idempotent=True))
        self.keys: list[str] = []

    def order(self, recipe: Recipe, key: str, callback_url: str | None = None) -> Order:
        return Order(key=key, body=recipe.prompt.encode())

    async def submit(self, order: Order) -> OrderOutcome:
        self.keys.append(order.key)
        return OrderAccepted(task_id=f"task-of-{order.key}")

    async def look(self, task_id: str) -> TaskReport:
        return TaskRunning()


@asynccontextmanager
async def process(url: str, provider: Renders, seed: int) -> AsyncIterator[Bench]:
    """All that one process needs to order."""
    clock = SettableClock(seed=seed)
    async with open_storage(url, alone=False) as storage:
        lease = Lease(storage=storage, clock=clock, alone=False)
        await lease.register()
        policies = Policies(storage=storage, operator=POLICY)
        yield Bench(
            storage=storage,
            clips=MemoryClips(),
            fetcher=None,  # type: ignore[arg-type] # nothing is fetched while ordering
            chat=None,  # type: ignore[arg-type] # nothing is said
            providers={"hiapi": provider},
            router=Router({"hiapi": provider}, PriceTable()),
            policy=POLICY,
            policies=policies,
            gatekeeper=Gatekeeper(directory=People(), clock=clock),
            directory=People(),
            clock=clock,
            lease=lease,
            moves=Moves(storage=storage, clock=clock, moved=lambda before, after: None),
            places=Places(lambda job: None),
            circuit=Circuit(clock),
            ring=lambda: None,
        )


async def test_while_one_process_counts_a_persons_jobs_no_other_starts_one(postgres_url: str) -> None:
    """It would count the same, and both would start one. Who waits too long for its turn tries again later, and then
    counts what the other one started."""
    provider = Renders()
    async with process(postgres_url, provider, 1) as one, process(postgres_url, provider, 2) as other:
        house = House(storage=one.storage)
        for key in ("first", "second"):
            taken = await house.intake().draft(a_sender(key), "a red panda", Changes())
            assert isinstance(taken, Taken)
            await house.post_card(taken.ask, ts=f"card of {key}")
        ours, theirs = await claimed(one), await claimed(other)

        async with one.storage.begin() as tx:
            await tx.jobs.lock_person("T1", ours.person)
            assert await tx.jobs.running_of("T1", ours.person) == 0
            with pytest.raises(StorageBusy):
                await order(other, theirs)
        assert provider.keys == []

        await order(one, ours)
        await order(other, theirs)

        assert [await state(one.storage, job) for job in (ours, theirs)] == [State.RENDERING, State.QUEUED]
    assert len(provider.keys) == 1


async def claimed(bench: Bench) -> Job:
    """One job, which is that process's from now on."""
    async with bench.storage.begin() as tx:
        (job,) = await tx.jobs.claim(bench.ownership, 1, bench.clock.now())
    return job


async def order(bench: Bench, job: Job) -> None:
    """Take the job's step in the queue."""
    async with bench.storage.read() as tx:
        ask = await tx.jobs.ask(job.workspace, job.ask_id)
    balances = Balances(
        providers=bench.providers,
        router=bench.router,
        storage=bench.storage,
        policies=bench.policies,
        clock=bench.clock,
        wake=bench.ring,
    )
    handing = Handing(storage=bench.storage, clips=bench.clips, links=Signs(), clock=bench.clock)
    rerouting = Rerouting(bench=bench)
    submitting = Submitting(bench=bench, rerouting=rerouting, balances=balances)
    await Ordering(bench=bench, rerouting=rerouting, handing=handing, submitting=submitting).submit(job, ask)


async def state(storage: Storage, job: Job) -> State:
    """Where it is now."""
    async with storage.read() as tx:
        return (await tx.jobs.job(job.workspace, job.id)).state
