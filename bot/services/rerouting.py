"""What becomes of an order that its provider does not take now, and charged nothing for: another provider makes it, or
it waits and its channel is told once."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

import structlog

from bot.domain.budget import OverCap, Stage
from bot.domain.events import Event, Rerouted, Starved
from bot.domain.failure import Failure, FailureKind
from bot.domain.job import AWAITS_PROVIDER, Job, State, Wish
from bot.domain.lifecycle import transition
from bot.domain.outage import Outage
from bot.domain.patience import CREDIT_PROBE
from bot.domain.pricing import dollars
from bot.domain.provider_names import about_price, shown_name
from bot.ports import Elsewhere, StorageError
from bot.services.bench import Bench
from bot.services.circuit import Pause
from bot.services.holds import hold
from bot.services.news import tell_paused, tell_resumed
from bot.services.policy import Policy
from bot.services.routing import Route

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Rerouting:
    """For jobs of which it is proved that nothing was charged for their present order."""

    bench: Bench

    async def in_vain(self, job: Job) -> Failure | None:
        """Why an order of this job would be in vain now; None when it may be sent. Of those that wait for a paused
        provider one at a time is tried. An order that is refused costs nothing; one that is not answered is uncertain,
        so that a provider which did not answer is first asked something that costs nothing, and is sent an order less
        and less often while it answers that alone."""
        circuit = self.bench.circuit
        failure = circuit.paused(job.provider, job.id)
        if failure is None or not circuit.may_probe(job.provider, job.id):
            return failure
        if failure.kind is not FailureKind.PROVIDER:
            return None
        found = await self.bench.providers[job.provider].check()
        if found is not None and circuit.silent(job.provider, found):
            return found
        return None if circuit.may_risk(job.provider) else failure

    async def starve(self, job: Job, failure: Failure, *, again: timedelta = CREDIT_PROBE) -> Job:
        """The provider refuses orders for now, this one too. The router's choice is made anew among those that take
        orders; who named the provider waits for it, and is looked at after ``again``."""
        starved = Starved(failure=failure, due_at=self.bench.clock.now() + again)
        moved = None if job.named else await self._move_over(job, starved)
        return moved or await self._wait(job, starved)

    async def instead(self, job: Job, failure: Failure) -> Job | None:
        """The provider could not take this very order, and another might: None where a person named it, or there is
        no other."""
        starved = Starved(failure=failure, due_at=self.bench.clock.now() + CREDIT_PROBE)
        return None if job.named else await self._move_over(job, starved)

    async def onto(self, job: Job, route: Route, failure: Failure) -> Job | None:
        """That other provider makes it, since it takes what this one does not: a file. None when it costs more there
        than goes without a question, or when a cap is in the way."""
        starved = Starved(failure=failure, due_at=self.bench.clock.now() + CREDIT_PROBE)
        return await self._go_over(job, route, _file_note(job, route, failure), starved)

    async def with_files(self, job: Job, failure: Failure) -> Job | None:
        """The provider does not take a file of this queued job. Another one is tried, once: None where a person named
        it, where there is no other, or where this is another one already."""
        route = self.route_elsewhere(job)
        if job.named or job.attempt > 1 or route is None:
            return None
        return await self.onto(job, route, failure)

    async def elsewhere(self, job: Job) -> Job | None:
        """A waiting job that is nobody's choice goes to another provider as soon as one takes it."""
        return None if job.named else await self._move_over(job)

    async def wished_elsewhere(self, job: Job) -> Job | None:
        """Somebody pressed *Use another provider*: it is made there at no more than what was shown to them, within the
        caps. None when there is no such provider now, and the card says so."""
        most = job.price_micro_usd if job.wish_micro_usd is None else job.wish_micro_usd
        moved = await self._move_over(job, most=most)
        if moved is None:
            note = not_elsewhere_note(job, self.route_elsewhere(job), most)
            async with self.bench.storage.begin() as tx:
                await tx.jobs.add_note(job.workspace, job.ask_id, note)
                await tx.jobs.clear_wish(job.workspace, job.id, Wish.USE_ANOTHER_PROVIDER)
        return moved

    def offers(self, jobs: Iterable[Job]) -> dict[str, Elsewhere]:
        """Who else would make each of these that waits for its own provider, by the job's id."""
        waiting = [job for job in jobs if job.state is State.WAITING and job.wait_reason in AWAITS_PROVIDER]
        routes = {job.id: self.route_elsewhere(job) for job in waiting}
        return {job_id: _offer(route) for job_id, route in routes.items() if route is not None}

    def route_elsewhere(self, job: Job) -> Route | None:
        """Which other provider would make the clip now, and at which price; None when none can or takes orders."""
        return self.bench.router.another(job.recipe, job.provider, free_ratio=job.free_ratio)

    async def paused(self, provider: str) -> None:
        """The provider takes no orders from now on: written down for other processes and the next start. Nothing
        depends on it."""
        pause = self.bench.circuit.pause(provider)
        if pause is None:
            return
        try:
            async with self.bench.storage.begin() as tx:
                await tx.outages.note(_outage(provider, pause))
        except StorageError as error:
            log.warning("provider.pause_not_noted", provider=provider, error=str(error))

    async def resumed(self, provider: str, pause: Pause) -> None:
        """An order went through: every channel that waited is told. Nothing depends on it."""
        log.info("provider.resumed", provider=provider)
        try:
            async with self.bench.storage.begin() as tx:
                for place in sorted(pause.told):
                    await tell_resumed(tx, place, provider, pause.since, self.bench.clock.now())
        except StorageError as error:
            log.warning("provider.resumption_not_told", provider=provider, error=str(error))
        self.bench.ring()

    # --- inside ------------------------------------------------------------------------------------------------------

    async def _wait(self, job: Job, starved: Starved) -> Job:
        """It waits, with nothing held, and its channel hears why, once for the pause."""
        pause, place = self.bench.circuit.pause(job.provider), (job.workspace, job.channel)
        async with self.bench.storage.begin() as tx:
            waiting = await self.bench.moves.write(
                tx, job, self.bench.ownership, starved, detail=starved.failure.detail
            )
            if pause is not None:
                await tx.outages.note(_outage(job.provider, pause))
            if pause is not None and place not in pause.told:
                await tell_paused(tx, waiting, starved.failure, pause.since, self.bench.clock.now())
        if pause is not None:
            pause.told.add(place)
        self.bench.moves.announce(job, waiting)
        return waiting

    async def _move_over(self, job: Job, *before: Event, most: int | None = None) -> Job | None:
        """To the cheapest other provider. None when none takes it now, when it costs more there than somebody agreed to
        (``most``, in micro-dollars), or as ``_go_over`` says."""
        route = self.route_elsewhere(job)
        if route is None or (most is not None and route.price.micro_usd > most):
            return None
        note = reroute_note(job, route, there=self.bench.has(job.provider))
        return await self._go_over(job, route, note, *before, agreed=most is not None)

    async def _go_over(self, job: Job, route: Route, note: str, *before: Event, agreed: bool = False) -> Job | None:
        """The old hold is released and the new one taken in one transaction, or nothing happens: None when it costs
        more there than goes without a question and nobody agreed to it, or when a cap is in the way."""
        now = self.bench.clock.now()
        try:
            async with self.bench.storage.begin() as tx:
                policy = await self.bench.policies.within(tx, job.workspace, job.channel)
                if not agreed and _asks_first(job, route, policy):
                    return None
                waiting = job
                if before:
                    waiting = await self.bench.moves.write(tx, job, self.bench.ownership, *before, detail="elsewhere")
                event = self._rerouted(job, route, policy)
                await hold(tx, [transition(waiting, event, now)], policy, now)
                moved = await self.bench.moves.write(
                    tx, waiting, self.bench.ownership, event, detail=f"{job.provider} → {route.can.provider}"
                )
                await tx.jobs.add_note(job.workspace, job.ask_id, note)
        except OverCap as over:
            log.info("order.not_rerouted", job=job.id, why=str(over))
            return None
        self.bench.moves.announce(job, moved)
        log.info("order.rerouted", job=job.id, before=job.provider, after=route.can.provider)
        return moved

    def _rerouted(self, job: Job, route: Route, policy: Policy) -> Rerouted:
        as_final = job.as_final_micro_usd
        if job.stage is Stage.DRAFT:
            as_final = self.bench.router.price_as_final(route.recipe, route.can.provider, policy.final)
        elif as_final is not None:
            as_final = route.price.micro_usd
        return Rerouted(
            provider=route.can.provider,
            model=route.can.model,
            recipe=route.recipe,
            price_micro_usd=route.price.micro_usd,
            price_assumed=route.price.assumed,
            as_final_micro_usd=as_final,
        )


def _offer(route: Route) -> Elsewhere:
    return Elsewhere(
        provider=route.can.provider, price_micro_usd=route.price.micro_usd, price_assumed=route.price.assumed
    )


def _outage(provider: str, pause: Pause) -> Outage:
    return Outage(provider=provider, failure=pause.failure, since=pause.since)


def _asks_first(job: Job, route: Route, policy: Policy) -> bool:
    """Whether the whole ask would cost more there, and so much that nobody spends it without a button."""
    dearer = route.price.micro_usd > job.price_micro_usd
    return dearer and route.price.micro_usd * job.takes > policy.confirm_above_micro_usd


def reroute_note(job: Job, route: Route, *, there: bool) -> str:
    """What the card says of a clip that goes by this route instead; ``there`` tells whether the provider before is
    set up. Pure."""
    why = "takes no orders now" if there else "is not set up here any more"
    return f"{shown_name(job.provider)} {why} and charged nothing: made by {_maker(route)}."


def _file_note(job: Job, route: Route, failure: Failure) -> str:
    why = failure.detail.rstrip(".")
    return f"{shown_name(job.provider)} could not be given a file ({why}). Made by {_maker(route)}."


def _maker(route: Route) -> str:
    about = about_price(route.can.provider, assumed=route.price.assumed)
    return f"{shown_name(route.can.provider)} at {dollars(route.price.micro_usd)} a clip{about and ' '}{about}"


def not_elsewhere_note(job: Job, route: Route | None, most_micro_usd: int) -> str:
    """What the card says when no other provider makes the clip for what somebody agreed to; ``route`` is the cheapest
    other there is. Pure."""
    if route is None or route.price.micro_usd <= most_micro_usd:
        name = shown_name(job.provider)
        return f"No other provider than {name} takes this now, or its price does not fit under a cap."
    about = about_price(route.can.provider, assumed=route.price.assumed)
    price = f"{dollars(route.price.micro_usd)}{about and ' '}{about}"
    return (
        f"Not sent elsewhere: {shown_name(route.can.provider)} would make #{job.number} at {price} by now, which is "
        f"more than the {dollars(most_micro_usd)} that was agreed to. Nothing was ordered; press again if that is fine."
    )
