"""What a reply in a thread of clips means; whenever in doubt it is chat, which costs nothing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.lineage import Changes
from bot.domain.recipe import MediaKind, MediaRole, Medium, Ratio, Resolution
from handlers.grammar import Reply, ReplyKind, UsageError, parse_reply

BOT = "UBOT"
NAME = f"<@{BOT}>"


def read(text: str) -> Reply:
    return parse_reply(text, bot_user=BOT)


def refused(text: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read(text)
    return caught.value


TALL = Changes(ratio=Ratio.TALL)
PICTURE = Medium(role=MediaRole.REFERENCE, kind=MediaKind.IMAGE, url="https://x.example/a.png")
LAST = Medium(role=MediaRole.LAST, kind=MediaKind.IMAGE, url="https://x.example/b")

SETTINGS = [
    ("9:16", None, TALL),
    ("#2 9:16", 2, TALL),
    ("#2: 9:16", 2, TALL),
    ("#2, 9:16", 2, TALL),
    ("  #12   720p ", 12, Changes(resolution=Resolution.P720)),
    ("720P", None, Changes(resolution=Resolution.P720)),
    ("8s", None, Changes(seconds=8)),
    ("x3", None, Changes(takes=3)),
    ("X2", None, Changes(takes=2)),
    ("no audio", None, Changes(audio=False)),
    ("No sound.", None, Changes(audio=False)),
    ("audio off", None, Changes(audio=False)),
    ("audio on", None, Changes(audio=True)),
    ("seed 7", None, Changes(seed=7)),
    ("9:16, 8s, no audio", None, Changes(ratio=Ratio.TALL, seconds=8, audio=False)),
    ("9:16,8s,x2", None, Changes(ratio=Ratio.TALL, seconds=8, takes=2)),
    ("9:16; 720p", None, Changes(ratio=Ratio.TALL, resolution=Resolution.P720)),
    ("#3 9:16\n8s", 3, Changes(ratio=Ratio.TALL, seconds=8)),
    ("--dur 8", None, Changes(seconds=8)),
    ("—dur 8", None, Changes(seconds=8)),
    ("#2 --dur auto --hq", 2, Changes(automatic_seconds=True, high_bitrate=True)),
    ("#2 --no people, cars", 2, Changes(negative="people, cars")),
    ("#2 —no people", 2, Changes(negative="people")),
    ("--no people 720p --hq", None, Changes(negative="people 720p", high_bitrate=True)),
    ("#2 --ratio 9:16 9:16", 2, TALL),
    ("#2 --ratio 3:2 x2", 2, Changes(ratio=Ratio.PHOTO, takes=2)),
    ("\u200b#2\u00a09:16", 2, TALL),
    ("#2 --ref <https://x.example/a.png> 9:16", 2, Changes(ratio=Ratio.TALL, media=(PICTURE,), anew=True)),
    ("#2 --last https://x.example/b", 2, Changes(media=(LAST,))),
    ("#2 --first #3", 2, Changes(media=(Medium(role=MediaRole.FIRST, kind=MediaKind.IMAGE, url="clip:#3"),))),
    ("--extend #3", None, Changes(media=(Medium(role=MediaRole.EXTEND, kind=MediaKind.VIDEO, url="clip:#3"),))),
]


@pytest.mark.parametrize(("text", "number", "changes"), SETTINGS)
def test_a_reply_that_is_wholly_settings_is_a_variant(text: str, number: int | None, changes: Changes) -> None:
    assert read(text) == Reply(number=number, changes=changes, kind=ReplyKind.SETTINGS)


CHAT = [
    *("", " ", "+1", "-1", "8", "x", "nice", "lol", "ok", "9-5", "9–5", "#2", "#2!", "#2 is the winner", "#2 👍"),
    *("#2 promote", "promote", "promote 2", "promote #2 please?", "let's promote #2", "in 30s", "30s", "4k", "10:30"),
    *("back in 8s", "9:16 is too narrow", "#2 9:16 looks great", "I like 720p", "#1 and #2", "#2 vs #3 9:16"),
    *("1. this\n2. that", "- 9:16\n- 720p", "• one", "3x", "8 seconds", "seed", "seed the idea", "audio", "no"),
    *(
        "no audio glitches please",
        "—no way",
        "--no way",
        "—takes off",
        "—first things first",
        "--force",
        "--force push",
    ),
    *("<@U2> 9:16", "<#C2|2> 9:16", "<https://x.y|9:16>", "#abc", "#2nd", "# 2 9:16", "2 9:16", "`--dur 8`", "*9:16*"),
    *("yes — 8s", "auto", "adaptive", "16:9 or 9:16?", "thanks", "help", "@Dailies 9:16", ":rocket:", "?", "--", "—"),
    *("#2 --dur 8 please", "at 9:16", "9 : 16", "720", "x99", "seed 99999999999", "<!channel> 9:16", "99:99"),
]


@pytest.mark.parametrize("text", CHAT)
def test_anything_else_is_chat(text: str) -> None:
    assert read(text) == Reply(number=None, changes=Changes(), kind=ReplyKind.CHAT)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("promote #2", 2),
        ("Promote #12 ", 12),
        (f"{NAME} promote #2", 2),
        (f"{NAME} promote 2", 2),
        (f"{NAME} #2 promote", 2),
        (f"{NAME} please promote clip #2!", 2),
        (f"{NAME} #2 promote #2 please", 2),
        (f"promote #2 {NAME}", 2),
        (f"<@{BOT}|dailies>: promote #3", 3),
    ],
)
def test_a_promotion_names_its_clip(text: str, number: int) -> None:
    assert read(text) == Reply(number=number, changes=Changes(), kind=ReplyKind.PROMOTE)


@pytest.mark.parametrize(
    "text",
    [
        *("{}", "{} ", "{}!", "{} thanks", "Thank you {}!", "hi {}", "{} help", "{} ok, great", "{} :tada:", "{} 👍"),
        *(
            "{} +1",
            "{} x",
            "{} 8",
            "{} what can you do?",
            "{} how do I get a taller one?",
            "{} love it",
            "{} good morning",
        ),
        *("{} #2 is the winner", "{} #2", "{} #2 looks great", "{} ...", "{} wow, so cool :fire:"),
    ],
)
def test_a_mention_with_nothing_to_make_gets_help(text: str) -> None:
    reply = read(text.format(NAME))
    assert reply.kind is ReplyKind.HELP
    assert reply.changes.empty


@pytest.mark.parametrize(
    ("text", "number", "changes"),
    [
        ("{} 9:16", None, TALL),
        ("9:16 {}", None, TALL),
        ("{} #2 9:16", 2, TALL),
        ("#2 {} 9:16", 2, TALL),
        ("{} make it 9:16 please", None, TALL),
        ("{} make it 8s and 9:16", None, Changes(seconds=8, ratio=Ratio.TALL)),
        ("{} same but in 720p.", None, Changes(resolution=Resolution.P720)),
        ("{} same but at night", None, Changes(direction="same but at night")),
        ("{}, same but at night", None, Changes(direction="same but at night")),
        ("{} #3 more steam, 9:16", 3, Changes(ratio=Ratio.TALL, direction="more steam")),
        ("{} #3 at night --no people", 3, Changes(direction="at night", negative="people")),
        ("{} a sunset at 10:30", None, Changes(direction="a sunset at 10:30")),
        ("{} a sunset at 10:30, 9:16", None, Changes(ratio=Ratio.TALL, direction="a sunset at 10:30")),
        (
            "{} fade out within 30s of dusk, 720p",
            None,
            Changes(resolution=Resolution.P720, direction="fade out within 30s of dusk"),
        ),
        ("{} no sound of traffic", None, Changes(direction="no sound of traffic")),
        ("{} dim at 10:30, no sound", None, Changes(audio=False, direction="dim at 10:30")),
        ("{} slower, no sound", None, Changes(audio=False, direction="slower")),
        ("{} can you make it at night?", None, Changes(direction="can you make it at night?")),
        ("{} like #3 but blue", 3, Changes(direction="like but blue")),
        ("{} --dur 8", None, Changes(seconds=8)),
        ("{} —dur 8 dusk", None, Changes(seconds=8, direction="dusk")),
        ("{} ask &lt;@bob&gt; &amp; <@U2|eve>", None, Changes(direction="ask <@bob> & @eve")),
        ("{} x3", None, Changes(takes=3)),
        ("{} let @Image1 dance", None, Changes(direction="let @Image1 dance")),
        (
            "{} #2 let @Image1 dance --ref <https://x.example/a.png|a.png>",
            2,
            Changes(direction="let @Image1 dance", media=(PICTURE,), anew=True),
        ),
        (
            "{} --first https://x.example/#4 at night",
            None,
            Changes(
                direction="at night",
                media=(Medium(role=MediaRole.FIRST, kind=MediaKind.IMAGE, url="https://x.example/#4"),),
            ),
        ),
    ],
)
def test_a_mention_with_something_to_make_is_a_variant(text: str, number: int | None, changes: Changes) -> None:
    assert read(text.format(NAME)) == Reply(number=number, changes=changes, kind=ReplyKind.NAMED)


BAD = [
    ("#2 30s", "30s", "from 4 to 15"),
    ("#2 3s", "3s", "from 4 to 15"),
    ("#2 5:4", "5:4", "16:9"),
    ("#2 10:30", "10:30", "9:16"),
    ("#2 999p", "999p", "720p"),
    ("#2 x9", "x9", "from 1 to 8"),
    ("#2 x0", "x0", "from 1 to 8"),
    ("#2 seed 99999999999", "seed 99999999999", "from 0 to"),
    ("720p 30s", "30s", "from 4 to 15"),
    ("--dur 30", "30", "from 4 to 15"),
    ("#2 --dur", "--dur", "from 4 to 15"),
    ("#2 --duration 8", "--duration", "--dur"),
    ("#2 --loop", "--loop", ""),
    ("#2 720p 480p", "720p", "one of the two"),
    ("#2 720p --res 480p", "720p", "one of the two"),
    ("#2 --estimate", "--estimate", ""),
    ("#2 --final", "--final", ""),
    (f"{NAME} make it 30s", "30s", "from 4 to 15"),
    (f"{NAME} 5:4", "5:4", "16:9"),
    (f"{NAME} --dur 30 at night", "30", "from 4 to 15"),
    (f"{NAME} at night --wat", "--wat", "--takes"),
    (f"{NAME} mix #1 and #2", "#1, #2", "one clip's number"),
    (f"{NAME} #1 promote #2", "#1, #2", "one clip's number"),
    (f"{NAME} promote", "promote", "number of a clip"),
    (f"{NAME} use @Image2 --ref https://x.example/a.png", "@Image2", ""),
    ("#2 --first", "--first", "an attached file"),
    (f"{NAME} --ref", "--ref", "an attached file"),
    ("#2 --first cat.png", "cat.png", "an https link to a picture"),
    (f"{NAME} in {{red, blue}}", "{red, blue}", ""),
    (f"{NAME} {'x' * 20_001}", "xxx", "20,000"),
]


@pytest.mark.parametrize(
    ("text", "provider"),
    [
        ("#2 --provider muapi", "muapi"),
        (f"{NAME} at night --provider MuAPI", "muapi"),
        ("#2 9:16 --provider auto", "auto"),
        ("#2 9:16", None),
    ],
)
def test_a_reply_may_name_who_makes_the_variant(text: str, provider: str | None) -> None:
    assert read(text).provider == provider


@pytest.mark.parametrize(("text", "offending", "allowed"), BAD)
def test_a_mistake_that_cannot_be_chat_is_answered(text: str, offending: str, allowed: str) -> None:
    error = refused(text)
    assert offending in error.wrong
    assert allowed in error.allowed
    assert "Nothing was charged." in str(error)
    assert not error.suggestion.startswith("/clip"), "a slash command cannot be typed in a thread"
    if error.suggestion:
        assert read(error.suggestion).kind in {ReplyKind.SETTINGS, ReplyKind.PROMOTE}


PIECES = [
    *(
        NAME,
        f"<@{BOT}|dailies>",
        "#2",
        "#3",
        "9:16",
        "30s",
        "8s",
        "x3",
        "720p",
        "no audio",
        "seed",
        "7",
        "promote",
        ",",
    ),
    *(
        "--dur",
        "--dur 8",
        "--provider muapi",
        "—no",
        "--wat",
        "same but at night",
        "thanks",
        "<@U2>",
        "\u200b",
        "&lt;",
        '"',
        "@Image1",
        "?",
    ),
]


@given(
    st.one_of(
        st.text(), st.lists(st.sampled_from(PIECES)).map(" ".join), st.lists(st.sampled_from(PIECES)).map("".join)
    )
)
@settings(max_examples=500, deadline=None)
def test_any_reply_is_understood_or_refused_in_words(text: str) -> None:
    try:
        reply = read(text)
    except UsageError as error:
        refusal = error
    else:
        anything = not reply.changes.empty or reply.provider is not None
        assert (reply.kind in {ReplyKind.SETTINGS, ReplyKind.NAMED}) is anything
        assert (reply.kind is ReplyKind.PROMOTE) <= (reply.number is not None)
        return
    assert "Nothing was charged." in str(refusal)


@given(st.text(alphabet=st.characters(categories=["L", "Zs"]), max_size=60))
@settings(max_examples=300, deadline=None)
def test_words_alone_never_spend_anything(text: str) -> None:
    """Two letters of it might be settings one day; without a digit or a dash only the sound can be."""
    reply = read(text)
    assert reply.kind is ReplyKind.CHAT or reply.changes.audio is not None
