"""Slack, outgoing."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from bot.domain.access import Member
from bot.domain.announcement import Announcement
from bot.domain.job import (
    Ask,
    Job,
)
from bot.domain.notice import Notice


class ChatError(Exception):
    """Slack could not do it now; trying again may help. ``code`` is Slack's word, for the log."""

    def __init__(self, code: str, retry_after_seconds: float | None = None) -> None:
        self.code, self.retry_after_seconds = code, retry_after_seconds
        super().__init__(f"Slack answered {code}.")


class ChatUnknown(ChatError):
    """The call may have been done, or not: read back before sending it again."""


class ChatRefused(ChatError):
    """Slack will not do this here (not in channel, archived, no such channel, restricted)."""


class ThreadGone(ChatRefused):
    """The thread's root message was deleted, and with it the thread: nothing can be posted into it any more."""


class ChatUnauthorized(ChatError):
    """Slack refuses our token or a scope is missing: every call will fail until somebody mends it."""


class ChatForbidden(ChatUnauthorized):
    """A scope is missing for this call: others may go through all the same."""


class MessageGone(ChatError):
    """The message or file that was to be changed is not there."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """Where a queued clip stands among those of the same payer, of whom only so many run at once."""

    running: int
    """Of the payer's, at providers now."""
    place: int
    """1 is next."""


@dataclass(frozen=True, kw_only=True)
class Balance:
    """What the ledger says of an ask's clips, in micro-dollars."""

    held: int
    spent: int


@dataclass(frozen=True, kw_only=True)
class Elsewhere:
    """Another provider that would make a clip now, and what it is held at there."""

    provider: str
    price_micro_usd: int
    price_assumed: bool


@dataclass(frozen=True, kw_only=True)
class Card:
    """All that a card shows: it is a pure function of this."""

    ask: Ask
    jobs: tuple[Job, ...]
    parent: Job | None
    ahead: int | None
    """Queued clips before this ask's first one, when it was posted; None when nothing is queued."""
    now: datetime
    turn: Turn | None = None
    """Of the ask's first queued clip; None unless its payer's limit of running clips is what it waits for."""
    balance: Balance | None = None
    """None where the clips' own prices and costs say as much."""
    stoppable: frozenset[str] = frozenset()
    """Ids of the clips whose provider can be asked to stop what is ordered."""
    elsewhere: Mapping[str, Elsewhere] = field(default_factory=dict)
    """By the id of a clip whose provider takes no orders, where another one would make it."""
    promote_emoji: str | None = "rocket"
    """The reaction that makes a final in this channel; None where none does."""


@dataclass(frozen=True, kw_only=True)
class ClipPost:
    """All that the message with a clip shows."""

    ask: Ask
    job: Job
    parent: Job | None


@dataclass(frozen=True, kw_only=True)
class Slot:
    """Where Slack wants the bytes: a URL (a bearer secret) and the id the file will have."""

    url: str = field(repr=False)
    file_id: str


@dataclass(frozen=True, kw_only=True)
class Share:
    """Where a file stands in a channel."""

    message_ts: str
    public: bool
    """Whether it is a public channel: whoever is of the workspace may look into it."""


class Chat(Protocol):
    """Slack, outgoing. Every method makes at most one call that people can see, and never repeats it by itself.

    Raises ChatError or a subclass. ``channel`` and ``ts`` are Slack's own ids.
    """

    async def post_card(self, card: Card) -> str:
        """Post the card (in its thread when it has one); returns its ts. Its metadata carries the ask's id."""

    async def find_card(self, ask: Ask) -> str | None:
        """Read back whether the ask's card stands, by metadata; its ts."""

    async def update_card(self, card: Card) -> None:
        """Edit the posted card. Raises MessageGone."""

    async def reserve(self, post: ClipPost, size: int) -> Slot:
        """Ask for a place to upload the clip of that many bytes. Invisible and harmless to repeat."""

    async def send(self, slot: Slot, size: int, chunks: AsyncIterator[bytes]) -> None:
        """Stream the bytes there. Nothing is visible yet."""

    async def share(self, file_id: str, post: ClipPost) -> None:
        """Ask Slack to share the file in the ask's thread. Slack may say ok and share later, or never."""

    async def find_share(self, file_id: str, channel: str) -> Share | None:
        """The file's message in the channel; None while there is none. Raises MessageGone when there is no such file
        (never completed, or deleted)."""

    async def delete_file(self, file_id: str) -> None:
        """Delete one of our files; an absent one is fine."""

    async def reactors(self, channel: str, ts: str, names: Sequence[str]) -> tuple[str, ...]:
        """Who stands behind one of these reactions on the message, now. Raises MessageGone."""

    async def tell(self, ask: Ask, notice: Notice, job: Job | None = None) -> None:
        """Tell the asker alone: by the command's answer URL, ephemerally, or by direct message, whichever works."""

    async def explain(self, channel: str, person: str, error: Exception) -> None:
        """Tell that person alone, in the channel, why nothing comes of what they asked for."""

    async def announce(self, announcement: Announcement) -> str:
        """Post it to its channel, or to its person directly; returns its ts. Its metadata carries its key."""

    async def find_announcement(self, announcement: Announcement) -> str | None:
        """Read back whether it stands, by metadata; its ts."""


class Directory(Protocol):
    """Who people are, as Slack knows them."""

    async def member(self, person: str) -> Member | None:
        """What Slack says of the person; None when it knows nobody of that id. Raises ChatError when Slack could not
        be asked."""

    async def admins(self) -> tuple[str, ...]:
        """Owners and admins of the workspace, for news that nobody was named for; where there are very many, some.
        Raises ChatError."""
