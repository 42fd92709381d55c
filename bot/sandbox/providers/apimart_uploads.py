"""Pictures uploaded to APIMart: known by their first bytes, served for 72 hours (``upload_seconds``)."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import BodyPartReader, web

_LARGEST = 30 * 1024 * 1024  # bytes, as the guide has it for references


class NoImage(Exception):
    """An upload that is no picture of the four kinds, or, where `large`, too large a one."""

    def __init__(self, reason: str, *, large: bool = False) -> None:
        self.large = large
        super().__init__(reason)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Upload:
    name: str
    content_type: str
    data: bytes
    expires: float


class Uploads:
    """The uploads of one account, each kept for `lifetime` seconds."""

    def __init__(self, lifetime: Callable[[], float]) -> None:
        self._lifetime = lifetime
        self._kept: dict[str, _Upload] = {}

    async def take(self, request: web.Request) -> dict[str, object]:
        """Keep the ``file`` of a form and answer as APIMart does. Raises `NoImage`."""
        name, data = await _file_of(request)
        upload = _Upload(name=name, content_type=_type_of(data), data=data, expires=time.time() + self._lifetime())
        token = secrets.token_urlsafe(24)
        self._kept[token] = upload
        return {
            "url": f"{request.url.origin()}/apimart/files/{token}/{name}",
            "filename": name,
            "content_type": upload.content_type,
            "bytes": len(data),
            "created_at": int(time.time()),
        }

    async def download(self, request: web.Request) -> web.StreamResponse:
        """An upload that has not expired."""
        upload = self._kept.get(request.match_info["token"])
        if upload is None or time.time() >= upload.expires or request.match_info["file"] != upload.name:
            raise web.HTTPNotFound
        return web.Response(body=upload.data, content_type=upload.content_type)


async def _file_of(request: web.Request) -> tuple[str, bytes]:
    if not request.content_type.startswith("multipart/"):
        raise NoImage("expected a form with one file")
    async for part in await request.multipart():
        if isinstance(part, BodyPartReader) and part.name == "file":
            data = bytes(await part.read())
            if len(data) > _LARGEST:
                raise NoImage(f"the file is larger than {_LARGEST} bytes", large=True)
            plain = "".join(letter for letter in part.filename or "" if letter.isalnum() or letter in "._-")
            return plain or "image", data
    raise NoImage("the form has no file")


def _type_of(data: bytes) -> str:
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    raise NoImage("unsupported image content; JPEG, PNG, GIF and WebP are taken")
