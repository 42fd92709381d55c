"""Clips of a thread, given as files: ``--first #2``. What a person wrote becomes the clip that is meant."""

from collections.abc import Sequence
from dataclasses import replace

from bot.domain.job import Job
from bot.domain.lineage import Changes
from bot.domain.recipe import ClipPart, MediaKind, MediaRole, Medium, Place, clip_number
from bot.services.answers import ClipNotThere, NoClipsHere, NoSuchClip

_PARTS = {MediaRole.FIRST: ClipPart.FIRST, MediaRole.LAST: ClipPart.LAST}
"""What of a clip is given for each role; the whole of it for all others."""


def given_clips(changes: Changes, clips: Sequence[Job] | None) -> Changes:
    """The changes with every ``#n`` among their files looked up in the thread's clips; None where there is no thread.
    Raises NoClipsHere, NoSuchClip, ClipNotThere."""
    return replace(changes, media=tuple(_given(medium, clips) for medium in changes.media))


def clip_names(clips: Sequence[Job]) -> dict[str, str]:
    """What a person calls each clip and its frames, by the address under which it is given."""
    return {
        f"{Place.CLIP.value}:{clip.id}#{part.value}": f"{_SAID[part]}#{clip.number}"
        for clip in clips
        for part in ClipPart
    }


_SAID = {ClipPart.FIRST: "the first frame of ", ClipPart.LAST: "the last frame of ", ClipPart.WHOLE: ""}


def _given(medium: Medium, clips: Sequence[Job] | None) -> Medium:
    number = clip_number(medium)
    if number is None:
        return medium
    if clips is None:
        raise NoClipsHere(number)
    clip = next((one for one in clips if one.number == number), None)
    if clip is None:
        raise NoSuchClip(number, tuple(one.number for one in clips))
    if clip.clip_key is None:
        raise ClipNotThere(clip)
    part = _PARTS.get(medium.role, ClipPart.WHOLE)
    kind = MediaKind.VIDEO if part is ClipPart.WHOLE else MediaKind.IMAGE
    return replace(medium, kind=kind, url=f"{Place.CLIP.value}:{clip.id}#{part.value}")
