"""What the loops and every message of people ask the database is found by an index, however old the workspace is."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from bot.domain.job import Ownership, State
from bot.ports import Transaction
from storage import Database, open_storage
from tests.contracts.records import a_cap, a_job, later, put

OURS = Ownership(owner="process-1", epoch=1)

QUESTIONS: dict[str, Callable[[Transaction], Awaitable[object]]] = {
    "claim": lambda tx: tx.jobs.claim(OURS, 50, later(1)),
    "claim_cards": lambda tx: tx.jobs.claim_cards(OURS, 50, later(1)),
    "flagged": lambda tx: tx.jobs.flagged(OURS, 50),
    "in_flight": lambda tx: tx.jobs.in_flight("hiapi"),
    "running_of": lambda tx: tx.jobs.running_of("T1", "U1"),
    "ahead_of_payer": lambda tx: tx.jobs.ahead_of_payer(a_job()),
    "ahead": lambda tx: tx.jobs.ahead(a_job()),
    "by_message": lambda tx: tx.jobs.by_message("T1", "C1", "1.1"),
    "by_task": lambda tx: tx.jobs.by_task("hiapi", "task"),
    "of_ask": lambda tx: tx.jobs.of_ask("T1", "a1"),
    "in_thread": lambda tx: tx.jobs.in_thread("T1", "t1"),
    "find_thread": lambda tx: tx.jobs.find_thread("T1", "C1", "1.1"),
    "find_card": lambda tx: tx.jobs.find_card("T1", "C1", "1.1"),
    "live_ask": lambda tx: tx.jobs.live_ask("T1", "key"),
    "listing": lambda tx: tx.jobs.listing(state=None, limit=20),
    "evidence": lambda tx: tx.jobs.evidence("T1", "j1"),
    "timeline": lambda tx: tx.jobs.timeline("T1", "j1"),
    "committed": lambda tx: tx.ledger.committed(a_cap(), "T1"),
    "usage": lambda tx: tx.ledger.usage("2026-11"),
    "adjust": lambda tx: tx.ledger.adjust("T1", "j1", 1, 1, later(1)),
    "audit of a workspace": lambda tx: tx.audit.entries(workspace="T1", limit=20),
    "audit of a month": lambda tx: tx.audit.entries(month="2026-11"),
    "preferences": lambda tx: tx.preferences.current("T1", "C1"),
    "announcements": lambda tx: tx.announcements.claim(OURS, 50, later(1)),
}

BY_ORDER = ("ix_jobs_to_be_moved", "ix_asks_card_behind", "ix_announcements_to_be_told", "ix_jobs_age")
"""Read from their beginning and as far as needed: all but the last hold only what is to be done."""


@contextmanager
def recorded(database: Database) -> Iterator[list[tuple[str, Any]]]:
    """The statements that are run in the block, with their parameters."""
    seen: list[tuple[str, Any]] = []

    def record(_: object, __: object, statement: str, parameters: Any, *___: object) -> None:
        seen.append((statement, parameters))

    engine = database._writing.sync_engine
    event.listen(engine, "before_cursor_execute", record)
    yield seen
    event.remove(engine, "before_cursor_execute", record)


async def plan(database: Database, question: Callable[[Transaction], Awaitable[object]]) -> list[str]:
    """The lines of SQLite's plans for everything the question runs."""
    with recorded(database) as statements:
        async with database.begin() as tx:
            await question(tx)
    lines: list[str] = []
    async with database._reading.connect() as connection:
        for statement, parameters in statements:
            if statement.startswith(("SELECT", "UPDATE", "WITH")):
                rows = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", tuple(parameters))
                lines += [detail for *_, detail in rows]
    return lines


@pytest.mark.parametrize("question", QUESTIONS)
async def test_a_question_is_answered_by_an_index(tmp_path: Path, question: str) -> None:
    async with open_storage(f"sqlite:///{tmp_path / 'dailies.db'}", alone=True) as database:
        async with database.begin() as tx:
            await put(tx, a_job(), a_job(id="j2", number=2, state=State.DELIVERED))
        lines = await plan(database, QUESTIONS[question])

    tables = ("jobs", "asks", "threads", "ledger", "evidence", "timeline", "audit", "preferences", "announcements")
    scans = [line for line in lines if line.startswith(tuple(f"SCAN {table}" for table in tables))]
    assert lines != []
    assert [line for line in scans if not line.endswith(BY_ORDER)] == []
