"""``reactions.*``: emoji on messages, and reading which stand."""

from __future__ import annotations

import re

from ..calls import Call
from ..entities import Channel, Message
from ..wire import Json, SlackError
from .method import Backend, Method, joined_channel, standing_message

_NAME = re.compile(r"[a-z0-9_+'\-]+(::skin-tone-[2-6])?")


def _item(backend: Backend, call: Call) -> tuple[Channel, Message]:
    if not call.text("channel") or not call.text("timestamp"):
        raise SlackError("no_item_specified")
    if not re.fullmatch(r"\d+\.\d+", call.text("timestamp")):
        raise SlackError("bad_timestamp")
    channel = joined_channel(backend, call.text("channel"))
    return channel, standing_message(channel, call.text("timestamp"))


def _name(call: Call) -> str:
    name = call.text("name").strip(":")
    if not _NAME.fullmatch(name):
        raise SlackError("invalid_name")
    return name


async def _add(backend: Backend, call: Call) -> Json:
    name = _name(call)
    channel, message = _item(backend, call)
    if channel.is_archived:
        raise SlackError("is_archived")
    backend.timeline.react(channel, message, backend.bot, name)
    return {}


async def _remove(backend: Backend, call: Call) -> Json:
    name = _name(call)
    channel, message = _item(backend, call)
    backend.timeline.unreact(channel, message, backend.bot, name)
    return {}


async def _get(backend: Backend, call: Call) -> Json:
    if call.text("file"):
        file = backend.workspace.files.get(call.text("file"))
        if file is None or file.deleted:
            raise SlackError("file_not_found")
        return {"type": "file", "file": backend.shapes.file(file)}
    channel, message = _item(backend, call)
    return {"type": "message", "channel": channel.id, "message": backend.shapes.message(message)}


METHODS = (
    Method(name="reactions.add", run=_add, required=("channel", "name", "timestamp"), scopes=("reactions:write",)),
    Method(name="reactions.remove", run=_remove, required=("name",), scopes=("reactions:write",)),
    Method(name="reactions.get", run=_get, scopes=("reactions:read",)),
)
