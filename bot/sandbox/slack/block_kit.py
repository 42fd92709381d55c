"""Block Kit as Slack enforces it: which blocks there are, where each may stand, what they need, how long
they may be.

https://docs.slack.dev/reference/block-kit/blocks
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal

from .block_elements import (
    ALT_TEXT,
    ELEMENTS,
    IN_ACCESSORY,
    IN_ACTIONS,
    IN_CONTEXT_ACTIONS,
    IN_INPUT,
    URL,
    identifier,
    slack_file,
    text,
)
from .json_rules import Report, Rule, anything, array, boolean, number, one_of, shape, string, typed
from .wire import Json, SlackError

Surface = Literal["message", "modal", "home"]

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
SECTION_TEXT = 3000
SECTION_FIELDS = 10
FIELD_TEXT = 2000
HEADER_TEXT = 150
CONTEXT_ELEMENTS = 10
ACTIONS_ELEMENTS = 25
MARKDOWN_TEXT = 12_000  # over all markdown blocks of a message
TITLE = 24  # title, submit and close of a modal
PRIVATE_METADATA = 3000
VIEW_BYTES = 250_000
METADATA_BYTES = 16_000

_ANY_BLOCK: dict[str, Rule] = {"type": anything, "block_id": identifier}


def _element(allowed: Sequence[str]) -> Rule:
    return typed(ELEMENTS, kind="element", allowed=allowed)


def _context_element() -> Rule:
    image, words = ELEMENTS["image"], text(FIELD_TEXT)

    def check(report: Report, pointer: str, value: Any) -> None:
        is_image = isinstance(value, dict) and value.get("type") == "image"
        (image if is_image else words)(report, pointer, value)

    return check


def _task(report: Report, pointer: str, value: Any) -> None:
    _task_card(report, pointer, value)


_task_card = shape(
    required={"task_id": string(255), "title": string(255)},
    optional=_ANY_BLOCK
    | {
        "status": one_of("pending", "in_progress", "complete", "error"),
        "details": anything,
        "output": anything,
        "sources": anything,
    },
)
_image_parts: dict[str, Rule] = {"image_url": string(URL), "slack_file": slack_file}
_card_image = shape(
    required={"alt_text": string(ALT_TEXT)},
    optional=_image_parts | {"type": anything},
    any_of=("image_url", "slack_file"),
)
_card = shape(
    optional=_ANY_BLOCK
    | {
        "title": text(150),
        "subtitle": text(150),
        "body": text(200),
        "subtext": text(200),
        "hero_image": _card_image,
        "icon": _card_image,
        "slack_icon": anything,
        "actions": array(_element(("button",)), most=3),
    },
    any_of=("title", "body", "hero_image", "actions"),
)

_COMMON: dict[str, Rule] = {
    "section": shape(
        optional=_ANY_BLOCK
        | {
            "text": text(SECTION_TEXT),
            "fields": array(text(FIELD_TEXT), most=SECTION_FIELDS),
            "accessory": _element(IN_ACCESSORY),
            "expand": boolean,
        },
        any_of=("text", "fields"),
    ),
    "header": shape(required={"text": text(HEADER_TEXT, plain=True)}, optional=_ANY_BLOCK | {"level": number(1, 4)}),
    "divider": shape(optional=_ANY_BLOCK),
    "image": shape(
        required={"alt_text": string(ALT_TEXT)},
        optional=_ANY_BLOCK | _image_parts | {"title": text(2000, plain=True)},
        any_of=("image_url", "slack_file"),
    ),
    "context": shape(required={"elements": array(_context_element(), most=CONTEXT_ELEMENTS)}, optional=_ANY_BLOCK),
    "actions": shape(required={"elements": array(_element(IN_ACTIONS), most=ACTIONS_ELEMENTS)}, optional=_ANY_BLOCK),
    "input": shape(
        required={"label": text(2000, plain=True), "element": _element(IN_INPUT)},
        optional=_ANY_BLOCK | {"hint": text(2000, plain=True), "optional": boolean, "dispatch_action": boolean},
    ),
    "rich_text": shape(required={"elements": array(anything, most=1000)}, optional=_ANY_BLOCK),
}
_MESSAGE_ONLY: dict[str, Rule] = {
    "markdown": shape(required={"text": string(MARKDOWN_TEXT)}, optional=_ANY_BLOCK),
    "context_actions": shape(required={"elements": array(_element(IN_CONTEXT_ACTIONS), most=5)}, optional=_ANY_BLOCK),
    "table": shape(
        required={"rows": array(array(anything, most=20), most=100)},
        optional=_ANY_BLOCK | {"column_settings": anything},
    ),
    "plan": shape(required={"title": string(255)}, optional=_ANY_BLOCK | {"tasks": array(_task, most=50, least=0)}),
    "task_card": _task_card,
    "card": _card,
    "carousel": shape(required={"elements": array(_card, most=10)}, optional=_ANY_BLOCK),
}
_MODAL_ONLY: dict[str, Rule] = {
    "alert": shape(
        required={"text": text(SECTION_TEXT)},
        optional=_ANY_BLOCK | {"level": one_of("default", "info", "warning", "error", "success")},
    ),
}


def _video(report: Report, pointer: str, _value: Any) -> None:
    report.add("Video validation failed: Bot scopes missing: [links:read, links:write, links.embed:write]", pointer)


_READ_ONLY: dict[str, Rule] = {"video": _video}
_EVERY: dict[str, Rule] = _COMMON | _MESSAGE_ONLY | _MODAL_ONLY | _READ_ONLY
_CONTAINED = typed(_EVERY, kind="block", allowed=[*_COMMON])
_EVERY["container"] = shape(
    required={"title": text(150), "child_blocks": array(_CONTAINED, most=10)},
    optional=_ANY_BLOCK
    | {
        "subtitle": text(150),
        "icon": anything,
        "width": anything,
        "is_collapsible": boolean,
        "default_collapsed": boolean,
        "has_border": boolean,
    },
)
_ALLOWED: dict[str, frozenset[str]] = {
    "message": frozenset({*_COMMON, *_MESSAGE_ONLY, *_READ_ONLY, "container"}),
    "modal": frozenset({*_COMMON, *_MODAL_ONLY}),
    "home": frozenset(_COMMON),
}
_BLOCK: dict[str, Rule] = {
    surface: typed(_EVERY, kind="block", allowed=allowed) for surface, allowed in _ALLOWED.items()
}


def inspect_blocks(report: Report, blocks: Any, *, surface: Surface, pointer: str = "/blocks") -> None:
    """Adds to the report whatever Slack would refuse in these blocks on that surface."""
    most = MESSAGE_BLOCKS if surface == "message" else VIEW_BLOCKS
    array(_BLOCK[surface], most=most, least=0)(report, pointer, blocks)
    if not isinstance(blocks, list):
        return
    known = [block for block in blocks if isinstance(block, dict)]
    seen: set[str] = set()
    for index, block in enumerate(blocks):
        name = block.get("block_id") if isinstance(block, dict) else None
        if name in seen:
            report.add(f"`block_id` {name} already exists", f"{pointer}/{index}/block_id")
        elif isinstance(name, str):
            seen.add(name)
    _inspect_action_ids(report, known, pointer)
    _inspect_file_inputs(report, known, surface, pointer)
    if sum(len(str(block.get("text", ""))) for block in known if block.get("type") == "markdown") > MARKDOWN_TEXT:
        report.add(f"must be less than {MARKDOWN_TEXT + 1} characters", pointer)


def _inspect_action_ids(report: Report, blocks: Sequence[Json], pointer: str) -> None:
    for index, block in enumerate(blocks):
        elements = block.get("elements") if block.get("type") == "actions" else None
        seen: set[str] = set()
        for place, element in enumerate(elements if isinstance(elements, list) else []):
            name = element.get("action_id") if isinstance(element, dict) else None
            if isinstance(name, str) and name in seen:
                report.add(f"`action_id` {name} already exists", f"{pointer}/{index}/elements/{place}/action_id")
            elif isinstance(name, str):
                seen.add(name)


def _inspect_file_inputs(report: Report, blocks: Sequence[Json], surface: Surface, pointer: str) -> None:
    if surface == "modal":
        return
    for index, block in enumerate(blocks):
        element = block.get("element")
        if isinstance(element, dict) and element.get("type") == "file_input":
            report.add("unsupported element: file_input", f"{pointer}/{index}/element")


def parsed(value: Any, error: str) -> Any:
    """An argument that may have come as JSON text. Raises `SlackError` with ``error`` if it cannot be
    read."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as problem:
        raise SlackError(error) from problem


def check_message_blocks(value: Any) -> list[Json]:
    """The blocks of a message, checked; an absent argument is no blocks. Raises ``invalid_blocks``."""
    if value is None or value == "":
        return []
    blocks = parsed(value, "invalid_blocks_format")
    if not isinstance(blocks, list):
        raise SlackError("invalid_blocks_format")
    report = Report()
    inspect_blocks(report, blocks, surface="message")
    report.raise_as("invalid_blocks")
    return blocks


_VIEW_PARTS: dict[str, Rule] = {
    "type": anything,
    "blocks": anything,
    "callback_id": string(255, least=0),
    "private_metadata": string(PRIVATE_METADATA, least=0),
    "external_id": string(255, least=0),
}
_MODAL = shape(
    required={"title": text(TITLE, plain=True), "blocks": anything},
    optional=_VIEW_PARTS
    | {
        "submit": text(TITLE, plain=True),
        "close": text(TITLE, plain=True),
        "clear_on_close": boolean,
        "notify_on_close": boolean,
        "submit_disabled": boolean,
    },
)
_HOME = shape(required={"blocks": anything}, optional=_VIEW_PARTS)


def check_view(value: Any, *, kind: Literal["modal", "home"]) -> Json:
    """A view argument, checked. Raises `SlackError` with Slack's pointers."""
    view = parsed(value, "invalid_arguments")
    report = Report()
    if not isinstance(view, dict) or view.get("type") != kind:
        report.add("must be a valid view of type " + kind, "/view/type")
        report.raise_as("invalid_arguments")
    if len(json.dumps(view)) > VIEW_BYTES:
        raise SlackError("view_too_large")
    inspect_view(report, view)
    report.raise_as("invalid_arguments")
    checked: Json = view
    return checked


def inspect_view(report: Report, view: Json) -> None:
    """Adds to the report whatever Slack would refuse in this view."""
    kind: Literal["modal", "home"] = "home" if view.get("type") == "home" else "modal"
    (_HOME if kind == "home" else _MODAL)(report, "/view", view)
    blocks = view.get("blocks", [])
    inspect_blocks(report, blocks, surface=kind, pointer="/view/blocks")
    has_input = isinstance(blocks, list) and any(isinstance(b, dict) and b.get("type") == "input" for b in blocks)
    if kind == "modal" and has_input and not view.get("submit"):
        report.add("missing required field: submit", "/view")


def check_metadata(value: Any) -> Json | None:
    """A message's metadata, checked: ``event_type`` and an ``event_payload`` object, 16 KB at most."""
    if value is None or value == "":
        return None
    metadata = parsed(value, "invalid_metadata_format")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("event_type"), str):
        raise SlackError("invalid_metadata_format")
    if not isinstance(metadata.get("event_payload"), dict) or set(metadata) - {
        "event_type",
        "event_payload",
        "entities",
    }:
        raise SlackError("invalid_metadata_schema")
    if len(json.dumps(metadata)) > METADATA_BYTES:
        raise SlackError("metadata_too_large")
    return metadata
