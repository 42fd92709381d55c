"""A reply in a thread of clips: a variant, a promotion, a cry for help, or, whenever in doubt, chat.

Chat costs nothing and is answered by nothing. A mistake is a person's mistake only where the reply cannot be meant
as chat: it begins with a clip's number, names the bot, or is settings through and through.
"""

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from bot.domain.lineage import Changes
from handlers.grammar.attachments import Attachments, refer_to_all, take_attached
from handlers.grammar.clip import checked_words, says_something
from handlers.grammar.courtesy import nothing_to_make, only_fillers
from handlers.grammar.errors import FilesWithPromotion, IllValue, MissingValue, NotInAReply, SeveralClips, UnknownOption
from handlers.grammar.line import Line, prose, read_line
from handlers.grammar.options import FILES, OPTIONS, changes_of
from handlers.grammar.settings import Found, find_settings
from handlers.grammar.slack_text import name_of, normalise


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
    """What a reply asks for. ``number`` is the clip it names; None leaves the choice to the thread. ``provider`` is who
    is to make the variant, where it says that (``auto`` included)."""

    number: int | None
    changes: Changes
    kind: ReplyKind
    provider: str | None = None


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

_CLIP_ONLY = {
    "final": "react to the clip with rocket, or reply with its number as in the example.",
    "estimate": "a variant's price is shown before it starts, with time to undo it.",
}


def parse_reply(text: str, *, bot_user: str, files: Attachments = ()) -> Reply:
    """Read a reply as Slack sends it; ``bot_user`` is our user id, ``files`` are attached to it in their order. Pure;
    raises UsageError and nothing else, and that only where the reply cannot be chat. Files alone are chat, unless it
    names us: people show one another things."""
    mention = name_of(bot_user)
    named = mention.search(text) is not None
    plain = normalise(mention.sub(" ", text)).strip()
    if (found := _PROMOTE.fullmatch(plain)) is not None:
        return _promotion(int(found[1]), files)
    leading = _NUMBER_FIRST.match(plain)
    number = int(leading[1]) if leading else None
    rest = plain[leading.end() :] if leading else plain
    return _named(number, rest, files) if named else _unnamed(number, rest, files)


def asks_to_promote(plain: str) -> bool:
    """Whether normalised text, without our name, says to promote something."""
    return _PROMOTE_NAMED.fullmatch(plain) is not None


def _reply(
    kind: ReplyKind, number: int | None = None, changes: Changes | None = None, provider: str | None = None
) -> Reply:
    return Reply(number=number, changes=changes or Changes(), kind=kind, provider=provider)


def _promotion(number: int, files: Attachments) -> Reply:
    """Nothing asked is dropped: raises FilesWithPromotion."""
    if files:
        raise FilesWithPromotion(number=number, count=len(files))
    return _reply(ReplyKind.PROMOTE, number)


def _provider(line: Line) -> str | None:
    named = line.given.get("provider")
    return named if isinstance(named, str) else None


# --- replies that do not name the bot --------------------------------------------------------------------------------


def _unnamed(number: int | None, rest: str, files: Attachments) -> Reply:
    line = read_line(rest, start=_start(number), attached=len(files))
    left = take_attached(line, files)
    found = find_settings(line.words, prose=False)
    if found.words or not (found.settings or found.ill or line.given or line.problem):
        return _reply(ReplyKind.CHAT)
    if number is None and _may_be_chat(line, found, rest):
        return _reply(ReplyKind.CHAT)
    anew = "ref" in line.given
    refer_to_all(line, left)
    return _reply(ReplyKind.SETTINGS, number, _settled(line, found, anew=anew), _provider(line))


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


def _settled(line: Line, found: Found, *, anew: bool) -> Changes:
    """The changes that options and bare settings ask for together; ``anew`` when an option says what the references
    are. Raises UsageError."""
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
    return replace(changes_of(line.given), anew=anew)


def _instead_of(name: str, start: str) -> str:
    return f"promote {start}" if name == "final" else f"{start} 9:16"


# --- replies that name the bot ---------------------------------------------------------------------------------------


def _named(number: int | None, rest: str, files: Attachments) -> Reply:
    if (promoted := _PROMOTE_NAMED.fullmatch(rest)) is not None:
        return _promotion(_promoted(number, promoted["after"], rest), files)
    if number is None:
        number, rest = _number_within(rest)
    elif _REMARK.match(rest):
        return _reply(ReplyKind.HELP, number)
    elif (second := _number_within(rest)[0]) not in {None, number}:
        raise SeveralClips(numbers=(number, second))
    line = read_line(rest, start=_start(number), attached=len(files))
    left = take_attached(line, files)
    if not (line.given or line.problem) and nothing_to_make(line.prose) and (line.prose or not files):
        return _reply(ReplyKind.HELP, number)
    anew, provider = "ref" in line.given, _provider(line)
    refer_to_all(line, left)
    found = find_settings(line.words, prose=True)
    wanted = not only_fillers(found.words) and says_something(_spoken(found.words))
    if not wanted:
        changes = _settled(line, found, anew=anew)
        idle = changes.empty and provider is None
        return _reply(ReplyKind.HELP if idle else ReplyKind.NAMED, number, changes, provider)
    # In a sentence 10:30 is a time of day; said alone it could only be a setting, and an ill one.
    changes = _settled(line, replace(found, ill=()), anew=anew)
    direction = _direction(_spoken(found.sentence), changes, line.start)
    return _reply(ReplyKind.NAMED, number, replace(changes, direction=direction), provider)


def _direction(words: str, changes: Changes, start: str) -> str:
    """The words, checked. Names of files in them count the clip's own references too, unless an option says that the
    new ones are all; they are checked where the clip is known."""
    named = words if changes.anew else _AT_NAME.sub("", words)
    checked_words(named, changes.media, example=f"{start} 9:16")
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
