"""The Events API: which events reach the app, how they are wrapped, and how they are delivered again.

https://docs.slack.dev/apis/events-api

Faults taken here, at point ``slack:event``, phase ``do`` (facts: type, user, text, reaction):

``duplicate``   {times = 2} the same event, with one id, is delivered that often
``lose_first``  the first delivery is lost; only retries arrive
``lose``        it never arrives
``delay``       {seconds} it arrives that much later
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from ..faults import Faults
from .entities import Channel
from .http_delivery import Delivery
from .settings import Settings
from .sockets import Undelivered
from .wire import Json, Misuse
from .workspace import Workspace

_KEPT_EVENTS = 20_000
_MESSAGE_SUBSCRIPTIONS = {
    "channel": "message.channels",
    "group": "message.groups",
    "im": "message.im",
    "mpim": "message.mpim",
}


@dataclass(kw_only=True)
class Event:
    """One event as the app is told it; ``attempts`` counts deliveries, also those that found nobody."""

    id: str
    wrapper: Json
    attempts: int = 0
    acked: bool = False
    given_up: bool = False


class Events:
    """Sends events to the app, and again on a schedule while they are not acknowledged."""

    def __init__(
        self,
        *,
        workspace: Workspace,
        delivery: Delivery,
        faults: Faults,
        settings: Callable[[], Settings],
        changed: Callable[[], None],
    ) -> None:
        self._workspace = workspace
        self._delivery = delivery
        self._faults = faults
        self._settings = settings
        self._changed = changed
        self._tasks: set[asyncio.Task[None]] = set()
        self.sent: deque[Event] = deque(maxlen=_KEPT_EVENTS)

    def emit(self, event: Json, channel: Channel | None = None, *, copies: int = 1) -> str | None:
        """Tells the app, if it subscribes to it and is in the channel. Returns the event's id, or None.

        ``copies`` delivers the same event that many times at once, as Slack now and then does.
        """
        if not self._reaches(event, channel):
            return None
        wrapper = self._wrapped(event, channel)
        told = Event(id=wrapper["event_id"], wrapper=wrapper)
        self.sent.append(told)
        facts = {name: event.get(name, "") for name in ("type", "user", "text", "reaction")}
        fault = self._faults.take("slack:event", "do", facts) or {"kind": "none"}
        if fault["kind"] == "duplicate":
            copies = max(copies, int(str(fault.get("times", 2))))
        if fault["kind"] == "lose":
            copies = 0
        delay = float(str(fault.get("seconds", 0.0))) if fault["kind"] == "delay" else 0.0
        for _ in range(copies):
            self._spawn(self._deliver(told, delay=delay, lose_first=fault["kind"] == "lose_first"))
        return told.id

    def redeliver(self, *, event_id: str | None = None, last: int = 0) -> list[str]:
        """Delivers past events again with their own ids. Raises `Misuse` when ``event_id`` is not known."""
        if event_id is not None:
            chosen = [event for event in self.sent if event.id == event_id]
            if not chosen:
                raise Misuse("event_not_found", event_id)
        else:
            chosen = list(self.sent)[-last:] if last > 0 else []
        for event in chosen:
            self._spawn(self._attempt_as_task(event))
        return [event.id for event in chosen]

    def _reaches(self, event: Json, channel: Channel | None) -> bool:
        if not self._workspace.installed:
            return event["type"] in {"app_uninstalled", "tokens_revoked"}
        if channel is not None and not self._workspace.bot_is_in(channel):
            return False
        name = event["type"]
        if name == "message" and channel is not None:
            name = _MESSAGE_SUBSCRIPTIONS[channel.kind]
        return name in self._settings().subscriptions

    def _wrapped(self, event: Json, channel: Channel | None) -> Json:
        workspace = self._workspace
        event.setdefault("event_ts", workspace.clock.ts())
        return {
            "token": "sandbox-verification-token",
            "team_id": workspace.team.id,
            "context_team_id": workspace.team.id,
            "context_enterprise_id": None,
            "enterprise_id": None,
            "api_app_id": workspace.app.id,
            "event": event,
            "type": "event_callback",
            "event_id": workspace.ids.new("Ev"),
            "event_time": int(float(event["event_ts"])),
            "authorizations": [
                {
                    "enterprise_id": None,
                    "team_id": workspace.team.id,
                    "user_id": workspace.app.user_id,
                    "is_bot": True,
                    "is_enterprise_install": False,
                }
            ],
            "is_ext_shared_channel": channel is not None and workspace.is_shared(channel),
            "event_context": f"4-{workspace.ids.secret(16)}",
        }

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, event: Event, *, delay: float, lose_first: bool) -> None:
        """The first delivery and its retries. A lost first delivery counts as one that timed out."""
        if delay:
            await asyncio.sleep(delay)
        reason = "timeout" if lose_first else await self._attempt(event)
        for attempt, wait in enumerate(self._settings().retry_schedule, start=1):
            if reason is None or event.given_up:
                return
            await asyncio.sleep(wait)
            reason = await self._attempt(event, attempt=attempt, reason=reason)
        event.given_up = reason is not None
        self._changed()

    async def _attempt_as_task(self, event: Event) -> None:
        await self._attempt(event)

    async def _attempt(self, event: Event, *, attempt: int = 0, reason: str = "") -> str | None:
        """One delivery: None when it was acknowledged, else why not."""
        event.attempts += 1
        try:
            await self._delivery.deliver(
                "events_api",
                event.wrapper,
                accepts_response=False,
                event_id=event.id,
                retry_attempt=attempt,
                retry_reason=reason,
            )
        except Undelivered as problem:
            event.given_up = not problem.again
            return problem.reason
        event.acked = True
        return None

    async def close(self) -> None:
        """Stops all deliveries under way."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
