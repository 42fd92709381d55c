"""``bot.ports.Storage``: what is written together, on every implementation."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from bot.ports import Storage, StorageBusy, StorageError, Transaction
from storage import Database, Inconsistent, open_storage
from tests.contracts.records import NOW, a_hold, a_job, a_thread, put, registered

ROOT = Path(__file__).resolve().parents[2]


async def write_everywhere(tx: Transaction) -> None:
    """Something through every port."""
    await put(tx, a_job())
    await tx.inbox.take("T1", "event", NOW)
    await tx.ledger.hold([a_hold(micro_usd=320_000)], [])
    await tx.leases.register("process-1", NOW, NOW, alone=False)


async def written(storage: Storage) -> list[bool]:
    """Whether each of these is there."""
    async with storage.begin() as tx:
        taken = not await tx.inbox.take("T1", "event", NOW)
        jobs = await tx.jobs.find("j1")
        entries = await tx.ledger.entries()
        return [taken, bool(jobs), bool(entries)]


async def test_what_a_block_wrote_is_there_after_it(storage: Storage) -> None:
    async with storage.begin() as tx:
        await write_everywhere(tx)
    assert await written(storage) == [True] * 3


@pytest.mark.parametrize("failure", [ZeroDivisionError, asyncio.CancelledError, Inconsistent("x")])
async def test_what_a_block_wrote_is_gone_when_it_raised(
    storage: Storage, failure: BaseException | type[BaseException]
) -> None:
    async def fail() -> None:
        async with storage.begin() as tx:
            await write_everywhere(tx)
            raise failure

    with pytest.raises((ZeroDivisionError, asyncio.CancelledError, Inconsistent)):
        await fail()
    assert await written(storage) == [False] * 3


async def test_a_block_sees_its_own_writes_and_others_only_what_is_committed(
    replicas: tuple[Storage, Storage],
) -> None:
    async with replicas[0].begin() as tx:
        await put(tx, a_job())
        assert (await tx.jobs.job("T1", "j1")).id == "j1"
        async with replicas[1].read() as other:
            assert await other.jobs.find("j1") == ()
    async with replicas[1].read() as other:
        assert len(await other.jobs.find("j1")) == 1


async def test_all_reads_of_a_block_see_one_moment(replicas: tuple[Storage, Storage]) -> None:
    async with replicas[0].read() as reader:
        assert await reader.jobs.find("j") == ()
        async with replicas[1].begin() as tx:
            await put(tx, a_job())
        assert await reader.jobs.find("j") == ()
        assert await reader.jobs.listing(state=None, limit=1) == ()


async def test_nothing_written_while_reading_stays(storage: Storage) -> None:
    async def write() -> None:
        async with storage.read() as tx:
            await tx.inbox.take("T1", "event", NOW)

    try:
        await write()
    except StorageError:
        refused = True
    else:
        refused = False
    assert await written(storage) == [False] * 3
    assert refused is isinstance(storage, Database)


async def test_many_can_read_while_one_writes(replicas: tuple[Storage, Storage]) -> None:
    async def look(number: int) -> int:
        async with replicas[number % 2].read() as tx:
            return len(await tx.jobs.find("j"))

    async with replicas[0].begin() as tx:
        await put(tx, a_job())
        assert await asyncio.gather(*(look(number) for number in range(16))) == [0] * 16


async def test_a_writer_that_waits_too_long_is_told_that_storage_is_busy(storage: Storage) -> None:
    loop = asyncio.get_running_loop()

    async def write() -> float:
        began = loop.time()
        with pytest.raises(StorageBusy):
            async with storage.begin() as tx:
                await tx.jobs.lock_provider("hiapi")
        return loop.time() - began

    async with storage.begin() as tx:
        await tx.jobs.lock_provider("hiapi")
        waits = await asyncio.gather(*(write() for _ in range(3)))
    assert all(1.5 < wait < 2.9 for wait in waits), waits


async def test_writers_are_served_after_a_busy_spell(storage: Storage) -> None:
    released = asyncio.Event()

    async def occupy() -> None:
        async with storage.begin() as tx:
            await tx.jobs.add_thread(a_thread())
            await released.wait()

    async def write(number: int) -> bool:
        async with storage.begin() as tx:
            return await tx.inbox.take("T1", str(number), NOW)

    occupied = asyncio.create_task(occupy())
    await asyncio.sleep(0)
    writers = [asyncio.create_task(write(number)) for number in range(20)]
    released.set()
    assert await asyncio.gather(*writers) == [True] * 20
    await occupied


async def test_an_error_inside_a_block_that_is_swallowed_fails_the_block(database: Database) -> None:
    """PostgreSQL would answer the commit with a silent rollback, and an accepted ask would be gone."""

    async def swallow() -> None:
        async with database.begin() as tx:
            await tx.inbox.take("T1", "event", NOW)
            await tx.jobs.add_thread(a_thread())
            with pytest.raises(Inconsistent):
                await tx.jobs.add_thread(a_thread())

    with pytest.raises(Inconsistent):
        await swallow()
    async with database.begin() as tx:
        assert await tx.inbox.take("T1", "event", NOW)


async def test_tasks_cancelled_anywhere_leave_all_or_nothing_and_no_broken_connection(
    storage: Storage,
) -> None:
    async def write(number: int) -> None:
        async with storage.begin() as tx:
            await tx.inbox.take("T1", f"{number} a", NOW)
            await tx.inbox.take("T1", f"{number} b", NOW)

    async def cancel_after(number: int) -> None:
        task = asyncio.create_task(write(number))
        await asyncio.wait({task}, timeout=number * 0.000_25)
        task.cancel()
        # A connection that kept the lock of a cancelled one would show as a wait of 2 seconds.
        done, _ = await asyncio.wait({task}, timeout=1)
        assert done

    for number in range(60):
        await cancel_after(number)
    await write(1000)
    async with storage.begin() as tx:
        halves = [[not await tx.inbox.take("T1", f"{number} {half}", NOW) for half in "ab"] for number in range(60)]
    assert [half for half in halves if half[0] != half[1]] == []


WRITER = """
import asyncio, sys
from storage import open_storage
from tests.contracts.records import NOW

async def main():
    async with open_storage(sys.argv[1], alone=False) as storage:
        for number in range(100_000):
            async with storage.begin() as tx:
                for half in "abcd":
                    await tx.inbox.take("T1", f"{number} {half}", NOW)
            print(number, flush=True)

asyncio.run(main())
"""


def commits_before_kill_9(url: str, commits: int) -> list[int]:
    """The numbers of the blocks that a writer said were committed, when it was killed soon after so many."""
    with subprocess.Popen([sys.executable, "-c", WRITER, url], cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        said = [int(writer.stdout.readline()) for _ in range(commits)]
        writer.kill()
        return said + [int(line) for line in writer.stdout.read().split()]


async def test_kill_9_in_the_middle_leaves_all_or_nothing_of_a_block_and_all_that_was_committed(
    url: str,
) -> None:
    said = await asyncio.to_thread(commits_before_kill_9, url, 9)

    async with open_storage(url, alone=False) as storage, storage.begin() as tx:
        blocks = [
            [not await tx.inbox.take("T1", f"{number} {half}", NOW) for half in "abcd"]
            for number in range(max(said) + 3)
        ]
    assert all(all(block) for block in blocks[: max(said) + 1])
    assert [block for block in blocks if any(block) is not all(block)] == []


RUNNER = """
import asyncio, json, sys
from datetime import datetime
from storage import open_storage
from tests.contracts.records import later, registered

async def main():
    async with open_storage(sys.argv[1], alone=False) as storage:
        ours = await registered(storage, sys.argv[2])
        taken = []
        while True:
            async with storage.begin() as tx:
                batch = await tx.jobs.claim(ours, 3, later(1))
            if not batch:
                break
            taken += [job.id for job in batch]
        print(json.dumps(taken))

asyncio.run(main())
"""


def claims_of_a_process(url: str, owner: str) -> list[str]:
    """The ids of the jobs that a process claims until there are none."""
    command = [sys.executable, "-c", RUNNER, url, owner]
    output = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return list(json.loads(output))


async def test_two_processes_race_for_jobs_and_each_is_taken_by_one(url: str) -> None:
    names = [f"j{number:03}" for number in range(60)]
    async with open_storage(url, alone=False) as storage:
        async with storage.begin() as tx:
            await put(tx, *(a_job(id=name) for name in names))
        runs = (asyncio.to_thread(claims_of_a_process, url, owner) for owner in ("one", "two"))
        taken = await asyncio.gather(*runs)
        ours = await registered(storage, "three")
        async with storage.begin() as tx:
            rest = [job.id for job in await tx.jobs.claim(ours, 100, NOW)]
    assert sorted(taken[0] + taken[1] + rest) == names
