"""One open transaction, as the modules with statements see it."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from sqlalchemy import Executable, TextClause, func, literal_column
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import CursorResult, Result
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlmodel import insert, select

from bot.ports import StorageError
from storage.driver_errors import translating
from storage.engines import BUSY_MILLISECONDS, BUSY_SECONDS
from storage.tables import Row

_T = TypeVar("_T")

ANSWER_SECONDS = 3.5
"""How long one statement is waited for. A server that is there gives up by itself before that (see
``engines``)."""

_FRESH = {
    # What the database says counts, never an object that was read earlier.
    "populate_existing": True,
    "synchronize_session": False,
}


class Sql:
    """Runs statements in one transaction and speaks only in StorageErrors.

    Once a statement failed, the transaction is lost: PostgreSQL would answer a later COMMIT with a
    silent ROLLBACK. So every later call, the commit too, raises that first error again.
    """

    def __init__(self, session: AsyncSession, dialect: str) -> None:
        self._session = session
        self._failed: StorageError | None = None
        self.dialect = dialect

    async def run(self, statement: Executable) -> int:
        """Run a statement that changes rows; how many it changed."""
        result = await self._execute(statement)
        assert isinstance(result, CursorResult)  # noqa: S101 - what SQLAlchemy gives for every INSERT, UPDATE, DELETE
        return int(result.rowcount)

    async def rows(self, statement: Executable) -> Sequence[Any]:
        """All rows, each as a tuple of what was selected."""
        return (await self._execute(statement)).all()

    async def scalars(self, statement: Executable) -> Sequence[Any]:
        """The first thing selected, of all rows."""
        return (await self._execute(statement)).scalars().all()

    async def scalar(self, statement: Executable) -> Any:
        """The first thing selected of the first row; None without rows."""
        return (await self._execute(statement)).scalars().first()

    async def insert(self, row: Row) -> None:
        """Write a new row. Raises Inconsistent when its key is taken."""
        await self._execute(insert(type(row)).values(**_columns(row)))

    async def insert_new(self, row: Row, *, index: Sequence[str] = (), where: TextClause | None = None) -> bool:
        """Write a row unless it collides; False when it did, and nothing was written. ``index`` and
        ``where`` name one unique index whose collisions are meant; else those of any."""
        dialect_insert = postgresql.insert if self.dialect == "postgresql" else sqlite.insert
        statement = dialect_insert(type(row)).values(**_columns(row))
        conflict = statement.on_conflict_do_nothing(index_elements=list(index) or None, index_where=where)
        return await self.scalar(conflict.returning(literal_column("1"))) is not None

    async def lock(self, name: str) -> None:
        """Keep out every other transaction that asks for the same name, until this one ends. A
        transaction on SQLite already has the file to itself."""
        if self.dialect == "postgresql":
            await self._execute(select(func.pg_advisory_xact_lock(advisory_key(name))))

    async def commit(self) -> None:
        """Make it last. Raises the first error of the transaction when there was one, CommitUnknown when
        the server went away meanwhile."""
        if self._failed is not None:
            raise self._failed
        remote = self.dialect == "postgresql"
        with translating(committing=remote):
            await _whole(self._session.commit(), ANSWER_SECONDS if remote else None)

    async def _execute(self, statement: Executable) -> Result[Any]:
        if self._failed is not None:
            raise self._failed
        try:
            with translating():
                call = self._session.execute(statement, execution_options=_FRESH)
                return await _whole(call, ANSWER_SECONDS)
        except StorageError as error:
            self._failed = error
            raise


def advisory_key(name: str) -> int:
    """A 64-bit key for PostgreSQL's advisory locks, the same in every process."""
    return int.from_bytes(hashlib.sha256(f"dailies/{name}".encode()).digest()[:8], "big", signed=True)


@asynccontextmanager
async def opened(engine: AsyncEngine, deadline: float) -> AsyncIterator[Sql]:
    """A transaction on a connection of the engine; rolled back unless ``commit`` was called. Raises
    StorageBusy when it has not begun by ``deadline`` (in the loop's time)."""
    left = max(0.0, deadline - asyncio.get_running_loop().time())
    options = {BUSY_MILLISECONDS: int(left * 1000)}
    session = AsyncSession(engine, expire_on_commit=False, autoflush=False)
    try:
        with translating():
            # SQLite keeps its own time in BEGIN; a little more, so that it is SQLite that gives up.
            await _whole(session.connection(execution_options=options), left + BUSY_SECONDS / 4)
        yield Sql(session, engine.dialect.name)
    finally:
        # Whatever happens here, the transaction is over: committed before, or never to be.
        with suppress(StorageError), translating():
            await _whole(session.close(), ANSWER_SECONDS)


async def _whole(call: Coroutine[Any, Any, _T], seconds: float | None) -> _T:
    """Await a call to the driver to its end, also when our own task is cancelled meanwhile, and be
    cancelled then.

    A call that is left half-way leaves a connection behind that may still hold the file's lock, or a
    commit of which nobody knows whether it was made. Raises TimeoutError when it has not ended after
    ``seconds``.
    """
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(call)
    deadline = None if seconds is None else loop.time() + seconds
    cancelled: asyncio.CancelledError | None = None
    while not task.done() and (deadline is None or loop.time() < deadline):
        try:
            await asyncio.wait({task}, timeout=None if deadline is None else deadline - loop.time())
        except asyncio.CancelledError as error:
            cancelled = error
    in_time = task.done()
    if not in_time:
        task.cancel()
    if in_time and cancelled is None:
        return task.result()
    task.add_done_callback(_ignore)
    raise cancelled or TimeoutError


def _ignore(task: asyncio.Future[Any]) -> None:
    """Look at the outcome, so that asyncio does not report it as forgotten."""
    if not task.cancelled():
        task.exception()


def _columns(row: Row) -> dict[str, Any]:
    columns = row.model_dump()
    if columns.get("seq", 0) is None:
        del columns["seq"]  # a number that the database gives
    return columns
