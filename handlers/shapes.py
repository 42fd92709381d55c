"""What a payload must look like for our listeners, and for Bolt on its way to them: both read fields without asking.

Only what is read is looked at, and only its kind: Slack adds fields and values as it likes. Where Bolt and we look for
an object or a text, ``null`` counts as absence, and so does an empty id that nobody needs.

https://docs.slack.dev/reference/interaction-payloads, https://docs.slack.dev/reference/events
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

DEEPEST = 100
"""Levels of JSON. Slack's rich text and views have about fifteen, and who walks a payload may do so recursively."""

_IDENTIFIER = re.compile(r"[!-~]{1,255}")
"""Slack's ids, timestamps and trigger ids are short ASCII; they become keys of rows."""


class Misshapen(Exception):
    """Slack documents another kind of value at ``field``, whose name is ours: nothing of the payload is in it."""

    def __init__(self, field: str) -> None:
        self.field = field
        super().__init__(f"The payload has no proper {field}.")


def _text(value: object) -> bool:
    return isinstance(value, str)


def _identifier(value: object) -> bool:
    return isinstance(value, str) and _IDENTIFIER.fullmatch(value) is not None


def _identifier_or_empty(value: object) -> bool:
    return value == "" or _identifier(value)


def _object(value: object) -> bool:
    return isinstance(value, dict)


@dataclass(frozen=True, kw_only=True)
class _Rule:
    """``field`` is a path with dots; what stands before the last dot is checked by an earlier rule."""

    field: str
    fits: Callable[[object], bool]
    needed: bool


def _needs(fits: Callable[[object], bool], *fields: str) -> list[_Rule]:
    return [_Rule(field=field, fits=fits, needed=True) for field in fields]


def _may_have(fits: Callable[[object], bool], *fields: str) -> list[_Rule]:
    return [_Rule(field=field, fits=fits, needed=False) for field in fields]


_COMMAND = [
    *_needs(_text, "command"),
    *_needs(_identifier, "channel_id", "user_id", "trigger_id"),
    *_may_have(_text, "text", "response_url"),
]
_EVENT = [*_needs(_object, "event"), *_needs(_text, "event.type")]
_INTERACTION = [
    *_may_have(_object, "user", "channel", "container", "message"),
    *_may_have(_text, "callback_id", "action_id", "block_id"),
    *_may_have(_identifier_or_empty, "user.id", "channel.id", "container.channel_id", "container.thread_ts"),
]
_MESSAGE = [
    *_needs(_identifier, "event.channel", "event.ts"),
    *_may_have(_identifier_or_empty, "event.thread_ts", "event.user", "event.bot_id"),
    *_may_have(_text, "event.subtype", "event.text"),
]
_REACTION = [
    *_needs(_text, "event.reaction"),
    *_needs(_identifier, "event_id", "event.user"),
    *_needs(_object, "event.item"),
    *_may_have(_text, "event.item.type", "event.item_user"),
]
_REACTION_TO_MESSAGE = _needs(_identifier, "event.item.channel", "event.item.ts")
_VIEW = [*_needs(_object, "view"), *_needs(_text, "view.type"), *_needs(_identifier, "user.id")]

_REACTIONS = frozenset({"reaction_added", "reaction_removed"})
_EVENTS = {"message": _MESSAGE, "app_mention": _MESSAGE, **dict.fromkeys(_REACTIONS, _REACTION)}
_ACTIONS = {
    "block_actions": [*_needs(_text, "action_id"), *_may_have(_text, "value", "block_id")],
    "interactive_message": _may_have(_text, "value", "name"),  # buttons of attachments are older than Block Kit
}
_VIEWS = frozenset({"view_submission", "view_closed"})
_INTERACTIONS = frozenset(
    {
        *(*_ACTIONS, *_VIEWS, "block_suggestion", "dialog_cancellation", "dialog_submission", "dialog_suggestion"),
        *("message_action", "shortcut", "workflow_step_edit"),
    }
)


def shaped(body: Mapping[str, Any]) -> Json:
    """The payload without its ``null`` fields, once it is known to be shaped as Slack documents it. Halves of
    characters, which nothing can store or send, are left out of what people typed. Raises Misshapen."""
    if not _walk(body):
        if body.get("type") == "url_verification":
            raise Misshapen("challenge")  # to be given back as it came, or not at all
        body = _whole(body)
    payload = {name: value for name, value in body.items() if value is not None}
    if "ssl_check" in payload:
        return payload
    if "command" in payload:
        _check(payload, _COMMAND)
    else:
        _check(payload, _needs(_text, "type"))
    _check(payload, _may_have(_object, "event", "view"))
    match payload.get("type"):
        case "url_verification":
            _check(payload, _needs(_text, "challenge"))
        case "event_callback":
            _check_event(payload)
        case str(kind) if kind in _INTERACTIONS:
            _check_interaction(payload, kind)
    return payload


def _walk(body: object) -> bool:
    """Whether all texts are whole. JSON as Python reads it also has halves of characters, NaN and any depth; of the
    latter two nothing can be made. Raises Misshapen."""
    todo = [(body, 1)]
    whole = True
    while todo:
        one, level = todo.pop()
        if level > DEEPEST:
            raise Misshapen("depth")
        match one:
            case str() if not one.isascii():
                whole = whole and one == _without_halves(one)
            case float() if not math.isfinite(one):
                raise Misshapen("number")
            case Mapping():
                todo += ((part, level + 1) for pair in one.items() for part in pair)
            case list():
                todo += ((part, level + 1) for part in one)
    return whole


def _whole(value: Any) -> Any:
    """The same without halves of characters, at any depth."""
    match value:
        case str():
            return _without_halves(value)
        case Mapping():
            return {_whole(name): _whole(part) for name, part in value.items()}
        case list():
            return [_whole(part) for part in value]
    return value


def _without_halves(text: str) -> str:
    """The text without what UTF-8 cannot say: surrogates that stand alone."""
    return text.encode(errors="ignore").decode()


def _check_event(payload: Json) -> None:
    _check(payload, _EVENT)
    event = payload["event"]
    _check(payload, _EVENTS.get(event["type"], []))
    if event["type"] in _REACTIONS and event["item"].get("type") == "message":
        _check(payload, _REACTION_TO_MESSAGE)


def _check_interaction(payload: Json, kind: str) -> None:
    _check(payload, _INTERACTION)
    if kind in _VIEWS:
        _check(payload, _VIEW)
    if kind in _ACTIONS:
        _check(payload, _needs(_identifier, "user.id"))
        _check_actions(payload.get("actions"), _ACTIONS[kind])


def _check_actions(actions: object, rules: list[_Rule]) -> None:
    if not isinstance(actions, list) or not actions:
        raise Misshapen("actions")
    for action in actions:
        if not isinstance(action, dict):
            raise Misshapen("actions")
        _check(action, rules)


def _check(holder: Json, rules: Iterable[_Rule]) -> None:
    for rule in rules:
        value = _at(holder, rule.field)
        if not rule.fits(value) and (rule.needed or value is not None):
            raise Misshapen(rule.field)


def _at(holder: object, field: str) -> object:
    """What stands at a path, None when nothing does."""
    for name in field.split("."):
        holder = holder.get(name) if isinstance(holder, dict) else None
    return holder
