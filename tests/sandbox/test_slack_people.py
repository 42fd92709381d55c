"""What people do and see: commands, buttons, mentions, reactions, edits, private answers."""

from typing import Any

import httpx
import pytest
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.sandbox.conftest import Connect
from tests.sandbox.driver import Refused, Workspace, buttons
from tests.sandbox.pieces import Json, card, settled

DAILIES = "C0DAILIES1"


async def test_a_command_carries_what_slack_sends_and_no_more(studio: Workspace, heard: list[Json]) -> None:
    await studio.slash("maya", "/clip a <red> panda & @ben in #dailies-two https://x.y/?a=1&b=2", channel="#lobby")
    (payload,) = heard
    assert payload["text"] == (
        "a &lt;red&gt; panda &amp; <@U0BEN00002|ben> in <#C0DAILIES2|dailies-two> <https://x.y/?a=1&amp;b=2>"
    )
    assert (payload["user_id"], payload["channel_id"]) == ("U0MAYA0001", "C0LOBBY004")
    assert (payload["command"], payload["channel_name"]) == ("/clip", "lobby")
    assert payload["response_url"].startswith(f"{studio.slack}/hooks/commands/")
    assert not {"thread_ts", "files", "ts"} & set(payload)


@pytest.mark.parametrize(("channel", "name"), [("@maya", "directmessage"), ("#private", "privategroup")])
async def test_a_command_in_private_names_only_the_kind_of_conversation(
    studio: Workspace, heard: list[Json], channel: str, name: str
) -> None:
    await studio.slash("maya", "/clip x", channel=channel)
    assert heard[0]["channel_name"] == name


async def test_a_command_cannot_be_used_in_a_thread(studio: Workspace, heard: list[Json]) -> None:
    outcome = await studio.slash("maya", "/clip x", thread_ts="1.000001")
    assert outcome["error"] == "not_supported_in_threads"
    assert heard == []
    assert "not supported in threads" in (await studio.ephemerals("maya"))[0]["text"]


async def test_the_words_of_an_acknowledgement_are_shown_to_the_asker_alone(
    studio: Workspace, app: AsyncApp, connect: Connect
) -> None:
    @app.command("/clip")
    async def clip(ack: Any, command: Json) -> None:
        await ack(text=f"Heard: {command['text']}", response_type=command["text"])

    await connect(app)
    await studio.slash("maya", "/clip ephemeral")
    await studio.slash("maya", "/clip in_channel")
    assert [one["text"] for one in await studio.ephemerals("maya")] == ["Heard: ephemeral"]
    assert await studio.ephemerals("ben") == []
    assert [one["text"] for one in await studio.messages()] == ["Heard: in_channel"]


async def test_a_response_url_works_five_times_also_where_the_bot_is_no_member(
    studio: Workspace, heard: list[Json]
) -> None:
    await studio.slash("maya", "/clip x", channel="#lobby")
    async with httpx.AsyncClient(trust_env=False) as client:
        answers = [await client.post(heard[0]["response_url"], json={"text": f"{number}"}) for number in range(6)]
    assert [(one.status_code, one.text) for one in answers] == [(200, "ok")] * 5 + [(404, "used_url")]
    assert [one["text"] for one in await studio.ephemerals("maya", channel="#lobby")] == ["0", "1", "2", "3", "4"]


async def test_a_response_url_replaces_and_deletes_what_it_showed(studio: Workspace, heard: list[Json]) -> None:
    await studio.slash("maya", "/clip x")
    url = heard[0]["response_url"]
    async with httpx.AsyncClient(trust_env=False) as client:
        await client.post(url, json={"text": "one"})
        await client.post(url, json={"text": "two", "replace_original": True})
        assert [one["text"] for one in await studio.ephemerals("maya")] == ["two"]
        await client.post(url, json={"delete_original": True})
        assert await studio.ephemerals("maya") == []
        assert (await client.post(url, json={})).text == "no_text"


async def test_an_old_or_unknown_response_url_is_gone(studio: Workspace, heard: list[Json]) -> None:
    await studio.configure(response_url_seconds=0)
    await studio.slash("maya", "/clip x")
    async with httpx.AsyncClient(trust_env=False) as client:
        old = await client.post(heard[0]["response_url"], json={"text": "x"})
        unknown = await client.post(f"{studio.slack}/hooks/commands/T0STUDIO01/nothing", json={"text": "x"})
    assert (old.status_code, old.text) == (404, "expired_url")
    assert unknown.status_code == 404


async def test_a_click_carries_the_message_and_the_button(
    studio: Workspace, web: AsyncWebClient, heard: list[Json]
) -> None:
    parent = await web.chat_postMessage(channel=DAILIES, text="card")
    posted = await web.chat_postMessage(
        channel=DAILIES, text="clip", blocks=card("Promote", "Cancel"), thread_ts=parent["ts"]
    )
    message = await studio.message_where(lambda one: one["ts"] == posted["ts"])
    assert buttons(message) == {"clip.promote": "Promote", "clip.cancel": "Cancel"}
    outcome = await studio.click("ben", message, "clip.promote")
    assert outcome["acked"]
    payload = next(one for one in heard if one["type"] == "block_actions")
    assert payload["user"]["id"] == "U0BEN00002"
    assert payload["container"] == {
        "type": "message",
        "message_ts": posted["ts"],
        "channel_id": DAILIES,
        "is_ephemeral": False,
        "thread_ts": parent["ts"],
    }
    (action,) = payload["actions"]
    assert (action["action_id"], action["block_id"], action["value"]) == ("clip.promote", "row", "job-promote")
    assert payload["message"]["ts"] == posted["ts"]


async def test_a_button_that_was_taken_away_can_only_be_clicked_by_a_stale_client(
    studio: Workspace, web: AsyncWebClient, heard: list[Json]
) -> None:
    posted = await web.chat_postMessage(channel=DAILIES, text="card", blocks=card("Undo"))
    await web.chat_update(channel=DAILIES, ts=posted["ts"], text="card", blocks=card("Cancel"))
    with pytest.raises(Refused, match="action_not_found"):
        await studio.click("maya", posted["ts"], "clip.undo")
    assert (await studio.click("maya", posted["ts"], "clip.undo", stale=True))["acked"]
    await settled(studio)
    clicked = [one["actions"][0]["action_id"] for one in heard if one["type"] == "block_actions"]
    assert clicked == ["clip.undo"]


async def test_an_option_of_a_menu_is_chosen_by_its_value(
    studio: Workspace, web: AsyncWebClient, heard: list[Json]
) -> None:
    choices = [{"text": {"type": "plain_text", "text": one.title()}, "value": one} for one in ("recipe", "redo")]
    overflow = {"type": "overflow", "action_id": "clip.more", "options": choices}
    posted = await web.chat_postMessage(
        channel=DAILIES, text="card", blocks=[{"type": "actions", "elements": [overflow]}]
    )
    await studio.click("maya", posted["ts"], "clip.more", value="redo")
    with pytest.raises(Refused, match="action_not_found"):
        await studio.click("maya", posted["ts"], "clip.more", value="explode")
    (payload,) = [one for one in heard if one["type"] == "block_actions"]
    assert payload["actions"][0]["selected_option"] == choices[1]


async def test_an_ephemeral_is_clicked_by_the_one_who_sees_it_and_changed_by_its_response_url(
    studio: Workspace, web: AsyncWebClient, heard: list[Json]
) -> None:
    shown = await web.chat_postEphemeral(channel=DAILIES, user="U0MAYA0001", text="Make it?", blocks=card("Confirm"))
    with pytest.raises(Refused, match="message_not_found"):
        await studio.click("ben", shown["message_ts"], "clip.confirm")
    await studio.click("maya", shown["message_ts"], "clip.confirm")
    (payload,) = heard
    assert payload["container"]["is_ephemeral"] is True
    assert "message" not in payload
    async with httpx.AsyncClient(trust_env=False) as client:
        await client.post(payload["response_url"], json={"text": "Made.", "replace_original": True})
    (now,) = await studio.ephemerals("maya")
    assert (now["text"], now["blocks"]) == ("Made.", [])


async def test_a_mention_comes_as_a_message_and_as_a_mention(studio: Workspace, heard: list[Json]) -> None:
    ts = await studio.say("maya", "@dailies a red panda", files=[("mug.png", b"png")])
    await settled(studio)
    assert sorted(one["type"] for one in heard) == ["app_mention", "message"]
    mention = next(one for one in heard if one["type"] == "app_mention")
    message = next(one for one in heard if one["type"] == "message")
    assert mention["text"] == message["text"] == "<@U0DAILIES1> a red panda"
    assert mention["ts"] == message["ts"] == ts
    assert mention["files"][0]["name"] == "mug.png"
    assert message["subtype"] == "file_share"


async def test_in_direct_messages_a_mention_is_only_a_message(studio: Workspace, heard: list[Json]) -> None:
    await studio.say("maya", "@dailies a red panda", channel="@maya")
    await settled(studio)
    assert [(one["type"], one["channel_type"]) for one in heard] == [("message", "im")]


async def test_a_reply_names_its_thread_and_whose_it_is(
    studio: Workspace, web: AsyncWebClient, heard: list[Json]
) -> None:
    parent = await web.chat_postMessage(channel=DAILIES, text="card")
    await studio.say("ben", "9:16", thread=parent["ts"])
    await settled(studio)
    (reply,) = [one for one in heard if one.get("text") == "9:16"]
    assert (reply["thread_ts"], reply["parent_user_id"]) == (parent["ts"], "U0DAILIES1")


async def test_a_broadcast_reply_has_its_own_subtype_and_its_root(studio: Workspace, heard: list[Json]) -> None:
    parent = await studio.say("maya", "parent")
    await studio.say("ben", "look here", thread=parent, broadcast=True)
    await settled(studio)
    (reply,) = [one for one in heard if one.get("text") == "look here"]
    assert (reply["subtype"], reply["root"]["ts"]) == ("thread_broadcast", parent)


async def test_a_reaction_names_the_message_and_not_its_thread(
    studio: Workspace, web: AsyncWebClient, heard: list[Json]
) -> None:
    posted = await web.chat_postMessage(channel=DAILIES, text="clip")
    await studio.react("ben", posted["ts"], "rocket", copies=2)
    await studio.react("ben", posted["ts"], "rocket", remove=True)
    await studio.wait_until(
        lambda state: sum(one["acked"] for one in state["envelopes"]) == 4,
        what="the post and three reactions are acked",
    )
    # Bolt runs its listeners side by side: the order of arrival is not that of the events.
    reactions = sorted(
        (one for one in heard if one["type"].startswith("reaction")), key=lambda one: float(one["event_ts"])
    )
    assert [one["type"] for one in reactions] == ["reaction_added", "reaction_added", "reaction_removed"]
    assert reactions[0] == reactions[1]
    assert reactions[0]["item"] == {"type": "message", "channel": DAILIES, "ts": posted["ts"]}
    assert (reactions[0]["reaction"], reactions[0]["item_user"]) == ("rocket", "U0DAILIES1")


async def test_an_edit_tells_before_and_after(studio: Workspace, heard: list[Json]) -> None:
    ts = await studio.say("maya", "a red panda")
    await studio.edit("maya", ts, "a blue panda")
    await settled(studio)
    change = next(one for one in heard if one.get("subtype") == "message_changed")
    assert (change["previous_message"]["text"], change["message"]["text"]) == ("a red panda", "a blue panda")
    assert change["message"]["edited"]["user"] == "U0MAYA0001"
    with pytest.raises(Refused, match="not_own_message"):
        await studio.edit("ben", ts, "mine now")


async def test_a_deleted_parent_leaves_a_tombstone_and_a_lonely_message_nothing(
    studio: Workspace, heard: list[Json]
) -> None:
    parent, lonely = await studio.say("ben", "parent"), await studio.say("ben", "lonely")
    await studio.say("maya", "reply", thread=parent)
    await studio.delete("maya", parent)
    await studio.delete("ben", lonely)
    await settled(studio)
    tombstone = next(one for one in heard if one.get("subtype") == "message_changed")
    assert tombstone["message"]["subtype"] == "tombstone"
    gone = next(one for one in heard if one.get("subtype") == "message_deleted")
    assert gone["deleted_ts"] == lonely


async def test_people_of_another_organisation_are_marked_in_events(studio: Workspace, heard: list[Json]) -> None:
    await studio.say("olga", "hello")
    await settled(studio)
    assert heard[0]["team"] == heard[0]["user_team"] == "T0AGENCY02"


async def test_who_joins_and_which_file_is_shared_is_told_to_an_app_that_subscribes(
    studio: Workspace, heard: list[Json]
) -> None:
    await studio.configure(subscriptions=["member_joined_channel", "file_shared"])
    await studio.post("/channel", action="join", channel="#dailies-two", user="gus")
    await studio.say("gus", "mug", files=[("mug.png", b"png")], channel="#dailies-two")
    await settled(studio)
    assert sorted((one["type"], one.get("user", one.get("user_id"))) for one in heard) == [
        ("file_shared", "U0GUS00005"),
        ("member_joined_channel", "U0GUS00005"),
    ]


async def test_nobody_acts_where_they_are_not(studio: Workspace) -> None:
    with pytest.raises(Refused, match="user_not_in_channel"):
        await studio.say("gus", "hello", channel="#dailies-two")
    with pytest.raises(Refused, match="user_not_found"):
        await studio.say("nobody", "hello")
    with pytest.raises(Refused, match="is_archived"):
        await studio.say("maya", "hello", channel="#attic")


async def test_the_workspace_can_be_changed_while_it_runs(studio: Workspace, web: AsyncWebClient) -> None:
    await studio.post("/user", action="create", name="zoe", is_restricted=True)
    created = await studio.post("/channel", action="create", name="fresh", members=["zoe", "dailies"])
    await studio.say("zoe", "hello", channel="#fresh")
    assert (await web.conversations_history(channel=created["channel"]))["messages"][0]["text"] == "hello"
    await studio.post("/channel", action="leave", channel="#fresh", user="@dailies")
    with pytest.raises(SlackApiError, match="not_in_channel"):
        await web.chat_postMessage(channel=created["channel"], text="x")
    await studio.post("/user", action="change", user="zoe", is_admin=True)
    assert (await studio.state())["channels"][created["channel"]]["members"]
    with pytest.raises(Refused, match="unknown_setting"):
        await studio.configure(colour="red")


async def test_a_message_shortcut_carries_the_message_with_its_files(studio: Workspace, heard: list[Json]) -> None:
    ts = await studio.say("ben", "our mug", files=[("mug.png", b"png")], channel="#lobby")
    message = await studio.message_where(lambda one: one["ts"] == ts, channel="#lobby")
    await studio.shortcut("maya", "animate_image", message)
    (payload,) = heard
    assert (payload["type"], payload["message_ts"]) == ("message_action", ts)
    assert payload["message"]["files"][0]["name"] == "mug.png"
