"""``files.*``: the two calls around an upload, looking at files, deleting them."""

from __future__ import annotations

from ..block_kit import check_message_blocks
from ..calls import Call
from ..entities import Channel, File
from ..files import parsed_files
from ..timeline import Draft
from ..wire import Json, SlackError, stored_text
from .method import Backend, Method, postable_channel

ALT_TEXT_LIMIT = 1000
CHANNELS_LIMIT = 100
_PER_PAGE = 100


async def _upload_url(backend: Backend, call: Call) -> Json:
    try:
        length = int(call.text("length"))
    except ValueError as problem:
        raise SlackError("invalid_arguments") from problem
    if length < 1:
        raise SlackError("invalid_arguments")
    if length > backend.settings().upload_limit:
        raise SlackError("file_upload_size_restricted")
    alt_txt = call.text("alt_txt")
    if len(alt_txt) > ALT_TEXT_LIMIT:
        raise SlackError("alt_txt_too_large")
    file = backend.files.announce(call.text("filename"), length, user=backend.bot.id, alt_txt=alt_txt)
    return {"upload_url": f"{backend.origin()}/upload/v1/{file.upload_token}", "file_id": file.id}


async def _complete(backend: Backend, call: Call) -> Json:
    asked = parsed_files(call.structure("files"))
    files = [backend.files.completable(one["id"]) for one in asked]
    channels = _channels(backend, call)
    thread_ts = call.text("thread_ts") or None
    comment = call.text("initial_comment")
    blocks = [] if comment else check_message_blocks(call.arguments.get("blocks"))
    if any(block["type"] == "markdown" for block in blocks):
        raise SlackError("internal_error")  # python-slack-sdk#1756: a markdown block with a file ends like this
    if thread_ts is not None:
        _check_thread(channels, thread_ts)
    for file, one in zip(files, asked, strict=True):
        file.title = str(one.get("title") or file.name)
    drawn = [backend.shapes.file(file) for file in files]
    draft = Draft(text=stored_text(comment), blocks=blocks, thread_ts=thread_ts, by_bot=True)
    backend.files.complete(files, channels, draft)
    return {"files": drawn}


def _channels(backend: Backend, call: Call) -> list[Channel]:
    keys = [key for key in call.text("channels").split(",") if key] or [call.text("channel_id")]
    if len(keys) > CHANNELS_LIMIT:
        raise SlackError("channels_limit_exceeded")
    return [postable_channel(backend, key) for key in keys if key]


def _check_thread(channels: list[Channel], thread_ts: str) -> None:
    if len(channels) != 1:
        raise SlackError("invalid_arguments")
    parent = channels[0].messages.get(thread_ts)
    if parent is None or parent.deleted or parent.is_reply:
        raise SlackError("thread_not_found")


def _known(backend: Backend, call: Call) -> File:
    file = backend.workspace.files.get(call.text("file"))
    if file is None:
        raise SlackError("file_not_found")
    if file.deleted:
        raise SlackError("file_deleted")
    return file


async def _info(backend: Backend, call: Call) -> Json:
    file = _known(backend, call)
    if not backend.files.visible_to_bot(file):
        raise SlackError("file_not_found")
    return {
        "file": backend.shapes.file(file),
        "comments": [],
        "response_metadata": {"next_cursor": ""},
    }


async def _delete(backend: Backend, call: Call) -> Json:
    file = _known(backend, call)
    if file.user != backend.bot.id:
        raise SlackError("cant_delete_file")
    backend.files.delete(file)
    return {}


async def _list(backend: Backend, call: Call) -> Json:
    user, channel = call.text("user"), call.text("channel")
    chosen = [
        file
        for file in backend.workspace.files.values()
        if file.completed
        and not file.deleted
        and (not user or file.user == user)
        and (not channel or channel in file.shares)
        and any(backend.workspace.bot_is_in(backend.workspace.channels[key]) for key in file.shares)
    ]
    chosen.sort(key=lambda file: file.created, reverse=True)
    count, number = call.number("count", _PER_PAGE, most=1000), call.number("page", 1, most=10_000)
    shown = chosen[(number - 1) * count : number * count]
    paging = {"count": count, "total": len(chosen), "page": number, "pages": -(-len(chosen) // count)}
    return {"files": [backend.shapes.file(file) for file in shown], "paging": paging}


METHODS = (
    Method(
        name="files.getUploadURLExternal",
        run=_upload_url,
        required=("filename", "length"),
        scopes=("files:write",),
    ),
    Method(name="files.completeUploadExternal", run=_complete, required=("files",), scopes=("files:write",)),
    Method(name="files.info", run=_info, required=("file",), scopes=("files:read",)),
    Method(name="files.delete", run=_delete, required=("file",), scopes=("files:write",)),
    Method(name="files.list", run=_list, scopes=("files:read",)),
)
