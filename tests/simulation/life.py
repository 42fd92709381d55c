"""One seed's life: people ask for clips, everything goes wrong that can, the process is killed and started again; then
all is healed, and the life runs on until it is quiet."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from bot.domain.budget import Caps
from bot.domain.recipe import Resolution
from bot.ports import StorageError
from bot.services.policy import Policy
from storage.memory.tables import Tables
from tests.simulation.callers import Callers
from tests.simulation.check import Check
from tests.simulation.core import Core, House, start
from tests.simulation.loop import VirtualLoop
from tests.simulation.people import CHANNELS, Crowd, People
from tests.simulation.process import POINTS, Doom, Process, adopting
from tests.simulation.slack_books import LAST_WORDS, SlackBooks
from tests.simulation.storage import Disk
from tests.simulation.surprises import Surprises, listening
from tests.simulation.vendor_books import Kind, VendorBooks
from tests.simulation.world import CLIPS, FETCH, SLACK, STORAGE, Span, World

NAMES = {Kind.KEYS: "alpha", Kind.CALLS: "bravo", Kind.NEITHER: "charlie", Kind.LIST: "delta"}
AFTERMATH = 3 * 3600.0
"""So long after everything is healed a life may take to become quiet."""
HEALS_AT = 120.0, 240.0, 480.0
"""When everything works again, by seed."""
_QUIET_FOR = 90.0
_STARTS_AFTER = (*(1.0,) * 8, 3.0, 3.0, 20.0, 20.0, 300.0)
_STOP_SECONDS = 10.0
_LEAPS_IN = 0.2
"""In so many lives the clock leaps."""
_LEAPS = tuple(timedelta(hours=hours) for hours in (-1, 1, -25, 25, -87_600, 87_600))
_OFTEN = {"any": 600, "read": 300, "commit": 150, "committed": 150, "look.done": 30, "update.send": 20}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one seed."""

    seed: int
    broken: tuple[str, ...]
    """Promises that were not kept, a sentence each."""
    digest: str
    lines: tuple[str, ...] = field(repr=False)
    """Everything that was called, in order."""
    jobs: int
    kills: int
    charges: int
    clips: int
    virtual_seconds: float


class Life:
    """Everything of one seed."""

    def __init__(self, seed: int, loop: VirtualLoop, jobs: int, change: Callable[[House], House]) -> None:
        self.world = World(seed, loop, heals_at=HEALS_AT[seed % len(HEALS_AT)])
        self.chances = self.world.stream("life")
        self.slack = SlackBooks(self.world)
        self.vendors = {
            NAMES[kind]: VendorBooks(self.world, NAMES[kind], kind, self._prices()) for kind in self._kinds()
        }
        self.world.weather.forecast((*self.vendors, SLACK, STORAGE, CLIPS, FETCH))
        self.people = People(self.world, self.slack, tuple(self.vendors))
        self.crowd = Crowd(self.people, jobs)
        self.policy = self._policy()
        self.check = Check(self.world, self.vendors, self.slack, self.people.wanted, self.policy)
        self.disk = Disk()
        house = House(
            disk=self.disk,
            vendors=self.vendors,
            slack=self.slack,
            policy=self.policy,
            committed=self.check.committed,
        )
        self.house = change(house)
        self.callers = Callers(self.world, lambda: self.people.core)
        for books in self.vendors.values():
            books.call = self.callers.tell
        self.kills = 0
        self._deaths = self.chances.choice((0, 1, 2, 3, 4, 6, 8))
        self._ended = False

    # --- what is drawn ---------------------------------------------------------------------------------------------

    def _kinds(self) -> list[Kind]:
        kinds = list(Kind)
        self.chances.shuffle(kinds)
        return kinds[: self.chances.choice((1, 2, 3, 4))]

    def _prices(self) -> dict[Resolution, int]:
        cheap = self.chances.choice((70_000, 80_000, 90_000))
        return {Resolution.P480: cheap, Resolution.P720: cheap * 2}

    def _policy(self) -> Policy:
        chances = self.chances
        caps = Caps(
            workspace_month_micro_usd=chances.choice((None, None, 3_000_000, 8_000_000)),
            channel_month_micro_usd=chances.choice((None, None, None, 4_000_000)),
            person_day_micro_usd=chances.choice((None, None, 2_000_000, 4_000_000)),
        )
        return Policy(
            caps=caps,
            running_per_person=chances.choice((1, 3, 6)),
            quorum=chances.choice((1, 1, 2)),
            winners_channel=chances.choice((None, "C3")),
            confirm_above_micro_usd=chances.choice((500_000, 1_000_000, 20_000_000)),
            default_concurrency=chances.choice((1, 3, 5)),
            job_timeout=timedelta(seconds=chances.choice((60.0, 300.0, 1800.0))),
        )

    def _plan_troubles(self) -> None:
        """What goes wrong beside single calls: the clock, the channel, the token."""
        chances, loop, until = self.chances, self.world.loop, self.world.weather.heals_at
        for _ in range(chances.choice((0, 0, 1, 2))):
            step = timedelta(seconds=chances.choice((-3600.0, -60.0, 60.0, 3600.0)))
            loop.call_at(chances.uniform(0, until), self._step_clock, step)
        self._plan_leap(until)
        for channel in CHANNELS:
            if chances.random() < 0.2:
                begin = chances.uniform(0, until)
                end = min(until, begin + chances.choice((5.0, 60.0, 600.0)))
                loop.call_at(begin, self.slack.refused_until.__setitem__, channel, end)
        if chances.random() < 0.15:
            begin = chances.uniform(0, until)
            loop.call_at(begin, self._revoke, min(until, begin + chances.choice((5.0, 60.0, 600.0))))

    def _plan_leap(self, until: float) -> None:
        """In some lives the clock is far from right for a while, and put right before anybody may believe it: what is
        paid for is not given up for it."""
        chances, loop = self.world.stream("clock"), self.world.loop
        if chances.random() < _LEAPS_IN:
            begin, step = chances.uniform(0, until), chances.choice(_LEAPS)
            loop.call_at(begin, self._step_clock, step)
            loop.call_at(min(until, begin + chances.choice((5.0, 20.0, 50.0))), self._step_clock, -step)

    def _step_clock(self, step: timedelta) -> None:
        self.world.note(f"clock steps {step.total_seconds():.0f}")
        self.world.set_clock(step)

    def _revoke(self, until: float) -> None:
        self.slack.revoked_until = until

    def _doom(self) -> Doom | None:
        if self._deaths <= 0:
            return None
        point = self.chances.choice(POINTS)
        most = _OFTEN.get(point, 8)
        return Doom(point=point, count=max(1, round(most ** self.chances.random())))

    # --- the life --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Live until it is quiet, or nobody waits any longer."""
        self.crowd.plan()
        self._plan_troubles()
        number = 0
        while not self._ended and not self._too_long():
            number += 1
            process = Process(self.world, number, self._doom())
            began = self.world.now
            try:
                await self._process_life(process)
            finally:
                self.people.core = None
                self.world.up.append(Span(begin=began, end=self.world.now))
                process.end()
            if not self._ended:
                await asyncio.sleep(self.chances.choice(_STARTS_AFTER))

    async def _process_life(self, process: Process) -> None:
        self.world.note(f"p{process.number} starts")
        starting = process.start(start(process, self.house), "start")
        await asyncio.wait({starting})
        if starting.cancelled() or not process.alive:
            self._died()
            return
        try:
            core: Core = starting.result()
        except StorageError:
            return
        self.people.core = core
        how = self.chances.random()
        limit = self.chances.uniform(1, 150) if self._deaths > 0 and not self.world.healed else None
        ended = asyncio.ensure_future(process.ended.wait())
        over = asyncio.ensure_future(self._until_quiet())
        done, _ = await asyncio.wait({ended, over}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        over.cancel()
        ended.cancel()
        if over in done:
            self._ended = True
            return
        self._died()
        if not done and how < 0.2:
            await self._stop(core)
        process.kill("any moment")

    def _died(self) -> None:
        self.kills += 1
        self._deaths -= 1

    async def _stop(self, core: Core) -> None:
        """As on SIGTERM: what takes longer than it may is killed."""
        self.world.note(f"p{core.process.number} stops")
        self.world.stopped[core.process.number] = self.world.now

        async def stop() -> None:
            await core.runner.stop()
            await core.lease.release()

        stopping = core.process.start(stop(), "stop")
        await asyncio.wait({stopping}, timeout=_STOP_SECONDS)
        if stopping.done() and not stopping.cancelled() and not isinstance(stopping.exception(), StorageError | None):
            stopping.result()

    async def _until_quiet(self) -> None:
        """Who begins when all is healed, too, is given the time to see what is left to do."""
        await asyncio.sleep(max(self.world.weather.heals_at - self.world.now, 0.0) + _QUIET_FOR)
        while not quiet(self.disk.tables) and not self._too_long():
            await asyncio.sleep(15.0)

    def _too_long(self) -> bool:
        return self.world.now - self.world.weather.heals_at >= AFTERMATH


def quiet(tables: Tables) -> bool:
    """Whether nothing is left to do. Asked only when to stop: what is true is looked up elsewhere."""
    return (
        all(job.state in LAST_WORDS and job.wish is None for job in tables.jobs.values())
        and all(ask.card_version >= ask.version for ask in tables.asks.values())
        and all(one.posted_ts or one.given_up for one in tables.announcements.values())
    )


def as_it_is(house: House) -> House:
    """The wiring of the product."""
    return house


def live(seed: int, *, jobs: int = 20, change: Callable[[House], House] = as_it_is) -> Outcome:
    """Live that seed. ``change`` may put broken parts into the house."""
    loop = VirtualLoop()
    adopting(loop)
    surprises = Surprises()

    def surprised(_: Any, context: dict[str, Any]) -> None:
        surprises.note(str(context.get("message")), context.get("exception"))

    loop.set_exception_handler(surprised)
    try:
        with listening(surprises):
            life = Life(seed, loop, jobs, change)
            loop.run_until_complete(life.run())
            loop.run_until_complete(_settle())
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    broken = [*life.check.broken(life.disk.tables), *life.callers.believed, *surprises.seen]
    return Outcome(
        seed=seed,
        broken=tuple(broken),
        digest=life.world.trace.digest(),
        lines=tuple(life.world.trace.lines),
        jobs=len(life.disk.tables.jobs),
        kills=life.kills,
        charges=sum(len(books.tasks) for books in life.vendors.values()),
        clips=len(life.slack.clips()),
        virtual_seconds=life.world.now,
    )


async def _settle() -> None:
    """Let what was thrown away end."""
    for _ in range(20):
        await asyncio.sleep(0)
