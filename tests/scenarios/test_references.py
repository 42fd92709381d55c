"""Files that people attach, name and point at, through the real bot into every provider: each clip stands in its thread
as an MP4, and the emulator has fetched the bytes and found them right before it took the order."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.driver import Json
from tests.scenarios.bot import Stage
from tests.scenarios.conftest import HTTP_IN_THE_STORM, MakeStage
from tests.support.files import film, picture, sound
from tests.support.loopback import unused_port

pytestmark = [HTTP_IN_THE_STORM, pytest.mark.timeout(180)]

FIVE = ("hiapi", "apimart", "muapi", "seedanceapi", "empiriolabs")


def settings(port: int) -> dict[str, Any]:
    """All five providers, which can reach the bot; nothing waits for *Confirm*."""
    return {
        "HTTP_PORT": str(port),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "PROVIDERS": ",".join(FIVE),
        "CONFIRM_ABOVE_USD": "100",
    }


class Files:
    """What people have on their devices, made when it is asked for."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder

    def picture(self, name: str, width: int = 640, height: int = 480, **more: Any) -> tuple[str, bytes]:
        return name, picture(self._folder / name, width, height, **more).read_bytes()

    def film(self, name: str, **more: Any) -> tuple[str, bytes]:
        return name, film(self._folder / name, **more).read_bytes()

    def sound(self, name: str, seconds: float) -> tuple[str, bytes]:
        return name, sound(self._folder / name, seconds).read_bytes()


async def stands(play: Stage, prompt: str, *, in_thread: str | None = None, channel: str = "#dailies") -> Json:
    """Wait for the only clip of that prompt; its message, which is in that thread and has an MP4."""
    query = "select message_ts from jobs where state = 'delivered' and message_ts is not null and recipe like ?"
    (row,) = await play.until_rows(query, f"%{prompt}%", timeout=40)
    message = await play.studio.message_where(lambda one: one["ts"] == row["message_ts"], channel=channel)
    content = await play.studio.file(message["files"][0]["id"])
    assert content[4:8] == b"ftyp"
    assert in_thread in {None, message["thread_ts"]}
    return message


async def ordered(play: Stage, provider: str, prompt: str) -> str:
    """What the provider was sent for that prompt: exactly one order, taken once its files were fetched and found
    right."""
    tasks = (await play.studio.get(f"/providers/{provider}/tasks"))["tasks"]
    (task,) = [one for one in tasks if prompt in one["prompt"]]
    return json.dumps(task.get("request", task))


def kept(play: Stage, prompt: str) -> list[Mapping[str, str]]:
    """The files of that prompt's clip: role, kind, and where they lie."""
    (row,) = play.bot.rows("select recipe from jobs where recipe like ? and state = 'delivered'", f"%{prompt}%")
    media: list[Mapping[str, str]] = json.loads(row["recipe"])["media"]
    assert all(one["url"].startswith("stored:") for one in media)
    return media


def roles(media: Sequence[Mapping[str, str]]) -> str:
    return " ".join(f"{one['role']}={one['kind']}" for one in media)


async def test_files_from_slack_reach_every_provider_the_best_way_it_has(tmp_path: Path, stage: MakeStage) -> None:
    port, files = unused_port(), Files(tmp_path / "device")
    async with stage(tmp_path, **settings(port)) as play:
        for name in FIVE:
            await play.studio.post(f"/providers/{name}/settings", render_seconds=[0.2, 0.4])
        studio, name = play.studio, f"<@{await play.person_id('dailies')}>"
        links = f"http://127.0.0.1:{port}/media/"

        # All are asked for at once, as a team would.
        phone = await studio.say(
            "maya", f"{name} waves in the wind --provider hiapi", files=[files.picture("IMG_0001.HEIC")]
        )
        chat = await studio.say("ben", "which of these for the shop?")
        foreign = await studio.say(
            "ben",
            f"{name} slow orbit --provider seedanceapi",
            thread=chat,
            files=[files.picture("mug.png")],
        )
        await studio.say(
            "maya",
            f"{name} morning turns to night --provider apimart",
            files=[files.picture("a.jpeg"), files.picture("b.png", turn=1)],
        )
        await studio.say(
            "ben",
            f"{name} make the sky green --edit --provider empiriolabs",
            files=[files.film("take.mov", seconds=2.5)],
        )
        await studio.say(
            "maya",
            f"{name} she speaks to us --provider muapi",
            files=[files.picture("her.png"), files.sound("voice.m4a", 3)],
        )
        direct = await studio.say("ben", "a mug unfolds", channel="dm", files=[files.picture("logo.png")])
        await studio.slash("maya", "/clip a plain red panda --provider apimart")

        clip = await stands(play, "waves in the wind", in_thread=phone)
        assert foreign != chat
        await stands(play, "slow orbit", in_thread=chat)
        for prompt in ("morning turns to night", "make the sky green", "she speaks to us", "a plain red panda"):
            await stands(play, prompt)
        place = channel_of(await studio.state(), direct)
        await stands(play, "a mug unfolds", in_thread=direct, channel=place)

        await play.card("waves in the wind")
        await studio.message_where(
            lambda one: "IMG_0001.HEIC: HEIC made JPEG" in json.dumps(one.get("blocks")), what="what was mended is said"
        )
        assert roles(kept(play, "waves in the wind")) == "first=image"
        assert roles(kept(play, "morning turns to night")) == "first=image last=image"
        assert roles(kept(play, "make the sky green")) == "edit=video"
        assert roles(kept(play, "she speaks to us")) == "reference=image reference=audio"
        assert links in await ordered(play, "hiapi", "waves in the wind")
        assert links in await ordered(play, "seedanceapi", "slow orbit")
        assert links in await ordered(play, "empiriolabs", "make the sky green")
        assert links not in await ordered(play, "apimart", "morning turns to night")
        assert links not in await ordered(play, "muapi", "she speaks to us")
        see_bytes(play, tmp_path, "waves in the wind", "morning turns to night", "slow orbit", "she speaks to us")
        see_bytes(play, tmp_path, "make the sky green", "a mug unfolds")

        # In threads of ours: a reply's picture, a clip's own frame; and a file by its link.
        permalink = (await studio.thread(chat))[1]["files"][0]["permalink"]
        await studio.say(
            "ben",
            f"{name} wearing this hat",
            thread=await play.card("a plain red panda"),
            files=[files.picture("hat.png")],
        )
        await studio.say("maya", f"{name} #1 then it lands --first #1", thread=clip)
        await studio.slash("maya", f"/clip by its link --first {permalink} --provider hiapi")
        await stands(play, "wearing this hat")
        await stands(play, "then it lands", in_thread=phone)
        await stands(play, "by its link")
        assert roles(kept(play, "wearing this hat")) == "reference=image"
        assert roles(kept(play, "then it lands")) == "first=image"
        (again,) = kept(play, "by its link")
        assert again in kept(play, "slow orbit"), "what was kept is not fetched again"
        see_bytes(play, tmp_path, "wearing this hat", "then it lands", "by its link")

        await somebody_of_the_cast(play, files, tmp_path)

        await play.at_rest()
        charges = [one for each in FIVE for one in (await studio.get(f"/providers/{each}/ledger"))["charges"]]
        assert sorted(one["status"] for one in charges) == ["settled"] * 11
        assert "/media/" not in play.bot.log()
        assert "files-pri" not in play.bot.log()


async def somebody_of_the_cast(play: Stage, files: Files, place: Path) -> None:
    """Its words and its picture come along with the name."""
    app, mug = await play.person_id("dailies"), files.picture("rim.png", width=700)
    await play.studio.say("maya", f"<@{app}> cast mug = red enamel mug, chipped rim", files=[mug])
    await play.until_rows("select 1 from preferences")
    await play.studio.slash("ben", "/clip @mug on a windowsill --provider muapi")
    await stands(play, "red enamel mug, chipped rim (@Image1) on a windowsill")
    assert roles(kept(play, "windowsill")) == "reference=image"
    assert "red enamel mug, chipped rim" in await ordered(play, "muapi", "on a windowsill")
    see_bytes(play, place, "windowsill")


def see_bytes(play: Stage, place: Path, *prompts: str) -> None:
    """The emulators keep what they fetched: these files of ours, each byte for byte."""
    fetched = {path.name.removeprefix("reference-") for path in (place / "sandbox").rglob("reference-*")}
    for prompt in prompts:
        for file in kept(play, prompt):
            (path,) = (play.bot.media / "references").rglob(file["url"].removeprefix("stored:"))
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            assert digest[:32] in fetched, f"{prompt}: {file['role']}"
            assert file["url"].startswith(f"stored:{digest}.")


def channel_of(state: Json, ts: str) -> str:
    """The id of the conversation in which a message stands."""
    return next(str(key) for key, one in state["channels"].items() if any(said["ts"] == ts for said in one["messages"]))
