"""The sandbox as a process: it says where it is, serves the bot's environment, and goes when it should."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from tests.sandbox.driver import NeverHappened, start_sandbox


async def test_a_child_process_serves_the_workspace_and_ends_with_the_test(tmp_path: Path) -> None:
    async with start_sandbox(data=tmp_path, share_delay=0.01) as studio:
        web = AsyncWebClient(token=studio.environment["SLACK_BOT_TOKEN"], base_url=studio.environment["SLACK_API_URL"])
        await web.chat_postMessage(channel="C0DAILIES1", text="hello")
        assert (await studio.message_where(lambda one: one["text"] == "hello"))["bot_id"] == "B0DAILIES1"
        assert (await studio.configure())["share_delay"] == 0.01
        assert {"HIAPI_BASE_URL", "HIAPI_API_KEY", "ALLOWED_FETCH_HOSTS"} <= set(studio.environment)
        assert studio.pid is not None
        pid = studio.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_the_process_ends_when_its_parent_is_gone() -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot.sandbox", "--exit-with-parent",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    ready = json.loads(await asyncio.wait_for(child.stdout.readline(), 20))
    assert ready["ready"] is True
    child.stdin.close()
    assert await asyncio.wait_for(child.wait(), 10) == 0


async def test_waiting_says_what_never_happened(tmp_path: Path) -> None:
    async with start_sandbox(data=tmp_path) as studio:
        with pytest.raises(NeverHappened, match="a miracle"):
            await studio.wait_until(lambda state: None, timeout=0.2, what="a miracle")
