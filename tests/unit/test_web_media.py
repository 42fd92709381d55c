"""``GET /media/{token}``: parts of files by the book, nothing for those without a link, and patience that ends."""

import asyncio
import contextlib
import hashlib
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from structlog.testing import capture_logs

from bot.links import SignedLinks
from bot.ports import Clips, ClipsUnavailable, StoredClip
from bot.web import connection, media
from bot.web.media import PREFIX, MediaEndpoint
from bot.web.ranges import Unsatisfiable, part_of
from bot.web.server import serving
from bot.web.site import Site
from storage import MemoryClips, open_clips
from tests.support.clock import SettableClock

HOST = "127.0.0.1"
LINKS = SignedLinks(public_url="http://127.0.0.1", keys=["secret-of-this-test-" * 2])
CONTENT = bytes(range(256)) * 40  # 10,240 bytes
DIGEST = hashlib.sha256(CONTENT).hexdigest()


async def stream(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def elsewhere(scope: object, receive: object, send: object) -> None:
    raise AssertionError("the request went elsewhere")


@dataclass
class Shelf:
    """A media store with one clip in it, behind its door."""

    clips: Clips
    clock: SettableClock
    stored: StoredClip

    def site(self, most: int = 64) -> Site:
        door = MediaEndpoint(links=LINKS, clips=self.clips, clock=self.clock, most=most)
        return Site(exact={}, under={PREFIX: door}, otherwise=elsewhere)

    @property
    def path(self) -> str:
        link = LINKS.link("T1", self.stored.key, "video/mp4", now=self.clock.now())
        assert link is not None
        return urlsplit(link).path

    def http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(app=self.site()), base_url="http://dailies")


async def filled(clips: Clips, content: bytes = CONTENT) -> Shelf:
    stored = await clips.put("T1", stream(content), limit_bytes=100_000_000)
    return Shelf(clips=clips, clock=SettableClock(), stored=stored)


@pytest.fixture(params=["memory", "folder"])
async def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Shelf:
    return await filled(MemoryClips() if request.param == "memory" else open_clips(f"file:{tmp_path}"))


# --- parts -----------------------------------------------------------------------------------------------------------

PARTS = {
    "bytes=0-0": (0, 1),
    "bytes=0-": (0, 10),
    "bytes=3-5": (3, 6),
    "bytes=9-": (9, 10),
    "bytes=9-9": (9, 10),
    "bytes=5-99": (5, 10),
    "bytes=-1": (9, 10),
    "bytes=-10": (0, 10),
    "bytes=-99": (0, 10),
    "Bytes=2-3": (2, 4),
    " bytes=2-3 ": (2, 4),
    f"bytes=2-{'9' * 5000}": (2, 10),
}
WHOLE = [
    "",
    "bytes",
    "bytes=",
    "bytes=-",
    "bytes=5-3",
    "bytes=a-b",
    "bytes=1-2,4-5",
    "bytes=1",
    "lines=1-2",
    "bytes=+1-2",
]
NOTHING = ["bytes=10-", "bytes=10-20", "bytes=99-100", "bytes=-0", f"bytes={'9' * 5000}-", "bytes=20-10"]


@pytest.mark.parametrize(("wanted", "part"), PARTS.items())
def test_a_part_is_read_as_it_is_meant(wanted: str, part: tuple[int, int]) -> None:
    assert part_of(wanted, 10) == part


@pytest.mark.parametrize("wanted", [None, *WHOLE])
def test_what_names_no_single_part_means_the_whole(wanted: str | None) -> None:
    assert part_of(wanted, 10) is None


@pytest.mark.parametrize("wanted", NOTHING)
def test_a_part_behind_the_end_cannot_be_had(wanted: str) -> None:
    with pytest.raises(Unsatisfiable):
        part_of(wanted, 10)


@pytest.mark.parametrize("wanted", ["bytes=0-", "bytes=-1", "bytes=0-0"])
def test_an_empty_file_has_no_parts(wanted: str) -> None:
    with pytest.raises(Unsatisfiable):
        part_of(wanted, 0)


# --- answers ---------------------------------------------------------------------------------------------------------


async def test_a_whole_file_comes_with_everything_that_is_known_of_it(shelf: Shelf) -> None:
    async with shelf.http() as http:
        answer = await http.get(shelf.path)
        head = await http.head(shelf.path, headers={"range": "bytes=0-1"})
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert (head.status_code, head.content) == (200, b"")
    assert (
        dict(head.headers)
        == dict(answer.headers)
        == {
            "accept-ranges": "bytes",
            "cache-control": "private, max-age=3600",
            "content-disposition": f'attachment; filename="dailies-{DIGEST[:12]}.mp4"',
            "content-length": "10240",
            "content-security-policy": "default-src 'none'; sandbox",
            "content-type": "video/mp4",
            "etag": f'"{DIGEST}"',
            "referrer-policy": "no-referrer",
            "x-content-type-options": "nosniff",
        }
    )


@pytest.mark.parametrize(
    ("headers", "status", "start", "stop"),
    [
        ({"range": "bytes=10-19"}, 206, 10, 20),
        ({"range": "bytes=10000-"}, 206, 10_000, 10_240),
        ({"range": "bytes=-5"}, 206, 10_235, 10_240),
        ({"range": "bytes=0-10239"}, 206, 0, 10_240),
        ({"range": "bytes=0-1, 5-6"}, 200, 0, 10_240),
        ({"range": "bytes=10-19", "if-range": f'"{DIGEST}"'}, 206, 10, 20),
        ({"range": "bytes=10-19", "if-range": '"another"'}, 200, 0, 10_240),
        ({"range": "bytes=10-19", "if-range": f'W/"{DIGEST}"'}, 200, 0, 10_240),
        ({"range": "bytes=10-19", "if-range": "Fri, 20 Nov 2026 21:30:15 GMT"}, 200, 0, 10_240),
        ({"range": "bytes=99999-", "if-range": '"another"'}, 200, 0, 10_240),
    ],
)
async def test_parts_are_given_as_asked(
    shelf: Shelf, headers: dict[str, str], status: int, start: int, stop: int
) -> None:
    async with shelf.http() as http:
        answer = await http.get(shelf.path, headers=headers)
    assert (answer.status_code, answer.content) == (status, CONTENT[start:stop])
    assert answer.headers["content-length"] == str(stop - start)
    shown = f"bytes {start}-{stop - 1}/10240" if status == 206 else None
    assert answer.headers.get("content-range") == shown


async def test_a_part_behind_the_end_is_told_the_length(shelf: Shelf) -> None:
    async with shelf.http() as http:
        answer = await http.get(shelf.path, headers={"range": "bytes=10240-"})
    assert (answer.status_code, answer.content) == (416, b"")
    assert answer.headers["content-range"] == "bytes */10240"


async def test_whoever_has_no_link_learns_nothing(shelf: Shelf) -> None:
    """Forged, expired, another file's, nonsense, a file that is gone: the same answer, and no token in the log."""
    gone = LINKS.link("T1", f"clips/T1/{'0' * 64}.mp4", "video/mp4", now=shelf.clock.now())
    foreign = SignedLinks(public_url="http://127.0.0.1", keys=["somebody else's secret" * 2])
    forged = foreign.link("T1", shelf.stored.key, "video/mp4", now=shelf.clock.now())
    odd = LINKS.link("T1", f"secrets/T1/{'0' * 64}.mp4", "video/mp4", now=shelf.clock.now())
    old = shelf.path
    assert gone is not None
    assert forged is not None
    assert odd is not None
    paths = [urlsplit(one).path for one in (gone, forged, odd)]
    paths += [old[:-5] + ("A" if old[-5] != "A" else "B") + ".mp4", PREFIX, f"{PREFIX}..%2Fdailies.db", f"{old}/"]
    with capture_logs() as lines:
        async with shelf.http() as http:
            answers = [await http.get(path, headers={"range": "bytes=99999-"}) for path in paths]
            shelf.clock.advance(timedelta(days=4).total_seconds())
            answers.append(await http.get(old))
    assert {(answer.status_code, answer.content, str(answer.headers)) for answer in answers} == {
        (404, b"", str(answers[0].headers))
    }
    assert lines == [{"event": "media.refused", "log_level": "info", "status": 404}] * 8


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_nothing_but_reading_is_taken(shelf: Shelf, method: str) -> None:
    async with shelf.http() as http:
        answer = await http.request(method, shelf.path)
    assert (answer.status_code, answer.headers["allow"], answer.content) == (405, "GET, HEAD", b"")


async def test_a_store_that_is_away_is_no_dead_link(monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = await filled(MemoryClips())

    async def away(key: str) -> int:
        raise ClipsUnavailable("The store is away.")

    with monkeypatch.context() as patch:
        patch.setattr(shelf.clips, "size", away)
        async with shelf.http() as http:
            answer = await http.get(shelf.path)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    async with shelf.http() as http:
        assert (await http.get(shelf.path)).status_code == 200


async def test_an_empty_file_is_an_answer_too() -> None:
    shelf = await filled(MemoryClips(), b"")
    async with shelf.http() as http:
        answer = await http.get(shelf.path)
    assert (answer.status_code, answer.headers["content-length"], answer.content) == (200, "0", b"")


# --- over a real server ----------------------------------------------------------------------------------------------


LARGE = os.urandom(1_000_000) * 12


@asynccontextmanager
async def served(shelf: Shelf, most: int = 64) -> AsyncIterator[int]:
    async with asyncio.timeout(30), serving(shelf.site(most), HOST, 0) as port:
        yield port


async def begun(port: int, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A download of which the headers have come, and which nobody reads on. The kernel keeps little of it."""
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64_000)
    small.setblocking(False)
    await asyncio.get_running_loop().sock_connect(small, (HOST, port))
    reader, writer = await asyncio.open_connection(sock=small, limit=4_000)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    return reader, writer


async def ended(writer: asyncio.StreamWriter) -> None:
    """Hang up, and wait until that is done."""
    writer.transport.abort()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def sipped(port: int, path: str) -> bytes:
    """The hash of what comes, read slowly and steadily."""
    reader, writer = await begun(port, path)
    digest = hashlib.sha256()
    for _ in range(24):
        await asyncio.sleep(0.05)
        digest.update(await reader.readexactly(500_000))
    await ended(writer)
    return digest.digest()


async def test_fifty_download_at_once_beside_one_who_reads_slowly(tmp_path: Path) -> None:
    """All of them get everything, and nobody's token is in the log."""
    shelf = await filled(open_clips(f"file:{tmp_path}"), LARGE)
    with capture_logs() as lines:
        async with served(shelf) as port, httpx.AsyncClient(base_url=f"http://{HOST}:{port}") as http:
            steady = asyncio.create_task(sipped(port, shelf.path))
            part = {"range": "bytes=1000000-2999999"}
            answers = await asyncio.gather(*(http.get(shelf.path, headers=part, timeout=20) for _ in range(50)))
            assert {(answer.status_code, answer.content == LARGE[1_000_000:3_000_000]) for answer in answers} == {
                (206, True)
            }
            assert await steady == hashlib.sha256(LARGE).digest()
    assert shelf.path.removeprefix(PREFIX)[:30] not in str(lines)


async def test_who_does_not_read_gives_up_the_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "ANSWER_SECONDS", 0.3)
    shelf = await filled(open_clips(f"file:{tmp_path}"), LARGE)
    async with served(shelf, most=1) as port, httpx.AsyncClient(base_url=f"http://{HOST}:{port}") as http:
        slow, writer = await begun(port, shelf.path)
        while (await http.get(shelf.path, headers={"range": "bytes=0-0"})).status_code == 503:
            await asyncio.sleep(0.02)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await slow.readexactly(len(LARGE))
        await ended(writer)


async def test_so_many_at_once_and_the_next_one_later(tmp_path: Path) -> None:
    shelf = await filled(open_clips(f"file:{tmp_path}"), LARGE)
    async with served(shelf, most=2) as port, httpx.AsyncClient(base_url=f"http://{HOST}:{port}") as http:
        downloads = [await begun(port, shelf.path) for _ in range(2)]
        answer = await http.get(shelf.path)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert (await http.get(shelf.path + "x")).status_code == 404, "and a dead link is dead all the same"
        assert (await http.head(shelf.path)).status_code == 200
        for _, writer in downloads:
            await ended(writer)
        while (answer := await http.get(shelf.path, headers={"range": "bytes=0-0"})).status_code == 503:
            await asyncio.sleep(0.01)
        assert (answer.status_code, answer.content) == (206, LARGE[:1])


async def test_a_steady_trickle_ends_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "DOWNLOAD_SECONDS", 0.3)
    shelf = await filled(open_clips(f"file:{tmp_path}"), LARGE)
    with capture_logs() as lines:
        async with served(shelf) as port:
            reader, writer = await begun(port, shelf.path)
            while not lines:
                await asyncio.sleep(0.01)
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await reader.readexactly(len(LARGE))
            await ended(writer)
    assert lines[0] == {"event": "media.cut", "log_level": "warning", "why": "TimeoutError"}


async def test_a_store_that_fails_midway_leaves_a_download_that_is_seen_to_be_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shelf = await filled(MemoryClips(), LARGE)

    async def failing(key: str, *, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        yield LARGE[:100_000]
        raise ClipsUnavailable("The store is away.")

    monkeypatch.setattr(shelf.clips, "open", failing)
    async with served(shelf) as port, httpx.AsyncClient(base_url=f"http://{HOST}:{port}") as http:
        with pytest.raises(httpx.RemoteProtocolError):
            await http.get(shelf.path)
