"""``PROVIDERS=sandbox``: a real workspace, and providers that only pretend."""

import json
from pathlib import Path

import pytest

from tests.scenarios.bot import number_of
from tests.scenarios.conftest import HTTP_IN_THE_STORM, MakeStage

pytestmark = HTTP_IN_THE_STORM

FIVE = ("hiapi", "apimart", "muapi", "seedanceapi", "empiriolabs")


@pytest.mark.timeout(120)
async def test_a_team_tries_its_own_workspace_without_a_key_or_money(stage: MakeStage, tmp_path: Path) -> None:
    """Clips of all five stand in the thread, marked as pretended wherever money is spoken of; of the keys and addresses
    that are set, which here lead to the stage's own providers, none is used. The emulation ends with the bot."""
    async with stage(tmp_path, PROVIDERS="sandbox", PRICE_FILE="", CONFIRM_ABOVE_USD="5", PUBLIC_URL="") as play:
        for name in FIVE:
            said = await play.studio.slash("maya", f"/clip a mug by {name} --provider {name}")
            assert "(pretend: nothing is charged)" in said["payload"]["text"], said
        await play.clips(len(FIVE), timeout=90)

        messages = await play.clip_messages()
        assert {number_of(message) for message in messages} == {1}
        assert len(messages) == len(FIVE)
        assert [one["text"] for one in messages if "(pretend: nothing is charged)" not in one["text"]] == []
        made_by = sorted(row["provider"] for row in play.bot.rows("select provider from jobs"))
        assert made_by == sorted(f"pretend-{name}" for name in FIVE)
        await play.card("Pretend Muapi")
        for name in FIVE:
            assert (await play.studio.get(f"/providers/{name}/requests")).get("create", 0) == 0, name

        assert await play.bot.terminate() == 0
        log = [json.loads(line) for line in play.bot.log().splitlines() if line.startswith("{")]
        assert [one["level"] for one in log if one["event"] == "providers.pretend"] == ["warning"]
        code, out, _ = await play.bot.command("doctor")
        assert "pretend" in next(line for line in out.splitlines() if "provider" in line), out
        assert code == 0, out
