"""Block Kit's limits, block by block, and the body in which Slack says what is wrong."""

from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack.block_kit import check_message_blocks, check_view
from bot.sandbox.slack.wire import SlackError

Json = dict[str, Any]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str) -> Json:
    return {"type": "mrkdwn", "text": text}


def section(**parts: Any) -> Json:
    return {"type": "section", **parts}


def button(**parts: Any) -> Json:
    return {"type": "button", "action_id": "clip.promote", "text": plain("Promote"), **parts}


def actions(*elements: Json) -> Json:
    return {"type": "actions", "elements": list(elements)}


def options(count: int, *, text: str = "one", value: str = "1") -> list[Json]:
    return [{"text": plain(text), "value": f"{value}"} for _ in range(count)]


def overflow(count: int) -> Json:
    return {"type": "overflow", "action_id": "more", "options": options(count)}


def select(count: int, **parts: Any) -> Json:
    return {"type": "static_select", "action_id": "res", "options": options(count), **parts}


ACCEPTED: list[list[Json]] = [
    [section(text=mrkdwn("x" * 3000))],
    [section(fields=[mrkdwn("x" * 2000)] * 10)],
    [section(text=plain("x"), accessory=button())],
    [{"type": "header", "text": plain("x" * 150)}],
    [{"type": "context", "elements": [mrkdwn("x")] * 10}],
    [{"type": "context", "elements": [{"type": "image", "image_url": "https://x.y/z.png", "alt_text": "z"}]}],
    [actions(*[button(action_id=f"a{n}") for n in range(25)])],
    [actions(button(text=plain("x" * 75), value="x" * 2000, style="primary"))],
    [actions(overflow(1))],
    [actions(overflow(5))],
    [actions(select(100))],
    [{"type": "divider"}] * 50,
    [{"type": "image", "slack_file": {"id": "F0ABCDEFGH"}, "alt_text": "poster"}],
    [{"type": "markdown", "text": "x" * 12_000}],
    [{"type": "input", "label": plain("x"), "element": {"type": "plain_text_input", "action_id": "a"}}],
    [{"type": "plan", "title": "Rendering", "tasks": [{"task_id": "1", "title": "Queue", "status": "complete"}]}],
    [{"type": "card", "title": mrkdwn("x" * 150), "body": mrkdwn("x" * 200), "actions": [button()] * 3}],
    [
        {
            "type": "container",
            "title": plain("Settings"),
            "child_blocks": [section(text=plain("x"))],
            "is_collapsible": True,
        }
    ],
    [
        actions(
            button(
                confirm={
                    "title": plain("Sure?"),
                    "text": mrkdwn("It costs."),
                    "confirm": plain("Yes"),
                    "deny": plain("No"),
                }
            )
        )
    ],
]

REFUSED: list[tuple[list[Any], str]] = [
    ([section(text=mrkdwn("x" * 3001))], "must be less than 3001 characters [json-pointer:/blocks/0/text/text]"),
    ([section(text=mrkdwn(""))], "must be more than 0 characters [json-pointer:/blocks/0/text/text]"),
    ([section()], "missing required field: text [json-pointer:/blocks/0]"),
    ([section(text="x")], "must provide an object [json-pointer:/blocks/0/text]"),
    ([section(fields=[mrkdwn("x")] * 11)], "no more than 10 items allowed [json-pointer:/blocks/0/fields]"),
    (
        [section(fields=[mrkdwn("x" * 2001)])],
        "must be less than 2001 characters [json-pointer:/blocks/0/fields/0/text]",
    ),
    ([section(text=plain("x"), colour="red")], "invalid additional property: colour [json-pointer:/blocks/0]"),
    ([{"type": "divider"}] * 51, "no more than 50 items allowed [json-pointer:/blocks]"),
    (
        [{"type": "header", "text": plain("x" * 151)}],
        "must be less than 151 characters [json-pointer:/blocks/0/text/text]",
    ),
    (
        [{"type": "header", "text": mrkdwn("x")}],
        "must be a valid text object of type plain_text [json-pointer:/blocks/0/text/type]",
    ),
    (
        [{"type": "context", "elements": [mrkdwn("x")] * 11}],
        "no more than 10 items allowed [json-pointer:/blocks/0/elements]",
    ),
    ([{"type": "context", "elements": []}], "must not be empty [json-pointer:/blocks/0/elements]"),
    (
        [actions(*[button(action_id=f"a{n}") for n in range(26)])],
        "no more than 25 items allowed [json-pointer:/blocks/0/elements]",
    ),
    (
        [actions(button(text=plain("x" * 76)))],
        "must be less than 76 characters [json-pointer:/blocks/0/elements/0/text/text]",
    ),
    (
        [actions(button(value="x" * 2001))],
        "must be less than 2001 characters [json-pointer:/blocks/0/elements/0/value]",
    ),
    (
        [actions(button(url="https://" + "x" * 3000))],
        "must be less than 3001 characters [json-pointer:/blocks/0/elements/0/url]",
    ),
    (
        [actions(button(style="loud"))],
        "must be a valid enum value (primary, danger) [json-pointer:/blocks/0/elements/0/style]",
    ),
    (
        [actions(button(action_id="x" * 256))],
        "must be less than 256 characters [json-pointer:/blocks/0/elements/0/action_id]",
    ),
    (
        [actions(button(), button())],
        "`action_id` clip.promote already exists [json-pointer:/blocks/0/elements/1/action_id]",
    ),
    ([actions(overflow(6))], "no more than 5 items allowed [json-pointer:/blocks/0/elements/0/options]"),
    ([actions(select(101))], "no more than 100 items allowed [json-pointer:/blocks/0/elements/0/options]"),
    (
        [actions(select(0) | {"options": options(1, text="x" * 76)})],
        "must be less than 76 characters [json-pointer:/blocks/0/elements/0/options/0/text/text]",
    ),
    (
        [actions(select(0) | {"options": options(1, value="x" * 151)})],
        "must be less than 151 characters [json-pointer:/blocks/0/elements/0/options/0/value]",
    ),
    (
        [actions({"type": "multi_static_select", "action_id": "m", "options": options(1)})],
        "unsupported element: multi_static_select [json-pointer:/blocks/0/elements/0]",
    ),
    ([actions({"type": "slider"})], "unsupported type: slider [json-pointer:/blocks/0/elements/0/type]"),
    ([{"type": "marquee"}], "unsupported type: marquee [json-pointer:/blocks/0/type]"),
    ([{"text": plain("x")}], "missing required field: type [json-pointer:/blocks/0]"),
    (["divider"], "must provide an object [json-pointer:/blocks/0]"),
    (
        [section(text=plain("x"), block_id="same"), section(text=plain("y"), block_id="same")],
        "`block_id` same already exists [json-pointer:/blocks/1/block_id]",
    ),
    (
        [section(text=plain("x"), block_id="x" * 256)],
        "must be less than 256 characters [json-pointer:/blocks/0/block_id]",
    ),
    (
        [{"type": "image", "image_url": "https://x.y/z.png"}],
        "missing required field: alt_text [json-pointer:/blocks/0]",
    ),
    ([{"type": "image", "alt_text": "z"}], "missing required field: image_url [json-pointer:/blocks/0]"),
    ([{"type": "markdown", "text": "x" * 6001}] * 2, "must be less than 12001 characters [json-pointer:/blocks]"),
    ([{"type": "alert", "text": plain("x")}], "unsupported block: alert [json-pointer:/blocks/0]"),
    ([{"type": "plan", "title": plain("Rendering")}], "must provide a string [json-pointer:/blocks/0/title]"),
    (
        [{"type": "input", "label": plain("x"), "element": {"type": "file_input", "action_id": "f"}}],
        "unsupported element: file_input [json-pointer:/blocks/0/element]",
    ),
    (
        [{"type": "context_actions", "elements": [{"type": "icon_button", "action_id": "a", "icon": "trash"}]}],
        "missing required field: text [json-pointer:/blocks/0/elements/0]",
    ),
]


@pytest.mark.parametrize("blocks", ACCEPTED, ids=lambda blocks: str(blocks)[:60])
def test_blocks_within_the_limits_are_taken(blocks: list[Json]) -> None:
    assert check_message_blocks(blocks) == blocks


@pytest.mark.parametrize(("blocks", "sentence"), REFUSED, ids=[sentence for _, sentence in REFUSED])
def test_blocks_beyond_a_limit_are_refused_with_its_sentence_and_place(blocks: list[Any], sentence: str) -> None:
    with pytest.raises(SlackError) as caught:
        check_message_blocks(blocks)
    assert caught.value.error == "invalid_blocks"
    assert sentence in caught.value.fields["errors"]


async def test_a_refused_post_lists_every_fault_in_slacks_body(web: AsyncWebClient) -> None:
    blocks = [section(text=mrkdwn("x" * 3001)), {"type": "marquee"}]
    with pytest.raises(SlackApiError) as caught:
        await web.chat_postMessage(channel="C0DAILIES1", text="x", blocks=blocks)
    first = "must be less than 3001 characters [json-pointer:/blocks/0/text/text]"
    second = "unsupported type: marquee [json-pointer:/blocks/1/type]"
    assert caught.value.response.data == {
        "ok": False,
        "error": "invalid_blocks",
        "errors": [first, second],
        "response_metadata": {"messages": [f"[ERROR] {first}", f"[ERROR] {second}"]},
    }
    assert (await web.conversations_history(channel="C0DAILIES1"))["messages"] == []


async def test_blocks_can_be_validated_without_being_posted(web: AsyncWebClient) -> None:
    assert (await web.blocks_validate(blocks=[section(text=mrkdwn("x"))]))["ok"]
    with pytest.raises(SlackApiError) as caught:
        await web.blocks_validate(blocks=[section()])
    (fault,) = caught.value.response["errors"]
    assert (fault["pointer"], fault["message"]) == ("/blocks/0", "missing required field: text")


def modal(**parts: Any) -> Json:
    return {"type": "modal", "title": plain("New clip"), "blocks": [], **parts}


@pytest.mark.parametrize(
    ("view", "sentence"),
    [
        (modal(title=plain("x" * 25)), "must be less than 25 characters [json-pointer:/view/title/text]"),
        (modal(private_metadata="x" * 3001), "must be less than 3001 characters [json-pointer:/view/private_metadata]"),
        (modal(blocks=[{"type": "divider"}] * 101), "no more than 100 items allowed [json-pointer:/view/blocks]"),
        (
            modal(blocks=[{"type": "input", "label": plain("x"), "element": {"type": "plain_text_input"}}]),
            "missing required field: submit [json-pointer:/view]",
        ),
        (modal(colour="red"), "invalid additional property: colour [json-pointer:/view]"),
        ({"type": "home", "blocks": []}, "must be a valid view of type modal [json-pointer:/view/type]"),
    ],
)
def test_a_modal_beyond_a_limit_is_refused(view: Json, sentence: str) -> None:
    with pytest.raises(SlackError) as caught:
        check_view(view, kind="modal")
    assert sentence in caught.value.fields["errors"]


def test_a_view_of_more_than_250_kilobytes_is_too_large() -> None:
    blocks = [section(text=mrkdwn("x" * 3000)) for _ in range(90)]
    with pytest.raises(SlackError) as caught:
        check_view(modal(blocks=blocks), kind="modal")
    assert caught.value.error == "view_too_large"
