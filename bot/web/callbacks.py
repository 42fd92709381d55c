"""``POST /callbacks/{provider}/{token}``: where providers tell that a task has ended.

Answered 200 after the call is on disk and nothing more of it is needed, so that a provider that hears anything else
calls again. Whoever has no token of ours learns nothing: an unknown provider, an unknown token and another path are the
same 404.
"""

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bot.ports import StorageError
from bot.services.callbacks import Callbacks, Heard

log = structlog.get_logger(__name__)

PREFIX = "/callbacks/"

_STATUS = {Heard.TAKEN: 200, Heard.UNKNOWN: 404, Heard.NOT_GENUINE: 401, Heard.NOT_YET: 503}


class CallbackEndpoint:
    """The ASGI application under PREFIX. How large a body may be and how long it may take is the server's care:
    ``receive`` gives it whole."""

    def __init__(self, callbacks: Callbacks) -> None:
        self._callbacks = callbacks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        if scope["method"] != "POST":
            await Response(status_code=405, headers={"allow": "POST", "connection": "close"})(scope, receive, send)
            return
        status = await self._hear(scope, receive)
        if status != 200:
            log.info("callback.refused", status=status)
        await Response(status_code=status)(scope, receive, send)

    async def _hear(self, scope: Scope, receive: Receive) -> int:
        segments = bytes(scope.get("raw_path") or b"").decode("latin-1").removeprefix(PREFIX).split("/")
        if len(segments) != 2:
            return 404
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        provider, token = segments
        try:
            heard = await self._callbacks.hear(provider, token, headers, (await receive())["body"])
        except StorageError as error:
            log.warning("callback.storage_away", error=str(error))
            return 503
        return _STATUS[heard]
