"""Sounds: measured by decoding them, and written as WAV, whose length is exact to the sample."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.container import InputContainer

from bot.domain.forms import Form
from bot.domain.recipe import MediaKind
from bot.domain.reference import (
    FileFacts,
    Mend,
    Target,
    counted_seconds,
)
from bot.media.containers import opened, packets, sound_stream
from bot.media.damage import CutShort, Damaged

_MEASURED_SECONDS = 30.0  # longer than any provider takes: whatever is longer is trimmed anyway
_EXACT = frozenset({Form.WAV, Form.M4A, Form.FLAC, Form.AIFF})
"""Forms that announce their length; the others are estimated from their bit rate."""
_PIPED_BYTES = 0x7FFF_0000
_TOLERANCE = 0.5  # seconds by which a header may be wrong
_BROKEN_PACKETS = 2  # a song cut from a longer one begins and ends with a packet that cannot be decoded
_HIGHEST_RATE = 48_000
_BIT_RATE = 192_000
_ENCODERS: dict[Form, tuple[str, Literal["pcm_s16le", "libmp3lame"], str]] = {
    Form.WAV: ("wav", "pcm_s16le", "s16"),
    Form.MP3: ("mp3", "libmp3lame", "s16p"),
}


@dataclass(frozen=True, kw_only=True)
class _Length:
    seconds: float
    to_the_end: bool


def facts_of(file: Path, form: Form) -> FileFacts:
    """What it is, decoded as far as anybody uses it. Raises Unreadable."""
    size = file.stat().st_size
    if form is Form.MP3:
        _check_tag(file, size)
    endless = form is Form.WAV and _is_endless(file, size)
    with opened(file, form) as container:
        announced = (container.duration or 0) / av.time_base
        stream = sound_stream(container)
        codec = stream.codec_context.name if stream is not None else None
    length = _measured(file, form)
    if form in _EXACT and length.to_the_end and announced > length.seconds + _TOLERANCE:
        raise CutShort(f"announces {counted_seconds(announced)} and has {counted_seconds(length.seconds)}")
    return FileFacts(
        kind=MediaKind.AUDIO,
        form=form,
        size=size,
        seconds=length.seconds if length.to_the_end else max(announced, length.seconds),
        codec=codec,
        has_sound=True,
        endless=endless,
    )


def mend(file: Path, facts: FileFacts, target: Target, output: Path) -> tuple[Path, tuple[Mend, ...]]:
    """Write it as the target says, in 16 bits, mono or stereo. Raises Unreadable."""
    container_format, codec, sample_format = _ENCODERS[target.form]
    written = output.with_suffix(f".{target.form.value}")
    with opened(file, facts.form) as source, av.open(written, "w", format=container_format) as out:
        stream = sound_stream(source)
        if stream is None:
            raise Damaged(facts.form.label)
        rate = min(stream.rate or _HIGHEST_RATE, _HIGHEST_RATE)
        layout = "mono" if stream.channels == 1 else "stereo"
        encoder = out.add_stream(codec, rate=rate, layout=layout)
        if target.form is Form.MP3:
            encoder.bit_rate = _BIT_RATE
        resampler = AudioResampler(format=sample_format, layout=layout, rate=rate)
        room = None if target.seconds is None else int(target.seconds * rate)
        samples = 0
        for frame in _cut(_resampled(_frames(source, facts.form), resampler), room):
            frame.pts, frame.time_base = samples, Fraction(1, rate)
            samples += frame.samples
            out.mux(encoder.encode(frame))
        out.mux(encoder.encode(None))
    return written, ()


def _check_tag(file: Path, size: int) -> None:
    """A tag in front (ID3v2.4, section 3.1) says its length in four times seven bits: it has to end within the file."""
    with file.open("rb") as raw:
        head = raw.read(10)
    if not head.startswith(b"ID3"):
        return
    announced = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
    if announced >= size:
        raise CutShort(f"begins with a tag of {announced:,} bytes and has {size:,}")


def _is_endless(file: Path, size: int) -> bool:
    """Whether a WAV's header does not know where its sound ends. Whoever writes one into a pipe puts the largest number
    there that it has, in 32 or in 31 bits. Raises CutShort for a length that is meant and not there."""
    at = 12
    with file.open("rb") as raw:
        while at + 8 <= size:
            raw.seek(at)
            head = raw.read(8)
            length = int.from_bytes(head[4:], "little")
            if at + 8 + length > size:
                if length < _PIPED_BYTES:
                    raise CutShort(f"announces {at + 8 + length:,} bytes and has {size:,}")
                return True
            if head[:4] == b"data":
                return False
            at += 8 + length + length % 2
    return False


def _measured(file: Path, form: Form) -> _Length:
    """How long it is, by its samples; not further than its length matters."""
    samples: Counter[int] = Counter()  # by their rate, which may change on the way
    with opened(file, form) as container:
        for frame in _frames(container, form):
            samples[frame.sample_rate] += frame.samples
            if (seconds := _seconds(samples)) > _MEASURED_SECONDS:
                return _Length(seconds=seconds, to_the_end=False)
    return _Length(seconds=_seconds(samples), to_the_end=True)


def _seconds(samples: Counter[int]) -> float:
    return sum(count / rate for rate, count in samples.items())


def _frames(container: InputContainer, form: Form) -> Iterator[AudioFrame]:
    """The decoded sound. Raises Damaged for one that has none, or breaks in its midst."""
    stream, broken, some = sound_stream(container), 0, False
    if stream is None:
        raise Damaged(form.label)
    for packet in packets(container, stream):
        try:
            decoded = stream.codec_context.decode(packet)
        except av.InvalidDataError as error:
            broken += 1
            if broken > _BROKEN_PACKETS:
                raise Damaged(form.label) from error
            continue
        for frame in decoded:
            some = True
            yield frame
    if not some:
        raise Damaged(form.label)


def _resampled(frames: Iterator[AudioFrame], resampler: AudioResampler) -> Iterator[AudioFrame]:
    for frame in frames:
        frame.pts = None  # the samples follow one another, whatever the file says of their times
        yield from resampler.resample(frame)
    yield from resampler.resample(None)


def _cut(frames: Iterator[AudioFrame], room: int | None) -> Iterator[AudioFrame]:
    """As many samples as there is room for."""
    for frame in frames:
        if room is not None and frame.samples >= room:
            if room:
                yield _first_samples(frame, room)
            return
        room = None if room is None else room - frame.samples
        yield frame


def _first_samples(frame: AudioFrame, count: int) -> AudioFrame:
    fifo = av.AudioFifo()
    fifo.write(frame)
    first = fifo.read(count)
    if first is None:  # never asked for more samples than the frame has
        raise Damaged("a sound")
    return first
