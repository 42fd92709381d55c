"""What counts as a restarted bot's going on: an effect that moves the case, and nothing that any start does. And that a
plain ask is judged whole."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.faults.rig import Rig
from tests.sandbox.driver import Workspace
from tests.support.histories import charge, clip
from tests.support.history import Card, History, PromisesBroken
from tests.support.verdict import ACK_SECONDS, Column, Terms, judge

HERE, ELSEWHERE = "C1", "C2"


class _Studio:
    """A sandbox that has seen these calls and requests."""

    def __init__(self, *calls: dict[str, Any], **requests: int) -> None:
        self._answers = {"/calls": {"calls": calls}, "/providers/hiapi/requests": requests}

    async def get(self, path: str, **_: object) -> Any:
        return self._answers[path]


def _call(method: str, channel: str = HERE, text: str = "") -> dict[str, Any]:
    return {"method": method, "arguments": {"channel": channel, "text": text}}


def _rig(studio: _Studio) -> Rig:
    return Rig(
        studio=cast("Workspace", studio),
        bot=cast("Any", SimpleNamespace()),
        channel="#case",
        channel_id=HERE,
        marker="case-1x",
        rendered=Path(),
    )


@pytest.mark.parametrize(
    "studio",
    [
        _Studio(_call("auth.test", ""), _call("apps.connections.open", ""), _call("users.info", "")),
        _Studio(_call("chat.postMessage", ELSEWHERE)),
        _Studio(_call("chat.update", text="*#1* · mini · *rendering* · $0.32: at work")),
        _Studio(balance=1, callback=2, catalog=1),
    ],
)
async def test_what_any_start_does_moves_nothing(studio: _Studio) -> None:
    assert await _rig(studio).effects(0.0) == 0


@pytest.mark.parametrize(
    "studio",
    [
        _Studio(_call("chat.postMessage")),
        _Studio(_call("chat.update", text="*#1* · mini · *delivered* · $0.32: posted")),
        _Studio(_call("files.info", "")),
        _Studio(get=1, callback=1),
        _Studio(create=1),
    ],
)
async def test_what_moves_the_case_does(studio: _Studio) -> None:
    assert await _rig(studio).effects(0.0) == 1


class _Over(Rig):
    """A case that is over, with this on its card, of which Slack saw that before."""

    line = "*#1* · mini · *delivered* · $0.32: Posted in the thread. $0.32 was charged."
    before: tuple[str, ...] = ()

    async def ended(self, **_: object) -> list[Card]:
        return []

    async def history(self) -> History:
        text = f"*Draft*: a red panda {self.marker}\n{self.line}"
        card = Card(ask_id="ask-1", ts="1.0", thread_ts=None, rows={1: "delivered"}, text=text)
        paid = {**charge(), "prompt": f"a red panda {self.marker}", "provider": "hiapi"}
        return History(cards=(card,), clips=(clip(),), charges=(paid,), rendered=frozenset({"task-1"}))

    async def books_balance(self, history: History, *, settled: int | None = None) -> None:
        return None

    async def said(self, since: float = 0.0) -> list[tuple[str, str]]:
        return [("ask-1", f"*#1* · mini · *{word}* · $0.32: so it is") for word in (*self.before, "delivered")]


@pytest.fixture
def over(tmp_path: Path) -> _Over:
    (tmp_path / "task-1.mp4").write_bytes(clip().content)
    return _Over(**vars(_rig(_Studio())) | {"rendered": tmp_path})


async def test_a_plain_ask_that_is_as_it_should_be(over: _Over) -> None:
    over.before = ("rendering",)
    over.answered.append(ACK_SECONDS / 2)
    await over.delivered()


async def test_a_sum_that_was_not_charged_is_seen(over: _Over) -> None:
    over.line = over.line.replace("$0.32 was", "$0.31 was")
    with pytest.raises(PromisesBroken, match="untrue words"):
        await over.delivered()


async def test_a_charge_that_is_denied_is_seen(over: _Over) -> None:
    over.line = over.line.replace("$0.32 was charged", "Nothing was charged")
    with pytest.raises(PromisesBroken, match="untrue words"):
        await over.delivered()


async def test_a_card_that_changes_its_mind_is_seen(over: _Over) -> None:
    over.before = ("failed",)
    with pytest.raises(PromisesBroken, match="is failed, and then delivered"):
        await over.delivered()


async def test_an_answer_that_came_too_late_is_seen(over: _Over) -> None:
    over.answered.append(ACK_SECONDS + 0.5)
    with pytest.raises(PromisesBroken, match="was answered after"):
        await over.delivered()


def _says(number: int, method: str, word: str, ts: str, **changes: Any) -> dict[str, Any]:
    metadata = {"event_type": "dailies_card", "event_payload": {"ask": "ask-1"}}
    arguments = {"channel": HERE, "ts": ts, "text": f"*#1* · *{word}*: so it is", "metadata": json.dumps(metadata)}
    return {"number": number, "method": method, "ok": True, "arguments": arguments, **changes}


class _Calls:
    """A sandbox that has seen these calls, and tells them by their methods."""

    def __init__(self, *calls: dict[str, Any]) -> None:
        self._calls = calls

    async def get(self, path: str, *, method: str, **_: object) -> Any:
        return {"calls": [call for call in self._calls if call["method"] == method]}


async def test_what_cards_of_an_ask_say_is_heard_also_where_one_is_posted_again() -> None:
    elsewhere = {"channel": ELSEWHERE, "text": "*#1* · *cancelled*: not here"}
    calls = _Calls(
        _says(2, "chat.update", "failed", "1.0"),
        _says(1, "chat.postMessage", "queued", "1.0"),
        _says(3, "chat.postMessage", "delivered", "2.0"),
        _says(4, "chat.update", "cancelled", "2.0", ok=False),
        _says(5, "chat.postMessage", "cancelled", "3.0", arguments=elsewhere),
        _says(6, "chat.postMessage", "", "4.0", arguments={"channel": HERE, "text": "No card."}),
    )
    said = await _rig(cast("_Studio", calls)).said()
    assert said == [("ask-1", f"*#1* · *{word}*: so it is") for word in ("queued", "failed", "delivered")]
    (broken,) = judge(History(cards=(), clips=(), charges=()), Terms(asks=()), said).broken
    assert broken == (Column.OTHER, "the card of ask-1 said that #1 is failed, and then delivered")
