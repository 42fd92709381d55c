"""What becomes of a clip's files when a reply brings others: something that a provider really takes, and said."""

from dataclasses import replace

import pytest

from bot.domain.capabilities import fit
from bot.domain.lineage import Changes, files_note, notes_on_files, vary
from bot.domain.recipe import MediaKind, MediaRole, Medium, Ratio, Recipe
from bot.vendors import VENDORS
from tests.support.values import a_recipe

_KINDS = {"p": MediaKind.IMAGE, "v": MediaKind.VIDEO, "s": MediaKind.AUDIO}
NOW, SINCE = "references now", "since references do not go with"


def media(text: str) -> tuple[Medium, ...]:
    """``first:p=F1 reference:s=F2`` as files in Slack."""
    found = []
    for word in text.split():
        role, _, rest = word.partition(":")
        kind, _, name = rest.partition("=")
        found.append(Medium(role=MediaRole(role), kind=_KINDS[kind], url=f"slack:{name}"))
    return tuple(found)


def short(recipe: Recipe) -> str:
    return " ".join(f"{one.role.value}={one.within}" for one in recipe.media)


def able(recipe: Recipe) -> set[str]:
    """The providers that have a tier which makes it, in some shape."""
    return {
        can.provider
        for vendor in VENDORS.values()
        for can in vendor.tiers
        for ratio in can.ratios
        if not fit(replace(recipe, tier=can.tier, ratio=ratio), can)
    }


ADDED = [
    ("", "reference:p=N", "reference=N"),
    ("first:p=A", "reference:p=N", "reference=A reference=N"),
    ("first:p=A last:p=B", "reference:p=N", "reference=A reference=B reference=N"),
    ("first:p=A last:p=A", "reference:p=N", "reference=A reference=N"),
    ("first:p=A", "reference:s=N", "reference=A reference=N"),
    ("edit:v=A", "reference:p=N", "reference=A reference=N"),
    ("extend:v=A last:p=B", "reference:p=N", "reference=A reference=B reference=N"),
    ("reference:p=A reference:s=B", "reference:p=N", "reference=A reference=B reference=N"),
    ("reference:p=A reference:s=B", "reference:s=N", "reference=A reference=B reference=N"),
]
LED = [
    ("first:p=A", "edit:v=N", "edit=N"),
    ("reference:p=A reference:s=B", "edit:v=N", "edit=N"),
    ("reference:p=A", "first:p=N", "first=N"),
    ("edit:v=A", "first:p=N", "first=N"),
    ("edit:v=A", "extend:v=N", "extend=N"),
    ("extend:v=A", "edit:v=N", "edit=N"),
    ("first:p=A last:p=B", "extend:v=N", "extend=N"),
    ("first:p=A last:p=B", "first:p=N", "last=B first=N"),
    ("first:p=A", "last:p=N", "first=A last=N"),
    ("extend:v=A", "last:p=N", "extend=A last=N"),
    ("reference:p=A", "first:p=M last:p=N", "first=M last=N"),
]


@pytest.mark.parametrize(("before", "new", "after"), ADDED + LED)
def test_a_reply_with_files_makes_of_every_clip_what_some_provider_takes(before: str, new: str, after: str) -> None:
    child = vary(a_recipe(media=media(before)), Changes(media=media(new), direction="at night"))
    assert short(child) == after
    assert able(child)


@pytest.mark.parametrize("before", ["", "first:p=A last:p=B", "edit:v=A", "reference:p=A reference:s=B"])
def test_references_that_an_option_gives_are_all_there_are(before: str) -> None:
    child = vary(a_recipe(media=media(before)), Changes(media=media("reference:p=M reference:p=N"), anew=True))
    assert short(child) == "reference=M reference=N"
    assert able(child)


def test_what_was_called_by_name_and_goes_is_a_plain_word_in_the_prompt() -> None:
    parent = a_recipe(prompt="@Image1 says @Audio1 to a red mug (@Image2)", media=media("reference:p=A reference:s=B"))
    parent = replace(parent, media=(*parent.media, *media("reference:p=C")))
    led = vary(parent, Changes(media=media("edit:v=N"), direction="make it green"))
    assert led.prompt == "Image1 says Audio1 to a red mug. make it green"
    added = vary(parent, Changes(media=media("reference:p=N"), direction="with @Image3"))
    assert added.prompt == f"{parent.prompt}. with @Image3"
    assert added.unmet_names == ()
    fewer = vary(parent, Changes(media=media("reference:p=N"), anew=True))
    assert fewer.prompt == "@Image1 says Audio1 to a red mug"
    unmet = vary(parent, Changes(media=media("edit:v=N"), direction="with @Image1"))
    assert unmet.unmet_names == ("@Image1",), "what is asked for now is not forgotten"


@pytest.mark.parametrize(
    ("before", "changes", "notes"),
    [
        ("", Changes(media=media("reference:p=N")), ()),
        ("reference:p=A", Changes(media=media("reference:p=N")), ()),
        ("first:p=A", Changes(media=media("first:p=N")), ()),
        ("first:p=A", Changes(seed=7), ()),
        (
            "first:p=A last:p=B",
            Changes(media=media("reference:p=N")),
            (f"The clip was made from: first frame, last frame. They are {NOW} (@Image1, @Image2), {SINCE} them.",),
        ),
        (
            "edit:v=A",
            Changes(media=media("reference:p=N")),
            (f"The clip was made from: a video to change. It is a reference now (@Video1), {SINCE} it.",),
        ),
        (
            "reference:p=A reference:p=B reference:s=C",
            Changes(media=media("first:p=N")),
            ("Left out: 2 image references, 1 audio reference. They do not go with: first frame.",),
        ),
        (
            "first:p=A last:p=B",
            Changes(media=media("edit:v=N")),
            ("Left out: first frame, last frame. They do not go with: a video to change.",),
        ),
        (
            "first:p=A",
            Changes(media=media("reference:p=N"), anew=True),
            ("Left out: first frame. It does not go with: 1 image reference.",),
        ),
    ],
)
def test_the_card_says_what_became_of_the_files(before: str, changes: Changes, notes: tuple[str, ...]) -> None:
    parent = a_recipe(media=media(before))
    assert notes_on_files(parent, vary(parent, changes)) == notes


def test_the_card_names_the_files_and_what_each_is_for() -> None:
    given = media("first:p=F1 last:p=F2")
    assert files_note(given, {"slack:F1": "mug.png"}) == "first frame: mug.png · last frame: a file in Slack"
    mixed = (
        *media("reference:p=F1 reference:s=F2"),
        Medium(role=MediaRole.REFERENCE, kind=MediaKind.IMAGE, url="https://x.example/secret/a.png?sig=SECRET"),
        Medium(role=MediaRole.REFERENCE, kind=MediaKind.VIDEO, url="clip:J1#whole"),
        Medium(role=MediaRole.REFERENCE, kind=MediaKind.IMAGE, url="stored:0123.png"),
    )
    assert files_note(mixed, {"slack:F2": "voice.wav", "clip:J1#whole": "#2"}) == (
        "@Image1: a file in Slack · @Audio1: voice.wav · @Image2: a link to x.example · @Video1: #2 · "
        "@Image3: as before"
    )
    assert files_note((), {}) == ""


def test_a_name_in_the_note_is_cut_short() -> None:
    assert len(files_note(media("edit:v=F1"), {"slack:F1": "n" * 200})) < 100


def test_a_clip_that_loses_its_first_frame_has_no_shape_to_follow() -> None:
    framed = a_recipe(ratio=Ratio.ADAPTIVE, media=media("first:p=A"))
    lost = vary(framed, Changes(media=media("reference:p=N")), unframed=Ratio.TALL)
    assert lost.ratio is Ratio.TALL
    assert vary(framed, Changes(media=media("first:p=N")), unframed=Ratio.TALL).ratio is Ratio.ADAPTIVE
    asked = Changes(media=media("reference:p=N"), ratio=Ratio.ADAPTIVE)
    assert vary(framed, asked, unframed=Ratio.TALL).ratio is Ratio.ADAPTIVE
