"""The forms in which the command line prints: aligned tables, and CSV that a spreadsheet can open without harm."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

_FORMULA = ("=", "+", "-", "@")
"""What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection)."""


class Form(StrEnum):
    """How figures are printed."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"
    SUMMARY = "summary"
    """As JSON: what the rows come to, and what is left."""


class NotFound(Exception):
    """What was asked for is not there."""


def table(rows: Sequence[Sequence[str]]) -> str:
    """The rows in columns as wide as their widest cell; the first row is the head."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def as_csv(names: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """The rows under these names. Texts are put on one line, and marked as texts where a spreadsheet would run them as
    a formula; numbers are ours, and stay numbers."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue().rstrip("\n")


def clock(at: datetime) -> str:
    """A time to the millisecond, UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def one_line(text: str) -> str:
    """The text without line breaks or what moves a terminal's cursor: it stays in its row."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def _cell(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = one_line(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
