"""What becomes of a job whose provider is not set up any more, by how far its order is; and when it is set up again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from bot.domain.budget import EntryKind
from bot.domain.capabilities import Capabilities
from bot.domain.failure import FailureKind
from bot.domain.job import EvidenceKind, Job, State, Wish
from bot.domain.patience import LATE_GAP
from bot.domain.trouble import Trouble
from bot.ports import LinkExpired, OrderAccepted, OrderOutcome, OrderRefused, OrderUnknown, TaskFinished
from bot.providers.hiapi import capabilities
from bot.services.absence import Absence
from bot.services.bench import Later
from bot.services.circuit import Circuit
from bot.services.looking import Looking
from bot.services.moving import evidence_of
from bot.services.rendering import Rendering
from bot.services.rerouting import Rerouting
from bot.services.routing import Router
from bot.services.submitting import Submitting
from tests.support.links import Behind
from tests.support.ordering import LOST, STARVED, TAKEN, Desk, ScriptedProvider, desk, notes

LIFETIME = capabilities().output_lifetime


@dataclass
class Start:
    """A start of the bot with other providers, on the rows of the desk."""

    one: Desk
    others: dict[str, ScriptedProvider]
    known: tuple[Capabilities, ...] = (capabilities(),)
    circuit: Circuit = field(init=False)

    def __post_init__(self) -> None:
        self.circuit = Circuit(self.one.clock)
        router = Router(
            self.others, self.one.ordering.bench.router._prices, known=self.known, healthy=self.circuit.healthy
        )
        bench = replace(self.one.ordering.bench, providers=self.others, router=router, circuit=self.circuit)
        rerouting = Rerouting(bench=bench)
        self.absence = Absence(bench=bench, rerouting=rerouting)
        balances = self.one.submitting.balances
        balances._providers = self.others
        self.submitting = Submitting(bench=bench, rerouting=rerouting, balances=balances)
        self.rendering = Rendering(bench=bench, looking=Looking(providers=self.others, clock=self.one.clock))

    async def absent(self) -> Job | Later | None:
        return await self.absence.step(await self.one.job(), await self.one.ask())

    async def step(self) -> Job | Later:
        """As the runner takes it."""
        job, ask = await self.one.job(), await self.one.ask()
        usual = {
            State.SUBMITTING: self.submitting.resolve,
            State.UNCERTAIN: self.submitting.watch,
            State.RENDERING: self.rendering.poll,
            State.LATE: self.rendering.poll,
            State.DOWNLOADING: self.rendering.fetch,
        }
        return await self.absence.step(job, ask) or await usual[job.state](job, ask)


@asynccontextmanager
async def started_without(
    *answers: OrderOutcome, other: ScriptedProvider | None = None, named: str | None = None, idempotent: bool = True
) -> AsyncIterator[Start]:
    """The order is answered so, if it is sent, and then the bot is started with the other provider alone."""
    async with desk(*answers, other=other, named=named, idempotent=idempotent) as one:
        if answers:
            await one.submit()
        yield Start(one=one, others={other.name: other} if other else {}, known=(capabilities(idempotent=idempotent),))


def muapi() -> ScriptedProvider:
    return ScriptedProvider([OrderAccepted(task_id="mu-1")], name="muapi")


@pytest.mark.parametrize("answers", [(), (STARVED,)], ids=["queued", "waiting for credit"])
@pytest.mark.parametrize("named", [None, "hiapi"])
async def test_what_was_not_ordered_goes_elsewhere_unless_somebody_named_its_provider(
    answers: tuple[OrderRefused, ...], named: str | None
) -> None:
    other = muapi()
    async with desk(*answers, named=named) as one:
        for _ in answers:
            await one.submit()
        start = Start(one=one, others={"muapi": other})
        await start.absent()
        job = await one.job()
        held = (await one.money()).count(EntryKind.HOLD) - (await one.money()).count(EntryKind.RELEASE)
        if named:
            assert job.failure is not None
            assert (job.state, job.failure.kind, held) == (State.FAILED, FailureKind.NOT_CONFIGURED, 0)
            assert not job.cost_micro_usd
        else:
            assert (job.state, job.provider, held) == (State.QUEUED, "muapi", 1)
            assert "HiAPI is not set up here any more and charged nothing" in (await notes(one))[-1]


async def test_what_nobody_else_can_make_ends_with_its_hold_released() -> None:
    async with started_without() as start:
        await start.absent()
        job = await start.one.job()
        assert (job.state, await start.one.money()) == (State.FAILED, [EntryKind.HOLD, EntryKind.RELEASE])


async def test_who_asked_for_another_provider_gets_one_whatever_was_named() -> None:
    other = muapi()
    async with started_without(STARVED, other=other, named="hiapi") as start:
        async with start.one.storage.begin() as tx:
            await tx.jobs.wish("T1", start.one.job_id, Wish.USE_ANOTHER_PROVIDER, "U1")
        await start.absent()
        assert (await start.one.job()).provider == "muapi"


async def test_what_was_cancelled_before_it_was_ordered_is_stopped_as_ever() -> None:
    async with started_without(other=muapi()) as start:
        async with start.one.storage.begin() as tx:
            await tx.jobs.request_cancel("T1", start.one.job_id, "U1")
        assert await start.absent() is None


@pytest.mark.parametrize(
    ("answer", "idempotent", "state"),
    [(TAKEN, True, State.RENDERING), (LOST, True, State.SUBMITTING), (LOST, False, State.UNCERTAIN)],
    ids=["taken", "to be repeated", "uncertain"],
)
async def test_what_was_ordered_waits_with_its_money_and_goes_on_when_the_key_is_back(
    answer: OrderOutcome, idempotent: bool, state: State
) -> None:
    async with started_without(answer, idempotent=idempotent) as start:
        one = start.one
        for _ in range(3):
            await start.step()
        job = await one.job()
        assert (job.state, job.trouble) == (state, Trouble.PROVIDER_ABSENT)
        assert await one.money() == [EntryKind.HOLD]
        assert len(one.provider.orders) == 1

        again = Start(one=one, others={"hiapi": one.provider}, known=())
        await again.absent()
        job = await one.job()
        assert (job.state, job.trouble, job.tries) == (state, None, 0)
        assert await again.absent() is None, "the usual step is next"


async def test_a_persons_word_about_an_uncertain_order_is_not_used_up_by_saying_why_nobody_can_be_asked() -> None:
    async with started_without(LOST, idempotent=False) as start:
        async with start.one.storage.begin() as tx:
            await tx.jobs.wish("T1", start.one.job_id, Wish.GIVE_UP, "U1")
        await start.step()
        job = await start.one.job()
        assert (job.state, job.cost_micro_usd) == (State.FAILED, job.price_micro_usd)


async def test_an_order_whose_key_is_forgotten_there_meanwhile_becomes_uncertain() -> None:
    async with started_without(LOST) as start:
        await start.step()
        start.one.clock.advance(timedelta(hours=24).total_seconds())
        await start.step()
        assert (await start.one.job()).state is State.UNCERTAIN


async def test_a_task_that_was_learned_of_is_known_without_its_provider() -> None:
    async with started_without(OrderUnknown(why="ReadTimeout")) as start:
        job = await start.one.job()
        async with start.one.storage.begin() as tx:
            await tx.jobs.add_evidence(evidence_of(job, EvidenceKind.TASK_ID, "tk-9", start.one.clock))
            await tx.jobs.add_evidence(evidence_of(job, EvidenceKind.CALLED, "tk-8", start.one.clock))
        for _ in range(2):
            await start.step()
        job = await start.one.job()
        assert (job.state, job.task_id) == (State.RENDERING, "tk-9")


async def test_a_render_that_nobody_can_look_at_is_late_in_time_and_given_up_when_its_output_is_gone() -> None:
    async with started_without(TAKEN) as start:
        one = start.one
        await start.step()
        one.clock.advance(start.submitting.bench.policy.job_timeout.total_seconds())
        await start.step()
        assert ((await one.job()).state, (await one.job()).trouble) == (State.LATE, Trouble.PROVIDER_ABSENT)
        assert await start.step() == Later(seconds=LATE_GAP.total_seconds())
        one.clock.advance(LIFETIME.total_seconds())
        await start.step()
        job = await one.job()
        assert job.failure is not None
        assert (job.state, job.failure.kind) == (State.FAILED, FailureKind.COUNTED_AS_SPENT)
        assert await one.money() == [EntryKind.HOLD, EntryKind.SETTLE]


async def test_a_clip_behind_a_dead_link_waits_for_its_provider_and_not_for_ever() -> None:
    async with started_without(TAKEN) as start:
        one = start.one
        dead = Behind(LinkExpired("The link is dead.", status=403))
        start.rendering = replace(start.rendering, bench=replace(start.rendering.bench, fetcher=dead))
        one.provider.report = TaskFinished(url="https://cdn.example/1.mp4", expires_at=one.clock.now())
        await one.rendering.poll(await one.job(), await one.ask())
        await start.step()
        assert ((await one.job()).state, (await one.job()).trouble) == (State.DOWNLOADING, Trouble.PROVIDER_ABSENT)
        for wait in (LIFETIME.total_seconds(), 60.0):
            # The clock is doubted for a minute.
            one.clock.advance(wait)
            await start.step()
        job = await one.job()
        assert job.failure is not None
        assert (job.state, job.failure.kind) == (State.FAILED, FailureKind.LINK_EXPIRED)


async def test_nobody_is_asked_to_stop_a_clip_or_what_is_left_where_nothing_is_set_up() -> None:
    able = replace(capabilities(), cancel=True, balance=True)
    async with desk(TAKEN) as one:
        await one.submit()
        start = Start(one=one, others={}, known=(able,))
        async with one.storage.begin() as tx:
            await tx.jobs.request_cancel("T1", one.job_id, "U1")
        for _ in range(2):
            await start.step()
        start.submitting.balances.ask(await one.job(), anew=True)
        async with one.storage.read() as tx:
            evidence = await tx.jobs.evidence("T1", one.job_id)
        assert EvidenceKind.STOP_ASKED not in {piece.kind for piece in evidence}
        assert (await one.job()).trouble is Trouble.PROVIDER_ABSENT
