"""A reply in a thread of clips: a variant, a promotion, a cry for help, or, whenever in doubt, chat.

Chat costs nothing and is answered by nothing. A mistake is a person's mistake only where the reply cannot be meant
as chat: it begins with a clip's number, names the bot, or is settings through and through.
"""

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from bot.domain.lineage import Changes
from bot.domain.recipe import MediaRole, Medium
from handlers.grammar.clip import checked_words, says_something
from handlers.grammar.errors import IllValue, MissingValue, NotInAReply, SeveralClips, UnknownOption
from handlers.grammar.line import Line, prose, read_line
from handlers.grammar.options import FILES, OPTIONS, changes_of
from handlers.grammar.settings import Found, find_settings
from handlers.grammar.slack_text import normalise


class ReplyKind(StrEnum):
    """What a reply is."""

    SETTINGS = "settings"
    """After an optional ``#n`` it is settings and nothing else."""
    NAMED = "named"
    """It names the bot and says something to make."""
    PROMOTE = "promote"
    """It says to promote the clip ``number``, which is always there."""
    HELP = "help"
    """It names the bot and says nothing to make."""
    CHAT = "chat"


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a reply asks for. ``number`` is the clip it names; None leaves the choice to the thread."""

    number: int | None
    changes: Changes
    kind: ReplyKind


_NOT_A_FILE = "".join(rf"(?<!--{name}[ =])" for name in sorted(FILES))
"""``--first #2`` gives a file, and does not say of which clip the reply is; nor does ``#2`` at the end of a link."""

_NUMBER_FIRST = re.compile(r"\s*#([0-9]{1,6})(?:\s*[:,]\s*|\s+|$)")
_NUMBER_ANYWHERE = re.compile(rf"{_NOT_A_FILE}(?<![\w#<&/?=.-])#([0-9]{{1,6}})\b")
_PROMOTE = re.compile(r"\s*promote\s+#([0-9]{1,6})\s*", re.IGNORECASE)
_PROMOTE_NAMED = re.compile(
    r"(?:please\s+)?promote(?:\s+(?:clip\s+)?#?(?P<after>[0-9]{1,6}))?(?:\s+please)?[\s.!]*", re.IGNORECASE
)
_AT_NAME = re.compile(r"@(?=(?:image|video|audio)[0-9])", re.IGNORECASE)
_REMARK = re.compile(r"(?:is|are|was|looks?|wins?|won|works?|has|for)\b", re.IGNORECASE)
"""How a sentence about a clip goes on after its number: "#2 is the winner"."""

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

_CLIP_ONLY = {
    "provider": "a variant is made by its clip's own provider.",
    "final": "react to the clip with rocket, or reply with its number as in the example.",
    "estimate": "a variant's price is shown before it starts, with time to undo it.",
}


def parse_reply(text: str, *, bot_user: str) -> Reply:
    """Read a reply as Slack sends it; ``bot_user`` is our user id. Pure; raises UsageError and nothing else, and
    that only where the reply cannot be chat."""
    mention = re.compile(rf"<@{re.escape(bot_user)}(?:\|[^<>]*)?>[:,]?")
    named = mention.search(text) is not None
    plain = normalise(mention.sub(" ", text)).strip()
    if (found := _PROMOTE.fullmatch(plain)) is not None:
        return _reply(ReplyKind.PROMOTE, int(found[1]))
    leading = _NUMBER_FIRST.match(plain)
    number = int(leading[1]) if leading else None
    rest = plain[leading.end() :] if leading else plain
    return _named(number, rest) if named else _unnamed(number, rest)


def _reply(kind: ReplyKind, number: int | None = None, changes: Changes | None = None) -> Reply:
    return Reply(number=number, changes=changes or Changes(), kind=kind)


# --- replies that do not name the bot --------------------------------------------------------------------------------


def _unnamed(number: int | None, rest: str) -> Reply:
    line = read_line(rest, start=_start(number))
    found = find_settings(line.words, prose=False)
    if found.words or not (found.settings or found.ill or line.given or line.problem):
        return _reply(ReplyKind.CHAT)
    if number is None and _may_be_chat(line, found, rest):
        return _reply(ReplyKind.CHAT)
    return _reply(ReplyKind.SETTINGS, number, _settled(line, found))


def _may_be_chat(line: Line, found: Found, rest: str) -> bool:
    """Whether a reply without a number, though wholly settings in form, is rather said to people."""
    if found.settings:
        return False
    if found.ill and not line.given:  # "30s" answers somebody's "how long?"
        return True
    if isinstance(line.problem, UnknownOption) and not line.given:  # "--force"
        return True
    if set(line.given) == {"no"}:  # "—no way"
        return True
    return line.problem is not None and not rest.startswith("--")  # "—takes off"


def _start(number: int | None) -> str:
    """How an example reply begins."""
    return f"#{number or 1}"


def _settled(line: Line, found: Found) -> Changes:
    """The changes that options and bare settings ask for together. Raises UsageError."""
    for setting in found.settings:
        line.check(setting.option, setting.value, setting.typed)
    if line.problem:
        raise line.problem
    if found.ill:
        ill, option = found.ill[0], OPTIONS[found.ill[0].option]
        raise IllValue(
            option=f"--{ill.option}", value=ill.typed, allowed=option.allowed, suggestion=line.suggest(option)
        )
    for name, instead in _CLIP_ONLY.items():
        if name in line.given:
            raise NotInAReply(option=line.typed[name], instead=instead, suggestion=_instead_of(name, line.start))
    return changes_of(line.given)


def _instead_of(name: str, start: str) -> str:
    return f"promote {start}" if name == "final" else f"{start} 9:16"


# --- replies that name the bot ---------------------------------------------------------------------------------------


def _named(number: int | None, rest: str) -> Reply:
    if (promoted := _PROMOTE_NAMED.fullmatch(rest)) is not None:
        return _reply(ReplyKind.PROMOTE, _promoted(number, promoted["after"], rest))
    if number is None:
        number, rest = _number_within(rest)
    elif _REMARK.match(rest):
        return _reply(ReplyKind.HELP, number)
    elif (second := _number_within(rest)[0]) not in {None, number}:
        raise SeveralClips(numbers=(number, second))
    line = read_line(rest, start=_start(number))
    if not (line.given or line.problem) and _nothing_to_make(line.prose):
        return _reply(ReplyKind.HELP, number)
    found = find_settings(line.words, prose=True)
    wanted = not _only(found.words, _FILLERS) and says_something(_spoken(found.words))
    if not wanted:
        changes = _settled(line, found)
        return _reply(ReplyKind.HELP if changes.empty else ReplyKind.NAMED, number, changes)
    # In a sentence 10:30 is a time of day; said alone it could only be a setting, and an ill one.
    changes = _settled(line, replace(found, ill=()))
    direction = _direction(_spoken(found.sentence), changes.media, line.start)
    return _reply(ReplyKind.NAMED, number, replace(changes, direction=direction))


def _direction(words: str, media: tuple[Medium, ...], start: str) -> str:
    """The words, checked. Names of files in them are those of the clip's own references unless new ones are given, and
    are then checked where the clip is known."""
    renamed = any(medium.role is MediaRole.REFERENCE for medium in media)
    named = words if renamed else _AT_NAME.sub("", words)
    checked_words(named, media, example=f"{start} 9:16")
    return words


def _spoken(words: tuple[str, ...]) -> str:
    """Raw words as a direction that can be added to a prompt."""
    return prose(words).strip(",; ")


def _promoted(first: int | None, second: str | None, typed: str) -> int:
    """The one clip to promote. A promotion spends money, so none is guessed."""
    numbers = tuple(dict.fromkeys(number for number in (first, int(second) if second else None) if number is not None))
    if len(numbers) > 1:
        raise SeveralClips(numbers=numbers)
    if not numbers:
        raise MissingValue(option=typed, allowed="the number of a clip in this thread", suggestion="promote #1")
    return numbers[0]


def _number_within(rest: str) -> tuple[int | None, str]:
    """The one clip that a sentence mentions, and the sentence without it."""
    numbers = tuple(dict.fromkeys(int(found[1]) for found in _NUMBER_ANYWHERE.finditer(rest)))
    if len(numbers) > 1:
        raise SeveralClips(numbers=numbers)
    return (numbers[0], _NUMBER_ANYWHERE.sub("", rest)) if numbers else (None, rest)


def _nothing_to_make(said: str) -> bool:
    """Thanks, greetings, praise, a question, a vote, or nothing at all."""
    if find_settings(said.split(), prose=True).any:
        return False
    words = re.findall(r"[^\W\d_]+", _EMOJI.sub(" ", said.lower()))
    if not any(len(word) > 1 for word in words) or all(word in _COURTESY for word in words):
        return True
    return _QUESTION.fullmatch(said) is not None


def _only(words: tuple[str, ...], allowed: frozenset[str]) -> bool:
    return all(word.lower().strip(",;.!:") in allowed for word in words)
