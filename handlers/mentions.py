"""The bare door: a message that names us where no clips of ours are, or is said to us alone, with files or without."""

from collections.abc import Mapping
from typing import Any

from bot.services.answers import Estimated
from bot.services.taking import Sender
from handlers.attached import read_with_files, with_kinds
from handlers.blocks.answers import answer
from handlers.blocks.cast import cast_message
from handlers.blocks.kit import Message
from handlers.blocks.usage import statement_message
from handlers.doors import Doors, Place
from handlers.grammar import CastRequest, ClipRequest, Help, SettingsRequest, UsageRequest, parse_mention
from handlers.grammar.slack_text import entities, file_behind
from handlers.settings import settings_answer


async def act(doors: Doors, event: Mapping[str, Any], sender: Sender, *, root_ts: str, place: Place) -> None:
    """Take what it asks for; clips come into the thread below ``root_ts``. Raises what a person may run into."""
    text = str(event.get("text") or "")
    read = await read_with_files(
        event,
        doors.files,
        lambda files: parse_mention(text, bot_user=doors.identity.bot_user, files=files),
        asks=lambda asked: isinstance(asked, (ClipRequest, CastRequest)),
    )
    match asked := read.asked:
        case Help():
            help_with(doors, event, place)
        case UsageRequest(month=month):
            statement = await doors.accounts.statement(
                workspace=sender.workspace, channel=sender.channel, person=sender.person, month=month
            )
            doors.tell(place, statement_message(statement), once=sender.key)
        case SettingsRequest(text=words):
            doors.tell(place, await settings_answer(doors, sender, words), once=sender.key)
        case CastRequest():
            doors.tell(place, await _cast(doors, event, sender, asked), once=sender.key)
        case ClipRequest():
            given, names = await with_kinds(doors.in_slack(asked.changes), doors.files, sender, known=read.names)
            made, changes = await doors.styled(sender, asked.prompt, given)
            outcome = await doors.intake.mention(
                sender,
                root_ts,
                made.prompt,
                changes,
                provider=asked.provider,
                final=asked.final,
                estimate=asked.estimate,
                notes=made.notes,
                names=names,
            )
            if isinstance(outcome, Estimated):
                doors.tell(place, answer(outcome, command="@Dailies"), once=sender.key)


async def _cast(doors: Doors, event: Mapping[str, Any], sender: Sender, asked: CastRequest) -> Message:
    """Show the cast, or change it: somebody of it is a setting like any other, under the same rules."""
    if asked.name is None:
        return cast_message((await doors.policies.of(sender.workspace, sender.channel)).cast)
    link = _link_to(event, asked.picture) if asked.picture else ""
    value = f'"{asked.words} {link}"' if asked.words else ""
    return await settings_answer(doors, sender, f"{asked.key}={entities(value)}")


def _link_to(event: Mapping[str, Any], file_id: str) -> str:
    """A link by which the file is found again. Slack's own says more to a person than one made of its id."""
    told = next(one for one in event["files"] if one["id"] == file_id)
    link = str(told.get("permalink") or "")
    return link if file_behind(link) == file_id else f"https://slack.com/files/{event.get('user') or 'U0'}/{file_id}"


def help_with(doors: Doors, event: Mapping[str, Any], place: Place) -> None:
    """Say what Dailies can do, once for a message."""
    doors.tell(place, answer(Help()), once=f"help:{event['channel']}:{event['ts']}")
