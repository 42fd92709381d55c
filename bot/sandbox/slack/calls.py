"""One Web API call: its arguments in any wire form, the token behind it, the log of all calls, the rate
limits."""

from __future__ import annotations

import json
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from .entities import Channel
from .settings import Settings
from .wire import Json, RateLimited, SlackError, text_of, truth

_KEPT_CALLS = 20_000
BOT_TOKEN = "xoxb-sandbox-dailies-bot"  # noqa: S105 - a made-up word that opens nothing
APP_TOKEN = "xapp-sandbox-dailies-app"  # noqa: S105 - likewise
SIGNING_SECRET = "sandbox-signing-secret"  # noqa: S105 - likewise


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call with its arguments as they came; structured ones may still be JSON text."""

    method: str
    arguments: Json
    token: str | None
    token_in_header: bool

    def text(self, name: str) -> str:
        """An argument as text, empty when absent."""
        return text_of(self.arguments, name)

    def flag(self, name: str) -> bool:
        """A boolean argument; absent is False."""
        return truth(self.arguments.get(name))

    def number(self, name: str, default: int, *, most: int) -> int:
        """A count argument such as ``limit``, within Slack's bounds."""
        raw = self.text(name)
        if not raw:
            return default
        try:
            value = int(raw)
        except ValueError as problem:
            raise SlackError("invalid_arguments") from problem
        if value < 1:
            raise SlackError("invalid_limit")
        return min(value, most)

    def structure(self, name: str) -> Any:
        """An object or list argument, also when it came as JSON text."""
        value = self.arguments.get(name)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError as problem:
            raise SlackError("invalid_arguments") from problem


async def read_call(request: web.Request) -> Call:
    """Reads a call in every form the SDKs use: JSON body, form body, query string, GET. Raises
    `SlackError`."""
    arguments: Json = dict(request.query)
    if request.method == "POST" and request.body_exists:
        if request.content_type == "application/json":
            arguments |= await _json_body(request)
        elif request.content_type in {"application/x-www-form-urlencoded", "multipart/form-data"}:
            arguments |= {key: value for key, value in (await request.post()).items() if isinstance(value, str)}
        elif await request.read():
            raise SlackError("invalid_post_type")
    header = request.headers.get("Authorization", "")
    bearer = header.removeprefix("Bearer ").strip() if header.startswith("Bearer ") else None
    parameter = arguments.pop("token", None)
    return Call(
        method=request.match_info["method"],
        arguments=arguments,
        token=bearer or parameter,
        token_in_header=bearer is not None,
    )


async def _json_body(request: web.Request) -> Json:
    try:
        body = await request.json()
    except ValueError as problem:
        raise SlackError("invalid_json") from problem
    if not isinstance(body, dict):
        raise SlackError("json_not_object")
    return body


class Tokens:
    """The tokens of the app's installation and what they may do."""

    def __init__(self) -> None:
        self.refusal: str | None = None
        """The error for every call with the bot token (``token_revoked``, ``account_inactive``), if any."""

    def check_bot(self, token: str | None) -> None:
        """Raises `SlackError` unless this is the bot's token and it is good."""
        if not token:
            raise SlackError("not_authed")
        if token == APP_TOKEN:
            raise SlackError("not_allowed_token_type")
        if token != BOT_TOKEN:
            raise SlackError("invalid_auth")
        if self.refusal:
            raise SlackError(self.refusal)

    def check_app(self, call: Call) -> None:
        """Raises `SlackError` unless the app-level token stands in the header."""
        if not call.token or not call.token_in_header:
            raise SlackError("not_authed")
        if call.token == BOT_TOKEN:
            raise SlackError("not_allowed_token_type")
        if call.token != APP_TOKEN:
            raise SlackError("invalid_auth")


class RateLimits:
    """Counts calls against the limits of the settings, method by method, and posts channel by channel."""

    def __init__(self, settings: Callable[[], Settings]) -> None:
        self._settings = settings
        self._seen: dict[str, deque[float]] = defaultdict(deque)

    def check(self, call: Call) -> None:
        """Counts one call. Raises `RateLimited`."""
        settings = self._settings()
        limit = settings.rate_limits.get(call.method)
        if limit is not None:
            self._count(call.method, limit.calls, limit.seconds, limit.retry_after)

    def check_post(self, channel: Channel) -> None:
        """Counts one message to a channel. Raises `RateLimited`."""
        pace = self._settings().posts_per_second
        if pace is not None:
            self._count(f"post:{channel.id}", 1, 1 / pace, None)

    def _count(self, key: str, most: int, seconds: float, retry_after: int | None) -> None:
        seen = self._seen[key]
        now = time.monotonic()
        while seen and seen[0] <= now - seconds:
            seen.popleft()
        if len(seen) >= most:
            oldest = seen[0] if seen else now
            raise RateLimited(retry_after if retry_after is not None else max(1, round(oldest + seconds - now)))
        seen.append(now)


@dataclass(frozen=True, kw_only=True)
class LoggedCall:
    """A call as it went; ``arguments`` without bytes and without the token."""

    number: int
    method: str
    arguments: Json
    ok: bool
    error: str | None
    at: float
    seconds: float


class CallLog:
    """The last 20,000 calls that the server processed."""

    def __init__(self) -> None:
        self._calls: deque[LoggedCall] = deque(maxlen=_KEPT_CALLS)
        self._number = 0

    def add(self, method: str, arguments: Json, *, error: str | None, started: float) -> None:
        """Records a call that began at ``started`` (``time.time()``)."""
        self._number += 1
        self._calls.append(
            LoggedCall(
                number=self._number,
                method=method,
                arguments=arguments,
                ok=error is None,
                error=error,
                at=started,
                seconds=round(time.time() - started, 4),
            )
        )

    def listing(self, method: str | None = None, *, since: float = 0.0) -> list[LoggedCall]:
        """The calls in order, of one method or of all, that began at ``since`` (``time.time()``) or later."""
        return [call for call in self._calls if call.at >= since and method in (None, call.method)]
