"""How each provider is as this process sees it: whether it takes orders, and how long it asked to be left alone.

A key that is refused, an empty account, and a run of orders that nobody answered properly pause a provider, for all its
jobs: then one job at a time is tried, and the first order that goes through ends the pause. Where nobody waits for the
provider, the next order that it would be chosen for is the try. A pause is forgotten with the process; a job found
waiting after a restart brings it back (``remember``).
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bot.domain.failure import Failure, FailureKind
from bot.domain.patience import CREDIT_PROBE
from bot.ports import Clock

STARVING = frozenset({FailureKind.KEY_REFUSED, FailureKind.OUT_OF_CREDIT})
"""Refusals that say nothing about the order: whoever comes next is refused too."""

RUN = 5
"""So many orders in a row without a proper answer pause a provider. Each may have left a clip uncertain, and a
provider that only restarts is back before."""

DOUBTS = 6
"""Of so many questions in a row that cost nothing and are not answered the last lets an order be sent all the same: it
may be the question that the provider cannot answer."""

Place = tuple[str, str]
"""A workspace and a channel of it."""


_LEFT_ALONE = CREDIT_PROBE
"""So long after a paused provider may be tried, whoever waits for it has tried it."""


class Lane(StrEnum):
    """Kinds of requests that a provider limits by themselves."""

    ORDERS = "orders"
    LOOKS = "looks"


@dataclass(kw_only=True)
class Pause:
    """A provider takes no orders."""

    failure: Failure
    since: datetime
    probe_at: float
    """When the next job may be tried, on the monotonic clock."""
    prober: str | None = None
    unanswered: int = 0
    """Questions in a row that the provider did not answer properly either."""
    told: set[Place] = field(default_factory=set)
    """Where it was said, and its end is to be said."""


class Circuit:
    """One for the process. Names are those of providers."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pauses: dict[str, Pause] = {}
        self._stumbles: dict[str, int] = {}
        self._heard_of: set[str] = set()
        """Providers of whose orders this process has heard: what was before it counts no more."""
        self._quiet: dict[tuple[str, Lane], float] = {}

    # --- what happened -----------------------------------------------------------------------------------------------

    def refused(self, provider: str, failure: Failure) -> bool:
        """The provider refused our key or has no credit for us; True when that is news."""
        self._heard_of.add(provider)
        pause = self._pauses.get(provider)
        if pause is None:
            self._pauses[provider] = self._pause(failure, probe_in=CREDIT_PROBE.total_seconds())
            return True
        pause.failure, pause.prober = failure, None
        pause.probe_at = self._clock.monotonic() + CREDIT_PROBE.total_seconds()
        return False

    def stumbled(self, provider: str, why: str) -> bool:
        """An order was not answered properly: not reached, a 5xx, a time-out; True when that begins a pause."""
        self._stumbles[provider] = self._stumbles.get(provider, 0) + 1
        if provider in self._pauses or self._stumbles[provider] >= RUN:
            return self.refused(provider, Failure(kind=FailureKind.PROVIDER, detail=why))
        return False

    def silent(self, provider: str, failure: Failure) -> bool:
        """The provider is paused for not answering orders, and did not answer a question that costs nothing either;
        True when no order is to be sent."""
        pause = self._pauses.get(provider)
        if pause is None:
            return False
        pause.unanswered += 1
        if failure.kind is FailureKind.PROVIDER and pause.unanswered % DOUBTS == 0:
            return False
        self.refused(provider, failure)
        return True

    def answered(self, provider: str) -> None:
        """An order was answered, in whatever way: the run is over, and whoever waits for a provider that answered
        none may be tried at once."""
        self._stumbles.pop(provider, None)
        pause = self._pauses.get(provider)
        if pause is not None and pause.failure.kind is FailureKind.PROVIDER:
            pause.prober, pause.probe_at = None, self._clock.monotonic()

    def accepted(self, provider: str, sent_at: datetime) -> Pause | None:
        """An order that was sent then went through; the pause that this ends, if there was one. What was on its way
        before the pause began says nothing about it."""
        self._heard_of.add(provider)
        pause = self._pauses.get(provider)
        if pause is not None and sent_at < pause.since:
            return None
        self.answered(provider)
        return self._pauses.pop(provider, None)

    def remember(self, provider: str, failure: Failure, place: Place) -> None:
        """A job is found waiting for the provider, as its channel was told. When this process knows nothing of the
        provider yet, that is a pause from before it, in which one job may be tried at once."""
        if provider not in self._heard_of:
            self._heard_of.add(provider)
            self._pauses[provider] = self._pause(failure, probe_in=0.0)
        if (pause := self._pauses.get(provider)) is not None:
            pause.told.add(place)

    # --- what follows ------------------------------------------------------------------------------------------------

    def healthy(self, provider: str) -> bool:
        """Whether the provider takes orders, as far as is known. One that is paused while nobody waits for it, so that
        nobody tries it, may be tried by whoever comes."""
        pause = self._pauses.get(provider)
        return pause is None or self._clock.monotonic() >= pause.probe_at + _LEFT_ALONE.total_seconds()

    def pause(self, provider: str) -> Pause | None:
        """The pause of the provider, if it takes no orders."""
        return self._pauses.get(provider)

    def paused(self, provider: str, job_id: str) -> Failure | None:
        """Why an order of this job would be in vain for now; None when it may be tried."""
        pause = self._pauses.get(provider)
        return None if pause is None or pause.prober == job_id else pause.failure

    def may_probe(self, provider: str, job_id: str) -> bool:
        """Whether this job may be tried now although the provider is paused: one at a time, the first who asks."""
        pause = self._pauses.get(provider)
        if pause is None:
            return True
        if self._clock.monotonic() < pause.probe_at:
            return False
        pause.probe_at = self._clock.monotonic() + CREDIT_PROBE.total_seconds()
        pause.prober = job_id
        return True

    # --- rate --------------------------------------------------------------------------------------------------------

    def slow(self, provider: str, lane: Lane, seconds: float) -> None:
        """The provider asked us to wait so long with requests of this kind: that is for the key, not for one job."""
        until = self._clock.monotonic() + seconds
        self._quiet[provider, lane] = max(until, self._quiet.get((provider, lane), until))

    def wait(self, provider: str, lane: Lane) -> float:
        """Seconds until the next request of this kind may be sent; 0 when it may be now."""
        return max(0.0, self._quiet.get((provider, lane), 0.0) - self._clock.monotonic())

    def _pause(self, failure: Failure, *, probe_in: float) -> Pause:
        return Pause(failure=failure, since=self._clock.now(), probe_at=self._clock.monotonic() + probe_in)
