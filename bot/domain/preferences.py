"""What admins decided for a channel or for the whole workspace, beside what the operator set in the environment: its
versions, and how a change is read and made."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from bot.domain.preference_keys import CAST, Key, find, nearest
from bot.domain.preference_values import MOST_NAMES

WHOLE_WORKSPACE = "workspace"
"""The subject of what holds in every channel that does not say otherwise. No channel's id is like it."""

MOST_CAST = 50
"""Members of the cast of one channel, or of the workspace."""

_ASSIGNMENT = re.compile(r"\s*([^\s=+]+?)\s*(\+=|-=|=)(.*)", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class PreferencesVersion:
    """All the values of one subject as they stood after a change: names, and texts as ``Kind.write`` has them."""

    workspace: str
    subject: str
    """A channel's id, or WHOLE_WORKSPACE."""
    version: int
    values: Mapping[str, str]
    changed_by: str | None
    """A Slack id; None from the operator's command line."""
    at: datetime


class PreferenceError(Exception):
    """A change cannot be made, and nothing was changed. The sentence is plain text, not yet escaped for Slack."""


class NotAnAssignment(PreferenceError):
    """Something that is not ``key=value``."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(f"“{_cut(text)}” is no setting. Write key=value, such as takes=2.")


class UnknownKey(PreferenceError):
    """There is no key of that name."""

    def __init__(self, name: str) -> None:
        self.name, self.nearest = name, nearest(name)
        super().__init__(f"There is no setting “{_cut(name)}”. The nearest is {self.nearest}.")


class BadValue(PreferenceError):
    """The value is none for that key."""

    def __init__(self, key: Key, text: str) -> None:
        self.key, self.text, self.allowed = key, text, key.kind.allowed
        super().__init__(f"{key.name} cannot be “{_cut(text)}”. Allowed: {self.allowed}. Try: {key.name}={key.example}")


class OnlyEverywhere(PreferenceError):
    """The key can be set for the whole workspace only."""

    def __init__(self, key: Key) -> None:
        self.key = key
        super().__init__(f"{key.name} holds for the whole workspace: write workspace first.")


class NotAList(PreferenceError):
    """Only lists can be added to and taken from."""

    def __init__(self, key: Key) -> None:
        self.key = key
        super().__init__(f"{key.name} is not a list: write {key.name}={key.example}.")


class WouldOpen(PreferenceError):
    """Taking the last entry of an allow list away would let everybody in."""

    def __init__(self, key: Key) -> None:
        self.key = key
        super().__init__(
            f"Without an entry {key.name} would keep nobody out any more. Write {key.name}= if that is what you want."
        )


class SetTwice(PreferenceError):
    """One change gives the same key two values."""

    def __init__(self, key: Key) -> None:
        self.key = key
        super().__init__(f"{key.name} is given twice: say which one.")


class TooMany(PreferenceError):
    """A list, or the cast, would become longer than is kept."""

    def __init__(self, what: str, most: int) -> None:
        self.what, self.most = what, most
        super().__init__(f"{what} can have at most {most} entries.")


class SameEmoji(PreferenceError):
    """One emoji would both promote and cancel: in ``channel``, where that has a list of its own and the change is the
    workspace's."""

    def __init__(self, names: Iterable[str], channel: str | None = None) -> None:
        self.names, self.channel = tuple(sorted(names)), channel
        shown = " ".join(f":{name}:" for name in self.names)
        where = f" of channel {channel}" if channel else ""
        super().__init__(f"{shown} cannot both promote and cancel: see emoji.promote and emoji.cancel{where}.")


class ChangedMeanwhile(PreferenceError):
    """Somebody else changed the same keys since they were read; ``differences`` is what they did."""

    def __init__(self, differences: "Sequence[Difference]", changed_by: str | None) -> None:
        self.differences, self.changed_by = tuple(differences), changed_by
        what = "; ".join(one.words for one in self.differences)
        super().__init__(f"Somebody else changed this meanwhile: {what}. Look at it, and send your change again.")


class Operator(StrEnum):
    """What is done with a value."""

    SET = "="
    ADD = "+="
    REMOVE = "-="


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """One change that somebody wants; an empty ``text`` with SET gives the key back to what holds above."""

    key: Key
    operator: Operator
    text: str


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One key whose stored text changed; None is not set."""

    name: str
    before: str | None
    after: str | None

    @property
    def words(self) -> str:
        """``takes: 1 → 2``."""
        return f"{self.name}: {self.before or 'not set'} → {self.after or 'not set'}"


def key_of(name: str) -> Key:
    """The key of that name, one of the cast's included. Raises UnknownKey."""
    key = find(name)
    if key is None:
        raise UnknownKey(name)
    return key


def read_assignment(text: str) -> Assignment:
    """``takes=2``, ``people.deny+=U123``, ``look=`` as a change. Raises NotAnAssignment, UnknownKey."""
    found = _ASSIGNMENT.fullmatch(text)
    if found is None:
        raise NotAnAssignment(text)
    return Assignment(key=key_of(found[1]), operator=Operator(found[2]), text=_unquoted(found[3].strip()))


def revised(subject: str, values: Mapping[str, str], assignments: Sequence[Assignment]) -> dict[str, str]:
    """The subject's stored texts with the changes made, in their order. Pure; raises a PreferenceError."""
    made = dict(values)
    given: set[str] = set()
    for one in assignments:
        if one.key.everywhere and subject != WHOLE_WORKSPACE:
            raise OnlyEverywhere(one.key)
        if one.operator is Operator.SET and one.key.name in given:
            raise SetTwice(one.key)
        given.add(one.key.name)
        text = _new_text(one, made.get(one.key.name))
        if text is None:
            made.pop(one.key.name, None)
        else:
            made[one.key.name] = text
    if sum(name.startswith(CAST) for name in made) > MOST_CAST:
        raise TooMany("The cast", MOST_CAST)
    return made


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Difference, ...]:
    """What changed between two versions, in the order of the keys' names."""
    return tuple(
        Difference(name=name, before=before.get(name), after=after.get(name))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    )


def _new_text(one: Assignment, stored: str | None) -> str | None:
    """What is stored for the key afterwards; None when nothing is."""
    if one.operator is Operator.SET and not one.text:
        return None
    value = _value(one)
    if one.key.kind.several:
        value = _joined(one, value, stored)
    elif one.operator is not Operator.SET:
        raise NotAList(one.key)
    return one.key.kind.write(value) if value != frozenset() else None


def _joined(one: Assignment, named: frozenset[str], stored: str | None) -> frozenset[str]:
    there: frozenset[str] = one.key.kind.read(stored) if stored else frozenset()
    match one.operator:
        case Operator.SET:
            left = named
        case Operator.ADD:
            left = there | named
        case Operator.REMOVE:
            left = there - named
    if len(left) > MOST_NAMES:
        raise TooMany(one.key.name, MOST_NAMES)
    if there and not left and one.key.opens:
        raise WouldOpen(one.key)
    return left


def _value(one: Assignment) -> Any:
    try:
        return one.key.kind.read(one.text)
    except ValueError:
        raise BadValue(one.key, one.text) from None


def _unquoted(text: str) -> str:
    fenced = len(text) > 1 and text[0] == text[-1] == '"'
    return text[1:-1].strip() if fenced else text


def _cut(text: str, most: int = 60) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= most else plain[: most - 1] + "…"
