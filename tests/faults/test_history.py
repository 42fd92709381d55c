"""The check of a history finds what it is there to find: each broken promise, told apart from a kept one."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.sandbox.driver import Json
from tests.support.histories import charge, clip, film
from tests.support.history import Card, History, PromisesBroken, cards_of, news_of, replies_of, task_of, withdrawn_of


def _card(word: str = "delivered", ask_id: str = "ask-1", ts: str = "1.0") -> Card:
    return Card(ask_id=ask_id, ts=ts, thread_ts=None, rows={1: word}, text="")


KEPT = History(cards=(_card(),), clips=(clip(),), charges=(charge(),))
ROW = "*#1* · mini · *delivered* · $0.32: Posted."
SAID = ("1.0", "Dailies cannot post here.")

BROKEN = {
    "a second charge": (replace(KEPT, charges=(charge(), charge("task-2"))), "2 charges were made, not 1"),
    "no clip": (replace(KEPT, clips=()), "0 clips stand, not 1"),
    "the clip twice": (replace(KEPT, clips=(clip(), clip())), "the clip of task task-1 stands 2 times"),
    "two cards": (replace(KEPT, cards=(_card(), _card(ts="2.0"))), "ask ask-1 has a card 2 times"),
    "a reply twice": (replace(KEPT, replies=(SAID, SAID, ("2.0", "Hello."))), r"the thread of 1.0 is told .* 2 times"),
    "a word to the channel twice": (replace(KEPT, replies=((None, "Hello."),) * 2), r"the channel is told .* 2 times"),
    "a word to the channel": (replace(KEPT, replies=((None, "Hello."),)), "the channel is told what is no news"),
    "a card's words without a card": (replace(KEPT, replies=(("1.0", ROW),)), "is told beside its card"),
    "news twice": (replace(KEPT, news=("paused:hiapi", "paused:hiapi")), "paused:hiapi is announced 2 times"),
    "a card taken away": (replace(KEPT, withdrawn=("the card of ask ask-1 stood twice",)), "stood twice"),
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
    replace(KEPT, replies=(SAID, ("2.0", SAID[1])), news=("paused:hiapi", "resumed:hiapi")).check(clips=1)


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


def test_a_reply_is_what_the_app_says_beside_clips_cards_and_news() -> None:
    ours: dict[str, object] = {"ts": "3.0", "bot_id": "B1", "thread_ts": "1.0", "text": "Dailies cannot post here."}
    card = {"event_type": "dailies_card", "event_payload": {"ask": "ask-1"}}
    news = {"event_type": "dailies_news", "event_payload": {"news": "paused:hiapi"}}
    others: list[dict[str, object]] = [
        {"bot_id": None},
        {"files": [{"id": "F1"}]},
        {"metadata": card},
        {"metadata": news, "thread_ts": None},
        {"thread_ts": None},
        {"thread_ts": "3.0"},
    ]
    every = [ours, *({**ours, **other} for other in others)]
    assert list(replies_of(every)) == [SAID, (None, SAID[1]), (None, SAID[1])]
    assert list(news_of(every)) == ["paused:hiapi"]


def _card_at(ts: str, *, deleted: bool = False, ask: str = "ask-1") -> Json:
    metadata = {"event_type": "dailies_card", "event_payload": {"ask": ask}}
    return {"ts": ts, "bot_id": "B1", "text": ROW, "metadata": metadata, "deleted": deleted}


def _clip_at(ts: str, file_id: str, *, deleted: bool = False, number: int = 1) -> Json:
    text = f"*#{number}* · a red panda"
    return {"ts": ts, "thread_ts": "1.0", "bot_id": "B1", "text": text, "files": [{"id": file_id}], "deleted": deleted}


def _removal(at: float, **arguments: str) -> Json:
    return {"at": at, "ok": True, "arguments": arguments}


WITHDRAWN = {
    "the older card": ([_card_at("1.0", deleted=True), _card_at("2.0")], [_removal(3.0, channel="C1", ts="1.0")], 1),
    "the newer card": ([_card_at("1.0"), _card_at("2.0", deleted=True)], [_removal(3.0, channel="C1", ts="2.0")], 1),
    "the file of a clip": ([_clip_at("2.0", "F1", deleted=True), _clip_at("3.0", "F2")], [_removal(4.0, file="F1")], 1),
    "the message of a clip": (
        [_clip_at("2.0", "F1", deleted=True), _clip_at("3.0", "F2")],
        [_removal(4.0, ts="2.0")],
        1,
    ),
    "both cards": (
        [_card_at("1.0", deleted=True), _card_at("2.0", deleted=True)],
        [_removal(3.0, ts="1.0"), _removal(4.0, ts="2.0")],
        2,
    ),
    "a card before the other came": (
        [_card_at("1.0", deleted=True), _card_at("3.0")],
        [_removal(2.0, ts="1.0")],
        0,
    ),
    "a card that a person deleted": ([_card_at("1.0", deleted=True), _card_at("2.0")], [], 0),
    "another ask's card": ([_card_at("1.0", deleted=True), _card_at("2.0", ask="ask-2")], [_removal(3.0, ts="1.0")], 0),
    "another clip": (
        [_clip_at("2.0", "F1", deleted=True), _clip_at("3.0", "F2", number=2)],
        [_removal(4.0, ts="2.0")],
        0,
    ),
    "a file that was never shared": ([_clip_at("3.0", "F2")], [_removal(2.0, file="F1")], 0),
}


@pytest.mark.parametrize("name", WITHDRAWN)
def test_what_stood_twice_for_a_while_is_found(name: str) -> None:
    messages, removals, count = WITHDRAWN[name]
    assert len(list(withdrawn_of(messages, removals))) == count
