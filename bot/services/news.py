"""What is worth announcing, written down in the transaction of what caused it; ``bot.services.announcing`` posts it.

An announcement's key says what is told once: a cap for its period, a price for a day, a final for ever.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

import structlog

from bot.domain.announcement import ADMINS, Announcement, Topic
from bot.domain.budget import Cap, day_of
from bot.domain.failure import Failure, FailureKind
from bot.domain.job import Ask, Job
from bot.ports import Transaction
from bot.services.policy import Policy

log = structlog.get_logger(__name__)

NEAR_PERCENT = 80
"""From this share of a cap on, the admins know."""

LONGEST_PROMPT = 300
"""Characters of a prompt that an announcement keeps."""


async def tell_near_caps(tx: Transaction, workspace: str, caps: Iterable[Cap], now: datetime) -> None:
    """Announce each cap of which 80 % or more is held and spent: once for its period and limit."""
    for cap in caps:
        if cap.limit_micro_usd is None:
            continue
        committed = await tx.ledger.committed(cap, workspace)
        if committed * 100 < cap.limit_micro_usd * NEAR_PERCENT:
            continue
        await _announce(
            tx,
            workspace=workspace,
            key=f"cap_near:{cap.scope.value}:{cap.subject}:{cap.period}:{cap.limit_micro_usd}",
            topic=Topic.CAP_NEAR,
            now=now,
            facts={
                "scope": cap.scope.value,
                "subject": cap.subject,
                "period": cap.period,
                "limit_micro_usd": cap.limit_micro_usd,
                "committed_micro_usd": committed,
                "assumed_micro_usd": await tx.ledger.assumed(cap, workspace),
                "renews_at": int(cap.renews_at.timestamp()),
            },
        )


async def tell_overbilled(tx: Transaction, job: Job, charged_micro_usd: int, policy: Policy, now: datetime) -> None:
    """Announce that the provider charges more than the price that was held: once a day for a price."""
    provider, tier, resolution = job.provider, job.recipe.tier, job.recipe.resolution.value
    facts: dict[str, str | int] = {
        "provider": provider,
        "tier": tier,
        "resolution": resolution,
        "held_micro_usd": job.price_micro_usd,
        "price_assumed": int(job.price_assumed),
        "charged_micro_usd": charged_micro_usd,
        "channel": job.channel,
        "number": job.number,
    }
    day = day_of(now, policy.zone)
    news = await _announce(
        tx,
        workspace=job.workspace,
        key=f"overbilled:{provider}:{tier}:{resolution}:{day}",
        topic=Topic.OVERBILLED,
        now=now,
        job_id=job.id,
        facts=facts,
    )
    if news:
        log.warning("provider.overbilled", job=job.id, **facts)


async def tell_taken_anew(tx: Transaction, job: Job) -> None:
    """Announce that the provider took the repeated order of this job, as it is since, for a new one: once for the
    order."""
    facts: dict[str, str | int] = {
        "provider": job.provider,
        "task_id": job.task_id or "",
        "price_micro_usd": job.price_micro_usd,
        "price_assumed": int(job.price_assumed),
        "channel": job.channel,
        "number": job.number,
    }
    log.warning("order.taken_anew", job=job.id, provider=job.provider, task=job.task_id)
    await _announce(
        tx,
        workspace=job.workspace,
        key=f"taken_anew:{job.id}:{job.attempt}",
        topic=Topic.TAKEN_ANEW,
        now=job.updated_at,
        job_id=job.id,
        facts=facts,
    )


async def tell_paused(tx: Transaction, job: Job, failure: Failure, since: datetime, now: datetime) -> None:
    """Announce in the channel of a job that its provider takes no orders: once for the pause, which began at
    ``since``. What only whoever runs Dailies can mend, the admins hear too."""
    mendable = failure.kind is not FailureKind.PROVIDER
    for to, who in [(job.channel, job.channel), *([(ADMINS, ADMINS)] if mendable else [])]:
        await _announce(
            tx,
            workspace=job.workspace,
            key=f"paused:{job.provider}:{who}:{int(since.timestamp())}",
            topic=Topic.PROVIDER_PAUSED,
            to=to,
            now=now,
            job_id=job.id,
            facts={"provider": job.provider, "kind": failure.kind.value, "channel": job.channel},
        )


async def tell_resumed(tx: Transaction, place: tuple[str, str], provider: str, since: datetime, now: datetime) -> None:
    """Announce in a channel (``place`` is its workspace and itself) that a provider takes orders again, which it did
    not do from ``since`` on."""
    workspace, channel = place
    await _announce(
        tx,
        workspace=workspace,
        key=f"resumed:{provider}:{channel}:{int(since.timestamp())}",
        topic=Topic.PROVIDER_RESUMED,
        to=channel,
        now=now,
        facts={"provider": provider, "channel": channel},
    )


async def tell_low_balance(
    tx: Transaction, job: Job, policy: Policy, now: datetime, *, left_micro_usd: int, clip_micro_usd: int
) -> None:
    """Announce that little is left at the job's provider: once a day."""
    await _announce(
        tx,
        workspace=job.workspace,
        key=f"low_balance:{job.provider}:{day_of(now, policy.zone)}",
        topic=Topic.LOW_BALANCE,
        now=now,
        facts={
            "provider": job.provider,
            "left_micro_usd": left_micro_usd,
            "clip_micro_usd": clip_micro_usd,
            "channel": job.channel,
        },
    )


async def tell_winner(tx: Transaction, final: Job, ask: Ask, winners_channel: str, now: datetime) -> None:
    """Announce a final that stands as its message, in the winners' channel."""
    await _announce(
        tx,
        workspace=final.workspace,
        key=f"winner:{final.id}",
        topic=Topic.WINNER,
        to=winners_channel,
        now=now,
        job_id=final.id,
        facts={
            "channel": final.channel,
            "message_ts": final.message_ts or "",
            "number": final.number,
            "person": ask.person,
            "prompt": final.recipe.prompt[:LONGEST_PROMPT],
            "resolution": final.recipe.resolution.value,
        },
    )


async def tell_winner_untold(tx: Transaction, winner: Announcement, error: str, policy: Policy, now: datetime) -> None:
    """Announce that Slack does not let us post in the winners' channel: once a day for the channel."""
    await _announce(
        tx,
        workspace=winner.workspace,
        key=f"winner_untold:{winner.to}:{day_of(now, policy.zone)}",
        topic=Topic.WINNER_UNTOLD,
        now=now,
        job_id=winner.job_id,
        facts={"channel": winner.to, "error": error},
    )


async def _announce(
    tx: Transaction,
    *,
    workspace: str,
    key: str,
    topic: Topic,
    now: datetime,
    facts: Mapping[str, str | int],
    to: str = ADMINS,
    job_id: str | None = None,
) -> bool:
    """Write it down, due at once; False when it is told already."""
    return await tx.announcements.add(
        Announcement(
            workspace=workspace, key=key, topic=topic, to=to, created_at=now, due_at=now, job_id=job_id, facts=facts
        )
    )
