"""Buttons. Each carries what it is about and the generation it was drawn with; a spending button works once for each
(clip, verb, generation), however often it is pressed."""

from collections.abc import Awaitable, Callable
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.services.answers import AlreadyTaken
from bot.services.taking import Sender
from handlers.blocks.answers import answer
from handlers.blocks.card import OFFERED_AT
from handlers.doors import Doors, Place

Press = Callable[[Doors, Sender, str], Awaitable[object]]


async def _send_elsewhere(doors: Doors, sender: Sender, offer: str) -> object:
    """Have a clip made elsewhere, for no more than the price that its button showed."""
    job_id, _, price = offer.partition(OFFERED_AT)
    most = int(price) if price.isascii() and price.isdigit() else None
    return await doors.presses.use_another_provider(sender, job_id, most)


PRESSES: dict[str, Press] = {
    "clip.confirm": lambda doors, sender, ask_id: doors.presses.confirm(sender, ask_id),
    "clip.undo": lambda doors, sender, ask_id: doors.presses.undo(sender, ask_id),
    "clip.cancel": lambda doors, sender, ask_id: doors.presses.cancel(sender, ask_id),
    "clip.promote": lambda doors, sender, job_id: doors.intake.promote_job(sender, job_id),
    "clip.check_again": lambda doors, sender, job_id: doors.presses.check_again(sender, job_id),
    "clip.order_again": lambda doors, sender, job_id: doors.presses.order_again(sender, job_id),
    "clip.give_up": lambda doors, sender, job_id: doors.presses.give_up(sender, job_id),
    "clip.use_another_provider": _send_elsewhere,
    "clip.deliver_again": lambda doors, sender, job_id: doors.presses.deliver_again(sender, job_id),
}
"""Every ``action_id`` and what pressing it does."""


def register(app: AsyncApp, doors: Doors) -> None:
    """Listen to every button we draw."""
    for action_id, press in PRESSES.items():
        _listen(app, doors, action_id, press)


def _listen(app: AsyncApp, doors: Doors, action_id: str, press: Press) -> None:
    @app.action(action_id)
    async def pressed(ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Act, then acknowledge; the card shows what came of it."""
        subject, _, generation = str(action.get("value", "")).partition(":")
        place = _place(body)
        sender = Sender(
            workspace=doors.identity.workspace,
            channel=place.channel,
            person=place.person,
            key=f"button:{action_id}:{subject}:{generation}",
        )
        try:
            outcome = await press(doors, sender, subject)
            if isinstance(outcome, AlreadyTaken):
                doors.tell(place, answer(outcome))
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the person is told, with a code for the log
            doors.refuse(place, error)
        await ack()


def _place(body: dict[str, Any]) -> Place:
    container = body.get("container") or {}
    return Place(
        channel=str((body.get("channel") or {}).get("id") or container.get("channel_id") or ""),
        person=str((body.get("user") or {}).get("id") or ""),
        thread_ts=container.get("thread_ts"),
    )
