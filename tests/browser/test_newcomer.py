"""A newcomer's story: the demo as it is started, a real browser, clips that play, a bot killed meanwhile."""

import re
import sys
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, Locator, expect

from handlers.manifest import manifest
from tests.browser.demo import running
from tests.browser.visitor import Visitor, visiting
from tests.scenarios.bot import ROOT

SUMMARY = re.compile(r"^\d+ repl(y|ies)")
HINTS = next(one for one in manifest()["features"]["slash_commands"] if one["command"] == "/clip")
LONG = 40_000  # milliseconds that rendering, downloading and uploading may take on a busy machine


async def plays(message: Locator) -> tuple[int, int]:
    """The message's clip plays: time passes in it, and the browser has nothing to complain of. Its width and height."""
    video = message.locator("video")
    await video.evaluate("(video) => { video.muted = true; return video.play(); }")
    await expect(video).to_have_js_property("error", None)
    moved = """(video) => new Promise((resolve) => {
        const look = () => { if (video.currentTime > 0.2) resolve(video.currentTime); };
        video.addEventListener("timeupdate", look);
        look();
    })"""
    assert await video.evaluate(moved) > 0.2
    await expect(video).to_have_js_property("error", None)
    width, height = await video.evaluate("(video) => [video.videoWidth, video.videoHeight]")
    assert width > 0
    return width, height


@pytest.mark.timeout(150)
async def test_a_newcomer_drafts_promotes_and_varies_and_kills_the_bot_meanwhile(
    tmp_path: Path, context: BrowserContext
) -> None:
    """``dailies demo`` itself, with nothing made quicker: its undo window, its renders, its own start of a killed bot.
    Types as people do, with the help that the app's own manifest gives."""
    command = (sys.executable, "-m", "bot", "demo")
    surroundings = {"PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    async with (
        running(*command, place=tmp_path, environment=surroundings) as demo,
        visiting(context, demo.origin) as newcomer,
    ):
        steps = newcomer.page.get_by_role("region", name="First steps")
        await expect(steps.get_by_role("img", name="to do")).to_have_count(4)
        await drafts(newcomer)
        await expect(steps.get_by_role("img", name="done")).to_have_count(1)

        first = clips(newcomer).filter(has_text="take 1 of 2")
        await newcomer.react(first, "rocket")
        await expect(first.get_by_role("button", name="rocket, 1")).to_have_attribute("aria-pressed", "true")
        await newcomer.reply("#1 9:16")
        await newcomer.open_drawer()
        verdict = newcomer.drawer.locator("#verdict")
        await expect(verdict).to_have_text(re.compile("^[34] charges, 2 clips$"), timeout=LONG)
        await kills(newcomer)

        await expect(clips(newcomer)).to_have_count(4, timeout=LONG)
        assert (await plays(clips(newcomer).filter(has_text="Final of #1")))[1] == 720
        width, height = await plays(clips(newcomer).filter(has_text="Variant of #1"))
        assert width < height
        await expect(steps.get_by_role("img", name="done")).to_have_count(3)
        await gives_a_picture(newcomer)
        await expect(steps).to_contain_text("That is how Dailies works", timeout=LONG)
        await expect(steps.get_by_role("img", name="done")).to_have_count(4)
        await expect(verdict).to_have_text("5 charges, 5 clips")
        await expect(verdict).to_have_class("verdict")
    assert [line for line in demo.said if "killed" in line] == ["The bot was killed; it is started again.\n"]


def clips(newcomer: Visitor) -> Locator:
    """The messages of the thread that have a clip."""
    return newcomer.thread.get_by_role("article").filter(has=newcomer.page.locator("video"))


async def drafts(newcomer: Visitor) -> None:
    """Two, typed with the suggestions; both play in their thread."""
    await newcomer.composer.press_sequentially("/cl")
    await expect(newcomer.channel.get_by_role("option", name="/clip").first).to_contain_text(HINTS["description"])
    await newcomer.composer.press("Tab")
    await newcomer.composer.press_sequentially("a red panda surfing --takes 2")
    await expect(newcomer.channel.get_by_text(f"/clip {HINTS['usage_hint']}")).to_be_visible()
    await newcomer.composer.press("Enter")
    card = newcomer.channel.get_by_role("article").filter(has_text="Draft, asked for by")
    await card.get_by_role("button", name=SUMMARY).click(timeout=LONG)
    await expect(clips(newcomer)).to_have_count(2, timeout=LONG)
    for index in range(2):
        await plays(clips(newcomer).nth(index))


async def gives_a_picture(newcomer: Visitor) -> None:
    """One of the samples, with the line of the first steps."""
    steps = newcomer.page.get_by_role("region", name="First steps")
    await steps.get_by_role("button", name="@dailies steam rises slowly").click()
    await expect(newcomer.channel.get_by_role("button", name="Remove mug.png")).to_be_visible()
    await newcomer.composer.press("Enter")


async def kills(newcomer: Visitor) -> None:
    """The bot, from the page, while it works on what was paid for; the demo starts it again."""
    kill = newcomer.drawer.get_by_role("button", name="Kill the bot")
    await kill.click()
    await newcomer.page.get_by_role("button", name="Kill it").click()
    await expect(newcomer.drawer).to_contain_text("Dailies is not connected.")
    await expect(kill).to_be_disabled()
    await expect(newcomer.drawer).to_contain_text("Dailies is connected by one socket.", timeout=LONG)
    await expect(kill).to_be_enabled()
