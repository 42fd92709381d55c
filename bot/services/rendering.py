"""From the provider's task to the clip on our own storage: poll, fetch. Nothing here can cost money."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from bot.domain.events import (
    Hindered,
    Kept,
    LinkRenewed,
    Overdue,
    Rendered,
    RenderFailed,
    Stopped,
    Stored,
    WrittenOff,
)
from bot.domain.failure import Failure, FailureKind
from bot.domain.job import Ask, EvidenceKind, Job, State
from bot.domain.mp4 import BoxScanner, NotAnMP4
from bot.domain.patience import (
    KNOWN_TASK_GRACE,
    LARGE_CLIP_GAP,
    LATE_GAP,
    LOOKS_QUIET,
    TASK_GRACE,
    backoff,
    poll_gap,
    throttle_wait,
)
from bot.domain.trouble import Trouble
from bot.ports import (
    ClipsUnavailable,
    ClipTooLarge,
    FetchError,
    LinkExpired,
    StoredClip,
    TaskFailed,
    TaskFinished,
    TaskMissing,
    TaskReport,
    TaskRunning,
    TaskUnreadable,
)
from bot.services.ages import Age
from bot.services.bench import Bench, Later, StepResult
from bot.services.circuit import Lane
from bot.services.holds import tell_of_cost
from bot.services.looking import Looking

log = structlog.get_logger(__name__)

_FETCH_CEILING_SECONDS = 30.0
_OVER_FOR = timedelta(seconds=60)
"""A wall clock by which an output's time is over is believed when it has said so for so long: it may be wrong for a
moment."""


@dataclass
class _Watch:
    """What this process saw of one task; forgotten with the process, and rightly so. Its ``age`` is how long it has
    rendered."""

    age: Age
    unreadable: int = 0
    seen: bool = False
    """The provider knew it."""
    missing_since: float | None = None
    """Since when it knows it no more; of one that had a clip, since when it says that there is none."""
    over_since: float | None = None
    """Since when its output's own time is over."""
    link_followed: bool = False
    """A fresh link to its clip was followed when another was dead."""
    asked: Job | None = None
    """The job with the task that was looked at again for it, which its own row may not name."""
    called: bool = False
    """Somebody called about it: the next look is for this task alone."""
    stop_asked: bool = False
    warned: set[str] = field(default_factory=set)


@dataclass(frozen=True, kw_only=True)
class Rendering:
    """The steps while the provider works and until the bytes are ours."""

    bench: Bench
    looking: Looking
    _watches: dict[str, _Watch] = field(default_factory=dict)

    # --- RENDERING, LATE ---------------------------------------------------------------------------------------------

    async def poll(self, job: Job, _: Ask) -> StepResult:
        """Ask once how the task is; an unchanged answer writes nothing. That nobody is to be asked for a while does not
        keep one look back that somebody called for."""
        watch = self._watch(job)
        if (quiet := self.bench.circuit.wait(job.provider, Lane.LOOKS)) and not watch.called:
            return Later(seconds=quiet)
        if job.cancel_by and not watch.stop_asked:
            await self._ask_to_stop(job, watch)
        gap, alone, watch.called = poll_gap(timedelta(0), self.bench.policy.poll_interval), watch.called, False
        report = await self.looking.look(job, gap, alone=alone or watch.stop_asked)
        if isinstance(report, Later):
            watch.called = alone
            return report
        result = await self._after_report(job, report, watch)
        if isinstance(result, Job) and result.state not in {State.RENDERING, State.LATE}:
            self.let_go(job)
        return result

    def called_about(self, job: Job) -> None:
        """Somebody says that there is news of the job's task: it is believed only so far that it is worth a look."""
        if job.state in {State.RENDERING, State.LATE}:
            self._watch(job).called = True

    def let_go(self, job: Job) -> None:
        """Another process looks at the job's task now, or nobody does."""
        watch = self._watches.pop(job.id, None)
        self.looking.end(job if watch is None or watch.asked is None else watch.asked)

    async def _ask_to_stop(self, job: Job, watch: _Watch) -> None:
        """Ask the provider once to stop what nobody wants any more, where it can; what that costs is what a look says
        afterwards."""
        can = self.bench.can(job)
        if not can.cancel or not self.bench.has(job.provider):
            return
        watch.stop_asked = True
        async with self.bench.storage.read() as tx:
            evidence = await tx.jobs.evidence(job.workspace, job.id)
        if any(one.kind is EvidenceKind.STOP_ASKED and one.attempt == job.attempt for one in evidence):
            return
        await self.bench.moves.learn(job, EvidenceKind.STOP_ASKED, job.cancel_by or "")
        stopped = await self.bench.providers[job.provider].cancel(job.task_id or "")
        log.info("task.stop_asked", job=job.id, provider=job.provider, stopped=stopped)

    async def _after_report(self, job: Job, report: TaskReport, watch: _Watch) -> StepResult:
        if not isinstance(report, TaskMissing):
            watch.missing_since = None
        match report:
            case TaskFinished(url=url, cost_micro_usd=cost):
                expires_at = self._expiry(job, report)
                return await self._end(job, Rendered(url=url, expires_at=expires_at, cost_micro_usd=cost))
            case TaskFailed(kept_micro_usd=kept) if watch.stop_asked:
                return await self._end(job, Stopped(cost_micro_usd=kept), detail="stopped there")
            case TaskFailed(failure=failure, kept_micro_usd=kept):
                return await self._end(job, RenderFailed(failure=failure, cost_micro_usd=kept), detail=failure.detail)
            case TaskMissing():
                return await self._after_missing(job, watch)
            case TaskUnreadable():
                return await self._still(job, self._unreadable(job, report, watch), watch)
            case TaskRunning(odd=odd):
                watch.seen, watch.unreadable = True, 0
                if odd:
                    self._warn_once(watch, job, f"unknown status {odd}")
                gap = poll_gap(self._waited(watch), self.bench.policy.poll_interval)
                return await self._still(job, gap, watch)

    def _unreadable(self, job: Job, report: TaskUnreadable, watch: _Watch) -> timedelta:
        """The gap after a look that brought no answer. A wait that the provider asked for is kept by all who look."""
        watch.unreadable += 1
        self._warn_once(watch, job, report.why)
        wait = report.retry_after_seconds
        gap = min(LOOKS_QUIET, throttle_wait(wait, watch.unreadable, self.bench.clock.chance()))
        if wait is not None:
            self.bench.circuit.slow(job.provider, Lane.LOOKS, gap.total_seconds())
        return gap

    async def _after_missing(self, job: Job, watch: _Watch) -> StepResult:
        """A task may not be found at once after it was taken; one that stays unknown is lost, and was charged. One that
        was found before is waited for longer."""
        now = self.bench.clock.monotonic()
        if watch.missing_since is None:
            watch.missing_since = now
            # Had it been missing from the beginning, whoever looked before us would have ended it by then.
            watch.seen = watch.seen or self._waited(watch) >= TASK_GRACE
        grace = KNOWN_TASK_GRACE if watch.seen else TASK_GRACE
        if now - watch.missing_since < grace.total_seconds():
            return Later(seconds=3.0)
        log.error("task.lost", job=job.id, provider=job.provider, task=job.task_id)
        return await self._write_off(job, FailureKind.TASK_LOST)

    async def _still(self, job: Job, gap: timedelta, watch: _Watch) -> StepResult:
        """No end yet: late after the limit, and given up when its output would have expired. The wall clock at our
        start may have been ahead: what this process has not watched for as long as makes it late is not given up."""
        waited, limit = self._waited(watch), self.bench.policy.job_timeout
        if job.state is State.LATE:
            if watch.age.reached(self._lifetime(job), self.bench.clock) and self._watched(watch) >= limit:
                return await self._write_off(job, FailureKind.COUNTED_AS_SPENT)
            return Later(seconds=max(gap, LATE_GAP).total_seconds())
        if waited >= limit:
            return await self.bench.move(job, Overdue(due_at=self.bench.clock.now() + LATE_GAP))
        return Later(seconds=gap.total_seconds())

    # --- DOWNLOADING -------------------------------------------------------------------------------------------------

    async def fetch(self, job: Job, _: Ask) -> StepResult:
        """Bring the clip to our storage, whole, before anything is shown. Whether a link is dead, who serves it says,
        and not our clock; behind one whose time is over nothing is waited for."""
        result = await self._fetch(job)
        if isinstance(result, Job) and result.state is not State.DOWNLOADING:
            self.let_go(job)
        return result

    async def _fetch(self, job: Job) -> StepResult:
        if job.output_url is None:
            return await self._renew_link(job)
        try:
            clip = await self._download(job, job.output_url)
        except LinkExpired:
            return await self._renew_link(job)
        except ClipTooLarge as error:
            due = self.bench.clock.now() + LARGE_CLIP_GAP
            return await self.bench.move(job, Hindered(due_at=due, trouble=Trouble.TOO_LARGE), detail=str(error))
        except (NotAnMP4, FetchError) as error:
            if job.output_expires_at is not None and self.bench.clock.now() >= job.output_expires_at:
                return await self._renew_link(job, dead=False)
            trouble = Trouble.NOT_A_CLIP if isinstance(error, NotAnMP4) else Trouble.DOWNLOAD_FAILS
            return await self._hindered(job, trouble, str(error))
        except ClipsUnavailable as error:
            return await self._hindered(job, Trouble.STORE_FULL, str(error))
        return await self._store(job, clip)

    async def _store(self, job: Job, clip: StoredClip) -> StepResult:
        """The bytes are ours. Whoever asked to stop, also while they came, has the clip kept and not posted; so has
        whoever waits no more."""
        stored = Stored(key=clip.key, sha256=clip.sha256, size=clip.size)
        kept = Kept(key=clip.key, sha256=clip.sha256, size=clip.size)
        async with self.bench.storage.begin() as tx:
            current = await tx.jobs.job(job.workspace, job.id)
            nobody_waits = job.failure is not None and job.failure.kind is FailureKind.NOBODY_WAITED
            event = kept if current.cancel_by or nobody_waits else stored
            moved = await self.bench.moves.write(tx, job, self.bench.ownership, event, detail=clip.key)
        self.bench.moves.announce(job, moved)
        log.info("clip.stored", job=job.id, key=clip.key, size=clip.size)
        return moved

    async def _download(self, job: Job, url: str) -> StoredClip:
        async with self.bench.fetcher.open(url) as chunks:
            return await self.bench.clips.put(
                job.workspace, _scanned(chunks), limit_bytes=self.bench.policy.largest_clip_bytes
            )

    async def _renew_link(self, job: Job, *, dead: bool = True) -> StepResult:
        """A fresh look at the task may give a living link, or say that the one there is lives longer. ``dead``: whoever
        serves the link says so. Only then is our clock believed that the output's own time is over: by itself it may be
        ahead, and what failed may pass."""
        watch = self._watch(job)
        report = await self._look_again(job, watch)
        fresh = report if isinstance(report, TaskFinished) and _is_news(job, report) else None
        over = dead and self._is_over(job, watch, report, fresh)
        if self._long_gone(watch, report) or self._stays_over(job, watch, over):
            return await self._write_off(job, FailureKind.LINK_EXPIRED)
        if fresh is not None:
            return await self._take_link(job, fresh)
        trouble = Trouble.DOWNLOAD_FAILS if self.bench.has(job.provider) else Trouble.PROVIDER_ABSENT
        quiet = report.seconds if isinstance(report, Later) else self.bench.circuit.wait(job.provider, Lane.LOOKS)
        return await self._hindered(job, trouble, "the link is dead or fails, and no fresh one came yet", quiet)

    async def _look_again(self, job: Job, watch: _Watch) -> TaskReport | Later:
        """How a task stands that had ended; Later when its provider takes no request so soon."""
        if quiet := self.bench.circuit.wait(job.provider, Lane.LOOKS):
            return Later(seconds=quiet)
        asked = watch.asked = replace(job, task_id=await self._task_of(job))
        report = await self.looking.look(asked, timedelta(0), alone=True)
        if isinstance(report, Later):
            return report
        self.looking.end(asked)
        if isinstance(report, TaskUnreadable):
            self._unreadable(job, report, watch)
        return report

    def _is_over(self, job: Job, watch: _Watch, report: TaskReport | Later, fresh: TaskFinished | None) -> bool:
        """Whether the output's own time is over by our clock, of a dead link, and its task gives no other: what says
        nothing of its output is asked again for a while. The first fresh one is followed all the same; where one after
        the other is dead, what they say of their own time would have no end."""
        now = self.bench.clock.now()
        if fresh is None:
            answered = isinstance(report, TaskFinished) or self._watched(watch) >= self.bench.policy.job_timeout
            return answered and now >= self._end_of_output(job)
        again, watch.link_followed = watch.link_followed, True
        return again and now >= self._end_by_lifetime(job)

    def _stays_over(self, job: Job, watch: _Watch, over: bool) -> bool:
        """Whether it was over before, by a clock that was not put right since, for as long as a clock is doubted."""
        now = self.bench.clock.monotonic()
        if self.bench.clock.now() < self._end_by_lifetime(job):
            watch.over_since = None
        if not over:
            return False
        watch.over_since = now if watch.over_since is None else watch.over_since
        return now - watch.over_since >= _OVER_FOR.total_seconds()

    def _long_gone(self, watch: _Watch, report: TaskReport | Later) -> bool:
        """Whether a task that had a clip is said to have none, by one answer after the other, for as long as a known
        task may be missing."""
        now = self.bench.clock.monotonic()
        if isinstance(report, Later):
            return False
        if not isinstance(report, TaskMissing | TaskFailed):
            watch.missing_since = None
            return False
        watch.missing_since = now if watch.missing_since is None else watch.missing_since
        return now - watch.missing_since >= KNOWN_TASK_GRACE.total_seconds()

    async def _take_link(self, job: Job, report: TaskFinished) -> Job:
        """Go on with what the task says of its output. A link that differs is fetched at once unless others failed
        before it: some sign each look anew, so it proves nothing yet."""
        tries = job.tries if report.url != job.output_url else job.tries + 1
        wait = self._fetch_gap(tries) if tries else timedelta()
        renewed = LinkRenewed(
            url=report.url, expires_at=self._expiry(job, report), due_at=self.bench.clock.now() + wait
        )
        return await self.bench.move(job, renewed)

    # --- inside ------------------------------------------------------------------------------------------------------

    async def _end(self, job: Job, event: Rendered | RenderFailed | Stopped, detail: str = "") -> Job:
        """The task has ended, with a clip or without, and what it cost may be known: the admins hear of it when that is
        more than was held."""
        async with self.bench.storage.begin() as tx:
            moved = await self.bench.moves.write(tx, job, self.bench.ownership, event, detail=detail)
            policy = await self.bench.policies.within(tx, job.workspace, job.channel)
            await tell_of_cost(tx, moved, event.cost_micro_usd, policy)
        self.bench.moves.announce(job, moved)
        return moved

    async def _task_of(self, job: Job) -> str:
        """The job's task. Of a clip that came after its job had given the task up, that one's row has it
        (``bot.services.belated``), and evidence names it here."""
        if job.task_id is not None:
            return job.task_id
        async with self.bench.storage.read() as tx:
            evidence = await tx.jobs.evidence(job.workspace, job.id)
        return next((piece.value for piece in evidence if piece.kind is EvidenceKind.TASK_ID), "")

    def _expiry(self, job: Job, report: TaskFinished) -> datetime:
        return report.expires_at or self.bench.clock.now() + self._lifetime(job)

    def _end_of_output(self, job: Job) -> datetime:
        """When nothing of the task can be left at the provider."""
        known, by_lifetime = job.output_expires_at, self._end_by_lifetime(job)
        return max(known, by_lifetime) if known else by_lifetime

    def _end_by_lifetime(self, job: Job) -> datetime:
        return (job.rendered_at or job.submitted_at or job.created_at) + self._lifetime(job)

    def _lifetime(self, job: Job) -> timedelta:
        return self.bench.can(job).output_lifetime

    def _watch(self, job: Job) -> _Watch:
        if job.id not in self._watches:
            age = Age.of(job.rendering_since or job.created_at, self.bench.clock)
            self._watches[job.id] = _Watch(age=age)
        return self._watches[job.id]

    def _waited(self, watch: _Watch) -> timedelta:
        """How long the task has rendered."""
        return watch.age.now(self.bench.clock)

    def _watched(self, watch: _Watch) -> timedelta:
        """How long this process has watched it."""
        return watch.age.seen(self.bench.clock)

    def _warn_once(self, watch: _Watch, job: Job, what: str) -> None:
        if what not in watch.warned:
            watch.warned.add(what)
            log.warning("task.odd_answer", job=job.id, provider=job.provider, what=what)

    async def _write_off(self, job: Job, kind: FailureKind, detail: str = "") -> Job:
        event = WrittenOff(failure=Failure(kind=kind, detail=detail), cost_micro_usd=job.price_micro_usd)
        return await self.bench.move(job, event, detail=kind.value)

    async def _hindered(self, job: Job, trouble: Trouble, detail: str, quiet: float = 0.0) -> Job:
        """Tried again after a while, of at least ``quiet`` seconds."""
        wait = max(self._fetch_gap(job.tries + 1), timedelta(seconds=quiet))
        log.warning("clip.not_fetched", job=job.id, trouble=trouble.value, detail=detail, tries=job.tries + 1)
        return await self.bench.move(
            job, Hindered(due_at=self.bench.clock.now() + wait, trouble=trouble), detail=detail
        )

    def _fetch_gap(self, tries: int) -> timedelta:
        return backoff(tries, self.bench.clock.chance(), ceiling=_FETCH_CEILING_SECONDS)


def _is_news(job: Job, report: TaskFinished) -> bool:
    """Another link than the job's, or more time for the same."""
    if report.url != job.output_url or report.expires_at is None:
        return report.url != job.output_url
    return job.output_expires_at is None or report.expires_at > job.output_expires_at


async def _scanned(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The chunks as they pass, with NotAnMP4 raised as soon as they turn out not to be a whole clip."""
    scanner = BoxScanner()
    async for chunk in chunks:
        scanner.feed(chunk)
        yield chunk
    scanner.finish()
