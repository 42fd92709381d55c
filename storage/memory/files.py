"""``bot.ports.Files`` in memory."""

from bot.domain.kept_file import KeptFile
from storage.memory.tables import Tables


class MemoryFiles:
    """What is known of the files that people gave."""

    def __init__(self, tables: Tables) -> None:
        self._files = tables.files

    async def find(self, workspace: str, source: str, limits: str) -> KeptFile | None:
        return self._files.get((workspace, source, limits))

    async def stored(self, workspace: str, url: str) -> KeptFile | None:
        there = [one for one in self._files.values() if (one.workspace, one.url) == (workspace, url)]
        oldest_last = sorted(
            sorted(there, key=lambda one: (one.source, one.limits)), key=lambda one: one.at, reverse=True
        )
        return oldest_last[0] if oldest_last else None

    async def add(self, file: KeptFile, *, instead_of: KeptFile | None = None) -> KeptFile:
        key = (file.workspace, file.source, file.limits)
        there = self._files.get(key)
        if there is None or (instead_of is not None and there.url == instead_of.url):
            self._files[key] = file
        return self._files[key]
