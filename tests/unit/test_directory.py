"""Who people are, against the sandbox's Slack, and user objects as Slack's reference has them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient
from structlog.testing import capture_logs

from bot.domain.access import Member
from bot.ports import ChatError, ChatUnauthorized
from bot.sandbox.server import Sandbox
from handlers import directory as module
from handlers.directory import Home, SlackDirectory, member_of
from handlers.workspace import SlackWorkspace
from tests.sandbox.driver import Workspace
from tests.support.loopback import serving, silent

MAYA, BEN, GUS, OLGA, DAILIES = "U0MAYA0001", "U0BEN00002", "U0GUS00005", "U0OLGA0006", "U0DAILIES1"
HOME = Home(team="T1")
GRID = Home(team="T1", organisation="E1")


@pytest.fixture
async def studio(tmp_path: Path) -> AsyncIterator[Workspace]:
    """A workspace whose Slack is a real server."""
    server = Sandbox(data_dir=tmp_path, config={})
    await server.start()
    people = Workspace(slack=server.slack_origin, providers=server.providers_origin, environment=server.environment())
    yield people
    await people.close()
    await server.close()


@pytest.fixture
def directory(studio: Workspace) -> SlackDirectory:
    """As the program makes it."""
    return SlackDirectory(client_of(studio.environment["SLACK_API_URL"], studio.environment["SLACK_BOT_TOKEN"]))


def client_of(api_url: str, token: str = "xoxb-sandbox") -> AsyncWebClient:
    """Without slack_sdk's own retries."""
    return SlackWorkspace(bot_token=token, api_url=api_url).client


def user(**changes: Any) -> dict[str, Any]:
    """A colleague's user object."""
    colleague = {"id": "U1", "team_id": "T1", "deleted": False, "is_bot": False, "is_admin": False, "is_owner": False}
    return {**colleague, "is_restricted": False, "is_ultra_restricted": False, **changes}


# --- what an object says --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (user(), Member(person="U1")),
        (user(is_admin=True), Member(person="U1", admin=True)),
        (user(is_owner=True), Member(person="U1", admin=True)),
        (user(is_restricted=True), Member(person="U1", guest=True)),
        (user(is_ultra_restricted=True), Member(person="U1", guest=True)),
        (user(is_bot=True), Member(person="U1", app=True)),
        (user(id="USLACKBOT"), Member(person="USLACKBOT", app=True)),
        (user(deleted=True), Member(person="U1", gone=True)),
        (user(team_id="T9"), Member(person="U1", outsider=True)),
        (user(is_stranger=True), Member(person="U1", outsider=True)),
        (user(team_id="T9", is_admin=True), Member(person="U1", outsider=True, admin=True)),
        (user(team_id=""), Member(person="U1", outsider=True)),
        (user(team_id=None), Member(person="U1", outsider=True)),
        ({}, Member(person="", outsider=True)),
    ],
    ids=[
        *("colleague", "admin", "owner", "guest", "guest of one channel", "app", "slackbot", "deactivated"),
        *("of another workspace", "stranger", "admin elsewhere", "of no workspace", "workspace unsaid", "empty"),
    ],
)
def test_what_a_user_object_says(given: dict[str, Any], wanted: Member) -> None:
    assert member_of(given, home=HOME) == wanted


@pytest.mark.parametrize(
    ("enterprise", "outsider"),
    [
        ({"enterprise_id": "E1", "teams": ["T8", "T1"]}, False),
        ({"enterprise_id": "E1", "teams": ["T8"]}, False),
        ({"enterprise_id": "E1"}, False),
        ({"enterprise_id": "E2", "teams": ["T8"]}, True),
        ({"enterprise_id": "", "teams": []}, True),
        (None, True),
    ],
)
def test_everybody_of_our_organisation_is_at_home(enterprise: dict[str, Any] | None, outsider: bool) -> None:
    of_organisation = user(team_id="E1" if outsider is False else "T8", enterprise_user=enterprise)
    assert member_of(of_organisation, home=GRID).outsider is outsider
    assert member_of({**of_organisation, "is_stranger": True}, home=GRID).outsider


def test_without_an_organisation_of_ours_another_ones_people_are_strangers() -> None:
    theirs = user(team_id="T8", enterprise_user={"enterprise_id": "E1", "teams": ["T8"]})
    assert member_of(theirs, home=HOME).outsider
    assert member_of(user(team_id="T8", enterprise_user={"enterprise_id": ""}), home=HOME).outsider


def test_who_is_at_home_when_slack_does_not_say_where_that_is() -> None:
    assert member_of(user(team_id=""), home=Home(team="")).outsider


# --- asking ---------------------------------------------------------------------------------------------------------


async def test_the_people_of_a_workspace(directory: SlackDirectory, studio: Workspace) -> None:
    assert await directory.member(MAYA) == Member(person=MAYA, admin=True)
    assert await directory.member(BEN) == Member(person=BEN)
    assert await directory.member(GUS) == Member(person=GUS, guest=True)
    assert await directory.member(OLGA) == Member(person=OLGA, outsider=True)
    assert await directory.member(DAILIES) == Member(person=DAILIES, app=True)
    assert await directory.member("U0NOBODY00") is None
    assert len(await studio.calls("auth.test")) == 1, "where home is was asked for once"


async def test_admins_are_found_over_several_pages(
    directory: SlackDirectory, studio: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAGE", 3)
    await studio.post("/user", action="create", name="ada", is_admin=True)
    await studio.post("/user", action="create", name="otto", is_owner=True, is_stranger=True)
    await studio.post("/user", action="create", name="lea", is_owner=True, deleted=True)
    people = (await studio.state())["users"].values()
    ada = next(person["id"] for person in people if person["name"] == "ada")
    assert await directory.admins() == (MAYA, ada)
    assert len(await studio.calls("users.list")) == 4

    monkeypatch.setattr(module, "ENOUGH_ADMINS", 1)
    assert await directory.admins() == (MAYA,)
    assert len(await studio.calls("users.list")) == 5, "nobody reads on for more than enough"


async def test_a_missing_scope_is_an_error_and_is_warned_of_once(directory: SlackDirectory, studio: Workspace) -> None:
    scopes = (await studio.configure())["scopes"]
    await studio.configure(scopes=[scope for scope in scopes if scope != "users:read"])
    with capture_logs() as logs:
        for look_up in (directory.member(MAYA), directory.member(BEN), directory.admins()):
            with pytest.raises(ChatUnauthorized, match="missing_scope"):
                await look_up
    (warning,) = logs
    assert (warning["event"], warning["log_level"], warning["scope"]) == (
        "people.scope_missing",
        "warning",
        "users:read",
    )
    assert "dailies manifest" in warning["mend"]

    await studio.configure(scopes=scopes)
    assert await directory.member(MAYA) == Member(person=MAYA, admin=True)


async def test_slack_says_how_long_to_wait(directory: SlackDirectory, studio: Workspace) -> None:
    await studio.configure(rate_limits={"users.info": {"calls": 1, "seconds": 60, "retry_after": 7}})
    await directory.member(MAYA)
    with pytest.raises(ChatError) as caught:
        await directory.member(MAYA)
    assert (caught.value.code, caught.value.retry_after_seconds) == ("ratelimited", 7)


async def test_a_slack_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SECONDS", 0.05)
    async with serving(silent) as server:
        with pytest.raises(ChatError):
            await SlackDirectory(client_of(f"{server.origin}/api/")).member(MAYA)
        assert server.accepted == 1
