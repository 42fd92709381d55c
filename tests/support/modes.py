"""Every way of asking that a tier declares: the recipe that uses all that the tier has in it, the words that a person
types for it, and the request that is to arrive for it (``tests/fixtures/<name>/sent_<tier>_<way>.json``)."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from bot.domain.capabilities import Capabilities
from bot.domain.recipe import MINI, MediaKind, MediaRole, Medium, Mode, Ratio, Recipe, Resolution

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
PROMPT = "A barista pours latte art in a sunlit café"
MEDIA, CALLBACK = "https://media.example", "https://bot.example/callbacks/secret"
"""What stands in the fixtures for the server of the media, and for where the end is to be told."""

_CALLED = re.compile(r"http://127\.0\.0\.1:[0-9]+/callbacks/[A-Za-z0-9_/-]+")


def ways(can: Capabilities, media: str) -> dict[str, Recipe]:
    """A recipe for each way of asking, by its name: the modes, and what a mode is besides: an automatic length, a loop,
    videos as references where they do not go with pictures, a last frame for a video that is gone on from."""
    found = {mode.name.lower(): _recipe(mode, can, media) for mode in Mode if mode in can.modes}
    return found | dict(_variations(found, can, media))


def _recipe(mode: Mode, can: Capabilities, media: str) -> Recipe:
    """All that the tier has in this mode: every wish that it knows, and files of every kind that it takes."""
    framed = mode in {Mode.FIRST_FRAME, Mode.FIRST_LAST}
    adaptive = Ratio.ADAPTIVE in can.ratios and (framed or not can.adaptive_needs_picture)
    auto = can.automatic_seconds and mode is (Mode.EXTEND if Mode.EXTEND in can.modes else Mode.EDIT)
    return Recipe(
        prompt=PROMPT,
        resolution=min(can.resolutions, key=list(Resolution).index),
        seconds=None if auto else min(can.only_seconds or {can.shortest_seconds}),
        ratio=Ratio.ADAPTIVE if adaptive and framed else Ratio.TALL,
        audio=mode is not Mode.FIRST_FRAME or not can.audio_toggle,
        tier=can.tier,
        seed=12345 if can.seed else None,
        negative="blur, text" if can.negative else None,
        high_bitrate=can.high_bitrate,
        media=_files(mode, can, media),
    )


def _files(mode: Mode, can: Capabilities, media: str) -> tuple[Medium, ...]:
    first = _picture(MediaRole.FIRST, f"{media}/first.png")
    film = f"{media}/film.mp4"
    return {
        Mode.TEXT: (),
        Mode.FIRST_FRAME: (first,),
        Mode.FIRST_LAST: (first, _picture(MediaRole.LAST, f"{media}/last.png")),
        Mode.REFERENCES: _references(can, media),
        Mode.EDIT: (Medium(role=MediaRole.EDIT, kind=MediaKind.VIDEO, url=film),),
        Mode.EXTEND: (Medium(role=MediaRole.EXTEND, kind=MediaKind.VIDEO, url=film),),
    }[mode]


def _references(can: Capabilities, media: str, *, pictures: bool = True) -> tuple[Medium, ...]:
    """Pictures or videos, and both where they go together; a sound."""
    with_videos = can.images_with_videos or not (pictures and can.reference_images)
    wanted = (
        (MediaKind.IMAGE, ".png", min(2, can.reference_images) if pictures else 0),
        (MediaKind.VIDEO, ".mp4", min(1, can.reference_videos) if with_videos else 0),
        (MediaKind.AUDIO, ".wav", min(1, can.reference_audios)),
    )
    return tuple(
        Medium(role=MediaRole.REFERENCE, kind=kind, url=f"{media}/{kind.value}{number}{suffix}")
        for kind, suffix, count in wanted
        for number in range(1, count + 1)
    )


def _variations(found: Mapping[str, Recipe], can: Capabilities, media: str) -> Iterator[tuple[str, Recipe]]:
    if can.automatic_seconds:
        yield "automatic", replace(found["text"], seconds=None)
    if frames := found.get("first_last"):
        first = frames.media[0]
        yield "loop", replace(frames, media=(first, replace(first, role=MediaRole.LAST)))
    if can.reference_videos and can.reference_images and not can.images_with_videos:
        yield "videos", replace(found["references"], media=_references(can, media, pictures=False))
    if can.last_frame_with_extend:
        (film,) = found["extend"].media
        yield "extend_last", replace(found["extend"], media=(_picture(MediaRole.LAST, f"{media}/last.png"), film))


def _picture(role: MediaRole, url: str) -> Medium:
    return Medium(role=role, kind=MediaKind.IMAGE, url=url)


def typed(recipe: Recipe, provider: str, prompt: str) -> str:
    """The command that asks for this recipe in other words, as a person would type it. Only what is the same in every
    preset is left unsaid, and the ratio where a first frame leads it."""
    options = [f"--provider {provider}", f"--res {recipe.resolution}"]
    options += [f"--tier {recipe.tier}"] if recipe.tier != MINI else []
    options += [f"--dur {'auto' if recipe.seconds is None else recipe.seconds}"]
    led = recipe.ratio is Ratio.ADAPTIVE and bool(recipe.given(MediaRole.FIRST))
    options += [] if led else [f"--ratio {recipe.ratio}"]
    options += [] if recipe.audio else ["--no-audio"]
    options += [f"--seed {recipe.seed}"] if recipe.seed is not None else []
    options += [f"--no {recipe.negative}"] if recipe.negative is not None else []
    options += ["--hq"] if recipe.high_bitrate else []
    return " ".join(("/clip", prompt, *options, *_typed_files(recipe)))


def _typed_files(recipe: Recipe) -> Iterator[str]:
    loop = recipe.given(MediaRole.FIRST) == recipe.given(MediaRole.LAST) != ()
    for medium in recipe.media:
        if medium.role is MediaRole.LAST and loop:
            yield "--loop"
        else:
            yield f"--{'ref' if medium.role is MediaRole.REFERENCE else medium.role} {medium.url}"


def as_sent(task: Mapping[str, Any], provider: str, media: str) -> dict[str, Any]:
    """A request as an emulator recorded it: its ``path`` below the provider's base address and its ``body``, with the
    addresses of this run made those of the fixtures."""
    path = unquote(task["path"]).removeprefix(f"/{provider}")
    body = task["body"].replace(media, MEDIA)
    return {"path": _CALLED.sub(CALLBACK, path), "body": json.loads(_CALLED.sub(CALLBACK, body))}


def sent(provider: str, tier: str, way: str) -> dict[str, Any]:
    """The request that is to arrive."""
    return fixture(provider, f"sent_{tier}_{way}")


def fixture(provider: str, name: str) -> dict[str, Any]:
    """A fixture of that provider's."""
    found: dict[str, Any] = json.loads((FIXTURES / provider / f"{name}.json").read_bytes())
    return found
