"""A newcomer's story: the real bot, a real browser, clips that play."""

import re
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, Locator, expect

from bot.demo import workspace_settings
from handlers.manifest import manifest
from tests.browser.visitor import visiting
from tests.scenarios.bot import stage

SUMMARY = re.compile(r"^\d+ repl(y|ies)")
(HINTS,) = manifest()["features"]["slash_commands"]
LONG = 40_000  # milliseconds that rendering, downloading and uploading may take on a busy machine


async def plays(video: Locator) -> None:
    """The clip plays: time passes in it, and the browser has nothing to complain of."""
    await video.evaluate("(video) => { video.muted = true; return video.play(); }")
    await expect(video).to_have_js_property("error", None)
    moved = """(video) => new Promise((resolve) => {
        const look = () => { if (video.currentTime > 0.2) resolve(video.currentTime); };
        video.addEventListener("timeupdate", look);
        look();
    })"""
    assert await video.evaluate(moved) > 0.2
    assert await video.evaluate("(video) => video.videoWidth") > 0
    await expect(video).to_have_js_property("error", None)


@pytest.mark.timeout(150)
async def test_a_newcomer_drafts_promotes_and_varies(tmp_path: Path, context: BrowserContext) -> None:
    """Types as people do, with the help that the app's own manifest gives."""
    workspace = workspace_settings(manifest())
    async with stage(tmp_path, sandbox=workspace) as play, visiting(context, play.studio.slack) as newcomer:
        steps = newcomer.page.get_by_role("region", name="First steps")
        await expect(steps.get_by_role("img", name="to do")).to_have_count(3)

        await newcomer.composer.press_sequentially("/cl")
        await expect(newcomer.channel.get_by_role("option", name="/clip")).to_contain_text(HINTS["description"])
        await newcomer.composer.press("Tab")
        await newcomer.composer.press_sequentially("a red panda surfing --takes 2")
        await expect(newcomer.channel.get_by_text(f"/clip {HINTS['usage_hint']}")).to_be_visible()
        await newcomer.composer.press("Enter")
        card = newcomer.channel.get_by_role("article").filter(has_text="Draft, asked for by")
        await card.get_by_role("button", name=SUMMARY).click(timeout=LONG)
        clips = newcomer.thread.locator("video")
        await expect(clips).to_have_count(2, timeout=LONG)
        for index in range(2):
            await plays(clips.nth(index))
        await expect(steps.get_by_role("img", name="done")).to_have_count(1)

        first = newcomer.thread.get_by_role("article").filter(has=newcomer.page.locator("video")).first
        await newcomer.react(first, "rocket")
        await expect(first.get_by_role("button", name="rocket, 1")).to_have_attribute("aria-pressed", "true")
        await expect(clips).to_have_count(3, timeout=LONG)
        await plays(clips.nth(2))
        assert await clips.nth(2).evaluate("(video) => video.videoHeight") == 720

        await newcomer.reply("#1 9:16")
        await expect(clips).to_have_count(4, timeout=LONG)
        await plays(clips.nth(3))
        width, height = await clips.nth(3).evaluate("(video) => [video.videoWidth, video.videoHeight]")
        assert width < height
        await expect(steps.get_by_role("img", name="done")).to_have_count(3)

        await newcomer.open_drawer()
        await expect(newcomer.drawer.locator("#verdict")).to_have_text("4 charges, 4 clips")
        assert len(await play.ledger()) == 4
