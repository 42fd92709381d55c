"""What a person does on the page, in its own words: by labels and roles, as a screen reader finds things."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from playwright.async_api import BrowserContext, Locator, Page, expect


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """A person at a browser with the demo page."""

    page: Page

    @classmethod
    async def arrive(cls, page: Page, origin: str, *, at: str = "") -> Visitor:
        """Open the page and wait until it shows a channel."""
        await page.goto(f"{origin}/{at}")
        await expect(page.locator("#channel .title")).to_be_visible()
        return cls(page=page)

    @property
    def channel(self) -> Locator:
        """The middle column."""
        return self.page.locator("#channel")

    @property
    def thread(self) -> Locator:
        """The thread beside it."""
        return self.page.locator("#thread")

    @property
    def drawer(self) -> Locator:
        """What is behind the scenes."""
        return self.page.get_by_role("complementary", name="Behind the scenes")

    @property
    def composer(self) -> Locator:
        """Where one types to the channel."""
        return self.page.locator("#composer-input")

    @property
    def reply_field(self) -> Locator:
        """Where one types into the thread."""
        return self.page.locator("#thread-input")

    @property
    def toast(self) -> Locator:
        """The notice at the edge."""
        return self.page.locator(".toast").last

    def message(self, text: str, *, where: Locator | None = None) -> Locator:
        """The message that has these words."""
        return (where or self.channel).get_by_role("article").filter(has_text=text).last

    async def say(self, text: str) -> None:
        """Type into the channel and send."""
        await self.composer.fill(text)
        await self.composer.press("Enter")

    async def reply(self, text: str) -> None:
        """Type into the thread and send."""
        await self.reply_field.fill(text)
        await self.reply_field.press("Enter")

    async def become(self, name: str) -> None:
        """Act as somebody else."""
        await self.page.locator("#acting-as").click()
        await self.page.get_by_role("menuitemradio", name=name).click()

    async def react(self, message: Locator, name: str) -> None:
        """Pick an emoji for a message."""
        await message.hover()
        await message.get_by_role("button", name="Add a reaction").first.click()
        await self.page.get_by_role("searchbox", name="Search emoji").fill(name)
        await self.page.keyboard.press("Enter")

    async def open_drawer(self) -> None:
        """Look behind the scenes."""
        await self.page.locator("#behind-the-scenes").click()
        await expect(self.drawer).to_be_visible()


@asynccontextmanager
async def visiting(context: BrowserContext, origin: str) -> AsyncIterator[Visitor]:
    """Somebody on a page that closes with the block: before a server that ends later."""
    page = await context.new_page()
    try:
        yield await Visitor.arrive(page, origin)
    finally:
        await page.close()
