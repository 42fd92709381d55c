"""What the providers' source documents say of their requests, transcribed below ``tests/fixtures/<name>``.

``documented_fields.json`` has, for each model (at Muapi: endpoint) that is ordered, a JSON Schema of the body: every
field with its type and values. ``x-source`` stands where that is known from elsewhere than the source document.
``documented_*.json`` besides are its example bodies, unchanged.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from bot.domain.recipe import MediaKind, MediaRole, Medium, Ratio, Recipe, Resolution
from tests.support.modes import CALLBACK, MEDIA, fixture

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Example:
    """An example body, and the recipe that means it.

    ``ours`` is what a request for it says beside or otherwise than the example: where the end is to be told, the
    address of the picture, and fields that the example leaves out, always with what the document gives as their
    default or, where it gives none, with what is not to be had otherwise. ``path`` is where it is sent.
    """

    provider: str
    name: str
    path: str
    recipe: Recipe
    ours: Mapping[str, Any] = field(default_factory=dict)

    @property
    def body(self) -> Json:
        """The example itself."""
        return fixture(self.provider, f"documented_{self.name}")

    @property
    def request(self) -> Json:
        """The request that is to arrive."""
        return {"path": self.path, "body": _merged(self.body, self.ours)}


def _merged(body: Mapping[str, Any], ours: Mapping[str, Any]) -> Json:
    """The body with what is ours laid over it, inside objects too."""
    inner = {name: _merged(body[name], value) for name, value in ours.items() if isinstance(body.get(name), dict)}
    return {**body, **ours, **inner}


PICTURE = f"{MEDIA}/first.png"
_FIRST = (Medium(role=MediaRole.FIRST, kind=MediaKind.IMAGE, url=PICTURE),)
_CALLED_BACK = {"url": CALLBACK, "when": "final"}
_MUAPI = f"/api/v1/seedance-2-mini-{{}}?webhook={CALLBACK}"

EXAMPLES = (
    Example(
        provider="apimart",
        name="text",
        path="/v1/videos/generations",  # a placeholder in the guide, which calls itself "OpenAI-compatible"
        recipe=Recipe(
            prompt="A barista pours latte art in a sunlit café, slow dolly push in, warm tones, cinematic",
            seconds=5,
            seed=12345,
        ),
        # The guide on shots that follow one another: "set return_last_frame: true on each request".
        ours={"return_last_frame": True, "callback_url": CALLBACK},
    ),
    Example(
        provider="muapi",
        name="text_to_video",
        path=_MUAPI.format("text-to-video"),
        recipe=Recipe(
            prompt="A ceramic coffee mug on a marble countertop, steam rising slowly, soft morning light from left "
            "window, photorealistic, cinematic",
            resolution=Resolution.P720,
            seconds=5,
        ),
        ours={"high_bitrate": False},
    ),
    Example(
        provider="muapi",
        name="image_to_video",
        path=_MUAPI.format("image-to-video"),
        recipe=Recipe(
            prompt="The product rotates slowly, soft studio lighting, clean white background",
            resolution=Resolution.P720,
            seconds=4,
            ratio=Ratio.SQUARE,
            media=_FIRST,
        ),
        ours={"image_url": PICTURE, "generate_audio": True, "high_bitrate": False},
    ),
    Example(
        provider="muapi",
        name="batch",
        path=_MUAPI.format("text-to-video"),
        recipe=Recipe(prompt="Scene A...", seconds=5, ratio=Ratio.TALL),
        ours={"generate_audio": True, "high_bitrate": False},
    ),
    Example(
        provider="seedanceapi",
        name="text",
        path="/v2/generate",
        recipe=Recipe(
            prompt="A compact product reveal with smooth camera motion",
            resolution=Resolution.P720,
            seconds=8,
            ratio=Ratio.SQUARE,
        ),
        ours={"callback_url": CALLBACK},
    ),
    Example(
        provider="empiriolabs",
        name="text",
        path="/v1/videos/generations",
        recipe=Recipe(prompt="sunrise over the ocean", resolution=Resolution.P720, seconds=6, ratio=Ratio.ADAPTIVE),
        ours={  # its defaults, and the mode that `auto` would detect
            "mode": "t2v",
            "resolution": "720p",
            "aspect_ratio": "adaptive",
            "custom_duration": True,
            "generate_audio": True,
        },
    ),
    Example(
        provider="hiapi",
        name="text",
        path="/v1/tasks",
        recipe=Recipe(
            prompt="Neon-lit cyberpunk street on a rainy night, slow camera push-in, vivid reflections on wet "
            "pavement, cinematic",
            resolution=Resolution.P720,
            seconds=5,
        ),
        ours={"callback": _CALLED_BACK},
    ),
    Example(
        provider="hiapi",
        name="first_frame",
        path="/v1/tasks",
        recipe=Recipe(
            prompt="Camera slowly pulls back, clouds drifting between mountain peaks, golden morning light",
            resolution=Resolution.P720,
            seconds=5,
            audio=False,
            media=_FIRST,
        ),
        ours={"callback": _CALLED_BACK, "input": {"first_frame_url": PICTURE, "aspect_ratio": "16:9"}},
    ),
)
"""Every example body of the source documents."""


def schema_of(provider: str, path: str, body: Mapping[str, Any]) -> Json:
    """What the documents say of a request of this kind."""
    kinds = _fields(provider)
    endpoint = path.partition("?")[0].rpartition("/")[2]
    found: Json = kinds[endpoint] if endpoint in kinds else kinds[body["model"]]
    return found


@cache
def _fields(provider: str) -> Json:
    return fixture(provider, "documented_fields")


def misfits(schema: Mapping[str, Any], body: Mapping[str, Any]) -> list[str]:
    """What of a body the documents do not have, or have otherwise."""
    return [f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(body)]


def sources(schema: Mapping[str, Any], body: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, str]]:
    """The fields of a body that are known from elsewhere than the source document, and from where."""
    for name, value in body.items():
        about = schema["properties"][name]
        if "x-source" in about:
            yield place + name, about["x-source"]
        elif isinstance(value, dict):
            yield from sources(about, value, f"{place}{name}.")
