"""Files that come from elsewhere: guarded downloads of links that we did not make, and files that lie in Slack."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from math import ceil
from typing import Protocol

from bot.domain.recipe import MediaKind

LONGEST_NAME = 60
"""Characters of a file's name in a sentence."""


class FetchError(Exception):
    """A file could not be fetched now; trying again may help.

    ``what`` is a sentence for the person who gave the file and ``mend`` one that says what to do. Of a link they name
    the host alone: the rest may be a secret. ``retry_after_seconds`` is what the other side asked for, if it did.
    """

    def __init__(self, what: str, mend: str = "", *, retry_after_seconds: float | None = None) -> None:
        self.what, self.mend, self.retry_after_seconds = what, mend, retry_after_seconds
        super().__init__(f"{what} {mend}".rstrip())

    @property
    def lasting(self) -> bool:
        """Whether trying the same again can only end the same."""
        return False


class LinkRefused(FetchError):
    """The link points where we do not go (not https, a private address, an endless chain of redirects)."""

    @property
    def lasting(self) -> bool:
        return True


class LinkRedirected(LinkRefused):
    """The answer to a request with a credential points elsewhere. Whose credential it is decides whether it may go to
    ``location``, a whole address."""

    def __init__(self, what: str, *, location: str) -> None:
        self.location = location
        super().__init__(what)


class LinkExpired(FetchError):
    """HTTP 401, 403, 404, 410 or 451: the link is dead; of a provider's clip the task may give a fresh one."""

    def __init__(self, what: str, mend: str = "", *, status: int) -> None:
        self.status = status
        super().__init__(what, mend)

    @property
    def lasting(self) -> bool:
        return True


class FileTooLarge(FetchError):
    """More than ``largest`` bytes. ``size`` is what was announced; None when it was only seen to be too much."""

    def __init__(self, *, largest: int, size: int | None = None, name: str = "") -> None:
        self.largest, self.size, self.name = largest, size, name
        has = f"has {_megabytes(size)}" if size is not None else "is larger"
        whose = short(name) if name else "The file"
        super().__init__(f"{whose} {has}; at most {_megabytes(largest)} can be taken.", "Give a smaller one.")

    @property
    def lasting(self) -> bool:
        return True


class Unavailable(StrEnum):
    """Why a file of Slack's cannot be had."""

    EXTERNAL = "external"
    """It only stands in Slack and lies elsewhere (Google Drive, Dropbox …)."""
    GONE = "gone"
    """Deleted."""
    HIDDEN = "hidden"
    """Behind the limit of a free plan."""
    NO_ACCESS = "no access"
    """Slack does not show it to us, as we are not in its conversation or may not read files, or not to who asks."""
    PROCESSING = "processing"
    """Slack has not got it ready yet: the only one that passes by itself."""


class FileUnavailable(FetchError):
    """Slack does not give the file called ``name`` (empty where that is not known), for ``reason``. ``code`` is Slack's
    own word, if it had one."""

    def __init__(self, reason: Unavailable, *, name: str, code: str = "") -> None:
        self.reason, self.name, self.code = reason, name, code
        what, mend = _UNAVAILABLE[reason]
        super().__init__(what.format(name=short(name)) if name else _capital(what.format(name="the file")), mend)

    @property
    def lasting(self) -> bool:
        return self.reason is not Unavailable.PROCESSING


class Download(Protocol):
    """The body of an answer, in chunks: an AsyncIterator of bytes."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def __anext__(self) -> bytes: ...

    @property
    def content_type(self) -> str:
        """What the server says that it is: a media type in lower case without parameters, or empty. To be doubted."""


class Fetcher(Protocol):
    """Guarded downloads of links that we did not make."""

    def open(
        self, url: str, *, largest: int | None = None, bearer: str | None = None
    ) -> AbstractAsyncContextManager[Download]:
        """The body in chunks, under a deadline and a minimum rate, of at most ``largest`` bytes. Redirects are
        followed, a few, each as guarded as the link itself; none with a ``bearer`` token, which is sent to the link's
        host alone. Raises FetchError or a subclass, also from the chunks: a body shorter than announced is an error,
        never a short clip."""


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """A file that lies in Slack and can be had. All but ``id`` is what Slack says of it, to be doubted."""

    id: str
    name: str
    kind: MediaKind | None
    """A guess; None when nothing speaks for any kind, as for what a phone has just sent."""
    size: int | None
    """Bytes; None when Slack does not say."""
    url: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Asker:
    """Who wants a file: the app sees more than any of its people do."""

    people: frozenset[str]
    """Slack ids of those who answer for it: who asks, and of a file of the channel's cast who put it there."""
    channel: str
    """Where it is asked, and where whoever is in it sees what comes of it."""


class FileSource(Protocol):
    """The files of Slack's conversations that we are in."""

    async def describe(self, file_id: str, asker: Asker | None = None) -> SourceFile:
        """What Slack says of the file now: a message's own words of it may be old, or nothing but its id.

        An ``asker`` may have a file that one of those people put into Slack, that stands where they ask, or that stands
        in a public channel, when one of them is of the workspace and no guest; any other is to them as one that is not
        there, and not even its name is told. Without an asker nobody has to be asked about: it stands beside the very
        message that asks, or whoever runs Dailies gave it. Raises FetchError, FileUnavailable."""

    def open(self, file: SourceFile, *, largest: int) -> AbstractAsyncContextManager[Download]:
        """Its bytes, as ``Fetcher.open`` gives them. Raises FetchError, FileTooLarge, FileUnavailable. Of a file that
        was described long ago the link may be dead: describe it afresh."""


_UNAVAILABLE = {
    Unavailable.EXTERNAL: (
        "{name} only stands in Slack as a link and lies elsewhere.",
        "Download it and attach the file itself.",
    ),
    Unavailable.GONE: ("{name} was deleted from Slack.", "Attach it again."),
    Unavailable.HIDDEN: ("{name} is behind the limit of this workspace's Slack plan.", "Attach it again."),
    Unavailable.NO_ACCESS: (
        "Slack does not let Dailies read {name}.",
        (
            "Attach it where Dailies is, or invite Dailies there; somebody else's file must stand where you ask or, "
            "unless you are a guest here, in a public channel. When it can read no file at all, install the app again."
        ),
    ),
    Unavailable.PROCESSING: ("Slack has not got {name} ready yet.", "Try again in a minute."),
}


def short(name: str) -> str:
    """A file's name as a sentence can carry it."""
    plain = " ".join(name.split())
    return plain if len(plain) <= LONGEST_NAME else f"{plain[: LONGEST_NAME - 1]}…"


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _megabytes(size: int) -> str:
    """Rounded up, so that what is over a limit never reads like the limit itself, nor a limit like less."""
    return f"{size:,} bytes" if size < 100_000 else f"{ceil(size / 100_000) / 10:,g} MB"
