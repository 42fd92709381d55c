"""What somebody was told is nothing is nothing: of an ask that was refused there is no card and no charge, and of a
press that was refused nothing comes."""

from collections.abc import Iterator, Mapping

from bot.domain.job import Ask, AskKind, Decision, Door, Gate, Job
from bot.domain.notice import Notice
from tests.simulation.judge import Judge
from tests.simulation.people import word_in

_FREE = frozenset({Notice.NOT_IN_CHANNEL, Notice.NO_CARD})
"""Told of an ask of which nothing was charged."""


class Denying(Judge):
    """Judges the words with which asks and presses were refused."""

    def untrue(self, asks: Mapping[str, Ask], rows: Mapping[str, Job]) -> Iterator[str]:
        """I9: what is there was not denied to everybody who asked for it."""
        prompts = {row.recipe.prompt for row in rows.values()}
        prompts |= {task.prompt for books in self.vendors.values() for task in books.tasks.values()}
        for word in sorted({word_in(prompt) for prompt in prompts}):
            yield from self._denied(word)
        for ask in asks.values():
            if ask.gate is Gate.CONFIRMATION and ask.decision is Decision.GO:
                yield from self._denied(f"confirm {ask.id}")
            if ask.kind is AskKind.PROMOTION and ask.door is Door.BUTTON:
                yield from self._denied(f"promote {ask.parent_job}")
        for row in rows.values():
            if row.reordered:
                yield from self._denied(f"order_again {row.id}")
        yield from self._charged_all_the_same(rows)

    def _denied(self, what: str) -> Iterator[str]:
        if self.wanted.denied[what] and self.wanted.denied[what] == self.wanted.heard[what]:
            yield f"I9: it was said that nothing came of {what}, and something did"

    def _charged_all_the_same(self, rows: Mapping[str, Job]) -> Iterator[str]:
        told = {ask_id for ask_id, notice in self.slack.notices if notice in _FREE}
        for books in self.vendors.values():
            for task in books.tasks.values():
                row = rows.get(task.job_id)
                if row is not None and row.ask_id in told and task.kept(self.world.now):
                    yield f"I9: it was said that nothing of {row.ask_id} was charged, and task {task.id} was"
