"""HiAPI: unified asynchronous tasks (api.hiapi.ai, "Seedance 2.0 Mini API"; docs.hiapi.ai/async-api).

``POST /v1/tasks`` makes a task and bills it; ``GET /v1/tasks/{id}`` tells how it is. An ``Idempotency-Key`` is
remembered for about 24 hours together with a hash of the body, so a POST of unknown outcome is repeated with the same
key and the same bytes. HiAPI documents neither a way to cancel nor a balance, and none of its
documented answers names what was charged; where one has a ``costUsd`` all the same, it is what its name says.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import httpx

from bot.domain.capabilities import Capabilities, Idempotency
from bot.domain.failure import Failure, FailureKind
from bot.domain.pricing import MICRO
from bot.domain.recipe import MINI, Ratio, Recipe, Resolution
from bot.ports import (
    Clock,
    Order,
    OrderAccepted,
    OrderInFlight,
    OrderNotSent,
    OrderOutcome,
    OrderRefused,
    OrderThrottled,
    OrderUnknown,
    TaskFailed,
    TaskFinished,
    TaskMissing,
    TaskReport,
    TaskRunning,
    TaskUnreadable,
)
from bot.providers._http import (
    Answer,
    as_mapping,
    as_text,
    billing_client,
    failure_text,
    get,
    post_billed,
    reading_client,
    retry_after,
)

NAME = "hiapi"
PUBLIC_BASE = "https://api.hiapi.ai"
MINI_MODEL = "seedance-2.0-mini"

RUNNING_WORDS = frozenset({"queued", "handling", "archiving"})
KEY_WINDOW = timedelta(hours=23)
"""HiAPI remembers a key for about 24 hours; an hour less is relied upon."""
OUTPUT_LIFETIME = timedelta(days=7)
"""Outputs live about 7 days; ``expireAt`` says it exactly."""
_ABSURD_USD = 1_000_000
"""No clip costs that much: not an amount, but a mistake."""
LONGEST_PROMPT = 20_000
"""Characters: documented for the standard model of the same family; none is named for mini."""


def capabilities(model: str = MINI_MODEL, *, idempotent: bool = True) -> Capabilities:
    """What HiAPI's page says of Seedance 2.0 Mini, text to video."""
    return Capabilities(
        provider=NAME,
        tier=MINI,
        model=model,
        resolutions=frozenset({Resolution.P480, Resolution.P720}),
        ratios=frozenset(Ratio) - {Ratio.PHOTO},
        longest_prompt=LONGEST_PROMPT,
        idempotency=Idempotency(window=KEY_WINDOW, verified=idempotent),
        output_lifetime=OUTPUT_LIFETIME,
    )


def encode(recipe: Recipe, model: str) -> bytes:
    """The body of ``POST /v1/tasks``. Compact and with sorted keys: the same recipe gives the same bytes."""
    body = {
        "model": model,
        "input": {
            "prompt": recipe.prompt,
            "resolution": recipe.resolution.value,
            "duration": recipe.billable_seconds,
            "aspect_ratio": recipe.ratio.value,
            "generate_audio": recipe.audio,
        },
    }
    return json.dumps(body, sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode()


def decode_order(answer: Answer, now: datetime) -> OrderOutcome:
    """What became of a ``POST /v1/tasks``. The envelope's own ``code`` counts when HTTP says 200 and it does not."""
    envelope = as_mapping(answer.json())
    data = as_mapping(envelope.get("data"))
    task_id = as_text(data.get("taskId"))
    if task_id and 200 <= answer.status < 300:
        # Whatever else it says: a task that has a name may be charged.
        return OrderAccepted(task_id=task_id, cost_micro_usd=_cost(data))
    status = _effective_status(answer.status, envelope)
    if 200 <= status < 300:
        return OrderUnknown(why=f"HTTP {answer.status} without a task id")
    if status == 409:
        return OrderInFlight(retry_after_seconds=retry_after(answer.headers, now))
    if status == 429:
        return OrderThrottled(retry_after_seconds=retry_after(answer.headers, now))
    if status == 422 and _error_code(envelope) == "IDEMPOTENCY_KEY_MISMATCH":
        return OrderUnknown(why="the key was used with another body", repeatable=False)
    if 400 <= status < 500 and status != 408:
        return OrderRefused(failure=_refusal(status, envelope))
    return OrderUnknown(why=f"HTTP {answer.status}")


def decode_task(answer: Answer, now: datetime) -> TaskReport:
    """What ``GET /v1/tasks/{id}`` says. Status words outside the document count as running; only ``fail`` fails."""
    if answer.status == 404:
        return TaskMissing()
    if answer.status != 200:
        return TaskUnreadable(why=f"HTTP {answer.status}", retry_after_seconds=retry_after(answer.headers, now))
    data = as_mapping(as_mapping(answer.json()).get("data"))
    word = as_text(data.get("status")).lower()
    if word == "success":
        return _finished(data)
    if word == "fail":
        error = as_mapping(data.get("error"))
        failure = classify(as_text(error.get("code")), as_text(error.get("message")))
        # HiAPI publishes no rule about failed tasks; its upstream bills finished clips only.
        return TaskFailed(failure=failure, charged=False)
    if word in RUNNING_WORDS:
        return TaskRunning()
    return TaskRunning(odd=word) if word else TaskUnreadable(why="an answer without a status")


def _finished(data: Mapping[str, object]) -> TaskReport:
    output = data.get("output")
    items = [as_mapping(item) for item in output] if isinstance(output, list) else []
    videos = [item for item in items if as_text(item.get("type")).lower() == "video" and as_text(item.get("url"))]
    if not videos:
        return TaskUnreadable(why="success without a link")
    return TaskFinished(
        url=as_text(videos[0].get("url")), expires_at=_moment(videos[0].get("expireAt")), cost_micro_usd=_cost(data)
    )


def _cost(data: Mapping[str, object]) -> int | None:
    """What was charged, in micro-dollars; None where nothing says so, or what says so is no amount of money."""
    amount = data.get("costUsd")
    if isinstance(amount, bool) or not isinstance(amount, int | float) or not 0 <= amount < _ABSURD_USD:
        return None
    return round(amount * MICRO)


def _moment(seconds: object) -> datetime | None:
    """A time in Unix seconds; None when it is missing or no time at all."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds <= 0:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _effective_status(http_status: int, envelope: Mapping[str, object]) -> int:
    inner = envelope.get("code")
    if 200 <= http_status < 300 and isinstance(inner, int) and not isinstance(inner, bool) and 400 <= inner < 600:
        return inner
    return http_status


def _error_code(envelope: Mapping[str, object]) -> str:
    return as_text(envelope.get("error_code"))


def _refusal(status: int, envelope: Mapping[str, object]) -> Failure:
    code, message = _error_code(envelope), as_text(envelope.get("message"))
    words = failure_text(message, code)
    lowered = message.lower()
    if status == 402 or (status == 403 and any(word in lowered for word in ("quota", "balance", "credit"))):
        return Failure(kind=FailureKind.OUT_OF_CREDIT, detail=words)
    if status in {401, 403}:
        return Failure(kind=FailureKind.KEY_REFUSED, detail=words)
    if code in {"MODEL_UNAVAILABLE", "STORAGE_UNAVAILABLE"}:
        return Failure(kind=FailureKind.PROVIDER, detail=words)
    if code == "TASK_FAILED":
        return classify(code, message)
    kind = _kind_by_words(lowered)
    return Failure(kind=kind or FailureKind.INVALID, detail=words)


def classify(code: str, message: str) -> Failure:
    """The class of a failed task, by HiAPI's code and the words of its message."""
    words = failure_text(message, code)
    if code == "TASK_TIMEOUT":
        return Failure(kind=FailureKind.TIMEOUT, detail=words)
    return Failure(kind=_kind_by_words(message.lower()) or FailureKind.PROVIDER, detail=words)


def _kind_by_words(message: str) -> FailureKind | None:
    """Seedance's moderation speaks through every reseller in much the same words; the more exact class comes first."""
    moderated = any(word in message for word in ("moderat", "sensitive", "policy", "risk", "violat", "audit"))
    if "audio" in message and (moderated or "content" in message):
        return FailureKind.AUDIO_MODERATION
    if _FACES.search(message) or any(word in message for word in ("real person", "likeness", "privacy")):
        return FailureKind.FACE
    if "copyright" in message or moderated or "rejected the prompt" in message:
        return FailureKind.POLICY
    if any(word in message for word in ("image", "first frame", "reference", "download the", "fetch")):
        return FailureKind.BAD_REFERENCE
    return None


_FACES = re.compile(r"\bfac(?:e|es|ial)\b")
"""As words of their own: an upstream *interface* that fails has nothing to do with them."""


class HiAPI:
    """The vendor over HTTP. ``base_url`` is taken with and without ``/v1``."""

    name = NAME

    def __init__(
        self,
        *,
        key: str,
        clock: Clock,
        base_url: str = PUBLIC_BASE,
        model: str = MINI_MODEL,
        idempotent: bool = True,
    ) -> None:
        self._tasks = base_url.rstrip("/").removesuffix("/v1") + "/v1/tasks"
        self._key = key
        self._headers = {"Authorization": f"Bearer {key}", "Accept": "application/json"}
        self._clock = clock
        self._model = model
        self.capabilities: tuple[Capabilities, ...] = (capabilities(model, idempotent=idempotent),)
        self._billing: httpx.AsyncClient = billing_client()
        self._reading: httpx.AsyncClient = reading_client()

    def order(self, recipe: Recipe, key: str) -> Order:
        """The POST for this recipe under this idempotency key."""
        return Order(key=key, body=encode(recipe, self._model))

    async def submit(self, order: Order) -> OrderOutcome:
        """Send the billed POST once."""
        headers = {**self._headers, "Content-Type": "application/json", "Idempotency-Key": order.key}
        answer = await post_billed(self._billing, self._tasks, body=order.body, headers=headers)
        if isinstance(answer, OrderNotSent | OrderUnknown):
            return answer
        return decode_order(answer.without(self._key), self._clock.now())

    async def look(self, task_id: str) -> TaskReport:
        """Ask once how the task is."""
        answer = await get(self._reading, f"{self._tasks}/{quote(task_id, safe='')}", headers=self._headers)
        if isinstance(answer, str):
            return TaskUnreadable(why=answer)
        return decode_task(answer.without(self._key), self._clock.now())

    async def check(self) -> Failure | None:
        """Whether the API can be reached and takes the key, by listing one task, which costs nothing. None when it
        does; KEY_REFUSED or OUT_OF_CREDIT when it says so, else PROVIDER with ``HTTP status`` in its words."""
        answer = await get(self._reading, f"{self._tasks}?page=1&size=1", headers=self._headers)
        if isinstance(answer, str):
            return Failure(kind=FailureKind.PROVIDER, detail=f"it cannot be reached ({answer})")
        envelope = as_mapping(answer.json())
        status = _effective_status(answer.status, envelope)
        if status == 200 and envelope:
            return None
        if status in {401, 402, 403}:
            return _refusal(status, envelope)
        return Failure(kind=FailureKind.PROVIDER, detail=f"it answered HTTP {status}")

    async def close(self) -> None:
        """Close the connections."""
        await self._billing.aclose()
        await self._reading.aclose()
