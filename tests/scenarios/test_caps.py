"""Money: caps under concurrency, the question above the limit, prices that spend nothing."""

import asyncio
import contextlib
import re
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.sandbox.driver import CHANNEL, Json, buttons
from tests.scenarios.bot import Stage, stage

DRAFT = 320_000
"""Micro-dollars of a draft: four seconds at $0.08."""

ASKS = 30
AFFORDABLE = 7
CAP_USD = "2.30"
"""Seven drafts are $2.24; six cents are left of it."""

OTHER_CHANNEL = "#dailies-two"
LEFT_OF_CAP = re.compile(
    r"\$0\.(\d\d) of \$(11\.90 is left for this workspace|9\.70 is left for this channel|1\.30 is left for you)"
)
"""Each refusal names one of the three caps, of which less than a draft's price is left."""
BUSY = "cannot reach its database just now"
RENEWAL = re.compile(r"renews <!date\^(\d+)\^")


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("setting", "people", "channels", "of_whom"),
    [
        ("BUDGET_USER_DAY_USD", ("maya",), (CHANNEL, OTHER_CHANNEL), "you for the day"),
        ("BUDGET_CHANNEL_MONTH_USD", ("maya", "ben", "chloe"), (CHANNEL,), "this channel for the month"),
        ("BUDGET_WORKSPACE_MONTH_USD", ("maya", "ben"), (CHANNEL, OTHER_CHANNEL), "this workspace for the month"),
    ],
)
async def test_of_thirty_asks_at_once_exactly_the_seven_that_fit_under_the_cap_are_made(
    tmp_path: Path, setting: str, people: tuple[str, ...], channels: tuple[str, ...], of_whom: str
) -> None:
    async with stage(tmp_path, start=False) as play:
        await play.start_bot(**{setting: CAP_USD, "PROVIDER_CONCURRENCY": "10"})
        await play.provider(fidelity="cached", render_seconds=[0.05, 0.1])

        answers = await asyncio.gather(
            *(
                play.studio.slash(
                    people[number % len(people)],
                    f"/clip a lighthouse, number {number}",
                    channel=channels[number % len(channels)],
                )
                for number in range(ASKS)
            )
        )

        texts = [said(answer) for answer in answers]
        refused = [text for text in texts if "Nothing was charged" in text]
        assert len(refused) == ASKS - AFFORDABLE, texts
        for text in refused:
            assert f"This would cost $0.32, and $0.06 of $2.30 is left for {of_whom}." in text
            assert renewal(text) == end_of_period(text)
        await play.at_rest()
        standing = [clip for channel in channels for clip in await play.clip_messages(channel)]
        assert len(standing) == AFFORDABLE
        await the_books_agree(play, clips=AFFORDABLE)


@pytest.mark.storm
@pytest.mark.timeout(180)
async def test_of_two_hundred_asks_by_twenty_people_at_once_thirty_seven_are_made(tmp_path: Path) -> None:
    """Three kinds of caps bind at once. Each of the twenty has money for four, the channels together for more than the
    workspace, the workspace for thirty-seven: that many are made, whoever they are, and the books of both sides agree.
    """
    people = [f"player{number}" for number in range(20)]
    channels = (CHANNEL, OTHER_CHANNEL)
    async with stage(
        tmp_path,
        # How soon so many are answered at once is the machine's affair; here only what the answers say counts.
        sandbox={"ack_timeout": 60.0},
        BUDGET_WORKSPACE_MONTH_USD="11.90",
        BUDGET_CHANNEL_MONTH_USD="9.70",
        BUDGET_USER_DAY_USD="1.30",
        PROVIDER_CONCURRENCY="10",
    ) as play:
        await play.provider(fidelity="cached", render_seconds=[0.05, 0.1])
        for person in people:
            await play.studio.post("/user", action="create", name=person)
            for channel in channels:
                await play.studio.post("/channel", action="join", channel=channel, user=person)
            assert (await play.studio.slash(person, "/clip-usage"))["acked"], "from now on the bot knows who this is"

        texts = await asyncio.gather(
            *(
                asked_until_answered(
                    play, people[number % 20], f"/clip a lighthouse, number {number}", channels[number // 20 % 2]
                )
                for number in range(200)
            )
        )

        accepted = [text for text in texts if "is accepted" in text]
        refused = [text for text in texts if "This would cost $0.32, and" in text]
        assert (len(accepted), len(refused)) == (37, 163), {text for text in texts if text not in refused}
        assert sum("$0.06 of $11.90 is left for this workspace for the month" in text for text in refused) > 0
        assert all(LEFT_OF_CAP.search(text) for text in refused)
        await play.at_rest(timeout=120)
        await the_books_agree(play, clips=37)
        spent: dict[str, int] = {}
        for row in play.bot.rows("select person, settled_micro_usd from ledger"):
            spent[row["person"]] = spent.get(row["person"], 0) + row["settled_micro_usd"]
        assert max(spent.values()) <= 4 * DRAFT


@pytest.mark.timeout(60)
async def test_a_personal_cap_binds_that_person_only(tmp_path: Path) -> None:
    """Maya has spent her day; Ben's ask in the same channel goes on, and so does a price that spends nothing."""
    async with stage(tmp_path, BUDGET_USER_DAY_USD="0.40") as play:
        await play.provider(fidelity="cached")
        assert "is accepted" in said(await play.studio.slash("maya", "/clip a lighthouse"))
        assert "$0.08 of $0.40 is left" in said(await play.studio.slash("maya", "/clip a second lighthouse"))
        assert "is accepted" in said(await play.studio.slash("ben", "/clip a third lighthouse"))
        assert "Estimate: $0.32" in said(await play.studio.slash("maya", "/clip a fourth lighthouse --estimate"))
        await play.at_rest()
        await the_books_agree(play, clips=2)


@pytest.mark.timeout(60)
async def test_an_estimate_says_the_price_and_leaves_no_trace(tmp_path: Path) -> None:
    async with stage(tmp_path, BUDGET_USER_DAY_USD="0.01") as play:
        text = said(await play.studio.slash("maya", "/clip rain on a window --takes 8 --dur 10 --estimate"))

        assert "$0.80 a take, $6.40 for 8 takes" in text
        assert "Confirm" in text
        assert "Nothing was ordered or charged" in text
        assert play.bot.rows("select * from jobs") == play.bot.rows("select * from asks") == []
        assert play.bot.rows("select * from ledger") == []
        assert await play.ledger() == []
        assert await play.studio.messages() == []


@pytest.mark.timeout(90)
async def test_above_the_limit_the_asker_alone_is_asked_and_pays_once_at_the_press(tmp_path: Path) -> None:
    """Nothing is held before the press. A press by somebody else does nothing; two presses at once are one; a second
    question that no longer fits stays open, unpaid."""
    async with stage(tmp_path, CONFIRM_ABOVE_USD="0.5", BUDGET_USER_DAY_USD="1.00") as play:
        await play.provider(fidelity="cached")
        first = await confirmation(play, "a lighthouse")
        second = await confirmation(play, "a harbour")
        assert play.bot.rows("select * from ledger") == []

        await play.studio.click("ben", first, "clip.confirm")
        told = await play.ephemeral("ben", "may confirm")
        assert "Nothing was charged" in told["text"]
        assert play.bot.rows("select * from ledger") == []

        await asyncio.gather(*(play.studio.click("maya", first, "clip.confirm", stale=True) for _ in range(3)))
        await play.clips(2)
        assert play.sums()["settled_micro_usd"] == 2 * DRAFT

        await play.studio.click("maya", second, "clip.confirm")
        told = await play.ephemeral("maya", "This would cost $0.64, and $0.36 of $1.00 is left for you for the day.")
        assert "Nothing was charged" in told["text"]
        card = await play.card("a harbour")
        assert "clip.confirm" in buttons(card)
        await the_books_agree(play, clips=2)


@pytest.mark.timeout(90)
async def test_a_question_that_nobody_answers_in_time_ends_without_money(tmp_path: Path) -> None:
    async with stage(tmp_path, CONFIRM_ABOVE_USD="0.5") as play:
        card = await confirmation(play, "a lighthouse")
        assert await play.bot.terminate() == 0
        ten_minutes_pass(play)
        await play.start_bot()

        ended = await play.card("Nobody confirmed this in time. Nothing was charged.")
        assert ended["ts"] == card["ts"]
        assert "clip.confirm" not in buttons(ended)
        await play.studio.click("maya", ended, "clip.confirm", stale=True)
        await play.ephemeral("maya", "no longer possible")
        await play.at_rest()
        assert play.bot.rows("select * from ledger") == []
        assert await play.ledger() == []


@pytest.mark.timeout(90)
async def test_money_that_is_gone_when_the_undo_window_closes_stops_the_promotion(tmp_path: Path) -> None:
    """The final fitted when it was asked for. Before its window closes the money is spent on a draft."""
    async with stage(tmp_path, BUDGET_USER_DAY_USD="1.00", PROMOTE_UNDO_SECONDS="3") as play:
        await play.provider(fidelity="cached")
        await play.studio.slash("maya", "/clip a lighthouse")
        (draft,) = await play.clips(1)
        await play.studio.react("maya", draft, "rocket")
        await play.card("Final of #1")
        await play.studio.slash("maya", "/clip a harbour")

        told = await play.ephemeral("maya", "the money no longer fitted under a spending cap")

        assert "Nothing was charged" in told["text"]
        await play.at_rest()
        (final,) = play.bot.rows("select state, cost_micro_usd from jobs where number = 2")
        assert final == {"state": "failed", "cost_micro_usd": 0}
        await the_books_agree(play, clips=2)


async def asked_until_answered(play: Stage, person: str, line: str, channel: str) -> str:
    """What the command was answered with; when the bot is too busy to take it, it is sent again, as people are told."""
    while BUSY in (text := said(await play.studio.slash(person, line, channel=channel))):
        assert "nothing was accepted" in text
    return text


def said(answer: Json) -> str:
    """What the command was answered with, privately."""
    assert answer["acked"], answer
    assert answer["payload"]["response_type"] == "ephemeral"
    return str(answer["payload"]["text"])


def renewal(text: str) -> datetime:
    """When the refusal says that the cap renews."""
    found = RENEWAL.search(text)
    assert found, text
    return datetime.fromtimestamp(int(found[1]), UTC)


def end_of_period(text: str) -> datetime:
    """When the period that the refusal speaks of ends."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if "for the day" in text:
        return midnight + timedelta(days=1)
    return (midnight.replace(day=1) + timedelta(days=32)).replace(day=1)


async def confirmation(play: Stage, prompt: str) -> Json:
    """Ask for two takes, which are above the limit; the card with the question."""
    text = said(await play.studio.slash("maya", f"/clip {prompt} --takes 2"))
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


async def the_books_agree(play: Stage, *, clips: int) -> None:
    """The provider's ledger and ours say the same, task by task."""
    charges = await play.ledger()
    assert len(charges) == clips
    assert play.sums()["held_micro_usd"] == 0
    assert play.sums()["settled_micro_usd"] == sum(charge["micro_usd"] for charge in charges)
    ours = {row["task_id"] for row in play.bot.rows("select task_id from jobs where task_id is not null")}
    assert ours == {charge["task_id"] for charge in charges}
