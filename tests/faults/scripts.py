"""A script: what goes wrong in one case, as data. No script says what is to come of it: that follows from the books
(``tests.support.verdict``)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.faults.acts import Act
from tests.sandbox.driver import Json
from tests.support.verdict import Allowed, Verdict

KEYED = frozenset({"hiapi", "apimart"})
"""A lost order is asked for again under its key."""

CALLED = frozenset({"muapi", "seedanceapi"})
"""Without a key: a lost order is found when they call, where they were told an address."""


@dataclass(frozen=True)
class Fault:
    """A rule of ``bot.sandbox.faults``: a point of the provider (``create``) or a whole name (``slack:upload``)."""

    point: str
    phase: str
    kind: str = "kill"
    details: Mapping[str, Any] = field(default_factory=dict)
    times: int = 1
    skip: int = 0

    @property
    def name(self) -> str:
        """For people: ``create amid``, ``slack:upload after 5 ms``."""
        after = f" {self.details['after_ms']} ms" if "after_ms" in self.details else ""
        return f"{self.point} {self.phase}{after}" + ("" if self.kind == "kill" else f" {self.kind}")

    def at(self, provider: str) -> str:
        """The whole name of its point."""
        return self.point if ":" in self.point else f"{provider}:{self.point}"


@dataclass(frozen=True, kw_only=True)
class Script:
    """One case. ``deaths`` are kills in their order, each armed when the one before has struck; ``faults`` stand from
    the beginning, and for ``heal_after`` seconds. ``callbacks``: providers are told an address."""

    name: str
    family: str
    provider: str
    options: str = ""
    takes: int = 1
    deaths: tuple[Fault, ...] = ()
    faults: tuple[Fault, ...] = ()
    acts: tuple[Act, ...] = ()
    heal_after: float = 0.0
    farm: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    callbacks: bool = False
    allowed: frozenset[Allowed] = frozenset()
    unbooked: bool = False
    """The provider charges what it does not tell, so that our ledger cannot have it."""
    cap_usd: str | None = None
    """What may be spent in the case's channel; as a setting it is one of ``BUDGET_CHANNEL_MONTH_USD``."""

    @property
    def environment(self) -> Mapping[str, str]:
        """What the bot is told beside what all bots are."""
        return self.settings if self.cap_usd is None else {**self.settings, "BUDGET_CHANNEL_MONTH_USD": self.cap_usd}

    def learnable(self, provider: str) -> bool:
        """Whether a lost order of that provider's can be found without a person."""
        return provider in KEYED or (provider in CALLED and self.callbacks)


@dataclass(frozen=True, kw_only=True)
class Played:
    """What came of a script: the verdict, how many kills struck and how many of them in a life of their own, how long
    the slowest restart took to go on, and the faults that had no occasion."""

    script: Script
    verdict: Verdict
    struck: int
    moved: int
    restarts: int
    progress: tuple[float, ...]
    idle: tuple[str, ...]
    seconds: float
    all_delivered: bool

    def figures(self) -> Json:
        """What the storm's summary adds up."""
        return {
            "restarts": self.restarts,
            "moved": self.moved,
            "idle": len(self.idle),
            "seconds": self.seconds,
            "progress": self.progress,
            "columns": self.verdict.counts(),
        }
