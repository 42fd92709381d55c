"""``bot.ports.Provider`` on every adapter: what is sent, and what became of it by each answer. Shapes and words are of
the provider's own dialect; what they come to is not."""

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.capabilities import Capabilities, fit
from bot.domain.failure import Failure, FailureKind
from bot.domain.recipe import FAST, MINI, STANDARD, VIP, MediaRole, Ratio, Recipe, Resolution
from bot.ports import OrderAccepted, OrderNotSent, OrderRefused, OrderThrottled, OrderUnknown
from tests.contracts.providers import everyone, unreadable, with_each
from tests.faults.troubles import BODIES
from tests.support.adapters import (
    ADAPTERS,
    APIMART,
    APIMART_OF_THE_REFERENCE,
    EMPIRIOLABS,
    HIAPI,
    MUAPI,
    Adapter,
    medium,
)
from tests.support.answers import UNREADABLE
from tests.support.clock import START
from tests.support.values import a_recipe

# --- what is sent ----------------------------------------------------------------------------------------------------

FIRST, LAST = medium(MediaRole.FIRST, "a.png"), medium(MediaRole.LAST, "b.png")
PICTURE, FILM, SOUND = (medium(MediaRole.REFERENCE, name) for name in ("a.png", "a.mp4", "a.mp3"))
EDITED, EXTENDED = medium(MediaRole.EDIT, "a.mp4"), medium(MediaRole.EXTEND, "a.mp4")
ASKED: Mapping[str, tuple[Any, ...]] = {
    "prompt": ("another", "@Image1", "x" * 2_001, "x " * 7_000, "x" * 20_001, "x" * 50_000, ""),
    "resolution": tuple(Resolution),
    "seconds": (None, 3, 4, 5, 7, 9, 10, 15, 16),
    "ratio": tuple(Ratio),
    "audio": (True, False),
    "tier": (MINI, FAST, STANDARD, VIP, "another"),
    "seed": (None, 0, 7),
    "negative": (None, "blur", ""),
    "high_bitrate": (False, True),
    "media": (
        *((FIRST,), (LAST,), (FIRST, LAST), (FIRST, FIRST)),
        *((FIRST, PICTURE), (FIRST, PICTURE, FILM, SOUND)),
        *((PICTURE,) * many for many in (1, 2, 4, 5, 9, 10)),
        *((FILM,) * many for many in (1, 2, 3, 4)),
        *((SOUND,), (PICTURE, FILM), (FILM, SOUND), (PICTURE, FILM, SOUND)),
        *((PICTURE, *(SOUND,) * many) for many in (1, 3, 4)),
        *((EDITED,), (EDITED, LAST), (EDITED, PICTURE), (EDITED, EXTENDED)),
        *((EXTENDED,), (EXTENDED, LAST), (EXTENDED, FIRST), (EXTENDED, FIRST, LAST), (EXTENDED, PICTURE)),
    ),
}
"""What may be asked, by field of a recipe. The same address stands in every part that a file may have."""


def test_the_walk_below_knows_every_field_of_a_recipe() -> None:
    assert set(ASKED) == {one.name for one in fields(Recipe)}


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize(
    ("adapter", "can"),
    [
        pytest.param(one, can, id=f"{one.name}-{can.model}")
        for one in (*ADAPTERS, APIMART_OF_THE_REFERENCE)
        for can in one.tiers
    ],
)
def test_whatever_is_asked_is_sent_or_refused(adapter: Adapter, can: Capabilities, name: str) -> None:
    """Each field by itself: values that fit give requests that differ from one another, and the others are refused by
    an option's name."""
    usual = a_recipe(tier=can.tier, seconds=5, resolution=max(can.resolutions))
    assert fit(usual, can) == ()
    sent = {adapter.encode(usual, can)}
    for value in ASKED[name]:
        recipe = replace(usual, **{name: value})
        refused = fit(recipe, can)
        assert all(one.option and one.allowed for one in refused)
        if refused or recipe == usual:
            continue
        order = adapter.encode(recipe, can)
        assert order not in sent, f"{name} = {value!r} changes nothing"
        sent.add(order)
        assert all(one.url.encode() in order.body for one in recipe.media), "every file goes along"


@everyone
@given(prompt=st.text())
def test_the_same_recipe_gives_the_same_plain_bytes(adapter: Adapter, prompt: str) -> None:
    """A key is honoured for the same body alone."""
    recipe, can = a_recipe(prompt=prompt), adapter.tiers[0]
    body = adapter.encode(recipe, can).body
    assert body == adapter.encode(recipe, can).body
    assert body.isascii()
    assert b" :" not in body.replace(json.dumps(prompt).encode(), b"")
    written = json.loads(body)
    assert written.get("input", written)["prompt"] == prompt


# --- what became of an order -----------------------------------------------------------------------------------------


@pytest.mark.row("F29")
@everyone
@pytest.mark.parametrize("status", [200, 201, 202])
def test_an_order_with_an_id_is_accepted(adapter: Adapter, status: int) -> None:
    assert adapter.ordered(status, adapter.fixture("order_accepted")) == adapter.accepted


@everyone
@pytest.mark.parametrize("status", [200, 201, 202, 204])
@unreadable
def test_success_without_an_id_is_of_unknown_outcome(adapter: Adapter, status: int, body: bytes) -> None:
    assert adapter.ordered(status, body) == OrderUnknown(why=f"HTTP {status} without a {adapter.called} id")


@unreadable
@with_each("status", lambda one: one.wordless)
def test_a_refusal_without_words_is_a_refusal(adapter: Adapter, status: int, body: bytes) -> None:
    assert adapter.ordered(status, body) == OrderRefused(failure=Failure(kind=adapter.wordless[status]))


@everyone
@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("Prompt policy violation", FailureKind.POLICY),
        ("the input image may contain a real person's face", FailureKind.FACE),
        ("the generated audio may contain sensitive content", FailureKind.AUDIO_MODERATION),
        ("the reference image could not be downloaded", FailureKind.BAD_REFERENCE),
        ("this key may not use the model", FailureKind.INVALID),
        ("insufficient quota for this model", FailureKind.OUT_OF_CREDIT),
        ("access denied", FailureKind.KEY_REFUSED),
    ],
)
def test_a_403_is_about_the_key_only_where_it_is_about_nothing_else(
    adapter: Adapter, words: str, kind: FailureKind
) -> None:
    """The key is everybody's: to refuse it pauses the provider for the whole team."""
    outcome = adapter.ordered(403, BODIES[adapter.name](403, words))
    assert isinstance(outcome, OrderRefused)
    assert outcome.failure.kind is kind


@everyone
@pytest.mark.parametrize("words", ["Prompt policy violation", "no such model", "Invalid API key"])
def test_a_401_is_about_the_key_whatever_its_words(adapter: Adapter, words: str) -> None:
    outcome = adapter.ordered(401, BODIES[adapter.name](401, words))
    assert isinstance(outcome, OrderRefused)
    assert outcome.failure.kind is FailureKind.KEY_REFUSED


@pytest.mark.parametrize(
    ("adapter", "body"),
    [
        (APIMART, {"error": {"code": "content_policy", "message": "z " * 5_000}}),
        (EMPIRIOLABS, {"error": {"code": "content_policy", "message": "z " * 5_000}}),
        (HIAPI, {"code": 400, "error_code": "content_policy", "message": "z " * 5_000}),
    ],
    ids=["apimart", "empiriolabs", "hiapi"],
)
def test_no_message_is_too_long_for_its_code_to_be_read(adapter: Adapter, body: Mapping[str, object]) -> None:
    outcome = adapter.ordered(400, body)
    assert isinstance(outcome, OrderRefused)
    assert outcome.failure.kind is FailureKind.POLICY


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("3", 3.0),
        ("30", 30.0),
        ("0", 0.0),
        ("0.5", 0.5),
        ("1.5", 1.5),
        ("1e9", 1e9),
        (format_datetime(START.replace(microsecond=0) + timedelta(seconds=12)), 12 - START.microsecond / 1e6),
        (format_datetime(START.replace(microsecond=0) + timedelta(seconds=31), usegmt=True), 30.876544),
        ("-5", None),
        ("abc", None),
        ("", None),
    ],
)
@everyone
def test_a_throttled_order_is_not_accepted_and_waits_as_it_is_told(
    adapter: Adapter, header: str, seconds: float | None
) -> None:
    for status in (429, 200) if adapter.errors_inside_200 else (429,):
        for name in ("Retry-After", "retry-after"):
            outcome = adapter.ordered(status, adapter.fixture("order_throttled"), **{name: header})
            assert isinstance(outcome, OrderThrottled)
            assert outcome.retry_after_seconds == pytest.approx(seconds)
    assert adapter.ordered(429, adapter.fixture("order_throttled")) == OrderThrottled(retry_after_seconds=None)
    assert adapter.ordered(429, b"<html>") == OrderThrottled(retry_after_seconds=None)


@pytest.mark.parametrize("status", [301, 307, 308, 408, 500, 502, 503, 504, 520, 524])
@with_each("body", lambda one: [*UNREADABLE, *map(one.fixture, one.lost)])
def test_everything_else_may_have_been_charged(adapter: Adapter, status: int, body: bytes) -> None:
    """Whatever a body says then: it may come from something that stands in between."""
    assert adapter.ordered(status, body) == OrderUnknown(why=f"HTTP {status}")


@everyone
@given(status=st.integers(100, 599), header=st.text(), data=st.data())
def test_no_answer_to_an_order_makes_the_decoder_stumble(
    adapter: Adapter, status: int, header: str, data: st.DataObject
) -> None:
    """And nothing but an id or a refusal is ever taken for knowledge about money."""
    outcome = adapter.ordered(status, data.draw(adapter.order_bodies), **{"Retry-After": header})
    if status >= 500 or 300 <= status < 400 or status == 408:
        assert isinstance(outcome, OrderUnknown | OrderAccepted)
        assert isinstance(outcome, OrderUnknown) or adapter is MUAPI, "a job has an id, there, beside a server's error"
    if status < 400 and not adapter.errors_inside_200:
        assert isinstance(outcome, OrderUnknown | OrderAccepted)
    assert not isinstance(outcome, OrderNotSent)
    assert not isinstance(outcome, OrderAccepted) or outcome.task_id
