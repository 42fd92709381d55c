"""That a provider takes no orders: written down, so that other processes and the next start know it."""

from dataclasses import dataclass
from datetime import datetime

from bot.domain.failure import Failure


@dataclass(frozen=True, kw_only=True)
class Outage:
    """Since when, and why as far as is known now. Providers belong to no workspace."""

    provider: str
    failure: Failure
    since: datetime
