""":rocket: on a clip promotes it, :x: on a card or a clip cancels. Only ``reaction_added`` is acted
upon; whether the reaction still stands is read from Slack right before money is spent."""

from datetime import UTC, datetime
from typing import Any

from slack_bolt.async_app import AsyncApp

from bot.services.taking import Sender
from handlers.doors import EXPECTED, Doors, Place


def register(app: AsyncApp, doors: Doors) -> None:
    """Listen to reactions; which emoji asks for what is the channel's to say."""

    @app.event("reaction_added")
    async def added(event: dict[str, Any], body: dict[str, Any]) -> None:
        """Take it when it is one of ours on one of our clips."""
        name = str(event.get("reaction", "")).split("::")[0]
        item = event.get("item") or {}
        if item.get("type") != "message":
            return
        if event.get("item_user") not in {None, "", doors.identity.bot_user}:
            return
        sender = Sender(
            workspace=doors.identity.workspace,
            channel=str(item["channel"]),
            person=str(event["user"]),
            key=f"event:{body['event_id']}",
            at=_moment(event.get("event_ts")),
        )
        policy = await doors.policies.of(sender.workspace, sender.channel)
        try:
            if name in policy.promoting:
                await doors.intake.promote_message(sender, str(item["ts"]))
            elif name in policy.cancel_emoji:
                await doors.presses.cancel_message(sender, str(item["ts"]))
        except EXPECTED as error:
            place = Place(channel=sender.channel, person=sender.person)
            doors.refuse(place, error, once=sender.key)

    @app.event("reaction_removed")
    async def removed() -> None:
        """Nothing to do now: whether a reaction still stands is read when its window closes."""


def _moment(event_ts: object) -> datetime | None:
    """When Slack says that it happened: seconds with microseconds behind the point, as text. The earliest who reacted
    pays, and events overtake one another."""
    try:
        return datetime.fromtimestamp(float(str(event_ts)), UTC)
    except (ValueError, OverflowError, OSError):
        return None
