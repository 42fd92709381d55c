"""Messages that are meant for us: replies in our threads, mentions, direct messages. A message in a thread that is not
ours and does not name us is not even read: whose thread it is comes first, before anything of the text or the files is
looked at, logged or stored."""

from dataclasses import replace
from typing import Any

from slack_bolt.async_app import AsyncApp

from bot.domain.preference_keys import Replies
from bot.services.answers import NoClipStands
from bot.services.taking import Sender
from handlers import mentions
from handlers.attached import read_with_files, with_kinds
from handlers.doors import EXPECTED, Doors, Place
from handlers.grammar import Reply, ReplyKind, parse_reply
from handlers.grammar.cast import styled
from handlers.grammar.mention import opens_door
from handlers.grammar.slack_text import name_of, normalise, readable

_READ_SUBTYPES = frozenset({None, "file_share", "thread_broadcast"})
_DIRECT = "im"
_SILENT = frozenset({ReplyKind.CHAT, ReplyKind.HELP})


def register(app: AsyncApp, doors: Doors) -> None:
    """Listen to messages and mentions. A mention in a thread arrives as both; both have the same key."""

    @app.event("message")
    async def message(event: dict[str, Any]) -> None:
        """A reply, or anything said to us alone, where ``app_mention`` is not sent."""
        if event.get("subtype") not in _READ_SUBTYPES or event.get("bot_id"):
            return
        direct = event.get("channel_type") == _DIRECT
        if not (_root(event) and await _reply(doors, event, direct=direct)) and direct:
            await _mention(doors, event)

    @app.event("app_mention")
    async def mention(event: dict[str, Any]) -> None:
        """A reply that names us, or a mention elsewhere. What somebody edits was read when it was new."""
        if event.get("bot_id") or event.get("edited"):
            return
        if not (_root(event) and await _reply(doors, event)):
            await _mention(doors, event)


def _root(event: dict[str, Any]) -> str | None:
    root = event.get("thread_ts")
    return str(root) if root and root != event.get("ts") else None


def _sender(doors: Doors, event: dict[str, Any]) -> Sender:
    channel = str(event["channel"])
    return Sender(
        workspace=doors.identity.workspace,
        channel=channel,
        person=str(event.get("user") or ""),
        key=f"message:{channel}:{event['ts']}",
    )


def _place(event: dict[str, Any]) -> Place:
    return Place(channel=str(event["channel"]), person=str(event.get("user") or ""), thread_ts=event.get("thread_ts"))


async def _mention(doors: Doors, event: dict[str, Any]) -> None:
    sender = _sender(doors, event)
    try:
        await mentions.act(doors, event, sender, root_ts=_root(event) or str(event["ts"]), place=_place(event))
    except EXPECTED as error:
        doors.refuse(_place(event), error, once=sender.key)


async def _reply(doors: Doors, event: dict[str, Any], *, direct: bool = False) -> bool:
    """Act on a reply; False when the thread is not ours."""
    root, sender = _root(event) or "", _sender(doors, event)
    if not await doors.intake.is_ours(sender.workspace, sender.channel, root):
        return False
    if await doors.intake.was_taken(sender):
        return True  # also the mention that made the thread ours, told again as a message
    try:
        await _act(doors, event, sender, root, direct=direct)
    except EXPECTED as error:
        doors.refuse(_place(event), error, once=sender.key)
    return True


async def _act(doors: Doors, event: dict[str, Any], sender: Sender, root: str, *, direct: bool) -> None:
    text, named = str(event.get("text") or ""), True
    if name_of(doors.identity.bot_user).search(text) is None:
        named = direct  # there it is said to nobody else
        text = f"<@{doors.identity.bot_user}> {text}" if direct else text
    policy = await doors.policies.of(sender.workspace, sender.channel)
    if policy.replies is Replies.OFF or (policy.replies is Replies.MENTION and not named):
        return
    if named and opens_door(text, bot_user=doors.identity.bot_user):
        await mentions.act(doors, event, sender, root_ts=root, place=_place(event))
        return
    read = await read_with_files(
        event,
        doors.files,
        lambda files: parse_reply(text, bot_user=doors.identity.bot_user, files=files),
        asks=lambda reply: reply.kind not in _SILENT,
    )
    match reply := read.asked:
        case Reply(kind=ReplyKind.CHAT):
            return
        case Reply(kind=ReplyKind.HELP):
            mentions.help_with(doors, event, _place(event))
        case Reply(kind=ReplyKind.PROMOTE, number=int(number)):
            await doors.intake.promote_number(sender, root, number)
        case Reply(kind=ReplyKind.SETTINGS | ReplyKind.NAMED):
            made = styled(reply.changes.direction or "", reply.changes.media, cast=policy.cast, pictures=False)
            changes = doors.in_slack(replace(reply.changes, direction=made.prompt or None))
            changes, names = await with_kinds(changes, doors.files, sender, known=read.names)
            said = readable(normalise(text))
            try:
                await doors.intake.variant(
                    sender,
                    root,
                    reply.number,
                    changes,
                    said,
                    provider=reply.provider,
                    notes=made.notes,
                    names=names,
                )
            except NoClipStands:
                if reply.kind is not ReplyKind.NAMED:
                    raise
                # Nothing is there to change: said to us, it is an ask like the first.
                await mentions.act(doors, event, sender, root_ts=root, place=_place(event))
