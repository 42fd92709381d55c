"""Every kind of fault as a client sees it, over real sockets."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from aiohttp import web

from bot.sandbox.faults import BadRule, CannotKill, Faults

FILE_SIZE = 4_000_000


@dataclass(kw_only=True)
class Shop:
    """A little service behind the middleware: it counts what it has processed."""

    faults: Faults
    client: httpx.AsyncClient
    processed: list[str] = field(default_factory=list)

    def rule(self, phase: str, kind: str, point: str = "shop:order", **action: object) -> int:
        return self.faults.add({"point": point, "phase": phase, "action": {"kind": kind, **action}})

    async def order(self, what: str = "a clip") -> httpx.Response:
        return await self.client.post("/order", json={"what": what})


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    faults = Faults()
    path = tmp_path / "film.mp4"
    path.write_bytes(bytes(range(250)) * (FILE_SIZE // 250))
    processed: list[str] = []

    async def order(request: web.Request) -> web.Response:
        processed.append((await request.json())["what"])
        return web.json_response({"ok": True, "number": len(processed), "thanks": "x" * 200})

    async def upload(request: web.Request) -> web.Response:
        size = len(await request.read())
        processed.append(f"upload of {size}")
        return web.Response(text=f"OK - {size}")

    async def film(request: web.Request) -> web.FileResponse:
        processed.append("film")
        return web.FileResponse(path, headers={"Content-Type": "video/mp4"})

    async def facts(request: web.Request) -> Mapping[str, object]:
        return await request.json() if request.path == "/order" else {}

    points = {"/order": "shop:order", "/upload": "shop:upload", "/film": "shop:film"}
    guard = faults.middleware(
        lambda request: points.get(request.path),
        facts_of=facts,
        error_body=lambda request, status: {"shop_error": status, "at": request.path},
    )
    app = web.Application(middlewares=[guard], client_max_size=2 * FILE_SIZE)
    app.add_routes([web.post("/order", order), web.post("/upload", upload), web.get("/film", film)])
    # Not aiohttp's TestServer: it cancels a handler when the client leaves, which no server in use does.
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with httpx.AsyncClient(base_url=base, timeout=5) as client:
        yield Shop(faults=faults, client=client, processed=processed)
    faults.clear()
    await runner.cleanup()


async def test_without_rules_nothing_is_touched(shop: Shop) -> None:
    assert (await shop.order()).json()["number"] == 1
    assert (await shop.client.get("/film")).headers["content-length"] == str(FILE_SIZE)


@pytest.mark.parametrize(("phase", "processed"), [("before", 0), ("amid", 1), ("after", 1)])
@pytest.mark.parametrize("kind", ["reset", "close"])
async def test_a_dropped_connection_is_processed_or_not_as_its_phase_says(
    shop: Shop, phase: str, processed: int, kind: str
) -> None:
    shop.rule(phase, kind)
    if phase == "after":
        assert (await shop.order()).json()["ok"] is True
    else:
        wanted = httpx.ReadError if kind == "reset" else httpx.RemoteProtocolError
        with pytest.raises(wanted):
            await shop.order()
    assert len(shop.processed) == processed
    assert (await shop.order()).json()["number"] == processed + 1


async def test_a_reset_upload_was_half_read_and_not_processed(shop: Shop) -> None:
    shop.rule("amid_request", "reset", "shop:upload")
    with pytest.raises((httpx.WriteError, httpx.ReadError)):
        await shop.client.post("/upload", content=bytes(FILE_SIZE))
    assert shop.processed == []
    assert (await shop.client.post("/upload", content=b"abc")).text == "OK - 3"


async def test_a_request_may_be_read_in_full_and_thrown_away(shop: Shop) -> None:
    shop.rule("before", "close", "shop:upload", read_body=True)
    with pytest.raises(httpx.RemoteProtocolError):
        await shop.client.post("/upload", content=bytes(FILE_SIZE))
    assert shop.processed == []


@pytest.mark.parametrize(("phase", "processed"), [("before", 0), ("amid", 1)])
async def test_a_hanging_call_never_sends_a_byte(shop: Shop, phase: str, processed: int) -> None:
    shop.rule(phase, "hang")
    with pytest.raises(httpx.ReadTimeout):
        await shop.client.post("/order", json={"what": "x"}, timeout=httpx.Timeout(10, read=0.3))
    assert len(shop.processed) == processed


async def test_a_hang_ends_with_its_seconds_or_when_the_rules_are_cleared(shop: Shop) -> None:
    shop.rule("before", "hang", seconds=0.2)
    with pytest.raises(httpx.RemoteProtocolError):
        await shop.order()
    shop.rule("before", "hang")
    waiting = asyncio.create_task(shop.order())
    await asyncio.sleep(0.1)
    assert not waiting.done()
    shop.faults.clear()
    with pytest.raises(httpx.RemoteProtocolError):
        await waiting


@pytest.mark.parametrize("phase", ["before", "amid"])
async def test_a_delayed_call_is_answered_truly_but_late(shop: Shop, phase: str) -> None:
    shop.rule(phase, "delay", seconds=0.3)
    began = time.monotonic()
    assert (await shop.order()).json()["number"] == 1
    assert time.monotonic() - began >= 0.3


async def test_a_delayed_call_is_processed_late_though_its_client_has_left(shop: Shop) -> None:
    shop.rule("before", "delay", seconds=0.3, kept=True)
    began = time.monotonic()
    with pytest.raises(httpx.ReadTimeout):
        await shop.client.post("/order", json={"what": "panda"}, timeout=0.1)
    while not shop.processed:
        assert time.monotonic() - began < 5
        await asyncio.sleep(0.01)
    assert time.monotonic() - began >= 0.3


@pytest.mark.parametrize(("phase", "processed"), [("before", 0), ("amid", 1)])
async def test_a_status_takes_the_place_of_the_answer(shop: Shop, phase: str, processed: int) -> None:
    shop.rule(phase, "status", status=503, headers={"X-Why": "storm"})
    answer = await shop.order()
    assert (answer.status_code, answer.headers["x-why"]) == (503, "storm")
    assert answer.json() == {"shop_error": 503, "at": "/order"}
    assert len(shop.processed) == processed


async def test_a_status_can_bring_any_body(shop: Shop) -> None:
    shop.rule("amid", "status", status=200, body={"data": {"id": None}})
    shop.rule("amid", "status", status=524, body="<h1>origin timeout</h1>", content_type="text/html")
    assert (await shop.order()).json() == {"data": {"id": None}}
    page = await shop.order()
    assert (page.status_code, page.text) == (524, "<h1>origin timeout</h1>")
    assert page.headers["content-type"].startswith("text/html")


async def test_html_and_garbage_are_answers_that_no_client_can_use(shop: Shop) -> None:
    shop.rule("amid", "html")
    shop.rule("amid", "garbage")
    page = await shop.order()
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    with pytest.raises(json.JSONDecodeError):
        (await shop.order()).json()


@pytest.mark.parametrize("retry_after", ["1", "Fri, 20 Nov 2026 21:00:00 GMT", "-5", "abc", None])
async def test_a_rate_limit_says_retry_after_in_any_words_or_none(shop: Shop, retry_after: str | None) -> None:
    shop.rule("before", "ratelimit", retry_after=retry_after)
    answer = await shop.order()
    assert answer.status_code == 429
    assert answer.headers.get("retry-after") == retry_after
    assert shop.processed == []


async def test_a_redirect_names_its_target(shop: Shop) -> None:
    shop.rule("before", "redirect", location="http://127.0.0.1:9/elsewhere", status=308)
    answer = await shop.order()
    assert (answer.status_code, answer.headers["location"]) == (308, "http://127.0.0.1:9/elsewhere")


@pytest.mark.parametrize("chunked", [False, True])
async def test_half_a_body_is_noticed_by_the_client(shop: Shop, chunked: bool) -> None:
    shop.rule("amid", "half_body", chunked=chunked)
    with pytest.raises(httpx.RemoteProtocolError):
        await shop.order()
    assert len(shop.processed) == 1


async def test_a_drip_keeps_the_connection_alive_and_slow(shop: Shop) -> None:
    shop.rule("amid", "drip", bytes_per_second=500)
    began = time.monotonic()
    async with shop.client.stream("POST", "/order", json={"what": "x"}) as answer:
        pieces = [piece async for piece in answer.aiter_raw()]
    assert time.monotonic() - began > 0.3
    assert len(pieces) > 2
    assert json.loads(b"".join(pieces))["ok"] is True


async def test_a_truncated_download_looks_whole_to_http(shop: Shop) -> None:
    shop.rule("amid", "truncate", "shop:film", fraction=0.25)
    answer = await shop.client.get("/film")
    assert answer.status_code == 200
    assert len(answer.content) == int(answer.headers["content-length"]) == FILE_SIZE // 4


@pytest.mark.parametrize(("kind", "error"), [("reset", httpx.ReadError), ("close", httpx.RemoteProtocolError)])
async def test_a_file_is_dropped_after_half_of_its_bytes(shop: Shop, kind: str, error: type[Exception]) -> None:
    shop.rule("amid", kind, "shop:film")
    got: list[bytes] = []

    async def download() -> None:
        async with shop.client.stream("GET", "/film") as answer:
            async for piece in answer.aiter_raw():
                got.append(piece)  # noqa: PERF401 - what came before the error is what counts

    with pytest.raises(error):
        await download()
    assert 0 < sum(map(len, got)) <= FILE_SIZE // 2


async def test_a_broken_range_request_is_still_the_range(shop: Shop) -> None:
    shop.rule("amid", "truncate", "shop:film", fraction=0.5)
    answer = await shop.client.get("/film", headers={"Range": "bytes=100-299"})
    assert answer.status_code == 206
    assert answer.headers["content-range"] == f"bytes 100-299/{FILE_SIZE}"
    assert answer.content == bytes(range(100, 200))


async def test_an_endless_body_goes_on_past_any_cap(shop: Shop) -> None:
    shop.rule("before", "endless", "shop:film")
    got = 0
    async with shop.client.stream("GET", "/film") as answer:
        assert "content-length" not in answer.headers
        async for piece in answer.aiter_raw():
            got += len(piece)
            if got > 2 * FILE_SIZE:
                break
    assert got > 2 * FILE_SIZE


VICTIM = """
import sys, urllib.request
request = urllib.request.Request(sys.argv[1], data=sys.argv[2].encode() or None)
request.add_header("Content-Type", "application/json")
with urllib.request.urlopen(request) as answer:
    answer.read()
print("answered", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("phase", "path", "body", "processed"),
    [
        ("before", "/order", '{"what": "x"}', []),
        ("amid_request", "/upload", "y" * 1000, []),
        ("amid", "/order", '{"what": "x"}', ["x"]),
        ("after", "/order", '{"what": "x"}', ["x"]),
        ("amid", "/film", "", ["film"]),
    ],
)
async def test_the_bot_dies_between_the_lines_that_the_phase_names(
    shop: Shop, phase: str, path: str, body: str, processed: list[str]
) -> None:
    shop.rule(phase, "kill", f"shop:{path[1:]}", after_ms=1)
    victim = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        VICTIM,
        f"{shop.client.base_url}".rstrip("/") + path,
        body,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    shop.faults.bot_pid = victim.pid
    assert victim.stdout is not None
    said = await asyncio.wait_for(victim.stdout.read(), 10)
    assert await victim.wait() == -signal.SIGKILL
    # After an answer it is a race how far the bot gets before it dies; before one it gets nowhere.
    assert said in ([b"", b"answered\n"] if phase == "after" else [b""])
    assert shop.processed == processed
    assert shop.faults.bot_pid is None


async def test_a_kill_without_a_known_process_is_an_error_that_shows(shop: Shop) -> None:
    with pytest.raises(CannotKill, match="no bot pid"):
        await shop.faults.kill_bot()


def rules(*actions: Mapping[str, object], **common: object) -> Faults:
    faults = Faults()
    for action in actions:
        faults.add({"point": "a:b", "phase": "do", "action": action, **common})
    return faults


def test_a_rule_fires_as_often_as_it_says_after_those_it_skips() -> None:
    faults = rules({"kind": "lose"}, skip=2, times=2)
    taken = [faults.take("a:b", "do") for _ in range(6)]
    assert taken == [None, None, {"kind": "lose"}, {"kind": "lose"}, None, None]
    (listed,) = faults.listing()
    assert (listed["fired"], listed["times"], listed["skip"]) == (2, 0, 0)


def test_a_rule_without_an_end_fires_for_ever() -> None:
    faults = rules({"kind": "lose"}, times=-1)
    assert all(faults.take("a:b", "do") for _ in range(50))


def test_the_first_rule_that_fits_is_taken_and_the_next_when_it_is_used_up() -> None:
    faults = rules({"kind": "lose"}, {"kind": "duplicate"})
    assert faults.take("a:b", "do") == {"kind": "lose"}
    assert faults.take("a:b", "do") == {"kind": "duplicate"}
    assert faults.take("a:b", "do") is None


def test_a_rule_that_skips_a_call_leaves_it_to_the_next_rule() -> None:
    faults = Faults()
    faults.add({"point": "a:b", "phase": "do", "skip": 1, "action": {"kind": "first"}})
    faults.add({"point": "a:*", "phase": "do", "action": {"kind": "second"}})
    assert [faults.take("a:b", "do") for _ in range(2)] == [{"kind": "second"}, {"kind": "first"}]


def test_points_phases_and_facts_must_fit() -> None:
    faults = rules({"kind": "fail"}, match={"prompt": "panda"})
    assert faults.take("a:c", "do", {"prompt": "a panda"}) is None
    assert faults.take("a:b", "amid", {"prompt": "a panda"}) is None
    assert faults.take("a:b", "do", {"prompt": "a tiger"}) is None
    assert faults.take("a:b", "do") is None
    assert faults.take("a:b", "do", {"prompt": "a red panda"}) == {"kind": "fail"}


def test_a_star_stands_for_any_part_of_a_point() -> None:
    faults = Faults()
    faults.add({"point": "*:create", "phase": "do", "action": {"kind": "lose"}})
    assert faults.take("one:get", "do") is None
    assert faults.take("one:create", "do") == {"kind": "lose"}
    assert faults.take("other:create", "do") is None, "once, whoever it hit"


async def test_the_middleware_matches_on_facts_of_the_request(shop: Shop) -> None:
    shop.faults.add(
        {
            "point": "shop:*",
            "phase": "amid",
            "action": {"kind": "status", "status": 500},
            "match": {"what": "panda"},
        }
    )
    assert (await shop.order("a tiger")).status_code == 200
    assert (await shop.order("a panda")).status_code == 500
    assert shop.processed == ["a tiger", "a panda"]


def test_removed_and_cleared_rules_are_gone() -> None:
    faults = rules({"kind": "lose"}, {"kind": "slow"}, {"kind": "drop"})
    faults.remove(1)
    assert [rule["id"] for rule in faults.listing()] == [2, 3]
    faults.clear()
    assert faults.listing() == []
    assert faults.take("a:b", "do") is None


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"point": ""}, "point"),
        ({"phase": "during"}, "phase"),
        ({"action": "kill"}, "action"),
        ({"action": {}}, "action"),
        ({"action": {"kind": "explode"}}, "action"),
        ({"action": {"kind": "status"}}, "action"),
        ({"action": {"kind": "half_body"}}, "action"),
        ({"phase": "after", "action": {"kind": "html"}}, "action"),
        ({"skip": -1}, "skip"),
        ({"times": True}, "times"),
        ({"match": {"prompt": 3}}, "match"),
        ({"pont": "a:b"}, "pont"),
    ],
)
def test_a_rule_that_could_never_work_is_refused(change: Mapping[str, object], part: str) -> None:
    rule = {"point": "a:b", "phase": "before", "action": {"kind": "reset"}}
    with pytest.raises(BadRule) as refused:
        Faults().add({**rule, **change})
    assert refused.value.part == part
