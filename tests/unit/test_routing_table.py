"""What can be asked × who can make it, over what every adapter declares: accepted, refused with who could, or routed;
and what was asked is what is ordered. The table is the documents', not the code's."""

import importlib
import pkgutil
import re
from dataclasses import replace
from typing import Any

import pytest

import bot.providers
from bot.domain.capabilities import Capabilities
from bot.domain.pricing import PriceTable
from bot.domain.recipe import MediaKind, MediaRole, Medium, Ratio, Resolution
from bot.ports import Provider
from bot.services.answers import CannotMake
from bot.services.routing import Router
from bot.vendors import VENDORS as CONFIGURED
from handlers.grammar.options import OPTIONS
from tests.support.clock import SettableClock
from tests.support.values import a_recipe


def vendors() -> dict[str, Provider]:
    """One of each adapter there is, by name."""
    found: dict[str, Provider] = {}
    for info in pkgutil.iter_modules(bot.providers.__path__):
        if info.name.startswith("_"):
            continue
        module = importlib.import_module(f"bot.providers.{info.name}")
        (kind,) = (
            one for one in vars(module).values() if isinstance(one, type) and one.__module__ == module.__name__
            and hasattr(one, "submit")
        )  # fmt: skip
        vendor: Provider = kind(key="made-up-key", clock=SettableClock())
        found[vendor.name] = vendor
    return found


VENDORS = vendors()
EVERYBODY = frozenset({"apimart", "muapi", "seedanceapi", "empiriolabs", "hiapi"})


def file(role: MediaRole, kind: MediaKind = MediaKind.IMAGE, number: int = 1) -> Medium:
    return Medium(role=role, kind=kind, url=f"https://x.example/{role}-{kind}-{number}")


def references(kind: MediaKind, count: int) -> tuple[Medium, ...]:
    return tuple(file(MediaRole.REFERENCE, kind, number) for number in range(count))


FIRST, LAST = file(MediaRole.FIRST), file(MediaRole.LAST)
ADAPTIVE = {"ratio": Ratio.ADAPTIVE}
IMAGE, VIDEO, AUDIO = MediaKind.IMAGE, MediaKind.VIDEO, MediaKind.AUDIO
FRAMING = frozenset({"apimart", "empiriolabs", "hiapi"})
MIXING = frozenset({"apimart", "muapi", "empiriolabs"})
HEARING = EVERYBODY - {"empiriolabs"}
FULL_HD = EVERYBODY - {"muapi"}
NOT_THE_PROVIDERS = {"takes", "audio", "provider", "final", "estimate"}
"""Options that say how often, what is so anyway, who, in which preset, and whether at all."""

TABLE: list[tuple[str, dict[str, Any], frozenset[str]]] = [
    ("nothing special", {}, EVERYBODY),
    ("--res 720p", {"resolution": Resolution.P720}, EVERYBODY),
    ("--dur 15", {"seconds": 15}, EVERYBODY),
    ("--dur auto", {"seconds": None}, frozenset({"apimart", "empiriolabs"})),
    *((f"--ratio {one}", {"ratio": one}, EVERYBODY) for one in Ratio if one not in {Ratio.PHOTO, Ratio.ADAPTIVE}),
    ("--ratio 3:2", {"ratio": Ratio.PHOTO}, frozenset({"apimart"})),
    ("--ratio adaptive", ADAPTIVE, frozenset({"seedanceapi", "empiriolabs", "hiapi"})),
    ("--no-audio", {"audio": False}, EVERYBODY - {"seedanceapi"}),
    ("--seed", {"seed": 0}, frozenset({"apimart"})),
    ("--no", {"negative": "rain"}, frozenset({"empiriolabs"})),
    ("--hq", {"high_bitrate": True}, frozenset({"muapi"})),
    ("--first", {"media": (FIRST,)}, EVERYBODY - {"seedanceapi"}),
    ("--first --ratio adaptive", {"media": (FIRST,), **ADAPTIVE}, EVERYBODY - {"muapi"}),
    ("--first --loop", {"media": (FIRST, replace(FIRST, role=MediaRole.LAST))}, FRAMING),
    ("--first --last", {"media": (FIRST, LAST), **ADAPTIVE}, FRAMING),
    ("--ref a picture", {"media": references(IMAGE, 1)}, EVERYBODY - {"seedanceapi"}),
    ("--ref 2 pictures", {"media": references(IMAGE, 2)}, frozenset({"apimart", "muapi", "hiapi"})),
    ("--ref 9 pictures", {"media": references(IMAGE, 9)}, frozenset({"apimart", "muapi", "hiapi"})),
    ("--ref 10 pictures", {"media": references(IMAGE, 10)}, frozenset()),
    ("--ref a video", {"media": references(VIDEO, 1)}, EVERYBODY),
    ("--ref 3 videos", {"media": references(VIDEO, 3)}, EVERYBODY - {"empiriolabs"}),
    ("--ref 4 videos", {"media": references(VIDEO, 4)}, frozenset()),
    ("--ref a picture and a video", {"media": references(IMAGE, 1) + references(VIDEO, 1)}, MIXING),
    (
        "--ref a picture and 3 sounds",
        {"media": references(IMAGE, 1) + references(AUDIO, 3)},
        HEARING - {"seedanceapi"},
    ),
    ("--ref a video and a sound", {"media": references(VIDEO, 1) + references(AUDIO, 1)}, HEARING),
    ("--ref a picture and 4 sounds", {"media": references(IMAGE, 1) + references(AUDIO, 4)}, frozenset()),
    ("--ref a sound", {"media": references(AUDIO, 1)}, frozenset()),
    ("--first --ref", {"media": (FIRST, *references(IMAGE, 1))}, frozenset()),
    ("--edit", {"media": (file(MediaRole.EDIT, VIDEO),)}, frozenset({"apimart", "empiriolabs"})),
    ("--extend", {"media": (file(MediaRole.EXTEND, VIDEO),)}, frozenset({"empiriolabs"})),
    ("--extend --last", {"media": (LAST, file(MediaRole.EXTEND, VIDEO))}, frozenset({"empiriolabs"})),
    ("--edit --extend", {"media": (file(MediaRole.EDIT, VIDEO), file(MediaRole.EXTEND, VIDEO))}, frozenset()),
    ("--edit --ref", {"media": (file(MediaRole.EDIT, VIDEO), *references(IMAGE, 1))}, frozenset()),
    ("--seed with --no", {"seed": 7, "negative": "rain"}, frozenset()),
    ("a last frame alone", {"media": (LAST,)}, frozenset()),
    ("2,001 characters", {"prompt": "a" * 2_001}, EVERYBODY - {"seedanceapi"}),
    ("2,001 tokens", {"prompt": "虎" * 2_001}, EVERYBODY - {"seedanceapi", "apimart"}),
    ("20,001 characters", {"prompt": "a" * 20_001}, frozenset({"empiriolabs"})),
    ("a name without a file", {"prompt": "@Image1 waves"}, frozenset()),
    ("--tier standard --res 720p", {"tier": "standard", "resolution": Resolution.P720, "seconds": 5}, EVERYBODY),
    ("--tier standard --res 1080p", {"tier": "standard", "resolution": Resolution.P1080, "seconds": 5}, FULL_HD),
    ("--tier standard --dur 4", {"tier": "standard", "resolution": Resolution.P720}, EVERYBODY - {"seedanceapi"}),
    ("--tier standard --seed", {"tier": "standard", "seed": 7}, frozenset({"apimart", "hiapi"})),
    ("--tier fast", {"tier": "fast"}, frozenset({"empiriolabs"})),
    ("--tier vip", {"tier": "vip", "resolution": Resolution.P1080}, frozenset({"muapi"})),
    ("--tier none", {"tier": "none"}, frozenset()),
]


def test_the_table_is_about_every_provider_and_every_option() -> None:
    assert set(VENDORS) == EVERYBODY == set(CONFIGURED)
    asked_for = {option for title, _, _ in TABLE for option in re.findall(r"--([a-z-]+)", title)}
    assert asked_for == set(OPTIONS) - NOT_THE_PROVIDERS
    refused = {name for _, _, able in TABLE for name in EVERYBODY - able}
    chosen = {name for _, _, able in TABLE for name in able}
    assert refused == chosen == EVERYBODY


def who_can(able: frozenset[str], among: dict[str, Provider]) -> tuple[str, ...]:
    return tuple(name for name in among if name in able)


@pytest.mark.parametrize(("asked", "able"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
@pytest.mark.parametrize("name", VENDORS)
def test_a_named_provider_is_obeyed_or_refused_with_who_could(
    name: str, asked: dict[str, Any], able: frozenset[str]
) -> None:
    recipe = a_recipe(**asked)
    router = Router(VENDORS, PriceTable())
    if name in able:
        route = router.route(recipe, name)
        assert (route.can.provider, route.can.tier, route.recipe) == (name, recipe.tier, recipe)
        return
    with pytest.raises(CannotMake) as caught:
        router.route(recipe, name)
    assert (caught.value.provider, caught.value.able, caught.value.would) == (name, who_can(able, VENDORS), ())
    assert caught.value.misfits


@pytest.mark.parametrize(("asked", "able"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_auto_takes_the_cheapest_of_those_who_can(asked: dict[str, Any], able: frozenset[str]) -> None:
    recipe, prices = a_recipe(**asked), PriceTable()
    router = Router(VENDORS, prices)
    names = who_can(able, VENDORS)
    if not names:
        with pytest.raises(CannotMake) as caught:
            router.route(recipe, None)
        assert caught.value.able == ()
        return
    route = router.route(recipe, None)
    quotes = {name: prices.quote(recipe, name) for name in names}
    cheapest = min(names, key=lambda name: (quotes[name].assumed, quotes[name].micro_usd))
    assert (route.can.provider, route.price, route.recipe) == (cheapest, quotes[cheapest], recipe)


@pytest.mark.parametrize(("asked", "able"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_those_without_a_key_are_named_as_such(asked: dict[str, Any], able: frozenset[str]) -> None:
    """HiAPI alone is set up."""
    known: list[Capabilities] = [can for vendor in VENDORS.values() for can in vendor.capabilities]
    router, recipe = Router({"hiapi": VENDORS["hiapi"]}, PriceTable(), known=known), a_recipe(**asked)
    if "hiapi" in able:
        assert router.route(recipe, None).can.provider == "hiapi"
        return
    with pytest.raises(CannotMake) as caught:
        router.route(recipe, None)
    assert (caught.value.able, caught.value.would) == ((), who_can(able, VENDORS))


@pytest.mark.parametrize("name", VENDORS)
def test_a_first_frame_leads_the_ratio_where_it_can(name: str) -> None:
    framed = a_recipe(media=(FIRST,), ratio=Ratio.TALL)
    route = Router(VENDORS, PriceTable()).route(framed, name, free_ratio=True)
    adaptive = Ratio.ADAPTIVE in route.can.ratios
    assert route.recipe == (replace(framed, ratio=Ratio.ADAPTIVE) if adaptive else framed)


def test_no_tier_is_declared_twice_and_none_without_words_or_files() -> None:
    for name, vendor in VENDORS.items():
        tiers = [can.tier for can in vendor.capabilities]
        assert len(tiers) == len(set(tiers))
        for can in vendor.capabilities:
            assert can.provider == name
            assert can.modes
            assert can.resolutions
            assert can.ratios
