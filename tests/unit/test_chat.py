"""Slack, outgoing, against the sandbox's Slack: posting and reading back, uploads, and who is told how."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.access import Why
from bot.domain.announcement import Announcement, Topic
from bot.domain.job import Ask, State
from bot.domain.notice import Notice
from bot.ports import ChatError, ChatRefused, ChatUnauthorized, ChatUnknown, ClipPost, MessageGone, Share, Slot
from bot.sandbox.server import Sandbox
from bot.services.answers import NotAllowed
from handlers.blocks.answers import explain_error
from handlers.chat import CARD_EVENT, SlackChat
from handlers.workspace import SlackWorkspace
from tests.sandbox.driver import Workspace
from tests.support.loopback import Answer, answering, reset, sending, serving, unused_port
from tests.support.values import a_card, a_clip_post, a_job, an_ask, at

DAILIES, PRIVATE, LOBBY, ATTIC = "C0DAILIES1", "C0PRIVATE3", "C0LOBBY004", "C0ATTIC005"
MAYA, BEN, CHLOE = "U0MAYA0001", "U0BEN00002", "U0CHLOE003"
CLIP = b"\x00\x00\x00\x20ftypisom" + bytes(range(256)) * 800


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    server = Sandbox(data_dir=tmp_path, config={"share_delay": 0.02})
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def studio(sandbox: Sandbox) -> AsyncIterator[Workspace]:
    people = Workspace(
        slack=sandbox.slack_origin, providers=sandbox.providers_origin, environment=sandbox.environment()
    )
    yield people
    await people.close()


@pytest.fixture
def client(studio: Workspace) -> AsyncWebClient:
    """As the program makes it, without slack_sdk's own retries."""
    environment = studio.environment
    return SlackWorkspace(
        bot_token=environment["SLACK_BOT_TOKEN"],
        app_token=environment["SLACK_APP_TOKEN"],
        api_url=environment["SLACK_API_URL"],
    ).client


@pytest.fixture
async def chat(client: AsyncWebClient) -> AsyncIterator[SlackChat]:
    opened = SlackChat(client)
    yield opened
    await opened.close()


def ask_in(channel: str = DAILIES, **changes: Any) -> Ask:
    """Maya's ask, made just now: cards are looked for from then on."""
    return an_ask(channel=channel, person=MAYA, created_at=datetime.now(UTC), **changes)


async def in_pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 50_000):
        yield data[start : start + 50_000]


# --- cards -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channel", [DAILIES, PRIVATE])
async def test_a_card_is_posted_once_and_carries_the_asks_id(chat: SlackChat, studio: Workspace, channel: str) -> None:
    ts = await chat.post_card(a_card(ask_in(channel)))
    (message,) = await studio.messages(channel=channel)
    assert (message["ts"], message.get("thread_ts")) == (ts, None)
    assert message["metadata"] == {"event_type": CARD_EVENT, "event_payload": {"ask": "a1"}}
    assert "red panda" in message["text"]
    assert message["blocks"]


async def test_a_card_in_a_thread_stays_in_it(chat: SlackChat, studio: Workspace) -> None:
    root = await chat.post_card(a_card(ask_in()))
    ts = await chat.post_card(a_card(ask_in(id="a2", root_ts=root)))
    assert [message["ts"] for message in await studio.thread(root)] == [root, ts]


async def test_a_card_is_found_again_by_its_metadata_in_the_channel(chat: SlackChat, studio: Workspace) -> None:
    asks = [ask_in(id=f"a{number}") for number in range(3)]
    posted = [await chat.post_card(a_card(ask)) for ask in asks]
    await studio.say("maya", "a red panda")
    assert [await chat.find_card(ask) for ask in asks] == posted
    assert await chat.find_card(ask_in(id="a9")) is None


async def test_a_card_is_found_again_by_its_metadata_in_its_thread(chat: SlackChat, studio: Workspace) -> None:
    root = await chat.post_card(a_card(ask_in()))
    second = ask_in(id="a2", root_ts=root)
    assert await chat.find_card(second) is None
    posted = await chat.post_card(a_card(second))
    await studio.say("maya", "nice", thread=root)
    assert await chat.find_card(second) == posted
    assert await chat.find_card(replace(second, root_ts=None)) is None, "a thread is not the channel"


async def test_a_card_is_found_behind_many_other_messages(chat: SlackChat, client: AsyncWebClient) -> None:
    posted = await chat.post_card(a_card(ask_in()))
    for number in range(210):
        await client.chat_postMessage(channel=DAILIES, text=f"message {number}")
    assert await chat.find_card(ask_in()) == posted


async def test_a_card_is_found_however_much_was_said_in_the_day_before(
    chat: SlackChat, studio: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handlers.chat._READ_BACK_PAGE", 2)
    monkeypatch.setattr("handlers.chat._READ_BACK_PAGES", 2)
    monkeypatch.setattr("handlers.chat._JITTER", timedelta(0))
    for number in range(8):
        await studio.say("maya", f"chat {number}")
    ask = replace(ask_in(), created_at=datetime.now(UTC))
    posted = await chat.post_card(a_card(ask))
    assert await chat.find_card(ask) == posted


async def test_a_post_whose_answer_was_lost_is_found_and_not_lost(chat: SlackChat, studio: Workspace) -> None:
    await studio.fault("slack:chat.postMessage", "amid", "reset")
    with pytest.raises(ChatUnknown):
        await chat.post_card(a_card(ask_in()))
    (message,) = await studio.messages()
    assert await chat.find_card(ask_in()) == message["ts"]
    assert len(await studio.calls("chat.postMessage")) == 1, "slack_sdk did not send it again"


async def test_a_card_is_edited_in_place(chat: SlackChat, studio: Workspace) -> None:
    ask = ask_in()
    ts = await chat.post_card(a_card(ask))
    done = a_job(State.DELIVERED, message_ts="1.000001", finished_at=at(9), cost_micro_usd=320_000)
    await chat.update_card(a_card(replace(ask, card_ts=ts), [done]))
    (message,) = await studio.messages()
    assert message["ts"] == ts
    assert message["metadata"]["event_payload"] == {"ask": "a1"}
    assert message["edited"]


async def test_a_deleted_card_is_gone(chat: SlackChat, client: AsyncWebClient) -> None:
    ask = ask_in()
    ts = await chat.post_card(a_card(ask))
    await client.chat_delete(channel=DAILIES, ts=ts)
    with pytest.raises(MessageGone):
        await chat.update_card(a_card(replace(ask, card_ts=ts)))


@pytest.mark.parametrize(
    ("channel", "code"),
    [(LOBBY, "not_in_channel"), (ATTIC, "is_archived"), ("C0NOWHERE00", "channel_not_found")],
)
async def test_a_place_that_is_closed_to_us_refuses(chat: SlackChat, channel: str, code: str) -> None:
    with pytest.raises(ChatRefused) as caught:
        await chat.post_card(a_card(ask_in(channel)))
    assert caught.value.code == code


# --- clips -----------------------------------------------------------------------------------------------------------


async def posted(chat: SlackChat) -> ClipPost:
    """A clip to post in a thread whose card stands."""
    root = await chat.post_card(a_card(ask_in()))
    job = replace(a_clip_post().job, channel=DAILIES, clip_bytes=len(CLIP))
    return a_clip_post(ask_in(root_ts=root), job)


async def uploaded(chat: SlackChat, post: ClipPost) -> Slot:
    slot = await chat.reserve(post, len(CLIP))
    await chat.send(slot, len(CLIP), in_pieces(CLIP))
    return slot


async def shared(chat: SlackChat, studio: Workspace, file_id: str) -> str:
    """The ts of the file's message, when it stands and Slack says so."""
    message = await studio.message_where(lambda one: any(file["id"] == file_id for file in one.get("files", [])))
    assert await chat.find_share(file_id, DAILIES) == Share(message_ts=message["ts"], public=True)
    return str(message["ts"])


async def test_a_clip_is_uploaded_shared_in_its_thread_and_seen_there(chat: SlackChat, studio: Workspace) -> None:
    post = await posted(chat)
    slot = await uploaded(chat, post)
    await chat.share(slot.file_id, post)
    ts = await shared(chat, studio, slot.file_id)
    message = (await studio.thread(post.ask.root_ts or ""))[-1]
    assert (message["ts"], message["thread_ts"]) == (ts, post.ask.root_ts)
    assert message["text"].startswith("*#1*")
    (file,) = message["files"]
    assert (file["title"], file["name"]) == ("#1 a red panda surfing", "dailies-1-480p-j1.mp4")
    assert await studio.file(slot.file_id) == CLIP
    (call,) = await studio.calls("files.getUploadURLExternal")
    assert "alt_txt" not in call["arguments"]


async def test_an_upload_url_is_a_secret_and_gets_no_token(chat: SlackChat) -> None:
    async with serving(answering(200, b"OK - 5")) as server:
        slot = Slot(url=f"{server.origin}/upload/v1/secret", file_id="F1")
        await chat.send(slot, 5, in_pieces(b"hello"))
    (asked,) = server.asked
    assert (asked.method, asked.body, asked.headers["content-length"]) == ("POST", b"hello", "5")
    assert "authorization" not in asked.headers
    assert "secret" not in repr(slot)


async def test_before_and_without_a_share_no_message_is_known(chat: SlackChat, studio: Workspace) -> None:
    post = await posted(chat)
    slot = await uploaded(chat, post)
    assert await chat.find_share(slot.file_id, DAILIES) is None
    with pytest.raises(MessageGone):
        await chat.find_share("F0NOWHERE00", DAILIES)
    await studio.fault("slack:share", "do", "drop")
    await chat.share(slot.file_id, post)
    await studio.wait_until(lambda state: state["files"][slot.file_id]["processed"], what="the file is processed")
    assert await chat.find_share(slot.file_id, DAILIES) is None


async def test_a_share_elsewhere_is_not_this_one(chat: SlackChat, studio: Workspace) -> None:
    post = await posted(chat)
    slot = await uploaded(chat, post)
    await chat.share(slot.file_id, post)
    await shared(chat, studio, slot.file_id)
    assert await chat.find_share(slot.file_id, PRIVATE) is None


async def test_a_share_in_a_private_channel_is_said_to_be_in_one(chat: SlackChat, studio: Workspace) -> None:
    root = await chat.post_card(a_card(ask_in(channel=PRIVATE)))
    job = replace(a_clip_post().job, channel=PRIVATE, clip_bytes=len(CLIP))
    post = a_clip_post(ask_in(channel=PRIVATE, root_ts=root), job)
    slot = await uploaded(chat, post)
    await chat.share(slot.file_id, post)
    message = await studio.message_where(lambda one: bool(one.get("files")), channel=PRIVATE)
    assert await chat.find_share(slot.file_id, PRIVATE) == Share(message_ts=message["ts"], public=False)


async def test_a_deleted_file_is_gone_and_may_be_deleted_again(chat: SlackChat, studio: Workspace) -> None:
    post = await posted(chat)
    slot = await uploaded(chat, post)
    await chat.share(slot.file_id, post)
    await shared(chat, studio, slot.file_id)
    await chat.delete_file(slot.file_id)
    assert len(await studio.messages()) == 1, "only the card stands"
    with pytest.raises(MessageGone):
        await chat.find_share(slot.file_id, DAILIES)
    await chat.delete_file(slot.file_id)


async def test_a_share_that_slack_refuses_says_why(chat: SlackChat) -> None:
    post = await posted(chat)
    slot = await uploaded(chat, post)
    lobby = replace(post, job=replace(post.job, channel=LOBBY))
    with pytest.raises(ChatRefused) as caught:
        await chat.share(slot.file_id, lobby)
    assert caught.value.code == "not_in_channel"


UPLOADS: dict[str, Answer] = {
    "reset": reset,
    "closed": sending(b"", close=True),
    "an error": answering(500, b"<html>"),
    "a redirect": answering(302, b"", location="http://127.0.0.1:9/"),
    "another length": answering(400, b"wrong length"),
}


@pytest.mark.parametrize("answer", UPLOADS.values(), ids=UPLOADS)
async def test_bytes_that_did_not_arrive_may_be_sent_again(chat: SlackChat, answer: Answer) -> None:
    async with serving(answer) as server:
        with pytest.raises(ChatError, match="upload_") as caught:
            await chat.send(Slot(url=server.origin, file_id="F1"), 5, in_pieces(b"hello"))
    assert type(caught.value) is ChatError


async def test_bytes_for_nobody_may_be_sent_again(chat: SlackChat) -> None:
    with pytest.raises(ChatError, match="upload_ConnectError"):
        await chat.send(Slot(url=f"http://127.0.0.1:{unused_port()}", file_id="F1"), 5, in_pieces(b"hello"))


# --- people ----------------------------------------------------------------------------------------------------------


async def test_who_stands_behind_a_reaction_now(chat: SlackChat, studio: Workspace) -> None:
    ts = await studio.say("maya", "look")
    await studio.react("ben", ts, "rocket")
    await studio.react("chloe", ts, "rocket")
    await studio.react("chloe", ts, "ship")
    await studio.react("maya", ts, "eyes")
    assert await chat.reactors(DAILIES, ts, ["rocket"]) == (BEN, CHLOE)
    assert await chat.reactors(DAILIES, ts, ["rocket", "ship"]) == (BEN, CHLOE)
    assert await chat.reactors(DAILIES, ts, ["x"]) == ()
    await studio.react("ben", ts, "rocket", remove=True)
    assert await chat.reactors(DAILIES, ts, ["rocket"]) == (CHLOE,)


async def test_a_skin_tone_is_the_same_reaction(chat: SlackChat, studio: Workspace) -> None:
    ts = await studio.say("maya", "look")
    await studio.react("ben", ts, "+1::skin-tone-4")
    assert await chat.reactors(DAILIES, ts, ["+1"]) == (BEN,)


async def test_nobody_stands_behind_a_message_that_is_gone(chat: SlackChat, studio: Workspace) -> None:
    ts = await studio.say("maya", "look")
    assert await chat.reactors(DAILIES, ts, ["rocket"]) == ()
    await studio.delete("maya", ts)
    with pytest.raises(MessageGone):
        await chat.reactors(DAILIES, ts, ["rocket"])


async def test_the_asker_is_told_by_the_commands_answer_url(chat: SlackChat) -> None:
    async with serving(answering(200, b"ok")) as server:
        await chat.tell(ask_in(LOBBY, reply_url=f"{server.origin}/commands/1"), Notice.NOT_IN_CHANNEL)
    (asked,) = server.asked
    assert b'"response_type": "ephemeral"' in asked.body
    assert b"/invite @Dailies" in asked.body


@pytest.mark.row("F77")
@pytest.mark.parametrize("answer", [answering(404, b"expired_url"), reset], ids=["used up", "reset"])
async def test_when_the_answer_url_does_not_work_the_asker_is_told_ephemerally(
    chat: SlackChat, studio: Workspace, answer: Answer
) -> None:
    async with serving(answer) as server:
        await chat.tell(ask_in(reply_url=server.origin), Notice.OVER_CAP, a_job())
    (told,) = await studio.ephemerals("maya")
    assert "spending cap" in told["text"]
    assert await studio.messages() == []


async def test_an_ephemeral_word_stands_in_the_thread(chat: SlackChat, studio: Workspace) -> None:
    root = await chat.post_card(a_card(ask_in()))
    await chat.tell(ask_in(root_ts=root), Notice.DELIVERY_REFUSED, a_job())
    (told,) = await studio.ephemerals("maya")
    assert told["thread_ts"] == root


async def test_a_person_is_told_alone_why_nothing_comes_of_a_gesture(chat: SlackChat, studio: Workspace) -> None:
    await chat.explain(DAILIES, BEN, NotAllowed(Why.GUEST))
    (told,) = await studio.ephemerals("ben")
    assert (told["text"], told.get("thread_ts")) == (explain_error(NotAllowed(Why.GUEST), reference="").text, None)
    assert (await studio.ephemerals("maya"), await studio.messages()) == ([], [])


async def test_where_the_channel_is_closed_to_us_the_asker_is_told_directly(
    chat: SlackChat, studio: Workspace, client: AsyncWebClient
) -> None:
    await chat.tell(ask_in(LOBBY), Notice.NOT_IN_CHANNEL)
    place = (await client.conversations_open(users=MAYA))["channel"]["id"]
    (message,) = await studio.messages(channel=place)
    assert "/invite @Dailies" in message["text"]
    assert await studio.ephemerals() == []


# --- when Slack goes wrong -------------------------------------------------------------------------------------------


async def through(answer: Answer | None) -> ChatError:
    """What posting a card through a Slack that answers so raises; None is nobody there."""
    client = AsyncWebClient(token="xoxb-made-up", timeout=5, retry_handlers=[])
    chat = SlackChat(client)
    try:
        if answer is None:
            client.base_url = f"http://127.0.0.1:{unused_port()}/"
            with pytest.raises(ChatError) as caught:
                await chat.post_card(a_card())
            return caught.value
        async with serving(answer) as server:
            client.base_url = f"{server.origin}/"
            with pytest.raises(ChatError) as caught:
                await chat.post_card(a_card())
        assert len(server.asked) == 1, "it is never sent again by itself"
        return caught.value
    finally:
        await chat.close()


async def test_a_slack_that_is_not_there_did_nothing() -> None:
    error = await through(None)
    assert (type(error), error.code) == (ChatError, "unreachable")


JSON = "application/json"
AMBIGUOUS: dict[str, Answer] = {
    "reset": reset,
    "closed": sending(b"", close=True),
    "half a body": sending(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{", close=True),
    "a web page": answering(200, b"<!doctype html><title>Sign in</title>", content_type="text/html"),
    "a web page for an error": answering(502, b"<h1>Bad Gateway</h1>", content_type="text/html"),
    "no JSON": answering(200, b'{"ok":', content_type=JSON),
    "an empty answer": answering(200, b"", content_type=JSON),
    "a list": answering(200, [], content_type=JSON),
    "a server error": answering(503, {"ok": False, "error": "service_unavailable"}, content_type=JSON),
    "an internal error": answering(200, {"ok": False, "error": "internal_error"}, content_type=JSON),
}


@pytest.mark.parametrize("answer", AMBIGUOUS.values(), ids=AMBIGUOUS)
async def test_a_slack_that_breaks_off_may_have_done_it(answer: Answer) -> None:
    assert type(await through(answer)) is ChatUnknown


@pytest.mark.parametrize(
    ("headers", "seconds"), [({"retry_after": "30"}, 30.0), ({"retry_after": "1"}, 1.0), ({}, 1.0)]
)
async def test_a_slack_that_is_busy_says_until_when(headers: dict[str, str], seconds: float) -> None:
    body = {"ok": False, "error": "ratelimited"}
    error = await through(answering(429, body, content_type=JSON, **headers))
    assert (type(error), error.code, error.retry_after_seconds) == (ChatError, "ratelimited", seconds)


async def test_a_slack_that_does_not_know_us_says_so() -> None:
    error = await through(answering(200, {"ok": False, "error": "token_revoked"}, content_type=JSON))
    assert (type(error), error.code) == (ChatUnauthorized, "token_revoked")


# --- announcements ---------------------------------------------------------------------------------------------------


def winner(message_ts: str, to: str = LOBBY, **changes: Any) -> Announcement:
    """A final in #dailies, written down just now."""
    facts: dict[str, str | int] = {
        "channel": DAILIES,
        "message_ts": message_ts,
        "number": 2,
        "person": BEN,
        "prompt": "a red panda",
        "resolution": "720p",
    }
    now = datetime.now(UTC)
    news = Announcement(
        workspace="T1", key="winner:j2", topic=Topic.WINNER, to=to, created_at=now, due_at=now, facts=facts
    )
    return replace(news, **changes)


def near(to: str) -> Announcement:
    """A cap of which most is spent."""
    facts: dict[str, str | int] = {
        "scope": "person_day",
        "subject": BEN,
        "period": "2026-11-20",
        "limit_micro_usd": 1_000_000,
        "committed_micro_usd": 900_000,
        "renews_at": 1_796_083_200,
    }
    return winner("", to, key=f"cap_near:{to}", topic=Topic.CAP_NEAR, facts=facts)


async def test_a_winner_links_to_the_clip_and_is_found_again_by_its_key(chat: SlackChat, studio: Workspace) -> None:
    clip = await chat.post_card(a_card(ask_in()))
    news = winner(clip, to=PRIVATE)
    assert await chat.find_announcement(news) is None

    ts = await chat.announce(news)

    (message,) = [one for one in await studio.messages(channel=PRIVATE) if one["ts"] == ts]
    assert f"/archives/{DAILIES}/p{clip.replace('.', '')}|#2>" in message["text"]
    assert await chat.find_announcement(news) == ts
    assert await chat.find_announcement(replace(news, key="winner:j3")) is None


async def test_news_for_a_person_comes_directly_and_is_found_again(chat: SlackChat, studio: Workspace) -> None:
    ts = await chat.announce(near(MAYA))
    written = [
        message["text"]
        for channel in (await studio.state())["channels"].values()
        if channel["kind"] == "im" and MAYA in channel["members"]
        for message in channel["messages"]
    ]
    assert [text.startswith(f"90 % of the cap of <@{BEN}> for the day is held or spent") for text in written] == [True]
    assert await chat.find_announcement(near(MAYA)) == ts
    assert await chat.find_announcement(near(BEN)) is None


async def test_a_winners_channel_without_us_refuses_and_a_final_that_is_gone_is_not_linked(chat: SlackChat) -> None:
    clip = await chat.post_card(a_card(ask_in()))
    with pytest.raises(ChatRefused):
        await chat.announce(winner(clip))
    with pytest.raises(MessageGone):
        await chat.announce(winner("1.000001", to=PRIVATE))


@pytest.mark.row("F88", "F74")
async def test_a_card_is_found_again_by_a_clock_that_is_an_hour_ahead_of_slacks(chat: SlackChat) -> None:
    """Where it was not, it would be posted a second time."""
    for root in (None, await chat.post_card(a_card(ask_in()))):
        ask = replace(ask_in(id="a2", root_ts=root), created_at=datetime.now(UTC) + timedelta(hours=1))
        assert await chat.find_card(ask) is None
        posted = await chat.post_card(a_card(ask))
        assert await chat.find_card(ask) == posted
        await chat._client.chat_delete(channel=DAILIES, ts=posted)
