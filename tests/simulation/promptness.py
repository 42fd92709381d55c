"""How long clips are without a last word once nothing goes wrong any more: what their providers and people take their
time for is theirs, and of what is left a minute is promised."""

from collections.abc import Iterable, Iterator, Mapping

from bot.domain.failure import FailureKind
from bot.domain.job import Ask, Gate, Job
from bot.domain.patience import CONFIRMATION_VALID, KNOWN_TASK_GRACE, LATE_GAP, UNDO_WINDOW
from bot.ports import OrderAccepted, OrderRefused, OrderThrottled
from bot.services.circuit import RUN, STARVING
from tests.simulation.judge import Judge
from tests.simulation.vendor_books import End, Sending, Task, VendorBooks, job_of
from tests.simulation.world import Span

PROMISED = 60.0
"""Virtual seconds."""
_SEEN_WITHIN = 25.0
"""A running task is looked at every 20 seconds, at the longest, and its place is somebody else's 5 seconds later."""
_LATE_SEEN_WITHIN = LATE_GAP.total_seconds() + _SEEN_WITHIN
"""The same for one that is late."""
_CLOCK_MOVED = _LATE_SEEN_WITHIN
"""To whoever begins after the clock was set ahead every task is late, and after it was set back whatever is due is
looked at once a minute."""
_PAUSED = 600.0
"""So long at most a provider is left alone that did not take orders, or not this one, before it is sent the next."""
_LOST_WITHIN = KNOWN_TASK_GRACE.total_seconds() + _LATE_SEEN_WITHIN
"""A task that its provider knows no more is waited for, since it is rather the provider that is out of order. It keeps
its place, and who begins to work anew begins to wait anew."""


class Promptness(Judge):
    """Judges how long it took from the moment when nothing went wrong any more."""

    def too_slow(self, asks: Mapping[str, Ask], rows: Mapping[str, Job]) -> Iterator[str]:
        """I4: within a minute, beyond what others take their time for, every clip has its last word."""
        calm = self.world.calm_from
        for row in rows.values():
            worded = self.slack.worded.get(row.id)
            if worded is None or worded <= calm:
                continue
            ask = asks[row.ask_id]
            since = max(calm, self._begun(row, ask), self.slack.reopened.get(row.id, 0.0))
            spans = [*self._questions(ask), *self._turns(row, rows)]
            idle = worded - since - sum(span.overlap(since, worded) for span in _apart(spans))
            allowed = PROMISED + self._grown_gap(row) + _CLOCK_MOVED * self.world.clock_moved
            if idle > allowed:
                yield f"I4: nothing was done for clip {row.id} ({row.state.value}) for {idle:.0f} s of {allowed:.0f}"

    def _begun(self, row: Job, ask: Ask) -> float:
        """When there was something to do: for a clip that nobody waited for, when the provider spoke of it."""
        beside = row.failure is not None and row.failure.kind is FailureKind.NOBODY_WAITED
        return self.slack.shown_from[row.id] if beside else self._asked(ask)

    def _asked(self, ask: Ask) -> float:
        """When somebody was told that it is taken, or else first saw its card."""
        asked = self.wanted.acknowledged.get(ask.id)
        if asked is not None:
            return asked.at
        return min(one.at for one in self.slack.messages.values() if one.ask_id == ask.id)

    # --- what others take their time for ---------------------------------------------------------------------------

    def _questions(self, ask: Ask) -> Iterator[Span]:
        """People may think. Whose clock is set back in the meantime, and stays so, gives them so much longer, from when
        the ask was written down: the word of that may come much later."""
        begin = self._asked(ask)
        longer = self.world.set_back_since(min(begin, self.world.first_read(ask.created_at)))
        if ask.gate is Gate.UNDO:
            yield Span(begin, begin + UNDO_WINDOW.total_seconds() + longer)
        elif ask.gate is Gate.CONFIRMATION:
            end = begin + CONFIRMATION_VALID.total_seconds() + longer
            yield Span(begin, self.wanted.confirmed.get(ask.id, end))

    def _turns(self, row: Job, rows: Mapping[str, Job]) -> Iterator[Span]:
        """Its own order; and while all places are taken that it may have, of its provider or of whoever is to pay:
        others may have been to before."""
        at_provider = list[list[Span]]()
        of_payer: dict[str, list[list[Span]]] = {one.person: [] for one in (row, *self.slack.shown.get(row.id, ()))}
        for books in self.vendors.values():
            for key in sorted(books.sendings):
                job_id = job_of(key)
                spans = list(self._in_hand(books, key, own=job_id == row.id))
                if job_id == row.id:
                    yield from spans
                if books.name == row.provider:
                    at_provider.append(spans)
                if (owner := rows.get(job_id)) is not None and owner.person in of_payer:
                    of_payer[owner.person].append(spans)
        yield from _full(at_provider, self.policy.places(row.provider))
        for running in of_payer.values():
            yield from _full(running, self.policy.running_per_person)

    def _in_hand(self, books: VendorBooks, key: str, *, own: bool) -> Iterator[Span]:
        """When an order had a place."""
        calm = self.world.calm_from
        for task in (one for one in books.tasks.values() if one.key == key):
            # Of another's end, too, the minute is promised and no less.
            seen = calm + PROMISED if not own and task.ends_at <= calm else 0.0
            yield Span(task.accepted_at, max(seen, self._seen(task)))
        sendings = books.sendings.get(key, ())
        yield from (Span(one.at, one.answered_at) for one in sendings if one.answered_at is not None)

    def _seen(self, task: Task) -> float:
        """Until when its end is to be seen."""
        if task.end is End.LOST:
            return max(task.ends_at, self.world.calm_from) + _LOST_WITHIN
        if task.ends_at - task.accepted_at + _SEEN_WITHIN < self.policy.job_timeout.total_seconds():
            return task.ends_at + _SEEN_WITHIN
        # One look may have gone wrong right before all was well.
        return max(task.ends_at, self.world.calm_from) + _LATE_SEEN_WITHIN

    # --- what faults leave behind ----------------------------------------------------------------------------------

    def _grown_gap(self, row: Job) -> float:
        """Who refuses everybody until somebody mends it is asked in gaps that grow double: after a fault it may take
        as long again as it can have lasted. Providers, whose orders may be lost, have a gap of their own."""
        place = row.channel in self.slack.refused_until or self.slack.revoked_until > 0.0
        return max(self.world.weather.heals_at * place, _PAUSED * self._was_paused(row.provider))

    def _was_paused(self, provider: str) -> bool:
        """Whether the provider had no credit, or left so many orders without a proper answer that it is left alone."""
        sendings = [one for sendings in self.vendors[provider].sendings.values() for one in sendings if one.sent]
        return any(map(_starved, sendings)) or _longest_run(sendings) >= RUN


def _full(orders: Iterable[Iterable[Span]], places: int) -> Iterator[Span]:
    """When at least so many of the orders had a place, each in several spans."""
    changes = sorted(change for spans in orders for one in _apart(spans) for change in ((one.begin, 1), (one.end, -1)))
    taken, begin = 0, 0.0
    for at, change in changes:
        before, taken = taken, taken + change
        if before < places <= taken:
            begin = at
        elif taken < places <= before:
            yield Span(begin, at)


def _apart(spans: Iterable[Span]) -> list[Span]:
    """The same time in spans that do not meet."""
    apart: list[Span] = []
    for span in sorted(spans):
        if apart and span.begin <= apart[-1].end:
            apart[-1] = Span(apart[-1].begin, max(apart[-1].end, span.end))
        else:
            apart.append(span)
    return apart


def _starved(sending: Sending) -> bool:
    return isinstance(sending.answer, OrderRefused) and sending.answer.failure.kind in STARVING


def _longest_run(sendings: Iterable[Sending]) -> int:
    """The most orders in a row without a proper answer."""
    longest = run = 0
    for one in sorted(sendings, key=lambda one: one.answered_at or one.at):
        answer = one.answer
        refused = isinstance(answer, OrderRefused) and answer.failure.kind is not FailureKind.PROVIDER
        run = 0 if refused or isinstance(answer, OrderAccepted | OrderThrottled) else run + 1
        longest = max(longest, run)
    return longest
