"""seedanceapi.org as it answers (its Seedance 2.0 Mini API guide; what its clients read in the answers).

In the dialect ``live`` everything stands at the top of an answer (``task_id``, ``status``, ``video_url``), with the
credits that were taken, and a refusal is told with HTTP 200 and another ``code``: clients look for either.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import aiohttp
from aiohttp import web

from bot.sandbox.providers import references
from bot.sandbox.providers.face import CallingFace, Point, as_json, recorded, shape_of, texts_in
from bot.sandbox.providers.farm import Farm, Order, Task
from bot.sandbox.providers.ledger import NoFunds
from bot.sandbox.providers.outcomes import Stage
from bot.sandbox.providers.seedanceapi_input import MINI, STANDARD, InvalidRequest, SeedanceRequest, parse
from bot.sandbox.providers.settings import DAY, MICRO, ProviderSettings

API_KEY = "sk-seedanceapi-sandbox"

SETTINGS = ProviderSettings(
    prices={
        MINI: {"480p": 0.1425, "720p": 0.3075, "480p+video": 0.09, "720p+video": 0.1875},
        STANDARD: {"480p": 0.48, "720p": 0.48, "1080p": 0.48},
    },
    credit_usd=0.01,
    expire_seconds=DAY,
    callback_retries=(),
)

_WORDS = {
    Stage.QUEUED: "IN_PROGRESS",
    Stage.RUNNING: "IN_PROGRESS",
    Stage.STORING: "IN_PROGRESS",
    Stage.SUCCEEDED: "SUCCESS",
    Stage.FAILED: "FAILED",
}
_MESSAGES = {
    400: "Invalid parameters",
    401: "Invalid API key",
    402: "Insufficient credits",
    404: "Task not found",
    429: "Too many requests",
    503: "Service unavailable",
}


class Seedanceapi(CallingFace):
    """The dialect of seedanceapi.org."""

    name = "seedanceapi"
    settings = SETTINGS
    api_key = API_KEY

    def __init__(self, farm: Farm, session: Callable[[], aiohttp.ClientSession]) -> None:
        super().__init__(farm, session)
        self.points: Mapping[Point, str] = {self.create: "create", self.get: "get"}

    def routes(self) -> list[web.RouteDef]:
        """Version 2 alone."""
        return [
            web.post("/seedanceapi/v2/generate", self.create),
            web.get("/seedanceapi/v2/status", self.get, allow_head=False),
        ]

    def error_body(self, status: int) -> object:
        """``{"code", "message"}``."""
        return _error_body(status)

    async def asked(self, request: web.Request) -> Mapping[str, object]:
        """Its prompt, resolution and model."""
        return texts_in(as_json(await request.read()), "prompt", "resolution", "model")

    def task_named(self, request: web.Request) -> str:
        """It stands in the query."""
        return request.query.get("task_id", "")

    async def create(self, request: web.Request) -> web.StreamResponse:
        """``POST /v2/generate``: validate, charge and begin; every refusal comes before the charge."""
        if not _authorised(request):
            return self._error(401)
        body = await request.read()
        try:
            asked = parse(as_json(body), mixed=self.farm.settings.allow_mixed_references)
            background = await self._fetch_references(asked)
        except InvalidRequest as refused:
            return self._error(400, refused.reason)
        except references.BadReference as refused:
            return self._error(400, f"Failed to download the reference: {refused}")
        kept = recorded(request, body)
        before = self.farm.latest()
        try:
            task = self.farm.admit(f"sd2_{secrets.token_hex(12)}", _order(asked, background, kept))
        except NoFunds:
            return self._error(402)
        await self.callback_begins(task)
        told = before.id if before is not None and task.outcome.kind == "repeat_id" else task.id
        answer = self._envelope({"task_id": told, "status": "IN_PROGRESS"})
        kept["answer"] = answer
        return web.json_response(answer)

    async def get(self, request: web.Request) -> web.StreamResponse:
        """``GET /v2/status?task_id=…``."""
        if not _authorised(request):
            return self._error(401)
        task_id = request.query.get("task_id")
        if not task_id:
            return self._error(400, "task_id is required")
        task = self.farm.find(task_id)
        return self._error(404) if task is None else web.json_response(self._read(task))

    def callback_body(self, task: Task) -> Mapping[str, object]:
        """The body of a status answer."""
        return self._about(task, Stage.FAILED if task.failure else Stage.SUCCEEDED)

    def forged_body(self, task: Task, url: str) -> Mapping[str, object]:
        """Success, with this link."""
        return self._envelope({"task_id": task.id, "status": "SUCCESS", "response": [url], "error_message": None})

    def callback_headers(self, body: bytes, *, secret: str | None, age: float) -> Mapping[str, str]:  # noqa: ARG002
        """None: callbacks are not signed."""
        return {}

    async def _fetch_references(self, asked: SeedanceRequest) -> Path | None:
        given = {"image": asked.images, "video": asked.videos, "audio": asked.audios}
        return await self.fetch([(url, kind) for kind, urls in given.items() for url in urls])

    def _read(self, task: Task) -> Mapping[str, object]:
        """A task as this read is told it; counts the read."""
        stage = task.stage(time.time())
        if stage in (Stage.SUCCEEDED, Stage.FAILED):
            told = task.outcome.told(task.reads_at_end) or stage
            withheld = task.outcome.without_url(task.reads_at_end)
            task.reads_at_end += 1
            return self._about(task, told, withheld=withheld)
        word = task.outcome.word(task.reads_at_work)
        task.reads_at_work += 1
        return self._about(task, stage, word=word)

    def _about(
        self, task: Task, stage: Stage, *, word: str | None = None, withheld: str | None = None
    ) -> dict[str, object]:
        data: dict[str, object] = {"task_id": task.id, "status": word or _WORDS[stage]}
        if stage is Stage.SUCCEEDED:
            urls = [self.farm.url(link) for _, link in self.farm.links_of(task)]
            data |= {"response": urls, "error_message": None}
        elif stage is Stage.FAILED:
            data |= {"response": [], "error_message": task.failure.message if task.failure else ""}
        if withheld == "missing":
            data.pop("response", None)
        elif withheld is not None:
            data["response"] = None if withheld == "null" else []
        credits_taken = self.farm.price(task.order) // round(self.farm.settings.credit_usd * MICRO or MICRO)
        return self._envelope(data, credits_taken=credits_taken if stage is Stage.SUCCEEDED else None)

    def _envelope(self, data: dict[str, object], *, credits_taken: int | None = None) -> dict[str, object]:
        """An answer that all is well, in the dialect that is set."""
        head: dict[str, object] = {"code": 200, "message": "success"}
        if self.farm.settings.dialect == "document":
            return head | {"data": data}
        urls = data.pop("response", None)
        if isinstance(urls, list):
            data["video_url"] = urls[0] if urls else ""
        if credits_taken is not None:
            data["consumed_credits"] = credits_taken
        return head | data

    def _error(self, status: int, reason: str | None = None) -> web.Response:
        http_status = status if self.farm.settings.dialect == "document" else 200
        return web.json_response(_error_body(status, reason), status=http_status)


def _error_body(status: int, reason: str | None = None) -> dict[str, object]:
    return {"code": status, "message": reason or _MESSAGES.get(status, "Internal server error")}


def _authorised(request: web.Request) -> bool:
    return hmac.compare_digest(request.headers.get("Authorization", "").encode(), f"Bearer {API_KEY}".encode())


def _order(asked: SeedanceRequest, background: Path | None, kept: dict[str, object]) -> Order:
    return Order(
        model=asked.model,
        prompt=asked.prompt,
        resolution=asked.resolution,
        ratio=shape_of(asked.aspect_ratio, background),
        seconds=asked.duration,
        audio=True,
        kind=asked.kind,
        video_input=bool(asked.videos),
        background=background,
        last_frame=False,
        key=None,
        callback_url=asked.callback_url,
        recorded=kept,
    )
