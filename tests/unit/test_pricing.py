"""Prices, published, assumed and the operator's own; money in words; PRICE_FILE."""

import os
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.pricing import MICRO, PUBLISHED, NoPrice, Price, PriceTable, Rate, RateKey, dollars, rate_name
from bot.domain.recipe import MINI, STANDARD, MediaKind, MediaRole, Medium, Mode, Resolution
from bot.sandbox.providers import apimart, empiriolabs, hiapi, muapi, seedanceapi
from bot.sandbox.providers.settings import ProviderSettings
from bot.settings import BadSetting, read_prices
from bot.vendors import VENDORS
from tests.support.values import a_recipe

READ = date(2026, 11, 20)
FILM = Medium(role=MediaRole.REFERENCE, kind=MediaKind.VIDEO, url="https://x.example/a.mp4")
PICTURE = Medium(role=MediaRole.FIRST, kind=MediaKind.IMAGE, url="https://x.example/a.png")
TIERS = {(tier, resolution) for _, tier, resolution, _ in PUBLISHED}


@pytest.mark.parametrize(
    ("micro_usd", "words"),
    [
        (0, "$0.00"),
        (320_000, "$0.32"),
        (300_000, "$0.30"),
        (42_500, "$0.0425"),
        (42_000, "$0.042"),
        (1_000_000, "$1.00"),
        (12_345_678, "$12.3457"),
        (1_234_000_000, "$1234.00"),
        (-320_000, "-$0.32"),
    ],
)
def test_money_in_words(micro_usd: int, words: str) -> None:
    assert dollars(micro_usd) == words


@given(st.integers(-(10**13), 10**13).map(lambda hundreds: hundreds * 100))
def test_words_lose_no_money_down_to_a_hundredth_of_a_cent(micro_usd: int) -> None:
    words = dollars(micro_usd)
    assert round(float(words.replace("$", "")) * MICRO) == micro_usd
    assert 2 <= len(words.partition(".")[2]) <= 4


P480, P720, P1080 = Resolution.P480, Resolution.P720, Resolution.P1080


TARIFFS: Mapping[str, ProviderSettings] = {
    "apimart": apimart.SETTINGS,
    "empiriolabs": empiriolabs.SETTINGS,
    "hiapi": hiapi.SETTINGS,
    "muapi": muapi.SETTINGS,
    "seedanceapi": seedanceapi.SETTINGS,
}
"""What the emulators charge, each written down from its provider's document by itself."""
OFFERED = {(name, can.tier): can for name, vendor in VENDORS.items() for can in vendor.tiers}
HELD_DEARER = {
    ("apimart", MINI, P1080, False),  # its guide has two prices, of which the emulator charges the lower
    *(("apimart", tier, one, True) for tier in (MINI, STANDARD) for one in Resolution),  # and the video's length
}


@pytest.mark.parametrize("key", sorted(PUBLISHED))
@pytest.mark.parametrize("seconds", [4, 7, 8, 15])
def test_what_is_held_is_what_is_charged(key: RateKey, seconds: int) -> None:
    provider, tier, resolution, video = key
    recipe = a_recipe(tier=tier, resolution=resolution, seconds=seconds, media=(FILM,) if video else ())
    held = PriceTable().quote(recipe, provider)
    model = OFFERED[provider, tier].model
    charged = TARIFFS[provider].price(model, resolution.value, seconds, video_input=video)
    assert not held.assumed
    assert held.micro_usd > charged if key in HELD_DEARER else held.micro_usd == charged


@pytest.mark.parametrize("key", sorted(PUBLISHED))
def test_a_published_price_is_one_of_what_can_be_had(key: RateKey) -> None:
    provider, tier, resolution, video = key
    can = OFFERED[provider, tier]
    assert resolution in can.resolutions
    assert not video or can.reference_videos or can.modes & {Mode.EDIT, Mode.EXTEND}
    assert PUBLISHED[key].as_of == READ


@pytest.mark.parametrize(
    ("resolution", "per_second"),
    [
        (P480, 50_000),
        (P720, 107_300),
        (P1080, 269_600),
    ],
)
def test_apimarts_list_has_other_prices_with_a_video_given(resolution: Resolution, per_second: int) -> None:
    """Lower ones, for the seconds of both."""
    rate = PriceTable().rate("apimart", STANDARD, resolution, video_input=True)
    assert rate.per_second_micro_usd == per_second
    assert rate.per_second_micro_usd == round(apimart.SETTINGS.prices["seedance-2-0"][f"{resolution}+video"] * MICRO)


@pytest.mark.parametrize(
    ("tier", "resolution", "seconds", "micro_usd"),
    [
        (MINI, P480, 4, 1_527_600),
        (MINI, P720, 4, 1_527_600),
        (MINI, P1080, 4, 1_527_600),
        (MINI, P720, 15, 2_412_000),
        (MINI, P720, None, 2_412_000),
        (STANDARD, P480, 4, 950_000),
        (STANDARD, P720, 4, 2_038_700),
        (STANDARD, P1080, 5, 5_392_000),
    ],
)
def test_a_video_that_is_billed_like_the_clip_is_held_at_the_longest_that_may_be_given(
    tier: str, resolution: Resolution, seconds: int | None, micro_usd: int
) -> None:
    """APIMart: fifteen seconds of input, at 20,592 tokens each and $3.90 a million for mini."""
    recipe = a_recipe(tier=tier, resolution=resolution, seconds=seconds, media=(FILM,))
    assert PriceTable().quote(recipe, "apimart") == Price(micro_usd=micro_usd, assumed=False)
    without = PriceTable().quote(a_recipe(tier=tier, resolution=resolution, seconds=seconds), "apimart")
    assert without.micro_usd < micro_usd


def test_the_operators_own_price_for_videos_is_one_for_a_second_of_the_clip() -> None:
    own = {("apimart", MINI, P720, True): Rate(per_second_micro_usd=90_000, as_of=READ)}
    assert PriceTable(own).quote(a_recipe(resolution=P720, media=(FILM,)), "apimart").micro_usd == 360_000


@pytest.mark.parametrize(("seconds", "micro_usd"), [(4, 1_530_000), (15, 2_510_000)])
def test_which_price_is_assumed_for_videos_hangs_on_the_length(seconds: int, micro_usd: int) -> None:
    """APIMart is the dearest for a short clip, EmpirioLabs for the longest; both to whole cents, as somebody rounds."""
    recipe = a_recipe(seconds=seconds, media=(FILM,))
    assert PriceTable().quote(recipe, "hiapi") == Price(micro_usd=micro_usd, assumed=True)


def test_muapis_standard_tier_has_a_price_for_what_it_renders_alone() -> None:
    assert [key for key in PUBLISHED if key[:2] == ("muapi", STANDARD)] == [("muapi", STANDARD, P720, False)]


@pytest.mark.parametrize(
    ("seconds", "micro_usd"),
    [(4, 570_000), (5, 720_000), (6, 860_000), (7, 1_000_000), (15, 2_140_000)],
)
def test_whole_credits_are_rounded_up(seconds: int, micro_usd: int) -> None:
    """14.25 credits a second: 57, 71.25, 85.5, 99.75 and 213.75, of a cent each."""
    assert PriceTable().quote(a_recipe(seconds=seconds), "seedanceapi").micro_usd == micro_usd


def test_a_picture_is_not_priced_as_a_video() -> None:
    plain, framed = a_recipe(), a_recipe(media=(PICTURE,))
    assert PriceTable().quote(framed, "empiriolabs") == PriceTable().quote(plain, "empiriolabs")
    assert PriceTable().quote(a_recipe(media=(FILM,)), "empiriolabs").micro_usd == 4 * 167_000


@pytest.mark.parametrize("video", [False, True])
@pytest.mark.parametrize("seconds", [4, 5, 7, 15, None])
@pytest.mark.parametrize(("tier", "resolution"), sorted(TIERS))
def test_an_assumed_price_is_never_below_a_published_one(
    tier: str, resolution: Resolution, seconds: int | None, video: bool
) -> None:
    """Nor below one for the same with a video given, where one is given; whatever anybody rounds up to."""
    recipe = a_recipe(tier=tier, resolution=resolution, seconds=seconds, media=(FILM,) if video else ())
    plain = a_recipe(tier=tier, resolution=resolution, seconds=seconds)
    table = PriceTable()
    assumed = table.quote(recipe, "hiapi")
    assert assumed.assumed
    known = [
        table.quote(recipe if with_video else plain, provider)
        for provider, t, r, with_video in PUBLISHED
        if (t, r) == (tier, resolution) and (video or not with_video)
    ]
    assert known
    assert assumed.micro_usd >= max(price.micro_usd for price in known)


def test_an_assumed_price_is_rounded_as_coarsely_as_anybody_rounds() -> None:
    key = ("mini", P480, False)
    table = PriceTable(
        published={
            ("dearer", *key): Rate(per_second_micro_usd=143_000, as_of=READ),
            ("coarser", *key): Rate(per_second_micro_usd=142_500, as_of=READ, step_micro_usd=10_000),
        }
    )
    recipe = a_recipe(seconds=5)
    assert table.quote(recipe, "coarser").micro_usd == 720_000 > table.quote(recipe, "dearer").micro_usd
    assert table.quote(recipe, "other") == Price(micro_usd=720_000, assumed=True)


def test_without_an_own_price_for_videos_none_lower_than_the_own_is_assumed() -> None:
    own = {("hiapi", "mini", P480, False): Rate(per_second_micro_usd=900_000, as_of=READ)}
    assert PriceTable(own).quote(a_recipe(media=(FILM,)), "hiapi") == Price(micro_usd=3_600_000, assumed=True)
    assert PriceTable(own).quote(a_recipe(media=(FILM,)), "muapi") == Price(micro_usd=320_000, assumed=False)


def test_an_automatic_length_is_priced_at_the_longest() -> None:
    assert PriceTable().quote(a_recipe(seconds=None), "muapi").micro_usd == 15 * 80_000


def test_the_operators_own_price_comes_first() -> None:
    own = {("hiapi", "mini", Resolution.P480, False): Rate(per_second_micro_usd=50_000, as_of=READ)}
    table = PriceTable(own)
    assert table.quote(a_recipe(), "hiapi") == Price(micro_usd=200_000, assumed=False)
    assert table.quote(a_recipe(resolution=Resolution.P720), "hiapi").assumed


def test_an_own_price_of_nothing_is_a_price() -> None:
    own = {("hiapi", "mini", Resolution.P480, False): Rate(per_second_micro_usd=0, as_of=READ)}
    assert PriceTable(own).quote(a_recipe(), "hiapi") == Price(micro_usd=0, assumed=False)


@pytest.mark.parametrize(("tier", "resolution"), [("fast", Resolution.P1080), ("vip", Resolution.P480), ("none", P480)])
def test_what_nobody_prices_is_not_made(tier: str, resolution: Resolution) -> None:
    with pytest.raises(NoPrice) as caught:
        PriceTable().rate("hiapi", tier, resolution)
    assert str(caught.value) == (
        f"No price is known for hiapi, tier {tier}, at {resolution.value}. Nothing was charged. "
        "Name the price in PRICE_FILE, or choose another resolution."
    )


def test_a_rate_has_one_of_six_names() -> None:
    assert [rate_name(f"{one}{plus}") for one in Resolution for plus in ("", "+video")] == [
        (one, video) for one in Resolution for video in (False, True)
    ]


@pytest.mark.parametrize("name", ["480p+", "480p+audio", "+video", "480P", "480p +video", "900p"])
def test_a_rate_has_no_other_name(name: str) -> None:
    with pytest.raises(ValueError, match=r"[0-9]|not a valid"):
        rate_name(name)


# --- PRICE_FILE ------------------------------------------------------------------------------------------------------


def price_file(folder: Path, text: str) -> Path:
    path = folder / "prices.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_a_file_there_are_no_own_prices() -> None:
    assert read_prices(None) == {}


def test_a_price_file_is_read_whole(tmp_path: Path) -> None:
    path = price_file(
        tmp_path,
        """
        [hiapi.mini]
        "480p" = 0.05
        "720p" = 0.1234567
        "480p+video" = 0.03
        [muapi.standard]
        "1080p" = 1
        """,
    )
    noon = datetime(2026, 10, 2, 12, tzinfo=UTC).timestamp()
    os.utime(path, (noon, noon))
    as_of = date(2026, 10, 2)
    assert read_prices(path) == {
        ("hiapi", "mini", Resolution.P480, False): Rate(per_second_micro_usd=50_000, as_of=as_of),
        ("hiapi", "mini", Resolution.P720, False): Rate(per_second_micro_usd=123_457, as_of=as_of),
        ("hiapi", "mini", Resolution.P480, True): Rate(per_second_micro_usd=30_000, as_of=as_of),
        ("muapi", "standard", Resolution.P1080, False): Rate(per_second_micro_usd=1_000_000, as_of=as_of),
    }


@pytest.mark.parametrize(
    ("text", "complaint", "mend"),
    [
        ("[hiapi.mini\n", "cannot be read", "line 1"),
        ("hiapi = 0.05", "hiapi is not a table", "Write [provider.tier] above the prices."),
        ('[hiapi]\n"480p" = 0.05', "480p is not a table", "Write [provider.tier] above the prices."),
        (
            '[hiapi.mini]\n"480" = 0.05',
            '"480" is not a resolution',
            "Use one of 480p, 720p, 1080p, or one of them with +video.",
        ),
        ('[hiapi.mini]\n"480p+audio" = 0.05', '"480p+audio" is not a resolution', "with +video."),
        ('[hiapi.mini]\n"480p+video" = -1', 'the price of "480p+video" must be US dollars per second', "such as 0.08."),
        ('[hiapi.mini]\n"480p" = "0.05"', 'the price of "480p" must be US dollars per second', "such as 0.08."),
        ('[hiapi.mini]\n"480p" = -1', 'the price of "480p" must be US dollars per second', "such as 0.08."),
        ('[hiapi.mini]\n"480p" = true', 'the price of "480p" must be US dollars per second', "such as 0.08."),
        ('[hiapi.mini]\n"480p" = inf', 'the price of "480p" must be US dollars per second', "such as 0.08."),
        ('[hiapi.mini]\n"480p" = nan', 'the price of "480p" must be US dollars per second', "such as 0.08."),
    ],
)
def test_a_bad_price_file_is_named_with_the_mend(tmp_path: Path, text: str, complaint: str, mend: str) -> None:
    path = price_file(tmp_path, text)
    with pytest.raises(BadSetting) as caught:
        read_prices(path)
    said = str(caught.value)
    assert said.startswith(f"PRICE_FILE {path}")
    assert complaint in said
    assert mend in said
    assert said.endswith(".")


def test_a_price_file_that_is_missing_or_no_text_is_named(tmp_path: Path) -> None:
    missing, binary = tmp_path / "missing.toml", tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    for path in (missing, binary, tmp_path):
        with pytest.raises(BadSetting) as caught:
            read_prices(path)
        assert str(caught.value).startswith(f"PRICE_FILE {path} cannot be read: ")
