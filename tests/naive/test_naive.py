"""The judgement bites: what passes with Dailies is found broken with a bot as it is written on a first day."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from tests.faults.caps import every_cap
from tests.faults.company import Company, company_at
from tests.faults.scripts import Fault, Script
from tests.naive.compare import NAIVE, NAIVE_PATIENCE, played, still_at_work
from tests.support.verdict import Column

pytestmark = [pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def naive(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Company]:
    """The naive bot, which has said within a few seconds all that it will ever say."""
    async with company_at(tmp_path_factory.mktemp("naive"), NAIVE, ours=False, patience=6.0) as playing:
        yield playing


@pytest.mark.parametrize("takes", [pytest.param(1, marks=pytest.mark.storm), 2])
async def test_where_nothing_goes_wrong_it_does_as_well(
    naive: Company, takes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Here it is not to run out of time: on a busy machine it renders and renders.
    monkeypatch.setattr(naive, "patience", 60.0)
    shown = await naive.play(Script(name=f"nothing, {takes} takes", family="kills", provider="muapi", takes=takes))
    assert shown.verdict.clean, shown.verdict.broken


@pytest.mark.parametrize(
    ("fault", "column"),
    [
        pytest.param(Fault("create", "amid", "status", {"status": 502}), Column.DOUBLE_CHARGES),
        pytest.param(
            Fault("download", "before", "status", {"status": 503}), Column.LOST_CLIPS, marks=pytest.mark.storm
        ),
        pytest.param(Fault("slack:chat.postMessage", "amid", "reset"), Column.DOUBLE_POSTS, marks=pytest.mark.storm),
        pytest.param(Fault("get", "amid"), Column.SILENT_ENDS),
    ],
    ids=["502 after billing", "503 at the download", "a card's answer lost", "killed"],
)
async def test_what_goes_wrong_once_breaks_a_promise(naive: Company, fault: Fault, column: Column) -> None:
    death = fault.kind == "kill"
    script = Script(
        name=fault.name,
        family="kills",
        provider="muapi",
        deaths=(fault,) if death else (),
        faults=() if death else (fault,),
    )
    assert (await naive.play(script)).verdict.count(column) > 0


@pytest.mark.storm
async def test_where_there_is_money_for_one_it_pays_for_three(naive: Company) -> None:
    caps = next(script for script in every_cap() if script.provider == "muapi")
    shown = await naive.play(replace(caps, name="a cap, and no death", deaths=()))
    assert shown.verdict.count(Column.OVER_A_CAP) > 0


@pytest.mark.storm
@pytest.mark.timeout(400)
@pytest.mark.asyncio(loop_scope="function")
async def test_an_order_that_hangs_is_not_judged_before_it_is_over(tmp_path: Path) -> None:
    """What shows is the second charge, after the first order has hung to its deadline; and the card's last word."""
    hanging = Script(name="hangs", family="rows", provider="muapi", faults=(Fault("create", "amid", "hang"),))
    async with company_at(tmp_path, NAIVE, ours=False) as company:
        record = await played(
            company, [hanging], "naive", patience=NAIVE_PATIENCE, at_work=lambda: still_at_work(tmp_path)
        )
    (outcome,) = record.outcomes
    assert Column.DOUBLE_CHARGES in outcome.broken
    assert Column.SILENT_ENDS not in outcome.broken
