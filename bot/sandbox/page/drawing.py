"""The workspace's entities as the page gets them: what it draws, and nothing else."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from ..slack.entities import Channel, Ephemeral, File, Message, Person, View
from ..slack.settings import Settings
from ..slack.shapes import mimetype
from ..slack.workspace import Workspace

Json = dict[str, Any]


def message(workspace: Workspace, channel: Channel, shown: Message) -> Json:
    """A message; of a deleted one only that it is gone."""
    place: Json = {"channel": channel.id, "ts": shown.ts}
    if shown.deleted:
        return place | {"deleted": True}
    replies = list(workspace.replies(channel, shown.ts)) if shown.ts in channel.threads else []
    summary = None
    if replies:
        users = list(dict.fromkeys(reply.user for reply in replies))
        summary = {"count": len(replies), "users": users[:4], "latest": replies[-1].ts}
    return place | {
        "user": shown.user,
        "text": shown.text,
        "blocks": shown.blocks,
        "attachments": shown.attachments,
        "files": [file(workspace.files[key]) for key in shown.files],
        "reactions": [{"name": name, "users": users} for name, users in shown.reactions.items()],
        "thread_ts": shown.thread_ts if shown.is_reply else None,
        "broadcast": shown.broadcast,
        "replies": summary,
        "edited": shown.edited is not None,
        "tombstone": shown.tombstone,
    }


def file(shown: File) -> Json:
    """A file; ``state`` is ready, processing or deleted."""
    if shown.deleted:
        return {"id": shown.id, "state": "deleted"}
    return {
        "id": shown.id,
        "name": shown.name,
        "title": shown.title,
        "mimetype": mimetype(shown),
        "size": shown.size,
        "state": "ready" if shown.processed and shown.received is not None else "processing",
        "url": f"/page/file/{shown.id}/{quote(shown.name, safe='')}",
    }


def ephemeral(shown: Ephemeral) -> Json:
    """A message for one person."""
    if shown.deleted:
        return {"channel": shown.channel, "ts": shown.ts, "deleted": True}
    return {
        "channel": shown.channel,
        "ts": shown.ts,
        "for": shown.user,
        "user": shown.author,
        "text": shown.text,
        "blocks": shown.blocks,
        "thread_ts": shown.thread_ts,
    }


def channel(shown: Channel) -> Json:
    """A conversation without its messages."""
    return {
        "id": shown.id,
        "name": shown.name,
        "kind": shown.kind,
        "is_archived": shown.is_archived,
        "members": shown.members,
    }


def person(shown: Person) -> Json:
    """A person, a guest, a stranger or a bot."""
    return {
        "id": shown.id,
        "name": shown.name,
        "real_name": shown.real_name,
        "is_bot": shown.is_bot,
        "is_admin": shown.is_admin,
        "is_guest": shown.is_restricted or shown.is_ultra_restricted,
        "is_stranger": shown.is_stranger,
        "deleted": shown.deleted,
    }


def view(shown: View) -> Json:
    """A modal or a Home tab; of a closed one only that it is closed."""
    if not shown.is_open:
        return {"id": shown.id, "is_open": False}
    body = shown.body
    return {
        "id": shown.id,
        "is_open": True,
        "user": shown.user,
        "type": body["type"],
        "blocks": body["blocks"],
        "title": body.get("title"),
        "submit": body.get("submit"),
        "close": body.get("close"),
        "hash": shown.hash,
        "notes": shown.notes,
    }


def settings(current: Settings) -> Json:
    """What of the app's manifest the page needs."""
    hints = current.command_hints
    return {
        "commands": [
            {
                "command": name,
                "description": hints.get(name, {}).get("description", ""),
                "usage_hint": hints.get(name, {}).get("usage_hint", ""),
            }
            for name in current.commands
        ],
        "shortcuts": [dict(one) for one in current.shortcuts],
        "has_home": "app_home_opened" in current.subscriptions,
    }
