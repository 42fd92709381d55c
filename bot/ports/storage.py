"""The database, as transactions over its ports."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from bot.domain.announcement import Announcement
from bot.domain.audit import AuditEntry
from bot.domain.budget import Cap, Entry, Hold, UsageRow
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
from bot.domain.kept_file import KeptFile
from bot.domain.outage import Outage
from bot.domain.preferences import PreferencesVersion


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

    async def was_taken(self, workspace: str, key: str) -> bool:
        """Whether the key is there."""

    async def forget_before(self, before: datetime) -> int:
        """Drop keys older than that (Slack redelivers for minutes; keep days). Returns how many."""


class Jobs(Protocol):
    """Threads, asks, jobs, and what is known of their attempts. Reads inside a transaction see its own writes."""

    async def add_thread(self, thread: Thread) -> None:
        """Record a new thread."""

    async def open_thread(self, thread: Thread) -> Thread:
        """Record a thread below a message of somebody's, unless there is one: then that one is returned."""

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

    async def pass_on(self, workspace: str, ask_id: str, person: str) -> None:
        """That person is the payer of the ask from now on. Counts up the ask's version."""

    async def retire(self, workspace: str, ask_id: str) -> None:
        """The ask is live no more: its unique key is free."""

    async def redraw(self, workspace: str, ask_id: str) -> None:
        """Count up the ask's version: its card is to be drawn again."""

    async def add_note(self, workspace: str, ask_id: str, note: str) -> None:
        """Let the card say this sentence too, if it does not already. Counts up the ask's version."""

    async def redraw_line(self, workspace: str, person: str) -> None:
        """Count up the version of every ask with a queued job that this person pays: their cards say which in line
        each is. An ask that another transaction is writing is not waited for, and may be left out."""

    async def support(self, workspace: str, ask_id: str, supporter: Supporter) -> None:
        """Record that a person's reaction asks for it; the first time of each person stays."""

    async def supporters(self, workspace: str, ask_id: str) -> tuple[Supporter, ...]:
        """Who reacted, earliest first."""

    async def claim_cards(
        self, ownership: Ownership, limit: int, now: datetime, *, after: Ask | None = None
    ) -> list[Ask]:
        """Asks whose card is missing or behind, that are unowned, owned by a lapsed process, or already ours; they
        are ours afterwards. Oldest first, from the first that is younger than ``after``."""

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
        stored row has this owner, this epoch and the version that was read. The flags ``cancel_by``, ``wish``,
        ``wish_by`` and ``wish_micro_usd`` belong to people and are not written."""

    async def request_cancel(self, workspace: str, job_id: str, person: str) -> None:
        """Flag that a person asked to stop; the first stays."""

    async def wish(self, workspace: str, job_id: str, wish: Wish, person: str, micro_usd: int | None = None) -> None:
        """Flag what a person pressed, and what it may cost; a later press replaces an earlier one. ORDER_AGAIN, for
        which money is held, also counts up the job's version: who has not seen it can no longer end the job and leave
        that money behind."""

    async def clear_wish(self, workspace: str, job_id: str, wish: Wish, cancel_by: str | None = None) -> None:
        """That wish was acted upon; another one pressed meanwhile stays. A clip that is to be delivered after all is
        not to be stopped any more either by ``cancel_by``, as it was read with the wish; who asked since is heard."""

    async def claim(self, ownership: Ownership, limit: int, now: datetime) -> list[Job]:
        """Take over up to ``limit`` jobs that are unfinished (or final with a wish) and unowned or owned by a process
        whose lease has lapsed, oldest first; they carry our owner and epoch afterwards."""

    async def flagged(self, ownership: Ownership, limit: int) -> list[Job]:
        """Our jobs that carry a flag or a wish, and our waiting jobs whose ask was decided."""

    async def lock_provider(self, provider: str) -> None:
        """Make counting places and taking one atomic over every process, until this transaction ends."""

    async def in_flight(self, provider: str) -> int:
        """How many jobs take one of the provider's places, over all workspaces."""

    async def lock_person(self, workspace: str, person: str) -> None:
        """Make counting a person's running jobs and starting one atomic over every process, until this transaction
        ends. Taken before ``lock_provider``."""

    async def running_of(self, workspace: str, person: str) -> int:
        """How many jobs that this person pays take a provider's place."""

    async def count_by_state(self) -> Mapping[tuple[str, State], int]:
        """How many jobs there are, by provider and state, over all workspaces."""

    async def ahead(self, job: Job) -> int:
        """How many queued jobs of the same provider were accepted before this one."""

    async def ahead_of_payer(self, job: Job) -> int:
        """How many queued jobs that the same person pays were accepted before this one."""

    async def add_attempt(self, attempt: Attempt) -> None:
        """Record the intention of a POST. The same attempt again changes nothing: its first key and bytes stay."""

    async def attempt(self, workspace: str, job_id: str, number: int) -> Attempt | None:
        """That attempt, with the bytes that were intended."""

    async def by_callback_token(self, token: str) -> Attempt | None:
        """The attempt that was given this token, of whichever workspace."""

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

    async def adjust(self, workspace: str, job_id: str, attempt: int, cost_micro_usd: int, at: datetime) -> bool:
        """Bring the cost of a closed attempt to this figure, by a row with the difference: a provider that charged
        otherwise than it said, or gave money back. False when there is nothing closed, or the figure is that already.
        """

    async def committed(self, cap: Cap, workspace: str) -> int:
        """Micro-dollars held and settled under that cap."""

    async def assumed(self, cap: Cap, workspace: str) -> int:
        """Of those: what rests on assumed prices, as in UsageRow."""

    async def entries(self, workspace: str | None = None, job_id: str | None = None) -> tuple[Entry, ...]:
        """Rows, oldest first."""

    async def usage(self, month: str) -> tuple[UsageRow, ...]:
        """The month's sums over all workspaces."""

    async def places(self) -> tuple[tuple[str, str], ...]:
        """Workspace and channel of everything that was ever held, each pair once, sorted."""


class Audit(Protocol):
    """Who did what. Rows are only ever added."""

    async def add(self, *entries: AuditEntry) -> None:
        """Record them in this order."""

    async def entries(
        self, *, workspace: str | None = None, month: str | None = None, limit: int | None = None
    ) -> tuple[AuditEntry, ...]:
        """Lines, oldest first; with ``limit`` the newest so many, still oldest first. ``month`` is ``2026-11``
        by the operator's calendar."""


class Preferences(Protocol):
    """What admins decided for a workspace or a channel. Every change is a new version; none is ever overwritten."""

    async def current(self, workspace: str, subject: str) -> PreferencesVersion | None:
        """The newest version for a channel's id or for WHOLE_WORKSPACE; None when nothing was ever set."""

    async def channels(self, workspace: str) -> tuple[str, ...]:
        """The ids of all channels for which something was ever set, sorted."""

    async def put(self, version: PreferencesVersion) -> None:
        """Add a version. Raises Fenced unless its number is one more than the newest one's (1 for the first)."""

    async def history(self, workspace: str, subject: str) -> tuple[PreferencesVersion, ...]:
        """Every version, oldest first."""


class Announcements(Protocol):
    """Messages that are neither a card nor a clip, each told once."""

    async def add(self, announcement: Announcement) -> bool:
        """Record it; False when one with its key is there already."""

    async def get(self, workspace: str, key: str) -> Announcement:
        """That one; KeyError when unknown."""

    async def claim(self, ownership: Ownership, limit: int, now: datetime) -> list[Announcement]:
        """Take over up to ``limit`` that are neither posted nor given up and that are unowned, owned by a process
        whose lease has lapsed, or ours already, the one that is due first before the others (so that one postponed
        stands in nobody's way); they are ours afterwards, due or not."""

    async def intended(self, workspace: str, key: str) -> None:
        """Its post is about to be sent."""

    async def posted(self, workspace: str, key: str, ts: str) -> None:
        """It stands as that message."""

    async def postponed(self, workspace: str, key: str, due_at: datetime) -> None:
        """It could not be posted: try again then. Counts up ``tries``. An intention stays: whether it led to a message
        after all is to be read back."""

    async def give_up(self, workspace: str, key: str) -> None:
        """It will never be posted."""


class Files(Protocol):
    """What is known of files that people gave: each is fetched and checked once."""

    async def find(self, workspace: str, source: str, limits: str) -> KeptFile | None:
        """The file of that source, as it fits those limits; None when it was not prepared yet."""

    async def stored(self, workspace: str, url: str) -> KeptFile | None:
        """What is known of a file by the address that recipes have for it; the newest, where it came from several
        sources. Its name is then what somebody called it who may have given it elsewhere: never to be shown."""

    async def add(self, file: KeptFile, *, instead_of: KeptFile | None = None) -> KeptFile:
        """Record it; of the same source and limits the first stays, and is returned. ``instead_of`` is the one whose
        bytes were found gone: if that is still the one that stands there, the new one takes its place."""


class Outages(Protocol):
    """Providers that take no orders, as whichever process saw it last wrote it down. At most one a provider."""

    async def note(self, outage: Outage) -> None:
        """Record it. Of one that stands the reason is replaced; it began when it began."""

    async def end(self, provider: str, sent_at: datetime) -> None:
        """The provider took an order that was sent then: an outage that had begun by then is over."""

    async def standing(self) -> tuple[Outage, ...]:
        """All that stand, by the provider's name."""


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
    def audit(self) -> Audit: ...
    @property
    def preferences(self) -> Preferences: ...
    @property
    def announcements(self) -> Announcements: ...
    @property
    def files(self) -> Files: ...
    @property
    def outages(self) -> Outages: ...
    @property
    def leases(self) -> Leases: ...


class Storage(Protocol):
    """The database."""

    def begin(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction: commits when the block ends, rolls back when it raises. Raises StorageBusy when it cannot
        begin or commit within about 2 seconds. Keep it short and make no remote call inside it."""

    def read(self) -> AbstractAsyncContextManager[Transaction]:
        """The same view for reading only, beside writers; nothing written in it stays."""
