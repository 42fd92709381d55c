"""Cast and look of a channel: names that stand for somebody's looks in a prompt, and one line of style for every
prompt. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bot.domain.recipe import MediaKind, MediaRole, Medium
from handlers.grammar.attachments import Attachments
from handlers.grammar.errors import NoPictureForCast
from handlers.grammar.media import reading

_CAST = re.compile(r"cast(?:\s+@?(?P<name>[A-Za-z][\w-]*)\s*=\s*(?P<words>.*))?", re.IGNORECASE | re.DOTALL)
_NAMED = re.compile(r"(?<![\w@/.])@(?P<name>[A-Za-z][\w-]*)")
_LINK = re.compile(r"https?://\S+")
_LEADING = frozenset({MediaRole.FIRST, MediaRole.LAST, MediaRole.EDIT, MediaRole.EXTEND})
"""Roles beside which few providers take references."""


@dataclass(frozen=True, kw_only=True)
class CastRequest:
    """The cast of the channel is to be shown, or with a ``name`` somebody in it to be changed: no ``words`` take the
    name out of it. ``picture`` is the id of an attached file."""

    name: str | None = None
    words: str = ""
    picture: str | None = None

    @property
    def key(self) -> str:
        """What it is called among the settings."""
        return f"cast.{(self.name or '').lower()}"


@dataclass(frozen=True, kw_only=True)
class Styled:
    """A prompt as it is sent, the files that it brings, and what to say of that on the card."""

    prompt: str
    references: tuple[Medium, ...] = ()
    notes: tuple[str, ...] = ()


def parse_cast(plain: str, files: Attachments) -> CastRequest | None:
    """Read normalised text without our name; None for anything else. Raises NoPictureForCast."""
    found = _CAST.fullmatch(plain.strip())
    if found is None or (found["name"] is None and files):
        return None
    words = " ".join((found["words"] or "").replace('"', "'").split())
    if files and not (len(files) == 1 and files[0].kind is MediaKind.IMAGE and words):
        raise NoPictureForCast(name=found["name"])
    return CastRequest(name=found["name"], words=words, picture=files[0].id if files else None)


def is_about_cast(plain: str) -> bool:
    """Whether normalised text without our name shows or changes the cast."""
    return _CAST.fullmatch(plain.strip()) is not None


def styled(
    prompt: str, media: tuple[Medium, ...], *, cast: Mapping[str, str], look: str = "", pictures: bool = True
) -> Styled:
    """The prompt with the words behind its names, and the look at its end. A name's picture becomes a reference where
    references may be (and ``pictures`` are wanted); a name that nobody has stays as it is."""
    pictures = pictures and not any(medium.role in _LEADING for medium in media)
    count = sum(one.role is MediaRole.REFERENCE and one.kind is MediaKind.IMAGE for one in media)
    given: dict[str, Medium] = {}
    notes: dict[str, str] = {}

    def words_for(found: re.Match[str]) -> str:
        name = found["name"].lower()
        if name not in cast:
            return found[0]
        words, picture = _member(cast[name])
        notes[name] = f"@{name}: {words}"
        if picture is None or name in given:
            return words
        if not pictures:
            notes[name] += " (its picture cannot go beside a frame, or into a reply)"
            return words
        given[name] = picture
        return f"{words} (@Image{count + len(given)})"

    said = _NAMED.sub(words_for, prompt)
    if look:
        said = f"{said.rstrip(' .')}. {look}"
        notes["look:"] = f"look: {look}"
    return Styled(prompt=said, references=tuple(given.values()), notes=tuple(notes.values()))


def _member(value: str) -> tuple[str, Medium | None]:
    """The anchor words, and the picture if there is one."""
    link = _LINK.search(value)
    picture = reading(MediaRole.REFERENCE, MediaKind.IMAGE)(link[0]) if link else None
    return " ".join(_LINK.sub(" ", value).split()), picture


def in_words(value: str) -> str:
    """Somebody of the cast for a person: never the link, which may be a secret."""
    words, picture = _member(value)
    return f"{words}, with a picture" if picture else words
