"""The drawer: the providers' ledger, trouble made and healed, the bot killed."""

import asyncio
import re

import httpx
import pytest
from playwright.async_api import expect
from slack_bolt.async_app import AsyncApp

from bot.sandbox.page import verdict
from bot.sandbox.server import Sandbox
from tests.browser.visitor import Visitor
from tests.sandbox.driver import Workspace

DAILIES = "C0DAILIES1"


async def order(sandbox: Sandbox, studio: Workspace, *, key: str) -> httpx.Response:
    """One clip, ordered at the pretend provider as a bot would."""
    given = {"prompt": f"a mug {key}", "resolution": "480p", "duration": 4}
    task = {"model": "seedance-2.0-mini", "input": given}
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.post(
            f"{studio.environment['HIAPI_BASE_URL']}/v1/tasks",
            json=task,
            headers={
                "Authorization": f"Bearer {studio.environment['HIAPI_API_KEY']}",
                "Idempotency-Key": key,
            },
        )


async def test_troubles_are_made_listed_and_healed(visitor: Visitor, studio: Workspace) -> None:
    await visitor.open_drawer()
    await expect(visitor.drawer).to_contain_text("None: everything works.")
    down = visitor.drawer.get_by_role("button", name="Is down")
    await visitor.drawer.get_by_label("For").select_option("hiapi")

    await down.click()
    await expect(down).to_have_attribute("aria-pressed", "true")
    await visitor.drawer.get_by_role("button", name="Drops the next share").click()
    await visitor.drawer.get_by_role("button", name="Delivers events twice").click()
    await visitor.drawer.get_by_role("button", name="Is out of credits").click()
    listed = visitor.drawer.get_by_role("listitem")
    await expect(listed).to_have_count(4)
    await expect(visitor.page.get_by_role("button", name="3 active troubles")).to_be_visible()
    rules = {(rule["point"], rule["action"]["kind"], rule["times"]) for rule in await studio.faults()}
    assert rules == {
        ("hiapi:*", "status", -1),
        ("slack:share", "drop", 1),
        ("slack:event", "duplicate", -1),
    }
    assert (await studio.get("/providers/hiapi/ledger"))["balance_micro_usd"] == 0
    assert (await studio.get("/providers/muapi/ledger"))["balance_micro_usd"] > 0

    await down.click()
    await expect(listed).to_have_count(3)
    await visitor.drawer.get_by_label("For").select_option("Every provider")
    await visitor.drawer.get_by_role("button", name="Loses the next answer").click()
    await expect(visitor.drawer).to_contain_text("Every provider: loses the next answer (once)")
    assert ("*:create", "reset", 1) in {
        (rule["point"], rule["action"]["kind"], rule["times"]) for rule in await studio.faults()
    }
    await visitor.drawer.get_by_role("button", name="Heal all").click()
    await expect(visitor.drawer).to_contain_text("None: everything works.")
    assert await studio.faults() == []
    assert (await studio.get("/providers/hiapi/ledger"))["balance_micro_usd"] == 100_000_000


async def test_charges_are_counted_against_clips(visitor: Visitor, sandbox: Sandbox, studio: Workspace) -> None:
    await visitor.open_drawer()
    shown = visitor.drawer.locator("#verdict")
    await expect(shown).to_have_text("0 charges, 0 clips")
    await studio.post("/providers/hiapi/settings", render_seconds=60)

    assert (await order(sandbox, studio, key="one")).status_code == 200
    await expect(shown).to_have_text("1 charge, 0 clips")
    await expect(visitor.drawer).to_contain_text("1 clip being rendered.")
    await expect(visitor.drawer.get_by_role("row", name="a mug one")).to_contain_text("at work")


async def test_the_verdict_is_red_while_a_clip_is_missing_and_when_one_stands_twice(
    app: AsyncApp,
    visitor: Visitor,
    sandbox: Sandbox,
    studio: Workspace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(verdict, "GRACE_SECONDS", 0.3)
    await studio.post("/providers/hiapi/settings", render_seconds=0)
    await visitor.open_drawer()
    shown, wrongs = visitor.drawer.locator("#verdict"), visitor.drawer.get_by_role("list", name="What went wrong")

    async def deliver() -> None:
        await app.client.files_upload_v2(channel=DAILIES, filename="dailies-1-480p-one.mp4", content=b"a clip")

    await order(sandbox, studio, key="one-1")
    await expect(wrongs).to_have_text("Paid for, and no clip came: “a mug one-1”.")
    await expect(shown).to_have_class("verdict wrong")
    await expect(shown).to_have_text("1 charge, 0 clips")

    await deliver()
    await expect(shown).to_have_text("1 charge, 1 clip")
    await expect(shown).to_have_class("verdict")
    await expect(wrongs).to_be_hidden()

    await deliver()
    await expect(wrongs).to_have_text("The clip dailies-1-480p-one.mp4 stands twice.")
    await expect(shown).to_have_class("verdict wrong")


async def test_troubles_that_others_made_are_shown_as_they_are(visitor: Visitor, studio: Workspace) -> None:
    await studio.fault("slack:chat.update", "before", "ratelimit", retry_after="3", times=2)
    await visitor.open_drawer()

    await expect(visitor.drawer.get_by_role("listitem")).to_have_text("slack:chat.update, before: ratelimit (2×)")


async def test_the_bot_is_killed_only_after_a_question(visitor: Visitor, studio: Workspace) -> None:
    victim = await asyncio.create_subprocess_exec("sleep", "60")
    await visitor.open_drawer()
    kill = visitor.drawer.get_by_role("button", name="Kill the bot")
    await expect(kill).to_be_disabled()
    await studio.bot_is(victim.pid)

    await kill.click()
    await visitor.page.get_by_role("button", name="Let it live").click()
    assert victim.returncode is None
    await kill.click()
    await visitor.page.get_by_role("button", name="Kill it").click()

    assert await asyncio.wait_for(victim.wait(), 10) == -9
    await expect(kill).to_be_disabled()


async def test_the_first_step_is_a_line_that_one_click_types_and_enter_sends(visitor: Visitor) -> None:
    line = "/clip a red panda surfing --takes 2"
    await visitor.page.get_by_role("region", name="First steps").get_by_role("button", name=line).click()
    await expect(visitor.composer).to_have_value(line)
    await expect(visitor.composer).to_be_focused()
    await visitor.page.keyboard.press("Enter")

    await expect(visitor.toast).to_contain_text("Dailies is not connected")
    await expect(visitor.composer).to_have_value(line)


async def test_a_first_step_is_ticked_by_the_clips_that_came_of_it(
    app: AsyncApp, visitor: Visitor, studio: Workspace
) -> None:
    """Neither an ask, nor a rocket, nor a friendly word is a clip yet. The bot's lines are as it writes them."""
    steps = visitor.page.get_by_role("region", name="First steps")
    ticks = steps.get_by_role("img", name="done")
    card = str((await app.client.chat_postMessage(channel=DAILIES, text="*Draft*, asked for by Maya"))["ts"])

    async def delivered(number: int, recipe: str, origin: str = "") -> None:
        resolution, *_ = recipe.split(" · ")
        await app.client.files_upload_v2(
            channel=DAILIES,
            thread_ts=card,
            filename=f"dailies-{number}-{resolution}-job{number}.mp4",
            content=b"a clip",
            initial_comment=f"*#{number}* · {recipe} · ready in 4 s · $0.32 · HiAPI{origin}",
        )
        await expect(visitor.channel.get_by_role("button", name=re.compile(f"^{number} repl"))).to_be_visible()

    await delivered(1, "480p · 4 s · 16:9 · sound")
    await delivered(2, "720p · 4 s · 16:9 · sound")
    await expect(ticks).to_have_count(0)
    await delivered(3, "480p · 4 s · 16:9 · sound")
    await expect(ticks).to_have_count(1)

    first = next(message for message in await studio.thread(card) if message.get("files"))
    await studio.react("maya", first["ts"], "rocket")
    await studio.say("maya", "nice one!", thread=card)
    await delivered(5, "480p · 4 s · 16:9 · sound", " · Variant of #1: sound on → off")
    await expect(ticks).to_have_count(1)

    await delivered(6, "720p · 4 s · 16:9 · sound", " · Final of #1: same recipe again at 720p")
    await expect(steps.get_by_role("listitem").nth(1)).to_have_class("done")
    await expect(ticks).to_have_count(2)
    await delivered(7, "480p · 4 s · 9:16 · sound", " · Variant of #1: ratio 16:9 → 9:16")
    await expect(ticks).to_have_count(3)

    card = await studio.say("maya", "<@U0DAILIES1> it moves", files=[("mug.png", b"a picture")])
    await expect(ticks).to_have_count(3)
    await delivered(1, "480p · 4 s · 16:9 · sound")
    await expect(steps).to_contain_text("That is how Dailies works")
    await expect(ticks).to_have_count(4)


async def test_the_first_steps_can_be_waved_away_for_good(visitor: Visitor) -> None:
    steps = visitor.page.get_by_role("region", name="First steps")
    await steps.get_by_role("button", name="Dismiss the first steps").click()
    await expect(steps).to_be_hidden()
    await visitor.page.reload()

    await expect(visitor.composer).to_be_visible()
    await expect(steps).to_be_hidden()
