"""Files: uploads in three steps, shares that come late or never, private downloads."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.server import Sandbox
from tests.sandbox.driver import Refused, Workspace

DAILIES = "C0DAILIES1"
CLIP = b"\x00\x00\x00\x20ftypisom" + bytes(range(256)) * 40
Json = dict[str, Any]


async def upload(web: AsyncWebClient, data: bytes = CLIP, **announced: Any) -> str:
    """Steps one and two; returns the file's id."""
    place = await web.files_getUploadURLExternal(
        filename=announced.pop("filename", "clip.mp4"), length=announced.pop("length", len(data)), **announced
    )
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(place["upload_url"], content=data)
    assert answer.text == f"OK - {len(data)}"
    return str(place["file_id"])


async def complete(web: AsyncWebClient, file_id: str, **more: Any) -> Json:
    """Step three."""
    answer = await web.files_completeUploadExternal(files=[{"id": file_id, "title": "clip"}], **more)
    (file,) = answer["files"]
    drawn: Json = file
    return drawn


async def shared(studio: Workspace, file_id: str) -> Json:
    """The message that shows the file, once it is there."""
    return await studio.message_where(
        lambda one: any(file["id"] == file_id for file in one.get("files", [])), what="the share is there"
    )


async def error_of(call: Any) -> str:
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])


async def test_a_share_comes_after_the_answer_and_only_then_is_known_where(
    studio: Workspace, web: AsyncWebClient
) -> None:
    await studio.configure(share_delay=0.3)
    card = await web.chat_postMessage(channel=DAILIES, text="card")
    file_id = await upload(web)
    answered = await complete(web, file_id, channel_id=DAILIES, thread_ts=card["ts"], initial_comment="#1 & only")
    assert (answered["mimetype"], answered["shares"], answered["channels"]) == ("", {}, [])
    early = (await web.files_info(file=file_id))["file"]
    assert (early["mimetype"], early["shares"]) == ("", {})
    message = await shared(studio, file_id)
    late = (await web.files_info(file=file_id))["file"]
    assert late["mimetype"] == "video/mp4"
    assert late["shares"]["public"][DAILIES][0]["ts"] == message["ts"]
    assert message["subtype"] == "file_share"
    assert message["thread_ts"] == card["ts"]
    assert message["text"] == "#1 &amp; only"
    assert await studio.file(file_id) == CLIP


async def test_the_sdks_own_upload_works(studio: Workspace, web: AsyncWebClient) -> None:
    answer = await web.files_upload_v2(channel=DAILIES, content=CLIP, filename="clip.mp4")
    message = await shared(studio, answer["files"][0]["id"])
    assert await studio.file(message["files"][0]["id"]) == CLIP


async def test_bytes_may_come_as_multipart(studio: Workspace, web: AsyncWebClient) -> None:
    place = await web.files_getUploadURLExternal(filename="clip.mp4", length=len(CLIP))
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(place["upload_url"], files={"file": ("clip.mp4", CLIP)})
    assert answer.text == f"OK - {len(CLIP)}"
    assert await studio.file(place["file_id"]) == CLIP


@pytest.mark.parametrize("length", [len(CLIP) - 1, len(CLIP) + 1])
async def test_bytes_of_another_length_than_announced_are_refused(web: AsyncWebClient, length: int) -> None:
    place = await web.files_getUploadURLExternal(filename="clip.mp4", length=length)
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(place["upload_url"], content=CLIP)
    assert answer.status_code == 400
    assert await error_of(complete(web, place["file_id"], channel_id=DAILIES)) == "file_not_found"


async def test_a_file_is_completed_only_once(studio: Workspace, web: AsyncWebClient) -> None:
    file_id = await upload(web)
    await complete(web, file_id, channel_id=DAILIES)
    assert await error_of(complete(web, file_id, channel_id=DAILIES)) == "file_update_failed"
    await shared(studio, file_id)
    assert len(await studio.messages()) == 1


async def test_a_file_without_bytes_cannot_be_completed(web: AsyncWebClient) -> None:
    place = await web.files_getUploadURLExternal(filename="clip.mp4", length=10)
    assert await error_of(complete(web, place["file_id"], channel_id=DAILIES)) == "file_not_found"


@pytest.mark.parametrize(
    ("place", "error"),
    [
        ({"channel_id": "C0LOBBY004"}, "not_in_channel"),
        ({"channel_id": "C0ATTIC005"}, "is_archived"),
        ({"channel_id": "C0NOWHERE00"}, "channel_not_found"),
        ({"channel_id": DAILIES, "thread_ts": "1.000001"}, "thread_not_found"),
        ({"channel_id": DAILIES, "blocks": '[{"type": "markdown", "text": "x"}]'}, "internal_error"),
        ({"channel_id": DAILIES, "blocks": '[{"type": "marquee"}]'}, "invalid_blocks"),
    ],
)
async def test_a_file_that_cannot_be_shared_stays_completable(
    studio: Workspace, web: AsyncWebClient, place: Json, error: str
) -> None:
    file_id = await upload(web)
    assert await error_of(complete(web, file_id, **place)) == error
    await complete(web, file_id, channel_id=DAILIES)
    await shared(studio, file_id)


async def test_a_dropped_share_says_ok_and_never_appears(studio: Workspace, web: AsyncWebClient) -> None:
    await studio.fault("slack:share", "do", "drop", match={"filename": "clip"})
    file_id = await upload(web)
    await complete(web, file_id, channel_id=DAILIES)
    await processed(studio, file_id)
    assert (await web.files_info(file=file_id))["file"]["shares"] == {}
    assert await studio.messages() == []


async def test_an_alternative_text_makes_slack_drop_the_share(studio: Workspace, web: AsyncWebClient) -> None:
    file_id = await upload(web, alt_txt="a red panda")
    await complete(web, file_id, channel_id=DAILIES)
    await processed(studio, file_id)
    assert await studio.messages() == []


async def processed(studio: Workspace, file_id: str) -> None:
    await studio.wait_until(lambda state: state["files"][file_id]["processed"], what="the file is processed")


async def test_the_late_share_of_a_deleted_file_does_not_appear(studio: Workspace, web: AsyncWebClient) -> None:
    await studio.fault("slack:share", "do", "delay", seconds=0.1, match={"filename": "late"})
    late = await upload(web, filename="late.mp4")
    await complete(web, late, channel_id=DAILIES)
    await web.files_delete(file=late)
    await studio.configure(share_delay=0.2)
    later = await upload(web)
    await complete(web, later, channel_id=DAILIES)
    await shared(studio, later)
    assert len(await studio.messages()) == 1
    assert await error_of(web.files_info(file=late)) == "file_deleted"


async def test_deleting_a_file_takes_its_message_away(studio: Workspace, web: AsyncWebClient) -> None:
    file_id = await upload(web)
    await complete(web, file_id, channel_id=DAILIES)
    await shared(studio, file_id)
    await web.files_delete(file=file_id)
    assert await studio.messages() == []
    with pytest.raises(httpx.HTTPStatusError):
        await studio.file(file_id)


async def test_the_bot_cannot_delete_a_persons_file(studio: Workspace, web: AsyncWebClient) -> None:
    await studio.say("maya", "mug", files=[("mug.png", b"png")])
    (message,) = await studio.messages()
    assert await error_of(web.files_delete(file=message["files"][0]["id"])) == "cant_delete_file"


async def test_a_private_file_is_read_with_the_token_whole_or_in_part(studio: Workspace) -> None:
    await studio.say("maya", "clip", files=[("mug.png", CLIP)])
    (message,) = await studio.messages()
    url = message["files"][0]["url_private_download"]
    headers = {"Authorization": f"Bearer {studio.environment['SLACK_BOT_TOKEN']}"}
    async with httpx.AsyncClient(trust_env=False, headers=headers) as client:
        whole = await client.get(url)
        part = await client.get(url, headers={"Range": "bytes=4-11"})
    assert (whole.status_code, whole.content) == (200, CLIP)
    assert whole.headers["content-type"] == "image/png"
    assert (part.status_code, part.content) == (206, CLIP[4:12])


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer xoxb-sandbox-nobody"}])
async def test_without_the_token_a_download_ends_on_a_login_page(studio: Workspace, headers: dict[str, str]) -> None:
    await studio.say("maya", "clip", files=[("mug.png", CLIP)])
    (message,) = await studio.messages()
    async with httpx.AsyncClient(trust_env=False, headers=headers, follow_redirects=True) as client:
        answer = await client.get(message["files"][0]["url_private"])
    assert [hop.status_code for hop in answer.history] == [302]
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")


async def test_a_token_without_the_scope_ends_on_the_login_page_too(studio: Workspace) -> None:
    await studio.post("/token", scopes=["chat:write"])
    await studio.say("maya", "clip", files=[("mug.png", CLIP)])
    (message,) = await studio.messages()
    headers = {"Authorization": f"Bearer {studio.environment['SLACK_BOT_TOKEN']}"}
    async with httpx.AsyncClient(trust_env=False, headers=headers) as client:
        answer = await client.get(message["files"][0]["url_private"])
    assert answer.status_code == 302


async def test_the_bytes_lie_on_disk_one_file_each(web: AsyncWebClient, sandbox: Sandbox, tmp_path: Path) -> None:
    data = bytes(1 << 20)
    ids = await asyncio.gather(*[upload(web, data, filename=f"{number}.mp4") for number in range(8)])
    stored = {path.name: path.stat().st_size for path in (tmp_path / "slack-files").iterdir()}
    assert stored == dict.fromkeys(ids, len(data))
    assert sandbox.slack.workspace.files.keys() == set(ids)


async def test_a_person_cannot_share_what_is_not_theirs(studio: Workspace) -> None:
    await studio.say("maya", "clip", files=[("mug.png", CLIP)])
    (message,) = await studio.messages()
    with pytest.raises(Refused, match="file_not_found"):
        await studio.post("/message", user="ben", channel="#dailies", text="x", files=[message["files"][0]["id"]])


async def test_what_the_app_may_not_see_ends_on_a_login_page(studio: Workspace, web: AsyncWebClient) -> None:
    """A member's good token is not enough: the bot must be where the file stands."""
    await studio.say("maya", "clip", channel="#lobby", files=[("mug.png", CLIP)])
    (message,) = await studio.messages(channel="#lobby")
    (file,) = message["files"]
    assert await error_of(web.files_info(file=file["id"])) == "file_not_found"
    headers = {"Authorization": f"Bearer {studio.environment['SLACK_BOT_TOKEN']}"}
    async with httpx.AsyncClient(trust_env=False, headers=headers, follow_redirects=True) as client:
        answer = await client.get(file["url_private"])
    assert ([hop.status_code for hop in answer.history], answer.status_code) == ([302], 200)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


async def test_a_file_of_another_organisation_comes_as_an_id(
    studio: Workspace, web: AsyncWebClient, heard: list[Json]
) -> None:
    await studio.say("olga", "ours", files=[("agency.png", CLIP)])
    await studio.wait_until(lambda state: all(one["acked"] for one in state["events"]), what="all events are acked")
    (event,) = [one for one in heard if one.get("subtype") == "file_share"]
    (stub,) = event["files"]
    assert stub | {"id": ""} == {
        "id": "",
        "mode": "file_access",
        "file_access": "check_file_info",
        "created": 0,
        "timestamp": 0,
        "user": "",
    }
    history = (await web.conversations_history(channel=DAILIES))["messages"]
    assert history[0]["files"] == [stub]
    told = (await web.files_info(file=stub["id"]))["file"]
    assert (told["name"], told["file_access"], told["mode"]) == ("agency.png", "visible", "hosted")


async def test_files_are_gone_hidden_or_elsewhere(studio: Workspace, web: AsyncWebClient) -> None:
    await studio.say("maya", "look", files=[("one.png", CLIP), ("two.png", CLIP)])
    (message,) = await studio.messages()
    one, two = (file["id"] for file in message["files"])
    await studio.post("/file", action="hide", file=one)
    assert (await web.files_info(file=one))["file"] == {"id": one, "mode": "hidden_by_limit"}
    await studio.post("/file", action="show", file=one)
    for file in (one, two):
        await studio.post("/file", action="delete", file=file)
        assert await error_of(web.files_info(file=file)) == "file_deleted"
    (message,) = await studio.messages()
    assert message["files"] == [{"id": file, "mode": "tombstone"} for file in (one, two)]
    link = "https://drive.example/brief.png"
    made = await studio.post("/file", action="external", user="maya", name="brief.png", url=link)
    await studio.post("/message", user="maya", channel="#dailies", text="brief", files=[made["file"]])
    told = (await web.files_info(file=made["file"]))["file"]
    assert (told["mode"], told["is_external"], told["url_private"]) == ("external", True, link)
    assert "url_private_download" not in told
    with pytest.raises(Refused, match="unknown_action"):
        await studio.post("/file", action="lend", file=made["file"])
    with pytest.raises(Refused, match="file_not_found"):
        await studio.post("/file", action="hide", file=one)


async def test_a_phones_picture_has_no_type_right_after_the_upload(studio: Workspace, web: AsyncWebClient) -> None:
    await studio.configure(share_delay=0.05)
    await studio.say("maya", "mug", files=[("IMG_1.HEIC", CLIP)])
    (message,) = await studio.messages()
    file_id = message["files"][0]["id"]
    await processed(studio, file_id)
    told = (await web.files_info(file=file_id))["file"]
    assert (told["mimetype"], told["filetype"]) == ("image/heic", "heic")
    await studio.post("/file", action="forget_type", file=file_id)
    untold = (await web.files_info(file=file_id))["file"]
    assert (untold["mimetype"], untold["filetype"], untold["size"]) == ("", "", len(CLIP))
    await studio.post("/file", action="know_type", file=file_id)
    assert (await web.files_info(file=file_id))["file"] == told


async def test_addresses_of_files_are_encoded(studio: Workspace, web: AsyncWebClient) -> None:
    await studio.say("maya", "mug", files=[("Maya's mug, é & 100% #1?.png", CLIP)])
    (message,) = await studio.messages()
    (file,) = message["files"]
    assert file["name"] == "Maya's mug, é & 100% #1?.png"
    headers = {"Authorization": f"Bearer {studio.environment['SLACK_BOT_TOKEN']}"}
    async with httpx.AsyncClient(trust_env=False, headers=headers) as client:
        for name in ("url_private", "url_private_download"):
            assert file[name].isascii()
            assert (await client.get(file[name])).content == CLIP
