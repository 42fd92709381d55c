"""The options of ``/clip``: their names, what each may be given, and what they change."""

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from bot.domain.lineage import MOST_TAKES, Changes
from bot.domain.recipe import (
    FILE_OPTIONS,
    HIGHEST_SEED,
    LONGEST_SECONDS,
    SHORTEST_SECONDS,
    MediaKind,
    MediaRole,
    Medium,
    Ratio,
    Resolution,
)
from handlers.grammar.errors import UnknownOption
from handlers.grammar.media import EXAMPLE_PICTURE, EXAMPLE_VIDEO, allowed_for, reading

LONGEST_NAME = 40
AUTO = "auto"
EXAMPLE = "/clip a red panda surfing at sunset"

Value = str | int | bool | Medium | tuple[Medium, ...]
"""What an option was given, checked; several files from an option that may be repeated."""

_NUMBER = re.compile(r"[0-9]{1,12}")
_SECONDS = re.compile(r"([0-9]{1,6})s?", re.IGNORECASE)
_NAME = re.compile(rf"[a-z0-9][a-z0-9._-]{{0,{LONGEST_NAME - 1}}}")


class Arity(StrEnum):
    """How much of what follows belongs to an option."""

    FLAG = "flag"
    WORD = "word"
    WORDS = "words"
    """Everything up to the next option, or one quoted text."""


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option. ``read`` gives the checked value, or None when the text is not one. Options that share a ``key``
    contradict each other when they differ; a ``repeatable`` one adds up."""

    key: str
    arity: Arity
    read: Callable[[str], Value | None]
    allowed: str
    example: str
    repeatable: bool = False


def _whole(lowest: int, highest: int) -> Callable[[str], Value | None]:
    def read(text: str) -> Value | None:
        return int(text) if _NUMBER.fullmatch(text) and lowest <= int(text) <= highest else None

    return read


def _member(values: type[Resolution] | type[Ratio]) -> Callable[[str], Value | None]:
    by_word = {member.value: member.value for member in values}
    return lambda text: by_word.get(text.lower())


def _seconds(text: str) -> Value | None:
    if text.lower() == AUTO:
        return AUTO
    found = _SECONDS.fullmatch(text)
    return int(found[1]) if found and SHORTEST_SECONDS <= int(found[1]) <= LONGEST_SECONDS else None


def _name(text: str) -> Value | None:
    return text.lower() if _NAME.fullmatch(text.lower()) else None


def _words(text: str) -> Value | None:
    # Double quotes fence a value; inside one they would make the line to type again ambiguous.
    return " ".join(text.replace('"', "'").split()) or None


def _flag(key: str, value: bool, example: str) -> Option:
    return Option(key=key, arity=Arity.FLAG, read=lambda _: value, allowed="", example=example)


def _file(role: MediaRole, *, repeatable: bool = False) -> Option:
    """An option that takes a file for that role."""
    name, kind = FILE_OPTIONS[role].name, FILE_OPTIONS[role].kind
    link = EXAMPLE_VIDEO if kind is MediaKind.VIDEO else EXAMPLE_PICTURE
    return Option(
        key=name,
        arity=Arity.WORD,
        read=reading(role, kind),
        allowed=allowed_for(kind),
        example=f"--first {link} --{name} {link}" if role is MediaRole.LAST else f"--{name} {link}",
        repeatable=repeatable,
    )


def _listed(values: type[Resolution] | type[Ratio]) -> str:
    return ", ".join(member.value for member in values)


OPTIONS: Mapping[str, Option] = MappingProxyType(
    {
        "takes": Option(
            key="takes",
            arity=Arity.WORD,
            read=_whole(1, MOST_TAKES),
            allowed=f"a whole number from 1 to {MOST_TAKES}",
            example="--takes 3",
        ),
        "res": Option(
            key="res",
            arity=Arity.WORD,
            read=_member(Resolution),
            allowed=_listed(Resolution),
            example="--res 720p",
        ),
        "dur": Option(
            key="dur",
            arity=Arity.WORD,
            read=_seconds,
            allowed=f"whole seconds from {SHORTEST_SECONDS} to {LONGEST_SECONDS}, or auto",
            example="--dur 8",
        ),
        "ratio": Option(
            key="ratio",
            arity=Arity.WORD,
            read=_member(Ratio),
            allowed=_listed(Ratio),
            example="--ratio 9:16",
        ),
        "seed": Option(
            key="seed",
            arity=Arity.WORD,
            read=_whole(0, HIGHEST_SEED),
            allowed=f"a whole number from 0 to {HIGHEST_SEED}",
            example="--seed 7",
        ),
        "audio": _flag("audio", True, "--audio"),
        "no-audio": _flag("audio", False, "--no-audio"),
        "no": Option(
            key="no",
            arity=Arity.WORDS,
            read=_words,
            allowed="words for what is not to be seen",
            example="--no text, logos",
        ),
        "hq": _flag("hq", True, "--hq"),
        "first": _file(MediaRole.FIRST),
        "last": _file(MediaRole.LAST),
        "loop": _flag("loop", True, f"--first {EXAMPLE_PICTURE} --loop"),
        "ref": _file(MediaRole.REFERENCE, repeatable=True),
        "edit": _file(MediaRole.EDIT),
        "extend": _file(MediaRole.EXTEND),
        "tier": Option(
            key="tier",
            arity=Arity.WORD,
            read=_name,
            allowed="the name of a tier, such as mini",
            example="--tier mini",
        ),
        "provider": Option(
            key="provider",
            arity=Arity.WORD,
            read=_name,
            allowed="the name of a provider, or auto",
            example="--provider auto",
        ),
        "final": _flag("final", True, "--final"),
        "estimate": _flag("estimate", True, "--estimate"),
    }
)
"""Every option of this release by its name."""

FILES = frozenset({"first", "last", "ref", "edit", "extend"})
"""Options that take the address of a file."""

ALIASES: Mapping[str, str] = MappingProxyType({"ar": "ratio"})

NOT_YET: Mapping[str, str] = MappingProxyType(
    {
        "each": "Ask for one clip at a time so far.",
    }
)
"""Names that people may know and that do nothing yet, with what holds instead."""

_COUSINS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("seconds", "length", "len", "time", "duration", "sec"), "dur"),
        **dict.fromkeys(("size", "quality", "resolution", "q"), "res"),
        **dict.fromkeys(("aspect", "aspect-ratio", "format", "shape"), "ratio"),
        **dict.fromkeys(("negative", "not", "without", "exclude"), "no"),
        **dict.fromkeys(("count", "variants", "variations", "number", "num"), "takes"),
        **dict.fromkeys(("sound", "music"), "audio"),
        **dict.fromkeys(("mute", "silent", "muted", "noaudio", "no-sound"), "no-audio"),
        **dict.fromkeys(("price", "cost", "dry-run"), "estimate"),
        **dict.fromkeys(("model", "via"), "provider"),
        **dict.fromkeys(("first-frame", "start", "start-frame", "from"), "first"),
        **dict.fromkeys(("last-frame", "end", "end-frame", "to"), "last"),
        **dict.fromkeys(("reference", "references", "image", "img", "picture", "photo", "video", "file"), "ref"),
        **dict.fromkeys(("continue", "prolong"), "extend"),
    }
)
"""What other tools call these options."""


def canonical(name: str) -> str | None:
    """The option's own name for what was typed; None for an unknown one. Options that do nothing yet are known."""
    folded = name.lower()
    found = ALIASES.get(folded, folded)
    return found if found in OPTIONS or found in NOT_YET else None


def unknown(dashed: str, start: str) -> UnknownOption:
    """The error for an option nobody has, naming the nearest; ``start`` begins its example."""
    nearest = _nearest(dashed.lstrip("-").lower())
    return UnknownOption(
        option=dashed,
        nearest=nearest,
        names=tuple(OPTIONS),
        suggestion=f"{start} {OPTIONS[nearest].example}",
    )


def _nearest(name: str) -> str:
    if name in _COUSINS:
        return _COUSINS[name]
    known = [*OPTIONS, *ALIASES, *_COUSINS]
    begun = [one for one in OPTIONS if len(one) > 2 and name.startswith(one)]
    match = begun or difflib.get_close_matches(name, known, n=1, cutoff=0) or ["takes"]
    return _COUSINS.get(match[0], ALIASES.get(match[0], match[0]))


def changes_of(given: Mapping[str, Value]) -> Changes:
    """The recipe's changes among checked values by key."""

    def number(key: str) -> int | None:
        value = given.get(key)
        return value if isinstance(value, int) else None

    def word(key: str) -> str | None:
        value = given.get(key)
        return value if isinstance(value, str) else None

    resolution, ratio = word("res"), word("ratio")
    return Changes(
        resolution=Resolution(resolution) if resolution else None,
        seconds=number("dur"),
        automatic_seconds=given.get("dur") == AUTO,
        ratio=Ratio(ratio) if ratio else None,
        audio=bool(given["audio"]) if "audio" in given else None,
        tier=word("tier"),
        seed=number("seed"),
        negative=word("no"),
        high_bitrate=True if given.get("hq") else None,
        media=_media_of(given),
        takes=number("takes"),
    )


def _media_of(given: Mapping[str, Value]) -> tuple[Medium, ...]:
    """The files, in the order of their roles; references in the order in which they were given."""
    first = given.get("first")
    again = first if given.get("loop") and isinstance(first, Medium) else None
    last = Medium(role=MediaRole.LAST, kind=again.kind, url=again.url) if again else given.get("last")
    references = given.get("ref", ())
    single = (first, last, given.get("edit"), given.get("extend"))
    return (
        *(medium for medium in single if isinstance(medium, Medium)),
        *(references if isinstance(references, tuple) else ()),
    )
