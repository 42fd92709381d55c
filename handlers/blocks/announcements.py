"""Announcements in words: finals for the winners' channel, and news about money for whoever administers Dailies."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from bot.domain.announcement import Announcement, Topic
from bot.domain.budget import Scope, whose
from bot.domain.failure import FailureKind
from bot.domain.pretend import real_name
from bot.domain.pricing import dollars
from handlers.blocks.kit import Message, cut, escape, local_time, mrkdwn, plain, said
from handlers.blocks.top_up import top_up
from handlers.blocks.words import price_words, provider_name

LONGEST_PROMPT = 300
"""Characters of a prompt in the winners' channel."""

Facts = Mapping[str, str | int]


def announcement(news: Announcement, *, link: str | None = None) -> Message:
    """The message of an announcement. ``link`` is the permalink of the clip it is about, where there is one. Pure."""
    if news.topic is Topic.WINNER:
        return _winner(news.facts, link)
    return said(_WORDS[news.topic](news.facts))


def _winner(facts: Facts, link: str | None) -> Message:
    clip = f"<{link}|#{facts['number']}>" if link else f"#{facts['number']}"
    words = (
        f":trophy: *Final {clip}* ({escape(str(facts['resolution']))}) from <#{facts['channel']}>, promoted by "
        f"<@{facts['person']}>."
    )
    prompt = cut(str(facts["prompt"]), LONGEST_PROMPT)
    return Message(text=f"{words} “{escape(prompt)}”", blocks=[mrkdwn(words), plain(prompt)])


def _winner_untold(facts: Facts) -> str:
    return (
        f"A final is ready and stands in its thread, but Slack does not let Dailies post in <#{facts['channel']}>, the "
        f"winners' channel ({escape(str(facts['error']))}). Type `/invite @Dailies` there, or name another channel: "
        "`/clip-settings winners.channel=#channel`."
    )


def _cap_near(facts: Facts) -> str:
    committed, limit = int(facts["committed_micro_usd"]), int(facts["limit_micro_usd"])
    left, assumed = max(0, limit - committed), int(facts.get("assumed_micro_usd", 0))
    part = f" ({dollars(assumed)} of it at assumed prices)" if assumed else ""
    subject = escape(str(facts["subject"]))
    cap = whose(Scope(str(facts["scope"])), channel=f"<#{subject}>", person=f"<@{subject}>")
    renews = local_time(datetime.fromtimestamp(int(facts["renews_at"]), UTC), "{date_short_pretty} {time}")
    return (
        f"{committed * 100 // limit} % of the cap of {cap} is held or spent: {dollars(committed)} of {dollars(limit)}"
        f"{part}; "
        f"{dollars(left)} is left until it renews at {renews}. What no longer fits is refused, and nothing is charged "
        "for it. Caps are raised by admins in Slack (`/clip-settings`) up to what whoever runs Dailies allows "
        "(`BUDGET_…`)."
    )


def _overbilled(facts: Facts) -> str:
    provider, tier, resolution = str(facts["provider"]), escape(str(facts["tier"])), escape(str(facts["resolution"]))
    held, charged = int(facts["held_micro_usd"]), int(facts["charged_micro_usd"])
    price = price_words(held, assumed=bool(facts.get("price_assumed")), provider=provider)
    return (
        f"{provider_name(provider)} charged {dollars(charged)} for clip #{facts['number']} in <#{facts['channel']}>, "
        f"which was held at {price} ({tier}, {resolution}). The figures of Dailies have the true cost, and "
        "asks are refused at the cap as always; but while the price is too low, more can be under way than a cap "
        f"allows. Whoever runs Dailies mends it in `PRICE_FILE`: name the true price of {tier} at {resolution} under "
        f"`[{escape(real_name(provider))}.{tier}]`, and restart."
    )


def _taken_anew(facts: Facts) -> str:
    provider, name = str(facts["provider"]), provider_name(str(facts["provider"]))
    price = price_words(int(facts["price_micro_usd"]), assumed=bool(facts["price_assumed"]), provider=provider)
    return (
        f"{name} took the repeated order of clip #{facts['number']} in <#{facts['channel']}> as a new one: task "
        f"`{escape(str(facts['task_id']))}`. If the first one had arrived too, it is charged twice, at {price} each, "
        f"and Dailies counts it once. Look at the account at {name}; if there are two, whoever runs Dailies turns "
        f"repeating off (`{real_name(provider).upper()}_IDEMPOTENCY=false`)."
    )


def _provider_paused(facts: Facts) -> str:
    provider = str(facts["provider"])
    name = provider_name(provider)
    why = {
        FailureKind.OUT_OF_CREDIT: f"The account at {name} is empty. {top_up(provider)}.",
        FailureKind.KEY_REFUSED: f"{name} refuses the key of Dailies: whoever runs Dailies has to renew it.",
    }.get(FailureKind(str(facts["kind"])), f"{name} does not answer orders properly at the moment.")
    return (
        f"{why} Clips in <#{facts['channel']}> that were to be made there wait, and nothing is charged for them. It is "
        "tried again all the while, and they start by themselves; *Use another provider* on their cards does not wait."
    )


def _provider_resumed(facts: Facts) -> str:
    name = provider_name(str(facts["provider"]))
    return f"{name} takes orders again: the clips that waited for it start by themselves."


def _low_balance(facts: Facts) -> str:
    provider = str(facts["provider"])
    left, clip = int(facts["left_micro_usd"]), int(facts["clip_micro_usd"])
    return (
        f"{dollars(left)} is left at {provider_name(provider)}, where the dearest clip costs {dollars(clip)}. When it "
        f"is used up, clips wait. {top_up(provider)}."
    )


_WORDS: Mapping[Topic, Callable[[Facts], str]] = MappingProxyType(
    {
        Topic.WINNER_UNTOLD: _winner_untold,
        Topic.CAP_NEAR: _cap_near,
        Topic.OVERBILLED: _overbilled,
        Topic.TAKEN_ANEW: _taken_anew,
        Topic.PROVIDER_PAUSED: _provider_paused,
        Topic.PROVIDER_RESUMED: _provider_resumed,
        Topic.LOW_BALANCE: _low_balance,
    }
)
