""":rocket: on a clip promotes it, :x: on a card cancels. Only ``reaction_added`` is acted
upon; whether the reaction still stands is read from Slack right before money is spent. Who takes it back after its time
is told what still comes of that."""

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
        if not _on_message_of(doors.identity.bot_user, event):
            return
        sender, name, ts = _told(doors, event, body)
        policy = await doors.policies.of(sender.workspace, sender.channel)
        try:
            if name in policy.promoting:
                await doors.intake.promote_message(sender, ts)
            elif name in policy.cancel_emoji:
                await doors.presses.cancel_message(sender, ts)
        except EXPECTED as error:
            doors.refuse(Place(channel=sender.channel, person=sender.person), error, once=sender.key)

    @app.event("reaction_removed")
    async def removed(event: dict[str, Any], body: dict[str, Any]) -> None:
        """Whether a reaction still stands is read when its window closes and before the order; here it is only said
        what still comes of it."""
        if not _on_message_of(doors.identity.bot_user, event):
            return
        sender, name, ts = _told(doors, event, body)
        policy = await doors.policies.of(sender.workspace, sender.channel)
        if name not in policy.promoting:
            return
        try:
            await doors.presses.reaction_removed(sender, ts)
        except EXPECTED as error:
            doors.refuse(Place(channel=sender.channel, person=sender.person), error, once=sender.key)


def _on_message_of(bot_user: str, event: dict[str, Any]) -> bool:
    """Whether it is about a message that may be ours: Slack does not always say whose it is."""
    item = event.get("item") or {}
    return item.get("type") == "message" and event.get("item_user") in {None, "", bot_user}


def _told(doors: Doors, event: dict[str, Any], body: dict[str, Any]) -> tuple[Sender, str, str]:
    """Who did it, with which emoji, whatever its skin tone, and on which message."""
    sender = Sender(
        workspace=doors.identity.workspace,
        channel=str(event["item"]["channel"]),
        person=str(event["user"]),
        key=f"event:{body['event_id']}",
        at=_moment(event.get("event_ts")),
    )
    return sender, str(event.get("reaction", "")).split("::")[0], str(event["item"]["ts"])


def _moment(event_ts: object) -> datetime | None:
    """When Slack says that it happened: seconds with microseconds behind the point, as text. The earliest who reacted
    pays, and events overtake one another."""
    try:
        return datetime.fromtimestamp(float(str(event_ts)), UTC)
    except (ValueError, OverflowError, OSError):
        return None
