"""APIMart: what is sent in either dialect, what each answer means, and that no answer whatsoever makes it raise.

The payloads lie in ``tests/fixtures/apimart``, named by what they tell.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.capabilities import Callback, Capabilities, Idempotency, fit
from bot.domain.failure import FailureKind
from bot.domain.recipe import MINI, STANDARD, MediaKind, MediaRole, Medium, Mode, Ratio, Recipe, Resolution
from bot.ports import (
    Credit,
    Order,
    OrderAccepted,
    OrderInFlight,
    OrderNotSent,
    OrderOutcome,
    OrderRefused,
    OrderThrottled,
    OrderUnknown,
    Provider,
    TaskFailed,
    TaskFinished,
    TaskMissing,
    TaskReport,
    TaskRunning,
    TaskUnreadable,
)
from bot.providers import _http
from bot.providers._openai import classify
from bot.providers.apimart import (
    RESPONSE_VERSION,
    APIMart,
    Dialect,
    capabilities,
    decode_balance,
    decode_order,
    decode_task,
    encode,
    replayed,
)
from tests.support import loopback
from tests.support.answers import BROKEN, JSON, UNREADABLE, objects_with, said
from tests.support.clock import START, SettableClock
from tests.support.loopback import Asked, answering, serving, silent, unused_port, whole
from tests.support.values import a_recipe

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "apimart"
TASK = "task_01M7XDVZPK7R4N2QW8ETBFCG3H"
CLIP = "https://upload.apimart.example/f/video/01M7XDVZ.mp4"
LAST_FRAME = "https://upload.apimart.example/f/image/01M7XDVZ-last.jpg"
EXPIRES = datetime(2026, 11, 21, 21, 30, 15, tzinfo=UTC)
ACCEPTED = OrderAccepted(task_id=TASK, replayed=False)
FINISHED = TaskFinished(url=CLIP, expires_at=EXPIRES, cost_micro_usd=405_000)
GUIDE = capabilities()
DOCS = capabilities(Dialect.DOCS)


def fixture(name: str) -> bytes:
    return (FIXTURES / f"{name}.json").read_bytes()


def loaded(name: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(fixture(name))
    return body


def ordered(status: int, body: bytes | object = b"", **headers: str) -> OrderOutcome:
    return decode_order(said(status, body, headers), START)


def seen(status: int, body: bytes | object = b"", **headers: str) -> TaskReport:
    return decode_task(said(status, body, headers), START)


def task(**data: Any) -> dict[str, Any]:
    """The answer about a task with these data."""
    return {"code": 200, "data": {"id": TASK, **data}}


def video(**changes: Any) -> dict[str, Any]:
    """The answer about a finished task with one video, somewhat changed."""
    return task(status="completed", result={"videos": [{"url": [CLIP], "expires_at": 1795296615} | changes]})


def medium(role: MediaRole, kind: MediaKind, name: str) -> Medium:
    return Medium(role=role, kind=kind, url=f"https://media.example/{name}")


FIRST = medium(MediaRole.FIRST, MediaKind.IMAGE, "first.png")
LAST = medium(MediaRole.LAST, MediaKind.IMAGE, "last.png")
REFERENCE = medium(MediaRole.REFERENCE, MediaKind.IMAGE, "cup.png")
FILM = "https://media.example/film.mp4"


def body_of(recipe: Recipe, dialect: Dialect = Dialect.GUIDE) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(encode(recipe, "m", dialect))
    return body


# --- what is sent ----------------------------------------------------------------------------------------------------


def test_the_guides_text_example_is_sent_field_by_field() -> None:
    """Beside it goes the wish for the last frame, which the guide has on every shot of a sequence."""
    example = loaded("documented_text")
    recipe = Recipe(prompt=example["prompt"], resolution=Resolution.P480, seconds=5, ratio=Ratio.WIDE, seed=12345)
    assert json.loads(encode(recipe, "seedance-2-0-fast")) == example | {"return_last_frame": True}


def test_the_guides_image_example_is_sent_field_by_field() -> None:
    mug = medium(MediaRole.FIRST, MediaKind.IMAGE, "mug.png")
    recipe = Recipe(prompt="The mug turns slowly", seconds=5, ratio=Ratio.ADAPTIVE, seed=12345, media=(mug,))
    assert json.loads(encode(recipe, "seedance-2-0-fast")) == loaded("request_guide_image")


def test_the_references_words_are_sent_in_its_dialect() -> None:
    recipe = Recipe(
        prompt="The mug turns slowly", resolution=Resolution.P720, seconds=5, audio=False, media=(FIRST, LAST)
    )
    assert json.loads(encode(recipe, "seedance-2.0-mini", Dialect.DOCS)) == loaded("request_docs_first_last")


def test_a_lone_picture_goes_with_its_role_but_for_the_guides_first_frame() -> None:
    """One address in ``image_urls`` could be a first frame or a reference."""
    first, reference = a_recipe(media=(FIRST,)), a_recipe(media=(REFERENCE,))
    as_first = [{"url": FIRST.url, "role": "first_frame"}]
    as_reference = [{"url": REFERENCE.url, "role": "reference_image"}]
    assert body_of(first)["image_url"] == FIRST.url
    assert body_of(first, Dialect.DOCS)["image_with_roles"] == as_first
    assert (
        body_of(reference)["image_with_roles"] == body_of(reference, Dialect.DOCS)["image_with_roles"] == as_reference
    )
    for recipe in (first, reference):
        for dialect in Dialect:
            assert len({"image_url", "image_urls", "image_with_roles"} & set(body_of(recipe, dialect))) == 1


def test_references_keep_the_order_in_which_the_prompt_counts_them() -> None:
    media = (
        medium(MediaRole.REFERENCE, MediaKind.VIDEO, "1.mp4"),
        medium(MediaRole.REFERENCE, MediaKind.IMAGE, "1.png"),
        medium(MediaRole.REFERENCE, MediaKind.AUDIO, "1.wav"),
        medium(MediaRole.REFERENCE, MediaKind.IMAGE, "2.png"),
        medium(MediaRole.REFERENCE, MediaKind.VIDEO, "2.mp4"),
    )
    body = body_of(a_recipe(media=media))
    assert [one["url"][-5:] for one in body["image_with_roles"]] == ["1.png", "2.png"]
    assert [url[-5:] for url in body["video_urls"]] == ["1.mp4", "2.mp4"]
    assert [url[-5:] for url in body["audio_urls"]] == ["1.wav"]


def test_what_a_video_is_for_is_said_in_the_prompt() -> None:
    recipe = a_recipe(prompt="make it night", media=(Medium(role=MediaRole.EDIT, kind=MediaKind.VIDEO, url=FILM),))
    body = body_of(recipe)
    assert (body["prompt"], body["video_urls"]) == ("Edit @Video1: make it night", [FILM])


def test_going_on_from_a_video_is_not_to_be_had() -> None:
    """Neither its guide nor its reference speaks of it."""
    assert all(Mode.EXTEND not in can.modes for dialect in Dialect for can in capabilities(dialect))


def test_an_automatic_length_is_minus_one_and_no_seed_is_no_field() -> None:
    body = body_of(a_recipe(seconds=None))
    assert body["duration"] == -1
    assert "seed" not in body
    assert body_of(a_recipe(seed=0))["seed"] == 0


@given(st.text())
def test_the_same_recipe_gives_the_same_plain_bytes(prompt: str) -> None:
    """A key is honoured for the same body alone."""
    body = encode(a_recipe(prompt=prompt), "m")
    assert body == encode(a_recipe(prompt=prompt), "m")
    assert body.isascii()
    assert json.loads(body)["prompt"] == prompt


ASKED: dict[str, tuple[Any, ...]] = {
    "prompt": ("another", "x " * 7_000),
    "resolution": tuple(Resolution),
    "seconds": (None, 3, 4, 9, 15, 16),
    "ratio": tuple(Ratio),
    "audio": (True, False),
    "tier": (MINI, STANDARD, "vip"),
    "seed": (None, 0, 7),
    "negative": (None, "blur"),
    "high_bitrate": (False, True),
    "media": (
        (),
        (FIRST,),
        (FIRST, LAST),
        (LAST,),
        (REFERENCE,) * 9,
        (REFERENCE,) * 10,
        (FIRST, REFERENCE),
        (medium(MediaRole.REFERENCE, MediaKind.AUDIO, "a.wav"),),
        (REFERENCE, medium(MediaRole.REFERENCE, MediaKind.AUDIO, "a.wav")),
        (medium(MediaRole.REFERENCE, MediaKind.VIDEO, "a.mp4"),) * 3,
        (medium(MediaRole.EDIT, MediaKind.VIDEO, "a.mp4"),),
        (medium(MediaRole.EXTEND, MediaKind.VIDEO, "a.mp4"),),
    ),
}
"""What may be asked, by field of a recipe."""


def test_the_walk_below_knows_every_field_of_a_recipe() -> None:
    assert set(ASKED) == {one.name for one in fields(Recipe)}


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize("tier", [0, 1])
@pytest.mark.parametrize("name", ASKED)
def test_whatever_is_asked_is_sent_or_refused(name: str, tier: int, dialect: Dialect) -> None:
    """Values that fit give requests that differ from one another; the others are refused by an option's name."""
    can = capabilities(dialect)[tier]
    usual = a_recipe(tier=can.tier)
    sent: set[bytes] = set()
    for value in ASKED[name]:
        recipe = replace(usual, **{name: value})
        refused = fit(recipe, can)
        assert all(one.option and one.allowed for one in refused)
        if not refused:
            body = encode(recipe, can.model, dialect)
            assert body not in sent, f"{name} = {value!r} changes nothing"
            sent.add(body)
            assert all(one.url.encode() in body for one in recipe.media)
    assert sent


@pytest.mark.parametrize("can", GUIDE, ids=["mini", "standard"])
def test_the_declared_capabilities_are_the_guides(can: Capabilities) -> None:
    assert can.resolutions == set(Resolution)
    assert can.ratios == set(Ratio)
    assert (can.shortest_seconds, can.longest_seconds, can.automatic_seconds) == (4, 15, True)
    assert (can.reference_images, can.reference_videos, can.reference_audios) == (9, 3, 3)
    assert (can.seed, can.audio_toggle, can.returns_last_frame) == (True, True, True)
    assert (can.negative, can.high_bitrate, can.cancel, can.lists_tasks) == (False, False, False, False)
    assert can.idempotency == Idempotency(window=timedelta(minutes=10), verified=True)
    assert (can.callback, can.balance) == (Callback.UNSIGNED, True)
    assert can.uploads == {MediaKind.IMAGE}
    assert can.output_lifetime == timedelta(hours=24)
    assert can.longest_prompt_tokens == 2_000


def test_the_references_mini_has_less() -> None:
    mini, standard = DOCS
    assert (mini.model, standard.model) == ("seedance-2.0-mini", "seedance-2.0")
    assert mini.resolutions == {Resolution.P480, Resolution.P720}
    assert standard.resolutions == set(Resolution)
    assert Ratio.PHOTO not in mini.ratios
    assert not mini.automatic_seconds


def test_models_keys_and_callbacks_are_the_operators_to_choose() -> None:
    mini, standard = capabilities(models={STANDARD: "seedance-2.0-face"}, idempotent=False, callbacks=False)
    assert (mini.model, standard.model) == ("seedance-2-0-fast", "seedance-2.0-face")
    assert mini.idempotency == Idempotency(window=timedelta(minutes=10), verified=False)
    assert mini.callback is None


# --- what became of an order -----------------------------------------------------------------------------------------


@pytest.mark.row("F29")
@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize("name", ["", "_guide", "_guide_job", "_versioned"])
def test_an_order_with_an_id_is_accepted_in_every_shape(name: str, status: int) -> None:
    assert ordered(status, fixture(f"order_accepted{name}")) == ACCEPTED


@pytest.mark.row("F29")
@pytest.mark.parametrize(
    "body",
    [
        {"data": {"task_id": TASK}},
        {"data": {"id": TASK}},
        {"data": [{"id": TASK}]},
        {"data": [None, {"task_id": TASK}]},
        {"task_id": None, "data": [{"task_id": TASK}]},
        {"task_id": TASK, "data": None},
        {"code": 400, "message": "odd", "task_id": TASK},
    ],
)
def test_an_id_is_found_where_it_may_stand(body: object) -> None:
    assert ordered(200, body) == ACCEPTED


@pytest.mark.row("F29")
def test_an_id_that_is_a_number_is_an_id() -> None:
    assert ordered(200, {"data": [{"task_id": 42}]}) == replace(ACCEPTED, task_id="42")


def test_a_task_that_is_finished_at_once_says_what_it_cost() -> None:
    assert ordered(200, fixture("order_accepted_at_once")) == replace(ACCEPTED, cost_micro_usd=405_000)


@pytest.mark.row("F29")
@pytest.mark.parametrize("status", [200, 201, 202, 204])
@pytest.mark.parametrize(
    "body",
    [
        *(fixture(name) for name in ("order_without_id", "order_with_null_id", "order_with_no_data")),
        {"task_id": ""},
        {"task_id": "  "},
        {"task_id": True},
        {"task_id": [TASK]},
        {"data": TASK},
        {"data": [[{"task_id": TASK}]]},
        {"request_id": "req_1"},
        {"code": "9" * 5_000},
        {"success": None, "message": "something"},
        *UNREADABLE,
    ],
)
def test_success_without_an_id_is_of_unknown_outcome(status: int, body: object) -> None:
    assert ordered(status, body) == OrderUnknown(why=f"HTTP {status} without a task id")


@pytest.mark.parametrize(
    ("status", "name", "kind", "words"),
    [
        (400, "order_invalid", FailureKind.INVALID, "duration must be 4-15 (invalid_request_error)"),
        (404, "order_model_not_found", FailureKind.INVALID, "model seedance-9 not found (model_not_found)"),
        (400, "order_bad_reference", FailureKind.BAD_REFERENCE, "could not be downloaded"),
        (400, "order_policy", FailureKind.POLICY, "the prompt was rejected (content_policy_violation)"),
        (401, "order_unauthorized", FailureKind.KEY_REFUSED, "invalid API key"),
        (402, "order_out_of_credit", FailureKind.OUT_OF_CREDIT, "insufficient balance"),
        (402, "order_out_of_credit_flat", FailureKind.OUT_OF_CREDIT, "insufficient balance"),
        (403, "order_over_quota", FailureKind.OUT_OF_CREDIT, "user quota is not enough"),
        (403, "order_forbidden", FailureKind.INVALID, "this key may not use the model"),
        (413, "order_too_large", FailureKind.INVALID, "request body too large"),
        (409, "order_conflict", FailureKind.INVALID, "the model is being replaced"),
    ],
)
def test_a_refused_order_costs_nothing_and_says_why(status: int, name: str, kind: FailureKind, words: str) -> None:
    outcome = ordered(status, fixture(name))
    assert isinstance(outcome, OrderRefused)
    assert outcome.failure.kind is kind
    assert words in outcome.failure.detail


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("order_invalid", FailureKind.INVALID),
        ("order_policy", FailureKind.POLICY),
        ("order_unauthorized", FailureKind.KEY_REFUSED),
        ("order_out_of_credit", FailureKind.OUT_OF_CREDIT),
        ("order_out_of_credit_flat", FailureKind.OUT_OF_CREDIT),
    ],
)
def test_an_error_counts_where_http_says_200(name: str, kind: FailureKind) -> None:
    outcome = ordered(200, fixture(name))
    assert isinstance(outcome, OrderRefused)
    assert outcome.failure.kind is kind


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("something", FailureKind.INVALID),
        (None, FailureKind.INVALID),
        ("Insufficient balance", FailureKind.OUT_OF_CREDIT),
        ("user quota is not enough", FailureKind.OUT_OF_CREDIT),
        ("Invalid API key", FailureKind.KEY_REFUSED),
        ("the prompt violates the content policy", FailureKind.POLICY),
        ("https://files.example/face.png could not be downloaded", FailureKind.BAD_REFERENCE),
    ],
)
def test_no_success_and_no_id_inside_200_is_a_refusal(message: object, kind: FailureKind) -> None:
    outcome = ordered(200, {"success": False, "message": message})
    assert isinstance(outcome, OrderRefused)
    assert outcome.failure.kind is kind


@pytest.mark.parametrize(
    "message", ["Internal server error", "upstream timeout", "Request timed out", "try again later"]
)
def test_no_success_for_reasons_of_the_server_stays_unknown(message: str) -> None:
    assert ordered(200, {"success": False, "message": message}) == OrderUnknown(why="HTTP 200")


def test_no_success_beside_an_id_is_a_task_and_too_many_requests_are_throttled() -> None:
    assert ordered(200, {"success": False, "task_id": TASK}) == ACCEPTED
    assert ordered(200, {"success": False, "message": "Too many requests"}) == OrderThrottled(retry_after_seconds=None)


@pytest.mark.parametrize("code", [500, 503, "503", 408, 504])
def test_an_error_of_the_server_inside_200_stays_unknown(code: object) -> None:
    assert isinstance(ordered(200, {"error": {"code": code, "message": "no"}}), OrderUnknown)
    assert isinstance(ordered(200, {"code": code, "message": "no"}), OrderUnknown)


def test_429_inside_200_is_throttled() -> None:
    assert ordered(200, fixture("order_throttled")) == OrderThrottled(retry_after_seconds=None)


@pytest.mark.parametrize("body", UNREADABLE)
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, FailureKind.INVALID),
        (401, FailureKind.KEY_REFUSED),
        (402, FailureKind.OUT_OF_CREDIT),
        (403, FailureKind.KEY_REFUSED),
        (404, FailureKind.INVALID),
        (409, FailureKind.INVALID),
        (413, FailureKind.INVALID),
        (422, FailureKind.INVALID),
    ],
)
def test_a_refusal_without_words_is_a_refusal(status: int, kind: FailureKind, body: bytes) -> None:
    outcome = ordered(status, body)
    assert isinstance(outcome, OrderRefused)
    assert (outcome.failure.kind, outcome.failure.detail) == (kind, "")


def test_a_conflict_about_the_key_proves_nothing_about_money() -> None:
    in_progress, mismatch = fixture("order_key_in_progress"), fixture("order_key_mismatch")
    assert ordered(409, in_progress, **{"Retry-After": "2"}) == OrderInFlight(retry_after_seconds=2.0)
    assert ordered(409, mismatch) == OrderUnknown(why="the key is in use otherwise", repeatable=False)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("3", 3.0),
        ("0.5", 0.5),
        (format_datetime(START.replace(microsecond=0) + timedelta(seconds=31), usegmt=True), 30.876544),
        ("-5", None),
        ("abc", None),
        ("", None),
    ],
)
def test_a_throttled_order_is_not_accepted(header: str, seconds: float | None) -> None:
    outcome = ordered(429, fixture("order_throttled"), **{"retry-after": header})
    assert isinstance(outcome, OrderThrottled)
    assert outcome.retry_after_seconds == (seconds and pytest.approx(seconds))


@pytest.mark.parametrize("body", [fixture("order_unavailable"), fixture("order_accepted"), *UNREADABLE])
@pytest.mark.parametrize("status", [301, 307, 308, 408, 500, 502, 503, 504, 520, 524])
def test_everything_else_may_have_been_charged(status: int, body: bytes) -> None:
    assert ordered(status, body) == OrderUnknown(why=f"HTTP {status}")


BODIES = objects_with("task_id", "data", "code", "message", "error", "success")


@given(status=st.integers(100, 599), body=BODIES, header=st.text(max_size=20))
def test_no_answer_to_an_order_makes_the_decoder_stumble(status: int, body: bytes, header: str) -> None:
    """And nothing but an id or a refusal is ever taken for knowledge about money."""
    outcome = ordered(status, body, **{"Retry-After": header})
    if status >= 500 or 300 <= status < 400 or status == 408:
        assert isinstance(outcome, OrderUnknown)
    assert not isinstance(outcome, OrderNotSent)


# --- how a task is ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["task_submitted", "task_pending", "task_processing"])
def test_documented_words_are_running(name: str) -> None:
    assert seen(200, fixture(name)) == TaskRunning()


@pytest.mark.parametrize("word", ["SUBMITTED", "Pending", " processing "])
def test_case_and_blanks_do_not_matter(word: str) -> None:
    assert seen(200, task(status=word)) == TaskRunning()


@pytest.mark.parametrize("word", ["queued", "in_progress", "reviewing", "regressed", "expired"])
def test_an_unknown_word_is_running_and_odd(word: str) -> None:
    assert seen(200, task(status=word.upper())) == TaskRunning(odd=word)


@pytest.mark.parametrize(
    "body", [*UNREADABLE, task(), task(status=None), task(status=""), task(status={}), {"data": [[]]}, {"data": "x"}]
)
def test_an_answer_without_a_status_is_no_news(body: object) -> None:
    assert seen(200, body) == TaskUnreadable(why="an answer without a status")


@pytest.mark.parametrize("name", ["task_completed", "task_completed_plain_url"])
def test_success_is_finished_with_its_link_its_expiry_and_its_cost(name: str) -> None:
    assert seen(200, fixture(name)) == FINISHED
    assert CLIP not in repr(seen(200, fixture(name))), "the link is a bearer secret"


@pytest.mark.parametrize("name", ["with_last_frame", "last_frame_in_video", "last_frame_as_image"])
def test_the_last_frame_is_found_wherever_it_lies(name: str) -> None:
    assert seen(200, fixture(f"task_completed_{name}")) == replace(FINISHED, last_frame_url=LAST_FRAME)


@pytest.mark.parametrize("word", ["success", "succeeded", "COMPLETED"])
def test_other_words_for_success_are_success(word: str) -> None:
    body = loaded("task_completed")
    body["data"]["status"] = word
    assert seen(200, body) == FINISHED


def test_an_answer_in_a_list_or_without_an_envelope_is_read_too() -> None:
    data = loaded("task_completed")["data"]
    assert seen(200, {"data": [data]}) == seen(200, data) == FINISHED
    failed = loaded("task_failed_policy")
    assert failed["data"]["error"]["code"] == 400
    assert seen(200, failed["data"]) == seen(200, failed)


def test_the_first_video_with_a_link_is_taken() -> None:
    videos = [None, {"url": [""]}, {"url": [None, CLIP]}, {"url": "https://upload.apimart.example/2.mp4"}]
    report = seen(200, task(status="completed", result={"videos": videos}))
    assert isinstance(report, TaskFinished)
    assert report.url == CLIP


@pytest.mark.parametrize(
    "expires_at",
    [1795296615, 1795296615.0, "1795296615", 1795296615000, "2026-11-21T21:30:15Z", "2026-11-21T22:30:15+01:00"],
)
def test_an_expiry_is_read_in_every_form(expires_at: object) -> None:
    assert seen(200, video(expires_at=expires_at)) == replace(FINISHED, cost_micro_usd=None)


@pytest.mark.parametrize(
    "expires_at", [None, 0, -1, True, "tomorrow", "", [], 10**30, 10**17, float("inf"), float("nan"), "1e999999"]
)
def test_an_expiry_that_is_none_is_not_known(expires_at: object) -> None:
    assert seen(200, video(expires_at=expires_at)) == TaskFinished(url=CLIP, expires_at=None)
    assert seen(200, fixture("task_completed_without_expiry")) == replace(FINISHED, expires_at=None)


@pytest.mark.parametrize(
    ("figures", "micro"),
    [
        ({"cost": 0.405}, 405_000),
        ({"cost": "0.405"}, 405_000),
        ({"cost": 0.0528}, 52_800),
        ({"cost": 0.1 + 0.2}, 300_000),
        ({"cost": 1}, 1_000_000),
        ({"cost": 0}, None),
        ({"credits_cost": 4.05}, 405_000),
        ({"cost": None, "credits_cost": "4.05"}, 405_000),
        ({"cost": 0.405, "credits_cost": 99}, 405_000),
        ({"cost": -1}, None),
        ({"cost": True}, None),
        ({"cost": "free"}, None),
        ({"cost": float("nan")}, None),
        ({"cost": float("inf")}, None),
        ({"cost": "1e12"}, None),
        ({"cost": [0.4]}, None),
        ({}, None),
    ],
)
def test_a_cost_is_read_to_the_micro_dollar_or_not_at_all(figures: dict[str, Any], micro: int | None) -> None:
    body = video()
    body["data"] |= figures
    assert seen(200, body) == replace(FINISHED, cost_micro_usd=micro)


@pytest.mark.parametrize(
    "body",
    [
        *(
            fixture(f"task_completed_{what}")
            for what in ("without_result", "without_videos", "with_null_videos", "with_no_videos", "with_empty_url")
        ),
        task(status="completed", result=[CLIP]),
        task(status="completed", result={"videos": [CLIP]}),
        task(status="completed", result={"videos": {"url": CLIP}}),
        task(status="completed", result={"videos": [{"url": [["x"]]}]}),
        task(status="completed", result={"videos": [{"url": 7}]}),
        task(status="completed", result={"videos": [{"url": "N/A"}]}),
        task(status="completed", result={"videos": [{"url": ["", "pending", "ftp://upload.apimart.example/1.mp4"]}]}),
    ],
)
def test_success_without_a_link_is_asked_again(body: object) -> None:
    assert seen(200, body) == TaskUnreadable(why="success without a link")


@pytest.mark.parametrize(
    ("name", "kind", "detail"),
    [
        ("failed_policy", FailureKind.POLICY, "content policy violation (invalid_request_error)"),
        (
            "failed_audio",
            FailureKind.AUDIO_MODERATION,
            "the generated audio may contain sensitive information (OutputAudioSensitiveContentDetected)",
        ),
        (
            "failed_face",
            FailureKind.FACE,
            "the input image may contain a real person (InputImageSensitiveContentDetected.PrivacyInformation)",
        ),
        (
            "failed_reference",
            FailureKind.BAD_REFERENCE,
            "image_url could not be downloaded (invalid_request_error)",
        ),
        ("failed_timeout", FailureKind.TIMEOUT, "generation timed out (upstream_error)"),
        ("failed_upstream", FailureKind.PROVIDER, "something broke (internal_error)"),
        ("failed_without_words", FailureKind.PROVIDER, ""),
    ],
)
def test_a_failed_task_says_of_which_class_and_is_not_charged(name: str, kind: FailureKind, detail: str) -> None:
    report = seen(200, fixture(f"task_{name}"))
    assert isinstance(report, TaskFailed)
    assert (report.failure.kind, report.failure.detail, report.charged) == (kind, detail, False)


def test_a_failed_task_that_names_a_cost_is_charged() -> None:
    report = seen(200, fixture("task_failed_charged"))
    assert isinstance(report, TaskFailed)
    assert (report.charged, report.cost_micro_usd, report.kept_micro_usd) == (True, 405_000, 405_000)


@pytest.mark.parametrize(("figures", "kept"), [({}, None), ({"cost": 0}, 0), ({"credits_cost": 1}, 100_000)])
def test_a_task_that_was_stopped_is_charged_unless_it_says_that_it_cost_nothing(
    figures: dict[str, Any], kept: int | None
) -> None:
    body = json.loads(fixture("task_cancelled"))
    body["data"] |= figures
    report = seen(200, body)
    assert isinstance(report, TaskFailed)
    assert (report.failure.detail, report.kept_micro_usd) == ("cancelled", kept)


@pytest.mark.parametrize("word", ["failed", "FAILED", "failure", "error", "cancelled"])
@pytest.mark.parametrize("error", [None, "no", [], {"code": None, "message": None}, {"code": 7, "message": []}])
def test_a_failure_in_another_shape_is_a_failure(word: str, error: object) -> None:
    report = seen(200, task(status=word, error=error))
    assert isinstance(report, TaskFailed)
    assert report.failure.kind is FailureKind.PROVIDER


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Content Moderation failed", FailureKind.POLICY),
        ("https://files.example/face.png could not be downloaded", FailureKind.BAD_REFERENCE),
        ("https://files.example/risk.png?policy=1: could not be downloaded", FailureKind.BAD_REFERENCE),
        ("audio: https://files.example/content/audio.mp3 could not be downloaded", FailureKind.BAD_REFERENCE),
        ("NSFW content detected", FailureKind.POLICY),
        ("output may violate copyright", FailureKind.POLICY),
        ("audio failed the audit", FailureKind.AUDIO_MODERATION),
        ("a human face was detected", FailureKind.FACE),
        ("image is too small", FailureKind.BAD_REFERENCE),
        ("https://media.example/a.mp4 could not be downloaded", FailureKind.BAD_REFERENCE),
        ("request timeout", FailureKind.TIMEOUT),
        ("internal error", FailureKind.PROVIDER),
        ("", FailureKind.PROVIDER),
    ],
)
def test_the_words_of_a_failure_tell_its_class(message: str, kind: FailureKind) -> None:
    assert classify("", message).kind is kind


@pytest.mark.parametrize("body", [fixture("task_unknown"), b"", b"<html>"])
def test_an_unknown_task_is_missing(body: bytes) -> None:
    assert seen(404, body) == TaskMissing()
    assert seen(200, fixture("task_unknown_in_body")) == TaskMissing()


@pytest.mark.parametrize("status", [201, 204, 307, 400, 401, 403, 408, 429, 500, 502, 503, 504, 520])
@pytest.mark.parametrize("body", [fixture("task_completed"), fixture("task_failed_policy"), *UNREADABLE])
def test_every_other_status_is_no_news(status: int, body: bytes) -> None:
    assert seen(status, body) == TaskUnreadable(why=f"HTTP {status}")
    slowly = TaskUnreadable(why=f"HTTP {status}", retry_after_seconds=9.0)
    assert seen(status, body, **{"Retry-After": "9"}) == slowly


TASKS = st.fixed_dictionaries(
    {"status": JSON | st.sampled_from(["completed", "failed", "pending"]), "result": JSON, "error": JSON, "cost": JSON}
).map(lambda data: json.dumps({"data": data}).encode())
RESULTS = st.lists(
    st.fixed_dictionaries({"url": JSON | st.just([CLIP]), "expires_at": JSON | st.floats() | st.integers()})
).map(lambda videos: json.dumps({"data": {"status": "completed", "result": {"videos": videos}}}).encode())


@given(status=st.sampled_from([200, 404, 429, 500]), body=BODIES | TASKS | RESULTS)
def test_no_answer_about_a_task_makes_the_decoder_stumble(status: int, body: bytes) -> None:
    report = seen(status, body)
    assert isinstance(report, TaskUnreadable | TaskMissing) or status == 200


# --- what is left, and callbacks -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "balance"),
    [
        ("balance", Credit(micro_usd=12_340_000)),
        ("balance_unlimited", Credit(micro_usd=None)),
        ("balance_used_up", Credit(micro_usd=0)),
        ("balance_refused", None),
    ],
)
def test_a_balance_says_what_is_left(name: str, balance: Credit | None) -> None:
    assert decode_balance(said(200, fixture(name))) == balance
    assert decode_balance(said(500, fixture(name))) is None
    assert decode_balance(said(200, loaded(name) | {"success": False})) is None


def test_an_absurd_balance_is_not_taken_for_no_limit() -> None:
    assert decode_balance(said(200, {"success": True, "remain_balance": 1e30})) is None


@given(body=objects_with("remain_balance", "unlimited_quota", "success"))
def test_no_balance_makes_the_decoder_stumble(body: bytes) -> None:
    balance = decode_balance(said(200, body))
    assert balance is None or balance.micro_usd is None or balance.micro_usd >= 0


@pytest.mark.parametrize("header", ["true", "True", " TRUE "])
def test_a_replay_is_said_in_a_header(header: str) -> None:
    assert replayed(said(200, b"", {"idempotency-replayed": header}))
    assert not replayed(said(200, b"", {"Idempotency-Replayed": "false"}))
    assert not replayed(said(200))


# --- over HTTP -------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def vendor(base_url: str, **choices: Any) -> AsyncIterator[APIMart]:
    apimart = APIMart(key="made-up-key", clock=SettableClock(), base_url=base_url, **choices)
    try:
        yield apimart
    finally:
        await apimart.close()


def by_path(**answers: bytes) -> loopback.Answer:
    """Answers by the last part of the path, with 404 for others; ``_`` stands for a slash."""

    async def answer(writer: Any, asked: Asked) -> None:
        path = asked.target.partition("?")[0].removeprefix("/v1/").replace("/", "_")
        writer.write(answers.get(path) or whole(404))

    return answer


async def test_it_is_a_provider_that_neither_lists_nor_cancels() -> None:
    async with vendor("http://127.0.0.1:9", model="mine", standard_model="best", callbacks=False) as apimart:
        provider: Provider = apimart
        assert provider.name == "apimart"
        assert [one.model for one in provider.capabilities] == ["mine", "best"]
        assert await provider.look_at_all([TASK]) == {}
        assert await provider.cancel(TASK) is False
        with_url = provider.order(a_recipe(tier=STANDARD), "k", "https://bot.example/callbacks/x")
        assert json.loads(with_url.body)["model"] == "best"
        assert b"callback" not in with_url.body


async def test_a_callback_is_asked_for_and_names_its_task() -> None:
    async with vendor("http://127.0.0.1:9") as apimart:
        order = apimart.order(a_recipe(), "k", "https://bot.example/callbacks/x")
        assert json.loads(order.body)["callback_url"] == "https://bot.example/callbacks/x"
        assert "callback_url" not in json.loads(apimart.order(a_recipe(), "k").body)
        assert apimart.told({}, fixture("callback")) == TASK
        for nothing in UNREADABLE:
            assert apimart.told({}, nothing) is None


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
async def test_an_order_goes_out_once_with_its_key_and_bytes(suffix: str) -> None:
    async with serving(answering(200, fixture("order_accepted"))) as server, vendor(server.origin + suffix) as apimart:
        order = apimart.order(a_recipe(), "j1-1")
        assert order == Order(key="j1-1", body=encode(a_recipe(), "seedance-2-0-fast"))
        assert await apimart.submit(order) == ACCEPTED
    (asked,) = server.asked
    assert (asked.method, asked.target, asked.body) == ("POST", "/v1/videos/generations", order.body)
    assert asked.headers["idempotency-key"] == "j1-1"
    assert asked.headers["authorization"] == "Bearer made-up-key"
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["x-apimart-response-version"] == RESPONSE_VERSION


@pytest.mark.parametrize(("version", "name"), [("2026-09-01", "order_accepted_versioned"), (None, "order_accepted")])
async def test_answers_of_another_day_or_of_none_can_be_asked_for(version: str | None, name: str) -> None:
    async with serving(answering(200, fixture(name))) as server, vendor(server.origin, response_version=version) as one:
        assert await one.submit(one.order(a_recipe(), "j1-1")) == ACCEPTED
    assert server.asked[0].headers.get("x-apimart-response-version") == version


@pytest.mark.parametrize(("headers", "known"), [({"idempotency_replayed": "true"}, True), ({}, False)])
async def test_an_acceptance_says_whether_the_key_was_known(headers: dict[str, str], known: bool) -> None:
    """Also to a process that did not send the first one."""
    answer = whole(200, fixture("order_accepted"), **headers)
    async with serving(by_path(videos_generations=answer)) as server, vendor(server.origin) as apimart:
        outcome = await apimart.submit(apimart.order(a_recipe(), "j1-1"))
    assert outcome == replace(ACCEPTED, replayed=known)


async def test_every_order_has_a_fresh_connection_and_looks_share_one() -> None:
    async with serving(answering(200, fixture("order_accepted"))) as server, vendor(server.origin) as apimart:
        for _ in range(3):
            await apimart.submit(apimart.order(a_recipe(), "j1-1"))
        assert server.accepted == 3
        for _ in range(3):
            await apimart.look(TASK)
        assert server.accepted == 4


async def test_a_look_names_the_task_safely_and_wants_english() -> None:
    async with serving(answering(200, fixture("task_completed"))) as server, vendor(server.origin) as apimart:
        assert await apimart.look("a/../b?c#d") == FINISHED
    (asked,) = server.asked
    assert (asked.method, asked.target) == ("GET", "/v1/tasks/a%2F..%2Fb%3Fc%23d?language=en")
    assert asked.headers["authorization"] == "Bearer made-up-key"


async def test_a_key_that_is_repeated_in_an_answer_is_hidden() -> None:
    body = {"error": {"code": 401, "message": "the key made-up-key is not known"}}
    async with serving(answering(401, body)) as server, vendor(server.origin) as apimart:
        refused = await apimart.submit(apimart.order(a_recipe(), "j1-1"))
        assert isinstance(refused, OrderRefused)
        assert "made-up-key" not in refused.failure.detail
        checked = await apimart.check()
        assert checked is not None
        assert "[hidden]" in checked.detail


@pytest.mark.parametrize(
    ("key", "account", "left"),
    [
        ("balance", "balance_unlimited", Credit(micro_usd=12_340_000)),
        ("balance_unlimited", "balance", Credit(micro_usd=12_340_000)),
        ("balance_used_up", "balance", Credit(micro_usd=0)),
        ("balance_unlimited", "balance_unlimited", Credit(micro_usd=None)),
        ("balance_refused", "balance", Credit(micro_usd=12_340_000)),
        ("balance_refused", "balance_refused", None),
    ],
)
async def test_the_lesser_of_key_and_account_is_left(key: str, account: str, left: Credit | None) -> None:
    answers = by_path(balance=whole(200, fixture(key)), user_balance=whole(200, fixture(account)))
    async with serving(answers) as server, vendor(server.origin) as apimart:
        assert await apimart.balance() == left


MODELS = whole(200, {"object": "list", "data": []})
CHECKS: dict[str, tuple[dict[str, bytes], FailureKind | None]] = {
    "all is well": ({"balance": whole(200, fixture("balance"))}, None),
    "the account is empty": (
        {
            "balance": whole(200, fixture("balance_unlimited")),
            "user_balance": whole(200, fixture("balance_used_up")),
        },
        FailureKind.OUT_OF_CREDIT,
    ),
    "no balance is served": ({"models": MODELS}, None),
    "the key is refused": ({"balance": whole(401, fixture("order_unauthorized"))}, FailureKind.KEY_REFUSED),
    "the key is refused inside 200": ({"balance": whole(200, fixture("order_unauthorized"))}, FailureKind.KEY_REFUSED),
    "no credit": ({"balance": whole(402, fixture("order_out_of_credit"))}, FailureKind.OUT_OF_CREDIT),
    "words alone": ({"balance": whole(200, fixture("balance_refused"))}, FailureKind.PROVIDER),
    "HTML": ({"balance": whole(200, b"<html>")}, FailureKind.PROVIDER),
    "away": ({"balance": whole(502)}, FailureKind.PROVIDER),
    "nothing is served": ({}, FailureKind.PROVIDER),
}


@pytest.mark.parametrize("name", CHECKS)
async def test_a_check_costs_nothing_and_says_what_is_wrong(name: str) -> None:
    answers, kind = CHECKS[name]
    async with serving(by_path(**answers)) as server, vendor(server.origin) as apimart:
        failure = await apimart.check()
    assert (failure.kind if failure else None) is kind
    assert {asked.method for asked in server.asked} == {"GET"}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
async def test_nothing_makes_a_call_raise(answer: loopback.Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    if answer is silent:
        monkeypatch.setattr(_http, "SUBMIT_DEADLINE", timedelta(seconds=0.3))
        monkeypatch.setattr(_http, "READ_DEADLINE_SECONDS", 0.3)
    async with serving(answer) as server, vendor(server.origin) as apimart:
        assert isinstance(await apimart.submit(apimart.order(a_recipe(), "j1-1")), OrderUnknown)
        assert isinstance(await apimart.look(TASK), TaskUnreadable)
        assert sum(asked.method == "POST" for asked in server.asked) <= 1, "nothing is sent again by itself"
        assert await apimart.balance() is None
        failure = await apimart.check()
        assert failure is not None
        assert failure.kind is FailureKind.PROVIDER


async def test_a_vendor_that_is_away_was_sent_nothing() -> None:
    async with vendor(f"http://127.0.0.1:{unused_port()}") as apimart:
        assert await apimart.submit(apimart.order(a_recipe(), "j1-1")) == OrderNotSent(why="ConnectError")
        assert await apimart.look(TASK) == TaskUnreadable(why="ConnectError")
        failure = await apimart.check()
        assert failure is not None
        assert failure.detail == "it cannot be reached (ConnectError)"
