"""What the services need of the world, written as contracts.

Implementations live at the edges (``storage``, ``handlers.chat``, ``bot.providers``, ``bot.fetch``) and are tested
by one suite a port. A port speaks in values of ``bot.domain``; vendor errors are translated where they happen.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from bot.domain.budget import Cap, Entry, Hold, UsageRow
from bot.domain.capabilities import Capabilities
from bot.domain.failure import Failure
from bot.domain.job import (
    Ask,
    Attempt,
    Decision,
    Evidence,
    Job,
    Ownership,
    State,
    Supporter,
    Thread,
    TimelineEntry,
    Wish,
)
from bot.domain.notice import Notice
from bot.domain.recipe import Recipe

# --- time ------------------------------------------------------------------------------------------------------------


class Clock(Protocol):
    """Wall time for records, waiting for the loops, and randomness; a simulation brings its own."""

    def now(self) -> datetime:
        """The time, UTC and aware."""

    def monotonic(self) -> float:
        """Seconds that never step back; only differences mean anything."""

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""

    def random_bits(self, count: int) -> int:
        """That many random bits as an integer, unguessable in the real clock."""

    def chance(self) -> float:
        """A number in [0, 1) for spreading retries."""


# --- storage ---------------------------------------------------------------------------------------------------------


class StorageError(Exception):
    """Storage could not do it. Nothing of the transaction was written, unless a subclass says otherwise."""

    may_pass = True
    """Whether the same again may succeed later."""


class StorageBusy(StorageError):
    """The database was locked or away for longer than a person can be kept waiting."""


class CommitUnknown(StorageError):
    """The connection died while the commit was under way. Unlike every other StorageError this does not
    mean that nothing was written: read back by key before doing it again."""

    def __init__(self) -> None:
        super().__init__("The connection to the database broke at the commit: what was written is to be read back.")


class Fenced(StorageError):
    """The job is no longer ours, or somebody moved it since it was read: reload, do not insist."""

    may_pass = False


class AlreadyLive(StorageError):
    """A live ask already has this unique key."""

    may_pass = False

    def __init__(self, unique_key: str) -> None:
        self.unique_key = unique_key
        super().__init__(f"An ask with the key {unique_key} is already live.")


class Inbox(Protocol):
    """Outside events enter through a unique key; the second delivery is a no-op."""

    async def take(self, workspace: str, key: str, at: datetime) -> bool:
        """Record the key; False when it was there already. Part of the transaction: a rollback forgets it."""

    async def forget_before(self, before: datetime) -> int:
        """Drop keys older than that (Slack redelivers for minutes; keep days). Returns how many."""


class Jobs(Protocol):
    """Threads, asks, jobs, and what is known of their attempts. Reads inside a transaction see its own writes."""

    async def add_thread(self, thread: Thread) -> None:
        """Record a new thread."""

    async def thread(self, workspace: str, thread_id: str) -> Thread:
        """That thread; KeyError when unknown."""

    async def find_thread(self, workspace: str, channel: str, root_ts: str) -> Thread | None:
        """Our thread with that root message, if it is ours."""

    async def take_numbers(self, workspace: str, thread_id: str, count: int) -> int:
        """Reserve that many clip numbers in the thread; returns the first."""

    async def add_ask(self, ask: Ask) -> None:
        """Record an ask. Raises AlreadyLive when its unique key is taken by a live one."""

    async def ask(self, workspace: str, ask_id: str) -> Ask:
        """That ask, with ``root_ts`` read from its thread; KeyError when unknown."""

    async def live_ask(self, workspace: str, unique_key: str) -> Ask | None:
        """The live ask with that unique key."""

    async def find_card(self, workspace: str, channel: str, card_ts: str) -> Ask | None:
        """The ask whose card is that message."""

    async def decide(self, workspace: str, ask_id: str, decision: Decision, person: str | None) -> bool:
        """Pass the ask's gate, once: False when it was decided before. GO also makes ``person`` the payer of the ask
        and of its jobs. Counts up the ask's version."""

    async def retire(self, workspace: str, ask_id: str) -> None:
        """The ask is live no more: its unique key is free."""

    async def redraw(self, workspace: str, ask_id: str) -> None:
        """Count up the ask's version: its card is to be drawn again."""

    async def support(self, workspace: str, ask_id: str, supporter: Supporter) -> None:
        """Record that a person's reaction asks for it; the first time of each person stays."""

    async def supporters(self, workspace: str, ask_id: str) -> tuple[Supporter, ...]:
        """Who reacted, earliest first."""

    async def claim_cards(self, ownership: Ownership, limit: int, now: datetime) -> list[Ask]:
        """Asks whose card is missing or behind, that are unowned, owned by a lapsed process, or already ours; they
        are ours afterwards. Oldest first."""

    async def card_intended(self, workspace: str, ask_id: str) -> None:
        """The post of the card is about to be sent."""

    async def card_posted(self, workspace: str, ask_id: str, card_ts: str, version: int) -> None:
        """The card stands as that message and shows that version. Where the thread has no root yet, it becomes it."""

    async def card_drawn(self, workspace: str, ask_id: str, version: int) -> None:
        """The card was edited and shows that version."""

    async def thread_gone(self, workspace: str, ask_id: str, root_ts: str) -> None:
        """Slack no longer has the thread of this ask: forget its root, unless that is another one by now, and intend a
        new card for the ask, which becomes the new root."""

    async def card_lost(self, workspace: str, ask_id: str) -> None:
        """The card's message is gone: a new one is to be posted."""

    async def add(self, job: Job, entry: TimelineEntry) -> None:
        """Record a new job with the first line of its timeline."""

    async def job(self, workspace: str, job_id: str) -> Job:
        """That job; KeyError when unknown."""

    async def of_ask(self, workspace: str, ask_id: str) -> tuple[Job, ...]:
        """The ask's jobs by number."""

    async def in_thread(self, workspace: str, thread_id: str) -> tuple[Job, ...]:
        """The thread's jobs by number."""

    async def by_message(self, workspace: str, channel: str, message_ts: str) -> Job | None:
        """The job whose clip stands as that message."""

    async def being_shared(self, workspace: str, channel: str) -> tuple[Job, ...]:
        """Jobs in that channel whose share is intended and not yet seen: their message may stand already."""

    async def by_task(self, provider: str, task_id: str) -> Job | None:
        """The job that has this provider task, of whichever workspace."""

    async def find(self, job_id_prefix: str) -> tuple[Job, ...]:
        """Jobs whose id begins so, over all workspaces: for the operator's command line."""

    async def listing(self, *, state: State | None, limit: int) -> tuple[tuple[Job, Ask], ...]:
        """Jobs with their asks over all workspaces, newest first: for the operator's command line."""

    async def save(self, job: Job, ownership: Ownership, entry: TimelineEntry) -> Job:
        """Write a moved job and a line of its timeline; returns it with its new version. Raises Fenced unless the
        stored row has this owner, this epoch and the version that was read. The flags ``cancel_by``, ``wish`` and
        ``wish_by`` belong to people and are not written."""

    async def request_cancel(self, workspace: str, job_id: str, person: str) -> None:
        """Flag that a person asked to stop; the first stays."""

    async def wish(self, workspace: str, job_id: str, wish: Wish, person: str) -> None:
        """Flag what a person pressed; a later press replaces an earlier one."""

    async def clear_wish(self, workspace: str, job_id: str, wish: Wish) -> None:
        """That wish was acted upon; another one pressed meanwhile stays. A clip that is to be delivered after all is
        not to be stopped any more either."""

    async def claim(self, ownership: Ownership, limit: int, now: datetime) -> list[Job]:
        """Take over up to ``limit`` jobs that are unfinished (or final with a wish) and unowned or owned by a process
        whose lease has lapsed, oldest first; they carry our owner and epoch afterwards."""

    async def flagged(self, ownership: Ownership, limit: int) -> list[Job]:
        """Our jobs that carry a flag or a wish, and our waiting jobs whose ask was decided."""

    async def lock_provider(self, provider: str) -> None:
        """Make counting places and taking one atomic over every process, until this transaction ends."""

    async def in_flight(self, provider: str) -> int:
        """How many jobs take one of the provider's places, over all workspaces."""

    async def count_by_state(self) -> Mapping[tuple[str, State], int]:
        """How many jobs there are, by provider and state, over all workspaces."""

    async def ahead(self, job: Job) -> int:
        """How many queued jobs of the same provider were accepted before this one."""

    async def add_attempt(self, attempt: Attempt) -> None:
        """Record the intention of a POST. The same attempt again changes nothing: its first key and bytes stay."""

    async def attempt(self, workspace: str, job_id: str, number: int) -> Attempt | None:
        """That attempt, with the bytes that were intended."""

    async def add_evidence(self, evidence: Evidence) -> None:
        """Add what was learned; needs no ownership."""

    async def evidence(self, workspace: str, job_id: str) -> tuple[Evidence, ...]:
        """All that was learned about the job, oldest first."""

    async def timeline(self, workspace: str, job_id: str) -> tuple[TimelineEntry, ...]:
        """What happened to the job, oldest first."""


class Ledger(Protocol):
    """Append-only rows; balances are sums. At most one hold and one closing row for each (job, attempt)."""

    async def hold(self, holds: Sequence[Hold], caps: Sequence[Cap]) -> None:
        """Set money aside for all of them or none. Locks the rows of the caps in the order given, then sums, then
        writes; raises OverCap for the first cap that the holds together would pass. A hold that is there already is
        not written or counted again."""

    async def settle(self, workspace: str, job_id: str, attempt: int, cost_micro_usd: int, at: datetime) -> bool:
        """Close the hold with the true cost. False when there is no open hold."""

    async def release(self, workspace: str, job_id: str, attempt: int, at: datetime) -> bool:
        """Close the hold on proof that nothing was charged. False when there is no open hold."""

    async def committed(self, cap: Cap, workspace: str) -> int:
        """Micro-dollars held and settled under that cap."""

    async def entries(self, workspace: str | None = None, job_id: str | None = None) -> tuple[Entry, ...]:
        """Rows, oldest first."""

    async def usage(self, month: str) -> tuple[UsageRow, ...]:
        """The month's sums over all workspaces."""


class Leases(Protocol):
    """One row a process: who may move jobs, until when."""

    async def register(self, owner: str, now: datetime, until: datetime, *, alone: bool) -> Ownership:
        """Begin with an epoch higher than any before. ``alone`` says that no other process can be running (it holds
        the file's lock): every other lease lapses at once."""

    async def renew(self, ownership: Ownership, until: datetime) -> bool:
        """Prolong; False when the lease is no longer ours."""

    async def holds(self, ownership: Ownership, now: datetime) -> bool:
        """Whether the lease is ours and has not lapsed."""

    async def release(self, ownership: Ownership, now: datetime) -> None:
        """Let go: others may take over at once."""


class Transaction(Protocol):
    """All that happens in it is written together or not at all."""

    @property
    def inbox(self) -> Inbox: ...
    @property
    def jobs(self) -> Jobs: ...
    @property
    def ledger(self) -> Ledger: ...
    @property
    def leases(self) -> Leases: ...


class Storage(Protocol):
    """The database."""

    def begin(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction: commits when the block ends, rolls back when it raises. Raises StorageBusy when it cannot
        begin or commit within about 2 seconds. Keep it short and make no remote call inside it."""

    def read(self) -> AbstractAsyncContextManager[Transaction]:
        """The same view for reading only, beside writers; nothing written in it stays."""


# --- clips -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class StoredClip:
    """A clip on our storage, named by its hash, so that storing it twice is harmless."""

    key: str
    sha256: str
    size: int


class ClipTooLarge(Exception):
    """The clip is over the size limit; nothing of it was kept."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        super().__init__(f"The clip is larger than {limit_bytes / 1_000_000:.0f} MB.")


class ClipsUnavailable(Exception):
    """The media store could not take or give the bytes now (disk full, store away). Nothing half-written stays."""


class Clips(Protocol):
    """Our own copies of clips."""

    async def put(self, workspace: str, chunks: AsyncIterator[bytes], *, limit_bytes: int) -> StoredClip:
        """Store a clip from a stream, durably before this returns: temporary file, hash, fsync, rename. What the
        stream raises is passed on, and nothing is kept then. Raises ClipTooLarge, ClipsUnavailable."""

    def open(self, key: str) -> AsyncIterator[bytes]:
        """The bytes in chunks. Raises KeyError when there is no such clip, ClipsUnavailable."""

    async def size(self, key: str) -> int | None:
        """Bytes of that clip, None when there is none."""

    async def sweep(self) -> int:
        """Remove temporary files of earlier processes; how many. Called once at the start."""


# --- fetching --------------------------------------------------------------------------------------------------------


class FetchError(Exception):
    """A link could not be fetched now; trying again may help."""


class LinkRefused(FetchError):
    """The link points where we do not go (not https, a private address, a redirect): it will not get better."""


class LinkExpired(FetchError):
    """403, 404 or 410: the link is dead; the task may give a fresh one."""


class Fetcher(Protocol):
    """Guarded downloads of links that we did not make."""

    def open(self, url: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The body in chunks, under a deadline and a minimum rate. Raises FetchError or a subclass, also from the
        chunks: a body shorter than announced is an error, never a short clip."""


# --- providers -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Order:
    """A billed POST, ready to be sent: pure data, the same bytes each time."""

    key: str
    body: bytes


@dataclass(frozen=True, kw_only=True)
class OrderAccepted:
    """The provider took it. ``cost_micro_usd`` when the answer says what was charged."""

    task_id: str
    cost_micro_usd: int | None = None


@dataclass(frozen=True, kw_only=True)
class OrderNotSent:
    """The request provably never reached the provider."""

    why: str


@dataclass(frozen=True, kw_only=True)
class OrderRefused:
    """Definitely not accepted and not charged."""

    failure: Failure


@dataclass(frozen=True, kw_only=True)
class OrderThrottled:
    """Not accepted for now (429); ``retry_after_seconds`` as far as it could be read."""

    retry_after_seconds: float | None


@dataclass(frozen=True, kw_only=True)
class OrderInFlight:
    """The provider is still working on a POST with this very key (HiAPI's 409): ask again with it."""

    retry_after_seconds: float | None


@dataclass(frozen=True, kw_only=True)
class OrderUnknown:
    """It may have been accepted and charged, or not."""

    why: str
    repeatable: bool = True
    """False when repeating with the key would prove nothing (HiAPI's 422 mismatch)."""


OrderOutcome = OrderAccepted | OrderNotSent | OrderRefused | OrderThrottled | OrderInFlight | OrderUnknown


@dataclass(frozen=True, kw_only=True)
class TaskRunning:
    """Not finished. ``odd`` is a status word that is not in the provider's document, worth one warning."""

    odd: str | None = None


@dataclass(frozen=True, kw_only=True)
class TaskFinished:
    """The clip is ready behind ``url`` (a bearer secret). ``expires_at`` is None when the provider does not say."""

    url: str = field(repr=False)
    expires_at: datetime | None
    cost_micro_usd: int | None = None


@dataclass(frozen=True, kw_only=True)
class TaskFailed:
    """The render failed. ``charged`` says whether the provider keeps the money."""

    failure: Failure
    charged: bool


@dataclass(frozen=True, kw_only=True)
class TaskMissing:
    """The provider does not know the task (any more, or yet)."""


@dataclass(frozen=True, kw_only=True)
class TaskUnreadable:
    """No news: the provider was away, throttled us, or answered something unreadable."""

    why: str
    retry_after_seconds: float | None = None


TaskReport = TaskRunning | TaskFinished | TaskFailed | TaskMissing | TaskUnreadable


class Provider(Protocol):
    """One vendor. It classifies; it never retries and never sleeps."""

    @property
    def name(self) -> str: ...

    @property
    def capabilities(self) -> tuple[Capabilities, ...]:
        """One a tier."""

    def order(self, recipe: Recipe, key: str) -> Order:
        """The POST for this recipe. Pure. The recipe fits the capabilities."""

    async def submit(self, order: Order) -> OrderOutcome:
        """Send the billed POST once, on a fresh connection, following no redirect, within SUBMIT_DEADLINE. Raises
        nothing but CancelledError, after which the outcome is unknown."""

    async def look(self, task_id: str) -> TaskReport:
        """Ask once how the task is. Raises nothing but CancelledError."""


# --- Slack -----------------------------------------------------------------------------------------------------------


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


class MessageGone(ChatError):
    """The message or file that was to be changed is not there."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """All that a card shows: it is a pure function of this."""

    ask: Ask
    jobs: tuple[Job, ...]
    parent: Job | None
    ahead: int | None
    """Queued clips before this ask's first one, when it was posted; None when nothing is queued."""
    now: datetime


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

    async def find_share(self, file_id: str, channel: str) -> str | None:
        """The ts of the file's message in the channel; None while there is none. Raises MessageGone when there is no
        such file (never completed, or deleted)."""

    async def delete_file(self, file_id: str) -> None:
        """Delete one of our files; an absent one is fine."""

    async def reactors(self, channel: str, ts: str, names: Sequence[str]) -> tuple[str, ...]:
        """Who stands behind one of these reactions on the message, now. Raises MessageGone."""

    async def tell(self, ask: Ask, notice: Notice, job: Job | None = None) -> None:
        """Tell the asker alone: by the command's answer URL, ephemerally, or by direct message, whichever works."""
