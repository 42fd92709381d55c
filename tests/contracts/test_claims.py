"""Taking over jobs, and what several processes do to one another, on every implementation."""

import asyncio
from dataclasses import replace

from bot.domain.job import Ownership, State, Wish
from bot.ports import Fenced, Storage
from tests.contracts.records import a_job, entry_for, later, put, registered


async def claim(storage: Storage, ownership: Ownership, seconds: float = 1, limit: int = 10) -> list[str]:
    async with storage.begin() as tx:
        claimed = await tx.jobs.claim(ownership, limit, later(seconds))
    assert {(job.owner, job.epoch) for job in claimed} <= {(ownership.owner, ownership.epoch)}
    return [job.id for job in claimed]


async def test_unowned_jobs_are_claimed_oldest_first_and_once(storage: Storage) -> None:
    ours = await registered(storage)
    async with storage.begin() as tx:
        for number in (3, 1, 2):
            await put(tx, a_job(id=f"j{number}", created_at=later(number)))
    assert await claim(storage, ours, limit=2) == ["j1", "j2"]
    assert await claim(storage, ours, limit=2) == ["j3"]
    assert await claim(storage, ours, limit=2) == []
    async with storage.read() as tx:
        assert {job.owner for job in await tx.jobs.in_thread("T1", "t1")} == {ours.owner}


async def test_a_claim_changes_nothing_but_the_owner(storage: Storage) -> None:
    ours = await registered(storage)
    async with storage.begin() as tx:
        await put(tx, a_job())
        (job,) = await tx.jobs.claim(ours, 1, later(1))
    assert job == a_job(owner=ours.owner, epoch=ours.epoch)


async def test_finished_jobs_are_claimed_only_with_a_wish(storage: Storage) -> None:
    ours = await registered(storage)
    async with storage.begin() as tx:
        for number, state in enumerate(State):
            await put(tx, a_job(id=f"{number:02}-{state.value}", state=state))
        await put(tx, a_job(id="wished", state=State.CANCELLED, wish=Wish.DELIVER_AGAIN))
        await put(tx, a_job(id="stopped", state=State.CANCELLED, cancel_by="U1"))
    claimed = {name.rpartition("-")[2] for name in await claim(storage, ours, limit=50)}
    assert claimed == {state.value for state in State} - {"delivered", "failed", "cancelled"} | {"wished"}


async def test_jobs_are_taken_over_once_their_owners_lease_has_lapsed(storage: Storage) -> None:
    dead, ours = await registered(storage, "dead"), await registered(storage, "ours")
    async with storage.begin() as tx:
        await put(tx, a_job())
        await tx.jobs.claim(dead, 1, later(1))
        await tx.leases.renew(ours, later(60))
    assert await claim(storage, ours, seconds=5.999999) == []
    assert await claim(storage, ours, seconds=6) == ["j1"]


async def test_jobs_of_a_process_that_let_go_are_taken_over_at_once(storage: Storage) -> None:
    leaving, ours = await registered(storage, "leaving"), await registered(storage, "ours")
    async with storage.begin() as tx:
        await put(tx, a_job())
        await tx.jobs.claim(leaving, 1, later(1))
        await tx.leases.release(leaving, later(1))
    assert await claim(storage, ours) == ["j1"]


async def test_who_is_alone_takes_over_everything_at_once(storage: Storage) -> None:
    killed = await registered(storage, "killed")
    async with storage.begin() as tx:
        await put(tx, a_job())
        await tx.jobs.claim(killed, 1, later(0))
    ours = await registered(storage, "ours", alone=True)
    assert await claim(storage, ours, seconds=0) == ["j1"]


async def test_a_new_epoch_of_the_same_process_takes_over_what_it_had(storage: Storage) -> None:
    old = await registered(storage)
    async with storage.begin() as tx:
        await put(tx, a_job())
        await tx.jobs.claim(old, 1, later(1))
    assert await claim(storage, await registered(storage)) == ["j1"]


async def test_who_was_taken_over_can_no_longer_save_and_still_add_evidence(storage: Storage) -> None:
    sleeper, ours = await registered(storage, "sleeper"), await registered(storage, "ours")
    async with storage.begin() as tx:
        await put(tx, a_job())
        (read,) = await tx.jobs.claim(sleeper, 1, later(1))
        await tx.leases.renew(ours, later(60))
    await claim(storage, ours, seconds=30)

    async def save() -> bool:
        try:
            async with storage.begin() as tx:
                await tx.jobs.save(replace(read, task_id="late"), sleeper, entry_for(read))
        except Fenced:
            return False
        return True

    assert not await save()
    async with storage.read() as tx:
        assert (await tx.jobs.job("T1", "j1")).task_id is None


async def test_two_processes_share_jobs_without_taking_any_twice(replicas: tuple[Storage, Storage]) -> None:
    owners = [await registered(replicas[0], "one"), await registered(replicas[1], "two")]
    names = [f"j{number:03}" for number in range(120)]
    async with replicas[0].begin() as tx:
        await put(tx, *(a_job(id=name) for name in names))

    async def work(number: int) -> list[str]:
        taken: list[str] = []
        while batch := await claim(replicas[number], owners[number], limit=7):
            taken += batch
        return taken

    one, two = await asyncio.gather(work(0), work(1))
    # A batch that the other one had locked is passed over, and found by the next round of the ordinary loop.
    rest = await work(0)
    assert sorted(one + two + rest) == names


async def test_no_update_is_lost_among_writers(replicas: tuple[Storage, Storage]) -> None:
    """Read, change and write back, 200 times at once: with transactions that begin late most of it would
    be lost."""
    async with replicas[0].begin() as tx:
        await put(tx, a_job())

    async def bump(number: int) -> None:
        for _ in range(20):
            async with replicas[number % 2].begin() as tx:
                await tx.jobs.lock_provider("hiapi")
                before = await tx.jobs.ask("T1", "a1")
                await tx.jobs.card_drawn("T1", "a1", before.card_version + 1)

    await asyncio.gather(*(bump(number) for number in range(10)))
    async with replicas[0].read() as tx:
        assert (await tx.jobs.ask("T1", "a1")).card_version == 200


async def test_places_counted_and_taken_under_the_lock_are_never_too_many(
    replicas: tuple[Storage, Storage],
) -> None:
    owners = [await registered(replicas[0], "one"), await registered(replicas[1], "two")]
    async with replicas[0].begin() as tx:
        await put(tx, *(a_job(id=f"j{number:02}") for number in range(20)))
    mine = [
        [(number % 2, name) for name in await claim(replicas[number], owners[number], limit=10)] for number in range(2)
    ]

    async def submit(number: int, name: str) -> bool:
        async with replicas[number].begin() as tx:
            await tx.jobs.lock_provider("hiapi")
            if await tx.jobs.in_flight("hiapi") >= 5:
                return False
            job = await tx.jobs.job("T1", name)
            await tx.jobs.save(replace(job, state=State.SUBMITTING), owners[number], entry_for(job))
            return True

    taken = await asyncio.gather(*(submit(*one) for pair in zip(*mine, strict=True) for one in pair))
    assert sum(taken) == 5
    async with replicas[0].read() as tx:
        assert await tx.jobs.in_flight("hiapi") == 5


async def test_a_persons_places_counted_and_taken_under_the_lock_are_never_too_many(
    replicas: tuple[Storage, Storage],
) -> None:
    """Each at a provider of its own, so that no provider's lock helps."""
    owners = [await registered(replicas[0], "one"), await registered(replicas[1], "two")]
    async with replicas[0].begin() as tx:
        await put(tx, *(a_job(id=f"j{number:02}", provider=f"p{number}") for number in range(20)))
    mine = [
        [(number % 2, name) for name in await claim(replicas[number], owners[number], limit=10)] for number in range(2)
    ]

    async def submit(number: int, name: str) -> bool:
        async with replicas[number].begin() as tx:
            await tx.jobs.lock_person("T1", "U1")
            if await tx.jobs.running_of("T1", "U1") >= 5:
                return False
            job = await tx.jobs.job("T1", name)
            await tx.jobs.save(replace(job, state=State.SUBMITTING), owners[number], entry_for(job))
            return True

    taken = await asyncio.gather(*(submit(*one) for pair in zip(*mine, strict=True) for one in pair))
    assert sum(taken) == 5
