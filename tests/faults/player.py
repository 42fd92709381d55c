"""Lets a script happen to a running bot, starts it again whenever it has died, and judges what came of it.

played = await play(rig, Script(name="…", family="kills", provider="muapi", deaths=(Fault("create", "amid"),)))
played.verdict.raise_if_broken()
"""

import asyncio
import time
from collections.abc import Sequence

from tests.faults.acts import Act, Moment, perform
from tests.faults.rig import Rig, answer_of
from tests.faults.scripts import PROMISE_SECONDS, Fault, Played, Script
from tests.faults.witness import Witness
from tests.sandbox.driver import Json
from tests.support.verdict import Asked, Column, Verdict

_QUIET_SECONDS = 0.7
"""A case that has ended and stays so has called whatever it was going to call."""

_GLANCE_SECONDS = 0.1
"""Between two looks: they cost the machine more than the script does."""

_DEATH_SECONDS = 20.0
_START_SECONDS = 40.0
STOP_SECONDS = 10.0
"""Whoever is asked to end is gone by then."""

_PROGRESS_SECONDS = 10.0
"""A restarted bot that moves nothing for so long is broken on the slowest machine; the promise is measured."""


class NeverStruck(AssertionError):
    """A kill that was to happen did not: the script shows nothing."""


async def play(rig: Rig, script: Script) -> Played:
    """Let it happen to a running bot, wait as long as the promises allow, and judge."""
    return await Player(rig, script).run()


class Player:
    """One performance of a script."""

    def __init__(self, rig: Rig, script: Script, *, patience: float | None = None) -> None:
        self.rig = rig
        self._patience = script.promise_seconds if patience is None else patience
        self.script = script
        self.began = time.monotonic()
        self.witness = Witness(rig, script)
        self._rules: dict[int, Fault] = {}
        self._to_come = list(script.deaths)
        self._death: int | None = None
        self._struck = 0
        self._moved = 0
        self._restarts = 0
        self._progress: list[float] = []
        self._since_spawn: list[float] = []
        self._crashes: list[str] = []
        self._skipped: list[str] = []
        self._asked_to_end = False
        self._harmed_at = 0.0
        self._over_after = 0.0
        self.locker = asyncio.Lock()
        """Whoever locks the bot's database waits here for who does so already."""

    async def run(self) -> Played:
        """The whole of it."""
        if self.script.farm:
            await self.rig.studio.post(f"/providers/{self.script.provider}/settings", **self.script.farm)
        for fault in self.script.faults:
            await self._arm(fault)
        await self._next_death()
        await self._ask()
        acts = asyncio.create_task(self._act())
        try:
            verdict = await self._through(acts)
        finally:
            acts.cancel()
        return await self._told(verdict)

    # --- what happens ------------------------------------------------------------------------------------------------

    async def _arm(self, fault: Fault) -> int:
        point = fault.at(self.script.provider)
        rule = await self.rig.studio.fault(
            point,
            fault.phase,
            fault.kind,
            times=fault.times,
            skip=fault.skip,
            match=self._match(point),
            **fault.details,
        )
        self._rules[rule] = fault
        return rule

    def _match(self, point: str) -> Json:
        """This case's calls alone, where a call says whose it is: others of the same bot are over, but not silent. The
        calls about a file do not say it."""
        if point.startswith("slack:chat."):
            return {"channel": self.rig.channel_id}
        if point == "slack:files.completeUploadExternal":
            return {"channel_id": self.rig.channel_id}
        if point == "slack:envelope":
            return {"type": "slash_commands"}
        return {} if point.startswith("slack:") else {"prompt": self.rig.marker}

    async def _next_death(self) -> None:
        self._death = await self._arm(self._to_come.pop(0)) if self._to_come else None

    async def ask(self) -> Asked:
        """One more ``/clip`` of Maya's in this case, with words of its own."""
        word = f"ask{len(self.witness.asks) + 1}"
        line = f"{word} --provider {self.script.provider} --takes {self.script.takes}"
        answer = await self.rig.ask(line)
        asked = Asked(
            words=f"{self.rig.marker} {word}",
            takes=self.script.takes,
            acked=answer["acked"],
            seconds=answer["ack_seconds"] if answer["acked"] else None,
            answer=answer_of(answer),
        )
        self.witness.asks.append(asked)
        return asked

    async def _ask(self) -> None:
        await self.ask()
        self._harmed()

    def _harmed(self) -> None:
        """The promise counts from now."""
        self._harmed_at = time.monotonic()

    async def _act(self) -> None:
        await asyncio.gather(*(self._act_in_turn(row) for row in self.script.acts))

    async def _act_in_turn(self, acts: Sequence[Act]) -> None:
        for act in acts:
            if await self.until(act.moment):
                await perform(self, act)
                self._harmed()
            else:
                self._skipped.append(act.name)

    async def until(self, moment: Moment) -> bool:
        """Wait until the ask is taken, its card stands, its order is charged, its clip stands, or all is over
        so far. False when a fault keeps that from happening: the ask is over before, or a minute is."""
        deadline = time.monotonic() + PROMISE_SECONDS
        while time.monotonic() < deadline:
            # Whether all is over is asked first: nothing comes after that.
            over = moment != "asked" and (await self.witness.look()).clean
            if await self.witness.sees(moment):
                return True
            if over:
                return False
            await asyncio.sleep(_GLANCE_SECONDS)
        return False

    def asked_to_end(self) -> None:
        """The bot is about to be, once."""
        self._asked_to_end = True

    def stopped(self, seconds: float) -> None:
        """It has ended so long after it was asked to."""
        if seconds > STOP_SECONDS:
            self._crashes.append(f"the bot was asked to end, and took {seconds:.1f} s: {self.rig.bot.log()[-600:]}")

    def _ended(self, code: int | None) -> None:
        """Note an end that nobody outside has caused. That it was asked to end is true of one end."""
        asked, self._asked_to_end = self._asked_to_end, False
        expected: set[int | None] = {-9}
        if asked:
            # Who is asked to end before it has begun to listen ends as any process does.
            begun = "dailies.started" in self.rig.bot.logs[-1].read_text(encoding="utf-8", errors="replace")
            expected |= {0} if begun else {0, -15}
        if code not in expected:
            self._crashes.append(f"the bot ended by itself with {code}: {self.rig.bot.log()[-600:]}")

    # --- until it is over --------------------------------------------------------------------------------------------

    async def _through(self, acts: asyncio.Task[None]) -> Verdict:
        """Every death and every act, and then until all is well, or time is up."""
        quiet_since: float | None = None
        while True:
            if not self.rig.bot.running():
                quiet_since = None
                await self._revive()
                continue
            verdict = await self.witness.look()
            now = time.monotonic()
            quiet_since = (quiet_since or now) if verdict.clean else None
            quiet = quiet_since is not None and now - quiet_since >= self._quiet_seconds()
            if self._death is not None:
                if quiet and await self._fired(self._death):
                    await self._dying()
                elif quiet:
                    await self._move()
                    quiet_since = None
            elif quiet and acts.done():
                acts.result()
                self._over_after = max(0.0, (quiet_since or now) - self._harmed_at)
                return verdict
            if now > self._harmed_at + self._patience and (self._death is not None or acts.done()):
                self._over_after = now - self._harmed_at
                return await self.witness.judged()
            await self._news()

    def _quiet_seconds(self) -> float:
        """An ask that nobody has acknowledged may still be on disk, and its card under way; so may the card be of one
        that was accepted beside a refused one, whose private word seems to excuse it."""
        if self.witness.cardless or not all(asked.acked for asked in self.witness.asks):
            return 2.5
        return _QUIET_SECONDS if self._death is not None else 0.1

    async def _revive(self) -> None:
        """The bot has ended: arm the next kill, start it again, and see how soon it goes on."""
        assert self.rig.bot.process is not None
        self._ended(self.rig.bot.process.returncode)
        if self._death is not None and await self._fired(self._death):
            self._struck += 1
            await self._next_death()
        self._harmed()
        self._restarts += 1
        before = await self.witness.effects()
        spawned = time.monotonic()
        await self.rig.bot.start()
        await self.rig.studio.bot_is(self.rig.bot.pid)
        await self._goes_on(before, spawned)

    async def _goes_on(self, before: int, spawned: float) -> None:
        path, started = self.rig.bot.logs[-1], None
        deadline = time.monotonic() + _START_SECONDS
        while self.rig.bot.running() and time.monotonic() < deadline:
            await asyncio.sleep(_GLANCE_SECONDS)
            now = time.monotonic()
            if started is None:
                if "dailies.started" not in path.read_text(encoding="utf-8", errors="replace"):
                    continue
                started, deadline = now, now + _PROGRESS_SECONDS
            if await self.witness.effects() > before:
                self._progress.append(now - started)
                self._since_spawn.append(now - spawned)
                return
            if (await self.witness.look()).clean:
                return
        if self.rig.bot.running():
            log = self.rig.bot.log()[-600:]
            self._crashes.append(f"a restarted bot moved nothing for {_PROGRESS_SECONDS} s: {log}")

    async def _dying(self) -> None:
        """A kill is under way: some milliseconds after an answer, perhaps."""
        try:
            await self.rig.bot.gone(_DEATH_SECONDS)
        except TimeoutError as never:
            raise NeverStruck(f"{self.script.name}: the kill fired, and the bot lives") from never

    async def _move(self) -> None:
        """The case is over, and the kill had no occasion, since its call had been made before: an ask of its own gets
        it, whose life has every call."""
        if self._moved > len(self.script.deaths):
            assert self._death is not None
            raise NeverStruck(f"{self.script.name}: {self._rules[self._death].name} never comes")
        self._moved += 1
        await self._ask()

    async def _fired(self, rule: int) -> bool:
        return rule in await self._struck_rules()

    async def _struck_rules(self) -> set[int]:
        return {one["id"] for one in await self.rig.studio.faults() if one["fired"]}

    async def _news(self) -> None:
        """Wait until something has changed outside, or the bot has died; not long."""
        assert self.rig.bot.process is not None
        gone = asyncio.ensure_future(self.rig.bot.process.wait())
        try:
            await asyncio.wait({gone}, timeout=_GLANCE_SECONDS)
        finally:
            gone.cancel()

    async def _told(self, verdict: Verdict) -> Played:
        history = await self.rig.history()
        struck = await self._struck_rules()
        broken = (*verdict.broken, *((Column.OTHER, crash) for crash in self._crashes))
        return Played(
            script=self.script,
            verdict=Verdict(broken=broken),
            struck=self._struck,
            moved=self._moved,
            restarts=self._restarts,
            progress=tuple(self._progress),
            since_spawn=tuple(self._since_spawn),
            over_after=self._over_after,
            idle=(*self._skipped, *(fault.name for rule, fault in self._rules.items() if rule not in struck)),
            seconds=time.monotonic() - self.began,
            all_delivered={word for card in history.cards for word in card.rows.values()} == {"delivered"},
        )
