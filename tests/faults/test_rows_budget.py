"""Rows F11 to F15 of the fault matrix, as far as they are not played elsewhere: what is held, and for how long.
`docs/fault-matrix.md` says which test plays which row."""

from datetime import timedelta

import pytest

from bot.domain.budget import Caps, OverCap
from bot.domain.lineage import Changes
from bot.services.answers import Taken
from storage.memory import MemoryStorage
from tests.faults.rig import Rig
from tests.support.clock import START
from tests.support.services import DRAFT, House
from tests.support.values import a_sender

pytestmark = pytest.mark.timeout(180)

row, storm = pytest.mark.row, pytest.mark.storm

NO_KEY = {"HIAPI_IDEMPOTENCY": "false"}


@row("F12")
@storm
async def test_f12_a_hold_found_after_a_kill_is_given_back_once(rig: Rig) -> None:
    """Killed with the money held and nothing ordered; then the order is refused. (That the hold of one that is taken
    is used once shows every kill between the two, in ``test_kill_matrix``.)"""
    await rig.start()
    await rig.arm("slack:chat.postMessage", "amid")
    await rig.accepted()
    await rig.died()
    assert rig.play.sums()["held_micro_usd"] == 320_000
    await rig.arm("hiapi:create", "before", "status", status=400)
    await rig.restart()
    card = await rig.says("*failed*")
    assert "Nothing was charged" in card.text
    await rig.books_balance(await rig.check(clips=0))
    assert rig.play.sums()["released_micro_usd"] == 320_000


@row("F14")
async def test_f14_a_clock_that_steps_over_midnight_and_back_makes_no_second_budget() -> None:
    """Two drafts a day fit. An hour forward it is tomorrow, an hour back today again: each day has its own two, and a
    hold stays where it was made."""
    house = House(storage=MemoryStorage())
    house.clock.step(START.replace(hour=23, minute=30))
    today, tomorrow = START.replace(hour=23, minute=40), START.replace(hour=23, minute=40) + timedelta(hours=1)

    async def ask(key: str) -> bool:
        intake = house.intake(caps=Caps(person_day_micro_usd=2 * DRAFT))
        try:
            return isinstance(await intake.draft(a_sender(key), "a red panda", Changes()), Taken)
        except OverCap:
            return False

    assert await ask("today, first")
    house.clock.step(tomorrow)
    assert [await ask(f"tomorrow, {number}") for number in range(3)] == [True, True, False]
    house.clock.step(today)
    assert [await ask(f"today again, {number}") for number in range(2)] == [True, False]
    house.clock.step(tomorrow)
    assert not await ask("tomorrow again")
    assert sum(held for *_, held in await house.held()) == 4 * DRAFT


@storm
@row("F15")
async def test_f15_what_an_uncertain_order_holds_cannot_be_spent_again(rig: Rig) -> None:
    """The cap has room for one draft. Its outcome is unknown, and so nobody gets its money before a person decides."""
    await rig.start(BUDGET_CHANNEL_MONTH_USD="0.40", **NO_KEY)
    await rig.arm("hiapi:create", "amid", "reset")
    await rig.accepted()
    await rig.says("*uncertain*")
    for _ in range(2):
        refused = await rig.accepted("another")
        assert "$0.08 of $0.40 is left for this channel for the month" in refused["payload"]["text"]
    await rig.bot.kill()
    await rig.start(BUDGET_CHANNEL_MONTH_USD="0.40", **NO_KEY)
    refused = await rig.accepted("another")
    assert "$0.08 of $0.40 is left for this channel for the month" in refused["payload"]["text"]
    await rig.check(clips=0, charges=1)
    assert rig.play.sums()["held_micro_usd"] == 320_000
