"""Clips are real: decoded to the end, of the asked size and length, and no two alike."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, ImageFont

from bot.sandbox.render import ClipSpec, Renderer, damage, frame_size, nearest_ratio
from bot.sandbox.render import picture as picture_module
from bot.sandbox.render.clip import encode, scene_of
from bot.sandbox.render.damage import boxes
from bot.sandbox.render.sizes import RATIOS, RESOLUTIONS
from bot.sandbox.render.sound import SAMPLE_RATE, melody

SPEC = ClipSpec(task_id="tk-1", prompt="Café – a red panda", resolution="480p", ratio="16:9", seconds=4, audio=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """What a whole decode of a clip has shown; `sound_seconds` is None without a sound stream."""

    size: tuple[int, int]
    frames: int
    rate: float
    codec: str
    pixels: str
    sound_seconds: float | None
    loudest: float
    changes: int


def probe(path: Path) -> Probe:
    """Decode picture and sound to the end."""
    with av.open(path) as clip:
        video = clip.streams.video[0]
        frames, changes, last = 0, 0, None
        for frame in clip.decode(video):
            luma = frame.to_ndarray()[: frame.height]
            changes += last is not None and bool((luma != last).any())
            last, frames = luma, frames + 1
        size, rate = (video.width, video.height), float(video.average_rate or 0)
        codec, pixels = video.codec_context.name, str(video.codec_context.pix_fmt)
    with av.open(path) as clip:
        if not clip.streams.audio:
            return Probe(
                size=size,
                frames=frames,
                rate=rate,
                codec=codec,
                pixels=pixels,
                sound_seconds=None,
                loudest=0,
                changes=changes,
            )
        blocks = [block.to_ndarray() for block in clip.decode(audio=0)]
        loudest = max(float(np.abs(block).max()) for block in blocks)
        seconds = sum(block.shape[1] for block in blocks) / SAMPLE_RATE
    return Probe(
        size=size,
        frames=frames,
        rate=rate,
        codec=codec,
        pixels=pixels,
        sound_seconds=seconds,
        loudest=loudest,
        changes=changes,
    )


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("render") / "clip.mp4"
    encode(SPEC, path)
    return path


@pytest.fixture
async def renderer(tmp_path: Path) -> AsyncIterator[Renderer]:
    renderer = Renderer(tmp_path / "clips")
    yield renderer
    await renderer.close()


def test_a_clip_has_24_moving_pictures_a_second_and_sound_to_its_end(clip: Path) -> None:
    seen = probe(clip)
    assert (seen.size, seen.frames, seen.rate) == ((864, 496), 96, 24.0)
    assert (seen.codec, seen.pixels) == ("h264", "yuv420p")
    assert seen.changes == 95
    assert seen.sound_seconds == pytest.approx(4, abs=0.05)
    assert seen.loudest > 0.1


def test_the_index_stands_in_front_so_that_a_player_can_begin_at_once(clip: Path) -> None:
    kinds = [kind for kind, _ in boxes(clip.read_bytes())]
    assert kinds.index(b"moov") < kinds.index(b"mdat")


def test_a_clip_without_audio_has_no_sound_stream(tmp_path: Path) -> None:
    path = tmp_path / "silent.mp4"
    encode(replace(SPEC, audio=False, ratio="1:1"), path)
    seen = probe(path)
    assert (seen.sound_seconds, seen.size, seen.frames) == (None, (640, 640), 96)


@pytest.mark.parametrize("resolution", RESOLUTIONS)
@pytest.mark.parametrize("ratio", RATIOS)
def test_every_size_is_even_and_near_its_ratio(resolution: str, ratio: str) -> None:
    width, height = frame_size(resolution, ratio)
    across, down = map(int, ratio.split(":"))
    assert width % 2 == height % 2 == 0
    assert width / height == pytest.approx(across / down, rel=0.025)


@pytest.mark.parametrize(("resolution", "ratio"), [("720p", "21:9"), ("720p", "3:4"), ("480p", "9:16")])
def test_odd_looking_sizes_are_encoded_as_they_are(resolution: str, ratio: str, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    encode(replace(SPEC, resolution=resolution, ratio=ratio, audio=False), path)
    assert probe(path).size == frame_size(resolution, ratio)


def test_two_tasks_with_one_prompt_look_and_sound_different() -> None:
    other = replace(SPEC, task_id="tk-2")
    assert (scene_of(SPEC).frame(0) != scene_of(other).frame(0)).mean() > 0.2
    assert not np.array_equal(melody("tk-1", 4), melody("tk-2", 4))
    assert np.array_equal(melody("tk-1", 4), melody("tk-1", 4))


@pytest.mark.parametrize(
    ("prompt", "take"),
    [("a panda, take 2", "2"), ("Take B of a panda", "B"), ("take your time", None), ("mistake 3", None)],
)
def test_the_take_is_read_from_the_prompt(prompt: str, take: str | None) -> None:
    assert replace(SPEC, prompt=prompt).take == take


def test_the_font_has_the_letters_that_people_type() -> None:
    font = ImageFont.truetype(Path(picture_module.__file__).with_name("DejaVuSans.ttf"), 40)
    missing = font.getmask("\U0010fffd").getbbox(), bytes(font.getmask("\U0010fffd"))
    for letter in "é–“”→ßŁжΩ…€✓@":
        drawn = font.getmask(letter)
        assert (drawn.getbbox(), bytes(drawn)) != missing, letter


def test_a_long_prompt_stays_on_the_picture() -> None:
    scene = scene_of(replace(SPEC, prompt="endless " * 400 + "x" * 500, ratio="9:16"))
    assert scene.photograph(0).size == (496, 864)


def test_a_first_picture_stands_behind_the_clip(tmp_path: Path) -> None:
    path = tmp_path / "first.png"
    Image.new("RGB", (1000, 700), (10, 200, 30)).save(path)
    corner = scene_of(replace(SPEC, background=path)).photograph(0).getpixel((860, 20))
    assert corner == pytest.approx((10, 200, 30), abs=8)


@pytest.mark.parametrize(
    ("width", "height", "ratio"),
    [(1920, 1080, "16:9"), (1080, 1920, "9:16"), (1000, 990, "1:1"), (3000, 1200, "21:9")],
)
def test_an_adaptive_clip_takes_the_nearest_ratio(width: int, height: int, ratio: str) -> None:
    assert nearest_ratio(width, height) == ratio


@pytest.mark.parametrize("how", ["truncated", "no_moov", "png", "html", "empty"])
def test_a_damaged_clip_cannot_be_decoded_to_its_end(clip: Path, how: str, tmp_path: Path) -> None:
    spoilt = tmp_path / "spoilt.mp4"
    spoilt.write_bytes(clip.read_bytes())
    damage(spoilt, how)
    try:
        frames = probe(spoilt).frames
    except (av.FFmpegError, IndexError):
        frames = 0
    assert frames < 96


async def test_rendering_takes_its_time_from_other_processes(renderer: Renderer, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.mp4" for number in range(3)]
    before = time.process_time()
    await asyncio.gather(*(renderer.render(replace(SPEC, task_id=path.stem), path) for path in paths))
    spent = time.process_time() - before
    assert [probe(path).frames for path in paths] == [96] * 3
    assert spent < 0.3, "three clips take twice as long to encode"


async def test_cached_clips_are_unique_files_that_all_play(renderer: Renderer, tmp_path: Path) -> None:
    paths = [tmp_path / f"tk-{number}.mp4" for number in range(20)]
    await renderer.render(replace(SPEC, task_id="tk-0"), paths[0], fidelity="cached")
    for path in paths[1:]:
        await renderer.render(replace(SPEC, task_id=path.stem), path, fidelity="cached")
    assert [base.name for base in (tmp_path / "clips").iterdir()] == ["864x496-4s-sound.mp4"]
    assert len({path.read_bytes() for path in paths}) == 20
    assert b"tk-7" in paths[7].read_bytes()
    assert probe(paths[7]).frames == 96


async def test_a_still_is_the_last_frame(renderer: Renderer, tmp_path: Path) -> None:
    path = tmp_path / "last.jpg"
    await renderer.still(SPEC, path)
    with Image.open(path) as picture:
        assert (picture.format, picture.size) == ("JPEG", (864, 496))


async def test_the_processes_end_with_the_renderer(tmp_path: Path) -> None:
    renderer = Renderer(tmp_path, workers=1)
    await renderer.render(SPEC, tmp_path / "clip.mp4")
    assert renderer._pool is not None
    (worker,) = renderer._pool._processes.values()
    await renderer.close()
    with pytest.raises(ProcessLookupError):
        os.kill(worker.pid or 0, 0)
