"""What becomes of an order that its provider does not take now, and charged nothing for: another provider makes it, or
it waits and its channel is told once."""

from dataclasses import dataclass

import structlog

from bot.domain.budget import OverCap
from bot.domain.failure import Failure, FailureKind
from bot.domain.job import Job, Wish
from bot.domain.lifecycle import Event, Rerouted, Starved, transition
from bot.domain.patience import CREDIT_PROBE
from bot.domain.pricing import dollars
from bot.ports import StorageError
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
        so that a provider which did not answer is first asked something that costs nothing."""
        circuit = self.bench.circuit
        failure = circuit.paused(job.provider, job.id)
        if failure is None or not circuit.may_probe(job.provider, job.id):
            return failure
        if failure.kind is not FailureKind.PROVIDER:
            return None
        found = await self.bench.providers[job.provider].check()
        return found if found is not None and circuit.silent(job.provider, found) else None

    async def starve(self, job: Job, failure: Failure) -> Job:
        """The provider refuses orders for now, this one too. The router's choice is made anew among those that take
        orders; who named the provider waits for it."""
        starved = Starved(failure=failure, due_at=self.bench.clock.now() + CREDIT_PROBE)
        moved = None if job.named else await self._move_over(job, starved)
        return moved or await self._wait(job, starved)

    async def instead(self, job: Job, failure: Failure) -> Job | None:
        """The provider could not take this very order, and another might: None where a person named it, or there is
        no other."""
        starved = Starved(failure=failure, due_at=self.bench.clock.now() + CREDIT_PROBE)
        return None if job.named else await self._move_over(job, starved)

    async def elsewhere(self, job: Job) -> Job | None:
        """A waiting job that is nobody's choice goes to another provider as soon as one takes it."""
        return None if job.named else await self._move_over(job)

    async def wished_elsewhere(self, job: Job) -> Job | None:
        """Somebody pressed *Use another provider*: it is asked for whatever it costs there, within the caps. None when
        there is no other now, and the card says so."""
        moved = await self._move_over(job, wished=True)
        if moved is None:
            async with self.bench.storage.begin() as tx:
                note = f"No other provider than {job.provider} takes this now, or its price does not fit under a cap."
                await tx.jobs.add_note(job.workspace, job.ask_id, note)
                await tx.jobs.clear_wish(job.workspace, job.id, Wish.USE_ANOTHER_PROVIDER)
        return moved

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
            if pause is not None and place not in pause.told:
                await tell_paused(tx, waiting, starved.failure, pause.since, self.bench.clock.now())
        if pause is not None:
            pause.told.add(place)
        self.bench.moves.announce(job, waiting)
        return waiting

    async def _move_over(self, job: Job, *before: Event, wished: bool = False) -> Job | None:
        """The old hold is released and the new one taken in one transaction, or nothing happens: None when no other
        provider takes it now, when it costs more there than goes without a question, or when a cap is in the way."""
        route = self.bench.router.another(job.recipe, job.provider)
        if route is None:
            return None
        now = self.bench.clock.now()
        try:
            async with self.bench.storage.begin() as tx:
                policy = await self.bench.policies.within(tx, job.workspace, job.channel)
                if not wished and _asks_first(job, route, policy):
                    return None
                waiting = job
                if before:
                    waiting = await self.bench.moves.write(tx, job, self.bench.ownership, *before, detail="elsewhere")
                event = _rerouted(route)
                await hold(tx, [transition(waiting, event, now)], policy, now)
                moved = await self.bench.moves.write(
                    tx, waiting, self.bench.ownership, event, detail=f"{job.provider} → {route.can.provider}"
                )
                note = _note(job, route, there=self.bench.has(job.provider))
                await tx.jobs.add_note(job.workspace, job.ask_id, note)
        except OverCap as over:
            log.info("order.not_rerouted", job=job.id, why=str(over))
            return None
        self.bench.moves.announce(job, moved)
        log.info("order.rerouted", job=job.id, before=job.provider, after=route.can.provider)
        return moved


def _rerouted(route: Route) -> Rerouted:
    return Rerouted(
        provider=route.can.provider,
        model=route.can.model,
        recipe=route.recipe,
        price_micro_usd=route.price.micro_usd,
        price_assumed=route.price.assumed,
    )


def _asks_first(job: Job, route: Route, policy: Policy) -> bool:
    """Whether the whole ask would cost more there, and so much that nobody spends it without a button."""
    dearer = route.price.micro_usd > job.price_micro_usd
    return dearer and route.price.micro_usd * job.takes > policy.confirm_above_micro_usd


def _note(job: Job, route: Route, *, there: bool) -> str:
    why = "takes no orders now" if there else "is not set up here any more"
    price = dollars(route.price.micro_usd)
    return f"{job.provider} {why} and charged nothing: made by {route.can.provider} at {price} a clip."
