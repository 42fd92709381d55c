"""What a clip will cost, before it is made: a dated table of published prices, in micro-dollars.

A provider that publishes no price is held at the dearest published price for that tier and resolution, marked
*assumed* wherever it is shown, until ``PRICE_FILE`` says better. Holding too much is safe; too little is not.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from types import MappingProxyType

from bot.domain.recipe import FAST, LONGEST_SECONDS, MINI, SHORTEST_SECONDS, STANDARD, VIP, Recipe, Resolution

MICRO = 1_000_000
"""Micro-dollars in a dollar. Money is integers everywhere."""


@dataclass(frozen=True, kw_only=True)
class Rate:
    """Micro-dollars per second of output, on the day it was read. ``step_micro_usd`` is what a clip's price is rounded
    up to, for providers that count in whole credits. ``input_seconds`` are billed like seconds of output: the longest
    video that may be given, where a provider bills that too, since how long the given one is nobody knows before."""

    per_second_micro_usd: int
    as_of: date
    assumed: bool = False
    step_micro_usd: int = 1
    input_seconds: int = 0

    def of(self, seconds: int) -> int:
        """What a clip of that length costs at most, in micro-dollars."""
        exact = self.per_second_micro_usd * (seconds + self.input_seconds)
        return -(-exact // self.step_micro_usd) * self.step_micro_usd


@dataclass(frozen=True, kw_only=True)
class Price:
    """What one clip is held at."""

    micro_usd: int
    assumed: bool


RateKey = tuple[str, str, Resolution, bool]
"""Provider, tier, resolution, and whether a video is given."""

_READ = date(2026, 11, 20)
_CREDIT = 10_000
"""Micro-dollars in a credit of seedanceapi.org."""


def _published(
    provider: str, tier: str, rates: Mapping[str, float], *, step: int = 1, input_seconds: int = 0
) -> dict[RateKey, Rate]:
    """Rates as ``PRICE_FILE`` writes them: dollars a second by resolution, ``480p+video`` with a video given."""
    return {
        (provider, tier, *rate_name(name)): Rate(
            per_second_micro_usd=round(price * MICRO), as_of=_READ, step_micro_usd=step, input_seconds=input_seconds
        )
        for name, price in rates.items()
    }


_GUIDE_TOKENS = 102_960
"""What APIMart's guide reckons 5 seconds as."""


def _by_tokens(tokens: int, dollars_a_million: float, *, seconds: int) -> float:
    """Dollars a second of a clip of that length that is so many tokens, rounded up to a hundredth of a cent."""
    return math.ceil(tokens * dollars_a_million / seconds / 100) / 10_000


def rate_name(name: str) -> tuple[Resolution, bool]:
    """``480p`` or ``480p+video`` as it stands in a key. Raises ValueError for anything else."""
    resolution, plus, kind = name.partition("+")
    if plus and kind != "video":
        raise ValueError(name)
    return Resolution(resolution), bool(plus)


PUBLISHED: Mapping[RateKey, Rate] = MappingProxyType(
    {
        # APIMart's guide to Seedance 2 Mini: "$0.081 per second".
        **_published("apimart", MINI, {"480p": 0.081, "720p": 0.081}),
        # The same guide prices one clip at 1080p by itself: 5 seconds are about 102,960 tokens, at $6.40 a million.
        # That is more than its price per second, and so it is what is held.
        **_published("apimart", MINI, {"1080p": _by_tokens(_GUIDE_TOKENS, 6.40, seconds=5)}),
        # With a video given the guide bills fewer dollars, $3.90, for a million tokens, of which the seconds of the
        # given video are as many as those of the clip. It names one number of tokens, and so that is held at any size.
        **_published(
            "apimart",
            MINI,
            dict.fromkeys(("480p+video", "720p+video", "1080p+video"), _by_tokens(_GUIDE_TOKENS, 3.90, seconds=5)),
            input_seconds=LONGEST_SECONDS,
        ),
        # APIMart's public price list of seedance-2.0, before discounts; with a video given by the second of both.
        **_published("apimart", STANDARD, {"480p": 0.0825, "720p": 0.1775, "1080p": 0.443}),
        **_published(
            "apimart",
            STANDARD,
            {"480p+video": 0.05, "720p+video": 0.1073, "1080p+video": 0.2696},
            input_seconds=LONGEST_SECONDS,
        ),
        # Muapi's guide, table "Pricing and Cost Planning"; references cost the same.
        **_published("muapi", MINI, {"480p": 0.08, "720p": 0.15, "480p+video": 0.08, "720p+video": 0.15}),
        # The same guide: the "Standard" tier is about $0.30 a second.
        **_published("muapi", STANDARD, {"720p": 0.30}),
        **_published("muapi", VIP, {"1080p": 0.675}),
        # seedanceapi.org's documentation: 14.25 and 30.75 credits a second (9 and 18.75 with a video), rounded up to
        # whole credits, of which a dollar has 100.
        **_published(
            "seedanceapi",
            MINI,
            {"480p": 0.1425, "720p": 0.3075, "480p+video": 0.09, "720p+video": 0.1875},
            step=_CREDIT,
        ),
        # The same: 240, 480 and 720 credits for 5, 10 and 15 seconds, whatever the resolution.
        **_published("seedanceapi", STANDARD, {"480p": 0.48, "720p": 0.48, "1080p": 0.48}, step=_CREDIT),
        # EmpirioLabs' pages on the mini and the fast model.
        **_published("empiriolabs", MINI, {"480p": 0.07, "720p": 0.15, "480p+video": 0.167, "720p+video": 0.359}),
        **_published("empiriolabs", FAST, {"480p": 0.122, "720p": 0.26, "480p+video": 0.284, "720p+video": 0.61}),
    }
)


class NoPrice(Exception):
    """Nothing is known about what this would cost, so it cannot be held and must not be made."""

    def __init__(self, provider: str, tier: str, resolution: Resolution) -> None:
        self.provider, self.tier, self.resolution = provider, tier, resolution
        super().__init__(
            f"No price is known for {provider}, tier {tier}, at {resolution.value}. Nothing was charged. "
            "Name the price in PRICE_FILE, or choose another resolution."
        )


class PriceTable:
    """Rates by provider, tier and resolution: the operator's own first, then published ones, then the assumed."""

    def __init__(
        self, own: Mapping[RateKey, Rate] | None = None, published: Mapping[RateKey, Rate] = PUBLISHED
    ) -> None:
        self._own = dict(own or {})
        self._published = dict(published)

    def rate(
        self,
        provider: str,
        tier: str,
        resolution: Resolution,
        *,
        video_input: bool = False,
        seconds: int = SHORTEST_SECONDS,
    ) -> Rate:
        """The rate to hold a clip of that length at, which changes nothing but who is the dearest where it is assumed.
        Raises NoPrice when nobody publishes one for that tier and resolution."""
        key = (provider, tier, resolution, video_input)
        known = self._own.get(key) or self._published.get(key)
        return known or self._assumed(*key, seconds)

    def _assumed(self, provider: str, tier: str, resolution: Resolution, video_input: bool, seconds: int) -> Rate:
        """The dearest that anybody is known to ask for the like. With a video given some providers ask more and some
        less, so that prices without one are looked at too."""
        rates = [*self._published.items(), *((key, rate) for key, rate in self._own.items() if key[0] == provider)]
        rivals = [
            rate for (_, t, r, video), rate in rates if (t, r) == (tier, resolution) and (video_input or not video)
        ]
        if not rivals:
            raise NoPrice(provider, tier, resolution)
        dearest = max(rivals, key=lambda rate: replace(rate, step_micro_usd=1).of(seconds))
        # Rounded up as coarsely as anybody does: or else a cheaper one would ask more for some lengths.
        return replace(dearest, assumed=True, step_micro_usd=max(rate.step_micro_usd for rate in rivals))

    def quote(self, recipe: Recipe, provider: str) -> Price:
        """What one clip of this recipe is held at with this provider. Raises NoPrice."""
        seconds = recipe.billable_seconds
        rate = self.rate(provider, recipe.tier, recipe.resolution, video_input=recipe.video_input, seconds=seconds)
        return Price(micro_usd=rate.of(seconds), assumed=rate.assumed)


def dollars(micro_usd: int) -> str:
    """Money for a person to read: ``$0.32``, with a third and fourth digit only where cents would lie: ``$0.0425``."""
    amount = f"{abs(micro_usd) / MICRO:.4f}"
    while amount.endswith("0") and len(amount.split(".")[1]) > 2:
        amount = amount[:-1]
    return f"{'-' if micro_usd < 0 else ''}${amount}"
