"""How an ask is written: its key, its rows and its money in one transaction. Every door's ask ends here."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from bot.domain.audit import Act, AuditEntry
from bot.domain.budget import Stage
from bot.domain.ids import new_id
from bot.domain.job import Ask, AskKind, Decision, Door, Gate, Job, State, Supporter, Thread, TimelineEntry, WaitReason
from bot.domain.lifecycle import first_state
from bot.domain.lineage import Method, differences
from bot.domain.recipe import Ratio, Recipe
from bot.ports import AlreadyLive, Clock, CommitUnknown, Storage, StorageError, Transaction
from bot.services.answers import AlreadyTaken, Taken
from bot.services.holds import hold, see_room
from bot.services.policy import Policy
from bot.services.routing import Route

_WAITS = {Gate.CONFIRMATION: WaitReason.CONFIRMATION, Gate.UNDO: WaitReason.UNDO_WINDOW}
_ACTS = {AskKind.DRAFT: Act.ASKED, AskKind.PROMOTION: Act.PROMOTED, AskKind.VARIANT: Act.VARIED}


@dataclass(frozen=True, kw_only=True)
class Sender:
    """Who asks, where, and the key under which this very event is taken once."""

    workspace: str
    channel: str
    person: str
    key: str
    reply_url: str | None = field(default=None, repr=False)
    at: datetime | None = None
    """When they did it, where that is told: what people do at once reaches us in any order."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """An ask before it is written, under the policy of its channel."""

    policy: Policy
    kind: AskKind
    stage: Stage
    door: Door
    text: str
    recipe: Recipe
    takes: int
    route: Route
    as_final_micro_usd: int | None = None
    gate: Gate | None = None
    parent: Job | None = None
    method: Method | None = None
    unique_key: str | None = None
    root_ts: str | None = None
    """The message of somebody's below which a new thread is opened; None where the card begins it."""
    notes: tuple[str, ...] = ()
    """What is to be said of the prompt on the card, beside what a variant changes."""
    named: bool = False
    """Somebody named the provider, or it is the draft's."""
    free_ratio: Ratio | None = None
    """As ``Job`` has it."""

    @property
    def total_micro_usd(self) -> int:
        """What all takes together are held at."""
        return self.route.price.micro_usd * self.takes

    @property
    def costly(self) -> bool:
        """Whether so much is not spent without a question."""
        return self.total_micro_usd > self.policy.confirm_above_micro_usd


class Taking:
    """Writes asks. ``wake`` is called after each commit that gave the runner something to do."""

    def __init__(self, *, storage: Storage, clock: Clock, wake: Callable[[], None]) -> None:
        self._storage = storage
        self._clock = clock
        self._wake = wake

    async def take(self, sender: Sender, plan: Plan, *, thread: Thread | None) -> Taken | AlreadyTaken:
        """Write the ask, in its thread or in a new one. Raises OverCap; then nothing was written. Raises CommitUnknown
        where nobody knows whether it was."""
        now = self._clock.now()
        try:
            async with self._storage.begin() as tx:
                taken = await self._write(tx, sender, plan, thread, now)
        except AlreadyLive:
            # Two people reacted at once: the other's ask was written first, and this one supports it.
            return await self.take(sender, plan, thread=thread)
        except CommitUnknown as unknown:
            # Written whole or not at all. The same again finds out: its key lets it be written only once.
            try:
                async with self._storage.begin() as tx:
                    taken = await self._write(tx, sender, plan, thread, now)
            except StorageError as error:
                # That this time nothing was written says nothing of the first.
                raise unknown from error
        self._wake()
        return taken

    async def _write(
        self, tx: Transaction, sender: Sender, plan: Plan, thread: Thread | None, now: datetime
    ) -> Taken | AlreadyTaken:
        if not await tx.inbox.take(sender.workspace, sender.key, now):
            return AlreadyTaken()
        if plan.unique_key and (live := await tx.jobs.live_ask(sender.workspace, plan.unique_key)):
            # Also once it is decided: who stands is read again right before the order.
            if plan.door is Door.REACTION and live.decision is not Decision.STOP:
                await tx.jobs.support(live.workspace, live.id, Supporter(person=sender.person, at=sender.at or now))
            return AlreadyTaken(ask=live)
        thread = thread or await self._new_thread(tx, sender, plan.root_ts, now)
        ask = self._new_ask(sender, plan, thread, now)
        await tx.jobs.add_ask(ask)
        if plan.door is Door.REACTION:
            await tx.jobs.support(ask.workspace, ask.id, Supporter(person=sender.person, at=sender.at or now))
        first = await tx.jobs.take_numbers(thread.workspace, thread.id, plan.takes)
        # Ids of one millisecond are in no order of their own; sorted, the takes are ordered as they are numbered.
        ids = sorted(self._new_id(now) for _ in range(plan.takes))
        jobs = tuple(
            _new_job(ask, plan, job_id, take=take, number=first + take - 1) for take, job_id in enumerate(ids, start=1)
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
            await hold(tx, jobs, plan.policy, now)
        else:
            # What could not be paid now is refused now, although its money is held only when it is decided.
            await see_room(tx, jobs, plan.policy, now)
        await tx.audit.add(_line(ask, plan, now))
        return Taken(ask=ask, jobs=jobs, parent=plan.parent)

    async def _new_thread(self, tx: Transaction, sender: Sender, root_ts: str | None, now: datetime) -> Thread:
        thread = Thread(
            workspace=sender.workspace,
            id=self._new_id(now),
            channel=sender.channel,
            root_ts=root_ts,
            next_number=1,
            created_at=now,
        )
        if root_ts is not None:
            return await tx.jobs.open_thread(thread)
        await tx.jobs.add_thread(thread)
        return thread

    def _new_ask(self, sender: Sender, plan: Plan, thread: Thread, now: datetime) -> Ask:
        valid = {
            None: None,
            Gate.CONFIRMATION: now + plan.policy.confirmation_valid,
            Gate.UNDO: now + plan.policy.undo,
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

    def _new_id(self, now: datetime) -> str:
        return new_id(now, self._clock.random_bits)


def _new_job(ask: Ask, plan: Plan, job_id: str, *, take: int, number: int) -> Job:
    state, reason = first_state(plan.recipe) if plan.gate is None else (State.WAITING, _WAITS[plan.gate])
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
        state=state,
        wait_reason=reason,
        price_micro_usd=plan.route.price.micro_usd,
        price_assumed=plan.route.price.assumed,
        stage=plan.stage,
        as_final_micro_usd=plan.as_final_micro_usd,
        created_at=ask.created_at,
        updated_at=ask.created_at,
        due_at=ask.decide_by or ask.created_at,
        named=plan.named,
        free_ratio=plan.free_ratio,
    )


def _line(ask: Ask, plan: Plan, now: datetime) -> AuditEntry:
    return AuditEntry(
        workspace=ask.workspace,
        at=now,
        act=_ACTS[ask.kind],
        person=ask.person,
        channel=ask.channel,
        ask_id=ask.id,
        job_id=ask.parent_job,
        provider=plan.route.can.provider,
        micro_usd=plan.total_micro_usd,
        price_assumed=plan.route.price.assumed,
        detail="" if plan.gate is None else f"waits: {plan.gate.value}",
    )


def _notes(plan: Plan) -> tuple[str, ...]:
    if plan.parent is None:
        return plan.notes
    changed = differences(plan.parent.recipe, plan.recipe)
    return (*plan.notes, *(f"{name}: {before} → {after}" for name, before, after in changed))
