"""Signed, expiring links to what the media store keeps: how they are made and read, and where their key comes from.

A link is ``PUBLIC_URL/media/{token}``. The token says when it ends, what kind of file it is and where that lies, under
an HMAC-SHA256; nothing of it is kept, so that links survive a restart and need no database. It ends in the file's
suffix, since some fetchers go by that.
"""

import base64
import binascii
import contextlib
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

from bot.ports import Linked
from bot.settings import SHORTEST_KEY, BadSetting, Settings
from bot.web.media import PREFIX
from storage import UnsupportedUrl
from storage.engines import place_of

_DAY = timedelta(days=1)
_LIFETIME = 4 * _DAY
"""From the beginning of the UTC day in which a link is made: 72 to 96 hours from the moment itself, longer than a job
is tried, and as long as providers keep uploads."""

_PURPOSE = b"dailies: links to media, version 1"
"""Parts the key of links from others that are derived of the same secret."""
_MAC_BYTES = hashlib.sha256().digest_size
_LONGEST_TOKEN = 600
_KEY = re.compile(r"[a-z]{1,32}/(?P<workspace>[A-Za-z0-9_-]{1,64})/[0-9a-f]{64}\.(?P<suffix>[a-z0-9]{1,8})")
_MIME = re.compile(r"[a-z]{1,32}/[a-z0-9.+-]{1,64}")

_KEPT_BYTES = 32


class SignedLinks:
    """``bot.ports.Links``. The newest of ``keys`` comes first and signs, all of them open; without ``public_url`` there
    are no links."""

    def __init__(self, *, public_url: str, keys: Sequence[str]) -> None:
        self._base = public_url.rstrip("/")
        self._keys = [hmac.digest(key.encode(), _PURPOSE, "sha256") for key in keys]

    @property
    def reachable(self) -> bool:
        """Whether there are links at all."""
        return bool(self._base)

    def link(self, workspace: str, key: str, mime: str, *, now: datetime) -> str | None:
        """See ``bot.ports.Links``."""
        found = _KEY.fullmatch(key)
        if found is None or found["workspace"] != workspace or not _MIME.fullmatch(mime):
            raise ValueError("this is no file of that workspace")
        if not self.reachable:
            return None
        ends = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + _LIFETIME
        said = f"{ends.timestamp():.0f} {mime} {key}".encode()
        return f"{self._base}{PREFIX}{_text(said + _mac(self._keys[0], said))}.{found['suffix']}"

    def follow(self, token: str, *, now: datetime) -> Linked | None:
        """See ``bot.ports.Links``."""
        sealed, _, suffix = token.partition(".")
        raw = _bytes(sealed) if len(token) <= _LONGEST_TOKEN else b""
        said, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
        # All are tried, so that the time taken does not tell which one it was.
        tried = [hmac.compare_digest(_mac(key, said), mac) for key in self._keys]
        if not any(tried):
            return None
        ends, mime, key = said.decode().split(" ")
        if now.timestamp() >= int(ends) or not key.endswith(f".{suffix}"):
            return None
        return Linked(key=key, mime=mime)


def _mac(key: bytes, said: bytes) -> bytes:
    return hmac.digest(key, said, "sha256")


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    """What the text stands for; nothing where it is not exactly the text that we would write for that."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""
    return raw if _text(raw) == text else b""


def make_links(settings: Settings) -> SignedLinks:
    """Links under PUBLIC_URL, signed with ENCRYPTION_KEYS; where none are set, with a key that is made once and kept
    (docs/decisions/0012). Raises BadSetting where it cannot be kept."""
    if not settings.public_url:
        return SignedLinks(public_url="", keys=())
    given = settings.encryption_keys
    keys = given.get_secret_value().split(",") if given is not None else [_kept_key(_key_file(settings))]
    return SignedLinks(public_url=settings.public_url, keys=keys)


def check_links(settings: Settings) -> None:
    """Whether the key is in order, where one is kept already; nothing is made. Addresses of database and media that
    cannot be read are for others to tell. Raises BadSetting."""
    if not settings.public_url or settings.encryption_keys is not None:
        return
    try:
        file = _key_file(settings)
    except BadSetting:
        return
    if file.exists():
        _read_key(file)


def _key_file(settings: Settings) -> Path:
    """Beside the SQLite file. Several processes may share a PostgreSQL database, each on a machine of its own; what
    they have in common is the media folder, without which a link leads nowhere anyway. Raises BadSetting."""
    try:
        database = place_of(settings.database_url.get_secret_value()).file
    except UnsupportedUrl as error:
        raise BadSetting(str(error)) from error
    if database is not None:
        return database.absolute().with_name(f"{database.name}.key")
    kind, _, folder = settings.media_url.partition(":")
    if kind != "file":
        raise BadSetting("ENCRYPTION_KEYS is not set, and MEDIA_URL is no folder in which a key could be kept.", _MEND)
    return Path(unquote(folder.removeprefix("//") if folder.startswith("///") else folder)).absolute() / "dailies.key"


_MEND = "Set ENCRYPTION_KEYS; .env.example says how to make one."


def _kept_key(file: Path) -> str:
    """The key in that file, which is made if there is none: whole or not at all, and by one process alone."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not file.exists():
            _keep(file, secrets.token_urlsafe(_KEPT_BYTES))
    except OSError as error:
        raise BadSetting(f"The key that signs links cannot be kept in {file}: {error.strerror}.", _MEND) from error
    return _read_key(file)


def _read_key(file: Path) -> str:
    try:
        key = file.read_text(encoding="ascii").strip()
    except OSError as error:
        raise BadSetting(f"The key that signs links cannot be read in {file}: {error.strerror}.", _MEND) from error
    except UnicodeDecodeError:
        key = ""
    if len(key) < SHORTEST_KEY:
        mend = "Put it back from a backup, or remove it: a new one is made, and the links given out until then end."
        raise BadSetting(f"{file} holds no key that could sign links.", mend)
    return key


def _keep(file: Path, key: str) -> None:
    """A link of the file system, unlike a rename, leaves the key that another process has made meanwhile."""
    draft = file.with_name(f"{file.name}.{secrets.token_hex(8)}.part")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as text:
            text.write(f"{key}\n")
            text.flush()
            os.fsync(text.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, file)
    finally:
        draft.unlink(missing_ok=True)
    directory = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
