"""A provider's own side: which orders it took, what it charged, how its tasks go and where their clips lie.

These books are the truth that the promises are held against: the bot never writes in them.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from bot.domain.capabilities import Callback, Capabilities, Idempotency
from bot.domain.failure import Failure, FailureKind
from bot.domain.job import Job
from bot.domain.recipe import Resolution
from bot.ports import Order, OrderOutcome, TaskFailed, TaskFinished, TaskMissing, TaskReport, TaskRunning
from tests.simulation.world import World
from tests.support.values import capabilities


class Kind(StrEnum):
    """What a provider offers against lost answers."""

    KEYS = "keys"
    """The same idempotency key gets the same task."""
    CALLS = "calls"
    """It calls an address with the order's token."""
    NEITHER = "neither"
    LIST = "list"
    """As NEITHER, and it lists its tasks."""


class End(StrEnum):
    """How a task ends."""

    CLIP = "clip"
    REFUNDED = "refunded"
    """It fails, and is given back."""
    CHARGED = "charged"
    """It fails, and stays charged."""
    SLOW = "slow"
    """A clip, long after anybody would wait for it."""
    LOST = "lost"
    """The provider forgets it."""
    STOPPED = "stopped"


ENDS = {End.CLIP: 80, End.REFUNDED: 7, End.CHARGED: 5, End.SLOW: 4, End.LOST: 4}
"""How often tasks end so."""
_SECONDS = 2.0, 8.0, 20.0, 45.0, 90.0
_SLOW = 300.0, 1800.0
OVERBILLED = 125
"""What some charge, as a percentage of their price."""
OUTPUT_LIFETIME = timedelta(hours=24)
CALLBACK_DELAYS = (0.5, 30.0, 300.0)
"""A call that is not answered well is made again after so long."""


@dataclass
class Sending:
    """An order as a process had it in hand: put together, sent perhaps, and answered perhaps."""

    process: int
    at: float
    anew: bool = False
    """It was put together for this, and is not one from before that is sent again."""
    sent_at: float | None = None
    answer: OrderOutcome | None = None
    """What that process was told; None while it waits, and for ever when it died."""
    answered_at: float | None = None

    @property
    def sent(self) -> bool:
        """Whether it went out."""
        return self.sent_at is not None


@dataclass
class Task:
    """One paid generation."""

    id: str
    key: str
    prompt: str
    resolution: str
    price: int
    """Micro-dollars, at the price table."""
    charged: int
    """Micro-dollars, when it was taken."""
    accepted_at: float
    seen_from: float
    """Before that it is not found."""
    ends_at: float
    end: End
    odd_until: float
    states_cost: bool
    says_expiry: bool
    resigns: bool
    link_lives: float
    callback: str | None = None
    called_at: float | None = None
    """When a call about it was first answered well."""
    links: list[float] = field(default_factory=list)
    """When each link to its clip dies; the last one is the newest."""

    @property
    def content(self) -> bytes:
        """Its clip: a whole MP4 as far as boxes tell, and unlike every other."""
        return b"".join(
            (len(body) + 8).to_bytes(4, "big") + kind + body
            for kind, body in ((b"ftyp", b"isom"), (b"moov", b""), (b"mdat", self.id.encode()))
        )

    @property
    def renders(self) -> bool:
        """Whether there will be a clip."""
        return self.end in {End.CLIP, End.SLOW}

    def refunded(self, now: float) -> bool:
        """Whether the provider has given its money back by then."""
        return self.end is End.REFUNDED and now >= self.ends_at

    def kept(self, now: float) -> int:
        """What the provider keeps for it by then."""
        return 0 if self.refunded(now) else self.charged

    @property
    def job_id(self) -> str:
        """Whose order it was."""
        return job_of(self.key)


def key_of(job: Job) -> str:
    """The key of the clip's newest order: the bot's idempotency keys name the clip and the attempt."""
    return f"{job.id}-{job.attempt}"


def job_of(key: str) -> str:
    """The clip whose order has that key."""
    return key.rpartition("-")[0]


class VendorBooks:
    """One provider."""

    def __init__(self, world: World, name: str, kind: Kind, prices: dict[Resolution, int]) -> None:
        self.world, self.name, self.kind, self.prices = world, name, kind, prices
        self.chances = world.stream(name)
        self.tasks: dict[str, Task] = {}
        self.call: Callable[[Task, str], None] | None = None
        """Tells whoever delivers callbacks that a task has news."""
        self.charging: Callable[[], None] | None = None
        """Is told of every charge."""
        self.sendings: dict[str, list[Sending]] = {}
        """By the order's key."""
        self._by_key: dict[str, Task] = {}
        self.ends = ENDS
        self.refuses = 0.04
        """So many orders are against its rules."""
        self.overbills = self.chances.random() < 0.1
        self.sends_early = self.chances.random() < 0.3
        self.can = _declared(name, kind, stops=self.chances.random() < 0.5)

    # --- orders ----------------------------------------------------------------------------------------------------

    def prepared(self, key: str, process: int) -> None:
        """A process put an order together, and is about to write that down."""
        sendings = self.sendings.setdefault(key, [])
        if sendings and not sendings[-1].sent:
            sendings.pop()
        sendings.append(Sending(process=process, at=self.world.now, anew=True))

    def sent(self, key: str, process: int) -> Sending:
        """A process sends the order."""
        sendings = self.sendings.setdefault(key, [])
        if not sendings or sendings[-1].sent:
            sendings.append(Sending(process=process, at=self.world.now))
        # Who put it together may have died before it sent anything.
        sendings[-1].process, sendings[-1].sent_at = process, self.world.now
        return sendings[-1]

    def known(self, key: str) -> Task | None:
        """The task of that key, where keys are honoured."""
        return self._by_key.get(key) if self.kind is Kind.KEYS else None

    def take(self, order: Order) -> Task:
        """The order is taken and charged, unless its key was seen before and counts here."""
        task = self.known(order.key)
        if task is None:
            task = self._new_task(order)
            self.tasks[task.id] = task
            self._by_key[task.key] = task
            self.world.note(f"{self.name} charged {task.charged} for {task.id}")
            if self.charging:
                self.charging()
            if task.callback and self.call:
                self.call(task, "early" if self.sends_early else "end")
        return task

    def _new_task(self, order: Order) -> Task:
        said = json.loads(order.body)
        chances, now = self.chances, self.world.now
        price = self.prices[Resolution(said["resolution"])] * int(said["seconds"])
        end = chances.choices(list(self.ends), weights=list(self.ends.values()))[0]
        return Task(
            id=f"{self.name}-{len(self.tasks) + 1:03}",
            key=order.key,
            prompt=said["prompt"],
            resolution=said["resolution"],
            price=price,
            charged=price * OVERBILLED // 100 if self.overbills else price,
            accepted_at=now,
            seen_from=now + (chances.uniform(0, 10) if chances.random() < 0.2 else 0),
            ends_at=now + chances.choice(_SLOW if end is End.SLOW else _SECONDS) * chances.uniform(0.5, 1.5),
            end=end,
            odd_until=now + (15 if chances.random() < 0.1 else 0),
            states_cost=self.overbills or chances.random() < 0.5,
            says_expiry=chances.random() < 0.7,
            resigns=chances.random() < 0.6,
            link_lives=chances.choice((900.0, 3600.0, 86400.0)),
            callback=said.get("callback"),
        )

    # --- tasks -----------------------------------------------------------------------------------------------------

    def report(self, task_id: str) -> TaskReport:
        """How the task is now."""
        task, now = self.tasks.get(task_id), self.world.now
        if task is None or now < task.seen_from:
            return TaskMissing()
        if now < task.ends_at:
            return TaskRunning(odd="WARMING_UP" if now < task.odd_until else None)
        if task.end is End.LOST:
            return TaskMissing()
        if task.renders:
            return self._finished(task)
        return self._failed(task)

    def _finished(self, task: Task) -> TaskFinished | TaskMissing:
        now, last = self.world.now, task.ends_at + OUTPUT_LIFETIME.total_seconds()
        if now >= last:
            return TaskMissing()
        if not task.links or (now >= task.links[-1] and task.resigns):
            task.links.append(min(last, max(now, task.ends_at) + task.link_lives))
        return TaskFinished(
            url=f"https://{self.name}.example/{task.id}/{len(task.links)}",
            expires_at=self.world.moment(task.links[-1]) if task.says_expiry else None,
            cost_micro_usd=task.charged if task.states_cost else None,
        )

    def _failed(self, task: Task) -> TaskFailed:
        kept = task.kept(self.world.now)
        return TaskFailed(
            failure=Failure(kind=FailureKind.PROVIDER, detail="internal error"),
            charged=kept > 0,
            cost_micro_usd=kept if task.states_cost else None,
        )

    def stop(self, task_id: str) -> bool:
        """Stop the task, if it is not too late."""
        task = self.tasks.get(task_id)
        if task is None or self.world.now >= task.ends_at or self.chances.random() < 0.3:
            return False
        task.ends_at = self.world.now
        task.end = End.REFUNDED if self.chances.random() < 0.5 else End.STOPPED
        return True

    def behind(self, url: str) -> Task | None:
        """The task whose clip lies there now; None when the link is dead."""
        _, _, _, task_id, number = url.split("/")
        task = self.tasks[task_id]
        return task if self.world.now < task.links[int(number) - 1] else None

    def alive(self, task: Task) -> tuple[float, float]:
        """From when until when the clip could be had by whoever asked for the newest link."""
        last = task.ends_at + OUTPUT_LIFETIME.total_seconds()
        if task.resigns:
            return task.ends_at, last
        return task.ends_at, task.links[-1] if task.links else last


def _declared(name: str, kind: Kind, *, stops: bool) -> Capabilities:
    return capabilities(
        name,
        idempotency=Idempotency(window=timedelta(hours=23), verified=True) if kind is Kind.KEYS else None,
        callback=Callback.SIGNED if kind is Kind.CALLS else None,
        lists_tasks=kind is Kind.LIST,
        cancel=stops,
        balance=True,
        seed=True,
        output_lifetime=OUTPUT_LIFETIME,
    )
