"""What is due when, in memory. Truth is in rows; this only says what to look at next, and in which line to stand.

Every kind of effect has its own line with its own number of places, so that a provider that hangs does not keep
finished clips from the thread.
"""

import heapq
import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Line(StrEnum):
    """Steps that wait for the same kind of thing."""

    CARD = "card"
    ANNOUNCE = "announce"
    DECIDE = "decide"
    PREPARE = "prepare"
    SUBMIT = "submit"
    POLL = "poll"
    FETCH = "fetch"
    DELIVER = "deliver"


PLACES: Mapping[Line, int] = {
    Line.CARD: 4,
    Line.ANNOUNCE: 2,
    Line.DECIDE: 8,
    Line.PREPARE: 6,
    Line.SUBMIT: 20,
    Line.POLL: 10,
    Line.FETCH: 4,
    Line.DELIVER: 4,
}
"""Steps of a line that run at once. Polls share a connection pool of 10; each fetch and delivery holds one chunk.
Files are opened by few processes of their own: more are fetched while those are at work, since a link may be slow."""

MOST_EACH: Mapping[Line, int] = {Line.PREPARE: 2}
"""Places of a line that one person may have at once: whose links are slow keeps nobody else's files waiting."""


@dataclass(frozen=True, kw_only=True)
class Key:
    """A job, an ask or an announcement."""

    kind: str
    workspace: str
    id: str
    person: str = field(default="", compare=False)
    """Whose turn it is, in lines where people take turns; empty where nobody asks."""


@dataclass(order=True)
class _Entry:
    urgency: float
    order: int
    due: float = field(compare=False)
    key: Key = field(compare=False)
    line: Line = field(compare=False)
    alive: bool = field(default=True, compare=False)


class Agenda:
    """Due times by key; one entry a key. Times are seconds of a monotonic clock."""

    def __init__(self, places: Mapping[Line, int] = PLACES) -> None:
        self._places = dict(places)
        self._running: dict[Key, Line] = {}
        self._again: dict[Key, tuple[Line, float, float | None]] = {}
        self._news: dict[Key, float] = {}
        self._entries: dict[Key, _Entry] = {}
        self._sleeping: list[tuple[float, int, _Entry]] = []
        self._ready: dict[Line, list[_Entry]] = {line: [] for line in Line}
        self._count = itertools.count()

    def __len__(self) -> int:
        return len(self._entries) + len(self._running)

    def put(self, key: Key, line: Line, due: float, urgency: float | None = None) -> None:
        """Look at the key at ``due``; among those that are due in its line the smallest ``urgency`` goes first (due
        time when not given). Replaces what was planned; for a key whose step runs it is planned when that ends."""
        if key in self._running:
            self._again[key] = (line, due, urgency)
            return
        self.drop(key)
        order = next(self._count)
        entry = _Entry(urgency=due if urgency is None else urgency, order=order, due=due, key=key, line=line)
        self._entries[key] = entry
        heapq.heappush(self._sleeping, (due, order, entry))

    def look(self, key: Key, line: Line, now: float) -> None:
        """There is news of the key. If its step runs, that may have begun without it: the next one is due ``now``,
        whatever this one plans. Only an order is not sent sooner."""
        if key in self._running:
            self._news[key] = now
        else:
            self.put(key, line, now)

    def drop(self, key: Key) -> None:
        """Forget what is planned for the key."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            entry.alive = False

    def knows(self, key: Key) -> bool:
        """Whether the key is planned or running."""
        return key in self._entries or key in self._running

    def waits(self, key: Key) -> bool:
        """Whether the key is planned, and no step of it runs."""
        return key in self._entries

    def start_due(self, now: float) -> list[tuple[Key, Line]]:
        """The keys whose step is to begin now, each at most once until ``finish``."""
        while self._sleeping and self._sleeping[0][0] <= now:
            due = heapq.heappop(self._sleeping)[2]
            if due.alive:
                heapq.heappush(self._ready[due.line], due)
        started = []
        for line, ready in self._ready.items():
            free = self._places[line] - sum(1 for busy in self._running.values() if busy is line)
            while free > 0 and (entry := self._next(line, ready)) is not None:
                del self._entries[entry.key]
                self._running[entry.key] = line
                started.append((entry.key, line))
                free -= 1
        return started

    def _next(self, line: Line, ready: list[_Entry]) -> _Entry | None:
        """Taken out of those that are ready: the most urgent one; where people take turns, of whoever has the fewest
        places, and of nobody who has all that are theirs."""
        while ready and not ready[0].alive:
            heapq.heappop(ready)
        most = MOST_EACH.get(line)
        if most is None or not ready:
            return heapq.heappop(ready) if ready else None
        had = Counter((key.workspace, key.person) for key, busy in self._running.items() if busy is line and key.person)
        able = [(had[entry.key.workspace, entry.key.person], entry) for entry in ready if entry.alive]
        fewest, first = min(able)
        if fewest >= most:
            return None
        ready.remove(first)
        heapq.heapify(ready)
        return first

    def finish(self, key: Key) -> None:
        """The key's step has ended: what was put for it meanwhile is planned now."""
        self._running.pop(key, None)
        again = self._again.pop(key, None)
        news = self._news.pop(key, None)
        if again is not None:
            line, due, urgency = again
            if news is not None and line is not Line.SUBMIT:
                due = min(due, news)
            self.put(key, line, due, urgency)

    def next_due(self) -> float | None:
        """When the next sleeping entry is due; None when none sleeps."""
        while self._sleeping and not self._sleeping[0][2].alive:
            heapq.heappop(self._sleeping)
        return self._sleeping[0][0] if self._sleeping else None
