"""The files of a job, made ready before it is queued: all fetched and checked, or the job ends with the reason, at no
cost. A restart does it again and finds what was kept."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from bot.domain.capabilities import Capabilities
from bot.domain.events import Declined, Hindered, Prepared, Progressed, Refused
from bot.domain.failure import Failure, FailureKind
from bot.domain.handing import limits_given, too_large_to_write, ways
from bot.domain.job import Ask, Decision, Job, State, WaitReason
from bot.domain.kept_file import KeptFile, fingerprint
from bot.domain.patience import throttle_wait
from bot.domain.recipe import MediaKind, Medium, Place, role_name
from bot.domain.reference import FileLimits, counted_seconds
from bot.domain.trouble import Trouble
from bot.ports import Links, StorageError
from bot.services.bench import Bench, Later, StepResult
from bot.services.gathering import CannotBeHad, CannotBeUsed, Gathering, InOtherHands, NotNow, Want
from bot.services.rerouting import Rerouting
from bot.services.routing import Route, no_way
from bot.services.vouching import Vouching

log = structlog.get_logger(__name__)

TRIED_FOR = timedelta(minutes=15)
"""All files of a clip are fetched, checked and mended within this time, whatever it takes of tries. Who asked may want
to ask otherwise by then."""
LEAST_TRY = timedelta(minutes=1)
"""A try has this time however late it begins, and so has each process: nobody may have been here to try before."""

_SURPRISE = "Something went wrong with the files here."

_KINDS = {MediaKind.IMAGE: "pictures", MediaKind.VIDEO: "videos", MediaKind.AUDIO: "sounds"}
_SETBACKS = frozenset({Hindered.__name__, Progressed.__name__})
_HANDS_SECONDS = 2.0
"""After so long it is seen again whether a file that is fetched for another clip is there."""

Gathered = list[tuple[Medium, KeptFile]]
"""The files of a recipe in its order, each with what is kept of it."""


class _CalledOff(Exception):
    """Somebody stopped the job."""


class _TooLong(Exception):
    """The time that all files of a clip have is over."""


@dataclass(frozen=True, kw_only=True)
class _Watch:
    """How long a job waits for its files: this process has seen it since ``begun``, by the monotonic clock, and it had
    waited for ``waited`` then."""

    since: datetime
    """When the job began to wait, as its timeline has it: for another provider it begins anew."""
    begun: float
    waited: timedelta

    @property
    def given(self) -> timedelta:
        """The time that it has for its files in this process. Nobody knows whether there was one before."""
        return TRIED_FOR - self.waited


@dataclass(frozen=True, kw_only=True)
class Preparing:
    """The step of a job that waits for its files."""

    bench: Bench
    rerouting: Rerouting
    gathering: Gathering
    links: Links
    _under_way: dict[tuple[str, str], asyncio.Task[Gathered]] = field(default_factory=dict)
    """By workspace and job."""
    _watches: dict[tuple[str, str], _Watch] = field(default_factory=dict)
    """By workspace and job; forgotten with the process."""

    async def prepare(self, job: Job, ask: Ask) -> StepResult:
        """Bring all files together for the job's provider, or for another one where nobody named this one."""
        result = await self._step(job, ask)
        preparing = (State.WAITING, WaitReason.PREPARING)
        if isinstance(result, Job) and (result.state, result.wait_reason) != preparing:
            self._watches.pop((job.workspace, job.id), None)
        return result

    async def _step(self, job: Job, ask: Ask) -> StepResult:
        if job.cancel_by or ask.decision is Decision.STOP:
            return await self.bench.move(job, Declined(), detail=job.cancel_by or ask.decided_by or "")
        if ask.card_ts is None:
            # Whatever is wrong with a file is said on the card.
            return Later(seconds=1.0)
        watch = await self._watch(job)
        left = max(TRIED_FOR - self._tried_for(watch), LEAST_TRY)
        work = _Work(
            job=job,
            ask=ask,
            bench=self.bench,
            gathering=self.gathering,
            links=self.links,
            given=_minutes(watch.given),
            until=asyncio.get_running_loop().time() + left.total_seconds(),
        )
        try:
            return await self._prepared(work)
        except InOtherHands:
            return Later(seconds=_HANDS_SECONDS)
        except _CalledOff:
            return await self._stopped(job)
        except _TooLong:
            return await self._refused(work.job, work.given_up())
        except NotNow as error:
            return await self._not_now(work.job, error)
        except StorageError:
            raise
        except Exception:
            # Nothing is ordered yet: better an end in words than one surprise after the other without end.
            log.exception("files.failed", job=job.id)
            return await self._not_now(work.job, NotNow(Trouble.FILE_NOT_CHECKED, _SURPRISE))

    def called_off(self, job: Job) -> None:
        """Somebody wants the job stopped: what is fetched or mended for it now is cut short."""
        task = self._under_way.get((job.workspace, job.id))
        if job.cancel_by and task is not None:
            task.cancel()

    async def _prepared(self, work: "_Work") -> Job:
        """Raises NotNow, InOtherHands, _CalledOff, _TooLong."""
        can = self.bench.can(work.job)
        try:
            files = await self._gathered(work, can)
        except CannotBeHad as error:
            return await self._refused(work.job, error.why)
        except CannotBeUsed as error:
            return await self._elsewhere(work, can, error)
        recipe = replace(work.job.recipe, media=tuple(replace(one, url=file.url) for one, file in files))
        async with self.bench.storage.begin() as tx:
            moved = await self.bench.moves.write(
                tx, work.job, self.bench.ownership, Prepared(recipe=recipe), detail=f"{len(files)} files"
            )
            for note in _notes(files):
                await tx.jobs.add_note(work.job.workspace, work.job.ask_id, note)
        self.bench.moves.announce(work.job, moved)
        return moved

    async def _gathered(self, work: "_Work", can: Capabilities) -> Gathered:
        """All files as this tier takes them, in the time that is left for them. Raises NotNow, CannotBeUsed,
        InOtherHands, _CalledOff, _TooLong."""
        key, task = (work.job.workspace, work.job.id), asyncio.create_task(work.gather(can))
        self._under_way[key] = task
        try:
            done, _ = await asyncio.wait({task}, timeout=work.until - asyncio.get_running_loop().time())
        finally:
            del self._under_way[key]
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        if not done:
            raise _TooLong
        if task.cancelled():
            raise _CalledOff
        return task.result()

    async def _elsewhere(self, work: "_Work", refused_by: Capabilities, error: CannotBeUsed) -> Job:
        """A provider with other limits, or one that can be given more than a link, may take the files: it is turned to
        once they are seen to fit there. Raises as ``_prepared``."""
        failure, tried = Failure(kind=FailureKind.UNUSABLE_FILE, detail=error.why), [work.terms(refused_by)]
        for route in self._others(work.job):
            terms = work.terms(route.can)
            if terms in tried:
                continue
            tried.append(terms)
            try:
                await self._gathered(work, route.can)
            except CannotBeUsed:
                continue
            moved = await self.rerouting.onto(work.job, route, failure)
            if moved is not None:
                return moved
        return await self._refused(work.job, error.why)

    def _others(self, job: Job) -> list[Route]:
        return [] if job.named else self.bench.router.others(job.recipe, job.provider, free_ratio=job.free_ratio)

    async def _not_now(self, job: Job, error: NotNow) -> Job:
        """Try again after a while, or say that it was tried for long enough."""
        watch = await self._watch(job)
        left = TRIED_FOR - self._tried_for(watch)
        if left <= timedelta():
            return await self._refused(job, f"{error.why} That was tried for {_minutes(watch.given)}.")
        now = self.bench.clock.now()
        wait = min(throttle_wait(error.retry_after_seconds, job.tries + 1, self.bench.clock.chance()), left)
        log.info("file.later", job=job.id, trouble=error.trouble.value, tries=job.tries + 1, why=error.why)
        return await self.bench.move(job, Hindered(due_at=now + wait, trouble=error.trouble), detail=error.why)

    async def _watch(self, job: Job) -> _Watch:
        """The wall clock is asked once in a life of this process: one that is set otherwise meanwhile ends and prolongs
        nothing, and one that was wrong from the start neither takes the last minute nor gives more than all."""
        async with self.bench.storage.read() as tx:
            timeline = await tx.jobs.timeline(job.workspace, job.id)
        since = next((entry.at for entry in reversed(timeline) if entry.event not in _SETBACKS), job.created_at)
        watch = self._watches.get((job.workspace, job.id))
        if watch is None or watch.since != since:
            self._forget_what_left()
            waited = min(max(timedelta(), self.bench.clock.now() - since), TRIED_FOR - LEAST_TRY)
            watch = _Watch(since=since, begun=self.bench.clock.monotonic(), waited=waited)
            self._watches[job.workspace, job.id] = watch
        return watch

    def _forget_what_left(self) -> None:
        """Jobs that another process took over, or that somebody moved on from elsewhere."""
        for key in [key for key, watch in self._watches.items() if self._tried_for(watch) > 2 * TRIED_FOR]:
            del self._watches[key]

    def _tried_for(self, watch: _Watch) -> timedelta:
        """How long the job waits for its files."""
        return watch.waited + timedelta(seconds=self.bench.clock.monotonic() - watch.begun)

    async def _stopped(self, job: Job) -> Job:
        """Its row may have moved on just as the work was cut short."""
        async with self.bench.storage.read() as tx:
            job = await tx.jobs.job(job.workspace, job.id)
        return await self.bench.move(job, Declined(), detail=job.cancel_by or "")

    async def _refused(self, job: Job, why: str) -> Job:
        log.info("file.refused", job=job.id, why=why)
        return await self.bench.move(
            job, Refused(failure=Failure(kind=FailureKind.UNUSABLE_FILE, detail=why)), detail=why
        )


@dataclass(kw_only=True)
class _Work:
    """The files of one job while they are brought together: its row moves on with what its card says."""

    job: Job
    ask: Ask
    bench: Bench
    gathering: Gathering
    links: Links
    given: str
    """The time for all of it, in words."""
    until: float
    """When the time for all of it is over, by the clock of the running loop."""
    _last: Want | None = None
    """The file that was begun with last."""
    _in_hand: str = "What this ask refers to"
    """What to call that file: by its own name once that is known. The row still has the one before until then."""

    def terms(self, can: Capabilities) -> tuple[FileLimits, tuple[bool, ...]]:
        """What a tier asks of the files: where these are the same, what one refuses the other refuses too."""
        return self._limits(can), tuple(self._bare(medium, can) for medium in self.job.recipe.media)

    async def gather(self, can: Capabilities) -> Gathered:
        """All files of the recipe as this tier takes them. Raises NotNow, CannotBeUsed, InOtherHands."""
        media = self.job.recipe.media
        if any(self.gathering.in_other_hands(self._want(one, can)) for one in media):
            raise InOtherHands  # before Slack is asked about those that come before it
        files = [(medium, await self._file(medium, can, place)) for place, medium in enumerate(media, start=1)]
        kept = [file for _, file in files]
        _see_sums(kept, can.limits)
        if why := too_large_to_write(can, kept, links=self.links.reachable):
            raise CannotBeUsed(why)
        return files

    def given_up(self) -> str:
        """Why, now that the time is over. The other clips of the ask had the same time, and do not wait once more."""
        refusal = CannotBeHad(f"{self._in_hand} could not be fetched and checked within {self.given}.")
        if self._last is not None:
            self.gathering.remember(self._last, refusal)
        return refusal.why

    async def _file(self, medium: Medium, can: Capabilities, place: int) -> KeptFile:
        if medium.place is Place.STORED:
            return await self._stored(medium, can, place)
        if self._bare(medium, can) and medium.place is not Place.LINK:
            raise CannotBeUsed(f"{can.provider} has {no_way(medium.kind)}.")
        want = self._want(medium, can)
        if medium.place is Place.SLACK:
            asker = await Vouching(storage=self.bench.storage).asker(self.ask, medium.within)
            want = replace(want, asker=asker)
        return await self._gather(want, place)

    def _want(self, medium: Medium, can: Capabilities) -> Want:
        return Want(job=self.job, medium=medium, limits=self._limits(can), as_it_is=self._bare(medium, can))

    def _limits(self, can: Capabilities) -> FileLimits:
        """What a file must be for this tier to take it the way that it can be given it."""
        return limits_given(can, links=self.links.reachable)

    def _bare(self, medium: Medium, can: Capabilities) -> bool:
        """Whether the tier can be given nothing but a person's own link to it."""
        return medium.place is not Place.STORED and not ways(can, medium.kind, links=self.links.reachable)

    async def _stored(self, medium: Medium, can: Capabilities, place: int) -> KeptFile:
        """What is kept of it, called by its role: it is found by its content, whoever gave that under whatever name.
        What fits another provider may not fit this one: it is prepared again, from our storage, unless it was checked
        against these very limits and is still there."""
        async with self.bench.storage.read() as tx:
            known = await tx.files.stored(self.job.workspace, medium.url)
        if known is None:
            raise CannotBeHad("A file of the clip before is not known any more.")
        want = self._want(medium, can)
        if known.limits != fingerprint(want.limits) or not await self.gathering.is_there(known):
            known = await self._gather(want, place)
        return replace(known, name=role_name(medium, self.job.recipe.media))

    async def _gather(self, want: Want, place: int) -> KeptFile:
        self._last, self._in_hand = want, self._counted(role_name(want.medium, self.job.recipe.media), place)
        return await self.gathering.gather(want, lambda name: self._begin(name, place))

    async def _begin(self, name: str, place: int) -> None:
        """Say on the card what is being worked on."""
        self._in_hand = progress = self._counted(name, place)
        if progress != self.job.progress:
            event = Progressed(progress=progress)
            self.job = await self.bench.move(self.job, event, detail=progress)

    def _counted(self, name: str, place: int) -> str:
        count = len(self.job.recipe.media)
        return f"{name} ({place} of {count})" if count > 1 else name


def _minutes(time: timedelta) -> str:
    count = max(1, round(time / timedelta(minutes=1)))
    return "1 minute" if count == 1 else f"{count} minutes"


def _see_sums(files: Iterable[KeptFile], limits: FileLimits) -> None:
    """What is limited for all files of a kind together. Raises CannotBeUsed."""
    everything = list(files)
    for kind in MediaKind:
        long = [file for file in everything if file.kind is kind and file.seconds is not None]
        sum_of, most = sum(file.seconds or 0.0 for file in long), limits.total_seconds(kind)
        if most is not None and len(long) > 1 and sum_of > most:
            each = ", ".join(f"{file.name} {counted_seconds(file.seconds or 0.0)}" for file in long)
            raise CannotBeUsed(
                f"The {_KINDS[kind]} last {counted_seconds(sum_of)} together ({each}); at most "
                f"{counted_seconds(most)} can be given in all."
            )


def _notes(files: Gathered) -> list[str]:
    """What was mended, for the card. What was kept before and stays as it is was told of then."""
    return [f"{file.name}: {', '.join(file.mends)}" for medium, file in files if file.mends and file.url != medium.url]
