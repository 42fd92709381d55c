"""How tasks are, asked of their providers: one by one, or many with one request where the provider lists its tasks."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from bot.domain.job import Job
from bot.ports import Clock, Provider, TaskReport


@dataclass
class _Listing:
    """What is known of one provider's list. The lock lets whoever comes meanwhile wait for the answer of who asks."""

    watched: set[str] = field(default_factory=set)
    reports: Mapping[str, TaskReport] = field(default_factory=dict)
    asked: float = float("-inf")
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Looking:
    """One for the process. Tasks are watched from their first look until ``end``."""

    def __init__(self, *, providers: Mapping[str, Provider], clock: Clock) -> None:
        self._providers = providers
        self._clock = clock
        self._listings: dict[str, _Listing] = {}

    async def look(self, job: Job, gap: timedelta, *, alone: bool = False) -> TaskReport:
        """How the job's task is. Of a provider with a list at most one list is asked for in ``gap``, and serves all
        that watch it; what it does not tell of, a task that is the only one, and one that somebody called about
        (``alone``) are asked for by themselves."""
        provider, task_id = self._providers[job.provider], job.task_id or ""
        listing = self._listings.setdefault(job.provider, _Listing())
        listing.watched.add(task_id)
        report = None
        if not alone and len(listing.watched) > 1 and any(can.lists_tasks for can in provider.capabilities):
            report = (await self._list(provider, listing, gap)).get(task_id)
        return report or await provider.look(task_id)

    def end(self, job: Job) -> None:
        """The job's task is watched no longer."""
        listing = self._listings.get(job.provider)
        if listing is not None:
            listing.watched.discard(job.task_id or "")

    async def _list(self, provider: Provider, listing: _Listing, gap: timedelta) -> Mapping[str, TaskReport]:
        async with listing.lock:
            now = self._clock.monotonic()
            if now - listing.asked >= gap.total_seconds():
                listing.asked = now
                listing.reports = await provider.look_at_all(sorted(listing.watched))
            return listing.reports
