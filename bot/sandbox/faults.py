"""Faults on order: rules that say which call of an emulated service goes wrong, when, and how.

A test adds rules, the emulators ask for them. A rule is a mapping::

    {"point": "hiapi:create",      # which call; "*" stands for anything: "*:create"
     "phase": "amid",              # when, see below
     "action": {"kind": "kill"},   # what, see below
     "skip": 0,                    # so many matching calls pass unharmed first
     "times": 1,                   # so often it fires; -1 = for ever
     "match": {"prompt": "panda"}} # substrings, each to be found in the fact of that name

Phases of an HTTP call (`Faults.middleware` takes these by itself):

``before``        the service has processed nothing; with ``"read_body": true`` in the action it has read the
                  whole request and thrown it away
``amid_request``  as before, after half of the request's body was read (uploads)
``amid``          the service has processed the call (a charge is made!), its answer has not been sent
``after``         the answer is written in full, then the action runs, ``after_ms`` milliseconds later

The fifth phase, ``do``, is for what an emulator does of itself (the outcome of a render, an event sent
twice); its kinds are described by the emulator that takes them.

Kinds of action, with the phases in which they make sense:

``kill``       SIGKILL to the process `Faults.bot_pid`, wait until it is gone, then drop the connection. At
               ``amid`` of a file: after half of its bytes were sent. (before, amid_request, amid, after)
``reset``      TCP RST (before, amid_request, amid, after)
``close``      FIN without an answer (before, amid_request, amid, after)
``hang``       {seconds = 3600} not one byte, then FIN; ends early when the client leaves or the rules are
               cleared (before, amid_request, amid)
``delay``      {seconds, kept = false} then as if nothing had been; at ``before`` with ``kept`` the service has
               the whole request, and processes it that late also when the client has left (not for a body
               that its handler streams). (before, amid)
``status``     {status, body?, headers?, content_type?} instead of the real answer; `body` is text, or
               anything else to be sent as JSON; without one, the emulated service's own (before, amid)
``html``       {status = 200, body?} a web page instead of the answer (before, amid)
``ratelimit``  {retry_after, body?} 429; `retry_after` is any string, or null for no header (before, amid)
``redirect``   {location, status = 307} (before, amid)
``garbage``    200 and JSON that breaks off (before, amid)
``half_body``  {chunked = false} announces the whole answer, sends half of it, then FIN; chunked: the cut
               comes without a Content-Length and without a last chunk (amid)
``drip``       {bytes_per_second} the real answer, slowly (amid)
``truncate``   {fraction = 0.5} an answer cut short that HTTP takes for complete: the Content-Length is
               that of the part (amid)
``endless``    a body that never ends and tells no length (before, amid)
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from bot.sandbox import fault_answers as answers

PHASES = ("before", "amid_request", "amid", "after", "do")

_UNPROCESSED = frozenset({"before", "amid_request"})
_INSTEAD = frozenset({"before", "amid"})
_PHASES_OF: Mapping[str, frozenset[str]] = {
    "kill": _UNPROCESSED | {"amid", "after"},
    "reset": _UNPROCESSED | {"amid", "after"},
    "close": _UNPROCESSED | {"amid", "after"},
    "hang": _UNPROCESSED | {"amid"},
    "delay": _INSTEAD,
    "status": _INSTEAD,
    "html": _INSTEAD,
    "ratelimit": _INSTEAD,
    "redirect": _INSTEAD,
    "garbage": _INSTEAD,
    "endless": _INSTEAD,
    "half_body": frozenset({"amid"}),
    "drip": frozenset({"amid"}),
    "truncate": frozenset({"amid"}),
}
_REQUIRED: Mapping[str, str] = {
    "delay": "seconds",
    "status": "status",
    "ratelimit": "retry_after",
    "redirect": "location",
    "drip": "bytes_per_second",
}
_RULE_FIELDS = frozenset({"point", "phase", "action", "skip", "times", "match"})
_GONE_WITHIN = 10.0
"""Seconds that a killed process may take to disappear."""

PointOf = Callable[[web.Request], str | None]
FactsOf = Callable[[web.Request], Awaitable[Mapping[str, object]]]
ErrorBody = Callable[[web.Request, int], object]


class BadRule(ValueError):
    """A rule that no call could ever obey; `part` names the field."""

    def __init__(self, part: str, reason: str) -> None:
        self.part = part
        self.reason = reason
        super().__init__(f"fault rule: {part}: {reason}")


class CannotKill(RuntimeError):
    """A kill was due and could not be done: `pid` is unknown (None) or did not die."""

    def __init__(self, pid: int | None) -> None:
        self.pid = pid
        super().__init__("no bot pid is known" if pid is None else f"process {pid} outlived SIGKILL")


@dataclass(kw_only=True, slots=True)
class _Rule:
    """One rule with its counters: `skip` still to pass, `times` still to fire (-1 = for ever)."""

    id: int
    point: str
    phase: str
    action: dict[str, object]
    skip: int
    times: int
    match: dict[str, str] = field(default_factory=dict)
    fired: int = 0

    def covers(self, point: str) -> bool:
        return fnmatchcase(point, self.point)

    def fits(self, point: str, phase: str, facts: Mapping[str, object]) -> bool:
        return (
            self.times != 0
            and phase == self.phase
            and self.covers(point)
            and all(name in facts and text in str(facts[name]) for name, text in self.match.items())
        )


class Faults:
    """The rules of one sandbox. Not thread-safe: all calls come from the event loop of the emulators."""

    def __init__(self) -> None:
        self._bot_pid: int | None = None
        self._named_pid: int | None = None
        self._rules: dict[int, _Rule] = {}
        self._last_id = 0
        self._clearings = 0
        self._clearing = asyncio.Event()

    @property
    def bot_pid(self) -> int | None:
        """The process that a kill hits; None when nobody named one, or it was killed."""
        return self._bot_pid

    @bot_pid.setter
    def bot_pid(self, pid: int | None) -> None:
        self._bot_pid = self._named_pid = pid

    @property
    def bot_is_gone(self) -> bool:
        """Whether the process that was named last has ended, by a kill or otherwise; False when none was named."""
        return self._named_pid is not None and not _alive(self._named_pid)

    def add(self, rule: Mapping[str, object]) -> int:
        """Add a rule (shape: see the module) and return its id. Raises `BadRule`."""
        self._last_id += 1
        self._rules[self._last_id] = _parse(self._last_id, rule)
        return self._last_id

    def remove(self, rule_id: int) -> None:
        """Forget a rule; one that is unknown is no error."""
        self._rules.pop(rule_id, None)

    def clear(self) -> None:
        """Forget every rule and let go of the calls that a `hang` holds."""
        self._rules.clear()
        self._clearings += 1
        self._clearing.set()
        self._clearing = asyncio.Event()

    async def cleared(self, *, within: float) -> None:
        """Return when the rules are cleared next, or after so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._clearing.wait()

    def listing(self) -> list[dict[str, object]]:
        """Every rule with its `id`, what is left of `skip` and `times`, and how often it has `fired`."""
        return [
            {
                "id": rule.id,
                "point": rule.point,
                "phase": rule.phase,
                "action": dict(rule.action),
                "skip": rule.skip,
                "times": rule.times,
                "match": dict(rule.match),
                "fired": rule.fired,
            }
            for rule in self._rules.values()
        ]

    def take(self, point: str, phase: str, facts: Mapping[str, object] | None = None) -> dict[str, object] | None:
        """Consume one firing of the first rule that fits and return its action, else None.

        A rule that still has calls to `skip` counts this one and lets the next rule have it.
        """
        for rule in self._rules.values():
            if not rule.fits(point, phase, facts or {}):
                continue
            if rule.skip > 0:
                rule.skip -= 1
                continue
            if rule.times > 0:
                rule.times -= 1
            rule.fired += 1
            return dict(rule.action)
        return None

    async def kill_bot(self) -> None:
        """SIGKILL the bot and return when it is gone. Raises `CannotKill`.

        A pid is used once: the next process to bear the number is none of ours.
        """
        pid, self._bot_pid = self._bot_pid, None
        if pid is None:
            raise CannotKill(None)
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + _GONE_WITHIN
        while _alive(pid):
            if time.monotonic() > deadline:
                raise CannotKill(pid)
            await asyncio.sleep(0.002)

    def middleware(
        self,
        point_of: PointOf,
        *,
        facts_of: FactsOf | None = None,
        error_body: ErrorBody | None = None,
    ) -> Middleware:
        """An aiohttp middleware that makes the calls of an application go wrong as the rules say.

        `point_of` names the point of a request (None: never harmed). `facts_of` is asked only while a rule
        with a `match` waits at that point; it may read the body. `error_body` gives the emulated service's
        JSON body for a request and a status. The server must not cancel handlers when a client leaves
        (aiohttp's default).

        Handlers should return a `Response` or `FileResponse`: what a handler has streamed itself is already
        with the client, so that of the ``amid`` kinds only kill, reset and close still mean anything.
        """

        @web.middleware
        async def misbehave(request: web.Request, handler: Handler) -> web.StreamResponse:
            point = point_of(request)
            if point is None or not any(rule.covers(point) for rule in self._rules.values()):
                return await handler(request)
            facts: Mapping[str, object] = {}
            if facts_of is not None and any(r.match and r.covers(point) for r in self._rules.values()):
                facts = await facts_of(request)
            call = answers.Call(request=request, kill=self.kill_bot, released=self._release(), error_body=error_body)
            return await self._walk(call, point, facts, handler)

        return misbehave

    async def _walk(
        self, call: answers.Call, point: str, facts: Mapping[str, object], handler: Handler
    ) -> web.StreamResponse:
        """One call through the four phases."""
        for phase in ("before", "amid_request"):
            action = self.take(point, phase, facts)
            if action is not None:
                instead = await answers.unprocessed(call, action, half=phase == "amid_request")
                if instead is not None:
                    return instead
        try:
            response = await handler(call.request)
        except web.HTTPException as raised:
            response = raised
        action = self.take(point, "amid", facts)
        if action is not None:
            response = await answers.processed(call, action, response)
        action = self.take(point, "after", facts)
        if action is not None:
            await answers.answered(call, action, response)
        return response

    def _release(self) -> Callable[[], bool]:
        """A test whether the rules have been cleared since now."""
        then = self._clearings
        return lambda: self._clearings != then


def _parse(rule_id: int, rule: Mapping[str, object]) -> _Rule:
    for name in rule:
        if name not in _RULE_FIELDS:
            raise BadRule(name, f"unknown field; there are {', '.join(sorted(_RULE_FIELDS))}")
    point, phase = rule.get("point"), rule.get("phase")
    if not isinstance(point, str) or not point:
        raise BadRule("point", "a name such as hiapi:create")
    if not isinstance(phase, str) or phase not in PHASES:
        raise BadRule("phase", f"one of {', '.join(PHASES)}")
    action = rule.get("action")
    if not isinstance(action, Mapping):
        raise BadRule("action", "a mapping with a kind")
    _check_action(phase, action)
    match = rule.get("match") or {}
    if not isinstance(match, Mapping) or not all(isinstance(text, str) for text in match.values()):
        raise BadRule("match", "a mapping of fact names to substrings")
    return _Rule(
        id=rule_id,
        point=point,
        phase=phase,
        action=dict(action),
        skip=_count(rule, "skip", default=0, least=0),
        times=_count(rule, "times", default=1, least=-1),
        match=dict(match),
    )


def _check_action(phase: str, action: Mapping[str, object]) -> None:
    kind = action.get("kind")
    if not isinstance(kind, str) or not kind:
        raise BadRule("action", "needs a kind")
    if phase == "do":
        return
    if kind not in _PHASES_OF:
        raise BadRule("action", f"unknown kind {kind!r}; there are {', '.join(sorted(_PHASES_OF))}")
    if phase not in _PHASES_OF[kind]:
        sensible = ", ".join(sorted(_PHASES_OF[kind]))
        raise BadRule("action", f"{kind} makes no sense at {phase}, only at {sensible}")
    needed = _REQUIRED.get(kind)
    if needed is not None and needed not in action:
        raise BadRule("action", f"{kind} needs {needed}")


def _count(rule: Mapping[str, object], name: str, *, default: int, least: int) -> int:
    value = rule.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise BadRule(name, f"a whole number of at least {least}")
    return value


def _alive(pid: int) -> bool:
    """Whether a process still holds its sockets: a zombie, dead but not yet waited for, does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    if sys.platform != "linux":
        return True
    process = Path(f"/proc/{pid}")
    try:
        # The name, in brackets, may hold anything; the state is the word after the last bracket.
        dead = process.joinpath("stat").read_bytes().rpartition(b")")[2].split()[0] in (b"Z", b"X")
        # Other threads outlive their leader for a moment, and with them the process's open files.
        return not dead or len(list(process.joinpath("task").iterdir())) > 1
    except (FileNotFoundError, ProcessLookupError):
        return False
