"""The control API: what people do in the workspace, what goes wrong in it, and what has become of it.

Every request and answer is JSON, except uploads of files (multipart). People and channels are named by id or
by
name ("maya", "#dailies", "@maya" or "dm" for direct messages with the bot). What no person could do in Slack
is answered with HTTP 400 and ``{"error": …, "detail": …}``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable

from aiohttp import web

from . import snapshot
from .changes import Changes
from .control_people import People
from .control_request import ControlRequest, handler
from .faults import CannotKill, Faults
from .providers import Providers
from .slack.entities import ChannelKind
from .slack.slack import Slack
from .slack.wire import Misuse

Json = dict[str, object]


class Control:
    """The routes below ``/control``."""

    def __init__(self, *, slack: Slack, providers: Providers, faults: Faults, changes: Changes) -> None:
        self._slack = slack
        self._providers = providers
        self._faults = faults
        self._changes = changes
        self._people = People(slack)

    def app(self) -> web.Application:
        """The application to be mounted at ``/control/``."""
        app = web.Application(client_max_size=1 << 30)
        app.add_routes(self._people.routes())
        app.add_routes([*self._workspace_routes(), *self._fault_routes(), *self._reading_routes()])
        providers = web.Application()
        providers.add_routes(self._providers.control_routes)
        app.add_subapp("/providers/", providers)
        return app

    def _workspace_routes(self) -> list[web.RouteDef]:
        posts: dict[str, Callable[[ControlRequest], Awaitable[Json]]] = {
            "/config": self._config,
            "/channel": self._channel,
            "/user": self._user,
            "/file": self._change_file,
            "/token": self._token,
            "/redeliver": self._redeliver,
            "/sockets": self._sockets,
            "/verify_url": self._verify_url,
            "/bot": self._bot,
            "/bot/kill": self._kill_bot,
        }
        return [web.post(path, handler(run)) for path, run in posts.items()]

    def _fault_routes(self) -> list[web.RouteDef]:
        return [
            web.get("/faults", handler(self._list_faults)),
            web.post("/faults", handler(self._add_fault)),
            web.delete("/faults", handler(self._clear_faults)),
            web.delete("/faults/{id}", handler(self._remove_fault)),
        ]

    def _reading_routes(self) -> list[web.RouteDef]:
        return [
            web.get("/state", handler(self._state)),
            web.get("/thread", handler(self._thread)),
            web.get("/calls", handler(self._calls)),
            web.get("/changes", handler(self._wait)),
            web.get("/file/{file_id}", self._file),
        ]

    async def _config(self, asked: ControlRequest) -> Json:
        self._slack.configure(asked.body)
        self._changes.mark()
        return dict(self._slack.settings.to_json())

    async def _channel(self, asked: ControlRequest) -> Json:
        """``action``: create {name, private?, members?}, join / leave {channel, user}, archive / unarchive,
        rename."""
        workspace, timeline = self._slack.workspace, self._slack.timeline
        action = asked.word("action")
        if action == "create":
            kind: ChannelKind = "group" if asked.flag("private") else "channel"
            channel = workspace.add_channel(asked.word("name"), kind=kind, members=asked.words("members"))
            self._changes.mark()
            return {"channel": channel.id}
        channel = workspace.channel(asked.word("channel"))
        if action == "join":
            timeline.join(channel, workspace.person(asked.word("user")))
        elif action == "leave":
            timeline.leave(channel, workspace.person(asked.word("user")))
        elif action in {"archive", "unarchive"}:
            channel.is_archived = action == "archive"
        elif action == "rename":
            channel.name = asked.word("name")
        else:
            raise Misuse("unknown_action", action)
        self._changes.mark()
        return {"channel": channel.id}

    async def _user(self, asked: ControlRequest) -> Json:
        """``action``: create {name, …traits} or change {user, …traits}; traits are fields of `Person`."""
        traits = {key: value for key, value in asked.body.items() if key not in {"action", "name", "user"}}
        try:
            if asked.word("action") == "create":
                person = self._slack.workspace.add_person(asked.word("name"), **traits)
            else:
                person = self._slack.workspace.change_person(asked.word("user"), **traits)
        except TypeError as problem:
            raise Misuse("unknown_trait", str(problem)) from problem
        self._changes.mark()
        return {"user": person.id}

    async def _change_file(self, asked: ControlRequest) -> Json:
        """``action``: delete, hide / show (the limit of a free plan), forget_type / know_type {file}; or external
        {user, name, url}: a file that lies elsewhere, which a message may then have among its ``files``."""
        action = asked.word("action")
        if action == "external":
            owner = self._slack.workspace.person(asked.word("user"))
            return {"file": self._slack.files.stand_in(asked.word("name"), asked.word("url"), user=owner.id).id}
        file = self._slack.workspace.files.get(asked.word("file"))
        if file is None or file.deleted:
            raise Misuse("file_not_found", asked.word("file"))
        if action == "delete":
            self._slack.files.delete(file)
        elif action in {"hide", "show"}:
            file.hidden = action == "hide"
        elif action in {"forget_type", "know_type"}:
            file.processed = action == "know_type"
        else:
            raise Misuse("unknown_action", action)
        self._changes.mark()
        return {"file": file.id}

    async def _token(self, asked: ControlRequest) -> Json:
        """``scopes``: the new list; ``refuse``: an error for every call (null ends it); ``uninstall``:
        true."""
        if "scopes" in asked.body:
            self._slack.configure({"scopes": asked.words("scopes")})
        if "refuse" in asked.body:
            word = asked.body["refuse"]
            self._slack.tokens.refusal = str(word) if word else None
        if asked.flag("uninstall"):
            self._uninstall()
        return {"scopes": list(self._slack.settings.scopes), "refuse": self._slack.tokens.refusal}

    def _uninstall(self) -> None:
        app = self._slack.workspace.app
        self._slack.workspace.installed = False
        self._slack.tokens.refusal = "account_inactive"
        self._slack.events.emit({"type": "tokens_revoked", "tokens": {"oauth": [], "bot": [app.user_id]}})
        self._slack.events.emit({"type": "app_uninstalled"})

    async def _redeliver(self, asked: ControlRequest) -> Json:
        event_id = asked.body.get("event_id")
        last = asked.number("last", 0)
        return {"redelivered": self._slack.events.redeliver(event_id=str(event_id) if event_id else None, last=last)}

    async def _sockets(self, asked: ControlRequest) -> Json:
        """``action``: kill, or disconnect {reason: warning | refresh_requested | link_disabled}."""
        if asked.word("action") == "kill":
            return {"sockets": await self._slack.sockets.kill()}
        reason = str(asked.body.get("reason", "refresh_requested"))
        return {"sockets": await self._slack.sockets.disconnect(reason)}

    async def _verify_url(self, _asked: ControlRequest) -> Json:
        """Asks the app's URL to return a challenge, as Slack does when somebody saves it."""
        await self._slack.http.verify_url()
        return {"verified": self._slack.settings.delivery.url}

    async def _bot(self, asked: ControlRequest) -> Json:
        """Tells which process is the bot, so that faults can kill it."""
        pid = asked.body.get("pid")
        self._faults.bot_pid = asked.number("pid", 0) if pid is not None else None
        self._slack.http.forget_answers()
        self._changes.mark()
        return {"pid": self._faults.bot_pid}

    async def _kill_bot(self, _asked: ControlRequest) -> Json:
        """SIGKILL to the bot, now; answers when it is gone. Whoever started it may start it again."""
        try:
            await self._faults.kill_bot()
        except CannotKill as problem:
            raise Misuse("cannot_kill", str(problem)) from problem
        self._changes.mark()
        return {"killed": True}

    async def _list_faults(self, _asked: ControlRequest) -> Json:
        return {"faults": self._faults.listing()}

    async def _add_fault(self, asked: ControlRequest) -> Json:
        added = self._faults.add(asked.body)
        self._changes.mark()
        return {"id": added}

    async def _clear_faults(self, _asked: ControlRequest) -> Json:
        self._faults.clear()
        self._changes.mark()
        return {"faults": []}

    async def _remove_fault(self, asked: ControlRequest) -> Json:
        self._faults.remove(int(asked.path("id")))
        self._changes.mark()
        return {"faults": self._faults.listing()}

    async def _state(self, asked: ControlRequest) -> Json:
        key = asked.query("channel")
        channel = self._slack.workspace.channel(key).id if key else None
        deliveries = int(asked.query("deliveries") or 500)
        return snapshot.state(self._slack, channel=channel, deliveries=deliveries) | {
            "seq": self._changes.seq,
            "providers": self._providers.snapshot(),
        }

    async def _thread(self, asked: ControlRequest) -> Json:
        channel = self._slack.workspace.channel(asked.query("channel"))
        ts = asked.query("ts")
        parent = channel.messages.get(ts)
        if parent is None:
            raise Misuse("thread_not_found", ts)
        messages = [parent, *self._slack.workspace.replies(channel, ts)]
        return {
            "messages": [snapshot.message_state(self._slack, one) for one in messages],
            "seq": self._changes.seq,
        }

    async def _calls(self, asked: ControlRequest) -> Json:
        since = float(asked.query("since") or 0)
        calls = self._slack.calls.listing(asked.query("method") or None, since=since)
        return {"calls": [dataclasses.asdict(call) for call in calls]}

    async def _wait(self, asked: ControlRequest) -> Json:
        after = int(asked.query("after") or 0)
        return {"seq": await self._changes.wait(after, float(asked.query("timeout") or 10))}

    async def _file(self, request: web.Request) -> web.StreamResponse:
        file = self._slack.workspace.files.get(request.match_info["file_id"])
        if file is None or file.deleted or file.received is None:
            raise web.HTTPNotFound
        return web.FileResponse(file.path)
