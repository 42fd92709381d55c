"""What stands in and behind a picture that is none of it: bytes after its end, and what a camera wrote down beside it.

A file can be a picture and an archive or a web page at once, one behind the other: viewers of pictures stop at the end
of theirs. JPEG by ITU-T T.81 (annex B), PNG by its specification (section 5), WebP by RFC 9649 (section 2.3).
"""

import mmap
import re
from collections.abc import Iterator
from pathlib import Path

from bot.domain.forms import Form

_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)
"""In the midst of compressed pixels: anything but a stuffed zero, padding, or a place to start again."""
_CONTENT = re.compile(rb"[^\x00]", re.DOTALL)
_END, _SCAN = 0xD9, 0xDA
_BARE = frozenset({0x01, *range(0xD0, _SCAN)})
"""Markers without a length: they stand for themselves."""
_NOTES = frozenset({*range(0xE1, 0xEE), 0xEF, 0xFE})
"""APP1 (Exif, XMP) to APP13, APP15 and comments. APP0 says how the pixels lie, APP14 what their colours are."""
_PROFILE = b"ICC_PROFILE\0"  # its APP2 says what the colours look like


def has_tail(file: Path, form: Form) -> bool:
    """Whether anything but zeros stands behind a picture's end. False for forms that do not say where they end, and
    for a picture that breaks off before."""
    find = _ENDS.get(form)
    if find is None:
        return False
    with file.open("rb") as raw, mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ) as data:
        end = find(data)
        return end is not None and _CONTENT.search(data, end) is not None


def write_bare_jpeg(file: Path, output: Path) -> None:
    """The same pixels, to the bit, up to their end, without the notes: no place, no camera, no small picture of it.
    Raises ValueError for one without an end."""
    with file.open("rb") as raw, mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ) as data, output.open("wb") as out:
        marker = None
        for marker, start, end in _segments(data):
            profile = marker == 0xE2 and data[start + 4 : start + 4 + len(_PROFILE)] == _PROFILE
            if marker not in _NOTES or profile:
                out.write(data[start:end])
        if marker != _END:
            raise ValueError("The picture has no end.")


def _end_of_jpeg(data: mmap.mmap) -> int | None:
    return next((end for marker, _, end in _segments(data) if marker == _END), None)


def _segments(data: mmap.mmap) -> Iterator[tuple[int, int, int]]:
    """Its marker segments to the first end of a picture: marker, start and end. Pixels belong to their scan."""
    at = 0
    while (found := _MARKER.search(data, at)) is not None:
        start, marker = found.start(), data[found.start() + 1]
        end = start + 2
        if marker not in _BARE:
            end += int.from_bytes(data[end : end + 2], "big")
        if marker == _SCAN:
            following = _MARKER.search(data, end)
            end = len(data) if following is None else following.start()
        yield marker, start, end
        if marker == _END:
            return
        at = end


def _end_of_png(data: mmap.mmap) -> int | None:
    at = 8
    while at + 12 <= len(data):
        kind, end = data[at + 4 : at + 8], at + 12 + int.from_bytes(data[at : at + 4], "big")
        if kind == b"IEND":
            return end
        at = end
    return None


def _end_of_webp(data: mmap.mmap) -> int | None:
    length = int.from_bytes(data[4:8], "little")
    return 8 + length + length % 2


_ENDS = {Form.JPEG: _end_of_jpeg, Form.PNG: _end_of_png, Form.WEBP: _end_of_webp}
