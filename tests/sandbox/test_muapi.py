"""The emulated Muapi as a client meets it: real HTTP, real money in the ledger, real files, both dialects."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import av
import httpx
import pytest

from bot.clock import SystemClock
from bot.domain.failure import FailureKind
from bot.domain.recipe import MediaKind, MediaRole, Medium, Recipe
from bot.ports import OrderAccepted, OrderRefused, TaskFailed, TaskFinished
from bot.providers.muapi import Auth, Fields, Muapi
from bot.sandbox.render import frame_size
from tests.sandbox.clients import MuapiClient, connected
from tests.support.backstage import Ear

TEXT = MuapiClient.BODY
MINI_TEXT, MINI_IMAGE, MINI_OMNI = (
    f"seedance-2-mini-{kind}" for kind in ("text-to-video", "image-to-video", "omni-reference")
)
URL = "https://files.example/a.png"
MISSING = [{"loc": ["body", "images_list"], "msg": "Field required", "type": "missing"}]


@pytest.fixture
async def studio(data: Path) -> AsyncIterator[MuapiClient]:
    async with connected(MuapiClient, data) as client:
        yield client


async def test_a_job_becomes_a_clip_in_the_guides_words(studio: MuapiClient) -> None:
    await studio.settings(render_seconds=0.4, fidelity="full")
    job = await studio.begin(aspect_ratio="9:16", generate_audio=False)
    assert job.startswith("job_")
    assert await studio.read(job) == {"id": job, "status": "processing"}
    data = await studio.until(job, "succeeded")
    assert set(data) == {"id", "status", "output"}
    answer = await studio.http.get(data["output"])
    with av.open(io.BytesIO(answer.content), "r") as clip:
        frames = list(clip.decode(video=0))
        assert not clip.streams.audio
    assert (len(frames), frames[0].width, frames[0].height) == (96, *frame_size("480p", "9:16"))
    (charge,) = await studio.charges()
    assert (charge["task_id"], charge["micro_usd"], charge["status"]) == (job, 320_000, "settled")


async def test_the_other_dialect_is_a_setting(studio: MuapiClient, media: str) -> None:
    """What Muapi's own clients need, and stop without."""
    assert (await studio.stage.settings("muapi", dialect="klingon")).status_code == 400
    await studio.finished()  # so that the encode is no part of what is measured
    await studio.settings(dialect="live", render_seconds=3)
    created = await studio.create()
    assert set(created.json()) == {"request_id", "status"}
    job = created.json()["request_id"]
    words: list[str] = []
    while not words or words[-1] != "completed":
        data = await studio.read(job)
        words += [] if words and data["status"] == words[-1] else [data["status"]]
        assert data["outputs"] or data["status"] != "completed"
        await asyncio.sleep(0.02)
    assert words == ["queued", "processing", "completed"]
    assert (data["request_id"], data["id"], data["error"]) == (job, job, None)
    assert (await studio.http.get(data["outputs"][0])).headers["content-type"] == "video/mp4"

    await studio.settings(render_seconds=0)
    studio.stage.outcome("muapi", "fail", message="Prompt policy violation")
    failed = await studio.finished()
    assert (failed["status"], failed["outputs"], failed["error"]) == ("failed", [], "Prompt policy violation")

    refused = await studio.create(MINI_IMAGE, image_url=f"{media}/a.png")
    assert (refused.status_code, refused.json()["detail"][0]["type"]) == (422, "extra_forbidden")
    refused = await studio.create(MINI_IMAGE)
    assert (refused.status_code, refused.json()) == (422, {"detail": MISSING})
    await studio.begin(MINI_IMAGE, images_list=[f"{media}/a.png"])


async def test_the_key_is_taken_in_either_header_and_nothing_is_answered_without_it(studio: MuapiClient) -> None:
    job = await studio.begin()
    calls = (
        ("POST", f"/api/v1/{MINI_TEXT}"),
        ("GET", f"/api/v1/predictions/{job}/result"),
        ("GET", "/api/v1/account/balance"),
        ("POST", "/api/v1/upload_file"),
    )
    async with httpx.AsyncClient(base_url=studio.stage.base("muapi")) as stranger:
        for method, path in calls:
            for headers in ({}, {"Authorization": "Bearer wrong"}, {"x-api-key": "wrong"}):
                answer = await stranger.request(method, path, headers=headers, json=TEXT if "mini" in path else None)
                assert (answer.status_code, answer.json()) == (401, {"detail": "Invalid API key"})
        stranger.headers["x-api-key"] = studio.stage.key("muapi")
        assert (await stranger.get(f"/api/v1/predictions/{job}/result")).status_code == 200
    assert len(await studio.charges()) == 1


async def test_unknown_endpoints_and_jobs_are_not_found(studio: MuapiClient) -> None:
    for endpoint in ("seedance-3-text-to-video", "seedance-2-mini-first-last-frame", "seedance-2-omni-reference"):
        answer = await studio.create(endpoint)
        assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})
    answer = await studio.http.get("/api/v1/predictions/job_0/result")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Prediction not found"})
    assert (await studio.http.get("/api/v1/predictions")).status_code == 405, "there is no list"


OUT_OF_RANGE: tuple[tuple[str, dict[str, Any], str], ...] = (
    (MINI_TEXT, {"prompt": "  "}, "prompt"),
    (MINI_TEXT, {"prompt": "x" * 20_001}, "prompt"),
    (MINI_TEXT, {"resolution": "1080p"}, "resolution"),
    (MINI_TEXT, {"aspect_ratio": "adaptive"}, "aspect_ratio"),
    (MINI_TEXT, {"aspect_ratio": "3:2"}, "aspect_ratio"),
    (MINI_TEXT, {"duration": 3}, "duration"),
    (MINI_TEXT, {"duration": 16}, "duration"),
    (MINI_TEXT, {"duration": -1}, "duration"),
    (MINI_TEXT, {"webhook_url": "http://bot.example/x"}, "webhook"),
    (MINI_IMAGE, {"image_url": "http://files.example/a.png"}, "https"),
    (MINI_IMAGE, {"image_url": "file:///etc/passwd"}, "https"),
    (MINI_OMNI, {}, "needed"),
    (MINI_OMNI, {"audio_files": [URL]}, "needed"),
    (MINI_OMNI, {"images_list": [URL] * 10}, "0 to 9"),
    (MINI_OMNI, {"images_list": [URL], "video_files": [URL] * 4}, "0 to 3"),
    (MINI_OMNI, {"images_list": [URL], "audios_list": [URL] * 4}, "0 to 3"),
    ("seedance-2-image-to-video", {"resolution": None, "images_list": [URL] * 2}, "at most 1"),
    ("seedance-2-first-last-frame", {"resolution": None, "images_list": [URL] * 3}, "at most 2"),
    ("seedance-2-first-last-frame", {"resolution": None, "images_list": []}, "1 to 9"),
    ("seedance-2-text-to-video", {"resolution": None, "aspect_ratio": "adaptive"}, "aspect_ratio"),
)
ILL_FORMED: tuple[tuple[str, dict[str, Any], str, str], ...] = (
    (MINI_TEXT, {"prompt": None}, "prompt", "missing"),
    (MINI_TEXT, {"prompt": 7}, "prompt", "string_type"),
    (MINI_TEXT, {"duration": "5"}, "duration", "int_type"),
    (MINI_TEXT, {"duration": 5.0}, "duration", "int_type"),
    (MINI_TEXT, {"duration": True}, "duration", "int_type"),
    (MINI_TEXT, {"generate_audio": "yes"}, "generate_audio", "bool_type"),
    (MINI_TEXT, {"high_bitrate": 1}, "high_bitrate", "bool_type"),
    (MINI_TEXT, {"seed": 5}, "seed", "extra_forbidden"),
    (MINI_TEXT, {"negative_prompt": "blur"}, "negative_prompt", "extra_forbidden"),
    (MINI_TEXT, {"image_url": URL}, "image_url", "extra_forbidden"),
    (MINI_IMAGE, {}, "image_url", "missing"),
    (MINI_IMAGE, {"images_list": [URL]}, "images_list", "extra_forbidden"),
    (MINI_IMAGE, {"image_url": [URL]}, "image_url", "string_type"),
    (MINI_OMNI, {"images_list": URL}, "images_list", "list_type"),
    (MINI_OMNI, {"images_list": [7]}, "images_list", "list_type"),
    (MINI_OMNI, {"image_url": URL}, "image_url", "extra_forbidden"),
    ("seedance-2-text-to-video", {}, "resolution", "extra_forbidden"),
    ("seedance-2-text-to-video", {"resolution": None, "generate_audio": True}, "generate_audio", "extra_forbidden"),
    ("seedance-2-vip-text-to-video-1080p", {"resolution": "1080p"}, "resolution", "extra_forbidden"),
    ("seedance-2-first-last-frame", {"resolution": None}, "images_list", "missing"),
)


async def test_what_the_documents_do_not_allow_is_refused_and_costs_nothing(studio: MuapiClient) -> None:
    for endpoint, changes, said in OUT_OF_RANGE:
        answer = await studio.create(endpoint, **changes)
        assert answer.status_code == 400, (endpoint, changes)
        assert said in answer.json()["detail"], (endpoint, changes)
    for endpoint, changes, field, kind in ILL_FORMED:
        answer = await studio.create(endpoint, **changes)
        assert answer.status_code == 422, (endpoint, changes)
        (complaint,) = answer.json()["detail"]
        assert (complaint["loc"], complaint["type"]) == (["body", field], kind), (endpoint, changes)
    for content in (b'{"prompt":', b"[]", b"null"):
        answer = await studio.http.post(f"/api/v1/{MINI_TEXT}", content=content)
        assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["body"])
    assert (await studio.create(webhook="ftp://bot.example/x")).status_code == 400
    assert await studio.charges() == []


async def test_references_are_fetched_and_held_to_the_limits(studio: MuapiClient, media: str) -> None:
    rows: tuple[tuple[dict[str, list[str]], str], ...] = (
        ({"images_list": ["missing.png"]}, "HTTP 404"),
        ({"images_list": ["tiny.png"]}, "edges"),
        ({"images_list": ["a.png", "strip.png"]}, "width by height"),
        ({"images_list": ["page.png"]}, "not a supported image"),
        ({"videos_list": ["a.png"]}, "not a supported video"),
        ({"images_list": ["a.png"], "audio_files": ["long.wav"]}, "lasts 16.0 s"),
        ({"images_list": ["a.png"], "audio_files": ["eight.wav", "eight.wav"]}, "in total"),
    )
    for given, said in rows:
        body: dict[str, Any] = {name: [f"{media}/{file}" for file in files] for name, files in given.items()}
        answer = await studio.create(MINI_OMNI, **body)
        assert answer.status_code == 400, given
        assert answer.json()["detail"].startswith("reference http"), given
        assert said in answer.json()["detail"], given
    assert await studio.charges() == []
    job = await studio.begin(
        MINI_OMNI, images_list=[f"{media}/a.png"], videos_list=[f"{media}/b.mp4"], audios_list=[f"{media}/c.wav"]
    )
    (charge,) = await studio.charges()
    assert (charge["task_id"], charge["kind"], charge["micro_usd"]) == (job, "references", 320_000)


async def test_every_tier_has_its_endpoints_and_its_price(studio: MuapiClient, media: str) -> None:
    first, last = f"{media}/first.png", f"{media}/last.png"
    rows: tuple[tuple[str, dict[str, Any], str, int], ...] = (
        (MINI_TEXT, {"resolution": "720p", "duration": 10, "high_bitrate": True}, "text", 1_500_000),
        (MINI_IMAGE, {"image_url": first}, "frames", 320_000),
        ("seedance-2-text-to-video", {"resolution": None}, "text", 1_200_000),
        ("seedance-2-image-to-video", {"resolution": None, "images_list": [first]}, "frames", 1_200_000),
        ("seedance-2-vip-text-to-video-1080p", {"resolution": None}, "text", 2_700_000),
        ("seedance-2-vip-image-to-video-1080p", {"resolution": None, "images_list": [first]}, "frames", 2_700_000),
    )
    for endpoint, changes, kind, price in rows:
        studio.stage.outcome("muapi", "never_ends")  # nothing is rendered for a price
        job = await studio.begin(endpoint, **changes)
        charge = (await studio.charges())[-1]
        assert (charge["task_id"], charge["kind"], charge["micro_usd"]) == (job, kind, price), endpoint
    data = await studio.finished(
        "seedance-2-first-last-frame", resolution=None, aspect_ratio="adaptive", images_list=[first, last]
    )
    answer = await studio.http.get(data["output"])
    with av.open(io.BytesIO(answer.content), "r") as clip:
        assert (clip.streams.video[0].width, clip.streams.video[0].height) == frame_size("720p", "4:3")


async def test_every_post_is_charged_also_the_one_that_is_never_answered(studio: MuapiClient) -> None:
    """There is no key to find the first again: a blanket retry is the mistake that the guide warns of."""
    headers = {"Idempotency-Key": "ask-1"}
    first, second = [
        (await studio.http.post(f"/api/v1/{MINI_TEXT}", json=TEXT, headers=headers)).json()["id"] for _ in range(2)
    ]
    assert first != second
    studio.stage.fault("muapi:create", "amid", "reset")
    with pytest.raises(httpx.ReadError):
        await studio.create()
    studio.stage.fault("muapi:create", "before", "status", status=503)
    answer = await studio.create()
    assert (answer.status_code, answer.json()) == (503, {"detail": "Internal Server Error"})
    charges = await studio.charges()
    assert [charge["key"] for charge in charges] == [None] * 3
    assert len({charge["task_id"] for charge in charges}) == 3


async def test_money_runs_out_and_can_be_topped_up(studio: MuapiClient) -> None:
    async def balance() -> dict[str, Any]:
        said: dict[str, Any] = (await studio.http.get("/api/v1/account/balance")).json()
        return said

    assert (await balance())["balance"] == 10_000.0
    await studio.settings(balance=0.5)
    await studio.begin()
    assert (await balance())["balance"] == pytest.approx(0.18)
    assert (await balance())["currency"] == "USD"
    answer = await studio.create()
    assert answer.status_code == 402
    assert "balance" in answer.json()["detail"]
    await studio.stage.control.post("/muapi/top_up", json={"usd": 1})
    await studio.begin()
    assert len(await studio.charges()) == 2


async def test_an_upload_has_an_address_that_serves_as_a_reference(studio: MuapiClient, media: str) -> None:
    async with httpx.AsyncClient() as plain:
        picture = (await plain.get(f"{media}/a.png")).content
    post = "/api/v1/upload_file"
    answer = await studio.http.post(post, files={"file": ("a mug.png", picture, "image/png")})
    url = answer.json()["url"]
    assert (await studio.http.get(url)).content == picture
    await studio.begin(MINI_IMAGE, image_url=url)
    await studio.settings(dialect="live")
    live = (await studio.http.post(post, files={"file": ("../../b.png", picture, "image/png")})).json()
    assert live["output"].endswith("/b.png")
    assert (await studio.http.get(url.replace("mug", "jug"))).status_code == 404
    for refused in (
        await studio.http.post(post, files={"picture": ("a.png", picture, "image/png")}),
        await studio.http.post(post, json={"file": "a"}),
    ):
        assert (refused.status_code, refused.json()["detail"][0]["loc"]) == (422, ["body", "file"])


# Outcomes


async def test_a_failed_job_says_why_and_is_refunded(studio: MuapiClient) -> None:
    for reason, words in (("policy", "policy"), ("face", "real person"), ("timeout", "in time")):
        studio.stage.outcome("muapi", "fail", reason=reason)
        data = await studio.finished()
        assert set(data) == {"id", "status", "error"}
        assert (data["status"], words in data["error"]) == ("failed", True)
    assert {charge["status"] for charge in await studio.charges()} == {"refunded"}
    assert await studio.stage.balance("muapi") == 10_000_000_000
    studio.stage.fault("muapi:outcome", "do", "fail", times=-1, reason="audio")
    assert "generate_audio" in (await studio.finished())["error"]
    assert (await studio.finished(generate_audio=False))["status"] == "succeeded"


async def test_success_may_come_before_its_link_in_the_other_dialect_too(studio: MuapiClient) -> None:
    await studio.settings(dialect="live")
    for how, shape in (("missing", "none"), ("null", None), ("empty", [])):
        studio.outcome("success_without_url", output=how, reads=1)
        first = await studio.finished()
        assert first.get("outputs", "none") == shape
        assert (await studio.read(first["id"]))["outputs"]


async def test_other_files_come_after_the_clip(studio: MuapiClient) -> None:
    studio.outcome("extra_outputs")
    outputs = (await studio.finished())["output"]
    assert [url.rpartition("/")[2] for url in outputs] == ["0.mp4", "last.jpg", "thumb.jpg"]


async def test_a_link_lives_for_a_day(studio: MuapiClient) -> None:
    settings = (await studio.stage.control.get("/muapi/settings")).json()
    assert settings["expire_seconds"] == 24 * 3600


# Callbacks, faults, and the back door


async def test_a_callback_in_the_other_dialect_says_what_a_read_says_and_proves_nothing(
    studio: MuapiClient, ear: Ear
) -> None:
    await studio.settings(dialect="live", webhook_secret="s3cret-s3cret-s3cret")
    ear.answers = [500, 503]
    job = await studio.begin(webhook=ear.url)
    told = await ear.wait(3)
    assert [json.loads(body) for _, body in told] == [await studio.read(job)] * 3
    assert not [name for name in told[0][0] if "signature" in name.lower()]
    studio.stage.outcome("muapi", "fail")
    failed = await studio.begin(webhook_url=ear.url)
    body = json.loads((await ear.wait(4))[3][1])
    assert (body.get("request_id") or body["id"], body["status"]) == (failed, "failed")


async def test_faults_find_their_calls_and_the_back_door_shows_them_without_the_key(studio: MuapiClient) -> None:
    for point, match in (
        ("muapi:create", {"endpoint": "omni"}),
        ("muapi:get", {"prompt": "tiger"}),
        ("muapi:balance", {}),
        ("muapi:upload", {}),
    ):
        action = {"kind": "ratelimit", "retry_after": "30"}
        studio.stage.faults.add({"point": point, "phase": "before", "match": match, "action": action})
    panda, tiger = await studio.begin(), await studio.begin(prompt="a tiger")
    await studio.read(panda)
    throttled = [
        await studio.create(MINI_OMNI),
        await studio.http.get(f"/api/v1/predictions/{tiger}/result"),
        await studio.http.get("/api/v1/account/balance"),
        await studio.http.post("/api/v1/upload_file"),
    ]
    assert [(one.status_code, one.headers["retry-after"]) for one in throttled] == [(429, "30")] * 4
    assert throttled[0].json() == {"detail": "Rate limit exceeded"}
    counted = await studio.stage.requests("muapi")
    assert (counted["create"], counted["balance"], counted["upload"]) == (3, 1, 1)
    first, _ = await studio.stage.tasks("muapi")
    assert (first["path"], json.loads(first["body"])) == (f"/muapi/api/v1/{MINI_TEXT}", TEXT)
    assert first["answer"] == {"id": panda, "status": "processing"}
    assert not {"authorization", "x-api-key"} & {name.lower() for name in first["headers"]}
    json.dumps(studio.stage.providers.snapshot()["muapi"])


async def test_the_adapter_reads_and_writes_the_other_dialect_too(studio: MuapiClient, media: str, ear: Ear) -> None:
    await studio.settings(dialect="live")
    there: dict[str, Any] = {"key": studio.stage.key("muapi"), "base_url": studio.stage.base("muapi")}
    first = Medium(role=MediaRole.FIRST, kind=MediaKind.IMAGE, url=f"{media}/first.png")
    recipe = Recipe(prompt="a red panda", media=(first,))
    guided = Muapi(clock=SystemClock(), **there)
    refused = await guided.submit(guided.order(recipe, "ask-1"))
    assert isinstance(refused, OrderRefused)
    assert (refused.failure.kind, "image_url" in refused.failure.detail) == (FailureKind.INVALID, True)
    await guided.close()

    muapi = Muapi(clock=SystemClock(), auth=Auth.API_KEY, fields=Fields(image="images_list"), **there)
    accepted = await muapi.submit(muapi.order(recipe, "ask-2", ear.url))
    assert isinstance(accepted, OrderAccepted)
    ((headers, body),) = await ear.wait(1)
    assert muapi.told(headers, body) == accepted.task_id
    report = await muapi.look(accepted.task_id)
    assert isinstance(report, TaskFinished)
    assert (await studio.http.get(report.url)).status_code == 200
    studio.stage.outcome("muapi", "fail", reason="face")
    accepted = await muapi.submit(muapi.order(recipe, "ask-3", ear.url))
    assert isinstance(accepted, OrderAccepted)
    await ear.wait(2)
    failed = await muapi.look(accepted.task_id)
    assert isinstance(failed, TaskFailed)
    assert failed.failure.kind is FailureKind.FACE
    await muapi.close()
