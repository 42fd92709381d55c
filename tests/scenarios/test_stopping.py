"""*Cancel* where the provider can stop what it renders: it is asked once, what it charged is what is booked, and a clip
that was ready all the same is kept."""

import asyncio
import time
from pathlib import Path

from tests.sandbox.driver import PATIENCE_SECONDS, Json, NeverHappened
from tests.scenarios.bot import Stage
from tests.scenarios.conftest import HTTP_IN_THE_STORM, MakeStage

PRICE = 4 * 70_000


async def card_says(play: Stage, prompt: str, *words: str) -> Json:
    """Wait until the card of that prompt says all of this."""
    return await play.studio.message_where(
        lambda one: bool(one.get("blocks")) and prompt in one["text"] and all(w in str(one["blocks"]) for w in words),
        what=f"the card of “{prompt}” says {' and '.join(words)}",
    )


async def until_ready(play: Stage, prompt: str, *, timeout: float = PATIENCE_SECONDS) -> None:
    """Wait until the provider has the clip of that prompt, whatever the bot knows of it."""
    deadline = time.monotonic() + timeout
    while True:
        tasks = (await play.studio.get("/providers/empiriolabs/tasks"))["tasks"]
        if any(task["prompt"] == prompt and task["stage"] == "succeeded" for task in tasks):
            return
        if time.monotonic() > deadline:
            raise NeverHappened(f"the provider has “{prompt}” ready: {tasks}", timeout)
        await asyncio.sleep(0.05)


@HTTP_IN_THE_STORM
async def test_a_render_is_stopped_at_its_provider_and_one_that_was_ready_is_kept(
    stage: MakeStage, tmp_path: Path
) -> None:
    async with stage(tmp_path, PROVIDERS="empiriolabs") as play:
        await play.studio.post("/providers/empiriolabs/settings", fidelity="cached", render_seconds=[0.1, 0.1])
        # One is never ready, and of the other the bot's looks are held up until Cancel was pressed.
        await play.studio.fault("empiriolabs:outcome", "do", "slow", factor=600, match={"prompt": "too slow"})
        await play.studio.fault("empiriolabs:get", "before", "hang", times=-1, match={"prompt": "ready already"})
        for prompt in ("ready already", "too slow"):
            await play.studio.slash("maya", f"/clip {prompt}")
        await until_ready(play, "ready already")
        for prompt in ("ready already", "too slow"):
            card = await card_says(play, prompt, "*rendering*")
            assert "EmpirioLabs is asked to stop what it is rendering" in str(card["blocks"])
            await play.studio.click("maya", card, "clip.cancel")
        await card_says(play, "ready already", "EmpirioLabs is asked to stop it")
        await play.studio.heal()
        stopped = await card_says(play, "too slow", "*cancelled*", "EmpirioLabs stopped it")
        assert "does not say that this is free, so $0.28 is counted as spent" in str(stopped["blocks"])
        kept = await card_says(play, "ready already", "*cancelled*", "The clip is kept")
        assert await play.clip_messages() == []

        charges = (await play.studio.get("/providers/empiriolabs/ledger"))["charges"]
        assert [charge["micro_usd"] for charge in charges] == [PRICE, PRICE]
        assert [charge["status"] for charge in charges] == ["settled", "settled"]
        assert play.sums() == {"held_micro_usd": 0, "settled_micro_usd": 2 * PRICE, "released_micro_usd": 0}
        assert (await play.studio.get("/providers/empiriolabs/requests"))["cancel"] == 2, "once each"
        await play.studio.click("maya", kept, "clip.deliver_again")
        await play.clips(1)
