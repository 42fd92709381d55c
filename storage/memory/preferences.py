"""``bot.ports.Preferences`` in memory."""

from dataclasses import replace
from types import MappingProxyType

from bot.domain.preferences import WHOLE_WORKSPACE, PreferencesVersion
from bot.ports import Fenced
from storage.memory.tables import Tables


class MemoryPreferences:
    """What admins decided, version after version."""

    def __init__(self, tables: Tables) -> None:
        self._versions = tables.preferences

    async def current(self, workspace: str, subject: str) -> PreferencesVersion | None:
        versions = await self.history(workspace, subject)
        return versions[-1] if versions else None

    async def channels(self, workspace: str) -> tuple[str, ...]:
        subjects = {subject for known, subject in self._versions if known == workspace}
        return tuple(sorted(subjects - {WHOLE_WORKSPACE}))

    async def put(self, version: PreferencesVersion) -> None:
        versions = await self.history(version.workspace, version.subject)
        if version.version != len(versions) + 1:
            raise Fenced(f"the settings of {version.subject} were changed since they were read")
        kept = replace(version, values=MappingProxyType(dict(version.values)))
        self._versions[version.workspace, version.subject] = (*versions, kept)

    async def history(self, workspace: str, subject: str) -> tuple[PreferencesVersion, ...]:
        return self._versions.get((workspace, subject), ())
