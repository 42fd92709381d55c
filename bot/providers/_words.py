"""Seedance's moderation speaks through every reseller in much the same words."""

import re

from bot.domain.failure import FailureKind


def kind_by_words(message: str) -> FailureKind | None:
    """The class of a refusal by its words in lower case, the more exact ones first; None when they say nothing."""
    moderated = any(word in message for word in ("moderat", "sensitive", "policy", "risk", "violat", "audit"))
    if "audio" in message and (moderated or "content" in message):
        return FailureKind.AUDIO_MODERATION
    if _FACES.search(message) or any(word in message for word in ("real person", "likeness", "privacy")):
        return FailureKind.FACE
    if "copyright" in message or moderated or "rejected the prompt" in message:
        return FailureKind.POLICY
    if any(word in message for word in _FILES):
        return FailureKind.BAD_REFERENCE
    return None


_FILES = ("image", "first frame", "reference", "download the", "be downloaded", "fetch", "video_url", "audio_url")
_FACES = re.compile(r"\bfac(?:e|es|ial)\b")
"""As words of their own: an upstream *interface* that fails has nothing to do with them."""
