"""Makers of files that people attach: good ones, ones that can be mended, and ones made to do harm. All are made here,
byte by byte where no tool would make them, so that nothing is a file of somebody else."""

import io
import struct
import wave
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pillow_heif
from av.video.frame import VideoFrame
from PIL import ExifTags, Image

CORNERS = {"left top": (200, 30, 30), "right bottom": (30, 30, 200)}


def image(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """Green, with a red quarter at the left top and a blue one at the right bottom, so that it shows how it lies."""
    made = Image.new("RGB", (width, height), (30, 160, 30))
    made.paste(CORNERS["left top"], (0, 0, width // 2, height // 2))
    made.paste(CORNERS["right bottom"], (width // 2, height // 2, width, height))
    if mode == "RGBA":
        made = made.convert("RGBA")
        made.putalpha(128)
        return made
    return made.convert(mode) if mode != "RGB" else made


def picture(
    path: Path,
    width: int,
    height: int,
    *,
    mode: str = "RGB",
    turn: int = 1,
    frames: int = 1,
    noise: bool = False,
    place: bool = False,
) -> Path:
    """A picture in the form that the suffix names. ``turn`` is the Exif orientation, ``frames`` make it move, ``noise``
    makes it large in bytes, ``place`` writes down where it was taken."""
    form = path.suffix.removeprefix(".").upper()
    if form == "HEIC":
        pillow_heif.from_pillow(image(width, height, mode)).save(path, quality=60)
        return path
    made = image(width, height, mode)
    if noise:
        made = Image.fromarray(np.random.default_rng(7).integers(0, 255, (height, width, 3), dtype=np.uint8))
    exif = Image.Exif()
    if turn != 1:
        exif[0x0112] = turn
    if place:
        exif[ExifTags.Base.Make] = "A camera"
        exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0)})
    more: dict[str, object] = {"exif": exif.tobytes()} if turn != 1 or place else {}
    if frames > 1:
        others = [Image.new(made.mode, made.size, (step, step, step)) for step in range(1, frames)]
        more |= {"save_all": True, "append_images": others}
    made.save(path, form, **more)
    return path


def flickering_gif(path: Path, frames: int, *, canvas: int = 400) -> Path:
    """An animated GIF of that many frames, each a single pixel on a square canvas (GIF89a, sections 18 to 22)."""
    screen = b"GIF89a" + struct.pack("<HHBBB", canvas, canvas, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    one = b"\x21\xf9\x04\x04\x05\0\0\0" + b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\0"
    path.write_bytes(screen + one * frames + b";")
    return path


def png_header(path: Path, width: int, height: int) -> Path:
    """A PNG that claims a size and has next to no pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(1000)))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b""))
    return path


def webp_canvas(path: Path, width: int, height: int) -> Path:
    """A WebP that claims a canvas, and has a small picture on it."""
    small = io.BytesIO()
    image(16, 16).save(small, "WEBP")
    canvas = b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + (width - 1).to_bytes(3, "little")
    canvas += (height - 1).to_bytes(3, "little")
    body = b"WEBP" + canvas + small.getvalue()[12:]
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    return path


def film(
    path: Path,
    width: int = 1280,
    height: int = 720,
    *,
    rate: Fraction | int = 24,
    seconds: float = 2,
    codec: str = "libx264",
    sound: bool = False,
    sound_codec: str = "",
    pixels: str = "yuv420p",
    turned: int = 0,
    noise: bool = False,
    place: bool = False,
) -> Path:
    """A video in the container that the suffix names; frame by frame it gets a little brighter, and its left half is
    darker. ``sound`` in the usual codec of the container, or in ``sound_codec``; ``pixels`` is FFmpeg's name of their
    format. ``turned`` is 90, 180 or 270: degrees by which players turn it with the clock. ``noise`` makes it large in
    bytes, ``place`` writes down where it was taken."""
    form = {".mkv": "matroska", ".webm": "webm", ".avi": "avi", ".mov": "mov"}.get(path.suffix, "mp4")
    options = {"movflags": "faststart"} if form in {"mp4", "mov"} else {}
    with av.open(path, "w", format=form, options=options) as out:
        stream = out.add_stream(codec, rate=rate)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        stream.options = {
            "preset": "ultrafast",
            "g": "48",
            "deadline": "realtime",
            "cpu-used": "16",
            "lag-in-frames": "0",
        }
        if place:
            out.metadata["location"] = "+52.5200+013.4050/"
        spoken = sound_codec or ("libopus" if form == "webm" else "aac")
        voice = out.add_stream(spoken, rate=48_000, layout="mono") if sound or sound_codec else None
        for number in range(round(seconds * rate)):
            if number == 0 or width <= 1280:  # a large one would take long to make: it stands still
                stream_frame = _brighter(width, height, number, noise=noise)
            stream_frame.pts, stream_frame.time_base = number, 1 / Fraction(rate)
            out.mux(stream.encode(stream_frame))
        out.mux(stream.encode(None))
        if isinstance(voice, av.AudioStream):
            for frame in _sine(seconds, 48_000):
                out.mux(voice.encode(frame))
            out.mux(voice.encode(None))
    if turned:
        _turn(path, width, height, turned)
    return path


def brightness(number: int) -> int:
    """The luma of the right half of a film's frame of that number."""
    return 40 + number % 180


def _brighter(width: int, height: int, number: int, *, noise: bool) -> VideoFrame:
    planes = np.full((height * 3 // 2, width), 128, dtype=np.uint8)
    planes[:height] = brightness(number)
    planes[:height, : width // 2] = 20
    if noise:
        planes[:height] = np.random.default_rng(number).integers(16, 235, (height, width), dtype=np.uint8)
    return VideoFrame.from_ndarray(planes, format="yuv420p")


def _turn(path: Path, width: int, height: int, degrees: int) -> None:
    """Write into the track's header how players are to turn it (ISO/IEC 14496-12, section 8.3.2: a matrix)."""
    data = bytearray(path.read_bytes())
    one, least = 1 << 16, -(1 << 16)
    matrix = {90: (0, one, least, 0), 180: (least, 0, 0, least), 270: (0, least, one, 0)}[degrees]
    a, b, c, d = matrix
    at = data.index(b"tkhd") + 4 + 40  # version 0: matrix after times, id, length, layer and volume
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


def sound(path: Path, seconds: float, *, rate: int = 44_100, channels: int = 1) -> Path:
    """A tone in the form that the suffix names."""
    kind = path.suffix
    if kind == ".wav":
        with wave.open(str(path), "wb") as out:
            out.setparams((channels, 2, rate, 0, "NONE", ""))
            out.writeframes(_samples(seconds, rate).repeat(channels).tobytes())
        return path
    form, codec = {
        ".mp3": ("mp3", "libmp3lame"),
        ".m4a": ("ipod", "aac"),
        ".mp4": ("mp4", "aac"),
        ".ogg": ("ogg", "libopus"),
        ".flac": ("flac", "flac"),
        ".aac": ("adts", "aac"),
        ".aiff": ("aiff", "pcm_s16be"),
        ".webm": ("webm", "libopus"),
    }[kind]
    with av.open(path, "w", format=form) as out:
        stream = out.add_stream(codec, rate=rate, layout="mono")
        assert isinstance(stream, av.AudioStream)
        for frame in _sine(seconds, rate):
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def _samples(seconds: float, rate: int) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    moments = np.arange(round(seconds * rate)) / rate
    return np.asarray(np.sin(moments * 2 * np.pi * 440) * 12_000, dtype=np.int16)


def _sine(seconds: float, rate: int) -> list[av.AudioFrame]:
    frame = av.AudioFrame.from_ndarray(_samples(seconds, rate).reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate, frame.pts = rate, 0
    return [frame]


def wav_claiming(path: Path, announced: int, *, seconds: float = 3) -> Path:
    """A WAV whose header says that so many bytes of sound follow."""
    sound(path, seconds)
    data = bytearray(path.read_bytes())
    at = data.index(b"data") + 4
    data[at : at + 4] = struct.pack("<I", announced)
    path.write_bytes(data)
    return path


def tagged_mp3(path: Path, *, announced: int, there: int, seconds: float = 3) -> Path:
    """An MP3 behind an ID3v2 tag that says it has so many bytes, and has so many (ID3v2.4, section 3.1)."""
    song = sound(path, seconds).read_bytes()
    size = bytes(announced >> shift & 0x7F for shift in (21, 14, 7, 0))
    path.write_bytes(b"ID3\x04\0\0" + size + bytes(there) + song)
    return path


def appended(path: Path, more: bytes) -> Path:
    """With these bytes behind its end."""
    path.write_bytes(path.read_bytes() + more)
    return path


def grown(path: Path, size: int) -> Path:
    """With zeros behind its end, up to so many bytes, which take no room on the disk."""
    with path.open("r+b") as file:
        file.truncate(size)
    return path


def cut(path: Path, share: float) -> Path:
    """Only the first part of the file stays."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def boxes(*content: tuple[bytes, bytes]) -> bytes:
    """Boxes of an ISO media file, one after another."""
    return b"".join(struct.pack(">I", 8 + len(data)) + kind + data for kind, data in content)


def emptied(path: Path, kind: bytes) -> Path:
    """The content of the first box of that kind becomes zeros."""
    data = bytearray(path.read_bytes())
    at = data.index(kind)
    length = struct.unpack(">I", data[at - 4 : at])[0]
    data[at + 4 : at - 4 + length] = bytes(length - 8)
    path.write_bytes(data)
    return path


def scrambled(path: Path, share: float) -> Path:
    """From that part of the file on its bytes are noise."""
    data = path.read_bytes()
    start = int(len(data) * share)
    noise = np.random.default_rng(11).integers(0, 256, len(data) - start, dtype=np.uint8).tobytes()
    path.write_bytes(data[:start] + noise)
    return path
