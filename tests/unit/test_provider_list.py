"""What ``dailies providers`` prints: every provider's tiers as they are declared, prices with their date, and what the
database knows of each."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot import report
from bot.cli import _providers
from bot.domain.failure import Failure, FailureKind
from bot.domain.job import State, WaitReason
from bot.domain.outage import Outage
from bot.domain.pricing import PriceTable
from bot.domain.recipe import Resolution
from bot.ports import Credit, Provider
from bot.pretend import pretend_capabilities, pretend_prices
from bot.providers import apimart, hiapi, muapi
from bot.services.policy import Policy
from bot.settings import BadSetting, Settings
from storage import migrate, open_storage
from tests.contracts.records import put
from tests.support.services import RATES
from tests.support.values import a_job, at
from tests.support.vendors import Declared

TIERS = (muapi.capabilities(), *apimart.capabilities())


class Unlimited(Declared):
    """A provider whose key nothing limits."""

    async def balance(self) -> Credit | None:
        return Credit(micro_usd=None)


class Mute(Declared):
    """A provider that does not say now."""

    async def balance(self) -> Credit | None:
        return None


class Rich(Declared):
    """A provider that says what is left."""

    async def balance(self) -> Credit | None:
        return Credit(micro_usd=12_340_000)


async def printed(
    url: str, *, as_json: bool = True, balance: bool = False, keyed: tuple[str, ...] = (), **configured: Provider
) -> Any:
    text = await report.providers(
        url,
        tiers=(hiapi.capabilities(), *TIERS),
        configured=configured,
        keyed=(*configured, *keyed),
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
        "input_seconds": 0,
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
        "waiting_since": at(0).isoformat(),
        "paused_by": None,
        "paused_since": None,
    }
    text = await printed(url, as_json=False, hiapi=Declared(hiapi.capabilities()))
    assert (
        "hiapi: configured; 1 in flight, 0 queued, 0 uncertain; 2 waiting for it (out_of_credit) since 2026-11-20 "
        "21:30 UTC" in text
    )


async def test_a_paused_provider_is_said_to_be_paused_though_no_clip_waits_for_it(url: str) -> None:
    """All of them went elsewhere."""
    await migrate(url)
    outage = Outage(provider="hiapi", failure=Failure(kind=FailureKind.OUT_OF_CREDIT), since=at(0))
    async with open_storage(url, alone=False) as storage, storage.begin() as tx:
        await tx.outages.note(outage)
    (row, *_) = await printed(url, hiapi=Declared(hiapi.capabilities()))
    assert (row["health"]["paused_by"], row["health"]["paused_since"]) == ("out_of_credit", at(0).isoformat())
    text = await printed(url, as_json=False, hiapi=Declared(hiapi.capabilities()))
    assert (
        "hiapi: configured; paused (out_of_credit) since 2026-11-20 21:30 UTC; 0 in flight, 0 queued, 0 uncertain"
        in text
    )


async def test_a_key_that_is_not_used_is_told_from_none(url: str) -> None:
    rows = await printed(url, keyed=("muapi",), hiapi=Declared(hiapi.capabilities()))
    assert {row["name"]: (row["configured"], row["key"]) for row in rows} == {
        "hiapi": (True, True),
        "muapi": (False, True),
        "apimart": (False, False),
    }
    text = await printed(url, as_json=False, keyed=("muapi",), hiapi=Declared(hiapi.capabilities()))
    assert "muapi: has a key, but PROVIDERS does not name it; " in text
    assert "apimart: no key; " in text


async def test_balances_are_asked_only_when_wanted(url: str) -> None:
    """Declared fails whoever asks it for anything."""
    rows = await printed(url, hiapi=Declared(hiapi.capabilities()))
    assert rows[0]["balance_micro_usd"] is None
    (row, *_) = await printed(url, balance=True, hiapi=Rich(hiapi.capabilities()))
    assert row["balance_micro_usd"] == 12_340_000
    text = await printed(url, as_json=False, balance=True, hiapi=Rich(hiapi.capabilities()))
    assert "balance $12.34" in text


@pytest.mark.parametrize(("kind", "unlimited", "words"), [(Unlimited, True, "no limit"), (Mute, False, "not told")])
async def test_a_key_without_a_limit_is_told_from_a_question_without_an_answer(
    url: str, kind: type[Declared], unlimited: bool, words: str
) -> None:
    (row, *_) = await printed(url, balance=True, hiapi=kind(hiapi.capabilities()))
    assert (row["balance_micro_usd"], row["balance_unlimited"]) == (None, unlimited)
    text = await printed(url, as_json=False, balance=True, hiapi=kind(hiapi.capabilities()))
    assert f"balance {words}\n" in text


async def test_a_price_that_counts_the_given_video_says_so(url: str) -> None:
    apimarts = Declared(*apimart.capabilities())
    (row, *_) = await printed(url, apimart=apimarts)
    seconds = {one["video_input"]: one["input_seconds"] for one in row["tiers"][0]["prices"]}
    assert seconds == {False: 0, True: 15}
    assert "480p+video $0.0804 (and 15 s of it)" in await printed(url, as_json=False, apimart=apimarts)


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
        keyed=(),
        prices=pretend_prices({}),
        policy=Policy(),
        balance=True,
        as_json=False,
    )
    first = text.splitlines()[0]
    assert first.startswith("pretend-muapi: pretended by `dailies run`, without a key; nothing is charged; ")
    assert "no key" not in first.replace("without a key", "")
    assert "not used" not in text


async def test_the_command_shows_what_there_is_without_any_key_and_refuses_every_other_mistake(url: str) -> None:
    nothing = Settings(_env_file=None, database_url=url)
    assert "hiapi: no key" in await _providers(nothing, balance=False, as_json=False)
    mistaken = Settings(_env_file=None, database_url=url, hiapi_api_key="k", providers="hiapi,typo")
    with pytest.raises(BadSetting, match="PROVIDERS names typo"):
        await _providers(mistaken, balance=False, as_json=False)
    unused = Settings(_env_file=None, database_url=url, hiapi_api_key="k", apimart_api_key="k", providers="apimart")
    text = await _providers(unused, balance=False, as_json=False)
    assert text.startswith("apimart: configured; ")
    assert "hiapi: has a key, but PROVIDERS does not name it; " in text
