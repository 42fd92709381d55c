"""SIGKILL before, amid and after every call of the main path: one charge, one clip, one card, whatever was lost.

The emulators hold the bot's pid and pull the trigger: before they process a call, after processing it without an
answer, or some milliseconds after the answer. Then the bot is started again on the same files.
"""

from itertools import product

import pytest

from tests.faults.conftest import Perform
from tests.faults.kills import MOMENTS, POINTS, every_kill
from tests.faults.rig import PROVIDERS, Rig
from tests.support.storm import FIRST_PROGRESS_SECONDS

pytestmark = pytest.mark.timeout(180)

EVERY_RUN = frozenset(
    {
        *product(["hiapi"], ["create"], ["before", "amid", "after 0 ms"]),
        ("muapi", "create", "amid"),
        ("seedanceapi", "download", "amid"),
        ("empiriolabs", "slack:chat.postMessage", "amid"),
        ("seedanceapi", "slack:upload", "amid"),
        ("hiapi", "slack:files.completeUploadExternal", "amid"),
        ("apimart", "slack:files.completeUploadExternal", "after 0 ms"),
    }
)
"""Amid a call is where the two sides know different things: that is in every run for each kind of call that can be lost
or doubled. So are three moments of the call that costs money, and the moment after the clip stands. The others are in
the storm."""

EVERY_KILL = {script.name: script for script in every_kill()}


@pytest.mark.row("F12", "F22", "F23", "F24")
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if tuple(name.split(", ")) in EVERY_RUN else pytest.mark.storm)
        for name in EVERY_KILL
    ],
)
async def test_a_kill_around_any_call_costs_nothing(perform: Perform, name: str) -> None:
    await perform(EVERY_KILL[name])


def test_the_matrix_is_whole() -> None:
    whole = {(*cell,) for cell in product(PROVIDERS, POINTS, MOMENTS)}
    assert len(whole) == 315
    assert {tuple(name.split(", ")) for name in EVERY_KILL} >= whole >= EVERY_RUN


@pytest.mark.storm
async def test_a_kill_at_half_of_the_uploaded_bytes_costs_nothing(rig: Rig) -> None:
    await _killed_once(rig, "slack:upload", "amid_request")


@pytest.mark.row("F01", "F02")
@pytest.mark.parametrize("after_ms", [0, *(pytest.param(ms, marks=pytest.mark.storm) for ms in (20, 60))])
async def test_a_kill_before_the_ack_leaves_a_whole_ask_or_none(rig: Rig, after_ms: int) -> None:
    """The command is on the wire; whether the bot lives to commit it is a race, and both ends of it are honest."""
    await rig.studio.configure(ack_timeout=0.5)
    await rig.start()
    await rig.arm("slack:envelope", "do", when="sent", after_ms=after_ms, match={"type": "slash_commands"})
    answer = await rig.ask()
    await rig.died()
    await rig.start()
    if rig.bot.rows("select id from asks"):
        await rig.delivered()
    else:
        assert not answer["acked"], "an ask that is not on disk was accepted"
        history = await rig.history()
        assert (history.cards, history.clips, history.charges) == ((), (), ())


@pytest.mark.row("F12")
@pytest.mark.storm
@pytest.mark.parametrize("after_ms", [0, 5, 20])
async def test_a_kill_after_the_ack_loses_nothing(rig: Rig, after_ms: int) -> None:
    await rig.start()
    await rig.arm("slack:envelope", "do", when="acked", after_ms=after_ms, match={"type": "slash_commands"})
    await rig.accepted()
    await rig.died()
    await rig.restart()
    await rig.delivered()


async def test_unfinished_work_goes_on_within_two_seconds_of_a_start(rig: Rig) -> None:
    """The best of three starts: what a busy machine adds is not the bot's."""
    await rig.start()
    await rig.arm("hiapi:outcome", "do", "never_ends")
    await rig.accepted()
    await rig.charged()
    waits = []
    for _ in range(3):
        await rig.bot.kill()
        waits.append(await rig.restart())
    assert min(waits) <= FIRST_PROGRESS_SECONDS


async def _killed_once(rig: Rig, point: str, phase: str, **action: float) -> None:
    await rig.start()
    await rig.arm(point, phase, **action)
    await rig.ask()
    await rig.died()
    await rig.restart()
    await rig.delivered()
