"""What opens something of its own instead of making a clip: figures and settings.

As prompts these words would spend money on a misunderstanding, so ``/clip usage`` is read as the question it is.
"""

import re
from dataclasses import dataclass

from bot.domain.figures import NoMonth, read_month
from handlers.grammar.errors import NotAvailableYet, UsageError, quote
from handlers.grammar.options import EXAMPLE
from handlers.grammar.slack_text import normalise

USAGE_COMMAND = "/clip-usage"
SETTINGS_COMMAND = "/clip-settings"

_USAGE = re.compile(r"usage(?:\s+(?P<month>[0-9]{4}-[0-9]{1,2}))?", re.IGNORECASE)
_SETTINGS = re.compile(
    r"settings(?:\s+(?:help|workspace|(?:workspace\s+)?[a-z][a-z0-9._-]*[+-]?=.*))?", re.IGNORECASE | re.DOTALL
)
_THE_WORD = re.compile(r"\W*settings\s*", re.IGNORECASE)
_JOBS = re.compile(r"jobs", re.IGNORECASE)


class BadMonth(UsageError):
    """Figures were asked for of something that is no month."""

    def __init__(self, *, text: str) -> None:
        super().__init__(
            f"{quote(text)} is no month.",
            option="month",
            value=text,
            allowed="a month such as 2026-11, or nothing for this one",
            suggestion=USAGE_COMMAND,
        )


@dataclass(frozen=True, kw_only=True)
class UsageRequest:
    """What was spent, is held and is left; ``month`` is None for the present one."""

    month: str | None = None


@dataclass(frozen=True, kw_only=True)
class SettingsRequest:
    """The settings of the channel, or a change of them: ``text`` as Slack sent it, behind the word."""

    text: str = ""


def parse_usage(text: str) -> UsageRequest:
    """Read the text of ``/clip-usage``, as Slack sends it. Pure; raises BadMonth."""
    wanted = normalise(text).strip()
    if not wanted:
        return UsageRequest()
    try:
        return UsageRequest(month=read_month(wanted))
    except NoMonth:
        raise BadMonth(text=wanted) from None


def parse_door(text: str) -> UsageRequest | SettingsRequest | None:
    """What the text of ``/clip`` opens when it stands alone; None for a prompt. Pure; raises UsageError."""
    alone = normalise(text).strip()
    if found := _USAGE.fullmatch(alone):
        return parse_usage(found["month"] or "")
    if _SETTINGS.fullmatch(alone):
        return SettingsRequest(text=_THE_WORD.sub("", text, count=1).strip())
    if _JOBS.fullmatch(alone):
        raise NotAvailableYet(option=f"/clip {alone.lower()}", instead="To make a clip, say more.", suggestion=EXAMPLE)
    return None
