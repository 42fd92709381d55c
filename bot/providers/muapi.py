"""Muapi: a path a model and way of asking ("Seedance 2 Mini API: Pricing, Code & Production Guide", muapi.ai/blog).

``POST /api/v1/{endpoint}`` makes a job and bills it; ``GET /api/v1/predictions/{id}/result`` tells how it is. The guide
names no idempotency key, so a POST of unknown outcome is never repeated: a callback may still tell of it. The guide
covers the three mini endpoints; the dearer tiers, the callback, the balance and a second dialect of every answer
(``request_id``, ``completed``, ``outputs``) are known from Muapi's own clients and playground pages. Where they differ
the guide is the default. Muapi documents neither a way to cancel nor a list of jobs.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import quote

import httpx

from bot.domain.capabilities import Callback, Capabilities
from bot.domain.failure import Failure, FailureKind
from bot.domain.recipe import MINI, STANDARD, VIP, MediaKind, MediaRole, Mode, Ratio, Recipe, Resolution
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
from bot.providers._muapi_uploads import MuapiUploads
from bot.providers._values import address, left_micro_usd
from bot.providers._words import kind_by_words, kind_of_refusal, of_the_account

NAME = "muapi"
PUBLIC_BASE = "https://muapi.ai"
MINI_MODEL = "seedance-2-mini"
STANDARD_MODEL = "seedance-2"
VIP_MODEL = "seedance-2-vip"
"""What the endpoints of a tier begin with."""

OUTPUT_LIFETIME = timedelta(hours=24)
"""The guide: "MP4, URL valid for 24 hours"; the answers do not repeat it."""
LONGEST_PROMPT = 20_000
"""Characters: the guide's figure for mini, and taken for its siblings, of which none is named."""

RUNNING_WORDS = frozenset({"processing", "queued", "pending"})
"""The first from the guide, the others from public clients."""
FINISHED_WORDS = frozenset({"succeeded", "completed"})
STOPPED_WORDS = frozenset({"cancelled", "canceled"})
FAILED_WORDS = frozenset({"failed", "error"}) | STOPPED_WORDS
"""The first two from the guide, the others from public clients."""
_OF_A_JOB = RUNNING_WORDS | FINISHED_WORDS | {"failed"}
"""What is said of jobs alone: ``error`` is said of requests too."""

_ENDPOINTS = {
    Mode.TEXT: "text-to-video",
    Mode.FIRST_FRAME: "image-to-video",
    Mode.FIRST_LAST: "first-last-frame",
    Mode.REFERENCES: "omni-reference",
}
_IDS = ("request_id", "id")
_FILES = frozenset({"image_url", "images_list", "video_files", "videos_list", "audio_files", "audios_list"})
_NAMED_FILE = re.compile(r"(?<!\w)@(image|video|audio)([0-9]{1,9})\b", re.IGNORECASE)


class Auth(StrEnum):
    """In which header the key goes: the guide has the first, every public client the second."""

    BEARER = "bearer"
    API_KEY = "x-api-key"
    BOTH = "both"


@dataclass(frozen=True, kw_only=True)
class Fields:
    """What Muapi calls the files given to it. The guide names the mini model's first frame alone (its siblings take
    ``images_list`` there too); the lists are those of the sibling endpoints."""

    image: str = "image_url"
    images: str = "images_list"
    videos: str = "video_files"
    audios: str = "audio_files"


def capabilities(model: str = MINI_MODEL) -> Capabilities:
    """What the guide says of Seedance 2 Mini. The most references are those of the playground page on the sibling omni
    endpoint; that a sound cannot stand alone is Seedance's own rule."""
    return Capabilities(
        provider=NAME,
        tier=MINI,
        model=model,
        resolutions=frozenset({Resolution.P480, Resolution.P720}),
        ratios=frozenset(Ratio) - {Ratio.PHOTO, Ratio.ADAPTIVE},
        modes=frozenset({Mode.TEXT, Mode.FIRST_FRAME, Mode.REFERENCES}),
        high_bitrate=True,
        reference_images=9,
        reference_videos=3,
        reference_audios=3,
        audio_needs_picture=True,
        shortest_prompt=1,
        longest_prompt=LONGEST_PROMPT,
        callback=Callback.UNSIGNED,
        balance=True,
        uploads=frozenset(MediaKind),
        output_lifetime=OUTPUT_LIFETIME,
    )


def standard_capabilities(model: str = STANDARD_MODEL) -> Capabilities:
    """What the playground pages say of Seedance 2: 720p alone, a first and last frame, no fields for resolution, sound
    and bitrate. Its omni endpoint bills the seconds of the videos given too, which cannot be priced beforehand."""
    return replace(
        capabilities(model),
        tier=STANDARD,
        resolutions=frozenset({Resolution.P720}),
        modes=frozenset({Mode.TEXT, Mode.FIRST_FRAME, Mode.FIRST_LAST}),
        audio_toggle=False,
        high_bitrate=False,
        reference_images=0,
        reference_videos=0,
        reference_audios=0,
        audio_needs_picture=False,
    )


def vip_capabilities(model: str = VIP_MODEL) -> Capabilities:
    """Seedance 2 VIP, which the guide names for 1080p; otherwise as standard. A high bitrate is documented for one of
    its three endpoints only, and so not offered."""
    return replace(standard_capabilities(model), tier=VIP, resolutions=frozenset({Resolution.P1080}))


def endpoint(recipe: Recipe, can: Capabilities) -> str:
    """The path of the way of asking. Of a tier that has 1080p the resolution stands in the path."""
    suffix = f"-{Resolution.P1080}" if Resolution.P1080 in can.resolutions else ""
    return f"{can.model}-{_ENDPOINTS[recipe.mode]}{suffix}"


def encode(recipe: Recipe, can: Capabilities, fields: Fields | None = None) -> bytes:
    """The body for a recipe that fits. Compact and with sorted keys: the same recipe gives the same bytes. The guide
    states no defaults, so that everything that the endpoint takes is said."""
    body: dict[str, object] = {
        "prompt": _in_their_names(recipe.prompt),
        "aspect_ratio": recipe.ratio.value,
        "duration": recipe.billable_seconds,
    }
    if len(can.resolutions) > 1:
        body["resolution"] = recipe.resolution.value
    if can.audio_toggle:
        body["generate_audio"] = recipe.audio
    if can.high_bitrate:
        body["high_bitrate"] = recipe.high_bitrate
    body |= _files(recipe, can, fields or Fields())
    return json.dumps(body, sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode()


def _files(recipe: Recipe, can: Capabilities, names: Fields) -> dict[str, object]:
    if recipe.mode is Mode.FIRST_LAST:
        return {names.images: [*recipe.given(MediaRole.FIRST), *recipe.given(MediaRole.LAST)]}
    if recipe.mode is Mode.FIRST_FRAME:
        (frame,) = recipe.given(MediaRole.FIRST)
        alone = can.tier == MINI and names.image != names.images
        return {names.image: frame} if alone else {names.images: [frame]}
    kinds = {MediaKind.IMAGE: names.images, MediaKind.VIDEO: names.videos, MediaKind.AUDIO: names.audios}
    given = {name: list(recipe.given(MediaRole.REFERENCE, kind)) for kind, name in kinds.items()}
    return {name: urls for name, urls in given.items() if urls}


def _in_their_names(prompt: str) -> str:
    """``@Image1`` is ``@image1`` here."""
    return _NAMED_FILE.sub(lambda found: f"@{found[1].lower()}{int(found[2])}", prompt)


def decode_order(answer: Answer, now: datetime) -> OrderOutcome:
    """What became of a billed POST. The guide: a server error that bears a job's id has made that job. Gateways give
    the requests that they lose ids too, so that there it must be told how the job is."""
    said = as_mapping(answer.json())
    job_id, word = job_of(said), as_text(said.get("status")).lower()
    if job_id and (200 <= answer.status < 300 or (answer.status >= 500 and word in _OF_A_JOB)):
        return OrderAccepted(task_id=job_id)
    if 200 <= answer.status < 300:
        return OrderUnknown(why=f"HTTP {answer.status} without a job id")
    if answer.status == 429:
        return OrderThrottled(retry_after_seconds=retry_after(answer.headers, now))
    if 400 <= answer.status < 500 and answer.status != 408:
        return OrderRefused(failure=_refusal(answer.status, said))
    return OrderUnknown(why=f"HTTP {answer.status}")


def job_of(said: Mapping[str, object]) -> str:
    """The id of a job in any dialect; empty when there is none."""
    places = (said, as_mapping(said.get("output")))
    return next((job_id for where in places for name in _IDS if (job_id := as_text(where.get(name)))), "")


def decode_task(answer: Answer, now: datetime) -> TaskReport:
    """What ``GET …/result`` says. Words outside all that is documented count as running; an error that names no job is
    about the question, and a 404 without the framework's ``detail`` is whatever stands before the API."""
    said = as_mapping(answer.json())
    if answer.status == 404 and as_text(said.get("detail")):
        return TaskMissing()
    if answer.status != 200:
        return TaskUnreadable(why=f"HTTP {answer.status}", retry_after_seconds=retry_after(answer.headers, now))
    word = as_text(said.get("status")).lower()
    if word in FINISHED_WORDS:
        return _finished(said)
    if word in FAILED_WORDS and not job_of(said):
        return TaskUnreadable(why="an error that names no job")
    if word in FAILED_WORDS:
        # The guide charges "per second of output", of which a job that failed has none. What becomes of the money of
        # one that was stopped is not documented: it counts as spent.
        return TaskFailed(failure=classify(_words(said)), charged=word in STOPPED_WORDS)
    if word in RUNNING_WORDS:
        return TaskRunning()
    return TaskRunning(odd=word) if word else TaskUnreadable(why="an answer without a status")


def _finished(said: Mapping[str, object]) -> TaskReport:
    links = [link for name in ("output", "outputs") for link in _links(said.get(name))]
    if not links:
        return TaskUnreadable(why="success without a link")
    clip = next((link for link in links if link.partition("?")[0].lower().endswith(".mp4")), links[0])
    return TaskFinished(url=clip, expires_at=None)


def _links(outputs: object) -> Iterator[str]:
    """One address or several, each alone or in an object."""
    for output in outputs if isinstance(outputs, list) else [outputs]:
        about = {"url": output} if isinstance(output, str) else as_mapping(output)
        for name in ("url", "video_url"):
            if link := address(about.get(name)):
                yield link


def classify(message: str) -> Failure:
    """The class of a failed job, by the words of its message."""
    lowered = message.lower()
    late = FailureKind.TIMEOUT if "timed out" in lowered or "timeout" in lowered else FailureKind.PROVIDER
    return Failure(kind=kind_by_words(message) or late, detail=failure_text(message, ""))


def _refusal(status: int, said: Mapping[str, object]) -> Failure:
    message = _words(said)
    words = failure_text(message, "")
    kind = kind_of_refusal(status, message)
    if kind is not None and status in {401, 402, 403}:
        return Failure(kind=kind, detail=words)
    if isinstance(problems := said.get("detail"), list):
        files = bool(problems) and all(_about_a_file(as_mapping(problem)) for problem in problems)
        return Failure(kind=FailureKind.BAD_REFERENCE if files else FailureKind.INVALID, detail=words)
    # The guide's 422 is "Prompt policy violation"; a list of fields is the framework's own 422, dealt with above.
    usual = FailureKind.POLICY if status == 422 else FailureKind.INVALID
    return Failure(kind=kind or usual, detail=words)


def _about_a_file(problem: Mapping[str, object]) -> bool:
    """Whether a complaint is about what a file's field says, and not about our naming or building the field wrongly."""
    ours = any(word in as_text(problem.get("type")) for word in ("missing", "extra", "type"))
    return not ours and not _FILES.isdisjoint(_place(problem))


def _place(entry: Mapping[str, object]) -> tuple[str, ...]:
    where = entry.get("loc")
    return tuple(as_text(part) for part in where) if isinstance(where, list) else ()


def _words(said: Mapping[str, object]) -> str:
    """The provider's words: ``detail`` as text or as a list of fields, else ``error``, else ``message``."""
    for name in ("detail", "error", "message"):
        value = said.get(name)
        entries = [as_mapping(one) for one in value] if isinstance(value, list) else [as_mapping(value)]
        words = as_text(value) or "; ".join(filter(None, (_sentence(entry) for entry in entries)))
        if words:
            return words
    return ""


def _sentence(entry: Mapping[str, object]) -> str:
    words = next((text for name in ("msg", "message", "detail", "error") if (text := as_text(entry.get(name)))), "")
    place = ".".join(_place(entry))
    return f"{place}: {words}" if place and words else words


def decode_balance(answer: Answer) -> Credit | None:
    """What ``GET /account/balance`` says, in dollars; None when it says nothing readable, or another currency."""
    said = as_mapping(answer.json())
    left, currency = left_micro_usd(said.get("balance")), as_text(said.get("currency")).upper() or "USD"
    return Credit(micro_usd=left) if answer.status == 200 and currency == "USD" and left is not None else None


class Muapi(MuapiUploads):
    """The vendor over HTTP. ``base_url`` is taken with and without ``/api/v1``; models are what the endpoints of a tier
    begin with; ``auth`` and ``fields`` choose the dialect of what is sent. Answers are read in every dialect."""

    name = NAME

    def __init__(
        self,
        *,
        key: str,
        clock: Clock,
        base_url: str = PUBLIC_BASE,
        model: str = MINI_MODEL,
        standard_model: str = STANDARD_MODEL,
        vip_model: str = VIP_MODEL,
        auth: Auth = Auth.BEARER,
        fields: Fields | None = None,
    ) -> None:
        self._base = base_url.rstrip("/").removesuffix("/api/v1") + "/api/v1"
        self._key = key
        bearer = {} if auth is Auth.API_KEY else {"Authorization": f"Bearer {key}"}
        plain = {} if auth is Auth.BEARER else {"x-api-key": key}
        self._headers = {"Accept": "application/json", **bearer, **plain}
        self._clock = clock
        self._fields = fields or Fields()
        tiers = (capabilities(model), standard_capabilities(standard_model), vip_capabilities(vip_model))
        self.capabilities: tuple[Capabilities, ...] = tiers
        self._billing: httpx.AsyncClient = billing_client()
        self._reading: httpx.AsyncClient = reading_client()

    def order(self, recipe: Recipe, key: str, callback_url: str | None = None) -> Order:
        """The POST for this recipe. The key is for our own books: Muapi takes none."""
        can = next(tier for tier in self.capabilities if tier.tier == recipe.tier)
        asked = f"?webhook={quote(callback_url, safe='')}" if callback_url is not None else ""
        return Order(key=key, body=encode(recipe, can, self._fields), path=endpoint(recipe, can) + asked)

    async def submit(self, order: Order) -> OrderOutcome:
        """Send the billed POST once."""
        headers = {**self._headers, "Content-Type": "application/json"}
        answer = await post_billed(self._billing, f"{self._base}/{order.path}", body=order.body, headers=headers)
        if isinstance(answer, OrderNotSent | OrderUnknown):
            return answer
        return decode_order(answer.without(self._key), self._clock.now())

    async def look(self, task_id: str) -> TaskReport:
        """Ask once how the job is."""
        answer = await self._read(f"predictions/{quote(task_id, safe='')}/result")
        if isinstance(answer, str):
            return TaskUnreadable(why=answer)
        return decode_task(answer, self._clock.now())

    async def look_at_all(self, task_ids: Sequence[str]) -> Mapping[str, TaskReport]:  # noqa: ARG002 - no list here
        """Muapi has no list of jobs."""
        return {}

    async def cancel(self, task_id: str) -> bool:  # noqa: ARG002 - as above
        """Muapi cannot stop a job."""
        return False

    async def balance(self) -> Credit | None:
        """What is left on the account."""
        answer = await self._read("account/balance")
        return None if isinstance(answer, str) else decode_balance(answer)

    async def check(self) -> Failure | None:
        """Whether the API can be reached, takes the key and has something left, by asking for the balance."""
        answer = await self._read("account/balance")
        if isinstance(answer, str):
            return Failure(kind=FailureKind.PROVIDER, detail=f"it cannot be reached ({answer})")
        if answer.status in {401, 402, 403}:
            return of_the_account(_refusal(answer.status, as_mapping(answer.json())))
        if answer.status != 200 or not as_mapping(answer.json()):
            return Failure(kind=FailureKind.PROVIDER, detail=f"it answered HTTP {answer.status}")
        broke = decode_balance(answer) == Credit(micro_usd=0)
        return Failure(kind=FailureKind.OUT_OF_CREDIT, detail="the balance is used up") if broke else None

    def told(self, headers: Mapping[str, str], body: bytes) -> str | None:  # noqa: ARG002 - nothing there to trust
        """The job of a callback. Muapi signs none: the header ``x-muapi-signature`` that some receivers look at is a
        placeholder by their own word."""
        return job_of(as_mapping(Answer(status=200, headers={}, body=body).json())) or None

    async def close(self) -> None:
        """Close the connections."""
        await self._billing.aclose()
        await self._reading.aclose()

    async def _read(self, path: str) -> Answer | str:
        answer = await get(self._reading, f"{self._base}/{path}", headers=self._headers)
        return answer if isinstance(answer, str) else answer.without(self._key)
