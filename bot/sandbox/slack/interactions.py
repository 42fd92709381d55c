"""What people do that the app must acknowledge: commands, clicks, shortcuts, submissions. None is delivered
twice.

https://docs.slack.dev/interactivity
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from .actions import find_action
from .block_kit import check_view
from .entities import Channel, Ephemeral, Message, Person, View
from .http_delivery import Delivery
from .keyboard import typed
from .responses import Responses
from .settings import Settings
from .shapes import Shapes
from .sockets import EnvelopeType, NoAcknowledgement, Undelivered
from .timeline import Timeline
from .view_state import state_values
from .views import Views
from .wire import Json, Misuse, SlackError
from .workspace import SLACKBOT, Workspace

_VERIFICATION = "sandbox-verification-token"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How the app took an interaction. ``error`` is what Slack would tell the person."""

    acked: bool
    payload: Json | None = None
    error: str | None = None
    ack_seconds: float = 0.0
    trigger_id: str | None = None

    def to_json(self) -> Json:
        """The outcome as the control API answers it."""
        return {
            "acked": self.acked,
            "payload": self.payload,
            "error": self.error,
            "ack_seconds": self.ack_seconds,
            "trigger_id": self.trigger_id,
        }


class Interactions:
    """Sends interactions to the app and shows people what comes of them."""

    def __init__(
        self,
        *,
        workspace: Workspace,
        shapes: Shapes,
        timeline: Timeline,
        delivery: Delivery,
        responses: Responses,
        views: Views,
        settings: Callable[[], Settings],
    ) -> None:
        self._workspace = workspace
        self._shapes = shapes
        self._timeline = timeline
        self._delivery = delivery
        self._responses = responses
        self._views = views
        self._settings = settings

    async def slash(
        self, person: Person, channel: Channel, command: str, text: str, *, in_thread: bool = False
    ) -> Outcome:
        """A slash command. It works where the bot is no member, and nowhere in a thread."""
        settings = self._settings()
        if in_thread:
            return self._told(
                person, channel, f"{command} is not supported in threads. Sorry!", "not_supported_in_threads"
            )
        if command not in settings.commands or not self._workspace.installed:
            return self._told(person, channel, f"{command} is not a valid command.", "invalid_command")
        if channel.is_archived:
            raise Misuse("is_archived", channel.name)
        url = self._responses.make("commands", channel, person.id)
        trigger_id = self._views.trigger(person.id)
        payload = {
            "token": _VERIFICATION,
            "team_id": self._workspace.team.id,
            "team_domain": self._workspace.team.domain,
            "channel_id": channel.id,
            "channel_name": channel.label,
            "user_id": person.id,
            "user_name": person.name,
            "command": command,
            "text": typed(self._workspace, text.strip(), labels=True) if settings.should_escape else text.strip(),
            "api_app_id": self._workspace.app.id,
            "is_enterprise_install": "false",
            "response_url": self._responses.address(url),
            "trigger_id": trigger_id,
        }
        outcome = await self._send("slash_commands", payload, trigger_id, accepts=True)
        if outcome.error:
            return self._told(person, channel, f'{command} failed with the error "{outcome.error}"', outcome.error)
        if outcome.payload and ("text" in outcome.payload or "blocks" in outcome.payload):
            try:
                self._responses.answer(url, outcome.payload)
            except SlackError as problem:
                return self._told(person, channel, f'{command} failed with the error "{problem.error}"', problem.error)
        return outcome

    def _told(self, person: Person, channel: Channel, sentence: str, error: str) -> Outcome:
        """Slackbot says privately what went wrong."""
        self._timeline.show(channel, person.id, sentence, author=SLACKBOT)
        return Outcome(acked=False, error=error)

    async def click(
        self,
        person: Person,
        channel: Channel,
        shown: Message | Ephemeral,
        *,
        action_id: str,
        block_id: str | None = None,
        value: str | None = None,
        stale: bool = False,
    ) -> Outcome:
        """A click on an element of a message or an ephemeral.

        The element must be there as the message is now; ``stale`` also takes what an old client still shows.
        """
        if isinstance(shown, Ephemeral) and (shown.deleted or shown.user != person.id) and not stale:
            raise Misuse("message_not_found", f"{person.name} does not see {shown.ts}")
        generations = [shown.blocks, *(reversed(shown.revisions) if stale else ())]
        blocks, action = find_action(generations, action_id=action_id, block_id=block_id, value=value)
        action["action_ts"] = self._workspace.clock.ts()
        trigger_id = self._views.trigger(person.id)
        url = self._responses.make("actions", channel, person.id, shown)
        is_ephemeral = isinstance(shown, Ephemeral)
        container: Json = {"type": "message", "message_ts": shown.ts, "channel_id": channel.id}
        container["is_ephemeral"] = is_ephemeral
        if shown.thread_ts:
            container["thread_ts"] = shown.thread_ts
        payload = self._common("block_actions", person, trigger_id) | {
            "container": container,
            "channel": {"id": channel.id, "name": channel.label},
            "state": {"values": state_values(blocks, {})},
            "response_url": self._responses.address(url),
            "actions": [action],
        }
        if isinstance(shown, Message):
            payload["message"] = self._shapes.message(shown) | {"blocks": blocks}
        return await self._send("interactive", payload, trigger_id, accepts=False)

    async def click_in_view(
        self,
        person: Person,
        view: View,
        *,
        action_id: str,
        block_id: str | None = None,
        value: str | None = None,
        values: Json | None = None,
    ) -> Outcome:
        """A click on an element of an open modal or of the Home tab; ``values`` is what the inputs hold."""
        blocks, action = find_action([view.body["blocks"]], action_id=action_id, block_id=block_id, value=value)
        drawn = state_values(blocks, values or {}, files=self._file_shape)
        action["action_ts"] = self._workspace.clock.ts()
        trigger_id = self._views.trigger(person.id, view)
        payload = self._common("block_actions", person, trigger_id) | {
            "container": {"type": "view", "view_id": view.id},
            "view": self._shapes.view(view) | {"state": {"values": drawn}},
            "actions": [action],
        }
        return await self._send("interactive", payload, trigger_id, accepts=False)

    async def global_shortcut(self, person: Person, callback_id: str) -> Outcome:
        """A shortcut from the composer or the search; it knows no channel."""
        trigger_id = self._views.trigger(person.id)
        payload = self._common("shortcut", person, trigger_id)
        payload |= {"callback_id": callback_id, "action_ts": self._workspace.clock.ts()}
        return await self._send("interactive", payload, trigger_id, accepts=False)

    async def message_shortcut(self, person: Person, channel: Channel, message: Message, callback_id: str) -> Outcome:
        """A shortcut from a message's menu; the message goes along with its files."""
        trigger_id = self._views.trigger(person.id)
        url = self._responses.make("actions", channel, person.id)
        payload = self._common("message_action", person, trigger_id) | {
            "callback_id": callback_id,
            "action_ts": self._workspace.clock.ts(),
            "message_ts": message.ts,
            "message": self._shapes.message(message),
            "channel": {"id": channel.id, "name": channel.label},
            "response_url": self._responses.address(url),
        }
        return await self._send("interactive", payload, trigger_id, accepts=False)

    async def submit(self, person: Person, view: View, values: Json) -> Outcome:
        """Submits a modal with what was typed: ``{block_id: value}`` or ``{block_id: {action_id:
        value}}``."""
        blocks = view.body["blocks"]
        drawn = state_values(blocks, values, files=self._file_shape)
        trigger_id = self._views.trigger(person.id, view)
        payload = self._common("view_submission", person, trigger_id) | {
            "view": self._shapes.view(view) | {"state": {"values": drawn}},
            "response_urls": [],
        }
        outcome = await self._send("interactive", payload, trigger_id, accepts=True)
        if outcome.acked:
            self._obey(view, outcome.payload or {})
        return outcome

    def _file_shape(self, file_id: str) -> Json:
        file = self._workspace.files.get(file_id)
        if file is None:
            raise Misuse("file_not_found", file_id)
        return self._shapes.file(file)

    def _obey(self, view: View, answer: Json) -> None:
        """Does what the app's ``response_action`` says."""
        action = answer.get("response_action")
        if action == "errors":
            self._views.note(view, answer.get("errors", {}))
        elif action == "update":
            self._views.update(view, check_view(answer.get("view"), kind="modal"))
        elif action == "push":
            self._views.stack(view, check_view(answer.get("view"), kind="modal"))
        else:
            self._views.close(view, whole_stack=action == "clear")

    async def close_view(self, person: Person, view: View) -> Outcome:
        """Closes a modal; the app hears of it only with ``notify_on_close``."""
        self._views.close(view)
        if not view.body.get("notify_on_close"):
            return Outcome(acked=True)
        payload = self._common("view_closed", person, None)
        payload |= {"view": self._shapes.view(view), "is_cleared": False}
        return await self._send("interactive", payload, None, accepts=False)

    def _common(
        self,
        kind: Literal["block_actions", "shortcut", "message_action", "view_submission", "view_closed"],
        person: Person,
        trigger_id: str | None,
    ) -> Json:
        team = self._workspace.team
        payload: Json = {
            "type": kind,
            "team": {"id": team.id, "domain": team.domain},
            "user": {
                "id": person.id,
                "username": person.name,
                "name": person.name,
                "team_id": person.team_id,
            },
            "api_app_id": self._workspace.app.id,
            "token": _VERIFICATION,
            "enterprise": None,
            "is_enterprise_install": False,
        }
        if trigger_id is not None:
            payload["trigger_id"] = trigger_id
        return payload

    async def _send(self, kind: EnvelopeType, payload: Any, trigger_id: str | None, *, accepts: bool) -> Outcome:
        try:
            answer = await self._delivery.deliver(kind, payload, accepts_response=accepts)
        except NoAcknowledgement as silence:
            return Outcome(acked=False, error="operation_timeout", ack_seconds=silence.seconds, trigger_id=trigger_id)
        except Undelivered:
            return Outcome(acked=False, error="dispatch_failed", trigger_id=trigger_id)
        return Outcome(acked=True, payload=answer.payload, ack_seconds=answer.seconds, trigger_id=trigger_id)
