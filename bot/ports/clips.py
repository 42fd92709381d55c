"""Our own copies of clips, and of the files that people gave for them; and a place for files that are worked on."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class Shelf(StrEnum):
    """The folder of a kind of files in the media store."""

    CLIPS = "clips"
    REFERENCES = "references"
    """What people gave, as providers are given it."""


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

    async def put(
        self,
        workspace: str,
        chunks: AsyncIterator[bytes],
        *,
        limit_bytes: int,
        shelf: Shelf = Shelf.CLIPS,
        suffix: str = "mp4",
    ) -> StoredClip:
        """Store a file from a stream, durably before this returns: temporary file, hash, fsync, rename. Its key is
        ``<shelf>/<workspace>/<sha256>.<suffix>``. What the stream raises is passed on, and nothing is kept then. Raises
        ClipTooLarge, ClipsUnavailable, and ValueError for a suffix that is not 2 to 5 small letters or digits."""

    def open(self, key: str, *, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """The bytes in chunks, from ``start`` up to and without ``stop``, which lie within the file and are not the
        same. Raises KeyError when there is no such clip, ClipsUnavailable."""

    async def size(self, key: str) -> int | None:
        """Bytes of that clip, None when there is none."""

    async def sweep(self) -> int:
        """Remove temporary files of earlier processes; how many. Called once at the start."""


class Scratch(Protocol):
    """Files that are worked on, on a disk of ours: what is left of them when a process dies is removed at the next
    start."""

    def room(self) -> AbstractAsyncContextManager[Path]:
        """A new and empty folder for this user alone, gone with all that is in it when the block ends. Raises
        ClipsUnavailable."""

    async def write(self, path: Path, chunks: AsyncIterator[bytes], *, limit_bytes: int) -> int:
        """Write a new file in such a folder; its bytes. What the stream raises is passed on. Raises ClipTooLarge,
        ClipsUnavailable."""

    def read(self, path: Path) -> AsyncIterator[bytes]:
        """A file in such a folder, in chunks. Raises ClipsUnavailable."""

    async def sweep(self) -> int:
        """Remove the folders of earlier processes; how many. Called once at the start."""
