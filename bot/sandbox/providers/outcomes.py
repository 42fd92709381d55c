"""How a render ends otherwise than well: the actions of the fault point ``<provider>:outcome``, phase ``do``.

Taken once when a task is created, with the facts prompt, resolution, key, model, audio ("true" or "false").

``fail``                 {reason?, code?, message?, refund = true, bills = 1} the task fails. `reason` is a key of
                         `REASONS`; "audio" fails only tasks with sound. It was charged at so many times its price
``never_ends``           stays at work for ever
``slow``                 {factor = 4} takes so many times as long
``unknown_status``       {word = "reviewing", reads = -1} that word instead of the state while at work, for so
                         many reads (-1: all)
``regress``              {states = running, queued, succeeded, running} what the first reads after the end
                         are told
``success_without_url``  {output = "missing" | "null" | "empty", reads = -1} finished, nothing to fetch
``extra_outputs``        a last frame and a thumbnail beside the clip
``corrupt``              {how} the file is no clip: one of `bot.sandbox.render.damage.WAYS`
``padded``               {bytes} the clip is larger by so many bytes of nothing
``bill_double``          charged twice
``lost``                 no read finds the task
``late_visible``         {seconds = 10} no read finds the task at first
``repeat_id``            the answer bears the id of the task before
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

KINDS = frozenset(
    {
        "fail",
        "never_ends",
        "slow",
        "unknown_status",
        "regress",
        "success_without_url",
        "extra_outputs",
        "corrupt",
        "padded",
        "bill_double",
        "lost",
        "late_visible",
        "repeat_id",
    }
)


class Stage(StrEnum):
    """Where a task stands; every provider has its own words for these."""

    QUEUED = "queued"
    RUNNING = "running"
    STORING = "storing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Why a task failed, in the provider's words, and whether its charge is given back."""

    code: str
    message: str
    refund: bool = True


REASONS: Mapping[str, tuple[str, str]] = {
    "policy": ("TASK_FAILED", "upstream rejected the prompt: the content violates our usage policy"),
    "audio": (
        "TASK_FAILED",
        "the generated audio may contain sensitive content; set generate_audio to false",
    ),
    "face": ("TASK_FAILED", "the reference image may contain a real person's face"),
    "reference": ("TASK_FAILED", "a reference file could not be read"),
    "timeout": ("TASK_TIMEOUT", "the task did not finish in time"),
    "storage": ("STORAGE_UNAVAILABLE", "the output could not be stored, try again later"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How one task is to go; kind "success" is the plain case."""

    kind: str = "success"
    details: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def of(cls, action: Mapping[str, object] | None) -> Outcome:
        """From the action of a fault rule. Raises `ValueError` for a kind that is not in `KINDS`."""
        if action is None:
            return cls()
        kind = str(action["kind"])
        if kind not in KINDS:
            raise ValueError(f"no outcome of the kind {kind!r}; there are {', '.join(sorted(KINDS))}")
        return cls(kind=kind, details=action)

    def failure(self, *, audio: bool) -> Failure | None:
        """The failure to come, if any, for a task with or without sound."""
        if self.kind != "fail":
            return None
        reason = str(self.details.get("reason", "policy"))
        if reason == "audio" and not audio:
            return None
        code, message = REASONS[reason]
        return Failure(
            code=str(self.details.get("code", code)),
            message=str(self.details.get("message", message)),
            refund=self.details.get("refund", True) is not False,
        )

    def billed(self, micro_usd: int) -> int:
        """What is charged for a task of that price."""
        return round(micro_usd * self._number("bills", 1)) if self.kind == "fail" else micro_usd

    def stretched(self, seconds: float) -> float:
        """The time a render takes that would have taken `seconds`."""
        return seconds * self._number("factor", 4) if self.kind == "slow" else seconds

    @property
    def padding(self) -> int:
        """How many bytes of nothing the clip gets."""
        return int(self._number("bytes", 0)) if self.kind == "padded" else 0

    def hides(self, age: float) -> bool:
        """Whether a read of a task of this age, in seconds, finds nothing."""
        return self.kind == "lost" or (self.kind == "late_visible" and age < self._number("seconds", 10))

    def word(self, reads: int) -> str | None:
        """A foreign word for the state of a task at work that has been read so often."""
        if self.kind == "unknown_status" and self._lasts(reads):
            return str(self.details.get("word", "reviewing"))
        return None

    def told(self, reads: int) -> Stage | None:
        """What a task at its end pretends after so many reads at its end."""
        if self.kind != "regress":
            return None
        told = self.details.get("states", ["running", "queued", "succeeded", "running"])
        return Stage(told[reads]) if isinstance(told, list) and reads < len(told) else None

    def without_url(self, reads: int) -> str | None:
        """How the outputs of a finished task are withheld: "missing", "null" or "empty"."""
        if self.kind == "success_without_url" and self._lasts(reads):
            return str(self.details.get("output", "missing"))
        return None

    def _lasts(self, reads: int) -> bool:
        limit = self._number("reads", -1)
        return limit < 0 or reads < limit

    def _number(self, name: str, default: float) -> float:
        value = self.details.get(name, default)
        return float(value) if isinstance(value, int | float) else default
