"""What every adapter can send against what its provider documents: every field, with its type and its values; nothing
that the documents do not have, and of what they have nothing that is not offered."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from bot.domain.capabilities import Capabilities, fit
from bot.domain.recipe import HIGHEST_SEED, MediaKind, MediaRole, Medium, Mode, Recipe
from bot.ports import Provider
from bot.vendors import VENDORS
from tests.support.documented import EXAMPLES, Example, Json, misfits, schema_of, sources
from tests.support.modes import CALLBACK, FIXTURES, MEDIA, ways
from tests.unit.test_routing_table import VENDORS as ADAPTERS

TIERS = [(name, can) for name, vendor in VENDORS.items() for can in vendor.tiers]
SENT = sorted(path for name in VENDORS for path in (FIXTURES / name).glob("sent_*.json"))

ELSEWHERE = {
    "hiapi": {
        ("model", "its own page"),
        ("input.resolution", "its own page"),
        ("input.seed", "the published skill"),
        ("input.return_last_frame", "the published skill"),
    },
    "apimart": {
        ("model", "formed like its sibling"),
        ("image_with_roles", "reference"),
        ("video_urls", "reference"),
        ("audio_urls", "reference"),
        ("callback_url", "a client"),
    },
    "muapi": {
        ("images_list", "a sibling endpoint"),
        ("video_files", "a sibling endpoint"),
        ("audio_files", "a sibling endpoint"),
        *((name, "its playground page") for name in ("prompt", "aspect_ratio", "duration", "images_list")),
    },
    "seedanceapi": {("resolution", "its clients")},
    "empiriolabs": {
        ("model", "its own page"),
        ("model", "formed like its siblings"),
        ("resolution", "implied by the mini page"),
    },
}
"""All that is sent and does not stand in a source document, and where it is known from."""

FEWER = {("seedanceapi", "images"): 1}
"""Lists of which fewer are offered than are documented: a lone picture there is a first frame, and of those after it
nothing is said."""


def everything(can: Capabilities) -> Iterator[Recipe]:
    """Every way of asking, in every resolution, ratio and length that the tier declares; with and without sound and a
    high bitrate; with the least and the greatest seed; with one file and with as many as it takes."""
    lengths: list[int | None] = [None] if can.automatic_seconds else []
    lengths += sorted(can.only_seconds or range(can.shortest_seconds, can.longest_seconds + 1))
    for recipe in ways(can, MEDIA).values():
        yield from (replace(recipe, resolution=one) for one in can.resolutions)
        yield from (replace(recipe, seconds=one) for one in lengths)
        yield from (fitting for one in can.ratios if not fit(fitting := replace(recipe, ratio=one), can))
        yield from (replace(recipe, audio=one) for one in {True, not can.audio_toggle})
        yield from (replace(recipe, high_bitrate=one) for one in {False, can.high_bitrate})
        yield from (replace(recipe, seed=one) for one in (0, HIGHEST_SEED) if can.seed)
        if recipe.mode is Mode.REFERENCES:
            kinds = {one.kind for one in recipe.media}
            yield replace(recipe, media=tuple(one for kind in kinds for one in _most(kind, can)))


def _most(kind: MediaKind, can: Capabilities) -> Iterator[Medium]:
    counts = {
        MediaKind.IMAGE: can.reference_images,
        MediaKind.VIDEO: can.reference_videos,
        MediaKind.AUDIO: can.reference_audios,
    }
    for number in range(counts[kind]):
        yield Medium(role=MediaRole.REFERENCE, kind=kind, url=f"{MEDIA}/{kind.value}{number}")


def sent(adapter: Provider, recipe: Recipe) -> tuple[str, Json]:
    """The end of the address, and the body."""
    order = adapter.order(recipe, "j1-1", CALLBACK)
    return f"/{order.path}", json.loads(order.body)


@pytest.mark.parametrize(("name", "can"), TIERS, ids=[f"{name}-{can.tier}" for name, can in TIERS])
def test_whatever_is_offered_is_sent_as_it_is_documented(name: str, can: Capabilities) -> None:
    for recipe in everything(can):
        assert fit(recipe, can) == (), recipe
        path, body = sent(ADAPTERS[name], recipe)
        assert misfits(schema_of(name, path, body), body) == [], recipe


@pytest.mark.parametrize("name", VENDORS)
def test_what_is_not_in_the_source_documents_is_known_from_elsewhere(name: str) -> None:
    found: set[tuple[str, str]] = set()
    for can in VENDORS[name].tiers:
        for recipe in everything(can):
            path, body = sent(ADAPTERS[name], recipe)
            found |= set(sources(schema_of(name, path, body), body))
    assert found == ELSEWHERE[name]


@pytest.mark.parametrize(("name", "can"), TIERS, ids=[f"{name}-{can.tier}" for name, can in TIERS])
def test_all_that_is_documented_is_offered(name: str, can: Capabilities) -> None:
    """Every field; every value of one that has a few, the bounds of a number, the most of a list. EmpirioLabs' mode is
    always named, so that ``auto``, by which it would be guessed, is not needed."""
    documented: dict[str, Json] = {}
    offered: dict[str, list[Any]] = {}
    for recipe in everything(can):
        path, body = sent(ADAPTERS[name], recipe)
        schema = schema_of(name, path, body)
        for properties, place in _places(schema, body):
            documented |= properties
            for field, value in place.items():
                offered.setdefault(field, []).append(value)
    assert set(documented) == set(offered)
    for field, about in documented.items():
        values = offered[field]
        assert [one for one in about.get("enum", ()) if one not in values and one != "auto"] == [], field
        if "maximum" in about:
            assert (min(values), max(values)) == (about["minimum"], about["maximum"]), field
        if "maxItems" in about:
            assert max(len(one) for one in values) == FEWER.get((name, field), about["maxItems"]), field


def _places(schema: Json, body: Json) -> Iterator[tuple[Json, Json]]:
    """The properties of a body and of the objects in it, each with what is sent."""
    properties: Json = schema["properties"]
    yield properties, body
    for field, value in body.items():
        if isinstance(value, dict):
            yield from _places(properties[field], value)


@pytest.mark.parametrize("path", SENT, ids=[f"{path.parent.name}-{path.stem}" for path in SENT])
def test_every_request_that_is_to_arrive_is_documented(path: Any) -> None:
    request = json.loads(path.read_bytes())
    schema = schema_of(path.parent.name, request["path"], request["body"])
    assert misfits(schema, request["body"]) == []


@pytest.mark.parametrize("example", EXAMPLES, ids=[f"{one.provider}-{one.name}" for one in EXAMPLES])
def test_an_ask_that_means_an_example_sends_the_example(example: Example) -> None:
    """But for what must be otherwise, which is each time documented too, with the default where one is named."""
    path, body = sent(ADAPTERS[example.provider], example.recipe)
    schema = schema_of(example.provider, path, body)
    assert body == example.request["body"]
    assert misfits(schema, example.body) == []
    others = [(field, value) for field, value, usual in _added(schema, body, example.body) if value != usual]
    assert others in ([], [("mode", "t2v")]), "what is added says no more than the document's defaults"


def _added(schema: Json, body: Json, example: Json) -> Iterator[tuple[str, Any, Any]]:
    """The fields that a body has beside an example's, with their values and documented defaults; a field that has no
    default may have any value."""
    for field, value in body.items():
        about = schema["properties"][field]
        if field not in example:
            yield field, value, about.get("default", value)
        elif isinstance(value, dict):
            yield from _added(about, value, example[field])


def test_every_example_of_the_documents_is_meant() -> None:
    transcribed = {
        (path.parent.name, path.stem.removeprefix("documented_"))
        for name in VENDORS
        for path in (FIXTURES / name).glob("documented_*.json")
    }
    meant = {(one.provider, one.name) for one in EXAMPLES}
    assert {one for one in transcribed if one[1] != "fields"} == meant
    assert {one[0] for one in transcribed if one[1] == "fields"} == set(VENDORS)
