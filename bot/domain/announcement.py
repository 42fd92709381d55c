"""Messages that are neither a card nor a clip: written into the database with what caused them, posted once later."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

ADMINS = "admins"
"""Whoever administers Dailies in the workspace when it is posted: each is told directly. No id of Slack looks so."""


class Topic(StrEnum):
    """What an announcement is about, with the ``facts`` that its words need; they are written in
    ``handlers.blocks.announcements``."""

    WINNER = "winner"
    """A final is in: linked in the winners' channel. ``channel``, ``message_ts``, ``number``, ``person``, ``prompt``,
    ``resolution``."""
    WINNER_UNTOLD = "winner_untold"
    """Slack does not let us post in the winners' channel: to the admins. ``channel`` and Slack's word ``error``."""
    CAP_NEAR = "cap_near"
    """80 % of a cap is held or spent: to the admins. ``scope``, ``subject``, ``period``, ``limit_micro_usd``,
    ``committed_micro_usd``, ``renews_at`` (Unix seconds)."""
    OVERBILLED = "overbilled"
    """A provider charged more than the price it was held at: to the admins. ``provider``, ``tier``, ``resolution``,
    ``held_micro_usd``, ``charged_micro_usd``, ``channel``, ``number``."""
    TAKEN_ANEW = "taken_anew"
    """A provider took a repeated order for a new one, which may be charged twice: to the admins. ``provider``,
    ``task_id``, ``price_micro_usd``, ``price_assumed``, ``channel``, ``number``."""
    PROVIDER_PAUSED = "provider_paused"
    """A provider takes no orders: to each channel whose clips wait for it, and where it takes whoever administers
    Dailies to mend it, to the admins. ``provider``, ``kind`` (``FailureKind``), ``channel``."""
    PROVIDER_RESUMED = "provider_resumed"
    """It takes orders again: to the channels that were told. ``provider``, ``channel``."""
    LOW_BALANCE = "low_balance"
    """Little is left at a provider: to the admins. ``provider``, ``left_micro_usd``, ``clip_micro_usd`` (what the
    dearest clip there costs)."""


@dataclass(frozen=True, kw_only=True)
class Announcement:
    """One message to one channel or person. ``key`` is unique in the workspace: the same news is told once."""

    workspace: str
    key: str
    topic: Topic
    to: str
    """A channel's id, a person's for a direct message, or ADMINS."""
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
