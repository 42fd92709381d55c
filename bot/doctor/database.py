"""Whether the database can be used, and who uses it."""

import os
import tempfile
from pathlib import Path

from bot.doctor.finding import AGAIN, Finding, fail, ok, warn
from bot.ports import StorageBusy, StorageError
from bot.settings import Settings
from storage import AlreadyRunning, NotWritable, SchemaNewer, SchemaOutdated, UnsupportedUrl, open_storage
from storage.engines import BUSY_SECONDS, Place, place_of
from storage.lock import ensure_free

_NAME = "database"


async def check(settings: Settings) -> list[Finding]:
    """Open it, take the lock of a writer for a moment, and write nothing."""
    url = settings.database_url.get_secret_value()
    try:
        place = place_of(url)
    except UnsupportedUrl as error:
        return [fail(_NAME, str(error), "correct DATABASE_URL, or unset it to use sqlite:///data/dailies.db.")]
    if place.file is not None and (why := cannot_hold(place.file.absolute().parent)):
        return [fail(_NAME, f"its folder cannot be used: {why}.", "correct DATABASE_URL, or the folder and its owner.")]
    try:
        async with open_storage(url, alone=False) as storage, storage.begin():
            return [ok(_NAME, f"it can be read and written, and its schema is current; {_who_runs(place)}.")]
    except StorageError as error:
        return [unusable(place, error)]


def cannot_hold(folder: Path) -> str:
    """Why a folder cannot be made or written by this user; empty when it can. Nothing stays of the attempt."""
    # os.path, since Path raises where a parent may not be looked into.
    nearest = next(one for one in (folder.absolute(), *folder.absolute().parents) if os.path.exists(one))  # noqa: PTH110
    if not nearest.is_dir():
        return f"{nearest} is no folder"
    if not os.access(nearest, os.W_OK | os.X_OK):
        return f"{nearest} is not writable for this user"
    try:
        # Permissions say nothing to root, and nothing of what kind of file system it is.
        tempfile.TemporaryDirectory(prefix=".dailies-doctor-", dir=nearest).cleanup()
    except OSError as error:
        return f"nothing can be made in {nearest}: {error.strerror or type(error).__name__}"
    return ""


def unusable(place: Place, error: StorageError) -> Finding:
    """What keeps the database from being used, and the mend for that."""
    match error:
        case SchemaOutdated(found=None) if place.file is not None and place.file.exists() and not place.file.is_file():
            return fail(_NAME, f"{_shown(place)} is no file.", "name a file in DATABASE_URL.")
        case SchemaOutdated(found=None):
            return warn(
                _NAME, "it has no tables yet.", "start `dailies run`, which makes them, or run `dailies migrate`."
            )
        case SchemaOutdated(found=found):
            text = f"an older release made its tables (revision {found})."
            return warn(_NAME, text, "start `dailies run`, which renews them, or run `dailies migrate`.")
        case SchemaNewer(found=found):
            text = f"a newer release made its tables (revision {found}), and this one must not touch them."
            return fail(_NAME, text, "install that release again, or name another database in DATABASE_URL.")
        case _:
            return _file_trouble(place, error) if place.sqlite else _server_trouble(error)


def _file_trouble(place: Place, error: StorageError) -> Finding:
    file = _shown(place)
    match error:
        case StorageBusy():
            text = f"another process has kept {file} locked for more than {BUSY_SECONDS:.0f} s ({_who_runs(place)})."
            mend = f"see with `lsof {file}` which one it is; end it, or wait for it and {AGAIN}."
        case NotWritable(why="the disk is full"):
            text, mend = (
                f"no room is left for {file}.",
                "make room on that disk, or name a file elsewhere in DATABASE_URL.",
            )
        case NotWritable(why=why):
            text = f"{file} cannot be written: {why}."
            mend = "let this user read and write the file and its folder, or name another file in DATABASE_URL."
        case _ if "SQLITE_NOTADB" in str(error):
            text, mend = f"{file} is no SQLite database.", "name another file in DATABASE_URL."
        case _:
            text, mend = (
                f"{file}: {error}",
                "put a copy of it back that is whole, or name another file in DATABASE_URL.",
            )
    return fail(_NAME, text, mend)


def _server_trouble(error: StorageError) -> Finding:
    match error:
        case StorageBusy():
            text = f"PostgreSQL: {_words(error) or error}"
            mend = f"start that server, or correct host, port, user, password and name in DATABASE_URL; then {AGAIN}."
        case NotWritable(why=why):
            text = f"PostgreSQL cannot be written: {why}."
            mend = "make room for it, or name the primary server and not a copy of it in DATABASE_URL."
        case _:
            text, mend = str(error), "let the user in DATABASE_URL read, write and make tables there."
    return fail(_NAME, text, mend)


def _words(error: BaseException) -> str:
    """What the driver itself said, in a line: no connection, no such database, a refused password."""
    while error.__cause__ is not None:
        error = error.__cause__
    said = str(error).strip().partition("\n")[0]
    return f"{said.rstrip('.')}." if said else ""


def _who_runs(place: Place) -> str:
    if place.file is None:
        return "other processes may share it"
    try:
        ensure_free(place.file)
    except AlreadyRunning as error:
        return "Dailies is running on it" if error.pid is None else f"Dailies is running on it, as process {error.pid}"
    except OSError:
        return "this user may not see whether Dailies is running on it"
    return "Dailies is not running on it"


def _shown(place: Place) -> str:
    """The whole path: a relative one means another file in every folder."""
    return str(place.file.absolute()) if place.file is not None else ""
