"""Keys and values of what admins set: what can be typed, what it means, and what is said of anything else."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.preference_keys import CAST_KEY, KEYS, Group, find, nearest
from bot.domain.preference_values import LONGEST_WORDS, MOST_NAMES
from bot.domain.preferences import (
    MOST_CAST,
    WHOLE_WORKSPACE,
    BadValue,
    Difference,
    NotAList,
    NotAnAssignment,
    OnlyEverywhere,
    Operator,
    PreferenceError,
    SetTwice,
    TooMany,
    UnknownKey,
    WouldOpen,
    differences,
    key_of,
    read_assignment,
    revised,
)
from bot.domain.recipe import Ratio, Resolution

TYPED = {
    "@maya": "<@U1MAYA>",
    "@maya, @ben": "<@U1MAYA>, <@U2BEN>",
    "@dev": "<@U3DEV|dev>",
    "@gus": "U4GUS",
    "#winners": "<#C1WIN|winners>",
    "#video": "<#C2VIDEO|>",
    "#general": "C3GENERAL",
}
"""What Slack makes of the mentions in examples."""


def read(name: str, text: str) -> Any:
    return key_of(name).kind.read(text)


def made(*texts: str, subject: str = "C1", **stored: str) -> dict[str, str]:
    return revised(subject, stored, [read_assignment(text) for text in texts])


@pytest.mark.parametrize("name", [*KEYS, "cast.mug"])
def test_every_example_can_be_typed_and_what_is_stored_reads_back(name: str) -> None:
    key = key_of(name)
    value = key.kind.read(TYPED.get(key.example, key.example))
    assert key.kind.read(key.kind.write(value)) == value
    assert key.meaning.endswith((".", ")"))


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("draft.res", "720P", Resolution.P720),
        ("draft.dur", "6", 6),
        ("draft.dur", "15s", 15),
        ("final.dur", "auto", None),
        ("draft.ratio", "9:16", Ratio.TALL),
        ("draft.tier", "Pro", "pro"),
        ("draft.audio", "yes", True),
        ("draft.audio", "OFF", False),
        ("takes", "8", 8),
        ("undo.seconds", "3", timedelta(seconds=3)),
        ("confirm.above", "2.5", 2_500_000),
        ("confirm.above", "$0", 0),
        ("cap.person.day", "$12.34", 12_340_000),
        ("emoji.promote", ":rocket:, ship :Rocket::skin-tone-2:", ("rocket", "ship")),
        ("emoji.cancel", "none", ()),
        ("winners.channel", "<#C12345|to be, or not>", "C12345"),
        ("winners.channel", "none", None),
        ("people.deny", "U123, <@W456|maya> U123", frozenset({"U123", "W456"})),
        ("channels.allow", "<#C1A|red, green>,<#C2B>", frozenset({"C1A", "C2B"})),
        ("look", "  warm   light ", "warm light"),
        ("cast.mug", "a white mug https://example.com/mug.png", "a white mug https://example.com/mug.png"),
    ],
)
def test_a_value_is_read(name: str, text: str, value: object) -> None:
    assert read(name, text) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("draft.res", "900p"),
        ("draft.dur", "3"),
        ("draft.dur", "16"),
        ("draft.dur", "4.5"),
        ("draft.ratio", "16x9"),
        ("draft.tier", "two words"),
        ("draft.audio", "loud"),
        ("takes", "0"),
        ("takes", "9"),
        ("takes", "-1"),
        ("quorum", "0"),
        ("quorum", "²"),
        ("undo.seconds", "2"),
        ("undo.seconds", "0"),
        ("undo.seconds", "601"),
        ("replies", "always"),
        ("emoji.promote", "none!"),
        ("emoji.promote", "🚀"),
        ("emoji.promote", "<!channel>"),
        ("emoji.promote", ","),
        ("winners.channel", "#winners"),
        ("winners.channel", "<@U123>"),
        ("confirm.above", "-1"),
        ("confirm.above", "1,5"),
        ("confirm.above", "0.001"),
        ("cap.person.day", "1e9"),
        ("cap.person.day", "1000001"),
        ("cap.person.day", "none"),
        ("running.per_person", "0"),
        ("people.deny", "@maya"),
        ("people.deny", "<#C123>"),
        ("people.deny", "U123 and U456"),
        ("look", "see https://example.com"),
        ("look", "x" * (LONGEST_WORDS + 1)),
        ("cast.mug", "https://example.com/mug.png"),
        ("cast.mug", "a mug http://example.com/mug.png"),
        ("cast.mug", "a mug https://example.com/1 https://example.com/2"),
    ],
)
def test_what_is_no_value_is_quoted_with_what_is_allowed(name: str, text: str) -> None:
    subject = WHOLE_WORKSPACE
    with pytest.raises(BadValue) as caught:
        made(f"{name}={text}", subject=subject)
    assert caught.value.allowed in str(caught.value)
    assert f"“{text[:50]}" in str(caught.value)


@given(st.text())
def test_no_text_surprises_a_reader(text: str) -> None:
    """Whatever is typed, a reader gives a value whose written form reads back, or says that it is none."""
    for key in [*KEYS.values(), CAST_KEY]:
        try:
            value = key.kind.read(text)
        except ValueError:
            continue
        assert key.kind.read(key.kind.write(value)) == value


@given(st.text())
def test_no_assignment_surprises(text: str) -> None:
    for line in (text, f"{text}=1", f"cast.{text}=a mug", f"takes={text}"):
        try:
            made(line)
        except PreferenceError as error:
            assert str(error)  # noqa: PT017 - any of them will do, as long as it says something


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("draft.resolution", "draft.res"),
        ("resolution", "draft.res"),
        ("res", "draft.res"),
        ("undo", "undo.seconds"),
        ("thread-replies", "replies"),
        ("take", "takes"),
        ("budget", "cap.channel.month"),
        ("cap.person.month", "cap.person.day"),
        ("quorom", "quorum"),
        ("cast.a b", "cast.NAME"),
        ("cast.image1", "cast.NAME"),
        ("people.alow", "people.allow"),
    ],
)
def test_an_unknown_key_is_answered_with_the_nearest(typed: str, meant: str) -> None:
    assert find(typed) is None
    with pytest.raises(UnknownKey, match="nearest is") as caught:
        key_of(typed)
    assert caught.value.nearest == nearest(typed) == meant


def test_an_assignment_sets_adds_takes_away_or_gives_back() -> None:
    assert made(" Takes = 3 ") == {"takes": "3"}
    assert made("takes=", takes="3", quorum="2") == {"quorum": "2"}
    assert made('look="warm, grainy"') == {"look": "warm, grainy"}
    assert made("cast.@Mug=a white mug") == {"cast.mug": "a white mug"}
    assert read_assignment("people.deny-=U1").operator is Operator.REMOVE
    deny = {"people.deny": "U1A, U2B"}
    assert revised(WHOLE_WORKSPACE, deny, [read_assignment("people.deny+=U3C")]) == {"people.deny": "U1A, U2B, U3C"}
    assert revised(WHOLE_WORKSPACE, deny, [read_assignment("people.deny-=U1A")]) == {"people.deny": "U2B"}
    assert revised(WHOLE_WORKSPACE, deny, [read_assignment("people.deny-=U1A, U2B")]) == {}


def test_what_cannot_be_done_with_a_key_is_refused() -> None:
    with pytest.raises(NotAnAssignment, match="key=value"):
        read_assignment("takes")
    with pytest.raises(NotAList):
        made("takes+=1")
    with pytest.raises(OnlyEverywhere):
        made("people.deny=U1A")
    with pytest.raises(OnlyEverywhere):
        made("cap.workspace.month=5")
    with pytest.raises(SetTwice):
        made("takes=2", "takes=3")
    with pytest.raises(TooMany):
        made("people.deny=" + " ".join(f"U{n:04}" for n in range(MOST_NAMES + 1)), subject=WHOLE_WORKSPACE)
    with pytest.raises(TooMany):
        made(*(f"cast.n{n}=a mug" for n in range(MOST_CAST + 1)))


@pytest.mark.parametrize("name", ["people.allow", "channels.allow"])
def test_the_last_entry_of_an_allow_list_is_not_taken_away_by_the_way(name: str) -> None:
    """Without entries the list keeps nobody out: that is to be meant."""
    stored = {name: "U1A" if name.startswith("people") else "C1A"}
    with pytest.raises(WouldOpen):
        revised(WHOLE_WORKSPACE, stored, [read_assignment(f"{name}-={stored[name]}")])
    assert revised(WHOLE_WORKSPACE, stored, [read_assignment(f"{name}=")]) == {}


def test_differences_say_before_and_after() -> None:
    found = differences({"takes": "2", "look": "warm"}, {"takes": "3", "quorum": "2"})
    assert found == (
        Difference(name="look", before="warm", after=None),
        Difference(name="quorum", before=None, after="2"),
        Difference(name="takes", before="2", after="3"),
    )
    assert [one.words for one in found] == ["look: warm → not set", "quorum: not set → 2", "takes: 2 → 3"]


def test_every_group_has_keys() -> None:
    assert {key.group for key in KEYS.values()} == set(Group)


def test_the_page_of_settings_lists_every_key_as_it_is() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")
    rows = {name: tuple(rest) for name, *rest in re.findall(r"(?m)^\| `(.+?)` \| (.+) \| (.+) \| `(.+)` \|$", page)}
    keys = [*KEYS.values(), CAST_KEY]
    shown = {key.name: f'"{key.example}"' if " " in key.example else key.example for key in keys}
    assert rows == {key.name: (key.meaning, key.kind.allowed, f"{key.name}={shown[key.name]}") for key in keys}
