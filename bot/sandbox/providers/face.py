"""What the emulated providers share: a face is one vendor's HTTP dialect before a `Farm`."""

from __future__ import annotations

import asyncio
import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import ClassVar

import aiohttp
from aiohttp import web

from bot.sandbox.providers import callbacks, references
from bot.sandbox.providers.farm import Farm, Task
from bot.sandbox.providers.settings import ProviderSettings
from bot.sandbox.render import nearest_ratio
from bot.sandbox.render.picture import picture_size

_FOREIGN = "not the key of this account"

Point = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Face(ABC):
    """The base of all dialects. A dialect says its `name`, `settings` and `api_key`, its `routes` and `points`
    (handlers by the name under which faults and counters know them), what a request's facts are and how its errors
    look."""

    name: ClassVar[str]
    settings: ClassVar[ProviderSettings]
    api_key: ClassVar[str]
    points: Mapping[Point, str]

    def __init__(self, farm: Farm, session: Callable[[], aiohttp.ClientSession]) -> None:
        self.farm = farm
        self.session = session

    # --- what a dialect says -----------------------------------------------------------------------------------------

    @abstractmethod
    def routes(self) -> list[web.RouteDef]:
        """Its addresses."""

    @abstractmethod
    def error_body(self, status: int) -> object:
        """The body of an error that a fault makes it answer."""

    @abstractmethod
    async def asked(self, request: web.Request) -> Mapping[str, object]:
        """What a fault rule may match of a creation: its prompt and resolution, and what else it says."""

    def task_named(self, request: web.Request) -> str:
        """The task that a request is about; empty where it names none."""
        return request.match_info.get("task_id", "")

    # --- what they share ---------------------------------------------------------------------------------------------

    async def facts(self, request: web.Request) -> Mapping[str, object]:
        """What a fault rule may match: of a known task what was ordered, otherwise what is asked."""
        task = self.farm.find(self.task_named(request))
        if task is not None:
            return {"task_id": task.id, **task.order.facts()}
        return await self.asked(request)

    async def fetch(self, wanted: Iterable[tuple[str, str]]) -> Path | None:
        """Fetch and check all (address, kind) for real, and keep them; the first one where that is a picture, for the
        clip. Raises `BadReference`."""
        fetched = await asyncio.gather(*(references.fetch(self.session(), url, kind) for url, kind in wanted))
        references.check_total(fetched)
        kept = [await asyncio.to_thread(_kept, self.farm.folder, one.data) for one in fetched]
        return kept[0] if fetched and fetched[0].kind == "image" else None


def _kept(folder: Path, content: bytes) -> Path:
    """A file named by its contents, which is there only once it is whole: another clip that was given the same picture
    may just be drawn from it."""
    path = folder / f"reference-{hashlib.sha256(content).hexdigest()[:32]}"
    if not path.exists():
        with NamedTemporaryFile(dir=folder, prefix="unfinished-", delete=False) as unfinished:
            unfinished.write(content)
        Path(unfinished.name).replace(path)
    return path


class CallingFace(Face):
    """A dialect that tells an address of the customer's when a task has ended."""

    def __init__(self, farm: Farm, session: Callable[[], aiohttp.ClientSession]) -> None:
        super().__init__(farm, session)
        self._callback_faults: dict[str, dict[str, object]] = {}
        farm.finished = self._announce

    @abstractmethod
    def callback_body(self, task: Task) -> Mapping[str, object]:
        """The body of a callback about a task that has ended."""

    @abstractmethod
    def forged_body(self, task: Task, url: str) -> Mapping[str, object]:
        """The body of somebody else's callback: success, with this URL."""

    @abstractmethod
    def callback_headers(self, body: bytes, *, secret: str | None, age: float) -> Mapping[str, str]:
        """What proves a callback of that age in seconds; nothing from a provider that does not sign."""

    async def callback_begins(self, task: Task) -> None:
        """To be awaited before a creation is answered: a fault may want the callback to come first."""
        url = task.order.callback_url
        if url is None:
            return
        fault = self.farm.faults.take(f"{self.name}:callback", "do", task.order.facts())
        if fault is None:
            return
        if fault["kind"] not in callbacks.KINDS:
            raise ValueError(f"no fault of a callback: {fault['kind']!r}")
        self._callback_faults[task.id] = fault
        if fault["kind"] == "forge":
            self.farm.background(self._forge(task, url, str(fault.get("url", "http://127.0.0.1:9/forged.mp4"))))
        elif fault["kind"] == "early":
            await task.announced.wait()

    async def _announce(self, task: Task) -> None:
        """Send the callback of a task that has ended."""
        fault = self._callback_faults.pop(task.id, {})
        if task.order.callback_url is None or fault.get("kind") == "lose":
            return
        if fault.get("kind") == "late":
            await self.farm.faults.cleared(within=float(str(fault.get("seconds", 3600))))
        age = float(str(fault.get("age", 3600))) if fault.get("kind") == "stale" else 0.0
        await callbacks.deliver(
            self.session(),
            task.order.callback_url,
            json.dumps(self.callback_body(task)).encode(),
            lambda body: self.callback_headers(body, secret=self.farm.settings.webhook_secret, age=age),
            pauses=self.farm.settings.callback_retries,
            copies=int(str(fault.get("times", 3))) if fault.get("kind") == "duplicate" else 1,
            tried=self._count_callback,
        )

    async def _forge(self, task: Task, callback_url: str, url: str) -> None:
        await callbacks.deliver(
            self.session(),
            callback_url,
            json.dumps(self.forged_body(task, url)).encode(),
            lambda body: self.callback_headers(body, secret=_FOREIGN, age=0),
            pauses=(),
            tried=self._count_callback,
        )

    def _count_callback(self) -> None:
        self.farm.requests["callback"] += 1


def as_json(body: bytes) -> object:
    """The JSON in a body, or None where there is none."""
    try:
        return json.loads(body)
    except ValueError:
        return None


def texts_in(body: object, *names: str) -> dict[str, str]:
    """The fields of these names that are there, as texts."""
    return {name: str(body[name]) for name in names if name in body} if isinstance(body, Mapping) else {}


def recorded(request: web.Request, body: bytes) -> dict[str, object]:
    """A request for the tests: path with query, headers without the account's key, the body as it came."""
    hidden = {"authorization", "x-api-key"}
    headers = {name: value for name, value in request.headers.items() if name.lower() not in hidden}
    return {"path": request.path_qs, "headers": headers, "body": body.decode(errors="replace")}


def shape_of(ratio: str, background: Path | None) -> str:
    """The ratio that is rendered: an adaptive one follows the picture, and is wide without one."""
    if ratio != "adaptive":
        return ratio
    return "16:9" if background is None else nearest_ratio(*picture_size(background))
