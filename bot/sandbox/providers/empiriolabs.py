"""EmpirioLabs as it answers (its pages on the Seedance 2.0 models, the reference page on jobs, its page on usage).

In the dialect ``document`` a submission is answered with ``job_id`` and a relative ``poll_url``, refusals are
OpenAI-like; in ``live`` with 202, ``id`` and an absolute ``poll_url``, jobs bear the words and places that its clients
also know, and refusals are its framework's. Where the list, the cancelling and the balance are is inferred from its own
tools. A job that is cancelled stays charged: nothing says that it would not.
"""

from __future__ import annotations

import hmac
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
from aiohttp import web

from bot.sandbox.providers import references
from bot.sandbox.providers.empiriolabs_input import (
    FAST,
    FILES,
    LONGEST,
    MINI,
    MODELS,
    MODES,
    RATIOS,
    SHORTEST,
    STANDARD,
    EmpirioRequest,
    InvalidRequest,
    parse,
)
from bot.sandbox.providers.face import Face, as_json, recorded, shape_of, texts_in
from bot.sandbox.providers.farm import Farm, Order, Task
from bot.sandbox.providers.ledger import NoFunds
from bot.sandbox.providers.outcomes import Failure, Stage
from bot.sandbox.providers.settings import DAY, MICRO, ProviderSettings

API_KEY = "empiriolabs-sandbox-key"

SETTINGS = ProviderSettings(
    prices={
        MINI: {"480p": 0.07, "720p": 0.15, "480p+video": 0.167, "720p+video": 0.359},
        FAST: {"480p": 0.122, "720p": 0.26, "480p+video": 0.284, "720p+video": 0.61},
        STANDARD: {"480p": 0.14, "720p": 0.30, "1080p": 0.60},
    },
    expire_seconds=DAY,
)

_WORDS = {
    "document": {Stage.QUEUED: "processing", Stage.SUCCEEDED: "completed", Stage.FAILED: "failed"},
    "live": {Stage.QUEUED: "queued", Stage.SUCCEEDED: "succeeded", Stage.FAILED: "error"},
}
"""Every other stage is "processing"."""
_CANCELLED = "cancelled"
_LISTED = {"processing": None, "completed": False, "failed": True}
"""Words that the list can be narrowed to, and whether such a job has failed."""

_ERRORS: Mapping[int, tuple[str, str, str]] = {
    400: ("Invalid request", "invalid_request_error", "invalid_parameter"),
    401: ("Invalid API key", "authentication_error", "invalid_api_key"),
    402: ("Insufficient credits", "billing_error", "insufficient_credits"),
    404: ("Job not found", "not_found_error", "job_not_found"),
    429: ("Rate limit exceeded", "rate_limit_error", "rate_limit_exceeded"),
}
_PAGE = "/empiriolabs/v1"
_USAGE = "/api/v1/account/usage"


class Empiriolabs(Face):
    """EmpirioLabs' two dialects."""

    name = "empiriolabs"
    settings = SETTINGS
    api_key = API_KEY

    def __init__(self, farm: Farm, session: Callable[[], aiohttp.ClientSession]) -> None:
        super().__init__(farm, session)
        self.points: Mapping[Callable[[web.Request], Awaitable[web.StreamResponse]], str] = {
            self.create: "create",
            self.get: "get",
            self.list: "list",
            self.cancel: "cancel",
            self.usage: "balance",
            self.model: "catalog",
        }

    def routes(self) -> list[web.RouteDef]:
        """All below ``/v1``, but for the usage, which the real one has on a host of its own."""
        return [
            web.post(f"{_PAGE}/videos/generations", self.create),
            web.get(f"{_PAGE}/jobs", self.list, allow_head=False),
            web.get(f"{_PAGE}/jobs/{{task_id}}", self.get, allow_head=False),
            web.post(f"{_PAGE}/jobs/{{task_id}}/cancel", self.cancel),
            web.get(f"/empiriolabs{_USAGE}", self.usage, allow_head=False),
            web.get(f"{_PAGE}/models/{{model}}", self.model, allow_head=False),
        ]

    def error_body(self, status: int) -> object:
        """The envelope around an error."""
        message, kind, code = _ERRORS.get(status, ("Internal server error", "server_error", "internal_error"))
        if self._live:
            return {"detail": message}
        return {"error": {"message": message, "type": kind, "code": code}}

    async def asked(self, request: web.Request) -> Mapping[str, object]:
        """Its prompt, resolution and model."""
        return texts_in(as_json(await request.read()), "prompt", "resolution", "model")

    async def create(self, request: web.Request) -> web.StreamResponse:
        """``POST /v1/videos/generations``: every one that is taken is charged."""
        if not _authorised(request):
            return self._error(401)
        body = await request.read()
        try:
            asked = parse(as_json(body))
            background = await self._fetch(asked)
        except InvalidRequest as refused:
            return self._refused(refused)
        kept = recorded(request, body)
        before = self.farm.latest()
        try:
            task = self.farm.admit(str(uuid.uuid4()), _order(asked, background, kept))
        except NoFunds as broke:
            return self._error(402, str(broke))
        told = before.id if before is not None and task.outcome.kind == "repeat_id" else task.id
        origin = str(request.url.origin()) + "/empiriolabs" if self._live else ""
        answer = {self._id: told, "status": "processing", "poll_url": f"{origin}/v1/jobs/{told}"}
        kept["answer"] = answer
        return web.json_response(answer, status=202 if self._live else 200)

    async def get(self, request: web.Request) -> web.StreamResponse:
        """``GET /v1/jobs/{job_id}``."""
        if not _authorised(request):
            return self._error(401)
        task = self.farm.find(request.match_info["task_id"])
        return self._error(404) if task is None else web.json_response(self._read(task))

    async def list(self, request: web.Request) -> web.StreamResponse:
        """``GET /v1/jobs?status=processing&limit=25``, newest first."""
        if not _authorised(request):
            return self._error(401)
        word, limit = request.query.get("status"), request.query.get("limit", "25")
        if word is not None and word not in _LISTED:
            return self._refused(InvalidRequest("status", f"must be one of {', '.join(_LISTED)}", kind="enum"))
        if not limit.isdecimal() or not 1 <= int(limit) <= 100:
            return self._refused(InvalidRequest("limit", "must be 1-100"))
        tasks = [one for one in self.farm.newest_first() if word is None or _LISTED[word] is _failed(one)]
        return web.json_response({"object": "list", "data": [self._read(task) for task in tasks[: int(limit)]]})

    async def cancel(self, request: web.Request) -> web.StreamResponse:
        """``POST /v1/jobs/{job_id}/cancel``: one that has ended is answered as it is."""
        if not _authorised(request):
            return self._error(401)
        task = self.farm.find(request.match_info["task_id"])
        if task is None:
            return self._error(404)
        self.farm.stop(task, Failure(code=_CANCELLED, message="cancelled by the customer", refund=False))
        return web.json_response(self._data(task, Stage.FAILED if task.failure else Stage.SUCCEEDED))

    async def usage(self, request: web.Request) -> web.StreamResponse:
        """``GET /api/v1/account/usage?source=api&limit=25``: what is left, and what was charged, newest first."""
        if not _authorised(request):
            return self._error(401)
        limit = request.query.get("limit", "100")
        if not limit.isdecimal() or not 1 <= int(limit) <= 200:
            return self._refused(InvalidRequest("limit", "must be 1-200"))
        left = self.farm.ledger.balance / MICRO
        charges = self.farm.ledger.listing() if request.query.get("source", "api") == "api" else []
        events = [_event(charge) for charge in charges[::-1][: int(limit)]]
        balance = {"credit_balance": _dollars(left)} if self._live else {"balance": left, "currency": "USD"}
        return web.json_response({**balance, "object": "list", "data": events})

    async def model(self, request: web.Request) -> web.StreamResponse:
        """``GET /v1/models/{model}``: its schema."""
        if not _authorised(request):
            return self._error(401)
        name = request.match_info["model"]
        if name not in MODELS:
            return self._error(404, "Model not found")
        parameters = {
            "mode": {"type": "enum", "default": "auto", "allowed": MODES},
            "resolution": {"type": "enum", "default": "720p", "allowed": MODELS[name].resolutions},
            "aspect_ratio": {"type": "enum", "default": "adaptive", "allowed": RATIOS},
            "duration": {"type": "number", "default": 5, "minimum": SHORTEST, "maximum": LONGEST},
        }
        endpoints = ["/v1/videos/generations"]
        return web.json_response({"id": name, "object": "model", "endpoints": endpoints, "parameters": parameters})

    @property
    def _live(self) -> bool:
        return self.farm.settings.dialect == "live"

    @property
    def _id(self) -> str:
        return "id" if self._live else "job_id"

    async def _fetch(self, asked: EmpirioRequest) -> Path | None:
        """Fetch the files for real; what is wrong with one is said of its field."""
        picture = None
        for field, url in asked.files.items():
            try:
                found = await self.fetch([(url, FILES[field])])
            except references.BadReference as bad:
                raise InvalidRequest(field, bad.reason, kind="invalid_media") from bad
            picture = picture or found
        return picture

    def _read(self, task: Task) -> dict[str, object]:
        """A task as this read is told it; counts the read."""
        stage = task.stage(time.time())
        if stage in (Stage.SUCCEEDED, Stage.FAILED):
            data = self._data(task, task.outcome.told(task.reads_at_end) or stage)
            withheld = task.outcome.without_url(task.reads_at_end)
            if withheld is not None:
                data["result"] = {"missing": {}, "null": None, "empty": {"data": []}}[withheld]
            task.reads_at_end += 1
            return data
        word = task.outcome.word(task.reads_at_work)
        task.reads_at_work += 1
        data = self._data(task, stage)
        return data if word is None else data | {self._status: word}

    @property
    def _status(self) -> str:
        return "state" if self._live else "status"

    def _data(self, task: Task, stage: Stage) -> dict[str, object]:
        """A job at a stage."""
        ended = stage in (Stage.SUCCEEDED, Stage.FAILED)
        failure = task.failure if stage is Stage.FAILED else None
        word = _WORDS[self.farm.settings.dialect].get(stage, "processing")
        return {
            self._id: task.id,
            self._status: _CANCELLED if failure is not None and failure.code == _CANCELLED else word,
            "progress": 1 if ended else _progress(task),
            "created_at": _moment(task.created),
            "completed_at": _moment(task.completed or time.time()) if ended else None,
            "result": self._result(task) if stage is Stage.SUCCEEDED else None,
            "error": None if failure is None else _error(failure),
        }

    def _result(self, task: Task) -> dict[str, object]:
        links = [{"url": self.farm.url(link)} for _, link in self.farm.links_of(task)]
        return {"output" if self._live else "data": links}

    def _error(self, status: int, reason: str | None = None) -> web.Response:
        message, kind, code = _ERRORS[status]
        body = {"error": {"message": reason or message, "type": kind, "code": code}}
        return web.json_response({"detail": reason or message} if self._live else body, status=status)

    def _refused(self, refused: InvalidRequest) -> web.Response:
        """400, as OpenAI has it; in the other dialect 422, as the framework has it."""
        if self._live:
            entry = {"loc": ["body", refused.field], "msg": refused.reason, "type": refused.kind}
            return web.json_response({"detail": [entry]}, status=422)
        _, kind, code = _ERRORS[400]
        error = {"message": str(refused), "type": kind, "code": code, "param": refused.field}
        return web.json_response({"error": error}, status=400)


def _authorised(request: web.Request) -> bool:
    bearer = request.headers.get("Authorization", "").encode()
    plain = request.headers.get("x-api-key", "").encode()
    return hmac.compare_digest(bearer, f"Bearer {API_KEY}".encode()) or hmac.compare_digest(plain, API_KEY.encode())


def _failed(task: Task) -> bool | None:
    """Whether it failed; None while it is under way."""
    return None if task.completed is None else task.failure is not None


def _error(failure: Failure) -> dict[str, object]:
    """The upstream's failure in this API's shape."""
    return {"message": failure.message, "type": "provider_error", "code": failure.code.lower()}


def _progress(task: Task) -> float:
    if not task.seconds:
        return 0.0
    return round(min(0.99, (time.time() - task.created) / task.seconds), 2)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")


def _dollars(amount: float) -> dict[str, object]:
    return {"amount": amount, "currency": "USD"}


def _event(charge: Mapping[str, object]) -> dict[str, object]:
    """One usage event. What was given back did not cost anything."""
    kept = 0 if charge["status"] == "refunded" else int(str(charge["micro_usd"]))
    return {
        "id": f"evt_{charge['id']}",
        "object": "usage_event",
        "source": "api",
        "endpoint": "/v1/videos/generations",
        "cost": _dollars(kept / MICRO),
        "status": "error" if charge["status"] == "refunded" else "success",
        "created_at": _moment(float(str(charge["at"]))),
    }


def _order(asked: EmpirioRequest, background: Path | None, kept: dict[str, object]) -> Order:
    return Order(
        model=asked.model,
        prompt=asked.prompt,
        resolution=asked.resolution,
        ratio=shape_of(asked.aspect_ratio, background),
        seconds=asked.seconds,
        audio=asked.generate_audio,
        kind=asked.kind,
        video_input="video" in asked.files,
        background=background,
        last_frame=False,
        key=None,
        callback_url=None,
        recorded=kept,
    )
