"""Slack's rules for messages, written down again from https://docs.slack.dev/reference/block-kit: for tests, which must
not take ours for Slack's."""

from handlers.blocks.kit import Block, Message


def assert_lawful(message: Message) -> None:
    """Slack would take that message: its lengths, the shapes of its blocks, and ids that differ."""
    assert 0 < len(message.text) <= 4000
    assert len(message.blocks) <= 50
    for block in message.blocks:
        {"section": _lawful_section, "context": _lawful_context, "actions": _lawful_actions}[block["type"]](block)


def _lawful_text(text: Block, most: int) -> None:
    assert text["type"] in {"mrkdwn", "plain_text"}
    assert set(text) <= {"type", "text", "emoji"}
    assert ("emoji" in text) <= (text["type"] == "plain_text")
    assert 0 < len(text["text"]) <= most


def _lawful_section(block: Block) -> None:
    assert set(block) == {"type", "text"}
    _lawful_text(block["text"], 3000)


def _lawful_context(block: Block) -> None:
    assert set(block) == {"type", "elements"}
    assert 0 < len(block["elements"]) <= 10
    for text in block["elements"]:
        _lawful_text(text, 2000)


def _lawful_actions(block: Block) -> None:
    assert set(block) == {"type", "elements"}
    ids = [button["action_id"] for button in block["elements"]]
    assert 0 < len(ids) <= 25
    assert len(set(ids)) == len(ids)
    for button in block["elements"]:
        assert button["type"] == "button"
        assert button["text"]["type"] == "plain_text"
        _lawful_text(button["text"], 75)
        assert 0 < len(button["value"]) <= 2000
        assert 0 < len(button["accessibility_label"]) <= 75
        assert button.get("style") in {None, "primary", "danger"}
        if "confirm" in button:
            _lawful_confirm(button["confirm"])


def _lawful_confirm(confirm: Block) -> None:
    for part, most in (("title", 100), ("text", 300), ("confirm", 30), ("deny", 30)):
        assert confirm[part]["type"] == "plain_text"
        _lawful_text(confirm[part], most)
