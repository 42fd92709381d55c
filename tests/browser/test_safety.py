"""Whatever people, apps and files are called, it is text on the page: nothing of it runs."""

from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.server import Sandbox
from tests.browser.visitor import Visitor
from tests.sandbox.driver import Workspace

CHANNEL = "C0DAILIES1"
IMAGE = '<img src=x onerror="window.hacked=1">'
SCRIPT = "<script>window.hacked=1</script>"


async def is_untouched(page: Page) -> None:
    """No script of anybody's ran, and none of their elements stands in the page."""
    assert await page.evaluate("() => window.hacked") is None
    await expect(page.locator('img[src="x"], [onerror], script:not([src]), iframe, object')).to_have_count(0)


async def test_messages_names_and_channels_are_text(visitor: Visitor, studio: Workspace) -> None:
    await studio.post("/user", action="change", user="ben", real_name=f"Ben {IMAGE}", name="<b>ben</b>")
    await studio.post("/channel", action="create", name=f"side {SCRIPT}", members=["maya"])
    await studio.say("U0BEN00002", f"{IMAGE} {SCRIPT} *{IMAGE}* `{SCRIPT}` <javascript:alert(1)|click me>")

    message = visitor.message("click me")
    await expect(message).to_contain_text(f"Ben {IMAGE}")
    await expect(message).to_contain_text(f"{IMAGE} {SCRIPT}")
    await expect(message.get_by_role("link")).to_have_count(0)
    await visitor.page.get_by_role("button", name=f"side {SCRIPT}").click()
    await expect(visitor.channel.get_by_role("heading", name=f"side {SCRIPT}").first).to_be_visible()
    await is_untouched(visitor.page)


async def test_file_names_are_text_and_a_page_among_files_is_only_downloaded(
    context: BrowserContext, visitor: Visitor, studio: Workspace
) -> None:
    attack = b"<html><script>opener.hacked=1; parent.hacked=1</script></html>"
    names = [f"{IMAGE}.png", f"{SCRIPT}.html", '"onload="window.hacked=1".mp4', "drawing.svg"]
    await studio.say("ben", "files", files=[(name, attack) for name in names])

    message = visitor.message("files")
    # A browser's upload puts %22 for the quotation mark, and Slack _ for the slash.
    await expect(message.get_by_text("window.hacked=1").first).to_be_visible()
    await expect(message.get_by_role("link", name="Download drawing.svg")).to_be_visible()
    await expect(message.locator('img[alt="drawing.svg"]')).to_have_count(0)
    await is_untouched(visitor.page)
    (sent,) = await studio.messages()
    drawing = next(file for file in sent["files"] if file["name"] == "drawing.svg")
    async with visitor.page.expect_download() as downloading:
        await message.get_by_role("link", name="Download drawing.svg").click()
    assert (await downloading.value).suggested_filename == "drawing.svg"
    assert drawing["id"] in (await downloading.value).url
    assert len(context.pages) == 1


async def test_blocks_ephemerals_and_attachments_are_text(web: AsyncWebClient, visitor: Visitor) -> None:
    plain = {"type": "plain_text", "text": f"plain {IMAGE}"}
    mrkdwn = {"type": "mrkdwn", "text": f'mrkdwn {IMAGE} <https://example.com/"onmouseover=hacked|{IMAGE}>'}
    options = [{"text": {"type": "plain_text", "text": SCRIPT}, "value": "1", "description": plain}]
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": plain},
        {"type": "section", "text": mrkdwn, "fields": [plain, mrkdwn]},
        {
            "type": "context",
            "elements": [mrkdwn, {"type": "image", "image_url": "https://x.example/x", "alt_text": IMAGE}],
        },
        {
            "type": "actions",
            "elements": [
                {"type": "button", "action_id": "a", "text": plain, "url": "javascript:window.hacked=1"},
                {"type": "overflow", "action_id": "b", "options": options},
                {"type": "static_select", "action_id": "c", "options": options, "placeholder": plain},
            ],
        },
        {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": RICH}]},
    ]
    await web.chat_postMessage(channel=CHANNEL, text=IMAGE, blocks=blocks, attachments=[{"text": f"attached {IMAGE}"}])
    await web.chat_postEphemeral(channel=CHANNEL, user="U0MAYA0001", text=f"psst {IMAGE}")

    message = visitor.message("plain <img")
    await expect(message).to_contain_text(f"attached {IMAGE}")
    await message.get_by_role("button", name="plain <img").click()
    await message.get_by_role("button", name="More actions").first.click()
    await expect(visitor.page.get_by_role("menuitem", name=SCRIPT)).to_be_visible()
    await visitor.page.keyboard.press("Escape")
    await expect(visitor.message("psst <img")).to_be_visible()
    await expect(message.locator('a[href^="javascript"]')).to_have_count(0)
    await is_untouched(visitor.page)


RICH: list[dict[str, Any]] = [
    {"type": "text", "text": IMAGE, "style": {"bold": True}},
    {"type": "link", "url": "javascript:window.hacked=1", "text": "a trap"},
    {"type": "emoji", "name": "<b>"},
    {"type": "user", "user_id": SCRIPT},
    {"type": "something_new", "text": SCRIPT},
]


async def test_modals_are_text(app: AsyncApp, web: AsyncWebClient, visitor: Visitor) -> None:
    async def begin(ack: Any, body: dict[str, Any]) -> None:
        await ack()
        element = {"type": "plain_text_input", "action_id": "x", "initial_value": f'"{IMAGE}'}
        block = {"type": "input", "label": {"type": "plain_text", "text": IMAGE}, "element": element}
        title = {"type": "plain_text", "text": "<b>Title</b>"}
        submit = {"type": "plain_text", "text": "<i>Go</i>"}
        view = {"type": "modal", "title": title, "submit": submit, "blocks": [block]}
        await web.views_open(trigger_id=body["trigger_id"], view=view)

    app.command("/clip")(begin)
    await visitor.say("/clip now")
    modal = visitor.page.get_by_role("dialog", name="<b>Title</b>")

    await expect(modal.get_by_label(IMAGE)).to_have_value(f'"{IMAGE}')
    await expect(modal.get_by_role("button", name="<i>Go</i>")).to_be_visible()
    await is_untouched(visitor.page)


@pytest.mark.parametrize("path", ["/control/message", "/control/faults"])
async def test_another_page_in_the_same_browser_cannot_drive_the_workspace(
    browser: Browser, sandbox: Sandbox, studio: Workspace, path: str
) -> None:
    """A foreign page, here one of another port, posts what needs no permission: text, without reading the answer."""
    page = await browser.new_page()
    await page.goto(f"{sandbox.providers_origin}/nothing")
    attack = """async (address) => {
        const body = JSON.stringify({ user: "maya", channel: "#dailies", text: "owned" });
        await fetch(address, { method: "POST", mode: "no-cors", body, headers: { "Content-Type": "text/plain" } });
    }"""
    async with page.expect_response(f"{sandbox.slack_origin}{path}") as answering:
        await page.evaluate(attack, f"{sandbox.slack_origin}{path}")

    assert (await answering.value).status == 403
    assert await studio.messages() == []
    assert await studio.faults() == []
