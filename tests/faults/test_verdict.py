"""The judgement counts each broken promise as what it is, once, and lets pass what the matrix allows."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.histories import charge, clip
from tests.support.history import Card, History, PromisesBroken
from tests.support.verdict import CHOICES, Allowed, Asked, Booked, Column, Terms, judge, judge_books

WORDS = "case-1x ask1"


def _card(word: str = "delivered", says: str = "Posted in the thread. $0.32 was charged.", **changes: Any) -> Card:
    text = f"*Draft*: a red panda {WORDS}\n*#1* · mini · *{word}* · $0.32: {says}"
    card = Card(ask_id="ask-1", ts="1.0", thread_ts=None, rows={1: word}, text=text)
    return replace(card, **changes)


def _paid(task_id: str = "task-1", **changes: Any) -> dict[str, Any]:
    return {**charge(task_id), "prompt": f"a red panda {WORDS}", "provider": "muapi", **changes}


DOUBT = "It may have been taken and charged, or not."
UNCERTAIN = _card("uncertain", DOUBT, actions=CHOICES)
FREE_WORDS = "Refused. Nothing was charged."
FREE = _card("failed", FREE_WORDS)
AGAIN = _card("failed", "$0.32 was charged.", ts="2.0")
BOTH = frozenset({"task-1", "task-2"})
KEPT = History(cards=(_card(),), clips=(clip(),), charges=(_paid(),), rendered=frozenset({"task-1"}))
TERMS = Terms(asks=(Asked(words=WORDS),))
ANYHOW = replace(TERMS, allowed=dict.fromkeys(Allowed, 9))
LOST = replace(KEPT, clips=(), cards=(UNCERTAIN,))
REFUSED = History(cards=(), clips=(), charges=(), told=("Busy: nothing was accepted.",))

NOTHING = History(cards=(), clips=(), charges=())
TWO = replace(TERMS, asks=(Asked(words=WORDS, takes=2),))
BUSY = "Dailies cannot reach its database just now, so nothing was accepted. Nothing was charged."
IN_DOUBT = "It is not known whether it was accepted. If there is no card, it was not accepted and costs nothing."
SURPRISE = (
    "If a card of it stands in the channel, it was accepted and goes on; otherwise nothing was ordered or charged."
)


def _allowing(*ends: Allowed, terms: Terms = TERMS, most: int = 9) -> Terms:
    return replace(terms, allowed=dict.fromkeys(ends, most))


def _answered(words: str) -> Terms:
    return replace(TERMS, asks=(Asked(words=WORDS, answer=words),))


def _two(one: str, other: str, says: str = "$0.32 was charged.", first: str = "$0.32 was charged.") -> Card:
    text = f"*Draft*: a red panda {WORDS}\n*#1* · *{one}*: {first}\n*#2* · *{other}*: {says}"
    return replace(UNCERTAIN, text=text, rows={1: one, 2: other})


FINE = {
    "a clip": (KEPT, TERMS),
    "a clip, and news": (replace(KEPT, news=("paused:muapi", "resumed:muapi")), TERMS),
    "a clip for all that may be spent": (KEPT, replace(TERMS, cap_micro_usd=320_000)),
    "a question that nobody can answer": (LOST, _allowing(Allowed.UNCERTAIN)),
    "two of them": (
        replace(LOST, cards=(_two("uncertain", "uncertain"),), charges=(_paid(), _paid("task-2"))),
        _allowing(Allowed.UNCERTAIN, terms=TWO),
    ),
    "a question about an order that was never charged": (
        replace(LOST, charges=(), rendered=frozenset()),
        _allowing(Allowed.UNBILLED),
    ),
    "late, as the faults allow": (
        replace(LOST, cards=(_card("late", "Paid for, charged and not there."),)),
        _allowing(Allowed.LATE),
    ),
    "refused for nothing": (replace(KEPT, cards=(FREE,), clips=(), charges=()), _allowing(Allowed.FAILED)),
    "given back": (
        replace(KEPT, cards=(FREE,), clips=(), charges=(_paid(status="refunded"),)),
        _allowing(Allowed.FAILED),
    ),
    "one of two taken, for all that may be spent": (
        replace(KEPT, told=REFUSED.told),
        Terms(
            asks=(Asked(words=WORDS), Asked(words="case-1x ask2")), cap_micro_usd=320_000, allowed={Allowed.REFUSED: 1}
        ),
    ),
    "not accepted, which was said": (REFUSED, _allowing(Allowed.REFUSED)),
    "not accepted, which was its answer": (REFUSED, _allowing(Allowed.REFUSED, terms=_answered(BUSY))),
    "a clip, and its answer did not know of it": (KEPT, _answered(IN_DOUBT)),
    "a clip, and its answer said what there is without a card": (KEPT, _answered(SURPRISE)),
    "a clip, and another ask's answer denied that one": (
        replace(KEPT, told=(BUSY,)),
        replace(
            TERMS,
            asks=(Asked(words=WORDS, answer="It is accepted."), Asked(words="case-1x ask2", answer=BUSY)),
            allowed={Allowed.REFUSED: 1},
        ),
    ),
    "never taken": (
        NOTHING,
        replace(TERMS, asks=(Asked(words=WORDS, acked=False),), allowed={Allowed.UNHEARD: 1}),
    ),
    "a clip, and the answer was lost": (
        KEPT,
        replace(TERMS, asks=(Asked(words=WORDS, acked=False),), allowed={Allowed.UNHEARD: 1}),
    ),
    "booked twice by the provider": (replace(KEPT, charges=(_paid(), _paid(id=2))), TERMS),
    "billed at what it does not tell": (
        replace(KEPT, charges=(_paid(micro_usd=640_000),)),
        replace(TERMS, unbooked=True),
    ),
}

BROKEN: dict[str, tuple[Column, History, Terms]] = {
    "a second order": (Column.DOUBLE_CHARGES, replace(KEPT, charges=(_paid(), _paid("task-2"))), TERMS),
    "a second order after one that was refunded": (
        Column.DOUBLE_CHARGES,
        replace(KEPT, charges=(_paid("task-9", status="refunded"), _paid())),
        TERMS,
    ),
    "a second order, refunded like the first": (
        Column.DOUBLE_CHARGES,
        replace(NOTHING, cards=(FREE,), charges=(_paid(status="refunded"), _paid("task-2", status="refunded"))),
        ANYHOW,
    ),
    "what nobody asked for": (
        Column.DOUBLE_CHARGES,
        replace(KEPT, charges=(_paid(), _paid("task-2", prompt="a dog"))),
        TERMS,
    ),
    "more than the cap": (Column.OVER_A_CAP, KEPT, replace(TERMS, cap_micro_usd=319_999)),
    "more than the cap until it was refunded": (
        Column.OVER_A_CAP,
        replace(
            KEPT,
            cards=(_two("delivered", "failed", FREE_WORDS),),
            charges=(_paid(), _paid("task-2", status="refunded")),
        ),
        replace(TWO, cap_micro_usd=600_000, allowed={Allowed.FAILED: 1}),
    ),
    "a clip that fails although it could be had": (
        Column.LOST_CLIPS,
        replace(LOST, cards=(_card("failed", "$0.32 was charged."),)),
        ANYHOW,
    ),
    "a question about an order that the provider tells of": (Column.LOST_CLIPS, LOST, _allowing(Allowed.UNBILLED)),
    "a question for two clips that could be had": (
        Column.LOST_CLIPS,
        replace(LOST, cards=(_two("uncertain", "failed"),), charges=(_paid(), _paid("task-2")), rendered=BOTH),
        replace(ANYHOW, asks=TWO.asks),
    ),
    "a clip twice": (
        Column.DOUBLE_POSTS,
        replace(KEPT, clips=(clip(), clip(number=2)), cards=(_two("delivered", "delivered"),)),
        TWO,
    ),
    "a card's words once more": (
        Column.DOUBLE_POSTS,
        replace(KEPT, replies=((None, _card().text),)),
        TERMS,
    ),
    "what stood twice for a while": (Column.DOUBLE_POSTS, replace(KEPT, withdrawn=("#1 stood twice",)), TERMS),
    "news twice": (Column.DOUBLE_POSTS, replace(KEPT, news=("paused:muapi", "paused:muapi")), TERMS),
    "what is no news": (Column.OTHER, replace(KEPT, replies=((None, "Good morning."),)), TERMS),
    "a card twice": (Column.DOUBLE_POSTS, replace(KEPT, cards=(_card(), AGAIN)), ANYHOW),
    "work without an end": (
        Column.SILENT_ENDS,
        replace(KEPT, clips=(), rendered=frozenset(), cards=(_card("rendering"),)),
        TERMS,
    ),
    "a question without buttons": (
        Column.SILENT_ENDS,
        replace(LOST, rendered=frozenset(), cards=(replace(UNCERTAIN, actions=frozenset()),)),
        ANYHOW,
    ),
    "no card and no word": (Column.SILENT_ENDS, replace(REFUSED, told=("It is accepted.",)), ANYHOW),
    "one word for two": (
        Column.SILENT_ENDS,
        REFUSED,
        replace(ANYHOW, asks=(Asked(words=WORDS), Asked(words="case-1x ask2"))),
    ),
    "an order that is not made for no reason": (
        Column.GIVEN_UP,
        replace(KEPT, cards=(FREE,), clips=(), charges=()),
        TERMS,
    ),
    "a question for no reason": (
        Column.GIVEN_UP,
        replace(KEPT, cards=(UNCERTAIN,), clips=(), charges=(), rendered=frozenset()),
        TERMS,
    ),
    "all refused where there is money for one": (
        Column.GIVEN_UP,
        REFUSED,
        _allowing(Allowed.REFUSED, terms=replace(TERMS, cap_micro_usd=600_000)),
    ),
    "two questions where one order can have been struck": (
        Column.GIVEN_UP,
        replace(LOST, cards=(_two("uncertain", "uncertain"),), charges=(_paid(), _paid("task-2"))),
        _allowing(Allowed.UNCERTAIN, terms=TWO, most=1),
    ),
    "two questions about nothing where one order can have been struck": (
        Column.GIVEN_UP,
        replace(NOTHING, cards=(_two("uncertain", "uncertain", DOUBT, DOUBT),)),
        _allowing(Allowed.UNBILLED, terms=TWO, most=1),
    ),
    "two failures where one was to fail": (
        Column.GIVEN_UP,
        replace(NOTHING, cards=(_two("failed", "failed", FREE_WORDS, FREE_WORDS),)),
        _allowing(Allowed.FAILED, terms=TWO, most=1),
    ),
    "two late where one was to be": (
        Column.GIVEN_UP,
        replace(LOST, rendered=frozenset(), cards=(_two("late", "late"),), charges=(_paid(), _paid("task-2"))),
        _allowing(Allowed.LATE, terms=TWO, most=1),
    ),
    "refused where no other ask stands for it": (Column.GIVEN_UP, REFUSED, _allowing(Allowed.REFUSED, most=0)),
    "never heard of where nothing struck": (
        Column.GIVEN_UP,
        NOTHING,
        _allowing(Allowed.UNHEARD, terms=replace(TERMS, asks=(Asked(words=WORDS, acked=False),)), most=0),
    ),
    "refused for no reason": (Column.GIVEN_UP, REFUSED, TERMS),
    "never heard of for no reason": (
        Column.GIVEN_UP,
        NOTHING,
        replace(TERMS, asks=(Asked(words=WORDS, acked=False),)),
    ),
    "one clip of two": (Column.GIVEN_UP, KEPT, TWO),
    "said to be free": (Column.UNTRUE_WORDS, replace(KEPT, clips=(), rendered=frozenset(), cards=(FREE,)), ANYHOW),
    "said to be charged": (
        Column.UNTRUE_WORDS,
        replace(KEPT, clips=(), charges=(), cards=(_card("failed", "$0.32 was charged."),)),
        ANYHOW,
    ),
    "said to be charged, and given back": (
        Column.UNTRUE_WORDS,
        replace(
            KEPT,
            clips=(),
            charges=(_paid(status="refunded"),),
            rendered=frozenset(),
            cards=(_card("failed", "$0.32 was charged."),),
        ),
        ANYHOW,
    ),
    "said to cost another sum": (Column.UNTRUE_WORDS, replace(KEPT, cards=(_card(says="$0.31 was charged."),)), TERMS),
    "over without a word of money": (Column.UNTRUE_WORDS, replace(KEPT, cards=(_card(says="Posted."),)), TERMS),
    "delivered, and said to be held": (
        Column.UNTRUE_WORDS,
        replace(KEPT, cards=(_card(says="Posted. The money stays held until it is charged."),)),
        TERMS,
    ),
    "delivered, and said to be held after its charge": (
        Column.UNTRUE_WORDS,
        replace(KEPT, cards=(_card(says="Posted. $0.32 was charged. The money stays held."),)),
        TERMS,
    ),
    "failed for nothing, and counted as spent": (
        Column.UNTRUE_WORDS,
        replace(KEPT, clips=(), charges=(), cards=(_card("failed", "$0.32 is counted as spent."),)),
        ANYHOW,
    ),
    "failed and charged, and counted as spent": (
        Column.UNTRUE_WORDS,
        replace(KEPT, clips=(), rendered=frozenset(), cards=(_card("failed", "$0.32 is counted as spent."),)),
        ANYHOW,
    ),
    "late without a word of money": (
        Column.UNTRUE_WORDS,
        replace(LOST, cards=(_card("late", "It takes longer than it should."),)),
        ANYHOW,
    ),
    "told to be nothing": (Column.UNTRUE_WORDS, replace(REFUSED, charges=(_paid(),)), ANYHOW),
    "told that nothing was accepted, and a clip": (Column.UNTRUE_WORDS, replace(KEPT, told=(BUSY,)), _answered(BUSY)),
    "told that nothing was accepted, and a card": (
        Column.UNTRUE_WORDS,
        replace(KEPT, cards=(FREE,), clips=(), charges=(), told=(BUSY,)),
        replace(ANYHOW, asks=_answered(BUSY).asks),
    ),
    "told that nothing was accepted, and a charge": (
        Column.UNTRUE_WORDS,
        replace(REFUSED, charges=(_paid(),)),
        replace(ANYHOW, asks=_answered(BUSY).asks),
    ),
    "said to be posted": (Column.UNTRUE_WORDS, replace(KEPT, clips=(), rendered=frozenset()), TERMS),
    "another's clip": (Column.FOREIGN_CLIPS, replace(KEPT, clips=(clip("task-9"),), rendered=frozenset()), TERMS),
    "a late answer": (Column.OTHER, KEPT, replace(TERMS, asks=(Asked(words=WORDS, seconds=3.2),))),
    "an answer too late for Slack, and a clip": (
        Column.OTHER,
        KEPT,
        replace(TERMS, asks=(Asked(words=WORDS, acked=False),)),
    ),
}
ALSO = {
    "a clip twice": {Column.UNTRUE_WORDS},
    "never heard of for no reason": {Column.OTHER},
    "told to be nothing": {Column.SILENT_ENDS},
    "told that nothing was accepted, and a charge": {Column.SILENT_ENDS},
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
    said = [("ask-1", _card(word).text) for word in words]
    assert judge(KEPT, TERMS, said).count(Column.OTHER) == count


def test_bytes_are_compared_where_they_lie(tmp_path: Path) -> None:
    original = tmp_path / "task-1.mp4"
    original.write_bytes(clip().content)
    terms = replace(TERMS, rendered=tmp_path)
    judge(KEPT, terms).raise_if_broken()
    original.write_bytes(b"another film")
    assert judge(KEPT, terms).count(Column.FOREIGN_CLIPS) == 1


def _booked(state: str = "delivered", **changes: Any) -> Booked:
    spent = 320_000 if state == "delivered" else 0
    known = Booked(state=state, price=320_000, task_id="task-1", held=0, settled=spent)
    return replace(known, **changes)


GIVEN_BACK = replace(KEPT, charges=(_paid(status="refunded"),))
DEAR = replace(KEPT, charges=(_paid(micro_usd=640_000),))
HELD = _booked("uncertain", task_id=None, held=320_000)
SOUND = {
    "delivered": (KEPT, [_booked()], False),
    "failed, and given back": (GIVEN_BACK, [_booked("failed")], False),
    "failed, and charged": (KEPT, [_booked("failed", settled=320_000)], False),
    "never ordered": (NOTHING, [_booked("cancelled", task_id=None)], False),
    "in doubt, and charged": (KEPT, [HELD], False),
    "in doubt, and not charged": (NOTHING, [HELD], False),
    "late": (KEPT, [_booked("late", held=320_000)], False),
    "late, and its charge was told": (KEPT, [_booked("late", settled=320_000)], False),
    "charged at what is not told": (DEAR, [_booked()], True),
    "charged at what is told": (DEAR, [_booked(settled=640_000)], True),
}
UNSOUND = {
    "delivered, and not counted": (KEPT, [_booked(settled=0)], False),
    "delivered, and still set aside": (KEPT, [_booked(held=320_000, settled=0)], False),
    "delivered, and counted at another sum": (DEAR, [_booked()], False),
    "failed, and counted although it was given back": (GIVEN_BACK, [_booked("failed", settled=320_000)], False),
    "failed, and still set aside": (GIVEN_BACK, [_booked("failed", held=320_000)], False),
    "failed, and not counted although it is charged": (KEPT, [_booked("failed")], False),
    "in doubt, and nothing is set aside": (KEPT, [replace(HELD, task_id="task-1", held=0)], False),
    "in doubt, and counted although nobody charged": (NOTHING, [replace(HELD, held=0, settled=320_000)], False),
    "late, and nothing is set aside": (KEPT, [_booked("late")], False),
    "two sums that level out": (
        replace(KEPT, charges=(_paid(), _paid("task-2"))),
        [_booked(settled=640_000), _booked(task_id="task-2", settled=0)],
        False,
    ),
    "charged, and unknown to us": (replace(KEPT, charges=(_paid(), _paid("task-2"))), [_booked()], False),
    "two charges for one doubt": (replace(KEPT, charges=(_paid(), _paid("task-2"))), [HELD], False),
    "still at work": (KEPT, [_booked("delivering", settled=320_000)], False),
}


@pytest.mark.parametrize("name", SOUND)
def test_books_that_agree_with_the_providers_count_as_nothing(name: str) -> None:
    history, booked, unbooked = SOUND[name]
    judge_books(history, booked, unbooked=unbooked).raise_if_broken()


@pytest.mark.parametrize("name", UNSOUND)
def test_books_that_differ_from_the_providers_are_seen(name: str) -> None:
    history, booked, unbooked = UNSOUND[name]
    assert judge_books(history, booked, unbooked=unbooked).count(Column.OTHER) >= 1
