"""``bot.ports.Inbox`` in SQL."""

from datetime import datetime

from sqlmodel import col, delete

from storage.sql import Sql
from storage.tables import InboxRow


class SqlInbox:
    """Keys of outside events."""

    def __init__(self, sql: Sql) -> None:
        self._sql = sql

    async def take(self, workspace: str, key: str, at: datetime) -> bool:
        return await self._sql.insert_new(InboxRow(workspace=workspace, key=key, at=at))

    async def forget_before(self, before: datetime) -> int:
        return await self._sql.run(delete(InboxRow).where(col(InboxRow.at) < before))
