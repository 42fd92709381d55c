"""Every ledger that a test wrote, looked over when the test is done: no test may end with unsound books.

``tests/conftest.py`` calls ``check`` after each test, before its fixtures end. A test that puts jobs by hand into the
middle of their lives says so, and is checked for the rest: ``@pytest.mark.jobs_set_by_hand(reason="…")``. One that
writes half a ledger on purpose is not checked: ``@pytest.mark.half_made_ledger(reason="…")``.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from enum import Enum
from functools import wraps
from typing import Any

from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, select

from bot.domain.budget import Entry
from bot.domain.job import Job
from bot.domain.ledger_check import unsound
from storage import Database, MemoryStorage, migrations
from storage.engines import place_of, plain_engine
from storage.rows import entry_from_row, job_from_row
from storage.tables import AuditRow, JobRow, LedgerRow

HALF_MADE, BY_HAND = "half_made_ledger", "jobs_set_by_hand"
"""The markers of tests that are not checked, and of those whose jobs are not."""


class Jobs(Enum):
    """Whose money is compared with where they stand."""

    NONE = "none"
    TAKEN = "taken"
    """Those that were taken as people's asks are, with a line of the audit, and those that have rows in the ledger:
    many tests put jobs of their own beside them."""
    ALL = "all"


class UnsoundBooks(AssertionError):
    """A ledger whose invariants do not hold; one breach a line."""

    def __init__(self, where: str, breaches: Iterable[str]) -> None:
        self.breaches = tuple(breaches)
        super().__init__("\n".join([f"The ledger of {where} is unsound:", *self.breaches]))


class NotLookedAt(AssertionError):
    """A database whose books nobody could read, so that nobody knows whether they are sound."""

    def __init__(self, url: URL, why: str) -> None:
        self.url = url
        self.why = why
        super().__init__(f"The ledger of {url.render_as_string()} was not looked at: {why}")


@dataclass
class Books:
    """The storages that were opened in this process since the last ``forget``."""

    memories: list[MemoryStorage] = field(default_factory=list)
    urls: set[URL] = field(default_factory=set)

    def watch(self) -> None:
        """Notice from now on every storage that is opened, whoever opens it."""
        _after(MemoryStorage, self.memories.append)
        _after(Database, lambda database: self.urls.add(database._writing.url))

    def check(self, jobs: Jobs) -> None:
        """Raises UnsoundBooks for the first one that is."""
        for memory in self.memories:
            tables = memory._tables
            asked = {(line.workspace, line.ask_id) for line in tables.audit if line.ask_id}
            _raise("a memory storage", tables.ledger.values(), tables.jobs.values(), asked, jobs)
        for url in sorted(self.urls, key=str):
            check_database(url.render_as_string(hide_password=False), jobs)

    def forget(self) -> None:
        """A new test begins."""
        self.memories.clear()
        self.urls.clear()


def check_database(url: str, jobs: Jobs = Jobs.ALL) -> None:
    """Raises UnsoundBooks when that database's are, NotLookedAt when they cannot be read. A file that is gone, or was
    never made, has no books."""
    place = place_of(url)
    if place.file is not None and not place.file.is_file():
        return
    engine = plain_engine(place, writing=False)
    try:
        with Session(engine) as session:
            schema = migrations.current(session.connection())
            if schema != migrations.newest():
                raise NotLookedAt(place.url, f"its schema is {schema}")
            entries = [entry_from_row(row) for row in session.exec(select(LedgerRow))]
            stored = [job_from_row(row) for row in session.exec(select(JobRow))]
            asked = {(row.workspace, row.ask_id) for row in session.exec(select(AuditRow)) if row.ask_id}
    except SQLAlchemyError as error:
        raise NotLookedAt(place.url, str(error)) from error
    finally:
        engine.dispose()
    _raise(place.url.render_as_string(), entries, stored, asked, jobs)


def _raise(
    where: str, entries: Iterable[Entry], stored: Iterable[Job], asked: Collection[tuple[str, str]], jobs: Jobs
) -> None:
    rows = tuple(entries)
    booked = {(row.workspace, row.job_id) for row in rows}
    looked_at = {
        Jobs.NONE: (),
        Jobs.TAKEN: (
            job for job in stored if (job.workspace, job.id) in booked or (job.workspace, job.ask_id) in asked
        ),
        Jobs.ALL: stored,
    }
    breaches = unsound(rows, looked_at[jobs])
    if breaches:
        raise UnsoundBooks(where, breaches)


def _after(kind: type, notice: Any) -> None:
    """Let ``notice`` have each new object of that class."""
    initialize = kind.__init__  # type: ignore[misc]

    @wraps(initialize)
    def noticed(self: Any, *arguments: Any, **named: Any) -> None:
        initialize(self, *arguments, **named)
        notice(self)

    kind.__init__ = noticed  # type: ignore[misc]


BOOKS = Books()
