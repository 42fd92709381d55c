"""What was stopped in time is not ordered: whoever was told that *Cancel* or *Undo* was taken pays for no order that
was put together after that; and a process that was asked to stop sends nothing whose answer it may not live to hear."""

from collections.abc import Iterator, Mapping

from bot.domain.job import Job
from tests.simulation.judge import Judge
from tests.simulation.vendor_books import Sending, job_of


class Stopping(Judge):
    """Judges the orders that were sent, each at the moment when it was put together. What was put together before the
    press was answered was on order already, or was about to be written down; what is sent again of it, too."""

    def in_vain(self, rows: Mapping[str, Job]) -> Iterator[str]:
        """I1: nothing is ordered that was cancelled or undone before, unless it was ordered again since."""
        for books in self.vendors.values():
            for key, sendings in books.sendings.items():
                row = rows.get(job_of(key))
                stops = self.wanted.stopped[row.ask_id] if row is not None else []
                for sending in filter(_ordered, sendings):
                    stopped_at = max((at for at in stops if at < sending.at), default=None)
                    if stopped_at is not None and not self._wished_again(job_of(key), stopped_at, sending.at):
                        late = sending.at - stopped_at
                        yield f"I1: order {key} was put together {late:.3f} s after it was cancelled or undone"

    def at_the_last_moment(self) -> Iterator[str]:
        """I1: a process that was asked to stop sends no order."""
        for books in self.vendors.values():
            for key, sendings in books.sendings.items():
                for sending in sendings:
                    stopped_at = self.world.stopped.get(sending.process)
                    if stopped_at is not None and sending.sent_at is not None and sending.sent_at > stopped_at:
                        late = sending.sent_at - stopped_at
                        yield f"I1: order {key} was sent {late:.3f} s after its process was asked to stop"

    def _wished_again(self, job_id: str, begin: float, end: float) -> bool:
        """Whether *Order again* reached the bot in between, however that was answered."""
        return any(begin <= at <= end for at in self.wanted.again_at[job_id])


def _ordered(sending: Sending) -> bool:
    return sending.anew and sending.sent
