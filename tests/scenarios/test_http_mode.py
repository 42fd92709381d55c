"""Slack over signed HTTP: what is special to it. The story and its rules are the same as over Socket Mode, and run in
both."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

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


async def test_a_button_works(tmp_path: Path) -> None:
    async with stage(tmp_path, mode="http", CONFIRM_ABOVE_USD="0.5") as play:
        await play.studio.slash("maya", "/clip a red panda surfing --takes 2")
        card = await play.card("a red panda surfing")
        pressed = await play.studio.click("maya", card, "clip.confirm")
        assert pressed["acked"], pressed
        assert len(await play.clips(2)) == 2


@pytest.mark.parametrize(
    ("fault", "more"), [("duplicate", {"times": 4}), ("lose_first", {}), ("delay", {"seconds": 0.5})]
)
async def test_an_event_that_comes_often_late_or_only_again_has_one_effect(
    tmp_path: Path, fault: str, more: Json
) -> None:
    async with stage(tmp_path, mode="http") as play:
        draft = await drafted(play)
        await play.studio.fault("slack:event", "do", fault, match={"reaction": "rocket"}, **more)
        await play.studio.react("ben", draft, "rocket")
        await play.clips(2)
        await play.at_rest()
        assert len(await play.clip_messages()) == 2
        assert len(await play.ledger()) == 2


async def test_a_repeated_event_says_so_and_counts_once(tmp_path: Path) -> None:
    """The answer comes too late for Slack, which sends the event again with its number and its reason."""
    quick = {"ack_timeout": 0.4, "retry_schedule": [0, 0.3, 0.6]}
    async with stage(tmp_path, mode="http", sandbox=quick) as play:
        draft = await drafted(play)
        with frozen(play):
            await play.studio.react("ben", draft, "rocket")
            await play.studio.wait_until(lambda state: retries(state) >= 2 or None, what="Slack sends it again")
        await play.clips(2)
        await play.at_rest()
        assert len(await play.ledger()) == 2


async def test_events_while_the_bot_is_down_come_when_it_is_back(tmp_path: Path) -> None:
    async with stage(tmp_path, mode="http", sandbox={"retry_schedule": [0.1, 3, 3, 3, 3]}) as play:
        draft = await drafted(play)
        await play.bot.kill()
        refused = await play.studio.slash("maya", "/clip while nobody is there")
        assert (refused["acked"], refused["error"]) == (False, "dispatch_failed")
        await play.studio.react("ben", draft, "rocket")
        await play.start_bot()
        await play.clips(2)


@pytest.mark.parametrize("when", ["sent", "acked"])
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


@pytest.mark.parametrize("minutes", [-4, 4])
async def test_clocks_four_minutes_apart_are_near_enough(tmp_path: Path, minutes: int) -> None:
    async with stage(tmp_path, mode="http") as play:
        await clocks_apart(play, 60 * minutes)
        assert (await play.studio.slash("maya", "/clip help"))["acked"]


@pytest.mark.parametrize("minutes", [-6, 6])
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


def retries(state: Json) -> int:
    """How many deliveries were repetitions."""
    return len([one for one in state["envelopes"] if one["retry_attempt"]])


async def clocks_apart(play: Stage, seconds: float) -> None:
    """Slack's clock is that much ahead of the bot's."""
    delivery = (await play.studio.configure())["delivery"]
    await play.studio.configure(delivery={**delivery, "clock_ahead": seconds})
