"""Who stood behind a final when it was ordered. What only reactions asked for is not charged when too few of them stand
any more, nor to anybody who took theirs back."""

from collections.abc import Iterator, Mapping

from bot.domain.job import Ask, AskKind, Door, Gate, Job, State
from tests.simulation.chat import GUEST
from tests.simulation.judge import Judge
from tests.simulation.slack_books import Message
from tests.simulation.vendor_books import Task, VendorBooks, key_of

_READ_WITHIN = 3.0
"""After Slack said who reacts it may still be asked who they are, and then the order is put together: what is taken
back in between comes too late."""
_NOT_SENT = frozenset({State.WAITING, State.QUEUED})


class Supporting(Judge):
    """Judges the charges for finals, each at the moment when its order was put together."""

    def unwanted(self, asks: Mapping[str, Ask], rows: Mapping[str, Job]) -> Iterator[str]:
        """I1: of every final that is charged enough people stood behind it, and one of them pays."""
        for books in self.vendors.values():
            for task in books.tasks.values():
                row = rows.get(task.job_id)
                if row is not None and self._by_reactions(asks[row.ask_id]):
                    yield from self._judged(task, self._ordered_at(books, task), asks[row.ask_id])

    def _by_reactions(self, ask: Ask) -> bool:
        """Whether nobody pressed or wrote anything for it: that holds until it is undone."""
        if ask.kind is not AskKind.PROMOTION or ask.gate is Gate.CONFIRMATION:
            return False
        return ask.door is Door.REACTION or ask.parent_job not in self.wanted.promoted

    def _judged(self, task: Task, at: float, ask: Ask) -> Iterator[str]:
        claimed = self._claimed(task)
        if claimed is not None and claimed.reordered and self.wanted.again[task.job_id]:
            return
        behind = self._behind(ask, at)
        if len(behind) < self.policy.quorum:
            yield f"I1: {task.id} was charged for a final that {len(behind)} of {self.policy.quorum} stood behind"
        if claimed is not None and claimed.person not in behind:
            yield f"I1: {claimed.person} pays for {task.id}, and did not stand behind it"

    def _claimed(self, task: Task) -> Job | None:
        """The clip as cards showed it last when that order was sent."""
        shown = [one for one in self.slack.shown[task.job_id] if key_of(one) == task.key]
        return next((one for one in reversed(shown) if one.state not in _NOT_SENT), None)

    def _ordered_at(self, books: VendorBooks, task: Task) -> float:
        """When the order was put together: one that may be charged already is sent again without a question."""
        anew = [one.at for one in books.sendings[task.key] if one.anew and one.at <= task.accepted_at]
        return max(anew, default=task.accepted_at)

    def _behind(self, ask: Ask, at: float) -> set[str]:
        """Who stood behind it then, of those who may spend."""
        drafts = [self._read_at(message, at) for message in self._drafts(ask)]
        return {person for message, when in drafts for person in message.standing(when)} - {GUEST}

    def _drafts(self, ask: Ask) -> list[Message]:
        files = [file for file in self.slack.files.values() if file.job_id == ask.parent_job]
        return [file.message for file in files if file.message is not None]

    def _read_at(self, message: Message, at: float) -> tuple[Message, float]:
        """The moment that counts: of the last look right before the order; where Slack refused that one for good, of
        the last that it answered; the order's own where nobody looked."""
        looks = [look for look in self.slack.looks.get(message.ts, ()) if look.at <= at]
        if not looks or looks[-1].at < at - _READ_WITHIN:
            return message, at
        return message, max((look.at for look in looks if look.told), default=at)
