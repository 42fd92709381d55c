"""Recipes, their keys, and how one comes from another."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.failure import LONGEST_DETAIL, Failure, FailureKind
from bot.domain.kept_file import fingerprint
from bot.domain.lineage import Changes, FinalPreset, differences, promote, vary
from bot.domain.recipe import (
    LONGEST_SECONDS,
    ClipPart,
    MediaKind,
    MediaRole,
    Medium,
    Mode,
    Place,
    Ratio,
    Recipe,
    Resolution,
    clip_number,
    names_of,
    names_without_file,
    role_name,
)
from bot.domain.reference import SEEDANCE_LIMITS
from tests.support.values import a_recipe

ROOT = Path(__file__).resolve().parents[2]

FIRST = Medium(role=MediaRole.FIRST, kind=MediaKind.IMAGE, url="https://x.example/a.png")
LAST = Medium(role=MediaRole.LAST, kind=MediaKind.IMAGE, url="https://x.example/b.png")
EDIT = Medium(role=MediaRole.EDIT, kind=MediaKind.VIDEO, url="https://x.example/c.mp4")
PICTURE, SOUND, FILM = (
    Medium(role=MediaRole.REFERENCE, kind=kind, url=f"https://x.example/{kind}")
    for kind in (MediaKind.IMAGE, MediaKind.AUDIO, MediaKind.VIDEO)
)
EXTEND = replace(EDIT, role=MediaRole.EXTEND)

RECIPES = st.builds(
    Recipe,
    prompt=st.text(),
    resolution=st.sampled_from(Resolution),
    seconds=st.none() | st.integers(4, 15),
    ratio=st.sampled_from(Ratio),
    audio=st.booleans(),
    tier=st.sampled_from(["mini", "standard"]),
    seed=st.none() | st.integers(0, 2_147_483_647),
    negative=st.none() | st.text(),
    high_bitrate=st.booleans(),
    media=st.lists(st.sampled_from([FIRST, LAST, EDIT, PICTURE, SOUND])).map(tuple),
)
OTHERS: dict[str, Any] = {
    "prompt": "a fox",
    "resolution": Resolution.P1080,
    "seconds": None,
    "ratio": Ratio.TALL,
    "audio": False,
    "tier": "standard",
    "seed": 7,
    "negative": "rain",
    "high_bitrate": True,
    "media": (FIRST,),
}


@given(one=RECIPES, other=RECIPES)
def test_equal_recipes_and_only_they_have_the_same_key(one: Recipe, other: Recipe) -> None:
    assert (one.key() == other.key()) is (one == other)
    assert replace(one).key() == one.key()


@pytest.mark.parametrize("name", OTHERS)
def test_every_field_is_in_the_key(name: str) -> None:
    assert a_recipe(**{name: OTHERS[name]}).key() != a_recipe().key()


def test_a_key_is_the_same_in_another_process() -> None:
    program = "from bot.domain.recipe import Recipe; print(Recipe(prompt='a café 🦊').key())"
    other = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    key = Recipe(prompt="a café 🦊").key()
    assert other.stdout.strip() == key
    assert len(key) == 32
    assert int(key, 16)


@pytest.mark.parametrize(
    ("recipe", "key"),
    [
        (Recipe(prompt="a café 🦊"), "5eb3fe7c621df31808720fe277ad54f6"),
        (Recipe(**OTHERS | {"resolution": Resolution.P720, "media": ()}), "03744753b6835dca0dfa5743df0fafa0"),
    ],
)
def test_keys_are_those_that_were_given_out_before_there_were_files(recipe: Recipe, key: str) -> None:
    """A promotion's uniqueness hangs on them."""
    assert recipe.key() == key


def test_a_file_counts_in_the_key_with_its_role_and_its_place() -> None:
    keys = {
        a_recipe(media=media).key()
        for media in ((), (FIRST,), (replace(FIRST, role=MediaRole.LAST),), (PICTURE, SOUND), (SOUND, PICTURE))
    }
    assert len(keys) == 5


@pytest.mark.parametrize(
    ("media", "mode", "video"),
    [
        ((), Mode.TEXT, False),
        ((FIRST,), Mode.FIRST_FRAME, False),
        ((FIRST, LAST), Mode.FIRST_LAST, False),
        ((PICTURE,), Mode.REFERENCES, False),
        ((PICTURE, FILM), Mode.REFERENCES, True),
        ((EDIT,), Mode.EDIT, True),
        ((EXTEND, LAST), Mode.EXTEND, True),
    ],
)
def test_the_files_say_what_is_asked_for(media: tuple[Medium, ...], mode: Mode, video: bool) -> None:
    assert (a_recipe(media=media).mode, a_recipe(media=media).video_input) == (mode, video)


def test_files_are_found_by_role_and_kind_in_their_order() -> None:
    recipe = a_recipe(media=(FIRST, FILM, PICTURE, LAST))
    assert recipe.given(MediaRole.FIRST) == (FIRST.url,)
    assert recipe.given(MediaRole.REFERENCE) == (FILM.url, PICTURE.url)
    assert recipe.given(MediaRole.REFERENCE, MediaKind.IMAGE) == (PICTURE.url,)
    assert recipe.given(MediaRole.EDIT) == ()
    assert "x.example" not in repr(recipe), "a link may be signed"


def test_a_file_can_be_called_by_what_it_is_for() -> None:
    media = (FIRST, PICTURE, FILM, LAST, EDIT, EXTEND)
    assert [role_name(one, media) for one in media] == [
        "The first frame",
        "Reference 1",
        "Reference 2",
        "The last frame",
        "The video to change",
        "The video to go on from",
    ]
    assert role_name(FILM, (FIRST, FILM)) == "The reference"


def test_names_are_counted_by_kind_among_references_alone() -> None:
    media = (FIRST, PICTURE, FILM, replace(PICTURE, url="https://x.example/2"), SOUND)
    assert names_of(media) == ("@Image1", "@Image2", "@Video1", "@Audio1")
    assert names_without_file("@image2 as @VIDEO01, mail@image9", media) == ()
    assert names_without_file("@Image3 @Image0 @Video2 @Audio1 @Image3", media) == ("@Image3", "@Image0", "@Video2")
    assert a_recipe(prompt="@Image1 waves", media=(FIRST,)).unmet_names == ("@Image1",)


def test_an_automatic_length_is_held_at_the_longest() -> None:
    assert a_recipe(seconds=None).billable_seconds == LONGEST_SECONDS
    assert a_recipe(seconds=6).billable_seconds == 6


def test_a_final_keeps_the_drafts_ratio_seconds_and_all_else() -> None:
    draft = a_recipe(ratio=Ratio.TALL, seconds=8, seed=7, audio=False)
    assert promote(draft, FinalPreset()) == replace(draft, resolution=Resolution.P720)
    preset = FinalPreset(resolution=Resolution.P1080, tier="standard")
    assert promote(draft, preset) == replace(draft, resolution=Resolution.P1080, tier="standard")


@pytest.mark.parametrize("name", [name for name in OTHERS if name not in {"prompt", "seconds"}])
def test_a_variant_changes_what_was_asked_and_keeps_the_rest(name: str) -> None:
    assert vary(a_recipe(), Changes(**{name: OTHERS[name]})) == a_recipe(**{name: OTHERS[name]})


def test_nothing_asked_changes_nothing() -> None:
    assert vary(a_recipe(seed=7), Changes()) == a_recipe(seed=7)
    assert Changes().empty
    assert not Changes(takes=2).empty
    assert not Changes(audio=False).empty


def test_falsy_values_are_values() -> None:
    assert vary(a_recipe(seed=7, high_bitrate=True), Changes(seed=0, high_bitrate=False)) == a_recipe(seed=0)


def test_seconds_may_be_a_number_or_automatic() -> None:
    assert vary(a_recipe(), Changes(seconds=8)).seconds == 8
    assert vary(a_recipe(seconds=8), Changes(automatic_seconds=True)).seconds is None


def test_files_stay_where_no_others_are_given() -> None:
    parent = a_recipe(media=(FIRST, LAST))
    assert vary(parent, Changes(seed=7)).media == parent.media
    assert promote(parent, FinalPreset()).media == parent.media


def test_a_new_first_frame_frees_the_ratio_unless_one_was_asked_for() -> None:
    assert Changes(media=(FIRST, LAST)).frees_ratio
    assert not Changes(media=(FIRST,), ratio=Ratio.WIDE).frees_ratio
    assert not Changes(media=(LAST, PICTURE)).frees_ratio
    assert not Changes().frees_ratio


def test_direction_is_added_to_the_prompt() -> None:
    assert vary(a_recipe(prompt="a fox"), Changes(direction="at night")).prompt == "a fox. at night"
    assert vary(a_recipe(prompt=""), Changes(direction="at night")).prompt == "at night"


def test_differences_are_said_in_words_and_in_order() -> None:
    child = a_recipe(**OTHERS)
    assert differences(a_recipe(), child) == (
        ("resolution", "480p", "1080p"),
        ("seconds", "4 s", "auto"),
        ("ratio", "16:9", "9:16"),
        ("audio", "on", "off"),
        ("tier", "mini", "standard"),
        ("seed", "none", "7"),
        ("negative", "none", "rain"),
        ("high_bitrate", "off", "on"),
        ("prompt", "a red panda surfing", "a fox"),
        ("files", "none", "first frame"),
    )


def test_files_are_told_by_what_they_are_for_and_never_by_their_addresses() -> None:
    two = (PICTURE, replace(PICTURE, url="https://x.example/2"), SOUND)
    assert differences(a_recipe(media=two), a_recipe(media=(EDIT,))) == (
        ("files", "2 image references, 1 audio reference", "a video to change"),
    )
    other = replace(FIRST, url="https://x.example/other")
    assert differences(a_recipe(media=(FIRST,)), a_recipe(media=(other,))) == (
        ("files", "first frame", "first frame (others)"),
    )


@given(one=RECIPES, other=RECIPES)
def test_equal_recipes_and_only_they_show_no_difference(one: Recipe, other: Recipe) -> None:
    assert (differences(one, other) == ()) is (one == other)


def test_a_providers_words_are_cut_short_and_put_on_one_line() -> None:
    failure = Failure(kind=FailureKind.POLICY, detail="no\n\t faces  " + "x" * 1000)
    assert failure.detail.startswith("no faces xxx")
    assert len(failure.detail) == LONGEST_DETAIL
    assert Failure(kind=FailureKind.POLICY).detail == ""


@pytest.mark.parametrize(
    ("url", "place", "within"),
    [
        ("https://x.example/a.png?s=1", Place.LINK, "//x.example/a.png?s=1"),
        ("http://127.0.0.1:8/a.png", Place.LINK, "//127.0.0.1:8/a.png"),
        ("HTTPS://x.example/a.png", Place.LINK, "//x.example/a.png"),
        ("slack:F0123", Place.SLACK, "F0123"),
        ("clip:01ABC#last", Place.CLIP, "01ABC#last"),
        (f"stored:{'a' * 64}.jpeg", Place.STORED, f"{'a' * 64}.jpeg"),
        ("data:image/png;base64,AAAA", None, "image/png;base64,AAAA"),
    ],
)
def test_a_file_says_where_it_is(url: str, place: Place | None, within: str) -> None:
    medium = Medium(role=MediaRole.FIRST, kind=MediaKind.IMAGE, url=url)
    assert (medium.place, medium.within) == (place, within)
    assert url not in repr(medium)


@pytest.mark.parametrize(
    ("url", "number"),
    [("clip:#2", 2), ("clip:#", None), ("clip:#x", None), ("clip:01ABC#first", None), ("slack:#2", None)],
)
def test_a_clip_of_the_thread_is_told_from_a_clip_that_was_found(url: str, number: int | None) -> None:
    assert clip_number(Medium(role=MediaRole.FIRST, kind=MediaKind.IMAGE, url=url)) == number


def test_a_found_clip_says_whose_it_is_and_which_part() -> None:
    medium = Medium(role=MediaRole.EXTEND, kind=MediaKind.VIDEO, url="clip:01ABC#whole")
    assert medium.clip == ("01ABC", ClipPart.WHOLE)


def test_the_fingerprint_of_limits_depends_on_nothing_but_the_limits() -> None:
    limits = SEEDANCE_LIMITS
    other = replace(limits, image=replace(limits.image, largest_bytes=limits.image.largest_bytes - 1))
    program = "from bot.domain.kept_file import fingerprint; from bot.domain.reference import SEEDANCE_LIMITS as one; "
    for seed in ("1", "2"):
        told = subprocess.run(
            [sys.executable, "-c", f"{program}print(fingerprint(one))"],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        assert told.stdout.strip() == fingerprint(limits)
    assert fingerprint(other) != fingerprint(limits)
