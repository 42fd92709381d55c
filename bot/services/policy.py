"""What was decided about limits, presets and times, as one frozen value handed to the services."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, timedelta, tzinfo

from bot.domain.access import AccessRules
from bot.domain.budget import Caps
from bot.domain.lineage import FinalPreset
from bot.domain.patience import CONFIRMATION_VALID, UNDO_WINDOW
from bot.domain.preference_keys import Replies
from bot.domain.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What holds in one channel: the environment's values when the program starts, then what admins set for the
    workspace and for the channel (``bot.services.policies``). Money in micro-dollars."""

    draft: Recipe = field(default_factory=lambda: Recipe(prompt=""))
    """The draft preset: 480p, 4 s, 16:9, sound on, mini."""
    final: FinalPreset = field(default_factory=FinalPreset)
    final_seconds: int | None = 5
    """Seconds of a final that has no draft (``--final``); None when the provider is to choose."""
    takes: int = 1
    caps: Caps = field(default_factory=Caps)
    access: AccessRules = field(default_factory=AccessRules)
    running_per_person: int = 6
    """Jobs of one person that take a place at a provider at once; further ones wait in the queue."""
    quorum: int = 1
    """Reactions that must stand for a promotion by reaction to go ahead."""
    replies: Replies = Replies.SMART
    winners_channel: str | None = None
    """Where finals are linked too."""
    look: str = ""
    """How clips of this channel should look, in words."""
    cast: Mapping[str, str] = field(default_factory=dict)
    """Who and what clips show again: by name, words and where they go with a picture its link."""
    confirm_above_micro_usd: int = 1_000_000
    confirmation_valid: timedelta = CONFIRMATION_VALID
    undo: timedelta = UNDO_WINDOW
    zone: tzinfo = UTC
    """Whose calendar days and months the caps follow."""
    promote_emoji: tuple[str, ...] = ("rocket",)
    cancel_emoji: tuple[str, ...] = ("x",)
    concurrency: dict[str, int] = field(default_factory=dict)
    """Places per provider; ``default_concurrency`` for those not named."""
    default_concurrency: int = 5
    job_timeout: timedelta = timedelta(seconds=1800)
    poll_interval: timedelta | None = None
    largest_clip_bytes: int = 512_000_000

    @property
    def promoting(self) -> tuple[str, ...]:
        """The emoji that promote: where lists were set apart from one another and one stands in both, it cancels,
        which costs nothing."""
        return tuple(name for name in self.promote_emoji if name not in self.cancel_emoji)

    def places(self, provider: str) -> int:
        """How many jobs that provider may have in flight."""
        return self.concurrency.get(provider, self.default_concurrency)
