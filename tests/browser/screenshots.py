"""Pictures of the demo page, for people to look at: ``python -m tests.browser.screenshots FOLDER``.

The real bot works in the workspace that is shown. Every scene is taken in light and dark, on a laptop (1280 × 800) and
on a phone (390 × 844, two pixels a point), and written as ``<scene>-<device>-<colours>.png``.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from playwright.async_api import Browser, BrowserContext, Locator, expect
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.demo import workspace_settings
from bot.sandbox.server import Sandbox
from handlers.manifest import manifest
from tests.browser.chrome import chrome
from tests.browser.visitor import Visitor
from tests.sandbox.driver import Workspace
from tests.scenarios.bot import Stage, stage

Colours = Literal["light", "dark"]
COLOURS: tuple[Colours, ...] = ("light", "dark")
LONG = 60_000  # milliseconds that rendering and uploading may take on a busy machine
SHORTCUT = {"name": "New clip", "type": "global", "callback_id": "new_clip", "description": "Draft a short video"}
SECONDS = [{"text": {"type": "plain_text", "text": f"{count} seconds"}, "value": str(count)} for count in (4, 8, 12)]
MODAL: dict[str, Any] = {
    "type": "modal",
    "callback_id": "new_clip",
    "title": {"type": "plain_text", "text": "New clip"},
    "submit": {"type": "plain_text", "text": "Draft it"},
    "close": {"type": "plain_text", "text": "Cancel"},
    "blocks": [
        {
            "type": "input",
            "block_id": "prompt",
            "label": {"type": "plain_text", "text": "What do you want to see?"},
            "hint": {"type": "plain_text", "text": "A subject, what it does, and how the camera moves."},
            "element": {
                "type": "plain_text_input",
                "action_id": "text",
                "multiline": True,
                "min_length": 10,
                "initial_value": "a mug",
            },
        },
        {
            "type": "input",
            "block_id": "seconds",
            "label": {"type": "plain_text", "text": "Length"},
            "element": {"type": "static_select", "action_id": "menu", "options": SECONDS, "initial_option": SECONDS[0]},
        },
        {
            "type": "input",
            "block_id": "options",
            "optional": True,
            "label": {"type": "plain_text", "text": "Options"},
            "element": {
                "type": "checkboxes",
                "action_id": "boxes",
                "options": [
                    {
                        "text": {"type": "plain_text", "text": "With sound"},
                        "description": {"type": "plain_text", "text": "Costs the same."},
                        "value": "audio",
                    }
                ],
            },
        },
    ],
}


@dataclass(frozen=True, kw_only=True)
class Device:
    """A screen."""

    name: str
    width: int
    height: int
    is_phone: bool = False

    async def open(self, browser: Browser, colours: Colours) -> BrowserContext:
        """A fresh profile on this screen."""
        return await browser.new_context(
            viewport={"width": self.width, "height": self.height},
            device_scale_factor=2 if self.is_phone else 1,
            is_mobile=self.is_phone,
            has_touch=self.is_phone,
            color_scheme=colours,
        )


DEVICES = (Device(name="desktop", width=1280, height=800), Device(name="phone", width=390, height=844, is_phone=True))


@dataclass(frozen=True, kw_only=True)
class Shoot:
    """One screen in one set of colours."""

    browser: Browser
    folder: Path
    device: Device
    colours: Colours

    @asynccontextmanager
    async def visit(self, origin: str) -> AsyncIterator[Visitor]:
        """Somebody who has just opened the page."""
        context = await self.device.open(self.browser, self.colours)
        context.set_default_timeout(LONG)
        yield await Visitor.arrive(await context.new_page(), origin)
        await context.close()

    async def take(self, visitor: Visitor, scene: str) -> None:
        """Write what is to be seen."""
        path = self.folder / f"{scene}-{self.device.name}-{self.colours}.png"
        await visitor.page.screenshot(path=path, animations="disabled")
        print(path)  # noqa: T201 - a command line speaks on standard output


async def arrival(shoot: Shoot, play: Stage) -> None:
    """Nothing has happened yet; a command is being typed."""
    async with shoot.visit(play.studio.slack) as visitor:
        await shoot.take(visitor, "1-arrival")
        await visitor.composer.press_sequentially("/cl")
        await shoot.take(visitor, "2-suggestion")


async def work(shoot: Shoot, play: Stage) -> None:
    """The channel, a thread with its clips, and what is behind the scenes."""
    async with shoot.visit(play.studio.slack) as visitor:
        summary = visitor.channel.get_by_role("button", name="replies").first
        await expect(summary).to_be_visible()
        await shoot.take(visitor, "3-channel")
        await summary.click()
        await show(visitor.thread.locator("video"))
        await shoot.take(visitor, "4-thread")
        await visitor.page.keyboard.press("Escape")
        await visitor.open_drawer()
        await shoot.take(visitor, "6-drawer")
        if shoot.device.is_phone:
            await visitor.drawer.get_by_role("button", name="Close").click()
            await visitor.channel.get_by_role("button", name="All channels").click()
            await shoot.take(visitor, "8-list")
            return
        await summary.click()
        await show(visitor.thread.locator("video"))
        await shoot.take(visitor, "7-thread-and-drawer")


async def show(videos: Locator) -> None:
    """Wait until all of them stand at a picture, and bring the first to the eye."""
    for video in await videos.all():
        await video.evaluate("""(video) => new Promise((stands) => {
            video.addEventListener('seeked', stands, { once: true });
            video.currentTime = 1;
        })""")
    await videos.first.scroll_into_view_if_needed()


async def modal(shoot: Shoot, origin: str) -> None:
    """A window of the app, with an input that is not yet right."""
    async with shoot.visit(origin) as visitor:
        await visitor.page.get_by_role("button", name="Shortcuts").first.click()
        await visitor.page.get_by_role("menuitem", name="New clip").click()
        await visitor.page.get_by_role("dialog").get_by_role("button", name="Draft it").click()
        await shoot.take(visitor, "5-modal")
        await visitor.page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
        await expect(visitor.page.get_by_role("dialog")).to_be_hidden()


async def set_the_scene(play: Stage) -> None:
    """A morning in the studio: two drafts, one promoted, one in another shape, talk, a private answer."""
    await play.studio.say("ben", "Morning! The client wants *surfing animals* for the opener :surfer:")
    await play.studio.slash("maya", "/clip a red panda surfing --takes 2")
    first, _ = await play.clips(2, timeout=60)
    await play.studio.react("ben", first, "rocket")
    await play.clips(3, timeout=60)
    await play.studio.say("ben", "That one. Shipping it.", thread=first)
    await play.studio.say("maya", "#1 9:16", thread=first)
    await play.clips(4, timeout=60)
    await play.studio.slash("maya", "/clip a lighthouse at dusk, slow dolly in --estimate")


@asynccontextmanager
async def app_with_a_window(place: Path) -> AsyncIterator[str]:
    """A workspace whose app answers its shortcut with a modal; its address."""
    sandbox = Sandbox(data_dir=place, config={**workspace_settings(manifest()), "shortcuts": [SHORTCUT]})
    await sandbox.start()
    people = Workspace(
        slack=sandbox.slack_origin, providers=sandbox.providers_origin, environment=sandbox.environment()
    )
    web = AsyncWebClient(token=people.environment["SLACK_BOT_TOKEN"], base_url=people.environment["SLACK_API_URL"])
    app = AsyncApp(client=web, raise_error_for_unhandled_request=False)

    @app.shortcut("new_clip")
    async def _(ack: Callable[[], Awaitable[None]], shortcut: dict[str, Any]) -> None:
        await ack()
        await web.views_open(trigger_id=shortcut["trigger_id"], view=MODAL)

    handler = AsyncSocketModeHandler(app, people.environment["SLACK_APP_TOKEN"])
    await handler.connect_async()  # type: ignore[no-untyped-call] # Bolt leaves it untyped
    await people.connected()
    try:
        yield sandbox.slack_origin
    finally:
        await handler.close_async()  # type: ignore[no-untyped-call] # as above
        await people.close()
        await sandbox.close()


async def run(folder: Path) -> None:
    """Takes all pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="dailies-pictures-") as place:
        async with (
            chrome() as browser,
            stage(Path(place), sandbox=workspace_settings(manifest())) as play,
            app_with_a_window(Path(place) / "window") as window,
        ):
            shoots = [
                Shoot(browser=browser, folder=folder, device=device, colours=colours)
                for device in DEVICES
                for colours in COLOURS
            ]
            for shoot in shoots:
                await arrival(shoot, play)
            await set_the_scene(play)
            for shoot in shoots:
                await work(shoot, play)
                await modal(shoot, window)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.browser.screenshots", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the pictures go")
    asyncio.run(run(parser.parse_args().folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
