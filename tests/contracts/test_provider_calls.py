"""``bot.ports.Provider`` on every adapter, over real connections: what goes out, how often, and that no answer and no
broken connection makes a call raise."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from urllib.parse import quote

import pytest

from bot.domain.capabilities import Callback
from bot.domain.failure import Failure, FailureKind
from bot.ports import OrderNotSent, OrderRefused, OrderUnknown, Provider, TaskFailed, TaskUnreadable
from bot.providers import _http
from tests.contracts.providers import everyone
from tests.faults.troubles import BODIES
from tests.support import loopback
from tests.support.adapters import KEY, Adapter
from tests.support.answers import BROKEN, UNREADABLE
from tests.support.loopback import answering, serving, silent, unused_port
from tests.support.values import a_recipe


@asynccontextmanager
async def speaking(
    adapter: Adapter, answer: loopback.Answer, suffix: str = ""
) -> AsyncIterator[tuple[Provider, loopback.Loopback]]:
    """The adapter and the server that it speaks to, which answers so; ``suffix`` ends the base address."""
    async with serving(answer) as server, adapter.at(server.origin + suffix) as provider:
        yield provider, server


@everyone
@pytest.mark.parametrize("versioned", [False, True])
@pytest.mark.parametrize("slash", ["", "/"])
async def test_an_order_goes_out_once_with_its_bytes(adapter: Adapter, versioned: bool, slash: str) -> None:
    """To a base address with the version and without. The key goes along where the provider knows what it is for."""
    suffix = (adapter.version if versioned else "") + slash
    async with speaking(adapter, answering(200, adapter.fixture("order_accepted")), suffix) as (provider, server):
        order = provider.order(a_recipe(), "j1-1")
        assert order == adapter.encode(a_recipe(), adapter.tiers[0])
        assert await provider.submit(order) == adapter.accepted
    (asked,) = server.asked
    assert (asked.method, asked.target, asked.body) == ("POST", adapter.version + adapter.orders, order.body)
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers.get("idempotency-key") == ("j1-1" if adapter.tiers[0].idempotency else None)


@everyone
async def test_every_order_has_a_fresh_connection_and_looks_share_one(adapter: Adapter) -> None:
    async with speaking(adapter, answering(200, adapter.fixture("order_accepted"))) as (provider, server):
        for _ in range(3):
            await provider.submit(provider.order(a_recipe(), "j1-1"))
        assert server.accepted == 3
        for _ in range(3):
            await provider.look(adapter.task_id)
        assert server.accepted == 4


@everyone
async def test_a_look_names_the_task_safely(adapter: Adapter) -> None:
    hostile = "a/../b?c#d&e=f"
    async with speaking(adapter, answering(200, adapter.fixture(adapter.done))) as (provider, server):
        assert await provider.look(hostile) == adapter.finished
    (asked,) = server.asked
    assert (asked.method, asked.target) == ("GET", adapter.version + adapter.looks.format(quote(hostile, safe="")))
    assert asked.headers["authorization"] == f"Bearer {KEY}"


@everyone
async def test_it_says_what_it_can_and_asks_for_nothing_else(adapter: Adapter) -> None:
    async with speaking(adapter, answering(200, b"{}")) as (provider, server):
        assert (provider.name, provider.capabilities) == (adapter.name, adapter.tiers)
        can = provider.capabilities[0]
        if not can.lists_tasks:
            assert await provider.look_at_all([adapter.task_id]) == {}
        if not can.cancel:
            assert await provider.cancel(adapter.task_id) is False
        if not can.balance:
            assert await provider.balance() is None
    assert server.accepted == 0


@everyone
async def test_a_callback_names_its_task_and_proves_nothing(adapter: Adapter) -> None:
    """No signing key is set here: a header that looks like a signature changes nothing."""
    async with adapter.at() as provider:
        if adapter.tiers[0].callback is Callback.UNSIGNED:
            assert adapter.callback is not None
            for headers in ({}, {"x-signature": "forged"}, {f"x-{adapter.name}-signature": "forged"}):
                assert provider.told(headers, adapter.fixture(adapter.callback)) == adapter.task_id
        else:
            assert provider.told({}, adapter.fixture(adapter.done)) is None, "it is from somebody else"
        for body in (*UNREADABLE, b"{}", b'{"data": null}', b'{"id": null}'):
            assert provider.told({}, body) is None


@everyone
async def test_a_key_that_is_repeated_in_an_answer_is_hidden(adapter: Adapter) -> None:
    words, hidden = f"the key {KEY} is not known", "the key [hidden] is not known"
    async with speaking(adapter, answering(401, BODIES[adapter.name](401, words))) as (provider, _):
        outcome = await provider.submit(provider.order(a_recipe(), "j1-1"))
        assert isinstance(outcome, OrderRefused)
        assert outcome.failure.kind is FailureKind.KEY_REFUSED
        assert outcome.failure.detail.startswith(hidden)
        assert KEY not in outcome.failure.detail
        assert await provider.check() == outcome.failure


@everyone
async def test_so_is_one_in_the_words_about_a_task(adapter: Adapter) -> None:
    words = {"message": f"the key {KEY} is not known"}
    async with speaking(adapter, answering(200, adapter.task(**adapter.broken(words)))) as (provider, _):
        report = await provider.look(adapter.task_id)
    assert isinstance(report, TaskFailed)
    assert report.failure.detail == "the key [hidden] is not known"


@everyone
@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
async def test_nothing_makes_a_call_raise_and_nothing_is_sent_again(
    adapter: Adapter, answer: loopback.Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    if answer is silent:
        monkeypatch.setattr(_http, "SUBMIT_DEADLINE", timedelta(seconds=0.1))
        monkeypatch.setattr(_http, "READ_DEADLINE_SECONDS", 0.1)
    async with speaking(adapter, answer) as (provider, server):
        await _call_everything(adapter, provider)
    # On a busy machine the shortened deadline may pass before a request arrives.
    assert answer is silent or tuple(asked.method for asked in server.asked) == adapter.requests
    assert len(server.asked) <= len(adapter.requests)
    assert sum(asked.method == "POST" for asked in server.asked) <= adapter.requests.count("POST")


async def _call_everything(adapter: Adapter, provider: Provider) -> None:
    """Each call of the port once, to a server of which nothing comes."""
    assert isinstance(await provider.submit(provider.order(a_recipe(), "j1-1")), OrderUnknown)
    assert isinstance(await provider.look(adapter.task_id), TaskUnreadable)
    assert await provider.look_at_all([adapter.task_id]) == {}
    assert await provider.cancel(adapter.task_id) is False
    assert await provider.balance() is None
    failure = await provider.check()
    assert failure is not None
    assert failure.kind is FailureKind.PROVIDER


@everyone
async def test_a_provider_that_is_away_was_sent_nothing(adapter: Adapter) -> None:
    async with adapter.at(f"http://127.0.0.1:{unused_port()}") as provider:
        assert await provider.submit(provider.order(a_recipe(), "j1-1")) == OrderNotSent(why="ConnectError")
        assert await provider.look(adapter.task_id) == TaskUnreadable(why="ConnectError")
        assert await provider.look_at_all([adapter.task_id]) == {}
        assert await provider.cancel(adapter.task_id) is False
        assert await provider.balance() is None
        away = Failure(kind=FailureKind.PROVIDER, detail="it cannot be reached (ConnectError)")
        assert await provider.check() == away
