"""Modals and Home tabs: opened within three seconds of a trigger, pushed, updated, submitted, closed.

https://docs.slack.dev/surfaces/modals
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from .entities import View
from .settings import Settings
from .wire import Json, Misuse, SlackError
from .workspace import Workspace

MAX_STACK = 3


@dataclass(kw_only=True)
class Trigger:
    """Permission to open one view for the person who just did something; ``view`` is the modal it came
    from."""

    user: str
    made_at: float
    view: View | None = None
    used: bool = False


class Views:
    """All views that were ever opened, and the triggers that may open more."""

    def __init__(self, workspace: Workspace, settings: Callable[[], Settings], changed: Callable[[], None]) -> None:
        self._workspace = workspace
        self._settings = settings
        self._changed = changed
        self._triggers: dict[str, Trigger] = {}
        self._home: dict[str, View] = {}

    def trigger(self, user: str, view: View | None = None) -> str:
        """A new trigger_id."""
        word = f"{self._workspace.clock.ts()}.{self._workspace.ids.secret(16)}"
        self._triggers[word] = Trigger(user=user, made_at=time.monotonic(), view=view)
        return word

    def open(self, trigger_id: str, body: Json) -> View:
        """``views.open``: a new stack of modals."""
        trigger = self._redeem(trigger_id)
        return self._new(trigger.user, body, previous=None)

    def push(self, trigger_id: str, body: Json) -> View:
        """``views.push``: a modal on top of the one the trigger came from; three at most."""
        trigger = self._redeem(trigger_id)
        if trigger.view is None or not trigger.view.is_open:
            raise SlackError("not_found")
        return self.stack(trigger.view, body)

    def stack(self, below: View, body: Json) -> View:
        """A modal on top of another."""
        if len(self._stack_of(below)) >= MAX_STACK:
            raise SlackError("push_limit_reached")
        return self._new(below.user, body, previous=below)

    def publish(self, user: str, body: Json, *, expected_hash: str | None) -> View:
        """``views.publish``: a person's Home tab."""
        existing = self._home.get(user)
        if existing is not None:
            return self.update(existing, body, expected_hash=expected_hash)
        self._home[user] = self._new(user, body, previous=None)
        return self._home[user]

    def home(self, user: str) -> View | None:
        """The Home tab that was published for a person."""
        return self._home.get(user)

    def update(self, view: View, body: Json, *, expected_hash: str | None = None) -> View:
        """``views.update``; a stale hash is refused."""
        if expected_hash and expected_hash != view.hash:
            raise SlackError("hash_conflict")
        self._check_external_id(body, other_than=view)
        view.body = self._with_ids(body)
        view.hash = self._hash()
        view.notes = {}
        self._changed()
        return view

    def find(self, *, view_id: str | None, external_id: str | None) -> View:
        """An open view, as ``views.update`` names it."""
        for view in self._workspace.views.values():
            if view.is_open and (view.id == view_id or (external_id and view.body.get("external_id") == external_id)):
                return view
        raise SlackError("not_found")

    def top(self, user: str, view_id: str | None = None) -> View:
        """The modal a person sees, or the open one with this id. Raises `Misuse` when there is none."""
        mine = [view for view in self._workspace.views.values() if view.user == user and view.is_open]
        chosen = [view for view in mine if view.id == view_id] if view_id else mine
        modals = [view for view in chosen if view.body["type"] == "modal"]
        if not modals:
            raise Misuse("no_open_view", view_id or user)
        return modals[-1]

    def close(self, view: View, *, whole_stack: bool = False) -> None:
        """The view disappears; with ``whole_stack`` also those below it."""
        for one in self._stack_of(view) if whole_stack else [view]:
            one.is_open = False
        self._changed()

    def note(self, view: View, errors: dict[str, str]) -> None:
        """Shows errors under the blocks of a view, as ``response_action: errors`` asks."""
        view.notes = dict(errors)
        self._changed()

    def _stack_of(self, view: View) -> list[View]:
        return [one for one in self._workspace.views.values() if one.root == view.root and one.is_open]

    def _redeem(self, trigger_id: str) -> Trigger:
        trigger = self._triggers.get(trigger_id)
        if trigger is None:
            raise SlackError("invalid_trigger_id")
        if trigger.used:
            raise SlackError("exchanged_trigger_id")
        if time.monotonic() - trigger.made_at > self._settings().trigger_seconds:
            raise SlackError("expired_trigger_id")
        trigger.used = True
        return trigger

    def _new(self, user: str, body: Json, *, previous: View | None) -> View:
        self._check_external_id(body)
        view_id = self._workspace.ids.new("V")
        view = View(
            id=view_id,
            user=user,
            body=self._with_ids(body),
            hash=self._hash(),
            root=previous.root if previous else view_id,
            previous=previous.id if previous else None,
        )
        self._workspace.views[view_id] = view
        self._changed()
        return view

    def _check_external_id(self, body: Json, other_than: View | None = None) -> None:
        name = body.get("external_id")
        for view in self._workspace.views.values():
            if name and view.is_open and view is not other_than and view.body.get("external_id") == name:
                raise SlackError("duplicate_external_id")

    def _with_ids(self, body: Json) -> Json:
        ids = self._workspace.ids
        blocks = [{**block, "block_id": block.get("block_id") or ids.secret(5)} for block in body["blocks"]]
        return {**body, "blocks": blocks}

    def _hash(self) -> str:
        return f"{self._workspace.clock.ts()}.{self._workspace.ids.secret(8)}"
