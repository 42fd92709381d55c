"""Files of the workspace as the page shows them."""

from __future__ import annotations

from aiohttp import hdrs, web

from ..slack.shapes import mimetype
from ..slack.workspace import Workspace

SHOWN_INLINE = frozenset(
    {
        "video/mp4",
        "video/webm",
        "audio/mpeg",
        "audio/x-wav",
        "audio/wav",
        "image/png",
        "image/jpeg",
        "image/gif",
        "image/webp",
    }
)
"""What a browser only ever draws or plays. Anything else (HTML, SVG) could act in the page's name, so that it
is offered for download."""

_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"


class FilePage:
    """Serves files by id; ranges are answered, which winding through a video needs."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """The bytes, or 404 while there are none."""
        file = self._workspace.files.get(request.match_info["file_id"])
        if file is None or file.deleted or file.received is None:
            raise web.HTTPNotFound
        kind = mimetype(file)
        headers = {hdrs.CONTENT_TYPE: kind, "Content-Security-Policy": _POLICY}
        if kind not in SHOWN_INLINE:
            headers |= {hdrs.CONTENT_TYPE: "application/octet-stream", hdrs.CONTENT_DISPOSITION: "attachment"}
        return web.FileResponse(file.path, headers=headers)
