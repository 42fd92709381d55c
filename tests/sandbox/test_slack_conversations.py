"""Reading channels back: history, threads, pages, lists."""

from slack_sdk.web.async_client import AsyncWebClient

from tests.sandbox.driver import Workspace
from tests.sandbox.pieces import refusal

DAILIES, PRIVATE, LOBBY, MAYA = "C0DAILIES1", "C0PRIVATE3", "C0LOBBY004", "U0MAYA0001"


async def test_history_holds_metadata_only_where_it_is_asked_for(web: AsyncWebClient) -> None:
    metadata = {"event_type": "clip", "event_payload": {"ask": "7"}}
    await web.chat_postMessage(channel=DAILIES, text="card", metadata=metadata)
    without = await web.conversations_history(channel=DAILIES)
    with_it = await web.conversations_history(channel=DAILIES, include_all_metadata=True)
    assert "metadata" not in without["messages"][0]
    assert with_it["messages"][0]["metadata"] == metadata


async def test_history_is_newest_first_in_pages_and_without_replies(studio: Workspace, web: AsyncWebClient) -> None:
    stamps = [await studio.say("maya", f"message {number}") for number in range(5)]
    await studio.say("ben", "reply", thread=stamps[0])
    shown = await studio.say("ben", "shown twice", thread=stamps[0], broadcast=True)
    seen: list[str] = []
    async for page in await web.conversations_history(channel=DAILIES, limit=2):
        assert len(page["messages"]) <= 2
        seen += [message["ts"] for message in page["messages"]]
    assert seen == [shown, *reversed(stamps)]


async def test_history_between_two_moments_leaves_the_moments_out_unless_inclusive(
    studio: Workspace, web: AsyncWebClient
) -> None:
    first, second, third = [await studio.say("maya", str(number)) for number in range(3)]
    between = await web.conversations_history(channel=DAILIES, oldest=first, latest=third)
    assert [message["ts"] for message in between["messages"]] == [second]
    whole = await web.conversations_history(channel=DAILIES, oldest=first, latest=third, inclusive=True)
    assert [message["ts"] for message in whole["messages"]] == [third, second, first]


async def test_history_from_a_moment_on_begins_with_what_is_closest_to_it(
    studio: Workspace, web: AsyncWebClient
) -> None:
    first, *others = [await studio.say("maya", str(number)) for number in range(4)]
    pages = await web.conversations_history(channel=DAILIES, oldest=first, limit=2)
    seen = [[message["ts"] for message in page["messages"]] async for page in pages]
    assert seen == [[others[1], others[0]], [others[2]]]


async def test_a_thread_reads_parent_first_and_says_how_many_replied(studio: Workspace, web: AsyncWebClient) -> None:
    parent = await studio.say("maya", "parent")
    replies = [await studio.say("ben", f"reply {number}", thread=parent) for number in range(3)]
    thread = await web.conversations_replies(channel=DAILIES, ts=parent)
    assert [message["ts"] for message in thread["messages"]] == [parent, *replies]
    assert thread["messages"][0]["reply_count"] == 3
    assert thread["messages"][1]["parent_user_id"] == MAYA
    assert (await refusal(web.conversations_replies(channel=DAILIES, ts="1.000001")))["error"] == "thread_not_found"


async def test_a_made_up_cursor_is_refused(web: AsyncWebClient) -> None:
    refused = await refusal(web.conversations_history(channel=DAILIES, cursor="made up"))
    assert refused["error"] == "invalid_cursor"


async def test_channels_are_listed_read_and_joined(studio: Workspace, web: AsyncWebClient) -> None:
    await studio.post("/token", scopes=["channels:read", "groups:read", "im:read", "channels:join", "chat:write"])
    names = [one["name"] for one in (await web.conversations_list(exclude_archived=True))["channels"]]
    assert names == ["dailies", "dailies-two", "lobby"]
    mine = await web.users_conversations(types="public_channel,private_channel")
    assert [one["name"] for one in mine["channels"]] == ["dailies", "dailies-two", "private", "attic"]
    lobby = (await web.conversations_info(channel=LOBBY, include_num_members=True))["channel"]
    assert (lobby["is_member"], lobby["is_archived"], lobby["num_members"]) == (False, False, 4)
    assert (await web.conversations_info(channel=DAILIES))["channel"]["is_ext_shared"]
    await web.conversations_join(channel=LOBBY)
    assert "U0DAILIES1" in (await web.conversations_members(channel=LOBBY))["members"]
    assert (await web.chat_postMessage(channel=LOBBY, text="hello"))["ok"]
    assert (await refusal(web.conversations_join(channel=PRIVATE)))["error"] == "method_not_supported_for_channel_type"
    assert (await refusal(web.conversations_list(types="rooms")))["error"] == "invalid_types"
