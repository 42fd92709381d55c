"""Modals and the Home tab: opened by a trigger, stacked, submitted, closed."""

import asyncio
from typing import Any

import pytest
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.sandbox.conftest import Connect
from tests.sandbox.driver import Refused, Workspace
from tests.sandbox.pieces import Json, card, settled


def modal(**more: Any) -> Json:
    """A modal with a prompt and a menu."""
    prompt = {"type": "plain_text_input", "action_id": "text"}
    choices = [{"text": {"type": "plain_text", "text": one}, "value": one} for one in ("480p", "720p")]
    menu = {"type": "static_select", "action_id": "res", "options": choices, "initial_option": choices[0]}
    return {
        "type": "modal",
        "callback_id": "new_clip",
        "title": {"type": "plain_text", "text": "New clip"},
        "submit": {"type": "plain_text", "text": "Make"},
        "blocks": [
            {
                "type": "input",
                "block_id": "prompt",
                "label": {"type": "plain_text", "text": "Prompt"},
                "element": prompt,
            },
            {
                "type": "input",
                "block_id": "resolution",
                "label": {"type": "plain_text", "text": "Size"},
                "element": menu,
            },
        ],
        **more,
    }


async def test_a_modal_opens_by_a_fresh_trigger_once(studio: Workspace, web: AsyncWebClient, heard: list[Json]) -> None:
    await studio.configure(trigger_seconds=0.3)
    await studio.shortcut("maya", "new_clip")
    trigger_id = heard[0]["trigger_id"]
    opened = await web.views_open(trigger_id=trigger_id, view=modal())
    assert opened["view"]["callback_id"] == "new_clip"
    for trigger, error in ((trigger_id, "exchanged_trigger_id"), ("1.2.abc", "invalid_trigger_id")):
        with pytest.raises(SlackApiError, match=error):
            await web.views_open(trigger_id=trigger, view=modal())
    await studio.shortcut("maya", "new_clip")
    await asyncio.sleep(0.35)  # the trigger's life is what is tested
    with pytest.raises(SlackApiError, match="expired_trigger_id"):
        await web.views_open(trigger_id=heard[1]["trigger_id"], view=modal())


async def test_a_submission_carries_what_was_typed_and_what_was_left_alone(
    studio: Workspace, web: AsyncWebClient, heard: list[Json]
) -> None:
    await studio.shortcut("maya", "new_clip")
    await web.views_open(trigger_id=heard[0]["trigger_id"], view=modal(private_metadata="C1"))
    await studio.submit("maya", prompt="a red panda")
    submission = next(one for one in heard if one["type"] == "view_submission")
    values = submission["view"]["state"]["values"]
    assert values["prompt"]["text"] == {"type": "plain_text_input", "value": "a red panda"}
    assert values["resolution"]["res"]["selected_option"]["value"] == "480p"
    assert submission["view"]["private_metadata"] == "C1"
    with pytest.raises(Refused, match="no_open_view"):
        await studio.submit("maya", prompt="again")


async def test_errors_keep_a_modal_open_and_stand_under_their_blocks(
    studio: Workspace, web: AsyncWebClient, app: AsyncApp, connect: Connect
) -> None:
    @app.shortcut("new_clip")
    async def shortcut(ack: Any, shortcut: Json) -> None:
        await ack()
        await web.views_open(trigger_id=shortcut["trigger_id"], view=modal())

    @app.view("new_clip")
    async def submitted(ack: Any, view: Json) -> None:
        text = view["state"]["values"]["prompt"]["text"]["value"]
        if text is None:
            await ack(response_action="errors", errors={"prompt": "Say what is to be seen."})
        else:
            await ack()

    await connect(app)
    await studio.shortcut("maya", "new_clip")
    await studio.wait_until(lambda state: state["views"], what="the modal is open")
    await studio.submit("maya")
    (view,) = (await studio.state())["views"]
    assert (view["is_open"], view["notes"]) == (True, {"prompt": "Say what is to be seen."})
    await studio.submit("maya", prompt="a red panda", resolution="720p")
    assert (await studio.state())["views"][0]["is_open"] is False


async def test_three_modals_stack_and_no_fourth(studio: Workspace, web: AsyncWebClient, heard: list[Json]) -> None:
    button = card("Deeper")[0]
    await studio.shortcut("maya", "new_clip")
    view = (await web.views_open(trigger_id=heard[0]["trigger_id"], view=modal(blocks=[button])))["view"]
    for depth in (2, 3):
        await studio.post("/click", user="maya", view_id=view["id"], action_id="clip.deeper")
        view = (await web.views_push(trigger_id=heard[-1]["trigger_id"], view=modal(blocks=[button])))["view"]
        assert len((await studio.state())["views"]) == depth
    await studio.post("/click", user="maya", view_id=view["id"], action_id="clip.deeper")
    with pytest.raises(SlackApiError, match="push_limit_reached"):
        await web.views_push(trigger_id=heard[-1]["trigger_id"], view=modal())


async def test_an_update_with_a_stale_hash_is_refused(
    studio: Workspace, web: AsyncWebClient, heard: list[Json]
) -> None:
    await studio.shortcut("maya", "new_clip")
    view = (await web.views_open(trigger_id=heard[0]["trigger_id"], view=modal()))["view"]
    await web.views_update(view_id=view["id"], hash=view["hash"], view=modal())
    with pytest.raises(SlackApiError, match="hash_conflict"):
        await web.views_update(view_id=view["id"], hash=view["hash"], view=modal())


async def test_closing_a_modal_is_told_only_when_it_asks_for_that(
    studio: Workspace, web: AsyncWebClient, heard: list[Json]
) -> None:
    for notify in (False, True):
        await studio.shortcut("maya", "new_clip")
        await web.views_open(trigger_id=heard[-1]["trigger_id"], view=modal(notify_on_close=notify))
        await studio.post("/close_view", user="maya")
    assert [one["type"] for one in heard] == ["shortcut", "shortcut", "view_closed"]


async def test_a_published_home_tab_is_there_when_it_is_opened_again(
    studio: Workspace, web: AsyncWebClient, heard: list[Json]
) -> None:
    await studio.configure(subscriptions=["app_home_opened"])
    await studio.post("/home", user="maya")
    home = {"type": "home", "blocks": card("Begin")}
    await web.views_publish(user_id="U0MAYA0001", view=home)
    await studio.post("/home", user="maya")
    await studio.post("/click", user="maya", home=True, action_id="clip.begin")
    await settled(studio)
    first, second = [one for one in heard if one["type"] == "app_home_opened"]
    assert "view" not in first
    assert second["view"]["type"] == "home"
    assert heard[-1]["container"]["type"] == "view"
