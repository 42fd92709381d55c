"""Unique files from one encoded clip: a stamp behind the film makes each another file, and still an MP4."""

from __future__ import annotations

import json
import struct
import uuid
from pathlib import Path

_STAMP = uuid.UUID("0c7a5f6e-5d3b-4f53-9a0f-6b1c2d9e4a70")
"""Names our kind of ``uuid`` box; players skip boxes that they do not know (ISO/IEC 14496-12, 11.1)."""

_LARGE_HEADER = struct.Struct(">I4sQ")
"""Of a box with a 64-bit length (ISO/IEC 14496-12, 4.2)."""


def stamped(clip: bytes, *, task_id: str, prompt: str) -> bytes:
    """The clip with a box that carries the task's id and prompt."""
    payload = json.dumps({"task_id": task_id, "prompt": prompt}).encode()
    return clip + struct.pack(">I4s", 24 + len(payload), b"uuid") + _STAMP.bytes + payload


def pad(clip: Path, size: int) -> None:
    """Make a file longer by a ``free`` box with so many bytes in it, which players skip (ISO/IEC 14496-12, 8.1.2): a
    clip of any size at once. The bytes are a hole in the file and take no room on the disk."""
    with clip.open("ab") as file:
        file.write(_LARGE_HEADER.pack(1, b"free", _LARGE_HEADER.size + size))
        file.truncate(file.tell() + size)


def write_stamped(base: Path, path: Path, *, task_id: str, prompt: str) -> None:
    """Write `path` as the clip in `base`, stamped; `path` exists only once it is whole."""
    unfinished = path.with_suffix(".part")
    unfinished.write_bytes(stamped(base.read_bytes(), task_id=task_id, prompt=prompt))
    unfinished.replace(path)
