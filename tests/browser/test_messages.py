"""Channels, threads, reactions, files, and what only one person sees."""

import base64
import re
from typing import Any

from playwright.async_api import BrowserContext, FilePayload, WebSocketRoute, expect
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.server import Sandbox
from bot.sandbox.slack.keyboard import rich_text
from bot.sandbox.slack.timeline import Draft
from tests.browser.visitor import Visitor
from tests.sandbox.driver import Workspace

CHANNEL = "C0DAILIES1"
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


async def test_what_others_write_appears_by_itself_and_changes_in_place(visitor: Visitor, studio: Workspace) -> None:
    ts = await studio.say("ben", "first *words*")
    message = visitor.message("first")
    await expect(message).to_contain_text("Ben Okafor")
    await expect(visitor.channel.get_by_role("separator")).to_have_text("Today")

    await studio.edit("ben", ts, "other words")
    await expect(visitor.message("other words")).to_contain_text("(edited)")
    await studio.react("chloe", ts, "tada")
    chip = visitor.message("other words").get_by_role("button", name="tada, 1: Chloé Moreau")
    await expect(chip).to_have_attribute("aria-pressed", "false")
    await chip.click()
    await expect(visitor.channel.get_by_role("button", name="tada, 2")).to_have_attribute("aria-pressed", "true")
    await visitor.channel.get_by_role("button", name="tada, 2").click()
    await expect(visitor.channel.get_by_role("button", name="tada, 1")).to_have_attribute("aria-pressed", "false")

    await studio.delete("ben", ts)
    await expect(visitor.channel.get_by_role("article")).to_have_count(0)


async def test_enter_sends_and_shift_enter_makes_a_line(visitor: Visitor, studio: Workspace) -> None:
    await visitor.composer.click()
    await visitor.page.keyboard.type("one")
    await visitor.page.keyboard.press("Shift+Enter")
    await visitor.page.keyboard.type("two @be")
    await expect(visitor.page.get_by_role("option", name="Ben Okafor")).to_be_visible()
    await visitor.page.keyboard.press("Tab")
    await visitor.page.keyboard.type("in #dailies-t")
    await visitor.page.keyboard.press("Enter")
    await visitor.page.keyboard.press("Enter")

    await expect(visitor.message("one").get_by_text("@Ben Okafor")).to_be_visible()
    (message,) = await studio.messages()
    assert message["text"] == "one\ntwo <@U0BEN00002> in <#C0DAILIES2|dailies-two>"
    await expect(visitor.composer).to_have_value("")


async def test_a_thread_opens_beside_its_channel_and_closes_with_escape(visitor: Visitor, studio: Workspace) -> None:
    ts = await studio.say("ben", "the parent")
    await studio.say("chloe", "a reply", thread=ts)
    await visitor.message("the parent").get_by_role("button", name=re.compile("^1 reply")).click()
    await expect(visitor.message("a reply", where=visitor.thread)).to_be_visible()

    await visitor.reply("my answer")
    await expect(visitor.message("my answer", where=visitor.thread)).to_contain_text("Maya Lindqvist")
    await expect(visitor.channel.get_by_role("button", name=re.compile("^2 replies"))).to_be_visible()
    await expect(visitor.channel.get_by_text("my answer")).to_have_count(0)

    await visitor.page.keyboard.press("Escape")
    await expect(visitor.thread).to_be_hidden()
    await expect(visitor.channel.get_by_role("button", name=re.compile("^2 replies"))).to_be_focused()
    assert [one["text"] for one in await studio.thread(ts)] == ["the parent", "a reply", "my answer"]


async def test_a_slash_command_is_suggested_described_and_refused_in_a_thread(
    app: AsyncApp, visitor: Visitor, studio: Workspace
) -> None:
    async def answer(ack: Any, body: dict[str, Any]) -> None:
        await ack(f"heard {body['text']}")

    app.command("/clip")(answer)
    ts = await studio.say("ben", "the parent")
    await visitor.composer.click()
    await visitor.page.keyboard.type("/")
    await expect(visitor.page.get_by_role("option", name="/clip").first).to_contain_text("--takes 3")
    await visitor.page.keyboard.press("Enter")
    await expect(visitor.composer).to_have_value("/clip ")
    await visitor.page.keyboard.type("a mug")
    await visitor.page.keyboard.press("Enter")
    answered = visitor.message("heard a mug")
    await expect(answered).to_contain_text("Only visible to you")
    await answered.get_by_role("button", name="Dismiss").click()
    await expect(answered).to_have_count(0)

    await visitor.page.goto(f"{studio.slack}/#/{CHANNEL}/{ts}")
    await visitor.reply("/clip a mug")
    await expect(visitor.toast).to_contain_text("cannot be used in a thread")
    await expect(visitor.reply_field).to_have_value("/clip a mug")
    await expect(visitor.message("/clip is not supported in threads")).to_contain_text("Slackbot")


async def test_without_a_bot_the_person_is_told(visitor: Visitor) -> None:
    await expect(visitor.channel.get_by_text("Dailies is not connected")).to_be_visible()
    await visitor.say("/clip a mug")

    await expect(visitor.toast).to_contain_text("not connected")
    await expect(visitor.message('failed with the error "dispatch_failed"')).to_contain_text("Only visible to you")


async def test_an_ephemeral_is_seen_by_its_person_alone(visitor: Visitor, web: AsyncWebClient) -> None:
    await web.chat_postEphemeral(channel=CHANNEL, user="U0BEN00002", text="for ben")
    await web.chat_postEphemeral(channel=CHANNEL, user="U0MAYA0001", text="for maya")

    await expect(visitor.message("for maya")).to_be_visible()
    await expect(visitor.channel.get_by_text("for ben")).to_have_count(0)
    await visitor.become("Ben Okafor")
    await expect(visitor.message("for ben")).to_be_visible()
    await expect(visitor.channel.get_by_text("for maya")).to_have_count(0)


async def test_files_are_attached_taken_off_and_shown(visitor: Visitor, studio: Workspace) -> None:
    async with visitor.page.expect_file_chooser() as choosing:
        await visitor.channel.get_by_role("button", name="Attach files").click()
    chooser = await choosing.value
    files: list[FilePayload] = [
        {"name": "mug.png", "mimeType": "image/png", "buffer": PIXEL},
        {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"notes"},
        {"name": "wrong.txt", "mimeType": "text/plain", "buffer": b"wrong"},
    ]
    await chooser.set_files(files)
    await visitor.channel.get_by_role("button", name="Remove wrong.txt").click()
    await visitor.say("look")

    message = visitor.message("look")
    picture = message.get_by_role("img", name="mug.png")
    await expect(picture).to_have_js_property("naturalWidth", 1)
    await expect(message.get_by_role("link", name="Download notes.txt")).to_be_visible()
    (sent,) = await studio.messages()
    assert [one["name"] for one in sent["files"]] == ["mug.png", "notes.txt"]


async def test_a_picture_can_be_pasted(visitor: Visitor, studio: Workspace) -> None:
    paste = """(field, letters) => {
        const data = new DataTransfer();
        data.items.add(new File([Uint8Array.from(atob(letters), (one) => one.charCodeAt(0))], "pasted.png"));
        field.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
    }"""
    await visitor.composer.evaluate(paste, base64.b64encode(PIXEL).decode())
    await expect(visitor.channel.get_by_role("button", name="Remove pasted.png")).to_be_visible()
    await visitor.channel.get_by_role("button", name="Send").click()

    await expect(visitor.channel.get_by_role("img", name="pasted.png")).to_be_visible()
    assert (await studio.file((await studio.messages())[0]["files"][0]["id"])) == PIXEL


async def test_files_can_be_dropped_on_a_thread(visitor: Visitor, studio: Workspace) -> None:
    ts = await studio.say("ben", "the parent")
    await visitor.message("the parent").hover()
    await visitor.message("the parent").get_by_role("button", name="Reply in thread").click()
    drop = """(thread) => {
        const data = new DataTransfer();
        data.items.add(new File(["notes"], "dropped.txt"));
        for (const type of ["dragover", "drop"]) {
            thread.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
        }
    }"""
    await visitor.thread.evaluate(drop)
    await visitor.reply("with notes")

    await expect(visitor.thread.get_by_role("link", name="Download dropped.txt")).to_be_visible()
    assert [one.get("files", [{}])[0].get("name") for one in await studio.thread(ts)] == [None, "dropped.txt"]


async def test_channels_say_who_may_do_what(visitor: Visitor, studio: Workspace) -> None:
    places = visitor.page.get_by_role("navigation")
    await places.get_by_role("button", name="attic, archived").click()
    await expect(visitor.channel).to_contain_text("#attic is archived")
    await expect(visitor.composer).to_be_hidden()

    await places.get_by_role("button", name="lobby").click()
    await visitor.channel.get_by_role("button", name="Add Dailies").click()
    await expect(visitor.channel.get_by_text("Dailies is not in this channel")).to_be_hidden()

    await studio.post("/channel", action="create", name="side", members=["ben"])
    await places.get_by_role("button", name="side, you are not a member").click()
    await visitor.channel.get_by_role("button", name="Join the channel").click()
    await visitor.say("hello side")
    await expect(visitor.message("hello side")).to_be_visible()

    await visitor.become("Gus Weber")
    await expect(places.get_by_role("button", name="side")).to_have_count(0)
    await expect(places.get_by_role("button", name="private")).to_have_count(0)


async def test_an_unread_channel_stands_out_until_it_is_opened(visitor: Visitor, studio: Workspace) -> None:
    await studio.say("ben", "over here", channel="#dailies-two")
    unread = visitor.page.get_by_role("button", name="dailies-two, unread")
    await unread.click()

    await expect(visitor.message("over here")).to_be_visible()
    await expect(unread).to_have_count(0)


async def test_my_own_message_can_be_changed_and_deleted(visitor: Visitor, studio: Workspace) -> None:
    await visitor.say("a tpyo for @ben")
    message = visitor.message("a tpyo")
    await message.hover()
    await message.get_by_role("button", name="More actions").click()
    await visitor.page.get_by_role("menuitem", name="Edit message").click()
    field = visitor.page.get_by_role("dialog").get_by_role("textbox")
    await expect(field).to_have_value("a tpyo for @ben")
    await field.fill("a typo for @ben")
    await visitor.page.get_by_role("button", name="Save").click()
    message = visitor.message("a typo for @Ben Okafor")
    await expect(message).to_be_visible()

    await message.hover()
    await message.get_by_role("button", name="More actions").click()
    await visitor.page.get_by_role("menuitem", name="Delete message").click()
    await visitor.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(message).to_have_count(0)
    assert await studio.messages() == []


async def test_a_parent_that_was_deleted_leaves_a_mark(visitor: Visitor, studio: Workspace) -> None:
    ts = await studio.say("ben", "the parent")
    await studio.say("chloe", "a reply", thread=ts)
    await studio.delete("ben", ts)

    await expect(visitor.message("This message was deleted.")).to_contain_text("1 reply")


async def test_thousands_of_messages_stay_quick_and_the_earlier_ones_can_be_had(
    context: BrowserContext, sandbox: Sandbox
) -> None:
    workspace = sandbox.slack.workspace
    for number in range(2000):
        text, author = f"message {number:04}", workspace.person("maya" if number % 2 else "ben")
        draft = Draft(text=text, blocks=rich_text(text, workspace.ids))
        sandbox.slack.timeline.post(workspace.channel(CHANNEL), author, draft)
    visitor = await Visitor.arrive(await context.new_page(), sandbox.slack_origin)
    articles = visitor.channel.get_by_role("article")
    await expect(visitor.message("message 1999")).to_be_in_viewport()
    assert await articles.count() < 100

    await visitor.say("and one more")
    await expect(visitor.message("and one more")).to_be_in_viewport()
    await visitor.channel.get_by_role("button", name="Show earlier messages").click()
    await expect(visitor.channel.get_by_text("message 1900")).to_have_count(1)


async def test_the_page_comes_back_by_itself_when_its_socket_breaks(
    context: BrowserContext, sandbox: Sandbox, studio: Workspace
) -> None:
    page = await context.new_page()
    sockets: list[WebSocketRoute] = []

    def pass_on(route: WebSocketRoute) -> None:
        sockets.append(route)
        route.connect_to_server()

    await page.route_web_socket(re.compile("/page/live"), pass_on)
    visitor = await Visitor.arrive(page, sandbox.slack_origin)
    await studio.say("ben", "before")
    await expect(visitor.message("before")).to_be_visible()

    await sockets[0].close(code=1011)
    await studio.say("ben", "meanwhile")

    await expect(visitor.message("meanwhile")).to_be_visible()
    await expect(visitor.message("before")).to_have_count(1)
    assert len(sockets) == 2
