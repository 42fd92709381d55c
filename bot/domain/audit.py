"""Who did what, at what price, where: lines that are only ever added, and never changed."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Act(StrEnum):
    """What was done. The words are printed by ``dailies audit``."""

    ASKED = "asked"
    CONFIRMED = "confirmed"
    UNDONE = "undone"
    CANCELLED = "cancelled"
    PROMOTED = "promoted"
    VARIED = "varied"
    ORDERED = "ordered"
    """The billed order was taken by the provider; the line names its task."""
    TAKEN_ANEW = "taken_anew"
    """An order was repeated under its key, and the provider says that it is no replay: perhaps it is charged twice."""
    CHARGED = "charged"
    """What counts as spent for one order is known, or known anew: ``micro_usd`` is the new figure."""
    RELEASED = "released"
    """Proved to have cost nothing."""
    UNCERTAIN = "uncertain"
    """Nobody knows whether the order was charged; its hold stays."""
    ORDERED_AGAIN = "ordered_again"
    GAVE_UP = "gave_up"
    DELIVERED_AGAIN = "delivered_again"
    SENT_ELSEWHERE = "sent_elsewhere"
    """Another provider is to make it, at its own price."""
    CONFIGURED = "configured"


@dataclass(frozen=True, kw_only=True)
class AuditEntry:
    """One line. ``person`` is None where Dailies acted by itself; money is micro-dollars."""

    workspace: str
    at: datetime
    act: Act
    person: str | None = None
    channel: str | None = None
    ask_id: str | None = None
    job_id: str | None = None
    provider: str | None = None
    task_id: str | None = None
    micro_usd: int | None = None
    price_assumed: bool = False
    """``micro_usd`` is a price that the provider does not publish: the dearest of others."""
    detail: str = ""
