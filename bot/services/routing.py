"""Which provider makes a clip, and what it is held at."""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.domain.capabilities import Capabilities, Misfit, fit
from bot.domain.pricing import NoPrice, Price, PriceTable
from bot.domain.recipe import Recipe
from bot.ports import Provider
from bot.services.answers import CannotMake, NoProvider


@dataclass(frozen=True, kw_only=True)
class Route:
    """The provider and tier that will make it, at this price."""

    can: Capabilities
    price: Price


class Router:
    """Chooses among the configured providers, in the operator's order of preference."""

    def __init__(self, providers: Mapping[str, Provider], prices: PriceTable) -> None:
        self._providers = dict(providers)
        self._prices = prices

    def capabilities(self, provider: str, tier: str) -> Capabilities:
        """The declared capabilities of that tier; KeyError when the provider has none of it (any more)."""
        for can in self._providers[provider].capabilities:
            if can.tier == tier:
                return can
        raise KeyError(tier)

    def route(self, recipe: Recipe, wanted: str | None) -> Route:
        """The cheapest that can do all that was asked, assumed prices last; a named provider is obeyed or refused.
        Raises NoProvider, CannotMake, NoPrice."""
        candidates = self._named(wanted)
        able = [can for can in candidates if not fit(recipe, can)]
        if not able:
            raise _nearest_refusal(recipe, candidates)
        return min(self._priced(recipe, able), key=lambda route: (route.price.assumed, route.price.micro_usd))

    def price_at(self, recipe: Recipe, provider: str) -> int | None:
        """What one clip would be held at with that provider, in micro-dollars; None where no price is known."""
        try:
            return self._prices.quote(recipe, provider).micro_usd
        except NoPrice:
            return None

    def _priced(self, recipe: Recipe, able: list[Capabilities]) -> list[Route]:
        """A route by each that has a price. Raises NoPrice when none has."""
        routes: list[Route] = []
        unpriced: NoPrice | None = None
        for can in able:
            try:
                routes.append(Route(can=can, price=self._prices.quote(recipe, can.provider)))
            except NoPrice as error:
                unpriced = unpriced or error
        if unpriced is not None and not routes:
            raise unpriced
        return routes

    def _named(self, wanted: str | None) -> list[Capabilities]:
        names = list(self._providers) if wanted in {None, "auto"} else [str(wanted)]
        found = [can for name in names if name in self._providers for can in self._providers[name].capabilities]
        if not found:
            raise NoProvider(wanted, tuple(self._providers))
        return found


def _nearest_refusal(recipe: Recipe, candidates: list[Capabilities]) -> CannotMake:
    def misfits(can: Capabilities) -> tuple[Misfit, ...]:
        return fit(recipe, can)

    nearest = min(candidates, key=lambda can: len(misfits(can)))
    return CannotMake(nearest.provider, misfits(nearest))
