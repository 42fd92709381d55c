"""What can go wrong in storage beyond what ``bot.ports`` names.

::

    StorageError                 nothing of the transaction was written
    ├── StorageBusy, Fenced, AlreadyLive, CommitUnknown        (bot.ports)
    ├── Inconsistent             a key or a reference of the tables says no
    │   └── TaskTaken            another job already has this provider task
    ├── NotWritable              disk full, read-only, or failing
    ├── SchemaOutdated           the database was never migrated, or by an older release
    ├── SchemaNewer              a release that we do not know migrated it
    └── AlreadyRunning           another process runs on this SQLite file
"""

from pathlib import Path

from bot.ports import CommitUnknown, StorageError

__all__ = [
    "AlreadyRunning",
    "CommitUnknown",
    "Inconsistent",
    "NotWritable",
    "SchemaNewer",
    "SchemaOutdated",
    "TaskTaken",
    "UnsupportedUrl",
]


class Inconsistent(StorageError):
    """A unique key or a reference between rows was violated: a bug of ours, stopped before it could do
    harm."""

    may_pass = False

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"The database refused an inconsistent row: {what}.")


class TaskTaken(Inconsistent):
    """Another job already has this provider task: one paid clip must not be adopted twice."""

    def __init__(self, provider: str, task_id: str) -> None:
        self.provider, self.task_id = provider, task_id
        super().__init__(f"task {task_id} of {provider} belongs to another job")


class NotWritable(StorageError):
    """The database can be reached and cannot take a write: disk full, read-only, or an input/output error."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(f"The database cannot be written: {why}.")


class SchemaOutdated(StorageError):
    """The tables are not those of this release. ``found`` is the database's revision, None when it has
    none."""

    def __init__(self, found: str | None, wanted: str) -> None:
        self.found, self.wanted = found, wanted
        state = "has no tables yet" if found is None else f"is at revision {found}"
        super().__init__(f"The database {state}, and this release needs {wanted}: run `dailies migrate`.")


class SchemaNewer(StorageError):
    """A release that we do not know wrote the tables: nothing here may touch them."""

    may_pass = False

    def __init__(self, found: str) -> None:
        self.found = found
        super().__init__(
            f"The database is at revision {found}, which this release does not know. Run the release that wrote it."
        )


class AlreadyRunning(StorageError):
    """Another process holds the lock of this SQLite file. ``pid`` is None when it did not say."""

    def __init__(self, path: Path, pid: int | None) -> None:
        self.path, self.pid = path, pid
        who = "another process" if pid is None else f"process {pid}"
        super().__init__(
            f"Dailies is already running on {path} ({who}). Stop it first, or choose another DATABASE_URL."
        )


class UnsupportedUrl(ValueError):
    """A DATABASE_URL or MEDIA_URL of a kind that is not supported. The URL may hold a password and is
    not repeated."""

    def __init__(self, variable: str, scheme: str, supported: str) -> None:
        self.variable, self.scheme, self.supported = variable, scheme, supported
        super().__init__(f"{variable} begins with {scheme!r}; supported are {supported}.")
