"""What was broken in a case, counted: one judgement for every script, whatever went wrong in it.

Nothing is expected of a script. What has to be follows from the books of Slack and of the providers: a clip that was
charged and rendered stands once, an ask is charged once, has one card, and that card says in the end how it is.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.support.history import Card, History, PromisesBroken, rows_of

ACK_SECONDS = 3.0
"""Slack waits no longer for the answer to a command."""

FINAL = frozenset({"delivered", "failed", "cancelled"})
"""Words of a card's row that nothing changes any more."""

CHOICES = frozenset({"clip.check_again", "clip.order_again", "clip.give_up"})
"""What a card offers for an order of unknown outcome."""

NOTHING_CHARGED = ("Nothing was charged.", "Nothing is held or charged", "Nothing was ordered or charged")
REFUSED = ("nothing was", "Nothing was")
"""How a private word says that an ask came to nothing."""


class Column(StrEnum):
    """What a promise that was not kept counts as."""

    DOUBLE_CHARGES = "double charges"
    OVER_A_CAP = "over a cap"
    LOST_CLIPS = "lost clips"
    DOUBLE_POSTS = "double posts"
    SILENT_ENDS = "silent ends"
    UNTRUE_WORDS = "untrue words"
    FOREIGN_CLIPS = "foreign clips"
    OTHER = "other"


class Allowed(StrEnum):
    """What the matrix itself lets an ask end as, when a fault takes away what would be needed for more."""

    UNCERTAIN = "uncertain"
    """Nobody can tell what became of the order, wherever it was made."""
    LATE = "late"
    """The provider never says that the clip is ready."""
    LOST = "lost"
    """The provider does not hand out what it rendered, and the card says so."""
    SLOW = "slow"
    """Work goes on by itself, and later than a script waits; the card says what it waits for."""


Broken = tuple[Column, str]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """An ask by a person: the words that its prompts alone have in the case, how many clips it is for, and how Slack
    saw it taken. ``seconds`` is how long its answer took; None where there was none."""

    words: str
    takes: int = 1
    acked: bool = True
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What holds of a case beside its books: the ``asks``, what its faults allow, which providers let the outcome of a
    lost order be found out, the folder with what they rendered, and what may be spent on all of it."""

    asks: Sequence[Asked]
    learnable: Callable[[str], bool]
    allowed: Collection[Allowed] = ()
    rendered: Path | None = None
    cap_micro_usd: int | None = None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The promises that were not kept, a sentence each, by what they count as."""

    broken: tuple[Broken, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether all were kept."""
        return not self.broken

    def count(self, column: Column) -> int:
        """How many of one kind."""
        return sum(1 for kind, _ in self.broken if kind is column)

    def counts(self) -> dict[str, int]:
        """All of them, by their names."""
        return {column.value: self.count(column) for column in Column}

    def raise_if_broken(self) -> None:
        """Raises PromisesBroken unless all were kept."""
        if self.broken:
            raise PromisesBroken([f"{column}: {sentence}" for column, sentence in self.broken])


def judge(history: History, terms: Terms, said: Sequence[tuple[str, str]] = ()) -> Verdict:
    """The verdict on one channel. ``said`` is what Slack saw of its cards over time: a ts and a text each."""
    return Verdict(
        broken=(
            *_charged_twice(history, terms),
            *_as(Column.OVER_A_CAP, _overspent(history, terms)),
            *_lost(history, terms),
            *_as(Column.DOUBLE_POSTS, history.twice()),
            *_silent(history, terms),
            *_as(Column.UNTRUE_WORDS, history.untrue()),
            *_as(Column.UNTRUE_WORDS, _denied(history, terms)),
            *_as(Column.FOREIGN_CLIPS, history.foreign()),
            *_as(Column.FOREIGN_CLIPS, _misplaced(history, terms)),
            *_as(Column.FOREIGN_CLIPS, history.altered(terms.rendered) if terms.rendered else ()),
            *_as(Column.OTHER, _late_answers(terms)),
            *_as(Column.OTHER, _changed_minds(said)),
        )
    )


def _as(column: Column, sentences: Iterable[str]) -> Iterator[Broken]:
    yield from ((column, sentence) for sentence in sentences)


def _tasks(history: History, asked: Asked) -> set[str]:
    """The tasks that this ask has paid for."""
    return {str(charge["task_id"]) for charge in history.paid if asked.words in charge["prompt"]}


def _cards(history: History, asked: Asked) -> list[Card]:
    return [card for card in history.cards if asked.words in card.text]


def _charged_twice(history: History, terms: Terms) -> Iterator[Broken]:
    """I1. A provider that books one task twice has charged it once too often, and nobody has ordered it twice."""
    for asked in terms.asks:
        for _ in range(len(_tasks(history, asked)) - asked.takes):
            yield Column.DOUBLE_CHARGES, f"“{asked.words}” is for {asked.takes}, and {_tasks(history, asked)} are paid"
    for charge in history.paid:
        if not any(asked.words in charge["prompt"] for asked in terms.asks):
            yield Column.DOUBLE_CHARGES, f"nobody asked for “{charge['prompt']}”, which is charged"


def _overspent(history: History, terms: Terms) -> Iterator[str]:
    """I5. Refunds come later than charges, and what was charged counts until then: so all charges count, at any time
    that somebody looks."""
    spent = sum(int(charge["micro_usd"]) for charge in history.charges)
    if terms.cap_micro_usd is not None and spent > terms.cap_micro_usd:
        yield f"{spent} micro-dollars were charged where {terms.cap_micro_usd} may be spent"


def _lost(history: History, terms: Terms) -> Iterator[Broken]:
    """I2, I7. A task that was paid for and rendered stands as a clip, or its card says why that cannot be."""
    shown = {clip.task_id for clip in history.clips}
    for charge in history.paid:
        if charge["task_id"] in shown or charge["task_id"] not in history.rendered:
            continue
        cards = [card for card in history.cards if card.text and _same_ask(card, charge["prompt"], terms)]
        if not any(_excused(card, charge["provider"], terms) for card in cards):
            words = [card.rows for card in cards]
            yield Column.LOST_CLIPS, f"task {charge['task_id']} of {charge['provider']} is rendered; its cards: {words}"


def _same_ask(card: Card, prompt: str, terms: Terms) -> bool:
    return any(asked.words in prompt and asked.words in card.text for asked in terms.asks)


def _excused(card: Card, provider: str, terms: Terms) -> bool:
    words = set(card.rows.values())
    unknowable = not terms.learnable(provider) or Allowed.UNCERTAIN in terms.allowed
    return (
        ("uncertain" in words and unknowable and card.actions >= CHOICES)
        or ("late" in words and Allowed.LATE in terms.allowed)
        or ("failed" in words and Allowed.LOST in terms.allowed)
        or (Allowed.SLOW in terms.allowed and not card.ended)
    )


def _silent(history: History, terms: Terms) -> Iterator[Broken]:
    """I4. A card that says how it ended, with buttons where nobody knows; or a private word that it came to nothing."""
    refused = [text for text in history.told if any(word in text for word in REFUSED)]
    for asked in terms.asks:
        cards = _cards(history, asked)
        if not cards and (_tasks(history, asked) or (asked.acked and not refused)):
            yield Column.SILENT_ENDS, f"“{asked.words}” has no card, and nobody was told why: {history.told}"
        for card in cards:
            if not card.ended and Allowed.SLOW not in terms.allowed:
                yield Column.SILENT_ENDS, f"“{asked.words}” was left without a last word: {card.rows}, {card.text!r}"
            if "uncertain" in card.rows.values() and not card.actions >= CHOICES:
                yield Column.SILENT_ENDS, f"“{asked.words}” is uncertain and offers only {sorted(card.actions)}"


def _denied(history: History, terms: Terms) -> Iterator[str]:
    """I9. What is said to have cost nothing was not charged, and what is said to be charged was."""
    for asked in terms.asks:
        paid = len(_tasks(history, asked))
        for card in _cards(history, asked):
            lines = [line for line in card.text.splitlines() if line.startswith("*#")]
            free = sum(any(words in line for words in NOTHING_CHARGED) for line in lines)
            if free and free + paid > max(len(lines), asked.takes):
                yield f"{paid} are paid for “{asked.words}”, and its card says that {free} cost nothing: {card.text!r}"
            if paid and not free and any(words in card.text for words in NOTHING_CHARGED):
                yield f"{paid} are paid for “{asked.words}”, and its card says that nothing was charged: {card.text!r}"
            claimed = sum(" was charged" in line and "may have been" not in line for line in lines) - free
            charges = sum(asked.words in charge["prompt"] for charge in history.charges)
            if claimed > charges:
                yield f"“{asked.words}” was charged {charges} times, and its card claims {claimed}: {card.text!r}"
        if paid and not _cards(history, asked) and any(words in text for text in history.told for words in REFUSED):
            yield f"{paid} are paid for “{asked.words}”, and its person was told that nothing was"


def _misplaced(history: History, terms: Terms) -> Iterator[str]:
    """A clip under the card of another ask than the one that paid for it."""
    prompts = {str(charge["task_id"]): str(charge["prompt"]) for charge in history.charges}
    for clip in history.clips:
        roots = [card for card in history.cards if (card.thread_ts or card.ts) == clip.thread_ts]
        prompt = prompts.get(clip.task_id or "")
        if prompt is not None and roots and not any(_same_ask(card, prompt, terms) for card in roots):
            yield f"#{clip.number} shows “{prompt}” in the thread of {[card.text for card in roots]}"


def _late_answers(terms: Terms) -> Iterator[str]:
    """I6."""
    for asked in terms.asks:
        if asked.acked and asked.seconds is not None and asked.seconds >= ACK_SECONDS:
            yield f"“{asked.words}” was answered after {asked.seconds:.1f} s"


def _changed_minds(said: Sequence[tuple[str, str]]) -> Iterator[str]:
    """I10. What a card has once called over stays as it was called."""
    final: dict[tuple[str, int], str] = {}
    for ts, text in said:
        for number, word in rows_of(text).items():
            before = final.get((ts, number))
            if before is not None and word != before:
                yield f"the card {ts} said that #{number} is {before}, and then {word}"
            if word in FINAL:
                final[(ts, number)] = word
