"""A month's money as one person may see it, and what is left of it."""

from dataclasses import dataclass
from enum import StrEnum

from bot.domain.budget import Cap
from bot.domain.figures import Breakdown, Figures


class View(StrEnum):
    """How far a person sees."""

    WORKSPACE = "workspace"
    CHANNEL = "channel"
    OWN = "own"


@dataclass(frozen=True, kw_only=True)
class Balance:
    """One cap that has a limit, and what counts against it now."""

    cap: Cap
    committed_micro_usd: int

    @property
    def left_micro_usd(self) -> int:
        """What can still be asked for; never below zero, although a provider that bills more than it said may have
        passed the limit."""
        return max(0, (self.cap.limit_micro_usd or 0) - self.committed_micro_usd)


@dataclass(frozen=True, kw_only=True)
class Statement:
    """The answer to ``/clip-usage``."""

    month: str
    current: bool
    """Whether it is the month that runs: only then something is left of it."""
    view: View
    channel: str
    person: str
    figures: Breakdown
    """Of the workspace or the channel; of the person alone where the view is OWN."""
    own: Figures
    balances: tuple[Balance, ...]
    """Under each cap that binds this person here. Empty where nothing has a limit, in another month, and for whoever
    may not spend."""
