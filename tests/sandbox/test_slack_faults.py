"""Slack going wrong on order: every kind of call has its point, and the bot can be killed around an envelope."""

import asyncio
import sys
from typing import Any

import aiohttp
import httpx
import pytest
from aiohttp.test_utils import make_mocked_request
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack.slack import point_of
from tests.sandbox.driver import Refused, Workspace

DAILIES = "C0DAILIES1"
CLIP = b"\x00\x00\x00\x20ftypisom" + bytes(1000)


@pytest.mark.parametrize(
    ("path", "point"),
    [
        ("/api/chat.postMessage", "slack:chat.postMessage"),
        ("/upload/v1/abc", "slack:upload"),
        ("/files-pri/T0-F0/clip.mp4", "slack:download"),
        ("/hooks/commands/T0/abc", "slack:response_url"),
        ("/control/state", None),
        ("/link/", None),
    ],
)
def test_every_kind_of_call_has_its_point_and_control_has_none(path: str, point: str | None) -> None:
    assert point_of(make_mocked_request("GET", path)) == point


async def test_a_completed_upload_whose_answer_is_lost_is_shared_all_the_same(
    studio: Workspace, web: AsyncWebClient
) -> None:
    await studio.fault("slack:files.completeUploadExternal", "amid", "status", status=500)
    place = await web.files_getUploadURLExternal(filename="clip.mp4", length=len(CLIP))
    async with httpx.AsyncClient(trust_env=False) as client:
        await client.post(place["upload_url"], content=CLIP)
        headers = {"Authorization": f"Bearer {studio.environment['SLACK_BOT_TOKEN']}"}
        answer = await client.post(
            studio.environment["SLACK_API_URL"] + "files.completeUploadExternal",
            json={"files": [{"id": place["file_id"]}], "channel_id": DAILIES},
            headers=headers,
        )
    assert answer.status_code == 500
    message = await studio.message_where(lambda one: bool(one.get("files")))
    assert message["files"][0]["id"] == place["file_id"]


async def test_bytes_that_broke_off_leave_nothing_to_complete(studio: Workspace, web: AsyncWebClient) -> None:
    await studio.fault("slack:upload", "amid_request", "reset")
    place = await web.files_getUploadURLExternal(filename="clip.mp4", length=len(CLIP))
    async with httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(httpx.TransportError):
            await client.post(place["upload_url"], content=CLIP)
        assert (await studio.state())["files"][place["file_id"]]["received"] is None
        assert (await client.post(place["upload_url"], content=CLIP)).status_code == 200


@pytest.mark.parametrize("moment", ["sent", "acked"])
async def test_the_bot_can_be_killed_around_an_envelope(studio: Workspace, web: AsyncWebClient, moment: str) -> None:
    await studio.configure(ack_timeout=3 if moment == "acked" else 0.3)
    victim = await asyncio.create_subprocess_exec(sys.executable, "-c", "import time; time.sleep(60)")
    await studio.bot_is(victim.pid)
    await studio.fault("slack:envelope", "do", "kill", when=moment, match={"type": "slash_commands"})
    url = (await web.apps_connections_open(app_token=studio.environment["SLACK_APP_TOKEN"]))["url"]
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        await socket.receive_json()
        await studio.connected()
        asking = asyncio.create_task(studio.slash("maya", "/clip a red panda"))
        envelope: dict[str, Any] = await socket.receive_json(timeout=3)
        if moment == "acked":
            assert victim.returncode is None
            await socket.send_json({"envelope_id": envelope["envelope_id"]})
        outcome = await asking
    assert await asyncio.wait_for(victim.wait(), 5) == -9
    assert outcome["error"] == (None if moment == "acked" else "operation_timeout")


async def test_a_slow_envelope_arrives_late_and_costs_the_app_none_of_its_three_seconds(studio: Workspace) -> None:
    await studio.configure(ack_timeout=0.5)
    await studio.fault("slack:envelope", "do", "slow", seconds=0.6)
    web = AsyncWebClient(base_url=studio.environment["SLACK_API_URL"])
    url = (await web.apps_connections_open(app_token=studio.environment["SLACK_APP_TOKEN"]))["url"]
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        await socket.receive_json()
        await studio.connected()
        asking = asyncio.create_task(studio.slash("maya", "/clip a red panda"))
        envelope = await socket.receive_json(timeout=3)
        await socket.send_json({"envelope_id": envelope["envelope_id"]})
        outcome = await asking
    assert outcome["acked"]
    assert outcome["ack_seconds"] < 0.5


async def test_rules_can_be_listed_removed_and_cleared(studio: Workspace) -> None:
    first = await studio.fault("slack:event", "do", "lose")
    await studio.fault("slack:upload", "before", "close")
    assert [rule["id"] for rule in await studio.faults()] == [first, first + 1]
    async with httpx.AsyncClient(trust_env=False) as client:
        await client.delete(f"{studio.slack}/control/faults/{first}")
    assert [rule["point"] for rule in await studio.faults()] == ["slack:upload"]
    await studio.heal()
    assert await studio.faults() == []
    with pytest.raises(Refused, match="bad_rule"):
        await studio.fault("slack:upload", "sometimes", "close")
