"""What Slack and phones make of typed text, undone.

Slack escapes ``& < >`` and writes mentions, channels and links as ``<…>`` references; keyboards turn straight quotes
into curly ones and add spaces that look like spaces.
Source: https://docs.slack.dev/messaging/formatting-message-text
"""

import re
import unicodedata

_STRAIGHT = str.maketrans(
    {
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\uff02", '"'),
        **dict.fromkeys("\u2018\u2019\u201a\u201b\uff07", "'"),
    }
)
_BLANK_FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Characters that are letters or symbols to Unicode and nothing to the eye."""

_JOINERS = frozenset("\u200c\u200d")
"""Invisible, and part of the spelling in Persian, Indic scripts and compound emoji."""

_INVISIBLE = frozenset({"Cc", "Cf", "Cs"})
_ENTITY = re.compile(r"&(amp|lt|gt);")
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">"}
REFERENCE = r"<([@\#!][^<>]*|[A-Za-z][A-Za-z0-9+.-]*:[^<>]*)>"
"""A mention, channel, command or link as Slack writes it; a sharp bracket that a person typed arrives as an entity."""

_REFERENCE = re.compile(REFERENCE)


def normalise(text: str) -> str:
    """Text with straight quotes, plain spaces and no invisible characters. Slack's entities stay, and its references
    that show something."""
    kept = "".join(_kept(text, place) for place in range(len(text))).translate(_STRAIGHT)
    return _REFERENCE.sub(lambda found: found[0] if _words(found[1]) else " ", kept)


def _kept(text: str, place: int) -> str:
    character = text[place]
    if character.isspace() or character in _BLANK_FILLERS:
        return " "
    if character in _JOINERS:
        return character if _joins(text, place) else ""
    return "" if unicodedata.category(character) in _INVISIBLE else character


def _joins(text: str, place: int) -> bool:
    """Between two characters beyond ASCII a joiner is spelling; elsewhere it only hides something."""
    neighbours = text[max(0, place - 1) : place] + text[place + 1 : place + 2]
    return len(neighbours) == 2 and all(
        ord(one) > 127 and not one.isspace() and unicodedata.category(one) not in _INVISIBLE for one in neighbours
    )


def entities(text: str) -> str:
    """Text with Slack's three entities, as ``readable`` undoes them.
    Source: https://docs.slack.dev/messaging/formatting-message-text#escaping"""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def readable(text: str) -> str:
    """Normalised text as a person reads it: ``@name``, ``#channel``, a link's label; entities are characters again."""
    return _unescape(_REFERENCE.sub(lambda found: _words(found[1]), text))


def literal(text: str) -> str:
    """As ``readable``, but a web link is its address: what an option's value means."""
    return _unescape(_REFERENCE.sub(lambda found: _address(found[1]), text))


def _unescape(text: str) -> str:
    return _ENTITY.sub(lambda found: _ENTITIES[found[1]], text)


def _address(reference: str) -> str:
    target, _, _ = reference.partition("|")
    return target if target.startswith(("https://", "http://")) else _words(reference)


def _words(reference: str) -> str:
    """What Slack shows for a reference; it must not open a quotation."""
    return _shown(reference).replace('"', "'").strip()


def _shown(reference: str) -> str:
    target, _, label = (part.strip() for part in reference.partition("|"))
    if target.startswith("@"):
        return f"@{label.lstrip('@') or target[1:]}"
    if target.startswith("#"):
        return f"#{label.lstrip('#') or target[1:]}"
    if target.startswith("!"):
        return label.lstrip("@") or target[1:].partition("^")[0]
    return label or target.removeprefix("mailto:").removeprefix("tel:")
