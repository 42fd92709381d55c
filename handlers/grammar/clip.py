"""``/clip PROMPT [options]``: text to what was asked."""

import re
import unicodedata
from dataclasses import dataclass

from bot.domain.lineage import Changes
from bot.domain.recipe import Medium, names_of, names_without_file
from handlers.grammar.attachments import take_attached
from handlers.grammar.doors import SettingsRequest, UsageRequest, parse_door
from handlers.grammar.errors import NoPrompt, NoSuchReference, NotAvailableYet, PromptTooLong
from handlers.grammar.line import Line, read_line
from handlers.grammar.media import EXAMPLE_PICTURE, first_frame_for
from handlers.grammar.options import AUTO, EXAMPLE, changes_of
from handlers.grammar.slack_text import normalise

LONGEST_PROMPT = 20_000
"""Characters. No provider reads more; what a particular one reads is checked when it is chosen."""

_PERMUTATION = re.compile(r"\{[^{},]*,[^{}]*\}")
_HELP = frozenset({"", "help", "--help", "?"})


@dataclass(frozen=True, kw_only=True)
class Help:
    """Nothing was asked but what Dailies can do."""


@dataclass(frozen=True, kw_only=True)
class ClipRequest:
    """What ``/clip`` asks for. ``changes`` is what is wanted otherwise than in the channel's preset; ``provider`` is
    None when Dailies is to choose."""

    prompt: str
    changes: Changes
    provider: str | None
    final: bool
    estimate: bool


def parse_clip(text: str) -> ClipRequest | UsageRequest | SettingsRequest | Help:
    """Read the text of the slash command, as Slack sends it. Pure; raises UsageError and nothing else."""
    plain = normalise(text)
    if asks_for_help(plain):
        return Help()
    if door := parse_door(text):
        return door
    line = read_line(plain)
    take_attached(line, ())
    return request_of(line, plain)


def asks_for_help(plain: str) -> bool:
    """Whether normalised text is nothing but a cry for help."""
    return plain.strip().lower() in _HELP


def request_of(line: Line, plain: str) -> ClipRequest:
    """What a line asks for, once its files have their roles; ``plain`` is the whole of it. Raises UsageError."""
    if line.problem:
        raise line.problem
    if "last" in line.given and "first" not in line.given and "extend" not in line.given:
        raise first_frame_for("--last", line.start)
    provider, changes = line.given.get("provider"), changes_of(line.given)
    return ClipRequest(
        prompt=_prompt(line, plain, changes.media),
        changes=changes,
        provider=provider if isinstance(provider, str) and provider != AUTO else None,
        final=bool(line.given.get("final")),
        estimate=bool(line.given.get("estimate")),
    )


def _prompt(line: Line, typed: str, media: tuple[Medium, ...]) -> str:
    prompt = line.prose
    if not says_something(prompt):
        options = " ".join(filter(None, line.typed.values()))
        raise NoPrompt(typed=typed, suggestion=f"{line.start} {options}".strip())
    return checked_words(prompt, media, example=line.start)


def says_something(words: str) -> bool:
    """Whether there is a letter, a digit or a symbol (an emoji, say) in it, and not punctuation alone."""
    return any(unicodedata.category(character)[0] in "LNS" for character in words)


def checked_words(words: str, media: tuple[Medium, ...], *, example: str = EXAMPLE) -> str:
    """The words, unless they ask for what cannot be had: raises UsageError for a length or the name of a file that is
    not among those given."""
    if len(words) > LONGEST_PROMPT:
        raise PromptTooLong(prompt=words, longest=LONGEST_PROMPT)
    if missing := names_without_file(words, media):
        suggestion = f"{example} --ref {EXAMPLE_PICTURE}"
        raise NoSuchReference(name=missing[0], there=names_of(media), suggestion=suggestion)
    if found := _PERMUTATION.search(words):
        raise NotAvailableYet(option=found[0], instead="Choose one for each clip so far.", suggestion=example)
    return words
