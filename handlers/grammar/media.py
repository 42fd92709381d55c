"""Files given by their addresses: a link, a file in Slack by its link, a clip of the thread by its number."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from ipaddress import ip_address
from pathlib import PurePosixPath
from urllib.parse import SplitResult, urlsplit

from bot.domain.forms import ENDINGS
from bot.domain.recipe import MediaKind, MediaRole, Medium, Place
from handlers.grammar.errors import NeedsFirstFrame
from handlers.grammar.slack_text import SLACK_DOMAINS, file_behind

LONGEST_ADDRESS = 2048
"""Characters. Signed links are long; no server reads much longer ones."""

KINDS = ENDINGS
"""File endings by kind, in lower case: what can be read. What a provider does not take is made into what it does."""

EXAMPLE_PICTURE = "https://example.com/panda.png"
EXAMPLE_VIDEO = "https://example.com/panda.mp4"

KIND_OF: Mapping[str, MediaKind] = {ending: kind for kind, endings in KINDS.items() for ending in endings}

_CLIP_NUMBER = re.compile(r"#([0-9]{1,6})")
_ADDRESS_LIKE = re.compile(r"=|#[0-9]|<?[A-Za-z][A-Za-z0-9+.-]*:/|www\.", re.IGNORECASE)
_FRAMES = frozenset({MediaRole.FIRST, MediaRole.LAST})
_SHOWN = 4
_NOUNS = {
    MediaKind.IMAGE: "a picture",
    MediaKind.VIDEO: "a video",
    MediaKind.AUDIO: "a sound",
    None: "a picture, video or sound",
}


def reading(role: MediaRole, assumed: MediaKind | None) -> Callable[[str], Medium | None]:
    """How an option for that role reads an address. A path without a known ending is of the ``assumed`` kind; for an
    option that takes all kinds (None) it is not readable, but for a file in Slack, of which Slack says what it is: it
    is held for a picture until then. ``#2`` becomes ``clip:#2``, still to be looked up."""

    def read(text: str) -> Medium | None:
        if number := _CLIP_NUMBER.fullmatch(text):
            kind = MediaKind.IMAGE if role in _FRAMES else MediaKind.VIDEO
            return Medium(role=role, kind=kind, url=f"{Place.CLIP.value}:#{int(number[1])}")
        address = _address(text)
        if address is None:
            return None
        found = KIND_OF.get(PurePosixPath(address.path).suffix.lower().removeprefix("."), assumed)
        if assumed is not None and found is not assumed:
            return None
        medium = in_slack(Medium(role=role, kind=found or MediaKind.IMAGE, url=text))
        unreadable = found is None or _is_slack_page(address)
        return None if medium.place is Place.LINK and unreadable else medium

    return read


def in_slack(medium: Medium, *, api_url: str = "") -> Medium:
    """A file of Slack's, given by its link, under Slack's own name for it; any other as it is. ``api_url`` is
    SLACK_API_URL: a workspace elsewhere has its links there."""
    link = medium.url
    file_id = file_behind(link, api_url=api_url) if link.startswith(("https:", "http:")) else None
    return medium if file_id is None else replace(medium, url=f"{Place.SLACK.value}:{file_id}")


def looks_like_address(token: str) -> bool:
    """Whether what stands behind ``--first`` was meant as its value, where an attached file could be meant instead."""
    return _ADDRESS_LIKE.match(token) is not None


def allowed_for(assumed: MediaKind | None) -> str:
    """What such an option may be given, as one phrase."""
    link = f"an https link to {_NOUNS[assumed]} or its link in Slack"
    ending = "" if assumed else f" (ending in .{', .'.join(KIND_OF)})"
    return f"{link}{ending}, the number of a clip in the thread such as #2, or an attached file"


def readable_files() -> str:
    """What can be given at all, as one phrase."""
    listed = [f"{_NOUNS[kind]} (.{', .'.join(endings[:_SHOWN])} …)" for kind, endings in KINDS.items()]
    return f"{', '.join(listed[:-1])} or {listed[-1]}"


def first_frame_for(option: str, start: str) -> NeedsFirstFrame:
    """The error for a last frame without a first one; ``start`` begins its example."""
    rest = option if option == "--loop" else f"{option} {EXAMPLE_PICTURE}"
    return NeedsFirstFrame(option=option, suggestion=f"{start} --first {EXAMPLE_PICTURE} {rest}")


def _address(text: str) -> SplitResult | None:
    """An address that a provider could open; None for anything else. Plain http will do on this very machine, where
    only the pretend providers are."""
    if len(text) > LONGEST_ADDRESS or any(character.isspace() or character in '"<>\\' for character in text):
        return None
    try:
        address = urlsplit(text)
        host, _ = address.hostname or "", address.port
    except ValueError:
        return None
    if not host or address.username is not None:
        return None
    return address if address.scheme == "https" or (address.scheme == "http" and _is_loopback(host)) else None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_slack_page(address: SplitResult) -> bool:
    """Whether it leads into Slack and to no file there: a message, a channel."""
    host = address.hostname or ""
    return any(host == one or host.endswith(f".{one}") for one in SLACK_DOMAINS)
