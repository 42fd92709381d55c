"""The text of ``/clip-settings``, as people type it and as Slack mangles it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.preferences import Assignment, NotAnAssignment, PreferenceError, UnknownKey
from handlers.grammar.preferences import PreferencesRequest, parse_preferences
from handlers.grammar.slack_text import normalise


def parts(assignments: tuple[Assignment, ...]) -> list[tuple[str, str, str]]:
    return [(one.key.name, one.operator.value, one.text) for one in assignments]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", PreferencesRequest()),
        ("  ", PreferencesRequest()),
        (" help ", PreferencesRequest(help=True)),
        ("workspace", PreferencesRequest(everywhere=True)),
        ("Workspace ", PreferencesRequest(everywhere=True)),
    ],
)
def test_looking_needs_no_assignment(text: str, expected: PreferencesRequest) -> None:
    assert parse_preferences(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("takes=2", [("takes", "=", "2")]),
        ("takes = 2  draft.ratio=9:16", [("takes", "=", "2"), ("draft.ratio", "=", "9:16")]),
        ("takes=2, quorum=3", [("takes", "=", "2"), ("quorum", "=", "3")]),
        ("takes= quorum=3", [("takes", "=", ""), ("quorum", "=", "3")]),
        ("look=warm light, grainy takes=2", [("look", "=", "warm light, grainy"), ("takes", "=", "2")]),
        ("look=“warm, takes=9” takes=2", [("look", "=", "warm, takes=9"), ("takes", "=", "2")]),
        ("look=salt &amp; pepper", [("look", "=", "salt & pepper")]),
        ("emoji.promote=:rocket: :ship:", [("emoji.promote", "=", ":rocket: :ship:")]),
        (
            "cast.mug=a mug <https://example.com/p?thread_ts=1&amp;cid=C1|label takes=9> takes=2",
            [("cast.mug", "=", "a mug https://example.com/p?thread_ts=1&cid=C1"), ("takes", "=", "2")],
        ),
        ("winners.channel=<#C0WINNERS1|winners>", [("winners.channel", "=", "<#C0WINNERS1|winners>")]),
    ],
)
def test_a_value_ends_where_the_next_key_begins(text: str, expected: list[tuple[str, str, str]]) -> None:
    assert parts(parse_preferences(text).assignments) == expected


def test_lists_are_added_to_and_taken_from_for_the_whole_workspace() -> None:
    asked = parse_preferences("workspace people.deny += <@U0DEV|dev>, <@U0GUS> channels.allow-=<#C0A|red, takes=1>")
    assert asked.everywhere
    assert parts(asked.assignments) == [
        ("people.deny", "+=", "<@U0DEV|dev>, <@U0GUS>"),
        ("channels.allow", "-=", "<#C0A|red, takes=1>"),
    ]
    assert asked.assignments[0].key.kind.read(asked.assignments[0].text) == {"U0DEV", "U0GUS"}
    assert asked.assignments[1].key.kind.read(asked.assignments[1].text) == {"C0A"}


@pytest.mark.parametrize(
    ("text", "quoted"), [("nonsense", "“nonsense”"), ("please takes=2", "“please”"), ("=2", "“=2”")]
)
def test_what_is_no_assignment_is_quoted(text: str, quoted: str) -> None:
    with pytest.raises(NotAnAssignment, match=quoted):
        parse_preferences(text)


def test_a_workspace_is_no_key() -> None:
    with pytest.raises(UnknownKey):
        parse_preferences("workspace=2")


@given(st.text(alphabet=st.sampled_from('ab.=+-" <>|&;@#“”:/1\n')) | st.text())
def test_no_text_surprises(text: str) -> None:
    try:
        asked = parse_preferences(text)
    except PreferenceError as error:
        assert str(error)  # noqa: PT017 - any of them will do, as long as it says something
    else:
        assert (asked == PreferencesRequest()) is (not normalise(text).strip())
