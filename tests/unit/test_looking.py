"""How many requests it takes to watch many tasks: no more than their provider takes in a minute, and fair to each."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest

from bot.domain.job import Job, State
from bot.domain.patience import poll_gap
from bot.ports import TaskReport, TaskRunning
from bot.services.bench import Later
from bot.services.looking import LOOKS_SHARE, Looking, Ration
from bot.vendors import VENDORS
from tests.support.clock import SettableClock
from tests.support.values import a_job, capabilities
from tests.support.vendors import Declared

PER_MINUTE = 50
JOBS = 30
MINUTES = 5


class Counted(Declared):
    """A provider that notes when it is asked anything."""

    def __init__(self, clock: SettableClock, *, lists: bool, per_minute: int | None) -> None:
        super().__init__(capabilities(lists_tasks=lists, requests_per_minute=per_minute))
        self.clock = clock
        self.requests: list[float] = []

    async def look(self, task_id: str) -> TaskReport:
        self.requests.append(self.clock.monotonic())
        return TaskRunning()

    async def look_at_all(self, task_ids: Sequence[str]) -> Mapping[str, TaskReport]:
        self.requests.append(self.clock.monotonic())
        return {task_id: TaskRunning() for task_id in task_ids}

    def most_in_a_minute(self) -> int:
        return max(sum(1 for other in self.requests if at <= other < at + 60) for at in self.requests)


async def watch(looking: Looking, clock: SettableClock, *, seconds: int, jobs: int = JOBS) -> Counter[str]:
    """Look at many tasks as the runner does, each when it is due; how often each was told of."""
    gap, reports = poll_gap(timedelta(0)), Counter[str]()
    due = {f"tk-{number}": clock.monotonic() for number in range(jobs)}
    end = clock.monotonic() + seconds
    while (now := min(due.values())) < end:
        clock.advance(max(0.0, now - clock.monotonic()))
        for task_id in [one for one, at in due.items() if at <= now]:
            found = await looking.look(task(task_id), gap)
            later = found.seconds if isinstance(found, Later) else gap.total_seconds()
            reports[task_id] += not isinstance(found, Later)
            due[task_id] = clock.monotonic() + later
    return reports


def task(task_id: str) -> Job:
    return a_job(State.RENDERING, id=f"j-{task_id}", task_id=task_id)


@pytest.mark.parametrize("lists", [True, False], ids=["by a list", "one by one"])
async def test_however_many_are_watched_a_provider_gets_no_more_requests_than_it_takes(lists: bool) -> None:
    clock = SettableClock()
    provider = Counted(clock, lists=lists, per_minute=PER_MINUTE)
    reports = await watch(Looking(providers={"hiapi": provider}, clock=clock), clock, seconds=60 * MINUTES)
    assert provider.most_in_a_minute() <= PER_MINUTE * LOOKS_SHARE + 1
    fair = PER_MINUTE * LOOKS_SHARE * MINUTES // JOBS
    assert len(reports) == JOBS
    assert min(reports.values()) >= (fair - 1 if not lists else 30 * MINUTES), "each is told of"


async def test_tasks_that_come_after_a_list_wait_for_the_next_and_not_for_a_turn_each() -> None:
    clock = SettableClock()
    provider = Counted(clock, lists=True, per_minute=PER_MINUTE)
    reports = await watch(Looking(providers={"hiapi": provider}, clock=clock), clock, seconds=5)
    assert len(reports) == JOBS
    assert min(reports.values()) >= 1
    assert len(provider.requests) <= 5


class Listless(Counted):
    """Declares a list, and has none: what asks for it is answered without a request, as by an adapter that knows."""

    async def look_at_all(self, task_ids: Sequence[str]) -> Mapping[str, TaskReport]:
        return {}


async def test_a_list_that_tells_of_nothing_takes_no_turns_from_those_who_ask_by_themselves() -> None:
    clock = SettableClock()
    provider = Listless(clock, lists=True, per_minute=PER_MINUTE)
    reports = await watch(Looking(providers={"hiapi": provider}, clock=clock), clock, seconds=60 * MINUTES, jobs=2)
    assert len(reports) == 2
    assert len(provider.requests) >= PER_MINUTE * LOOKS_SHARE * MINUTES * 0.9
    assert provider.most_in_a_minute() <= PER_MINUTE * LOOKS_SHARE + 1


async def test_without_a_limit_nobody_waits() -> None:
    clock = SettableClock()
    provider = Counted(clock, lists=False, per_minute=None)
    reports = await watch(Looking(providers={"hiapi": provider}, clock=clock), clock, seconds=10)
    assert set(reports.values()) == {10}


def test_turns_are_kept_in_the_order_in_which_they_were_taken_and_given_back_by_who_is_gone() -> None:
    ration = Ration(int(60 / LOOKS_SHARE))
    assert [ration.wait(who, 0.0) for who in "abc"] == [0.0, 1.0, 2.0]
    assert ration.wait("c", 1.0) == 1.0, "not before b"
    ration.forget("b")
    assert ration.wait("c", 2.0) == 0.0
    assert ration.wait("b", 2.0) == 1.0


def test_empiriolabs_says_how_many_requests_it_takes() -> None:
    limits = {name: {can.requests_per_minute for can in vendor.tiers} for name, vendor in VENDORS.items()}
    assert limits == {name: {PER_MINUTE if name == "empiriolabs" else None} for name in VENDORS}
