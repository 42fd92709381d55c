"""How the value of a preference is read from what people type, and written for them to read and to be stored.

``read`` takes text and gives a value; it raises ValueError for text that is none. ``write`` gives the one form that is
stored and shown: ``read(write(value)) == value`` for every value that can be stored.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from bot.domain.pricing import MICRO, dollars
from bot.domain.recipe import LONGEST_SECONDS, SHORTEST_SECONDS

NONE = "none"
NO_LIMIT = "no limit"
AUTO = "auto"

LONGEST_WORDS = 500
"""Characters of a look, or of one member of the cast."""
MOST_NAMES = 200
"""Names in one list."""
MOST_DOLLARS = 1_000_000

_NUMBER = re.compile(r"[0-9]{1,9}")
_SECONDS = re.compile(r"([0-9]{1,9})\s?s?", re.IGNORECASE)
_DOLLARS = re.compile(r"\$?\s?([0-9]{1,9})(?:\.([0-9]{1,2}))?")
_TIER = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
_LONGEST_EMOJI = 100
_SEPARATORS = re.compile(r"[\s,;]+")
_LINK = re.compile(r"https?://\S+")
_ON = frozenset({"on", "yes", "true"})
_OFF = frozenset({"off", "no", "false"})


class Mention(StrEnum):
    """What kind of Slack id a value holds; the words are the signs before it in Slack's text."""

    PERSON = "@"
    CHANNEL = "#"


_IDS = {Mention.PERSON: re.compile(r"[UW][A-Z0-9]{2,30}"), Mention.CHANNEL: re.compile(r"[CDG][A-Z0-9]{2,30}")}


@dataclass(frozen=True, kw_only=True)
class Kind:
    """How one kind of value is read and written. ``allowed`` ends the sentence “Allowed: …”."""

    read: Callable[[str], Any]
    write: Callable[[Any], str]
    allowed: str
    mention: Mention | None = None
    """Set where the value consists of ids."""
    several: bool = False
    """A set of names, of which some can be added and taken away."""


def one_of(values: type[StrEnum]) -> Kind:
    """A member of an enumeration, by its word."""
    return Kind(read=lambda text: values(text.lower()), write=str, allowed=", ".join(values))


def whole(lowest: int, highest: int) -> Kind:
    """A whole number."""

    def read(text: str) -> int:
        return _between(lowest, highest, _match(_NUMBER, text)[0])

    return Kind(read=read, write=str, allowed=f"a whole number from {lowest} to {highest}")


def _clip_seconds(text: str) -> int | None:
    if text.lower() == AUTO:
        return None
    return _between(SHORTEST_SECONDS, LONGEST_SECONDS, _match(_SECONDS, text)[1])


CLIP_SECONDS = Kind(
    read=_clip_seconds,
    write=lambda seconds: AUTO if seconds is None else f"{seconds} s",
    allowed=f"whole seconds from {SHORTEST_SECONDS} to {LONGEST_SECONDS}, or {AUTO}",
)


def duration(shortest: int, longest: int) -> Kind:
    """A time in whole seconds."""

    def read(text: str) -> timedelta:
        return timedelta(seconds=_between(shortest, longest, _match(_SECONDS, text)[1]))

    return Kind(
        read=read,
        write=lambda waited: f"{waited.total_seconds():g} s",
        allowed=f"whole seconds from {shortest} to {longest}",
    )


def _switch(text: str) -> bool:
    if text.lower() not in _ON | _OFF:
        raise ValueError(text)
    return text.lower() in _ON


SWITCH = Kind(read=_switch, write=lambda value: "on" if value else "off", allowed="on or off")

TIER = Kind(
    read=lambda text: _match(_TIER, text.lower())[0], write=str, allowed="the name of a provider's tier, such as mini"
)


def _dollars(text: str) -> int:
    found = _match(_DOLLARS, text)
    cents = int(found[1]) * 100 + int((found[2] or "0").ljust(2, "0"))
    return _between(0, MOST_DOLLARS * MICRO, cents * MICRO // 100)


MONEY = Kind(
    read=_dollars,
    write=lambda amount: NO_LIMIT if amount is None else dollars(amount),
    allowed=f"US dollars from 0 to {MOST_DOLLARS:,}, such as 25 or $2.50",
)


def emoji(*, may_be_none: bool) -> Kind:
    """Names of reactions, without their colons and skin tones; the first is the one that cards name."""

    def read(text: str) -> tuple[str, ...]:
        if may_be_none and text.lower() == NONE:
            return ()
        names = [part.split("::")[0].strip(":").lower() for part in _parts(text)]
        if not names or NONE in names or not all(_is_emoji(name) for name in names):
            raise ValueError(text)
        return tuple(dict.fromkeys(names))

    or_none = f", or {NONE}" if may_be_none else ""
    return Kind(
        read=read,
        write=lambda names: " ".join(f":{name}:" for name in names) or NONE,
        allowed=f"names of emoji, such as :rocket:{or_none}",
    )


def _is_emoji(name: str) -> bool:
    """Letters (of any script), digits and some signs. A picture that Slack did not turn into its name is none:
    reactions come by name."""
    plain = all(character.isalnum() or character in "_+'-" for character in name)
    return plain and len(name) <= _LONGEST_EMOJI and any(character.isalnum() for character in name)


def _channel(text: str) -> str | None:
    return None if text.lower() == NONE else _id(Mention.CHANNEL, text)


CHANNEL = Kind(
    read=_channel,
    write=lambda channel: channel or NONE,
    allowed=f"a channel (#name in Slack, its id elsewhere), or {NONE}",
    mention=Mention.CHANNEL,
)


def ids(mention: Mention, what: str) -> Kind:
    """A set of people or channels."""

    def read(text: str) -> frozenset[str]:
        found = frozenset(_id(mention, part) for part in _parts(text, keep_references=True))
        if not found:
            raise ValueError(text)
        return found

    return Kind(
        read=read,
        write=lambda found: ", ".join(sorted(found)) or NONE,
        allowed=f"{what} ({mention.value}name in Slack, ids elsewhere), at most {MOST_NAMES}",
        mention=mention,
        several=True,
    )


def words(*, with_reference: bool) -> Kind:
    """Somebody's words, and where they may go with a picture: at most one https link or permalink."""

    def read(text: str) -> str:
        plain = " ".join(text.split())
        links = _LINK.findall(plain)
        if not plain or len(plain) > LONGEST_WORDS or not plain.isprintable():
            raise ValueError(text)
        if len(links) > (1 if with_reference else 0) or not all(link.startswith("https://") for link in links):
            raise ValueError(text)
        if not _LINK.sub("", plain).strip():
            raise ValueError(text)
        return plain

    link = " and at most one https link" if with_reference else " without links"
    return Kind(read=read, write=lambda text: text or NONE, allowed=f"words{link}, {LONGEST_WORDS} characters at most")


def _match(pattern: re.Pattern[str], text: str) -> re.Match[str]:
    found = pattern.fullmatch(text)
    if found is None:
        raise ValueError(text)
    return found


def _between(lowest: int, highest: int, number: str | int) -> int:
    if not lowest <= int(number) <= highest:
        raise ValueError(number)
    return int(number)


def _parts(text: str, *, keep_references: bool = False) -> Iterable[str]:
    # A label such as “<#C1|to be, or not>” is Slack's, and may hold what separates others.
    plain = re.sub(r"<([@#][A-Z0-9]+)\|[^<>]*>", r" <\1> ", text) if keep_references else text
    return [part for part in _SEPARATORS.split(plain) if part]


def _id(mention: Mention, text: str) -> str:
    reference = re.fullmatch(rf"<{mention.value}([A-Z0-9]+)(?:\|[^<>]*)?>", text)
    return _match(_IDS[mention], reference[1] if reference else text)[0]
