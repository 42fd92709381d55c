"""Muapi as it answers: a path for each model and way of asking (its guide to Seedance 2 Mini).

The setting `dialect` chooses between the guide's answers (``id``, ``succeeded``, ``output``) and those that Muapi's own
clients need (``request_id``, ``completed``, ``outputs``); the key is taken in either header. There is no idempotency
key, no list and no way to cancel, and callbacks bear no signature.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
from aiohttp import BodyPartReader, web

from bot.sandbox.providers import references
from bot.sandbox.providers.face import CallingFace, as_json, recorded, shape_of, texts_in
from bot.sandbox.providers.farm import Farm, Order, Task
from bot.sandbox.providers.ledger import NoFunds
from bot.sandbox.providers.muapi_input import ENDPOINTS, MINI, STANDARD, VIP, MuapiRequest, Refused, parse
from bot.sandbox.providers.outcomes import Stage
from bot.sandbox.providers.settings import DAY, MICRO, ProviderSettings

API_KEY = "muapi-sandbox-key"

SETTINGS = ProviderSettings(
    prices={
        MINI: {"480p": 0.08, "720p": 0.15},
        STANDARD: {"720p": 0.30},
        VIP: {"1080p": 0.675},
    },
    expire_seconds=DAY,
)

_WORDS = {
    "document": {Stage.SUCCEEDED: "succeeded", Stage.FAILED: "failed"},
    "live": {Stage.QUEUED: "queued", Stage.SUCCEEDED: "completed", Stage.FAILED: "failed"},
}
"""Every other stage is "processing"."""

_ERRORS: Mapping[int, str] = {
    400: "Invalid parameters",
    401: "Invalid API key",
    402: "Insufficient balance, top up at https://muapi.ai/topup",
    404: "Not Found",
    422: "Prompt policy violation",
    429: "Rate limit exceeded",
}
_LARGEST_UPLOAD = 50 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class _Upload:
    name: str
    path: Path
    expires: float


class Muapi(CallingFace):
    """Muapi's two dialects."""

    name = "muapi"
    settings = SETTINGS
    api_key = API_KEY

    def __init__(self, farm: Farm, session: Callable[[], aiohttp.ClientSession]) -> None:
        super().__init__(farm, session)
        self._uploads: dict[str, _Upload] = {}
        self.points = {self.create: "create", self.get: "get", self.balance: "balance", self.upload: "upload"}

    def routes(self) -> list[web.RouteDef]:
        """Below ``/api/v1``; uploaded files stand beside it."""
        base = "/muapi/api/v1"
        return [
            web.get(f"{base}/predictions/{{task_id}}/result", self.get, allow_head=False),
            web.get(f"{base}/account/balance", self.balance, allow_head=False),
            web.post(f"{base}/upload_file", self.upload),
            web.post(f"{base}/{{endpoint}}", self.create),
            web.get("/muapi/uploads/{token}/{name}", self.uploaded),
        ]

    def error_body(self, status: int) -> object:
        """The framework's envelope around an error."""
        return {"detail": _ERRORS.get(status, "Internal Server Error")}

    async def asked(self, request: web.Request) -> Mapping[str, object]:
        """Its endpoint, prompt and resolution."""
        if "endpoint" not in request.match_info:
            return {}
        body = as_json(await request.read())
        return {"endpoint": request.match_info["endpoint"], **texts_in(body, "prompt", "resolution")}

    async def create(self, request: web.Request) -> web.StreamResponse:
        """``POST /{endpoint}``: every one that is taken is charged."""
        endpoint = ENDPOINTS.get(request.match_info["endpoint"])
        if endpoint is None:
            return self._error(404)
        if not _authorised(request):
            return self._error(401)
        body = await request.read()
        try:
            live = self.farm.settings.dialect == "live"
            asked = parse(endpoint, as_json(body), webhook=request.query.get("webhook"), live=live)
            background = await self.fetch(_files(asked))
        except Refused as refused:
            return self._error(refused.status, refused.detail)
        except references.BadReference as bad:
            return self._error(400, f"reference {bad}")
        kept = recorded(request, body)
        before = self.farm.latest()
        try:
            task = self.farm.admit(_new_id(), _order(asked, background, kept))
        except NoFunds as broke:
            return self._error(402, str(broke))
        await self.callback_begins(task)
        told = before.id if before is not None and task.outcome.kind == "repeat_id" else task.id
        kept["answer"] = answer = {self._id_name: told, "status": "processing"}
        return web.json_response(answer)

    async def get(self, request: web.Request) -> web.StreamResponse:
        """``GET /predictions/{id}/result``."""
        if not _authorised(request):
            return self._error(401)
        task = self.farm.find(request.match_info["task_id"])
        if task is None:
            return self._error(404, "Prediction not found")
        return web.json_response(self._read(task))

    async def balance(self, request: web.Request) -> web.StreamResponse:
        """``GET /account/balance``, in dollars."""
        if not _authorised(request):
            return self._error(401)
        left = self.farm.ledger.balance / MICRO
        return web.json_response({"balance": left, "currency": "USD", "email": "studio@sandbox.example"})

    async def upload(self, request: web.Request) -> web.StreamResponse:
        """``POST /upload_file``, multipart with one ``file``; answers its address."""
        if not _authorised(request):
            return self._error(401)
        if not request.content_type.startswith("multipart/"):
            return self._error(422, [{"loc": ["body", "file"], "msg": "Field required", "type": "missing"}])
        async for part in await request.multipart():
            if isinstance(part, BodyPartReader) and part.name == "file":
                data = bytes(await part.read())
                if len(data) > _LARGEST_UPLOAD:
                    return self._error(413, "the file is too large")
                if references.kind_of(data) is None:
                    return self._error(400, "the file is no picture, video or sound")
                return web.json_response(self._keep(request, Path(part.filename or "file").name, data))
        return self._error(422, [{"loc": ["body", "file"], "msg": "Field required", "type": "missing"}])

    async def uploaded(self, request: web.Request) -> web.StreamResponse:
        """A file that was uploaded."""
        upload = self._uploads.get(request.match_info["token"])
        if upload is None or time.time() >= upload.expires or upload.name != request.match_info["name"]:
            return self._error(404)
        return web.FileResponse(upload.path)

    def _keep(self, request: web.Request, name: str, data: bytes) -> dict[str, object]:
        token = secrets.token_urlsafe(24)
        path = self.farm.folder / f"upload-{token}"
        path.write_bytes(data)
        expires = time.time() + self.farm.settings.upload_seconds
        self._uploads[token] = _Upload(name=name, path=path, expires=expires)
        url = str(request.url.origin() / "muapi" / "uploads" / token / name)
        return {"output" if self.farm.settings.dialect == "live" else "url": url}

    def callback_body(self, task: Task) -> Mapping[str, object]:
        """What a read of the task says."""
        return self._data(task, Stage.FAILED if task.failure else Stage.SUCCEEDED)

    def forged_body(self, task: Task, url: str) -> Mapping[str, object]:
        """Success, with this link."""
        return self._about(task, Stage.SUCCEEDED, [url])

    def callback_headers(self, body: bytes, *, secret: str | None, age: float) -> Mapping[str, str]:  # noqa: ARG002
        """Nothing: Muapi does not sign."""
        return {}

    @property
    def _id_name(self) -> str:
        return "request_id" if self.farm.settings.dialect == "live" else "id"

    def _read(self, task: Task) -> dict[str, object]:
        """A task as this read is told it; counts the read."""
        stage = task.stage(time.time())
        if stage in (Stage.SUCCEEDED, Stage.FAILED):
            told = task.outcome.told(task.reads_at_end) or stage
            data = self._data(task, told)
            withheld = task.outcome.without_url(task.reads_at_end)
            if withheld is not None:
                name = "outputs" if self.farm.settings.dialect == "live" else "output"
                data |= {name: {"null": None, "empty": [] if name == "outputs" else ""}.get(withheld)}
                if withheld == "missing":
                    del data[name]
            task.reads_at_end += 1
            return data
        word = task.outcome.word(task.reads_at_work)
        task.reads_at_work += 1
        data = self._data(task, stage)
        return data if word is None else data | {"status": word}

    def _data(self, task: Task, stage: Stage) -> dict[str, object]:
        return self._about(task, stage, [self.farm.url(link) for _, link in self.farm.links_of(task)])

    def _about(self, task: Task, stage: Stage, urls: list[str]) -> dict[str, object]:
        """A task at a stage, with these links once it has succeeded."""
        live = self.farm.settings.dialect == "live"
        word = _WORDS[self.farm.settings.dialect].get(stage, "processing")
        error = task.failure.message if stage is Stage.FAILED and task.failure is not None else None
        shown = urls if stage is Stage.SUCCEEDED else []
        if live:
            created = datetime.fromtimestamp(task.created, UTC).isoformat()
            about = {"request_id": task.id, "id": task.id, "status": word, "created_at": created}
            return about | {"outputs": shown, "error": error}
        data: dict[str, object] = {"id": task.id, "status": word}
        if shown:
            data["output"] = shown[0] if len(shown) == 1 else shown
        return data if error is None else data | {"error": error}

    def _error(self, status: int, detail: object = None) -> web.Response:
        return web.json_response({"detail": _ERRORS[status] if detail is None else detail}, status=status)


def _authorised(request: web.Request) -> bool:
    bearer = request.headers.get("Authorization", "").encode()
    plain = request.headers.get("x-api-key", "").encode()
    return hmac.compare_digest(bearer, f"Bearer {API_KEY}".encode()) or hmac.compare_digest(plain, API_KEY.encode())


def _files(asked: MuapiRequest) -> list[tuple[str, str]]:
    kinds = {"image": asked.images, "video": asked.videos, "audio": asked.audios}
    return [(url, kind) for kind, urls in kinds.items() for url in urls]


def _order(asked: MuapiRequest, background: Path | None, kept: dict[str, object]) -> Order:
    return Order(
        model=asked.endpoint.model,
        prompt=asked.prompt,
        resolution=asked.resolution,
        ratio=shape_of(asked.aspect_ratio, background),
        seconds=asked.duration,
        audio=asked.generate_audio,
        kind=asked.endpoint.kind,
        video_input=bool(asked.videos),
        background=background,
        last_frame=False,
        key=None,
        callback_url=asked.callback_url,
        recorded=kept,
    )


def _new_id() -> str:
    return f"job_{secrets.token_hex(8)}"
