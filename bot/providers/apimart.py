"""APIMart: many models behind one OpenAI-like API (its guide "Seedance 2 Mini API"; docs.apimart.ai).

``POST /v1/videos/generations`` makes a task and bills it; ``GET /v1/tasks/{id}`` tells how it is. The guide and the
reference name some fields and models otherwise: the guide leads, ``Dialect.DOCS`` is the reference; answers are read in
the shapes of both. A repeat under an ``Idempotency-Key`` is told by ``Idempotency-Replayed``.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import quote

import httpx

from bot.domain.capabilities import Callback, Capabilities, Idempotency
from bot.domain.failure import Failure, FailureKind
from bot.domain.recipe import MINI, STANDARD, MediaKind, MediaRole, Mode, Ratio, Recipe, Resolution
from bot.ports import (
    Clock,
    Credit,
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
from bot.providers._apimart_uploads import LIMITS, ApimartUploads
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
from bot.providers._openai import classify, effective_status, error_words, refusal
from bot.providers._values import address, left_micro_usd, micro_usd, moment, objects
from bot.providers._words import of_the_account

NAME = "apimart"
PUBLIC_BASE = "https://api.apimart.ai"

KEY_WINDOW = timedelta(minutes=10)
"""APIMart's client repeats a POST of unknown outcome with its key and names no end; so long is relied upon."""
OUTPUT_LIFETIME = timedelta(hours=24)
"""The guide: links expire after 24 hours. ``expires_at`` says it exactly."""
AUTOMATIC_SECONDS = -1
RESPONSE_VERSION = "2026-07-27"
"""The day of whose answers APIMart's own client asks for: what says that an answer is a replay comes with these."""

RUNNING_WORDS = frozenset({"submitted", "pending", "processing"})
FINISHED_WORDS = frozenset({"completed", "success", "succeeded"})
FAILED_WORDS = frozenset({"failed", "cancelled", "failure", "error"})
"""Documented are ``completed``, ``failed`` and ``cancelled``; clients of APIMart know the others too."""

_CREDIT_MICRO_USD = 100_000
"""The reference's example: 4.05 credits for $0.405."""


class Dialect(StrEnum):
    """Whose words the requests are in."""

    GUIDE = "guide"
    """``aspect_ratio``, ``image_url``; all resolutions, 3:2 and an automatic length at every tier."""
    DOCS = "docs"
    """``size``, ``image_with_roles``; 1080p at the standard tier alone, lengths in seconds."""


MODELS: Mapping[Dialect, Mapping[str, str]] = {
    # The guide names the model of the mini tier alone; the other's id is formed like it.
    Dialect.GUIDE: {MINI: "seedance-2-0-fast", STANDARD: "seedance-2-0"},
    Dialect.DOCS: {MINI: "seedance-2.0-mini", STANDARD: "seedance-2.0"},
}


def capabilities(
    dialect: Dialect = Dialect.GUIDE,
    models: Mapping[str, str] | None = None,
    *,
    idempotent: bool = True,
    callbacks: bool = True,
) -> tuple[Capabilities, ...]:
    """Both tiers. ``models`` are other ids than the dialect's own, by tier.

    The guide: 480p to 1080p, 4–15 seconds or -1, seven ratios and ``adaptive`` with a first frame, sound on or off,
    a seed, 9 pictures, 3 videos and 3 sounds as references, 2,000 tokens of prompt, the last frame on wish, a webhook.
    It reworks footage by a reference video and the prompt ("swap objects or backgrounds"); of going on from a video it
    says nothing, and chains clips by their last frames instead. The
    reference: first and last frame, 1080p at the standard tier, uploads of pictures. The model behind (its maker's
    reference) takes no sound by itself and no frames beside references. APIMart's own client: the idempotency key.
    """
    chosen = {**MODELS[dialect], **(models or {})}
    return tuple(_tier(tier, chosen[tier], dialect, idempotent, callbacks) for tier in (MINI, STANDARD))


def _tier(tier: str, model: str, dialect: Dialect, idempotent: bool, callbacks: bool) -> Capabilities:
    guide = dialect is Dialect.GUIDE
    return Capabilities(
        provider=NAME,
        tier=tier,
        model=model,
        resolutions=frozenset(Resolution) - (set() if guide or tier == STANDARD else {Resolution.P1080}),
        ratios=frozenset(Ratio) - (set() if guide else {Ratio.PHOTO}),
        modes=frozenset(Mode) - {Mode.EXTEND},
        automatic_seconds=guide,
        adaptive_needs_picture=True,
        seed=True,
        reference_images=9,
        reference_videos=3,
        reference_audios=3,
        audio_needs_picture=True,
        returns_last_frame=True,
        longest_prompt_tokens=2_000,
        idempotency=Idempotency(window=KEY_WINDOW, verified=idempotent),
        callback=Callback.UNSIGNED if callbacks else None,
        balance=True,
        uploads=frozenset({MediaKind.IMAGE}),
        limits=LIMITS,
        output_lifetime=OUTPUT_LIFETIME,
    )


def encode(recipe: Recipe, model: str, dialect: Dialect = Dialect.GUIDE, callback_url: str | None = None) -> bytes:
    """The body of ``POST /v1/videos/generations``. Compact and with sorted keys: the same arguments, the same bytes."""
    ratio = "aspect_ratio" if dialect is Dialect.GUIDE else "size"
    body: dict[str, object] = {
        "model": model,
        "prompt": _PURPOSES.get(recipe.mode, "") + recipe.prompt,
        "resolution": recipe.resolution.value,
        "duration": AUTOMATIC_SECONDS if recipe.seconds is None else recipe.seconds,
        ratio: recipe.ratio.value,
        "generate_audio": recipe.audio,
        "return_last_frame": True,
        **_media(recipe, dialect),
    }
    if recipe.seed is not None:
        body["seed"] = recipe.seed
    if callback_url is not None:
        body["callback_url"] = callback_url
    return json.dumps(body, sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode()


_PURPOSES = {Mode.EDIT: "Edit @Video1: "}
"""What a video is for is said in the prompt, which names it as the guide does: APIMart has no field for it."""

_PICTURE_ROLES = {
    MediaRole.FIRST: "first_frame",
    MediaRole.LAST: "last_frame",
    MediaRole.REFERENCE: "reference_image",
}


def _media(recipe: Recipe, dialect: Dialect) -> dict[str, object]:
    """The files. A lone ``image_urls`` is read as a first frame by some and as a reference by others, so that pictures
    go with their roles, but for the guide's own way of giving a first frame alone."""
    pictures = [one for one in recipe.media if one.kind is MediaKind.IMAGE]
    fields: dict[str, object] = {}
    if dialect is Dialect.GUIDE and [one.role for one in pictures] == [MediaRole.FIRST]:
        fields["image_url"] = pictures[0].url
    elif pictures:
        fields["image_with_roles"] = [{"url": one.url, "role": _PICTURE_ROLES[one.role]} for one in pictures]
    for name, kind in (("video_urls", MediaKind.VIDEO), ("audio_urls", MediaKind.AUDIO)):
        if urls := [one.url for one in recipe.media if one.kind is kind]:
            fields[name] = urls
    return fields


def decode_order(answer: Answer, now: datetime) -> OrderOutcome:
    """What became of a POST. Its task is named at the top (guide), in the first of ``data`` (reference) or in ``data``
    (where a response version was asked for); an error's own code counts when HTTP says 200 and it does not."""
    envelope = as_mapping(answer.json())
    task_id = _task_id(envelope)
    if task_id and 200 <= answer.status < 300:
        # Whatever else it says: a task that has a name may be charged.
        return OrderAccepted(task_id=task_id, cost_micro_usd=_cost(_data(envelope)) or None, replayed=replayed(answer))
    status = effective_status(answer.status, envelope)
    if 200 <= status < 300:
        return OrderUnknown(why=f"HTTP {answer.status} without a task id")
    if status == 409 and (conflict := _conflict(answer, envelope, now)):
        return conflict
    if status == 429:
        return OrderThrottled(retry_after_seconds=retry_after(answer.headers, now))
    if 400 <= status < 500 and status != 408:
        return OrderRefused(failure=refusal(status, envelope))
    return OrderUnknown(why=f"HTTP {answer.status}")


def replayed(answer: Answer) -> bool:
    """Whether APIMart says that it knew the key, and that this is its answer from before."""
    said = (value for name, value in answer.headers.items() if name.lower() == "idempotency-replayed")
    return next(said, "").strip().lower() == "true"


def _conflict(answer: Answer, envelope: Mapping[str, object], now: datetime) -> OrderInFlight | OrderUnknown | None:
    """A 409 about the key: its first POST is still in hand, or had another body. APIMart documents neither; services
    with such keys answer so, and then something was taken under this key."""
    words = " ".join(error_words(envelope)).lower()
    if any(word in words for word in ("in progress", "in_progress", "processing")):
        return OrderInFlight(retry_after_seconds=retry_after(answer.headers, now))
    return OrderUnknown(why="the key is in use otherwise", repeatable=False) if "idempoten" in words else None


def _task_id(envelope: Mapping[str, object]) -> str:
    data = _data(envelope)
    named = (envelope.get("task_id"), envelope.get("job_id"), data.get("task_id"), data.get("id"))
    return next((found for one in named if (found := as_text(one))), "")


def _data(envelope: Mapping[str, object]) -> Mapping[str, object]:
    """What an answer is about: ``data``, or the first object in it where it is a list."""
    data = envelope.get("data")
    return next((one for one in data if isinstance(one, dict)), {}) if isinstance(data, list) else as_mapping(data)


def decode_task(answer: Answer, now: datetime) -> TaskReport:
    """What ``GET /v1/tasks/{id}`` says. Status words outside the document count as running; an error that names no task
    is about the question, and a 404 in other words than its own is whatever stands before the API."""
    envelope = as_mapping(answer.json())
    data = _data(envelope) or envelope
    word = as_text(data.get("status")).lower()
    if word in FAILED_WORDS and not (_task_id(envelope) or data.get("id")):
        word = ""
    status = answer.status if word else effective_status(answer.status, envelope)
    if status == 404 and (as_mapping(envelope.get("error")) or as_text(envelope.get("code")) == "404"):
        return TaskMissing()
    if status != 200:
        return TaskUnreadable(why=f"HTTP {status}", retry_after_seconds=retry_after(answer.headers, now))
    if word in FINISHED_WORDS:
        return _finished(data)
    if word in FAILED_WORDS:
        return _failed(word, data)
    if word in RUNNING_WORDS:
        return TaskRunning()
    return TaskRunning(odd=word) if word else TaskUnreadable(why="an answer without a status")


def _finished(data: Mapping[str, object]) -> TaskReport:
    """``result.videos[].url`` is a list of addresses in captures and one address in an older sample; where the last
    frame lies is not documented."""
    result = as_mapping(data.get("result"))
    videos, images = objects(result.get("videos")), objects(result.get("images"))
    video = next((one for one in videos if address(one.get("url"))), None)
    if video is None:
        return TaskUnreadable(why="success without a link")
    last_frames = (result.get("last_frame_url"), video.get("last_frame_url"), *(one.get("url") for one in images))
    return TaskFinished(
        url=address(video.get("url")),
        expires_at=moment(video.get("expires_at")),
        cost_micro_usd=_cost(data) or None,
        last_frame_url=next((found for one in last_frames if (found := address(one))), None),
    )


def _failed(word: str, data: Mapping[str, object]) -> TaskFailed:
    """A failed task is charged where it says what it cost. What becomes of the money of one that was stopped is not
    documented: it counts as spent where it does not say that it cost nothing."""
    message, code = error_words(data)
    failure, cost = classify(code, message or ("" if word == "failed" else word)), _cost(data)
    charged = word == "cancelled" if cost is None else cost > 0
    return TaskFailed(failure=failure, charged=charged, cost_micro_usd=cost or None)


def _cost(data: Mapping[str, object]) -> int | None:
    """Micro-dollars, from ``cost`` in dollars, else from ``credits_cost``."""
    dollars = micro_usd(data.get("cost"))
    return micro_usd(data.get("credits_cost"), worth_micro_usd=_CREDIT_MICRO_USD) if dollars is None else dollars


def decode_balance(answer: Answer) -> Credit | None:
    """What ``GET /v1/balance`` (of the key) or ``GET /v1/user/balance`` says is left, in dollars; None when it says
    nothing of the kind."""
    envelope = as_mapping(answer.json())
    if answer.status != 200 or envelope.get("success") is False:
        return None
    if envelope.get("unlimited_quota") is True:
        return Credit(micro_usd=None)
    left = left_micro_usd(envelope.get("remain_balance"))
    return None if left is None else Credit(micro_usd=left)


class APIMart(ApimartUploads):
    """The vendor over HTTP. ``base_url`` is taken with and without ``/v1``; ``model`` and ``standard_model`` are other
    ids than the dialect's own. APIMart speaks of webhooks and shows no field for them: ``callbacks`` says whether
    ``callback_url``, which a client of it sends, is used. ``response_version`` asks for the answers of that date."""

    name = NAME

    def __init__(
        self,
        *,
        key: str,
        clock: Clock,
        base_url: str = PUBLIC_BASE,
        model: str | None = None,
        standard_model: str | None = None,
        dialect: Dialect = Dialect.GUIDE,
        idempotent: bool = True,
        callbacks: bool = True,
        response_version: str | None = RESPONSE_VERSION,
    ) -> None:
        self._base = base_url.rstrip("/").removesuffix("/v1") + "/v1"
        self._key = key
        self._headers = {"Authorization": f"Bearer {key}", "Accept": "application/json"}
        self._version = {} if response_version is None else {"X-APIMart-Response-Version": response_version}
        self._clock = clock
        self._dialect = dialect
        self._callbacks = callbacks
        models = {tier: given for tier, given in ((MINI, model), (STANDARD, standard_model)) if given}
        self.capabilities: tuple[Capabilities, ...] = capabilities(
            dialect, models, idempotent=idempotent, callbacks=callbacks
        )
        self._models = {one.tier: one.model for one in self.capabilities}
        self._billing: httpx.AsyncClient = billing_client()
        self._reading: httpx.AsyncClient = reading_client()

    def order(self, recipe: Recipe, key: str, callback_url: str | None = None) -> Order:
        """The POST for this recipe under this idempotency key (1 to 191 visible ASCII characters)."""
        wanted = callback_url if self._callbacks else None
        return Order(key=key, body=encode(recipe, self._models[recipe.tier], self._dialect, wanted))

    async def submit(self, order: Order) -> OrderOutcome:
        """Send the billed POST once."""
        headers = {**self._headers, **self._version, "Content-Type": "application/json", "Idempotency-Key": order.key}
        posted = await post_billed(self._billing, f"{self._base}/videos/generations", body=order.body, headers=headers)
        if isinstance(posted, OrderNotSent | OrderUnknown):
            return posted
        return decode_order(posted.without(self._key), self._clock.now())

    async def look(self, task_id: str) -> TaskReport:
        """Ask once how the task is, in English."""
        answer = await self._get(f"/tasks/{quote(task_id, safe='')}?language=en")
        return TaskUnreadable(why=answer) if isinstance(answer, str) else decode_task(answer, self._clock.now())

    async def look_at_all(self, task_ids: Sequence[str]) -> Mapping[str, TaskReport]:  # noqa: ARG002 - there is none
        """Nothing: APIMart has no list of tasks."""
        return {}

    async def cancel(self, task_id: str) -> bool:  # noqa: ARG002 - there is no way
        """False: APIMart has no way to cancel."""
        return False

    async def balance(self) -> Credit | None:
        """The lesser of what the key and what the account has left."""
        answers = await asyncio.gather(self._get("/balance"), self._get("/user/balance"))
        read = [one for answer in answers if isinstance(answer, Answer) and (one := decode_balance(answer))]
        limits = [one.micro_usd for one in read if one.micro_usd is not None]
        return Credit(micro_usd=min(limits, default=None)) if read else None

    async def check(self) -> Failure | None:
        """Ask what is left; where that is not served, which models there are."""
        answer = await self._get("/balance")
        if isinstance(answer, Answer) and answer.status == 404:
            answer = await self._get("/models")
        if isinstance(answer, str):
            return Failure(kind=FailureKind.PROVIDER, detail=f"it cannot be reached ({answer})")
        envelope = as_mapping(answer.json())
        status = effective_status(answer.status, envelope)
        if status in {401, 402, 403}:
            return of_the_account(refusal(status, envelope))
        if status != 200 or not envelope or envelope.get("success") is False:
            words = failure_text(*error_words(envelope)) or f"it answered HTTP {answer.status}"
            return Failure(kind=FailureKind.PROVIDER, detail=words)
        broke = await self.balance() == Credit(micro_usd=0)
        return Failure(kind=FailureKind.OUT_OF_CREDIT, detail="nothing is left") if broke else None

    def told(self, headers: Mapping[str, str], body: bytes) -> str | None:
        """The task that a callback names; its body is that of a status answer. APIMart does not sign."""
        return _task_id(as_mapping(Answer(status=200, headers=headers, body=body).json())) or None

    async def close(self) -> None:
        """Close the connections."""
        await self._billing.aclose()
        await self._reading.aclose()

    async def _get(self, path: str) -> Answer | str:
        answer = await get(self._reading, self._base + path, headers=self._headers)
        return answer if isinstance(answer, str) else answer.without(self._key)
