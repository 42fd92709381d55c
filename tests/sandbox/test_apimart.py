"""The emulated APIMart as a client meets it: strict about what it takes, honest about what it charges."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import av
import httpx
import pytest
from PIL import Image

from tests.sandbox.clients import APIMartClient, connected

MINI = "seedance-2-0-fast"
PICTURE = "https://media.example/1.png"
PLENTY = 10_000_000_000


@pytest.fixture
async def studio(data: Path) -> AsyncIterator[APIMartClient]:
    async with connected(APIMartClient, data) as client:
        yield client


def picture(width: int, height: int, form: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(file, format=form)
    return file.getvalue()


async def test_a_task_becomes_a_clip_with_its_last_frame_and_its_cost(studio: APIMartClient) -> None:
    await studio.stage.settings("apimart", fidelity="full")
    data = await studio.finished(aspect_ratio="3:2", generate_audio=True, return_last_frame=True, seed=12345)
    (video,) = data["result"]["videos"]
    assert video["expires_at"] == pytest.approx(time.time() + 86_400, abs=5)
    assert (data["progress"], data["cost"], data["credits_cost"]) == (100, 0.324, 3.24)
    with av.open(io.BytesIO((await studio.http.get(video["url"][0])).content), "r") as clip:
        assert (clip.streams.video[0].width, clip.streams.video[0].height) == (792, 528)
        assert clip.streams.audio
    frame = await studio.http.get(data["result"]["last_frame_url"])
    assert Image.open(io.BytesIO(frame.content)).size == (792, 528)
    plain = await studio.finished()
    assert set(plain["result"]) == {"videos"}
    with av.open(io.BytesIO((await studio.http.get(plain["result"]["videos"][0]["url"][0])).content), "r") as clip:
        assert not clip.streams.audio, "sound is off unless it is asked for"


async def test_a_task_is_pending_processing_completed_by_the_clock(studio: APIMartClient) -> None:
    await studio.finished()  # so that the encode is no part of what is measured
    await studio.stage.settings("apimart", render_seconds=1)
    task_id = await studio.begin()
    seen: list[tuple[str, int]] = []
    while not seen or seen[-1][0] != "completed":
        data = await studio.read(task_id)
        seen.append((data["status"], data["progress"]))
        await asyncio.sleep(0.02)
    assert list(dict.fromkeys(word for word, _ in seen)) == ["pending", "processing", "completed"]
    assert [progress for _, progress in seen] == sorted(progress for _, progress in seen)


async def test_an_answer_has_the_shape_that_a_client_reads(studio: APIMartClient) -> None:
    """The guide's and the reference's at once; the reference's alone; that of a version which was asked for."""
    both = (await studio.create()).json()
    assert both == {
        "task_id": both["task_id"],
        "code": 200,
        "data": [{"status": "submitted", "task_id": both["task_id"]}],
    }
    assert both["task_id"].startswith("task_01")
    await studio.stage.settings("apimart", dialect="live")
    assert set((await studio.create()).json()) == {"code", "data"}
    studio.http.headers["X-APIMart-Response-Version"] = "2026-07-27"
    answer = await studio.create()
    assert answer.headers["x-apimart-response-version"] == "2026-07-27"
    body = answer.json()
    assert body["request_id"].startswith("req_")
    assert body["data"] == {"object": "generation.task", "id": body["data"]["id"], "status": "pending"}
    assert (await studio.read(body["data"]["id"]))["id"] == body["data"]["id"]


async def test_without_the_key_nothing_is_answered(studio: APIMartClient) -> None:
    task_id = await studio.begin()
    posts = ("videos/generations", "uploads/images")
    gets = (f"tasks/{task_id}", "balance", "user/balance", "models", f"model-docs?model={MINI}")
    studio.http.headers["Authorization"] = "Bearer wrong"
    for method, paths in (("POST", posts), ("GET", gets)):
        for path in paths:
            answer = await studio.http.request(method, f"/v1/{path}")
            assert (answer.status_code, answer.json()["error"]["type"]) == (401, "authentication_error")
    assert len(await studio.charges()) == 1


async def test_an_unknown_task_is_not_found_and_languages_are_four(studio: APIMartClient) -> None:
    answer = await studio.http.get("/v1/tasks/task_0")
    assert (answer.status_code, answer.json()["error"]["message"]) == (404, "task not found")
    assert (await studio.http.get("/v1/tasks/task_0", params={"language": "de"})).status_code == 400


# What is refused, and what is taken


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"negative_prompt": "blur"}, "negative_prompt"),
        ({"ratio": "16:9"}, "ratio"),
        ({"model": None}, "model"),
        ({"model": "sora"}, "model"),
        ({"prompt": None}, "prompt"),
        ({"prompt": "  "}, "prompt"),
        ({"prompt": 7}, "prompt"),
        ({"prompt": "word " * 2_001}, "prompt"),
        ({"prompt": "字" * 2_001}, "prompt"),
        ({"resolution": "2k"}, "resolution"),
        ({"model": "seedance-2.0-mini", "resolution": "1080p"}, "resolution"),
        ({"duration": 3}, "duration"),
        ({"duration": 16}, "duration"),
        ({"duration": 0}, "duration"),
        ({"duration": "5"}, "duration"),
        ({"duration": 5.5}, "duration"),
        ({"duration": True}, "duration"),
        ({"aspect_ratio": "2:1"}, "aspect_ratio"),
        ({"size": "2:1"}, "size"),
        ({"aspect_ratio": "16:9", "size": "16:9"}, "size"),
        ({"aspect_ratio": "adaptive"}, "aspect_ratio"),
        ({"generate_audio": "yes"}, "generate_audio"),
        ({"return_last_frame": 1}, "return_last_frame"),
        ({"seed": "7"}, "seed"),
        ({"seed": -2}, "seed"),
        ({"n": 2}, "n"),
        ({"tools": ["web_search"]}, "tools"),
        ({"nsfw_check": "no"}, "nsfw_check"),
        ({"callback_url": "http://bot.example/x"}, "callback_url"),
        ({"image_url": "http://media.example/1.png"}, "image_url"),
        ({"image_url": [PICTURE]}, "image_url"),
        ({"image_url": "asset://1"}, "image_url"),
        ({"image_urls": PICTURE}, "image_urls"),
        ({"image_urls": [PICTURE] * 10}, "image_urls"),
        ({"image_url": PICTURE, "image_urls": [PICTURE]}, "image_urls"),
        ({"image_urls": [PICTURE], "image_with_roles": [{"url": PICTURE, "role": "first_frame"}]}, "image_with_roles"),
        ({"image_with_roles": [{"url": PICTURE, "role": "middle"}]}, "image_with_roles"),
        ({"image_with_roles": [{"url": PICTURE}]}, "image_with_roles"),
        ({"image_with_roles": [{"url": PICTURE, "role": "last_frame"}]}, "image_with_roles"),
        ({"image_with_roles": [{"url": PICTURE, "role": "first_frame"}] * 2}, "image_with_roles"),
        (
            {
                "image_with_roles": [
                    {"url": PICTURE, "role": "first_frame"},
                    {"url": PICTURE, "role": "reference_image"},
                ]
            },
            "image_with_roles",
        ),
        ({"image_url": PICTURE, "video_urls": ["https://media.example/1.mp4"]}, "image_with_roles"),
        ({"video_urls": ["https://media.example/1.mp4"] * 4}, "video_urls"),
        ({"audio_urls": ["https://media.example/1.wav"] * 4}, "audio_urls"),
        ({"audio_urls": ["https://media.example/1.wav"]}, "audio_urls"),
    ],
)
async def test_a_body_that_the_documents_do_not_allow_is_refused(
    studio: APIMartClient, changes: Mapping[str, Any], param: str
) -> None:
    answer = await studio.create(**changes)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert await studio.charges() == []


@pytest.mark.parametrize("body", [b'{"model":', b"[]", b"", b"null"])
async def test_a_body_that_is_no_object_is_refused(studio: APIMartClient, body: bytes) -> None:
    assert (await studio.http.post("/v1/videos/generations", content=body)).status_code == 400


@pytest.mark.parametrize(
    ("field", "names", "said"),
    [
        ("image_url", "tiny.png", "edges"),
        ("image_url", "page.png", "not a supported image"),
        ("image_url", "film.mp4", "not a supported image"),
        ("image_url", "missing.png", "could not be downloaded (HTTP 404)"),
        ("video_urls", ["cup.png"], "not a supported video"),
        ("video_urls", ["1.mp4", "2.mp4", "missing.mp4"], "could not be downloaded"),
        ("audio_urls", ["long.wav"], "lasts 16.0 s"),
        ("audio_urls", ["short.wav"], "lasts 1.0 s"),
    ],
)
async def test_a_file_is_fetched_and_held_to_the_limits(
    studio: APIMartClient, media: str, field: str, names: str | list[str], said: str
) -> None:
    urls = f"{media}/{names}" if isinstance(names, str) else [f"{media}/{name}" for name in names]
    changes: dict[str, Any] = {field: urls}
    if field == "audio_urls":
        changes["video_urls"] = [f"{media}/film.mp4"]
    answer = await studio.create(**changes)
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]
    assert await studio.charges() == []


async def test_every_mode_is_taken_in_the_words_of_both_documents(studio: APIMartClient, media: str) -> None:
    first, last = ({"url": f"{media}/{name}.png", "role": f"{name}_frame"} for name in ("first", "last"))
    references = [{"url": f"{media}/{number}.png", "role": "reference_image"} for number in range(9)]
    films, sounds = [f"{media}/{n}.mp4" for n in range(3)], [f"{media}/{n}.wav" for n in range(3)]
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("text", {"duration": -1}),
        ("text", {"size": "9:16", "tools": [{"type": "web_search"}], "n": 1, "nsfw_check": True}),
        ("frames", {"image_url": first["url"], "aspect_ratio": "adaptive", "prompt": None}),
        ("frames", {"image_urls": [first["url"]], "size": "adaptive"}),
        ("frames", {"image_with_roles": [first, last]}),
        ("references", {"image_urls": [one["url"] for one in references]}),
        ("references", {"image_with_roles": references, "video_urls": films, "audio_urls": sounds}),
        ("references", {"video_urls": films[:1], "aspect_ratio": "adaptive"}),
    ]
    for _, changes in bodies:
        await studio.begin(**changes)
    charges = await studio.charges()
    assert [charge["kind"] for charge in charges] == [kind for kind, _ in bodies]
    assert charges[0]["seconds"] == 5, "the model chooses the length"


async def test_models_have_their_prices(studio: APIMartClient, media: str) -> None:
    film = [f"{media}/film.mp4"]
    await studio.begin(resolution="1080p")
    await studio.begin(model="seedance-2-0", resolution="1080p")
    await studio.begin(model="seedance-2.0", video_urls=film)
    await studio.begin(model="seedance-2.0-mini")
    await studio.begin(model="doubao-seedance-2.0-fast-face", duration=10)
    assert [charge["micro_usd"] for charge in await studio.charges()] == [324_000, 1_772_000, 200_000, 42_240, 810_000]


# Keys and money


async def test_the_same_key_and_body_are_charged_once(studio: APIMartClient) -> None:
    first, again = await studio.create(key="ask-1"), await studio.create(key="ask-1")
    assert "idempotency-replayed" not in first.headers
    assert (again.headers["idempotency-replayed"], again.content) == ("true", first.content)
    assert [charge["key"] for charge in await studio.charges()] == ["ask-1"]
    other = await studio.create(key="ask-1", prompt="another")
    assert (other.status_code, other.json()["error"]["type"]) == (409, "idempotency_error")
    assert (await studio.create(key="ask-2", duration=99)).status_code == 400
    assert (await studio.create(key="ask-2")).status_code == 200, "a refusal does not use up its key"
    for bad in ("x" * 192, "with space", ""):
        assert (await studio.create(key=bad)).status_code == 400
    await studio.stage.settings("apimart", key_seconds=0)
    assert "idempotency-replayed" not in (await studio.create(key="ask-1")).headers
    assert len(await studio.charges()) == 3


async def test_a_key_in_work_says_when_to_come_back(studio: APIMartClient) -> None:
    studio.stage.fault("apimart:create", "do", "slow_processing", seconds=0.5)
    first = asyncio.create_task(studio.create(key="ask-1"))
    while "create" not in await studio.stage.requests("apimart"):
        await asyncio.sleep(0.01)
    second = await studio.create(key="ask-1")
    assert (second.status_code, second.headers["retry-after"]) == (409, "1")
    assert "in progress" in second.json()["error"]["message"]
    task_id = (await first).json()["task_id"]
    assert (await studio.create(key="ask-1")).json()["task_id"] == task_id
    assert len(await studio.charges()) == 1


async def test_without_money_nothing_is_made_and_the_balance_says_so(studio: APIMartClient) -> None:
    await studio.stage.settings("apimart", balance=0.5)
    await studio.begin()
    answer = await studio.create()
    assert (answer.status_code, answer.json()["error"]["type"]) == (402, "payment_required")
    account = (await studio.http.get("/v1/user/balance")).json()
    assert account == {
        "success": True,
        "remain_balance": 0.176,
        "remain_credits": 1.76,
        "used_balance": 0.324,
        "used_credits": 3.24,
        "unlimited_quota": False,
    }
    assert (await studio.http.get("/v1/balance")).json()["unlimited_quota"] is True


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        ({"reason": "policy"}, {"code": 400, "type": "invalid_request_error"}),
        ({"reason": "timeout"}, {"code": 504, "type": "upstream_error"}),
        ({"code": "OutputVideoSensitiveContentDetected"}, {"code": "OutputVideoSensitiveContentDetected"}),
    ],
)
async def test_a_failed_task_says_why_and_costs_nothing(
    studio: APIMartClient, outcome: dict[str, Any], error: dict[str, Any]
) -> None:
    studio.stage.outcome("apimart", "fail", **outcome)
    data = await studio.finished()
    assert (data["status"], data["cost"], "result" in data) == ("failed", 0, False)
    assert error.items() <= data["error"].items()
    assert (await studio.charges())[0]["status"] == "refunded"
    assert await studio.stage.balance("apimart") == PLENTY


async def test_a_failure_that_is_kept_says_what_it_cost(studio: APIMartClient) -> None:
    studio.stage.outcome("apimart", "fail", refund=False)
    assert (await studio.finished())["cost"] == 0.324
    assert (await studio.charges())[0]["status"] == "settled"


async def test_other_files_come_after_the_clip(studio: APIMartClient) -> None:
    studio.outcome("extra_outputs")
    assert set((await studio.finished())["result"]) == {"videos", "last_frame_url", "thumbnail_url"}


async def test_faults_strike_with_the_vendors_own_words(studio: APIMartClient) -> None:
    studio.stage.fault("apimart:create", "before", "ratelimit", retry_after="7")
    throttled = await studio.create()
    assert (throttled.status_code, throttled.headers["retry-after"]) == (429, "7")
    assert throttled.json()["error"]["type"] == "rate_limit_error"
    studio.stage.fault("apimart:balance", "before", "status", status=503)
    away = await studio.http.get("/v1/balance")
    assert (away.status_code, away.json()["error"]["code"]) == (503, 503)
    studio.stage.fault("apimart:create", "amid", "reset")
    with pytest.raises(httpx.ReadError):
        await studio.create(key="ask-1")
    found = await studio.create(key="ask-1")
    (charge,) = await studio.charges()
    assert (found.headers["idempotency-replayed"], found.json()["task_id"]) == ("true", charge["task_id"])


# Uploads, the catalogue


async def test_a_picture_is_taken_by_its_first_bytes_and_can_be_given_as_a_frame(studio: APIMartClient) -> None:
    for form, kind in (("PNG", "image/png"), ("JPEG", "image/jpeg"), ("GIF", "image/gif"), ("WEBP", "image/webp")):
        content = picture(640, 480, form)
        answer = await studio.http.post(
            "/v1/uploads/images", files={"file": ("a mug/.bin", content, "application/octet-stream")}
        )
        upload = answer.json()
        assert (answer.status_code, upload["content_type"], upload["bytes"]) == (200, kind, len(content))
        assert upload["created_at"] == pytest.approx(time.time(), abs=5)
        assert (await studio.http.get(upload["url"])).content == content
        assert (await studio.http.get(f"{upload['url']}x")).status_code == 404
    await studio.begin(image_url=upload["url"])
    assert [charge["kind"] for charge in await studio.charges()] == ["frames"]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"files": {"file": ("a.png", b"no picture")}}, 400),
        ({"files": {"file": ("a.mp4", b"\0\0\0\x18ftypmp42")}}, 400),
        ({"files": {"picture": ("a.png", picture(4, 4))}}, 400),
        ({"json": {"file": "https://media.example/1.png"}}, 400),
        ({"files": {"file": ("a.png", bytes(31 * 1024 * 1024))}}, 413),
    ],
)
async def test_an_upload_that_is_no_picture_is_refused(
    studio: APIMartClient, sent: dict[str, Any], status: int
) -> None:
    answer = await studio.http.post("/v1/uploads/images", **sent)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, "file")


async def test_the_catalogue_answers_as_the_vendors_client_wants_it(studio: APIMartClient) -> None:
    models = (await studio.http.get("/v1/models")).json()
    assert {"id": MINI, "object": "model"} in models["data"]
    schema = (await studio.http.get("/v1/model-schema", params={"model": MINI})).json()
    assert (schema["model"], schema["operation"]) == (MINI, "video_generation")
    docs = (await studio.http.get("/v1/model-docs", params={"model": MINI})).json()
    assert (docs["object"], docs["stale"]) == ("model.documentation", False)
    assert docs["markdown"]
    unknown = await studio.http.get("/v1/model-docs", params={"model": "sora"})
    wrong = await studio.http.get("/v1/model-schema", params={"model": MINI, "operation": "image_generation"})
    assert (unknown.status_code, wrong.status_code) == (404, 400)
