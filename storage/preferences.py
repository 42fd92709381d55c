"""``bot.ports.Preferences`` in SQL: every change is a row."""

from sqlalchemy import ColumnElement
from sqlmodel import col, select

from bot.domain.preferences import WHOLE_WORKSPACE, PreferencesVersion
from bot.ports import Fenced
from storage.rows import preferences_from_row, preferences_to_row
from storage.sql import Sql
from storage.tables import PreferencesRow


class SqlPreferences:
    """What admins decided, version after version."""

    def __init__(self, sql: Sql) -> None:
        self._sql = sql

    async def current(self, workspace: str, subject: str) -> PreferencesVersion | None:
        newest = select(PreferencesRow).where(*_of(workspace, subject)).order_by(col(PreferencesRow.version).desc())
        row = await self._sql.scalar(newest.limit(1))
        return None if row is None else preferences_from_row(row)

    async def channels(self, workspace: str) -> tuple[str, ...]:
        theirs = col(PreferencesRow.workspace) == workspace, col(PreferencesRow.subject) != WHOLE_WORKSPACE
        found = await self._sql.scalars(select(PreferencesRow.subject).where(*theirs).distinct())
        return tuple(sorted(found))

    async def put(self, version: PreferencesVersion) -> None:
        newest = await self.current(version.workspace, version.subject)
        follows = version.version == (newest.version + 1 if newest else 1)
        # Two admins who press at once both follow the same version: the key lets one of them through.
        key = ("workspace", "subject", "version")
        if not follows or not await self._sql.insert_new(preferences_to_row(version), index=key):
            raise Fenced(f"the settings of {version.subject} were changed since they were read")

    async def history(self, workspace: str, subject: str) -> tuple[PreferencesVersion, ...]:
        oldest_first = select(PreferencesRow).where(*_of(workspace, subject)).order_by(col(PreferencesRow.version))
        return tuple(preferences_from_row(row) for row in await self._sql.scalars(oldest_first))


def _of(workspace: str, subject: str) -> tuple[ColumnElement[bool], ...]:
    return col(PreferencesRow.workspace) == workspace, col(PreferencesRow.subject) == subject
