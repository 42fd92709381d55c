"""The bare door: what becomes of a message that names us or is said to us alone, and of the files beside it."""

import re
from typing import Any

import pytest

from bot.domain.job import Ask, Door, Gate, Job, State, WaitReason
from bot.domain.preference_keys import Replies
from bot.domain.recipe import MediaKind, MediaRole, Medium, Mode
from bot.ports import FetchError, FileUnavailable, SourceFile, Unavailable
from handlers.blocks.answers import answer
from handlers.grammar import Attachment, CastRequest, ClipRequest, Help, parse_mention
from storage import MemoryStorage
from tests.support.doors import BOT, Front
from tests.support.services import DRAFT, ROOT, House
from tests.support.slack_files import ToldFiles
from tests.support.values import capabilities

NAME = f"<@{BOT}>"
LINK = "https://team.slack.com/files/U1/F9"
ALL_KINDS = frozenset(MediaKind)


def house() -> House:
    """With a provider that takes files by its upload."""
    return House(
        storage=MemoryStorage(),
        tier=capabilities(modes=frozenset(Mode), reference_images=4, reference_videos=2, uploads=ALL_KINDS),
    )


def beside(file_id: str = "F1", name: str = "panda.png", mimetype: str = "image/png", **more: Any) -> dict[str, Any]:
    """A file as a message has it."""
    return {"id": file_id, "name": name, "mimetype": mimetype, "mode": "hosted", "file_access": "visible", **more}


def found(file_id: str, name: str, kind: MediaKind | None) -> SourceFile:
    """A file as ``files.info`` has it."""
    return SourceFile(id=file_id, name=name, kind=kind, size=None, url="https://files.slack.com/x")


async def asked(home: House) -> list[tuple[Job, Ask]]:
    """Every clip that was asked for."""
    async with home.storage.read() as tx:
        return list(await tx.jobs.listing(state=None, limit=100))


async def test_a_picture_and_a_prompt_become_a_draft_below_the_message() -> None:
    home = house()
    files = ToldFiles()
    front = Front(home, files=files)
    ts = await front.say("U1", f"{NAME} make it move --ratio 9:16", files=[beside()])
    ((job, ask),) = await asked(home)
    assert (ask.door, ask.root_ts, ask.text, ask.gate) == (Door.MENTION, ts, "make it move", Gate.UNDO)
    assert job.wait_reason is WaitReason.UNDO_WINDOW
    assert [(one.role.value, one.url) for one in job.recipe.media] == [("first", "slack:F1")]
    assert (await home.held(), front.told, files.asked) == ([], [], []), "it might be chat: nothing is held yet"


async def test_the_same_message_told_twice_is_one_ask() -> None:
    home = house()
    front = Front(home)
    for _ in range(3):
        await front.say("U1", f"{NAME} a red panda --takes 2 --provider hiapi", ts="9.1", thread_ts="5.0")
    assert len(await asked(home)) == 2
    assert front.told == []


async def test_a_reply_told_again_is_not_taken_for_one_about_its_own_clip() -> None:
    home = house()
    await home.clip()
    front = Front(home)
    for _ in range(2):
        await front.reply("U1", "9:16", ts="9.1")
    assert len(await asked(home)) == 2
    assert front.told == []


async def test_in_another_thread_clips_come_into_that_thread() -> None:
    home = house()
    front = Front(home)
    await front.say("U1", f"{NAME} a red panda", thread_ts="5.0")
    ((_, ask),) = await asked(home)
    assert ask.root_ts == "5.0"


async def test_what_does_not_name_us_is_not_even_read() -> None:
    home, files = house(), ToldFiles()
    front = Front(home, files=files)
    unknown = beside(mimetype="", file_access="check_file_info")
    await front.say("U1", "a red panda", files=[unknown], subtype="file_share")
    await front.say("U1", "a red panda", files=[unknown], subtype="file_share", thread_ts="5.0")
    assert (await asked(home), front.told, files.asked) == ([], [], [])


async def test_an_edit_asks_for_nothing() -> None:
    home = house()
    front = Front(home)
    await front.say("U1", f"{NAME} a red panda", subtype="message_changed", edited={"user": "U1", "ts": "7.0"})
    await front.say("U1", "a red panda", direct=True, subtype="message_changed")
    await front.say("U1", f"{NAME} a red panda", bot_id="B9")
    assert (await asked(home), front.told) == ([], [])


async def test_a_direct_message_needs_no_name_and_chat_in_it_gets_help() -> None:
    home = house()
    front = Front(home)
    await front.say("U1", "thanks!", channel="D1", direct=True)
    await front.say("U1", "what can you do?", channel="D1", direct=True)
    assert [told.text.startswith("*Dailies makes short AI video.*") for told in front.told] == [True, True]
    assert await asked(home) == []
    ts = await front.say("U1", "a red panda", channel="D1", direct=True, subtype="file_share", files=[beside()])
    ((job, ask),) = await asked(home)
    assert (ask.root_ts, ask.text, len(job.recipe.media)) == (ts, "a red panda", 1)
    await front.say("U1", "same but at night", channel="D1", direct=True, thread_ts=ts)
    assert len(await asked(home)) == 2, "in a thread of ours it is a reply, and named without the name"


async def test_an_estimate_is_told_alone_and_makes_nothing() -> None:
    home = house()
    front = Front(home)
    await front.say("U1", f"{NAME} a red panda --estimate")
    assert await asked(home) == []
    ((text),) = [told.text for told in front.told]
    assert "$0.32" in text
    assert DRAFT == 320_000


async def test_the_other_doors_open_by_name_too() -> None:
    front = Front(house())
    await front.say("U1", f"{NAME} usage")
    await front.say("U1", f"{NAME} settings")
    await front.say("U1", f"{NAME} usage 2026-99")
    assert len(front.told) == 3
    assert "no month" in front.told[2].text


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        (beside(mimetype="", filetype="", name="IMG_1.HEIC"), None),
        (beside(mimetype="video/mp4", name="a.mp4"), None),
        (beside(mimetype="", filetype="", name="a"), MediaKind.IMAGE),
        ({"id": "F1", "mode": "file_access", "file_access": "check_file_info"}, MediaKind.VIDEO),
        ({"id": "F1", "mode": "file_access", "file_access": "check_file_info"}, None),
    ],
)
async def test_slack_is_asked_about_files_of_which_the_message_says_too_little(
    told: dict[str, Any], kind: MediaKind | None
) -> None:
    home = house()
    files = ToldFiles({"F1": found("F1", "a", kind)})
    await Front(home, files=files).say("U1", f"{NAME} a red panda", files=[told])
    ((job, _),) = await asked(home)
    sure = bool(told.get("mimetype") or str(told.get("name")).endswith(".HEIC"))
    assert files.asked == ([] if sure else ["F1"])
    (medium,) = job.recipe.media
    expected = MediaKind.VIDEO if kind is MediaKind.VIDEO or told.get("mimetype") == "video/mp4" else MediaKind.IMAGE
    assert medium.kind is expected


@pytest.mark.parametrize(
    ("told", "known", "words"),
    [
        (
            beside(name="brief.pdf", mimetype="application/pdf"),
            found("F1", "brief.pdf", None),
            "“brief.pdf” is no picture, video or sound. Allowed: a picture (.jpg, .jpeg, .png",
        ),
        (
            beside(mode="external", is_external=True),
            FileUnavailable(Unavailable.EXTERNAL, name="panda.png"),
            "panda.png only stands in Slack as a link and lies elsewhere. Download it and attach the file itself.",
        ),
        (
            {"id": "F1", "mode": "tombstone"},
            FileUnavailable(Unavailable.GONE, name=""),
            "The file was deleted from Slack. Attach it again.",
        ),
        (
            {"id": "F1", "mode": "hidden_by_limit"},
            FileUnavailable(Unavailable.HIDDEN, name=""),
            "The file is behind the limit of this workspace's Slack plan.",
        ),
        (
            beside(file_access="access_denied"),
            FileUnavailable(Unavailable.NO_ACCESS, name="panda.png"),
            "Slack does not let Dailies read panda.png. Attach it where Dailies is, or invite Dailies there",
        ),
        (beside(mimetype="", name="a"), FetchError("Slack is away.", "Try again later."), "Slack is away. Try again"),
    ],
)
@pytest.mark.parametrize("ours", [False, True])
async def test_a_file_that_cannot_be_had_is_refused_in_words(
    told: dict[str, Any], known: SourceFile | Exception, words: str, ours: bool
) -> None:
    home = house()
    if ours:
        await home.clip()
    before = await home.as_it_is()
    files = ToldFiles({"F1": known})
    front = Front(home, files=files)
    for _ in range(2):
        await front.say("U1", f"{NAME} a red panda", files=[told], ts="9.1", thread_ts=ROOT if ours else None)
    (said,) = [one.text for one in front.told]
    assert said.startswith(words)
    assert "Nothing was charged." in said
    assert await home.as_it_is() == before


async def test_nothing_is_asked_of_slack_for_chat_or_for_too_many_files() -> None:
    home, files = house(), ToldFiles()
    await home.clip()
    front = Front(home, files=files)
    unknown = [beside(f"F{number}", mimetype="", name="a") for number in range(13)]
    await front.say("U1", f"{NAME} thank you!", files=unknown[:2])
    await front.reply("U1", "look at this", files=unknown[:2], subtype="file_share")
    await front.say("U1", f"{NAME} a red panda", files=unknown)
    assert files.asked == []
    assert front.told[-1].text.startswith("13 files are attached. Allowed: at most 12 files in one ask.")


@pytest.mark.parametrize("files", ["F1", {"id": "F1"}, [None, 3, {}, {"id": 7}, {"id": ""}]])
async def test_files_of_another_shape_than_slacks_are_none(files: object) -> None:
    home = house()
    await Front(home).say("U1", f"{NAME} a red panda", files=files)
    ((job, _),) = await asked(home)
    assert job.recipe.media == ()


async def test_attachments_of_a_reply_are_references_of_the_variant() -> None:
    home = house()
    await home.clip()
    front = Front(home)
    await front.reply("U1", "#1 9:16", subtype="file_share", files=[beside("F2")])
    await front.reply("U1", f"{NAME} #1 start here --first", subtype="file_share", files=[beside("F3")])
    media = [tuple((one.role.value, one.url) for one in job.recipe.media) for job, _ in await asked(home)]
    assert sorted(media) == [(), (("first", "slack:F3"),), (("reference", "slack:F2"),)]
    assert front.told == []


async def test_a_reply_to_a_framed_clip_makes_references_and_the_card_says_so() -> None:
    home = house()
    await home.clip(media=(Medium(role=MediaRole.FIRST, kind=MediaKind.IMAGE, url="stored:0123.png"),))
    front = Front(home)
    await front.reply("U1", f"{NAME} wearing this hat", files=[beside("F2", "hat.png")])
    job, ask = next(one for one in await asked(home) if one[0].number == 2)
    assert [(one.role.value, one.url) for one in job.recipe.media] == [
        ("reference", "stored:0123.png"),
        ("reference", "slack:F2"),
    ]
    assert ask.notes[:2] == (
        "@Image1: as before · @Image2: hat.png",
        "The clip was made from: first frame. It is a reference now (@Image1), since references do not go with it.",
    )


async def test_the_card_names_the_files_that_were_given() -> None:
    home = house()
    front = Front(home, files=ToldFiles({"F2": found("F2", "end.png", MediaKind.IMAGE)}))
    unknown = {"id": "F2", "mode": "file_access", "file_access": "check_file_info"}
    await front.say("U1", f"{NAME} morning to night", files=[beside("F1", "mug.png"), unknown])
    await front.command("U1", "a mug --first https://x.example/secret/a.png?sig=SECRET")
    await front.command("U1", f"a cup --ref {LINK.replace('F9', 'F2')}/x.png --ref {LINK}/private.png")
    assert {ask.text: ask.notes for _, ask in await asked(home)} == {
        "morning to night": ("first frame: mug.png · last frame: end.png",),
        "a mug": ("first frame: a link to x.example",),
        "a cup": ("@Image1: end.png · @Image2: a file in Slack",),
    }


@pytest.mark.parametrize("text", ["promote #1", f"{NAME} promote #1"])
async def test_a_file_beside_promote_is_not_dropped(text: str) -> None:
    home = house()
    await home.clip()
    before = await home.as_it_is()
    front = Front(home)
    await front.reply("U1", text, files=[beside()])
    assert front.told[-1].text.startswith("A file is attached to a promotion")
    assert await home.as_it_is() == before


@pytest.mark.parametrize("door", ["mention", "reply", "command"])
@pytest.mark.parametrize(
    ("option", "told", "made"),
    [
        (f"--ref {LINK}/scan", found("F9", "scan", MediaKind.IMAGE), ("reference", MediaKind.IMAGE)),
        (f"--ref {LINK}/scan", found("F9", "scan", MediaKind.VIDEO), ("reference", MediaKind.VIDEO)),
        (f"--ref {LINK}/a.png", found("F9", "a.png", MediaKind.VIDEO), ("reference", MediaKind.VIDEO)),
        (f"--ref {LINK}/scan", found("F9", "scan", None), ("reference", MediaKind.IMAGE)),
        (f"--ref {LINK}/scan", FetchError("Slack is away.", ""), ("reference", MediaKind.IMAGE)),
        (f"--first {LINK}/scan", found("F9", "scan", MediaKind.IMAGE), ("first", MediaKind.IMAGE)),
        (f"--first {LINK}/a.pdf", found("F9", "a.pdf", None), None),
        (f"--first {LINK}/a", found("F9", "a.mp4", MediaKind.VIDEO), None),
    ],
)
async def test_slack_is_asked_what_a_file_is_that_is_given_by_its_link(
    door: str, option: str, told: SourceFile | Exception, made: tuple[str, MediaKind] | None
) -> None:
    home, files = house(), ToldFiles({"F9": told})
    await home.clip()
    before, front = await home.as_it_is(), Front(home, files=files)
    match door:
        case "mention":
            await front.say("U1", f"{NAME} a red panda {option}")
        case "reply":
            await front.reply("U1", f"{NAME} #1 at night {option}")
        case _:
            await front.command("U1", f"a red panda {option}")
    if made is None:
        assert "is no" in front.told[-1].text
        assert "Nothing was charged." in front.told[-1].text
        assert await home.as_it_is() == before
        return
    job, _ = next(one for one in await asked(home) if one[0].recipe.media)
    assert [(one.role.value, one.kind) for one in job.recipe.media] == [made]


async def test_a_variant_is_made_by_whom_the_reply_or_the_clips_own_ask_names() -> None:
    home = house()
    job = await home.clip()
    front = Front(home)
    await front.reply("U1", "#1 9:16 --provider muapi")
    assert "There is no provider “muapi” here" in front.told[-1].text
    await front.reply("U1", "#1 --provider hiapi")
    assert "is like that already" in front.told[-1].text
    await front.reply("U1", "#1 9:16")
    await home.moved(job, named=True)
    await front.reply("U1", "#1 1:1")
    await front.reply("U1", "#2 1:1 --provider hiapi")
    named = {one.number: one.named for one, _ in await asked(home)}
    assert named == {1: True, 2: False, 3: True, 4: True}


async def test_a_name_like_ours_is_somebody_elses() -> None:
    home = house()
    await home.clip()
    front = Front(home, replies=Replies.MENTION)
    await front.reply("U1", f"#1 --no <@{BOT}2>")
    assert len(await asked(home)) == 1


async def test_where_no_clip_came_about_a_reply_to_us_asks_anew() -> None:
    """Of the first file nothing could be made; the next one is given in the same thread."""
    home = house()
    taken = await home.draft()
    await home.moved(taken.jobs[0], state=State.FAILED)
    front = Front(home)
    await front.reply("U1", "9:16")
    assert "No clip of this thread came about" in front.told[-1].text
    await front.reply("U1", f"{NAME} a red panda", subtype="file_share", files=[beside("F2")])
    job, ask = next(one for one in await asked(home) if one[0].number == 2)
    assert (ask.door, ask.root_ts, job.recipe.prompt) == (Door.MENTION, ROOT, "a red panda")
    assert [(one.role.value, one.url) for one in job.recipe.media] == [("first", "slack:F2")]


async def test_where_replies_are_off_a_mention_elsewhere_still_asks() -> None:
    home = house()
    await home.clip()
    front = Front(home, replies=Replies.OFF)
    await front.reply("U1", f"{NAME} #1 9:16")
    assert len(await asked(home)) == 1
    await front.say("U1", f"{NAME} a red panda", thread_ts="5.0")
    assert len(await asked(home)) == 2


def test_help_shows_only_mentions_that_work() -> None:
    shown = re.findall(r"`@Dailies ([^`]+)`", answer(Help()).text)
    assert {"make it move", "cast"} < set(shown)
    picture = Attachment(id="F1", name="a.png", kind=MediaKind.IMAGE)
    for line in shown:
        files = () if line == "cast" else (picture,)
        read = parse_mention(f"{NAME} {line}", bot_user=BOT, files=files)
        assert isinstance(read, (ClipRequest, CastRequest)), line
