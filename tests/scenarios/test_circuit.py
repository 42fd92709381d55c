"""A provider that takes no orders: clips wait with one word to their channel, nothing held and nothing charged; what is
nobody's choice is made elsewhere; and everything goes on by itself."""

from pathlib import Path

import pytest

from tests.sandbox.driver import CHANNEL, Json
from tests.scenarios.bot import Stage
from tests.scenarios.conftest import HTTP_IN_THE_STORM, MakeStage

pytestmark = HTTP_IN_THE_STORM


async def told(play: Stage, words: str) -> list[Json]:
    """The messages in the channel, outside threads, that say this."""
    messages = await play.studio.messages(channel=CHANNEL)
    return [one for one in messages if words in one["text"] and not one.get("thread_ts")]


@pytest.mark.row("F31")
async def test_an_empty_account_is_told_once_and_when_it_is_filled_every_clip_comes(
    stage: MakeStage, tmp_path: Path
) -> None:
    async with stage(tmp_path, PROVIDERS="hiapi", CONFIRM_ABOVE_USD="9", ADMIN_USERS="") as play:
        await play.provider(balance=0)
        await play.studio.slash("maya", "/clip a red panda --takes 3")
        await play.studio.slash("ben", "/clip a whale")
        waiting = "select 1 from jobs where wait_reason = 'provider_credit' group by wait_reason having count(*) = 4"
        await play.until_rows(waiting)
        notice = await play.card("The account at HiAPI is empty")
        assert "Top up at HiAPI" in notice["text"]
        assert play.sums()["held_micro_usd"] == 0
        card = await play.studio.message_where(
            lambda one: bool(one.get("blocks")) and "*#1*" in one["text"] and "*waiting*" in one["text"],
            what="the card says that it waits",
        )
        assert "Use another provider" in str(card["blocks"])

        await play.provider(balance=100)
        await play.clips(4, timeout=40)
        await play.at_rest()
        await play.card("takes orders again")
        assert len(await told(play, "HiAPI is empty. Top up at HiAPI")) == 1
        assert len(await told(play, "takes orders again")) == 1
        assert len(await play.ledger()) == 4


@pytest.mark.storm
async def test_what_is_nobodys_choice_is_made_elsewhere_and_who_named_the_provider_is_asked(
    stage: MakeStage, tmp_path: Path
) -> None:
    """Muapi asks the same price here and is second in the operator's order."""
    async with stage(tmp_path, PROVIDERS="hiapi,muapi") as play:
        await play.provider(balance=0)
        await play.studio.post("/providers/muapi/settings", render_seconds=[0.2, 0.4])
        await play.studio.slash("maya", "/clip a red panda")
        await play.clips(1)
        await play.studio.message_where(
            lambda one: "made by Muapi at $0.32 a clip" in str(one.get("blocks")), what="the card says who makes it"
        )
        assert await play.ledger() == []

        await play.studio.slash("ben", "/clip a whale --provider hiapi")
        card = await play.studio.message_where(
            lambda one: "a whale" in one["text"] and "*waiting*" in one["text"], what="Ben's clip waits"
        )
        await play.studio.click("ben", card, "clip.use_another_provider")
        await play.clips(2)
        await play.at_rest()
        assert await play.ledger() == []
        charges = (await play.studio.get("/providers/muapi/ledger"))["charges"]
        assert len(charges) == 2
        assert play.sums()["settled_micro_usd"] == 640_000
        assert [row["provider"] for row in play.bot.rows("select provider from jobs")] == ["muapi", "muapi"]
