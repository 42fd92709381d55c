"""``bot.ports.Jobs`` in memory: jobs and what is known of them; threads and asks in the module it builds
on."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from bot.domain.job import (
    IN_FLIGHT,
    PAST_GATE,
    Ask,
    Attempt,
    Decision,
    Evidence,
    Job,
    Ownership,
    State,
    TimelineEntry,
    Wish,
)
from bot.ports import Fenced
from storage.errors import Inconsistent, TaskTaken
from storage.memory.asks import MemoryAsks
from storage.memory.tables import owned_by


class MemoryJobs(MemoryAsks):
    """All of the port."""

    async def add(self, job: Job, entry: TimelineEntry) -> None:
        if (job.workspace, job.id) in self._tables.jobs:
            raise Inconsistent("jobs.workspace, jobs.id")
        ask, thread = (job.workspace, job.ask_id), (job.workspace, job.thread_id)
        if ask not in self._tables.asks or thread not in self._tables.threads:
            raise Inconsistent("jobs.ask_id, jobs.thread_id")
        self._put_job(job)
        self._tables.timeline.append(entry)

    async def job(self, workspace: str, job_id: str) -> Job:
        return self._tables.jobs[workspace, job_id]

    async def of_ask(self, workspace: str, ask_id: str) -> tuple[Job, ...]:
        return self._by_number(lambda job: (job.workspace, job.ask_id) == (workspace, ask_id))

    async def in_thread(self, workspace: str, thread_id: str) -> tuple[Job, ...]:
        return self._by_number(lambda job: (job.workspace, job.thread_id) == (workspace, thread_id))

    async def by_message(self, workspace: str, channel: str, message_ts: str) -> Job | None:
        message = (workspace, channel, message_ts)
        found = self._where(lambda job: (job.workspace, job.channel, job.message_ts) == message)
        return found[0] if found else None

    async def being_shared(self, workspace: str, channel: str) -> tuple[Job, ...]:
        place = (workspace, channel, State.DELIVERING)
        found = self._where(lambda job: (job.workspace, job.channel, job.state) == place and job.file_id is not None)
        return tuple(found)

    async def by_task(self, provider: str, task_id: str) -> Job | None:
        found = self._where(lambda job: (job.provider, job.task_id) == (provider, task_id))
        return found[0] if found else None

    async def find(self, job_id_prefix: str) -> tuple[Job, ...]:
        return tuple(self._where(lambda job: job.id.startswith(job_id_prefix)))

    async def listing(self, *, state: State | None, limit: int) -> tuple[tuple[Job, Ask], ...]:
        newest = self._where(lambda job: state in {None, job.state})[::-1][:limit]
        return tuple([(job, await self.ask(job.workspace, job.ask_id)) for job in newest])

    async def save(self, job: Job, ownership: Ownership, entry: TimelineEntry) -> Job:
        stored = self._tables.jobs.get((job.workspace, job.id))
        if stored is None or not owned_by(ownership, stored) or stored.version != job.version:
            raise Fenced(f"job {job.id} was moved or taken over since it was read")
        saved = replace(job, version=job.version + 1, owner=ownership.owner, epoch=ownership.epoch)
        kept = replace(saved, cancel_by=stored.cancel_by, wish=stored.wish)
        self._put_job(replace(kept, wish_by=stored.wish_by, wish_micro_usd=stored.wish_micro_usd))
        self._tables.timeline.append(entry)
        return saved

    async def request_cancel(self, workspace: str, job_id: str, person: str) -> None:
        job = self._tables.jobs.get((workspace, job_id))
        if job is not None and job.cancel_by is None:
            self._flag(workspace, job_id, cancel_by=person)

    async def wish(self, workspace: str, job_id: str, wish: Wish, person: str, micro_usd: int | None = None) -> None:
        job = self._tables.jobs.get((workspace, job_id))
        if job is not None:
            version = job.version + (wish is Wish.ORDER_AGAIN)
            self._flag(workspace, job_id, wish=wish, wish_by=person, wish_micro_usd=micro_usd, version=version)

    async def clear_wish(self, workspace: str, job_id: str, wish: Wish, cancel_by: str | None = None) -> None:
        job = self._tables.jobs.get((workspace, job_id))
        if job is None or job.wish is not wish:
            return
        delivered = {"cancel_by": None} if wish is Wish.DELIVER_AGAIN and job.cancel_by == cancel_by else {}
        self._flag(workspace, job_id, wish=None, wish_by=None, wish_micro_usd=None, **delivered)

    async def claim(self, ownership: Ownership, limit: int, now: datetime) -> list[Job]:
        self._tables.end_lapsed(now)
        free = self._where(
            lambda job: (not job.finished or job.wish is not None) and self._tables.free_for(ownership, job, now)
        )
        claimed = [replace(job, owner=ownership.owner, epoch=ownership.epoch) for job in free[:limit]]
        self._tables.jobs.update({(job.workspace, job.id): job for job in claimed})
        return claimed

    async def flagged(self, ownership: Ownership, limit: int) -> list[Job]:
        return self._where(lambda job: owned_by(ownership, job) and self._has_news(job))[:limit]

    async def lock_provider(self, provider: str) -> None:
        """Transactions in memory are one after the other already."""

    async def in_flight(self, provider: str) -> int:
        return len(self._where(lambda job: job.provider == provider and job.state in IN_FLIGHT))

    async def lock_person(self, workspace: str, person: str) -> None:
        """Transactions come one after the other anyway."""

    async def running_of(self, workspace: str, person: str) -> int:
        paid = self._where(lambda job: (job.workspace, job.person) == (workspace, person))
        return sum(job.state in IN_FLIGHT for job in paid)

    async def count_by_state(self) -> Mapping[tuple[str, State], int]:
        return Counter((job.provider, job.state) for job in self._tables.jobs.values())

    async def ahead(self, job: Job) -> int:
        return sum(one.provider == job.provider for one in self._queued_before(job))

    async def ahead_of_payer(self, job: Job) -> int:
        payer = (job.workspace, job.person)
        return sum((one.workspace, one.person) == payer for one in self._queued_before(job))

    def _queued_before(self, job: Job) -> list[Job]:
        place = (job.created_at, job.id)
        return self._where(lambda one: one.state is State.QUEUED and (one.created_at, one.id) < place)

    async def add_attempt(self, attempt: Attempt) -> None:
        self._require(attempt.workspace, attempt.job_id)
        self._tables.attempts.setdefault((attempt.workspace, attempt.job_id, attempt.number), attempt)

    async def attempt(self, workspace: str, job_id: str, number: int) -> Attempt | None:
        return self._tables.attempts.get((workspace, job_id, number))

    async def by_callback_token(self, token: str) -> Attempt | None:
        return next((one for one in self._tables.attempts.values() if one.callback_token == token), None)

    async def add_evidence(self, evidence: Evidence) -> None:
        self._require(evidence.workspace, evidence.job_id)
        self._tables.evidence.append(evidence)

    async def evidence(self, workspace: str, job_id: str) -> tuple[Evidence, ...]:
        return tuple(one for one in self._tables.evidence if (one.workspace, one.job_id) == (workspace, job_id))

    async def timeline(self, workspace: str, job_id: str) -> tuple[TimelineEntry, ...]:
        return tuple(one for one in self._tables.timeline if (one.workspace, one.job_id) == (workspace, job_id))

    def _where(self, wanted: Callable[[Job], bool]) -> list[Job]:
        """Jobs for which that is true, oldest first."""
        found = [job for job in self._tables.jobs.values() if wanted(job)]
        return sorted(found, key=lambda job: (job.created_at, job.id))

    def _by_number(self, wanted: Callable[[Job], bool]) -> tuple[Job, ...]:
        return tuple(sorted(self._where(wanted), key=lambda job: (job.number, job.id)))

    def _has_news(self, job: Job) -> bool:
        """As in ``storage.jobs``."""
        if job.wish is not None or (job.cancel_by is not None and not job.finished):
            return True
        decision = self._tables.asks[job.workspace, job.ask_id].decision
        if job.state is not State.WAITING or decision is None:
            return False
        return decision is Decision.STOP or job.wait_reason not in PAST_GATE

    def _flag(self, workspace: str, job_id: str, **flags: Any) -> None:
        job = self._tables.jobs.get((workspace, job_id))
        if job is not None:
            self._tables.jobs[workspace, job_id] = replace(job, **flags)

    def _put_job(self, job: Job) -> None:
        """Write a job, unless another has its provider's task."""
        if job.task_id is not None:
            others = self._where(lambda one: (one.provider, one.task_id) == (job.provider, job.task_id))
            if any((one.workspace, one.id) != (job.workspace, job.id) for one in others):
                raise TaskTaken(job.provider, job.task_id)
        self._tables.jobs[job.workspace, job.id] = job

    def _require(self, workspace: str, job_id: str) -> None:
        if (workspace, job_id) not in self._tables.jobs:
            raise Inconsistent("job_id")
