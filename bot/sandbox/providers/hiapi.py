"""HiAPI as it answers (its Seedance 2.0 Mini page and the pages on its asynchronous tasks).

Beside the points that every provider has, ``hiapi:create`` takes in the phase ``do``:

``slow_processing``  {seconds = 3} the request stays "being processed" so long before anything is charged,
                     so that another one with its key is answered with 409
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import aiohttp
from aiohttp import web

from bot.sandbox.providers import references
from bot.sandbox.providers.face import CallingFace, as_json, recorded, shape_of, texts_in
from bot.sandbox.providers.farm import Farm, Order, Task
from bot.sandbox.providers.hiapi_input import MINI, STANDARD, HiapiRequest, InvalidRequest, parse
from bot.sandbox.providers.idempotency import Keys
from bot.sandbox.providers.ledger import NoFunds
from bot.sandbox.providers.outcomes import Stage
from bot.sandbox.providers.settings import MICRO, ProviderSettings

API_KEY = "hiapi-sandbox-key"

SETTINGS = ProviderSettings(
    prices={
        MINI: {"480p": 0.08, "720p": 0.15, "480p+video": 0.05, "720p+video": 0.10},
        STANDARD: {"480p": 0.16, "720p": 0.30, "1080p": 0.60, "480p+video": 0.10, "720p+video": 0.20},
    }
)

_WORDS = {
    Stage.QUEUED: "queued",
    Stage.RUNNING: "handling",
    Stage.STORING: "archiving",
    Stage.SUCCEEDED: "success",
    Stage.FAILED: "fail",
}
_KEY_HEADER = "Idempotency-Key"
_LONGEST_KEY = 255  # bytes
_LARGEST_PAGE = 100
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

_ERRORS: Mapping[int, tuple[str, str | None]] = {
    400: ("invalid request", "INVALID_REQUEST"),
    401: ("invalid api key", None),
    402: ("insufficient balance", None),
    404: ("task not found", None),
    409: ("a request with this idempotency key is being processed", "IDEMPOTENCY_KEY_PROCESSING"),
    422: ("the idempotency key was used with another body", "IDEMPOTENCY_KEY_MISMATCH"),
    429: ("too many requests", None),
    503: ("service unavailable", None),
}


class Hiapi(CallingFace):
    """HiAPI's dialect."""

    name = "hiapi"
    settings = SETTINGS
    api_key = API_KEY

    def __init__(self, farm: Farm, session: Callable[[], aiohttp.ClientSession]) -> None:
        super().__init__(farm, session)
        self._keys = Keys()
        self.points: Mapping[Callable[[web.Request], Awaitable[web.StreamResponse]], str] = {
            self.create: "create",
            self.get: "get",
            self.list: "list",
        }

    def routes(self) -> list[web.RouteDef]:
        """With and without ``/v1``: the vendor's own clients write the base address either way."""
        return [
            route
            for base in ("/hiapi/v1", "/hiapi")
            for route in (
                web.post(f"{base}/tasks", self.create),
                web.get(f"{base}/tasks", self.list, allow_head=False),
                web.get(f"{base}/tasks/{{task_id}}", self.get, allow_head=False),
            )
        ]

    def error_body(self, status: int) -> object:
        """HiAPI's envelope around an error."""
        message, error_code = _ERRORS.get(status, ("internal error", None))
        return _envelope(status, message, error_code=error_code)

    async def asked(self, request: web.Request) -> Mapping[str, object]:
        """Its prompt, resolution and key."""
        body = as_json(await request.read())
        given = body.get("input") if isinstance(body, Mapping) else None
        return {"key": request.headers.get(_KEY_HEADER, ""), **texts_in(given, "prompt", "resolution")}

    async def create(self, request: web.Request) -> web.StreamResponse:
        """``POST /v1/tasks``: charge once for each idempotency key and begin."""
        if not _authorised(request):
            return self._error(401)
        body = await request.read()
        key = request.headers.get(_KEY_HEADER)
        if key is None:
            return await self._create(request, body, None)
        if len(key.encode()) > _LONGEST_KEY:
            return self._error(400, f"{_KEY_HEADER} is longer than {_LONGEST_KEY} bytes")
        known = self._keys.find(key, window=self.farm.settings.key_seconds)
        if known is not None:
            if not known.same(body):
                return self._error(422)
            if known.answer is None:
                return self._error(409, headers={"Retry-After": "1"})
            self.farm.requests["replayed"] += 1
            return web.Response(
                body=known.answer, content_type="application/json", headers={"Idempotent-Replay": "true"}
            )
        return await self._keys.keep(key, body, lambda: self._create(request, body, key))

    async def get(self, request: web.Request) -> web.StreamResponse:
        """``GET /v1/tasks/{id}``."""
        if not _authorised(request):
            return self._error(401)
        task = self.farm.find(request.match_info["task_id"])
        if task is None:
            return self._error(404)
        return web.json_response(_envelope(200, "success", data=self._read(task)))

    async def list(self, request: web.Request) -> web.StreamResponse:
        """``GET /v1/tasks?page=1&size=20``, newest first."""
        if not _authorised(request):
            return self._error(401)
        try:
            page, size = int(request.query.get("page", "1")), int(request.query.get("size", "20"))
        except ValueError:
            return self._error(400, "page and size must be integers")
        if page < 1 or not 1 <= size <= _LARGEST_PAGE:
            return self._error(400, f"page starts at 1, size is 1-{_LARGEST_PAGE}")
        tasks = self.farm.newest_first()
        shown = [self._read(task) for task in tasks[(page - 1) * size : page * size]]
        data = {"tasks": shown, "page": page, "size": size, "total": len(tasks)}
        return web.json_response(_envelope(200, "success", data=data))

    async def _create(self, request: web.Request, body: bytes, key: str | None) -> web.Response:
        """Validate, charge and begin; every refusal comes before the charge."""
        hold = self.farm.faults.take("hiapi:create", "do", await self.facts(request))
        if hold is not None:
            if hold["kind"] != "slow_processing":
                raise ValueError(f"no fault of a creation: {hold['kind']!r}")
            await asyncio.sleep(float(str(hold.get("seconds", 3))))
        try:
            asked = parse(as_json(body), mixed=self.farm.settings.allow_mixed_references)
            background = await self._fetch_references(asked)
        except InvalidRequest as refused:
            return self._error(400, refused.reason, error_code=refused.error_code)
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
        answer = _envelope(200, "success", data={"taskId": told, **self._cost(task, "order")})
        kept["answer"] = answer
        return web.json_response(answer)

    async def _fetch_references(self, asked: HiapiRequest) -> Path | None:
        wanted = [(url, "image") for url in (asked.first_frame, asked.last_frame) if url]
        wanted += [(url, "image") for url in asked.images]
        wanted += [(url, "video") for url in asked.videos]
        wanted += [(url, "audio") for url in asked.audios]
        return await self.fetch(wanted)

    def callback_body(self, task: Task) -> Mapping[str, object]:
        """The `data` object of the task."""
        return self._data(task, Stage.FAILED if task.failure else Stage.SUCCEEDED)

    def forged_body(self, task: Task, url: str) -> Mapping[str, object]:
        """Success, with this link."""
        return self._data(task, Stage.SUCCEEDED) | {"output": [{"url": url, "type": "video", "expireAt": 0}]}

    def callback_headers(self, body: bytes, *, secret: str | None, age: float) -> Mapping[str, str]:
        """Hex HMAC-SHA256 over "timestamp.body"; none where no secret is set."""
        return _signature(body, secret, age=age)

    def _read(self, task: Task) -> dict[str, object]:
        """A task as this read is told it; counts the read."""
        stage = task.stage(time.time())
        if stage in (Stage.SUCCEEDED, Stage.FAILED):
            told = task.outcome.told(task.reads_at_end) or stage
            data = self._data(task, told)
            withheld = task.outcome.without_url(task.reads_at_end)
            if withheld == "missing":
                data.pop("output", None)
            elif withheld is not None:
                data["output"] = None if withheld == "null" else []
            task.reads_at_end += 1
            return data
        word = task.outcome.word(task.reads_at_work)
        task.reads_at_work += 1
        data = self._data(task, stage)
        return data if word is None else data | {"status": word}

    def _data(self, task: Task, stage: Stage) -> dict[str, object]:
        """The `data` object of a task, also the body of its callback."""
        ended = stage in (Stage.SUCCEEDED, Stage.FAILED)
        data: dict[str, object] = {
            "taskId": task.id,
            "model": task.order.model,
            "status": _WORDS[stage],
            "created": int(task.created),
            "completed": int(task.completed or time.time()) if ended else 0,
        }
        if stage is Stage.SUCCEEDED:
            data |= self._cost(task, "end")
            data["storage"] = "temp"
            data["output"] = [
                {"url": self.farm.url(link), "type": kind, "expireAt": int(link.expires)}
                for kind, link in self.farm.links_of(task)
            ]
        elif stage is Stage.FAILED and task.failure is not None:
            data["error"] = {"code": task.failure.code, "message": task.failure.message}
        return data

    def _cost(self, task: Task, when: str) -> dict[str, object]:
        """What the task is charged, where this answer is to name it. HiAPI documents no such field; other vendors do,
        and what a bot makes of it can be seen here."""
        if self.farm.settings.tells_cost != when:
            return {}
        return {"costUsd": self.farm.ledger.charged(task.id) / MICRO}

    def _error(
        self,
        status: int,
        reason: str | None = None,
        *,
        error_code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> web.Response:
        message, usual_code = _ERRORS[status]
        message = message if reason is None else f"{message}: {reason}"
        body = _envelope(status, message, error_code=error_code or usual_code)
        return web.json_response(body, status=status, headers=headers)


def _envelope(code: int, message: str, *, data: object = None, error_code: str | None = None) -> dict[str, object]:
    envelope = {"code": code, "message": message, "data": data}
    return envelope if error_code is None else envelope | {"error_code": error_code}


def _authorised(request: web.Request) -> bool:
    return hmac.compare_digest(request.headers.get("Authorization", "").encode(), f"Bearer {API_KEY}".encode())


def _order(asked: HiapiRequest, key: str | None, background: Path | None, kept: dict[str, object]) -> Order:
    return Order(
        model=asked.model,
        prompt=asked.prompt,
        resolution=asked.resolution,
        ratio=shape_of(asked.aspect_ratio, background),
        seconds=asked.duration,
        audio=asked.generate_audio,
        kind=asked.kind,
        video_input=bool(asked.videos),
        background=background,
        last_frame=asked.return_last_frame,
        key=key,
        callback_url=asked.callback_url,
        recorded=kept,
    )


def _signature(body: bytes, secret: str | None, *, age: float) -> Mapping[str, str]:
    """HiAPI's callback headers: hex HMAC-SHA256 over "timestamp.body"; none where no secret is set."""
    if secret is None:
        return {}
    stamp = str(int(time.time() - age))
    proof = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"X-HiAPI-Timestamp": stamp, "X-HiAPI-Signature": proof}


def _new_id() -> str:
    """``tk-hiapi-`` and a ULID: 48 bits of milliseconds, 80 of chance, in Crockford's base 32."""
    number = int(time.time() * 1000) << 80 | secrets.randbits(80)
    return "tk-hiapi-" + "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))
