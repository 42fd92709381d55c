"""A price that its provider does not publish is marked wherever it is told: in refusals, in figures, in the audit, in
what admins are told, and where a second charge is warned of."""

import json
from dataclasses import replace

import pytest

from bot.domain.announcement import Announcement, Topic
from bot.domain.audit import Act
from bot.domain.budget import Caps, OverCap, Stage, UsageRow
from bot.domain.figures import breakdown, summed
from bot.domain.job import State
from bot.domain.lineage import Changes
from bot.domain.statement import Statement, View
from bot.ports import Transaction
from bot.services.answers import Taken
from bot.services.holds import hold, see_still_fits, tell_of_cost
from bot.services.policy import Policy
from handlers.blocks.announcements import announcement
from handlers.blocks.answers import explain_error
from handlers.blocks.card import card
from handlers.blocks.states import explain
from handlers.blocks.usage import statement_message
from storage import MemoryStorage
from tests.support.services import House
from tests.support.values import PRICE, a_card, a_job, a_sender, at

pytestmark = pytest.mark.jobs_set_by_hand(reason="jobs are put in the state that is spoken of")

UNKNOWN = "(assumed: HiAPI publishes no price)"


@pytest.fixture
def house() -> House:
    """Whose provider publishes no price."""
    return House(storage=MemoryStorage(), rates={})


async def test_a_refusal_marks_it(house: House) -> None:
    tight = house.intake(caps=Caps(person_day_micro_usd=1))
    with pytest.raises(OverCap) as at_once:
        await tight.draft(a_sender("at once"), "a red panda", Changes())
    with pytest.raises(OverCap) as gated:
        await house.intake(caps=Caps(person_day_micro_usd=1), confirm_above_micro_usd=0).draft(
            a_sender("gated"), "a red panda", Changes()
        )
    for caught in (at_once, gated):
        assert "at an assumed price, and $0.00 of" in str(caught.value)
        assert "at an assumed price" in explain_error(caught.value, reference="r").text


async def test_a_refusal_before_the_order_marks_it() -> None:
    job, policy = a_job(price_assumed=True), Policy(caps=Caps(person_day_micro_usd=1))
    async with MemoryStorage().begin() as tx:
        await hold(tx, [job], Policy(), at())
        with pytest.raises(OverCap, match="at an assumed price"):
            await see_still_fits(tx, job, policy, at())
        await tx.ledger.release("T1", job.id, 1, at())


async def test_a_published_price_is_not_marked() -> None:
    house = House(storage=MemoryStorage())
    with pytest.raises(OverCap) as caught:
        await house.intake(caps=Caps(person_day_micro_usd=1)).draft(a_sender(), "a red panda", Changes())
    assert "assumed" not in str(caught.value)


async def test_the_audit_marks_it(house: House) -> None:
    taken = await house.intake(confirm_above_micro_usd=0).draft(a_sender("ask"), "a red panda", Changes())
    assert isinstance(taken, Taken)
    await house.presses().confirm(a_sender("press"), taken.ask.id)
    lines = await house.audit()
    assert [(line.act, line.price_assumed) for line in lines] == [(Act.ASKED, True), (Act.CONFIRMED, True)]


async def test_an_order_again_is_marked(house: House) -> None:
    job = await house.uncertain()
    await house.presses().order_again(a_sender("press"), job.id)
    assert [line.price_assumed for line in await house.audit() if line.act is Act.ORDERED_AGAIN] == [True]


def row(**changes: int) -> UsageRow:
    """A draft at its assumed price."""
    usage = UsageRow(
        workspace="T1",
        month="2026-11",
        channel="C1",
        person="U1",
        provider="hiapi",
        tier="mini",
        stage=Stage.DRAFT,
        held_micro_usd=0,
        settled_micro_usd=PRICE,
        released_micro_usd=0,
        assumed_micro_usd=PRICE,
        clips=1,
        as_final_micro_usd=2 * PRICE,
        compared_micro_usd=PRICE,
        compared_clips=1,
    )
    return replace(usage, **changes)  # type: ignore[arg-type]


def test_figures_in_slack_mark_it() -> None:
    rows = [row(), row(settled_micro_usd=2 * PRICE, assumed_micro_usd=0)]
    statement = Statement(
        month="2026-11",
        current=True,
        view=View.CHANNEL,
        channel="C1",
        person="U1",
        figures=breakdown(rows),
        own=summed(rows),
        balances=(),
    )
    lines = statement_message(statement).text.splitlines()
    assert lines[0] == "*<#C1> in 2026-11*: $0.96 spent on 2 clips ($0.32 of it at assumed prices)"
    assert any(line.endswith("Some of the prices are assumed.") for line in lines)


def test_a_second_charge_is_warned_of_with_its_mark() -> None:
    words = explain(a_job(State.UNCERTAIN, price_assumed=True))
    assert f"may charge $0.32 {UNKNOWN} a second time" in words
    assert UNKNOWN not in explain(a_job(State.UNCERTAIN))


def test_the_question_before_a_second_order_has_the_mark_too() -> None:
    for assumed in (True, False):
        uncertain = a_job(State.UNCERTAIN, price_assumed=assumed)
        asked = json.dumps(card(a_card(jobs=[uncertain])).blocks)
        assert (f"A second one may charge $0.32 {UNKNOWN} a second time" in asked) is assumed


async def news_of(tx: Transaction) -> list[Announcement]:
    ownership = await tx.leases.register("process-1", at(), at(60), alone=True)
    return await tx.announcements.claim(ownership, 10, at())


async def test_news_of_a_cap_and_of_an_overbilling_mark_it() -> None:
    policy = Policy(caps=Caps(person_day_micro_usd=PRICE))
    job = a_job(price_assumed=True)
    async with MemoryStorage().begin() as tx:
        await hold(tx, [job], policy, at())
        (near,) = await news_of(tx)
        await tx.ledger.settle("T1", job.id, 1, 2 * PRICE, at(1))
        await tell_of_cost(tx, job, 2 * PRICE, Policy())
        (overbilled,) = [news for news in await news_of(tx) if news.topic is Topic.OVERBILLED]
    assert "$0.32 of $0.32 ($0.32 of it at assumed prices)" in announcement(near).text
    assert f"which was held at $0.32 {UNKNOWN}" in announcement(overbilled).text
