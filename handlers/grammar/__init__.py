"""Text to what was asked. Pure: nothing here knows Slack's API, a clock or a provider."""

from handlers.grammar.attachments import Attachment, Attachments
from handlers.grammar.cast import CastRequest
from handlers.grammar.clip import ClipRequest, Help, parse_clip
from handlers.grammar.doors import SettingsRequest, UsageRequest, parse_usage
from handlers.grammar.errors import UsageError
from handlers.grammar.mention import parse_mention
from handlers.grammar.reply import Reply, ReplyKind, parse_reply

__all__ = [
    "Attachment",
    "Attachments",
    "CastRequest",
    "ClipRequest",
    "Help",
    "Reply",
    "ReplyKind",
    "SettingsRequest",
    "UsageError",
    "UsageRequest",
    "parse_clip",
    "parse_mention",
    "parse_reply",
    "parse_usage",
]
