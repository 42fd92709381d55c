"""Prices, published, assumed and the operator's own; money in words; PRICE_FILE."""

import os
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.pricing import MICRO, PUBLISHED, NoPrice, Price, PriceTable, Rate, dollars
from bot.domain.recipe import Resolution
from bot.settings import BadSetting, read_prices
from tests.support.values import a_recipe

READ = date(2026, 11, 20)


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


@pytest.mark.parametrize(
    ("provider", "resolution", "per_second"),
    [
        ("apimart", Resolution.P480, 81_000),
        ("apimart", Resolution.P720, 81_000),
        ("muapi", Resolution.P480, 80_000),
        ("muapi", Resolution.P720, 150_000),
        ("seedanceapi", Resolution.P480, 142_500),
        ("seedanceapi", Resolution.P720, 307_500),
        ("empiriolabs", Resolution.P480, 70_000),
        ("empiriolabs", Resolution.P720, 150_000),
    ],
)
def test_published_prices(provider: str, resolution: Resolution, per_second: int) -> None:
    rate = PriceTable().rate(provider, "mini", resolution)
    assert (rate.per_second_micro_usd, rate.assumed) == (per_second, False)
    quote = PriceTable().quote(a_recipe(resolution=resolution, seconds=6), provider)
    assert quote == Price(micro_usd=6 * per_second, assumed=False)


@pytest.mark.parametrize("resolution", [Resolution.P480, Resolution.P720])
def test_an_unpublished_price_is_assumed_to_be_the_dearest(resolution: Resolution) -> None:
    dearest = max(rate.per_second_micro_usd for (_, _, name), rate in PUBLISHED.items() if name is resolution)
    rate = PriceTable().rate("hiapi", "mini", resolution)
    assert (rate.per_second_micro_usd, rate.assumed) == (dearest, True)
    assert PriceTable().quote(a_recipe(resolution=resolution), "hiapi") == Price(micro_usd=4 * dearest, assumed=True)


def test_an_automatic_length_is_priced_at_the_longest() -> None:
    assert PriceTable().quote(a_recipe(seconds=None), "muapi").micro_usd == 15 * 80_000


def test_the_operators_own_price_comes_first() -> None:
    own = {("hiapi", "mini", Resolution.P480): Rate(per_second_micro_usd=50_000, as_of=READ)}
    table = PriceTable(own)
    assert table.quote(a_recipe(), "hiapi") == Price(micro_usd=200_000, assumed=False)
    assert table.quote(a_recipe(resolution=Resolution.P720), "hiapi").assumed


def test_an_own_price_of_nothing_is_a_price() -> None:
    own = {("hiapi", "mini", Resolution.P480): Rate(per_second_micro_usd=0, as_of=READ)}
    assert PriceTable(own).quote(a_recipe(), "hiapi") == Price(micro_usd=0, assumed=False)


@pytest.mark.parametrize(("tier", "resolution"), [("mini", Resolution.P1080), ("standard", Resolution.P480)])
def test_what_nobody_prices_is_not_made(tier: str, resolution: Resolution) -> None:
    with pytest.raises(NoPrice) as caught:
        PriceTable().rate("hiapi", tier, resolution)
    assert str(caught.value) == (
        f"No price is known for hiapi, tier {tier}, at {resolution.value}. Nothing was charged. "
        "Name the price in PRICE_FILE, or choose another resolution."
    )


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
        ("hiapi", "mini", Resolution.P480): Rate(per_second_micro_usd=50_000, as_of=as_of),
        ("hiapi", "mini", Resolution.P720): Rate(per_second_micro_usd=123_457, as_of=as_of),
        ("muapi", "standard", Resolution.P1080): Rate(per_second_micro_usd=1_000_000, as_of=as_of),
    }


@pytest.mark.parametrize(
    ("text", "complaint", "mend"),
    [
        ("[hiapi.mini\n", "cannot be read", "line 1"),
        ("hiapi = 0.05", "hiapi is not a table", "Write [provider.tier] above the prices."),
        ('[hiapi]\n"480p" = 0.05', "480p is not a table", "Write [provider.tier] above the prices."),
        ('[hiapi.mini]\n"480" = 0.05', '"480" is not a resolution', "Use one of 480p, 720p, 1080p."),
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
