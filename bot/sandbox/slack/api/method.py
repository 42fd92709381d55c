"""What a Web API method is, and what all of them share: finding things with Slack's errors, pages, scopes."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ..calls import Call, RateLimits, Tokens
from ..entities import Channel, Message, Person
from ..files import Files
from ..settings import Settings
from ..shapes import Shapes
from ..sockets import SocketMode
from ..timeline import Timeline
from ..views import Views
from ..wire import Json, Misuse, SlackError
from ..workspace import Workspace

T = TypeVar("T")

_SCOPE_PREFIX = {"channel": "channels", "group": "groups", "im": "im", "mpim": "mpim"}


@dataclass(frozen=True, kw_only=True)
class Backend:
    """Everything that methods work on."""

    workspace: Workspace
    shapes: Shapes
    timeline: Timeline
    files: Files
    views: Views
    sockets: SocketMode
    tokens: Tokens
    limits: RateLimits
    settings: Callable[[], Settings]
    origin: Callable[[], str]

    @property
    def bot(self) -> Person:
        """The bot user."""
        return self.workspace.people[self.workspace.app.user_id]


@dataclass(frozen=True, kw_only=True)
class Method:
    """One method: its function, the arguments it needs, one scope of which any will do.

    ``scopes`` such as ``channels:history, groups:history`` are narrowed by `need_scope` once the kind of the
    conversation is known.
    """

    name: str
    run: Callable[[Backend, Call], Awaitable[Json]]
    required: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    app_level: bool = False
    anonymous: bool = False


def check_arguments(method: Method, call: Call) -> None:
    """Raises ``invalid_arguments`` when one that is needed is missing."""
    missing = [name for name in method.required if call.arguments.get(name) in (None, "")]
    if missing:
        messages = [f"[ERROR] missing required field: {name}" for name in missing]
        raise SlackError("invalid_arguments", response_metadata={"messages": messages})


def check_scopes(settings: Settings, scopes: Sequence[str]) -> None:
    """Raises ``missing_scope`` unless the token has one of these."""
    if scopes and not set(scopes) & set(settings.scopes):
        provided = ",".join(sorted(settings.scopes))
        raise SlackError("missing_scope", needed=",".join(scopes), provided=provided)


def need_scope(backend: Backend, channel: Channel, verb: str) -> None:
    """The scope for this kind of conversation: ``channels:history``, ``groups:history``, ``im:history``…"""
    check_scopes(backend.settings(), (f"{_SCOPE_PREFIX[channel.kind]}:{verb}",))


def visible_channel(backend: Backend, key: str) -> Channel:
    """A conversation that the bot can know of: public ones, and others where it is a member."""
    channel = backend.workspace.channels.get(key)
    if channel is None or (channel.kind != "channel" and not backend.workspace.bot_is_in(channel)):
        raise SlackError("channel_not_found")
    return channel


def joined_channel(backend: Backend, key: str) -> Channel:
    """A conversation of which the bot is a member."""
    channel = visible_channel(backend, key)
    if not backend.workspace.bot_is_in(channel):
        raise SlackError("not_in_channel")
    return channel


def postable_channel(backend: Backend, key: str) -> Channel:
    """Where the bot may post: an id, a ``#name``, or a user's id for their direct messages."""
    if key in backend.workspace.people:
        person = backend.workspace.people[key]
        if person.is_bot or person.deleted or person.is_stranger:
            raise SlackError("channel_not_found")
        return backend.workspace.direct_messages(key)
    if key.startswith("#"):
        try:
            key = backend.workspace.channel(key).id
        except Misuse as problem:
            raise SlackError("channel_not_found") from problem
    channel = joined_channel(backend, key)
    if channel.is_archived:
        raise SlackError("is_archived")
    return channel


def standing_message(channel: Channel, ts: str) -> Message:
    """A message that was not deleted."""
    message = channel.messages.get(ts)
    if message is None or message.deleted or message.tombstone:
        raise SlackError("message_not_found")
    return message


def page(items: Sequence[T], call: Call, *, default: int, most: int) -> tuple[list[T], Json]:
    """One page by ``limit`` and ``cursor``, and the ``response_metadata`` that leads to the next."""
    limit = call.number("limit", default, most=most)
    start = _offset(call.text("cursor"))
    end = start + limit
    following = _cursor(end) if end < len(items) else ""
    return list(items[start:end]), {"response_metadata": {"next_cursor": following}}


def _cursor(offset: int) -> str:
    return base64.b64encode(f"next:{offset}".encode()).decode()


def _offset(cursor: str) -> int:
    if not cursor:
        return 0
    try:
        word, _, number = base64.b64decode(cursor, validate=True).decode().partition(":")
        if word != "next":
            raise SlackError("invalid_cursor")
        return int(number)
    except (binascii.Error, ValueError) as problem:
        raise SlackError("invalid_cursor") from problem


def objects(value: Any, error: str) -> list[Json]:
    """A list of objects, or `SlackError` with ``error``."""
    if value in (None, ""):
        return []
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise SlackError(error)
    return value
