"""The figures, by every door: Slack, the command line, the audit. They agree with one another and, to the micro-dollar,
with what the provider says it charged."""

import asyncio
import csv
import io
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.sandbox.driver import Json
from tests.scenarios.bot import Stage
from tests.scenarios.conftest import HTTP_IN_THE_STORM, MakeStage

CHANNEL = "C0DAILIES1"
"""The channel's id in the pretend workspace."""

DRAFT, FINAL = 320_000, 600_000
"""Micro-dollars that are held for four seconds at 480p and at 720p."""

BILLED = 1.5
"""So many times that is what the provider takes, once it has changed its prices."""

SPENT = 2 * DRAFT + 480_000 + 900_000
"""Two drafts at the price, one draft and a final at half as much again; the failed one was given back."""


@HTTP_IN_THE_STORM
@pytest.mark.timeout(90)
async def test_every_door_to_the_figures_agrees_with_the_provider(stage: MakeStage, tmp_path: Path) -> None:
    async with stage(tmp_path, BUDGET_CHANNEL_MONTH_USD="5") as play:
        await a_days_work(play)
        charges = await play.ledger()
        assert sum(charge["micro_usd"] for charge in charges) == SPENT
        await the_command_line_agrees(play)
        await the_audit_agrees(play, charges)
        await slack_agrees(play)


async def a_days_work(play: Stage) -> None:
    """Two drafts at the known price; then the provider bills more and says so at once: a draft, one that fails and is
    given back, and a final."""
    await play.provider(fidelity="cached")
    await play.studio.slash("maya", "/clip a lantern --takes 2")
    await play.clips(2)
    await play.provider(bills=BILLED, tells_cost="order")
    await play.studio.fault("hiapi:outcome", "do", "fail", match={"prompt": "a cliff"})
    await play.studio.slash("ben", "/clip a cliff")
    await play.studio.slash("maya", "/clip a lamp")
    lantern = (await play.clips(3))[0]
    await play.studio.say("ben", "promote #1", thread=lantern)
    await play.clips(4)
    await play.at_rest()


async def the_command_line_agrees(play: Stage) -> None:
    as_json, as_csv, text = await asyncio.gather(
        play.bot.command("usage", "--json"), play.bot.command("usage", "--csv"), play.bot.command("usage")
    )
    rows: list[Json] = json.loads(as_json[1])
    maya, ben = await play.person_id("maya"), await play.person_id("ben")
    assert {(row["person"], row["stage"]): (row["clips"], row["settled_micro_usd"]) for row in rows} == {
        (maya, "draft"): (3, 2 * DRAFT + 480_000),
        (ben, "draft"): (0, 0),
        (ben, "final"): (1, 900_000),
    }
    assert {row["held_micro_usd"] for row in rows} == {0}
    assert sum(row["released_micro_usd"] for row in rows) == DRAFT, "the hold of the one that failed"
    assert sum(row["as_final_micro_usd"] for row in rows) == 3 * FINAL
    table = list(csv.DictReader(io.StringIO(as_csv[1])))
    assert table == [{name: str(value) for name, value in row.items()} for row in rows]
    assert "Drafting first saved nothing: it cost $0.22 more" in text[1]
    assert f"$2.98  $5.00  channel for the month: {CHANNEL}" in text[1]


async def the_audit_agrees(play: Stage, charges: list[Json]) -> None:
    """The last word on each task is what the provider's ledger has."""
    month = f"{datetime.now(UTC):%Y-%m}"
    code, out, err = await play.bot.command("audit", "--json", "--limit", "1000", "--month", month)
    assert (code, err) == (0, "")
    lines: list[Json] = json.loads(out)
    last = {line["task_id"]: line for line in lines if line["act"] in {"charged", "released"}}
    assert {task: line["micro_usd"] for task, line in last.items() if line["act"] == "charged"} == {
        charge["task_id"]: charge["micro_usd"] for charge in charges
    }
    (failed,) = [line for line in last.values() if line["act"] == "released"]
    assert [line["act"] for line in lines if line["task_id"] == failed["task_id"]] == ["ordered", "charged", "released"]
    assert Counter(line["act"] for line in lines) == {
        "asked": 3,
        "promoted": 1,
        "ordered": 5,
        "charged": 5,
        "released": 1,
    }
    assert {line["person"] for line in lines if line["act"] == "promoted"} == {await play.person_id("ben")}
    assert {line["channel"] for line in lines} == {CHANNEL}
    costs = {row["task_id"]: row["cost_micro_usd"] for row in play.bot.rows("select task_id, cost_micro_usd from jobs")}
    assert costs == {charge["task_id"]: charge["micro_usd"] for charge in charges} | {failed["task_id"]: 0}


async def slack_agrees(play: Stage) -> None:
    """A maker reads the channel and their own part, an admin the workspace by person, a guest their own part alone."""
    maya, ben = await play.person_id("maya"), await play.person_id("ben")
    assert (await play.studio.slash("ben", "/clip-usage"))["acked"]
    maker = (await play.ephemeral("ben", "spent on 4 clips"))["text"]
    assert maker.startswith(f"*<#{CHANNEL}> in 2")
    assert ": $2.02 spent on 4 clips\nYours in all channels: $0.90 spent on 1 clip" in maker
    assert "• $2.98 of $5.00 for this channel for the month; renews" in maker
    assert "it cost $0.22 more than rendering every take as a final" in maker
    assert f"<@{maya}>" not in maker

    await play.studio.slash("maya", "/clip usage")
    admin = (await play.ephemeral("maya", "This workspace"))["text"]
    assert f"• <@{maya}>: $1.12 spent on 3 clips\n• <@{ben}>: $0.90 spent on 1 clip" in admin

    await play.studio.slash("gus", "/clip-usage")
    assert "spent or held by you" in (await play.ephemeral("gus", "Only your own part"))["text"]
    await play.studio.slash("ben", "/clip-usage 2020-02")
    await play.ephemeral("ben", f"Nothing was spent or held in <#{CHANNEL}> in 2020-02.")
    await play.studio.slash("ben", "/clip-usage november")
    assert "such as 2026-11" in (await play.ephemeral("ben", "“november” is no month"))["text"]
    assert len(await play.ledger()) == 4, "asking about money costs none"
