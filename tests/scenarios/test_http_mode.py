"""Slack over signed HTTP: what is special to it. The story and its rules are the same as over Socket Mode, and run in
both."""

import asyncio
import contextlib
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from aiohttp.typedefs import Handler
from slack_sdk.signature import SignatureVerifier

from bot.sandbox.slack.calls import SIGNING_SECRET
from handlers.verification import signature
from tests.sandbox.driver import Json
from tests.scenarios.bot import Stage, stage


async def test_with_both_secrets_set_the_bot_connects_by_itself_and_has_no_door(tmp_path: Path) -> None:
    async with stage(tmp_path) as play:
        assert {"SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET"} <= set(play.bot.environment)
        assert len((await play.studio.state())["sockets"]) == 1
        origin = await play.bot.origin()
        await play.studio.configure(delivery={"mode": "http", "url": f"{origin}/slack/events"})
        answer = await play.studio.slash("maya", "/clip a red panda surfing")
        assert answer["error"] == "dispatch_failed"
        assert play.bot.rows("select * from jobs") == []


async def test_a_command_is_answered_in_the_answer_to_its_request(tmp_path: Path) -> None:
    async with stage(tmp_path, mode="http") as play:
        answer = await play.studio.slash("maya", "/clip a red panda surfing")
        assert answer["payload"]["response_type"] == "ephemeral"
        assert "is accepted" in answer["payload"]["text"]
        assert answer["ack_seconds"] < 3
        assert len(await play.clips(1)) == 1
        assert (await play.studio.state())["sockets"] == []


async def test_a_prompt_about_payloads_is_a_prompt(tmp_path: Path) -> None:
    """In a form, the word "payload" elsewhere than as a field's name means nothing."""
    async with stage(tmp_path, mode="http") as play:
        answer = await play.studio.slash("maya", "/clip a rocket with its payload={}&payload")
        assert "is accepted" in answer["payload"]["text"]
        await play.card("a rocket with its payload={}&amp;payload")


@pytest.mark.row("F07")
async def test_an_event_that_could_not_be_kept_is_not_acknowledged_and_comes_again(tmp_path: Path) -> None:
    """The database is locked for longer than Slack waits: 500, no effect, and one effect with a later delivery."""
    async with stage(tmp_path, mode="http", sandbox={"retry_schedule": [0.1, 0.5, 0.5, 0.5, 0.5, 0.5]}) as play:
        draft = await drafted(play)
        await play.at_rest()
        with locked(play):
            await play.studio.react("ben", draft, "rocket")
            await play.studio.wait_until(lambda state: retries(state) >= 1 or None, what="Slack sends it again")
        await play.clips(2)
        await play.at_rest()
        deliveries = [one for one in (await play.studio.state())["envelopes"] if one["type"] == "events_api"]
        repeated = next(one["event_id"] for one in deliveries if one["retry_attempt"])
        acknowledged = [one["acked"] for one in deliveries if one["event_id"] == repeated]
        assert (acknowledged[0], acknowledged[-1]) == (False, True)
        assert len(await play.ledger()) == 2


@pytest.mark.row("F05")
async def test_a_command_that_a_proxy_repeats_makes_one_job(tmp_path: Path) -> None:
    """The same bytes under the same signature, twice at once and once more: all are good, and one counts."""
    async with stage(tmp_path, mode="http") as play:
        origin = await play.bot.origin()
        fields = {
            "command": "/clip",
            "text": "a red panda surfing",
            "team_id": "T0DAILIES1",
            "channel_id": "C0DAILIES1",
            "user_id": await play.person_id("maya"),
            "trigger_id": "1.2.once",
        }
        body = urlencode(fields).encode()
        timestamp = str(int(time.time()))
        signed = signature(play.studio.environment["SLACK_SIGNING_SECRET"].encode(), timestamp.encode(), body)
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": signed.decode(),
        }
        async with httpx.AsyncClient(base_url=origin, trust_env=False) as proxy:
            twice = await asyncio.gather(
                *(proxy.post("/slack/events", content=body, headers=headers) for _ in range(2))
            )
            again = await proxy.post("/slack/events", content=body, headers=headers)
        assert [answer.status_code for answer in (*twice, again)] == [200, 200, 200]
        await play.clips(1)
        await play.at_rest()
        assert len(play.bot.rows("select * from jobs")) == 1
        assert len(await play.ledger()) == 1


async def test_the_pretend_slack_signs_numbers_and_stops_as_the_real_one_does(tmp_path: Path) -> None:
    """Judged by Slack's own verifier in an app that fails twice, and then asks for no more."""
    heard: list[Json] = []

    async def app(request: web.Request) -> web.Response:
        body = await request.text()
        good = SignatureVerifier(SIGNING_SECRET).is_valid_request(body, dict(request.headers))
        numbers = [request.headers.get(f"X-Slack-Retry-{word}") for word in ("Num", "Reason")]
        heard.append({"good": good, "retry": numbers, "type": request.content_type, "body": body})
        if len(heard) == 3:
            return web.Response(status=500, headers={"X-Slack-No-Retry": "1"})
        return web.Response(status=503)

    async with stage(tmp_path, mode="http", start=False) as play:
        server = TestServer(web_app(app))
        await server.start_server()
        await play.studio.configure(
            delivery={"mode": "http", "url": str(server.make_url("/slack/events"))}, retry_schedule=[0, 0, 0, 0]
        )
        await play.studio.say("maya", "hello")
        await play.studio.wait_until(
            lambda state: (state["events"] and state["events"][-1]["given_up"]) or None, what="Slack gives up"
        )
        answer = await play.studio.slash("maya", "/clip a red panda")
        await server.close()

    assert [one["good"] for one in heard] == [True] * 4
    assert [one["retry"] for one in heard] == [[None, None], ["1", "http_error"], ["2", "http_error"], [None, None]]
    assert [one["type"] for one in heard] == ["application/json"] * 3 + ["application/x-www-form-urlencoded"]
    assert len({one["body"] for one in heard[:3]}) == 1, "the same event each time"
    assert (answer["acked"], answer["error"]) == (False, "dispatch_failed")


@pytest.mark.row("F06")
async def test_events_while_the_bot_is_down_come_when_it_is_back(tmp_path: Path) -> None:
    async with stage(tmp_path, mode="http", sandbox={"retry_schedule": [0.1, 3, 3, 3, 3]}) as play:
        draft = await drafted(play)
        await play.bot.kill()
        refused = await play.studio.slash("maya", "/clip while nobody is there")
        assert (refused["acked"], refused["error"]) == (False, "dispatch_failed")
        await play.studio.react("ben", draft, "rocket")
        await play.start_bot()
        await play.clips(2)
        await play.at_rest()
        assert len(play.bot.rows("select 1 from asks")) == len(await play.ledger()) == 2, "nothing is half made"


@pytest.mark.row("F83")
@pytest.mark.parametrize("when", ["sent", pytest.param("acked", marks=pytest.mark.storm)])
async def test_a_kill_around_the_answer_makes_neither_none_nor_two(tmp_path: Path, when: str) -> None:
    """The reaction is answered for or comes again: one final in any case, and one charge for it."""
    async with stage(tmp_path, mode="http", sandbox={"retry_schedule": [0.1, 3, 3, 3, 3]}) as play:
        draft = await drafted(play)
        await play.studio.fault("slack:envelope", "do", "kill", match={"type": "events_api"}, when=when)
        await play.studio.react("ben", draft, "rocket")
        assert await play.bot.gone() == -9
        await play.start_bot()
        await play.clips(2)
        await play.at_rest()
        assert len(await play.ledger()) == 2


@pytest.mark.row("F10")
@pytest.mark.parametrize("minutes", [-4, 4])
async def test_clocks_four_minutes_apart_are_near_enough(tmp_path: Path, minutes: int) -> None:
    async with stage(tmp_path, mode="http") as play:
        await clocks_apart(play, 60 * minutes)
        assert (await play.studio.slash("maya", "/clip help"))["acked"]


@pytest.mark.row("F10")
@pytest.mark.parametrize("minutes", [pytest.param(-6, marks=pytest.mark.storm), 6])
async def test_clocks_six_minutes_apart_are_named_in_the_log(tmp_path: Path, minutes: int) -> None:
    async with stage(tmp_path, mode="http") as play:
        await clocks_apart(play, 60 * minutes)
        answer = await play.studio.slash("maya", "/clip a red panda surfing")
        assert (answer["acked"], answer["error"]) == (False, "dispatch_failed")
        assert '"why": "clock"' in play.bot.log()
        assert play.bot.rows("select * from jobs") == []


async def test_while_slack_is_away_the_door_asks_to_come_again(tmp_path: Path) -> None:
    """The bot does not know yet who it is: what Slack signed is neither lost nor half done."""
    async with stage(tmp_path, mode="http", start=False) as play:
        await play.studio.fault("slack:auth.test", "before", "status", status=503, times=-1)
        await play.bot.start()
        origin = await play.bot.origin()
        await play.studio.configure(delivery={"mode": "http", "url": f"{origin}/slack/events"})
        await play.studio.post("/verify_url")
        early = await play.studio.slash("maya", "/clip a red panda surfing")
        assert (early["acked"], early["error"]) == (False, "dispatch_failed")
        await play.studio.heal()
        await play.reached(origin, within=40)
        assert (await play.studio.slash("maya", "/clip a red panda surfing"))["acked"]
        assert len(await play.clips(1)) == 1


async def test_a_stop_ends_within_ten_seconds_and_keeps_what_was_answered(tmp_path: Path) -> None:
    async with stage(tmp_path, mode="http") as play:
        asked = asyncio.create_task(play.studio.slash("maya", "/clip a red panda surfing"))
        await play.until_rows("select 1 from asks")
        async with asyncio.timeout(10):
            assert await play.bot.terminate() == 0
        assert (await asked)["acked"]
        await play.start_bot()
        assert len(await play.clips(1)) == 1


async def drafted(play: Stage) -> Json:
    """One clip in its thread."""
    assert (await play.studio.slash("maya", "/clip a red panda surfing"))["acked"]
    (draft,) = await play.clips(1)
    return draft


@contextlib.contextmanager
def frozen(play: Stage) -> Iterator[None]:
    """The bot stands still for the block."""
    os.kill(play.bot.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(play.bot.pid, signal.SIGCONT)


@contextlib.contextmanager
def locked(play: Stage) -> Iterator[None]:
    """Nobody else can write the bot's database for the block."""
    with contextlib.closing(sqlite3.connect(play.bot.database, isolation_level=None)) as connection:
        connection.execute("begin immediate")
        yield
        connection.execute("rollback")


def web_app(handler: Handler) -> web.Application:
    """An app with one door."""
    application = web.Application()
    application.router.add_post("/slack/events", handler)
    return application


def retries(state: Json) -> int:
    """How many deliveries were repetitions."""
    return len([one for one in state["envelopes"] if one["retry_attempt"]])


async def clocks_apart(play: Stage, seconds: float) -> None:
    """Slack's clock is that much ahead of the bot's."""
    delivery = (await play.studio.configure())["delivery"]
    await play.studio.configure(delivery={**delivery, "clock_ahead": seconds})
