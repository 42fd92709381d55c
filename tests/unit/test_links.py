"""Signed links: what they say, how long, and who cannot make one."""

import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.links import SignedLinks, make_links
from bot.ports import Linked
from bot.settings import BadSetting, Settings
from tests.support.clock import START

KEY = f"references/T1/{'0123456789abcdef' * 4}.png"
OLD, NEW = "old-secret-" * 4, "new-secret-" * 4
LINKS = SignedLinks(public_url="https://dailies.example.com", keys=[NEW, OLD])


def token(links: SignedLinks = LINKS, key: str = KEY, now: datetime = START) -> str:
    url = links.link(key.split("/")[1], key, "image/png", now=now)
    assert url is not None
    assert url.startswith("https://dailies.example.com/media/")
    return url.removeprefix("https://dailies.example.com/media/")


def test_a_link_leads_to_its_file_and_ends_in_its_suffix() -> None:
    assert LINKS.follow(token(), now=START) == Linked(key=KEY, mime="image/png")
    assert token().endswith(".png")
    assert len(token()) < 300


@given(st.datetimes(datetime(2026, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - made aware
def test_a_link_lives_for_72_to_96_hours_and_is_the_same_all_day(now: datetime) -> None:
    made = token(now=now)
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    assert made == token(now=day) == token(now=day + timedelta(hours=23, minutes=59, seconds=59))
    assert made != token(now=day + timedelta(days=1))
    assert LINKS.follow(made, now=now + timedelta(hours=72)) is not None
    assert LINKS.follow(made, now=now + timedelta(hours=96)) is None


def test_it_ends_to_the_second() -> None:
    end = datetime(START.year, START.month, START.day, tzinfo=UTC) + timedelta(days=4)
    assert LINKS.follow(token(), now=end - timedelta(seconds=1)) is not None
    assert LINKS.follow(token(), now=end) is None


def test_no_character_of_a_token_can_be_another() -> None:
    made = token()
    for place, character in enumerate(made):
        for other in {"A", "b", "-", "_", ".", "=", "\n", "é"} - {character}:
            assert LINKS.follow(made[:place] + other + made[place + 1 :], now=START) is None
        assert LINKS.follow(made[:place] + made[place + 1 :], now=START) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda made: "",
        lambda made: ".png",
        lambda made: made.removesuffix(".png"),
        lambda made: made.removesuffix("png") + "mp4",
        lambda made: made + "/",
        lambda made: made + "=",
        lambda made: " " + made,
        lambda made: made.replace(".png", "==.png"),
        lambda made: "A" * 100_000,
        lambda made: "A" * 43 + ".png",
    ],
)
def test_nonsense_leads_nowhere(change: Callable[[str], str]) -> None:
    assert LINKS.follow(change(token()), now=START) is None


def test_a_key_that_was_replaced_still_opens_and_one_that_was_taken_away_does_not() -> None:
    before = token(SignedLinks(public_url="https://dailies.example.com", keys=[OLD]))
    assert LINKS.follow(before, now=START) == Linked(key=KEY, mime="image/png")
    assert token() == token(SignedLinks(public_url="https://dailies.example.com", keys=[NEW]))
    after = SignedLinks(public_url="https://dailies.example.com", keys=[NEW])
    assert after.follow(before, now=START) is None


@pytest.mark.parametrize(
    ("workspace", "key", "mime"),
    [
        ("T2", KEY, "image/png"),
        ("T1", KEY.replace("T1", "T2"), "image/png"),
        ("T", KEY, "image/png"),
        ("T1", KEY.removesuffix(".png"), "image/png"),
        ("T1", f"../{KEY}", "image/png"),
        ("T1", "references/T1/../../dailies.db", "image/png"),
        ("T1", KEY, "image/png\r\nx-evil: 1"),
        ("T1", KEY, ""),
    ],
)
def test_no_link_is_made_to_another_workspace_or_to_what_is_no_file(workspace: str, key: str, mime: str) -> None:
    with pytest.raises(ValueError, match="no file of that workspace"):
        LINKS.link(workspace, key, mime, now=START)


def test_without_a_public_url_there_are_no_links_and_no_key(tmp_path: Path) -> None:
    links = make_links(settings(tmp_path, public_url=""))
    assert (links.reachable, links.link("T1", KEY, "image/png", now=START)) == (False, None)
    assert links.follow(token(), now=START) is None
    assert list(tmp_path.iterdir()) == []


# --- where the key comes from ----------------------------------------------------------------------------------------


def settings(folder: Path, **more: str) -> Settings:
    values = {
        "public_url": "https://dailies.example.com",
        "database_url": f"sqlite:///{folder}/data/dailies.db",
        "media_url": f"file:{folder}/media",
        **more,
    }
    return Settings(_env_file=None, **values)


@pytest.mark.parametrize(
    ("database", "place"),
    [("", "data/dailies.db.key"), ("postgresql://dailies@db.example.com/dailies", "media/dailies.key")],
)
def test_a_key_is_made_once_and_kept_for_this_user_alone(tmp_path: Path, database: str, place: str) -> None:
    chosen = settings(tmp_path, **({"database_url": database} if database else {}))
    made = token(make_links(chosen))

    assert make_links(chosen).follow(made, now=START) == Linked(key=KEY, mime="image/png"), "as after a restart"
    file = tmp_path / place
    assert [one for one in tmp_path.rglob("*") if one.is_file()] == [file]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text() not in made
    assert LINKS.follow(made, now=START) is None


def test_many_who_start_at_once_have_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as threads:
        links = [one.result() for one in [threads.submit(make_links, settings(tmp_path)) for _ in range(64)]]
    assert len({token(one) for one in links}) == 1


def test_encryption_keys_are_used_instead_newest_first(tmp_path: Path) -> None:
    links = make_links(settings(tmp_path, encryption_keys=f" {NEW} , {OLD},"))
    assert token(links) == token()
    assert links.follow(token(SignedLinks(public_url="https://dailies.example.com", keys=[OLD])), now=START)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("keys", ["short", f"{NEW},short", f"{NEW} {OLD}", "ä" * 40, "a" * 20 + "\n" + "a" * 20])
def test_a_key_that_could_be_guessed_is_refused_and_not_repeated(tmp_path: Path, keys: str) -> None:
    with pytest.raises(ValueError, match="at least 32") as refused:
        settings(tmp_path, encryption_keys=keys)
    assert keys not in str(refused.value.errors(include_input=False))  # type: ignore[attr-defined] # pydantic's


@pytest.mark.parametrize("content", ["", "\n", "short"])
def test_a_broken_key_is_told_and_not_replaced(tmp_path: Path, content: str) -> None:
    file = tmp_path / "data" / "dailies.db.key"
    file.parent.mkdir()
    file.write_text(content)
    with pytest.raises(BadSetting, match="holds no key"):
        make_links(settings(tmp_path))
    assert file.read_text() == content


def test_a_key_that_cannot_be_kept_is_told_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(BadSetting, match=r"cannot be kept in .*dailies\.db\.key: .*ENCRYPTION_KEYS"):
        make_links(settings(tmp_path))
    assert os.listdir(tmp_path) == ["data"]  # noqa: PTH208 - names are meant
