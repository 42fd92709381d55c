"""A typed line taken apart: words here, options there. Nothing is raised; the first problem rides along, because the
same text is a mistake after ``/clip`` and may be chat in a thread."""

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from bot.domain.recipe import Medium
from handlers.grammar.errors import GivenTwice, IllValue, MissingValue, NotAvailableYet, NoValueTaken, UsageError
from handlers.grammar.media import first_frame_for, looks_like_address
from handlers.grammar.options import EXAMPLE, FILES, NOT_YET, OPTIONS, Arity, Option, Value, canonical, unknown
from handlers.grammar.slack_text import REFERENCE, entities, literal, readable

_LONG_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"
_DASHES = f"-{_LONG_DASHES}"
_TOKEN = re.compile(
    rf"""(?: {REFERENCE}                               # one of Slack's references, blanks and all
          | (?<![^\s(\[{{=,;:]) "[^"]*" (?!\w)         # a quotation; the inch mark of 5" neither opens nor closes one
          | \S
        )+""",
    re.VERBOSE,
)
_OPTION = re.compile(r"(?P<dashes>--)(?P<name>[A-Za-z][^=]*)(?:=(?P<value>.*))?", re.DOTALL)
_LONG_DASH_OPTION = re.compile(
    rf"(?P<dashes>-*[{_LONG_DASHES}][{_DASHES}]*)(?P<name>[A-Za-z][A-Za-z-]*)(?:=(?P<value>.*))?", re.DOTALL
)
_SHORT_TAKES = re.compile(r"-n(?:=?(?P<value>[0-9]+)|=(?P<other>.*))?", re.DOTALL)
_QUOTED = re.compile(r'"([^"]*)"', re.DOTALL)
_SWITCH_WORDS = frozenset({"on", "off", "yes", "no", "true", "false"})
_CLOSING = ",;."
"""Punctuation that ends a clause and not a value."""


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A token that is an option: as typed, by its own name (None when unknown), and what stood behind ``=``."""

    typed: str
    name: str | None
    value: str | None


@dataclass(kw_only=True)
class Line:
    """What a line says. ``words`` are raw tokens; ``given`` are checked values by key; ``typed`` is how each key was
    asked for; ``problem`` is the first thing wrong with an option. ``start`` is how a line that works begins;
    ``attached`` files may be meant by options without a value, which are then ``awaiting`` one (name, as typed)."""

    start: str = EXAMPLE
    attached: int = 0
    awaiting: list[tuple[str, str]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    given: dict[str, Value] = field(default_factory=dict)
    typed: dict[str, str] = field(default_factory=dict)
    problem: UsageError | None = None

    @property
    def prose(self) -> str:
        """The words as a person reads them, blanks collapsed."""
        return prose(self.words)

    def blame(self, problem: UsageError) -> None:
        """Remember the first problem."""
        self.problem = self.problem or problem

    def suggest(self, option: Option) -> str:
        """A line that works with that option."""
        return f"{self.start} {option.example}"

    def give(self, option: Option, value: Value, typed: str) -> None:
        """Record a value; a different one for the same key is a contradiction, unless it may be repeated."""
        before = self.given.get(option.key, ())
        if option.repeatable and isinstance(before, tuple) and isinstance(value, Medium):
            self.given[option.key] = (*before, value)
            self.typed[option.key] = f"{self.typed.get(option.key, '')} {typed}".strip()
            return
        if option.key in self.given and self.given[option.key] != value:
            self._contradiction(option.key, typed)
            return
        self.given[option.key] = value
        self.typed.setdefault(option.key, typed)

    def _contradiction(self, key: str, second: str, *, beside: str = "") -> None:
        """Blame what was typed second for the same; ``beside`` is what the first needs to work."""
        first = self.typed[key]
        suggestion = " ".join(part for part in (self.start, beside, first) if part)
        self.blame(GivenTwice(option=f"--{key}", first=first, second=second, suggestion=suggestion))

    def check_frames(self) -> None:
        """A loop ends where it began: it needs a first frame and has no other last one."""
        if "loop" not in self.given:
            return
        first, last = self.given.get("first"), self.given.get("last")
        if not isinstance(first, Medium):
            self.blame(first_frame_for("--loop", self.start))
        elif isinstance(last, Medium) and last.url != first.url:
            self._contradiction("last", self.typed["loop"], beside=self.typed["first"])

    def check(self, name: str, value: str, typed: str) -> None:
        """Check a value for an option and record it, or blame it."""
        option = OPTIONS[name]
        plain = value if option.arity is Arity.WORDS else value.rstrip(_CLOSING)
        suggestion = self.suggest(option)
        if (checked := option.read(plain)) is None:
            allowed = option.allowed
            self.blame(IllValue(option=f"--{name}", value=value, allowed=allowed, suggestion=suggestion))
        else:
            self.give(option, checked, typed)


def prose(words: Iterable[str]) -> str:
    """Raw tokens as a person reads them, blanks collapsed. What only looks like an option in them, because a mention
    or a link shows so, loses its dashes: typed again, it would be one."""
    text = " ".join(readable(" ".join(words)).split())
    return readable(" ".join(token.lstrip(_DASHES) if mark(token) else token for token in tokens(entities(text))))


def tokens(text: str) -> list[str]:
    """Normalised text cut at blanks, with quotations and Slack's references whole."""
    return [found[0] for found in _TOKEN.finditer(text)]


def mark(token: str) -> Mark | None:
    """The token as an option, or None when it is prose. A dash pair makes one with any name, a long dash (which
    phones make of a pair) only with a known name."""
    if found := _SHORT_TAKES.fullmatch(token):
        return Mark(typed="-n", name="takes", value=found["value"] or found["other"])
    if found := _OPTION.fullmatch(token):
        return Mark(typed=f"--{readable(found['name'])}", name=canonical(found["name"]), value=found["value"])
    found = _LONG_DASH_OPTION.fullmatch(token)
    if found and (name := canonical(found["name"])):
        return Mark(typed=f"--{name}", name=name, value=found["value"])
    return None


def read_line(text: str, *, start: str = EXAMPLE, attached: int = 0) -> Line:
    """Take normalised text apart. ``start`` begins the examples of its errors. What ``attached`` files are for, and
    whether a last frame has a first one, is for ``attachments`` to say."""
    line, rest = Line(start=start, attached=attached), deque(tokens(text))
    while rest:
        token = rest.popleft()
        found = mark(token)
        if found is None:
            line.words.append(token)
        elif found.name is None:
            line.blame(unknown(found.typed, start))
            _skip_value(found, rest)
        elif found.name in NOT_YET:
            suggestion = line.suggest(OPTIONS["ratio"])
            line.blame(NotAvailableYet(option=found.typed, instead=NOT_YET[found.name], suggestion=suggestion))
            _skip_value(found, rest)
        else:
            _read_option(line, found, found.name, rest)
    return line


def _skip_value(found: Mark, rest: deque[str]) -> None:
    """What stands behind an option that we do not have was meant for it."""
    if found.value is None and rest and mark(rest[0]) is None:
        rest.popleft()


def _read_option(line: Line, found: Mark, name: str, rest: deque[str]) -> None:
    option = OPTIONS[name]
    if option.arity is Arity.FLAG:
        _read_flag(line, found, option, rest)
        return
    if name in FILES and line.attached and found.value is None and not (rest and looks_like_address(rest[0])):
        line.awaiting.append((name, found.typed))
        return
    value = _value(found, option, rest)
    if not value:
        line.blame(MissingValue(option=found.typed, allowed=option.allowed, suggestion=line.suggest(option)))
        return
    line.check(name, value, f"{found.typed} {value}")


def _read_flag(line: Line, found: Mark, option: Option, rest: deque[str]) -> None:
    given = found.value
    alone = len(rest) == 1 or (len(rest) > 1 and mark(rest[1]) is not None)
    if given is None and alone and rest[0].lower().rstrip(_CLOSING) in _SWITCH_WORDS:
        given = rest[0]
    if given is not None:
        line.blame(NoValueTaken(option=found.typed, value=literal(given), suggestion=line.suggest(option)))
        return
    value = option.read("")
    if value is not None:
        line.give(option, value, found.typed)


def _value(found: Mark, option: Option, rest: deque[str]) -> str:
    """What the option was given, taken from behind ``=`` or off the rest; empty when nothing was."""
    parts = [] if found.value is None else [found.value]
    if not parts and rest and mark(rest[0]) is None:
        parts.append(rest.popleft())
    if option.arity is Arity.WORDS and parts and not _QUOTED.fullmatch(parts[0]):
        while rest and mark(rest[0]) is None:
            parts.append(rest.popleft())
    value = literal(" ".join(parts)).strip()
    quoted = _QUOTED.fullmatch(value)
    return quoted[1].strip() if quoted else value
