"""Who may act: this machine's own programs, and the page itself. No other web page in the same browser.

Everything here listens on loopback without a password, which any page on the web could otherwise post to.
"""

from __future__ import annotations

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITE = frozenset({"same-origin", "none"})
_SOCKET = "/page/live"


@web.middleware
async def refuse_strangers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answers 403 to what a browser sends for another site: by its ``Origin``, by ``Sec-Fetch-Site``
    (https://www.w3.org/TR/fetch-metadata/), or under a host name that merely resolves to this machine."""
    if _stranger(request):
        return web.json_response({"error": "cross_site", "detail": "another web page asked for this"}, status=403)
    return await handler(request)


def _stranger(request: web.Request) -> bool:
    reads = request.method in _SAFE_METHODS and request.path != _SOCKET
    if request.url.host not in _LOOPBACK:
        # Rebinding a name to 127.0.0.1 would make a foreign page "same-origin": for reading, too.
        return not reads or request.path.startswith(("/control/", "/page/"))
    if reads:
        return False
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is not None and origin != f"{request.scheme}://{request.host}":
        return True
    site = request.headers.get("Sec-Fetch-Site")
    return site is not None and site not in _OWN_SITE
