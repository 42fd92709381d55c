"""The life of a job, as one pure function.

::

                    Opened                    SubmitIntended               Accepted
    (accepted) WAITING ───────▶ QUEUED ─────────────────▶ SUBMITTING ───────────────▶ RENDERING ──Overdue──▶ LATE
                  │  ◀──────────  │  ◀─── NotSent,           │ │  ▲                     │                     │
                  │   Starved     │       Throttled          │ └──┘ Unknown (asked      │ Rendered            │ Rendered
                  │               │                          │      again by its key)   ▼                     ▼
                  │ Declined      │ Declined                 │ Lapsed              DOWNLOADING ◀──────────────┘
                  ▼               ▼                          ▼                          │ Stored
              CANCELLED       CANCELLED      UNCERTAIN (Accepted: on to RENDERING,      ▼
                                             Reordered: back to QUEUED,             DELIVERING ── Shared ──▶ DELIVERED
                                             WrittenOff: FAILED)                        ▲   │ Uploaded: file known
                                                                                        └───┘ Unshared: none stands
    Refused, RenderFailed, WrittenOff ──▶ FAILED        Kept ──▶ CANCELLED with a clip, DeliveryWished ──▶ DELIVERING
    Hindered: tried again in the same state             LinkRenewed: fetched again in the same state
    Unhindered: what hindered it is over
    Rerouted: WAITING for one provider, QUEUED for another         Stopped: RENDERING or LATE ──▶ CANCELLED
    Prepared: WAITING ──▶ QUEUED                        Progressed: the same step, further on
    PassedOn: QUEUED, for another payer

Every unfinished job has exactly one next action (``next_action``), so a restart is the ordinary loop. Only the runner
calls ``transition``; people set flags. A pair that is not drawn here raises ``IllegalTransition``: it is a bug.

A job with files waits for them after its gate, with its money held: where the drawing says that it comes into the queue
from outside or from a gate, it first waits with the reason PREPARING. So it does for files that are ours already, which
may have been kept under the limits of another provider. Of waiting jobs only such a one can be Prepared, Progressed,
Hindered or Starved, and only such a one cannot be Opened.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from bot.domain.events import (
    Accepted,
    Declined,
    DeliveryWished,
    Event,
    Hindered,
    Kept,
    Lapsed,
    LinkRenewed,
    NotSent,
    Opened,
    Overdue,
    PassedOn,
    Prepared,
    Progressed,
    Refused,
    Rendered,
    RenderFailed,
    Reordered,
    Rerouted,
    Shared,
    Starved,
    Stopped,
    Stored,
    SubmitIntended,
    Throttled,
    Unhindered,
    Unknown,
    Unshared,
    Uploaded,
    WrittenOff,
)
from bot.domain.failure import FailureKind
from bot.domain.job import Job, State, WaitReason, Wish
from bot.domain.recipe import Recipe
from bot.domain.trouble import REFUSALS, Trouble


class Action(StrEnum):
    """What the runner does next for a job."""

    DECIDE = "decide"
    """See whether the gate is passed or the provider has credit again."""
    SUBMIT = "submit"
    RESOLVE = "resolve"
    """Find out what became of a POST whose intention is on disk; never a new order."""
    POLL = "poll"
    WATCH = "watch"
    """Look for evidence of an uncertain order, and for a person's word."""
    FETCH = "fetch"
    DELIVER = "deliver"
    PREPARE = "prepare"
    """Fetch, check and mend the files of a job that waits for that."""


NEXT: Mapping[State, Action] = MappingProxyType(
    {
        State.WAITING: Action.DECIDE,
        State.QUEUED: Action.SUBMIT,
        State.SUBMITTING: Action.RESOLVE,
        State.RENDERING: Action.POLL,
        State.LATE: Action.POLL,
        State.UNCERTAIN: Action.WATCH,
        State.DOWNLOADING: Action.FETCH,
        State.DELIVERING: Action.DELIVER,
    }
)


def next_action(job: Job) -> Action | None:
    """What is next for the job; None when it is done. Of waiting jobs those with files to prepare wait for us."""
    if job.state is State.WAITING and job.wait_reason is WaitReason.PREPARING:
        return Action.PREPARE
    return NEXT.get(job.state)


def first_state(recipe: Recipe) -> tuple[State, WaitReason | None]:
    """Where a job stands that nothing more is asked about: in the queue, once its files are seen to fit."""
    return (State.WAITING, WaitReason.PREPARING) if recipe.media else (State.QUEUED, None)


class IllegalTransition(Exception):
    """An event that the drawing does not have for this state: a bug, never a person's mistake."""

    def __init__(self, job: Job, event: Event) -> None:
        self.job, self.event = job, event
        where = f"{job.state.value} ({job.wait_reason.value})" if job.wait_reason else job.state.value
        super().__init__(f"Job {job.id} is {where} and cannot take {type(event).__name__}.")


def transition(job: Job, event: Event, now: datetime) -> Job:
    """The job after the event. Pure; raises IllegalTransition for a pair that is not drawn."""
    change = _TABLE.get((job.state, type(event)))
    if change is None or not _waits_for(job, event):
        raise IllegalTransition(job, event)
    moved = change(job, event, now)
    return replace(moved, updated_at=now)


def drawn(state: State, event: type[Event]) -> bool:
    """Whether the drawing has this pair."""
    return (state, event) in _TABLE


def _waits_for(job: Job, event: Event) -> bool:
    """Of waiting jobs some events are only for those whose files are being prepared, and one never is."""
    if job.state is not State.WAITING:
        return True
    preparing = job.wait_reason is WaitReason.PREPARING
    return not preparing if isinstance(event, Opened) else preparing or not isinstance(event, _OF_PREPARING)


_Change = Callable[[Job, Any, datetime], Job]


def _opened(job: Job, event: Opened, now: datetime) -> Job:
    state, reason = first_state(job.recipe)
    return replace(job, state=state, person=event.person, wait_reason=reason, failure=None, due_at=now)


def _declined(job: Job, event: Declined, now: datetime) -> Job:
    failure = event.failure or job.failure
    return replace(
        job, state=State.CANCELLED, wait_reason=None, finished_at=now, failure=failure, trouble=None, progress=""
    )


def _starved(job: Job, event: Starved, _: datetime) -> Job:
    # The hold of this attempt is released, and the provider may remember its refusal under the key: what is tried
    # when there is credit is a new attempt, with a hold and a key of its own.
    return replace(
        job,
        attempt=job.attempt + 1,
        state=State.WAITING,
        submitted_at=None,
        wait_reason=(
            WaitReason.PROVIDER_DOWN if event.failure.kind is FailureKind.PROVIDER else WaitReason.PROVIDER_CREDIT
        ),
        failure=event.failure,
        due_at=event.due_at,
        trouble=None,
        progress="",
    )


def _rerouted(job: Job, event: Rerouted, now: datetime) -> Job:
    state, reason = first_state(event.recipe)
    return replace(
        job,
        state=state,
        provider=event.provider,
        model=event.model,
        recipe=event.recipe,
        price_micro_usd=event.price_micro_usd,
        price_assumed=event.price_assumed,
        as_final_micro_usd=event.as_final_micro_usd,
        wait_reason=reason,
        failure=None,
        due_at=now,
        tries=0,
        trouble=None,
        progress="",
        wish=None,
        wish_by=None,
    )


def _progressed(job: Job, event: Progressed, _: datetime) -> Job:
    # What holds up one file is no trouble of the next.
    return replace(job, progress=event.progress, trouble=job.trouble if event.progress == job.progress else None)


def _prepared(job: Job, event: Prepared, now: datetime) -> Job:
    return replace(
        job,
        state=State.QUEUED,
        recipe=event.recipe,
        wait_reason=None,
        due_at=now,
        tries=0,
        trouble=None,
        progress="",
    )


_BEFORE_AN_ORDER = frozenset({Trouble.FILE_NOT_TAKEN, Trouble.REACTIONS_UNREAD})
"""What holds up an order that nobody has put together yet, and is over when somebody does."""


def _submit_intended(job: Job, _: SubmitIntended, now: datetime) -> Job:
    trouble = None if job.trouble in _BEFORE_AN_ORDER else job.trouble
    return replace(job, state=State.SUBMITTING, submitted_at=now, due_at=now, failure=None, wish=None, trouble=trouble)


def _not_sent(job: Job, event: NotSent, _: datetime) -> Job:
    return replace(job, state=State.QUEUED, tries=job.tries + 1, due_at=event.due_at, trouble=event.trouble)


def _throttled(job: Job, event: Throttled, _: datetime) -> Job:
    return replace(job, state=State.QUEUED, tries=job.tries + 1, due_at=event.due_at, trouble=Trouble.PROVIDER_BUSY)


def _unknown(job: Job, event: Unknown, _: datetime) -> Job:
    return replace(job, tries=job.tries + 1, due_at=event.due_at, trouble=Trouble.UNKNOWN_ORDER)


def _lapsed(job: Job, event: Lapsed, _: datetime) -> Job:
    return replace(job, state=State.UNCERTAIN, tries=0, trouble=None, due_at=event.due_at)


def _accepted(job: Job, event: Accepted, now: datetime) -> Job:
    return replace(
        job,
        state=State.RENDERING,
        task_id=event.task_id,
        rendering_since=now,
        due_at=now,
        tries=0,
        trouble=None,
        wish=None,
        wish_by=None,
    )


def _refused(job: Job, event: Refused, now: datetime) -> Job:
    return replace(
        job,
        state=State.FAILED,
        failure=event.failure,
        cost_micro_usd=_spent(job),
        finished_at=now,
        trouble=None,
        progress="",
    )


def _reordered(job: Job, event: Reordered, now: datetime) -> Job:
    # Nobody knows whether the order before was charged: it counts as spent, and whoever pressed pays for the new one.
    return replace(
        job,
        state=State.QUEUED,
        person=event.person,
        attempt=job.attempt + 1,
        cost_micro_usd=_spent(job) + job.price_micro_usd,
        reordered=True,
        submitted_at=None,
        due_at=now,
        tries=0,
        trouble=None,
        wish=None,
        wish_by=None,
    )


def _passed_on(job: Job, event: PassedOn, now: datetime) -> Job:
    return replace(job, person=event.person, attempt=job.attempt + 1, due_at=now, tries=0, trouble=None)


def _overdue(job: Job, event: Overdue, _: datetime) -> Job:
    return replace(job, state=State.LATE, due_at=event.due_at)


def _rendered(job: Job, event: Rendered, now: datetime) -> Job:
    return replace(
        job,
        state=State.DOWNLOADING,
        output_url=event.url,
        output_expires_at=event.expires_at,
        cost_micro_usd=_spent(job) + _stated(job, event),
        rendered_at=now,
        due_at=now,
    )


def _failed(job: Job, event: RenderFailed | WrittenOff, now: datetime) -> Job:
    # A rendered clip's cost is in the sum already.
    more = 0 if job.state is State.DOWNLOADING else _stated(job, event)
    return replace(
        job,
        state=State.FAILED,
        failure=event.failure,
        cost_micro_usd=_spent(job) + more,
        finished_at=now,
        wish=None,
        wish_by=None,
    )


def _stopped(job: Job, event: Stopped, now: datetime) -> Job:
    return replace(job, state=State.CANCELLED, cost_micro_usd=_spent(job) + _stated(job, event), finished_at=now)


def _spent(job: Job) -> int:
    return job.cost_micro_usd or 0


def _stated(job: Job, event: Rendered | RenderFailed | Stopped | WrittenOff) -> int:
    return job.price_micro_usd if event.cost_micro_usd is None else event.cost_micro_usd


_MOST_BEFORE_A_REFUSAL = 3
"""Of other failures, which say little of how long a refusal may last; not none, so that gaps grow also by turns."""


def tries_with(job: Job, trouble: Trouble | None) -> int:
    """How often in a row its step has failed when it fails with that trouble now. A refusal that begins counts few of
    the failures before it; whoever presses *Deliver again* may be about to mend it, and begins the count anew."""
    if job.wish is Wish.DELIVER_AGAIN:
        return 1
    begins = trouble in REFUSALS and job.trouble not in REFUSALS
    return 1 + (min(job.tries, _MOST_BEFORE_A_REFUSAL) if begins else job.tries)


def _hindered(job: Job, event: Hindered, _: datetime) -> Job:
    return replace(job, tries=tries_with(job, event.trouble), due_at=event.due_at, trouble=event.trouble)


def _unhindered(job: Job, _: Unhindered, now: datetime) -> Job:
    return replace(job, tries=0, due_at=now, trouble=None)


def _link_renewed(job: Job, event: LinkRenewed, _: datetime) -> Job:
    # One link that is over is nothing to speak of.
    trouble = Trouble.DOWNLOAD_FAILS if job.tries else job.trouble
    return replace(
        job,
        tries=job.tries + 1,
        output_url=event.url,
        output_expires_at=event.expires_at,
        due_at=event.due_at,
        trouble=trouble,
    )


def _stored(job: Job, event: Stored, now: datetime) -> Job:
    return replace(
        job,
        state=State.DELIVERING,
        clip_key=event.key,
        clip_sha256=event.sha256,
        clip_bytes=event.size,
        output_url=None,
        due_at=now,
        tries=0,
        trouble=None,
    )


def _kept(job: Job, event: Kept, now: datetime) -> Job:
    stored = _stored(job, Stored(key=event.key, sha256=event.sha256, size=event.size), now)
    return replace(stored, state=State.CANCELLED, finished_at=now)


def _delivery_wished(job: Job, _: DeliveryWished, now: datetime) -> Job:
    return replace(job, state=State.DELIVERING, due_at=now, cancel_by=None, wish=None, wish_by=None, finished_at=None)


def _uploaded(job: Job, event: Uploaded, now: datetime) -> Job:
    # The wish is used up by this.
    tries = 0 if job.wish is Wish.DELIVER_AGAIN else job.tries
    return replace(job, file_id=event.file_id, shared_at=now, due_at=now, tries=tries)


def _unshared(job: Job, event: Unshared, _: datetime) -> Job:
    tries = tries_with(job, event.trouble)
    return replace(job, file_id=None, shared_at=None, tries=tries, due_at=event.due_at, trouble=event.trouble)


def _shared(job: Job, event: Shared, now: datetime) -> Job:
    return replace(job, state=State.DELIVERED, message_ts=event.message_ts, finished_at=now, trouble=None)


_TABLE: Mapping[tuple[State, type], _Change] = MappingProxyType(
    {
        (State.WAITING, Opened): _opened,
        (State.WAITING, Rerouted): _rerouted,
        (State.WAITING, Declined): _declined,
        (State.WAITING, Refused): _refused,
        (State.WAITING, Progressed): _progressed,
        (State.WAITING, Prepared): _prepared,
        (State.WAITING, Hindered): _hindered,
        (State.WAITING, Starved): _starved,
        (State.QUEUED, Declined): _declined,
        (State.QUEUED, Starved): _starved,
        (State.QUEUED, PassedOn): _passed_on,
        (State.QUEUED, Refused): _refused,
        (State.QUEUED, Hindered): _hindered,
        (State.QUEUED, SubmitIntended): _submit_intended,
        (State.SUBMITTING, NotSent): _not_sent,
        (State.SUBMITTING, Throttled): _throttled,
        (State.SUBMITTING, Starved): _starved,
        (State.SUBMITTING, Unknown): _unknown,
        (State.SUBMITTING, Lapsed): _lapsed,
        (State.SUBMITTING, Accepted): _accepted,
        (State.SUBMITTING, Refused): _refused,
        (State.SUBMITTING, Hindered): _hindered,
        (State.SUBMITTING, Unhindered): _unhindered,
        (State.UNCERTAIN, Accepted): _accepted,
        (State.UNCERTAIN, Refused): _refused,
        (State.UNCERTAIN, Reordered): _reordered,
        (State.UNCERTAIN, Hindered): _hindered,
        (State.UNCERTAIN, Unhindered): _unhindered,
        (State.UNCERTAIN, WrittenOff): _failed,
        (State.RENDERING, Overdue): _overdue,
        (State.RENDERING, Rendered): _rendered,
        (State.RENDERING, RenderFailed): _failed,
        (State.RENDERING, Stopped): _stopped,
        (State.RENDERING, WrittenOff): _failed,
        (State.RENDERING, Hindered): _hindered,
        (State.RENDERING, Unhindered): _unhindered,
        (State.LATE, Rendered): _rendered,
        (State.LATE, RenderFailed): _failed,
        (State.LATE, Stopped): _stopped,
        (State.LATE, WrittenOff): _failed,
        (State.LATE, Hindered): _hindered,
        (State.LATE, Unhindered): _unhindered,
        (State.DOWNLOADING, Hindered): _hindered,
        (State.DOWNLOADING, LinkRenewed): _link_renewed,
        (State.DOWNLOADING, Stored): _stored,
        (State.DOWNLOADING, Kept): _kept,
        (State.DOWNLOADING, WrittenOff): _failed,
        (State.DELIVERING, Hindered): _hindered,
        (State.DELIVERING, Kept): _kept,
        (State.DELIVERING, Uploaded): _uploaded,
        (State.DELIVERING, Unshared): _unshared,
        (State.DELIVERING, Shared): _shared,
        (State.CANCELLED, DeliveryWished): _delivery_wished,
    }
)

_OF_PREPARING = (Progressed, Prepared, Hindered, Starved)
"""Events of a waiting job whose files are being prepared, and of no other that waits."""
