"""Block Kit on the page: what people press reaches the app as Slack would send it."""

import asyncio
from typing import Any

from playwright.async_api import expect
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from tests.browser.visitor import Visitor
from tests.sandbox.driver import Workspace

Json = dict[str, Any]
CHANNEL = "C0DAILIES1"


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def option(text: str, value: str) -> Json:
    return {"text": plain(text), "value": value}


def confirm(text: str) -> Json:
    return {"title": plain("Sure?"), "text": plain(text), "confirm": plain("Do it"), "deny": plain("Leave it")}


def heard(app: AsyncApp, kind: str, name: str) -> "asyncio.Queue[Json]":
    """What the app is told under an action_id or callback_id, acknowledged."""
    told: asyncio.Queue[Json] = asyncio.Queue()

    async def listener(ack: Any, body: Json) -> None:
        await ack()
        told.put_nowait(body)

    getattr(app, kind)(name)(listener)
    return told


async def next_of(told: "asyncio.Queue[Json]") -> Json:
    async with asyncio.timeout(10):
        return await told.get()


async def post(web: AsyncWebClient, *blocks: Json, **more: Any) -> None:
    await web.chat_postMessage(channel=CHANNEL, text="blocks", blocks=list(blocks), **more)


async def test_a_button_asks_first_where_it_says_so(app: AsyncApp, web: AsyncWebClient, visitor: Visitor) -> None:
    told = heard(app, "action", "clip.cancel")
    button = {"type": "button", "action_id": "clip.cancel", "text": plain("Cancel"), "value": "7:1", "style": "danger"}
    await post(web, {"type": "actions", "elements": [button | {"confirm": confirm("It stops.")}]})

    await visitor.channel.get_by_role("button", name="Cancel").click()
    question = visitor.page.get_by_role("dialog", name="Sure?")
    await expect(question).to_contain_text("It stops.")
    await question.get_by_role("button", name="Leave it").click()
    await expect(question).to_be_hidden()
    assert told.empty()

    await visitor.channel.get_by_role("button", name="Cancel").click()
    await question.get_by_role("button", name="Do it").click()
    body = await next_of(told)
    assert (body["user"]["name"], body["actions"][0]["value"]) == ("maya", "7:1")
    assert body["container"]["channel_id"] == CHANNEL


async def test_menus_and_overflows_send_what_was_chosen(app: AsyncApp, web: AsyncWebClient, visitor: Visitor) -> None:
    sizes, more = heard(app, "action", "size"), heard(app, "action", "more")
    select = {
        "type": "static_select",
        "action_id": "size",
        "placeholder": plain("Resolution"),
        "options": [option("480p", "480p"), option("720p", "720p")],
    }
    overflow = {"type": "overflow", "action_id": "more", "options": [option("Recipe", "r"), option("Edit…", "e")]}
    await post(web, {"type": "actions", "elements": [select, overflow]})
    await visitor.become("Ben Okafor")

    await visitor.channel.get_by_role("combobox", name="Resolution").select_option("720p")
    await visitor.channel.get_by_role("button", name="More actions").first.click()
    await visitor.page.keyboard.press("ArrowDown")
    await visitor.page.keyboard.press("Enter")

    assert (await next_of(sizes))["actions"][0]["selected_option"]["value"] == "720p"
    chosen = await next_of(more)
    assert (chosen["user"]["name"], chosen["actions"][0]["selected_option"]["value"]) == ("ben", "e")


async def test_a_block_that_the_page_does_not_know_is_named(web: AsyncWebClient, visitor: Visitor) -> None:
    await post(web, {"type": "plan", "title": "Steps"}, {"type": "divider"})

    await expect(visitor.channel.get_by_text("A block of the type “plan”")).to_be_visible()


async def test_a_long_section_is_folded_unless_it_says_expand(web: AsyncWebClient, visitor: Visitor) -> None:
    text = plain("\n".join(f"line {number}" for number in range(40)))
    await post(web, {"type": "section", "text": text}, {"type": "section", "text": text, "expand": True})
    message = visitor.message("line 39")
    sections, height = message.get_by_text("line 39"), "(section) => section.clientHeight"
    await expect(sections).to_have_count(2)
    folded, whole = await sections.nth(0).evaluate(height), await sections.nth(1).evaluate(height)

    await message.get_by_role("button", name="Show more").click()

    assert folded * 3 < whole
    assert await sections.nth(0).evaluate(height) == whole
    await expect(message.get_by_role("button", name="Show less")).to_have_attribute("aria-expanded", "true")


async def test_texts_fields_and_marks_are_drawn(web: AsyncWebClient, visitor: Visitor) -> None:
    text = "*bold* _italic_ ~gone~ `code` <https://example.com/a|a link> <@U0BEN00002> <#C0LOBBY004> :rocket: 5 &lt; 6"
    fields = [{"type": "mrkdwn", "text": "*Price*\n$0.32"}, {"type": "mrkdwn", "text": "<!date^0^{date_num}|old>"}]
    await post(
        web,
        {"type": "header", "text": plain("Heading")},
        {"type": "section", "text": {"type": "mrkdwn", "text": text}, "fields": fields},
        {"type": "section", "text": plain("*not bold* <b>not HTML</b>")},
        {"type": "context", "elements": [{"type": "mrkdwn", "text": "> quoted\nsmall"}]},
    )

    message = visitor.message("Heading")
    await expect(message.locator("strong").first).to_have_text("bold")
    await expect(message.locator("em")).to_have_text("italic")
    await expect(message.locator("s")).to_have_text("gone")
    await expect(message.locator("code")).to_have_text("code")
    await expect(message.get_by_role("link", name="a link")).to_have_attribute("href", "https://example.com/a")
    await expect(message.get_by_text("@Ben Okafor")).to_be_visible()
    await expect(message.get_by_role("button", name="#lobby")).to_be_visible()
    await expect(message.get_by_role("img", name="rocket")).to_have_text("🚀")
    await expect(message).to_contain_text("5 < 6")
    await expect(message).to_contain_text("*not bold* <b>not HTML</b>")
    await expect(message.locator("time").last).to_have_text("1970-01-01")


async def test_a_modal_is_filled_in_corrected_and_submitted(
    app: AsyncApp, web: AsyncWebClient, studio: Workspace, visitor: Visitor
) -> None:
    submitted: asyncio.Queue[Json] = asyncio.Queue()
    await studio.configure(
        shortcuts=[{"name": "New clip", "type": "global", "callback_id": "new", "description": "Draft a clip"}]
    )

    async def begin(ack: Any, body: Json) -> None:
        await ack()
        await web.views_open(trigger_id=body["trigger_id"], view=MODAL)

    async def take(ack: Any, body: Json) -> None:
        values = body["view"]["state"]["values"]
        if "bad" in values["prompt"]["text"]["value"]:
            await ack(response_action="errors", errors={"prompt": "Not that one."})
            return
        await ack()
        submitted.put_nowait(values)

    app.shortcut("new")(begin)
    app.view("new_clip")(take)
    await visitor.channel.get_by_role("button", name="Shortcuts").click()
    await visitor.page.get_by_role("menuitem", name="New clip").click()
    modal = visitor.page.get_by_role("dialog", name="New clip")

    await modal.get_by_role("button", name="Draft").click()
    await expect(modal.get_by_text("Please fill this in.").first).to_be_visible()
    await modal.get_by_label("Prompt").fill("a bad idea")
    await modal.get_by_label("Resolution").select_option("720p")
    await modal.get_by_label("Portrait").check()
    await modal.get_by_label("Sound").check()
    await modal.get_by_label("Seconds").fill("8")
    await modal.get_by_label("Pictures").set_input_files(
        {"name": "mug.png", "mimeType": "image/png", "buffer": b"\x89PNG"}
    )
    await expect(modal.get_by_text("mug.png")).to_be_visible()
    await modal.get_by_role("button", name="Draft").click()
    await expect(modal.get_by_text("Not that one.")).to_be_visible()
    await modal.get_by_label("Prompt").fill("a good idea")
    await modal.get_by_role("button", name="Draft").click()

    await expect(modal).to_be_hidden()
    values = await next_of(submitted)
    assert values["prompt"]["text"]["value"] == "a good idea"
    assert values["res"]["res"]["selected_option"]["value"] == "720p"
    assert values["ratio"]["ratio"]["selected_option"]["value"] == "9:16"
    assert [one["value"] for one in values["more"]["more"]["selected_options"]] == ["audio"]
    assert values["dur"]["dur"]["value"] == "8"
    assert [one["name"] for one in values["files"]["files"]["files"]] == ["mug.png"]


async def test_a_text_of_the_wrong_length_is_told_under_its_input_and_not_sent(
    app: AsyncApp, web: AsyncWebClient, visitor: Visitor
) -> None:
    """Also an initial value, and what was pasted; an optional input may stay empty."""
    name = {"type": "plain_text_input", "min_length": 4, "max_length": 6, "initial_value": "mug"}
    note = {"type": "plain_text_input", "multiline": True, "min_length": 2, "max_length": 5}
    blocks = [field("name", "text", "Name", name), field("note", "text", "Note", note, optional=True)]
    submitted: asyncio.Queue[Json] = asyncio.Queue()

    async def begin(ack: Any, body: Json) -> None:
        await ack()
        await web.views_open(trigger_id=body["trigger_id"], view=MODAL | {"blocks": blocks})

    async def taken(ack: Any, view: Json) -> None:
        await ack()
        submitted.put_nowait(view["state"]["values"])

    app.command("/clip")(begin)
    app.view("new_clip")(taken)
    await visitor.say("/clip")
    modal = visitor.page.get_by_role("dialog", name="New clip")
    send, errors = modal.get_by_role("button", name="Draft"), modal.get_by_role("alert")

    await send.click()
    await expect(errors).to_have_text(["Please write at least 4 characters; there are 3."])
    await expect(modal.get_by_label("Name")).to_be_focused()
    await modal.get_by_label("Name").fill("mugs and more")
    await modal.get_by_label("Note").fill("!")
    await send.click()
    await expect(errors).to_have_text(
        ["Please write at most 6 characters; there are 13.", "Please write at least 2 characters; there is 1."]
    )
    await modal.get_by_label("Name").fill("mugs 🚀")
    await modal.get_by_label("Note").fill("")
    await send.click()

    await expect(modal).to_be_hidden()
    assert submitted.qsize() == 1
    assert (await next_of(submitted))["name"]["text"]["value"] == "mugs 🚀"


async def test_modals_are_updated_pushed_and_closed_one_by_one(
    app: AsyncApp, web: AsyncWebClient, studio: Workspace, visitor: Visitor
) -> None:
    closed: asyncio.Queue[Json] = asyncio.Queue()
    prices: asyncio.Queue[str] = asyncio.Queue()

    async def begin(ack: Any, body: Json) -> None:
        await ack()
        await web.views_open(trigger_id=body["trigger_id"], view=MODAL)

    async def price(ack: Any, body: Json) -> None:
        await ack()
        prompt = body["view"]["state"]["values"]["prompt"]["text"]["value"]
        prices.put_nowait(prompt)
        line = {"type": "context", "block_id": "price", "elements": [plain(f"{len(prompt)} letters")]}
        await web.views_update(view_id=body["view"]["id"], view=MODAL | {"blocks": [*MODAL["blocks"], line]})

    async def more(ack: Any, body: Json) -> None:
        await ack()
        upper = {"type": "modal", "title": plain("On top"), "notify_on_close": True, "callback_id": "top"}
        blocks = [{"type": "section", "text": plain("A second window")}]
        await web.views_push(trigger_id=body["trigger_id"], view=upper | {"blocks": blocks})

    async def gone(ack: Any, body: Json) -> None:
        await ack()
        closed.put_nowait(body)

    app.command("/clip")(begin)
    app.action("res")(price)
    app.action("more_button")(more)
    app.view_closed("top")(gone)
    await visitor.say("/clip")
    modal = visitor.page.get_by_role("dialog", name="New clip")
    await modal.get_by_label("Prompt").fill("mug")
    await modal.get_by_label("Resolution").select_option("720p")
    await expect(modal.get_by_text("3 letters")).to_be_visible()
    assert prices.get_nowait() == "mug"
    await expect(modal.get_by_label("Prompt")).to_have_value("mug")
    await expect(modal.get_by_label("Resolution")).to_have_value("720p")

    await modal.get_by_role("button", name="More…").click()
    upper = visitor.page.get_by_role("dialog", name="On top")
    await expect(upper).to_contain_text("A second window")
    await visitor.page.keyboard.press("Escape")
    await expect(upper).to_be_hidden()
    assert (await next_of(closed))["view"]["callback_id"] == "top"
    await expect(modal.get_by_label("Prompt")).to_have_value("mug")
    await modal.get_by_role("button", name="Close").last.click()
    await expect(modal).to_be_hidden()


async def test_the_home_tab_shows_what_the_app_published(
    app: AsyncApp, web: AsyncWebClient, studio: Workspace, visitor: Visitor
) -> None:
    pressed = heard(app, "action", "clip.new")

    async def opened(event: Json) -> None:
        button = {"type": "button", "action_id": "clip.new", "text": plain("New clip")}
        blocks = [{"type": "header", "text": plain("Spent this month")}, {"type": "actions", "elements": [button]}]
        if event["tab"] == "home":
            await web.views_publish(user_id=event["user"], view={"type": "home", "blocks": blocks})

    app.event("app_home_opened")(opened)
    await studio.configure(subscriptions=["app_home_opened", "message.im"])
    await visitor.page.get_by_role("button", name="Dailies", exact=True).click()
    await visitor.page.get_by_role("tab", name="Home").click()

    await expect(visitor.page.get_by_role("heading", name="Spent this month")).to_be_visible()
    await visitor.page.get_by_role("tabpanel").get_by_role("button", name="New clip").click()
    assert (await next_of(pressed))["view"]["type"] == "home"


async def test_a_message_shortcut_takes_its_message_along(app: AsyncApp, studio: Workspace, visitor: Visitor) -> None:
    told = heard(app, "shortcut", "animate")
    await studio.configure(
        shortcuts=[{"name": "Animate this", "type": "message", "callback_id": "animate", "description": "A clip"}]
    )
    ts = await studio.say("ben", "my mug")

    message = visitor.message("my mug")
    await message.hover()
    await message.get_by_role("button", name="More actions").click()
    await visitor.page.get_by_role("menuitem", name="Animate this").click()

    body = await next_of(told)
    assert (body["message"]["ts"], body["user"]["name"]) == (ts, "maya")


def field(block_id: str, action_id: str, label: str, element: Json, **more: Any) -> Json:
    made = {"type": "input", "block_id": block_id, "label": plain(label)}
    return made | {"element": element | {"action_id": action_id}} | more


MODAL: Json = {
    "type": "modal",
    "callback_id": "new_clip",
    "title": plain("New clip"),
    "submit": plain("Draft"),
    "blocks": [
        field("prompt", "text", "Prompt", {"type": "plain_text_input", "multiline": True}),
        field(
            "res",
            "res",
            "Resolution",
            {"type": "static_select", "options": [option("480p", "480p"), option("720p", "720p")]},
            dispatch_action=True,
        ),
        field(
            "ratio",
            "ratio",
            "Ratio",
            {"type": "radio_buttons", "options": [option("Landscape", "16:9"), option("Portrait", "9:16")]},
        ),
        field("more", "more", "More", {"type": "checkboxes", "options": [option("Sound", "audio")]}, optional=True),
        field("dur", "dur", "Seconds", {"type": "number_input", "is_decimal_allowed": False}, optional=True),
        field("files", "files", "Pictures", {"type": "file_input", "filetypes": ["png"]}, optional=True),
        {
            "type": "actions",
            "block_id": "buttons",
            "elements": [{"type": "button", "action_id": "more_button", "text": plain("More…")}],
        },
    ],
}
