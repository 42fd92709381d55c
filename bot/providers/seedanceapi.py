"""seedanceapi.org, version 2 ("Seedance 2.0 Mini API guide", seedanceapi.org, and its documentation at /docs/v2).

``POST /v2/generate`` makes a task and bills it; ``GET /v2/status?task_id=…`` tells how it is. An error is told by HTTP,
or by another ``code`` than 200 inside an answer with HTTP 200: both are looked at. No idempotency key is documented, so
a POST of unknown outcome is never repeated: a callback, which is not signed, may still tell of it. Nor is there a way
to cancel, to list tasks, to ask what is left, or to upload. Pictures, videos and sounds are https links.

Some public clients expect ``task_id``, ``status`` and ``video_url`` at the top of the answers: that is read too.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import quote

import httpx

from bot.domain.capabilities import Callback, Capabilities
from bot.domain.failure import Failure, FailureKind
from bot.domain.recipe import MINI, STANDARD, MediaKind, MediaRole, Mode, Ratio, Recipe, Resolution
from bot.ports import (
    Clock,
    Credit,
    Order,
    OrderAccepted,
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
from bot.providers._values import address, micro_usd
from bot.providers._words import kind_by_words, kind_of_refusal, of_the_account

NAME = "seedanceapi"
PUBLIC_BASE = "https://seedanceapi.org"
MINI_MODEL = "seedance-2-mini"
STANDARD_MODEL = "seedance-2.0"

LONGEST_PROMPT = 2_000
"""Characters; the guide: "max 2000 characters"."""
MOST_PICTURES = 4
"""The guide: "one to four HTTPS image URLs"."""
MOST_VIDEOS = MOST_SOUNDS = 3
"""The guide counts neither; Seedance itself takes three of each."""
OUTPUT_LIFETIME = timedelta(hours=24)
"""Not published: as long as Seedance itself keeps its outputs."""
CREDIT_MICRO_USD = 10_000
"""The documentation: a dollar has 100 credits."""
STANDARD_SECONDS = frozenset({5, 10, 15})

USER_AGENT = "Dailies"
"""The front before the API has been seen to turn away HTTP libraries by their names."""
PROBE_TASK = "dailies-check"
"""A task that nobody has: to ask for it costs nothing and shows whether the key is taken."""


def capabilities(model: str = MINI_MODEL, *, mixed_references: bool = False) -> Capabilities:
    """What the guide says of ``seedance-2-mini``.

    ``images`` is its one field for pictures, "for image-to-video": a lone one is a first frame, and what the second of
    several is for is not said. So a first frame goes alone, a last frame is not promised, and pictures are no
    references. Clients of its upstream give them as such, also beside videos, and ``mixed_references`` believes them.
    Ratios are for text-to-video there: a first frame brings its own shape. That a sound cannot stand alone is
    Seedance's own rule. The guide knows no switch for sound."""
    return Capabilities(
        provider=NAME,
        tier=MINI,
        model=model,
        resolutions=frozenset({Resolution.P480, Resolution.P720}),
        ratios=frozenset(Ratio) - {Ratio.PHOTO},
        modes=frozenset({Mode.TEXT, Mode.FIRST_FRAME, Mode.REFERENCES}),
        fixed_ratio_with_picture=True,
        audio_toggle=False,
        reference_images=MOST_PICTURES if mixed_references else 0,
        reference_videos=MOST_VIDEOS,
        reference_audios=MOST_SOUNDS,
        audio_needs_picture=True,
        shortest_prompt=1,
        longest_prompt=LONGEST_PROMPT,
        callback=Callback.UNSIGNED,
        output_lifetime=OUTPUT_LIFETIME,
    )


def standard_capabilities(model: str = STANDARD_MODEL, *, mixed_references: bool = False) -> Capabilities:
    """What the guide and the documentation say of ``seedance-2.0``, which has "the same API": 5, 10 or 15 seconds and
    four ratios alone. Its resolutions are those that its clients send."""
    return replace(
        capabilities(model, mixed_references=mixed_references),
        tier=STANDARD,
        resolutions=frozenset(Resolution),
        ratios=frozenset({Ratio.WIDE, Ratio.TALL, Ratio.CLASSIC, Ratio.CLASSIC_TALL, Ratio.ADAPTIVE}),
        adaptive_needs_picture=True,
        shortest_seconds=min(STANDARD_SECONDS),
        longest_seconds=max(STANDARD_SECONDS),
        only_seconds=STANDARD_SECONDS,
    )


# --- the order -------------------------------------------------------------------------------------------------------


def encode(recipe: Recipe, model: str, callback_url: str | None = None) -> bytes:
    """The body of ``POST /v2/generate`` for a recipe that fits. Compact and with sorted keys: the same arguments give
    the same bytes. A ratio is not sent with a first frame, whose own shape is what a fitting recipe asks for."""
    body: dict[str, object] = {
        "model": model,
        "prompt": recipe.prompt,
        "duration": recipe.billable_seconds,
        "resolution": recipe.resolution.value,
    }
    frames = recipe.given(MediaRole.FIRST)
    if not frames:
        body["aspect_ratio"] = recipe.ratio.value
    files = {
        "images": (*frames, *recipe.given(MediaRole.REFERENCE, MediaKind.IMAGE)),
        "reference_video_urls": recipe.given(MediaRole.REFERENCE, MediaKind.VIDEO),
        "reference_audio_urls": recipe.given(MediaRole.REFERENCE, MediaKind.AUDIO),
    }
    body |= {name: list(urls) for name, urls in files.items() if urls}
    if callback_url is not None:
        body["callback_url"] = callback_url
    return json.dumps(body, sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode()


def decode_order(answer: Answer, now: datetime) -> OrderOutcome:
    """What became of a billed POST."""
    envelope = as_mapping(answer.json())
    status = _effective_status(answer.status, envelope)
    task_id = _task_id(envelope, well=200 <= status < 300)
    if task_id and 200 <= answer.status < 300:
        # Whatever else it says: a task that has a name may be charged.
        return OrderAccepted(task_id=task_id, cost_micro_usd=_cost(_subject(envelope)))
    if 200 <= status < 300:
        return OrderUnknown(why=f"HTTP {answer.status} without a task id")
    if status == 429:
        return OrderThrottled(retry_after_seconds=retry_after(answer.headers, now))
    if 400 <= status < 500 and status != 408:
        return OrderRefused(failure=_refusal(status, envelope))
    return OrderUnknown(why=f"HTTP {status}")


def _effective_status(http_status: int, envelope: Mapping[str, object]) -> int:
    """HTTP's status; the error code in the body where HTTP says that all is well, and where its 400 says no more than
    that something is wrong."""
    code = as_text(envelope.get("code"))
    if (200 <= http_status < 300 or http_status == 400) and code in _ERROR_CODES:
        return int(code)
    return http_status


_ERROR_CODES = frozenset(str(code) for code in range(400, 600))


def _subject(envelope: Mapping[str, object]) -> Mapping[str, object]:
    """What an answer is about: ``data``, or the answer itself where there is none."""
    return as_mapping(envelope.get("data")) or envelope


def _task_id(envelope: Mapping[str, object], *, well: bool = True) -> str:
    """``data.task_id``, or ``task_id`` at the top. Clients read ``id`` too, which may be anything in an error."""
    places = (as_mapping(envelope.get("data")), envelope)
    names = ("task_id", "id") if well else ("task_id",)
    return next((found for name in names for place in places if (found := as_text(place.get(name)))), "")


def _refusal(status: int, envelope: Mapping[str, object]) -> Failure:
    """The class of a 4xx by its status, then by its words."""
    message, code = as_text(envelope.get("message")), as_text(envelope.get("code"))
    detail = failure_text(message, code)
    if status == 403 and not envelope:
        # The front's own page, such as a riddle for browsers: the API has not looked at the key.
        return Failure(kind=FailureKind.PROVIDER, detail="a web page instead of an answer (HTTP 403)")
    return Failure(kind=kind_of_refusal(status, message) or FailureKind.INVALID, detail=detail)


# --- the task --------------------------------------------------------------------------------------------------------


def decode_task(answer: Answer, now: datetime) -> TaskReport:
    """What ``GET /v2/status`` says. ``SUCCESS`` is the guide's word, ``FAILED`` and ``IN_PROGRESS`` those of its
    clients; any other counts as running. A word about the task goes before a code about the answer; a failure that
    names no task is about the question, and a 404 without the body's own is whatever stands before the API."""
    envelope = as_mapping(answer.json())
    subject = _subject(envelope)
    said = as_text(subject.get("status"))
    word = "" if said.isdecimal() else said.upper()
    status = answer.status if word else _effective_status(answer.status, envelope)
    if status == 404 and as_text(envelope.get("code")) == "404":
        return TaskMissing()
    if status != 200:
        return TaskUnreadable(why=f"HTTP {status}", retry_after_seconds=retry_after(answer.headers, now))
    if word == "SUCCESS":
        return _finished(subject)
    if word == "FAILED" and not _task_id(envelope):
        return TaskUnreadable(why="an error that names no task")
    if word == "FAILED":
        return _failed(subject)
    if word == "IN_PROGRESS":
        return TaskRunning()
    return TaskRunning(odd=word.lower()) if word else TaskUnreadable(why="an answer without a status")


def _finished(subject: Mapping[str, object]) -> TaskReport:
    """The guide: "read the first video URL from data.response[0]"; some clients read ``video_url``."""
    response = subject.get("response")
    url = address(response) or address(subject.get("video_url"))
    if not url:
        return TaskUnreadable(why="success without a link")
    return TaskFinished(url=url, expires_at=None, cost_micro_usd=_cost(subject))


def _failed(subject: Mapping[str, object]) -> TaskFailed:
    """No rule is published about the credits of failed tasks. The documentation of a sibling service with the same
    answers says that they are given back, and Seedance itself bills finished clips only."""
    error = subject.get("error_message") or subject.get("error")
    message = as_text(error) or as_text(as_mapping(error).get("message"))
    cost = _cost(subject)
    return TaskFailed(failure=classify(message), charged=cost is not None, cost_micro_usd=cost)


def classify(message: str) -> Failure:
    """The class of a failed task, by the words of its ``error_message``; it has no codes."""
    lowered = message.lower()
    late = FailureKind.TIMEOUT if any(word in lowered for word in ("timed out", "timeout")) else None
    kind = kind_by_words(message) or late or FailureKind.PROVIDER
    return Failure(kind=kind, detail=failure_text(message, ""))


def _cost(subject: Mapping[str, object]) -> int | None:
    """Micro-dollars for ``consumed_credits``, where an answer has it; it is not documented, and none is no figure."""
    return micro_usd(subject.get("consumed_credits"), worth_micro_usd=CREDIT_MICRO_USD) or None


def decode_callback(body: bytes) -> str | None:
    """The task that a callback names. Its body is not documented: that of a status answer is expected."""
    return _task_id(as_mapping(Answer(status=200, headers={}, body=body).json())) or None


class SeedanceAPI(TakesNoFiles):
    """The vendor over HTTP. ``base_url`` is taken with and without ``/v2``; ``user_agent`` is the name given to the
    front."""

    name = NAME

    def __init__(
        self,
        *,
        key: str,
        clock: Clock,
        base_url: str = PUBLIC_BASE,
        model: str = MINI_MODEL,
        standard_model: str = STANDARD_MODEL,
        mixed_references: bool = False,
        user_agent: str = USER_AGENT,
    ) -> None:
        self._base = base_url.rstrip("/").removesuffix("/v2") + "/v2"
        self._key = key
        self._headers = {"Authorization": f"Bearer {key}", "Accept": "application/json", "User-Agent": user_agent}
        self._clock = clock
        self.capabilities: tuple[Capabilities, ...] = (
            capabilities(model, mixed_references=mixed_references),
            standard_capabilities(standard_model, mixed_references=mixed_references),
        )
        self._models = {one.tier: one.model for one in self.capabilities}
        self._billing: httpx.AsyncClient = billing_client()
        self._reading: httpx.AsyncClient = reading_client()

    def order(self, recipe: Recipe, key: str, callback_url: str | None = None) -> Order:
        """The POST for this recipe. The key is ours alone: there is no header for it."""
        return Order(key=key, body=encode(recipe, self._models[recipe.tier], callback_url))

    async def submit(self, order: Order) -> OrderOutcome:
        """Send the billed POST once."""
        headers = {**self._headers, "Content-Type": "application/json"}
        answer = await post_billed(self._billing, f"{self._base}/generate", body=order.body, headers=headers)
        if isinstance(answer, OrderNotSent | OrderUnknown):
            return answer
        return decode_order(answer.without(self._key), self._clock.now())

    async def look(self, task_id: str) -> TaskReport:
        """Ask once how the task is."""
        answer = await self._status(task_id)
        return TaskUnreadable(why=answer) if isinstance(answer, str) else decode_task(answer, self._clock.now())

    async def look_at_all(self, task_ids: Sequence[str]) -> Mapping[str, TaskReport]:  # noqa: ARG002 - the port's
        """Nothing: there is no list of tasks."""
        return {}

    async def cancel(self, task_id: str) -> bool:  # noqa: ARG002 - the port's
        """False: there is no way to cancel, nothing is asked, and the task goes on."""
        return False

    async def balance(self) -> Credit | None:
        """None: there is no way to ask."""
        return None

    def told(self, headers: Mapping[str, str], body: bytes) -> str | None:  # noqa: ARG002 - the port's
        """The task that a callback names. It is not signed, so that nothing is proved."""
        return decode_callback(body)

    async def check(self) -> Failure | None:
        """Ask for a task that nobody has: where the API says that it knows none such, it has taken the key."""
        answer = await self._status(PROBE_TASK)
        if isinstance(answer, str):
            return Failure(kind=FailureKind.PROVIDER, detail=f"it cannot be reached ({answer})")
        envelope = as_mapping(answer.json())
        status = _effective_status(answer.status, envelope)
        if status in {401, 402, 403}:
            return of_the_account(_refusal(status, envelope))
        if envelope and status in {200, 400, 404, 422}:
            return None
        return Failure(kind=FailureKind.PROVIDER, detail=f"it answered HTTP {answer.status}")

    async def close(self) -> None:
        """Close the connections."""
        await self._billing.aclose()
        await self._reading.aclose()

    async def _status(self, task_id: str) -> Answer | str:
        url = f"{self._base}/status?task_id={quote(task_id, safe='')}"
        answer = await get(self._reading, url, headers=self._headers)
        return answer if isinstance(answer, str) else answer.without(self._key)
