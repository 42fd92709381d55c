"""What a test or a demo may tune about the workspace."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .wire import Misuse

BOT_SCOPES = (
    "app_mentions:read",
    "channels:history",
    "chat:write",
    "commands",
    "files:read",
    "files:write",
    "groups:history",
    "im:history",
    "im:write",
    "mpim:history",
    "reactions:read",
    "users:read",
)
"""What the app's manifest asks for."""

SUBSCRIPTIONS = (
    "app_mention",
    "message.channels",
    "message.groups",
    "message.im",
    "message.mpim",
    "reaction_added",
    "reaction_removed",
)
"""The bot events of the app's manifest."""


@dataclass(frozen=True, kw_only=True)
class RateLimit:
    """At most ``calls`` calls in ``seconds``; the caller is told to wait ``retry_after`` (or until it
    passes)."""

    calls: int
    seconds: float
    retry_after: int | None = None


@dataclass(frozen=True, kw_only=True)
class DeliverySettings:
    """How the app is told: over its sockets, or by signed requests to ``url``. ``clock_ahead`` is by how many seconds
    Slack's clock, which the requests are signed with, is ahead of this machine's."""

    mode: Literal["socket", "http"] = "socket"
    url: str = ""
    clock_ahead: float = 0.0

    def __post_init__(self) -> None:
        if self.mode not in {"socket", "http"}:
            raise ValueError(f"delivery: mode is socket or http, not {self.mode}")
        if self.mode == "http" and not self.url.startswith(("http://127.0.0.1:", "http://localhost:")):
            raise ValueError("delivery: http needs a url on this machine")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Delays are seconds."""

    delivery: DeliverySettings = DeliverySettings()
    share_delay: float = 0.2  # from completeUploadExternal to the message in the channel
    ack_timeout: float = 3.0  # https://docs.slack.dev/apis/events-api/using-socket-mode
    retry_schedule: tuple[float, ...] = (0.0, 60.0, 300.0)  # waits before an event's redeliveries
    trigger_seconds: float = 3.0  # life of a trigger_id
    response_url_uses: int = 5
    response_url_seconds: float = 1800.0
    alt_txt_drops_share: bool = True  # python-slack-sdk#1818: the call says ok and nothing is shared
    should_escape: bool = True  # the manifest's switch for slash command text
    commands: tuple[str, ...] = ("/clip", "/clip-usage", "/clip-settings")
    command_hints: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # description, usage_hint; by command
    shortcuts: tuple[Mapping[str, str], ...] = ()  # name, type (global or message), callback_id, description
    scopes: tuple[str, ...] = BOT_SCOPES
    subscriptions: tuple[str, ...] = SUBSCRIPTIONS
    rate_limits: Mapping[str, RateLimit] = field(default_factory=dict)  # by method; none by default
    posts_per_second: float | None = None  # chat.postMessage per channel; Slack allows about 1
    upload_limit: int = 1 << 30  # bytes of one file
    max_sockets: int = 10

    def changed(self, values: Mapping[str, Any]) -> Settings:
        """These settings with some replaced. Raises `Misuse` for a name or a shape that does not exist."""
        known = {item.name for item in dataclasses.fields(self)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise Misuse("unknown_setting", ", ".join(unknown))
        try:
            return dataclasses.replace(self, **{name: _coerced(name, value) for name, value in values.items()})
        except (TypeError, ValueError, AttributeError) as problem:
            raise Misuse("bad_setting", str(problem)) from problem

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON values."""
        return dataclasses.asdict(self)


def _structure(name: str, value: Any) -> Any:
    if name == "delivery":
        return DeliverySettings(**value)
    return {method: RateLimit(**limit) for method, limit in value.items()}


def _coerced(name: str, value: Any) -> Any:
    if name in {"delivery", "rate_limits"}:
        return _structure(name, value)
    if name == "retry_schedule":
        return tuple(float(wait) for wait in value)
    if name in {"scopes", "subscriptions", "commands"}:
        return tuple(str(word) for word in value)
    if name == "command_hints":
        return {str(command): _words(hints) for command, hints in value.items()}
    if name == "shortcuts":
        return tuple(_words(shortcut) for shortcut in value)
    if name in {"response_url_uses", "upload_limit", "max_sockets"}:
        return int(value)
    if name in {"alt_txt_drops_share", "should_escape"}:
        return bool(value)
    return None if value is None else float(value)


def _words(value: Mapping[Any, Any]) -> dict[str, str]:
    return {str(key): str(word) for key, word in value.items()}
