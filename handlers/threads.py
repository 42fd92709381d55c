"""Replies in our threads, and mentions. A message in a thread that is not ours is not even read: whose thread it is
comes first, before anything of the text is looked at, logged or stored."""

from typing import Any

from slack_bolt.async_app import AsyncApp

from bot.domain.preference_keys import Replies
from bot.services.taking import Sender
from handlers.blocks.answers import answer
from handlers.doors import EXPECTED, Doors, Place
from handlers.grammar import Help, Reply, ReplyKind, parse_reply
from handlers.grammar.slack_text import normalise, readable

_READ_SUBTYPES = frozenset({None, "file_share", "thread_broadcast"})


def register(app: AsyncApp, doors: Doors) -> None:
    """Listen to messages and mentions. A mention in a thread arrives as both; both have the same key."""

    @app.event("message")
    async def message(event: dict[str, Any]) -> None:
        """A reply, if it is one."""
        if event.get("subtype") in _READ_SUBTYPES and not event.get("bot_id") and _root(event):
            await _reply(doors, event)

    @app.event("app_mention")
    async def mention(event: dict[str, Any]) -> None:
        """A reply that names us, or a mention elsewhere, which gets help."""
        if event.get("bot_id"):
            return
        if not (_root(event) and await _reply(doors, event)):
            _help(doors, event)


def _root(event: dict[str, Any]) -> str | None:
    root = event.get("thread_ts")
    return str(root) if root and root != event.get("ts") else None


async def _reply(doors: Doors, event: dict[str, Any]) -> bool:
    """Act on a reply; False when the thread is not ours."""
    root, channel = _root(event) or "", str(event["channel"])
    if not await doors.intake.is_ours(doors.identity.workspace, channel, root):
        return False
    sender = Sender(
        workspace=doors.identity.workspace,
        channel=channel,
        person=str(event.get("user") or ""),
        key=f"message:{channel}:{event['ts']}",
    )
    try:
        await _act(doors, event, sender, root)
    except EXPECTED as error:
        place = Place(channel=channel, person=sender.person, thread_ts=root)
        doors.refuse(place, error, once=sender.key)
    return True


async def _act(doors: Doors, event: dict[str, Any], sender: Sender, root: str) -> None:
    text = str(event.get("text") or "")
    named = f"<@{doors.identity.bot_user}" in text
    policy = await doors.policies.of(sender.workspace, sender.channel)
    if policy.replies is Replies.OFF or (policy.replies is Replies.MENTION and not named):
        return
    reply = parse_reply(text, bot_user=doors.identity.bot_user)
    match reply:
        case Reply(kind=ReplyKind.CHAT):
            return
        case Reply(kind=ReplyKind.HELP):
            _help(doors, event)
        case Reply(kind=ReplyKind.PROMOTE, number=int(number)):
            await doors.intake.promote_number(sender, root, number)
        case Reply(kind=ReplyKind.SETTINGS | ReplyKind.NAMED):
            await doors.intake.variant(sender, root, reply.number, reply.changes, readable(normalise(text)))


def _help(doors: Doors, event: dict[str, Any]) -> None:
    place = Place(channel=str(event["channel"]), person=str(event.get("user") or ""), thread_ts=event.get("thread_ts"))
    doors.tell(place, answer(Help()), once=f"help:{event['channel']}:{event['ts']}")
