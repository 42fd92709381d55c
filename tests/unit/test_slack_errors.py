"""What each way in which a call to Slack can fail means for us."""

import asyncio
from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from multidict import CIMultiDict, CIMultiDictProxy
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.ports import ChatError, ChatForbidden, ChatRefused, ChatUnauthorized, ChatUnknown, MessageGone, ThreadGone
from handlers.slack_errors import AMBIGUOUS, FORBIDDEN, GONE, REFUSING, UNAUTHORIZED, translated

HERE = [
    "not_in_channel",
    "channel_not_found",
    "is_archived",
    "restricted_action",
    "restricted_action_thread_locked",
    "file_uploads_disabled",
    "msg_too_long",
    "invalid_blocks",
    "cant_update_message",
    "edit_window_closed",
    "no_permission",
    "access_denied",
]
TOKEN = ["invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired"]
SCOPE = ["missing_scope", "not_allowed_token_type"]
ABSENT = ["message_not_found", "file_not_found", "file_deleted"]
PERHAPS = ["internal_error", "fatal_error", "request_timeout", "service_unavailable"]


def answered(data: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> SlackApiError:
    """The error that slack_sdk makes of an answer."""
    response = AsyncSlackResponse(
        client=AsyncWebClient(),
        http_verb="POST",
        api_url="https://slack.com/api/chat.postMessage",
        req_args={},
        data=data,  # type: ignore[arg-type] # slack_sdk hands on whatever came
        headers=CIMultiDictProxy(CIMultiDict(headers or {})),  # type: ignore[arg-type] # what aiohttp really gives it
        status_code=status,
    )
    return SlackApiError("The request failed.", response)  # type: ignore[no-untyped-call] # slack_sdk has no types here


def translation(error: BaseException) -> ChatError:
    with pytest.raises(ChatError) as caught, translated():
        raise error
    assert caught.value.__cause__ is error
    return caught.value


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        *((code, ChatRefused) for code in HERE),
        *((code, ChatUnauthorized) for code in TOKEN),
        *((code, ChatForbidden) for code in SCOPE),
        *((code, MessageGone) for code in ABSENT),
        *((code, ChatUnknown) for code in PERHAPS),
        ("thread_not_found", ThreadGone),
        ("some_word_of_next_year", ChatRefused),
    ],
)
@pytest.mark.parametrize("status", [200, 400])
def test_slacks_word_tells_the_class(code: str, kind: type[ChatError], status: int) -> None:
    error = translation(answered({"ok": False, "error": code}, status=status))
    assert (type(error), error.code, error.retry_after_seconds) == (kind, code, None)
    assert str(error) == f"Slack answered {code}."


def test_no_word_has_two_meanings() -> None:
    words = [*REFUSING, *UNAUTHORIZED, *FORBIDDEN, *GONE, *AMBIGUOUS, "thread_not_found"]
    assert len(words) == len(set(words))


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("data", [{}, {"ok": False}, {"ok": False, "error": "not_a_word"}, "<html>", None])
def test_a_server_error_may_have_been_done(data: object, status: int) -> None:
    error = translation(answered(data, status=status))
    assert type(error) is ChatUnknown


@pytest.mark.parametrize("data", [{}, {"ok": False}, {"ok": False, "error": ""}, "<html>sign in</html>", "", None])
def test_an_answer_without_a_word_may_have_been_done(data: object) -> None:
    error = translation(answered(data))
    assert (type(error), error.code) == (ChatUnknown, "http_200")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "30"}, 30.0),
        ({"retry-after": "2.5"}, 2.5),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "-3"}, 0.0),
        ({"Retry-After": "soon"}, 1.0),
        ({"Retry-After": "nan"}, 1.0),
        ({"Retry-After": "inf"}, 600.0),
        ({"Retry-After": "1e9"}, 600.0),
        ({}, 1.0),
    ],
)
@pytest.mark.parametrize("data", [{"ok": False, "error": "ratelimited"}, {"ok": False}, "<html>"])
def test_too_many_requests_say_when_to_come_back(data: object, headers: Mapping[str, str], seconds: float) -> None:
    error = translation(answered(data, status=429, headers=headers))
    assert (type(error), error.code, error.retry_after_seconds) == (ChatError, "ratelimited", seconds)


def test_a_rate_limit_in_a_200_is_one_too() -> None:
    error = translation(answered({"ok": False, "error": "ratelimited"}, headers={"Retry-After": "7"}))
    assert (type(error), error.retry_after_seconds) == (ChatError, 7.0)


def test_a_connection_that_was_never_made_did_nothing() -> None:
    key = ConnectionKey("slack.com", 443, True, True, None, None, None)
    error = translation(aiohttp.ClientConnectorError(key, OSError(111, "refused")))
    assert (type(error), error.code) == (ChatError, "unreachable")


@pytest.mark.parametrize(
    "error",
    [
        aiohttp.ServerDisconnectedError(),
        aiohttp.ClientOSError(104, "reset"),
        aiohttp.ClientPayloadError("half a body"),
        aiohttp.ServerTimeoutError(),
        TimeoutError(),
        ConnectionResetError(),
        asyncio.IncompleteReadError(b"", 1),
        ValueError("no JSON"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_connection_that_broke_may_have_done_it(error: Exception) -> None:
    translated_error = translation(error)
    assert (type(translated_error), translated_error.code) == (ChatUnknown, type(error).__name__)


@pytest.mark.parametrize("error", [asyncio.CancelledError(), KeyError("ts"), AssertionError()])
def test_what_is_not_slacks_passes_as_it_is(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, translated():
        raise error
    assert caught.value is error


def test_what_goes_well_is_left_alone() -> None:
    with translated():
        outcome: Any = "ok"
    assert outcome == "ok"
