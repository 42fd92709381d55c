"""Slack, outgoing: cards, clips and private words. Each method is at most one call that people can see.

slack_sdk's own retry is switched off: it repeats a call when the connection closes, also after Slack has done it, and
a post would stand twice. What may be repeated is decided by the services, after reading back.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import httpx
import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.announcement import Announcement
from bot.domain.job import Ask, Job
from bot.domain.notice import Notice
from bot.ports import Card, ChatError, ChatRefused, ClipPost, MessageGone, Share, Slot
from handlers.blocks.announcements import announcement as announcement_message
from handlers.blocks.answers import explain_error
from handlers.blocks.card import card as card_message
from handlers.blocks.clip_line import clip_comment, clip_filename, clip_title
from handlers.blocks.notices import notice as notice_message
from handlers.slack_errors import translated

log = structlog.get_logger(__name__)

CARD_EVENT = "dailies_card"
"""The metadata type of a card; its payload carries the ask's id, so that a card can be found again in the history."""

NEWS_EVENT = "dailies_news"
"""The metadata type of an announcement; its payload carries the announcement's key."""

_PEOPLE = ("U", "W")
"""How the ids of people begin; channels begin with C, G or D."""

_READ_BACK_PAGES = 10
_READ_BACK_PAGE = 200
_JITTER = timedelta(seconds=60)
_CLOCKS_APART = timedelta(days=1)
"""What was posted is dated by Slack's clock, and when it was asked for by ours, which may be ahead by that much.
Looking only behind a card that stands would post it a second time."""
_SEND_TIMEOUT_SECONDS = 60.0


class SlackChat:
    """The Web API for one workspace. ``client`` must have no retry handlers."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client
        self._files = httpx.AsyncClient(
            timeout=httpx.Timeout(_SEND_TIMEOUT_SECONDS, connect=10), follow_redirects=False, trust_env=False
        )

    async def close(self) -> None:
        """Close the connections of uploads."""
        await self._files.aclose()

    # --- cards ------------------------------------------------------------------------------------------------------

    async def post_card(self, card: Card) -> str:
        """Post the card, in its thread when it has one."""
        message = card_message(card)
        with translated():
            answer = await self._client.chat_postMessage(
                channel=card.ask.channel,
                thread_ts=card.ask.root_ts,
                text=message.text,
                blocks=message.blocks,
                metadata={"event_type": CARD_EVENT, "event_payload": {"ask": card.ask.id}},
                unfurl_links=False,
                unfurl_media=False,
            )
        return str(answer["ts"])

    async def find_card(self, ask: Ask) -> str | None:
        """Look through what was posted since the ask was made, in its thread or its channel."""
        return await self._find("ask", ask.id, channel=ask.channel, root_ts=ask.root_ts, since=ask.created_at)

    async def _find(self, name: str, value: str, *, channel: str, root_ts: str | None, since: datetime) -> str | None:
        """The ts of the message in whose metadata this name has that value. What was posted just then is looked for
        first; a day that lies before it comes after, so that a busy channel does not hide the one behind the other."""
        begin = since - _JITTER
        look = partial(self._found, name, value, channel=channel, root_ts=root_ts)
        return await look(oldest=begin, latest=None) or await look(oldest=begin - _CLOCKS_APART, latest=begin)

    async def _found(
        self,
        name: str,
        value: str,
        *,
        channel: str,
        root_ts: str | None,
        oldest: datetime,
        latest: datetime | None,
    ) -> str | None:
        cursor = ""
        for _ in range(_READ_BACK_PAGES):
            answer = await self._history(channel, root_ts, oldest, latest, cursor)
            for message in answer.get("messages") or []:
                payload = (message.get("metadata") or {}).get("event_payload") or {}
                # A deleted root with replies stays as a tombstone: nobody can read or edit a card there.
                if payload.get(name) == value and message.get("subtype") != "tombstone":
                    return str(message["ts"])
            cursor = (answer.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                break
        return None

    async def _history(
        self, channel: str, root_ts: str | None, oldest: datetime, latest: datetime | None, cursor: str
    ) -> Mapping[str, Any]:
        """A page of it. Without ``latest`` Slack begins with what is closest to ``oldest``."""
        common: dict[str, Any] = {
            "channel": channel,
            "oldest": f"{oldest.timestamp():.6f}",
            "latest": None if latest is None else f"{latest.timestamp():.6f}",
            "limit": _READ_BACK_PAGE,
            "include_all_metadata": True,
            "cursor": cursor or None,
        }
        with translated():
            if root_ts is None:
                answer = await self._client.conversations_history(**common)
            else:
                answer = await self._client.conversations_replies(ts=root_ts, **common)
        return _body(answer)

    async def update_card(self, card: Card) -> None:
        """Edit the posted card."""
        message = card_message(card)
        with translated():
            await self._client.chat_update(
                channel=card.ask.channel,
                ts=card.ask.card_ts or "",
                text=message.text,
                blocks=message.blocks,
                metadata={"event_type": CARD_EVENT, "event_payload": {"ask": card.ask.id}},
            )

    # --- clips ------------------------------------------------------------------------------------------------------

    async def reserve(self, post: ClipPost, size: int) -> Slot:
        """Ask for an upload URL. No ``alt_txt``: with it Slack can silently drop the share (python-slack-sdk#1818)."""
        with translated():
            answer = await self._client.files_getUploadURLExternal(filename=clip_filename(post), length=size)
        return Slot(url=str(answer["upload_url"]), file_id=str(answer["file_id"]))

    async def send(self, slot: Slot, size: int, chunks: AsyncIterator[bytes]) -> None:
        """Stream the bytes to the upload URL; the token is not sent there."""
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        try:
            response = await self._files.post(slot.url, content=chunks, headers=headers)
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            raise ChatError(f"upload_{type(error).__name__}") from error
        if response.status_code != 200:
            raise ChatError(f"upload_http_{response.status_code}")

    async def share(self, file_id: str, post: ClipPost) -> None:
        """Ask Slack to share the file in the thread. As JSON: slack_sdk's own method puts the comment into the URL."""
        body = {
            "files": [{"id": file_id, "title": clip_title(post)}],
            "channel_id": post.job.channel,
            "thread_ts": post.ask.root_ts,
            "initial_comment": clip_comment(post),
        }
        with translated():
            await self._client.api_call("files.completeUploadExternal", json=body)

    async def find_share(self, file_id: str, channel: str) -> Share | None:
        """Read ``files.info``: the shares name the message, those in public channels apart from those in private ones
        and in direct messages (docs.slack.dev, file object)."""
        with translated():
            answer = await self._client.files_info(file=file_id)
        file = answer.get("file") or {}
        if file.get("mode") == "tombstone":
            raise MessageGone("tombstone")
        shares = file.get("shares") or {}
        for visibility in ("public", "private"):
            for share in (shares.get(visibility) or {}).get(channel) or []:
                return Share(message_ts=str(share["ts"]), public=visibility == "public")
        return None

    async def delete_file(self, file_id: str) -> None:
        """Delete one of our files; an absent one is fine."""
        try:
            with translated():
                await self._client.files_delete(file=file_id)
        except MessageGone:
            log.debug("file.already_gone", file=file_id)

    # --- people -----------------------------------------------------------------------------------------------------

    async def reactors(self, channel: str, ts: str, names: Sequence[str]) -> tuple[str, ...]:
        """Who stands behind one of these reactions, whatever the skin tone."""
        with translated():
            answer = await self._client.reactions_get(channel=channel, timestamp=ts, full=True)
        item = answer.get(str(answer.get("type", "message"))) or answer.get("message") or {}
        found = [
            str(user)
            for reaction in item.get("reactions") or []
            if str(reaction.get("name", "")).split("::")[0] in names
            for user in reaction.get("users") or []
        ]
        return tuple(dict.fromkeys(found))

    async def tell(self, ask: Ask, notice: Notice, job: Job | None = None) -> None:
        """Tell the asker alone, by the first way that works."""
        text = notice_message(notice, ask, job).text
        if ask.reply_url and await self._answer(ask.reply_url, text):
            return
        try:
            with translated():
                await self._client.chat_postEphemeral(
                    channel=ask.channel, user=ask.person, text=text, thread_ts=ask.root_ts
                )
        except ChatRefused:
            await self._direct(ask.person, text)

    async def explain(self, channel: str, person: str, error: Exception) -> None:
        """In the words in which whoever asks by any door is told at once."""
        message = explain_error(error, reference="")
        with translated():
            await self._client.chat_postEphemeral(
                channel=channel, user=person, text=message.text, blocks=message.blocks or None
            )

    async def _answer(self, url: str, text: str) -> bool:
        body = json.dumps({"response_type": "ephemeral", "text": text})
        try:
            response = await self._files.post(url, content=body, headers={"Content-Type": "application/json"})
        except (httpx.HTTPError, OSError):
            return False
        return response.status_code == 200

    async def _direct(self, person: str, text: str) -> None:
        channel = await self._conversation(person)
        with translated():
            await self._client.chat_postMessage(channel=channel, text=text, unfurl_links=False)

    async def _conversation(self, person: str) -> str:
        """The direct conversation with that person."""
        with translated():
            opened = await self._client.conversations_open(users=person)
        channel = (opened.get("channel") or {}).get("id")
        if not channel:
            raise ChatError("no_direct_message")
        return str(channel)

    # --- announcements ----------------------------------------------------------------------------------------------

    async def announce(self, announcement: Announcement) -> str:
        """Post it in its channel or to its person; a clip it is about is linked, and must still stand."""
        channel = await self._place(announcement)
        message = announcement_message(announcement, link=await self._permalink(announcement))
        with translated():
            answer = await self._client.chat_postMessage(
                channel=channel,
                text=message.text,
                blocks=message.blocks,
                metadata={"event_type": NEWS_EVENT, "event_payload": {"news": announcement.key}},
                unfurl_links=False,
                unfurl_media=False,
            )
        return str(answer["ts"])

    async def find_announcement(self, announcement: Announcement) -> str | None:
        """Look through what was posted there since it was written down."""
        channel = await self._place(announcement)
        return await self._find("news", announcement.key, channel=channel, root_ts=None, since=announcement.created_at)

    async def _place(self, announcement: Announcement) -> str:
        """Its channel, or the direct conversation with its person. Opening one is invisible; what becomes of it is
        known, so that nothing about the post is."""
        if announcement.to[:1] not in _PEOPLE:
            return announcement.to
        return await self._conversation(announcement.to)

    async def _permalink(self, announcement: Announcement) -> str | None:
        message_ts = announcement.facts.get("message_ts")
        if not message_ts:
            return None
        channel = str(announcement.facts["channel"])
        with translated():
            answer = await self._client.chat_getPermalink(channel=channel, message_ts=str(message_ts))
        return str(answer["permalink"])


def _body(answer: object) -> Mapping[str, Any]:
    data = getattr(answer, "data", None)
    return data if isinstance(data, dict) else {}
