"""Addresses of ours under which a provider can fetch what we keep."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class Linked:
    """What a link leads to: a file in the media store by its key, and its MIME type."""

    key: str
    mime: str


class Links(Protocol):
    """Signed links. Whoever has one has the file until it expires: a secret, never logged and never kept in a
    recipe."""

    @property
    def reachable(self) -> bool:
        """Whether there are links at all, which is where PUBLIC_URL is set."""

    def link(self, workspace: str, key: str, mime: str, *, now: datetime) -> str | None:
        """The address of the file with that key (``<folder>/<workspace>/<sha256>.<suffix>``) in the media store; None
        where there is no PUBLIC_URL. It lives for 72 to 96 hours, and is the same for the whole of a UTC day, so that
        an order made again has the same bytes. Raises ValueError for a key of another workspace."""

    def follow(self, token: str, *, now: datetime) -> Linked | None:
        """What the last part of such an address stands for; None for one that is expired, forged or nonsense."""
