"""Messages that are neither a card nor a clip: written into the database with what caused them, posted once later."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType


class Topic(StrEnum):
    """What an announcement is about; the words are written in ``handlers.blocks``."""

    WINNER = "winner"
    """A final is in: linked in the winners' channel."""
    CAP_NEAR = "cap_near"
    """80 % of a cap is held or spent: to an admin."""
    OVERBILLED = "overbilled"
    """A provider charged more than it said: to an admin."""


@dataclass(frozen=True, kw_only=True)
class Announcement:
    """One message to one channel or person. ``key`` is unique in the workspace: the same news is told once."""

    workspace: str
    key: str
    topic: Topic
    to: str
    """A channel's id, or a person's for a direct message."""
    created_at: datetime
    due_at: datetime
    job_id: str | None = None
    facts: Mapping[str, str | int] = field(default_factory=lambda: MappingProxyType({}))
    """What the words need, as plain values."""
    posting: bool = False
    """The intention to post is on disk; whether it was posted is to be read back."""
    posted_ts: str | None = None
    given_up: bool = False
    """Slack refuses it for good, or it is too old to be news."""
    tries: int = 0
    owner: str | None = None
    epoch: int = 0
