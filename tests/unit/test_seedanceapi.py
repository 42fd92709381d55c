"""seedanceapi.org's own dialects: what is sent, and what its answers mean. What holds for every provider, the contract
suite shows (``tests/contracts/test_providers.py``).

The payloads lie in ``tests/fixtures/seedanceapi``, named by what they tell; ``live`` is what some of its clients read.
"""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.capabilities import Callback, Capabilities, fit
from bot.domain.failure import Failure, FailureKind
from bot.domain.pricing import Price, PriceTable
from bot.domain.recipe import MINI, STANDARD, MediaKind, MediaRole, Medium, Mode, Ratio, Recipe, Resolution
from bot.ports import (
    Order,
    OrderAccepted,
    OrderRefused,
    OrderThrottled,
    OrderUnknown,
    TaskFailed,
    TaskFinished,
    TaskMissing,
    TaskRunning,
    TaskUnreadable,
)
from bot.providers.seedanceapi import (
    capabilities,
    decode_callback,
    encode,
    standard_capabilities,
)
from tests.support.adapters import SEEDANCEAPI, WEB_PAGE, medium
from tests.support.loopback import answering, serving
from tests.support.values import a_recipe

TASK, CLIP, TIERS = SEEDANCEAPI.task_id, SEEDANCEAPI.finished.url, SEEDANCEAPI.tiers
MIXED = (capabilities(mixed_references=True), standard_capabilities(mixed_references=True))
fixture, loaded, ordered, seen = SEEDANCEAPI.fixture, SEEDANCEAPI.loaded, SEEDANCEAPI.ordered, SEEDANCEAPI.seen
task, vendor = SEEDANCEAPI.task, SEEDANCEAPI.at


def references(*names: str) -> tuple[Medium, ...]:
    return tuple(medium(MediaRole.REFERENCE, name) for name in names)


FIRST, LAST = medium(MediaRole.FIRST, "mug.png"), medium(MediaRole.LAST, "end.png")


# --- what is sent ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "recipe", "callback_url"),
    [
        (
            "documented_text",
            Recipe(
                prompt="A compact product reveal with smooth camera motion",
                seconds=8,
                resolution=Resolution.P720,
                ratio=Ratio.SQUARE,
            ),
            None,
        ),
        (
            "request_first_frame",
            Recipe(prompt="the mug fills with coffee", seconds=5, ratio=Ratio.ADAPTIVE, media=(FIRST,)),
            None,
        ),
        (
            "request_videos",
            Recipe(
                prompt="the mug moves as in @Video1",
                resolution=Resolution.P720,
                ratio=Ratio.ADAPTIVE,
                media=references("beat.mp3", "walk.mp4", "turn.mp4", "jump.mp4"),
            ),
            None,
        ),
        (
            "request_standard",
            Recipe(
                prompt="the mug fills with coffee",
                seconds=10,
                resolution=Resolution.P1080,
                ratio=Ratio.CLASSIC_TALL,
                tier=STANDARD,
            ),
            None,
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and value.startswith("request") else "",
)
def test_every_mode_is_sent_field_by_field(name: str, recipe: Recipe, callback_url: str | None) -> None:
    """The first is the guide's own example."""
    can = TIERS[recipe.tier == STANDARD]
    assert fit(recipe, can) == ()
    assert json.loads(encode(recipe, can.model, callback_url)) == loaded(name)


def test_no_two_asks_become_the_same_request() -> None:
    """A picture in ``images`` is a first frame: as a reference it is not to be had."""
    framed, referred = (a_recipe(ratio=Ratio.ADAPTIVE, media=(one,)) for one in (FIRST, *references(FIRST.url[-7:])))
    assert {one.url for one in framed.media} == {one.url for one in referred.media}
    assert fit(framed, TIERS[0]) == ()
    assert [(misfit.option, misfit.allowed) for misfit in fit(referred, TIERS[0])] == [("--ref", "no image references")]


def test_pictures_as_references_are_for_those_who_believe_in_them() -> None:
    mini, standard = MIXED
    pictures = Recipe(
        prompt="@Image1 turns on the plinth, @Image4 behind, to the beat of @Audio1",
        seconds=15,
        ratio=Ratio.CINEMA,
        media=references("a.png", "b.png", "beat.mp3", "c.png", "d.png"),
    )
    assert fit(pictures, mini) == ()
    sent = json.loads(encode(pictures, mini.model, "https://bot.example/hooks/seedanceapi/7f3a"))
    assert sent == loaded("request_images")
    both = a_recipe(media=references("a.png", "walk.mp4"))
    assert [misfit.option for misfit in fit(both, TIERS[0])] == ["--ref"]
    assert fit(both, mini) == fit(replace(both, tier=STANDARD, seconds=5), standard) == ()
    body = json.loads(encode(both, "m"))
    assert (len(body["images"]), len(body["reference_video_urls"])) == (1, 1)


def lists_of(kind: str, most: int) -> st.SearchStrategy[tuple[Medium, ...]]:
    return st.lists(st.sampled_from("abcde"), max_size=most).map(lambda names: references(*(n + kind for n in names)))


FILES = st.just((FIRST,)) | st.tuples(lists_of(".png", 4), lists_of(".mp4", 3), lists_of(".mp3", 3)).map(
    lambda kinds: kinds[0] + kinds[1] + kinds[2]
)
FITTING = st.builds(
    Recipe,
    prompt=st.sampled_from(["a mug", "“x” 🦊", "x" * 2_000]),
    resolution=st.sampled_from(Resolution),
    seconds=st.sampled_from([4, 5, 10, 15]),
    ratio=st.sampled_from([Ratio.WIDE, Ratio.TALL, Ratio.ADAPTIVE]),
    tier=st.sampled_from([MINI, STANDARD]),
    media=FILES,
).filter(lambda recipe: not fit(recipe, MIXED[recipe.tier == STANDARD]))


@given(FITTING)
def test_a_fitting_recipe_can_be_read_back_from_what_is_sent(recipe: Recipe) -> None:
    """Every field and every file of it, files in their order by kind: nothing that was asked is dropped."""
    can = MIXED[recipe.tier == STANDARD]
    body = json.loads(encode(recipe, can.model))
    role = MediaRole.REFERENCE if "aspect_ratio" in body else MediaRole.FIRST
    fields_of_kinds = {
        MediaKind.IMAGE: "images",
        MediaKind.VIDEO: "reference_video_urls",
        MediaKind.AUDIO: "reference_audio_urls",
    }
    media = tuple(
        Medium(role=role, kind=kind, url=url) for kind, name in fields_of_kinds.items() for url in body.pop(name, [])
    )
    read = Recipe(
        prompt=body.pop("prompt"),
        resolution=Resolution(body.pop("resolution")),
        seconds=body.pop("duration"),
        ratio=Ratio(body.pop("aspect_ratio", "adaptive")),
        tier={one.model: one.tier for one in TIERS}[body.pop("model")],
        media=media,
    )
    assert (read, body) == (recipe, {})


@pytest.mark.parametrize("can", TIERS, ids=lambda can: can.tier)
def test_a_first_frame_leads_by_its_own_shape(can: Capabilities) -> None:
    framed = a_recipe(tier=can.tier, seconds=5, media=(FIRST,))
    assert [misfit.option for misfit in fit(framed, can)] == ["--ratio"]
    assert fit(replace(framed, ratio=Ratio.ADAPTIVE), can) == ()


def test_adaptive_without_a_picture_is_for_mini_alone() -> None:
    mini, standard = TIERS
    assert fit(a_recipe(ratio=Ratio.ADAPTIVE), mini) == ()
    assert [one.option for one in fit(a_recipe(tier=STANDARD, seconds=5, ratio=Ratio.ADAPTIVE), standard)] == [
        "--ratio"
    ]


def test_the_declared_capabilities_are_the_documents() -> None:
    mini, standard = TIERS
    assert (mini.provider, mini.tier, mini.model) == ("seedanceapi", "mini", "seedance-2-mini")
    assert (standard.provider, standard.tier, standard.model) == ("seedanceapi", "standard", "seedance-2.0")
    assert sorted(mini.resolutions) == ["480p", "720p"]
    assert {ratio.value for ratio in mini.ratios} == {"16:9", "9:16", "4:3", "3:4", "1:1", "21:9", "adaptive"}
    assert {ratio.value for ratio in standard.ratios} == {"16:9", "9:16", "4:3", "3:4", "adaptive"}
    assert (mini.shortest_seconds, mini.longest_seconds, mini.only_seconds) == (4, 15, None)
    assert standard.only_seconds == frozenset({5, 10, 15})
    for one in TIERS:
        assert one.modes == {Mode.TEXT, Mode.FIRST_FRAME, Mode.REFERENCES}
        assert (one.reference_images, one.reference_videos, one.reference_audios) == (0, 3, 3)
        assert (one.frames_with_references, one.audio_needs_picture) == (False, True)
        assert (one.audio_toggle, one.seed, one.negative, one.high_bitrate, one.automatic_seconds) == (False,) * 5
        assert (one.cancel, one.lists_tasks, one.balance, one.returns_last_frame) == (False,) * 4
        assert (one.idempotency, one.callback, one.uploads) == (None, Callback.UNSIGNED, frozenset())
        assert (one.shortest_prompt, one.longest_prompt) == (1, 2_000)
        assert one.output_lifetime == timedelta(hours=24)


@pytest.mark.parametrize(
    ("changes", "credits_taken"),
    [
        ({"seconds": 4}, 57),
        ({"seconds": 5}, 72),
        ({"seconds": 5, "resolution": Resolution.P720}, 154),
        ({"seconds": 5, "media": references("a.png")}, 72),
        ({"seconds": 5, "media": references("walk.mp4")}, 45),
        ({"seconds": 5, "resolution": Resolution.P720, "media": references("walk.mp4")}, 94),
        ({"seconds": 5, "tier": STANDARD}, 240),
        ({"seconds": 15, "tier": STANDARD, "resolution": Resolution.P1080}, 720),
    ],
)
def test_prices_are_the_documents_whole_credits(changes: dict[str, Any], credits_taken: int) -> None:
    quoted = PriceTable().quote(a_recipe(**changes), "seedanceapi")
    assert quoted == Price(micro_usd=credits_taken * 10_000, assumed=False)


# --- what became of an order -----------------------------------------------------------------------------------------


@pytest.mark.row("F29")
@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize("name", ["order_accepted_live", "order_accepted_id_alone"])
def test_an_order_with_an_id_is_accepted_in_either_dialect(status: int, name: str) -> None:
    assert ordered(status, fixture(name)) == OrderAccepted(task_id=TASK)


def test_an_order_may_say_what_it_took() -> None:
    assert ordered(200, fixture("order_accepted_with_credits")) == OrderAccepted(task_id=TASK, cost_micro_usd=1_540_000)


@pytest.mark.parametrize(
    ("taken", "micro_usd"),
    [
        (154, 1_540_000),
        ("154", 1_540_000),
        (71.25, 712_500),
        (0, None),
        (-1, None),
        (None, None),
        (True, None),
        ("many", None),
        ([154], None),
        (float("nan"), None),
        (10**30, None),
    ],
)
def test_credits_are_read_to_the_micro_dollar_or_not_at_all(taken: object, micro_usd: int | None) -> None:
    body = task(status="SUCCESS", response=[CLIP], consumed_credits=taken)
    assert seen(200, body) == TaskFinished(url=CLIP, expires_at=None, cost_micro_usd=micro_usd)


@pytest.mark.row("F29")
def test_an_id_that_is_a_number_is_an_id() -> None:
    assert ordered(200, {"code": 200, "data": {"task_id": 42}}) == OrderAccepted(task_id="42")
    assert ordered(200, {"data": {"task_id": None}, "task_id": f" {TASK} "}) == OrderAccepted(task_id=TASK)


def test_a_task_that_has_a_name_may_be_charged_whatever_else_is_said() -> None:
    body = {"code": 500, "message": "no", "data": {"task_id": TASK}}
    assert ordered(200, body) == OrderAccepted(task_id=TASK)
    assert isinstance(ordered(200, {"code": 402, "message": "no", "id": "request-7"}), OrderRefused)


@pytest.mark.row("F29")
@pytest.mark.parametrize("status", [200, 201, 202, 204])
@pytest.mark.parametrize(
    "body",
    [
        *(
            fixture(f"order_{what}")
            for what in (
                "without_id",
                "with_null_id",
                "with_null_data",
                "with_nested_id",
                "with_list",
                "with_strange_code",
            )
        ),
        task(task_id=""),
        task(task_id="  "),
        task(task_id=[TASK]),
        task(task_id=True),
        task(task_id=1.5),
        {"code": 200, "data": TASK},
    ],
)
def test_success_without_an_id_is_of_unknown_outcome(status: int, body: object) -> None:
    assert ordered(status, body) == OrderUnknown(why=f"HTTP {status} without a task id")


REFUSALS = [
    (400, "order_invalid", FailureKind.INVALID, "duration must be one of 4 to 15 (400)"),
    (
        400,
        "order_bad_reference",
        FailureKind.BAD_REFERENCE,
        "Failed to download the reference: https://files.example/… (400)",
    ),
    (400, "order_policy", FailureKind.POLICY, "The prompt violates the content policy (400)"),
    (
        400,
        "order_audio",
        FailureKind.AUDIO_MODERATION,
        "The reference audio may contain sensitive content (400)",
    ),
    (400, "order_face", FailureKind.FACE, "A real person was found in the image (400)"),
    (401, "order_unauthorized", FailureKind.KEY_REFUSED, "Invalid API key (401)"),
    (402, "order_out_of_credit", FailureKind.OUT_OF_CREDIT, "Insufficient credits (402)"),
    (403, "order_forbidden", FailureKind.KEY_REFUSED, "API access is not enabled (403)"),
    (403, "order_over_quota", FailureKind.OUT_OF_CREDIT, "Daily credit limit reached (403)"),
    (404, "order_not_found", FailureKind.INVALID, "Model not found (404)"),
]


@pytest.mark.parametrize("inside", [False, True], ids=["by HTTP", "inside HTTP 200"])
@pytest.mark.parametrize(("status", "name", "kind", "detail"), REFUSALS)
def test_a_refused_order_costs_nothing_and_says_why(
    status: int, name: str, kind: FailureKind, detail: str, inside: bool
) -> None:
    refused = OrderRefused(failure=Failure(kind=kind, detail=detail))
    assert ordered(200 if inside else status, fixture(name)) == refused


def test_a_403_that_is_a_web_page_says_nothing_of_the_key() -> None:
    outcome = ordered(403, WEB_PAGE)
    assert isinstance(outcome, OrderRefused)
    assert outcome.failure == Failure(kind=FailureKind.PROVIDER, detail="a web page instead of an answer (HTTP 403)")


@pytest.mark.parametrize("words", [7.5, None, [], {"text": "no"}, True])
def test_words_in_another_shape_are_none(words: object) -> None:
    assert ordered(400, {"code": words, "message": words}) == OrderRefused(failure=Failure(kind=FailureKind.INVALID))


@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [
        (200, 500, OrderUnknown),
        (200, "503", OrderUnknown),
        (200, 408, OrderUnknown),
        (200, "402", OrderRefused),
        (200, 429, OrderThrottled),
        (200, 99, OrderUnknown),
        (200, 600, OrderUnknown),
        (200, 402.0, OrderUnknown),
        (200, True, OrderUnknown),
        (200, "²²²", OrderUnknown),
        (400, 402, OrderRefused),
        (400, 429, OrderThrottled),
        (400, 500, OrderUnknown),
        (400, 200, OrderRefused),
        (401, 500, OrderRefused),
        (500, 402, OrderUnknown),
    ],
)
def test_http_and_the_code_in_the_body_are_both_looked_at(status: int, code: object, outcome: type[object]) -> None:
    """Where they differ, what is worse to know is believed: a charge is never taken for none."""
    assert type(ordered(status, {"code": code, "message": "no", "data": None})) is outcome


@pytest.mark.parametrize("code", [200, 0, True, None, 201, "200", "success"])
def test_a_code_that_is_none_changes_nothing(code: object) -> None:
    assert ordered(200, {"code": code, "data": {"task_id": TASK}}) == OrderAccepted(task_id=TASK)


# --- how a task is ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", SEEDANCEAPI.odd)
def test_an_unknown_word_is_running_and_odd_in_the_other_dialect_too(word: str) -> None:
    assert seen(200, {"task_id": TASK, "status": word.upper()}) == TaskRunning(odd=word)


@pytest.mark.parametrize(
    "body",
    [
        task(status=200),
        {"data": [{"status": "SUCCESS"}]},
        {"code": 200, "status": 200},
    ],
)
def test_an_answer_without_a_status_is_no_news(body: object) -> None:
    assert seen(200, body) == TaskUnreadable(why="an answer without a status")


@pytest.mark.parametrize("name", ["task_success_live", "task_success_response_text"])
def test_success_is_finished_with_its_link_in_every_dialect(name: str) -> None:
    report = seen(200, fixture(name))
    assert report == TaskFinished(url=CLIP, expires_at=None)
    assert CLIP not in repr(report), "the link is a bearer secret"


def test_keys_that_are_not_documented_do_no_harm() -> None:
    assert seen(200, fixture("task_success_more_keys")) == TaskFinished(
        url=CLIP, expires_at=None, cost_micro_usd=1_540_000
    )


@pytest.mark.parametrize("response", [[None, 7, CLIP], ["", f" {CLIP} "], CLIP])
def test_the_first_link_is_taken(response: object) -> None:
    assert seen(200, task(status="Success", response=response)) == TaskFinished(url=CLIP, expires_at=None)


@pytest.mark.parametrize(
    "body",
    [
        *(
            fixture(f"task_success_{what}")
            for what in ("without_response", "with_null_response", "with_empty_response", "with_odd_response")
        ),
        task(status="SUCCESS", response={"url": CLIP}),
        task(status="SUCCESS", response=[[CLIP]]),
        {"task_id": TASK, "status": "SUCCESS", "video_url": ""},
    ],
)
def test_success_without_a_link_is_asked_again(body: object) -> None:
    assert seen(200, body) == TaskUnreadable(why="success without a link")


@pytest.mark.parametrize(
    ("name", "kind", "detail"),
    [
        ("policy", FailureKind.POLICY, "content policy"),
        ("live", FailureKind.POLICY, "content policy"),
        ("audio", FailureKind.AUDIO_MODERATION, "The generated audio may contain sensitive content"),
        ("face", FailureKind.FACE, "the reference image may contain a real person's face"),
        ("reference", FailureKind.BAD_REFERENCE, "failed to download the first image"),
        ("timeout", FailureKind.TIMEOUT, "generation timed out"),
        ("upstream", FailureKind.PROVIDER, "upstream error"),
        ("without_words", FailureKind.PROVIDER, ""),
    ],
)
def test_a_failed_task_says_of_which_class_and_is_not_charged(name: str, kind: FailureKind, detail: str) -> None:
    report = seen(200, fixture(f"task_failed_{name}"))
    assert report == TaskFailed(failure=Failure(kind=kind, detail=detail), charged=False)


def test_the_words_of_a_failure_may_lie_deeper() -> None:
    report = seen(200, task(status="FAILED", error_message={"message": "content policy"}))
    assert report == TaskFailed(failure=Failure(kind=FailureKind.POLICY, detail="content policy"), charged=False)


@pytest.mark.parametrize("status", [404, 200])
def test_an_unknown_task_is_missing(status: int) -> None:
    assert seen(status, fixture("task_unknown")) == TaskMissing()


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


@pytest.mark.parametrize("code", [401, 402, 429, 500, "503"])
def test_an_error_inside_http_200_is_no_news_of_the_task(code: object) -> None:
    assert seen(200, {"code": code, "message": "no"}) == TaskUnreadable(why=f"HTTP {code}")


@pytest.mark.parametrize("code", [404, 429, 500])
def test_what_is_said_of_the_task_goes_before_the_code(code: int) -> None:
    assert seen(200, task(status="IN_PROGRESS") | {"code": code}) == TaskRunning()
    failed = seen(200, loaded("task_failed_policy") | {"code": code})
    assert failed == TaskFailed(failure=Failure(kind=FailureKind.POLICY, detail="content policy"), charged=False)


# --- callbacks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["task_failed_policy", "task_success_live"])
def test_a_callback_in_any_dialect_names_its_task(name: str) -> None:
    assert decode_callback(fixture(name)) == TASK


@pytest.mark.parametrize("body", [b'{"data": {"task_id": null}}', b'{"task_id": ["a"]}'])
def test_a_callback_without_a_task_tells_nothing(body: bytes) -> None:
    assert decode_callback(body) is None


# --- over HTTP -------------------------------------------------------------------------------------------------------


async def test_an_order_asks_for_a_callback_in_its_body_under_our_name() -> None:
    async with serving(answering(200, fixture("order_accepted"))) as server, vendor(server.origin) as adapter:
        order = adapter.order(a_recipe(), "j1-1", "https://bot.example/x")
        assert order == Order(key="j1-1", body=encode(a_recipe(), "seedance-2-mini", "https://bot.example/x"))
        await adapter.submit(order)
    (asked,) = server.asked
    assert (asked.body, asked.headers["user-agent"]) == (order.body, "Dailies")
    assert not any("idempotency" in name for name in asked.headers)


async def test_models_and_the_name_given_to_the_front_are_the_operators() -> None:
    choices = {"model": "mini-2", "standard_model": "big-2", "user_agent": "Studio/1", "mixed_references": True}
    async with (
        serving(answering(200, fixture("order_accepted"))) as server,
        vendor(server.origin, **choices) as adapter,
    ):
        assert [one.model for one in adapter.capabilities] == ["mini-2", "big-2"]
        assert all(one.images_with_videos for one in adapter.capabilities)
        for tier, model in ((MINI, "mini-2"), (STANDARD, "big-2")):
            order = adapter.order(a_recipe(tier=tier, seconds=5), "j1-1")
            assert json.loads(order.body)["model"] == model
        await adapter.submit(order)
    assert server.asked[0].headers["user-agent"] == "Studio/1"


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (404, fixture("task_unknown"), None),
        (200, fixture("task_unknown"), None),
        (200, fixture("task_in_progress"), None),
        (400, {"code": 400, "message": "task_id is malformed"}, None),
        (401, fixture("order_unauthorized"), Failure(kind=FailureKind.KEY_REFUSED, detail="Invalid API key (401)")),
        (200, fixture("order_unauthorized"), Failure(kind=FailureKind.KEY_REFUSED, detail="Invalid API key (401)")),
        (
            402,
            fixture("order_out_of_credit"),
            Failure(kind=FailureKind.OUT_OF_CREDIT, detail="Insufficient credits (402)"),
        ),
        (
            403,
            WEB_PAGE,
            Failure(kind=FailureKind.PROVIDER, detail="a web page instead of an answer (HTTP 403)"),
        ),
        (200, WEB_PAGE, Failure(kind=FailureKind.PROVIDER, detail="it answered HTTP 200")),
        (404, WEB_PAGE, Failure(kind=FailureKind.PROVIDER, detail="it answered HTTP 404")),
        (503, fixture("order_unavailable"), Failure(kind=FailureKind.PROVIDER, detail="it answered HTTP 503")),
    ],
)
async def test_a_check_asks_for_a_task_that_nobody_has(status: int, body: object, expected: Failure | None) -> None:
    async with serving(answering(status, body)) as server, vendor(server.origin) as adapter:
        assert await adapter.check() == expected
    assert [(asked.method, asked.target) for asked in server.asked] == [("GET", "/v2/status?task_id=dailies-check")]
