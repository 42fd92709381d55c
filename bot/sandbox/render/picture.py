"""The pictures of a clip: drawn once where nothing moves, patched frame by frame where something does.

A whole frame in RGB would have to be drawn and converted anew for each of the 24 in a second. Here what
stands still becomes one YUV picture, and a frame is a copy of it in which a few small regions change.
"""

from __future__ import annotations

import colorsys
import hashlib
import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import Colorspace
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

_FONT = Path(__file__).with_name("DejaVuSans.ttf")
_GREY = (32, 32, 32)  # without colour, so that a patch of brightness alone is enough on it
_BLACK, _WHITE = 16, 235  # the ends of the brightness scale of television
_MOST_LINES = 6

Planes = NDArray[np.uint8]


@lru_cache(maxsize=16)
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(_FONT, size)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Ball:
    """The moving shape in YUV, with its opacity (0…1) at full and at half size; `size` is even."""

    size: int
    colour: tuple[int, int, int]
    opacity: NDArray[np.float32]
    half_opacity: NDArray[np.float32]

    @classmethod
    def drawn(cls, size: int, colour: tuple[int, int, int]) -> _Ball:
        mask = Image.new("L", (size * 4, size * 4))
        ImageDraw.Draw(mask).ellipse((0, 0, size * 4 - 1, size * 4 - 1), fill=255)
        return cls(
            size=size,
            colour=colour,
            opacity=_opacity(mask, size),
            half_opacity=_opacity(mask, size // 2),
        )


class Scene:
    """The frames of one clip.

    `title` is wrapped in the middle, `label` stands large above it, `caption` small at the foot; the colours
    follow `seed`, so that two takes of one prompt cannot be mistaken for one another.
    """

    def __init__(
        self,
        *,
        width: int,
        height: int,
        frames: int,
        title: str,
        caption: str,
        label: str,
        seed: str,
        background: Path | None,
    ) -> None:
        self._width, self._height, self._frames = width, height, frames
        self._unit = min(width, height)
        self._hue = hashlib.sha256(seed.encode()).digest()[0] / 256
        still = self._backdrop(background)
        self._write(still, title, caption, label)
        self._counter_at, self._counter_size = self._place_counter(still)
        self._still = _to_yuv(still)
        ball = Image.new("RGB", (2, 2), _rgb(self._hue + 0.45, 0.9, 1.0))
        y, u, v = (int(value) for value in _to_yuv(ball).reshape(-1)[[0, 4, 5]])
        self._ball = _Ball.drawn(max(16, self._unit // 6 // 2 * 2), (y, u, v))

    def frame(self, number: int) -> Planes:
        """Frame `number` (from 0) as the planes Y, U and V of yuv420p, one below the other."""
        planes = self._still.copy()
        luma, *chroma = self._split(planes)
        self._roll_ball(luma, chroma, number)
        self._count(luma, number)
        bar = max(4, self._unit // 60)
        done = round(self._width * (number + 1) / self._frames)
        luma[-bar:, :done] = _WHITE
        luma[-bar:, done:] = _BLACK
        return planes

    def photograph(self, number: int) -> Image.Image:
        """The same frame as an RGB picture."""
        frame = av.VideoFrame.from_ndarray(self.frame(number), format="yuv420p")
        pixels = frame.reformat(format="rgb24", src_colorspace=Colorspace.ITU709).to_ndarray()
        return Image.fromarray(pixels)

    def _split(self, planes: Planes) -> tuple[Planes, Planes, Planes]:
        """Views of Y, U and V in `planes`."""
        area = self._width * self._height
        flat = planes.reshape(-1)
        half = (self._height // 2, self._width // 2)
        return (
            flat[:area].reshape(self._height, self._width),
            flat[area : area + area // 4].reshape(half),
            flat[area + area // 4 :].reshape(half),
        )

    def _roll_ball(self, luma: Planes, chroma: list[Planes], number: int) -> None:
        """A closed path, once round in the length of the clip and never twice at the same place."""
        ball, turn = self._ball, 2 * math.pi * number / self._frames
        left = round((0.5 + 0.48 * math.sin(turn)) * (self._width - ball.size)) // 2 * 2
        top = round((0.5 + 0.40 * math.cos(2 * turn + 0.7)) * (self._height - ball.size)) // 2 * 2
        _blend(luma, top, left, ball.opacity, ball.colour[0])
        for plane, value in zip(chroma, ball.colour[1:], strict=True):
            _blend(plane, top // 2, left // 2, ball.half_opacity, value)

    def _count(self, luma: Planes, number: int) -> None:
        (left, top), (width, height) = self._counter_at, self._counter_size
        patch = Image.new("L", (width, height), _BLACK + 24)
        text = f"frame {number + 1}/{self._frames}"
        ImageDraw.Draw(patch).text(
            (width // 2, height // 2), text, font=_font(height * 3 // 5), fill=_WHITE, anchor="mm"
        )
        luma[top : top + height, left : left + width] = np.asarray(patch)

    def _backdrop(self, background: Path | None) -> Image.Image:
        size = (self._width, self._height)
        if background is not None:
            with Image.open(background) as picture:
                return ImageOps.fit(ImageOps.exif_transpose(picture).convert("RGB"), size)
        shades = np.linspace(0, 1, self._height, dtype=np.float32)[:, None, None]
        top = np.array(_rgb(self._hue, 0.75, 0.55), dtype=np.float32)
        foot = np.array(_rgb(self._hue + 0.12, 0.85, 0.22), dtype=np.float32)
        column = (top * (1 - shades) + foot * shades).astype(np.uint8)
        return Image.fromarray(np.ascontiguousarray(np.broadcast_to(column, (self._height, self._width, 3))))

    def _write(self, still: Image.Image, title: str, caption: str, label: str) -> None:
        draw = ImageDraw.Draw(still)
        middle, edge = self._width // 2, max(2, self._unit // 240)
        if label:
            draw.text(
                (middle, self._height * 18 // 100),
                label,
                font=_font(self._unit // 8),
                fill="white",
                anchor="mm",
                stroke_width=edge * 2,
                stroke_fill="black",
            )
        font = _font(self._unit // 15)
        lines = _wrap(title, font, self._width * 88 // 100)
        draw.multiline_text(
            (middle, self._height // 2),
            "\n".join(lines),
            font=font,
            fill="white",
            anchor="mm",
            align="center",
            stroke_width=edge,
            stroke_fill="black",
        )
        font = _font(max(11, self._unit // 34))
        foot = self._height - self._unit // 12
        for line in reversed(_wrap(caption, font, self._width * 94 // 100)):
            draw.text(
                (middle, foot),
                line,
                font=font,
                fill="white",
                anchor="mm",
                stroke_width=1,
                stroke_fill="black",
            )
            foot -= self._unit // 24

    def _place_counter(self, still: Image.Image) -> tuple[tuple[int, int], tuple[int, int]]:
        """A grey box for the frame counter, on even pixels: its corner and its size."""
        width, height = self._unit * 2 // 5 // 2 * 2, self._unit // 12 // 2 * 2
        left, top = self._unit // 30 // 2 * 2, self._unit // 30 // 2 * 2
        ImageDraw.Draw(still).rectangle((left - 2, top - 2, left + width + 1, top + height + 1), fill=_GREY)
        return (left, top), (width, height)


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height of a picture file as it is to be seen."""
    with Image.open(path) as picture:
        return ImageOps.exif_transpose(picture).size


def _opacity(mask: Image.Image, size: int) -> NDArray[np.float32]:
    return (np.asarray(mask.resize((size, size))) / 255).astype(np.float32)


def _rgb(hue: float, saturation: float, value: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def _to_yuv(picture: Image.Image) -> Planes:
    frame = av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")
    planes = frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709).to_ndarray()
    return planes.astype(np.uint8, copy=False)


def _blend(plane: Planes, top: int, left: int, opacity: NDArray[np.float32], value: int) -> None:
    height, width = opacity.shape
    region = plane[top : top + height, left : left + width]
    region[:] = region * (1 - opacity) + value * opacity


def _wrap(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Lines no wider than `width` pixels, at most `_MOST_LINES` of them; the rest becomes an ellipsis."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width:
            lines[-1] = longer
            continue
        piece = word
        while font.getlength(piece) > width:
            piece = piece[:-1]
        lines.append(piece if piece == word else f"{piece[:-1]}…")
    lines = [line for line in lines if line]
    if len(lines) > _MOST_LINES:
        lines = [*lines[: _MOST_LINES - 1], f"{lines[_MOST_LINES - 1][:-1]}…"]
    return lines
