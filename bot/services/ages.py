"""How old things are, by two clocks: a wall clock that is set otherwise makes nothing older at once."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.ports import Clock


@dataclass(frozen=True, kw_only=True)
class Age:
    """What this process saw first when it was ``at_first`` old by the wall clock, and has seen since by the monotonic
    one. The wall clock is asked once in a life of this process; it may have been wrong then."""

    born: datetime
    at_first: timedelta
    seen_since: float

    @classmethod
    def of(cls, born: datetime, clock: Clock) -> "Age":
        """Of something that this process sees now for the first time."""
        return cls(born=born, at_first=max(timedelta(), clock.now() - born), seen_since=clock.monotonic())

    def now(self, clock: Clock) -> timedelta:
        """How old it is."""
        return self.at_first + self.seen(clock)

    def reached(self, age: timedelta, clock: Clock) -> bool:
        """Whether it is as old as that by both clocks: the wall clock may have been put right since. Of what is not
        even born by that one only counts how long it was seen."""
        by_wall_clock = clock.now() - self.born
        return (self.seen(clock) if by_wall_clock < timedelta() else min(self.now(clock), by_wall_clock)) >= age

    def seen(self, clock: Clock) -> timedelta:
        """How long this process has seen it."""
        return timedelta(seconds=clock.monotonic() - self.seen_since)
