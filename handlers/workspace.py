"""The connection to one Slack workspace: who we are there, the Web API, and the way in: Socket Mode or HTTP."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.ports import ChatError
from handlers.doors import Identity
from handlers.http import SlackEndpoint
from handlers.slack_errors import translated
from handlers.socket import SlackSocket

_CALL_TIMEOUT_SECONDS = 15
_PING_SECONDS = 5.0
"""Also how long slack_sdk waits between tries to connect."""


@dataclass(frozen=True, kw_only=True)
class Introduction:
    """What one call tells of the bot token. ``identity`` is None when Slack did not take it, for ``refusal``;
    ``date`` is the time at Slack, when it answered at all."""

    identity: Identity | None
    refusal: ChatError | None
    scopes: frozenset[str]
    date: datetime | None


class SlackWorkspace:
    """One bot token, and an app token for Socket Mode or else a signing secret for HTTP. slack_sdk's own retries are
    off: it repeats posts that Slack has done."""

    def __init__(self, *, bot_token: str, app_token: str = "", signing_secret: str = "", api_url: str) -> None:
        self.client = AsyncWebClient(
            token=bot_token,
            base_url=api_url,
            timeout=_CALL_TIMEOUT_SECONDS,
            retry_handlers=[],
            logger=logging.getLogger("slack_sdk.web"),
        )
        self._app_token = app_token
        self._socket: SlackSocket | None = None
        self.endpoint = None if app_token else SlackEndpoint(signing_secret=signing_secret)
        """Where Slack's requests arrive in HTTP mode; None in Socket Mode."""

    async def identify(self) -> Identity:
        """Ask Slack who the token is. Raises ChatError or a subclass."""
        with translated():
            answer = await self.client.auth_test()
        return _identity(answer.data)

    async def introduce(self) -> Introduction:
        """Who the token is and what it may do, for whoever looks for mistakes; raises nothing of Slack's."""
        try:
            with translated():
                answer = await self.client.auth_test()
        except ChatError as refusal:
            cause = refusal.__cause__
            headers = getattr(cause.response, "headers", {}) if isinstance(cause, SlackApiError) else {}
            return Introduction(identity=None, refusal=refusal, scopes=frozenset(), date=_date(headers))
        return Introduction(
            identity=_identity(answer.data),
            refusal=None,
            scopes=frozenset(answer.headers.get("x-oauth-scopes", "").replace(" ", "").split(",")),
            date=_date(answer.headers),
        )

    async def try_socket(self) -> None:
        """Ask for a socket's address, as Socket Mode begins, and do not open it. Raises ChatError or a subclass."""
        with translated():
            await self.client.apps_connections_open(app_token=self._app_token)

    async def listen(self, app: AsyncApp) -> None:
        """Take requests from now on. In Socket Mode this returns when the socket is open; slack_sdk tries until it is,
        and keeps it so from then on."""
        if self.endpoint is not None:
            self.endpoint.connect(app)
            return
        self._socket = SlackSocket(app, self._app_token, web_client=self.client, ping_interval=_PING_SECONDS)
        await self._socket.client.connect()  # type: ignore[no-untyped-call] # slack_sdk has no types here

    @property
    def connected(self) -> bool:
        """Whether requests can come at this moment: the socket is open, or the endpoint takes them."""
        if self.endpoint is not None:
            return self.endpoint.connected
        session = self._socket.client.current_session if self._socket is not None else None
        return session is not None and not session.closed

    async def hang_up(self) -> None:
        """Close the way in: no request of Slack's is taken any more."""
        if self.endpoint is not None:
            await self.endpoint.close()
        if self._socket is not None:
            await self._socket.client.close()  # type: ignore[no-untyped-call] # as above


def _identity(answer: Any) -> Identity:
    return Identity(
        workspace=str(answer["team_id"]), bot_user=str(answer["user_id"]), bot_id=str(answer.get("bot_id") or "")
    )


def _date(headers: Mapping[str, str]) -> datetime | None:
    text = next((value for name, value in headers.items() if name.lower() == "date"), "")
    try:
        return parsedate_to_datetime(text)
    except ValueError:
        return None
