"""What is set aside for a job, and under which caps: the same when an ask is accepted, when its gate is passed, and
when it is ordered again."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from bot.domain.budget import Cap, Hold, OverCap, Scope, caps_on, must_fit
from bot.domain.job import Job
from bot.ports import Transaction
from bot.services.news import tell_near_caps, tell_overbilled
from bot.services.policy import Policy

_T = TypeVar("_T")


async def hold(tx: Transaction, jobs: Iterable[Job], policy: Policy, now: datetime) -> None:
    """Set the money of these jobs of one ask aside, all or none; a cap that this brings near its limit is told of.
    Raises OverCap."""
    holds = [hold_for(job, now) for job in jobs]
    if not holds:
        return
    caps = caps_for(holds[0], policy, now)
    await tx.ledger.hold(holds, caps)
    await tell_near_caps(tx, holds[0].workspace, caps, now)


async def paid_by_first(payers: Sequence[str], pay: Callable[[str], Awaitable[_T]]) -> _T:
    """What ``pay`` gives for the first of the payers whose own allowance has room. Raises OverCap: of the last one's
    allowance, or at once of another cap, which is full whoever pays."""
    payer, *others = payers
    try:
        return await pay(payer)
    except OverCap as over:
        if others and over.cap.scope is Scope.PERSON_DAY:
            return await paid_by_first(others, pay)
        raise


async def see_room(tx: Transaction, jobs: Iterable[Job], policy: Policy, now: datetime) -> None:
    """See that the money of these jobs of one ask would fit now, and set nothing aside. Raises OverCap."""
    holds = [hold_for(job, now) for job in jobs]
    asked, assumed = sum(hold.micro_usd for hold in holds), any(hold.price_assumed for hold in holds)
    for cap in caps_for(holds[0], policy, now) if holds else ():
        must_fit(cap, await tx.ledger.committed(cap, holds[0].workspace), asked, assumed=assumed)


async def see_still_fits(tx: Transaction, job: Job, policy: Policy, now: datetime) -> None:
    """See that what is held for the job still fits beside everything else: a provider may have billed more than its
    price meanwhile, or a cap been lowered. Raises OverCap."""
    own = job.price_micro_usd
    for cap in await caps_of_held(tx, job, policy, now):
        must_fit(cap, await tx.ledger.committed(cap, job.workspace) - own, own, assumed=job.price_assumed)


async def tell_of_cost(tx: Transaction, job: Job, charged_micro_usd: int | None, policy: Policy) -> None:
    """Announce what a provider's charge for the job's present order, just settled, makes worth knowing: that it is more
    than was held, and that a cap is near."""
    if charged_micro_usd is None or charged_micro_usd <= job.price_micro_usd:
        return
    now = job.updated_at
    await tell_overbilled(tx, job, charged_micro_usd, policy, now)
    await tell_near_caps(tx, job.workspace, await caps_of_held(tx, job, policy, now), now)


def hold_for(job: Job, now: datetime) -> Hold:
    """The money to set aside for the job's present attempt."""
    return Hold(
        workspace=job.workspace,
        job_id=job.id,
        attempt=job.attempt,
        channel=job.channel,
        person=job.person,
        provider=job.provider,
        tier=job.recipe.tier,
        stage=job.stage,
        as_final_micro_usd=job.as_final_micro_usd,
        price_assumed=job.price_assumed,
        micro_usd=job.price_micro_usd,
        at=now,
    )


def caps_for(hold: Hold, policy: Policy, now: datetime) -> tuple[Cap, ...]:
    """The caps that bind that hold."""
    return caps_on(
        policy.caps, workspace=hold.workspace, channel=hold.channel, person=hold.person, now=now, zone=policy.zone
    )


async def caps_of_held(tx: Transaction, job: Job, policy: Policy, now: datetime) -> tuple[Cap, ...]:
    """The caps that the hold of the job's present attempt counts under: those of the day and month in which it was
    taken, with the limits of today. Of an attempt without a hold: those of ``now``."""
    entries = await tx.ledger.entries(job.workspace, job.id)
    taken = next((entry for entry in entries if entry.attempt == job.attempt and entry.seq == 0), None)
    return caps_on(
        policy.caps,
        workspace=job.workspace,
        channel=taken.channel if taken else job.channel,
        person=taken.person if taken else job.person,
        now=taken.at if taken else now,
        zone=policy.zone,
    )
