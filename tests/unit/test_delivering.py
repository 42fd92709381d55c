"""How a share is waited for: long enough to stand when Slack is late, and no longer, whatever the wall clock says."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from bot.domain.events import Accepted, Rendered, Stored, SubmitIntended
from bot.domain.job import Job, State
from bot.domain.patience import SHARE_WAIT
from bot.ports import ChatError, ChatUnknown, ClipPost, MessageGone, OrderAccepted, Share, Slot
from bot.services.bench import Later
from bot.services.delivering import Delivering
from tests.support.ordering import SENDER, Desk, desk
from tests.support.workbench import Body

HOUR = timedelta(hours=1)


@dataclass
class Slack:
    """Takes files, and never says what became of a share."""

    completed: bool = False
    stands: bool = False
    full: bool = False
    """It takes no file now."""
    deleted: list[str] = field(default_factory=list)
    reserved: int = 0
    takes: Callable[[], None] = lambda: None
    """Is called while it makes up its mind about a share."""

    async def reserve(self, post: ClipPost, size: int) -> Slot:
        self.reserved += 1
        if self.full:
            raise ChatError("ratelimited")
        return Slot(url="https://slack.example/upload", file_id="F1")

    async def send(self, slot: Slot, size: int, chunks: AsyncIterator[bytes]) -> None:
        assert len(b"".join([chunk async for chunk in chunks])) == size

    async def share(self, file_id: str, post: ClipPost) -> None:
        self.takes()
        raise ChatUnknown("timeout")

    async def find_share(self, file_id: str, channel: str) -> Share | None:
        if not self.completed:
            raise MessageGone("file_not_found")
        return Share(message_ts="2.0", public=True) if self.stands else None

    async def delete_file(self, file_id: str) -> None:
        self.deleted.append(file_id)


async def stored(one: Desk, slack: Slack) -> Delivering:
    """The clip is ours, and Slack has nothing of it."""
    bench = replace(one.ordering.bench, chat=slack)  # type: ignore[arg-type] # a share asks no more of a chat
    stored = await bench.clips.put("T1", Body(b"a clip"), limit_bytes=100)
    job = await one.job()
    for event in (
        SubmitIntended(),
        Accepted(task_id="tk-1"),
        Rendered(url="https://clip.example", expires_at=one.clock.now() + HOUR, cost_micro_usd=None),
        Stored(key=stored.key, sha256=stored.sha256, size=stored.size),
    ):
        job = await bench.move(job, event)

    async def promote(job: Job, person: str) -> None:
        raise AssertionError("nobody reacted")

    return Delivering(bench=bench, promote=promote)


async def sent(one: Desk, slack: Slack) -> Delivering:
    """The clip is on its way into the thread, and nobody knows how far it came."""
    delivering = await stored(one, slack)
    assert isinstance(await delivering.deliver(await one.job(), await one.ask()), Later)
    return delivering


async def looked(one: Desk, delivering: Delivering) -> Job:
    """As it is after another look."""
    await delivering.deliver(await one.job(), await one.ask())
    return await one.job()


async def test_a_clip_whose_thread_has_no_root_waits_for_the_card_that_becomes_it() -> None:
    """The root may have been the card of another ask, which posts no other: then this ask's own is posted anew."""
    async with desk(OrderAccepted(task_id="tk-1")) as one:
        slack = Slack()
        delivering = await stored(one, slack)
        job = await one.job()
        async with one.storage.begin() as tx:
            await tx.jobs.thread_gone("T1", job.ask_id, "1.0")
            await tx.jobs.card_drawn("T1", job.ask_id, (await tx.jobs.ask("T1", job.ask_id)).version)
        await looked(one, delivering)
        assert await one.stale(job) == [job]
        async with one.storage.begin() as tx:
            await tx.jobs.card_posted("T1", job.ask_id, "4.0", 1)
        job = await looked(one, delivering)
        assert (job.file_id, (await one.ask()).root_ts) == ("F1", "4.0")


async def test_a_clip_that_is_to_stop_is_kept_before_slack_is_asked_for_anything() -> None:
    async with desk(OrderAccepted(task_id="tk-1")) as one:
        slack = Slack()
        delivering = await stored(one, slack)
        await one.presses.cancel(replace(SENDER, key="x1"), (await one.job()).ask_id)
        job = await looked(one, delivering)
        assert (job.state, job.clip_key is not None, slack.reserved) == (State.CANCELLED, True, 0)


async def test_a_clip_that_was_to_stop_is_sent_when_somebody_wants_it_after_all() -> None:
    async with desk(OrderAccepted(task_id="tk-1")) as one:
        slack = Slack()
        delivering = await stored(one, slack)
        await one.presses.cancel(replace(SENDER, key="x1"), (await one.job()).ask_id)
        await one.presses.deliver_again(replace(SENDER, key="d1"), one.job_id)
        job = await looked(one, delivering)
        assert (job.state, job.file_id, job.cancel_by) == (State.DELIVERING, "F1", None)


async def test_who_asks_to_stop_while_a_clip_is_sent_again_is_heard_when_that_fails() -> None:
    async with desk(OrderAccepted(task_id="tk-1")) as one:
        slack = Slack()
        delivering = await stored(one, slack)
        await one.presses.deliver_again(replace(SENDER, key="d1", person="U2"), one.job_id)
        job, ask = await one.job(), await one.ask()
        await one.presses.cancel(replace(SENDER, key="x1"), job.ask_id)
        slack.full = True
        await delivering.deliver(job, ask)
        assert ((await one.job()).state, (await one.job()).cancel_by) == (State.DELIVERING, "U1")
        slack.full = False
        assert (await looked(one, delivering)).state is State.CANCELLED


async def test_who_asks_once_more_to_stop_while_a_clip_is_sent_again_has_it_kept() -> None:
    async with desk(OrderAccepted(task_id="tk-1")) as one:
        slack = Slack()
        delivering = await stored(one, slack)
        ask_id = (await one.job()).ask_id
        await one.presses.cancel(replace(SENDER, key="x1"), ask_id)
        await one.presses.deliver_again(replace(SENDER, key="d1", person="U2"), one.job_id)
        job, ask = await one.job(), await one.ask()
        await one.presses.cancel(replace(SENDER, key="x2"), ask_id)
        await delivering.deliver(job, ask)
        assert ((await one.job()).state, slack.deleted) == (State.CANCELLED, ["F1"])


@pytest.mark.parametrize("cancelled_before", [False, True])
async def test_of_a_press_on_deliver_again_and_one_on_cancel_the_later_holds(cancelled_before: bool) -> None:
    """Also where both come before the next look at the job."""
    async with desk(OrderAccepted(task_id="tk-1")) as one:
        slack = Slack()
        delivering = await stored(one, slack)
        ask_id = (await one.job()).ask_id
        if cancelled_before:
            await one.presses.cancel(replace(SENDER, key="x1"), ask_id)
        await one.presses.deliver_again(replace(SENDER, key="d1", person="U2"), one.job_id)
        await one.presses.cancel(replace(SENDER, key="x2"), ask_id)
        job = await looked(one, delivering)
        assert (job.state, job.cancel_by, slack.reserved) == (State.CANCELLED, "U1", 0)


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
        assert slack.deleted == ["F1"]
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


async def test_a_share_is_waited_for_from_when_slack_was_given_up() -> None:
    """It was asked for long ago by then. Slack knows of no file yet, and has it stand a little later."""
    async with desk(OrderAccepted(task_id="tk-1")) as one:
        slack = Slack(takes=lambda: one.clock.advance(SHARE_WAIT.total_seconds()))
        delivering = await sent(one, slack)
        for _ in range(4):
            one.clock.advance(SHARE_WAIT.total_seconds() / 5)
            assert (await looked(one, delivering)).file_id == "F1", "it may appear yet"
        slack.completed = slack.stands = True
        job = await looked(one, delivering)
        assert (job.state, job.file_id, slack.reserved, slack.deleted) == (State.DELIVERED, "F1", 1, [])


async def test_a_file_that_slack_does_not_know_is_deleted_before_it_is_sent_again() -> None:
    """It may learn of it later than anybody waits, and then nothing may come of it."""
    async with desk(OrderAccepted(task_id="tk-1")) as one:
        slack = Slack()
        delivering = await sent(one, slack)
        one.clock.advance(SHARE_WAIT.total_seconds())
        job = await looked(one, delivering)
        assert (job.file_id, job.trouble, slack.deleted) == (None, None, ["F1"])


async def test_after_a_restart_a_share_is_given_the_same_time_again() -> None:
    """A clock that was set while we were down says nothing about how long ago it was asked for."""
    async with desk(OrderAccepted(task_id="tk-1")) as one:
        slack = Slack()
        before = await sent(one, slack)
        one.clock.advance(60.0)
        delivering = replace(before, _looked_since={})
        assert (await looked(one, delivering)).file_id == "F1"
        one.clock.advance(SHARE_WAIT.total_seconds())
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
