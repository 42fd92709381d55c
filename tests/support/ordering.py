"""A desk for tests of orders: one accepted ask whose card stands, and a provider that answers as a test says."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from bot.domain.access import Member
from bot.domain.announcement import Announcement
from bot.domain.budget import EntryKind
from bot.domain.events import RenderFailed
from bot.domain.failure import Failure, FailureKind
from bot.domain.job import Ask, Job
from bot.domain.lineage import Changes
from bot.domain.notice import Notice
from bot.domain.pricing import PriceTable
from bot.domain.recipe import Recipe
from bot.ports import (
    Card,
    ChatError,
    ChatForbidden,
    Order,
    OrderAccepted,
    OrderNotSent,
    OrderOutcome,
    OrderRefused,
    OrderThrottled,
    OrderUnknown,
    TaskReport,
    TaskRunning,
)
from bot.providers.hiapi import capabilities, encode
from bot.services.answers import Taken
from bot.services.balances import Balances
from bot.services.bench import Bench
from bot.services.circuit import Circuit
from bot.services.deciding import Deciding
from bot.services.doorbell import Doorbell
from bot.services.gatekeeper import Gatekeeper
from bot.services.handing import Handing
from bot.services.intake import Intake
from bot.services.lease import Lease
from bot.services.looking import Looking
from bot.services.moving import Moves
from bot.services.ordering import Ordering
from bot.services.places import Places
from bot.services.policies import Policies
from bot.services.policy import Policy
from bot.services.presses import Presses
from bot.services.rendering import Rendering
from bot.services.rerouting import Rerouting
from bot.services.routing import Router
from bot.services.submitting import Submitting
from bot.services.taking import Sender, Taking
from storage import MemoryClips, MemoryStorage
from tests.support.clock import SettableClock
from tests.support.services import RATES
from tests.support.vendors import Declared
from tests.support.workbench import Signs

CHANNEL = "C1"
PRICE = 570_000
"""What each of these asks is held at: nobody has said what the provider charges."""
SENDER = Sender(workspace="T1", channel=CHANNEL, person="U1", key="command:1")


class ScriptedProvider(Declared):
    """Answers orders as told, and remembers what it was sent: the far end of the port, at which the real adapter's
    own tests begin."""

    def __init__(self, answers: list[OrderOutcome], *, idempotent: bool = True, name: str = "hiapi") -> None:
        super().__init__(replace(capabilities(idempotent=idempotent), provider=name))
        self.answers = answers
        self.orders: list[Order] = []
        self.report: TaskReport = TaskRunning()
        self.looked: list[str] = []
        self.health: Failure | None = None
        self.checks = 0

    async def check(self) -> Failure | None:
        self.checks += 1
        return self.health

    def order(self, recipe: Recipe, key: str, callback_url: str | None = None) -> Order:
        return Order(key=key, body=encode(recipe, self.capabilities[0], callback_url))

    async def submit(self, order: Order) -> OrderOutcome:
        self.orders.append(order)
        return self.answers.pop(0)

    async def look(self, task_id: str) -> TaskReport:
        self.looked.append(task_id)
        return self.report


@dataclass
class RecordingChat:
    """Remembers what it told of which ask; knows who reacts to everything."""

    told: list[tuple[str, Notice]] = field(default_factory=list)
    reacting: tuple[str, ...] = ()
    names: list[tuple[str, ...]] = field(default_factory=list)
    silent: ChatError | None = None
    """Why it does not say who reacts."""
    no_card: ChatError | None = None
    """Why Slack takes no card."""
    blind: ChatError | None = field(default_factory=lambda: ChatForbidden("missing_scope"))
    """Why it does not say whether a card stands; None where it says that none does."""
    standing: str | None = None
    """The card that is found, when it is looked for in the right place."""
    below: str | None = None
    """The root of the thread where it stands; None for the channel itself."""
    drawn: list[Card] = field(default_factory=list)
    """What cards were changed to."""
    no_edit: ChatError | None = None
    """Why Slack changes no card."""
    deaf: list[ChatError] = field(default_factory=list)
    """Why nobody is told, one time after the other."""

    async def tell(self, ask: Ask, notice: Notice, job: Job | None = None) -> None:
        if self.deaf:
            raise self.deaf.pop(0)
        self.told.append((ask.id, notice))

    async def reactors(self, channel: str, ts: str, names: Sequence[str]) -> tuple[str, ...]:
        self.names.append(tuple(names))
        if self.silent is not None:
            raise self.silent
        return self.reacting

    async def post_card(self, card: Card) -> str:
        if self.no_card is not None:
            raise self.no_card
        return f"3.{card.ask.id}"

    async def find_card(self, ask: Ask) -> str | None:
        if self.blind is not None:
            raise self.blind
        return self.standing if ask.root_ts == self.below else None

    async def update_card(self, card: Card) -> None:
        """Remembered, when it may be changed."""
        if self.no_edit is not None:
            raise self.no_edit
        self.drawn.append(card)


@dataclass
class People:
    """Everybody is a member but those who are named otherwise."""

    guests: set[str] = field(default_factory=set)
    unreachable: set[str] = field(default_factory=set)

    async def member(self, person: str) -> Member | None:
        if person in self.unreachable:
            raise ChatError("timeout")
        return Member(person=person, guest=person in self.guests)

    async def admins(self) -> tuple[str, ...]:
        return ("UADMIN",)


@dataclass
class Desk:
    """A job that waits to be ordered, and the steps that order it."""

    provider: ScriptedProvider
    clock: SettableClock
    storage: MemoryStorage
    deciding: Deciding
    submitting: Submitting
    ordering: Ordering
    rendering: Rendering
    intake: Intake
    lease: Lease
    chat: RecordingChat
    people: People
    job_id: str
    offered: list[str]
    """Jobs whose turn it may be, as they were told."""

    async def job(self) -> Job:
        async with self.storage.read() as tx:
            return await tx.jobs.job("T1", self.job_id)

    async def ask(self) -> Ask:
        async with self.storage.read() as tx:
            return await tx.jobs.ask("T1", (await self.job()).ask_id)

    async def submit(self) -> Job:
        await self.ordering.submit(await self.job(), await self.ask())
        return await self.job()

    async def resolve(self) -> Job:
        await self.submitting.resolve(await self.job(), await self.ask())
        return await self.job()

    async def another(self, person: str, key: str, provider: str | None = None) -> Job:
        """A further draft, ours, whose card stands."""
        sender = replace(SENDER, person=person, key=key)
        taken = await self.intake.draft(sender, "a whale", Changes(), provider=provider)
        assert isinstance(taken, Taken)
        async with self.storage.begin() as tx:
            await tx.jobs.card_posted("T1", taken.ask.id, f"2.{taken.jobs[0].id}", 1)
        await self.claim()
        return taken.jobs[0]

    async def order(self, job: Job) -> Job:
        """Take that job's step in the queue."""
        async with self.storage.read() as tx:
            now, ask = await tx.jobs.job("T1", job.id), await tx.jobs.ask("T1", job.ask_id)
        await self.ordering.submit(now, ask)
        return await self.now(job)

    async def now(self, job: Job) -> Job:
        async with self.storage.read() as tx:
            return await tx.jobs.job("T1", job.id)

    async def drawn(self, *jobs: Job) -> None:
        """The cards of these jobs show how things are."""
        async with self.storage.begin() as tx:
            for job in jobs:
                ask = await tx.jobs.ask("T1", job.ask_id)
                await tx.jobs.card_drawn("T1", ask.id, ask.version)

    async def stale(self, *jobs: Job) -> list[Job]:
        """Those of these jobs whose cards are to be drawn again."""
        async with self.storage.read() as tx:
            asks = [await tx.jobs.ask("T1", job.ask_id) for job in jobs]
        return [job for job, ask in zip(jobs, asks, strict=True) if ask.version > ask.card_version]

    async def end(self, job: Job, *, cost_micro_usd: int = 0) -> None:
        """Its render fails, at that cost."""
        now = await self.now(job)
        failed = RenderFailed(failure=Failure(kind=FailureKind.PROVIDER), cost_micro_usd=cost_micro_usd)
        after = await self.ordering.bench.move(now, failed)
        self.ordering.bench.places.freed(after)

    async def news(self) -> list[Announcement]:
        async with self.storage.begin() as tx:
            return await tx.announcements.claim(self.lease.ownership, 10, self.clock.now())

    @property
    def presses(self) -> Presses:
        bench = self.ordering.bench
        return Presses(
            storage=self.storage,
            policies=bench.policies,
            gatekeeper=bench.gatekeeper,
            clock=self.clock,
            wake=lambda: None,
        )

    async def entries(self) -> list[tuple[EntryKind, str]]:
        """The whole ledger: what was booked, and who pays."""
        async with self.storage.read() as tx:
            return [(entry.kind, entry.person) for entry in await tx.ledger.entries()]

    async def claim(self) -> None:
        """Own what is new, as the runner does."""
        async with self.storage.begin() as tx:
            await tx.jobs.claim(self.lease.ownership, 10, self.clock.now())

    async def money(self) -> list[EntryKind]:
        async with self.storage.read() as tx:
            return [entry.kind for entry in await tx.ledger.entries(job_id=self.job_id)]


@asynccontextmanager
async def desk(
    *answers: OrderOutcome,
    idempotent: bool = True,
    policy: Policy | None = None,
    other: ScriptedProvider | None = None,
    named: str | None = None,
) -> AsyncIterator[Desk]:
    """One accepted ask whose card stands, with a provider that will answer so, and perhaps another one."""
    clock, storage, policy = SettableClock(), MemoryStorage(), policy or Policy()
    chat = RecordingChat()
    provider = ScriptedProvider(answers=list(answers), idempotent=idempotent)
    providers = {one.name: one for one in (provider, other) if one is not None}
    circuit = Circuit(clock)
    router = Router(providers, PriceTable(RATES if other else None), healthy=circuit.healthy)
    lease = Lease(storage=storage, clock=clock, alone=True)
    await lease.register()
    people, offered = People(), list[str]()
    policies = Policies(storage=storage, operator=policy)
    gatekeeper = Gatekeeper(directory=people, clock=clock)
    intake = Intake(
        storage=storage,
        router=router,
        policies=policies,
        gatekeeper=gatekeeper,
        taking=Taking(storage=storage, clock=clock, wake=lambda: None),
        doorbell=Doorbell(),
    )
    taken = await intake.draft(SENDER, "a red panda surfing", Changes(), provider=named)
    assert isinstance(taken, Taken)
    async with storage.begin() as tx:
        await tx.jobs.card_posted("T1", taken.ask.id, "1.0", 1)
    bench = Bench(
        storage=storage,
        clips=MemoryClips(),
        fetcher=None,  # type: ignore[arg-type] # nothing is fetched while ordering
        chat=chat,  # type: ignore[arg-type] # of all that a chat can do, ordering needs these two
        providers=providers,
        router=router,
        policy=policy,
        policies=policies,
        gatekeeper=gatekeeper,
        directory=people,
        clock=clock,
        lease=lease,
        moves=Moves(storage=storage, clock=clock, moved=lambda before, after: None),
        places=Places(lambda job: offered.append(job.id)),
        circuit=circuit,
        ring=lambda: None,
        public_url="https://dailies.example",
    )
    balances = Balances(
        providers=providers, router=router, storage=storage, policies=policies, clock=clock, wake=lambda: None
    )
    rerouting = Rerouting(bench=bench)
    submitting = Submitting(bench=bench, rerouting=rerouting, balances=balances)
    made = Desk(
        provider=provider,
        clock=clock,
        storage=storage,
        deciding=Deciding(bench=bench, rerouting=rerouting),
        submitting=submitting,
        ordering=Ordering(
            bench=bench,
            rerouting=rerouting,
            handing=Handing(storage=storage, clips=bench.clips, links=Signs(), clock=clock),
            submitting=submitting,
        ),
        rendering=Rendering(bench=bench, looking=Looking(providers=providers, clock=clock)),
        intake=intake,
        lease=lease,
        chat=chat,
        people=people,
        job_id=taken.jobs[0].id,
        offered=offered,
    )
    await made.claim()
    yield made


REFUSED = OrderRefused(failure=Failure(kind=FailureKind.POLICY, detail="no"))
STARVED = OrderRefused(failure=Failure(kind=FailureKind.OUT_OF_CREDIT))
THROTTLED = OrderThrottled(retry_after_seconds=1.0)
NOT_SENT = OrderNotSent(why="ConnectError")
LOST = OrderUnknown(why="ReadTimeout")
TAKEN = OrderAccepted(task_id="tk-1")


async def notes(one: Desk) -> tuple[str, ...]:
    """What the card of the ask says beside its jobs."""
    return (await one.ask()).notes
