"""The Web API answers like Slack's: every wire form, its errors, its pages."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack.api import METHODS
from bot.sandbox.slack.settings import Settings
from tests.sandbox.driver import Workspace
from tests.sandbox.pieces import Json, refusal

DAILIES, TWO, PRIVATE, LOBBY, ATTIC = "C0DAILIES1", "C0DAILIES2", "C0PRIVATE3", "C0LOBBY004", "C0ATTIC005"
MAYA, OLGA = "U0MAYA0001", "U0OLGA0006"


async def plain(studio: Workspace, method: str, **options: Any) -> Json:
    """A call by hand; ``verb``, ``token`` and httpx's own options."""
    headers = options.pop("headers", {})
    token = options.pop("token", studio.environment["SLACK_BOT_TOKEN"])
    if token:
        headers["Authorization"] = f"Bearer {token}"
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.request(
            options.pop("verb", "POST"), studio.environment["SLACK_API_URL"] + method, headers=headers, **options
        )
    body: Json = answer.json()
    return body


@pytest.mark.parametrize(
    "form",
    [
        {"json": {"channel": DAILIES, "text": "hello", "metadata": {"event_type": "e", "event_payload": {"a": 1}}}},
        {
            "data": {
                "channel": DAILIES,
                "text": "hello",
                "metadata": json.dumps({"event_type": "e", "event_payload": {"a": 1}}),
            }
        },
        {
            "params": {
                "channel": DAILIES,
                "text": "hello",
                "metadata": json.dumps({"event_type": "e", "event_payload": {"a": 1}}),
            },
            "headers": {"content-type": "application/x-www-form-urlencoded"},
        },
        {
            "verb": "GET",
            "params": {"channel": DAILIES, "text": "hello", "metadata": '{"event_type":"e","event_payload":{"a":1}}'},
        },
    ],
    ids=["json body", "form body", "query on POST", "GET"],
)
async def test_a_method_takes_its_arguments_in_every_wire_form(studio: Workspace, form: Json) -> None:
    answer = await plain(studio, "chat.postMessage", **form)
    assert answer["ok"], answer
    assert answer["message"]["text"] == "hello"
    assert answer["message"]["metadata"] == {"event_type": "e", "event_payload": {"a": 1}}


async def test_the_token_may_also_be_a_parameter(studio: Workspace) -> None:
    answer = await plain(studio, "auth.test", token=None, data={"token": studio.environment["SLACK_BOT_TOKEN"]})
    assert answer["ok"]
    assert answer["user_id"] == "U0DAILIES1"


async def test_a_socket_is_opened_only_with_the_app_token_in_the_header(studio: Workspace) -> None:
    app_token = studio.environment["SLACK_APP_TOKEN"]
    assert (await plain(studio, "apps.connections.open", token=app_token))["url"].startswith("ws://127.0.0.1:")
    refused = await plain(studio, "apps.connections.open", token=None, data={"token": app_token})
    assert refused["error"] == "not_authed"
    assert (await plain(studio, "apps.connections.open"))["error"] == "not_allowed_token_type"


@pytest.mark.parametrize(
    ("token", "error"),
    [
        (None, "not_authed"),
        ("xoxb-sandbox-nobody", "invalid_auth"),
        ("xapp-sandbox-dailies-app", "not_allowed_token_type"),
    ],
)
async def test_a_bad_token_is_refused_with_its_own_word(studio: Workspace, token: str | None, error: str) -> None:
    assert await plain(studio, "auth.test", token=token) == {"ok": False, "error": error}


async def test_a_revoked_token_is_refused_until_it_is_good_again(studio: Workspace, web: AsyncWebClient) -> None:
    await studio.post("/token", refuse="token_revoked")
    assert (await refusal(web.auth_test()))["error"] == "token_revoked"
    await studio.post("/token", refuse=None)
    assert (await web.auth_test())["bot_id"] == "B0DAILIES1"


async def test_a_missing_scope_names_what_is_needed_and_what_is_there(studio: Workspace, web: AsyncWebClient) -> None:
    await studio.post("/token", scopes=["commands"])
    with pytest.raises(SlackApiError) as caught:
        await web.chat_postMessage(channel=DAILIES, text="hello")
    response = caught.value.response
    assert response["error"] == "missing_scope"
    assert (response["needed"], response["provided"]) == ("chat:write", "commands")
    assert response.headers["x-oauth-scopes"] == "commands"


async def test_reading_a_private_channel_needs_the_scope_for_private_channels(
    studio: Workspace, web: AsyncWebClient
) -> None:
    await studio.post("/token", scopes=["channels:history"])
    assert (await web.conversations_history(channel=DAILIES))["messages"] == []
    refused = await refusal(web.conversations_history(channel=PRIVATE))
    assert (refused["error"], refused["needed"]) == ("missing_scope", "groups:history")


async def test_an_unknown_method_is_said_to_be_unknown(web: AsyncWebClient) -> None:
    assert (await refusal(web.api_call("chat.shout")))["error"] == "unknown_method"


async def test_a_missing_argument_is_named(studio: Workspace) -> None:
    refused = await plain(studio, "chat.update", json={"channel": DAILIES, "text": "x"})
    assert refused["error"] == "invalid_arguments"
    assert refused["response_metadata"]["messages"] == ["[ERROR] missing required field: ts"]


async def test_a_body_that_is_not_json_is_refused(studio: Workspace) -> None:
    refused = await plain(
        studio, "chat.postMessage", content=b"{", headers={"content-type": "application/json;charset=utf-8"}
    )
    assert refused["error"] == "invalid_json"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"channel": "C0NOWHERE00", "text": "x"}, "channel_not_found"),
        ({"channel": LOBBY, "text": "x"}, "not_in_channel"),
        ({"channel": ATTIC, "text": "x"}, "is_archived"),
        ({"channel": DAILIES}, "no_text"),
        ({"channel": DAILIES, "text": ""}, "no_text"),
        ({"channel": DAILIES, "text": "x", "thread_ts": "1.000001"}, "thread_not_found"),
        ({"channel": DAILIES, "text": "x", "metadata": {"event_type": "e"}}, "invalid_metadata_schema"),
        ({"channel": DAILIES, "text": "x", "metadata": "{"}, "invalid_metadata_format"),
        (
            {"channel": DAILIES, "text": "x", "metadata": {"event_type": "e", "event_payload": {"a": "x" * 17_000}}},
            "metadata_too_large",
        ),
        ({"channel": DAILIES, "text": "x", "blocks": "no json"}, "invalid_blocks_format"),
        ({"channel": DAILIES, "text": "x", "attachments": [{}] * 101}, "too_many_attachments"),
        ({"channel": DAILIES, "text": "x", "markdown_text": "y"}, "markdown_text_conflict"),
    ],
)
async def test_a_post_that_slack_would_refuse_is_refused_and_posts_nothing(
    studio: Workspace, arguments: Json, error: str
) -> None:
    assert (await plain(studio, "chat.postMessage", json=arguments))["error"] == error
    assert await studio.messages() == []


async def test_a_private_channel_without_the_bot_does_not_exist_for_it(studio: Workspace, web: AsyncWebClient) -> None:
    await studio.post("/channel", action="leave", channel="#private", user="@dailies")
    assert (await refusal(web.chat_postMessage(channel=PRIVATE, text="x")))["error"] == "channel_not_found"


async def test_a_reply_cannot_be_answered_as_if_it_were_a_parent(web: AsyncWebClient) -> None:
    parent = await web.chat_postMessage(channel=DAILIES, text="parent")
    reply = await web.chat_postMessage(channel=DAILIES, text="reply", thread_ts=parent["ts"])
    refused = await refusal(web.chat_postMessage(channel=DAILIES, text="x", thread_ts=reply["ts"]))
    assert refused["error"] == "cannot_reply_to_message"


async def test_text_is_stored_escaped_but_for_slacks_own_mark_up(web: AsyncWebClient) -> None:
    posted = await web.chat_postMessage(channel=DAILIES, text=f"a < b & c > d &amp; <@{MAYA}> <https://x.y|z>")
    assert posted["message"]["text"] == f"a &lt; b &amp; c &gt; d &amp; <@{MAYA}> <https://x.y|z>"


async def test_blocks_without_an_id_get_one(web: AsyncWebClient) -> None:
    posted = await web.chat_postMessage(channel=DAILIES, text="x", blocks=[{"type": "divider"}])
    assert posted["message"]["blocks"][0]["block_id"]


async def test_an_update_changes_what_it_gives_and_leaves_the_rest(web: AsyncWebClient) -> None:
    metadata = {"event_type": "e", "event_payload": {"job": "1"}}
    posted = await web.chat_postMessage(channel=DAILIES, text="queued", blocks=[{"type": "divider"}], metadata=metadata)
    updated = await web.chat_update(channel=DAILIES, ts=posted["ts"], text="done")
    assert updated["text"] == "done"
    history = await web.conversations_history(channel=DAILIES, include_all_metadata=True)
    (message,) = history["messages"]
    assert message["metadata"] == metadata
    assert message["blocks"] == posted["message"]["blocks"]
    assert message["edited"]["user"] == "U0DAILIES1"


@pytest.mark.parametrize(
    ("method", "error"), [("chat_update", "cant_update_message"), ("chat_delete", "cant_delete_message")]
)
async def test_the_bot_cannot_touch_what_a_person_wrote(
    studio: Workspace, web: AsyncWebClient, method: str, error: str
) -> None:
    ts = await studio.say("maya", "mine")
    more = {"text": "yours"} if method == "chat_update" else {}
    assert (await refusal(getattr(web, method)(channel=DAILIES, ts=ts, **more)))["error"] == error
    assert (await studio.messages())[0]["text"] == "mine"


async def test_a_deleted_message_cannot_be_found_again(studio: Workspace, web: AsyncWebClient) -> None:
    posted = await web.chat_postMessage(channel=DAILIES, text="x")
    await web.chat_delete(channel=DAILIES, ts=posted["ts"])
    assert await studio.messages() == []
    assert (await refusal(web.chat_update(channel=DAILIES, ts=posted["ts"], text="y")))["error"] == "message_not_found"
    assert (await refusal(web.chat_delete(channel=DAILIES, ts=posted["ts"])))["error"] == "message_not_found"
    assert (await refusal(web.chat_getPermalink(channel=DAILIES, message_ts=posted["ts"])))[
        "error"
    ] == "message_not_found"


async def test_a_long_post_is_cut_and_a_long_update_refused(web: AsyncWebClient) -> None:
    posted = await web.chat_postMessage(channel=DAILIES, text="x" * 40_001)
    assert len(posted["message"]["text"]) == 40_000
    refused = await refusal(web.chat_update(channel=DAILIES, ts=posted["ts"], text="x" * 40_001))
    assert refused["error"] == "msg_too_long"


async def test_a_reaction_is_added_once_and_taken_back_once(studio: Workspace, web: AsyncWebClient) -> None:
    await studio.post("/token", scopes=["reactions:write", "reactions:read"])
    ts = await studio.say("maya", "look")
    await web.reactions_add(channel=DAILIES, timestamp=ts, name="eyes")
    assert (await refusal(web.reactions_add(channel=DAILIES, timestamp=ts, name="eyes")))["error"] == "already_reacted"
    message = (await web.reactions_get(channel=DAILIES, timestamp=ts))["message"]
    assert message["reactions"] == [{"name": "eyes", "users": ["U0DAILIES1"], "count": 1}]
    await web.reactions_remove(channel=DAILIES, timestamp=ts, name="eyes")
    assert (await refusal(web.reactions_remove(channel=DAILIES, timestamp=ts, name="eyes")))["error"] == "no_reaction"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"channel": DAILIES, "timestamp": "1.000001", "name": "eyes"}, "message_not_found"),
        ({"channel": DAILIES, "timestamp": "now", "name": "eyes"}, "bad_timestamp"),
        ({"channel": DAILIES, "timestamp": "1.000001", "name": "Not An Emoji"}, "invalid_name"),
        ({"channel": LOBBY, "timestamp": "1.000001", "name": "eyes"}, "not_in_channel"),
    ],
)
async def test_a_reaction_that_cannot_be_is_refused(
    studio: Workspace, web: AsyncWebClient, arguments: Json, error: str
) -> None:
    await studio.post("/token", scopes=["reactions:write"])
    assert (await refusal(web.reactions_add(**arguments)))["error"] == error


async def test_one_person_cannot_put_any_number_of_emoji_on_a_message(studio: Workspace) -> None:
    ts = await studio.say("maya", "popular")
    for number in range(23):
        await studio.react("ben", ts, f"emoji{number}")
    with pytest.raises(Exception, match="too_many_reactions"):
        await studio.react("ben", ts, "one-more")


async def test_people_can_be_told_apart(studio: Workspace, web: AsyncWebClient) -> None:
    await studio.post("/token", scopes=["users:read"])
    maya = (await web.users_info(user=MAYA))["user"]
    olga = (await web.users_info(user=OLGA))["user"]
    gus = (await web.users_info(user="U0GUS00005"))["user"]
    assert maya["is_owner"]
    assert olga["is_stranger"]
    assert olga["team_id"] != maya["team_id"]
    assert gus["is_ultra_restricted"]
    first = await web.users_list(limit=6)
    rest = await web.users_list(limit=6, cursor=first["response_metadata"]["next_cursor"])
    assert ([maya, gus, olga], rest["response_metadata"]["next_cursor"]) == (
        [one for one in first["members"] if one["id"] in {MAYA, OLGA, gus["id"]}],
        "",
    )
    everybody = await web.users_list()
    assert everybody["members"] == first["members"] + rest["members"]
    assert (await refusal(web.users_info(user="U0NOBODY00")))["error"] == "user_not_found"


async def test_a_direct_message_reaches_the_person_in_one_conversation(studio: Workspace, web: AsyncWebClient) -> None:
    opened = await web.conversations_open(users=MAYA)
    posted = await web.chat_postMessage(channel=MAYA, text="your clip is safe")
    assert posted["channel"] == opened["channel"]["id"]
    (message,) = await studio.messages(channel="@maya")
    assert message["text"] == "your clip is safe"


async def test_an_ephemeral_is_seen_by_one_person_and_in_no_history(studio: Workspace, web: AsyncWebClient) -> None:
    await web.chat_postEphemeral(channel=DAILIES, user=MAYA, text="only you")
    assert [one["text"] for one in await studio.ephemerals("maya")] == ["only you"]
    assert await studio.ephemerals("ben") == []
    assert (await web.conversations_history(channel=DAILIES))["messages"] == []
    assert (await refusal(web.chat_postEphemeral(channel=TWO, user=OLGA, text="x")))["error"] == "user_not_in_channel"


async def test_a_method_over_its_limit_is_told_how_long_to_wait(studio: Workspace) -> None:
    await studio.configure(rate_limits={"auth.test": {"calls": 2, "seconds": 60, "retry_after": 7}})
    async with httpx.AsyncClient(trust_env=False) as client:
        headers = {"Authorization": f"Bearer {studio.environment['SLACK_BOT_TOKEN']}"}
        url = studio.environment["SLACK_API_URL"] + "auth.test"
        answers = [await client.post(url, headers=headers) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].headers["Retry-After"] == "7"
    assert answers[-1].json() == {"ok": False, "error": "ratelimited"}


async def test_posts_to_one_channel_can_be_paced_without_slowing_another(
    studio: Workspace, web: AsyncWebClient
) -> None:
    await studio.configure(posts_per_second=0.1)
    await web.chat_postMessage(channel=DAILIES, text="one")
    assert (await refusal(web.chat_postMessage(channel=DAILIES, text="two")))["error"] == "ratelimited"
    assert (await web.chat_postMessage(channel=TWO, text="three"))["ok"]


async def test_every_call_is_on_record_with_its_arguments_and_without_its_token(
    studio: Workspace, web: AsyncWebClient
) -> None:
    await web.chat_postMessage(channel=DAILIES, text="hello")
    await refusal(web.chat_postMessage(channel=LOBBY, text="hello"))
    first, second = await studio.calls("chat.postMessage")
    assert (first["ok"], first["arguments"]["text"]) == (True, "hello")
    assert (second["ok"], second["error"]) == (False, "not_in_channel")
    assert studio.environment["SLACK_BOT_TOKEN"] not in json.dumps([first, second])


async def test_a_fault_hits_the_method_it_names_after_the_post_was_made(studio: Workspace, web: AsyncWebClient) -> None:
    await studio.fault("slack:chat.postMessage", "amid", "status", status=503, match={"text": "second"})
    assert (await web.chat_postMessage(channel=DAILIES, text="first"))["ok"]
    with pytest.raises(SlackApiError):
        await web.chat_postMessage(channel=DAILIES, text="second")
    assert [one["text"] for one in await studio.messages()] == ["first", "second"]
    (rule,) = await studio.faults()
    assert rule["fired"] == 1


def test_the_workspace_grants_and_sends_what_the_manifest_asks_for() -> None:
    manifest = yaml.safe_load((Path(__file__).parents[2] / "manifest.yml").read_text(encoding="utf-8"))
    assert sorted(manifest["oauth_config"]["scopes"]["bot"]) == sorted(Settings().scopes)
    assert sorted(manifest["settings"]["event_subscriptions"]["bot_events"]) == sorted(Settings().subscriptions)
    assert [one["command"] for one in manifest["features"]["slash_commands"]] == list(Settings().commands)


async def test_files_are_listed_in_pages_where_the_bot_can_see_them(studio: Workspace, web: AsyncWebClient) -> None:
    for name in ("one.png", "two.png"):
        await studio.say("maya", name, files=[(name, b"png")])
    await studio.say("maya", "unseen", files=[("three.png", b"png")], channel="#lobby")
    listed = await web.files_list(count=1)
    assert listed["paging"] == {"count": 1, "total": 2, "page": 1, "pages": 2}
    assert len(listed["files"]) == 1


def test_the_methods_that_the_bot_may_need_are_all_there() -> None:
    needed = {
        "api.test", "apps.connections.open", "auth.test", "blocks.validate", "bots.info", "chat.delete",
        "chat.getPermalink", "chat.postEphemeral", "chat.postMessage", "chat.update", "conversations.history",
        "conversations.info", "conversations.join", "conversations.list", "conversations.members",
        "conversations.open", "conversations.replies", "files.completeUploadExternal", "files.delete",
        "files.getUploadURLExternal", "files.info", "files.list", "reactions.add", "reactions.get",
        "reactions.remove", "team.info", "users.conversations", "users.info", "users.list", "views.open",
        "views.publish", "views.push", "views.update",
    }  # fmt: skip
    assert needed <= set(METHODS)
