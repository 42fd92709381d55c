"""Cards that Slack posts late: what a look does not find is believed to be nowhere only after a while."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from bot.domain.job import Ask
from bot.domain.lineage import Changes
from bot.ports import Card, ChatError, ChatUnknown, MessageGone
from bot.services.answers import Taken
from bot.services.bench import Bench
from bot.services.cards import Cards
from tests.support.clock import SettableClock
from tests.support.ordering import SENDER, Desk, desk


@dataclass
class SlowSlack:
    """Leaves the first post without an answer, or refuses it, and shows it so many seconds after it was sent; None:
    never. Answers every other."""

    clock: SettableClock
    shown_after: float | None = None
    silent_for: float = 0.0
    """Seconds until the caller gives up."""
    trouble: ChatError | None = field(default_factory=lambda: ChatUnknown("timeout"))
    sent: list[float] = field(default_factory=list)
    looks: int = 0
    gone: bool = False
    """The card was deleted."""

    async def post_card(self, card: Card) -> str:
        self.sent.append(self.clock.monotonic())
        if len(self.sent) == 1 and self.trouble is not None:
            self.clock.advance(self.silent_for)
            raise self.trouble
        return f"4.{len(self.sent)}"

    async def find_card(self, ask: Ask) -> str | None:
        self.looks += 1
        shown = self.shown_after is not None and self.clock.monotonic() >= self.sent[0] + self.shown_after
        return "4.1" if shown else None

    async def update_card(self, card: Card) -> None:
        if self.gone:
            raise MessageGone("message_not_found")


@dataclass
class Bot:
    """Processes that bring one card to stand, one after the other."""

    desk: Desk
    bench: Bench
    ask_id: str
    slack: SlowSlack

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """What the process knew is forgotten."""
        self.cards = Cards(bench=self.bench, rerouting=self.desk.ordering.rerouting, posted=lambda jobs: None)

    async def step(self) -> float | None:
        """One step; in how many seconds to go on, None when the card is done."""
        later = await self.cards.step("T1", self.ask_id)
        return None if later is None else later.seconds

    async def card(self) -> str | None:
        async with self.desk.storage.read() as tx:
            return (await tx.jobs.ask("T1", self.ask_id)).card_ts

    async def stands(self) -> tuple[str, float]:
        """Go on until a card stands: which, and how many seconds after the first was sent."""
        while (card := await self.card()) is None:
            self.desk.clock.advance(await self.step() or 0.0)
        return card, self.desk.clock.monotonic() - self.slack.sent[0]


@asynccontextmanager
async def bot(*, shown_after: float | None = None, silent_for: float = 0.0) -> AsyncIterator[Bot]:
    """One accepted ask, and a Slack like that."""
    async with desk() as one:
        taken = await one.intake.draft(replace(SENDER, key="command:2"), "a whale", Changes())
        assert isinstance(taken, Taken)
        await one.claim()
        slack = SlowSlack(one.clock, shown_after, silent_for)
        bench = replace(one.ordering.bench, chat=slack)  # type: ignore[arg-type] # of all that a chat can do, cards
        yield Bot(one, bench, taken.ask.id, slack)


@pytest.mark.parametrize(("silent_for", "shown_after"), [(0.1, 0.2), (0.1, 5.0), (15.0, 18.0), (15.0, 29.9)])
async def test_a_card_that_slack_posts_late_is_waited_for(silent_for: float, shown_after: float) -> None:
    async with bot(silent_for=silent_for, shown_after=shown_after) as one:
        card, waited = await one.stands()
        assert (card, len(one.slack.sent)) == ("4.1", 1)
        assert waited <= shown_after + 7, "the gaps between looks grow, and not for long"
        assert one.slack.looks <= 4


@pytest.mark.parametrize("shown_after", [0.5, 4.9])
async def test_a_card_that_was_on_its_way_at_a_kill_is_waited_for(shown_after: float) -> None:
    """The new process looks at once, and finds nothing."""
    async with bot(shown_after=shown_after) as one:
        await one.step()
        one.restart()
        card, waited = await one.stands()
        assert (card, len(one.slack.sent)) == ("4.1", 1)
        assert waited <= shown_after + 2


@pytest.mark.parametrize(("silent_for", "posted_after"), [(0.1, 5.1), (15.0, 30.0), (600.0, 615.0)])
async def test_a_card_that_slack_never_got_is_posted_again_within_half_a_minute(
    silent_for: float, posted_after: float
) -> None:
    """The last one is a process that was put to sleep for ten minutes."""
    async with bot(silent_for=silent_for) as one:
        card, waited = await one.stands()
        assert card == "4.2"
        assert waited == pytest.approx(posted_after)


async def test_a_card_that_was_never_sent_before_a_kill_is_late_by_five_seconds() -> None:
    async with bot() as one:
        await one.step()
        one.restart()
        card, waited = await one.stands()
        assert card == "4.2"
        assert waited == pytest.approx(5.0)


async def test_a_card_that_slack_did_not_take_is_sent_as_soon_as_slack_asked() -> None:
    async with bot() as one:
        one.slack.trouble = ChatError("ratelimited", retry_after_seconds=1.0)
        card, waited = await one.stands()
        assert card == "4.2"
        assert waited == pytest.approx(1.0)


async def test_what_another_process_may_have_posted_meanwhile_is_waited_for_anew() -> None:
    """The lease lapsed for half a minute: what is remembered of the post is of before."""
    async with bot(shown_after=32.0) as one:
        await one.step()
        one.desk.clock.advance(30.0)
        await one.bench.lease.register()
        card, _ = await one.stands()
        assert (card, len(one.slack.sent)) == ("4.1", 1)


async def test_a_card_that_somebody_deleted_is_posted_again_at_once() -> None:
    async with bot() as one:
        one.slack.trouble = None
        await one.stands()
        one.slack.gone = True
        async with one.desk.storage.begin() as tx:
            await tx.jobs.redraw("T1", one.ask_id)
        one.desk.clock.advance(60.0)
        assert await one.step() == 0.0
        await one.step()
        assert (await one.card(), len(one.slack.sent)) == ("4.2", 2)
