"""The few Block Kit shapes that Dailies uses, within Slack's limits, and the one way to quote somebody.

What people and providers wrote is shown as ``plain_text``; where only mrkdwn can stand (a message's ``text``, a file's
comment) it goes through ``escape``, which leaves nothing live in it.
Limits: https://docs.slack.dev/reference/block-kit/blocks and https://docs.slack.dev/reference/block-kit/block-elements
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Block = dict[str, Any]
"""One Block Kit object, as JSON."""

MESSAGE_BLOCKS = 50
SECTION_TEXT = 3000
CONTEXT_TEXT = 2000
BUTTON_LABEL = 75
"""Also of its accessibility label."""
BUTTON_VALUE = 2000
CONFIRM_TITLE = 100
CONFIRM_TEXT = 300
CONFIRM_BUTTON = 30
MESSAGE_TEXT = 4000
"""https://docs.slack.dev/reference/methods/chat.postMessage advises at most 4,000 characters."""

_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_INERT = str.maketrans({"*": "∗", "_": "＿", "~": "∼", "`": "ˋ"})
"""mrkdwn knows no escape for its own signs, so each is replaced by its likeness."""

_SCHEME = re.compile(r"(?<=\w):(?=//)")
_EMOJI = re.compile(r"(?<![0-9]):(?=[a-z0-9_+'-]+:)", re.IGNORECASE)
_WORD_JOINER = "\u2060"


@dataclass(frozen=True, kw_only=True)
class Message:
    """What a call that posts needs. ``text`` says all of it for screen readers and notifications; ``blocks`` may be
    empty where the text is enough."""

    text: str
    blocks: list[Block]


def cut(text: str, most: int) -> str:
    """At most that many characters, with an ellipsis where something is missing."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def one_line(text: str) -> str:
    """Without line breaks, so that nothing in it stands at the beginning of a line."""
    return " ".join(text.split())


def escape(text: str) -> str:
    """Somebody's words for mrkdwn: no mention, link, emoji or formatting of theirs comes to life.
    Source: https://docs.slack.dev/messaging/formatting-message-text#escaping"""
    apart = _EMOJI.sub(f":{_WORD_JOINER}", _SCHEME.sub(f"{_WORD_JOINER}:", one_line(text)))
    return apart.translate(_ENTITIES).translate(_INERT)


def quoted(text: str, most: int) -> str:
    """Somebody's words for mrkdwn, cut and in quotation marks."""
    return f"“{escape(cut(one_line(text), most))}”"


def local_time(at: datetime, form: str = "{time}") -> str:
    """A time that Slack shows in the reader's own zone; UTC where it cannot.
    Source: https://docs.slack.dev/messaging/formatting-message-text#date-formatting"""
    return f"<!date^{int(at.timestamp())}^{form}|{at:%Y-%m-%d %H:%M} UTC>"


def mrkdwn(text: str) -> Block:
    """A section of our own words."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": cut(text, SECTION_TEXT)}}


def plain(text: str, most: int = SECTION_TEXT) -> Block:
    """A section of somebody's words, which nothing comes to life in."""
    return {"type": "section", "text": _plain_text(cut(text, min(most, SECTION_TEXT)))}


def small(text: str) -> Block:
    """A context line of our own words."""
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": cut(text, CONTEXT_TEXT)}]}


def small_plain(text: str, most: int = CONTEXT_TEXT) -> Block:
    """A context line of somebody's words."""
    return {"type": "context", "elements": [_plain_text(cut(one_line(text), min(most, CONTEXT_TEXT)))]}


def button(label: str, *, value: str, says: str, style: str | None = None, confirm: Block | None = None) -> Block:
    """A button. Its action id is made of its label; ``says`` is what a screen reader reads, since labels repeat."""
    made: Block = {
        "type": "button",
        "action_id": action_id(label),
        "text": _plain_text(cut(label, BUTTON_LABEL)),
        "value": value,
        "accessibility_label": cut(says, BUTTON_LABEL),
    }
    if style:
        made["style"] = style
    if confirm:
        made["confirm"] = confirm
    return made


def action_id(label: str) -> str:
    """``clip.order_again`` for *Order again*."""
    return f"clip.{label.lower().replace(' ', '_')}"


def dialog(title: str, text: str, *, yes: str, no: str, danger: bool = False) -> Block:
    """The question Slack asks before a button counts."""
    made: Block = {
        "title": _plain_text(cut(title, CONFIRM_TITLE)),
        "text": _plain_text(cut(text, CONFIRM_TEXT)),
        "confirm": _plain_text(cut(yes, CONFIRM_BUTTON)),
        "deny": _plain_text(cut(no, CONFIRM_BUTTON)),
    }
    if danger:
        made["style"] = "danger"
    return made


def buttons(elements: list[Block]) -> list[Block]:
    """An actions block with them, or nothing when there are none."""
    return [{"type": "actions", "elements": elements}] if elements else []


def _plain_text(text: str) -> Block:
    return {"type": "plain_text", "text": text, "emoji": False}


def said(text: str) -> Message:
    """A message of one paragraph of our own words."""
    whole = cut(text, MESSAGE_TEXT)
    return Message(text=whole, blocks=[mrkdwn(whole)])
