"""Socket Mode with the real Bolt app: acknowledgements, redelivery, several sockets, the end of sockets."""

import asyncio
from collections import Counter
from typing import Any

import aiohttp
import pytest
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.sandbox.conftest import Connect
from tests.sandbox.driver import Refused, Workspace

Json = dict[str, Any]


class Socket:
    """A client that decides by itself what it acknowledges."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def next(self, seconds: float = 3.0) -> Json:
        frame: Json = await self.socket.receive_json(timeout=seconds)
        return frame

    async def ack(self, envelope: Json, payload: Json | None = None) -> None:
        answer: Json = {"envelope_id": envelope["envelope_id"]}
        await self.socket.send_json(answer | ({"payload": payload} if payload is not None else {}))


async def opened(studio: Workspace, session: aiohttp.ClientSession) -> Socket:
    """A socket that was said hello to."""
    web = AsyncWebClient(base_url=studio.environment["SLACK_API_URL"])
    answer = await web.apps_connections_open(app_token=studio.environment["SLACK_APP_TOKEN"])
    socket = Socket(await session.ws_connect(answer["url"]))
    hello = await socket.next()
    assert hello["type"] == "hello"
    assert hello["connection_info"] == {"app_id": "A0DAILIES1"}
    await studio.connected(hello["num_connections"])
    return socket


async def test_a_ticket_opens_one_socket(studio: Workspace) -> None:
    web = AsyncWebClient(base_url=studio.environment["SLACK_API_URL"])
    url = (await web.apps_connections_open(app_token=studio.environment["SLACK_APP_TOKEN"]))["url"]
    async with aiohttp.ClientSession() as session:
        first = await session.ws_connect(url)
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(url)
        await first.close()


async def test_an_eleventh_socket_is_sent_away(studio: Workspace) -> None:
    await studio.configure(max_sockets=2)
    async with aiohttp.ClientSession() as session:
        kept = [await opened(studio, session), await opened(studio, session)]
        web = AsyncWebClient(base_url=studio.environment["SLACK_API_URL"])
        answer = await web.apps_connections_open(app_token=studio.environment["SLACK_APP_TOKEN"])
        third = Socket(await session.ws_connect(answer["url"]))
        assert (await third.next())["reason"] == "too_many_websockets"
        assert not any(one.socket.closed for one in kept)


async def test_a_ping_comes_back_with_its_payload(studio: Workspace) -> None:
    async with aiohttp.ClientSession() as session:
        url = await AsyncWebClient(base_url=studio.environment["SLACK_API_URL"]).apps_connections_open(
            app_token=studio.environment["SLACK_APP_TOKEN"]
        )
        socket = await session.ws_connect(url["url"], autoping=False)
        await socket.receive()
        await socket.ping(b"sdk-ping-pong:1.5")
        answer = await socket.receive(timeout=3)
        assert (answer.type, bytes(answer.data)) == (aiohttp.WSMsgType.PONG, b"sdk-ping-pong:1.5")


async def test_each_envelope_goes_to_one_socket_in_turn(
    studio: Workspace, web: AsyncWebClient, connect: Connect
) -> None:
    heard: Counter[int] = Counter()

    def listening(number: int) -> AsyncApp:
        app = AsyncApp(client=web)

        @app.command("/clip")
        async def clip(ack: Any) -> None:
            heard[number] += 1
            await ack()

        return app

    for number in range(3):
        await connect(listening(number))
    outcomes = await asyncio.gather(*[studio.slash("maya", f"/clip {number}") for number in range(30)])
    assert all(outcome["acked"] for outcome in outcomes)
    assert heard == {0: 10, 1: 10, 2: 10}


async def test_two_hundred_commands_at_once_are_all_acknowledged(
    studio: Workspace, app: AsyncApp, connect: Connect
) -> None:
    @app.command("/clip")
    async def clip(ack: Any) -> None:
        await ack()

    await connect(app)
    outcomes = await asyncio.gather(*[studio.slash("maya", f"/clip {number}") for number in range(200)])
    assert sum(outcome["acked"] for outcome in outcomes) == 200


async def test_a_command_that_nobody_acknowledges_times_out_and_is_not_repeated(studio: Workspace) -> None:
    await studio.configure(ack_timeout=0.3)
    async with aiohttp.ClientSession() as session:
        socket = await opened(studio, session)
        outcome = await studio.slash("maya", "/clip a red panda")
        assert (outcome["acked"], outcome["error"]) == (False, "operation_timeout")
        assert (await socket.next())["type"] == "slash_commands"
        with pytest.raises(TimeoutError):
            await socket.next(0.3)
    (told,) = await studio.ephemerals("maya")
    assert told["author"] == "USLACKBOT"
    assert "operation_timeout" in told["text"]


async def test_a_command_without_an_app_fails_at_once(studio: Workspace) -> None:
    outcome = await studio.slash("maya", "/clip a red panda")
    assert (outcome["acked"], outcome["error"]) == (False, "dispatch_failed")
    assert "dispatch_failed" in (await studio.ephemerals("maya"))[0]["text"]


async def test_an_event_that_nobody_acknowledges_comes_again_with_its_number_and_reason(studio: Workspace) -> None:
    await studio.configure(ack_timeout=0.3)
    async with aiohttp.ClientSession() as session:
        socket = await opened(studio, session)
        await studio.say("maya", "hello")
        seen = [await socket.next() for _ in range(4)]
    assert [one["retry_attempt"] for one in seen] == [0, 1, 2, 3]
    assert [one["retry_reason"] for one in seen] == ["", "timeout", "timeout", "timeout"]
    assert len({one["payload"]["event_id"] for one in seen}) == 1
    assert len({one["envelope_id"] for one in seen}) == 4
    await studio.wait_until(lambda state: state["events"][0]["given_up"], what="Slack gives up")


async def test_an_acknowledged_event_does_not_come_again(studio: Workspace) -> None:
    async with aiohttp.ClientSession() as session:
        socket = await opened(studio, session)
        await studio.say("maya", "hello")
        await socket.ack(await socket.next())
        with pytest.raises(TimeoutError):
            await socket.next(0.3)


async def test_an_event_waits_for_an_app_that_comes_back(studio: Workspace) -> None:
    await studio.configure(retry_schedule=[0, 0.2, 0.6])
    await studio.say("maya", "said while nobody listened")
    async with aiohttp.ClientSession() as session:
        socket = await opened(studio, session)
        late = await socket.next()
        await socket.ack(late)
    assert late["retry_reason"] == "connection_failed"
    assert late["payload"]["event"]["text"] == "said while nobody listened"


async def test_the_wrapper_of_an_event_names_app_team_and_installation(studio: Workspace) -> None:
    async with aiohttp.ClientSession() as session:
        socket = await opened(studio, session)
        await studio.say("maya", "hello", channel="#dailies-two")
        envelope = await socket.next()
        await socket.ack(envelope)
    payload = envelope["payload"]
    assert (envelope["type"], envelope["accepts_response_payload"]) == ("events_api", False)
    assert (payload["type"], payload["api_app_id"], payload["team_id"]) == (
        "event_callback",
        "A0DAILIES1",
        "T0STUDIO01",
    )
    assert payload["authorizations"][0]["user_id"] == "U0DAILIES1"
    assert payload["is_ext_shared_channel"] is False
    event = payload["event"]
    assert (event["type"], event["channel_type"], event["user"]) == ("message", "channel", "U0MAYA0001")
    assert event["ts"] == event["event_ts"]


async def test_the_same_event_can_be_delivered_twice_by_fault_or_by_hand(studio: Workspace) -> None:
    await studio.fault("slack:event", "do", "duplicate", times=1, match={"type": "message"})
    async with aiohttp.ClientSession() as session:
        socket = await opened(studio, session)
        await studio.say("maya", "hello")
        first, second = await socket.next(), await socket.next()
        await socket.ack(first)
        await socket.ack(second)
        assert first["payload"]["event_id"] == second["payload"]["event_id"]
        await studio.post("/redeliver", event_id=first["payload"]["event_id"])
        third = await socket.next()
        await socket.ack(third)
    assert third["payload"] == first["payload"]


async def test_of_an_event_whose_first_delivery_is_lost_only_a_retry_arrives(studio: Workspace) -> None:
    await studio.fault("slack:event", "do", "lose_first")
    async with aiohttp.ClientSession() as session:
        socket = await opened(studio, session)
        await studio.say("maya", "hello")
        envelope = await socket.next()
        await socket.ack(envelope)
    assert (envelope["retry_attempt"], envelope["retry_reason"]) == (1, "timeout")


async def test_a_lost_event_never_arrives_and_a_delayed_one_late(studio: Workspace) -> None:
    await studio.fault("slack:event", "do", "lose", match={"text": "lost"})
    await studio.fault("slack:event", "do", "delay", seconds=0.2, match={"text": "late"})
    async with aiohttp.ClientSession() as session:
        socket = await opened(studio, session)
        for text in ("lost", "late", "prompt"):
            await studio.say("maya", text)
        texts = []
        for _ in range(2):
            envelope = await socket.next()
            await socket.ack(envelope)
            texts.append(envelope["payload"]["event"]["text"])
    assert texts == ["prompt", "late"]


async def test_bolt_reconnects_when_slack_asks_and_when_the_wire_is_cut(
    studio: Workspace, app: AsyncApp, connect: Connect
) -> None:
    @app.command("/clip")
    async def clip(ack: Any) -> None:
        await ack("got it")

    await connect(app)
    await studio.post("/sockets", action="disconnect", reason="refresh_requested")
    await replaced(studio, 1)
    assert (await studio.slash("maya", "/clip one"))["acked"]
    await studio.post("/sockets", action="kill")
    await replaced(studio, 2)
    assert (await studio.slash("maya", "/clip two"))["payload"] == {"text": "got it"}


async def replaced(studio: Workspace, number: int) -> None:
    await studio.wait_until(
        lambda state: [socket["number"] for socket in state["sockets"]] == [number + 1],
        what="a new socket took the place of the old one",
    )


async def test_events_reach_bolt_where_the_bot_is_a_member_and_nowhere_else(
    studio: Workspace, app: AsyncApp, connect: Connect
) -> None:
    heard: list[str] = []

    @app.event("message")
    async def message(event: Json) -> None:
        heard.append(event["text"])

    await connect(app)
    await studio.say("maya", "in the lobby", channel="#lobby")
    await studio.say("maya", "in private", channel="#private")
    await studio.say("maya", "directly", channel="@maya")
    await studio.say("maya", "in dailies")
    await studio.wait_until(lambda state: len(state["events"]) == 3 and all(one["acked"] for one in state["events"]))
    assert sorted(heard) == ["directly", "in dailies", "in private"]


async def test_events_that_the_app_did_not_subscribe_to_are_not_sent(studio: Workspace) -> None:
    ts = await studio.say("maya", "hello")
    await studio.configure(subscriptions=["reaction_added"])
    await studio.say("maya", "again")
    await studio.react("ben", ts, "rocket")
    assert [one["type"] for one in (await studio.state())["events"]] == ["message", "reaction_added"]


async def test_the_envelopes_are_on_record_with_how_long_their_acknowledgement_took(
    studio: Workspace, app: AsyncApp, connect: Connect
) -> None:
    @app.command("/clip")
    async def clip(ack: Any) -> None:
        await ack()

    await connect(app)
    await studio.slash("maya", "/clip one")
    (envelope,) = (await studio.state())["envelopes"]
    assert (envelope["type"], envelope["acked"], envelope["retry_attempt"]) == ("slash_commands", True, 0)
    assert 0 < envelope["ack_seconds"] < 3


async def test_an_uninstalled_app_hears_of_it_and_loses_its_token(studio: Workspace, web: AsyncWebClient) -> None:
    async with aiohttp.ClientSession() as session:
        socket = await opened(studio, session)
        await studio.post("/token", uninstall=True)
        heard = []
        for _ in range(2):
            envelope = await socket.next()
            await socket.ack(envelope)
            heard.append(envelope["payload"]["event"])
    assert heard[0]["tokens"] == {"oauth": [], "bot": ["U0DAILIES1"]}
    assert heard[1]["type"] == "app_uninstalled"
    with pytest.raises(SlackApiError, match="account_inactive"):
        await web.auth_test()
    assert (await studio.slash("maya", "/clip more"))["error"] == "invalid_command"


async def test_an_unknown_event_cannot_be_redelivered(studio: Workspace) -> None:
    with pytest.raises(Refused, match="event_not_found"):
        await studio.post("/redeliver", event_id="Ev0NOTHING")
