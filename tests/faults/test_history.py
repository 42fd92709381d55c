"""The check of a history finds what it is there to find: each broken promise, told apart from a kept one."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.histories import charge, clip, film
from tests.support.history import Card, History, PromisesBroken, cards_of, replies_of, task_of


def _card(word: str = "delivered", ask_id: str = "ask-1", ts: str = "1.0") -> Card:
    return Card(ask_id=ask_id, ts=ts, thread_ts=None, rows={1: word}, text="")


KEPT = History(cards=(_card(),), clips=(clip(),), charges=(charge(),))
SAID = ("1.0", "Dailies cannot post here.")

BROKEN = {
    "a second charge": (replace(KEPT, charges=(charge(), charge("task-2"))), "2 charges were made, not 1"),
    "no clip": (replace(KEPT, clips=()), "0 clips stand, not 1"),
    "the clip twice": (replace(KEPT, clips=(clip(), clip())), "the clip of task task-1 stands 2 times"),
    "two cards": (replace(KEPT, cards=(_card(), _card(ts="2.0"))), "ask ask-1 has 2 cards"),
    "a reply twice": (replace(KEPT, replies=(SAID, SAID, ("2.0", "Hello."))), "the thread of 1.0 is told 2 times"),
    "no card": (replace(KEPT, cards=()), "0 cards stand, not 1"),
    "silence": (replace(KEPT, cards=(_card("rendering"),)), "left without a last word"),
    "another's clip": (replace(KEPT, clips=(clip("task-9"),)), "which these asks have not paid for"),
    "a refunded clip": (replace(KEPT, charges=(charge(status="refunded"),)), "0 charges were made, not 1"),
    "the wrong thread": (replace(KEPT, clips=(clip(thread_ts="7.0"),)), "outside the threads"),
    "an untrue card": (replace(KEPT, cards=(_card("failed"),)), "no card says that it was delivered"),
    "half a clip": (replace(KEPT, clips=(replace(clip(), task_id=None),)), "is not a whole clip"),
}


def test_a_kept_promise_passes() -> None:
    KEPT.check(clips=1)
    replace(KEPT, replies=(SAID, ("2.0", SAID[1]))).check(clips=1)


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_promise_is_found(name: str) -> None:
    history, sentence = BROKEN[name]
    with pytest.raises(PromisesBroken, match=sentence):
        history.check(clips=1)


def test_bytes_other_than_the_provider_rendered_are_found(tmp_path: Path) -> None:
    rendered = tmp_path / "task-1.mp4"
    rendered.write_bytes(film("task-1"))
    KEPT.check(clips=1, rendered=tmp_path)
    rendered.write_bytes(film("task-1").replace(b"frames", b"fromes"))
    with pytest.raises(PromisesBroken, match="differs from what the provider rendered"):
        KEPT.check(clips=1, rendered=tmp_path)


@pytest.mark.parametrize("cut", [1, 20, 60])
def test_a_film_that_was_cut_names_no_task(cut: int) -> None:
    whole = film("task-1")
    assert task_of(whole) == "task-1"
    assert task_of(whole[:-cut]) is None


def test_a_card_is_read_by_its_metadata_and_its_rows() -> None:
    text = "*Draft*, asked for by <@U1>.\n*#1* · take 1 of 2 · *delivered* · $0.32: Posted.\n*#2* · *uncertain*: Sent."
    ours = {"ts": "1.0", "text": text, "metadata": {"event_type": "dailies_card", "event_payload": {"ask": "ask-1"}}}
    (card,) = cards_of([ours, {"ts": "2.0", "text": "*#3* · *failed*: not ours"}])
    assert card.rows == {1: "delivered", 2: "uncertain"}
    assert card.ended


def test_a_reply_is_what_the_app_says_in_a_thread_beside_clips_and_cards() -> None:
    ours: dict[str, object] = {"bot_id": "B1", "thread_ts": "1.0", "text": "Dailies cannot post here."}
    card = {"event_type": "dailies_card", "event_payload": {"ask": "ask-1"}}
    others: list[dict[str, object]] = [
        {"bot_id": None},
        {"thread_ts": None},
        {"files": [{"id": "F1"}]},
        {"metadata": card},
    ]
    assert list(replies_of([ours, *({**ours, **other} for other in others)])) == [SAID]
