"""What happens to a job: the events of its life, as values. ``bot.domain.lifecycle`` says what each does to it."""

from dataclasses import dataclass
from datetime import datetime

from bot.domain.failure import Failure
from bot.domain.recipe import Recipe
from bot.domain.trouble import Trouble


@dataclass(frozen=True, kw_only=True)
class Opened:
    """The gate was passed, or credit is back, and the money is held."""

    person: str
    """Who pays."""


@dataclass(frozen=True, kw_only=True)
class Declined:
    """Undone, expired unconfirmed, or cancelled before any order: nothing was or will be charged."""

    failure: Failure | None = None
    """Why, where nobody stopped it and the card would not know."""


@dataclass(frozen=True, kw_only=True)
class Starved:
    """The provider refuses our key, has no credit left for us, or is down: nothing was charged; wait, and try again by
    itself."""

    failure: Failure
    due_at: datetime


@dataclass(frozen=True, kw_only=True)
class Rerouted:
    """Another provider makes it, at its own price, since the one before takes no orders and charged nothing; the money
    is held anew."""

    provider: str
    model: str
    recipe: Recipe
    """As before, with the ratio that this provider is to be given."""
    price_micro_usd: int
    price_assumed: bool
    as_final_micro_usd: int | None
    """As ``Job`` has it, at this provider."""


@dataclass(frozen=True, kw_only=True)
class Progressed:
    """One more of the job's files is being worked on. ``progress`` is shown on the card."""

    progress: str


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """All files are ours, checked and mended. The recipe says where they are kept."""

    recipe: Recipe


@dataclass(frozen=True, kw_only=True)
class SubmitIntended:
    """The intention of the billed POST is on disk."""


@dataclass(frozen=True, kw_only=True)
class NotSent:
    """The POST provably never left."""

    due_at: datetime
    trouble: Trouble | None = None
    """What kept it, where that is to be shown on the card: of what is ours alone nothing is."""


@dataclass(frozen=True, kw_only=True)
class Throttled:
    """The provider refused for now (429): nothing was charged."""

    due_at: datetime


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """The POST may or may not have been billed, and its key allows asking again with the same bytes."""

    due_at: datetime


@dataclass(frozen=True, kw_only=True)
class Lapsed:
    """The POST may or may not have been billed, and there is no safe way to ask: people decide."""

    due_at: datetime


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """The provider took the order and named its task. ``cost_micro_usd`` is what its answer says was charged; None
    when it does not say."""

    task_id: str
    cost_micro_usd: int | None = None


@dataclass(frozen=True, kw_only=True)
class Refused:
    """The provider refused the order for good: nothing was charged."""

    failure: Failure


@dataclass(frozen=True, kw_only=True)
class Reordered:
    """A person pressed *Order again*: a new attempt, with a hold of its own."""

    person: str
    """Who pressed, and pays."""


@dataclass(frozen=True, kw_only=True)
class PassedOn:
    """Right before the order whoever was to pay stands behind it no more, and others do: a new attempt, with a hold of
    its own."""

    person: str
    """Who pays from now on."""


@dataclass(frozen=True, kw_only=True)
class Overdue:
    """Rendering takes longer than the limit; it stays under slow watch."""

    due_at: datetime


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """The provider's clip is ready behind a link. ``cost_micro_usd`` is what the provider says this order cost; None
    when it does not say (then what it said before counts, else the price that was held)."""

    url: str
    expires_at: datetime
    cost_micro_usd: int | None


@dataclass(frozen=True, kw_only=True)
class RenderFailed:
    """The provider says that the render failed. ``cost_micro_usd`` is what stays charged (0 when refunded); None when
    the order was charged and the provider does not say how much."""

    failure: Failure
    cost_micro_usd: int | None


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """A person asked to stop, and the provider did: there is no clip. ``cost_micro_usd`` is what stays charged; None
    when the provider keeps the price and does not say how much."""

    cost_micro_usd: int | None


@dataclass(frozen=True, kw_only=True)
class WrittenOff:
    """Nothing more can be learned or fetched. ``cost_micro_usd`` is counted as spent."""

    failure: Failure
    cost_micro_usd: int


@dataclass(frozen=True, kw_only=True)
class Hindered:
    """A step failed in a way that passes: try it again later. ``trouble`` is shown on the card."""

    due_at: datetime
    trouble: Trouble


@dataclass(frozen=True, kw_only=True)
class Unhindered:
    """What held the step up is over, and nothing else is known yet: take it now."""


@dataclass(frozen=True, kw_only=True)
class LinkRenewed:
    """The provider gave a fresh link to the same clip, which is fetched at ``due_at``."""

    url: str
    expires_at: datetime
    due_at: datetime


@dataclass(frozen=True, kw_only=True)
class Stored:
    """The clip's bytes are on our storage, whole and named by their hash."""

    key: str
    sha256: str
    size: int


@dataclass(frozen=True, kw_only=True)
class Kept:
    """The clip is stored, and a person had asked to stop: it is kept, not posted."""

    key: str
    sha256: str
    size: int


@dataclass(frozen=True, kw_only=True)
class DeliveryWished:
    """A person asked for a kept clip after all."""


@dataclass(frozen=True, kw_only=True)
class Uploaded:
    """Slack has the bytes under this file id, and the intention to share it is on disk."""

    file_id: str


@dataclass(frozen=True, kw_only=True)
class Unshared:
    """The intended share does not stand and cannot appear any more: send again."""

    due_at: datetime
    trouble: Trouble | None = None


@dataclass(frozen=True, kw_only=True)
class Shared:
    """The clip really stands in the thread, as this message."""

    message_ts: str


Event = (
    Opened
    | Declined
    | Starved
    | Rerouted
    | Progressed
    | Prepared
    | SubmitIntended
    | NotSent
    | Throttled
    | Unknown
    | Lapsed
    | Accepted
    | Refused
    | Reordered
    | PassedOn
    | Overdue
    | Rendered
    | RenderFailed
    | Stopped
    | WrittenOff
    | Hindered
    | Unhindered
    | LinkRenewed
    | Stored
    | Kept
    | DeliveryWished
    | Uploaded
    | Unshared
    | Shared
)
