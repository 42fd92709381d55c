"""The emulated seedanceapi.org as a client meets it: real HTTP, real money in the ledger, real files."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import av
import pytest

from bot.clock import SystemClock
from bot.domain.pricing import PriceTable
from bot.domain.recipe import MediaKind, MediaRole, Medium, Recipe
from bot.ports import OrderAccepted, OrderRefused, TaskFailed, TaskFinished, TaskMissing, TaskReport, TaskRunning
from bot.providers.seedanceapi import SeedanceAPI
from bot.sandbox.render import frame_size
from tests.sandbox.clients import SeedanceAPIClient, connected
from tests.support.backstage import Ear

NAME = "seedanceapi"
MINI, STANDARD = "seedance-2-mini", "seedance-2.0"
FAR = "https://x.example"


@pytest.fixture
async def client(data: Path) -> AsyncIterator[SeedanceAPIClient]:
    async with connected(SeedanceAPIClient, data) as client:
        yield client


async def test_a_task_becomes_a_clip_that_plays_to_its_end(client: SeedanceAPIClient) -> None:
    await client.settings(fidelity="full")
    data = await client.finished(aspect_ratio="9:16")
    assert set(data) == {"task_id", "status", "response", "error_message"}
    assert (data["status"], data["error_message"]) == ("SUCCESS", None)
    (url,) = data["response"]
    answer = await client.http.get(url)
    with av.open(io.BytesIO(answer.content), "r") as clip:
        frames = list(clip.decode(video=0))
    assert (len(frames), frames[0].width, frames[0].height) == (96, 496, 864)


async def test_the_guides_example_is_taken_and_answered_as_its_clients_read_it(client: SeedanceAPIClient) -> None:
    example = {"prompt": "A compact product reveal with smooth camera motion", "resolution": "720p"}
    client.stage.outcome(NAME, "fail")  # so that nothing large is rendered
    answer = await client.create(**example, duration=8, aspect_ratio="1:1")
    task_id = answer.json()["data"]["task_id"]
    assert answer.json() == {
        "code": 200,
        "message": "success",
        "data": {"task_id": task_id, "status": "IN_PROGRESS"},
    }
    (charge,) = await client.charges()
    assert (charge["task_id"], charge["micro_usd"], charge["kind"]) == (task_id, 2_460_000, "text")


async def test_without_the_key_nothing_is_answered(client: SeedanceAPIClient) -> None:
    task_id = await client.begin()
    for method, path in (("POST", "/v2/generate"), ("GET", f"/v2/status?task_id={task_id}")):
        answer = await client.http.request(method, path, headers={"Authorization": "Bearer wrong"})
        assert (answer.status_code, answer.json()) == (401, {"code": 401, "message": "Invalid API key"})
    assert len(await client.charges()) == 1


async def test_an_unknown_task_and_none_are_refused(client: SeedanceAPIClient) -> None:
    answer = await client.status("sd2_0")
    assert (answer.status_code, answer.json()) == (404, {"code": 404, "message": "Task not found"})
    assert (await client.http.get("/v2/status")).status_code == 400


# --- what is refused, and what is taken ------------------------------------------------------------------------------


REFUSED: tuple[tuple[dict[str, Any], str], ...] = (
    ({"prompt": None}, "prompt"),
    ({"prompt": "  "}, "prompt"),
    ({"prompt": 7}, "prompt"),
    ({"prompt": "x" * 2_001}, "at most 2000"),
    ({"model": "seedance-2.0-mini"}, "model"),
    ({"duration": 3}, "duration"),
    ({"duration": 16}, "duration"),
    ({"duration": -1}, "duration"),
    ({"duration": "8"}, "duration"),
    ({"duration": 5.0}, "duration"),
    ({"duration": True}, "duration"),
    ({"resolution": "1080p"}, "resolution"),
    ({"resolution": 720}, "resolution"),
    ({"aspect_ratio": "3:2"}, "aspect_ratio"),
    ({"model": STANDARD, "duration": 8}, "duration"),
    ({"model": STANDARD, "duration": 5, "aspect_ratio": "1:1"}, "aspect_ratio"),
    ({"model": STANDARD, "duration": 5, "aspect_ratio": "adaptive"}, "aspect_ratio"),
    ({"seed": 5}, "unknown parameter seed"),
    ({"generate_audio": False}, "unknown parameter generate_audio"),
    ({"negative_prompt": "blur"}, "unknown parameter negative_prompt"),
    ({"image_urls": [f"{FAR}/1.png"]}, "unknown parameter image_urls"),
    ({"last_frame_url": f"{FAR}/1.png"}, "unknown parameter last_frame_url"),
    ({"images": []}, "1 to 4"),
    ({"images": [f"{FAR}/1.png"] * 5}, "1 to 4"),
    ({"images": f"{FAR}/1.png"}, "images must be a list"),
    ({"images": [7]}, "images must be a URL"),
    ({"images": ["http://x.example/1.png"]}, "https"),
    ({"images": ["data:image/png;base64,AAAA"]}, "https"),
    ({"reference_video_urls": [f"{FAR}/1.mp4"] * 4}, "1 to 3"),
    ({"reference_audio_urls": [f"{FAR}/1.mp3"]}, "needs images"),
    ({"images": [f"{FAR}/1.png"], "reference_video_urls": [f"{FAR}/1.mp4"]}, "not both"),
    ({"callback_url": "http://localhost:8000/x"}, "not localhost"),
    ({"callback_url": "https://localhost/x"}, "not localhost"),
    ({"callback_url": {"url": "https://bot.example/x"}}, "callback_url must be a URL"),
)


async def test_what_the_document_does_not_allow_is_refused(client: SeedanceAPIClient) -> None:
    for changes, said in REFUSED:
        answer = await client.create(**changes)
        assert (answer.status_code, answer.json()["code"]) == (400, 400), changes
        assert said in answer.json()["message"], changes
    for content in (b'{"model":', b"[]", b'"x"', b""):
        assert (await client.http.post("/v2/generate", content=content)).status_code == 400, content
    assert await client.charges() == []


async def test_without_a_model_the_standard_one_is_meant_and_the_rest_has_defaults(client: SeedanceAPIClient) -> None:
    client.stage.outcome(NAME, "fail")  # so that nothing large is rendered
    answer = await client.http.post("/v2/generate", json={"prompt": "a red panda"})
    assert answer.status_code == 200
    (charge,) = await client.charges()
    assert (charge["seconds"], charge["resolution"], charge["micro_usd"]) == (5, "720p", 2_400_000)


async def test_a_reference_is_fetched_and_held_to_the_limits(client: SeedanceAPIClient, media: str) -> None:
    sounds = {"images": [f"{media}/a.png"], "reference_audio_urls": [f"{media}/long.wav"]}
    refused: tuple[tuple[dict[str, Any], str], ...] = (
        ({"images": [f"{media}/missing.png"]}, "HTTP 404"),
        ({"images": [f"{media}/page.png"]}, "not a supported image"),
        ({"images": [f"{media}/film.mp4"]}, "not a supported image"),
        ({"reference_video_urls": [f"{media}/first.png"]}, "not a supported video"),
        (sounds, "lasts 16.0 s"),
    )
    for changes, said in refused:
        answer = await client.create(**changes)
        assert (answer.status_code, answer.json()["code"]) == (400, 400), changes
        assert said in answer.json()["message"], changes
    assert await client.charges() == []


async def test_every_kind_of_input_has_its_price_in_whole_credits(client: SeedanceAPIClient, media: str) -> None:
    await client.begin(duration=5)
    await client.begin(duration=5, images=[f"{media}/a.png"])
    await client.begin(duration=5, images=[f"{media}/a.png", f"{media}/b.png"])
    await client.begin(duration=5, reference_video_urls=[f"{media}/film.mp4"], reference_audio_urls=[f"{media}/a.wav"])
    client.stage.outcome(NAME, "fail")  # so that nothing large is rendered
    await client.begin(duration=15, model=STANDARD, resolution="1080p")
    assert [(charge["kind"], charge["micro_usd"]) for charge in await client.charges()] == [
        ("text", 720_000),
        ("frames", 720_000),
        ("references", 720_000),
        ("references", 450_000),
        ("text", 7_200_000),
    ]


async def test_pictures_beside_videos_are_a_switch(client: SeedanceAPIClient, media: str) -> None:
    client.stage.outcome(NAME, "fail")
    both: dict[str, Any] = {"images": [f"{media}/a.png"], "reference_video_urls": [f"{media}/film.mp4"]}
    assert (await client.create(**both)).status_code == 400
    await client.settings(allow_mixed_references=True)
    assert (await client.create(**both)).status_code == 200


async def test_a_picture_brings_its_shape_unless_a_ratio_is_given(client: SeedanceAPIClient, media: str) -> None:
    for changes, ratio in (({}, "4:3"), ({"aspect_ratio": "adaptive"}, "4:3"), ({"aspect_ratio": "9:16"}, "9:16")):
        data = await client.finished(images=[f"{media}/first.png"], **changes)
        answer = await client.http.get(data["response"][0])
        with av.open(io.BytesIO(answer.content), "r") as clip:
            shown = clip.streams.video[0].width, clip.streams.video[0].height
        assert shown == frame_size("480p", ratio), changes


# --- money -----------------------------------------------------------------------------------------------------------


async def test_the_same_body_again_is_charged_again(client: SeedanceAPIClient) -> None:
    """There is no idempotency key."""
    first, second = await client.begin(), await client.begin()
    assert first != second
    assert [charge["key"] for charge in await client.charges()] == [None, None]


async def test_without_credits_nothing_is_made(client: SeedanceAPIClient) -> None:
    await client.settings(balance=0.5)
    answer = await client.create()
    assert (answer.status_code, answer.json()) == (402, {"code": 402, "message": "Insufficient credits"})
    assert await client.charges() == []
    await client.settings(balance=1)
    await client.begin()
    assert await client.stage.balance(NAME) == 1_000_000 - 570_000


async def test_prices_without_credits_are_exact(client: SeedanceAPIClient) -> None:
    await client.settings(credit_usd=0)
    await client.begin(duration=5)
    assert [charge["micro_usd"] for charge in await client.charges()] == [712_500]


# --- outcomes and faults ---------------------------------------------------------------------------------------------


async def test_a_failed_task_says_why_and_is_refunded(client: SeedanceAPIClient) -> None:
    client.stage.outcome(NAME, "fail", reason="face")
    data = await client.finished()
    assert (data["status"], data["response"]) == ("FAILED", [])
    assert "real person" in data["error_message"]
    assert [charge["status"] for charge in await client.charges()] == ["refunded"]


async def test_a_server_error_has_a_code_and_words(client: SeedanceAPIClient) -> None:
    client.fault("create", "before", "status", status=503)
    assert (await client.create()).json() == {"code": 503, "message": "Service unavailable"}


async def test_calls_are_matched_by_prompt_model_and_task(client: SeedanceAPIClient) -> None:
    tiger = await client.begin(prompt="a tiger")
    for point, match in (("create", {"prompt": "panda"}), ("get", {"prompt": "tiger"})):
        rule = {"point": f"{NAME}:{point}", "phase": "before", "match": match}
        client.stage.faults.add(rule | {"action": {"kind": "ratelimit", "retry_after": "1"}})
    assert (await client.create()).status_code == 429
    assert (await client.status(tiger)).status_code == 429
    assert (await client.create(prompt="a tiger")).status_code == 200
    assert (await client.stage.requests(NAME))["create"] == 3


# --- callbacks -------------------------------------------------------------------------------------------------------


async def test_a_callback_may_be_sent_once_alone(client: SeedanceAPIClient, ear: Ear) -> None:
    await client.settings(callback_retries=[])
    ear.answers = [500]
    task_id = await client.begin(callback_url=ear.url)
    ((headers, body),) = await ear.wait(1)
    assert json.loads(body) == (await client.status(task_id)).json()
    assert not any("sign" in name.lower() for name in headers)
    await client.finished(callback_url=ear.url)
    assert len(await ear.wait(2)) == 2, "the first was not sent again"


# --- the adapter before it, in both dialects -------------------------------------------------------------------------


async def until(adapter: SeedanceAPI, task_id: str, done: Callable[[TaskReport], bool]) -> TaskReport:
    """The first report of that kind."""
    deadline = time.monotonic() + 15
    while not done(report := await adapter.look(task_id)):
        assert time.monotonic() < deadline, report
        await asyncio.sleep(0.02)
    return report


@pytest.mark.parametrize("dialect", ["document", "live"])
async def test_the_adapter_understands_either_dialect(
    client: SeedanceAPIClient, media: str, ear: Ear, dialect: str
) -> None:
    """A clip, its price, a callback, and every refusal; and a video given, which the shared test leaves out."""
    stage = client.stage
    await client.settings(dialect=dialect)
    adapter = SeedanceAPI(key=stage.key(NAME), clock=SystemClock(), base_url=stage.base(NAME))
    film = Medium(role=MediaRole.REFERENCE, kind=MediaKind.VIDEO, url=f"{media}/film.mp4")
    recipe = Recipe(prompt="as in @Video1", seconds=5, media=(film,))
    order = adapter.order(recipe, "j1-1", ear.url)
    accepted = await adapter.submit(order)
    assert isinstance(accepted, OrderAccepted)
    report = await until(adapter, accepted.task_id, lambda one: not isinstance(one, TaskRunning))
    assert isinstance(report, TaskFinished)
    (charge,) = await client.charges()
    assert charge["micro_usd"] == PriceTable().quote(recipe, NAME).micro_usd == 450_000
    assert report.cost_micro_usd == (450_000 if dialect == "live" else None)
    ((headers, body),) = await ear.wait(1)
    assert adapter.told(headers, body) == accepted.task_id
    assert json.loads((await stage.tasks(NAME))[0]["body"]) == json.loads(order.body)

    stage.outcome(NAME, "fail", reason="audio")
    failed = await adapter.submit(adapter.order(Recipe(prompt="a shout"), "j2-1"))
    assert isinstance(failed, OrderAccepted)
    report = await until(adapter, failed.task_id, lambda one: isinstance(one, TaskFailed))
    assert isinstance(report, TaskFailed)
    assert report.failure.kind.value == "audio_moderation"

    assert await adapter.look("sd2_0") == TaskMissing()
    assert await adapter.check() is None
    await client.settings(balance=0)
    stranger = SeedanceAPI(key="another", clock=SystemClock(), base_url=stage.base(NAME))
    for asking, kind in ((adapter, "out_of_credit"), (stranger, "key_refused")):
        refused = await asking.submit(asking.order(Recipe(prompt="a panda"), "j3-1"))
        assert isinstance(refused, OrderRefused)
        assert refused.failure.kind.value == kind
        await asking.close()
