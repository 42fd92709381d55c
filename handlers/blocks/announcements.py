"""Announcements in words: finals for the winners' channel, and news about money for whoever administers Dailies."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from bot.domain.announcement import Announcement, Topic
from bot.domain.budget import Scope, whose
from bot.domain.pricing import dollars
from handlers.blocks.kit import Message, cut, escape, local_time, mrkdwn, plain, said
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
        f"`[{escape(provider)}.{tier}]`, and restart."
    )


_WORDS: Mapping[Topic, Callable[[Facts], str]] = MappingProxyType(
    {Topic.WINNER_UNTOLD: _winner_untold, Topic.CAP_NEAR: _cap_near, Topic.OVERBILLED: _overbilled}
)
