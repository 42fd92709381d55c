"""A job whose provider is not set up any more: its key was taken away, or ``PROVIDERS`` does not name it now.

What was not ordered yet goes to another provider or ends, with its hold released. What was ordered is paid for, and
waits: its card says so, deadlines hold as ever, and when the key is set again it goes on by itself.
"""

from dataclasses import dataclass

import structlog

from bot.domain.events import Hindered, Refused, Unhindered
from bot.domain.failure import Failure, FailureKind
from bot.domain.job import AWAITS_PROVIDER, PAST_GATE, Ask, Decision, Job, State, Wish
from bot.domain.trouble import Trouble
from bot.services.bench import Bench, StepResult
from bot.services.rerouting import Rerouting

log = structlog.get_logger(__name__)

_ORDERED = frozenset({State.SUBMITTING, State.UNCERTAIN, State.RENDERING, State.LATE})
"""Where the provider is to be asked about an order. What is rendered is downloaded without asking it, while its link
lives (``bot.services.rendering``)."""

_FAILURE = Failure(kind=FailureKind.NOT_CONFIGURED)


@dataclass(frozen=True, kw_only=True)
class Absence:
    """Looked at before every step of a job."""

    bench: Bench
    rerouting: Rerouting

    async def step(self, job: Job, ask: Ask) -> StepResult | None:
        """What is done instead of the usual step; None when nothing is in that one's way."""
        if job.state in _ORDERED:
            return await self._mark(job)
        if self.bench.has(job.provider) or job.cancel_by or ask.decision is Decision.STOP:
            return None
        return await self._never_ordered(job) if job.state is State.QUEUED or job.wait_reason in PAST_GATE else None

    async def _mark(self, job: Job) -> Job | None:
        """Say on the card that nobody can be asked, or that somebody can again. What a person pressed comes first: a
        move would use it up."""
        absent, marked = not self.bench.has(job.provider), job.trouble is Trouble.PROVIDER_ABSENT
        if absent is marked or job.wish is not None:
            return None
        if not absent:
            return await self.bench.move(job, Unhindered(), detail="it is set up again")
        log.error("provider.absent", job=job.id, provider=job.provider, state=job.state.value)
        hindered = Hindered(due_at=self.bench.clock.now(), trouble=Trouble.PROVIDER_ABSENT)
        return await self.bench.move(job, hindered, detail="it is not set up any more")

    async def _never_ordered(self, job: Job) -> Job:
        rerouting = self.rerouting
        if job.wait_reason not in AWAITS_PROVIDER:
            moved = await rerouting.instead(job, _FAILURE)
        elif job.wish is Wish.USE_ANOTHER_PROVIDER:
            moved = await rerouting.wished_elsewhere(job)
        else:
            moved = await rerouting.elsewhere(job)
        return moved or await self.bench.move(
            job, Refused(failure=_FAILURE), detail="its provider is not set up any more"
        )
