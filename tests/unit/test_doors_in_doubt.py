"""Every door that spends or steers, while the connection to the database breaks at the commit: it happens once, and
nobody is told what nobody knows."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from handlers.grammar.doors import SETTINGS_COMMAND
from tests.support.breaking import Breaking
from tests.support.doors import Front, Told
from tests.support.services import House
from tests.support.verdict import REFUSED
from tests.unit.test_doors import ADMIN, DOORS, RULES, house

ASKS = {"draft", "several takes", "final at once", "promote"}
"""What is answered after an ask was written."""
EVENTS = {
    *("mention", "mention in a thread", "direct message", "promote by reaction", "promote by reply", "variant"),
    *("variant by name", "cancel by reaction"),
}
"""What Slack tells again unless it is acknowledged."""


class Slack(Front):
    """Tells an event that was not acknowledged once more."""

    unheard = 0
    """How often one was not."""

    async def _send(self, body: dict[str, Any]) -> str:
        try:
            return await super()._send(body)
        except AssertionError:
            self.unheard += 1
            if body["type"] != "event_callback" or self.unheard > 1:
                raise
            return await self._send(body)


async def _used(name: str, breaking: Breaking | None, there: House) -> Sequence[Told]:
    """The door as used by who may, over that storage; what they were told."""
    door = DOORS[name]
    use = await door.prepare(there)
    front = Slack(there if breaking is None else replace(there, storage=breaking), access=RULES)
    try:
        await use(front, door.by)
    except AssertionError:
        assert front.unheard == 2
    return front.told


async def _rows(there: House) -> tuple[object, ...]:
    """All that may differ between a press that was heard and one that was not, but for ids."""
    async with there.storage.read() as tx:
        listed = await tx.jobs.listing(state=None, limit=100)
    jobs = [(job.number, job.state, job.wish, job.wish_by, ask.kind, ask.decision) for job, ask in listed]
    lines = [(line.act, line.person, line.micro_usd) for line in await there.audit()]
    return sorted(jobs, key=str), lines, await there.held()


@pytest.mark.parametrize(("name", "written"), [*((name, True) for name in DOORS), ("draft", False), ("confirm", False)])
async def test_a_commit_in_doubt_is_read_back_and_made_once(name: str, written: bool) -> None:
    plain, doubted = house(), house()
    wanted = await _used(name, None, plain)
    breaking = Breaking(doubted.storage, written=written)
    told = await _used(name, breaking, doubted)
    assert breaking.broke
    assert await _rows(doubted) == await _rows(plain)
    assert not any(words in one.text for one in told for words in REFUSED)
    if not (written and name in ASKS):
        assert told == wanted


@pytest.mark.parametrize("name", DOORS)
async def test_what_stays_in_doubt_is_said_to_be(name: str) -> None:
    """Of an event nothing is said: Slack tells it again."""
    there = house()
    told = await _used(name, Breaking(there.storage, written=True, away=True), there)
    assert [one.person for one in told] == ([] if name in EVENTS else [DOORS[name].by])
    for one in told:
        assert "not known whether" in one.text
        assert not any(words in one.text for words in REFUSED)


async def test_so_is_a_change_of_settings() -> None:
    there = house()
    front = Front(replace(there, storage=Breaking(there.storage, written=True, away=True)), access=RULES)
    await front.command(ADMIN, "takes=2", name=SETTINGS_COMMAND)
    assert "not known whether it was changed" in front.told[0].text
