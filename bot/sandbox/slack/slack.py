"""The workspace as a server: the parts put together, and the HTTP routes under which the app finds them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aiohttp import web

from ..faults import Faults
from .api import METHODS, Backend, Method
from .api.method import check_arguments, check_scopes
from .calls import APP_TOKEN, BOT_TOKEN, SIGNING_SECRET, Call, CallLog, RateLimits, Tokens, read_call
from .clock import Clock, Identifiers
from .events import Events
from .files import LOGIN_PAGE, Files
from .http_delivery import Delivery, HttpDelivery
from .interactions import Interactions
from .responses import ResponseRefused, Responses
from .settings import Settings
from .shapes import Shapes, mimetype
from .sockets import SocketMode
from .timeline import Timeline
from .views import Views
from .wire import Json, RateLimited, SlackError
from .workspace import Workspace


class Slack:
    """One workspace with its app. ``origin`` must be set before the app connects."""

    def __init__(self, *, data_dir: Path, faults: Faults, settings: Settings, changed: Callable[[], None]) -> None:
        folder = data_dir / "slack-files"
        folder.mkdir(parents=True, exist_ok=True)
        self.settings = settings
        self.calls = CallLog()
        self.tokens = Tokens()
        self.workspace = Workspace(Clock(), Identifiers())
        self.shapes = Shapes(self.workspace)
        self.sockets = SocketMode(faults=faults, changed=changed, app_id=self.workspace.app.id)
        self.http = HttpDelivery(faults=faults, settings=self._current, changed=changed, log=self.sockets.envelopes)
        delivery = Delivery(sockets=self.sockets, http=self.http, settings=self._current)
        self.events = Events(
            workspace=self.workspace,
            delivery=delivery,
            faults=faults,
            settings=self._current,
            changed=changed,
        )
        self.timeline = Timeline(self.workspace, self.shapes, self.events, changed)
        self.files = Files(
            workspace=self.workspace,
            timeline=self.timeline,
            faults=faults,
            settings=self._current,
            folder=folder,
            changed=changed,
        )
        self.responses = Responses(self.workspace, self.timeline, self._current)
        self.views = Views(self.workspace, self._current, changed)
        self.interactions = Interactions(
            workspace=self.workspace,
            shapes=self.shapes,
            timeline=self.timeline,
            delivery=delivery,
            responses=self.responses,
            views=self.views,
            settings=self._current,
        )
        self._limits = RateLimits(self._current)
        self._backend = Backend(
            workspace=self.workspace,
            shapes=self.shapes,
            timeline=self.timeline,
            files=self.files,
            views=self.views,
            sockets=self.sockets,
            tokens=self.tokens,
            limits=self._limits,
            settings=self._current,
            origin=lambda: self.shapes.origin,
        )

    def _current(self) -> Settings:
        return self.settings

    def configure(self, values: Mapping[str, Any]) -> None:
        """Changes settings. Raises `Misuse`."""
        self.settings = self.settings.changed(values)
        self.sockets.max_sockets = self.settings.max_sockets

    def located_at(self, origin: str) -> None:
        """Tells where this server is reached ("http://127.0.0.1:1234"); its addresses are made from it."""
        self.shapes.origin = origin
        self.responses.origin = origin

    def environment(self) -> dict[str, str]:
        """What the bot's environment needs to find this workspace."""
        return {
            "SLACK_API_URL": f"{self.shapes.origin}/api/",
            "SLACK_BOT_TOKEN": BOT_TOKEN,
            "SLACK_APP_TOKEN": APP_TOKEN,
            "SLACK_SIGNING_SECRET": SIGNING_SECRET,
        }

    def routes(self) -> list[web.RouteDef]:
        """Everything that the app itself talks to."""
        return [
            web.route("*", "/api/{method}", self._api),
            web.get("/link/", self.sockets.serve),
            web.post("/upload/v1/{token}", self._upload),
            web.get("/files-pri/{key}/{name}", self._download),
            web.get("/files-pri/{key}/download/{name}", self._download),
            web.get("/login", _login),
            web.post("/hooks/{kind}/{team}/{token}", self._respond),
        ]

    async def close(self) -> None:
        """Ends deliveries, late shares and sockets."""
        await self.events.close()
        await self.files.close()
        await self.http.close()
        await self.sockets.close()

    async def _api(self, request: web.Request) -> web.Response:
        started = time.time()
        name = request.match_info["method"]
        arguments: Json = {}
        try:
            call = await read_call(request)
            arguments = call.arguments
            body: Json = {"ok": True} | await self._answer(METHODS.get(name), call)
            status, headers = 200, self._scope_headers(METHODS[name])
        except SlackError as refusal:
            body, status, headers = refusal.body(), 200, self._scope_headers(METHODS.get(name))
        except RateLimited as limited:
            body, status = {"ok": False, "error": "ratelimited"}, 429
            headers = {"Retry-After": str(limited.retry_after)}
        self.calls.add(name, arguments, error=body.get("error"), started=started)
        return web.json_response(body, status=status, headers=headers)

    async def _answer(self, method: Method | None, call: Call) -> Json:
        if method is None:
            raise SlackError("unknown_method", req_method=call.method)
        if method.app_level:
            self.tokens.check_app(call)
        elif not method.anonymous:
            self.tokens.check_bot(call.token)
            check_scopes(self.settings, method.scopes)
        self._limits.check(call)
        check_arguments(method, call)
        return await method.run(self._backend, call)

    def _scope_headers(self, method: Method | None) -> dict[str, str]:
        if method is None or method.app_level:
            return {}
        return {
            "x-oauth-scopes": ",".join(sorted(self.settings.scopes)),
            "x-accepted-oauth-scopes": ",".join(method.scopes),
        }

    async def _upload(self, request: web.Request) -> web.Response:
        started = time.time()
        answer = await self.files.receive(request)
        error = None if answer.status == 200 else str(answer.text)
        self.calls.add("upload", {"bytes": request.content_length}, error=error, started=started)
        return answer

    async def _download(self, request: web.Request) -> web.StreamResponse:
        started = time.time()
        arguments = {"path": request.path, "range": request.headers.get("Range")}
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            self.tokens.check_bot(token)
            check_scopes(self.settings, ("files:read",))
        except SlackError as refusal:
            self.calls.add("download", arguments, error=refusal.error, started=started)
            return _to_login(request)
        file = self.files.find_private(request)
        seen = file is not None and self.files.visible_to_bot(file)
        self.calls.add("download", arguments, error=None if seen else "file_not_found", started=started)
        if file is None:
            return web.Response(status=404, text=LOGIN_PAGE, content_type="text/html")
        if not seen:
            return _to_login(request)
        return web.FileResponse(file.path, headers={"Content-Type": mimetype(file)})

    async def _respond(self, request: web.Request) -> web.Response:
        started = time.time()
        body: Json = {}
        try:
            body = await _json_object(request)
            self.responses.post(request.match_info["token"], body)
        except ResponseRefused as refusal:
            self.calls.add("response_url", body, error=refusal.word, started=started)
            return web.Response(status=refusal.status, text=refusal.word)
        self.calls.add("response_url", body, error=None, started=started)
        return web.Response(text="ok")


async def _json_object(request: web.Request) -> Json:
    try:
        body = await request.json()
    except ValueError as problem:
        raise ResponseRefused(400, "invalid_payload") from problem
    if not isinstance(body, dict):
        raise ResponseRefused(400, "invalid_payload")
    return body


def _to_login(request: web.Request) -> web.Response:
    location = f"/login?redir={quote(request.path_qs, safe='/')}"
    return web.Response(status=302, headers={"Location": location})


async def _login(_request: web.Request) -> web.Response:
    """What Slack shows, with status 200, to a download without a good token."""
    return web.Response(text=LOGIN_PAGE, content_type="text/html")


def point_of(request: web.Request) -> str | None:
    """The fault point of a request: ``slack:<method>``, ``slack:upload``, ``slack:download``,
    ``slack:response_url``."""
    path = request.path
    if path.startswith("/api/"):
        return f"slack:{path.removeprefix('/api/')}"
    for prefix, point in (("/upload/", "upload"), ("/files-pri/", "download"), ("/hooks/", "response_url")):
        if path.startswith(prefix):
            return f"slack:{point}"
    return None


async def facts_of(request: web.Request) -> Json:
    """What a fault rule may match: the arguments of a Web API call, else the address."""
    if not request.path.startswith("/api/"):
        return {"path": request.path}
    try:
        return (await read_call(request)).arguments
    except SlackError:
        return {}


def error_body(_request: web.Request, status: int) -> Json:
    """The body of Slack's own failures."""
    return {
        "ok": False,
        "error": {429: "ratelimited", 503: "service_unavailable"}.get(status, "internal_error"),
    }
