"""The verdict on a file: what fits, what can be mended, and what nothing helps."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.forms import Form
from bot.domain.recipe import MediaKind
from bot.domain.reference import (
    MOST_ENLARGED,
    SEEDANCE_LIMITS,
    UNKNOWN_CODEC,
    FileFacts,
    Fine,
    Mendable,
    MendKind,
    Target,
    Unusable,
    judge,
)

PHOTO = FileFacts(kind=MediaKind.IMAGE, form=Form.JPEG, size=400_000, width=1600, height=1200)
FILM = FileFacts(
    kind=MediaKind.VIDEO,
    form=Form.MP4,
    size=2_000_000,
    width=1280,
    height=720,
    seconds=5.0,
    frame_rate=24.0,
    codec="h264",
    pixel_format="yuv420p",
    has_sound=True,
    sound_codecs=frozenset({"aac"}),
)
BLURRED = ", and enlarging it {} times would only blur it (at most 2 times is done)."
SMALLEST_FILM = "each edge must have at least 300 pixels and width times height must be at least 409,600"
SOUND = FileFacts(kind=MediaKind.AUDIO, form=Form.MP3, size=80_000, seconds=5.0)


def words(facts: FileFacts) -> tuple[str, ...]:
    verdict = judge(facts, SEEDANCE_LIMITS)
    assert isinstance(verdict, Mendable)
    return tuple(mend.words for mend in verdict.mends)


def target(facts: FileFacts) -> Target:
    verdict = judge(facts, SEEDANCE_LIMITS)
    assert isinstance(verdict, Mendable)
    return verdict.target


def refusal(facts: FileFacts) -> str:
    verdict = judge(facts, SEEDANCE_LIMITS)
    assert isinstance(verdict, Unusable)
    return f"It {verdict.figure}; {verdict.limit}."


@pytest.mark.parametrize("facts", [PHOTO, FILM, SOUND], ids=["photo", "film", "sound"])
def test_what_fits_is_left_alone(facts: FileFacts) -> None:
    assert judge(facts, SEEDANCE_LIMITS) == Fine()


@pytest.mark.parametrize("form", [Form.JPEG, Form.PNG, Form.WEBP, Form.BMP, Form.TIFF, Form.GIF])
def test_every_published_form_of_a_picture_fits(form: Form) -> None:
    assert judge(replace(PHOTO, form=form), SEEDANCE_LIMITS) == Fine()


@pytest.mark.parametrize(
    "facts",
    [
        replace(PHOTO, width=300, height=300),
        replace(PHOTO, width=6000, height=6000),
        replace(PHOTO, width=750, height=300),
        replace(PHOTO, width=400, height=1000),
        replace(PHOTO, size=30_000_000),
        replace(FILM, width=640, height=640),
        replace(FILM, seconds=2.0),
        replace(FILM, seconds=15.0),
        replace(FILM, frame_rate=60.0),
        replace(FILM, codec="hevc", form=Form.MOV),
        replace(FILM, size=50_000_000),
        replace(FILM, has_sound=False, sound_codecs=frozenset()),
        replace(FILM, pixel_format="yuvj420p", sound_codecs=frozenset({"aac", "mp3"})),
        replace(SOUND, seconds=2.0, form=Form.WAV),
        replace(SOUND, seconds=15.0, size=15_000_000),
    ],
)
def test_the_limits_themselves_are_allowed(facts: FileFacts) -> None:
    assert judge(facts, SEEDANCE_LIMITS) == Fine()


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (replace(PHOTO, form=Form.HEIC), ("HEIC made JPEG",)),
        (replace(PHOTO, form=Form.HEIC, transparent=True), ("HEIC made PNG",)),
        (replace(PHOTO, rotated=True), ("turned upright",)),
        (replace(PHOTO, width=7000, height=5000), ("7000×5000 made 6000×4286",)),
        (replace(PHOTO, width=200, height=160), ("200×160 made 375×300",)),
        (replace(PHOTO, form=Form.GIF, moving=True), ("GIF made PNG", "only its first frame taken")),
        (replace(PHOTO, four_colours=True), ("CMYK made RGB",)),
        (replace(PHOTO, size=38_200_000), ("38.2 MB made less than 30 MB",)),
        (replace(PHOTO, size=38_200_000, form=Form.PNG), ("PNG made JPEG", "38.2 MB made less than 30 MB")),
        (replace(FILM, form=Form.MKV), ("MKV made MP4",)),
        (replace(FILM, form=Form.MOV, seconds=40.0), ("MOV made MP4", "trimmed to 15 s")),
        (replace(FILM, codec="av1"), ("AV1 made H.264",)),
        (replace(FILM, codec="av1", pixel_format="yuv420p10le"), ("AV1 made H.264",)),
        (replace(FILM, pixel_format="yuv422p10le"), ("its pixels (YUV422P10LE) made 4:2:0 of 8 bits",)),
        (replace(FILM, sound_codecs=frozenset({"aac", "ac3"})), ("its AC3 sound made AAC",)),
        (
            replace(FILM, form=Form.MOV, sound_codecs=frozenset({"pcm_s24le"})),
            ("MOV made MP4", "its PCM sound made AAC"),
        ),
        (replace(FILM, form=Form.WEBM, codec="vp8", sound_codecs=frozenset({"opus"})), ("WebM made MP4",)),
        (
            replace(FILM, has_sound=False, sound_codecs=frozenset({UNKNOWN_CODEC})),
            ("its sound, which cannot be read here, left out",),
        ),
        (replace(FILM, located=True), ("the place where it was taken left out",)),
        (replace(PHOTO, tailed=True), ("what stands behind its end left out",)),
        (replace(FILM, rotated=True), ("turned upright",)),
        (replace(FILM, width=3840, height=2160), ("3840×2160 made 1284×722",)),
        (replace(FILM, width=640, height=360), ("640×360 made 854×480",)),
        (replace(FILM, frame_rate=23.976), ("made 24 frames a second",)),
        (replace(FILM, frame_rate=15.0), ("made 30 frames a second",)),
        (replace(FILM, frame_rate=120.0), ("made 60 frames a second",)),
        (replace(FILM, frame_rate=90.0), ("made 45 frames a second",)),
        (replace(SOUND, form=Form.M4A), ("M4A made WAV",)),
        (replace(SOUND, seconds=15.2), ("MP3 made WAV", "trimmed to 15 s")),
        (replace(SOUND, form=Form.WAV, endless=True), ("its length written into its header",)),
    ],
)
def test_what_can_be_mended_says_how(facts: FileFacts, expected: tuple[str, ...]) -> None:
    assert words(facts) == expected


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        (
            replace(PHOTO, width=1600, height=600),
            "It is 1600×600, 2.67 times as wide as high; width divided by height must be 0.4 to 2.5.",
        ),
        (
            replace(PHOTO, width=600, height=1600),
            "It is 600×1600, 2.67 times as high as wide; width divided by height must be 0.4 to 2.5.",
        ),
        (
            replace(PHOTO, width=120, height=90),
            f"It is 120×90 pixels; each edge must have at least 300 pixels{BLURRED.format('3.3')}",
        ),
        (
            replace(FILM, width=320, height=240),
            f"It is 320×240 pixels; {SMALLEST_FILM}{BLURRED.format('2.3')}",
        ),
        (replace(FILM, seconds=1.5), "It lasts 1.5 s; a video must last 2 to 15 s."),
        (replace(SOUND, seconds=0.4), "It lasts 0.4 s; a sound must last 2 to 15 s."),
    ],
)
def test_what_nothing_helps_names_the_figure_and_the_limit(facts: FileFacts, sentence: str) -> None:
    assert refusal(facts) == sentence


def test_a_provider_without_wav_gets_mp3_and_one_without_mov_gets_mp4() -> None:
    audio = replace(SEEDANCE_LIMITS.audio, forms=frozenset({Form.MP3}))
    video = replace(SEEDANCE_LIMITS.video, forms=frozenset({Form.MP4}))
    limits = replace(SEEDANCE_LIMITS, audio=audio, video=video)
    for facts, made in (
        (replace(SOUND, form=Form.WAV), "WAV made MP3"),
        (replace(FILM, form=Form.MOV), "MOV made MP4"),
    ):
        verdict = judge(facts, limits)
        assert isinstance(verdict, Mendable)
        assert [mend.words for mend in verdict.mends] == [made]


def test_how_long_all_files_of_a_kind_may_be_is_known_by_kind() -> None:
    totals = {kind: SEEDANCE_LIMITS.total_seconds(kind) for kind in MediaKind}
    assert totals == {MediaKind.IMAGE: None, MediaKind.VIDEO: 15, MediaKind.AUDIO: 15}


PICTURES = st.builds(
    FileFacts,
    kind=st.just(MediaKind.IMAGE),
    form=st.sampled_from([Form.JPEG, Form.PNG, Form.WEBP, Form.TIFF, Form.GIF, Form.HEIC, Form.AVIF]),
    size=st.integers(1, 90_000_000),
    width=st.integers(1, 13_000),
    height=st.integers(1, 13_000),
    rotated=st.booleans(),
    moving=st.booleans(),
    transparent=st.booleans(),
    four_colours=st.booleans(),
    located=st.booleans(),
    tailed=st.booleans(),
)
FILMS = st.builds(
    FileFacts,
    kind=st.just(MediaKind.VIDEO),
    form=st.sampled_from([Form.MP4, Form.MOV, Form.MKV, Form.WEBM]),
    size=st.integers(1, 200_000_000),
    width=st.integers(1, 4096),
    height=st.integers(1, 4096),
    rotated=st.booleans(),
    seconds=st.floats(0.1, 900),
    frame_rate=st.floats(1, 480),
    codec=st.sampled_from(["h264", "hevc", "vp9"]),
    pixel_format=st.sampled_from(["yuv420p", "yuvj420p", "yuv422p10le"]),
    sound_codecs=st.frozensets(st.sampled_from(["aac", "mp3", "opus", "pcm_s16le"]), max_size=2),
    located=st.booleans(),
)


@given(PICTURES | FILMS)
def test_what_is_mended_fits_keeps_its_shape_and_is_said(facts: FileFacts) -> None:
    verdict = judge(facts, SEEDANCE_LIMITS)
    if not isinstance(verdict, Mendable):
        return
    goal, width, height = verdict.target, facts.width or 0, facts.height or 0
    made = replace(
        facts,
        form=goal.form,
        size=goal.largest_bytes,
        width=goal.width,
        height=goal.height,
        rotated=False,
        moving=False,
        four_colours=False,
        seconds=min(facts.seconds, goal.seconds) if facts.seconds and goal.seconds else facts.seconds,
        frame_rate=goal.frame_rate or facts.frame_rate,
        codec="h264" if facts.codec else None,
        pixel_format="yuv420p" if facts.codec else None,
        sound_codecs=frozenset({"aac"}) if facts.sound_codecs else frozenset(),
        located=False,
        tailed=False,
    )
    assert judge(made, SEEDANCE_LIMITS) == Fine()
    assert goal.width is not None
    assert goal.height is not None
    step = 2 if facts.kind is MediaKind.VIDEO else 1
    assert goal.width % step == goal.height % step == 0
    assert abs(goal.width / goal.height - width / height) <= 0.03 * width / height
    assert goal.width <= width * MOST_ENLARGED * 1.01 + 2
    said = {mend.what for mend in verdict.mends}
    assert (MendKind.FORM in said) == (facts.form is not goal.form)
    fits = judge(replace(made, width=width, height=height), SEEDANCE_LIMITS) == Fine()
    assert (MendKind.SIZE in said) == (not fits)
