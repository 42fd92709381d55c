"""Rows F01 to F10 of the fault matrix, as far as they are not played elsewhere: what becomes of an ask around its
acceptance. `docs/fault-matrix.md` says which test plays which row."""

import asyncio
import itertools
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from tests.faults.acts import locked
from tests.faults.rig import Rig
from tests.sandbox.driver import CHANNEL, Json
from tests.scenarios.bot import stage
from tests.support import loopback
from tests.support.history import History
from tests.support.verdict import ACK_SECONDS

pytestmark = pytest.mark.timeout(300)

row, storm = pytest.mark.row, pytest.mark.storm


@pytest.mark.storm
@row("F01")
async def test_f01_a_kill_before_the_commit_leaves_nothing(rig: Rig) -> None:
    """Somebody else writes in the database, so that nothing can be committed before the bot dies."""
    await rig.start()
    await rig.arm("slack:envelope", "do", when="sent", after_ms=400, match={"type": "slash_commands"})
    with locked(rig):
        answer = await rig.ask("too early")
        await rig.died()
    assert not answer["acked"]
    await rig.start()
    assert [rig.bot.rows(f"select 1 from {table}") for table in ("asks", "jobs", "ledger", "inbox")] == [[]] * 4
    await rig.accepted("afterwards")
    await rig.delivered()


@row("F02")
async def test_f02_a_kill_between_the_commit_and_the_answer_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """The answer leaves the bot and never arrives: a proxy between Slack and the bot kills it instead of passing the
    answer on, which is the latest moment between the two."""
    async with stage(tmp_path, mode="http") as play:
        await play.provider(fidelity="cached")
        origin = await play.bot.origin()
        answers: list[int] = []

        async def instead(writer: asyncio.StreamWriter, asked: loopback.Asked) -> None:
            async with httpx.AsyncClient(trust_env=False) as http:
                taken = await http.request(
                    asked.method, f"{origin}{asked.target}", headers=dict(asked.headers), content=asked.body
                )
            answers.append(taken.status_code)
            await play.bot.kill()
            await loopback.reset(writer, asked)

        async with loopback.serving(instead) as proxy:
            await play.studio.configure(delivery={"mode": "http", "url": f"{proxy.origin}/slack/events"})
            answer = await play.studio.slash("maya", "/clip a red panda surfing")
        assert answers == [200]
        assert (answer["acked"], answer["error"]) == (False, "dispatch_failed")

        await play.start_bot()
        await play.clips(1)
        await play.at_rest()
        await play.card("*delivered*")
        (await History.read(play.studio, channel=CHANNEL, marker="red panda")).check(clips=1)
        assert play.sums()["held_micro_usd"] == 0


COMMANDS = 200
PLACES = 10
RUSHES = 3


@row("F09")
@storm
@pytest.mark.timeout(600)
async def test_f09_two_hundred_commands_in_a_second_are_answered_in_time_and_queue(rig: Rig) -> None:
    """Each is accepted, or told that it was not; what was accepted is made, and never more at once than there are
    places at the provider. In time is the best of three rushes: what a busy machine adds is not the bot's."""
    await rig.settings(render_seconds=[0.2, 0.3])
    plenty = dict.fromkeys(("BUDGET_WORKSPACE_MONTH_USD", "BUDGET_CHANNEL_MONTH_USD", "BUDGET_USER_DAY_USD"), "1000")
    await rig.start(HIAPI_CONCURRENCY=str(PLACES), MAX_RUNNING_PER_PERSON="100", CONFIRM_ABOVE_USD="9", **plenty)
    accepted = unheard = 0
    for _ in range(RUSHES):
        answers = await _rush(rig)
        heard = [answer for answer in answers if answer["acked"]]
        texts = [answer["payload"]["text"] for answer in heard]
        taken = sum("is accepted" in text for text in texts)
        assert taken + sum("nothing was accepted" in text for text in texts) == len(texts), texts
        accepted, unheard = accepted + taken, unheard + COMMANDS - len(heard)
        await rig.play.at_rest(timeout=200)
        if len(heard) == COMMANDS and max(answer["ack_seconds"] for answer in heard) < ACK_SECONDS:
            break
    else:
        pytest.fail(f"{unheard} commands of {RUSHES} rushes were not answered in time")

    # Of what Slack heard nothing in time, some may be on disk: they are made too (F02).
    await rig.ended(asks=accepted)
    asks = len(await rig.cards())
    assert asks <= accepted + unheard
    await rig.books_balance(await rig.check(clips=asks, asks=asks))
    assert await _most_at_once(rig) <= PLACES


async def _rush(rig: Rig) -> list[Json]:
    """So many commands within a second, and how each was taken."""
    people = itertools.cycle(("maya", "ben", "chloe"))

    async def ask(number: int) -> Json:
        await asyncio.sleep(number / COMMANDS)
        line = f"/clip a red panda {rig.marker} number {number}"
        return await rig.studio.slash(next(people), line, channel=rig.channel)

    return await asyncio.gather(*(ask(number) for number in range(COMMANDS)))


async def _most_at_once(rig: Rig) -> int:
    """So many of this case's tasks were at work at the provider at the same time."""
    tasks: Sequence[Json] = (await rig.studio.get("/providers/hiapi/tasks"))["tasks"]
    times = [(float(task["created"]), float(task["completed"])) for task in tasks if rig.marker in task["prompt"]]
    return max(sum(begun <= moment < ended for begun, ended in times) for moment, _ in times)
