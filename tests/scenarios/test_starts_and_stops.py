"""How the bot starts and stops: with Slack away, and in the midst of everything."""

import time
from pathlib import Path

import pytest

from tests.sandbox.driver import root_of
from tests.scenarios.bot import Stage
from tests.scenarios.conftest import HTTP_IN_THE_STORM, MakeStage
from tests.scenarios.threads import DRAFT

STOP_SECONDS = 10.0


@pytest.mark.row("F89")
@HTTP_IN_THE_STORM
@pytest.mark.timeout(120)
async def test_a_polite_stop_in_the_midst_of_everything_loses_and_doubles_nothing(
    stage: MakeStage, tmp_path: Path
) -> None:
    """One ask is held up in each state; then SIGTERM. Within ten seconds it has ended, and a new start brings every
    clip once and charges for each once."""
    async with stage(tmp_path, PROVIDER_CONCURRENCY="2") as play:
        await play.provider(fidelity="cached", render_seconds=[0.1, 0.1])
        await play.studio.slash("maya", "/clip a question --takes 4")
        await play.studio.fault("slack:upload", "before", "hang")
        await ask_until(play, "an upload", "delivering")
        await play.studio.fault("hiapi:download", "before", "hang", times=-1, match={"prompt": "a download"})
        await ask_until(play, "a download", "downloading")
        await play.studio.fault("hiapi:outcome", "do", "slow", factor=60, match={"prompt": "a render"})
        await ask_until(play, "a render", "rendering")
        await play.studio.fault("hiapi:create", "amid", "hang", match={"prompt": "an order"})
        await ask_until(play, "an order", "submitting")
        await ask_until(play, "a place", "queued")
        states = {row["state"] for row in play.bot.rows("select state from jobs")}
        assert states == {"waiting", "queued", "submitting", "rendering", "downloading", "delivering"}

        begun = time.monotonic()
        assert await play.bot.terminate() == 0
        assert time.monotonic() - begun < STOP_SECONDS
        await play.studio.heal()
        await play.start_bot()

        await play.studio.click("maya", await play.card("a question"), "clip.confirm")
        await play.at_rest(timeout=40)
        assert {row["state"] for row in play.bot.rows("select state from jobs")} == {"delivered"}
        assert len(await play.clip_messages()) == len(await play.ledger()) == 9
        roots = [one for one in await play.studio.messages() if one["ts"] == root_of(one)]
        assert len(roots) == 6
        assert play.sums()["held_micro_usd"] == 0
        assert play.sums()["settled_micro_usd"] == 9 * DRAFT
        assert "Traceback" not in play.bot.log()


@HTTP_IN_THE_STORM
async def test_with_slack_away_at_the_start_the_bot_stays_up_and_connects_when_it_comes(
    stage: MakeStage, tmp_path: Path
) -> None:
    async with stage(tmp_path, start=False) as play:
        await play.provider(fidelity="cached")
        await play.studio.fault("slack:*", "before", "close", times=-1)
        await play.launch()
        await play.until_logged("slack.away", times=2)

        await play.studio.heal()
        await play.listening()

        await play.studio.slash("maya", "/clip a lantern")
        await play.clips(1)


async def ask_until(play: Stage, prompt: str, state: str) -> None:
    """Ask for a clip and wait until its job is in that state."""
    answer = await play.studio.slash("maya", f"/clip {prompt}")
    assert answer["acked"], answer
    await play.until_rows("select 1 from jobs where recipe like ? and state = ?", f"%{prompt}%", state)
