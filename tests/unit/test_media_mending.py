"""What the media room makes of a file is right, to the pixel and to the sample."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import av
import pytest
import pytest_asyncio
from PIL import Image, ImageCms

from bot.domain.forms import Form
from bot.domain.recipe import MediaKind
from bot.domain.reference import SEEDANCE_LIMITS, FileLimits, MendKind
from bot.media import ProcessMediaRoom
from bot.ports import MediaRoom, PreparedFile, UnusableFile
from tests.support import files as f

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[ProcessMediaRoom]:
    """One room for all."""
    room = ProcessMediaRoom()
    yield room
    await room.close()


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "into"
    folder.mkdir()
    return folder


async def prepare(
    room: MediaRoom,
    file: Path,
    into: Path,
    *,
    wanted: MediaKind = MediaKind.IMAGE,
    limits: FileLimits = SEEDANCE_LIMITS,
) -> PreparedFile:
    return await room.prepare(file, name=file.name, wanted=wanted, limits=limits, into=into)


def near(found: object, wanted: tuple[int, int, int]) -> bool:
    return isinstance(found, tuple) and all(abs(a - b) < 25 for a, b in zip(found, wanted, strict=True))


def grey(picture: Path, x: int, y: int) -> int:
    """How bright it is there, 0 to 255."""
    with Image.open(picture) as image:
        return image.convert("L").tobytes()[y * image.width + x]


@pytest.mark.parametrize(
    ("turn", "red_and_blue"),
    [
        (2, ((700, 100), (100, 500))),
        (3, ((700, 500), (100, 100))),
        (6, ((500, 100), (100, 700))),
        (8, ((100, 700), (500, 100))),
    ],
)
async def test_a_turned_picture_is_upright_and_says_nothing_of_its_camera(
    shared: ProcessMediaRoom, tmp_path: Path, into: Path, turn: int, red_and_blue: tuple[tuple[int, int], ...]
) -> None:
    prepared = await prepare(shared, f.picture(tmp_path / "phone.jpeg", 800, 600, turn=turn), into)
    with Image.open(prepared.path) as image:
        assert dict(image.getexif()) == {}
        found = [image.getpixel(place) for place in red_and_blue]
    assert near(found[0], f.CORNERS["left top"])
    assert near(found[1], f.CORNERS["right bottom"])


@pytest.mark.parametrize("progressive", [False, True])
async def test_a_picture_loses_its_place_and_what_is_behind_it_and_not_a_pixel(
    shared: ProcessMediaRoom, tmp_path: Path, into: Path, progressive: bool
) -> None:
    photo = f.picture(tmp_path / "home.jpeg", 800, 600, place=True)
    with Image.open(photo) as image:
        exif, profile = image.info["exif"], ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        more = {"progressive": progressive, "restart_marker_rows": 1, "comment": b"at home"}
        image.save(photo, "JPEG", exif=exif, icc_profile=profile, quality=93, **more)
    with Image.open(photo) as image:
        before = image.tobytes()
    f.appended(photo, b"\0<html><script>alert(1)</script>" + b"PK\3\4" * 100 + b"\xff\xd9")
    prepared = await prepare(shared, photo, into)
    assert [mend.what for mend in prepared.mends] == [MendKind.PLACE, MendKind.TAIL]
    with Image.open(prepared.path) as image:
        assert image.tobytes() == before
        assert dict(image.getexif()) == {}
        assert (image.info["icc_profile"], "comment" in image.info) == (profile, False)
    written = prepared.path.read_bytes()
    assert written.endswith(b"\xff\xd9")
    assert not any(trace in written for trace in (b"<html>", b"PK", b"A camera", b"at home"))


async def test_a_film_loses_its_place(shared: ProcessMediaRoom, tmp_path: Path, into: Path) -> None:
    film = f.film(tmp_path / "home.mov", 864, 496, place=True)
    assert b"+52.5200" in film.read_bytes()
    prepared = await prepare(shared, film, into, wanted=MediaKind.VIDEO)
    assert b"+52.5200" not in prepared.path.read_bytes()


@pytest.mark.parametrize(
    ("turned", "dark"),
    [(90, {"left top", "right top"}), (180, {"right top", "right bottom"}), (270, {"left bottom", "right bottom"})],
)
async def test_a_turned_film_is_upright(
    shared: ProcessMediaRoom, tmp_path: Path, into: Path, turned: int, dark: set[str]
) -> None:
    film = f.film(tmp_path / "phone.mp4", 864, 496, turned=turned)
    prepared = await prepare(shared, film, into, wanted=MediaKind.VIDEO)
    frame = await shared.frame(prepared.path, "first", name="the first frame of #1", into=into)
    assert (frame.width, frame.height) == (prepared.width, prepared.height)
    columns = {"left": (frame.width or 0) // 4, "right": (frame.width or 0) * 3 // 4}
    rows = {"top": (frame.height or 0) // 4, "bottom": (frame.height or 0) * 3 // 4}
    found = {f"{c} {r}" for c, x in columns.items() for r, y in rows.items() if grey(frame.path, x, y) < 15}
    assert found == dark


async def test_the_first_and_the_last_frame_are_exactly_those(
    shared: ProcessMediaRoom, tmp_path: Path, into: Path
) -> None:
    film = f.film(tmp_path / "clip.mp4", 864, 496, seconds=3)  # key frames at 0 and 48 of 72
    for which, number in (("first", 0), ("last", 71)):
        prepared = await shared.frame(film, "first" if which == "first" else "last", name=which, into=into)
        assert (prepared.form, prepared.width, prepared.height) == (Form.PNG, 864, 496)
        expected = (f.brightness(number) - 16) * 255 / 219  # luma of television, 16 to 235
        assert abs(grey(prepared.path, 600, 250) - expected) < 1.5, which
    film.write_bytes(film.read_bytes()[:2000])
    with pytest.raises(UnusableFile, match=r"^the last frame of #1 announces [\d,]+ bytes and has 2,000; "):
        await shared.frame(film, "last", name="the last frame of #1", into=into)


async def test_a_trimmed_film_keeps_its_sound_and_ends_with_it(
    shared: ProcessMediaRoom, tmp_path: Path, into: Path
) -> None:
    limits = replace(SEEDANCE_LIMITS, video=replace(SEEDANCE_LIMITS.video, seconds=(2, 4)))
    film = f.film(tmp_path / "long.mp4", 864, 496, seconds=5, sound=True)
    prepared = await prepare(shared, film, into, wanted=MediaKind.VIDEO, limits=limits)
    with av.open(str(prepared.path)) as opened:
        pictures, sound = opened.streams.video[0], opened.streams.audio[0]
        assert pictures.frames == 96
        assert float((sound.duration or 0) * (sound.time_base or 0)) == pytest.approx(4, abs=0.05)
        assert (opened.duration or 0) / av.time_base <= 4
    assert [mend.words for mend in prepared.mends] == ["trimmed to 4 s"]


async def test_a_film_with_too_many_bytes_is_written_with_fewer(
    shared: ProcessMediaRoom, tmp_path: Path, into: Path
) -> None:
    film = f.film(tmp_path / "noise.mp4", 864, 496, noise=True)
    video = replace(SEEDANCE_LIMITS.video, largest_bytes=1_500_000)
    assert film.stat().st_size > video.largest_bytes
    limits = replace(SEEDANCE_LIMITS, video=video)
    prepared = await prepare(shared, film, into, wanted=MediaKind.VIDEO, limits=limits)
    assert prepared.size <= video.largest_bytes
    assert [mend.words[-21:] for mend in prepared.mends] == ["made less than 1.5 MB"]


async def test_where_only_mp3_is_taken_a_trimmed_sound_is_mp3_and_fits(
    shared: ProcessMediaRoom, tmp_path: Path, into: Path
) -> None:
    limits = replace(SEEDANCE_LIMITS, audio=replace(SEEDANCE_LIMITS.audio, forms=frozenset({Form.MP3})))
    song = f.sound(tmp_path / "song.wav", 16)
    prepared = await prepare(shared, song, into, wanted=MediaKind.AUDIO, limits=limits)
    assert (prepared.form, prepared.mime) == (Form.MP3, "audio/mpeg")
    assert [mend.words for mend in prepared.mends] == ["WAV made MP3", "trimmed to 15 s"]


async def test_a_kind_is_told_from_what_is_inside(shared: ProcessMediaRoom, tmp_path: Path, into: Path) -> None:
    sounds = [f.sound(tmp_path / f"voice.{form}", 1, rate=48_000) for form in ("mp4", "webm", "m4a", "mp3")]
    film, still = f.film(tmp_path / "film.mp4", 320, 240, seconds=0.2), f.picture(tmp_path / "p.heic", 64, 64)
    told = dict.fromkeys(sounds, "is a sound (") | {film: "is a video (MP4)", still: "is a picture (HEIC)"}
    for file, words in told.items():
        wanted = MediaKind.IMAGE if file != still else MediaKind.VIDEO
        with pytest.raises(UnusableFile, match=re.escape(words)):
            await prepare(shared, file, into, wanted=wanted)
