"""People, channels, messages, files and views as the workspace keeps them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from .wire import Json

ChannelKind = Literal["channel", "group", "im", "mpim"]


@dataclass(frozen=True, kw_only=True)
class Team:
    """The workspace in which the app is installed."""

    id: str
    name: str
    domain: str


@dataclass(frozen=True, kw_only=True)
class App:
    """The installed app and its bot user."""

    id: str
    bot_id: str
    user_id: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Person:
    """A user of the workspace, a guest, a stranger from another organisation, or the bot user."""

    id: str
    name: str
    real_name: str
    team_id: str
    is_owner: bool = False
    is_admin: bool = False
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    is_stranger: bool = False
    is_bot: bool = False
    deleted: bool = False
    tz: str = "Europe/Amsterdam"
    tz_offset: int = 3600


@dataclass(kw_only=True)
class Message:
    """One message. ``ts`` is its identity in its channel; ``revisions`` are the block lists it had before."""

    ts: str
    channel: str
    user: str
    text: str
    thread_ts: str | None = None
    subtype: str | None = None
    bot_id: str | None = None
    team: str | None = None
    blocks: list[Json] = field(default_factory=list)
    attachments: list[Json] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    reactions: dict[str, list[str]] = field(default_factory=dict)
    metadata: Json | None = None
    edited: Json | None = None
    broadcast: bool = False
    client_msg_id: str | None = None
    deleted: bool = False
    tombstone: bool = False
    revisions: list[list[Json]] = field(default_factory=list)

    @property
    def is_reply(self) -> bool:
        """Whether it stands in another message's thread."""
        return self.thread_ts is not None and self.thread_ts != self.ts


@dataclass(kw_only=True)
class Ephemeral:
    """A message that only one person sees. It is never in a channel's history."""

    ts: str
    channel: str
    user: str  # who sees it
    author: str  # the bot's user id, or USLACKBOT
    text: str
    blocks: list[Json] = field(default_factory=list)
    thread_ts: str | None = None
    deleted: bool = False
    revisions: list[list[Json]] = field(default_factory=list)


@dataclass(kw_only=True)
class Channel:
    """A conversation: its members, its messages in order of time, its threads by their parent's ``ts``."""

    id: str
    name: str
    kind: ChannelKind
    creator: str
    created: int
    members: list[str] = field(default_factory=list)
    is_archived: bool = False
    messages: dict[str, Message] = field(default_factory=dict)
    threads: dict[str, list[str]] = field(default_factory=dict)
    ephemerals: dict[str, Ephemeral] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The name that a command's payload carries."""
        return {"im": "directmessage", "group": "privategroup"}.get(self.kind, self.name)


@dataclass(kw_only=True)
class File:
    """A file: its bytes at ``path``; ``shares`` maps channel ids to the messages that show it."""

    id: str
    name: str
    title: str
    user: str
    size: int
    created: int
    path: Path
    upload_token: str | None = None
    alt_txt: str = ""
    received: int | None = None  # bytes that came in; None before the upload
    completed: bool = False  # files.completeUploadExternal was called
    processed: bool = False  # Slack knows its type; before that mimetype is empty
    deleted: bool = False
    hidden: bool = False  # behind the limit of a free plan
    external_url: str = ""  # where it really lies, when it only stands in Slack
    shares: dict[str, list[Json]] = field(default_factory=dict)


@dataclass(kw_only=True)
class View:
    """A modal or a Home tab as one person has it open."""

    id: str
    user: str
    body: Json
    hash: str
    root: str
    previous: str | None = None
    is_open: bool = True
    notes: dict[str, str] = field(default_factory=dict)  # errors shown under blocks, by block_id
