"""How settings are shown in Slack: within its limits, with nothing of anybody's coming to life."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from bot.domain.preference_keys import KEYS
from bot.domain.preference_values import LONGEST_WORDS
from bot.domain.preferences import (
    MOST_CAST,
    WHOLE_WORKSPACE,
    ChangedMeanwhile,
    Difference,
    NotAList,
    OnlyEverywhere,
    PreferenceError,
    SameEmoji,
    key_of,
    read_assignment,
    revised,
)
from bot.services.policies import narrowed, value_of
from bot.services.policy import Policy
from bot.services.sheets import Changed, Row, Sheet, Source
from handlers.blocks.kit import MESSAGE_BLOCKS, MESSAGE_TEXT, SECTION_TEXT, Message
from handlers.blocks.settings import changed, explained, settings_help, sheet

NASTY = "<!channel> *bold* <@U1> https://example.com"


def a_sheet(values: Mapping[str, str], subject: str = "C1", source: Source = Source.CHANNEL) -> Sheet:
    policy = narrowed(Policy(), values)
    keys = [*KEYS.values(), *(key_of(name) for name in values if name.startswith("cast."))]
    rows = [
        Row(key=key, value=value_of(policy, key), source=source if key.name in values else Source.DEFAULT)
        for key in keys
    ]
    return Sheet(workspace="T1", subject=subject, version=1, rows=tuple(rows))


def whole(message: Message) -> str:
    return "\n".join(block["text"]["text"] for block in message.blocks)


def within_limits(message: Message) -> bool:
    texts = [len(block["text"]["text"]) for block in message.blocks]
    return len(message.blocks) <= MESSAGE_BLOCKS and max(texts) <= SECTION_TEXT and len(message.text) <= MESSAGE_TEXT


def error_of(text: str, subject: str = "C1") -> PreferenceError:
    with pytest.raises(PreferenceError) as caught:
        revised(subject, {}, [read_assignment(text)])
    return caught.value


def test_every_key_is_shown_with_its_value_and_its_source() -> None:
    shown = sheet(a_sheet({"takes": "2", "winners.channel": "C9WIN", "emoji.promote": ":ship:"}), with_lists=True)
    assert [name for name in KEYS if f"`{name}` " not in whole(shown)] == []
    assert "Settings of <#C1>" in shown.text
    for line in (
        "`takes` 2 (for this channel)",
        "`winners.channel` <#C9WIN> (for this channel)",
        "`emoji.promote` :ship: (for this channel)",
        "`cap.person.day` no limit (default)",
        "`look` none (default)",
    ):
        assert line in whole(shown)
    assert within_limits(shown)


def test_who_is_on_which_list_is_shown_to_admins_alone() -> None:
    values = {"people.deny": "U3DEV"}
    everywhere = a_sheet(values, WHOLE_WORKSPACE, Source.WORKSPACE)
    assert "`people.deny` <@U3DEV> (for the workspace)" in whole(sheet(everywhere, with_lists=True))
    assert "U3DEV" not in str(sheet(everywhere, with_lists=False))
    assert "shown to admins" in whole(sheet(everywhere, with_lists=False))


def test_the_longest_settings_fit_and_are_inert() -> None:
    words = f"{NASTY.replace('https://example.com', '')} {'x' * (LONGEST_WORDS - 60)}"
    values = {f"cast.n{n}": words for n in range(MOST_CAST)}
    values |= {"look": words, "people.deny": ", ".join(f"U{n:08}" for n in range(200))}
    shown = sheet(a_sheet(values), with_lists=True)
    assert within_limits(shown)
    assert "<!channel>" not in str(shown)
    assert "*bold*" not in str(shown)
    assert "and 180 more" in whole(shown)
    assert "`cast.n49`" in whole(shown)


def test_keys_of_another_release_are_named() -> None:
    assert "`hologram`" in whole(sheet(replace(a_sheet({}), unread=("hologram",)), with_lists=False))


SECRET = "a bag https://x.example/bag.png?sig=SECRET"


def test_nobody_is_shown_the_link_of_a_picture_of_the_cast() -> None:
    shown = sheet(a_sheet({"cast.bag": SECRET}), with_lists=True)
    assert "`cast.bag` a bag, with a picture" in whole(shown)
    made = (
        Difference(name="cast.bag", before=None, after=SECRET),
        Difference(name="cast.mug", before=SECRET, after="a mug"),
        Difference(name="cast.cap", before=SECRET, after=None),
    )
    told = changed(Changed(sheet=a_sheet({"cast.bag": SECRET}), done=made, meanwhile=made))
    assert "`cast.mug`: a bag, with a picture → a mug" in told.text
    raced = explained(ChangedMeanwhile(made, "U2"))
    assert "a bag, with a picture" in raced.text
    for message in (shown, told, raced):
        assert "SECRET" not in f"{message}"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cast.image1", "“image1” is taken: `@image1` is what prompts call a picture that is given."),
        ("cast.Video22", "“video22” is taken"),
        ("cast.1st", "“1st” cannot be a name of the cast: a letter first, then letters, digits, - and _, 31 at most."),
    ],
)
def test_a_name_that_the_cast_cannot_have_is_said_to_be_so(name: str, words: str) -> None:
    told = explained(error_of(f"{name}=a mug")).text
    assert words in told
    assert "Nothing was changed." in told


def test_help_says_what_each_key_means_with_an_example() -> None:
    told = settings_help()
    assert within_limits(told)
    assert [key.name for key in KEYS.values() if f"`{key.name}` {key.meaning}" not in whole(told)] == []
    assert '`look="warm light, film grain"`' in whole(told)
    assert "cast.NAME" in whole(told)


def test_a_change_says_what_was_and_what_is() -> None:
    done = (
        Difference(name="look", before=NASTY, after=None),
        Difference(name="takes", before=None, after="2"),
        Difference(name="emoji.cancel", before=":x:", after=":no_entry:"),
        Difference(name="people.deny", before=None, after="U3DEV"),
        Difference(name="undo.seconds", before="1 s", after="5 s"),
        Difference(name="hologram", before="*on*", after="off"),
    )
    made = Changed(sheet=a_sheet({"takes": "2"}), done=done)
    text = changed(made).text
    assert "Changed for <#C1>" in text
    assert "`takes`: not set → 2" in text
    assert "→ none (default)" in text
    assert "`emoji.cancel`: :x: → :no_entry:" in text
    assert "`people.deny`: not set → <@U3DEV>" in text
    assert "`undo.seconds`: 1 s → 5 s" in text
    assert "`hologram`: ∗on∗ → off" in text
    assert "<!channel>" not in text

    nothing = changed(replace(made, done=()))
    assert "Nothing was changed" in nothing.text


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (None, "U1A", "From now on nobody spends but by `people.allow`"),
        ("U1A", None, "From now on `people.allow` keeps nobody out"),
        ("U1A", "U1A, U2B", ""),
    ],
)
def test_a_list_that_begins_or_ends_is_said_for_everybody(before: str | None, after: str | None, words: str) -> None:
    done = (Difference(name="people.allow", before=before, after=after),)
    text = changed(Changed(sheet=a_sheet({}, WHOLE_WORKSPACE), done=done)).text
    assert words in text
    assert ("From now on" in text) is bool(words)


def test_a_limit_that_does_not_count_and_a_neighbours_change_are_said() -> None:
    shown = a_sheet({"cap.person.day": "$5.00"}, source=Source.WORKSPACE)
    made = Changed(
        sheet=shown,
        done=(Difference(name="cap.person.day", before=None, after="$9.00"),),
        meanwhile=(Difference(name="takes", before="1", after="2"),),
    )
    text = changed(made).text
    assert "the lower $5.00 that is set for the workspace counts" in text
    assert "`takes`: 1 → 2" in text


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (error_of("takes=9"), ("“9”", "from 1 to 8", "takes=2")),
        (error_of("people.deny=@dev", WHOLE_WORKSPACE), ("“@dev”", "/clip-settings workspace people.deny=@dev")),
        (OnlyEverywhere(KEYS["people.deny"]), ("whole workspace", "/clip-settings workspace people.deny=@dev")),
        (NotAList(KEYS["takes"]), ("not a list", "takes=2")),
        (SameEmoji(["x"]), ("cannot both",)),
        (ChangedMeanwhile([Difference(name="takes", before="1", after="2")], "U2"), ("<@U2>", "`takes`: 1 → 2")),
        (ChangedMeanwhile([Difference(name="takes", before="1", after="2")], None), ("Whoever runs Dailies",)),
        (error_of(f"look={NASTY}"), ("“", "without links")),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_says_what_is_allowed_and_that_nothing_was_changed(
    error: PreferenceError, words: tuple[str, ...]
) -> None:
    text = explained(error).text
    assert [word for word in (*words, "Nothing was changed.") if word not in text] == []
    assert "<!channel>" not in text


def test_an_unknown_key_is_answered_with_what_the_nearest_means() -> None:
    with pytest.raises(PreferenceError) as caught:
        read_assignment("quorom=2")
    text = explained(caught.value).text
    assert "“quorom”" in text
    assert KEYS["quorum"].meaning in text
