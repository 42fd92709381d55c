"""Providers that call: the end of a task comes sooner, a lost answer is found again, and nothing that anybody calls has
a wrong effect. One charge and one clip each, whatever is called."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.scenarios.bot import Stage, stage

SECRET = "a-signing-key-for-callbacks"
SLOW_POLL = "20"
"""Seconds: who has the clip sooner was called."""


def free_port() -> int:
    """A port of ours that nobody listens to."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@asynccontextmanager
async def reachable(place: Path, *, secret: str = SECRET, **settings: str) -> AsyncIterator[tuple[Stage, str]]:
    """A stage whose provider can reach the bot, and its origin."""
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    given: dict[str, Any] = {"HTTP_PORT": str(port), "PUBLIC_URL": origin, "HIAPI_WEBHOOK_SECRET": secret, **settings}
    async with stage(place, **given) as play:
        await play.provider(webhook_secret=secret or None)
        yield play, origin


async def token_of_first(play: Stage) -> str:
    """The token of the first order."""
    rows = await play.until_rows("select callback_token from attempts order by intended_at")
    return str(rows[0]["callback_token"])


async def call(origin: str, path: str, body: bytes = b"{}", **headers: str) -> int:
    """What a call is answered with."""
    async with httpx.AsyncClient(trust_env=False) as http:
        return (await http.post(f"{origin}{path}", content=body, headers=headers)).status_code


async def test_a_clip_arrives_once_however_its_end_is_called(tmp_path: Path) -> None:
    """Called three times at once, before the order's own answer, and falsely signed by another before it is true."""
    async with reachable(tmp_path, POLL_INTERVAL_SECONDS=SLOW_POLL) as (play, _):
        for number, kind in enumerate(["duplicate", "early", "forge"], start=1):
            await play.studio.fault("hiapi:callback", "do", kind, times=1)
            await play.studio.slash("maya", f"/clip a red panda, {kind}")
            await play.clips(number, timeout=15)
            await play.at_rest()
            assert len(play.bot.rows("select value from evidence where kind = 'called'")) == number, kind
        assert len(await play.clip_messages()) == len(await play.ledger()) == 3
        assert play.bot.log().count("callback.not_genuine") == 1
        assert "forged.mp4" not in json.dumps(play.bot.rows("select * from jobs"))


async def test_with_every_call_lost_or_too_old_everything_still_arrives(tmp_path: Path) -> None:
    async with reachable(tmp_path) as (play, _):
        await play.studio.fault("hiapi:callback", "do", "lose", times=2)
        await play.studio.fault("hiapi:callback", "do", "stale", times=9)
        await play.studio.slash("maya", "/clip a red panda surfing --takes 3")
        assert len(await play.clips(3)) == 3
        await play.studio.wait_until(lambda _: "callback.not_genuine" in play.bot.log(), what="a stale call is refused")
        assert play.bot.rows("select * from evidence where kind = 'called'") == []
        assert len(await play.ledger()) == 3


async def test_an_order_whose_answer_was_lost_is_found_by_the_call_and_by_nothing_that_strangers_say(
    tmp_path: Path,
) -> None:
    """Without a verified key: uncertain until the provider itself calls, and the task is there when we ask for it."""
    settings = {"HIAPI_IDEMPOTENCY": "false", "secret": "", "CONFIRM_ABOVE_USD": "9"}
    async with reachable(tmp_path, **settings) as (play, origin):
        await play.provider(render_seconds=[4.0, 4.0])
        await play.studio.fault("hiapi:create", "amid", "reset", times=1)
        await play.studio.slash("maya", "/clip a red panda surfing")
        await play.card("*uncertain*")
        token = await token_of_first(play)
        await strangers_learn_and_change_nothing(play, origin, token)
        (clip,) = await play.clips(1, timeout=20)
        await play.at_rest()
        assert clip["text"].startswith("*#1*")
        assert len(await play.ledger()) == 1
        assert len(play.bot.rows("select * from attempts")) == 1

        # Whatever comes late, and however often, is heard and changes nothing.
        (job,) = play.bot.rows("select task_id from jobs")
        body = json.dumps({"taskId": job["task_id"], "status": "fail"}).encode()
        path = f"/callbacks/hiapi/{token}"
        assert await asyncio.gather(*(call(origin, path, body) for _ in range(10))) == [200] * 10
        await play.at_rest()
        assert [row["state"] for row in play.bot.rows("select state from jobs")] == ["delivered"]
        assert len(await play.clip_messages()) == 1


async def strangers_learn_and_change_nothing(play: Stage, origin: str, token: str) -> None:
    """Wrong tokens, wrong providers and wrong methods look all the same; a task that the provider does not have is
    not believed."""
    forged = json.dumps({"taskId": "tk-hiapi-NOBODYS", "status": "success", "output": "http://127.0.0.1:9/x"}).encode()
    nobody = "0" * 32
    for path in (
        f"/callbacks/hiapi/{nobody}",
        f"/callbacks/muapi/{token}",
        f"/callbacks/hiapi/{token}/x",
        "/callbacks/",
    ):
        assert await call(origin, path, forged) == 404, path
    async with httpx.AsyncClient(trust_env=False) as http:
        assert (await http.get(f"{origin}/callbacks/hiapi/{token}")).status_code == 405
    assert await call(origin, f"/callbacks/hiapi/{token}", b"x" * 1_100_000) == 413
    assert await call(origin, f"/callbacks/hiapi/{token}", forged) == 200
    assert await call(origin, f"/callbacks/hiapi/{token}", b"[[[") == 200
    assert play.bot.rows("select state, task_id from jobs") == [{"state": "uncertain", "task_id": None}]
    assert token not in play.bot.log()
