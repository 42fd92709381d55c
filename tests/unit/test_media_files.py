"""Files of strangers through the real media room: what comes out of each, exactly, or why nothing does."""

import hashlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pytest
import pytest_asyncio

from bot.domain.recipe import MediaKind
from bot.domain.reference import LARGEST_SOURCES, SEEDANCE_LIMITS
from bot.media import ProcessMediaRoom
from bot.ports import UnusableFile
from tests.support import files as f

pytestmark = pytest.mark.asyncio(loop_scope="module")

IMAGE, VIDEO, AUDIO = MediaKind
MEMORY = 700 << 20  # bytes that the worker may really have taken for any of these
SECONDS = 45.0  # that any of these may take, on a busy machine too
MEMORY_TO_REFUSE = 250 << 20
SECONDS_TO_REFUSE = 10.0

WHOLE = "a whole file is needed (send it again)"
DAMAGED = "it is damaged or not what it says it is"
SHAPE = "width divided by height must be 0.4 to 2.5"
KINDS = (
    "these can be used: JPEG, PNG, WebP, BMP, TIFF, GIF, HEIC, AVIF, MP4, MOV, MKV, WebM, AVI, WAV, MP3, M4A, Ogg,"
    " FLAC, AAC, AIFF"
)
OPENED = "at most 80 million can be opened"
BLUR = "would only blur it (at most 2 times is done)"
BEHIND = "what stands behind its end left out"
BOTH_AT_ONCE = b"<html><script>alert(1)</script></html>PK\x03\x04" + bytes(range(256)) * 40
"""That a browser would show as a page and an unpacker opens as an archive."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """``name`` is the file's, ``make`` writes it, and ``gives`` is the form and size or length that comes out, after
    these ``mends``; or ``refused`` says why nothing does."""

    name: str
    make: Callable[[Path], object]
    wanted: MediaKind = IMAGE
    gives: str = ""
    mends: tuple[str, ...] = ()
    refused: str = ""
    long: bool = False
    """Takes long, and shows what another shows too in a smaller way."""


def written(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def as_png(path: Path) -> Path:
    """A PNG under whatever name."""
    made = f.picture(path.with_name("inner.png"), 640, 480)
    return made.rename(path)


def moved(path: Path, suffix: str, make: Callable[[Path], Path]) -> Path:
    """What another suffix makes, under this name."""
    return make(path.with_suffix(suffix)).rename(path)


PICTURES = [
    Case(name="photo.jpeg", make=lambda p: f.picture(p, 800, 600), gives="jpeg 800×600"),
    Case(name="logo.png", make=lambda p: f.picture(p, 800, 600, mode="RGBA"), gives="png 800×600"),
    Case(name="palette.png", make=lambda p: f.picture(p, 800, 600, mode="P"), gives="png 800×600"),
    Case(name="scan.png", make=lambda p: f.picture(p, 800, 600, mode="I;16"), gives="png 800×600"),
    Case(name="web.webp", make=lambda p: f.picture(p, 800, 600), gives="webp 800×600"),
    Case(name="paint.bmp", make=lambda p: f.picture(p, 800, 600), gives="bmp 800×600"),
    Case(name="scan.tiff", make=lambda p: f.picture(p, 800, 600), gives="tiff 800×600"),
    Case(name="still.gif", make=lambda p: f.picture(p, 800, 600, mode="P"), gives="gif 800×600"),
    Case(name="least.png", make=lambda p: f.picture(p, 750, 300), gives="png 750×300"),
    Case(name="padded.jpeg", make=lambda p: f.appended(f.picture(p, 800, 600), bytes(4096)), gives="jpeg 800×600"),
    Case(name="several.mpo", make=lambda p: f.picture(p, 800, 600, frames=2), gives="jpeg 800×600", mends=(BEHIND,)),
    *(
        Case(
            name=name,
            make=lambda p: f.appended(f.picture(p, 800, 600), BOTH_AT_ONCE),
            gives=f"{form} 800×600",
            mends=(BEHIND,),
        )
        for name, form in {"page.jpeg": "jpeg", "archive.png": "png", "archive.webp": "webp"}.items()
    ),
    *(
        Case(
            name=name,
            make=lambda p: f.picture(p, 800, 600, place=True),
            gives=f"{form} 800×600",
            mends=(*made, "the place where it was taken left out"),
        )
        for name, form, made in (
            ("home.jpeg", "jpeg", ()),
            ("home.png", "png", ()),
            ("home.webp", "webp", ()),
            ("home.tiff", "png", ("TIFF made PNG",)),
        )
    ),
    Case(name="png-in-fact.jpeg", make=as_png, gives="png 640×480"),
    Case(name="panda.heic", make=lambda p: f.picture(p, 800, 600), gives="jpeg 800×600", mends=("HEIC made JPEG",)),
    Case(
        name="clear.heic",
        make=lambda p: f.picture(p, 800, 600, mode="RGBA"),
        gives="png 800×600",
        mends=("HEIC made PNG",),
    ),
    Case(name="new.avif", make=lambda p: f.picture(p, 800, 600), gives="jpeg 800×600", mends=("AVIF made JPEG",)),
    *(
        Case(
            name=f"turn{turn}.jpeg",
            make=lambda p, turn=turn: f.picture(p, 800, 600, turn=turn),  # type: ignore[misc]
            gives="jpeg 600×800" if turn >= 5 else "jpeg 800×600",
            mends=("turned upright",),
        )
        for turn in (2, 3, 6, 8)
    ),
    Case(
        name="turned.png",
        make=lambda p: f.picture(p, 800, 600, turn=8),
        gives="png 600×800",
        mends=("turned upright",),
    ),
    Case(
        name="turned.tiff",
        make=lambda p: f.picture(p, 800, 600, turn=6),
        gives="png 600×800",
        mends=("TIFF made PNG", "turned upright"),
    ),
    Case(
        name="turned.webp",
        make=lambda p: f.picture(p, 800, 600, turn=6),
        gives="webp 600×800",
        mends=("turned upright",),
    ),
    Case(
        name="print.jpeg",
        make=lambda p: f.picture(p, 800, 600, mode="CMYK"),
        gives="jpeg 800×600",
        mends=("CMYK made RGB",),
    ),
    Case(
        name="wall.jpeg",
        make=lambda p: f.picture(p, 7000, 5000),
        gives="jpeg 6000×4286",
        mends=("7000×5000 made 6000×4286",),
    ),
    Case(
        name="wall-turned.jpeg",
        make=lambda p: f.picture(p, 6100, 2500, turn=6),
        gives="jpeg 2459×6000",
        long=True,
        mends=("turned upright", "2500×6100 made 2459×6000"),
    ),
    Case(
        name="small.png",
        make=lambda p: f.picture(p, 200, 160),
        gives="png 375×300",
        mends=("200×160 made 375×300",),
    ),
    Case(
        name="moving.webp",
        make=lambda p: f.picture(p, 400, 400, frames=3),
        gives="png 400×400",
        mends=("WebP made PNG", "only its first frame taken"),
    ),
    Case(
        name="moving.png",
        make=lambda p: f.picture(p, 400, 400, frames=3),
        gives="png 400×400",
        mends=("only its first frame taken",),
    ),
    Case(
        name="pages.tiff",
        make=lambda p: f.picture(p, 400, 400, frames=3),
        gives="png 400×400",
        mends=("TIFF made PNG", "only its first frame taken"),
    ),
    Case(
        name="flicker.gif",
        make=lambda p: f.flickering_gif(p, 10_000),
        gives="png 400×400",
        mends=("GIF made PNG", "only its first frame taken"),
    ),
    Case(
        name="noise.bmp",
        make=lambda p: f.picture(p, 3600, 2900, noise=True),
        gives="jpeg 3600×2900",
        mends=("BMP made JPEG", "31.3 MB made less than 30 MB"),
    ),
    Case(
        name="bomb.png",
        make=lambda p: f.png_header(p, 60_000, 60_000),
        refused=f"is 60000×60000, 3,600 million pixels; {OPENED}",
    ),
    Case(
        name="canvas.webp",
        make=lambda p: f.webp_canvas(p, 16_000, 16_000),
        refused=f"is 16000×16000, 256 million pixels; {OPENED}",
    ),
    Case(
        name="screen.gif",
        make=lambda p: f.flickering_gif(p, 1, canvas=65_535),
        refused=f"is 65535×65535, 4,295 million pixels; {OPENED}",
    ),
    Case(
        name="panorama.jpeg",
        make=lambda p: f.picture(p, 1600, 600),
        refused=f"is 1600×600, 2.67 times as wide as high; {SHAPE}",
    ),
    Case(
        name="tower.jpeg",
        make=lambda p: f.picture(p, 1600, 600, turn=6),
        refused=f"is 600×1600, 2.67 times as high as wide; {SHAPE}",
    ),
    Case(
        name="icon.png",
        make=lambda p: f.picture(p, 64, 64),
        refused=f"is 64×64 pixels; each edge must have at least 300 pixels, and enlarging it 4.7 times {BLUR}",
    ),
    Case(
        name="half.png",
        make=lambda p: f.cut(f.picture(p, 800, 600), 0.5),
        refused=f"ends in the middle of its picture; {WHOLE}",
    ),
    Case(
        name="half.jpeg",
        make=lambda p: f.cut(f.picture(p, 800, 600), 0.5),
        refused=f"ends in the middle of its picture; {WHOLE}",
    ),
    Case(
        name="half.webp",
        make=lambda p: f.cut(f.picture(p, 800, 600), 0.5),
        refused=f"announces 1,276 bytes and has 638; {WHOLE}",
    ),
    Case(
        name="half.heic",
        make=lambda p: f.cut(f.picture(p, 800, 600), 0.5),
        refused=f"ends in the middle of its picture; {WHOLE}",
    ),
    Case(name="stub.tiff", make=written(b"II*\0" + bytes(20)), refused=f"cannot be read as TIFF; {DAMAGED}"),
    Case(
        name="page-behind.webp",
        make=written(b"RIFF\x20\0\0\0WEBPVP8 " + b"<html><script>alert(1)</script>."),
        refused=f"cannot be read as WebP; {DAMAGED}",
    ),
    Case(name="empty.png", make=written(b""), refused="is empty; a picture, a video or a sound is needed"),
    Case(name="page.png", make=written(b"\n<!DOCTYPE html><html>"), refused=f"is a web page; {KINDS}"),
    Case(
        name="draw.png",
        make=written(b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        refused=f"is an SVG drawing; {KINDS}",
    ),
    Case(name="sheet.jpeg", make=written(b"%PDF-1.7\n"), refused=f"is a PDF; {KINDS}"),
    Case(
        name="BMW.bmp",
        make=written(b"BMW is not a bitmap, it is a car. " * 4),
        refused=f"is no picture, video or sound that can be read here; {KINDS}",
    ),
    Case(
        name="film.jpeg",
        make=lambda p: moved(p, ".mp4", f.film),
        refused="is a video (MP4); a picture is wanted here",
    ),
]

FILMS = [
    Case(name="clip.mp4", make=lambda p: f.film(p, sound=True), wanted=VIDEO, gives="mp4 1280×720 2 s"),
    Case(name="silent.mov", make=f.film, wanted=VIDEO, gives="mov 1280×720 2 s"),
    Case(name="hevc.mp4", make=lambda p: f.film(p, 864, 496, codec="libx265"), wanted=VIDEO, gives="mp4 864×496 2 s"),
    Case(
        name="box.mkv",
        make=lambda p: f.film(p, 864, 496, sound=True),
        wanted=VIDEO,
        gives="mp4 864×496 2 s",
        mends=("MKV made MP4",),
    ),
    Case(
        name="browser.webm",
        make=lambda p: f.film(p, 864, 496, codec="libvpx", sound=True),
        wanted=VIDEO,
        gives="mp4 864×496 2 s",
        mends=("WebM made MP4",),
    ),
    Case(
        name="old.avi",
        make=lambda p: f.film(p, 864, 496, codec="mpeg4"),
        wanted=VIDEO,
        gives="mp4 864×496 2 s",
        mends=("AVI made MP4",),
    ),
    Case(
        name="old.mp4",
        make=lambda p: f.film(p, 864, 496, codec="mpeg4"),
        wanted=VIDEO,
        gives="mp4 864×496 2 s",
        mends=("MPEG4 made H.264",),
    ),
    *(
        Case(
            name=f"phone{degrees}.mp4",
            make=lambda p, degrees=degrees: f.film(p, 864, 496, turned=degrees),  # type: ignore[misc]
            wanted=VIDEO,
            gives="mp4 864×496 2 s" if degrees == 180 else "mp4 496×864 2 s",
            mends=("turned upright",),
            long=degrees != 90,
        )
        for degrees in (90, 180, 270)
    ),
    Case(
        name="phone.mov",
        make=lambda p: f.film(p, 3840, 2160, rate=30, seconds=2, sound=True),
        wanted=VIDEO,
        gives="mp4 1284×722 2 s",
        mends=("MOV made MP4", "3840×2160 made 1284×722"),
    ),
    Case(
        name="small.mp4",
        make=lambda p: f.film(p, 640, 360),
        wanted=VIDEO,
        gives="mp4 854×480 2 s",
        mends=("640×360 made 854×480",),
    ),
    Case(
        name="cinema.mp4",
        make=lambda p: f.film(p, 864, 496, rate=Fraction(24_000, 1001), seconds=3),
        wanted=VIDEO,
        gives="mp4 864×496 3 s",
        mends=("made 24 frames a second",),
    ),
    Case(
        name="slow.mp4",
        make=lambda p: f.film(p, 864, 496, rate=15, seconds=3),
        wanted=VIDEO,
        gives="mp4 864×496 3 s",
        mends=("made 30 frames a second",),
    ),
    Case(
        name="sport.mp4",
        make=lambda p: f.film(p, 864, 496, rate=120, seconds=2),
        wanted=VIDEO,
        gives="mp4 864×496 2 s",
        long=True,
        mends=("made 60 frames a second",),
    ),
    Case(
        name="long.mp4",
        make=lambda p: f.film(p, 864, 496, seconds=15.2, sound=True),
        wanted=VIDEO,
        gives="mp4 864×496 15 s",
        long=True,
        mends=("trimmed to 15 s",),
    ),
    Case(
        name="edit.mov",
        make=lambda p: f.film(p, 864, 496, sound_codec="pcm_s16le"),
        wanted=VIDEO,
        gives="mp4 864×496 2 s",
        mends=("MOV made MP4", "its PCM sound made AAC"),
    ),
    Case(
        name="opus.mp4",
        make=lambda p: f.film(p, 864, 496, sound_codec="libopus"),
        wanted=VIDEO,
        gives="mp4 864×496 2 s",
        mends=("its OPUS sound made AAC",),
    ),
    Case(
        name="song.mp4",
        make=lambda p: f.film(p, 864, 496, sound_codec="libmp3lame"),
        wanted=VIDEO,
        gives="mp4 864×496 2 s",
    ),
    *(
        Case(
            name=name,
            make=lambda p, pixels=pixels: f.film(p, 864, 496, pixels=pixels),  # type: ignore[misc]
            wanted=VIDEO,
            gives="mp4 864×496 2 s",
            mends=(f"its pixels ({said}) made 4:2:0 of 8 bits",),
        )
        for name, pixels, said in (
            ("ten.mp4", "yuv422p10le", "YUV422P10LE"),
            ("full.mp4", "yuv444p", "YUV444P"),
        )
    ),
    Case(
        name="home.mp4",
        make=lambda p: f.film(p, 864, 496, place=True),
        wanted=VIDEO,
        gives="mp4 864×496 2 s",
        mends=("the place where it was taken left out",),
    ),
    Case(
        name="short.mp4",
        make=lambda p: f.film(p, 864, 496, seconds=1.5),
        wanted=VIDEO,
        refused="lasts 1.5 s; a video must last 2 to 15 s",
    ),
    Case(
        name="wide.mp4",
        make=lambda p: f.film(p, 1280, 480),
        wanted=VIDEO,
        refused=f"is 1280×480, 2.67 times as wide as high; {SHAPE}",
    ),
    Case(
        name="tiny.mp4",
        make=lambda p: f.film(p, 320, 240),
        wanted=VIDEO,
        refused="is 320×240 pixels; each edge must have at least 300 pixels and width times height must be at least"
        f" 409,600, and enlarging it 2.3 times {BLUR}",
    ),
    Case(
        name="giant.mp4",
        make=lambda p: f.film(p, 5120, 2880, seconds=0.05),
        wanted=VIDEO,
        refused="is 5120×2880 pixels; videos up to 4K (4096×2304) can be opened",
    ),
    Case(
        name="faststart.mp4",
        make=lambda p: f.cut(f.film(p, 864, 496, seconds=6), 0.6),
        wanted=VIDEO,
        refused=f"announces 150,214 bytes and has 90,128; {WHOLE}",
    ),
    Case(
        name="half.mkv",
        make=lambda p: f.cut(f.film(p, 864, 496, seconds=6), 0.6),
        wanted=VIDEO,
        refused=f"announces 6 s and has 3.54 s; {WHOLE}",
    ),
    Case(
        name="unfinished.mp4",
        make=written(f.boxes((b"ftyp", b"isom\0\0\2\0isom"), (b"mdat", bytes(5000)))),
        wanted=VIDEO,
        refused=f"has no index (moov), as if recording was never finished; {WHOLE}",
    ),
    Case(
        name="broken.mp4",
        make=lambda p: f.emptied(f.film(p, 864, 496), b"stbl"),
        wanted=VIDEO,
        refused=f"cannot be read as MP4; {DAMAGED}",
    ),
    Case(
        name="boxes.mp4",
        make=written(f.boxes((b"ftyp", b"isom\0\0\2\0isom")) + b"\xff\xff\xff\xf0moov" + bytes(100)),
        wanted=VIDEO,
        refused=f"announces 4,294,967,300 bytes and has 128; {WHOLE}",
    ),
    Case(
        name="noisy.mp4",
        make=lambda p: f.scrambled(f.film(p, 864, 496), 0.9),
        wanted=VIDEO,
        refused=f"cannot be read as MP4; {DAMAGED}",
    ),
    Case(
        name="playlist.mp4",
        make=written(b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile:///etc/passwd\n"),
        wanted=VIDEO,
        refused=f"is a playlist; {KINDS}",
    ),
    Case(
        name="polyglot.mp4",
        make=written(f.boxes((b"ftyp", b"isom\0\0\2\0isom")) + b"#EXTM3U\n#EXTINF:5,\nhttps://127.0.0.1/x\n"),
        wanted=VIDEO,
        refused=f"announces 591,747,176 bytes and has 59; {WHOLE}",
    ),
    Case(name="photo.mp4", make=as_png, wanted=VIDEO, refused="is a picture (PNG); a video is wanted here"),
    Case(
        name="voice.mp4",
        make=lambda p: f.sound(p, 3),
        wanted=VIDEO,
        refused="is a sound (M4A); a video is wanted here",
    ),
]

SOUNDS = [
    Case(name="voice.wav", make=lambda p: f.sound(p, 3), wanted=AUDIO, gives="wav 3 s"),
    Case(name="song.mp3", make=lambda p: f.sound(p, 3), wanted=AUDIO, gives="mp3 3 s"),
    *(
        Case(
            name=name,
            make=lambda p: f.sound(p, 3, rate=48_000),
            wanted=AUDIO,
            gives="wav 3 s",
            mends=(f"{label} made WAV",),
        )
        for name, label in {
            "memo.m4a": "M4A",
            "memo.mp4": "M4A",
            "memo.webm": "WebM",
            "memo.ogg": "Ogg",
            "memo.flac": "FLAC",
            "memo.aiff": "AIFF",
            "memo.aac": "AAC",
        }.items()
    ),
    Case(name="long.wav", make=lambda p: f.sound(p, 15.5), wanted=AUDIO, gives="wav 15 s", mends=("trimmed to 15 s",)),
    Case(
        name="hour.mp3",
        make=lambda p: f.sound(p, 31),
        wanted=AUDIO,
        gives="wav 15 s",
        mends=("MP3 made WAV", "trimmed to 15 s"),
    ),
    Case(
        name="heavy.wav",
        make=lambda p: f.sound(p, 14, rate=192_000, channels=3),
        wanted=AUDIO,
        gives="wav 14 s",
        mends=("16.1 MB made less than 15 MB",),
    ),
    Case(
        name="piped.wav",
        make=lambda p: f.wav_claiming(p, 4_294_967_295),
        wanted=AUDIO,
        gives="wav 3 s",
        mends=("its length written into its header",),
    ),
    Case(
        name="tagged.mp3",
        make=lambda p: f.tagged_mp3(p, announced=20_000_000, there=20_000_000),
        wanted=AUDIO,
        gives="wav 3 s",
        mends=("MP3 made WAV", "20 MB made less than 15 MB"),
    ),
    Case(
        name="liar.wav",
        make=lambda p: f.wav_claiming(p, 1_000_000_000),
        wanted=AUDIO,
        refused=f"announces 1,000,000,044 bytes and has 264,644; {WHOLE}",
    ),
    Case(
        name="tag-only.mp3",
        make=lambda p: f.tagged_mp3(p, announced=200_000_000, there=100),
        wanted=AUDIO,
        refused=f"begins with a tag of 200,000,010 bytes and has 24,578; {WHOLE}",
    ),
    Case(
        name="click.wav",
        make=lambda p: f.sound(p, 0.5),
        wanted=AUDIO,
        refused="lasts 0.5 s; a sound must last 2 to 15 s",
    ),
    Case(
        name="noise.mp3",
        make=written(b"\xff\xfb\x90\x00" + bytes(range(256)) * 40),
        wanted=AUDIO,
        refused=f"cannot be read as MP3; {DAMAGED}",
    ),
    Case(
        name="half.flac",
        make=lambda p: f.cut(f.sound(p, 6), 0.5),
        wanted=AUDIO,
        refused=f"announces 6 s and has 2.61 s; {WHOLE}",
    ),
    Case(
        name="text.mp3",
        make=written(b"These are the words of the song."),
        wanted=AUDIO,
        refused=f"is no picture, video or sound that can be read here; {KINDS}",
    ),
    Case(
        name="page.wav",
        make=written(b"RIFF\xff\0\0\0WAVEfmt <html>"),
        wanted=AUDIO,
        refused=f"announces 1,836,345,424 bytes and has 22; {WHOLE}",
    ),
]

CASES = [*PICTURES, *FILMS, *SOUNDS]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def room() -> AsyncIterator[ProcessMediaRoom]:
    one = ProcessMediaRoom(workers=1)
    yield one
    await one.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def door() -> AsyncIterator[ProcessMediaRoom]:
    """Where nothing passes: its worker never has to hold a whole file."""
    one = ProcessMediaRoom(workers=1)
    yield one
    await one.close()


def described(form: str, width: int | None, height: int | None, seconds: float | None) -> str:
    size = f" {width}×{height}" if width else ""
    return f"{form}{size}" + (f" {round(seconds, 1):g} s" if seconds else "")


def most_memory(room: ProcessMediaRoom) -> int:
    """The most that the running workers have ever had in memory, in bytes."""
    lines = [line for pid in room.pids for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
    return max(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=[pytest.mark.storm] if case.long else [], id=case.name) for case in CASES if case.gives],
)
async def test_each_usable_file_gives_exactly_this(case: Case, room: ProcessMediaRoom, tmp_path: Path) -> None:
    file, into = tmp_path / case.name, tmp_path / "into"
    into.mkdir()
    case.make(file)
    before, began = file.read_bytes(), time.monotonic()
    workers = room.pids
    prepared = await room.prepare(file, name=case.name, wanted=case.wanted, limits=SEEDANCE_LIMITS, into=into)
    assert workers <= room.pids, "one that had died would have taken what it used with it"
    assert time.monotonic() - began < SECONDS
    assert most_memory(room) < MEMORY
    gives = described(prepared.form, prepared.width, prepared.height, prepared.seconds)
    assert (gives, tuple(mend.words for mend in prepared.mends)) == (case.gives, case.mends)
    assert (prepared.kind, prepared.size) == (case.wanted, prepared.path.stat().st_size)
    assert prepared.sha256 == hashlib.sha256(prepared.path.read_bytes()).hexdigest()
    assert list(into.iterdir()) == ([prepared.path] if case.mends else [])
    assert file.read_bytes() == before
    # What comes out is looked at like any other file, and fits as it is.
    again = await room.prepare(prepared.path, name="it", wanted=case.wanted, limits=SEEDANCE_LIMITS, into=into)
    assert (again.mends, again.sha256) == ((), prepared.sha256)


@pytest.mark.row("F18")
@pytest.mark.parametrize("case", [case for case in CASES if case.refused], ids=lambda case: case.name)
async def test_each_unusable_file_is_refused_with_exactly_this(
    case: Case, door: ProcessMediaRoom, tmp_path: Path
) -> None:
    file, into = tmp_path / case.name, tmp_path / "into"
    into.mkdir()
    case.make(file)
    before, began = file.read_bytes(), time.monotonic()
    workers = door.pids
    with pytest.raises(UnusableFile) as caught:
        await door.prepare(file, name=case.name, wanted=case.wanted, limits=SEEDANCE_LIMITS, into=into)
    assert workers <= door.pids, "one that had died would have taken what it used with it"
    assert time.monotonic() - began < SECONDS_TO_REFUSE
    assert most_memory(door) < MEMORY_TO_REFUSE
    assert str(caught.value) == f"{case.name} {case.refused}."
    assert list(into.iterdir()) == []
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "wanted", "make"), [("a.png", IMAGE, as_png), ("b.mp4", VIDEO, f.film), ("c.wav", AUDIO, f.sound)]
)
async def test_what_is_larger_than_anything_that_could_be_mended_is_not_opened(
    name: str, wanted: MediaKind, make: Callable[..., Path], door: ProcessMediaRoom, tmp_path: Path
) -> None:
    file = tmp_path / name
    make(file, 3) if wanted is AUDIO else make(file)
    most = LARGEST_SOURCES[wanted]
    f.grown(file, most + 1)
    with pytest.raises(UnusableFile, match=rf"^it has {most // 1_000_000} MB; a \w+ of at most {most // 1_000_000} MB"):
        await door.prepare(file, name="it", wanted=wanted, limits=SEEDANCE_LIMITS, into=tmp_path)
    assert most_memory(door) < MEMORY_TO_REFUSE


async def test_there_are_at_least_sixty_files_of_each_fate() -> None:
    assert len(CASES) >= 60
    good = [case for case in CASES if case.gives and not case.mends]
    mended = [case for case in CASES if case.mends]
    refused = [case for case in CASES if case.refused]
    assert min(len(good), len(mended), len(refused)) >= 10
    assert len({case.name for case in CASES}) == len(CASES)
