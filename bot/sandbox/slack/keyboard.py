"""What a person's Slack client makes of typed text: mentions, channels and links become mark-up, the rest
escapes."""

from __future__ import annotations

import re

from .clock import Identifiers
from .wire import Json, escape
from .workspace import Workspace

# Either mark-up already written out, an address, or a @name / #name that may be known.
_TOKEN = re.compile(
    r"(?P<markup><(?:[@#!][A-Za-z0-9][^<>]*|(?:https?|mailto):[^<>]+)>)"
    r"|(?P<link>\bhttps?://[^\s<>\"]+[^\s<>\".,;:!?)'\]])"
    r"|(?<![\w@])@(?P<person>[\w.-]*\w)"
    r"|(?<![\w#&])#(?P<channel>[a-z][\w-]*\w)"
)


def typed(workspace: Workspace, text: str, *, labels: bool = False) -> str:
    """The text of a message as a client sends it.

    ``@name`` and ``#channel`` of this workspace become ``<@U…>`` and ``<#C…|channel>``, addresses become
    links.
    With ``labels`` people are written ``<@U…|name>``, as a slash command with ``should_escape`` gets them.
    """
    parts: list[str] = []
    end = 0
    for found in _TOKEN.finditer(text):
        parts.append(escape(text[end : found.start()]))
        parts.append(_marked_up(workspace, found, labels=labels))
        end = found.end()
    parts.append(escape(text[end:]))
    return "".join(parts)


def _marked_up(workspace: Workspace, found: re.Match[str], *, labels: bool) -> str:
    if found["link"]:
        return f"<{found['link'].replace('&', '&amp;')}>"
    if found["person"]:
        person = next((one for one in workspace.people.values() if one.name == found["person"].lower()), None)
        if person is not None:
            return f"<@{person.id}|{person.name}>" if labels else f"<@{person.id}>"
    if found["channel"]:
        channel = next((one for one in workspace.channels.values() if one.name == found["channel"]), None)
        if channel is not None:
            return f"<#{channel.id}|{channel.name}>"
    return found["markup"] or escape(found.group())


def rich_text(text: str, ids: Identifiers) -> list[Json]:
    """The ``rich_text`` block that Slack adds to what a person typed."""
    elements = [_element(part) for part in re.split(r"(<[^<>]+>)", text) if part]
    section = {"type": "rich_text_section", "elements": elements}
    return [{"type": "rich_text", "block_id": ids.secret(5), "elements": [section]}] if elements else []


def _element(part: str) -> Json:
    inner = part[1:-1].partition("|")[0] if part.startswith("<") else ""
    if inner.startswith("@"):
        return {"type": "user", "user_id": inner[1:]}
    if inner.startswith("#"):
        return {"type": "channel", "channel_id": inner[1:]}
    if inner.startswith("!"):
        return {"type": "broadcast", "range": inner[1:]}
    if inner:
        return {"type": "link", "url": unescape(inner)}
    return {"type": "text", "text": unescape(part)}


def unescape(text: str) -> str:
    """Stored text as it is read on the screen."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
