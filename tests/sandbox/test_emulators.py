"""What holds of every emulated provider, each in its own words: what is charged, how a task may end, what may go wrong
on the way, and what becomes of callbacks."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.sandbox.clients import CLIENTS, Client, EmpirioLabsClient, HiAPIClient, MuapiClient, connected
from tests.support.backstage import Ear

PLENTY = 10_000_000_000
EMPTY: dict[type[Client], object] = {MuapiClient: ""}
"""What an empty list of links looks like where a link stands by itself."""


@pytest.fixture(params=CLIENTS, ids=lambda one: one.NAME)
async def client(request: pytest.FixtureRequest, data: Path) -> AsyncIterator[Client]:
    """A client of each provider."""
    async with connected(request.param, data) as client:
        yield client


calling = pytest.mark.parametrize(
    "client", [one for one in CLIENTS if one is not EmpirioLabsClient], ids=lambda one: one.NAME, indirect=True
)
"""The test is about those that call back."""


# --- money -----------------------------------------------------------------------------------------------------------


async def test_money_runs_out_and_can_be_topped_up(client: Client) -> None:
    await client.begin()
    price = (await client.charges())[0]["micro_usd"]
    assert await client.stage.balance(client.NAME) == PLENTY - price
    await client.settings(balance=1.5 * price / 1_000_000)
    await client.begin()
    assert (await client.create()).status_code == 402
    (await client.stage.control.post(f"/{client.NAME}/top_up", json={"usd": 1})).raise_for_status()
    await client.begin()
    assert [charge["micro_usd"] for charge in await client.charges()] == [price] * 3
    assert await client.stage.balance(client.NAME) == round(1.5 * price) + 1_000_000 - 2 * price


async def test_a_failed_task_is_refunded_unless_its_money_is_kept(client: Client) -> None:
    for reason in ("policy", "face", "timeout"):
        client.outcome("fail", reason=reason)
        data = await client.finished()
        assert client.word_of(data) == client.FAILED
    assert {charge["status"] for charge in await client.charges()} == {"refunded"}
    assert await client.stage.balance(client.NAME) == PLENTY
    client.outcome("fail", refund=False, message="no luck")
    assert "no luck" in json.dumps(await client.finished())
    assert (await client.charges())[-1]["status"] == "settled"


@pytest.mark.parametrize(("phase", "charges"), [("before", 0), ("amid", 1)])
async def test_a_server_error_is_charged_or_not_as_its_phase_says(client: Client, phase: str, charges: int) -> None:
    client.fault("create", phase, "status", status=503)
    assert (await client.create()).status_code == 503
    assert len(await client.charges()) == charges


async def test_an_answer_may_be_lost_after_the_charge(client: Client) -> None:
    client.fault("create", "amid", "reset")
    with pytest.raises(httpx.ReadError):
        await client.create()
    assert len(await client.charges()) == 1


async def test_settings_that_make_no_sense_are_refused(client: Client) -> None:
    for changes in ({"render_seconds": [5, 1]}, {"fidelity": "low"}, {"colour": 1}, {"balance": -1}):
        answer = await client.stage.settings(client.NAME, **changes)
        assert answer.status_code == 400
        assert next(iter(changes)) in answer.json()["error"]


# --- how a task ends -------------------------------------------------------------------------------------------------


async def test_a_foreign_word_stands_while_the_task_is_at_work(client: Client) -> None:
    await client.finished()  # so that the encode is no part of what is measured
    await client.settings(render_seconds=0.5)
    client.outcome("unknown_status", word="REVIEWING")
    task_id = await client.begin()
    assert client.word_of(await client.read(task_id)) == "REVIEWING"
    assert client.link_of(await client.until(task_id, client.DONE)).startswith("http")


async def test_a_task_may_go_back_and_forth(client: Client) -> None:
    client.outcome("regress")
    task_id = await client.begin()
    seen = [client.word_of(await client.until(task_id, client.DONE))]
    seen += [client.word_of(await client.read(task_id)) for _ in range(2)]
    assert seen == [client.DONE, client.AT_WORK, client.DONE]


async def test_success_may_come_before_its_link(client: Client) -> None:
    for how, shape in (("missing", "none"), ("null", None), ("empty", EMPTY.get(type(client), []))):
        client.outcome("success_without_url", output=how, reads=1)
        first = await client.finished()
        assert client.outputs_of(first) == shape, how
        assert client.link_of(await client.read(client.id_of(first))).startswith("http")


async def test_a_lost_task_is_charged_and_never_found(client: Client) -> None:
    client.outcome("lost")
    assert (await client.status(await client.begin())).status_code == 404
    assert len(await client.charges()) == 1


async def test_a_task_may_be_visible_only_later(client: Client) -> None:
    client.outcome("late_visible", seconds=0.3)
    task_id = await client.begin()
    assert (await client.status(task_id)).status_code == 404
    await asyncio.sleep(0.35)
    assert (await client.status(task_id)).status_code == 200


async def test_ids_may_come_twice_and_so_may_bills(client: Client) -> None:
    first = await client.begin()
    client.outcome("repeat_id")
    assert await client.begin() == first
    assert len({charge["task_id"] for charge in await client.charges()}) == 2
    client.outcome("bill_double")
    doubled = await client.begin()
    assert [charge["task_id"] for charge in await client.charges()][2:] == [doubled] * 2


async def test_a_link_lives_as_long_as_it_is_set(client: Client) -> None:
    await client.settings(expire_seconds=0.2)
    link = client.link_of(await client.finished())
    assert (await client.http.get(link)).status_code == 200
    await asyncio.sleep(0.25)
    assert (await client.http.get(link)).status_code == 403


# --- callbacks -------------------------------------------------------------------------------------------------------


@calling
async def test_a_callback_bears_the_task_as_a_read_gives_it_until_it_is_taken(client: Client, ear: Ear) -> None:
    """Of a failed task too. HiAPI sends it without the envelope of an answer. Nothing is signed without a key."""
    ear.answers = [500, 503]
    task_id = await client.begin(**client.told_at(ear.url))
    told = await ear.wait(3)
    read = (await client.status(task_id)).json()
    expected = read["data"] if isinstance(client, HiAPIClient) else read
    assert [json.loads(body) for _, body in told] == [expected] * 3
    assert (await client.stage.requests(client.NAME))["callback"] == 3
    assert not [name for name in told[0][0] if "sign" in name.lower()]
    client.outcome("fail")
    failed = await client.begin(**client.told_at(ear.url))
    data = client.data_of(json.loads((await ear.wait(4))[3][1]))
    assert (client.id_of(data), client.word_of(data)) == (failed, client.FAILED)


@calling
async def test_a_callback_is_signed_by_hiapi_alone(client: Client, ear: Ear) -> None:
    await client.settings(webhook_secret="s3cret-s3cret-s3cret")
    await client.begin(**client.told_at(ear.url))
    ((headers, _),) = await ear.wait(1)
    assert any("signature" in name.lower() for name in headers) is isinstance(client, HiAPIClient)


@calling
async def test_callbacks_may_be_lost_early_many_and_forged(client: Client, ear: Ear) -> None:
    client.fault("callback", "do", "lose")
    lost = await client.finished(**client.told_at(ear.url))
    client.fault("callback", "do", "early")
    early = await client.begin(**client.told_at(ear.url))
    assert [client.id_of(client.data_of(json.loads(body))) for _, body in ear.heard] == [early]
    rule = {"point": f"{client.NAME}:callback", "phase": "do", "action": {"kind": "duplicate", "times": 5}}
    client.stage.faults.add(rule)
    await client.begin(**client.told_at(ear.url))
    await ear.wait(6)
    await client.settings(render_seconds=0.3)
    client.fault("callback", "do", "forge", url="http://evil.example/x.mp4")
    await client.begin(**client.told_at(ear.url))
    forged, true = [client.data_of(json.loads(body)) for _, body in (await ear.wait(8))[6:]]
    assert (client.word_of(forged), client.link_of(forged)) == (client.DONE, "http://evil.example/x.mp4")
    assert (client.id_of(forged), "/outputs/" in client.link_of(true)) == (client.id_of(true), True)
    assert all(client.id_of(lost) not in body.decode() for _, body in ear.heard)


# --- the back door ---------------------------------------------------------------------------------------------------


async def test_the_back_door_shows_requests_as_they_came_without_the_key(client: Client) -> None:
    task_id = await client.begin()
    (task,) = await client.stage.tasks(client.NAME)
    assert task["id"] == task_id == client.id_of(client.data_of(task["answer"]))
    assert "a red panda" in json.dumps(json.loads(task["body"]))
    assert not {"authorization", "x-api-key"} & {name.lower() for name in task["headers"]}
    assert (await client.stage.requests(client.NAME))["create"] == 1
    json.dumps(client.stage.providers.snapshot()[client.NAME])
