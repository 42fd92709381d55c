"""EmpirioLabs' own dialects: what is sent, what its answers mean, and where it is asked what. What holds for every
provider, the contract suite shows (``tests/contracts/test_providers.py``).

The payloads lie in ``tests/fixtures/empiriolabs``, named by what they tell; ``live`` is what some of its clients read.
"""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.capabilities import fit
from bot.domain.failure import Failure, FailureKind
from bot.domain.pricing import Price, PriceTable
from bot.domain.recipe import FAST, MINI, STANDARD, MediaKind, MediaRole, Medium, Mode, Ratio, Recipe, Resolution
from bot.ports import (
    Credit,
    OrderAccepted,
    OrderRefused,
    OrderUnknown,
    TaskFailed,
    TaskFinished,
    TaskMissing,
    TaskRunning,
    TaskUnreadable,
)
from bot.providers._empiriolabs_paths import Paths, job_of
from bot.providers.empiriolabs import (
    capabilities,
    decode_balance,
    decode_list,
    encode,
    standard_capabilities,
)
from tests.support.adapters import EMPIRIOLABS, medium
from tests.support.answers import said
from tests.support.loopback import answering, serving
from tests.support.values import a_recipe

OTHER_JOB, LINKLESS_JOB = "0b9c2f64-5a0e-4f0a-8f0b-4f4f1d1a7a10", "77e0e0b3-9f64-41a5-8a53-0d4fd9c5c5cc"
JOB, CLIP = EMPIRIOLABS.task_id, EMPIRIOLABS.finished.url
TIERS = {can.tier: can for can in EMPIRIOLABS.tiers}
fixture, loaded, ordered, seen = EMPIRIOLABS.fixture, EMPIRIOLABS.loaded, EMPIRIOLABS.ordered, EMPIRIOLABS.seen
job, vendor = EMPIRIOLABS.task, EMPIRIOLABS.at

FIRST, LAST = medium(MediaRole.FIRST, "a.png"), medium(MediaRole.LAST, "b.png")
PICTURE, FILM = (medium(MediaRole.REFERENCE, name) for name in ("a.png", "a.mp4"))
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


def test_signed_links_in_a_refusal_are_cut_and_nothing_else_is_shown_twice() -> None:
    body = {"detail": "cannot fetch https://files.example/a.png?sig=secret"}
    assert ordered(400, body) == OrderRefused(
        failure=Failure(kind=FailureKind.BAD_REFERENCE, detail="cannot fetch https://files.example/…")
    )


@pytest.mark.parametrize("body", [{"detail": []}, {"detail": [7, {"loc": 3, "msg": None}]}, {"error": []}])
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


# --- how a job is ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["task_queued", "task_processing", "task_running_live"])
def test_known_words_are_running_beside_another_success(name: str) -> None:
    assert seen(202, fixture(name)) == TaskRunning()


def test_a_job_in_a_list_of_its_own_is_no_news() -> None:
    assert seen(200, [job()]) == TaskUnreadable(why="an answer without a status")


@pytest.mark.parametrize(
    "name",
    [
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


def test_an_unknown_job_is_missing() -> None:
    assert seen(404, fixture("task_unknown")) == TaskMissing()


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


# --- the list, the balance -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrap", [lambda jobs: {"data": jobs}, lambda jobs: {"jobs": jobs}, lambda jobs: jobs])
def test_the_list_tells_of_those_that_were_asked_for_and_can_be_read(wrap: Any) -> None:
    """However it is wrapped; jobs by their ids, also where they are asked for by a path."""
    body = wrap(loaded("list")["data"])
    way = f"/v1/regions/my/jobs/{OTHER_JOB}"
    told = decode_list(said(200, body), [JOB, way, LINKLESS_JOB, "another"])
    assert told == {JOB: TaskRunning(), way: TaskFinished(url=CLIP, expires_at=None)}
    assert decode_list(said(503, body), [JOB]) == {}


@pytest.mark.parametrize("body", [{"data": None}, {"jobs": {}}, {"data": [None, 7, []]}])
def test_a_list_in_another_shape_tells_nothing(body: object) -> None:
    assert decode_list(said(200, body), [JOB]) == {}


@pytest.mark.parametrize(
    ("body", "micro_usd"),
    [
        (fixture("balance"), 12_345_678),
        (fixture("balance_live"), 3_500_000),
        (fixture("balance_used_up"), 0),
        ({"account": {"current_balance": "7"}}, 7_000_000),
    ],
)
def test_the_balance_is_read_to_the_micro_dollar(body: object, micro_usd: int) -> None:
    assert decode_balance(said(200, body)) == Credit(micro_usd=micro_usd)
    assert decode_balance(said(503, body)) is None


def test_a_balance_in_another_currency_is_not_known() -> None:
    assert decode_balance(said(200, {"balance": {"amount": 7, "currency": "EUR"}})) is None


# --- over HTTP -------------------------------------------------------------------------------------------------------


async def test_no_callback_is_asked_for_since_there_are_none() -> None:
    async with vendor() as empirio:
        assert empirio.order(a_recipe(), "k", "https://bot.example/hook") == empirio.order(a_recipe(), "k")


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


@pytest.mark.parametrize(
    ("task_id", "target"),
    [
        (JOB, f"/v1/jobs/{JOB}"),
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
