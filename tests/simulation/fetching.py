"""``bot.ports.Fetcher``: the bytes behind providers' links, sometimes cut off, sometimes something else."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from bot.ports import Download, FetchError, LinkExpired, LinkRefused
from tests.simulation.process import Process
from tests.simulation.vendor_books import VendorBooks
from tests.simulation.world import FETCH

_TROUBLES = "away", "cut", "page", "redirect", "denied"


class Body:
    """``bot.ports.Download``: some bytes, and then the end or an error."""

    content_type = "video/mp4"

    def __init__(self, process: Process, content: bytes, *, cut: bool) -> None:
        self._process, self._cut = process, cut
        half = len(content) // 2
        self._chunks = [content[:half]] if cut else [content[:half], content[half:]]

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        await self._process.wait(0.05)
        if self._chunks:
            return self._chunks.pop(0)
        if self._cut:
            raise FetchError("The download broke off.")
        raise StopAsyncIteration


class Fetching:
    """One process's downloads."""

    def __init__(self, process: Process, vendors: Mapping[str, VendorBooks]) -> None:
        self._process, self._vendors = process, vendors
        self._chances = process.world.stream(f"{FETCH}/{process.number}")

    @asynccontextmanager
    async def open(self, url: str, *, largest: int | None = None, bearer: str | None = None) -> AsyncIterator[Download]:
        world = self._process.world
        self._process.gate("fetch.open", f"fetch {url}")
        await self._process.wait(self._chances.uniform(0.02, 2.0))
        trouble = self._chances.choice(_TROUBLES) if world.weather.bad(FETCH, world.now) else ""
        if trouble == "away":
            raise FetchError("It did not answer.")
        if trouble == "redirect":
            raise LinkRefused("It points to this machine.")
        task = self._vendors[url.split("/")[2].removesuffix(".example")].behind(url)
        if task is None or trouble == "denied":
            raise LinkExpired("The link is dead.", status=410)
        content = b"<html>come back later</html>" if trouble == "page" else task.content
        yield Body(self._process, content, cut=trouble == "cut")
