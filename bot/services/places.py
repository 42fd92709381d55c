"""Who waits for what before an order, as this process sees it: a provider's place, or the end of another job of the
same person. Truth about both is counted in the database when a place is taken; this only spares asking in vain, keeps
the turns, and remembers which providers are paused because they refused our key or have no credit."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from bot.domain.job import Job
from bot.domain.patience import CREDIT_PROBE
from bot.ports import Clock


@dataclass
class _Pause:
    until: float
    reason: str
    prober: str | None = None


K = TypeVar("K")
Line = dict[str, Job]
"""Jobs by id; ids sort by age."""


class Places:
    """Two kinds of lines. A job stands in one at a time: who is held back by their own limit holds nobody else up.

    ``offer`` is called with the job whose turn it may be when something has become free.
    """

    def __init__(self, clock: Clock, offer: Callable[[Job], None]) -> None:
        self._clock = clock
        self._offer = offer
        self._of_provider: dict[str, Line] = {}
        self._of_person: dict[tuple[str, str], Line] = {}
        self._pauses: dict[str, _Pause] = {}

    # --- lines -------------------------------------------------------------------------------------------------------

    def in_turn(self, job: Job) -> bool:
        """Whether nobody waits longer than this job for a place at its provider."""
        return _nobody_before(job, self._of_provider.get(job.provider))

    def held_back(self, job: Job) -> bool:
        """Whether an older job of the same person waits for that person's limit: then this one waits behind it."""
        return not _nobody_before(job, self._of_person.get(_payer(job)))

    def wait(self, job: Job) -> None:
        """This job found no place at its provider, or others wait longer."""
        self.leave(job)
        self._of_provider.setdefault(job.provider, {})[job.id] = job

    def hold_back(self, job: Job) -> bool:
        """So many jobs of this person run that this one waits for the end of another; True when that is news. Whoever
        waited behind it for a place may go on."""
        news = job.id not in self._of_person.get(_payer(job), {})
        self.leave(job)
        self._of_person.setdefault(_payer(job), {})[job.id] = job
        self._offer_first(self._of_provider.get(job.provider))
        return news

    def leave(self, job: Job) -> None:
        """This job waits no longer."""
        _drop(self._of_provider, job.provider, job.id)
        for payer in [payer for payer, line in self._of_person.items() if job.id in line]:
            _drop(self._of_person, payer, job.id)

    def freed(self, job: Job) -> None:
        """This job runs no longer: its place is offered to who waits longest at its provider, and to who waits longest
        of its person's."""
        self._offer_first(self._of_provider.get(job.provider))
        self._offer_first(self._of_person.get(_payer(job)))

    def _offer_first(self, line: Line | None) -> None:
        if line:
            self._offer(line[min(line)])

    # --- pauses ------------------------------------------------------------------------------------------------------

    def pause(self, provider: str, reason: str) -> bool:
        """The provider refused our key or our credit; True when that is news."""
        news = provider not in self._pauses
        self._pauses[provider] = _Pause(until=self._clock.monotonic() + CREDIT_PROBE.total_seconds(), reason=reason)
        return news

    def paused(self, provider: str, job_id: str) -> str | None:
        """Why an order of this job would be in vain for now; None when it may be tried."""
        pause = self._pauses.get(provider)
        return None if pause is None or pause.prober == job_id else pause.reason

    def may_probe(self, provider: str, job_id: str) -> bool:
        """Whether this job may be tried now although the provider is paused: one at a time, the first who asks."""
        pause = self._pauses.get(provider)
        if pause is None:
            return True
        if self._clock.monotonic() < pause.until:
            return False
        pause.until = self._clock.monotonic() + CREDIT_PROBE.total_seconds()
        pause.prober = job_id
        return True

    def resume(self, provider: str) -> bool:
        """An order went through; True when that ended a pause."""
        return self._pauses.pop(provider, None) is not None


def _payer(job: Job) -> tuple[str, str]:
    return job.workspace, job.person


def _nobody_before(job: Job, line: Line | None) -> bool:
    return not line or min(line) >= job.id


def _drop(lines: dict[K, Line], name: K, job_id: str) -> None:
    line = lines.get(name)
    if line is not None:
        line.pop(job_id, None)
        if not line:
            del lines[name]
