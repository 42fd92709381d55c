"""One file that somebody gave: fetched from where it is, checked, mended, and kept under its hash. That costs nothing,
and may be done twice."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal
from urllib.parse import unquote, urlsplit
from weakref import WeakValueDictionary

import structlog

from bot.domain.forms import ENDINGS
from bot.domain.job import Job
from bot.domain.kept_file import KeptFile, fingerprint, source_of, stored_url
from bot.domain.recipe import ClipPart, Medium, Place, role_name
from bot.domain.reference import LARGEST_SOURCES, FileLimits
from bot.domain.trouble import Trouble
from bot.ports import (
    Asker,
    Clips,
    ClipsUnavailable,
    ClipTooLarge,
    Clock,
    Fetcher,
    FetchError,
    FileSource,
    MediaRoom,
    MediaRoomBusy,
    MediaRoomTimeout,
    PreparedFile,
    Scratch,
    Shelf,
    SourceFile,
    Storage,
    UnusableFile,
)

log = structlog.get_logger(__name__)

_TIMEOUTS_OF_ONE_FILE = 3
"""A file over which the media room ran out of time so often is at fault itself."""

_FileKey = tuple[str, str, str]

_REMEMBERED = 1000
"""Refusals, and files that took too long to read. An ask has few clips, which are prepared soon after one another."""

_ENDINGS = frozenset(ending for endings in ENDINGS.values() for ending in endings)
_LONGEST_NAME = 40
"""Characters. What is longer may well be a secret, whatever it ends in."""

_FRAMES: Mapping[ClipPart, Literal["first", "last"]] = MappingProxyType(
    {ClipPart.FIRST: "first", ClipPart.LAST: "last"}
)


class NotNow(Exception):
    """The file cannot be had, checked or kept at the moment. ``why`` is a sentence for people."""

    def __init__(self, trouble: Trouble, why: str, retry_after_seconds: float | None = None) -> None:
        self.trouble, self.why, self.retry_after_seconds = trouble, why, retry_after_seconds
        super().__init__(why)


class CannotBeUsed(Exception):
    """The file cannot be used, and that will not change. ``why`` names the file, the figure and the limit."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)


class CannotBeHad(CannotBeUsed):
    """The file cannot be had or read at all, whichever provider it is for."""


class InOtherHands(Exception):
    """The same file is being fetched for another clip at this moment."""


@dataclass(frozen=True, kw_only=True)
class Want:
    """A file of a job as a provider is to be given it."""

    job: Job
    medium: Medium
    limits: FileLimits
    as_it_is: bool
    """Its link is all that the provider can be given, so that nothing of it can be mended."""
    asker: Asker | None = None
    """Who wants it, of a file in Slack: what one person sees there another may not. None where that is not asked."""

    @property
    def largest(self) -> int:
        """Bytes that are fetched of it, at most."""
        return LARGEST_SOURCES[self.medium.kind]

    @property
    def key(self) -> _FileKey:
        """What it is found by when it is kept: workspace, source, and what it was checked against."""
        mark = fingerprint(self.limits)
        source = source_of(self.medium, self.job.ask_id)
        return self.job.workspace, source, f"{mark} as it is" if self.as_it_is else mark


@dataclass(frozen=True, kw_only=True)
class _Origin:
    """Where a file comes from."""

    name: str
    """What people call it."""
    open: Callable[[], AbstractAsyncContextManager[AsyncIterator[bytes]]]
    part: ClipPart = ClipPart.WHOLE


@dataclass(frozen=True, kw_only=True)
class Gathering:
    """Where the files of asks are brought together."""

    storage: Storage
    clips: Clips
    scratch: Scratch
    fetcher: Fetcher
    files: FileSource
    room: MediaRoom
    clock: Clock
    _locks: WeakValueDictionary[_FileKey, asyncio.Lock] = field(default_factory=WeakValueDictionary)
    _timeouts: Counter[_FileKey] = field(default_factory=Counter)
    """How often the media room ran out of time over a file; the oldest first, forgotten with the process."""
    _refusals: dict[tuple[str, _FileKey], CannotBeUsed] = field(default_factory=dict)
    """What ended the first clip of an ask ends the others as well, without being fetched for each; the oldest first,
    forgotten with the process."""

    def in_other_hands(self, want: Want) -> bool:
        """Whether the file is being fetched at this moment, so that it need not be fetched once more."""
        lock = self._locks.get(want.key)
        return lock is not None and lock.locked()

    async def is_there(self, file: KeptFile) -> bool:
        """Whether what is kept of it can still be given. Raises NotNow."""
        try:
            return await self._is_there(file)
        except ClipsUnavailable as error:
            raise NotNow(Trouble.FILE_NOT_CHECKED, str(error)) from error

    async def gather(self, want: Want, begin: Callable[[str], Awaitable[None]]) -> KeptFile:
        """The file, fetched unless it was before: the clips of one ask do not fetch it each. ``begin`` is called with
        its name before that. Raises NotNow, CannotBeUsed, and InOtherHands at once: whoever waited here would keep a
        place from others."""
        if refusal := self._refusals.get((want.job.ask_id, want.key)):
            raise type(refusal)(refusal.why)
        if self.in_other_hands(want):
            raise InOtherHands
        async with self._locks.setdefault(want.key, asyncio.Lock()):
            try:
                return await self._tried(want, begin)
            except CannotBeUsed as error:
                self.remember(want, error)
                raise

    def remember(self, want: Want, refusal: CannotBeUsed) -> None:
        """Whoever wants the same file for the same ask is refused as well, at once."""
        self._refusals[want.job.ask_id, want.key] = type(refusal)(refusal.why)
        _forget_oldest(self._refusals)

    async def _tried(self, want: Want, begin: Callable[[str], Awaitable[None]]) -> KeptFile:
        """Raises NotNow, CannotBeUsed."""
        try:
            file = await self._had(want, begin)
        except FetchError as error:
            raise _translated(error) from error
        except UnusableFile as error:
            raise CannotBeUsed(str(error)) from error
        except MediaRoomTimeout as error:
            raise self._out_of_time(want, error) from error
        except (MediaRoomBusy, ClipsUnavailable) as error:
            raise NotNow(Trouble.FILE_NOT_CHECKED, str(error)) from error
        del self._timeouts[want.key]
        return file

    def _out_of_time(self, want: Want, error: MediaRoomTimeout) -> NotNow | CannotBeHad:
        self._timeouts[want.key] += 1
        if self._timeouts[want.key] < _TIMEOUTS_OF_ONE_FILE:
            _forget_oldest(self._timeouts)
            return NotNow(Trouble.FILE_NOT_CHECKED, str(error))
        del self._timeouts[want.key]
        return CannotBeHad(f"A file could not be read: {error}")

    async def _had(self, want: Want, begin: Callable[[str], Awaitable[None]]) -> KeptFile:
        # Slack is asked each time: what is kept of a file saves fetching it, not the question whether it may be taken.
        told = await self.files.describe(want.medium.within, want.asker) if want.medium.place is Place.SLACK else None
        async with self.storage.read() as tx:
            known = await tx.files.find(*want.key)
        if known is not None and await self._is_there(known):
            return known
        origin = await self._origin(want) if told is None else self._in_slack(told, want.largest)
        return await self._gathered(want, origin, begin, instead_of=known)

    async def _is_there(self, file: KeptFile) -> bool:
        """A link that is given as it is is not kept with us."""
        return file.key is None or await self.clips.size(file.key) is not None

    async def _gathered(
        self, want: Want, origin: _Origin, begin: Callable[[str], Awaitable[None]], *, instead_of: KeptFile | None
    ) -> KeptFile:
        """``instead_of`` is what was kept of it, and is gone from our storage."""
        await begin(origin.name)
        async with self.scratch.room() as folder:
            ready = await self._ready(want, origin, folder)
            url = want.medium.url if want.as_it_is else await self._keep(want.job.workspace, ready)
        log.info("file.prepared", job=want.job.id, form=ready.form.value, size=ready.size, mends=len(ready.mends))
        async with self.storage.begin() as tx:
            return await tx.files.add(self._kept(want, origin, ready, url), instead_of=instead_of)

    # --- where it comes from -----------------------------------------------------------------------------------------

    async def _origin(self, want: Want) -> _Origin:
        medium = want.medium
        match medium.place:
            case Place.LINK:
                link, largest = medium.url, want.largest
                return _Origin(name=_name_in(link), open=lambda: self.fetcher.open(link, largest=largest))
            case Place.CLIP:
                return await self._clip(want.job.workspace, *medium.clip)
            case Place.STORED:
                return await self._stored(want)
            case _:
                raise CannotBeHad("A file of this ask is nowhere that Dailies knows.")

    def _in_slack(self, file: SourceFile, largest: int) -> _Origin:
        return _Origin(name=file.name, open=lambda: self.files.open(file, largest=largest))

    async def _clip(self, workspace: str, job_id: str, part: ClipPart) -> _Origin:
        """A clip of ours: its bytes are on our own storage."""
        try:
            async with self.storage.read() as tx:
                made = await tx.jobs.job(workspace, job_id)
        except KeyError:
            raise CannotBeHad("The clip that this ask refers to is not known any more.") from None
        name = f"#{made.number}" if part is ClipPart.WHOLE else f"the {part.value} frame of #{made.number}"
        key = made.clip_key
        if key is None or await self.clips.size(key) is None:
            raise CannotBeHad(f"Clip #{made.number} is not on our storage, so {name} cannot be taken.")
        return _Origin(name=name, open=lambda: nullcontext(self.clips.open(key)), part=part)

    async def _stored(self, want: Want) -> _Origin:
        """A file that is kept as it fits other limits. It is found by its content, which may have come from somebody
        else as well, under a name that is not for everybody: it is called by its role."""
        name = role_name(want.medium, want.job.recipe.media)
        async with self.storage.read() as tx:
            known = await tx.files.stored(want.job.workspace, want.medium.url)
        key = None if known is None else known.key
        if key is None or await self.clips.size(key) is None:
            raise CannotBeHad(f"{name} is not on our storage any more.")
        return _Origin(name=name, open=lambda: nullcontext(self.clips.open(key)))

    # --- what becomes of it ------------------------------------------------------------------------------------------

    async def _ready(self, want: Want, origin: _Origin, folder: Path) -> PreparedFile:
        """The file fetched into the folder, and there made to fit."""
        given, mended = folder / "given", folder / "mended"
        await self._fetch(origin, given, want.largest)
        if origin.part in _FRAMES:
            given = (await self.room.frame(given, _FRAMES[origin.part], name=origin.name, into=folder)).path
        mended.mkdir()
        ready = await self.room.prepare(
            given, name=origin.name, wanted=want.medium.kind, limits=want.limits, into=mended
        )
        if want.as_it_is:  # the link itself is given: nothing was left out of what it leads to
            ready = replace(ready, mends=tuple(mend for mend in ready.mends if mend.needed))
        if want.as_it_is and ready.mends:
            raise CannotBeUsed(
                f"{origin.name} does not fit as it is (it would have to be {_listed(ready)}), and nothing but its own "
                "link can be given to the provider by this installation, which has no public address."
            )
        return ready

    async def _fetch(self, origin: _Origin, path: Path, largest: int) -> None:
        try:
            async with origin.open() as chunks:
                await self.scratch.write(path, chunks, limit_bytes=largest)
        except ClipTooLarge as error:
            raise CannotBeHad(
                f"{origin.name} is larger than {largest // 1_000_000} MB, the most that is fetched of a file."
            ) from error

    async def _keep(self, workspace: str, ready: PreparedFile) -> str:
        """Put it on its shelf; what recipes call it from then on."""
        chunks, suffix = self.scratch.read(ready.path), ready.form.value
        stored = await self.clips.put(workspace, chunks, limit_bytes=ready.size, shelf=Shelf.REFERENCES, suffix=suffix)
        return stored_url(stored.sha256, suffix)

    def _kept(self, want: Want, origin: _Origin, ready: PreparedFile, url: str) -> KeptFile:
        workspace, source, mark = want.key
        return KeptFile(
            workspace=workspace,
            source=source,
            limits=mark,
            url=url,
            kind=ready.kind,
            name=origin.name,
            mime=ready.mime,
            size=ready.size,
            sha256=ready.sha256,
            width=ready.width,
            height=ready.height,
            seconds=ready.seconds,
            mends=tuple(mend.words for mend in ready.mends),
            at=self.clock.now(),
        )


def _forget_oldest(known: dict[Any, Any]) -> None:
    while len(known) > _REMEMBERED:
        del known[next(iter(known))]


def _translated(error: FetchError) -> NotNow | CannotBeUsed:
    if error.lasting:
        return CannotBeHad(str(error))
    return NotNow(Trouble.FILE_AWAY, str(error), error.retry_after_seconds)


def _name_in(url: str) -> str:
    """What to call the file behind a link: the last part of its path where that is plainly the name of a file, else its
    host. Some links carry a secret in their path."""
    parts = urlsplit(url)
    last = " ".join(unquote(parts.path).rpartition("/")[2].split())
    is_file_name = last.lower().rpartition(".")[2] in _ENDINGS and len(last) <= _LONGEST_NAME
    return last if is_file_name else parts.hostname or "the file"


def _listed(ready: PreparedFile) -> str:
    return ", ".join(mend.words for mend in ready.mends)
