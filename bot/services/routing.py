"""Which provider makes a clip, and what it is held at."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from bot.domain.capabilities import Capabilities, Misfit, fit
from bot.domain.handing import ways
from bot.domain.lineage import FinalPreset, promote
from bot.domain.pretend import real_name
from bot.domain.pricing import NoPrice, Price, PriceTable
from bot.domain.recipe import FILE_OPTIONS, MediaKind, MediaRole, Place, Ratio, Recipe, Resolution
from bot.ports import Provider
from bot.services.answers import CannotMake, NoProvider

AUTO = "auto"

_UNKNOWN_LIFETIME = timedelta(days=7)
"""As long as any provider is known to keep a clip."""


@dataclass(frozen=True, kw_only=True)
class Route:
    """The provider and tier that will make the recipe, at this price. ``recipe`` is what was asked with the ratio that
    the provider is to be given, where the ratio was free."""

    can: Capabilities
    price: Price
    recipe: Recipe


def _always(_: str) -> bool:
    return True


class Router:
    """Chooses among the configured providers, in the operator's order of preference.

    ``known`` are the tiers of every provider there is, configured or not: a refusal says who could. ``healthy`` tells
    by name whether a provider takes orders now; it is asked anew for each route. ``links`` says whether providers can
    fetch files from us (PUBLIC_URL)."""

    def __init__(
        self,
        providers: Mapping[str, Provider],
        prices: PriceTable,
        *,
        known: Iterable[Capabilities] = (),
        healthy: Callable[[str], bool] = _always,
        links: bool = False,
    ) -> None:
        self._providers = dict(providers)
        self._prices = prices
        self._foreign = tuple(can for can in known if can.provider not in self._providers)
        self._healthy = healthy
        self._links = links

    def capabilities(self, provider: str, tier: str) -> Capabilities:
        """The declared capabilities of that tier, also of a provider that is not set up (any more). Of one that this
        release knows nothing of: nothing, but that its clips are waited for."""
        for can in (*self._configured(), *self._foreign):
            if (can.provider, can.tier) == (provider, tier):
                return can
        return Capabilities(
            provider=provider,
            tier=tier,
            model="",
            resolutions=frozenset(),
            ratios=frozenset(),
            modes=frozenset(),
            output_lifetime=_UNKNOWN_LIFETIME,
        )

    def route(self, recipe: Recipe, wanted: str | None, *, free_ratio: bool = False) -> Route:
        """The cheapest that can do all that was asked and is healthy, assumed prices last, the operator's order on
        ties. A named provider is obeyed or refused. Where nobody able is healthy, the order waits for the cheapest of
        them. ``free_ratio`` says that nobody asked for the ratio: with a first frame it is the picture's own
        (adaptive) where the provider has that, and the recipe's elsewhere.
        Raises NoProvider, CannotMake, NoPrice."""
        candidates = self._named(wanted)
        able = [can for can in candidates if not self._misfits(_shaped(recipe, can, free_ratio), can)]
        if not able:
            raise self._refusal(recipe, candidates, free_ratio)
        return min(self._priced(recipe, able, free_ratio), key=self._rank)

    def another(self, recipe: Recipe, provider: str, *, free_ratio: Ratio | None = None) -> Route | None:
        """The cheapest other provider that can make all of this recipe and takes orders now; None when none does.
        ``free_ratio`` is the recipe's own where nobody asked for one (``Job.free_ratio``)."""
        return next(iter(self.others(recipe, provider, free_ratio=free_ratio)), None)

    def others(self, recipe: Recipe, provider: str, *, free_ratio: Ratio | None = None) -> list[Route]:
        """All other providers that can make all of this recipe and take orders now, the cheapest first."""
        free, recipe = free_ratio is not None, replace(recipe, ratio=free_ratio or recipe.ratio)
        others = [can for can in self._configured() if can.provider != provider and self._healthy(can.provider)]
        able = [can for can in others if not self._misfits(_shaped(recipe, can, free), can)]
        try:
            return sorted(self._priced(recipe, able, free), key=self._rank)
        except NoPrice:
            return []

    def dearest(self, provider: str) -> int | None:
        """What the dearest clip there costs, in micro-dollars; None where no price is known."""
        prices = [
            self._price(can, resolution, video_input=video)
            for can in self._providers[provider].capabilities
            for resolution in can.resolutions
            for video in ((False, True) if can.takes_video else (False,))
        ]
        return max((price for price in prices if price is not None), default=None)

    def _price(self, can: Capabilities, resolution: Resolution, *, video_input: bool) -> int | None:
        """What the longest clip costs there, in micro-dollars; None where no price is known."""
        try:
            rate = self._prices.rate(
                can.provider, can.tier, resolution, video_input=video_input, seconds=can.longest_seconds
            )
        except NoPrice:
            return None
        return rate.of(can.longest_seconds)

    def price_at(self, recipe: Recipe, provider: str) -> int | None:
        """What one clip would be held at with that provider, in micro-dollars; None where no price is known."""
        try:
            return self._prices.quote(recipe, provider).micro_usd
        except NoPrice:
            return None

    def price_as_final(self, recipe: Recipe, provider: str, final: FinalPreset) -> int | None:
        """What a draft's clip would be held at as a final there; None where that is not known. Of a length that the
        provider chooses it never is: such a clip is held at the longest, and costs what it comes to."""
        return None if recipe.seconds is None else self.price_at(promote(recipe, final), provider)

    def _rank(self, route: Route) -> tuple[bool, bool, int]:
        """The lower, the better."""
        return not self._healthy(route.can.provider), route.price.assumed, route.price.micro_usd

    def _priced(self, recipe: Recipe, able: list[Capabilities], free_ratio: bool) -> list[Route]:
        """A route by each that has a price. Raises NoPrice when none has."""
        routes: list[Route] = []
        unpriced: NoPrice | None = None
        for can in able:
            try:
                price = self._prices.quote(recipe, can.provider)
            except NoPrice as error:
                unpriced = unpriced or error
            else:
                routes.append(Route(can=can, price=price, recipe=_shaped(recipe, can, free_ratio)))
        if unpriced is not None and not routes:
            raise unpriced
        return routes

    def _misfits(self, recipe: Recipe, can: Capabilities) -> tuple[Misfit, ...]:
        """What this tier cannot do, and what of ours it cannot be given."""
        ours = [one for one in recipe.media if one.place is not Place.LINK]
        stuck = {one.kind: one for one in ours if not ways(can, one.kind, links=self._links)}
        return (
            *fit(recipe, can),
            *(
                Misfit(option=FILE_OPTIONS[one.role].typed, asked=f"a {_NAMES[kind]}", allowed=no_way(kind))
                for kind, one in stuck.items()
            ),
        )

    def _configured(self) -> list[Capabilities]:
        return [can for provider in self._providers.values() for can in provider.capabilities]

    def _named(self, wanted: str | None) -> list[Capabilities]:
        found = [can for can in self._configured() if wanted in {None, AUTO, can.provider, real_name(can.provider)}]
        if not found:
            raise NoProvider(wanted, tuple(self._providers))
        return found

    def _refusal(self, recipe: Recipe, candidates: list[Capabilities], free_ratio: bool) -> CannotMake:
        """Why the nearest of the candidates cannot make it, and who could."""

        def who(tiers: Iterable[Capabilities]) -> tuple[str, ...]:
            able = (can.provider for can in tiers if not self._misfits(_shaped(recipe, can, free_ratio), can))
            return tuple(dict.fromkeys(able))

        def lacks(can: Capabilities) -> tuple[Misfit, ...]:
            return self._misfits(_shaped(recipe, can, free_ratio), can)

        # One that has the tier says more than one that has not.
        nearest = min(candidates, key=lambda can: (can.tier != recipe.tier, len(lacks(can))))
        tiers = ", ".join(can.tier for can in candidates if can.provider == nearest.provider)
        misfits = tuple(replace(one, allowed=tiers) if one.option == "--tier" else one for one in lacks(nearest))
        return CannotMake(nearest.provider, misfits, able=who(self._configured()), would=who(self._foreign))


def _shaped(recipe: Recipe, can: Capabilities, free_ratio: bool) -> Recipe:
    """The recipe with the first frame's own shape, where it may be had and nobody asked for another."""
    if free_ratio and recipe.given(MediaRole.FIRST) and Ratio.ADAPTIVE in can.ratios:
        return replace(recipe, ratio=Ratio.ADAPTIVE)
    return recipe


def no_way(kind: MediaKind) -> str:
    """What a provider has that cannot be given a file of that kind, in words that a person may read after its name. The
    setting that mends it is PUBLIC_URL, which ``dailies doctor`` names."""
    return (
        f"no way to be given a {_NAMES[kind]} by this installation, which has no public address (whoever runs Dailies "
        "can set one)"
    )


_NAMES = {MediaKind.IMAGE: "picture", MediaKind.VIDEO: "video", MediaKind.AUDIO: "sound"}
