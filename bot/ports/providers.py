"""One video vendor, as the services see it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from bot.domain.capabilities import Capabilities
from bot.domain.failure import Failure
from bot.domain.recipe import Recipe


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
