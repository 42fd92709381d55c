"""HiAPI: unified asynchronous tasks (api.hiapi.ai, "Seedance 2.0 Mini API"; docs.hiapi.ai/async-api).

``POST /v1/tasks`` makes a task and bills it; ``GET /v1/tasks/{id}`` tells how it is, ``GET /v1/tasks`` how many are. An
``Idempotency-Key`` is remembered for about 24 hours together with a hash of the body, so a POST of unknown outcome is
repeated with the same key and the same bytes. The end of a task is told to ``callback.url``, signed where the account
has a signing key. HiAPI documents neither a way to cancel nor a balance nor an upload, and none of its documented
answers names what was charged; where one has a ``costUsd`` all the same, it is what its name says.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import quote

import httpx

from bot.domain.capabilities import Callback, Capabilities, Idempotency
from bot.domain.failure import Failure, FailureKind
from bot.domain.recipe import MINI, STANDARD, MediaKind, MediaRole, Mode, Ratio, Recipe, Resolution
from bot.ports import (
    Clock,
    Credit,
    NotGenuine,
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
from bot.providers._uploads import TakesNoFiles
from bot.providers._values import address, micro_usd, moment, objects
from bot.providers._words import kind_by_words, kind_of_refusal, of_the_account

NAME = "hiapi"
PUBLIC_BASE = "https://api.hiapi.ai"
MINI_MODEL = "seedance-2.0-mini"
STANDARD_MODEL = "seedance-2-0"
"""With hyphens alone, as the page of that model writes it."""

RUNNING_WORDS = frozenset({"queued", "handling", "archiving"})
KEY_WINDOW = timedelta(hours=23)
"""HiAPI remembers a key for about 24 hours; an hour less is relied upon."""
OUTPUT_LIFETIME = timedelta(days=7)
"""Outputs live about 7 days; ``expireAt`` says it exactly."""
LONGEST_PROMPT = 20_000
"""Characters: documented for the standard model of the same family; none is named for mini."""
SIGNATURE_TOLERANCE = timedelta(minutes=5)
"""How far the time of a callback may be from ours: what HiAPI's own client allows."""
LIST_SIZE = 100
"""Tasks asked for at once, newest first."""

_REFERENCES = {
    MediaKind.IMAGE: "reference_image_urls",
    MediaKind.VIDEO: "reference_video_urls",
    MediaKind.AUDIO: "reference_audio_urls",
}


def capabilities(
    model: str = MINI_MODEL, *, idempotent: bool = True, signed: bool = False, mixed_references: bool = False
) -> Capabilities:
    """What HiAPI's page says of Seedance 2.0 Mini. ``signed`` says that the account has a signing key.

    The page calls the first frame, reference pictures and reference videos "mutually exclusive modes"; of sounds beside
    a first frame it says nothing, and they are not offered. That a sound cannot stand alone is Seedance's own rule.
    HiAPI's own clients send pictures and videos together all the same: ``mixed_references`` believes them."""
    return Capabilities(
        provider=NAME,
        tier=MINI,
        model=model,
        resolutions=frozenset({Resolution.P480, Resolution.P720}),
        ratios=frozenset(Ratio) - {Ratio.PHOTO},
        modes=frozenset({Mode.TEXT, Mode.FIRST_FRAME, Mode.FIRST_LAST, Mode.REFERENCES}),
        reference_images=9,
        reference_videos=3,
        reference_audios=3,
        images_with_videos=mixed_references,
        audio_needs_picture=True,
        shortest_prompt=1,
        longest_prompt=LONGEST_PROMPT,
        idempotency=Idempotency(window=KEY_WINDOW, verified=idempotent),
        callback=Callback.SIGNED if signed else Callback.UNSIGNED,
        lists_tasks=True,
        output_lifetime=OUTPUT_LIFETIME,
    )


def standard_capabilities(
    model: str = STANDARD_MODEL, *, idempotent: bool = True, signed: bool = False
) -> Capabilities:
    """What HiAPI's page on Seedance 2.0 and its published skill say beyond mini: 1080p, seeds, the returned last frame,
    a prompt of 3 to 20,000 characters, references of all kinds together, and (the skill) data URIs, which are relied
    upon for pictures alone."""
    return replace(
        capabilities(model, idempotent=idempotent, signed=signed, mixed_references=True),
        tier=STANDARD,
        resolutions=frozenset(Resolution),
        data_uris=frozenset({MediaKind.IMAGE}),
        seed=True,
        returns_last_frame=True,
        shortest_prompt=3,
    )


def encode(recipe: Recipe, can: Capabilities, callback_url: str | None = None) -> bytes:
    """The body of ``POST /v1/tasks`` for a recipe that fits. Compact and with sorted keys: the same recipe gives the
    same bytes. The last frame is asked for wherever it can be had."""
    wanted: dict[str, object] = {
        "prompt": recipe.prompt,
        "resolution": recipe.resolution.value,
        "duration": recipe.billable_seconds,
        "aspect_ratio": recipe.ratio.value,
        "generate_audio": recipe.audio,
    }
    if recipe.seed is not None:
        wanted["seed"] = recipe.seed
    if can.returns_last_frame:
        wanted["return_last_frame"] = True
    for role, name in ((MediaRole.FIRST, "first_frame_url"), (MediaRole.LAST, "last_frame_url")):
        if frames := recipe.given(role):
            (wanted[name],) = frames
    for kind, name in _REFERENCES.items():
        if urls := recipe.given(MediaRole.REFERENCE, kind):
            wanted[name] = list(urls)
    body: dict[str, object] = {"model": can.model, "input": wanted}
    if callback_url is not None:
        body["callback"] = {"url": callback_url, "when": "final"}
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
        return _conflict(answer, _error_code(envelope), now)
    if status == 429:
        return OrderThrottled(retry_after_seconds=retry_after(answer.headers, now))
    if status == 422 and _error_code(envelope) == "IDEMPOTENCY_KEY_MISMATCH":
        return OrderUnknown(why="the key was used with another body", repeatable=False)
    if 400 <= status < 500 and status != 408:
        return OrderRefused(failure=_refusal(status, envelope))
    return OrderUnknown(why=f"HTTP {answer.status}")


def _conflict(answer: Answer, code: str, now: datetime) -> OrderInFlight | OrderUnknown:
    """A 409: the first POST under this key is still in hand. With another code something else is in the way; what
    became of the order is not known then, and a repeat would not tell."""
    if code in {"", "IDEMPOTENCY_KEY_PROCESSING"}:
        return OrderInFlight(retry_after_seconds=retry_after(answer.headers, now))
    return OrderUnknown(why=f"HTTP 409 ({code})", repeatable=False)


def decode_task(answer: Answer, now: datetime) -> TaskReport:
    """What ``GET /v1/tasks/{id}`` says. Status words outside the document count as running; only ``fail`` fails. A 404
    without the envelope's own is whatever stands before the API."""
    envelope = as_mapping(answer.json())
    data = as_mapping(envelope.get("data"))
    status = answer.status if _word_of(data) else _effective_status(answer.status, envelope)
    if status == 404 and as_text(envelope.get("code")) == "404":
        return TaskMissing()
    if status != 200:
        return TaskUnreadable(why=f"HTTP {status}", retry_after_seconds=retry_after(answer.headers, now))
    return _report(data)


def decode_list(answer: Answer, task_ids: Sequence[str]) -> Mapping[str, TaskReport]:
    """What ``GET /v1/tasks`` says of these tasks. One of which it says nothing readable is left out: it is to be asked
    for by itself."""
    if answer.status != 200:
        return {}
    tasks = as_mapping(as_mapping(answer.json()).get("data")).get("tasks")
    reports = {as_text(task.get("taskId")): _report(task) for task in objects(tasks)}
    return {
        task_id: report
        for task_id, report in reports.items()
        if task_id in task_ids and not isinstance(report, TaskUnreadable)
    }


def decode_callback(headers: Mapping[str, str], body: bytes, *, secret: str, now: datetime) -> str | None:
    """The task that a callback speaks of. Its body is the ``data`` of the task, without an envelope; with one it is
    read too. Raises NotGenuine where there is a secret and the callback does not prove that its sender knows it."""
    if secret:
        _check_signature(headers, body, secret=secret, now=now)
    told = as_mapping(Answer(status=200, headers={}, body=body).json())
    return as_text(told.get("taskId")) or as_text(as_mapping(told.get("data")).get("taskId")) or None


def _check_signature(headers: Mapping[str, str], body: bytes, *, secret: str, now: datetime) -> None:
    """``X-HiAPI-Signature`` is the hexadecimal HMAC-SHA256 of ``{X-HiAPI-Timestamp}.{body}``, which is so many Unix
    seconds. Raises NotGenuine."""
    given = {name.lower(): value.strip() for name, value in headers.items()}
    stamp, signature = given.get("x-hiapi-timestamp", ""), given.get("x-hiapi-signature", "")
    if not (stamp.isascii() and stamp.isdecimal() and len(stamp) <= 12):
        raise NotGenuine("no time that can be read")
    if abs(now.timestamp() - int(stamp)) > SIGNATURE_TOLERANCE.total_seconds():
        raise NotGenuine("too old, or from the future")
    proof = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(proof.encode(), signature.lower().encode()):
        raise NotGenuine("another signature")


def _word_of(data: Mapping[str, object]) -> str:
    return as_text(data.get("status")).lower()


def _report(data: Mapping[str, object]) -> TaskReport:
    word = _word_of(data)
    if word == "success":
        return _finished(data)
    if word == "fail":
        error = as_mapping(data.get("error"))
        failure = classify(as_text(error.get("code")), as_text(error.get("message")))
        # HiAPI publishes no rule about failed tasks; its upstream bills finished clips only.
        return TaskFailed(failure=failure, charged=_cost(data) is not None, cost_micro_usd=_cost(data))
    if word in RUNNING_WORDS:
        return TaskRunning()
    return TaskRunning(odd=word) if word else TaskUnreadable(why="an answer without a status")


def _finished(data: Mapping[str, object]) -> TaskReport:
    by_type: dict[str, Mapping[str, object]] = {}
    for item in objects(data.get("output")):
        if address(item.get("url")):
            by_type.setdefault(as_text(item.get("type")).lower(), item)
    if (video := by_type.get("video")) is None:
        return TaskUnreadable(why="success without a link")
    return TaskFinished(
        url=address(video.get("url")),
        expires_at=moment(video.get("expireAt")),
        cost_micro_usd=_cost(data),
        last_frame_url=address(by_type.get("last_frame", {}).get("url")) or None,
    )


def _cost(data: Mapping[str, object]) -> int | None:
    """Micro-dollars for ``costUsd``, where an answer has it; it is not documented, and none is no figure."""
    return micro_usd(data.get("costUsd")) or None


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
    if code in {"MODEL_UNAVAILABLE", "STORAGE_UNAVAILABLE"}:
        return Failure(kind=FailureKind.PROVIDER, detail=words)
    if code == "TASK_FAILED":
        return classify(code, message)
    kind = kind_of_refusal(status, f"{message} {code}")
    return Failure(kind=kind or FailureKind.INVALID, detail=words)


def classify(code: str, message: str) -> Failure:
    """The class of a failed task, by HiAPI's code and the words of its message."""
    words = failure_text(message, code)
    if code == "TASK_TIMEOUT":
        return Failure(kind=FailureKind.TIMEOUT, detail=words)
    return Failure(kind=kind_by_words(f"{message} {code}") or FailureKind.PROVIDER, detail=words)


class HiAPI(TakesNoFiles):
    """The vendor over HTTP. ``base_url`` is taken with and without ``/v1``. ``webhook_secret`` is the signing key that
    was set in HiAPI's console; without one callbacks are not signed, and are believed no more than any."""

    name = NAME

    def __init__(
        self,
        *,
        key: str,
        clock: Clock,
        base_url: str = PUBLIC_BASE,
        model: str = MINI_MODEL,
        standard_model: str = STANDARD_MODEL,
        idempotent: bool = True,
        webhook_secret: str = "",
        mixed_references: bool = False,
    ) -> None:
        self._tasks = base_url.rstrip("/").removesuffix("/v1") + "/v1/tasks"
        self._key = key
        self._secret = webhook_secret
        self._headers = {"Authorization": f"Bearer {key}", "Accept": "application/json"}
        self._clock = clock
        signed = bool(webhook_secret)
        self.capabilities: tuple[Capabilities, ...] = (
            capabilities(model, idempotent=idempotent, signed=signed, mixed_references=mixed_references),
            standard_capabilities(standard_model, idempotent=idempotent, signed=signed),
        )
        self._billing: httpx.AsyncClient = billing_client()
        self._reading: httpx.AsyncClient = reading_client()

    def order(self, recipe: Recipe, key: str, callback_url: str | None = None) -> Order:
        """The POST for this recipe under this idempotency key."""
        can = next(can for can in self.capabilities if can.tier == recipe.tier)
        return Order(key=key, body=encode(recipe, can, callback_url))

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

    async def look_at_all(self, task_ids: Sequence[str]) -> Mapping[str, TaskReport]:
        """Ask once how the newest tasks are, and give those of these; older ones are to be asked for one by one."""
        answer = await get(self._reading, f"{self._tasks}?page=1&size={LIST_SIZE}", headers=self._headers)
        return {} if isinstance(answer, str) else decode_list(answer.without(self._key), task_ids)

    async def cancel(self, task_id: str) -> bool:  # noqa: ARG002 - the port's
        """HiAPI documents no way to stop a task: nothing is asked, and it goes on."""
        return False

    async def balance(self) -> Credit | None:
        """HiAPI documents no way to ask."""
        return None

    def told(self, headers: Mapping[str, str], body: bytes) -> str | None:
        """The task that a callback speaks of, as far as it can be read. Raises NotGenuine."""
        return decode_callback(headers, body, secret=self._secret, now=self._clock.now())

    async def check(self) -> Failure | None:
        """Whether the API can be reached and takes the key, by listing one task, which costs nothing. None when it
        does; KEY_REFUSED or OUT_OF_CREDIT when it says so, else PROVIDER with ``HTTP status`` in its words."""
        answer = await get(self._reading, f"{self._tasks}?page=1&size=1", headers=self._headers)
        if isinstance(answer, str):
            return Failure(kind=FailureKind.PROVIDER, detail=f"it cannot be reached ({answer})")
        envelope = as_mapping(answer.without(self._key).json())
        status = _effective_status(answer.status, envelope)
        if status == 200 and envelope:
            return None
        if status in {401, 402, 403}:
            return of_the_account(_refusal(status, envelope))
        return Failure(kind=FailureKind.PROVIDER, detail=f"it answered HTTP {status}")

    async def close(self) -> None:
        """Close the connections."""
        await self._billing.aclose()
        await self._reading.aclose()
