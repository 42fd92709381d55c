"""Files in Slack, as a source tells of them, without Slack."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager

from bot.ports import Asker, Download, FileUnavailable, SourceFile, Unavailable


class ToldFiles:
    """``bot.ports.FileSource`` that knows what it was told; ``asked`` are the ids it was asked about."""

    def __init__(self, told: Mapping[str, SourceFile | Exception] | None = None) -> None:
        self._told = dict(told or {})
        self.asked: list[str] = []

    async def describe(self, file_id: str, asker: Asker | None = None) -> SourceFile:
        """What it was told; what it was not told of cannot be seen."""
        self.asked.append(file_id)
        found = self._told.get(file_id, FileUnavailable(Unavailable.NO_ACCESS, name=""))
        if isinstance(found, Exception):
            raise found
        return found

    def open(self, file: SourceFile, *, largest: int) -> AbstractAsyncContextManager[Download]:
        """No door fetches anything."""
        raise AssertionError(f"{file.id} was fetched, {largest} bytes at most")
