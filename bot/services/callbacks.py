"""Providers call: the end of a task is told to an address that only its order knows.

Who calls is never believed. A call is a reason to ask the provider now instead of a little later, and at most names the
task to ask about when the answer to the order was lost; links, states and costs come from the provider's own answers.
Whatever is called, lost, repeated or made up, polling brings the same end.
"""

import hashlib
from collections.abc import Callable, Mapping
from enum import StrEnum

import structlog

from bot.domain.job import Attempt, Evidence, EvidenceKind, Job
from bot.ports import Clock, NotGenuine, Provider, Storage, Transaction

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


class Callbacks:
    """``called_about`` is told of the job after the commit: it is to be looked at now."""

    def __init__(
        self,
        *,
        storage: Storage,
        providers: Mapping[str, Provider],
        clock: Clock,
        called_about: Callable[[Job], None],
    ) -> None:
        self._storage = storage
        self._providers = providers
        self._clock = clock
        self._called_about = called_about

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
        async with self._storage.begin() as tx:
            attempt = await tx.jobs.by_callback_token(token)
            if attempt is None:
                return Heard.UNKNOWN
            job = await tx.jobs.job(attempt.workspace, attempt.job_id)
            if job.provider != provider and job.attempt == attempt.number:
                return Heard.UNKNOWN
            news = await self._write(tx, attempt, _plausible(task_id), body)
        if news:
            log.info("callback.heard", provider=provider, job=job.id, attempt=attempt.number, state=job.state.value)
            if job.attempt == attempt.number:
                self._called_about(job)
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


def _is_token(text: str) -> bool:
    return len(text) == TOKEN_DIGITS and all(digit in "0123456789abcdef" for digit in text)


def _plausible(task_id: str | None) -> str:
    """A task's id as far as it can be one; empty otherwise."""
    if not task_id or len(task_id) > LONGEST_TASK_ID or not task_id.isprintable():
        return ""
    return task_id
