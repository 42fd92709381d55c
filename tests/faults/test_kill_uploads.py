"""SIGKILL around, and silence in, the upload of a picture to the provider: it costs nothing, so it is done again, and
the one order that follows is charged once."""

import asyncio
from pathlib import Path

import pytest

from tests.faults.conftest import RigOf
from tests.faults.rig import Rig
from tests.sandbox.driver import PATIENCE_SECONDS, NeverHappened
from tests.support.files import picture

pytestmark = pytest.mark.timeout(180)

PHASES = ("before", "amid_request", "amid", "after")
EVERY_RUN = frozenset({"amid"})
"""The provider has the picture, and nobody here knows."""


async def _ask(rig: Rig, place: Path) -> None:
    """``/clip`` by Maya, which begins with a picture that she showed elsewhere."""
    content = picture(place / "mug.png", 640, 480).read_bytes()
    shown = await rig.studio.say("maya", "a mug", files=[("mug.png", content)])
    message = await rig.studio.message_where(lambda one: one["ts"] == shown)
    await rig.accepted(f"--first {message['files'][0]['permalink']}")


async def _uploads(rig: Rig) -> int:
    """Uploads that reached the provider, eaten ones too: only differences mean anything."""
    return (await rig.requests()).get("upload", 0)


@pytest.mark.row("F19")
@pytest.mark.parametrize(
    "phase", [pytest.param(one, marks=() if one in EVERY_RUN else pytest.mark.storm) for one in PHASES]
)
async def test_a_kill_around_the_upload_of_a_picture_costs_nothing(rig_of: RigOf, tmp_path: Path, phase: str) -> None:
    rig = await rig_of("apimart")
    before, orders = await _uploads(rig), await rig.posts()
    await rig.start()
    await rig.arm("apimart:upload", phase)
    await _ask(rig, tmp_path)
    await rig.died()
    assert await _uploads(rig) - before == 1
    assert await rig.posts() == orders, "nothing is ordered before its files are handed over"
    await rig.restart()
    await rig.delivered()
    assert await _uploads(rig) - before == 2, "what the provider has of the first is forgotten with the process"


@pytest.mark.row("F20")
@pytest.mark.storm
async def test_an_upload_that_hangs_holds_nobody_else_up_and_is_done_again(rig_of: RigOf, tmp_path: Path) -> None:
    rig = await rig_of("apimart")
    before = await _uploads(rig)
    await rig.start()
    await rig.arm("apimart:upload", "amid", "hang")
    await _ask(rig, tmp_path)
    await _until_uploaded(rig, before + 1)
    await rig.accepted()
    await rig.charged(1)
    await rig.studio.heal()
    await rig.ended(asks=2)
    await rig.books_balance(await rig.check(clips=2, asks=2))
    assert await _uploads(rig) - before == 2


async def _until_uploaded(rig: Rig, count: int) -> None:
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while await _uploads(rig) < count:
        if asyncio.get_running_loop().time() > deadline:
            raise NeverHappened(f"{count} uploads", PATIENCE_SECONDS)
        await asyncio.sleep(0.05)
