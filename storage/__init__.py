"""Everything that knows SQL and files. Values of ``bot.domain`` go in and come out; rows never leave."""

from storage.clips import MemoryClips, open_clips
from storage.database import Database, migrate, open_storage
from storage.errors import (
    AlreadyRunning,
    CommitUnknown,
    Inconsistent,
    NotWritable,
    SchemaNewer,
    SchemaOutdated,
    TaskTaken,
    UnsupportedUrl,
)
from storage.memory import MemoryStorage
from storage.scratch import open_scratch

__all__ = [
    "AlreadyRunning",
    "CommitUnknown",
    "Database",
    "Inconsistent",
    "MemoryClips",
    "MemoryStorage",
    "NotWritable",
    "SchemaNewer",
    "SchemaOutdated",
    "TaskTaken",
    "UnsupportedUrl",
    "migrate",
    "open_clips",
    "open_scratch",
    "open_storage",
]
