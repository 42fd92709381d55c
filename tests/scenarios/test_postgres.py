"""The same main job with PostgreSQL underneath: nothing above `storage` knows the difference."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.scenarios.conftest import HTTP_IN_THE_STORM, MakeStage
from tests.support.postgres import Postgres, running_postgres


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


@HTTP_IN_THE_STORM
async def test_drafts_a_final_and_a_restart_on_postgresql(stage: MakeStage, tmp_path: Path, database: str) -> None:
    """One clip, a final that is killed while it renders, and a second life of the bot that brings it."""
    async with stage(tmp_path, DATABASE_URL=database) as play:
        await play.provider(fidelity="cached")
        await play.studio.slash("maya", "/clip a lighthouse at dusk")
        (draft,) = await play.clips(1)
        await play.provider(render_seconds=2.0)

        await play.studio.react("ben", draft, "rocket")
        await play.studio.wait_until(lambda state: len(state["providers"]["hiapi"]["ledger"]) == 2)
        await play.bot.kill()
        await play.start_bot()

        await play.clips(2)
        charges = await play.ledger()
        assert len(charges) == 2
        assert await asyncio.to_thread(_sums, database) == (0, sum(charge["micro_usd"] for charge in charges))


def _sums(database: str) -> tuple[int, int]:
    with psycopg.connect(database) as connection:
        row = connection.execute("select sum(held_micro_usd), sum(settled_micro_usd) from ledger").fetchone()
    assert row is not None
    return int(row[0]), int(row[1])
