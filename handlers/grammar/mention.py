"""``@Dailies PROMPT [options]``, with files or without, where no clips of ours are; in a direct message without the
name. It might be chat, which costs nothing."""

import re

from handlers.grammar.attachments import Attachments, place_by_order, take_attached
from handlers.grammar.cast import CastRequest, is_about_cast, parse_cast
from handlers.grammar.clip import ClipRequest, Help, asks_for_help, request_of
from handlers.grammar.courtesy import nothing_to_make, only_fillers
from handlers.grammar.doors import SettingsRequest, UsageRequest, parse_door
from handlers.grammar.errors import NoPrompt, UsageError
from handlers.grammar.line import read_line
from handlers.grammar.reply import asks_to_promote
from handlers.grammar.settings import find_settings
from handlers.grammar.slack_text import name_of, normalise

EXAMPLE = "@Dailies a red panda surfing at sunset"


def parse_mention(
    text: str, *, bot_user: str, files: Attachments = ()
) -> ClipRequest | UsageRequest | SettingsRequest | CastRequest | Help:
    """Read a message as Slack sends it; ``bot_user`` is our user id, ``files`` are attached to it in their order. Pure;
    raises UsageError and nothing else."""
    said = name_of(bot_user).sub(" ", text).strip()
    plain = normalise(said).strip()
    if asks_for_help(plain) and not files:
        return Help()
    if door := parse_door(said) or parse_cast(plain, files):
        return door
    line = read_line(plain, start=EXAMPLE, attached=len(files))
    left = take_attached(line, files)
    prose = line.prose
    if asks_to_promote(plain) or (not (line.given or line.problem) and _is_chat(prose, files)):
        return Help()
    found = find_settings(line.words, prose=True)
    if not line.problem and found.any and only_fillers(found.words):
        raise NoPrompt(typed=prose, suggestion=f"{EXAMPLE} {' '.join(line.typed.values())}".strip())
    place_by_order(line, left)
    return request_of(line, plain)


def opens_door(text: str, *, bot_user: str) -> bool:
    """Whether a message that names us opens something of its own instead of making a clip, also in a thread of
    ours."""
    said = name_of(bot_user).sub(" ", text).strip()
    try:
        return parse_door(said) is not None or is_about_cast(normalise(said))
    except UsageError:
        return True


def _is_chat(prose: str, files: Attachments) -> bool:
    """Files without a word are not chat: they wait for a prompt."""
    return nothing_to_make(prose) and (bool(re.search(r"\w", prose)) or not files)
