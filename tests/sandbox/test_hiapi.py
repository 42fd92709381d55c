"""The emulated HiAPI as a client meets it: real HTTP, real money in the ledger, real files."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import io
import json
import time
import wave
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import httpx
import pytest
from aiohttp import web
from PIL import Image

from bot.sandbox.faults import Faults
from bot.sandbox.providers import Providers, make_providers
from bot.sandbox.render.clip import ClipSpec, encode

INPUT: dict[str, Any] = {"prompt": "a red panda", "resolution": "480p", "duration": 4}
MINI = "seedance-2.0-mini"


@asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[str]:
    """An application on a port of its own; gives its origin."""
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@dataclass(kw_only=True)
class Studio:
    """A client of HiAPI with the back door open."""

    http: httpx.AsyncClient
    control: httpx.AsyncClient
    faults: Faults
    providers: Providers
    news: list[int] = field(default_factory=list)

    async def create(
        self, *, key: str | None = None, body: Mapping[str, Any] | None = None, **changes: Any
    ) -> httpx.Response:
        """Post a task: `body` whole, or the usual input with some fields changed."""
        headers = {} if key is None else {"Idempotency-Key": key}
        asked = body or {"model": MINI, "input": INPUT | changes}
        return await self.http.post("/v1/tasks", json=asked, headers=headers)

    async def begin(self, **changes: Any) -> str:
        answer = await self.create(**changes)
        assert answer.status_code == 200, answer.text
        task_id: str = answer.json()["data"]["taskId"]
        return task_id

    async def read(self, task_id: str) -> dict[str, Any]:
        answer = await self.http.get(f"/v1/tasks/{task_id}")
        data: dict[str, Any] = answer.json()["data"]
        return data

    async def until(self, task_id: str, *words: str) -> dict[str, Any]:
        """Poll until the status is one of these words."""
        deadline = time.monotonic() + 15
        while (data := await self.read(task_id))["status"] not in words:
            assert time.monotonic() < deadline, f"still {data}"
            await asyncio.sleep(0.02)
        return data

    async def finished(self, **changes: Any) -> dict[str, Any]:
        return await self.until(await self.begin(**changes), "success", "fail")

    async def settings(self, **changes: Any) -> httpx.Response:
        return await self.control.post("/hiapi/settings", json=changes)

    async def charges(self) -> list[dict[str, Any]]:
        charges: list[dict[str, Any]] = (await self.control.get("/hiapi/ledger")).json()["charges"]
        return charges

    def rule(self, point: str, kind: str, phase: str = "do", times: int = 1, **action: Any) -> None:
        self.faults.add({"point": point, "phase": phase, "times": times, "action": {"kind": kind, **action}})

    def outcome(self, kind: str, **action: Any) -> None:
        self.rule("hiapi:outcome", kind, **action)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all tests, so that what is encoded for one serves the others."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture
async def studio(data_dir: Path) -> AsyncIterator[Studio]:
    """Renders take no time by the clock, and all clips of a size share one encode."""
    faults, news = Faults(), [0]

    def changed() -> None:
        news[0] += 1

    providers = make_providers(data_dir=data_dir, faults=faults, changed=changed)
    back_door = web.Application()
    back_door.add_routes(providers.control_routes)
    async with served(providers.app) as origin, served(back_door) as back_origin:
        await providers.start(origin)
        there = providers.credentials()
        headers = {"Authorization": f"Bearer {there['HIAPI_API_KEY']}"}
        async with (
            httpx.AsyncClient(base_url=there["HIAPI_BASE_URL"], headers=headers, timeout=10) as http,
            httpx.AsyncClient(base_url=back_origin) as control,
        ):
            studio = Studio(http=http, control=control, faults=faults, providers=providers, news=news)
            await studio.settings(render_seconds=0, fidelity="cached", callback_retries=[0.05, 0.05])
            yield studio
        faults.clear()
        await providers.close()


async def test_a_task_becomes_a_clip_that_plays_to_its_end(studio: Studio) -> None:
    await studio.settings(fidelity="full")
    data = await studio.finished(aspect_ratio="9:16")
    (output,) = data["output"]
    assert output["type"] == "video"
    assert output["url"].endswith("/0.mp4")
    assert output["expireAt"] == pytest.approx(time.time() + 7 * 86_400, abs=5)
    answer = await studio.http.get(output["url"])
    assert answer.headers["content-type"] == "video/mp4"
    with av.open(io.BytesIO(answer.content), "r") as clip:
        frames = list(clip.decode(video=0))
    assert (len(frames), frames[0].width, frames[0].height) == (96, 496, 864)


async def test_a_download_can_be_taken_in_ranges(studio: Studio) -> None:
    url = (await studio.finished())["output"][0]["url"]
    whole = (await studio.http.get(url)).content
    part = await studio.http.get(url, headers={"Range": "bytes=1000-1999"})
    assert part.status_code == 206
    assert part.headers["content-range"] == f"bytes 1000-1999/{len(whole)}"
    assert part.content == whole[1000:2000]


async def test_statuses_come_in_order_by_the_clock(studio: Studio) -> None:
    await studio.finished()  # so that the encode is no part of what is measured
    await studio.settings(render_seconds=1)
    task_id = await studio.begin()
    words: list[str] = []
    while not words or words[-1] != "success":
        word = (await studio.read(task_id))["status"]
        if not words or word != words[-1]:
            words.append(word)
        await asyncio.sleep(0.02)
    assert words == ["queued", "handling", "archiving", "success"]
    data = await studio.read(task_id)
    assert data["completed"] - data["created"] in (1, 2)


async def test_the_same_paths_are_served_without_the_version(studio: Studio) -> None:
    answer = await studio.http.post("/tasks", json={"model": MINI, "input": INPUT})
    task_id = answer.json()["data"]["taskId"]
    assert (await studio.http.get(f"/tasks/{task_id}")).json()["data"]["taskId"] == task_id
    assert len(task_id.removeprefix("tk-hiapi-")) == 26


async def test_without_the_key_nothing_is_answered(studio: Studio) -> None:
    task_id = await studio.begin()
    for method, path in (("POST", "/v1/tasks"), ("GET", "/v1/tasks"), ("GET", f"/v1/tasks/{task_id}")):
        answer = await studio.http.request(method, path, headers={"Authorization": "Bearer wrong"})
        assert (answer.status_code, answer.json()["code"]) == (401, 401)
    assert len(await studio.charges()) == 1


async def test_the_list_is_newest_first_and_in_pages(studio: Studio) -> None:
    made = [await studio.begin(prompt=f"panda {number}") for number in range(5)]
    answer = (await studio.http.get("/v1/tasks", params={"page": 2, "size": 2})).json()["data"]
    assert [task["taskId"] for task in answer["tasks"]] == [made[2], made[1]]
    assert (answer["page"], answer["size"], answer["total"]) == (2, 2, 5)
    assert "input" not in answer["tasks"][0]
    assert (await studio.http.get("/v1/tasks", params={"size": "many"})).status_code == 400


async def test_an_unknown_task_is_not_found(studio: Studio) -> None:
    answer = await studio.http.get("/v1/tasks/tk-hiapi-0")
    assert answer.status_code == 404
    assert answer.json() == {"code": 404, "message": "task not found", "data": None}


# What is refused, and what is taken


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": "   "}, "prompt"),
        ({"prompt": "x" * 20_001}, "prompt"),
        ({"prompt": 7}, "prompt"),
        ({"resolution": "1080p"}, "resolution"),
        ({"resolution": None}, "resolution"),
        ({"duration": 3}, "duration"),
        ({"duration": 16}, "duration"),
        ({"duration": -1}, "duration"),
        ({"duration": "5"}, "duration"),
        ({"duration": 5.0}, "duration"),
        ({"duration": True}, "duration"),
        ({"aspect_ratio": "2:1"}, "aspect_ratio"),
        ({"generate_audio": "yes"}, "generate_audio"),
        ({"seed": 5}, "unknown field input.seed"),
        ({"return_last_frame": True}, "unknown field input.return_last_frame"),
        ({"callback": {"url": "https://bot.example/x"}}, "unknown field input.callback"),
        ({"callback_url": "https://bot.example/x"}, "unknown field input.callback_url"),
        ({"last_frame_url": "https://x.example/1.png"}, "needs first_frame_url"),
        ({"first_frame_url": "http://x.example/1.png"}, "https"),
        ({"first_frame_url": "file:///etc/passwd"}, "https"),
        ({"first_frame_url": "data:image/png;base64,AAAA"}, "https"),
        (
            {"first_frame_url": "https://x.example/1.png", "reference_image_urls": ["https://x.example/2.png"]},
            "excludes",
        ),
        (
            {"first_frame_url": "https://x.example/1.png", "reference_video_urls": ["https://x.example/2.mp4"]},
            "excludes",
        ),
        (
            {
                "reference_image_urls": ["https://x.example/1.png"],
                "reference_video_urls": ["https://x.example/2.mp4"],
            },
            "mutually exclusive",
        ),
        ({"reference_image_urls": ["https://x.example/1.png"] * 10}, "at most 9"),
        ({"reference_video_urls": ["https://x.example/1.mp4"] * 4}, "at most 3"),
        ({"reference_audio_urls": ["https://x.example/1.wav"] * 4}, "at most 3"),
        ({"reference_audio_urls": ["https://x.example/1.wav"]}, "needs reference_image_urls or reference_video_urls"),
        ({"reference_image_urls": "https://x.example/1.png"}, "list"),
    ],
)
async def test_an_input_that_the_document_does_not_allow_is_refused(
    studio: Studio, changes: Mapping[str, Any], said: str
) -> None:
    answer = await studio.create(**changes)
    assert answer.status_code == 400
    assert answer.json()["error_code"] == "INVALID_REQUEST"
    assert said in answer.json()["message"]
    assert await studio.charges() == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ([], "INVALID_REQUEST"),
        ({"input": INPUT}, "INVALID_REQUEST"),
        ({"model": MINI}, "INVALID_REQUEST"),
        ({"model": MINI, "input": INPUT, "prompt": "x"}, "INVALID_REQUEST"),
        ({"model": "sora", "input": INPUT}, "MODEL_UNAVAILABLE"),
        ({"model": MINI, "input": INPUT, "storage": "mine"}, "INVALID_REQUEST"),
        ({"model": MINI, "input": INPUT, "callback": {"when": "final"}}, "INVALID_REQUEST"),
        (
            {"model": MINI, "input": INPUT, "callback": {"url": "https://b.example/", "when": "start"}},
            "INVALID_REQUEST",
        ),
        (
            {"model": MINI, "input": INPUT, "callback": {"url": "http://b.example/"}},
            "INVALID_REQUEST",
        ),
    ],
)
async def test_a_body_that_the_document_does_not_allow_is_refused(studio: Studio, body: Any, code: str) -> None:
    answer = await studio.http.post("/v1/tasks", json=body)
    assert (answer.status_code, answer.json()["error_code"]) == (400, code)
    assert await studio.charges() == []


async def test_a_body_that_is_no_json_is_refused(studio: Studio) -> None:
    answer = await studio.http.post("/v1/tasks", content=b'{"model":')
    assert answer.status_code == 400


async def test_resolution_and_duration_are_required(studio: Studio) -> None:
    for name in ("prompt", "resolution", "duration"):
        given = {field: value for field, value in INPUT.items() if field != name}
        assert (await studio.create(body={"model": MINI, "input": given})).status_code == 400


async def test_the_standard_model_takes_more(studio: Studio) -> None:
    given = INPUT | {"resolution": "1080p", "seed": 7, "return_last_frame": True}
    answer = await studio.create(body={"model": "seedance-2-0", "input": given})
    data = await studio.until(answer.json()["data"]["taskId"], "success")
    assert [output["type"] for output in data["output"]] == ["video", "last_frame"]
    still = await studio.http.get(data["output"][1]["url"])
    assert still.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(still.content)).size == (1920, 1080)
    assert (await studio.charges())[0]["micro_usd"] == 4 * 600_000


# References


def png(width: int, height: int) -> bytes:
    picture = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(picture, format="PNG")
    return picture.getvalue()


def wav(seconds: float) -> bytes:
    sound = io.BytesIO()
    with wave.open(sound, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(int(16_000 * seconds)))
    return sound.getvalue()


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    encode(ClipSpec(task_id="f", prompt="f", resolution="480p", ratio="16:9", seconds=8, audio=False), path)
    return path.read_bytes()


@pytest.fixture
async def shelf(film: bytes) -> AsyncIterator[str]:
    """A server with reference files."""
    files = {
        "wide.png": png(1600, 1200),
        "tiny.png": png(200, 200),
        "strip.png": png(3000, 400),
        "broken.png": png(400, 400)[:20],
        "page.png": b"<!DOCTYPE html><html></html>",
        "film.mp4": film,
        "long.wav": wav(16),
        "short.wav": wav(1),
        "good.wav": wav(8),
    }

    async def give(request: web.Request) -> web.Response:
        if request.match_info["name"] not in files:
            raise web.HTTPNotFound
        return web.Response(body=files[request.match_info["name"]])

    app = web.Application()
    app.router.add_get("/{name}", give)
    async with served(app) as origin:
        yield origin


@pytest.mark.parametrize(
    ("field", "names", "said"),
    [
        ("reference_image_urls", ["tiny.png"], "edges"),
        ("reference_image_urls", ["strip.png"], "width by height"),
        ("reference_image_urls", ["broken.png"], "not a readable image"),
        ("reference_image_urls", ["page.png"], "not a supported image"),
        ("reference_image_urls", ["film.mp4"], "not a supported image"),
        ("reference_image_urls", ["missing.png"], "HTTP 404"),
        ("reference_video_urls", ["wide.png"], "not a supported video"),
        ("reference_video_urls", ["film.mp4", "film.mp4"], "in total"),
        ("reference_audio_urls", ["long.wav"], "lasts 16.0 s"),
        ("reference_audio_urls", ["short.wav"], "lasts 1.0 s"),
        ("reference_audio_urls", ["good.wav", "good.wav"], "in total"),
    ],
)
async def test_a_reference_is_fetched_and_held_to_the_limits(
    studio: Studio, shelf: str, field: str, names: list[str], said: str
) -> None:
    changes: dict[str, Any] = {field: [f"{shelf}/{name}" for name in names]}
    if field == "reference_audio_urls":
        changes["reference_image_urls"] = [f"{shelf}/wide.png"]
    answer = await studio.create(**changes)
    assert answer.status_code == 400
    assert said in answer.json()["message"]
    assert await studio.charges() == []


async def test_good_references_are_taken_and_a_video_makes_it_cheaper(studio: Studio, shelf: str) -> None:
    await studio.begin(reference_video_urls=[f"{shelf}/film.mp4"], reference_audio_urls=[f"{shelf}/good.wav"])
    await studio.begin(first_frame_url=f"{shelf}/wide.png", last_frame_url=f"{shelf}/wide.png")
    assert [(c["kind"], c["micro_usd"]) for c in await studio.charges()] == [
        ("references", 200_000),
        ("frames", 320_000),
    ]


async def test_an_adaptive_clip_takes_the_ratio_of_its_first_frame(studio: Studio, shelf: str) -> None:
    await studio.settings(fidelity="full")
    data = await studio.finished(first_frame_url=f"{shelf}/wide.png", aspect_ratio="adaptive")
    answer = await studio.http.get(data["output"][0]["url"])
    with av.open(io.BytesIO(answer.content), "r") as clip:
        assert (clip.streams.video[0].width, clip.streams.video[0].height) == (752, 560)


async def test_mixed_references_are_a_switch(studio: Studio, shelf: str) -> None:
    mixed: dict[str, Any] = {
        "reference_image_urls": [f"{shelf}/wide.png"],
        "reference_video_urls": [f"{shelf}/film.mp4"],
    }
    assert (await studio.create(**mixed)).status_code == 400
    await studio.settings(allow_mixed_references=True)
    assert (await studio.create(**mixed)).status_code == 200


# Idempotency and money


async def test_the_same_key_and_bytes_are_charged_once(studio: Studio) -> None:
    first = await studio.create(key="ask-1")
    again = await studio.create(key="ask-1")
    assert "idempotent-replay" not in first.headers
    assert again.headers["idempotent-replay"] == "true"
    assert again.content == first.content
    assert [charge["key"] for charge in await studio.charges()] == ["ask-1"]
    assert (await studio.control.get("/hiapi/requests")).json() == {"create": 2, "replayed": 1}


async def test_the_same_key_with_other_bytes_is_a_mismatch(studio: Studio) -> None:
    await studio.create(key="ask-1")
    spaced = json.dumps({"model": MINI, "input": INPUT}, indent=1)
    answer = await studio.http.post("/v1/tasks", content=spaced, headers={"Idempotency-Key": "ask-1"})
    assert (answer.status_code, answer.json()["error_code"]) == (422, "IDEMPOTENCY_KEY_MISMATCH")
    assert len(await studio.charges()) == 1


async def test_a_key_in_work_says_when_to_come_back(studio: Studio) -> None:
    studio.rule("hiapi:create", "slow_processing", seconds=0.5)
    first = asyncio.create_task(studio.create(key="ask-1"))
    while (await studio.control.get("/hiapi/requests")).json().get("create") is None:
        await asyncio.sleep(0.01)
    second = await studio.create(key="ask-1")
    assert (second.status_code, second.headers["retry-after"]) == (409, "1")
    assert second.json()["error_code"] == "IDEMPOTENCY_KEY_PROCESSING"
    answer = await first
    assert (await studio.create(key="ask-1")).json() == answer.json()
    assert len(await studio.charges()) == 1


async def test_a_key_is_forgotten_after_its_window_and_then_charged_anew(studio: Studio) -> None:
    await studio.settings(key_seconds=0.1)
    first = await studio.begin(key="ask-1")
    await asyncio.sleep(0.15)
    assert await studio.begin(key="ask-1") != first
    assert len(await studio.charges()) == 2


async def test_a_refused_request_does_not_use_up_its_key(studio: Studio) -> None:
    assert (await studio.create(key="ask-1", duration=99)).status_code == 400
    assert (await studio.create(key="ask-1")).status_code == 200
    assert (await studio.create(key="x" * 256)).status_code == 400


async def test_an_answer_lost_after_the_charge_is_found_again_by_its_key(studio: Studio) -> None:
    studio.rule("hiapi:create", "reset", "amid")
    with pytest.raises(httpx.ReadError):
        await studio.create(key="ask-1")
    again = await studio.create(key="ask-1")
    assert again.headers["idempotent-replay"] == "true"
    (charge,) = await studio.charges()
    assert charge["task_id"] == again.json()["data"]["taskId"]


async def test_a_charge_says_what_was_bought(studio: Studio) -> None:
    task_id = await studio.begin(key="ask-1", resolution="720p", duration=10)
    (charge,) = await studio.charges()
    assert charge["at"] == pytest.approx(time.time(), abs=5)
    expected = {
        "task_id": task_id,
        "key": "ask-1",
        "micro_usd": 1_500_000,
        "resolution": "720p",
        "seconds": 10,
        "kind": "text",
        "prompt": "a red panda",
    }
    assert expected.items() <= charge.items()
    await studio.until(task_id, "success")
    assert (await studio.charges())[0]["status"] == "settled"


async def test_without_money_nothing_is_made(studio: Studio) -> None:
    await studio.settings(balance=0.5)
    await studio.begin()
    answer = await studio.create()
    assert (answer.status_code, answer.json()["code"]) == (402, 402)
    await studio.control.post("/hiapi/top_up", json={"usd": 1})
    await studio.begin()
    ledger = (await studio.control.get("/hiapi/ledger")).json()
    assert ledger["balance_micro_usd"] == 1_500_000 - 2 * 320_000
    assert len(ledger["charges"]) == 2


async def test_settings_that_make_no_sense_are_refused(studio: Studio) -> None:
    for changes in ({"render_seconds": [5, 1]}, {"fidelity": "low"}, {"colour": 1}, {"balance": -1}):
        answer = await studio.settings(**changes)
        assert answer.status_code == 400
        assert next(iter(changes)) in answer.json()["error"]


async def test_prices_can_be_changed(studio: Studio) -> None:
    await studio.settings(prices={MINI: {"480p": 0.2}})
    await studio.begin()
    await studio.begin(resolution="720p")
    assert [charge["micro_usd"] for charge in await studio.charges()] == [800_000, 600_000]


# Links that expire


async def test_an_expired_link_is_refused_in_xml(studio: Studio) -> None:
    await studio.settings(expire_seconds=0.2)
    data = await studio.finished()
    url = data["output"][0]["url"]
    assert (await studio.http.get(url)).status_code == 200
    await asyncio.sleep(0.25)
    answer = await studio.http.get(url)
    assert answer.status_code == 403
    assert answer.headers["content-type"].startswith("application/xml")
    assert "Request has expired" in answer.text
    assert (await studio.read(data["taskId"]))["output"][0]["url"] == url


async def test_an_expired_link_can_be_signed_again(studio: Studio) -> None:
    await studio.settings(expire_seconds=0.2, re_sign=True)
    data = await studio.finished()
    await asyncio.sleep(0.25)
    fresh = (await studio.read(data["taskId"]))["output"][0]["url"]
    assert fresh != data["output"][0]["url"]
    assert (await studio.http.get(fresh)).status_code == 200


async def test_a_guessed_link_finds_nothing(studio: Studio) -> None:
    url = (await studio.finished())["output"][0]["url"]
    assert (await studio.http.get(url.replace("0.mp4", "1.mp4"))).status_code == 404


# Outcomes


@pytest.mark.parametrize(
    ("reason", "code"), [("policy", "TASK_FAILED"), ("face", "TASK_FAILED"), ("timeout", "TASK_TIMEOUT")]
)
async def test_a_failed_task_says_why_and_is_refunded(studio: Studio, reason: str, code: str) -> None:
    studio.outcome("fail", reason=reason)
    data = await studio.finished()
    assert data["status"] == "fail"
    assert data["error"]["code"] == code
    assert "output" not in data
    ledger = (await studio.control.get("/hiapi/ledger")).json()
    assert ledger["charges"][0]["status"] == "refunded"
    assert ledger["balance_micro_usd"] == 10_000_000_000


async def test_a_failed_task_may_be_charged_all_the_same(studio: Studio) -> None:
    studio.outcome("fail", refund=False, message="no luck")
    assert (await studio.finished())["error"]["message"] == "no luck"
    assert (await studio.charges())[0]["status"] == "settled"


async def test_audio_moderation_spares_silent_clips(studio: Studio) -> None:
    studio.rule("hiapi:outcome", "fail", times=-1, reason="audio")
    assert "generate_audio" in (await studio.finished())["error"]["message"]
    assert (await studio.finished(generate_audio=False))["status"] == "success"


async def test_an_outcome_finds_its_task_by_prompt(studio: Studio) -> None:
    studio.faults.add(
        {
            "point": "hiapi:outcome",
            "phase": "do",
            "action": {"kind": "fail"},
            "match": {"prompt": "tiger"},
        }
    )
    assert (await studio.finished())["status"] == "success"
    assert (await studio.finished(prompt="a tiger"))["status"] == "fail"


async def test_an_endless_task_is_never_done(studio: Studio) -> None:
    studio.outcome("never_ends")
    task_id = await studio.begin()
    await studio.finished()
    assert (await studio.read(task_id))["status"] == "archiving"


async def test_a_foreign_status_word_stands_while_the_task_is_at_work(studio: Studio) -> None:
    await studio.settings(render_seconds=0.5)
    studio.outcome("unknown_status", word="REVIEWING")
    task_id = await studio.begin()
    assert (await studio.read(task_id))["status"] == "REVIEWING"
    assert (await studio.until(task_id, "success"))["output"]


async def test_a_task_may_go_back_and_forth(studio: Studio) -> None:
    studio.outcome("regress")
    task_id = await studio.begin()
    seen = [(await studio.until(task_id, "success"))["status"]]
    seen += [(await studio.read(task_id))["status"] for _ in range(2)]
    assert seen == ["success", "handling", "success"]


@pytest.mark.parametrize(("output", "shape"), [("missing", "none"), ("null", None), ("empty", [])])
async def test_success_may_come_before_its_url(studio: Studio, output: str, shape: object) -> None:
    studio.outcome("success_without_url", output=output, reads=1)
    first = await studio.finished()
    assert first.get("output", "none") == shape
    assert (await studio.read(first["taskId"]))["output"][0]["url"]


async def test_a_double_bill_shows_in_the_ledger(studio: Studio) -> None:
    studio.outcome("bill_double")
    task_id = await studio.begin()
    assert [charge["task_id"] for charge in await studio.charges()] == [task_id] * 2


async def test_a_lost_task_is_charged_and_never_found(studio: Studio) -> None:
    studio.outcome("lost")
    task_id = await studio.begin()
    assert (await studio.http.get(f"/v1/tasks/{task_id}")).status_code == 404
    assert (await studio.http.get("/v1/tasks")).json()["data"]["tasks"] == []
    assert len(await studio.charges()) == 1


async def test_a_task_may_be_visible_only_later(studio: Studio) -> None:
    studio.outcome("late_visible", seconds=0.3)
    task_id = await studio.begin()
    assert (await studio.http.get(f"/v1/tasks/{task_id}")).status_code == 404
    await asyncio.sleep(0.35)
    assert (await studio.http.get(f"/v1/tasks/{task_id}")).status_code == 200


async def test_an_answer_may_repeat_the_id_of_another_task(studio: Studio) -> None:
    first = await studio.begin()
    studio.outcome("repeat_id")
    assert await studio.begin() == first
    assert len({charge["task_id"] for charge in await studio.charges()}) == 2


async def test_extra_outputs_come_after_the_clip(studio: Studio) -> None:
    studio.outcome("extra_outputs")
    data = await studio.finished()
    assert [output["type"] for output in data["output"]] == ["video", "last_frame", "thumbnail"]


@pytest.mark.parametrize(
    ("how", "begins"), [("png", b"\x89PNG"), ("html", b"<!DOCTYPE"), ("empty", b""), ("no_moov", b"\0\0\0")]
)
async def test_a_corrupt_clip_is_served_as_if_it_were_one(studio: Studio, how: str, begins: bytes) -> None:
    studio.outcome("corrupt", how=how)
    answer = await studio.http.get((await studio.finished())["output"][0]["url"])
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.content.startswith(begins)
    assert b"moov" not in answer.content


async def test_a_slow_task_takes_a_multiple_of_its_time(studio: Studio) -> None:
    await studio.settings(render_seconds=0.2)
    studio.outcome("slow", factor=10)
    await studio.begin()
    (task,) = (await studio.control.get("/hiapi/tasks")).json()["tasks"]
    assert task["render_seconds"] == pytest.approx(2)


# Callbacks


@dataclass(kw_only=True)
class Ear:
    """A listener for callbacks, answering with the statuses in `answers` and then with 200."""

    url: str = ""
    heard: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    async def wait(self, count: int) -> list[dict[str, Any]]:
        deadline = time.monotonic() + 10
        while len(self.heard) < count:
            assert time.monotonic() < deadline, f"heard {len(self.heard)} of {count}"
            await asyncio.sleep(0.01)
        return [json.loads(body) for _, body in self.heard]


@pytest.fixture
async def ear() -> AsyncIterator[Ear]:
    ear = Ear()

    async def hear(request: web.Request) -> web.Response:
        ear.heard.append((dict(request.headers), await request.read()))
        return web.Response(status=ear.answers.pop(0) if ear.answers else 200)

    app = web.Application()
    app.router.add_post("/hooks/secret", hear)
    async with served(app) as origin:
        ear.url = f"{origin}/hooks/secret"
        yield ear


def with_callback(ear: Ear) -> dict[str, Any]:
    return {"model": MINI, "input": INPUT, "callback": {"url": ear.url, "when": "final"}}


async def test_a_callback_bears_the_task_as_a_read_gives_it(studio: Studio, ear: Ear) -> None:
    task_id = await studio.begin(body=with_callback(ear))
    (told,) = await ear.wait(1)
    assert told == await studio.read(task_id)
    assert "x-hiapi-signature" not in {name.lower() for name in ear.heard[0][0]}


async def test_a_callback_is_signed_when_there_is_a_secret(studio: Studio, ear: Ear) -> None:
    await studio.settings(webhook_secret="s3cret-s3cret-s3cret")
    await studio.begin(body=with_callback(ear))
    await ear.wait(1)
    headers, body = ear.heard[0]
    stamp = headers["X-HiAPI-Timestamp"]
    proof = hmac.new(b"s3cret-s3cret-s3cret", f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    assert headers["X-HiAPI-Signature"] == proof
    assert abs(time.time() - int(stamp)) < 5
    assert "webhook_secret" not in (await studio.control.get("/hiapi/settings")).json()


async def test_a_callback_is_sent_again_until_it_is_taken(studio: Studio, ear: Ear) -> None:
    ear.answers = [500, 503]
    await studio.begin(body=with_callback(ear))
    told = await ear.wait(3)
    assert told[0] == told[1] == told[2]
    assert (await studio.control.get("/hiapi/requests")).json()["callback"] == 3


async def test_a_failed_task_is_called_back_too(studio: Studio, ear: Ear) -> None:
    studio.outcome("fail")
    await studio.begin(body=with_callback(ear))
    (told,) = await ear.wait(1)
    assert told["status"] == "fail"


async def test_a_callback_may_be_lost(studio: Studio, ear: Ear) -> None:
    studio.rule("hiapi:callback", "lose")
    lost = await studio.begin(body=with_callback(ear))
    await studio.until(lost, "success")
    second = await studio.begin(body=with_callback(ear))
    (told,) = await ear.wait(1)
    assert told["taskId"] == second


async def test_a_callback_may_come_many_times_at_once(studio: Studio, ear: Ear) -> None:
    action = {"kind": "duplicate", "times": 10}
    studio.faults.add({"point": "hiapi:callback", "phase": "do", "action": action})
    await studio.begin(body=with_callback(ear))
    assert len(await ear.wait(10)) == 10


async def test_a_callback_may_be_early(studio: Studio, ear: Ear) -> None:
    studio.rule("hiapi:callback", "early")
    task_id = await studio.begin(body=with_callback(ear))
    assert [json.loads(body)["taskId"] for _, body in ear.heard] == [task_id]


async def test_a_forged_callback_comes_before_the_true_one(studio: Studio, ear: Ear) -> None:
    await studio.settings(webhook_secret="s3cret-s3cret-s3cret", render_seconds=0.5)
    studio.rule("hiapi:callback", "forge", url="http://evil.example/x.mp4")
    await studio.begin(body=with_callback(ear))
    forged, true = await ear.wait(2)
    assert forged["output"][0]["url"] == "http://evil.example/x.mp4"
    assert "/outputs/" in true["output"][0]["url"]
    headers, body = ear.heard[0]
    stamp = headers["X-HiAPI-Timestamp"]
    proof = hmac.new(b"s3cret-s3cret-s3cret", f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    assert headers["X-HiAPI-Signature"] != proof


async def test_a_stale_callback_is_signed_with_an_old_time(studio: Studio, ear: Ear) -> None:
    await studio.settings(webhook_secret="s3cret-s3cret-s3cret")
    studio.rule("hiapi:callback", "stale", age=900)
    await studio.begin(body=with_callback(ear))
    await ear.wait(1)
    assert int(ear.heard[0][0]["X-HiAPI-Timestamp"]) == pytest.approx(time.time() - 900, abs=5)


async def test_a_late_callback_comes_when_the_rules_are_cleared_or_its_time_is_over(studio: Studio, ear: Ear) -> None:
    studio.rule("hiapi:callback", "late")
    late = await studio.begin(body=with_callback(ear))
    await studio.until(late, "success")
    studio.faults.add({"point": "hiapi:callback", "phase": "do", "action": {"kind": "late", "seconds": 0.05}})
    second = await studio.begin(body=with_callback(ear))
    assert [told["taskId"] for told in await ear.wait(1)] == [second]
    studio.faults.clear()
    assert [told["taskId"] for told in await ear.wait(2)] == [second, late]


# Faults on the wire, and the back door


@pytest.mark.parametrize(("phase", "charges"), [("before", 0), ("amid", 1)])
async def test_a_server_error_is_charged_or_not_as_its_phase_says(studio: Studio, phase: str, charges: int) -> None:
    studio.rule("hiapi:create", "status", phase, status=503)
    answer = await studio.create()
    assert answer.json() == {"code": 503, "message": "service unavailable", "data": None}
    assert len(await studio.charges()) == charges


async def test_creations_are_matched_by_key_and_reads_by_prompt(studio: Studio) -> None:
    for point, match in (("hiapi:create", {"key": "ask-2"}), ("hiapi:get", {"prompt": "tiger"})):
        studio.faults.add(
            {
                "point": point,
                "phase": "before",
                "match": match,
                "action": {"kind": "ratelimit", "retry_after": "1"},
            }
        )
    panda, tiger = await studio.begin(key="ask-1"), await studio.begin(prompt="a tiger")
    assert (await studio.create(key="ask-2")).status_code == 429
    assert (await studio.http.get(f"/v1/tasks/{panda}")).status_code == 200
    assert (await studio.http.get(f"/v1/tasks/{tiger}")).status_code == 429


@pytest.mark.parametrize(
    ("kind", "phase"), [("status", "before"), ("half_body", "amid"), ("reset", "amid"), ("truncate", "amid")]
)
async def test_a_download_goes_wrong_once_and_then_well(studio: Studio, kind: str, phase: str) -> None:
    url = (await studio.finished())["output"][0]["url"]
    whole = await studio.http.get(url)
    studio.rule("hiapi:download", kind, phase, status=500)
    if kind in {"half_body", "reset"}:
        with pytest.raises(httpx.TransportError):
            await studio.http.get(url)
    else:
        assert (await studio.http.get(url)).content != whole.content
    assert (await studio.http.get(url)).content == whole.content


async def test_the_back_door_shows_requests_as_they_came_without_the_key(studio: Studio) -> None:
    task_id = await studio.begin(key="ask-1")
    (task,) = (await studio.control.get("/hiapi/tasks")).json()["tasks"]
    assert json.loads(task["body"]) == {"model": MINI, "input": INPUT}
    assert task["answer"]["data"]["taskId"] == task["id"] == task_id
    assert task["headers"]["Idempotency-Key"] == "ask-1"
    assert "authorization" not in {name.lower() for name in task["headers"]}


async def test_calls_are_counted_even_when_a_fault_eats_them(studio: Studio) -> None:
    studio.rule("hiapi:create", "close", "before")
    with pytest.raises(httpx.RemoteProtocolError):
        await studio.create()
    data = await studio.finished()
    await studio.http.get(data["output"][0]["url"])
    await studio.http.get("/v1/tasks")
    counted = (await studio.control.get("/hiapi/requests")).json()
    assert (counted["create"], counted["download"], counted["list"]) == (2, 1, 1)
    assert counted["get"] >= 1


async def test_onlookers_hear_of_creation_and_end_and_see_it_all(studio: Studio) -> None:
    before = studio.news[0]
    await studio.finished()
    assert studio.news[0] == before + 2
    snapshot: Any = studio.providers.snapshot()["hiapi"]
    assert snapshot["tasks"][0]["stage"] == "succeeded"
    assert snapshot["ledger"][0]["status"] == "settled"
    json.dumps(snapshot)


@pytest.mark.parametrize(("bills", "charged"), [(1, 320_000), (2, 640_000), (0.5, 160_000)])
async def test_what_is_charged_may_differ_from_the_price_and_be_named_at_once_or_at_the_end(
    studio: Studio, bills: float, charged: int
) -> None:
    """HiAPI documents no figure in any answer: none is named unless that is asked for."""
    await studio.settings(bills=bills)
    assert "costUsd" not in await studio.finished()
    await studio.settings(tells_cost="order")
    answer = (await studio.create()).json()["data"]
    assert answer["costUsd"] == charged / 1_000_000
    await studio.settings(tells_cost="end")
    assert "costUsd" not in (await studio.create()).json()["data"]
    assert (await studio.finished())["costUsd"] == charged / 1_000_000
    assert {charge["micro_usd"] for charge in await studio.charges()} == {charged}
    assert (await studio.settings(tells_cost="never again")).status_code == 400
    assert (await studio.settings(bills=-1)).status_code == 400
