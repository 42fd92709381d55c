"""A database as it is some hours later: every time in its jobs and asks is that much earlier, and for who starts on it,
so much time has passed. Nobody may have the file open."""

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

_TIMES = {
    "jobs": (
        "created_at",
        "updated_at",
        "due_at",
        "submitted_at",
        "rendering_since",
        "rendered_at",
        "output_expires_at",
        "shared_at",
    ),
    "asks": ("created_at", "decide_by"),
    "attempts": ("intended_at",),
}


def age(database: Path, by: timedelta) -> None:
    """Let so much time have passed."""
    with closing(sqlite3.connect(database)) as connection, connection:
        for table, columns in _TIMES.items():
            for column in columns:
                query = f"select rowid, {column} from {table} where {column} is not null"
                for row, text in connection.execute(query).fetchall():
                    earlier = (datetime.fromisoformat(text) - by).strftime("%Y-%m-%d %H:%M:%S.%f")
                    connection.execute(f"update {table} set {column} = ? where rowid = ?", (earlier, row))
