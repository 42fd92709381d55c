"""What was broken in a case, counted: one judgement for every script, whatever went wrong in it.

What has to be follows from the books of Slack and of the providers: a clip that was charged and rendered stands once,
an ask is charged once, has one card, and that card says in the end how it is. Every clip that is asked for has to
come, unless the faults of the script are such that the matrix lets it end otherwise (``Allowed``).
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from tests.support.history import ENDED, Card, History, PromisesBroken, rows_of

ACK_SECONDS = 3.0
"""Slack waits no longer for the answer to a command."""

FINAL = frozenset({"delivered", "failed", "cancelled"})
"""Words of a card's row that nothing changes any more."""

DOUBTED = ENDED - FINAL
"""Words of a row whose charge may still come, or not."""

CHOICES = frozenset({"clip.check_again", "clip.order_again", "clip.give_up"})
"""What a card offers for an order of unknown outcome."""

FREE = "Nothing was charged."
"""A row of what has ended says this where no charge stands, and else its sum."""

NOTHING_CHARGED = (FREE, "Nothing is held or charged", "Nothing was ordered or charged")
REFUSED = ("nothing was", "Nothing was")
"""How a private word says that an ask came to nothing."""

DENIED = ("nothing was accepted", FREE)
"""How the answer to an ask says that there is nothing of it. What says so of one case only (“otherwise nothing was …”)
does not."""

IN_DOUBT = ("charged", "stays held")
"""What may still be charged says one of these of its money."""

UNSETTLED = ("stays held", "counted as spent")
"""What has ended says none of these: its charge is known."""

_CHARGED = re.compile(r"\$(?P<dollars>\d+\.\d+) was charged")


class Column(StrEnum):
    """What a promise that was not kept counts as."""

    DOUBLE_CHARGES = "double charges"
    OVER_A_CAP = "over a cap"
    LOST_CLIPS = "lost clips"
    DOUBLE_POSTS = "double posts"
    SILENT_ENDS = "silent ends"
    GIVEN_UP = "given up"
    UNTRUE_WORDS = "untrue words"
    FOREIGN_CLIPS = "foreign clips"
    OTHER = "other"


class Allowed(StrEnum):
    """What the matrix itself lets an ask end as, when a fault takes away what would be needed for its clips."""

    UNCERTAIN = "uncertain"
    """Nobody can tell what became of the order."""
    UNBILLED = "unbilled"
    """Nobody can tell of an order that was never charged that it was not; of one that was, the provider tells."""
    LATE = "late"
    """The provider never says that the clip is ready."""
    FAILED = "failed"
    """The provider refuses the order, or renders nothing."""
    REFUSED = "refused"
    """It is not taken, and its person is told that nothing was."""
    UNHEARD = "unheard"
    """It never reaches the bot, or the answer never reaches Slack, which tells its person so."""


Broken = tuple[Column, str]


@dataclass(frozen=True, kw_only=True)
class Booked:
    """What our own books say of one clip, all its orders together: where it stands, its price, the task that it has at
    its provider, and what is set aside and counted as spent for it. Money is in micro-dollars."""

    state: str
    price: int
    task_id: str | None
    held: int
    settled: int


@dataclass(frozen=True, kw_only=True)
class Asked:
    """An ask by a person: the words that its prompts alone have in the case, how many clips it is for, and how Slack
    saw it taken. ``seconds`` is how long its answer took, None where there was none; ``answer`` is what it said."""

    words: str
    takes: int = 1
    acked: bool = True
    seconds: float | None = None
    answer: str = ""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What holds of a case beside its books: the ``asks``, how its faults allow them to end beside their clips and how
    many of them at most, the folder with what was rendered, what may be spent on all of it, and whether the provider
    charges what it does not tell (``unbooked``), so that no card can say it."""

    asks: Sequence[Asked]
    allowed: Mapping[Allowed, int] = field(default_factory=dict)
    rendered: Path | None = None
    cap_micro_usd: int | None = None
    unbooked: bool = False


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
    """The verdict on one channel. ``said`` is what Slack saw of its cards over time: the ask and a text each."""
    return Verdict(
        broken=(
            *_as(Column.DOUBLE_CHARGES, _charged_twice(history, terms)),
            *_as(Column.OVER_A_CAP, _overspent(history, terms)),
            *_as(Column.LOST_CLIPS, _lost(history, terms)),
            *_as(Column.DOUBLE_POSTS, history.twice()),
            *_as(Column.SILENT_ENDS, _silent(history, terms)),
            *_as(Column.GIVEN_UP, _given_up(history, terms)),
            *_as(Column.GIVEN_UP, _too_many(history, terms)),
            *_as(Column.UNTRUE_WORDS, history.untrue()),
            *_as(Column.UNTRUE_WORDS, _denied(history, terms)),
            *_as(Column.UNTRUE_WORDS, _miscounted(history, terms)),
            *_as(Column.FOREIGN_CLIPS, history.foreign()),
            *_as(Column.FOREIGN_CLIPS, _misplaced(history, terms)),
            *_as(Column.FOREIGN_CLIPS, history.altered(terms.rendered) if terms.rendered else ()),
            *_as(Column.OTHER, _late_answers(terms)),
            *_as(Column.OTHER, _changed_minds(said)),
            *_as(Column.OTHER, history.unasked()),
        )
    )


def judge_books(history: History, booked: Sequence[Booked], *, unbooked: bool = False) -> Verdict:
    """Whether our own ledger says of each clip what the provider's does, when all is over: nothing is set aside for
    what has ended, and its charge that stands is counted; for what is in doubt its price is set aside, unless the
    provider has said its charge already. ``unbooked``: the provider charges what it does not tell."""
    return Verdict(broken=tuple(_as(Column.OTHER, _misbooked(history, booked, unbooked=unbooked))))


def _misbooked(history: History, booked: Sequence[Booked], *, unbooked: bool) -> Iterator[str]:
    charges = {str(one["task_id"]): int(one["micro_usd"]) for one in history.paid}
    for one in booked:
        charged = charges.get(one.task_id or "", 0)
        fine = {(0, charged)}
        if unbooked and charged:
            fine.add((0, one.price))
        if one.state in DOUBTED:
            fine = {(one.price, 0)} | (fine if charged else set())
        elif one.state not in FINAL:
            yield f"all is over, and in our books it is {one.state}: {one}"
        if (one.held, one.settled) not in fine:
            yield f"{charged} micro-dollars are charged, and our books say {one}"
    known = {one.task_id for one in booked}
    strangers = [task for task in charges if task not in known]
    pledged = sum(one.state in DOUBTED and one.task_id not in charges and one.held > 0 for one in booked)
    if len(strangers) > pledged:
        yield f"{strangers} are charged, of which our books know nothing, and {pledged} orders are in doubt"


def _as(column: Column, sentences: Iterable[str]) -> Iterator[Broken]:
    yield from ((column, sentence) for sentence in sentences)


def _paid(history: History, asked: Asked) -> dict[str, int]:
    """The tasks that this ask has paid for, with their micro-dollars."""
    return {str(one["task_id"]): int(one["micro_usd"]) for one in history.paid if asked.words in one["prompt"]}


def _cards(history: History, asked: Asked) -> list[Card]:
    return [card for card in history.cards if asked.words in card.text]


def _charged_twice(history: History, terms: Terms) -> Iterator[str]:
    """I1. What was refunded was charged too: an order that is sent again by itself is one too many, whatever became of
    the one before. A provider that books one task twice has charged it once too often, and nobody has ordered it
    twice."""
    for asked in terms.asks:
        charged = {str(one["task_id"]) for one in history.charges if asked.words in one["prompt"]}
        for _ in range(len(charged) - asked.takes):
            yield f"“{asked.words}” is for {asked.takes}, and {sorted(charged)} were charged"
    for charge in history.charges:
        if not any(asked.words in charge["prompt"] for asked in terms.asks):
            yield f"nobody asked for “{charge['prompt']}”, which was charged"


def _overspent(history: History, terms: Terms) -> Iterator[str]:
    """I5. Refunds come later than charges, and what was charged counts until then: so all charges count, at any time
    that somebody looks."""
    spent = sum(int(charge["micro_usd"]) for charge in history.charges)
    if terms.cap_micro_usd is not None and spent > terms.cap_micro_usd:
        yield f"{spent} micro-dollars were charged where {terms.cap_micro_usd} may be spent"


def _lost(history: History, terms: Terms) -> Iterator[str]:
    """I2, I7. A task that was paid for and rendered stands as a clip, or a row of its card says why that cannot be."""
    shown = {clip.task_id for clip in history.clips}
    for asked in terms.asks:
        missing = [task for task in _paid(history, asked) if task in history.rendered and task not in shown]
        cards = _cards(history, asked)
        excused = sum(_excuses(card, word, terms) for card in cards for word in card.rows.values())
        for task in missing[excused:]:
            yield f"task {task} is rendered; its cards: {[card.rows for card in cards]}"


def _excuses(card: Card, word: str, terms: Terms) -> bool:
    return word in terms.allowed and (word == "late" or (word == "uncertain" and card.actions >= CHOICES))


def _silent(history: History, terms: Terms) -> Iterator[str]:
    """I4. A card that says how it ended, with buttons where nobody knows; or a private word that it came to nothing,
    one for each ask."""
    refusals = sum(any(words in text for words in REFUSED) for text in history.told)
    for asked in terms.asks:
        cards = _cards(history, asked)
        if not cards and (_paid(history, asked) or (asked.acked and not refusals)):
            yield f"“{asked.words}” has no card, and nobody was told why: {history.told}"
        elif not cards and asked.acked:
            refusals -= 1
        for card in cards:
            if not card.ended:
                yield f"“{asked.words}” was left without a last word: {card.rows}, {card.text!r}"
            if "uncertain" in card.rows.values() and not card.actions >= CHOICES:
                yield f"“{asked.words}” is uncertain and offers only {sorted(card.actions)}"


def _given_up(history: History, terms: Terms) -> Iterator[str]:
    """An ask that was taken ends in its clips, unless its faults allow otherwise. A cap lets the first be taken: what
    may be spent pays for it."""
    if terms.cap_micro_usd is not None and not history.charges and not any(_cards(history, one) for one in terms.asks):
        yield f"{terms.cap_micro_usd} micro-dollars may be spent, and no ask was taken: {history.told}"
    fine = {"delivered", *terms.allowed, *(["uncertain"] if Allowed.UNBILLED in terms.allowed else [])}
    for asked in terms.asks:
        cards = _cards(history, asked)
        needed = Allowed.REFUSED if asked.acked else Allowed.UNHEARD
        if not cards and needed not in terms.allowed and not _paid(history, asked):
            yield f"“{asked.words}” came to nothing, and nothing kept it from being made: {history.told}"
        for card in cards:
            words = [word for word in card.rows.values() if word in ENDED - fine]
            if words:
                yield f"“{asked.words}” is {', '.join(words)}, and nothing kept it from being made: {card.text!r}"
            if card.ended and len(card.rows) != asked.takes:
                yield f"“{asked.words}” is for {asked.takes}, and its card shows {card.rows}"


def _too_many(history: History, terms: Terms) -> Iterator[str]:
    """What a fault lets happen to one ask or clip excuses no others."""
    ended = Counter(word for asked in terms.asks for card in _cards(history, asked) for word in card.rows.values())
    nowhere = [asked for asked in terms.asks if not _cards(history, asked) and not _paid(history, asked)]
    ended["refused"] = sum(asked.acked for asked in nowhere)
    ended["unheard"] = sum(not asked.acked for asked in terms.asks)
    if Allowed.UNBILLED in terms.allowed:
        ended["unbilled"] = ended.pop("uncertain", 0)
    for end, most in terms.allowed.items():
        if ended[end] > most:
            yield f"{ended[end]} are {end}, and what went wrong can have struck {most}"


def _denied(history: History, terms: Terms) -> Iterator[str]:
    """I9. What is said to have cost nothing was not charged, and what is said to be charged was. Of what is said not to
    be accepted there is neither a card nor a charge."""
    for asked in terms.asks:
        paid = len(_paid(history, asked))
        for card in _cards(history, asked):
            lines = [*card.lines.values()]
            free = sum(any(words in line for words in NOTHING_CHARGED) for line in lines)
            if free and free + paid > max(len(lines), asked.takes):
                yield f"{paid} are paid for “{asked.words}”, and its card says that {free} cost nothing: {card.text!r}"
            if paid and not free and any(words in card.text for words in NOTHING_CHARGED):
                yield f"{paid} are paid for “{asked.words}”, and its card says that nothing was charged: {card.text!r}"
        cards = _cards(history, asked)
        if any(words in asked.answer for words in DENIED) and (cards or paid):
            yield f"“{asked.words}” has {len(cards)} cards and {paid} charges, and was answered with {asked.answer!r}"
        elif paid and not cards and any(words in text for text in history.told for words in REFUSED):
            yield f"{paid} are paid for “{asked.words}”, and its person was told that nothing was"


def _miscounted(history: History, terms: Terms) -> Iterator[str]:
    """I9. Each sum that a card says was charged was, for a clip of that card; and what is over says what its books
    say: the sum of its charge, or that nothing was charged. Money is held for nothing but what is in doubt."""
    for asked in terms.asks:
        paid = _paid(history, asked)
        for card in _cards(history, asked):
            said = Counter(micro_usd for line in card.lines.values() for micro_usd in _sums(line))
            if not terms.unbooked and said - Counter(paid.values()):
                yield f"“{asked.words}” was charged {[*paid.values()]}, and its card says {[*said]}: {card.text!r}"
            for number, line in card.lines.items():
                if card.rows[number] in ENDED and not _says_money(card.rows[number], line):
                    yield f"#{number} of “{asked.words}” is over, and its card does not say what it cost: {line!r}"


def _says_money(word: str, line: str) -> bool:
    """Whether a row that stands at this word says of its money what becomes such an end. Whether it is true is seen
    from all rows of a card together, since nobody outside knows whose task has failed."""
    if word in DOUBTED:
        return any(words in line for words in IN_DOUBT)
    if any(words in line for words in UNSETTLED):
        return False
    return bool(_sums(line)) or (word != "delivered" and FREE in line)


def _sums(text: str) -> list[int]:
    """What it says was charged, in micro-dollars."""
    return [round(float(one["dollars"]) * 1_000_000) for one in _CHARGED.finditer(text)]


def _misplaced(history: History, terms: Terms) -> Iterator[str]:
    """A clip under the card of another ask than the one that paid for it."""
    prompts = {str(charge["task_id"]): str(charge["prompt"]) for charge in history.charges}
    for clip in history.clips:
        roots = [card for card in history.cards if (card.thread_ts or card.ts) == clip.thread_ts]
        prompt = prompts.get(clip.task_id or "")
        if prompt is not None and roots and not any(_same_ask(card, prompt, terms) for card in roots):
            yield f"#{clip.number} shows “{prompt}” in the thread of {[card.text for card in roots]}"


def _same_ask(card: Card, prompt: str, terms: Terms) -> bool:
    return any(asked.words in prompt and asked.words in card.text for asked in terms.asks)


def _late_answers(terms: Terms) -> Iterator[str]:
    """I6. Slack counts an answer that comes too late as none, whatever becomes of the ask."""
    for asked in terms.asks:
        if asked.acked and asked.seconds is not None and asked.seconds >= ACK_SECONDS:
            yield f"“{asked.words}” was answered after {asked.seconds:.1f} s"
        elif not asked.acked and Allowed.UNHEARD not in terms.allowed:
            yield f"“{asked.words}” was not answered in {ACK_SECONDS} s, and nothing kept it from being heard"


def _changed_minds(said: Sequence[tuple[str, str]]) -> Iterator[str]:
    """I10. What a card has once called over stays as it was called, also on another card of the ask."""
    final: dict[tuple[str, int], str] = {}
    for ask_id, text in said:
        for number, word in rows_of(text).items():
            before = final.get((ask_id, number))
            if before is not None and word != before:
                yield f"the card of {ask_id} said that #{number} is {before}, and then {word}"
            if word in FINAL:
                final[(ask_id, number)] = word
