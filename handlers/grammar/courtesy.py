"""What people say to an app without asking for anything, and words that only carry settings."""

import re
from collections.abc import Iterable

from handlers.grammar.settings import find_settings

_QUESTION = re.compile(r"(?:what|how|why|who|when|where|which|is|are|does|do|did)\b.*\?\s*", re.IGNORECASE)
_EMOJI = re.compile(r":[a-z0-9_+'-]+:")
_COURTESY = frozenset(
    re.findall(
        r"\S+",
        """
        thanks thank you thx ty cheers hi hello hey yo good morning afternoon evening night bye welcome sorry please
        help ok okay yes no nice great cool wow lovely awesome amazing perfect super top well done love it this that one
        so very much a lot for all everyone team there again job work works congrats lol haha dailies bot
        """,
    )
)
"""Words of thanks, greeting and praise: a mention made of nothing else asks for nothing."""

_FILLERS = frozenset(
    re.findall(
        r"\S+",
        """
        make do try render give me us let's lets go be it the this a same again another one version clip cut long
        but and also just now as in on at with to for of please
        """,
    )
)
"""Words that only carry settings: "make it 8s and 9:16 please" directs nothing."""


def nothing_to_make(said: str) -> bool:
    """Thanks, greetings, praise, a question, a vote, or nothing at all."""
    if find_settings(said.split(), prose=True).any:
        return False
    words = re.findall(r"[^\W\d_]+", _EMOJI.sub(" ", said.lower()))
    if not any(len(word) > 1 for word in words) or all(word in _COURTESY for word in words):
        return True
    return _QUESTION.fullmatch(said) is not None


def only_fillers(words: Iterable[str]) -> bool:
    """Whether none of the words directs anything."""
    return all(word.lower().strip(",;.!:") in _FILLERS for word in words)
