"""A world in which nothing goes wrong but what a test says, for stories of what follows."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from bot.domain.job import AskKind, Job
from bot.domain.lineage import Changes
from bot.domain.recipe import Resolution
from bot.ports import ChatError, ClipPost, Share, Slot
from bot.services.policy import Policy
from bot.services.taking import Sender
from storage.memory.tables import Tables
from tests.simulation.chat import WorkspaceChat
from tests.simulation.core import Core, House, start
from tests.simulation.loop import VirtualLoop
from tests.simulation.process import Process, adopting
from tests.simulation.slack_books import Message, SlackBooks
from tests.simulation.storage import Disk
from tests.simulation.vendor_books import End, Kind, VendorBooks
from tests.simulation.world import World

PATIENCE = 600.0
"""Virtual seconds."""


class Unwilling(WorkspaceChat):
    """Takes no files while ``refusal`` says why, and counts how often it was asked to; nor says whether one stands
    while ``blind`` says why."""

    refusal: ChatError | None = None
    blind: ChatError | None = None
    busy: ChatError | None = None
    """Why it does not say who reacts."""
    asked = looked = 0

    async def reserve(self, post: ClipPost, size: int) -> Slot:
        self.asked += 1
        if self.refusal is not None:
            raise self.refusal
        return await super().reserve(post, size)

    async def find_share(self, file_id: str, channel: str) -> Share | None:
        if self.blind is not None:
            raise self.blind
        return await super().find_share(file_id, channel)

    async def reactors(self, channel: str, ts: str, names: Sequence[str]) -> tuple[str, ...]:
        self.looked += 1
        if self.busy is not None:
            raise self.busy
        return await super().reactors(channel, ts, names)


class Stage:
    """A world in which nothing goes wrong but what a test says, and one process."""

    def __init__(self) -> None:
        self.loop = VirtualLoop()
        adopting(self.loop)
        self.world = World(1, self.loop, heals_at=0.0)
        self.slack, self.disk = SlackBooks(self.world), Disk()
        self.books = VendorBooks(self.world, "alpha", Kind.KEYS, {Resolution.P480: 80_000, Resolution.P720: 160_000})
        self.books.ends, self.books.refuses = {End.CLIP: 1}, 0.0
        self.process = Process(self.world, 1, None)
        self.chat = Unwilling(self.process, self.slack)
        self._house = House(
            disk=self.disk,
            vendors={"alpha": self.books},
            slack=self.slack,
            policy=Policy(),
            committed=lambda _: None,
            chat=lambda *_: self.chat,
        )

    def played_with(self, committed: Callable[[Tables], None]) -> "Stage":
        """The same, with something that happens at each commit."""
        self._house = replace(self._house, committed=committed)
        return self

    def play(self, story: Callable[["Stage", Core], Awaitable[None]]) -> None:
        """Tell the story, with the program running."""
        self.loop.run_until_complete(self._play(story))
        self.loop.close()

    async def _play(self, story: Callable[["Stage", Core], Awaitable[None]]) -> None:
        teller = Process(self.world, 0, None)
        core = await self._start()
        try:
            await teller.start(self._told(story, core), "story")
        finally:
            self.process.end()
            teller.end()
            await asyncio.sleep(1.0)

    async def _told(self, story: Callable[["Stage", Core], Awaitable[None]], core: Core) -> None:
        await story(self, core)

    async def _start(self) -> Core:
        return await self.process.start(start(self.process, self._house), "start")

    async def start_anew(self) -> Core:
        """The process is killed, and another begins."""
        self.process.end()
        self.process = Process(self.world, self.process.number + 1, None)
        self.chat = Unwilling(self.process, self.slack)
        return await self._start()

    @property
    def jobs(self) -> list[Job]:
        return sorted(self.disk.tables.jobs.values(), key=lambda job: job.number)

    def called(self, what: str) -> int:
        """How often something like it was called so far."""
        return sum(what in line for line in self.world.trace.lines)

    def events(self) -> Counter[str]:
        """What happened to all jobs so far."""
        return Counter(entry.event for entry in self.disk.tables.timeline)

    @property
    def finals(self) -> list[tuple[str, tuple[str, ...]]]:
        """Drafts of which a final was asked for, and who stands behind it."""
        tables = self.disk.tables
        asks = [ask for ask in tables.asks.values() if ask.kind is AskKind.PROMOTION]
        return [
            (ask.parent_job or "", tuple(person for _, ask_id, person in tables.supporters if ask_id == ask.id))
            for ask in asks
        ]

    async def until(self, seen: Callable[[list[Job]], bool]) -> None:
        """Wait until that is so of the jobs."""
        while not seen(self.jobs):
            await asyncio.sleep(0.25)
            assert self.world.now < PATIENCE, self.jobs


def by(key: str, person: str = "U1") -> Sender:
    return Sender(workspace="T1", channel="C1", person=person, key=key)


async def unseen(stage: Stage, core: Core) -> Message:
    """A clip that stands, and Slack does not say so."""
    stage.chat.blind = ChatError("internal_error")
    await core.intake.draft(by("ask"), "a red panda", Changes())
    await stage.until(lambda jobs: bool(stage.slack.clips()) and jobs[0].trouble is not None)
    return stage.slack.clips()[0]
