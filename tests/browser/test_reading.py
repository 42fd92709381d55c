"""The page for everybody: by keyboard alone, on a phone, in the dark, read aloud."""

import re
from typing import Any

from playwright.async_api import Browser, BrowserContext, expect
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.server import Sandbox
from tests.browser.visitor import Visitor
from tests.sandbox.driver import Workspace

CHANNEL = "C0DAILIES1"


async def tab_to(visitor: Visitor, name: str, *, most: int = 60) -> None:
    """Press Tab until the focus is on the element with this label."""
    label = "() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent.trim()"
    for _ in range(most):
        if str(await visitor.page.evaluate(label)).startswith(name):
            return
        await visitor.page.keyboard.press("Tab")
    raise AssertionError(f"Tab never came to “{name}”")


async def test_everything_can_be_done_by_keyboard(app: AsyncApp, web: AsyncWebClient, visitor: Visitor) -> None:
    pressed: list[str] = []

    async def press(ack: Any, body: dict[str, Any]) -> None:
        await ack()
        pressed.append(body["actions"][0]["value"])

    app.action("go")(press)
    text = {"type": "plain_text", "text": "Confirm"}
    confirm = {"title": text, "text": text, "confirm": {"type": "plain_text", "text": "Spend it"}, "deny": text}
    button = {"type": "button", "action_id": "go", "text": text, "value": "42", "confirm": confirm}
    await web.chat_postMessage(channel=CHANNEL, text="by keys", blocks=[{"type": "actions", "elements": [button]}])
    await expect(visitor.channel.get_by_role("button", name="Confirm")).to_be_visible()
    keys = visitor.page.keyboard

    await tab_to(visitor, "Confirm")
    await keys.press("Enter")
    await expect(visitor.page.get_by_role("button", name="Spend it")).to_be_focused()
    await keys.press("Enter")
    await expect(visitor.channel.get_by_role("button", name="Confirm")).to_be_focused()
    await expect(visitor.channel.get_by_role("button", name="Confirm")).not_to_have_attribute("aria-busy", "true")

    await tab_to(visitor, "Add a reaction")
    await keys.press("Enter")
    await keys.type("tada")
    await keys.press("ArrowDown")
    await keys.press("Enter")
    await expect(visitor.channel.get_by_role("button", name="tada, 1")).to_be_visible()

    await visitor.page.locator("#acting-as").focus()
    await keys.press("Enter")
    await keys.press("ArrowDown")
    await keys.press("Enter")
    await expect(visitor.page.locator("#acting-as")).to_contain_text("Ben Okafor")
    assert pressed == ["42"]


async def test_a_menu_closes_with_escape_and_gives_the_focus_back(visitor: Visitor) -> None:
    button = visitor.page.locator("#acting-as")
    await button.focus()
    await visitor.page.keyboard.press("Enter")
    await expect(visitor.page.get_by_role("menu", name="Act as")).to_be_visible()
    await visitor.page.keyboard.press("Escape")

    await expect(visitor.page.get_by_role("menu", name="Act as")).to_have_count(0)
    await expect(button).to_be_focused()


async def test_new_messages_are_read_aloud_and_my_own_are_not(visitor: Visitor, studio: Workspace) -> None:
    live = visitor.page.locator("#announcer")
    await studio.say("ben", "look at *this*")
    await expect(live).to_have_text("Ben Okafor: look at this")
    await visitor.say("I see")
    await expect(visitor.message("I see")).to_be_visible()
    await expect(live).to_have_text("Ben Okafor: look at this")


async def test_on_a_phone_one_column_is_seen_at_a_time(
    context: BrowserContext, sandbox: Sandbox, studio: Workspace
) -> None:
    ts = await studio.say("ben", "the parent")
    await studio.say("chloe", "a reply", thread=ts)
    page = await context.new_page()
    await page.set_viewport_size({"width": 390, "height": 844})
    visitor = await Visitor.arrive(page, sandbox.slack_origin)
    sidebar = page.get_by_role("navigation")
    await expect(sidebar).to_be_hidden()

    await visitor.message("the parent").get_by_role("button", name=re.compile("^1 reply")).click()
    await expect(visitor.channel).to_be_hidden()
    await visitor.reply("from my phone")
    await expect(visitor.message("from my phone", where=visitor.thread)).to_be_visible()
    await visitor.thread.get_by_role("button", name="Back to the channel").click()
    await visitor.channel.get_by_role("button", name="All channels").click()
    await expect(visitor.channel).to_be_hidden()
    await sidebar.get_by_role("button", name="private").click()
    await expect(visitor.composer).to_be_visible()
    await visitor.open_drawer()

    assert await page.evaluate("() => document.documentElement.scrollWidth") == 390


async def test_dark_follows_the_system_until_the_reader_chooses(browser: Browser, sandbox: Sandbox) -> None:
    context = await browser.new_context(color_scheme="dark")
    visitor = await Visitor.arrive(await context.new_page(), sandbox.slack_origin)
    paper = "() => getComputedStyle(document.body).backgroundColor"
    dark = await visitor.page.evaluate(paper)
    await visitor.page.get_by_role("button", name="Light colours").click()
    light = await visitor.page.evaluate(paper)
    await visitor.page.reload()
    await expect(visitor.page.get_by_role("button", name="Dark colours")).to_be_visible()

    assert (dark, light) == ("rgb(25, 27, 33)", "rgb(255, 255, 255)")
    assert await visitor.page.evaluate(paper) == light
    await context.close()


async def test_two_tabs_are_two_people(context: BrowserContext, sandbox: Sandbox) -> None:
    maya = await Visitor.arrive(await context.new_page(), sandbox.slack_origin)
    ben = await Visitor.arrive(await context.new_page(), sandbox.slack_origin)
    await ben.become("Ben Okafor")
    await ben.page.reload()
    await ben.say("it is me")

    await expect(maya.message("it is me")).to_contain_text("Ben Okafor")
    await expect(maya.page.locator("#acting-as")).to_contain_text("Maya Lindqvist")
