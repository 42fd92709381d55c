"""Values to Block Kit. Pure: what people see is a function of what is on disk."""

from handlers.blocks.answers import Outcome, answer, explain_error
from handlers.blocks.card import card
from handlers.blocks.clip_line import clip_comment, clip_filename, clip_title
from handlers.blocks.kit import Message, escape
from handlers.blocks.notices import notice

__all__ = [
    "Message",
    "Outcome",
    "answer",
    "card",
    "clip_comment",
    "clip_filename",
    "clip_title",
    "escape",
    "explain_error",
    "notice",
]
