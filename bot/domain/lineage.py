"""How one clip comes from another: promote (draft to final) and vary (change something)."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from urllib.parse import urlsplit

from bot.domain.recipe import MediaKind, MediaRole, Medium, Place, Ratio, Recipe, Resolution, names_without_file

MOST_TAKES = 8
"""Clips that one ask can make."""


class Method(StrEnum):
    """How a final is made from its draft. A seed does not carry a composition to another resolution, so the card
    says which method was used."""

    SAME_RECIPE = "same_recipe"


@dataclass(frozen=True, kw_only=True)
class FinalPreset:
    """What a promotion renders: the draft's ratio and seconds at this resolution and tier."""

    resolution: Resolution = Resolution.P720
    tier: str = "mini"


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What is asked otherwise than in a parent's or a preset's recipe; None keeps the value that is there."""

    resolution: Resolution | None = None
    seconds: int | None = None
    automatic_seconds: bool = False
    ratio: Ratio | None = None
    audio: bool | None = None
    tier: str | None = None
    seed: int | None = None
    negative: str | None = None
    high_bitrate: bool | None = None
    media: tuple[Medium, ...] = ()
    """Files. Frames and videos take the place of what cannot stand beside them. References are added to what is there:
    what else the parent was made from becomes references too, since no provider takes both."""
    anew: bool = False
    """Whether the references among ``media`` are all that the clip is made from, instead of being added."""
    direction: str | None = None
    """Plain words ("same but at night"), added to the prompt as direction."""
    takes: int | None = None
    """How many clips to make of it; None is one."""

    @property
    def empty(self) -> bool:
        """True when nothing was asked."""
        return self == Changes()

    @property
    def frees_ratio(self) -> bool:
        """Whether the new first frame may lead the ratio, since nobody asked for one."""
        return self.ratio is None and any(medium.role is MediaRole.FIRST for medium in self.media)


def promote(draft: Recipe, preset: FinalPreset) -> Recipe:
    """The final's recipe: the draft's, at the preset's resolution and tier, with the draft's ratio and seconds."""
    return replace(draft, resolution=preset.resolution, tier=preset.tier)


def vary(parent: Recipe, changes: Changes, *, unframed: Ratio | None = None) -> Recipe:
    """The parent's recipe with the changes made. ``unframed`` is the ratio of a clip that loses the first frame whose
    shape it followed."""
    given = {
        name: value
        for name in ("resolution", "seconds", "ratio", "audio", "tier", "seed", "negative", "high_bitrate")
        if (value := getattr(changes, name)) is not None
    }
    if changes.automatic_seconds:
        given["seconds"] = None
    prompt = parent.prompt
    if changes.media:
        media = given["media"] = _with_files(parent.media, changes)
        prompt = given["prompt"] = _without_lost_names(parent.prompt, media)
        lost_frame = parent.given(MediaRole.FIRST) and not any(one.role is MediaRole.FIRST for one in media)
        if unframed and lost_frame and parent.ratio is Ratio.ADAPTIVE and changes.ratio is None:
            given["ratio"] = unframed
    if changes.direction:
        given["prompt"] = f"{prompt}. {changes.direction}" if prompt else changes.direction
    return replace(parent, **given)


_BESIDE = {
    MediaRole.FIRST: frozenset({MediaRole.LAST}),
    MediaRole.LAST: frozenset({MediaRole.FIRST, MediaRole.EXTEND}),
}
"""What of a parent may stand beside a new file of that role; nothing beside one of another role. No provider takes
references beside frames or beside a video to change or to go on from (``Capabilities.frames_with_references``,
``references_with_video``), and one alone ends at a last frame what it goes on from (``last_frame_with_extend``)."""


def _with_files(old: tuple[Medium, ...], changes: Changes) -> tuple[Medium, ...]:
    new = changes.media
    roles = {medium.role for medium in new}
    if roles != {MediaRole.REFERENCE}:
        return (*(one for one in old if all(one.role in _BESIDE.get(role, ()) for role in roles)), *new)
    if changes.anew:
        return new
    # The parent's references first: the prompt counts them already.
    references = [one for one in old if one.role is MediaRole.REFERENCE]
    others = {one.url: replace(one, role=MediaRole.REFERENCE) for one in old if one.role is not MediaRole.REFERENCE}
    return (*references, *others.values(), *new)


def _without_lost_names(prompt: str, media: tuple[Medium, ...]) -> str:
    """The prompt with the names of files that are gone as plain words, and without those in brackets, which the cast
    brought."""
    for name in names_without_file(prompt, media):
        prompt = re.sub(rf"\s*\({name}\)|@(?={name[1:]}\b)", "", prompt)
    return prompt


def differences(parent: Recipe, child: Recipe) -> tuple[tuple[str, str, str], ...]:
    """What changed, as (field, before, after) in words for a card; empty when nothing did."""
    fields = ("resolution", "seconds", "ratio", "audio", "tier", "seed", "negative", "high_bitrate", "prompt")
    changed = tuple(
        (name, _word(name, getattr(parent, name)), _word(name, getattr(child, name)))
        for name in fields
        if getattr(parent, name) != getattr(child, name)
    )
    if parent.media == child.media:
        return changed
    before, after = files_in_words(parent.media), files_in_words(child.media)
    return (*changed, ("files", before, f"{after} (others)" if after == before else after))


def files_in_words(media: Iterable[Medium]) -> str:
    """The files of a recipe for a person: what they are for and how many, never where they lie."""
    counts = Counter((medium.role, medium.kind) for medium in media)
    return (
        ", ".join(
            f"{count} {kind.value} reference{'s' if count > 1 else ''}" if role is MediaRole.REFERENCE else _FILES[role]
            for (role, kind), count in counts.items()
        )
        or "none"
    )


_FILES = {
    MediaRole.FIRST: "first frame",
    MediaRole.LAST: "last frame",
    MediaRole.EDIT: "a video to change",
    MediaRole.EXTEND: "a video to go on from",
}


def notes_on_files(parent: Recipe, child: Recipe) -> tuple[str, ...]:
    """What became of a parent's files beside new ones, for the card: which are for something else now, which go."""
    now = dict(zip((one.url for one in child.media), _labels(child.media), strict=True))
    roles = {one.role for one in child.media}
    changed = [one for one in parent.media if one.url in now and one.role not in roles]
    gone = [one for one in parent.media if one.url not in now and one.role not in roles]
    return (*_become_references(changed, now), *_left_out(gone, child))


def _become_references(media: list[Medium], now: Mapping[str, str]) -> list[str]:
    if not media:
        return []
    names = ", ".join(dict.fromkeys(now[one.url] for one in media))
    are, them = ("It is a reference", "it") if len(media) == 1 else ("They are references", "them")
    return [
        f"The clip was made from: {files_in_words(media)}. {are} now ({names}), since references do not go with {them}."
    ]


def _left_out(media: list[Medium], child: Recipe) -> list[str]:
    if not media:
        return []
    go = "It does" if len(media) == 1 else "They do"
    return [f"Left out: {files_in_words(media)}. {go} not go with: {files_in_words(child.media)}."]


def files_note(media: tuple[Medium, ...], names: Mapping[str, str]) -> str:
    """What each file is for and what it is called, for the card; ``names`` by address, as far as they may be told. Of a
    link no more than the host is told: the rest may be a secret. Empty without files."""
    return " · ".join(
        f"{label}: {_cut(names.get(one.url) or _source(one))}" for label, one in zip(_labels(media), media, strict=True)
    )


def _labels(media: Iterable[Medium]) -> list[str]:
    """What a person calls each of them: a reference by its name in the prompt."""
    counts: Counter[MediaKind] = Counter()
    labels = []
    for one in media:
        counts[one.kind] += one.role is MediaRole.REFERENCE
        name = f"@{one.kind.value.title()}{counts[one.kind]}"
        labels.append(name if one.role is MediaRole.REFERENCE else _FILES[one.role])
    return labels


def _source(medium: Medium) -> str:
    match medium.place:
        case Place.SLACK:
            return "a file in Slack"
        case Place.LINK:
            return f"a link to {urlsplit(medium.url).hostname}"
        case Place.CLIP:
            return "a clip of the thread"
        case _:
            return "as before"


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


_LONGEST_NAME = 60
"""Characters of a file's name on the card."""


def _word(name: str, value: object) -> str:
    if name == "seconds":
        return "auto" if value is None else f"{value} s"
    if isinstance(value, bool):
        return "on" if value else "off"
    return "none" if value is None else str(value)
