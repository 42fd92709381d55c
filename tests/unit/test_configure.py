"""``dailies settings`` without the process around it: whose settings are meant, and what is printed."""

import json
from pathlib import Path

import pytest

from bot.configure import Target, settings, target
from bot.domain.preferences import WHOLE_WORKSPACE, BadValue, PreferencesVersion
from bot.settings import BadSetting, Settings
from handlers.doors import Identity
from handlers.workspace import SlackWorkspace
from storage import open_storage
from tests.support.clock import START

HERE = Target(subject="C1HERE", workspace="T1")


@pytest.fixture
async def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of an operator whose database is new."""
    monkeypatch.chdir(tmp_path)
    url = f"sqlite:///{tmp_path / 'dailies.db'}"
    async with open_storage(url, alone=True):
        monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("BUDGET_CHANNEL_MONTH_USD", "20")
    return Settings()


@pytest.mark.parametrize(
    ("typed", "subject"),
    [
        ("C0123456789", "C0123456789"),
        ("<#C0123456789|video>", "C0123456789"),
        ("D0123456789", "D0123456789"),
        ("Workspace", WHOLE_WORKSPACE),
    ],
)
def test_a_channel_is_named_by_its_id(typed: str, subject: str) -> None:
    assert target(typed, None) == Target(subject=subject)


@pytest.mark.parametrize("typed", ["#video", "video", "U0123456789", "", "C1"])
def test_what_is_no_channel_is_refused_with_where_its_id_stands(typed: str) -> None:
    with pytest.raises(BadSetting, match="channel's details"):
        target(typed, None)


async def test_settings_are_printed_with_where_they_come_from(given: Settings) -> None:
    changed = await settings(given, HERE, ["takes=2", "cap.channel.month=50", f"look={'warm ' * 30}"], as_json=False)
    shown = await settings(given, HERE, [], as_json=False)
    rows = {line.split()[0]: line.split()[-1] for line in shown.splitlines()}
    assert (rows["takes"], rows["cap.channel.month"], rows["draft.res"]) == ("channel", "environment", "default")
    assert changed.splitlines()[0] == "changed cap.channel.month: not set → $50.00"
    assert "cap.channel.month: the lower $20.00 of the environment counts." in changed
    assert changed.endswith(shown)
    (words,) = [line for line in shown.splitlines() if line.startswith("look ")]
    assert ("warm " * 30).strip() in words


async def test_programs_get_the_same_as_json(given: Settings) -> None:
    made = json.loads(await settings(given, HERE, ["takes=2"], as_json=True))
    assert (made["workspace"], made["subject"], made["version"]) == ("T1", "C1HERE", 1)
    assert made["changed"] == [{"key": "takes", "before": None, "after": "2"}]
    rows = {row["key"]: row for row in made["settings"]}
    assert rows["takes"] == {
        "key": "takes",
        "value": "2",
        "from": "channel",
        "meaning": "How many drafts an ask makes that does not say.",
    }
    assert rows["cap.channel.month"]["from"] == "environment"
    assert json.loads(await settings(given, HERE, [], as_json=True))["changed"] == []


async def test_what_cannot_be_set_changes_nothing(given: Settings) -> None:
    with pytest.raises(BadValue):
        await settings(given, HERE, ["quorum=2", "takes=many"], as_json=False)
    assert json.loads(await settings(given, HERE, [], as_json=True))["version"] == 0


async def test_the_workspace_is_the_one_that_the_database_knows(given: Settings) -> None:
    with pytest.raises(BadSetting, match="knows no workspace"):
        await settings(given, Target(subject="C1HERE"), [], as_json=True)
    await settings(given, HERE, ["takes=2"], as_json=True)
    assert json.loads(await settings(given, Target(subject="C1HERE"), [], as_json=True))["workspace"] == "T1"
    await settings(given, Target(subject="C1HERE", workspace="T2"), ["takes=3"], as_json=True)
    with pytest.raises(BadSetting, match="there are T1, T2"):
        await settings(given, Target(subject="C1HERE"), [], as_json=True)


async def test_before_the_first_ask_slack_is_asked_whose_token_it_is(
    given: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And when Slack does not answer either, the operator names it."""
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-made-up")

    async def identify(_: SlackWorkspace) -> Identity:
        return Identity(workspace="T7", bot_user="U0", bot_id="B0")

    with monkeypatch.context() as answering:
        answering.setattr(SlackWorkspace, "identify", identify)
        made = json.loads(await settings(Settings(), Target(subject="C1HERE"), [], as_json=True))
    assert made["workspace"] == "T7"

    monkeypatch.setenv("SLACK_API_URL", "http://127.0.0.1:9/api/")
    with pytest.raises(BadSetting, match="--workspace") as caught:
        await settings(Settings(), Target(subject="C1HERE"), [], as_json=True)
    assert "made-up" not in str(caught.value)


async def test_what_another_release_wrote_is_named(given: Settings) -> None:
    async with open_storage(given.database_url.get_secret_value(), alone=False) as storage, storage.begin() as tx:
        await tx.preferences.put(
            PreferencesVersion(
                workspace="T1", subject="C1HERE", version=1, values={"hologram": "on"}, changed_by=None, at=START
            )
        )
    assert "hologram: set by another release" in await settings(given, HERE, [], as_json=False)
