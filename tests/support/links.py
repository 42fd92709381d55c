"""What lies behind links, for tests of those who fetch: each opening answers with the next thing that was told.

behind = Behind(LinkExpired("dead", "", status=403), WHOLE)
bench = replace(bench, fetcher=behind)
"""

import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.ports import Download, FetchError, SourceFile
from tests.support.workbench import Body


def box(kind: bytes, content: bytes = b"") -> bytes:
    """An MP4's box (ISO/IEC 14496-12)."""
    return struct.pack(">I4s", 8 + len(content), kind) + content


WHOLE = box(b"ftyp", b"isom\0\0\0\0") + box(b"moov", bytes(8)) + box(b"mdat", bytes(8))
"""As much of a film as is looked at before it is kept."""


class Behind:
    """``bot.ports.Fetcher``. The last thing that was told is there for ever."""

    def __init__(self, *there: bytes | FetchError) -> None:
        self._there = list(there)
        self.opened: list[str] = []

    @asynccontextmanager
    async def open(
        self, of: SourceFile | str, *, largest: int | None = None, bearer: str | None = None
    ) -> AsyncIterator[Download]:
        self.opened.append(str(of))
        found = self._there.pop(0) if len(self._there) > 1 else self._there[0]
        if isinstance(found, FetchError):
            raise found
        yield Body(found)
