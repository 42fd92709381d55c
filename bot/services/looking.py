"""How tasks are, asked of their providers: one by one, or many with one request where the provider lists its tasks; and
no more often than the provider takes requests."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from bot.domain.capabilities import Capabilities
from bot.domain.job import Job
from bot.ports import Clock, Provider, TaskReport, TaskUnreadable
from bot.services.bench import Later

LOOKS_SHARE = 0.8
"""Of the requests that a provider takes in a minute so many are for looking; the rest is left for orders, for stopping
and for asking what is left."""

_VAIN_LISTS = 3
_LIST_REST = timedelta(minutes=1)
"""After so many lists in a row that told of nothing the next waits so long where requests are scarce: there may be no
list, or none that can be read, and each try takes a turn from those who ask by themselves meanwhile."""


class Ration:
    """Turns to ask one provider, evenly spaced: whoever comes takes the next free one and keeps it, so that many who
    ask are slowed down together and none of them for ever."""

    def __init__(self, per_minute: int | None) -> None:
        self._gap = 0.0 if per_minute is None else 60.0 / (per_minute * LOOKS_SHARE)
        self._next = float("-inf")
        self._turns: dict[str, float] = {}

    @property
    def scarce(self) -> bool:
        """Whether anybody may have to wait for a turn."""
        return self._gap > 0

    def wait(self, who: str, now: float) -> float:
        """Seconds until it is that one's turn; 0 when it is now, and the turn is used up. ``now`` is monotonic."""
        turn = self._turns.pop(who, None)
        if turn is None:
            turn = max(self._next, now)
            self._next = turn + self._gap
        if turn > now:
            self._turns[who] = turn
        return max(0.0, turn - now)

    def forget(self, who: str) -> None:
        """That one asks no more."""
        self._turns.pop(who, None)


_THE_LIST = ""
"""Who asks for a list: nobody's task has this id."""


@dataclass
class _Watched:
    """What is known of one provider's tasks. The lock lets whoever comes meanwhile wait for the answer of who asks."""

    ration: Ration
    lists: bool
    tasks: set[str] = field(default_factory=set)
    listed: Mapping[str, TaskReport] = field(default_factory=dict)
    asked_about: frozenset[str] = frozenset()
    asked: float = float("-inf")
    vain_lists: int = 0
    resting_until: float = float("-inf")
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Looking:
    """One for the process. Tasks are watched from their first look until ``end``."""

    def __init__(self, *, providers: Mapping[str, Provider], clock: Clock) -> None:
        self._providers = providers
        self._clock = clock
        self._watched: dict[str, _Watched] = {}

    async def look(self, job: Job, gap: timedelta, *, alone: bool = False) -> TaskReport | Later:
        """How the job's task is; Later when its provider takes no further request so soon. Of a provider with a list
        at most one list is asked for in ``gap``, and serves all that watch it; where requests are
        scarce, a task that came after it waits for the next. What a list does not tell of, a task that is the only one,
        and one that somebody called about (``alone``) are asked for by themselves."""
        provider, task_id = self._providers.get(job.provider), job.task_id or ""
        if provider is None:
            return TaskUnreadable(why="its provider is not set up")
        watched = self._watched.setdefault(job.provider, _begun(provider.capabilities))
        watched.tasks.add(task_id)
        listed = watched.lists and self._clock.monotonic() >= watched.resting_until
        if listed and not alone and len(watched.tasks) > 1:
            until_next = await self._list(provider, watched, gap)
            if (report := watched.listed.get(task_id)) is not None:
                return report
            if watched.ration.scarce and task_id not in watched.asked_about:
                return Later(seconds=until_next)
        if wait := watched.ration.wait(task_id, self._clock.monotonic()):
            return Later(seconds=wait)
        return await provider.look(task_id)

    def end(self, job: Job) -> None:
        """The job's task is watched no longer."""
        watched = self._watched.get(job.provider)
        if watched is not None:
            watched.tasks.discard(job.task_id or "")
            watched.ration.forget(job.task_id or "")

    async def _list(self, provider: Provider, watched: _Watched, gap: timedelta) -> float:
        """Ask for the list anew when ``gap`` is over and the provider takes a request. Seconds until the next one."""
        async with watched.lock:
            now = self._clock.monotonic()
            early = gap.total_seconds() - (now - watched.asked)
            if early > 0 or (early := watched.ration.wait(_THE_LIST, now)):
                return early
            watched.asked, watched.asked_about = now, frozenset(watched.tasks)
            watched.listed = await provider.look_at_all(sorted(watched.asked_about))
            watched.vain_lists = 0 if watched.listed else watched.vain_lists + 1
            if watched.ration.scarce and watched.vain_lists >= _VAIN_LISTS:
                watched.resting_until = now + _LIST_REST.total_seconds()
            return gap.total_seconds()


def _begun(tiers: tuple[Capabilities, ...]) -> _Watched:
    """The limit is the account's: of several that are declared the least counts."""
    limits = [can.requests_per_minute for can in tiers if can.requests_per_minute is not None]
    return _Watched(ration=Ration(min(limits, default=None)), lists=any(can.lists_tasks for can in tiers))
