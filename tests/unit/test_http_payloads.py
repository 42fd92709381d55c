"""What Slack signed, or sent over its socket, reaches a listener or is refused; it is never an accident of ours."""

import asyncio
import copy
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st
from slack_bolt.async_app import AsyncApp
from starlette.types import Message, Scope
from structlog.testing import capture_logs

from bot.services.policies import Policies
from bot.services.policy import Policy
from handlers.app import build_app
from handlers.doors import Doors, Identity
from handlers.grammar import Help
from handlers.http import SlackEndpoint
from handlers.payload import Unreadable, read_payload
from handlers.shapes import Misshapen, shaped
from handlers.socket import SlackSocket
from handlers.verification import signature
from handlers.workspace import SlackWorkspace
from storage import MemoryStorage
from tests.support.oddities import FORM, FORMS, JSON, MARK, ODDITIES
from tests.support.slack_files import ToldFiles

Json = dict[str, Any]

SECRET, NOW = "a made-up secret", 1_800_000_000
IDENTITY = Identity(workspace="T0DAILIES1", bot_user="U0BOT", bot_id="B0BOT")

PRESS: Json = {
    "type": "block_actions",
    "team": {"id": "T0DAILIES1"},
    "user": {"id": "U0MAYA0001", "team_id": "T0DAILIES1"},
    "channel": {"id": "C0DAILIES1"},
    "container": {"type": "message", "channel_id": "C0DAILIES1", "thread_ts": "1.1"},
    "message": {"ts": "1.1", "text": "a card"},
    "enterprise": None,
    "is_enterprise_install": False,
    "actions": [{"type": "button", "action_id": "clip.promote", "block_id": "b", "value": "job:1"}],
}
COMMAND: Json = {
    "command": "/clip",
    "text": "a red panda",
    "team_id": "T0DAILIES1",
    "channel_id": "C0DAILIES1",
    "user_id": "U0MAYA0001",
    "trigger_id": "1.2.3",
}


def wrapped(**event: Any) -> Json:
    """An event as the Events API wraps it."""
    return {
        "type": "event_callback",
        "event_id": "Ev1",
        "team_id": "T0DAILIES1",
        "authorizations": [{"team_id": "T0DAILIES1", "enterprise_id": None, "user_id": "U0BOT", "is_bot": True}],
        "event": event,
    }


ITEM = {"type": "message", "channel": "C0DAILIES1", "ts": "1.1"}
ROCKET = wrapped(type="reaction_added", reaction="rocket", user="U0MAYA0001", item=ITEM, item_user="U0BOT")
ROCKET_BACK = {**ROCKET, "event": {**ROCKET["event"], "type": "reaction_removed"}}
REPLY = wrapped(type="message", channel="C0DAILIES1", user="U0MAYA0001", ts="1.2", thread_ts="1.1", text="720p")
MENTION = wrapped(type="app_mention", channel="C0DAILIES1", user="U0MAYA0001", ts="1.2", text="<@U0BOT> help")
VIEW = {"type": "view_submission", "user": {"id": "U0MAYA0001"}, "view": {"callback_id": "x", "type": "modal"}}
PERSON = {"user": {"id": "U0MAYA0001"}, "team": {"id": "T0DAILIES1"}, "callback_id": "clip.promote"}
LEGACY: list[Json] = [
    {**PERSON, "type": "interactive_message", "actions": [{"name": "x", "value": "job:1"}]},
    {**PERSON, "type": "dialog_submission", "submission": {"x": "y"}},
    {**PERSON, "type": "message_action", "message": {"ts": "1.1"}},
    {**PERSON, "type": "block_suggestion", "action_id": "x", "value": "y"},
    {**PERSON, "type": "workflow_step_edit", "workflow_step": {"id": "x"}},
    wrapped(type="function_executed", function={"callback_id": "x"}, function_execution_id="Fx1", inputs={}),
]
GOOD = [PRESS, COMMAND, ROCKET, ROCKET_BACK, REPLY, MENTION, VIEW, *LEGACY]


class Intake:
    """Notes what it is asked for, and answers nothing."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        async def use_case(*_: object, **__: object) -> object:
            self.asked.append(name)
            return name == "is_ours" if name in {"is_ours", "was_taken"} else Help()

        return use_case


class Told(Doors):
    """Doors that say nothing to anybody."""

    def tell(self, *_: object, **__: object) -> None:
        """Nobody is told."""


def listeners(workspace: SlackWorkspace) -> tuple[AsyncApp, Intake]:
    """The real app over a workspace's client, and what it would ask of the use-cases."""
    intake = Intake()
    noted: Any = intake
    doors = Told(
        intake=noted,
        presses=noted,
        policies=Policies(storage=MemoryStorage(), operator=Policy()),
        accounts=noted,
        configuring=noted,
        files=ToldFiles(),
        client=workspace.client,
        identity=IDENTITY,
    )
    return build_app(client=workspace.client, identity=IDENTITY, doors=doors), intake


def at(url: str) -> SlackWorkspace:
    """A workspace behind that address."""
    return SlackWorkspace(bot_token="xoxb-made-up", app_token="xapp-made-up", api_url=url)


async def posted(app: AsyncApp, body: bytes, content_type: str) -> int:
    """The status of a signed request to an endpoint with these listeners."""
    endpoint = SlackEndpoint(signing_secret=SECRET, now=lambda: NOW)
    endpoint.connect(app)
    timestamp = str(NOW).encode()
    headers = [
        (b"content-type", content_type.encode()),
        (b"x-slack-request-timestamp", timestamp),
        (b"x-slack-signature", signature(SECRET.encode(), timestamp, body)),
    ]
    scope: Scope = {"type": "http", "method": "POST", "headers": headers, "query_string": b""}
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await endpoint(scope, receive, send)
    return int(sent[0]["status"])


GOOD_SIGNATURE = (b"x-slack-signature", signature(SECRET.encode(), str(NOW).encode(), b"{}"))


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ([], "no request-timestamp"),
        ([GOOD_SIGNATURE], "no request-timestamp"),
        ([(b"x-slack-request-timestamp", b"%d" % NOW)], "no signature"),
        ([(b"x-slack-request-timestamp", b"now"), GOOD_SIGNATURE], "unreadable request-timestamp"),
        ([(b"x-slack-request-timestamp", b"%d" % NOW), (b"x-slack-signature", b"v0=")], "unreadable signature"),
        ([(b"x-slack-request-timestamp", b"%d" % (NOW - 301)), GOOD_SIGNATURE], "clock"),
        ([(b"x-slack-request-timestamp", b"%d" % (NOW + 301)), GOOD_SIGNATURE], "clock"),
    ],
)
async def test_what_cannot_be_verified_is_refused_before_its_body_is_read(
    headers: list[tuple[bytes, bytes]], why: str
) -> None:
    """Memory is for whoever at least claims to be Slack; the connection stays for the rest of a body."""
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("the body is asked for")

    async def send(message: Message) -> None:
        sent.append(message)

    endpoint = SlackEndpoint(signing_secret=SECRET, now=lambda: NOW)
    with capture_logs() as lines:
        await endpoint({"type": "http", "method": "POST", "headers": headers, "query_string": b""}, receive, send)
    assert sent[0]["status"] == 401
    assert b"connection" not in dict(sent[0]["headers"])
    assert [line["why"] for line in lines] == [why]


@pytest.mark.parametrize("payload", GOOD, ids=lambda one: str(one.get("event", one).get("type", "command")))
def test_what_slack_documents_is_taken_as_it_is(payload: Json) -> None:
    assert shaped(payload) == {name: value for name, value in payload.items() if value is not None}


@pytest.mark.parametrize("name", ODDITIES)
async def test_an_oddity_is_answered_with_one_line_of_ours_and_asks_for_nothing(name: str) -> None:
    oddity = ODDITIES[name]
    app, intake = listeners(at("http://127.0.0.1:9/api/"))
    with capture_logs() as lines:
        assert await posted(app, oddity.body, oddity.content_type) == oddity.status
    assert [line["event"] for line in lines] == ["slack.unhandled" if oddity.status == 200 else "slack.refused"]
    assert MARK not in str(lines)
    assert intake.asked == []


@pytest.mark.parametrize("name", FORMS)
def test_an_odd_form_is_refused_with_words_of_ours(name: str) -> None:
    with pytest.raises((Unreadable, Misshapen)) as caught:
        shaped(read_payload(content_type=FORM, content_encoding="", body=FORMS[name]))
    assert MARK not in str(caught.value)


@pytest.mark.parametrize("item", [{"type": "file", "file": "F1"}, {"type": "file_comment", "file_comment": "Fc1"}])
def test_a_reaction_to_a_file_has_no_channel_and_is_well_formed(item: Json) -> None:
    assert shaped(wrapped(type="reaction_added", reaction="rocket", user="U1", item=item))["event"]["item"] == item


def test_events_that_nobody_reads_may_look_as_they_like() -> None:
    strange: Json = wrapped(type="a_thing_of_next_year", channel=["C1"], item=7, user={"id": "U1"}, subtype={})
    assert shaped(strange) == strange


def test_halves_of_characters_are_left_out_of_what_people_typed_and_refused_in_a_challenge() -> None:
    typed = {**COMMAND, "text": "a mug \ud800on fire", "unread": [{"\udc00name": "\udfff"}]}
    assert shaped(typed) == {**COMMAND, "text": "a mug on fire", "unread": [{"name": ""}]}
    with pytest.raises(Misshapen, match="challenge"):
        shaped({"type": "url_verification", "challenge": "a\ud800"})


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda parts: (
        st.lists(parts, max_size=2) | st.dictionaries(st.sampled_from(["id", "type", "x"]), parts, max_size=2)
    ),
    max_leaves=4,
)


@st.composite
def mangled(draw: st.DrawFn) -> Json:
    """A good payload in which something, at any depth, is gone or is something else."""
    payload: Json = copy.deepcopy(draw(st.sampled_from(GOOD)))
    for _ in range(draw(st.integers(1, 3))):
        holder: Any = payload
        while True:
            keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(holder[key], dict | list) and draw(st.booleans()):
                holder = holder[key]
                continue
            if draw(st.booleans()):
                del holder[key]
            else:
                holder[key] = draw(ANYTHING)
            break
    return payload


@given(payload=mangled())
def test_whatever_is_mangled_is_answered_and_never_fails(payload: Json) -> None:
    """Bolt looks at more fields than we do; a field that makes it stumble would be a 500 and a traceback."""

    async def answered() -> int:
        app, _ = listeners(at("http://127.0.0.1:9/api/"))
        body = urlencode({"payload": json.dumps(payload)}).encode()
        return await posted(app, body, FORM)

    assert asyncio.run(answered()) in {200, 400}


async def test_what_nobody_listens_to_leaves_one_line_without_its_values(caplog: pytest.LogCaptureFixture) -> None:
    app, intake = listeners(at("http://127.0.0.1:9/api/"))
    with caplog.at_level(logging.DEBUG, logger="slack_bolt"):
        for payload in ({**PRESS, "actions": [{"action_id": MARK}]}, {**COMMAND, "command": f"/{MARK}"}):
            assert await posted(app, json.dumps(payload).encode(), JSON) == 200
    assert [record.getMessage() for record in caplog.records if MARK in record.getMessage()] == []
    assert intake.asked == []


# --- over Socket Mode ------------------------------------------------------------------------------------------------


class PretendSlack:
    """Just enough of Slack to open a socket, send any text as an envelope and hear what is acknowledged."""

    def __init__(self) -> None:
        self.acknowledged: list[str] = []
        self.opened = 0
        self.open = asyncio.Event()
        self.socket: web.WebSocketResponse | None = None
        self.url = ""

    async def connections_open(self, _: web.Request) -> web.Response:
        """``apps.connections.open``"""
        return web.json_response({"ok": True, "url": self.url.replace("http", "ws") + "/link"})

    async def link(self, request: web.Request) -> web.WebSocketResponse:
        """The socket itself."""
        self.socket = web.WebSocketResponse()
        await self.socket.prepare(request)
        self.opened += 1
        self.open.set()
        async for message in self.socket:
            if message.type is aiohttp.WSMsgType.TEXT and message.data.startswith("{"):
                self.acknowledged.append(json.loads(message.data)["envelope_id"])
        return self.socket

    async def say(self, text: str) -> None:
        """Send one frame."""
        assert self.socket is not None
        await self.socket.send_str(text)


Listen = Callable[[SlackWorkspace, AsyncApp], Awaitable[Callable[[], Awaitable[None]]]]
"""Connects an app; answers what ends the connection."""


async def as_the_bot(workspace: SlackWorkspace, app: AsyncApp) -> Callable[[], Awaitable[None]]:
    """The way that the program takes."""
    await workspace.listen(app)
    return workspace.hang_up


async def by_our_socket(workspace: SlackWorkspace, app: AsyncApp) -> Callable[[], Awaitable[None]]:
    """The socket that looks at shapes."""
    socket = SlackSocket(app, "xapp-made-up", web_client=workspace.client)
    await socket.client.connect()  # type: ignore[no-untyped-call] # slack_sdk has no types here
    return socket.client.close


@asynccontextmanager
async def connected(listen: Listen) -> AsyncIterator[tuple[PretendSlack, Intake]]:
    """Our listeners behind a socket of a pretend Slack."""
    slack = PretendSlack()
    application = web.Application()
    application.add_routes(
        [web.post("/api/apps.connections.open", slack.connections_open), web.get("/link", slack.link)]
    )
    server = TestServer(application)
    await server.start_server()
    slack.url = str(server.make_url("")).rstrip("/")
    workspace = at(f"{slack.url}/api/")
    app, intake = listeners(workspace)
    hang_up = await listen(workspace, app)
    try:
        await asyncio.wait_for(slack.open.wait(), 5)
        yield slack, intake
    finally:
        await hang_up()
        await server.close()


NO_ENVELOPES = ("", "{", "[]", "null", MARK, '{"type": "events_api"}', '{"type": 7, "payload": null}')


NO_JSON = {"a hundred thousand levels", "a number of five thousand digits"}
"""Oddities that slack_sdk itself cannot read; it says so in its own words."""


async def send_all(slack: PretendSlack) -> None:
    """Every oddity and every frame that is no envelope; then a good command, until it is acknowledged."""
    for name, oddity in ODDITIES.items():
        await slack.say(oddity.envelope(name))
    for frame in NO_ENVELOPES:
        await slack.say(frame)
    await slack.say(
        json.dumps({"envelope_id": "good", "type": "slash_commands", "payload": {**COMMAND, "text": "help"}})
    )
    async with asyncio.timeout(10):
        while "good" not in slack.acknowledged:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("listen", [as_the_bot, by_our_socket])
async def test_the_same_oddities_over_a_socket_leave_it_open(listen: Listen) -> None:
    async with connected(listen) as (slack, _):
        await send_all(slack)
        assert slack.opened == 1


async def test_our_socket_acknowledges_what_is_nobodys_and_takes_nothing_misshapen(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with capture_logs() as lines:
        async with connected(by_our_socket) as (slack, intake):
            await send_all(slack)
    nobodys = {name for name, oddity in ODDITIES.items() if oddity.status == 200}
    assert set(slack.acknowledged) == {*nobodys, "good"}
    assert intake.asked == []
    assert Counter(line["event"] for line in lines) == {
        "slack.unhandled": len(nobodys),
        "slack.refused": len(ODDITIES) - len(nobodys) - len(NO_JSON),
    }
    assert MARK not in caplog.text
    assert MARK not in str(lines)
