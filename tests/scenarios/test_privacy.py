"""Whatever goes wrong: no token, key or address that opens something is ever logged, shown or sent."""

import asyncio
import json
import re
from pathlib import Path

import pytest

from tests.sandbox.driver import Json
from tests.scenarios.bot import Stage
from tests.scenarios.conftest import HTTP_IN_THE_STORM, MakeStage

OPENING = {
    "a Slack token": re.compile(r"xox[a-z]-|xapp-"),
    "a provider's output": re.compile(r"/outputs/[\w-]{8,}"),
    "an upload": re.compile(r"/upload/v1/\w+"),
    "a response_url": re.compile(r"/hooks/\w+/\w+"),
    "a socket's ticket": re.compile(r"/link/\?|ticket="),
    "a bearer": re.compile(r"bearer\s+\S*[\w-]{8,}", re.IGNORECASE),
}
"""Addresses and tokens that open something to whoever has them, as they look in the sandbox."""

SIGNED = "https://cdn.hiapi.ai/outputs/0123456789abcdef/0.mp4?X-Sig=fedcba9876543210"
"""A link that a provider puts into the words of a failure."""

REFUSED = "xoxb-wrong-and-secret"
"""A token that Slack does not know."""

PINGS = "<!channel> <!here> <!everyone> <@U0CHLOE003> <!subteam^S0TEAM00001>"
PINGED = re.compile(r"<!(?:channel|here|everyone|subteam)|<@U0CHLOE003")
"""Chloe asks for nothing here, so that no message has a reason to name her."""


@HTTP_IN_THE_STORM
@pytest.mark.timeout(90)
async def test_no_secret_leaves_by_any_door_however_much_goes_wrong(stage: MakeStage, tmp_path: Path) -> None:
    """Every step fails once, in the ways that put addresses into exceptions, with all there is in the log."""
    async with stage(tmp_path, LOG_LEVEL="debug", CONFIRM_ABOVE_USD="0.5") as play:
        await play.provider(fidelity="cached")
        await everything_fails_once(play)
        # Three asks side by side: while one waits to be tried again, the next runs into its own failures.
        await play.studio.slash("maya", "/clip a storm at sea")
        await play.studio.slash("maya", "/clip a failing storm")
        await play.studio.slash("maya", f"/clip {PINGS} dance")
        await play.studio.slash("maya", "/clip a lobby", channel="#lobby")
        await play.clips(2, timeout=40)
        await play.ephemeral("maya", "/invite", channel="#lobby")
        await play.card("*failed*")
        await play.at_rest()
        await play.studio.say("ben", "promote #1", thread=await play.card("a storm at sea"))
        await play.studio.click("ben", await play.card("Press *Confirm* to spend it"), "clip.confirm")
        await play.clips(3, timeout=40)
        await play.at_rest()
        assert [fault for fault in await play.studio.faults() if fault["fired"] != 1] == []

        seen = await everything_to_be_seen(play)
        for where, text in seen.items():
            assert len(text) > 100, f"{where} says next to nothing: {text}"
            assert opened_by(text, play) == [], where
        for where in ("messages", "ephemerals", "calls"):
            assert PINGED.findall(seen[where]) == [], where


@HTTP_IN_THE_STORM
async def test_a_refused_token_is_reported_without_being_repeated(stage: MakeStage, tmp_path: Path) -> None:
    async with stage(tmp_path, start=False, LOG_LEVEL="debug", LOG_FORMAT="text") as play:
        await play.launch(SLACK_BOT_TOKEN=REFUSED)
        await play.until_logged("slack.away", "invalid_auth")
        assert REFUSED.removeprefix("xoxb-") not in play.bot.log()
        assert opened_by(play.bot.log(), play) == []


async def everything_fails_once(play: Stage) -> None:
    """Failures of every step, alike to those that put an address into an exception."""
    await play.studio.fault("hiapi:create", "before", "close")
    await play.studio.fault("hiapi:get", "before", "status", status=502)
    await play.studio.fault("hiapi:download", "before", "status", status=503)
    await play.studio.fault("hiapi:download", "amid", "half_body", skip=1)
    await play.studio.fault("slack:chat.postMessage", "before", "status", status=500)
    await play.studio.fault("slack:files.getUploadURLExternal", "before", "close")
    await play.studio.fault("slack:upload", "before", "reset")
    await play.studio.fault("slack:upload", "before", "status", status=500, skip=1)
    await play.studio.fault("slack:files.info", "before", "html")
    words = f"could not store {SIGNED}"
    await play.studio.fault("hiapi:outcome", "do", "fail", message=words, match={"prompt": "a failing storm"})


async def everything_to_be_seen(play: Stage) -> dict[str, str]:
    """All that the bot has written anywhere, as text."""
    table, shown = await asyncio.gather(play.bot.command("jobs"), play.bot.command("jobs", "--json"))
    state = await play.studio.state()
    messages = [one for place in state["channels"].values() for one in place["messages"] if one.get("bot_id")]
    ephemerals = [one for place in state["channels"].values() for one in place["ephemerals"]]
    return {
        "log": play.bot.log(),
        "jobs": table[1],
        "jobs --json": shown[1],
        "messages": told(messages),
        "ephemerals": told(ephemerals),
        "calls": json.dumps([call["arguments"] for call in await play.studio.calls()], ensure_ascii=False),
    }


def told(messages: list[Json]) -> str:
    """What messages say, also to programs, without the addresses that Slack itself gives to files."""
    parts = [
        [one["text"], one.get("blocks"), one.get("metadata"), [file["title"] for file in one.get("files", [])]]
        for one in messages
    ]
    return json.dumps(parts, ensure_ascii=False)


def opened_by(text: str, play: Stage) -> list[str]:
    """What could be opened with this text."""
    settings = play.bot.environment.items()
    words = [value for name, value in settings if value and name.endswith(("_TOKEN", "_KEY", "_SECRET"))]
    assert len(words) >= 3
    found = [what for what, shape in OPENING.items() if shape.search(text)]
    return found + [word for word in (*words, "0123456789abcdef", "fedcba9876543210") if word in text]
