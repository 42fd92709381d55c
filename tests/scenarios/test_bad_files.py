"""Files that cannot be given: each is refused in words that name it, and nothing is held or charged. What is known at
once is said to the person alone; what only the bytes tell stands on the card."""

import json
from pathlib import Path

import pytest

from tests.sandbox.driver import Json
from tests.scenarios.bot import Stage
from tests.scenarios.conftest import HTTP_IN_THE_STORM, MakeStage
from tests.support.files import film, picture

pytestmark = [HTTP_IN_THE_STORM, pytest.mark.timeout(120)]

NOTHING = {"held_micro_usd": 0, "settled_micro_usd": 0}
PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n"


async def told(play: Stage, person: str, words: str) -> None:
    """Wait for these words, said to that person alone, and that they say what it costs."""
    shown = await play.ephemeral(person, words)
    assert "Nothing was charged." in shown["text"]


async def ended(play: Stage, prompt: str, words: str) -> None:
    """Wait until the card of that prompt says so, and that it failed at no cost."""
    query = "select asks.card_ts from jobs join asks on asks.id = ask_id where state = 'failed' and recipe like ?"
    (row,) = await play.until_rows(query, f"%{prompt}%")

    def says_so(one: Json) -> bool:
        return one["ts"] == row["card_ts"] and words in one["text"]

    card = await play.studio.message_where(says_so, what=f"the card says “{words}”")
    assert "Nothing was charged" in card["text"]


@pytest.mark.row("F17", "F18")
async def test_files_that_cannot_be_given_are_refused_in_words_and_cost_nothing(
    tmp_path: Path, stage: MakeStage
) -> None:
    """APIMart takes pictures by its upload; there is no PUBLIC_URL, so that nothing else can be given to it."""
    mug = picture(tmp_path / "mug.png", 640, 480).read_bytes()
    mouse = picture(tmp_path / "mouse.png", 120, 90).read_bytes()
    take = film(tmp_path / "take.mp4").read_bytes()
    async with stage(tmp_path, PROVIDERS="apimart", PUBLIC_URL="") as play:
        studio, name = play.studio, f"<@{await play.person_id('dailies')}>"

        await studio.say("maya", f"{name} from a brief", files=[("brief.pdf", PDF)])
        await told(play, "maya", "“brief.pdf” is no picture, video or sound. Allowed: a picture (.jpg, .jpeg, .png")

        drive = await studio.post("/file", action="external", user="ben", name="cut.mov", url="https://drive.example/1")
        await studio.post(
            "/message", user="ben", channel="#dailies", text=f"{name} from a drive", files=[drive["file"]]
        )
        await told(play, "ben", "cut.mov only stands in Slack as a link and lies elsewhere. Download it and attach")

        await studio.say("maya", f"{name} from all of these", files=[(f"{n}.png", mug) for n in range(13)])
        await told(play, "maya", "13 files are attached. Allowed: at most 12 files in one ask.")

        await studio.say("maya", f"{name} beside @Image3", files=[("a.png", mug), ("b.png", mug)])
        await told(play, "maya", "“@Image3” names a file that was not given: this ask has @Image1, @Image2.")

        await studio.say("maya", f"{name} change the sky --edit", files=[("a.png", mug)])
        await told(
            play, "maya", "“--edit” needs a value after it. Allowed: an https link to a video or its link in Slack"
        )

        await studio.say("ben", f"{name} change the sea --edit", files=[("take.mp4", take)])
        await told(play, "ben", "it has no way to be given a video by this installation")

        said = await studio.slash("ben", "/clip go on --first #1")
        assert (
            "#1 names a clip of a thread, and this was not said in one. Nothing was charged." in said["payload"]["text"]
        )

        await studio.say("maya", f"{name} a mouse", files=[("mouse.png", mouse)])
        await studio.say("maya", f"{name} a page", files=[("page.png", b"<!doctype html><html><body>Hi</body></html>")])

        # The app is in there, and so is Ben; Maya is not.
        members = ["ben", "dailies"]
        secret = await studio.post("/channel", action="create", name="board", private=True, members=members)
        ts = await studio.say("ben", "for the board", channel=secret["channel"], files=[("plan.png", mug)])
        ((hidden,),) = [one["files"] for one in await studio.messages(channel=secret["channel"]) if one["ts"] == ts]
        await studio.slash("maya", f"/clip a plan --first {hidden['permalink']}")

        gone = await studio.say("maya", "look", files=[("gone.png", mug)])
        ((file,),) = [one["files"] for one in await studio.messages() if one["ts"] == gone]
        await studio.post("/file", action="delete", file=file["id"])
        await studio.slash("maya", f"/clip a ghost --first {file['permalink']}")

        await studio.say("maya", f"{name} thank you", files=[("a.png", mug)])
        await studio.say("maya", "just look", files=[("a.png", mug)])
        await play.ephemeral("maya", "*Dailies makes short AI video.*")
        await ended(play, "a mouse", "mouse.png is 120×90 pixels")
        await ended(play, "a page", "page.png is a web page")
        await ended(play, "a plan", "Slack does not let Dailies read the file.")
        await ended(play, "a ghost", "was deleted from Slack. Attach it again.")
        await play.at_rest()
        assert not [one for one in await studio.messages() if "plan.png" in json.dumps(one)], "nor is its name told"
        assert (await studio.get("/providers/apimart/ledger"))["charges"] == []
        assert (await studio.get("/providers/apimart/requests")).get("create", 0) == 0
        assert {key: play.sums()[key] for key in NOTHING} == NOTHING
        assert len(play.bot.rows("select 1 from jobs")) == 4
