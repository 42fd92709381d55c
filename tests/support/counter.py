"""Where asks are taken, without Slack and without a provider: the use-cases of people over any storage, with a real
router and a real price table.

Run as ``python -m tests.support.counter``, it is a process that takes many asks at once: a ``Rush`` as JSON on its
standard input, ``ready`` on its output when its database is open, then the list of answers as soon as any line comes.
"""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from bot.domain.access import Member
from bot.domain.budget import Caps, OverCap
from bot.domain.lineage import Changes
from bot.domain.pricing import PriceTable, Rate, RateKey
from bot.domain.recipe import MINI, Mode, Resolution
from bot.ports import Clock, Storage, StorageBusy
from bot.services.answers import AlreadyTaken, Taken
from bot.services.doorbell import Doorbell
from bot.services.gatekeeper import Gatekeeper
from bot.services.intake import Intake
from bot.services.policies import Policies
from bot.services.policy import Policy
from bot.services.presses import Presses
from bot.services.routing import Router
from bot.services.taking import Sender, Taking
from storage import open_storage
from tests.support.clock import SettableClock
from tests.support.values import capabilities
from tests.support.vendors import Declared

RATES: dict[RateKey, Rate] = {
    ("hiapi", MINI, Resolution.P480, False): Rate(per_second_micro_usd=80_000, as_of=date(2026, 11, 20)),
    ("hiapi", MINI, Resolution.P720, False): Rate(per_second_micro_usd=150_000, as_of=date(2026, 11, 20)),
}


VENDOR = Declared(capabilities(resolutions=frozenset(Resolution), modes=frozenset({Mode.TEXT, Mode.FIRST_FRAME})))
"""A provider that is only ever looked at."""


class Everybody:
    """A workspace where whoever asks is an ordinary member."""

    async def member(self, person: str) -> Member:
        return Member(person=person)

    async def admins(self) -> tuple[str, ...]:
        return ()


@dataclass(frozen=True, kw_only=True)
class Counter:
    """What people do, over one storage."""

    storage: Storage
    policies: Policies
    intake: Intake
    presses: Presses

    @classmethod
    def over(cls, storage: Storage, policy: Policy, clock: Clock, wake: Callable[[], None] = lambda: None) -> "Counter":
        """With this policy in every channel."""
        policies = Policies(storage=storage, operator=policy)
        gatekeeper = Gatekeeper(directory=Everybody(), clock=clock)
        intake = Intake(
            storage=storage,
            router=Router({"hiapi": VENDOR}, PriceTable(RATES), links=True),
            policies=policies,
            gatekeeper=gatekeeper,
            taking=Taking(storage=storage, clock=clock, wake=wake),
            doorbell=Doorbell(),
        )
        presses = Presses(storage=storage, policies=policies, gatekeeper=gatekeeper, clock=clock, wake=wake)
        return cls(storage=storage, policies=policies, intake=intake, presses=presses)


@dataclass(frozen=True, kw_only=True)
class Rush:
    """Many asks at once: each by a person in a channel."""

    url: str
    caps: Caps
    asks: tuple[tuple[str, str], ...]

    @classmethod
    def read(cls, text: str) -> "Rush":
        """From JSON, as ``text`` writes it."""
        given = json.loads(text)
        return cls(
            url=given["url"], caps=Caps(**given["caps"]), asks=tuple((one, other) for one, other in given["asks"])
        )

    def text(self) -> str:
        """As one line of JSON."""
        return json.dumps(asdict(self))


async def take(counter: Counter, person: str, channel: str, key: str) -> dict[str, Any]:
    """One ask and its answer. While the database is busy people press again, and Slack sends again: under one key."""
    sender = Sender(workspace="T1", channel=channel, person=person, key=key)
    said: dict[str, Any] = {"person": person, "channel": channel, "key": key}
    for tries in range(1, 100):
        try:
            answer = await counter.intake.draft(sender, "a red panda", Changes())
        except StorageBusy:
            await asyncio.sleep(0.05 * tries)  # nobody presses again at once, or all at the same time
            continue
        except OverCap as over:
            cap = {"scope": over.cap.scope.value, "subject": over.cap.subject, "period": over.cap.period}
            renews = over.cap.renews_at.isoformat()
            return said | {"over": cap, "left": over.left_micro_usd, "renews_at": renews, "words": str(over)}
        assert isinstance(answer, Taken | AlreadyTaken)
        return said | {"taken": True}
    raise AssertionError("the database was busy for ever")


async def main() -> None:
    """One process of a rush."""
    rush = Rush.read(sys.stdin.readline())
    async with open_storage(rush.url, alone=False) as storage:
        counter = Counter.over(storage, Policy(caps=rush.caps), SettableClock(seed=os.getpid()))
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.readline)
        answers = [
            take(counter, person, channel, f"{os.getpid()}-{number}")
            for number, (person, channel) in enumerate(rush.asks)
        ]
        sys.stdout.write(json.dumps(await asyncio.gather(*answers)) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
