"""Who waits for what before an order, as this process sees it: a provider's place, or the end of another job of the
same person. Truth about both is counted in the database when a place is taken; this only spares asking in vain and
keeps the turns."""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from bot.domain.job import Job

Line = dict[str, Job]
"""Jobs by id; ids sort by age."""

Payer = tuple[str, str]
"""A workspace and a person of it."""


@dataclass
class _Queue:
    """Who waits at one provider. People take turns, however many jobs each of them brings: next is the oldest job of
    the person whose last turn is longest ago. Whoever comes anew goes before those who had a turn since, and behind
    those who wait longer."""

    line: Line = field(default_factory=dict)
    turns: int = 0
    last: dict[Payer, float] = field(default_factory=dict)
    """The number of each person's last turn, or where among the turns they came."""
    waiting: Counter[Payer] = field(default_factory=Counter)
    """How many jobs of each person are in the line."""

    def rank(self, job: Job) -> tuple[float, str]:
        """The lower, the sooner."""
        payer = _payer(job)
        if self.waiting[payer]:
            return self.last[payer], job.id
        return max(self.last.get(payer, -math.inf), self.turns - 0.5), job.id

    def join(self, job: Job) -> None:
        payer = _payer(job)
        self.last[payer] = self.rank(job)[0]
        self.line[job.id] = job
        self.waiting[payer] += 1

    def leave(self, job_id: str) -> None:
        job = self.line.pop(job_id, None)
        if job is not None:
            self.waiting[_payer(job)] -= 1

    def served(self, job: Job) -> None:
        self.turns += 1
        self.last[_payer(job)] = self.turns

    def first(self) -> Job | None:
        return min(self.line.values(), key=self.rank) if self.line else None


class Places:
    """Two kinds of lines. A job stands in one at a time: who is held back by their own limit holds nobody else up.

    ``offer`` is called with the job whose turn it may be when something has become free.
    """

    def __init__(self, offer: Callable[[Job], None]) -> None:
        self._offer = offer
        self._of_provider: dict[str, _Queue] = {}
        self._of_person: dict[Payer, Line] = {}

    def in_turn(self, job: Job) -> bool:
        """Whether nobody else's turn for a place at its provider comes before this job's."""
        queue = self._queue(job)
        first = queue.first()
        return first is None or queue.rank(job) <= queue.rank(first)

    def held_back(self, job: Job) -> bool:
        """Whether an older job of the same person waits for that person's limit: then this one waits behind it."""
        line = self._of_person.get(_payer(job))
        return line is not None and min(line) < job.id

    def wait(self, job: Job) -> None:
        """This job found no place at its provider, or it is somebody else's turn."""
        self._drop_from_people(job)
        queue = self._queue(job)
        waiting = queue.line.get(job.id)
        if waiting is None or _payer(waiting) != _payer(job):
            # It may come from the line of another provider, where it would hold up whoever is behind it.
            self.leave(job)
            queue.join(job)

    def hold_back(self, job: Job) -> bool:
        """So many jobs of this person run that this one waits for the end of another; True when that is news. Whoever
        waited behind it for a place may go on."""
        news = job.id not in self._of_person.get(_payer(job), {})
        self.leave(job)
        self._of_person.setdefault(_payer(job), {})[job.id] = job
        self._offer_next(job.provider)
        return news

    def take(self, job: Job) -> None:
        """This job has got its place: that was a turn of its person's."""
        self.leave(job)
        self._queue(job).served(job)

    def leave(self, job: Job) -> None:
        """This job waits no longer."""
        for queue in self._of_provider.values():
            queue.leave(job.id)
        self._drop_from_people(job)

    def freed(self, job: Job) -> None:
        """This job runs no longer: its place is offered to whose turn it is at its provider, and to who waits longest
        of its person's."""
        self._offer_next(job.provider)
        line = self._of_person.get(_payer(job))
        if line:
            self._offer(line[min(line)])

    def _queue(self, job: Job) -> _Queue:
        return self._of_provider.setdefault(job.provider, _Queue())

    def _offer_next(self, provider: str) -> None:
        queue = self._of_provider.get(provider)
        if queue is not None and (first := queue.first()) is not None:
            self._offer(first)

    def _drop_from_people(self, job: Job) -> None:
        for payer in [payer for payer, line in self._of_person.items() if job.id in line]:
            line = self._of_person[payer]
            del line[job.id]
            if not line:
                del self._of_person[payer]


def _payer(job: Job) -> Payer:
    return job.workspace, job.person
