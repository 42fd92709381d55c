"""Cast and look: names in a prompt that stand for somebody's looks, and the style of the channel."""

from typing import Any

import pytest

from bot.domain.access import AccessRules
from bot.domain.recipe import MediaKind, MediaRole, Medium, Mode
from handlers.grammar import Attachment, CastRequest, UsageError, parse_mention
from handlers.grammar.cast import Styled, styled
from storage import MemoryStorage
from tests.support.doors import BOT, Front
from tests.support.services import House
from tests.support.values import capabilities

NAME = f"<@{BOT}>"
LINK = "https://team.slack.com/files/U1/F77/mug.png"
CAST = {"mug": f"red enamel mug, chipped rim {LINK}", "ann": "a tall woman in a green coat"}
MUG = Medium(role=MediaRole.REFERENCE, kind=MediaKind.IMAGE, url="slack:F77")


def given(role: MediaRole, kind: MediaKind = MediaKind.IMAGE) -> Medium:
    return Medium(role=role, kind=kind, url="slack:F1")


@pytest.mark.parametrize(
    ("prompt", "said", "references"),
    [
        ("@mug on a table", "red enamel mug, chipped rim (@Image1) on a table", (MUG,)),
        ("@Mug, steaming", "red enamel mug, chipped rim (@Image1), steaming", (MUG,)),
        (
            "@mug beside another @mug",
            "red enamel mug, chipped rim (@Image1) beside another red enamel mug, chipped rim",
            (MUG,),
        ),
        ("@ann waves", "a tall woman in a green coat waves", ()),
        ("@ben and @Image1 wave, @mugs too", "@ben and @Image1 wave, @mugs too", ()),
        ("write to mug@mug.example or x@mug", "write to mug@mug.example or x@mug", ()),
    ],
)
def test_a_name_stands_for_words_and_a_picture(prompt: str, said: str, references: tuple[Medium, ...]) -> None:
    made = styled(prompt, (), cast=CAST)
    assert (made.prompt, made.references) == (said, references)


def test_the_picture_is_counted_behind_those_that_are_given() -> None:
    sound = given(MediaRole.REFERENCE, MediaKind.AUDIO)
    made = styled("@mug", (given(MediaRole.REFERENCE), sound), cast=CAST)
    assert made.prompt == "red enamel mug, chipped rim (@Image2)"


@pytest.mark.parametrize("role", [MediaRole.FIRST, MediaRole.LAST, MediaRole.EDIT, MediaRole.EXTEND])
def test_beside_a_frame_the_words_alone_are_taken_and_the_card_says_so(role: MediaRole) -> None:
    made = styled("@mug", (given(role),), cast=CAST)
    assert (made.prompt, made.references) == ("red enamel mug, chipped rim", ())
    (note,) = made.notes
    assert note.startswith("@mug: red enamel mug, chipped rim (its picture cannot go")
    assert LINK not in note


def test_the_look_is_said_at_the_end_and_on_the_card() -> None:
    made = styled("a mug. ", (), cast={}, look="warm light, film grain")
    assert made == Styled(prompt="a mug. warm light, film grain", notes=("look: warm light, film grain",))
    assert styled("a mug", (), cast=CAST) == Styled(prompt="a mug")


def read(text: str, *kinds: MediaKind) -> object:
    files = tuple(Attachment(id=f"F{number}", name="a", kind=kind) for number, kind in enumerate(kinds, start=1))
    return parse_mention(f"{NAME} {text}", bot_user=BOT, files=files)


def test_the_cast_is_shown_and_changed_by_name() -> None:
    assert read("cast") == CastRequest()
    assert read("cast mug = red “enamel” mug", MediaKind.IMAGE) == CastRequest(
        name="mug", words="red 'enamel' mug", picture="F1"
    )
    assert read("Cast @mug =") == CastRequest(name="mug")
    for kinds in ((MediaKind.VIDEO,), (MediaKind.IMAGE, MediaKind.IMAGE)):
        with pytest.raises(UsageError, match="one attached picture at most"):
            read("cast mug = a mug", *kinds)
    assert not isinstance(read("cast a shadow over the valley"), CastRequest)


def house() -> House:
    every = frozenset(MediaKind)
    can = capabilities(modes=frozenset(Mode), reference_images=4, uploads=every)
    return House(storage=MemoryStorage(), tier=can)


async def notes_and_recipes(home: House) -> list[tuple[tuple[str, ...], str, tuple[str, ...]]]:
    async with home.storage.read() as tx:
        listed = await tx.jobs.listing(state=None, limit=100)
    return [(ask.notes, job.recipe.prompt, tuple(one.url for one in job.recipe.media)) for job, ask in listed]


@pytest.mark.parametrize("permalink", [LINK, "http://127.0.0.1:4001/files/U1/F77/mug.png", None])
async def test_somebody_is_remembered_with_a_picture_used_and_forgotten(permalink: str | None) -> None:
    home = house()
    front = Front(home, access=AccessRules(admins=frozenset({"U1"})))
    mug: dict[str, Any] = {"id": "F77", "name": "mug.png", "mimetype": "image/png", "permalink": permalink}
    await front.say("U2", f"{NAME} cast mug = red mug", files=[mug])
    assert "admin" in front.told[-1].text
    await front.say("U1", f"{NAME} cast mug = red mug, chipped rim", files=[mug])
    await front.say("U2", f"{NAME} cast")
    assert "• `@mug`: red mug, chipped rim, with a picture" in front.told[-1].text
    assert "files/" not in front.told[-1].text

    await front.command("U2", "@mug on a table")
    await front.say("U2", f"{NAME} @mug by the sea --takes 1")
    said, notes = "red mug, chipped rim (@Image1)", ("@mug: red mug, chipped rim", "@Image1: a file in Slack")
    assert sorted(await notes_and_recipes(home)) == [
        (notes, f"{said} by the sea", ("slack:F77",)),
        (notes, f"{said} on a table", ("slack:F77",)),
    ]
    await front.say("U1", f"{NAME} cast mug =")
    await front.say("U2", f"{NAME} cast")
    assert "Nobody is in it yet." in front.told[-1].text


async def test_look_and_cast_reach_what_is_typed_and_not_what_is_inherited() -> None:
    home = house()
    await home.clip()
    front = Front(home, look="film grain", cast={"ann": "a tall woman"})
    await front.reply("U1", f"{NAME} with @ann in it")
    await front.command("U1", "rain")
    found = {prompt: notes for notes, prompt, _ in await notes_and_recipes(home)}
    assert set(found) == {"a red panda", "a red panda. with a tall woman in it", "rain. film grain"}
    assert found["rain. film grain"] == ("look: film grain",)
    assert found["a red panda. with a tall woman in it"][0] == "@ann: a tall woman"


async def test_in_a_thread_of_ours_the_doors_open_and_make_no_variant() -> None:
    home = house()
    await home.clip()
    front = Front(home, access=AccessRules(admins=frozenset({"U1"})))
    for said in ("cast mug = a red mug", "cast", "usage", "settings", "jobs"):
        await front.reply("U1", f"{NAME} {said}")
    assert len(await notes_and_recipes(home)) == 1
    assert len(front.told) == 5
