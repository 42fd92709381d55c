"""Who is connected, and who has to go when there are too many: open connections are open files, and without a bound
whoever connects and says nothing takes those that databases, clips and Slack need."""

import resource
import time
from collections.abc import Callable
from typing import Protocol

import structlog

from bot.web.limits import FILES_FOR_EACH_ACCEPTED, FILES_FOR_EACH_CONNECTION, MOST_ACCEPTED, MOST_CONNECTIONS

log = structlog.get_logger(__name__)

_SECONDS_BETWEEN_LINES = 1.0


def most_connections() -> int:
    """How many may be open: MOST_CONNECTIONS, or fewer where this process may open few files."""
    return min(MOST_CONNECTIONS, max(1, _open_files() // FILES_FOR_EACH_CONNECTION))


def most_accepted() -> int:
    """How many may be accepted in one turn of the loop: each is an open file before anybody can look at it."""
    return min(MOST_ACCEPTED, max(1, _open_files() // FILES_FOR_EACH_ACCEPTED))


def _open_files() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_CONNECTIONS * FILES_FOR_EACH_CONNECTION if soft == resource.RLIM_INFINITY else soft


class Guest(Protocol):
    """A connection."""

    def turn_away(self) -> None:
        """Close at once and without a word."""


class Crowd:
    """The open connections of one server, never more than ``most``.

    Of too many, the one goes that has been without a request for longest. Slack's requests come in one piece with
    their connection, so that no number of silent ones shuts Slack out. Where all others are busy, the newcomer goes.
    ``now`` is in seconds from any beginning.
    """

    def __init__(self, most: int, now: Callable[[], float] = time.monotonic) -> None:
        self._most, self._now = most, now
        self._idle: dict[Guest, None] = {}  # a set in order, the longest idle first
        self._busy: set[Guest] = set()
        self._turned_away = 0
        self._next_line = now()

    def came(self, guest: Guest) -> None:
        """A connection has opened, and nothing is asked yet."""
        self._idle[guest] = None
        if len(self._idle) + len(self._busy) > self._most:
            longest = next(iter(self._idle))
            self.left(longest)
            longest.turn_away()
            self._note()

    def asked(self, guest: Guest) -> None:
        """It has a request now."""
        if guest in self._idle:
            del self._idle[guest]
            self._busy.add(guest)

    def answered(self, guest: Guest) -> None:
        """It has none any more."""
        if guest in self._busy:
            self._busy.remove(guest)
            self._idle[guest] = None

    def left(self, guest: Guest) -> None:
        """It has closed."""
        self._idle.pop(guest, None)
        self._busy.discard(guest)

    def _note(self) -> None:
        """Thousands may be turned away in a second: one line speaks of all since the last."""
        self._turned_away += 1
        if (now := self._now()) >= self._next_line:
            log.warning("http.crowded", turned_away=self._turned_away, most=self._most)
            self._turned_away, self._next_line = 0, now + _SECONDS_BETWEEN_LINES
