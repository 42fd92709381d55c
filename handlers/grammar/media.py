"""Files given by their addresses: ``--first``, ``--last``, ``--loop``, ``--ref``, ``--edit``, ``--extend``."""

import re
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from pathlib import PurePosixPath
from urllib.parse import SplitResult, urlsplit

from bot.domain.recipe import MediaKind, MediaRole, Medium
from handlers.grammar.errors import NeedsFirstFrame, NotAvailableYet, UsageError

LONGEST_ADDRESS = 2048
"""Characters. Signed links are long; no server reads much longer ones."""

KINDS: Mapping[MediaKind, tuple[str, ...]] = {
    MediaKind.IMAGE: ("jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff", "gif"),
    MediaKind.VIDEO: ("mp4", "mov"),
    MediaKind.AUDIO: ("mp3", "wav"),
}
"""File endings by kind, in lower case: the formats that the providers' documents name."""

EXAMPLE_PICTURE = "https://example.com/panda.png"
EXAMPLE_VIDEO = "https://example.com/panda.mp4"

_CLIP_NUMBER = re.compile(r"#[0-9]{1,6}")
_SLACK_HOSTS = ("slack.com", "slack-files.com", "slack-edge.com")
_KIND_OF = {ending: kind for kind, endings in KINDS.items() for ending in endings}


def reading(role: MediaRole, assumed: MediaKind | None) -> Callable[[str], Medium | None]:
    """How an option for that role reads an address. A path without a known ending is of the ``assumed`` kind, or, for
    an option that takes all kinds (None), not readable."""

    def read(text: str) -> Medium | None:
        address = _address(text)
        if address is None:
            return None
        kind = _KIND_OF.get(PurePosixPath(address.path).suffix.lower().removeprefix("."), assumed)
        if kind is None or (assumed is not None and kind is not assumed):
            return None
        return Medium(role=role, kind=kind, url=text)

    return read


def allowed_for(assumed: MediaKind | None) -> str:
    """What such an option may be given, as one phrase."""
    if assumed is not None:
        return f"an https link to {'a picture' if assumed is MediaKind.IMAGE else 'a video'}"
    return f"an https link whose path ends in .{', .'.join(_KIND_OF)}"


def not_yet(text: str, *, typed: str, suggestion: str) -> UsageError | None:
    """The error for a file that is in Slack or a clip of the thread: not to be had yet, unlike any other ill value."""
    if _CLIP_NUMBER.fullmatch(text):
        instead = "A clip of the thread cannot be given so far: give an https link that the provider can open."
    elif (address := _address(text)) and _in_slack(address.hostname or ""):
        instead = "A file in Slack cannot be given so far: give an https link that the provider can open."
    else:
        return None
    return NotAvailableYet(option=typed, instead=instead, suggestion=suggestion)


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


def _in_slack(host: str) -> bool:
    return any(host == one or host.endswith(f".{one}") for one in _SLACK_HOSTS)
