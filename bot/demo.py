"""``dailies demo``: the real bot between a pretend Slack and five pretend providers, in processes of their own.

The sandbox is started first and says where it listens; the bot is started with exactly that as its environment. Real
keys and a ``.env`` file are never read: the bot runs in a folder of its own with nothing of the caller's settings.
"""

import asyncio
import contextlib
import re
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import httpx

from bot.domain.job import Job, State, WaitReason
from bot.emulation import Emulation, clean_environment, emulation, end, tail
from bot.providers import hiapi
from handlers.blocks.states import explain
from handlers.manifest import manifest
from storage import open_storage

CHANNEL = "#dailies"
PERSON = "maya"
WHOLE_DEADLINE_SECONDS = 120.0
_READY_SECONDS = 30.0
_MOST_JOBS = 100
"""More than one command orders."""
_MOURNING_SECONDS = 2.0
"""How long a killed bot stays away, so that it can be seen."""
_LABELLED = re.compile(r"<[^<>|]*\|([^<>]*)>")
"""A link or a time in mrkdwn, and the words that stand for it."""
_GIVEN_UP = frozenset({State.FAILED, State.CANCELLED})
_HIAPI = {"480p": 0.07, "720p": 0.15}
"""Dollars a second that the pretend HiAPI charges here; the real one publishes no price. Nobody's is lower, and of
equals HiAPI comes first: its orders survive every trouble that the page can make without a person's word."""


class DemoFailed(Exception):
    """The demo did not get as far as it should; the sentence says where, with the end of the bot's log."""


@dataclass(frozen=True, kw_only=True)
class Studio:
    """A running demo: the pretend workspace's address, and the bot beside it."""

    slack: str
    http: httpx.AsyncClient
    bot: "_Bot"
    sandbox: Emulation

    async def post(self, path: str, **body: Any) -> dict[str, Any]:
        """Act as a person."""
        answer = await self.http.post(f"{self.slack}/control{path}", json=body)
        answer.raise_for_status()
        return dict(answer.json())

    async def messages(self) -> list[dict[str, Any]]:
        """What stands in the channel and its threads."""
        answer = await self.http.get(f"{self.slack}/control/state", params={"channel": CHANNEL})
        answer.raise_for_status()
        (only,) = answer.json()["channels"].values()
        return [message for message in only["messages"] if not message["deleted"]]

    async def until(self, what: str, ready: Callable[[list[dict[str, Any]]], Awaitable[Any]]) -> Any:
        """Wait until ``ready`` finds what it looks for among the messages, and return that. Raises DemoFailed."""
        seq = 0
        try:
            async with asyncio.timeout(WHOLE_DEADLINE_SECONDS):
                while True:
                    if found := await ready(await self.messages()):
                        return found
                    changes = await self.http.get(
                        f"{self.slack}/control/changes", params={"after": seq, "timeout": 5}, timeout=15
                    )
                    seq = changes.json()["seq"]
        except TimeoutError:
            limit = f"{WHOLE_DEADLINE_SECONDS:.0f} s"
            raise DemoFailed(f"{what} did not happen within {limit}.\n{self.bot.last_words()}") from None

    async def file(self, file_id: str) -> bytes:
        """The bytes of a file as they stand in the thread."""
        answer = await self.http.get(f"{self.slack}/control/file/{file_id}")
        answer.raise_for_status()
        return answer.content


async def run_headless(prompt: str, out: Path) -> None:
    """One prompt through slash command, job, poll, download and upload; writes the MP4 as it stood in the thread and
    prints its path last. Raises DemoFailed, and soon when no clip can come."""
    if not await _unless_stopped(_headless(prompt, out)):
        raise DemoFailed("It was stopped before a clip stood in the thread.")


async def _headless(prompt: str, out: Path) -> None:
    async with studio() as demo:
        await _type(demo, f"/clip {prompt}")

        async def a_clip(messages: list[dict[str, Any]]) -> dict[str, Any] | None:
            if stands := next((one for one in messages if one.get("files") and one.get("thread_ts")), None):
                return stands
            see_that_one_can_come(await demo.bot.jobs())
            return None

        clip = await demo.until("A clip in the thread", a_clip)
        file = clip["files"][0]
        contents = await demo.file(file["id"])
        _say("dailies", clip["text"])
    print(_write(out / Path(str(file["name"])).name, contents))


def see_that_one_can_come(jobs: list[Job]) -> None:
    """Raises DemoFailed when of these jobs, which are all that there are, no clip can come while nobody presses
    anything. A command is answered when its jobs are on disk."""
    if not jobs:
        raise DemoFailed("No clip comes of that: the bot answered, and nothing was ordered.")
    if all(job.state is State.WAITING and job.wait_reason is WaitReason.CONFIRMATION for job in jobs):
        raise DemoFailed(
            "It waits for Confirm, which nobody presses here. Ask for less, or press it in `dailies demo`."
        )
    if all(job.state in _GIVEN_UP for job in jobs):
        raise DemoFailed(f"No clip comes of that. {as_read(explain(jobs[0]))}")


def _write(path: Path, contents: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(contents)
    return path


async def _unless_stopped(work: Coroutine[Any, Any, None]) -> bool:
    """Do it to its end, or until SIGTERM or Ctrl-C; whether it came to its end. Whatever it opened is closed by then,
    its processes and its folder too. Raises what it raises."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if working.done():
        working.result()
        return True
    working.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await working
    return False


async def run_page() -> None:
    """The workspace in the browser, until Ctrl-C. A bot that was killed from the page is started again, so that anyone
    can watch what a restart does. Raises DemoFailed."""
    await _unless_stopped(_page())


async def _page() -> None:
    async with studio() as demo:
        _note(f"Open {demo.slack}/ in a browser. No account, no key, no money; Ctrl-C ends it.")
        watching = {asyncio.create_task(_keep_alive(demo)), asyncio.create_task(_stand_with_sandbox(demo))}
        try:
            done, _ = await asyncio.wait(watching, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in watching:
                task.cancel()
        for task in done:
            task.result()


async def _stand_with_sandbox(demo: Studio) -> None:
    """The workspace is gone for good when its process is. Raises DemoFailed."""
    code = await demo.sandbox.ended()
    raise DemoFailed(f"The pretend workspace ended with code {code}. Start the demo again.")


async def _keep_alive(demo: Studio) -> None:
    """Start the bot again whenever it was killed. One that ends by itself cannot be helped: raises DemoFailed."""
    while True:
        code = await demo.bot.ended()
        if code != -signal.SIGKILL:
            raise DemoFailed(f"The bot ended with code {code}.\n{demo.bot.last_words()}")
        _note("The bot was killed; it is started again.")
        await asyncio.sleep(_MOURNING_SECONDS)
        await demo.bot.start()
        with contextlib.suppress(httpx.HTTPError):  # without its workspace the demo is ending anyway
            await demo.post("/bot", pid=demo.bot.pid)


async def _type(demo: Studio, line: str) -> None:
    _say(PERSON, line)
    command, _, text = line.partition(" ")
    answer = await demo.post("/slash", user=PERSON, channel=CHANNEL, command=command, text=text)
    if not answer["acked"]:
        raise DemoFailed(f"The bot did not answer the command ({answer['error']}).\n{demo.bot.last_words()}")
    said = str((answer.get("payload") or {}).get("text", ""))
    _say("dailies, privately", said)
    if "Nothing was charged" in said:
        raise DemoFailed("The prompt was not taken.")


def _say(who: str, what: str) -> None:
    _note(f"{who}: {as_read(what)}")


def as_read(mrkdwn: str) -> str:
    """A message for a terminal: links and times as their words, and Slack's three escaped signs as themselves."""
    return unescape(_LABELLED.sub(r"\1", mrkdwn))


def _note(text: str) -> None:
    """For people; standard output is for the path."""
    print(text, file=sys.stderr, flush=True)


@contextlib.asynccontextmanager
async def studio() -> AsyncIterator[Studio]:
    """Start the sandbox and the bot, and end both. Raises DemoFailed or EmulationFailed when one does
    not start."""
    with tempfile.TemporaryDirectory(prefix="dailies-demo-") as folder:
        place = Path(folder)
        async with contextlib.AsyncExitStack() as stack:
            world = emulation(workspace=workspace_settings(manifest()), folder=place)
            sandbox = await stack.enter_async_context(world)
            bot = _Bot(place, sandbox.environment)
            stack.push_async_callback(bot.end)
            await bot.start()
            http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=30))
            demo = Studio(slack=sandbox.slack, http=http, bot=bot, sandbox=sandbox)
            await demo.post("/bot", pid=bot.pid)
            await demo.post("/providers/hiapi/settings", prices={hiapi.MINI_MODEL: _HIAPI})
            await _connected(demo)
            yield demo


def workspace_settings(app: Mapping[str, Any]) -> dict[str, Any]:
    """What a manifest makes of the pretend workspace: the commands with their hints that people see while they type,
    the shortcuts in its menus, the events that the app hears and the scopes that its token has."""
    features, settings = app["features"], app["settings"]
    commands = features.get("slash_commands", [])
    return {
        "commands": [command["command"] for command in commands],
        "command_hints": {
            command["command"]: {name: command[name] for name in ("description", "usage_hint") if name in command}
            for command in commands
        },
        "should_escape": all(command.get("should_escape", False) for command in commands),
        "shortcuts": list(features.get("shortcuts", [])),
        "subscriptions": list(settings.get("event_subscriptions", {}).get("bot_events", [])),
        "scopes": list(app["oauth_config"]["scopes"]["bot"]),
    }


class _Bot:
    """``dailies run`` as a child that can be killed and started again; it ends with us, even when we are killed."""

    def __init__(self, place: Path, sandbox: Mapping[str, str]) -> None:
        prices = place / "prices.toml"
        port = _free_port()  # the same for each of its lives: the providers fetch files there
        rates = "".join(f'"{resolution}" = {price}\n' for resolution, price in _HIAPI.items())
        prices.write_text(f"[hiapi.mini]\n{rates}", encoding="utf-8")
        self.log = place / "bot.log"
        self._place = place
        self._settings = {
            **sandbox,
            "DATABASE_URL": f"sqlite:///{place / 'dailies.db'}",
            "MEDIA_URL": f"file:{place / 'media'}",
            "PRICE_FILE": str(prices),
            "HTTP_PORT": str(port),
            "PUBLIC_URL": f"http://127.0.0.1:{port}",
            "PROMOTE_UNDO_SECONDS": "5",
        }
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it; returns at once."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "bot", "run", "--exit-with-parent"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=log,
                cwd=self._place,
                env=clean_environment(self._settings),
            )

    def last_words(self) -> str:
        """The end of its log."""
        return tail(self.log.read_bytes() if self.log.exists() else b"")

    @property
    def pid(self) -> int:
        """Of the process that was started last."""
        return self._process.pid if self._process else 0

    @property
    def code(self) -> int | None:
        """Its exit code, None while it runs."""
        return self._process.returncode if self._process else None

    async def jobs(self) -> list[Job]:
        """Every job in its database, which is read beside it."""
        async with open_storage(self._settings["DATABASE_URL"], alone=False) as storage, storage.read() as tx:
            return [job for job, _ in await tx.jobs.listing(state=None, limit=_MOST_JOBS)]

    async def ended(self) -> int:
        """Wait until it has ended; its exit code."""
        return await self._process.wait() if self._process else 0

    async def end(self) -> None:
        """End it."""
        if self._process:
            await end(self._process)


def _free_port() -> int:
    """A port of this machine that nobody listens to now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


async def _connected(demo: Studio) -> None:
    """Wait until the bot's socket stands in the workspace."""
    try:
        async with asyncio.timeout(_READY_SECONDS):
            while True:
                state = (await demo.http.get(f"{demo.slack}/control/state", params={"channel": CHANNEL})).json()
                if state["sockets"]:
                    return
                if demo.bot.code is not None:
                    raise DemoFailed(f"The bot ended with code {demo.bot.code}.\n{demo.bot.last_words()}")
                await demo.http.get(f"{demo.slack}/control/changes", params={"after": state["seq"], "timeout": 1})
    except TimeoutError:
        raise DemoFailed(f"The bot did not connect.\n{demo.bot.last_words()}") from None
