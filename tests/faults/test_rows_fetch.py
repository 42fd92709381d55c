"""The rows F52 to F61 of the fault matrix: from the provider's link to our disk."""

from dataclasses import replace

import pytest

from bot.domain.job import State
from bot.ports import LinkExpired, OrderAccepted, TaskFinished
from tests.support.links import WHOLE, Behind
from tests.unit.test_ordering import desk

pytestmark = pytest.mark.timeout(180)

storm = pytest.mark.storm

DEAD = LinkExpired("The link to cdn.example is dead.", "", status=403)


# --- F54: links that expired -----------------------------------------------------------------------------------------


@pytest.mark.row("F54")
async def test_f54_fresh_links_that_are_dead_too_are_asked_for_with_growing_gaps() -> None:
    """The first fresh one is fetched at once. A provider that signs every look anew and serves nothing is not asked
    more often for it."""
    async with desk(OrderAccepted(task_id="tk-1")) as one:
        await one.submit()
        behind = Behind(DEAD)
        fetching = replace(one.rendering, bench=replace(one.rendering.bench, fetcher=behind))
        waits: list[float] = []
        for number in range(50):
            one.provider.report = TaskFinished(url=f"https://cdn.example/{number}.mp4", expires_at=None)
            job = await one.job()
            step = fetching.poll if job.state is State.RENDERING else fetching.fetch
            await step(job, await one.ask())
            job = await one.job()
            waits.append((job.due_at - one.clock.now()).total_seconds())
            one.clock.advance(waits[-1])
        assert waits[:2] == [0, 0]
        assert waits[2:] == sorted(waits[2:])
        assert waits[2] > 0
        assert waits[-1] == 30.0

        behind._there = [WHOLE]
        await fetching.fetch(await one.job(), await one.ask())
        assert (await one.job()).state is State.DELIVERING
