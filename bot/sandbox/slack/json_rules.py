"""Small rules for checking JSON the way Slack reports on it: a sentence and a JSON pointer for every
fault."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .wire import SlackError

Rule = Callable[["Report", str, Any], None]
"""Checks the value at a pointer and adds what is wrong to the report."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """The faults found so far, in Slack's sentences."""

    faults: list[str] = field(default_factory=list)

    def add(self, sentence: str, pointer: str) -> None:
        """One fault, with where it is."""
        self.faults.append(f"{sentence} [json-pointer:{pointer}]")

    def raise_as(self, error: str) -> None:
        """Refuses with ``error`` if there is any fault, in the body that Slack gives."""
        if self.faults:
            messages = [f"[ERROR] {fault}" for fault in self.faults]
            raise SlackError(error, errors=list(self.faults), response_metadata={"messages": messages})


def string(most: int, *, least: int = 1) -> Rule:
    """A string of ``least`` to ``most`` characters."""

    def check(report: Report, pointer: str, value: Any) -> None:
        if not isinstance(value, str):
            report.add("must provide a string", pointer)
        elif len(value) > most:
            report.add(f"must be less than {most + 1} characters", pointer)
        elif len(value) < least:
            report.add(f"must be more than {least - 1} characters", pointer)

    return check


def boolean(report: Report, pointer: str, value: Any) -> None:
    """True or false."""
    if not isinstance(value, bool):
        report.add("must provide a boolean", pointer)


def number(least: int, most: int) -> Rule:
    """A whole number in a range."""

    def check(report: Report, pointer: str, value: Any) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            report.add("must provide a number", pointer)
        elif not least <= value <= most:
            report.add(f"must be between {least} and {most}", pointer)

    return check


def one_of(*words: str) -> Rule:
    """One of some words."""

    def check(report: Report, pointer: str, value: Any) -> None:
        if value not in words:
            report.add(f"must be a valid enum value ({', '.join(words)})", pointer)

    return check


def anything(_report: Report, _pointer: str, _value: Any) -> None:
    """Whatever is there is left alone."""


def array(rule: Rule, *, most: int, least: int = 1) -> Rule:
    """A list of ``least`` to ``most`` items that each obey ``rule``."""

    def check(report: Report, pointer: str, value: Any) -> None:
        if not isinstance(value, list):
            report.add("must provide an array", pointer)
            return
        if len(value) > most:
            report.add(f"no more than {most} items allowed", pointer)
        if len(value) < least:
            report.add(f"no less than {least} items allowed" if least > 1 else "must not be empty", pointer)
        for index, item in enumerate(value[:most]):
            rule(report, f"{pointer}/{index}", item)

    return check


def shape(
    *,
    required: Mapping[str, Rule] | None = None,
    optional: Mapping[str, Rule] | None = None,
    any_of: Iterable[str] = (),
) -> Rule:
    """An object with these fields and no others; at least one of ``any_of`` must be there."""
    needed = dict(required or {})
    known = needed | dict(optional or {})
    choices = tuple(any_of)

    def check(report: Report, pointer: str, value: Any) -> None:
        if not isinstance(value, dict):
            report.add("must provide an object", pointer)
            return
        for name in needed:
            if value.get(name) is None:
                report.add(f"missing required field: {name}", pointer)
        if choices and not any(value.get(name) for name in choices):
            report.add(f"missing required field: {choices[0]}", pointer)
        for name, item in value.items():
            if name not in known:
                report.add(f"invalid additional property: {name}", pointer)
            elif item is not None:
                known[name](report, f"{pointer}/{name}", item)

    return check


def typed(shapes: Mapping[str, Rule], *, kind: str, allowed: Iterable[str] | None = None) -> Rule:
    """An object whose ``type`` names one of ``shapes``; ``kind`` ("block", "element") is for the sentence.

    ``allowed`` narrows the types at this place: a known one that does not belong is ``unsupported``.
    """
    here = set(shapes if allowed is None else allowed)

    def check(report: Report, pointer: str, value: Any) -> None:
        if not isinstance(value, dict):
            report.add("must provide an object", pointer)
            return
        name = value.get("type")
        if name is None:
            report.add("missing required field: type", pointer)
        elif name not in shapes:
            report.add(f"unsupported type: {name}", f"{pointer}/type")
        elif name not in here:
            report.add(f"unsupported {kind}: {name}", pointer)
        else:
            shapes[name](report, pointer, value)

    return check
