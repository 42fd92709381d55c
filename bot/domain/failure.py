"""Why a clip did not come, in classes a person can act on. The provider's own words ride along, cut short."""

from dataclasses import dataclass
from enum import StrEnum

LONGEST_DETAIL = 300
"""Characters kept of a provider's own words: enough to act on, too few to break a card."""


class FailureKind(StrEnum):
    """Each has one sentence and one next step (written where messages are written)."""

    POLICY = "policy"
    AUDIO_MODERATION = "audio_moderation"
    FACE = "face"
    BAD_REFERENCE = "bad_reference"
    """The provider could not use a file."""
    UNUSABLE_FILE = "unusable_file"
    """We did not even offer it a file: it cannot be had, or is not one that can be used."""
    INVALID = "invalid"
    """The provider would not read the request: ours to mend, not the person's."""
    KEY_REFUSED = "key_refused"
    OUT_OF_CREDIT = "out_of_credit"
    NOT_CONFIGURED = "not_configured"
    """The provider is not set up any more, and nothing was ordered there."""
    PROVIDER = "provider"
    """The provider tried and could not."""
    TIMEOUT = "timeout"
    TASK_LOST = "task_lost"
    """The provider no longer knows a task that it accepted and charged."""
    LINK_EXPIRED = "link_expired"
    OVER_CAP = "over_cap"
    TOO_FEW = "too_few"
    """Fewer people stood behind a promotion than the channel asks for."""
    NOT_IN_CHANNEL = "not_in_channel"
    COUNTED_AS_SPENT = "counted_as_spent"
    """Nobody could find out whether it was charged: given up, and counted as if it had been."""
    NOBODY_WAITED = "nobody_waited"
    """No failure of the clip: it is that of an order which was given up or ordered again, and taken after all. The
    detail is the number of the clip that it was ordered for (``#3``)."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A class and, where there are any, the provider's words (plain text, at most LONGEST_DETAIL characters)."""

    kind: FailureKind
    detail: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "detail", " ".join(self.detail.split())[:LONGEST_DETAIL])
