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

AROUND_AN_ORDER = frozenset({"create", "slack:envelope", "slack:chat.postMessage", "slack:chat.update"})
"""Calls with which, or some milliseconds after which, an order is under way: a card is posted right before it, and
updated right after."""

BEFORE_AN_ORDER = frozenset({("slack:chat.postMessage", "before"), ("slack:chat.postMessage", "amid")})
"""Moments at which an ask of one clip has nothing on order yet: no order leaves before its card's ts is known."""

OF_AN_ORDER = frozenset({"create", "outcome", "callback"})
"""Points at which a fault can keep an order's task from being known. Whoever looks or fetches knows it."""

DEADLY = frozenset({"kill", "stop", "lock", "fill", "ask_while_locked", "ask_while_full", "slack_away"})
"""Acts beside which another ask may find nobody who takes it."""

CUTTING = frozenset({"kill", "lock", "fill", "ask_while_locked", "ask_while_full", "provider_away"})
"""Acts that may strike between an order and its answer's being on disk. Who is asked to stop waits for it."""

PROMISE_SECONDS = 60.0
SHARE_SECONDS = 25.0
"""A share that Slack dropped is given so long to appear before it is sent again, and then once more the promise."""
_LASTING_SECONDS = dict.fromkeys(("hang", "drip", "delay"), 50.0)
"""An answer that does not come is a fault for as long as it is waited for: an order's 50 seconds at most."""


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
        """For people: ``create amid``, ``2nd slack:upload after 5 ms``."""
        after = f" {self.details['after_ms']} ms" if "after_ms" in self.details else ""
        second = "2nd " if self.skip else ""
        return f"{second}{self.point} {self.phase}{after}" + ("" if self.kind == "kill" else f" {self.kind}")

    @property
    def refuses(self) -> bool:
        """Whether with it the provider says no to an order, or renders nothing."""
        return self.kind == "fail" or (self.point == "create" and self.details.get("status") == 400)

    @property
    def around_an_order(self) -> bool:
        """Whether an order of the only clip may be under way when it strikes."""
        return self.point in AROUND_AN_ORDER and (self.point, self.phase) not in BEFORE_AN_ORDER

    def at(self, provider: str) -> str:
        """The whole name of its point."""
        return self.point if ":" in self.point else f"{provider}:{self.point}"


@dataclass(frozen=True, kw_only=True)
class Script:
    """One case. ``deaths`` are kills in their order, each armed when the one before has struck; ``faults`` stand from
    the beginning. The acts of each row come in their order, and those of several rows at once. ``callbacks``: providers
    are told an address. ``may_end`` is what the rows themselves let an ask end as, beside its clips."""

    name: str
    family: str
    provider: str
    takes: int = 1
    deaths: tuple[Fault, ...] = ()
    faults: tuple[Fault, ...] = ()
    acts: tuple[tuple[Act, ...], ...] = ()
    farm: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    callbacks: bool = False
    may_end: frozenset[Allowed] = frozenset()
    unbooked: bool = False
    """The provider charges what it does not tell, so that our ledger cannot have it."""
    cap_usd: str | None = None
    """What may be spent in the case's channel; as a setting it is one of ``BUDGET_CHANNEL_MONTH_USD``."""

    @property
    def environment(self) -> Mapping[str, str]:
        """What the bot is told beside what all bots are."""
        return self.settings if self.cap_usd is None else {**self.settings, "BUDGET_CHANNEL_MONTH_USD": self.cap_usd}

    @property
    def allowed(self) -> Mapping[Allowed, int]:
        """How its asks may end beside their clips, and how many at most: no more than its faults can strike. A lost
        order of a provider's that tells nobody is a question, and an ask may be lost on its way to a bot that dies.
        Acts begin when the first ask is answered, so that they can keep only later ones from being heard."""
        ends = set(self.may_end)
        if self._orders_may_be_lost and self.provider not in KEYED:
            called = self.provider in CALLED and self.callbacks
            ends.add(Allowed.UNBILLED if called else Allowed.UNCERTAIN)
        if self._dies or (self._later_asks and self._harms & DEADLY):
            ends.add(Allowed.UNHEARD)
        return {end: self._at_most(end) for end in ends}

    def _at_most(self, end: Allowed) -> int:
        """How many asks, or clips of theirs, may end so."""
        kills = [fault for fault in self._troubles if fault.kind == "kill"]
        match end:
            case Allowed.FAILED:
                return sum(fault.times for fault in self.faults if fault.refuses)
            case Allowed.LATE:
                return sum(fault.times for fault in self.faults if fault.kind == "never_ends")
            case Allowed.UNCERTAIN | Allowed.UNBILLED:
                struck = kills if self._many else [fault for fault in kills if fault.around_an_order]
                cuts = len(struck) + sum(act.name in CUTTING for row in self.acts for act in row)
                others = (fault for fault in self._troubles if fault.kind != "kill" and fault.point in OF_AN_ORDER)
                # A cut strikes every order that is under way; any other fault strikes one call.
                return cuts * self.takes * (1 + self._later_asks) + sum(fault.times for fault in others)
            case Allowed.UNHEARD:
                return len(kills) + self._later_asks
            case Allowed.REFUSED:
                # A death without an occasion gets asks of its own.
                return self._later_asks + (len(self.deaths) + 1 if self.deaths else 0)

    @property
    def _orders_may_be_lost(self) -> bool:
        """Whether something may strike between an order and the moment at which its answer is on disk. While one clip
        is anywhere, another may be on order."""
        struck = any(
            fault.point == "create" or (fault.kind == "kill" and (self._many or fault.around_an_order))
            for fault in self._troubles
        )
        return struck or bool(self._harms & CUTTING)

    @property
    def _many(self) -> bool:
        """Whether one clip may be on order while another is anywhere."""
        return self.takes > 1 or self._later_asks > 0

    @property
    def _troubles(self) -> tuple[Fault, ...]:
        return (*self.faults, *self.deaths)

    @property
    def _later_asks(self) -> int:
        """Those after the first, but for the ones that a kill without an occasion gets."""
        return sum(act.name.startswith("ask_") for row in self.acts for act in row)

    @property
    def _dies(self) -> bool:
        return any(fault.kind == "kill" for fault in self._troubles)

    @property
    def _harms(self) -> frozenset[str]:
        return frozenset(act.name for row in self.acts for act in row)

    @property
    def promise_seconds(self) -> float:
        """So long after the last ask, act or restart every ask says how it stands: the promise, and what of its faults
        lasts until then."""
        lasting = (_LASTING_SECONDS.get(fault.kind, 0.0) for fault in self.faults if fault.point != "slack:share")
        dropped = any(fault.point == "slack:share" for fault in self.faults)
        return PROMISE_SECONDS + max(lasting, default=0.0) + (SHARE_SECONDS if dropped else 0.0)


@dataclass(frozen=True, kw_only=True)
class Played:
    """What came of a script: the verdict, how many kills struck and how many of them in a life of their own, how long
    each restart took to go on, how long after the last harm all was over, and the faults that had no occasion."""

    script: Script
    verdict: Verdict
    struck: int
    moved: int
    restarts: int
    progress: tuple[float, ...]
    over_after: float
    idle: tuple[str, ...]
    seconds: float
    all_delivered: bool
    since_spawn: tuple[float, ...] = ()
    """The same as ``progress``, from when the process began."""

    def figures(self) -> Json:
        """What the storm's summary adds up."""
        return {
            "restarts": self.restarts,
            "moved": self.moved,
            "idle": bool(self.idle),
            "seconds": self.seconds,
            "progress": self.progress,
            "since_spawn": self.since_spawn,
            "over_after": self.over_after,
            "columns": self.verdict.counts(),
        }
