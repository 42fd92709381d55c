"""What an emulated provider has charged: the truth against which a test counts double charges."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace

from bot.sandbox.providers.settings import MICRO

PLENTY = 10_000 * MICRO
"""The balance to begin with, in micro-dollars."""


class NoFunds(Exception):
    """The balance does not cover a charge; both in micro-dollars."""

    def __init__(self, *, needed: int, balance: int) -> None:
        self.needed = needed
        self.balance = balance
        super().__init__(f"balance {balance / MICRO:.2f} USD does not cover {needed / MICRO:.2f} USD")


@dataclass(frozen=True, kw_only=True, slots=True)
class Charge:
    """One charge. `key` is the idempotency key of the request, `at` unix seconds, `status` one of "charged"
    (work under way), "settled" (delivered, or failed and kept) and "refunded"."""

    id: int
    task_id: str
    key: str | None
    at: float
    micro_usd: int
    resolution: str
    seconds: int
    kind: str
    prompt: str
    status: str = "charged"


class Ledger:
    """The charges of one provider account and its balance in micro-dollars."""

    def __init__(self) -> None:
        self.balance = PLENTY
        self._charges: list[Charge] = []

    def charge(
        self,
        *,
        task_id: str,
        key: str | None,
        micro_usd: int,
        resolution: str,
        seconds: int,
        kind: str,
        prompt: str,
    ) -> Charge:
        """Take money. Raises `NoFunds` and takes nothing if there is too little."""
        if micro_usd > self.balance:
            raise NoFunds(needed=micro_usd, balance=self.balance)
        self.balance -= micro_usd
        charge = Charge(
            id=len(self._charges) + 1,
            task_id=task_id,
            key=key,
            at=time.time(),
            micro_usd=micro_usd,
            resolution=resolution,
            seconds=seconds,
            kind=kind,
            prompt=prompt,
        )
        self._charges.append(charge)
        return charge

    def settle(self, task_id: str) -> None:
        """Keep the money of a task for good."""
        self._close(task_id, "settled")

    def refund(self, task_id: str) -> None:
        """Give the money of a task back."""
        self.balance += self._close(task_id, "refunded")

    def charged(self, task_id: str) -> int:
        """What a task is charged now, in micro-dollars."""
        return sum(one.micro_usd for one in self._charges if one.task_id == task_id and one.status != "refunded")

    def listing(self) -> list[dict[str, object]]:
        """Every charge, oldest first, as JSON has it."""
        return [asdict(charge) for charge in self._charges]

    def _close(self, task_id: str, status: str) -> int:
        """The sum of the charges that this has closed."""
        closed = 0
        for index, charge in enumerate(self._charges):
            if charge.task_id == task_id and charge.status == "charged":
                self._charges[index] = replace(charge, status=status)
                closed += charge.micro_usd
        return closed
