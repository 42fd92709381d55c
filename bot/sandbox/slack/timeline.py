"""What happens in channels, whoever does it: posts, edits, deletions, reactions, joins. The bot hears of it
by events."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .entities import Channel, Ephemeral, File, Message, Person
from .events import Events
from .shapes import Shapes
from .wire import Json, SlackError
from .workspace import Workspace

MAX_DISTINCT_REACTIONS = 50  # emoji on one message; reactions.add: too_many_emoji
MAX_REACTIONS_PER_PERSON = 23  # emoji of one person on one message; reactions.add: too_many_reactions


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What is to be posted; ``text`` is already in stored form."""

    text: str = ""
    blocks: Sequence[Json] = ()
    attachments: Sequence[Json] = ()
    files: Sequence[File] = ()
    metadata: Json | None = None
    thread_ts: str | None = None
    broadcast: bool = False
    by_bot: bool = False


class Timeline:
    """Changes channels and tells the bot. Raises `SlackError` with the words of the Web API."""

    def __init__(self, workspace: Workspace, shapes: Shapes, events: Events, changed: Callable[[], None]) -> None:
        self._workspace = workspace
        self._shapes = shapes
        self._events = events
        self._changed = changed

    def post(self, channel: Channel, author: Person, draft: Draft) -> Message:
        """A new message, in the thread of ``draft.thread_ts`` if given."""
        if channel.is_archived:
            raise SlackError("is_archived")
        thread_ts = draft.thread_ts
        if thread_ts is not None:
            self._check_parent(channel, thread_ts)
        message = Message(
            ts=self._workspace.clock.ts(),
            channel=channel.id,
            user=author.id,
            text=draft.text,
            thread_ts=thread_ts,
            subtype=_subtype(draft),
            bot_id=self._workspace.app.bot_id if draft.by_bot else None,
            team=author.team_id,
            blocks=self.with_block_ids(draft.blocks),
            attachments=[dict(one) for one in draft.attachments],
            files=[file.id for file in draft.files],
            metadata=draft.metadata,
            broadcast=draft.broadcast,
            client_msg_id=None if draft.by_bot else str(uuid.uuid4()),
        )
        channel.messages[message.ts] = message
        if thread_ts is not None:
            channel.threads.setdefault(thread_ts, []).append(message.ts)
        for file in draft.files:
            file.shares.setdefault(channel.id, []).append(self._share(channel, message))
        self._tell_of_post(channel, message, author)
        self._changed()
        return message

    def _check_parent(self, channel: Channel, thread_ts: str) -> None:
        parent = channel.messages.get(thread_ts)
        if parent is None or parent.deleted:
            raise SlackError("thread_not_found")
        if parent.is_reply:
            raise SlackError("cannot_reply_to_message")

    def _share(self, channel: Channel, message: Message) -> Json:
        share: Json = {"ts": message.ts, "channel_name": channel.name, "team_id": self._workspace.team.id}
        share |= {"share_user_id": message.user, "reply_users": [], "reply_users_count": 0, "reply_count": 0}
        if message.thread_ts:
            share["thread_ts"] = message.thread_ts
        return share

    def _tell_of_post(self, channel: Channel, message: Message, author: Person) -> None:
        shape = self._shapes.message(message)
        if author.team_id != self._workspace.team.id:
            shape |= {"user_team": author.team_id, "source_team": author.team_id}
        place = {"channel": channel.id, "event_ts": message.ts}
        self._events.emit(copy.deepcopy(shape) | place | {"channel_type": channel.kind}, channel)
        mention = f"<@{self._workspace.app.user_id}"
        if mention in message.text and channel.kind != "im" and message.bot_id is None:
            kept = (
                "user",
                "text",
                "ts",
                "thread_ts",
                "team",
                "blocks",
                "files",
                "client_msg_id",
                "user_team",
            )
            event = {"type": "app_mention"} | {key: copy.deepcopy(shape[key]) for key in kept if key in shape}
            self._events.emit(event | place, channel)
        for file_id in message.files:
            event = {
                "type": "file_shared",
                "file_id": file_id,
                "user_id": message.user,
                "file": {"id": file_id},
            }
            self._events.emit(event | {"channel_id": channel.id, "event_ts": message.ts}, channel)

    def edit(
        self,
        channel: Channel,
        message: Message,
        editor: str,
        *,
        text: str | None = None,
        blocks: Sequence[Json] | None = None,
        attachments: Sequence[Json] | None = None,
        metadata: Json | None = None,
    ) -> None:
        """Changes what is given and leaves the rest, as ``chat.update`` does."""
        before = copy.deepcopy(self._shapes.message(message))
        if blocks is not None:
            message.revisions.append(message.blocks)
            message.blocks = self.with_block_ids(blocks)
        if text is not None:
            message.text = text
        if attachments is not None:
            message.attachments = [dict(one) for one in attachments]
        if metadata is not None:
            message.metadata = metadata
        message.edited = {"user": editor, "ts": self._workspace.clock.ts()}
        self._tell_of_change(channel, message, before)

    def _tell_of_change(self, channel: Channel, message: Message, before: Json) -> None:
        ts = self._workspace.clock.ts()
        event = {
            "type": "message",
            "subtype": "message_changed",
            "hidden": True,
            "message": copy.deepcopy(self._shapes.message(message)),
            "previous_message": before,
            "channel": channel.id,
            "channel_type": channel.kind,
            "ts": ts,
            "event_ts": ts,
        }
        self._events.emit(event, channel)
        self._changed()

    def delete(self, channel: Channel, message: Message) -> None:
        """Takes a message away. A parent with replies stays as a tombstone, as on Slack."""
        before = copy.deepcopy(self._shapes.message(message))
        if any(True for _ in self._workspace.replies(channel, message.ts)):
            message.revisions.append(message.blocks)
            message.tombstone = True
            message.text = "This message was deleted."
            message.blocks, message.attachments, message.files, message.reactions = [], [], [], {}
            self._tell_of_change(channel, message, before)
            return
        message.deleted = True
        ts = self._workspace.clock.ts()
        event = {
            "type": "message",
            "subtype": "message_deleted",
            "hidden": True,
            "deleted_ts": message.ts,
            "previous_message": before,
            "channel": channel.id,
            "channel_type": channel.kind,
            "ts": ts,
            "event_ts": ts,
        }
        self._events.emit(event, channel)
        self._changed()

    def react(self, channel: Channel, message: Message, person: Person, name: str, *, copies: int = 1) -> None:
        """Adds a reaction; ``copies`` is how often its event is delivered."""
        users = message.reactions.get(name, [])
        if person.id in users:
            raise SlackError("already_reacted")
        if not users and len(message.reactions) >= MAX_DISTINCT_REACTIONS:
            raise SlackError("too_many_emoji")
        if sum(person.id in reacted for reacted in message.reactions.values()) >= MAX_REACTIONS_PER_PERSON:
            raise SlackError("too_many_reactions")
        message.reactions[name] = [*users, person.id]
        self._tell_of_reaction("reaction_added", channel, message, person, name, copies=copies)

    def unreact(self, channel: Channel, message: Message, person: Person, name: str, *, copies: int = 1) -> None:
        """Takes a reaction back."""
        users = message.reactions.get(name, [])
        if person.id not in users:
            raise SlackError("no_reaction")
        remaining = [user for user in users if user != person.id]
        if remaining:
            message.reactions[name] = remaining
        else:
            del message.reactions[name]
        self._tell_of_reaction("reaction_removed", channel, message, person, name, copies=copies)

    def _tell_of_reaction(
        self, kind: str, channel: Channel, message: Message, person: Person, name: str, *, copies: int
    ) -> None:
        event = {
            "type": kind,
            "user": person.id,
            "reaction": name,
            "item": {"type": "message", "channel": channel.id, "ts": message.ts},
            "item_user": message.user,
            "event_ts": self._workspace.clock.ts(),
        }
        self._events.emit(event, channel, copies=copies)
        self._changed()

    def join(self, channel: Channel, person: Person, *, inviter: Person | None = None) -> None:
        """Makes a person a member; nothing happens when they are one."""
        if person.id not in channel.members:
            channel.members.append(person.id)
            self._tell_of_member("member_joined_channel", channel, person, inviter)

    def leave(self, channel: Channel, person: Person) -> None:
        """Takes a member out; the bot hears of its own leaving no more than of anyone's afterwards."""
        if person.id in channel.members:
            self._tell_of_member("member_left_channel", channel, person, None)
            channel.members.remove(person.id)

    def _tell_of_member(self, kind: str, channel: Channel, person: Person, inviter: Person | None) -> None:
        event: Json = {"type": kind, "user": person.id, "channel": channel.id, "team": person.team_id}
        event["channel_type"] = "C" if channel.kind == "channel" else "G"
        if inviter is not None:
            event["inviter"] = inviter.id
        self._events.emit(event, channel)
        self._changed()

    def show(
        self,
        channel: Channel,
        user: str,
        text: str,
        *,
        author: str,
        blocks: Sequence[Json] = (),
        thread_ts: str | None = None,
    ) -> Ephemeral:
        """Shows an ephemeral message to one person."""
        ephemeral = Ephemeral(
            ts=self._workspace.clock.ts(),
            channel=channel.id,
            user=user,
            author=author,
            text=text,
            blocks=self.with_block_ids(blocks),
            thread_ts=thread_ts,
        )
        channel.ephemerals[ephemeral.ts] = ephemeral
        self._changed()
        return ephemeral

    def reshow(self, ephemeral: Ephemeral, text: str, blocks: Sequence[Json]) -> None:
        """Replaces an ephemeral's content; only a ``response_url`` can do that."""
        ephemeral.revisions.append(ephemeral.blocks)
        ephemeral.text = text
        ephemeral.blocks = self.with_block_ids(blocks)
        self._changed()

    def hide(self, ephemeral: Ephemeral) -> None:
        """Takes an ephemeral away."""
        ephemeral.deleted = True
        self._changed()

    def with_block_ids(self, blocks: Sequence[Json]) -> list[Json]:
        """The blocks as Slack stores them: each has a ``block_id``."""
        return [{**block, "block_id": block.get("block_id") or self._workspace.ids.secret(5)} for block in blocks]


def _subtype(draft: Draft) -> str | None:
    if draft.broadcast and draft.thread_ts is not None:
        return "thread_broadcast"
    return "file_share" if draft.files else None
