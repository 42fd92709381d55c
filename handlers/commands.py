"""``/clip``: the slash command. It carries no files and cannot be typed in a thread (docs.slack.dev, slash
commands)."""

from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.services.taking import Sender
from handlers.blocks.answers import answer
from handlers.blocks.kit import Message
from handlers.doors import Doors
from handlers.grammar import Help, parse_clip

COMMAND = "/clip"


def register(app: AsyncApp, doors: Doors) -> None:
    """Listen to the command."""

    @app.command(COMMAND)
    async def clip(ack: AsyncAck, command: dict[str, Any]) -> None:
        """Read, take, and only then acknowledge with the answer."""
        message = await _answer(doors, command)
        await ack(text=message.text, blocks=message.blocks or None, response_type="ephemeral")


async def _answer(doors: Doors, command: dict[str, Any]) -> Message:
    try:
        asked = parse_clip(str(command.get("text") or ""))
        if isinstance(asked, Help):
            return answer(asked)
        return answer(
            await doors.intake.draft(
                _sender(doors, command),
                asked.prompt,
                asked.changes,
                provider=asked.provider,
                final=asked.final,
                estimate=asked.estimate,
            )
        )
    except Exception as error:  # noqa: BLE001 - whatever went wrong, the person is told, with a code for the log
        return doors.explain(error)


def _sender(doors: Doors, command: dict[str, Any]) -> Sender:
    return Sender(
        workspace=doors.identity.workspace,
        channel=str(command["channel_id"]),
        person=str(command["user_id"]),
        key=f"command:{command['trigger_id']}",
        reply_url=command.get("response_url") or None,
    )
