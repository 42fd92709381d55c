"""What a video may cost to decode: its frames are counted by its header before, and by themselves while it is read. And
that reading one file never opens another."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import av
import pytest

from bot.domain.forms import Form
from bot.domain.recipe import MediaKind
from bot.domain.reference import SEEDANCE_LIMITS, FileFacts, Target
from bot.media import containers, films, work
from bot.media.bounds import LEAST_FRAME_PIXELS, MOST_FILM_PIXELS, MOST_FRAME_PIXELS
from bot.media.damage import Damaged, Unreadable
from tests.support import files as f

WIDTH, HEIGHT = 864, 496
FRAMES = 48
TOO_MANY = r"^The file has more than 47 frames of 864×496 pixels; that many of this size can be opened\.$"
TARGET = Target(form=Form.MP4, width=WIDTH, height=HEIGHT, frame_rate=24, largest_bytes=50_000_000)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return f.film(tmp_path / "film.mp4", WIDTH, HEIGHT, seconds=2)


@pytest.fixture
def bound(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let so many frames of a film be decoded."""
    return lambda frames: monkeypatch.setattr(containers, "MOST_FILM_PIXELS", frames * WIDTH * HEIGHT)


def prepare(film: Path, output: Path) -> float | None:
    return work.prepare(film, wanted=MediaKind.VIDEO, limits=SEEDANCE_LIMITS, output=output).seconds


def test_what_phones_film_can_be_opened() -> None:
    for width, height, rate in ((3840, 2160, 120), (4096, 2304, 120), (1920, 1080, 240), (1280, 720, 960)):
        assert width * height <= MOST_FRAME_PIXELS
        containers.check_frames(15 * rate, width, height)
    with pytest.raises(Unreadable, match="more than 1,800 frames of 4096×2304 pixels"):
        containers.check_frames(8_500, 4096, 2304)


def test_small_frames_take_their_time_too() -> None:
    with pytest.raises(Unreadable, match="frames of 2×2 pixels"):
        containers.check_frames(MOST_FILM_PIXELS / LEAST_FRAME_PIXELS + 1, 2, 2)


@pytest.mark.row("F18")
@pytest.mark.parametrize("rate", [24, 120], ids=["fine", "to be mended"])
def test_a_header_that_tells_of_too_many_frames_is_enough(
    tmp_path: Path, bound: Callable[[int], None], monkeypatch: pytest.MonkeyPatch, rate: int
) -> None:
    film = f.film(tmp_path / "film.mp4", WIDTH, HEIGHT, rate=rate, seconds=2)
    bound(2 * rate - 1)

    def nothing(*_args: object) -> Iterator[object]:
        raise AssertionError("a frame was decoded")

    monkeypatch.setattr(films, "packets", nothing)
    with pytest.raises(Unreadable, match=f"more than {2 * rate - 1} frames"):
        prepare(film, tmp_path / "output")


def _verified(film: Path, facts: FileFacts, _output: Path) -> None:
    films.verify(film, facts)


def _mended(film: Path, facts: FileFacts, output: Path) -> None:
    films.mend(film, facts, TARGET, output)


def _last_frame(film: Path, _facts: FileFacts, output: Path) -> None:
    films.frame_of(film, Form.MP4, last=True, output=output)


def _measured(film: Path, _facts: FileFacts, _output: Path) -> None:
    films._measured(film, Form.MP4)


@pytest.mark.parametrize("decode", [_verified, _mended, _last_frame, _measured])
def test_a_header_that_tells_of_few_frames_does_not_help(
    film: Path, tmp_path: Path, bound: Callable[[int], None], decode: Callable[[Path, FileFacts, Path], None]
) -> None:
    facts = replace(films.facts_of(film, Form.MP4), seconds=2.0, frame_rate=1.0)
    bound(FRAMES)
    decode(film, facts, tmp_path / "fits")
    bound(FRAMES - 1)
    with pytest.raises(Unreadable, match=TOO_MANY):
        decode(film, facts, tmp_path / "too many")


def test_of_a_long_film_only_what_stays_is_counted(tmp_path: Path, bound: Callable[[int], None]) -> None:
    film = f.film(tmp_path / "long.mp4", WIDTH, HEIGHT, seconds=20)
    bound(15 * 24 + 4)
    spoken = _with_short_sound(film, tmp_path / "spoken.mp4")
    for source in (film, spoken):
        assert prepare(source, tmp_path / f"mended {source.stem}") == pytest.approx(15, abs=0.05)


def _with_short_sound(film: Path, path: Path) -> Path:
    """The same film, with a sound of one second."""
    voice = f.sound(path.with_suffix(".m4a"), 1)
    with av.open(film) as pictures, av.open(voice) as sound, av.open(path, "w", format="mp4") as out:
        frames, samples = pictures.streams.video[0], sound.streams.audio[0]
        shown, heard = out.add_stream_from_template(frames), out.add_stream_from_template(samples)
        for packet in pictures.demux(frames):
            if packet.dts is not None:
                packet.stream = shown
                out.mux(packet)
        for spoken in sound.demux(samples):
            if spoken.dts is not None:
                spoken.stream = heard
                out.mux(spoken)
    return path


def test_a_reader_has_no_way_to_another_file(film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None of the readers wants one today: here one is put in their place that does."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(containers._READERS, Form.MKV, "concat")
    listing = tmp_path / "listing.mkv"
    listing.write_text(f"ffconcat version 1.0\nfile {film.name}\n")
    with pytest.raises(Damaged), containers.opened(listing, Form.MKV) as container:
        next(container.decode(video=0))

    monkeypatch.setattr(containers, "_NOWHERE", {"protocol_whitelist": "file"})
    with containers.opened(listing, Form.MKV) as container:
        assert next(container.decode(video=0)).width == WIDTH
