"""One gate, two processes: whoever passes or closes it first has done so, and the money follows that one."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from bot.domain.audit import Act
from bot.domain.job import Ask, Decision, Job
from bot.ports import Storage, Transaction
from bot.services.answers import AlreadyTaken, Flagged, NothingToDo
from bot.services.holds import hold
from bot.services.policy import Policy
from tests.support.services import FINAL, House
from tests.support.values import a_sender

DEAR = {"confirm_above_micro_usd": 0}
"""Everything is asked about."""


@dataclass
class Meeting:
    """Lets two transactions meet right after each has read an ask, where the database lets them run side by side; where
    it does not, the first goes on after a moment."""

    arrived: int = 0
    both: asyncio.Event = field(default_factory=asyncio.Event)

    async def reached(self) -> None:
        """Somebody has read it."""
        self.arrived += 1
        if self.arrived == 2:
            self.both.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await self.both.wait()

    def at(self, storage: Storage) -> Storage:
        """That storage, whose transactions come to the meeting."""
        return cast(Storage, _Meeting(storage, self))


class _Meeting:
    def __init__(self, inner: Any, meeting: Meeting) -> None:
        self._inner, self._meeting = inner, meeting

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    @property
    def jobs(self) -> Any:
        return _Meeting(self._inner.jobs, self._meeting)

    async def ask(self, workspace: str, ask_id: str) -> Ask:
        ask: Ask = await self._inner.ask(workspace, ask_id)
        await self._meeting.reached()
        return ask

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        async with self._inner.begin() as tx:
            yield cast(Transaction, _Meeting(tx, self._meeting))


@dataclass
class Street:
    """Two processes over one database, whose transactions meet when ``meet`` was called."""

    near: House
    far: House

    def meet(self) -> None:
        """From now on."""
        meeting = Meeting()
        self.near.storage, self.far.storage = meeting.at(self.near.storage), meeting.at(self.far.storage)

    async def promotion(self, **policy: Any) -> Ask:
        """The final of a clip that stands, undecided."""
        await self.near.clip()
        return (await self.near.promoted(person="U1", **policy)).ask

    async def jobs(self) -> list[Job]:
        """All of them."""
        async with self.near.storage.read() as tx:
            return [job for job, _ in await tx.jobs.listing(state=None, limit=100)]


@pytest.fixture
async def street(replicas: tuple[Storage, Storage]) -> Street:
    """Over a database of each kind."""
    one, two = replicas
    return Street(near=House(storage=one), far=House(storage=two))


async def finals(house: House) -> list[tuple[str, int, str, int]]:
    """The rows of the ledger that are about finals."""
    return [row for row in await house.held() if row[3] == FINAL]


@pytest.mark.parametrize("keys", [("press-2", "press-3"), ("press", "press")], ids=["of two cards", "of one card"])
async def test_two_people_who_confirm_at_once_on_two_processes_hold_once(street: Street, keys: tuple[str, str]) -> None:
    """Also when they see the card at different ages, so that their presses have different keys."""
    ask = await street.promotion(**DEAR)
    street.meet()
    pressed = await asyncio.gather(
        street.near.presses(**DEAR).confirm(a_sender(keys[0], person="U2"), ask.id),
        street.far.presses(**DEAR).confirm(a_sender(keys[1], person="U3"), ask.id),
        return_exceptions=True,
    )

    assert sum(isinstance(outcome, Flagged) for outcome in pressed) == 1, pressed
    assert sum(isinstance(outcome, NothingToDo | AlreadyTaken) for outcome in pressed) == 1, pressed
    decided = await street.near.ask(ask.id)
    assert (decided.decision, decided.person) == (Decision.GO, decided.decided_by)
    assert await finals(street.far) == [("hold", 1, decided.person, FINAL)]
    confirmed = [line.person for line in await street.far.audit() if line.act is Act.CONFIRMED]
    assert confirmed == [decided.person]


async def test_an_undo_at_the_very_end_of_the_window_is_the_truth_or_too_late(street: Street) -> None:
    """The runner of one process goes ahead while somebody presses *Undo* at the other one's."""
    ask = await street.promotion()

    async def go() -> bool:
        async with street.near.storage.begin() as tx:
            await tx.jobs.ask("T1", ask.id)
            if not await tx.jobs.decide("T1", ask.id, Decision.GO, "U1"):
                return False
            await hold(tx, await tx.jobs.of_ask("T1", ask.id), Policy(), street.near.clock.now())
            return True

    street.meet()
    went, undone = await asyncio.gather(
        go(), street.far.presses().undo(a_sender("undo", person="U1"), ask.id), return_exceptions=True
    )

    decided = await street.near.ask(ask.id)
    if went is True:
        assert isinstance(undone, NothingToDo)
        assert (decided.decision, decided.live, len(await finals(street.far))) == (Decision.GO, True, 1)
    else:
        assert isinstance(undone, Flagged)
        assert (decided.decision, decided.live, await finals(street.far)) == (Decision.STOP, False, [])
    lines = [line.act for line in await street.far.audit()]
    assert (Act.UNDONE in lines) is (went is not True)


async def test_a_cancel_at_the_very_end_of_the_window_leaves_what_went_ahead_to_the_runner(street: Street) -> None:
    """What went ahead stays live, so that nobody orders a second final while the first is being stopped."""
    ask = await street.promotion()
    street.meet()

    async def go() -> bool:
        async with street.near.storage.begin() as tx:
            await tx.jobs.ask("T1", ask.id)
            return await tx.jobs.decide("T1", ask.id, Decision.GO, "U1")

    went, _ = await asyncio.gather(go(), street.far.presses().cancel(a_sender("cancel", person="U1"), ask.id))

    decided = await street.near.ask(ask.id)
    (job,) = [job for job in await street.jobs() if job.ask_id == ask.id]
    assert (decided.decision, decided.live, job.cancel_by) == (Decision.GO if went else Decision.STOP, went, "U1")
