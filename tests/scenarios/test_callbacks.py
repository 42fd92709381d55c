"""Providers that call: the end of a task comes sooner, a lost answer is found again, and nothing that anybody calls has
a wrong effect. One charge and one clip each, whatever is called, at each of the four providers that call."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.sandbox.driver import CHANNEL, Json
from tests.scenarios.bot import Stage
from tests.scenarios.conftest import HTTP_IN_THE_STORM, MakeStage
from tests.support.history import History, cards_of, standing
from tests.support.loopback import unused_port

pytestmark = [HTTP_IN_THE_STORM, pytest.mark.timeout(180)]

SIGNED = "hiapi"
UNSIGNED = ("muapi", "seedanceapi", "apimart")
CALLERS = (SIGNED, *UNSIGNED)

SECRET = "a-signing-key-for-callbacks"
SLOW_POLL = "60"
"""Seconds: who has the clip sooner was called."""

TELLS: Mapping[str, Callable[[str, bool], Json]] = {
    "hiapi": lambda task, well: {"taskId": task, "status": "success" if well else "fail"},
    "muapi": lambda task, well: {"id": task, "status": "succeeded" if well else "failed"},
    "seedanceapi": lambda task, well: {"data": {"task_id": task, "status": "SUCCESS" if well else "FAILED"}},
    "apimart": lambda task, well: {"data": {"id": task, "status": "completed" if well else "failed"}},
}
"""How each provider words a call about a task that ended well or not."""


@asynccontextmanager
async def reachable(
    stage: MakeStage, place: Path, *, secret: str = SECRET, **settings: str
) -> AsyncIterator[tuple[Stage, str]]:
    """A stage whose four providers can reach the bot, and the bot's origin. Without a secret HiAPI signs nothing."""
    port = unused_port()
    origin = f"http://127.0.0.1:{port}"
    given: dict[str, Any] = {
        "PROVIDERS": ",".join(CALLERS),
        "HTTP_PORT": str(port),
        "PUBLIC_URL": origin,
        "HIAPI_WEBHOOK_SECRET": secret,
        "CONFIRM_ABOVE_USD": "9",
        "MAX_RUNNING_PER_PERSON": "30",
        **settings,
    }
    async with stage(place, **given) as play:
        for name in CALLERS:
            await play.studio.post(f"/providers/{name}/settings", render_seconds=[0.3, 0.5], fidelity="cached")
        await play.provider(webhook_secret=secret or None)
        yield play, origin


async def order(play: Stage, what: str, *, at: tuple[str, ...] = CALLERS) -> None:
    """The same clip of each of these providers, one after the other: of a dozen at once a slow disk would have some
    refused, which is true and not the subject."""
    for name in at:
        answer = await play.studio.slash("maya", f"/clip {prompt_of(what, name)} --provider {name}")
        assert answer["acked"], answer


def prompt_of(what: str, provider: str) -> str:
    """The prompt of ``order``."""
    return f"a {what} by {provider}"


async def calls_go(play: Stage, kind: str, *, at: tuple[str, ...] = CALLERS, **more: int) -> None:
    """The calls about clips of something ``kind`` go so: see ``order``."""
    for name in at:
        rule = {"point": f"{name}:callback", "phase": "do", "match": {"prompt": f"a {kind} "}}
        await play.studio.post("/faults", **rule, action={"kind": kind, **more})


async def requests(play: Stage, provider: str) -> Json:
    """How many requests of each kind the provider has counted; ``callback`` are those that it made."""
    return await play.studio.get(f"/providers/{provider}/requests")


def heard(play: Stage, what: str, provider: str) -> list[str]:
    """The tasks that calls about this clip named, as far as the bot took them."""
    query = "select value from evidence where kind = 'called' and job_id in (select id from jobs where recipe like ?)"
    return [str(row["value"]) for row in play.bot.rows(query, f"%{prompt_of(what, provider)}%")]


async def task_at(play: Stage, what: str, provider: str) -> str:
    """The task of this clip, by the provider's books."""
    charges = (await play.studio.get(f"/providers/{provider}/ledger"))["charges"]
    (task,) = [one["task_id"] for one in charges if one["prompt"] == prompt_of(what, provider)]
    return str(task)


async def everything_stands_once(play: Stage, clips: int) -> None:
    """So many asks, each with one charge and one clip, which is its own: the one that the provider made of its
    prompt."""
    await play.at_rest()
    await play.studio.wait_until(
        lambda state: all(set(card.rows.values()) == {"delivered"} for card in cards_of(standing(state, CHANNEL))),
        what="every card says that its clip was delivered",
    )
    history = await History.read(play.studio, channel=CHANNEL, marker=" by ")
    history.check(clips=clips, asks=clips)
    prompts = {charge["task_id"]: charge["prompt"] for charge in history.paid}
    cards = {card.ts: card.text for card in history.cards}
    for clip in history.clips:
        assert prompts[clip.task_id] in cards[clip.thread_ts or ""], clip.task_id


async def call(origin: str, path: str, body: bytes = b"{}", **headers: str) -> int:
    """What a call is answered with."""
    async with httpx.AsyncClient(trust_env=False) as http:
        return (await http.post(f"{origin}{path}", content=body, headers=headers)).status_code


async def heard_out(origin: str, path: str, body: bytes) -> int:
    """The same by a provider, which calls again when it is told to come later: a slow machine may be too busy."""
    while (answer := await call(origin, path, body)) == 503:
        await asyncio.sleep(0.2)
    return answer


@pytest.mark.row("F38", "F44", "F45")
async def test_a_clip_arrives_once_however_its_end_is_called(stage: MakeStage, tmp_path: Path) -> None:
    """Called ten times at once, before the order's own answer, and by another before it is true, who signs falsely
    where calls are signed."""
    async with reachable(stage, tmp_path, POLL_INTERVAL_SECONDS=SLOW_POLL) as (play, _):
        await calls_go(play, "duplicate", times=10)
        await calls_go(play, "early")
        await calls_go(play, "forge")
        for kind in ("duplicate", "early", "forge"):
            await order(play, kind)
        await play.clips(12, timeout=90)
        await everything_stands_once(play, 12)
        # Whatever a slow disk kept from being written is called, looked at or fetched once more.
        again = play.bot.log().count("storage_away")
        for name in CALLERS:
            # One look as soon as the order is taken, one for what was called, and one for what was forged.
            counted = await requests(play, name)
            assert counted["create"] == 3, name
            assert 13 <= counted["callback"] <= 13 + again, name
            assert counted["get"] <= 3 * 3 + again, name
            assert 3 <= counted["download"] <= 3 + again, name
            for kind in ("duplicate", "early"):
                assert heard(play, kind, name) == [await task_at(play, kind, name)]
            # On a slow machine a call may find that all is over, and is written down no more.
            forged = heard(play, "forge", name)
            assert set(forged) == {await task_at(play, "forge", name)}, name
            assert len(forged) <= (1 if name == SIGNED else 2) + again, name
        assert play.bot.log().count("callback.not_genuine") == 1
        assert "forged.mp4" not in json.dumps(play.bot.rows("select * from jobs"))


@pytest.mark.storm
@pytest.mark.row("F44", "F46", "F47")
async def test_with_every_call_lost_late_too_old_or_racing_a_poll_everything_still_arrives(
    stage: MakeStage, tmp_path: Path
) -> None:
    async with reachable(stage, tmp_path) as (play, _):
        for kind in ("lose", "late"):
            await calls_go(play, kind)
        await calls_go(play, "duplicate", times=5)
        await calls_go(play, "stale", at=(SIGNED,))
        for kind in ("lose", "late", "duplicate"):
            await order(play, kind)
        await order(play, "stale", at=(SIGNED,))
        await play.clips(13)
        await everything_stands_once(play, 13)
        await play.until_logged("callback.not_genuine")
        for name in CALLERS:
            assert heard(play, "lose", name) == heard(play, "late", name) == []
        assert heard(play, "stale", SIGNED) == []

        # The late ones come when all is over: they are heard, and nobody looks at anything any more.
        before = {name: await requests(play, name) for name in CALLERS}
        messages = await play.studio.messages()
        await play.studio.heal()
        for name in CALLERS:
            task = await task_at(play, "late", name)
            late = "select 1 from evidence where kind = 'called' and value = ?"
            await play.until_rows(late, task)
        await everything_stands_once(play, 13)
        assert await play.studio.messages() == messages
        for name in CALLERS:
            after = await requests(play, name)
            assert (after["create"], after["get"]) == (before[name]["create"], before[name]["get"]), name


@pytest.mark.row("F26", "F45")
async def test_an_order_whose_answer_was_lost_is_found_by_the_call_and_by_nothing_that_strangers_say(
    stage: MakeStage, tmp_path: Path
) -> None:
    """Without a verified key: uncertain until the provider itself calls, and the task is there when we ask for it."""
    settings = {"HIAPI_IDEMPOTENCY": "false", "APIMART_IDEMPOTENCY": "false", "secret": ""}
    async with reachable(stage, tmp_path, **settings) as (play, origin):
        await order(play, "whale")
        await play.clips(4)
        await play.at_rest()
        await calls_go(play, "late")
        for name in CALLERS:
            await play.studio.fault(f"{name}:create", "amid", "reset", match={"prompt": "a late "})
        await order(play, "late")
        await play.until_rows("select 1 from jobs where state = 'uncertain' group by state having count(*) = 4")
        tokens = {name: token_of(play, "late", name) for name in CALLERS}
        await asyncio.gather(*(strangers_change_nothing(play, origin, name, tokens[name]) for name in CALLERS))
        assert len(await play.clip_messages()) == 4

        # The providers call at last.
        for name in CALLERS:
            await play.studio.wait_until(partial(ended, prompt=prompt_of("late", name)), what=f"{name} has rendered")
        await play.studio.heal()
        await play.clips(8)
        await everything_stands_once(play, 8)
        assert len(play.bot.rows("select * from attempts")) == 8
        for name in CALLERS:
            assert (await requests(play, name))["create"] == 2, name

        # Whatever is repeated, and however often, is heard and changes nothing.
        tasks = {name: await task_at(play, "late", name) for name in CALLERS}
        repeated = [
            heard_out(origin, f"/callbacks/{name}/{tokens[name]}", json.dumps(TELLS[name](tasks[name], well)).encode())
            for name in CALLERS
            for well in [True] * 9 + [False]
        ]
        assert set(await asyncio.gather(*repeated)) == {200}
        await everything_stands_once(play, 8)
        assert {row["state"] for row in play.bot.rows("select state from jobs")} == {"delivered"}


def token_of(play: Stage, what: str, provider: str) -> str:
    """The token of this clip's order."""
    query = "select callback_token from attempts where job_id in (select id from jobs where recipe like ?)"
    (row,) = play.bot.rows(query, f"%{prompt_of(what, provider)}%")
    return str(row["callback_token"])


def ended(state: Json, prompt: str) -> bool:
    """Whether the task of this prompt has ended at its provider."""
    tasks = [task for farm in state["providers"].values() for task in farm["tasks"] if task["prompt"] == prompt]
    return [task["completed"] is not None for task in tasks] == [True]


async def strangers_change_nothing(play: Stage, origin: str, provider: str, token: str) -> None:
    """Wrong tokens, wrong providers and wrong methods look all the same. A task that the provider does not have is not
    believed, and one that another clip has is not given twice."""
    other = next(name for name in CALLERS if name != provider)
    forged = json.dumps(TELLS[provider]("NOBODYS", True)).encode()
    for path in (
        f"/callbacks/{provider}/{'0' * 32}",
        f"/callbacks/{other}/{token}",
        f"/callbacks/{provider}/{token}/x",
        "/callbacks/",
    ):
        assert await call(origin, path, forged) == 404, path
    path = f"/callbacks/{provider}/{token}"
    async with httpx.AsyncClient(trust_env=False) as http:
        assert (await http.get(f"{origin}{path}")).status_code == 405
    assert await call(origin, path, b"x" * 1_100_000) == 413
    others = await task_at(play, "whale", provider)
    looks = (await requests(play, provider))["get"]
    assert await call(origin, path, b"[[[") == 200
    assert await call(origin, path, forged) == 200
    assert await call(origin, path, json.dumps(TELLS[provider](others, True)).encode()) == 200
    await play.until_logged(f'"task": "{others}"')
    assert heard(play, "late", provider) == ["", "NOBODYS", others]
    async with asyncio.timeout(10):
        while (await requests(play, provider))["get"] == looks:
            await asyncio.sleep(0.05)
    (job,) = play.bot.rows("select state, task_id from jobs where recipe like ?", f"%{prompt_of('late', provider)}%")
    assert job == {"state": "uncertain", "task_id": None}
    assert token not in play.bot.log()
