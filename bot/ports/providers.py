"""One video vendor, as the services see it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from bot.domain.capabilities import Capabilities
from bot.domain.failure import Failure
from bot.domain.recipe import MediaKind, Recipe


@dataclass(frozen=True, kw_only=True)
class Order:
    """A billed POST, ready to be sent: pure data, the same bytes each time."""

    key: str
    body: bytes
    path: str = ""
    """Below the provider's base address, with its query, where the address says part of what is asked."""


@dataclass(frozen=True, kw_only=True)
class OrderAccepted:
    """The provider took it. ``cost_micro_usd`` when the answer says what was charged."""

    task_id: str
    cost_micro_usd: int | None = None
    replayed: bool | None = None
    """Whether it is the provider's answer from before to a POST with this very key; None where it does not say. A
    repeat that is no replay may be charged beside the first, if the key was not honoured."""


@dataclass(frozen=True, kw_only=True)
class OrderNotSent:
    """The request provably never reached the provider. Where nobody ``tried`` to reach it, that says nothing of it."""

    why: str
    tried: bool = True


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
    last_frame_url: str | None = field(default=None, repr=False)
    """The last frame as a picture, where the provider returns one."""


@dataclass(frozen=True, kw_only=True)
class TaskFailed:
    """The render failed. ``charged`` says whether the provider keeps the money, and ``cost_micro_usd`` how much, where
    it says so."""

    failure: Failure
    charged: bool
    cost_micro_usd: int | None = None

    @property
    def kept_micro_usd(self) -> int | None:
        """What stays charged; None where the provider keeps money and does not say how much."""
        return self.cost_micro_usd if self.charged else 0


@dataclass(frozen=True, kw_only=True)
class TaskMissing:
    """The provider does not know the task (any more, or yet)."""


@dataclass(frozen=True, kw_only=True)
class TaskUnreadable:
    """No news: the provider was away, throttled us, or answered something unreadable."""

    why: str
    retry_after_seconds: float | None = None


TaskReport = TaskRunning | TaskFinished | TaskFailed | TaskMissing | TaskUnreadable


@dataclass(frozen=True, kw_only=True)
class Credit:
    """What is left at a provider. ``micro_usd`` is None when it only says that nothing limits the key."""

    micro_usd: int | None


@dataclass(frozen=True, kw_only=True)
class Uploaded:
    """The provider holds the file behind ``url``, which its orders take; ``expires_at`` is None when it names no
    end."""

    url: str = field(repr=False)
    expires_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class UploadRefused:
    """The provider will not take this file, from this key: asking again changes nothing."""

    failure: Failure


@dataclass(frozen=True, kw_only=True)
class UploadFailed:
    """It did not go through this time. ``why`` is for the log; ``retry_after_seconds`` as far as it could be read."""

    why: str
    retry_after_seconds: float | None = None


UploadOutcome = Uploaded | UploadRefused | UploadFailed


class NotGenuine(Exception):
    """A callback without a valid signature, from a provider that signs."""


class Provider(Protocol):
    """One vendor. It classifies; it never retries and never sleeps."""

    @property
    def name(self) -> str: ...

    @property
    def capabilities(self) -> tuple[Capabilities, ...]:
        """One a tier."""

    def order(self, recipe: Recipe, key: str, callback_url: str | None = None) -> Order:
        """The POST for this recipe. Pure: the same arguments give the same bytes. The recipe fits the capabilities of
        its tier; ``callback_url`` is where the end of the task may be told, for providers that do that."""

    async def upload(
        self, kind: MediaKind, *, name: str, mime: str, size: int, chunks: AsyncIterator[bytes]
    ) -> UploadOutcome:
        """Give a file of a kind among ``uploads``, ``size`` bytes in ``chunks``, under a plain ASCII ``name`` with its
        suffix. Costs nothing and may be repeated; what the chunks raise becomes UploadFailed. Raises nothing but
        CancelledError."""

    async def submit(self, order: Order) -> OrderOutcome:
        """Send the billed POST once, on a fresh connection, following no redirect, within SUBMIT_DEADLINE. Raises
        nothing but CancelledError, after which the outcome is unknown."""

    async def look(self, task_id: str) -> TaskReport:
        """Ask once how the task is. Raises nothing but CancelledError."""

    async def look_at_all(self, task_ids: Sequence[str]) -> Mapping[str, TaskReport]:
        """Ask once how many tasks are, where one request tells of several (``lists_tasks``): those it told of. Empty
        where the provider has no list or it could not be read."""

    async def cancel(self, task_id: str) -> bool:
        """Ask for the task to be stopped, where that can be had (``cancel``). True when the provider says that it
        was; what it cost then is asked with ``look``. Raises nothing but CancelledError."""

    async def balance(self) -> Credit | None:
        """What is left, where that can be asked; None when it cannot, or not now."""

    async def check(self) -> Failure | None:
        """Whether the API can be reached and takes the key, by a request that costs nothing. None when it does;
        KEY_REFUSED, OUT_OF_CREDIT or PROVIDER with what is known otherwise."""

    def told(self, headers: Mapping[str, str], body: bytes) -> str | None:
        """The task that a callback speaks of, as far as it can be read. Raises NotGenuine. What it says of the task is
        never believed: the task is read back."""

    async def close(self) -> None:
        """Close the connections."""
