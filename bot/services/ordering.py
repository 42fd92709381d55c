"""From the queue to an order: see that it is still wanted and still fits, take a place, write the intention.

The intention of a POST is on disk before it is sent; from there on it is ``bot.services.submitting``'s.
"""

import secrets
from dataclasses import dataclass

import structlog

from bot.domain.budget import OverCap
from bot.domain.events import Declined, Hindered, Refused, SubmitIntended
from bot.domain.failure import Failure, FailureKind
from bot.domain.job import Ask, Attempt, Decision, Job
from bot.domain.patience import backoff, throttle_wait
from bot.domain.recipe import Recipe
from bot.domain.trouble import Trouble
from bot.ports import (
    ChatError,
    ChatRefused,
    ChatUnauthorized,
    CommitUnknown,
    Fenced,
    Transaction,
    UploadRefused,
)
from bot.services.bench import Bench, Later, StepResult
from bot.services.circuit import LOOK_GAP, STARVING, Lane
from bot.services.handing import Handing, NotHanded, NotTaken
from bot.services.holds import see_still_fits
from bot.services.policy import Policy
from bot.services.rechecking import recheck
from bot.services.rerouting import Rerouting
from bot.services.standing import Unnamed, for_reactions_alone, until_told
from bot.services.submitting import Submitting

log = structlog.get_logger(__name__)

_FULL = Later(seconds=5.0)
_OVERDRAWN = "A provider billed more than its price, or the cap was lowered."
_UNTOLD_FIRST_SECONDS, _UNTOLD_CEILING_SECONDS = 3.0, 30.0
"""So long after a refusal to say who stands behind a final Slack is asked again: the first time, and at most."""
_MOST_HANDED = 10
"""So often in a row a file is offered to a provider that does not take it just then."""


class _PersonFull(Exception):
    """As many jobs of the person run as may at once."""


class _Stopped(Exception):
    """Somebody cancelled the job while its order was made ready."""

    def __init__(self, by: str) -> None:
        self.by = by
        super().__init__(by)


class _ProviderFull(Exception):
    """As many jobs run at the provider as may at once."""


class _Closed(Exception):
    """No order is sent any more."""


@dataclass(frozen=True, kw_only=True)
class Ordering:
    """The step of what is queued."""

    bench: Bench
    rerouting: Rerouting
    handing: Handing
    submitting: Submitting

    async def submit(self, job: Job, ask: Ask) -> StepResult:
        """Take one of the provider's places, write the intention, send the billed POST."""
        if job.cancel_by or ask.decision is Decision.STOP:
            return await self.bench.move(job, Declined(), detail=job.cancel_by or "")
        if ask.card_ts is None:
            return Later(seconds=1.0)
        if failure := await self.rerouting.in_vain(job):
            return await self.rerouting.starve(job, failure, again=LOOK_GAP)
        if self.bench.places.held_back(job):
            return await self._hold_back(job)
        if quiet := self.bench.circuit.wait(job.provider, Lane.ORDERS):
            return self._wait(job, Later(seconds=quiet))
        if not self.bench.places.in_turn(job):
            return self._wait(job)
        return self.submitting.settle(await self._take_place(job, ask))

    async def _take_place(self, job: Job, ask: Ask) -> StepResult:
        """Hand over the files, see that it is still wanted, take a place if there is one, and send the order."""
        try:
            recipe = await self._hand(job)
            if (rechecked := await self._recheck(job, ask)) is not None:
                self.bench.places.leave(job)
                return rechecked
            with self.submitting.in_hand(job):
                # It is proved again right before the POST; a lease that is found lapsed here leaves no order in doubt.
                await self.bench.prove(job)
                moved, attempt = await self._intend(job, recipe)
        except CommitUnknown:
            self.submitting.unheard(job)
            raise
        except ChatError as error:
            return await self._not_told(job, ask, error)
        except NotHanded as error:
            return await self._not_handed(job, error)
        except NotTaken as error:
            return await self._not_taken(job, error.failure)
        except _Stopped as error:
            return await self.bench.move(job, Declined(), detail=error.by)
        except _PersonFull:
            return await self._hold_back(job)
        except (_ProviderFull, _Closed):
            return self._wait(job)
        if attempt is None:
            self.bench.places.leave(job)
        else:
            self.bench.places.take(job)
        self.bench.moves.announce(job, moved)
        return moved if attempt is None else await self.submitting.send(moved, attempt)

    async def _hand(self, job: Job) -> Recipe:
        """What the provider is to be sent: its files are handed over, which may take a while. Raises NotHanded,
        NotTaken."""
        if not job.recipe.media:
            return job.recipe
        return await self.handing.hand(job, self.bench.can(job), self.bench.providers[job.provider])

    async def _recheck(self, job: Job, ask: Ask) -> Job | None:
        """As ``rechecking.recheck`` says, once there seems to be a place: what waits is looked at every few seconds,
        and Slack is not asked each time. Raises ChatError, _PersonFull, _ProviderFull."""
        if not for_reactions_alone(job, ask):
            return None
        async with self.bench.storage.read() as tx:
            await _see_room(tx, job, await self.bench.policies.within(tx, job.workspace, job.channel))
        return await recheck(self.bench, job, ask)

    async def _not_told(self, job: Job, ask: Ask, error: ChatError) -> StepResult:
        """Slack does not say who stands behind it, for which others need not wait. Where it refuses to, or does not
        know people, that may last: the card says so."""
        self.bench.places.leave(job)
        if not isinstance(error, ChatRefused | ChatUnauthorized | Unnamed):
            return until_told(ask, error)
        wait = backoff(
            job.tries + 1, self.bench.clock.chance(), first=_UNTOLD_FIRST_SECONDS, ceiling=_UNTOLD_CEILING_SECONDS
        )
        hindered = Hindered(due_at=self.bench.clock.now() + wait, trouble=Trouble.REACTIONS_UNREAD)
        return await self.bench.move(job, hindered, detail=error.code)

    async def _not_handed(self, job: Job, error: NotHanded) -> Job:
        """Tried again after a while, and not for ever."""
        self.bench.places.leave(job)
        log.warning("file.not_handed", job=job.id, provider=job.provider, tries=job.tries + 1, why=error.why)
        if job.tries + 1 >= _MOST_HANDED:
            why = f"{job.provider} did not take its file in {_MOST_HANDED} tries."
            return await self._not_taken(job, Failure(kind=FailureKind.UNUSABLE_FILE, detail=why))
        wait = throttle_wait(error.retry_after_seconds, job.tries + 1, self.bench.clock.chance())
        due = self.bench.clock.now() + wait
        return await self.bench.move(job, Hindered(due_at=due, trouble=Trouble.FILE_NOT_TAKEN), detail=error.why)

    async def _not_taken(self, job: Job, failure: Failure) -> Job:
        """Nothing was ordered: another provider may be given the file, where nobody named this one. A refusal that says
        nothing about the file is one of the account, and pauses the provider as that of an order does."""
        if failure.kind in STARVING:
            if self.bench.circuit.refused(job.provider, failure):
                log.error("provider.paused", provider=job.provider, outcome=UploadRefused.__name__)
            return await self.submitting.starve(job, failure)
        moved = await self.rerouting.with_files(job, failure)
        return moved or await self.bench.move(job, Refused(failure=failure), detail=failure.detail)

    def _wait(self, job: Job, later: Later = _FULL) -> Later:
        """There is no place at the provider, it is others' turn, or it asked us to wait."""
        self.bench.places.wait(job)
        return later

    async def _hold_back(self, job: Job) -> Later:
        """So many of this person's jobs run already: the card says which in line this one is."""
        if self.bench.places.hold_back(job):
            async with self.bench.storage.begin() as tx:
                await tx.jobs.redraw(job.workspace, job.ask_id)
        return _FULL

    async def _intend(self, job: Job, recipe: Recipe) -> tuple[Job, Attempt | None]:
        """Write the intention of the order, which takes a place; counting and taking is one transaction over all
        processes. Without an attempt the job has ended, since the money is gone. Raises _Stopped, _PersonFull,
        _ProviderFull, _Closed."""
        if self.submitting.closed:
            raise _Closed
        key, token = f"{job.id}-{job.attempt}", secrets.token_hex(16)
        order = self.bench.providers[job.provider].order(recipe, key, self._callback_url(job, token))
        async with self.bench.storage.begin() as tx:
            policy = await self.bench.policies.within(tx, job.workspace, job.channel)
            await tx.jobs.lock_person(job.workspace, job.person)
            await tx.jobs.lock_provider(job.provider)
            # Files were handed over and Slack was asked in the meantime, and people think again.
            if stopped_by := (await tx.jobs.job(job.workspace, job.id)).cancel_by:
                raise _Stopped(stopped_by)
            await _see_room(tx, job, policy)
            try:
                await see_still_fits(tx, job, policy, self.bench.clock.now())
            except OverCap as over:
                log.warning("order.overdrawn", job=job.id, provider=job.provider)
                refused = Refused(failure=Failure(kind=FailureKind.OVER_CAP, detail=f"{_OVERDRAWN} {over}"))
                return await self.bench.moves.write(tx, job, self.bench.ownership, refused, detail="over a cap"), None
            await tx.jobs.add_attempt(
                Attempt(
                    workspace=job.workspace,
                    job_id=job.id,
                    number=job.attempt,
                    key=key,
                    body=order.body,
                    path=order.path,
                    callback_token=token,
                    intended_at=self.bench.clock.now(),
                )
            )
            moved = await self.bench.moves.write(tx, job, self.bench.ownership, SubmitIntended(), detail=key)
            attempt = await tx.jobs.attempt(job.workspace, job.id, job.attempt)
        if attempt is None:
            raise Fenced("the intention was not written")
        return moved, attempt

    def _callback_url(self, job: Job, token: str) -> str | None:
        """Where the provider may tell us of the end of this order, where it does and can reach us."""
        if not self.bench.public_url or self.bench.can(job).callback is None:
            return None
        return f"{self.bench.public_url}/callbacks/{job.provider}/{token}"


async def _see_room(tx: Transaction, job: Job, policy: Policy) -> None:
    """See that neither its person nor its provider has as much running as may. Raises _PersonFull, _ProviderFull."""
    if await tx.jobs.running_of(job.workspace, job.person) >= policy.running_per_person:
        raise _PersonFull
    if await tx.jobs.in_flight(job.provider) >= policy.places(job.provider):
        raise _ProviderFull
