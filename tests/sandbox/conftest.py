"""A workspace of its own for every test, with short delays, and the real SDKs to use it."""

import io
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.render.clip import ClipSpec, encode
from bot.sandbox.server import Sandbox
from tests.sandbox.driver import Workspace
from tests.sandbox.pieces import Json
from tests.support.backstage import Ear, listening, shelf, sound

ANY = re.compile(".*")
Connect = Callable[[AsyncApp], Awaitable[AsyncSocketModeHandler]]


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for emulated providers, one for all tests, so that what is encoded for one serves the others."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def odd_media(data: Path) -> dict[str, bytes]:
    """Files that a provider does not take, or not two of them."""
    film = data / "eight.mp4"
    encode(ClipSpec(task_id="f", prompt="f", resolution="480p", ratio="16:9", seconds=8, audio=False), film)
    return {
        "tiny.png": png(200, 200),
        "strip.png": png(3000, 400),
        "broken.png": png(400, 400)[:20],
        "page.png": b"<!DOCTYPE html><html></html>",
        "tone.mp4": sound(4),
        "eight.mp4": film.read_bytes(),
        "long.wav": sound(16),
        "short.wav": sound(1),
        "eight.wav": sound(8),
    }


def png(width: int, height: int) -> bytes:
    """A picture of one colour."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(file, format="PNG")
    return file.getvalue()


@pytest.fixture
async def media(data: Path, odd_media: dict[str, bytes]) -> AsyncIterator[str]:
    """The address of a server with media, good ones and odd ones."""
    async with shelf(data, odd_media) as origin:
        yield origin


@pytest.fixture
async def ear() -> AsyncIterator[Ear]:
    """Somebody who hears callbacks."""
    async with listening() as ear:
        yield ear


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    """The server, in this process."""
    quick = {"share_delay": 0.02, "retry_schedule": [0, 0.05, 0.1]}
    server = Sandbox(data_dir=tmp_path, config=quick)
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def studio(sandbox: Sandbox) -> AsyncIterator[Workspace]:
    """Its people."""
    people = Workspace(
        slack=sandbox.slack_origin, providers=sandbox.providers_origin, environment=sandbox.environment()
    )
    yield people
    await people.close()


@pytest.fixture
def web(studio: Workspace) -> AsyncWebClient:
    """Slack's own client with the bot's token."""
    return AsyncWebClient(token=studio.environment["SLACK_BOT_TOKEN"], base_url=studio.environment["SLACK_API_URL"])


@pytest.fixture
def app(web: AsyncWebClient) -> AsyncApp:
    """A Bolt app without listeners, not yet connected."""
    return AsyncApp(client=web, raise_error_for_unhandled_request=False)


@pytest.fixture
async def connect(studio: Workspace) -> AsyncIterator[Connect]:
    """Connects a Bolt app by Socket Mode, and again for each further call."""
    async with AsyncExitStack() as open_handlers:
        connected = 0

        async def start(app: AsyncApp) -> AsyncSocketModeHandler:
            nonlocal connected
            handler = AsyncSocketModeHandler(app, studio.environment["SLACK_APP_TOKEN"], ping_interval=1)
            open_handlers.push_async_callback(handler.close_async)
            await handler.connect_async()  # type: ignore[no-untyped-call] # Bolt leaves it untyped
            connected += 1
            await studio.connected(connected)
            return handler

        yield start


@pytest.fixture
async def heard(app: AsyncApp, connect: Connect) -> list[Json]:
    """A connected app that acknowledges everything, and the payloads that it was given."""
    payloads: list[Json] = []

    @app.middleware
    async def remember(body: Json, next_: Any) -> None:
        """Runs before the acknowledgement, unlike an event's listener: what was acknowledged is on the list."""
        payloads.append(body.get("event", body))
        await next_()

    async def acknowledged(ack: Any) -> None:
        await ack()

    async def told(logger: Any) -> None:
        logger.debug("told")

    app.command("/clip")(acknowledged)
    app.action(ANY)(acknowledged)
    app.shortcut(ANY)(acknowledged)
    app.view("new_clip")(acknowledged)
    app.view_closed("new_clip")(acknowledged)
    app.event(ANY)(told)
    await connect(app)
    return payloads
