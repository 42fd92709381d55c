"""What ``dailies providers`` prints: every provider's tiers as they are declared, prices with their date, and what the
database knows of each."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot import report
from bot.domain.failure import Failure, FailureKind
from bot.domain.job import State, WaitReason
from bot.domain.pricing import PriceTable
from bot.domain.recipe import Resolution
from bot.ports import Credit, Provider
from bot.pretend import pretend_capabilities, pretend_prices
from bot.providers import apimart, hiapi, muapi
from bot.services.policy import Policy
from storage import migrate, open_storage
from tests.contracts.records import put
from tests.support.services import RATES
from tests.support.values import a_job, at
from tests.support.vendors import Declared

TIERS = (muapi.capabilities(), *apimart.capabilities())


class Rich(Declared):
    """A provider that says what is left."""

    async def balance(self) -> Credit | None:
        return Credit(micro_usd=12_340_000)


async def printed(url: str, *, as_json: bool = True, balance: bool = False, **configured: Provider) -> Any:
    text = await report.providers(
        url,
        tiers=(hiapi.capabilities(), *TIERS),
        configured=configured,
        prices=PriceTable(RATES),
        policy=Policy(concurrency={"hiapi": 2}),
        balance=balance,
        as_json=as_json,
    )
    return json.loads(text) if as_json else text


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'dailies.db'}"


async def test_configured_providers_come_first_with_what_they_declare_and_ask(url: str) -> None:
    rows = await printed(url, hiapi=Declared(hiapi.capabilities()))
    first = rows[0]
    assert (first["name"], first["configured"], first["concurrency"], first["health"]) == ("hiapi", True, 2, None)
    assert {row["configured"] for row in rows[1:]} == {False}
    (tier,) = first["tiers"]
    assert tier["seconds"] == list(range(4, 16))
    assert tier["idempotency"] == {"seconds": 23 * 3600, "verified": True}
    assert tier["references"] == {"image": 9, "video": 3, "audio": 3}
    prices = {(one["resolution"], one["video_input"]): one for one in tier["prices"]}
    known = RATES["hiapi", "mini", Resolution.P480, False]
    assert prices["480p", False] == {
        "resolution": "480p",
        "video_input": False,
        "per_second_micro_usd": known.per_second_micro_usd,
        "as_of": known.as_of.isoformat(),
        "assumed": False,
    }
    assert prices["720p", True]["assumed"] is True


@pytest.mark.jobs_set_by_hand(reason="only their states are read")
async def test_clips_that_wait_for_a_provider_say_why_and_since_when(url: str) -> None:
    await migrate(url)
    waiting = a_job(
        State.WAITING, wait_reason=WaitReason.PROVIDER_CREDIT, failure=Failure(kind=FailureKind.OUT_OF_CREDIT)
    )
    async with open_storage(url, alone=False) as storage, storage.begin() as tx:
        await put(
            tx,
            waiting,
            replace(waiting, id="j2", number=2, updated_at=at(9)),
            a_job(State.RENDERING, id="j3", number=3, task_id="t"),
            a_job(State.WAITING, id="j4", number=4, wait_reason=WaitReason.CONFIRMATION),
        )
    (row, *_) = await printed(url, hiapi=Declared(hiapi.capabilities()))
    assert row["health"] == {
        "in_flight": 1,
        "queued": 0,
        "uncertain": 0,
        "waiting": 2,
        "paused_by": "out_of_credit",
        "waiting_since": at(0).isoformat(),
    }
    text = await printed(url, as_json=False, hiapi=Declared(hiapi.capabilities()))
    assert "hiapi: configured; paused (out_of_credit): 2 waiting since 2026-11-20 21:30 UTC" in text


async def test_balances_are_asked_only_when_wanted(url: str) -> None:
    """Declared fails whoever asks it for anything."""
    rows = await printed(url, hiapi=Declared(hiapi.capabilities()))
    assert rows[0]["balance_micro_usd"] is None
    (row, *_) = await printed(url, balance=True, hiapi=Rich(hiapi.capabilities()))
    assert row["balance_micro_usd"] == 12_340_000
    text = await printed(url, as_json=False, balance=True, hiapi=Rich(hiapi.capabilities()))
    assert "balance $12.34" in text


async def test_as_text_an_assumed_price_is_marked_and_every_tier_has_a_line(url: str) -> None:
    text = await printed(url, as_json=False, hiapi=Declared(hiapi.capabilities(), hiapi.standard_capabilities()))
    lines = text.splitlines()
    assert lines[0] == "hiapi: configured; nothing known: no database yet"
    assert "480p $0.08, " in lines[2]
    assert "480p $0.48*" in lines[3]
    assert "muapi: no key" in text
    assert "* assumed: no price is published" in text


async def test_pretend_providers_are_said_to_be_pretended_and_not_to_lack_a_key(url: str) -> None:
    text = await report.providers(
        url,
        tiers=pretend_capabilities((muapi.capabilities(),)),
        configured={},
        prices=pretend_prices({}),
        policy=Policy(),
        balance=True,
        as_json=False,
    )
    first = text.splitlines()[0]
    assert first.startswith("pretend-muapi: pretended by `dailies run`, without a key; nothing is charged; ")
    assert "no key" not in first.replace("without a key", "")
    assert "not used" not in text
