"""One clip: what it is to show, and its encoding as an MP4 (H.264 yuv420p and AAC, index in front)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from bot.sandbox.render.picture import Scene
from bot.sandbox.render.sizes import FRAMES_PER_SECOND, frame_size
from bot.sandbox.render.sound import SAMPLE_RATE, melody

_TAKE = re.compile(r"\btake\s+([0-9]{1,2}|[A-Z])\b", re.IGNORECASE)
_BT709 = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipSpec:
    """What a clip is to be.

    `resolution` and `ratio` are keys of `sizes.frame_size`, `seconds` is whole, `audio` says whether there
    is a sound stream at all, and `background` is a picture to stand behind everything.
    """

    task_id: str
    prompt: str
    resolution: str
    ratio: str
    seconds: int
    audio: bool
    background: Path | None = None

    @property
    def size(self) -> tuple[int, int]:
        return frame_size(self.resolution, self.ratio)

    @property
    def frames(self) -> int:
        return self.seconds * FRAMES_PER_SECOND

    @property
    def take(self) -> str | None:
        """The take that the prompt speaks of: "2" of "…, take 2"."""
        found = _TAKE.search(self.prompt)
        return found.group(1).upper() if found else None


def scene_of(spec: ClipSpec) -> Scene:
    """The pictures of a clip."""
    width, height = spec.size
    return Scene(
        width=width,
        height=height,
        frames=spec.frames,
        title=spec.prompt,
        caption=f"{spec.task_id} · {spec.resolution} {spec.ratio} · {spec.seconds} s",
        label=f"Take {spec.take}" if spec.take else "",
        seed=spec.task_id,
        background=spec.background,
    )


def encode(spec: ClipSpec, path: Path) -> None:
    """Write the clip; `path` exists only once it is whole."""
    unfinished = path.with_suffix(".part")
    with av.open(unfinished, "w", format="mp4", options={"movflags": "faststart"}) as output:
        video = _video_stream(output, spec)
        audio = output.add_stream("aac", rate=SAMPLE_RATE, layout="mono") if spec.audio else None
        if audio is not None:
            audio.bit_rate = 64_000
        scene = scene_of(spec)
        for number in range(spec.frames):
            frame = av.VideoFrame.from_ndarray(scene.frame(number), format="yuv420p")
            frame.pts = number
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        if audio is not None:
            _sing(output, audio, spec)
    unfinished.replace(path)


def _video_stream(output: av.container.OutputContainer, spec: ClipSpec) -> VideoStream:
    stream = output.add_stream("libx264", rate=FRAMES_PER_SECOND)
    stream.width, stream.height = spec.size
    stream.pix_fmt = "yuv420p"
    stream.time_base = Fraction(1, FRAMES_PER_SECOND)
    stream.options = {"preset": "ultrafast", "crf": "26", "g": "48"}
    context = stream.codec_context
    context.thread_count = 1
    context.colorspace = context.color_primaries = context.color_trc = _BT709
    return stream


def _sing(output: av.container.OutputContainer, stream: AudioStream, spec: ClipSpec) -> None:
    frame = av.AudioFrame.from_ndarray(melody(spec.task_id, spec.seconds), format="fltp", layout="mono")
    frame.sample_rate = SAMPLE_RATE
    frame.pts = 0
    output.mux(stream.encode(frame))
    output.mux(stream.encode(None))
