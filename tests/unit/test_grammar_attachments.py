"""What files beside a message are for, and what a message is that names us, or is said to us alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.lineage import Changes
from bot.domain.recipe import MediaKind, Medium, Ratio
from handlers.grammar import (
    Attachment,
    ClipRequest,
    Help,
    Reply,
    ReplyKind,
    SettingsRequest,
    UsageError,
    UsageRequest,
    parse_mention,
    parse_reply,
)
from handlers.grammar.attachments import MOST_FILES
from handlers.grammar.errors import (
    FilesWithPromotion,
    MissingValue,
    NeedsFirstFrame,
    NoPrompt,
    NoSuchReference,
    TooManyFiles,
)

NAME = "<@UBOT>"
_KINDS = {"p": MediaKind.IMAGE, "v": MediaKind.VIDEO, "s": MediaKind.AUDIO}


def beside(kinds: str) -> tuple[Attachment, ...]:
    """Files F1, F2, … of these kinds: picture, video, sound."""
    return tuple(
        Attachment(id=f"F{number}", name=f"file-{number}", kind=_KINDS[kind])
        for number, kind in enumerate(kinds, start=1)
    )


def roles(media: tuple[Medium, ...]) -> str:
    """In short: ``first=F1 reference=F2``."""
    return " ".join(f"{one.role.value}={one.url.removeprefix('slack:')}" for one in media)


def mention(text: str, kinds: str = "") -> ClipRequest:
    request = parse_mention(text, bot_user="UBOT", files=beside(kinds))
    assert isinstance(request, ClipRequest)
    return request


def refused(text: str, kinds: str = "") -> UsageError:
    with pytest.raises(UsageError) as caught:
        parse_mention(text, bot_user="UBOT", files=beside(kinds))
    assert "Nothing was charged." in str(caught.value)
    return caught.value


def reply(text: str, kinds: str = "") -> Reply:
    return parse_reply(text, bot_user="UBOT", files=beside(kinds))


BY_ORDER = [
    ("p", "", "first=F1"),
    ("pp", "", "first=F1 last=F2"),
    ("ppp", "", "reference=F1 reference=F2 reference=F3"),
    ("v", "", "reference=F1"),
    ("s", "", "reference=F1"),
    ("ps", "", "reference=F1 reference=F2"),
    ("vp", "", "reference=F1 reference=F2"),
    ("p", "with @Image1", "reference=F1"),
    ("pp", "from @Image1 to @image2", "reference=F1 reference=F2"),
    ("vs", "as @Video1 with @Audio1", "reference=F1 reference=F2"),
    ("pp", "--ratio 9:16", "first=F1 last=F2"),
]
BY_OPTION = [
    ("p", "--first", "first=F1"),
    ("pp", "--last", "first=F1 last=F2"),
    ("pp", "--last --first", "first=F2 last=F1"),
    ("p", "--ref", "reference=F1"),
    ("pp", "--ref", "reference=F1 reference=F2"),
    ("ppp", "--first", "first=F1 reference=F2 reference=F3"),
    ("p", "--loop", "first=F1 last=F1"),
    ("p", "--first --loop", "first=F1 last=F1"),
    ("v", "--edit", "edit=F1"),
    ("v", "--extend", "extend=F1"),
    ("pv", "--edit", "edit=F2 reference=F1"),
    ("vv", "--edit --ref", "edit=F1 reference=F2"),
    ("sp", "--first", "first=F2 reference=F1"),
    ("sp", "--ref --first", "first=F2 reference=F1"),
    ("p", "--first #2", "first=#2 last=F1"),
    ("p", "--first https://x.example/a.png", "first=https://x.example/a.png last=F1"),
    ("pp", "--first", "first=F1 last=F2"),
    ("p", "--first #2 with @Image1", "first=#2 reference=F1"),
    ("s", "--first #2", "first=#2 reference=F1"),
    ("p", "--first #2 --loop", "first=#2 last=#2 reference=F1"),
    ("p", "--extend #2", "extend=#2 reference=F1"),
    ("p", "--first <https://team.slack.com/files/U1/F77/x.png>", "first=F77 last=F1"),
    ("p", "--last #2", "first=F1 last=#2"),
]


@pytest.mark.parametrize(("kinds", "options", "expected"), BY_ORDER + BY_OPTION)
def test_files_of_a_mention_get_their_roles_by_option_and_order(kinds: str, options: str, expected: str) -> None:
    request = mention(f"{NAME} a red panda {options}", kinds)
    assert roles(request.changes.media).replace("clip:", "") == expected
    assert request.prompt.startswith("a red panda")
    assert "--" not in request.prompt


@pytest.mark.parametrize(("options", "first"), [("--first a red panda", "F1"), ("—first a red panda", "F1")])
def test_words_behind_an_option_are_the_prompt_where_a_file_can_be_meant(options: str, first: str) -> None:
    request = mention(f"{NAME} {options}", "p")
    assert (request.prompt, roles(request.changes.media)) == ("a red panda", f"first={first}")


def test_what_was_meant_as_an_address_is_read_as_one() -> None:
    for value in ("http://x.example/a.png", "ftp://x.example/a.png", "#two", "www.x.example/a.png"):
        if value == "#two":
            assert mention(f"{NAME} --first {value} pandas", "p").prompt == "#two pandas"
        else:
            assert refused(f"{NAME} a panda --first {value}", "p").value == value
    assert refused(f"{NAME} a panda --first=a.png", "p").value == "a.png"


@pytest.mark.parametrize(
    ("text", "kinds", "error", "offending"),
    [
        ("a panda --edit", "p", MissingValue, "--edit"),
        ("a panda --first --last", "p", MissingValue, "--last"),
        ("a panda --first", "v", MissingValue, "--first"),
        ("a panda --first", "", MissingValue, "--first"),
        ("a panda --loop", "v", NeedsFirstFrame, "--loop"),
        ("a panda --last", "p", NeedsFirstFrame, "--last"),
        ("a panda beside @Image2", "p", NoSuchReference, "@Image2"),
        ("@Image1 as a panda --first", "p", NoSuchReference, "@Image1"),
        ("a panda", "p" * (MOST_FILES + 1), TooManyFiles, "13 files"),
        ("", "p", NoPrompt, "what should the clip show"),
        ("--first", "p", NoPrompt, "what should the clip show"),
        ("9:16 8s", "", NoPrompt, "what should the clip show"),
        ("make it 9:16 please", "p", NoPrompt, "what should the clip show"),
        ("--ratio 9:16", "", NoPrompt, "what should the clip show"),
    ],
)
def test_a_mention_that_cannot_be_made_says_why(text: str, kinds: str, error: type[UsageError], offending: str) -> None:
    caught = refused(f"{NAME} {text}", kinds)
    assert type(caught) is error
    assert offending in caught.wrong
    assert not caught.suggestion.startswith("/clip"), "what was said beside files is said again beside files"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "thanks",
        "thank you!",
        "hi :wave:",
        "help",
        "--help",
        "?",
        "what can you do?",
        "promote #2",
        "please promote 2",
    ],
)
def test_courtesy_and_questions_get_help_and_cost_nothing(text: str) -> None:
    for said in (f"{NAME} {text}", f"{text} {NAME}", text):
        assert parse_mention(said, bot_user="UBOT") == Help()


@pytest.mark.parametrize("text", ["thanks", "what is this?", "lovely :heart:"])
def test_courtesy_beside_a_picture_is_courtesy(text: str) -> None:
    assert parse_mention(f"{NAME} {text}", bot_user="UBOT", files=beside("p")) == Help()


def test_a_mention_is_read_like_the_command() -> None:
    request = mention(f"{NAME}: a mug, <@U2|ben> beside it --ratio 9:16 --takes 2 --provider hiapi --final")
    assert request == ClipRequest(
        prompt="a mug, @ben beside it",
        changes=Changes(ratio=Ratio.TALL, takes=2),
        provider="hiapi",
        final=True,
        estimate=False,
    )
    assert mention("a mug").prompt == "a mug", "in a direct message nobody says the name"
    assert parse_mention(f"{NAME} usage 2026-11", bot_user="UBOT") == UsageRequest(month="2026-11")
    assert parse_mention(f"{NAME} settings takes=2", bot_user="UBOT") == SettingsRequest(text="takes=2")


@pytest.mark.parametrize(
    ("text", "kinds", "kind", "expected"),
    [
        (f"{NAME} same, with this hat", "p", ReplyKind.NAMED, "reference=F1"),
        (f"{NAME}", "p", ReplyKind.NAMED, "reference=F1"),
        (f"{NAME} #2", "pp", ReplyKind.NAMED, "reference=F1 reference=F2"),
        (f"{NAME} #2 --first", "p", ReplyKind.NAMED, "first=F1"),
        (f"{NAME} start from it --first", "ps", ReplyKind.NAMED, "first=F1 reference=F2"),
        (f"{NAME} #1 morning to night --last", "pp", ReplyKind.NAMED, "first=F1 last=F2"),
        (f"{NAME} #1 --first #2 and ends here", "p", ReplyKind.NAMED, "first=clip:#2 last=F1"),
        ("#2 9:16", "p", ReplyKind.SETTINGS, "reference=F1"),
        ("#2 --first", "p", ReplyKind.SETTINGS, "first=F1"),
        ("--edit", "v", ReplyKind.SETTINGS, "edit=F1"),
        ("9:16, 8s", "pp", ReplyKind.SETTINGS, "reference=F1 reference=F2"),
    ],
)
def test_files_of_a_reply_are_references_unless_an_option_says_otherwise(
    text: str, kinds: str, kind: ReplyKind, expected: str
) -> None:
    read = reply(text, kinds)
    assert (read.kind, roles(read.changes.media)) == (kind, expected)


@pytest.mark.parametrize("text", ["", "#2", "look at this", "nice", "#2 looks like this", "—first"])
def test_files_that_people_show_one_another_are_chat(text: str) -> None:
    assert reply(text, "v").kind is ReplyKind.CHAT
    assert reply(text, "v" * (MOST_FILES + 1)).kind is ReplyKind.CHAT


def test_thanks_with_a_picture_get_help() -> None:
    assert reply(f"{NAME} thank you!", "p").kind is ReplyKind.HELP


def test_names_in_a_reply_count_its_own_references_where_an_option_says_that_they_are_all() -> None:
    assert reply(f"{NAME} put @Image2 on the table --ref --ref", "pp").changes.direction == "put @Image2 on the table"
    with pytest.raises(NoSuchReference):
        reply(f"{NAME} put @Image3 on the table --ref --ref", "pp")
    added = reply(f"{NAME} put @Image3 on the table", "pp").changes
    assert (added.direction, added.anew) == ("put @Image3 on the table", False), "one of them may be the clip's own"
    assert reply("#2 --ref", "p").changes.anew


@pytest.mark.parametrize("text", ["promote #1", f"{NAME} promote #1", f"{NAME} #1 please promote"])
def test_a_promotion_takes_no_files_and_says_so(text: str) -> None:
    with pytest.raises(FilesWithPromotion, match="a final is made of its draft's recipe") as caught:
        reply(text, "p")
    assert caught.value.suggestion == "promote #1"
    assert reply(text).kind is ReplyKind.PROMOTE


def test_files_without_words_are_asked_about_without_quoting_nothing() -> None:
    caught = refused(NAME, "p")
    assert "“”" not in str(caught)
    assert caught.suggestion == "@Dailies a red panda surfing at sunset"


@given(
    st.lists(
        st.sampled_from(
            ["--first", "--last", "--loop", "--ref", "--edit", "--extend", "panda", "@Image1", "#2", "9:16"]
        ),
        max_size=6,
    ),
    st.text("pvs", max_size=5),
)
def test_every_file_is_used_once_or_the_mention_is_refused(words: list[str], kinds: str) -> None:
    try:
        request = parse_mention(f"{NAME} {' '.join(words)}", bot_user="UBOT", files=beside(kinds))
    except UsageError:
        return
    if isinstance(request, ClipRequest):
        given = [one.url for one in request.changes.media if one.url.startswith("slack:")]
        looped = "--loop" in words and request.changes.media[0].url in given
        assert sorted(set(given)) == sorted(f"slack:{one.id}" for one in beside(kinds))
        assert len(given) == len(kinds) + looped
