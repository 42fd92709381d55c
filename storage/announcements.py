"""``bot.ports.Announcements`` in SQL."""

from datetime import datetime

from sqlalchemy import ColumnElement, tuple_
from sqlmodel import col, select, update

from bot.domain.announcement import Announcement
from bot.domain.job import Ownership
from storage.leases import end_lapsed, free_for, owned_by
from storage.rows import announcement_from_row, announcement_to_row
from storage.sql import Sql
from storage.tables import TO_BE_TOLD, AnnouncementRow

_FIRST = (col(AnnouncementRow.due_at), col(AnnouncementRow.created_at), col(AnnouncementRow.key))


class SqlAnnouncements:
    """Messages that are told once."""

    def __init__(self, sql: Sql) -> None:
        self._sql = sql

    async def add(self, announcement: Announcement) -> bool:
        return await self._sql.insert_new(announcement_to_row(announcement), index=("workspace", "key"))

    async def get(self, workspace: str, key: str) -> Announcement:
        row = await self._sql.scalar(select(AnnouncementRow).where(*_announcement(workspace, key)))
        if row is None:
            raise KeyError(key)
        return announcement_from_row(row)

    async def claim(self, ownership: Ownership, limit: int, now: datetime) -> list[Announcement]:
        await end_lapsed(self._sql, now)
        available = free_for(AnnouncementRow, ownership, now) | owned_by(AnnouncementRow, ownership)
        untold = (
            select(AnnouncementRow.workspace, AnnouncementRow.key)
            .where(TO_BE_TOLD, available)
            .order_by(*_FIRST)
            .limit(limit)
            .with_for_update(skip_locked=True, key_share=True)
            .cte("untold")
        )
        claimed = (
            update(AnnouncementRow)
            .where(tuple_(AnnouncementRow.workspace, AnnouncementRow.key).in_(select(untold.c.workspace, untold.c.key)))
            .values(owner=ownership.owner, epoch=ownership.epoch)
            .returning(AnnouncementRow)
        )
        found = [announcement_from_row(row) for row in await self._sql.scalars(claimed)]
        return sorted(found, key=lambda one: (one.due_at, one.created_at, one.key))

    async def intended(self, workspace: str, key: str) -> None:
        await self._change(workspace, key, posting=True)

    async def posted(self, workspace: str, key: str, ts: str) -> None:
        await self._change(workspace, key, posting=False, posted_ts=ts)

    async def postponed(self, workspace: str, key: str, due_at: datetime) -> None:
        await self._change(workspace, key, due_at=due_at, tries=col(AnnouncementRow.tries) + 1)

    async def give_up(self, workspace: str, key: str) -> None:
        await self._change(workspace, key, given_up=True)

    async def _change(self, workspace: str, key: str, **values: object) -> None:
        await self._sql.run(update(AnnouncementRow).where(*_announcement(workspace, key)).values(**values))


def _announcement(workspace: str, key: str) -> tuple[ColumnElement[bool], ...]:
    return col(AnnouncementRow.workspace) == workspace, col(AnnouncementRow.key) == key
