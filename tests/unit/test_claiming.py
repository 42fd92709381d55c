"""What the runner reads of cards at each turn: those that Slack refuses keep nobody else waiting."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.domain.job import State
from bot.domain.trouble import Trouble
from bot.ports import Card, ChatError
from bot.services import runner as running
from bot.services.agenda import Key, Line
from bot.services.lease import Lease
from tests.support.ordering import RecordingChat
from tests.support.runners import a_runner
from tests.support.workbench import workbench


class Picky(RecordingChat):
    """Takes no card of those asks, and says when it took the card of the one that is waited for."""

    def __init__(self, refused: set[str], waited_for: str) -> None:
        super().__init__()
        self.refused, self.waited_for, self.taken = refused, waited_for, asyncio.Event()

    async def post_card(self, card: Card) -> str:
        if card.ask.id in self.refused:
            raise ChatError("ratelimited", retry_after_seconds=3600.0)
        if card.ask.id == self.waited_for:
            self.taken.set()
        return await super().post_card(card)


async def test_more_refused_cards_than_are_read_at_once_keep_no_younger_one_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "CLAIM_BATCH", 2)
    async with workbench(tmp_path) as one:
        asked = [(await one.asks())[0] for _ in range(7)]
        async with one.storage.begin() as tx:
            for job in asked:
                await tx.jobs.card_lost("T1", job.ask_id)
        slack = Picky({job.ask_id for job in asked[:-1]}, asked[-1].ask_id)
        runner = await a_runner(one, slack)
        working = asyncio.create_task(runner.run())
        async with asyncio.timeout(10):
            await slack.taken.wait()
        await runner.stop()
        await working


async def test_what_is_known_of_an_order_in_doubt_outlives_a_new_epoch_and_not_another_owner(tmp_path: Path) -> None:
    """How long it has been watched, say, where the clock was years behind when it was sent: by its row alone it would
    be years old, and be given up."""
    async with workbench(tmp_path) as one:
        (job,) = await one.asks()
        runner = await a_runner(one)
        key, known = Key(kind="job", workspace="T1", id=job.id), runner._submitting._ages
        runner._submitting._age(job)
        await runner._step(key, Line.SUBMIT)
        assert list(known) == [job.id]

        other = Lease(storage=one.storage, clock=one.clock, alone=False)
        await one.bench.lease.release()
        await other.register()
        async with one.storage.begin() as tx:
            await tx.jobs.claim(other.ownership, 10, one.clock.now())
        await runner._step(key, Line.SUBMIT)
        assert list(known) == []


@pytest.mark.parametrize(
    ("moved", "looked_at_within"),
    [
        ({"state": State.UNCERTAIN}, 60.0),
        ({"state": State.SUBMITTING, "trouble": Trouble.UNKNOWN_ORDER}, 60.0),
        ({"state": State.DOWNLOADING, "trouble": Trouble.DOWNLOAD_FAILS}, 60.0),
        ({"state": State.DELIVERING, "trouble": Trouble.SLACK_REFUSES_APP, "file_id": "F1"}, 60.0),
        ({"state": State.DELIVERING, "trouble": Trouble.SLACK_REFUSES_APP}, 1500.0),
        ({"state": State.DELIVERING, "trouble": Trouble.SLACK_AWAY, "file_id": "F1"}, 1500.0),
        ({"state": State.DOWNLOADING, "trouble": Trouble.TOO_LARGE}, 1500.0),
    ],
)
async def test_only_what_carries_a_whole_clip_or_was_asked_to_wait_is_left_alone_for_longer_than_a_minute(
    tmp_path: Path, moved: dict[str, Any], looked_at_within: float
) -> None:
    """There may be evidence of an order in doubt that nobody told us of, and its key may be forgotten."""
    async with workbench(tmp_path) as one:
        (job,) = await one.asks()
        runner = await a_runner(one)
        now = runner._clock.now()
        runner._moved(job, replace(job, wait_reason=None, updated_at=now, due_at=now + timedelta(minutes=25), **moved))
        due = runner._agenda.next_due()
        assert due is not None
        assert due - runner._clock.monotonic() == looked_at_within
