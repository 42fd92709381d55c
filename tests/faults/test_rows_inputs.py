"""Rows F16 to F20 of the fault matrix, as far as they are not played elsewhere: files that people give, on their way to
the provider. `docs/fault-matrix.md` says which test plays which row."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest

from tests.faults.conftest import RigOf
from tests.faults.rig import Rig
from tests.sandbox.driver import Json
from tests.support.files import picture, png_header
from tests.support.history import Card

pytestmark = pytest.mark.timeout(180)

row, storm = pytest.mark.row, pytest.mark.storm


async def show(rig: Rig, name: str, content: bytes, *, channel: str = "#dailies") -> Json:
    """A file that Ben shows, as Slack describes it."""
    ts = await rig.studio.say("ben", "look", channel=channel, files=[(name, content)])
    (message,) = [one for one in await rig.studio.messages(channel=channel) if one["ts"] == ts]
    found: Json = message["files"][0]
    return found


async def ask_with(rig: Rig, word: str, permalink: str) -> None:
    """``/clip`` that begins with that file; its prompt has the word."""
    await rig.accepted(f"{word} --first {permalink}")


async def refused(rig: Rig, words: Mapping[str, str]) -> None:
    """The ask with each word ends with these words; nothing was ordered, and nothing is held."""
    for word, why in words.items():
        prompt = f"{rig.marker} {word}"
        card = await rig.card_where(partial(_is_over, prompt), within=40, what=f"the card of {prompt} has ended")
        assert set(card.rows.values()) == {"failed"}, card.text
        assert why in card.text, card.text
        assert "Nothing was charged" in card.text
    await rig.books_balance(await rig.check(clips=0, asks=len(words)))


def _is_over(prompt: str, card: Card) -> bool:
    return prompt in card.text and card.ended


@row("F16")
async def test_f16_a_login_page_for_a_file_is_no_access_and_no_order(rig_of: RigOf, tmp_path: Path) -> None:
    """With status 200, as Slack answers who lost a scope or the whole token."""
    rig = await rig_of("apimart")
    orders = await rig.posts()
    mug = await show(rig, "mug.png", picture(tmp_path / "mug.png", 640, 480).read_bytes())
    await rig.arm("slack:download", "before", "html")
    await rig.start()
    await ask_with(rig, "login", mug["permalink"])
    await refused(rig, {"login": "Slack does not let Dailies read mug.png."})
    assert await rig.fired() == 1
    assert await rig.posts() == orders


@row("F17")
@storm
async def test_f17_a_file_that_is_gone_or_out_of_reach_is_refused_in_words(rig_of: RigOf, tmp_path: Path) -> None:
    """Deleted before the ask, hidden by the plan's limit, in a channel without the bot, and deleted between the look at
    it and its bytes."""
    rig = await rig_of("apimart")
    orders = await rig.posts()
    content = picture(tmp_path / "mug.png", 640, 480).read_bytes()
    files = {
        word: await show(rig, f"{word}.png", content, channel="#lobby" if word == "lobby" else "#dailies")
        for word in ("deleted", "hidden", "lobby", "late")
    }
    await rig.studio.post("/file", action="delete", file=files["deleted"]["id"])
    await rig.studio.post("/file", action="hide", file=files["hidden"]["id"])
    await rig.arm("slack:download", "before", "status", status=404, match={"path": files["late"]["id"]})
    await rig.start()
    for word, file in files.items():
        await ask_with(rig, word, file["permalink"])
    await refused(
        rig,
        {
            "deleted": "was deleted from Slack. Attach it again.",
            "hidden": "The file is behind the limit of this workspace's Slack plan.",
            "lobby": "Slack does not let Dailies read the file.",
            "late": "late.png was deleted from Slack.",
        },
    )
    assert await rig.fired() == 1
    assert await rig.posts() == orders


@row("F18")
@storm
async def test_f18_what_is_no_usable_file_is_refused_before_anything_is_ordered(rig_of: RigOf, tmp_path: Path) -> None:
    """Cut in half, too large, another kind of file than its name says, and a few bytes that claim to be a wall of
    pixels. Nothing of them stays."""
    rig = await rig_of("apimart")
    orders = await rig.posts()
    whole = picture(tmp_path / "whole.png", 640, 480, noise=True).read_bytes()
    contents = {
        "cut": ("cut.png", whole[: len(whole) // 2]),
        "film": ("film.png", b"\x00\x00\x00\x18ftypisom" + bytes(5_000)),
        "program": ("program.png", b"\x7fELF\x02\x01\x01" + bytes(5_000)),
        "wall": ("wall.png", png_header(tmp_path / "wall.png", 60_000, 60_000).read_bytes()),
        "large": ("large.png", whole + bytes(120_000_000)),
    }
    files = {word: await show(rig, name, content) for word, (name, content) in contents.items()}
    await rig.start()
    for word, file in files.items():
        await ask_with(rig, word, file["permalink"])
    await refused(rig, {word: name for word, (name, _) in contents.items()})
    assert await rig.posts() == orders
    assert [one for one in rig.bot.media.rglob("*") if one.is_file()] == []


@row("F20")
@storm
@pytest.mark.parametrize("status", [429, 503])
async def test_f20_uploads_that_never_go_through_end_in_words_and_free(
    rig_of: RigOf, tmp_path: Path, status: int
) -> None:
    """The provider asks to come again so soon that all tries are over in seconds."""
    rig = await rig_of("apimart")
    orders, uploads = await rig.posts(), (await rig.requests()).get("upload", 0)
    mug = await show(rig, "mug.png", picture(tmp_path / "mug.png", 640, 480).read_bytes())
    await rig.arm("apimart:upload", "before", "status", status=status, headers={"Retry-After": "0.2"}, times=-1)
    await rig.start()
    await ask_with(rig, "upload", mug["permalink"])
    await refused(rig, {"upload": "did not take its file in 10 tries"})
    assert (await rig.requests())["upload"] - uploads == 10
    assert await rig.posts() == orders
