"""How one clip comes from another: promote (draft to final) and vary (change something)."""

from collections import Counter
from dataclasses import dataclass, replace
from enum import StrEnum

from bot.domain.recipe import MediaRole, Medium, Ratio, Recipe, Resolution

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
    """Files; those of a role take the place of the parent's files of that role, the others stay."""
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


def vary(parent: Recipe, changes: Changes) -> Recipe:
    """The parent's recipe with the changes made."""
    given = {
        name: value
        for name in ("resolution", "seconds", "ratio", "audio", "tier", "seed", "negative", "high_bitrate")
        if (value := getattr(changes, name)) is not None
    }
    if changes.automatic_seconds:
        given["seconds"] = None
    if changes.media:
        given["media"] = _with_files(parent.media, changes.media)
    if changes.direction:
        given["prompt"] = f"{parent.prompt}. {changes.direction}" if parent.prompt else changes.direction
    return replace(parent, **given)


def _with_files(old: tuple[Medium, ...], new: tuple[Medium, ...]) -> tuple[Medium, ...]:
    replaced = {medium.role for medium in new}
    return (*(medium for medium in old if medium.role not in replaced), *new)


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


def files_in_words(media: tuple[Medium, ...]) -> str:
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


def _word(name: str, value: object) -> str:
    if name == "seconds":
        return "auto" if value is None else f"{value} s"
    if isinstance(value, bool):
        return "on" if value else "off"
    return "none" if value is None else str(value)
