"""The app manifest is valid, and asks a workspace for nothing that the app does not use."""

import asyncio
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.clock import SystemClock
from bot.domain.pricing import PriceTable
from bot.sandbox.slack.settings import Settings as SandboxSettings
from bot.services.accounts import Accounts
from bot.services.configuring import Configuring
from bot.services.doorbell import Doorbell
from bot.services.gatekeeper import Gatekeeper
from bot.services.intake import Intake
from bot.services.policies import Policies
from bot.services.policy import Policy
from bot.services.presses import Presses
from bot.services.routing import Router
from bot.services.taking import Taking
from handlers.actions import PRESSES
from handlers.app import build_app
from handlers.blocks.kit import action_id
from handlers.directory import SlackDirectory
from handlers.doors import Doors, Identity
from handlers.manifest import BadAddress, request_url
from handlers.manifest import manifest as printed
from storage import MemoryStorage
from tests.support.slack_files import ToldFiles

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "tests" / "fixtures" / "manifest-schema" / "manifest.schema.2.0.0.json"

HANDLERS = ROOT / "handlers"
CARD = HANDLERS / "blocks" / "card.py"
CATCH_ALL = "anything_else"

Manifest = dict[str, Any]
"""A manifest as parsed: nested mappings and lists, shaped by Slack's schema."""


@dataclass(frozen=True, kw_only=True)
class Use:
    """What a scope is for: events delivered under it, methods that require it, features built on it."""

    events: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    features: tuple[str, ...] = ()


# From the reference pages of the events and methods at docs.slack.dev/reference.
USES: dict[str, Use] = {
    "app_mentions:read": Use(events=("app_mention",)),
    "channels:history": Use(events=("message.channels",), methods=("conversations.history", "conversations.replies")),
    "chat:write": Use(methods=("chat.postMessage", "chat.update", "chat.postEphemeral")),
    "commands": Use(features=("slash_commands",)),
    "files:read": Use(methods=("files.info",)),
    "files:write": Use(methods=("files.getUploadURLExternal", "files.completeUploadExternal", "files.delete")),
    "groups:history": Use(events=("message.groups",), methods=("conversations.history",)),
    "im:history": Use(events=("message.im",), methods=("conversations.history",)),
    "im:write": Use(methods=("conversations.open",)),
    "mpim:history": Use(events=("message.mpim",), methods=("conversations.history",)),
    "reactions:read": Use(events=("reaction_added", "reaction_removed"), methods=("reactions.get",)),
    "users:read": Use(methods=("users.info", "users.list")),
}


@pytest.fixture
def manifest() -> Manifest:
    """The committed manifest."""
    parsed: Manifest = yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8"))
    return parsed


@pytest.fixture
def validator() -> jsonschema.Draft7Validator:
    """Slack's schema, version 2."""
    return jsonschema.Draft7Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


def scopes(manifest: Manifest) -> list[str]:
    """The bot scopes that an installation is asked for."""
    listed: list[str] = manifest["oauth_config"]["scopes"]["bot"]
    return listed


def events(manifest: Manifest) -> list[str]:
    """The events that the app subscribes to."""
    listed: list[str] = manifest["settings"]["event_subscriptions"]["bot_events"]
    return listed


def test_the_manifest_satisfies_slacks_schema(manifest: Manifest, validator: jsonschema.Draft7Validator) -> None:
    faults = [f"{'/'.join(map(str, error.path))}: {error.message}" for error in validator.iter_errors(manifest)]

    assert faults == []


@pytest.mark.parametrize(
    ("place", "value", "complaint"),
    [
        (("display_information", "name"), "x" * 36, "is too long"),
        (("display_information", "long_description"), "short", "is too short"),
        (("features", "bot_user", "display_name"), None, "is not of type"),
        (("settings", "socket"), True, "Additional properties"),
    ],
)
def test_the_schema_in_use_refuses_a_broken_manifest(
    manifest: Manifest,
    validator: jsonschema.Draft7Validator,
    place: tuple[str, ...],
    value: object,
    complaint: str,
) -> None:
    """Guards the check itself: a schema that accepted everything would prove nothing."""
    *path, last = place
    target = manifest
    for step in path:
        target = target[step]
    target[last] = value

    messages = [error.message for error in validator.iter_errors(manifest)]

    assert any(complaint in message for message in messages)


def test_every_scope_is_justified_and_none_is_missing(manifest: Manifest) -> None:
    assert scopes(manifest) == sorted(USES)


def test_every_event_comes_with_its_scope_and_every_scopes_event_is_subscribed(manifest: Manifest) -> None:
    under_a_scope = {event for use in USES.values() for event in use.events}

    assert events(manifest) == sorted(under_a_scope)


def test_a_scope_for_a_feature_comes_with_the_feature(manifest: Manifest) -> None:
    needed = {feature for use in USES.values() for feature in use.features}

    assert needed <= manifest["features"].keys()


def test_no_user_token_and_no_optional_scope_is_asked_for(manifest: Manifest) -> None:
    assert manifest["oauth_config"]["scopes"].keys() == {"bot"}


def test_socket_mode_needs_no_public_address(manifest: Manifest) -> None:
    assert manifest["settings"]["socket_mode_enabled"] is True
    assert re.search(r"https?://", yaml.safe_dump(manifest)) is None


def test_buttons_and_direct_messages_reach_the_app(manifest: Manifest) -> None:
    assert manifest["settings"]["interactivity"] == {"is_enabled": True}
    assert manifest["features"]["app_home"] == {
        "home_tab_enabled": False,
        "messages_tab_enabled": True,
        "messages_tab_read_only_enabled": False,
    }


def test_a_prompt_arrives_with_people_and_channels_as_ids(manifest: Manifest) -> None:
    commands = {command["command"]: command for command in manifest["features"]["slash_commands"]}

    assert commands.keys() == {"/clip", "/clip-usage", "/clip-settings"}
    for command in commands.values():
        assert command["should_escape"] is True
        assert command["usage_hint"].strip()


def test_the_pretend_workspace_has_the_commands_of_the_manifest(manifest: Manifest) -> None:
    commands = manifest["features"]["slash_commands"]

    assert SandboxSettings().commands == tuple(command["command"] for command in commands)


def test_the_committed_manifest_is_the_one_that_the_command_prints(manifest: Manifest) -> None:
    assert manifest == printed()


def test_the_app_listens_to_every_command_and_event_that_the_manifest_names_and_to_no_other(
    manifest: Manifest,
) -> None:
    """Asks the Bolt app itself: each is dispatched, and one of our own listeners must take it."""
    app = an_app()
    named = {event.partition(".")[0] for event in events(manifest)}

    assert {event for event in (*named, "app_home_opened") if taker(app, event_body(event)) != CATCH_ALL} == named
    commands = [command["command"] for command in manifest["features"]["slash_commands"]]
    assert [command for command in (*commands, "/other") if taker(app, {"command": command})] == commands


@pytest.mark.parametrize(
    "address",
    [
        "https://bot.example",
        "https://bot.example/",
        "https://bot.example/slack/events",
        "https://bot.example/slack/events/",
    ],
)
def test_over_http_every_request_goes_to_the_one_door(address: str, validator: jsonschema.Draft7Validator) -> None:
    over_http = printed(http=address)
    url = "https://bot.example/slack/events"

    assert [error.message for error in validator.iter_errors(over_http)] == []
    assert over_http["settings"]["socket_mode_enabled"] is False
    assert over_http["settings"]["event_subscriptions"]["request_url"] == url
    assert over_http["settings"]["interactivity"]["request_url"] == url
    assert {command["url"] for command in over_http["features"]["slash_commands"]} == {url}


def test_the_mode_changes_nothing_else_of_the_manifest(manifest: Manifest) -> None:
    over_http = printed(http="https://bot.example")
    over_http["settings"]["socket_mode_enabled"] = True
    del over_http["settings"]["event_subscriptions"]["request_url"]
    del over_http["settings"]["interactivity"]["request_url"]
    for command in over_http["features"]["slash_commands"]:
        del command["url"]

    assert over_http == manifest


def test_a_proxys_own_path_stays_before_ours() -> None:
    assert request_url("https://example.org/bots/dailies") == "https://example.org/bots/dailies/slack/events"


@pytest.mark.parametrize("address", ["http://localhost:3000", "http://127.0.0.1:3000", "http://[::1]:3000"])
def test_without_tls_only_this_machine_is_an_address(address: str) -> None:
    assert request_url(address) == f"{address}/slack/events"


@pytest.mark.parametrize(
    "address",
    ["", "bot.example", "http://bot.example", "ftp://bot.example", "https://", "https://[", "https://me:word@bot.example",
     "https://bot.example?x=1", "https://bot.example#x"],
)  # fmt: skip
def test_what_slack_could_not_reach_safely_is_refused(address: str) -> None:
    with pytest.raises(BadAddress):
        request_url(address)


def test_every_button_that_is_drawn_has_a_listener() -> None:
    drawn = {action_id(label) for label in re.findall(r'button\(\s*"([A-Z][^"]*)"', CARD.read_text(encoding="utf-8"))}

    assert drawn == set(PRESSES)


def test_every_web_api_method_that_is_called_is_covered_by_a_scope() -> None:
    """The client's methods are named as Slack's, with underscores; opening a socket is the app token's right."""
    source = "".join(path.read_text(encoding="utf-8") for path in HANDLERS.glob("*.py"))
    called = {f"{family}.{verb}" for family, verb in re.findall(r"client\.([a-z]+)_(\w+)\(", source)}
    called -= {"api.call"}
    called |= set(re.findall(r'api_call\("([\w.]+)"', source))

    # apps.connections.open takes the app-level token, whose scope stands in no manifest; a permalink needs none.
    assert called - {"auth.test", "apps.connections_open", "chat.getPermalink"} == {
        method for use in USES.values() for method in use.methods
    }


def test_without_the_history_scopes_nothing_is_asked_that_would_need_them() -> None:
    small = printed(history=False)

    assert [scope for scope in scopes(small) if "history" in scope] == []
    assert [event for event in events(small) if event.startswith("message")] == []


def an_app() -> AsyncApp:
    """The app with all its listeners, connected to nothing."""
    client = AsyncWebClient(token="xoxb-sandbox", base_url="http://127.0.0.1:9/")
    identity = Identity(workspace="T1", bot_user="U1", bot_id="B1")
    return build_app(client=client, identity=identity, doors=some_doors(client, identity))


def some_doors(client: AsyncWebClient, identity: Identity) -> Doors:
    """The use-cases over nothing; no listener runs in these tests."""
    storage, clock, doorbell = MemoryStorage(), SystemClock(), Doorbell()
    policies = Policies(storage=storage, operator=Policy())
    gatekeeper = Gatekeeper(directory=SlackDirectory(client), clock=clock)
    return Doors(
        intake=Intake(
            storage=storage,
            router=Router({}, PriceTable()),
            policies=policies,
            gatekeeper=gatekeeper,
            taking=Taking(storage=storage, clock=clock, wake=doorbell.ring),
            doorbell=doorbell,
        ),
        presses=Presses(storage=storage, policies=policies, gatekeeper=gatekeeper, clock=clock, wake=doorbell.ring),
        policies=policies,
        accounts=Accounts(storage=storage, policies=policies, gatekeeper=gatekeeper, clock=clock),
        configuring=Configuring(storage=storage, policies=policies, gatekeeper=gatekeeper, clock=clock),
        files=ToldFiles(),
        client=client,
        identity=identity,
    )


def event_body(event: str) -> dict[str, Any]:
    """The least of an Events API request."""
    return {"type": "event_callback", "event": {"type": event}}


def taker(app: AsyncApp, body: dict[str, Any]) -> str | None:
    """The name of the first listener that matches the request; None when none does."""
    request = AsyncBoltRequest(mode="socket_mode", body=body)

    async def find() -> str | None:
        for listener in app._async_listeners:
            if await listener.async_matches(req=request, resp=BoltResponse(status=404)):
                return listener.ack_function.__name__
        return None

    return asyncio.run(find())
