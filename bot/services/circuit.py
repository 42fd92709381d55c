"""How each provider is as this process sees it: whether it takes orders, and how long it asked to be left alone.

A key that is refused, an empty account, and a run of orders that nobody answered properly pause a provider, for all its
jobs: then one job at a time is tried, and the first order that goes through ends the pause. Where nobody waits for the
provider, the next order that it would be chosen for is the try. A pause is written down, and brought
back by the next start (``restore``) and by jobs that are found waiting (``remember``).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from bot.domain.failure import Failure, FailureKind
from bot.domain.outage import Outage
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


LOOK_GAP = CREDIT_PROBE / 4
"""Who waits for a provider that takes no orders asks this often whether it may be tried."""

_LEFT_ALONE = 4 * LOOK_GAP
"""So long after a paused provider may be tried, whoever waits for it has tried it."""

_STILL_WAITS = 2 * LOOK_GAP
"""Who has not asked for so long waits no more, or was refused just now."""

_LONGEST_GAP = timedelta(minutes=10)
"""Gaps that grow double up to this."""


def _grown(times: int) -> float:
    """The gap, in seconds, after something went wrong so many times in a row."""
    return min(_LONGEST_GAP.total_seconds(), CREDIT_PROBE.total_seconds() * 2.0 ** min(times, 30))


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
    asked: dict[str, float] = field(default_factory=dict)
    """When each job that waits asked last whether it may be tried."""
    turns: dict[str, int] = field(default_factory=dict)
    """The number of each job's last turn to be tried, whether its order was sent then or something was in the way."""
    unanswered: int = 0
    """Questions in a row that the provider did not answer properly either."""
    lost: int = 0
    """Orders in a row that were tried in this pause and may have been charged, with no way to know."""
    risk_at: float = float("-inf")
    """When the next order that may be lost may be sent."""
    told: set[Place] = field(default_factory=set)
    """Where it was said, and its end is to be said."""


@dataclass(kw_only=True)
class _Refusal:
    """What was said to one job that the provider refused as if it refused everybody."""

    failure: Failure
    turn: int
    """Its number among all turns and refusals."""
    at: float
    rounds: int = 0
    """So often the provider refused this one again after it had taken others: it is this very order."""
    taken_since: bool = False
    """It took another's order since."""

    @property
    def until(self) -> float:
        """When it may be tried again although the provider takes orders."""
        return self.at + _grown(self.rounds - 1) if self.rounds else self.at


class Circuit:
    """One for the process. Names are those of providers."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pauses: dict[str, Pause] = {}
        self._stumbles: dict[str, int] = {}
        self._heard_of: set[str] = set()
        """Providers of whose orders this process has heard: what was before it counts no more."""
        self._quiet: dict[tuple[str, Lane], float] = {}
        self._refusals: dict[str, dict[str, _Refusal]] = {}
        """By provider and job."""
        self._turns = 0

    # --- what happened -----------------------------------------------------------------------------------------------

    def refused(self, provider: str, failure: Failure, job_id: str | None = None) -> bool:
        """The provider refused our key or has no credit for us, as an order of that job shows; True when that is
        news."""
        self._heard_of.add(provider)
        if job_id is not None:
            self._note_refusal(provider, failure, job_id)
        pause = self._pauses.get(provider)
        if pause is None:
            self._pauses[provider] = self._pause(failure, probe_in=CREDIT_PROBE.total_seconds())
            return True
        pause.failure, pause.prober = failure, None
        pause.probe_at = self._clock.monotonic() + CREDIT_PROBE.total_seconds()
        return False

    def stumbled(self, provider: str, why: str, *, lost_by: str | None = None) -> bool:
        """An order was not answered properly: not reached, a 5xx, a time-out; True when that begins a pause.
        ``lost_by`` is its job, where it may have been charged and cannot be repeated safely."""
        self._stumbles[provider] = self._stumbles.get(provider, 0) + 1
        pause = self._pauses.get(provider)
        if pause is not None and lost_by is not None and pause.prober == lost_by:
            pause.lost += 1
            pause.risk_at = self._clock.monotonic() + _grown(pause.lost)
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
            pause.lost, pause.risk_at = 0, float("-inf")

    def accepted(self, provider: str, sent_at: datetime, job_id: str | None = None) -> Pause | None:
        """An order of that job that was sent then went through; the pause that this ends, if there was one. What was on
        its way before the pause began says nothing about it."""
        self._heard_of.add(provider)
        refusals = self._refusals.get(provider, {})
        refusals.pop(job_id or "", None)
        for refusal in refusals.values():
            refusal.taken_since = True
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

    def restore(self, outages: Iterable[Outage]) -> None:
        """These were written down before this process began: whoever comes first tries each."""
        for outage in outages:
            self._heard_of.add(outage.provider)
            pause = self._pause(outage.failure, probe_in=-_LEFT_ALONE.total_seconds())
            self._pauses[outage.provider] = replace(pause, since=outage.since)

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
        """Why an order of this job would be in vain for now; None when it may be tried. While the provider takes what
        others order, that is so for one that it refused each time."""
        pause = self._pauses.get(provider)
        if pause is not None:
            return None if pause.prober == job_id else pause.failure
        refusal = self._refusals.get(provider, {}).get(job_id)
        return refusal.failure if refusal is not None and self._clock.monotonic() < refusal.until else None

    def may_probe(self, provider: str, job_id: str) -> bool:
        """Whether this job may be tried now although its order may be in vain (``paused``): one at a time, and of those
        who wait whoever was never tried, or longest ago. Who is refused again and again although others are taken asks
        less and less often."""
        pause, now = self._pauses.get(provider), self._clock.monotonic()
        if pause is None:
            return self.paused(provider, job_id) is None
        refusal = self._refusals.get(provider, {}).get(job_id)
        if refusal is not None and now < refusal.until:
            return False
        pause.asked[job_id] = now
        if now < pause.probe_at:
            return False
        recently = now - _STILL_WAITS.total_seconds()
        waiting = [one for one, asked in pause.asked.items() if asked >= recently]
        if self._turn(provider, job_id) > min(self._turn(provider, one) for one in waiting):
            return False
        del pause.asked[job_id]
        pause.probe_at = now + CREDIT_PROBE.total_seconds()
        pause.prober, pause.turns[job_id] = job_id, self._next_turn()
        return True

    def may_risk(self, provider: str) -> bool:
        """Whether an order may be sent that would be uncertain if it went unanswered as those before it; if not, the
        turn of whoever asks is over."""
        pause = self._pauses.get(provider)
        if pause is None or self._clock.monotonic() >= pause.risk_at:
            return True
        pause.prober = None
        return False

    # --- rate --------------------------------------------------------------------------------------------------------

    def slow(self, provider: str, lane: Lane, seconds: float) -> None:
        """The provider asked us to wait so long with requests of this kind: that is for the key, not for one job."""
        until = self._clock.monotonic() + seconds
        self._quiet[provider, lane] = max(until, self._quiet.get((provider, lane), until))

    def wait(self, provider: str, lane: Lane) -> float:
        """Seconds until the next request of this kind may be sent; 0 when it may be now."""
        return max(0.0, self._quiet.get((provider, lane), 0.0) - self._clock.monotonic())

    def _note_refusal(self, provider: str, failure: Failure, job_id: str) -> None:
        refusals, now = self._refusals.setdefault(provider, {}), self._clock.monotonic()
        for one in [one for one, refusal in refusals.items() if now - refusal.at > 2 * _LONGEST_GAP.total_seconds()]:
            # It was given up, or made elsewhere: whoever waits is tried more often.
            del refusals[one]
        before = refusals.get(job_id)
        rounds = 0 if before is None else before.rounds + before.taken_since
        refusals[job_id] = _Refusal(failure=failure, turn=self._next_turn(), at=now, rounds=rounds)

    def _next_turn(self) -> int:
        self._turns += 1
        return self._turns

    def _turn(self, provider: str, job_id: str) -> int:
        """The number of the job's last turn to be tried, or of its last refusal; 0 when there was neither."""
        pause, refusal = self._pauses.get(provider), self._refusals.get(provider, {}).get(job_id)
        tried = 0 if pause is None else pause.turns.get(job_id, 0)
        return max(tried, 0 if refusal is None else refusal.turn)

    def _pause(self, failure: Failure, *, probe_in: float) -> Pause:
        return Pause(failure=failure, since=self._clock.now(), probe_at=self._clock.monotonic() + probe_in)
