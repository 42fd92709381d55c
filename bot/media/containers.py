"""Files with a course in time, opened by FFmpeg with the one reader of their form and no way to any other file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from bot.domain.forms import Form
from bot.domain.reference import UNKNOWN_CODEC
from bot.media.bounds import LEAST_FRAME_PIXELS, MOST_FILM_PIXELS, MOST_FRAME_PIXELS
from bot.media.damage import CutShort, Damaged, Unreadable, is_no_space

_READERS = {
    Form.MP4: "mov",
    Form.MOV: "mov",
    Form.M4A: "mov",
    Form.MKV: "matroska",
    Form.WEBM: "matroska",
    Form.AVI: "avi",
    Form.WAV: "wav",
    Form.MP3: "mp3",
    Form.OGG: "ogg",
    Form.FLAC: "flac",
    Form.AAC: "aac",
    Form.AIFF: "aiff",
}
_BOXED = frozenset({Form.MP4, Form.MOV, Form.M4A})
_NOWHERE = {
    # The bytes come through an open file. Should a reader ever want another one (a playlist, an external track), no
    # protocol is there to open it with.
    "protocol_whitelist": "none",
}


@contextmanager
def opened(file: Path, form: Form) -> Iterator[InputContainer]:
    """The file under its reader. Raises Unreadable; errors of the reader inside the block too."""
    if form in _BOXED:
        _check_boxes(file)
    try:
        with file.open("rb") as raw, av.open(raw, "r", format=_READERS[form], options=_NOWHERE) as container:
            streams: list[VideoStream | AudioStream] = [*container.streams.video, *container.streams.audio]
            for stream in streams:
                if _can_be_decoded(stream):
                    stream.codec_context.thread_count = 1
            yield container
    except MemoryError:
        raise
    except (av.FFmpegError, EOFError) as error:
        if isinstance(error, OSError) and is_no_space(error):
            raise
        raise Damaged(form.label) from error


def picture_stream(container: InputContainer) -> VideoStream | None:
    """The pictures of a video, if it has any; the cover of a song is none."""
    moving = (one for one in container.streams.video if not one.disposition & Disposition.attached_pic)
    stream = next(filter(_can_be_decoded, moving), None)
    if stream is not None:
        check_frame(stream.width, stream.height)
        # Also where the stream itself says otherwise than its container.
        stream.codec_context.options = {"max_pixels": str(MOST_FRAME_PIXELS)}
    return stream


def sound_stream(container: InputContainer) -> AudioStream | None:
    """The first sound, if there is one."""
    return next(filter(_can_be_decoded, container.streams.audio), None)


def sound_codecs_of(container: InputContainer) -> frozenset[str]:
    """What its sounds are written in, each codec under one name whoever reads it."""
    known = frozenset(one.codec_context.codec.canonical_name for one in container.streams.audio if _can_be_decoded(one))
    return known if all(map(_can_be_decoded, container.streams.audio)) else known | {UNKNOWN_CODEC}


def check_frame(width: int, height: int) -> None:
    """Refuse frames that are larger than we decode. Raises Unreadable."""
    if width * height > MOST_FRAME_PIXELS:
        raise Unreadable(f"is {width}×{height} pixels", "videos up to 4K (4096×2304) can be opened")


def check_frames(count: float, width: int, height: int) -> None:
    """Refuse more frames of that size than we decode. Raises Unreadable."""
    most = MOST_FILM_PIXELS // max(width * height, LEAST_FRAME_PIXELS)
    if round(count) > most:
        raise Unreadable(
            f"has more than {most:,} frames of {width}×{height} pixels", "that many of this size can be opened"
        )


class FrameCount:
    """Counts frames as they are decoded, since a header may tell of fewer or of none."""

    def __init__(self) -> None:
        self._pixels = 0

    def add(self, frame: VideoFrame) -> None:
        """One more. Raises Unreadable."""
        check_frame(frame.width, frame.height)
        one = max(frame.width * frame.height, LEAST_FRAME_PIXELS)
        self._pixels += one
        check_frames(self._pixels / one, frame.width, frame.height)


def packets(container: InputContainer, *streams: VideoStream | AudioStream | None) -> "Iterator[Packet[Stream]]":
    """The packets of these streams in the order of the file, at its end the empty ones that flush what is held."""
    yield from container.demux(*(one for one in streams if one is not None))


def _can_be_decoded(stream: VideoStream | AudioStream) -> bool:
    """Whether FFmpeg knows what the stream is written in; it has no context of a codec otherwise, whatever its types
    promise."""
    return getattr(stream, "codec_context", None) is not None


def _check_boxes(file: Path) -> None:
    """Walk the outermost boxes (ISO/IEC 14496-12, section 4.2): a file that broke off ends inside one, also when its
    index stands in front and it looks whole. Raises Unreadable."""
    size, at, index = file.stat().st_size, 0, False
    with file.open("rb") as raw:
        while at + 8 <= size:
            raw.seek(at)
            head = raw.read(16)
            length, kind = int.from_bytes(head[:4], "big"), head[4:8]
            least = 16 if length == 1 else 8
            length = int.from_bytes(head[8:16], "big") if length == 1 else length or size - at
            index = index or kind == b"moov"
            if not any(kind):
                break  # padding
            if length < least or (at + length > size and not kind.isascii()):
                raise Damaged(Form.MP4.label)
            if at + length > size:
                raise CutShort(f"announces {at + length:,} bytes and has {size:,}")
            at += length
    if not index:
        raise CutShort("has no index (moov), as if recording was never finished")
