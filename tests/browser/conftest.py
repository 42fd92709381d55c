"""A real browser on the demo page, without a network and with an empty profile."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.demo import workspace_settings
from bot.sandbox.server import Sandbox
from handlers.manifest import manifest
from tests.browser.chrome import chrome
from tests.browser.visitor import Visitor, visiting
from tests.sandbox.driver import Workspace

QUICK = {"share_delay": 0.02, "retry_schedule": [0, 0.05, 0.1]}
PATIENCE = 10_000  # milliseconds for anything to appear
expect.set_options(timeout=PATIENCE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One browser serves all tests of a worker, so that they share its event loop. Profiles are their own."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """A browser without a profile."""
    async with chrome() as started:
        yield started


class Watch:
    """Notes whatever a page should not do."""

    def __init__(self) -> None:
        self.complaints: list[str] = []
        self.origins: set[str] = set()

    def over(self, context: BrowserContext) -> None:
        """Watches every page of a context."""
        context.on("request", self._requested)
        context.on("page", self._opened)

    def _requested(self, request: Request) -> None:
        scheme, _, rest = request.url.partition("://")
        if scheme in {"http", "https", "ws", "wss"}:
            self.origins.add(rest.split("/")[0])

    def _opened(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(f"a dialog opened: {dialog.message}"))
        page.on("console", self._said)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and "status of 400" not in message.text:
            self.complaints.append(message.text)


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """A fresh profile. In the end: no script failed, and nothing was asked of any other server."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE)
    watch = Watch()
    watch.over(context)
    yield context
    await context.close()
    assert watch.complaints == []
    assert len(watch.origins) <= 1


@pytest_asyncio.fixture(loop_scope="session")
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    """The server, in this process, with the app's own manifest."""
    server = Sandbox(data_dir=tmp_path, config={**workspace_settings(manifest()), **QUICK})
    await server.start()
    yield server
    await server.close()


@pytest_asyncio.fixture(loop_scope="session")
async def studio(sandbox: Sandbox) -> AsyncIterator[Workspace]:
    """Its people, to act beside the browser and to look at what came of it."""
    people = Workspace(
        slack=sandbox.slack_origin, providers=sandbox.providers_origin, environment=sandbox.environment()
    )
    yield people
    await people.close()


@pytest.fixture
def web(studio: Workspace) -> AsyncWebClient:
    """The bot's hands: Slack's own client with the bot's token."""
    return AsyncWebClient(token=studio.environment["SLACK_BOT_TOKEN"], base_url=studio.environment["SLACK_API_URL"])


@pytest_asyncio.fixture(loop_scope="session")
async def app(web: AsyncWebClient, studio: Workspace) -> AsyncIterator[AsyncApp]:
    """A connected Bolt app without listeners: each test adds its own."""
    app = AsyncApp(client=web, raise_error_for_unhandled_request=False)
    handler = AsyncSocketModeHandler(app, studio.environment["SLACK_APP_TOKEN"], ping_interval=1)
    await handler.connect_async()  # type: ignore[no-untyped-call] # Bolt leaves it untyped
    await studio.connected()
    yield app
    await handler.close_async()  # type: ignore[no-untyped-call] # as above


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(context: BrowserContext, studio: Workspace) -> AsyncIterator[Visitor]:
    """Somebody who has opened the page on a laptop, and closes it before the server ends: a picture may be loading."""
    async with visiting(context, studio.slack) as arrived:
        yield arrived
