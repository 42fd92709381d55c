"""What a clip will cost, before it is made: a dated table of published prices, in micro-dollars.

A provider that publishes no price is held at the dearest published price for that tier and resolution, marked
*assumed* wherever it is shown, until ``PRICE_FILE`` says better. Holding too much is safe; too little is not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

from bot.domain.recipe import MINI, Recipe, Resolution

MICRO = 1_000_000
"""Micro-dollars in a dollar. Money is integers everywhere."""


@dataclass(frozen=True, kw_only=True)
class Rate:
    """Micro-dollars per second of output, on the day it was read."""

    per_second_micro_usd: int
    as_of: date
    assumed: bool = False


@dataclass(frozen=True, kw_only=True)
class Price:
    """What one clip is held at."""

    micro_usd: int
    assumed: bool


RateKey = tuple[str, str, Resolution]

_READ = date(2026, 11, 20)


def _published(provider: str, tier: str, **dollars: float) -> dict[RateKey, Rate]:
    return {
        (provider, tier, Resolution(resolution.removeprefix("at_"))): Rate(
            per_second_micro_usd=round(price * MICRO), as_of=_READ
        )
        for resolution, price in dollars.items()
    }


PUBLISHED: Mapping[RateKey, Rate] = MappingProxyType(
    {
        # APIMart's guide to Seedance 2 Mini: "$0.081 per second", the same at every resolution.
        **_published("apimart", MINI, at_480p=0.081, at_720p=0.081),
        # Muapi's guide, table "Pricing and Cost Planning".
        **_published("muapi", MINI, at_480p=0.08, at_720p=0.15),
        # seedanceapi.org's documentation: 14.25 and 30.75 credits a second, 100 credits a dollar.
        **_published("seedanceapi", MINI, at_480p=0.1425, at_720p=0.3075),
        # EmpirioLabs' page, text and image input.
        **_published("empiriolabs", MINI, at_480p=0.07, at_720p=0.15),
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

    def rate(self, provider: str, tier: str, resolution: Resolution) -> Rate:
        """The rate to hold at. Raises NoPrice when nobody publishes one for that tier and resolution."""
        key = (provider, tier, resolution)
        known = self._own.get(key) or self._published.get(key)
        return known or self._assumed(provider, tier, resolution)

    def _assumed(self, provider: str, tier: str, resolution: Resolution) -> Rate:
        rivals = [rate for (_, t, r), rate in self._published.items() if (t, r) == (tier, resolution)]
        if not rivals:
            raise NoPrice(provider, tier, resolution)
        dearest = max(rivals, key=lambda rate: rate.per_second_micro_usd)
        return Rate(per_second_micro_usd=dearest.per_second_micro_usd, as_of=dearest.as_of, assumed=True)

    def quote(self, recipe: Recipe, provider: str) -> Price:
        """What one clip of this recipe is held at with this provider."""
        rate = self.rate(provider, recipe.tier, recipe.resolution)
        return Price(micro_usd=rate.per_second_micro_usd * recipe.billable_seconds, assumed=rate.assumed)


def dollars(micro_usd: int) -> str:
    """Money for a person to read: ``$0.32``, with a third and fourth digit only where cents would lie: ``$0.0425``."""
    amount = f"{abs(micro_usd) / MICRO:.4f}"
    while amount.endswith("0") and len(amount.split(".")[1]) > 2:
        amount = amount[:-1]
    return f"{'-' if micro_usd < 0 else ''}${amount}"
