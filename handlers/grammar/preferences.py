"""The text of ``/clip-settings``: what to show, or what to change.

``takes=2 look="warm, grainy" people.deny+=@dev`` needs no commas between: a value ends where the next ``key=`` begins.
What stands in quotation marks, or in one of Slack's references, begins nothing.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from bot.domain.preferences import WHOLE_WORKSPACE, Assignment, NotAnAssignment, read_assignment
from handlers.grammar.slack_text import REFERENCE, literal, normalise

_BEGINS = re.compile(r"(?:^|(?<=\s))[A-Za-z]\w*(?:[.-]@?\w+)*\s*(?:\+=|-=|=)")
_FENCED = re.compile(rf'"[^"]*"|{REFERENCE}')
_EVERYWHERE = re.compile(rf"{WHOLE_WORKSPACE}(?=\s+[^\s=+-]|\s*$)\s*", re.IGNORECASE)
_HELP = frozenset({"help", "--help", "?"})


@dataclass(frozen=True, kw_only=True)
class PreferencesRequest:
    """What is to be done with the channel's settings, or with the whole workspace's. Without assignments: show."""

    everywhere: bool = False
    help: bool = False
    assignments: tuple[Assignment, ...] = ()


def parse_preferences(text: str) -> PreferencesRequest:
    """Read the text, as Slack sends it. Pure; raises a PreferenceError."""
    plain = normalise(text).strip()
    if plain.lower() in _HELP:
        return PreferencesRequest(help=True)
    found = _EVERYWHERE.match(plain)
    rest = plain[found.end() :] if found else plain
    return PreferencesRequest(everywhere=found is not None, assignments=tuple(_assignments(rest)))


def _assignments(text: str) -> Iterator[Assignment]:
    bare = _FENCED.sub(lambda fenced: "x" * len(fenced[0]), text)
    begins = [found.start() for found in _BEGINS.finditer(bare)]
    if text and (not begins or begins[0] != 0):
        raise NotAnAssignment(literal(text[: begins[0]] if begins else text).strip())
    for start, end in pairwise([*begins, len(text)]):
        one = read_assignment(text[start:end].strip().rstrip(","))
        # Ids are read from Slack's own references; anything else is meant as a person reads it.
        yield one if one.key.kind.mention else replace(one, text=literal(one.text))
