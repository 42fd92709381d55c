"""The workspace: who and what is in it, and how it is found."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from .clock import Clock, Identifiers
from .entities import App, Channel, ChannelKind, File, Message, Person, Team, View
from .wire import Misuse

TEAM = Team(id="T0STUDIO01", name="Studio", domain="studio")
OTHER_TEAM_ID = "T0AGENCY02"
APP = App(id="A0DAILIES1", bot_id="B0DAILIES1", user_id="U0DAILIES1", name="dailies")
SLACKBOT = "USLACKBOT"

_PEOPLE = (
    Person(
        id="U0MAYA0001",
        name="maya",
        real_name="Maya Lindqvist",
        team_id=TEAM.id,
        is_owner=True,
        is_admin=True,
    ),
    Person(id="U0BEN00002", name="ben", real_name="Ben Okafor", team_id=TEAM.id),
    Person(id="U0CHLOE003", name="chloe", real_name="Chloé Moreau", team_id=TEAM.id),
    Person(id="U0DEV00004", name="dev", real_name="Dev Patel", team_id=TEAM.id),
    Person(
        id="U0GUS00005",
        name="gus",
        real_name="Gus Weber",
        team_id=TEAM.id,
        is_restricted=True,
        is_ultra_restricted=True,
    ),
    Person(id="U0OLGA0006", name="olga", real_name="Olga Petrova", team_id=OTHER_TEAM_ID, is_stranger=True),
    Person(id=APP.user_id, name=APP.name, real_name="Dailies", team_id=TEAM.id, is_bot=True),
    Person(id=SLACKBOT, name="slackbot", real_name="Slackbot", team_id=TEAM.id, is_bot=True),
)
_COLLEAGUES = ("maya", "ben", "chloe", "dev")


class Workspace:
    """All state of one Slack workspace. Finding raises `Misuse`; the Web API has its own words for the
    same."""

    def __init__(self, clock: Clock, ids: Identifiers) -> None:
        self.clock = clock
        self.ids = ids
        self.team = TEAM
        self.app = APP
        self.installed = True
        self.people: dict[str, Person] = {person.id: person for person in _PEOPLE}
        self.channels: dict[str, Channel] = {}
        self.files: dict[str, File] = {}
        self.views: dict[str, View] = {}
        everyone = [*_COLLEAGUES, "gus", "olga", APP.name]
        self.add_channel("dailies", members=everyone, channel_id="C0DAILIES1")
        self.add_channel("dailies-two", members=[*_COLLEAGUES, APP.name], channel_id="C0DAILIES2")
        self.add_channel("private", kind="group", members=["maya", "ben", APP.name], channel_id="C0PRIVATE3")
        self.add_channel("lobby", members=list(_COLLEAGUES), channel_id="C0LOBBY004")
        attic = self.add_channel("attic", members=[*_COLLEAGUES, APP.name], channel_id="C0ATTIC005")
        attic.is_archived = True

    def add_person(self, name: str, **traits: Any) -> Person:
        """A new person, member of no channel yet; ``traits`` are fields of `Person`."""
        if any(person.name == name for person in self.people.values()):
            raise Misuse("name_taken", name)
        traits.setdefault("team_id", OTHER_TEAM_ID if traits.get("is_stranger") else self.team.id)
        traits.setdefault("real_name", name.title())
        person = Person(id=self.ids.new("U"), name=name, **traits)
        self.people[person.id] = person
        return person

    def change_person(self, key: str, **traits: Any) -> Person:
        """The person with some traits replaced."""
        person = dataclasses.replace(self.person(key), **traits)
        self.people[person.id] = person
        return person

    def add_channel(
        self,
        name: str,
        *,
        kind: ChannelKind = "channel",
        members: list[str] | None = None,
        channel_id: str | None = None,
    ) -> Channel:
        """A new conversation with these members (ids or names)."""
        ids = [self.person(member).id for member in members or []]
        channel = Channel(
            id=channel_id or self.ids.new("D" if kind == "im" else "C"),
            name=name,
            kind=kind,
            creator=ids[0] if ids else APP.user_id,
            created=int(self.clock.now()),
            members=ids,
        )
        self.channels[channel.id] = channel
        return channel

    def person(self, key: str) -> Person:
        """A person by id or name (with or without ``@``)."""
        word = key.removeprefix("@")
        if word in self.people:
            return self.people[word]
        for person in self.people.values():
            if person.name == word:
                return person
        raise Misuse("user_not_found", key)

    def channel(self, key: str, *, user: Person | None = None) -> Channel:
        """A channel by id, by ``#name``, or ``@name`` / ``dm`` for the direct messages with the bot."""
        if key in self.channels:
            return self.channels[key]
        if key == "dm" and user is not None:
            return self.direct_messages(user.id)
        if key.startswith("@"):
            return self.direct_messages(self.person(key).id)
        word = key.removeprefix("#")
        for channel in self.channels.values():
            if channel.name == word and channel.kind != "im":
                return channel
        raise Misuse("channel_not_found", key)

    def direct_messages(self, user_id: str) -> Channel:
        """The conversation between a person and the bot; made when first needed."""
        for channel in self.channels.values():
            if channel.kind == "im" and user_id in channel.members:
                return channel
        return self.add_channel(user_id, kind="im", members=[user_id, self.app.user_id])

    def message(self, channel: Channel, ts: str) -> Message:
        """A message that still stands in the channel."""
        message = channel.messages.get(ts)
        if message is None or message.deleted:
            raise Misuse("message_not_found", f"{ts} in {channel.name}")
        return message

    def bot_is_in(self, channel: Channel) -> bool:
        """Whether the app's bot user is a member."""
        return self.app.user_id in channel.members

    def is_shared(self, channel: Channel) -> bool:
        """Whether people of another organisation are in it (Slack Connect)."""
        return any(self.people[user].team_id != self.team.id for user in channel.members)

    def replies(self, channel: Channel, thread_ts: str) -> Iterator[Message]:
        """The standing replies of a thread in order of time, without the parent."""
        for ts in channel.threads.get(thread_ts, ()):
            message = channel.messages[ts]
            if not message.deleted:
                yield message
