"""The use-cases over a storage, without Slack and without a provider: what people ask and press, and what a test wants
to see of the rows.

    house = House(storage=MemoryStorage())
    taken = await house.intake(confirm_above_micro_usd=0).draft(a_sender(), "a red panda", Changes())
    await house.presses().confirm(a_sender("press"), taken.ask.id)
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from bot.domain.access import Member
from bot.domain.audit import AuditEntry
from bot.domain.budget import EntryKind
from bot.domain.capabilities import Capabilities
from bot.domain.job import Ask, Decision, Job, Ownership, State, TimelineEntry
from bot.domain.lineage import Changes
from bot.domain.pricing import PriceTable, Rate, RateKey
from bot.domain.recipe import Resolution
from bot.ports import Directory, Storage, Transaction
from bot.services.answers import Taken
from bot.services.doorbell import Doorbell
from bot.services.gatekeeper import Gatekeeper
from bot.services.holds import hold_for
from bot.services.intake import Intake
from bot.services.policies import Policies
from bot.services.policy import Policy
from bot.services.presses import Presses
from bot.services.routing import Router
from bot.services.taking import Taking
from tests.support.clock import START, SettableClock
from tests.support.values import a_sender, at, capabilities
from tests.support.vendors import Declared

DRAFT, FINAL = 320_000, 600_000
"""Micro-dollars: four seconds at 480p and at 720p."""
ROOT, CLIP = "1700000000.000100", "1700000002.000300"
RATES: Mapping[RateKey, Rate] = {
    ("hiapi", "mini", resolution, False): Rate(per_second_micro_usd=price, as_of=START.date())
    for resolution, price in {Resolution.P480: 80_000, Resolution.P720: 150_000}.items()
}


class People:
    """A directory: whoever is not given is a colleague."""

    def __init__(self, *members: Member, unknown: Iterable[str] = ()) -> None:
        self.members: dict[str, Member | None] = {member.person: member for member in members}
        self.members.update(dict.fromkeys(unknown))
        self.asked: list[str] = []
        """Everybody who was looked up, in order."""

    async def member(self, person: str) -> Member | None:
        """What Slack would say."""
        self.asked.append(person)
        return self.members.get(person, Member(person=person))

    async def admins(self) -> tuple[str, ...]:
        """Of those who were given."""
        return tuple(person for person, member in self.members.items() if member is not None and member.runs_workspace)


class Bell(Doorbell):
    """Counts how often it was rung."""

    def __init__(self) -> None:
        super().__init__()
        self.rings = 0

    def ring(self) -> None:
        """As ever, and counted."""
        self.rings += 1
        super().ring()


@dataclass
class House:
    """The use-cases over one database. Each call makes them anew, under the policy it is given, over the same rows."""

    storage: Storage
    clock: SettableClock = field(default_factory=SettableClock)
    people: Directory = field(default_factory=People)
    bell: Bell = field(default_factory=Bell)
    rates: Mapping[RateKey, Rate] = field(default_factory=lambda: RATES)
    tier: Capabilities = field(default_factory=lambda: capabilities(resolutions=frozenset(Resolution)))
    _ownership: Ownership | None = None

    def intake(self, **policy: Any) -> Intake:
        """What takes asks."""
        return Intake(
            storage=self.storage,
            router=Router({"hiapi": Declared(self.tier)}, PriceTable(self.rates)),
            policies=self.policies(**policy),
            gatekeeper=self.gatekeeper(),
            taking=Taking(storage=self.storage, clock=self.clock, wake=self.bell.ring),
            doorbell=self.bell,
        )

    def presses(self, **policy: Any) -> Presses:
        """What hears buttons."""
        return Presses(
            storage=self.storage,
            policies=self.policies(**policy),
            gatekeeper=self.gatekeeper(),
            clock=self.clock,
            wake=self.bell.ring,
        )

    def policies(self, **policy: Any) -> Policies:
        """The operator's policy, and what is stored."""
        return Policies(storage=self.storage, operator=Policy(**policy))

    def gatekeeper(self) -> Gatekeeper:
        """Who asks our people's directory."""
        return Gatekeeper(directory=self.people, clock=self.clock)

    @property
    def wakes(self) -> int:
        """How often the runner was called."""
        return self.bell.rings

    # --- what people did -------------------------------------------------------------------------------------------

    async def draft(self, key: str = "draft", *, person: str = "U1", **changes: Any) -> Taken:
        """A draft as taken, its card posted."""
        taken = await self.intake().draft(a_sender(key, person=person), "a red panda", Changes(**changes))
        assert isinstance(taken, Taken)
        await self.post_card(taken.ask)
        return taken

    async def clip(self, **changes: Any) -> Job:
        """A draft whose only clip stands as the message CLIP."""
        taken = await self.draft(**changes)
        return await self.moved(taken.jobs[0], state=State.DELIVERED, message_ts=CLIP)

    async def promoted(self, person: str = "U2", key: str = "react", **policy: Any) -> Taken:
        """The final of that clip, asked for by a reaction."""
        taken = await self.intake(**policy).promote_message(a_sender(key, person=person), CLIP)
        assert isinstance(taken, Taken)
        return taken

    async def costly(self, key: str = "costly", *, person: str = "U1") -> Taken:
        """An ask that waits for *Confirm*."""
        taken = await self.intake().draft(a_sender(key, person=person), "a red panda", Changes(takes=4))
        assert isinstance(taken, Taken)
        return taken

    async def uncertain(self) -> Job:
        """A draft of which nobody knows whether it was ordered."""
        taken = await self.draft()
        return await self.moved(taken.jobs[0], state=State.UNCERTAIN)

    # --- what the runner did ----------------------------------------------------------------------------------------

    async def decide(self, ask_id: str) -> None:
        """The window of an ask is over, and it goes on."""
        async with self.storage.begin() as tx:
            await tx.jobs.decide("T1", ask_id, Decision.GO, None)

    async def post_card(self, ask: Ask, ts: str = ROOT) -> None:
        """The ask's card stands; the first of a thread is its root."""
        async with self.storage.begin() as tx:
            await tx.jobs.card_posted("T1", ask.id, ts, ask.version)

    async def moved(self, job: Job, **changes: Any) -> Job:
        """The runner moved the job so, and its money with it."""
        async with self.storage.begin() as tx:
            if self._ownership is None:
                self._ownership = await tx.leases.register("process-1", self.clock.now(), at(10**6), alone=True)
            await tx.jobs.claim(self._ownership, 100, self.clock.now())
            moved = await _paid(tx, replace(await tx.jobs.job("T1", job.id), **changes), self.clock.now())
            entry = TimelineEntry(workspace="T1", job_id=job.id, at=self.clock.now(), event="set", state=moved.state)
            return await tx.jobs.save(moved, self._ownership, entry)

    # --- what is on disk --------------------------------------------------------------------------------------------

    async def ask(self, ask_id: str) -> Ask:
        """That ask."""
        async with self.storage.read() as tx:
            return await tx.jobs.ask("T1", ask_id)

    async def job(self, job_id: str) -> Job:
        """That job."""
        async with self.storage.read() as tx:
            return await tx.jobs.job("T1", job_id)

    async def asks(self) -> set[str]:
        """The ids of all asks that have jobs."""
        async with self.storage.read() as tx:
            return {ask.id for _, ask in await tx.jobs.listing(state=None, limit=100)}

    async def held(self) -> list[tuple[str, int, str, int]]:
        """Everything that was ever held, whatever became of it: kind of row, attempt, who pays, and how much."""
        async with self.storage.read() as tx:
            rows = await tx.ledger.entries()
        holds = [row for row in rows if row.kind is EntryKind.HOLD]
        return [(row.kind.value, row.attempt, row.person, row.held_micro_usd) for row in holds]

    async def audit(self) -> tuple[AuditEntry, ...]:
        """Who did what, oldest first."""
        async with self.storage.read() as tx:
            return await tx.audit.entries()

    async def supporters(self, ask_id: str) -> list[str]:
        """Who stands behind a promotion, earliest first."""
        async with self.storage.read() as tx:
            return [supporter.person for supporter in await tx.jobs.supporters("T1", ask_id)]

    async def as_it_is(self) -> tuple[object, ...]:
        """Everything that an action of no effect leaves as it was."""
        async with self.storage.read() as tx:
            jobs = await tx.jobs.listing(state=None, limit=100)
            return (jobs, await tx.ledger.entries(), await tx.audit.entries(), self.wakes)


_CHARGED = frozenset({State.DOWNLOADING, State.DELIVERING, State.DELIVERED})


async def _paid(tx: Transaction, job: Job, now: datetime) -> Job:
    """The job with its money where its state has it: charged at its price once it is rendered, and given back when it
    ended before."""
    if job.state in _CHARGED or (job.state is State.CANCELLED and job.clip_key is not None):
        await tx.ledger.hold([hold_for(job, now)], [])
        await tx.ledger.settle(job.workspace, job.id, job.attempt, job.price_micro_usd, now)
        return replace(job, cost_micro_usd=job.price_micro_usd)
    if job.state in {State.FAILED, State.CANCELLED}:
        await tx.ledger.release(job.workspace, job.id, job.attempt, now)
    return job
