"""Settings that people say without an option's name: ``9:16``, ``720p``, ``8s``, ``x3``, ``no audio``, ``seed 7``."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from handlers.grammar.options import OPTIONS

_SHAPES = (
    (re.compile(r"([0-9]{1,2}:[0-9]{1,2})"), "ratio"),
    (re.compile(r"([0-9]{3,4}[pP])"), "res"),
    (re.compile(r"([0-9]{1,4}[sS])"), "dur"),
    (re.compile(r"[xX]([0-9]{1,3})"), "takes"),
)
_SOUND = frozenset({"audio", "sound"})
_PAIRS = {("no", "audio"): "no-audio", ("without", "audio"): "no-audio", ("audio", "off"): "no-audio"} | {
    ("audio", "on"): "audio",
    ("with", "audio"): "audio",
}
_EDGES = ",;.!"
_CONJUNCTIONS = frozenset({"and", "but", "please", "at", "in", "with"})


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A setting as said (``typed``), the option it stands for, and that option's value."""

    option: str
    value: str
    typed: str

    @property
    def valid(self) -> bool:
        """Whether the option allows the value."""
        return OPTIONS[self.option].read(self.value) is not None


@dataclass(frozen=True, kw_only=True)
class Found:
    """Words sorted: settings, what has the form of a setting and an impossible value, and all other words.
    ``sentence`` is the other words with the impossible ones left in their places."""

    settings: tuple[Setting, ...]
    ill: tuple[Setting, ...]
    words: tuple[str, ...]
    sentence: tuple[str, ...]

    @property
    def any(self) -> bool:
        """Whether a setting was said, possible or not."""
        return bool(self.settings or self.ill)


def find_settings(words: Sequence[str], *, prose: bool) -> Found:
    """Sort words. In ``prose`` a pair about sound counts only where a clause ends ("no sound of traffic" is prose)."""
    rest = list(words) if prose else [part for word in words for part in re.split(r"[,;]", word) if part]
    said: list[Setting] = []
    others: list[str] = []
    sentence: list[str] = []
    place = 0
    while place < len(rest):
        pair = _pair(rest[place : place + 3], prose=prose)
        taken = rest[place : place + (2 if pair else 1)]
        place += len(taken)
        found = [pair] if pair else _single(taken[0])
        said += found
        others += [] if found else taken
        sentence += [] if found and all(setting.valid for setting in found) else taken
    return Found(
        settings=tuple(setting for setting in said if setting.valid),
        ill=tuple(setting for setting in said if not setting.valid),
        words=tuple(others),
        sentence=tuple(sentence),
    )


def _single(word: str) -> list[Setting]:
    """The settings in one word, which may be joined by commas; none when any part is something else."""
    found = [_shape(part) for part in word.strip(_EDGES).split(",") if part]
    return [setting for setting in found if setting] if all(found) else []


def _shape(word: str) -> Setting | None:
    for shape, option in _SHAPES:
        if match := shape.fullmatch(word):
            return Setting(option=option, value=match[1], typed=word)
    return None


def _pair(words: Sequence[str], *, prose: bool) -> Setting | None:
    """The setting that the first two words make; the third, if any, says whether a clause ends there."""
    if len(words) < 2:
        return None
    first, second = words[0].lower(), words[1].lower().strip(_EDGES)
    typed = f"{words[0]} {words[1].strip(_EDGES)}"
    if first == "seed" and re.fullmatch(r"[0-9]{1,12}", second):
        return Setting(option="seed", value=second, typed=typed)
    name = _PAIRS.get(("audio" if first in _SOUND else first, "audio" if second in _SOUND else second))
    if name is None or (prose and not _clause_ends(words[1:])):
        return None
    return Setting(option=name, value="", typed=typed)


def _clause_ends(words: Sequence[str]) -> bool:
    """Whether a clause ends with the first of them."""
    if len(words) == 1 or words[0][-1] in _EDGES:
        return True
    return words[1].lower() in _CONJUNCTIONS or bool(_single(words[1]))
