"""The judgement counts each broken promise as what it is, once, and lets pass what the matrix allows."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.histories import charge, clip
from tests.support.history import Card, History, PromisesBroken
from tests.support.verdict import CHOICES, Allowed, Asked, Column, Terms, judge

WORDS = "case-1x ask1"


def _card(word: str = "delivered", says: str = "Posted in the thread. $0.32 was charged.", **changes: Any) -> Card:
    text = f"*Draft*: a red panda {WORDS}\n*#1* · mini · *{word}* · $0.32: {says}"
    card = Card(ask_id="ask-1", ts="1.0", thread_ts=None, rows={1: word}, text=text)
    return replace(card, **changes)


def _paid(task_id: str = "task-1", **changes: Any) -> dict[str, Any]:
    return {**charge(task_id), "prompt": f"a red panda {WORDS}", "provider": "muapi", **changes}


UNCERTAIN = _card("uncertain", "It may have been taken and charged, or not.", actions=CHOICES)
FREE = _card("failed", "Refused. Nothing was charged.")
KEPT = History(cards=(_card(),), clips=(clip(),), charges=(_paid(),), rendered=frozenset({"task-1"}))
TERMS = Terms(asks=(Asked(words=WORDS),), learnable=lambda provider: provider == "hiapi")
KNOWN = replace(TERMS, learnable=lambda provider: True)
LOST = replace(KEPT, clips=(), cards=(UNCERTAIN,))
REFUSED = History(cards=(), clips=(), charges=(), told=("Busy: nothing was accepted.",))

FINE = {
    "a clip": (KEPT, TERMS),
    "a clip for all that may be spent": (KEPT, replace(TERMS, cap_micro_usd=320_000)),
    "a question that nobody can answer": (LOST, TERMS),
    "a question that the faults allow": (LOST, replace(KNOWN, allowed=(Allowed.UNCERTAIN,))),
    "late, as the faults allow": (
        replace(LOST, cards=(_card("late", "Sorry."),)),
        replace(KNOWN, allowed=(Allowed.LATE,)),
    ),
    "lost by the provider, which is said": (
        replace(LOST, cards=(_card("failed", "$0.32 was charged."),)),
        replace(KNOWN, allowed=(Allowed.LOST,)),
    ),
    "refused for nothing": (replace(KEPT, cards=(FREE,), clips=(), charges=()), TERMS),
    "given back": (replace(KEPT, cards=(FREE,), clips=(), charges=(_paid(status="refunded"),)), TERMS),
    "not accepted, which was said": (REFUSED, TERMS),
    "never taken": (replace(REFUSED, told=()), replace(TERMS, asks=(Asked(words=WORDS, acked=False),))),
    "booked twice by the provider": (replace(KEPT, charges=(_paid(), _paid(id=2))), TERMS),
}

BROKEN: dict[str, tuple[Column, History, Terms]] = {
    "a second order": (Column.DOUBLE_CHARGES, replace(KEPT, charges=(_paid(), _paid("task-2"))), TERMS),
    "what nobody asked for": (
        Column.DOUBLE_CHARGES,
        replace(KEPT, charges=(_paid(), _paid("task-2", prompt="a dog"))),
        TERMS,
    ),
    "more than the cap": (Column.OVER_A_CAP, KEPT, replace(TERMS, cap_micro_usd=319_999)),
    "more than the cap until it was refunded": (
        Column.OVER_A_CAP,
        replace(KEPT, charges=(_paid(), _paid("task-2", status="refunded"))),
        replace(TERMS, cap_micro_usd=600_000),
    ),
    "a clip given up that could be had": (Column.LOST_CLIPS, LOST, KNOWN),
    "a clip that is said to be late": (Column.LOST_CLIPS, replace(LOST, cards=(_card("late", "Sorry."),)), TERMS),
    "a clip twice": (
        Column.DOUBLE_POSTS,
        replace(KEPT, clips=(clip(), clip(number=2)), cards=(_card(rows={1: "delivered", 2: "delivered"}),)),
        TERMS,
    ),
    "a card twice": (Column.DOUBLE_POSTS, replace(KEPT, cards=(_card(), _card(ts="2.0", rows={1: "failed"}))), TERMS),
    "work without an end": (Column.SILENT_ENDS, replace(KEPT, clips=(), cards=(_card("rendering"),)), TERMS),
    "a question without buttons": (
        Column.SILENT_ENDS,
        replace(LOST, cards=(replace(UNCERTAIN, actions=frozenset()),)),
        TERMS,
    ),
    "no card and no word": (Column.SILENT_ENDS, replace(REFUSED, told=("It is accepted.",)), TERMS),
    "said to be free": (Column.UNTRUE_WORDS, replace(KEPT, clips=(), rendered=frozenset(), cards=(FREE,)), TERMS),
    "said to be charged": (
        Column.UNTRUE_WORDS,
        replace(KEPT, clips=(), charges=(), cards=(_card("failed", "$0.32 was charged."),)),
        TERMS,
    ),
    "told to be nothing": (Column.UNTRUE_WORDS, replace(REFUSED, charges=(_paid(),)), TERMS),
    "said to be posted": (Column.UNTRUE_WORDS, replace(KEPT, clips=(), rendered=frozenset()), TERMS),
    "another's clip": (Column.FOREIGN_CLIPS, replace(KEPT, clips=(clip("task-9"),), rendered=frozenset()), TERMS),
    "a late answer": (Column.OTHER, KEPT, replace(TERMS, asks=(Asked(words=WORDS, seconds=3.2),))),
}
ALSO = {
    "told to be nothing": {Column.SILENT_ENDS},
    "a question without buttons": {Column.LOST_CLIPS},
    "work without an end": {Column.LOST_CLIPS},
}
"""What breaks more than one promise by its nature."""


@pytest.mark.parametrize("name", FINE)
def test_what_is_kept_or_allowed_counts_as_nothing(name: str) -> None:
    history, terms = FINE[name]
    judge(history, terms).raise_if_broken()


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_promise_counts_once_as_what_it_is(name: str) -> None:
    column, history, terms = BROKEN[name]
    verdict = judge(history, terms)
    counted = {one: count for one in Column if (count := verdict.count(one))}
    assert counted == dict.fromkeys({column, *ALSO.get(name, set())}, 1), verdict.broken
    with pytest.raises(PromisesBroken, match=column.value):
        verdict.raise_if_broken()


def test_a_clip_in_the_thread_of_another_ask_is_foreign() -> None:
    other = _card(ask_id="ask-2", ts="2.0", text="*Draft*: a red panda case-1x ask2\n*#1* · *delivered*: Posted.")
    asks = (Asked(words=WORDS), Asked(words="case-1x ask2"))
    history = replace(
        KEPT,
        cards=(_card(), other),
        clips=(clip(thread_ts="2.0"), clip("task-2", thread_ts="1.0")),
        charges=(_paid(), _paid("task-2", prompt="a red panda case-1x ask2")),
    )
    assert judge(history, replace(TERMS, asks=asks)).count(Column.FOREIGN_CLIPS) == 2


@pytest.mark.parametrize(
    ("words", "count"),
    [(["queued", "failed", "delivered"], 1), (["queued", "uncertain", "delivered"], 0), (["failed", "failed"], 0)],
)
def test_a_card_that_changes_its_last_word_is_seen(words: list[str], count: int) -> None:
    said = [("1.0", _card(word).text) for word in words]
    assert judge(KEPT, TERMS, said).count(Column.OTHER) == count


def test_bytes_are_compared_where_they_lie(tmp_path: Path) -> None:
    original = tmp_path / "task-1.mp4"
    original.write_bytes(clip().content)
    terms = replace(TERMS, rendered=tmp_path)
    judge(KEPT, terms).raise_if_broken()
    original.write_bytes(b"another film")
    assert judge(KEPT, terms).count(Column.FOREIGN_CLIPS) == 1
