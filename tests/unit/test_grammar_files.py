"""How files are given to ``/clip``, and in which roles: by address, by their link in Slack, as a clip of the thread."""

import pytest

from bot.domain.lineage import Changes
from bot.domain.recipe import MediaKind, MediaRole, Medium
from handlers.grammar.errors import (
    GivenTwice,
    IllValue,
    NeedsFirstFrame,
    NoSuchReference,
)
from handlers.grammar.media import in_slack
from tests.support.clip_lines import (
    FILM,
    FIRST,
    LAST,
    PHOTO,
    PICTURE,
    SOUND,
    VIDEO,
    asked,
    assert_whole,
    medium,
    refused,
)


@pytest.mark.parametrize(
    ("options", "media"),
    [
        (f"--first {PICTURE}", (FIRST,)),
        (f"--first={PICTURE}", (FIRST,)),
        (f"—first {PICTURE}", (FIRST,)),
        (f"--first <{PICTURE}>", (FIRST,)),
        (f"--first <{PICTURE}|a.png>,", (FIRST,)),
        (f"--first=<{PICTURE}|our best picture>", (FIRST,)),
        (f'--first "{PICTURE}"', (FIRST,)),
        (f"--last {PHOTO} --first {PICTURE}", (FIRST, LAST)),
        (f"--loop --first {PICTURE}", (FIRST, medium(MediaRole.LAST, PICTURE))),
        (f"--first {PICTURE} --last {PICTURE} --loop", (FIRST, medium(MediaRole.LAST, PICTURE))),
        (f"--edit {FILM}", (medium(MediaRole.EDIT, FILM, MediaKind.VIDEO),)),
        (f"--extend {FILM}", (medium(MediaRole.EXTEND, FILM, MediaKind.VIDEO),)),
        (
            f"--extend {FILM} --last {PHOTO}",
            (LAST, medium(MediaRole.EXTEND, FILM, MediaKind.VIDEO)),
        ),
        (
            f"--ref {PHOTO} --ref {SOUND} --ref {PICTURE} --ref {FILM}",
            (
                medium(MediaRole.REFERENCE, PHOTO),
                medium(MediaRole.REFERENCE, SOUND, MediaKind.AUDIO),
                medium(MediaRole.REFERENCE, PICTURE),
                medium(MediaRole.REFERENCE, FILM, MediaKind.VIDEO),
            ),
        ),
        (
            f"--ref {PICTURE} --ref {PICTURE}",
            (medium(MediaRole.REFERENCE, PICTURE), medium(MediaRole.REFERENCE, PICTURE)),
        ),
        (
            "--first <https://x.example/p?w=9&amp;sig=a%2Bb=|photo>",
            (medium(MediaRole.FIRST, "https://x.example/p?w=9&sig=a%2Bb="),),
        ),
        ("--first HTTPS://X.example/P.PNG", (medium(MediaRole.FIRST, "HTTPS://X.example/P.PNG"),)),
        ("--edit https://x.example/watch", (medium(MediaRole.EDIT, "https://x.example/watch", MediaKind.VIDEO),)),
        ("--first http://127.0.0.1:4001/a.png", (medium(MediaRole.FIRST, "http://127.0.0.1:4001/a.png"),)),
    ],
)
def test_a_file_is_given_by_its_address(options: str, media: tuple[Medium, ...]) -> None:
    request = asked(f"{options} a red panda")
    assert (request.prompt, request.changes) == ("a red panda", Changes(media=media))


@pytest.mark.parametrize(
    "ending",
    ["jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff", "gif", "heic", "mp4", "mov", "mkv", "mp3", "wav", "m4a"],
)
def test_the_kind_of_a_reference_is_read_from_its_path(ending: str) -> None:
    kind = {**dict.fromkeys(("mp4", "mov", "mkv"), VIDEO), **dict.fromkeys(("mp3", "wav", "m4a"), MediaKind.AUDIO)}
    (given,) = asked(f"a cat --ref https://x.example/a.b.{ending.upper()}?x=y.doc#z.doc").changes.media
    assert given.kind is kind.get(ending, MediaKind.IMAGE)


@pytest.mark.parametrize(
    ("options", "value", "allowed"),
    [
        ("--first cat.png", "cat.png", "an https link to a picture"),
        ("--first http://x.example/a.png", "http://x.example/a.png", "an https link to a picture"),
        ("--first ftp://x.example/a.png", "ftp://x.example/a.png", "an https link to a picture"),
        ("--first https://", "https://", "an https link to a picture"),
        ("--first https:///a.png", "https:///a.png", "an https link to a picture"),
        ("--first https://x.example:no/a.png", "https://x.example:no/a.png", "an https link to a picture"),
        ("--first https://[::1/a.png", "https://[::1/a.png", "an https link to a picture"),
        ("--first https://me:pw@x.example/a.png", "https://me:pw@x.example/a.png", "an https link to a picture"),
        (f"--first https://x.example/{'a' * 2048}", f"https://x.example/{'a' * 2048}", "an https link to a picture"),
        (f"--first {FILM}", FILM, "an https link to a picture"),
        (f"--first {PICTURE} --last {SOUND}", SOUND, "an https link to a picture"),
        (f"--edit {PICTURE}", PICTURE, "an https link to a video"),
        (f"--extend {SOUND}", SOUND, "an https link to a video"),
        ("--ref https://x.example/a", "https://x.example/a", "ending in .jpg, .jpeg, .png"),
        ("--ref https://x.example/a.doc", "https://x.example/a.doc", ".mp4, .mov, .m4v"),
        ("--first <mailto:a@b.example|a@b.example>", "a@b.example", "an https link to a picture"),
    ],
)
def test_what_no_provider_could_open_is_quoted(options: str, value: str, allowed: str) -> None:
    error = refused(f"a cat {options}")
    assert isinstance(error, IllValue)
    assert error.value == value
    assert allowed in error.allowed
    assert_whole(error)


@pytest.mark.parametrize(
    ("options", "media"),
    [
        ("--first https://team.slack.com/files/U1/F123/a.png", (medium(MediaRole.FIRST, "slack:F123"),)),
        ("--first <https://team.slack.com/files/U1/F123/a.png|a.png>", (medium(MediaRole.FIRST, "slack:F123"),)),
        ("--first https://team.slack.com/files/U1/F123/", (medium(MediaRole.FIRST, "slack:F123"),)),
        ("--ref https://slack-files.com/T1-F123-abc", (medium(MediaRole.REFERENCE, "slack:F123"),)),
        ("--ref https://team.slack.com/archives/C1/p1", ()),
        ("--ref https://a.slack.com/files/U1/F9/b.HEIC", (medium(MediaRole.REFERENCE, "slack:F9"),)),
        ("--edit <https://files.slack.com/files-pri/T1-F1/a.mp4|a>", (medium(MediaRole.EDIT, "slack:F1", VIDEO),)),
        ("--first #2", (medium(MediaRole.FIRST, "clip:#2"),)),
        ("--first #2 --last=#03", (medium(MediaRole.FIRST, "clip:#2"), medium(MediaRole.LAST, "clip:#3"))),
        ("--first #2 --loop", (medium(MediaRole.FIRST, "clip:#2"), medium(MediaRole.LAST, "clip:#2"))),
        ("--edit #2,", (medium(MediaRole.EDIT, "clip:#2", VIDEO),)),
        ("--extend #2", (medium(MediaRole.EXTEND, "clip:#2", VIDEO),)),
        (
            "--ref #2 --ref #4",
            (medium(MediaRole.REFERENCE, "clip:#2", VIDEO), medium(MediaRole.REFERENCE, "clip:#4", VIDEO)),
        ),
    ],
)
def test_a_file_of_slacks_and_a_clip_of_the_thread_are_files(options: str, media: tuple[Medium, ...]) -> None:
    if media:
        assert asked(f"a red panda {options}").changes == Changes(media=media)
    else:
        assert isinstance(refused(f"a red panda {options}"), IllValue), "nothing says of which kind it is"


@pytest.mark.parametrize("name", ["first", "last", "ref", "edit", "extend"])
@pytest.mark.parametrize("value", ["https://team.slack.com/archives/C1/p1700000000000100", "#two", "#1234567"])
def test_a_message_in_slack_and_other_numbers_are_no_files(name: str, value: str) -> None:
    error = refused(f"a cat --{name} {value}")
    assert isinstance(error, IllValue)
    assert "such as #2" in error.allowed
    assert_whole(error)


def test_a_workspace_elsewhere_has_its_files_there() -> None:
    link = "http://127.0.0.1:4001/files/U1/F0123/panda.png"
    (given,) = asked(f"a cat --first {link}").changes.media
    assert in_slack(given, api_url="http://127.0.0.1:4001/api/") == medium(MediaRole.FIRST, "slack:F0123")
    assert in_slack(given, api_url="http://127.0.0.1:4002/api/") is given
    assert in_slack(given) is given


def test_another_host_with_slack_in_its_name_is_another_host() -> None:
    assert asked("a cat --first https://notslack.com/a.png").changes.media
    assert asked("a cat --first https://slack.com.example/a.png").changes.media


@pytest.mark.parametrize(
    ("text", "option", "mend"),
    [
        ("a cat --loop", "--loop", "--first https://example.com/panda.png --loop"),
        (f"a cat --loop --ref {PICTURE}", "--loop", "--first https://example.com/panda.png --loop"),
        (f"a cat --last {PHOTO}", "--last", "--first https://example.com/panda.png --last"),
    ],
)
def test_a_last_frame_needs_a_first_one(text: str, option: str, mend: str) -> None:
    error = refused(text)
    assert isinstance(error, NeedsFirstFrame)
    assert f"“{option}” needs a first frame" in str(error)
    assert mend in error.suggestion
    assert_whole(error)


@pytest.mark.parametrize(
    ("options", "first", "second"),
    [
        (f"--first {PICTURE} --first {PHOTO}", f"--first {PICTURE}", f"--first {PHOTO}"),
        (f"--first {PICTURE} --last {PHOTO} --loop", f"--last {PHOTO}", "--loop"),
        (f"--edit {FILM} --edit {FILM}?", f"--edit {FILM}", f"--edit {FILM}?"),
    ],
)
def test_one_file_is_not_two(options: str, first: str, second: str) -> None:
    error = refused(f"a cat {options}")
    assert isinstance(error, GivenTwice)
    assert f"“{first}” and “{second}” contradict each other" in str(error)
    assert_whole(error)


@pytest.mark.parametrize(
    ("prompt", "files"),
    [
        ("@Image1 beside @image2", f"--ref {PICTURE} --ref {PHOTO}"),
        ("@Image1 moves as in @Video1 to @AUDIO1", f"--ref {FILM} --ref {SOUND} --ref {PICTURE}"),
        ("@Image01", f"--ref {PICTURE}"),
        ("mail@image1 and @images and @Image", ""),
    ],
)
def test_a_prompt_names_references_by_their_order(prompt: str, files: str) -> None:
    request = asked(f"{prompt} {files}")
    assert request.prompt == prompt


@pytest.mark.parametrize(
    ("text", "name", "there"),
    [
        ("the cat of @Image1 dances", "@Image1", "this ask has none"),
        ("the cat of @image12 dances", "@image12", "this ask has none"),
        (f"@Image1 with @Image2 --ref {PICTURE}", "@Image2", "this ask has @Image1."),
        (f"@Video1 --ref {PICTURE} --ref {SOUND}", "@Video1", "this ask has @Image1, @Audio1."),
        (f"@Image0 --ref {PICTURE}", "@Image0", "this ask has @Image1."),
        (f"@Image1 waves --first {PICTURE}", "@Image1", "this ask has none"),
    ],
)
def test_a_reference_that_does_not_exist_is_named(text: str, name: str, there: str) -> None:
    error = refused(text)
    assert isinstance(error, NoSuchReference)
    assert f"“{name}” names a file that was not given: {there}" in str(error)
    assert_whole(error)
