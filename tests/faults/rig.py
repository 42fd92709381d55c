"""One sandbox for many cases: each has its own channel, its own word in the prompt, and its own bot.

rig = …                                              # the fixtures of tests/faults/conftest.py: rig, or
rig = await rig_of("muapi")                          # … one whose bot has another provider than HiAPI
await rig.arm(rig.point("create"), "amid", "kill")
await rig.ask()
await rig.died()
await rig.restart()
await rig.ended()
await rig.check()
"""

import asyncio
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tests.sandbox.driver import PATIENCE_SECONDS, Json, NeverHappened, Workspace, channel_in
from tests.scenarios.bot import QUICK, Bot, Stage
from tests.support.history import CARD_EVENT, ENDED, Card, History, cards_of, rows_of, standing
from tests.support.verdict import Asked, Terms, judge

T = TypeVar("T")

Harm = tuple[str, str, Json]
"""A fault without its point: phase, kind, and the details of the kind."""

PROVIDERS = ("hiapi", "apimart", "muapi", "seedanceapi", "empiriolabs")
"""Every provider, by its name in settings."""

LONGEST_WAY_SECONDS = 90.0
"""A share that Slack never processed is given 25 seconds to appear before it is sent again; all else is sooner."""

_NO_WORK = frozenset({"balance", "catalog", "callback"})
"""Requests that move no job: looks at the account and at the models, and what the provider sends by itself."""

_cases = itertools.count(1)


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    """A running sandbox: what it said when it was ready, and the folder of its files."""

    ready: Json
    folder: Path

    def people(self) -> Workspace:
        """Its people, for the running event loop."""
        return Workspace(
            slack=self.ready["slack"],
            providers=self.ready["providers"],
            environment=self.ready["env"],
            pid=self.ready["pid"],
        )

    @property
    def rendered(self) -> Path:
        """Where the providers keep what they rendered: a folder for each, files by task."""
        return self.folder


@contextmanager
def running_sandbox(folder: Path) -> Iterator[Sandbox]:
    """A sandbox as a child process that belongs to no event loop; it ends with the block."""
    command = [sys.executable, "-m", "bot.sandbox", "--exit-with-parent", "--data", str(folder)]
    with subprocess.Popen(
        [*command, "--config", json.dumps(QUICK)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        try:
            assert child.stdout is not None
            line = child.stdout.readline()
            assert line, "the sandbox ended before it was ready"
            yield Sandbox(ready=json.loads(line), folder=folder)
        finally:
            child.terminate()


@dataclass
class Rig:
    """A case: a channel with three people and the bot, and the bot as a process that may be killed. ``provider`` is
    the one whose requests are counted and whose charges are waited for: the bot's only one, if nothing else is said."""

    studio: Workspace
    bot: Bot
    channel: str
    channel_id: str
    marker: str
    rendered: Path
    provider: str = "hiapi"
    answered: list[float] = field(default_factory=list)
    """How many seconds each ask's answer took, where there was one."""

    @property
    def play(self) -> Stage:
        """The same as a stage, for what scenarios can look at."""
        return Stage(studio=self.studio, bot=self.bot)

    # --- acting ------------------------------------------------------------------------------------------------------

    async def ask(self, options: str = "") -> Json:
        """``/clip`` by Maya, with the marker in the prompt; how it was taken."""
        line = f"/clip a red panda {self.marker} {options}".strip()
        answer = await self.studio.slash("maya", line, channel=self.channel)
        if answer["acked"]:
            self.answered.append(float(answer["ack_seconds"]))
        return answer

    async def accepted(self, options: str = "") -> Json:
        """The same, and it must be accepted."""
        answer = await self.ask(options)
        assert answer["acked"], answer
        return answer

    async def press(self, label: str, *, user: str = "maya", stale: bool = False) -> Json:
        """A press on the card's button."""
        card = await self.card()
        action = f"clip.{label.lower().replace(' ', '_')}"
        return await self.studio.click(user, card.ts, action, channel=self.channel, stale=stale)

    async def start(self, **settings: str) -> None:
        """Start the bot and wait until Slack can reach it."""
        await self.bot.start(**settings)
        await self.studio.bot_is(self.bot.pid)
        await self.studio.connected(1, timeout=PATIENCE_SECONDS)

    def point(self, kind: str) -> str:
        """The name of a fault point of the provider: of ``create``, ``get``, ``outcome``, ``download`` …"""
        return f"{self.provider}:{kind}"

    async def settings(self, **changes: Any) -> None:
        """Change how the provider behaves: ``balance``, ``dialect``, ``render_seconds`` …"""
        await self.studio.post(f"/providers/{self.provider}/settings", **changes)

    async def requests(self) -> Mapping[str, int]:
        """How many requests of each kind have reached the provider, eaten ones too: counted per sandbox, so only
        differences mean anything."""
        return await self.studio.get(f"/providers/{self.provider}/requests")

    async def arm(self, point: str, phase: str, kind: str = "kill", /, **action: Any) -> None:
        """Add a fault. Faults are counted per sandbox; only this case's bot runs."""
        await self.studio.fault(point, phase, kind, **action)

    async def died(self, *, within: float = PATIENCE_SECONDS) -> None:
        """Wait until a fault has killed the bot."""
        await self.bot.gone(within)
        assert self.bot.process is not None
        assert self.bot.process.returncode == -9, self.bot.log()
        await self._until(lambda state: not state["sockets"], within=5, what="Slack saw the socket close")

    async def restart(self, **settings: str) -> float:
        """Start it again, and wait until it touches what it left unfinished; the seconds that it took to do so since
        it was up."""
        since = time.time()
        before = await self.effects(since)
        await self.bot.start(**settings)
        await self.studio.bot_is(self.bot.pid)
        started = await self._log_says("dailies.started")
        while await self.effects(since) == before and not await self._over():
            if time.monotonic() - started > PATIENCE_SECONDS:
                raise NeverHappened("the restarted bot touches what it left unfinished", PATIENCE_SECONDS)
            await asyncio.sleep(0.02)
        return time.monotonic() - started

    async def effects(self, since: float) -> int:
        """Calls of the bot's that move this case: those to the provider, of all times, and since then those about
        files, and those in its channel. What any start does moves nothing, and what the provider calls is its own
        doing."""
        calls = (await self.studio.get("/calls", method="", since=since))["calls"]
        asked = sum(int(count) for kind, count in (await self.requests()).items() if kind not in _NO_WORK)
        return sum(_moves(call, self.channel_id) for call in calls) + asked

    async def _log_says(self, word: str, *, within: float = PATIENCE_SECONDS) -> float:
        deadline = time.monotonic() + within
        path = self.bot.logs[-1]
        while word not in path.read_text(encoding="utf-8", errors="replace"):
            assert self.bot.running(), self.bot.log()
            if time.monotonic() > deadline:
                raise NeverHappened(f"the log says {word}", within)
            await asyncio.sleep(0.02)
        return time.monotonic()

    async def shut_out(self, how: str) -> None:
        """The bot is ``kicked`` out of the channel, or the channel is ``archived``."""
        await self._channel(
            **({"action": "leave", "user": await self._bot_user()} if how == "kicked" else {"action": "archive"})
        )

    async def let_in(self, how: str) -> None:
        """The opposite of ``shut_out``."""
        await self._channel(
            **({"action": "join", "user": await self._bot_user()} if how == "kicked" else {"action": "unarchive"})
        )

    async def _channel(self, **action: str) -> None:
        await self.studio.post("/channel", channel=self.channel, **action)

    async def _bot_user(self) -> str:
        return str((await self.studio.state())["bot"]["user_id"])

    # --- looking -----------------------------------------------------------------------------------------------------

    async def cards(self) -> list[Card]:
        """The cards that stand now."""
        return cards_of(standing(await self.studio.state(), self.channel))

    async def card(self, *, within: float = PATIENCE_SECONDS) -> Card:
        """The one card, as soon as there is one."""
        return await self.card_where(lambda card: True, within=within, what="a card stands")

    async def card_where(self, accept: Callable[[Card], bool], *, within: float, what: str) -> Card:
        """The first standing card that is acceptable."""

        def look(state: Json) -> Card | None:
            return next((card for card in cards_of(standing(state, self.channel)) if accept(card)), None)

        return await self._until(look, within=within, what=what)

    async def says(self, words: str, *, within: float = PATIENCE_SECONDS) -> Card:
        """Wait until the card says so."""
        return await self.card_where(lambda card: words in card.text, within=within, what=f"the card says “{words}”")

    async def every_card_says(self, words: str, *, asks: int, within: float = PATIENCE_SECONDS) -> None:
        """Wait until so many cards stand and all say so."""

        def look(state: Json) -> bool:
            cards = cards_of(standing(state, self.channel))
            return len(cards) == asks and all(words in card.text for card in cards)

        await self._until(look, within=within, what=f"{asks} cards say “{words}”")

    async def ended(self, *, asks: int = 1, within: float = LONGEST_WAY_SECONDS) -> list[Card]:
        """Wait until so many cards stand and all say how it ended."""

        def look(state: Json) -> list[Card] | None:
            cards = cards_of(standing(state, self.channel))
            return cards if len(cards) >= asks and all(card.ended for card in cards) else None

        return await self._until(look, within=within, what=f"{asks} cards say how it ended")

    async def _until(self, look: Callable[[Json], T | None], *, within: float, what: str) -> T:
        try:
            return await self.studio.wait_until(look, timeout=within, what=what)
        except NeverHappened as never:
            texts = [card.text for card in await self.cards()]
            raise NeverHappened(
                f"{what}; the cards: {texts}; the log ends: {self.bot.log()[-4000:]}", within
            ) from never

    async def private(self, user: str, words: str) -> list[Json]:
        """What that person was told alone in this case, with these words in it."""
        return self._private(await self.studio.state(), user, words)

    def _private(self, state: Json, user: str, words: str) -> list[Json]:
        """Ephemerals of this case's channel, and direct messages that quote its prompt."""
        (person,) = [one["id"] for one in state["users"].values() if one["name"] == user]
        ephemerals = [one for one in channel_in(state, self.channel)["ephemerals"] if one["user"] == person]
        direct = [
            message
            for channel in state["channels"].values()
            if channel["kind"] == "im" and person in channel["members"]
            for message in channel["messages"]
            if self.marker in message["text"]
        ]
        return [one for one in [*ephemerals, *direct] if words in one["text"] and not one["deleted"]]

    async def told(self, user: str, words: str, *, within: float = PATIENCE_SECONDS) -> Json:
        """Wait until that person was told so alone."""
        what = f"{user} is told “{words}”"
        found = await self._until(lambda state: self._private(state, user, words), within=within, what=what)
        return found[0]

    async def logged(self, event: str, *, within: float = PATIENCE_SECONDS) -> None:
        """Wait until the bot of this life has logged the event."""
        await self._log_says(event, within=within)

    async def wall_clock(self, at: float) -> None:
        """Wait until that unix time."""
        while time.time() < at:
            await asyncio.sleep(0.1)

    async def _over(self) -> bool:
        cards = await self.cards()
        return bool(cards) and all(card.ended for card in cards)

    async def history(self) -> History:
        """What really happened."""
        return await History.read(self.studio, channel=self.channel, marker=self.marker)

    async def check(self, *, clips: int = 1, charges: int | None = None, asks: int = 1) -> History:
        """The promises, by what Slack and the provider have in their books."""
        history = await self.history()
        history.check(clips=clips, charges=charges, asks=asks, rendered=self.rendered)
        return history

    async def books_balance(self, history: History, *, settled: int | None = None) -> None:
        """Nothing is held any more, and what we count as spent is what the provider charged (or ``settled``)."""
        charged = sum(int(charge["micro_usd"]) for charge in history.paid)
        sums = self.play.sums()
        assert sums["held_micro_usd"] == 0, sums
        assert sums["settled_micro_usd"] == (charged if settled is None else settled), sums

    async def delivered(self, *, clips: int = 1, within: float = LONGEST_WAY_SECONDS) -> None:
        """The whole promise of a plain ask: it ends in its clips, which nothing excuses, and everything is as it should
        be."""
        await self.ended(within=within)
        history = await self.check(clips=clips)
        await self.books_balance(history)
        asked = Asked(words=self.marker, takes=clips, seconds=max(self.answered, default=None))
        judge(history, Terms(asks=(asked,), rendered=self.rendered), await self.said()).raise_if_broken()

    async def said(self, since: float = 0.0) -> list[tuple[str, str]]:
        """What the cards of this channel have said since then, as Slack saw it, whether they still stand or not: an ask
        and a text each."""
        calls = [
            call
            for method in ("chat.postMessage", "chat.update")
            for call in (await self.studio.get("/calls", method=method, since=since))["calls"]
            if call["ok"] and call["arguments"].get("channel") == self.channel_id
        ]
        return [*said_of(sorted(calls, key=lambda call: int(call["number"])))]

    async def charged(self, count: int = 1, *, within: float = PATIENCE_SECONDS) -> None:
        """Wait until the provider has charged so many orders of this case."""

        def look(state: Json) -> bool:
            ledger = state["providers"][self.provider]["ledger"]
            return sum(self.marker in charge["prompt"] for charge in ledger) >= count

        await self._until(look, within=within, what=f"{count} orders are charged")

    async def fired(self) -> int:
        """How often the faults of this case fired."""
        return sum(int(rule["fired"]) for rule in await self.studio.faults())

    async def posts(self) -> int:
        """Billed POSTs that reached the provider for this case's prompts, eaten ones too: counted per sandbox, so
        only differences mean anything."""
        return (await self.requests()).get("create", 0)

    async def posted(self, count: int, *, within: float = PATIENCE_SECONDS) -> None:
        """Wait until so many billed POSTs have reached the provider."""
        deadline = time.monotonic() + within
        while await self.posts() < count:
            if time.monotonic() > deadline:
                raise NeverHappened(f"{count} orders are sent; the log ends: {self.bot.log()[-4000:]}", within)
            await asyncio.sleep(0.02)


def answer_of(taken: Json) -> str:
    """What Slack heard when a command was taken; empty when it heard nothing."""
    return str((taken.get("payload") or {}).get("text", ""))


def _moves(call: Json, channel: str) -> bool:
    """A card that is drawn anew, and says that all is still at work, moves nothing."""
    method, arguments = str(call["method"]), call["arguments"]
    if method == "chat.update" and not set(rows_of(str(arguments.get("text"))).values()) <= ENDED:
        return False
    return method.startswith("files.") or arguments.get("channel") == channel


def said_of(calls: Iterable[Json]) -> Iterator[tuple[str, str]]:
    """What cards say in these calls, which name their asks: those that post them, and those that draw them anew."""
    for call in calls:
        metadata = call["arguments"].get("metadata") or {}
        if isinstance(metadata, str):
            metadata = json.loads(metadata)
        if metadata.get("event_type") == CARD_EVENT:
            yield str(metadata["event_payload"]["ask"]), str(call["arguments"].get("text"))


async def new_channel(studio: Workspace, name: str) -> str:
    """Make a channel with three people and the bot; its id."""
    bot_user = (await studio.get("/state", deliveries=1))["bot"]["user_id"]
    members = ["maya", "ben", "chloe", bot_user]
    return str((await studio.post("/channel", action="create", name=name, members=members))["channel"])


def next_case() -> int:
    """A number that no other case of this process has."""
    return next(_cases)
