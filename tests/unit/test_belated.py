"""An order that was given up or ordered again, and that its provider had taken: the clip is fetched, kept and offered,
and what it cost is booked once."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from bot.domain.announcement import Topic
from bot.domain.failure import Failure, FailureKind
from bot.domain.job import EvidenceKind, Job, State, Wish
from bot.domain.ledger_check import unsound
from bot.domain.patience import TASK_GRACE
from bot.ports import (
    NotGenuine,
    OrderAccepted,
    StoredClip,
    TaskFailed,
    TaskFinished,
    TaskMissing,
    TaskReport,
    TaskRunning,
    TaskUnreadable,
)
from bot.providers.hiapi import OUTPUT_LIFETIME
from bot.services.callbacks import Callbacks, Heard
from bot.services.looking import Looking
from handlers.blocks.states import explain
from tests.support.ordering import CHANNEL, LOST, PRICE, SENDER, Desk, ScriptedProvider, desk, notes
from tests.support.values import capabilities

READY = TaskFinished(url="https://cdn.example/1.mp4", expires_at=None)
BODY = b'{"task": "tk-1"}'
CLIP = StoredClip(key="clips/1.mp4", sha256="0" * 64, size=9)


def told(headers: Mapping[str, str], body: bytes) -> str | None:
    """What this provider's calls say."""
    if b"forged" in body:
        raise NotGenuine("another signature")
    return str(json.loads(body)["task"])


@dataclass
class Hall:
    """A desk whose provider calls."""

    one: Desk
    callbacks: Callbacks
    called: list[Job] = field(default_factory=list)

    async def hear(self, attempt: int = 1, body: bytes = BODY, provider: str = "hiapi") -> Heard:
        async with self.one.storage.read() as tx:
            order = await tx.jobs.attempt("T1", self.one.job_id, attempt)
        assert order is not None
        return await self.callbacks.hear(provider, order.callback_token, {}, body)

    async def watch(self, wish: Wish) -> Job:
        """Somebody presses that on the uncertain clip, and the runner comes to it."""
        presses, sender = self.one.presses, replace(SENDER, key=f"press:{wish}")
        await (presses.give_up if wish is Wish.GIVE_UP else presses.order_again)(sender, self.one.job_id)
        await self.one.submitting.watch(await self.one.job(), await self.one.ask())
        return await self.one.job()

    async def others(self) -> list[Job]:
        """The ask's further clips."""
        async with self.one.storage.read() as tx:
            jobs = await tx.jobs.of_ask("T1", (await self.one.job()).ask_id)
        return [job for job in jobs if job.id != self.one.job_id]

    async def spent(self) -> int:
        """What the ledger says, which must be sound."""
        async with self.one.storage.read() as tx:
            entries = await tx.ledger.entries()
        assert unsound(entries, [await self.one.job(), *await self.others()]) == ()
        return sum(entry.settled_micro_usd for entry in entries)


@asynccontextmanager
async def hall(*answers: object, other: ScriptedProvider | None = None) -> AsyncIterator[Hall]:
    """An order whose answer was lost, at a provider without a key that proves anything."""
    async with desk(LOST, *answers, idempotent=False, other=other) as one:  # type: ignore[arg-type]
        assert (await one.submit()).state is State.UNCERTAIN
        one.provider.told = told  # type: ignore[method-assign]
        called: list[Job] = []
        bench = one.ordering.bench
        callbacks = Callbacks(
            storage=one.storage,
            providers=bench.providers,
            policies=bench.policies,
            clock=one.clock,
            called_about=called.append,
        )
        yield Hall(one=one, callbacks=callbacks, called=called)


async def kept(one: Desk, job: Job) -> Job:
    """The clip's bytes are ours."""
    await one.claim()
    async with one.storage.read() as tx:
        mine = await tx.jobs.job("T1", job.id)
    await one.rendering._store(mine, CLIP)
    return await one.now(job)


async def test_the_clip_of_an_order_that_was_given_up_is_kept_and_offered_for_what_it_was_counted() -> None:
    async with hall() as place:
        one = place.one
        given_up = await place.watch(Wish.GIVE_UP)
        assert (given_up.state, await place.spent()) == (State.FAILED, PRICE)
        one.provider.report = READY

        assert [await place.hear() for _ in range(3)] == [Heard.TAKEN] * 3

        (found,) = await place.others()
        assert [job.id for job in place.called] == [found.id]
        assert (found.state, found.task_id, found.number, found.cost_micro_usd) == (State.DOWNLOADING, "tk-1", 2, None)
        assert await notes(one) == (
            "An order of #1 that nobody waited for any more was taken after all: its clip is #2.",
        )
        clip = await kept(one, found)
        assert (clip.state, clip.clip_key, await place.spent()) == (State.CANCELLED, "clips/1.mp4", PRICE)
        words = explain(clip)
        assert "What it cost is counted with #1." in words
        assert "*Deliver again* posts it for free." in words
        await one.presses.deliver_again(replace(SENDER, key="again"), clip.id)
        assert (await one.now(clip)).wish is Wish.DELIVER_AGAIN
        assert (await one.job()) == given_up, "nobody but the runner moves a job"


@pytest.mark.parametrize("ordered", [False, True])
async def test_the_clip_of_an_order_that_was_ordered_again_is_kept_beside_the_other(ordered: bool) -> None:
    async with hall(OrderAccepted(task_id="tk-2")) as place:
        one = place.one
        again = await place.watch(Wish.ORDER_AGAIN)
        if ordered:
            again = await one.submit()
        one.provider.report = READY

        assert await place.hear() is Heard.TAKEN

        assert await one.job() == again
        (found,) = await place.others()
        assert (await kept(one, found)).state is State.CANCELLED
        assert await place.spent() == PRICE
        if ordered:
            await one.rendering.poll(await one.job(), await one.ask())
            assert (await one.job()).state is State.DOWNLOADING
            assert await place.spent() == 2 * PRICE, "two orders, two clips"


async def test_a_clip_that_cost_more_than_was_counted_is_booked_and_told() -> None:
    async with hall() as place:
        await place.watch(Wish.GIVE_UP)
        place.one.provider.report = replace(READY, cost_micro_usd=3 * PRICE)
        await place.hear()
        assert await place.spent() == 3 * PRICE
        (found,) = await place.others()
        assert found.cost_micro_usd == 2 * PRICE
        (news,) = [one for one in await place.one.news() if one.topic is Topic.OVERBILLED]
        assert (news.to, news.facts["held_micro_usd"], news.facts["channel"]) == ("admins", PRICE, CHANNEL)
        clip = await kept(place.one, found)
        assert "counted with #1, and $1.14 more was charged." in explain(clip)


@pytest.mark.parametrize("report", [TaskRunning(), TaskUnreadable(why="HTTP 500"), TaskMissing()])
async def test_what_its_provider_does_not_say_now_is_to_be_called_again(report: TaskReport) -> None:
    async with hall() as place:
        await place.watch(Wish.GIVE_UP)
        place.one.provider.report = report
        assert await place.hear() is Heard.NOT_YET
        assert await place.others() == []
        place.one.provider.report = READY
        assert await place.hear() is Heard.TAKEN
        assert len(await place.others()) == 1


@pytest.mark.parametrize("wish", [Wish.GIVE_UP, Wish.ORDER_AGAIN])
async def test_a_call_that_could_not_be_followed_before_somebody_pressed_is_to_come_again(wish: Wish) -> None:
    """Written down, so that it is found as soon as it can be; and not answered for good, since after the press nobody
    reads it again."""
    async with hall() as place:
        one = place.one
        one.provider.report = TaskUnreadable(why="HTTP 500")
        assert [await place.hear() for _ in range(2)] == [Heard.NOT_YET] * 2
        assert [job.id for job in place.called] == [one.job_id], "to be looked at as soon as it can be"
        await place.watch(wish)
        assert await place.hear() is Heard.NOT_YET
        one.provider.report = READY
        assert [await place.hear() for _ in range(2)] == [Heard.TAKEN] * 2
        (found,) = await place.others()
        assert (await kept(one, found)).state is State.CANCELLED


@pytest.mark.parametrize("called", [TaskUnreadable(why="HTTP 500"), TaskRunning()])
async def test_a_call_that_can_be_followed_is_answered_for_good_and_repeated_is_heard_all_the_same(
    called: TaskReport,
) -> None:
    async with hall() as place:
        one = place.one
        one.provider.report = called
        first = await place.hear()
        one.provider.report = TaskRunning()
        assert (first is Heard.TAKEN) is isinstance(called, TaskRunning)
        assert await place.hear() is Heard.TAKEN
        one.provider.report = TaskUnreadable(why="HTTP 500")
        await place.watch(Wish.GIVE_UP)
        one.provider.report = READY
        assert await place.hear() is Heard.TAKEN, "the same call, after nobody could follow it at the press"
        assert len(await place.others()) == 1


@pytest.mark.parametrize(
    ("report", "later"),
    [
        (TaskMissing(), OUTPUT_LIFETIME),
        (TaskFailed(failure=Failure(kind=FailureKind.PROVIDER), charged=False), timedelta(0)),
    ],
)
async def test_what_is_no_clip_there_is_written_down_and_changes_nothing(report: TaskReport, later: timedelta) -> None:
    async with hall() as place:
        given_up = await place.watch(Wish.GIVE_UP)
        place.one.provider.report = report
        place.one.clock.advance(later.total_seconds())
        assert await place.hear() is Heard.TAKEN
        assert (await place.others(), await place.one.job(), place.called) == ([], given_up, [])
        async with place.one.storage.read() as tx:
            evidence = await tx.jobs.evidence("T1", place.one.job_id)
        assert [piece.value for piece in evidence if piece.kind is EvidenceKind.CALLED] == ["tk-1"]


async def test_a_task_of_another_clip_or_at_another_provider_is_nobodys_belated_clip() -> None:
    muapi = ScriptedProvider([], idempotent=False, name="muapi")
    muapi.told = told  # type: ignore[method-assign]
    muapi.report = READY
    async with hall(OrderAccepted(task_id="tk-2"), other=muapi) as place:
        await place.watch(Wish.ORDER_AGAIN)
        assert (await place.one.submit()).task_id == "tk-2"
        place.one.provider.report = READY
        assert await place.hear(body=b'{"task": "tk-2"}') is Heard.TAKEN
        assert await place.hear(provider="muapi") is Heard.TAKEN
        assert await place.others() == []


async def test_who_cannot_sign_is_not_asked_after() -> None:
    async with hall() as place:
        await place.watch(Wish.GIVE_UP)
        assert await place.hear(body=b"forged") is Heard.NOT_GENUINE
        assert place.one.provider.looked == []


async def test_a_belated_clip_that_is_gone_before_it_was_fetched_is_not_said_to_have_cost_nothing() -> None:
    async with hall() as place:
        await place.watch(Wish.GIVE_UP)
        place.one.provider.report = READY
        await place.hear()
        await place.one.claim()
        (found,) = await place.others()
        gone = await place.one.rendering._write_off(found, FailureKind.LINK_EXPIRED)
        assert (gone.state, await place.spent()) == (State.FAILED, PRICE)
        assert "Nothing more was charged." in explain(gone)


async def lost(place: Hall) -> Job:
    """The order's task was found by a call, and is then not known to its provider any more."""
    one = place.one
    await place.hear()
    await one.submitting.watch(await one.job(), await one.ask())
    one.provider.report = TaskMissing()
    for _ in range(2):
        await one.rendering.poll(await one.job(), await one.ask())
        one.clock.advance(TASK_GRACE.total_seconds())
    return await one.job()


async def test_a_task_that_was_lost_and_is_there_after_all_is_kept_and_offered_once() -> None:
    async with hall() as place:
        one = place.one
        given_up = await lost(place)
        assert given_up.failure == Failure(kind=FailureKind.TASK_LOST)
        assert (given_up.state, given_up.task_id) == (State.FAILED, "tk-1")
        again = [b'{"task": "tk-1", "time": %d}' % time for time in range(3)]
        assert await place.hear(body=again[0]) is Heard.NOT_YET
        one.provider.report = READY

        assert [await place.hear(body=body) for body in again] == [Heard.TAKEN] * 3

        (found,) = await place.others()
        assert (found.state, found.task_id, place.called[-1].id) == (State.DOWNLOADING, None, found.id)
        assert await one.job() == given_up
        await one.claim()
        one.provider.report = replace(READY, url="https://cdn.example/2.mp4")
        renewed = await one.rendering._renew_link(await one.now(found))
        assert isinstance(renewed, Job)
        assert (renewed.output_url, one.provider.looked[-1]) == ("https://cdn.example/2.mp4", "tk-1")
        clip = await kept(one, found)
        assert (clip.state, await place.spent()) == (State.CANCELLED, PRICE)


async def test_a_task_that_has_to_wait_for_its_turn_is_not_watched_for_longer_than_its_clip_needs_it() -> None:
    async with hall() as place:
        one = place.one
        await lost(place)
        one.provider.report = READY
        assert await place.hear() is Heard.TAKEN
        (found,) = await place.others()
        await one.claim()
        one.provider._can = (capabilities(requests_per_minute=1),)
        looking = Looking(providers=one.rendering.bench.providers, clock=one.clock)
        rendering = replace(one.rendering, looking=looking)
        await looking.look(replace(found, task_id="another"), timedelta(0))
        looked = len(one.provider.looked)
        await rendering._renew_link(await one.now(found))
        watched = looking._watched["hiapi"]
        assert (watched.tasks, len(one.provider.looked)) == ({"another", "tk-1"}, looked)
        rendering.let_go(found)
        assert (watched.tasks, watched.ration._turns) == ({"another"}, {})


async def test_a_task_that_was_given_up_as_too_late_is_kept_when_it_ends_all_the_same() -> None:
    async with hall() as place:
        one = place.one
        await place.hear()
        await one.submitting.watch(await one.job(), await one.ask())
        await one.rendering._write_off(await one.job(), FailureKind.COUNTED_AS_SPENT)
        one.provider.report = READY
        assert await place.hear(body=b'{"task": "tk-1", "status": "success"}') is Heard.TAKEN
        (found,) = await place.others()
        assert (await kept(one, found)).state is State.CANCELLED
        assert await place.spent() == PRICE


@pytest.mark.row("F48")
async def test_a_render_that_had_failed_and_has_a_clip_after_all_is_offered_and_booked_once() -> None:
    """Its hold was released, since a failed render is free: what a clip costs is spent when there is one."""
    async with hall() as place:
        one = place.one
        await place.hear()
        await one.submitting.watch(await one.job(), await one.ask())
        one.provider.report = TaskFailed(failure=Failure(kind=FailureKind.PROVIDER), charged=False)
        await one.rendering.poll(await one.job(), await one.ask())
        failed = await one.job()
        assert (failed.state, await place.spent()) == (State.FAILED, 0)
        assert await place.hear(body=b'{"task": "tk-1", "status": "failed"}') is Heard.TAKEN
        assert await place.others() == []
        one.provider.report = READY

        calls = [b'{"task": "tk-1", "time": %d}' % time for time in range(3)]
        assert [await place.hear(body=body) for body in calls] == [Heard.TAKEN] * 3

        (found,) = await place.others()
        assert await one.job() == failed
        clip = await kept(one, found)
        assert (clip.state, await place.spent()) == (State.CANCELLED, PRICE)
        assert "*Deliver again* posts it for free." in explain(clip)
        assert "$0.57 more was charged" in explain(clip)
