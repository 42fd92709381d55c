"""Slack over Socket Mode: envelopes go to our listeners as requests over HTTP do.

https://docs.slack.dev/apis/events-api/using-socket-mode
"""

import time
from typing import Any

import structlog
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.adapter.socket_mode.async_internals import send_async_response
from slack_bolt.adapter.socket_mode.internals import build_headers
from slack_bolt.async_app import AsyncApp
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest

from handlers.dispatch import dispatch, keep_values_out_of_the_log
from handlers.shapes import Misshapen

log = structlog.get_logger(__name__)


class SlackSocket(AsyncSocketModeHandler):
    """Bolt's handler, which acknowledges what nobody listens to and leaves what is misshapen unacknowledged."""

    def __init__(self, app: AsyncApp, app_token: str, **options: Any) -> None:
        super().__init__(app, app_token, **options)
        keep_values_out_of_the_log(app)

    async def handle(self, client: SocketModeClient, req: SocketModeRequest) -> None:  # type: ignore[override] # as Bolt
        """Take one envelope; called by slack_sdk."""
        began = time.time()
        headers = {name: str(value) for name, value in (build_headers(req) or {}).items()}
        try:
            answer = await dispatch(self.app, req.payload, headers)
        except Misshapen as reason:
            log.warning("slack.refused", why="payload", what=reason.field)
            return
        await send_async_response(client, req, answer, began)
