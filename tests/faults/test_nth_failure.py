"""Each operation of a whole life fails once: the first, the second, … until a life passes in which nothing failed.

SQLite is tested so (sqlite.org/testing.html, 3.2 and 3.3): what is wrong in the handling of a failure shows only when
that very operation fails. Here it is every statement and commit of the database, every file that is written, synced and
renamed, every call to Slack and to the provider, and each of them once more as the first of an outage of three seconds.
"""

import itertools

import pytest

from tests.faults.failing_bot import Failure
from tests.faults.nth import Failing
from tests.faults.rig import Rig

pytestmark = pytest.mark.timeout(180)

OUTAGE_SECONDS = 3.0

EVERY = {"begin": 40, "write": 50, "select": 60, "commit": 50}
"""Of what is done a hundred times in a life, each so many later one fails too: a life then loses three or four of them,
far from one another."""

STEPS = {"begin": 6, "write": 10, "select": 12, "commit": 4, "ack": 2, "fsync": 3, "unsent": 2, "lost": 2}
"""An outage takes the neighbours with it: not every operation needs to be the first of one."""

ONCE = ("begin", "write", "select", "commit", "file", "fsync", "rename", "read", "unsent", "lost", "ack")

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


@pytest.mark.storm
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", ONCE)
async def test_each_operation_may_fail_once(rig: Rig, kind: str) -> None:
    failing = Failing.around(rig)
    await failing.start()
    every = EVERY.get(kind, 0)
    for nth in range(1, every + 1) if every else itertools.count(1):
        await failing.arm(Failure(kind, nth, every))
        await failing.live()
        if not failing.struck():
            break


@pytest.mark.storm
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", ONCE)
async def test_each_operation_may_begin_an_outage(rig: Rig, kind: str) -> None:
    failing = Failing.around(rig)
    await failing.start()
    for nth in itertools.count(1, STEPS.get(kind, 1)):
        await failing.arm(Failure(kind, nth, seconds=OUTAGE_SECONDS))
        await failing.live()
        if not failing.struck():
            break


@pytest.mark.storm
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", ["unsent", "lost"])
async def test_each_call_may_fail_once_where_no_order_is_repeated(rig: Rig, kind: str) -> None:
    """Of an order that is lost the card says that it is uncertain; a person orders again, and pays for both."""
    failing = Failing.around(rig)
    await failing.start(**NO_KEY)
    for nth in itertools.count(1):
        await failing.arm(Failure(kind, nth))
        await failing.live()
        if not failing.struck():
            break
