"""The five providers' adapters and as much of their dialects as the rules need that all of them keep.

The payloads lie in ``tests/fixtures/PROVIDER``, named by what they tell.
"""

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from bot.domain.capabilities import Capabilities
from bot.domain.failure import Failure, FailureKind
from bot.domain.recipe import MediaKind, MediaRole, Medium, Recipe
from bot.ports import Credit, Order, OrderAccepted, OrderOutcome, Provider, TaskFinished, TaskReport
from bot.providers import _openai, apimart, empiriolabs, hiapi, muapi, seedanceapi
from bot.providers._http import Answer
from tests.support.answers import JSON, objects_with, said
from tests.support.clock import START, SettableClock

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
KEY = "made-up-key"
WEB_PAGE = b"<!doctype html><title>Just a moment...</title>"
WORDLESS: Mapping[int, FailureKind] = {
    400: FailureKind.INVALID,
    401: FailureKind.KEY_REFUSED,
    402: FailureKind.OUT_OF_CREDIT,
    403: FailureKind.KEY_REFUSED,
    404: FailureKind.INVALID,
    409: FailureKind.INVALID,
    413: FailureKind.INVALID,
    422: FailureKind.INVALID,
}
"""What a refusal is by its status alone."""


def medium(role: MediaRole, name: str) -> Medium:
    """A file behind a link; what it is, its name's ending says."""
    kinds = {"png": MediaKind.IMAGE, "mp4": MediaKind.VIDEO, "mp3": MediaKind.AUDIO}
    return Medium(role=role, kind=kinds[name[-3:]], url=f"https://files.example/{name}")


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """One provider's adapter. Names of payloads are given without their folder and their ending."""

    name: str
    make: Callable[..., Provider]
    tiers: tuple[Capabilities, ...]
    encode: Callable[[Recipe, Capabilities], Order]
    """The order of a recipe that fits that tier, under the key ``j1-1``."""
    decode_order: Callable[[Answer, datetime], OrderOutcome]
    decode_task: Callable[[Answer, datetime], TaskReport]
    classify: Callable[[str], Failure]
    """The class of a failed task by its words."""
    decode_list: Callable[[Answer, Sequence[str]], Mapping[str, TaskReport]] | None = None
    decode_balance: Callable[[Answer], Credit | None] | None = None

    version: str = "/v1"
    """What a base address may end with."""
    orders: str
    """Where an order goes, below the version; that of a recipe of words alone."""
    looks: str
    """Where a look goes, below the version, with ``{}`` for the task."""
    requests: tuple[str, ...]
    """The methods of submit, look, look_at_all, cancel, balance and check, where nothing of use is answered."""

    task_id: str
    called: str = "task"
    """What the provider calls a task."""
    accepted: OrderAccepted
    """What ``order_accepted`` is."""
    callback: str | None = None
    """A payload that names the task."""
    done: str
    """The payload of a finished task."""
    finished: TaskFinished
    """What it is."""
    failed: str
    """The payload of a failed task."""
    running: tuple[str, ...]
    """The payloads of tasks that are at work."""
    words: tuple[str, ...]
    """Words for being at work, in whatever spelling."""
    odd: tuple[str, ...]
    """Words that it does not have, though others do."""
    task: Callable[..., dict[str, Any]]
    """The answer about a task with these data."""
    ended: Callable[[object], dict[str, Any]]
    """The data of a finished task with this in the place of its link."""
    broken: Callable[[object], dict[str, Any]]
    """The data of a failed task with this error."""
    left: Callable[[object], dict[str, Any]] | None = None
    """The answer about what is left, with this for an amount."""

    wordless: Mapping[int, FailureKind] = field(default_factory=lambda: WORDLESS)
    lost: tuple[str, ...] = ("order_unavailable", "order_accepted")
    """Payloads that prove nothing beside a server's error."""
    errors_inside_200: bool = True
    """Whether an error may stand in an answer with HTTP 200."""
    every_success: bool = False
    """Whether a task is told of with any 2xx."""
    order_bodies: st.SearchStrategy[bytes]
    task_bodies: st.SearchStrategy[bytes]

    def fixture(self, name: str) -> bytes:
        """A payload."""
        return (FIXTURES / self.name / f"{name}.json").read_bytes()

    def loaded(self, name: str) -> dict[str, Any]:
        """A payload, decoded."""
        body: dict[str, Any] = json.loads(self.fixture(name))
        return body

    def ordered(self, status: int, body: bytes | object = b"", **headers: str) -> OrderOutcome:
        """What an answer to an order is taken for."""
        return self.decode_order(said(status, body, headers), START)

    def seen(self, status: int, body: bytes | object = b"", **headers: str) -> TaskReport:
        """What an answer about a task is taken for."""
        return self.decode_task(said(status, body, headers), START)

    @asynccontextmanager
    async def at(self, base_url: str = "http://127.0.0.1:9", **choices: Any) -> AsyncIterator[Provider]:
        """The adapter of a provider that is there, with the operator's choices; closed afterwards."""
        provider = self.make(key=KEY, clock=SettableClock(), base_url=base_url, **choices)
        try:
            yield provider
        finally:
            await provider.close()


def _ordered(body: bytes, path: str = "") -> Order:
    return Order(key="j1-1", body=body, path=path)


def _written(values: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    return values.map(lambda value: json.dumps(value).encode())


def _tasks(*words: str, **more: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Anything about a task, with a word that means something or none."""
    return st.fixed_dictionaries({"status": JSON | st.sampled_from(words)}, optional=more)


# --- APIMart ---------------------------------------------------------------------------------------------------------

_APIMART_TASK = "task_01M7XDVZPK7R4N2QW8ETBFCG3H"
_APIMART_CLIP = "https://upload.apimart.example/f/video/01M7XDVZ.mp4"
_APIMART_ORDERS = objects_with("task_id", "data", "code", "message", "error", "success")
_APIMART_VIDEOS = st.lists(
    st.fixed_dictionaries({"url": JSON | st.just([_APIMART_CLIP]), "expires_at": JSON | st.floats() | st.integers()})
).map(lambda videos: {"status": "completed", "result": {"videos": videos}})

APIMART = Adapter(
    name=apimart.NAME,
    make=apimart.APIMart,
    tiers=apimart.capabilities(),
    encode=lambda recipe, can: _ordered(apimart.encode(recipe, can.model)),
    decode_order=apimart.decode_order,
    decode_task=apimart.decode_task,
    classify=lambda message: _openai.classify("", message),
    decode_balance=apimart.decode_balance,
    orders="/videos/generations",
    looks="/tasks/{}?language=en",
    requests=("POST", "GET", "GET", "GET", "GET"),
    task_id=_APIMART_TASK,
    accepted=OrderAccepted(task_id=_APIMART_TASK, replayed=False),
    callback="callback",
    done="task_completed",
    finished=TaskFinished(
        url=_APIMART_CLIP, expires_at=datetime(2026, 11, 21, 21, 30, 15, tzinfo=UTC), cost_micro_usd=405_000
    ),
    failed="task_failed_policy",
    running=("task_submitted", "task_pending", "task_processing"),
    words=("SUBMITTED", "Pending", " processing "),
    odd=("queued", "in_progress", "reviewing", "regressed", "expired"),
    task=lambda **data: {"code": 200, "data": {"id": _APIMART_TASK, **data}},
    ended=lambda link: {"status": "completed", "result": {"videos": [{"url": link}]}},
    broken=lambda error: {"status": "failed", "error": error},
    left=lambda amount: {"success": True, "remain_balance": amount},
    order_bodies=_APIMART_ORDERS,
    task_bodies=_APIMART_ORDERS
    | _written(
        (_tasks("completed", "failed", "pending", result=JSON, error=JSON, cost=JSON) | _APIMART_VIDEOS).map(
            lambda data: {"data": data}
        )
    ),
)
APIMART_OF_THE_REFERENCE = replace(
    APIMART,
    tiers=apimart.capabilities(apimart.Dialect.DOCS),
    encode=lambda recipe, can: _ordered(apimart.encode(recipe, can.model, apimart.Dialect.DOCS)),
)
"""Its other dialect, in which orders alone are written otherwise."""

# --- Muapi -----------------------------------------------------------------------------------------------------------

_MUAPI_JOB = "job_8f21c0"
_MUAPI_CLIP = f"https://cdn.muapi.example/outputs/{_MUAPI_JOB}.mp4"

MUAPI = Adapter(
    name=muapi.NAME,
    make=muapi.Muapi,
    tiers=(muapi.capabilities(), muapi.standard_capabilities(), muapi.vip_capabilities()),
    encode=lambda recipe, can: _ordered(muapi.encode(recipe, can), muapi.endpoint(recipe, can)),
    decode_order=muapi.decode_order,
    decode_task=muapi.decode_task,
    classify=muapi.classify,
    decode_balance=muapi.decode_balance,
    version="/api/v1",
    orders="/seedance-2-mini-text-to-video",
    looks="/predictions/{}/result",
    requests=("POST", "GET", "GET", "GET"),
    task_id=_MUAPI_JOB,
    called="job",
    accepted=OrderAccepted(task_id=_MUAPI_JOB),
    callback="callback",
    done="task_succeeded",
    finished=TaskFinished(url=_MUAPI_CLIP, expires_at=None),
    failed="task_failed_policy",
    running=("task_processing", "task_processing_live", "task_queued_live", "task_pending_live", "order_accepted"),
    words=("PROCESSING", "Queued", " pending "),
    odd=("success", "fail", "reviewing", "in_progress", "timeout", "expired"),
    task=lambda **data: {"id": _MUAPI_JOB, **data},
    ended=lambda link: {"status": "completed", "output": link},
    broken=lambda error: {"status": "Failed", "error": error},
    left=lambda amount: {"balance": amount},
    wordless={**WORDLESS, 422: FailureKind.POLICY},
    lost=("order_unavailable",),
    errors_inside_200=False,
    order_bodies=objects_with("id", "request_id", "detail", "error", "message", "output"),
    task_bodies=objects_with("status", "output", "outputs", "error")
    | _written(_tasks("succeeded", "completed", "failed", output=JSON, outputs=JSON, error=JSON, detail=JSON)),
)

# --- seedanceapi.org -------------------------------------------------------------------------------------------------

_SEEDANCE_TASK = "sd2_5f0c7b1e9a2d4c6688aa01fe"
_SEEDANCE_CLIP = f"https://cdn.seedanceapi.example/videos/{_SEEDANCE_TASK}.mp4"
_SEEDANCE_ORDERS = objects_with("code", "message", "data", "task_id", "id")

SEEDANCEAPI = Adapter(
    name=seedanceapi.NAME,
    make=seedanceapi.SeedanceAPI,
    tiers=(seedanceapi.capabilities(), seedanceapi.standard_capabilities()),
    encode=lambda recipe, can: _ordered(seedanceapi.encode(recipe, can.model)),
    decode_order=seedanceapi.decode_order,
    decode_task=seedanceapi.decode_task,
    classify=seedanceapi.classify,
    version="/v2",
    orders="/generate",
    looks="/status?task_id={}",
    requests=("POST", "GET", "GET"),
    task_id=_SEEDANCE_TASK,
    accepted=OrderAccepted(task_id=_SEEDANCE_TASK),
    callback="callback",
    done="task_success",
    finished=TaskFinished(url=_SEEDANCE_CLIP, expires_at=None),
    failed="task_failed_policy",
    running=("task_in_progress", "task_in_progress_live", "order_accepted"),
    words=(" in_progress ",),
    odd=("pending", "queued", "succeeded", "fail", "error", "reviewing"),
    task=lambda **data: {"code": 200, "message": "success", "data": {"task_id": _SEEDANCE_TASK, **data}},
    ended=lambda link: {"status": "SUCCESS", "response": link},
    broken=lambda error: {"status": "Failed", "error_message": error},
    # A web page with a 403 is another matter here: see its own tests.
    wordless={status: kind for status, kind in WORDLESS.items() if status != 403},
    lost=("order_unavailable", "order_broken", "order_accepted"),
    order_bodies=_SEEDANCE_ORDERS,
    task_bodies=_SEEDANCE_ORDERS
    | _written(
        _tasks(
            *("SUCCESS", "FAILED", "IN_PROGRESS"),
            **dict.fromkeys(("response", "video_url", "error_message", "consumed_credits"), JSON),
        ).map(lambda data: {"code": 200, "data": data})
    ),
)

# --- EmpirioLabs -----------------------------------------------------------------------------------------------------

_EMPIRIO_JOB = "afbf123d-23db-4bda-9484-f55a48718435"
_EMPIRIO_CLIP = f"https://media.empiriolabs.example/outputs/{_EMPIRIO_JOB}/out.mp4?sig=made-up"
_EMPIRIO_RESULTS = st.fixed_dictionaries(
    {"status": st.just("completed"), "result": st.fixed_dictionaries({"data": JSON, "output": JSON, "url": JSON})}
)

EMPIRIOLABS = Adapter(
    name=empiriolabs.NAME,
    make=empiriolabs.EmpirioLabs,
    tiers=(empiriolabs.capabilities(), empiriolabs.fast_capabilities(), empiriolabs.standard_capabilities()),
    encode=lambda recipe, can: _ordered(empiriolabs.encode(recipe, can.model)),
    decode_order=empiriolabs.decode_order,
    decode_task=empiriolabs.decode_task,
    classify=lambda message: _openai.classify("generation_failed", message),
    decode_list=empiriolabs.decode_list,
    decode_balance=empiriolabs.decode_balance,
    orders="/videos/generations",
    looks="/jobs/{}",
    requests=("POST", "GET", "GET", "POST", "GET", "GET"),
    task_id=_EMPIRIO_JOB,
    called="job",
    accepted=OrderAccepted(task_id=_EMPIRIO_JOB),
    done="task_completed",
    finished=TaskFinished(url=_EMPIRIO_CLIP, expires_at=None),
    failed="task_failed_policy",
    running=("task_queued", "task_processing", "task_running_live"),
    words=("QUEUED", "Processing", " running "),
    odd=("pending", "reviewing", "paused", "done?"),
    task=lambda **data: {"job_id": _EMPIRIO_JOB, **data},
    ended=lambda link: {"status": "completed", "result": {"data": [{"url": link}]}},
    broken=lambda error: {"status": "failed", "error": error},
    left=lambda amount: {"balance": amount},
    every_success=True,
    order_bodies=objects_with("job_id", "id", "poll_url", "error", "detail"),
    task_bodies=objects_with("status", "state", "result", "error")
    | _written(_tasks("completed", "failed", "cancelled", "processing", result=JSON, error=JSON) | _EMPIRIO_RESULTS),
)

# --- HiAPI -----------------------------------------------------------------------------------------------------------

_HIAPI_TASK = "tk-hiapi-01M7XDVZPK7R4N2QW8ETBFCG3H"
_HIAPI_CLIP = f"https://cdn.hiapi.example/tasks/{_HIAPI_TASK}/0.mp4"
_HIAPI_ORDERS = objects_with("code", "message", "data", "error_code")
_HIAPI_OUTPUTS = st.lists(
    st.fixed_dictionaries({"url": st.just(_HIAPI_CLIP), "type": st.just("video"), "expireAt": JSON})
).map(lambda output: {"status": "success", "output": output})

HIAPI = Adapter(
    name=hiapi.NAME,
    make=hiapi.HiAPI,
    tiers=(hiapi.capabilities(), hiapi.standard_capabilities()),
    encode=lambda recipe, can: _ordered(hiapi.encode(recipe, can)),
    decode_order=hiapi.decode_order,
    decode_task=hiapi.decode_task,
    classify=lambda message: hiapi.classify("TASK_FAILED", message),
    decode_list=hiapi.decode_list,
    orders="/tasks",
    looks="/tasks/{}",
    requests=("POST", "GET", "GET", "GET"),
    task_id=_HIAPI_TASK,
    accepted=OrderAccepted(task_id=_HIAPI_TASK),
    callback="callback_success",
    done="task_success",
    finished=TaskFinished(url=_HIAPI_CLIP, expires_at=datetime(2026, 11, 27, 21, 30, 15, tzinfo=UTC)),
    failed="task_fail_policy",
    running=("task_queued", "task_handling", "task_archiving"),
    words=("QUEUED", "Handling", " archiving "),
    odd=("pending", "succeeded", "failed", "timeout", "regressed"),
    task=lambda **data: {"code": 200, "message": "success", "data": {"taskId": _HIAPI_TASK, **data}},
    ended=lambda link: {"status": "success", "output": [{"url": link, "type": "video"}]},
    broken=lambda error: {"status": "FAIL", "error": error},
    # A 409 is about the idempotency key: see its own tests.
    wordless={status: kind for status, kind in WORDLESS.items() if status != 409},
    order_bodies=_HIAPI_ORDERS,
    task_bodies=_HIAPI_ORDERS
    | _written(
        (_tasks("success", "fail", "queued", output=JSON, error=JSON) | _HIAPI_OUTPUTS).map(lambda data: {"data": data})
    ),
)

ADAPTERS = (APIMART, EMPIRIOLABS, HIAPI, MUAPI, SEEDANCEAPI)
