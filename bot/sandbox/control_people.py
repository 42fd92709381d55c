"""What people do, by the control API: commands, messages, reactions, clicks, modals, the Home tab."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import BodyPartReader, web

from .control_request import ControlRequest, handler
from .slack.entities import Channel, Ephemeral, File, Message, Person
from .slack.keyboard import rich_text, typed
from .slack.slack import Slack
from .slack.timeline import Draft
from .slack.wire import Misuse

Json = dict[str, Any]


class People:
    """The routes by which people act."""

    def __init__(self, slack: Slack) -> None:
        self._slack = slack
        self._workspace = slack.workspace

    def routes(self) -> list[web.RouteDef]:
        """``POST`` routes, relative to ``/control``."""
        runs: dict[str, Callable[[ControlRequest], Awaitable[Json]]] = {
            "/slash": self._slash,
            "/message": self._message,
            "/upload": self._upload,
            "/edit": self._edit,
            "/delete": self._delete,
            "/react": self._react,
            "/click": self._click,
            "/submit": self._submit,
            "/close_view": self._close_view,
            "/shortcut": self._shortcut,
            "/home": self._home,
            "/dismiss": self._dismiss,
        }
        return [web.post(path, handler(run)) for path, run in runs.items()]

    def _who(self, asked: ControlRequest) -> Person:
        return self._workspace.person(asked.word("user"))

    def _where(self, asked: ControlRequest, person: Person) -> Channel:
        """The channel, of which the person must be a member."""
        channel = self._workspace.channel(asked.word("channel"), user=person)
        if person.id not in channel.members:
            raise Misuse("user_not_in_channel", f"{person.name} in {channel.name}")
        return channel

    async def _slash(self, asked: ControlRequest) -> Json:
        """{user, channel, command, text, thread_ts?}"""
        person = self._who(asked)
        outcome = await self._slack.interactions.slash(
            person,
            self._where(asked, person),
            asked.word("command"),
            asked.optional("text") or "",
            in_thread=asked.optional("thread_ts") is not None,
        )
        return outcome.to_json()

    async def _message(self, asked: ControlRequest) -> Json:
        """{user, channel, text, thread_ts?, broadcast?}, as JSON or as multipart with files; answers
        ``ts``."""
        files = await self._read_parts(asked)
        person = self._who(asked)
        channel = self._where(asked, person)
        text = typed(self._workspace, asked.optional("text") or "")
        attached = [*files, *(self._own_file(person, file_id) for file_id in asked.words("files"))]
        if not text and not attached:
            raise Misuse("no_text")
        draft = Draft(
            text=text,
            blocks=rich_text(text, self._workspace.ids),
            files=attached,
            thread_ts=asked.optional("thread_ts"),
            broadcast=asked.flag("broadcast"),
        )
        message = self._slack.timeline.post(channel, person, draft)
        return {"ts": message.ts, "channel": channel.id, "files": message.files}

    async def _upload(self, asked: ControlRequest) -> Json:
        """Multipart {user, files}: files that are not yet in any message (for a modal's ``file_input``)."""
        return {"files": [file.id for file in await self._read_parts(asked)]}

    async def _read_parts(self, asked: ControlRequest) -> list[File]:
        """The files of a multipart request; its fields join the body. The user must come before the files."""
        if not asked.request.content_type.startswith("multipart/"):
            return []
        files: list[File] = []
        async for part in await asked.request.multipart():
            if not isinstance(part, BodyPartReader):
                continue
            if part.filename:
                files.append(await self._slack.files.take_in(part.filename, part, user=self._who(asked).id))
            else:
                asked.body[part.name or ""] = await part.text()
        return files

    def _own_file(self, person: Person, file_id: str) -> File:
        file = self._workspace.files.get(file_id)
        if file is None or file.deleted or file.user != person.id:
            raise Misuse("file_not_found", file_id)
        return file

    async def _edit(self, asked: ControlRequest) -> Json:
        """{user, channel, ts, text}: a person changes their own message."""
        person, channel, message = self._own_message(asked)
        text = typed(self._workspace, asked.word("text"))
        blocks = rich_text(text, self._workspace.ids)
        self._slack.timeline.edit(channel, message, person.id, text=text, blocks=blocks)
        return {"ts": message.ts}

    async def _delete(self, asked: ControlRequest) -> Json:
        """{user, channel, ts}: a person deletes their own message; an admin any."""
        _, channel, message = self._own_message(asked, admin_too=True)
        self._slack.timeline.delete(channel, message)
        return {"ts": message.ts}

    def _own_message(self, asked: ControlRequest, *, admin_too: bool = False) -> tuple[Person, Channel, Message]:
        person = self._who(asked)
        channel = self._where(asked, person)
        message = self._workspace.message(channel, asked.word("ts"))
        if message.user != person.id and not (admin_too and person.is_admin):
            raise Misuse("not_own_message", message.ts)
        return person, channel, message

    async def _react(self, asked: ControlRequest) -> Json:
        """{user, channel, ts, name, remove?, copies?}: ``copies`` delivers the same event that often."""
        person = self._who(asked)
        channel = self._where(asked, person)
        message = self._workspace.message(channel, asked.word("ts"))
        act = self._slack.timeline.unreact if asked.flag("remove") else self._slack.timeline.react
        act(channel, message, person, asked.word("name").strip(":"), copies=asked.number("copies", 1))
        return {"ts": message.ts}

    async def _dismiss(self, asked: ControlRequest) -> Json:
        """{user, channel, ts}: a person waves away what only they see. The app does not hear of it."""
        person = self._who(asked)
        shown = self._workspace.channel(asked.word("channel"), user=person).ephemerals.get(asked.word("ts"))
        if shown is None or shown.deleted or shown.user != person.id:
            raise Misuse("message_not_found", asked.word("ts"))
        self._slack.timeline.hide(shown)
        return {"ts": shown.ts}

    async def _click(self, asked: ControlRequest) -> Json:
        """{user, action_id, block_id?, value?} with {channel, ts, stale?} in a message or {view_id | home,
        values?} in a view; ``values`` is what its inputs hold meanwhile, as in ``/submit``."""
        person = self._who(asked)
        action_id, block_id, value = (
            asked.word("action_id"),
            asked.optional("block_id"),
            asked.optional("value"),
        )
        interactions = self._slack.interactions
        if asked.optional("view_id") or asked.flag("home"):
            home = self._slack.views.home(person.id) if asked.flag("home") else None
            view = home or self._slack.views.top(person.id, asked.optional("view_id"))
            outcome = await interactions.click_in_view(
                person, view, action_id=action_id, block_id=block_id, value=value, values=_values(asked)
            )
            return outcome.to_json()
        channel = self._where(asked, person)
        stale = asked.flag("stale")
        outcome = await interactions.click(
            person,
            channel,
            self._shown(channel, asked.word("ts"), stale=stale),
            action_id=action_id,
            block_id=block_id,
            value=value,
            stale=stale,
        )
        return outcome.to_json()

    def _shown(self, channel: Channel, ts: str, *, stale: bool) -> Message | Ephemeral:
        if ts in channel.ephemerals:
            return channel.ephemerals[ts]
        if stale and ts in channel.messages:
            return channel.messages[ts]
        return self._workspace.message(channel, ts)

    async def _submit(self, asked: ControlRequest) -> Json:
        """{user, values, view_id?}: submits the modal on top."""
        person = self._who(asked)
        view = self._slack.views.top(person.id, asked.optional("view_id"))
        return (await self._slack.interactions.submit(person, view, _values(asked))).to_json()

    async def _close_view(self, asked: ControlRequest) -> Json:
        """{user, view_id?}: closes the modal on top."""
        person = self._who(asked)
        view = self._slack.views.top(person.id, asked.optional("view_id"))
        return (await self._slack.interactions.close_view(person, view)).to_json()

    async def _shortcut(self, asked: ControlRequest) -> Json:
        """{user, callback_id} for a global one, with {channel, ts} for one on a message."""
        person = self._who(asked)
        callback_id = asked.word("callback_id")
        if asked.optional("ts") is None:
            return (await self._slack.interactions.global_shortcut(person, callback_id)).to_json()
        channel = self._where(asked, person)
        message = self._workspace.message(channel, asked.word("ts"))
        return (await self._slack.interactions.message_shortcut(person, channel, message, callback_id)).to_json()

    async def _home(self, asked: ControlRequest) -> Json:
        """{user, tab?}: opens the app's Home or Messages tab."""
        person = self._who(asked)
        channel = self._workspace.direct_messages(person.id)
        tab = asked.optional("tab") or "home"
        event: Json = {"type": "app_home_opened", "user": person.id, "channel": channel.id, "tab": tab}
        view = self._slack.views.home(person.id)
        if view is not None and tab == "home":
            event["view"] = self._slack.shapes.view(view)
        return {"event_id": self._slack.events.emit(event), "channel": channel.id}


def _values(asked: ControlRequest) -> Json:
    """What was typed and chosen in a view."""
    values = asked.body.get("values", {})
    if not isinstance(values, dict):
        raise Misuse("bad_argument", "values")
    return values
