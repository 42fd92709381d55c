"""``bot.ports.Provider`` as one process reaches a provider: orders are lost before or after they are charged, answers
are late, unreadable or never heard."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence

from bot.domain.capabilities import Capabilities
from bot.domain.failure import Failure, FailureKind
from bot.domain.recipe import MediaKind, Recipe
from bot.ports import (
    Credit,
    NotGenuine,
    Order,
    OrderAccepted,
    OrderInFlight,
    OrderNotSent,
    OrderOutcome,
    OrderRefused,
    OrderThrottled,
    OrderUnknown,
    TaskMissing,
    TaskReport,
    TaskUnreadable,
    UploadFailed,
    UploadOutcome,
)
from tests.simulation.process import Process
from tests.simulation.vendor_books import Kind, Task, VendorBooks

SIGNATURE = "signed by the provider"

_NOT_TAKEN = "not sent", "throttled", "refused", "down", "broke"
TROUBLES = (*_NOT_TAKEN, "unknown, not taken", "unknown, taken", "unknown, taken", "hangs, taken", "in flight")
"""What can become of an order."""
_RETRY_AFTER = (None, 0.3, 2.0, 30.0)


class Vendor:
    """One provider through one process."""

    def __init__(self, process: Process, books: VendorBooks) -> None:
        self._process, self._world, self.books = process, process.world, books
        self._chances = process.world.stream(f"{books.name}/{process.number}")

    @property
    def name(self) -> str:
        return self.books.name

    @property
    def capabilities(self) -> tuple[Capabilities, ...]:
        return (self.books.can,)

    def order(self, recipe: Recipe, key: str, callback_url: str | None = None) -> Order:
        said = {
            "prompt": recipe.prompt,
            "resolution": recipe.resolution.value,
            "seconds": recipe.seconds,
            "callback": callback_url,
        }
        self.books.prepared(key, self._process.number)
        return Order(key=key, body=json.dumps(said, sort_keys=True).encode())

    async def upload(
        self, kind: MediaKind, *, name: str, mime: str, size: int, chunks: AsyncIterator[bytes]
    ) -> UploadOutcome:
        return UploadFailed(why="nobody gives files here")

    # --- the billed order ------------------------------------------------------------------------------------------

    async def submit(self, order: Order) -> OrderOutcome:
        sending = self.books.sent(order.key, self._process.number)
        sending.answer = await self._answer(order)
        sending.answered_at = self._world.now
        return sending.answer

    async def _answer(self, order: Order) -> OrderOutcome:
        self._process.gate("order.send", f"{self.name} order {order.key}")
        trouble = self.trouble()
        if trouble in _NOT_TAKEN:
            await self._process.wait(self._chances.uniform(0.0, 5.0))
            return self._not_taken(trouble)
        if trouble == "in flight" and self.books.known(order.key):
            return OrderInFlight(retry_after_seconds=self._chances.choice(_RETRY_AFTER))
        if trouble == "unknown, not taken":
            await self._process.wait(self._chances.uniform(0.0, 50.0))
            return OrderUnknown(why="HTTP 502")
        if not trouble and self._chances.random() < self.books.refuses:
            return OrderRefused(failure=Failure(kind=FailureKind.POLICY, detail="not nice"))
        return await self._taken(order, trouble)

    async def _taken(self, order: Order, trouble: str) -> OrderOutcome:
        try:
            await self._process.wait(self._chances.uniform(0.0, 1.0))
        except asyncio.CancelledError:
            # Who is cut off has sent it all the same, or has not.
            if self._chances.random() < 0.5:
                self.books.take(order)
            raise
        again = self.books.known(order.key) is not None
        task = self.books.take(order)
        self._process.gate("order.done")
        if trouble:
            await self._process.wait(50.0 if trouble.startswith("hangs") else self._chances.uniform(0.0, 20.0))
            return OrderUnknown(why="the connection broke")
        await self._process.wait(self._chances.choice((0.1, 0.1, 1.0, 40.0)) * self._chances.random())
        self._world.note(f"p{self._process.number} {self.name} accepted {task.id}")
        return OrderAccepted(
            task_id=task.id,
            cost_micro_usd=task.charged if task.states_cost and self._chances.random() < 0.5 else None,
            replayed=again if self.books.kind is Kind.KEYS else None,
        )

    def _not_taken(self, trouble: str) -> OrderOutcome:
        match trouble:
            case "not sent":
                return OrderNotSent(why="connection refused")
            case "throttled":
                return OrderThrottled(retry_after_seconds=self._chances.choice(_RETRY_AFTER))
            case "broke":
                return OrderRefused(failure=Failure(kind=FailureKind.OUT_OF_CREDIT, detail="top up"))
            case "down":
                return OrderRefused(failure=Failure(kind=FailureKind.PROVIDER, detail="overloaded"))
            case _:
                return OrderRefused(failure=Failure(kind=FailureKind.INVALID, detail="no"))

    # --- tasks -----------------------------------------------------------------------------------------------------

    async def look(self, task_id: str) -> TaskReport:
        self._process.gate("any", f"{self.name} look {task_id}")
        await self._process.wait(self._chances.uniform(0.02, 0.5))
        if self._bad():
            return TaskUnreadable(why="HTTP 503", retry_after_seconds=self._chances.choice(_RETRY_AFTER))
        report = self.books.report(task_id)
        self._process.gate("look.done")
        return report

    async def look_at_all(self, task_ids: Sequence[str]) -> Mapping[str, TaskReport]:
        self._process.gate("any", f"{self.name} list {len(task_ids)}")
        await self._process.wait(self._chances.uniform(0.02, 0.5))
        if self.books.kind is not Kind.LIST or self._bad():
            return {}
        told = {task_id: self.books.report(task_id) for task_id in task_ids if self._chances.random() < 0.9}
        return {task_id: report for task_id, report in told.items() if not isinstance(report, TaskMissing)}

    async def cancel(self, task_id: str) -> bool:
        self._process.gate("any", f"{self.name} stop {task_id}")
        if self._bad():
            return False
        stopped = self.books.stop(task_id)
        await self._process.wait(self._chances.uniform(0.02, 0.5))
        return stopped

    async def balance(self) -> Credit | None:
        self._process.gate("any")
        return None if self._bad() else Credit(micro_usd=self._chances.choice((100_000, 90_000_000)))

    async def check(self) -> Failure | None:
        self._process.gate("any", f"{self.name} check")
        return Failure(kind=FailureKind.PROVIDER, detail="HTTP 502") if self._bad() else None

    def told(self, headers: Mapping[str, str], body: bytes) -> str | None:
        if headers.get("signature") != SIGNATURE:
            raise NotGenuine("no signature")
        task_id = json.loads(body).get("task")
        return None if task_id is None else str(task_id)

    async def close(self) -> None:
        """Nothing is open."""

    def trouble(self) -> str:
        """What goes wrong with the next order; empty when nothing does."""
        return self._chances.choice(TROUBLES) if self._bad() else ""

    def _bad(self) -> bool:
        return self._world.weather.bad(self.name, self._world.now)


def call_body(task: Task, number: int) -> bytes:
    """What the provider calls with."""
    return json.dumps({"task": task.id, "call": number}).encode()
