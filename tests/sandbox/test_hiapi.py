"""The emulated HiAPI as a client meets it: real HTTP, real money in the ledger, real files."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import io
import json
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import av
import httpx
import pytest
from PIL import Image

from tests.sandbox.clients import HiAPIClient, connected
from tests.support.backstage import Ear

INPUT, MINI = HiAPIClient.INPUT, HiAPIClient.MINI


@pytest.fixture
async def studio(data: Path) -> AsyncIterator[HiAPIClient]:
    async with connected(HiAPIClient, data) as client:
        yield client


async def test_a_task_becomes_a_clip_that_plays_to_its_end(studio: HiAPIClient) -> None:
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


async def test_a_download_can_be_taken_in_ranges(studio: HiAPIClient) -> None:
    url = (await studio.finished())["output"][0]["url"]
    whole = (await studio.http.get(url)).content
    part = await studio.http.get(url, headers={"Range": "bytes=1000-1999"})
    assert part.status_code == 206
    assert part.headers["content-range"] == f"bytes 1000-1999/{len(whole)}"
    assert part.content == whole[1000:2000]


async def test_statuses_come_in_order_by_the_clock(studio: HiAPIClient) -> None:
    await studio.finished()  # so that the encode is no part of what is measured
    # Long enough that no state is over before a busy machine comes to ask for it.
    await studio.settings(render_seconds=4)
    task_id = await studio.begin()
    words: list[str] = []
    while not words or words[-1] != "success":
        word = (await studio.read(task_id))["status"]
        if not words or word != words[-1]:
            words.append(word)
        await asyncio.sleep(0.02)
    assert words == ["queued", "handling", "archiving", "success"]
    data = await studio.read(task_id)
    assert data["completed"] - data["created"] in (4, 5)


async def test_the_same_paths_are_served_without_the_version(studio: HiAPIClient) -> None:
    answer = await studio.http.post("/tasks", json={"model": MINI, "input": INPUT})
    task_id = answer.json()["data"]["taskId"]
    assert (await studio.http.get(f"/tasks/{task_id}")).json()["data"]["taskId"] == task_id
    assert len(task_id.removeprefix("tk-hiapi-")) == 26


async def test_without_the_key_nothing_is_answered(studio: HiAPIClient) -> None:
    task_id = await studio.begin()
    for method, path in (("POST", "/v1/tasks"), ("GET", "/v1/tasks"), ("GET", f"/v1/tasks/{task_id}")):
        answer = await studio.http.request(method, path, headers={"Authorization": "Bearer wrong"})
        assert (answer.status_code, answer.json()["code"]) == (401, 401)
    assert len(await studio.charges()) == 1


async def test_the_list_is_newest_first_and_in_pages(studio: HiAPIClient) -> None:
    made = [await studio.begin(prompt=f"panda {number}") for number in range(5)]
    answer = (await studio.http.get("/v1/tasks", params={"page": 2, "size": 2})).json()["data"]
    assert [task["taskId"] for task in answer["tasks"]] == [made[2], made[1]]
    assert (answer["page"], answer["size"], answer["total"]) == (2, 2, 5)
    assert "input" not in answer["tasks"][0]
    assert (await studio.http.get("/v1/tasks", params={"size": "many"})).status_code == 400


async def test_an_unknown_task_is_not_found(studio: HiAPIClient) -> None:
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
    studio: HiAPIClient, changes: Mapping[str, Any], said: str
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
async def test_a_body_that_the_document_does_not_allow_is_refused(studio: HiAPIClient, body: Any, code: str) -> None:
    answer = await studio.http.post("/v1/tasks", json=body)
    assert (answer.status_code, answer.json()["error_code"]) == (400, code)
    assert await studio.charges() == []


async def test_a_body_that_is_no_json_is_refused(studio: HiAPIClient) -> None:
    answer = await studio.http.post("/v1/tasks", content=b'{"model":')
    assert answer.status_code == 400


async def test_resolution_and_duration_are_required(studio: HiAPIClient) -> None:
    for name in ("prompt", "resolution", "duration"):
        given = {field: value for field, value in INPUT.items() if field != name}
        assert (await studio.create(body={"model": MINI, "input": given})).status_code == 400


async def test_the_standard_model_takes_more(studio: HiAPIClient) -> None:
    given = INPUT | {"resolution": "1080p", "seed": 7, "return_last_frame": True}
    answer = await studio.create(body={"model": "seedance-2-0", "input": given})
    data = await studio.until(answer.json()["data"]["taskId"], "success")
    assert [output["type"] for output in data["output"]] == ["video", "last_frame"]
    still = await studio.http.get(data["output"][1]["url"])
    assert still.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(still.content)).size == (1920, 1080)
    assert (await studio.charges())[0]["micro_usd"] == 4 * 600_000


# References


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
        ("reference_video_urls", ["eight.mp4", "eight.mp4"], "in total"),
        ("reference_audio_urls", ["long.wav"], "lasts 16.0 s"),
        ("reference_audio_urls", ["short.wav"], "lasts 1.0 s"),
        ("reference_audio_urls", ["eight.wav", "eight.wav"], "in total"),
    ],
)
async def test_a_reference_is_fetched_and_held_to_the_limits(
    studio: HiAPIClient, media: str, field: str, names: list[str], said: str
) -> None:
    changes: dict[str, Any] = {field: [f"{media}/{name}" for name in names]}
    if field == "reference_audio_urls":
        changes["reference_image_urls"] = [f"{media}/wide.png"]
    answer = await studio.create(**changes)
    assert answer.status_code == 400
    assert said in answer.json()["message"]
    assert await studio.charges() == []


async def test_good_references_are_taken_and_a_video_makes_it_cheaper(studio: HiAPIClient, media: str) -> None:
    await studio.begin(reference_video_urls=[f"{media}/eight.mp4"], reference_audio_urls=[f"{media}/eight.wav"])
    await studio.begin(first_frame_url=f"{media}/wide.png", last_frame_url=f"{media}/wide.png")
    assert [(c["kind"], c["micro_usd"]) for c in await studio.charges()] == [
        ("references", 200_000),
        ("frames", 320_000),
    ]


async def test_an_adaptive_clip_takes_the_ratio_of_its_first_frame(studio: HiAPIClient, media: str) -> None:
    await studio.settings(fidelity="full")
    data = await studio.finished(first_frame_url=f"{media}/wide.png", aspect_ratio="adaptive")
    answer = await studio.http.get(data["output"][0]["url"])
    with av.open(io.BytesIO(answer.content), "r") as clip:
        assert (clip.streams.video[0].width, clip.streams.video[0].height) == (752, 560)


async def test_mixed_references_are_a_switch(studio: HiAPIClient, media: str) -> None:
    mixed: dict[str, Any] = {
        "reference_image_urls": [f"{media}/wide.png"],
        "reference_video_urls": [f"{media}/eight.mp4"],
    }
    assert (await studio.create(**mixed)).status_code == 400
    await studio.settings(allow_mixed_references=True)
    assert (await studio.create(**mixed)).status_code == 200


# Idempotency and money


async def test_the_same_key_and_bytes_are_charged_once(studio: HiAPIClient) -> None:
    first = await studio.create(key="ask-1")
    again = await studio.create(key="ask-1")
    assert "idempotent-replay" not in first.headers
    assert again.headers["idempotent-replay"] == "true"
    assert again.content == first.content
    assert [charge["key"] for charge in await studio.charges()] == ["ask-1"]
    assert (await studio.stage.control.get("/hiapi/requests")).json() == {"create": 2, "replayed": 1}


async def test_the_same_key_with_other_bytes_is_a_mismatch(studio: HiAPIClient) -> None:
    await studio.create(key="ask-1")
    spaced = json.dumps({"model": MINI, "input": INPUT}, indent=1)
    answer = await studio.http.post("/v1/tasks", content=spaced, headers={"Idempotency-Key": "ask-1"})
    assert (answer.status_code, answer.json()["error_code"]) == (422, "IDEMPOTENCY_KEY_MISMATCH")
    assert len(await studio.charges()) == 1


async def test_a_key_in_work_says_when_to_come_back(studio: HiAPIClient) -> None:
    studio.fault("create", "do", "slow_processing", seconds=0.5)
    first = asyncio.create_task(studio.create(key="ask-1"))
    while (await studio.stage.control.get("/hiapi/requests")).json().get("create") is None:
        await asyncio.sleep(0.01)
    second = await studio.create(key="ask-1")
    assert (second.status_code, second.headers["retry-after"]) == (409, "1")
    assert second.json()["error_code"] == "IDEMPOTENCY_KEY_PROCESSING"
    answer = await first
    assert (await studio.create(key="ask-1")).json() == answer.json()
    assert len(await studio.charges()) == 1


async def test_a_key_is_forgotten_after_its_window_and_then_charged_anew(studio: HiAPIClient) -> None:
    await studio.settings(key_seconds=0.1)
    first = await studio.begin(key="ask-1")
    await asyncio.sleep(0.15)
    assert await studio.begin(key="ask-1") != first
    assert len(await studio.charges()) == 2


async def test_a_refused_request_does_not_use_up_its_key(studio: HiAPIClient) -> None:
    assert (await studio.create(key="ask-1", duration=99)).status_code == 400
    assert (await studio.create(key="ask-1")).status_code == 200
    assert (await studio.create(key="x" * 256)).status_code == 400


async def test_an_answer_lost_after_the_charge_is_found_again_by_its_key(studio: HiAPIClient) -> None:
    studio.fault("create", "amid", "reset")
    with pytest.raises(httpx.ReadError):
        await studio.create(key="ask-1")
    again = await studio.create(key="ask-1")
    assert again.headers["idempotent-replay"] == "true"
    (charge,) = await studio.charges()
    assert charge["task_id"] == again.json()["data"]["taskId"]


async def test_a_charge_says_what_was_bought(studio: HiAPIClient) -> None:
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


async def test_without_money_nothing_is_made(studio: HiAPIClient) -> None:
    await studio.settings(balance=0.3)
    answer = await studio.create()
    assert (answer.status_code, answer.json()["code"]) == (402, 402)
    assert await studio.charges() == []


async def test_prices_can_be_changed(studio: HiAPIClient) -> None:
    await studio.settings(prices={MINI: {"480p": 0.2}})
    await studio.begin()
    await studio.begin(resolution="720p")
    assert [charge["micro_usd"] for charge in await studio.charges()] == [800_000, 600_000]


# Links that expire


async def test_an_expired_link_is_refused_in_xml(studio: HiAPIClient) -> None:
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


async def test_an_expired_link_can_be_signed_again(studio: HiAPIClient) -> None:
    await studio.settings(expire_seconds=0.2, re_sign=True)
    data = await studio.finished()
    await asyncio.sleep(0.25)
    fresh = (await studio.read(data["taskId"]))["output"][0]["url"]
    assert fresh != data["output"][0]["url"]
    assert (await studio.http.get(fresh)).status_code == 200


async def test_a_guessed_link_finds_nothing(studio: HiAPIClient) -> None:
    url = (await studio.finished())["output"][0]["url"]
    assert (await studio.http.get(url.replace("0.mp4", "1.mp4"))).status_code == 404


# Outcomes


@pytest.mark.parametrize(
    ("reason", "code"), [("policy", "TASK_FAILED"), ("face", "TASK_FAILED"), ("timeout", "TASK_TIMEOUT")]
)
async def test_a_failed_task_says_why(studio: HiAPIClient, reason: str, code: str) -> None:
    studio.outcome("fail", reason=reason)
    data = await studio.finished()
    assert data["status"] == "fail"
    assert data["error"]["code"] == code
    assert "output" not in data


async def test_audio_moderation_spares_silent_clips(studio: HiAPIClient) -> None:
    studio.fault("outcome", "do", "fail", times=-1, reason="audio")
    assert "generate_audio" in (await studio.finished())["error"]["message"]
    assert (await studio.finished(generate_audio=False))["status"] == "success"


async def test_an_outcome_finds_its_task_by_prompt(studio: HiAPIClient) -> None:
    studio.stage.faults.add(
        {
            "point": "hiapi:outcome",
            "phase": "do",
            "action": {"kind": "fail"},
            "match": {"prompt": "tiger"},
        }
    )
    assert (await studio.finished())["status"] == "success"
    assert (await studio.finished(prompt="a tiger"))["status"] == "fail"


async def test_an_endless_task_is_never_done(studio: HiAPIClient) -> None:
    studio.outcome("never_ends")
    task_id = await studio.begin()
    await studio.finished()
    assert (await studio.read(task_id))["status"] == "archiving"


async def test_a_lost_task_is_in_no_list(studio: HiAPIClient) -> None:
    studio.outcome("lost")
    await studio.begin()
    assert (await studio.http.get("/v1/tasks")).json()["data"]["tasks"] == []


async def test_extra_outputs_come_after_the_clip(studio: HiAPIClient) -> None:
    studio.outcome("extra_outputs")
    data = await studio.finished()
    assert [output["type"] for output in data["output"]] == ["video", "last_frame", "thumbnail"]


@pytest.mark.parametrize(
    ("how", "begins"), [("png", b"\x89PNG"), ("html", b"<!DOCTYPE"), ("empty", b""), ("no_moov", b"\0\0\0")]
)
async def test_a_corrupt_clip_is_served_as_if_it_were_one(studio: HiAPIClient, how: str, begins: bytes) -> None:
    studio.outcome("corrupt", how=how)
    answer = await studio.http.get((await studio.finished())["output"][0]["url"])
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.content.startswith(begins)
    assert b"moov" not in answer.content


async def test_a_slow_task_takes_a_multiple_of_its_time(studio: HiAPIClient) -> None:
    await studio.settings(render_seconds=0.2)
    studio.outcome("slow", factor=10)
    await studio.begin()
    (task,) = (await studio.stage.control.get("/hiapi/tasks")).json()["tasks"]
    assert task["render_seconds"] == pytest.approx(2)


# Callbacks


async def test_a_callback_is_signed_when_there_is_a_secret(studio: HiAPIClient, ear: Ear) -> None:
    await studio.settings(webhook_secret="s3cret-s3cret-s3cret")
    await studio.begin(**studio.told_at(ear.url))
    await ear.wait(1)
    headers, body = ear.heard[0]
    stamp = headers["X-HiAPI-Timestamp"]
    proof = hmac.new(b"s3cret-s3cret-s3cret", f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    assert headers["X-HiAPI-Signature"] == proof
    assert abs(time.time() - int(stamp)) < 5
    assert "webhook_secret" not in (await studio.stage.control.get("/hiapi/settings")).json()


async def test_a_forged_callback_comes_before_the_true_one_and_is_signed_otherwise(
    studio: HiAPIClient, ear: Ear
) -> None:
    await studio.settings(webhook_secret="s3cret-s3cret-s3cret", render_seconds=0.5)
    studio.fault("callback", "do", "forge", url="http://evil.example/x.mp4")
    await studio.begin(**studio.told_at(ear.url))
    headers, body = (await ear.wait(2))[0]
    assert b"http://evil.example/x.mp4" in body
    stamp = headers["X-HiAPI-Timestamp"]
    proof = hmac.new(b"s3cret-s3cret-s3cret", f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    assert headers["X-HiAPI-Signature"] != proof


async def test_a_stale_callback_is_signed_with_an_old_time(studio: HiAPIClient, ear: Ear) -> None:
    await studio.settings(webhook_secret="s3cret-s3cret-s3cret")
    studio.fault("callback", "do", "stale", age=900)
    await studio.begin(**studio.told_at(ear.url))
    await ear.wait(1)
    assert int(ear.heard[0][0]["X-HiAPI-Timestamp"]) == pytest.approx(time.time() - 900, abs=5)


async def test_a_late_callback_comes_when_the_rules_are_cleared_or_its_time_is_over(
    studio: HiAPIClient, ear: Ear
) -> None:
    studio.fault("callback", "do", "late")
    late = await studio.begin(**studio.told_at(ear.url))
    await studio.until(late, "success")
    studio.stage.faults.add({"point": "hiapi:callback", "phase": "do", "action": {"kind": "late", "seconds": 0.05}})
    second = await studio.begin(**studio.told_at(ear.url))
    assert [json.loads(body)["taskId"] for _, body in await ear.wait(1)] == [second]
    studio.stage.faults.clear()
    assert [json.loads(body)["taskId"] for _, body in await ear.wait(2)] == [second, late]


# Faults on the wire, and the back door


async def test_a_server_error_has_the_envelope_of_an_answer(studio: HiAPIClient) -> None:
    studio.fault("create", "before", "status", status=503)
    answer = await studio.create()
    assert answer.json() == {"code": 503, "message": "service unavailable", "data": None}


async def test_creations_are_matched_by_key_and_reads_by_prompt(studio: HiAPIClient) -> None:
    for point, match in (("hiapi:create", {"key": "ask-2"}), ("hiapi:get", {"prompt": "tiger"})):
        studio.stage.faults.add(
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
async def test_a_download_goes_wrong_once_and_then_well(studio: HiAPIClient, kind: str, phase: str) -> None:
    url = (await studio.finished())["output"][0]["url"]
    whole = await studio.http.get(url)
    studio.fault("download", phase, kind, status=500)
    if kind in {"half_body", "reset"}:
        with pytest.raises(httpx.TransportError):
            await studio.http.get(url)
    else:
        assert (await studio.http.get(url)).content != whole.content
    assert (await studio.http.get(url)).content == whole.content


async def test_the_back_door_shows_requests_as_they_came_without_the_key(studio: HiAPIClient) -> None:
    task_id = await studio.begin(key="ask-1")
    (task,) = (await studio.stage.control.get("/hiapi/tasks")).json()["tasks"]
    assert json.loads(task["body"]) == {"model": MINI, "input": INPUT}
    assert task["answer"]["data"]["taskId"] == task["id"] == task_id
    assert task["headers"]["Idempotency-Key"] == "ask-1"
    assert "authorization" not in {name.lower() for name in task["headers"]}


async def test_calls_are_counted_even_when_a_fault_eats_them(studio: HiAPIClient) -> None:
    studio.fault("create", "before", "close")
    with pytest.raises(httpx.RemoteProtocolError):
        await studio.create()
    data = await studio.finished()
    await studio.http.get(data["output"][0]["url"])
    await studio.http.get("/v1/tasks")
    counted = (await studio.stage.control.get("/hiapi/requests")).json()
    assert (counted["create"], counted["download"], counted["list"]) == (2, 1, 1)
    assert counted["get"] >= 1


async def test_onlookers_hear_of_creation_and_end_and_see_it_all(studio: HiAPIClient) -> None:
    before = len(studio.stage.news)
    await studio.finished()
    assert len(studio.stage.news) == before + 2
    snapshot: Any = studio.stage.providers.snapshot()["hiapi"]
    assert snapshot["tasks"][0]["stage"] == "succeeded"
    assert snapshot["ledger"][0]["status"] == "settled"
    json.dumps(snapshot)


@pytest.mark.parametrize(("bills", "charged"), [(1, 320_000), (2, 640_000), (0.5, 160_000)])
async def test_what_is_charged_may_differ_from_the_price_and_be_named_at_once_or_at_the_end(
    studio: HiAPIClient, bills: float, charged: int
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
    assert (await studio.stage.settings(studio.NAME, tells_cost="never again")).status_code == 400
    assert (await studio.stage.settings(studio.NAME, bills=-1)).status_code == 400
