"""How a file of ours can be given to a provider: which ways there are, best first."""

import base64
from collections.abc import Iterable
from dataclasses import replace
from enum import StrEnum

from bot.domain.capabilities import Capabilities
from bot.domain.kept_file import KeptFile
from bot.domain.recipe import MediaKind, Mode
from bot.domain.reference import FileLimits, KindLimits, megabytes

LARGEST_DATA_URI = 4_000_000
"""Bytes of a file that may go into an order itself. An order is kept as it was sent and may be sent again, and written
as text the file grows by a third; the model's maker takes 64 MB in all, resellers name no figure."""

LARGEST_TOGETHER = 8_000_000
"""Bytes of all files that go into one order. Each clip of an ask has an order of its own, in memory and in the
database."""


class Way(StrEnum):
    """How a file gets to a provider."""

    UPLOAD = "upload"
    """The provider's own upload: nobody has to reach us."""
    LINK = "link"
    """A signed, expiring address of ours, which the provider fetches."""
    DATA_URI = "data URI"
    """The file itself, written into the order."""


def ways(can: Capabilities, kind: MediaKind, *, links: bool, size: int | None = None) -> tuple[Way, ...]:
    """The ways to give this tier a file of that kind, best first; empty when there is none.

    ``links`` says whether this installation can be reached (``PUBLIC_URL``). ``size`` is the file's in bytes, where it
    is known: a large one does not go into an order.
    """
    there = {
        Way.UPLOAD: kind in can.uploads,
        Way.LINK: links,
        Way.DATA_URI: kind in can.data_uris and (size is None or size <= LARGEST_DATA_URI),
    }
    return tuple(way for way, had in there.items() if had)


def limits_given(can: Capabilities, *, links: bool) -> FileLimits:
    """What a file must be to be taken by this tier and to be given to it: where all that is left is to write it into
    the order, it has to be small enough for that."""

    def of(kind: MediaKind) -> KindLimits:
        limits = can.limits.of(kind)
        if not _written(can, kind, links=links):
            return limits
        return replace(limits, largest_bytes=min(limits.largest_bytes, LARGEST_DATA_URI))

    return FileLimits(image=of(MediaKind.IMAGE), video=of(MediaKind.VIDEO), audio=of(MediaKind.AUDIO))


def too_large_to_write(can: Capabilities, files: Iterable[KeptFile], *, links: bool) -> str:
    """Why an order cannot hold those of a job's files that have to be written into it, as a sentence; empty when it
    can. What is given by its own link has no size here."""
    written = [file for file in files if file.key is not None and _written(can, file.kind, links=links)]
    for file in written:
        if file.size > LARGEST_DATA_URI:
            most = f"at most {megabytes(LARGEST_DATA_URI)} of a file can be written into an order"
            return f"{file.name} has {megabytes(file.size)}; {most}, {_only_way('it', can)}"
    together = sum(file.size for file in written)
    if together <= LARGEST_TOGETHER:
        return ""
    most = f"at most {megabytes(LARGEST_TOGETHER)} can be written into one order"
    return f"The files have {megabytes(together)} together; {most}, {_only_way('them', can)}"


def _written(can: Capabilities, kind: MediaKind, *, links: bool) -> bool:
    """Whether a file of that kind has to be written into the order."""
    return ways(can, kind, links=links) == (Way.DATA_URI,)


def _only_way(what: str, can: Capabilities) -> str:
    return f"which is the only way to give {what} to {can.provider} by this installation."


def kinds_used(can: Capabilities) -> frozenset[MediaKind]:
    """The kinds of files that this tier can make something of."""
    used = {
        MediaKind.IMAGE: bool(can.reference_images or can.modes & {Mode.FIRST_FRAME, Mode.FIRST_LAST}),
        MediaKind.VIDEO: bool(can.reference_videos or can.modes & {Mode.EDIT, Mode.EXTEND}),
        MediaKind.AUDIO: bool(can.reference_audios),
    }
    return frozenset(kind for kind, is_so in used.items() if is_so)


def without_links(tiers: Iterable[Capabilities]) -> str:
    """What becomes of files where providers cannot fetch them from us, as a sentence for who runs Dailies; empty when
    each of these tiers can be given all that it uses all the same."""
    tiers = [can for can in tiers if kinds_used(can)]
    given = {(can.provider, can.tier): _given(can) for can in tiers}
    if all(given[can.provider, can.tier] == kinds_used(can) for can in tiers):
        return ""
    providers = list(dict.fromkeys(can.provider for can in tiers))
    able = [words for name in providers if (words := _reach(name, [can for can in tiers if can.provider == name]))]
    if not able:
        return f"PUBLIC_URL is not set: no file can be given to {_listed(providers, 'or')}, {_LINKS}"
    return f"PUBLIC_URL is not set: files can be given to {_listed(able, 'and')} only, {_LINKS}"


_LINKS = "beside links that the provider can fetch itself."


def _given(can: Capabilities) -> frozenset[MediaKind]:
    return frozenset(kind for kind in kinds_used(can) if ways(can, kind, links=False))


def _reach(name: str, tiers: list[Capabilities]) -> str:
    """A provider and what it can be given, as far as that is not everything; empty where that is nothing."""
    full = [can for can in tiers if _given(can) == kinds_used(can)]
    some = [can for can in tiers if _given(can)]
    if not some:
        return ""
    if len(full) == len(tiers):
        return name
    kinds = [kind for kind in MediaKind if any(kind in _given(can) for can in some)]
    where = "" if len(some) == len(tiers) else f", {_listed([can.tier for can in some], 'and')} alone"
    return f"{name} ({_listed([_PLURALS[kind] for kind in kinds], 'and')}{where})"


_PLURALS = {MediaKind.IMAGE: "pictures", MediaKind.VIDEO: "videos", MediaKind.AUDIO: "sounds"}


def _listed(words: list[str], last: str) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def data_uri(mime: str, content: bytes) -> str:
    """A file as an address that holds it (RFC 2397)."""
    return f"data:{mime};base64,{base64.b64encode(content).decode()}"
