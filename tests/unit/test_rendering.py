"""How tasks are asked about: one by one or by the list, at once when somebody called, and stopped where that is
possible."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.announcement import Topic
from bot.domain.audit import Act
from bot.domain.budget import EntryKind
from bot.domain.failure import Failure, FailureKind
from bot.domain.job import EvidenceKind, Job, State
from bot.domain.patience import KNOWN_TASK_GRACE, LOOKS_QUIET, TASK_GRACE
from bot.domain.trouble import Trouble
from bot.ports import (
    FetchError,
    LinkExpired,
    OrderAccepted,
    TaskFailed,
    TaskFinished,
    TaskMissing,
    TaskReport,
    TaskRunning,
    TaskUnreadable,
)
from bot.services.bench import Later
from bot.services.circuit import Lane
from bot.services.looking import Looking
from bot.services.rendering import Rendering
from tests.support.clock import SettableClock
from tests.support.links import WHOLE, Behind
from tests.support.ordering import Desk, desk
from tests.support.values import a_job, capabilities
from tests.support.vendors import Declared

GAP = timedelta(seconds=1)
STOPPED = Failure(kind=FailureKind.PROVIDER, detail="cancelled")


class Listing(Declared):
    """A provider with a list that tells of all tasks but those named ``unlisted``."""

    def __init__(self, *, lists: bool = True) -> None:
        super().__init__(capabilities(lists_tasks=lists))
        self.lists: list[tuple[str, ...]] = []
        self.looks: list[str] = []

    async def look(self, task_id: str) -> TaskReport:
        self.looks.append(task_id)
        return TaskRunning()

    async def look_at_all(self, task_ids: Sequence[str]) -> Mapping[str, TaskReport]:
        self.lists.append(tuple(task_ids))
        return {one: TaskRunning(odd="listed") for one in task_ids if not one.startswith("unlisted")}


def task(task_id: str) -> Job:
    return a_job(State.RENDERING, id=f"j-{task_id}", task_id=task_id)


async def test_one_list_in_a_gap_serves_all_who_ask_and_a_lone_task_needs_none() -> None:
    clock, provider = SettableClock(), Listing()
    looking = Looking(providers={"hiapi": provider}, clock=clock)
    await looking.look(task("a"), GAP)
    assert (provider.lists, provider.looks) == ([], ["a"])

    reports = [await looking.look(task(one), GAP) for one in ("b", "a", "c", "b")]
    assert provider.lists == [("a", "b")]
    assert [report == TaskRunning(odd="listed") for report in reports] == [True, True, False, True]
    assert provider.looks == ["a", "c"], "what the list did not tell of is asked for by itself"

    clock.advance(1)
    await looking.look(task("c"), GAP)
    assert provider.lists[1:] == [("a", "b", "c")]

    for one in ("a", "b"):
        looking.end(task(one))
    clock.advance(1)
    await looking.look(task("c"), GAP)
    assert len(provider.lists) == 2, "only one is left"


async def test_what_somebody_called_about_or_no_list_tells_of_is_looked_at_alone() -> None:
    provider, plain = Listing(), Listing(lists=False)
    looking = Looking(providers={"hiapi": provider}, clock=SettableClock())
    others = Looking(providers={"hiapi": plain}, clock=SettableClock())
    for one in ("a", "unlisted-b"):
        await looking.look(task(one), GAP)
        await others.look(task(one), GAP)
    await looking.look(task("a"), GAP, alone=True)
    assert (provider.looks, len(provider.lists)) == (["a", "unlisted-b", "a"], 1)
    assert (plain.looks, plain.lists) == (["a", "unlisted-b"], [])


# --- one job ---------------------------------------------------------------------------------------------------------


class Stopper:
    """What a provider that stops tasks is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def cancel(self, task_id: str) -> bool:
        self.asked.append(task_id)
        return True


async def rendering(one: Desk) -> Stopper:
    """The order is taken, by a provider that stops tasks."""
    stopper = Stopper()
    one.provider._can = (capabilities(cancel=True),)
    one.provider.cancel = stopper.cancel  # type: ignore[method-assign]
    await one.submit()
    return stopper


async def cancel(one: Desk) -> None:
    async with one.storage.begin() as tx:
        await tx.jobs.request_cancel("T1", one.job_id, "U1")


@pytest.mark.parametrize(("charged", "closing"), [(False, EntryKind.RELEASE), (True, EntryKind.SETTLE)])
async def test_a_cancelled_clip_is_stopped_there_once_and_costs_what_a_look_says(
    charged: bool, closing: EntryKind
) -> None:
    async with desk(OrderAccepted(task_id="tk-1")) as one:
        stopper = await rendering(one)
        await one.rendering.poll(await one.job(), await one.ask())
        assert stopper.asked == []
        await cancel(one)
        for _ in range(3):
            await one.rendering.poll(await one.job(), await one.ask())
        one.provider.report = TaskFailed(failure=STOPPED, charged=charged)
        await one.rendering.poll(await one.job(), await one.ask())

        job = await one.job()
        assert (job.state, stopper.asked) == (State.CANCELLED, ["tk-1"])
        assert job.cost_micro_usd == (job.price_micro_usd if charged else 0)
        assert await one.money() == [EntryKind.HOLD, closing]


@pytest.mark.parametrize("stopped", [False, True])
@pytest.mark.parametrize(("times", "told"), [(0.5, False), (3, True)])
async def test_a_failed_task_costs_what_it_says_and_too_much_is_told(stopped: bool, times: float, told: bool) -> None:
    async with desk(OrderAccepted(task_id="tk-1")) as one:
        await rendering(one)
        if stopped:
            await cancel(one)
        held = (await one.job()).price_micro_usd
        cost = round(held * times)
        one.provider.report = TaskFailed(failure=STOPPED, charged=True, cost_micro_usd=cost)
        await one.rendering.poll(await one.job(), await one.ask())

        job = await one.job()
        assert (job.state, job.cost_micro_usd) == (State.CANCELLED if stopped else State.FAILED, cost)
        async with one.storage.read() as tx:
            entries, lines = await tx.ledger.entries("T1", one.job_id), await tx.audit.entries(workspace="T1")
        news = [piece for piece in await one.news() if piece.topic is Topic.OVERBILLED]
        assert sum(entry.settled_micro_usd or 0 for entry in entries) == cost
        assert [(line.micro_usd, line.detail) for line in lines if line.act is Act.CHARGED] == [(cost, "")]
        assert [piece.facts["charged_micro_usd"] for piece in news] == ([cost] if told else [])


async def test_after_a_restart_a_provider_is_not_asked_to_stop_a_second_time() -> None:
    async with desk(OrderAccepted(task_id="tk-1")) as one:
        stopper = await rendering(one)
        await cancel(one)
        await one.rendering.poll(await one.job(), await one.ask())
        one.rendering._watches.clear()
        await one.rendering.poll(await one.job(), await one.ask())
        async with one.storage.read() as tx:
            kinds = [piece.kind for piece in await tx.jobs.evidence("T1", one.job_id)]
        assert (stopper.asked, kinds.count(EvidenceKind.STOP_ASKED)) == (["tk-1"], 1)


async def test_a_clip_that_is_ready_before_it_could_be_stopped_is_fetched_and_kept() -> None:
    async with desk(OrderAccepted(task_id="tk-1")) as one:
        await rendering(one)
        await cancel(one)
        one.provider.report = TaskFinished(url="https://cdn.example/1.mp4", expires_at=None)
        await one.rendering.poll(await one.job(), await one.ask())
        assert (await one.job()).state is State.DOWNLOADING


async def test_a_wait_that_a_status_request_was_told_of_is_kept_by_all() -> None:
    async with desk(OrderAccepted(task_id="tk-1")) as one:
        await one.submit()
        one.provider.report = TaskUnreadable(why="HTTP 429", retry_after_seconds=40.0)
        assert await one.rendering.poll(await one.job(), await one.ask()) == Later(seconds=40.0)
        looked = len(one.provider.looked)
        assert await one.rendering.poll(await one.job(), await one.ask()) == Later(seconds=40.0)
        assert len(one.provider.looked) == looked
        assert one.rendering.bench.circuit.wait("hiapi", Lane.ORDERS) == 0


async def test_nobody_waits_long_for_a_look_and_what_is_called_about_is_looked_at_all_the_same() -> None:
    async with desk(OrderAccepted(task_id="tk-1")) as one:
        await one.submit()
        one.provider.report = TaskUnreadable(why="HTTP 429", retry_after_seconds=3600.0)
        quiet = Later(seconds=LOOKS_QUIET.total_seconds())
        assert await one.rendering.poll(await one.job(), await one.ask()) == quiet
        assert one.rendering.bench.circuit.wait("hiapi", Lane.LOOKS) == quiet.seconds
        one.rendering.called_about(await one.job())
        for _ in range(2):
            assert await one.rendering.poll(await one.job(), await one.ask()) == quiet
        assert one.provider.looked == ["tk-1", "tk-1"], "once for the call"

        one.rendering.called_about(await one.job())
        one.provider.report = TaskFinished(url="https://cdn.example/1.mp4", expires_at=None)
        await one.rendering.poll(await one.job(), await one.ask())
        assert (await one.job()).state is State.DOWNLOADING


async def missing_for(one: Desk, wait: timedelta) -> State:
    """The state of the job whose task its provider does not know, for so long."""
    one.provider.report = TaskMissing()
    await one.rendering.poll(await one.job(), await one.ask())
    one.clock.advance(wait.total_seconds())
    await one.rendering.poll(await one.job(), await one.ask())
    return (await one.job()).state


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_task_that_was_seen_is_waited_for_longer_than_one_that_never_was(restarted: bool) -> None:
    async with desk(OrderAccepted(task_id="tk-1")) as one:
        await one.submit()
        assert await missing_for(one, TASK_GRACE - timedelta(seconds=1)) is State.RENDERING
        one.clock.advance(1)
        assert await missing_for(one, timedelta()) is State.FAILED
        assert await one.money() == [EntryKind.HOLD, EntryKind.SETTLE], "it was taken, and so it was charged"
    async with desk(OrderAccepted(task_id="tk-1")) as one:
        await one.submit()
        await one.rendering.poll(await one.job(), await one.ask())
        if restarted:
            # Who begins to look only now does not know: whoever looked before did not find it missing.
            one.clock.advance(TASK_GRACE.total_seconds())
            one.rendering._watches.clear()
        assert await missing_for(one, KNOWN_TASK_GRACE - timedelta(seconds=1)) is State.RENDERING
        one.clock.advance(1)
        await one.rendering.poll(await one.job(), await one.ask())
        job = await one.job()
        assert job.failure is not None
        assert (job.state, job.failure.kind) == (State.FAILED, FailureKind.TASK_LOST)


async def test_a_task_that_another_process_looks_at_is_watched_no_longer() -> None:
    async with desk(OrderAccepted(task_id="tk-1")) as one:
        provider = Listing()
        await one.submit()
        looking = Looking(providers={"hiapi": provider}, clock=one.clock)
        rendering = replace(one.rendering, looking=looking)
        await looking.look(task("another"), GAP)
        await rendering.poll(await one.job(), await one.ask())
        assert provider.lists == [("another", "tk-1")]
        rendering.let_go(await one.job())
        one.clock.advance(1)
        await looking.look(task("another"), GAP)
        assert len(provider.lists) == 1, "the other is alone"
        assert rendering._watches == {}


@pytest.mark.row("F88")
async def test_a_start_under_a_clock_that_is_ahead_gives_no_render_up_that_it_did_not_watch() -> None:
    """Late it may be called. Who starts under a right clock gives up a little later for that, and no more."""
    async with desk(OrderAccepted(task_id="tk-1")) as one:
        await one.submit()
        one.clock.step(one.clock.now() + timedelta(days=3650))
        for _ in range(3):
            await one.rendering.poll(await one.job(), await one.ask())
        assert (await one.job()).state is State.LATE
        one.clock.advance(one.rendering.bench.policy.job_timeout.total_seconds() - 1)
        await one.rendering.poll(await one.job(), await one.ask())
        assert await one.money() == [EntryKind.HOLD]
        one.clock.advance(1)
        await one.rendering.poll(await one.job(), await one.ask())
        job = await one.job()
        assert (job.state, job.failure) == (State.FAILED, Failure(kind=FailureKind.COUNTED_AS_SPENT))


# --- the clip itself -------------------------------------------------------------------------------------------------


async def rendered(one: Desk, host: Behind, *, lived: timedelta = timedelta(hours=1)) -> Rendering:
    """The clip is ready behind the link "first", whose time is over by our clock."""
    await one.submit()
    now = one.clock.now()
    one.provider.report = TaskFinished(url="first", expires_at=now + lived)
    await one.rendering.poll(await one.job(), await one.ask())
    one.clock.step(now + 2 * lived)
    return replace(one.rendering, bench=replace(one.rendering.bench, fetcher=host))


@pytest.mark.row("F88")
@pytest.mark.parametrize("lived", [timedelta(hours=1), timedelta(days=3650)], ids=["an hour", "ten years"])
async def test_a_clock_that_is_ahead_keeps_no_living_link_from_being_followed(lived: timedelta) -> None:
    async with desk(OrderAccepted(task_id="tk-1")) as one:
        host = Behind(WHOLE)
        fetching = await rendered(one, host, lived=lived)
        await fetching.fetch(await one.job(), await one.ask())
        assert ((await one.job()).state, host.opened) == (State.DELIVERING, ["first"])


@pytest.mark.parametrize("refusal", [LinkExpired("gone", status=410), FetchError("HTTP 500"), b"<html>gone</html>"])
async def test_a_link_whose_time_is_over_is_renewed_however_its_host_says_so(refusal: bytes | FetchError) -> None:
    async with desk(OrderAccepted(task_id="tk-1")) as one:
        host = Behind(refusal, WHOLE)
        fetching = await rendered(one, host)
        one.provider.report = TaskFinished(url="second", expires_at=None)
        for _ in range(2):
            await fetching.fetch(await one.job(), await one.ask())
        assert ((await one.job()).state, host.opened) == (State.DELIVERING, ["first", "second"])


async def test_a_fresh_link_is_not_asked_for_while_the_one_there_is_should_live() -> None:
    async with desk(OrderAccepted(task_id="tk-1")) as one:
        host = Behind(FetchError("HTTP 500"))
        fetching = await rendered(one, host)
        one.clock.step(one.clock.now() - timedelta(hours=2))
        looked = len(one.provider.looked)
        await fetching.fetch(await one.job(), await one.ask())
        assert ((await one.job()).trouble, len(one.provider.looked)) == (Trouble.DOWNLOAD_FAILS, looked)


MORE = timedelta(days=1)


@pytest.mark.row("F88")
@pytest.mark.parametrize("refusal", [FetchError("connection reset"), b"<html>busy</html>"])
@pytest.mark.parametrize("more", [None, timedelta(), MORE], ids=["nobody answers", "as before", "a day more"])
async def test_a_clock_that_is_ahead_makes_no_passing_failure_the_end_of_a_clip(
    refusal: bytes | FetchError, more: timedelta | None
) -> None:
    """Who serves it did not say that it is gone. What the task says anew of the same link counts."""
    async with desk(OrderAccepted(task_id="tk-1")) as one:
        fetching = await rendered(one, Behind(refusal, WHOLE), lived=timedelta(days=3650))
        ends = (await one.job()).output_expires_at
        assert ends is not None
        unreadable = TaskUnreadable(why="HTTP 502")
        one.provider.report = unreadable if more is None else TaskFinished(url="first", expires_at=ends + more)
        await fetching.fetch(await one.job(), await one.ask())
        job = await one.job()
        assert (job.state, job.output_expires_at) == (State.DOWNLOADING, ends + (more or timedelta()))
        assert job.due_at > one.clock.now(), "a link that has just failed is not fetched again at once"
        await fetching.fetch(job, await one.ask())
        assert (await one.job()).state is State.DELIVERING


async def test_what_its_host_says_is_dead_when_its_time_is_over_is_given_up() -> None:
    async with desk(OrderAccepted(task_id="tk-1")) as one:
        fetching = await rendered(one, Behind(LinkExpired("gone", status=410)), lived=timedelta(days=3650))
        for wait in (0.0, 59.0):
            one.clock.advance(wait)
            await fetching.fetch(await one.job(), await one.ask())
            assert (await one.job()).state is State.DOWNLOADING
        one.clock.advance(1.0)
        await fetching.fetch(await one.job(), await one.ask())
        job = await one.job()
        assert (job.state, job.failure) == (State.FAILED, Failure(kind=FailureKind.LINK_EXPIRED))


@pytest.mark.row("F88")
async def test_a_clock_that_is_ahead_for_a_moment_makes_no_dead_link_the_end_of_a_clip() -> None:
    """Right when a link has died, and its provider has no other yet."""
    async with desk(OrderAccepted(task_id="tk-1")) as one:
        dead = LinkExpired("gone", status=403)
        fetching = await rendered(one, Behind(dead, dead, dead, WHOLE), lived=timedelta(days=3650))
        await fetching.fetch(await one.job(), await one.ask())
        one.clock.step(one.clock.now() - timedelta(days=7300))
        for report in (one.provider.report, TaskFinished(url="second", expires_at=None)):
            one.clock.advance(60.0)
            one.provider.report = report
            await fetching.fetch(await one.job(), await one.ask())
        one.clock.advance(60.0)
        await fetching.fetch(await one.job(), await one.ask())
        assert (await one.job()).state is State.DELIVERING


@pytest.mark.row("F61")
@pytest.mark.parametrize(
    "report", [TaskUnreadable(why="HTTP 503"), TaskMissing(), TaskFailed(failure=STOPPED, charged=True)]
)
async def test_a_clip_behind_a_dead_link_is_not_given_up_before_its_task_was_asked_for_a_fresh_one(
    report: TaskReport,
) -> None:
    """However long it was: a look that brought no answer, or one that may pass, is no answer about its output."""
    async with desk(OrderAccepted(task_id="tk-1")) as one:
        dead = LinkExpired("gone", status=403)
        fetching = await rendered(one, Behind(dead, dead, WHOLE), lived=timedelta(days=3650))
        one.provider.report = report
        await fetching.fetch(await one.job(), await one.ask())
        job = await one.job()
        assert (job.state, job.trouble) == (State.DOWNLOADING, Trouble.DOWNLOAD_FAILS)
        one.provider.report = TaskFinished(url="second", expires_at=None)
        for _ in range(2):
            await fetching.fetch(await one.job(), await one.ask())
        assert (await one.job()).state is State.DELIVERING


@pytest.mark.row("F61")
async def test_a_clip_of_whose_task_nobody_says_anything_is_not_waited_for_for_ever() -> None:
    async with desk(OrderAccepted(task_id="tk-1")) as one:
        fetching = await rendered(one, Behind(LinkExpired("gone", status=403)), lived=timedelta(days=3650))
        one.rendering._watches.clear()
        one.provider.report = TaskUnreadable(why="HTTP 503")
        for wait in (0, one.rendering.bench.policy.job_timeout.total_seconds(), 59.0):
            one.clock.advance(wait)
            await fetching.fetch(await one.job(), await one.ask())
            assert (await one.job()).state is State.DOWNLOADING
        one.clock.advance(1.0)
        await fetching.fetch(await one.job(), await one.ask())
        assert (await one.job()).failure == Failure(kind=FailureKind.LINK_EXPIRED)


@pytest.mark.row("F61")
async def test_a_fresh_link_is_asked_for_no_sooner_than_its_provider_takes_a_request() -> None:
    """As it asked for, by this look or by another; and one after the other."""
    async with desk(OrderAccepted(task_id="tk-1")) as one:
        fetching = await rendered(one, Behind(LinkExpired("gone", status=403)), lived=timedelta(days=3650))
        one.provider.report = TaskUnreadable(why="HTTP 429", retry_after_seconds=200.0)
        looked = len(one.provider.looked)
        for passed, due, looks in ((0, 200, 1), (150, 50, 1), (50, 200, 2)):
            one.clock.advance(passed)
            await fetching.fetch(await one.job(), await one.ask())
            job = await one.job()
            assert len(one.provider.looked) == looked + looks
            assert job.due_at == one.clock.now() + timedelta(seconds=due)
            assert one.rendering.bench.circuit.wait("hiapi", Lane.LOOKS) == due

    async with desk(OrderAccepted(task_id="tk-1")) as one:
        one.provider._can = (capabilities(requests_per_minute=1),)
        host = Behind(LinkExpired("gone", status=403))
        fetching = await rendered(one, host, lived=timedelta(days=3650))
        looked = len(one.provider.looked)
        await fetching.fetch(await one.job(), await one.ask())
        assert (await one.job()).state is State.DOWNLOADING
        assert len(one.provider.looked) == looked
        one.clock.advance(75)
        await fetching.fetch(await one.job(), await one.ask())
        assert len(one.provider.looked) == looked + 1


@pytest.mark.parametrize("report", [TaskMissing(), TaskFailed(failure=STOPPED, charged=True)])
async def test_a_clip_that_was_rendered_is_given_up_when_its_task_is_gone_for_long(report: TaskReport) -> None:
    """However often its download failed before: one answer proves nothing, and another begins the wait anew."""
    async with desk(OrderAccepted(task_id="tk-1")) as one:
        refusals = [FetchError("HTTP 500")] * 3
        fetching = await rendered(one, Behind(*refusals, LinkExpired("dead", status=403)))
        one.clock.step(one.clock.now() - timedelta(hours=2))

        async def fetched(report: TaskReport, after: timedelta = timedelta()) -> State:
            one.provider.report = report
            one.clock.advance(after.total_seconds())
            await fetching.fetch(await one.job(), await one.ask())
            return (await one.job()).state

        for _ in refusals:
            await fetched(report)
        almost = KNOWN_TASK_GRACE - timedelta(seconds=1)
        waited = [await fetched(report), await fetched(report, almost), await fetched(TaskUnreadable(why="HTTP 502"))]
        waited += [await fetched(report), await fetched(report, almost)]
        assert set(waited) == {State.DOWNLOADING}
        assert await fetched(report, timedelta(seconds=1)) is State.FAILED
        assert (await one.job()).failure == Failure(kind=FailureKind.LINK_EXPIRED)
        assert one.rendering._watches == {}


async def test_links_that_are_signed_anew_and_dead_are_followed_as_long_as_the_output_lasts_and_no_longer() -> None:
    """What each of them says of its own time proves nothing. The card says that the download fails."""
    async with desk(OrderAccepted(task_id="tk-1")) as one:
        host = Behind(LinkExpired("gone", status=410))
        fetching, lifetime = await rendered(one, host), one.provider.capabilities[0].output_lifetime
        rendered_at = (await one.job()).rendered_at
        assert rendered_at is not None
        troubles = []
        while (job := await one.job()).state is State.DOWNLOADING:
            troubles.append(job.trouble)
            one.provider.report = TaskFinished(url=f"signed-{len(troubles)}", expires_at=None)
            await fetching.fetch(job, await one.ask())
            one.clock.advance(timedelta(days=1).total_seconds())
            assert len(troubles) <= lifetime.days + 2, "it is doubted for a minute, which is a look a day later here"
        assert rendered_at + lifetime <= one.clock.now() <= rendered_at + lifetime + timedelta(days=3)
        assert (job.state, job.failure) == (State.FAILED, Failure(kind=FailureKind.LINK_EXPIRED))
        assert set(troubles[2:]) == {Trouble.DOWNLOAD_FAILS}


async def test_the_first_fresh_link_after_long_is_followed_when_the_output_should_be_over() -> None:
    async with desk(OrderAccepted(task_id="tk-1")) as one:
        fetching = await rendered(one, Behind(LinkExpired("gone", status=410), WHOLE), lived=timedelta(days=3650))
        one.provider.report = TaskFinished(url="second", expires_at=None)
        for _ in range(2):
            await fetching.fetch(await one.job(), await one.ask())
        assert (await one.job()).state is State.DELIVERING
