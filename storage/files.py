"""``bot.ports.Files`` in SQL."""

from sqlalchemy import ColumnElement
from sqlmodel import col, select, update

from bot.domain.kept_file import KeptFile
from storage.rows import kept_file_from_row, kept_file_to_row
from storage.sql import Sql
from storage.tables import KeptFileRow


class SqlFiles:
    """What is known of the files that people gave."""

    def __init__(self, sql: Sql) -> None:
        self._sql = sql

    async def find(self, workspace: str, source: str, limits: str) -> KeptFile | None:
        row = await self._sql.scalar(select(KeptFileRow).where(*_key(workspace, source, limits)))
        return None if row is None else kept_file_from_row(row)

    async def stored(self, workspace: str, url: str) -> KeptFile | None:
        there = (col(KeptFileRow.workspace) == workspace, col(KeptFileRow.url) == url)
        newest = (col(KeptFileRow.at).desc(), col(KeptFileRow.source), col(KeptFileRow.limits))
        row = await self._sql.scalar(select(KeptFileRow).where(*there).order_by(*newest).limit(1))
        return None if row is None else kept_file_from_row(row)

    async def add(self, file: KeptFile, *, instead_of: KeptFile | None = None) -> KeptFile:
        row = kept_file_to_row(file)
        if instead_of is not None:
            gone = (*_key(file.workspace, file.source, file.limits), col(KeptFileRow.url) == instead_of.url)
            if await self._sql.run(update(KeptFileRow).where(*gone).values(**row.model_dump())):
                return file
        if await self._sql.insert_new(row, index=("workspace", "source", "limits")):
            return file
        return await self.find(file.workspace, file.source, file.limits) or file


def _key(workspace: str, source: str, limits: str) -> tuple[ColumnElement[bool], ...]:
    return (
        col(KeptFileRow.workspace) == workspace,
        col(KeptFileRow.source) == source,
        col(KeptFileRow.limits) == limits,
    )
