"""The slash commands: ``/clip``, and the two doors beside it, ``/clip-usage`` and ``/clip-settings``. They carry no
files and cannot be typed in a thread (docs.slack.dev, slash commands). Every answer is for the person alone."""

from collections.abc import Callable
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.services.taking import Sender
from handlers.attached import with_kinds
from handlers.blocks.answers import answer
from handlers.blocks.kit import Message
from handlers.blocks.usage import statement_message
from handlers.doors import Doors
from handlers.grammar import ClipRequest, Help, SettingsRequest, UsageRequest, parse_clip, parse_usage
from handlers.grammar.doors import SETTINGS_COMMAND, USAGE_COMMAND
from handlers.settings import settings_answer

COMMAND = "/clip"

_Read = Callable[[str], ClipRequest | UsageRequest | SettingsRequest | Help]


def register(app: AsyncApp, doors: Doors) -> None:
    """Listen to the commands."""

    @app.command(COMMAND)
    async def clip(ack: AsyncAck, command: dict[str, Any]) -> None:
        """A prompt, or one of the doors by its word."""
        await _answer(ack, doors, command, parse_clip)

    @app.command(USAGE_COMMAND)
    async def usage(ack: AsyncAck, command: dict[str, Any]) -> None:
        """What was spent, is held, and is left."""
        await _answer(ack, doors, command, parse_usage)

    @app.command(SETTINGS_COMMAND)
    async def settings(ack: AsyncAck, command: dict[str, Any]) -> None:
        """What holds in the channel."""
        await _answer(ack, doors, command, lambda text: SettingsRequest(text=text))


async def _answer(ack: AsyncAck, doors: Doors, command: dict[str, Any], read: _Read) -> None:
    """Read, take, and only then acknowledge with the answer."""
    try:
        message = await _taken(doors, _sender(doors, command), read(str(command.get("text") or "")))
    except Exception as error:  # noqa: BLE001 - whatever went wrong, the person is told, with a code for the log
        message = doors.explain(error)
    await ack(text=message.text, blocks=message.blocks or None, response_type="ephemeral")


async def _taken(doors: Doors, sender: Sender, asked: ClipRequest | UsageRequest | SettingsRequest | Help) -> Message:
    match asked:
        case Help():
            return answer(asked)
        case UsageRequest(month=month):
            return statement_message(
                await doors.accounts.statement(
                    workspace=sender.workspace, channel=sender.channel, person=sender.person, month=month
                )
            )
        case SettingsRequest(text=text):
            return await settings_answer(doors, sender, text)
        case ClipRequest():
            given, names = await with_kinds(doors.in_slack(asked.changes), doors.files, sender)
            made, changes = await doors.styled(sender, asked.prompt, given)
            return answer(
                await doors.intake.draft(
                    sender,
                    made.prompt,
                    changes,
                    provider=asked.provider,
                    final=asked.final,
                    estimate=asked.estimate,
                    notes=made.notes,
                    names=names,
                )
            )


def _sender(doors: Doors, command: dict[str, Any]) -> Sender:
    return Sender(
        workspace=doors.identity.workspace,
        channel=str(command["channel_id"]),
        person=str(command["user_id"]),
        key=f"command:{command['trigger_id']}",
        reply_url=command.get("response_url") or None,
    )
