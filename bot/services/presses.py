"""What people press on cards: gates are passed or closed, and wishes are left for the runner, who alone moves jobs."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from bot.domain.access import Action
from bot.domain.audit import Act, AuditEntry
from bot.domain.job import Ask, AskKind, Decision, Gate, Job, State, Wish
from bot.ports import Clock, Storage, Transaction
from bot.services.answers import AlreadyTaken, Flagged, NotAllowed, NothingToDo, NotYours
from bot.services.gatekeeper import Gatekeeper
from bot.services.policies import Policies
from bot.services.policy import Policy
from bot.services.taking import Sender, hold

_KEPT = State.CANCELLED
"""A cancelled job with a clip is kept: it can be delivered after all."""

_ACTS = {Wish.GIVE_UP: Act.GAVE_UP, Wish.DELIVER_AGAIN: Act.DELIVERED_AGAIN}


class Presses:
    """The use-cases behind buttons. ``wake`` is called after each commit that gave the runner something to do."""

    def __init__(
        self,
        *,
        storage: Storage,
        policies: Policies,
        gatekeeper: Gatekeeper,
        clock: Clock,
        wake: Callable[[], None],
    ) -> None:
        self._storage = storage
        self._policies = policies
        self._gatekeeper = gatekeeper
        self._clock = clock
        self._wake = wake

    # --- gates -------------------------------------------------------------------------------------------------------

    async def confirm(self, sender: Sender, ask_id: str) -> Flagged | AlreadyTaken:
        """Take a press on *Confirm*: hold the money now. An ask's own confirmation is the asker's; a promotion's is
        that of anybody who may spend here, who then pays. Raises OverCap (the question stays open), NotAllowed,
        NotYours, NothingToDo."""
        now = self._clock.now()
        policy = await self._allowed(sender)
        async with self._storage.begin() as tx:
            ask = await _ask(tx, sender, ask_id, "Confirm")
            if ask.gate is not Gate.CONFIRMATION or ask.decision or _over(ask, now):
                raise NothingToDo("Confirm")
            if ask.kind is not AskKind.PROMOTION and sender.person != ask.person:
                raise NotYours("confirm", f"<@{ask.person}>")
            if not await tx.inbox.take(sender.workspace, sender.key, now):
                return AlreadyTaken(ask=ask)
            jobs = await tx.jobs.of_ask(ask.workspace, ask.id)
            await hold(tx, [replace(job, person=sender.person) for job in jobs], policy, now)
            await tx.jobs.decide(ask.workspace, ask.id, Decision.GO, sender.person)
            price = sum(job.price_micro_usd for job in jobs)
            await tx.audit.add(self._line(Act.CONFIRMED, sender, ask=ask, micro_usd=price))
        self._wake()
        return Flagged(ask=ask)

    async def undo(self, sender: Sender, ask_id: str) -> Flagged:
        """Take a press on *Undo* within the window: by the person who asked, a supporter, or an admin."""
        steers = await self._steers(sender)
        async with self._storage.begin() as tx:
            ask = await _ask(tx, sender, ask_id, "Undo")
            if ask.gate is not Gate.UNDO or ask.decision:
                raise NothingToDo("Undo")
            supporters = {supporter.person for supporter in await tx.jobs.supporters(ask.workspace, ask.id)}
            _must_be(sender, {ask.person} | supporters, "undo this", steers)
            await tx.jobs.decide(ask.workspace, ask.id, Decision.STOP, sender.person)
            await tx.jobs.retire(ask.workspace, ask.id)
            await tx.audit.add(self._line(Act.UNDONE, sender, ask=ask))
        self._wake()
        return Flagged(ask=ask)

    async def cancel(self, sender: Sender, ask_id: str) -> Flagged:
        """Take a press on *Cancel*: stop what is not yet ordered, and do not post what is. By the asker or an admin."""
        steers = await self._steers(sender)
        async with self._storage.begin() as tx:
            ask = await _ask(tx, sender, ask_id, "Cancel")
            _must_be(sender, {ask.person}, "cancel this", steers)
            # What is being shared already cannot be called back.
            jobs = await tx.jobs.of_ask(ask.workspace, ask.id)
            running = [job for job in jobs if not job.finished and job.file_id is None]
            if not running:
                raise NothingToDo("Cancel")
            if ask.gate and not ask.decision:
                await tx.jobs.decide(ask.workspace, ask.id, Decision.STOP, sender.person)
                await tx.jobs.retire(ask.workspace, ask.id)
            for job in running:
                await tx.jobs.request_cancel(job.workspace, job.id, sender.person)
            await tx.jobs.redraw(ask.workspace, ask.id)
            await tx.audit.add(self._line(Act.CANCELLED, sender, ask=ask))
        self._wake()
        return Flagged(ask=ask)

    async def cancel_message(self, sender: Sender, ts: str) -> Flagged | None:
        """Take an :x: on a card, or on a clip's message: a clip that stands is not cancelled. None when there is
        nothing of ours to stop, or the person may not: a reaction may be meant otherwise."""
        async with self._storage.read() as tx:
            ask = await tx.jobs.find_card(sender.workspace, sender.channel, ts)
        if ask is None:
            return None
        try:
            return await self.cancel(sender, ask.id)
        except (NotYours, NothingToDo):
            return None

    # --- one job -----------------------------------------------------------------------------------------------------

    async def check_again(self, sender: Sender, job_id: str) -> Flagged:
        """Take a press on *Check again* of an uncertain clip. Costs nothing."""
        return await self._wish(sender, job_id, Wish.CHECK_AGAIN, "Check again", {State.UNCERTAIN})

    async def give_up(self, sender: Sender, job_id: str) -> Flagged:
        """Take a press on *Give up*: the order is counted as spent. By the asker or an admin."""
        steers = await self._steers(sender)
        async with self._storage.read() as tx:
            job = await _job(tx, sender, job_id, "Give up")
        _must_be(sender, {job.person}, "give this up", steers)
        return await self._wish(sender, job_id, Wish.GIVE_UP, "Give up", {State.UNCERTAIN})

    async def deliver_again(self, sender: Sender, job_id: str) -> Flagged:
        """Take a press on *Deliver again*: a kept clip, or one that Slack refused so far. Costs nothing."""
        return await self._wish(sender, job_id, Wish.DELIVER_AGAIN, "Deliver again", {State.DELIVERING, _KEPT})

    async def order_again(self, sender: Sender, job_id: str) -> Flagged | AlreadyTaken:
        """Take a press on *Order again*: a second order that may be a second charge, with a hold of its own that the
        presser pays. Raises OverCap, NotAllowed, NothingToDo."""
        now = self._clock.now()
        policy = await self._allowed(sender)
        async with self._storage.begin() as tx:
            job = await _job(tx, sender, job_id, "Order again")
            if not await tx.inbox.take(sender.workspace, f"order_again:{job.id}:{job.attempt}", now):
                return AlreadyTaken()
            if job.state is not State.UNCERTAIN:
                raise NothingToDo("Order again")
            await hold(tx, [replace(job, person=sender.person, attempt=job.attempt + 1)], policy, now)
            await tx.jobs.wish(job.workspace, job.id, Wish.ORDER_AGAIN, sender.person)
            await tx.audit.add(self._line(Act.ORDERED_AGAIN, sender, job=job, micro_usd=job.price_micro_usd))
        self._wake()
        return Flagged(job=job)

    # --- inside ------------------------------------------------------------------------------------------------------

    async def _allowed(self, sender: Sender) -> Policy:
        """The channel's policy, for somebody who may spend there. Raises NotAllowed."""
        policy = await self._policies.of(sender.workspace, sender.channel)
        await self._gatekeeper.check(Action.SPEND, person=sender.person, channel=sender.channel, policy=policy)
        return policy

    async def _steers(self, sender: Sender) -> bool:
        """Whether the person may act on other people's asks."""
        policy = await self._policies.of(sender.workspace, sender.channel)
        try:
            await self._gatekeeper.check(Action.STEER, person=sender.person, channel=sender.channel, policy=policy)
        except NotAllowed:
            return False
        return True

    async def _wish(self, sender: Sender, job_id: str, wish: Wish, verb: str, states: set[State]) -> Flagged:
        async with self._storage.begin() as tx:
            job = await _job(tx, sender, job_id, verb)
            if job.state not in states or (job.state is _KEPT and job.clip_key is None):
                raise NothingToDo(verb)
            if job.wish is Wish.ORDER_AGAIN:
                # Its money is held and its press used up: it must not be forgotten for another one's sake.
                raise NothingToDo(verb)
            await tx.jobs.wish(job.workspace, job.id, wish, sender.person)
            if wish in _ACTS:
                await tx.audit.add(self._line(_ACTS[wish], sender, job=job))
        self._wake()
        return Flagged(job=job)

    def _line(
        self, act: Act, sender: Sender, *, ask: Ask | None = None, job: Job | None = None, micro_usd: int | None = None
    ) -> AuditEntry:
        return AuditEntry(
            workspace=sender.workspace,
            at=self._clock.now(),
            act=act,
            person=sender.person,
            channel=sender.channel,
            ask_id=ask.id if ask else job.ask_id if job else None,
            job_id=job.id if job else None,
            provider=job.provider if job else None,
            task_id=job.task_id if job else None,
            micro_usd=micro_usd,
        )


async def _job(tx: Transaction, sender: Sender, job_id: str, verb: str) -> Job:
    try:
        return await tx.jobs.job(sender.workspace, job_id)
    except KeyError:
        raise NothingToDo(verb) from None


async def _ask(tx: Transaction, sender: Sender, ask_id: str, verb: str) -> Ask:
    try:
        return await tx.jobs.ask(sender.workspace, ask_id)
    except KeyError:
        raise NothingToDo(verb) from None


def _over(ask: Ask, now: datetime) -> bool:
    return ask.decide_by is not None and now >= ask.decide_by


def _must_be(sender: Sender, allowed: set[str], verb: str, steers: bool) -> None:
    if sender.person not in allowed and not steers:
        raise NotYours(verb, " or ".join(f"<@{person}>" for person in sorted(allowed)) + " or an admin")
