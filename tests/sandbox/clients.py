"""Clients of the emulated providers, each in its provider's own words, with the back door open.

async with connected(HiAPIClient, data) as client:
    client.outcome("lost")
    task_id = await client.begin()
    assert (await client.status(task_id)).status_code == 404
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import httpx

from tests.support.backstage import Backstage, Json, backstage


@dataclass(kw_only=True)
class Client(ABC):
    """What tests ask of every provider. Data of a task are what its provider tells of it, without an envelope."""

    NAME: ClassVar[str]
    DONE: ClassVar[str]
    FAILED: ClassVar[str]
    AT_WORK: ClassVar[str]
    """The provider's words for how a task is; the last is what it says shortly before the end."""

    TAKEN: ClassVar[frozenset[int]] = frozenset({200})
    """The statuses of an order that is taken."""

    http: httpx.AsyncClient
    stage: Backstage

    @abstractmethod
    async def create(self, **changes: Any) -> httpx.Response:
        """Post the usual order with some fields changed."""

    @abstractmethod
    async def status(self, task_id: str) -> httpx.Response:
        """Ask for a task."""

    @abstractmethod
    def told_at(self, url: str) -> Json:
        """The change of an order that asks for a callback."""

    @abstractmethod
    def data_of(self, body: Any) -> Json:
        """The data of a task in an answer, or in a callback."""

    @abstractmethod
    def id_of(self, data: Json) -> str:
        """Whose data these are."""

    @abstractmethod
    def outputs_of(self, data: Json) -> Any:
        """What stands where the links of a finished task stand; "none" where nothing does."""

    @abstractmethod
    def link_of(self, data: Json) -> str:
        """The link of a finished task's clip."""

    def word_of(self, data: Json) -> str:
        """How the task is."""
        return str(data["status"])

    async def begin(self, **changes: Any) -> str:
        """An order that is taken; its task."""
        answer = await self.create(**changes)
        assert answer.status_code in self.TAKEN, answer.text
        return self.id_of(self.data_of(answer.json()))

    async def read(self, task_id: str) -> Json:
        """The data of a task that there is."""
        answer = await self.status(task_id)
        assert answer.status_code == 200, answer.text
        return self.data_of(answer.json())

    async def until(self, task_id: str, *words: str) -> Json:
        """Poll until the task is at one of these words."""
        deadline = time.monotonic() + 15
        while self.word_of(data := await self.read(task_id)) not in words:
            assert time.monotonic() < deadline, f"still {data}"
            await asyncio.sleep(0.02)
        return data

    async def finished(self, **changes: Any) -> Json:
        """The data of a new task at its end."""
        return await self.until(await self.begin(**changes), self.DONE, self.FAILED)

    async def charges(self) -> list[Json]:
        """What was charged, oldest first."""
        return await self.stage.charges(self.NAME)

    async def settings(self, **changes: Any) -> None:
        """Turn the provider's dials."""
        (await self.stage.settings(self.NAME, **changes)).raise_for_status()

    def outcome(self, kind: str, **action: Any) -> None:
        """Let the next render end so."""
        self.stage.outcome(self.NAME, kind, **action)

    def fault(self, point: str, phase: str, kind: str, *, times: int = 1, **action: Any) -> None:
        """Let the next call at that point of the provider go wrong."""
        self.stage.fault(f"{self.NAME}:{point}", phase, kind, times=times, **action)


C = TypeVar("C", bound=Client)


@asynccontextmanager
async def connected(client: type[C], data: Path) -> AsyncIterator[C]:
    """A client before emulators of its own, with the key that is taken."""
    async with backstage(data) as stage:
        headers = {"Authorization": f"Bearer {stage.key(client.NAME)}"}
        base = stage.base(client.NAME)
        async with httpx.AsyncClient(base_url=base, headers=headers, timeout=10, trust_env=False) as http:
            yield client(http=http, stage=stage)


def changed(usual: Mapping[str, Any], changes: Mapping[str, Any]) -> Json:
    """A body with some fields changed; those that are None are left out."""
    return {name: value for name, value in {**usual, **changes}.items() if value is not None}


class APIMartClient(Client):
    """APIMart, in the guide's dialect."""

    NAME, DONE, FAILED, AT_WORK = "apimart", "completed", "failed", "processing"
    BODY: ClassVar[Json] = {
        "model": "seedance-2-0-fast",
        "prompt": "a red panda",
        "resolution": "480p",
        "duration": 4,
    }

    async def create(self, *, key: str | None = None, **changes: Any) -> httpx.Response:
        headers = {} if key is None else {"Idempotency-Key": key}
        return await self.http.post("/v1/videos/generations", json=changed(self.BODY, changes), headers=headers)

    async def status(self, task_id: str) -> httpx.Response:
        return await self.http.get(f"/v1/tasks/{task_id}", params={"language": "en"})

    def told_at(self, url: str) -> Json:
        return {"callback_url": url}

    def data_of(self, body: Any) -> Json:
        assert body["code"] == 200
        data: Json = body["data"][0] if isinstance(body["data"], list) else body["data"]
        return data

    def id_of(self, data: Json) -> str:
        return str(data.get("task_id") or data["id"])

    def outputs_of(self, data: Json) -> Any:
        return data["result"].get("videos", "none")

    def link_of(self, data: Json) -> str:
        return str(data["result"]["videos"][0]["url"][0])


class MuapiClient(Client):
    """Muapi, in the guide's dialect and in that of its own clients."""

    NAME, DONE, FAILED, AT_WORK = "muapi", "succeeded", "failed", "processing"
    TEXT: ClassVar[str] = "seedance-2-mini-text-to-video"
    BODY: ClassVar[Json] = {
        "prompt": "a red panda",
        "aspect_ratio": "16:9",
        "resolution": "480p",
        "duration": 4,
    }

    async def create(self, endpoint: str = TEXT, webhook: str | None = None, **changes: Any) -> httpx.Response:
        params = {} if webhook is None else {"webhook": webhook}
        return await self.http.post(f"/api/v1/{endpoint}", json=changed(self.BODY, changes), params=params)

    async def begin(self, endpoint: str = TEXT, webhook: str | None = None, **changes: Any) -> str:
        answer = await self.create(endpoint, webhook, **changes)
        assert answer.status_code in self.TAKEN, answer.text
        data = self.data_of(answer.json())
        assert data["status"] == "processing"
        return self.id_of(data)

    async def finished(self, endpoint: str = TEXT, **changes: Any) -> Json:
        return await self.until(await self.begin(endpoint, **changes), self.DONE, self.FAILED, "completed")

    async def status(self, task_id: str) -> httpx.Response:
        return await self.http.get(f"/api/v1/predictions/{task_id}/result")

    def told_at(self, url: str) -> Json:
        return {"webhook": url}

    def data_of(self, body: Any) -> Json:
        data: Json = body
        return data

    def id_of(self, data: Json) -> str:
        return str(data.get("request_id") or data["id"])

    def outputs_of(self, data: Json) -> Any:
        return data.get("outputs" if "request_id" in data else "output", "none")

    def link_of(self, data: Json) -> str:
        outputs = self.outputs_of(data)
        return str(outputs[0] if isinstance(outputs, list) else outputs)


class SeedanceAPIClient(Client):
    """Version 2 of seedanceapi.org, as documented."""

    NAME, DONE, FAILED, AT_WORK = "seedanceapi", "SUCCESS", "FAILED", "IN_PROGRESS"
    BODY: ClassVar[Json] = {
        "model": "seedance-2-mini",
        "prompt": "a red panda",
        "resolution": "480p",
        "duration": 4,
    }

    async def create(self, **changes: Any) -> httpx.Response:
        return await self.http.post("/v2/generate", json=changed(self.BODY, changes))

    async def status(self, task_id: str) -> httpx.Response:
        return await self.http.get("/v2/status", params={"task_id": task_id})

    def told_at(self, url: str) -> Json:
        return {"callback_url": url}

    def data_of(self, body: Any) -> Json:
        data: Json = body["data"]
        return data

    def id_of(self, data: Json) -> str:
        return str(data["task_id"])

    def outputs_of(self, data: Json) -> Any:
        return data.get("response", "none")

    def link_of(self, data: Json) -> str:
        return str(data["response"][0])


class EmpirioLabsClient(Client):
    """EmpirioLabs, in either dialect. It has no callbacks."""

    NAME, DONE, FAILED, AT_WORK = "empiriolabs", "completed", "failed", "processing"
    TAKEN = frozenset({200, 202})
    BODY: ClassVar[Json] = {
        "model": "seedance-2-0-mini",
        "prompt": "a red panda",
        "resolution": "480p",
        "duration": 4,
    }

    async def create(self, **changes: Any) -> httpx.Response:
        return await self.http.post("/v1/videos/generations", json=changed(self.BODY, changes))

    async def finished(self, **changes: Any) -> Json:
        return await self.until(await self.begin(**changes), self.DONE, self.FAILED, "succeeded", "error")

    async def status(self, task_id: str) -> httpx.Response:
        return await self.http.get(f"/v1/jobs/{task_id}")

    def told_at(self, url: str) -> Json:
        raise AssertionError(f"it calls nobody, not even {url}")

    def data_of(self, body: Any) -> Json:
        data: Json = body
        return data

    def id_of(self, data: Json) -> str:
        return str(data.get("job_id") or data["id"])

    def word_of(self, data: Json) -> str:
        return str(data.get("status", data.get("state")))

    def outputs_of(self, data: Json) -> Any:
        return None if data["result"] is None else data["result"].get("data", "none")

    def link_of(self, data: Json) -> str:
        return str(data["result"]["data"][0]["url"])


class HiAPIClient(Client):
    """HiAPI."""

    NAME, DONE, FAILED, AT_WORK = "hiapi", "success", "fail", "handling"
    MINI: ClassVar[str] = "seedance-2.0-mini"
    INPUT: ClassVar[Json] = {"prompt": "a red panda", "resolution": "480p", "duration": 4}

    async def create(
        self, *, key: str | None = None, body: Mapping[str, Any] | None = None, **changes: Any
    ) -> httpx.Response:
        """``body`` whole, or the usual input with some fields changed."""
        headers = {} if key is None else {"Idempotency-Key": key}
        asked = body or {"model": self.MINI, "input": self.INPUT | changes}
        return await self.http.post("/v1/tasks", json=asked, headers=headers)

    async def status(self, task_id: str) -> httpx.Response:
        return await self.http.get(f"/v1/tasks/{task_id}")

    def told_at(self, url: str) -> Json:
        return {"body": {"model": self.MINI, "input": self.INPUT, "callback": {"url": url, "when": "final"}}}

    def data_of(self, body: Any) -> Json:
        data: Json = body.get("data", body)
        return data

    def id_of(self, data: Json) -> str:
        return str(data["taskId"])

    def outputs_of(self, data: Json) -> Any:
        return data.get("output", "none")

    def link_of(self, data: Json) -> str:
        return str(data["output"][0]["url"])


CLIENTS: tuple[type[Client], ...] = (APIMartClient, EmpirioLabsClient, HiAPIClient, MuapiClient, SeedanceAPIClient)
