"""A recipe: everything needed to make a clip again, and nothing about who asked or what it cost."""

import hashlib
import json
from dataclasses import asdict, dataclass
from enum import StrEnum

MINI = "mini"
"""The tier of drafts and finals unless somebody asks for another. Tiers are data of the providers, not an enum."""

SHORTEST_SECONDS = 4
LONGEST_SECONDS = 15
"""Seedance 2.0 renders 4 to 15 seconds on every provider."""

HIGHEST_SEED = 2_147_483_647


class Resolution(StrEnum):
    """Short edge of the picture, as every provider names it."""

    P480 = "480p"
    P720 = "720p"
    P1080 = "1080p"


class Ratio(StrEnum):
    """Width to height. ADAPTIVE follows the first frame where the provider has it."""

    WIDE = "16:9"
    TALL = "9:16"
    SQUARE = "1:1"
    CLASSIC = "4:3"
    CLASSIC_TALL = "3:4"
    CINEMA = "21:9"
    PHOTO = "3:2"
    ADAPTIVE = "adaptive"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a provider is asked to make.

    ``seconds`` is None when the provider is to choose the length (``--dur auto``); money then reckons with the longest.
    ``seed`` and ``negative`` are None where nobody asked for one.
    """

    prompt: str
    resolution: Resolution = Resolution.P480
    seconds: int | None = SHORTEST_SECONDS
    ratio: Ratio = Ratio.WIDE
    audio: bool = True
    tier: str = MINI
    seed: int | None = None
    negative: str | None = None
    high_bitrate: bool = False

    @property
    def billable_seconds(self) -> int:
        """Seconds to hold money for: an automatic length is held at the longest."""
        return LONGEST_SECONDS if self.seconds is None else self.seconds

    def key(self) -> str:
        """The same for equal recipes, in every process and release: 32 hexadecimal characters."""
        canonical = json.dumps(asdict(self), sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:32]
