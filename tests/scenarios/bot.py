"""The real bot as a child process beside the sandbox, and a stage with both: the base of every scenario.

    async with stage(tmp_path) as play:
        await play.studio.slash("maya", "/clip a red panda surfing --takes 2")
        first, second = await play.clips(2)

Nothing is replaced: HTTP, WebSockets, SQLite, files and MP4s are real. The bot is started with the sandbox's
environment and can be killed, stopped and started again.
"""

import asyncio
import json
import os
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx

from tests.sandbox.driver import CHANNEL, PATIENCE_SECONDS, Json, NeverHappened, Workspace, channel_in, start_sandbox
from tests.support.books import check_database

ROOT = Path(__file__).resolve().parents[2]
PRICES = """
[hiapi.mini]
"480p" = 0.08
"720p" = 0.15
[hiapi.standard]
"480p" = 0.16
"720p" = 0.30
"1080p" = 0.60
"""
"""What the pretend HiAPI charges; the real one publishes no prices."""

Mode = Literal["socket", "http"]
"""How Slack reaches the bot."""

QUICK = {"share_delay": 0.05, "retry_schedule": [0, 0.3, 1.0]}
_STOP_SECONDS = 15.0
_START_SECONDS = 40.0
"""Machines that run tests are shared and slow: a wait for a start ends late, and only when the bot does not start."""
UNHURRIED_SECONDS = 15.0
"""Slack's patience for an answer, where many ask at once and how soon they are answered is not the subject."""


@dataclass
class Bot:
    """``dailies run`` in a folder of its own, or another program of Python's (``program``) that is to do the same."""

    place: Path
    environment: dict[str, str]
    program: tuple[str, ...] = ("-m", "bot", "run")
    process: asyncio.subprocess.Process | None = None
    logs: list[Path] = field(default_factory=list)

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self.process is not None
        return self.process.pid

    @property
    def database(self) -> Path:
        """Its SQLite file."""
        return self.place / "dailies.db"

    @property
    def media(self) -> Path:
        """Its folder of clips."""
        return self.place / "media"

    async def start(self, **more: str) -> None:
        """Start it; returns at once."""
        log = self.place / f"bot-{len(self.logs) + 1}.log"
        self.logs.append(log)
        with log.open("wb") as output:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                *self.program,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.place,
                env={**self.environment, **more},
            )

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self.process is not None and self.process.returncode is None:
            self._signal(signal.SIGKILL)
        await self.gone()

    async def gone(self, within: float = _STOP_SECONDS) -> int:
        """Wait until it has ended; its exit code."""
        assert self.process is not None
        async with asyncio.timeout(within):
            return await self.process.wait()

    async def terminate(self) -> int:
        """SIGTERM, and its exit code."""
        assert self.process is not None
        self._signal(signal.SIGTERM)
        return await self.gone()

    def _signal(self, number: signal.Signals) -> None:
        """Not by asyncio's own way: that reaps a child that has just ended before whoever waits for its exit code,
        which is then told as 255."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    async def origin(self, within: float = _START_SECONDS) -> str:
        """Where this life of it serves HTTP, as it says in its log."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline and self.running():
            whole = self.logs[-1].read_text(encoding="utf-8", errors="replace").rpartition("\n")[0]
            for line in whole.splitlines():
                if line.startswith("{") and (said := json.loads(line))["event"] == "dailies.started":
                    return f"http://127.0.0.1:{said['port']}"
            await asyncio.sleep(0.05)
        raise NeverHappened(f"the bot says where it serves: {self.log()[-2000:]}", within)

    def running(self) -> bool:
        """Whether it has not ended."""
        return self.process is not None and self.process.returncode is None

    def log(self) -> str:
        """Everything that it logged, over all its lives."""
        return "".join(path.read_text(encoding="utf-8", errors="replace") for path in self.logs)

    def rows(self, query: str, *parameters: object) -> list[dict[str, Any]]:
        """Look into its database, read-only."""
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)
        connection.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in connection.execute(query, parameters)]
        finally:
            connection.close()

    async def command(self, *arguments: str) -> tuple[int, str, str]:
        """Run ``dailies ARGUMENTS`` on the same database; exit code, standard output, standard error."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "bot", *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=self.place,
            env=self.environment,
        )
        async with asyncio.timeout(30):
            out, err = await process.communicate()
        return process.returncode or 0, out.decode(), err.decode()


@dataclass(frozen=True)
class Stage:
    """A workspace with its people, and the bot in it."""

    studio: Workspace
    bot: Bot
    mode: Mode = "socket"

    async def start_bot(self, **more: str) -> None:
        """Start the bot (again), tell the faults its pid, and wait until Slack reaches it."""
        await self.launch(**more)
        await self.listening()

    async def launch(self, **more: str) -> None:
        """The same without the wait: for a bot that cannot reach Slack yet."""
        # A socket of the life before, not yet closed, would be taken for one of this life.
        await self.studio.wait_until(lambda state: not state["sockets"], what="no socket is open")
        await self.bot.start(**more)
        await self.studio.bot_is(self.bot.pid)

    async def listening(self, within: float = _START_SECONDS) -> None:
        """Wait until Slack reaches the bot. Over HTTP it is told the bot's new port first, as an operator would after
        moving it, and looks whether it answers."""
        if self.mode == "socket":
            await self.studio.connected(1, timeout=within)
            return
        origin = await self.bot.origin(within)
        await self.reached(origin, within)
        await self.studio.configure(delivery={"mode": "http", "url": f"{origin}/slack/events"})
        await self.studio.post("/verify_url")

    async def reached(self, origin: str, within: float = _START_SECONDS) -> None:
        """Wait until the bot at that origin has found Slack and takes its requests."""
        deadline = time.monotonic() + within
        async with httpx.AsyncClient(trust_env=False) as http:
            while (await http.get(f"{origin}/readyz")).json()["parts"]["slack"] != "up":
                if time.monotonic() > deadline:
                    raise NeverHappened("the bot takes Slack's requests", within)
                await asyncio.sleep(0.05)

    async def clip_messages(self, channel: str = CHANNEL) -> list[Json]:
        """The messages with clips that stand, oldest first."""
        messages = await self.studio.messages(channel=channel)
        return [message for message in messages if message.get("files") and message.get("thread_ts")]

    async def clips(self, count: int, *, timeout: float = PATIENCE_SECONDS, channel: str = CHANNEL) -> list[Json]:
        """Wait until that many clips stand in the channel's threads, and return them by number."""

        def standing(state: Json) -> list[Json] | None:
            messages = [one for one in channel_in(state, channel)["messages"] if not one["deleted"]]
            found = [one for one in messages if one.get("files") and one.get("thread_ts")]
            return sorted(found, key=number_of) if len(found) >= count else None

        return await self.studio.wait_until(standing, timeout=timeout, what=f"{count} clips stand in {channel}")

    async def card(self, text: str, *, timeout: float = PATIENCE_SECONDS, channel: str = CHANNEL) -> Json:
        """Wait for a message of the bot's, without a file, whose text has this in it."""
        return await self.studio.message_where(
            lambda one: bool(one.get("bot_id")) and not one.get("files") and text in one["text"],
            channel=channel,
            timeout=timeout,
            what=f"a card says “{text}”",
        )

    async def ledger(self) -> list[Json]:
        """The provider's own charges that stand (refunded ones left out)."""
        answer = await self.studio.get("/providers/hiapi/ledger")
        charges: list[Json] = answer["charges"]
        return [charge for charge in charges if charge["status"] != "refunded"]

    async def provider(self, **settings: Any) -> None:
        """Change how the provider behaves: ``render_seconds``, ``prices``, ``balance``, ``fidelity`` …"""
        await self.studio.post("/providers/hiapi/settings", **settings)

    async def ephemeral(
        self, person: str, text: str, *, channel: str = CHANNEL, timeout: float = PATIENCE_SECONDS
    ) -> Json:
        """Wait until something with this in it was shown to that person alone."""

        def shown(state: Json) -> Json | None:
            ids = {one["id"] for one in state["users"].values() if one["name"] == person}
            place = channel_in(state, channel)
            found = [one for one in place["ephemerals"] if one["user"] in ids and text in one["text"]]
            return found[-1] if found else None

        return await self.studio.wait_until(shown, timeout=timeout, what=f"{person} is told “{text}” alone")

    async def until_rows(
        self, query: str, *parameters: object, timeout: float = PATIENCE_SECONDS
    ) -> list[dict[str, Any]]:
        """Wait until a query on the bot's database finds something."""
        deadline = time.monotonic() + timeout
        while not (found := self.bot.rows(query, *parameters)):
            if time.monotonic() > deadline:
                raise NeverHappened(f"{query} {parameters} finds something", timeout)
            await asyncio.sleep(0.05)
        return found

    async def until_logged(self, *words: str, times: int = 1, timeout: float = PATIENCE_SECONDS) -> None:
        """Wait until the running bot's log has each of these words that often."""
        deadline = time.monotonic() + timeout
        while any((log := self.bot.log()).count(word) < times for word in words):
            assert self.bot.running(), log
            if time.monotonic() > deadline:
                raise NeverHappened(f"the log says {' and '.join(words)}", timeout)
            await asyncio.sleep(0.05)

    async def at_rest(self, prompt: str = "", *, timeout: float = PATIENCE_SECONDS) -> None:
        """Wait until every job has ended, or every job of this prompt."""
        running = "select 1 from jobs where state not in ('delivered', 'failed', 'cancelled') and recipe like ?"
        await self.until_rows(f"select 1 where not exists ({running})", f"%{prompt}%", timeout=timeout)

    async def person_id(self, name: str) -> str:
        """The user id behind a name."""
        people: Json = (await self.studio.state())["users"]
        return str(next(identity for identity, person in people.items() if person["name"] == name))

    def sums(self) -> Json:
        """Our ledger's sums in micro-dollars: held, settled, released."""
        names = ("held_micro_usd", "settled_micro_usd", "released_micro_usd")
        columns = ", ".join(f"coalesce(sum({name}), 0) as {name}" for name in names)
        return self.bot.rows(f"select {columns} from ledger")[0]


def number_of(message: Json) -> int:
    """The ``#n`` that a clip's message begins with."""
    return int(message["text"].lstrip("*#").split("*")[0].split(" ")[0])


def environment(place: Path, sandbox: Mapping[str, str], **more: str) -> dict[str, str]:
    """The bot's whole environment: nothing of the caller's but what finding Python needs. One provider, so that it is
    known where a clip is made."""
    (place / "prices.toml").write_text(PRICES, encoding="utf-8")
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(place),
        "PYTHONPATH": str(ROOT),
        **sandbox,
        "DATABASE_URL": f"sqlite:///{place / 'dailies.db'}",
        "MEDIA_URL": f"file:{place / 'media'}",
        "PRICE_FILE": str(place / "prices.toml"),
        "PROVIDERS": "hiapi",
        "HTTP_PORT": "0",
        "PROMOTE_UNDO_SECONDS": "1",
        "POLL_INTERVAL_SECONDS": "0.2",
        **more,
    }


@asynccontextmanager
async def stage(
    place: Path,
    *,
    sandbox: Mapping[str, Any] | None = None,
    start: bool = True,
    mode: Mode = "socket",
    **settings: str,
) -> AsyncIterator[Stage]:
    """A sandbox and, when ``start``, the bot in it; both end with the block, and the bot's books must be sound then,
    wherever it was killed. ``settings`` are the bot's."""
    async with AsyncExitStack() as stack:
        studio = await stack.enter_async_context(start_sandbox(data=place / "sandbox", **{**QUICK, **(sandbox or {})}))
        home = place / "bot"
        home.mkdir()
        given = {"SLACK_APP_TOKEN": ""} if mode == "http" else {}
        bot = Bot(place=home, environment=environment(home, studio.environment, **given, **settings))
        play = Stage(studio=studio, bot=bot, mode=mode)
        await play.provider(render_seconds=[0.2, 0.4])
        stack.push_async_callback(_end, bot)
        if start:
            await play.start_bot()
        yield play
    await asyncio.to_thread(check_database, bot.environment["DATABASE_URL"])


async def _end(bot: Bot) -> None:
    if bot.running():
        await bot.kill()
