"""Files: one-time upload addresses, shares that come late, private downloads.

https://docs.slack.dev/messaging/working-with-files

Faults taken here, at point ``slack:share``, phase ``do`` (facts: filename, channel, thread_ts):

``drop``   files.completeUploadExternal says ok and nothing is ever shared
``delay``  {seconds} the share comes that late, instead of after the configured delay
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path, PurePath
from typing import Any

from aiohttp import BodyPartReader, web
from aiohttp.streams import StreamReader

from ..faults import Faults
from .entities import Channel, File, Message
from .settings import Settings
from .timeline import Draft, Timeline
from .wire import Json, SlackError
from .workspace import Workspace

_CHUNK = 1 << 16
_LATE_TYPES = frozenset({".heic", ".heif"})
LOGIN_PAGE = "<!DOCTYPE html><html><head><title>Sign in | Slack</title></head><body><h1>Sign in</h1></body></html>"


class Files:
    """The workspace's files. Their bytes lie below ``folder``, one file each, named by id."""

    def __init__(
        self,
        *,
        workspace: Workspace,
        timeline: Timeline,
        faults: Faults,
        settings: Callable[[], Settings],
        folder: Path,
        changed: Callable[[], None],
    ) -> None:
        self._workspace = workspace
        self._timeline = timeline
        self._faults = faults
        self._settings = settings
        self._folder = folder
        self._changed = changed
        self._tokens: dict[str, File] = {}
        self._under_way: set[asyncio.Task[None]] = set()

    def announce(self, name: str, size: int, *, user: str, alt_txt: str = "") -> File:
        """A file that is to be uploaded; its ``upload_token`` is the secret part of its address."""
        file_id = self._workspace.ids.new("F")
        file = File(
            id=file_id,
            name=name.replace("/", "_"),
            title=name,
            user=user,
            size=size,
            created=int(self._workspace.clock.now()),
            path=self._folder / file_id,
            upload_token=self._workspace.ids.secret(40),
            alt_txt=alt_txt,
        )
        self._workspace.files[file_id] = file
        self._tokens[file.upload_token or ""] = file
        return file

    async def receive(self, request: web.Request) -> web.Response:
        """``POST /upload/v1/{token}``: the bytes, raw or as multipart. The length must be the announced
        one."""
        file = self._tokens.get(request.match_info["token"])
        if file is None or file.completed or file.deleted:
            return web.Response(status=404, text="upload url not found or used")
        try:
            received = await self._store(request, file)
        except OversizeUpload:
            return web.Response(status=400, text="more bytes than announced")
        if received != file.size:
            return web.Response(status=400, text=f"expected {file.size} bytes, got {received}")
        file.received = received
        return web.Response(text=f"OK - {received}")

    async def _store(self, request: web.Request, file: File) -> int:
        if not request.content_type.startswith("multipart/"):
            return await write_stream(request.content, file.path, limit=file.size)
        async for part in await request.multipart():
            if isinstance(part, BodyPartReader) and part.filename:
                return await write_stream(part, file.path, limit=file.size)
        return 0

    async def take_in(self, name: str, part: BodyPartReader, *, user: str) -> File:
        """A file that a person attaches: uploaded and processed at once. What a phone photographs (HEIC) has no type
        yet; Slack finds it out as late as it shares what apps upload."""
        file = self.announce(name, 0, user=user)
        file.size = await write_stream(part, file.path, limit=self._settings().upload_limit)
        file.received, file.completed = file.size, True
        file.processed = PurePath(name).suffix.lower() not in _LATE_TYPES
        if not file.processed:
            self._in_background(self._process_later(file, self._settings().share_delay))
        self._changed()
        return file

    async def _process_later(self, file: File, delay: float) -> None:
        await asyncio.sleep(delay)
        file.processed = True
        self._changed()

    def stand_in(self, name: str, url: str, *, user: str) -> File:
        """A file that only stands in Slack and lies elsewhere, as a person adds one from Google Drive."""
        file = self.announce(name, 0, user=user)
        file.path.touch()
        file.received, file.completed, file.processed, file.external_url = 0, True, True, url
        self._changed()
        return file

    def visible_to_bot(self, file: File) -> bool:
        """Whether the app may know of the file: its own, and what stands where it is a member."""
        if file.user == self._workspace.app.user_id:
            return True
        return any(self._workspace.bot_is_in(self._workspace.channels[key]) for key in file.shares)

    def completable(self, file_id: str) -> File:
        """The uploaded file that waits to be completed. Raises `SlackError`."""
        file = self._workspace.files.get(file_id)
        if file is None or file.deleted or file.received is None:
            raise SlackError("file_not_found")
        if file.completed:
            raise SlackError("file_update_failed")
        return file

    def complete(self, files: Sequence[File], channels: Sequence[Channel], draft: Draft) -> None:
        """Finishes uploads. The message that shows them comes later, or never: Slack promises nothing."""
        for file in files:
            file.completed = True
        facts = {
            "filename": " ".join(file.name for file in files),
            "channel": " ".join(channel.id for channel in channels),
            "thread_ts": draft.thread_ts or "",
        }
        fault = self._faults.take("slack:share", "do", facts)
        settings = self._settings()
        dropped = fault is not None and fault["kind"] == "drop"
        dropped = dropped or (settings.alt_txt_drops_share and any(file.alt_txt for file in files))
        delay = settings.share_delay
        if fault is not None and fault["kind"] == "delay":
            delay = float(str(fault.get("seconds", delay)))
        self._in_background(self._share_later(files, () if dropped else channels, draft, delay))

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _share_later(
        self, files: Sequence[File], channels: Sequence[Channel], draft: Draft, delay: float
    ) -> None:
        await asyncio.sleep(delay)
        standing = [file for file in files if not file.deleted]
        for file in standing:
            file.processed = True
        bot = self._workspace.people[self._workspace.app.user_id]
        if standing:
            for channel in channels:
                self._share(channel, bot.id, draft, standing)
        self._changed()

    def _share(self, channel: Channel, user: str, draft: Draft, files: Sequence[File]) -> None:
        author = self._workspace.people[user]
        shown = Draft(text=draft.text, blocks=draft.blocks, thread_ts=draft.thread_ts, files=files, by_bot=True)
        try:
            self._timeline.post(channel, author, shown)
        except SlackError:
            # The channel was archived or the thread deleted in the meantime: the share is lost in silence.
            return

    def delete(self, file: File) -> None:
        """Deletes a file. A message with nothing else to show goes with it, and so does the app's own."""
        for channel_id, places in file.shares.items():
            channel = self._workspace.channels[channel_id]
            for place in places:
                message = channel.messages[place["ts"]]
                spare = message.bot_id is not None or not message.text
                if spare and not message.deleted and not self._others(message, file):
                    self._timeline.delete(channel, message)
        file.deleted = True
        file.path.unlink(missing_ok=True)
        self._changed()

    def _others(self, message: Message, file: File) -> list[str]:
        return [one for one in message.files if one != file.id and not self._workspace.files[one].deleted]

    def find_private(self, request: web.Request) -> File | None:
        """The file that a private address names, while it exists and lies here."""
        team_and_id = request.match_info["key"]
        file = self._workspace.files.get(team_and_id.rpartition("-")[2])
        if file is None or file.deleted or file.hidden or file.external_url or file.received is None:
            return None
        return file

    async def close(self) -> None:
        """Stops the shares under way."""
        for task in tuple(self._under_way):
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)


class OversizeUpload(Exception):
    """More bytes came than were announced or allowed."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(f"more than {limit} bytes")


async def write_stream(source: StreamReader | BodyPartReader, path: Path, *, limit: int) -> int:
    """Writes a body to ``path`` piece by piece and returns its bytes. Raises `OversizeUpload` past
    ``limit``."""
    written = 0
    with path.open("wb") as target:
        while piece := await _read(source):
            written += len(piece)
            if written > limit:
                raise OversizeUpload(limit)
            target.write(piece)
    return written


async def _read(source: StreamReader | BodyPartReader) -> bytes:
    if isinstance(source, BodyPartReader):
        return bytes(await source.read_chunk(_CHUNK))
    return await source.read(_CHUNK)


def parsed_files(value: Any) -> list[Json]:
    """The ``files`` argument of completeUploadExternal: objects with at least an id. Raises `SlackError`."""
    if not isinstance(value, list) or not value:
        raise SlackError("invalid_arguments", response_metadata={"messages": ["[ERROR] missing required field: files"]})
    for one in value:
        if not isinstance(one, dict) or not isinstance(one.get("id"), str):
            raise SlackError(
                "invalid_arguments", response_metadata={"messages": ["[ERROR] files: id must be a string"]}
            )
    return value
