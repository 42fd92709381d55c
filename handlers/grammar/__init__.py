"""Text to what was asked. Pure: nothing here knows Slack's API, a clock or a provider."""

from handlers.grammar.clip import ClipRequest, Help, parse_clip
from handlers.grammar.doors import SettingsRequest, UsageRequest, parse_usage
from handlers.grammar.errors import UsageError
from handlers.grammar.reply import Reply, ReplyKind, parse_reply

__all__ = [
    "ClipRequest",
    "Help",
    "Reply",
    "ReplyKind",
    "SettingsRequest",
    "UsageError",
    "UsageRequest",
    "parse_clip",
    "parse_reply",
    "parse_usage",
]
