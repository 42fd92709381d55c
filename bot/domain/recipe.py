"""A recipe: everything needed to make a clip again, and nothing about who asked or what it cost."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from types import MappingProxyType

MINI = "mini"
"""The tier of drafts and finals unless somebody asks for another. Tiers are data of the providers, not an enum; these
are the words that several of them share."""
FAST = "fast"
STANDARD = "standard"
VIP = "vip"

SHORTEST_SECONDS = 4
LONGEST_SECONDS = 15
"""Seedance 2.0 renders 4 to 15 seconds on every provider."""

HIGHEST_SEED = 2_147_483_647


class Resolution(StrEnum):
    """Short edge of the picture, as every provider names it."""

    P480 = "480p"
    P720 = "720p"
    P1080 = "1080p"


class Ratio(StrEnum):
    """Width to height. ADAPTIVE follows the first frame where the provider has it."""

    WIDE = "16:9"
    TALL = "9:16"
    SQUARE = "1:1"
    CLASSIC = "4:3"
    CLASSIC_TALL = "3:4"
    CINEMA = "21:9"
    PHOTO = "3:2"
    ADAPTIVE = "adaptive"


class MediaKind(StrEnum):
    """What a file given to the provider is."""

    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"


class MediaRole(StrEnum):
    """What a file given to the provider is for."""

    FIRST = "first"
    """The first frame; its picture's shape leads."""
    LAST = "last"
    """The last frame, beside a first one (``--loop``: the same picture)."""
    REFERENCE = "reference"
    """Something to take a face, a thing, a movement or a voice from, named ``@Image1`` and so on in the prompt."""
    EDIT = "edit"
    """The video to change."""
    EXTEND = "extend"
    """The video to go on from."""


@dataclass(frozen=True, kw_only=True)
class FileOption:
    """The option by which a person gives a file for a role."""

    name: str
    kind: MediaKind | None
    """What the file must be; None for any."""

    @property
    def typed(self) -> str:
        """As it stands in a line: ``--first``."""
        return f"--{self.name}"


FILE_OPTIONS: Mapping[MediaRole, FileOption] = MappingProxyType(
    {
        MediaRole.FIRST: FileOption(name="first", kind=MediaKind.IMAGE),
        MediaRole.LAST: FileOption(name="last", kind=MediaKind.IMAGE),
        MediaRole.REFERENCE: FileOption(name="ref", kind=None),
        MediaRole.EDIT: FileOption(name="edit", kind=MediaKind.VIDEO),
        MediaRole.EXTEND: FileOption(name="extend", kind=MediaKind.VIDEO),
    }
)


class Place(StrEnum):
    """Where a file given to the provider is: the scheme of its address."""

    LINK = "https"
    """Behind a person's link."""
    SLACK = "slack"
    """In Slack, not fetched yet: ``slack:F0123``."""
    CLIP = "clip"
    """A clip of ours, or a frame of it: ``clip:<job id>#first``."""
    STORED = "stored"
    """Fetched, checked, mended and kept in our media store: ``stored:<sha256>.<suffix>``."""


class ClipPart(StrEnum):
    """What of a clip of ours is given."""

    FIRST = "first"
    """Its first frame."""
    LAST = "last"
    """Its last frame."""
    WHOLE = "whole"


@dataclass(frozen=True, kw_only=True)
class Medium:
    """One file given to the provider."""

    role: MediaRole
    kind: MediaKind
    url: str = field(repr=False)
    """Where it is, beginning with the name of a ``Place``. May be a signed link: a secret, never logged. An order's
    recipe has addresses that the provider takes (``bot.services.handing``) in their stead."""

    @property
    def place(self) -> Place | None:
        """Where it is; None for an address that is made for an order, such as a data URI."""
        return _PLACES.get(self.url.partition(":")[0].lower())

    @property
    def within(self) -> str:
        """What the address says after its scheme: Slack's file id, a job's id and the part of its clip, the name of a
        stored file."""
        return self.url.partition(":")[2]

    @property
    def clip(self) -> tuple[str, ClipPart]:
        """The job whose clip it is, and which part of that. Of a medium in that place only."""
        job_id, _, part = self.within.partition("#")
        return job_id, ClipPart(part)


_PLACES = {**{place.value: place for place in Place}, "http": Place.LINK}
"""By scheme. Plain http is taken from hosts that the operator allowed, such as this very machine with the pretend
providers on it."""


def clip_number(medium: Medium) -> int | None:
    """The ``#n`` of a clip as a person wrote it (``clip:#2``), which is to be looked up in the thread; None for
    everything else."""
    typed = medium.within.removeprefix("#")
    return int(typed) if medium.place is Place.CLIP and medium.within.startswith("#") and typed.isdecimal() else None


class Mode(StrEnum):
    """What a recipe asks for by what it is given. A provider's tier has some of them."""

    TEXT = "text to video"
    FIRST_FRAME = "first frame"
    FIRST_LAST = "first and last frame"
    REFERENCES = "references"
    EDIT = "edit"
    EXTEND = "extend"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a provider is asked to make.

    ``seconds`` is None when the provider is to choose the length (``--dur auto``); money then reckons with the longest.
    ``seed`` and ``negative`` are None where nobody asked for one.
    """

    prompt: str
    resolution: Resolution = Resolution.P480
    seconds: int | None = SHORTEST_SECONDS
    ratio: Ratio = Ratio.WIDE
    audio: bool = True
    tier: str = MINI
    seed: int | None = None
    negative: str | None = None
    high_bitrate: bool = False
    media: tuple[Medium, ...] = ()
    """Files by role, in the order in which the prompt counts them."""

    @property
    def mode(self) -> Mode:
        """What is asked for, by the most particular role among the files."""
        roles = {medium.role for medium in self.media}
        for role, mode in _MODES:
            if role in roles:
                return mode
        return Mode.TEXT

    @property
    def video_input(self) -> bool:
        """Whether a video is given: providers price that otherwise."""
        return any(medium.kind is MediaKind.VIDEO for medium in self.media)

    def given(self, role: MediaRole, kind: MediaKind | None = None) -> tuple[str, ...]:
        """The addresses of the files with that role, and of that kind where one is named."""
        return tuple(one.url for one in self.media if one.role is role and kind in {None, one.kind})

    @property
    def billable_seconds(self) -> int:
        """Seconds to hold money for: an automatic length is held at the longest."""
        return LONGEST_SECONDS if self.seconds is None else self.seconds

    @property
    def unmet_names(self) -> tuple[str, ...]:
        """The names of files in the prompt behind which no file stands."""
        return names_without_file(self.prompt, self.media)

    def key(self) -> str:
        """The same for equal recipes, in every process and release: 32 hexadecimal characters."""
        fields = asdict(self)
        if not self.media:
            del fields["media"]  # keys were given out before there were files
        canonical = json.dumps(fields, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:32]


_NAME = re.compile(r"(?<!\w)@(?P<kind>image|video|audio)(?P<number>[0-9]{1,9})\b", re.IGNORECASE)


def names_of(media: Iterable[Medium]) -> tuple[str, ...]:
    """What a prompt calls the references among these files: ``@Image1``, ``@Image2``, ``@Video1``, counted by kind."""
    counts = Counter(one.kind for one in media if one.role is MediaRole.REFERENCE)
    return tuple(f"@{kind.value.title()}{number}" for kind in MediaKind for number in range(1, counts[kind] + 1))


def role_name(medium: Medium, media: Sequence[Medium]) -> str:
    """What to call one of these files where its own name is not to be shown, to begin a sentence with: ``The first
    frame``, ``Reference 2`` of several."""
    if medium.role is not MediaRole.REFERENCE:
        return _ROLE_NAMES[medium.role]
    references = [one for one in media if one.role is MediaRole.REFERENCE]
    return "The reference" if len(references) == 1 else f"Reference {references.index(medium) + 1}"


def names_without_file(words: str, media: Iterable[Medium]) -> tuple[str, ...]:
    """The names of files in the words, as they stand there, that none of these files has."""
    there = {name.lower() for name in names_of(media)}
    named = {found[0]: f"@{found['kind']}{int(found['number'])}".lower() for found in _NAME.finditer(words)}
    return tuple(typed for typed, name in named.items() if name not in there)


_ROLE_NAMES = {
    MediaRole.FIRST: "The first frame",
    MediaRole.LAST: "The last frame",
    MediaRole.EDIT: "The video to change",
    MediaRole.EXTEND: "The video to go on from",
}

_MODES = (
    (MediaRole.EDIT, Mode.EDIT),
    (MediaRole.EXTEND, Mode.EXTEND),
    (MediaRole.REFERENCE, Mode.REFERENCES),
    (MediaRole.LAST, Mode.FIRST_LAST),
    (MediaRole.FIRST, Mode.FIRST_FRAME),
)
