"""The ``state.values`` of a modal or message: what every input holds, untouched ones included."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .actions import options_of
from .wire import Json, Misuse

# The key of the value in the state, and that of the initial value in the element.
_KEYS = {
    "users_select": ("selected_user", "initial_user"),
    "conversations_select": ("selected_conversation", "initial_conversation"),
    "channels_select": ("selected_channel", "initial_channel"),
    "multi_users_select": ("selected_users", "initial_users"),
    "multi_conversations_select": ("selected_conversations", "initial_conversations"),
    "multi_channels_select": ("selected_channels", "initial_channels"),
    "datepicker": ("selected_date", "initial_date"),
    "timepicker": ("selected_time", "initial_time"),
    "datetimepicker": ("selected_date_time", "initial_date_time"),
}
_MANY = {"multi_static_select", "multi_external_select", "checkboxes"}
_ONE = {"static_select", "external_select", "radio_buttons"}
_NOT_INPUTS = {"button", "overflow", "image"}


def state_values(blocks: Sequence[Json], values: Json, *, files: Callable[[str], Json] | None = None) -> Json:
    """Every input's state. ``values`` holds what the person entered, by block_id or by action_id.

    ``files`` draws the file of an id for a ``file_input``. Raises `Misuse` for an input that is not there.
    """
    state: Json = {}
    used: set[str] = set()
    for block in blocks:
        for element in _inputs(block):
            block_id, action_id = str(block.get("block_id")), str(element.get("action_id"))
            given = values.get(block_id, values.get(action_id))
            used |= {block_id, action_id}
            if isinstance(given, dict) and action_id in given:
                given = given[action_id]
            state.setdefault(block_id, {})[action_id] = _held(element, given, files)
    unknown = sorted(set(values) - used)
    if unknown:
        raise Misuse("input_not_found", ", ".join(unknown))
    return state


def _inputs(block: Json) -> list[Json]:
    placed = [block.get("element"), block.get("accessory")]
    if block.get("type") == "actions":
        placed.extend(block.get("elements") or ())
    return [one for one in placed if isinstance(one, dict) and one.get("type") not in _NOT_INPUTS]


def _held(element: Json, given: Any, files: Callable[[str], Json] | None) -> Json:
    kind = element["type"]
    if kind == "file_input":
        drawn = [files(file_id) for file_id in given or ()] if files else []
        return {"type": kind, "files": drawn}
    if kind in _MANY:
        chosen = element.get("initial_options") or [] if given is None else [_option(element, one) for one in given]
        return {"type": kind, "selected_options": chosen}
    if kind in _ONE:
        option = element.get("initial_option") if given is None else _option(element, given) if given else None
        return {"type": kind, "selected_option": option}
    key, initial = _KEYS.get(kind, ("value", "initial_value"))
    entered = None if given == "" else given  # an input that was emptied holds null
    return {"type": kind, key: element.get(initial) if given is None else entered}


def _option(element: Json, value: Any) -> Json:
    for option in options_of(element):
        if value in {option.get("value"), option["text"]["text"]}:
            chosen: Json = option
            return chosen
    raise Misuse("option_not_found", str(value))
