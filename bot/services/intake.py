"""What people ask, made into rows. Every door comes through here; nothing here talks to Slack or to a provider.

One transaction takes the event's unique key, writes the ask with its jobs, and sets the money aside. When it has
committed, the caller may tell the person that it was accepted, and not before.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from bot.domain.budget import OverCap, caps_on
from bot.domain.ids import new_id
from bot.domain.job import (
    Ask,
    AskKind,
    Decision,
    Door,
    Gate,
    Job,
    State,
    Supporter,
    Thread,
    TimelineEntry,
    WaitReason,
    Wish,
)
from bot.domain.lineage import Changes, Method, differences, promote, vary
from bot.domain.recipe import Recipe
from bot.ports import AlreadyLive, Clock, CommitUnknown, Storage, Transaction
from bot.services.answers import (
    AlreadyTaken,
    Estimated,
    Flagged,
    NoSuchClip,
    NothingChanges,
    NothingToDo,
    NotPromotable,
    NotYours,
    Taken,
    WhichClip,
)
from bot.services.holds import caps_for, hold_for
from bot.services.policy import Policy
from bot.services.routing import Route, Router

_KEPT = State.CANCELLED
"""A cancelled job with a clip is kept: it can be delivered after all."""


@dataclass(frozen=True, kw_only=True)
class Sender:
    """Who asks, where, and the key under which this very event is taken once."""

    workspace: str
    channel: str
    person: str
    key: str
    reply_url: str | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """An ask before it is written."""

    kind: AskKind
    door: Door
    text: str
    recipe: Recipe
    takes: int
    route: Route
    gate: Gate | None
    parent: Job | None = None
    method: Method | None = None
    unique_key: str | None = None

    @property
    def total_micro_usd(self) -> int:
        return self.route.price.micro_usd * self.takes


class Intake:
    """The use-cases of people. ``wake`` is called after each commit that gave the runner something to do."""

    def __init__(
        self, *, storage: Storage, router: Router, policy: Policy, clock: Clock, wake: Callable[[], None]
    ) -> None:
        self._storage = storage
        self._router = router
        self._policy = policy
        self._clock = clock
        self._wake = wake

    # --- asks --------------------------------------------------------------------------------------------------------

    async def draft(
        self,
        sender: Sender,
        prompt: str,
        changes: Changes,
        *,
        provider: str | None = None,
        final: bool = False,
        estimate: bool = False,
    ) -> Taken | Estimated | AlreadyTaken:
        """Take a ``/clip``. Raises OverCap, NoPrice or a Refusal; then nothing was written."""
        recipe = replace(vary(self._preset(final), changes), prompt=prompt)
        route = self._router.route(recipe, provider)
        plan = _Plan(
            kind=AskKind.DRAFT,
            door=Door.COMMAND,
            text=prompt,
            recipe=recipe,
            takes=changes.takes or 1,
            route=route,
            gate=None,
        )
        costly = plan.total_micro_usd > self._policy.confirm_above_micro_usd
        if estimate:
            return Estimated(
                recipe=recipe,
                takes=plan.takes,
                provider=route.can.provider,
                model=route.can.model,
                price_each_micro_usd=route.price.micro_usd,
                assumed=route.price.assumed,
                needs_confirmation=costly,
            )
        return await self._take(sender, replace(plan, gate=Gate.CONFIRMATION if costly else None), thread=None)

    async def variant(
        self, sender: Sender, root_ts: str, number: int | None, changes: Changes, text: str
    ) -> Taken | AlreadyTaken | None:
        """Take a reply in a thread as a variant of clip ``#number``, or of the only clip. None when the thread is not
        ours. Raises NoSuchClip, WhichClip, OverCap, NoPrice or a Refusal."""
        async with self._storage.read() as tx:
            thread = await tx.jobs.find_thread(sender.workspace, sender.channel, root_ts)
            if thread is None:
                return None
            parent = _chosen(await tx.jobs.in_thread(sender.workspace, thread.id), number)
        recipe = vary(parent.recipe, changes)
        if recipe == parent.recipe and (changes.takes or 1) == 1:
            raise NothingChanges(parent.number)
        plan = self._gated(
            _Plan(
                kind=AskKind.VARIANT,
                door=Door.REPLY,
                text=text,
                recipe=recipe,
                takes=changes.takes or 1,
                route=self._router.route(recipe, None),
                gate=None,
                parent=parent,
            )
        )
        return await self._take(sender, plan, thread=thread)

    async def promote_message(self, sender: Sender, message_ts: str) -> Taken | AlreadyTaken | None:
        """Take a :rocket: on a message. None when the message is not a clip of ours, or not known to be one yet:
        then every clip that is just being shared in the channel is looked at again when its message is known."""
        async with self._storage.begin() as tx:
            job = await tx.jobs.by_message(sender.workspace, sender.channel, message_ts)
            card = await tx.jobs.find_card(sender.workspace, sender.channel, message_ts)
            unknown = () if job or card else await tx.jobs.being_shared(sender.workspace, sender.channel)
            for candidate in (one for one in unknown if one.wish is None):
                await tx.jobs.wish(candidate.workspace, candidate.id, Wish.SEE_REACTIONS, sender.person)
        if unknown:
            self._wake()
        return None if job is None else await self._promote(sender, job, Door.REACTION)

    async def promote_early(self, job: Job, person: str) -> None:
        """Take a :rocket: that was given before we knew the clip's message."""
        key = f"early:{job.id}:{person}"
        sender = Sender(workspace=job.workspace, channel=job.channel, person=person, key=key)
        await self._promote(sender, job, Door.REACTION)

    async def promote_job(self, sender: Sender, job_id: str) -> Taken | AlreadyTaken:
        """Take a press on *Promote*."""
        async with self._storage.read() as tx:
            job = await self._job(tx, sender, job_id, "Promote")
        return await self._promote(sender, job, Door.BUTTON)

    async def promote_number(self, sender: Sender, root_ts: str, number: int) -> Taken | AlreadyTaken | None:
        """Take ``promote #n`` in a thread. None when the thread is not ours."""
        async with self._storage.read() as tx:
            thread = await tx.jobs.find_thread(sender.workspace, sender.channel, root_ts)
            if thread is None:
                return None
            job = _chosen(await tx.jobs.in_thread(sender.workspace, thread.id), number)
        return await self._promote(sender, job, Door.REPLY)

    async def is_ours(self, workspace: str, channel: str, root_ts: str) -> bool:
        """Whether that thread is one of ours: replies elsewhere are not even read."""
        async with self._storage.read() as tx:
            return await tx.jobs.find_thread(workspace, channel, root_ts) is not None

    # --- gates -------------------------------------------------------------------------------------------------------

    async def confirm(self, sender: Sender, ask_id: str) -> Flagged | AlreadyTaken:
        """Take a press on *Confirm*: hold the money now. An ask's own confirmation is the asker's; a promotion's is
        anybody's, who then pays. Raises OverCap (the question stays open), NotYours, NothingToDo."""
        now = self._clock.now()
        async with self._storage.begin() as tx:
            ask = await self._ask(tx, sender, ask_id, "Confirm")
            if ask.gate is not Gate.CONFIRMATION or ask.decision or _over(ask, now):
                raise NothingToDo("Confirm")
            if ask.kind is not AskKind.PROMOTION and sender.person != ask.person:
                raise NotYours("confirm", f"<@{ask.person}>")
            if not await tx.inbox.take(sender.workspace, sender.key, now):
                return AlreadyTaken(ask=ask)
            jobs = await tx.jobs.of_ask(ask.workspace, ask.id)
            await self._hold(tx, [replace(job, person=sender.person) for job in jobs], now)
            await tx.jobs.decide(ask.workspace, ask.id, Decision.GO, sender.person)
        self._wake()
        return Flagged(ask=ask)

    async def undo(self, sender: Sender, ask_id: str) -> Flagged:
        """Take a press on *Undo* within the window: by the person who asked, a supporter, or an admin."""
        async with self._storage.begin() as tx:
            ask = await self._ask(tx, sender, ask_id, "Undo")
            if ask.gate is not Gate.UNDO or ask.decision:
                raise NothingToDo("Undo")
            supporters = {supporter.person for supporter in await tx.jobs.supporters(ask.workspace, ask.id)}
            self._must_be(sender, {ask.person} | supporters, "undo this")
            await tx.jobs.decide(ask.workspace, ask.id, Decision.STOP, sender.person)
            await tx.jobs.retire(ask.workspace, ask.id)
        self._wake()
        return Flagged(ask=ask)

    async def cancel(self, sender: Sender, ask_id: str) -> Flagged:
        """Take a press on *Cancel*: stop what is not yet ordered, and do not post what is. By the asker or an admin."""
        async with self._storage.begin() as tx:
            ask = await self._ask(tx, sender, ask_id, "Cancel")
            self._must_be(sender, {ask.person}, "cancel this")
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
        async with self._storage.read() as tx:
            job = await self._job(tx, sender, job_id, "Give up")
        self._must_be(sender, {job.person}, "give this up")
        return await self._wish(sender, job_id, Wish.GIVE_UP, "Give up", {State.UNCERTAIN})

    async def deliver_again(self, sender: Sender, job_id: str) -> Flagged:
        """Take a press on *Deliver again*: a kept clip, or one that Slack refused so far. Costs nothing."""
        return await self._wish(sender, job_id, Wish.DELIVER_AGAIN, "Deliver again", {State.DELIVERING, _KEPT})

    async def order_again(self, sender: Sender, job_id: str) -> Flagged | AlreadyTaken:
        """Take a press on *Order again*: a second order that may be a second charge, with a hold of its own that the
        presser pays. Raises OverCap, NothingToDo."""
        now = self._clock.now()
        async with self._storage.begin() as tx:
            job = await self._job(tx, sender, job_id, "Order again")
            if not await tx.inbox.take(sender.workspace, f"order_again:{job.id}:{job.attempt}", now):
                return AlreadyTaken()
            if job.state is not State.UNCERTAIN:
                raise NothingToDo("Order again")
            await self._hold(tx, [replace(job, person=sender.person, attempt=job.attempt + 1)], now)
            await tx.jobs.wish(job.workspace, job.id, Wish.ORDER_AGAIN, sender.person)
        self._wake()
        return Flagged(job=job)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _preset(self, final: bool) -> Recipe:
        if not final:
            return self._policy.draft
        return replace(promote(self._policy.draft, self._policy.final), seconds=self._policy.final_seconds)

    def _gated(self, plan: _Plan) -> _Plan:
        costly = plan.total_micro_usd > self._policy.confirm_above_micro_usd
        return replace(plan, gate=Gate.CONFIRMATION if costly else Gate.UNDO)

    async def _promote(self, sender: Sender, draft: Job, door: Door) -> Taken | AlreadyTaken:
        async with self._storage.read() as tx:
            ask = await tx.jobs.ask(draft.workspace, draft.ask_id)
            thread = await tx.jobs.thread(draft.workspace, draft.thread_id)
        # A clip that people may see already is promotable, also while we still look for its message.
        if draft.state not in {State.DELIVERED, State.DELIVERING} or ask.kind is AskKind.PROMOTION:
            raise NotPromotable(draft)
        recipe = promote(draft.recipe, self._policy.final)
        if recipe == draft.recipe:
            raise NotPromotable(draft)
        method = Method.SAME_RECIPE
        plan = self._gated(
            _Plan(
                kind=AskKind.PROMOTION,
                door=door,
                text="",
                recipe=recipe,
                takes=1,
                route=self._router.route(recipe, draft.provider),
                gate=None,
                parent=draft,
                method=method,
                unique_key=f"final:{draft.id}:{recipe.key()}:{method.value}",
            )
        )
        return await self._take(sender, plan, thread=thread)

    async def _take(self, sender: Sender, plan: _Plan, *, thread: Thread | None) -> Taken | AlreadyTaken:
        now = self._clock.now()
        try:
            async with self._storage.begin() as tx:
                taken = await self._write(tx, sender, plan, thread, now)
        except AlreadyLive:
            # Two people reacted at once: the other's ask was written first, and this one supports it.
            return await self._take(sender, plan, thread=thread)
        except CommitUnknown:
            # Written whole or not at all. The same again finds out: its key lets it be written only once.
            async with self._storage.begin() as tx:
                taken = await self._write(tx, sender, plan, thread, now)
        self._wake()
        return taken

    async def _write(
        self, tx: Transaction, sender: Sender, plan: _Plan, thread: Thread | None, now: datetime
    ) -> Taken | AlreadyTaken:
        if not await tx.inbox.take(sender.workspace, sender.key, now):
            return AlreadyTaken()
        if plan.unique_key and (live := await tx.jobs.live_ask(sender.workspace, plan.unique_key)):
            if plan.door is Door.REACTION and not live.decision:
                await tx.jobs.support(live.workspace, live.id, Supporter(person=sender.person, at=now))
            return AlreadyTaken(ask=live)
        thread = thread or await self._new_thread(tx, sender, now)
        ask = self._new_ask(sender, plan, thread, now)
        await tx.jobs.add_ask(ask)
        if plan.door is Door.REACTION:
            await tx.jobs.support(ask.workspace, ask.id, Supporter(person=sender.person, at=now))
        first = await tx.jobs.take_numbers(thread.workspace, thread.id, plan.takes)
        # Ids of one millisecond are in no order of their own; sorted, the takes are ordered as they are numbered.
        ids = sorted(self._new_id(now) for _ in range(plan.takes))
        jobs = tuple(
            self._new_job(ask, plan, job_id, take=take, number=first + take - 1)
            for take, job_id in enumerate(ids, start=1)
        )
        for job in jobs:
            await tx.jobs.add(
                job,
                TimelineEntry(
                    workspace=job.workspace,
                    job_id=job.id,
                    at=now,
                    event="accepted",
                    state=job.state,
                    detail=sender.person,
                ),
            )
        if plan.gate is None:
            await self._hold(tx, jobs, now)
        else:
            await self._must_fit(tx, ask, plan, now)
        return Taken(ask=ask, jobs=jobs, parent=plan.parent)

    async def _new_thread(self, tx: Transaction, sender: Sender, now: datetime) -> Thread:
        thread = Thread(
            workspace=sender.workspace,
            id=self._new_id(now),
            channel=sender.channel,
            root_ts=None,
            next_number=1,
            created_at=now,
        )
        await tx.jobs.add_thread(thread)
        return thread

    def _new_ask(self, sender: Sender, plan: _Plan, thread: Thread, now: datetime) -> Ask:
        valid = {
            None: None,
            Gate.CONFIRMATION: now + self._policy.confirmation_valid,
            Gate.UNDO: now + self._policy.undo,
        }
        return Ask(
            workspace=sender.workspace,
            id=self._new_id(now),
            thread_id=thread.id,
            channel=thread.channel,
            root_ts=thread.root_ts,
            person=sender.person,
            kind=plan.kind,
            door=plan.door,
            text=plan.text,
            created_at=now,
            parent_job=plan.parent.id if plan.parent else None,
            method=plan.method,
            unique_key=plan.unique_key,
            notes=_notes(plan),
            gate=plan.gate,
            decide_by=valid[plan.gate],
            reply_url=sender.reply_url,
        )

    def _new_job(self, ask: Ask, plan: _Plan, job_id: str, *, take: int, number: int) -> Job:
        reasons = {
            None: None,
            Gate.CONFIRMATION: WaitReason.CONFIRMATION,
            Gate.UNDO: WaitReason.UNDO_WINDOW,
        }
        return Job(
            workspace=ask.workspace,
            id=job_id,
            ask_id=ask.id,
            thread_id=ask.thread_id,
            channel=ask.channel,
            person=ask.person,
            number=number,
            take=take,
            takes=plan.takes,
            recipe=plan.recipe,
            provider=plan.route.can.provider,
            model=plan.route.can.model,
            state=State.WAITING if plan.gate else State.QUEUED,
            wait_reason=reasons[plan.gate],
            price_micro_usd=plan.route.price.micro_usd,
            price_assumed=plan.route.price.assumed,
            created_at=ask.created_at,
            updated_at=ask.created_at,
            due_at=ask.decide_by or ask.created_at,
        )

    async def _hold(self, tx: Transaction, jobs: Iterable[Job], now: datetime) -> None:
        holds = [hold_for(job, now) for job in jobs]
        if holds:
            await tx.ledger.hold(holds, caps_for(holds[0], self._policy, now))

    async def _must_fit(self, tx: Transaction, ask: Ask, plan: _Plan, now: datetime) -> None:
        """An ask that could not be paid now is refused now, although its money is held only when it is decided."""
        caps = caps_on(
            self._policy.caps,
            workspace=ask.workspace,
            channel=ask.channel,
            person=ask.person,
            now=now,
            zone=self._policy.zone,
        )
        for cap in caps:
            if cap.limit_micro_usd is None:
                continue
            committed = await tx.ledger.committed(cap, ask.workspace)
            if committed + plan.total_micro_usd > cap.limit_micro_usd:
                raise OverCap(cap, committed, plan.total_micro_usd)

    async def _wish(self, sender: Sender, job_id: str, wish: Wish, verb: str, states: set[State]) -> Flagged:
        async with self._storage.begin() as tx:
            job = await self._job(tx, sender, job_id, verb)
            if job.state not in states or (job.state is _KEPT and job.clip_key is None):
                raise NothingToDo(verb)
            if job.wish is Wish.ORDER_AGAIN:
                # Its money is held and its press used up: it must not be forgotten for another one's sake.
                raise NothingToDo(verb)
            await tx.jobs.wish(job.workspace, job.id, wish, sender.person)
        self._wake()
        return Flagged(job=job)

    async def _job(self, tx: Transaction, sender: Sender, job_id: str, verb: str) -> Job:
        try:
            return await tx.jobs.job(sender.workspace, job_id)
        except KeyError:
            raise NothingToDo(verb) from None

    async def _ask(self, tx: Transaction, sender: Sender, ask_id: str, verb: str) -> Ask:
        try:
            return await tx.jobs.ask(sender.workspace, ask_id)
        except KeyError:
            raise NothingToDo(verb) from None

    def _must_be(self, sender: Sender, allowed: set[str], verb: str) -> None:
        if sender.person not in allowed | self._policy.admins:
            raise NotYours(verb, " or ".join(f"<@{person}>" for person in sorted(allowed)) + " or an admin")

    def _new_id(self, now: datetime) -> str:
        return new_id(now, self._clock.random_bits)


def _chosen(jobs: tuple[Job, ...], number: int | None) -> Job:
    numbers = tuple(job.number for job in jobs)
    if number is not None:
        for job in jobs:
            if job.number == number:
                return job
        raise NoSuchClip(number, numbers)
    standing = [job for job in jobs if job.state not in {State.FAILED, State.CANCELLED}]
    if len(standing) != 1:
        raise WhichClip(tuple(job.number for job in standing) or numbers)
    return standing[0]


def _over(ask: Ask, now: datetime) -> bool:
    return ask.decide_by is not None and now >= ask.decide_by


def _notes(plan: _Plan) -> tuple[str, ...]:
    if plan.parent is None:
        return ()
    return tuple(f"{name}: {before} → {after}" for name, before, after in differences(plan.parent.recipe, plan.recipe))
