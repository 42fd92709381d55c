"""HiAPI's own dialect: what is sent, what its answers mean, and who signed a callback. What holds for every provider,
the contract suite shows (``tests/contracts/test_providers.py``).

The payloads lie in ``tests/fixtures/hiapi``, named by what they tell.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain.capabilities import Callback, Capabilities, Idempotency, fit
from bot.domain.failure import Failure, FailureKind
from bot.domain.recipe import MediaKind, MediaRole, Medium, Mode, Ratio, Recipe, Resolution
from bot.ports import (
    NotGenuine,
    Order,
    OrderAccepted,
    OrderInFlight,
    OrderRefused,
    OrderThrottled,
    OrderUnknown,
    TaskFailed,
    TaskFinished,
    TaskMissing,
    TaskRunning,
    TaskUnreadable,
)
from bot.providers.hiapi import (
    HiAPI,
    capabilities,
    classify,
    decode_callback,
    decode_list,
    encode,
    standard_capabilities,
)
from tests.support.adapters import HIAPI
from tests.support.answers import UNREADABLE, said
from tests.support.clock import SettableClock
from tests.support.loopback import answering, serving
from tests.support.values import a_recipe

TASK, CLIP, EXPIRES = HIAPI.task_id, HIAPI.finished.url, HIAPI.finished.expires_at
LAST_FRAME = f"https://cdn.hiapi.example/tasks/{TASK}/last.jpg"
fixture, ordered, seen, task, vendor = HIAPI.fixture, HIAPI.ordered, HIAPI.seen, HIAPI.task, HIAPI.at

# --- what it cost ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "cost"),
    [
        (0.64, 640_000),
        (0, None),
        (0.0425, 42_500),
        (None, None),
        ("0.64", 640_000),
        ("free", None),
        (True, None),
        (-1, None),
        (1e9, None),
        (float("nan"), None),
    ],
)
def test_a_cost_is_believed_where_an_answer_names_one_in_dollars(amount: object, cost: int | None) -> None:
    output = [{"url": CLIP, "type": "video"}]
    assert ordered(200, task(costUsd=amount)) == OrderAccepted(task_id=TASK, cost_micro_usd=cost)
    finished = seen(200, task(status="success", output=output, costUsd=amount))
    assert finished == TaskFinished(url=CLIP, expires_at=None, cost_micro_usd=cost)
    failed = seen(200, task(status="fail", costUsd=amount))
    assert isinstance(failed, TaskFailed)
    assert failed.kept_micro_usd == (cost or 0)


# --- what is sent ----------------------------------------------------------------------------------------------------


MINI, STANDARD = capabilities(), standard_capabilities()


def medium(role: MediaRole, url: str, kind: MediaKind = MediaKind.IMAGE) -> Medium:
    return Medium(role=role, kind=kind, url=url)


FIRST, LAST = medium(MediaRole.FIRST, "https://x.example/a.png"), medium(MediaRole.LAST, "https://x.example/b.png")
PICTURES = tuple(medium(MediaRole.REFERENCE, f"https://x.example/{number}.png") for number in range(9))
FILMS = tuple(medium(MediaRole.REFERENCE, f"https://x.example/{number}.mp4", MediaKind.VIDEO) for number in range(3))
SOUNDS = tuple(medium(MediaRole.REFERENCE, f"https://x.example/{number}.mp3", MediaKind.AUDIO) for number in range(3))


def sent(recipe: Recipe, can: Capabilities = MINI, callback_url: str | None = None) -> dict[str, Any]:
    """The body as it goes out, decoded; the recipe fits."""
    assert fit(recipe, can) == ()
    body: dict[str, Any] = json.loads(encode(recipe, can, callback_url))
    return body


def test_the_documented_text_to_video_is_sent_field_by_field() -> None:
    documented = json.loads(fixture("documented_text"))
    recipe = Recipe(
        prompt=documented["input"]["prompt"], resolution=Resolution.P720, seconds=5, ratio=Ratio.WIDE, audio=True
    )
    assert sent(recipe) == documented


def test_the_documented_first_frame_is_sent_field_by_field() -> None:
    """And the ratio, which the example leaves out: HiAPI would take 16:9 for it, whatever the picture's shape is."""
    documented = json.loads(fixture("documented_first_frame"))
    recipe = Recipe(
        prompt=documented["input"]["prompt"],
        resolution=Resolution.P720,
        seconds=5,
        ratio=Ratio.ADAPTIVE,
        audio=False,
        media=(medium(MediaRole.FIRST, "https://your-domain.com/first-frame.jpg"),),
    )
    body = sent(recipe)
    assert body["input"].pop("aspect_ratio") == "adaptive"
    assert body == documented


PLAIN = {"prompt": "“x” 🦊", "resolution": "480p", "duration": 15, "aspect_ratio": "adaptive", "generate_audio": False}
RECIPE = Recipe(prompt="“x” 🦊", resolution=Resolution.P480, seconds=15, ratio=Ratio.ADAPTIVE, audio=False)


@pytest.mark.parametrize(
    ("can", "changes", "more"),
    [
        (MINI, {}, {}),
        (MINI, {"media": (FIRST,)}, {"first_frame_url": FIRST.url}),
        (MINI, {"media": (LAST, FIRST)}, {"first_frame_url": FIRST.url, "last_frame_url": LAST.url}),
        (MINI, {"media": PICTURES}, {"reference_image_urls": [one.url for one in PICTURES]}),
        (MINI, {"media": FILMS}, {"reference_video_urls": [one.url for one in FILMS]}),
        (
            MINI,
            {"media": (FILMS[0], *SOUNDS)},
            {"reference_video_urls": [FILMS[0].url], "reference_audio_urls": [one.url for one in SOUNDS]},
        ),
        (
            MINI,
            {"media": (SOUNDS[1], PICTURES[1], SOUNDS[0], PICTURES[0])},
            {
                "reference_image_urls": [PICTURES[1].url, PICTURES[0].url],
                "reference_audio_urls": [SOUNDS[1].url, SOUNDS[0].url],
            },
        ),
        (STANDARD, {}, {"return_last_frame": True}),
        (STANDARD, {"seed": 0}, {"return_last_frame": True, "seed": 0}),
        (STANDARD, {"resolution": Resolution.P1080}, {"return_last_frame": True, "resolution": "1080p"}),
        (
            STANDARD,
            {"media": (PICTURES[0], FILMS[0], SOUNDS[0])},
            {
                "return_last_frame": True,
                "reference_image_urls": [PICTURES[0].url],
                "reference_video_urls": [FILMS[0].url],
                "reference_audio_urls": [SOUNDS[0].url],
            },
        ),
        (
            capabilities("other", mixed_references=True),
            {"media": (FILMS[0], PICTURES[0])},
            {"reference_image_urls": [PICTURES[0].url], "reference_video_urls": [FILMS[0].url]},
        ),
    ],
)
def test_everything_asked_is_sent_and_nothing_else(
    can: Capabilities, changes: Mapping[str, Any], more: Mapping[str, Any]
) -> None:
    recipe = replace(RECIPE, tier=can.tier, **changes)
    assert sent(recipe, can) == {"model": can.model, "input": {**PLAIN, **more}}
    told = sent(recipe, can, "https://bot.example/hooks/hiapi/token")
    assert told["callback"] == {"url": "https://bot.example/hooks/hiapi/token", "when": "final"}


@pytest.mark.parametrize(
    ("can", "changes", "options"),
    [
        (MINI, {"seed": 7}, ["--seed"]),
        (MINI, {"resolution": Resolution.P1080}, ["--res"]),
        (MINI, {"ratio": Ratio.PHOTO}, ["--ratio"]),
        (MINI, {"seconds": None}, ["--dur"]),
        (MINI, {"negative": "rain"}, ["--no"]),
        (MINI, {"high_bitrate": True}, ["--hq"]),
        (MINI, {"prompt": ""}, ["the prompt"]),
        (MINI, {"prompt": "x" * 20_001}, ["the prompt"]),
        (MINI, {"media": (LAST,)}, ["--last"]),
        (MINI, {"media": (FIRST, PICTURES[0])}, ["--ref"]),
        (MINI, {"media": (FIRST, FILMS[0])}, ["--ref"]),
        (MINI, {"media": (PICTURES[0], FILMS[0])}, ["--ref"]),
        (MINI, {"media": (*PICTURES, replace(PICTURES[0], url="https://x.example/10.png"))}, ["--ref"]),
        (MINI, {"media": (*FILMS, FILMS[0])}, ["--ref"]),
        (MINI, {"media": (*SOUNDS, SOUNDS[0])}, ["--ref", "--ref"]),
        (MINI, {"media": SOUNDS[:1]}, ["--ref"]),
        (STANDARD, {"tier": "standard", "media": SOUNDS[:1]}, ["--ref"]),
        (MINI, {"media": (replace(FILMS[0], role=MediaRole.EDIT),)}, ["--edit"]),
        (MINI, {"media": (replace(FILMS[0], role=MediaRole.EXTEND),)}, ["--extend"]),
        (STANDARD, {"tier": "standard", "prompt": "ox"}, ["the prompt"]),
        (STANDARD, {"tier": "standard", "negative": "rain"}, ["--no"]),
        (STANDARD, {"tier": "standard", "media": (FIRST, PICTURES[0])}, ["--ref"]),
    ],
)
def test_what_hiapi_has_not_is_refused_and_never_dropped(
    can: Capabilities, changes: Mapping[str, Any], options: list[str]
) -> None:
    assert [misfit.option for misfit in fit(replace(RECIPE, **changes), can)] == options


def test_the_declared_capabilities_are_the_documents() -> None:
    can = capabilities()
    assert (can.provider, can.tier, can.model) == ("hiapi", "mini", "seedance-2.0-mini")
    assert can.resolutions == {Resolution.P480, Resolution.P720}
    assert {ratio.value for ratio in can.ratios} == {"1:1", "4:3", "3:4", "16:9", "9:16", "21:9", "adaptive"}
    assert (can.shortest_seconds, can.longest_seconds, can.automatic_seconds) == (4, 15, False)
    assert (can.audio_toggle, can.seed, can.negative, can.high_bitrate, can.cancel) == (
        True,
        False,
        False,
        False,
        False,
    )
    assert can.idempotency == Idempotency(window=timedelta(hours=23), verified=True)
    assert can.output_lifetime == timedelta(days=7)
    assert can.modes == {Mode.TEXT, Mode.FIRST_FRAME, Mode.FIRST_LAST, Mode.REFERENCES}
    assert (can.reference_images, can.reference_videos, can.reference_audios) == (9, 3, 3)
    assert (can.lists_tasks, can.balance, can.uploads, can.returns_last_frame) == (True, False, frozenset(), False)
    assert [one.option for one in fit(a_recipe(prompt="x" * 20_001), can)] == ["the prompt"]


def test_the_standard_tier_has_more() -> None:
    assert (STANDARD.tier, STANDARD.model) == ("standard", "seedance-2-0")
    assert STANDARD.resolutions == set(Resolution)
    assert (STANDARD.seed, STANDARD.returns_last_frame, STANDARD.images_with_videos) == (True, True, True)
    assert (STANDARD.negative, STANDARD.high_bitrate, STANDARD.frames_with_references) == (False, False, False)
    assert (STANDARD.modes, STANDARD.ratios, STANDARD.idempotency) == (MINI.modes, MINI.ratios, MINI.idempotency)


def test_callbacks_are_signed_where_there_is_a_signing_key() -> None:
    given = HiAPI(key="k", clock=SettableClock(), webhook_secret="made up", standard_model="other")
    assert [(can.callback, can.model) for can in given.capabilities] == [
        (Callback.SIGNED, "seedance-2.0-mini"),
        (Callback.SIGNED, "other"),
    ]
    without = HiAPI(key="k", clock=SettableClock(), mixed_references=True)
    assert [(can.callback, can.images_with_videos) for can in without.capabilities] == [(Callback.UNSIGNED, True)] * 2


def test_the_operator_may_distrust_the_key() -> None:
    assert capabilities(idempotent=False).idempotency == Idempotency(window=timedelta(hours=23), verified=False)


# --- what became of an order -----------------------------------------------------------------------------------------


@pytest.mark.row("F29")
def test_an_id_that_is_a_number_is_an_id() -> None:
    assert ordered(200, {"data": {"taskId": 42}}) == OrderAccepted(task_id="42")


@pytest.mark.row("F29")
@pytest.mark.parametrize("status", [200, 201, 202, 204])
@pytest.mark.parametrize(
    "body",
    [
        *(fixture(name) for name in ("order_without_id", "order_with_null_id", "order_with_null_data")),
        {"data": {"taskId": ""}},
        {"data": {"taskId": "  "}},
        {"data": {"taskId": ["tk-1"]}},
        {"data": {"taskId": True}},
        {"data": ["tk-1"]},
        {"taskId": "tk-1"},
    ],
)
def test_success_without_an_id_is_of_unknown_outcome(status: int, body: object) -> None:
    assert ordered(status, body) == OrderUnknown(why=f"HTTP {status} without a task id")


@pytest.mark.parametrize(
    ("status", "name", "kind"),
    [
        (200, "order_out_of_credit_in_body", FailureKind.OUT_OF_CREDIT),
        (400, "order_invalid", FailureKind.INVALID),
        (400, "order_model_unavailable", FailureKind.PROVIDER),
        (400, "order_storage_unavailable", FailureKind.PROVIDER),
        (400, "order_rejected_at_once", FailureKind.POLICY),
        (401, "order_unauthorized", FailureKind.KEY_REFUSED),
        (402, "order_out_of_credit", FailureKind.OUT_OF_CREDIT),
        (403, "order_forbidden", FailureKind.KEY_REFUSED),
        (403, "order_over_quota", FailureKind.OUT_OF_CREDIT),
        (404, "order_not_found", FailureKind.INVALID),
        (422, "order_unprocessable", FailureKind.INVALID),
    ],
)
def test_a_refused_order_costs_nothing_and_says_why(status: int, name: str, kind: FailureKind) -> None:
    outcome = ordered(status, fixture(name))
    assert isinstance(outcome, OrderRefused)
    assert outcome.failure.kind is kind
    assert json.loads(fixture(name))["message"] in outcome.failure.detail


def test_an_order_still_in_hand_is_asked_again() -> None:
    assert ordered(409, fixture("order_processing"), **{"Retry-After": "2"}) == OrderInFlight(retry_after_seconds=2.0)
    assert ordered(409) == OrderInFlight(retry_after_seconds=None)


@pytest.mark.parametrize("code", ["CONFLICT", "IDEMPOTENCY_KEY_MISMATCH", "TASK_FAILED"])
@pytest.mark.parametrize("status", [200, 409])
def test_another_conflict_is_not_in_hand_and_not_repeated(status: int, code: str) -> None:
    """Something is there already, and it is not known to be the answer to this key."""
    outcome = ordered(status, {"code": 409, "message": "no", "data": None, "error_code": code})
    assert outcome == OrderUnknown(why=f"HTTP 409 ({code})", repeatable=False)


def test_a_key_used_with_another_body_proves_nothing() -> None:
    assert ordered(422, fixture("order_key_mismatch")) == OrderUnknown(
        why="the key was used with another body", repeatable=False
    )


@pytest.mark.parametrize(("code", "known"), [(500, False), (503, False), (408, False), (400, True), (429, True)])
def test_a_code_in_the_body_counts_where_http_says_200(code: int, known: bool) -> None:
    outcome = ordered(200, {"code": code, "message": "no", "data": None})
    assert isinstance(outcome, OrderRefused | OrderThrottled) is known
    assert isinstance(outcome, OrderUnknown) is not known


@pytest.mark.parametrize("code", [200, 0, True, "402", None, 402.0, 99, 600])
def test_a_code_that_is_none_changes_nothing(code: object) -> None:
    assert ordered(200, {"code": code, "data": {"taskId": TASK}}) == OrderAccepted(task_id=TASK)


# --- how a task is ---------------------------------------------------------------------------------------------------


def test_the_first_video_is_taken_wherever_it_stands() -> None:
    for name in ("task_success_other_outputs_first", "task_success_with_last_frame"):
        report = seen(200, fixture(name))
        assert report == TaskFinished(url=CLIP, expires_at=EXPIRES, last_frame_url=LAST_FRAME)
        assert LAST_FRAME not in repr(report)


def test_success_and_its_type_may_be_in_capitals() -> None:
    output = [{"url": CLIP, "type": "VIDEO", "expireAt": 1795815015}]
    assert seen(200, task(status="SUCCESS", output=output)) == TaskFinished(url=CLIP, expires_at=EXPIRES)


def test_a_fractional_expiry_is_an_expiry() -> None:
    output = [{"url": CLIP, "type": "video", "expireAt": 1795815015.0}]
    assert seen(200, task(status="success", output=output)) == TaskFinished(url=CLIP, expires_at=EXPIRES)


@pytest.mark.parametrize(
    "expire_at", [None, 0, -1, True, "tomorrow", [], 10**30, 1_795_815_015_000_000, float("inf"), float("nan")]
)
def test_an_expiry_that_is_none_is_not_known(expire_at: object) -> None:
    output = [{"url": CLIP, "type": "video", "expireAt": expire_at}]
    assert seen(200, task(status="success", output=output)) == TaskFinished(url=CLIP, expires_at=None)
    assert seen(200, fixture("task_success_without_expiry")) == TaskFinished(url=CLIP, expires_at=None)


@pytest.mark.parametrize(
    "body",
    [
        *(
            fixture(f"task_success_{what}")
            for what in ("without_output", "with_null_output", "with_empty_output", "without_url", "without_video")
        ),
        task(status="success", output={"url": CLIP}),
        task(status="success", output=[CLIP]),
    ],
)
def test_success_without_a_link_is_asked_again(body: object) -> None:
    assert seen(200, body) == TaskUnreadable(why="success without a link")


@pytest.mark.parametrize(
    ("name", "kind", "detail"),
    [
        (
            "task_fail_policy",
            FailureKind.POLICY,
            "upstream rejected the prompt: content policy violation (TASK_FAILED)",
        ),
        (
            "task_fail_audio",
            FailureKind.AUDIO_MODERATION,
            "the generated audio may contain sensitive content (TASK_FAILED)",
        ),
        ("task_fail_face", FailureKind.FACE, "the input may contain a real person (TASK_FAILED)"),
        ("task_fail_reference", FailureKind.BAD_REFERENCE, "failed to download the first frame (TASK_FAILED)"),
        ("task_fail_timeout", FailureKind.TIMEOUT, "generation timed out (TASK_TIMEOUT)"),
        ("task_fail_upstream", FailureKind.PROVIDER, "upstream error (TASK_FAILED)"),
        ("task_fail_without_words", FailureKind.PROVIDER, ""),
    ],
)
def test_a_failed_task_says_of_which_class_and_is_not_charged(name: str, kind: FailureKind, detail: str) -> None:
    report = seen(200, fixture(name))
    assert isinstance(report, TaskFailed)
    assert (report.failure.kind, report.failure.detail, report.charged) == (kind, detail, False)


def test_so_does_a_code_beside_bland_words() -> None:
    assert classify("OutputAudioSensitiveContentDetected", "the task failed").kind is FailureKind.AUDIO_MODERATION
    rejected = ordered(400, {"code": 400, "message": "no", "error_code": "InputTextSensitiveContentDetected"})
    assert isinstance(rejected, OrderRefused)
    assert rejected.failure.kind is FailureKind.POLICY


def test_an_unknown_task_is_missing() -> None:
    assert seen(404, fixture("task_unknown")) == TaskMissing()


OTHERS_404 = [
    b"",
    b"<html><h1>404 Not Found</h1>",
    b"null",
    b"[]",
    b"{}",
    b'{"message": "no Route matched with those values"}',
    fixture("task_success"),
]
"""What stands before the API answers so, or something that is not the API at all."""


@pytest.mark.parametrize("body", OTHERS_404)
def test_a_404_that_is_not_the_apis_own_is_no_news(body: bytes) -> None:
    assert seen(404, body) == TaskUnreadable(why="HTTP 404")


def test_an_error_about_the_task_counts_where_http_says_200() -> None:
    assert seen(200, {"code": 404, "message": "task not found", "data": None}) == TaskMissing()
    assert seen(200, {"code": 503, "message": "busy", "data": None}) == TaskUnreadable(why="HTTP 503")
    assert seen(200, {"code": 404, "data": {"taskId": TASK, "status": "queued"}}) == TaskRunning()


# --- how many tasks are ----------------------------------------------------------------------------------------------

QUEUED, FAILED, BARE = (f"{TASK[:-1]}{letter}" for letter in "JKL")


def test_a_list_tells_of_many_tasks_at_once_and_of_no_others() -> None:
    """The task that succeeded without a link is to be asked for by itself."""
    known = decode_list(said(200, fixture("list")), [TASK, QUEUED, FAILED, BARE, "tk-unlisted"])
    assert known == {
        TASK: TaskFinished(url=CLIP, expires_at=EXPIRES),
        QUEUED: TaskRunning(),
        FAILED: TaskFailed(
            failure=Failure(kind=FailureKind.POLICY, detail="upstream rejected the prompt (TASK_FAILED)"), charged=False
        ),
    }
    assert decode_list(said(200, fixture("list")), [QUEUED]) == {QUEUED: TaskRunning()}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, fixture("list")),
        (404, fixture("list")),
        (429, fixture("order_throttled")),
        (503, fixture("list")),
        (200, {"data": {"tasks": None}}),
        (200, {"data": {"tasks": {"taskId": TASK, "status": "queued"}}}),
        (200, {"data": {"tasks": [None, 7, "x", {}, {"taskId": None, "status": "queued"}, {"taskId": TASK}]}}),
        (200, {"data": []}),
    ],
)
def test_a_list_that_cannot_be_read_tells_of_none(status: int, body: object) -> None:
    assert decode_list(said(status, body), [TASK, "None"]) == {}


# --- callbacks -------------------------------------------------------------------------------------------------------

SECRET = "a signing key of the console"
NOW = datetime(2026, 11, 20, 21, 30, 15, tzinfo=UTC)


def signed(body: bytes, *, at: str = "1795210215", secret: str = SECRET) -> dict[str, str]:
    proof = hmac.new(secret.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"X-HiAPI-Timestamp": at, "X-HiAPI-Signature": proof}


def told(headers: Mapping[str, str], body: bytes, secret: str = SECRET) -> str | None:
    return decode_callback(headers, body, secret=secret, now=NOW)


def test_a_signature_is_what_any_other_program_makes_of_it() -> None:
    """Made with ``openssl dgst -sha256 -hmac``."""
    headers = {
        "X-HiAPI-Timestamp": "1795210215",
        "X-HiAPI-Signature": "e9c61bb027923f8095285d0d6b4e4c37eee16d886f8a86bab44f3f693233a2ce",
    }
    assert told(headers, b'{"taskId":"tk-1"}') == "tk-1"


@pytest.mark.parametrize("name", ["callback_success", "callback_fail"])
@pytest.mark.parametrize("spelled", [str, str.lower, str.upper])
def test_a_callback_tells_its_task_however_its_headers_are_spelled(name: str, spelled: Any) -> None:
    body = fixture(name)
    headers = {spelled(header): value for header, value in signed(body).items()}
    assert told({**headers, "Content-Type": "application/json"}, body) == TASK
    assert told(headers | {spelled("X-HiAPI-Signature"): signed(body)["X-HiAPI-Signature"].upper()}, body) == TASK


@pytest.mark.row("F46")
@pytest.mark.parametrize("seconds", [-300, -299, 0, 299, 300])
def test_a_callback_may_be_five_minutes_old_or_early(seconds: int) -> None:
    body = fixture("callback_success")
    assert told(signed(body, at=str(1795210215 + seconds)), body) == TASK


@pytest.mark.row("F45", "F46")
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-HiAPI-Timestamp": "1795210215"},
        {"X-HiAPI-Signature": signed(fixture("callback_success"))["X-HiAPI-Signature"]},
        {"X-HiAPI-Timestamp": "1795210215", "X-HiAPI-Signature": ""},
        {"X-HiAPI-Timestamp": "1795210215", "X-HiAPI-Signature": "0" * 64},
        {"X-HiAPI-Timestamp": "1795210215", "X-HiAPI-Signature": "é"},
        {**signed(fixture("callback_success")), "X-HiAPI-Timestamp": "1795210216"},
        signed(fixture("callback_success"), secret="another"),
        signed(fixture("callback_success"), secret=""),
        signed(fixture("callback_fail")),
        *(
            signed(fixture("callback_success"), at=at)
            for at in ("1795209914", "1795210516", "", "now", "-1", "1795210215.0", "٣", "9" * 400, "1e9", "0")
        ),
    ],
)
def test_what_does_not_prove_who_sent_it_is_not_genuine(headers: Mapping[str, str]) -> None:
    body = fixture("callback_success")
    with pytest.raises(NotGenuine):
        told(headers, body)
    assert told(headers, body, secret="") == TASK, "without a key nothing is proved, and nothing is believed"


@pytest.mark.parametrize(
    "body", [*UNREADABLE, b"{}", b'{"taskId":null}', b'{"taskId":""}', b'{"taskId":["a"]}', b'{"data":{"id":"x"}}']
)
def test_a_callback_that_names_no_task_tells_of_none(body: bytes) -> None:
    assert told(signed(body), body) is None


def test_a_callback_in_the_envelope_of_an_answer_is_read_too() -> None:
    body = fixture("task_success")
    assert told(signed(body), body) == TASK


def test_the_adapter_hears_with_its_own_secret_and_clock() -> None:
    hiapi = HiAPI(key="made-up-key", clock=SettableClock(NOW), webhook_secret=SECRET)
    body = fixture("callback_success")
    assert hiapi.told(signed(body), body) == TASK
    with pytest.raises(NotGenuine):
        hiapi.told({}, body)
    assert HiAPI(key="made-up-key", clock=SettableClock(NOW)).told({}, body) == TASK


# --- over HTTP -------------------------------------------------------------------------------------------------------


async def test_an_order_of_the_standard_tier_asks_for_a_callback() -> None:
    final = a_recipe(tier="standard", seed=7)
    async with vendor() as hiapi:
        assert hiapi.order(final, "j2-1", "https://bot.example/h") == Order(
            key="j2-1", body=encode(final, STANDARD, "https://bot.example/h")
        )


async def test_one_request_asks_for_many_tasks() -> None:
    async with serving(answering(200, fixture("list"))) as server, vendor(server.origin) as hiapi:
        assert set(await hiapi.look_at_all([QUEUED, TASK])) == {QUEUED, TASK}
    (asked,) = server.asked
    assert (asked.method, asked.target) == ("GET", "/v1/tasks?page=1&size=100")
    assert asked.headers["authorization"] == "Bearer made-up-key"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, fixture("list"), None),
        (401, fixture("order_unauthorized"), FailureKind.KEY_REFUSED),
        (402, fixture("order_out_of_credit"), FailureKind.OUT_OF_CREDIT),
        (200, fixture("order_out_of_credit_in_body"), FailureKind.OUT_OF_CREDIT),
        (403, fixture("order_over_quota"), FailureKind.OUT_OF_CREDIT),
        (503, fixture("order_unavailable"), FailureKind.PROVIDER),
        (200, b"<html>", FailureKind.PROVIDER),
    ],
)
async def test_a_check_tells_what_is_wrong(status: int, body: bytes, kind: FailureKind | None) -> None:
    async with serving(answering(status, body)) as server, vendor(server.origin) as hiapi:
        found = await hiapi.check()
    assert (found and found.kind) == kind
    assert [(asked.method, asked.target) for asked in server.asked] == [("GET", "/v1/tasks?page=1&size=1")]
