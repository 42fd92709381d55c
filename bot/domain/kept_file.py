"""A file that somebody gave, as it is kept: what it was made of, and what is known of it."""

import hashlib
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime

from bot.domain.recipe import MediaKind, Medium, Place
from bot.domain.reference import FileLimits


@dataclass(frozen=True, kw_only=True)
class KeptFile:
    """One file, fetched, checked against some limits and mended to fit them.

    The same source under the same limits is one row, so that whoever needs it again need not fetch it again.
    """

    workspace: str
    source: str
    """Where it came from (``source_of``)."""
    limits: str
    """The fingerprint of the limits that it fits."""
    url: str = field(repr=False)
    """As it stands in a recipe: ``stored:<sha256>.<suffix>``, or the person's link where that is given as it is."""
    kind: MediaKind
    name: str
    """What people call it."""
    mime: str
    size: int
    """Bytes."""
    sha256: str
    width: int | None
    height: int | None
    seconds: float | None
    mends: tuple[str, ...]
    """What was mended, in words for people."""
    at: datetime

    @property
    def key(self) -> str | None:
        """Where the media store has it; None where it is given by its link and not kept."""
        place, _, name = self.url.partition(":")
        return f"references/{self.workspace}/{name}" if place == Place.STORED else None


def source_of(medium: Medium, ask_id: str) -> str:
    """The key of a file's source. What Slack and we keep never changes; behind a person's link there may be something
    else tomorrow, so it is the same for the clips of one ask alone."""
    return f"{medium.url} for {ask_id}" if medium.place is Place.LINK else medium.url


def stored_url(sha256: str, suffix: str) -> str:
    """How a recipe names a kept file. ``suffix`` has no dot."""
    return f"{Place.STORED.value}:{sha256}.{suffix}"


def fingerprint(limits: FileLimits) -> str:
    """The same for equal limits, in every process: 16 hexadecimal characters."""
    return hashlib.sha256(_canonical(limits).encode()).hexdigest()[:16]


def _canonical(value: object) -> str:
    """As text that does not depend on the order in which a process keeps its sets."""
    if is_dataclass(value):
        return f"({' '.join(f'{one.name}={_canonical(getattr(value, one.name))}' for one in fields(value))})"
    if isinstance(value, frozenset):
        return f"[{' '.join(sorted(map(_canonical, value)))}]"
    return str(value)
