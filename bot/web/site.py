"""Which application answers which path."""

from collections.abc import Mapping

from starlette.types import ASGIApp, Receive, Scope, Send


class Site:
    """``exact`` applications behind their paths, and ``otherwise`` for every other request.

    A path counts as it was sent, byte for byte: ``/slack/events/`` and ``/slack%2Fevents`` are other paths, because a
    proxy that guards one of them may not know that they would mean the same here.
    """

    def __init__(self, *, exact: Mapping[str, ASGIApp], otherwise: ASGIApp) -> None:
        self._exact = {path.encode(): app for path, app in exact.items()}
        self._otherwise = otherwise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        app = self._exact.get(scope.get("raw_path") or b"", self._otherwise)
        await app(scope, receive, send)
