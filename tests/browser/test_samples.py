"""Sample files: made by the sandbox, attached with one click or by keyboard, in a channel, a thread and to the app."""

import asyncio
import io

from PIL import Image
from playwright.async_api import Locator, Route, expect

from tests.browser.visitor import Visitor
from tests.sandbox.driver import Json, Workspace

MENU = "Attach a sample file"


async def posted(studio: Workspace, text: str, channel: str = "#dailies") -> Json:
    return await studio.message_where(lambda one: text in one["text"], channel=channel)


def spoken_in_alone(state: Json) -> str | None:
    """The direct conversation in which somebody has written."""
    return next((one["id"] for one in state["channels"].values() if one["kind"] == "im" and one["messages"]), None)


async def choose(visitor: Visitor, where: Locator, label: str) -> None:
    """With the mouse."""
    await where.get_by_role("button", name=MENU).click()
    await visitor.page.get_by_role("menuitem", name=label).click()


async def test_samples_are_attached_with_one_click_and_sent(visitor: Visitor, studio: Workspace) -> None:
    await choose(visitor, visitor.channel, "The mug at night")
    await expect(visitor.channel.get_by_role("button", name="Remove mug-at-night.png")).to_be_visible()
    await expect(visitor.composer).to_be_focused()
    await choose(visitor, visitor.channel, "Chimes")
    await expect(visitor.channel.get_by_role("button", name="Remove chimes.wav")).to_be_visible()
    await visitor.say("for the channel")
    message = await posted(studio, "for the channel")
    assert [one["name"] for one in message["files"]] == ["mug-at-night.png", "chimes.wav"]
    assert Image.open(io.BytesIO(await studio.file(message["files"][0]["id"]))).format == "PNG"
    shown = visitor.message("for the channel")
    await expect(shown.get_by_role("img", name="mug-at-night.png")).not_to_have_js_property("naturalWidth", 0)


async def test_what_is_sent_at_once_waits_for_the_file_that_was_chosen(visitor: Visitor, studio: Workspace) -> None:
    """Making it takes a moment, and people are quick."""
    slow = asyncio.Event()

    async def hold(route: Route) -> None:
        await slow.wait()
        await route.continue_()

    await visitor.page.route("**/page/sample/*", hold)
    await choose(visitor, visitor.channel, "A mug")
    await visitor.composer.fill("quick")
    await visitor.composer.press("Enter")
    slow.set()
    message = await posted(studio, "quick")
    assert [one["name"] for one in message["files"]] == ["mug.png"]


async def test_a_sample_belongs_to_the_place_where_it_was_chosen(visitor: Visitor, studio: Workspace) -> None:
    """However late it comes, and wherever the person is by then: what was sent goes with it from where it was sent, and
    nothing goes with it from anywhere else."""
    slow = asyncio.Event()

    async def hold(route: Route) -> None:
        await slow.wait()
        await route.continue_()

    async def go(channel: str) -> None:
        await visitor.page.locator("#sidebar").get_by_role("button", name=channel, exact=True).click()
        await expect(visitor.composer).to_have_attribute("placeholder", f"Message #{channel}")

    await visitor.page.route("**/page/sample/*", hold)
    await choose(visitor, visitor.channel, "A mug")
    await visitor.composer.fill("sent and left")
    await visitor.composer.press("Enter")
    await go("lobby")
    await visitor.say("without it")
    assert "files" not in await posted(studio, "without it", "#lobby")
    await choose(visitor, visitor.channel, "Chimes")
    await visitor.composer.fill("not sent yet")
    await go("dailies")
    slow.set()
    assert [one["name"] for one in (await posted(studio, "sent and left"))["files"]] == ["mug.png"]
    await expect(visitor.composer).to_have_value("")
    shown = visitor.message("sent and left")
    await expect(shown.get_by_role("img", name="mug.png")).not_to_have_js_property("naturalWidth", 0)
    await go("lobby")
    await expect(visitor.channel.get_by_role("button", name="Remove")).to_have_accessible_name("Remove chimes.wav")
    await expect(visitor.composer).to_have_value("not sent yet")


async def test_the_menu_works_by_keyboard_alone(visitor: Visitor, studio: Workspace) -> None:
    await visitor.channel.get_by_role("button", name=MENU).focus()
    await visitor.page.keyboard.press("Enter")
    first = visitor.page.get_by_role("menuitem").first
    await expect(first).to_be_focused()
    await visitor.page.keyboard.press("Escape")
    await expect(visitor.channel.get_by_role("button", name=MENU)).to_be_focused()
    await visitor.page.keyboard.press("Enter")
    await expect(first).to_be_focused()
    await visitor.page.keyboard.press("End")
    await visitor.page.keyboard.press("Enter")
    await expect(visitor.channel.get_by_role("button", name="Remove chimes.wav")).to_be_visible()
    await expect(visitor.composer).to_be_focused()
    await visitor.page.keyboard.type("by keyboard")
    await visitor.page.keyboard.press("Enter")
    assert [one["name"] for one in (await posted(studio, "by keyboard"))["files"]] == ["chimes.wav"]


async def test_samples_go_into_threads_and_direct_messages_too(visitor: Visitor, studio: Workspace) -> None:
    root = await studio.say("ben", "which one?")
    await studio.say("ben", "of these", thread=root)
    await visitor.channel.get_by_role("button", name="1 reply").click()
    await choose(visitor, visitor.thread, "A mug")
    await expect(visitor.thread.get_by_role("button", name="Remove mug.png")).to_be_visible()
    await visitor.reply("this one")
    message = await posted(studio, "this one")
    assert (message["thread_ts"], message["files"][0]["name"]) == (root, "mug.png")

    await visitor.page.locator("#sidebar").get_by_role("button", name="Dailies", exact=True).click()
    await expect(visitor.composer).to_have_attribute("placeholder", "Message Dailies")
    await choose(visitor, visitor.channel, "From a phone")
    await expect(visitor.channel.get_by_role("button", name="Remove IMG_0001.jpg")).to_be_visible()
    await visitor.say("alone with you")
    direct = await studio.wait_until(spoken_in_alone, what="somebody writes to the app alone")
    assert (await posted(studio, "alone with you", direct))["files"][0]["name"] == "IMG_0001.jpg"


async def test_the_step_with_a_picture_types_its_line_and_attaches_it_once(visitor: Visitor) -> None:
    line = visitor.page.get_by_role("region", name="First steps").get_by_role("button", name="@dailies steam")
    for _ in range(2):
        await line.click()
        await expect(visitor.composer).to_have_value("@dailies steam rises slowly")
        await expect(visitor.channel.get_by_role("button", name="Remove mug.png")).to_have_count(1)
