"""What a provider's tier can do, as data, and whether a recipe fits it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from bot.domain.recipe import (
    FILE_OPTIONS,
    LONGEST_SECONDS,
    SHORTEST_SECONDS,
    MediaKind,
    MediaRole,
    Mode,
    Ratio,
    Recipe,
    Resolution,
    names_of,
)
from bot.domain.reference import SEEDANCE_LIMITS, FileLimits


@dataclass(frozen=True, kw_only=True)
class Idempotency:
    """How long a provider remembers the key of a POST. Only a verified one lets an unknown POST be repeated."""

    window: timedelta
    verified: bool


class Callback(StrEnum):
    """Whether a provider tells us when a task has ended, and whether it can prove that it is it who tells."""

    SIGNED = "signed"
    UNSIGNED = "unsigned"


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """One provider's tier. The source of each figure is named where the provider declares it."""

    provider: str
    tier: str
    model: str
    resolutions: frozenset[Resolution]
    ratios: frozenset[Ratio]
    modes: frozenset[Mode] = frozenset({Mode.TEXT})
    shortest_seconds: int = SHORTEST_SECONDS
    longest_seconds: int = LONGEST_SECONDS
    only_seconds: frozenset[int] | None = None
    """The lengths there are, where not every one between the shortest and the longest is."""
    automatic_seconds: bool = False
    adaptive_needs_picture: bool = False
    """True where ``adaptive`` is had with a first frame only."""
    fixed_ratio_with_picture: bool = False
    """True where the ratio cannot be chosen with a first frame: the picture's own is taken."""
    audio_toggle: bool = True
    seed: bool = False
    negative: bool = False
    high_bitrate: bool = False
    reference_images: int = 0
    reference_videos: int = 0
    reference_audios: int = 0
    """How many of each kind may be given as references, at most."""
    frames_with_references: bool = False
    """Whether first and last frames may be given beside references."""
    images_with_videos: bool = True
    """Whether reference pictures and reference videos may be given together."""
    references_with_video: bool = False
    """Whether references may be given beside a video to change or to go on from."""
    last_frame_with_extend: bool = False
    """Whether a last frame may be given to a video that is gone on from."""
    audio_needs_picture: bool = False
    """True where a reference sound must come with a reference picture or video."""
    returns_last_frame: bool = False
    shortest_prompt: int = 0
    """Characters."""
    longest_prompt: int | None = None
    """Characters; None when the provider names no limit."""
    longest_prompt_tokens: int | None = None
    """Tokens, where the provider counts those (``tokens_of``)."""
    idempotency: Idempotency | None = None
    callback: Callback | None = None
    cancel: bool = False
    lists_tasks: bool = False
    balance: bool = False
    requests_per_minute: int | None = None
    """How many requests of every kind the account may send in a minute; None where the provider names no limit."""
    uploads: frozenset[MediaKind] = frozenset()
    """Kinds of files that the provider takes by upload."""
    limits: FileLimits = SEEDANCE_LIMITS
    """What files must be for this tier to take them."""
    data_uris: frozenset[MediaKind] = frozenset()
    """Kinds of files that may stand in the order itself, as data URIs."""
    output_lifetime: timedelta = timedelta(hours=24)
    """How long a finished clip's link lives when the answer does not say."""

    @property
    def takes_video(self) -> bool:
        """Whether a video can be given, for which some ask another price."""
        return bool(self.reference_videos or self.modes & {Mode.EDIT, Mode.EXTEND})


@dataclass(frozen=True, kw_only=True)
class Misfit:
    """One thing that was asked and is not to be had, and what is allowed instead."""

    option: str
    asked: str
    allowed: str


def fit(recipe: Recipe, can: Capabilities) -> tuple[Misfit, ...]:
    """What of the recipe this tier cannot do; empty when it can do all. Nothing asked is ever dropped silently."""
    return (*_output_misfits(recipe, can), *_wish_misfits(recipe, can), *_media_misfits(recipe, can))


def tokens_of(prompt: str) -> int:
    """About how many tokens a prompt is, rather too many than too few: one for three letters of a Latin word, one
    for every character of other scripts. Providers do not publish their counting."""
    latin = sum(1 for character in prompt if character.isascii())
    return -(-latin // 3) + (len(prompt) - latin)


def _misfit(option: str, asked: object, allowed: str) -> Misfit:
    return Misfit(option=option, asked=str(asked), allowed=allowed)


def _output_misfits(recipe: Recipe, can: Capabilities) -> Iterator[Misfit]:
    """Tier, resolution, ratio and length."""
    if recipe.tier != can.tier:
        yield _misfit("--tier", recipe.tier, can.tier)
    if recipe.resolution not in can.resolutions:
        yield _misfit("--res", recipe.resolution, _listed(can.resolutions))
    framed = bool(recipe.given(MediaRole.FIRST))
    if recipe.ratio not in can.ratios:
        yield _misfit("--ratio", recipe.ratio, _listed(can.ratios))
    elif recipe.ratio is Ratio.ADAPTIVE and can.adaptive_needs_picture and not framed:
        yield _misfit("--ratio", recipe.ratio, f"{_listed(can.ratios - {Ratio.ADAPTIVE})} without a first frame")
    if framed and can.fixed_ratio_with_picture and recipe.ratio is not Ratio.ADAPTIVE:
        yield _misfit("--ratio", recipe.ratio, "the first frame's own shape (adaptive)")
    if not _length_fits(recipe.seconds, can):
        yield _misfit("--dur", "auto" if recipe.seconds is None else recipe.seconds, _lengths(can))


def _wish_misfits(recipe: Recipe, can: Capabilities) -> Iterator[Misfit]:
    """Sound, seed, negative prompt, bitrate, and the prompt."""
    if not recipe.audio and not can.audio_toggle:
        yield _misfit("--no-audio", "off", "sound always on")
    if recipe.seed is not None and not can.seed:
        yield _misfit("--seed", recipe.seed, "no seeds")
    if recipe.negative is not None and not can.negative:
        yield _misfit("--no", recipe.negative, "no negative prompts; say what you do want to see instead")
    if recipe.high_bitrate and not can.high_bitrate:
        yield _misfit("--hq", "on", "the standard bitrate")
    yield from _prompt_misfits(recipe, can)


def _prompt_misfits(recipe: Recipe, can: Capabilities) -> Iterator[Misfit]:
    """The prompt's length, and the files that it names."""
    length, tokens = len(recipe.prompt), tokens_of(recipe.prompt)
    if length < can.shortest_prompt:
        yield _misfit("the prompt", f"{length:,} characters", f"at least {can.shortest_prompt:,} characters")
    if can.longest_prompt is not None and length > can.longest_prompt:
        yield _misfit("the prompt", f"{length:,} characters", f"at most {can.longest_prompt:,} characters")
    if can.longest_prompt_tokens is not None and tokens > can.longest_prompt_tokens:
        yield _misfit("the prompt", f"about {tokens:,} tokens", f"at most {can.longest_prompt_tokens:,} tokens")
    if recipe.unmet_names:
        there = ", ".join(names_of(recipe.media)) or "no file to name (give one with --ref)"
        yield _misfit("the prompt", ", ".join(recipe.unmet_names), there)


def _media_misfits(recipe: Recipe, can: Capabilities) -> Iterator[Misfit]:
    """The files: what they are for, how many, and what does not go together."""
    roles = {medium.role for medium in recipe.media}
    wanted = [mode for role, mode in _ROLE_MODES.items() if role in roles] or [Mode.TEXT]
    if {MediaRole.FIRST, MediaRole.LAST} <= roles:
        wanted.remove(Mode.FIRST_FRAME)
    elif {MediaRole.EXTEND, MediaRole.LAST} <= roles and can.last_frame_with_extend:
        wanted.remove(Mode.FIRST_LAST)
    missing = [mode for mode in wanted if mode not in can.modes]
    for mode in missing:
        yield _misfit(_option_of(mode), mode.value, ", ".join(one.value for one in Mode if one in can.modes))
    if not missing:
        yield from _company_misfits(roles, can)
        yield from _reference_misfits(recipe, can)
    for role in (MediaRole.FIRST, MediaRole.LAST, MediaRole.EDIT, MediaRole.EXTEND):
        if (count := len(recipe.given(role))) > 1:
            yield _misfit(FILE_OPTIONS[role].typed, f"{count} files", "one file")


def _company_misfits(roles: set[MediaRole], can: Capabilities) -> Iterator[Misfit]:
    """Files whose roles do not go together, and a last frame by itself."""
    frames, videos = roles & {MediaRole.FIRST, MediaRole.LAST}, roles & {MediaRole.EDIT, MediaRole.EXTEND}
    if len(videos) > 1:
        yield _misfit("--extend", "with --edit", "one of the two")
    to_a_frame = can.last_frame_with_extend and (frames, videos) == ({MediaRole.LAST}, {MediaRole.EXTEND})
    if videos and frames and not to_a_frame:
        yield _misfit("--first" if MediaRole.FIRST in frames else "--last", "with a video", "the video alone")
    elif MediaRole.LAST in frames and not videos and MediaRole.FIRST not in frames:
        yield _misfit("--last", "a last frame alone", "a last frame beside a first one (--first)")
    if MediaRole.REFERENCE not in roles:
        return
    if frames and not can.frames_with_references:
        yield _misfit("--ref", "with a first or last frame", "either frames or references")
    if videos and not can.references_with_video:
        yield _misfit("--ref", "with --edit or --extend", "the video alone")


def _reference_misfits(recipe: Recipe, can: Capabilities) -> Iterator[Misfit]:
    """The references: how many of each kind, and which kinds together."""
    most = {
        MediaKind.IMAGE: can.reference_images,
        MediaKind.VIDEO: can.reference_videos,
        MediaKind.AUDIO: can.reference_audios,
    }
    counts = {kind: len(recipe.given(MediaRole.REFERENCE, kind)) for kind in MediaKind}
    for kind, count in counts.items():
        if count > most[kind]:
            allowed = f"at most {most[kind]}" if most[kind] else f"no {kind.value} references"
            yield _misfit("--ref", f"{count} {kind.value} references", allowed)
    if counts[MediaKind.IMAGE] and counts[MediaKind.VIDEO] and not can.images_with_videos:
        yield _misfit("--ref", "pictures with videos", "either pictures or videos")
    if can.audio_needs_picture and counts[MediaKind.AUDIO] and sum(counts.values()) == counts[MediaKind.AUDIO]:
        yield _misfit("--ref", "a sound alone", "a sound beside a picture or a video")


def _length_fits(seconds: int | None, can: Capabilities) -> bool:
    if seconds is None:
        return can.automatic_seconds
    if can.only_seconds is not None:
        return seconds in can.only_seconds
    return can.shortest_seconds <= seconds <= can.longest_seconds


def _lengths(can: Capabilities) -> str:
    if can.only_seconds is not None:
        return f"{', '.join(str(one) for one in sorted(can.only_seconds))} seconds"
    return f"{can.shortest_seconds}–{can.longest_seconds} seconds"


_ROLE_MODES = {
    MediaRole.FIRST: Mode.FIRST_FRAME,
    MediaRole.LAST: Mode.FIRST_LAST,
    MediaRole.REFERENCE: Mode.REFERENCES,
    MediaRole.EDIT: Mode.EDIT,
    MediaRole.EXTEND: Mode.EXTEND,
}
"""What each role asks a tier for."""


def _option_of(mode: Mode) -> str:
    """How a person asks for it."""
    roles = (role for role, asked in _ROLE_MODES.items() if asked is mode)
    return next((FILE_OPTIONS[role].typed for role in roles), "the prompt alone")


def _listed(values: frozenset[Resolution] | frozenset[Ratio]) -> str:
    order = [member.value for kind in (Resolution, Ratio) for member in kind]
    return ", ".join(sorted((value.value for value in values), key=order.index))
