"""Providers call: the end of a task is told to an address that only its order knows.

Who calls is never believed. A call is a reason to ask the provider now instead of a little later, and at most names the
task to ask about when the answer to the order was lost; links, states and costs come from the provider's own answers.
Whatever is called, lost, repeated or made up, polling brings the same end. Of an order that nobody waits for any more
a call is all the news there is (``bot.services.belated``).
"""

import hashlib
from collections.abc import Callable, Mapping
from enum import StrEnum

import structlog

from bot.domain.job import Attempt, Evidence, EvidenceKind, Job, State
from bot.domain.trouble import Trouble
from bot.ports import Clock, NotGenuine, Provider, Storage, TaskUnreadable, Transaction
from bot.services.belated import Belated, NotYet, nobody_waits
from bot.services.policies import Policies

log = structlog.get_logger(__name__)

TOKEN_DIGITS = 32
"""Hexadecimal, 128 bits."""

MOST_CALLS = 20
"""So many different calls about one order are written down; a provider tries a few times."""

LONGEST_TASK_ID = 200


class Heard(StrEnum):
    """What became of a call."""

    TAKEN = "taken"
    """It is on disk, or was before."""
    UNKNOWN = "unknown"
    """No order has this token."""
    NOT_GENUINE = "not_genuine"
    """Its provider signs, and this is not signed by it."""
    NOT_YET = "not_yet"
    """It is about an order that nobody waits for, or whose answer was lost, and its provider does not say now how the
    task is: it is to be called again, since nobody may read it before."""


class Callbacks:
    """``called_about`` is told of the job after the commit: it is to be looked at now."""

    def __init__(
        self,
        *,
        storage: Storage,
        providers: Mapping[str, Provider],
        policies: Policies,
        clock: Clock,
        called_about: Callable[[Job], None],
    ) -> None:
        self._storage = storage
        self._providers = providers
        self._clock = clock
        self._called_about = called_about
        self._belated = Belated(providers=providers, policies=policies, clock=clock)

    async def hear(self, provider: str, token: str, headers: Mapping[str, str], body: bytes) -> Heard:
        """Take one call. Raises StorageError, after which nothing is known of it here."""
        vendor = self._providers.get(provider)
        if vendor is None or not _is_token(token):
            return Heard.UNKNOWN
        try:
            # Before the token is looked up: who cannot sign learns nothing about tokens.
            task_id = vendor.told(headers, body)
        except NotGenuine as error:
            log.warning("callback.not_genuine", provider=provider, why=str(error))
            return Heard.NOT_GENUINE
        async with self._storage.read() as tx:
            attempt = await tx.jobs.by_callback_token(token)
            job = None if attempt is None else await tx.jobs.job(attempt.workspace, attempt.job_id)
        if attempt is None or job is None or (job.provider != provider and job.attempt == attempt.number):
            return Heard.UNKNOWN
        named = _plausible(task_id)
        if nobody_waits(job, attempt):
            return await self._hear_belated(provider, job, attempt, named, body)
        unread = await _cannot_be_read(vendor, job, named)
        async with self._storage.begin() as tx:
            job = await tx.jobs.job(attempt.workspace, attempt.job_id)
            if nobody_waits(job, attempt):
                # Somebody gave it up, or it was ordered again, this very moment.
                return Heard.NOT_YET
            news = await self._write(tx, attempt, named, body)
        if news:
            log.info("callback.heard", provider=provider, job=job.id, attempt=attempt.number, state=job.state.value)
            self._called_about(job)
        return Heard.NOT_YET if unread else Heard.TAKEN

    async def _hear_belated(self, provider: str, job: Job, attempt: Attempt, task_id: str, body: bytes) -> Heard:
        """A call about an order that nobody waits for: looked at now, and written down with what came of it."""
        try:
            found = await self._belated.look(job, attempt, provider, task_id) if task_id else None
        except NotYet:
            log.info("callback.not_yet", provider=provider, job=attempt.job_id, attempt=attempt.number)
            return Heard.NOT_YET
        beside: Job | None = None
        async with self._storage.begin() as tx:
            job = await tx.jobs.job(attempt.workspace, attempt.job_id)
            # The same call may have been heard before anybody gave the order up.
            await self._write(tx, attempt, task_id, body)
            if found is not None:
                beside = await self._belated.take(tx, job, attempt, found)
        if beside is not None:
            self._called_about(beside)
        return Heard.TAKEN

    async def _write(self, tx: Transaction, attempt: Attempt, task_id: str, body: bytes) -> bool:
        """Write the call down; False when it was heard before, or too many were."""
        now = self._clock.now()
        digest = hashlib.sha256(body).hexdigest()
        if not await tx.inbox.take(attempt.workspace, f"callback:{attempt.key}:{digest[:32]}", now):
            return False
        known = await tx.jobs.evidence(attempt.workspace, attempt.job_id)
        calls = [one for one in known if (one.kind, one.attempt) == (EvidenceKind.CALLED, attempt.number)]
        if len(calls) >= MOST_CALLS:
            log.warning("callback.too_many", job=attempt.job_id)
            return False
        await tx.jobs.add_evidence(
            Evidence(
                workspace=attempt.workspace,
                job_id=attempt.job_id,
                attempt=attempt.number,
                kind=EvidenceKind.CALLED,
                value=task_id,
                at=now,
            )
        )
        return True


async def _cannot_be_read(vendor: Provider, job: Job, task_id: str) -> bool:
    """Whether only this call knows the task of an order whose answer was lost, and nobody can see now how that is. The
    call is written down, but whoever gives the order up meanwhile would leave nobody to read it: another one has to
    come."""
    if not task_id or not (job.state is State.UNCERTAIN or job.trouble is Trouble.UNKNOWN_ORDER):
        return False
    return isinstance(await vendor.look(task_id), TaskUnreadable)


def _is_token(text: str) -> bool:
    return len(text) == TOKEN_DIGITS and all(digit in "0123456789abcdef" for digit in text)


def _plausible(task_id: str | None) -> str:
    """A task's id as far as it can be one; empty otherwise."""
    if not task_id or len(task_id) > LONGEST_TASK_ID or not task_id.isprintable():
        return ""
    return task_id
