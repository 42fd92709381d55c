"""Who stands behind a final that reactions asked for, as Slack shows it at this moment."""

from dataclasses import dataclass

import structlog

from bot.domain.access import Action, Why
from bot.domain.job import Ask, Door, Gate, Job
from bot.ports import ChatError, MessageGone
from bot.services.bench import Bench, Later
from bot.services.policy import Policy

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Who stands, earliest first."""

    eligible: tuple[str, ...] = ()
    """Their reaction still stands, and they may spend here."""
    unknown: tuple[str, ...] = ()
    """Theirs stands too, and Slack did not say of them whether they may."""
    anybody: bool = False
    """Some reaction still stands."""


def for_reactions_alone(job: Job, ask: Ask) -> bool:
    """Whether the job's next order was asked for by reactions and confirmed by nobody, so that they are read once more
    right before it. A final that a button or a text asked for stands until it is stopped."""
    return ask.door is Door.REACTION and ask.gate is Gate.UNDO and not job.reordered


class Unnamed(ChatError):
    """Who still reacts is known, and of too many of them not whether they may spend."""

    def __init__(self) -> None:
        super().__init__("who_reacts_is_unknown")


def until_told(ask: Ask, error: ChatError) -> Later:
    """Slack does not say who reacts: it is asked again soon, or when it wishes to be."""
    log.info("promotion.cannot_read_reactions", ask=ask.id, error=error.code)
    return Later(seconds=max(2.0, error.retry_after_seconds or 0.0))


async def who_stands(bench: Bench, ask: Ask, policy: Policy) -> Standing:
    """Read the reactions on the draft's message, of those whose reaction was heard of. Raises ChatError when Slack does
    not say who reacts."""
    async with bench.storage.read() as tx:
        supporters = await tx.jobs.supporters(ask.workspace, ask.id)
        parent = await tx.jobs.job(ask.workspace, ask.parent_job or "")
    try:
        standing = await bench.chat.reactors(parent.channel, parent.message_ts or "", policy.promoting)
    except MessageGone:
        return Standing()
    people = [supporter.person for supporter in supporters if supporter.person in standing]
    may = bench.gatekeeper.may_be_told
    whys = {person: await may(Action.SPEND, person=person, channel=ask.channel, policy=policy) for person in people}
    return Standing(
        eligible=tuple(person for person in people if whys[person] is None),
        unknown=tuple(person for person in people if whys[person] is Why.UNKNOWN),
        anybody=bool(people),
    )
