""":rocket: on a clip promotes it, :x: on a card or a clip cancels. Only ``reaction_added`` is acted
upon; whether the reaction still stands is read from Slack right before money is spent."""

from typing import Any

from slack_bolt.async_app import AsyncApp

from bot.services.intake import Sender
from handlers.doors import EXPECTED, Doors, Place


def register(app: AsyncApp, doors: Doors, *, promote: tuple[str, ...], cancel: tuple[str, ...]) -> None:
    """Listen to reactions; ``promote`` and ``cancel`` are the emoji names that ask for that."""

    @app.event("reaction_added")
    async def added(event: dict[str, Any], body: dict[str, Any]) -> None:
        """Take it when it is one of ours on one of our clips."""
        name = str(event.get("reaction", "")).split("::")[0]
        item = event.get("item") or {}
        if name not in {*promote, *cancel} or item.get("type") != "message":
            return
        if event.get("item_user") not in {None, "", doors.identity.bot_user}:
            return
        sender = Sender(
            workspace=doors.identity.workspace,
            channel=str(item["channel"]),
            person=str(event["user"]),
            key=f"event:{body['event_id']}",
        )
        try:
            if name in promote:
                await doors.intake.promote_message(sender, str(item["ts"]))
            else:
                await doors.intake.cancel_message(sender, str(item["ts"]))
        except EXPECTED as error:
            place = Place(channel=sender.channel, person=sender.person)
            doors.tell(place, doors.explain(error), once=sender.key)

    @app.event("reaction_removed")
    async def removed() -> None:
        """Nothing to do now: whether a reaction still stands is read when its window closes."""
