"""The loop that moves jobs until they are done. A restart is this same loop: it claims what is unfinished and takes
each job's one next action."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from bot.domain.job import IN_FLIGHT, Ask, Job, State, Wish
from bot.domain.lifecycle import Action, next_action
from bot.domain.patience import backoff
from bot.domain.trouble import REFUSALS, Trouble
from bot.ports import (
    Chat,
    Clips,
    Clock,
    CommitUnknown,
    Directory,
    Fenced,
    Fetcher,
    Links,
    Provider,
    Storage,
    StorageError,
)
from bot.services.absence import Absence
from bot.services.agenda import Agenda, Key, Line
from bot.services.announcing import Announcing
from bot.services.balances import Balances
from bot.services.bench import LONGEST_SLEEP_SECONDS, Bench, Later, StepResult
from bot.services.cards import Cards
from bot.services.circuit import Circuit
from bot.services.deciding import Deciding
from bot.services.delivering import Delivering, Promote
from bot.services.doorbell import Doorbell
from bot.services.gatekeeper import Gatekeeper
from bot.services.gathering import Gathering
from bot.services.handing import Handing
from bot.services.lease import Lease
from bot.services.looking import Looking
from bot.services.moving import Moves
from bot.services.ordering import Ordering
from bot.services.places import Places
from bot.services.policies import Policies
from bot.services.policy import Policy
from bot.services.preparing import Preparing
from bot.services.rendering import Rendering
from bot.services.rerouting import Rerouting
from bot.services.routing import Router
from bot.services.submitting import Submitting

log = structlog.get_logger(__name__)

CLAIM_BATCH = 500
NEWS_BATCH = 50
BILLED_GRACE_SECONDS = 8.5
"""On stop a billed POST in flight is given this long, then recorded as unknown; the process must be gone in 10 s."""
STEP_GRACE_SECONDS = 1.5
"""Every other step may be cut off anywhere, and is only given the time to end by itself."""

_LINES: Mapping[Action, Line] = {
    Action.DECIDE: Line.DECIDE,
    Action.WATCH: Line.DECIDE,
    Action.PREPARE: Line.PREPARE,
    Action.SUBMIT: Line.SUBMIT,
    Action.RESOLVE: Line.SUBMIT,
    Action.POLL: Line.POLL,
    Action.FETCH: Line.FETCH,
    Action.DELIVER: Line.DELIVER,
}
_MENDED_BY_A_START = REFUSALS | {Trouble.TOO_LARGE, Trouble.PROVIDER_ABSENT}
_LONGEST_GAP = timedelta(hours=1)
"""So long at most a clip is left alone, should the clock be set between the two times of a move: no wait is longer."""
_FENCED_SECONDS = 0.2


class Runner:
    """Owns jobs by a lease, and looks at each when it is due. ``wake`` may be called from anywhere in the loop."""

    def __init__(
        self,
        *,
        storage: Storage,
        clips: Clips,
        fetcher: Fetcher,
        chat: Chat,
        providers: Mapping[str, Provider],
        router: Router,
        policy: Policy,
        policies: Policies,
        gatekeeper: Gatekeeper,
        directory: Directory,
        clock: Clock,
        lease: Lease,
        doorbell: Doorbell,
        promote: Promote,
        circuit: Circuit,
        gathering: Gathering,
        links: Links,
        public_url: str = "",
    ) -> None:
        self._storage = storage
        self._providers = providers
        self._clock = clock
        self._lease = lease
        self._agenda = Agenda()
        self._places = Places(self._offer_place)
        self._doorbell = doorbell
        self._cards_seen: Ask | None = None
        """The youngest ask of the last full batch of cards: the next begins after it."""
        self._turned = asyncio.Event()
        """A step has ended: a place in its line is free."""
        self._stopping = False
        self._claimed_unseen = False
        self._tasks: dict[asyncio.Task[None], tuple[Key, Line]] = {}
        self._faults: dict[Key, int] = {}
        bench = Bench(
            storage=storage,
            clips=clips,
            fetcher=fetcher,
            chat=chat,
            providers=providers,
            router=router,
            policy=policy,
            policies=policies,
            gatekeeper=gatekeeper,
            directory=directory,
            clock=clock,
            lease=lease,
            moves=Moves(storage=storage, clock=clock, moved=self._moved),
            places=self._places,
            circuit=circuit,
            ring=doorbell.ring,
            public_url=public_url,
        )
        self._balances = Balances(
            providers=providers, router=router, storage=storage, policies=policies, clock=clock, wake=doorbell.ring
        )
        rerouting = Rerouting(bench=bench)
        deciding = Deciding(bench=bench, rerouting=rerouting)
        handing = Handing(storage=storage, clips=clips, links=links, clock=clock)
        self._submitting = Submitting(bench=bench, rerouting=rerouting, balances=self._balances)
        ordering = Ordering(bench=bench, rerouting=rerouting, handing=handing, submitting=self._submitting)
        preparing = Preparing(bench=bench, rerouting=rerouting, gathering=gathering, links=links)
        rendering = Rendering(bench=bench, looking=Looking(providers=providers, clock=clock))
        self._called_about, self._let_go = rendering.called_about, (rendering.let_go, self._submitting.let_go)
        self._called_off = preparing.called_off
        self._absence = Absence(bench=bench, rerouting=rerouting)
        delivering = Delivering(bench=bench, promote=promote)
        self._cards = Cards(bench=bench, rerouting=rerouting, posted=self._card_posted)
        self._announcing = Announcing(bench=bench)
        self._revive = delivering.revive
        self._see_reactions = delivering.see_reactions
        self._steps: Mapping[Action, Callable[[Job, Ask], Awaitable[StepResult]]] = {
            Action.DECIDE: deciding.decide,
            Action.PREPARE: preparing.prepare,
            Action.SUBMIT: ordering.submit,
            Action.RESOLVE: self._submitting.resolve,
            Action.WATCH: self._submitting.watch,
            Action.POLL: rendering.poll,
            Action.FETCH: rendering.fetch,
            Action.DELIVER: delivering.deliver,
        }

    def wake(self) -> None:
        """Something may have become due: look now."""
        self._doorbell.ring()

    def called_about(self, job: Job) -> None:
        """Somebody says that there is news of the job's order: look now."""
        if job.finished or job.state is State.QUEUED:
            return
        self._called_about(job)
        self._agenda.look(_job_key(job), _line(job), self._clock.monotonic())
        self.wake()

    async def run(self) -> None:
        """Work until ``stop``. The lease is registered."""
        while not self._stopping:
            self._turned.clear()
            if self._doorbell.answer():
                await self._take_over_safely()
            self._start_due()
            await self._pause()

    async def stop(self) -> None:
        """Begin no step any more; let those in hand end, or cut them off where that is harmless."""
        self._stopping = True
        self._submitting.close()
        self.wake()
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=STEP_GRACE_SECONDS)
        if billed := [task for task, (key, _) in self._tasks.items() if self._submitting.bills(key.id)]:
            await asyncio.wait(billed, timeout=BILLED_GRACE_SECONDS - STEP_GRACE_SECONDS)
        await self._balances.close()
        left = list(self._tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    # --- the loop ----------------------------------------------------------------------------------------------------

    async def _take_over_safely(self) -> None:
        """What cannot be read now is read at the next tick."""
        try:
            if self._claimed_unseen:
                await self._lease.register()
                self._claimed_unseen = False
            await self._take_over()
        except CommitUnknown as error:
            # What was claimed may be ours without our knowing what it is, and nobody else's: under a new epoch it is
            # claimed anew.
            self._claimed_unseen = True
            log.warning("runner.claim_in_doubt", error=str(error))
        except StorageError as error:
            log.warning("runner.storage_away", error=str(error))
        except Exception:
            # As for a step: work in hand goes on, and the surprise is logged whole.
            log.exception("runner.failed")

    async def _take_over(self) -> None:
        """Claim what nobody owns, and hear what people pressed."""
        now = self._clock.now()
        async with self._storage.begin() as tx:
            claimed = await tx.jobs.claim(self._lease.ownership, CLAIM_BATCH, now)
            cards = await tx.jobs.claim_cards(self._lease.ownership, CLAIM_BATCH, now, after=self._cards_seen)
            flagged = await tx.jobs.flagged(self._lease.ownership, CLAIM_BATCH)
            news = await tx.announcements.claim(self._lease.ownership, NEWS_BATCH, now)
        for job in claimed:
            self._plan(replace(job, due_at=now) if self._may_be_news(job) else job)
        for job in filter(_needs_attention, flagged):
            if _sees_reactions(job) and self._agenda.waits(_job_key(job)):
                # They were asked for, and are again when Slack has time.
                continue
            self._called_off(job)
            self._agenda.put(_job_key(job), _line(job), self._clock.monotonic())
        for ask in cards:
            key = Key(kind="ask", workspace=ask.workspace, id=ask.id)
            if not self._agenda.knows(key):
                self._agenda.put(key, Line.CARD, self._clock.monotonic())
        for one in news:
            key = Key(kind="news", workspace=one.workspace, id=one.key)
            if not self._agenda.knows(key):
                self._agenda.put(key, Line.ANNOUNCE, self._due(one.due_at))
        # Cards that Slack refuses stay behind for a day, and are no reason for others to wait.
        self._cards_seen = cards[-1] if len(cards) == CLAIM_BATCH else None
        if CLAIM_BATCH in {len(claimed), len(cards)}:
            self.wake()

    def _may_be_news(self, job: Job) -> bool:
        """Whether a job that was just claimed is looked at now, however long it was to wait. Since it was tried last,
        whoever starts us may have raised the limit, given us a new token or let us in, or taken a provider away or set
        it up again. Of an uncertain order its provider may have told right before we died: that is on disk, and nobody
        has followed it."""
        return job.trouble in _MENDED_BY_A_START or job.provider not in self._providers or job.state is State.UNCERTAIN

    def _start_due(self) -> None:
        if self._stopping:
            # Asked to while the loop was reading: for what starts now nobody would wait.
            return
        for key, line in self._agenda.start_due(self._clock.monotonic()):
            task = asyncio.create_task(self._run_step(key, line), name=f"{line.value}:{key.id}")
            self._tasks[task] = (key, line)
            task.add_done_callback(self._task_ended)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        self._turned.set()

    async def _pause(self) -> None:
        due = self._agenda.next_due()
        seconds = LONGEST_SLEEP_SECONDS if due is None else max(0.0, due - self._clock.monotonic())
        if seconds == 0.0:
            await asyncio.sleep(0)
            return
        sleeper = asyncio.create_task(self._clock.sleep(min(seconds, LONGEST_SLEEP_SECONDS)))
        wakers = {asyncio.create_task(self._doorbell.rung()), asyncio.create_task(self._turned.wait())}
        try:
            await asyncio.wait({sleeper, *wakers}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiting in (sleeper, *wakers):
                waiting.cancel()

    # --- one step ----------------------------------------------------------------------------------------------------

    async def _run_step(self, key: Key, line: Line) -> None:
        """Take one step, whatever happens in it; what comes next was planned by the move, or is said by Later."""
        again: float | None = None
        try:
            with structlog.contextvars.bound_contextvars(**{key.kind: key.id}):
                again = await self._step(key, line)
            self._faults.pop(key, None)
        except Fenced as error:
            log.info("step.fenced", line=line.value, reason=str(error))
            again = _FENCED_SECONDS
        except StorageError as error:
            again = self._after_fault(key, line, error, known=True)
        except Exception as error:  # noqa: BLE001 - one job's surprise must not stop the others; it is logged whole
            again = self._after_fault(key, line, error, known=False)
        finally:
            if again is not None:
                self._agenda.put(key, line, self._clock.monotonic() + again)
            self._agenda.finish(key)

    def _after_fault(self, key: Key, line: Line, error: Exception, *, known: bool) -> float:
        tries = self._faults[key] = self._faults.get(key, 0) + 1
        if known:
            log.warning("step.storage_away", line=line.value, tries=tries, error=str(error))
        else:
            log.error("step.failed", line=line.value, tries=tries, exc_info=error)
        return backoff(tries, self._clock.chance()).total_seconds()

    async def _step(self, key: Key, line: Line) -> float | None:
        if line in {Line.CARD, Line.ANNOUNCE}:
            step = self._cards.step if line is Line.CARD else self._announcing.step
            later = await step(key.workspace, key.id)
            return None if later is None else later.seconds
        async with self._storage.read() as tx:
            job = await tx.jobs.job(key.workspace, key.id)
            ask = await tx.jobs.ask(key.workspace, job.ask_id)
        if (job.owner, job.epoch) != (self._lease.ownership.owner, self._lease.ownership.epoch):
            # Another process moves it, or we claim it anew: nobody here waits behind it.
            self._places.leave(job)
            if job.owner != self._lease.ownership.owner:
                for let_go in self._let_go:
                    let_go(job)
            return None
        if job.state is not State.QUEUED:
            # Its last move may have been written by a commit in doubt, after which nobody was told of it.
            self._places.leave(job)
        if (action := next_action(job)) is not None:
            result = await self._absence.step(job, ask) or await self._steps[action](job, ask)
        elif job.wish is Wish.DELIVER_AGAIN and job.state is State.CANCELLED:
            result = await self._revive(job, ask)
        elif _sees_reactions(job):
            result = await self._see_reactions(job, ask)
        else:
            await self._forget_wish(job)
            return None
        return result.seconds if isinstance(result, Later) else None

    async def _forget_wish(self, job: Job) -> None:
        """Nothing is left to be done for the job: what was pressed in its last moment is not looked at for ever."""
        if job.wish is not None:
            async with self._storage.begin() as tx:
                await tx.jobs.clear_wish(job.workspace, job.id, job.wish, job.cancel_by)

    # --- planning ----------------------------------------------------------------------------------------------------

    def _moved(self, before: Job, after: Job) -> None:
        """A move is committed: plan the job's next step, and offer a freed place to who waits longest."""
        if after.state is not State.QUEUED:
            self._places.leave(after)
        if _keeps_its_time(after):
            self._leave_alone(after)
        elif not after.finished:
            self._plan(after)
        if _may_show_more(before, after) and self._cards.refused(after.ask_id):
            card = Key(kind="ask", workspace=after.workspace, id=after.ask_id)
            self._agenda.look(card, Line.CARD, self._clock.monotonic())
        if before.state in IN_FLIGHT and after.state not in IN_FLIGHT:
            self._places.freed(after)
        self.wake()

    def _offer_place(self, job: Job) -> None:
        self._agenda.put(_job_key(job), Line.SUBMIT, self._clock.monotonic())

    def _plan(self, job: Job) -> None:
        self._put(job, self._due(job.due_at))

    def _leave_alone(self, job: Job) -> None:
        """Plan it for as long as was chosen by the very move, whatever the wall clock has been set to since."""
        gap = min(job.due_at - job.updated_at, _LONGEST_GAP)
        self._put(job, self._clock.monotonic() + max(0.0, gap.total_seconds()))

    def _put(self, job: Job, due: float) -> None:
        self._agenda.put(_job_key(job), _line(job), due, _urgency(job, due))

    def _due(self, at: datetime) -> float:
        delay = (at - self._clock.now()).total_seconds()
        return self._clock.monotonic() + min(max(0.0, delay), LONGEST_SLEEP_SECONDS)

    def _card_posted(self, jobs: tuple[Job, ...]) -> None:
        """Slack took a card: nothing is ordered before, and what it had refused it may take as well."""
        for job in jobs:
            if job.trouble in REFUSALS:
                self._agenda.look(_job_key(job), _line(job), self._clock.monotonic())
            elif job.state in {State.WAITING, State.QUEUED}:
                self._plan(job)


def _keeps_its_time(job: Job) -> bool:
    """Whether its next try is not to come sooner than was chosen: it sends or fetches a whole clip, in vain unless
    something has changed, or Slack asked for the wait. What is news for it wakes it. All else is looked at once a
    minute, too: there may be evidence, a key may be forgotten, a clip may stand, or the clock was set back."""
    if job.state is State.DELIVERING:
        return job.file_id is None or job.trouble not in REFUSALS
    return job.state is State.DOWNLOADING and job.trouble is Trouble.TOO_LARGE


def _may_show_more(before: Job, after: Job) -> bool:
    """Whether Slack may take the ask's card that it refused: it took the clip, or does not refuse that any more."""
    return after.state is State.DELIVERED or (before.trouble in REFUSALS and after.trouble not in REFUSALS)


def _job_key(job: Job) -> Key:
    return Key(kind="job", workspace=job.workspace, id=job.id, person=job.person)


def _line(job: Job) -> Line:
    action = next_action(job)
    return Line.DELIVER if action is None else _LINES[action]


def _urgency(job: Job, due: float) -> float:
    """Orders go by age, downloads by the nearest expiry; the rest as they are due."""
    if job.state is State.QUEUED:
        return job.created_at.timestamp()
    if job.state is State.DOWNLOADING and job.output_expires_at is not None:
        return job.output_expires_at.timestamp()
    return due


def _sees_reactions(job: Job) -> bool:
    """Whether all that is left to be done for the job is to see who reacted to its clip."""
    return job.state is State.DELIVERED and job.wish in {Wish.SEE_REACTIONS, Wish.DELIVER_AGAIN}


def _needs_attention(job: Job) -> bool:
    """Whether a flag changes what is next now. A clip that is being made is not posted when it comes; until then a
    wish to stop it changes nothing, nor does what was pressed right before the task of an order in doubt was found."""
    if job.finished:
        return job.wish is not None
    if job.state is State.DELIVERING:
        # What is sent already is only waited for.
        return job.file_id is None and (job.cancel_by is not None or job.wish is Wish.DELIVER_AGAIN)
    if next_action(job) is Action.PREPARE:
        # Nothing but a wish to stop is news for it, and what is tried again later is not tried at every wake.
        return job.cancel_by is not None
    return job.state in {State.WAITING, State.QUEUED, State.UNCERTAIN}
