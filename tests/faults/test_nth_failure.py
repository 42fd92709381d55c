"""Each operation of a whole life fails: the first, the second, … until a life passes in which nothing failed; and each
operation of a start.

SQLite is tested so (sqlite.org/testing.html, 3.2 and 3.3): what is wrong in the handling of a failure shows only when
that very operation fails. Here it is every statement and commit of the database, every file that is opened, written,
synced and named, every call to Slack and to the provider, and each of them once more as the first of an outage of three
seconds. Calls and files fail once in a life. What the database does some hundred times in each fails more than once,
far apart, so that fewer lives are needed (``EVERY``).
"""

import asyncio
import itertools
import shutil
from collections.abc import Awaitable, Callable, Iterable

import pytest

from tests.faults.failing_bot import KINDS, Failure
from tests.faults.nth import Failing, one_after_the_other
from tests.faults.rig import Rig
from tests.sandbox.driver import PATIENCE_SECONDS

pytestmark = pytest.mark.timeout(180)

OUTAGE_SECONDS = 3.0

EVERY = {"begin": 40, "write": 50, "select": 60, "commit": 50}
"""Of what is done a hundred times in a life, each so many later one fails too: a life then loses three or four of them,
far from one another."""

STEPS = {"begin": 6, "write": 10, "select": 12, "commit": 4, "ack": 2, "fsync": 3, "unsent": 2, "lost": 2}
"""An outage takes the neighbours with it: not every operation needs to be the first of one."""

NO_KEY = {"HIAPI_IDEMPOTENCY": "false"}
"""A provider where an order whose answer is lost is not repeated."""

SAMPLE = (
    {"begin": 4, "write": 9, "commit": 22, "file": 2, "fsync": 5, "rename": 1, "unsent": 2, "lost": 12},
    {"commit": 7, "write": 38, "select": 57, "begin": 70, "fsync": 1, "read": 2, "lost": 2, "ack": 3},
)
"""Which operation of a kind fails in the lives of every run."""


async def test_a_few_failures_in_each_life_cost_nothing(rig: Rig) -> None:
    """A sample of what the storm does one by one."""
    failing = Failing.around(rig)
    await failing.start()
    for sample in SAMPLE:
        await failing.arm(*(Failure(kind, nth) for kind, nth in sample.items()))
        await failing.live()
        assert len(failing.struck()) == len(sample), failing.struck()


def lives_of(failing: Failing) -> Callable[[Failure], Awaitable[list[str]]]:
    """A whole life under a failure; what struck."""

    async def live(failure: Failure) -> list[str]:
        await failing.arm(failure)
        await failing.live()
        return failing.struck()

    return live


def one_by_one(kind: str) -> Iterable[Failure]:
    """The first, the second … of a kind; with those that follow, where it is one of ``EVERY``."""
    every = EVERY.get(kind, 0)
    numbers = range(1, every + 1) if every else itertools.count(1)
    return (Failure(kind, nth, every) for nth in numbers)


@pytest.mark.storm
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", KINDS)
async def test_each_operation_may_fail(rig: Rig, kind: str) -> None:
    """By itself, or with each so many later one."""
    failing = Failing.around(rig)
    await failing.start()
    await one_after_the_other(one_by_one(kind), lives_of(failing))


@pytest.mark.storm
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", KINDS)
async def test_each_operation_may_begin_an_outage(rig: Rig, kind: str) -> None:
    failing = Failing.around(rig)
    await failing.start()
    outages = (Failure(kind, nth, seconds=OUTAGE_SECONDS) for nth in itertools.count(1, STEPS.get(kind, 1)))
    await one_after_the_other(outages, lives_of(failing))


@pytest.mark.storm
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", ["unsent", "lost", *EVERY])
async def test_each_operation_may_fail_where_no_order_is_repeated(rig: Rig, kind: str) -> None:
    """Of an order that is lost the card says that it is uncertain; a person orders again, and pays for both. Whatever
    else fails, of every other order it is known what became of it."""
    failing = Failing.around(rig)
    await failing.start(**NO_KEY)
    await one_after_the_other(one_by_one(kind), lives_of(failing))


# --- starts ----------------------------------------------------------------------------------------------------------

OF_A_START = ("begin", "write", "select", "commit", "file", "read")
"""Kinds that occur in every start; nothing is synced or renamed but in the first."""

REACHED = {"PUBLIC_URL": "http://127.0.0.1:9"}
"""Links to files are given out, and the key that signs them is made at the first start."""

ONE_PLACE = {"PROVIDER_CONCURRENCY": "1"}


def starts_as_new(failing: Failing) -> Callable[[Failure], Awaitable[list[str]]]:
    """The first start ever, with every migration, under a failure."""

    async def start(failure: Failure) -> list[str]:
        bot = failing.rig.bot
        if bot.running():
            await bot.kill()
        for left in (*bot.place.glob(f"{bot.database.name}*"), bot.media):
            shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
        return await failing.start_under(failure, failing.connected)

    return start


def starts_over_work(failing: Failing) -> Callable[[Failure], Awaitable[list[str]]]:
    """A start after a kill, under a failure, until the bot has looked at what it left at the provider."""

    async def start(failure: Failure) -> list[str]:
        if failing.rig.bot.running():
            await failing.rig.bot.kill()
        return await failing.start_under(failure, await looks_again(failing))

    return start


async def looks_again(failing: Failing) -> Callable[[], Awaitable[bool]]:
    """Whether the provider was asked for a task since now."""

    async def looks() -> int:
        return (await failing.rig.requests()).get("get", 0)

    before = await looks()

    async def again() -> bool:
        return await looks() > before

    return again


async def leave_work(failing: Failing) -> None:
    """A running bot has one clip that renders without an end, and another that waits for its place."""
    rig = failing.rig
    await rig.arm(rig.point("get"), "before", "status", status=503, times=-1)
    up = await looks_again(failing)
    for _ in range(2):
        await rig.accepted("--takes 1")
    while not await up():
        await asyncio.sleep(0.05)
    await rig.card_where(lambda card: "queued" in card.rows.values(), within=PATIENCE_SECONDS, what="one waits")


async def end_work(failing: Failing) -> None:
    """The provider answers again: everything that was left comes to its end, once."""
    rig = failing.rig
    await rig.studio.heal()
    await rig.ended(asks=2)
    await rig.books_balance(await rig.check(clips=2, charges=2, asks=2))


async def test_a_start_may_fail_and_the_next_goes_on(rig: Rig) -> None:
    """A migration, and what is claimed of a life before: a sample of what the storm does one by one."""
    failing = Failing.around(rig)
    rig.bot.environment |= REACHED | ONE_PLACE
    assert await starts_as_new(failing)(Failure("write", 9))
    await leave_work(failing)
    assert await starts_over_work(failing)(Failure("commit", 2))
    await end_work(failing)


@pytest.mark.storm
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", [*OF_A_START, "fsync", "rename"])
async def test_each_operation_of_a_first_start_may_fail(rig: Rig, kind: str) -> None:
    failing = Failing.around(rig)
    rig.bot.environment |= REACHED
    await one_after_the_other((Failure(kind, nth) for nth in itertools.count(1)), starts_as_new(failing))
    await failing.live()


@pytest.mark.storm
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", OF_A_START)
async def test_each_operation_of_a_start_over_unfinished_work_may_fail(rig: Rig, kind: str) -> None:
    failing = Failing.around(rig)
    rig.bot.environment |= ONE_PLACE
    await failing.start()
    await leave_work(failing)
    await one_after_the_other((Failure(kind, nth) for nth in itertools.count(1)), starts_over_work(failing))
    await end_work(failing)
