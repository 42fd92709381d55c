"""What stands inside blocks: texts, options, confirmations, buttons, menus, inputs, and their limits.

Limits: https://docs.slack.dev/reference/block-kit and the models of ``slack_sdk``.
"""

from __future__ import annotations

from typing import Any

from .json_rules import Report, Rule, anything, array, boolean, number, one_of, shape, string

ID_LENGTH = 255  # action_id, block_id, callback_id
BUTTON_TEXT = 75
BUTTON_VALUE = 2000
URL = 3000
ALT_TEXT = 2000
OPTIONS = 100
OVERFLOW_OPTIONS = 5
CHOICES = 10  # radio buttons, checkboxes
OPTION_TEXT = 75
OPTION_VALUE = 150
FILE_INPUT_FILES = 10

identifier = string(ID_LENGTH)


def text(most: int, *, plain: bool = False, least: int = 1) -> Rule:
    """A text object of at most ``most`` characters; ``plain``: ``mrkdwn`` is refused."""
    content = string(most, least=least)
    plain_shape = shape(required={"type": one_of("plain_text"), "text": content}, optional={"emoji": boolean})
    mrkdwn_shape = shape(required={"type": one_of("mrkdwn"), "text": content}, optional={"verbatim": boolean})

    def check(report: Report, pointer: str, value: Any) -> None:
        if not isinstance(value, dict):
            report.add("must provide an object", pointer)
            return
        kind = value.get("type")
        if kind == "plain_text":
            plain_shape(report, pointer, value)
        elif kind == "mrkdwn" and not plain:
            mrkdwn_shape(report, pointer, value)
        else:
            allowed = "plain_text" if plain else "plain_text or mrkdwn"
            report.add(f"must be a valid text object of type {allowed}", f"{pointer}/type")

    return check


confirm = shape(
    required={
        "title": text(100, plain=True),
        "text": text(300),
        "confirm": text(30, plain=True),
        "deny": text(30, plain=True),
    },
    optional={"style": one_of("primary", "danger")},
)


def _option(*, plain: bool) -> Rule:
    return shape(
        required={"text": text(OPTION_TEXT, plain=plain), "value": string(OPTION_VALUE)},
        optional={"description": text(OPTION_TEXT, plain=plain), "url": string(URL)},
    )


_menu_option = _option(plain=True)
_choice_option = _option(plain=False)
_option_group = shape(
    required={"label": text(75, plain=True), "options": array(_menu_option, most=OPTIONS)},
)
slack_file = shape(optional={"id": string(60), "url": string(URL)}, any_of=("id", "url"))

_PLACED: dict[str, Rule] = {
    "action_id": identifier,
    "confirm": confirm,
    "focus_on_load": boolean,
    "type": anything,
}
_MENU: dict[str, Rule] = _PLACED | {"placeholder": text(150, plain=True)}
_SOURCES: dict[str, Rule] = {
    "options": array(_menu_option, most=OPTIONS),
    "option_groups": array(_option_group, most=OPTIONS),
}
_ONE_ID: Rule = string(ID_LENGTH)
_IDS: Rule = array(_ONE_ID, most=OPTIONS)
_INPUT: dict[str, Rule] = _MENU | {"dispatch_action_config": anything}


def _menu(initial: str, rule: Rule, *, many: bool = False, extra: dict[str, Rule] | None = None) -> Rule:
    more: dict[str, Rule] = {"max_selected_items": number(1, OPTIONS)} if many else {"response_url_enabled": boolean}
    return shape(optional=_MENU | more | {initial: rule} | (extra or {}))


_button = shape(
    required={"text": text(BUTTON_TEXT, plain=True)},
    optional=_PLACED
    | {
        "url": string(URL),
        "value": string(BUTTON_VALUE, least=0),
        "style": one_of("primary", "danger"),
        "accessibility_label": string(75),
        "visible_to_user_ids": anything,
        "agent_prompt": anything,
        "agent_prompt_display": anything,
    },
)
_overflow = shape(required={"options": array(_menu_option, most=OVERFLOW_OPTIONS)}, optional=_PLACED)
_radio = shape(
    required={"options": array(_choice_option, most=CHOICES)},
    optional=_PLACED | {"initial_option": _choice_option},
)
_checkboxes = shape(
    required={"options": array(_choice_option, most=CHOICES)},
    optional=_PLACED | {"initial_options": array(_choice_option, most=CHOICES)},
)
_file_input = shape(
    optional={
        "action_id": identifier,
        "type": anything,
        "max_files": number(1, FILE_INPUT_FILES),
        "filetypes": array(string(50), most=50),
    }
)
_feedback_button = shape(
    required={"text": text(75, plain=True), "value": string(BUTTON_VALUE)},
    optional={"accessibility_label": string(75)},
)

ELEMENTS: dict[str, Rule] = {
    "button": _button,
    "overflow": _overflow,
    "radio_buttons": _radio,
    "checkboxes": _checkboxes,
    "file_input": _file_input,
    "image": shape(
        required={"alt_text": string(ALT_TEXT)},
        optional={"type": anything, "image_url": string(URL), "slack_file": slack_file},
        any_of=("image_url", "slack_file"),
    ),
    "static_select": shape(
        optional=_MENU | _SOURCES | {"initial_option": _menu_option}, any_of=("options", "option_groups")
    ),
    "multi_static_select": shape(
        optional=_MENU
        | _SOURCES
        | {"initial_options": array(_menu_option, most=OPTIONS), "max_selected_items": number(1, OPTIONS)},
        any_of=("options", "option_groups"),
    ),
    "external_select": _menu("initial_option", _menu_option, extra={"min_query_length": number(0, 1000)}),
    "multi_external_select": _menu(
        "initial_options",
        array(_menu_option, most=OPTIONS),
        many=True,
        extra={"min_query_length": number(0, 1000)},
    ),
    "users_select": _menu("initial_user", _ONE_ID),
    "multi_users_select": _menu("initial_users", _IDS, many=True),
    "conversations_select": _menu(
        "initial_conversation",
        _ONE_ID,
        extra={"filter": anything, "default_to_current_conversation": boolean},
    ),
    "multi_conversations_select": _menu(
        "initial_conversations",
        _IDS,
        many=True,
        extra={"filter": anything, "default_to_current_conversation": boolean},
    ),
    "channels_select": _menu("initial_channel", _ONE_ID),
    "multi_channels_select": _menu("initial_channels", _IDS, many=True),
    "datepicker": shape(optional=_MENU | {"initial_date": string(10)}),
    "timepicker": shape(optional=_MENU | {"initial_time": string(5), "timezone": string(100)}),
    "datetimepicker": shape(optional=_PLACED | {"initial_date_time": number(0, 9_999_999_999)}),
    "plain_text_input": shape(
        optional=_INPUT
        | {
            "initial_value": string(3000, least=0),
            "multiline": boolean,
            "min_length": number(0, 3000),
            "max_length": number(1, 3000),
        }
    ),
    "email_text_input": shape(optional=_INPUT | {"initial_value": string(3000, least=0)}),
    "url_text_input": shape(optional=_INPUT | {"initial_value": string(3000, least=0)}),
    "number_input": shape(
        required={"is_decimal_allowed": boolean},
        optional=_INPUT | {"initial_value": string(100), "min_value": string(100), "max_value": string(100)},
    ),
    "rich_text_input": shape(
        optional=_INPUT | {"initial_value": anything, "min_lines": number(1, 100), "max_lines": number(1, 100)}
    ),
    "feedback_buttons": shape(
        required={"positive_button": _feedback_button, "negative_button": _feedback_button}, optional=_PLACED
    ),
    "icon_button": shape(
        required={"text": text(75, plain=True), "icon": string(50)},
        optional=_PLACED
        | {
            "value": string(BUTTON_VALUE),
            "accessibility_label": string(75),
            "visible_to_user_ids": array(_ONE_ID, most=10),
        },
    ),
}
"""Every element by its type."""

_PICKERS = ("datepicker", "timepicker", "datetimepicker")
_SINGLE_MENUS = (
    "static_select",
    "external_select",
    "users_select",
    "conversations_select",
    "channels_select",
)
_MULTI_MENUS = tuple(f"multi_{name}" for name in _SINGLE_MENUS)
_TEXT_INPUTS = ("plain_text_input", "email_text_input", "url_text_input", "number_input", "rich_text_input")

IN_ACTIONS = ("button", "overflow", "radio_buttons", "checkboxes", *_PICKERS, *_SINGLE_MENUS)
IN_ACCESSORY = (
    "image",
    "button",
    "overflow",
    "radio_buttons",
    "checkboxes",
    *_PICKERS[:2],
    *_SINGLE_MENUS,
    *_MULTI_MENUS,
)
IN_INPUT = (
    "radio_buttons",
    "checkboxes",
    "file_input",
    *_PICKERS,
    *_SINGLE_MENUS,
    *_MULTI_MENUS,
    *_TEXT_INPUTS,
)
IN_CONTEXT_ACTIONS = ("feedback_buttons", "icon_button")
