"""Why a clip may end otherwise than in its thread, and when an order may be called uncertain: by what the providers,
Slack and people did. What the bot says of it is only the claim that is held against that."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from bot.domain.failure import FailureKind
from bot.domain.job import Ask, AskKind, Gate, Job, State
from bot.domain.patience import KNOWN_TASK_GRACE, LATE_GAP
from bot.ports import OrderOutcome, OrderRefused, OrderUnknown
from bot.services.circuit import STARVING
from tests.simulation.chat import GUEST
from tests.simulation.judge import Judge
from tests.simulation.vendor_books import OUTPUT_LIFETIME, OVERBILLED, End, Kind, Sending, Task, job_of, key_of

_WRITTEN_WITHIN = 5.0
"""A process that lives on so long after an answer, and whose transactions all go through, has written it down."""
_LOOKED_AT_WITHIN = 90.0
"""So long after a call was taken, or the provider answers again, its task was looked at: an uncertain order is every
minute."""
_LATE_AT_MOST = 1.5 * LATE_GAP.total_seconds()
"""So long after its end a late task was looked at."""
_LOST_AT_MOST = KNOWN_TASK_GRACE.total_seconds() + 2.5 * LATE_GAP.total_seconds()
"""A task that the provider knew and knows no more is waited for, from the look that missed it to one after that."""

_ASKED_AGAIN_WITHIN = 35.0
"""So long after Slack asked us to wait it was asked anew who people are, at the latest."""
_NAMED_WITHIN = 3.0
"""After it said who reacts, Slack is asked for so long who they are."""


class Ends(Judge):
    """Judges the last words of clips."""

    def unexplained(self, asks: Mapping[str, Ask], rows: Mapping[str, Job]) -> Iterator[str]:
        """I4: a clip ends in its thread, unless the books know why not."""
        tasks: dict[str, list[Task]] = {}
        for books in self.vendors.values():
            for task in books.tasks.values():
                tasks.setdefault(task.job_id, []).append(task)
        for row in rows.values():
            if not self._explained(row, asks[row.ask_id], tasks.get(row.id, []), rows):
                yield f"I4: nothing in the books made clip {row.id} {row.state.value} {row.failure or ''}".rstrip()

    def doubted_in_vain(self) -> Iterator[str]:
        """I7: an order is uncertain only where its answer was lost, and nothing that the provider offers tells."""
        for job_id, shown in self.slack.shown.items():
            doubted = {key_of(job): job for job in shown if job.state is State.UNCERTAIN}
            for key, job in sorted(doubted.items()):
                if not self._lost(key, self.slack.doubted_from[job.id, job.attempt]):
                    yield f"I7: order {key} is called uncertain, and nothing of it was lost"
            if shown[-1].state is State.UNCERTAIN and self._told(key_of(shown[-1])):
                yield f"I7: clip {job_id} is uncertain, and the provider called about it"

    # --- uncertain -------------------------------------------------------------------------------------------------

    def _lost(self, key: str, doubted: float) -> bool:
        """Whether nobody could know what became of that order when it was first called uncertain."""
        books = next((books for books in self.vendors.values() if key in books.sendings), None)
        if books is None:
            return False
        sendings = books.sendings[key]
        if books.kind is Kind.KEYS:
            # It is asked again under its key until that is refused for good, which says nothing of the first time.
            again = len(sendings) > 1 or self._unwritten(sendings[-1], doubted)
            if self.world.leapt:
                # The key may have looked too old for that.
                return again or isinstance(sendings[-1].answer, OrderUnknown)
            return again and _refused_for_good(sendings[-1].answer)
        return isinstance(sendings[-1].answer, OrderUnknown) or self._unwritten(sendings[-1], doubted)

    def _unwritten(self, sending: Sending, doubted: float) -> bool:
        """Whether who had the order in hand died over it, could not write, or had lost its lease. Of what it did not
        send it knows so, whatever was written."""
        if not sending.sent:
            return self.world.lost(sending.process, sending.at, doubted)
        end = self.world.now if sending.answered_at is None else sending.answered_at + _WRITTEN_WITHIN
        return self.world.hindered(sending.process, sending.at, end)

    def _told(self, key: str) -> bool:
        """Whether a call named the task of that order, and the provider knows it still."""
        since = self.world.now - _LOOKED_AT_WITHIN
        return since >= self.world.calm_from and any(
            task.key == key and task.called_at is not None and task.called_at <= since and task.end is not End.LOST
            for books in self.vendors.values()
            for task in books.tasks.values()
        )

    # --- ended -----------------------------------------------------------------------------------------------------

    def _explained(self, row: Job, ask: Ask, tasks: Sequence[Task], rows: Mapping[str, Job]) -> bool:
        match row.state:
            case State.LATE:
                return any(self._may_be_late(task) for task in tasks)
            case State.CANCELLED if row.failure is not None and row.failure.kind is FailureKind.NOBODY_WAITED:
                given_up = self.wanted.let_go | set(self.wanted.again)
                beside = [one for one in rows.values() if one.ask_id == ask.id]
                # That a clip failed of which its provider tells after all is explained for itself.
                failed = any(row.failure.detail == f"#{one.number}" and one.state is State.FAILED for one in beside)
                return failed or any(one.id in given_up for one in beside)
            case State.CANCELLED:
                return row.id in self.wanted.let_go or self._not_wanted(row, ask)
            case State.FAILED:
                return self._had_to_fail(row, tasks, rows)
            case _:
                return True

    def _may_be_late(self, task: Task) -> bool:
        """Whether the task goes on, or ended just now as far as anybody could see."""
        seen_from = max(task.ends_at, self.world.calm_from)
        return self.world.now < seen_from + (_LOST_AT_MOST if task.end is End.LOST else _LATE_AT_MOST)

    def _not_wanted(self, row: Job, ask: Ask) -> bool:
        """Whether people let the question of the whole ask end without a yes."""
        if ask.id in self.wanted.undone:
            return True
        if ask.gate is Gate.CONFIRMATION and ask.id not in self.wanted.confirmed:
            return True
        return ask.kind is AskKind.PROMOTION and self._fewest_behind(ask) < self.policy.quorum

    def _fewest_behind(self, ask: Ask) -> int:
        """How few people stood behind a final at a moment when Slack was asked who reacts: who comes after the first
        of those was begun comes too late, and when Slack does not say who people are nobody need count."""
        supports = [one for one in self.wanted.supported[ask.id] if one.person != GUEST]
        asked = min((one.begin for one in supports), default=0.0)
        looks = sorted({(at, since) for one in supports for at, since in self._looks(one.clip.ts) if since >= asked})
        if not looks:
            # It was never asked.
            return len(supports)
        heard = [one for one in supports if one.begin <= looks[0][1]]
        return min(0 if self._untold(at) else len({one.person for one in heard if one.stands(at)}) for at, _ in looks)

    def _looks(self, ts: str) -> list[tuple[float, float]]:
        return [(look.at, look.since) for look in self.slack.looks.get(ts, ()) if look.told]

    def _untold(self, look: float) -> bool:
        return any(look - _ASKED_AGAIN_WITHIN <= at <= look + _NAMED_WITHIN for at in self.slack.untold)

    def _had_to_fail(self, row: Job, tasks: Sequence[Task], rows: Mapping[str, Job]) -> bool:
        kind = row.failure.kind if row.failure else None
        match kind:
            case FailureKind.NOT_IN_CHANNEL:
                return row.ask_id in self.slack.refused_asks
            case FailureKind.OVER_CAP:
                return self._cap_was_near(rows.values())
            case FailureKind.COUNTED_AS_SPENT:
                return row.id in self.wanted.let_go or any(self._looked_over(one.at) for one in self._sendings(row.id))
            case FailureKind.TASK_LOST:
                return any(task.end is End.LOST for task in tasks)
            case FailureKind.LINK_EXPIRED:
                return any(task.links and self.world.now >= task.links[-1] for task in tasks)
            case _:
                return any(not task.renders for task in tasks) or self._refused(row.id)

    def _looked_over(self, sent: float) -> bool:
        """Whether of an order of that time nothing can have been left for whoever began later, since the clock was far
        behind before."""
        return self.world.aged_at_a_start(sent) >= OUTPUT_LIFETIME.total_seconds()

    def _refused(self, job_id: str) -> bool:
        """Whether a provider refused an order of that clip, and not all orders."""
        return any(_refused_for_good(sending.answer) for sending in self._sendings(job_id))

    def _sendings(self, job_id: str) -> Iterator[Sending]:
        """Every order of that clip, whatever became of it."""
        for books in self.vendors.values():
            for key, sendings in books.sendings.items():
                if job_of(key) == job_id:
                    yield from sendings

    def _cap_was_near(self, rows: Iterable[Job]) -> bool:
        """Whether all that was ever asked for, at the dearest price, comes to more than the lowest cap."""
        caps = self.policy.caps
        limits = caps.workspace_month_micro_usd, caps.channel_month_micro_usd, caps.person_day_micro_usd
        asked = sum(self._most(row) * (1 + self.wanted.again[row.id]) for row in rows)
        return any(limit is not None and asked > limit for limit in limits)

    def _most(self, row: Job) -> int:
        prices = (books.prices[row.recipe.resolution] for books in self.vendors.values())
        return max(prices) * row.recipe.billable_seconds * OVERBILLED // 100


def _refused_for_good(answer: OrderOutcome | None) -> bool:
    return isinstance(answer, OrderRefused) and answer.failure.kind not in STARVING
