"""Driver errors become a few of ours, and addresses of other kinds are refused without repeating
passwords."""

import sqlite3
from datetime import UTC
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError, InvalidRequestError

from bot.domain.budget import Scope
from bot.ports import StorageBusy, StorageError
from storage import CommitUnknown, Inconsistent, NotWritable, UnsupportedUrl
from storage.accounting import hold_entries
from storage.driver_errors import translating
from storage.engines import place_of
from tests.contracts.records import a_cap, a_hold


def raised(error: Exception, *, committing: bool = False) -> StorageError:
    """What comes out for an error of the driver."""
    with pytest.raises(StorageError) as caught, translating(committing=committing):
        raise error
    return caught.value


def from_postgres(code: str) -> DBAPIError:
    cause = psycopg.errors.lookup(code)("server's words")
    return DBAPIError("SELECT", {}, cause)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("55P03", StorageBusy),
        ("40P01", StorageBusy),
        ("57014", StorageBusy),
        ("57P01", StorageBusy),
        ("08006", StorageBusy),
        ("53300", StorageBusy),
        ("53100", NotWritable),
        ("25006", NotWritable),
        ("23505", Inconsistent),
        ("42601", StorageError),
    ],
)
def test_every_answer_of_postgresql_has_its_kind(code: str, kind: type[StorageError]) -> None:
    assert type(raised(from_postgres(code))) is kind


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (from_postgres("57P01"), CommitUnknown),
        (from_postgres("08006"), CommitUnknown),
        (from_postgres("40001"), StorageBusy),
        (from_postgres("23505"), Inconsistent),
        (DBAPIError("COMMIT", {}, psycopg.OperationalError("server closed the connection")), CommitUnknown),
        (TimeoutError(), CommitUnknown),
    ],
)
def test_only_an_answer_of_the_server_makes_a_failed_commit_certain(error: Exception, kind: type[StorageError]) -> None:
    assert type(raised(error, committing=True)) is kind


@pytest.mark.parametrize("error", [TimeoutError(), InvalidRequestError("lost")])
def test_a_database_that_does_not_answer_is_busy(error: Exception) -> None:
    assert type(raised(error)) is StorageBusy


def test_an_error_of_sqlite_without_a_code_is_told_as_it_is() -> None:
    error = raised(DBAPIError("SELECT", {}, sqlite3.ProgrammingError("closed")))

    assert type(error) is StorageError
    assert "closed" in str(error)


def test_errors_of_others_pass() -> None:
    with pytest.raises(ZeroDivisionError), translating():
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite:///data/dailies.db", Path("data/dailies.db")),
        ("sqlite:////data/dailies.db", Path("/data/dailies.db")),
        ("postgresql://someone:secret@127.0.0.1/dailies", None),
        ("postgres://127.0.0.1/dailies", None),
    ],
)
def test_supported_addresses_are_understood(url: str, file: Path | None) -> None:
    place = place_of(url)

    assert place.file == file
    assert place.sqlite is (file is not None)


@pytest.mark.parametrize(
    "url", ["", "data/dailies.db", "sqlite://", "sqlite:///:memory:", "mysql://u:secret@h/d", "secret"]
)
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(UnsupportedUrl, match="DATABASE_URL") as refusal:
        place_of(url)
    assert "u:secret" not in str(refusal.value)
    assert refusal.value.__cause__ is None


@pytest.mark.parametrize("scope", list(Scope))
def test_a_hold_stands_in_the_period_of_the_cap_it_was_measured_against(scope: Scope) -> None:
    """Around midnight the clock and the cap may disagree; the sum under the cap must see the hold."""
    period = "2026-12-01" if scope is Scope.PERSON_DAY else "2026-12"
    (entry,) = hold_entries([a_hold()], [a_cap(scope, period=period)], zone=UTC)

    assert period in {entry.month, entry.day}
