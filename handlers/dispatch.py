"""Through Bolt to our listeners, the same way from a socket and from HTTP.

Bolt trusts payloads: a field of another kind than documented ends in a traceback, and what nobody listens to is
written into the log with its values. Here the first is refused before Bolt sees it, and of the second one short line
remains.
"""

import logging
from collections.abc import Mapping
from typing import Any

import structlog
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.request.payload_utils import (
    to_action,
    to_command,
    to_event,
    to_message,
    to_options,
    to_shortcut,
    to_step,
    to_view,
)
from slack_bolt.response import BoltResponse

from handlers.shapes import Misshapen, shaped

log = structlog.get_logger(__name__)

_KINDS = frozenset(
    {
        *("app_rate_limited", "block_actions", "block_suggestion", "command", "dialog_cancellation"),
        *("dialog_submission", "dialog_suggestion", "event_callback", "interactive_message", "message_action"),
        *("shortcut", "view_closed", "view_submission"),
    }
)
"""What Slack may send; another word is the sender's, and stays out of the log."""


_READINGS = (to_action, to_command, to_event, to_message, to_options, to_shortcut, to_step, to_view)


class _WithoutValues(logging.Filter):
    """Leaves out Bolt's line about an unhandled request, which repeats the request; there is one of ours instead."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not str(record.msg).startswith("Unhandled request")


_without_values = _WithoutValues()


def keep_values_out_of_the_log(app: AsyncApp) -> None:
    """Once for each app, before its first request."""
    app.logger.addFilter(_without_values)  # adding it again changes nothing


async def dispatch(app: AsyncApp, body: Mapping[str, Any], headers: Mapping[str, str]) -> BoltResponse:
    """The listener's answer, when it has ended: 200, or 500 when it raised. What nobody listens to is answered 200:
    Slack counts a 404 as a failure and would send it again. Raises Misshapen, after which nothing has happened."""
    payload = shaped(body)
    answer = await app.async_dispatch(_request(payload, headers))
    if answer.status == 404:
        log.info("slack.unhandled", type=_kind(payload))
        return BoltResponse(status=200)
    return answer


def _request(payload: dict[str, Any], headers: Mapping[str, str]) -> AsyncBoltRequest:
    """Bolt's request, once Bolt has read all of the payload that it reads outside the listeners: it looks through the
    whole of it for teams and people, and before each listener for everything that one could want. Raises Misshapen."""
    try:
        for read in _READINGS:
            read(payload)
        return AsyncBoltRequest(mode="socket_mode", body=payload, headers=dict(headers))
    except Exception as error:
        raise Misshapen("fields that Bolt reads") from error


def _kind(payload: Mapping[str, Any]) -> str:
    kind = "command" if "command" in payload else payload["type"]
    return kind if kind in _KINDS else "unknown"
