"""What outlives every process of the bot: time, chance, what goes wrong when, and the record of all that was called."""

import asyncio
import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from tests.simulation.loop import VirtualLoop

BEGINNING = datetime(2026, 11, 20, 9, 30, 15, 123456, tzinfo=UTC)
"""When every life begins: an ordinary Friday."""

STORAGE, CLIPS, FETCH, SLACK = "storage", "clips", "fetch", "slack"
"""What can go wrong beside the providers, which go by their names."""

_RATES = (0.0, 0.0, 0.02, 0.05, 0.15, 0.4)
_ROUNDED = 0.001
"""What is read of a clock has microseconds and no more."""


class Span(NamedTuple):
    """From one moment to another, in virtual seconds."""

    begin: float
    end: float

    def overlap(self, begin: float, end: float) -> float:
        """How long of that time lies within."""
        return max(0.0, min(self.end, end) - max(self.begin, begin))


@dataclass
class Weather:
    """How often each thing goes wrong, and when it does so all the time; nothing does after ``heals_at``."""

    chances: random.Random
    heals_at: float
    rates: dict[str, float] = field(default_factory=dict)
    outages: dict[str, list[Span]] = field(default_factory=dict)

    def forecast(self, fronts: Sequence[str]) -> None:
        """Draw what will be."""
        for front in fronts:
            self.rates[front] = self.chances.choice(_RATES)
            self.outages[front] = []
            while self.chances.random() < 0.25:
                begin = self.chances.uniform(0, self.heals_at)
                end = min(self.heals_at, begin + self.chances.choice((3.0, 30.0, 180.0, 600.0)))
                self.outages[front].append(Span(begin=begin, end=end))

    def out(self, front: str, now: float) -> bool:
        """Whether it does not work at all now."""
        return any(span.begin <= now < span.end for span in self.outages.get(front, ()))

    def bad(self, front: str, now: float) -> bool:
        """Whether this very call goes wrong."""
        if now >= self.heals_at:
            return False
        return self.out(front, now) or self.chances.random() < self.rates.get(front, 0.0)


class Trace:
    """All that was called, in order: the same seed gives the same lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, at: float, what: str) -> None:
        self.lines.append(f"{at:.6f} {what}")

    def digest(self) -> str:
        """One word for all of it."""
        return hashlib.sha256("\n".join(self.lines).encode()).hexdigest()


class World:
    """One seed's world. Whatever happens by chance has a stream of its own, so that one more draw in one place changes
    nothing in another."""

    def __init__(self, seed: int, loop: VirtualLoop, *, heals_at: float) -> None:
        self.seed, self.loop = seed, loop
        self.trace = Trace()
        self.weather = Weather(chances=self.stream("weather"), heals_at=heals_at)
        self.wall_offset = timedelta()
        """How far the wall clock of the bot's machine is from the true time."""
        self.clock_set = [(0.0, 0.0)]
        """How many seconds that clock was ahead from which moment on."""
        self.leapt = False
        """It was wrong by days for a while."""
        self.up: list[Span] = []
        """When a process of the bot was running."""
        self.stopped: dict[int, float] = {}
        """By the number of a process: when it was asked to stop."""
        self.mishaps: dict[int, list[float]] = {}
        """By the number of a process: when a transaction of it failed."""
        self.losses: dict[int, list[float]] = {}
        """By the number of a process: when it had lost its lease, and when it was no more."""

    def stream(self, name: str) -> random.Random:
        """Chance for one purpose."""
        return random.Random(f"{self.seed}/{name}")

    def set_clock(self, step: timedelta) -> None:
        """Set the wall clock of the bot's machine on, or back."""
        self.wall_offset += step
        self.clock_set.append((self.now, self.wall_offset.total_seconds()))
        self.leapt = self.leapt or abs(step) >= timedelta(days=1)

    @property
    def clock_moved(self) -> bool:
        """Whether that clock was ever set otherwise."""
        return len(self.clock_set) > 1

    def set_back_since(self, moment: float) -> float:
        """For how many seconds, all in all, that clock was set back since then; what was put right counts no more."""
        return self._ahead(moment) - self.clock_set[-1][1]

    def _ahead(self, moment: float) -> float:
        return next(ahead for at, ahead in reversed(self.clock_set) if at <= moment)

    def first_read(self, wall: datetime) -> float:
        """The first moment at which that clock said so; now where it never did."""
        ends = [at for at, _ in self.clock_set[1:]] + [self.now]
        for (begin, ahead), end in zip(self.clock_set, ends, strict=True):
            at = (wall - BEGINNING).total_seconds() - ahead
            if begin - _ROUNDED <= at <= end:
                return at
        return self.now

    def aged_at_a_start(self, since: float) -> float:
        """By how many seconds too many what began at that moment was old, at most, to a process that began later and
        had that clock alone."""
        ahead = self._ahead(since)
        return max((self._ahead(span.begin) - ahead for span in self.up if span.begin > since), default=0.0)

    @property
    def now(self) -> float:
        """Virtual seconds since the life began."""
        return self.loop.time()

    @property
    def healed(self) -> bool:
        """Whether nothing goes wrong any more."""
        return self.now >= self.weather.heals_at

    @property
    def calm_from(self) -> float:
        """When the last thing went wrong: all works since then, and the process that runs has not died."""
        return max(self.weather.heals_at, self.up[-1].begin if self.up else 0.0)

    def moment(self, at: float | None = None) -> datetime:
        """The true time, as everybody but the bot's machine has it."""
        return BEGINNING + timedelta(seconds=self.now if at is None else at)

    def note(self, what: str) -> None:
        """Write down what was called."""
        self.trace.note(self.now, what)

    def mishap(self, process: int) -> None:
        """It could not write."""
        self.mishaps.setdefault(process, []).append(self.now)

    def loss(self, process: int) -> None:
        """It died, or lost its lease."""
        self.losses.setdefault(process, []).append(self.now)

    def hindered(self, process: int, begin: float, end: float) -> bool:
        """Whether that process died in that time, lost its lease, or could not write."""
        return self.lost(process, begin, end) or any(begin <= at <= end for at in self.mishaps.get(process, ()))

    def lost(self, process: int, begin: float, end: float) -> bool:
        """Whether that process died in that time, or lost its lease."""
        return any(begin <= at <= end for at in self.losses.get(process, ()))

    def reachable(self, begin: float, end: float, *fronts: str) -> float:
        """For how long of that time a process ran and none of those was out."""
        total = 0.0
        for span in self.up:
            total += span.overlap(begin, end)
            for front in fronts:
                for outage in self.weather.outages.get(front, ()):
                    total -= Span(begin=max(begin, span.begin), end=min(end, span.end)).overlap(
                        outage.begin, outage.end
                    )
        return total


class WorldClock:
    """``bot.ports.Clock`` of one process: the machine's wall clock may be wrong, and randomness follows the seed."""

    def __init__(self, world: World, chances: random.Random) -> None:
        self._world, self._chances = world, chances

    def now(self) -> datetime:
        return self._world.moment() + self._world.wall_offset

    def monotonic(self) -> float:
        return 1000.0 + self._world.loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def random_bits(self, count: int) -> int:
        return self._chances.getrandbits(count)

    def chance(self) -> float:
        return self._chances.random()
