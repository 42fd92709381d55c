"""APIMart's own dialects: what is sent in either, and what its answers mean. What holds for every provider, the
contract suite shows (``tests/contracts/test_providers.py``).

The payloads lie in ``tests/fixtures/apimart``, named by what they tell.
"""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.capabilities import Callback, Capabilities, Idempotency
from bot.domain.failure import FailureKind
from bot.domain.recipe import STANDARD, MediaKind, MediaRole, Medium, Mode, Ratio, Recipe, Resolution
from bot.ports import (
    Credit,
    OrderInFlight,
    OrderRefused,
    OrderThrottled,
    OrderUnknown,
    TaskFailed,
    TaskFinished,
    TaskMissing,
    TaskUnreadable,
)
from bot.providers.apimart import (
    RESPONSE_VERSION,
    Dialect,
    capabilities,
    decode_balance,
    encode,
    replayed,
)
from tests.support import loopback
from tests.support.adapters import APIMART
from tests.support.answers import said
from tests.support.loopback import Asked, answering, serving, whole
from tests.support.values import a_recipe

TASK, CLIP, ACCEPTED, FINISHED = APIMART.task_id, APIMART.finished.url, APIMART.accepted, APIMART.finished
LAST_FRAME = "https://upload.apimart.example/f/image/01M7XDVZ-last.jpg"
GUIDE = capabilities()
DOCS = capabilities(Dialect.DOCS)
fixture, loaded, ordered, seen = APIMART.fixture, APIMART.loaded, APIMART.ordered, APIMART.seen
task, vendor = APIMART.task, APIMART.at


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
@pytest.mark.parametrize("name", ["guide", "guide_job", "versioned"])
def test_an_order_with_an_id_is_accepted_in_every_shape(name: str, status: int) -> None:
    assert ordered(status, fixture(f"order_accepted_{name}")) == ACCEPTED


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


def test_a_conflict_about_the_key_proves_nothing_about_money() -> None:
    in_progress, mismatch = fixture("order_key_in_progress"), fixture("order_key_mismatch")
    assert ordered(409, in_progress, **{"Retry-After": "2"}) == OrderInFlight(retry_after_seconds=2.0)
    assert ordered(409, mismatch) == OrderUnknown(why="the key is in use otherwise", repeatable=False)


# --- how a task is ---------------------------------------------------------------------------------------------------


def test_a_link_that_is_not_in_a_list_is_a_link() -> None:
    report = seen(200, fixture("task_completed_plain_url"))
    assert report == FINISHED
    assert CLIP not in repr(report), "the link is a bearer secret"


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


def test_an_unknown_task_is_missing() -> None:
    assert seen(404, fixture("task_unknown")) == TaskMissing()
    assert seen(200, fixture("task_unknown_in_body")) == TaskMissing()


OTHERS_404 = [
    b"",
    b"<html><h1>404 Not Found</h1>",
    b"null",
    b"[]",
    b"{}",
    b'{"message": "no Route matched with those values"}',
    fixture("task_completed"),
]
"""What stands before the API answers so, or something that is not the API at all."""


@pytest.mark.parametrize("body", OTHERS_404)
def test_a_404_that_is_not_the_apis_own_is_no_news(body: bytes) -> None:
    assert seen(404, body) == TaskUnreadable(why="HTTP 404")


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


@pytest.mark.parametrize("header", ["true", "True", " TRUE "])
def test_a_replay_is_said_in_a_header(header: str) -> None:
    assert replayed(said(200, b"", {"idempotency-replayed": header}))
    assert not replayed(said(200, b"", {"Idempotency-Replayed": "false"}))
    assert not replayed(said(200))


# --- over HTTP -------------------------------------------------------------------------------------------------------


def by_path(**answers: bytes) -> loopback.Answer:
    """Answers by the last part of the path, with 404 for others; ``_`` stands for a slash."""

    async def answer(writer: Any, asked: Asked) -> None:
        path = asked.target.partition("?")[0].removeprefix("/v1/").replace("/", "_")
        writer.write(answers.get(path) or whole(404))

    return answer


async def test_it_sends_the_models_of_the_operator_and_no_callback_where_they_want_none() -> None:
    async with vendor(model="mine", standard_model="best", callbacks=False) as provider:
        assert [one.model for one in provider.capabilities] == ["mine", "best"]
        with_url = provider.order(a_recipe(tier=STANDARD), "k", "https://bot.example/callbacks/x")
        assert json.loads(with_url.body)["model"] == "best"
        assert b"callback" not in with_url.body


async def test_a_callback_is_asked_for_where_there_is_one() -> None:
    async with vendor() as apimart:
        order = apimart.order(a_recipe(), "k", "https://bot.example/callbacks/x")
        assert json.loads(order.body)["callback_url"] == "https://bot.example/callbacks/x"
        assert "callback_url" not in json.loads(apimart.order(a_recipe(), "k").body)


@pytest.mark.parametrize(
    ("choices", "version", "name"),
    [
        ({}, RESPONSE_VERSION, "order_accepted"),
        ({"response_version": "2026-09-01"}, "2026-09-01", "order_accepted_versioned"),
        ({"response_version": None}, None, "order_accepted"),
    ],
)
async def test_answers_of_another_day_or_of_none_can_be_asked_for(
    choices: dict[str, Any], version: str | None, name: str
) -> None:
    async with serving(answering(200, fixture(name))) as server, vendor(server.origin, **choices) as one:
        assert await one.submit(one.order(a_recipe(), "j1-1")) == ACCEPTED
    assert server.asked[0].headers.get("x-apimart-response-version") == version


@pytest.mark.parametrize(("headers", "known"), [({"idempotency_replayed": "true"}, True), ({}, False)])
async def test_an_acceptance_says_whether_the_key_was_known(headers: dict[str, str], known: bool) -> None:
    """Also to a process that did not send the first one."""
    answer = whole(200, fixture("order_accepted"), **headers)
    async with serving(by_path(videos_generations=answer)) as server, vendor(server.origin) as apimart:
        outcome = await apimart.submit(apimart.order(a_recipe(), "j1-1"))
    assert outcome == replace(ACCEPTED, replayed=known)


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
