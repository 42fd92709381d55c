"""What a person is told alone when something holds an accepted ask up: one text for each ``Notice``."""

from bot.domain.job import Ask, Job
from bot.domain.notice import Notice
from bot.domain.pricing import dollars
from handlers.blocks.kit import Message, escape, quoted, said


def notice(kind: Notice, ask: Ask, job: Job | None = None) -> Message:
    """The message for a notice about an ask, or about one clip of it. Pure."""
    match kind:
        case Notice.NOT_IN_CHANNEL:
            return said(_not_in_channel(ask))
        case Notice.CARD_REFUSED:
            return said(_card_refused(ask))
        case Notice.DELIVERY_REFUSED:
            return said(_delivery_refused(ask, job))
        case Notice.NO_CARD:
            return said(_no_card(ask))
        case Notice.OVER_CAP:
            return said(_over_cap(ask, job))


def _clip(ask: Ask, job: Job | None) -> str:
    which, prompt = (f"Clip #{job.number}", job.recipe.prompt) if job else ("Your clip", ask.text)
    return f"{which} ({quoted(prompt, 80)})" if prompt else which


def _charged(job: Job | None) -> str:
    return f"{dollars(job.cost_micro_usd)} was charged for it." if job and job.cost_micro_usd else "It is paid for."


def _about(ask: Ask) -> str:
    return f" {quoted(ask.text, 80)}" if ask.text else ""


def _not_in_channel(ask: Ask) -> str:
    return (
        f"Your ask{_about(ask)} cannot be shown in <#{ask.channel}>: Dailies is not in that channel, or it is "
        "archived. Nothing was ordered or charged. Type `/invite @Dailies` there, and send your command again."
    )


def _card_refused(ask: Ask) -> str:
    return (
        f"The card of your ask{_about(ask)} cannot be shown in <#{ask.channel}> now: the app was removed, the channel "
        "is archived, or Slack does not say whether the card stands. What was charged for it stays charged, a clip "
        "that is under way goes on, and no other clip of it is ordered. Invite the app or unarchive the channel: the "
        "card is posted by itself, half an hour later at most."
    )


def _delivery_refused(ask: Ask, job: Job | None) -> str:
    return (
        f"{_clip(ask, job)} is ready and safe on our storage, and Slack does not let it into its thread in "
        f"<#{ask.channel}>: the app was removed, the channel is archived, or files are not allowed there. "
        f"{_charged(job)} It is tried again by itself at growing intervals; invite the app or unarchive the channel, "
        "and press *Deliver again* on the card to have it at once."
    )


def _no_card(ask: Ask) -> str:
    return (
        f"Slack did not say whether the card of your ask{_about(ask)} stands in <#{ask.channel}>, and does not let "
        "Dailies look. Nothing was ordered or charged. Send your command again in a moment."
    )


def _over_cap(ask: Ask, job: Job | None) -> str:
    detail = f" {escape(job.failure.detail)}" if job and job.failure and job.failure.detail else ""
    return (
        f"{_clip(ask, job)} was not started: when its time for *Undo* was over, the money no longer fitted under a "
        f"spending cap.{detail} Nothing was charged. Ask again when the cap renews, or have an "
        "admin raise it, up to what whoever runs Dailies allows."
    )
