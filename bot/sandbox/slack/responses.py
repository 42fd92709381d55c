"""``response_url``: how an app answers a command or a click later, five times within half an hour.

https://docs.slack.dev/interactivity/handling-user-interaction
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from .block_kit import check_message_blocks
from .entities import Channel, Ephemeral, Message
from .settings import Settings
from .timeline import Draft, Timeline
from .wire import Json, SlackError, stored_text, truth
from .workspace import Workspace


class ResponseRefused(Exception):
    """A post to a ``response_url`` that Slack refuses, with the HTTP status and word of its answer."""

    def __init__(self, status: int, word: str) -> None:
        self.status = status
        self.word = word
        super().__init__(word)


@dataclass(kw_only=True)
class ResponseUrl:
    """One address: for whom and where it answers, and what it would replace."""

    token: str
    kind: Literal["commands", "actions"]
    channel: str
    user: str
    made_at: float = field(default_factory=time.monotonic)
    uses: int = 0
    shown: Message | Ephemeral | None = None


class Responses:
    """All addresses given out, and what posting to them does."""

    def __init__(self, workspace: Workspace, timeline: Timeline, settings: Callable[[], Settings]) -> None:
        self._workspace = workspace
        self._timeline = timeline
        self._settings = settings
        self._urls: dict[str, ResponseUrl] = {}
        self.origin = ""

    def make(
        self,
        kind: Literal["commands", "actions"],
        channel: Channel,
        user: str,
        shown: Message | Ephemeral | None = None,
    ) -> ResponseUrl:
        """A new address; ``shown`` is the message that was clicked."""
        url = ResponseUrl(token=self._workspace.ids.secret(), kind=kind, channel=channel.id, user=user, shown=shown)
        self._urls[url.token] = url
        return url

    def address(self, url: ResponseUrl) -> str:
        """Where the app posts to."""
        return f"{self.origin}/hooks/{url.kind}/{self._workspace.team.id}/{url.token}"

    def post(self, token: str, body: Json) -> None:
        """One use by the app. Raises `ResponseRefused`."""
        url = self._urls.get(token)
        if url is None:
            raise ResponseRefused(404, "no_active_hooks")
        settings = self._settings()
        if time.monotonic() - url.made_at > settings.response_url_seconds:
            raise ResponseRefused(404, "expired_url")
        if url.uses >= settings.response_url_uses:
            raise ResponseRefused(404, "used_url")
        url.uses += 1
        try:
            self.answer(url, body)
        except SlackError as problem:
            raise ResponseRefused(404 if problem.error == "message_not_found" else 400, problem.error) from problem

    def answer(self, url: ResponseUrl, body: Json) -> None:
        """Shows, replaces or deletes, as an acknowledgement's payload or a posted body says."""
        if truth(body.get("delete_original")):
            self._delete(url)
            return
        text = stored_text(str(body.get("text") or ""))
        blocks = check_message_blocks(body.get("blocks"))
        if not text and not blocks and not body.get("attachments"):
            raise SlackError("no_text")
        if truth(body.get("replace_original")) and url.shown is not None:
            self._replace(url, text, blocks)
            return
        url_thread = body.get("thread_ts")
        thread_ts = str(url_thread) if url_thread else _thread_of(url.shown)
        channel = self._workspace.channels[url.channel]
        bot = self._workspace.people[self._workspace.app.user_id]
        shown: Message | Ephemeral
        if body.get("response_type") == "in_channel":
            draft = Draft(text=text, blocks=blocks, thread_ts=thread_ts, by_bot=True)
            shown = self._timeline.post(channel, bot, draft)
        else:
            shown = self._timeline.show(channel, url.user, text, author=bot.id, blocks=blocks, thread_ts=thread_ts)
        if url.kind == "commands":
            url.shown = shown

    def _replace(self, url: ResponseUrl, text: str, blocks: list[Json]) -> None:
        shown = url.shown
        if shown is None or shown.deleted:
            raise SlackError("message_not_found")
        if isinstance(shown, Ephemeral):
            self._timeline.reshow(shown, text, blocks)
        else:
            channel = self._workspace.channels[shown.channel]
            self._timeline.edit(channel, shown, self._workspace.app.user_id, text=text, blocks=blocks)

    def _delete(self, url: ResponseUrl) -> None:
        shown = url.shown
        if shown is None or shown.deleted:
            raise SlackError("message_not_found")
        if isinstance(shown, Ephemeral):
            self._timeline.hide(shown)
        else:
            self._timeline.delete(self._workspace.channels[shown.channel], shown)


def _thread_of(shown: Message | Ephemeral | None) -> str | None:
    """An answer to a click in a thread stays in that thread."""
    return shown.thread_ts if shown is not None else None
