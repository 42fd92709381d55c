"""Money: caps under concurrency, the question above the limit, prices that spend nothing.

The tests that share a bot each have people and prompts of their own, and so a day's allowance of their own.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.sandbox.driver import CHANNEL, Json, buttons
from tests.scenarios.bot import UNHURRIED_SECONDS, Stage
from tests.scenarios.conftest import HTTP_IN_THE_STORM, MakeStage
from tests.scenarios.rush import AFFORDABLE as AFFORDABLE_IN_A_RUSH
from tests.scenarios.rush import (
    CAPS,
    OTHER_CHANNEL,
    PROMPT,
    arrive,
    end_of_period,
    nobody_is_over_their_own,
    renewal,
    rush,
    the_answers_are_right,
)
from tests.scenarios.threads import DRAFT, card_says, clips_of, draft, jobs_of, money_of, reply_card

pytestmark = [HTTP_IN_THE_STORM, pytest.mark.asyncio(loop_scope="module")]

ASKS = 30
AFFORDABLE = 7
CAP_USD = "2.30"
"""Seven drafts are $2.24; six cents are left of it."""

OF_WHOM = {
    "BUDGET_USER_DAY_USD": "you for the day",
    "BUDGET_CHANNEL_MONTH_USD": "this channel for the month",
    "BUDGET_WORKSPACE_MONTH_USD": "this workspace for the month",
}
"""How a refusal names each cap."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def play(stage: MakeStage, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Everybody may spend a dollar a day; a draft of two takes is asked about, a final is not."""
    place: Path = tmp_path_factory.mktemp("caps")
    async with stage(place, BUDGET_USER_DAY_USD="1.00", CONFIRM_ABOVE_USD="0.62", PROMOTE_UNDO_SECONDS="2") as made:
        await made.provider(fidelity="cached", render_seconds=[0.05, 0.1])
        yield made


@pytest.mark.row("F11")
@pytest.mark.parametrize(
    ("setting", "people", "channels"),
    [
        ("BUDGET_USER_DAY_USD", ("maya",), (CHANNEL, OTHER_CHANNEL)),
        pytest.param("BUDGET_CHANNEL_MONTH_USD", ("maya", "ben", "chloe"), (CHANNEL,), marks=pytest.mark.storm),
        pytest.param("BUDGET_WORKSPACE_MONTH_USD", ("maya", "ben"), (CHANNEL, OTHER_CHANNEL), marks=pytest.mark.storm),
    ],
)
async def test_of_thirty_asks_at_once_exactly_the_seven_that_fit_under_the_cap_are_made(
    stage: MakeStage, tmp_path: Path, setting: str, people: tuple[str, ...], channels: tuple[str, ...]
) -> None:
    async with stage(tmp_path, start=False, PROVIDER_CONCURRENCY="10") as play:
        await play.start_bot(**{setting: CAP_USD})
        await play.provider(fidelity="cached", render_seconds=[0.05, 0.1])
        await play.studio.configure(ack_timeout=UNHURRIED_SECONDS)

        texts = await asyncio.gather(
            *(
                until_taken(
                    play,
                    people[number % len(people)],
                    f"/clip a lighthouse, number {number}",
                    channel=channels[number % len(channels)],
                )
                for number in range(ASKS)
            )
        )

        refused = [text for text in texts if "Nothing was charged" in text]
        assert len(refused) == ASKS - AFFORDABLE, texts
        for text in refused:
            assert f"This would cost $0.32, and $0.06 of $2.30 is left for {OF_WHOM[setting]}." in text
            assert renewal(text) == end_of_period(text)
        await play.at_rest()
        standing = [clip for channel in channels for clip in await play.clip_messages(channel)]
        assert len(standing) == AFFORDABLE
        assert len(await play.ledger()) == AFFORDABLE
        await the_books_agree(play, "a lighthouse", clips=AFFORDABLE)


@pytest.mark.row("F11")
@pytest.mark.storm
@pytest.mark.timeout(180)
async def test_of_two_hundred_asks_by_twenty_people_at_once_thirty_seven_are_made(
    stage: MakeStage, tmp_path: Path
) -> None:
    """Whoever they are, and the books of both sides agree. ``test_two_processes`` does the same to two processes."""
    async with stage(
        tmp_path,
        # How soon so many are answered at once is the machine's affair; here only what the answers say counts.
        sandbox={"ack_timeout": 60.0},
        start=False,
        PROVIDER_CONCURRENCY="10",
    ) as play:
        await play.start_bot(**CAPS)
        await play.provider(fidelity="cached", render_seconds=[0.05, 0.1])
        await arrive(play)

        the_answers_are_right(await rush(play, asks=200))

        await play.at_rest(timeout=120)
        await the_books_agree(play, PROMPT, clips=AFFORDABLE_IN_A_RUSH)
        nobody_is_over_their_own(play.bot.rows("select person, settled_micro_usd from ledger"))


async def test_a_personal_cap_binds_that_person_only(play: Stage) -> None:
    """Ben has spent his day; Chloe's ask in the same channel goes on, and so does a price that spends nothing."""
    for _ in range(3):
        assert "is accepted" in said(await play.studio.slash("ben", "/clip a lighthouse"))
    assert "$0.04 of $1.00 is left" in said(await play.studio.slash("ben", "/clip one lighthouse more"))
    assert "is accepted" in said(await play.studio.slash("chloe", "/clip a lighthouse"))
    assert "Estimate: $0.32" in said(await play.studio.slash("ben", "/clip a lighthouse --estimate"))
    await play.at_rest("lighthouse")
    assert jobs_of(play, "one lighthouse more") == []
    await the_books_agree(play, "lighthouse", clips=4)


async def test_an_estimate_says_the_price_and_leaves_no_trace(play: Stage) -> None:
    await play.at_rest()
    await play.until_rows("select 1 where not exists (select 1 from asks where card_version < version)")
    before = await everything(play)
    text = said(await play.studio.slash("maya", "/clip rain on a window --takes 8 --dur 10 --estimate"))

    assert "$0.80 a take, $6.40 for 8 takes" in text
    assert "Confirm" in text
    assert "Nothing was ordered or charged" in text
    assert await everything(play) == before


async def test_above_the_limit_the_asker_alone_is_asked_and_pays_once_at_the_press(play: Stage) -> None:
    """Nothing is held before the press. A press by somebody else does nothing; two presses at once are one; a second
    question that no longer fits stays open, unpaid."""
    first = await confirmation(play, "maya", "a jetty")
    second = await confirmation(play, "maya", "a harbour")
    assert not any(money_of(play, "a jetty").values())

    await play.studio.click("ben", first, "clip.confirm")
    told = await play.ephemeral("ben", "may confirm")
    assert "Nothing was charged" in told["text"]
    assert not any(money_of(play, "a jetty").values())

    await asyncio.gather(*(play.studio.click("maya", first, "clip.confirm", stale=True) for _ in range(3)))
    await clips_of(play, first, 2)
    await play.at_rest("a jetty")
    assert money_of(play, "a jetty")["settled"] == 2 * DRAFT

    await play.studio.click("maya", second, "clip.confirm")
    told = await play.ephemeral("maya", "This would cost $0.64, and $0.36 of $1.00 is left for you for the day.")
    assert "Nothing was charged" in told["text"]
    card = await play.card("a harbour")
    assert "clip.confirm" in buttons(card)
    assert not any(money_of(play, "a harbour").values())
    await the_books_agree(play, "a jetty", clips=2)
    await the_books_agree(play, "a harbour", clips=0)


async def test_a_question_that_nobody_answers_in_time_ends_without_money(play: Stage) -> None:
    card = await confirmation(play, "chloe", "a pier")
    assert await play.bot.terminate() == 0
    ten_minutes_pass(play)
    await play.start_bot()

    ended = await card_says(play, card, "Nobody confirmed this in time. Nothing was charged.")
    assert "clip.confirm" not in buttons(ended)
    await play.studio.click("chloe", ended, "clip.confirm", stale=True)
    await play.ephemeral("chloe", "no longer possible")
    await play.at_rest("a pier")
    assert not any(money_of(play, "a pier").values())
    await the_books_agree(play, "a pier", clips=0)


async def test_money_that_is_gone_when_the_undo_window_closes_stops_the_promotion(play: Stage) -> None:
    """The final fitted when it was asked for. Before its window closes the money is spent on a draft."""
    clip = await draft(play, "a buoy", person="dev")
    await play.studio.react("dev", clip, "rocket")
    await reply_card(play, clip, "Final of #1")
    assert "is accepted" in said(await play.studio.slash("dev", "/clip a second buoy"))

    told = await play.ephemeral("dev", "the money no longer fitted under a spending cap")

    assert "Nothing was charged" in told["text"]
    await play.at_rest("buoy")
    assert [(job["state"], job["cost_micro_usd"]) for job in jobs_of(play, "a buoy")] == [
        ("delivered", DRAFT),
        ("failed", 0),
    ]
    await the_books_agree(play, "buoy", clips=2)


def said(answer: Json) -> str:
    """What the command was answered with, privately."""
    assert answer["acked"], answer
    assert answer["payload"]["response_type"] == "ephemeral"
    return str(answer["payload"]["text"])


async def until_taken(play: Stage, person: str, line: str, *, channel: str) -> str:
    """What the command is answered with. On a slow machine thirty at once may be too many to be written within Slack's
    three seconds: whoever is told so types it again, and the caps must hold all the same."""
    while "Try again in a minute" in (text := said(await play.studio.slash(person, line, channel=channel))):
        assert "nothing was accepted" in text
    return text


async def confirmation(play: Stage, person: str, prompt: str) -> Json:
    """Ask for two takes, which are above the limit; the card with the question."""
    text = said(await play.studio.slash(person, f"/clip {prompt} --takes 2"))
    assert "would cost $0.64" in text
    assert "Nothing is charged before that" in text
    card = await play.card(prompt)
    assert {"clip.confirm", "clip.cancel"} <= set(buttons(card))
    return card


def ten_minutes_pass(play: Stage) -> None:
    """The bot is stopped; the times that its questions end are moved instead of waiting for them."""
    with contextlib.closing(sqlite3.connect(play.bot.database)) as connection, connection:
        connection.execute("update asks set decide_by = datetime(decide_by, '-11 minutes')")
        connection.execute("update jobs set due_at = datetime(due_at, '-11 minutes')")


async def everything(play: Stage) -> Json:
    """All that an ask leaves behind once it is taken."""
    tables = {name: play.bot.rows(f"select * from {name}") for name in ("asks", "jobs", "ledger")}
    messages = [message["ts"] for message in await play.studio.messages()]
    return {**tables, "charges": await play.ledger(), "messages": messages}


async def the_books_agree(play: Stage, prompt: str, *, clips: int) -> None:
    """The provider's ledger and ours say the same of this prompt, task by task."""
    charges = [charge for charge in await play.ledger() if prompt in charge["prompt"]]
    assert len(charges) == clips
    money = money_of(play, prompt)
    assert money["held"] == 0
    assert money["settled"] == sum(charge["micro_usd"] for charge in charges)
    ours = {job["task_id"] for job in jobs_of(play, prompt)} - {None}
    assert ours == {charge["task_id"] for charge in charges}
