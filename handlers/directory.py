"""``bot.ports.Directory``: who people are, by ``users.info`` and ``users.list`` (scope ``users:read``)."""

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.domain.access import Member
from bot.ports import ChatError
from handlers.slack_errors import translated

log = structlog.get_logger(__name__)

SCOPE = "users:read"
ENOUGH_ADMINS = 20
"""News goes to so many at most; in a workspace of thousands the rest of the list is not read for more."""

_SECONDS = 10.0
"""Whoever waits for one person waits shorter; what comes late is remembered for the next time."""
_PAGE_SECONDS = 15.0
_PAGE = 200
"""What Slack recommends for ``users.list``; it may be asked for twenty pages a minute."""
_SLACKBOT = "USLACKBOT"
"""Slack says of it that it is no bot."""
_NOBODY = frozenset({"user_not_found", "user_not_visible", "users_not_found"})


@dataclass(frozen=True, kw_only=True)
class Home:
    """Our own workspace, and the Enterprise organisation that it is part of, if it is."""

    team: str
    organisation: str = ""


class SlackDirectory:
    """Asks Slack each time; whoever asks remembers."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client
        self._home: Home | None = None
        self._warned = False

    async def member(self, person: str) -> Member | None:
        """See ``bot.ports.Directory``."""
        home = await self._at_home()
        try:
            answer = await self._call(self._client.users_info(user=person), _SECONDS)
        except ChatError as error:
            if error.code in _NOBODY:
                return None
            raise
        return member_of(answer.get("user") or {}, home=home)

    async def admins(self) -> tuple[str, ...]:
        """See ``bot.ports.Directory``. The first ENOUGH_ADMINS of them."""
        home = await self._at_home()
        found: list[str] = []
        cursor = ""
        while True:
            answer = await self._call(self._client.users_list(limit=_PAGE, cursor=cursor), _PAGE_SECONDS)
            members = [member_of(user, home=home) for user in answer.get("members") or ()]
            found += [member.person for member in members if member.runs_workspace]
            cursor = str((answer.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor or len(found) >= ENOUGH_ADMINS:
                return tuple(found[:ENOUGH_ADMINS])

    async def _at_home(self) -> Home:
        """Which workspace the token is of, asked for once."""
        if self._home is None:
            told = await self._call(self._client.auth_test(), _SECONDS)
            self._home = Home(team=str(told.get("team_id") or ""), organisation=str(told.get("enterprise_id") or ""))
        return self._home

    async def _call(self, call: Awaitable[AsyncSlackResponse], seconds: float) -> Mapping[str, Any]:
        try:
            with translated():
                async with asyncio.timeout(seconds):
                    data = (await call).data
        except ChatError as error:
            self._warn_once(error)
            raise
        self._warned = False
        return data if isinstance(data, Mapping) else {}

    def _warn_once(self, error: ChatError) -> None:
        """An app that was installed before it asked for this scope: nobody may spend until somebody mends it."""
        if error.code == "missing_scope" and not self._warned:
            self._warned = True
            log.warning(
                "people.scope_missing",
                scope=SCOPE,
                meaning="Slack does not say who people are, so nobody may spend",
                mend="paste the output of `dailies manifest` under App Manifest and install the app again",
            )


def member_of(user: Mapping[str, Any], *, home: Home) -> Member:
    """A user object (docs.slack.dev/reference/objects/user-object) as a member. Strangers of a shared channel have
    their own workspace as ``team_id``, and not always ``is_stranger``. Within an Enterprise organisation ``team_id``
    may be another workspace of it: everybody of the organisation is at home."""
    enterprise = user.get("enterprise_user") or {}
    teams = {user.get("team_id"), *(enterprise.get("teams") or ())}
    same = home.team in teams or (home.organisation and home.organisation == enterprise.get("enterprise_id"))
    return Member(
        person=str(user.get("id") or ""),
        admin=bool(user.get("is_admin") or user.get("is_owner")),
        guest=bool(user.get("is_restricted") or user.get("is_ultra_restricted")),
        outsider=bool(user.get("is_stranger")) or not home.team or not same,
        app=bool(user.get("is_bot")) or user.get("id") == _SLACKBOT,
        gone=bool(user.get("deleted")),
    )
