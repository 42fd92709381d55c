"""``bot.ports.Announcements`` in memory."""

from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from bot.domain.announcement import Announcement
from bot.domain.job import Ownership
from storage.memory.tables import Tables, owned_by


class MemoryAnnouncements:
    """Messages that are told once."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def add(self, announcement: Announcement) -> bool:
        key = (announcement.workspace, announcement.key)
        kept = replace(announcement, facts=MappingProxyType(dict(announcement.facts)))
        return self._tables.announcements.setdefault(key, kept) is kept

    async def get(self, workspace: str, key: str) -> Announcement:
        return self._tables.announcements[workspace, key]

    async def claim(self, ownership: Ownership, limit: int, now: datetime) -> list[Announcement]:
        self._tables.end_lapsed(now)
        untold = [
            one
            for one in self._tables.announcements.values()
            if one.posted_ts is None
            and not one.given_up
            and (owned_by(ownership, one) or self._tables.free_for(ownership, one, now))
        ]
        first = sorted(untold, key=lambda one: (one.due_at, one.created_at, one.key))[:limit]
        for one in first:
            self._change(one.workspace, one.key, owner=ownership.owner, epoch=ownership.epoch)
        return [await self.get(one.workspace, one.key) for one in first]

    async def intended(self, workspace: str, key: str) -> None:
        self._change(workspace, key, posting=True)

    async def posted(self, workspace: str, key: str, ts: str) -> None:
        self._change(workspace, key, posting=False, posted_ts=ts)

    async def postponed(self, workspace: str, key: str, due_at: datetime) -> None:
        one = self._tables.announcements.get((workspace, key))
        if one is not None:
            self._change(workspace, key, due_at=due_at, tries=one.tries + 1)

    async def give_up(self, workspace: str, key: str) -> None:
        self._change(workspace, key, given_up=True)

    def _change(self, workspace: str, key: str, **values: Any) -> None:
        one = self._tables.announcements.get((workspace, key))
        if one is not None:
            self._tables.announcements[workspace, key] = replace(one, **values)
