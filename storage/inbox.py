"""``bot.ports.Inbox`` in SQL."""

from datetime import datetime

from sqlmodel import col, delete, select

from storage.sql import Sql
from storage.tables import InboxRow


class SqlInbox:
    """Keys of outside events."""

    def __init__(self, sql: Sql) -> None:
        self._sql = sql

    async def take(self, workspace: str, key: str, at: datetime) -> bool:
        return await self._sql.insert_new(InboxRow(workspace=workspace, key=key, at=at))

    async def was_taken(self, workspace: str, key: str) -> bool:
        there = (col(InboxRow.workspace) == workspace, col(InboxRow.key) == key)
        return await self._sql.scalar(select(InboxRow.key).where(*there)) is not None

    async def forget_before(self, before: datetime) -> int:
        return await self._sql.run(delete(InboxRow).where(col(InboxRow.at) < before))
