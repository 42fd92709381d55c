"""People in the sandbox's Slack, for tests: they type, react and click, and look at what is in the channels.

    async with start_sandbox(share_delay=0.05) as studio:
        await studio.slash("maya", "/clip a red panda surfing")
        card = await studio.message_where(lambda one: "red panda" in one["text"])
        await studio.react("ben", card, "rocket")

Every act raises `Refused` when no person could do it in Slack (an unknown channel, a button that is not
there).
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx

Json = dict[str, Any]
T = TypeVar("T")

CHANNEL = "#dailies"
_START_SECONDS = 20.0
_STOP_SECONDS = 10.0
PATIENCE_SECONDS = 45.0
"""Machines that run tests are shared and slow: a wait whose length is not the subject ends late."""
_POLL_SECONDS = 5.0  # one long poll; a wait goes on with the next until its own deadline


class Refused(Exception):
    """The control API refused; ``error`` is its word."""

    def __init__(self, error: str, detail: str) -> None:
        self.error = error
        self.detail = detail
        super().__init__(f"{error}: {detail}")


class NeverHappened(AssertionError):
    """What a test waited for did not come about in time."""

    def __init__(self, what: str, seconds: float) -> None:
        self.what = what
        self.seconds = seconds
        super().__init__(f"not within {seconds} s: {what}")


class Workspace:
    """The workspace as its people see it. ``environment`` is what the bot needs to find it."""

    def __init__(self, *, slack: str, providers: str, environment: Mapping[str, str], pid: int | None = None) -> None:
        self.slack = slack
        self.providers = providers
        self.environment = dict(environment)
        self.pid = pid
        self._http = httpx.AsyncClient(
            base_url=f"{slack}/control",
            timeout=30.0,
            limits=httpx.Limits(max_connections=None),
            trust_env=False,
        )

    async def close(self) -> None:
        """Lets go of the connections; the sandbox goes on."""
        await self._http.aclose()

    # People act -----------------------------------------------------------------------------------------

    async def slash(self, user: str, line: str, *, channel: str = CHANNEL, **more: Any) -> Json:
        """A slash command as typed ("/clip a red panda"); returns how the app took it."""
        command, _, text = line.partition(" ")
        return await self.post("/slash", user=user, channel=channel, command=command, text=text, **more)

    async def say(
        self,
        user: str,
        text: str,
        *,
        channel: str = CHANNEL,
        thread: str | Json | None = None,
        files: Sequence[tuple[str, bytes]] = (),
        broadcast: bool = False,
    ) -> str:
        """A message, with files as (name, bytes); returns its ts. ``thread`` is a ts or a message."""
        fields: Json = {"user": user, "channel": channel, "text": text}
        if thread is not None:
            fields["thread_ts"] = thread if isinstance(thread, str) else root_of(thread)
        if broadcast:
            fields["broadcast"] = True
        if not files:
            return str((await self.post("/message", **fields))["ts"])
        parts = [("files", (name, data)) for name, data in files]
        answer = await self._http.post("/message", data={key: str(value) for key, value in fields.items()}, files=parts)
        return str(_checked(answer)["ts"])

    async def edit(self, user: str, ts: str, text: str, *, channel: str = CHANNEL) -> None:
        """A person changes their message."""
        await self.post("/edit", user=user, channel=channel, ts=ts, text=text)

    async def delete(self, user: str, ts: str, *, channel: str = CHANNEL) -> None:
        """A person deletes their message, an admin anyone's."""
        await self.post("/delete", user=user, channel=channel, ts=ts)

    async def react(
        self,
        user: str,
        message: str | Json,
        name: str,
        *,
        channel: str = CHANNEL,
        remove: bool = False,
        copies: int = 1,
    ) -> None:
        """A reaction; ``copies`` delivers the same event that often."""
        place = _place(message, channel)
        await self.post("/react", user=user, name=name, remove=remove, copies=copies, **place)

    async def click(
        self,
        user: str,
        message: str | Json,
        action_id: str,
        *,
        channel: str = CHANNEL,
        value: str | None = None,
        block_id: str | None = None,
        stale: bool = False,
    ) -> Json:
        """A click on a button (or an option, by ``value``) that the message has; ``stale``: that it ever
        had."""
        place = _place(message, channel)
        return await self.post(
            "/click", user=user, action_id=action_id, value=value, block_id=block_id, stale=stale, **place
        )

    async def submit(self, user: str, **values: Any) -> Json:
        """Submits the modal on top; values by block_id or action_id."""
        return await self.post("/submit", user=user, values=values)

    async def shortcut(self, user: str, callback_id: str, message: Json | None = None) -> Json:
        """A global shortcut, or one on a message."""
        place = _place(message, CHANNEL) if message is not None else {}
        return await self.post("/shortcut", user=user, callback_id=callback_id, **place)

    # The workspace is arranged --------------------------------------------------------------------------

    async def configure(self, **settings: Any) -> Json:
        """Changes the workspace's settings (share_delay, ack_timeout, retry_schedule, rate_limits…)."""
        return await self.post("/config", **settings)

    async def fault(self, point: str, phase: str, kind: str, /, **rule: Any) -> int:
        """Adds a fault; ``skip``, ``times`` and ``match`` belong to the rule, all else to its action."""
        outer = {name: rule.pop(name) for name in ("skip", "times", "match") if name in rule}
        added = await self.post("/faults", point=point, phase=phase, action={"kind": kind, **rule}, **outer)
        return int(added["id"])

    async def faults(self) -> list[Json]:
        """The rules with how often each fired."""
        rules: list[Json] = (await self.get("/faults"))["faults"]
        return rules

    async def heal(self, rule: int | None = None) -> None:
        """Takes all faults away, or the one with this id."""
        _checked(await self._http.delete("/faults" if rule is None else f"/faults/{rule}"))

    async def bot_is(self, pid: int | None) -> None:
        """Tells which process the faults may kill."""
        await self.post("/bot", pid=pid)

    # What is to be seen ---------------------------------------------------------------------------------

    async def state(self) -> Json:
        """Everything; see the control API."""
        return await self.get("/state")

    async def messages(self, *, channel: str = CHANNEL) -> list[Json]:
        """The standing messages of a channel with those in its threads, in order of time."""
        state = await self.get("/state", channel=channel)
        (only,) = state["channels"].values()
        return [one for one in only["messages"] if not one["deleted"]]

    async def thread(self, message: str | Json, *, channel: str = CHANNEL) -> list[Json]:
        """A thread: the parent, then its replies."""
        ts = message if isinstance(message, str) else root_of(message)
        place = message["channel"] if not isinstance(message, str) else channel
        found: list[Json] = (await self.get("/thread", channel=place, ts=ts))["messages"]
        return found

    async def ephemerals(self, user: str | None = None, *, channel: str | None = None) -> list[Json]:
        """What was shown privately and still stands, of one person or of all, in order of time."""
        state = await self.get("/state", channel=channel or "")
        ids = {person["id"] for person in state["users"].values() if user in {None, person["name"], person["id"]}}
        shown = [one for place in state["channels"].values() for one in place["ephemerals"]]
        standing = [one for one in shown if one["user"] in ids and not one["deleted"]]
        return sorted(standing, key=lambda one: float(one["ts"]))

    async def calls(self, method: str | None = None) -> list[Json]:
        """The Web API calls that the server processed, in order."""
        found: list[Json] = (await self.get("/calls", method=method or ""))["calls"]
        return found

    async def file(self, file_id: str) -> bytes:
        """A file's bytes as they are stored."""
        answer = await self._http.get(f"/file/{file_id}")
        answer.raise_for_status()
        return answer.content

    # Waiting --------------------------------------------------------------------------------------------

    async def wait_until(
        self, look: Callable[[Json], T | None], *, timeout: float = PATIENCE_SECONDS, what: str = "the condition holds"
    ) -> T:
        """The first truthy thing that ``look`` finds in the state; asked again whenever something changes."""
        deadline = time.monotonic() + timeout
        while True:
            state = await self.state()
            found = look(state)
            if found:
                return found
            left = deadline - time.monotonic()
            if left <= 0:
                raise NeverHappened(what, timeout)
            await self.get("/changes", after=state["seq"], timeout=min(left, _POLL_SECONDS))

    async def message_where(
        self,
        accept: Callable[[Json], bool],
        *,
        channel: str = CHANNEL,
        timeout: float = PATIENCE_SECONDS,
        what: str = "such a message stands in the channel",
    ) -> Json:
        """The first standing message, in or out of a thread, that is acceptable."""

        def look(state: Json) -> Json | None:
            place = channel_in(state, channel)
            return next((one for one in place["messages"] if not one["deleted"] and accept(one)), None)

        return await self.wait_until(look, timeout=timeout, what=what)

    async def connected(self, sockets: int = 1, *, timeout: float = PATIENCE_SECONDS) -> None:
        """Returns when the app has that many sockets open."""
        await self.wait_until(
            lambda state: len(state["sockets"]) >= sockets,
            timeout=timeout,
            what=f"{sockets} sockets are open",
        )

    # The wire -------------------------------------------------------------------------------------------

    async def post(self, path: str, /, **body: Any) -> Json:
        """A request to the control API. Raises `Refused`."""
        return _checked(await self._http.post(path, json=body))

    async def get(self, path: str, /, **query: Any) -> Json:
        """A look at the control API. Raises `Refused`."""
        chosen = {key: value for key, value in query.items() if value != ""}
        return _checked(await self._http.get(path, params=chosen))


def channel_in(state: Json, key: str) -> Json:
    """A channel of the state by id or ``#name``."""
    word = key.removeprefix("#")
    for channel in state["channels"].values():
        if word in {channel["id"], channel["name"]}:
            found: Json = channel
            return found
    raise Refused("channel_not_found", key)


def root_of(message: Json) -> str:
    """The ts of the thread that a message starts or stands in."""
    return str(message.get("thread_ts") or message["ts"])


def buttons(message: Json) -> dict[str, str]:
    """The labels of a message's buttons by their action_id."""
    found: dict[str, str] = {}
    for block in message.get("blocks", []):
        for element in [*block.get("elements", []), block.get("accessory")]:
            if isinstance(element, dict) and element.get("type") == "button":
                found[element["action_id"]] = element["text"]["text"]
    return found


def _place(message: str | Json, channel: str) -> Json:
    if isinstance(message, str):
        return {"channel": channel, "ts": message}
    return {"channel": message["channel"], "ts": message["ts"]}


def _checked(answer: httpx.Response) -> Json:
    body: Json = answer.json() if answer.content else {}
    if answer.status_code >= 400:
        raise Refused(str(body.get("error", answer.status_code)), str(body.get("detail", answer.text)))
    return body


@asynccontextmanager
async def start_sandbox(*, data: Path | None = None, **config: Any) -> AsyncIterator[Workspace]:
    """Runs the sandbox as a child process; ``config`` are settings of the workspace. It ends with the
    context."""
    command = [sys.executable, "-m", "bot.sandbox", "--exit-with-parent", "--config", json.dumps(config)]
    if data is not None:
        command += ["--data", str(data)]
    child = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        ready = await _ready_line(child)
        workspace = Workspace(
            slack=ready["slack"], providers=ready["providers"], environment=ready["env"], pid=ready["pid"]
        )
        try:
            yield workspace
        finally:
            await workspace.close()
    finally:
        await _stop(child)


async def _ready_line(child: asyncio.subprocess.Process) -> Json:
    assert child.stdout is not None
    async with asyncio.timeout(_START_SECONDS):
        line = await child.stdout.readline()
    if not line:
        raise NeverHappened("the sandbox says that it is ready", _START_SECONDS)
    ready: Json = json.loads(line)
    return ready


async def _stop(child: asyncio.subprocess.Process) -> None:
    if child.returncode is None:
        child.terminate()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await child.wait()
    except TimeoutError:
        child.kill()
        await child.wait()
