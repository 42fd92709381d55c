"""Every door of the app over a storage, without Slack: requests as Slack sends them go in, and what each person was
told comes out.

    front = Front(house, people_deny=frozenset({"U9"}))
    await front.command("U1", "a red panda")
    await front.press("U2", "clip.promote", f"{job.id}:1")
    assert front.told == [...]
"""

import itertools
import json
from dataclasses import dataclass
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.services.accounts import Accounts
from bot.services.configuring import Configuring
from handlers.app import build_app
from handlers.doors import Doors, Identity
from tests.support.services import CLIP, ROOT, House
from tests.support.slack_files import ToldFiles

BOT = "UBOT"
IDENTITY = Identity(workspace="T1", bot_user=BOT, bot_id="B1")


@dataclass(frozen=True, kw_only=True)
class Told:
    """Words for one person alone."""

    person: str
    text: str


class Ears(AsyncWebClient):
    """Hears what would be shown to somebody, and is connected to nothing."""

    def __init__(self) -> None:
        super().__init__(token="xoxb-sandbox", base_url="http://127.0.0.1:9/")
        self.heard: list[Told] = []

    async def chat_postEphemeral(self, *, user: str, text: str | None = None, **_: Any) -> AsyncSlackResponse:  # noqa: N802 - Slack's
        """Takes it down."""
        self.heard.append(Told(person=user, text=text or ""))
        return AsyncSlackResponse(
            client=self, http_verb="POST", api_url="", req_args={}, data={"ok": True}, headers={}, status_code=200
        )


class Front:
    """The app of a house, under a policy."""

    def __init__(self, house: House, *, files: ToldFiles | None = None, **policy: Any) -> None:
        self._ears = Ears()
        policies, gatekeeper = house.policies(**policy), house.gatekeeper()
        self.doors = Doors(
            intake=house.intake(**policy),
            presses=house.presses(**policy),
            policies=policies,
            accounts=Accounts(storage=house.storage, policies=policies, gatekeeper=gatekeeper, clock=house.clock),
            configuring=Configuring(storage=house.storage, policies=policies, gatekeeper=gatekeeper, clock=house.clock),
            files=files or ToldFiles(),
            client=self._ears,
            identity=IDENTITY,
        )
        self.app: AsyncApp = build_app(client=self._ears, identity=IDENTITY, doors=self.doors)
        self._events = itertools.count(1)

    @property
    def told(self) -> list[Told]:
        """Everything that was said to one person alone, in order."""
        return self._ears.heard

    async def command(self, person: str, text: str, *, name: str = "/clip", channel: str = "C1") -> None:
        """A slash command; its answer counts as told."""
        number = next(self._events)
        said = await self._send(
            {
                "command": name,
                "text": text,
                "team_id": "T1",
                "channel_id": channel,
                "user_id": person,
                "trigger_id": f"trigger-{number}",
            }
        )
        self._ears.heard.append(Told(person=person, text=json.loads(said)["text"]))

    async def react(self, person: str, emoji: str, *, ts: str = CLIP, channel: str = "C1") -> None:
        """A reaction on a message of ours."""
        item = {"type": "message", "channel": channel, "ts": ts}
        await self._event({"type": "reaction_added", "user": person, "reaction": emoji, "item": item, "item_user": BOT})

    async def reply(self, person: str, text: str, *, channel: str = "C1", **more: Any) -> None:
        """A message in the thread of the first card."""
        ts = f"1700000100.{next(self._events):06}"
        event = {"type": "message", "user": person, "text": text, "channel": channel, "thread_ts": ROOT, "ts": ts}
        await self._event({**event, **more})

    async def say(
        self, person: str, text: str, *, ts: str = "", channel: str = "C1", direct: bool = False, **more: Any
    ) -> str:
        """A message outside our threads, as Slack tells it: a mention twice, a direct message once; its ts."""
        ts = ts or f"1700000200.{next(self._events):06}"
        told = {"user": person, "text": text, "channel": channel, "ts": ts, **more}
        kind = "im" if direct else "channel"
        await self._event({"type": "message", "channel_type": kind, **told})
        if f"<@{BOT}>" in text and not direct:
            await self._event({"type": "app_mention", **told})
        return ts

    async def press(self, person: str, action_id: str, value: str, *, channel: str = "C1") -> None:
        """A click on a button of ours."""
        await self._send(
            {
                "type": "block_actions",
                "team": {"id": "T1"},
                "user": {"id": person},
                "channel": {"id": channel},
                "container": {"type": "message", "message_ts": ROOT, "channel_id": channel},
                "actions": [{"type": "button", "action_id": action_id, "block_id": "b", "value": value}],
            }
        )

    async def _event(self, event: dict[str, Any]) -> None:
        body = {"type": "event_callback", "team_id": "T1", "event_id": f"Ev{next(self._events)}", "event": event}
        await self._send(body)

    async def _send(self, body: dict[str, Any]) -> str:
        """Through Bolt, as from a socket; what leaves with the acknowledgement."""
        response = await self.app.async_dispatch(AsyncBoltRequest(mode="socket_mode", body=body))
        await self.doors.settle()
        assert response.status == 200, response.body
        return str(response.body)
