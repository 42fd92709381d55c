"""The n-th failure: a bot whose environment fails on order, and whole lives that must end well all the same.

    failing = Failing.around(rig)
    await failing.start()
    await failing.arm(Failure("commit", 7))
    await failing.live()                    # an ask, its draft, a :rocket:, the final; and every promise is checked
    assert failing.struck()

    await failing.start_under(Failure("write", 5), up=failing.connected)    # it may end, and says why; then it starts

What fails is outside the product; see ``tests.faults.failing_bot``.
"""

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tests.faults.failing_bot import Failure
from tests.faults.rig import LONGEST_WAY_SECONDS, Rig, new_channel
from tests.sandbox.driver import PATIENCE_SECONDS, Json, NeverHappened, Refused
from tests.support.history import Card, cards_of, standing

ASKED_AGAIN_AFTER_SECONDS = 2.0
"""So long a person waits who asked and sees nothing: Slack has sent its event again by then."""

PRESSED_AGAIN_AFTER_SECONDS = 6.0
"""The same for a button: a card is drawn anew every three seconds at most."""

UNCERTAIN = "uncertain"

ORDER_PATH = "/v1/tasks"
"""Where HiAPI takes orders."""

MENDED_SECONDS = 60.0
"""A start in which something fails is up, or over, sooner; on machines that run tests it may take a while."""

DRY = 2
"""So many lives in a row without the failure: how often something is done varies by some from life to life."""

SURPRISES = ("step.failed", "door.failed", "runner.failed")
"""Events of the log that stand for an error that nobody had thought of."""


@dataclass
class Failing:
    """A bot, and what fails around it. Its lives follow one another, each in a channel of its own."""

    rig: Rig
    plan: Path
    report: Path
    spent: int = 0
    """Micro-dollars that the provider has charged for the lives so far."""
    lives: int = 0
    keyed: bool = True
    """Whether the provider honours the key of an order, so that one whose answer is lost is asked for again."""
    _seen: int = 0
    """Bytes of the report that belong to plans before this one."""

    @classmethod
    def around(cls, rig: Rig) -> "Failing":
        """Around the rig's bot, which is not started yet."""
        bot = rig.bot
        plan, report = bot.place / "plan.json", bot.place / "report.jsonl"
        report.touch()
        bot.program = ("-m", "tests.faults.failing_bot", "run")
        bot.environment |= {"FAILING_PLAN": str(plan), "FAILING_REPORT": str(report), "PROMOTE_UNDO_SECONDS": "0.2"}
        return cls(rig=rig, plan=plan, report=report)

    async def start(self, **settings: str) -> None:
        """Start the bot, around which nothing fails yet, and wait until Slack reaches it."""
        self._write(())
        # A socket of the bot before, not yet closed, would be taken for one of this one.
        await self.rig.studio.wait_until(lambda state: not state["sockets"], what="no socket is open")
        self.keyed = settings.get("HIAPI_IDEMPOTENCY") != "false"
        await self.rig.start(**settings)

    async def arm(self, *failures: Failure) -> None:
        """From now on these fail and nothing else; operations are counted anew."""
        self._write(failures)
        os.kill(self.rig.bot.pid, signal.SIGUSR1)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._said():
            assert self.rig.bot.running(), self.rig.bot.log()
            assert time.monotonic() < deadline, "the plan was not read"
            await asyncio.sleep(0.01)

    def _write(self, failures: tuple[Failure, ...]) -> None:
        self._seen = self.report.stat().st_size
        self.plan.write_text(json.dumps([asdict(one) for one in failures]), encoding="utf-8")

    def _said(self) -> list[Json]:
        """The report since the plan was written."""
        return [json.loads(line) for line in self.report.read_bytes()[self._seen :].splitlines()]

    def struck(self) -> list[str]:
        """The operations that failed by this plan."""
        return [f"{one['kind']} {one['number']}: {one['what']}" for one in self._said() if "kind" in one]

    def doubts(self) -> int:
        """How many orders of this life nobody can know of: none where the provider honours a key, or else those whose
        answers this plan has lost."""
        lost = [one["what"] for one in self._said() if one.get("kind") == "lost"]
        return 0 if self.keyed else sum(what.startswith("POST ") and what.endswith(ORDER_PATH) for what in lost)

    # --- a start -----------------------------------------------------------------------------------------------------

    async def start_under(self, failure: Failure, up: Callable[[], Awaitable[bool]]) -> list[str]:
        """Start it while this fails, counted from the first operation on, until it is ``up``. It may end instead: with
        a clear word, after which it starts as ever. What failed until then; the bot runs."""
        struck = await self._start((failure,), up)
        if not self.rig.bot.running():
            self._said_why(struck)
            assert not await self._start((), up)
            assert self.rig.bot.running(), f"no start after {struck}: {self._last_log()}"
        return struck

    async def _start(self, failures: tuple[Failure, ...], up: Callable[[], Awaitable[bool]]) -> list[str]:
        """Until it is up, or has ended; what failed until then."""
        bot = self.rig.bot
        self._write(failures)
        await self.rig.studio.wait_until(lambda state: not state["sockets"], what="no socket is open")
        await bot.start()
        await self.rig.studio.bot_is(bot.pid)
        deadline = time.monotonic() + MENDED_SECONDS
        while bot.running() and not await up():
            assert time.monotonic() < deadline, f"neither up nor over: {self.struck()}: {self._last_log()}"
            await asyncio.sleep(0.05)
        return self.struck()

    def _said_why(self, struck: list[str]) -> None:
        """An end by itself is exit code 1 and one sentence."""
        said, code = self._last_log(), self.rig.bot.process and self.rig.bot.process.returncode
        assert struck, f"it ended by itself with {code}: {said}"
        assert code == 1, f"after {struck} it ended with {code}: {said}"
        assert said.splitlines()[-1].startswith("dailies: "), f"after {struck} it says: {said}"
        assert "Traceback" not in said, f"after {struck} it says: {said}"

    def _last_log(self) -> str:
        return self.rig.bot.logs[-1].read_text(encoding="utf-8", errors="replace")[-6000:]

    async def connected(self) -> bool:
        """Whether Slack reaches the bot."""
        return bool((await self.rig.studio.state())["sockets"])

    # --- a life ------------------------------------------------------------------------------------------------------

    async def live(self) -> None:
        """A person asks for one take, somebody wants it in full, and it comes; asked again where nothing was taken, and
        ordered again where nobody can know whether it was. Then every promise is checked, and our books against the
        provider's."""
        rig = await self._elsewhere()
        try:
            await self._insist(rig, "draft", lambda: rig.ask("--takes 1"))
            (clip,), again = await self._clips(rig, 1)
            await self._insist(rig, "promotion", lambda: self._react(rig, clip))
            _, again = await self._clips(rig, 2, again)
            await rig.ended(asks=2)
            history = await rig.check(clips=2, charges=2 + again, asks=2)
            self.spent += sum(int(charge["micro_usd"]) for charge in history.paid)
            await rig.books_balance(history, settled=self.spent)
            surprises = [event for event in SURPRISES if event in rig.bot.log()]
            assert not surprises, surprises
            assert rig.bot.running(), "the bot ended"
        except AssertionError as error:
            error.add_note(f"failed: {self.struck()}; the log ends: {rig.bot.log()[-6000:]}")
            raise

    async def _clips(self, rig: Rig, count: int, again: int = 0) -> tuple[list[Json], int]:
        """Wait until so many clips stand, and order again what nobody can know of. The clips' messages, and how many
        orders of this life were made again. Raises AssertionError when one is uncertain that could be known."""
        while True:
            clips, doubted = await rig._until(
                lambda state: _looked(standing(state, rig.channel), count),
                within=LONGEST_WAY_SECONDS,
                what="clips stand",
            )
            if not doubted:
                return clips, again
            again += 1
            assert again <= self.doubts(), f"the answer to no order is lost for good, and one is uncertain: {doubted}"
            await self._order_again(rig, doubted[0])

    async def _order_again(self, rig: Rig, doubted: Card) -> None:
        """Press until it is taken: then the card does not say any more that nobody knows."""
        deadline = time.monotonic() + LONGEST_WAY_SECONDS
        while True:
            with contextlib.suppress(Refused):
                await rig.studio.click("maya", doubted.ts, "clip.order_again", channel=rig.channel)
            with contextlib.suppress(NeverHappened):
                await rig.card_where(
                    lambda card: card.ts == doubted.ts and UNCERTAIN not in card.rows.values(),
                    within=PRESSED_AGAIN_AFTER_SECONDS,
                    what="the order is taken again",
                )
                return
            if time.monotonic() > deadline:
                raise NeverHappened("the order is taken again", LONGEST_WAY_SECONDS)

    async def _elsewhere(self) -> Rig:
        """The same bot in a new channel, so that nothing of another life is counted."""
        self.lives += 1
        rig = self.rig
        name = f"{rig.channel.removeprefix('#')}-{self.lives}"
        marker = f"{rig.marker}{self.lives}x"
        return replace(
            rig, channel=f"#{name}", channel_id=await new_channel(rig.studio, name), marker=marker, answered=[]
        )

    async def _insist(self, rig: Rig, kind: str, act: Callable[[], Awaitable[object]]) -> None:
        """Act until it is taken. Whoever does not know looks before acting again: two asks would rightly be two."""
        deadline = time.monotonic() + LONGEST_WAY_SECONDS
        while True:
            await act()
            patience = time.monotonic() + ASKED_AGAIN_AFTER_SECONDS
            while time.monotonic() < patience:
                if rig.bot.rows("select 1 from asks where channel = ? and kind = ?", rig.channel_id, kind):
                    return
                await asyncio.sleep(0.05)
            if time.monotonic() > deadline:
                raise NeverHappened(f"the {kind} is taken", LONGEST_WAY_SECONDS)

    async def _react(self, rig: Rig, clip: Json) -> None:
        """React, anew where it was done before."""
        with contextlib.suppress(Refused):
            await rig.studio.react("ben", clip, "rocket", channel=rig.channel, remove=True)
        await rig.studio.react("ben", clip, "rocket", channel=rig.channel)


def _looked(messages: Sequence[Json], count: int) -> tuple[list[Json], list[Card]] | None:
    """The messages with clips when so many stand, or else the cards on which an order is uncertain; None when there is
    nothing to do but wait."""
    doubted = [card for card in cards_of(messages) if UNCERTAIN in card.rows.values()]
    clips = [message for message in messages if message.get("files")]
    if doubted:
        return clips, doubted
    return (clips, []) if len(clips) >= count else None


async def one_after_the_other(failures: Iterable[Failure], happen: Callable[[Failure], Awaitable[list[str]]]) -> int:
    """Let it happen under each of these, until two in a row have had no occasion: how often something is done varies
    by some from life to life. How many had one. Each says what struck. Raises AssertionError when none had: then
    nothing was tried."""
    count = dry = 0
    for failure in failures:
        struck = await happen(failure)
        count, dry = (count + 1, 0) if struck else (count, dry + 1)
        if dry == DRY:
            break
    assert count, "what was to fail never comes"
    return count
