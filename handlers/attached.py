"""The files of an ask, as far as they must be known to read it: their kinds, and whether they can be had at all. Of
most that are attached the message says enough; of the others, and of those given by their links, Slack is asked."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from bot.domain.lineage import Changes
from bot.domain.recipe import MediaKind, MediaRole, Medium, Place
from bot.ports import Asker, FetchError, FileSource
from bot.services.taking import Sender
from handlers.files import VISIBLE, kind_told
from handlers.grammar import Attachment, Attachments, UsageError
from handlers.grammar.attachments import MOST_FILES
from handlers.grammar.errors import FileNotHad, NotAMedium
from handlers.grammar.media import allowed_for, readable_files

T = TypeVar("T")

_HERE = frozenset({"hosted", "snippet", ""})
_NONE: Mapping[str, str] = MappingProxyType({})

_PATIENCE_SECONDS = 1.5
"""Slack waits 3 s for the answer to a command; what a file is is seen again when it is fetched."""

_SINGULAR = {MediaKind.IMAGE: "picture", MediaKind.VIDEO: "video", MediaKind.AUDIO: "sound"}


@dataclass(frozen=True, kw_only=True)
class _Beside:
    """A file as the message has it. ``kind`` is None where Slack must be asked."""

    id: str
    name: str
    kind: MediaKind | None


@dataclass(frozen=True, kw_only=True)
class Read(Generic[T]):
    """What was made of a message, and what its files are called, by their addresses in a recipe."""

    asked: T
    names: Mapping[str, str]


async def read_with_files(
    event: Mapping[str, Any], files: FileSource, parse: Callable[[Attachments], T], *, asks: Callable[[T], bool]
) -> Read[T]:
    """What ``parse`` makes of a message and its files. Slack is asked about files only when the message ``asks`` for
    something, whatever they turn out to be. Raises UsageError."""
    beside = _files_beside(event)
    unknown = len(beside) <= MOST_FILES and any(one.kind is None for one in beside)
    told = tuple(_attachment(one, one.kind or MediaKind.IMAGE) for one in beside)
    try:
        outcome = parse(told)
    except UsageError:
        if not unknown:
            raise
    else:
        if not unknown or not asks(outcome):
            return Read(asked=outcome, names=_names(told))
    found = tuple(await asyncio.gather(*(_looked_up(one, files) for one in beside)))
    return Read(asked=parse(found), names=_names(found))


def _names(files: Attachments) -> Mapping[str, str]:
    return {f"{Place.SLACK.value}:{file.id}": file.name for file in files if file.name}


async def with_kinds(
    changes: Changes, files: FileSource, sender: Sender, *, known: Mapping[str, str] = _NONE
) -> tuple[Changes, Mapping[str, str]]:
    """The changes with what Slack says of files that were given by their links, whose ending may say something else or
    nothing, and what all files are called; ``known`` are the names of the others, by address. A file of which Slack
    says nothing to who asks stays what its link says, and without a name: it is looked at again when it is fetched.
    Raises NotAMedium."""
    asker = Asker(people=frozenset({sender.person}), channel=sender.channel)

    async def seen(medium: Medium) -> tuple[Medium, str]:
        unsure = medium.place is Place.SLACK and medium.url not in known
        return await _seen(medium, files, asker) if unsure else (medium, known.get(medium.url, ""))

    looked = await asyncio.gather(*map(seen, changes.media))
    names = {medium.url: name for medium, name in looked if name}
    return replace(changes, media=tuple(medium for medium, _ in looked)), names


async def _seen(medium: Medium, files: FileSource, asker: Asker) -> tuple[Medium, str]:
    """The file and its name; empty where Slack does not say."""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            found = await files.describe(medium.within, asker)
    except (FetchError, TimeoutError):
        return medium, ""
    if found.kind is None and PurePosixPath(found.name).suffix:
        raise NotAMedium(name=found.name, allowed=readable_files())
    if found.kind is None or found.kind is medium.kind:
        return medium, found.name
    if medium.role is not MediaRole.REFERENCE:
        allowed, what = allowed_for(medium.kind), _SINGULAR[medium.kind]
        raise NotAMedium(name=found.name, allowed=allowed, what=what)
    return replace(medium, kind=found.kind), found.name


def _files_beside(event: Mapping[str, Any]) -> tuple[_Beside, ...]:
    told = event.get("files")
    shapes = [one for one in told if isinstance(one, Mapping)] if isinstance(told, list) else []
    return tuple(_beside(one) for one in shapes if isinstance(one.get("id"), str) and one["id"])


def _beside(told: Mapping[str, Any]) -> _Beside:
    """Nothing is believed of a file that lies elsewhere, is gone, or of which Slack says no more than its id."""
    name = str(told.get("name") or told.get("title") or "")
    had = str(told.get("mode") or "") in _HERE and str(told.get("file_access") or "") in VISIBLE
    sure = had and told.get("is_external") is not True
    return _Beside(id=told["id"], name=name, kind=kind_told(told, name) if sure else None)


async def _looked_up(one: _Beside, files: FileSource) -> Attachment:
    """Raises FileNotHad, NotAMedium."""
    if one.kind is not None:
        return _attachment(one, one.kind)
    try:
        found = await files.describe(one.id)
    except FetchError as error:
        raise FileNotHad(why=error.what, mend=error.mend) from error
    if found.kind is None and PurePosixPath(found.name).suffix:
        raise NotAMedium(name=found.name, allowed=readable_files())
    # A phone's photograph may have no type and no ending at first. Its bytes say what it is, when it is fetched.
    return Attachment(id=one.id, name=found.name, kind=found.kind or MediaKind.IMAGE)


def _attachment(one: _Beside, kind: MediaKind) -> Attachment:
    return Attachment(id=one.id, name=one.name, kind=kind)
