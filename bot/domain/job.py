"""The nouns people work with: a thread of clips, an ask, and its jobs. All frozen; ``replace`` makes the next value."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bot.domain.budget import Stage
from bot.domain.failure import Failure
from bot.domain.lineage import Method
from bot.domain.recipe import Ratio, Recipe
from bot.domain.trouble import Trouble


class State(StrEnum):
    """Where a job stands. The words are printed on cards and by ``dailies jobs``; the drawing is in
    docs/architecture.md and in ``bot.domain.lifecycle``."""

    WAITING = "waiting"
    QUEUED = "queued"
    SUBMITTING = "submitting"
    RENDERING = "rendering"
    LATE = "late"
    UNCERTAIN = "uncertain"
    DOWNLOADING = "downloading"
    DELIVERING = "delivering"
    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL = frozenset({State.DELIVERED, State.FAILED, State.CANCELLED})
UNFINISHED = frozenset(State) - FINAL
IN_FLIGHT = frozenset({State.SUBMITTING, State.RENDERING, State.LATE})
"""States that take one of the provider's places. An uncertain job has given its place back."""


class WaitReason(StrEnum):
    """What a waiting job waits for."""

    CONFIRMATION = "confirmation"
    UNDO_WINDOW = "undo_window"
    PROVIDER_CREDIT = "provider_credit"
    PROVIDER_DOWN = "provider_down"
    PREPARING = "preparing"
    """Its files are fetched, checked and mended. The gate is passed and the money is held."""


AWAITS_PROVIDER = frozenset({WaitReason.PROVIDER_CREDIT, WaitReason.PROVIDER_DOWN})
"""What a job waits for that has passed its gate already: its provider takes no orders."""
PAST_GATE = AWAITS_PROVIDER | {WaitReason.PREPARING}
"""What a job waits for that no decision of people ends."""


class AskKind(StrEnum):
    """What an ask makes."""

    DRAFT = "draft"
    PROMOTION = "promotion"
    VARIANT = "variant"


class Door(StrEnum):
    """How the ask came in."""

    COMMAND = "command"
    REACTION = "reaction"
    REPLY = "reply"
    BUTTON = "button"
    MENTION = "mention"


class Gate(StrEnum):
    """What stands between an ask and money: a button to be pressed, or a window in which it can be undone."""

    CONFIRMATION = "confirmation"
    UNDO = "undo"


class Decision(StrEnum):
    """How a gate was passed: GO holds money, STOP makes the ask's jobs end without any."""

    GO = "go"
    STOP = "stop"


class Wish(StrEnum):
    """What a person pressed on one job. A wish is a flag: only the runner moves the job."""

    CHECK_AGAIN = "check_again"
    ORDER_AGAIN = "order_again"
    GIVE_UP = "give_up"
    DELIVER_AGAIN = "deliver_again"
    SEE_REACTIONS = "see_reactions"
    """Somebody reacted before we knew which message the clip is: look at its reactions when we do."""
    USE_ANOTHER_PROVIDER = "use_another_provider"


@dataclass(frozen=True, kw_only=True)
class Thread:
    """A Slack thread of ours. ``root_ts`` is None until its first card stands; ``next_number`` is the next ``#n``."""

    workspace: str
    id: str
    channel: str
    root_ts: str | None
    next_number: int
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What a person typed, attached or clicked. It has one card and one or more jobs."""

    workspace: str
    id: str
    thread_id: str
    channel: str
    root_ts: str | None
    """The thread's root message (read from the thread); None until the first card stands."""
    person: str
    """Who asked, and who pays: for a promotion decided later, the person whose reaction or press decided it."""
    kind: AskKind
    door: Door
    text: str
    """As typed, cleaned; empty for a gesture."""
    created_at: datetime
    parent_job: str | None = None
    method: Method | None = None
    unique_key: str | None = None
    """What may stand only once among live asks of a workspace: for a promotion draft, final recipe and method."""
    notes: tuple[str, ...] = ()
    """Sentences that the card shows once: what was changed or kept."""
    gate: Gate | None = None
    decide_by: datetime | None = None
    decision: Decision | None = None
    decided_by: str | None = None
    reply_url: str | None = field(default=None, repr=False)
    """Slack's response_url of a command (30 minutes, 5 uses): a bearer secret, never logged."""
    card_posting: bool = False
    """The intention to post the card is on disk; whether it was posted is to be read back."""
    card_ts: str | None = None
    version: int = 1
    """Counts everything that changes what the card shows."""
    card_version: int = 0
    """The version that the posted card shows; behind ``version`` means redraw."""
    live: bool = True
    """False once undone, cancelled or failed whole: frees ``unique_key``."""
    owner: str | None = None
    epoch: int = 0


@dataclass(frozen=True, kw_only=True)
class Supporter:
    """A person whose reaction asked for a promotion. The earliest whose reaction still stands pays."""

    person: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Job:
    """One paid generation at one provider: one clip. Times are UTC, money is micro-dollars.

    ``attempt`` numbers the orders of this job, each with a hold and a key of its own: 1, and one more when a person
    pressed *Order again*, or when the provider refused for lack of credit and is tried anew.
    ``tries`` counts failures in a row of the present step; ``due_at`` is when its next action is to be taken.
    """

    workspace: str
    id: str
    ask_id: str
    thread_id: str
    channel: str
    person: str
    number: int
    take: int
    takes: int
    recipe: Recipe
    provider: str
    model: str
    state: State
    price_micro_usd: int
    price_assumed: bool
    stage: Stage
    as_final_micro_usd: int | None
    """For a draft: what the same clip would have been held at as a final when it was accepted, or when another
    provider took it over; None where that is not known. For the final of a draft where it is: its own price. None for
    what has no draft."""
    created_at: datetime
    updated_at: datetime
    due_at: datetime
    named: bool = False
    """Its provider was named, by a person or by the draft it is the final of: another one is a person's decision."""
    free_ratio: Ratio | None = None
    """The ratio that it has unless a first frame may lead it, since nobody asked for one; None where somebody did."""
    wait_reason: WaitReason | None = None
    attempt: int = 1
    tries: int = 0
    task_id: str | None = None
    submitted_at: datetime | None = None
    rendering_since: datetime | None = None
    rendered_at: datetime | None = None
    finished_at: datetime | None = None
    output_url: str | None = field(default=None, repr=False)
    """The provider's link: a bearer secret, never logged or shown."""
    output_expires_at: datetime | None = None
    cost_micro_usd: int | None = None
    """What counts as spent for this clip so far, over all its orders; None while nothing does."""
    reordered: bool = False
    """A person pressed *Order again*: what the order before cost nobody knows, and it is counted in full."""
    clip_key: str | None = None
    clip_sha256: str | None = None
    clip_bytes: int | None = None
    file_id: str | None = None
    """Slack's file whose share is intended; None when nothing of this clip may stand in the thread."""
    shared_at: datetime | None = None
    """When the intention to share was written."""
    message_ts: str | None = None
    progress: str = ""
    """What the present step is at, in words for its card; empty when there is nothing to say."""
    trouble: Trouble | None = None
    """What holds the present step up; None when nothing does."""
    failure: Failure | None = None
    owner: str | None = None
    epoch: int = 0
    version: int = 1
    cancel_by: str | None = None
    """Who asked to stop. A flag set by people, read by the runner."""
    wish: Wish | None = None
    wish_by: str | None = None
    wish_micro_usd: int | None = None
    """What that may cost at most, where it was shown to who pressed."""

    @property
    def finished(self) -> bool:
        """True in a final state."""
        return self.state in FINAL


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """The intention of one billed POST, on disk before it is sent. ``body`` is sent again byte for byte, if at all."""

    workspace: str
    job_id: str
    number: int
    key: str
    """The idempotency key, unique for ever."""
    body: bytes
    callback_token: str
    """Unguessable: whoever calls our address with it was given it, by us or by the provider."""
    intended_at: datetime
    path: str = ""
    """``bot.ports.Order.path``, which is part of what is asked."""


class EvidenceKind(StrEnum):
    """What somebody learned about an attempt. Rows are only ever added."""

    TASK_ID = "task_id"
    """The provider's answer named the task, or a task that a callback spoke of was found there."""
    CALLED = "called"
    """Somebody who has the attempt's token spoke of this task (empty: of none). Proves nothing by itself."""
    UNKNOWN = "unknown"
    STOP_ASKED = "stop_asked"
    """The provider is about to be asked to stop the task."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One thing learned about one attempt, accepted from anyone, whoever owns the job by now."""

    workspace: str
    job_id: str
    attempt: int
    kind: EvidenceKind
    value: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Ownership:
    """A process that owns jobs: its name and the epoch it was given when it registered. A save under another epoch
    than the row's changes nothing."""

    owner: str
    epoch: int


@dataclass(frozen=True, kw_only=True)
class TimelineEntry:
    """One line of ``dailies jobs show``: what happened to the job, and the state after it."""

    workspace: str
    job_id: str
    at: datetime
    event: str
    state: State
    detail: str = ""
