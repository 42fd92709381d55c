"""``conversations.*`` and ``users.conversations``: channels, their members, their messages."""

from __future__ import annotations

from collections.abc import Sequence

from ..calls import Call
from ..entities import Channel, Message
from ..wire import Json, SlackError
from .method import Backend, Method, joined_channel, need_scope, page, visible_channel

_READ = ("channels:read", "groups:read", "im:read", "mpim:read")
_HISTORY = ("channels:history", "groups:history", "im:history", "mpim:history")
_KINDS = {"public_channel": "channel", "private_channel": "group", "im": "im", "mpim": "mpim"}


async def _info(backend: Backend, call: Call) -> Json:
    channel = visible_channel(backend, call.text("channel"))
    need_scope(backend, channel, "read")
    shape = backend.shapes.channel(channel)
    if not call.flag("include_num_members"):
        shape.pop("num_members", None)
    return {"channel": shape}


async def _history(backend: Backend, call: Call) -> Json:
    """Newest first. With ``oldest`` and no ``latest`` the pages begin at the oldest end, as Slack's page of the method
    says."""
    channel = joined_channel(backend, call.text("channel"))
    need_scope(backend, channel, "history")
    messages = [
        message
        for message in channel.messages.values()
        if not message.deleted and (not message.is_reply or message.broadcast)
    ]
    chosen = _between(messages, call)
    forward = bool(call.text("oldest")) and not call.text("latest")
    if not forward:
        chosen.reverse()
    shown, following = page(chosen, call, default=100, most=999)
    newest_first = sorted(shown, key=lambda message: float(message.ts), reverse=True)
    return _messages(backend, call, newest_first, following) | {"pin_count": 0}


async def _replies(backend: Backend, call: Call) -> Json:
    channel = joined_channel(backend, call.text("channel"))
    need_scope(backend, channel, "history")
    parent = channel.messages.get(call.text("ts"))
    if parent is None or parent.deleted:
        raise SlackError("thread_not_found")
    replies = _between(list(backend.workspace.replies(channel, parent.ts)), call)
    shown, following = page([parent, *replies], call, default=1000, most=1000)
    return _messages(backend, call, shown, following)


def _between(messages: Sequence[Message], call: Call) -> list[Message]:
    """The messages between ``oldest`` and ``latest``; the bounds belong to it only with ``inclusive``."""
    oldest, latest = _moment(call, "oldest", 0.0), _moment(call, "latest", float("inf"))
    if call.flag("inclusive"):
        return [message for message in messages if oldest <= float(message.ts) <= latest]
    return [message for message in messages if oldest < float(message.ts) < latest]


def _moment(call: Call, name: str, default: float) -> float:
    raw = call.text(name)
    if not raw:
        return default
    try:
        return float(raw)
    except ValueError as problem:
        raise SlackError(f"invalid_ts_{name}") from problem


def _messages(backend: Backend, call: Call, shown: Sequence[Message], following: Json) -> Json:
    metadata = call.flag("include_all_metadata")
    drawn = [backend.shapes.message(message, metadata=metadata) for message in shown]
    has_more = bool(following["response_metadata"]["next_cursor"])
    return {"messages": drawn, "has_more": has_more} | (following if has_more else {})


async def _open(backend: Backend, call: Call) -> Json:
    if call.text("channel"):
        channel = visible_channel(backend, call.text("channel"))
        if channel.kind != "im":
            raise SlackError("method_not_supported_for_channel_type")
        return {"channel": _opened(backend, channel, call), "no_op": True, "already_open": True}
    users = [user for user in call.text("users").split(",") if user]
    if not users:
        raise SlackError("users_list_not_supplied")
    if len(users) > 1:
        raise SlackError("missing_scope", needed="mpim:write", provided=",".join(backend.settings().scopes))
    person = backend.workspace.people.get(users[0])
    if person is None or person.is_bot:
        raise SlackError("user_not_found")
    if person.deleted:
        raise SlackError("user_disabled")
    return {"channel": _opened(backend, backend.workspace.direct_messages(person.id), call)}


def _opened(backend: Backend, channel: Channel, call: Call) -> Json:
    return backend.shapes.channel(channel) if call.flag("return_im") else {"id": channel.id}


async def _members(backend: Backend, call: Call) -> Json:
    channel = visible_channel(backend, call.text("channel"))
    need_scope(backend, channel, "read")
    shown, following = page(channel.members, call, default=100, most=1000)
    return {"members": shown} | following


async def _join(backend: Backend, call: Call) -> Json:
    channel = visible_channel(backend, call.text("channel"))
    if channel.kind != "channel":
        raise SlackError("method_not_supported_for_channel_type")
    if channel.is_archived:
        raise SlackError("is_archived")
    backend.timeline.join(channel, backend.bot)
    return {"channel": backend.shapes.channel(channel)}


async def _list(backend: Backend, call: Call) -> Json:
    return _listed(backend, call, [c for c in backend.workspace.channels.values() if _visible(backend, c)])


async def _of_user(backend: Backend, call: Call) -> Json:
    user = call.text("user") or backend.bot.id
    if user not in backend.workspace.people:
        raise SlackError("user_not_found")
    channels = [c for c in backend.workspace.channels.values() if _visible(backend, c) and user in c.members]
    return _listed(backend, call, channels)


def _visible(backend: Backend, channel: Channel) -> bool:
    return channel.kind == "channel" or backend.workspace.bot_is_in(channel)


def _listed(backend: Backend, call: Call, channels: Sequence[Channel]) -> Json:
    words = [word.strip() for word in (call.text("types") or "public_channel").split(",")]
    if any(word not in _KINDS for word in words):
        raise SlackError("invalid_types")
    kinds = {_KINDS[word] for word in words}
    chosen = [c for c in channels if c.kind in kinds and not (call.flag("exclude_archived") and c.is_archived)]
    for channel in chosen:
        need_scope(backend, channel, "read")
    shown, following = page(chosen, call, default=100, most=999)
    return {"channels": [backend.shapes.channel(channel) for channel in shown]} | following


METHODS = (
    Method(name="conversations.info", run=_info, required=("channel",), scopes=_READ),
    Method(name="conversations.history", run=_history, required=("channel",), scopes=_HISTORY),
    Method(name="conversations.replies", run=_replies, required=("channel", "ts"), scopes=_HISTORY),
    Method(name="conversations.open", run=_open, scopes=("im:write",)),
    Method(name="conversations.members", run=_members, required=("channel",), scopes=_READ),
    Method(name="conversations.join", run=_join, required=("channel",), scopes=("channels:join",)),
    Method(name="conversations.list", run=_list, scopes=_READ),
    Method(name="users.conversations", run=_of_user, scopes=_READ),
)
