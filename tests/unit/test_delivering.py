"""How a share is waited for: long enough to stand when Slack is late, and no longer, whatever the wall clock says."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from bot.domain.events import Accepted, Rendered, Stored, SubmitIntended
from bot.domain.job import Job, State
from bot.domain.patience import SHARE_WAIT
from bot.ports import ChatUnknown, ClipPost, MessageGone, OrderAccepted, Share, Slot
from bot.services.bench import Later
from bot.services.delivering import Delivering
from tests.support.ordering import Desk, desk
from tests.support.workbench import Body

HOUR = timedelta(hours=1)


@dataclass
class Slack:
    """Takes files, and never says what became of a share."""

    completed: bool = False
    stands: bool = False
    deleted: list[str] = field(default_factory=list)

    async def reserve(self, post: ClipPost, size: int) -> Slot:
        return Slot(url="https://slack.example/upload", file_id="F1")

    async def send(self, slot: Slot, size: int, chunks: AsyncIterator[bytes]) -> None:
        assert len(b"".join([chunk async for chunk in chunks])) == size

    async def share(self, file_id: str, post: ClipPost) -> None:
        raise ChatUnknown("timeout")

    async def find_share(self, file_id: str, channel: str) -> Share | None:
        if not self.completed:
            raise MessageGone("file_not_found")
        return Share(message_ts="2.0", public=True) if self.stands else None

    async def delete_file(self, file_id: str) -> None:
        self.deleted.append(file_id)


async def sent(one: Desk, slack: Slack) -> Delivering:
    """The clip is on its way into the thread, and nobody knows how far it came."""
    bench = replace(one.ordering.bench, chat=slack)  # type: ignore[arg-type] # a share asks no more of a chat
    stored = await bench.clips.put("T1", Body(b"a clip"), limit_bytes=100)
    job = await one.job()
    for event in (
        SubmitIntended(),
        Accepted(task_id="tk-1"),
        Rendered(url="https://clip.example", expires_at=one.clock.now() + HOUR, cost_micro_usd=None),
        Stored(key=stored.key, sha256=stored.sha256, size=stored.size),
    ):
        job = await bench.moves.move(job, bench.ownership, event)

    async def promote(job: Job, person: str) -> None:
        raise AssertionError("nobody reacted")

    delivering = Delivering(bench=bench, promote=promote)
    assert isinstance(await delivering.deliver(job, await one.ask()), Later)
    return delivering


async def looked(one: Desk, delivering: Delivering) -> Job:
    """As it is after another look."""
    await delivering.deliver(await one.job(), await one.ask())
    return await one.job()


@pytest.mark.row("F65", "F88")
@pytest.mark.parametrize("step", [HOUR, -HOUR, timedelta()])
@pytest.mark.parametrize("completed", [False, True])
async def test_a_stepped_clock_makes_no_share_wait_shorter_or_longer(step: timedelta, completed: bool) -> None:
    async with desk(OrderAccepted(task_id="tk-1")) as one:
        slack = Slack(completed=completed)
        delivering = await sent(one, slack)
        one.clock.step(one.clock.now() + step)
        one.clock.advance(1.0)
        assert (await looked(one, delivering)).file_id == "F1", "it may appear yet"

        one.clock.advance(SHARE_WAIT.total_seconds())
        assert (await looked(one, delivering)).file_id is None, "it is sent again"
        assert slack.deleted == (["F1"] if completed else [])
        assert delivering._looked_since == {}


async def test_a_share_that_is_late_stands_once() -> None:
    async with desk(OrderAccepted(task_id="tk-1")) as one:
        slack = Slack()
        delivering = await sent(one, slack)
        one.clock.step(one.clock.now() + HOUR)
        await looked(one, delivering)
        slack.completed = slack.stands = True
        job = await looked(one, delivering)
        assert (job.state, job.file_id, job.message_ts) == (State.DELIVERED, "F1", "2.0")


async def test_after_a_restart_a_share_is_given_the_same_time_again() -> None:
    """A clock that was set while we were down says nothing about how long ago it was asked for."""
    async with desk(OrderAccepted(task_id="tk-1")) as one:
        slack = Slack()
        before = await sent(one, slack)
        one.clock.advance(60.0)
        delivering = replace(before, _looked_since={})
        assert (await looked(one, delivering)).file_id == "F1"
        one.clock.advance(5.0)
        assert (await looked(one, delivering)).file_id is None


async def test_a_share_that_slack_took_and_dropped_does_not_count_as_standing() -> None:
    """Nothing of the file stands, however long ago it was taken: the clip is not delivered, and is sent again."""
    async with desk(OrderAccepted(task_id="tk-1")) as one:
        slack = Slack(completed=True)
        delivering = await sent(one, slack)
        one.clock.advance(SHARE_WAIT.total_seconds() - 1.0)
        job = await looked(one, delivering)
        assert (job.state, job.file_id) == (State.DELIVERING, "F1"), "nothing stands, and it may appear yet"

        one.clock.advance(1.0)
        job = await looked(one, delivering)
        assert (job.state, job.file_id, job.message_ts) == (State.DELIVERING, None, None)


async def test_a_file_that_did_not_appear_is_deleted_before_it_is_sent_again() -> None:
    async with desk(OrderAccepted(task_id="tk-1")) as one:
        slack = Slack(completed=True)
        delivering = await sent(one, slack)
        one.clock.advance(SHARE_WAIT.total_seconds() - 1.0)
        await looked(one, delivering)
        assert slack.deleted == [], "it may appear yet"

        one.clock.advance(1.0)
        await looked(one, delivering)
        assert slack.deleted == ["F1"], "a late share cannot stand beside the next"


async def test_slack_is_asked_whether_a_share_stands_before_it_is_sent_again() -> None:
    """The answer was lost, and the share stands: however late that is looked at, it is found."""
    async with desk(OrderAccepted(task_id="tk-1")) as one:
        slack = Slack(completed=True)
        delivering = await sent(one, slack)
        slack.stands = True
        one.clock.advance(SHARE_WAIT.total_seconds())
        job = await looked(one, delivering)
        assert (job.state, job.file_id, job.message_ts, slack.deleted) == (State.DELIVERED, "F1", "2.0", [])
