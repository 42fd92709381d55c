"""What is served over HTTP by itself: health, exact paths, and connections that cannot be held for ever."""

import asyncio
import contextlib
import re
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp

from bot.web import connection
from bot.web import health as health_module
from bot.web.health import Probe, health_app
from bot.web.server import CannotListen, serving
from bot.web.site import Site

HOST = "127.0.0.1"


def probe(answer: str) -> Probe:
    async def states() -> str:
        return answer

    return states


def health(*, database: str = "up", slack: str = "up") -> ASGIApp:
    return health_app(needed={"database": probe(database)}, watched={"slack": probe(slack)})


@asynccontextmanager
async def client(app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        serving(app, HOST, 0) as port,
        httpx.AsyncClient(base_url=f"http://{HOST}:{port}", trust_env=False) as http,
    ):
        yield http


async def test_a_serving_process_is_healthy_whatever_its_parts_do() -> None:
    async with client(health(database="down: StorageBusy", slack="down: no socket")) as http:
        answer = await http.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "up"})


@pytest.mark.parametrize(
    ("database", "slack", "status"),
    [("up", "up", 200), ("up", "down: no socket", 200), ("down: StorageBusy", "up", 503)],
)
async def test_readiness_rests_on_what_is_needed_and_names_the_rest(database: str, slack: str, status: int) -> None:
    async with client(health(database=database, slack=slack)) as http:
        answer = await http.get("/readyz")
    assert answer.status_code == status
    assert answer.json() == {"ready": status == 200, "parts": {"database": database, "slack": slack}}


async def test_asking_again_and_again_asks_what_is_needed_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody may ask, and a look at the database takes its only writer's place; who is in Slack costs nothing."""
    monkeypatch.setattr(health_module, "PROBE_SECONDS", 0.2)
    asked, states = Counter[str](), iter(["up", "down: StorageFull", "up"])

    async def database() -> str:
        asked["database"] += 1
        await asyncio.sleep(0.1)
        return next(states)

    async def slack() -> str:
        asked["slack"] += 1
        return "up"

    async with client(health_app(needed={"database": database}, watched={"slack": slack})) as http:
        at_once = await asyncio.gather(*(http.get("/readyz") for _ in range(20)))
        assert {answer.status_code for answer in at_once} == {200}
        assert asked == {"database": 1, "slack": 20}
        async with asyncio.timeout(5):
            while (answer := await http.get("/readyz")).status_code == 200:
                await asyncio.sleep(0.02)
            assert answer.json()["parts"]["database"] == "down: StorageFull"
            while (await http.get("/readyz")).status_code == 503:
                await asyncio.sleep(0.02)
    assert asked["database"] == 3


@pytest.mark.parametrize("path", ["/", "/healthz/", "/HEALTHZ", "/slack/events", "/docs"])
async def test_what_is_not_there_is_not_found_and_not_redirected(path: str) -> None:
    async with client(health()) as http:
        assert (await http.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [("/door", 200), ("/door?x=1", 200), ("/door/", 404), ("//door", 404), ("/%64oor", 404), ("/x/../door", 404)],
)
async def test_a_path_counts_byte_for_byte(path: str, status: int) -> None:
    site = Site(exact={"/door": PlainTextResponse("in")}, otherwise=health())
    async with serving(site, HOST, 0) as port:
        assert await asked(port, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()) == status


async def test_a_taken_port_is_named_with_what_to_set() -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=f"{HOST}:{port}.*HTTP_PORT"):
            async with serving(health(), HOST, port):
                pytest.fail("it listens on a taken port")


async def test_the_server_does_not_say_what_it_is_made_of() -> None:
    async with client(health()) as http:
        assert "server" not in (await http.get("/healthz")).headers


async def test_a_connection_on_which_nothing_is_said_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEADERS_SECONDS", 0.2)
    async with serving(health(), HOST, 0) as port:
        reader, writer = await asyncio.open_connection(HOST, port)
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()


async def test_headers_that_never_end_are_answered_and_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEADERS_SECONDS", 0.2)
    async with serving(health(), HOST, 0) as port:
        reader, writer = await asyncio.open_connection(HOST, port)
        began = time.monotonic()
        writer.write(b"GET /healthz HTTP/1.1\r\nHost:")
        async with asyncio.timeout(5):
            assert (await reader.read()).startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - began < 3
        writer.close()


async def test_a_body_that_never_ends_is_cut_off_on_any_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer is there at once; the connection would stay as long as a byte a second comes, and five hundred such
    would shut Slack out."""
    monkeypatch.setattr(connection, "BODY_SECONDS", 0.3)
    async with serving(health(), HOST, 0) as port:
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: bot\r\nContent-Length: 99999999\r\n\r\n")

        async def drip() -> None:
            while not writer.is_closing():
                writer.write(b"x")
                await asyncio.sleep(0.02)

        dripping = asyncio.create_task(drip())
        async with asyncio.timeout(5):
            with contextlib.suppress(ConnectionError):
                assert (await reader.read()).startswith(b"HTTP/1.1 200")
        dripping.cancel()
        writer.close()


async def test_a_second_request_that_stops_on_a_kept_connection_is_answered_and_cut_off_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "HEADERS_SECONDS", 0.2)
    async with serving(health(), HOST, 0) as port:
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readuntil(b'"up"}')).startswith(b"HTTP/1.1 200")
        writer.write(b"GET /healthz HT")
        async with asyncio.timeout(3):
            assert (await reader.read()).startswith(b"HTTP/1.1 408 ")
        writer.close()


@pytest.mark.parametrize("sizes", [[100_000], [20_000, 20_000], [31_000, 900, 900]])
async def test_headers_without_measure_are_refused(sizes: list[int]) -> None:
    async with serving(health(), HOST, 0) as port:
        lines = [b"X-%d: %b\r\n" % (number, b"a" * size) for number, size in enumerate(sizes)]
        assert await asked(port, b"GET /healthz HTTP/1.1\r\n", *lines) == 431


async def test_several_requests_in_one_piece_are_answered_in_order() -> None:
    async with serving(health(), HOST, 0) as port:
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(
            b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
            b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"
            b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        async with asyncio.timeout(5):
            answers = await reader.read()
        writer.close()
    assert re.findall(rb"HTTP/1\.1 (\d+)", answers) == [b"200", b"404", b"200"]


async def asked(port: int, *pieces: bytes) -> int:
    """The status that these bytes are answered with."""
    reader, writer = await asyncio.open_connection(HOST, port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    async with asyncio.timeout(5):
        line = await reader.readline()
    writer.close()
    return int(line.split()[1])
