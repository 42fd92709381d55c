"""Sample files that a visitor attaches with one click: pictures, clips and a sound, made by the sandbox's own renderer
when they are asked for.

``GET /page/samples``          what there is: name, label and detail of each
``GET /page/sample/{name}``    its bytes
"""

from __future__ import annotations

import asyncio
import io
import tempfile
import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from aiohttp import web
from PIL import Image

from ..render.clip import ClipSpec, encode, scene_of
from ..render.sound import SAMPLE_RATE, melody

_ORIENTATION = 0x0112  # Exif
_ON_ITS_SIDE = 6  # to be turned by a quarter, as phones write pictures taken upright
_SECONDS = 4


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One file: its name, what a menu calls it and says of it, and how it is made."""

    name: str
    label: str
    detail: str
    mime: str
    make: Callable[[], bytes]


def _spec(title: str, ratio: str = "16:9", *, audio: bool = False) -> ClipSpec:
    return ClipSpec(task_id=title, prompt=title, resolution="480p", ratio=ratio, seconds=_SECONDS, audio=audio)


def _picture(title: str, ratio: str) -> bytes:
    made = io.BytesIO()
    scene_of(_spec(title, ratio)).photograph(0).save(made, "PNG")
    return made.getvalue()


def _phone_picture(title: str) -> bytes:
    """Upright to the eye and stored on its side, as most phones do."""
    made, exif = io.BytesIO(), Image.Exif()
    exif[_ORIENTATION] = _ON_ITS_SIDE
    lying = scene_of(_spec(title, "9:16")).photograph(0).transpose(Image.Transpose.ROTATE_90)
    lying.save(made, "JPEG", quality=90, exif=exif)
    return made.getvalue()


def _film(title: str) -> bytes:
    with tempfile.TemporaryDirectory(prefix="dailies-sample-") as folder:
        path = Path(folder) / "sample.mp4"
        encode(_spec(title, audio=True), path)
        return path.read_bytes()


def _sound(title: str) -> bytes:
    samples = (melody(title, _SECONDS)[0] * np.iinfo(np.int16).max).astype("<i2")
    made = io.BytesIO()
    with wave.open(made, "wb") as out:
        out.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        out.writeframes(samples.tobytes())
    return made.getvalue()


SAMPLES = (
    Sample(
        name="mug.png",
        label="A mug",
        detail="Picture, wide",
        mime="image/png",
        make=lambda: _picture("a white mug with a blue rim", "16:9"),
    ),
    Sample(
        name="mug-at-night.png",
        label="The mug at night",
        detail="Picture: with the mug, first and last frame",
        mime="image/png",
        make=lambda: _picture("the mug, at night", "16:9"),
    ),
    Sample(
        name="IMG_0001.jpg",
        label="From a phone",
        detail="Picture on its side: Dailies turns it",
        mime="image/jpeg",
        make=lambda: _phone_picture("a red panda, from a phone"),
    ),
    Sample(
        name="take.mp4",
        label="A take",
        detail=f"Clip of {_SECONDS} s, for --edit or --extend",
        mime="video/mp4",
        make=lambda: _film("a take of the harbour"),
    ),
    Sample(
        name="chimes.wav",
        label="Chimes",
        detail=f"Sound of {_SECONDS} s, beside a picture",
        mime="audio/wav",
        make=lambda: _sound("chimes"),
    ),
)


class Samples:
    """Serves them. Each is made once, in a thread, while the server goes on."""

    def __init__(self) -> None:
        self._made: dict[str, asyncio.Task[bytes]] = {}

    async def listing(self, _request: web.Request) -> web.Response:
        """``GET /page/samples``."""
        return web.json_response([{"name": one.name, "label": one.label, "detail": one.detail} for one in SAMPLES])

    async def serve(self, request: web.Request) -> web.Response:
        """``GET /page/sample/{name}``; 404 for any other name."""
        sample = next((one for one in SAMPLES if one.name == request.match_info["name"]), None)
        if sample is None:
            raise web.HTTPNotFound
        if sample.name not in self._made:
            self._made[sample.name] = asyncio.create_task(asyncio.to_thread(sample.make))
        content = await asyncio.shield(self._made[sample.name])
        return web.Response(body=content, content_type=sample.mime)
