"""What a callback says of an order, and how far it is believed."""

import json
import re

import pytest

from bot.domain.job import EvidenceKind, State
from bot.ports import (
    OrderAccepted,
    TaskMissing,
    TaskReport,
    TaskUnreadable,
)
from bot.services.bench import Later
from bot.services.moving import evidence_of
from tests.support.ordering import (
    LOST,
    TAKEN,
    Desk,
    desk,
)

# --- callbacks -------------------------------------------------------------------------------------------------------


async def called(one: Desk, task_id: str) -> None:
    """Somebody who has the order's token speaks of that task."""
    async with one.storage.begin() as tx:
        job = await tx.jobs.job("T1", one.job_id)
        await tx.jobs.add_evidence(evidence_of(job, EvidenceKind.CALLED, task_id, one.clock))


async def test_an_order_says_where_its_end_may_be_told_and_no_two_say_the_same() -> None:
    async with desk(TAKEN, OrderAccepted(task_id="tk-2")) as one:
        await one.submit()
        await one.order(await one.another("U2", "command:2"))

        urls = [json.loads(order.body)["callback"]["url"] for order in one.provider.orders]
        assert all(re.fullmatch(r"https://dailies\.example/callbacks/hiapi/[0-9a-f]{32}", url) for url in urls)
        assert len(set(urls)) == 2


async def test_a_lost_answer_is_found_by_a_callback_and_adopted_when_the_provider_has_the_task() -> None:
    async with desk(LOST, idempotent=False) as one:
        uncertain = await one.submit()
        assert uncertain.state is State.UNCERTAIN
        await called(one, "tk-7")

        await one.submitting.watch(await one.job(), await one.ask())

        job = await one.job()
        assert (job.state, job.task_id) == (State.RENDERING, "tk-7")
        assert one.provider.looked == ["tk-7"]
        assert len(one.provider.orders) == 1


@pytest.mark.row("F38")
async def test_a_callback_before_the_end_of_an_order_spares_it_from_being_uncertain() -> None:
    async with desk(LOST, idempotent=False) as one:
        await one.ordering._intend(await one.job(), (await one.job()).recipe)
        await called(one, "tk-7")

        job = await one.resolve()

        assert (job.state, job.task_id) == (State.RENDERING, "tk-7")
        assert one.provider.orders == []


@pytest.mark.parametrize("report", [TaskMissing(), TaskUnreadable(why="HTTP 500")])
async def test_a_task_that_the_provider_does_not_show_us_is_not_adopted(report: TaskReport) -> None:
    async with desk(LOST, idempotent=False) as one:
        await one.submit()
        one.provider.report = report
        await called(one, "forged")

        later = await one.submitting.watch(await one.job(), await one.ask())

        assert (await one.job()).state is State.UNCERTAIN
        assert later == Later(seconds=3.0)
        one.clock.advance(120)
        assert await one.submitting.watch(await one.job(), await one.ask()) == Later(seconds=60.0)


async def test_a_task_of_another_clip_is_never_adopted_whoever_speaks_of_it() -> None:
    async with desk(TAKEN, LOST, idempotent=False) as one:
        await one.submit()
        second = await one.another("U2", "command:2")
        await one.order(second)
        one.job_id = second.id
        await called(one, "tk-1")

        await one.submitting.watch(await one.job(), await one.ask())

        assert ((await one.job()).state, one.provider.looked) == (State.UNCERTAIN, [])
