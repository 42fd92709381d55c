"""``/metrics`` shows what the rows say, and nothing when they cannot be read."""

import httpx
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette

from bot.domain.budget import Stage, UsageRow
from bot.domain.job import State
from bot.ports import StorageBusy
from bot.web.metrics import Figures, Read, metrics_route, render

ROW = UsageRow(
    workspace="T1",
    month="2026-11",
    channel="C1",
    person="U1",
    provider="hiapi",
    tier="mini",
    stage=Stage.DRAFT,
    held_micro_usd=320_000,
    settled_micro_usd=1_240_000,
    released_micro_usd=0,
    assumed_micro_usd=0,
    clips=3,
    as_final_micro_usd=1_800_000,
    compared_micro_usd=1_240_000,
    compared_clips=3,
)


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Name and label values, in the order of the labels' names, to figures."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_jobs_money_and_parts_are_shown_in_base_units_summed_over_channels_and_people() -> None:
    figures = Figures(
        jobs={("hiapi", State.RENDERING): 2, ("hiapi", State.DELIVERED): 40},
        usage=(ROW, ROW),
        up={"database": True, "slack": False},
    )

    shown = samples(render(figures).decode())

    assert shown["dailies_jobs", "hiapi", "rendering"] == 2
    assert shown["dailies_jobs", "hiapi", "delivered"] == 40
    assert shown["dailies_month_dollars", "held", "hiapi", "mini", "T1"] == 0.64
    assert shown["dailies_month_dollars", "spent", "hiapi", "mini", "T1"] == 2.48
    assert (shown["dailies_part_up", "database"], shown["dailies_part_up", "slack"]) == (1, 0)


async def answer(read: Read) -> httpx.Response:
    """What a scrape gets."""
    app = Starlette(routes=[metrics_route(read)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://bot") as client:
        return await client.get("/metrics")


async def test_a_scrape_gets_prometheus_text() -> None:
    async def read() -> Figures:
        return Figures(jobs={("hiapi", State.QUEUED): 1}, usage=(), up={})

    scraped = await answer(read)

    assert (scraped.status_code, scraped.headers["content-type"].split(";")[0]) == (200, "text/plain")
    assert samples(scraped.text)["dailies_jobs", "hiapi", "queued"] == 1


async def test_figures_that_cannot_be_read_are_not_made_up() -> None:
    async def read() -> Figures:
        raise StorageBusy("locked")

    scraped = await answer(read)

    assert (scraped.status_code, scraped.text) == (503, "not readable now: StorageBusy\n")
