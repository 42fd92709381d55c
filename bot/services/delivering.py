"""From our storage into the thread, once. The intention to share is on disk before Slack is asked; afterwards the file
is read back until it stands there, and one that Slack dropped is deleted before it is sent again."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from bot.domain.access import Why
from bot.domain.budget import OverCap, Stage
from bot.domain.events import DeliveryWished, Event, Hindered, Kept, Shared, Unshared, Uploaded
from bot.domain.job import Ask, Job, State, Wish
from bot.domain.lifecycle import tries_with
from bot.domain.notice import Notice
from bot.domain.patience import LONGEST_GAP_SECONDS, SHARE_WAIT, backoff, share_check_gap
from bot.domain.pricing import NoPrice
from bot.domain.trouble import REFUSALS, Trouble
from bot.ports import (
    ChatError,
    ChatForbidden,
    ChatRefused,
    ChatUnauthorized,
    ChatUnknown,
    ClipPost,
    ClipsUnavailable,
    MessageGone,
    Share,
    ThreadGone,
)
from bot.services.answers import NotAllowed, Refusal
from bot.services.bench import Bench, Later, StepResult
from bot.services.news import tell_winner

Promote = Callable[[Job, str], Awaitable[None]]
"""Take a person's wish for the final of a clip."""

log = structlog.get_logger(__name__)

_REFUSED_FIRST_SECONDS = 15.0
_REFUSED_CEILING_SECONDS = 1800.0
_UNAUTHORIZED_SECONDS = 30.0
"""So long after Slack did not know our token it is asked again who reacts."""


@dataclass(frozen=True, kw_only=True)
class Delivering:
    """The steps between a stored clip and its message."""

    bench: Bench
    promote: Promote
    _looked_since: dict[str, float] = field(default_factory=dict)
    """Since when this process has waited for each file to stand, on the monotonic clock: the other one may be set while
    a share is on its way, and a share that is given up too soon stands twice."""

    async def see_reactions(self, job: Job, _: Ask) -> StepResult:
        """Somebody may have reacted before we knew the clip's message: act on who stands behind a reaction now."""
        policy = await self.bench.policies.of(job.workspace, job.channel)
        try:
            people = await self.bench.chat.reactors(job.channel, job.message_ts or "", policy.promoting)
        except MessageGone:
            people = ()
        except (ChatRefused, ChatForbidden) as error:
            # It will not say so the next time either, and a final is asked for by a button too.
            log.warning("reactions.refused", job=job.id, error=error.code)
            people = ()
        except ChatError as error:
            # A token that Slack does not know any more is somebody's to mend.
            gap = _UNAUTHORIZED_SECONDS if isinstance(error, ChatUnauthorized) else 2.0
            return Later(seconds=max(gap, error.retry_after_seconds or 0.0))
        refused: dict[str, Exception] = {}
        for person in people:
            try:
                await self.promote(job, person)
            except (Refusal, OverCap, NoPrice) as error:
                log.info("promotion.refused", job=job.id, person=person, reason=str(error))
                refused[person] = error
        async with self.bench.storage.begin() as tx:
            await tx.jobs.clear_wish(job.workspace, job.id, job.wish or Wish.SEE_REACTIONS, job.cancel_by)
        for person, why in refused.items():
            await self._explain(job, person, why)
        return job

    async def _explain(self, job: Job, person: str, error: Exception) -> None:
        """Say why no final comes of a reaction. An app is told nothing: it would not read it."""
        if isinstance(error, NotAllowed) and error.why is Why.APP:
            return
        try:
            await self.bench.chat.explain(job.channel, person, error)
        except ChatError as failed:
            log.info("answer.not_told", channel=job.channel, error=failed.code)

    async def revive(self, job: Job, _: Ask) -> StepResult:
        """A person asked for a kept clip after all."""
        return await self.bench.move(job, DeliveryWished(), detail=job.wish_by or "")

    async def deliver(self, job: Job, ask: Ask) -> StepResult:
        """Send the clip, or see whether what was sent stands. What is not sent yet is kept for whoever asked to stop,
        unless somebody wants it after all."""
        if job.file_id is None and job.cancel_by and job.wish is not Wish.DELIVER_AGAIN:
            return await self.bench.move(job, _kept(job), detail=job.cancel_by)
        try:
            if job.file_id is None and ask.root_ts is None:
                return await self._await_root(ask)
            if job.file_id is None:
                return await self._send(job, ask)
            return await self._verify(job, job.file_id)
        except ChatError as error:
            return await self._hindered(job, ask, _trouble_of(error), error)
        except (ClipsUnavailable, KeyError) as error:
            return await self._hindered(job, ask, Trouble.STORE_FULL, error)

    async def _send(self, job: Job, ask: Ask) -> StepResult:
        post = await self._post(job, ask)
        key, size = job.clip_key or "", job.clip_bytes or 0
        slot = await self.bench.chat.reserve(post, size)
        await self.bench.chat.send(slot, size, self.bench.clips.open(key))
        await self.bench.prove(job)
        intended = await self._intend(job, slot.file_id)
        if intended.state is State.CANCELLED:
            await self._forget_file(slot.file_id)
            return intended
        try:
            await self.bench.chat.share(slot.file_id, post)
        except ChatUnknown as error:
            log.info("share.unknown", job=job.id, error=error.code)
        except ChatError as error:
            return await self._not_shared(intended, ask, slot.file_id, error)
        # What Slack took for its answer is no part of the wait: it may do only now what it was asked then.
        self._looked_since[slot.file_id] = self.bench.clock.monotonic()
        return Later(seconds=share_check_gap(timedelta()).total_seconds())

    async def _intend(self, job: Job, file_id: str) -> Job:
        """Write the intention to share; for whoever asked to stop meanwhile the clip is kept instead, as ``deliver``
        would have it now."""
        async with self.bench.storage.begin() as tx:
            current = await tx.jobs.job(job.workspace, job.id)
            event: Event = Uploaded(file_id=file_id)
            if current.cancel_by and current.wish is not Wish.DELIVER_AGAIN:
                event = _kept(job)
            moved = await self.bench.moves.write(tx, job, self.bench.ownership, event, detail=file_id)
        self.bench.moves.announce(job, moved)
        return moved

    async def _not_shared(self, job: Job, ask: Ask, file_id: str, error: ChatError) -> Job:
        """Slack said no: nothing of the file stands or can appear. The next try begins with a new one."""
        log.warning("share.refused", job=job.id, error=error.code)
        await self._forget_file(file_id)
        if isinstance(error, ThreadGone):
            return await self._await_new_root(job, ask)
        trouble = _trouble_of(error)
        if trouble in REFUSALS:
            await self._tell_once(job, ask)
        unshared = Unshared(due_at=self.bench.clock.now() + self._wait(job, trouble, error), trouble=trouble)
        return await self.bench.move(job, unshared, detail=error.code)

    async def _verify(self, job: Job, file_id: str) -> StepResult:
        result = await self._look(job, file_id)
        if isinstance(result, Job):
            self._looked_since.pop(file_id, None)
        return result

    async def _look(self, job: Job, file_id: str) -> StepResult:
        """See whether the file stands, and wait for it no longer than it can take."""
        now, monotonic = self.bench.clock.now(), self.bench.clock.monotonic()
        waited = timedelta(seconds=monotonic - self._looked_since.setdefault(file_id, monotonic))
        trouble: Trouble | None = Trouble.SLACK_DROPPED_FILE
        try:
            share = await self.bench.chat.find_share(file_id, job.channel)
        except MessageGone:
            # It was deleted, or Slack never heard that it is to be shared; or that is on its way yet.
            share = trouble = None
        if share is not None:
            return await self._stands(job, share)
        if waited < SHARE_WAIT:
            return Later(seconds=share_check_gap(waited).total_seconds())
        # Deleting first makes sure that a late share cannot stand beside the one that is sent again.
        await self.bench.chat.delete_file(file_id)
        log.warning("share.dropped", job=job.id, file=file_id, waited_seconds=waited.total_seconds())
        why = "Slack has no such file" if trouble is None else "dropped by Slack"
        return await self.bench.move(job, Unshared(due_at=now, trouble=trouble), detail=why)

    async def _stands(self, job: Job, share: Share) -> Job:
        """The clip is in its thread; a final is linked in the winners' channel too, where there is one for it."""
        async with self.bench.storage.begin() as tx:
            shared = Shared(message_ts=share.message_ts)
            moved = await self.bench.moves.write(tx, job, self.bench.ownership, shared, detail=share.message_ts)
            winners = await self.bench.policies.winners_of(tx, job.workspace, job.channel, public=share.public)
            if moved.stage is Stage.FINAL and winners is not None:
                ask = await tx.jobs.ask(moved.workspace, moved.ask_id)
                await tell_winner(tx, moved, ask, winners, moved.updated_at)
        self.bench.moves.announce(job, moved)
        return moved

    async def _await_root(self, ask: Ask) -> Later:
        """Without its root the clip would stand in the channel. The card that is to be posted becomes it: this ask's
        own, where the one that had been the root is gone, and its ask does not post another."""
        if ask.card_version >= ask.version:
            log.info("thread.rootless", ask=ask.id)
            async with self.bench.storage.begin() as tx:
                await tx.jobs.thread_gone(ask.workspace, ask.id, "")
        return Later(seconds=1.0)

    async def _await_new_root(self, job: Job, ask: Ask) -> Job:
        """Somebody deleted the root of the thread: a new card is posted first, then the clip into its thread."""
        log.info("thread.gone", job=job.id)
        async with self.bench.storage.begin() as tx:
            await tx.jobs.thread_gone(ask.workspace, ask.id, ask.root_ts or "")
            unshared = Unshared(due_at=self.bench.clock.now())
            moved = await self.bench.moves.write(tx, job, self.bench.ownership, unshared, detail="the thread is gone")
        self.bench.moves.announce(job, moved)
        return moved

    async def _post(self, job: Job, ask: Ask) -> ClipPost:
        async with self.bench.storage.read() as tx:
            parent = await tx.jobs.job(ask.workspace, ask.parent_job) if ask.parent_job else None
        return ClipPost(ask=ask, job=job, parent=parent)

    async def _forget_file(self, file_id: str) -> None:
        try:
            await self.bench.chat.delete_file(file_id)
        except ChatError as error:
            log.info("file.not_deleted", file=file_id, error=error.code)

    async def _hindered(self, job: Job, ask: Ask, trouble: Trouble, error: Exception) -> StepResult:
        code = error.code if isinstance(error, ChatError) else type(error).__name__
        log.warning("clip.not_delivered", job=job.id, trouble=trouble.value, error=code, tries=tries_with(job, trouble))
        if trouble is Trouble.SLACK_REFUSES_PLACE:
            await self._tell_once(job, ask)
        due = self.bench.clock.now() + self._wait(job, trouble, error)
        return await self.bench.move(job, Hindered(due_at=due, trouble=trouble), detail=code)

    async def _tell_once(self, job: Job, ask: Ask) -> None:
        if job.trouble is Trouble.SLACK_REFUSES_PLACE:
            return
        try:
            await self.bench.chat.tell(ask, Notice.DELIVERY_REFUSED, job)
        except ChatError as error:
            log.info("notice.not_told", ask=ask.id, error=error.code)

    def _wait(self, job: Job, trouble: Trouble, error: Exception) -> timedelta:
        """Longer where somebody has to mend something first, and never shorter than Slack asked for."""
        refused = trouble in REFUSALS
        first = _REFUSED_FIRST_SECONDS if refused else 0.5
        ceiling = _REFUSED_CEILING_SECONDS if refused else LONGEST_GAP_SECONDS
        asked = error.retry_after_seconds if isinstance(error, ChatError) else None
        own = backoff(tries_with(job, trouble), self.bench.clock.chance(), first=first, ceiling=ceiling)
        return max(own, timedelta(seconds=asked or 0.0))


def _kept(job: Job) -> Kept:
    return Kept(key=job.clip_key or "", sha256=job.clip_sha256 or "", size=job.clip_bytes or 0)


def _trouble_of(error: ChatError) -> Trouble:
    match error:
        case ChatUnauthorized():
            return Trouble.SLACK_REFUSES_APP
        case ChatRefused():
            return Trouble.SLACK_REFUSES_PLACE
        case _:
            return Trouble.SLACK_AWAY
