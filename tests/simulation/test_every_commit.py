"""Every commit in turn ends in doubt: it was written, and nobody is told. Whatever was about to happen happens all the
same, and once."""

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest

from bot.domain.job import State
from bot.domain.lineage import Changes
from bot.domain.recipe import Resolution
from bot.ports import CommitUnknown, StorageError
from bot.services.answers import NothingToDo
from bot.services.policy import Policy
from bot.services.taking import Sender
from storage.memory.tables import Tables
from tests.simulation.check import Check
from tests.simulation.core import Core, House, start
from tests.simulation.life import quiet
from tests.simulation.loop import VirtualLoop
from tests.simulation.people import Wanted
from tests.simulation.process import Process, adopting
from tests.simulation.slack_books import SlackBooks
from tests.simulation.storage import Disk
from tests.simulation.vendor_books import End, Kind, VendorBooks
from tests.simulation.world import Span, World

WORDS = "ask-001", "ask-002", "ask-003"
POLICY = Policy(default_concurrency=1)
"""Clips stand in line."""
MOST_COMMITS = 400
PATIENCE = 1200.0
"""Virtual seconds."""


class Stage:
    """A world in which nothing goes wrong but what a test says, and a process that is killed while it waits for a
    clip."""

    def __init__(self, kind: Kind) -> None:
        self.loop = VirtualLoop()
        adopting(self.loop)
        self.world = World(1, self.loop, heals_at=0.0)
        self.slack = SlackBooks(self.world)
        self.books = VendorBooks(self.world, "alpha", kind, {Resolution.P480: 80_000, Resolution.P720: 160_000})
        self.books.ends, self.books.refuses = {End.CLIP: 1}, 0.0
        self.wanted = Wanted(clips=Counter(WORDS))
        self.check = Check(self.world, {"alpha": self.books}, self.slack, self.wanted, POLICY)
        self.disk = Disk()
        self._started = 0

    @property
    def states(self) -> set[State]:
        return {job.state for job in self.disk.tables.jobs.values()}

    def live(self, committed: Callable[[Tables], None]) -> list[str]:
        """Three people ask for a clip and one of them takes it back, each again and again while they are told that it
        failed. The promises that were not kept in the end."""
        house = House(
            disk=self.disk, vendors={"alpha": self.books}, slack=self.slack, policy=POLICY, committed=committed
        )
        self.loop.run_until_complete(self._lives(house))
        self.loop.close()
        return self.check.broken(self.disk.tables)

    async def _lives(self, house: House) -> None:
        first = await self._start(house)
        asks = [await first.process.start(self._ask(first, number), "ask") for number in range(len(WORDS))]
        while State.RENDERING not in self.states and not quiet(self.disk.tables):
            await self._pass(0.5)
        first.process.end()
        second = await self._start(house)
        await self._pass(1.0)
        await second.process.start(self._cancel(second, asks[1]), "cancel")
        while not quiet(self.disk.tables):
            await self._pass(5.0)
        second.process.end()
        await asyncio.sleep(1.0)
        self.world.up.append(Span(begin=0.0, end=self.world.now))

    async def _start(self, house: House) -> Core:
        while True:
            self._started += 1
            process = Process(self.world, self._started, None)
            try:
                return await process.start(start(process, house), "start")
            except StorageError:
                process.end()
                await self._pass(1.0)

    async def _ask(self, core: Core, number: int) -> str:
        """The ask's id."""
        sender = Sender(workspace="T1", channel="C1", person=f"U{number}", key=f"command:{number}")
        while True:
            try:
                await core.intake.draft(sender, WORDS[number], Changes())
            except StorageError:
                await self._pass(1.0)
            else:
                return next(ask.id for ask in self.disk.tables.asks.values() if ask.text == WORDS[number])

    async def _cancel(self, core: Core, ask_id: str) -> None:
        sender = Sender(workspace="T1", channel="C1", person="U1", key="cancel")
        self.wanted.let_go.update(job.id for job in self.disk.tables.jobs.values() if job.ask_id == ask_id)
        while True:
            try:
                await core.presses.cancel(sender, ask_id)
            except StorageError:
                await self._pass(1.0)
            except NothingToDo:
                return
            return

    async def _pass(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        assert self.world.now < PATIENCE, self.disk.tables.jobs


@pytest.mark.row("F86")
@pytest.mark.parametrize("kind", [Kind.KEYS, pytest.param(Kind.NEITHER, marks=pytest.mark.storm)])
def test_a_commit_in_doubt_loses_and_doubles_nothing(kind: Kind) -> None:
    for nth in range(1, MOST_COMMITS):
        commits = 0

        def committed(tables: Tables) -> None:
            nonlocal commits
            commits += 1
            if commits == nth:  # noqa: B023 - called within this round alone
                raise CommitUnknown

        stage = Stage(kind)
        assert stage.live(committed) == [], f"commit {nth}"
        # Also of an intention whose commit was in doubt: who lives on knows that its order was never sent.
        assert stage.states <= {State.DELIVERED, State.CANCELLED}, f"commit {nth}"
        if commits < nth:
            break
    else:
        pytest.fail("it never came to an end")
    assert nth > 20, "each commit had its turn"


@pytest.mark.parametrize("kind", Kind)
def test_a_task_that_rendered_when_its_process_died_is_no_order_in_doubt(kind: Kind) -> None:
    """Its intention was answered and the task's name is on disk: the next process looks at it, whether or not the
    provider honours keys."""
    stage = Stage(kind)
    assert stage.live(lambda tables: None) == []
    assert stage.states <= {State.DELIVERED, State.CANCELLED}
