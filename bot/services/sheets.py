"""What holds in a channel and where it comes from, and what a change did to it: values that are shown."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bot.domain.preference_keys import Key
from bot.domain.preferences import Difference


class Source(StrEnum):
    """Where a value comes from."""

    DEFAULT = "default"
    ENVIRONMENT = "environment"
    WORKSPACE = "workspace"
    CHANNEL = "channel"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One key as it holds."""

    key: Key
    value: Any
    source: Source

    @property
    def text(self) -> str:
        """The value as people read it."""
        return self.key.kind.write(self.value)


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """Everything that holds for a channel, or for a channel that says nothing itself."""

    workspace: str
    subject: str
    version: int
    """The subject's own stored version that this shows; 0 when nothing was ever set for it."""
    rows: tuple[Row, ...]
    unread: tuple[str, ...] = ()
    """Stored keys that another release wrote and this one cannot read: they change nothing."""

    def row(self, name: str) -> Row:
        """The row of that key; KeyError when it is not listed."""
        for row in self.rows:
            if row.key.name == name:
                return row
        raise KeyError(name)


@dataclass(frozen=True, kw_only=True)
class Changed:
    """What a change did. ``done`` is empty when everything was like that already."""

    sheet: Sheet
    done: tuple[Difference, ...]
    meanwhile: tuple[Difference, ...] = ()
    """What somebody else changed since the change was begun; it was kept."""

    @property
    def overruled(self) -> tuple[Row, ...]:
        """Limits that were set and do not count, since a lower one is set above."""
        set_to = {one.name: one.after for one in self.done if one.after is not None}
        limits = [row for row in self.sheet.rows if row.key.lowest and row.key.name in set_to]
        return tuple(row for row in limits if row.text != set_to[row.key.name])
