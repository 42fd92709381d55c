"""What Slack and phones make of typed text, undone.

Slack escapes ``& < >`` and writes mentions, channels and links as ``<…>`` references; keyboards turn straight quotes
into curly ones and add spaces that look like spaces.
Source: https://docs.slack.dev/messaging/formatting-message-text
"""

import re
import unicodedata
from urllib.parse import urlsplit

SLACK_DOMAINS = ("slack.com", "slack-gov.com")
"""Whose hosts, and those below them, are Slack's own; the latter is GovSlack."""

_STRAIGHT = str.maketrans(
    {
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\uff02", '"'),
        **dict.fromkeys("\u2018\u2019\u201a\u201b\uff07", "'"),
    }
)
_BLANK_FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Characters that are letters or symbols to Unicode and nothing to the eye."""

_JOINERS = frozenset("\u200c\u200d")
"""Invisible, and part of the spelling in Persian, Indic scripts and compound emoji."""

_INVISIBLE = frozenset({"Cc", "Cf", "Cs"})
_ENTITY = re.compile(r"&(amp|lt|gt);")
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">"}
REFERENCE = r"<([@\#!][^<>]*|[A-Za-z][A-Za-z0-9+.-]*:[^<>]*)>"
"""A mention, channel, command or link as Slack writes it; a sharp bracket that a person typed arrives as an entity."""

_REFERENCE = re.compile(REFERENCE)


def normalise(text: str) -> str:
    """Text with straight quotes, plain spaces and no invisible characters. Slack's entities stay, and its references
    that show something."""
    kept = "".join(_kept(text, place) for place in range(len(text))).translate(_STRAIGHT)
    return _REFERENCE.sub(lambda found: found[0] if _words(found[1]) else " ", kept)


def _kept(text: str, place: int) -> str:
    character = text[place]
    if character.isspace() or character in _BLANK_FILLERS:
        return " "
    if character in _JOINERS:
        return character if _joins(text, place) else ""
    return "" if unicodedata.category(character) in _INVISIBLE else character


def _joins(text: str, place: int) -> bool:
    """Between two characters beyond ASCII a joiner is spelling; elsewhere it only hides something."""
    neighbours = text[max(0, place - 1) : place] + text[place + 1 : place + 2]
    return len(neighbours) == 2 and all(
        ord(one) > 127 and not one.isspace() and unicodedata.category(one) not in _INVISIBLE for one in neighbours
    )


def name_of(user: str) -> re.Pattern[str]:
    """How Slack writes a mention of that user, and the comma or colon that people put behind a name."""
    return re.compile(rf"<@{re.escape(user)}(?:\|[^<>]*)?>[:,]?")


def entities(text: str) -> str:
    """Text with Slack's three entities, as ``readable`` undoes them.
    Source: https://docs.slack.dev/messaging/formatting-message-text#escaping"""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def readable(text: str) -> str:
    """Normalised text as a person reads it: ``@name``, ``#channel``, a link's label; entities are characters again."""
    return _unescape(_REFERENCE.sub(lambda found: _words(found[1]), text))


def literal(text: str) -> str:
    """As ``readable``, but a web link is its address: what an option's value means."""
    return _unescape(_REFERENCE.sub(lambda found: _address(found[1]), text))


def _unescape(text: str) -> str:
    return _ENTITY.sub(lambda found: _ENTITIES[found[1]], text)


def _address(reference: str) -> str:
    target, _, _ = reference.partition("|")
    return target if target.startswith(("https://", "http://")) else _words(reference)


def _words(reference: str) -> str:
    """What Slack shows for a reference; it must not open a quotation."""
    return _shown(reference).replace('"', "'").strip()


def _shown(reference: str) -> str:
    target, _, label = (part.strip() for part in reference.partition("|"))
    if target.startswith("@"):
        return f"@{label.lstrip('@') or target[1:]}"
    if target.startswith("#"):
        return f"#{label.lstrip('#') or target[1:]}"
    if target.startswith("!"):
        return label.lstrip("@") or target[1:].partition("^")[0]
    return label or target.removeprefix("mailto:").removeprefix("tel:")


_PERMALINKS = (
    re.compile(r"/files/[A-Z0-9]+/(?P<file>F[A-Z0-9]+)(?:/[^/]*)?/?"),
    re.compile(r"/files-(?:pri|tmb)/T[A-Z0-9]+-(?P<file>F[A-Z0-9]+)(?:-[0-9a-f]+)?(?:/.*)?"),
)
"""Paths that name a file: what "Copy link" of a file gives, and its private addresses."""
_PUBLIC_FILE = re.compile(r"/T[A-Z0-9]+-(?P<file>F[A-Z0-9]+)(?:-[0-9a-f]+)?/?")
_PUBLIC_HOST = "slack-files.com"
_LONGEST_FILE_ID = 20


def file_behind(link: str, *, api_url: str = "") -> str | None:
    """The id of the Slack file that a link leads to, None for any other link. Whether we may see that file, Slack says
    when asked. ``api_url`` is SLACK_API_URL: a workspace elsewhere has its links there too."""
    try:
        parts = urlsplit(link)
        host, path = parts.hostname or "", parts.path
    except ValueError:
        return None
    if any(character.isspace() for character in link) or parts.username is not None:
        return None
    in_slack = any(host == one or host.endswith(f".{one}") for one in SLACK_DOMAINS)
    paths: tuple[re.Pattern[str], ...] = ()
    if parts.scheme == "https" and host == _PUBLIC_HOST:
        paths = (_PUBLIC_FILE,)
    elif (parts.scheme == "https" and in_slack) or (api_url and origin_of(link) == origin_of(api_url)):
        paths = _PERMALINKS
    found = next((match for one in paths if (match := one.fullmatch(path))), None)
    return found["file"] if found is not None and len(found["file"]) <= _LONGEST_FILE_ID else None


def origin_of(url: str) -> str:
    """``scheme://host:port`` of a web address, in lower case and with its port only where it is written; empty for
    what is none."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    if parts.scheme not in {"https", "http"} or not host or parts.username is not None:
        return ""
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" if port is None else f"{parts.scheme}://{shown}:{port}"
