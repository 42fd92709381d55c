"""People are looked up once, remembered for a while, and unknown is no."""

import asyncio
from typing import Any

import pytest

from bot.domain.access import AccessRules, Action, Member, Why
from bot.ports import ChatError, ChatUnauthorized
from bot.services import gatekeeper as module
from bot.services.answers import NotAllowed
from bot.services.gatekeeper import KNOWN_FOR_SECONDS, SERVES_FOR_SECONDS, Gatekeeper
from bot.services.policy import Policy
from tests.support.clock import SettableClock
from tests.support.services import People

OPEN = Policy(access=AccessRules(admins=frozenset({"U9", "U8"})))


class Slack(People):
    """A directory that fails when told to, and answers only when the gate is open."""

    def __init__(self, *members: Member, unknown: tuple[str, ...] = ()) -> None:
        super().__init__(*members, unknown=unknown)
        self.fails: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def member(self, person: str) -> Member | None:
        """As a directory does."""
        found = await super().member(person)
        await self.gate.wait()
        if self.fails is not None:
            raise self.fails
        return found


class Desk:
    """A gatekeeper over such a directory."""

    def __init__(self, slack: Slack) -> None:
        self.slack = slack
        self.clock = SettableClock()
        self.keeper = Gatekeeper(directory=slack, clock=self.clock)

    async def why(self, person: str = "U1", action: Action = Action.SPEND, **changes: Any) -> Why | None:
        """Why the person may not, here."""
        return await self.keeper.may_be_told(action, person=person, channel="C1", policy=changes.get("policy", OPEN))


@pytest.fixture
async def desk() -> Desk:
    """Everybody is a colleague but a guest, and somebody of whom Slack does not know."""
    return Desk(Slack(Member(person="UGUEST", guest=True), unknown=("UNONE",)))


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long."""
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.02)


async def test_check_raises_what_may_be_told_answers_and_names_the_admins(desk: Desk) -> None:
    await desk.keeper.check(Action.SPEND, person="U1", channel="C1", policy=OPEN)
    with pytest.raises(NotAllowed) as caught:
        await desk.keeper.check(Action.SPEND, person="UGUEST", channel="C1", policy=OPEN)
    assert (caught.value.why, caught.value.admins) == (Why.GUEST, ("U8", "U9"))
    assert await desk.why("UGUEST") is Why.GUEST


async def test_a_person_is_looked_up_again_after_ten_minutes(desk: Desk) -> None:
    for _ in range(3):
        assert await desk.why() is None
    desk.clock.advance(KNOWN_FOR_SECONDS - 1)
    assert await desk.why() is None
    assert desk.slack.asked == ["U1"]

    desk.slack.members["U1"] = Member(person="U1", gone=True)
    desk.clock.advance(1)
    assert await desk.why() is Why.GONE
    assert desk.slack.asked == ["U1", "U1"]


async def test_many_at_once_ask_once_for_each_person(desk: Desk) -> None:
    desk.slack.gate.clear()
    asking = [asyncio.create_task(desk.why(f"U{n % 2}")) for n in range(20)]
    await asyncio.sleep(0)
    desk.slack.gate.set()
    assert await asyncio.gather(*asking) == [None] * 20
    assert sorted(desk.slack.asked) == ["U0", "U1"]


async def test_nobody_is_looked_up_for_a_look(desk: Desk) -> None:
    assert await desk.why("UGUEST", Action.LOOK) is None
    assert await desk.why("", Action.SPEND) is Why.UNKNOWN
    assert desk.slack.asked == []


async def test_whom_slack_does_not_know_is_asked_for_again(desk: Desk) -> None:
    assert await desk.why("UNONE") is Why.UNKNOWN
    desk.slack.members["UNONE"] = Member(person="UNONE")
    assert await desk.why("UNONE") is None


async def test_who_is_known_no_more_may_no_more(desk: Desk) -> None:
    assert await desk.why() is None
    desk.slack.members["U1"] = None
    desk.clock.advance(KNOWN_FOR_SECONDS)
    assert await desk.why() is Why.UNKNOWN


@pytest.mark.parametrize("fault", [ChatError("fatal_error"), ChatUnauthorized("missing_scope"), KeyError("surprise")])
async def test_while_slack_cannot_be_asked_its_last_word_serves_for_an_hour(desk: Desk, fault: Exception) -> None:
    assert await desk.why() is None
    desk.slack.fails = fault
    assert await desk.why("U2") is Why.UNKNOWN
    desk.clock.advance(SERVES_FOR_SECONDS - 1)
    assert await desk.why() is None
    desk.clock.advance(1)
    assert await desk.why() is Why.UNKNOWN

    desk.slack.fails = None
    assert await desk.why() is None
    assert await desk.why("U2") is None


async def test_when_slack_asks_us_to_wait_we_do(desk: Desk) -> None:
    desk.slack.fails = ChatError("ratelimited", retry_after_seconds=30)
    assert await desk.why("U1") is Why.UNKNOWN
    desk.slack.fails = None
    desk.clock.advance(29)
    assert await desk.why("U2") is Why.UNKNOWN
    assert desk.slack.asked == ["U1"], "nobody was asked for meanwhile"
    desk.clock.advance(1)
    assert await desk.why("U2") is None


@pytest.mark.usefixtures("hasty")
async def test_a_slow_slack_keeps_nobody_waiting_and_is_heard_for_the_next_try(desk: Desk) -> None:
    desk.slack.gate.clear()
    assert await desk.why() is Why.UNKNOWN
    assert await desk.why() is Why.UNKNOWN
    desk.slack.gate.set()
    assert await desk.why() is None
    assert desk.slack.asked == ["U1"], "one question, however often somebody gave up waiting"


@pytest.mark.usefixtures("hasty")
async def test_while_slack_is_slow_its_last_word_serves(desk: Desk) -> None:
    assert await desk.why() is None
    desk.clock.advance(KNOWN_FOR_SECONDS)
    desk.slack.gate.clear()
    assert await desk.why() is None
    desk.slack.gate.set()


async def test_only_so_many_are_remembered(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_KNOWN", 3)
    for person in ("U1", "U2", "U3", "U4"):
        await desk.why(person)
    assert desk.slack.asked == ["U1", "U2", "U3", "U4"]
    for person in ("U2", "U3", "U4"):
        await desk.why(person)
    assert len(desk.slack.asked) == 4
    await desk.why("U1")
    assert desk.slack.asked[-1] == "U1"
