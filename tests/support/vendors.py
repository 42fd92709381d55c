"""A provider for tests that are not about providers: it declares what it can do, and whoever asks it for anything has
made a mistake. What a test needs besides, it overrides."""

from collections.abc import AsyncIterator, Mapping, Sequence

from bot.domain.capabilities import Capabilities
from bot.domain.failure import Failure
from bot.domain.recipe import MediaKind, Recipe
from bot.ports import Credit, Order, OrderOutcome, TaskReport, UploadOutcome


class Declared:
    """A provider of which only the declarations may be looked at."""

    def __init__(self, *can: Capabilities) -> None:
        self._can = can

    @property
    def name(self) -> str:
        return self._can[0].provider

    @property
    def capabilities(self) -> tuple[Capabilities, ...]:
        return self._can

    def order(self, recipe: Recipe, key: str, callback_url: str | None = None) -> Order:
        raise AssertionError("nothing is to be ordered here")

    async def upload(
        self, kind: MediaKind, *, name: str, mime: str, size: int, chunks: AsyncIterator[bytes]
    ) -> UploadOutcome:
        raise AssertionError("nothing is to be uploaded here")

    async def submit(self, order: Order) -> OrderOutcome:
        raise AssertionError("nothing is to be ordered here")

    async def look(self, task_id: str) -> TaskReport:
        raise AssertionError("no task is to be looked at here")

    async def look_at_all(self, task_ids: Sequence[str]) -> Mapping[str, TaskReport]:
        raise AssertionError("no task is to be looked at here")

    async def cancel(self, task_id: str) -> bool:
        raise AssertionError("no task is to be stopped here")

    async def balance(self) -> Credit | None:
        raise AssertionError("no balance is to be asked for here")

    async def check(self) -> Failure | None:
        raise AssertionError("no provider is to be checked here")

    def told(self, headers: Mapping[str, str], body: bytes) -> str | None:
        raise AssertionError("no callback is to be heard here")

    async def close(self) -> None:
        raise AssertionError("nothing was opened here")
