"""Which part of a file a request asks for (RFC 9110, section 14)."""

import re

_RANGE = re.compile(r"bytes=(?P<first>[0-9]*)-(?P<last>[0-9]*)", re.IGNORECASE)
_MOST_DIGITS = 18
"""No file is as long as any longer number; beyond some thousand digits `int` raises."""


class Unsatisfiable(Exception):
    """Nothing of the file lies in what is asked for."""


def part_of(wanted: str | None, size: int) -> tuple[int, int] | None:
    """From where, and up to and without where. None for the whole file: also where several parts are asked for, or
    what is asked for cannot be read, which a server is free to pass over. Raises Unsatisfiable."""
    asked = _RANGE.fullmatch(wanted.strip()) if wanted is not None else None
    if asked is None or asked["first"] == asked["last"] == "":
        return None
    if asked["first"] == "":
        return _part(max(0, size - _number(asked["last"])), size)
    first, last = _number(asked["first"]), _number(asked["last"]) if asked["last"] else size
    return _part(first, min(last + 1, size)) if first <= last or first >= size else None


def _part(start: int, stop: int) -> tuple[int, int]:
    if start >= stop:
        raise Unsatisfiable
    return start, stop


def _number(digits: str) -> int:
    return int(digits) if len(digits) <= _MOST_DIGITS else 10**_MOST_DIGITS
