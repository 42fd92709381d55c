"""Every implementation of every port, so that one suite a port can hold them to the same promises."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import cast

import pytest

from bot.ports import Clips, Storage
from storage import Database, MemoryClips, MemoryStorage, migrate, open_clips, open_storage
from storage.tables import Row
from tests.support.postgres import Postgres, running_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server, started by the first test that needs it."""
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_postgres(postgres: Postgres) -> Iterator[str]:
    """The URL of a migrated database."""
    with postgres.database() as url:
        asyncio.run(migrate(url))
        yield url


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file, to make copies of."""
    path = tmp_path_factory.mktemp("template") / "dailies.db"
    asyncio.run(migrate(f"sqlite:///{path}"))
    return path


@pytest.fixture
def sqlite_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    """A file of the test's own, migrated and empty."""
    path = tmp_path / "dailies.db"
    shutil.copyfile(migrated_sqlite, path)
    return f"sqlite:///{path}"


@pytest.fixture
def postgres_url(postgres: Postgres, migrated_postgres: str) -> Iterator[str]:
    """A migrated PostgreSQL database, emptied after the test: much faster than making one for each."""
    yield migrated_postgres
    postgres.empty(migrated_postgres, [table.name for table in Row.metadata.sorted_tables])


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    """A database on disk, of each kind."""
    return cast(str, request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def any_url(request: pytest.FixtureRequest) -> str | None:
    """A database of each kind; None is the one in memory."""
    if request.param == "memory":
        return None
    return cast(str, request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
async def storage(any_url: str | None) -> AsyncIterator[Storage]:
    """A storage of each kind."""
    if any_url is None:
        yield MemoryStorage()
        return
    async with open_storage(any_url, alone=False) as opened:
        yield opened


@pytest.fixture
async def replicas(any_url: str | None) -> AsyncIterator[tuple[Storage, Storage]]:
    """Two views of one database, as two processes have them."""
    if any_url is None:
        storage = MemoryStorage()
        yield storage, storage
        return
    async with open_storage(any_url, alone=False) as one, open_storage(any_url, alone=False) as two:
        yield one, two


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    """A database on disk, opened."""
    async with open_storage(url, alone=False) as opened:
        yield opened


@pytest.fixture(params=["memory", "folder"])
async def clips(request: pytest.FixtureRequest, tmp_path: Path) -> Clips:
    """A media store of each kind."""
    return MemoryClips() if request.param == "memory" else open_clips(f"file:{tmp_path / 'media'}")
