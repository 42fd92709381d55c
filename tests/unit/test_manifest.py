"""The app manifest is valid, and asks a workspace for nothing that the app does not use."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "tests" / "fixtures" / "manifest-schema" / "manifest.schema.2.0.0.json"

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
    "channels:history": Use(events=("message.channels",), methods=("conversations.history",)),
    "chat:write": Use(methods=("chat.postMessage", "chat.update", "chat.postEphemeral")),
    "commands": Use(features=("slash_commands",)),
    "files:read": Use(methods=("files.info",)),
    "files:write": Use(
        methods=("files.getUploadURLExternal", "files.completeUploadExternal", "files.delete")
    ),
    "groups:history": Use(events=("message.groups",), methods=("conversations.history",)),
    "im:history": Use(events=("message.im",), methods=("conversations.history",)),
    "im:write": Use(methods=("conversations.open",)),
    "mpim:history": Use(events=("message.mpim",), methods=("conversations.history",)),
    "reactions:read": Use(events=("reaction_added", "reaction_removed"), methods=("reactions.get",)),
    "users:read": Use(methods=("users.info",)),
}
EVENTS_WITHOUT_SCOPE = {"app_uninstalled", "tokens_revoked"}


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


def test_the_manifest_satisfies_slacks_schema(
    manifest: Manifest, validator: jsonschema.Draft7Validator
) -> None:
    faults = [
        f"{'/'.join(map(str, error.path))}: {error.message}" for error in validator.iter_errors(manifest)
    ]

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

    assert events(manifest) == sorted(under_a_scope | EVENTS_WITHOUT_SCOPE)


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

    assert commands.keys() == {"/clip"}
    assert commands["/clip"]["should_escape"] is True
    assert commands["/clip"]["usage_hint"].strip()
