"""What is set aside for a job, and under which caps: the same when an ask is accepted and when its gate is passed."""

from datetime import datetime

from bot.domain.budget import Cap, Hold, caps_on
from bot.domain.job import Job
from bot.services.policy import Policy


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
        micro_usd=job.price_micro_usd,
        at=now,
    )


def caps_for(hold: Hold, policy: Policy, now: datetime) -> tuple[Cap, ...]:
    """The caps that bind that hold."""
    return caps_on(
        policy.caps, workspace=hold.workspace, channel=hold.channel, person=hold.person, now=now, zone=policy.zone
    )
