"""Videos: looked at by their headers, decoded to their ends, and written as MP4 (H.264, AAC, index in front)."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace
from av.video.stream import VideoStream
from PIL import Image

from bot.domain.forms import Form
from bot.domain.recipe import MediaKind
from bot.domain.reference import (
    FileFacts,
    Mend,
    Target,
    counted_seconds,
)
from bot.media.containers import (
    FrameCount,
    check_frames,
    opened,
    packets,
    picture_stream,
    sound_codecs_of,
    sound_stream,
)
from bot.media.damage import CutShort, Damaged
from bot.media.encoding import FilmWriter

_TOLERANCE = 0.5  # seconds by which the pictures may end before the header says, or before the sound does
_QUARTER = 90  # degrees
_UNNAMED_COLOURS = 2  # ISO/IEC 23091-2, matrix coefficients
_STRANGEST_RATE = 1000.0  # frames per second; beyond, a header counts ticks and not frames


def kind_within(file: Path, form: Form) -> MediaKind:
    """Whether a container holds a video or a sound alone. Raises Unreadable."""
    with opened(file, form) as container:
        if picture_stream(container) is not None:
            return MediaKind.VIDEO
        if sound_stream(container) is not None:
            return MediaKind.AUDIO
    raise Damaged(form.label)


def facts_of(file: Path, form: Form) -> FileFacts:
    """What its header and its first frame say; all of it is decoded only where the header is silent about its length
    or its rate (files that a browser records). Raises Unreadable."""
    with opened(file, form) as container:
        stream = picture_stream(container)
        first = next(_frames(container, form), None)
        if stream is None or first is None:
            raise Damaged(form.label)
        turned = bool(first.rotation % 360)
        width, height = _shown_size(first)
        rate = float(stream.average_rate or 0)
        seconds = (container.duration or 0) / av.time_base
        codec, pixels, sound = stream.codec_context.name, first.format.name, sound_stream(container) is not None
        located, sound_codecs = _is_located(container), sound_codecs_of(container)
    if not seconds or not 0 < rate < _STRANGEST_RATE:
        seconds, rate = _measured(file, form)
    return FileFacts(
        kind=MediaKind.VIDEO,
        form=form,
        size=file.stat().st_size,
        width=width,
        height=height,
        rotated=turned,
        seconds=seconds,
        frame_rate=rate,
        codec=codec,
        pixel_format=pixels,
        has_sound=sound,
        sound_codecs=sound_codecs,
        located=located,
    )


def verify(file: Path, facts: FileFacts) -> None:
    """Decode it to its last frame, and its sound too. Raises Unreadable."""
    seconds, count = 0.0, FrameCount()
    with opened(file, facts.form) as container:
        announced = _announced(container, facts)
        sound, pictures = sound_stream(container), picture_stream(container)
        _check_frames(pictures, facts, announced)
        for packet in packets(container, pictures, sound):
            for frame in packet.decode():
                if isinstance(frame, VideoFrame):
                    count.add(frame)
                    seconds = max(seconds, _end_of(frame, container))
    _check_length(seconds, announced)


def mend(file: Path, facts: FileFacts, target: Target, output: Path) -> tuple[Path, tuple[Mend, ...]]:
    """Write it as the target says, upright and without what cameras add (places, names). Raises Unreadable."""
    written, count = output.with_suffix(f".{Form.MP4.value}"), FrameCount()
    rate = Fraction(target.frame_rate or facts.frame_rate or 24).limit_denominator(1001)
    with opened(file, facts.form) as source:
        announced = _announced(source, facts)
        pictures, sound = picture_stream(source), sound_stream(source)
        most = target.seconds if target.seconds is not None else announced
        _check_frames(pictures, facts, min(most, announced))
        with FilmWriter(written, target=target, rate=rate, seconds=most, sound=sound) as writer:
            for packet in packets(source, pictures, sound):
                if packet.stream is pictures and writer.pictures_full:
                    continue
                for frame in packet.decode():
                    if isinstance(frame, VideoFrame):
                        count.add(frame)
                        writer.show(frame)
                    elif isinstance(frame, av.AudioFrame):
                        writer.play(frame)
                if writer.full:
                    break
        if not writer.pictures_full:
            _check_length(writer.shown_seconds, announced)
    return written, ()


def frame_of(file: Path, form: Form, *, last: bool, output: Path) -> tuple[Path, tuple[int, int]]:
    """The first or the last frame as a PNG: the file, and width and height. The last is found by decoding all of them,
    since seeking lands on key frames. Raises Unreadable."""
    chosen: VideoFrame | None = None
    count = FrameCount()
    with opened(file, form) as container:
        for frame in _frames(container, form):
            count.add(frame)
            chosen = frame
            if not last:
                break
        if chosen is None:
            raise Damaged(form.label)
        written = output.with_suffix(f".{Form.PNG.value}")
        # A clip that does not name its colours means those of HD; FFmpeg would take them for old television's.
        unnamed = chosen.colorspace == _UNNAMED_COLOURS
        rgb = chosen.reformat(format="rgb24", src_colorspace=Colorspace.ITU709 if unnamed else None)
        Image.fromarray(rgb.to_ndarray()).save(written, "PNG")
    return written, (chosen.width, chosen.height)


def _frames(container: InputContainer, form: Form) -> Iterator[VideoFrame]:
    stream = picture_stream(container)
    if stream is None:
        raise Damaged(form.label)
    yield from container.decode(stream)


def _is_located(container: InputContainer) -> bool:
    """Whether its header says where it was taken: FFmpeg's ``location`` and QuickTime's own longer name."""
    tags = [*container.metadata, *(tag for stream in container.streams for tag in stream.metadata)]
    return any("location" in tag.lower() for tag in tags)


def _shown_size(frame: VideoFrame) -> tuple[int, int]:
    quarter = frame.rotation % 180 == _QUARTER
    return (frame.height, frame.width) if quarter else (frame.width, frame.height)


def _measured(file: Path, form: Form) -> tuple[float, float]:
    """Seconds and frames per second, by all frames."""
    seconds, frames, count = 0.0, 0, FrameCount()
    with opened(file, form) as container:
        for frame in _frames(container, form):
            count.add(frame)
            frames += 1
            seconds = max(seconds, _end_of(frame, container))
    return seconds, frames / seconds if seconds else 0.0


def _end_of(frame: VideoFrame, container: InputContainer) -> float:
    """When a frame has been shown, in seconds from the beginning of the file."""
    begin = (container.start_time or 0) / av.time_base
    duration = float(frame.duration * frame.time_base) if frame.duration and frame.time_base else 0.0
    return (frame.time or 0.0) - begin + duration


def _announced(container: InputContainer, facts: FileFacts) -> float:
    """How long the pictures are to be, by their own header where they have one."""
    stream = picture_stream(container)
    if stream is not None and stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return facts.seconds or 0.0


def _check_frames(stream: VideoStream | None, facts: FileFacts, seconds: float) -> None:
    """Whether so many seconds of it can be decoded, by what its header says. Raises Unreadable."""
    if stream is not None:
        check_frames((facts.frame_rate or 0.0) * seconds, stream.width, stream.height)


def _check_length(seconds: float, announced: float) -> None:
    if seconds < announced - _TOLERANCE:
        raise CutShort(f"announces {counted_seconds(announced)} and has {counted_seconds(seconds)}")
