"""What a file must be for a provider to take it, and what may be done to a file that is not so.

Pure: the facts of a file and a provider's limits go in, a verdict comes out. ``bot.media`` finds the facts and does the
mending. Lengths are seconds, sizes are bytes, edges are pixels as the picture is shown.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from bot.domain.forms import Form
from bot.domain.recipe import MediaKind

_MEGABYTE = 1_000_000


@dataclass(frozen=True, kw_only=True)
class FileFacts:
    """What a file is, by what is in it. What its kind does not have is None."""

    kind: MediaKind
    form: Form
    size: int
    width: int | None = None
    height: int | None = None
    """As shown: after the rotation that the file asks for."""
    rotated: bool = False
    """Whether the file asks to be turned or mirrored when it is shown."""
    moving: bool = False
    """A picture of several frames or pages."""
    transparent: bool = False
    four_colours: bool = False
    """A picture in the four colours of print (CMYK)."""
    seconds: float | None = None
    frame_rate: float | None = None
    codec: str | None = None
    """Of the pictures of a video, as FFmpeg names it."""
    pixel_format: str | None = None
    """Of a video, as FFmpeg names it."""
    has_sound: bool = False
    """Whether it has a sound that can be heard here."""
    sound_codecs: frozenset[str] = frozenset()
    """Of all sounds of a video, as FFmpeg names them; ``UNKNOWN_CODEC`` for one that cannot be read here."""
    endless: bool = False
    """A sound whose header does not know its length, as one that was written into a pipe."""
    located: bool = False
    """Whether it says where it was taken."""
    tailed: bool = False
    """Whether something stands behind the end of a picture, where no viewer looks."""


@dataclass(frozen=True, kw_only=True)
class KindLimits:
    """What a provider takes of one kind of file. Pairs are the least and the most, both allowed; None: no limit."""

    forms: frozenset[Form]
    largest_bytes: int
    edges: tuple[int, int] | None = None
    shapes: tuple[float, float] | None = None
    """Width by height."""
    pixels: tuple[int, int] | None = None
    """Width times height."""
    frame_rates: tuple[float, float] | None = None
    seconds: tuple[float, float] | None = None
    total_seconds: float | None = None
    """Of all files of the kind in one recipe."""
    codecs: frozenset[str] | None = None
    pixel_formats: frozenset[str] | None = None
    sound_codecs: frozenset[str] | None = None
    """Of the sound inside a video."""


@dataclass(frozen=True, kw_only=True)
class FileLimits:
    """What a provider's tier takes, by kind."""

    image: KindLimits
    video: KindLimits
    audio: KindLimits

    def of(self, kind: MediaKind) -> KindLimits:
        """Those of that kind."""
        return {MediaKind.IMAGE: self.image, MediaKind.VIDEO: self.video, MediaKind.AUDIO: self.audio}[kind]

    def total_seconds(self, kind: MediaKind) -> float | None:
        """How long all files of that kind in one recipe may be together; None where nothing says."""
        return self.of(kind).total_seconds


class MendKind(StrEnum):
    """What was done to a file."""

    FORM = "form"
    UPRIGHT = "upright"
    STILL = "still"
    COLOURS = "colours"
    HEADER = "header"
    CODEC = "codec"
    SIZE = "size"
    RATE = "rate"
    LENGTH = "length"
    BYTES = "bytes"
    PLACE = "place"
    TAIL = "tail"


@dataclass(frozen=True, kw_only=True)
class Mend:
    """One thing that was done to a file so that it fits, in words for people ("turned upright")."""

    what: MendKind
    words: str

    @property
    def needed(self) -> bool:
        """Whether the provider would not have taken it without; otherwise it was done for the person's sake."""
        return self.what not in {MendKind.PLACE, MendKind.TAIL}


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a file is to become. What stays, or what its kind does not have, is None."""

    form: Form
    width: int | None = None
    height: int | None = None
    frame_rate: float | None = None
    seconds: float | None = None
    """Cut after that many."""
    largest_bytes: int


@dataclass(frozen=True)
class Fine:
    """The file fits as it is."""


@dataclass(frozen=True, kw_only=True)
class Mendable:
    """The file fits after these, and nothing that matters is lost."""

    mends: tuple[Mend, ...]
    target: Target


@dataclass(frozen=True, kw_only=True)
class Unusable:
    """The file cannot be made to fit: what it is ("is 120×90 pixels") and what it would have to be."""

    figure: str
    limit: str


Verdict = Fine | Mendable | Unusable


def judge(facts: FileFacts, limits: FileLimits) -> Verdict:
    """Whether a file fits, can be made to fit without losing what matters, or cannot."""
    allowed = limits.of(facts.kind)
    if refused := next(_refusals(facts, allowed), None):
        return refused
    target = _target(facts, allowed)
    mends = tuple(_mends(facts, allowed, target))
    if facts.form not in allowed.forms or (mends and facts.form is not target.form):
        mends = (form_mend(facts.form, target.form), *mends)
    return Mendable(mends=mends, target=target) if mends else Fine()


def form_mend(before: Form, after: Form) -> Mend:
    """In words: HEIC made JPEG."""
    return Mend(what=MendKind.FORM, words=f"{before.label} made {after.label}")


def megabytes(size: int) -> str:
    """In words: 29.3 MB, 0.4 MB, 30 MB."""
    return f"{size / _MEGABYTE:,.1f}".removesuffix(".0") + " MB"


def counted_seconds(seconds: float) -> str:
    """In words: 15 s, 1.98 s."""
    return f"{round(seconds, 2):g} s" if seconds < 1000 else f"{seconds:,.0f} s"


def _refusals(facts: FileFacts, allowed: KindLimits) -> Iterator[Unusable]:
    """What no mending helps: a shape would have to be cropped, and what is too short or too small made up."""
    seconds = facts.seconds
    if allowed.seconds and seconds is not None and seconds < allowed.seconds[0] - _ROUNDING:
        span = f"{allowed.seconds[0]:g} to {allowed.seconds[1]:g} s"
        yield Unusable(figure=f"lasts {counted_seconds(seconds)}", limit=f"{_ARTICLES[facts.kind]} must last {span}")
    if facts.width is None or facts.height is None:
        return
    shape = facts.width / facts.height
    if allowed.shapes and not allowed.shapes[0] <= shape <= allowed.shapes[1]:
        least, most = allowed.shapes
        yield Unusable(
            figure=f"is {facts.width}×{facts.height}, {_shape_words(shape)}",
            limit=f"width divided by height must be {least:g} to {most:g}",
        )
    enlarging = _scale(facts, allowed)
    if enlarging > MOST_ENLARGED + _ROUNDING:
        yield Unusable(
            figure=f"is {facts.width}×{facts.height} pixels",
            limit=f"{_least_words(allowed)}, and enlarging it {enlarging:.1f} times would only blur it"
            f" (at most {MOST_ENLARGED:g} times is done)",
        )


def _shape_words(shape: float) -> str:
    return f"{shape:.2f} times as wide as high" if shape >= 1 else f"{1 / shape:.2f} times as high as wide"


def _least_words(allowed: KindLimits) -> str:
    words = []
    if allowed.edges:
        words.append(f"each edge must have at least {allowed.edges[0]:,} pixels")
    if allowed.pixels:
        words.append(f"width times height must be at least {allowed.pixels[0]:,}")
    return " and ".join(words)


def _scale(facts: FileFacts, allowed: KindLimits) -> float:
    """By how much width and height are to be multiplied so that they fit; 1 where they do."""
    width, height = facts.width or 1, facts.height or 1
    least, most = 0.0, math.inf
    if allowed.edges:
        least, most = allowed.edges[0] / min(width, height), allowed.edges[1] / max(width, height)
    if allowed.pixels:
        least = max(least, math.sqrt(allowed.pixels[0] / (width * height)))
        most = min(most, math.sqrt(allowed.pixels[1] / (width * height)))
    return least if least > 1 else min(most, 1.0)


def _target(facts: FileFacts, allowed: KindLimits) -> Target:
    """What the file is to become, should anything have to be done to it."""
    width, height = _target_size(facts, allowed)
    return Target(
        form=_target_form(facts, allowed),
        width=width,
        height=height,
        frame_rate=_target_rate(facts.frame_rate, allowed.frame_rates),
        seconds=allowed.seconds[1] if allowed.seconds else None,
        largest_bytes=allowed.largest_bytes,
    )


def _target_form(facts: FileFacts, allowed: KindLimits) -> Form:
    """The form to write: the file's own where it can be kept, else what loses least."""
    if facts.kind is MediaKind.VIDEO:
        return Form.MP4
    if facts.kind is MediaKind.AUDIO:
        return Form.WAV if Form.WAV in allowed.forms else Form.MP3
    kept = facts.form in _WRITTEN_PICTURES and facts.form in allowed.forms and facts.size <= allowed.largest_bytes
    if kept and not (facts.moving and facts.form is Form.WEBP):
        return facts.form
    exact = facts.transparent or (facts.form in _EXACT_PICTURES and facts.size <= allowed.largest_bytes)
    return Form.PNG if exact and Form.PNG in allowed.forms else Form.JPEG


def _target_size(facts: FileFacts, allowed: KindLimits) -> tuple[int | None, int | None]:
    """The nearest size within the limits. A video's edges are even: H.264 in 4:2:0 has no others."""
    if facts.width is None or facts.height is None:
        return None, None
    step = 2 if facts.kind is MediaKind.VIDEO else 1
    scale = _scale(facts, allowed)
    if scale == 1.0 and facts.width % step == facts.height % step == 0:
        return facts.width, facts.height
    return _near(facts.width, facts.height, scale, step, allowed)


def _near(width: int, height: int, scale: float, step: int, allowed: KindLimits) -> tuple[int, int]:
    """The size within the limits that is nearest to the scaled one, the long edge first: rounding must not push
    a shape, an edge or a number of pixels over its limit."""
    wide = width >= height
    long, short = max(width, height) * scale, min(width, height) * scale
    outward = 1 if scale > 1 else -1
    start = math.ceil(long / step - _ROUNDING) if scale > 1 else math.floor(long / step + _ROUNDING)
    for turn in range(_TRIES):
        long_edge = (start + outward * turn) * step
        exact = short * long_edge / long
        for short_edge in sorted(
            {math.floor(exact / step) * step, math.ceil(exact / step) * step}, key=lambda e: abs(e - exact)
        ):
            size = (long_edge, short_edge) if wide else (short_edge, long_edge)
            if _size_fits(*size, allowed):
                return size
    return (round(long), round(short)) if wide else (round(short), round(long))


def _size_fits(width: int, height: int, allowed: KindLimits) -> bool:
    return (
        min(width, height) > 0
        and (not allowed.edges or allowed.edges[0] <= min(width, height) <= max(width, height) <= allowed.edges[1])
        and (not allowed.shapes or allowed.shapes[0] <= width / height <= allowed.shapes[1])
        and (not allowed.pixels or allowed.pixels[0] <= width * height <= allowed.pixels[1])
    )


def _target_rate(rate: float | None, allowed: tuple[float, float] | None) -> float | None:
    """A rate that shows every frame equally long where there is one: a multiple or a whole part of the file's own."""
    if rate is None or allowed is None or allowed[0] - _ROUNDING <= rate <= allowed[1] + _ROUNDING:
        return None
    least, most = allowed
    if rate > most:
        return max(least, rate / math.ceil(rate / most - _ROUNDING))
    multiple = rate * math.ceil(least / rate - _ROUNDING)
    return least if rate > least * 0.9 or multiple > most else multiple


def _mends(facts: FileFacts, allowed: KindLimits, target: Target) -> Iterator[Mend]:
    """What has to be done, in words."""
    if facts.moving:
        yield Mend(what=MendKind.STILL, words="only its first frame taken")
    if facts.form in allowed.forms:  # what is not is written anew anyway, and that is what is said of it
        yield from _codec_mends(facts, allowed)
    if facts.rotated:
        yield Mend(what=MendKind.UPRIGHT, words="turned upright")
    if facts.four_colours:
        yield Mend(what=MendKind.COLOURS, words="CMYK made RGB")
    if facts.endless:
        yield Mend(what=MendKind.HEADER, words="its length written into its header")
    if facts.width and facts.height and not _size_fits(facts.width, facts.height, allowed):
        words = f"{facts.width}×{facts.height} made {target.width}×{target.height}"
        yield Mend(what=MendKind.SIZE, words=words)
    if target.frame_rate is not None:
        yield Mend(what=MendKind.RATE, words=f"made {round(target.frame_rate, 2):g} frames a second")
    if allowed.seconds and facts.seconds is not None and facts.seconds > allowed.seconds[1] + _ROUNDING:
        yield Mend(what=MendKind.LENGTH, words=f"trimmed to {allowed.seconds[1]:g} s")
    if facts.size > allowed.largest_bytes:
        yield Mend(
            what=MendKind.BYTES, words=f"{megabytes(facts.size)} made less than {megabytes(allowed.largest_bytes)}"
        )
    if facts.located:
        yield Mend(what=MendKind.PLACE, words="the place where it was taken left out")
    if facts.tailed:
        yield Mend(what=MendKind.TAIL, words="what stands behind its end left out")


def _codec_mends(facts: FileFacts, allowed: KindLimits) -> Iterator[Mend]:
    if allowed.codecs is not None and facts.codec not in allowed.codecs:
        yield Mend(what=MendKind.CODEC, words=f"{(facts.codec or 'its codec').upper()} made H.264")
    elif allowed.pixel_formats is not None and facts.pixel_format not in allowed.pixel_formats:
        words = f"its pixels ({(facts.pixel_format or 'of no known format').upper()}) made 4:2:0 of 8 bits"
        yield Mend(what=MendKind.COLOURS, words=words)
    if odd := sorted(facts.sound_codecs - (allowed.sound_codecs or facts.sound_codecs)):
        labels = " and ".join(codec.partition("_")[0].upper() for codec in odd)  # PCM for FFmpeg's ``pcm_s16le``
        words = f"its {labels} sound made AAC" if facts.has_sound else "its sound, which cannot be read here, left out"
        yield Mend(what=MendKind.CODEC, words=words)


UNKNOWN_CODEC = "unknown"

MOST_ENLARGED = 2.0
"""A picture or video that is too small is enlarged by no more than this: beyond, the provider sees blur."""

LARGEST_SOURCES = {
    MediaKind.IMAGE: 100 * _MEGABYTE,
    MediaKind.VIDEO: 300 * _MEGABYTE,
    MediaKind.AUDIO: 100 * _MEGABYTE,
}
"""Bytes of a file that is still looked at: more than providers take, since some of what is too large can be mended."""

_ROUNDING = 0.01
_TRIES = 64
_WRITTEN_PICTURES = frozenset({Form.JPEG, Form.PNG, Form.WEBP})
_EXACT_PICTURES = frozenset({Form.PNG, Form.BMP, Form.TIFF, Form.GIF, Form.WEBP})
"""Of these nothing is lost to compression so far (WebP: as far as one can see)."""
_ARTICLES = {MediaKind.IMAGE: "a picture", MediaKind.VIDEO: "a video", MediaKind.AUDIO: "a sound"}

SEEDANCE_LIMITS = FileLimits(
    image=KindLimits(
        forms=frozenset({Form.JPEG, Form.PNG, Form.WEBP, Form.BMP, Form.TIFF, Form.GIF}),
        largest_bytes=30 * _MEGABYTE,
        edges=(300, 6000),
        shapes=(0.4, 2.5),
    ),
    video=KindLimits(
        forms=frozenset({Form.MP4, Form.MOV}),
        largest_bytes=50 * _MEGABYTE,
        edges=(300, 6000),
        shapes=(0.4, 2.5),
        pixels=(409_600, 927_408),
        frame_rates=(24, 60),
        seconds=(2, 15),
        total_seconds=15,
        codecs=frozenset({"h264", "hevc"}),
        pixel_formats=frozenset({"yuv420p", "yuvj420p"}),
        sound_codecs=frozenset({"aac", "mp3"}),
    ),
    audio=KindLimits(
        forms=frozenset({Form.WAV, Form.MP3}),
        largest_bytes=15 * _MEGABYTE,
        seconds=(2, 15),
        total_seconds=15,
    ),
)
"""Seedance 2.0 at every provider: HiAPI's documents publish all figures but the codecs, APIMart's some of them with the
same values, and ModelArk's, where the model runs, the codecs and wider bounds for videos. The stricter figure counts,
and a megabyte is the smaller one of the two in use. Nobody names a format of pixels: every reader knows these."""
