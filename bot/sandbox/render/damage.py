"""Files that are no good: what providers have been seen to serve in the place of a clip."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

WAYS = ("truncated", "no_moov", "png", "html", "empty")


def damage(path: Path, how: str) -> None:
    """Spoil an MP4 in place, in one of the `WAYS`. Raises `ValueError` for another."""
    path.write_bytes(_spoilt(path.read_bytes(), how))


def _spoilt(clip: bytes, how: str) -> bytes:
    match how:
        case "truncated":
            return clip[: len(clip) * 2 // 3]
        case "no_moov":
            return b"".join(box for kind, box in boxes(clip) if kind != b"moov")
        case "png":
            picture = io.BytesIO()
            Image.new("RGB", (64, 64), "red").save(picture, format="PNG")
            return picture.getvalue()
        case "html":
            return b"<!DOCTYPE html><html><body><h1>Service unavailable</h1></body></html>"
        case "empty":
            return b""
        case _:
            raise ValueError(f"no way to damage a clip: {how!r}; there are {', '.join(WAYS)}")


def boxes(clip: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The outermost boxes of an MP4: kind (four bytes) and the box with its header (ISO/IEC 14496-12)."""
    at = 0
    while at + 8 <= len(clip):
        size, kind = struct.unpack_from(">I4s", clip, at)
        if size == 1:
            (size,) = struct.unpack_from(">Q", clip, at + 8)
        elif size == 0:
            size = len(clip) - at
        yield kind, clip[at : at + size]
        at += size
