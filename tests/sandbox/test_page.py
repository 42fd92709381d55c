"""What the demo page stands on: who may drive it, how files are served, what the live feed sends."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import aiohttp.web
import httpx
import pytest
from aiohttp.test_utils import TestServer
from slack_sdk.web.async_client import AsyncWebClient

from bot.demo import workspace_settings
from bot.emulation import emulation
from bot.sandbox.page import STATIC
from bot.sandbox.server import Sandbox
from bot.sandbox.slack.settings import Settings
from bot.sandbox.slack.view_state import state_values
from handlers.manifest import manifest
from tests.sandbox.driver import Refused, Workspace

Json = dict[str, Any]
ACT = {"user": "maya", "channel": "#dailies", "text": "hello"}


@pytest.fixture
async def visitor(sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    """A client that sends what a browser would."""
    async with httpx.AsyncClient(base_url=sandbox.slack_origin, trust_env=False) as client:
        yield client


async def news(live: aiohttp.ClientWebSocketResponse, *parts: str) -> Json:
    """The next message of the feed that has all of these parts."""
    async with asyncio.timeout(10):
        while True:
            message: Json = json.loads(await live.receive_str())
            if all(part in message for part in parts):
                return message


@pytest.fixture
async def live(sandbox: Sandbox) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """The feed, after its first state."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{sandbox.slack_origin}/page/live") as socket,
    ):
        first = await news(socket)
        assert first["type"] == "state"
        yield socket


async def test_the_page_may_load_nothing_from_elsewhere_and_be_framed_by_nobody(visitor: httpx.AsyncClient) -> None:
    page = await visitor.get("/")
    script = await visitor.get("/page/static/js/main.js")

    for answer in (page, script):
        policy = answer.headers["Content-Security-Policy"].split("; ")
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert not any("unsafe" in rule or "*" in rule for rule in policy)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "text/html" in page.headers["Content-Type"]
    assert "javascript" in script.headers["Content-Type"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "rebound.example"},
    ],
    ids=lambda headers: " ".join(f"{name} {value}" for name, value in headers.items()),
)
async def test_another_web_page_cannot_act(
    visitor: httpx.AsyncClient, studio: Workspace, headers: dict[str, str]
) -> None:
    answers = [
        await visitor.post("/control/message", json=ACT, headers=headers),
        await visitor.post("/control/bot/kill", headers=headers),
        await visitor.delete("/control/faults", headers=headers),
        await visitor.post("/control/providers/hiapi/settings", json={"balance": 0}, headers=headers),
        await visitor.post("/api/chat.postMessage", data={"channel": "#dailies", "text": "hi"}, headers=headers),
    ]

    assert [answer.status_code for answer in answers] == [403] * 5
    assert await studio.messages() == []


async def test_the_page_itself_and_programs_without_a_browser_may_act(
    visitor: httpx.AsyncClient, sandbox: Sandbox, studio: Workspace
) -> None:
    own = {"Origin": sandbox.slack_origin, "Sec-Fetch-Site": "same-origin"}

    assert (await visitor.post("/control/message", json=ACT, headers=own)).status_code == 200
    assert (await visitor.post("/control/message", json=ACT)).status_code == 200
    assert len(await studio.messages()) == 2


async def test_another_web_page_cannot_listen(sandbox: Sandbox) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(f"{sandbox.slack_origin}/page/live", origin="https://evil.example")

    assert refused.value.status == 403


async def test_a_clip_is_served_with_ranges_and_a_page_only_for_download(
    studio: Workspace, visitor: httpx.AsyncClient
) -> None:
    await studio.say("maya", "files", files=[("clip.mp4", bytes(range(200))), ("bad.html", b"<script>1</script>")])
    (message,) = await studio.messages()
    clip, page = (f"/page/file/{file['id']}/{file['name']}" for file in message["files"])

    part = await visitor.get(clip, headers={"Range": "bytes=10-19"})
    html = await visitor.get(page)

    assert (part.status_code, part.content) == (206, bytes(range(10, 20)))
    assert part.headers["Content-Type"] == "video/mp4"
    assert html.headers["Content-Type"] == "application/octet-stream"
    assert html.headers["Content-Disposition"] == "attachment"
    assert "sandbox" in html.headers["Content-Security-Policy"]
    assert (await visitor.get("/page/file/F0NONE/x.mp4")).status_code == 404


async def test_a_change_sends_only_what_changed(studio: Workspace, live: aiohttp.ClientWebSocketResponse) -> None:
    first = await studio.say("maya", "one")
    assert [one["text"] for one in (await news(live, "messages"))["messages"]] == ["one"]

    await studio.say("ben", "two", thread=first)
    change = await news(live, "messages")
    assert [one["text"] for one in change["messages"]] == ["one", "two"]
    assert change["messages"][0]["replies"]["count"] == 1
    assert "users" not in change

    await studio.react("ben", first, "rocket")
    (changed,) = (await news(live, "messages"))["messages"]
    assert [one["name"] for one in changed["reactions"]] == ["rocket"]

    await studio.edit("maya", first, "changed")
    (changed,) = (await news(live, "messages"))["messages"]
    assert (changed["text"], changed["edited"]) == ("changed", True)


async def test_deletions_members_and_troubles_are_told(
    studio: Workspace, live: aiohttp.ClientWebSocketResponse
) -> None:
    ts = await studio.say("maya", "one")
    await news(live, "messages")
    await studio.delete("maya", ts)
    assert (await news(live, "messages"))["messages"] == [{"channel": "C0DAILIES1", "ts": ts, "deleted": True}]

    await studio.post("/channel", action="join", channel="#lobby", user="dailies")
    (lobby,) = (await news(live, "channels"))["channels"]
    assert "U0DAILIES1" in lobby["members"]

    await studio.fault("slack:share", "do", "drop")
    assert [fault["point"] for fault in (await news(live, "bench"))["bench"]["faults"]] == ["slack:share"]
    await studio.heal()
    assert (await news(live, "bench"))["bench"]["faults"] == []


def test_no_script_of_the_page_makes_anything_of_text_but_text() -> None:
    scripts = {path.name: path.read_text(encoding="utf-8") for path in (STATIC / "js").glob("*.js")}
    parses = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\(|new Function|srcdoc"
    )

    assert len(scripts) > 20
    assert [name for name, script in scripts.items() if parses.search(script)] == []


def test_the_page_is_made_of_its_own_files_alone() -> None:
    scripts = list((STATIC / "js").glob("*.js"))
    imported = {
        (script.parent / name).resolve()
        for script in scripts
        for name in re.findall(r'(?m)^(?:import|\} from).*"(.+)";', script.read_text(encoding="utf-8"))
    }
    linked = re.findall(r'(?:href|src)="/page/static/(.+?)"', (STATIC / "index.html").read_text(encoding="utf-8"))

    assert imported | {STATIC / "js" / "main.js"} == set(scripts)
    assert [name for name in linked if not (STATIC / name).is_file()] == []
    assert "url(" not in (STATIC / "page.css").read_text(encoding="utf-8")


async def test_a_second_page_takes_nothing_from_the_first(
    sandbox: Sandbox, studio: Workspace, live: aiohttp.ClientWebSocketResponse
) -> None:
    await studio.say("maya", "for both")
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{sandbox.slack_origin}/page/live") as second,
    ):
        whole = await news(second, "messages")
        assert (whole["type"], [one["text"] for one in whole["messages"]]) == ("state", ["for both"])
        assert [one["text"] for one in (await news(live, "messages"))["messages"]] == ["for both"]

        await studio.say("ben", "later")
        for socket in (second, live):
            assert [one["text"] for one in (await news(socket, "messages"))["messages"]] == ["later"]


async def test_a_change_among_hundreds_of_messages_is_one_message_on_the_wire(
    studio: Workspace, live: aiohttp.ClientWebSocketResponse
) -> None:
    async def talk() -> str:
        for number in range(5):
            await asyncio.gather(*(studio.say("maya", f"{number}-{more}") for more in range(100)))
        return await studio.say("maya", "the last")

    talking = asyncio.create_task(talk())
    seen: list[str] = []
    while "the last" not in seen:
        seen += [one["text"] for one in (await news(live, "messages"))["messages"]]
    last = await talking

    await studio.react("ben", last, "eyes")
    change = await news(live, "messages")

    assert len(seen) == len(set(seen)) == 501
    assert len(json.dumps(change)) < 2000


async def test_the_bench_counts_what_the_providers_charged(
    studio: Workspace, live: aiohttp.ClientWebSocketResponse
) -> None:
    await studio.post("/providers/hiapi/top_up", usd=5)

    account = (await news(live, "bench"))["bench"]["providers"]["hiapi"]
    assert account["balance_micro_usd"] == 10_005_000_000
    assert (account["charged_micro_usd"], account["ledger"]) == (0, [])


async def test_the_bot_can_be_killed_by_a_click(studio: Workspace) -> None:
    with pytest.raises(Refused, match="cannot_kill"):
        await studio.post("/bot/kill")

    victim = await asyncio.create_subprocess_exec("sleep", "60")
    await studio.bot_is(victim.pid)
    killed, code = await asyncio.gather(studio.post("/bot/kill"), victim.wait())

    assert (killed, code) == ({"killed": True}, -9)


async def test_a_person_dismisses_only_what_they_see(studio: Workspace, web: AsyncWebClient) -> None:
    shown = await web.chat_postEphemeral(channel="C0DAILIES1", user="U0MAYA0001", text="psst")
    ts = shown["message_ts"]

    with pytest.raises(Refused, match="message_not_found"):
        await studio.post("/dismiss", user="ben", channel="#dailies", ts=ts)
    assert len(await studio.ephemerals("maya")) == 1
    await studio.post("/dismiss", user="maya", channel="#dailies", ts=ts)
    assert await studio.ephemerals("maya") == []


def test_an_input_that_was_emptied_holds_null_and_an_untouched_one_its_initial_value() -> None:
    options = [{"text": {"type": "plain_text", "text": "480p"}, "value": "480p"}]
    text = {"type": "plain_text_input", "action_id": "text", "initial_value": "before"}
    menu = {"type": "static_select", "action_id": "menu", "options": options, "initial_option": options[0]}
    blocks = [{"type": "input", "block_id": "a", "element": text}, {"type": "input", "block_id": "b", "element": menu}]

    untouched = state_values(blocks, {})
    emptied = state_values(blocks, {"a": {"text": ""}, "b": {"menu": ""}})

    assert untouched["a"]["text"]["value"] == "before"
    assert untouched["b"]["menu"]["selected_option"] == options[0]
    assert emptied["a"]["text"]["value"] is None
    assert emptied["b"]["menu"]["selected_option"] is None


async def test_over_http_connected_means_that_the_app_answered_last_time_and_lives(
    studio: Workspace, live: aiohttp.ClientWebSocketResponse
) -> None:
    """A URL alone says nothing; nor does what another process answered."""

    async def connected() -> bool:
        return bool((await news(live, "bench"))["bench"]["connected"])

    status = 200

    async def answer(request: aiohttp.web.Request) -> aiohttp.web.Response:
        asked = json.loads(await request.text()) if request.content_type == "application/json" else {}
        return aiohttp.web.Response(status=status, text=asked.get("challenge", ""))

    app = aiohttp.web.Application()
    app.router.add_post("/slack/events", answer)
    async with TestServer(app) as server:
        await studio.configure(delivery={"mode": "http", "url": f"http://127.0.0.1:{server.port}/slack/events"})
        assert await connected() is False
        await studio.post("/verify_url")
        assert await connected() is True

        status = 500
        await studio.slash("maya", "/clip a mug")
        assert await connected() is False
        status = 200
        await studio.slash("maya", "/clip a mug")
        assert await connected() is True

        bot = await asyncio.create_subprocess_exec("sleep", "60")
        await studio.bot_is(bot.pid)
        assert await connected() is False
        await studio.post("/verify_url")
        assert await connected() is True
        bot.kill()
        await bot.wait()
        assert await connected() is False


async def test_the_demo_gives_the_workspace_its_manifest(tmp_path: Path) -> None:
    """What the page suggests, which events go out and which scopes the token has: as the app declares them."""
    declared = manifest()
    world = emulation(workspace=workspace_settings(declared), folder=tmp_path)
    async with world as ready, aiohttp.ClientSession() as session:
        async with session.ws_connect(f"{ready.slack}/page/live") as socket:
            settings = (await news(socket, "settings"))["settings"]
        async with session.post(f"{ready.slack}/control/config", json={}) as answer:
            workspace = await answer.json()

    for command, shown in zip(declared["features"]["slash_commands"], settings["commands"], strict=True):
        assert shown == {name: command[name] for name in ("command", "description", "usage_hint")}
    assert settings["shortcuts"] == declared["features"].get("shortcuts", [])
    assert workspace["subscriptions"] == declared["settings"]["event_subscriptions"]["bot_events"]
    assert workspace["scopes"] == declared["oauth_config"]["scopes"]["bot"]


def test_a_manifest_with_shortcuts_and_without_commands_becomes_settings_too() -> None:
    shortcut = {"name": "New clip", "type": "global", "callback_id": "new_clip", "description": "Draft one"}
    app = {
        "features": {"shortcuts": [shortcut]},
        "settings": {"event_subscriptions": {"bot_events": ["app_home_opened"]}},
        "oauth_config": {"scopes": {"bot": ["chat:write"]}},
    }

    settings = Settings().changed(workspace_settings(app))

    assert (settings.commands, settings.shortcuts) == ((), (shortcut,))
    assert (settings.subscriptions, settings.scopes) == (("app_home_opened",), ("chat:write",))


async def test_commands_and_shortcuts_are_described(studio: Workspace, live: aiohttp.ClientWebSocketResponse) -> None:
    shortcut = {"name": "New clip", "type": "global", "callback_id": "new_clip", "description": "Draft one"}
    hints = {"/clip": {"description": "Draft", "usage_hint": "PROMPT"}}
    await studio.configure(commands=["/clip", "/other"], command_hints=hints, shortcuts=[shortcut])

    settings = (await news(live, "settings"))["settings"]
    assert settings["commands"] == [
        {"command": "/clip", "description": "Draft", "usage_hint": "PROMPT"},
        {"command": "/other", "description": "", "usage_hint": ""},
    ]
    assert settings["shortcuts"] == [shortcut]
    assert settings["has_home"] is False
