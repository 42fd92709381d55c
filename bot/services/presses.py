"""What people press on cards: gates are passed or closed, and wishes are left for the runner, who alone moves jobs.

A card is pressed where it stands: what a press names is of that channel, whose rules and caps are asked.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from bot.domain.access import Action, Why
from bot.domain.audit import Act, AuditEntry
from bot.domain.budget import Stage
from bot.domain.job import AWAITS_PROVIDER, Ask, AskKind, Decision, Door, Gate, Job, State, Wish
from bot.ports import Clock, CommitUnknown, Storage, StorageError, Transaction
from bot.services.answers import (
    AlreadyTaken,
    Flagged,
    NotAllowed,
    NothingToDo,
    NotYours,
    PressUnknown,
    TakenBackBeforeOrder,
    TooFew,
    TooLateToTakeBack,
)
from bot.services.gatekeeper import Gatekeeper
from bot.services.holds import hold
from bot.services.policies import Policies
from bot.services.policy import Policy
from bot.services.standing import for_reactions_alone
from bot.services.taking import Sender

_Answer = TypeVar("_Answer", Flagged, Flagged | AlreadyTaken)

_KEPT = State.CANCELLED
"""A cancelled job with a clip is kept: it can be delivered after all."""

_ACTS = {
    Wish.GIVE_UP: Act.GAVE_UP,
    Wish.DELIVER_AGAIN: Act.DELIVERED_AGAIN,
    Wish.USE_ANOTHER_PROVIDER: Act.SENT_ELSEWHERE,
}


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
        that of anybody who may spend here, who then pays, once as many stand behind it as the channel's quorum says.
        Raises OverCap and TooFew (the question stays open), NotAllowed, NotYours, NothingToDo."""
        now = self._clock.now()
        policy = await self._allowed(sender)
        await self._see_quorum(sender, ask_id, policy, now)

        async def write(tx: Transaction) -> Flagged | AlreadyTaken:
            ask = await _question(tx, sender, ask_id, now)
            if not await tx.inbox.take(sender.workspace, sender.key, now):
                return AlreadyTaken(ask=ask)
            # Decided before it is held: of two presses at once only one passes, and its presser is the payer.
            if not await tx.jobs.decide(ask.workspace, ask.id, Decision.GO, sender.person):
                raise NothingToDo("Confirm")
            jobs = [job for job in await tx.jobs.of_ask(ask.workspace, ask.id) if job.state is State.WAITING]
            if not jobs:
                # Whatever ended them, nothing will come of them that could be paid for.
                raise NothingToDo("Confirm")
            await hold(tx, jobs, policy, now)
            line = self._line(Act.CONFIRMED, sender, ask=ask, micro_usd=sum(job.price_micro_usd for job in jobs))
            await tx.audit.add(replace(line, price_assumed=any(job.price_assumed for job in jobs)))
            return Flagged(ask=ask)

        return await self._written(sender, write)

    async def undo(self, sender: Sender, ask_id: str) -> Flagged:
        """Take a press on *Undo* within the window: by the person who asked, a supporter, or an admin."""
        why_not = await self._why_not(sender)

        async def write(tx: Transaction) -> Flagged:
            ask = await _ask(tx, sender, ask_id, "Undo")
            if ask.gate is not Gate.UNDO or ask.decision:
                raise NothingToDo("Undo")
            supporters = {supporter.person for supporter in await tx.jobs.supporters(ask.workspace, ask.id)}
            _must_be(sender, {ask.person} | supporters, "undo this", why_not)
            if not await tx.jobs.decide(ask.workspace, ask.id, Decision.STOP, sender.person):
                # Its window closed this very moment, and its money is held.
                raise NothingToDo("Undo")
            await tx.jobs.retire(ask.workspace, ask.id)
            await tx.audit.add(self._line(Act.UNDONE, sender, ask=ask))
            return Flagged(ask=ask)

        return await self._written(sender, write)

    async def cancel(self, sender: Sender, ask_id: str) -> Flagged:
        """Take a press on *Cancel*: stop what is not yet ordered, and do not post what is. By the asker or an admin."""
        why_not = await self._why_not(sender)

        async def write(tx: Transaction) -> Flagged:
            ask = await _ask(tx, sender, ask_id, "Cancel")
            _must_be(sender, {ask.person}, "cancel this", why_not)
            # What is being shared already cannot be called back.
            jobs = await tx.jobs.of_ask(ask.workspace, ask.id)
            running = [job for job in jobs if not job.finished and job.file_id is None]
            if not running:
                raise NothingToDo("Cancel")
            undecided = ask.gate is not None and ask.decision is None
            if undecided and await tx.jobs.decide(ask.workspace, ask.id, Decision.STOP, sender.person):
                await tx.jobs.retire(ask.workspace, ask.id)
            for job in running:
                # The later word holds: who wanted it delivered after all said so before.
                await tx.jobs.clear_wish(job.workspace, job.id, Wish.DELIVER_AGAIN)
                await tx.jobs.request_cancel(job.workspace, job.id, sender.person)
            await tx.jobs.redraw(ask.workspace, ask.id)
            await tx.audit.add(self._line(Act.CANCELLED, sender, ask=ask))
            return Flagged(ask=ask)

        return await self._written(sender, write)

    async def cancel_message(self, sender: Sender, ts: str) -> Flagged | None:
        """Take an :x: on a card. None when there is nothing of ours to stop, or the person may not: a reaction may
        be meant otherwise."""
        async with self._storage.read() as tx:
            ask = await tx.jobs.find_card(sender.workspace, sender.channel, ts)
        if ask is None:
            return None
        try:
            return await self.cancel(sender, ask.id)
        except (NotAllowed, NotYours, NothingToDo):
            return None

    async def reaction_removed(self, sender: Sender, ts: str) -> None:
        """Take it that somebody took a :rocket: back, however late it is heard of. Within the window nothing is to be
        done: who stands at its end is read from Slack. Where that was after it, and the final is theirs to pay, raises
        TakenBackBeforeOrder as long as it is not ordered, else TooLateToTakeBack."""
        async with self._storage.read() as tx:
            draft = await tx.jobs.by_message(sender.workspace, sender.channel, ts)
            if draft is None:
                return
            for job in await tx.jobs.in_thread(draft.workspace, draft.thread_id):
                if job.stage is not Stage.FINAL or job.state in {State.FAILED, State.CANCELLED}:
                    continue
                ask = await tx.jobs.ask(job.workspace, job.ask_id)
                asked_so = (ask.parent_job, ask.door, ask.decision) == (draft.id, Door.REACTION, Decision.GO)
                in_time = sender.at is not None and ask.decide_by is not None and sender.at < ask.decide_by
                if asked_so and job.person == sender.person and not in_time:
                    not_ordered = job.state in {State.WAITING, State.QUEUED}
                    if not_ordered and for_reactions_alone(job, ask):
                        raise TakenBackBeforeOrder(job)
                    raise TooLateToTakeBack(job)

    # --- one job -----------------------------------------------------------------------------------------------------

    async def check_again(self, sender: Sender, job_id: str) -> Flagged:
        """Take a press on *Check again* of an uncertain clip, by its payer or whoever may spend here. Costs nothing."""
        await self._takes_part(sender, job_id, "Check again")
        return await self._wish(sender, job_id, Wish.CHECK_AGAIN, "Check again", {State.UNCERTAIN})

    async def give_up(self, sender: Sender, job_id: str) -> Flagged:
        """Take a press on *Give up*: the order is counted as spent. By who pays for it or an admin."""
        why_not = await self._why_not(sender)
        async with self._storage.read() as tx:
            job = await _job(tx, sender, job_id, "Give up")
        _must_be(sender, {job.person}, "give this up", why_not)
        return await self._wish(sender, job_id, Wish.GIVE_UP, "Give up", {State.UNCERTAIN})

    async def deliver_again(self, sender: Sender, job_id: str) -> Flagged:
        """Take a press on *Deliver again*: a kept clip, or one that Slack refused so far, by its payer or whoever may
        spend here. Costs nothing."""
        await self._takes_part(sender, job_id, "Deliver again")
        return await self._wish(sender, job_id, Wish.DELIVER_AGAIN, "Deliver again", {State.DELIVERING, _KEPT})

    async def use_another_provider(self, sender: Sender, job_id: str, most_micro_usd: int | None = None) -> Flagged:
        """Take a press on *Use another provider* of a clip whose own takes no orders: by its payer, whose money it is.
        ``most_micro_usd`` is the price that the button showed; without one it is the clip's own. Raises NotAllowed,
        NotYours, NothingToDo."""
        verb = "Use another provider"
        await self._allowed(sender)
        async with self._storage.read() as tx:
            job = await _job(tx, sender, job_id, verb)
        if job.wait_reason not in AWAITS_PROVIDER:
            raise NothingToDo(verb)
        if sender.person != job.person:
            raise NotYours("send this elsewhere", f"<@{job.person}>")
        wish = Wish.USE_ANOTHER_PROVIDER
        return await self._wish(sender, job_id, wish, verb, {State.WAITING}, most_micro_usd=most_micro_usd)

    async def order_again(self, sender: Sender, job_id: str) -> Flagged | AlreadyTaken:
        """Take a press on *Order again*: a second order that may be a second charge, with a hold of its own that the
        presser pays. Raises OverCap, NotAllowed, NothingToDo."""
        now = self._clock.now()
        policy = await self._allowed(sender)

        async def write(tx: Transaction) -> Flagged | AlreadyTaken:
            job = await _job(tx, sender, job_id, "Order again")
            # One for each attempt; and one that is delivered again is not meant for the attempt after.
            for key in (sender.key, f"order_again:{job.id}:{job.attempt}"):
                if not await tx.inbox.take(sender.workspace, key, now):
                    return AlreadyTaken()
            # Flagged before it is looked at: whoever moves the job now either was first, or finds that it changed.
            await tx.jobs.wish(job.workspace, job.id, Wish.ORDER_AGAIN, sender.person)
            job = await _job(tx, sender, job_id, "Order again")
            if job.state is not State.UNCERTAIN:
                raise NothingToDo("Order again")
            await hold(tx, [replace(job, person=sender.person, attempt=job.attempt + 1)], policy, now)
            line = self._line(Act.ORDERED_AGAIN, sender, job=job, micro_usd=job.price_micro_usd)
            await tx.audit.add(replace(line, price_assumed=job.price_assumed))
            return Flagged(job=job)

        return await self._written(sender, write)

    # --- inside ------------------------------------------------------------------------------------------------------

    async def _written(self, sender: Sender, write: Callable[[Transaction], Awaitable[_Answer]]) -> _Answer:
        """What ``write`` answers, when its transaction is committed. A receipt goes with it, by which a commit of
        unknown outcome is read back, and what was not written is written again. Raises PressUnknown where that cannot
        be found out either."""
        now = self._clock.now()
        receipt = f"{sender.key}:{sender.person}:{now.isoformat()}"
        try:
            async with self._storage.begin() as tx:
                answer = await write(tx)
                await tx.inbox.take(sender.workspace, receipt, now)
        except CommitUnknown:
            try:
                async with self._storage.begin() as tx:
                    if await tx.inbox.take(sender.workspace, receipt, now):
                        answer = await write(tx)
            except StorageError as error:
                raise PressUnknown from error
        if isinstance(answer, Flagged):
            self._wake()
        return answer

    async def _allowed(self, sender: Sender) -> Policy:
        """The channel's policy, for somebody who may spend there. Raises NotAllowed."""
        policy = await self._policies.of(sender.workspace, sender.channel)
        await self._gatekeeper.check(Action.SPEND, person=sender.person, channel=sender.channel, policy=policy)
        return policy

    async def _see_quorum(self, sender: Sender, ask_id: str, policy: Policy, now: datetime) -> None:
        """See that enough people who may spend here stand behind a final that reactions asked for, with whoever
        presses. Raises TooFew, NotYours, NothingToDo."""
        async with self._storage.read() as tx:
            ask = await _question(tx, sender, ask_id, now)
            supporters = await tx.jobs.supporters(ask.workspace, ask.id)
        if ask.door is not Door.REACTION or policy.quorum == 1:
            return
        others = {supporter.person for supporter in supporters} - {sender.person}
        may = self._gatekeeper.may_be_told
        whys = [await may(Action.SPEND, person=person, channel=ask.channel, policy=policy) for person in sorted(others)]
        there = 1 + whys.count(None)
        if there < policy.quorum:
            raise TooFew(quorum=policy.quorum, there=there, emoji=next(iter(policy.promoting), None))

    async def _takes_part(self, sender: Sender, job_id: str, verb: str) -> None:
        """See that it is the person's own clip, or that they may spend where it is. Raises NotAllowed, NothingToDo."""
        async with self._storage.read() as tx:
            job = await _job(tx, sender, job_id, verb)
        if sender.person != job.person:
            await self._allowed(sender)

    async def _why_not(self, sender: Sender) -> Why | None:
        """Why the person may not act on other people's asks; None when they may."""
        policy = await self._policies.of(sender.workspace, sender.channel)
        return await self._gatekeeper.may_be_told(
            Action.STEER, person=sender.person, channel=sender.channel, policy=policy
        )

    async def _wish(
        self,
        sender: Sender,
        job_id: str,
        wish: Wish,
        verb: str,
        states: set[State],
        *,
        most_micro_usd: int | None = None,
    ) -> Flagged:

        async def write(tx: Transaction) -> Flagged:
            job = await _job(tx, sender, job_id, verb)
            if job.state not in states or (job.state is _KEPT and job.clip_key is None):
                raise NothingToDo(verb)
            if job.wish is Wish.ORDER_AGAIN:
                # Its money is held and its press used up: it must not be forgotten for another one's sake.
                raise NothingToDo(verb)
            await tx.jobs.wish(job.workspace, job.id, wish, sender.person, most_micro_usd)
            if wish in _ACTS:
                await tx.audit.add(self._line(_ACTS[wish], sender, job=job))
            return Flagged(job=job)

        return await self._written(sender, write)

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
        job = await tx.jobs.job(sender.workspace, job_id)
    except KeyError:
        raise NothingToDo(verb) from None
    if job.channel != sender.channel:
        raise NothingToDo(verb)
    return job


async def _ask(tx: Transaction, sender: Sender, ask_id: str, verb: str) -> Ask:
    try:
        ask = await tx.jobs.ask(sender.workspace, ask_id)
    except KeyError:
        raise NothingToDo(verb) from None
    if ask.channel != sender.channel:
        raise NothingToDo(verb)
    return ask


async def _question(tx: Transaction, sender: Sender, ask_id: str, now: datetime) -> Ask:
    """An ask that still waits for *Confirm*, and for this person's. Raises NotYours, NothingToDo."""
    ask = await _ask(tx, sender, ask_id, "Confirm")
    over = ask.decide_by is not None and now >= ask.decide_by
    if ask.gate is not Gate.CONFIRMATION or ask.decision or over:
        raise NothingToDo("Confirm")
    if ask.kind is not AskKind.PROMOTION and sender.person != ask.person:
        raise NotYours("confirm", f"<@{ask.person}>")
    return ask


def _must_be(sender: Sender, allowed: set[str], verb: str, why_not: Why | None) -> None:
    """See that it is one of those people, or somebody whom nothing keeps from acting on other people's asks."""
    if sender.person in allowed or why_not is None:
        return
    if why_not is not Why.NOT_ADMIN:
        raise NotAllowed(why_not)
    raise NotYours(verb, " or ".join(f"<@{person}>" for person in sorted(allowed)) + " or an admin")
