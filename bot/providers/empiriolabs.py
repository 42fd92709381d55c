"""EmpirioLabs: jobs behind an OpenAI-like API ("Seedance 2.0 Mini", docs.empiriolabs.ai).

``POST /v1/videos/generations`` makes a job and bills it. The model's page does not say how to follow one: the answer
names a ``poll_url``, relative or absolute, which the reference gives as ``GET /v1/jobs/{job_id}``. Neither an
idempotency key nor a callback is documented, so that a POST of unknown outcome is never repeated. That jobs can be
listed and cancelled is known from EmpirioLabs' own tools, whose addresses are inferred and can be set (``Paths``).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import quote

import httpx

from bot.domain.capabilities import Capabilities
from bot.domain.failure import Failure, FailureKind
from bot.domain.recipe import FAST, MINI, STANDARD, MediaKind, MediaRole, Mode, Ratio, Recipe, Resolution
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
from bot.providers._empiriolabs_paths import Paths, filled, handle_of, job_of, usage_address
from bot.providers._http import (
    Answer,
    as_mapping,
    as_text,
    billing_client,
    post_billed,
    reading_client,
    retry_after,
    send,
)
from bot.providers._openai import classify, effective_status, error_words, refusal
from bot.providers._uploads import TakesNoFiles
from bot.providers._values import address, left_micro_usd, objects
from bot.providers._words import of_the_account

NAME = "empiriolabs"
PUBLIC_BASE = "https://api.empiriolabs.ai"
MINI_MODEL = "seedance-2-0-mini"
FAST_MODEL = "seedance-2-0-fast"
STANDARD_MODEL = "seedance-2-0"
"""Formed like its siblings: no page on it is known."""

OUTPUT_LIFETIME = timedelta(hours=24)
"""Links are signed, for how long is not published: so long is assumed, as upstream has it."""
REQUESTS_PER_MINUTE = 50
"""Of an account. No page names a limit: this is what is kept to, and a slower pace loses nothing."""
LIST_SIZE = 100
"""Jobs asked for at once, newest first: the most that EmpirioLabs' own tool allows."""

RUNNING_WORDS = frozenset({"queued", "processing", "running"})
"""The first two from EmpirioLabs' tools, the last from a client of theirs."""
FINISHED_WORDS = frozenset({"completed", "succeeded", "success"})
"""The first from the reference, the second from EmpirioLabs' own articles, the last from a client of theirs."""
STOPPED_WORDS = frozenset({"cancelled", "canceled"})
FAILED_WORDS = frozenset({"failed", "error"}) | STOPPED_WORDS

_MODES = {
    Mode.TEXT: "t2v",
    Mode.FIRST_FRAME: "i2v_first",
    Mode.FIRST_LAST: "i2v_both",
    Mode.REFERENCES: "reference",
    Mode.EDIT: "edit",
    Mode.EXTEND: "extend",
}
_FILES = frozenset({"image", "image_end", "video"})
"""Fields that hold an address of a file."""
_OUR_MISTAKES = {"missing", "extra_forbidden"}


def capabilities(model: str = MINI_MODEL, *, paths: Paths | None = None) -> Capabilities:
    """What the page on Seedance 2.0 Mini says: 480p and 720p, seven ratios of which ``adaptive`` is the default, 4 to
    15 seconds or as the model decides, sound on or off, a negative prompt; one field each for a picture, an end frame
    (beside a first one, or of a video that is gone on from) and a video. "Audio" stands among its inputs, but no field
    takes one. Of a longest prompt nothing is said."""
    where = paths or Paths()
    return Capabilities(
        provider=NAME,
        tier=MINI,
        model=model,
        resolutions=frozenset({Resolution.P480, Resolution.P720}),
        ratios=frozenset(Ratio) - {Ratio.PHOTO},
        modes=frozenset(Mode),
        automatic_seconds=True,
        negative=True,
        reference_images=1,
        reference_videos=1,
        last_frame_with_extend=True,
        shortest_prompt=1,
        cancel=where.cancel is not None,
        lists_tasks=where.jobs is not None,
        balance=where.usage is not None,
        requests_per_minute=REQUESTS_PER_MINUTE,
        output_lifetime=OUTPUT_LIFETIME,
    )


def fast_capabilities(model: str = FAST_MODEL, *, paths: Paths | None = None) -> Capabilities:
    """What the page on Seedance 2.0 Fast says otherwise: a video is for editing and extending alone, an end frame goes
    with a first one alone."""
    return replace(capabilities(model, paths=paths), tier=FAST, reference_videos=0, last_frame_with_extend=False)


def standard_capabilities(model: str = STANDARD_MODEL, *, paths: Paths | None = None) -> Capabilities:
    """Seedance 2.0, of which no page is known: what both siblings take, and 1080p, which the page on mini implies by
    naming its lack. Its price is assumed."""
    return replace(fast_capabilities(model, paths=paths), tier=STANDARD, resolutions=frozenset(Resolution))


def encode(recipe: Recipe, model: str) -> bytes:
    """The body of ``POST /v1/videos/generations`` for a recipe that fits. Compact and with sorted keys: the same
    recipe gives the same bytes. The mode is named, not left to be guessed from the files."""
    body: dict[str, object] = {
        "model": model,
        "prompt": recipe.prompt,
        "mode": _MODES[recipe.mode],
        "resolution": recipe.resolution.value,
        "aspect_ratio": recipe.ratio.value,
        "custom_duration": recipe.seconds is not None,
        "generate_audio": recipe.audio,
    }
    if recipe.seconds is not None:
        body["duration"] = recipe.seconds
    if recipe.negative is not None:
        body["negative_prompt"] = recipe.negative
    pictures = recipe.given(MediaRole.FIRST) + recipe.given(MediaRole.REFERENCE, MediaKind.IMAGE)
    videos = recipe.given(MediaRole.EDIT) + recipe.given(MediaRole.EXTEND)
    videos += recipe.given(MediaRole.REFERENCE, MediaKind.VIDEO)
    for name, urls in (("image", pictures), ("image_end", recipe.given(MediaRole.LAST)), ("video", videos)):
        if urls:
            (body[name],) = urls
    return json.dumps(body, sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode()


def decode_order(answer: Answer, now: datetime, *, root: str = PUBLIC_BASE, paths: Paths | None = None) -> OrderOutcome:
    """What became of a POST. ``root`` is the base address without ``/v1``."""
    said = _worded(answer)
    handle = handle_of(said, root=root, paths=paths or Paths())
    if handle and 200 <= answer.status < 300:
        return OrderAccepted(task_id=handle)  # whatever else it says: a job that has a name may be charged
    status = effective_status(answer.status, said)
    if 200 <= status < 300:
        return OrderUnknown(why=f"HTTP {answer.status} without a job id")
    if status == 429:
        return OrderThrottled(retry_after_seconds=retry_after(answer.headers, now))
    if 400 <= status < 500 and status != 408:
        return OrderRefused(failure=_refusal(status, said))
    return OrderUnknown(why=f"HTTP {answer.status}")


def decode_task(answer: Answer, now: datetime) -> TaskReport:
    """What ``GET /v1/jobs/{job_id}`` says. Status words outside all that is known count as running; an error that names
    no job is about the question, and a 404 in other words than its own is whatever stands before the API."""
    said = as_mapping(answer.json())
    if answer.status == 404 and (as_mapping(said.get("error")) or as_text(said.get("detail"))):
        return TaskMissing()
    if not 200 <= answer.status < 300:
        return TaskUnreadable(why=f"HTTP {answer.status}", retry_after_seconds=retry_after(answer.headers, now))
    return _report(said)


def decode_list(answer: Answer, task_ids: Sequence[str]) -> Mapping[str, TaskReport]:
    """What the list says of these tasks. One of which it says nothing readable is left out: it is to be asked for by
    itself. How the list is wrapped is not documented."""
    if answer.status != 200:
        return {}
    body = answer.json()
    jobs = next((found for name in ("jobs", "data") if (found := objects(as_mapping(body).get(name)))), objects(body))
    reports = {_id_of(job): _report(job) for job in jobs}
    known = {task_id: reports.get(job_of(task_id)) for task_id in task_ids}
    return {
        task_id: report
        for task_id, report in known.items()
        if report is not None and not isinstance(report, TaskUnreadable)
    }


def _id_of(job: Mapping[str, object]) -> str:
    return as_text(job.get("job_id")) or as_text(job.get("id"))


def _word_of(job: Mapping[str, object]) -> str:
    return (as_text(job.get("status")) or as_text(job.get("state"))).lower()


def _report(job: Mapping[str, object]) -> TaskReport:
    word = _word_of(job)
    if word in FINISHED_WORDS:
        return _finished(as_mapping(job.get("result")))
    if word in FAILED_WORDS and not _id_of(job):
        return TaskUnreadable(why="an error that names no job")
    if word in FAILED_WORDS:
        message, code = error_words(job)
        failure = classify(code, message or ("" if word == "failed" else word))
        # Charged is "per second" of video, of which a job that failed has none. What becomes of the money of one that
        # was stopped is not documented: it counts as spent.
        return TaskFailed(failure=failure, charged=word in STOPPED_WORDS)
    if word in RUNNING_WORDS:
        return TaskRunning()
    return TaskRunning(odd=word) if word else TaskUnreadable(why="an answer without a status")


def _finished(result: Mapping[str, object]) -> TaskReport:
    links = sorted(_links(result), key=lambda link: not link.partition("?")[0].lower().endswith(".mp4"))
    if not links:
        return TaskUnreadable(why="success without a link")
    return TaskFinished(url=links[0], expires_at=None)


def _links(result: Mapping[str, object]) -> Iterator[str]:
    """``result.data[].url``; clients also know ``result.output[].url``, ``result.url`` and one more ``result``
    around ``data``."""
    for place in (result, as_mapping(result.get("result"))):
        for item in (*objects(place.get("data")), *objects(place.get("output")), place):
            if link := address(item.get("url")):
                yield link


def _worded(answer: Answer) -> Mapping[str, object]:
    """An answer with its error at ``error``: the framework behind some of them says ``detail``, as text or as a list
    of fields."""
    said = as_mapping(answer.json())
    detail = said.get("detail")
    if said.get("error") or not detail:
        return said
    sentences = [f"{_field(one)}: {as_text(one.get('msg'))}".strip(": ") for one in objects(detail)]
    return {**said, "error": {"message": as_text(detail) or "; ".join(filter(None, sentences))}}


def _refusal(status: int, said: Mapping[str, object]) -> Failure:
    """The class of a 4xx. Where it names the field that it is about, words like "reference" do not mislead."""
    failure = refusal(status, said)
    fields = _fields(said)
    if failure.kind not in {FailureKind.INVALID, FailureKind.BAD_REFERENCE} or not fields:
        return failure
    return replace(failure, kind=FailureKind.BAD_REFERENCE if fields <= _FILES else FailureKind.INVALID)


def _fields(said: Mapping[str, object]) -> set[str]:
    """The fields that a refusal is about. One that should not be there, or is missing, is our own mistake."""
    found = {"" if one.get("type") in _OUR_MISTAKES else _field(one) for one in objects(said.get("detail"))}
    param = as_text(as_mapping(said.get("error")).get("param"))
    return found | {param} if param else found


def _field(entry: Mapping[str, object]) -> str:
    where = entry.get("loc")
    names = [as_text(part) for part in where] if isinstance(where, list) else []
    return ".".join(name for name in names if name and name != "body")


def decode_balance(answer: Answer) -> Credit | None:
    """What the account's usage says is left, in dollars. Its page names no field for that: it is looked for
    where such answers have it, as a figure or as ``{"amount", "currency"}``. None when it is not there."""
    said = as_mapping(answer.json()) if answer.status == 200 else {}
    for place in (said, as_mapping(said.get("account"))):
        for name in ("balance", "credit_balance", "current_balance"):
            amount = as_mapping(place.get(name)) or {"amount": place.get(name), "currency": place.get("currency")}
            left = left_micro_usd(amount.get("amount"))
            if left is not None and (as_text(amount.get("currency")) or "USD").upper() in {"USD", "CREDITS"}:
                return Credit(micro_usd=left)
    return None


def _verdict(answer: Answer | str) -> Failure | None:
    """What speaks against ordering, by an answer to something free; None when nothing does."""
    if isinstance(answer, str):
        return Failure(kind=FailureKind.PROVIDER, detail=f"it cannot be reached ({answer})")
    said = _worded(answer)
    status = effective_status(answer.status, said)
    if status in {401, 402, 403}:
        return of_the_account(_refusal(status, said))
    if status != 200 or not said:
        return Failure(kind=FailureKind.PROVIDER, detail=f"it answered HTTP {status}")
    broke = decode_balance(answer) == Credit(micro_usd=0)
    return Failure(kind=FailureKind.OUT_OF_CREDIT, detail="the balance is used up") if broke else None


class EmpirioLabs(TakesNoFiles):
    """The vendor over HTTP. ``base_url`` is taken with and without ``/v1``; ``api_key_header`` sends the key as
    ``x-api-key`` instead of as a bearer's."""

    name = NAME

    def __init__(
        self,
        *,
        key: str,
        clock: Clock,
        base_url: str = PUBLIC_BASE,
        model: str = MINI_MODEL,
        fast_model: str = FAST_MODEL,
        standard_model: str = STANDARD_MODEL,
        api_key_header: bool = False,
        paths: Paths | None = None,
    ) -> None:
        self._root = base_url.rstrip("/").removesuffix("/v1")
        self._paths = paths or Paths()
        self._usage_url = usage_address(self._root, self._paths.usage, public=PUBLIC_BASE)
        self._key = key
        proof = {"x-api-key": key} if api_key_header else {"Authorization": f"Bearer {key}"}
        self._headers = {**proof, "Accept": "application/json"}
        self._clock = clock
        self._lists = self._paths.jobs is not None
        self.capabilities: tuple[Capabilities, ...] = (
            capabilities(model, paths=paths),
            fast_capabilities(fast_model, paths=paths),
            standard_capabilities(standard_model, paths=paths),
        )
        self._models = {can.tier: can.model for can in self.capabilities}
        self._billing: httpx.AsyncClient = billing_client()
        self._reading: httpx.AsyncClient = reading_client()

    def order(self, recipe: Recipe, key: str, callback_url: str | None = None) -> Order:  # noqa: ARG002 - the port's
        """The POST for this recipe. The key is for our own books, and there are no callbacks: EmpirioLabs takes
        neither."""
        return Order(key=key, body=encode(recipe, self._models[recipe.tier]))

    async def submit(self, order: Order) -> OrderOutcome:
        """Send the billed POST once."""
        headers = {**self._headers, "Content-Type": "application/json"}
        url = self._root + self._paths.generations
        answer = await post_billed(self._billing, url, body=order.body, headers=headers)
        if isinstance(answer, OrderNotSent | OrderUnknown):
            return answer
        return decode_order(answer.without(self._key), self._clock.now(), root=self._root, paths=self._paths)

    async def look(self, task_id: str) -> TaskReport:
        """Ask once how the job is."""
        path = task_id if task_id.startswith("/") else filled(self._paths.job, task_id)
        answer = await self._ask("GET", path)
        return TaskUnreadable(why=answer) if isinstance(answer, str) else decode_task(answer, self._clock.now())

    async def look_at_all(self, task_ids: Sequence[str]) -> Mapping[str, TaskReport]:
        """Ask once how the newest jobs are, and give those of these; older ones are to be asked for one by one. A list
        that is not there after all is not asked for again: requests are rationed by the minute."""
        if not self._lists:
            return {}
        answer = await self._ask("GET", f"{self._paths.jobs}?limit={LIST_SIZE}")
        if isinstance(answer, str):
            return {}
        self._lists = answer.status not in {404, 405}
        return decode_list(answer, task_ids)

    async def cancel(self, task_id: str) -> bool:
        """Ask for the job to be stopped; one that has ended is answered as it is."""
        if self._paths.cancel is None:
            return False
        answer = await self._ask(self._paths.cancel_method, filled(self._paths.cancel, job_of(task_id)))
        said = as_mapping(answer.json()) if isinstance(answer, Answer) and 200 <= answer.status < 300 else {}
        return _word_of(said) in STOPPED_WORDS

    async def balance(self) -> Credit | None:
        """What is left on the account."""
        answer = await self._usage()
        return decode_balance(answer) if isinstance(answer, Answer) else None

    async def check(self) -> Failure | None:
        """Ask what is left; where that is not served, or by another host than the API, for the model's page too."""
        usage = await self._usage()
        verdict = None if usage is None else _verdict(usage)
        served = not isinstance(usage, Answer) or usage.status not in {404, 405}
        ours = served and (self._usage_url or "").startswith(f"{self._root}/")
        if ours or (verdict is not None and verdict.kind is not FailureKind.PROVIDER):
            return verdict
        return _verdict(await self._ask("GET", self._paths.model + quote(self._models[MINI], safe="")))

    def told(self, headers: Mapping[str, str], body: bytes) -> str | None:  # noqa: ARG002 - there are no callbacks
        """Nothing: EmpirioLabs sends no callbacks, so that whatever comes is not from there."""
        return None

    async def close(self) -> None:
        """Close the connections."""
        await self._billing.aclose()
        await self._reading.aclose()

    async def _usage(self) -> Answer | str | None:
        """The account's usage; None where it is not to be had."""
        return None if self._usage_url is None else await self._ask("GET", f"{self._usage_url}?source=api&limit=25")

    async def _ask(self, method: str, where: str) -> Answer | str:
        """``where`` is a path below the root, or a whole address."""
        url = self._root + where if where.startswith("/") else where
        answer = await send(self._reading, method, url, headers=self._headers)
        return answer if isinstance(answer, str) else answer.without(self._key)
