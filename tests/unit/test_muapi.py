"""Muapi's own dialects: what is sent, and what its answers mean. What holds for every provider, the contract suite
shows (``tests/contracts/test_providers.py``).

The payloads lie in ``tests/fixtures/muapi``, named by what they tell; ``live`` is the dialect of Muapi's own clients.
"""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.capabilities import Callback, Capabilities, fit
from bot.domain.failure import Failure, FailureKind
from bot.domain.pricing import PriceTable
from bot.domain.recipe import MINI, VIP, MediaKind, MediaRole, Medium, Mode, Ratio, Recipe, Resolution
from bot.ports import (
    Credit,
    OrderAccepted,
    OrderRefused,
    OrderUnknown,
    TaskFailed,
    TaskFinished,
    TaskMissing,
    TaskUnreadable,
)
from bot.providers.muapi import (
    Auth,
    Fields,
    decode_balance,
    encode,
    endpoint,
)
from tests.support.adapters import MUAPI
from tests.support.answers import said
from tests.support.loopback import answering, serving
from tests.support.values import a_recipe

LIVE_JOB = "0f6d1c52-7a90-4c1e-9d0b-5b6a1e3f7c44"
JOB, CLIP, TIERS = MUAPI.task_id, MUAPI.finished.url, MUAPI.tiers
fixture, loaded, ordered, seen, vendor = MUAPI.fixture, MUAPI.loaded, MUAPI.ordered, MUAPI.seen, MUAPI.at


def picture(role: MediaRole, name: str) -> Medium:
    return Medium(role=role, kind=MediaKind.IMAGE, url=f"https://files.example/{name}")


FIRST, LAST = picture(MediaRole.FIRST, "first.png"), picture(MediaRole.LAST, "last.png")
REFERENCES = (
    picture(MediaRole.REFERENCE, "panda.png"),
    Medium(role=MediaRole.REFERENCE, kind=MediaKind.VIDEO, url="https://files.example/walk.mp4"),
    Medium(role=MediaRole.REFERENCE, kind=MediaKind.AUDIO, url="https://files.example/beat.mp3"),
    picture(MediaRole.REFERENCE, "pier.png"),
)


# --- what is sent ----------------------------------------------------------------------------------------------------


def test_the_guides_text_example_is_sent_field_by_field() -> None:
    """Beside it stands what the guide's table names and its example leaves at an unstated default."""
    example = loaded("request_text_to_video")
    recipe = Recipe(prompt=example["prompt"], resolution=Resolution.P720, seconds=5, ratio=Ratio.WIDE, audio=True)
    assert endpoint(recipe, TIERS[0]) == "seedance-2-mini-text-to-video"
    assert json.loads(encode(recipe, TIERS[0])) == example | {"high_bitrate": False}


def test_the_guides_image_example_is_sent_field_by_field() -> None:
    example = loaded("request_image_to_video")
    recipe = Recipe(
        prompt=example["prompt"],
        resolution=Resolution.P720,
        seconds=4,
        ratio=Ratio.SQUARE,
        media=(picture(MediaRole.FIRST, "bottle.jpg"),),
    )
    assert endpoint(recipe, TIERS[0]) == "seedance-2-mini-image-to-video"
    assert json.loads(encode(recipe, TIERS[0])) == example | {"generate_audio": True, "high_bitrate": False}
    live = encode(recipe, TIERS[0], Fields(image="images_list"))
    assert json.loads(live) == loaded("request_image_to_video_live")


def test_references_go_to_the_third_endpoint_in_lists_by_kind_and_in_muapis_names() -> None:
    recipe = Recipe(
        prompt="@Image1 walks as in @VIDEO1 to the beat of @audio01, @image2 behind",
        ratio=Ratio.TALL,
        seconds=15,
        audio=False,
        high_bitrate=True,
        media=REFERENCES,
    )
    assert fit(recipe, TIERS[0]) == ()
    assert endpoint(recipe, TIERS[0]) == "seedance-2-mini-omni-reference"
    assert json.loads(encode(recipe, TIERS[0])) == loaded("request_omni_reference")
    other = json.loads(encode(recipe, TIERS[0], Fields(images="images", videos="videos_list", audios="audios_list")))
    assert (other["images"], other["videos_list"], other["audios_list"]) == (
        loaded("request_omni_reference")["images_list"],
        ["https://files.example/walk.mp4"],
        ["https://files.example/beat.mp3"],
    )


def test_kinds_that_are_not_given_are_not_named() -> None:
    body = json.loads(encode(a_recipe(media=REFERENCES[:1]), TIERS[0]))
    assert body["images_list"] == ["https://files.example/panda.png"]
    assert not {"image_url", "video_files", "audio_files"} & set(body)


def test_words_that_look_like_names_of_files_stay() -> None:
    prompt = "me@Image1.example, @Images, @Image, @Imagery1x and @character:Image1"
    assert json.loads(encode(a_recipe(prompt=prompt), TIERS[0]))["prompt"] == prompt


@pytest.mark.parametrize(
    ("can", "resolution", "suffix"), [(TIERS[1], Resolution.P720, ""), (TIERS[2], Resolution.P1080, "-1080p")]
)
def test_the_dearer_tiers_have_their_own_endpoints_and_fewer_fields(
    can: Capabilities, resolution: Resolution, suffix: str
) -> None:
    plain = Recipe(
        prompt="a teapot on a slate shelf", resolution=resolution, seconds=8, ratio=Ratio.CINEMA, tier=can.tier
    )
    for media, kind in (((), "text-to-video"), ((FIRST,), "image-to-video"), ((LAST, FIRST), "first-last-frame")):
        recipe = replace(plain, media=media)
        assert fit(recipe, can) == ()
        assert endpoint(recipe, can) == f"{can.model}-{kind}{suffix}"
        assert json.loads(encode(recipe, can)) == loaded(f"request_standard_{kind.replace('-', '_')}")


def test_the_declared_capabilities_are_the_documents() -> None:
    mini, standard, vip = TIERS
    assert [(one.provider, one.tier, one.model) for one in TIERS] == [
        ("muapi", "mini", "seedance-2-mini"),
        ("muapi", "standard", "seedance-2"),
        ("muapi", "vip", "seedance-2-vip"),
    ]
    assert [sorted(one.resolutions) for one in TIERS] == [["480p", "720p"], ["720p"], ["1080p"]]
    assert mini.modes == {Mode.TEXT, Mode.FIRST_FRAME, Mode.REFERENCES}
    assert standard.modes == vip.modes == {Mode.TEXT, Mode.FIRST_FRAME, Mode.FIRST_LAST}
    assert (mini.reference_images, mini.reference_videos, mini.reference_audios) == (9, 3, 3)
    assert (mini.audio_toggle, mini.high_bitrate, standard.audio_toggle, vip.high_bitrate) == (True, True, False, False)
    for one in TIERS:
        assert {ratio.value for ratio in one.ratios} == {"16:9", "9:16", "1:1", "3:4", "4:3", "21:9"}
        assert (one.shortest_seconds, one.longest_seconds, one.automatic_seconds) == (4, 15, False)
        assert (one.seed, one.negative, one.cancel, one.lists_tasks, one.returns_last_frame) == (False,) * 5
        assert (one.idempotency, one.callback, one.balance) == (None, Callback.UNSIGNED, True)
        assert one.uploads == {MediaKind.IMAGE, MediaKind.VIDEO, MediaKind.AUDIO}
        assert one.output_lifetime == timedelta(hours=24)
        assert (one.shortest_prompt, one.longest_prompt) == (1, 20_000)


@pytest.mark.parametrize("can", TIERS, ids=lambda can: can.tier)
def test_every_tier_has_a_published_price_in_all_its_resolutions(can: Capabilities) -> None:
    for resolution in can.resolutions:
        recipe = a_recipe(tier=can.tier, resolution=resolution, seconds=10)
        quoted = PriceTable().quote(recipe, "muapi")
        guide = {"480p": 800_000, "720p": 1_500_000 if can.tier == MINI else 3_000_000, "1080p": 6_750_000}
        assert (quoted.micro_usd, quoted.assumed) == (guide[resolution], False)


# --- what became of an order -----------------------------------------------------------------------------------------


@pytest.mark.row("F29")
@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize(
    ("name", "job"),
    [
        ("order_accepted_live", LIVE_JOB),
        ("order_accepted_both_ids", LIVE_JOB),
        ("order_accepted_nested", LIVE_JOB),
    ],
)
def test_an_order_with_an_id_is_accepted(status: int, name: str, job: str) -> None:
    assert ordered(status, fixture(name)) == OrderAccepted(task_id=job)


@pytest.mark.row("F29")
def test_an_id_that_is_a_number_is_an_id() -> None:
    assert ordered(200, {"id": 42}) == OrderAccepted(task_id="42")
    assert ordered(200, {"request_id": None, "id": " job_1 "}) == OrderAccepted(task_id="job_1")


@pytest.mark.row("F29")
@pytest.mark.parametrize("status", [200, 201, 202, 204])
@pytest.mark.parametrize(
    "body",
    [
        *(fixture(f"order_{what}") for what in ("without_id", "with_null_id", "with_empty_id", "with_odd_id")),
        fixture("order_policy"),
        {"data": {"id": JOB}},
        [{"id": JOB}],
        {"id": 1.5},
    ],
)
def test_success_without_an_id_is_of_unknown_outcome(status: int, body: object) -> None:
    assert ordered(status, body) == OrderUnknown(why=f"HTTP {status} without a job id")


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_server_error_with_an_id_has_made_that_job(status: int) -> None:
    """The guide: a POST may be repeated only after "a 5xx with no job ID"."""
    assert ordered(status, fixture("order_failed_with_id")) == OrderAccepted(task_id=JOB)


@pytest.mark.parametrize("word", ["queued", "succeeded", "failed"])
def test_whatever_is_known_to_be_of_that_job(word: str) -> None:
    assert ordered(502, {"request_id": JOB, "status": word}) == OrderAccepted(task_id=JOB)


@pytest.mark.parametrize("status", [500, 502, 504])
@pytest.mark.parametrize("more", [{}, {"status": "error"}, {"status": 502}])
def test_a_gateways_own_id_is_no_job(status: int, more: dict[str, object]) -> None:
    """Gateways name the request that they lost, to be traced; nobody knows what became of it."""
    lost = {"detail": "Bad gateway", "request_id": "req-7f3", **more}
    assert ordered(status, lost) == OrderUnknown(why=f"HTTP {status}")


@pytest.mark.parametrize("status", [400, 402, 422])
def test_a_refusal_with_an_id_is_a_refusal(status: int) -> None:
    """There it is the id of the request, as traces have it."""
    assert isinstance(ordered(status, {"request_id": "trace-1", "detail": "no"}), OrderRefused)


@pytest.mark.parametrize(
    ("status", "name", "kind", "words"),
    [
        (400, "order_invalid", FailureKind.INVALID, "aspect_ratio must be one of"),
        (400, "order_bad_reference", FailureKind.BAD_REFERENCE, "could not download"),
        (401, "order_unauthorized", FailureKind.KEY_REFUSED, "Invalid API key"),
        (402, "order_out_of_credit", FailureKind.OUT_OF_CREDIT, "https://muapi.example/…"),
        (403, "order_forbidden", FailureKind.KEY_REFUSED, "may not use"),
        (403, "order_over_quota", FailureKind.OUT_OF_CREDIT, "quota"),
        (404, "order_not_found", FailureKind.INVALID, "Not Found"),
        (422, "order_policy", FailureKind.POLICY, "Prompt policy violation"),
        (422, "order_policy_as_error", FailureKind.POLICY, "copyrighted character"),
        (422, "order_policy_face", FailureKind.FACE, "face detected"),
        (422, "order_policy_audio", FailureKind.AUDIO_MODERATION, "sensitive content"),
        (422, "order_field_missing", FailureKind.INVALID, "body.images_list: Field required"),
        (422, "order_field_invalid", FailureKind.INVALID, "body.duration: Input should be a valid integer; body.gen"),
        (422, "order_field_reference", FailureKind.BAD_REFERENCE, "body.images_list.0: Input should be a valid URL"),
    ],
)
def test_a_refused_order_costs_nothing_and_says_why(status: int, name: str, kind: FailureKind, words: str) -> None:
    outcome = ordered(status, fixture(name))
    assert isinstance(outcome, OrderRefused)
    assert outcome.failure.kind is kind
    assert words in outcome.failure.detail


@pytest.mark.parametrize(
    ("detail", "kind", "words"),
    [
        ([], FailureKind.INVALID, ""),
        ([None, 7, "x"], FailureKind.INVALID, ""),
        ([{"loc": "body", "msg": "no"}], FailureKind.INVALID, "no"),
        (
            [{"loc": ["body", "image_url"], "msg": "Field required", "type": "missing"}],
            FailureKind.INVALID,
            "image_url",
        ),
        ([{"loc": ["query", "webhook"], "msg": "bad"}], FailureKind.INVALID, "query.webhook: bad"),
        (
            [{"loc": ["body", "image_url"], "msg": "no", "type": "extra_forbidden"}],
            FailureKind.INVALID,
            "image_url: no",
        ),
        (
            [{"loc": ["body", "audio_files"], "msg": "no", "type": "type_error.list"}],
            FailureKind.INVALID,
            "audio_files",
        ),
        ([{"loc": ["body", "video_files", 1], "msg": "gone"}], FailureKind.BAD_REFERENCE, "body.video_files.1: gone"),
        (
            [{"loc": ["body", "image_url"], "msg": "a"}, {"loc": ["body", "prompt"], "msg": "b"}],
            FailureKind.INVALID,
            "body.image_url: a; body.prompt: b",
        ),
        ({"message": "Prompt policy violation", "code": 7}, FailureKind.POLICY, "Prompt policy violation"),
        (None, FailureKind.POLICY, ""),
    ],
)
def test_the_two_meanings_of_422_are_told_apart_by_a_list(detail: object, kind: FailureKind, words: str) -> None:
    outcome = ordered(422, {"detail": detail})
    assert isinstance(outcome, OrderRefused)
    assert outcome.failure.kind is kind
    assert words in outcome.failure.detail


# --- how a job is ----------------------------------------------------------------------------------------------------


def test_a_status_that_lies_deeper_is_none() -> None:
    assert seen(200, {"data": {"status": "failed"}}) == TaskUnreadable(why="an answer without a status")


@pytest.mark.parametrize(
    "name",
    [
        "task_completed_in_the_guide",
        "task_completed_live",
        "task_completed_live_objects",
        "task_completed_live_video_url",
        "task_completed_other_outputs_first",
    ],
)
def test_success_is_finished_with_its_link_in_every_dialect(name: str) -> None:
    report = seen(200, fixture(name))
    assert report == TaskFinished(url=CLIP, expires_at=None)
    assert CLIP not in repr(report), "the link is a bearer secret"


@pytest.mark.parametrize(
    "output",
    [
        CLIP,
        [CLIP],
        {"url": CLIP},
        {"video_url": CLIP},
        {"url": None, "video_url": CLIP},
        [None, 7, [], {}, {"url": CLIP}],
        f" {CLIP} ",
    ],
)
@pytest.mark.parametrize("name", ["output", "outputs"])
def test_a_link_is_found_in_every_shape(name: str, output: object) -> None:
    assert seen(200, {"status": "COMPLETED", name: output}) == TaskFinished(url=CLIP, expires_at=None)


def test_a_link_without_a_suffix_is_a_link_too() -> None:
    signed = "https://cdn.muapi.example/o/77?sig=1.mp4"
    assert seen(200, {"status": "succeeded", "output": signed}) == TaskFinished(url=signed, expires_at=None)
    both = {"status": "succeeded", "output": [signed, f"{CLIP}?sig=1"]}
    assert seen(200, both) == TaskFinished(url=f"{CLIP}?sig=1", expires_at=None)


@pytest.mark.parametrize(
    "body",
    [
        *(
            fixture(name)
            for name in (
                "task_succeeded_without_output",
                "task_succeeded_with_null_output",
                "task_succeeded_with_empty_output",
                "task_completed_live_without_outputs",
                "task_completed_live_without_url",
            )
        ),
        {"status": "completed", "output": {"id": JOB}},
        {"status": "completed", "outputs": [[CLIP]]},
        {"status": "completed", "url": CLIP},
    ],
)
def test_success_without_a_link_is_asked_again(body: object) -> None:
    assert seen(200, body) == TaskUnreadable(why="success without a link")


@pytest.mark.parametrize(
    ("name", "kind", "detail"),
    [
        ("task_failed_policy", FailureKind.POLICY, "Prompt policy violation"),
        ("task_failed_policy_live", FailureKind.POLICY, "Prompt policy violation"),
        ("task_failed_object_live", FailureKind.POLICY, "Prompt policy violation"),
        ("task_failed_audio", FailureKind.AUDIO_MODERATION, "the generated audio may contain sensitive content"),
        ("task_failed_face", FailureKind.FACE, "the input may contain a real person"),
        (
            "task_failed_reference",
            FailureKind.BAD_REFERENCE,
            "failed to download the first frame from https://files.example/…",
        ),
        ("task_failed_timeout", FailureKind.TIMEOUT, "generation timed out"),
        ("task_error", FailureKind.PROVIDER, "upstream error"),
        ("task_failed_without_words", FailureKind.PROVIDER, ""),
    ],
)
def test_a_failed_job_says_of_which_class_and_is_not_charged(name: str, kind: FailureKind, detail: str) -> None:
    report = seen(200, fixture(name))
    assert report == TaskFailed(failure=Failure(kind=kind, detail=detail), charged=False)


def test_a_job_that_was_stopped_counts_as_charged() -> None:
    report = seen(200, fixture("task_cancelled_live"))
    assert report == TaskFailed(failure=Failure(kind=FailureKind.PROVIDER), charged=True)


def test_an_unknown_job_is_missing() -> None:
    assert seen(404, fixture("task_unknown")) == TaskMissing()


OTHERS_404 = [
    b"",
    b"<html><h1>404 Not Found</h1>",
    b"null",
    b"[]",
    b"{}",
    b'{"message": "no Route matched with those values"}',
    fixture("task_succeeded"),
]
"""What stands before the API answers so, or something that is not the API at all."""


@pytest.mark.parametrize("body", OTHERS_404)
def test_a_404_that_is_not_the_apis_own_is_no_news(body: bytes) -> None:
    assert seen(404, body) == TaskUnreadable(why="HTTP 404")


# --- the balance, and callbacks --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "micro"),
    [
        (fixture("balance"), 12_340_000),
        (fixture("balance_used_up"), 0),
        ({"balance": -3, "currency": "usd"}, 0),
    ],
)
def test_a_balance_is_in_dollars(body: object, micro: int) -> None:
    assert decode_balance(said(200, body)) == Credit(micro_usd=micro)


@pytest.mark.parametrize("body", [fixture("balance_in_another_currency"), {}])
def test_a_balance_that_is_none_is_not_known(body: object) -> None:
    assert decode_balance(said(200, body)) is None


@pytest.mark.parametrize("name", ["callback_live", "callback_failed_live"])
async def test_a_callback_in_the_other_dialect_names_its_job_and_proves_nothing(name: str) -> None:
    async with vendor() as muapi:
        assert muapi.told({}, fixture(name)) == LIVE_JOB
        assert muapi.told({"x-muapi-signature": "forged"}, fixture(name)) == LIVE_JOB


# --- over HTTP -------------------------------------------------------------------------------------------------------


async def test_it_is_a_provider_of_three_tiers_named_by_the_operator() -> None:
    async with vendor(model="m", standard_model="s", vip_model="sd-2-vip") as provider:
        assert [(can.tier, can.model) for can in provider.capabilities] == [
            ("mini", "m"),
            ("standard", "s"),
            ("vip", "sd-2-vip"),
        ]
        assert provider.order(a_recipe(), "k").path == "m-text-to-video"
        grand = a_recipe(tier=VIP, resolution=Resolution.P1080)
        assert provider.order(grand, "k").path == "sd-2-vip-text-to-video-1080p"


async def test_a_callback_is_asked_for_in_the_address() -> None:
    told_at = "https://bot.example/callbacks/muapi/t0ken?a=b&c=ü"
    async with serving(answering(200, fixture("order_accepted"))) as server, vendor(server.origin) as muapi:
        order = muapi.order(a_recipe(media=(FIRST,)), "j1-1", told_at)
        assert order.body == muapi.order(a_recipe(media=(FIRST,)), "j1-1").body
        await muapi.submit(order)
    (asked,) = server.asked
    assert asked.target == (
        "/api/v1/seedance-2-mini-image-to-video"
        "?webhook=https%3A%2F%2Fbot.example%2Fcallbacks%2Fmuapi%2Ft0ken%3Fa%3Db%26c%3D%C3%BC"
    )


@pytest.mark.parametrize(
    ("auth", "sent"),
    [
        (Auth.BEARER, {"authorization": "Bearer made-up-key"}),
        (Auth.API_KEY, {"x-api-key": "made-up-key"}),
        (Auth.BOTH, {"authorization": "Bearer made-up-key", "x-api-key": "made-up-key"}),
    ],
)
async def test_the_key_goes_in_the_header_that_was_chosen(auth: Auth, sent: dict[str, str]) -> None:
    async with serving(answering(200, fixture("balance"))) as server, vendor(server.origin, auth=auth) as muapi:
        await muapi.submit(muapi.order(a_recipe(), "j1-1"))
        await muapi.look(JOB)
        await muapi.balance()
    for asked in server.asked:
        assert {name: asked.headers[name] for name in ("authorization", "x-api-key") if name in asked.headers} == sent


@pytest.mark.parametrize(
    ("status", "name", "kind"),
    [
        (200, "balance", None),
        (200, "balance_in_another_currency", None),
        (200, "balance_used_up", FailureKind.OUT_OF_CREDIT),
        (401, "order_unauthorized", FailureKind.KEY_REFUSED),
        (402, "order_out_of_credit", FailureKind.OUT_OF_CREDIT),
        (403, "order_forbidden", FailureKind.KEY_REFUSED),
        (404, "order_not_found", FailureKind.PROVIDER),
        (503, "order_unavailable", FailureKind.PROVIDER),
        (307, "balance", FailureKind.PROVIDER),
    ],
)
async def test_a_check_asks_for_the_balance_alone(status: int, name: str, kind: FailureKind | None) -> None:
    async with serving(answering(status, fixture(name))) as server, vendor(server.origin) as muapi:
        found = await muapi.check()
    assert (found.kind if found else None) is kind
    assert [(asked.method, asked.target) for asked in server.asked] == [("GET", "/api/v1/account/balance")]
