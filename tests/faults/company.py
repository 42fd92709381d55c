"""One bot for many scripts, since a start costs more than a clip: each script has its own channel and words.

A script that ends otherwise than with every clip delivered leaves work behind, and the next one gets a bot of its own.
Before a bot leaves, its cases are judged once more: what came too late to be seen at their ends is found then.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from bot.sandbox.slack.settings import BOT_SCOPES
from tests.faults.nth import SURPRISES
from tests.faults.player import Player
from tests.faults.rig import PROVIDERS, Rig, Sandbox, new_channel, running_sandbox
from tests.faults.scripts import Played, Script
from tests.sandbox.driver import CHANNEL, PATIENCE_SECONDS, Json, Workspace
from tests.scenarios.bot import QUICK, Bot, environment
from tests.support.books import check_database
from tests.support.history import History, PromisesBroken
from tests.support.loopback import unused_port
from tests.support.verdict import Booked, Column, Terms, Verdict, judge, judge_books

SLACK = {**QUICK, "ack_timeout": 3.0, "rate_limits": {}, "posts_per_second": None}
"""The pretend Slack at the start of every case."""

FARM = {
    "render_seconds": [0.1, 0.2],
    "fidelity": "cached",
    "expire_seconds": 604_800,
    "re_sign": False,
    "key_seconds": 86_400,
    "balance": 10_000,
    "dialect": "document",
    "bills": 1,
    "tells_cost": "never",
    "webhook_secret": None,
    "callback_retries": [0.5, 1, 2, 3, 5, 8, 13],
}
"""Every pretend provider at the start of every case. It calls for longer than any start takes on a busy machine."""

SETTINGS = {
    "PROVIDERS": ",".join(PROVIDERS),
    "CONFIRM_ABOVE_USD": "9",
    "MAX_RUNNING_PER_PERSON": "100",
    "PROVIDER_CONCURRENCY": "100",
    "ADMIN_USERS": "",
}
"""No limit of ours stands between the asks of one case."""

UNTHOUGHT_OF = (*SURPRISES, "files.failed", "person.lookup_failed")
"""Events of the log that stand for an error that nobody had thought of: where nothing but scripts goes wrong, files and
people are no reason for one either."""

_MARKER = re.compile(r"\bcase-\d+x\b")

CASES = 25
"""So many cases share a sandbox: what it has to tell grows with each."""

_TAIL_SECONDS = 3.0
"""What ended otherwise than in its clips is watched for so long before its bot goes: a second order, a second card."""


@dataclass
class Company:
    """The sandbox and the bot that play the next script. ``program`` is what of Python's is run as the bot; whether it
    keeps books like ours is ``ours``; ``patience`` is how many seconds after the last fault it is waited for, where
    that is not the promise."""

    place: Path
    program: tuple[str, ...] = ("-m", "bot", "run")
    ours: bool = True
    patience: float | None = None
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _sandbox: Sandbox | None = None
    _people: Workspace | None = None
    _bot: Bot | None = None
    _settings: Mapping[str, str] = field(default_factory=dict)
    _cases: list[tuple[str, Rig, Terms]] = field(default_factory=list)
    _strange: set[str] = field(default_factory=set)
    """The charges in this sandbox that belong to no case and were told of."""
    _count: int = 0

    async def play(self, script: Script) -> Played:
        """Let the script happen, and judge it."""
        rig = await self._case(script)
        player = Player(rig, script, patience=self.patience)
        try:
            played = await player.run()
        except BaseException:
            await self._end_bot(judged=False)
            raise
        if self.ours and played.verdict.clean:
            played = replace(played, verdict=_booked(rig, await rig.history(), player.witness.terms))
        played = replace(played, verdict=Verdict(broken=(*played.verdict.broken, *await self._nobodys())))
        self._cases.append((script.name, rig, player.witness.terms))
        if not played.verdict.clean or not played.all_delivered:
            if played.verdict.clean:
                await asyncio.sleep(_TAIL_SECONDS)
            await self._end_bot(judged=played.verdict.clean)
        return played

    async def close(self) -> None:
        """Judge the last cases once more, and end everything."""
        try:
            await self._end_bot()
        finally:
            await self._end_sandbox()

    # --- the stage ---------------------------------------------------------------------------------------------------

    async def _case(self, script: Script) -> Rig:
        if self._count % CASES == 0 or self._people is None or self._sandbox is None:
            await self._end_bot()
            await self._end_sandbox()
            self._sandbox = self._stack.enter_context(running_sandbox(self.place / f"sandbox-{self._count}"))
            self._people = self._sandbox.people()
        self._count += 1
        people = self._people
        await as_new(people)
        bot = await self._the_bot(people, script)
        name = f"case-{self._count}"
        return Rig(
            studio=people,
            bot=bot,
            channel=f"#{name}",
            channel_id=await new_channel(people, name),
            marker=marker_of(self._count),
            rendered=self._sandbox.rendered,
            provider=script.provider,
        )

    async def _the_bot(self, people: Workspace, script: Script) -> Bot:
        settings = {**SETTINGS, **script.environment, "CALLED": str(script.callbacks)}
        if self._bot is not None and (settings != self._settings or not self._bot.running()):
            await self._end_bot()
        if self._bot is None:
            self._settings = settings
            self._bot = await self._new_bot(people, script)
        # After a case in which Slack was away it comes back within seconds, and nobody could ask it before.
        await people.connected(1, timeout=PATIENCE_SECONDS)
        return self._bot

    async def _new_bot(self, people: Workspace, script: Script) -> Bot:
        home = self.place / f"bot-{self._count}"
        home.mkdir(parents=True)
        settings = {**SETTINGS, **script.environment}
        if script.callbacks:
            port = str(unused_port())
            settings |= {"HTTP_PORT": port, "PUBLIC_URL": f"http://127.0.0.1:{port}"}
        bot = Bot(place=home, environment=environment(home, people.environment, **settings), program=self.program)
        await people.wait_until(lambda state: not state["sockets"], what="no socket is open")
        await bot.start()
        await people.bot_is(bot.pid)
        return bot

    # --- its end -----------------------------------------------------------------------------------------------------

    async def _end_bot(self, *, judged: bool = True) -> None:
        """Raises PromisesBroken when a case is not as it was when it ended."""
        bot, self._bot, cases, self._cases = self._bot, None, self._cases, []
        if bot is None:
            return
        try:
            broken = [sentence for one in cases for sentence in await self._afterwards(*one)] if judged else []
            late = await self._nobodys()
            broken += [f"{column}: {sentence}" for column, sentence in late] if judged else []
        finally:
            if bot.running():
                await bot.kill()
        if self.ours and judged:
            await asyncio.to_thread(check_database, bot.environment["DATABASE_URL"])
            broken += left_over(bot)
        if broken:
            raise PromisesBroken(broken)

    async def _nobodys(self) -> list[tuple[Column, str]]:
        """The charges that no case of this company's asked for, each told of once. Bots before this one are dead; their
        cases' charges bear their markers."""
        if self._people is None:
            return []
        found = {*nobodys(await self._people.get("/state", channel=CHANNEL, deliveries=1))} - self._strange
        self._strange |= found
        return [(Column.DOUBLE_CHARGES, sentence) for sentence in sorted(found)]

    async def _afterwards(self, name: str, rig: Rig, terms: Terms) -> list[str]:
        history = await rig.history()
        verdict = judge(history, terms)
        if self.ours and verdict.clean:
            verdict = _booked(rig, history, terms)
        return [f"after “{name}” had ended well: {column}: {sentence}" for column, sentence in verdict.broken]

    async def _end_sandbox(self) -> None:
        if self._people is not None:
            await self._people.close()
        await self._stack.aclose()
        self._stack, self._people, self._sandbox, self._strange = AsyncExitStack(), None, None, set()


def marker_of(number: int) -> str:
    """The word that the prompts of a case have, and no others."""
    return f"case-{number}x"


def nobodys(state: Json) -> Iterator[str]:
    """The charges in any provider's books whose prompts belong to no case."""
    for provider, farm in state["providers"].items():
        for charge in farm["ledger"]:
            if not _MARKER.search(charge["prompt"]):
                yield f"nobody asked for “{charge['prompt']}”, which {provider} charged as task {charge['task_id']}"


async def as_new(people: Workspace) -> None:
    """The sandbox as it is at the start of every case, but for the channels of earlier ones."""
    await people.heal()
    await people.configure(**SLACK)
    await people.post("/token", refuse=None, scopes=list(BOT_SCOPES))
    await asyncio.gather(*(people.post(f"/providers/{one}/settings", **FARM) for one in PROVIDERS))


def _booked(rig: Rig, history: History, terms: Terms) -> Verdict:
    """Whether our own ledger says of each clip of this case what the provider's does."""
    ours = rig.bot.rows(
        "select j.state, j.price_micro_usd as price, j.task_id, "
        "coalesce(sum(l.held_micro_usd), 0) as held, coalesce(sum(l.settled_micro_usd), 0) as settled "
        "from jobs j left join ledger l on l.workspace = j.workspace and l.job_id = j.id "
        "where j.recipe like ? group by j.workspace, j.id",
        f"%{rig.marker}%",
    )
    return judge_books(history, [Booked(**one) for one in ours], unbooked=terms.unbooked)


def left_over(bot: Bot) -> list[str]:
    """I12: secrets in what a bot logged, and files that nobody will ever finish; and errors in its log that nobody had
    thought of."""
    log = bot.log()
    secrets = [name for name in bot.environment if name.endswith(("_KEY", "_TOKEN", "_SECRET"))]
    spilled = [f"the log shows {name}" for name in secrets if bot.environment[name] and bot.environment[name] in log]
    unfinished = bot.media / "unfinished"
    found = list(unfinished.iterdir()) if unfinished.is_dir() else []
    return [*spilled, *_surprises(log), *(f"{one.name} was left unfinished" for one in found)]


def _surprises(log: str) -> Iterator[str]:
    """What the log has of errors that nobody had thought of, each kind once, with its first line."""
    for name in UNTHOUGHT_OF:
        lines = [line for line in log.splitlines() if f'"{name}"' in line]
        if lines:
            yield f"{name} stands in the log {len(lines)} times, first: {lines[0]}"


@asynccontextmanager
async def company_at(
    place: Path,
    program: tuple[str, ...] = ("-m", "bot", "run"),
    *,
    ours: bool = True,
    patience: float | None = None,
) -> AsyncIterator[Company]:
    """A company for the block."""
    company = Company(place=place, program=program, ours=ours, patience=patience)
    try:
        yield company
    finally:
        await company.close()
