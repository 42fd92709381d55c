"""Finished files behind links that expire, as a provider's content network serves them."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

_CONTENT_TYPES = {".mp4": "video/mp4", ".jpg": "image/jpeg"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """One file of a task under one token; `expires` in unix seconds."""

    token: str
    provider: str
    task_id: str
    prompt: str
    name: str
    path: Path
    expires: float


class OutputStore:
    """The files of all providers. `origin` is where they are served: scheme, host and port."""

    def __init__(self) -> None:
        self.origin = ""
        self._links: dict[str, Link] = {}

    def publish(self, *, provider: str, task_id: str, prompt: str, name: str, path: Path, seconds: float) -> Link:
        """Make a link that lives for so many seconds; `name` is the last part of its URL."""
        link = Link(
            token=secrets.token_urlsafe(24),
            provider=provider,
            task_id=task_id,
            prompt=prompt,
            name=name,
            path=path,
            expires=time.time() + seconds,
        )
        self._links[link.token] = link
        return link

    def url(self, link: Link) -> str:
        """The address that a provider's answer gives."""
        return f"{self.origin}/outputs/{link.token}/{link.name}"

    def find(self, request: web.Request) -> Link | None:
        """The link that a request asks for, expired or not."""
        link = self._links.get(request.match_info["token"])
        return link if link is not None and link.name == request.match_info["name"] else None

    async def download(self, request: web.Request) -> web.StreamResponse:
        """Serve a file, whole or by Range; an expired link is refused in XML, as object stores do."""
        link = self.find(request)
        if link is None:
            return _refusal(404, "NoSuchKey", "The specified key does not exist.")
        if time.time() >= link.expires:
            return _refusal(403, "AccessDenied", "Request has expired")
        return web.FileResponse(link.path, headers={"Content-Type": _CONTENT_TYPES[Path(link.name).suffix]})


def _refusal(status: int, code: str, message: str) -> web.Response:
    error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return web.Response(
        status=status, text=f'<?xml version="1.0" encoding="UTF-8"?>\n{error}', content_type="application/xml"
    )
