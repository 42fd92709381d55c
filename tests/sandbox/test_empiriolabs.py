"""The emulated EmpirioLabs as a client meets it: real HTTP, real money in the ledger, real files."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import av
import pytest

from bot.clock import SystemClock
from bot.domain.pricing import PriceTable
from bot.domain.recipe import MediaKind, MediaRole, Medium, Recipe
from bot.ports import (
    Credit,
    OrderAccepted,
    OrderRefused,
    TaskFailed,
    TaskFinished,
    TaskMissing,
    TaskReport,
    TaskRunning,
    TaskUnreadable,
)
from bot.providers.empiriolabs import EmpirioLabs
from bot.sandbox.render import frame_size
from tests.sandbox.clients import EmpirioLabsClient, connected

NAME = "empiriolabs"
MINI, FAST, STANDARD = "seedance-2-0-mini", "seedance-2-0-fast", "seedance-2-0"
EXAMPLE = json.loads((Path(__file__).resolve().parents[1] / "fixtures" / NAME / "documented_text.json").read_bytes())
FAR = "https://x.example"
USAGE = "/api/v1/account/usage"
"""Documented for a host of its own; here it is below the same address as all else."""


@pytest.fixture
async def client(data: Path) -> AsyncIterator[EmpirioLabsClient]:
    async with connected(EmpirioLabsClient, data) as client:
        yield client


async def test_a_job_becomes_a_clip_that_plays_to_its_end(client: EmpirioLabsClient) -> None:
    await client.settings(fidelity="full")
    job = await client.finished(aspect_ratio="9:16")
    assert set(job) == {"job_id", "status", "progress", "created_at", "completed_at", "result", "error"}
    assert (job["status"], job["progress"], job["error"]) == ("completed", 1, None)
    (output,) = job["result"]["data"]
    answer = await client.http.get(output["url"])
    with av.open(io.BytesIO(answer.content), "r") as clip:
        frames = list(clip.decode(video=0))
    assert (len(frames), frames[0].width, frames[0].height) == (96, 496, 864)


async def test_the_pages_example_is_taken_with_its_defaults(client: EmpirioLabsClient) -> None:
    answer = await client.http.post("/v1/videos/generations", json=EXAMPLE)
    job_id = answer.json()["job_id"]
    assert answer.json() == {"job_id": job_id, "status": "processing", "poll_url": f"/v1/jobs/{job_id}"}
    job = await client.until(job_id, "completed")
    with av.open(io.BytesIO((await client.http.get(job["result"]["data"][0]["url"])).content), "r") as clip:
        picture = clip.streams.video[0]
        assert (picture.width, picture.height) == frame_size("720p", "16:9")
        assert clip.streams.audio
    (charge,) = await client.charges()
    assert (charge["micro_usd"], charge["seconds"], charge["status"]) == (900_000, 6, "settled")


async def test_a_job_moves_on_by_the_clock(client: EmpirioLabsClient) -> None:
    await client.finished()  # so that the encode is no part of what is measured
    await client.settings(render_seconds=1)
    job_id = await client.begin()
    words: list[str] = []
    progress: list[float] = []
    while not words or words[-1] != "completed":
        job = await client.read(job_id)
        words.append(job["status"])
        progress.append(job["progress"])
        assert (job["result"] is None, job["completed_at"] is None) == (words[-1] != "completed",) * 2
        await asyncio.sleep(0.05)
    assert set(words) == {"processing", "completed"}
    assert progress == sorted(progress)
    assert 0 < progress[len(progress) // 2] < 1 == progress[-1]


async def test_the_other_dialect_says_the_same_in_other_words(client: EmpirioLabsClient) -> None:
    await client.settings(dialect="live")
    answer = await client.create()
    job_id = answer.json()["id"]
    assert (answer.status_code, answer.json()["poll_url"]) == (202, f"{client.stage.base(NAME)}/v1/jobs/{job_id}")
    job = await client.until(job_id, "succeeded")
    assert (job["id"], list(job["result"])) == (job_id, ["output"])
    answer = await client.create(duration=99)
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["body", "duration"])
    assert (await client.http.get("/v1/jobs/none")).json() == {"detail": "Job not found"}


@pytest.mark.parametrize("headers", [{"Authorization": "Bearer wrong"}, {"Authorization": "", "x-api-key": "wrong"}])
async def test_without_the_key_nothing_is_answered(client: EmpirioLabsClient, headers: Mapping[str, str]) -> None:
    job_id = await client.begin()
    asked = [
        ("POST", "/v1/videos/generations"),
        ("GET", f"/v1/jobs/{job_id}"),
        ("GET", "/v1/jobs"),
        ("POST", f"/v1/jobs/{job_id}/cancel"),
        ("GET", USAGE),
        ("GET", f"/v1/models/{MINI}"),
    ]
    for method, path in asked:
        answer = await client.http.request(method, path, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")
    taken = await client.http.get(
        f"/v1/jobs/{job_id}", headers={"Authorization": "", "x-api-key": f"{NAME}-sandbox-key"}
    )
    assert taken.status_code == 200
    assert len(await client.charges()) == 1


# --- what is refused -------------------------------------------------------------------------------------------------

PICTURE, FILM = f"{FAR}/a.png", f"{FAR}/a.mp4"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"prompt": None}, "prompt"),
        ({"prompt": " "}, "prompt"),
        ({"prompt": 7}, "prompt"),
        ({"model": None}, "model"),
        ({"model": "sora"}, "model"),
        ({"mode": "omni"}, "mode"),
        ({"mode": 1}, "mode"),
        ({"resolution": "1080p"}, "resolution"),
        ({"model": FAST, "resolution": "1080p"}, "resolution"),
        ({"resolution": 480}, "resolution"),
        ({"aspect_ratio": "3:2"}, "aspect_ratio"),
        ({"custom_duration": "yes"}, "custom_duration"),
        ({"duration": 3}, "duration"),
        ({"duration": 15.5}, "duration"),
        ({"duration": "5"}, "duration"),
        ({"duration": True}, "duration"),
        ({"duration": -1}, "duration"),
        ({"duration": "5", "custom_duration": False}, "duration"),
        ({"generate_audio": 1}, "generate_audio"),
        ({"negative_prompt": ["blur"]}, "negative_prompt"),
        ({"seed": 7}, "seed"),
        ({"audio": f"{FAR}/a.mp3"}, "audio"),
        ({"image_url": PICTURE}, "image_url"),
        ({"images": [PICTURE]}, "images"),
        ({"callback_url": FAR}, "callback_url"),
        ({"image": [PICTURE]}, "image"),
        ({"image": ""}, "image"),
        ({"image": "http://x.example/a.png"}, "image"),
        ({"image": "data:image/png;base64,AAAA"}, "image"),
        ({"mode": "t2v", "image": PICTURE}, "image"),
        ({"mode": "i2v_first"}, "image"),
        ({"mode": "i2v_first", "image": PICTURE, "image_end": PICTURE}, "image_end"),
        ({"mode": "i2v_first", "image": PICTURE, "video": FILM}, "video"),
        ({"mode": "i2v_both", "image": PICTURE}, "image_end"),
        ({"image_end": PICTURE}, "image"),
        ({"mode": "reference"}, "image or video"),
        ({"mode": "reference", "image": PICTURE, "image_end": PICTURE}, "image_end"),
        ({"mode": "edit"}, "video"),
        ({"mode": "edit", "video": FILM, "image": PICTURE}, "image"),
        ({"mode": "edit", "video": FILM, "image_end": PICTURE}, "image_end"),
        ({"mode": "extend", "image_end": PICTURE}, "video"),
        ({"mode": "extend", "video": FILM, "image": PICTURE}, "image"),
        ({"model": FAST, "mode": "extend", "video": FILM, "image_end": PICTURE}, "image_end"),
        ({"model": FAST, "mode": "reference", "image": PICTURE, "video": FILM}, "video"),
        ({"model": STANDARD, "mode": "extend", "video": FILM, "image_end": PICTURE}, "image_end"),
    ],
)
async def test_what_the_page_does_not_allow_is_refused(
    client: EmpirioLabsClient, changes: Mapping[str, Any], field: str
) -> None:
    answer = await client.create(**changes)
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["param"]) == (400, "invalid_request_error", field)
    assert field in error["message"]
    assert await client.charges() == []


@pytest.mark.parametrize("body", [b"", b'{"model":', b"[]", b'"x"'])
async def test_a_body_that_is_no_object_is_refused(client: EmpirioLabsClient, body: bytes) -> None:
    assert (await client.http.post("/v1/videos/generations", content=body)).status_code == 400
    assert await client.charges() == []


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"image": "missing.png"}, "image", "HTTP 404"),
        ({"image": "page.png"}, "image", "not a supported image"),
        ({"image": "first.png", "image_end": "film.mp4"}, "image_end", "not a supported image"),
        ({"video": "first.png"}, "video", "not a supported video"),
        ({"video": "tone.mp4"}, "video", "not a supported video"),
    ],
)
async def test_a_file_is_fetched_and_looked_at(
    client: EmpirioLabsClient, media: str, changes: Mapping[str, str], field: str, said: str
) -> None:
    answer = await client.create(**{name: f"{media}/{file}" for name, file in changes.items()})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, field)
    assert said in answer.json()["error"]["message"]
    assert await client.charges() == []


@pytest.mark.parametrize(
    ("changes", "kind", "micro_usd"),
    [
        ({}, "text", 280_000),
        ({"image": "first.png"}, "frames", 280_000),
        ({"image": "first.png", "image_end": "last.png"}, "frames", 280_000),
        ({"mode": "reference", "image": "a.png"}, "references", 280_000),
        ({"mode": "reference", "image": "a.png", "video": "a.mp4"}, "references", 668_000),
        ({"video": "a.mp4"}, "edit", 668_000),
        ({"mode": "extend", "video": "a.mp4", "image_end": "last.png"}, "extend", 668_000),
        ({"model": FAST, "video": "a.mp4"}, "edit", 1_136_000),
        ({"model": STANDARD, "resolution": "1080p"}, "text", 2_400_000),
        ({"custom_duration": False, "duration": 15}, "text", 350_000),
        ({"duration": 4.5}, "text", 350_000),
    ],
)
async def test_every_mode_is_taken_and_a_video_makes_it_dearer(
    client: EmpirioLabsClient, media: str, changes: Mapping[str, Any], kind: str, micro_usd: int
) -> None:
    """Also where the mode is left to be detected from what is given."""
    files = {name: f"{media}/{changes[name]}" for name in ("image", "image_end", "video") if name in changes}
    given = {**changes, **files}
    await client.begin(**given)
    (charge,) = await client.charges()
    assert (charge["kind"], charge["micro_usd"], charge["key"]) == (kind, micro_usd, None)


# --- money, the list, cancelling -------------------------------------------------------------------------------------


async def test_the_same_post_twice_is_charged_twice(client: EmpirioLabsClient) -> None:
    """There is no idempotency key: one that is sent changes nothing."""
    for _ in range(2):
        await client.http.post("/v1/videos/generations", json=client.BODY, headers={"Idempotency-Key": "ask-1"})
    assert len({charge["task_id"] for charge in await client.charges()}) == 2


async def test_without_money_nothing_is_made(client: EmpirioLabsClient) -> None:
    await client.settings(balance=0.5)
    await client.begin()
    answer = await client.create()
    assert (answer.status_code, answer.json()["error"]["code"]) == (402, "insufficient_credits")
    usage = (await client.http.get(USAGE, params={"limit": 1, "source": "api"})).json()
    assert (usage["balance"], usage["currency"]) == (0.22, "USD")
    assert [event["cost"] for event in usage["data"]] == [{"amount": 0.28, "currency": "USD"}]
    assert (await client.http.get(USAGE, params={"limit": 0})).status_code == 400
    assert len(await client.charges()) == 1


async def test_the_list_is_newest_first_and_can_be_narrowed(client: EmpirioLabsClient) -> None:
    done = (await client.finished())["job_id"]
    client.stage.outcome(NAME, "fail")
    failed = (await client.finished())["job_id"]
    client.stage.outcome(NAME, "never_ends")
    endless = await client.begin()
    for asked, expected in (
        ({}, [endless, failed, done]),
        ({"limit": 2}, [endless, failed]),
        ({"status": "processing"}, [endless]),
        ({"status": "completed"}, [done]),
        ({"status": "failed"}, [failed]),
    ):
        listed = (await client.http.get("/v1/jobs", params=asked)).json()["data"]
        assert [job["job_id"] for job in listed] == expected
    for wrong in ({"limit": 101}, {"limit": "all"}, {"status": "queued"}):
        assert (await client.http.get("/v1/jobs", params=wrong)).status_code == 400


async def test_a_job_under_way_can_be_cancelled_and_stays_charged(client: EmpirioLabsClient) -> None:
    await client.settings(render_seconds=0.5)
    job_id = await client.begin()
    stopped = (await client.http.post(f"/v1/jobs/{job_id}/cancel")).json()
    assert (stopped["job_id"], stopped["status"], stopped["result"]) == (job_id, "cancelled", None)
    assert [charge["status"] for charge in await client.charges()] == ["settled"]
    done = await client.finished()
    assert await client.read(job_id) == stopped, "also when its time would have come"
    again = await client.http.post(f"/v1/jobs/{done['job_id']}/cancel")
    assert again.json() == done, "what has ended is answered as it is"
    assert (await client.http.post("/v1/jobs/none/cancel")).status_code == 404


async def test_a_models_page_says_what_it_takes(client: EmpirioLabsClient) -> None:
    page = (await client.http.get(f"/v1/models/{STANDARD}")).json()
    assert page["parameters"]["resolution"]["allowed"] == ["480p", "720p", "1080p"]
    assert (await client.http.get("/v1/models/sora")).status_code == 404


async def test_prices_are_those_of_our_table(client: EmpirioLabsClient) -> None:
    """What is charged is what was held, wherever a price is published."""
    tiers = {MINI: "mini", FAST: "fast"}
    settings = (await client.stage.control.get(f"/{NAME}/settings")).json()
    for model, tier in tiers.items():
        for name, dollars in settings["prices"][model].items():
            resolution, _, video = name.partition("+")
            film = Medium(role=MediaRole.EDIT, kind=MediaKind.VIDEO, url=FILM)
            recipe = Recipe(prompt="x", resolution=resolution, seconds=10, tier=tier, media=(film,) if video else ())
            assert PriceTable().quote(recipe, NAME).micro_usd == round(dollars * 10_000_000)


# --- the adapter in every dialect, and faults ------------------------------------------------------------------------


async def ended(provider: EmpirioLabs, task_id: str) -> TaskReport:
    deadline = time.monotonic() + 15
    while isinstance(report := await provider.look(task_id), TaskRunning | TaskUnreadable):
        assert time.monotonic() < deadline, report
        await asyncio.sleep(0.02)
    return report


@pytest.fixture
async def adapter(client: EmpirioLabsClient) -> AsyncIterator[EmpirioLabs]:
    empirio = EmpirioLabs(key=client.stage.key(NAME), clock=SystemClock(), base_url=client.stage.base(NAME))
    yield empirio
    await empirio.close()


async def begun(adapter: EmpirioLabs, **changes: Any) -> str:
    accepted = await adapter.submit(adapter.order(Recipe(prompt="a red panda", **changes), "j1-1"))
    assert isinstance(accepted, OrderAccepted), accepted
    return accepted.task_id


@pytest.mark.parametrize("dialect", ["document", "live"])
async def test_the_adapter_understands_either_dialect(
    client: EmpirioLabsClient, adapter: EmpirioLabs, dialect: str
) -> None:
    await client.settings(dialect=dialect)
    done = await begun(adapter)
    assert isinstance(await ended(adapter, done), TaskFinished)
    client.stage.outcome(NAME, "fail", reason="face")
    failed = await begun(adapter)
    report = await ended(adapter, failed)
    assert isinstance(report, TaskFailed)
    assert (report.failure.kind.value, report.charged) == ("face", False)
    assert [charge["status"] for charge in await client.charges()] == ["settled", "refunded"]

    await client.settings(render_seconds=30)
    stopped = await begun(adapter)
    assert await adapter.cancel(stopped) is True
    assert await adapter.cancel(done) is False
    report = await ended(adapter, stopped)
    assert isinstance(report, TaskFailed)
    assert report.charged is True, "as the ledger has it"
    assert (await client.charges())[-1]["status"] == "settled"

    told = await adapter.look_at_all([done, failed, stopped, "none"])
    assert {task_id: type(one) for task_id, one in told.items()} == {
        done: TaskFinished,
        failed: TaskFailed,
        stopped: TaskFailed,
    }
    assert await adapter.balance() == Credit(micro_usd=await client.stage.balance(NAME))
    assert await adapter.check() is None
    missing = Medium(role=MediaRole.FIRST, kind=MediaKind.IMAGE, url=f"{client.stage.base(NAME)}/none.png")
    refused = await adapter.submit(adapter.order(Recipe(prompt="x", media=(missing,)), "j1-2"))
    assert isinstance(refused, OrderRefused)
    assert refused.failure.kind.value == "bad_reference"
    assert await adapter.look("none") == TaskMissing()


async def test_what_else_a_job_may_do_is_understood(client: EmpirioLabsClient, adapter: EmpirioLabs) -> None:
    await client.settings(render_seconds=0.5)
    client.stage.outcome(NAME, "unknown_status", word="REVIEWING")
    assert await adapter.look(odd := await begun(adapter)) == TaskRunning(odd="reviewing")
    assert isinstance(await ended(adapter, odd), TaskFinished)
    await client.settings(render_seconds=0)
    for output in ("missing", "null", "empty"):
        client.stage.outcome(NAME, "success_without_url", output=output, reads=1)
        late = await begun(adapter)
        await asyncio.sleep(0)
        deadline = time.monotonic() + 15
        while isinstance(report := await adapter.look(late), TaskRunning):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
        assert report == TaskUnreadable(why="success without a link")
        assert isinstance(await adapter.look(late), TaskFinished)
    client.stage.outcome(NAME, "regress")
    back = await begun(adapter)
    assert isinstance(await ended(adapter, back), TaskFinished)
    assert await adapter.look(back) == TaskRunning()
    client.stage.outcome(NAME, "extra_outputs")
    report = await ended(adapter, await begun(adapter))
    assert isinstance(report, TaskFinished)
    assert report.url.endswith(".mp4")
    client.stage.outcome(NAME, "lost")
    assert await adapter.look(await begun(adapter)) == TaskMissing()


@pytest.mark.parametrize("point", ["get", "list", "cancel", "balance"])
async def test_faults_strike_at_every_point(client: EmpirioLabsClient, adapter: EmpirioLabs, point: str) -> None:
    job_id = (await client.finished())["job_id"]
    client.stage.fault(f"{NAME}:{point}", "before", "status", status=429, headers={"Retry-After": "7"})
    asked = {
        "get": lambda: adapter.look(job_id),
        "list": lambda: adapter.look_at_all([job_id]),
        "cancel": lambda: adapter.cancel(job_id),
        "balance": adapter.balance,
    }[point]
    throttled = await asked()
    expected = {"get": TaskUnreadable(why="HTTP 429", retry_after_seconds=7.0), "list": {}, "cancel": False}
    assert throttled == expected.get(point)
    assert (await client.stage.requests(NAME))[point] >= 1
    assert await asked() != throttled or point == "cancel"


async def test_a_rule_finds_a_creation_by_what_it_asks_for(client: EmpirioLabsClient) -> None:
    rule = {"point": f"{NAME}:create", "phase": "before", "action": {"kind": "status", "status": 503}}
    client.stage.faults.add(rule | {"match": {"prompt": "tiger", "model": FAST}})
    assert (await client.create(prompt="a tiger")).status_code == 200
    broken = await client.create(prompt="a tiger", model=FAST)
    assert (broken.status_code, broken.json()["error"]["type"]) == (503, "server_error")
    assert len(await client.charges()) == 1
