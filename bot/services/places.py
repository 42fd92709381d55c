"""A provider's places and pauses, as this process sees them. Truth about places is counted in the database when one
is taken; this only spares asking in vain, and remembers who waits."""

from dataclasses import dataclass

from bot.domain.patience import CREDIT_PROBE
from bot.ports import Clock


@dataclass
class _Pause:
    until: float
    reason: str
    prober: str | None = None


class Places:
    """Who waits for a place, and which providers are paused because they refused our key or have no credit."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: dict[str, dict[str, str]] = {}
        self._pauses: dict[str, _Pause] = {}

    def wait(self, provider: str, workspace: str, job_id: str) -> None:
        """This job found no place."""
        self._waiting.setdefault(provider, {})[job_id] = workspace

    def leave(self, provider: str, job_id: str) -> None:
        """This job waits no longer."""
        self._waiting.get(provider, {}).pop(job_id, None)

    def next(self, provider: str) -> tuple[str, str] | None:
        """The (workspace, job) that waits longest for a place; ids sort by age."""
        waiting = self._waiting.get(provider)
        if not waiting:
            return None
        job_id = min(waiting)
        return waiting[job_id], job_id

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
