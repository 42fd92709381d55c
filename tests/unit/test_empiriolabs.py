"""EmpirioLabs: what is sent, what each answer means in every dialect, where a ``poll_url`` may lead, and that no answer
makes the adapter raise.

The payloads lie in ``tests/fixtures/empiriolabs``, named by what they tell; ``live`` is what some of its clients read.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.capabilities import Capabilities, fit
from bot.domain.failure import Failure, FailureKind
from bot.domain.pricing import Price, PriceTable
from bot.domain.recipe import FAST, MINI, STANDARD, MediaKind, MediaRole, Medium, Mode, Ratio, Recipe, Resolution
from bot.ports import (
    Credit,
    Order,
    OrderAccepted,
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
from bot.providers._empiriolabs_paths import Paths, job_of, poll_path, usage_address
from bot.providers._openai import classify
from bot.providers.empiriolabs import (
    EmpirioLabs,
    capabilities,
    decode_balance,
    decode_list,
    decode_order,
    decode_task,
    encode,
    fast_capabilities,
    standard_capabilities,
)
from tests.support import loopback
from tests.support.answers import BROKEN, JSON, UNREADABLE, objects_with, said
from tests.support.clock import START, SettableClock
from tests.support.loopback import answering, serving, silent, unused_port
from tests.support.values import a_recipe

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "empiriolabs"
JOB = "afbf123d-23db-4bda-9484-f55a48718435"
OTHER_JOB, LINKLESS_JOB = "0b9c2f64-5a0e-4f0a-8f0b-4f4f1d1a7a10", "77e0e0b3-9f64-41a5-8a53-0d4fd9c5c5cc"
CLIP = f"https://media.empiriolabs.example/outputs/{JOB}/out.mp4?sig=made-up"
ROOT = "https://api.empiriolabs.ai"
TIERS = {can.tier: can for can in (capabilities(), fast_capabilities(), standard_capabilities())}


def fixture(name: str) -> bytes:
    return (FIXTURES / f"{name}.json").read_bytes()


def loaded(name: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(fixture(name))
    return body


def ordered(status: int, body: bytes | object = b"", **headers: str) -> OrderOutcome:
    return decode_order(said(status, body, headers), START)


def seen(status: int, body: bytes | object = b"", **headers: str) -> TaskReport:
    return decode_task(said(status, body, headers), START)


def medium(role: MediaRole, name: str) -> Medium:
    kinds = {"png": MediaKind.IMAGE, "mp4": MediaKind.VIDEO, "mp3": MediaKind.AUDIO}
    return Medium(role=role, kind=kinds[name[-3:]], url=f"https://files.example/{name}")


FIRST, LAST = medium(MediaRole.FIRST, "a.png"), medium(MediaRole.LAST, "b.png")
PICTURE, FILM, SOUND = (medium(MediaRole.REFERENCE, name) for name in ("a.png", "a.mp4", "a.mp3"))
EDITED, EXTENDED = medium(MediaRole.EDIT, "a.mp4"), medium(MediaRole.EXTEND, "a.mp4")


# --- what is sent ----------------------------------------------------------------------------------------------------


def sunrise(**changes: Any) -> Recipe:
    """The page's example, with its defaults spelt out."""
    plain = Recipe(
        prompt="sunrise over the ocean", seconds=6, resolution=Resolution.P720, ratio=Ratio.ADAPTIVE, audio=True
    )
    return replace(plain, **changes)


def test_the_pages_example_is_sent_with_its_defaults_spelt_out() -> None:
    defaults = {"resolution": "720p", "aspect_ratio": "adaptive", "custom_duration": True, "generate_audio": True}
    assert json.loads(encode(sunrise(), "seedance-2-0-mini")) == {
        **defaults,
        "mode": "t2v",
        **loaded("documented_text"),
    }


@pytest.mark.parametrize(
    ("name", "recipe"),
    [
        ("request_text", sunrise()),
        ("request_first_frame", sunrise(media=(FIRST,))),
        ("request_first_last", sunrise(media=(LAST, FIRST))),
        ("request_reference", sunrise(media=(FILM, PICTURE))),
        ("request_edit", sunrise(media=(EDITED,))),
        (
            "request_extend",
            sunrise(
                media=(EXTENDED, LAST),
                seconds=None,
                audio=False,
                negative="blur, text",
                resolution=Resolution.P480,
                ratio=Ratio.CINEMA,
            ),
        ),
    ],
)
def test_every_mode_is_sent_field_by_field(name: str, recipe: Recipe) -> None:
    assert fit(recipe, TIERS[MINI]) == ()
    assert json.loads(encode(recipe, "seedance-2-0-mini")) == loaded(name)


@given(st.text())
def test_the_same_recipe_gives_the_same_plain_bytes(prompt: str) -> None:
    body = encode(a_recipe(prompt=prompt), "m")
    assert body == encode(a_recipe(prompt=prompt), "m")
    assert body.isascii()
    assert json.loads(body)["prompt"] == prompt


FITTING = st.builds(
    Recipe,
    prompt=st.sampled_from(["a mug", "“x” 🦊", "x" * 30_000]),
    resolution=st.sampled_from(Resolution),
    seconds=st.sampled_from([None, 4, 9, 15]),
    ratio=st.sampled_from(Ratio),
    audio=st.booleans(),
    tier=st.sampled_from(list(TIERS)),
    negative=st.sampled_from([None, "", "blur"]),
    media=st.sampled_from(
        [(), (FIRST,), (FIRST, LAST), (PICTURE,), (FILM,), (PICTURE, FILM), (EDITED,), (EXTENDED,), (EXTENDED, LAST)]
    ),
).filter(lambda recipe: not fit(recipe, TIERS[recipe.tier]))
ROLES = {
    "t2v": {},
    "i2v_first": {"image": MediaRole.FIRST},
    "i2v_both": {"image": MediaRole.FIRST, "image_end": MediaRole.LAST},
    "reference": {"image": MediaRole.REFERENCE, "video": MediaRole.REFERENCE},
    "edit": {"video": MediaRole.EDIT},
    "extend": {"video": MediaRole.EXTEND, "image_end": MediaRole.LAST},
}


@given(FITTING)
def test_a_fitting_recipe_can_be_read_back_from_what_is_sent(recipe: Recipe) -> None:
    """Every field and every file of it: nothing that was asked is dropped."""
    body = json.loads(encode(recipe, TIERS[recipe.tier].model))
    roles = ROLES[body.pop("mode")]
    media = {
        Medium(role=roles[name], kind=MediaKind.VIDEO if name == "video" else MediaKind.IMAGE, url=body.pop(name))
        for name in ("image", "image_end", "video")
        if name in body
    }
    read = Recipe(
        prompt=body.pop("prompt"),
        resolution=Resolution(body.pop("resolution")),
        seconds=body.pop("duration") if body.pop("custom_duration") else None,
        ratio=Ratio(body.pop("aspect_ratio")),
        audio=body.pop("generate_audio"),
        negative=body.pop("negative_prompt", None),
        tier={can.model: can.tier for can in TIERS.values()}[body.pop("model")],
        media=recipe.media,
    )
    assert (read, body, media) == (recipe, {}, set(recipe.media))


OTHER_VALUES: dict[str, list[Any]] = {
    "prompt": ["another", "@Image1", "x" * 50_000, ""],
    "resolution": list(Resolution),
    "seconds": [None, 3, 4, 10, 15, 16],
    "ratio": list(Ratio),
    "audio": [False],
    "tier": ["vip", *TIERS],
    "seed": [0, 7],
    "negative": ["blur", ""],
    "high_bitrate": [True],
    "media": [
        (FIRST,),
        (LAST,),
        (FIRST, LAST),
        (FIRST, FIRST),
        (FIRST, PICTURE),
        (PICTURE,),
        (PICTURE, PICTURE),
        (FILM,),
        (FILM, FILM),
        (PICTURE, FILM),
        (SOUND,),
        (PICTURE, SOUND),
        (EDITED,),
        (EDITED, LAST),
        (EDITED, PICTURE),
        (EDITED, EXTENDED),
        (EXTENDED,),
        (EXTENDED, LAST),
        (EXTENDED, FIRST),
        (EXTENDED, FIRST, LAST),
        (EXTENDED, PICTURE),
    ],
}


def test_the_walk_below_knows_every_field_of_a_recipe() -> None:
    assert set(OTHER_VALUES) == {field.name for field in fields(Recipe)}


@pytest.mark.parametrize("can", TIERS.values(), ids=TIERS)
@pytest.mark.parametrize("name", OTHER_VALUES)
def test_whatever_is_asked_is_sent_or_refused(name: str, can: Capabilities) -> None:
    """Each field by itself, on every tier: another value does not fit, or another request goes out."""
    base = a_recipe(tier=can.tier, seconds=5)
    assert fit(base, can) == ()
    for value in OTHER_VALUES[name]:
        recipe = replace(base, **{name: value})
        if recipe == base:
            continue
        sent = b"" if fit(recipe, can) else encode(recipe, can.model)
        assert sent != encode(base, can.model), f"{name}={value!r} was dropped"
        if sent and name == "media":
            assert all(one.url.encode() in sent for one in value), "every file goes along"


def test_the_declared_capabilities_are_the_documents() -> None:
    models = {tier: can.model for tier, can in TIERS.items()}
    assert models == {MINI: "seedance-2-0-mini", FAST: "seedance-2-0-fast", STANDARD: "seedance-2-0"}
    for tier, can in TIERS.items():
        sizes = ["1080p", "480p", "720p"] if tier == STANDARD else ["480p", "720p"]
        assert (can.provider, sorted(can.resolutions)) == ("empiriolabs", sizes)
        assert {one.value for one in can.ratios} == {"adaptive", "16:9", "9:16", "1:1", "4:3", "3:4", "21:9"}
        assert (can.shortest_seconds, can.longest_seconds, can.only_seconds) == (4, 15, None)
        assert can.modes == set(Mode)
        assert (can.audio_toggle, can.negative, can.automatic_seconds) == (True, True, True)
        assert (can.seed, can.high_bitrate, can.returns_last_frame, can.adaptive_needs_picture) == (False,) * 4
        assert (can.cancel, can.lists_tasks, can.balance) == (True, True, True)
        assert (can.idempotency, can.callback, can.uploads) == (None, None, frozenset())
        assert (can.shortest_prompt, can.longest_prompt, can.longest_prompt_tokens) == (1, None, None)
        assert can.output_lifetime == timedelta(hours=24)
        of_mini = tier == MINI
        assert (can.reference_images, can.reference_videos, can.reference_audios) == (1, int(of_mini), 0)
        assert can.last_frame_with_extend is of_mini


def test_what_has_no_address_is_not_to_be_had() -> None:
    for can in (
        make(paths=Paths(jobs=None, cancel=None, usage=None)) for make in (capabilities, standard_capabilities)
    ):
        assert (can.cancel, can.lists_tasks, can.balance) == (False, False, False)


@pytest.mark.parametrize(
    ("changes", "micro_usd", "assumed"),
    [
        ({"seconds": 5}, 350_000, False),
        ({"seconds": 6, "resolution": Resolution.P720}, 900_000, False),
        ({"seconds": 5, "media": (FIRST, LAST)}, 350_000, False),
        ({"seconds": 5, "media": (EDITED,)}, 835_000, False),
        ({"seconds": None, "resolution": Resolution.P720, "media": (EXTENDED,)}, 5_385_000, False),
        ({"seconds": 5, "tier": FAST}, 610_000, False),
        ({"seconds": 5, "tier": FAST, "resolution": Resolution.P720, "media": (EDITED,)}, 3_050_000, False),
        ({"seconds": 5, "tier": STANDARD}, 2_400_000, True),
    ],
)
def test_prices_are_the_pages_and_assumed_where_there_is_none(
    changes: dict[str, Any], micro_usd: int, assumed: bool
) -> None:
    assert PriceTable().quote(a_recipe(**changes), "empiriolabs") == Price(micro_usd=micro_usd, assumed=assumed)


# --- what became of an order -----------------------------------------------------------------------------------------


@pytest.mark.row("F29")
@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize(
    "name",
    [
        "order_accepted",
        "order_accepted_absolute",
        "order_accepted_foreign_host",
        "order_accepted_live",
        "order_accepted_poll_url_alone",
        "order_accepted_failed_at_once",
    ],
)
def test_an_order_with_an_id_is_accepted_in_every_dialect(status: int, name: str) -> None:
    assert ordered(status, fixture(name)) == OrderAccepted(task_id=JOB)


def test_an_order_told_to_poll_elsewhere_keeps_the_way() -> None:
    accepted = ordered(200, fixture("order_accepted_elsewhere"))
    assert accepted == OrderAccepted(task_id=f"/v1/regions/my/jobs/{JOB}?view=full")
    assert isinstance(accepted, OrderAccepted)
    assert job_of(accepted.task_id) == JOB
    assert job_of(JOB) == JOB


@pytest.mark.row("F29")
def test_an_id_that_is_a_number_is_an_id() -> None:
    assert ordered(200, {"job_id": 42}) == OrderAccepted(task_id="42")
    assert ordered(200, {"job_id": None, "id": f" {JOB} "}) == OrderAccepted(task_id=JOB)


def test_a_job_that_has_a_name_may_be_charged_but_a_requests_id_is_none() -> None:
    error = loaded("order_out_of_credit")
    assert ordered(200, error | {"job_id": JOB}) == OrderAccepted(task_id=JOB)
    assert isinstance(ordered(200, error | {"id": "req-7"}), OrderRefused)


@pytest.mark.parametrize(
    ("poll_url", "path"),
    [
        (f"/v1/jobs/{JOB}", f"/v1/jobs/{JOB}"),
        (f"{ROOT}/v1/jobs/{JOB}", f"/v1/jobs/{JOB}"),
        (f"HTTPS://API.EmpirioLabs.ai:443/v1/jobs/{JOB}", f"/v1/jobs/{JOB}"),
        (f"//api.empiriolabs.ai/v1/jobs/{JOB}", f"/v1/jobs/{JOB}"),
        ("/v2/tasks/7?full=1#end", "/v2/tasks/7?full=1"),
        ("/v1/jobs/a%2Fb", "/v1/jobs/a%2Fb"),
        ("", ""),
        ("v1/jobs/7", ""),
        ("?job=7", ""),
        ("https://evil.example/v1/jobs/7", ""),
        ("//evil.example/v1/jobs/7", ""),
        ("http://api.empiriolabs.ai/v1/jobs/7", ""),
        ("https://api.empiriolabs.ai:8443/v1/jobs/7", ""),
        ("https://api.empiriolabs.ai.evil.example/v1/jobs/7", ""),
        ("https://api.empiriolabs.ai@evil.example/v1/jobs/7", ""),
        ("https://user:word@api.empiriolabs.ai/v1/jobs/7", ""),
        ("https://api.empiriolabs.ai\\@evil.example/v1/jobs/7", ""),
        ("https://[::1/v1/jobs/7", ""),
        ("https://api.empiriolabs.ai:port/v1/jobs/7", ""),
        ("javascript:alert(1)", ""),
        ("file:///v1/jobs/7", ""),
        ("/v1/../admin", ""),
        ("/v1/%2e%2e/admin", ""),
        ("/v1/jobs/7 8", ""),
        ("/v1/jobs/ü", ""),
        ("/v1/jobs\\7", ""),
        ("/v1/jobs/" + "7" * 500, ""),
    ],
)
def test_a_poll_url_leads_nowhere_but_to_the_same_host(poll_url: str, path: str) -> None:
    assert poll_path(poll_url, ROOT) == path


@pytest.mark.parametrize(
    ("root", "poll_url"),
    [
        ("http://127.0.0.1:4001/empiriolabs", "/v1/jobs/7"),
        ("http://127.0.0.1:4001/empiriolabs", "/empiriolabs/v1/jobs/7"),
        ("http://127.0.0.1:4001/empiriolabs", "http://127.0.0.1:4001/empiriolabs/v1/jobs/7"),
        ("http://127.0.0.1:80", "http://127.0.0.1/v1/jobs/7"),
    ],
)
def test_a_base_address_with_a_path_is_no_obstacle(root: str, poll_url: str) -> None:
    assert poll_path(poll_url, root) == "/v1/jobs/7"
    body = said(200, {"poll_url": poll_url})
    assert decode_order(body, START, root=root) == OrderAccepted(task_id="7")


@given(st.text(max_size=40) | st.text(alphabet="/:@[]%?#.\\ev1", max_size=20))
def test_no_poll_url_makes_the_decoder_stumble_or_leave_the_host(poll_url: str) -> None:
    path = poll_path(poll_url, ROOT)
    assert path == "" or (path.startswith("/") and path.isascii() and not {" ", "\\"} & set(path))
    assert ordered(200, {"poll_url": poll_url, "job_id": JOB}) == OrderAccepted(task_id=path or JOB)


@pytest.mark.row("F29")
@pytest.mark.parametrize("status", [200, 201, 202, 204])
@pytest.mark.parametrize(
    "body",
    [
        *(fixture(f"order_{what}") for what in ("without_id", "with_null_id", "with_nested_id")),
        {"job_id": ""},
        {"job_id": "  "},
        {"job_id": [JOB]},
        {"job_id": {"id": JOB}},
        {"job_id": True},
        {"job_id": 1.5},
        {"poll_url": "/v1/jobs/"},
        {"poll_url": f"https://elsewhere.example/v1/jobs/{JOB}"},
        {"error": {"message": "content policy", "type": "provider_error", "code": "content_policy"}, "id": "req-7"},
        *UNREADABLE,
    ],
)
def test_success_without_an_id_is_of_unknown_outcome(status: int, body: object) -> None:
    assert ordered(status, body) == OrderUnknown(why=f"HTTP {status} without a job id")


REFUSALS = [
    (400, "order_invalid", FailureKind.INVALID, "duration: must be 4-15 (invalid_parameter)"),
    (
        400,
        "order_bad_reference",
        FailureKind.BAD_REFERENCE,
        "image: could not be downloaded (HTTP 404) (invalid_parameter)",
    ),
    (
        400,
        "order_bad_reference_without_param",
        FailureKind.BAD_REFERENCE,
        "Unable to fetch the input image (invalid_media)",
    ),
    (400, "order_policy", FailureKind.POLICY, "The prompt violates the content policy (content_policy)"),
    (
        400,
        "order_audio",
        FailureKind.AUDIO_MODERATION,
        "the audio may contain sensitive content (content_policy)",
    ),
    (400, "order_face", FailureKind.FACE, "The image shows a real person (content_policy)"),
    (
        404,
        "order_model_not_found",
        FailureKind.INVALID,
        "The model `seedance-2-0-mini` does not exist (model_not_found)",
    ),
    (401, "order_unauthorized", FailureKind.KEY_REFUSED, "Invalid API key (invalid_api_key)"),
    (
        402,
        "order_out_of_credit",
        FailureKind.OUT_OF_CREDIT,
        "Insufficient credits. Add funds on the Billing page. (insufficient_credits)",
    ),
    (403, "order_forbidden", FailureKind.KEY_REFUSED, "This key may not use this endpoint (forbidden)"),
    (403, "order_over_quota", FailureKind.OUT_OF_CREDIT, "The account's credit limit is used up (quota_exceeded)"),
    (404, "order_not_found_live", FailureKind.INVALID, "Not Found"),
    (422, "order_field_invalid_live", FailureKind.INVALID, "mode: Input should be 'auto', 't2v' or 'reference'"),
    (422, "order_field_reference_live", FailureKind.BAD_REFERENCE, "video: must be an https URL"),
    (422, "order_field_missing_live", FailureKind.INVALID, "image_end: Field required"),
]


@pytest.mark.parametrize(("status", "name", "kind", "detail"), REFUSALS, ids=[name for _, name, _, _ in REFUSALS])
def test_a_refused_order_costs_nothing_and_says_why(status: int, name: str, kind: FailureKind, detail: str) -> None:
    assert ordered(status, fixture(name)) == OrderRefused(failure=Failure(kind=kind, detail=detail))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("order_invalid", FailureKind.INVALID),
        ("order_unauthorized", FailureKind.KEY_REFUSED),
        ("order_out_of_credit", FailureKind.OUT_OF_CREDIT),
    ],
)
def test_a_refusal_inside_http_200_is_a_refusal(name: str, kind: FailureKind) -> None:
    outcome = ordered(200, fixture(name))
    assert isinstance(outcome, OrderRefused)
    assert outcome.failure.kind is kind
    assert ordered(200, fixture("order_throttled")) == OrderThrottled(retry_after_seconds=None)


def test_signed_links_in_a_refusal_are_cut_and_nothing_else_is_shown_twice() -> None:
    body = {"detail": "cannot fetch https://files.example/a.png?sig=secret"}
    assert ordered(400, body) == OrderRefused(
        failure=Failure(kind=FailureKind.BAD_REFERENCE, detail="cannot fetch https://files.example/…")
    )


@pytest.mark.parametrize("body", [*UNREADABLE, {"detail": []}, {"detail": [7, {"loc": 3, "msg": None}]}, {"error": []}])
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
def test_a_refusal_without_words_is_a_refusal(status: int, kind: FailureKind, body: object) -> None:
    assert ordered(status, body) == OrderRefused(failure=Failure(kind=kind))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("3", 3.0),
        ("0.5", 0.5),
        (format_datetime(START.replace(microsecond=0) + timedelta(seconds=30), usegmt=True), 29.876544),
        ("-5", None),
        ("1e9", 1e9),
        ("abc", None),
        ("", None),
    ],
)
def test_a_throttled_order_is_not_accepted_and_waits_as_it_is_told(header: str, seconds: float | None) -> None:
    outcome = ordered(429, fixture("order_throttled"), **{"Retry-After": header})
    assert isinstance(outcome, OrderThrottled)
    assert outcome.retry_after_seconds == pytest.approx(seconds)
    assert ordered(429, b"<html>") == OrderThrottled(retry_after_seconds=None)


@pytest.mark.parametrize("body", [fixture("order_unavailable"), fixture("order_accepted"), *UNREADABLE])
@pytest.mark.parametrize("status", [301, 307, 308, 408, 500, 502, 503, 504, 520, 524])
def test_everything_else_may_have_been_charged(status: int, body: bytes) -> None:
    assert ordered(status, body) == OrderUnknown(why=f"HTTP {status}")


@given(status=st.integers(100, 599), body=objects_with("job_id", "id", "poll_url", "error", "detail"), header=st.text())
def test_no_answer_to_an_order_makes_the_decoder_stumble(status: int, body: bytes, header: str) -> None:
    outcome = ordered(status, body, **{"Retry-After": header})
    assert not isinstance(outcome, OrderNotSent)
    if status >= 500 or 300 <= status < 400 or status == 408:
        assert isinstance(outcome, OrderUnknown)


# --- how a job is ----------------------------------------------------------------------------------------------------


def job(**data: Any) -> dict[str, Any]:
    return {"job_id": JOB, **data}


@pytest.mark.parametrize("name", ["task_queued", "task_processing", "task_running_live"])
def test_known_words_are_running(name: str) -> None:
    assert seen(200, fixture(name)) == TaskRunning()
    assert seen(202, fixture(name)) == TaskRunning()


@pytest.mark.parametrize("word", ["QUEUED", "Processing", " running "])
def test_case_and_blanks_do_not_matter(word: str) -> None:
    assert seen(200, job(status=word)) == TaskRunning()


@pytest.mark.parametrize("word", ["pending", "reviewing", "paused", "done?"])
def test_an_unknown_word_is_running_and_odd(word: str) -> None:
    assert seen(200, job(status=word.upper())) == TaskRunning(odd=word)


@pytest.mark.parametrize("body", [*UNREADABLE, job(), job(status=None), job(status=""), job(status={}), [job()]])
def test_an_answer_without_a_status_is_no_news(body: object) -> None:
    assert seen(200, body) == TaskUnreadable(why="an answer without a status")


@pytest.mark.parametrize(
    "name",
    [
        "task_completed",
        "task_completed_with_usage",
        "task_completed_other_outputs_first",
        "task_completed_nested_live",
        "task_completed_state_live",
        "task_completed_url_live",
        "task_succeeded_live",
    ],
)
def test_success_is_finished_with_its_link_wherever_it_stands(name: str) -> None:
    assert seen(200, fixture(name)) == TaskFinished(url=CLIP, expires_at=None)
    assert CLIP not in repr(seen(200, fixture(name))), "the link is a bearer secret"


@pytest.mark.parametrize(
    "body",
    [
        *(fixture(f"task_completed_{what}") for what in ("without_result", "with_empty_data", "with_null_url")),
        job(status="completed"),
        job(status="completed", result=[{"url": CLIP}]),
        job(status="completed", result={"data": {"url": CLIP}}),
        job(status="completed", result={"data": [CLIP]}),
        job(status="completed", result={"data": [{"url": "  "}]}),
        job(status="completed", result={"data": [{"url": "ftp://media.example/a.mp4"}]}),
    ],
)
def test_success_without_a_link_is_asked_again(body: object) -> None:
    assert seen(200, body) == TaskUnreadable(why="success without a link")


@pytest.mark.parametrize(
    ("name", "kind", "detail"),
    [
        ("task_failed_policy", FailureKind.POLICY, "content policy (content_policy)"),
        (
            "task_failed_audio",
            FailureKind.AUDIO_MODERATION,
            "the generated audio may contain sensitive content (content_policy)",
        ),
        ("task_failed_face", FailureKind.FACE, "the input may contain a real person (content_policy)"),
        (
            "task_failed_reference",
            FailureKind.BAD_REFERENCE,
            "the reference video could not be read (generation_failed)",
        ),
        ("task_failed_timeout", FailureKind.TIMEOUT, "generation timed out (timeout)"),
        ("task_failed_upstream", FailureKind.PROVIDER, "upstream error (generation_failed)"),
        ("task_failed_without_words", FailureKind.PROVIDER, ""),
        ("task_failed_text_live", FailureKind.POLICY, "upstream rejected the prompt"),
    ],
)
def test_a_failed_job_says_of_which_class_and_is_not_charged(name: str, kind: FailureKind, detail: str) -> None:
    assert seen(200, fixture(name)) == TaskFailed(failure=Failure(kind=kind, detail=detail), charged=False)


@pytest.mark.parametrize("word", ["cancelled", "canceled", "CANCELLED"])
def test_a_job_that_was_stopped_counts_as_charged(word: str) -> None:
    report = seen(200, loaded("task_cancelled") | {"status": word})
    assert report == TaskFailed(failure=Failure(kind=FailureKind.PROVIDER, detail=word.lower()), charged=True)


@pytest.mark.parametrize("error", [None, [], 7, {"code": None, "message": None}, {"code": [], "message": {}}])
def test_a_failure_in_another_shape_is_a_failure(error: object) -> None:
    report = seen(200, job(status="failed", error=error))
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
        ("audio failed the audit", FailureKind.AUDIO_MODERATION),
        ("likeness of a public figure", FailureKind.FACE),
        ("the video could not be downloaded", FailureKind.BAD_REFERENCE),
        ("request timeout", FailureKind.TIMEOUT),
        ("upstream interface error", FailureKind.PROVIDER),
        ("", FailureKind.PROVIDER),
    ],
)
def test_the_words_of_a_failure_tell_its_class(message: str, kind: FailureKind) -> None:
    assert classify("generation_failed", message).kind is kind


@pytest.mark.parametrize("body", [fixture("task_unknown"), b"", b"<html>"])
def test_an_unknown_job_is_missing(body: bytes) -> None:
    assert seen(404, body) == TaskMissing()


@pytest.mark.parametrize("status", [307, 400, 401, 403, 408, 429, 500, 502, 503, 504, 520])
@pytest.mark.parametrize("body", [fixture("task_completed"), fixture("task_failed_policy"), *UNREADABLE])
def test_every_other_status_is_no_news(status: int, body: bytes) -> None:
    assert seen(status, body) == TaskUnreadable(why=f"HTTP {status}")
    slowly = TaskUnreadable(why=f"HTTP {status}", retry_after_seconds=9.0)
    assert seen(status, body, **{"Retry-After": "9"}) == slowly


WORDS = st.sampled_from(["completed", "failed", "cancelled", "processing"])
JOBS = st.fixed_dictionaries({"status": JSON | WORDS, "result": JSON, "error": JSON})
RESULTS = st.fixed_dictionaries(
    {"status": st.just("completed"), "result": st.fixed_dictionaries({"data": JSON, "output": JSON, "url": JSON})}
)
ABOUT_JOBS = (JOBS | RESULTS).map(lambda data: json.dumps(data).encode())


@given(status=st.integers(100, 599), body=objects_with("status", "state", "result", "error") | ABOUT_JOBS)
def test_no_answer_about_a_job_makes_the_decoder_stumble(status: int, body: bytes) -> None:
    report = seen(status, body)
    assert isinstance(report, TaskUnreadable | TaskMissing) or 200 <= status < 300
    assert set(decode_list(said(status, body), [JOB])) <= {JOB}


# --- the list, the balance -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrap", [lambda jobs: {"data": jobs}, lambda jobs: {"jobs": jobs}, lambda jobs: jobs])
def test_the_list_tells_of_those_that_were_asked_for_and_can_be_read(wrap: Any) -> None:
    """However it is wrapped; jobs by their ids, also where they are asked for by a path."""
    body = wrap(loaded("list")["data"])
    way = f"/v1/regions/my/jobs/{OTHER_JOB}"
    told = decode_list(said(200, body), [JOB, way, LINKLESS_JOB, "another"])
    assert told == {JOB: TaskRunning(), way: TaskFinished(url=CLIP, expires_at=None)}
    assert decode_list(said(503, body), [JOB]) == {}


@pytest.mark.parametrize("body", [*UNREADABLE, {"data": None}, {"jobs": {}}, {"data": [None, 7, []]}])
def test_a_list_in_another_shape_tells_nothing(body: object) -> None:
    assert decode_list(said(200, body), [JOB]) == {}


@pytest.mark.parametrize(
    ("body", "micro_usd"),
    [
        (fixture("balance"), 12_345_678),
        (fixture("balance_live"), 3_500_000),
        (fixture("balance_used_up"), 0),
        ({"balance": 0}, 0),
        ({"account": {"current_balance": "7"}}, 7_000_000),
    ],
)
def test_the_balance_is_read_to_the_micro_dollar(body: object, micro_usd: int) -> None:
    assert decode_balance(said(200, body)) == Credit(micro_usd=micro_usd)
    assert decode_balance(said(503, body)) is None


@pytest.mark.parametrize(
    "body",
    [
        *UNREADABLE,
        {"balance": None},
        {"balance": True},
        {"balance": "much"},
        {"balance": [1]},
        {"balance": float("nan")},
        {"balance": {"amount": 7, "currency": "EUR"}},
    ],
)
def test_a_balance_that_is_none_is_not_known(body: object) -> None:
    assert decode_balance(said(200, body)) is None


# --- over HTTP -------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def vendor(base_url: str, **changes: Any) -> AsyncIterator[EmpirioLabs]:
    empirio = EmpirioLabs(key="made-up-key", clock=SettableClock(), base_url=base_url, **changes)
    yield empirio
    await empirio.close()


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
async def test_an_order_goes_out_once_with_its_bytes(suffix: str) -> None:
    async with serving(answering(200, fixture("order_accepted"))) as server, vendor(server.origin + suffix) as empirio:
        order = empirio.order(a_recipe(), "j1-1", "https://bot.example/hook")
        assert order == Order(key="j1-1", body=encode(a_recipe(), "seedance-2-0-mini"))
        assert await empirio.submit(order) == OrderAccepted(task_id=JOB)
    (asked,) = server.asked
    assert (asked.method, asked.target, asked.body) == ("POST", "/v1/videos/generations", order.body)
    assert asked.headers["authorization"] == "Bearer made-up-key"
    assert asked.headers["content-type"] == "application/json"
    assert "idempotency-key" not in asked.headers


async def test_models_and_the_way_of_the_key_can_be_set() -> None:
    async with (
        serving(answering(200, fixture("task_completed"))) as server,
        vendor(server.origin, api_key_header=True, model="a", fast_model="b", standard_model="c") as empirio,
    ):
        for tier, model in ((MINI, "a"), (FAST, "b"), (STANDARD, "c")):
            assert json.loads(empirio.order(a_recipe(tier=tier), "j1-1").body)["model"] == model
        await empirio.look(JOB)
    (asked,) = server.asked
    assert asked.headers["x-api-key"] == "made-up-key"
    assert "authorization" not in asked.headers


async def test_every_order_has_a_fresh_connection_and_looks_share_one() -> None:
    async with serving(answering(200, fixture("order_accepted"))) as server, vendor(server.origin) as empirio:
        for _ in range(3):
            await empirio.submit(empirio.order(a_recipe(), "j1-1"))
        assert server.accepted == 3
        for _ in range(3):
            await empirio.look(JOB)
        assert server.accepted == 4


@pytest.mark.parametrize(
    ("task_id", "target"),
    [
        (JOB, f"/v1/jobs/{JOB}"),
        ("a/../b?c#d", "/v1/jobs/a%2F..%2Fb%3Fc%23d"),
        ("/v1/regions/my/jobs/7?view=full", "/v1/regions/my/jobs/7?view=full"),
    ],
)
async def test_a_look_goes_where_the_job_is(task_id: str, target: str) -> None:
    async with serving(answering(200, fixture("task_completed"))) as server, vendor(server.origin) as empirio:
        assert await empirio.look(task_id) == TaskFinished(url=CLIP, expires_at=None)
    (asked,) = server.asked
    assert (asked.method, asked.target) == ("GET", target)
    assert asked.headers["authorization"] == "Bearer made-up-key"


async def test_the_key_goes_to_no_other_host() -> None:
    """An absolute poll_url of another server: the job is asked for where it was ordered."""
    async with serving(answering(200, fixture("task_completed"))) as other:
        accepted = {"job_id": JOB, "poll_url": f"{other.origin}/v1/jobs/{JOB}"}
        async with serving(answering(200, accepted)) as server, vendor(server.origin) as empirio:
            outcome = await empirio.submit(empirio.order(a_recipe(), "j1-1"))
            assert outcome == OrderAccepted(task_id=JOB)
            await empirio.look(JOB)
        assert [asked.target for asked in server.asked] == ["/v1/videos/generations", f"/v1/jobs/{JOB}"]
        assert other.accepted == 0


async def test_the_list_is_asked_for_once_for_many_and_not_again_where_there_is_none() -> None:
    async with serving(answering(200, fixture("list"))) as server, vendor(server.origin) as empirio:
        assert set(await empirio.look_at_all([JOB, OTHER_JOB])) == {JOB, OTHER_JOB}
        assert [asked.target for asked in server.asked] == ["/v1/jobs?limit=100"]
    async with serving(answering(404, fixture("task_unknown"))) as server, vendor(server.origin) as empirio:
        assert [dict(await empirio.look_at_all([JOB])) for _ in range(3)] == [{}] * 3
        assert len(server.asked) == 1
    async with serving(answering(503)) as server, vendor(server.origin) as empirio:
        assert [dict(await empirio.look_at_all([JOB])) for _ in range(2)] == [{}] * 2
        assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("status", "body", "stopped"),
    [
        (200, fixture("task_cancelled"), True),
        (202, {"id": JOB, "state": "CANCELED"}, True),
        (200, fixture("task_completed"), False),
        (200, fixture("task_processing"), False),
        (200, b"", False),
        (404, fixture("task_cancelled"), False),
        (500, b"<html>", False),
    ],
)
async def test_a_job_is_stopped_when_the_answer_says_so(status: int, body: bytes | object, stopped: bool) -> None:
    async with serving(answering(status, body)) as server, vendor(server.origin) as empirio:
        assert await empirio.cancel(f"/v1/regions/my/jobs/{JOB}") is stopped
    (asked,) = server.asked
    assert (asked.method, asked.target) == ("POST", f"/v1/jobs/{JOB}/cancel")


async def test_addresses_can_be_set_and_what_has_none_is_not_asked_for() -> None:
    elsewhere = Paths(
        job="/v2/tasks/{job_id}/state",
        jobs="/v2/tasks",
        cancel="/v2/tasks/{job_id}",
        cancel_method="DELETE",
        usage="/v2/balance",
    )
    async with serving(answering(200, fixture("balance"))) as server, vendor(server.origin, paths=elsewhere) as empirio:
        await empirio.look("7")
        await empirio.look_at_all(["7"])
        await empirio.cancel("7")
        assert await empirio.balance() == Credit(micro_usd=12_345_678)
    assert [(asked.method, asked.target) for asked in server.asked] == [
        ("GET", "/v2/tasks/7/state"),
        ("GET", "/v2/tasks?limit=100"),
        ("DELETE", "/v2/tasks/7"),
        ("GET", "/v2/balance?source=api&limit=25"),
    ]
    nothing = Paths(jobs=None, cancel=None, usage=None)
    async with serving(answering(200, {"id": "seedance-2-0-mini"})) as server:
        async with vendor(server.origin, paths=nothing) as empirio:
            assert (await empirio.look_at_all(["7"]), await empirio.cancel("7"), await empirio.balance()) == (
                {},
                False,
                None,
            )
            assert await empirio.check() is None
        assert [asked.target for asked in server.asked] == ["/v1/models/seedance-2-0-mini"]


DOCUMENTED_USAGE = "https://platform.empiriolabs.ai/api/v1/account/usage"


@pytest.mark.parametrize(
    ("root", "usage", "where"),
    [
        (ROOT, DOCUMENTED_USAGE, DOCUMENTED_USAGE),
        (ROOT.upper(), DOCUMENTED_USAGE, DOCUMENTED_USAGE),
        ("http://127.0.0.1:9/sandbox", DOCUMENTED_USAGE, "http://127.0.0.1:9/sandbox/api/v1/account/usage"),
        ("https://proxy.example", DOCUMENTED_USAGE, "https://proxy.example/api/v1/account/usage"),
        ("https://proxy.example", "https://mine.example/left", "https://mine.example/left"),
        (ROOT, "/v1/account/usage", f"{ROOT}/v1/account/usage"),
    ],
)
def test_usage_is_asked_for_where_it_is_documented_and_the_key_goes_to_no_host_that_was_not_chosen(
    root: str, usage: str, where: str
) -> None:
    assert Paths().usage == DOCUMENTED_USAGE
    assert usage_address(root, usage, public=ROOT) == where


async def test_the_balance_is_asked_for_as_documented() -> None:
    async with serving(answering(200, fixture("balance"))) as server, vendor(f"{server.origin}/v1") as empirio:
        assert await empirio.balance() == Credit(micro_usd=12_345_678)
    (asked,) = server.asked
    assert (asked.method, asked.target) == ("GET", "/api/v1/account/usage?source=api&limit=25")
    assert asked.headers["authorization"] == "Bearer made-up-key"


@pytest.mark.parametrize(
    ("usage", "api", "kind"),
    [
        ((200, fixture("balance")), (200, {"id": "seedance-2-0-mini"}), None),
        ((200, b"<html>"), (200, {"id": "seedance-2-0-mini"}), None),
        ((503, b""), (200, {"id": "seedance-2-0-mini"}), None),
        ((200, fixture("balance")), (503, b""), FailureKind.PROVIDER),
        ((200, fixture("balance_used_up")), (200, {"id": "seedance-2-0-mini"}), FailureKind.OUT_OF_CREDIT),
        ((401, fixture("order_unauthorized")), (200, {"id": "seedance-2-0-mini"}), FailureKind.KEY_REFUSED),
    ],
)
async def test_a_check_asks_the_api_itself_where_usage_is_elsewhere(
    usage: tuple[int, bytes | object], api: tuple[int, bytes | object], kind: FailureKind | None
) -> None:
    """Its health is not that of another host."""
    async with serving(answering(*usage)) as platform, serving(answering(*api)) as server:
        paths = Paths(usage=f"{platform.origin}/api/v1/account/usage")
        async with vendor(server.origin, paths=paths) as empirio:
            failure = await empirio.check()
    assert (failure and failure.kind) == kind
    assert [asked.target for asked in platform.asked] == ["/api/v1/account/usage?source=api&limit=25"]
    assert {asked.target for asked in server.asked} <= {"/v1/models/seedance-2-0-mini"}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, fixture("balance"), None),
        (200, {"data": []}, None),
        (200, fixture("balance_used_up"), FailureKind.OUT_OF_CREDIT),
        (401, fixture("order_unauthorized"), FailureKind.KEY_REFUSED),
        (401, {"detail": "Not authenticated"}, FailureKind.KEY_REFUSED),
        (402, fixture("order_out_of_credit"), FailureKind.OUT_OF_CREDIT),
        (403, b"", FailureKind.KEY_REFUSED),
        (200, fixture("order_unauthorized"), FailureKind.KEY_REFUSED),
        (404, fixture("task_unknown"), FailureKind.PROVIDER),
        (200, b"<html>", FailureKind.PROVIDER),
        (503, b"", FailureKind.PROVIDER),
    ],
)
async def test_a_check_says_what_is_wrong(status: int, body: bytes | object, kind: FailureKind | None) -> None:
    async with serving(answering(status, body)) as server, vendor(server.origin) as empirio:
        failure = await empirio.check()
    assert (failure and failure.kind) == kind
    assert {asked.method for asked in server.asked} == {"GET"}


async def test_a_callback_is_from_somebody_else() -> None:
    async with vendor("http://127.0.0.1:9") as empirio:
        assert empirio.told({}, fixture("task_completed")) is None


async def test_our_key_is_hidden_where_the_vendor_repeats_it() -> None:
    body = {"detail": "Invalid key made-up-key"}
    async with serving(answering(401, body)) as server, vendor(server.origin) as empirio:
        outcome = await empirio.submit(empirio.order(a_recipe(), "j1-1"))
        assert outcome == OrderRefused(failure=Failure(kind=FailureKind.KEY_REFUSED, detail="Invalid key [hidden]"))
        failure = await empirio.check()
        assert failure is not None
        assert "made-up-key" not in failure.detail


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
async def test_nothing_makes_it_raise_and_nothing_is_sent_again(
    answer: loopback.Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    if answer is silent:
        monkeypatch.setattr(_http, "SUBMIT_DEADLINE", timedelta(seconds=0.3))
        monkeypatch.setattr(_http, "READ_DEADLINE_SECONDS", 0.3)
    async with serving(answer) as server, vendor(server.origin) as empirio:
        assert isinstance(await empirio.submit(empirio.order(a_recipe(), "j1-1")), OrderUnknown)
        assert isinstance(await empirio.look(JOB), TaskUnreadable)
        assert await empirio.look_at_all([JOB]) == {}
        assert await empirio.cancel(JOB) is False
        assert await empirio.balance() is None
        failure = await empirio.check()
        assert failure is not None
        assert failure.kind is FailureKind.PROVIDER
    # On a busy machine the shortened deadline may pass before a request arrives.
    sent = ["POST", "GET", "GET", "POST", "GET", "GET"]
    assert answer is silent or [asked.method for asked in server.asked] == sent
    assert len(server.asked) <= len(sent), "nothing is sent again by itself"


async def test_a_vendor_that_is_away_was_sent_nothing() -> None:
    async with vendor(f"http://127.0.0.1:{unused_port()}") as empirio:
        assert await empirio.submit(empirio.order(a_recipe(), "j1-1")) == OrderNotSent(why="ConnectError")
        assert await empirio.look(JOB) == TaskUnreadable(why="ConnectError")
        failure = await empirio.check()
        assert failure == Failure(kind=FailureKind.PROVIDER, detail="it cannot be reached (ConnectError)")


async def test_it_is_a_provider() -> None:
    async with vendor("http://127.0.0.1:9") as empirio:
        provider: Provider = empirio
        assert provider.name == "empiriolabs"
        assert [can.tier for can in provider.capabilities] == [MINI, FAST, STANDARD]
