"""``bot.ports.Clips``: a folder of clips named by their hash, and the same in memory."""

import asyncio
import contextlib
import errno
import fcntl
import hashlib
import os
import re
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import unquote

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore

from bot.ports import Clips, ClipsUnavailable, ClipTooLarge, Shelf, StoredClip
from storage.errors import UnsupportedUrl

if TYPE_CHECKING:
    from obstore import GetOptions

BATCH_BYTES = 1_000_000
"""Bytes gathered before a thread writes them: few hand-overs, and little memory."""

_WORKSPACE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SUFFIX = re.compile(r"[a-z0-9]{2,5}")
_KEY = re.compile(rf"(?:{'|'.join(Shelf)})/{_WORKSPACE.pattern}/[0-9a-f]{{64}}\.{_SUFFIX.pattern}")
_T = TypeVar("_T")


def open_clips(url: str) -> Clips:
    """The media store at ``file:FOLDER`` (relative or absolute); the folder is made, for this user
    alone. Raises UnsupportedUrl, ClipsUnavailable."""
    with translating():
        return FolderClips(folder_of(url))


def folder_of(url: str) -> Path:
    """The folder that ``file:FOLDER`` names. Raises UnsupportedUrl."""
    scheme, _, rest = url.partition(":")
    folder = unquote(rest.removeprefix("//") if rest.startswith("///") else rest)
    if scheme != "file" or not folder or folder.startswith("//"):
        raise UnsupportedUrl("MEDIA_URL", scheme[:20], "file:FOLDER")
    return Path(folder)


class FolderClips:
    """Files under ``<shelf>/<workspace>/<sha256>.<suffix>`` and unfinished ones under ``unfinished/``, in
    one folder and so on one file system, where a rename is atomic."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self._unfinished = self._folder / "unfinished"
        self._unfinished.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._store = LocalStore(self._folder)

    async def put(
        self,
        workspace: str,
        chunks: AsyncIterator[bytes],
        *,
        limit_bytes: int,
        shelf: Shelf = Shelf.CLIPS,
        suffix: str = "mp4",
    ) -> StoredClip:
        """See ``bot.ports.Clips``. The workspace is Slack's id; anything else than letters, digits,
        ``-`` and ``_`` raises ValueError."""
        place = _Place(shelf, workspace, suffix)
        file = await in_thread(_Unfinished, self._unfinished)
        try:
            async for batch in batches(chunks, limit_bytes):
                await in_thread(file.write, batch)
            return await in_thread(file.keep, self._folder, place)
        finally:
            await in_thread(file.discard)

    async def open(self, key: str, *, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """See ``bot.ports.Clips``."""
        _check(key)
        part: GetOptions = {} if stop is None else {"range": (start, stop)}
        if start and stop is None:
            part = {"range": {"offset": start}}
        try:
            found = await obstore.get_async(self._store, key, options=part)
            async for chunk in found.stream(min_chunk_size=BATCH_BYTES):
                yield bytes(chunk)
        except FileNotFoundError:
            raise KeyError(key) from None
        except (BaseError, OSError) as error:
            raise ClipsUnavailable(str(error)) from error

    async def size(self, key: str) -> int | None:
        """See ``bot.ports.Clips``."""
        _check(key)
        try:
            return (await obstore.head_async(self._store, key))["size"]
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise ClipsUnavailable(str(error)) from error

    async def sweep(self) -> int:
        """See ``bot.ports.Clips``. A file that a living process writes is locked by it and stays."""
        return await in_thread(_sweep, self._unfinished)


class MemoryClips:
    """Clips in a dictionary, for simulations and fast tests."""

    def __init__(self) -> None:
        self._clips: dict[str, bytes] = {}

    async def put(
        self,
        workspace: str,
        chunks: AsyncIterator[bytes],
        *,
        limit_bytes: int,
        shelf: Shelf = Shelf.CLIPS,
        suffix: str = "mp4",
    ) -> StoredClip:
        """See ``FolderClips.put``."""
        place = _Place(shelf, workspace, suffix)
        content = b"".join([batch async for batch in batches(chunks, limit_bytes)])
        digest = hashlib.sha256(content).hexdigest()
        self._clips[place.key(digest)] = content
        return StoredClip(key=place.key(digest), sha256=digest, size=len(content))

    async def open(self, key: str, *, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """See ``bot.ports.Clips``."""
        _check(key)
        content = self._clips[key][start:stop]
        for place in range(0, len(content), BATCH_BYTES):
            yield content[place : place + BATCH_BYTES]

    async def size(self, key: str) -> int | None:
        """See ``bot.ports.Clips``."""
        _check(key)
        return len(self._clips[key]) if key in self._clips else None

    async def sweep(self) -> int:
        """Nothing is ever unfinished in memory."""
        return 0


class _Place:
    """Where a file will stand once its hash is known. Raises ValueError for what is no name of a place."""

    def __init__(self, shelf: Shelf, workspace: str, suffix: str) -> None:
        if not _WORKSPACE.fullmatch(workspace):
            raise ValueError(workspace)
        if not _SUFFIX.fullmatch(suffix):
            raise ValueError(suffix)
        self._folder, self._suffix = f"{shelf.value}/{workspace}", suffix

    def key(self, digest: str) -> str:
        return f"{self._folder}/{digest}.{self._suffix}"


class _Unfinished:
    """A file that is being written; its methods block and are called in threads, one at a time."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"{secrets.token_hex(16)}.part"
        self._hash = hashlib.sha256()
        self._size = 0
        with translating():
            self._file = self._path.open("xb", buffering=0)
            try:
                # Says to `sweep` that somebody still writes; the system drops it when we are killed.
                fcntl.flock(self._file, fcntl.LOCK_EX)
            except OSError:
                self.discard()
                raise

    def write(self, batch: bytes) -> None:
        """Append, and hash on the way."""
        with translating():
            append(self._file, batch)
        self._hash.update(batch)
        self._size += len(batch)

    def keep(self, folder: Path, place: _Place) -> StoredClip:
        """Give the finished file its lasting name. Afterwards it survives a power cut."""
        digest = self._hash.hexdigest()
        clip = StoredClip(key=place.key(digest), sha256=digest, size=self._size)
        target = folder / clip.key
        with translating():
            os.fsync(self._file.fileno())
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not (target.is_file() and target.stat().st_size == clip.size):
                self._path.replace(target)
            # A rename lasts once its directory is on the disk, and a new directory once its parent is.
            for directory in (target.parent, target.parent.parent, folder):
                _sync_directory(directory)
        return clip

    def discard(self) -> None:
        """Leave nothing of it; harmless after ``keep``."""
        with translating():
            self._file.close()
            self._path.unlink(missing_ok=True)


async def batches(chunks: AsyncIterator[bytes], limit_bytes: int) -> AsyncIterator[bytes]:
    """The stream in larger pieces. Raises ClipTooLarge as soon as more than the limit has come."""
    gathered, waiting, total = [], 0, 0
    async for chunk in chunks:
        total += len(chunk)
        if total > limit_bytes:
            raise ClipTooLarge(limit_bytes)
        gathered.append(bytes(chunk))
        waiting += len(chunk)
        if waiting >= BATCH_BYTES:
            yield b"".join(gathered)
            gathered, waiting = [], 0
    if gathered:
        yield b"".join(gathered)


async def in_thread(function: Callable[..., _T], *arguments: object) -> _T:
    """Run a blocking function in a thread, to its end even when our task is cancelled meanwhile: a file
    must not be closed under the feet of a thread that writes it."""
    task = asyncio.ensure_future(asyncio.to_thread(function, *arguments))
    try:
        await asyncio.wait({task})
    except asyncio.CancelledError:
        await asyncio.wait({task})
        if not task.cancelled() and task.exception() is None and isinstance(made := task.result(), _Unfinished):
            made.discard()
        raise
    return task.result()


def append(file: FileIO, batch: bytes) -> None:
    """Write all of it: an unbuffered file may take a part at a time."""
    rest = memoryview(batch)
    while rest:
        rest = rest[file.write(rest) :]


def _sweep(folder: Path) -> int:
    removed = 0
    with translating():
        for path in folder.glob("*.part"):
            with contextlib.suppress(FileNotFoundError, BlockingIOError), path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
                removed += 1
    return removed


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check(key: str) -> None:
    if not _KEY.fullmatch(key):
        raise KeyError(key)


@contextlib.contextmanager
def translating() -> Iterator[None]:
    """What the disk answers, in the words of ``bot.ports``. Raises ClipsUnavailable."""
    try:
        yield
    except OSError as error:
        word = errno.errorcode.get(error.errno or 0, "error")
        raise ClipsUnavailable(f"The media folder answered {word}: {error.strerror}.") from error
