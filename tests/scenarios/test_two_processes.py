"""Two processes of the bot on one PostgreSQL, as whoever wants no pause while one is replaced runs them: Slack hands
each event to either, both write under the same caps, and each makes clips that the other may have accepted."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.scenarios.bot import Bot, Stage, stage
from tests.scenarios.rush import (
    AFFORDABLE,
    CAPS,
    CHANNELS,
    PROMPT,
    arrive,
    nobody_is_over_their_own,
    rush,
    the_answers_are_right,
)
from tests.support.postgres import Postgres, running_postgres

BOOKS = """
    select jobs.task_id, ledger.person,
        sum(held_micro_usd)::bigint as held_micro_usd, sum(settled_micro_usd)::bigint as settled_micro_usd
    from ledger join jobs on jobs.id = ledger.job_id group by jobs.task_id, ledger.person
"""
"""Our ledger, task by task."""

UNFINISHED = "select id from jobs where state not in ('delivered', 'failed', 'cancelled')"


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """A real server."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    """A database of its own."""
    with postgres.database() as url:
        yield url


@pytest.mark.timeout(150)
@pytest.mark.storm
@pytest.mark.parametrize("asks", [50, 200])
async def test_of_a_rush_to_two_processes_thirty_seven_are_made_and_both_ledgers_agree(
    tmp_path: Path, database: str, asks: int
) -> None:
    """Right after the last answer one of the two is stopped, as when it is replaced: the other makes what it had, and
    nothing is ordered twice."""
    # How soon so many are answered at once is the machine's affair; here only what the answers say counts.
    patient = {"ack_timeout": 60.0}
    async with stage(tmp_path, sandbox=patient, start=False, DATABASE_URL=database, PROVIDER_CONCURRENCY="10") as play:
        await play.start_bot(**CAPS)
        await play.provider(fidelity="cached", render_seconds=[0.05, 0.1])
        second = Bot(place=tmp_path / "second", environment=play.bot.environment)
        second.place.mkdir()
        try:
            await second.start(**CAPS)
            await play.studio.connected(2, timeout=40)
            await arrive(play, times=2)

            the_answers_are_right(await rush(play, asks))

            await each_took_its_half(play, asks)
            assert await second.terminate() == 0
            await at_rest(play, database)
        finally:
            if second.running():
                await second.kill()

        charges = await play.ledger()
        ours = await rows(database, BOOKS)
        assert len(charges) == len(ours) == AFFORDABLE
        assert {(row["task_id"], row["settled_micro_usd"], row["held_micro_usd"]) for row in ours} == {
            (charge["task_id"], charge["micro_usd"], 0) for charge in charges
        }
        assert all(charge["prompt"].startswith(PROMPT) for charge in charges)
        nobody_is_over_their_own(ours)
        standing = [clip for channel in CHANNELS for clip in await play.clip_messages(channel)]
        assert len(standing) == AFFORDABLE


async def each_took_its_half(play: Stage, asks: int) -> None:
    """Slack spoke to both: each acknowledged about as many of the commands as the other."""
    envelopes = (await play.studio.state())["envelopes"]
    taken = Counter(one["socket"] for one in envelopes if one["type"] == "slash_commands" and one["acked"])
    assert len(taken) == 2, taken
    assert min(taken.values()) >= asks // 3, taken


async def at_rest(play: Stage, database: str, *, within: float = 60) -> None:
    """Wait until every job has ended, whoever moves it."""
    async with asyncio.timeout(within):
        while await rows(database, UNFINISHED):
            assert play.bot.running(), play.bot.log()
            await asyncio.sleep(0.2)


async def rows(database: str, query: str) -> list[dict[str, Any]]:
    """Look into the database."""

    def look() -> list[dict[str, Any]]:
        with psycopg.connect(database, row_factory=dict_row) as connection:
            return connection.execute(query).fetchall()

    return await asyncio.to_thread(look)
