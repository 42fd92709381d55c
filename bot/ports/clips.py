"""Our own copies of clips."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class StoredClip:
    """A clip on our storage, named by its hash, so that storing it twice is harmless."""

    key: str
    sha256: str
    size: int


class ClipTooLarge(Exception):
    """The clip is over the size limit; nothing of it was kept."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        super().__init__(f"The clip is larger than {limit_bytes / 1_000_000:.0f} MB.")


class ClipsUnavailable(Exception):
    """The media store could not take or give the bytes now (disk full, store away). Nothing half-written stays."""


class Clips(Protocol):
    """Our own copies of clips."""

    async def put(self, workspace: str, chunks: AsyncIterator[bytes], *, limit_bytes: int) -> StoredClip:
        """Store a clip from a stream, durably before this returns: temporary file, hash, fsync, rename. What the
        stream raises is passed on, and nothing is kept then. Raises ClipTooLarge, ClipsUnavailable."""

    def open(self, key: str) -> AsyncIterator[bytes]:
        """The bytes in chunks. Raises KeyError when there is no such clip, ClipsUnavailable."""

    async def size(self, key: str) -> int | None:
        """Bytes of that clip, None when there is none."""

    async def sweep(self) -> int:
        """Remove temporary files of earlier processes; how many. Called once at the start."""
