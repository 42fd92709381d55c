"""Which ways there are to give a provider a file, which is the best, and what is said where there is none."""

import base64
from dataclasses import replace

import pytest

from bot.domain.capabilities import Capabilities
from bot.domain.handing import (
    LARGEST_DATA_URI,
    LARGEST_TOGETHER,
    Way,
    data_uri,
    kinds_used,
    limits_given,
    too_large_to_write,
    ways,
    without_links,
)
from bot.domain.kept_file import KeptFile
from bot.domain.recipe import MINI, STANDARD, MediaKind
from bot.providers import apimart, empiriolabs, hiapi, muapi, seedanceapi
from tests.support.clock import START

TIERS = {
    (can.provider, can.tier): can
    for can in (
        *apimart.capabilities(),
        muapi.capabilities(),
        hiapi.capabilities(),
        hiapi.standard_capabilities(),
        muapi.standard_capabilities(),
        seedanceapi.capabilities(),
        empiriolabs.capabilities(),
    )
}


@pytest.mark.parametrize(
    ("can", "kind", "without", "reachable"),
    [
        (TIERS["apimart", MINI], MediaKind.IMAGE, (Way.UPLOAD,), (Way.UPLOAD, Way.LINK)),
        (TIERS["apimart", STANDARD], MediaKind.VIDEO, (), (Way.LINK,)),
        (TIERS["muapi", MINI], MediaKind.AUDIO, (Way.UPLOAD,), (Way.UPLOAD, Way.LINK)),
        (TIERS["hiapi", MINI], MediaKind.IMAGE, (), (Way.LINK,)),
        (TIERS["hiapi", STANDARD], MediaKind.IMAGE, (Way.DATA_URI,), (Way.LINK, Way.DATA_URI)),
        (TIERS["hiapi", STANDARD], MediaKind.AUDIO, (), (Way.LINK,)),
        (TIERS["seedanceapi", MINI], MediaKind.IMAGE, (), (Way.LINK,)),
        (TIERS["empiriolabs", MINI], MediaKind.VIDEO, (), (Way.LINK,)),
    ],
)
def test_the_best_way_comes_first(
    can: Capabilities, kind: MediaKind, without: tuple[Way, ...], reachable: tuple[Way, ...]
) -> None:
    assert ways(can, kind, links=False) == without
    assert ways(can, kind, links=True) == reachable


def test_a_large_file_does_not_go_into_an_order() -> None:
    can = TIERS["hiapi", STANDARD]
    assert ways(can, MediaKind.IMAGE, links=False, size=LARGEST_DATA_URI) == (Way.DATA_URI,)
    assert ways(can, MediaKind.IMAGE, links=False, size=LARGEST_DATA_URI + 1) == ()
    assert ways(can, MediaKind.IMAGE, links=True, size=LARGEST_DATA_URI + 1) == (Way.LINK,)


def a_picture(size: int, name: str = "mug.png") -> KeptFile:
    return KeptFile(
        workspace="T1",
        source="slack:F1",
        limits="any",
        url="stored:abc.png",
        kind=MediaKind.IMAGE,
        name=name,
        mime="image/png",
        size=size,
        sha256="abc",
        width=640,
        height=480,
        seconds=None,
        mends=(),
        at=START,
    )


def test_a_picture_is_made_small_enough_for_an_order_where_that_is_the_only_way() -> None:
    can = TIERS["hiapi", STANDARD]
    capped = limits_given(can, links=False)
    assert capped.image == replace(can.limits.image, largest_bytes=LARGEST_DATA_URI)
    assert (capped.video, capped.audio) == (can.limits.video, can.limits.audio), "these have no way at all"
    assert limits_given(can, links=True) == can.limits
    assert limits_given(TIERS["apimart", MINI], links=False) == TIERS["apimart", MINI].limits


def test_an_order_holds_so_much_and_no_more() -> None:
    can, half = TIERS["hiapi", STANDARD], LARGEST_TOGETHER // 2
    two, three = [a_picture(half)] * 2, [a_picture(half), a_picture(half), a_picture(900_000)]
    assert too_large_to_write(can, two, links=False) == ""
    assert too_large_to_write(can, three, links=False) == (
        "The files have 8.9 MB together; at most 8 MB can be written into one order, which is the only way to give "
        "them to hiapi by this installation."
    )
    assert too_large_to_write(can, three, links=True) == ""
    assert too_large_to_write(TIERS["apimart", MINI], three, links=False) == "", "these are uploaded"
    assert too_large_to_write(can, [*two, replace(three[0], url="https://a.example/x.png")], links=False) == ""


def test_a_file_that_is_too_large_for_an_order_is_named_with_its_figure() -> None:
    large = a_picture(6_800_000, "panda.png")
    assert too_large_to_write(TIERS["hiapi", STANDARD], [large], links=False) == (
        "panda.png has 6.8 MB; at most 4 MB of a file can be written into an order, which is the only way to give it "
        "to hiapi by this installation."
    )


def test_a_data_uri_holds_the_file() -> None:
    content = bytes(range(256))
    kind, _, written = data_uri("image/png", content).partition(",")
    assert (kind, base64.b64decode(written)) == ("data:image/png;base64", content)


@pytest.mark.parametrize(
    ("providers", "said"),
    [
        (["muapi"], ""),
        (["apimart"], "files can be given to apimart (pictures) only"),
        (["apimart", "muapi"], "files can be given to apimart (pictures) and muapi only"),
        (["seedanceapi"], "no file can be given to seedanceapi"),
        (["seedanceapi", "empiriolabs"], "no file can be given to seedanceapi or empiriolabs"),
        (
            ["hiapi", "apimart", "muapi", "empiriolabs"],
            "files can be given to hiapi (pictures, standard alone), apimart (pictures) and muapi only",
        ),
    ],
)
def test_who_runs_dailies_is_told_what_cannot_be_given(providers: list[str], said: str) -> None:
    tiers = [can for name in providers for can in TIERS.values() if can.provider == name]
    links = "beside links that the provider can fetch itself."
    assert without_links(tiers) == (f"PUBLIC_URL is not set: {said}, {links}" if said else "")


def test_a_tier_uses_the_kinds_that_its_modes_and_references_are() -> None:
    used = {key: kinds_used(can) for key, can in TIERS.items()}
    assert used["muapi", STANDARD] == {MediaKind.IMAGE}
    assert used["empiriolabs", MINI] == {MediaKind.IMAGE, MediaKind.VIDEO}
    assert used["apimart", MINI] == set(MediaKind)
    assert without_links([]) == ""
