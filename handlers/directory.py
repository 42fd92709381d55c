"""``bot.ports.Directory``: who people are, by ``users.info`` and ``users.list`` (scope ``users:read``)."""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.domain.access import Member
from bot.ports import ChatError
from handlers.slack_errors import translated

_SECONDS = 1.5
"""A person waits for the answer to a command, which must reach Slack within 3 s."""
_LISTING_SECONDS = 15.0
_SLACKBOT = "USLACKBOT"
"""Slack says of it that it is no bot."""
_NOBODY = frozenset({"user_not_found", "user_not_visible", "users_not_found"})


class SlackDirectory:
    """Asks Slack each time; whoever asks remembers. People asked for twice at once are asked for once."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client
        self._asked: dict[str, asyncio.Task[Member | None]] = {}
        self._home: str | None = None

    async def member(self, person: str) -> Member | None:
        """See ``bot.ports.Directory``."""
        task = self._asked.get(person)
        if task is None:
            task = self._asked[person] = asyncio.create_task(self._look_up(person))
            task.add_done_callback(lambda _: self._asked.pop(person, None))
        return await asyncio.shield(task)

    async def admins(self) -> tuple[str, ...]:
        """See ``bot.ports.Directory``."""
        found: list[str] = []
        cursor = ""
        while True:
            answer = await self._call(self._client.users_list(limit=200, cursor=cursor), _LISTING_SECONDS)
            found += [str(user["id"]) for user in answer.get("members") or () if _is_admin(user)]
            cursor = str((answer.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor:
                return tuple(found)

    async def _look_up(self, person: str) -> Member | None:
        try:
            answer = await self._call(self._client.users_info(user=person), _SECONDS)
            if self._home is None:
                self._home = str((await self._call(self._client.auth_test(), _SECONDS)).get("team_id") or "")
        except ChatError as error:
            if error.code in _NOBODY:
                return None
            raise
        return member_of(answer.get("user") or {}, home=self._home)

    async def _call(self, call: Awaitable[AsyncSlackResponse], seconds: float) -> Mapping[str, Any]:
        try:
            with translated():
                async with asyncio.timeout(seconds):
                    return (await call).data  # type: ignore[return-value]  # a file's bytes only for files
        except TimeoutError:
            raise ChatError("timeout") from None


def member_of(user: Mapping[str, Any], *, home: str) -> Member:
    """A user object of ``users.info`` as a member; ``home`` is our workspace's id. Within an Enterprise organisation
    a person's ``team_id`` may be another workspace's; ``enterprise_user.teams`` then names those they are in."""
    teams = {str(user.get("team_id") or ""), *((user.get("enterprise_user") or {}).get("teams") or ())}
    return Member(
        person=str(user.get("id") or ""),
        admin=_is_admin(user),
        guest=bool(user.get("is_restricted") or user.get("is_ultra_restricted")),
        outsider=bool(user.get("is_stranger")) or home not in teams,
        app=bool(user.get("is_bot")) or user.get("id") == _SLACKBOT,
        gone=bool(user.get("deleted")),
    )


def _is_admin(user: Mapping[str, Any]) -> bool:
    return bool(user.get("is_admin") or user.get("is_owner")) and not user.get("deleted")
