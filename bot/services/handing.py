"""The files of a job, handed to its provider right before the order, the best way there is. Costs nothing, and may be
done twice: what the provider is given is written down with the order's intention, and nowhere else."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from weakref import WeakValueDictionary

import structlog

from bot.domain.capabilities import Capabilities
from bot.domain.failure import Failure, FailureKind
from bot.domain.handing import Way, data_uri, too_large_to_write, ways
from bot.domain.job import Job
from bot.domain.kept_file import KeptFile
from bot.domain.recipe import MediaKind, Medium, Place, Recipe, role_name
from bot.domain.reference import megabytes
from bot.ports import Clips, ClipsUnavailable, Clock, Links, Provider, Storage, Uploaded, UploadFailed, UploadRefused
from bot.services.routing import no_way

log = structlog.get_logger(__name__)

_TRUSTED_FOR = timedelta(minutes=10)
"""For so long an upload is given again of which the provider does not say when it goes."""
_SPARE = timedelta(hours=1)
"""An upload that is to end within this time is made anew: a task may wait at the provider before it reads its files."""


class NotHanded(Exception):
    """A file could not be given to the provider this time. ``why`` is for the log."""

    def __init__(self, why: str, retry_after_seconds: float | None = None) -> None:
        self.why, self.retry_after_seconds = why, retry_after_seconds
        super().__init__(why)


class NotTaken(Exception):
    """The provider cannot be given a file at all."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.detail)


@dataclass(frozen=True, kw_only=True)
class _Standing:
    """A file that a provider holds, and until when it can be counted on."""

    url: str = field(repr=False)
    until: datetime


@dataclass(frozen=True, kw_only=True)
class Handing:
    """Makes addresses that providers take of what we keep."""

    storage: Storage
    clips: Clips
    links: Links
    clock: Clock
    _standing: dict[tuple[str, str], _Standing] = field(default_factory=dict)
    """By provider and key. Forgotten with the process: then a file is uploaded once more."""
    _locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = field(default_factory=WeakValueDictionary)

    async def hand(self, job: Job, can: Capabilities, provider: Provider) -> Recipe:
        """The recipe as the provider is to be sent it. Raises NotHanded, NotTaken."""
        await self._see_fits(job, can)
        media = [await self._handed(job, medium, can, provider) for medium in job.recipe.media]
        return replace(job.recipe, media=tuple(media))

    async def _see_fits(self, job: Job, can: Capabilities) -> None:
        """All files together, before any of them is read into memory. Raises NotTaken."""
        ours = [medium for medium in job.recipe.media if medium.place is Place.STORED]
        files = [file for medium in ours if (file := await self._kept(job, medium)) is not None]
        if why := too_large_to_write(can, files, links=self.links.reachable):
            raise NotTaken(_unusable(why))

    async def _kept(self, job: Job, medium: Medium) -> KeptFile | None:
        """What is known of a stored file, called by its role: it is found by its content, whoever gave that under
        whatever name."""
        async with self.storage.read() as tx:
            file = await tx.files.stored(job.workspace, medium.url)
        return None if file is None else replace(file, name=role_name(medium, job.recipe.media))

    async def _handed(self, job: Job, medium: Medium, can: Capabilities, provider: Provider) -> Medium:
        if medium.place is not Place.STORED:
            return medium  # a person's link, which is given as it is
        file = await self._kept(job, medium)
        if file is None or file.key is None:
            raise NotTaken(_unusable("A file of this ask is not on our storage any more."))
        there = ways(can, medium.kind, links=self.links.reachable, size=file.size)
        if not there:
            raise NotTaken(_unusable(f"{can.provider} has {no_way(medium.kind)}."))
        try:
            url = await self._by(there[0], file, file.key, medium.kind, provider)
        except KeyError:
            raise NotTaken(_unusable(f"{file.name} is not on our storage any more.")) from None
        except ClipsUnavailable as error:
            raise NotHanded(str(error)) from error
        return replace(medium, url=url)

    async def _by(self, way: Way, file: KeptFile, key: str, kind: MediaKind, provider: Provider) -> str:
        match way:
            case Way.UPLOAD:
                return await self._uploaded(file, key, kind, provider)
            case Way.LINK:
                link = self.links.link(file.workspace, key, file.mime, now=self.clock.now())
                if link is None:
                    raise NotTaken(_unusable(f"{provider.name} has {no_way(kind)}."))
                return link
            case Way.DATA_URI:
                content = b"".join([chunk async for chunk in self.clips.open(key)])
                return await asyncio.to_thread(data_uri, file.mime, content)

    async def _uploaded(self, file: KeptFile, key: str, kind: MediaKind, provider: Provider) -> str:
        """Uploaded once for all clips that are ordered while it stands there."""
        place = (provider.name, key)
        lock = self._locks.setdefault(place, asyncio.Lock())
        async with lock:
            standing = self._standing.get(place)
            if standing is not None and standing.until > self.clock.now():
                return standing.url
            name = f"{file.sha256[:16]}.{key.rpartition('.')[2]}"
            outcome = await provider.upload(
                kind, name=name, mime=file.mime, size=file.size, chunks=await self._chunks(key)
            )
            match outcome:
                case UploadRefused(failure=failure):
                    raise NotTaken(_refused(failure, file))
                case UploadFailed(why=why, retry_after_seconds=wait):
                    raise NotHanded(why, wait)
                case Uploaded(url=url):
                    log.info("file.uploaded", provider=provider.name, size=file.size)
                    self._remember(place, outcome)
                    return url

    async def _chunks(self, key: str) -> AsyncIterator[bytes]:
        """The bytes as they are streamed. Raises KeyError where there are none any more, ClipsUnavailable: seen before
        the provider is, to whom it would be an upload that broke."""
        if await self.clips.size(key) is None:
            raise KeyError(key)
        return self.clips.open(key)

    def _remember(self, place: tuple[str, str], outcome: Uploaded) -> None:
        now = self.clock.now()
        until = now + _TRUSTED_FOR if outcome.expires_at is None else outcome.expires_at - _SPARE
        for old in [one for one, standing in self._standing.items() if standing.until <= now]:
            del self._standing[old]
        self._standing[place] = _Standing(url=outcome.url, until=until)


def _refused(failure: Failure, file: KeptFile) -> Failure:
    """A refusal of the file itself, with which file it is and what the provider said of it, for its card."""
    if failure.kind is not FailureKind.BAD_REFERENCE:
        return failure
    return _unusable(
        f"{file.name} ({file.mime}, {megabytes(file.size)}) was refused when it was uploaded: {failure.detail}"
    )


def _unusable(why: str) -> Failure:
    return Failure(kind=FailureKind.UNUSABLE_FILE, detail=why)
