"""The sandbox's state as JSON: what tests assert on and what a page draws."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any, TypeVar

from .slack.entities import Channel, File, Message, View
from .slack.slack import Slack
from .slack.sockets import Envelope

Json = dict[str, Any]
T = TypeVar("T")


def state(slack: Slack, *, channel: str | None = None, deliveries: int = 500) -> Json:
    """Everything in the workspace, or one channel's part of it; of envelopes and events the last
    ``deliveries``."""
    workspace = slack.workspace
    chosen = [one for one in workspace.channels.values() if channel is None or one.id == channel]
    return {
        "team": {"id": workspace.team.id, "name": workspace.team.name},
        "bot": {
            "user_id": workspace.app.user_id,
            "bot_id": workspace.app.bot_id,
            "installed": workspace.installed,
        },
        "users": {person.id: slack.shapes.person(person) for person in workspace.people.values()},
        "channels": {one.id: channel_state(slack, one) for one in chosen},
        "files": {file.id: file_state(slack, file) for file in workspace.files.values()},
        "views": [view_state(slack, view) for view in workspace.views.values()],
        "sockets": [{"number": one.number, "opened_at": one.opened_at} for one in slack.sockets.connections],
        "envelopes": [envelope_state(one) for one in _last(slack.sockets.envelopes, deliveries)],
        "events": [
            {
                "id": event.id,
                "type": event.wrapper["event"]["type"],
                "attempts": event.attempts,
                "acked": event.acked,
                "given_up": event.given_up,
            }
            for event in _last(slack.events.sent, deliveries)
        ],
    }


def _last(items: Sequence[T], count: int) -> list[T]:
    """The last items of a queue, in order."""
    return list(islice(items, max(0, len(items) - count), None))


def channel_state(slack: Slack, channel: Channel) -> Json:
    """A channel with all its messages, deleted ones too, and its ephemerals, in order of time."""
    return {
        "id": channel.id,
        "name": channel.name,
        "kind": channel.kind,
        "is_archived": channel.is_archived,
        "members": list(channel.members),
        "messages": [message_state(slack, one) for one in channel.messages.values()],
        "ephemerals": [slack.shapes.ephemeral(one) for one in channel.ephemerals.values()],
    }


def message_state(slack: Slack, message: Message) -> Json:
    """A message as Slack draws it, with its metadata and whether it was deleted, without the bot's portrait."""
    shape = slack.shapes.message(message, metadata=True)
    shape.pop("bot_profile", None)
    return shape | {
        "channel": message.channel,
        "deleted": message.deleted or message.tombstone,
        "broadcast": message.broadcast,
    }


def file_state(slack: Slack, file: File) -> Json:
    """A file as Slack draws it, and how far it got."""
    return slack.shapes.file(file) | {
        "name": file.name,
        "size": file.size,
        "received": file.received,
        "completed": file.completed,
        "processed": file.processed,
        "deleted": file.deleted,
        "share_places": {channel: [place["ts"] for place in places] for channel, places in file.shares.items()},
    }


def view_state(slack: Slack, view: View) -> Json:
    """A view, whose it is, whether it is open, and the errors shown under its blocks."""
    return slack.shapes.view(view) | {"user": view.user, "is_open": view.is_open, "notes": view.notes}


def envelope_state(envelope: Envelope) -> Json:
    """One delivery over Socket Mode."""
    return {
        "id": envelope.id,
        "type": envelope.type,
        "socket": envelope.socket,
        "sent_at": envelope.sent_at,
        "event_id": envelope.event_id,
        "retry_attempt": envelope.retry_attempt,
        "acked": envelope.acked,
        "ack_seconds": envelope.ack_seconds,
    }
