"""Writing a mended video: frames at even times, upright and scaled, with their sound, no longer than allowed."""

from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.filter import Graph
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Interpolation
from av.video.stream import VideoStream

from bot.domain.reference import Target

_QUALITY = "18"  # constant rate factor: no difference to be seen
_BYTES_FOR_PICTURES = 0.8  # of the largest size; the rest is for sound, index and the encoder's swings
_MOST_BITS = 40_000_000  # a second; the highest rate at the constant quality that any player is asked for
_SOUND_RATE = 48_000
_SOUND_BITS = 160_000
_SOUND_FRAME = 1024  # samples of one AAC frame
_TURNS = {90: ("cclock",), 180: ("clock", "clock"), 270: ("clock",)}  # by degrees against the clock


class FilmWriter:
    """Give it decoded frames and sounds in the order of the file; leaving the block finishes the MP4.

    Frames are repeated or left out so that each second has the same number of them. ``seconds`` is the most that is
    written: no frame and no sample beyond.
    """

    def __init__(
        self, path: Path, *, target: Target, rate: Fraction, seconds: float, sound: AudioStream | None
    ) -> None:
        self._rate = rate
        self._slots = int(seconds * rate + Fraction(1, 1000))
        self._size = (target.width or 0, target.height or 0)
        self._output = av.open(path, "w", format="mp4", options={"movflags": "faststart"})
        self._video = self._add_pictures(target, seconds)
        self._sound = self._add_sound() if sound is not None else None
        self._samples_left = int(seconds * _SOUND_RATE) - _SOUND_FRAME if sound is not None else 0
        self._resampler = AudioResampler(format="fltp", layout="stereo", rate=_SOUND_RATE, frame_size=_SOUND_FRAME)
        self._samples = 0
        self._sounds_begin: float | None = None
        self._begin: float | None = None
        self._shown: VideoFrame | None = None
        self._turning: tuple[int, Graph] | None = None
        self._slot = 0
        self.shown_seconds = 0.0
        """Until when the frames given so far reach, from the first one on."""

    @property
    def full(self) -> bool:
        """Whether nothing more would be written."""
        return self.pictures_full and (self._sound is None or self._samples_left <= 0)

    @property
    def pictures_full(self) -> bool:
        """Whether no more frames would be written."""
        return self._slot >= self._slots

    def show(self, frame: VideoFrame) -> None:
        """The next frame, in order of time."""
        time = self.shown_seconds if frame.pts is None else frame.time
        if self._begin is None:
            self._begin = time
            self._keep_colours(frame)
        moment = time - self._begin
        self._repeat_until(moment)
        if self._slot < self._slots:
            self._shown = self._prepared(frame)
        length = float(frame.duration * frame.time_base) if frame.duration and frame.time_base else 1 / self._rate
        self.shown_seconds = max(self.shown_seconds, moment + float(length))

    def play(self, frame: AudioFrame) -> None:
        """The next sound. What lies before the first frame is left out; what comes later stays as late."""
        if self._sound is None:
            return
        if self._sounds_begin is None:
            self._sounds_begin = frame.time or 0.0
            self._samples = max(0, round((self._sounds_begin - (self._begin or 0.0)) * _SOUND_RATE))
            self._samples_left -= self._samples
        frame.pts = None
        self._write_sound(self._resampler.resample(frame))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._output.close()

    def _finish(self) -> None:
        self._repeat_until(self.shown_seconds)
        self._output.mux(self._video.encode(None))
        if self._sound is not None:
            self._write_sound(self._resampler.resample(None))
            self._output.mux(self._sound.encode(None))

    def _repeat_until(self, moment: float) -> None:
        """Show the last frame in every slot that begins before that moment."""
        half = 0.5 / float(self._rate)
        while self._shown is not None and self._slot < self._slots and self._slot / self._rate < moment - half:
            self._shown.pts = self._slot
            self._shown.time_base = 1 / self._rate
            self._output.mux(self._video.encode(self._shown))
            self._slot += 1

    def _prepared(self, frame: VideoFrame) -> VideoFrame:
        """Scaled and turned upright."""
        turn = frame.rotation % 360 // 90 * 90
        width, height = reversed(self._size) if turn % 180 else self._size
        scaled = frame.reformat(
            width=width,
            height=height,
            format="yuv420p",
            interpolation=Interpolation.LANCZOS,
            dst_color_range=ColorRange.MPEG,
        )
        if not turn:
            return scaled
        if self._turning is None or self._turning[0] != turn:
            self._turning = (turn, _turning_graph(turn, width, height, 1 / self._rate))
        graph = self._turning[1]
        scaled.pts, scaled.time_base = self._slot, 1 / self._rate
        graph.vpush(scaled)
        return graph.vpull()

    def _keep_colours(self, frame: VideoFrame) -> None:
        """Say of the colours what the source says."""
        context = self._video.codec_context
        context.colorspace, context.color_range = frame.colorspace, ColorRange.MPEG
        context.color_primaries, context.color_trc = frame.color_primaries, frame.color_trc

    def _write_sound(self, frames: list[AudioFrame]) -> None:
        if self._sound is None:
            return
        for frame in frames:
            if frame.samples > self._samples_left:
                self._samples_left = 0
                return
            frame.pts, frame.time_base = self._samples, Fraction(1, _SOUND_RATE)
            self._samples += frame.samples
            self._samples_left -= frame.samples
            self._output.mux(self._sound.encode(frame))

    def _add_pictures(self, target: Target, seconds: float) -> VideoStream:
        most_bits = min(_MOST_BITS, int(target.largest_bytes * 8 * _BYTES_FOR_PICTURES / max(seconds, 1.0)))
        stream = self._output.add_stream("libx264", rate=self._rate)
        stream.width, stream.height = self._size
        stream.pix_fmt = "yuv420p"
        stream.time_base = 1 / self._rate
        stream.options = {
            "preset": "veryfast",
            "crf": _QUALITY,
            "maxrate": str(most_bits),
            "bufsize": str(most_bits),
        }
        stream.codec_context.thread_count = 1
        return stream

    def _add_sound(self) -> AudioStream:
        stream = self._output.add_stream("aac", rate=_SOUND_RATE, layout="stereo")
        stream.bit_rate = _SOUND_BITS
        return stream


def _turning_graph(turn: int, width: int, height: int, time_base: Fraction) -> Graph:
    graph = Graph()
    steps = [graph.add_buffer(width=width, height=height, format=VideoFormat("yuv420p"), time_base=time_base)]
    steps += [graph.add("transpose", f"dir={way}") for way in _TURNS[turn]]
    graph.link_nodes(*steps, graph.add("buffersink")).configure()
    return graph
