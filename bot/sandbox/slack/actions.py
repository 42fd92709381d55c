"""Finding the element that a person clicks, and drawing the action that the app gets for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .wire import Json, Misuse

_SINGLE = {
    "users_select": "selected_user",
    "conversations_select": "selected_conversation",
    "channels_select": "selected_channel",
    "datepicker": "selected_date",
    "timepicker": "selected_time",
    "datetimepicker": "selected_date_time",
}


def find_action(
    generations: Sequence[Sequence[Json]], *, action_id: str, block_id: str | None, value: str | None
) -> tuple[list[Json], Json]:
    """The newest block list that has the element, and the action that clicking it makes.

    ``value`` picks a button by its value, or an option of a menu by its value or its text.
    Raises `Misuse` when no person could make that click.
    """
    seen: list[str] = []
    for blocks in generations:
        for block, element in _elements(blocks):
            seen.append(str(element.get("action_id")))
            if element.get("action_id") != action_id or (block_id and block.get("block_id") != block_id):
                continue
            action = _action(block, element, value)
            if action is not None:
                return list(blocks), action
    raise Misuse("action_not_found", f"{action_id} (value {value!r}); there are: {', '.join(seen) or 'none'}")


def _elements(blocks: Sequence[Json]) -> Iterator[tuple[Json, Json]]:
    for block in blocks:
        for element in block.get("elements") or ():
            if isinstance(element, dict) and "action_id" in element:
                yield block, element
        for place in ("accessory", "element"):
            element = block.get(place)
            if isinstance(element, dict) and "action_id" in element:
                yield block, element
        for element in block.get("actions") or ():
            yield block, element
        yield from _elements(block.get("child_blocks") or ())


def _action(block: Json, element: Json, value: str | None) -> Json | None:
    kind = element["type"]
    action: Json = {"type": kind, "action_id": element["action_id"], "block_id": block.get("block_id")}
    if kind == "button":
        if value is not None and element.get("value") != value:
            return None
        kept = ("text", "value", "style", "url", "confirm", "accessibility_label")
        return action | {key: element[key] for key in kept if key in element}
    if kind in _SINGLE:
        return action | {_SINGLE[kind]: value}
    if kind in {"plain_text_input", "email_text_input", "url_text_input", "number_input"}:
        return action | {"value": value}
    options = options_of(element)
    chosen = next((option for option in options if value in {option.get("value"), option["text"]["text"]}), None)
    if chosen is None:
        return None
    if kind in {"checkboxes", "multi_static_select"}:
        return action | {"selected_options": [chosen]}
    return action | {"selected_option": chosen}


def options_of(element: Json) -> list[Any]:
    """All options of a menu, also those in groups."""
    options = list(element.get("options") or ())
    for group in element.get("option_groups") or ():
        options.extend(group["options"])
    return options
