"""Reference files, given by address or, where a provider takes that, in the request itself as data URIs: read for real
and held to the limits that the providers publish."""

from __future__ import annotations

import asyncio
import base64
import binascii
import io
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

import aiohttp
import av
from PIL import Image, UnidentifiedImageError
from yarl import URL

_TIMEOUT = aiohttp.ClientTimeout(total=15)
_MEGABYTE = 1024 * 1024
_LARGEST = {"image": 30 * _MEGABYTE, "video": 50 * _MEGABYTE, "audio": 15 * _MEGABYTE}
_EDGES = (300, 6000)  # pixels
_SHAPES = (0.4, 2.5)  # width by height
_PIXELS = (409_600, 927_408)  # of a video's frame
_RATES = (24, 60)  # frames per second
_SECONDS = (2.0, 15.0)  # of one file; the longest is also the most for all files of a kind together
_LONGEST_SHOWN = 500  # characters of an address; a data URI has millions
_SLACK = 0.1  # seconds by which an encoder may overshoot a length
_PICTURE_FORMATS = frozenset({"JPEG", "MPO", "PNG", "WEBP", "BMP", "TIFF", "GIF"})
_DATA_URI = re.compile(r"data:(?P<mime>image/(?:jpeg|png|webp|bmp|tiff|gif));base64,(?P<content>[A-Za-z0-9+/]+={0,2})")
_BEGINNINGS = {
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/webp": (b"RIFF",),
    "image/bmp": (b"BM",),
    "image/tiff": (b"II*\0", b"MM\0*"),
    "image/gif": (b"GIF8",),
}


class BadReference(Exception):
    """A reference that cannot be used: `url` and the `reason`, in a provider's words."""

    def __init__(self, url: str, reason: str) -> None:
        self.url = url
        self.reason = reason
        super().__init__(f"{url if len(url) <= _LONGEST_SHOWN else f'{url[:_LONGEST_SHOWN]}...'}: {reason}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """A fetched file; `kind` is image, video or audio, and `seconds` the length of the latter two."""

    url: str
    kind: str
    data: bytes
    seconds: float = 0.0


def check_picture(url: str) -> None:
    """Refuse what is neither a picture's address nor a picture as a data URI. Raises `BadReference`."""
    if not url.startswith("data:"):
        check_address(url)
    elif not _DATA_URI.fullmatch(url):
        raise BadReference(url, "is no picture as a base64 data URI")


def check_address(url: str) -> None:
    """Refuse what is not https; plain http will do on loopback. Raises `BadReference`."""
    try:
        address = URL(url)
    except ValueError as error:
        raise BadReference(url, "not a URL") from error
    if address.scheme == "https" and address.host:
        return
    if address.scheme == "http" and address.host and _is_loopback(address.host):
        return
    raise BadReference(url, "must be an https URL")


async def fetch(session: aiohttp.ClientSession, url: str, kind: str) -> Reference:
    """Read a reference and check that it is what it should be. Which ones may be data URIs was looked at when the
    request was read. Raises `BadReference`."""
    data = _decoded(url) if url.startswith("data:") else await _downloaded(session, url, kind)
    if kind_of(data) != kind:
        raise BadReference(url, f"is not a supported {kind} file")
    if kind == "image":
        await asyncio.to_thread(_check_picture, url, data)
        return Reference(url=url, kind=kind, data=data)
    seconds = await asyncio.to_thread(_check_film if kind == "video" else _check_sound, url, data)
    if not _SECONDS[0] - _SLACK <= seconds <= _SECONDS[1] + _SLACK:
        raise BadReference(url, f"lasts {seconds:.1f} s; it must be {_SECONDS[0]:g}-{_SECONDS[1]:g} s")
    return Reference(url=url, kind=kind, data=data, seconds=seconds)


def check_total(fetched: Iterable[Reference]) -> None:
    """Hold all videos together, and all sounds together, to the length of one. Raises `BadReference`."""
    totals: dict[str, float] = {}
    for reference in fetched:
        total = totals.get(reference.kind, 0.0) + reference.seconds
        if total > _SECONDS[1] + _SLACK:
            raise BadReference(reference.url, f"{reference.kind} references exceed {_SECONDS[1]:g} s in total")
        totals[reference.kind] = total


async def _downloaded(session: aiohttp.ClientSession, url: str, kind: str) -> bytes:
    check_address(url)
    try:
        async with session.get(url, timeout=_TIMEOUT) as response:
            if response.status != 200:
                raise BadReference(url, f"could not be downloaded (HTTP {response.status})")
            return await _capped(response, url, _LARGEST[kind])
    except (aiohttp.ClientError, TimeoutError) as error:
        raise BadReference(url, "could not be downloaded") from error


def _decoded(url: str) -> bytes:
    found = _DATA_URI.fullmatch(url)
    try:
        data = base64.b64decode(found["content"] if found else "", validate=True)
    except binascii.Error as error:
        raise BadReference(url, "is not base64") from error
    if found is None or not data.startswith(_BEGINNINGS[found["mime"]]):
        raise BadReference(url, "is not what its data URI says")
    if len(data) > _LARGEST["image"]:
        raise BadReference(url, f"is larger than {_LARGEST['image'] // _MEGABYTE} MB")
    return data


async def _capped(response: aiohttp.ClientResponse, url: str, largest: int) -> bytes:
    data = bytearray()
    async for block in response.content.iter_chunked(64 * 1024):
        data += block
        if len(data) > largest:
            raise BadReference(url, f"is larger than {largest // _MEGABYTE} MB")
    return bytes(data)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def kind_of(data: bytes) -> str | None:
    """Image, video or audio by the file's first bytes."""
    if data[:4] == b"RIFF":
        return {b"WAVE": "audio", b"WEBP": "image"}.get(data[8:12])
    if data[:3] == b"ID3" or (data[:1] == b"\xff" and data[1:2] and data[1] & 0xE6 in (0xE2, 0xE4, 0xE6)):
        return "audio"
    if data[4:8] == b"ftyp":
        return "video"
    pictures = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"II*\0", b"MM\0*")
    return "image" if data.startswith(pictures) else None


def _check_film(url: str, data: bytes) -> float:
    """The length of a video in seconds."""
    try:
        with av.open(io.BytesIO(data), "r", format="mov") as film:
            stream = film.streams.video[0]
            width, height, rate = stream.width, stream.height, float(stream.average_rate or 0)
            seconds = (film.duration or 0) / av.time_base
    except (av.FFmpegError, IndexError) as error:
        raise BadReference(url, "is not a readable video") from error
    _check_shape(url, width, height)
    if not _PIXELS[0] <= width * height <= _PIXELS[1]:
        raise BadReference(url, f"is {width}x{height}; a frame must have {_PIXELS[0]}-{_PIXELS[1]} pixels")
    if not _RATES[0] - _SLACK <= rate <= _RATES[1] + _SLACK:
        raise BadReference(url, f"has {rate:.1f} frames per second; it must have {_RATES[0]}-{_RATES[1]}")
    return seconds


def _check_sound(url: str, data: bytes) -> float:
    """The length of a sound in seconds."""
    try:
        form = "wav" if data[:4] == b"RIFF" else "mp3"
        with av.open(io.BytesIO(data), "r", format=form) as sound:
            return (sound.duration or 0) / av.time_base
    except av.FFmpegError as error:
        raise BadReference(url, "is not a readable sound") from error


def _check_shape(url: str, width: int, height: int) -> None:
    if not all(_EDGES[0] <= edge <= _EDGES[1] for edge in (width, height)):
        raise BadReference(url, f"is {width}x{height}; edges must be {_EDGES[0]}-{_EDGES[1]} px")
    if not _SHAPES[0] <= width / height <= _SHAPES[1]:
        raise BadReference(url, f"is {width}x{height}; width by height must be {_SHAPES[0]}-{_SHAPES[1]}")


def _check_picture(url: str, data: bytes) -> None:
    try:
        with Image.open(io.BytesIO(data)) as picture:
            (width, height), form = picture.size, picture.format
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise BadReference(url, "is not a readable image") from error
    if form not in _PICTURE_FORMATS:
        raise BadReference(url, f"is of an unsupported format ({form})")
    _check_shape(url, width, height)
