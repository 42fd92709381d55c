"""``bot.ports.FileSource``: pictures, videos and sounds that people put into Slack.

``files.info`` first, always: a message says little of a file from another organisation (Slack Connect) and nothing new
of an old one. Then the bytes, with the bot token, which goes to Slack's own hosts and nowhere else. Who may not read a
file is not told so: Slack shows a login page, with status 200, often after a redirect.
Source: https://docs.slack.dev/reference/objects/file-object, https://docs.slack.dev/reference/methods/files.info
"""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from enum import Enum, auto
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.recipe import MediaKind
from bot.ports import (
    Asker,
    ChatError,
    ChatForbidden,
    ChatRefused,
    Directory,
    Download,
    Fetcher,
    FetchError,
    FileTooLarge,
    FileUnavailable,
    LinkExpired,
    LinkRedirected,
    SourceFile,
    Unavailable,
)
from handlers.grammar.media import KIND_OF
from handlers.grammar.slack_text import SLACK_DOMAINS, origin_of
from handlers.slack_errors import translated

MOST_REDIRECTS = 3

_EDGE_DOMAINS = ("slack-edge.com",)
"""Slack's own delivery network, by links that carry their permission themselves: no token is sent there."""

_PATH = r"(?:[/?][!-\[\]-~]*)?"
_LINK = re.compile(rf"https://(?P<host>[a-z0-9-]+(?:\.[a-z0-9-]+)+)(?::443)?{_PATH}", re.ASCII | re.IGNORECASE)
"""Narrower than a link may be: the host must be beyond doubt, whoever else reads it."""

_NOT_SEEN = frozenset({"file_not_found", "not_visible", "files_not_found"})
"""Slack's word for a file that is not there is its word for one that we may not see."""

_GONE = frozenset({"file_deleted"})
_MODES = {
    "external": Unavailable.EXTERNAL,
    "tombstone": Unavailable.GONE,
    "hidden_by_limit": Unavailable.HIDDEN,
}
_PASSED = frozenset({"tombstone", "hidden_by_limit"})
"""Of such a file Slack says nothing else, not whose it was either."""
VISIBLE = frozenset({"", "visible"})
"""What ``file_access`` says of a file that may be read."""

_SUBTYPES = {"slack_audio": MediaKind.AUDIO, "slack_video": MediaKind.VIDEO}
"""What people record in Slack itself; its sound comes in a container for video."""
_KINDS = {kind.value: kind for kind in MediaKind}


class _Place(Enum):
    """Whose host a link names."""

    SLACK = auto()
    EDGE = auto()
    ELSEWHERE = auto()


class SlackFiles:
    """The files of one workspace. ``client`` has the bot token and no retry handlers; ``fetcher`` must be allowed to go
    to ``hosts_behind(api_url)``; ``directory`` says who of those that ask is of the workspace."""

    def __init__(self, *, client: AsyncWebClient, fetcher: Fetcher, directory: Directory, api_url: str) -> None:
        self._client = client
        self._fetcher = fetcher
        self._directory = directory
        self._at_api = re.compile(re.escape(origin_of(api_url) or "https://slack.com") + _PATH)

    async def describe(self, file_id: str, asker: Asker | None = None) -> SourceFile:
        """See ``bot.ports.FileSource``."""
        try:
            with translated():
                answer = (await self._client.files_info(file=file_id)).data
        except ChatError as error:
            raise _from_answer(error) from error
        told = answer.get("file") if isinstance(answer, Mapping) else None
        if not isinstance(told, Mapping):
            raise FetchError("Slack says nothing of the file.", "Try again later.")
        shown = asker is None or await self._may_be_shown(told, asker)
        return self._described(file_id, told, shown=shown)

    def open(self, file: SourceFile, *, largest: int) -> AbstractAsyncContextManager[Download]:
        """See ``bot.ports.FileSource``."""
        return self._open(file, largest)

    async def _may_be_shown(self, told: Mapping[str, Any], asker: Asker) -> bool:
        """Whether it is theirs, stands where they ask, or stands in a public channel and one of them is of the
        workspace: guests and people of other organisations can open no channel that they are not in. Raises FetchError
        when Slack does not say who they are."""
        if _stands_here(told, asker) or _text(told, "user") in asker.people:
            return True
        if not _is_public(told):
            return False
        try:
            members = [await self._directory.member(person) for person in sorted(asker.people)]
        except ChatError as error:
            raise _from_answer(error) from error
        return any(member is not None and not (member.guest or member.outsider) for member in members)

    def _described(self, file_id: str, told: Mapping[str, Any], *, shown: bool) -> SourceFile:
        name = _text(told, "name") or _text(told, "title") if shown else ""
        mode, access = _text(told, "mode"), _text(told, "file_access")
        if not shown and mode not in _PASSED:
            raise FileUnavailable(Unavailable.NO_ACCESS, name="")
        if told.get("is_external") is True and mode not in _MODES:
            mode = "external"
        if mode in _MODES:
            raise FileUnavailable(_MODES[mode], name=name, code=mode)
        if access not in VISIBLE:
            raise FileUnavailable(Unavailable.NO_ACCESS, name=name, code=access)
        url = _text(told, "url_private_download") or _text(told, "url_private")
        if not url:
            raise FileUnavailable(Unavailable.PROCESSING, name=name)
        if self._place(url) is _Place.ELSEWHERE:
            raise FileUnavailable(Unavailable.EXTERNAL, name=name)
        size = told.get("size")
        known = size if isinstance(size, int) and not isinstance(size, bool) and size > 0 else None
        return SourceFile(id=file_id, name=name or "the file", kind=kind_told(told, name), size=known, url=url)

    @asynccontextmanager
    async def _open(self, file: SourceFile, largest: int) -> AsyncIterator[Download]:
        if file.size is not None and file.size > largest:
            raise FileTooLarge(largest=largest, size=file.size, name=file.name)
        try:
            async with AsyncExitStack() as stack:
                download = await self._answered(stack, file, largest)
                if download.content_type == "text/html":
                    raise FileUnavailable(Unavailable.NO_ACCESS, name=file.name, code="html")
                yield download
        except FileTooLarge as error:  # also from the chunks
            raise FileTooLarge(largest=largest, size=error.size, name=file.name) from error
        except LinkExpired as error:
            reason = Unavailable.GONE if error.status in {404, 410} else Unavailable.NO_ACCESS
            raise FileUnavailable(reason, name=file.name, code=f"http_{error.status}") from error

    async def _answered(self, stack: AsyncExitStack, file: SourceFile, largest: int) -> Download:
        """The answer at the end of Slack's own redirects. Raises FileUnavailable where one leads out of Slack: that is
        how it asks people to sign in."""
        url = file.url
        for _ in range(1 + MOST_REDIRECTS):
            place = self._place(url)
            if place is _Place.ELSEWHERE:
                break
            token = self._client.token if place is _Place.SLACK else None
            try:
                return await stack.enter_async_context(self._fetcher.open(url, largest=largest, bearer=token))
            except LinkRedirected as onward:
                url = onward.location
        raise FileUnavailable(Unavailable.NO_ACCESS, name=file.name, code="redirect")

    def _place(self, url: str) -> _Place:
        """Where a link leads: to the host of SLACK_API_URL by its very origin, or to a host of Slack's by https."""
        if self._at_api.fullmatch(url):
            return _Place.SLACK
        link = _LINK.fullmatch(url)
        if link is None:
            return _Place.ELSEWHERE
        if _is_within(link["host"], SLACK_DOMAINS):
            return _Place.SLACK
        return _Place.EDGE if _is_within(link["host"], _EDGE_DOMAINS) else _Place.ELSEWHERE


def hosts_behind(api_url: str) -> frozenset[str]:
    """What a guarded fetcher must be allowed so that it can fetch files from where SLACK_API_URL points: ``host:port``.
    Slack's own hosts are public and need no leave."""
    api = urlsplit(origin_of(api_url))
    if not api.hostname or _is_within(api.hostname, SLACK_DOMAINS):
        return frozenset()
    host = f"[{api.hostname}]" if ":" in api.hostname else api.hostname
    return frozenset({f"{host}:{api.port or (443 if api.scheme == 'https' else 80)}"})


def _is_within(host: str, domains: tuple[str, ...]) -> bool:
    plain = host.lower()
    return any(plain == domain or plain.endswith(f".{domain}") for domain in domains)


def _from_answer(error: ChatError) -> FetchError:
    """What it means for a file that Slack did not say what is known of it."""
    if error.code in _GONE:
        return FileUnavailable(Unavailable.GONE, name="", code=error.code)
    if error.code in _NOT_SEEN or isinstance(error, ChatForbidden | ChatRefused):
        return FileUnavailable(Unavailable.NO_ACCESS, name="", code=error.code)
    return FetchError(str(error), "Try again later.", retry_after_seconds=error.retry_after_seconds)


def _stands_here(told: Mapping[str, Any], asker: Asker) -> bool:
    """Whether it is shared where they ask. ``files.info`` says so itself: no list of members is needed, which an app
    may have no leave to read."""
    listed = [side for name in ("channels", "groups", "ims") if isinstance(side := told.get(name), list)]
    return any(asker.channel in side for side in (*_shares(told).values(), *listed))


def _is_public(told: Mapping[str, Any]) -> bool:
    """Whether it stands in a public channel."""
    return told.get("is_public") is True or bool(_shares(told).get("public"))


def _shares(told: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """Where it was shared, by conversation, in those that are public and those that are private."""
    sides = told.get("shares")
    entries = sides.items() if isinstance(sides, Mapping) else ()
    return {name: side for name, side in entries if isinstance(side, Mapping)}


def kind_told(told: Mapping[str, Any], name: str) -> MediaKind | None:
    """What a file object seems to be: by what Slack found, else by the type that it took from the name, else by the
    name."""
    if (recorded := _SUBTYPES.get(_text(told, "subtype"))) is not None:
        return recorded
    if (found := _KINDS.get(_text(told, "mimetype").partition("/")[0].lower())) is not None:
        return found
    ending = PurePosixPath(name).suffix.removeprefix(".").lower()
    return KIND_OF.get(_text(told, "filetype").lower()) or KIND_OF.get(ending)


def _text(told: Mapping[str, Any], key: str) -> str:
    value = told.get(key)
    return value if isinstance(value, str) else ""
