"""What several tests of the sandbox's Slack build on."""

from typing import Any

import pytest
from slack_sdk.errors import SlackApiError

from tests.sandbox.driver import Workspace

Json = dict[str, Any]


def card(*labels: str) -> list[Json]:
    """Blocks with one button a label."""
    elements = [
        {
            "type": "button",
            "action_id": f"clip.{label.lower()}",
            "text": {"type": "plain_text", "text": label},
            "value": f"job-{label.lower()}",
        }
        for label in labels
    ]
    return [{"type": "actions", "block_id": "row", "elements": elements}]


async def settled(studio: Workspace) -> None:
    """Every event so far was acknowledged."""
    await studio.wait_until(lambda state: all(one["acked"] for one in state["events"]), what="all events are acked")


async def refusal(call: Any) -> Json:
    """The body of a call that Slack refuses."""
    with pytest.raises(SlackApiError) as caught:
        await call
    body: Json = caught.value.response.data
    return body
