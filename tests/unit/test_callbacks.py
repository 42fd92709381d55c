"""What a call of a provider's may do, and what no call can: over the service and its door."""

import json
from dataclasses import dataclass, field

import httpx
import pytest
from starlette.types import ASGIApp

from bot.domain.job import Evidence, EvidenceKind, Job, State
from bot.ports import NotGenuine, StorageBusy, TaskReport, TaskRunning
from bot.services.callbacks import MOST_CALLS, Callbacks, Heard
from bot.web.callbacks import PREFIX, CallbackEndpoint
from bot.web.site import Site
from storage import MemoryStorage
from tests.support.clock import SettableClock
from tests.support.services import House
from tests.support.values import an_attempt, capabilities
from tests.support.vendors import Declared

TOKEN = "0123456789abcdef" * 2


class Caller(Declared):
    """A provider whose calls carry a JSON object with the task; one that says ``forged`` is not its own."""

    def told(self, headers: object, body: bytes) -> str | None:
        if b"forged" in body:
            raise NotGenuine("another signature")
        try:
            said = json.loads(body)
        except ValueError:
            return None
        return said.get("task") if isinstance(said, dict) else None

    async def look(self, task_id: str) -> TaskReport:
        return TaskRunning()


@dataclass
class Ear:
    """An order of which somebody may call, and who is told of it."""

    callbacks: Callbacks
    house: House
    job: Job
    called: list[Job] = field(default_factory=list)

    async def hear(self, body: bytes, provider: str = "hiapi", token: str = TOKEN) -> Heard:
        return await self.callbacks.hear(provider, token, {}, body)

    async def evidence(self) -> list[Evidence]:
        async with self.house.storage.read() as tx:
            return [one for one in await tx.jobs.evidence("T1", self.job.id) if one.kind is EvidenceKind.CALLED]


@pytest.fixture
async def ear() -> Ear:
    house = House(storage=MemoryStorage(), clock=SettableClock())
    job = await house.uncertain()
    async with house.storage.begin() as tx:
        attempt = an_attempt(job_id=job.id, key=f"{job.id}-1", callback_token=TOKEN)
        await tx.jobs.add_attempt(attempt)
    called: list[Job] = []
    providers = {name: Caller(capabilities(name)) for name in ("hiapi", "muapi")}
    callbacks = Callbacks(
        storage=house.storage,
        providers=providers,
        policies=house.policies(),
        clock=house.clock,
        called_about=called.append,
    )
    return Ear(callbacks=callbacks, house=house, job=job, called=called)


async def test_a_call_is_written_down_once_and_is_a_reason_to_look(ear: Ear) -> None:
    body = b'{"task": "tk-1", "status": "success", "url": "https://evil.example/x.mp4"}'
    assert [await ear.hear(body) for _ in range(10)] == [Heard.TAKEN] * 10
    assert [(one.value, one.attempt) for one in await ear.evidence()] == [("tk-1", 1)]
    assert [job.id for job in ear.called] == [ear.job.id]
    assert await ear.house.job(ear.job.id) == ear.job, "a call moves nothing by itself"


@pytest.mark.row("F45")
@pytest.mark.parametrize(
    ("provider", "token"),
    [
        ("hiapi", "f" * 32),
        ("muapi", TOKEN),
        ("nobody", TOKEN),
        ("hiapi", TOKEN.upper()),
        ("hiapi", ""),
        ("hiapi", "é" * 32),
    ],
)
async def test_what_names_no_order_of_that_provider_is_unknown(ear: Ear, provider: str, token: str) -> None:
    assert await ear.hear(b'{"task": "tk-1"}', provider, token) is Heard.UNKNOWN
    assert (await ear.evidence(), ear.called) == ([], [])


@pytest.mark.row("F45")
@pytest.mark.parametrize("token", [TOKEN, "f" * 32])
async def test_who_cannot_sign_learns_nothing_about_tokens(ear: Ear, token: str) -> None:
    assert await ear.hear(b"forged", token=token) is Heard.NOT_GENUINE
    assert (await ear.evidence(), ear.called) == ([], [])


@pytest.mark.parametrize("body", [b"", b"[[[", b'{"task": "' + b"x" * 300 + b'"}', b'{"task": "a\\nb"}'])
async def test_a_call_that_names_no_possible_task_is_still_a_reason_to_look(ear: Ear, body: bytes) -> None:
    assert await ear.hear(body) is Heard.TAKEN
    assert [one.value for one in await ear.evidence()] == [""]
    assert len(ear.called) == 1


async def test_so_many_calls_of_one_order_are_written_down_and_no_more(ear: Ear) -> None:
    for number in range(MOST_CALLS + 10):
        assert await ear.hear(b'{"task": "tk-%d"}' % number) is Heard.TAKEN
    assert len(await ear.evidence()) == len(ear.called) == MOST_CALLS


@pytest.mark.jobs_set_by_hand(reason="ordered again without what that means for the money")
async def test_a_late_call_about_an_order_that_was_replaced_is_to_come_again_while_its_task_runs(ear: Ear) -> None:
    """How it ended decides whether there is a clip that nobody knows of; until then nothing is on disk."""
    await ear.house.moved(ear.job, attempt=2, state=State.QUEUED)
    async with door(ear.callbacks) as http:
        answer = await http.post(f"/callbacks/hiapi/{TOKEN}", content=b'{"task": "tk-1"}')
    assert answer.status_code == 503
    assert (await ear.evidence(), ear.called) == ([], [])


@pytest.mark.jobs_set_by_hand(reason="ordered again without what that means for the money")
async def test_a_late_call_that_names_no_task_is_written_down_and_nothing_else(ear: Ear) -> None:
    await ear.house.moved(ear.job, attempt=2, state=State.QUEUED)
    assert await ear.hear(b"{}") is Heard.TAKEN
    assert [(one.attempt, one.value) for one in await ear.evidence()] == [(1, "")]
    assert ear.called == []


# --- the door --------------------------------------------------------------------------------------------------------


async def nothing(scope: object, receive: object, send: object) -> None:
    raise AssertionError("the call went elsewhere")


def door(callbacks: Callbacks) -> httpx.AsyncClient:
    site: ASGIApp = Site(exact={}, under={PREFIX: CallbackEndpoint(callbacks)}, otherwise=nothing)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=site), base_url="http://dailies")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", f"/callbacks/hiapi/{TOKEN}", b"{}", 200),
        ("POST", f"/callbacks/hiapi/{TOKEN}", b"forged", 401),
        ("POST", f"/callbacks/muapi/{TOKEN}", b"{}", 404),
        ("POST", f"/callbacks/hiapi/{TOKEN}/", b"{}", 404),
        ("POST", f"/callbacks/hiapi%2F{TOKEN}", b"{}", 404),
        ("POST", "/callbacks/", b"{}", 404),
        ("GET", f"/callbacks/hiapi/{TOKEN}", b"", 405),
        ("POST", f"/callbacks/hiapi/{TOKEN}", b"x" * 1_000_001, 413),
    ],
)
async def test_the_door_answers_by_status_alone(ear: Ear, method: str, path: str, body: bytes, status: int) -> None:
    async with door(ear.callbacks) as http:
        answer = await http.request(method, path, content=body)
    assert (answer.status_code, answer.content) == (status, b"")
    assert len(await ear.evidence()) == (1 if status == 200 else 0)


async def test_a_call_that_cannot_be_written_down_is_to_be_sent_again(
    ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy() -> object:
        raise StorageBusy("locked")

    async with door(ear.callbacks) as http:
        with monkeypatch.context() as patch:
            patch.setattr(ear.house.storage, "begin", busy)
            assert (await http.post(f"/callbacks/hiapi/{TOKEN}", content=b"{}")).status_code == 503
        assert (await http.post(f"/callbacks/hiapi/{TOKEN}", content=b"{}")).status_code == 200
    assert len(ear.called) == 1
