"""``chat.*``: posting, changing, deleting, and what only one person sees."""

from __future__ import annotations

from dataclasses import dataclass

from ..block_kit import MARKDOWN_TEXT, check_message_blocks, check_metadata
from ..calls import Call
from ..timeline import Draft
from ..wire import Json, SlackError, stored_text
from .method import (
    Backend,
    Method,
    joined_channel,
    objects,
    postable_channel,
    standing_message,
    visible_channel,
)

TEXT_LIMIT = 40_000  # longer posts are cut, longer updates refused
ATTACHMENTS_LIMIT = 100


@dataclass(frozen=True, kw_only=True)
class Content:
    """What a post, an update or an ephemeral says; None where the argument was not given."""

    text: str | None
    blocks: list[Json] | None
    attachments: list[Json] | None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show."""
        return not self.text and not self.blocks and not self.attachments


def read_content(call: Call) -> Content:
    """Text, blocks and attachments, checked. Raises `SlackError`."""
    arguments = call.arguments
    text = stored_text(call.text("text")) if arguments.get("text") is not None else None
    markdown = call.text("markdown_text")
    if markdown and (text or arguments.get("blocks")):
        raise SlackError("markdown_text_conflict")
    if len(markdown) > MARKDOWN_TEXT:
        raise SlackError("msg_too_long")
    attachments = objects(call.structure("attachments"), "invalid_attachments")
    if len(attachments) > ATTACHMENTS_LIMIT:
        raise SlackError("too_many_attachments")
    return Content(
        text=stored_text(markdown) if markdown else text,
        blocks=check_message_blocks(arguments["blocks"]) if arguments.get("blocks") is not None else None,
        attachments=attachments if arguments.get("attachments") is not None else None,
    )


async def _post(backend: Backend, call: Call) -> Json:
    content = read_content(call)
    metadata = check_metadata(call.arguments.get("metadata"))
    channel = postable_channel(backend, call.text("channel"))
    if content.is_empty:
        raise SlackError("no_text")
    backend.limits.check_post(channel)
    draft = Draft(
        text=(content.text or "")[:TEXT_LIMIT],
        blocks=content.blocks or (),
        attachments=content.attachments or (),
        metadata=metadata,
        thread_ts=call.text("thread_ts") or None,
        broadcast=call.flag("reply_broadcast"),
        by_bot=True,
    )
    message = backend.timeline.post(channel, backend.bot, draft)
    return {
        "channel": channel.id,
        "ts": message.ts,
        "message": backend.shapes.message(message, metadata=True),
    }


async def _update(backend: Backend, call: Call) -> Json:
    content = read_content(call)
    metadata = check_metadata(call.arguments.get("metadata"))
    channel = visible_channel(backend, call.text("channel"))
    message = standing_message(channel, call.text("ts"))
    if message.user != backend.bot.id:
        raise SlackError("cant_update_message")
    if channel.is_archived or not backend.workspace.bot_is_in(channel):
        raise SlackError("cant_update_message")
    if content.is_empty and metadata is None:
        raise SlackError("no_text")
    if len(content.text or "") > TEXT_LIMIT:
        raise SlackError("msg_too_long")
    backend.timeline.edit(
        channel,
        message,
        backend.bot.id,
        text=content.text,
        blocks=content.blocks,
        attachments=content.attachments,
        metadata=metadata,
    )
    shape = backend.shapes.message(message, metadata=True)
    return {"channel": channel.id, "ts": message.ts, "text": message.text, "message": shape}


async def _delete(backend: Backend, call: Call) -> Json:
    channel = visible_channel(backend, call.text("channel"))
    message = standing_message(channel, call.text("ts"))
    if message.user != backend.bot.id:
        raise SlackError("cant_delete_message")
    backend.timeline.delete(channel, message)
    return {"channel": channel.id, "ts": message.ts}


async def _post_ephemeral(backend: Backend, call: Call) -> Json:
    content = read_content(call)
    channel = joined_channel(backend, call.text("channel"))
    if channel.is_archived:
        raise SlackError("is_archived")
    user = call.text("user")
    if user not in channel.members:
        raise SlackError("user_not_in_channel")
    if content.is_empty:
        raise SlackError("no_text")
    if len(content.text or "") > TEXT_LIMIT:
        raise SlackError("msg_too_long")
    ephemeral = backend.timeline.show(
        channel,
        user,
        content.text or "",
        author=backend.bot.id,
        blocks=content.blocks or (),
        thread_ts=call.text("thread_ts") or None,
    )
    return {"message_ts": ephemeral.ts}


async def _permalink(backend: Backend, call: Call) -> Json:
    channel = visible_channel(backend, call.text("channel"))
    message = channel.messages.get(call.text("message_ts"))
    if message is None or message.deleted:
        raise SlackError("message_not_found")
    link = f"{backend.origin()}/archives/{channel.id}/p{message.ts.replace('.', '')}"
    if message.is_reply:
        link += f"?thread_ts={message.thread_ts}&cid={channel.id}"
    return {"channel": channel.id, "permalink": link}


METHODS = (
    Method(name="chat.postMessage", run=_post, required=("channel",), scopes=("chat:write",)),
    Method(name="chat.update", run=_update, required=("channel", "ts"), scopes=("chat:write",)),
    Method(name="chat.delete", run=_delete, required=("channel", "ts"), scopes=("chat:write",)),
    Method(name="chat.postEphemeral", run=_post_ephemeral, required=("channel", "user"), scopes=("chat:write",)),
    Method(name="chat.getPermalink", run=_permalink, required=("channel", "message_ts")),
)
