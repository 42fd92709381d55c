"""What changed since the last look, found without drawing everything anew.

Of every entity a mark is kept: a small tuple that differs whenever the entity would be drawn otherwise.
Comparing marks costs microseconds a message; only those that differ are drawn and sent.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from ..faults import Faults
from ..providers import Providers
from ..slack.entities import Channel, Ephemeral, File, Message, View
from ..slack.slack import Slack
from . import drawing
from .drawing import Json
from .verdict import Auditor, Books, Charge, Clip, job_of_clip, job_of_key

LAST_CHARGES = 200
"""So many charges are sent one by one; all of them are in the sums."""

_PROVIDERS_EVERY = 0.5  # seconds: their snapshot draws every task

_HINDERS_NOTHING = "duplicate"
"""The one kind of trouble with which everything still arrives."""

Mark = Hashable


class Feed:
    """The state of one sandbox as a stream. All pages share it: `changes` gives each change once."""

    def __init__(self, *, slack: Slack, providers: Providers, faults: Faults) -> None:
        self._slack = slack
        self._workspace = slack.workspace
        self._providers = providers
        self._faults = faults
        self._marks: dict[tuple[str, ...], Mark] = {}
        self._wholes: dict[str, Json] = {}
        self._auditor = Auditor()
        self._glance: Json = {}
        self._charges: tuple[Charge, ...] = ()
        self._glanced_at = 0.0

    def state(self) -> Json:
        """Everything, and from here on `changes` counts."""
        self._marks.clear()
        self._wholes.clear()
        workspace = self._workspace
        app = {
            "type": "state",
            "team": workspace.team.name,
            "bot": workspace.app.user_id,
        }
        return app | self._differences()

    def changes(self) -> Json | None:
        """What is different since the last call of this or of `state`; None when nothing is."""
        found = self._differences()
        return {"type": "change"} | found if found else None

    def _differences(self) -> Json:
        found: Json = {
            "users": self._users(),
            "channels": self._channels(),
            "messages": self._messages(),
            "ephemerals": self._ephemerals(),
            "views": self._views(),
            "bench": self._whole_if_new("bench", self._draw_bench()),
            "settings": self._whole_if_new("settings", drawing.settings(self._slack.settings)),
        }
        return {name: part for name, part in found.items() if part}

    def _is_new(self, key: tuple[str, ...], mark: Mark) -> bool:
        if self._marks.get(key) == mark:
            return False
        self._marks[key] = mark
        return True

    def _whole_if_new(self, name: str, drawn: Json) -> Json:
        if self._wholes.get(name) == drawn:
            return {}
        self._wholes[name] = drawn
        return drawn

    def _users(self) -> list[Json]:
        people = self._workspace.people.values()
        return [drawing.person(one) for one in people if self._is_new(("user", one.id), one)]

    def _channels(self) -> list[Json]:
        return [
            drawing.channel(one)
            for one in self._workspace.channels.values()
            if self._is_new(("channel", one.id), (one.name, one.is_archived, tuple(one.members)))
        ]

    def _messages(self) -> list[Json]:
        files = self._workspace.files
        return [
            drawing.message(self._workspace, channel, one)
            for channel in self._workspace.channels.values()
            for one in channel.messages.values()
            if self._is_new(("message", channel.id, one.ts), _message_mark(channel, one, files))
        ]

    def _ephemerals(self) -> list[Json]:
        return [
            drawing.ephemeral(one)
            for channel in self._workspace.channels.values()
            for one in channel.ephemerals.values()
            if self._is_new(("ephemeral", channel.id, one.ts), _ephemeral_mark(one))
        ]

    def _views(self) -> list[Json]:
        return [
            drawing.view(one)
            for one in self._workspace.views.values()
            if self._is_new(("view", one.id), _view_mark(one))
        ]

    def _draw_bench(self) -> Json:
        """What is behind the scenes: connections, troubles, money."""
        return {
            "connected": self._is_connected(),
            "delivery": self._slack.settings.delivery.mode,
            "sockets": len(self._slack.sockets.connections),
            "can_kill": self._faults.bot_pid is not None,
            "faults": self._faults.listing(),
            "providers": self._draw_providers(),
            "verdict": asdict(self._auditor.verdict(self._books())),
        }

    def _is_connected(self) -> bool:
        """Whether the app hears of what people do: a socket is open, or its URL answered last time."""
        if self._slack.settings.delivery.mode == "http":
            return self._slack.http.is_answered and not self._faults.bot_is_gone
        return bool(self._slack.sockets.connections)

    def _draw_providers(self) -> Json:
        now = time.monotonic()
        if not self._glance or now - self._glanced_at >= _PROVIDERS_EVERY:
            snapshots = self._providers.snapshot()
            self._glance = {name: _account(shown) for name, shown in snapshots.items()}
            self._charges = tuple(charge for shown in snapshots.values() for charge in _charges(shown))
            self._glanced_at = now
        return self._glance

    def _books(self) -> Books:
        return Books(charges=self._charges, clips=tuple(self._clips()), is_hindered=self._is_hindered())

    def _clips(self) -> Iterator[Clip]:
        """Every clip that the bot put into a thread, also those that were deleted since."""
        files, bot = self._workspace.files, self._workspace.app.user_id
        for channel in self._workspace.channels.values():
            for message in channel.messages.values():
                for file in (files[key] for key in message.files if message.user == bot):
                    job = job_of_clip(file.name)
                    if job is not None:
                        yield Clip(job=job, name=file.name, stands=not (message.deleted or file.deleted))

    def _is_hindered(self) -> bool:
        """Whether the bot is away, or trouble that stands has already struck."""
        return not self._is_connected() or any(
            rule["times"] != 0 and rule["fired"] and _kind(rule) != _HINDERS_NOTHING for rule in self._faults.listing()
        )


def _message_mark(channel: Channel, shown: Message, files: dict[str, File]) -> Mark:
    if shown.deleted:
        return True
    return (
        shown.text,
        len(shown.revisions),
        shown.tombstone,
        shown.edited["ts"] if shown.edited else None,
        tuple((name, *users) for name, users in shown.reactions.items()),
        tuple(_file_mark(files[key]) for key in shown.files),
        _thread_mark(channel, shown.ts),
    )


def _file_mark(shown: File) -> Mark:
    return (shown.id, shown.processed, shown.deleted, shown.received)


def _thread_mark(channel: Channel, ts: str) -> Mark:
    replies: Iterable[str] = channel.threads.get(ts, ())
    return tuple(reply for reply in replies if not channel.messages[reply].deleted)


def _ephemeral_mark(shown: Ephemeral) -> Mark:
    return (shown.deleted, len(shown.revisions))


def _view_mark(shown: View) -> Mark:
    return (shown.is_open, shown.hash, tuple(shown.notes.items()))


def _kind(rule: Mapping[str, Any]) -> str:
    return str(rule["action"]["kind"])


def _charges(snapshot: object) -> list[Charge]:
    """Every charge of a provider's account, as the verdict needs it."""
    if not isinstance(snapshot, dict):
        return []
    return [_charge(charge) for charge in snapshot["ledger"]]


def _charge(entry: Mapping[str, Any]) -> Charge:
    job = job_of_key(entry["key"])
    return Charge(
        job=job or entry["key"] or entry["task_id"],
        names_job=job is not None,
        prompt=entry["prompt"],
        is_at_work=entry["status"] == "charged",
        is_refunded=entry["status"] == "refunded",
    )


def _account(snapshot: object) -> Json:
    """A provider's account at a glance, in micro-dollars."""
    if not isinstance(snapshot, dict):
        return {}
    charges = snapshot["ledger"]
    return {
        "balance_micro_usd": snapshot["balance_micro_usd"],
        "charged_micro_usd": sum(charge["micro_usd"] for charge in charges if charge["status"] != "refunded"),
        "ledger": charges[-LAST_CHARGES:],
    }
