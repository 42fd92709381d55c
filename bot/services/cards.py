"""The card of an ask: posted before anything is ordered, then redrawn whenever it shows something old."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property

import structlog

from bot.domain.events import Refused
from bot.domain.failure import Failure, FailureKind
from bot.domain.job import FINAL, Ask, Decision, Job, State
from bot.domain.notice import Notice
from bot.domain.patience import CARD_GAP, LONGEST_GAP_SECONDS, backoff
from bot.domain.trouble import REFUSALS
from bot.ports import (
    Balance,
    Card,
    ChatError,
    ChatForbidden,
    ChatRefused,
    ChatUnauthorized,
    ChatUnknown,
    MessageGone,
    ThreadGone,
    Transaction,
    Turn,
)
from bot.services.ages import Age
from bot.services.bench import Bench, Later
from bot.services.doubts import Doubts, Key
from bot.services.policy import Policy
from bot.services.rerouting import Rerouting

log = structlog.get_logger(__name__)

_UNREADABLE = "cannot_read_back"
"""The card may stand, and Slack lets us neither see it nor know of the post."""

_WORTH_SHOWING = timedelta(days=1)
"""A card that Slack refuses is tried again while anything on it is younger: in an archived channel it would be for
ever."""

_TRIED_FOR = timedelta(minutes=10)
"""So long every process tries it at least: the wall clock may have been wrong when it first saw the card."""

_REFUSED_CEILING_SECONDS = 1800.0
"""The longest gap after that: somebody has to let us in first."""

_WHILE_CLIPS_GO_ON_SECONDS, _IN_THE_END_SECONDS = 120.0, 300.0
"""The longest gap while a clip of it goes on, at first and when it was refused for hours: who takes the card may take
the clip, and the card is the smaller of the two."""

_UNDER_WAY = frozenset(State) - FINAL - {State.WAITING, State.QUEUED}


@dataclass(frozen=True, kw_only=True)
class Cards:
    """Posts and redraws. Returns Later when there is more to do, None when the card shows the truth."""

    bench: Bench
    rerouting: Rerouting
    posted: Callable[[tuple[Job, ...]], None]
    """Called with jobs that may go on since Slack took a card: all of the ask when it stands, since nothing is ordered
    before, and those that Slack refused when it takes a card again that it had not taken."""
    _drawn: dict[str, float] = field(default_factory=dict)
    _tries: dict[str, int] = field(default_factory=dict)
    _ages: dict[str, Age] = field(default_factory=dict)
    """Of the last that happened on cards that Slack refuses, by ask."""
    _refused_since: dict[str, float] = field(default_factory=dict)
    """By ask, on the monotonic clock."""
    _told: set[str] = field(default_factory=set)
    """Asks whose askers know that their card is refused."""

    @cached_property
    def _doubts(self) -> Doubts:
        return Doubts(bench=self.bench)

    async def step(self, workspace: str, ask_id: str) -> Later | None:
        """Bring one card up to date."""
        async with self.bench.storage.read() as tx:
            ask = await tx.jobs.ask(workspace, ask_id)
            jobs = await tx.jobs.of_ask(workspace, ask_id)
            parent = await tx.jobs.job(workspace, ask.parent_job) if ask.parent_job else None
            ahead = await tx.jobs.ahead(jobs[0]) if jobs and jobs[0].state is State.QUEUED else None
            policy = await self.bench.policies.within(tx, workspace, ask.channel)
            turn = await _turn(tx, jobs, policy)
            balance = await _balance(tx, jobs)
        if ask.card_version >= ask.version:
            self._done(ask)
            return None
        card = Card(
            ask=ask,
            jobs=jobs,
            parent=parent,
            ahead=ahead,
            now=self.bench.clock.now(),
            turn=turn,
            balance=balance,
            stoppable=frozenset(job.id for job in jobs if self._can_stop(job)),
            elsewhere=self.rerouting.offers(jobs),
            promote_emoji=next(iter(policy.promoting), None),
        )
        try:
            return await (self._redraw(card) if ask.card_ts else self._post(card))
        except ChatUnauthorized as error:
            self._refused_since.setdefault(ask.id, self.bench.clock.monotonic())
            return self._again(ask, error, first=5.0)
        except ChatError as error:
            return self._again(ask, error, first=0.5)

    def refused(self, ask_id: str) -> bool:
        """Whether the ask's card is behind since Slack refused it."""
        return ask_id in self._refused_since

    def _can_stop(self, job: Job) -> bool:
        can = self.bench.can(job)
        return can.cancel and self.bench.has(job.provider)

    async def _post(self, card: Card) -> Later | None:
        ask = card.ask
        try:
            posted = await self._read_back(ask) if ask.card_posting else None
        except ChatRefused as error:
            return await self._refused(card, error)
        if isinstance(posted, Later):
            return posted
        # One that is found shows what was so when it was sent, by us or by whoever was here before.
        shows = ask.version if posted is None else 0
        if posted is None:
            async with self.bench.storage.begin() as tx:
                await tx.jobs.card_intended(ask.workspace, ask.id)
            try:
                with self._doubts.posting(_key(ask)):
                    posted = await self.bench.chat.post_card(card)
            except ChatUnknown as error:
                log.info("card.unknown", ask=ask.id, error=error.code)
                return self._doubts.look_again(_key(ask))
            except ThreadGone:
                return await self._root_gone(ask)
            except ChatRefused as error:
                return await self._refused(card, error)
        async with self.bench.storage.begin() as tx:
            await tx.jobs.card_posted(ask.workspace, ask.id, posted, shows)
            # Somebody may have pressed already: from then on they have another next step.
            jobs = await tx.jobs.of_ask(ask.workspace, ask.id)
        self.posted(jobs)
        self._done(ask)
        return None if shows else Later(seconds=0.0)

    async def _read_back(self, ask: Ask) -> str | Later | None:
        """The card that stands already; None when it was never posted, and Later while it may still appear. Where Slack
        does not let us read, a post of unknown outcome is repeated once, and the card may then stand twice: said in
        docs/architecture.md. Raises ChatRefused when that of the second is unknown too."""
        over = self._doubts.over(_key(ask))
        try:
            found = await self.bench.chat.find_card(ask)
            if found is None and ask.root_ts is not None:
                # It may have been sent before another ask's card became the root of the thread.
                found = await self.bench.chat.find_card(replace(ask, root_ts=None))
        except (ChatRefused, ChatForbidden, MessageGone) as error:
            log.warning("card.cannot_read_back", ask=ask.id, error=error.code)
            if self._doubts.sent(_key(ask)) > 1:
                raise ChatRefused(_UNREADABLE) from error
            return None
        return found if found is not None or over else self._doubts.look_again(_key(ask))

    async def _root_gone(self, ask: Ask) -> Later:
        """Somebody deleted the root of the thread: the card is posted into the channel and becomes the new one."""
        log.info("thread.gone", ask=ask.id)
        async with self.bench.storage.begin() as tx:
            await tx.jobs.thread_gone(ask.workspace, ask.id, ask.root_ts or "")
        return Later(seconds=0.0)

    async def _refused(self, card: Card, error: ChatRefused) -> Later | None:
        """Slack lets us post nothing here: nothing is ordered, the money is free again, and the asker is told. A card
        that was deleted over what was ordered is tried again instead: what comes of that is to be said."""
        log.info("card.refused", ask=card.ask.id, error=error.code)
        ordered = _was_ordered(card)
        await self._end(card, error, whole=not ordered)
        if ordered:
            if card.ask.id not in self._told and await self._tell(card.ask, Notice.CARD_REFUSED) is None:
                self._told.add(card.ask.id)
            return await self._later_or_never(card, error)
        notice = Notice.NO_CARD if error.code == _UNREADABLE else Notice.NOT_IN_CHANNEL
        if untold := await self._tell(card.ask, notice):
            # It is all that the asker ever hears of it: told once too often is better than never.
            return self._again(card.ask, untold, first=5.0)
        await self._settle(card.ask)
        return None

    async def _tell(self, ask: Ask, notice: Notice) -> ChatError | None:
        """Tell its asker alone. Gives what went wrong when that is worth another try."""
        try:
            await self.bench.chat.tell(ask, notice)
        except ChatRefused as error:
            log.warning("notice.not_told", ask=ask.id, error=error.code)
        except ChatError as error:
            return error
        return None

    async def _end(self, card: Card, error: ChatRefused, *, whole: bool) -> None:
        """Clips that wait are not ordered. A whole ask is over with its question: of two posts of unknown outcome cards
        may stand all the same, and what is pressed there must find nothing to spend money on."""
        moves = self.bench.moves
        refused = Refused(failure=Failure(kind=FailureKind.NOT_IN_CHANNEL, detail=error.code))
        ended: list[tuple[Job, Job]] = []
        async with self.bench.storage.begin() as tx:
            if whole and card.ask.gate is not None:
                # Who confirmed at the last moment made another version of the jobs: then this is fenced, and seen anew.
                await tx.jobs.decide(card.ask.workspace, card.ask.id, Decision.STOP, None)
            for job in card.jobs:
                if job.state in {State.WAITING, State.QUEUED}:
                    after = await moves.write(tx, job, self.bench.ownership, refused, detail=error.code)
                    ended.append((job, after))
            if whole:
                await tx.jobs.retire(card.ask.workspace, card.ask.id)
        for before, after in ended:
            moves.announce(before, after)

    async def _later_or_never(self, card: Card, error: ChatRefused) -> Later | None:
        """What Slack refuses is tried again as long as a clip goes on, since that may wait for its card; and until
        nobody waits for it any more, by two clocks."""
        clock, newest = self.bench.clock, max((job.updated_at for job in card.jobs), default=card.ask.created_at)
        age = self._ages.get(card.ask.id)
        if age is None or age.born != newest:
            age = self._ages[card.ask.id] = Age.of(newest, clock)
        refused_for = clock.monotonic() - self._refused_since.setdefault(card.ask.id, clock.monotonic())
        if not all(job.finished for job in card.jobs):
            longest = min(max(_WHILE_CLIPS_GO_ON_SECONDS, refused_for / 10), _IN_THE_END_SECONDS)
            return self._again(card.ask, error, first=5.0, ceiling=longest)
        if age.seen(clock) < _TRIED_FOR:
            return self._again(card.ask, error, first=5.0)
        if not age.reached(_WORTH_SHOWING, clock):
            return self._again(card.ask, error, first=5.0, ceiling=_REFUSED_CEILING_SECONDS)
        log.warning("card.given_up", ask=card.ask.id, error=error.code)
        await self._settle(card.ask, card.ask.version)
        return None

    async def _settle(self, ask: Ask, version: int | None = None) -> None:
        """All is shown up to that version; without one, nothing more will ever be."""
        async with self.bench.storage.begin() as tx:
            last = (await tx.jobs.ask(ask.workspace, ask.id)).version if version is None else version
            await tx.jobs.card_drawn(ask.workspace, ask.id, last)
        self._done(ask)

    async def _redraw(self, card: Card) -> Later | None:
        ask = card.ask
        since = self.bench.clock.monotonic() - self._drawn.get(ask.id, float("-inf"))
        if since < CARD_GAP.total_seconds():
            return Later(seconds=CARD_GAP.total_seconds() - since)
        self._drawn[ask.id] = self.bench.clock.monotonic()
        try:
            await self.bench.chat.update_card(card)
        except MessageGone:
            log.info("card.gone", ask=ask.id)
            async with self.bench.storage.begin() as tx:
                await tx.jobs.card_lost(ask.workspace, ask.id)
                # Intended at once: what the lost card did not say yet may be the last word of the ask.
                await tx.jobs.card_intended(ask.workspace, ask.id)
            self._doubts.nothing_sent(_key(ask))
            return Later(seconds=0.0)
        except ChatRefused as error:
            log.warning("card.not_drawn", ask=ask.id, error=error.code)
            return await self._later_or_never(card, error)
        if self.refused(ask.id):
            # What kept this card from being drawn may have kept clips from it, and is over.
            self.posted(tuple(job for job in card.jobs if job.trouble in REFUSALS))
        await self._settle(ask, ask.version)
        return None

    def _done(self, ask: Ask) -> None:
        self._tries.pop(ask.id, None)
        self._ages.pop(ask.id, None)
        self._refused_since.pop(ask.id, None)
        self._told.discard(ask.id)
        self._doubts.forget(_key(ask))
        self._forget_old()

    def _again(self, ask: Ask, error: ChatError, *, first: float, ceiling: float = LONGEST_GAP_SECONDS) -> Later:
        tries = self._tries[ask.id] = self._tries.get(ask.id, 0) + 1
        wait = backoff(tries, self.bench.clock.chance(), first=first, ceiling=ceiling).total_seconds()
        log.info("card.later", ask=ask.id, error=error.code, tries=tries)
        return Later(seconds=max(wait, error.retry_after_seconds or 0.0))

    def _forget_old(self) -> None:
        """Only the last edits within the gap matter."""
        past = self.bench.clock.monotonic() - CARD_GAP.total_seconds()
        for ask_id in [one for one, drawn in self._drawn.items() if drawn < past]:
            del self._drawn[ask_id]


def _was_ordered(card: Card) -> bool:
    """Whether something of it was charged, or a provider took it, or may have."""
    spent = card.balance is not None and card.balance.spent > 0
    return spent or any(job.task_id is not None or job.state in _UNDER_WAY for job in card.jobs)


def _key(ask: Ask) -> Key:
    return ask.workspace, ask.id


async def _turn(tx: Transaction, jobs: tuple[Job, ...], policy: Policy) -> Turn | None:
    """Where the first queued clip stands in its payer's own line; None when the payer's limit does not hold it back."""
    queued = next((job for job in jobs if job.state is State.QUEUED), None)
    if queued is None:
        return None
    running = await tx.jobs.running_of(queued.workspace, queued.person)
    if running == 0:
        return None
    place = running + await tx.jobs.ahead_of_payer(queued) - policy.running_per_person + 1
    return Turn(running=running, place=place) if place > 0 else None


async def _balance(tx: Transaction, jobs: tuple[Job, ...]) -> Balance:
    """What is held and spent for the clips. Of one that goes on only the ledger knows: a provider may have charged for
    the order before its clip is there, and a refused order holds nothing while it waits for credit."""
    held, spent = 0, sum(job.cost_micro_usd or 0 for job in jobs if job.finished)
    for job in (job for job in jobs if not job.finished):
        entries = await tx.ledger.entries(job.workspace, job.id)
        held += sum(entry.held_micro_usd for entry in entries)
        spent += sum(entry.settled_micro_usd for entry in entries)
    return Balance(held=held, spent=spent)
