"""Caps under a rush: many asks at once, by processes of their own, on every database.

Each person asks in one channel, and a cap of each kind binds somewhere. Whatever the order in which asks are written,
the same number of them fits: there is room for 37.
"""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from bot.domain.budget import Caps, Scope, caps_on
from bot.domain.job import State
from bot.domain.pricing import dollars
from storage import open_storage
from tests.support.books import check_database
from tests.support.clock import START
from tests.support.counter import Rush
from tests.support.values import PRICE

ROOT = Path(__file__).resolve().parents[2]

PEOPLE = {
    f"U{number:02}": channel
    for number, channel in enumerate(["C1"] * 2 + ["C2"] * 4 + ["C3"] * 6 + ["C4"] * 8, start=1)
}
"""Two people share C1, four C2, six C3 and eight C4."""

MANY = 10
RUSHES = [4, pytest.param(MANY, marks=pytest.mark.storm)]
"""How many asks each person has: more than fit, and many more."""

LEFT = {Scope.PERSON_DAY.value: 70_000, Scope.CHANNEL_MONTH.value: 100_000, Scope.WORKSPACE_MONTH.value: 123_456}
"""What is left under a cap when it is full: less than any clip costs, and of each kind another amount."""

CAPS = Caps(
    person_day_micro_usd=3 * PRICE + LEFT["person_day"],  # C1: six clips of its two people
    channel_month_micro_usd=11 * PRICE + LEFT["channel_month"],  # C2, C3, C4: eleven each
    workspace_month_micro_usd=37 * PRICE + LEFT["workspace_month"],  # of those 39
)


async def rush(url: str, *, each: int, processes: int) -> list[dict[str, Any]]:
    """All asks at once, dealt out to so many processes; their answers."""
    asks = [(person, channel) for _ in range(each) for person, channel in PEOPLE.items()]
    crowd = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.support.counter"), stdin=PIPE, stdout=PIPE, limit=2**20, cwd=ROOT
        )
        for _ in range(processes)
    ]
    try:
        for number, process in enumerate(crowd):
            share = tuple(asks[number::processes])
            await _say(process, Rush(url=url, caps=CAPS, asks=share).text())
        assert [await _hear(process) for process in crowd] == ["ready"] * processes
        for process in crowd:
            await _say(process, "go")
        answers = [json.loads(await _hear(process)) for process in crowd]
        assert [await process.wait() for process in crowd] == [0] * processes
    finally:
        for process in crowd:
            if process.returncode is None:
                process.kill()
                await process.wait()
    return [answer for share in answers for answer in share]


async def _say(process: Process, line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n".encode())
    await process.stdin.drain()


async def _hear(process: Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(100):
        return (await process.stdout.readline()).decode().strip()


@pytest.mark.timeout(150)  # a crowd on a machine that does other things too
@pytest.mark.parametrize("each", RUSHES)
@pytest.mark.parametrize("url", ["sqlite", "postgres"], indirect=True)
async def test_of_many_asks_at_once_exactly_those_are_taken_that_the_caps_have_room_for(url: str, each: int) -> None:
    """On SQLite one process takes asks, as its lock wants it; on PostgreSQL two do."""
    answers = await rush(url, each=each, processes=1 if url.startswith("sqlite") else 2)

    taken = Counter(answer["person"] for answer in answers if "taken" in answer)
    assert (len(answers), taken.total()) == (each * len(PEOPLE), 37)
    await asyncio.to_thread(check_database, url)
    async with open_storage(url, alone=False) as storage, storage.read() as tx:
        entries = await tx.ledger.entries()
        jobs = [job for job, _ in await tx.jobs.listing(state=None, limit=1_000)]
        full = {
            (cap.scope.value, cap.subject): (await tx.ledger.committed(cap, "T1"), cap)
            for person, channel in PEOPLE.items()
            for cap in caps_on(CAPS, workspace="T1", channel=channel, person=person, now=START, zone=UTC)
        }

    # What was said was done, for the very people to whom it was said.
    assert Counter(entry.person for entry in entries) == Counter(job.person for job in jobs) == taken
    assert {(job.state, job.channel == PEOPLE[job.person]) for job in jobs} == {(State.QUEUED, True)}
    assert {entry.held_micro_usd for entry in entries} == {PRICE}
    # Each refusal names a cap of this very ask that is full, with what is really left under it, and when it renews.
    refusals = [answer for answer in answers if "over" in answer]
    for refusal in refusals:
        scope, subject = refusal["over"]["scope"], refusal["over"]["subject"]
        assert subject in {refusal["person"], refusal["channel"], "T1"}
        committed, cap = full[scope, subject]
        assert cap.limit_micro_usd is not None
        assert refusal["left"] == cap.limit_micro_usd - committed == LEFT[scope]
        assert (refusal["over"]["period"], refusal["renews_at"]) == (cap.period, cap.renews_at.isoformat())
        assert f"This would cost $0.32, and {dollars(LEFT[scope])} of" in refusal["words"]
    scopes = {refusal["over"]["scope"] for refusal in refusals}
    assert {Scope.CHANNEL_MONTH.value, Scope.WORKSPACE_MONTH.value} <= scopes
    # Of a few asks each, nobody's may come before the others' often enough to fill a day.
    assert each < MANY or Scope.PERSON_DAY.value in scopes
    # The first cap in their order that has no room is named: a full channel before a full workspace.
    for refusal in refusals:
        if refusal["channel"] == "C1":
            assert refusal["over"]["scope"] != Scope.CHANNEL_MONTH.value
