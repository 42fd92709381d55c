"""What a move means for the money: the hold of the attempt is settled, released or adjusted, and a line says so.

Called by ``bot.services.moving`` within the transaction of the move, so that a job never stands where its money does
not. A line is written for what changed, and never for what was so already.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from bot.domain.audit import Act, AuditEntry
from bot.domain.events import (
    Accepted,
    Declined,
    Event,
    Lapsed,
    PassedOn,
    Refused,
    Rendered,
    RenderFailed,
    Reordered,
    Starved,
    Stopped,
    WrittenOff,
)
from bot.domain.job import Job, State
from bot.ports import Transaction

_NOT_STATED = "the provider did not say: counted at its price"
_NOBODY_KNOWS = "nobody knows: counted as spent"


async def pay(tx: Transaction, job: Job, event: Event, after: Job) -> Job:
    """Book what the event means for the job as it was, and return the job as it is ``after``, with what it cost
    according to the ledger."""
    books = _Books(tx=tx, job=job, after=after)
    match event:
        case Accepted():
            await books.accepted(event)
            return after
        case Lapsed():
            await books.line(Act.UNCERTAIN, job.price_micro_usd)
            return after
        case Declined() | Starved() | Refused() | PassedOn():
            await books.release()
        case Rendered(cost_micro_usd=cost):
            await books.charge(cost)
        case RenderFailed(cost_micro_usd=0) | Stopped(cost_micro_usd=0):
            await books.give_back()
        case RenderFailed(cost_micro_usd=cost) | Stopped(cost_micro_usd=cost):
            await books.charge(cost)
        case WrittenOff(cost_micro_usd=cost):
            await books.settle(cost, _NOBODY_KNOWS)
        case Reordered():
            # Nobody knows whether the first order was charged; it counts as spent, and the second has its own hold.
            await books.settle(job.price_micro_usd, _NOBODY_KNOWS)
        case _:
            return after
    return await books.costed()


async def book_taken_anew(tx: Transaction, job: Job) -> None:
    """Write down that the provider took the repeated order of this job, as it is since, for a new one: the first may
    be charged beside it. Nothing is counted for what nobody can prove."""
    await _Books(tx=tx, job=job, after=job).line(Act.TAKEN_ANEW, job.price_micro_usd, "perhaps charged twice")


@dataclass(frozen=True, kw_only=True)
class _Books:
    """The ledger and the audit, about the present attempt of one job as it was before the move."""

    tx: Transaction
    job: Job
    after: Job

    @property
    def at(self) -> datetime:
        """When the move is."""
        return self.after.updated_at

    async def accepted(self, event: Accepted) -> None:
        """The provider has the order; it may have said already what it charges."""
        job = self.job
        if job.state is State.UNCERTAIN and await self.tx.ledger.release(
            job.workspace, job.id, job.attempt + 1, self.at
        ):
            # Found after all: what *Order again* had set aside meanwhile is not needed.
            await self.line(Act.RELEASED, job.price_micro_usd, "the order before was found")
        await self.line(Act.ORDERED, job.price_micro_usd)
        if event.cost_micro_usd:
            # What is charged counts at once: a provider that bills more than it said must not be asked for more than
            # the caps have room for while its clip renders. Nothing charged *yet* is no reason to give the hold back.
            await self.charge(event.cost_micro_usd)

    async def charge(self, cost_micro_usd: int | None) -> None:
        """The order cost so much; None where the provider does not say, which is no news when it said so before."""
        if cost_micro_usd is None:
            await self.settle(self.job.price_micro_usd, _NOT_STATED)
        elif not await self.settle(cost_micro_usd) and await self._adjust(cost_micro_usd):
            await self.line(Act.CHARGED, cost_micro_usd, "known anew")

    async def give_back(self) -> None:
        """The order cost nothing, whatever was said before."""
        if await self.release():
            return
        settled = await self._settled()
        if await self._adjust(0):
            await self.line(Act.RELEASED, settled, "given back by the provider")

    async def settle(self, cost_micro_usd: int, why: str = "") -> bool:
        """Close the hold with that cost; False when it was closed before."""
        job = self.job
        if not await self.tx.ledger.settle(job.workspace, job.id, job.attempt, cost_micro_usd, self.at):
            return False
        await self.line(Act.CHARGED, cost_micro_usd, why)
        return True

    async def release(self) -> bool:
        """Close the hold without a cost; False when there was none, or it was closed before."""
        job = self.job
        if not await self.tx.ledger.release(job.workspace, job.id, job.attempt, self.at):
            return False
        await self.line(Act.RELEASED, job.price_micro_usd)
        return True

    async def costed(self) -> Job:
        """The job after the move, at what all its orders cost according to the ledger."""
        entries = await self.tx.ledger.entries(self.job.workspace, self.job.id)
        spent = sum(entry.settled_micro_usd for entry in entries)
        return replace(self.after, cost_micro_usd=spent or (None if self.after.cost_micro_usd is None else 0))

    async def line(self, act: Act, micro_usd: int, detail: str = "") -> None:
        """Write down what was done. Nobody did it: Dailies acts by itself on what a provider said."""
        await self.tx.audit.add(
            AuditEntry(
                workspace=self.job.workspace,
                at=self.at,
                act=act,
                channel=self.job.channel,
                ask_id=self.job.ask_id,
                job_id=self.job.id,
                provider=self.job.provider,
                task_id=self.after.task_id,
                micro_usd=micro_usd,
                # Any other figure was named by the provider.
                price_assumed=self.job.price_assumed and micro_usd == self.job.price_micro_usd,
                detail=detail,
            )
        )

    async def _settled(self) -> int:
        """What is charged for the present attempt so far."""
        entries = await self.tx.ledger.entries(self.job.workspace, self.job.id)
        return sum(entry.settled_micro_usd for entry in entries if entry.attempt == self.job.attempt)

    async def _adjust(self, cost_micro_usd: int) -> bool:
        job = self.job
        return await self.tx.ledger.adjust(job.workspace, job.id, job.attempt, cost_micro_usd, self.at)
