"""What a provider can do, and which of them makes a clip: nothing asked is ever dropped."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from bot.domain.capabilities import Capabilities, Misfit, fit
from bot.domain.pricing import NoPrice, PriceTable, Rate
from bot.domain.recipe import Ratio, Recipe, Resolution
from bot.ports import Order, OrderOutcome, TaskReport
from bot.services.answers import CannotMake, NoProvider
from bot.services.routing import Route, Router
from tests.support.values import a_recipe, capabilities

READ = date(2026, 11, 20)
LIMITED = capabilities(
    resolutions=frozenset({Resolution.P720, Resolution.P480}),
    ratios=frozenset({Ratio.SQUARE, Ratio.WIDE}),
    audio_toggle=False,
    longest_prompt=1000,
)


class Declared:
    """A provider of which only the declarations may be looked at."""

    def __init__(self, *can: Capabilities) -> None:
        self.name = can[0].provider
        self.capabilities = can

    def order(self, recipe: Recipe, key: str) -> Order:
        raise AssertionError("choosing a provider makes no order")

    async def submit(self, order: Order) -> OrderOutcome:
        raise AssertionError("choosing a provider orders nothing")

    async def look(self, task_id: str) -> TaskReport:
        raise AssertionError("choosing a provider asks for nothing")


def router(*providers: Declared, **per_second: float) -> Router:
    """With prices in dollars a second by provider, the same at every resolution; the rest is assumed."""
    own = {
        (name, "mini", resolution): Rate(per_second_micro_usd=round(price * 1_000_000), as_of=READ)
        for name, price in per_second.items()
        for resolution in (Resolution.P480, Resolution.P720)
    }
    return Router({provider.name: provider for provider in providers}, PriceTable(own))


# --- fit -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "misfit"),
    [
        ({"tier": "standard"}, Misfit(option="--tier", asked="standard", allowed="mini")),
        ({"resolution": Resolution.P1080}, Misfit(option="--res", asked="1080p", allowed="480p, 720p")),
        ({"ratio": Ratio.TALL}, Misfit(option="--ratio", asked="9:16", allowed="16:9, 1:1")),
        ({"seconds": None}, Misfit(option="--dur", asked="auto", allowed="4–15 seconds")),
        ({"seconds": 3}, Misfit(option="--dur", asked="3", allowed="4–15 seconds")),
        ({"seconds": 16}, Misfit(option="--dur", asked="16", allowed="4–15 seconds")),
        ({"audio": False}, Misfit(option="--no-audio", asked="off", allowed="sound always on")),
        ({"seed": 0}, Misfit(option="--seed", asked="0", allowed="no seeds")),
        (
            {"negative": "rain"},
            Misfit(
                option="--no",
                asked="rain",
                allowed="no negative prompts; say what you do want to see instead",
            ),
        ),
        ({"high_bitrate": True}, Misfit(option="--hq", asked="on", allowed="the standard bitrate")),
        (
            {"prompt": "x" * 1001},
            Misfit(option="the prompt", asked="1,001 characters", allowed="at most 1,000 characters"),
        ),
    ],
)
def test_each_thing_that_is_not_to_be_had_is_named_with_what_is(asked: Mapping[str, Any], misfit: Misfit) -> None:
    assert fit(a_recipe(**asked), LIMITED) == (misfit,)


@pytest.mark.parametrize(
    "asked",
    [{}, {"seconds": 4}, {"seconds": 15}, {"resolution": Resolution.P720}, {"prompt": "x" * 1000}, {"prompt": ""}],
)
def test_what_is_to_be_had_fits(asked: Mapping[str, Any]) -> None:
    assert fit(a_recipe(**asked), LIMITED) == ()


def test_extras_fit_where_they_are_offered() -> None:
    able = capabilities(automatic_seconds=True, seed=True, negative=True, high_bitrate=True, longest_prompt=None)
    asked = a_recipe(seconds=None, seed=7, negative="rain", high_bitrate=True, audio=False, prompt="x" * 100_000)
    assert fit(asked, able) == ()


def test_everything_that_misfits_is_said_at_once() -> None:
    asked = a_recipe(seed=7, ratio=Ratio.TALL, audio=False)
    assert [misfit.option for misfit in fit(asked, LIMITED)] == ["--ratio", "--no-audio", "--seed"]


# --- routing ---------------------------------------------------------------------------------------------------------


def test_the_cheapest_that_can_is_chosen() -> None:
    dear, cheap = Declared(capabilities("dear")), Declared(capabilities("cheap"))
    route = router(dear, cheap, dear=0.20, cheap=0.10).route(a_recipe(), None)
    assert (route.can.provider, route.price.micro_usd) == ("cheap", 400_000)


def test_one_that_cannot_is_passed_over_however_cheap() -> None:
    able, cheap = Declared(capabilities("able", seed=True)), Declared(capabilities("cheap"))
    assert router(able, cheap, able=0.20, cheap=0.10).route(a_recipe(seed=7), "auto").can.provider == "able"


def test_at_one_price_the_operators_order_decides() -> None:
    first, second = Declared(capabilities("first")), Declared(capabilities("second"))
    assert router(first, second, first=0.1, second=0.1).route(a_recipe(), None).can.provider == "first"
    assert router(second, first, first=0.1, second=0.1).route(a_recipe(), None).can.provider == "second"


def test_an_assumed_price_comes_last_even_where_it_is_lower() -> None:
    unknown, dear = Declared(capabilities("unknown")), Declared(capabilities("dear"))
    chosen = router(unknown, dear, dear=9.0).route(a_recipe(), None)
    assert (chosen.can.provider, chosen.price.assumed) == ("dear", False)
    alone = router(unknown).route(a_recipe(), None)
    assert (alone.can.provider, alone.price.assumed) == ("unknown", True)


def test_a_named_provider_is_obeyed() -> None:
    dear, cheap = Declared(capabilities("dear")), Declared(capabilities("cheap"))
    assert router(dear, cheap, dear=0.20, cheap=0.10).route(a_recipe(), "dear").can.provider == "dear"


def test_a_named_provider_that_cannot_is_refused_rather_than_replaced() -> None:
    able, named = Declared(capabilities("able", seed=True)), Declared(capabilities("named"))
    with pytest.raises(CannotMake) as caught:
        router(able, named, able=0.1, named=0.1).route(a_recipe(seed=7), "named")
    assert caught.value.provider == "named"
    assert [misfit.option for misfit in caught.value.misfits] == ["--seed"]
    assert str(caught.value) == "named cannot make this: --seed."


def test_when_nobody_can_the_nearest_says_what_it_lacks() -> None:
    far, near = Declared(capabilities("far")), Declared(capabilities("near", seed=True))
    with pytest.raises(CannotMake) as caught:
        router(far, near, far=0.1, near=0.1).route(a_recipe(seed=7, negative="rain"), None)
    assert (caught.value.provider, [one.option for one in caught.value.misfits]) == ("near", ["--no"])


def test_a_tier_is_chosen_within_a_provider() -> None:
    both = Declared(capabilities("both"), capabilities("both", tier="standard", model="seedance-2-0"))
    own = {
        ("both", tier, Resolution.P480): Rate(per_second_micro_usd=80_000, as_of=READ) for tier in ("mini", "standard")
    }
    choose = Router({"both": both}, PriceTable(own))
    assert choose.route(a_recipe(tier="standard"), None).can.model == "seedance-2-0"
    assert choose.capabilities("both", "standard").model == "seedance-2-0"
    with pytest.raises(KeyError):
        choose.capabilities("both", "pro")


@pytest.mark.parametrize("wanted", ["muapi", "HIAPI", ""])
def test_an_unknown_provider_is_refused_with_those_there_are(wanted: str) -> None:
    with pytest.raises(NoProvider) as caught:
        router(Declared(capabilities())).route(a_recipe(), wanted)
    assert (caught.value.wanted, caught.value.configured) == (wanted, ("hiapi",))


def test_without_any_provider_nothing_is_made() -> None:
    with pytest.raises(NoProvider) as caught:
        Router({}, PriceTable()).route(a_recipe(), None)
    assert caught.value.configured == ()


def test_what_cannot_be_priced_is_not_made() -> None:
    able = Declared(capabilities("able", resolutions=frozenset({Resolution.P1080})))
    with pytest.raises(NoPrice):
        router(able).route(a_recipe(resolution=Resolution.P1080), None)


def test_one_that_cannot_be_priced_does_not_stand_in_the_way_of_another() -> None:
    can = frozenset({Resolution.P1080})
    unpriced, priced = (
        Declared(capabilities("unpriced", resolutions=can)),
        Declared(capabilities("priced", resolutions=can)),
    )
    own = {("priced", "mini", Resolution.P1080): Rate(per_second_micro_usd=500_000, as_of=READ)}
    route = Router({"unpriced": unpriced, "priced": priced}, PriceTable(own)).route(
        a_recipe(resolution=Resolution.P1080), None
    )
    assert route == Route(can=priced.capabilities[0], price=route.price)
