"""Slack's errors, translated once into what they mean for us."""

import asyncio
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import aiohttp
from slack_sdk.errors import SlackApiError

from bot.ports import ChatError, ChatForbidden, ChatRefused, ChatUnauthorized, ChatUnknown, MessageGone, ThreadGone

REFUSING = frozenset(
    {
        "not_in_channel",
        "channel_not_found",
        "is_archived",
        "posting_to_channel_denied",
        "restricted_action",
        "restricted_action_read_only_channel",
        "restricted_action_thread_locked",
        "restricted_action_thread_only_channel",
        "file_type_not_allowed",
        "file_uploads_disabled",
        "file_upload_size_restricted",
        "storage_limit_reached",
        "team_not_found",
        "user_not_in_channel",
        "no_permission",
        "access_denied",
        "messages_tab_disabled",
        "invalid_channel",
        "cannot_reply_to_message",
        "invalid_blocks",
        "invalid_arguments",
        "msg_too_long",
        "no_text",
        "metadata_too_large",
        "edit_window_closed",
        "cant_update_message",
    }
)
"""Slack will not do this call here, however often it is sent (docs.slack.dev, error lists of the methods used)."""

UNAUTHORIZED = frozenset(
    {
        "invalid_auth",
        "not_authed",
        "account_inactive",
        "token_revoked",
        "token_expired",
        "org_login_required",
        "team_access_not_granted",
    }
)

FORBIDDEN = frozenset({"missing_scope", "not_allowed_token_type"})
"""The token is good, and not for this call."""

GONE = frozenset(
    {"message_not_found", "file_not_found", "file_deleted", "files_not_found", "no_item_specified", "bad_timestamp"}
)

THREAD_GONE = "thread_not_found"
"""A root without replies was deleted: with replies it stays as a tombstone, and so does its thread."""

LONGEST_WAIT_SECONDS = 600.0
"""Slack asks for a minute at most; what is far beyond is a broken header."""

AMBIGUOUS = frozenset({"internal_error", "fatal_error", "request_timeout", "service_unavailable"})
"""Slack may have done it all the same."""


@contextmanager
def translated() -> Iterator[None]:
    """Raise ChatError or a subclass for everything that a call to Slack can raise."""
    try:
        yield
    except SlackApiError as error:
        raise _from_answer(error) from error
    except aiohttp.ClientConnectorError as error:
        raise ChatError("unreachable") from error
    except (aiohttp.ClientError, TimeoutError, OSError, asyncio.IncompleteReadError, ValueError) as error:
        raise ChatUnknown(type(error).__name__) from error


def _from_answer(error: SlackApiError) -> ChatError:
    response = error.response
    status = getattr(response, "status_code", 0)
    body = getattr(response, "data", None)
    code = str(body.get("error", "")) if isinstance(body, dict) else ""
    if status == 429 or code == "ratelimited":
        return ChatError("ratelimited", _seconds(getattr(response, "headers", {}) or {}))
    if code in FORBIDDEN:
        return ChatForbidden(code)
    if code in UNAUTHORIZED:
        return ChatUnauthorized(code)
    if code == THREAD_GONE:
        return ThreadGone(code)
    if code in GONE:
        return MessageGone(code)
    if code in REFUSING:
        return ChatRefused(code)
    if code in AMBIGUOUS or status >= 500 or not code:
        return ChatUnknown(code or f"http_{status}")
    return ChatRefused(code)


def _seconds(headers: object) -> float:
    """What Retry-After says, as far as it can be meant. slack_sdk hands on aiohttp's mapping, which is no dict."""
    pairs = headers.items() if isinstance(headers, Mapping) else []
    text = next((value for name, value in pairs if str(name).lower() == "retry-after"), "1")
    try:
        seconds = float(text)
    except (TypeError, ValueError):
        return 1.0
    return 1.0 if math.isnan(seconds) else min(max(0.0, seconds), LONGEST_WAIT_SECONDS)
