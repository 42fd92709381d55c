"""What goes over the wire everywhere: JSON, Slack's errors, Slack's text escaping."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]
"""A JSON object. Slack's payloads are open-ended, so their values are not typed further."""

# What Slack leaves alone between angle brackets: mentions, channels, special mentions, links.
# https://docs.slack.dev/messaging/formatting-message-text
_CONTROL_SEQUENCE = re.compile(r"<(?:[@#!][^<>\s][^<>]*|(?:https?|mailto|tel|slack):[^<>]+)>")
_BARE_AMPERSAND = re.compile(r"&(?!(?:amp|lt|gt);)")


class SlackError(Exception):
    """A Web API call that Slack refuses: answered with HTTP 200, ``ok: false`` and ``error``.

    ``fields`` are further keys of the answer (``needed`` and ``provided`` of a missing scope, for one).
    """

    def __init__(self, error: str, **fields: Any) -> None:
        self.error = error
        self.fields = fields
        super().__init__(f"Slack refuses with {error}")

    def body(self) -> Json:
        """The answer's JSON body."""
        return {"ok": False, "error": self.error, **self.fields}


class RateLimited(Exception):
    """A call over its limit: answered with HTTP 429 and ``Retry-After`` in whole seconds."""

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(f"Slack asks to wait {retry_after} s")


class Misuse(Exception):
    """A control request that no person could make in Slack (an unknown person, a button that is not
    there)."""

    def __init__(self, error: str, detail: str = "") -> None:
        self.error = error
        self.detail = detail
        super().__init__(f"{error}: {detail}" if detail else error)


def escape(text: str) -> str:
    """Typed text as Slack stores it: the three characters of its mark-up become entities."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def stored_text(text: str) -> str:
    """Text given to the API as Slack stores it: control sequences stay, stray ``& < >`` become entities."""
    parts: list[str] = []
    end = 0
    for found in _CONTROL_SEQUENCE.finditer(text):
        parts.append(_escape_stray(text[end : found.start()]))
        parts.append(found.group())
        end = found.end()
    parts.append(_escape_stray(text[end:]))
    return "".join(parts)


def _escape_stray(text: str) -> str:
    return _BARE_AMPERSAND.sub("&amp;", text).replace("<", "&lt;").replace(">", "&gt;")


def truth(value: object) -> bool:
    """A boolean argument in any wire form: JSON ``true``, query ``1``, form ``true``."""
    if isinstance(value, str):
        return value.strip().lower() in {"1", "true", "yes", "on"}
    return bool(value)


def text_of(source: Mapping[str, Any], name: str) -> str:
    """The argument ``name`` as text; empty when it is absent."""
    value = source.get(name)
    return "" if value is None else str(value)
