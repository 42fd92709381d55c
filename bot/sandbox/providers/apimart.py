"""APIMart as it answers (its guide "Seedance 2 Mini API", its reference, and what its own client relies on).

A creation is answered with ``task_id`` at the top, as the guide reads it, and in the first of ``data``, as the
reference shows it; in the dialect ``live`` as the reference shows it alone; to a client that wants a response version
with the object of that version. Where the last frame lies is documented nowhere: here ``result.last_frame_url``.

Beside the points that every provider has, ``apimart:create`` takes in the phase ``do``:

``slow_processing``  {seconds = 3} the request stays in hand so long before anything is charged, so that another one
                     with its key is answered with 409
"""

from __future__ import annotations

import asyncio
import hmac
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from math import ceil
from pathlib import Path

import aiohttp
from aiohttp import web

from bot.sandbox.providers import references
from bot.sandbox.providers.apimart_catalog import model_docs, model_list, model_schema
from bot.sandbox.providers.apimart_input import (
    DOCS_FAST,
    DOCS_MINI,
    DOCS_STANDARD,
    GUIDE_MINI,
    GUIDE_STANDARD,
    OLD_FAST,
    OLD_STANDARD,
    RESOLUTIONS,
    ApimartRequest,
    InvalidRequest,
    parse,
)
from bot.sandbox.providers.apimart_uploads import NoImage, Uploads
from bot.sandbox.providers.face import CallingFace, as_json, recorded, shape_of, texts_in
from bot.sandbox.providers.farm import Farm, Order, Task
from bot.sandbox.providers.idempotency import Keys
from bot.sandbox.providers.ledger import NoFunds
from bot.sandbox.providers.outcomes import Stage
from bot.sandbox.providers.settings import DAY, MICRO, ProviderSettings

API_KEY = "apimart-sandbox-key"

_FLAT = {"480p": 0.081, "720p": 0.081, "1080p": 0.081}
_LISTED = {
    "480p": 0.0825,
    "720p": 0.1775,
    "1080p": 0.443,
    "480p+video": 0.05,
    "720p+video": 0.1073,
    "1080p+video": 0.2696,
}
SETTINGS = ProviderSettings(
    prices={
        **dict.fromkeys((GUIDE_MINI, DOCS_FAST, OLD_FAST, f"{OLD_FAST}-face"), _FLAT),
        **dict.fromkeys((GUIDE_STANDARD, DOCS_STANDARD, OLD_STANDARD, f"{OLD_STANDARD}-face"), _LISTED),
        DOCS_MINI: {"480p": 0.01056, "720p": 0.028, "480p+video": 0.0064},
    },
    expire_seconds=DAY,
    key_seconds=600,
)

_WORDS = {
    Stage.QUEUED: "pending",
    Stage.RUNNING: "processing",
    Stage.STORING: "processing",
    Stage.SUCCEEDED: "completed",
    Stage.FAILED: "failed",
}
_KEY_HEADER, _VERSION_HEADER = "Idempotency-Key", "X-APIMart-Response-Version"
_KEY = re.compile(r"[!-~]{1,191}")
_LANGUAGES = ("en", "zh", "ko", "ja")
_CREDITS_A_DOLLAR = 10
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

_ERRORS: Mapping[int, tuple[str, str]] = {
    400: ("invalid request", "invalid_request_error"),
    401: ("invalid API key", "authentication_error"),
    402: ("insufficient balance", "payment_required"),
    404: ("not found", "not_found_error"),
    409: ("the idempotency key cannot be used", "idempotency_error"),
    413: ("the file is too large", "invalid_request_error"),
    429: ("too many concurrent requests on this key", "rate_limit_error"),
    503: ("service unavailable", "server_error"),
}


class Apimart(CallingFace):
    """APIMart's dialect."""

    name = "apimart"
    settings = SETTINGS
    api_key = API_KEY

    def __init__(self, farm: Farm, session: Callable[[], aiohttp.ClientSession]) -> None:
        super().__init__(farm, session)
        self._keys = Keys()
        self._uploads = Uploads(lambda: farm.settings.upload_seconds)
        self.points: Mapping[Callable[[web.Request], Awaitable[web.StreamResponse]], str] = {
            self.create: "create",
            self.get: "get",
            self.balance: "balance",
            self.catalog: "catalog",
            self.upload: "upload",
        }

    def routes(self) -> list[web.RouteDef]:
        """With and without ``/v1``: the vendor's own client wants the base address without, others with it."""
        served = [
            route
            for base in ("/apimart/v1", "/apimart")
            for route in (
                web.post(f"{base}/videos/generations", self.create),
                web.get(f"{base}/tasks/{{task_id}}", self.get, allow_head=False),
                web.get(f"{base}/balance", self.balance, allow_head=False),
                web.get(f"{base}/user/balance", self.balance, allow_head=False),
                web.get(f"{base}/{{page:models|model-docs|model-schema}}", self.catalog, allow_head=False),
                web.post(f"{base}/uploads/images", self.upload),
            )
        ]
        return [*served, web.get("/apimart/files/{token}/{file}", self._uploads.download)]

    def error_body(self, status: int) -> object:
        """APIMart's envelope around an error."""
        message, kind = _ERRORS.get(status, ("internal error", "server_error"))
        return _envelope(status, message, kind)

    async def asked(self, request: web.Request) -> Mapping[str, object]:
        """Its prompt, resolution, model and key."""
        body = as_json(await request.read()) if request.content_type == "application/json" else None
        return {"key": request.headers.get(_KEY_HEADER, ""), **texts_in(body, "prompt", "resolution", "model")}

    async def create(self, request: web.Request) -> web.StreamResponse:
        """``POST /v1/videos/generations``: charge once for each idempotency key and begin."""
        if not _authorised(request):
            return self._error(401)
        body, key = await request.read(), request.headers.get(_KEY_HEADER)
        if key is None:
            return await self._create(request, body, None)
        if not _KEY.fullmatch(key):
            return self._error(400, f"{_KEY_HEADER} takes 1-191 visible ASCII characters", param=_KEY_HEADER)
        known = self._keys.find(key, window=self.farm.settings.key_seconds)
        if known is not None:
            if not known.same(body):
                return self._error(409, "the idempotency key was used with another body")
            if known.answer is None:
                return self._error(409, "a request with this idempotency key is in progress", retry_after="1")
            self.farm.requests["replayed"] += 1
            headers = {"Idempotency-Replayed": "true", **_version(request)}
            return web.Response(body=known.answer, content_type="application/json", headers=headers)
        return await self._keys.keep(key, body, lambda: self._create(request, body, key))

    async def get(self, request: web.Request) -> web.StreamResponse:
        """``GET /v1/tasks/{id}?language=en``."""
        if not _authorised(request):
            return self._error(401)
        if request.query.get("language", "en") not in _LANGUAGES:
            return self._error(400, f"language must be one of {', '.join(_LANGUAGES)}", param="language")
        task = self.farm.find(request.match_info["task_id"])
        if task is None:
            return self._error(404, "task not found")
        return web.json_response({"code": 200, "data": self._read(task)})

    async def balance(self, request: web.Request) -> web.StreamResponse:
        """``GET /v1/balance`` of the key, which has no limit of its own, and ``GET /v1/user/balance``."""
        if not _authorised(request):
            return self._error(401)
        used = sum(int(str(one["micro_usd"])) for one in self.farm.ledger.listing() if one["status"] != "refunded")
        return web.json_response(
            {
                "success": True,
                **_money("remain", self.farm.ledger.balance),
                **_money("used", used),
                "unlimited_quota": not request.path.endswith("/user/balance"),
            }
        )

    async def catalog(self, request: web.Request) -> web.StreamResponse:
        """``GET /v1/models``, ``/v1/model-docs?model=…``, ``/v1/model-schema?model=…&operation=video_generation``."""
        if not _authorised(request):
            return self._error(401)
        page, model = request.match_info["page"], request.query.get("model", "")
        if page == "models":
            return web.json_response(model_list())
        if model not in RESOLUTIONS:
            return self._error(404, f"model {model} not found", param="model")
        if request.query.get("operation", "video_generation") != "video_generation":
            return self._error(400, f"{model} generates videos", param="operation")
        return web.json_response(model_docs(model) if page == "model-docs" else model_schema(model))

    async def upload(self, request: web.Request) -> web.StreamResponse:
        """``POST /v1/uploads/images``, a form with one ``file``."""
        if not _authorised(request):
            return self._error(401)
        try:
            return web.json_response(await self._uploads.take(request))
        except NoImage as refused:
            return self._error(413 if refused.large else 400, str(refused), param="file")

    async def _create(self, request: web.Request, body: bytes, key: str | None) -> web.Response:
        """Validate, charge and begin; every refusal comes before the charge."""
        hold = self.farm.faults.take("apimart:create", "do", await self.facts(request))
        if hold is not None:
            if hold["kind"] != "slow_processing":
                raise ValueError(f"no fault of a creation: {hold['kind']!r}")
            await asyncio.sleep(float(str(hold.get("seconds", 3))))
        try:
            asked = parse(as_json(body))
            background = await self.fetch(asked.wanted)
        except InvalidRequest as refused:
            return self._error(400, refused.reason, param=refused.param, code=refused.code)
        except references.BadReference as refused:
            return self._error(400, str(refused))
        kept = recorded(request, body)
        order = _order(asked, key, background, kept)
        before = self.farm.latest()
        try:
            task = self.farm.admit(_new_id(), order)
        except NoFunds as broke:
            return self._error(402, str(broke))
        await self.callback_begins(task)
        told = before.id if before is not None and task.outcome.kind == "repeat_id" else task.id
        kept["answer"] = answer = self._accepted(request, told)
        return web.json_response(answer, headers=_version(request))

    def _accepted(self, request: web.Request, task_id: str) -> dict[str, object]:
        if _version(request):
            task = {"object": "generation.task", "id": task_id, "status": "pending"}
            return {"request_id": f"req_{secrets.token_hex(8)}", "data": task}
        answer: dict[str, object] = {"code": 200, "data": [{"status": "submitted", "task_id": task_id}]}
        return answer if self.farm.settings.dialect == "live" else {"task_id": task_id, **answer}

    def callback_body(self, task: Task) -> Mapping[str, object]:
        """The body of a status answer."""
        return {"code": 200, "data": self._data(task, Stage.FAILED if task.failure else Stage.SUCCEEDED)}

    def forged_body(self, task: Task, url: str) -> Mapping[str, object]:
        """Success, with this link."""
        return {"code": 200, "data": {"id": task.id, "status": "completed", "result": {"videos": [{"url": [url]}]}}}

    def callback_headers(self, body: bytes, *, secret: str | None, age: float) -> Mapping[str, str]:  # noqa: ARG002 - nothing is signed
        """None: APIMart does not sign."""
        return {}

    def _read(self, task: Task) -> dict[str, object]:
        """A task as this read is told it; counts the read."""
        stage = task.stage(time.time())
        if stage in (Stage.SUCCEEDED, Stage.FAILED):
            data = self._data(task, task.outcome.told(task.reads_at_end) or stage)
            withheld = task.outcome.without_url(task.reads_at_end)
            result = data.get("result")
            if withheld is not None and isinstance(result, dict):
                result.pop("videos", None)
                result |= {} if withheld == "missing" else {"videos": None if withheld == "null" else []}
            task.reads_at_end += 1
            return data
        word = task.outcome.word(task.reads_at_work)
        task.reads_at_work += 1
        data = self._data(task, stage)
        return data if word is None else data | {"status": word}

    def _data(self, task: Task, stage: Stage) -> dict[str, object]:
        """The `data` of a task. What was refunded did not cost anything."""
        data: dict[str, object] = {
            "id": task.id,
            "status": _WORDS[stage],
            "progress": _progress(task, stage),
            "created": int(task.created),
            "estimated_time": ceil(task.seconds),
        }
        if stage in (Stage.SUCCEEDED, Stage.FAILED):
            kept = self.farm.price(task.order) if task.failure is None else self.farm.ledger.charged(task.id)
            data |= {"cost": kept / MICRO, "credits_cost": kept * _CREDITS_A_DOLLAR / MICRO}
            data["completed"] = int(task.completed or time.time())
            data["actual_time"] = ceil((task.completed or time.time()) - task.created)
        if stage is Stage.SUCCEEDED:
            data["result"] = self._result(task)
        elif stage is Stage.FAILED and task.failure is not None:
            data["error"] = _failure(task.failure.code, task.failure.message)
        return data

    def _result(self, task: Task) -> dict[str, object]:
        links = dict(self.farm.links_of(task))
        video = links["video"]
        result: dict[str, object] = {"videos": [{"url": [self.farm.url(video)], "expires_at": int(video.expires)}]}
        others = {"thumbnail": "thumbnail_url", "last_frame": "last_frame_url"}
        return result | {field: self.farm.url(links[kind]) for kind, field in others.items() if kind in links}

    def _error(
        self,
        status: int,
        reason: str | None = None,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after: str | None = None,
    ) -> web.Response:
        message, kind = _ERRORS[status]
        body = _envelope(status, reason or message, kind, code=code, param=param)
        headers = {} if retry_after is None else {"Retry-After": retry_after}
        return web.json_response(body, status=status, headers=headers)


def _envelope(
    status: int, message: str, kind: str, *, code: str | None = None, param: str | None = None
) -> dict[str, object]:
    error: dict[str, object] = {"code": code or status, "message": message, "type": kind}
    return {"error": error if param is None else error | {"param": param}}


def _authorised(request: web.Request) -> bool:
    return hmac.compare_digest(request.headers.get("Authorization", "").encode(), f"Bearer {API_KEY}".encode())


def _version(request: web.Request) -> Mapping[str, str]:
    """The response version that a client asks for, to be said again; nothing where it asks for none."""
    asked = request.headers.get(_VERSION_HEADER)
    return {} if asked is None else {_VERSION_HEADER: asked}


def _money(name: str, micro_usd: int) -> dict[str, float]:
    return {f"{name}_balance": micro_usd / MICRO, f"{name}_credits": micro_usd * _CREDITS_A_DOLLAR / MICRO}


def _progress(task: Task, stage: Stage) -> int:
    if stage is Stage.SUCCEEDED:
        return 100
    if stage in (Stage.QUEUED, Stage.FAILED) or not task.seconds:
        return 0
    return min(99, int(100 * (time.time() - task.created) / task.seconds))


def _failure(code: str, message: str) -> dict[str, object]:
    """The upstream's codes in APIMart's shape, where a number says what HTTP would."""
    number = {"TASK_FAILED": 400, "TASK_TIMEOUT": 504, "STORAGE_UNAVAILABLE": 503}.get(code)
    kind = "invalid_request_error" if number == 400 else "upstream_error"
    return {"code": number or code, "message": message, "type": kind}


def _order(asked: ApimartRequest, key: str | None, background: Path | None, kept: dict[str, object]) -> Order:
    return Order(
        model=asked.model,
        prompt=asked.prompt,
        resolution=asked.resolution,
        ratio=shape_of(asked.ratio, background),
        seconds=asked.seconds,
        audio=asked.audio,
        kind=asked.kind,
        video_input=bool(asked.videos),
        background=background,
        last_frame=asked.last_frame,
        key=key,
        callback_url=asked.callback_url,
        recorded=kept,
    )


def _new_id() -> str:
    """``task_`` and 26 characters of Crockford's base 32, the first ten of which tell the time."""
    number = int(time.time() * 1000) << 80 | secrets.randbits(80)
    return "task_" + "".join(_LETTERS[number >> shift & 31] for shift in range(125, -1, -5))
